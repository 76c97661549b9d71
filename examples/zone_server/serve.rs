//! Sockets: UDP and TCP on one port, a line in the log for each query.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::answer::{Reply, answer, rcode};
use crate::record::type_name;
use crate::wire::{Query, read_query, udp_limit, write_reply};
use crate::zone::Zone;

/// TCP connections served at once; further ones are closed.
const MAX_CONNECTIONS: usize = 32;
/// How long a TCP connection may be idle.
const IDLE: Duration = Duration::from_secs(5);
/// How often a free port is looked for that UDP and TCP can share.
const PORT_ATTEMPTS: usize = 20;

/// The sockets, the zones and the log.
pub(crate) struct Server {
    udp: UdpSocket,
    tcp: TcpListener,
    zones: Vec<Zone>,
    log: Option<Mutex<File>>,
    connections: AtomicUsize,
}

impl Server {
    /// Binds UDP and TCP to the address; port 0 takes one that is free for both.
    pub(crate) fn bind(
        address: SocketAddr,
        zones: Vec<Zone>,
        log: Option<File>,
    ) -> io::Result<Self> {
        let mut attempts = 0;
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind(address)?;
            match TcpListener::bind(udp.local_addr()?) {
                Ok(tcp) => break (udp, tcp),
                Err(error) if address.port() != 0 || attempts == PORT_ATTEMPTS => {
                    return Err(error);
                }
                Err(_) => attempts += 1,
            }
        };
        Ok(Self {
            udp,
            tcp,
            zones,
            log: log.map(Mutex::new),
            connections: AtomicUsize::new(0),
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    /// Starts the threads that serve; they end with the process.
    pub(crate) fn start(self) {
        let server = Arc::new(self);
        let udp = Arc::clone(&server);
        std::thread::spawn(move || udp.serve_udp());
        std::thread::spawn(move || serve_tcp(&server));
    }

    fn serve_udp(&self) {
        let mut buffer = [0; 4096];
        loop {
            // An error here is a stray ICMP message about an earlier reply: go on.
            let Ok((length, client)) = self.udp.recv_from(&mut buffer) else {
                continue;
            };
            let message = buffer.get(..length).unwrap_or_default();
            if let Some(reply) = self.reply("udp", message, udp_limit) {
                // A reply that cannot be sent is lost, as replies may be.
                let _ = self.udp.send_to(&reply, client);
            }
        }
    }

    fn serve_connection(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(IDLE))?;
        stream.set_write_timeout(Some(IDLE))?;
        loop {
            let mut length = [0; 2];
            stream.read_exact(&mut length)?;
            let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut message)?;
            let Some(reply) = self.reply("tcp", &message, |_| usize::from(u16::MAX)) else {
                return Ok(());
            };
            let mut framed = (reply.len() as u16).to_be_bytes().to_vec();
            framed.extend(reply);
            stream.write_all(&framed)?;
        }
    }

    /// The reply to a message, logged before it is sent: who has the reply can count on the line.
    fn reply(
        &self,
        transport: &str,
        message: &[u8],
        limit: impl Fn(&Query) -> usize,
    ) -> Option<Vec<u8>> {
        let query = read_query(message)?;
        let reply = match query.refusal {
            Some(code) => Reply::error(code),
            None => answer(&self.zones, &query.qname, query.qtype),
        };
        let octets = write_reply(&query, &reply, limit(&query));
        let truncated = octets.get(2).is_some_and(|flags| flags & 0x02 != 0);
        self.log(&format!(
            "{transport} {} {} {} answers={}{}\n",
            query.qname,
            type_name(query.qtype),
            code_name(reply.rcode),
            reply.answers.len(),
            if truncated { " truncated" } else { "" },
        ));
        Some(octets)
    }

    fn log(&self, line: &str) {
        if let Some(file) = &self.log {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            // One write for the whole line; a full disk must not stop the service.
            let _ = file.write_all(line.as_bytes());
        }
    }
}

fn serve_tcp(server: &Arc<Server>) {
    for stream in server.tcp.incoming() {
        let Ok(stream) = stream else { continue };
        if server.connections.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTIONS {
            server.connections.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let server = Arc::clone(server);
        std::thread::spawn(move || {
            // The end of a connection, by timeout or otherwise, is nothing to report.
            let _ = server.serve_connection(stream);
            server.connections.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

fn code_name(code: u16) -> String {
    match code {
        rcode::NOERROR => "NOERROR".to_owned(),
        rcode::FORMERR => "FORMERR".to_owned(),
        rcode::NXDOMAIN => "NXDOMAIN".to_owned(),
        rcode::NOTIMP => "NOTIMP".to_owned(),
        rcode::REFUSED => "REFUSED".to_owned(),
        rcode::BADVERS => "BADVERS".to_owned(),
        other => format!("RCODE{other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_over_udp_and_tcp_and_survives_garbage() {
        let zone =
            "$ORIGIN example.org.\n$TTL 1\n@ SOA n h 1 2 3 4 5\n$GENERATE 1-60 b A 192.0.2.$";
        let zones = crate::zone::parse(zone.as_bytes()).unwrap();
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), zones, None).unwrap();
        let address = server.address().unwrap();
        server.start();
        let query = b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01b\x07example\x03org\0\0\x01\0\x01";

        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        for garbage in [&b""[..], b"x", &[0xff; 40], &query[..20]] {
            udp.send_to(garbage, address).unwrap();
        }
        udp.send_to(query, address).unwrap();
        let mut buffer = [0; 600];
        loop {
            let length = udp.recv(&mut buffer).unwrap();
            // The cut query gets FORMERR first.
            if length > 12 {
                assert_eq!(buffer[..4], [0, 7, 0x87, 0]);
                break;
            }
        }

        let mut tcp = TcpStream::connect(address).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut framed = (query.len() as u16).to_be_bytes().to_vec();
        framed.extend(query);
        for _ in 0..2 {
            tcp.write_all(&framed).unwrap();
            let mut length = [0; 2];
            tcp.read_exact(&mut length).unwrap();
            let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
            tcp.read_exact(&mut reply).unwrap();
            assert_eq!(reply[..8], [0, 7, 0x85, 0, 0, 1, 0, 60]);
        }
    }
}
