//! Entries in use are fetched anew before they expire, or while they are served stale, with no caller
//! waiting.
//!
//! A refresher finds out what is due (`plan.rs`) and claims each question as everybody does, so nobody asks it
//! meanwhile; it leaves alone what failed a moment ago. Behind that come questions whose callers gave up (`handed_on.rs`).
//! The questions go to a [`Background`], and each answer is stored
//! when it comes. There is one refresher, as a rule; more do no harm.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;

use crate::cache::due::{self, Due};
use crate::cache::{Cache, EntryRef, ListId, Mark, NegativeKind};
use crate::error::{Failure, LookupError};
use crate::host::clock::{self, TICKS_PER_S};
use crate::host::follow::follow;
use crate::host::metrics::{self, Metric};
use crate::host::{fork, hooks, vars::dns_flags};
use crate::resolver::{self, Background, Done, Question, SearchList, Settings, Timed};
use crate::rr::{MAX_CNAME_HOPS, MAX_NAME_OCTETS, RecordType};

use super::flight::{self, Attempt, Claim, Terms};
use super::known::{Known, error_of, known, usable};
use super::plan::{Budget, Plan};
use super::relative::{Relative, expired_link, known_relative, list_in_force};
use super::request::{family_order, question_text, split_absolute};
use super::store::verdict_of;
use super::store::{self, Asked, Next};
use super::walk::{Aim, Walk};
use super::{backoff, handed_on, watchdog};

/// A query for a refresh ends after this, ms.
pub const LIMIT_MS: u64 = 5000;
/// The same for a question that failed the last time: that many more of them fit.
const LIMIT_AFTER_FAILURE_MS: u64 = 2000;
/// Least time for a question, ms: with less it would count as one that nobody answers.
const LEAST_MS: u64 = 2000;
/// Time for questions to end when theirs is over, ms.
const GRACE_MS: u64 = 1000;
/// Times that a walk waits for another who asks its question, and ticks from one to the next.
const MAX_TRIES: usize = 40;
const TRY_AGAIN: u32 = 2;
/// Without a sign of life for so long the refresher is taken for dead, ticks.
pub const SILENCE: u32 = 3 * TICKS_PER_S;
/// How long [`Worker::step`] waits for an answer at most, ms: so often it is looked what else is due.
const STEP_MS: u64 = 50;

/// A question that the refresher asks.
#[derive(Debug)]
pub struct Job {
    name: Vec<u8>,
    text: Vec<u8>,
    qtype: RecordType,
    /// The walk of the search list that it belongs to.
    walk: Option<Walk>,
    /// The entry for whose sake it is asked.
    origin: Option<EntryRef>,
    /// Key of the question.
    key: u64,
    /// CNAMEs that may still be followed.
    hops: usize,
    /// Missing where another question uses the place of this one.
    claim: Option<Claim>,
    /// A caller asked it, and gave up.
    handed_on: Option<handed_on::Share>,
}

/// What a question is asked for.
#[derive(Debug)]
struct Purpose {
    walk: Option<Walk>,
    origin: Option<EntryRef>,
}

impl Job {
    fn of(name: &[u8], qtype: RecordType, hops: usize, right: Right, purpose: Purpose) -> Self {
        Self {
            name: name.to_vec(),
            text: question_text(name, true).into_owned(),
            qtype,
            walk: purpose.walk,
            origin: purpose.origin,
            key: right.key,
            hops,
            claim: right.claim,
            handed_on: None,
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

    /// How long it may take, ms.
    #[must_use]
    pub fn limit_ms(&self) -> u64 {
        limit_ms(self.key)
    }
}

fn limit_ms(key: u64) -> u64 {
    if backoff::has_failed(key) {
        LIMIT_AFTER_FAILURE_MS
    } else {
        LIMIT_MS
    }
}

/// A walk of the search list that goes on.
#[derive(Debug)]
struct Waiting {
    walk: Walk,
    origin: Option<EntryRef>,
    /// How often that was tried: somebody else may be asking the question that it has come to.
    tries: usize,
    /// The tick of the next try.
    at: u32,
}

/// What a refresher has to do.
#[derive(Debug, Default)]
pub struct Refresher {
    /// Claimed because an answer ended in an alias of a name that the cache does not have.
    more: VecDeque<Job>,
    walks: VecDeque<Waiting>,
    plan: Plan,
    budget: Budget,
    handed_on: handed_on::Questions,
}

/// What there is of the records that a pinned name needs.
#[derive(Clone, Debug)]
pub enum Kept {
    /// Live records.
    Has(EntryRef),
    /// It is known until that tick that there are none.
    Absent(u32),
    /// They could not be had; these have expired.
    Failed(LookupError, Option<EntryRef>),
    /// They are being asked for.
    Waits,
}

impl Kept {
    /// What is not there live and is asked for.
    fn of_expired(cache: &Cache, name: &[u8], qtype: RecordType) -> Self {
        let hashed = cache.hashed(name);
        let key = flight::key_of(cache, &hashed, qtype);
        let expired = cache.acquire_exact_any_age(&hashed, qtype);
        let expired = expired.filter(|old| old.negative().is_none());
        match backoff::has_failed(key) {
            true => Self::Failed(LookupError::Failed(Failure::Timeout), expired),
            false => Self::Waits,
        }
    }
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
    claim(cache, key)
}

fn claim(cache: &Cache, key: u64) -> MayAsk {
    let terms = Terms::of_background(limit_ms(key) + GRACE_MS);
    let claim = match flight::attempt(cache, key, terms) {
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
    Waits(Walk, Option<EntryRef>),
    /// It is over, or its question may not be asked now.
    Ended,
}

impl Refresher {
    /// Takes what is due, at most `room` questions; says that a refresher is at work.
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

    /// Adds what callers asked who gave up, as far as there is room.
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
            // That it failed for a caller who had no more time is no reason to wait.
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
            let Some(waiting) = self.walks.pop_front().filter(|_| jobs.len() < room) else {
                return;
            };
            if clock::is_past(waiting.at, now) {
                jobs.extend(self.go_on_with(cache, waiting, now));
            } else {
                self.walks.push_back(waiting);
            }
        }
    }

    /// Stores what became of a job; true when it was answered.
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

    /// Sees to it that the records of a type that a pinned name needs are there and stay fresh, whether used or not.
    /// `is_callers`: the name is what a caller names, not what a record led to.
    pub fn keep(&mut self, name: &[u8], qtype: RecordType, is_callers: bool) -> Kept {
        let Some(cache) = Cache::instance() else {
            return Kept::Waits;
        };
        let (name, absolute) = split_absolute(name);
        if name.is_empty() || name.len() > MAX_NAME_OCTETS {
            return Kept::Failed(LookupError::BadName, None);
        }
        let list = list_in_force(cache).filter(|_| is_callers && !absolute);
        let Some(list) = list else {
            return self.keep_absolute(cache, name, qtype);
        };
        let aim = Aim::of(qtype, dns_flags.load(Ordering::Relaxed) as u32);
        let hashed = cache.hashed(name);
        match known_relative(cache, &hashed, aim, list) {
            Relative::Entry(entry) => self.keep_entry(cache, entry, qtype),
            Relative::Link(target) => {
                let link = cache.acquire_exact_any_age(&hashed.related(list), aim.link());
                if let Some(link) = link {
                    let _kept = self.keep_entry(cache, link, qtype);
                }
                self.keep_absolute(cache, target.as_bytes(), qtype)
            }
            Relative::Miss => {
                self.begin_walk(cache, name, aim, list);
                let target = expired_link(cache, &hashed, aim, list).map(|(_, target)| target);
                let target = target.as_ref().map_or(name, |target| target.as_bytes());
                Kept::of_expired(cache, target, qtype)
            }
        }
    }

    fn keep_absolute(&mut self, cache: &Cache, name: &[u8], qtype: RecordType) -> Kept {
        let mut hops = MAX_CNAME_HOPS;
        match known(cache, name, qtype, &mut hops) {
            Known::Entry(entry) => self.keep_entry(cache, entry, qtype),
            Known::TooLong => Kept::Failed(LookupError::CnameChain, None),
            Known::Miss(target) => {
                let missing = target.as_ref().map_or(name, |target| target.as_bytes());
                let purpose = Purpose {
                    walk: None,
                    origin: None,
                };
                let job = claim_job(cache, missing, qtype, MAX_CNAME_HOPS, purpose);
                self.more.extend(job);
                Kept::of_expired(cache, missing, qtype)
            }
        }
    }

    fn keep_entry(&mut self, cache: &Cache, entry: EntryRef, qtype: RecordType) -> Kept {
        let now = clock::now_ticks();
        let failed = entry.negative().filter(|kind| kind.is_failure());
        if let Some(kind) = failed {
            let expired = cache.acquire_exact_any_age(&cache.hashed(entry.name()), qtype);
            return Kept::Failed(
                error_of(kind),
                expired.filter(|old| old.negative().is_none()),
            );
        }
        // It is as much in use as if a call had just come, so it is not evicted either.
        entry.touch(now);
        if due::is_due(&entry, now) {
            let due = Due {
                entry: entry.clone(),
                qtype,
            };
            self.more.extend(job_of(cache, &due));
        }
        match entry.negative() {
            None if entry.is_expired(now) => Kept::Failed(LookupError::NoData, Some(entry)),
            None => Kept::Has(entry),
            Some(_) => Kept::Absent(entry.expire()),
        }
    }

    fn begin_walk(&mut self, cache: &Cache, name: &[u8], aim: Aim, list: ListId) {
        let Some(domains) = SearchList::current() else {
            return;
        };
        let is_under_way = |waiting: &Waiting| waiting.walk.is_of(name, aim);
        if self.walks.iter().any(is_under_way) {
            return;
        }
        if let Some(walk) = Walk::begin(name, aim, &domains, list)
            && let Going::Asks(job) = next_of(cache, walk, None)
        {
            self.more.push_back(job);
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

/// What was made in the place of an entry is as much in use as that was.
fn inherit(cache: &Cache, origin: Option<&EntryRef>) {
    if let Some(origin) = origin
        && !origin.is_linked()
        && let Some(entry) = cache.successor(origin)
    {
        entry.inherit_use(origin.last_used());
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
    let purpose = Purpose {
        walk: None,
        origin: Some(due.entry.clone()),
    };
    claim_job(cache, due.entry.name(), due.qtype, MAX_CNAME_HOPS, purpose)
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
    let walk = Walk::begin(entry.name(), aim, &domains, list)?;
    match next_of(cache, walk, Some(entry.clone())) {
        Going::Asks(job) => Some(job),
        // It is found again in the next round.
        Going::Waits(..) | Going::Ended => None,
    }
}

/// The question that a walk has come to. What the cache knows for a good while yet is not asked again: another walk,
/// for the other address family, may just have asked it.
fn next_of(cache: &Cache, mut walk: Walk, origin: Option<EntryRef>) -> Going {
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
                Some(_) => {
                    inherit(cache, origin.as_ref());
                    return Going::Ended;
                }
            }
        }
        let name = name.as_bytes();
        return match may_ask(cache, name, qtype) {
            MayAsk::Yes(right) => {
                let walk = Some(walk);
                Going::Asks(Job::of(
                    name,
                    qtype,
                    MAX_CNAME_HOPS,
                    right,
                    Purpose { walk, origin },
                ))
            }
            MayAsk::Busy => Going::Waits(walk, origin),
            MayAsk::NotNow => Going::Ended,
        };
    }
}

fn claim_job(
    cache: &Cache,
    name: &[u8],
    qtype: RecordType,
    hops: usize,
    purpose: Purpose,
) -> Option<Job> {
    match may_ask(cache, name, qtype) {
        MayAsk::Yes(right) => Some(Job::of(name, qtype, hops, right, purpose)),
        MayAsk::Busy | MayAsk::NotNow => None,
    }
}

/// A refresher and its questions, in a thread that may wait.
#[derive(Debug, Default)]
pub struct Worker {
    work: fork::Own<Work>,
    background: Background,
}

/// What a worker has in hand: claims, and references to entries.
#[derive(Debug, Default)]
struct Work {
    refresher: Refresher,
    jobs: HashMap<u64, Job>,
    tickets: u64,
}

impl Worker {
    /// False in a child of the process that it belongs to. There it is of no use, and may be dropped: that closes the
    /// child's descriptors, and leaves the parent what it has in hand.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.work.is_ours()
    }

    /// The refresher, for what else is to be kept fresh.
    pub fn refresher(&mut self) -> &mut Refresher {
        &mut self.work.get().refresher
    }

    /// Asks for what is due, and waits a moment for answers; gives the number of questions that were answered.
    pub fn step(&mut self) -> usize {
        let jobs = self.work.get().refresher.take(self.background.room());
        self.ask(jobs, LIMIT_MS);
        self.wait(STEP_MS)
    }

    /// True when nothing is under way.
    #[must_use]
    pub fn is_idle(&mut self) -> bool {
        let work = self.work.get();
        work.jobs.is_empty() && !work.refresher.has_more()
    }

    /// Asks; no question gets more than `left_ms`.
    fn ask(&mut self, jobs: Vec<Job>, left_ms: u64) {
        if jobs.is_empty() {
            return;
        }
        let work = self.work.get();
        let settings = Settings::current();
        for job in jobs {
            work.tickets += 1;
            let limit_ms = job.limit_ms().min(left_ms);
            self.background
                .ask(work.tickets, &job.question(), &settings, limit_ms);
            work.jobs.insert(work.tickets, job);
        }
    }

    fn wait(&mut self, ms: u64) -> usize {
        let work = self.work.get();
        if work.jobs.is_empty() {
            return 0;
        }
        let until_ms = clock::monotonic_ms().saturating_add(ms);
        let done = self.background.turn(until_ms);
        let mut answered = 0;
        for Done { ticket, timed } in done {
            if let Some(job) = work.jobs.remove(&ticket) {
                answered += usize::from(work.refresher.settle(job, timed));
            }
        }
        answered
    }

    /// Does what is due until nothing is under way, in the calling thread, for about [`LIMIT_MS`] at most; gives the
    /// number of questions that were answered.
    ///
    /// No question is left open: nobody can say when the program calls again, and others wait for the answer.
    pub fn run(&mut self) -> usize {
        let until_ms = clock::monotonic_ms().saturating_add(LIMIT_MS);
        let jobs = self.work.get().refresher.take_all(self.background.room());
        self.ask(jobs, LIMIT_MS);
        let mut answered = 0;
        loop {
            answered += self.wait(STEP_MS);
            let now_ms = clock::monotonic_ms();
            let left_ms = until_ms.saturating_sub(now_ms);
            if left_ms >= LEAST_MS {
                let jobs = self.work.get().refresher.take(self.background.room());
                self.ask(jobs, left_ms);
            } else {
                self.work.get().refresher.give_up_more();
            }
            if self.is_idle() {
                return answered;
            }
            if now_ms >= until_ms.saturating_add(GRACE_MS) {
                // Not met while questions end when their time is over; after a panic they may not.
                *self = Self::default();
                return answered;
            }
        }
    }
}

/// Does what is due on this thread's own way to the servers, where a test has put one of its own; gives the number of
/// questions that were answered.
#[cfg(feature = "testing")]
pub fn run_for_tests(refresher: &mut Refresher) -> usize {
    let mut answered = 0;
    loop {
        let jobs = refresher.take_all(usize::MAX);
        if jobs.is_empty() {
            return answered;
        }
        let questions: Vec<_> = jobs.iter().map(Job::question).collect();
        let until_ms = resolver::now_ms().saturating_add(LIMIT_MS);
        let outcomes = resolver::query_all(&questions, Some(until_ms));
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            let timed = Timed {
                outcome,
                took_ms: 0,
                server: None,
            };
            answered += usize::from(refresher.settle(job, timed));
        }
    }
}
