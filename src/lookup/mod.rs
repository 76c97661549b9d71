//! Cache or query: the only place where cache and resolver meet.
//!
//! No lock is held while a query is under way: the cache is asked, then the resolver, then the result
//! is inserted.

mod answer;
pub mod request;
mod service;
#[cfg(feature = "use_dns_cache")]
mod ttl;
pub mod uncached;
pub mod watchdog;

#[cfg(feature = "use_dns_cache")]
mod cached;
#[cfg(feature = "use_dns_cache")]
mod edit;
#[cfg(feature = "use_dns_cache")]
mod store;

#[cfg(feature = "use_dns_cache")]
pub use cached::*;
#[cfg(feature = "use_dns_cache")]
pub use edit::*;
pub use request::{family_allowed, family_order};
pub use service::sip_transport;
#[cfg(feature = "use_dns_cache")]
pub use ttl::set_local_ttl;
