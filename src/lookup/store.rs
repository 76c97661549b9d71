//! What of an answer goes into the cache.
//!
//! Three rules kept apart: absence (RFC 2308) under the name that is absent, failure (RFC 9520) under
//! the question and only for moments, records under their owner. Additional data is a hint that nobody
//! asked for: it is kept only for names inside the domain asked and never ousts what an answer gave
//! (RFC 2181 section 5.4.1), unless `dns_cache_rec_pref` says so.

use crate::cache::{
    Cache, Conflict, Draft, DraftData, DraftRecord, EntryRef, InsertError, NegativeKind, RecordView,
};
use crate::error::LookupError;
use crate::host::clock;
use crate::host::options::{self, Opt};
use crate::resolver::{Answer, Negative};
use crate::rr::{RData, Record, RecordType, eq_ignore_case};

use super::answer::{Alias, in_zone, is_data, zone_of};
use super::request::family_order;
use super::{service, ttl};

/// Keeps a record set and gives its entry; a set that may not be kept serves the caller alone.
pub(super) fn set(
    cache: &Cache,
    owner: &[u8],
    rtype: RecordType,
    records: &[&Record],
) -> Result<EntryRef, LookupError> {
    put_set(cache, owner, rtype, records, Conflict::Replace).map_err(|error| match error {
        InsertError::Full => LookupError::OutOfMemory,
        InsertError::BadDraft => LookupError::NoData,
    })
}

fn put_set(
    cache: &Cache,
    owner: &[u8],
    rtype: RecordType,
    records: &[&Record],
    conflict: Conflict,
) -> Result<EntryRef, InsertError> {
    let ttl = ttl::of_set(records.iter().map(|record| record.ttl));
    let drafts: Vec<_> = records
        .iter()
        .map(|record| DraftRecord {
            ttl,
            rdata: &record.rdata,
        })
        .collect();
    let draft = Draft {
        name: owner,
        rtype,
        data: DraftData::Records(&drafts),
        permanent: false,
        negative_ttl: 0,
    };
    let now = clock::now_ticks();
    if ttl == 0 {
        return cache.make_private(&draft, now);
    }
    match cache.insert(&draft, conflict, now) {
        Err(InsertError::Full) => {
            crate::cache_dbg!("cache full, {} is not kept", String::from_utf8_lossy(owner));
            cache.make_private(&draft, now)
        }
        // A permanent negative entry stays; the caller still gets what was fetched.
        Ok(entry) if entry.negative().is_some() => cache.make_private(&draft, now),
        result => result,
    }
}

/// Keeps one step of a CNAME chain.
pub(super) fn alias(cache: &Cache, alias: &Alias<'_>) {
    let ttl = ttl::of_set(std::iter::once(alias.ttl));
    if ttl == 0 {
        return;
    }
    let rdata = RData::Cname(alias.target.clone());
    let records = [DraftRecord { ttl, rdata: &rdata }];
    let draft = Draft {
        name: alias.owner,
        rtype: RecordType::CNAME,
        data: DraftData::Records(&records),
        permanent: false,
        negative_ttl: 0,
    };
    // A chain that cannot be kept is asked for again.
    let _kept = cache.insert(&draft, Conflict::Replace, clock::now_ticks());
}

/// Keeps a proven absence.
pub(super) fn absence(cache: &Cache, owner: &[u8], rtype: RecordType, negative: Negative) {
    let kind = if negative.nxdomain {
        NegativeKind::NxDomain
    } else {
        NegativeKind::NoData
    };
    put_negative(cache, owner, rtype, kind, ttl::negative(negative.ttl));
}

/// Remembers for a moment that a question was not answered.
pub(super) fn failure(cache: &Cache, owner: &[u8], rtype: RecordType) {
    put_negative(cache, owner, rtype, NegativeKind::Failure, ttl::failure());
}

fn put_negative(cache: &Cache, owner: &[u8], rtype: RecordType, kind: NegativeKind, ttl: u32) {
    if ttl == 0 {
        return;
    }
    let draft = Draft {
        name: owner,
        rtype,
        data: DraftData::Negative(kind),
        permanent: false,
        negative_ttl: ttl,
    };
    let _kept = cache.insert(&draft, Conflict::Replace, clock::now_ticks());
}

/// Keeps additional data that belongs to an answer: the addresses of SRV targets, and for NAPTR records
/// the SRV sets of their replacements with the addresses of those.
pub(super) fn related(cache: &Cache, entry: &EntryRef, reply: &Answer, flags: u32) {
    if !matches!(entry.rtype(), RecordType::SRV | RecordType::NAPTR) {
        return;
    }
    let extra = Extra {
        cache,
        reply,
        zone: zone_of(entry.name(), entry.rtype()).to_vec(),
        flags,
    };
    let everything = !cfg!(feature = "cache_relevant_recs_only")
        || (cfg!(feature = "naptr_cache_all_ars") && entry.rtype() == RecordType::NAPTR);
    if everything {
        extra.keep_all();
        return;
    }
    for record in entry.records() {
        match record {
            RecordView::Srv { target, .. } => extra.keep_addresses(target),
            RecordView::Naptr {
                flags,
                services,
                regexp,
                replacement,
                ..
            } if service::sip_transport(flags, services, regexp).is_some() => {
                extra.keep_srv(replacement);
            }
            _ => {}
        }
    }
}

/// Additional data of one answer.
struct Extra<'a> {
    cache: &'a Cache,
    reply: &'a Answer,
    zone: Vec<u8>,
    flags: u32,
}

impl Extra<'_> {
    fn keep_srv(&self, name: &[u8]) {
        let records = self.keep(name, RecordType::SRV);
        for record in records {
            if let RData::Srv(srv) = &record.rdata {
                self.keep_addresses(srv.target.as_bytes());
            }
        }
    }

    fn keep_addresses(&self, host: &[u8]) {
        let (first, second) = family_order(self.flags);
        for family in std::iter::once(first).chain(second) {
            self.keep(host, family);
        }
    }

    /// Keeps the set of a name and type, if there is one that may be believed.
    fn keep(&self, owner: &[u8], rtype: RecordType) -> Vec<&Record> {
        if !in_zone(owner, &self.zone) {
            return Vec::new();
        }
        let records: Vec<&Record> = self
            .reply
            .answers
            .iter()
            .chain(&self.reply.additional)
            .filter(|record| {
                is_data(record, rtype) && eq_ignore_case(record.owner.as_bytes(), owner)
            })
            .collect();
        if !records.is_empty() && ttl::of_set(records.iter().map(|r| r.ttl)) > 0 {
            let _kept = put_set(self.cache, owner, rtype, &records, preference());
        }
        records
    }

    fn keep_all(&self) {
        let mut seen: Vec<(&[u8], RecordType)> = Vec::new();
        for record in &self.reply.additional {
            let owner = record.owner.as_bytes();
            if seen
                .iter()
                .any(|(name, rtype)| *rtype == record.rtype && eq_ignore_case(name, owner))
            {
                continue;
            }
            seen.push((owner, record.rtype));
            self.keep(owner, record.rtype);
        }
    }
}

/// What `dns_cache_rec_pref` says of data that nobody asked for.
fn preference() -> Conflict {
    match options::int(Opt::RecPref) {
        2 => Conflict::Replace,
        3 => Conflict::KeepLonger,
        _ => Conflict::KeepOld,
    }
}
