//! The layers, as ARCHITECTURE.md draws them; `crate::cache` and the like name them everywhere else.

#[cfg(feature = "use_dns_cache")]
#[path = "cache/mod.rs"]
pub mod cache;
#[cfg(feature = "use_dns_cache")]
#[path = "client/mod.rs"]
pub mod client;
#[path = "error.rs"]
pub mod error;
#[path = "ffi/mod.rs"]
pub mod ffi;
#[path = "host/mod.rs"]
pub mod host;
#[path = "lookup/mod.rs"]
pub mod lookup;
#[path = "resolver/mod.rs"]
pub mod resolver;
#[path = "rr/mod.rs"]
pub mod rr;
#[path = "select/mod.rs"]
pub mod select;
#[cfg(feature = "use_dns_cache")]
#[path = "shm/mod.rs"]
pub mod shm;
