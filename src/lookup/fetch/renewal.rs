//! A lookup that has stale data: it serves that, or waits for something newer as long as its patience lasts (RFC 8767
//! section 5).

use crate::cache::{EntryRef, due};
use crate::error::LookupError;
use crate::host::clock;
use crate::host::metrics::{self, Metric};
use crate::resolver;

use super::super::flight::{self, Attempt, Terms};
use super::super::source::Source;
use super::super::stale::{self, Stale, serve};
use super::super::{backoff, suspended};
use super::Lookup;

impl Lookup<'_> {
    /// Stale data is there: gives it, or what this call finds out with `fetch` when it is the one that has to ask the
    /// question with this key.
    pub(super) fn renew(
        mut self,
        stale: Stale,
        key: u64,
        fetch: impl FnOnce(&mut Self, Option<Attempt>) -> Result<EntryRef, LookupError>,
    ) -> Result<(EntryRef, Source), LookupError> {
        if backoff::is_waiting(key, clock::now_ticks()) {
            return Ok(serve(stale));
        }
        let mut attempt = None;
        let has_refresher = due::is_refresher_alive(clock::now_ticks());
        // With a refresher the question goes on when this call has had enough of it.
        let patience_ms = || match has_refresher {
            true => resolver::usual_ms(),
            false => stale::PATIENCE_MS,
        };
        if stale.is_recent && has_refresher {
            if stale.was_noted {
                self.cache.note_due(&stale.expired, self.qtype);
            }
            return Ok(serve(stale));
        }
        if suspended::is_on() {
            if !suspended::is_patient(key, patience_ms()) {
                return Ok(serve(stale));
            }
        } else if stale.is_recent || !has_refresher {
            self.times.patience_ms = Some(patience_ms());
            let now = self.attempt_within_patience(key);
            if stale.is_recent && matches!(now, Attempt::Busy(_)) {
                return Ok(serve(stale));
            }
            attempt = Some(now);
        }
        self.times.patience_ms = Some(patience_ms());
        match fetch(&mut self, attempt) {
            Err(LookupError::Open) => Err(LookupError::Open),
            Ok(entry) => {
                metrics::count(Metric::Miss);
                // The expired entry was in use, so the new one is.
                entry.touch(clock::now_ticks());
                Ok((entry, self.source()))
            }
            Err(LookupError::Failed(_) | LookupError::OutOfMemory) => {
                if has_refresher {
                    self.cache.note_due(&stale.expired, self.qtype);
                }
                Ok(serve(stale))
            }
            Err(error) => {
                metrics::count(Metric::Miss);
                Err(error)
            }
        }
    }

    /// Claims a question that gets no more than the patience of this call, if nobody asks it.
    pub(super) fn attempt_within_patience(&self, key: u64) -> Attempt {
        let patience_ms = self.times.patience_ms.or(Some(stale::PATIENCE_MS));
        let terms = Terms::new(resolver::now_ms(), patience_ms, None);
        flight::attempt(self.cache, key, terms.alone())
    }
}
