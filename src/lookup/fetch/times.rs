//! How long a lookup may take, and how long it has waited.
//!
//! All times are ms of [`resolver::now_ms`].

use crate::resolver;

use super::super::deadline;

/// The times of one lookup.
pub(super) struct Times {
    /// When the call's deadline has the question under way end.
    pub(super) question_end_ms: Option<u64>,
    /// When the first question was asked or waited for.
    pub(super) started_ms: Option<u64>,
    /// Time for everything from then on; `None` = the longest that is documented.
    pub(super) patience_ms: Option<u64>,
    /// The time, as long as nothing was waited for since it was read.
    pub(super) clock_ms: Option<u64>,
    /// Since when others have asked the question under way while this lookup waited.
    pub(super) silent_since_ms: Option<u64>,
    /// Names that may be asked for, one after the other.
    pub(super) names: u64,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            question_end_ms: None,
            started_ms: None,
            patience_ms: None,
            clock_ms: None,
            silent_since_ms: None,
            names: 1,
        }
    }
}

impl Times {
    /// When this lookup has to end.
    pub(super) fn until_ms(&mut self) -> Option<u64> {
        let is_first = self.started_ms.is_none();
        let clock_ms = self.clock_ms;
        let started_ms = *self
            .started_ms
            .get_or_insert_with(|| clock_ms.unwrap_or_else(resolver::now_ms));
        let own = match self.patience_ms {
            Some(ms) => Some(ms),
            // A single query ends by itself in time.
            None if is_first => None,
            None => {
                let queries = deadline::QUERIES_IN_A_ROW.saturating_mul(self.names);
                Some(queries.saturating_mul(resolver::longest_ms()))
            }
        };
        let own = own.map(|ms| started_ms.saturating_add(ms));
        own.into_iter().chain(self.question_end_ms).min()
    }

    /// How long a question without answer was waited for, s.
    pub(super) fn waited_s(&self, sent_ms: u64) -> u32 {
        let waited_ms = resolver::now_ms().saturating_sub(self.silent_since(sent_ms));
        resolver::whole_seconds(waited_ms)
    }

    /// Since when the question has been silent: since `sent_ms`, or since others sent it before.
    fn silent_since(&self, sent_ms: u64) -> u64 {
        self.silent_since_ms.map_or(sent_ms, |ms| ms.min(sent_ms))
    }

    /// True when the call's deadline has the question under way end now.
    pub(super) fn is_ended_by_deadline(&self) -> bool {
        let is_over = |end_ms| resolver::now_ms() >= end_ms;
        self.question_end_ms.is_some_and(is_over)
    }

    /// True when it was the call's deadline, or the patience of a call that has stale data, that ended a question
    /// without answer before a server had a fair time to give one.
    pub(super) fn was_cut_short(&self, sent_ms: u64) -> bool {
        let silent_ms = || resolver::now_ms().saturating_sub(self.silent_since(sent_ms));
        let is_short = || silent_ms() < deadline::FAIR_MS;
        (self.patience_ms.is_some() || self.is_ended_by_deadline()) && is_short()
    }
}
