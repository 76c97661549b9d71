//! The lock-free protocol by itself: the cache, who asks a question and who waits for it, and what these need, as they
//! are, for loom and for Miri. See `src/host/sync.rs`.
#![cfg(any(loom, miri))]
#![allow(dead_code, unused_imports, unused_macros, reason = "who uses the rest is not here")]

#[path = "../../../src/host/mod.rs"]
pub mod host;
#[path = "../../../src/error.rs"]
pub mod error;
#[path = "../../../src/rr/mod.rs"]
pub mod rr;
#[path = "../../../src/shm/mod.rs"]
pub mod shm;
#[path = "../../../src/cache/mod.rs"]
pub mod cache;
pub(crate) mod lookup;
pub(crate) mod resolver;
