//! The abilities of a server: EDNS, repeating letters, cookies; and for how long it is taken to lack them.

use std::sync::atomic::Ordering;

use super::super::cookie::Cookie;
use super::super::edns::Trouble;
use super::{SERVERS, Server, Slot};
use crate::host::log::Level;

/// How long a server is taken not to have an ability, ms: it may have been replaced since.
const DISABILITY_MS: u64 = 900_000;
/// How often it is noted that a server knows EDNS, ms.
const EDNS_NOTE_MS: u64 = 1000;

/// Something that a server may turn out not to be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(in super::super) enum Ability {
    /// Understands an OPT record (RFC 6891).
    Edns,
    /// Repeats the question with its letters as they were.
    CaseEcho,
}

impl Ability {
    /// The bit of [`Slot::unsaid`] for having lost it; the next one is for having it again.
    const fn bit(self) -> u32 {
        1 << (2 * self as u32)
    }
}

pub(super) const ABILITIES: usize = Ability::CaseEcho as usize + 1;

impl Server {
    /// The cookie to send.
    pub(in super::super) fn cookie(&self, now_ms: u64) -> Cookie {
        self.slot().cookies.get(now_ms)
    }

    /// Remembers the cookie of a reply; without one, that the server sends none.
    pub(in super::super) fn note_cookie(&self, cookie: Option<&Cookie>) {
        let cell = &self.slot().cookies;
        match cookie {
            Some(cookie) => cell.set(cookie),
            None => cell.forget_server(),
        }
    }

    /// True while the server is known not to have the ability.
    pub(in super::super) fn lacks(&self, ability: Ability, now_ms: u64) -> bool {
        self.slot().lacks(ability, now_ms)
    }

    /// Remembers for a quarter of an hour that the server does not have the ability.
    pub(in super::super) fn note_lack(&self, ability: Ability, now_ms: u64) {
        let slot = self.slot();
        if let Some(until_ms) = slot.disabled_ms.get(ability as usize) {
            let until = now_ms.saturating_add(DISABILITY_MS);
            if until_ms.swap(until, Ordering::Relaxed) == 0 {
                slot.unsaid.fetch_or(ability.bit(), Ordering::Relaxed);
            }
        }
        self.say_changes(now_ms);
    }

    /// True when it has shown of late that it knows EDNS.
    pub(in super::super) fn knows_edns(&self, now_ms: u64) -> bool {
        self.slot().knows_edns(now_ms)
    }

    /// True when a question of the zone may have an OPT record. `zone` is called only where the zone matters.
    #[inline]
    pub(in super::super) fn edns_suits(&self, zone: impl FnOnce() -> u64, now_ms: u64) -> bool {
        let slot = self.slot();
        !slot.lacks(Ability::Edns, now_ms)
            && slot.suspect(now_ms).is_none_or(|suspect| suspect != zone())
    }

    /// A sound reply had an OPT record.
    pub(in super::super) fn note_edns(&self, now_ms: u64) {
        let slot = self.slot();
        // All processes read this word, so it is not written for each reply.
        let seen_ms = slot.edns_seen_ms.load(Ordering::Relaxed);
        if seen_ms != 0 && now_ms.saturating_sub(seen_ms) < EDNS_NOTE_MS {
            return;
        }
        slot.edns_seen_ms.store(now_ms.max(1), Ordering::Relaxed);
        let ability = Ability::Edns;
        if let Some(until_ms) = slot.disabled_ms.get(ability as usize)
            && until_ms.load(Ordering::Relaxed) != 0
            && until_ms.swap(0, Ordering::Relaxed) != 0
        {
            slot.unsaid.fetch_or(ability.bit() << 1, Ordering::Relaxed);
        }
        self.say_changes(now_ms);
    }

    /// A question of the zone fared better without EDNS. [`super::super::edns`] says what that means.
    pub(in super::super) fn note_edns_trouble(&self, trouble: Trouble, zone: u64, now_ms: u64) {
        let slot = self.slot();
        let known = slot.knows_edns(now_ms);
        // The server lacked EDNS before, and nothing has shown anything else since.
        let again = slot
            .disabled_ms
            .get(Ability::Edns as usize)
            .is_some_and(|until_ms| until_ms.load(Ordering::Relaxed) != 0);
        let elsewhere = slot.suspect(now_ms).is_some_and(|other| other != zone);
        if !known && (trouble == Trouble::Proof || again || elsewhere) {
            return self.note_lack(Ability::Edns, now_ms);
        }
        let until_ms = now_ms.saturating_add(DISABILITY_MS);
        slot.suspect_zone.store(zone, Ordering::Relaxed);
        slot.suspect_until_ms.store(until_ms, Ordering::Relaxed);
    }

    #[cold]
    pub(super) fn say_abilities(&self, changes: u32) {
        let address = self.address;
        for (ability, what) in [
            (Ability::Edns, "EDNS"),
            (Ability::CaseEcho, "random letter case"),
        ] {
            if changes & ability.bit() != 0 {
                crate::log!(
                    Level::Notice,
                    "nameserver {address} is asked without {what} for now"
                );
            }
            if changes & ability.bit() << 1 != 0 {
                crate::log!(
                    Level::Notice,
                    "nameserver {address} is asked with {what} again"
                );
            }
        }
    }
}

impl Slot {
    fn knows_edns(&self, now_ms: u64) -> bool {
        let seen_ms = self.edns_seen_ms.load(Ordering::Relaxed);
        seen_ms != 0 && now_ms.saturating_sub(seen_ms) < DISABILITY_MS
    }

    /// The zone whose questions fared better without EDNS lately.
    fn suspect(&self, now_ms: u64) -> Option<u64> {
        let zone = self.suspect_zone.load(Ordering::Relaxed);
        let counts = zone != 0 && self.suspect_until_ms.load(Ordering::Relaxed) > now_ms;
        counts.then_some(zone)
    }

    pub(super) fn forget_abilities(&self) {
        for until_ms in &self.disabled_ms {
            until_ms.store(0, Ordering::Relaxed);
        }
        self.edns_seen_ms.store(0, Ordering::Relaxed);
        self.suspect_zone.store(0, Ordering::Relaxed);
        self.unsaid.store(0, Ordering::Relaxed);
    }

    pub(super) fn lacks(&self, ability: Ability, now_ms: u64) -> bool {
        self.disabled_ms
            .get(ability as usize)
            .is_some_and(|until_ms| until_ms.load(Ordering::Relaxed) > now_ms)
    }
}

/// Forgets that servers lack abilities.
pub(in super::super) fn forget_abilities() {
    for slot in SERVERS.get() {
        slot.forget_abilities();
    }
}
