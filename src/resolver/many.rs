//! The real network, for many queries at a time: as [`super::few`], with the sockets waited for by the kernel's event
//! queue.
//!
//! `poll()` looks at every socket for each message, which is cheapest for the two or three of one lookup. Here there
//! may be thousands, and only those on which something happened are looked at. Sockets are not used again: what is kept
//! for the next query would have to be told apart from what is waited for, and a socket costs little beside an answer.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, RawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::channel::{Channel, is_ours};
use super::datagrams::Datagrams;
use super::transport::{Event, Handle, MAX_MESSAGE_OCTETS, Protocol, Transport};
use super::waker::Waker;
use crate::host::clock;
use crate::host::descriptor::Kept;

/// Sockets looked at for one call of the kernel.
const MAX_EVENTS: usize = 256;
/// Datagrams read of one socket in a row: a flood for one query must not hold up the others.
const MAX_IN_A_ROW: usize = 16;

/// How long nothing is done where the kernel gives no event queue in place of one that the program has closed.
const WITHOUT_QUEUE: Duration = Duration::from_millis(20);

/// The real network, for many queries.
#[derive(Debug)]
pub(super) struct ManySockets {
    queue: Kept<Poll>,
    events: Events,
    channels: HashMap<Handle, Channel>,
    ready: VecDeque<(Handle, Event)>,
    last_handle: u64,
    failed_here: bool,
    datagram: Vec<u8>,
    spare: Vec<u8>,
}

impl ManySockets {
    /// # Errors
    /// The kernel gives no event queue.
    pub(super) fn new() -> io::Result<Self> {
        Self::with_events(MAX_EVENTS)
    }

    /// As [`Self::new`]; no more sockets are looked at for one call of the kernel.
    pub(super) fn with_events(most: usize) -> io::Result<Self> {
        Ok(Self {
            queue: Kept::of_events(Poll::new()?),
            events: Events::with_capacity(most),
            channels: HashMap::new(),
            ready: VecDeque::new(),
            last_handle: 0,
            failed_here: false,
            datagram: vec![0; MAX_MESSAGE_OCTETS],
            spare: Vec::new(),
        })
    }

    fn try_open(
        &mut self,
        server: SocketAddr,
        protocol: Protocol,
        query: &[u8],
    ) -> io::Result<Handle> {
        let handle = Handle(self.last_handle + 1);
        let mut no_others = Datagrams::default();
        if !self.has_queue() {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        let channel = Channel::open(handle, server, protocol, query, &mut no_others)?;
        self.register(&channel)?;
        self.last_handle = handle.0;
        self.channels.insert(handle, channel);
        Ok(handle)
    }

    /// The waker that makes the descriptor readable from another thread.
    pub(super) fn waker(&self) -> io::Result<Waker> {
        // No handle has the number, so nothing comes of it but that a wait ends.
        Waker::new(self.queue.registry(), Token(usize::MAX))
    }

    /// Has a socket waited for: told once for each change, not as long as it lasts, see `advance`.
    fn register(&self, channel: &Channel) -> io::Result<()> {
        self.queue.registry().register(
            &mut SourceFd(&channel.fd()),
            Token(channel.handle.0 as usize),
            match channel.protocol() {
                Protocol::Udp => Interest::READABLE,
                Protocol::Tcp => Interest::READABLE | Interest::WRITABLE,
            },
        )
    }

    /// Waits once and collects what is there.
    fn collect(&mut self, timeout_ms: u64) {
        let timeout = Duration::from_millis(timeout_ms);
        if !self.has_queue() {
            std::thread::sleep(timeout.min(WITHOUT_QUEUE));
            return;
        }
        if let Err(error) = self.queue.poll(&mut self.events, Some(timeout)) {
            // Interrupted: the caller looks at the clock.
            if error.kind() != ErrorKind::Interrupted {
                self.begin_anew();
            }
            return;
        }
        let tokens: Vec<Handle> = self
            .events
            .iter()
            .map(|event| Handle(event.token().0 as u64))
            .collect();
        for handle in tokens {
            self.advance(handle);
        }
    }

    /// Begins anew when the program has closed the queue; false when the kernel gives no other.
    fn has_queue(&mut self) -> bool {
        if self.queue.is_whole() {
            return true;
        }
        self.begin_anew();
        self.queue.is_whole()
    }

    /// The program has closed our descriptors: all that was under way has failed.
    #[cold]
    fn begin_anew(&mut self) {
        trace!("the event queue is gone");
        for (handle, _) in self.channels.drain() {
            self.ready.push_back((handle, Event::Failed));
        }
        if let Ok(queue) = Poll::new() {
            self.queue = Kept::of_events(queue);
        }
    }

    /// Reads a socket until it has nothing more.
    fn advance(&mut self, handle: Handle) {
        let Some(channel) = self.channels.get_mut(&handle) else {
            return;
        };
        for _ in 0..MAX_IN_A_ROW {
            let before = self.ready.len();
            let result = channel.advance(&mut self.datagram, &mut self.spare, &mut self.ready);
            if result.is_err() {
                self.channels.remove(&handle);
                self.ready.push_back((handle, Event::Failed));
                return;
            }
            if self.ready.len() == before {
                return;
            }
        }
        // More datagrams than any server sends for one query; datagrams that are left there would not be told again.
        self.channels.remove(&handle);
        self.ready.push_back((handle, Event::Failed));
    }
}

impl Transport for ManySockets {
    fn now_ms(&self) -> u64 {
        clock::monotonic_ms()
    }

    fn now_us(&self) -> u64 {
        clock::monotonic_ns() / 1000
    }

    fn open(&mut self, server: SocketAddr, protocol: Protocol, query: &[u8]) -> Option<Handle> {
        match self.try_open(server, protocol, query) {
            Ok(handle) => {
                self.failed_here = false;
                Some(handle)
            }
            Err(error) => {
                self.failed_here = is_ours(&error);
                trace!("cannot send to {server} by {protocol:?}: {error}");
                None
            }
        }
    }

    fn resend(&mut self, handle: Handle, query: &[u8]) -> bool {
        let channel = self.channels.get(&handle);
        channel.is_some_and(|channel| channel.is_whole() && channel.resend(query))
    }

    /// The kernel forgets a socket that is closed; where a child has a copy of it, what still comes finds no channel.
    fn close(&mut self, handle: Handle) {
        self.channels.remove(&handle);
        if self.ready.iter().any(|(owner, _)| *owner == handle) {
            self.ready.retain(|(owner, _)| *owner != handle);
        }
    }

    fn failed_here(&self) -> bool {
        self.failed_here
    }

    fn last_handle(&self) -> Option<Handle> {
        Some(Handle(self.last_handle))
    }

    fn descriptor(&self) -> Option<RawFd> {
        Some(self.queue.as_raw_fd())
    }

    fn has_events(&self) -> bool {
        !self.ready.is_empty()
    }

    fn recycle(&mut self, message: Vec<u8>) {
        self.spare = message;
    }

    fn wait(&mut self, until_ms: u64) -> Option<(Handle, Event)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let left_ms = until_ms.saturating_sub(self.now_ms());
            self.collect(left_ms);
            if self.ready.is_empty() && left_ms == 0 {
                return None;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn many_queries_are_told_apart() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let mut sockets = ManySockets::new().unwrap();
        let handles: Vec<Handle> = (0..100u8)
            .map(|number| sockets.open(address, Protocol::Udp, &[number]).unwrap())
            .collect();
        let mut queries = Vec::new();
        for _ in &handles {
            let mut query = [0; 4];
            let (_, from) = server.recv_from(&mut query).unwrap();
            queries.push((query[0], from));
        }
        // The last one first, and every third not at all.
        for (number, from) in queries.into_iter().rev() {
            if number % 3 != 0 {
                server.send_to(&[number], from).unwrap();
            }
        }
        let until_ms = sockets.now_ms() + 60_000;
        for _ in 0..66 {
            let (handle, event) = sockets.wait(until_ms).unwrap();
            let Event::Message(message) = event else {
                panic!("{event:?}");
            };
            assert_eq!(handles[usize::from(message[0])], handle);
            sockets.close(handle);
        }
        assert_eq!(sockets.channels.len(), 34);
        assert!(sockets.wait(0).is_none());
    }

    #[test]
    fn a_flood_of_datagrams_ends() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let mut sockets = ManySockets::new().unwrap();
        let handle = sockets.open(address, Protocol::Udp, b"query").unwrap();
        let (_, from) = server.recv_from(&mut [0; 16]).unwrap();
        for _ in 0..40 {
            let _ = server.send_to(b"flood", from);
        }
        let until_ms = sockets.now_ms() + 60_000;
        let mut seen = 0;
        while let Some((owner, Event::Message(_))) = sockets.wait(until_ms) {
            assert_eq!(owner, handle);
            seen += 1;
        }
        assert!((1..=MAX_IN_A_ROW).contains(&seen), "{seen}");
        assert!(sockets.channels.is_empty());
    }
}
