//! Entries: the `dns_hash_entry` layout, and safe views of what they hold.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::rr::RecordType;

/// What a negative entry knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NegativeKind {
    /// The name does not exist.
    NxDomain,
    /// The name has no records of the type.
    NoData,
    /// Resolution failed lately (RFC 9520); says nothing about the name.
    Failure,
}

/// One record of an entry; borrowed from the entry, valid as long as the reference is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordView<'a> {
    /// IPv4 address.
    A(Ipv4Addr),
    /// IPv6 address.
    Aaaa(Ipv6Addr),
    /// Canonical name.
    Cname(&'a [u8]),
    /// Service location.
    Srv {
        /// Lower first.
        priority: u16,
        /// Share of load.
        weight: u16,
        /// Port of the target.
        port: u16,
        /// Target, empty for the root.
        target: &'a [u8],
    },
    /// Naming authority pointer.
    Naptr {
        /// Lower first.
        order: u16,
        /// Lower first within one order.
        preference: u16,
        /// E.g. `s`.
        flags: &'a [u8],
        /// E.g. `SIP+D2U`.
        services: &'a [u8],
        /// Substitution expression.
        regexp: &'a [u8],
        /// Next name.
        replacement: &'a [u8],
    },
    /// Text; the first string only is borrowed here, see [`EntryRef::texts`].
    Txt(&'a [u8]),
    /// Infrastructure ENUM.
    Ebl {
        /// Position of the separator.
        position: u8,
        /// Separator.
        separator: &'a [u8],
        /// Apex.
        apex: &'a [u8],
    },
    /// Pointer.
    Ptr(&'a [u8]),
}

/// A counted reference to an entry in shared memory.
///
/// As long as it is held the entry stays as it is, whatever happens in the cache. `Clone` counts one
/// more, `Drop` one less.
#[derive(Debug)]
pub struct EntryRef {
    raw: std::ptr::NonNull<u8>,
}

#[allow(unused_variables, missing_docs, reason = "skeleton")]
impl EntryRef {
    /// Owner name (after CNAME following: the target's).
    #[must_use]
    pub fn name(&self) -> &[u8] {
        todo!()
    }
    #[must_use]
    pub fn rtype(&self) -> RecordType {
        todo!()
    }
    /// `Some` for a negative entry.
    #[must_use]
    pub fn negative(&self) -> Option<NegativeKind> {
        todo!()
    }
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        todo!()
    }
    /// Tick at which the last record expires; meaningless for permanent entries.
    #[must_use]
    pub fn expire(&self) -> u32 {
        todo!()
    }
    #[must_use]
    pub fn is_expired(&self, now: u32) -> bool {
        todo!()
    }
    /// Number of records, 0 for negative entries.
    #[must_use]
    pub fn record_count(&self) -> usize {
        todo!()
    }
    /// A record by its position.
    #[must_use]
    pub fn record(&self, index: usize) -> Option<RecordView<'_>> {
        todo!()
    }
    /// Tick at which a record expires.
    #[must_use]
    pub fn record_expire(&self, index: usize) -> Option<u32> {
        todo!()
    }
    /// All strings of a TXT record.
    #[must_use]
    pub fn texts(&self, index: usize) -> Vec<&[u8]> {
        todo!()
    }
    /// References held by others than the cache, plus one while linked (as RPC shows it).
    #[must_use]
    pub fn reference_count(&self) -> i32 {
        todo!()
    }
    /// Tick of the last use, coarse.
    #[must_use]
    pub fn last_used(&self) -> u32 {
        todo!()
    }
    /// Bytes of the entry (`total_size`).
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        todo!()
    }
    /// Gives the reference away as a C pointer (`struct dns_hash_entry *`), which then owns it.
    #[must_use]
    pub fn into_raw(self) -> *mut std::ffi::c_void {
        todo!()
    }
    /// Takes over a reference that a C pointer owns.
    ///
    /// # Safety
    /// The pointer came from [`Self::into_raw`] in this process or a relative, and owns a reference.
    #[allow(unsafe_code)]
    #[must_use]
    pub unsafe fn from_raw(raw: *mut std::ffi::c_void) -> Option<Self> {
        todo!()
    }
}

impl Clone for EntryRef {
    fn clone(&self) -> Self {
        todo!()
    }
}

impl Drop for EntryRef {
    fn drop(&mut self) {
        todo!()
    }
}
