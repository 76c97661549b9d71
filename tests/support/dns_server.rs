//! A DNS server on 127.0.0.1 that does as it is told, over UDP and TCP on one port.
//!
//! Two ways to say what it answers, and they mix:
//! * records: [`Server::add`]. Questions are answered from them, CNAMEs are followed, names
//!   without records get NXDOMAIN and names without records of the type NODATA, both with a SOA.
//! * scripts: [`Server::script`] gives the replies to one question, in turn; the last one stays.
//!
//! Every query is noted: [`Server::queries`], [`Server::count`]. The question whether it lives is answered, whatever
//! else it is told, and counted for itself: [`Server::ignore_probes`], [`Server::probes`].

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::wire::{self, CNAME, Rr};

/// How long a server thread sleeps before it looks whether it should end.
const POLL: Duration = Duration::from_millis(20);

/// A query that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Name asked, lower case, without trailing dot.
    pub name: String,
    /// Type asked.
    pub qtype: u16,
    /// It came over TCP.
    pub tcp: bool,
    /// Transaction id.
    pub id: u16,
    /// The 16 flag bits of the header.
    pub flags: u16,
    /// Port it came from.
    pub source_port: u16,
    /// UDP payload size of its OPT record, if it has one.
    pub edns: Option<u16>,
}

impl Query {
    /// True for the question whether the server lives: `localhost A` without RD.
    fn is_probe(&self) -> bool {
        self.name == "localhost" && self.qtype == super::A && self.flags & 0x0100 == 0
    }
}

/// What the server does with one query.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    answers: Vec<Rr>,
    authorities: Vec<Rr>,
    additional: Vec<Rr>,
    rcode: u16,
    flags: Option<u16>,
    delay: Duration,
    truncate_udp: bool,
    wrong_id: bool,
    wrong_question: Option<String>,
    wrong_source: bool,
    no_question: bool,
    drop: bool,
    formerr_to_edns: bool,
    raw: Option<Vec<u8>>,
    cut: Option<usize>,
    hold_until: usize,
    then: Option<Box<Reply>>,
}

impl Reply {
    /// A positive answer.
    pub fn answer(answers: Vec<Rr>) -> Self {
        Self {
            answers,
            ..Self::default()
        }
    }

    /// An error without records: 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED ...
    pub fn rcode(rcode: u16) -> Self {
        Self {
            rcode,
            ..Self::default()
        }
    }

    /// SERVFAIL.
    pub fn servfail() -> Self {
        Self::rcode(2)
    }

    /// NXDOMAIN with this SOA.
    pub fn nxdomain(soa: Rr) -> Self {
        Self::rcode(3).authority(vec![soa])
    }

    /// NODATA with this SOA.
    pub fn nodata(soa: Rr) -> Self {
        Self::default().authority(vec![soa])
    }

    /// No reply at all (over TCP the connection is closed).
    pub fn dropped() -> Self {
        Self {
            drop: true,
            ..Self::default()
        }
    }

    /// These octets, after the query's id.
    pub fn raw(after_id: &[u8]) -> Self {
        Self {
            raw: Some(after_id.to_vec()),
            ..Self::default()
        }
    }

    /// Sets the authority section.
    pub fn authority(mut self, records: Vec<Rr>) -> Self {
        self.authorities = records;
        self
    }

    /// Sets the additional section.
    pub fn additional(mut self, records: Vec<Rr>) -> Self {
        self.additional = records;
        self
    }

    /// Sets the 16 flag bits, RCODE included (normally QR, RD, RA and the rcode).
    pub fn flags(mut self, flags: u16) -> Self {
        self.flags = Some(flags);
        self
    }

    /// Waits before replying; other queries are not held up.
    pub fn delay_ms(mut self, ms: u64) -> Self {
        self.delay = Duration::from_millis(ms);
        self
    }

    /// Over UDP only the header and the question with TC set; the records over TCP.
    pub fn truncated(mut self) -> Self {
        self.truncate_udp = true;
        self
    }

    /// Replies only when the server has had so many queries in all; after 30 s not at all (UDP).
    pub fn hold_until(mut self, queries: usize) -> Self {
        self.hold_until = queries;
        self
    }

    /// Replies with an id that was not asked.
    pub fn wrong_id(mut self) -> Self {
        self.wrong_id = true;
        self
    }

    /// Replies with another question name.
    pub fn wrong_question(mut self, name: &str) -> Self {
        self.wrong_question = Some(name.to_owned());
        self
    }

    /// Replies from another port.
    pub fn wrong_source(mut self) -> Self {
        self.wrong_source = true;
        self
    }

    /// Leaves the question out (`QDCOUNT` 0).
    pub fn no_question(mut self) -> Self {
        self.no_question = true;
        self
    }

    /// FORMERR to queries with an OPT record.
    pub fn formerr_to_edns(mut self) -> Self {
        self.formerr_to_edns = true;
        self
    }

    /// Cuts the message after so many octets.
    pub fn cut(mut self, octets: usize) -> Self {
        self.cut = Some(octets);
        self
    }

    /// Sends a second reply after this one.
    pub fn then(mut self, next: Self) -> Self {
        self.then = Some(Box::new(next));
        self
    }

    fn encode(&self, query: &Query) -> Option<Vec<u8>> {
        if self.drop {
            return None;
        }
        let id = if self.wrong_id {
            query.id.wrapping_add(1)
        } else {
            query.id
        };
        if let Some(raw) = &self.raw {
            let mut out = id.to_be_bytes().to_vec();
            out.extend(raw);
            return Some(out);
        }
        let formerr = self.formerr_to_edns && query.edns.is_some();
        let truncate = self.truncate_udp && !query.tcp;
        let rcode = if formerr { 1 } else { self.rcode };
        let mut flags = self.flags.unwrap_or(0x8180 | (rcode & 15));
        if truncate {
            flags |= 0x0200;
        }
        let name = self.wrong_question.as_deref().unwrap_or(&query.name);
        let additional = self.with_opt(query);
        let mut out = if self.no_question {
            wire::header(id, flags, [0; 4])
        } else if formerr || truncate {
            wire::message(id, flags, (name, query.qtype), [&[], &[], &[]])
        } else {
            wire::message(
                id,
                flags,
                (name, query.qtype),
                [&self.answers, &self.authorities, &additional],
            )
        };
        if let Some(cut) = self.cut {
            out.truncate(cut);
        }
        Some(out)
    }
}

impl Reply {
    /// The additional section, with an OPT record where the query has one and the reply none of its own.
    fn with_opt(&self, query: &Query) -> Vec<Rr> {
        let mut additional = self.additional.clone();
        let has_one = additional.iter().any(|rr| rr.rtype == wire::OPT);
        if query.edns.is_some() && !has_one {
            additional.push(Rr::raw("", wire::OPT, 0, b"").with_class(1232));
        }
        additional
    }
}

#[derive(Default)]
struct State {
    records: Vec<Rr>,
    scripts: HashMap<(String, u16), Vec<Reply>>,
    default: Option<Reply>,
    negative_ttl: (u32, u32),
    queries: Vec<Query>,
    probes: usize,
    is_mute: bool,
}

impl State {
    fn reply_to(&mut self, query: &Query) -> Reply {
        if query.is_probe() {
            self.probes += 1;
            return if self.is_mute {
                Reply::dropped()
            } else {
                Reply::rcode(5)
            };
        }
        self.queries.push(query.clone());
        let key = (query.name.clone(), query.qtype);
        if let Some(script) = self.scripts.get_mut(&key) {
            // A truncated reply and its repetition over TCP are one step of the script.
            let udp_half = script.first().is_some_and(|r| r.truncate_udp) && !query.tcp;
            return if script.len() > 1 && !udp_half {
                script.remove(0)
            } else {
                script.first().cloned().unwrap_or_else(Reply::dropped)
            };
        }
        self.look_up(query)
    }

    fn look_up(&self, query: &Query) -> Reply {
        let mut owner = query.name.clone();
        let mut answers = Vec::new();
        for _ in 0..20 {
            let here = |r: &&Rr| r.owner.eq_ignore_ascii_case(&owner);
            let found: Vec<Rr> = self
                .records
                .iter()
                .filter(here)
                .filter(|r| r.rtype == query.qtype)
                .cloned()
                .collect();
            if !found.is_empty() {
                answers.extend(found);
                return Reply::answer(answers);
            }
            let Some(alias) = self.records.iter().filter(here).find(|r| r.rtype == CNAME) else {
                break;
            };
            answers.push(alias.clone());
            owner = wire_to_text(&alias.rdata);
        }
        let below = format!(".{owner}").to_ascii_lowercase();
        let exists = self.records.iter().any(|r| {
            let candidate = r.owner.to_ascii_lowercase();
            candidate.eq_ignore_ascii_case(&owner) || candidate.ends_with(&below)
        });
        if let (false, true, Some(reply)) = (exists, answers.is_empty(), &self.default) {
            return reply.clone();
        }
        let zone = owner.rsplit('.').next().unwrap_or_default();
        let soa = Rr::soa(zone, self.negative_ttl.0, self.negative_ttl.1);
        Reply {
            answers,
            authorities: vec![soa],
            rcode: if exists { 0 } else { 3 },
            ..Reply::default()
        }
    }
}

/// The server. Its threads end when it is dropped.
pub struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Starts on 127.0.0.1, on a port that the kernel picks.
    pub fn start() -> Self {
        Self::start_on(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// Starts on another loopback address.
    pub fn start_on(ip: IpAddr) -> Self {
        let (udp, tcp) = bind_both(ip);
        let address = udp.local_addr().expect("own address");
        let state = Arc::new(Mutex::new(State {
            negative_ttl: (60, 30),
            ..State::default()
        }));
        let stop = Arc::new(AtomicBool::new(false));
        let udp_parts = (udp, Arc::clone(&state), Arc::clone(&stop));
        let tcp_parts = (tcp, Arc::clone(&state), Arc::clone(&stop));
        let threads = vec![
            std::thread::spawn(move || serve_udp(&udp_parts.0, &udp_parts.1, &udp_parts.2)),
            std::thread::spawn(move || serve_tcp(&tcp_parts.0, &tcp_parts.1, &tcp_parts.2)),
        ];
        Self {
            address,
            state,
            stop,
            threads,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds a record.
    pub fn add(&self, record: Rr) -> &Self {
        self.lock().records.push(record);
        self
    }

    /// Adds several records.
    pub fn add_all(&self, records: impl IntoIterator<Item = Rr>) -> &Self {
        self.lock().records.extend(records);
        self
    }

    /// Removes all records of a name and type, and the script for them.
    pub fn remove(&self, name: &str, rtype: u16) {
        let mut state = self.lock();
        state
            .records
            .retain(|r| !(r.owner.eq_ignore_ascii_case(name) && r.rtype == rtype));
        state.scripts.remove(&key(name, rtype));
    }

    /// Says what a question gets: the replies in turn, the last one from then on.
    pub fn script(&self, name: &str, qtype: u16, replies: Vec<Reply>) -> &Self {
        self.lock().scripts.insert(key(name, qtype), replies);
        self
    }

    /// Short for a script of one positive reply.
    pub fn answer(&self, name: &str, qtype: u16, records: Vec<Rr>) -> &Self {
        self.script(name, qtype, vec![Reply::answer(records)])
    }

    /// Reply to names that have neither records nor a script, instead of NXDOMAIN.
    pub fn default_reply(&self, reply: Reply) -> &Self {
        self.lock().default = Some(reply);
        self
    }

    /// TTL and MINIMUM of the SOA in negative replies made from the records; 60 and 30 at first.
    pub fn negative_ttl(&self, ttl: u32, minimum: u32) -> &Self {
        self.lock().negative_ttl = (ttl, minimum);
        self
    }

    /// All queries so far, in the order of arrival.
    pub fn queries(&self) -> Vec<Query> {
        self.lock().queries.clone()
    }

    /// Number of queries for this name (any case) and type.
    pub fn count(&self, name: &str, qtype: u16) -> usize {
        let (name, qtype) = key(name, qtype);
        self.lock()
            .queries
            .iter()
            .filter(|q| q.name == name && q.qtype == qtype)
            .count()
    }

    /// Makes it not answer the question whether it lives.
    pub fn ignore_probes(&self) -> &Self {
        self.lock().is_mute = true;
        self
    }

    /// Number of questions so far whether the server lives.
    pub fn probes(&self) -> usize {
        self.lock().probes
    }

    /// Number of queries so far.
    pub fn total(&self) -> usize {
        self.lock().queries.len()
    }

    /// Forgets the queries so far.
    pub fn clear_queries(&self) {
        self.lock().queries.clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no test thread panics with it")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn key(name: &str, qtype: u16) -> (String, u16) {
    (name.trim_end_matches('.').to_ascii_lowercase(), qtype)
}

fn bind_both(ip: IpAddr) -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let udp = UdpSocket::bind((ip, 0)).expect("bind UDP");
        let address = udp.local_addr().expect("own address");
        if let Ok(tcp) = TcpListener::bind(address) {
            udp.set_read_timeout(Some(POLL)).expect("set timeout");
            tcp.set_nonblocking(true).expect("set non-blocking");
            return (udp, tcp);
        }
    }
    panic!("no port that is free for UDP and TCP");
}

fn serve_udp(socket: &UdpSocket, state: &Arc<Mutex<State>>, stop: &AtomicBool) {
    let mut buffer = [0; 4096];
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, peer)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let Some(query) = parse_query(&buffer[..length], false, peer) else {
            continue;
        };
        let reply = state.lock().expect("lock").reply_to(&query);
        let socket = socket.try_clone().expect("clone socket");
        if reply.hold_until > 0 {
            let state = Arc::clone(state);
            std::thread::spawn(move || {
                for _ in 0..3000 {
                    if state.lock().expect("lock").queries.len() >= reply.hold_until {
                        return send_udp(&socket, peer, &query, &reply);
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
            });
        } else if reply.delay.is_zero() {
            send_udp(&socket, peer, &query, &reply);
        } else {
            std::thread::spawn(move || send_udp(&socket, peer, &query, &reply));
        }
    }
}

fn send_udp(socket: &UdpSocket, peer: SocketAddr, query: &Query, reply: &Reply) {
    let mut next = Some(reply);
    while let Some(reply) = next {
        std::thread::sleep(reply.delay);
        if let Some(bytes) = reply.encode(query) {
            let _ = if reply.wrong_source {
                let other = UdpSocket::bind((peer.ip(), 0)).expect("bind UDP");
                other.send_to(&bytes, peer)
            } else {
                socket.send_to(&bytes, peer)
            };
        }
        next = reply.then.as_deref();
    }
}

fn serve_tcp(listener: &TcpListener, state: &Arc<Mutex<State>>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, peer)) => {
                let state = Arc::clone(state);
                std::thread::spawn(move || serve_connection(stream, peer, &state));
            }
            Err(_) => std::thread::sleep(POLL),
        }
    }
}

fn serve_connection(mut stream: TcpStream, peer: SocketAddr, state: &Mutex<State>) {
    let limit = Some(Duration::from_secs(5));
    if stream.set_nonblocking(false).is_err() || stream.set_read_timeout(limit).is_err() {
        return;
    }
    let mut prefix = [0; 2];
    while stream.read_exact(&mut prefix).is_ok() {
        let mut bytes = vec![0; usize::from(u16::from_be_bytes(prefix))];
        if stream.read_exact(&mut bytes).is_err() {
            return;
        }
        let Some(query) = parse_query(&bytes, true, peer) else {
            return;
        };
        let reply = state.lock().expect("lock").reply_to(&query);
        let mut next = Some(&reply);
        while let Some(reply) = next {
            std::thread::sleep(reply.delay);
            let Some(bytes) = reply.encode(&query) else {
                return;
            };
            // In two parts, so that the reader has to put them together.
            let mut framed = (bytes.len() as u16).to_be_bytes().to_vec();
            framed.extend(bytes);
            let (head, tail) = framed.split_at(framed.len() / 2);
            if stream.write_all(head).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
            if stream.write_all(tail).is_err() {
                return;
            }
            next = reply.then.as_deref();
        }
    }
}

fn parse_query(bytes: &[u8], tcp: bool, peer: SocketAddr) -> Option<Query> {
    let word = |at: usize| {
        let pair = bytes.get(at..at + 2)?;
        Some(u16::from_be_bytes([pair[0], pair[1]]))
    };
    let (id, flags) = (word(0)?, word(2)?);
    let name = wire_to_text(bytes.get(12..)?);
    let mut end = 12;
    while *bytes.get(end)? != 0 {
        end += usize::from(bytes[end]) + 1;
    }
    let qtype = word(end + 1)?;
    // The OPT record is the only additional record of a query: root, type, payload size.
    let edns = (word(10)? == 1 && word(end + 6) == Some(wire::OPT)).then(|| word(end + 8));
    Some(Query {
        name: name.to_ascii_lowercase(),
        qtype,
        tcp,
        id,
        flags,
        source_port: peer.port(),
        edns: edns.flatten(),
    })
}

/// Text of an uncompressed wire name at the start of the octets.
fn wire_to_text(mut octets: &[u8]) -> String {
    let mut labels = Vec::new();
    while let Some((&length, rest)) = octets.split_first() {
        let length = usize::from(length);
        if length == 0 || length > rest.len() {
            break;
        }
        labels.push(String::from_utf8_lossy(&rest[..length]).into_owned());
        octets = &rest[length..];
    }
    labels.join(".")
}
