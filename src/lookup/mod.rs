//! Cache or query: the only place where cache and resolver meet.
//!
//! No lock is held while a query is under way: the cache is asked, then the resolver, then the result
//! is inserted.

pub mod uncached;

#[cfg(feature = "use_dns_cache")]
mod cached;
#[cfg(feature = "use_dns_cache")]
pub use cached::*;
