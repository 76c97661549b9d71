//! Sends queries and waits for messages, over UDP and TCP, without a thread.
//!
//! Every query has a socket for itself, with a port that the kernel draws at random for it and connected to
//! the server, so that the kernel drops what comes from elsewhere (RFC 5452 section 9). Two queries never
//! share a port, not even A and AAAA of one name: address translators lose one of two packets that open
//! a flow at the same moment. A socket may serve another query after its own was answered, with another
//! port: see [`super::datagrams`]. All sockets are waited for with one `poll()`.
#![allow(unsafe_code, reason = "poll, which std lacks")]

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd as _, RawFd};

use super::datagrams::{Datagram, Datagrams};
use super::sockets::{connect, new_socket};
use crate::host::clock;

/// Largest DNS message.
pub(super) const MAX_MESSAGE_OCTETS: usize = 65_535;

/// Messages read of one TCP connection. One is asked for; a few more are borne with, as over UDP.
const MAX_TCP_MESSAGES: u32 = 16;
/// Octets read of one TCP connection: the longest reply, with its length, and once more as much that is none. Whoever
/// sends more is not answering, and must not keep anybody reading.
const MAX_TCP_OCTETS: usize = 2 * (MAX_MESSAGE_OCTETS + 2);

/// How a query travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// One datagram.
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
    /// It was waited for.
    Fresh,
    /// It may have lain there for long: nobody has looked since the last call.
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

/// What happened to a query.
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

    /// Gives up a query; no event of it is reported any more.
    fn close(&mut self, handle: Handle);

    /// As [`close`](Self::close), for a query whose one message so far was the answer: what it used may serve
    /// another query.
    fn finish(&mut self, handle: Handle) {
        self.close(handle);
    }

    /// True when the last [`open`](Self::open) failed for want of something here, descriptors or memory, which says nothing
    /// of the server.
    fn failed_here(&self) -> bool {
        false
    }

    /// The handle that [`open`](Self::open) gave last, where the transport counts them up by one.
    fn last_handle(&self) -> Option<Handle> {
        None
    }

    /// What becomes readable when an event is there, where the transport has one descriptor for all.
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

/// The real network.
#[derive(Debug, Default)]
pub(super) struct SystemTransport {
    channels: Vec<Channel>,
    ready: VecDeque<(Handle, Event)>,
    last_handle: u64,
    failed_here: bool,
    /// Room for the arguments of `poll()`.
    interest: Vec<libc::pollfd>,
    /// Room for one datagram.
    datagram: Vec<u8>,
    datagrams: Datagrams,
    /// Room for the next message that is reported.
    spare: Vec<u8>,
}

/// A query under way.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) handle: Handle,
    socket: Socket,
}

#[derive(Debug)]
enum Socket {
    Udp(Datagram),
    Tcp(Connection),
}

/// A TCP connection on which one query is sent.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// The query with its length in front, and how much of it was sent.
    outgoing: Vec<u8>,
    sent: usize,
    incoming: Vec<u8>,
    /// Messages and octets that came so far.
    messages: u32,
    octets: usize,
}

impl Transport for SystemTransport {
    fn now_ms(&self) -> u64 {
        clock::monotonic_ms()
    }

    fn now_us(&self) -> u64 {
        clock::monotonic_ns() / 1000
    }

    fn open(&mut self, server: SocketAddr, protocol: Protocol, query: &[u8]) -> Option<Handle> {
        let handle = Handle(self.last_handle + 1);
        match Channel::open(handle, server, protocol, query, &mut self.datagrams) {
            Ok(channel) => {
                self.failed_here = false;
                self.last_handle = handle.0;
                self.channels.push(channel);
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
        let mut channels = self.channels.iter();
        channels
            .find(|channel| channel.handle == handle)
            .is_some_and(|channel| channel.resend(query))
    }

    fn close(&mut self, handle: Handle) {
        self.channels.retain(|channel| channel.handle != handle);
        self.ready.retain(|(owner, _)| *owner != handle);
    }

    fn finish(&mut self, handle: Handle) {
        let place = self.channels.iter().position(|c| c.handle == handle);
        if let Some(channel) = place.map(|place| self.channels.swap_remove(place))
            && let Socket::Udp(datagram) = channel.socket
        {
            self.datagrams.keep(datagram);
        }
        if !self.ready.is_empty() {
            self.ready.retain(|(owner, _)| *owner != handle);
        }
    }

    fn failed_here(&self) -> bool {
        self.failed_here
    }

    fn last_handle(&self) -> Option<Handle> {
        Some(Handle(self.last_handle))
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
            self.poll(left_ms);
            if self.ready.is_empty() && left_ms == 0 {
                return None;
            }
        }
    }
}

impl SystemTransport {
    /// Waits once and collects what is there.
    fn poll(&mut self, timeout_ms: u64) {
        self.interest.clear();
        self.interest
            .extend(self.channels.iter().map(Channel::interest));
        if let Err(error) = poll(&mut self.interest, timeout_ms) {
            if error.kind() != ErrorKind::Interrupted {
                trace!("poll: {error}");
                let failed = self.channels.drain(..).map(|c| (c.handle, Event::Failed));
                self.ready.extend(failed);
            }
            return;
        }
        if self.datagram.is_empty() {
            self.datagram.resize(MAX_MESSAGE_OCTETS, 0);
        }
        let (ready, datagram) = (&mut self.ready, &mut self.datagram);
        let spare = &mut self.spare;
        let mut seen = self.interest.iter();
        // A channel that has ended goes; its messages and the notice of its end stay.
        self.channels.retain_mut(|channel| {
            let quiet = seen.next().is_none_or(|seen| seen.revents == 0);
            let goes_on = quiet || channel.advance(datagram, spare, ready).is_ok();
            if !goes_on {
                ready.push_back((channel.handle, Event::Failed));
            }
            goes_on
        });
    }
}

impl Channel {
    /// Sends a query.
    ///
    /// # Errors
    /// As of the socket.
    pub(super) fn open(
        handle: Handle,
        server: SocketAddr,
        protocol: Protocol,
        query: &[u8],
        datagrams: &mut Datagrams,
    ) -> io::Result<Self> {
        let socket = match protocol {
            Protocol::Udp => datagrams.send(server, query).map(Socket::Udp),
            Protocol::Tcp => Connection::open(server, query).map(Socket::Tcp),
        }?;
        Ok(Self { handle, socket })
    }

    /// As [`Transport::resend`].
    pub(super) fn resend(&self, query: &[u8]) -> bool {
        match &self.socket {
            Socket::Udp(datagram) => datagram.resend(query).is_ok(),
            Socket::Tcp(_) => false,
        }
    }

    pub(super) fn fd(&self) -> RawFd {
        match &self.socket {
            Socket::Udp(datagram) => datagram.fd(),
            Socket::Tcp(connection) => connection.stream.as_raw_fd(),
        }
    }

    pub(super) fn protocol(&self) -> Protocol {
        match self.socket {
            Socket::Udp(_) => Protocol::Udp,
            Socket::Tcp(_) => Protocol::Tcp,
        }
    }

    fn interest(&self) -> libc::pollfd {
        let (fd, events) = match &self.socket {
            Socket::Udp(datagram) => (datagram.fd(), libc::POLLIN),
            Socket::Tcp(c) if c.sent < c.outgoing.len() => (c.stream.as_raw_fd(), libc::POLLOUT),
            Socket::Tcp(c) => (c.stream.as_raw_fd(), libc::POLLIN),
        };
        libc::pollfd {
            fd,
            events,
            revents: 0,
        }
    }

    /// Does what can be done without waiting: sends, reads all of a connection, reads one datagram. An error means that
    /// nothing more will come.
    pub(super) fn advance(
        &mut self,
        buffer: &mut [u8],
        spare: &mut Vec<u8>,
        ready: &mut VecDeque<(Handle, Event)>,
    ) -> io::Result<()> {
        let handle = self.handle;
        let mut report = |message| ready.push_back((handle, Event::Message(message)));
        let result = match &mut self.socket {
            Socket::Udp(datagram) => datagram.receive(buffer).map(|received| {
                let mut message = std::mem::take(spare);
                message.clear();
                message.extend_from_slice(received);
                report(message);
            }),
            Socket::Tcp(connection) => connection.advance(&mut report),
        };
        match result {
            Err(error)
                if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                trace!("query ended: {error}");
                Err(error)
            }
            _ => Ok(()),
        }
    }
}

impl Connection {
    fn open(server: SocketAddr, query: &[u8]) -> io::Result<Self> {
        let length = u16::try_from(query.len()).map_err(|_| ErrorKind::InvalidInput)?;
        Ok(Self {
            stream: connect_without_waiting(server)?,
            outgoing: [&length.to_be_bytes(), query].concat(),
            sent: 0,
            incoming: Vec::new(),
            messages: 0,
            octets: 0,
        })
    }

    fn advance(&mut self, report: &mut impl FnMut(Vec<u8>)) -> io::Result<()> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        while let Some(rest) = self.outgoing.get(self.sent..).filter(|r| !r.is_empty()) {
            // Length and message in one write (RFC 7766 section 8).
            self.sent += match self.stream.write(rest)? {
                0 => return Err(ErrorKind::WriteZero.into()),
                written => written,
            };
        }
        let mut buffer = [0; 4096];
        loop {
            // One message and its length is all that is ever kept: a longer one cannot exist.
            while let Some(message) = self.take_message() {
                report(message);
                self.messages += 1;
                if self.messages >= MAX_TCP_MESSAGES {
                    return Err(ErrorKind::InvalidData.into());
                }
            }
            if self.octets >= MAX_TCP_OCTETS {
                return Err(ErrorKind::InvalidData.into());
            }
            let length = match self.stream.read(&mut buffer)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                length => length,
            };
            self.octets += length;
            self.incoming
                .extend_from_slice(buffer.get(..length).unwrap_or_default());
        }
    }

    fn take_message(&mut self) -> Option<Vec<u8>> {
        let (prefix, rest) = self.incoming.split_first_chunk::<2>()?;
        let message = rest
            .get(..usize::from(u16::from_be_bytes(*prefix)))?
            .to_vec();
        self.incoming.drain(..message.len() + 2);
        Some(message)
    }
}

/// True for an error that comes from this process, or this machine, and not from the way to a server.
pub(super) fn is_ours(error: &io::Error) -> bool {
    let ours = [
        libc::EMFILE,
        libc::ENFILE,
        libc::ENOBUFS,
        libc::ENOMEM,
        libc::ENOSPC,
    ];
    error
        .raw_os_error()
        .is_some_and(|number| ours.contains(&number))
}

/// Starts a TCP connection; its end, good or bad, shows as the socket becoming writable.
fn connect_without_waiting(server: SocketAddr) -> io::Result<TcpStream> {
    let fd = new_socket(server, libc::SOCK_STREAM)?;
    match connect(fd.as_raw_fd(), server) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(fd.into()),
    }
}

fn poll(interest: &mut [libc::pollfd], timeout_ms: u64) -> io::Result<()> {
    let timeout = i32::try_from(timeout_ms).unwrap_or(i32::MAX);
    // SAFETY: pointer and length are those of one exclusively borrowed slice.
    let result = unsafe {
        libc::poll(
            interest.as_mut_ptr(),
            interest.len() as libc::nfds_t,
            timeout,
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn closed_port_is_reported_and_not_waited_for() {
        // A port that was just free: bound, looked at, and closed again.
        let address = UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let mut transport = SystemTransport::default();
        for protocol in [Protocol::Udp, Protocol::Tcp] {
            let handle = transport.open(address, protocol, b"query");
            let Some(handle) = handle else {
                continue; // refused at once
            };
            let until = transport.now_ms() + 60_000;
            let (from, event) = transport.wait(until).expect("an event");
            assert_eq!(from, handle);
            assert!(matches!(event, Event::Failed));
        }
    }

    /// A server that sends this over and over to whoever connects; gives its address.
    fn flooding(payload: Vec<u8>) -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            while stream.write_all(&payload).is_ok() {}
        });
        address
    }

    #[test]
    fn a_flood_over_tcp_ends() {
        let small = b"\0\x0C\x01\x02\x81\x80\0\0\0\0\0\0\0\0".repeat(1000);
        let large = [&b"\xFF\xFF"[..], &[7; MAX_MESSAGE_OCTETS]].concat();
        for (payload, messages) in [(vec![0; 10_000], 16), (small, 16), (large, 2)] {
            let address = flooding(payload);
            let mut transport = SystemTransport::default();
            let handle = transport.open(address, Protocol::Tcp, b"query").unwrap();
            let until_ms = transport.now_ms() + 60_000;
            let mut seen = 0;
            while let Some((from, Event::Message(_))) = transport.wait(until_ms) {
                assert_eq!(from, handle);
                seen += 1;
            }
            assert_eq!(seen, messages);
            assert!(transport.channels.is_empty(), "the connection has ended");
        }
    }

    #[test]
    fn source_ports_differ() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let mut transport = SystemTransport::default();
        let mut ports = std::collections::HashSet::new();
        for _ in 0..8 {
            transport.open(address, Protocol::Udp, b"query").unwrap();
            let (_, peer) = server.recv_from(&mut [0; 16]).unwrap();
            ports.insert(peer.port());
        }
        assert_eq!(ports.len(), 8);
    }
}
