//! A query under way on a socket of its own, over UDP or TCP, without waiting.
//!
//! Every query has a socket for itself, with a port that the kernel draws at random for it and connected to
//! the server, so that the kernel drops what comes from elsewhere (RFC 5452 section 9). Two queries never
//! share a port, not even A and AAAA of one name: address translators lose one of two packets that open
//! a flow at the same moment. A socket may serve another query after its own was answered, with another
//! port: see [`super::datagrams`].

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd as _, RawFd};

use super::datagrams::{Datagram, Datagrams};
use super::sockets::{connect, new_socket};
use super::transport::{Event, Handle, MAX_MESSAGE_OCTETS, Protocol};
use crate::host::descriptor::Kept;

/// Most messages read of one TCP connection: as over UDP, a few that do not fit are borne with.
const MAX_TCP_MESSAGES: u32 = 16;
/// Octets read of one TCP connection: the longest reply, with its length, and once more as much that is none. Whoever
/// sends more is not answering, and must not keep anybody reading.
const MAX_TCP_OCTETS: usize = 2 * (MAX_MESSAGE_OCTETS + 2);

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
    stream: Kept<TcpStream>,
    /// The query with its length in front, and how much of it was sent.
    outgoing: Vec<u8>,
    sent: usize,
    incoming: Vec<u8>,
    /// Messages and octets that came so far.
    messages: u32,
    octets: usize,
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

    /// As [`Transport::resend`](super::transport::Transport::resend).
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

    /// The socket, and the events to wait for.
    pub(super) fn interest(&self) -> libc::pollfd {
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

    /// False when the program has closed the socket.
    pub(super) fn is_whole(&self) -> bool {
        match &self.socket {
            Socket::Udp(datagram) => datagram.is_whole(),
            Socket::Tcp(connection) => connection.stream.is_whole(),
        }
    }

    /// The socket of a query over UDP.
    pub(super) fn into_datagram(self) -> Option<Datagram> {
        match self.socket {
            Socket::Udp(datagram) => Some(datagram),
            Socket::Tcp(_) => None,
        }
    }
}

impl Connection {
    fn open(server: SocketAddr, query: &[u8]) -> io::Result<Self> {
        let length = u16::try_from(query.len()).map_err(|_| ErrorKind::InvalidInput)?;
        Ok(Self {
            stream: Kept::new(connect_without_waiting(server)?),
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
        // No port is free for a datagram socket, or no room for a datagram.
        libc::EAGAIN,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_want_of_ports_or_room_is_no_fault_of_the_server() {
        for number in [libc::EAGAIN, libc::EMFILE, libc::ENOBUFS] {
            assert!(is_ours(&io::Error::from_raw_os_error(number)), "{number}");
        }
        for number in [libc::ENETUNREACH, libc::ECONNREFUSED, libc::EPERM] {
            assert!(!is_ours(&io::Error::from_raw_os_error(number)), "{number}");
        }
    }
}
