//! Sleeping on a word of shared memory until another process changes it.
#![allow(
    unsafe_code,
    reason = "the futex system call, which libc does not wrap"
)]

use std::sync::atomic::AtomicU32;

/// Sleeps until [`wake_all`] is called on the word, but no longer than `timeout_ms`; not at all when the
/// word is not `expected` any more. May wake for no reason: the caller looks again.
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout_ms: u64) {
    let timeout = libc::timespec {
        // By inference: on musl the crate libc has its name of the type on a list of what will change.
        tv_sec: (timeout_ms / 1000) as _,
        tv_nsec: (timeout_ms % 1000 * 1_000_000) as libc::c_long,
    };
    // SAFETY: the word is valid and 4-aligned, the kernel only compares it; the timeout is read only.
    // Without FUTEX_PRIVATE_FLAG the word may lie in memory that processes share.
    let _woken_or_not = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT,
            expected,
            &raw const timeout,
        )
    };
}

/// Wakes all that sleep on the word, in whatever process.
pub(crate) fn wake_all(word: &AtomicU32) {
    // SAFETY: the kernel uses the address of the word only to find sleepers.
    let _number =
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, i32::MAX) };
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn a_changed_word_is_not_slept_on() {
        let word = AtomicU32::new(1);
        // Would sleep for an hour.
        wait(&word, 0, 3_600_000);
    }

    #[test]
    fn sleepers_wake() {
        let word = AtomicU32::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while word.load(Ordering::SeqCst) == 0 {
                    wait(&word, 0, 3_600_000);
                }
            });
            word.store(1, Ordering::SeqCst);
            wake_all(&word);
        });
    }
}
