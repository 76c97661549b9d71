//! The questions of searches that do not wait ([`super::suspended`]): each is asked once for all who want the answer.
//!
//! A question is claimed as everybody's is, so that other processes wait for its answer; is it asked by another
//! already, that one's answer is waited for, and the question is asked as well where everybody would. The questions go
//! to a [`Background`], and each answer is stored when it comes. The asker's owner drives it: nothing here waits, and
//! no step takes longer than it is given, but for one answer.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;

use crate::cache::Cache;
use crate::error::{Failure, LookupError};
use crate::host::fork;
use crate::host::metrics::{self, Metric};
use crate::resolver::{self, Background, Done, Question, Settings};
use crate::rr::MAX_CNAME_HOPS;

pub use crate::resolver::Waker;

use super::backoff;
use super::flight::{self, Attempt, Bystander, Right, Terms, Verdict, Waited};
use super::known::{Known, known};
use super::request::question_text;
use super::store::{self, Asked, Next, verdict_of};
use super::suspended::{Answer, Wanted};

/// Time for a question, ms, where the servers and attempts of resolv.conf do not end it sooner.
const LIMIT_MS: u64 = 5000;
/// How often it is looked whether those that others ask are answered, ms.
const LOOK_MS: u64 = 20;

/// An answer for a seeker.
#[derive(Debug)]
pub struct Answered {
    /// The request that wanted the answer.
    pub seeker: u64,
    /// The question.
    pub key: u64,
    /// The answer, or the failure.
    pub answer: Arc<Answer>,
}

/// Questions under way.
#[derive(Debug)]
pub struct Asker {
    work: fork::Own<Work>,
    background: Background,
}

/// The part that belongs to the process: claims, references to entries.
#[derive(Debug, Default)]
struct Work {
    questions: HashMap<u64, Asking>,
    /// Keys by the tickets of the background.
    tickets: HashMap<u64, u64>,
    last_ticket: u64,
    /// Questions that wait for room.
    queue: VecDeque<u64>,
    /// Questions that others ask, the one that is looked at next in front.
    elsewhere: VecDeque<u64>,
    look_ms: u64,
    done: VecDeque<Done>,
    answered: Vec<Answered>,
}

/// A question.
#[derive(Debug)]
struct Asking {
    wanted: Wanted,
    seekers: Vec<u64>,
    right: Option<Right>,
    bystander: Option<Bystander>,
}

impl Asker {
    /// Without questions; what wakes its descriptor from another thread comes along.
    ///
    /// # Errors
    /// The kernel gives no event queue.
    pub fn new() -> io::Result<(Self, Waker)> {
        let (background, waker) = Background::for_loop()?;
        let asker = Self {
            work: fork::Own::default(),
            background,
        };
        Ok((asker, waker))
    }

    /// The descriptor that becomes readable when [`Self::step`] has something to do.
    #[must_use]
    pub fn descriptor(&self) -> Option<RawFd> {
        self.background.descriptor()
    }

    /// Has a question asked.
    pub fn ask(&mut self, seeker: u64, wanted: Wanted) {
        let work = self.work.get();
        if let Some(asking) = work.questions.get_mut(&wanted.key) {
            asking.seekers.push(seeker);
            let known = &mut asking.wanted;
            known.until_ms = known.until_ms.max(wanted.until_ms);
            known.longest_life_s = known.longest_life_s.min(wanted.longest_life_s);
            metrics::count(Metric::Coalesced);
            return;
        }
        let key = wanted.key;
        let asking = Asking {
            wanted,
            seekers: vec![seeker],
            right: None,
            bystander: None,
        };
        work.questions.insert(key, asking);
        work.queue.push_back(key);
    }

    /// When [`Self::step`] has something to do whatever the descriptor says, ms; 0 = at once.
    #[must_use]
    pub fn next_ms(&mut self) -> u64 {
        let room = self.background.room();
        let work = self.work.get();
        if !work.done.is_empty() || !work.queue.is_empty() && room > 0 {
            return 0;
        }
        let looks_ms = match work.elsewhere.is_empty() {
            true => u64::MAX,
            false => work.look_ms,
        };
        looks_ms.min(self.background.next_ms())
    }

    /// Does what can be done without waiting, until the clock shows `until_us`; gives what was answered.
    pub fn step(&mut self, until_us: u64) -> Vec<Answered> {
        let Some(cache) = Cache::instance() else {
            return self.fail_all();
        };
        let done = self.background.advance(until_us);
        let is_over = || now_us() >= until_us;
        let work = self.work.get();
        work.done.extend(done);
        while let Some(Done { ticket, timed }) = work.done.pop_front() {
            if let Some(asking) = work.take_asked(ticket) {
                let (key, answer) = settle(cache, &asking.wanted, asking.right, timed);
                tell(&mut work.answered, asking.seekers, key, &answer);
            }
            if is_over() {
                break;
            }
        }
        self.look_elsewhere(cache, &is_over);
        self.begin(cache, &is_over);
        std::mem::take(&mut self.work.get().answered)
    }

    /// The cache is gone.
    fn fail_all(&mut self) -> Vec<Answered> {
        let work = self.work.get();
        let last_ticket = work.last_ticket;
        let work = std::mem::take(work);
        // What is under way comes to its end all the same: its tickets are no others'.
        self.work.get().last_ticket = last_ticket;
        let mut answered = work.answered;
        let answer = Arc::new(Answer {
            result: Err(LookupError::NoCache),
            server: None,
        });
        for (key, asking) in work.questions {
            tell(&mut answered, asking.seekers, key, &answer);
        }
        answered
    }

    /// Looks at questions that others ask.
    fn look_elsewhere(&mut self, cache: &'static Cache, is_over: &dyn Fn() -> bool) {
        let now_ms = resolver::now_ms();
        let work = self.work.get();
        if work.elsewhere.is_empty() || now_ms < work.look_ms {
            return;
        }
        for _ in 0..work.elsewhere.len() {
            let Some(key) = work.elsewhere.pop_front() else {
                break;
            };
            work.look_at(cache, key, now_ms);
            if is_over() {
                // The others have their turn first.
                return;
            }
        }
        work.look_ms = now_ms.saturating_add(LOOK_MS);
    }

    /// Begins what waits, as far as there is room.
    fn begin(&mut self, cache: &'static Cache, is_over: &dyn Fn() -> bool) {
        let mut settings = None;
        while self.background.room() > 0 && !is_over() {
            let work = self.work.get();
            let Some(key) = work.queue.pop_front() else {
                return;
            };
            let Some(ticket) = work.claim(cache, key) else {
                continue;
            };
            let Some(asking) = work.questions.get(&key) else {
                continue;
            };
            let settings = settings.get_or_insert_with(Settings::current);
            let Wanted { name, qtype, .. } = &asking.wanted;
            let text = question_text(name, true);
            let question = Question {
                qname: &text,
                qtype: *qtype,
            };
            self.background.ask(ticket, &question, settings, limit_ms());
        }
    }
}

impl Work {
    fn take_asked(&mut self, ticket: u64) -> Option<Asking> {
        let key = self.tickets.remove(&ticket)?;
        self.questions.remove(&key)
    }

    /// Claims a question; the ticket under which it is to be asked, `None` = it is not, or is answered.
    fn claim(&mut self, cache: &'static Cache, key: u64) -> Option<u64> {
        let asking = self.questions.get_mut(&key)?;
        let now_ms = resolver::now_ms();
        if now_ms >= asking.wanted.until_ms {
            self.end(key, Err(LookupError::Failed(Failure::Timeout)));
            return None;
        }
        let attempt = match asking.right {
            // The question has joined another asker.
            Some(_) => Attempt::Alone,
            None => flight::attempt(cache, key, terms(key, now_ms)),
        };
        match attempt {
            Attempt::Alone => {}
            Attempt::Busy(flight) => {
                asking.bystander = Some(flight.stand_by(now_ms));
                self.stand_by(key, now_ms);
                return None;
            }
            Attempt::Claimed(claim) => {
                asking.right = claim.into_right();
                // The question may have been answered since the search looked into the cache.
                if let Some(result) = shared(cache, &asking.wanted, None) {
                    self.end(key, result);
                    return None;
                }
            }
        }
        self.last_ticket += 1;
        self.tickets.insert(self.last_ticket, key);
        Some(self.last_ticket)
    }

    fn stand_by(&mut self, key: u64, now_ms: u64) {
        if self.elsewhere.is_empty() {
            self.look_ms = now_ms.saturating_add(LOOK_MS);
        }
        self.elsewhere.push_back(key);
    }

    /// Looks whether a question that another asks is answered.
    fn look_at(&mut self, cache: &'static Cache, key: u64, now_ms: u64) {
        let Some(asking) = self.questions.get_mut(&key) else {
            return;
        };
        let terms = terms(key, now_ms);
        let bystander = asking.bystander.as_ref();
        match bystander.and_then(|bystander| bystander.look(cache, terms)) {
            None if now_ms >= asking.wanted.until_ms => {
                self.end(key, Err(LookupError::Failed(Failure::Timeout)));
            }
            None => self.elsewhere.push_back(key),
            Some(Waited::Over(verdict)) => {
                asking.bystander = None;
                match shared(cache, &asking.wanted, verdict) {
                    Some(result) => {
                        metrics::count(Metric::Coalesced);
                        self.end(key, result);
                    }
                    // Where there is nothing to share it is asked for.
                    None => self.queue.push_back(key),
                }
            }
            Some(Waited::Joined(claim)) => {
                asking.bystander = None;
                asking.right = claim.into_right();
                self.queue.push_front(key);
            }
            Some(_) => self.end(key, Err(LookupError::Failed(Failure::Timeout))),
        }
    }

    /// A question has come to its end.
    fn end(&mut self, key: u64, result: Result<Next, LookupError>) {
        let Some(asking) = self.questions.remove(&key) else {
            return;
        };
        if let (Some(right), Some(cache)) = (asking.right, Cache::instance()) {
            right.finish(cache, None);
        }
        let answer = Arc::new(Answer {
            result,
            server: None,
        });
        tell(&mut self.answered, asking.seekers, key, &answer);
    }
}

fn tell(answered: &mut Vec<Answered>, seekers: Vec<u64>, key: u64, answer: &Arc<Answer>) {
    answered.extend(seekers.into_iter().map(|seeker| Answered {
        seeker,
        key,
        answer: Arc::clone(answer),
    }));
}

fn now_us() -> u64 {
    crate::host::clock::monotonic_ns() / 1000
}

fn limit_ms() -> u64 {
    resolver::longest_ms().clamp(1, LIMIT_MS)
}

fn terms(key: u64, now_ms: u64) -> Terms {
    let mut terms = Terms::new(now_ms, Some(limit_ms()), None);
    terms.alone = backoff::failed_lately(key);
    terms
}

/// The result that another's query brought for a question.
fn shared(
    cache: &Cache,
    wanted: &Wanted,
    verdict: Option<Verdict>,
) -> Option<Result<Next, LookupError>> {
    match known(
        cache,
        &wanted.name,
        wanted.qtype,
        &mut MAX_CNAME_HOPS.clone(),
    ) {
        Known::Entry(entry) => return Some(Ok(Next::Entry(entry))),
        Known::TooLong => return Some(Err(LookupError::CnameChain)),
        Known::Miss(Some(target)) => return Some(Ok(Next::Ask(target))),
        Known::Miss(None) => {}
    }
    Some(match verdict? {
        Verdict::Entry(entry) => Ok(Next::Entry(entry)),
        Verdict::Error(error) => Err(error),
    })
}

/// Stores what became of a question.
fn settle(
    cache: &Cache,
    wanted: &Wanted,
    right: Option<Right>,
    timed: resolver::Timed,
) -> (u64, Arc<Answer>) {
    let question = Question {
        qname: &wanted.name,
        qtype: wanted.qtype,
    };
    resolver::note_slow_query(&question, timed.took_ms);
    let asked = Asked {
        name: &wanted.name,
        qtype: wanted.qtype,
        longest_life_s: wanted.longest_life_s,
        key: wanted.key,
        was_unknown: false,
        flags: wanted.flags,
        renews: false,
        waited_s: timed.silent_s(),
        waits_for_memory: false,
    };
    let result = store::settle(cache, &asked, timed.outcome, &mut MAX_CNAME_HOPS.clone());
    if let Some(right) = right {
        right.finish(cache, verdict_of(&result));
    }
    let answer = Answer {
        result,
        server: timed.server,
    };
    (wanted.key, Arc::new(answer))
}

/// Asks questions of a search on this thread's own way to the servers, where a test has put one of its own, and waits
/// for all answers.
#[cfg(feature = "testing")]
#[must_use]
pub fn ask_for_tests(wanted: &[Wanted]) -> Vec<(u64, Arc<Answer>)> {
    let Some(cache) = Cache::instance() else {
        return Vec::new();
    };
    let questions: Vec<_> = wanted
        .iter()
        .map(|wanted| Question {
            qname: &wanted.name,
            qtype: wanted.qtype,
        })
        .collect();
    let until_ms = resolver::now_ms().saturating_add(limit_ms());
    let outcomes = resolver::query_all(&questions, Some(until_ms));
    let settled = wanted.iter().zip(outcomes).map(|(wanted, outcome)| {
        let timed = resolver::Timed {
            outcome,
            took_ms: 0,
            server: None,
        };
        settle(cache, wanted, None, timed)
    });
    settled.collect()
}
