//! DNS for Kamailio: names to SIP targets, with a cache shared by forked processes.
//!
//! The library takes the place of Kamailio's `resolve.c`, `dns_cache.c` and `dns_func.c` and exports the same C
//! functions and variables; see `include/kamailio_dns.h` for the C interface. For programs with an event loop there is
//! `include/kamailio_dns_client.h`. ARCHITECTURE.md shows the layers and which may use which, drawn from the table of
//! `tests/layering.rs`.

#![cfg_attr(
    not(feature = "testing"),
    allow(unreachable_pub, reason = "what is `pub` is for the tests")
)]
// Code for the cache and its users is there without them, too: only a build with the cache is searched for dead code.
#![cfg_attr(
    not(feature = "use_dns_cache"),
    allow(dead_code, unused_imports, reason = "much serves the cache alone")
)]

// Nothing of Rust's is public, for the interface is C's: what no export leads to is dead, and the compiler says so.
// Tests, benches and fuzz targets see the layers with the feature `testing`, which the package's dependency on itself
// (Cargo.toml, dev-dependencies) switches on for them.
mod layers;
#[cfg(not(feature = "testing"))]
use layers::*;
#[cfg(feature = "testing")]
pub use layers::*;
