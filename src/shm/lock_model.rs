//! The writer lock of models, in which threads stand for processes and nobody is killed: a word that has to be taken,
//! for which a thread waits without limit.
#![allow(unsafe_code, reason = "an unsafe trait")]

use parking_lot::lock_api::{GuardNoSend, RawMutex};

use super::sync::{AtomicU32, Ordering};

/// As the lock that it stands for.
#[repr(C)]
pub(crate) struct RawShmMutex {
    taken: AtomicU32,
    damaged: AtomicU32,
}

impl RawShmMutex {
    #[allow(clippy::unused_self, reason = "as the lock that it stands for")]
    pub(crate) fn init(&self) -> Result<(), i32> {
        Ok(())
    }

    pub(crate) fn damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn set_damaged(&self) {
        self.damaged.store(1, Ordering::Relaxed);
    }

    pub(crate) fn clear_damage(&self) {
        self.damaged.store(0, Ordering::Relaxed);
    }

    #[allow(clippy::unused_self, reason = "as the lock that it stands for")]
    pub(crate) fn is_wanted(&self) -> bool {
        false
    }

    pub(crate) fn lock_within(&self, _ms: u16) -> bool {
        self.lock();
        true
    }

    pub(crate) fn lock_patiently(&self, _ms: u16) -> bool {
        self.lock();
        true
    }
}

// SAFETY: the word is taken by one at a time.
unsafe impl RawMutex for RawShmMutex {
    #[allow(
        clippy::declare_interior_mutable_const,
        reason = "demanded by the trait"
    )]
    const INIT: Self = Self {
        taken: AtomicU32::new(0),
        damaged: AtomicU32::new(0),
    };

    type GuardMarker = GuardNoSend;

    fn lock(&self) {
        while !self.try_lock() {
            #[cfg(loom)]
            loom::thread::yield_now();
            #[cfg(not(loom))]
            std::thread::yield_now();
        }
    }

    fn try_lock(&self) -> bool {
        let (set, fetch) = (Ordering::Acquire, Ordering::Relaxed);
        let is_taken = self.taken.compare_exchange(0, 1, set, fetch).is_ok();
        #[cfg(loom)]
        if is_taken {
            super::sync::model::note_lock(true);
        }
        is_taken
    }

    unsafe fn unlock(&self) {
        #[cfg(loom)]
        super::sync::model::note_lock(false);
        self.taken.store(0, Ordering::Release);
    }
}
