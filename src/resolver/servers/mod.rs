//! The state of each nameserver, in memory that all forked processes share.
//!
//! A server is up or down: `health` says how that is found out. A notice of the network is not enough: anybody can send
//! one, it holds nothing of the query but its ports. Any answer brings the server up again. While the server is down it
//! is asked only when nothing better is left, and now and then tried with the probe, and with a copy of a real query
//! unless it is known to answer the probe: at once after it went down, so that one lost packet costs little, and from
//! then on every `dns_server_retry` seconds, or five times a second while no server is up. The process whose
//! compare-and-swap succeeds makes the try.
//!
//! Everything is a hint: no lock, single words, and a torn or lost update costs a query at worst.

mod abilities;
mod patience;
mod status;

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::cookie::CookieCell;
use super::health::{Health, News, ProbeHabit};
use super::trace;
use crate::host::log::Level;
use crate::host::shared::{Shared, shared_struct};
use crate::host::{clock, query_times, random};
use abilities::ABILITIES;
pub(super) use abilities::{Ability, forget_abilities};
pub(super) use patience::FIRST_RESEND_MS;
use patience::smoothed;
pub use status::{ServerStatus, snapshot};

/// Servers known at a time. More than ever are in use at once: addresses that go out of use are replaced.
const SLOTS: usize = 32;
/// Buckets of the latency histogram: number i counts answers that took 2^i to 2^(i+1) - 1 µs.
pub const LATENCY_BUCKETS: usize = 24;

shared_struct! {
struct Slot {
    /// Hash of the address, never 0 in a slot that is taken. The address behind it only serves people.
    key: AtomicU64,
    address: [AtomicU64; 2],
    /// Port, family in bit 16, scope above bit 32.
    port: AtomicU64,
    /// Last query, ms.
    used_ms: AtomicU64,
    health: Health,
    /// Smoothed round trip time in the low half, its variation above, µs. 0 = never measured.
    round_trip: AtomicU64,
    /// How often the time after which a query is sent again was doubled since the last measurement.
    backoff: AtomicU32,
    /// How many packets may be sent again, see [`super::resend::take_allowance`].
    allowance: AtomicU64,
    resends: AtomicU64,
    queries: AtomicU64,
    answers: AtomicU64,
    timeouts: AtomicU64,
    errors: AtomicU64,
    /// Until when each ability is taken to be missing, ms.
    disabled_ms: [AtomicU64; ABILITIES],
    /// Last sound reply with an OPT record, ms; 0 = none.
    edns_seen_ms: AtomicU64,
    /// The zone of a question that fared better without EDNS, 0 = none, and how long that counts, ms.
    suspect_zone: AtomicU64,
    suspect_until_ms: AtomicU64,
    /// Changes of abilities that no line of the log tells yet, see [`Ability::bit`].
    unsaid: AtomicU32,
    latency: [AtomicU32; LATENCY_BUCKETS],
    cookies: CookieCell,
}
}

static SERVERS: Shared<[Slot; SLOTS]> = Shared::new();
/// Until when a question goes on though no server is up, ms: the one that found it out; see [`claim_finding`].
static FINDER: Shared<[AtomicU64; 1]> = Shared::new();

/// Maps the memory; before fork.
pub(super) fn prepare() {
    SERVERS.get();
    FINDER.get();
    query_times::prepare();
}

/// A server to ask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Server {
    /// Where the server listens.
    pub(super) address: SocketAddr,
    key: u64,
    /// The server's slot at the last look.
    index: usize,
}

impl Server {
    /// Finds the server's slot or takes one for it.
    pub(super) fn at(address: SocketAddr) -> Self {
        let key = key_of(&address);
        Self {
            address,
            key,
            index: find_or_take(&address, key),
        }
    }

    fn slot(&self) -> &'static Slot {
        let slots = SERVERS.get();
        match slots.get(self.index) {
            Some(slot) if slot.key.load(Ordering::Relaxed) == self.key => slot,
            // The slot went to another server while this one was not in use.
            _ => {
                let [first, ..] = slots;
                let index = find_or_take(&self.address, self.key);
                slots.get(index).unwrap_or(first)
            }
        }
    }

    /// False while the server is thought not to answer.
    pub(super) fn is_up(&self) -> bool {
        self.slot().health.is_up()
    }

    /// A query was sent.
    pub(super) fn note_query(&self, now_ms: u64) {
        let slot = self.slot();
        slot.used_ms.store(now_ms, Ordering::Relaxed);
        slot.queries.fetch_add(1, Ordering::Relaxed);
    }

    /// A reply to a query came, whatever it says. `took_us` where that is known to the point.
    pub(super) fn note_reply(&self, now_ms: u64, took_us: Option<u64>) {
        let slot = self.slot();
        if slot.health.answered(now_ms) {
            self.say_changes(now_ms);
        }
        slot.answers.fetch_add(1, Ordering::Relaxed);
        let Some(took_us) = took_us else { return };
        query_times::note(took_us);
        if slot.backoff.load(Ordering::Relaxed) != 0 {
            slot.backoff.store(0, Ordering::Relaxed);
        }
        let took_us = u32::try_from(took_us).unwrap_or(u32::MAX).max(1);
        let old = slot.round_trip.load(Ordering::Relaxed);
        slot.round_trip
            .store(smoothed(old, took_us), Ordering::Relaxed);
        let bucket = (took_us.ilog2() as usize).min(LATENCY_BUCKETS - 1);
        if let Some(count) = slot.latency.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A reply to a query that nobody waited for was found; it came at some time since then.
    pub(super) fn note_reply_since(&self, since_ms: u64, now_ms: u64) {
        let slot = self.slot();
        if slot.health.answered_since(since_ms) {
            self.say_changes(now_ms);
        }
        slot.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// The reply was an error: SERVFAIL, REFUSED, or of no use.
    pub(super) fn note_error(&self) {
        self.slot().errors.fetch_add(1, Ordering::Relaxed);
    }

    /// No reply to a query of `sent_ms` about the zone in its time.
    pub(super) fn note_silence(&self, zone: u64, sent_ms: u64, now_ms: u64) {
        let slot = self.slot();
        slot.timeouts.fetch_add(1, Ordering::Relaxed);
        if slot.health.silent(zone, sent_ms, now_ms) {
            self.say_changes(now_ms);
        }
    }

    /// Counts a query that is not waited for any longer because the server is down.
    pub(super) fn note_passed_over(&self) {
        let slot = self.slot();
        slot.timeouts.fetch_add(1, Ordering::Relaxed);
        slot.health.failed();
    }

    /// The network says that a query did not reach the server, or a connection ended without an answer.
    pub(super) fn note_lost(&self) {
        let slot = self.slot();
        slot.errors.fetch_add(1, Ordering::Relaxed);
        slot.health.failed();
    }

    /// Notes that this host has no route to the server.
    pub(super) fn note_unreachable(&self, now_ms: u64) {
        let slot = self.slot();
        slot.errors.fetch_add(1, Ordering::Relaxed);
        if slot.health.unreachable(now_ms) {
            self.say_changes(now_ms);
        }
    }

    /// Whether it is up, and its smoothed round trip time in µs; 0 = never measured.
    pub(super) fn state(&self) -> (bool, u32) {
        let slot = self.slot();
        let round_trip = slot.round_trip.load(Ordering::Relaxed);
        (slot.health.is_up(), round_trip as u32)
    }

    /// True for the one process that is to try this server, which is down. `often`: no server is up.
    pub(super) fn claim_try(&self, now_ms: u64, retry_ms: u64, often: bool) -> bool {
        self.slot().health.claim_try(now_ms, retry_ms, often)
    }

    /// True when nothing came from it since a time.
    pub(super) fn is_quiet_since(&self, since_ms: u64) -> bool {
        self.slot().health.is_quiet_since(since_ms)
    }

    /// True for the one process that is to send the probe.
    pub(super) fn claim_probe(&self, now_ms: u64) -> bool {
        self.slot().health.claim_probe(now_ms)
    }

    /// True for the one process that is to send the probe to a server that has just answered, to see whether it
    /// answers that, too.
    #[inline]
    pub(super) fn claim_introduction(&self, now_ms: u64) -> bool {
        self.slot().health.claim_introduction(now_ms)
    }

    /// True when it is known to answer the probe.
    pub(super) fn answers_probe(&self) -> bool {
        self.slot().health.habit() == ProbeHabit::Answers
    }

    /// The probe of `sent_ms` was answered, at some time since `since_ms`.
    pub(super) fn note_probe_answered(&self, sent_ms: u64, since_ms: u64, now_ms: u64) {
        let health = &self.slot().health;
        let was_down = health.answered_since(since_ms);
        health.probe_answered(sent_ms);
        if was_down {
            self.say_changes(now_ms);
        }
    }

    /// The probe of `sent_ms` was not answered in the time of a live server.
    pub(super) fn note_probe_silent(&self, sent_ms: u64, now_ms: u64) {
        if self.slot().health.probe_silent(sent_ms, now_ms) {
            self.say_changes(now_ms);
        }
    }

    /// Nobody waits for the answer to the probe of `sent_ms` any more. `lived`: it answered something just before.
    pub(super) fn note_probe_over(&self, sent_ms: u64, lived: bool) {
        self.slot().health.probe_over(sent_ms, lived);
    }

    /// Tells the log what was learnt of the server; a thread that must not call the host leaves that to others.
    #[inline]
    pub(super) fn say_changes(&self, now_ms: u64) {
        let slot = self.slot();
        if slot.unsaid.load(Ordering::Relaxed) != 0 && trace::allowed() {
            self.say_abilities(slot.unsaid.swap(0, Ordering::Relaxed));
        }
        if slot.health.has_news() && trace::allowed() {
            self.say_health(now_ms);
        }
    }

    /// Logs a line when the server goes down, and one when it is back, from whichever process notices.
    #[cold]
    fn say_health(&self, now_ms: u64) {
        let address = self.address;
        match self.slot().health.take_news(now_ms) {
            Some(News::Down) => crate::log!(
                Level::Warn,
                "nameserver {address} does not answer: it is passed over until it does"
            ),
            Some(News::Up(s)) => crate::log!(
                Level::Notice,
                "nameserver {address} answers again, {s} s after it was said to be down"
            ),
            None => {}
        }
    }
}

/// Tells the log what a thread found out that must not write to it: where nobody asks anything, nobody else would say
/// it.
pub fn say_what_is_new() {
    let now_ms = clock::monotonic_ms();
    for (index, slot) in SERVERS.get().iter().enumerate() {
        if slot.unsaid.load(Ordering::Relaxed) == 0 && !slot.health.has_news() {
            continue;
        }
        if let Some(address) = slot.socket_address() {
            let key = slot.key.load(Ordering::Relaxed);
            let server = Server {
                address,
                key,
                index,
            };
            server.say_changes(now_ms);
        }
    }
}

fn words_of(address: &SocketAddr) -> [u64; 3] {
    let octets = match address.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    };
    let [high, low] = [0, 8].map(|at| {
        let half = octets.get(at..at + 8).and_then(|h| h.try_into().ok());
        u64::from_be_bytes(half.unwrap_or_default())
    });
    let (family, scope) = match address {
        SocketAddr::V4(_) => (0, 0),
        SocketAddr::V6(v6) => (1_u64 << 16, u64::from(v6.scope_id()) << 32),
    };
    [high, low, u64::from(address.port()) | family | scope]
}

fn key_of(address: &SocketAddr) -> u64 {
    let mix = |hash: u64, word: u64| random::split_mix(&mut (hash ^ word));
    words_of(address).into_iter().fold(1, mix).max(1)
}

fn find_or_take(address: &SocketAddr, key: u64) -> usize {
    let slots = SERVERS.get();
    let find = |wanted: u64| {
        slots
            .iter()
            .position(|slot| slot.key.load(Ordering::Relaxed) == wanted)
    };
    if let Some(index) = find(key) {
        return index;
    }
    let longest_unused = || {
        let used = slots
            .iter()
            .enumerate()
            .min_by_key(|(_, slot)| slot.used_ms.load(Ordering::Relaxed));
        used.map_or(0, |(index, _)| index)
    };
    let index = find(0).unwrap_or_else(longest_unused);
    if let Some(slot) = slots.get(index) {
        // Two processes may take a slot each for the same server, or one slot for two servers. The first
        // is found by both from then on; of the second one side finds another slot.
        slot.forget();
        for (word, value) in slot
            .address
            .iter()
            .chain([&slot.port])
            .zip(words_of(address))
        {
            word.store(value, Ordering::Relaxed);
        }
        slot.key.store(key, Ordering::Relaxed);
    }
    index
}

impl Slot {
    /// Forgets all but the key and the address.
    fn forget(&self) {
        self.forget_state();
        let counts = [&self.queries, &self.answers, &self.timeouts, &self.errors];
        let others = [&self.used_ms, &self.resends, &self.allowance];
        for count in counts.into_iter().chain(others) {
            count.store(0, Ordering::Relaxed);
        }
        for count in &self.latency {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// Forgets what could make the server be treated differently from a new one; the counts stay.
    fn forget_state(&self) {
        self.health.forget();
        self.round_trip.store(0, Ordering::Relaxed);
        self.forget_abilities();
        self.backoff.store(0, Ordering::Relaxed);
        self.cookies.forget();
    }

    fn socket_address(&self) -> Option<SocketAddr> {
        let key = self.key.load(Ordering::Relaxed);
        let [high, low] = [0, 1].map(|i| self.address.get(i).map(|w| w.load(Ordering::Relaxed)));
        let octets = [high?.to_be_bytes(), low?.to_be_bytes()].concat();
        let ip = Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?);
        let port = self.port.load(Ordering::Relaxed);
        let address = if port & 1 << 16 == 0 {
            SocketAddr::new(ip.to_ipv4_mapped()?.into(), port as u16)
        } else {
            SocketAddrV6::new(ip, port as u16, 0, (port >> 32) as u32).into()
        };
        // A slot that is being taken over shows nothing rather than another server's name.
        (key != 0 && key == key_of(&address)).then_some(address)
    }
}

/// True for the one question, over all processes, that goes on until `until_ms` though no server is up.
pub(super) fn claim_finding(now_ms: u64, until_ms: u64) -> bool {
    let [finder] = FINDER.get();
    let other_ms = finder.load(Ordering::Relaxed);
    other_ms <= now_ms
        && finder
            .compare_exchange(other_ms, until_ms, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
}

/// The question that went on until `until_ms` has ended.
pub(super) fn end_finding(until_ms: u64) {
    let [finder] = FINDER.get();
    let _ = finder.compare_exchange(until_ms, 0, Ordering::Relaxed, Ordering::Relaxed);
}

/// Forgets, for all servers, all that could make one be treated differently from a new one.
pub(super) fn forget() {
    let [finder] = FINDER.get();
    finder.store(0, Ordering::Relaxed);
    for slot in SERVERS.get() {
        slot.forget_state();
    }
}

/// Forgets all servers; for tests.
#[cfg(feature = "testing")]
pub fn forget_all() {
    forget();
    for slot in SERVERS.get() {
        slot.forget();
        slot.key.store(0, Ordering::Relaxed);
    }
}
