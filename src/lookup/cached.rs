//! Lookups through the cache.

use std::net::IpAddr;

use crate::cache::{Cache, EntryRef, FirstAddress, HashedName, NegativeKind, RecordView};
use crate::error::{Failure, LookupError};
use crate::host::clock;
use crate::host::counters::{self, Counter};
use crate::host::metrics::{self, Metric};
use crate::host::stats::{self, Stat};
use crate::resolver::{self, Outcome, Question};
use crate::rr::{MAX_CNAME_HOPS, MAX_NAME_OCTETS, Name, RecordType, parse_literal};

use super::request::{family_allowed, family_order, question_text, split_absolute};
use super::store::{self, Next};
use super::watchdog;

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It was in the cache.
    Cache,
    /// A query was sent for it (by this call).
    Network,
    /// It is an IP literal.
    Literal,
}

/// The entry for a name and type, CNAMEs followed; a positive entry with at least one record.
///
/// `flags` are the caller's `DNS_*` request flags: they decide which additional addresses are kept,
/// and whether a query for A or AAAA takes one for the other family along. The entry is live, unless
/// its TTL is 0 (it then serves this call alone) or the watchdog says that the nameservers are down.
/// A trailing dot makes the name absolute: it is asked as it is, without search domains.
///
/// # Errors
/// Why there is none. Absence and failure are different things.
pub fn entry(
    qname: &[u8],
    qtype: RecordType,
    flags: u32,
) -> Result<(EntryRef, Source), LookupError> {
    let (name, absolute) = split_absolute(qname);
    find(name, absolute, qtype, flags)
}

/// As [`entry`], for a name that came out of DNS and so is absolute without a trailing dot: an SRV
/// target, a NAPTR replacement.
///
/// # Errors
/// As [`entry`].
pub fn absolute_entry(
    name: &[u8],
    qtype: RecordType,
    flags: u32,
) -> Result<(EntryRef, Source), LookupError> {
    find(name, true, qtype, flags)
}

fn find(
    name: &[u8],
    absolute: bool,
    qtype: RecordType,
    flags: u32,
) -> Result<(EntryRef, Source), LookupError> {
    if name.is_empty() {
        return Err(LookupError::BadName);
    }
    if name.len() > MAX_NAME_OCTETS {
        return Err(LookupError::NameTooLong);
    }
    let mut lookup = Lookup {
        cache: Cache::instance().ok_or(LookupError::NoCache)?,
        qtype,
        flags,
        hops: MAX_CNAME_HOPS,
        asked: false,
    };
    stats::count(Stat::Request);
    let result = lookup.run(name, absolute);
    if lookup.asked && result.is_err() {
        counters::increment(Counter::FailedRequest);
    }
    let source = if lookup.asked {
        Source::Network
    } else {
        Source::Cache
    };
    result.map(|entry| (entry, source))
}

/// What the cache has on a name, its CNAMEs followed.
enum Known {
    /// An entry of the type, positive or negative.
    Entry(EntryRef),
    /// Nothing; the name to ask for if it is not the one that was looked up.
    Miss(Option<Name>),
    /// More CNAMEs than may be followed.
    TooLong,
}

/// One lookup.
struct Lookup {
    cache: &'static Cache,
    qtype: RecordType,
    flags: u32,
    /// CNAMEs that may still be followed, in the cache and in answers together.
    hops: usize,
    /// A query was sent.
    asked: bool,
}

impl Lookup {
    fn run(&mut self, name: &[u8], absolute: bool) -> Result<EntryRef, LookupError> {
        let mut hops = self.hops;
        let target = match known(self.cache, name, self.qtype, &mut hops) {
            Known::Entry(entry) => {
                count_hit(entry.negative());
                return usable(entry);
            }
            Known::TooLong => return Err(LookupError::CnameChain),
            Known::Miss(target) => target,
        };
        metrics::count(Metric::Miss);
        self.hops = hops;
        // What a CNAME points to is absolute, however the caller wrote the name.
        let mut next = match target {
            None => self.ask(name, absolute)?,
            Some(target) => self.ask(target.as_bytes(), true)?,
        };
        loop {
            let target = match next {
                Next::Entry(entry) => return usable(entry),
                Next::Ask(target) => target,
            };
            next = match known(self.cache, target.as_bytes(), self.qtype, &mut self.hops) {
                Known::Entry(entry) => return usable(entry),
                Known::TooLong => return Err(LookupError::CnameChain),
                Known::Miss(None) => self.ask(target.as_bytes(), true)?,
                Known::Miss(Some(target)) => self.ask(target.as_bytes(), true)?,
            };
        }
    }

    /// Sends the query and stores what comes back.
    fn ask(&mut self, name: &[u8], absolute: bool) -> Result<Next, LookupError> {
        if !watchdog::servers_up() {
            return Err(LookupError::Failed(Failure::NoServers));
        }
        crate::cache_dbg!(
            "not in the cache: {} type {}",
            String::from_utf8_lossy(name),
            self.qtype.0
        );
        let text = question_text(name, absolute);
        let question = |qtype| Question {
            qname: &text,
            qtype,
        };
        let companion = self.companion(name);
        let mut outcomes = match companion {
            Some(other) => resolver::query_all(&[question(self.qtype), question(other)], None),
            None => vec![resolver::query(&question(self.qtype), None)],
        }
        .into_iter();
        let asked = store::Asked {
            name,
            qtype: self.qtype,
            absolute,
            flags: self.flags,
        };
        let first = outcomes
            .next()
            .unwrap_or(Outcome::Failed(Failure::NoServers));
        self.asked |= !matches!(first, Outcome::BadName);
        let result = store::settle(self.cache, &asked, first, &mut self.hops);
        if let (Some(other), Some(second)) = (companion, outcomes.next()) {
            let asked = store::Asked {
                qtype: other,
                ..asked
            };
            // Its outcome waits in the cache for the lookup that will want it.
            let mut hops = MAX_CNAME_HOPS;
            let _ = store::settle(self.cache, &asked, second, &mut hops);
        }
        result
    }

    /// The other address type, if this query may take it along: both are wanted, and neither is known.
    fn companion(&self, name: &[u8]) -> Option<RecordType> {
        let (first, second) = family_order(self.flags);
        let other = match second? {
            second if first == self.qtype => second,
            second if second == self.qtype => first,
            _ => return None,
        };
        let unknown = self
            .cache
            .acquire(name, other, clock::now_ticks())
            .is_none();
        unknown.then_some(other)
    }
}

/// Looks in the cache; a CNAME is held while its target is looked up.
fn known(cache: &Cache, name: &[u8], qtype: RecordType, hops: &mut usize) -> Known {
    let Some(entry) = acquire(cache, name, qtype) else {
        return Known::Miss(None);
    };
    if entry.rtype() == qtype {
        return Known::Entry(entry);
    }
    if *hops == 0 {
        crate::cache_dbg!("too many CNAMEs at {}", String::from_utf8_lossy(name));
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
fn count_hit(negative: Option<NegativeKind>) {
    let (stat, metric) = match negative {
        None => (Stat::Hit, Metric::Hit),
        Some(NegativeKind::Failure) => (Stat::NegativeHit, Metric::FailureHit),
        Some(_) => (Stat::NegativeHit, Metric::NegativeHit),
    };
    stats::count(stat);
    metrics::count(metric);
}

/// Counts a lookup that needed nothing but a look into the cache.
#[inline]
fn count_answered(negative: Option<NegativeKind>) {
    stats::count(Stat::Request);
    count_hit(negative);
}

/// The entry if it holds records, else what it stands for.
fn usable(entry: EntryRef) -> Result<EntryRef, LookupError> {
    match entry.negative() {
        None => Ok(entry),
        Some(kind) => Err(error_of(kind)),
    }
}

fn error_of(kind: NegativeKind) -> LookupError {
    match kind {
        NegativeKind::NxDomain => LookupError::NxDomain,
        NegativeKind::NoData => LookupError::NoData,
        // Which failure it was is not kept; it was an unanswered query in the end.
        NegativeKind::Failure => LookupError::Failed(Failure::ServFail),
    }
}

/// The first address of a host under the family rules of the flags, copied out of the cache.
///
/// A cached name costs no allocation and no reference count. Literals are taken as they are; one of
/// a family that the flags exclude gives [`LookupError::NoData`].
///
/// # Errors
/// Why there is none: a failure, if a query for any family failed.
#[inline]
pub fn first_address(host: &[u8], flags: u32) -> Result<IpAddr, LookupError> {
    if let Some(address) = parse_literal(host) {
        return if family_allowed(address, flags) {
            Ok(address)
        } else {
            Err(LookupError::NoData)
        };
    }
    let cache = Cache::instance().ok_or(LookupError::NoCache)?;
    let (name, _) = split_absolute(host);
    if name.is_empty() {
        return Err(LookupError::BadName);
    }
    if name.len() > MAX_NAME_OCTETS {
        return Err(LookupError::NameTooLong);
    }
    let qname = cache.hashed(name);
    let (first, second) = family_order(flags);
    let found = cache.first_address(&qname, first, clock::now_ticks());
    if let FirstAddress::Address { address, .. } = found {
        count_answered(None);
        return Ok(address);
    }
    let error = match settle_address(found, host, first, flags) {
        Ok(address) => return Ok(address),
        Err(error) => error,
    };
    match second {
        Some(second) if error != LookupError::BadName => {
            address_of_second(cache, host, &qname, second, flags, error)
        }
        _ => Err(error),
    }
}

/// The first address of the second family, after the first gave `error`.
#[inline(never)]
fn address_of_second(
    cache: &Cache,
    host: &[u8],
    qname: &HashedName<'_>,
    family: RecordType,
    flags: u32,
    error: LookupError,
) -> Result<IpAddr, LookupError> {
    let found = cache.first_address(qname, family, clock::now_ticks());
    match settle_address(found, host, family, flags) {
        Err(_) if matches!(error, LookupError::Failed(_)) => Err(error),
        result => result,
    }
}

/// What was found without following aliases, or else what a proper lookup gives.
#[inline(never)]
fn settle_address(
    found: FirstAddress,
    host: &[u8],
    family: RecordType,
    flags: u32,
) -> Result<IpAddr, LookupError> {
    match found {
        FirstAddress::Address { address, .. } => {
            count_answered(None);
            Ok(address)
        }
        FirstAddress::Negative(kind) => {
            count_answered(Some(kind));
            Err(error_of(kind))
        }
        FirstAddress::Miss | FirstAddress::Alias => {
            let (entry, _) = entry(host, family, flags)?;
            address_of(&entry)
        }
    }
}

/// The first address of an entry that is live, or that was fetched with TTL 0.
fn address_of(entry: &EntryRef) -> Result<IpAddr, LookupError> {
    let first = entry.usable_addresses(clock::now_ticks()).next();
    first.ok_or(LookupError::NoData)
}
