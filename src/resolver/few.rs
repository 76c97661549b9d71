//! The real network, for the few queries of one lookup: all sockets are waited for with one `poll()`. For many queries
//! there is [`super::many`].

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::SocketAddr;

use super::channel::{Channel, is_ours};
use super::datagrams::Datagrams;
use super::transport::{Event, Handle, MAX_MESSAGE_OCTETS, Protocol, Transport};
use crate::host::clock;
use crate::host::poll::poll;

/// The real network.
#[derive(Debug, Default)]
pub(super) struct FewSockets {
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

impl Transport for FewSockets {
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

    fn look_after_descriptors(&mut self) {
        if self.channels.is_empty() {
            return;
        }
        let gone = self.channels.extract_if(.., |channel| !channel.is_whole());
        self.ready.extend(gone.map(|c| (c.handle, Event::Failed)));
    }

    fn close(&mut self, handle: Handle) {
        self.channels.retain(|channel| channel.handle != handle);
        self.ready.retain(|(owner, _)| *owner != handle);
    }

    fn finish(&mut self, handle: Handle) {
        let place = self.channels.iter().position(|c| c.handle == handle);
        let channel = place.map(|place| self.channels.swap_remove(place));
        if let Some(datagram) = channel.and_then(Channel::into_datagram) {
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

impl FewSockets {
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn closed_port_is_reported_and_not_waited_for() {
        // A port that was just free: bound, looked at, and closed again.
        let address = UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let mut transport = FewSockets::default();
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
            let mut transport = FewSockets::default();
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
        let mut transport = FewSockets::default();
        let mut ports = std::collections::HashSet::new();
        for _ in 0..8 {
            transport.open(address, Protocol::Udp, b"query").unwrap();
            let (_, peer) = server.recv_from(&mut [0; 16]).unwrap();
            ports.insert(peer.port());
        }
        assert_eq!(ports.len(), 8);
    }
}
