//! The cache's answer to a question, aliases followed.

use crate::cache::{Cache, EntryRef, NegativeKind, RecordView};
use crate::error::{Failure, LookupError};
use crate::host::clock;
use crate::host::follow::follow;
use crate::host::metrics::{self, Metric};
use crate::host::stats::{self, Stat};
use crate::rr::{Name, RecordType};

use super::watchdog;

/// The cache's answer about a name, its CNAMEs followed.
#[derive(Debug)]
pub(super) enum Known {
    /// An entry of the type, positive or negative.
    Entry(EntryRef),
    /// Nothing; the name to ask for if it is not the one that was looked up.
    Miss(Option<Name>),
    /// More CNAMEs than may be followed.
    TooLong,
}

impl Known {
    /// True for a failure that is remembered.
    pub(super) fn is_failure(&self) -> bool {
        matches!(self, Self::Entry(entry) if entry.negative().is_some_and(NegativeKind::is_failure))
    }
}

/// Looks in the cache; a CNAME is held while its target is looked up.
pub(super) fn known(cache: &Cache, name: &[u8], qtype: RecordType, hops: &mut usize) -> Known {
    let Some(entry) = acquire(cache, name, qtype) else {
        return Known::Miss(None);
    };
    if entry.rtype() == qtype {
        return Known::Entry(entry);
    }
    if *hops == 0 {
        crate::cache_dbg!("too many CNAMEs at {}", crate::host::log::name(name));
        return Known::TooLong;
    }
    *hops -= 1;
    let Some(RecordView::Cname(target)) = entry.record(0) else {
        return Known::Miss(None);
    };
    if target.is_empty() {
        return Known::Miss(None);
    }
    match known(cache, target, qtype, hops) {
        Known::Miss(None) => match Name::from_text(target) {
            Some(target) => Known::Miss(Some(target)),
            None => Known::TooLong,
        },
        other => other,
    }
}

fn acquire(cache: &Cache, name: &[u8], qtype: RecordType) -> Option<EntryRef> {
    let live = cache.acquire(name, qtype, clock::now_ticks());
    if live.is_some() || watchdog::servers_up() {
        return live;
    }
    // Nothing better can be had while the servers are down.
    cache.acquire_any_age(name, qtype).or_else(|| {
        let alias = cache.acquire_any_age(name, RecordType::CNAME)?;
        alias.negative().is_none().then_some(alias)
    })
}

/// Counts a lookup that the cache answered.
#[inline]
pub(super) fn count_hit(negative: Option<NegativeKind>) {
    let (stat, metric) = match negative {
        None => (Stat::Hit, Metric::Hit),
        Some(kind) if kind.is_failure() => (Stat::NegativeHit, Metric::FailureHit),
        Some(_) => (Stat::NegativeHit, Metric::NegativeHit),
    };
    stats::count(stat);
    metrics::count(metric);
}

/// Tells those who follow a name what the cache says of it.
#[cold]
pub(super) fn tell_cached(name: &[u8], qtype: RecordType, entry: &EntryRef) {
    let left_s = clock::seconds_until(entry.expire(), clock::now_ticks());
    let (count, qtype) = (entry.record_count(), qtype.0);
    let what = match entry.negative() {
        None => format!("has {count} records"),
        Some(NegativeKind::NxDomain) => "knows that there is no such name".into(),
        Some(NegativeKind::NoData) => "knows that there are no such records".into(),
        Some(NegativeKind::Failure | NegativeKind::Silence) => "remembers that it failed".into(),
    };
    match entry.is_permanent() {
        true => follow!(name, "type {qtype}: the cache {what}, for ever"),
        false => follow!(name, "type {qtype}: the cache {what}, for {left_s} s"),
    }
}

/// The entry if it holds records, else what it stands for.
pub(super) fn usable(entry: EntryRef) -> Result<EntryRef, LookupError> {
    match entry.negative() {
        None => Ok(entry),
        Some(kind) => Err(error_of(kind)),
    }
}

/// The error that a negative entry stands for.
pub(super) fn error_of(kind: NegativeKind) -> LookupError {
    match kind {
        NegativeKind::NxDomain => LookupError::NxDomain,
        NegativeKind::NoData => LookupError::NoData,
        // The cache does not keep which failure it was, but keeps whether servers said so.
        NegativeKind::Failure => LookupError::Failed(Failure::ServFail),
        NegativeKind::Silence => LookupError::Failed(Failure::Timeout),
    }
}
