//! Why a target was chosen, for people: made only when asked for, of what the position leads to.

use std::net::IpAddr;

use super::super::{AddressReason, NaptrReason, Reason, SrvReason};
use super::Search;
use super::candidate::leads_to;
use crate::cache::{Cache, EntryRef, RecordView};
use crate::host::clock;
use crate::lookup::{self, Source};
use crate::rr::RecordType;
use crate::select::naptr::{Candidates, rows_of};

/// Where the records of a step came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sources {
    pub(super) naptr: Source,
    pub(super) srv: Source,
    pub(super) address: Source,
}

impl Sources {
    /// Entries that are in use already came from the cache.
    pub(super) const CACHE: Self = Self {
        naptr: Source::Cache,
        srv: Source::Cache,
        address: Source::Cache,
    };
}

impl Search<'_> {
    /// Why the target at the cursor was chosen; `name` is the caller's.
    pub(super) fn reason_of(&self, name: &[u8], address: IpAddr) -> Reason {
        let srv = self.srv_reason();
        Reason {
            naptr: srv.as_ref().and_then(|_| self.naptr_reason(name)),
            address: Some(self.address_reason(name, srv.as_ref(), address)),
            srv,
        }
    }

    fn naptr_reason(&self, name: &[u8]) -> Option<NaptrReason> {
        let hash = self.cursor.naptr_hash();
        let position = self.cursor.candidate();
        let entry = self.naptr.clone().or_else(|| {
            let (srv, _) = self.cursor.srv_in_use()?;
            let accept =
                |entry: &EntryRef| entry.negative().is_none() && leads_to(entry, name, srv);
            let cache = Cache::instance().filter(|_| hash != 0)?;
            cache.acquire_by_hash(hash, RecordType::NAPTR, &accept)
        })?;
        let candidates = Candidates::new(rows_of(&entry), self.cursor.naptr_transport());
        let index = usize::from(candidates.get(position)?.index);
        match entry.record(index)? {
            RecordView::Naptr {
                order,
                preference,
                services,
                replacement,
                ..
            } => Some(NaptrReason {
                owner: entry.name().to_vec(),
                order,
                preference,
                service: services.to_vec(),
                replacement: replacement.to_vec(),
                ttl: seconds_left(&entry, index),
                source: self.sources.naptr,
            }),
            _ => None,
        }
    }

    fn srv_reason(&self) -> Option<SrvReason> {
        let (entry, index) = self.cursor.srv_in_use()?;
        match entry.record(index)? {
            RecordView::Srv {
                priority,
                weight,
                port,
                target,
            } => Some(SrvReason {
                owner: entry.name().to_vec(),
                priority,
                weight,
                port,
                target: target.to_vec(),
                ttl: seconds_left(entry, index),
                source: self.sources.srv,
            }),
            _ => None,
        }
    }

    fn address_reason(
        &self,
        name: &[u8],
        srv: Option<&SrvReason>,
        address: IpAddr,
    ) -> AddressReason {
        let Some(entry) = &self.cursor.a else {
            let host = srv.map_or(name, |srv| &srv.target);
            return AddressReason {
                owner: host.to_vec(),
                ttl: -1,
                source: Source::Literal,
            };
        };
        let now = clock::now_ticks();
        let mut indexes = 0..entry.record_count();
        let index = indexes.find(|&index| entry.usable_address(index, now) == Some(address));
        AddressReason {
            owner: entry.name().to_vec(),
            ttl: index.map_or(0, |index| seconds_left(entry, index)),
            source: self.sources.address,
        }
    }
}

/// Seconds to the end of a record; -1 for permanent ones.
fn seconds_left(entry: &EntryRef, index: usize) -> i32 {
    if entry.is_permanent() {
        return -1;
    }
    let now = clock::now_ticks();
    entry
        .record_expire(index)
        .map_or(0, |expire| lookup::reported_ttl(entry, expire, now))
}
