//! Records that come past the cache: for one target, with nothing to go on from.

use std::net::IpAddr;

use crate::error::LookupError;
use crate::lookup::{turns, uncached};
use crate::rr::order::arranged;
use crate::rr::{Naptr, RData, RecordType, Srv, parse_literal};

use super::naptr::NaptrRow;
use super::security::Nothing;
use super::tree::{Named, NaptrSet, Records, SrvRecord, SrvSet};

/// Looks a host up past the cache (`dns_func`): addresses of one family, at least one. `true`: a record leads to the
/// host, so no search list may complete the name.
pub type ResolveHost<'a> = dyn FnMut(&[u8], bool) -> Result<Vec<IpAddr>, LookupError> + 'a;

/// Addresses of one destination, all of one family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Canonical name, or the text of a literal.
    pub name: Vec<u8>,
    /// At least one.
    pub addresses: Vec<IpAddr>,
    /// Port from an SRV record, 0 without one.
    pub port: u16,
}

/// A search past the cache.
pub(super) struct PastCache<'a, 'b> {
    resolve_host: &'a mut ResolveHost<'b>,
    /// The addresses that were taken last.
    found: Found,
}

impl<'a, 'b> PastCache<'a, 'b> {
    pub(super) fn new(resolve_host: &'a mut ResolveHost<'b>) -> Self {
        Self {
            resolve_host,
            found: Found::default(),
        }
    }

    pub(super) fn into_found(self) -> Found {
        self.found
    }
}

impl NaptrSet for Vec<Naptr> {
    fn rows(&self) -> impl Iterator<Item = NaptrRow<'_>> {
        self.iter()
            .map(|n| (&*n.flags, &*n.services, &*n.regexp, n.order, n.preference))
    }

    fn replacement(&self, index: usize) -> Option<&[u8]> {
        self.get(index).map(|naptr| naptr.replacement.as_bytes())
    }
}

impl SrvSet for Vec<Srv> {
    fn count(&self) -> usize {
        self.len()
    }

    fn at(&self, step: usize, _seed: u32) -> Option<SrvRecord<'_>> {
        self.get(step).map(|srv| SrvRecord {
            index: step,
            port: srv.port,
            target: match srv.target.is_root() {
                true => b"",
                false => srv.target.as_bytes(),
            },
            is_live: true,
        })
    }
}

impl Records for PastCache<'_, '_> {
    type Naptr = Vec<Naptr>;
    type Srv = Vec<Srv>;

    fn flags(&self) -> u32 {
        0
    }

    fn seed(&self) -> u32 {
        0
    }

    fn naptr(&mut self, owner: &[u8]) -> Result<Vec<Naptr>, Nothing> {
        records(
            owner,
            Named::ByCaller,
            RecordType::NAPTR,
            |rdata| match rdata {
                RData::Naptr(naptr) => Some(naptr),
                _ => None,
            },
        )
    }

    fn srv(
        &mut self,
        name: &[u8],
        named: Named,
        _others: &dyn Fn() -> Vec<Vec<u8>>,
    ) -> Result<Vec<Srv>, Nothing> {
        records(name, named, RecordType::SRV, |rdata| match rdata {
            RData::Srv(srv) if !srv.has_no_port() => Some(srv),
            _ => None,
        })
    }

    fn addresses(&mut self, host: &[u8], named: Named) -> Result<IpAddr, Nothing> {
        let addresses = match parse_literal(host) {
            Some(address) => vec![address],
            None => {
                let by_record = named == Named::ByRecord;
                let mut addresses = in_order((self.resolve_host)(host, by_record)?);
                turns::turn(host, &mut addresses);
                addresses
            }
        };
        let first = *addresses.first().ok_or(Nothing::Absent)?;
        self.found.name = host.to_vec();
        self.found.addresses = addresses;
        Ok(first)
    }

    fn at_literal(&mut self, name: &[u8], address: IpAddr) {
        self.found.name = name.to_vec();
        self.found.addresses = vec![address];
    }
}

/// The records of a name in the order in which the cache would have them.
fn records<T>(
    name: &[u8],
    named: Named,
    rtype: RecordType,
    of_type: impl Fn(RData) -> Option<T>,
) -> Result<Vec<T>, Nothing> {
    let absolute;
    let name = match named {
        Named::ByCaller => name,
        Named::ByRecord => {
            absolute = [name, b"."].concat();
            &absolute
        }
    };
    let records = uncached::record_list(name, rtype, true, false)?;
    let arranged = arranged(records, |record| &record.rdata);
    Ok(arranged
        .filter_map(|record| of_type(record.rdata))
        .collect())
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
