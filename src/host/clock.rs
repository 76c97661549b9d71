//! Time: ticks for expiry, milliseconds for deadlines.
//!
//! A tick is 1/16 s in a 32-bit counter that starts anywhere and wraps: compare only with
//! [`is_past`], and never treat 0 as "long ago".
#![allow(unsafe_code, reason = "clock_gettime")]

use std::sync::atomic::Ordering;

use super::{kamailio, standalone};

/// Ticks in one second (`TIMER_TICKS_HZ`).
pub const TICKS_PER_S: u32 = 16;

/// The host's current tick.
#[must_use]
pub fn now_ticks() -> u32 {
    match kamailio::ticks() {
        Some(ticks) => ticks,
        None => standalone_ticks(),
    }
}

fn standalone_ticks() -> u32 {
    let ms = monotonic_coarse_ms() + standalone::page().clock_offset_ms.load(Ordering::Relaxed);
    // 1000 / 16 = 62.5 ms a tick; the counter is meant to wrap.
    (ms * 2 / 125) as u32
}

/// True when `expire` is not in the future of `now`, in wrapping 32-bit arithmetic.
#[must_use]
pub fn is_past(expire: u32, now: u32) -> bool {
    now.wrapping_sub(expire) as i32 >= 0
}

/// Seconds from `now` to `expire`, rounded towards zero; negative when over.
#[must_use]
pub fn seconds_until(expire: u32, now: u32) -> i32 {
    expire.wrapping_sub(now) as i32 / TICKS_PER_S as i32
}

/// The tick `ttl` seconds after `now`; `ttl` is at most [`crate::rr::MAX_TTL_S`].
#[must_use]
pub fn after_seconds(now: u32, ttl: u32) -> u32 {
    now.wrapping_add(ttl.min(crate::rr::MAX_TTL_S).wrapping_mul(TICKS_PER_S))
}

/// Milliseconds of the monotonic clock, for deadlines within one process.
#[must_use]
pub fn monotonic_ms() -> u64 {
    monotonic_ns() / 1_000_000
}

/// Nanoseconds of the monotonic clock.
#[must_use]
pub fn monotonic_ns() -> u64 {
    read_clock(libc::CLOCK_MONOTONIC)
}

/// Processor time that the calling thread has used, ns.
#[cfg(feature = "fault_injection")]
#[must_use]
pub fn thread_cpu_ns() -> u64 {
    read_clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// As [`monotonic_ms`], a few milliseconds behind: for what need not be exact.
#[must_use]
pub fn monotonic_coarse_ms() -> u64 {
    read_clock(libc::CLOCK_MONOTONIC_COARSE) / 1_000_000
}

fn read_clock(id: libc::clockid_t) -> u64 {
    if cfg!(any(loom, miri)) {
        // Models have no time: it would differ each time that they are run.
        return 1_000_000_000_000;
    }
    let mut ts = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `ts` is a valid timespec that the call may write to; the clock ids used here exist
    // on every Linux that Rust supports, so the call cannot fail.
    unsafe { libc::clock_gettime(id, &raw mut ts) };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}

/// Moves the standalone host's clock forward, in every process that shares the option page.
///
/// For tests: expiry can be reached without waiting. Has no effect inside Kamailio.
#[cfg(feature = "testing")]
pub fn advance_for_tests(ms: u64) {
    let offset = &standalone::page().clock_offset_ms;
    offset.fetch_add(ms, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_survives_the_wrap() {
        let now = u32::MAX - 5;
        let expire = after_seconds(now, 1);
        assert_eq!(expire, 10);
        assert!(!is_past(expire, now));
        assert!(is_past(expire, 10));
        assert_eq!(seconds_until(expire, now), 1);
        assert!(!is_past(after_seconds(now, u32::MAX), now));
    }

    #[test]
    fn virtual_clock_moves_ticks() {
        let before = now_ticks();
        advance_for_tests(10_000);
        assert!(now_ticks().wrapping_sub(before) >= 160);
    }
}
