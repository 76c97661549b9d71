//! The writer lock: a process-shared robust mutex behind the `lock_api` interface.
//!
//! When a process dies holding it, the next locker gets it with [`RawShmMutex::damaged`] set and must
//! repair what the lock protects before using it. `parking_lot`'s own locks queue in process-private
//! memory and cannot be used here.
#![allow(unsafe_code, reason = "pthread mutex calls")]

use std::cell::UnsafeCell;

use parking_lot::lock_api::{GuardNoSend, RawMutex};

use super::sync::{AtomicU32, Ordering};

/// A robust mutex in shared memory.
#[repr(C)]
pub(crate) struct RawShmMutex {
    inner: UnsafeCell<libc::pthread_mutex_t>,
    damaged: AtomicU32,
    initialised: AtomicU32,
    /// Set by whoever has to wait.
    wanted: AtomicU32,
    /// Counts how often the lock was taken.
    turn: AtomicU32,
    /// The turn whose holder was waited for in vain; 0 = none.
    stuck: AtomicU32,
}

// SAFETY: the inner mutex is only touched through pthread functions, which synchronise themselves;
// the other members are atomics.
unsafe impl Send for RawShmMutex {}
// SAFETY: as above.
unsafe impl Sync for RawShmMutex {}

impl RawShmMutex {
    /// Initialises the mutex in place; once, before any other process can see it.
    pub(crate) fn init(&self) -> Result<(), i32> {
        // SAFETY: all-zero bytes are valid storage for an attribute object that init then fills.
        let mut attr: libc::pthread_mutexattr_t = unsafe { std::mem::zeroed() };
        let attr = &raw mut attr;
        // SAFETY: `attr` is valid storage.
        check(unsafe { libc::pthread_mutexattr_init(attr) })?;
        // SAFETY: `attr` was initialised above.
        check(unsafe { libc::pthread_mutexattr_setpshared(attr, libc::PTHREAD_PROCESS_SHARED) })?;
        // SAFETY: as above.
        check(unsafe { libc::pthread_mutexattr_setrobust(attr, libc::PTHREAD_MUTEX_ROBUST) })?;
        // SAFETY: as above. Error checking turns a second lock by one thread into an error.
        check(unsafe { libc::pthread_mutexattr_settype(attr, libc::PTHREAD_MUTEX_ERRORCHECK) })?;
        // SAFETY: the storage is ours, not yet in use by anyone.
        check(unsafe { libc::pthread_mutex_init(self.inner.get(), attr) })?;
        self.initialised.store(1, Ordering::Release);
        Ok(())
    }

    /// True from the death of an owner until [`Self::clear_damage`].
    pub(crate) fn damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed) != 0
    }

    /// Told by the holder when what the lock protects may be inconsistent.
    pub(crate) fn set_damaged(&self) {
        self.damaged.store(1, Ordering::Relaxed);
    }

    /// Told by the holder when it repaired what the lock protects.
    pub(crate) fn clear_damage(&self) {
        self.damaged.store(0, Ordering::Relaxed);
    }

    /// True when somebody had to wait since this was last asked; for holders that come back soon.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.swap(0, Ordering::Relaxed) != 0
    }

    /// Takes the lock if it can be had within so much time. Nobody waits for a holder that another waited for in vain:
    /// it was stopped, or does not go on for another reason.
    #[inline]
    pub(crate) fn lock_within(&self, ms: u16) -> bool {
        // SAFETY: initialised before the region was published.
        let rc = unsafe { libc::pthread_mutex_trylock(self.inner.get()) };
        if rc == libc::EBUSY {
            return self.wait_within(ms);
        }
        self.taken(rc);
        true
    }

    /// Takes the lock if it can be had within so much time, whichever process has it.
    pub(crate) fn lock_patiently(&self, ms: u16) -> bool {
        // SAFETY: initialised before the region was published.
        let mut rc = unsafe { libc::pthread_mutex_trylock(self.inner.get()) };
        if rc == libc::EBUSY {
            self.wanted.store(1, Ordering::Relaxed);
            rc = libc::ETIMEDOUT;
        }
        let mut left_ms = ms;
        while rc == libc::ETIMEDOUT && left_ms > 0 {
            let part_ms = left_ms.min(LONGEST_WAIT_MS);
            rc = self.lock_until(&real_time_in(part_ms));
            left_ms -= part_ms;
        }
        if rc == libc::ETIMEDOUT {
            return false;
        }
        self.taken(rc);
        true
    }

    #[cold]
    fn wait_within(&self, ms: u16) -> bool {
        self.wanted.store(1, Ordering::Relaxed);
        let turn = self.turn.load(Ordering::Relaxed);
        if turn != 0 && self.stuck.load(Ordering::Relaxed) == turn {
            return false;
        }
        let rc = self.lock_until(&real_time_in(ms));
        if rc != libc::ETIMEDOUT {
            self.taken(rc);
            return true;
        }
        // While there were several holders, nothing is known of the present one.
        if self.turn.load(Ordering::Relaxed) == turn {
            self.stuck.store(turn, Ordering::Relaxed);
        }
        false
    }

    /// The result of waiting for the lock until that time of the system's clock.
    fn lock_until(&self, until: &libc::timespec) -> i32 {
        // SAFETY: initialised before the region was published; the time is valid.
        unsafe { libc::pthread_mutex_timedlock(self.inner.get(), until) }
    }

    /// Sees to the result of a call that gave the lock.
    #[inline]
    fn taken(&self, rc: i32) {
        // EDEADLK is a defect of ours (locked twice by one thread). The panic is caught at the C edge,
        // nothing has been changed.
        assert!(self.owned_after(rc), "writer lock: error {rc}");
        let turn = self.turn.load(Ordering::Relaxed);
        self.turn.store(turn.wrapping_add(1), Ordering::Relaxed);
    }

    /// Handles the result of a lock call; true when the lock is held.
    fn owned_after(&self, rc: i32) -> bool {
        match rc {
            0 => true,
            libc::EOWNERDEAD => {
                self.set_damaged();
                // SAFETY: we hold the mutex, whose previous owner died.
                unsafe { libc::pthread_mutex_consistent(self.inner.get()) };
                true
            }
            _ => false,
        }
    }
}

/// The longest wait of one call, ms.
const LONGEST_WAIT_MS: u16 = 500;

/// The system's time in so many milliseconds, less than a second: timed waits for a mutex know no other clock
/// everywhere.
fn real_time_in(ms: u16) -> libc::timespec {
    // SAFETY: all-zero is a valid timespec.
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: `time` may be written.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut time) };
    time.tv_nsec += libc::c_long::from(ms.min(999)) * 1_000_000;
    if time.tv_nsec >= 1_000_000_000 {
        time.tv_nsec -= 1_000_000_000;
        time.tv_sec += 1;
    }
    time
}

fn check(rc: i32) -> Result<(), i32> {
    if rc == 0 { Ok(()) } else { Err(rc) }
}

// SAFETY: lock() returns only with the pthread mutex held, try_lock() tells whether it is, and a held
// pthread mutex excludes all other threads and processes.
unsafe impl RawMutex for RawShmMutex {
    // A new value cannot know its place in shared memory: it must be `init()`ed there.
    #[allow(
        clippy::declare_interior_mutable_const,
        reason = "demanded by the trait"
    )]
    #[cfg(not(loom))]
    const INIT: Self = Self {
        inner: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
        damaged: AtomicU32::new(0),
        initialised: AtomicU32::new(0),
        wanted: AtomicU32::new(0),
        turn: AtomicU32::new(0),
        stuck: AtomicU32::new(0),
    };
    #[cfg(loom)]
    const INIT: Self = panic!("made in shared memory only");

    // The owner of a pthread mutex is a thread.
    type GuardMarker = GuardNoSend;

    fn lock(&self) {
        // SAFETY: initialised before the region was published.
        let mut rc = unsafe { libc::pthread_mutex_trylock(self.inner.get()) };
        if rc == libc::EBUSY {
            self.wanted.store(1, Ordering::Relaxed);
            // SAFETY: as above.
            rc = unsafe { libc::pthread_mutex_lock(self.inner.get()) };
        }
        self.taken(rc);
    }

    fn try_lock(&self) -> bool {
        // SAFETY: as in `lock`.
        let rc = unsafe { libc::pthread_mutex_trylock(self.inner.get()) };
        self.owned_after(rc)
    }

    unsafe fn unlock(&self) {
        // SAFETY: the caller holds the lock (contract of the trait).
        unsafe { libc::pthread_mutex_unlock(self.inner.get()) };
    }
}

#[cfg(all(test, not(any(loom, miri))))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn lock() -> &'static RawShmMutex {
        let lock: &RawShmMutex = Box::leak(Box::new(RawShmMutex::INIT));
        lock.init().unwrap();
        lock
    }

    /// Has another thread hold the lock meanwhile.
    fn while_held<T>(lock: &'static RawShmMutex, work: impl FnOnce() -> T) -> T {
        let (taken, is_taken) = channel();
        let (done, is_done) = channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                lock.lock();
                taken.send(()).unwrap();
                let _ = is_done.recv();
                // SAFETY: taken above.
                unsafe { lock.unlock() };
            });
            is_taken.recv().unwrap();
            let result = work();
            drop(done);
            result
        })
    }

    /// The lock is held by this thread, which lets go of it.
    fn assert_held(lock: &'static RawShmMutex) {
        std::thread::scope(|scope| {
            let other = scope.spawn(|| lock.try_lock());
            assert!(!other.join().unwrap());
        });
        // SAFETY: just shown.
        unsafe { lock.unlock() };
    }

    #[test]
    fn who_waits_is_seen_and_waits_no_longer_than_allowed() {
        let lock = lock();
        assert!(!lock.is_wanted());
        while_held(lock, || {
            assert!(!lock.lock_patiently(1) && lock.is_wanted() && !lock.is_wanted());
            assert!(!lock.lock_within(1) && lock.is_wanted());
            assert!(!lock.lock_patiently(0));
        });
        assert!(lock.lock_patiently(0));
        assert_held(lock);
    }

    /// Nobody waits a second time for the same holder, and everybody does for the next one.
    #[test]
    fn a_holder_that_was_waited_for_in_vain_is_known() {
        let lock = lock();
        while_held(lock, || {
            assert!(!lock.lock_within(1));
            assert_eq!(
                lock.stuck.load(Ordering::Relaxed),
                lock.turn.load(Ordering::Relaxed)
            );
            // Whoever would wait for that holder would wait for a second.
            lock.wanted.store(0, Ordering::Relaxed);
            assert!(!lock.lock_within(999) && lock.is_wanted());
        });
        assert!(lock.lock_within(1));
        assert_held(lock);
        let stuck = lock.stuck.load(Ordering::Relaxed);
        while_held(lock, || assert!(!lock.lock_within(1)));
        assert_ne!(lock.stuck.load(Ordering::Relaxed), stuck);
    }

    #[test]
    fn who_waits_long_enough_gets_it() {
        let lock = lock();
        let waiter = while_held(lock, || {
            let waiter = std::thread::spawn(|| {
                assert!(lock.lock_patiently(u16::MAX));
                // SAFETY: taken above.
                unsafe { lock.unlock() };
            });
            while !lock.is_wanted() {
                std::thread::yield_now();
            }
            waiter
        });
        waiter.join().unwrap();
    }

    #[test]
    fn times_lie_ahead_and_are_times() {
        let nanos = |time: &libc::timespec| time.tv_sec * 1_000_000_000 + time.tv_nsec;
        for ms in [0, 1, 500, 999, u16::MAX] {
            // Some of them go past the end of a second.
            for _ in 0..1000 {
                let before = nanos(&real_time_in(0));
                let time = real_time_in(ms);
                let after = nanos(&real_time_in(0));
                let ahead = i64::from(ms.min(999)) * 1_000_000;
                assert!((before + ahead..=after + ahead).contains(&nanos(&time)));
                assert!((0..1_000_000_000).contains(&time.tv_nsec));
            }
        }
        assert_eq!((check(0), check(5)), (Ok(()), Err(5)));
    }
}
