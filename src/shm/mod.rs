//! Memory shared by forked processes: one region, a page allocator, reference words, a robust lock.
//! Knows nothing of DNS.
//!
//! Why Rust atomics are valid between processes: on every supported target `AtomicU32` and
//! `AtomicU64` are lock-free machine words without hidden state, and the kernel maps the same
//! physical page into each process, so the hardware's coherence rules apply exactly as between
//! threads. All access to memory that may change under a reader is through atomics of one size for
//! one place.
//!
//! Lock order: there is one lock, the writer lock in `lock`. No process holds the writer lock over a system call that
//! can block, over the network, or over a log line. Readers take no lock.

pub(crate) mod claim;
pub(crate) mod crowd;
pub mod kill_point;
#[cfg_attr(any(loom, miri), path = "lock_model.rs")]
pub(crate) mod lock;
pub(crate) mod pages;
pub(crate) mod refword;
pub(crate) mod region;
pub mod robust;

pub(crate) use crate::host::{mutation, sync};
