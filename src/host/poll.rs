//! Waiting for a descriptor.
#![allow(unsafe_code, reason = "poll")]

use std::os::fd::RawFd;

/// Waits until there is something to read, or so many ms have passed, or a signal has come.
pub(crate) fn wait_for_input(descriptor: RawFd, ms: u64) {
    let mut one = libc::pollfd {
        fd: descriptor,
        events: libc::POLLIN,
        revents: 0,
    };
    let ms = i32::try_from(ms).unwrap_or(i32::MAX);
    // SAFETY: one element that is borrowed for the call.
    unsafe { libc::poll(&raw mut one, 1, ms) };
}
