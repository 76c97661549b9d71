//! Cache or query: the only place where cache and resolver meet.
//!
//! No lock is held while a query is under way: the cache is asked, then the resolver, then the result
//! is inserted.

#[cfg(feature = "use_dns_cache")]
mod additional;
mod answer;
#[cfg(feature = "use_dns_cache")]
pub mod asker;
#[cfg(feature = "use_dns_cache")]
mod backoff;
#[cfg(feature = "use_dns_cache")]
mod board;
#[cfg(feature = "use_dns_cache")]
mod crowd;
pub mod deadline;
#[cfg(feature = "use_dns_cache")]
mod failing;
#[cfg(feature = "use_dns_cache")]
mod fetch;
mod findings;
#[cfg(feature = "use_dns_cache")]
mod flight;
#[cfg(feature = "use_dns_cache")]
mod handed_on;
mod hosts;
#[cfg(feature = "use_dns_cache")]
mod known;
#[cfg(feature = "use_dns_cache")]
pub mod open;
#[cfg(feature = "use_dns_cache")]
pub mod pin_file;
#[cfg(feature = "use_dns_cache")]
pub mod pins;
#[cfg(feature = "use_dns_cache")]
mod plan;
#[cfg(feature = "use_dns_cache")]
pub mod prefetch;
#[cfg(feature = "use_dns_cache")]
pub mod refresh;
pub mod request;
#[cfg(feature = "use_dns_cache")]
pub mod saved;
mod service;
#[cfg(feature = "use_dns_cache")]
pub mod snapshot;
#[cfg(feature = "use_dns_cache")]
mod stale;
#[cfg(feature = "use_dns_cache")]
pub mod suspended;
pub(crate) mod system;
#[cfg(test)]
mod test_records;
#[cfg(feature = "use_dns_cache")]
mod ttl;
pub(crate) mod turns;
pub mod uncached;
#[cfg(feature = "use_dns_cache")]
mod unwaited;
pub(crate) mod watchdog;

#[cfg(feature = "use_dns_cache")]
mod cached;
#[cfg(feature = "use_dns_cache")]
mod copied;
#[cfg(feature = "use_dns_cache")]
mod delete;
#[cfg(feature = "use_dns_cache")]
mod edit;
#[cfg(feature = "use_dns_cache")]
mod relative;
#[cfg(feature = "use_dns_cache")]
mod source;
#[cfg(feature = "use_dns_cache")]
mod store;
#[cfg(feature = "use_dns_cache")]
mod walk;

#[cfg(feature = "use_dns_cache")]
pub use cached::*;
#[cfg(feature = "use_dns_cache")]
pub use copied::*;
#[cfg(all(feature = "testing", feature = "use_dns_cache"))]
pub use crowd::pretend_pool;
#[cfg(feature = "use_dns_cache")]
pub use delete::{Deleted, delete_below, delete_name};
#[cfg(feature = "use_dns_cache")]
pub use edit::*;
#[cfg(feature = "use_dns_cache")]
pub use fetch::Others;
#[cfg(all(feature = "use_dns_cache", feature = "testing"))]
pub use flight::UnderWay;
#[cfg(feature = "use_dns_cache")]
pub use flight::under_way;
pub use hosts::needs_no_dns;
#[cfg(feature = "use_dns_cache")]
pub use relative::{cached_relative, found_as, sync_search_list};
pub use request::{family_allowed, family_order};
pub use service::sip_transport;
#[cfg(feature = "use_dns_cache")]
pub use source::Source;
#[cfg(feature = "use_dns_cache")]
pub use stale::{is_stale, reported_ttl, say_when_fresh_again};
#[cfg(feature = "use_dns_cache")]
pub use ttl::set_local_ttl;

/// False while no nameserver answers, as far as is known.
#[must_use]
pub fn is_any_server_up() -> bool {
    watchdog::servers_up() && crate::resolver::is_any_server_up()
}

/// Forgets which questions failed, and how often: they may be asked again at once.
#[cfg(feature = "use_dns_cache")]
pub fn forget_failures() {
    backoff::forget();
    failing::forget();
}

/// Maps what processes share besides the cache; before fork.
#[cfg(feature = "use_dns_cache")]
pub fn prepare() {
    flight::prepare();
    handed_on::prepare();
    pins::prepare();
    prefetch::prepare();
    snapshot::prepare();
    backoff::prepare();
    crowd::prepare();
    failing::prepare();
    crate::cache::due::prepare();
    crate::cache::owners::prepare();
    relative::watch_list();
    turns::prepare();
}
