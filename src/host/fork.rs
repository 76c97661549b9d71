//! Notices forks, so that per-process state is not shared with the parent by accident.
#![allow(unsafe_code, reason = "registers a handler with pthread_atfork")]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

static GENERATION: AtomicU32 = AtomicU32::new(1);
static REGISTERED: AtomicBool = AtomicBool::new(false);

extern "C" fn after_fork_in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    super::metrics::forget_row();
}

/// A number that differs between a process and the children that it forks.
///
/// Per-process state keeps the number it was made under and is made anew when it differs. Never 0.
pub fn generation() -> u32 {
    watch();
    GENERATION.load(Ordering::Relaxed)
}

/// Notices forks from here on.
pub(super) fn watch() {
    if REGISTERED.load(Ordering::Relaxed) {
        return;
    }
    // Nobody waits here: a child would wait for ever for a thread of its parent that was just doing this. Two
    // threads may both register, then a fork counts twice.
    // SAFETY: the handler is a plain function that stays valid for the life of the process (the library is
    // never unloaded) and only does atomic operations.
    let rc = unsafe { libc::pthread_atfork(None, None, Some(after_fork_in_child)) };
    debug_assert_eq!(rc, 0);
    REGISTERED.store(true, Ordering::Relaxed);
}
