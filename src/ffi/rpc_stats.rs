//! `dns.stats`: the library's counters, and the content of its memory. `dns.servers`: the nameservers.
#![allow(unsafe_code, reason = "exported symbols")]

use std::ffi::{CString, c_void};

use super::metrics::latencies;
use super::rpc_call::{Call, Part, ReplyFailed, report, rpc_guard};
use super::rpc_view::type_name;
use super::types::rpc_t;
use crate::cache::{Cache, EntryRef, NegativeKind};
use crate::host::metrics::{self, METRICS};
use crate::host::{clock, kamailio};
use crate::lookup::under_way;
use crate::resolver::servers::{self, LATENCY_BUCKETS, ServerStatus};
use crate::resolver::{ProbeHabit, Settings};
use crate::rr::RecordType;

/// Entries of one type, by state; an entry is counted once.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    live: u64,
    /// Proven absences that still count.
    negative: u64,
    /// Failures that are still remembered.
    failed: u64,
    expired: u64,
    /// Entries of the above that never expire.
    permanent: u64,
}

impl Tally {
    fn add(&mut self, entry: &EntryRef, now: u32) {
        self.permanent += u64::from(entry.is_permanent());
        let place = match entry.negative() {
            _ if entry.is_expired(now) => &mut self.expired,
            None => &mut self.live,
            Some(NegativeKind::Failure | NegativeKind::Silence) => &mut self.failed,
            Some(_) => &mut self.negative,
        };
        *place += 1;
    }
}

/// Types in the order of their first entry, each with its entries.
fn tallies(cache: &Cache) -> Vec<(RecordType, Tally)> {
    let now = clock::now_ticks();
    let mut list: Vec<(RecordType, Tally)> = Vec::new();
    for entry in cache.entries() {
        let rtype = entry.rtype();
        match list.iter_mut().find(|(known, _)| *known == rtype) {
            Some((_, tally)) => tally.add(&entry, now),
            None => {
                let mut tally = Tally::default();
                tally.add(&entry, now);
                list.push((rtype, tally));
            }
        }
    }
    list.sort_by_key(|(rtype, _)| rtype.0);
    list
}

fn show(call: &Call, cache: Option<&Cache>) -> Result<(), ReplyFailed> {
    let whole = call.add_struct()?;
    for index in 0..METRICS {
        if let Some(metric) = metrics::describe(index) {
            call.field_count(whole, metric.name, metrics::value_at(index))?;
        }
    }
    call.field_text(whole, c"version", env!("CARGO_PKG_VERSION").as_bytes())?;
    call.field_count(whole, c"uptime", metrics::uptime_s())?;
    came_in(call, whole)?;
    let under_way = under_way();
    call.field_count(whole, c"waiting", under_way.waiting)?;
    call.field_count(whole, c"in_background", under_way.in_background)?;
    if let Some(cache) = cache {
        let usage = cache.usage();
        call.field_count(whole, c"memory_used", usage.used as u64)?;
        call.field_count(whole, c"memory_limit", usage.limit as u64)?;
        call.field_count(whole, c"entries", usage.entries as u64)?;
        call.field_count(whole, c"repairs", cache.repairs().into())?;
        let types = call.field_array(whole, c"types")?;
        for (rtype, tally) in tallies(cache) {
            let part = call.array_struct(types)?;
            call.field_text(part, c"type", type_name(rtype).as_bytes())?;
            call.field_count(part, c"live", tally.live)?;
            call.field_count(part, c"negative", tally.negative)?;
            call.field_count(part, c"failed", tally.failed)?;
            call.field_count(part, c"expired", tally.expired)?;
            call.field_count(part, c"permanent", tally.permanent)?;
        }
    }
    query_times(call, whole, &latencies())
}

/// How the library came into the program.
fn came_in(call: &Call, whole: Part) -> Result<(), ReplyFailed> {
    let Some(text) = kamailio::takeover() else {
        return call.field_text(whole, c"came_in", b"linked");
    };
    call.field_text(whole, c"came_in", b"takeover")?;
    call.field_text(whole, c"takeover", text.as_bytes())
}

/// A histogram; empty classes are left out.
fn query_times(
    call: &Call,
    whole: Part,
    counts: &[u64; LATENCY_BUCKETS],
) -> Result<(), ReplyFailed> {
    let classes = call.field_array(whole, c"query_times")?;
    for (class, &queries) in counts.iter().enumerate() {
        if queries > 0 {
            let part = call.array_struct(classes)?;
            call.field_text(part, c"us", class_text(class).as_bytes())?;
            call.field_count(part, c"queries", queries)?;
        }
    }
    Ok(())
}

/// The times of a class of the histogram, as people write them.
fn class_text(class: usize) -> CString {
    let from = if class == 0 { 0 } else { 1_u64 << class };
    let text = if class + 1 == LATENCY_BUCKETS {
        format!("{from}-")
    } else {
        format!("{from}-{}", (1_u64 << (class + 1)) - 1)
    };
    CString::new(text).unwrap_or_default()
}

/// `dns.stats`: a struct of all counters, the version, for how long it has been counting (`uptime`, s), what is under way, how the library came in (`linked`, or `takeover` and its text), the memory in use and its limit (octets), and the arrays `types`
/// (entries by type and state) and `query_times` (queries by the µs that the server took).
///
/// # Safety
/// `rpc` is NULL or the functions of a transport, `ctx` its context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_stats_rpc(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| report(call, show(call, Cache::instance())))
}

fn show_server(call: &Call, server: &ServerStatus) -> Result<(), ReplyFailed> {
    let part = call.add_struct()?;
    call.field_text(part, c"address", server.address.to_string().as_bytes())?;
    let state: &[u8] = if server.up { b"up" } else { b"down" };
    call.field_text(part, c"state", state)?;
    call.field_count(part, c"round_trip_us", server.round_trip_us.into())?;
    call.field_count(part, c"variation_us", server.variation_us.into())?;
    call.field_count(part, c"failures", server.failures.into())?;
    call.field_count(part, c"queries", server.queries)?;
    call.field_count(part, c"answers", server.answers)?;
    call.field_count(part, c"timeouts", server.timeouts)?;
    call.field_count(part, c"errors", server.errors)?;
    call.field_count(part, c"resends", server.resends)?;
    let probe: &[u8] = match server.probe {
        ProbeHabit::Unknown => b"unknown",
        ProbeHabit::Answers => b"answered",
        ProbeHabit::Mute => b"ignored",
    };
    call.field_text(part, c"probe", probe)?;
    let place = Settings::current().place_of(server.address);
    call.field_count(part, c"slot", place.map_or(0, |place| place as u64 + 1))?;
    let edns: &[u8] = if server.without_edns { b"no" } else { b"yes" };
    call.field_text(part, c"edns", edns)?;
    query_times(call, part, &server.latency.map(u64::from))
}

/// `dns.servers`: a struct for each nameserver asked so far: `address`, `state` (up, down), smoothed round
/// trip and its variation in µs (0 = never measured), `failures` since the last answer, and what was
/// counted since start, over all processes; `slot` is the place in the configuration, from 1 on (0 = it is not in force),
/// by which the statistics `server_N_...` go; `probe` says how it takes the question whether it lives.
///
/// # Safety
/// As `dns_stats_rpc()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_servers_rpc(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| {
        let mut servers = servers::snapshot();
        servers.sort_by_key(|server| server.address);
        let shown = servers.iter().try_for_each(|s| show_server(call, s));
        report(call, shown);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_as_text() {
        assert_eq!(class_text(0).as_bytes(), b"0-1");
        assert_eq!(class_text(10).as_bytes(), b"1024-2047");
        assert_eq!(class_text(LATENCY_BUCKETS - 1).as_bytes(), b"8388608-");
    }
}
