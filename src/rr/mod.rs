//! DNS data as plain Rust values: no I/O, no shared memory, no C types.

mod literal;
mod name;
pub(crate) mod order;
mod pattern;
mod plain_ip;
mod rdata;

pub use literal::*;
pub(crate) use name::strip_root;
pub use name::{Name, eq_ignore_case, is_host_name, is_subdomain};
#[cfg(feature = "use_dns_cache")]
pub(crate) use name::{has_nul, is_below};
pub use pattern::matches;
pub use plain_ip::PlainIp;
pub use rdata::{Form, Naptr, RData, Record, RecordType, Srv};

/// Longest name handled, in octets of its text form (`MAX_DNS_NAME` of resolve.h is 256 with NUL).
pub const MAX_NAME_OCTETS: usize = 255;

/// CNAME hops followed for one lookup, over packets and cache together.
pub const MAX_CNAME_HOPS: usize = 11;

/// Class IN: that of all records that are asked for.
pub(crate) const CLASS_IN: u16 = 1;

/// Records kept of one `RRset`: the handle counts in one octet, so more could never be reached.
pub const MAX_RRSET_RECORDS: usize = 250;

/// TTLs above this are capped (RFC 2181 section 8 allows it): 2^26 s, about two years, keeps every
/// expiry within half the range of the 32-bit tick counter.
pub const MAX_TTL_S: u32 = 1 << 26;
