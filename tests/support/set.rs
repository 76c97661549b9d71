//! Sets of records as they come to the cache, for the tests of the cache itself and those of all that is built on it.
//! `library` is the crate: the module above says so in either place.

use super::library::cache::{
    Cache, Conflict, Draft, DraftData, DraftRecord, EntryRef, InsertError, NegativeKind,
};
use super::library::rr::{Name, Naptr, RData, RecordType, Srv};

/// A set of records of one name and type, or their absence.
#[derive(Clone, Debug)]
pub struct Set {
    name: Vec<u8>,
    rtype: RecordType,
    records: Vec<(u32, RData)>,
    absent: Option<NegativeKind>,
    negative_ttl: u32,
    permanent: bool,
}

impl Set {
    /// A set without records yet.
    pub fn of(name: impl AsRef<[u8]>, rtype: RecordType) -> Self {
        Self {
            name: name.as_ref().to_vec(),
            rtype,
            records: Vec::new(),
            absent: None,
            negative_ttl: 0,
            permanent: false,
        }
    }

    /// The records of a name are absent for so many s.
    pub fn absence(
        name: impl AsRef<[u8]>,
        rtype: RecordType,
        kind: NegativeKind,
        ttl: u32,
    ) -> Self {
        Self {
            absent: Some(kind),
            negative_ttl: ttl,
            ..Self::of(name, rtype)
        }
    }

    /// Adds a record.
    pub fn record(mut self, ttl: u32, rdata: RData) -> Self {
        self.records.push((ttl, rdata));
        self
    }

    /// Adds records of one TTL.
    pub fn records<'a>(mut self, ttl: u32, records: impl IntoIterator<Item = &'a RData>) -> Self {
        let records = records.into_iter().cloned();
        self.records.extend(records.map(|rdata| (ttl, rdata)));
        self
    }

    /// The records do not expire, if so.
    pub fn permanent(mut self, permanent: bool) -> Self {
        self.permanent = permanent;
        self
    }

    /// Does something with the set in the form that the cache takes.
    pub fn draft<R>(&self, act: impl FnOnce(&Draft<'_>) -> R) -> R {
        let records = self.records.iter();
        let records: Vec<_> = records
            .map(|(ttl, rdata)| DraftRecord { ttl: *ttl, rdata })
            .collect();
        act(&Draft {
            name: &self.name,
            rtype: self.rtype,
            data: match self.absent {
                Some(kind) => DraftData::Negative(kind),
                None => DraftData::Records(&records),
            },
            permanent: self.permanent,
            negative_ttl: self.negative_ttl,
        })
    }

    /// Stores it in place of what is there.
    pub fn put(&self, cache: &Cache, now: u32) -> Result<EntryRef, InsertError> {
        self.put_as(cache, Conflict::Replace, now)
    }

    /// Stores it, or what is there stays.
    pub fn put_as(
        &self,
        cache: &Cache,
        conflict: Conflict,
        now: u32,
    ) -> Result<EntryRef, InsertError> {
        self.draft(|draft| cache.insert(draft, conflict, now))
    }

    /// As a lookup does: into the cache if there is room, else for this call alone.
    pub fn put_or_keep(&self, cache: &Cache, now: u32) -> Result<EntryRef, InsertError> {
        self.draft(|draft| {
            let stored = cache.insert(draft, Conflict::Replace, now);
            stored.or_else(|_| cache.make_private(draft, now))
        })
    }
}

/// A name.
pub fn name(text: &str) -> Name {
    Name::from_text(text.as_bytes()).expect("a name")
}

/// An IPv4 address of 192.0.2.0/24.
pub fn a(last: u8) -> RData {
    RData::A([192, 0, 2, last].into())
}

/// An alias.
pub fn cname(target: &str) -> RData {
    RData::Cname(name(target))
}

/// An SRV record.
pub fn srv(priority: u16, weight: u16, port: u16, target: &str) -> RData {
    RData::Srv(Srv {
        priority,
        weight,
        port,
        target: name(target),
    })
}

/// A NAPTR record: order and preference; flags, services, regexp.
pub fn naptr(
    (order, preference): (u16, u16),
    (flags, services, regexp): (&str, &str, &str),
    replacement: &str,
) -> RData {
    RData::Naptr(Naptr {
        order,
        preference,
        flags: flags.as_bytes().into(),
        services: services.as_bytes().into(),
        regexp: regexp.as_bytes().into(),
        replacement: name(replacement),
    })
}
