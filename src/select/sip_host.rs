//! All addresses of one destination at once: the functions that give a `struct hostent`.

use std::net::IpAddr;

#[cfg(feature = "use_dns_cache")]
use crate::cache::{HashedName, HostCopy};
use crate::host::options::{self, Opt};
use crate::lookup;
#[cfg(feature = "use_dns_cache")]
use crate::lookup::Peeked;
#[cfg(feature = "use_dns_cache")]
use crate::rr::{PlainIp, may_be_literal, parse_literal};

use super::past_cache::PastCache;
pub use super::past_cache::{Found, ResolveHost};
#[cfg(feature = "use_dns_cache")]
use super::protocols;
use super::tree::{self, Wanted};
use super::{SelectError, Transport};

/// The records that are asked for, and whether through the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "use_naptr"),
    allow(dead_code, reason = "a list of transports comes after NAPTR alone")
)]
pub enum Way {
    /// SRV for the transport given (UDP if none), then addresses; through the cache.
    CachedSrv,
    /// SRV for each transport in order of preference, then addresses; through the cache.
    CachedSrvList,
    /// NAPTR, SRV, addresses; through the cache.
    CachedNaptr,
    /// As `CachedSrv`, past the cache.
    UncachedSrv,
    /// As `CachedSrvList`, past the cache.
    UncachedSrvList,
    /// As `CachedNaptr`, past the cache.
    UncachedNaptr,
    /// The name is an SRV name already; past the cache.
    UncachedSrvName,
}

/// True when lookups go through the cache.
#[must_use]
pub fn cache_in_use() -> bool {
    #[cfg(feature = "use_dns_cache")]
    return options::on(Opt::UseCache) && crate::cache::Cache::instance().is_some();
    #[cfg(not(feature = "use_dns_cache"))]
    false
}

/// True when NAPTR records are to be asked for.
fn naptr_wanted() -> bool {
    cfg!(feature = "use_naptr") && options::on(Opt::TryNaptr)
}

impl Way {
    /// Returns `self`, a way through the cache, or `past_cache` where the cache is not in use.
    #[must_use]
    pub fn if_in_use(self, past_cache: Self) -> Self {
        match cache_in_use() {
            true => self,
            false => past_cache,
        }
    }

    /// The way that the options ask for.
    #[must_use]
    pub fn configured() -> Self {
        let cached = match naptr_wanted() {
            true => Self::CachedNaptr,
            false => Self::CachedSrv,
        };
        cached.if_in_use(Self::past_cache())
    }

    /// The way that the options ask for, past the cache.
    #[must_use]
    pub fn past_cache() -> Self {
        match naptr_wanted() {
            true => Self::UncachedNaptr,
            false => Self::UncachedSrv,
        }
    }
}

/// Resolves a SIP URI's host; `port` and `proto` are in/out, 0 = not given, written on success only.
pub fn resolve(
    name: &[u8],
    port: Option<&mut u16>,
    proto: Option<&mut u8>,
    flags: u32,
    way: Way,
    resolve_host: &mut ResolveHost<'_>,
) -> Option<Found> {
    let mut transport = proto.as_deref().copied();
    if matches!(way, Way::CachedSrv | Way::UncachedSrv) && matches!(transport, None | Some(0)) {
        transport = Some(Transport::DEFAULT as u8);
    }
    let wanted = Wanted {
        port: port.as_deref().copied(),
        transport,
        naptr: matches!(way, Way::CachedNaptr | Way::UncachedNaptr),
    };
    let result = match way {
        #[cfg(feature = "use_dns_cache")]
        Way::CachedSrv | Way::CachedSrvList | Way::CachedNaptr => cached(name, wanted, flags),
        _ => uncached(name, wanted, way, resolve_host),
    };
    let _ = flags;
    let (found, transport) = result.ok()?;
    if let Some(port) = port {
        *port = found.port;
    }
    if let Some(proto) = proto {
        *proto = transport;
    }
    Some(found)
}

/// The first target where there is no cache, and so nothing that a handle could hold: no other comes after it.
///
/// # Errors
/// Says which records could not be had.
#[cfg(feature = "use_dns_cache")]
#[cold]
#[inline(never)]
pub fn first_past_cache(
    name: &[u8],
    port: Option<&mut u16>,
    proto: Option<&mut u8>,
    flags: u32,
    resolve_host: &mut ResolveHost<'_>,
) -> Result<IpAddr, SelectError> {
    let found = resolve(name, port, proto, flags, Way::past_cache(), resolve_host);
    let lacking = match flags & super::flags::TRY_NAPTR {
        0 => SelectError::NoSrv,
        _ => SelectError::NoNaptr,
    };
    found
        .and_then(|found| found.addresses.first().copied())
        .ok_or(lacking)
}

/// As `resolve`, past the cache.
fn uncached(
    name: &[u8],
    wanted: Wanted,
    way: Way,
    resolve_host: &mut ResolveHost<'_>,
) -> Result<(Found, u8), SelectError> {
    let _deadline = lookup::deadline::scope();
    let mut records = PastCache::new(resolve_host);
    let target = match way {
        Way::UncachedSrvName => {
            let found = tree::by_srv_name(&mut records, name, &Vec::new);
            let given = wanted.transport.and_then(Transport::from_number);
            let transport = given.unwrap_or(Transport::DEFAULT);
            found
                .map(|(_, found)| found.over(transport))
                .map_err(|_| SelectError::NoSrv)
        }
        _ => tree::first(&mut records, name, wanted),
    };
    if target.is_err() {
        crate::host::counters::increment(crate::host::counters::Counter::FailedRequest);
    }
    let target = target?;
    let found = Found {
        port: target.port,
        ..records.into_found()
    };
    Ok((found, target.transport as u8))
}

/// As `resolve`, through the cache: the first target of the search, with all its addresses.
#[cfg(feature = "use_dns_cache")]
fn cached(name: &[u8], wanted: Wanted, flags: u32) -> Result<(Found, u8), SelectError> {
    use super::flags::{SRV_RR_LB, TRY_NAPTR};
    use super::{Cursor, handle};

    let mut cursor = Cursor::default();
    let (mut port, mut transport) = (wanted.port, wanted.transport);
    let naptr = if wanted.naptr { TRY_NAPTR } else { 0 };
    let first = handle::resolve_whole_set(
        &mut cursor,
        name,
        port.as_mut(),
        transport.as_mut(),
        flags & !(TRY_NAPTR | SRV_RR_LB) | naptr,
    )?;
    let found = found_at(&cursor, name, first, port.unwrap_or(0));
    Ok((found, transport.unwrap_or(0)))
}

/// The addresses that a cursor holds; `name` led to the first of them.
#[cfg(feature = "use_dns_cache")]
fn found_at(cursor: &super::Cursor, name: &[u8], first: IpAddr, port: u16) -> Found {
    match &cursor.a {
        Some(entry) => Found {
            port,
            ..addresses_of(entry, cursor.start())
        },
        None => Found {
            // The target of an SRV record can be a literal, and has its own text as name then.
            name: match cursor.srv {
                Some(_) => first.to_string().into_bytes(),
                None => name.to_vec(),
            },
            addresses: vec![first],
            port,
        },
    }
}

#[cfg(feature = "use_dns_cache")]
fn addresses_of(entry: &crate::cache::EntryRef, start: u32) -> Found {
    let now = crate::host::clock::now_ticks();
    let in_order = (0..entry.record_count())
        .filter_map(|step| super::handle::address_at_step(entry, step, start));
    Found {
        name: entry.name().to_vec(),
        addresses: in_order
            .filter_map(|index| entry.usable_address(index, now))
            .collect(),
        port: 0,
    }
}

/// Addresses of a host through the cache, of the family that the flags put first and that exists.
#[cfg(feature = "use_dns_cache")]
#[must_use]
pub fn host(name: &[u8], flags: u32) -> Option<Found> {
    use crate::lookup::{family_allowed, host_entry, turns};

    if let Some(address) = parse_literal(name) {
        let allowed = family_allowed(address, flags);
        return allowed.then(|| Found {
            name: name.to_vec(),
            addresses: vec![address],
            port: 0,
        });
    }
    let entry = host_entry(name, flags).ok()?;
    let start = match flags & super::flags::ROTATE {
        0 => 0,
        _ => super::handle::turn(turns::take(name)),
    };
    Some(addresses_of(&entry, start)).filter(|found| !found.addresses.is_empty())
}

/// Addresses of the first target of an SRV name (prefix included) that has any, and its port; through
/// the cache, without falling back to addresses of the name itself.
#[cfg(feature = "use_dns_cache")]
#[must_use]
pub fn srv_host(name: &[u8], flags: u32) -> Option<Found> {
    use super::{Cursor, handle};

    let mut cursor = Cursor::default();
    let first = handle::resolve_srv_name(&mut cursor, name, flags).ok()?;
    Some(found_at(&cursor, name, first, cursor.port))
}

/// Copies the addresses of a host that a record leads to, if the cache knows them.
#[cfg(feature = "use_dns_cache")]
fn copy_target(target: &HashedName<'_>, flags: u32, copy: &mut HostCopy) -> Option<()> {
    match lookup::copy_next_host(target, flags, copy) {
        Peeked::Found(()) => Some(()),
        Peeked::Absent | Peeked::Look => None,
    }
}

/// Copies the addresses of the SRV target that comes first, if the cache knows them; gives its port.
#[cfg(feature = "use_dns_cache")]
pub(crate) fn copy_srv_host(name: &[u8], flags: u32, copy: &mut HostCopy) -> Option<u16> {
    lookup::with_first_srv(name, |port, target| {
        copy_target(target, flags, copy).map(|()| port)
    })
}

/// The first address of the SRV target that comes first, and its port, if the cache knows them.
#[cfg(feature = "use_dns_cache")]
pub(crate) fn srv_address(name: &[u8], flags: u32) -> Option<(PlainIp, u16)> {
    lookup::with_first_srv(name, |port, target| {
        Some((lookup::known_address(target, flags)?, port))
    })
}

/// Copies the addresses of a SIP destination that needs one SRV lookup at most, if the cache knows all of it; gives
/// port and transport. `port` and `proto` are what the caller gave.
#[cfg(feature = "use_dns_cache")]
pub(crate) fn copy_host(
    name: &[u8],
    port: Option<u16>,
    proto: Option<u8>,
    flags: u32,
    copy: &mut HostCopy,
) -> Option<(u16, u8)> {
    if may_be_literal(name) {
        return None;
    }
    let transport = Transport::or_default(proto?)?;
    let port = match port? {
        0 if lookup::needs_no_dns(name) => return None,
        0 => copy_srv_host(&protocols::srv_name(transport, name)?, flags, copy)?,
        given => match lookup::copy_host(name, flags, copy) {
            Peeked::Found(()) => given,
            Peeked::Absent | Peeked::Look => return None,
        },
    };
    Some((port, transport as u8))
}
