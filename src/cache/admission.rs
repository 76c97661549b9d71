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
