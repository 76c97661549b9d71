//! What a message means for the client that asked, as far as a stub's lookup can say it.

use std::net::IpAddr;

use crate::support::{A, AAAA, CNAME, Rr, SOA, wire};

use super::client::Outcome;
use super::parser::Entry;

const NXDOMAIN: u16 = 3;
/// More steps than any chain of these scenarios has.
const MAX_HOPS: usize = 8;

/// What a client should get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Addresses in ascending order; s left, where that is to be compared.
    Data {
        addresses: Vec<IpAddr>,
        ttl: Option<u32>,
    },
    /// NXDOMAIN or else NODATA; s left, where that is to be compared.
    Absent { nxdomain: bool, ttl: Option<u32> },
    /// A failure.
    Failed,
    /// The answer is about something else: nothing is known of the name.
    Nothing,
}

/// What an entry says about a question.
pub fn of_entry(entry: &Entry, name: &str, qtype: u16) -> Expected {
    let nxdomain = match entry.rcode() {
        0 => false,
        NXDOMAIN => true,
        _ => return Expected::Failed,
    };
    let found = follow(&entry.answers, name, qtype);
    if !found.is_empty() {
        let mut addresses: Vec<IpAddr> = found.iter().filter_map(|rr| address(rr)).collect();
        addresses.sort();
        let ttl = found.iter().map(|rr| rr.ttl).min();
        return Expected::Data { addresses, ttl };
    }
    let soa = entry.authorities.iter().find(|rr| rr.rtype == SOA);
    if soa.is_none() && !nxdomain {
        return Expected::Nothing;
    }
    let ttl = soa.map(|soa| soa.ttl.min(minimum(soa)));
    Expected::Absent { nxdomain, ttl }
}

fn follow<'a>(answers: &'a [Rr], name: &str, qtype: u16) -> Vec<&'a Rr> {
    let mut owner = wire::name(name);
    for _ in 0..MAX_HOPS {
        let of_owner = |rr: &&Rr| wire::name(&rr.owner).eq_ignore_ascii_case(&owner);
        let found: Vec<&Rr> = answers
            .iter()
            .filter(of_owner)
            .filter(|rr| rr.rtype == qtype)
            .collect();
        if !found.is_empty() {
            return found;
        }
        let mut aliases = answers.iter().filter(of_owner);
        match aliases.find(|rr| rr.rtype == CNAME) {
            Some(alias) => owner = alias.rdata.clone(),
            None => break,
        }
    }
    Vec::new()
}

fn address(rr: &Rr) -> Option<IpAddr> {
    match rr.rtype {
        A => <[u8; 4]>::try_from(&rr.rdata[..]).ok().map(IpAddr::from),
        AAAA => <[u8; 16]>::try_from(&rr.rdata[..]).ok().map(IpAddr::from),
        _ => None,
    }
}

/// MINIMUM of a SOA record: its last four octets.
fn minimum(soa: &Rr) -> u32 {
    let last = soa.rdata.last_chunk::<4>().expect("SOA data");
    u32::from_be_bytes(*last)
}

impl Expected {
    pub fn ttl(&self) -> Option<u32> {
        match self {
            Self::Data { ttl, .. } | Self::Absent { ttl, .. } => *ttl,
            Self::Failed | Self::Nothing => None,
        }
    }

    /// The TTL is not to be compared.
    pub fn forget_ttl(&mut self) {
        if let Self::Data { ttl, .. } | Self::Absent { ttl, .. } = self {
            *ttl = None;
        }
    }

    /// The same after some seconds.
    pub fn aged(mut self, seconds: u64) -> Self {
        if let Self::Data { ttl: Some(ttl), .. } | Self::Absent { ttl: Some(ttl), .. } = &mut self {
            *ttl = ttl.saturating_sub(u32::try_from(seconds).unwrap_or(u32::MAX));
        }
        self
    }

    /// Compares with what a client got.
    pub fn compare(&self, outcome: &Outcome) -> Result<(), String> {
        let same_ttl = |wanted: &Option<u32>, got: &u32| wanted.is_none_or(|ttl| ttl == *got);
        let same = match (self, outcome) {
            (
                Self::Data { addresses, ttl },
                Outcome::Data {
                    addresses: got,
                    ttl: got_ttl,
                },
            ) => addresses == got && same_ttl(ttl, got_ttl),
            (
                Self::Absent { nxdomain, ttl },
                Outcome::Absent {
                    nxdomain: got,
                    ttl: got_ttl,
                },
            ) => nxdomain == got && same_ttl(ttl, got_ttl),
            (Self::Failed, Outcome::Failed) | (Self::Nothing, Outcome::NotCached) => true,
            _ => false,
        };
        if same {
            Ok(())
        } else {
            Err(format!("{self:?} expected, got {outcome:?}"))
        }
    }
}
