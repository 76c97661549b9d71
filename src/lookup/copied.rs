//! The addresses of a cached host, copied out without a reference: the usual case of the functions that give all
//! addresses of a host. Hosts that need a query, an alias or stale data are looked up properly.

use crate::cache::{Cache, FirstAddress, HashedName, HostCopy, NegativeKind, Peek, Seen};
use crate::host::clock;
use crate::rr::{PlainIp, RecordType, may_be_literal};

use super::cached::{Peeked, count_answered, is_answer};
use super::request::{ROTATE, TRACED, family_order, is_plain, takes_either};

/// True for names that these functions leave to a proper lookup.
fn is_special(host: &[u8]) -> bool {
    matches!(host, [] | [.., b'.']) || may_be_literal(host)
}

/// Copies the addresses of a cached host, of the family that the flags put first and that exists.
#[must_use]
#[inline(always)]
pub fn copy_host(host: &[u8], flags: u32, out: &mut HostCopy) -> Peeked<()> {
    let Some(cache) = Cache::instance().filter(|_| !is_special(host)) else {
        return Peeked::Look;
    };
    // First, for it is a call: the hash stays in registers then.
    let now = clock::now_ticks();
    let host = cache.as_written(host, takes_either(flags));
    copy_from(cache, &host, flags, now, out)
}

/// As [`copy_host`], for the name that a record leads to.
#[must_use]
#[inline]
pub fn copy_next_host(host: &HashedName<'_>, flags: u32, out: &mut HostCopy) -> Peeked<()> {
    let Some(cache) = Cache::instance().filter(|_| !is_special(host.name())) else {
        return Peeked::Look;
    };
    copy_from(cache, host, flags, clock::now_ticks(), out)
}

#[inline(always)]
fn copy_from(
    cache: &Cache,
    host: &HashedName<'_>,
    flags: u32,
    now: u32,
    out: &mut HostCopy,
) -> Peeked<()> {
    // Most hosts have one address and are always asked for in the same spelling.
    if is_plain(flags) {
        match cache.peek_ipv4(host, now) {
            Peek::Address {
                address,
                alone: true,
                as_asked: true,
            } if out.set_single(host.name(), address) => {
                count_answered(None);
                return Peeked::Found(());
            }
            Peek::Again => return Peeked::Look,
            _ => {}
        }
    }
    copy_host_in_full(cache, host, flags, out)
}

/// As [`copy_host`], all cases.
#[inline(never)]
fn copy_host_in_full(
    cache: &Cache,
    host: &HashedName<'_>,
    flags: u32,
    out: &mut HostCopy,
) -> Peeked<()> {
    if flags & (ROTATE | TRACED) != 0 {
        return Peeked::Look;
    }
    let now = clock::now_ticks();
    let settled = by_family(flags, |family| {
        match cache.copy_host(host, family, now, out) {
            Seen::Found(()) => Some(Ok(())),
            Seen::Negative(kind) => Some(Err(kind)),
            Seen::Miss | Seen::Alias => None,
        }
    });
    match settled {
        Some(Ok(())) => Peeked::Found(()),
        Some(Err(_)) => Peeked::Absent,
        None => Peeked::Look,
    }
}

/// The cache's answer about the family that comes first, or about the other where the first is absent; `None` = look
/// the name up. A look is counted when it settles the matter: a lookup counts for itself.
fn by_family<T>(
    flags: u32,
    mut look: impl FnMut(RecordType) -> Option<Result<T, NegativeKind>>,
) -> Option<Result<T, NegativeKind>> {
    let (first, second) = family_order(flags);
    let found = look(first)?;
    let (absent, found) = match (found, second) {
        (Err(kind), Some(second)) if is_answer(kind) => (Some(kind), look(second)?),
        (found, _) => (None, found),
    };
    let kind = found.as_ref().err().copied();
    if kind.is_some_and(|kind| !is_answer(kind)) {
        return None;
    }
    if absent.is_some() {
        count_answered(absent);
    }
    count_answered(kind);
    Some(found)
}

/// The first address of a cached host, as [`copy_host`]; `None` = look the name up.
#[must_use]
#[inline]
pub fn known_address(host: &HashedName<'_>, flags: u32) -> Option<PlainIp> {
    if is_special(host.name()) {
        return None;
    }
    if is_plain(flags)
        && let Peek::Address { address, .. } =
            Cache::instance()?.peek_ipv4(host, clock::now_ticks())
    {
        count_answered(None);
        return Some(PlainIp::v4(address));
    }
    known_address_in_full(host, flags)
}

/// As [`known_address`], all cases.
#[inline(never)]
fn known_address_in_full(host: &HashedName<'_>, flags: u32) -> Option<PlainIp> {
    if flags & (ROTATE | TRACED) != 0 {
        return None;
    }
    let cache = Cache::instance()?;
    let now = clock::now_ticks();
    by_family(flags, |family| {
        match cache.first_address(host, family, now) {
            Seen::Found(FirstAddress { address, .. }) => Some(Ok(address)),
            Seen::Negative(kind) => Some(Err(kind)),
            Seen::Miss | Seen::Alias => None,
        }
    })?
    .ok()
}

/// Offers port and target of the SRV record of a cached name that is used first when weights do not count; counted if
/// `found` gives something. `None` = look it up.
#[inline]
pub fn with_first_srv<T>(
    name: &[u8],
    found: impl FnOnce(u16, &HashedName<'_>) -> Option<T>,
) -> Option<T> {
    let cache = Cache::instance().filter(|_| !matches!(name, [] | [.., b'.']))?;
    let name = cache.as_written(name, false);
    let result = cache.with_first_srv(&name, clock::now_ticks(), found)??;
    count_answered(None);
    Some(result)
}
