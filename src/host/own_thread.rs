//! Values of one thread that last as long as the thread can call the library.
//!
//! A thread that ends still calls: destructors of pthread keys run after those of Rust's thread-locals, and so do the
//! handlers of `atexit()` in the thread that calls `exit()`. A thread-local with a destructor is out of reach by then,
//! and a use of it panics. So the thread-locals here have none. A pthread key has them emptied when the thread ends, and
//! a handler of `atexit()` when the process does. A later use begins with a new value, as in a new thread. The key
//! empties that in a later round of the same end; what is made after `exit()` goes with the process.
#![allow(unsafe_code, reason = "keys of pthread, atexit")]

use std::cell::RefCell;
use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::ptr::without_provenance_mut;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::LocalKey;

/// A value of each thread, made at its first use. To be put into `thread_local!`, and used by [`OfThread`].
pub(crate) struct OwnThread<T> {
    /// Never dropped, but emptied.
    value: ManuallyDrop<RefCell<Option<T>>>,
    is_lent: bool,
}

impl<T> OwnThread<T> {
    pub(crate) const fn new() -> Self {
        Self {
            value: ManuallyDrop::new(RefCell::new(None)),
            is_lent: false,
        }
    }

    /// A value that C has pointers into: it outlives the first round of the thread's end, and goes with the process.
    pub(crate) const fn lent() -> Self {
        Self {
            value: ManuallyDrop::new(RefCell::new(None)),
            is_lent: true,
        }
    }
}

/// As the methods that `LocalKey` has for a `RefCell`; none panics because the thread ends.
pub(crate) trait OfThread<T> {
    /// Calls `work` with the value of this thread.
    fn with_borrow<R>(&'static self, work: impl FnOnce(&T) -> R) -> R;

    /// Calls `work` with the value of this thread, to be changed.
    fn with_borrow_mut<R>(&'static self, work: impl FnOnce(&mut T) -> R) -> R;

    /// Puts a value in the place of this thread's, and gives that.
    fn replace(&'static self, value: T) -> T {
        self.with_borrow_mut(|place| std::mem::replace(place, value))
    }
}

impl<T: Default> OfThread<T> for LocalKey<OwnThread<T>> {
    #[inline]
    fn with_borrow<R>(&'static self, work: impl FnOnce(&T) -> R) -> R {
        self.with(|own| {
            if own.value.borrow().is_none() {
                make(self, own);
            }
            match own.value.borrow().as_ref() {
                Some(value) => work(value),
                // Not reached: it was made.
                None => work(&T::default()),
            }
        })
    }

    #[inline]
    fn with_borrow_mut<R>(&'static self, work: impl FnOnce(&mut T) -> R) -> R {
        self.with(|own| {
            let mut value = own.value.borrow_mut();
            match value.as_mut() {
                Some(value) => work(value),
                None => {
                    note(self, own.is_lent);
                    work(value.insert(T::default()))
                }
            }
        })
    }
}

#[cold]
fn make<T: Default>(key: &'static LocalKey<OwnThread<T>>, own: &OwnThread<T>) {
    note(key, own.is_lent);
    own.value.replace(Some(T::default()));
}

/// Something that can be emptied.
trait Ends {
    fn end(&'static self);
}

impl<T> Ends for LocalKey<OwnThread<T>> {
    fn end(&'static self) {
        // In use where the program ends in a function that the library has called: then it stays.
        let ended = self.with(|own| own.value.try_borrow_mut().ok()?.take());
        // What it holds may use other values, or this one.
        drop(ended);
    }
}

/// A value of this thread that has been made.
struct Made {
    value: &'static dyn Ends,
    is_lent: bool,
}

thread_local! {
    static MADE: ManuallyDrop<RefCell<Vec<Made>>> = const { ManuallyDrop::new(RefCell::new(Vec::new())) };
}

/// Has a value emptied at the end of the thread, and of the process.
#[cold]
fn note(value: &'static dyn Ends, is_lent: bool) {
    MADE.with(|all| all.borrow_mut().push(Made { value, is_lent }));
    set_round(FIRST);
    watch_exit();
}

/// Empties the values that are meant. What is made meanwhile is noted anew.
fn end(is_meant: impl Fn(&Made) -> bool) {
    let meant: Vec<Made> = MADE.with(|all| {
        let mut all = all.borrow_mut();
        let meant = all.extract_if(.., |made| is_meant(made)).collect();
        if all.is_empty() {
            // Nobody frees its memory later.
            all.shrink_to_fit();
        }
        meant
    });
    for made in meant {
        made.value.end();
    }
}

/// The key of pthread's, plus one; 0 = not made yet. A lock would stay held in a child.
static KEY: AtomicU64 = AtomicU64::new(0);
/// What the key has before its first round, and before its second.
const FIRST: usize = 1;
const SECOND: usize = 2;

/// A round of the destructors of keys. In the first one the program's may still use what there is.
extern "C" fn on_round(round: *mut c_void) {
    if round.addr() == FIRST {
        set_round(SECOND);
    } else {
        end(|_| true);
    }
}

fn set_round(round: usize) {
    let Some(key) = key() else {
        // The program has all keys: what was made stays until the process ends.
        return;
    };
    // SAFETY: a key that is never deleted; the value is a number.
    unsafe { libc::pthread_setspecific(key, without_provenance_mut(round)) };
}

fn key() -> Option<libc::pthread_key_t> {
    let known = KEY.load(Ordering::Relaxed);
    if known != 0 {
        return libc::pthread_key_t::try_from(known - 1).ok();
    }
    let mut fresh: libc::pthread_key_t = 0;
    // SAFETY: a variable that the call may write to, and a function that stays: the library is never unloaded.
    if unsafe { libc::pthread_key_create(&raw mut fresh, Some(on_round)) } != 0 {
        return None;
    }
    let ours = u64::from(fresh) + 1;
    match KEY.compare_exchange(0, ours, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => Some(fresh),
        Err(first) => {
            // SAFETY: made just now, and nobody else knows it.
            unsafe { libc::pthread_key_delete(fresh) };
            libc::pthread_key_t::try_from(first - 1).ok()
        }
    }
}

extern "C" fn on_exit() {
    end(|made| !made.is_lent);
}

/// Has this thread's values emptied if it ends the process. A child inherits that.
fn watch_exit() {
    static WATCHES: AtomicBool = AtomicBool::new(false);
    if cfg!(miri) || WATCHES.load(Ordering::Relaxed) {
        return;
    }
    // As in `fork::watch`, nobody waits here. Twice does no harm.
    // SAFETY: a plain function that stays: the library is never unloaded.
    unsafe { libc::atexit(on_exit) };
    WATCHES.store(true, Ordering::Relaxed);
}

#[cfg(all(test, not(any(loom, miri))))]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    static MADE_SO_FAR: AtomicU32 = AtomicU32::new(0);
    static DROPPED: AtomicU32 = AtomicU32::new(0);

    struct Counted(u32);

    impl Default for Counted {
        fn default() -> Self {
            MADE_SO_FAR.fetch_add(1, Ordering::Relaxed);
            Self(0)
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }

    thread_local! {
        static VALUE: OwnThread<Counted> = const { OwnThread::new() };
        static LENT: OwnThread<Box<Counted>> = const { OwnThread::lent() };
    }

    static KEY_OF_PROGRAM: AtomicU32 = AtomicU32::new(0);
    const AGAIN: usize = 1;

    fn set_key(value: *mut c_void) {
        let key = KEY_OF_PROGRAM.load(Ordering::Relaxed) as libc::pthread_key_t;
        // SAFETY: a key that is there.
        unsafe { libc::pthread_setspecific(key, value) };
    }

    extern "C" fn in_a_key(lent: *mut c_void) {
        if lent.addr() == AGAIN {
            // The value is the thread's, or a new one, but it is there.
            VALUE.with_borrow_mut(|value| value.0 = 9);
            VALUE.with_borrow(|value| assert_eq!(value.0, 9));
        } else {
            // SAFETY: what the thread lent, which outlives this round.
            assert_eq!(unsafe { &*lent.cast::<Counted>() }.0, 7);
            VALUE.with_borrow(|value| assert_eq!(value.0, 8));
            set_key(without_provenance_mut(AGAIN));
        }
    }

    #[test]
    fn a_value_is_there_in_destructors_and_dropped_after_them() {
        let mut key: libc::pthread_key_t = 0;
        // SAFETY: a variable of ours, and a plain function.
        let made = unsafe { libc::pthread_key_create(&raw mut key, Some(in_a_key)) };
        assert_eq!(made, 0);
        KEY_OF_PROGRAM.store(key as u32, Ordering::Relaxed);
        let thread = std::thread::spawn(|| {
            VALUE.with_borrow_mut(|value| value.0 = 8);
            VALUE.with_borrow(|value| assert_eq!(value.0, 8));
            set_key(LENT.with_borrow_mut(|lent| {
                lent.0 = 7;
                std::ptr::from_mut(&mut **lent).cast::<c_void>()
            }));
        });
        thread.join().unwrap();
        let made = MADE_SO_FAR.load(Ordering::Relaxed);
        assert!((2..=3).contains(&made), "{made}");
        assert_eq!(DROPPED.load(Ordering::Relaxed), made);
    }
}
