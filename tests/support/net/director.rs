//! A network in memory whose director says what arrives and how time passes, for any number of clients on threads of
//! their own.
//!
//! Only one side runs at a time. A client runs until it waits for the network or is done; the director goes on when all
//! clients rest ([`Network::settle`]).

use std::net::IpAddr;
use std::sync::MutexGuard;

use kamailio_dns::host::clock;
use kamailio_dns::resolver::{Event, Handle, Protocol};

use super::memory::{Network, Sent, World, is_probe, reply};
use super::query::Query;

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
    /// Nothing more happens to it: it was replied to, failed, or its time is over.
    pub settled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Running,
    Waiting(u64),
    Done,
}

/// What the director knows.
pub(super) struct Stage {
    clients: Vec<Doing>,
    queries: Vec<OutQuery>,
    sent: usize,
    /// It is over: nothing can be sent any more, all waiting ends.
    closed: bool,
    /// Looks at each query.
    check: fn(&[u8], &Query),
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

impl Stage {
    pub(super) fn forget(&mut self, handle: Handle) {
        self.queries.retain(|q| q.handle != handle);
    }
}

impl World {
    fn stage(&mut self) -> &mut Stage {
        self.stage.as_mut().expect("a network with a director")
    }

    /// A query waits until the director does something about it; false when it cannot be sent any more.
    pub(super) fn receive_on_stage(&mut self, packet: &Sent, client: usize) -> bool {
        if self.stage().closed {
            return false;
        }
        let is_probe = is_probe(&packet.octets);
        if is_probe {
            // The question whether the server lives is no part of the script: it does.
            let answer = Event::Message(reply(&packet.octets, 0x8005, false));
            self.coming.push((packet.at_ms, packet.handle, answer));
        }
        let stage = self.stage();
        let is_tcp = packet.protocol == Protocol::Tcp;
        let query = Query::parse(&packet.octets, is_tcp, 0).expect("a query");
        if !is_probe {
            stage.sent += 1;
            (stage.check)(&packet.octets, &query);
        }
        stage.queries.push(OutQuery {
            handle: packet.handle,
            client,
            server: packet.server.ip(),
            id: query.id,
            name: query.spelled,
            qtype: query.qtype,
            tcp: is_tcp,
            settled: is_probe,
        });
        true
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        clock::advance_for_tests(ms);
    }

    fn all_rest(&self) -> bool {
        let stage = self.stage.as_ref().expect("a network with a director");
        let mut clients = stage.clients.iter().enumerate();
        clients.all(|(client, doing)| match doing {
            Doing::Running => false,
            Doing::Waiting(until_ms) => {
                let has_news =
                    self.now_ms >= *until_ms || self.next_for(client, self.now_ms).is_some();
                !stage.closed && !has_news
            }
            Doing::Done => true,
        })
    }
}

impl Network {
    /// A network with a director, and without clients; `check` looks at each query.
    pub fn directed(check: fn(&[u8], &Query)) -> Self {
        let network = Self::default();
        network.world().stage = Some(Stage {
            clients: Vec::new(),
            queries: Vec::new(),
            sent: 0,
            closed: false,
            check,
        });
        network
    }

    /// The network as a new client sees it, who runs from here on.
    pub fn new_client(&self) -> Self {
        let mut world = self.world();
        let clients = &mut world.stage().clients;
        clients.push(Doing::Running);
        Self {
            client: clients.len() - 1,
            shared: self.shared.clone(),
        }
    }

    /// This client asks nothing more.
    pub fn done(&self) {
        self.world().stage().clients[self.client] = Doing::Done;
        self.shared.changed.notify_all();
    }

    pub fn is_done(&self) -> bool {
        self.world().stage().clients[self.client] == Doing::Done
    }

    /// Waits until every client waits for something that has not happened, or is done.
    pub fn settle(&self) {
        let mut world = self.world();
        while !world.all_rest() {
            world = self.shared.changed.wait(world).expect("no client panicked");
        }
    }

    /// Number of queries sent so far.
    pub fn sent_so_far(&self) -> usize {
        self.world().stage().sent
    }

    /// Calls `look` with the queries that nothing has happened to, newest first, until it gives
    /// what should arrive; then that arrives. False when it never gives anything.
    pub fn deliver(&self, look: impl Fn(&OutQuery) -> Option<Arrival>) -> bool {
        let mut world = self.world();
        let queries = world.stage().queries.iter_mut();
        let mut open = queries.rev().filter(|q| !q.settled);
        let Some((query, arrival)) = open.find_map(|q| look(q).map(|arrival| (q, arrival))) else {
            return false;
        };
        query.settled = true;
        let (handle, client, id) = (query.handle, query.client, query.id);
        let event = match arrival {
            Arrival::Message(mut message) => {
                message[..2].copy_from_slice(&id.to_be_bytes());
                Event::Message(message)
            }
            Arrival::Failure => Event::Failed,
            Arrival::Silence => {
                drop(world);
                self.wait_in_vain(client);
                return true;
            }
        };
        let now_ms = world.now_ms;
        world.coming.push((now_ms, handle, event));
        self.shared.changed.notify_all();
        true
    }

    /// Lets time pass until a client has waited long enough: it looks around meanwhile, then asks anew or gives up.
    fn wait_in_vain(&self, client: usize) {
        let sent = self.sent_so_far();
        loop {
            let mut world = self.world();
            let Doing::Waiting(until_ms) = world.stage().clients[client] else {
                return;
            };
            let ms = until_ms.saturating_sub(world.now_ms);
            world.pass(ms);
            drop(world);
            self.shared.changed.notify_all();
            self.settle();
            if self.sent_so_far() != sent {
                return;
            }
        }
    }

    /// True when a query that nothing has happened to fits.
    pub fn has_open(&self, fits: impl Fn(&OutQuery) -> bool) -> bool {
        let mut world = self.world();
        let mut queries = world.stage().queries.iter();
        queries.any(|q| !q.settled && fits(q))
    }

    /// Lets time pass: deadlines and cache see it together.
    pub fn pass(&self, ms: u64) {
        self.world().pass(ms);
        self.shared.changed.notify_all();
    }

    /// Ends all waiting, so that every client comes to its end.
    pub fn close_all(&self) {
        self.world().stage().closed = true;
        self.shared.changed.notify_all();
    }

    /// Waits for what the director has arrive.
    pub(super) fn wait_on_stage<'a>(
        &'a self,
        mut world: MutexGuard<'a, World>,
        until_ms: u64,
    ) -> Option<(Handle, Event)> {
        world.stage().clients[self.client] = Doing::Waiting(until_ms);
        self.shared.changed.notify_all();
        let news = loop {
            let now_ms = world.now_ms;
            if let Some(index) = world.next_for(self.client, now_ms) {
                let (_, handle, event) = world.coming.remove(index);
                break Some((handle, event));
            }
            if world.stage().closed {
                world.now_ms = world.now_ms.max(until_ms);
            }
            if world.now_ms >= until_ms {
                break None;
            }
            world = self.shared.changed.wait(world).expect("no client panicked");
        };
        world.stage().clients[self.client] = Doing::Running;
        news
    }
}
