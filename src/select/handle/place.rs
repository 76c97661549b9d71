//! Progress in stored order, kept in the handle.
//!
//! Without weights the seed of a search is 0. The seed's place in the handle then has the places of the record in use
//! and of the next, so that a further step need not look for them. Positions stay what counts: code that moves a
//! position in another way forgets the places.

use crate::cache::{EntryRef, SrvPlace};
use crate::select::Position;

/// Set in a seed that is none, but progress.
const MARK: u32 = 1 << 31;
/// Set in a seed that is none, but the number of a call that begins in turn with each address of a set.
const TURN: u32 = 1 << 30;
const NEXT_SHIFT: u32 = SrvPlace::NUMBERS.trailing_zeros();
const _: () = assert!(SrvPlace::NUMBERS.is_power_of_two() && 2 * NEXT_SHIFT < 30);

/// The record in use, and the next in stored order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) current: SrvPlace,
    pub(super) next: Option<SrvPlace>,
}

impl Progress {
    /// The progress of a search that uses the record at a place of an entry.
    #[inline]
    pub(super) fn at(entry: &EntryRef, current: SrvPlace) -> Self {
        Self {
            current,
            next: entry.next_srv_place(current),
        }
    }

    /// As it stands in a handle that holds the entry.
    #[inline]
    pub(super) fn word(self) -> u32 {
        let next = self.next.map_or(0, SrvPlace::number);
        let current = self.current.number();
        Kept { current, next }.word()
    }
}

/// Progress as a handle has it. The handle is the caller's memory: what was kept of one entry may stand beside
/// another, and anything may have been written there, so [`EntryRef::kept_srv_place`] looks at each number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Number of the place of the record in use.
    pub(super) current: u16,
    /// Number of the place of the next, 0 = none.
    pub(super) next: u16,
}

impl Kept {
    #[inline]
    fn word(self) -> u32 {
        MARK | u32::from(self.next) << NEXT_SHIFT | u32::from(self.current)
    }
}

/// A seed as a caller chose it, without what would make it look like something else; stays 0 or not 0.
#[inline]
#[must_use]
pub fn usable_seed(seed: u32) -> u32 {
    match seed & !(MARK | TURN) {
        0 => u32::from(seed != 0),
        seed => seed,
    }
}

/// The value in the place of a seed for a call with that number.
#[inline]
#[must_use]
pub fn turn(number: u32) -> u32 {
    number & !MARK | TURN
}

/// The number of a call, given what stands in the place of its seed.
#[inline]
pub(super) fn number_of(start: u32) -> Option<usize> {
    (start & TURN != 0).then_some((start & !TURN) as usize)
}

impl Position {
    /// Seed of the weighted order, 0 = stored order.
    #[must_use]
    #[inline]
    pub fn seed(&self) -> u32 {
        match self.tried as u32 {
            word if word >= TURN => 0,
            seed => seed,
        }
    }

    /// Decides where calls begin in sets of addresses: a seed, or the number of a call, see [`turn`]. 0 = in stored
    /// order.
    #[must_use]
    #[inline]
    pub fn start(&self) -> u32 {
        match self.tried as u32 {
            word if word & MARK != 0 => 0,
            start => start,
        }
    }

    /// Hash of the NAPTR owner name, 0 = not reached through NAPTR.
    #[must_use]
    #[inline]
    pub fn naptr_hash(&self) -> u32 {
        (self.tried >> 32) as u32
    }

    /// Keeps progress in the entry that is held, as a word.
    #[inline]
    pub(super) fn keep(&mut self, progress: u32) {
        self.tried = self.tried & !u64::from(u32::MAX) | u64::from(progress);
    }

    /// Progress, if it was kept.
    #[inline]
    pub(super) fn progress(&self) -> Option<Kept> {
        let word = self.tried as u32;
        let number = |word: u32| (word & u32::from(SrvPlace::NUMBERS - 1)) as u16;
        (word & MARK != 0).then(|| Kept {
            current: number(word),
            next: number(word >> NEXT_SHIFT),
        })
    }

    /// Has positions alone count; to be called before any of them, or the entry, is changed.
    #[inline]
    pub(super) fn forget_progress(&mut self) {
        self.tried = self.tried & !u64::from(u32::MAX) | u64::from(self.start());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_give_back_what_they_were_made_of() {
        let mut position = Position {
            tried: 0x1234_5678 << 32,
            ..Position::default()
        };
        assert_eq!(position.progress(), None);
        for current in [0, 1, 8190, 8191] {
            for next in [0, 1, 8191] {
                let kept = Kept { current, next };
                position.keep(kept.word());
                assert_eq!(position.progress(), Some(kept));
                assert_eq!((position.seed(), position.naptr_hash()), (0, 0x1234_5678));
            }
        }
        position.forget_progress();
        assert_eq!(position.tried, 0x1234_5678 << 32);
    }

    #[test]
    fn seeds_are_not_taken_for_progress() {
        for seed in [1, 5, MARK - 1, MARK, MARK | 1, u32::MAX] {
            let position = Position {
                tried: usable_seed(seed).into(),
                ..Position::default()
            };
            assert_ne!(position.seed(), 0);
            assert_eq!(position.progress(), None);
        }
        assert_eq!(usable_seed(0), 0);
    }
}
