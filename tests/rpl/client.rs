//! What a client of the library sees of a question.

use std::net::IpAddr;

use kamailio_dns::cache::{Cache, EntryRef, NegativeKind, RecordView};
use kamailio_dns::error::LookupError;
use kamailio_dns::host::{clock, options};
use kamailio_dns::lookup::{self, request, uncached};
use kamailio_dns::rr::{RData, RecordType};

use crate::support::{A, AAAA};

/// Outcome of a lookup, as far as callers can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Addresses in ascending order with the s they have left.
    Data { addresses: Vec<IpAddr>, ttl: u32 },
    /// NXDOMAIN, or else NODATA, with the s this is known for.
    Absent { nxdomain: bool, ttl: u32 },
    /// Nothing was learnt about the name.
    Failed,
    /// Nothing live is in the cache (clients that may not ask the network).
    NotCached,
    /// Anything else: never right.
    Other(LookupError),
}

/// How a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Through the cache.
    Cached,
    /// Past the cache (`use_dns_cache=0`).
    Uncached,
    /// Only what the cache has (a query without RD).
    CacheOnly,
}

/// Asks for the addresses of a name.
pub fn ask(name: &str, qtype: u16, manner: Manner) -> Outcome {
    let flags = match qtype {
        A => request::IPV4_ONLY,
        AAAA => request::IPV6_ONLY,
        other => panic!("clients here ask for addresses, not for type {other}"),
    };
    let rtype = RecordType(qtype);
    let absolute = format!("{name}.");
    match manner {
        Manner::Uncached => uncached(&absolute, rtype),
        Manner::CacheOnly => {
            let cache = Cache::instance().unwrap();
            let live = cache.acquire(name.as_bytes(), rtype, clock::now_ticks());
            // Expired data is given out without asking first where that is switched on.
            let expired = cache.acquire_any_age(name.as_bytes(), rtype);
            let served = expired.filter(|e| e.negative().is_none() && serves_expired());
            if live.or(served).is_some() {
                cached(&absolute, rtype, flags)
            } else {
                Outcome::NotCached
            }
        }
        Manner::Cached => cached(&absolute, rtype, flags),
    }
}

fn uncached(name: &str, rtype: RecordType) -> Outcome {
    let records = match uncached::record_list(name.as_bytes(), rtype, true, false) {
        Ok(records) => records,
        Err(LookupError::Failed(_)) => return Outcome::Failed,
        Err(error) => return Outcome::Other(error),
    };
    let mut addresses: Vec<IpAddr> = records
        .iter()
        .filter_map(|record| match record.rdata {
            RData::A(address) => Some(IpAddr::V4(address)),
            RData::Aaaa(address) => Some(IpAddr::V6(address)),
            _ => None,
        })
        .collect();
    addresses.sort();
    let ttl = records.iter().map(|record| record.ttl).min().unwrap_or(0);
    Outcome::Data { addresses, ttl }
}

fn cached(name: &str, rtype: RecordType, flags: u32) -> Outcome {
    let nxdomain = match lookup::entry(name.as_bytes(), rtype, flags) {
        Ok((entry, _)) => return data(name, &entry, flags),
        Err(LookupError::NxDomain) => true,
        Err(LookupError::NoData) => false,
        Err(LookupError::Failed(_)) => return Outcome::Failed,
        Err(error) => return Outcome::Other(error),
    };
    let host = name.trim_end_matches('.').as_bytes();
    let entry = Cache::instance().and_then(|cache| cache.acquire(host, rtype, clock::now_ticks()));
    let wanted = if nxdomain {
        NegativeKind::NxDomain
    } else {
        NegativeKind::NoData
    };
    let ttl = entry
        .filter(|entry| entry.negative() == Some(wanted))
        .map_or(0, |entry| seconds_left(entry.expire()));
    Outcome::Absent { nxdomain, ttl }
}

fn data(name: &str, entry: &EntryRef, flags: u32) -> Outcome {
    let mut addresses: Vec<IpAddr> = entry
        .records()
        .filter_map(|record| match record {
            RecordView::A(address) => Some(IpAddr::V4(address)),
            RecordView::Aaaa(address) => Some(IpAddr::V6(address)),
            _ => None,
        })
        .collect();
    let ttl = (0..entry.record_count())
        .filter_map(|index| entry.record_expire(index))
        .map(|expire| reported(entry, expire))
        .min()
        .unwrap_or(0);
    if entry.is_linked() && ttl > 0 {
        // The short way to an address must agree, and send nothing (the queries are counted).
        let host = name.trim_end_matches('.').as_bytes();
        let first = lookup::first_address(host, flags);
        assert_eq!(first.ok(), addresses.first().copied(), "first_address()");
    }
    addresses.sort();
    Outcome::Data { addresses, ttl }
}

fn serves_expired() -> bool {
    let option = |name| options::get(name).is_some_and(|value| value != "0");
    option("dns_stale_ttl") && option("dns_stale_recent")
}

fn seconds_left(expire: u32) -> u32 {
    u32::try_from(clock::seconds_until(expire, clock::now_ticks())).unwrap_or(0)
}

/// TTL that a record is reported with.
fn reported(entry: &EntryRef, expire: u32) -> u32 {
    let ttl = lookup::reported_ttl(entry, expire, clock::now_ticks());
    u32::try_from(ttl).unwrap_or(0)
}
