//! Whether this system passes the lock of a process that was killed on to the next one.
//!
//! Linux does. Under an emulator of programs (qemu-user) it never hears of the lock: a process that waits for it then
//! waits for ever.
#![allow(unsafe_code, reason = "the get_robust_list system call")]

use std::ffi::c_void;
use std::sync::Arc;

use parking_lot::lock_api::RawMutex as _;

use super::lock::RawShmMutex;
use crate::host::thread;

/// True when a lock whose owner died is passed on.
#[must_use]
pub fn locks_outlive_owners() -> bool {
    // A filter of system calls may forbid the question alone, so a no is tried out.
    knows_of_our_locks() || passes_on_a_lock()
}

/// Whether the system has a list of the locks that this thread holds: what ends a thread goes through that list.
fn knows_of_our_locks() -> bool {
    let mut head: *mut c_void = std::ptr::null_mut();
    let mut size = 0_usize;
    // SAFETY: 0 stands for this thread; two words of ours are written.
    unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &raw mut head, &raw mut size) == 0 }
}

/// Lets a thread end that holds a lock, and looks whether the lock can be had.
fn passes_on_a_lock() -> bool {
    let lock = Arc::new(RawShmMutex::INIT);
    if lock.init().is_err() {
        return false;
    }
    let taken = Arc::clone(&lock);
    let Ok(owner) = thread::spawn("kamailio-dns", move || taken.try_lock()) else {
        return false;
    };
    if !matches!(owner.join(), Ok(true)) || !lock.try_lock() {
        return false;
    }
    let was_noticed = lock.damaged();
    // SAFETY: taken above.
    unsafe { lock.unlock() };
    was_noticed
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// The trial finds out what the question says, wherever the question may be asked.
    #[test]
    fn the_trial_agrees_with_the_system() {
        assert_eq!(passes_on_a_lock(), knows_of_our_locks());
    }
}
