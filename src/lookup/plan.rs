//! The plan of the refresher: which entries are fetched anew, and when. The entry that ends first goes first.
//!
//! The table is looked through a part at a time, so that neither a timer nor a thread is held up; one round of it takes
//! a quarter of a second, or longer where the cache is large. The findings of a round take the place of those before:
//! nothing is forgotten, for an entry that was not fetched yet is found again. Notes of those who use entries that end
//! soon come between.
//!
//! Entries that have been over for a while go behind all others: their servers do not answer, and trying again must not
//! take the place of a name whose servers do.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::cache::Cache;
use crate::cache::due::Upcoming;
use crate::host::clock::TICKS_PER_S;
use crate::host::options::{self, ExtraOpt};

/// Buckets looked through at a time: some milliseconds where the table is full and memory is slow.
const PART: usize = 4096;
/// Least time from the beginning of a round to that of the next, ticks.
const ROUND: u32 = TICKS_PER_S / 4;
/// An entry that expired longer ago than this goes behind the others, ticks.
const LATE: u32 = 2 * TICKS_PER_S;
/// A round looks ahead as far as two of its kind take, at most so far, ticks.
const MAX_AHEAD: u32 = 60 * TICKS_PER_S;

/// The entries that are to be fetched anew.
#[derive(Debug, Default)]
pub(super) struct Plan {
    soon: Heap,
    late: Heap,
    /// The entries that the round under way has found.
    found: Vec<Upcoming>,
    round: Option<Round>,
    /// When the last round began, and how long it took.
    began: Option<(u32, u32)>,
    /// The tick that order counts from.
    base: u32,
}

type Heap = BinaryHeap<Reverse<(i32, Item)>>;

/// An [`Upcoming`] in a heap, whose order it does not concern.
#[derive(Debug)]
struct Item(Upcoming);

impl PartialEq for Item {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Item {}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Item {
    fn cmp(&self, _other: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

/// A round through the table.
#[derive(Clone, Copy, Debug)]
struct Round {
    began: u32,
    next: usize,
}

impl Plan {
    /// Goes on with the round through the table, or begins one when it is time.
    pub(super) fn look(&mut self, cache: &Cache, now: u32) {
        if self.round.is_none() && !self.is_time(now) {
            return;
        }
        self.look_on(cache, now);
    }

    /// Goes once through the whole table.
    pub(super) fn look_through(&mut self, cache: &Cache, now: u32) {
        self.round = None;
        self.found.clear();
        while {
            self.look_on(cache, now);
            self.round.is_some()
        } {}
    }

    fn is_time(&self, now: u32) -> bool {
        self.began
            .is_none_or(|(began, _)| now.wrapping_sub(began) >= ROUND)
    }

    fn look_on(&mut self, cache: &Cache, now: u32) {
        if options::extra(ExtraOpt::RefreshAhead) == 0 {
            // Names are fetched anew when somebody notes them, once a second; older notes only take room.
            self.round = None;
            self.begin(now, 0);
            return;
        }
        let round = self.round.unwrap_or(Round {
            began: now,
            next: 0,
        });
        let took = self.began.map_or(ROUND, |(_, took)| took.max(ROUND));
        let ahead = took.saturating_mul(2).min(MAX_AHEAD);
        let found = &mut self.found;
        let next = cache.survey((round.next, PART), (now, ahead), &mut |entry| {
            found.push(entry);
        });
        self.round = next.map(|next| Round { next, ..round });
        if self.round.is_none() {
            self.begin(round.began, now.wrapping_sub(round.began));
            for upcoming in std::mem::take(&mut self.found) {
                self.add(upcoming, now);
            }
        }
    }

    /// Forgets what was planned; the new plan is that of a round of `took` ticks from `began` on.
    fn begin(&mut self, began: u32, took: u32) {
        self.began = Some((began, took));
        self.base = began.wrapping_add(took);
        self.soon.clear();
        self.late.clear();
    }

    /// Adds what somebody noted.
    pub(super) fn add(&mut self, upcoming: Upcoming, now: u32) {
        let over = now.wrapping_sub(upcoming.expire) as i32;
        let is_late = over > LATE as i32;
        let heap = if is_late {
            &mut self.late
        } else {
            &mut self.soon
        };
        // The entry that waits for its time longest goes first; of those that are over, the one that ended last.
        let place = if is_late {
            over
        } else {
            upcoming.due.wrapping_sub(self.base) as i32
        };
        heap.push(Reverse((place, Item(upcoming))));
    }

    /// The entry that is to be fetched now.
    pub(super) fn next(&mut self, now: u32) -> Option<Upcoming> {
        let reached = now.wrapping_sub(self.base) as i32;
        let is_due = self
            .soon
            .peek()
            .is_some_and(|Reverse((due, _))| *due <= reached);
        let heap = if is_due {
            &mut self.soon
        } else {
            &mut self.late
        };
        heap.pop().map(|Reverse((_, Item(upcoming)))| upcoming)
    }
}

/// A budget of queries a second (`dns_refresh_rate`).
#[derive(Debug, Default)]
pub(super) struct Budget {
    left: f64,
    at_ms: Option<u64>,
}

impl Budget {
    /// How many queries may be sent now.
    pub(super) fn left(&mut self, now_ms: u64) -> usize {
        let rate = f64::from(options::extra(ExtraOpt::RefreshRate));
        let since_ms = self
            .at_ms
            .replace(now_ms)
            .map(|at| now_ms.saturating_sub(at));
        // The rate of a quarter of a second that was not used is lost: a burst helps nobody.
        let most = (rate / 4.0).max(1.0);
        self.left = match since_ms {
            Some(ms) => (self.left + rate * ms as f64 / 1000.0).min(most),
            None => most,
        };
        self.left as usize
    }

    pub(super) fn spend(&mut self, queries: usize) {
        self.left -= queries as f64;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::rr::RecordType;

    fn entry(number: u32, due: u32, expire: u32) -> Upcoming {
        Upcoming {
            number,
            qtype: RecordType::A,
            due,
            expire,
        }
    }

    #[test]
    fn what_is_due_first_goes_first_and_what_is_long_over_goes_last() {
        let now = u32::MAX - 10;
        let mut plan = Plan {
            base: now,
            ..Plan::default()
        };
        plan.add(entry(1, now.wrapping_sub(900), now.wrapping_sub(800)), now);
        plan.add(entry(2, now.wrapping_sub(5), now.wrapping_add(30)), now);
        plan.add(entry(3, now.wrapping_add(20), now.wrapping_add(60)), now);
        plan.add(entry(4, now.wrapping_sub(9), now.wrapping_sub(1)), now);
        plan.add(entry(5, now.wrapping_sub(200), now.wrapping_sub(100)), now);
        let numbers = |plan: &mut Plan, now| {
            std::iter::from_fn(|| plan.next(now))
                .map(|upcoming| upcoming.number)
                .collect::<Vec<_>>()
        };
        assert_eq!(numbers(&mut plan, now), [4, 2, 5, 1]);
        assert_eq!(numbers(&mut plan, now.wrapping_add(20)), [3]);
    }

    #[test]
    fn the_budget_is_spent_and_comes_back() {
        let mut budget = Budget::default();
        let first = budget.left(1000);
        assert!(first > 0);
        budget.spend(first);
        assert_eq!(budget.left(1000), 0);
        assert!(budget.left(1050) > 0);
        assert_eq!(budget.left(60_000), first);
    }
}
