//! Sockets for queries over UDP, a few of which serve one query after the other.
//!
//! Every query has a port that the kernel draws at random for it (RFC 5452 section 9.2). Making a socket and
//! closing it costs more than sending the query, so a socket whose one reply came is kept, without its port:
//! it is dissolved from the server at once, and the kernel takes the port back, as it drew it itself. From
//! then on nothing can come in. The next query connects it anew, which draws a new port, after a look whether
//! anything came for the old one in the last moment. A socket that saw anything but its one reply is closed.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd as _, RawFd};

use super::sockets::{connect, dissolve, new_socket};
use crate::host::descriptor::Kept;

/// Sockets kept: as many as one lookup uses at a time, A and AAAA, for two address families.
const MAX_IDLE: usize = 4;

/// A query over UDP that is under way.
#[derive(Debug)]
pub(super) struct Datagram {
    socket: Kept<UdpSocket>,
    is_ipv6: bool,
    received: u32,
}

impl Datagram {
    pub(super) fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Sends the query once more.
    ///
    /// # Errors
    /// As of the socket.
    pub(super) fn resend(&self, query: &[u8]) -> io::Result<()> {
        self.socket.send(query).map(|_| ())
    }

    /// Reads a message; the next call sees others that wait with it.
    ///
    /// # Errors
    /// As of the socket; `WouldBlock` when there is none.
    pub(super) fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
        let length = self.socket.recv(buffer)?;
        self.received = self.received.saturating_add(1);
        Ok(buffer.get(..length).unwrap_or_default())
    }

    /// False when the program has closed the socket.
    pub(super) fn is_whole(&self) -> bool {
        self.socket.is_whole()
    }

    /// A socket that is connected to the server and has sent the query. `connect()` also binds the socket, to a port
    /// that the kernel draws from its secure random numbers.
    fn sent(socket: Kept<UdpSocket>, server: SocketAddr, query: &[u8]) -> io::Result<Self> {
        connect(socket.as_raw_fd(), server)?;
        socket.send(query)?;
        Ok(Self {
            socket,
            is_ipv6: server.is_ipv6(),
            received: 0,
        })
    }
}

/// A socket that has neither server nor port.
#[derive(Debug)]
struct Idle {
    socket: Kept<UdpSocket>,
    is_ipv6: bool,
}

/// The sockets that one thread of one process keeps.
#[derive(Debug, Default)]
pub(super) struct Datagrams {
    idle: Vec<Idle>,
    /// The kernel takes ports back; looked at once.
    releases_ports: Option<bool>,
}

impl Datagrams {
    /// Sends a query.
    ///
    /// # Errors
    /// As of the socket.
    pub(super) fn send(&mut self, server: SocketAddr, query: &[u8]) -> io::Result<Datagram> {
        if let Some(socket) = self.take(server.is_ipv6())
            && let Ok(sent) = Datagram::sent(socket, server, query)
        {
            return Ok(sent);
        }
        let socket = new_socket(server, libc::SOCK_DGRAM)?;
        Datagram::sent(Kept::new(socket.into()), server, query)
    }

    /// A kept socket of the family into which nothing came, and which the program has not closed.
    fn take(&mut self, is_ipv6: bool) -> Option<Kept<UdpSocket>> {
        let place = self.idle.iter().rposition(|idle| idle.is_ipv6 == is_ipv6)?;
        let socket = self.idle.swap_remove(place).socket;
        if !socket.is_whole() {
            return None;
        }
        let waiting = socket.recv(&mut [0]);
        matches!(waiting, Err(error) if error.kind() == ErrorKind::WouldBlock).then_some(socket)
    }

    /// Ends a query that was answered, and keeps the socket if it brought nothing but the answer.
    pub(super) fn keep(&mut self, datagram: Datagram) {
        let Datagram {
            socket,
            is_ipv6,
            received,
        } = datagram;
        if received != 1 || self.idle.len() >= MAX_IDLE || self.releases_ports == Some(false) {
            return;
        }
        if dissolve(socket.as_raw_fd()).is_err() {
            return;
        }
        // A kernel that left the socket its port would let all queries have the same.
        let released = *self
            .releases_ports
            .get_or_insert_with(|| socket.local_addr().is_ok_and(|local| local.port() == 0));
        if released {
            self.idle.push(Idle { socket, is_ipv6 });
        }
    }

    /// Number of sockets that are kept.
    #[cfg(test)]
    pub(super) fn idle_count(&self) -> usize {
        self.idle.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn server() -> UdpSocket {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let patience = Some(Duration::from_secs(10));
        server.set_read_timeout(patience).unwrap();
        server
    }

    /// Has a query sent; gives the address that the server saw.
    fn ask(datagrams: &mut Datagrams, server: &UdpSocket) -> (Datagram, SocketAddr) {
        let address = server.local_addr().unwrap();
        let query = datagrams.send(address, b"query").unwrap();
        let (_, from) = server.recv_from(&mut [0; 16]).unwrap();
        (query, from)
    }

    fn receive(query: &mut Datagram) -> Vec<u8> {
        let mut buffer = [0; 16];
        for _ in 0..10_000 {
            match query.receive(&mut buffer) {
                Ok(message) => return message.to_vec(),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("no message");
    }

    #[test]
    fn one_socket_serves_queries_from_ports_of_their_own() {
        let (mut datagrams, server) = (Datagrams::default(), server());
        let mut ports = std::collections::HashSet::new();
        let mut first = None;
        for _ in 0..16 {
            let (mut query, from) = ask(&mut datagrams, &server);
            assert_eq!(*first.get_or_insert(query.fd()), query.fd());
            ports.insert(from.port());
            server.send_to(b"reply", from).unwrap();
            assert_eq!(receive(&mut query), b"reply");
            datagrams.keep(query);
            assert_eq!(datagrams.idle_count(), 1);
        }
        // Two may be the same by chance, out of some 28,000.
        assert!(ports.len() >= 14, "{ports:?}");
    }

    #[test]
    fn a_kept_socket_has_no_port() {
        let (mut datagrams, server) = (Datagrams::default(), server());
        let (mut query, from) = ask(&mut datagrams, &server);
        server.send_to(b"reply", from).unwrap();
        receive(&mut query);
        datagrams.keep(query);
        let local = datagrams.idle[0].socket.local_addr().unwrap();
        assert_eq!(local.port(), 0);
    }

    #[test]
    fn what_comes_for_an_old_port_is_not_seen_by_the_next_query() {
        let (mut datagrams, server) = (Datagrams::default(), server());
        // Waits already when the query ends.
        let (mut query, from) = ask(&mut datagrams, &server);
        server.send_to(b"reply", from).unwrap();
        server.send_to(b"early", from).unwrap();
        assert_eq!(receive(&mut query), b"reply");
        datagrams.keep(query);
        let (mut query, next) = ask(&mut datagrams, &server);
        server.send_to(b"reply", next).unwrap();
        assert_eq!(receive(&mut query), b"reply");
        datagrams.keep(query);
        // Comes when the next query is under way, from a socket that was kept.
        let (mut query, from) = ask(&mut datagrams, &server);
        assert!(datagrams.idle.is_empty());
        let _ = server.send_to(b"late", next);
        server.send_to(b"reply", from).unwrap();
        assert_eq!(receive(&mut query), b"reply");
        let mut buffer = [0; 16];
        let nothing = query.receive(&mut buffer);
        assert!(nothing.is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
    }

    #[test]
    fn sockets_that_saw_no_reply_or_several_are_not_kept() {
        let (mut datagrams, server) = (Datagrams::default(), server());
        let (query, _) = ask(&mut datagrams, &server);
        datagrams.keep(query);
        assert_eq!(datagrams.idle_count(), 0);
        let (mut query, from) = ask(&mut datagrams, &server);
        for _ in 0..2 {
            server.send_to(b"reply", from).unwrap();
            receive(&mut query);
        }
        datagrams.keep(query);
        assert_eq!(datagrams.idle_count(), 0);
    }

    #[test]
    fn no_more_than_a_few_are_kept() {
        let (mut datagrams, server) = (Datagrams::default(), server());
        let mut queries: Vec<_> = (0..2 * MAX_IDLE)
            .map(|_| ask(&mut datagrams, &server))
            .collect();
        for (query, from) in &mut queries {
            server.send_to(b"reply", *from).unwrap();
            receive(query);
        }
        for (query, _) in queries {
            datagrams.keep(query);
        }
        assert_eq!(datagrams.idle_count(), MAX_IDLE);
    }

    #[test]
    fn a_socket_serves_its_own_address_family() {
        let mut datagrams = Datagrams::default();
        let Ok(ipv6) = UdpSocket::bind("[::1]:0") else {
            return; // a host without it
        };
        for server in [&server(), &ipv6, &server(), &ipv6] {
            let (mut query, from) = ask(&mut datagrams, server);
            server.send_to(b"reply", from).unwrap();
            assert_eq!(receive(&mut query), b"reply");
            datagrams.keep(query);
        }
        assert_eq!(datagrams.idle_count(), 2);
    }
}
