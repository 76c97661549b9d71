//! Descriptors that the library keeps from one call to the next, and what a fork does to them.
//!
//! A child gets copies, which nobody uses there. They are closed at the fork itself. A program that becomes a daemon
//! closes what it does not know, and what it opens next gets the same numbers: what is closed by number later is the
//! program's.
#![allow(unsafe_code, reason = "drops by hand")]

use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::os::fd::AsRawFd;

use super::fork;

/// Something with a descriptor, which belongs to the process that made it. In a child of that process the descriptor is
/// closed already.
#[derive(Debug)]
pub(crate) struct Kept<T: AsRawFd> {
    value: ManuallyDrop<T>,
    generation: u32,
}

impl<T: AsRawFd> Kept<T> {
    pub(crate) fn new(value: T) -> Self {
        let generation = fork::generation();
        fork::note(value.as_raw_fd());
        Self {
            value: ManuallyDrop::new(value),
            generation,
        }
    }

    /// Leaves the descriptor alone from here on: the program has closed it, and the number may be somebody else's.
    pub(crate) fn abandon(self) {
        let this = ManuallyDrop::new(self);
        if this.is_ours() {
            fork::forget(this.value.as_raw_fd());
        }
    }

    fn is_ours(&self) -> bool {
        self.generation == fork::generation()
    }
}

impl<T: AsRawFd> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: AsRawFd> DerefMut for Kept<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: AsRawFd> Drop for Kept<T> {
    fn drop(&mut self) {
        if !self.is_ours() {
            return;
        }
        // Before the number can be another's.
        fork::forget(self.value.as_raw_fd());
        // SAFETY: nobody uses the value after this.
        unsafe { ManuallyDrop::drop(&mut self.value) };
    }
}
