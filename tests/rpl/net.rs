//! The network of a scenario: clients on threads of their own, a director that says what arrives.
//!
//! Only one side runs at a time. A client runs until it waits for the network or has its outcome;
//! the director goes on when all clients rest ([`Net::settle`]). No socket, no real time.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use kamailio_dns::host::clock;
use kamailio_dns::resolver::{Event, Handle, Protocol, Transport};

use crate::support::network::{is_probe, reply};
use crate::support::wire;

/// A query that was sent and not given up.
#[derive(Debug)]
pub struct OutQuery {
    handle: Handle,
    client: usize,
    pub server: IpAddr,
    id: u16,
    pub name: String,
    pub qtype: u16,
    pub tcp: bool,
    arrived: VecDeque<Event>,
    /// Nothing more happens to it: it was replied to, failed, or its time is over.
    pub settled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Running,
    Waiting(u64),
    Done,
}

#[derive(Debug, Default)]
struct State {
    now_ms: u64,
    clients: Vec<Doing>,
    queries: Vec<OutQuery>,
    last_handle: u64,
    sent: usize,
    /// The scenario is over: nothing can be sent any more, all waiting ends.
    closed: bool,
}

/// Shared by director and clients.
#[derive(Debug, Default)]
pub struct Net {
    state: Mutex<State>,
    changed: Condvar,
}

impl Net {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A client that runs from here on.
    pub fn add_client(&self) -> usize {
        let mut state = self.lock();
        state.clients.push(Doing::Running);
        state.clients.len() - 1
    }

    pub fn client_is_done(&self, client: usize) {
        self.lock().clients[client] = Doing::Done;
        self.changed.notify_all();
    }

    pub fn is_done(&self, client: usize) -> bool {
        self.lock().clients[client] == Doing::Done
    }

    /// Waits until every client waits for something that has not happened, or is done.
    pub fn settle(&self) {
        let mut state = self.lock();
        while !state.all_rest() {
            state = self.changed.wait(state).unwrap();
        }
    }

    /// Number of queries sent so far.
    pub fn sent(&self) -> usize {
        self.lock().sent
    }

    /// Calls `look` with the queries that nothing has happened to, newest first, until it gives
    /// what should arrive; then that arrives. False when it never gives anything.
    pub fn deliver(&self, look: impl Fn(&OutQuery) -> Option<Arrival>) -> bool {
        let mut state = self.lock();
        let mut open = state.queries.iter_mut().rev().filter(|q| !q.settled);
        let Some((query, arrival)) = open.find_map(|q| look(q).map(|arrival| (q, arrival))) else {
            return false;
        };
        query.settled = true;
        match arrival {
            Arrival::Message(mut message) => {
                message[..2].copy_from_slice(&query.id.to_be_bytes());
                query.arrived.push_back(Event::Message(message));
            }
            Arrival::Failure => query.arrived.push_back(Event::Failed),
            Arrival::Silence => {
                let client = query.client;
                drop(state);
                self.wait_in_vain(client);
            }
        }
        self.changed.notify_all();
        true
    }

    /// Lets time pass until a client has waited long enough: it looks around meanwhile, then asks anew or gives up.
    fn wait_in_vain(&self, client: usize) {
        let sent = self.sent();
        loop {
            let mut state = self.lock();
            let Doing::Waiting(until_ms) = state.clients[client] else {
                return;
            };
            let ms = until_ms.saturating_sub(state.now_ms);
            state.pass(ms);
            drop(state);
            self.changed.notify_all();
            self.settle();
            if self.sent() != sent {
                return;
            }
        }
    }

    /// True when a query that nothing has happened to fits.
    pub fn has_open(&self, fits: impl Fn(&OutQuery) -> bool) -> bool {
        self.lock().queries.iter().any(|q| !q.settled && fits(q))
    }

    /// Number of queries not given up, whatever happened to them.
    pub fn left(&self) -> usize {
        self.lock().queries.len()
    }

    pub fn now_ms(&self) -> u64 {
        self.lock().now_ms
    }

    /// Lets time pass: deadlines and cache see it together.
    pub fn pass(&self, ms: u64) {
        self.lock().pass(ms);
        self.changed.notify_all();
    }

    /// Ends all waiting, so that every client comes to its end.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

impl State {
    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        clock::advance_for_tests(ms);
    }

    fn all_rest(&self) -> bool {
        (0..self.clients.len()).all(|client| match self.clients[client] {
            Doing::Running => false,
            Doing::Waiting(until_ms) => !self.closed && !self.has_news(client, until_ms),
            Doing::Done => true,
        })
    }

    fn has_news(&self, client: usize, until_ms: u64) -> bool {
        let mut own = self.queries.iter().filter(|q| q.client == client);
        self.now_ms >= until_ms || own.any(|q| !q.arrived.is_empty())
    }

    fn take_news(&mut self, client: usize) -> Option<(Handle, Event)> {
        let own = self.queries.iter_mut().filter(|q| q.client == client);
        own.into_iter()
            .find_map(|q| q.arrived.pop_front().map(|event| (q.handle, event)))
    }
}

/// What becomes of a query.
#[derive(Debug)]
pub enum Arrival {
    /// A reply; its id is filled in.
    Message(Vec<u8>),
    /// An error of the network.
    Failure,
    /// Nothing, until the client has waited long enough.
    Silence,
}

/// One client's way to the servers.
#[derive(Debug)]
pub struct ClientTransport {
    pub net: Arc<Net>,
    pub client: usize,
}

impl Transport for ClientTransport {
    fn now_ms(&self) -> u64 {
        self.net.now_ms()
    }

    fn open(&mut self, server: SocketAddr, protocol: Protocol, query: &[u8]) -> Option<Handle> {
        let mut state = self.net.lock();
        if state.closed {
            return None;
        }
        state.last_handle += 1;
        let handle = Handle(state.last_handle);
        let is_probe = is_probe(query);
        let (name, qtype) = if is_probe {
            // The question whether the server lives is no part of the scenario: it does.
            ("localhost".to_owned(), wire::A)
        } else {
            state.sent += 1;
            read_question(query)
        };
        state.queries.push(OutQuery {
            handle,
            client: self.client,
            server: server.ip(),
            id: u16::from_be_bytes([query[0], query[1]]),
            name,
            qtype,
            tcp: protocol == Protocol::Tcp,
            arrived: is_probe
                .then(|| Event::Message(reply(query, 0x8005, false)))
                .into_iter()
                .collect(),
            settled: is_probe,
        });
        Some(handle)
    }

    fn close(&mut self, handle: Handle) {
        self.net.lock().queries.retain(|q| q.handle != handle);
    }

    fn wait(&mut self, until_ms: u64) -> Option<(Handle, Event)> {
        let mut state = self.net.lock();
        state.clients[self.client] = Doing::Waiting(until_ms);
        self.net.changed.notify_all();
        let news = loop {
            if let Some(news) = state.take_news(self.client) {
                break Some(news);
            }
            if state.closed {
                state.now_ms = state.now_ms.max(until_ms);
            }
            if state.now_ms >= until_ms {
                break None;
            }
            state = self.net.changed.wait(state).unwrap();
        };
        state.clients[self.client] = Doing::Running;
        news
    }
}

/// Name and type of the question of a query.
fn read_question(query: &[u8]) -> (String, u16) {
    let mut labels = Vec::new();
    let mut at = 12;
    while query[at] != 0 {
        let length = usize::from(query[at]);
        let label = &query[at + 1..at + 1 + length];
        labels.push(String::from_utf8(label.to_vec()).unwrap());
        at += 1 + length;
    }
    let qtype = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let name = labels.join(".");
    // What the library sends is one question with RD set, and EDNS with a buffer of 1232 octets.
    let mut wanted = wire::message(0, 0x0100, (&name, qtype), [&[], &[], &[]]);
    wanted[11] = 1;
    wanted.extend([0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(query[2..], wanted[2..], "a plain query with RD set");
    (name, qtype)
}
