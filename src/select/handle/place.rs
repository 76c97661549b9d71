//! Progress in stored order, kept in the handle.
//!
//! Without weights the seed of a search is 0. Its place in the handle then has the places of the record in use and of
//! the next, so that a further step need not look for them. Positions count all the same: whoever moves them
//! otherwise forgets the places.

use crate::cache::{EntryRef, SrvPlace};
use crate::select::Position;

/// Set in a seed that is none, but progress.
const MARK: u32 = 1 << 31;
const NEXT_SHIFT: u32 = SrvPlace::NUMBERS.trailing_zeros();
const _: () = assert!(SrvPlace::NUMBERS.is_power_of_two() && 2 * NEXT_SHIFT < 31);

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
        let next = self.next.map_or(0, |next| u32::from(next.number()));
        MARK | next << NEXT_SHIFT | u32::from(self.current.number())
    }
}

/// A seed as a caller chose it, without what would make it look like progress; stays 0 or not 0.
#[inline]
#[must_use]
pub fn usable_seed(seed: u32) -> u32 {
    match seed & !MARK {
        0 => u32::from(seed != 0),
        seed => seed,
    }
}

impl Position {
    /// Seed of the weighted order, 0 = stored order.
    #[must_use]
    #[inline]
    pub fn seed(&self) -> u32 {
        match self.tried as u32 {
            word if word & MARK != 0 => 0,
            seed => seed,
        }
    }

    /// Hash of the NAPTR owner name, 0 = not reached through NAPTR.
    #[must_use]
    #[inline]
    pub fn naptr_hash(&self) -> u32 {
        (self.tried >> 32) as u32
    }

    /// Keeps progress in the entry that is held.
    #[inline]
    pub(super) fn keep(&mut self, progress: Progress) {
        self.tried = self.tried & !u64::from(u32::MAX) | u64::from(progress.word());
    }

    /// Progress, if it was kept.
    #[inline]
    pub(super) fn progress(&self) -> Option<Progress> {
        let word = self.tried as u32;
        if word & MARK == 0 {
            return None;
        }
        let number = |word: u32| (word & u32::from(SrvPlace::NUMBERS - 1)) as u16;
        // Kept of the entry that the handle holds: another takes its place only in searches that begin anew or
        // forget progress before.
        let next = match number(word >> NEXT_SHIFT) {
            0 => None,
            next => Some(SrvPlace::from_number(next)),
        };
        Some(Progress {
            current: SrvPlace::from_number(number(word)),
            next,
        })
    }

    /// Has positions alone count; to be called before any of them, or the entry, is changed.
    #[inline]
    pub(super) fn forget_progress(&mut self) {
        self.tried = self.tried & !u64::from(u32::MAX) | u64::from(self.seed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_give_back_what_they_were_made_of() {
        let place = SrvPlace::from_number;
        let mut position = Position {
            tried: 0x1234_5678 << 32,
            ..Position::default()
        };
        assert_eq!(position.progress(), None);
        for current in [0, 1, 8190, 8191] {
            for next in [None, Some(1), Some(8191)] {
                let progress = Progress {
                    current: place(current),
                    next: next.map(place),
                };
                position.keep(progress);
                assert_eq!(position.progress(), Some(progress));
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
