//! Entries in use are fetched anew before they expire, or while they are served stale, with no caller
//! waiting.
//!
//! Those who look entries up note the ones that are due ([`crate::cache::due`]). A refresher takes the
//! notes now and then and asks. It claims each question as everybody does, so nobody asks it meanwhile,
//! and leaves alone what failed a moment ago. There is one refresher, as a rule; more do no harm.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use crate::cache::due::{self, Due};
use crate::cache::{Cache, EntryRef, Mark, NegativeKind};
use crate::error::LookupError;
use crate::host::clock::{self, TICKS_PER_S};
use crate::host::metrics::{self, Metric};
use crate::host::{hooks, vars::dns_flags};
use crate::resolver::{self, Outcome, Question, SearchList};
use crate::rr::{MAX_CNAME_HOPS, RecordType};

use super::fetch::verdict_of;
use super::flight::{self, Attempt, Claim};
use super::known::{Known, known, usable};
use super::relative::list_in_force;
use super::request::{family_order, question_text};
use super::store::{self, Asked, Next};
use super::walk::{Aim, Walk};
use super::{backoff, watchdog};

/// Questions asked at once.
pub const MAX_JOBS: usize = 32;
/// A query for a refresh ends after this, ms: nobody waits for it, but others wait for their turn.
pub const LIMIT_MS: u64 = 5000;
/// Rounds that a walk waits for another who asks its question.
const MAX_TRIES: usize = 40;
/// Without a sign of life for so long the refresher is taken for dead, ticks.
pub const SILENCE: u32 = 3 * TICKS_PER_S;

/// A question that the refresher asks.
#[derive(Debug)]
pub struct Job {
    name: Vec<u8>,
    text: Vec<u8>,
    qtype: RecordType,
    /// The walk of the search list that it belongs to.
    walk: Option<Walk>,
    /// Key of the question.
    key: u64,
    /// CNAMEs that may still be followed.
    hops: usize,
    /// Missing where another question uses the place of this one.
    claim: Option<Claim>,
}

impl Job {
    fn of(name: &[u8], qtype: RecordType, hops: usize, right: Right, walk: Option<Walk>) -> Self {
        Self {
            name: name.to_vec(),
            text: question_text(name, true).into_owned(),
            qtype,
            walk,
            key: right.key,
            hops,
            claim: right.claim,
        }
    }

    /// What to ask.
    #[must_use]
    pub fn question(&self) -> Question<'_> {
        Question {
            qname: &self.text,
            qtype: self.qtype,
        }
    }
}

/// What a refresher has to do.
#[derive(Debug, Default)]
pub struct Refresher {
    /// Claimed because an answer ended in an alias of a name that the cache does not have.
    more: VecDeque<Job>,
    /// Walks of the search list that go on, and how often that was tried: somebody else may be asking the question
    /// that a walk has come to.
    walks: VecDeque<(Walk, usize)>,
}

/// The right to ask a question.
struct Right {
    /// Key of the question.
    key: u64,
    /// Missing where another question uses the place of this one.
    claim: Option<Claim>,
}

/// Whether a question may be asked.
enum MayAsk {
    Yes(Right),
    /// Another asks it.
    Busy,
    /// It failed a moment ago.
    NotNow,
}

fn may_ask(cache: &Cache, name: &[u8], qtype: RecordType) -> MayAsk {
    let key = flight::key_of(cache, &cache.hashed(name), qtype);
    if backoff::is_waiting(key, clock::now_ticks()) {
        return MayAsk::NotNow;
    }
    let claim = match flight::attempt(cache, key) {
        Attempt::Busy(_) => return MayAsk::Busy,
        Attempt::Claimed(claim) => Some(claim),
        Attempt::Alone => None,
    };
    MayAsk::Yes(Right { key, claim })
}

/// What becomes of a walk.
enum Going {
    /// It has to ask this.
    Asks(Job),
    /// Another asks it.
    Waits(Walk),
    /// It is over, or its question may not be asked now.
    Ended,
}

impl Refresher {
    /// Takes what is due, at most [`MAX_JOBS`]; says that a refresher is at work.
    ///
    /// Nothing while no query may be sent, or where a module has put a search function of its own into
    /// `dns_func`: that one can only be waited for, so workers do without refresher.
    pub fn take(&mut self) -> Vec<Job> {
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
        let mut jobs: Vec<Job> = Vec::new();
        while jobs.len() < MAX_JOBS
            && let Some(job) = self.more.pop_front()
        {
            jobs.push(job);
        }
        for _ in 0..self.walks.len() {
            if jobs.len() < MAX_JOBS
                && let Some((walk, tries)) = self.walks.pop_front()
            {
                jobs.extend(self.go_on_with(cache, walk, tries));
            }
        }
        if jobs.len() < MAX_JOBS {
            let due = cache.take_due(clock::now_ticks());
            let claimed = due.filter_map(|due| job_of(cache, &due));
            jobs.extend(claimed.take(MAX_JOBS - jobs.len()));
        }
        jobs
    }

    /// Stores what became of a job; true when it was answered.
    pub fn settle(&mut self, job: Job, outcome: Outcome) -> bool {
        let Some(cache) = Cache::instance() else {
            return false;
        };
        let Job {
            name,
            qtype,
            walk,
            key,
            mut hops,
            claim,
            ..
        } = job;
        let asked = Asked {
            name: &name,
            qtype,
            longest_life_s: walk.as_ref().map_or(u32::MAX, Walk::longest_life_s),
            key,
            was_unknown: false,
            flags: dns_flags.load(Ordering::Relaxed) as u32,
            renews: true,
        };
        let result = store::settle(cache, &asked, outcome, &mut hops);
        if let Some(claim) = claim {
            claim.finish(cache, verdict_of(&result));
        }
        let answered = !matches!(
            result,
            Err(LookupError::Failed(_) | LookupError::BadName | LookupError::OutOfMemory)
        );
        metrics::count(if answered {
            Metric::Refreshed
        } else {
            Metric::RefreshFailed
        });
        self.go_on(cache, result, qtype, hops, walk);
        answered
    }

    /// Queues what is to be asked after an answer.
    fn go_on(
        &mut self,
        cache: &Cache,
        result: Result<Next, LookupError>,
        qtype: RecordType,
        mut hops: usize,
        walk: Option<Walk>,
    ) {
        let result = match result {
            Ok(Next::Entry(entry)) => usable(entry),
            Err(error) => Err(error),
            Ok(Next::Ask(target)) => match known(cache, target.as_bytes(), qtype, &mut hops) {
                Known::Entry(entry) => usable(entry),
                Known::TooLong => Err(LookupError::CnameChain),
                Known::Miss(further) => {
                    let target = further.unwrap_or(target);
                    let job = claim_job(cache, target.as_bytes(), qtype, hops, walk);
                    self.more.extend(job);
                    return;
                }
            },
        };
        if let Some(mut walk) = walk
            && walk.learn(cache, result).is_none()
        {
            self.walks.push_back((walk, 0));
        }
    }

    fn go_on_with(&mut self, cache: &Cache, walk: Walk, tries: usize) -> Option<Job> {
        match next_of(cache, walk) {
            Going::Asks(job) => Some(job),
            Going::Waits(walk) if tries < MAX_TRIES => {
                self.walks.push_back((walk, tries + 1));
                None
            }
            Going::Waits(_) | Going::Ended => None,
        }
    }
}

/// The question that fetches an entry anew, if it may be asked now.
fn job_of(cache: &Cache, due: &Due) -> Option<Job> {
    if due.entry.negative().is_some_and(NegativeKind::is_failure) {
        return None;
    }
    match due.entry.mark() {
        Some(mark) if !mark.is_edited() => match walk_job(cache, &due.entry, mark) {
            None if !due.entry.is_relative() => absolute_job(cache, due),
            job => job,
        },
        _ => absolute_job(cache, due),
    }
}

fn absolute_job(cache: &Cache, due: &Due) -> Option<Job> {
    claim_job(cache, due.entry.name(), due.qtype, MAX_CNAME_HOPS, None)
}

/// What a walk of the search list led to is looked for in the same way again.
fn walk_job(cache: &Cache, entry: &EntryRef, mark: Mark) -> Option<Job> {
    let domains = SearchList::current()?;
    let list = cache.list_id(domains.digest()?);
    if !mark.is_of(list) {
        return None;
    }
    let flags = dns_flags.load(Ordering::Relaxed) as u32;
    let aim = match (entry.is_relative(), entry.rtype()) {
        (true, link) => match link.linked() {
            Some(qtype) => Aim { qtype, other: None },
            None => {
                let (first, second) = family_order(flags);
                let other = second.or(match first {
                    RecordType::A => Some(RecordType::AAAA),
                    _ => Some(RecordType::A),
                });
                Aim {
                    qtype: first,
                    other,
                }
            }
        },
        (false, qtype) if mark.is_of_either() => Aim::of(qtype, flags),
        (false, qtype) => Aim { qtype, other: None },
    };
    match next_of(cache, Walk::begin(entry.name(), aim, &domains, list)?) {
        Going::Asks(job) => Some(job),
        // It is noted again at the next use.
        Going::Waits(_) | Going::Ended => None,
    }
}

/// The question that a walk has come to. What the cache knows for a good while yet is not asked again: another walk,
/// for the other address family, may just have asked it.
fn next_of(cache: &Cache, mut walk: Walk) -> Going {
    loop {
        let Some((name, qtype)) = walk.question() else {
            return Going::Ended;
        };
        let name = name.clone();
        let mut hops = MAX_CNAME_HOPS;
        if let Known::Entry(entry) = known(cache, name.as_bytes(), qtype, &mut hops)
            && !due::is_due(&entry, clock::now_ticks())
        {
            match walk.learn(cache, usable(entry)) {
                None => continue,
                Some(_) => return Going::Ended,
            }
        }
        let name = name.as_bytes();
        return match may_ask(cache, name, qtype) {
            MayAsk::Yes(right) => {
                Going::Asks(Job::of(name, qtype, MAX_CNAME_HOPS, right, Some(walk)))
            }
            MayAsk::Busy => Going::Waits(walk),
            MayAsk::NotNow => Going::Ended,
        };
    }
}

fn claim_job(
    cache: &Cache,
    name: &[u8],
    qtype: RecordType,
    hops: usize,
    walk: Option<Walk>,
) -> Option<Job> {
    match may_ask(cache, name, qtype) {
        MayAsk::Yes(right) => Some(Job::of(name, qtype, hops, right, walk)),
        MayAsk::Busy | MayAsk::NotNow => None,
    }
}

/// Does what is due, in the calling thread; gives the number of questions that were answered.
///
/// Blocks for as long as the slowest of them takes, at most [`LIMIT_MS`] a round.
pub fn run(refresher: &mut Refresher) -> usize {
    let mut answered = 0;
    loop {
        let jobs = refresher.take();
        if jobs.is_empty() {
            return answered;
        }
        due::refresher_works(SILENCE + (LIMIT_MS / 1000) as u32 * TICKS_PER_S);
        let questions: Vec<_> = jobs.iter().map(Job::question).collect();
        let until_ms = resolver::now_ms().saturating_add(LIMIT_MS);
        let outcomes = resolver::query_all(&questions, Some(until_ms));
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            answered += usize::from(refresher.settle(job, outcome));
        }
    }
}
