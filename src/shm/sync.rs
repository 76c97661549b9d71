//! The atomics in use: the real ones, or loom's when the protocol is being model-checked.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

/// A word that only the holder of the writer lock changes, as that one reads it before it changes it.
///
/// Loom overlooks every earlier load of others when the thread that stores has loaded the same word before
/// (tokio-rs/loom issues 166 and 392), and would not try them after the store. So in the model this is not a
/// load, and others must not store meanwhile, which loom notices.
#[cfg(not(loom))]
macro_rules! own {
    ($word:expr) => {
        $word.load($crate::shm::sync::Ordering::Relaxed)
    };
}

#[cfg(loom)]
macro_rules! own {
    ($word:expr) => {
        // SAFETY: loom panics when somebody else stores meanwhile.
        unsafe { $word.unsync_load() }
    };
}

pub(crate) use own;
