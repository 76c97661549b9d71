//! Names that are never cold: the list that processes share, and what is known of each.
//!
//! A process that pins a name writes it here; the refresher looks at the list (`select::pins` says what belongs to a
//! name) and writes down what came of it. A call looks at nothing of this.

use crate::host::clock;
use crate::host::mutation::{Mutation, ordering, seeded};
use crate::host::shared::{Shared, shared_struct};
use crate::host::sync::{AtomicU32, AtomicU64, Ordering, fence};
use crate::rr::MAX_NAME_OCTETS;

/// Pins at a time.
pub const MOST: usize = 256;
/// Longest text of a pin, octets: a name, a scheme, a port, a transport.
pub const MAX_OCTETS: usize = MAX_NAME_OCTETS + 33;

const WORDS: usize = MAX_OCTETS.div_ceil(8);

/// States of a place, in the low bits of [`Place::state`].
const EMPTY: u64 = 0;
const BUSY: u64 = 1;
const BY_OPTION: u64 = 2;
const BY_COMMAND: u64 = 3;
const BY_FILE: u64 = 4;
const STATE_BITS: u32 = 3;

shared_struct! {
/// A pin.
struct Place {
    /// The state, and above it the number of changes, so that no two texts share a word.
    state: AtomicU64,
    /// Length of the text.
    length: AtomicU32,
    /// Whether all that belongs to it is there: see [`Whole`].
    whole: AtomicU32,
    /// When it was whole last, ms; 0 = never.
    whole_ms: AtomicU64,
    /// When something that belongs to it could not be had last, ms; 0 = never. Type and kind below.
    failed_ms: AtomicU64,
    failure: AtomicU32,
    /// When the first of its records expires, tick; above bit 32 whether that is known.
    expires: AtomicU64,
    text: [AtomicU64; WORDS],
}
}

static PLACES: Shared<[Place; MOST]> = Shared::new();

/// Maps the list; before fork.
pub(super) fn prepare() {
    PLACES.get();
}

/// The author of a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The option `dns_pin`.
    Option,
    /// The file of `dns_pin_file`.
    File,
    /// A command, or a program.
    Command,
}

impl By {
    fn state(self) -> u64 {
        match self {
            Self::Option => BY_OPTION,
            Self::File => BY_FILE,
            Self::Command => BY_COMMAND,
        }
    }

    fn of(state: u64) -> Option<Self> {
        match state & ((1 << STATE_BITS) - 1) {
            BY_OPTION => Some(Self::Option),
            BY_FILE => Some(Self::File),
            BY_COMMAND => Some(Self::Command),
            _ => None,
        }
    }
}

/// How much of a pin there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Whole {
    /// The name was not looked at yet, or something is being asked for.
    NotYet,
    /// All that belongs to it is there and live, with at least one address.
    Yes,
    /// Something could not be had; expired records stand in for it, or nothing does.
    No,
}

/// A question that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Type of the question.
    pub rtype: u16,
    /// A server said so, rather than that none answered.
    pub was_said: bool,
    /// There is no such name, or no address in the end.
    pub is_absent: bool,
}

impl Failed {
    fn word(self) -> u32 {
        u32::from(self.rtype) | u32::from(self.was_said) << 16 | u32::from(self.is_absent) << 17
    }

    fn of(word: u32) -> Self {
        Self {
            rtype: word as u16,
            was_said: word & 1 << 16 != 0,
            is_absent: word & 1 << 17 != 0,
        }
    }
}

/// A pin as people see it.
#[derive(Clone, Debug)]
pub struct Pin {
    /// As it was written.
    pub text: Vec<u8>,
    /// The author of the pin.
    pub by: By,
    /// How much of it there is.
    pub whole: Whole,
    /// How long ago it was whole, s.
    pub whole_ago_s: Option<u64>,
    /// The last failure, and how long ago, s.
    pub failed: Option<(Failed, u64)>,
    /// In how many s the first of its records expires.
    pub expires_in_s: Option<i32>,
}

/// Why a name is not pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotPinned {
    /// There are [`MOST`].
    Full,
    /// The text is longer than a pin may be.
    TooLong,
}

/// Pins a name; true when it was not pinned.
///
/// # Errors
/// Why it cannot be.
pub fn add(text: &[u8], by: By) -> Result<bool, NotPinned> {
    if text.len() > MAX_OCTETS {
        return Err(NotPinned::TooLong);
    }
    let mut twice = PLACES.get().iter().filter(|place| place.has(text));
    if let Some(place) = twice.next() {
        // A command ends what a command pins.
        if by == By::Command {
            place.belongs_to(by);
        }
        return Ok(false);
    }
    let is_taken = PLACES.get().iter().any(|place| place.take(text, by));
    is_taken.then_some(true).ok_or(NotPinned::Full)
}

/// Ends the pinning of a name, however it was pinned; false when it was not pinned.
pub fn remove(text: &[u8]) -> bool {
    let places = PLACES.get().iter();
    places
        .filter(|place| place.has(text))
        .filter(|place| place.release())
        .count()
        > 0
}

/// Has the names of option and file be exactly these, a name that both have counting as the option's; those of commands
/// stay. Gives how many have no room.
pub fn set_configured(option: &[&[u8]], file: &[&[u8]]) -> usize {
    let has = |list: &[&[u8]], text: &[u8]| list.iter().any(|own| own.eq_ignore_ascii_case(text));
    for place in PLACES.get() {
        match place.read() {
            None | Some((_, By::Command, _)) => {}
            Some((text, ..)) if has(option, &text) => place.belongs_to(By::Option),
            Some((text, ..)) if has(file, &text) => place.belongs_to(By::File),
            Some(_) => {
                place.release();
            }
        }
    }
    let refused = |list: &[&[u8]], by| list.iter().filter(|text| add(text, by).is_err()).count();
    refused(option, By::Option) + refused(file, By::File)
}

/// All pins.
#[must_use]
pub fn all() -> Vec<Pin> {
    let places = PLACES.get().iter();
    places.filter_map(Place::pin).collect()
}

/// How many there are, and how many of them are not whole.
#[must_use]
pub fn count() -> (u64, u64) {
    let pinned = || PLACES.get().iter().filter(|place| place.is_pinned());
    let is_part = |place: &&Place| place.whole.load(Ordering::Relaxed) != Whole::Yes as u32;
    (
        pinned().count() as u64,
        pinned().filter(is_part).count() as u64,
    )
}

/// Calls `look` with the text of each pin, and writes down what it gives.
pub fn for_each(mut look: impl FnMut(&[u8]) -> Found) {
    for place in PLACES.get() {
        if let Some((text, _, state)) = place.read() {
            let found = look(&text);
            place.note(state, &found);
        }
    }
}

/// The state of a pin, as the refresher found it.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// How much of the pin's records there is.
    pub whole: Whole,
    /// The first question of the pin that failed.
    pub failed: Option<Failed>,
    /// The tick at which the first of the pin's records expires.
    pub expires: Option<u32>,
}

impl Place {
    fn is_pinned(&self) -> bool {
        By::of(self.state.load(Ordering::Relaxed)).is_some()
    }

    /// The text, who wrote it, and the word that both belong to.
    fn read(&self) -> Option<(Vec<u8>, By, u64)> {
        // SYNC: pairs with the release in `take`: the text is written.
        let order = ordering(Mutation::PinReadRelaxed, Ordering::Acquire);
        let state = self.state.load(order);
        let by = By::of(state)?;
        let length = (self.length.load(Ordering::Relaxed) as usize).min(MAX_OCTETS);
        let mut text: Vec<u8> = self
            .text
            .iter()
            .take(length.div_ceil(8))
            .flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes())
            .collect();
        text.truncate(length);
        // SYNC: pairs with the fence in `take`: a reader of a word of a later text sees another state.
        if !seeded(Mutation::NoPinReadFence) {
            fence(Ordering::Acquire);
        }
        let is_same = seeded(Mutation::PinUnchecked) || self.state.load(Ordering::Relaxed) == state;
        is_same.then_some((text, by, state))
    }

    fn has(&self, text: &[u8]) -> bool {
        self.read()
            .is_some_and(|(own, ..)| own.eq_ignore_ascii_case(text))
    }

    /// Changes the low bits of the state; false when it is not `from`.
    fn turn_to(&self, from: u64, to: u64) -> bool {
        let state = self.state.load(Ordering::Relaxed);
        let low = (1 << STATE_BITS) - 1;
        let next = ((state >> STATE_BITS) + 1) << STATE_BITS | to;
        // SYNC: pairs with the acquire in `read`.
        let order = ordering(Mutation::PinRelaxed, Ordering::AcqRel);
        state & low == from
            && self
                .state
                .compare_exchange(state, next, order, Ordering::Relaxed)
                .is_ok()
    }

    /// Notes who pins the name from now on. A pin of a command stays the command's.
    fn belongs_to(&self, by: By) {
        for other in [By::Option, By::File] {
            let _changed = by != other && self.turn_to(other.state(), by.state());
        }
    }

    fn release(&self) -> bool {
        let states = [BY_OPTION, BY_FILE, BY_COMMAND];
        states.iter().any(|state| self.turn_to(*state, EMPTY))
    }

    /// Puts a pin into an empty place. A process that is killed meanwhile costs the place.
    fn take(&self, text: &[u8], by: By) -> bool {
        if !self.turn_to(EMPTY, BUSY) {
            return false;
        }
        // SYNC: pairs with the fence in `read`.
        if !seeded(Mutation::NoPinFence) {
            fence(Ordering::Release);
        }
        self.length.store(text.len() as u32, Ordering::Relaxed);
        for (word, part) in self.text.iter().zip(text.chunks(8)) {
            let mut octets = [0; 8];
            for (octet, value) in octets.iter_mut().zip(part) {
                *octet = *value;
            }
            word.store(u64::from_ne_bytes(octets), Ordering::Relaxed);
        }
        self.whole.store(Whole::NotYet as u32, Ordering::Relaxed);
        for word in [&self.whole_ms, &self.failed_ms, &self.expires] {
            word.store(0, Ordering::Relaxed);
        }
        self.turn_to(BUSY, by.state())
    }

    fn note(&self, state: u64, found: &Found) {
        if self.state.load(Ordering::Relaxed) != state {
            return;
        }
        let now_ms = clock::monotonic_coarse_ms().max(1);
        self.whole.store(found.whole as u32, Ordering::Relaxed);
        if found.whole == Whole::Yes {
            self.whole_ms.store(now_ms, Ordering::Relaxed);
        }
        if let Some(failed) = found.failed {
            self.failure.store(failed.word(), Ordering::Relaxed);
            self.failed_ms.store(now_ms, Ordering::Relaxed);
        }
        let expires = found.expires.map_or(0, |tick| 1 << 32 | u64::from(tick));
        self.expires.store(expires, Ordering::Relaxed);
    }

    fn pin(&self) -> Option<Pin> {
        let (text, by, _) = self.read()?;
        let now_ms = clock::monotonic_coarse_ms();
        let ago_s = |word: &AtomicU64| match word.load(Ordering::Relaxed) {
            0 => None,
            ms => Some(now_ms.saturating_sub(ms) / 1000),
        };
        let expires = self.expires.load(Ordering::Relaxed);
        let failure = Failed::of(self.failure.load(Ordering::Relaxed));
        Some(Pin {
            text,
            by,
            whole: match self.whole.load(Ordering::Relaxed) {
                1 => Whole::Yes,
                2 => Whole::No,
                _ => Whole::NotYet,
            },
            whole_ago_s: ago_s(&self.whole_ms),
            failed: ago_s(&self.failed_ms).map(|ago_s| (failure, ago_s)),
            expires_in_s: (expires >> 32 != 0)
                .then(|| clock::seconds_until(expires as u32, clock::now_ticks())),
        })
    }
}

#[cfg(all(test, any(loom, miri)))]
#[path = "loom_pins.rs"]
mod loom_pins;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::host::shared;

    #[test]
    fn a_place_holds_one_text_after_another() {
        let place: &Place = shared::map();
        assert!(place.pin().is_none() && !place.release());
        for length in [0, 1, 8, MAX_OCTETS] {
            let text = vec![b'x'; length];
            assert!(place.take(&text, By::Option));
            assert!(!place.take(b"other", By::Command));
            let (own, by, state) = place.read().expect("it is pinned");
            assert_eq!((own, by), (text.clone(), By::Option));
            assert!(place.has(&text.to_ascii_uppercase()) && !place.has(b"y"));
            let failed = Failed {
                rtype: 33,
                was_said: true,
                is_absent: false,
            };
            let found = Found {
                whole: Whole::No,
                failed: Some(failed),
                expires: Some(7),
            };
            place.note(state, &found);
            let pin = place.pin().expect("it is pinned");
            assert_eq!((pin.whole, pin.whole_ago_s), (Whole::No, None));
            assert_eq!(pin.failed, Some((failed, 0)));
            assert!(place.release());
            // A note about the old text does not reach the next one.
            assert!(place.take(b"next", By::Command));
            place.note(state, &found);
            assert_eq!(place.pin().map(|pin| pin.whole), Some(Whole::NotYet));
            assert!(place.release());
        }
    }
}
