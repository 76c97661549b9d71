//! One deadline for all the queries of one SIP resolve (`dns_resolve_deadline`).
//!
//! A search for targets asks many questions: NAPTR, SRV, A, AAAA. Each has its own bound, and their sum
//! is more than a SIP worker can wait. A [`Scope`] spans the search; its time starts with the first
//! question that must be asked, so a search that the cache answers does not even look at a clock.

use std::cell::Cell;

use crate::host::metrics::{self, Metric};
use crate::host::options::{self, ExtraOpt};
use crate::resolver;

thread_local! {
    static STATE: Cell<State> = const { Cell::new(State { depth: 0, until_ms: 0, missed: false }) };
}

#[derive(Clone, Copy)]
struct State {
    /// Scopes within each other.
    depth: u32,
    /// 0 = no question was asked yet; `u64::MAX` = no limit.
    until_ms: u64,
    missed: bool,
}

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
        state.missed = false;
    }
    state.depth += 1;
    STATE.set(state);
    Scope(())
}

impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        let mut state = STATE.get();
        state.depth = state.depth.saturating_sub(1);
        STATE.set(state);
        if state.depth == 0 && state.missed {
            metrics::count(Metric::Deadline);
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
        state.until_ms = match u64::from(options::extra(ExtraOpt::ResolveDeadline)) {
            0 => u64::MAX,
            ms => resolver::now_ms().saturating_add(ms),
        };
        STATE.set(state);
    }
    Some(state.until_ms).filter(|&ms| ms != u64::MAX)
}

/// True when the deadline has come; notes that it mattered.
pub(super) fn is_over() -> bool {
    let over = current().is_some_and(|until_ms| resolver::now_ms() >= until_ms);
    if over {
        let mut state = STATE.get();
        state.missed = true;
        STATE.set(state);
    }
    over
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
}
