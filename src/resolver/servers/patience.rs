//! How long answers of a server usually take, and how long it is waited for.

use std::sync::atomic::Ordering;

use super::super::resend;
use super::{Server, Slot};

/// Waiting time that is taken as silence before any round trip was measured, ms (RFC 6298 section 2.1).
const FIRST_RTO_MS: u64 = 1000;
/// Least such time, ms: a server that has to ask others takes longer than one that knows.
const MIN_RTO_MS: u64 = 500;
/// After how long a query is sent again before any round trip was measured, ms.
pub(in super::super) const FIRST_RESEND_MS: u64 = 300;
/// The least such time, ms.
const MIN_RESEND_MS: u64 = 200;
/// The time that the machine adds to a round trip now and then, µs.
const CLOCK_US: u64 = 1000;
/// How often that time may be doubled.
const MAX_BACKOFF: u32 = 5;
/// After how long without an answer a server is in doubt before any round trip was measured, ms. Together with
/// the next one that is less than half a second.
const FIRST_DOUBT_MS: u64 = 100;
/// How long the answer to the probe is then waited for, ms.
const FIRST_PATIENCE_MS: u64 = 380;
/// The longest that either takes, ms, however slow a server's answers are.
const MAX_PATIENCE_MS: u64 = 1000;

impl Server {
    /// How long the probe is waited for, ms: it is answered as soon as it arrives.
    pub(in super::super) fn probe_patience_ms(&self) -> u64 {
        let round_trip = self.slot().round_trip.load(Ordering::Relaxed);
        if round_trip == 0 {
            return FIRST_PATIENCE_MS;
        }
        let smoothed_ms = (round_trip & u64::from(u32::MAX)) / 1000;
        (2 * smoothed_ms).clamp(MIN_RESEND_MS, MAX_PATIENCE_MS)
    }

    /// An answer came to a query that was sent more than once, so long after the last time. Which packet it answers is
    /// not known, so the next query gets more time (RFC 6298 section 5); unless it came as soon after the last packet
    /// as answers come: then that is what it answers, and something was lost.
    pub(in super::super) fn note_resent(&self, again: u32, after_us: u64) {
        let slot = self.slot();
        if slot.is_usual(after_us) {
            return;
        }
        let doubled = slot.backoff.load(Ordering::Relaxed).saturating_add(again);
        slot.backoff
            .store(doubled.min(MAX_BACKOFF), Ordering::Relaxed);
    }

    /// After how long without an answer it is asked whether the server lives, and a query is sent again, ms.
    pub(in super::super) fn patience_ms(&self) -> (u64, u64) {
        let slot = self.slot();
        let backoff = slot.backoff.load(Ordering::Relaxed).min(MAX_BACKOFF);
        match slot.measured_ms() {
            Some(usual_ms) => (usual_ms.min(MAX_PATIENCE_MS), usual_ms << backoff),
            None => (FIRST_DOUBT_MS, FIRST_RESEND_MS << backoff),
        }
    }

    /// True when a packet may be sent again now; counts it.
    pub(in super::super) fn may_resend(&self, now_ms: u64) -> bool {
        let slot = self.slot();
        let queries = slot.queries.load(Ordering::Relaxed);
        let may = resend::take_allowance(&slot.allowance, queries, now_ms);
        if may {
            slot.resends.fetch_add(1, Ordering::Relaxed);
        }
        may
    }

    /// After how long without a reply something is wrong, ms (RFC 6298 section 2).
    pub(in super::super) fn silence_ms(&self) -> u64 {
        let round_trip = self.slot().round_trip.load(Ordering::Relaxed);
        if round_trip == 0 {
            return FIRST_RTO_MS;
        }
        let (smoothed, variation) = (round_trip & u64::from(u32::MAX), round_trip >> 32);
        ((smoothed + 4 * variation) / 1000).max(MIN_RTO_MS)
    }

    /// How long its answers usually take at the utmost, µs; `None` = never measured.
    pub(in super::super) fn usual_us(&self) -> Option<u64> {
        let round_trip = self.slot().round_trip.load(Ordering::Relaxed);
        let (smoothed, variation) = (round_trip & u64::from(u32::MAX), round_trip >> 32);
        (round_trip != 0).then_some(smoothed + 4 * variation)
    }
}

impl Slot {
    /// How long an answer usually takes, at the utmost, ms; `None` = never measured.
    fn measured_ms(&self) -> Option<u64> {
        let round_trip = self.round_trip.load(Ordering::Relaxed);
        let (smoothed, variation) = (round_trip & u64::from(u32::MAX), round_trip >> 32);
        (round_trip != 0).then(|| ((smoothed + 4 * variation) / 1000).max(MIN_RESEND_MS))
    }

    /// True for a time that an answer may well take, by what was measured.
    fn is_usual(&self, took_us: u64) -> bool {
        let round_trip = self.round_trip.load(Ordering::Relaxed);
        let (smoothed, variation) = (round_trip & u64::from(u32::MAX), round_trip >> 32);
        let longest = smoothed + 4 * variation + CLOCK_US;
        round_trip != 0 && (smoothed / 2..=longest).contains(&took_us)
    }
}

/// RFC 6298 section 2: variation and mean with weights 1/4 and 1/8.
pub(super) fn smoothed(old: u64, took_us: u32) -> u64 {
    let took = u64::from(took_us);
    let (mean, variation) = (old & u64::from(u32::MAX), old >> 32);
    let (mean, variation) = if old == 0 {
        (took, took / 2)
    } else {
        let deviation = mean.abs_diff(took);
        ((7 * mean + took) / 8, (3 * variation + deviation) / 4)
    };
    mean.max(1) | variation << 32
}
