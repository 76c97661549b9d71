//! The atomics in use: the real ones, or those of a model that tries all interleavings (`sync_model.rs`). And the
//! memory in use: the system's, or that of this process where threads stand for processes, as in a model and under
//! Miri. Nothing else differs: models run the functions of the product.

#[cfg_attr(any(loom, miri), path = "sync/threads.rs")]
pub(crate) mod system;

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::thread::yield_now;

#[cfg(loom)]
#[path = "sync_model.rs"]
pub(crate) mod model;
#[cfg(all(test, miri))]
#[path = "sync/seeds.rs"]
pub(crate) mod model;
#[cfg(loom)]
pub(crate) use model::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence, yield_now};

/// A word that only the holder of the writer lock changes, as that one reads it before it changes it.
///
/// Loom overlooks every earlier load of others when the thread that stores has loaded the same word before
/// (tokio-rs/loom issues 166 and 392), and would not try them after the store. So in the model this is not a
/// load, and others must not store meanwhile, which loom notices.
#[cfg(all(not(loom), feature = "use_dns_cache"))]
macro_rules! own {
    ($word:expr) => {
        $word.load($crate::host::sync::Ordering::Relaxed)
    };
}

#[cfg(loom)]
macro_rules! own {
    ($word:expr) => {
        $word.own()
    };
}

#[cfg(feature = "use_dns_cache")]
pub(crate) use own;
