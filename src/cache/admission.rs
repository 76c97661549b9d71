//! The new names that a full cache takes in, and for how long.
//!
//! A walk over more names than the cache holds, and over again, finds nothing if each new name takes the place of the
//! one that was unused longest: that is the name the walk asks for next. So where the memory is full, a name that is
//! asked for the first time takes the place of the last such name: a few places of each size are for such guests, and
//! all others stay. Two things let a name out of these places. A guest that is looked up is in use, and stays. A name
//! that is asked for again after it had to go gets room like any other: a few bits of its hash are kept for that. So
//! names that were asked for once do not fill the cache.
//!
//! Places and bits are hints under the writer lock. A step that a killed writer leaves undone costs an entry at most,
//! and a word that may be out of date is checked before it is used.

#![allow(unsafe_code, reason = "marks its type as fit for shared memory")]

use crate::host::random;
use crate::rr::RecordType;
use crate::shm::pages::{BlockId, CLASSES};
use crate::shm::region::ShmSafe;
use crate::shm::sync::{AtomicU32, Ordering};

use super::hash::NameHash;

/// Places of each block size for names that are asked for the first time: as many as one answer with its additional
/// records brings in most cases.
const GUESTS: usize = 16;
/// Words in which names are remembered, two in each: about as many as half a megabyte holds.
const WORDS: usize = 1024;
/// So many last bits of a name's hash are remembered that another name hardly ever passes for it.
const MARK_BITS: u32 = 16;
const MARK: u32 = (1 << MARK_BITS) - 1;

/// In the control block.
#[repr(C)]
pub(super) struct Admission {
    /// The blocks of the guests of each size, 0 = none; in turn.
    guests: [[AtomicU32; GUESTS]; CLASSES],
    /// The number of the guest whose place is taken next.
    turn: [AtomicU32; CLASSES],
    /// Names that found no room, at a word that their hash says; 0 = none.
    remembered: [AtomicU32; WORDS],
}

// SAFETY: repr(C), atomics only, zero is no guest and nothing remembered.
unsafe impl ShmSafe for Admission {}

/// For whom room is wanted.
#[derive(Clone, Copy)]
pub(super) enum Claim {
    /// An entry for a call alone, or another without a name of its own.
    Call,
    /// A name in use, or an operator's entry.
    InUse,
    /// A name and type that the cache does not have.
    New(u64),
    /// A name and type that the cache does not have, but that somebody asked for before.
    Again,
}

impl Claim {
    /// For what is not in the cache.
    pub(super) fn new(hash: NameHash, rtype: RecordType) -> Self {
        Self::New(hash.wide(rtype.0.into()))
    }
}

impl Admission {
    /// The claim of who finds no room: that of a new name becomes [`Claim::Again`] if it is remembered, and is
    /// remembered from now on.
    pub(super) fn look_back(&self, claim: Claim) -> Claim {
        let Claim::New(hash) = claim else {
            return claim;
        };
        let Some(word) = self.remembered.get(hash as usize % WORDS) else {
            return claim;
        };
        let mark = ((hash >> 32) as u32 & MARK).max(1);
        let both = word.load(Ordering::Relaxed);
        if both & MARK == mark || both >> MARK_BITS == mark {
            return Claim::Again;
        }
        // A draw says which of the two is forgotten, so that names that are asked for in turn do not have each other
        // forgotten for ever.
        let new = match random::quick_u32() & 1 {
            0 => both & !MARK | mark,
            _ => both & MARK | mark << MARK_BITS,
        };
        word.store(new, Ordering::Relaxed);
        claim
    }

    /// The block that was the next guest's of this size, 0 = none; whose it is now has to be looked at.
    pub(super) fn next_guest(&self, class: usize) -> BlockId {
        self.guest_place(class)
            .map_or(0, |place| place.load(Ordering::Relaxed))
    }

    /// A guest has come.
    pub(super) fn welcome(&self, class: usize, block: BlockId) {
        if let Some(place) = self.guest_place(class) {
            place.store(block, Ordering::Relaxed);
        }
        if let Some(turn) = self.turn.get(class) {
            let next = turn.load(Ordering::Relaxed).wrapping_add(1);
            turn.store(next, Ordering::Relaxed);
        }
    }

    fn guest_place(&self, class: usize) -> Option<&AtomicU32> {
        let turn = self.turn.get(class)?.load(Ordering::Relaxed) as usize;
        self.guests.get(class)?.get(turn % GUESTS)
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::Cache;
    use super::*;

    fn is_again(admission: &Admission, hash: u64) -> bool {
        matches!(admission.look_back(Claim::New(hash)), Claim::Again)
    }

    #[test]
    fn a_name_is_remembered_when_it_finds_no_room() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let admission = &cache.header.admission;
        let hash = |mark: u64, word: u64| mark << 32 | word;
        // Two names that share a word, one whose bits are all zero, and one of another word.
        for name in [
            hash(7, 3),
            hash(0, 5),
            hash(7, 4),
            hash(0x1234_5678, 1 << 20),
        ] {
            assert!(!is_again(admission, name), "{name:x}");
            for _ in 0..9 {
                assert!(is_again(admission, name), "{name:x}");
            }
        }
        // What lies above the bits that are kept tells no names apart.
        assert!(is_again(admission, hash(0xffff_0007, 3)) && !is_again(admission, hash(8, 3)));
        // Names in use and entries of a call ask for nothing.
        for _ in 0..2 {
            assert!(matches!(admission.look_back(Claim::InUse), Claim::InUse));
            assert!(matches!(admission.look_back(Claim::Call), Claim::Call));
            assert!(matches!(admission.look_back(Claim::Again), Claim::Again));
        }
    }

    #[test]
    fn two_names_of_a_word_are_remembered_beside_each_other() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let admission = &cache.header.admission;
        let mut both = 0;
        for word in 0..WORDS as u64 {
            let [one, other] = [0x1234_u64, 0xfedc].map(|mark| mark << 32 | word);
            assert!(!is_again(admission, one) && !is_again(admission, other));
            assert!(is_again(admission, other));
            both += usize::from(is_again(admission, one));
        }
        // A draw says which place a name takes: the same one in half the words.
        assert!((WORDS / 3..WORDS * 2 / 3).contains(&both), "{both}");
        let kept = admission
            .remembered
            .iter()
            .map(|word| word.load(Ordering::Relaxed));
        let marks = kept.flat_map(|word| [word & MARK, word >> MARK_BITS]);
        assert!(
            marks
                .into_iter()
                .all(|mark| [0, 0x1234, 0xfedc].contains(&mark))
        );
    }

    #[test]
    fn guests_of_each_size_take_turns() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let admission = &cache.header.admission;
        for round in 0..3 {
            for number in 0..GUESTS as u32 {
                for class in 0..CLASSES {
                    let block = |round: u32| 1 + number + 1000 * round + 100_000 * class as u32;
                    let before = if round == 0 { 0 } else { block(round - 1) };
                    assert_eq!(admission.next_guest(class), before);
                    admission.welcome(class, block(round));
                }
            }
        }
        assert_eq!(admission.next_guest(CLASSES), 0);
        admission.welcome(CLASSES, 5);
    }
}
