//! DNS for Kamailio: names to SIP targets, with a cache shared by forked processes.
//!
//! The library takes the place of Kamailio's `resolve.c`, `dns_cache.c` and `dns_func.c` and exports
//! the same C functions and variables; see `include/kamailio_dns.h` for the C interface and
//! ARCHITECTURE.md for the picture. Layers, an arrow meaning "may use":
//!
//! ```text
//! ffi --> select --> lookup --> cache --> shm --> host
//!                      `------> resolver -------> host
//! ```
//!
//! `rr` and `error` are plain values that every layer may name.

// Builders that the tests of modules share with the test programs name the crate as those do.
#[cfg(test)]
extern crate self as kamailio_dns;

#[cfg(feature = "use_dns_cache")]
pub mod cache;
pub mod error;
pub mod ffi;
pub mod host;
pub mod lookup;
pub mod resolver;
pub mod rr;
pub mod select;
#[cfg(feature = "use_dns_cache")]
pub mod shm;
