//! Lines of the log that one process says for all, and not again and again.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::clock;
use super::shared::{Shared, shared_struct};

/// The subject of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Subject {
    /// A name could not be looked up.
    LookupFailed,
    /// The cache had no room for a record.
    CacheFull,
    /// Records that have expired are served.
    Stale,
    /// The snapshot could not be written.
    NotSaved,
    /// Calls gave up because too many waited.
    GivenUp,
}

impl Subject {
    /// Least time between two lines, ms.
    const fn interval_ms(self) -> u64 {
        match self {
            Self::LookupFailed => 10_000,
            Self::GivenUp => 60_000,
            Self::CacheFull | Self::Stale | Self::NotSaved => 600_000,
        }
    }
}

/// Nothing of an episode has happened for this long when it is said to be over, ms.
const QUIET_MS: u64 = 30_000;

const SUBJECTS: usize = Subject::GivenUp as usize + 1;

shared_struct! {
struct Cell {
    /// When the last line was written, ms; 0 = never.
    said_ms: AtomicU64,
    /// Number of events since then without a line.
    unsaid: AtomicU32,
    /// Of an episode: when it was said to have begun, ms; 0 = there is none.
    begun_ms: AtomicU64,
    /// When something of it happened last, ms.
    last_ms: AtomicU64,
}
}

static CELLS: Shared<[Cell; SUBJECTS]> = Shared::new();

/// Maps the memory; before fork.
pub(crate) fn prepare() {
    CELLS.get();
}

/// For the one process that may write a line now: how often the same has happened since the last one, over all
/// processes.
pub(crate) fn may_say(subject: Subject) -> Option<u32> {
    let cell = CELLS.get().get(subject as usize)?;
    cell.may_say(clock::monotonic_coarse_ms(), subject.interval_ms())
}

/// As [`may_say`], for what has an end, too: see [`is_over`].
pub(crate) fn may_say_begins(subject: Subject) -> Option<u32> {
    let cell = CELLS.get().get(subject as usize)?;
    cell.may_say_begins(clock::monotonic_coarse_ms(), subject.interval_ms())
}

/// For the one process that may say that an episode is over: how long ago it was said to have begun, s, and how often
/// it has happened since the last line.
pub(crate) fn is_over(subject: Subject) -> Option<(u64, u32)> {
    let cell = CELLS.get().get(subject as usize)?;
    cell.is_over(clock::monotonic_coarse_ms())
}

impl Cell {
    fn may_say_begins(&self, now_ms: u64, interval_ms: u64) -> Option<u32> {
        self.last_ms.store(now_ms, Ordering::Relaxed);
        let others = self.may_say(now_ms, interval_ms)?;
        let now_ms = now_ms.max(1);
        // Where it goes on the beginning stays.
        let _before =
            self.begun_ms
                .compare_exchange(0, now_ms, Ordering::Relaxed, Ordering::Relaxed);
        Some(others)
    }

    fn is_over(&self, now_ms: u64) -> Option<(u64, u32)> {
        let begun_ms = self.begun_ms.load(Ordering::Relaxed);
        let quiet_ms = now_ms.saturating_sub(self.last_ms.load(Ordering::Relaxed));
        if begun_ms == 0 || quiet_ms < QUIET_MS {
            return None;
        }
        self.begun_ms
            .compare_exchange(begun_ms, 0, Ordering::Relaxed, Ordering::Relaxed)
            .ok()?;
        let unsaid = self.unsaid.swap(0, Ordering::Relaxed);
        Some((now_ms.saturating_sub(begun_ms) / 1000, unsaid))
    }

    fn may_say(&self, now_ms: u64, interval_ms: u64) -> Option<u32> {
        let said_ms = self.said_ms.load(Ordering::Relaxed);
        let is_due = said_ms == 0 || now_ms.saturating_sub(said_ms) >= interval_ms;
        let is_first = || {
            self.said_ms
                .compare_exchange(said_ms, now_ms.max(1), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        };
        if is_due && is_first() {
            return Some(self.unsaid.swap(0, Ordering::Relaxed));
        }
        self.unsaid.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::shared;

    #[test]
    fn one_line_and_then_a_count() {
        let cell: &Cell = shared::map();
        assert_eq!(cell.may_say(0, 100), Some(0));
        assert_eq!(cell.may_say(5, 100), None);
        assert_eq!(cell.may_say(100, 100), None);
        assert_eq!(cell.may_say(101, 100), Some(2));
        assert_eq!(cell.may_say(102, 100), None);
    }

    #[test]
    fn an_episode_begins_and_ends_with_a_line() {
        let cell: &Cell = shared::map();
        assert_eq!(cell.is_over(1_000_000), None);
        assert_eq!(cell.may_say_begins(1000, 600_000), Some(0));
        assert_eq!(cell.may_say_begins(20_000, 600_000), None);
        assert_eq!(cell.is_over(49_999), None);
        // The episode goes on.
        assert_eq!(cell.may_say_begins(49_999, 600_000), None);
        assert_eq!(cell.is_over(50_000), None);
        assert_eq!(cell.is_over(80_000), Some((79, 2)));
        assert_eq!(cell.is_over(900_000), None);
        // Again, too soon for a line: then its end has none either.
        assert_eq!(cell.may_say_begins(100_000, 600_000), None);
        assert_eq!(cell.is_over(200_000), None);
        assert_eq!(cell.may_say_begins(700_000, 600_000), Some(1));
        assert_eq!(cell.is_over(730_000), Some((30, 0)));
    }
}
