//! The two counters of group `dns`.
//!
//! In Kamailio they live in the host's counter rows; standalone programs read ours.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{metrics, standalone};

/// Which counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// `failed_dns_request`: a lookup failed; once a lookup, whatever the reason (B48).
    FailedRequest,
    /// `slow_dns_request`: a query took longer than `dns_slow_query_ms`.
    SlowRequest,
}

fn cell(counter: Counter) -> &'static AtomicU64 {
    let page = standalone::page();
    match counter {
        Counter::FailedRequest => &page.failed_requests,
        Counter::SlowRequest => &page.slow_requests,
    }
}

/// Adds one.
pub fn increment(counter: Counter) {
    if metrics::is_uncounted() {
        return;
    }
    cell(counter).fetch_add(1, Ordering::Relaxed);
    super::kamailio::increment_counter(counter);
}

/// The value, over all processes that share the option page.
#[cfg(feature = "testing")]
#[must_use]
pub fn value(counter: Counter) -> u64 {
    cell(counter).load(Ordering::Relaxed)
}
