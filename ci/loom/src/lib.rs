//! The lock-free protocol by itself: see `src/cache/loom_tests.rs`, `loom_overflow.rs`, and
//! `src/shm/loom_claims.rs`.
#![cfg(loom)]
#![allow(dead_code, reason = "the rest of the cache is not here")]

#[path = "../../../src/shm/mod.rs"]
pub mod shm;

/// The part of the cache that the protocol needs.
#[path = "."]
pub mod cache {
    #[cfg(test)]
    #[path = "../../../src/cache/loom_overflow.rs"]
    mod loom_overflow;
    #[cfg(test)]
    #[path = "../../../src/cache/loom_tests.rs"]
    mod loom_tests;
    #[path = "../../../src/cache/table.rs"]
    mod table;
    #[path = "../../../src/cache/tables.rs"]
    mod tables;
}
