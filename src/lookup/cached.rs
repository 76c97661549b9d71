//! Lookups through the cache.

use std::net::IpAddr;

use crate::cache::EntryRef;
use crate::error::LookupError;
use crate::rr::RecordType;

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It was in the cache.
    Cache,
    /// A query was sent for it (by this call).
    Network,
    /// It is an IP literal.
    Literal,
}

/// The entry for a name and type, CNAMEs followed; a positive, live entry with at least one record.
///
/// `flags` are the caller's `DNS_*` request flags (they decide which additional addresses are kept).
///
/// # Errors
/// Why there is none. Absence and failure are different things.
pub fn entry(
    qname: &[u8],
    qtype: RecordType,
    flags: u32,
) -> Result<(EntryRef, Source), LookupError> {
    let _ = (qname, qtype, flags);
    todo!("lookup")
}

/// The first address of a host under the family rules of the flags, copied out of the cache.
///
/// # Errors
/// Why there is none.
pub fn first_address(host: &[u8], flags: u32) -> Result<IpAddr, LookupError> {
    let _ = (host, flags);
    todo!("lookup")
}

/// Sets the TTL override of this process, s; 0 = none (`dns_set_local_ttl()`).
pub fn set_local_ttl(ttl: u32) {
    let _ = ttl;
    todo!("lookup")
}
