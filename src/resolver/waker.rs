//! Makes the descriptor of an event queue readable from another thread.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::sockets::new_event;
use crate::host::descriptor::Kept;

/// Ends the wait of the thread that waits at an event queue. The queue's owner gets the token's event, which means
/// nothing else.
#[derive(Debug)]
pub struct Waker {
    file: Kept<File>,
}

impl Waker {
    /// # Errors
    /// The kernel gives no descriptor.
    pub(super) fn new(queue: &Registry, token: Token) -> io::Result<Self> {
        let file = Kept::of_events(File::from(new_event()?));
        // Told of each change, so nobody has to read it.
        queue.register(&mut SourceFd(&file.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { file })
    }

    /// Wakes.
    ///
    /// # Errors
    /// As of the write; `NotConnected` when the program has closed the descriptor.
    pub fn wake(&self) -> io::Result<()> {
        if !self.file.is_whole() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        (&*self.file).write_all(&1_u64.to_ne_bytes())
    }
}
