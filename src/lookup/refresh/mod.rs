//! Entries in use are fetched anew before they expire, or while they are served stale, with no caller
//! waiting.
//!
//! A refresher finds the entries that are due (`plan.rs`) and claims each question as all askers do, so nobody else
//! asks it meanwhile. Questions that failed a moment ago are left alone. Questions whose callers gave up come last
//! (`handed_on.rs`). The questions go to a [`resolver::Background`], and each answer is stored when it comes. There is
//! one refresher, as a rule; more do no harm.

mod job;
mod keep;
mod worker;

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use crate::cache::due;
use crate::cache::{Cache, EntryRef, NegativeKind};
use crate::error::LookupError;
use crate::host::clock::{self, TICKS_PER_S};
use crate::host::follow::follow;
use crate::host::metrics::{self, Metric};
use crate::host::{hooks, vars::dns_flags};
use crate::resolver::{self, Timed};
use crate::rr::{MAX_CNAME_HOPS, RecordType};

use super::flight;
use super::known::{Known, known, usable};
use super::plan::{Budget, Plan};
use super::relative::list_in_force;
use super::store::verdict_of;
use super::store::{self, Asked, Next};
use super::walk::Walk;
use super::{handed_on, watchdog};
pub use job::Job;
use job::{Going, MayAsk, Purpose, claim, claim_job, inherit, job_of, next_of};
pub use keep::Kept;
pub use worker::Worker;
#[cfg(feature = "testing")]
pub use worker::run_for_tests;

/// Times that a walk waits for another who asks its question, and ticks from one to the next.
const MAX_TRIES: usize = 40;
const TRY_AGAIN: u32 = 2;
/// Without a sign of life for so long the refresher is taken for dead, ticks.
pub const SILENCE: u32 = 3 * TICKS_PER_S;

/// A walk of the search list that goes on.
#[derive(Debug)]
struct Waiting {
    walk: Walk,
    origin: Option<EntryRef>,
    /// Number of tries: somebody else may be asking the question that the walk has come to.
    tries: usize,
    /// The tick of the next try.
    at: u32,
}

/// The work of a refresher.
#[derive(Debug, Default)]
pub struct Refresher {
    /// Claimed because an answer ended in an alias of a name that the cache does not have.
    more: VecDeque<Job>,
    walks: VecDeque<Waiting>,
    plan: Plan,
    budget: Budget,
    handed_on: handed_on::Questions,
}

impl Refresher {
    /// Takes the questions that are due, at most `room`; notes that a refresher is at work.
    ///
    /// Nothing while no query may be sent, or where a module has put a search function of its own into
    /// `dns_func`: that one can only be waited for, so workers do without refresher.
    pub fn take(&mut self, room: usize) -> Vec<Job> {
        self.take_with(room, Plan::look)
    }

    /// As [`Self::take`], after a look through the whole cache.
    fn take_all(&mut self, room: usize) -> Vec<Job> {
        self.take_with(room, Plan::look_through)
    }

    fn take_with(&mut self, room: usize, look: impl FnOnce(&mut Plan, &Cache, u32)) -> Vec<Job> {
        let Some(cache) = Cache::instance() else {
            return Vec::new();
        };
        if hooks::swapped_search().is_some() {
            due::refresher_ends();
            return Vec::new();
        }
        due::refresher_works(SILENCE);
        // Processes that find everything in the cache learn of a changed list from here.
        let _in_force = list_in_force(cache);
        if !watchdog::servers_up() {
            return Vec::new();
        }
        let now = clock::now_ticks();
        look(&mut self.plan, cache, now);
        for noted in cache.take_noted() {
            self.plan.add(noted, now);
        }
        let room = room.min(self.budget.left(clock::monotonic_ms()));
        let mut jobs = Vec::new();
        while jobs.len() < room
            && let Some(job) = self.more.pop_front()
        {
            jobs.push(job);
        }
        self.go_on_with_walks(cache, &mut jobs, room, now);
        while jobs.len() < room
            && let Some(upcoming) = self.plan.next(now)
        {
            let due = cache.due(&upcoming, now);
            jobs.extend(due.and_then(|due| job_of(cache, &due)));
        }
        self.handed_on.look(cache);
        self.go_on_for_callers(cache, &mut jobs, room, now);
        self.budget.spend(jobs.len());
        for job in &jobs {
            follow!(
                &job.name,
                "type {}: asked for in the background",
                job.qtype.0
            );
        }
        jobs
    }

    /// Adds the questions of callers that gave up, as far as there is room.
    fn go_on_for_callers(&mut self, cache: &Cache, jobs: &mut Vec<Job>, room: usize, now: u32) {
        for _ in 0..self.handed_on.waiting() {
            if jobs.len() >= room {
                return;
            }
            let Some(question) = self.handed_on.next() else {
                return;
            };
            let (name, qtype, share) = (&question.name, question.qtype, question.share);
            let is_answered = match known(cache, name, qtype, &mut MAX_CNAME_HOPS.clone()) {
                Known::Entry(entry) => !entry.negative().is_some_and(NegativeKind::is_failure),
                Known::TooLong | Known::Miss(Some(_)) => true,
                Known::Miss(None) => false,
            };
            if is_answered || question.is_old(now) {
                self.handed_on.end(share);
                continue;
            }
            // A failure of a caller who had no more time is no reason to wait.
            let key = flight::key_of(cache, &cache.hashed(name), qtype);
            match claim(cache, key) {
                MayAsk::Yes(right) => {
                    let purpose = Purpose {
                        walk: None,
                        origin: None,
                    };
                    jobs.push(Job {
                        handed_on: Some(share),
                        ..Job::of(name, qtype, MAX_CNAME_HOPS, right, purpose)
                    });
                }
                MayAsk::Busy | MayAsk::NotNow => self.handed_on.put_back(question),
            }
        }
    }

    fn go_on_with_walks(&mut self, cache: &Cache, jobs: &mut Vec<Job>, room: usize, now: u32) {
        for _ in 0..self.walks.len() {
            if jobs.len() >= room {
                return;
            }
            let Some(waiting) = self.walks.pop_front() else {
                return;
            };
            if clock::is_past(waiting.at, now) {
                jobs.extend(self.go_on_with(cache, waiting, now));
            } else {
                self.walks.push_back(waiting);
            }
        }
    }

    /// Stores the outcome of a job; true when the question was answered.
    pub fn settle(&mut self, job: Job, timed: Timed) -> bool {
        resolver::note_slow_query(&job.question(), timed.took_ms);
        let Some(cache) = Cache::instance() else {
            return false;
        };
        let Job {
            name,
            qtype,
            walk,
            origin,
            key,
            mut hops,
            claim,
            handed_on,
            ..
        } = job;
        if let Some(share) = handed_on {
            self.handed_on.end(share);
        }
        let asked = Asked {
            name: &name,
            qtype,
            longest_life_s: walk.as_ref().map_or(u32::MAX, Walk::longest_life_s),
            key,
            was_unknown: false,
            flags: dns_flags.load(Ordering::Relaxed) as u32,
            renews: true,
            // Callers have waited for it, too, and given up.
            waited_s: handed_on.map_or(0, |_| timed.silent_s()),
            waits_for_memory: false,
        };
        let result = store::settle(cache, &asked, timed.outcome, &mut hops);
        if let (Some(origin), Ok(Next::Entry(entry))) = (&origin, &result) {
            entry.inherit_use(origin.last_used());
        }
        if let Some(claim) = claim {
            claim.finish(cache, verdict_of(&result));
        }
        let answered = !matches!(
            result,
            Err(LookupError::Failed(_) | LookupError::BadName | LookupError::OutOfMemory)
        );
        if handed_on.is_none() {
            metrics::count(if answered {
                Metric::Refreshed
            } else {
                Metric::RefreshFailed
            });
        }
        self.go_on(cache, result, (qtype, hops), Purpose { walk, origin });
        answered
    }

    /// Queues what is to be asked after an answer.
    fn go_on(
        &mut self,
        cache: &Cache,
        result: Result<Next, LookupError>,
        (qtype, mut hops): (RecordType, usize),
        purpose: Purpose,
    ) {
        let result = match result {
            Ok(Next::Entry(entry)) => usable(entry),
            Err(error) => Err(error),
            Ok(Next::Ask(target)) => match known(cache, target.as_bytes(), qtype, &mut hops) {
                Known::Entry(entry) => usable(entry),
                Known::TooLong => Err(LookupError::CnameChain),
                Known::Miss(further) => {
                    let target = further.unwrap_or(target);
                    let job = claim_job(cache, target.as_bytes(), qtype, hops, purpose);
                    self.more.extend(job);
                    return;
                }
            },
        };
        let Purpose { walk, origin } = purpose;
        let under_way = walk.and_then(|mut walk| {
            let is_over = walk.learn(cache, result).is_some();
            (!is_over).then_some(walk)
        });
        match under_way {
            Some(walk) => self.walks.push_back(Waiting {
                walk,
                origin,
                tries: 0,
                at: clock::now_ticks(),
            }),
            None => inherit(cache, origin.as_ref()),
        }
    }

    fn go_on_with(&mut self, cache: &Cache, waiting: Waiting, now: u32) -> Option<Job> {
        let Waiting {
            walk,
            origin,
            tries,
            ..
        } = waiting;
        match next_of(cache, walk, origin) {
            Going::Asks(job) => Some(job),
            Going::Waits(walk, origin) if tries < MAX_TRIES => {
                self.walks.push_back(Waiting {
                    walk,
                    origin,
                    tries: tries + 1,
                    at: now.wrapping_add(TRY_AGAIN),
                });
                None
            }
            Going::Waits(..) | Going::Ended => None,
        }
    }

    /// True when something that is claimed waits for its turn.
    fn has_more(&self) -> bool {
        !self.more.is_empty()
    }

    /// Leaves what waits for its turn to others.
    fn give_up_more(&mut self) {
        self.more.clear();
    }
}
