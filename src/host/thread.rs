//! Threads inside a program that is not ours.
#![allow(unsafe_code, reason = "pthread_sigmask")]

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread that gets no signals: they are for the program's own threads.
///
/// # Errors
/// What the system says.
pub fn spawn<T: Send + 'static>(
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
