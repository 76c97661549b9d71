//! The way to the servers, as whoever asks sees it: queries are sent, and events come back.
//!
//! [`super::few`] and [`super::many`] are the real network; tests put one of their own in its place.

use std::net::SocketAddr;
use std::os::fd::RawFd;

/// Largest DNS message.
pub(super) const MAX_MESSAGE_OCTETS: usize = 65_535;

/// How a query travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// A datagram for each message.
    Udp,
    /// A connection, messages with their length in front (RFC 7766).
    Tcp,
}

/// Names a query that is under way; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle(pub u64);

/// When a message came that was just read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// The thread was waiting for the event.
    Fresh,
    /// The event may have lain there for long: nobody has looked since the last call.
    Unknown,
}

impl Age {
    /// Since when it may have come, ms; its query was sent at `sent_ms`.
    pub(super) fn since_ms(self, sent_ms: u64, now_ms: u64) -> u64 {
        match self {
            Self::Fresh => now_ms,
            Self::Unknown => sent_ms,
        }
    }
}

/// An event of a query.
#[derive(Clone, Debug)]
pub enum Event {
    /// A message came back, from the address and port that the query went to. More may follow.
    Message(Vec<u8>),
    /// Nothing will come back: port closed, no route, connection ended.
    Failed,
}

/// The way to the servers; the seam where tests put scripted replies and a virtual clock.
pub trait Transport: Send {
    /// Milliseconds of the clock that deadlines are in.
    fn now_ms(&self) -> u64;

    /// The same clock in µs.
    fn now_us(&self) -> u64 {
        self.now_ms().saturating_mul(1000)
    }

    /// Sends a query without waiting; `None` if it cannot be sent.
    fn open(&mut self, server: SocketAddr, protocol: Protocol, query: &[u8]) -> Option<Handle>;

    /// Sends the same query over UDP once more, from the same port; false if that cannot be done.
    fn resend(&mut self, handle: Handle, query: &[u8]) -> bool {
        let _ = (handle, query);
        false
    }

    /// Looks after what is kept from one call to the next: the program may have closed it meanwhile.
    fn look_after_descriptors(&mut self) {}

    /// Gives up a query; no event of it is reported any more.
    fn close(&mut self, handle: Handle);

    /// As [`close`](Self::close), for a query whose one message so far was the answer: what it used may serve
    /// another query.
    fn finish(&mut self, handle: Handle) {
        self.close(handle);
    }

    /// True when the last [`open`](Self::open) failed for want of something here, descriptors or memory, which says
    /// nothing of the server.
    fn failed_here(&self) -> bool {
        false
    }

    /// The handle that [`open`](Self::open) gave last, where the transport counts them up by one.
    fn last_handle(&self) -> Option<Handle> {
        None
    }

    /// The descriptor that is readable when an event is there, where the transport has one for all queries.
    fn descriptor(&self) -> Option<RawFd> {
        None
    }

    /// True when events are there that were taken from the descriptor already.
    fn has_events(&self) -> bool {
        false
    }

    /// Takes the room of a message back that was read.
    fn recycle(&mut self, message: Vec<u8>) {
        drop(message);
    }

    /// Waits for an event until the clock shows `until_ms`; `None` when that time has come.
    fn wait(&mut self, until_ms: u64) -> Option<(Handle, Event)>;
}
