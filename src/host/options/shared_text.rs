//! A text that any process may replace while all others read it.
//!
//! There are a few places for the value, and a word that says which one is in use. A writer claims a place that is
//! not in use, fills it, and puts it into use with one compare-and-swap: of two writers at the same time both
//! write whole values, and the later one counts. Nobody waits for a writer that is stopped, nor for one that was
//! killed: the place that it had claimed is left alone while it lives and taken over afterwards.

use super::super::mutation::{Mutation, ordering, seeded};
use super::super::process;
use super::super::shared::Zeroed;
use super::super::sync::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
use super::MAX_STRING_OPTION;

/// Places: one in use, and as many writers less one at the same time.
const PLACES: usize = 8;
/// Looks for a free place before a writer gives up.
const ATTEMPTS: usize = 10_000;
/// Bits of [`SharedText::current`] that hold the number of a place.
const PLACE_BITS: u32 = 3;
const _: () = assert!(PLACES == 1 << PLACE_BITS);

/// The text; empty when zeroed.
#[repr(C)]
pub(crate) struct SharedText {
    places: [Place; PLACES],
    /// The place in use, and above it the number of replacements, so that no two values share a word.
    current: AtomicU32,
}

#[repr(C)]
struct Place {
    /// The process that fills it, see [`process::me`]; 0 = none.
    writer: AtomicU64,
    length: AtomicU32,
    octets: [AtomicU8; MAX_STRING_OPTION],
}

#[allow(unsafe_code, reason = "marks the type as fit for shared memory")]
// SAFETY: repr(C), arrays of atomics only.
unsafe impl Zeroed for SharedText {}

impl Place {
    fn copy(&self) -> Vec<u8> {
        let length = (self.length.load(Ordering::Relaxed) as usize).min(MAX_STRING_OPTION);
        let octets = self.octets.iter().take(length);
        octets.map(|octet| octet.load(Ordering::Relaxed)).collect()
    }

    fn fill(&self, value: &[u8]) {
        for (cell, octet) in self.octets.iter().zip(value) {
            cell.store(*octet, Ordering::Relaxed);
        }
        let length = value.len().min(MAX_STRING_OPTION) as u32;
        self.length.store(length, Ordering::Relaxed);
    }
}

impl SharedText {
    /// The value.
    pub(crate) fn load(&self) -> Vec<u8> {
        loop {
            // SYNC: pairs with the release in `publish`: the place is filled.
            let order = ordering(Mutation::TextReadRelaxed, Ordering::Acquire);
            let before = self.current.load(order);
            let value = self.in_use(before).map_or_else(Vec::new, Place::copy);
            // SYNC: pairs with the fence in `claim`: a reader of an octet of a later value sees another word.
            if !seeded(Mutation::NoTextFence) {
                fence(Ordering::Acquire);
            }
            if seeded(Mutation::TextUnchecked) || self.current.load(Ordering::Relaxed) == before {
                return value;
            }
        }
    }

    /// Replaces the value, whose length has to fit; false when other writers have claimed all places and none of
    /// them gets on.
    #[must_use]
    pub(crate) fn store(&self, value: &[u8]) -> bool {
        let me = process::me();
        for attempt in 0..ATTEMPTS {
            if let Some((index, place)) = self.claim(me, attempt > 0) {
                place.fill(value);
                self.publish(index as u32);
                // Not in use any more, it is free from here on.
                let order = ordering(Mutation::PlaceFreedRelaxed, Ordering::Release);
                place.writer.store(0, order);
                return true;
            }
            std::thread::yield_now();
        }
        false
    }

    fn in_use(&self, word: u32) -> Option<&Place> {
        self.places.get(word as usize % PLACES)
    }

    /// A place that this thread alone may fill.
    fn claim(&self, me: u64, also_of_the_dead: bool) -> Option<(usize, &Place)> {
        self.places.iter().enumerate().find(|(index, place)| {
            let writer = place.writer.load(Ordering::Relaxed);
            let free = writer == 0 || also_of_the_dead && !process::is_alive(writer);
            if !free || self.is_in_use(*index) {
                return false;
            }
            let taken = ordering(Mutation::PlaceTakenRelaxed, Ordering::Acquire);
            let failed = Ordering::Relaxed;
            if place
                .writer
                .compare_exchange(writer, me, taken, failed)
                .is_err()
            {
                return false;
            }
            // The place's writer may have put it into use just before.
            if !seeded(Mutation::PlaceUnchecked) && self.is_in_use(*index) {
                // SYNC: who takes the place next has to see, too, that it is in use.
                let order = ordering(Mutation::PlaceGivenUpRelaxed, Ordering::Release);
                place.writer.store(0, order);
                return false;
            }
            // SYNC: pairs with the fence in `load`: the word that was seen comes before what is written now.
            if !seeded(Mutation::NoClaimFence) {
                fence(Ordering::Release);
            }
            true
        })
    }

    fn is_in_use(&self, index: usize) -> bool {
        self.current.load(Ordering::Acquire) as usize % PLACES == index
    }

    fn publish(&self, index: u32) {
        // SYNC: pairs with the acquire in `load`.
        let order = ordering(Mutation::TextRelaxed, Ordering::AcqRel);
        let _always_done = self
            .current
            .fetch_update(order, Ordering::Relaxed, |before| {
                let number = (before >> PLACE_BITS).wrapping_add(1);
                Some(number << PLACE_BITS | index)
            });
    }
}

#[cfg(all(test, any(loom, miri)))]
#[path = "loom_text.rs"]
mod loom_text;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::super::shared::map;
    use super::*;

    #[test]
    fn values_replace_each_other() {
        let text = map::<SharedText>();
        assert_eq!(text.load(), b"");
        for length in (0..=MAX_STRING_OPTION).chain([3, 0, 7]) {
            let value = vec![b'x'; length];
            assert!(text.store(&value));
            assert_eq!(text.load(), value);
        }
    }

    #[test]
    fn places_of_the_living_stay_theirs_and_those_of_the_dead_are_taken_over() {
        let text = map::<SharedText>();
        let dead = process::me() ^ 1;
        for place in &text.places[1..] {
            place.writer.store(process::me(), Ordering::Relaxed);
        }
        assert!(!text.store(b"no place"));
        assert_eq!(text.load(), b"");
        text.places[5].writer.store(dead, Ordering::Relaxed);
        assert!(text.store(b"one"));
        assert_eq!(text.load(), b"one");
        assert!(text.store(b"two"), "the first place is free now");
        assert_eq!(text.load(), b"two");
    }

    /// Two processes write as fast as they can; the reader sees whole values only, and both.
    #[test]
    #[cfg_attr(miri, ignore = "processes")]
    #[allow(unsafe_code, reason = "fork and kill")]
    fn values_of_several_processes_are_never_mixed() {
        let text = map::<SharedText>();
        let children = [b'a', b'b'].map(|letter| {
            // SAFETY: the child works on the shared text alone until it is killed.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: ends the child should nobody else do it.
                unsafe { libc::alarm(60) };
                let value = [letter; MAX_STRING_OPTION - 10];
                loop {
                    let _ = text.store(&value);
                }
            }
            child
        });
        let mut seen = [0_u32; 2];
        let (mut reads, mut mixed) = (0_u32, 0);
        // So long that the system lets each of them run, however few processors there are.
        while reads < 20_000 || seen.contains(&0) {
            let value = text.load();
            reads += 1;
            match value.first() {
                None => {}
                Some(&first) => {
                    mixed += u32::from(value.iter().any(|&octet| octet != first));
                    seen[usize::from(first - b'a')] += 1;
                }
            }
            if reads > 20_000 {
                std::thread::yield_now();
            }
        }
        for child in children {
            let mut status = 0;
            // SAFETY: a child made above.
            unsafe { libc::kill(child, libc::SIGKILL) };
            // SAFETY: as above.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
        }
        assert_eq!(mixed, 0, "of {reads} values");
        assert!(text.store(b"killed writers are in nobody's way"));
    }
}
