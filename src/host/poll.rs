//! Waiting for descriptors.
#![allow(unsafe_code, reason = "poll, which std lacks")]

use std::io;
use std::os::fd::RawFd;

/// Waits until something is there of what is looked for, or so many ms have passed. How many descriptors have
/// something.
///
/// # Errors
/// As of the call; also when a signal has come.
pub(crate) fn poll(interest: &mut [libc::pollfd], ms: u64) -> io::Result<usize> {
    let ms = i32::try_from(ms).unwrap_or(i32::MAX);
    // SAFETY: pointer and length are those of one exclusively borrowed slice.
    let result = unsafe { libc::poll(interest.as_mut_ptr(), interest.len() as libc::nfds_t, ms) };
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Waits until there is something to read, or so many ms have passed, or a signal has come; true where there is
/// something.
pub(crate) fn wait_for_input(descriptor: RawFd, ms: u64) -> bool {
    let mut one = [libc::pollfd {
        fd: descriptor,
        events: libc::POLLIN,
        revents: 0,
    }];
    poll(&mut one, ms).is_ok_and(|ready| ready > 0)
}
