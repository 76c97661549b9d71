//! Lookups through the cache.

use std::net::IpAddr;

use crate::cache::{Cache, EntryRef, FirstAddress, HashedName, NegativeKind};
use crate::error::LookupError;
use crate::host::clock;
use crate::host::stats::{self, Stat};
use crate::rr::{MAX_NAME_OCTETS, RecordType, parse_literal};

use super::fetch::Lookup;
use super::known::{count_hit, error_of};
use super::request::{family_allowed, family_order, split_absolute};

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
/// its TTL is 0 (it then serves this call alone), it is served stale (RFC 8767), or the watchdog says that
/// the nameservers are down.
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
    let cache = Cache::instance().ok_or(LookupError::NoCache)?;
    stats::count(Stat::Request);
    Lookup::new(cache, qtype, flags).run(name, absolute)
}

/// Counts a lookup that needed nothing but a look into the cache.
#[inline]
fn count_answered(negative: Option<NegativeKind>) {
    stats::count(Stat::Request);
    count_hit(negative);
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
        FirstAddress::Negative(kind) if kind != NegativeKind::Failure => {
            count_answered(Some(kind));
            Err(error_of(kind))
        }
        // After a failure there may still be stale data.
        FirstAddress::Negative(_) | FirstAddress::Miss | FirstAddress::Alias => {
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
