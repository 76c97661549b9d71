//! Questions that are left open.
//!
//! A search for targets waits for each question for twice the time that answers usually take. A question that is silent
//! for longer is left open, and the search goes on with the next target, family or transport. When no way leads to a
//! target, the search waits for the first answer, and goes through its tree again with all answers that came. So a
//! silent question costs no more than twice the usual time where another way is open, and has all its time where none
//! is. A question that can close a transport is not passed over: see [`crate::select::security`].
//!
//! The records of open questions belong to one thread and to one search. Questions that are open at the search's end go
//! on with the refresher, or else in their thread ([`super::unwaited`]). For a moment ([`super::backoff`]) calls that
//! have another way pass such a question over at once. A question passed over has not failed: a call without another
//! way asks, and waits.

use crate::cache::{Cache, due};
use crate::error::{Failure, LookupError};
use crate::host::clock;
use crate::host::counters::{self, Counter};
use crate::host::metrics::{self, Metric};
use crate::host::own_thread::{OfThread as _, OwnThread};
use crate::resolver::{self, Outcome, Question, Ticket, Timed, WaitedForOpen};
use crate::rr::{MAX_CNAME_HOPS, RecordType};

use super::flight::Claim;
use super::store::{self, Asked, Next};
use super::unwaited::{self, Unwaited};
use super::{backoff, crowd, deadline, handed_on};

/// Questions of one call that are left open, at most; those beyond are waited for to their end.
const MOST: usize = 16;

thread_local! {
    static OPEN: OwnThread<Book> = const { OwnThread::new() };
}

/// The questions that a call has left open, and their results.
#[derive(Default)]
struct Book {
    questions: Vec<OpenQuestion>,
    /// Some were answered since the tree was begun: to go on with it would be for nothing.
    is_outdated: bool,
    /// When questions of other processes, of which none is answered, were waited for for long enough in this pass, ms;
    /// 0 = none is waited for.
    others_until_ms: u64,
    /// Some were left to other processes, or not asked because they were silent a moment ago.
    has_passed_over: bool,
    /// Nothing is passed over any more: nothing else has led anywhere.
    asks_all: bool,
}

/// A question that was left open.
struct OpenQuestion {
    name: Vec<u8>,
    qtype: RecordType,
    flags: u32,
    longest_life_s: u32,
    key: u64,
    /// When it was sent, ms.
    sent_ms: u64,
    /// When the call's deadline has it end, ms.
    end_ms: Option<u64>,
    /// The search has come to it, not only asked for it along with another.
    is_wanted: bool,
    claim: Option<Claim>,
    state: State,
}

/// How far it has got.
enum State {
    Open(Ticket),
    /// The question is not asked again, whether the cache keeps the result or not.
    Answered(Result<Next, LookupError>),
}

/// The passes of a search through its tree; while it lives, questions may be left open.
#[derive(Debug)]
#[must_use]
pub struct Passes(());

/// Begins to go through a tree, within a [`deadline::Scope`].
#[inline]
pub fn passes() -> Passes {
    deadline::let_open(true);
    Passes(())
}

impl Passes {
    /// Whether the tree is to be gone through again; `found`: it led to something.
    #[inline]
    #[must_use]
    pub fn go_on(&self, found: bool) -> bool {
        let goes_on = deadline::has_left_open() && go_on(found);
        if goes_on {
            deadline::begin_pass();
        }
        goes_on
    }
}

impl Drop for Passes {
    #[inline]
    fn drop(&mut self) {
        deadline::let_open(false);
        if deadline::has_left_open() {
            end();
        }
    }
}

#[cold]
fn go_on(found: bool) -> bool {
    if deadline::asks_no_more() {
        // The call has given up.
        return false;
    }
    collect();
    let (is_outdated, is_open) = OPEN.with_borrow_mut(|book| {
        book.others_until_ms = 0;
        let is_open = |question: &OpenQuestion| matches!(question.state, State::Open(_));
        let is_open = book.questions.iter().any(is_open);
        (std::mem::take(&mut book.is_outdated), is_open)
    });
    if is_outdated {
        return true;
    }
    if found {
        return false;
    }
    // Questions that were passed over come before the wait: one of them may be all that there is.
    let passed_over = OPEN.with_borrow_mut(|book| {
        let passed_over = std::mem::take(&mut book.has_passed_over);
        book.asks_all |= passed_over;
        passed_over
    });
    if is_open && !passed_over {
        let has_waited = wait();
        collect();
        OPEN.with_borrow_mut(|book| book.is_outdated = false);
        return has_waited;
    }
    passed_over
}

/// Waits for whatever is answered first; false when nothing is open, or the call has to give up.
fn wait() -> bool {
    let name = OPEN.with_borrow(|book| {
        let mut questions = book.questions.iter();
        let open = questions.find(|q| matches!(q.state, State::Open(_)));
        open.map(|open| open.name.clone())
    });
    let (Some(name), Some(cache)) = (name, Cache::instance()) else {
        return false;
    };
    let began_ms = || deadline::began_ms().unwrap_or_else(resolver::now_ms);
    let crowd = crowd::enter(cache, &name, began_ms);
    match crowd::while_in(crowd.as_ref(), resolver::wait_for_open) {
        WaitedForOpen::Answered => true,
        WaitedForOpen::Nothing => false,
        WaitedForOpen::GivenUp => {
            crowd::note_given_up(&name);
            deadline::ask_no_more();
            false
        }
    }
}

/// True when a question that is asked now may be left open.
pub(super) fn may_leave() -> bool {
    deadline::lets_open() && OPEN.with_borrow(|book| book.questions.len() < MOST)
}

/// The result of a question that was left open in this call; `None` = it was not left open.
pub(super) fn known(key: u64) -> Option<Result<Next, LookupError>> {
    if !deadline::has_left_open() {
        return None;
    }
    OPEN.with_borrow_mut(|book| book.known(key))
}

impl Book {
    fn known(&mut self, key: u64) -> Option<Result<Next, LookupError>> {
        if let Some(question) = self.questions.iter_mut().find(|q| q.key == key) {
            question.is_wanted = true;
            return Some(match &question.state {
                State::Open(_) => Err(LookupError::Open),
                State::Answered(result) => result.clone(),
            });
        }
        // The tree will be begun again.
        self.is_outdated.then_some(Err(LookupError::Open))
    }
}

/// Leaves a question open: it was sent at that time, ms, and the call's deadline has it end at the other.
pub(super) fn add(
    asked: &Asked<'_>,
    (ticket, claim): (Ticket, Option<Claim>),
    (sent_ms, end_ms): (u64, Option<u64>),
    is_wanted: bool,
) {
    let question = OpenQuestion {
        name: asked.name.to_vec(),
        qtype: asked.qtype,
        flags: asked.flags,
        longest_life_s: asked.longest_life_s,
        key: asked.key,
        sent_ms,
        end_ms,
        is_wanted,
        claim,
        state: State::Open(ticket),
    };
    if is_wanted {
        metrics::count(Metric::Miss);
    }
    deadline::note_open();
    OPEN.with_borrow_mut(|book| book.questions.push(question));
}

/// True for a question that was silent a moment ago: other ways come first.
pub(super) fn passes_over(key: u64) -> bool {
    backoff::is_passed_over(key, clock::now_ticks()) && leaves_to_others()
}

/// True for a question that was silent lately and is asked by another: one is enough to find out whether it still is.
pub(super) fn leaves_to_prober(key: u64) -> bool {
    backoff::was_passed_over_lately(key) && leaves_to_others()
}

/// How long questions of other processes may still be waited for in this pass, ms; `None` = for as long as it takes.
pub(super) fn patience_with_others_ms(now_ms: u64) -> Option<u64> {
    OPEN.with_borrow_mut(|book| {
        if book.others_until_ms == 0 {
            book.others_until_ms = now_ms.saturating_add(resolver::while_ms());
        }
        (!book.asks_all).then_some(book.others_until_ms.saturating_sub(now_ms))
    })
}

/// Others have answered, so the next question that others ask has its own time.
pub(super) fn others_go_on() {
    OPEN.with_borrow_mut(|book| book.others_until_ms = 0);
}

/// Leaves a question to others, unless nothing else has led anywhere.
pub(super) fn leaves_to_others() -> bool {
    let leaves = OPEN.with_borrow_mut(|book| {
        book.has_passed_over |= !book.asks_all;
        !book.asks_all
    });
    if leaves {
        deadline::note_open();
    }
    leaves
}

/// Keeps what was answered meanwhile.
#[inline]
pub(super) fn collect() {
    if deadline::has_left_open() {
        collect_answered();
    }
}

/// Stores what has come for questions of this thread that nobody waits for; true when there are any.
#[inline]
pub(super) fn look_at_unwaited() -> bool {
    let is_any = unwaited::is_any();
    if is_any {
        store_unwaited();
    }
    is_any
}

#[cold]
fn store_unwaited() {
    resolver::look_at_open();
    collect_answered();
    unwaited::end_old();
}

/// Keeps what was answered, whoever left it open.
#[cold]
fn collect_answered() {
    for (ticket, timed) in resolver::take_answered() {
        let found = OPEN.with_borrow_mut(|book| {
            let mut questions = book.questions.iter();
            let is = |q: &OpenQuestion| matches!(q.state, State::Open(open) if open == ticket);
            let place = questions.position(is)?;
            book.is_outdated = true;
            Some(book.questions.swap_remove(place))
        });
        // Not borrowed while what comes of it is kept and said.
        let Some(cache) = Cache::instance() else {
            continue;
        };
        let Some(mut question) = found else {
            unwaited::settle(cache, ticket, timed);
            continue;
        };
        let result = question.settle(cache, timed);
        question.state = State::Answered(result);
        OPEN.with_borrow_mut(|book| book.questions.push(question));
    }
}

impl OpenQuestion {
    fn asked(&self, waited_s: u32) -> Asked<'_> {
        Asked {
            name: &self.name,
            qtype: self.qtype,
            longest_life_s: self.longest_life_s,
            key: self.key,
            was_unknown: false,
            flags: self.flags,
            renews: false,
            waited_s,
            waits_for_memory: false,
        }
    }

    /// The question, which goes on after the search.
    fn unwaited(&self, ticket: Ticket) -> Unwaited {
        Unwaited {
            ticket,
            name: self.name.clone(),
            qtype: self.qtype,
            key: self.key,
            since_ms: resolver::now_ms(),
        }
    }

    fn waited_ms(&self) -> u64 {
        resolver::now_ms().saturating_sub(self.sent_ms)
    }

    /// Keeps what came of it.
    fn settle(&mut self, cache: &Cache, timed: Timed) -> Result<Next, LookupError> {
        let question = Question {
            qname: &self.name,
            qtype: self.qtype,
        };
        let Timed {
            outcome, took_ms, ..
        } = timed;
        resolver::note_slow_query(&question, took_ms);
        let is_over = self
            .end_ms
            .is_some_and(|end_ms| resolver::now_ms() >= end_ms);
        let is_silent = matches!(outcome, Outcome::Failed(Failure::Timeout));
        if is_over && is_silent {
            deadline::note_end_of_question();
            handed_on::hand_on(&self.name, self.qtype, self.key);
            if self.waited_ms() < deadline::FAIR_MS {
                // Others have more time: one of those who wait for us asks.
                self.claim = None;
                return Err(LookupError::Failed(Failure::Timeout));
            }
        }
        let waited_s = if is_silent {
            resolver::whole_seconds(self.waited_ms())
        } else {
            0
        };
        let asked = self.asked(waited_s);
        let result = store::settle(cache, &asked, outcome, &mut MAX_CNAME_HOPS.clone());
        if let Some(claim) = self.claim.take() {
            claim.finish(cache, store::verdict_of(&result));
        }
        if result.is_err() && self.is_wanted {
            counters::increment(Counter::FailedRequest);
        }
        result
    }
}

/// The search is over. A question that is still open goes on with the refresher. For a moment calls that have another
/// way pass it over; a call that has no other way still asks it.
#[cold]
fn end() {
    deadline::note_none_open();
    let book = OPEN.replace(Book::default());
    let has_refresher = due::is_refresher_alive(clock::now_ticks());
    for mut question in book.questions {
        let State::Open(ticket) = question.state else {
            continue;
        };
        let is_silent = question.is_wanted && question.waited_ms() >= resolver::while_ms();
        if is_silent {
            backoff::passed_over(question.key, clock::now_ticks());
        }
        if is_silent && !has_refresher && unwaited::has_room(question.key) {
            unwaited::keep(question.unwaited(ticket));
        } else {
            resolver::end_open(ticket);
        }
        if is_silent && has_refresher {
            handed_on::hand_on(&question.name, question.qtype, question.key);
        }
        // With a refresher somebody goes on with it.
        let claim = question.claim.take().filter(|_| !has_refresher);
        if let (Some(claim), Some(cache)) = (claim, Cache::instance()) {
            claim.give_up(cache);
        }
    }
}
