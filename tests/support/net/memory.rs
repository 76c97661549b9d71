//! A network without sockets: scripted servers at any address, and a clock that only moves when somebody waits. (Where a
//! test has more than one client and moves the clock itself, see `director.rs`.)

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use kamailio_dns::resolver::{
    Event, Handle, Outcome, Protocol, Question, Transport, query, query_all, with_transport,
};
use kamailio_dns::rr::RecordType;

use super::director::Stage;
pub use super::query::{is_probe, question_end, reply};
pub use super::script::Manner;
use super::script::{Course, Deed, Scripted, What};
use super::text::Scene;

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

/// A query that was not given up.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) handle: Handle,
    pub(super) client: usize,
    pub(super) server: SocketAddr,
    pub(super) protocol: Protocol,
}

type Interruption = (u64, Box<dyn FnOnce() + Send>);

#[derive(Default)]
pub(super) struct World {
    pub(super) now_ms: u64,
    servers: HashMap<SocketAddr, Scripted>,
    sent: Vec<Sent>,
    /// Probes that were sent.
    probes: Vec<Sent>,
    /// Packets that get lost yet.
    losing: u32,
    losing_probes: u32,
    no_resends: bool,
    pub(super) open: Vec<Open>,
    pub(super) coming: Vec<(u64, Handle, Event)>,
    /// What comes when the server has had so many queries.
    held: Vec<(SocketAddr, usize, Handle, Vec<Deed>)>,
    interruption: Option<Interruption>,
    /// There when a director says what happens.
    pub(super) stage: Option<Stage>,
}

#[derive(Default)]
pub(super) struct Shared {
    pub(super) world: Mutex<World>,
    pub(super) changed: Condvar,
}

/// The network, as one of its clients sees it; clones are the same client.
#[derive(Clone, Default)]
pub struct Network {
    pub(super) shared: Arc<Shared>,
    pub(super) client: usize,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "client {} of a network in memory", self.client)
    }
}

fn parsed(address: &str) -> SocketAddr {
    address.parse().expect("address and port")
}

impl Network {
    /// The servers by address and port.
    pub fn new(servers: &[(&str, Manner)]) -> Self {
        let network = Self::default();
        for (address, manner) in servers {
            network.set(address, *manner);
        }
        network
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        // A client that panicked has failed its test already.
        let locked = self.shared.world.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    /// The server at an address; a new one has no records yet.
    pub fn server(&self, address: &str) -> Scripted {
        let servers = &mut self.world().servers;
        servers.entry(parsed(address)).or_default().clone()
    }

    /// Puts a server at an address.
    pub fn place(&self, address: &str, server: &Scripted) {
        let servers = &mut self.world().servers;
        servers.insert(parsed(address), server.clone());
    }

    /// Changes the manner of a server.
    pub fn set(&self, address: &str, manner: Manner) {
        self.server(address).manner(manner);
    }

    /// Makes a server reply, after 1 ms, with what `script` says.
    pub fn script(
        &self,
        address: &str,
        script: impl FnMut(&[u8], Protocol) -> Option<Vec<u8>> + Send + 'static,
    ) {
        self.server(address).answer_with(after(1, script));
    }

    /// Makes a server reply once more to each query, after so many ms.
    pub fn also(
        &self,
        address: &str,
        after_ms: u64,
        script: impl FnMut(&[u8], Protocol) -> Option<Vec<u8>> + Send + 'static,
    ) {
        self.server(address).besides(after(after_ms, script));
    }

    /// Makes a server refuse TCP connections at once, as this host's kernel does for one that stands here.
    pub fn refuses_tcp(&self, address: &str) {
        self.server(address).refuse_tcp();
    }

    /// Makes a server end each TCP connection without a word.
    pub fn closes_tcp(&self, address: &str) {
        self.server(address).close_tcp();
    }

    /// Makes a server end a TCP connection when its script gives no reply.
    pub fn ends_silent_tcp(&self, address: &str) {
        self.server(address).end_silent_tcp();
    }

    /// Lets time pass.
    pub fn sleep(&self, ms: u64) {
        self.world().now_ms += ms;
    }

    /// Does something when somebody waits and the clock reaches `at_ms`.
    pub fn interrupt(&self, at_ms: u64, act: impl FnOnce() + Send + 'static) {
        self.world().interruption = Some((at_ms, Box::new(act)));
    }

    pub fn now_ms(&self) -> u64 {
        self.world().now_ms
    }

    /// Makes a server not answer the probe.
    pub fn mute(&self, address: &str) {
        self.server(address).ignore_probes();
    }

    /// Last octets of the servers that were sent the probe since the last call, with the times in ms.
    pub fn take_probes(&self) -> Vec<(u64, u8)> {
        let probes = std::mem::take(&mut self.world().probes);
        let seen = probes.iter().map(|s| (s.at_ms, last_octet(&s.server)));
        seen.collect()
    }

    /// Loses the next probes on their way to a server.
    pub fn lose_probes(&self, packets: u32) {
        self.world().losing_probes = packets;
    }

    /// Loses the next packets on their way to a server, but no probes.
    pub fn lose(&self, packets: u32) {
        self.world().losing = packets;
    }

    /// Nothing can be sent again from the same port.
    pub fn refuse_resends(&self) {
        self.world().no_resends = true;
    }

    /// Last octets of the servers that were sent to since the last call, with the times in ms; without packets that
    /// were sent again from the same port.
    pub fn take_sent(&self) -> Vec<(u64, u8)> {
        let sent = self.take_queries();
        sent.iter()
            .filter(|s| !s.again)
            .map(|s| (s.at_ms, last_octet(&s.server)))
            .collect()
    }

    /// The queries that were sent since the last call.
    pub fn take_queries(&self) -> Vec<Sent> {
        std::mem::take(&mut self.world().sent)
    }

    /// Number of queries that are open.
    pub fn open(&self) -> usize {
        self.world().open.len()
    }

    /// Runs `work` with all queries of this thread going through this network.
    pub fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        let result = with_transport(Box::new(self.clone()), work);
        assert_eq!(self.open(), 0, "every query was closed in the end");
        result
    }

    fn sent(&self, at_ms: u64, query: &Open, octets: &[u8], again: bool) -> Sent {
        Sent {
            at_ms,
            server: query.server,
            protocol: query.protocol,
            octets: octets.to_vec(),
            handle: query.handle,
            again,
        }
    }
}

impl Scene {
    /// The servers in memory, and what `dns_nameservers` has to be.
    pub fn in_memory(&self) -> (Network, String) {
        let network = Network::default();
        let mut addresses = Vec::new();
        for (number, actor) in self.actors.iter().enumerate() {
            let own = SocketAddr::from(([192, 0, 2, number as u8 + 1], 53));
            let address = actor.address.unwrap_or(own).to_string();
            network.place(&address, &actor.script);
            addresses.push(address);
        }
        (network, addresses.join(" "))
    }
}

/// A function for what comes back, all of it after so many ms.
fn after(
    ms: u64,
    mut script: impl FnMut(&[u8], Protocol) -> Option<Vec<u8>> + Send + 'static,
) -> impl FnMut(&[u8], bool) -> Vec<Deed> + Send + 'static {
    move |query, tcp| {
        let protocol = if tcp { Protocol::Tcp } else { Protocol::Udp };
        let message = script(query, protocol).map(|octets| (ms, What::Message(octets)));
        message.into_iter().collect()
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

impl World {
    /// What becomes of a packet; false if it cannot be sent.
    fn receive(&mut self, packet: &Sent) -> bool {
        let is_probe = is_probe(&packet.octets);
        let log = if is_probe {
            &mut self.probes
        } else {
            &mut self.sent
        };
        log.push(packet.clone());
        let losing = if is_probe {
            &mut self.losing_probes
        } else {
            &mut self.losing
        };
        if *losing > 0 {
            *losing -= 1;
            return true;
        }
        let Some(server) = self.servers.get(&packet.server).cloned() else {
            return true;
        };
        let is_tcp = packet.protocol == Protocol::Tcp;
        let mut state = server.lock();
        let Some(course) = state.receive(&packet.octets, is_tcp, 0) else {
            return false;
        };
        let queries = state.queries.len();
        drop(state);
        self.plan(packet, course, queries);
        true
    }

    /// Puts what a course says on the clock. The server has had so many queries.
    fn plan(&mut self, packet: &Sent, course: Course, queries: usize) {
        let (now_ms, server) = (packet.at_ms, packet.server);
        if course.hold_until > queries {
            let held = (server, course.hold_until, packet.handle, course.deeds);
            self.held.push(held);
        } else {
            self.expect(now_ms, packet.handle, course.deeds);
        }
        let is_due = |held: &(SocketAddr, usize, _, _)| held.0 == server && held.1 <= queries;
        while let Some(index) = self.held.iter().position(is_due) {
            let (_, _, handle, deeds) = self.held.remove(index);
            self.expect(now_ms, handle, deeds);
        }
    }

    fn expect(&mut self, now_ms: u64, handle: Handle, deeds: Vec<Deed>) {
        for (after_ms, what) in deeds {
            let event = match what {
                What::Message(octets) => Event::Message(octets),
                What::Failed => Event::Failed,
                // The kernel shows it to nobody.
                What::Stranger(_) => continue,
            };
            self.coming.push((now_ms + after_ms, handle, event));
        }
    }

    /// Index of what comes next to a client, by this time.
    pub(super) fn next_for(&self, client: usize, until_ms: u64) -> Option<usize> {
        let is_own = |handle: Handle| {
            let mut open = self.open.iter();
            self.stage.is_none() || open.any(|o| o.handle == handle && o.client == client)
        };
        let indices = 0..self.coming.len();
        let own = indices.filter(|&i| self.coming[i].0 <= until_ms && is_own(self.coming[i].1));
        own.min_by_key(|&i| self.coming[i].0)
    }
}

impl Transport for Network {
    fn now_ms(&self) -> u64 {
        self.world().now_ms
    }

    fn open(&mut self, server: SocketAddr, protocol: Protocol, query: &[u8]) -> Option<Handle> {
        static HANDLES: AtomicU64 = AtomicU64::new(1);
        let world = &mut *self.world();
        let open = Open {
            handle: Handle(HANDLES.fetch_add(1, Ordering::Relaxed)),
            client: self.client,
            server,
            protocol,
        };
        world.open.push(open.clone());
        let sent = self.sent(world.now_ms, &open, query, false);
        let went = match &mut world.stage {
            Some(_) => world.receive_on_stage(&sent, self.client),
            None => world.receive(&sent),
        };
        if went {
            return Some(open.handle);
        }
        world.open.pop();
        None
    }

    fn resend(&mut self, handle: Handle, query: &[u8]) -> bool {
        let world = &mut *self.world();
        if world.no_resends || world.stage.is_some() {
            return false;
        }
        let open = world.open.iter().find(|open| open.handle == handle);
        let open = open.unwrap_or_else(|| panic!("not open: {handle:?}"));
        let sent = self.sent(world.now_ms, open, query, true);
        world.receive(&sent)
    }

    fn close(&mut self, handle: Handle) {
        let world = &mut *self.world();
        world.open.retain(|open| open.handle != handle);
        world.coming.retain(|(_, owner, _)| *owner != handle);
        world.held.retain(|(_, _, owner, _)| *owner != handle);
        if let Some(stage) = &mut world.stage {
            stage.forget(handle);
        }
    }

    fn wait(&mut self, until_ms: u64) -> Option<(Handle, Event)> {
        let mut world = self.world();
        if world.stage.is_some() {
            return self.wait_on_stage(world, until_ms);
        }
        let interrupts = |(at_ms, _): &mut Interruption| *at_ms <= until_ms;
        if let Some((at_ms, act)) = world.interruption.take_if(interrupts) {
            world.now_ms = world.now_ms.max(at_ms);
            drop(world);
            act();
            return None;
        }
        let last_ms = until_ms.max(world.now_ms);
        let Some(index) = world.next_for(self.client, last_ms) else {
            world.now_ms = last_ms;
            return None;
        };
        let (at_ms, handle, event) = world.coming.remove(index);
        world.now_ms = world.now_ms.max(at_ms);
        Some((handle, event))
    }
}
