//! All addresses of one destination at once: the functions that give a `struct hostent`.

use std::net::IpAddr;

use crate::error::LookupError;
use crate::host::options::{self, ExtraOpt};
use crate::lookup::uncached;
use crate::rr::order::arranged;
use crate::rr::{RData, Record, RecordType, parse_literal};

use super::Transport;
use super::naptr::Candidates;
use super::protocols::{self, TransportList};

/// Which records are asked for, and whether through the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Addresses of one destination, all of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Canonical name, or the text of a literal.
    pub name: Vec<u8>,
    /// At least one.
    pub addresses: Vec<IpAddr>,
    /// Port from an SRV record, 0 without one.
    pub port: u16,
}

/// Looks a host up past the cache (`dns_func`): addresses of one family, empty when there are none.
pub type ResolveHost<'a> = dyn FnMut(&[u8]) -> Vec<IpAddr> + 'a;

/// Resolves a SIP URI's host; `port` and `proto` are in/out, 0 = not given, written on success only.
pub fn resolve(
    name: &[u8],
    port: Option<&mut u16>,
    proto: Option<&mut u8>,
    flags: u32,
    way: Way,
    resolve_host: &mut ResolveHost<'_>,
) -> Option<Found> {
    #[cfg(feature = "use_dns_cache")]
    if matches!(way, Way::CachedSrv | Way::CachedSrvList | Way::CachedNaptr) {
        return cached(name, port, proto, flags, way);
    }
    let _ = flags;
    let _deadline = crate::lookup::deadline::scope();
    let wanted = (port.as_deref().copied(), proto.as_deref().copied());
    let mut search = Uncached {
        resolve_host,
        failed: false,
        refused: false,
        only_secure: false,
    };
    let found = search.resolve(name, wanted, way);
    if found.is_none() {
        crate::host::counters::increment(crate::host::counters::Counter::FailedRequest);
    }
    let (found, transport) = found?;
    if let Some(port) = port {
        *port = found.port;
    }
    if let Some(proto) = proto {
        *proto = transport as u8;
    }
    Some(found)
}

/// As `resolve`, through the cache: the first target of the search, with all its addresses.
#[cfg(feature = "use_dns_cache")]
fn cached(
    name: &[u8],
    port: Option<&mut u16>,
    proto: Option<&mut u8>,
    flags: u32,
    way: Way,
) -> Option<Found> {
    use super::flags::{SRV_RR_LB, TRY_NAPTR};
    use super::{Cursor, handle};

    let flags = (flags & !(TRY_NAPTR | SRV_RR_LB))
        | if way == Way::CachedNaptr {
            TRY_NAPTR
        } else {
            0
        };
    let mut cursor = Cursor::default();
    let mut transport = proto.as_deref().copied();
    if way == Way::CachedSrv && transport == Some(0) {
        transport = Some(Transport::Udp as u8);
    }
    let mut target_port = port.as_deref().copied();
    let first = handle::resolve_whole_set(
        &mut cursor,
        name,
        target_port.as_mut(),
        transport.as_mut(),
        flags,
    )
    .ok()?;
    let mut found = match &cursor.a {
        Some(entry) => addresses_of(entry),
        None => Found {
            // The target of an SRV record can be a literal, and has its own text as name then.
            name: match cursor.srv {
                Some(_) => first.to_string().into_bytes(),
                None => name.to_vec(),
            },
            addresses: vec![first],
            port: 0,
        },
    };
    found.port = target_port.unwrap_or(0);
    if let (Some(port), Some(value)) = (port, target_port) {
        *port = value;
    }
    if let (Some(proto), Some(value)) = (proto, transport) {
        *proto = value;
    }
    Some(found)
}

#[cfg(feature = "use_dns_cache")]
fn addresses_of(entry: &crate::cache::EntryRef) -> Found {
    let now = crate::host::clock::now_ticks();
    Found {
        name: entry.name().to_vec(),
        addresses: entry.usable_addresses(now).collect(),
        port: 0,
    }
}

/// Addresses of a host through the cache, of the family that the flags put first and that exists.
#[cfg(feature = "use_dns_cache")]
#[must_use]
pub fn host(name: &[u8], flags: u32) -> Option<Found> {
    host_by(crate::lookup::entry, name, flags)
}

/// As [`host`], for a name as a caller wrote it, or as it came out of DNS.
#[cfg(feature = "use_dns_cache")]
fn host_by(look_up: super::handle::LookUp, name: &[u8], flags: u32) -> Option<Found> {
    use crate::lookup::{family_allowed, family_order};

    if let Some(address) = parse_literal(name) {
        let allowed = family_allowed(address, flags);
        return allowed.then(|| Found {
            name: name.to_vec(),
            addresses: vec![address],
            port: 0,
        });
    }
    let (first, second) = family_order(flags);
    std::iter::once(first)
        .chain(second)
        .find_map(|family| look_up(name, family, flags).ok())
        .map(|(entry, _)| addresses_of(&entry))
        .filter(|found| !found.addresses.is_empty())
}

/// Addresses of the first target of an SRV name (prefix included) that has any, and its port; through
/// the cache, without falling back to addresses of the name itself.
#[cfg(feature = "use_dns_cache")]
#[must_use]
pub fn srv_host(name: &[u8], flags: u32) -> Option<Found> {
    use crate::cache::RecordView;

    let _deadline = crate::lookup::deadline::scope();
    let (entry, _) = crate::lookup::entry(name, RecordType::SRV, flags).ok()?;
    for record in entry.records() {
        let RecordView::Srv { port, target, .. } = record else {
            continue;
        };
        if target.is_empty() {
            continue;
        }
        if let Some(found) = host_by(crate::lookup::absolute_entry, target, flags) {
            return Some(Found { port, ..found });
        }
        if crate::lookup::deadline::is_one_target_too_many() {
            break;
        }
    }
    None
}

/// What the caller gave: port and transport, `None` without a variable for it.
type Wanted = (Option<u16>, Option<u8>);

/// A search past the cache.
struct Uncached<'a, 'b> {
    resolve_host: &'a mut ResolveHost<'b>,
    /// A NAPTR or SRV query was not answered: then what is left out may not be replaced by less.
    failed: bool,
    /// There are SRV records that say that the service is not offered (target ".").
    refused: bool,
    /// The unanswered query was for a secure transport: one that is not is no substitute.
    only_secure: bool,
}

impl Uncached<'_, '_> {
    fn resolve(&mut self, name: &[u8], wanted: Wanted, way: Way) -> Option<(Found, Transport)> {
        let given = wanted.1.and_then(Transport::from_number);
        let transport = given.unwrap_or(Transport::Udp);
        let port = wanted
            .0
            .filter(|&port| port != 0)
            .unwrap_or(transport.default_port());
        if way == Way::UncachedSrvName {
            return Some((self.by_srv(name)?, transport));
        }
        if let Some(address) = parse_literal(name) {
            return Some((
                Found {
                    name: name.to_vec(),
                    addresses: vec![address],
                    port,
                },
                transport,
            ));
        }
        if wanted.0 == Some(0) && !Transport::is_known(wanted.1.unwrap_or(0)) {
            return None;
        }
        if wanted.0 == Some(0) && !crate::lookup::needs_no_dns(name) {
            let try_naptr =
                cfg!(feature = "use_naptr") && way == Way::UncachedNaptr && wanted.1 == Some(0);
            if try_naptr {
                let found = self.by_naptr(name);
                if found.is_some() || self.failed {
                    return found;
                }
                self.refused = false;
            }
            let list = match given {
                None if way != Way::UncachedSrv => protocols::list(),
                _ => TransportList::single(transport),
            };
            for &transport in list.iter() {
                let Some(srv_name) = protocols::srv_name(transport, name) else {
                    continue;
                };
                if let Some(found) = self.by_srv_over(transport, &srv_name) {
                    return Some((found, transport));
                }
            }
            if self.failed || self.refused {
                return None;
            }
        }
        Some((self.by_address(name, port)?, transport))
    }

    fn by_naptr(&mut self, name: &[u8]) -> Option<(Found, Transport)> {
        let records = self.query(name, RecordType::NAPTR);
        let naptrs: Vec<_> = records
            .iter()
            .filter_map(|record| match &record.rdata {
                RData::Naptr(naptr) => Some(naptr),
                _ => None,
            })
            .collect();
        let rows = naptrs
            .iter()
            .map(|n| (&*n.flags, &*n.services, &*n.regexp, n.order, n.preference));
        let candidates = Candidates::new(rows);
        (0..candidates.len()).find_map(|position| {
            let candidate = candidates.get(position)?;
            let naptr = naptrs.get(usize::from(candidate.index))?;
            // What comes out of DNS is absolute.
            let srv_name = [naptr.replacement.as_bytes(), b"."].concat();
            let found = self.by_srv_over(candidate.transport, &srv_name)?;
            Some((found, candidate.transport))
        })
    }

    /// As `by_srv`, unless an unanswered query forbids the transport.
    fn by_srv_over(&mut self, transport: Transport, srv_name: &[u8]) -> Option<Found> {
        if self.only_secure && !transport.is_secure() {
            return None;
        }
        let before = std::mem::take(&mut self.failed);
        let found = self.by_srv(srv_name);
        self.only_secure |= self.failed && transport.is_secure();
        self.failed |= before;
        found
    }

    fn by_srv(&mut self, srv_name: &[u8]) -> Option<Found> {
        let records = self.query(srv_name, RecordType::SRV);
        let srvs: Vec<_> = records
            .iter()
            .filter_map(|record| match &record.rdata {
                RData::Srv(srv) if !srv.has_no_port() => Some(srv),
                _ => None,
            })
            .collect();
        self.refused |= !srvs.is_empty() && srvs.iter().all(|srv| srv.target.is_root());
        for srv in srvs.into_iter().filter(|srv| !srv.target.is_root()) {
            let found = self.by_address(srv.target.as_bytes(), srv.port);
            if found.is_some() {
                return found;
            }
            if crate::lookup::deadline::is_one_target_too_many() {
                self.failed = true;
                break;
            }
        }
        None
    }

    fn by_address(&mut self, host: &[u8], port: u16) -> Option<Found> {
        let addresses = match parse_literal(host) {
            Some(address) => vec![address],
            None => in_order((self.resolve_host)(host)),
        };
        (!addresses.is_empty()).then(|| Found {
            name: host.to_vec(),
            addresses,
            port,
        })
    }

    /// The records of a name in the order in which the cache would have them; an unanswered query is noted.
    fn query(&mut self, name: &[u8], rtype: RecordType) -> Vec<Record> {
        match uncached::record_list(name, rtype, true, false) {
            Ok(records) => arranged(records, |record| &record.rdata).collect(),
            Err(error) => {
                self.failed |= matches!(error, LookupError::Failed(_)) && !lenient();
                Vec::new()
            }
        }
    }
}

/// Addresses in the order in which the cache would have them.
fn in_order(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let data: Vec<_> = addresses
        .iter()
        .map(|address| match address {
            IpAddr::V4(address) => RData::A(*address),
            IpAddr::V6(address) => RData::Aaaa(*address),
        })
        .collect();
    let pairs = addresses.iter().zip(&data);
    arranged(pairs, |(_, rdata)| *rdata)
        .map(|(address, _)| *address)
        .collect()
}

fn lenient() -> bool {
    options::extra(ExtraOpt::FallbackOnFailure) != 0
}
