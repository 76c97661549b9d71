//! Notices forks, so that per-process state is not shared with the parent by accident.
#![allow(unsafe_code, reason = "registers a handler with pthread_atfork")]

use std::sync::atomic::{AtomicU32, Ordering};

use once_cell::sync::OnceCell;

static GENERATION: AtomicU32 = AtomicU32::new(1);
static REGISTERED: OnceCell<()> = OnceCell::new();

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
    REGISTERED.get_or_init(|| {
        // SAFETY: the handler is a plain function that stays valid for the life of the process
        // (the library is never unloaded) and only does atomic operations.
        let rc = unsafe { libc::pthread_atfork(None, None, Some(after_fork_in_child)) };
        debug_assert_eq!(rc, 0);
    });
}
