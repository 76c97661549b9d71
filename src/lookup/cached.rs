//! Lookups through the cache.

#[cfg(feature = "testing")]
use std::net::IpAddr;

use crate::cache::{
    Cache, EntryRef, FirstAddress, HashedName, NaptrFields, NegativeKind, Peek, Presence, Seen,
};
use crate::error::{Failure, LookupError};
use crate::host::clock;
use crate::host::stats::{self, Stat};
use crate::rr::{PlainIp, RecordType, may_be_literal, parse_literal};

use super::fetch::{Lookup, Others};
use super::known::{count_hit, error_of, tell_cached};
use super::request::{
    IPV4_ONLY, ROTATE, TRACED, check_name, family_allowed, family_order, is_plain, split_absolute,
    takes_either,
};
use super::source::Source;
use super::{relative, suspended, turns};

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
    entry_along(qname, qtype, flags, None)
}

/// As [`entry`]; a query that must be sent takes along those for other names that `others` lists, so
/// that their answers are known when the caller comes to them: SRV records of other transports.
///
/// # Errors
/// As [`entry`].
pub fn entry_along(
    qname: &[u8],
    qtype: RecordType,
    flags: u32,
    others: Option<&Others<'_>>,
) -> Result<(EntryRef, Source), LookupError> {
    let (name, absolute) = split_absolute(qname);
    find(name, absolute, true, qtype, flags, others)
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
    find(name, true, false, qtype, flags, None)
}

/// SRV records to which a NAPTR record of `owner` leads, in an entry whose holder finds the owner's name again: see
/// [`Cache::leading_back`].
#[must_use]
pub fn leading_back(entry: EntryRef, owner: &[u8]) -> EntryRef {
    match Cache::instance() {
        Some(cache) => cache.leading_back(entry, owner, clock::now_ticks()),
        None => entry,
    }
}

/// `is_callers`: the name is what the caller named, and not what a record led to.
fn find(
    name: &[u8],
    absolute: bool,
    is_callers: bool,
    qtype: RecordType,
    flags: u32,
    others: Option<&Others<'_>>,
) -> Result<(EntryRef, Source), LookupError> {
    check_name(name)?;
    let cache = Cache::instance().ok_or(LookupError::NoCache)?;
    stats::count(Stat::Request);
    // The usual question: records that are in the cache under this very name.
    let qname = if absolute {
        cache.hashed(name)
    } else {
        cache.as_written(name, relative::is_either(qtype, flags))
    };
    if let Some(entry) = cache.acquire_records(&qname, qtype, clock::now_ticks()) {
        count_hit(None);
        if flags & TRACED != 0 {
            tell_cached(name, qtype, &entry);
        }
        return Ok((entry, Source::Cache));
    }
    if let Some(used) = suspended::used_for(cache, name, absolute, qtype) {
        return used.map(|entry| (entry, Source::Cache));
    }
    let mut lookup = Lookup::new(cache, qtype, flags, others);
    if is_callers {
        lookup = lookup.with_last_resort();
    }
    if absolute {
        lookup.run(&qname, true)
    } else {
        lookup.run_relative(&qname.absolute())
    }
}

/// The quick look, then [`first_plain_address`]: what `dns_get_ip()` does with a host.
///
/// # Errors
/// As [`first_plain_address`].
#[cfg(feature = "testing")]
pub fn first_address(host: &[u8], flags: u32) -> Result<IpAddr, LookupError> {
    quick_ipv4(host, flags, |address| Ok(PlainIp::v4(address)), Err)
        .unwrap_or_else(|| first_plain_address(host, flags))
        .map(IpAddr::from)
}

/// The usual question, with one look into the cache: `found` gets a host's IPv4 address (four octets in network order),
/// `absent` why there is none where nothing else counts. `None` = ask [`first_plain_address`], nothing is counted yet.
#[inline(always)]
pub fn quick_ipv4<T>(
    host: &[u8],
    flags: u32,
    found: impl FnOnce(u32) -> T,
    absent: impl FnOnce(LookupError) -> T,
) -> Option<T> {
    if !is_plain(flags) || may_be_literal(host) || matches!(host, [] | [.., b'.']) {
        return None;
    }
    let cache = Cache::instance()?;
    // First, for it is a call: the hash stays in registers then.
    let now = clock::now_ticks();
    // As `takes_either`: the other flags were looked at above.
    let host = cache.as_written(host, flags & IPV4_ONLY == 0);
    match cache.peek_ipv4(&host, now) {
        Peek::Address { address, .. } => {
            count_answered(None);
            Some(found(address))
        }
        Peek::Negative(kind) if is_answer(kind) && flags & IPV4_ONLY != 0 => {
            count_answered(Some(kind));
            Some(absent(error_of(kind)))
        }
        Peek::Negative(_) | Peek::Miss | Peek::Again => None,
    }
}

/// The first address of a host under the family rules of the flags, copied out of the cache, without the quick look.
///
/// Literals are taken as they are; one of a family that the flags exclude gives [`LookupError::NoData`].
///
/// # Errors
/// Why there is none: a failure, if a query for any family failed.
pub fn first_plain_address(host: &[u8], flags: u32) -> Result<PlainIp, LookupError> {
    if let Some(address) = parse_literal(host) {
        return if family_allowed(address, flags) {
            Ok(address.into())
        } else {
            Err(LookupError::NoData)
        };
    }
    if flags & (ROTATE | TRACED) != 0 {
        return first_of_entry(host, flags);
    }
    let cache = Cache::instance().ok_or(LookupError::NoCache)?;
    let (name, absolute) = split_absolute(host);
    check_name(name)?;
    let (first, second) = family_order(flags);
    // For each family anew: the first look may learn of another search list.
    let qname = || {
        if absolute {
            cache.hashed(name)
        } else {
            cache.as_written(name, second.is_some())
        }
    };
    let error = match address_of_family(cache, &qname(), absolute, first, flags) {
        Ok(address) => return Ok(address),
        Err(error) => error,
    };
    let second = second.filter(|_| is_worth_another(error));
    let Some(second) = second else {
        return Err(error);
    };
    match address_of_family(cache, &qname(), absolute, second, flags) {
        Err(_) if matches!(error, LookupError::Failed(_)) => Err(error),
        result => result,
    }
}

/// The entry with the addresses of a host that is no literal: of the family that the flags put first and that exists.
///
/// # Errors
/// Why there is none: a failure, if a query for any family failed.
pub fn host_entry(host: &[u8], flags: u32) -> Result<EntryRef, LookupError> {
    let look = |family| entry(host, family, flags).map(|(entry, _)| entry);
    let (first, second) = family_order(flags);
    let error = match look(first) {
        Ok(entry) => return Ok(entry),
        Err(error) => error,
    };
    match second.filter(|_| is_worth_another(error)).map(look) {
        Some(Ok(entry)) => Ok(entry),
        Some(Err(other)) if !matches!(error, LookupError::Failed(_)) => Err(other),
        _ => Err(error),
    }
}

/// True where the other family may still be asked for, after none was found of the one.
fn is_worth_another(error: LookupError) -> bool {
    !matches!(
        error,
        LookupError::BadName | LookupError::Failed(Failure::GivenUp)
    )
}

/// As [`first_plain_address`] for a host that is no literal, with `dns_rotate`, or for those who follow names.
#[cold]
fn first_of_entry(host: &[u8], flags: u32) -> Result<PlainIp, LookupError> {
    let entry = host_entry(host, flags)?;
    let turn = match flags & ROTATE {
        0 => 0,
        _ => turns::take(host) as usize,
    };
    let now = clock::now_ticks();
    let mut addresses = (0..entry.record_count())
        .filter_map(|step| entry.usable_address(entry.turned(turn, step), now));
    addresses
        .next()
        .map(PlainIp::from)
        .ok_or(LookupError::NoData)
}

/// The first address of one family, out of the cache if it is there and needs no alias followed.
fn address_of_family(
    cache: &'static Cache,
    qname: &HashedName<'_>,
    absolute: bool,
    family: RecordType,
    flags: u32,
) -> Result<PlainIp, LookupError> {
    // A list that this process has just read is not in force yet.
    let has_no_list = || absolute || relative::list_in_force(cache).is_none();
    if !qname.is_relative()
        && let Presence::Nothing(vacancy) = cache.presence(qname, family)
        && has_no_list()
    {
        stats::count(Stat::Request);
        let lookup = Lookup::new(cache, family, flags, None);
        return address_of(&lookup.run_unknown(qname, absolute, vacancy)?.0);
    }
    match cache.first_address(qname, family, clock::now_ticks()) {
        Seen::Found(FirstAddress { address, .. }) => {
            count_answered(None);
            Ok(address)
        }
        Seen::Negative(kind) if is_answer(kind) => {
            count_answered(Some(kind));
            Err(error_of(kind))
        }
        Seen::Negative(_) | Seen::Miss | Seen::Alias => {
            let (entry, _) = find(qname.name(), absolute, true, family, flags, None)?;
            address_of(&entry)
        }
    }
}

/// The cache's answer about a host at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peeked<T> {
    /// There is at least one address.
    Found(T),
    /// There is none.
    Absent,
    /// The cache has several addresses where one is wanted, an alias, or nothing: look the name up.
    Look,
}

/// The one address that a cached host has of a family, without a reference; for names that are no
/// literals; the name is absolute without a final dot.
#[must_use]
#[inline(always)]
pub fn peek_address(host: &[u8], family: RecordType) -> Peeked<PlainIp> {
    let Some(cache) = Cache::instance() else {
        return Peeked::Look;
    };
    let host = cache.hashed(host);
    match peek_ipv4(&host, family) {
        Some(address) => Peeked::Found(PlainIp::v4(address)),
        None => peek_in_full(cache, &host, family),
    }
}

/// As [`peek_address`] for the one IPv4 address of a host that the first look finds. `None` = not so, or
/// another family is asked for.
#[must_use]
#[inline(always)]
pub fn peek_ipv4(host: &HashedName<'_>, family: RecordType) -> Option<u32> {
    if family != RecordType::A {
        return None;
    }
    match Cache::instance()?.peek_ipv4(host, clock::now_ticks()) {
        Peek::Address {
            address,
            alone: true,
            ..
        } => {
            count_answered(None);
            Some(address)
        }
        _ => None,
    }
}

/// True when the cache knows that a host has no address of a family; only then it is counted. For names that
/// are no literals and have no trailing dot.
#[must_use]
pub fn is_known_absent(host: &HashedName<'_>, family: RecordType) -> bool {
    let Some(cache) = Cache::instance() else {
        return false;
    };
    match cache.first_address(host, family, clock::now_ticks()) {
        Seen::Negative(kind) if is_answer(kind) => {
            count_answered(Some(kind));
            true
        }
        _ => false,
    }
}

/// An absolute name without a final dot, for the quick looks of this module.
#[must_use]
#[inline(always)]
pub fn absolute_name(name: &[u8]) -> Option<HashedName<'_>> {
    Cache::instance().map(|cache| cache.hashed(name))
}

/// A name as the caller wrote it, without a final dot, for the quick looks of this module; `host`: for its addresses,
/// under these request flags.
#[must_use]
#[inline(always)]
pub fn written_name(name: &[u8], host: Option<u32>) -> Option<HashedName<'_>> {
    let either = host.is_some_and(takes_either);
    Cache::instance().map(|cache| cache.as_written(name, either))
}

/// The records that the cache has live under this very name; not counted, see [`count_quick_entry`]. The name
/// has no trailing dot.
#[must_use]
#[inline]
pub fn quick_entry(name: &HashedName<'_>, qtype: RecordType) -> Option<EntryRef> {
    Cache::instance()?.acquire_records(name, qtype, clock::now_ticks())
}

/// Offers the replacement of the NAPTR record that `rank` puts first, see [`Cache::with_best_naptr`]; counted if
/// `found` gives something. The name has no trailing dot.
#[inline]
pub fn with_best_naptr<K: Ord, V, T>(
    name: &HashedName<'_>,
    rank: impl Fn(NaptrFields<'_>) -> Option<(K, V)>,
    found: impl FnOnce(V, &HashedName<'_>) -> Option<T>,
) -> Option<T> {
    let cache = Cache::instance()?;
    let result = cache.with_best_naptr(name, clock::now_ticks(), rank, found)?;
    if result.is_some() {
        count_quick_entry();
    }
    result
}

/// Counts a lookup that [`quick_entry`] answered.
#[inline]
pub fn count_quick_entry() {
    count_answered(None);
}

/// As [`peek_address`], all cases.
#[inline(never)]
fn peek_in_full(cache: &Cache, host: &HashedName<'_>, family: RecordType) -> Peeked<PlainIp> {
    match cache.first_address(host, family, clock::now_ticks()) {
        Seen::Found(FirstAddress {
            address,
            alone: true,
        }) => {
            count_answered(None);
            Peeked::Found(address)
        }
        Seen::Negative(kind) if is_answer(kind) => {
            count_answered(Some(kind));
            Peeked::Absent
        }
        _ => Peeked::Look,
    }
}

/// True when a negative entry settles a lookup. After a failure there may still be stale data.
#[inline(always)]
pub(super) fn is_answer(kind: NegativeKind) -> bool {
    !kind.is_failure()
}

/// Counts a lookup that needed nothing but a look into the cache.
#[inline(always)]
pub(super) fn count_answered(negative: Option<NegativeKind>) {
    stats::count(Stat::Request);
    count_hit(negative);
}

/// The first address of an entry that is live, or that was fetched with TTL 0.
fn address_of(entry: &EntryRef) -> Result<PlainIp, LookupError> {
    let first = entry.usable_addresses(clock::now_ticks()).next();
    first.map(PlainIp::from).ok_or(LookupError::NoData)
}
