//! Requests that have ended and were not fetched yet, in the order of their ends.
//!
//! A program that has thousands of them fetches and releases one after the other, so neither may cost more when there
//! are more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::request::Request;

/// By place, from 1 on. The context's lock is held by whoever has it, which orders the places in the requests, too.
#[derive(Debug, Default)]
pub(super) struct Finished {
    requests: BTreeMap<u64, Arc<Request>>,
    last: u64,
}

impl Finished {
    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(super) fn push(&mut self, request: Arc<Request>) {
        self.last += 1;
        request.finished_as.store(self.last, Ordering::Relaxed);
        self.requests.insert(self.last, request);
    }

    pub(super) fn pop_first(&mut self) -> Option<Arc<Request>> {
        let (_, request) = self.requests.pop_first()?;
        request.finished_as.store(0, Ordering::Relaxed);
        Some(request)
    }

    /// Takes a request out, if it is one of them.
    pub(super) fn remove(&mut self, request: &Request) {
        let place = request.finished_as.load(Ordering::Relaxed);
        self.requests.remove(&place);
    }
}
