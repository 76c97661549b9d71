//! When a question that failed may be asked again (RFC 9520 section 3.2).
//!
//! The first failure is remembered for `dns_failure_ttl`; each further one in a row for twice as long, up to
//! `dns_failure_max_ttl`. A question that stayed silent is remembered at least for as long as calls waited for it,
//! within that limit: the next call must not wait for all that time again. A table in shared memory counts them. The
//! table is small and forgets: a question that shares a place with another failing question is asked a little sooner,
//! nothing more.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::host::clock::{self, TICKS_PER_S};
use crate::host::options::{self, ExtraOpt};
use crate::host::shared::Shared;
use crate::rr::MAX_TTL_S;

const PLACES: usize = 8192;
/// Doubling that often reaches any limit.
const MAX_STREAK: u32 = 16;

/// Each: tick until which not to ask (32 bits), failures in a row (8), part of the key (24); 0 = nothing.
static TABLE: Shared<[AtomicU64; PLACES]> = Shared::new();

/// Maps the table; before fork.
pub(super) fn prepare() {
    TABLE.get();
}

fn place(key: u64) -> Option<&'static AtomicU64> {
    TABLE.get().get(key as usize % PLACES)
}

fn tag(key: u64) -> u64 {
    key >> 40
}

/// Tick and failures in a row of a question.
fn state(key: u64) -> Option<(u32, u32)> {
    let word = place(key)?.load(Ordering::Relaxed);
    let streak = (word >> 24) as u32 & 0xff;
    (streak > 0 && word & 0xff_ffff == tag(key)).then_some(((word >> 32) as u32, streak))
}

/// Notes a failure; gives the time for which not to ask again, s, 0 = none; not less than `least_s` within what
/// `dns_failure_max_ttl` allows.
pub(super) fn failed(key: u64, least_s: u32, now: u32) -> u32 {
    let (first, most) = limits();
    if first == 0 {
        return 0;
    }
    // After a good while without any failure the next one is a first again.
    let streak = match state(key) {
        Some((until, streak)) if is_in_a_row(until, most, now) => (streak + 1).min(MAX_STREAK),
        _ => 1,
    };
    let ttl = first.saturating_mul(1 << (streak - 1));
    let ttl = ttl.max(least_s).min(most);
    if let Some(place) = place(key) {
        let until = now.wrapping_add(ttl * TICKS_PER_S);
        let word = u64::from(until) << 32 | u64::from(streak) << 24 | tag(key);
        place.store(word, Ordering::Relaxed);
    }
    ttl
}

/// Notes that the question was answered.
pub(super) fn answered(key: u64) {
    for key in [key, of_passing_over(key)] {
        if state(key).is_some()
            && let Some(place) = place(key)
        {
            place.store(0, Ordering::Relaxed);
        }
    }
}

/// The key under which it is noted that a question was passed over: no failure, for who has nothing else still asks it.
fn of_passing_over(key: u64) -> u64 {
    key ^ 0x9e37_79b9_7f4a_7c15
}

/// Notes that a question was silent while another way was open.
pub(super) fn passed_over(key: u64, now: u32) {
    failed(of_passing_over(key), 0, now);
}

/// True while what else there is comes first, as after a failure.
pub(super) fn is_passed_over(key: u64, now: u32) -> bool {
    is_waiting(of_passing_over(key), now)
}

/// True when it was passed over the last time, and that is no good while ago.
pub(super) fn was_passed_over_lately(key: u64) -> bool {
    failed_lately(of_passing_over(key))
}

/// True while the question is not to be asked again.
pub(super) fn is_waiting(key: u64, now: u32) -> bool {
    state(key).is_some_and(|(until, _)| !clock::is_past(until, now))
}

/// True when the question was not answered the last time that it was asked, and that is no good while ago.
pub(super) fn failed_lately(key: u64) -> bool {
    state(key).is_some_and(|(until, _)| is_in_a_row(until, limits().1, clock::now_ticks()))
}

/// True when a failure now would be one more in a row with that of which the time for not asking ended at a tick.
fn is_in_a_row(until: u32, most: u32, now: u32) -> bool {
    !clock::is_past(clock::after_seconds(until, most), now)
}

/// True when the question was not answered the last time that it was asked.
pub(super) fn has_failed(key: u64) -> bool {
    state(key).is_some()
}

/// First and longest time, s.
fn limits() -> (u32, u32) {
    let first = options::extra(ExtraOpt::FailureTtl).min(MAX_TTL_S);
    (
        first,
        options::extra(ExtraOpt::FailureMaxTtl).clamp(first, MAX_TTL_S),
    )
}

/// Forgets everything.
pub(super) fn forget() {
    for place in TABLE.get() {
        if place.load(Ordering::Relaxed) != 0 {
            place.store(0, Ordering::Relaxed);
        }
    }
}
