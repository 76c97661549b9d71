//! The state of each server, for people.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use super::super::health::ProbeHabit;
use super::{Ability, LATENCY_BUCKETS, SERVERS, Slot};
use crate::host::clock;

/// The state of one server, over all processes.
#[derive(Clone, Debug)]
pub struct ServerStatus {
    /// Where it listens.
    pub address: SocketAddr,
    /// True: the server is asked in its turn. Else it is asked when nothing better is left, and tried now and then.
    pub up: bool,
    /// How it takes the probe.
    pub probe: ProbeHabit,
    /// Timeouts and network errors since the last answer.
    pub failures: u32,
    /// Smoothed round trip time, µs (RFC 6298); 0 = never measured.
    pub round_trip_us: u32,
    /// Variation of it, µs.
    pub variation_us: u32,
    /// Queries sent, copies and repetitions after an answer included.
    pub queries: u64,
    /// Packets that were sent again because no answer came.
    pub resends: u64,
    /// Replies that fitted a query, errors included.
    pub answers: u64,
    /// Queries that were not answered in time.
    pub timeouts: u64,
    /// Replies that were errors, and failures to reach the server.
    pub errors: u64,
    /// Number of answers that took 2^i to 2^(i+1) - 1 µs; the last bucket holds longer ones, too.
    pub latency: [u32; LATENCY_BUCKETS],
    /// The server is asked without EDNS, because it did not understand that.
    pub without_edns: bool,
    /// The server is asked with letters as they are (`dns_0x20`), because it did not repeat them.
    #[cfg(feature = "testing")]
    pub without_case_echo: bool,
    /// The server gave a cookie (`dns_cookies`).
    #[cfg(feature = "testing")]
    pub has_cookie: bool,
}

/// The servers asked so far, in no order.
#[must_use]
pub fn snapshot() -> Vec<ServerStatus> {
    let now_ms = clock::monotonic_ms();
    let status = |slot: &Slot| {
        let address = slot.socket_address()?;
        let round_trip = slot.round_trip.load(Ordering::Relaxed);
        let mut latency = [0; LATENCY_BUCKETS];
        for (count, cell) in latency.iter_mut().zip(&slot.latency) {
            *count = cell.load(Ordering::Relaxed);
        }
        Some(ServerStatus {
            address,
            up: slot.health.is_up(),
            probe: slot.health.habit(),
            failures: slot.health.failures(),
            round_trip_us: round_trip as u32,
            variation_us: (round_trip >> 32) as u32,
            queries: slot.queries.load(Ordering::Relaxed),
            resends: slot.resends.load(Ordering::Relaxed),
            answers: slot.answers.load(Ordering::Relaxed),
            timeouts: slot.timeouts.load(Ordering::Relaxed),
            errors: slot.errors.load(Ordering::Relaxed),
            latency,
            without_edns: slot.lacks(Ability::Edns, now_ms),
            #[cfg(feature = "testing")]
            without_case_echo: slot.lacks(Ability::CaseEcho, now_ms),
            #[cfg(feature = "testing")]
            has_cookie: slot.cookies.has_server(),
        })
    };
    SERVERS.get().iter().filter_map(status).collect()
}
