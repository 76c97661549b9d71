//! The life of lookups of some names in the log, for a while (`dns.trace`).
//!
//! Code that does something for a name asks whether anybody follows names, which is one load while nobody does. A hit
//! of the cache does not even ask: begin and end are a change of options, from which each process derives the flags of
//! its requests, and the quick ways are not for requests with a flag that they do not know. Following ends by itself:
//! when its time is over, or its lines.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::clock;
use super::log::{Level, Source, name as shown, write};
use super::options::{self, SharedText};
use super::shared::{Shared, shared_struct};
use crate::rr::matches;

/// The longest time, s.
pub const MOST_SECONDS: u32 = 3600;
/// Lines, at most.
pub const MOST_LINES: u32 = 10_000;

shared_struct! {
struct Trace {
    /// Until when, ms; 0 = nobody follows names.
    until_ms: AtomicU64,
    /// Lines that may still be written.
    lines: AtomicU32,
    pattern: SharedText,
}
}

static TRACE: Shared<Trace> = Shared::new();

/// Maps the memory; before fork.
pub(crate) fn prepare() {
    TRACE.get();
}

/// Follows the names that fit a pattern for so many seconds, 0 = no more. False when it cannot be done now.
#[must_use]
pub fn begin(pattern: &[u8], seconds: u32) -> bool {
    let trace = TRACE.get();
    if seconds == 0 {
        trace.end("it was ended");
        return true;
    }
    if !trace.pattern.store(pattern) {
        return false;
    }
    let seconds = seconds.min(MOST_SECONDS);
    trace.lines.store(MOST_LINES, Ordering::Relaxed);
    let until_ms = clock::monotonic_coarse_ms() + 1000 * u64::from(seconds);
    trace.until_ms.store(until_ms, Ordering::Relaxed);
    options::raise_generation();
    crate::log!(Level::Info, "DNS trace: {} for {seconds} s", shown(pattern));
    true
}

/// True while somebody follows names.
#[inline]
#[must_use]
pub fn is_on() -> bool {
    TRACE.get().until_ms.load(Ordering::Relaxed) != 0
}

/// Ends it when its time is over.
pub fn look_at_the_time() {
    if is_on() {
        TRACE.get().is_over();
    }
}

/// Writes a line about a name, if it is followed. Called through the macro [`follow`].
#[cold]
pub fn say(name: &[u8], source: Source, what: fmt::Arguments<'_>) {
    let trace = TRACE.get();
    if trace.is_over() || !matches(&trace.pattern.load(), name) {
        return;
    }
    let counted = trace
        .lines
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        });
    match counted {
        Ok(_) => write(
            Level::Info,
            source,
            format_args!("DNS trace: {}: {what}", shown(name)),
        ),
        Err(_) => trace.end("it has written its lines"),
    }
}

impl Trace {
    fn is_over(&self) -> bool {
        let until_ms = self.until_ms.load(Ordering::Relaxed);
        let is_over = clock::monotonic_coarse_ms() >= until_ms;
        if is_over {
            self.end("its time is over");
        }
        is_over
    }

    /// The swap lets one process alone log the end.
    fn end(&self, why: &str) {
        if self.until_ms.swap(0, Ordering::Relaxed) != 0 {
            options::raise_generation();
            crate::log!(Level::Info, "DNS trace: no more, {why}");
        }
    }
}

/// A line about a name that somebody follows: `follow!(name, "text {value}")`. The arguments are evaluated only then.
macro_rules! follow {
    ($name:expr, $($arg:tt)*) => {
        if $crate::host::follow::is_on() {
            let source = $crate::host::log::Source {
                file: concat!("kamailio-dns/", file!()),
                line: line!(),
            };
            $crate::host::follow::say($name, source, format_args!($($arg)*));
        }
    };
}
pub(crate) use follow;
