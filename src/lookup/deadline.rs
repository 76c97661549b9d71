//! The bounds of one call: time (`dns_resolve_deadline`), queries (`dns_max_queries`), targets without address.
//!
//! A search for targets asks many questions: NAPTR, SRV, A, AAAA. Each has its own bound, and their sum
//! is more than a SIP worker can wait; and who owns a zone decides how many there are, and whom they are sent to
//! (RFC 1034 section 5.3.3). A [`Scope`] spans the search; its time starts with the first
//! question that must be asked, so a search that the cache answers does not even look at a clock. A step of
//! failover is a call of its own.

use std::cell::Cell;

use crate::host::metrics::{self, Metric};
use crate::host::options::{self, ExtraOpt};
use crate::resolver;

/// Targets without address in one call before its search ends: more than any sound set of SRV records has in all,
/// and each costs two looks into the cache even when no query may be sent any more.
pub const MAX_TARGETS_WITHOUT_ADDRESS: u32 = 64;

/// The longest lookup is this often the longest query: by the documented formula, which counts A and AAAA one after the
/// other. The factor leaves room to ask after a wait for an asker that did not come back.
pub(super) const QUERIES_IN_A_ROW: u64 = 2;

/// A query that our own deadline ended sooner says nothing about the nameservers, ms.
#[cfg(feature = "use_dns_cache")]
pub(super) const FAIR_MS: u64 = 1000;

thread_local! {
    static STATE: Cell<State> =
        const { Cell::new(State { depth: 0, until_ms: 0, ran_out: 0, opens: false }) };
    static SPENT: Cell<Spent> = const { Cell::new(Spent { began_ms: 0, queries: 0, targets: 0 }) };
}

#[derive(Clone, Copy)]
struct State {
    /// Scopes within each other.
    depth: u32,
    /// 0 = no question was asked yet; `u64::MAX` = no limit.
    until_ms: u64,
    /// Bits of what ran out and mattered: see [`OUT_OF`]; and [`OPEN`].
    ran_out: u8,
    /// Questions may be left open: see [`super::open`].
    opens: bool,
}

/// The counts of the outermost scope.
#[derive(Clone, Copy, Debug)]
struct Spent {
    /// When the first question was asked, ms of [`resolver::now_ms`].
    #[cfg_attr(
        not(feature = "use_dns_cache"),
        allow(dead_code, reason = "for the cache")
    )]
    began_ms: u64,
    queries: u32,
    /// Targets without address.
    targets: u32,
}

const TIME: u8 = 1;
const QUERIES: u8 = 2;
const TARGETS: u8 = 4;
/// Something was left open.
#[cfg(feature = "use_dns_cache")]
const OPEN: u8 = 8;

/// The counters of calls in which something ran out.
const OUT_OF: [(u8, Metric); 3] = [
    (TIME, Metric::Deadline),
    (QUERIES, Metric::QueryBudget),
    (TARGETS, Metric::TargetBudget),
];

/// While it lives, the questions of this thread share one deadline; within another, that one's.
#[derive(Debug)]
#[must_use]
pub struct Scope(());

/// Begins a scope.
#[inline]
pub fn scope() -> Scope {
    let mut state = STATE.get();
    if state.depth == 0 {
        state.until_ms = 0;
        state.ran_out = 0;
        state.opens = false;
    }
    state.depth += 1;
    STATE.set(state);
    Scope(())
}

/// As [`scope`]; its time begins now, and is no longer than `most_ms`.
#[cfg(feature = "use_dns_cache")]
pub fn scope_within(most_ms: u64) -> Scope {
    let scope = scope();
    current();
    let mut state = STATE.get();
    let until_ms = SPENT.get().began_ms.saturating_add(most_ms);
    state.until_ms = state.until_ms.min(until_ms);
    STATE.set(state);
    scope
}

/// The next step of the same search: its time goes on, its queries and targets are counted anew.
#[cfg(feature = "use_dns_cache")]
pub fn next_step() {
    SPENT.set(Spent {
        queries: 0,
        targets: 0,
        ..SPENT.get()
    });
}

/// The spending of a search that is put aside, and goes on later in the thread that takes it up.
#[cfg(feature = "use_dns_cache")]
#[derive(Clone, Copy, Debug)]
pub struct Spending {
    until_ms: u64,
    ran_out: u8,
    spent: Spent,
}

#[cfg(feature = "use_dns_cache")]
impl Spending {
    /// Of a search that begins now, and has that much time, ms; `None` = as `dns_resolve_deadline` says.
    #[must_use]
    pub fn begin(most_ms: Option<u64>) -> Self {
        let began_ms = resolver::now_ms();
        let most_ms = most_ms.or(match options::extra(ExtraOpt::ResolveDeadline) {
            0 => None,
            ms => Some(ms.into()),
        });
        Self {
            until_ms: most_ms.map_or(u64::MAX, |ms| began_ms.saturating_add(ms)),
            ran_out: 0,
            spent: Spent {
                began_ms,
                queries: 0,
                targets: 0,
            },
        }
    }

    /// When its time is over, ms of [`resolver::now_ms`]; `u64::MAX` = never.
    #[must_use]
    pub fn until_ms(&self) -> u64 {
        self.until_ms
    }

    /// True when it may not ask more, or has met too many targets without address, and that mattered.
    #[must_use]
    pub fn is_out_of_budget(&self) -> bool {
        self.ran_out & (QUERIES | TARGETS) != 0
    }

    /// The next step of the same search: its targets are counted anew.
    pub fn next_step(&mut self) {
        self.spent.targets = 0;
    }

    /// The search is over: counts what ran out.
    pub fn end(&mut self) {
        ended(std::mem::take(&mut self.ran_out));
    }

    /// Runs `work` as a part of the search, whatever else this thread is in the middle of.
    pub fn spend<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let state = State {
            depth: 1,
            until_ms: self.until_ms,
            ran_out: self.ran_out,
            opens: false,
        };
        let _before = Before {
            state: STATE.replace(state),
            spent: SPENT.replace(self.spent),
        };
        let result = work();
        self.ran_out = STATE.get().ran_out;
        self.spent = SPENT.get();
        result
    }
}

/// The search that this thread was in the middle of.
#[cfg(feature = "use_dns_cache")]
struct Before {
    state: State,
    spent: Spent,
}

#[cfg(feature = "use_dns_cache")]
impl Drop for Before {
    fn drop(&mut self) {
        STATE.set(self.state);
        SPENT.set(self.spent);
    }
}

impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        let mut state = STATE.get();
        state.depth = state.depth.saturating_sub(1);
        STATE.set(state);
        if state.depth == 0 && state.ran_out != 0 {
            ended(state.ran_out);
        }
    }
}

#[cold]
fn ended(ran_out: u8) {
    for (what, metric) in OUT_OF {
        if ran_out & what != 0 {
            metrics::count(metric);
        }
    }
}

/// When questions of this thread must have their answers, ms of [`resolver::now_ms`]; `None` = whenever.
///
/// The first call within a scope starts its time.
pub(super) fn current() -> Option<u64> {
    let mut state = STATE.get();
    if state.depth == 0 {
        return None;
    }
    if state.until_ms == 0 {
        let began_ms = resolver::now_ms();
        state.until_ms = match u64::from(options::extra(ExtraOpt::ResolveDeadline)) {
            0 => u64::MAX,
            ms => began_ms.saturating_add(ms),
        };
        STATE.set(state);
        SPENT.set(Spent {
            began_ms,
            queries: 0,
            targets: 0,
        });
    }
    Some(state.until_ms).filter(|&ms| ms != u64::MAX)
}

/// When the questions of this thread's call began, ms of [`resolver::now_ms`]; `None` outside of a scope.
#[cfg(feature = "use_dns_cache")]
pub(super) fn began_ms() -> Option<u64> {
    if STATE.get().depth == 0 {
        return None;
    }
    current();
    Some(SPENT.get().began_ms)
}

/// A time in the past that no deadline is: the call asks nothing more.
#[cfg(feature = "use_dns_cache")]
const ASKS_NO_MORE: u64 = 1;

/// Ends the time of this thread's call: it asks nothing more, and uses what is known.
#[cfg(feature = "use_dns_cache")]
pub fn ask_no_more() {
    let mut state = STATE.get();
    if state.depth > 0 {
        state.until_ms = ASKS_NO_MORE;
        STATE.set(state);
    }
}

/// True when it asks no more.
#[cfg(feature = "use_dns_cache")]
pub(super) fn asks_no_more() -> bool {
    STATE.get().until_ms == ASKS_NO_MORE
}

/// The end of a question that is asked now, ms; `Ok(None)` = it has none.
///
/// `counts` says that it is one of those that a call may ask, `is_last_resort` that nothing else can be done when it
/// fails, so that all the time that is left is its own.
///
/// # Errors
/// None may be asked any more.
pub(super) fn begin_question(counts: bool, is_last_resort: bool) -> Result<Option<u64>, OutOf> {
    if STATE.get().depth == 0 {
        return Ok(None);
    }
    if is_over() || (counts && is_out_of_queries()) {
        return Err(OutOf);
    }
    Ok(if is_last_resort {
        current()
    } else {
        for_question()
    })
}

/// A call has used up its time or its queries.
#[derive(Clone, Copy, Debug)]
pub(super) struct OutOf;

/// When a question that is asked now must have its answer: two thirds of the time that is left are its own, so that a
/// silent one leaves something for what else can be done. With the deadline and the timeout of the defaults the first
/// question still has its second attempt, as after a lost packet.
pub(super) fn for_question() -> Option<u64> {
    let until_ms = current()?;
    let left_ms = until_ms.saturating_sub(resolver::now_ms());
    Some(until_ms - left_ms / 3)
}

/// Notes that a question had no answer in its part of the time.
#[cfg(feature = "use_dns_cache")]
pub(super) fn note_end_of_question() {
    note(TIME);
}

/// Says whether questions may be left open from now on, within this scope.
#[inline]
#[cfg(feature = "use_dns_cache")]
pub(super) fn let_open(opens: bool) {
    let mut state = STATE.get();
    state.opens = opens && state.depth > 0;
    STATE.set(state);
}

/// True when they may.
#[inline]
#[cfg(feature = "use_dns_cache")]
pub(super) fn lets_open() -> bool {
    STATE.get().opens
}

/// Notes that something was left open.
#[cfg(feature = "use_dns_cache")]
pub(super) fn note_open() {
    note(OPEN);
}

/// The search goes through its tree again, and comes to the same targets.
#[cfg(feature = "use_dns_cache")]
pub(super) fn begin_pass() {
    let mut spent = SPENT.get();
    spent.targets = 0;
    SPENT.set(spent);
}

/// Nothing is open any more.
#[cfg(feature = "use_dns_cache")]
pub(super) fn note_none_open() {
    let mut state = STATE.get();
    state.ran_out &= !OPEN;
    STATE.set(state);
}

/// True when something was left open in this scope.
#[inline]
#[cfg(feature = "use_dns_cache")]
pub(super) fn has_left_open() -> bool {
    STATE.get().ran_out & OPEN != 0
}

/// Notes what ran out.
fn note(what: u8) {
    let mut state = STATE.get();
    state.ran_out |= what;
    STATE.set(state);
}

/// True when the deadline has come; notes that it mattered.
pub(super) fn is_over() -> bool {
    let until_ms = current();
    #[cfg(feature = "use_dns_cache")]
    if until_ms == Some(ASKS_NO_MORE) {
        return true;
    }
    let over = until_ms.is_some_and(|until_ms| resolver::now_ms() >= until_ms);
    if over {
        note(TIME);
    }
    over
}

/// True when no further query may be sent for this call; notes that it mattered.
fn is_out_of_queries() -> bool {
    if STATE.get().depth == 0 {
        return false;
    }
    current();
    let allowed = options::extra(ExtraOpt::MaxQueries);
    let is_out = allowed != 0 && SPENT.get().queries >= allowed;
    if is_out {
        note(QUERIES);
    }
    is_out
}

/// Counts questions that are sent.
pub(super) fn spend_queries(questions: usize) {
    let mut spent = SPENT.get();
    let questions = u32::try_from(questions).unwrap_or(u32::MAX);
    spent.queries = spent.queries.saturating_add(questions);
    SPENT.set(spent);
}

/// Counts a target that has no address; true when the search has to end, for there were too many of them.
pub fn is_one_target_too_many() -> bool {
    if STATE.get().depth == 0 {
        return false;
    }
    current();
    let mut spent = SPENT.get();
    spent.targets = spent.targets.saturating_add(1);
    SPENT.set(spent);
    let too_many = spent.targets >= MAX_TARGETS_WITHOUT_ADDRESS;
    if too_many {
        note(TARGETS);
    }
    too_many
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_share_the_outermost_deadline() {
        assert_eq!(current(), None);
        let outer = scope();
        let until = current();
        assert!(until.is_some());
        let inner = scope();
        assert_eq!(current(), until);
        drop(inner);
        assert_eq!(current(), until);
        drop(outer);
        assert_eq!(current(), None);
    }

    #[test]
    fn a_question_leaves_time_for_the_next() {
        let _scope = scope();
        let (until, first) = (current().unwrap(), for_question().unwrap());
        let now = resolver::now_ms();
        assert!(first < until && first > now + (until - now) / 2);
    }

    #[test]
    fn budgets_are_of_the_outermost_scope() {
        let lacking = |targets| (0..targets).any(|_| is_one_target_too_many());
        let outer = scope();
        assert!(!is_out_of_queries());
        spend_queries(63);
        let inner = scope();
        assert!(!is_out_of_queries());
        spend_queries(1);
        drop(inner);
        assert!(is_out_of_queries());
        assert!(!lacking(MAX_TARGETS_WITHOUT_ADDRESS - 1));
        assert!(lacking(1));
        let before = [Metric::QueryBudget, Metric::TargetBudget].map(metrics::value);
        drop(outer);
        let after = [Metric::QueryBudget, Metric::TargetBudget].map(metrics::value);
        assert!(
            after
                .iter()
                .zip(before)
                .all(|(after, before)| *after > before)
        );
        // The next call has its own.
        let next = scope();
        assert!(!is_out_of_queries() && !lacking(1));
        drop(next);
        // Without a call there is nothing to count for.
        assert!(!is_out_of_queries() && !lacking(100));
    }
}
