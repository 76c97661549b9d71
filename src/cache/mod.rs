//! The DNS cache in memory shared by forked processes.

pub mod entry;

use std::net::IpAddr;

use crate::rr::{RData, RecordType};
pub use entry::{EntryRef, NegativeKind, RecordView};

/// What is needed to make an entry.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// Owner name without trailing dot, 1 to 255 octets.
    pub name: &'a [u8],
    /// Type of all the records; for a negative entry the type that is absent.
    pub rtype: RecordType,
    /// The records, or what is known about their absence.
    pub data: DraftData<'a>,
    /// Never expires, is never evicted (`DNS_FLAG_PERMANENT`).
    pub permanent: bool,
    /// Life of a negative entry, s; for records each has its own.
    pub negative_ttl: u32,
}

/// Content of a [`Draft`].
#[derive(Clone, Copy, Debug)]
pub enum DraftData<'a> {
    /// At most [`crate::rr::MAX_RRSET_RECORDS`] are kept. SRV records are put into priority order,
    /// heavier first; all others keep their order.
    Records(&'a [DraftRecord<'a>]),
    /// No records.
    Negative(NegativeKind),
}

/// One record of a [`Draft`].
#[derive(Clone, Copy, Debug)]
pub struct DraftRecord<'a> {
    /// Seconds to live after all clamping, at most [`crate::rr::MAX_TTL_S`].
    pub ttl: u32,
    /// The data; its kind must fit the draft's type.
    pub rdata: &'a RData,
}

/// What happens to an entry that already stands under the draft's name and type.
///
/// A permanent entry is only replaced by a permanent draft; a negative one always gives way to records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// The draft replaces it.
    Replace,
    /// A live entry stays and is returned in the draft's place.
    KeepOld,
    /// The one that expires later stays.
    KeepLonger,
}

/// Why an entry could not be linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertError {
    /// The memory limit is reached and nothing may be evicted.
    Full,
    /// The draft's name is empty or too long, or a record does not fit its type.
    BadDraft,
}

/// Result of [`Cache::copy_addresses`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Nothing live is cached under the name and type.
    Miss,
    /// Addresses were copied.
    Addresses,
    /// A live negative entry.
    Negative(NegativeKind),
    /// The name has no such entry but is an alias; look at the CNAME entry.
    Alias,
}

/// Addresses copied out of the cache: a small array on the caller's stack.
#[derive(Clone, Debug, Default)]
pub struct AddressSet {
    list: Vec<IpAddr>,
}

impl AddressSet {
    /// The addresses.
    #[must_use]
    pub fn as_slice(&self) -> &[IpAddr] {
        &self.list
    }
}

/// Memory figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes allocated, table and page records included.
    pub used: usize,
    /// `dns_cache_mem`, bytes.
    pub limit: usize,
    /// Linked entries.
    pub entries: usize,
}

/// The cache of this process tree.
#[derive(Debug)]
pub struct Cache {}

/// Why the cache could not be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitError {
    /// The kernel refused the memory.
    OutOfMemory,
    /// A process-shared robust lock could not be made.
    Lock,
}

#[allow(
    clippy::unused_self,
    unused_variables,
    missing_docs,
    reason = "skeleton"
)]
impl Cache {
    /// Maps the region; to be called before fork, by `init_dns_cache()`. A second call is no error.
    pub fn init() -> Result<&'static Self, InitError> {
        todo!()
    }
    /// The cache, if `init` succeeded in this process or a parent (and `destroy` did not follow).
    #[must_use]
    pub fn instance() -> Option<&'static Self> {
        todo!()
    }
    /// Drops the cache of this process: `instance` gives `None` from here on. Memory stays mapped, so
    /// handles that are still held stay valid.
    pub fn destroy() {
        todo!()
    }
    /// A counted reference to the live entry of this name and type; takes no lock.
    ///
    /// Where there is none, a live positive CNAME entry of the name is returned instead (check
    /// [`EntryRef::rtype`]). Negative entries are returned too.
    #[must_use]
    pub fn acquire(&self, qname: &[u8], qtype: RecordType, now: u32) -> Option<EntryRef> {
        todo!()
    }
    /// A counted reference to the entry of exactly this name and type, even if it is expired.
    #[must_use]
    pub fn acquire_any_age(&self, qname: &[u8], qtype: RecordType) -> Option<EntryRef> {
        todo!()
    }
    /// Copies addresses (A or AAAA) out without writing to shared memory.
    pub fn copy_addresses(
        &self,
        qname: &[u8],
        qtype: RecordType,
        now: u32,
        out: &mut AddressSet,
    ) -> Probe {
        todo!()
    }
    /// Publishes an entry and returns what now stands under its name and type.
    pub fn insert(
        &self,
        draft: &Draft<'_>,
        conflict: Conflict,
        now: u32,
    ) -> Result<EntryRef, InsertError> {
        todo!()
    }
    /// Makes an entry that only its holder knows; it is freed with its last reference.
    pub fn make_private(&self, draft: &Draft<'_>, now: u32) -> Result<EntryRef, InsertError> {
        todo!()
    }
    /// Unlinks the entry; false when it was not linked any more.
    pub fn remove(&self, entry: &EntryRef) -> bool {
        todo!()
    }
    /// Unlinks all entries, permanent ones only when asked.
    pub fn flush(&self, permanent_too: bool) {
        todo!()
    }
    /// References to the linked entries, as they are met while walking the table without a lock.
    pub fn entries(&self) -> impl Iterator<Item = EntryRef> + '_ {
        std::iter::empty()
    }
    /// Unlinks expired entries, in small steps so that writers get in between.
    pub fn collect_garbage(&self, now: u32) {
        todo!()
    }
    /// Memory figures.
    #[must_use]
    pub fn usage(&self) -> Usage {
        todo!()
    }
    /// Keyed 32-bit hash of a name, letter case ignored; never 0. Stable as long as the cache lives.
    #[must_use]
    pub fn name_hash(&self, name: &[u8]) -> u32 {
        todo!()
    }
    /// A counted reference to an entry of the type whose name has this hash and that is accepted;
    /// expired ones included.
    #[must_use]
    pub fn acquire_by_hash(
        &self,
        hash: u32,
        rtype: RecordType,
        accept: &dyn Fn(&EntryRef) -> bool,
    ) -> Option<EntryRef> {
        todo!()
    }
}
