//! Sleeping on a word in a model, as the kernel has it: whether the word is as expected is looked at under the lock of
//! those who sleep. Nobody wakes because of the time, so who is not woken sleeps for ever, which loom notices.

use loom::sync::{Condvar, Mutex};

use super::sync::{AtomicU32, Ordering};

#[derive(Default)]
struct Sleepers {
    lock: Mutex<()>,
    woken: Condvar,
}

loom::lazy_static! {
    /// A model has one word that threads sleep on.
    static ref SLEEPERS: Sleepers = Sleepers::default();
}

/// Sleeps until [`wake_all`] is called; not at all when the word is not `expected` any more.
pub(crate) fn wait(word: &AtomicU32, expected: u32, _timeout_ms: u64) {
    let lock = SLEEPERS.lock.lock().unwrap();
    // A change that changes nothing reads the last value, as the kernel does.
    if word.fetch_or(0, Ordering::SeqCst) == expected {
        drop(SLEEPERS.woken.wait(lock).unwrap());
    }
}

/// Wakes all that sleep.
pub(crate) fn wake_all(_word: &AtomicU32) {
    let _lock = SLEEPERS.lock.lock().unwrap();
    SLEEPERS.woken.notify_all();
}
