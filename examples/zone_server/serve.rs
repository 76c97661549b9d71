//! Zones on sockets, a line in the log for each query. The sockets are those of the tests' nameserver, which needs nothing
//! but the standard library either.

use std::fs::File;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::answer::{Reply, answer, rcode};
use crate::net::loopback;
use crate::net::script::{Scripted, What};
use crate::record::type_name;
use crate::wire::{read_query, udp_limit, write_reply};
use crate::zone::Zone;

/// Serves for as long as it lives.
pub(crate) struct Server(loopback::Server);

impl Server {
    /// Starts on UDP and TCP of the address; port 0 takes one that is free for both.
    pub(crate) fn start(
        address: SocketAddr,
        zones: Vec<Zone>,
        log: Option<File>,
    ) -> io::Result<Self> {
        let zones = Zones {
            zones,
            log: log.map(Mutex::new),
        };
        let zones = Arc::new(zones);
        let script = Scripted::default();
        script.take_no_notes().take_probes_as_questions();
        script.answer_with(move |message, is_tcp| {
            let reply = zones.reply(message, is_tcp);
            reply
                .map(|octets| (0, What::Message(octets)))
                .into_iter()
                .collect()
        });
        script.end_silent_tcp();
        loopback::Server::serve(script, address).map(Self)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address()
    }
}

/// The zones and the log.
struct Zones {
    zones: Vec<Zone>,
    log: Option<Mutex<File>>,
}

impl Zones {
    /// The reply to a message, logged before it is sent: who has the reply can count on the line.
    fn reply(&self, message: &[u8], is_tcp: bool) -> Option<Vec<u8>> {
        let query = read_query(message)?;
        let (transport, limit) = if is_tcp {
            ("tcp", usize::from(u16::MAX))
        } else {
            ("udp", udp_limit(&query))
        };
        let reply = match query.refusal {
            Some(code) => Reply::error(code),
            None => answer(&self.zones, &query.qname, query.qtype),
        };
        let octets = write_reply(&query, &reply, limit);
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
    use std::io::Read as _;
    use std::net::{TcpStream, UdpSocket};
    use std::time::Duration;

    use super::*;

    #[test]
    fn answers_over_udp_and_tcp_and_survives_garbage() {
        let zone =
            "$ORIGIN example.org.\n$TTL 1\n@ SOA n h 1 2 3 4 5\n$GENERATE 1-60 b A 192.0.2.$";
        let zones = crate::zone::parse(zone.as_bytes()).unwrap();
        let server = Server::start("127.0.0.1:0".parse().unwrap(), zones, None).unwrap();
        let address = server.address();
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
