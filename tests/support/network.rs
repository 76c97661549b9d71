//! A network without sockets and time: servers that answer, are slow or silent, and a clock that only
//! moves when somebody waits.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;

use kamailio_dns::resolver::{
    Event, Handle, Outcome, Protocol, Question, Transport, query, query_all, with_transport,
};
use kamailio_dns::rr::RecordType;

/// What a server does with queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// An address after so many ms.
    Answers(u64),
    /// The same, and that is the way to it: the probe takes as long.
    Far(u64),
    /// SERVFAIL after so many ms.
    Fails(u64),
    /// Nothing.
    Silent,
    /// Answers, but for names that begin with `slow`.
    SilentForSlow(u64),
    /// TC after so many ms, and connections are refused.
    NoTcp(u64),
    /// "Port unreachable" after so many ms.
    Closed(u64),
    /// It cannot be sent to.
    Unsendable,
}

/// A query that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub at_ms: u64,
    pub server: SocketAddr,
    pub protocol: Protocol,
    pub octets: Vec<u8>,
    /// The query that it was sent for; more than one packet of one query have the same.
    pub handle: Handle,
    /// It was sent before, from the same port.
    pub again: bool,
}

/// The longest that a server takes which answers the probe, ms.
const PROBE_MS: u64 = 20;

/// Gives the reply to a query, or none.
type Script = Box<dyn FnMut(&[u8], Protocol) -> Option<Vec<u8>>>;
type Interruption = (u64, Box<dyn FnOnce()>);

#[derive(Default)]
struct World {
    now_ms: u64,
    servers: HashMap<SocketAddr, Manner>,
    scripts: HashMap<SocketAddr, Script>,
    /// Replies that come besides those of `scripts`, after so many ms.
    seconds: HashMap<SocketAddr, (u64, Script)>,
    without_tcp: Vec<SocketAddr>,
    /// Servers that end a TCP connection on which they have nothing to say.
    ends_tcp: Vec<SocketAddr>,
    sent: Vec<Sent>,
    /// Probes that were sent.
    probes: Vec<Sent>,
    /// Servers that live and do not answer the probe.
    mute: Vec<SocketAddr>,
    /// Packets that get lost yet.
    losing: u32,
    losing_probes: u32,
    open: Vec<Handle>,
    open_queries: HashMap<Handle, (SocketAddr, Protocol)>,
    coming: Vec<(u64, Handle, Event)>,
    interruption: Option<Interruption>,
}

/// The network; clones are the same one.
#[derive(Clone, Default)]
pub struct Network(Rc<RefCell<World>>);

impl Network {
    /// The servers by address and port.
    pub fn new(servers: &[(&str, Manner)]) -> Self {
        let network = Self::default();
        for (address, manner) in servers {
            network.set(address, *manner);
        }
        network
    }

    /// Changes the manner of a server.
    pub fn set(&self, address: &str, manner: Manner) {
        let address = address.parse().expect("address and port");
        self.0.borrow_mut().servers.insert(address, manner);
    }

    /// Makes a server reply, after 1 ms, with what `script` says.
    pub fn script(
        &self,
        address: &str,
        script: impl FnMut(&[u8], Protocol) -> Option<Vec<u8>> + 'static,
    ) {
        let address = address.parse().expect("address and port");
        let scripts = &mut self.0.borrow_mut().scripts;
        scripts.insert(address, Box::new(script));
    }

    /// Makes a server reply once more to each query, after so many ms.
    pub fn also(
        &self,
        address: &str,
        after_ms: u64,
        script: impl FnMut(&[u8], Protocol) -> Option<Vec<u8>> + 'static,
    ) {
        let address = address.parse().expect("address and port");
        let seconds = &mut self.0.borrow_mut().seconds;
        seconds.insert(address, (after_ms, Box::new(script)));
    }

    /// Makes a server end each TCP connection without a word.
    pub fn closes_tcp(&self, address: &str) {
        let address = address.parse().expect("address and port");
        self.0.borrow_mut().without_tcp.push(address);
    }

    /// Makes a server end a TCP connection when its script gives no reply.
    pub fn ends_silent_tcp(&self, address: &str) {
        let address = address.parse().expect("address and port");
        self.0.borrow_mut().ends_tcp.push(address);
    }

    /// Lets time pass.
    pub fn sleep(&self, ms: u64) {
        self.0.borrow_mut().now_ms += ms;
    }

    /// Does something when somebody waits and the clock reaches `at_ms`.
    pub fn interrupt(&self, at_ms: u64, act: impl FnOnce() + 'static) {
        self.0.borrow_mut().interruption = Some((at_ms, Box::new(act)));
    }

    pub fn now_ms(&self) -> u64 {
        self.0.borrow().now_ms
    }

    /// Makes a server not answer the probe.
    pub fn mute(&self, address: &str) {
        let address = address.parse().expect("address and port");
        self.0.borrow_mut().mute.push(address);
    }

    /// Last octets of the servers that were sent the probe since the last call, with the times in ms.
    pub fn take_probes(&self) -> Vec<(u64, u8)> {
        let probes = std::mem::take(&mut self.0.borrow_mut().probes);
        let seen = probes.iter().map(|s| (s.at_ms, last_octet(&s.server)));
        seen.collect()
    }

    /// Loses the next probes on their way to a server.
    pub fn lose_probes(&self, packets: u32) {
        self.0.borrow_mut().losing_probes = packets;
    }

    /// Loses the next packets on their way to a server, but no probes.
    pub fn lose(&self, packets: u32) {
        self.0.borrow_mut().losing = packets;
    }

    /// Last octets of the servers that were sent to since the last call, with the times in ms; without packets that
    /// were sent again from the same port.
    pub fn take_sent(&self) -> Vec<(u64, u8)> {
        let sent = std::mem::take(&mut self.0.borrow_mut().sent);
        sent.iter()
            .filter(|s| !s.again)
            .map(|s| (s.at_ms, last_octet(&s.server)))
            .collect()
    }

    /// The queries that were sent since the last call.
    pub fn take_queries(&self) -> Vec<Sent> {
        std::mem::take(&mut self.0.borrow_mut().sent)
    }

    /// Number of queries that are open.
    pub fn open(&self) -> usize {
        self.0.borrow().open.len()
    }

    /// Runs `work` with all queries of this thread going through this network.
    pub fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        let result = with_transport(Box::new(self.clone()), work);
        assert_eq!(self.open(), 0, "every query was closed in the end");
        result
    }
}

/// Asks for the addresses of a name, within [`Network::run`].
pub fn ask(name: &str) -> Outcome {
    ask_until(name, None)
}

pub fn ask_until(name: &str, deadline_ms: Option<u64>) -> Outcome {
    let question = Question {
        qname: name.as_bytes(),
        qtype: RecordType::A,
    };
    query(&question, deadline_ms)
}

pub fn ask_all(names: &[&str]) -> Vec<Outcome> {
    let question = |name: &&'static str| Question {
        qname: name.as_bytes(),
        qtype: RecordType::A,
    };
    let names: Vec<&'static str> = names.iter().map(|n| &*n.to_string().leak()).collect();
    let questions: Vec<Question<'_>> = names.iter().map(question).collect();
    query_all(&questions, None)
}

pub fn last_octet(server: &SocketAddr) -> u8 {
    match server {
        SocketAddr::V4(v4) => v4.ip().octets()[3],
        SocketAddr::V6(v6) => v6.ip().octets()[15],
    }
}

/// True for the question whether a server lives: `localhost A` without RD.
pub fn is_probe(query: &[u8]) -> bool {
    query.get(2) == Some(&0) && query.get(12..) == Some(b"\x09localhost\x00\x00\x01\x00\x01")
}

/// End of the question section.
pub fn question_end(query: &[u8]) -> usize {
    let mut at = 12;
    while query[at] != 0 {
        at += usize::from(query[at]) + 1;
    }
    at + 5
}

/// A reply to a query: its header and question, these flags, and perhaps one address.
pub fn reply(query: &[u8], flags: u16, with_address: bool) -> Vec<u8> {
    let mut out = query[..question_end(query)].to_vec();
    out[2..4].copy_from_slice(&flags.to_be_bytes());
    out[6..12].copy_from_slice(&[0, u8::from(with_address), 0, 0, 0, 0]);
    if with_address {
        out.extend(b"\xC0\x0C\x00\x01\x00\x01\x00\x00\x00\x3C\x00\x04\xC0\x00\x02\x01");
    }
    out
}

impl World {
    /// A server that lives answers the probe by itself, however long it takes to find a name.
    fn receive_probe(&mut self, packet: &Sent, manner: Manner) {
        if self.losing_probes > 0 {
            self.losing_probes -= 1;
            return;
        }
        let after_ms = match manner {
            _ if self.mute.contains(&packet.server) => return,
            _ if self.scripts.contains_key(&packet.server) => 1,
            Manner::Silent | Manner::Unsendable => return,
            Manner::Closed(ms) => {
                let notice = (packet.at_ms + ms, packet.handle, Event::Failed);
                return self.coming.push(notice);
            }
            Manner::Far(ms) => ms,
            Manner::Fails(ms)
            | Manner::Answers(ms)
            | Manner::SilentForSlow(ms)
            | Manner::NoTcp(ms) => ms.min(PROBE_MS),
        };
        let answer = Event::Message(reply(&packet.octets, 0x8005, false));
        let coming = (packet.at_ms + after_ms, packet.handle, answer);
        self.coming.push(coming);
    }

    /// What a server does with a packet; false if it cannot be sent.
    fn receive(&mut self, packet: Sent) -> bool {
        let Sent {
            at_ms,
            server,
            protocol,
            handle,
            ..
        } = packet;
        self.open_queries.insert(handle, (server, protocol));
        let is_probe = is_probe(&packet.octets);
        if is_probe {
            self.probes.push(packet.clone());
        } else {
            self.sent.push(packet.clone());
        }
        let query = &packet.octets[..];
        let manner = self.servers.get(&server).copied().unwrap_or(Manner::Silent);
        if manner == Manner::Unsendable {
            return false;
        }
        if is_probe {
            self.receive_probe(&packet, manner);
            return true;
        }
        if self.losing > 0 {
            self.losing -= 1;
            return true;
        }
        let label = query.get(13..17).unwrap_or_default();
        let slow = label.eq_ignore_ascii_case(b"slow");
        let (after_ms, event) = match manner {
            Manner::Closed(ms) => (ms, Some(Event::Failed)),
            Manner::Fails(ms) => (ms, Some(Event::Message(reply(query, 0x8182, false)))),
            Manner::Answers(ms) | Manner::Far(ms) => {
                (ms, Some(Event::Message(reply(query, 0x8180, true))))
            }
            Manner::SilentForSlow(ms) if !slow => {
                (ms, Some(Event::Message(reply(query, 0x8180, true))))
            }
            Manner::NoTcp(ms) if protocol == Protocol::Udp => {
                (ms, Some(Event::Message(reply(query, 0x8380, false))))
            }
            Manner::NoTcp(ms) => (ms, Some(Event::Failed)),
            Manner::Silent | Manner::SilentForSlow(_) | Manner::Unsendable => (0, None),
        };
        let closes = protocol == Protocol::Tcp && self.without_tcp.contains(&server);
        if let Some((after_ms, script)) = self.seconds.get_mut(&server)
            && let Some(message) = script(query, protocol)
        {
            let coming = (at_ms + *after_ms, handle, Event::Message(message));
            self.coming.push(coming);
        }
        let (after_ms, event) = match self.scripts.get_mut(&server) {
            _ if closes => (1, Some(Event::Failed)),
            Some(script) => {
                let event = script(query, protocol).map(Event::Message);
                let ends = protocol == Protocol::Tcp && self.ends_tcp.contains(&server);
                (1, event.or(ends.then_some(Event::Failed)))
            }
            None => (after_ms, event),
        };
        if let Some(event) = event {
            self.coming.push((at_ms + after_ms, handle, event));
        }
        true
    }
}

impl Transport for Network {
    fn now_ms(&self) -> u64 {
        self.0.borrow().now_ms
    }

    fn open(&mut self, server: SocketAddr, protocol: Protocol, query: &[u8]) -> Option<Handle> {
        let world = &mut *self.0.borrow_mut();
        static HANDLES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let handle = Handle(HANDLES.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let sent = Sent {
            at_ms: world.now_ms,
            server,
            protocol,
            octets: query.to_vec(),
            handle,
            again: false,
        };
        world.open.push(handle);
        if world.receive(sent) {
            return Some(handle);
        }
        world.open.pop();
        None
    }

    fn resend(&mut self, handle: Handle, query: &[u8]) -> bool {
        let world = &mut *self.0.borrow_mut();
        let Some((server, protocol)) = world.open_queries.get(&handle).copied() else {
            panic!("not open: {handle:?}");
        };
        let sent = Sent {
            at_ms: world.now_ms,
            server,
            protocol,
            octets: query.to_vec(),
            handle,
            again: true,
        };
        world.receive(sent)
    }

    fn close(&mut self, handle: Handle) {
        let world = &mut *self.0.borrow_mut();
        world.open.retain(|open| *open != handle);
        world.coming.retain(|(_, owner, _)| *owner != handle);
    }

    fn wait(&mut self, until_ms: u64) -> Option<(Handle, Event)> {
        let mut world = self.0.borrow_mut();
        if world
            .interruption
            .as_ref()
            .is_some_and(|(at_ms, _)| *at_ms <= until_ms)
        {
            let (at_ms, act) = world.interruption.take()?;
            world.now_ms = world.now_ms.max(at_ms);
            drop(world);
            act();
            return None;
        }
        let next = (0..world.coming.len()).min_by_key(|&i| world.coming[i].0);
        match next.filter(|&i| world.coming[i].0 <= until_ms.max(world.now_ms)) {
            Some(index) => {
                let (at_ms, handle, event) = world.coming.remove(index);
                world.now_ms = world.now_ms.max(at_ms);
                Some((handle, event))
            }
            None => {
                world.now_ms = world.now_ms.max(until_ms);
                None
            }
        }
    }
}
