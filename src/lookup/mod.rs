//! Cache or query: the only place where cache and resolver meet.
//!
//! No lock is held while a query is under way: the cache is asked, then the resolver, then the result
//! is inserted.

mod answer;
pub mod uncached;
pub mod watchdog;

#[cfg(feature = "use_dns_cache")]
mod cached;
#[cfg(feature = "use_dns_cache")]
mod edit;
#[cfg(feature = "use_dns_cache")]
mod store;
#[cfg(feature = "use_dns_cache")]
mod ttl;

#[cfg(feature = "use_dns_cache")]
pub use cached::{Source, entry, first_address};
#[cfg(feature = "use_dns_cache")]
pub use edit::{EditError, RecordEdit, add_record, delete, delete_single_record};
#[cfg(feature = "use_dns_cache")]
pub use ttl::set_local_ttl;

pub mod request;
pub mod service;
