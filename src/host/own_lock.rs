//! A lock among the threads of one process that a fork does not leave held.
//!
//! A thread may hold a lock at the very moment at which another forks. In the child nobody gives it back, and what it
//! guards may be half written. So what lies here belongs to the process that put it there: a child begins with nothing,
//! and neither waits for the parent's thread nor touches what that one was at.
#![allow(unsafe_code, reason = "a lock")]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};

use super::fork;
use super::mutation::{Mutation, ordering, seeded};
use super::sync::{AtomicU64, Ordering, yield_now};

const HELD: u64 = 1;

/// Something of one process, made at the first use of each.
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
        self.lock_in(fork::generation())
    }

    /// The same, in the process of that generation.
    fn lock_in(&self, generation: u32) -> Held<'_, T> {
        let free = u64::from(generation) << 1;
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let is_ours = word & !HELD == free;
            let waits_for_parent = seeded(Mutation::OwnParentHolds);
            if (is_ours || waits_for_parent) && word & HELD != 0 {
                yield_now();
                if !seeded(Mutation::OwnSeenOnce) {
                    word = self.word.load(Ordering::Relaxed);
                }
                continue;
            }
            if let Err(now) = self.take(word, free) {
                word = now;
                continue;
            }
            if !is_ours && !seeded(Mutation::OwnParentsContent) {
                // SAFETY: the word says that no other thread of this process uses the content. The parent's content is
                // overwritten without being dropped, so it need not be whole.
                unsafe { (*self.content.get()).write(T::default()) };
            }
            return Held {
                lock: self,
                word: free | HELD,
            };
        }
    }

    /// Takes the lock if its word is as it was seen; else the word as it is.
    fn take(&self, seen: u64, free: u64) -> Result<(), u64> {
        if seeded(Mutation::OwnTakenUnseen) {
            self.word.store(free | HELD, Ordering::Release);
            return Ok(());
        }
        let set = ordering(Mutation::OwnTakenRelaxed, Ordering::Acquire);
        self.word
            .compare_exchange(seen, free | HELD, set, Ordering::Relaxed)
            .map(|_| ())
    }
}

/// While it lives this thread has the content to itself.
pub(crate) struct Held<'a, T> {
    lock: &'a OwnLock<T>,
    /// The word while it is held so.
    word: u64,
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
        let word = &self.lock.word;
        let given = ordering(Mutation::OwnGivenRelaxed, Ordering::Release);
        if seeded(Mutation::OwnGivenUnseen) {
            word.fetch_and(!HELD, given);
            return;
        }
        // In a child of the process that took it, a thread may have it by now that began there.
        let _given = word.compare_exchange(self.word, self.word & !HELD, given, Ordering::Relaxed);
    }
}

#[cfg(all(test, any(loom, miri)))]
#[path = "loom_own_lock.rs"]
mod loom_own_lock;

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

    /// In a child: what its parent held it neither waits for nor finds; and when the guard goes that came along, a
    /// lock that the child took since stays taken.
    fn is_anew(lock: &OwnLock<Vec<u32>>, parents: Held<'_, Vec<u32>>) -> bool {
        let taken = lock.lock();
        drop(parents);
        taken.is_empty() && lock.word.load(Ordering::Relaxed) & HELD != 0
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
            let status = i32::from(!is_anew(&LOCK, held));
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
