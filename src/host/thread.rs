//! Threads inside a program that is not ours.
#![allow(unsafe_code, reason = "pthread_sigmask")]

use std::ffi::c_int;
use std::io;
use std::thread::{Builder, JoinHandle};

use super::sync::system;

/// Starts a thread that gets no signals: they are for the program's own threads.
///
/// # Errors
/// The error of the system.
pub(crate) fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    // SAFETY: all-zero is a valid sigset_t.
    let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let mut before: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: a valid set.
    unsafe { libc::sigfillset(&raw mut all) };
    // A new thread has the mask of the one that starts it.
    // SAFETY: valid sets; the mask is put back below.
    let blocked =
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) };
    let thread = Builder::new().name(name.to_owned()).spawn(work);
    if blocked == 0 {
        // SAFETY: the mask that the call above gave.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut())
        };
    }
    thread
}

/// While it lives this thread cannot be cancelled; see [`uncancelled`].
#[derive(Debug)]
pub(crate) struct Uncancelled {
    before: c_int,
}

/// Puts `pthread_cancel()` of this thread off until the guard is dropped.
///
/// A cancelled thread unwinds its stack from the system call that it is in. Rust's frames do not let it pass: the
/// process would abort. So all that waits, and every file that is read, comes under such a guard. The program's request
/// takes effect at the next cancellation point of its own.
#[must_use]
pub(crate) fn uncancelled() -> Uncancelled {
    Uncancelled {
        before: system::set_cancel_state(CANCEL_DISABLE),
    }
}

impl Drop for Uncancelled {
    fn drop(&mut self) {
        system::set_cancel_state(self.before);
    }
}

// As in glibc and musl; the crate libc does not have it.
const CANCEL_DISABLE: c_int = 1;
