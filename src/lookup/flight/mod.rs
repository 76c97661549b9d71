//! One query for all who want its answer, whatever process they are in.
//!
//! A table in shared memory says which questions are being asked ([`crate::cache::claim`]). An asker claims the slot of
//! its question first. Whoever finds the slot claimed waits for the answer. The table saves queries, and locks nothing:
//! after the time that answers usually take a second process asks as well. A question has two askers at most, the
//! refresher among them, and the first answer ends the question for all. Where two questions under way fall on one
//! slot, the later one is asked without the table.
//!
//! **Nobody sends a query for which one was sent within the usual time**, so a server that is down, or answers less the
//! more it is asked, sees no crowd. An asker sends its query again after that time by itself, so the second asker
//! begins when the second packet, too, had its time. Behind the refresher, which may not come to storing its answer,
//! the second asker waits for one packet alone. In the place of a first asker that is dead or stopped the next one asks
//! at once, for nobody reads that answer. A later asker that dies is replaced after the usual time, so askers that die
//! in a row make no crowd.
//!
//! Each claim ends with its owner's query. After that the claim counts like one of a dead process.
//!
//! Answers go through the cache. An answer that the cache does not keep (TTL 0, no room, a failure that is not
//! remembered) stands in the slot as long as somebody waits: an error as its number, an entry as its number with a
//! reference parked for it.

mod claim;
mod terms;
mod verdict;

use std::collections::HashSet;

use crate::cache::claim::{Open, SEATS, Seen, Slot, Use};
use crate::cache::{Cache, HashedName};
use crate::host::metrics::{self, Metric};
use crate::host::mutation::{Mutation, seeded};
use crate::host::shared::Shared;
use crate::host::{clock, futex};
use crate::resolver;
use crate::rr::RecordType;

use super::crowd::{self, InCrowd};
pub(super) use claim::{Claim, Right, beside_elder};
use claim::{is_asking, is_held_here};
pub(super) use terms::Terms;
pub(super) use verdict::Verdict;
use verdict::{unpark, verdict_in};

/// Questions fall on slots by their key: many more slots than there are workers.
const SLOTS: usize = 4096;
/// How often a waiter looks whether the askers go on, ms.
const CHECK_MS: u64 = 50;
/// How often the time before the next caller asks is doubled.
const MOST_DOUBLINGS: u32 = 3;

static TABLE: Shared<[Slot; SLOTS]> = Shared::new();

/// The key of a question for an absolute name.
pub(super) fn key_of(cache: &Cache, name: &HashedName<'_>, qtype: RecordType) -> u64 {
    cache.question_key(name, qtype, true)
}

/// The key of the walk of a search list for a relative name; `link` is the type under which its result is kept.
pub(super) fn key_of_walk(cache: &Cache, name: &HashedName<'_>, link: RecordType) -> u64 {
    cache.question_key(name, link, false)
}

/// The key of what a lookup finds: that of the question for an absolute name.
pub(super) fn key_of_lookup(
    cache: &Cache,
    name: &HashedName<'_>,
    absolute: bool,
    qtype: RecordType,
) -> u64 {
    match absolute || cache.list_in_force().is_none() {
        true => key_of(cache, name, qtype),
        false => key_of_walk(cache, name, qtype),
    }
}

/// Maps the table; before fork.
pub(super) fn prepare() {
    TABLE.get();
}

/// A question, as others see that it is being asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight(Open<'static>);

/// Whether a question may be asked.
#[derive(Debug)]
pub(super) enum Attempt {
    /// By the caller, who has the claim.
    Claimed(Claim),
    /// Another asks the question.
    Busy(Flight),
    /// By the caller, without a claim.
    Alone,
}

/// How waiting ended.
#[derive(Debug)]
pub(super) enum Waited {
    /// The question was answered. The verdict counts where the cache has nothing.
    Over(Option<Verdict>),
    /// The caller may ask the question, too.
    Joined(Claim),
    /// The question failed the last time, and another asks it now: no further asker is allowed.
    LeftToAnother,
    /// The time is over.
    TimedOut,
    /// Too many wait, and the caller is to give up.
    GivenUp,
}

fn slot_of(key: u64) -> Option<&'static Slot> {
    TABLE.get().get(key as usize % SLOTS)
}

/// Claims a question, or says who has.
pub(super) fn attempt(cache: &Cache, key: u64, terms: Terms) -> Attempt {
    let Some(slot) = slot_of(key) else {
        return Attempt::Alone;
    };
    let opened = match slot.open(key) {
        Use::Opened(open) => open,
        Use::Same(open) => {
            let flight = Flight(open);
            return match flight.chance(0, terms) {
                Chance::Now(seen) => flight.join(seen, terms),
                Chance::Later(_) => None,
            }
            .map_or(Attempt::Busy(flight), Attempt::Claimed);
        }
        Use::Other(open) => match make_way(open, key, terms.now_ms) {
            Some(open) => open,
            None => return Attempt::Alone,
        },
    };
    match opened.begin(terms.seat(), |left| unpark(cache, left)) {
        Some(sitting) => Attempt::Claimed(Claim::new(sitting)),
        // Another took the seat between the two steps, or the question is over.
        None => Attempt::Busy(Flight(opened)),
    }
}

/// Opens a question in the place of another, if nobody goes on with that one.
fn make_way(other: Open<'static>, key: u64, now_ms: u64) -> Option<Open<'static>> {
    let seats = other.seats();
    let was_asked = seats.iter().any(|seen| seen.by.is_some());
    if !was_asked || seats.iter().any(|seen| is_asking(seen, now_ms)) {
        return None;
    }
    let opened = other.make_way(key)?;
    futex::wake_all(&opened.slot().news);
    Some(opened)
}

/// Whether another may ask a question as well.
enum Chance {
    /// On this seat.
    Now(Seen),
    /// Perhaps after so long, ms.
    Later(u64),
}

impl Flight {
    /// Whether the question may be asked now by somebody who has waited for it for so long.
    #[cold]
    fn chance(self, waited_ms: u64, terms: Terms) -> Chance {
        let now_ms = terms.now_ms;
        let seats: [Seen; SEATS] = self.0.seats();
        let ages = seats
            .iter()
            .filter_map(|seen| Some(seen.by?.age_ms(now_ms as u32)));
        // A question without askers: its opener is between two steps, and counts as having just begun.
        let since_ms = ages.min().map_or(waited_ms, u64::from);
        let usual_ms = resolver::usual_ms();
        let pause_ms = usual_ms << self.doublings(terms);
        if since_ms < pause_ms {
            return match self.orphan(&seats, now_ms) {
                Some(seen) => Chance::Now(seen),
                None => Chance::Later(pause_ms - since_ms),
            };
        }
        let mut free = seats.into_iter().filter(|seen| !is_asking(seen, now_ms));
        let (Some(seen), is_only) = (free.next(), free.next().is_none()) else {
            return Chance::Later(CHECK_MS);
        };
        if !is_only {
            return Chance::Now(seen);
        }
        let other = seats.iter().find(|other| !other.is(&seen));
        let is_background = other
            .and_then(|other| other.by)
            .is_some_and(|seat| seat.is_background);
        let least_ms = if is_background {
            usual_ms
        } else {
            usual_ms * 2
        };
        match least_ms.saturating_sub(since_ms) {
            _ if terms.alone => Chance::Later(CHECK_MS),
            0 => Chance::Now(seen),
            more_ms => Chance::Later(more_ms),
        }
    }

    /// The seat of the only asker, when that one is dead or stopped: nobody will read the answer. Taking over at once
    /// costs one query more. Later askers wait, so no crowd comes of that.
    fn orphan(self, seats: &[Seen; SEATS], now_ms: u64) -> Option<Seen> {
        if self.0.asked() > 1 {
            return None;
        }
        let mut taken = seats.iter().filter(|seen| seen.by.is_some());
        let (only, further) = (taken.next()?, taken.next());
        (further.is_none() && !is_asking(only, now_ms)).then_some(*only)
    }

    /// With each caller that has asked in vain the next one waits for twice as long: callers that give up one after the
    /// other must not make many queries. The refresher asks once for all of them, so it does not wait longer.
    fn doublings(self, terms: Terms) -> u32 {
        if terms.is_background {
            return 0;
        }
        self.0.asked().saturating_sub(1).min(MOST_DOUBLINGS)
    }

    /// Asks as well, on a seat that is free.
    fn join(self, seen: Seen, terms: Terms) -> Option<Claim> {
        let sitting = self.0.sit(seen, terms.seat())?;
        metrics::count(Metric::TakenOver);
        Some(Claim::new(sitting))
    }

    /// Waits for an answer until `left_ms` have passed or the question may be asked by the caller as well; not at all
    /// in a thread that holds claims itself.
    pub(super) fn wait(
        self,
        cache: &Cache,
        left_ms: u64,
        terms: Terms,
        crowd: Option<&InCrowd>,
    ) -> Waited {
        if is_held_here() {
            return Waited::Over(None);
        }
        let wait = || self.wait_counted(cache, left_ms, terms, crowd);
        self.0
            .slot()
            .while_counted(wait, |left| unpark(cache, left))
    }

    fn wait_counted(
        self,
        cache: &Cache,
        left_ms: u64,
        terms: Terms,
        crowd: Option<&InCrowd>,
    ) -> Waited {
        let news = &self.0.slot().news;
        // Sleeping takes no time on a clock that a test has put in the place of the resolver's.
        let (began_ms, came_ms) = (clock::monotonic_ms(), resolver::now_ms());
        loop {
            let seen = news.load(std::sync::atomic::Ordering::SeqCst);
            if !self.0.is_open() {
                return Waited::Over(verdict_in(self.0, cache));
            }
            let seen = if seeded(Mutation::NewsLate) {
                news.load(std::sync::atomic::Ordering::SeqCst)
            } else {
                seen
            };
            let waited_ms = clock::monotonic_ms().saturating_sub(began_ms);
            let left_ms = left_ms.saturating_sub(waited_ms);
            if left_ms == 0 {
                return Waited::TimedOut;
            }
            let terms = terms.at(came_ms.saturating_add(waited_ms));
            let pause_ms = match self.chance(waited_ms, terms) {
                // In less time a question is hardly answered.
                _ if left_ms <= CHECK_MS => left_ms,
                Chance::Now(seen) => match self.join(seen, terms) {
                    Some(claim) => return Waited::Joined(claim),
                    None => continue,
                },
                Chance::Later(_) if terms.alone && waited_ms >= resolver::usual_ms() => {
                    return Waited::LeftToAnother;
                }
                Chance::Later(ms) => ms,
            };
            let Some(look_ms) = crowd.map_or(Some(CHECK_MS), |_| crowd::look()) else {
                return Waited::GivenUp;
            };
            let pause_ms = pause_ms.min(left_ms).min(look_ms);
            futex::wait(news, seen, pause_ms.clamp(1, CHECK_MS));
        }
    }
}

/// Numbers of what is under way in all processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnderWay {
    /// Callers that wait for a query of their own, or for another's.
    pub waiting: u64,
    /// Questions that the refresher asks.
    pub in_background: u64,
}

/// True when somebody waits for a question that another asks.
pub(super) fn is_waited_for(key: u64) -> bool {
    slot_of(key).is_some_and(|slot| slot.is_waited_for(key))
}

/// Counts what is under way. The result is an estimate, for processes go on meanwhile.
#[must_use]
pub fn under_way() -> UnderWay {
    let now_ms = resolver::now_ms();
    let mut sum = UnderWay::default();
    // A call asks several questions at a time.
    let mut askers = HashSet::new();
    for slot in TABLE.get() {
        let Some(open) = slot.current() else { continue };
        sum.waiting += u64::from(slot.waiting());
        let seats = open.seats();
        let asking = seats.iter().filter(|seen| is_asking(seen, now_ms));
        for seat in asking.filter_map(|seen| seen.by) {
            if seat.is_background {
                sum.in_background += 1;
            } else {
                askers.insert(seat.pid);
            }
        }
    }
    sum.waiting += askers.len() as u64;
    sum
}

/// Somebody who waits for another's question without being held up.
#[derive(Debug)]
pub(super) struct Bystander {
    flight: Flight,
    came_ms: u64,
}

impl Flight {
    /// Enters the caller among those who wait. The caller has to look at the [`Bystander`] now and then.
    pub(super) fn stand_by(self, now_ms: u64) -> Bystander {
        self.0.slot().enter();
        Bystander {
            flight: self,
            came_ms: now_ms,
        }
    }
}

impl Bystander {
    /// How the wait ended; `None` = the question goes on.
    pub(super) fn look(&self, cache: &Cache, terms: Terms) -> Option<Waited> {
        let flight = self.flight;
        if !flight.0.is_open() {
            return Some(Waited::Over(verdict_in(flight.0, cache)));
        }
        let waited_ms = terms.now_ms.saturating_sub(self.came_ms);
        match flight.chance(waited_ms, terms) {
            Chance::Now(seen) => flight.join(seen, terms).map(Waited::Joined),
            Chance::Later(_) if terms.alone && waited_ms >= resolver::usual_ms() => {
                Some(Waited::LeftToAnother)
            }
            Chance::Later(_) => None,
        }
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.flight.0.slot().go(|left| {
            if let Some(cache) = Cache::instance() {
                unpark(cache, left);
            }
        });
    }
}

#[cfg(all(test, any(loom, miri)))]
mod loom_flight;
#[cfg(all(test, not(any(loom, miri))))]
mod tests;
