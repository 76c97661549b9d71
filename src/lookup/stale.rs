//! Data beyond its expiry, for as long as nothing better can be had (RFC 8767).
//!
//! An entry stays in the cache for `dns_stale_ttl` after its expiry. Only data is served stale, never an
//! absence; and an absence or other data that a nameserver tells ends it at once.

use crate::cache::{Cache, EntryRef, HashedName, ListId, NegativeKind, RecordView};
use crate::host::clock::{self, TICKS_PER_S};
use crate::host::follow::follow;
use crate::host::log::{self, Level};
use crate::host::metrics::{self, Metric};
use crate::host::news::{self, Subject};
use crate::host::options::{self, ExtraOpt};
use crate::host::stats::{self, Stat};
use crate::rr::{MAX_CNAME_HOPS, MAX_TTL_S, RecordType};

use super::relative;
use super::source::Source;
use super::walk::Aim;

/// How long somebody waits for new data while there is old, ms (RFC 8767 section 5).
pub(super) const PATIENCE_MS: u64 = 1800;
/// Age that data has when it comes, at the utmost where all is well, ticks.
const ON_THE_WAY: u32 = TICKS_PER_S / 4;
/// TTL that stale data is reported with, s (RFC 8767 section 4).
const REPORTED_TTL_S: i32 = 30;

/// Stale data for a question.
#[derive(Debug)]
pub(super) struct Stale {
    /// The records.
    pub(super) entry: EntryRef,
    /// The entry that has expired: the records, or an alias on the way to them.
    pub(super) expired: EntryRef,
    /// The entry expired a moment ago: a refresh may be under way.
    pub(super) is_recent: bool,
    /// The entry's use was noted, which happens once a second.
    pub(super) was_noted: bool,
}

/// `dns_stale_ttl`, ticks; 0 = nothing is served stale.
fn limit_ticks() -> u32 {
    options::extra(ExtraOpt::StaleTtl).min(MAX_TTL_S) * TICKS_PER_S
}

/// The records of a question if some of what leads to them, or they themselves, are expired but may be
/// used; at most `hops` aliases are followed. Notes the use.
pub(super) fn find(cache: &Cache, name: &[u8], qtype: RecordType, hops: usize) -> Option<Stale> {
    let limit = limit_ticks();
    if limit == 0 {
        return None;
    }
    let now = clock::now_ticks();
    let mut expired = None;
    let entry = follow(cache, name, qtype, (now, limit), hops, &mut expired)?;
    Some(used(cache, entry, expired?, now))
}

/// As [`find`], for a relative name: the entry that was found for it last under the list in force.
pub(super) fn find_relative(
    cache: &Cache,
    name: &HashedName<'_>,
    aim: Aim,
    list: ListId,
) -> Option<Stale> {
    let limit = limit_ticks();
    if limit == 0 {
        return None;
    }
    let now = clock::now_ticks();
    if let Some(entry) = relative::as_written_of_any_age(cache, name, aim, list) {
        let is_of_use = entry.negative().is_none() && may_serve(&entry, (now, limit));
        return is_of_use.then(|| used(cache, entry.clone(), entry, now));
    }
    let (link, target) = relative::expired_link(cache, name, aim, list)?;
    if !may_serve(&link, (now, limit)) {
        return None;
    }
    let mut expired = Some(link);
    let hops = MAX_CNAME_HOPS;
    let target = target.as_bytes();
    let entry = follow(cache, target, aim.qtype, (now, limit), hops, &mut expired)?;
    Some(used(cache, entry, expired?, now))
}

/// Notes the use of stale data.
fn used(cache: &Cache, entry: EntryRef, expired: EntryRef, now: u32) -> Stale {
    let over = (now.wrapping_sub(expired.expire()) as i32).max(0) as u32;
    let recent = options::extra(ExtraOpt::StaleRecent).min(MAX_TTL_S) * TICKS_PER_S;
    let was_noted = expired.touch(now);
    if entry.touch(now) && !entry.is_expired(now) {
        cache.note_followed(&entry, entry.rtype(), now);
    }
    Stale {
        entry,
        expired,
        // The data is a little older: it took its time to come, and clocks are read in ticks.
        is_recent: over + ON_THE_WAY <= recent,
        was_noted,
    }
}

fn may_serve(entry: &EntryRef, (now, limit): (u32, u32)) -> bool {
    let over = clock::is_past(entry.expire().wrapping_add(limit), now);
    entry.negative().is_none() && (entry.is_permanent() || !over)
}

fn follow(
    cache: &Cache,
    name: &[u8],
    qtype: RecordType,
    (now, limit): (u32, u32),
    hops: usize,
    expired: &mut Option<EntryRef>,
) -> Option<EntryRef> {
    let mut note = |entry: &EntryRef| {
        if entry.is_expired(now) && expired.is_none() {
            *expired = Some(entry.clone());
        }
    };
    let may_serve = |entry: &EntryRef| may_serve(entry, (now, limit));
    if let Some(entry) = cache.acquire_any_age(name, qtype) {
        let absent = matches!(
            entry.negative(),
            Some(NegativeKind::NxDomain | NegativeKind::NoData)
        );
        if absent && !entry.is_expired(now) {
            return None;
        }
        if may_serve(&entry) {
            note(&entry);
            return Some(entry);
        }
    }
    let alias = cache.acquire_any_age(name, RecordType::CNAME);
    let alias = alias.filter(|_| qtype != RecordType::CNAME && hops > 0);
    let alias = alias.filter(may_serve)?;
    note(&alias);
    let Some(RecordView::Cname(target)) = alias.record(0) else {
        return None;
    };
    follow(cache, target, qtype, (now, limit), hops - 1, expired)
}

/// True for data that has expired; not for what came with TTL 0, which only its holder knows.
#[must_use]
pub fn is_stale(entry: &EntryRef, now: u32) -> bool {
    !entry.is_permanent() && entry.is_expired(now) && entry.is_linked()
}

/// TTL to report for a record of an entry that expires at a tick, s: the rest of it, and 30 for stale data.
///
/// An entry that only its holder knows is not stale: it came with TTL 0.
#[must_use]
pub fn reported_ttl(entry: &EntryRef, expire: u32, now: u32) -> i32 {
    if clock::is_past(expire, now) && entry.is_linked() && limit_ticks() > 0 {
        REPORTED_TTL_S
    } else {
        clock::seconds_until(expire, now).max(0)
    }
}

/// Gives stale data to the caller.
pub(super) fn serve(stale: Stale) -> (EntryRef, Source) {
    stats::count(Stat::Hit);
    metrics::count(Metric::Stale);
    let expired = &stale.expired;
    follow!(
        expired.name(),
        "type {}: expired records are served",
        expired.rtype().0
    );
    if !stale.is_recent
        && let Some(others) = news::may_say_begins(Subject::Stale)
    {
        crate::log!(
            Level::Notice,
            "records that have expired are served, for they could not be fetched anew: {} ({others} more since the last such line)",
            log::name(stale.expired.name())
        );
    }
    crate::cache_dbg!("stale data for {}", log::name(stale.expired.name()));
    (stale.entry, Source::Cache)
}

/// Says so when expired records were served and are not any more; now and then, by who refreshes.
pub fn say_when_fresh_again() {
    if let Some((seconds, others)) = news::is_over(Subject::Stale) {
        crate::log!(
            Level::Notice,
            "no expired records are served any more, for half a minute there were none; it began {seconds} s ago ({others} more since the last such line)"
        );
    }
}
