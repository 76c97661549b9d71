//! Notices forks, so that per-process state is not shared with the parent by accident.

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use super::noted;
use super::sync::system;

static GENERATION: AtomicU32 = AtomicU32::new(1);
static REGISTERED: AtomicBool = AtomicBool::new(false);
/// Where this process counts, see `metrics`. NULL at first, and in a child: its counts are its own.
pub(super) static COUNTS: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
/// Threads of this process that only look, see `metrics`. A child has none of them.
pub(super) static THREADS_ASIDE: AtomicU32 = AtomicU32::new(0);

extern "C" fn after_fork_in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    COUNTS.store(std::ptr::null_mut(), Ordering::Relaxed);
    THREADS_ASIDE.store(0, Ordering::Relaxed);
    noted::close_copies();
}

/// A number that differs between a process and the children that it forks.
///
/// Per-process state keeps the number it was made under and is made anew when it differs. Never 0.
pub(crate) fn generation() -> u32 {
    watch();
    GENERATION.load(Ordering::Relaxed)
}

/// A value that belongs to the process that made it, such as claims and references in shared memory: a child, which has
/// a copy, neither uses nor drops it.
#[derive(Debug)]
pub(crate) struct Own<T> {
    value: Option<T>,
    generation: u32,
}

impl<T> Default for Own<T> {
    fn default() -> Self {
        Self {
            value: None,
            generation: generation(),
        }
    }
}

impl<T: Default> Own<T> {
    /// The value of this process, made at first use.
    pub(crate) fn get(&mut self) -> &mut T {
        if !self.is_ours() {
            self.forget();
        }
        self.value.get_or_insert_with(T::default)
    }
}

impl<T> Own<T> {
    /// A value that this process has made.
    pub(crate) fn of(value: T) -> Self {
        Self {
            value: Some(value),
            generation: generation(),
        }
    }

    /// The value of this process; `None` in a child of the process that the value belongs to.
    pub(crate) fn peek(&self) -> Option<&T> {
        self.value.as_ref().filter(|_| self.is_ours())
    }

    /// False in a child of the process that it belongs to.
    #[must_use]
    pub(crate) fn is_ours(&self) -> bool {
        self.generation == generation()
    }

    fn forget(&mut self) {
        let _parents = ManuallyDrop::new(self.value.take());
        self.generation = generation();
    }
}

impl<T> Drop for Own<T> {
    fn drop(&mut self) {
        if !self.is_ours() {
            self.forget();
        }
    }
}

/// Notices forks from here on.
pub(super) fn watch() {
    if REGISTERED.load(Ordering::Relaxed) {
        return;
    }
    // Nobody waits here: a child would wait for ever for a thread of its parent that was just doing this. Two
    // threads may both register, then a fork counts twice.
    let rc = system::at_fork(after_fork_in_child);
    debug_assert_eq!(rc, 0);
    REGISTERED.store(true, Ordering::Relaxed);
}

#[cfg(all(test, not(any(loom, miri))))]
#[allow(unsafe_code, reason = "fork")]
mod tests {
    use super::*;

    static DROPPED: AtomicU32 = AtomicU32::new(0);

    #[derive(Default)]
    struct Counted(u32);

    impl Drop for Counted {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// In a child: begins anew, and the parent's is not dropped.
    fn is_anew(mut own: Own<Counted>) -> bool {
        let is_other = !own.is_ours() && own.get().0 == 0 && own.is_ours();
        let none = DROPPED.load(Ordering::Relaxed) == 0;
        drop(own);
        is_other && none && DROPPED.load(Ordering::Relaxed) == 1
    }

    #[test]
    fn a_child_does_not_drop_what_its_parent_owns() {
        let mut own: Own<Counted> = Own::default();
        own.get().0 = 7;
        let mut unused: Own<Counted> = Own::default();
        unused.get();
        // SAFETY: the child does nothing but atomic operations and calls of `_exit()`.
        let child = unsafe { libc::fork() };
        if child == 0 {
            drop(unused);
            let status = i32::from(!is_anew(own));
            // SAFETY: ends the child without the work that the parent's test program does at its end.
            unsafe { libc::_exit(status) };
        }
        let mut status = 1;
        // SAFETY: a child of ours, and a variable that the call may write to.
        let ended = unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!((ended, status), (child, 0));
        assert_eq!(own.get().0, 7);
        drop(own);
        assert_eq!(DROPPED.load(Ordering::Relaxed), 1);
    }
}
