//! Addresses of a host, one at a time.
//!
//! A set of several addresses is held until all were given, so a call goes through one set whatever
//! happens in the cache. Of a host behind an SRV record that has a single address nothing is held: the
//! SRV record leads to the next step. Most hosts have one address, and the count of holders is the one
//! word for which processes that send to the same carrier would fight.

use std::net::IpAddr;

use super::Search;
use super::order::address_at_step;
use crate::cache::{EntryRef, RecordView};
use crate::host::clock;
use crate::lookup::{self, Peeked, Source, family_allowed, family_order};
use crate::rr::{RecordType, parse_literal};
use crate::select::flags::{INTERLEAVE, TRACED};
use crate::select::security::Nothing;
use crate::select::tree::{Event, Named, Records as _};

/// `ip_no` while no address entry is held, between an SRV target's single address and the next call. The
/// caller's `next` adds one: positions in a held entry stay below, see [`crate::rr::MAX_RRSET_RECORDS`].
const FIRST_FAMILY: u8 = 251;
/// As [`FIRST_FAMILY`], and the caller wants the next address.
pub(super) const AFTER_FIRST_FAMILY: u8 = FIRST_FAMILY + 1;
/// As [`FIRST_FAMILY`], the address being of the family that is tried last.
const LAST_FAMILY: u8 = 254;
/// As [`LAST_FAMILY`], and the caller wants the next address.
pub(super) const AFTER_LAST_FAMILY: u8 = LAST_FAMILY + 1;

/// Addresses of a host that are given in turn, at most: positions are octets.
const IN_TURN: usize = u8::MAX as usize;

/// Whether the cursor has to hold the address entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// Always: nothing else leads to the next address.
    Always,
    /// Not for a single address: the SRV record in use leads on.
    Sets,
}

impl Search<'_> {
    /// Takes the addresses of a host and gives the first.
    pub(super) fn start_addresses(
        &mut self,
        host: &[u8],
        named: Named,
        hold: Hold,
    ) -> Result<IpAddr, Nothing> {
        self.cursor.a = None;
        self.cursor.ip_no = 0;
        if let Some(address) = parse_literal(host) {
            let allowed = family_allowed(address, self.flags);
            self.tell(Event::Literal(address, allowed));
            if !allowed {
                return Err(Nothing::Absent);
            }
            return Ok(address);
        }
        let (first, second) = family_order(self.flags);
        let error = match self.take_addresses(host, first, named, hold) {
            Ok(address) => return Ok(address),
            Err(error) => error,
        };
        let second = second.ok_or(error)?;
        let found = self.take_addresses(host, second, named, hold);
        if found.is_ok() && error == Nothing::Open && hold == Hold::Always {
            self.cursor.pass_over(1);
        }
        found.map_err(|other| error.and(other))
    }

    /// The address types to look up, in the order of this search: that of the flags, unless the type that comes first
    /// was passed over.
    fn families(&self) -> (RecordType, Option<RecordType>) {
        let is_turned = self.cursor.srv.is_none() && self.cursor.passed_over() != 0;
        match family_order(self.flags) {
            (first, Some(second)) if is_turned => (second, Some(first)),
            order => order,
        }
    }

    fn take_addresses(
        &mut self,
        host: &[u8],
        family: RecordType,
        named: Named,
        hold: Hold,
    ) -> Result<IpAddr, Nothing> {
        if hold == Hold::Sets && !self.keeps_addresses() {
            match lookup::peek_address(host, family) {
                Peeked::Found(address) => {
                    self.cursor.ip_no = given_mark(family, self.flags);
                    return Ok(address.into());
                }
                Peeked::Absent => return Err(Nothing::Absent),
                Peeked::Look => {}
            }
        }
        let (entry, source) = self.look_up(host, family, named, None)?;
        self.cursor.a = Some(entry);
        self.cursor.ip_no = 0;
        self.sources.address = source;
        let address = self.address_from_entry();
        match &self.cursor.a {
            _ if address.is_none() => self.cursor.a = None,
            // In turns `ip_no` counts usable addresses, so those passed over do not count.
            Some(entry) if self.other_in_turn(entry).is_some() => self.cursor.ip_no = 0,
            _ => {}
        }
        address.ok_or(Nothing::Absent)
    }

    /// True when somebody wants to see the entry, too, or the entry has to lead on.
    fn keeps_addresses(&self) -> bool {
        self.whole_set
            || self.reason.is_some()
            || self.watch.is_some()
            || self.flags & (INTERLEAVE | TRACED) != 0
    }

    /// The address at the cursor, or the next usable one behind it.
    fn address_from_entry(&mut self) -> Option<IpAddr> {
        let entry = self.cursor.a.as_ref()?;
        let now = clock::now_ticks();
        let start = self.cursor.start();
        let first = usize::from(self.cursor.ip_no);
        let (step, address) = (first..entry.record_count()).find_map(|step| {
            let index = address_at_step(entry, step, start)?;
            Some((step, entry.usable_address(index, now)?))
        })?;
        // Sets are capped below 255, so the caller's addition cannot wrap.
        self.cursor.ip_no = step as u8;
        Some(address)
    }

    /// The other family than the entry's, where the two come in turn.
    fn other_in_turn(&self, entry: &EntryRef) -> Option<RecordType> {
        let (first, second) = self.families();
        let second = second.filter(|_| self.flags & INTERLEAVE != 0)?;
        Some(if entry.rtype() == first {
            second
        } else {
            first
        })
    }

    /// The address at a place among those of both families in turn (RFC 8305 section 4); the cursor then holds the
    /// entry that has it. `held` is the one that it held so far, `other` the type of the other.
    fn address_in_turn(&mut self, held: &EntryRef, other: RecordType, place: u8) -> Option<IpAddr> {
        let found = match place {
            1 => self.look_up(held.name(), other, Named::ByRecord, None).ok(),
            // A watcher has seen this lookup before.
            _ => lookup::absolute_entry(held.name(), other, self.flags).ok(),
        };
        let other = found.as_ref().map(|(entry, source)| (entry, *source));
        let held_set = Some((held, Source::Cache));
        let sets = match held.rtype() == self.families().0 {
            true => [held_set, other],
            false => [other, held_set],
        };
        let (start, now) = (self.cursor.start(), clock::now_ticks());
        let usable = sets.map(|set| {
            let count = set.map_or(0, |(entry, _)| entry.record_count());
            (0..count).filter_map(move |step| {
                let (entry, source) = set?;
                let index = address_at_step(entry, step, start)?;
                Some((entry, source, entry.usable_address(index, now)?))
            })
        });
        let (entry, source, address) = in_turn(usable).take(IN_TURN).nth(place.into())?;
        self.cursor.a = Some(entry.clone());
        self.cursor.ip_no = place;
        self.sources.address = source;
        Some(address)
    }

    /// The next address of the entry at hand, then those of the other family, or those of both in turn. When there is
    /// none, the entry is let go, but for the last one of a search without SRV records: without it a cursor at the
    /// end would look like a new one.
    pub(super) fn next_address(&mut self) -> Option<IpAddr> {
        let other = self.cursor.a.as_ref().and_then(|a| self.other_in_turn(a));
        if other.is_none()
            && let Some(address) = self.address_from_entry()
        {
            return Some(address);
        }
        let entry = self.cursor.a.take()?;
        let place = std::mem::take(&mut self.cursor.ip_no);
        let found = match other {
            Some(other) => self.address_in_turn(&entry, other, place),
            None => self.address_of_second(&entry),
        };
        if found.is_none() && self.cursor.srv.is_none() {
            self.cursor.a = Some(entry);
            // The caller's addition must not wrap.
            self.cursor.ip_no = place.min(u8::MAX - 1);
        }
        found
    }

    /// The first address of the family that comes second, behind those of an entry.
    fn address_of_second(&mut self, entry: &EntryRef) -> Option<IpAddr> {
        let (first, second) = self.families();
        let hold = match self.cursor.srv {
            Some(_) => Hold::Sets,
            None => Hold::Always,
        };
        let family = second.filter(|_| entry.rtype() == first)?;
        self.take_addresses(entry.name(), family, Named::ByRecord, hold)
            .ok()
    }

    /// As [`Self::next_address`] where no entry is held: the other family of the SRV target in use, or,
    /// when the caller did not ask for the next address, the same one again.
    pub(super) fn next_address_of_srv(&mut self) -> Option<IpAddr> {
        let (first, second) = family_order(self.flags);
        let family = match std::mem::take(&mut self.cursor.ip_no) {
            FIRST_FAMILY => first,
            AFTER_FIRST_FAMILY..LAST_FAMILY => second?,
            LAST_FAMILY => second.unwrap_or(first),
            _ => return None,
        };
        let (_, index) = self.cursor.srv_in_use()?;
        let entry = self.cursor.srv.take()?;
        let found = match entry.record(index) {
            Some(RecordView::Srv { target, .. }) => self
                .take_addresses(target, family, Named::ByRecord, Hold::Sets)
                .ok(),
            _ => None,
        };
        self.cursor.srv = Some(entry);
        found
    }
}

/// Items of two lists in turn; when one list is over, the rest of the other.
fn in_turn<T>([mut first, mut second]: [impl Iterator<Item = T>; 2]) -> impl Iterator<Item = T> {
    let mut is_firsts = false;
    std::iter::from_fn(move || {
        is_firsts = !is_firsts;
        match is_firsts {
            true => first.next().or_else(|| second.next()),
            false => second.next().or_else(|| first.next()),
        }
    })
}

/// How the cursor says that the single address of a family was given.
#[inline]
pub(super) fn given_mark(family: RecordType, request_flags: u32) -> u8 {
    match family_order(request_flags) {
        (first, Some(_)) if first == family => FIRST_FAMILY,
        _ => LAST_FAMILY,
    }
}
