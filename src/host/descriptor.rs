//! Descriptors that the library keeps from one call to the next: what a fork does to them, and what the program.
//!
//! A child gets copies, which nobody uses there. They are closed at the fork itself. A program may close what it does
//! not know at any time, and what it opens next gets the same numbers: a number is used after a look that it is still
//! the library's, and is closed after one.
#![allow(unsafe_code, reason = "drops by hand")]

use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsRawFd, RawFd};

use super::fork;
use super::noted::{self, Identity};

/// Something with a descriptor, which belongs to the process that made it. In a child of that process the descriptor is
/// closed already.
#[derive(Debug)]
pub(crate) struct Kept<T: AsRawFd> {
    value: ManuallyDrop<T>,
    identity: Identity,
    generation: u32,
}

impl<T: AsRawFd> Kept<T> {
    /// Keeps a socket.
    pub(crate) fn new(value: T) -> Self {
        Self::known_by(value, noted::note)
    }

    /// Keeps what events come through: an event queue, or an event counter.
    pub(crate) fn of_events(value: T) -> Self {
        Self::known_by(value, noted::note_marked)
    }

    fn known_by(value: T, note: fn(RawFd) -> Identity) -> Self {
        let generation = fork::generation();
        let identity = note(value.as_raw_fd());
        Self {
            value: ManuallyDrop::new(value),
            identity,
            generation,
        }
    }

    /// False when the program has closed the descriptor, and in a child of the process that it belongs to.
    pub(crate) fn is_whole(&self) -> bool {
        self.generation == fork::generation()
            && noted::is_still(self.value.as_raw_fd(), self.identity)
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
        let is_whole = self.is_whole();
        if self.generation == fork::generation() {
            // Before the number can be another's.
            noted::forget(self.value.as_raw_fd(), self.identity);
        }
        if is_whole {
            // SAFETY: nobody uses the value after this.
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}
