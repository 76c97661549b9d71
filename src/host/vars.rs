//! Variables that the C side reads and writes by name.
//!
//! An executable takes a copy relocation of these, so they are reached through the GOT: plain
//! `no_mangle` statics, never `-Bsymbolic`. Atomics have the layout of the C type.
#![allow(unsafe_code, reason = "exported symbols")]
#![allow(non_upper_case_globals, reason = "names fixed by the C interface")]

#[cfg(feature = "use_dns_cache")]
use std::sync::atomic::{AtomicI32, AtomicU32};

/// `int dns_cache_init`: 0 = no cache at all; set by the config parser before `init_dns_cache()`.
#[cfg(feature = "use_dns_cache")]
#[unsafe(no_mangle)]
pub static dns_cache_init: AtomicI32 = AtomicI32::new(1);

/// `unsigned int dns_timer_interval`: seconds between two runs of the garbage collection, 0 = none.
#[cfg(feature = "use_dns_cache")]
#[unsafe(no_mangle)]
pub static dns_timer_interval: AtomicU32 = AtomicU32::new(120);

/// `int dns_flags`: request flags of this process, recomputed by `fix_dns_flags()`.
#[cfg(feature = "use_dns_cache")]
#[unsafe(no_mangle)]
pub static dns_flags: AtomicI32 = AtomicI32::new(0);
