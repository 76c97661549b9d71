//! Queries without the cache: `get_record()` and the paths for `use_dns_cache=0`.

use crate::error::LookupError;
use crate::rr::{Record, RecordType};

/// Record list for C callers (`get_record()`): answers in C order, see behaviour of `get_record`.
///
/// # Errors
/// Why there is no list.
pub fn record_list(
    qname: &[u8],
    qtype: RecordType,
    only_type: bool,
    with_additional: bool,
) -> Result<Vec<Record>, LookupError> {
    let _ = (qname, qtype, only_type, with_additional);
    todo!("lookup")
}
