//! A lock among the threads of one process that a fork does not leave held.
//!
//! A thread may hold a lock at the very moment at which another forks. In the child nobody gives it back, and what it
//! guards may be half written. So what lies here belongs to the process that put it there: a child begins with nothing,
//! and neither waits for the parent's thread nor touches what that one was at.
#![allow(unsafe_code, reason = "a lock")]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};

use super::fork;

const HELD: u64 = 1;

/// Something of one process, made at the first use of each.
#[derive(Debug)]
pub(crate) struct OwnLock<T> {
    /// The process that the content is of ([`fork::generation`]; 0 = none), above the bit that says that it is held.
    word: AtomicU64,
    content: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: one thread at a time gets at the content.
unsafe impl<T: Send> Sync for OwnLock<T> {}

impl<T: Default> OwnLock<T> {
    pub(crate) const fn new() -> Self {
        Self {
            word: AtomicU64::new(0),
            content: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Waits for its turn among the threads of this process. Short steps only: a thread that waits does so without
    /// sleeping.
    pub(crate) fn lock(&self) -> Held<'_, T> {
        let ours = u64::from(fork::generation()) << 1;
        loop {
            let word = self.word.load(Ordering::Relaxed);
            let is_ours = word & !HELD == ours;
            if is_ours && word & HELD != 0 {
                std::thread::yield_now();
                continue;
            }
            let (set, fetch) = (Ordering::Acquire, Ordering::Relaxed);
            let taken = self.word.compare_exchange(word, ours | HELD, set, fetch);
            if taken.is_err() {
                continue;
            }
            if !is_ours {
                // SAFETY: no other thread of this process is at it, the word says. What a parent had there is
                // overwritten without being dropped, so it need not be whole.
                unsafe { (*self.content.get()).write(T::default()) };
            }
            return Held { lock: self };
        }
    }
}

/// While it lives this thread has the content to itself.
#[derive(Debug)]
pub(crate) struct Held<'a, T> {
    lock: &'a OwnLock<T>,
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this thread alone is at it.
        let content = unsafe { &*self.lock.content.get() };
        // SAFETY: made before the lock was first given.
        unsafe { content.assume_init_ref() }
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        let content = unsafe { &mut *self.lock.content.get() };
        // SAFETY: as above.
        unsafe { content.assume_init_mut() }
    }
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        self.lock.word.fetch_and(!HELD, Ordering::Release);
    }
}

#[cfg(all(test, not(any(loom, miri))))]
mod tests {
    use super::*;

    #[test]
    fn one_thread_at_a_time() {
        static LOCK: OwnLock<u32> = OwnLock::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let mut held = LOCK.lock();
                        let before = *held;
                        std::hint::black_box(&held);
                        *held = before + 1;
                    }
                });
            }
        });
        assert_eq!(*LOCK.lock(), 4000);
    }

    #[test]
    fn a_child_begins_with_nothing_though_its_parent_holds_it() {
        static LOCK: OwnLock<Vec<u32>> = OwnLock::new();
        let mut held = LOCK.lock();
        held.push(7);
        // SAFETY: the child takes the lock and leaves; it is this thread, which allocates nothing there.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: ends the child should it wait.
            unsafe { libc::alarm(60) };
            let status = i32::from(!LOCK.lock().is_empty());
            // SAFETY: ends the child without the work that the parent's test program does at its end.
            unsafe { libc::_exit(status) };
        }
        let mut status = 1;
        // SAFETY: a child of ours, and a variable that the call may write to.
        let ended = unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!((ended, status), (child, 0));
        assert_eq!(*held, [7]);
    }
}
