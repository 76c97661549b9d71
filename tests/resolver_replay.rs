//! The resolver over scripted replies and a virtual clock: no sockets, no waiting. The servers live; nothing is sent
//! again (see tests/resolver_resend.rs and tests/resolver_probe.rs).
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;

use kamailio_dns::error::Failure;
use kamailio_dns::resolver::{
    Event, Handle, Outcome, Protocol, Question, Settings, Transport, query, query_with,
    with_transport,
};
use kamailio_dns::rr::RecordType;
use support::network::{is_probe, reply};
use support::wire::message;
use support::{A, OptionsGuard, Rr};

/// What becomes of one query.
#[derive(Clone, Debug)]
enum Step {
    /// A message after so many ms; the id is filled in.
    Reply(u64, Vec<u8>),
    /// The network reports a failure after so many ms.
    Error(u64),
    /// Nothing comes back.
    Silence,
    /// It cannot be sent.
    Unsendable,
}

/// One query as it was sent.
#[derive(Clone, Debug)]
struct Sent {
    at_ms: u64,
    server: SocketAddr,
    protocol: Protocol,
}

#[derive(Debug, Default)]
struct World {
    now_ms: u64,
    steps: VecDeque<Step>,
    sent: Vec<Sent>,
    open: Vec<Handle>,
    coming: Vec<(u64, Handle, Event)>,
    probes: u64,
}

/// Handles from here on are those of probes.
const PROBES: u64 = 1 << 32;

#[derive(Clone, Debug, Default)]
struct Scripted(Rc<RefCell<World>>);

impl Scripted {
    fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let scripted = Self::default();
        scripted.0.borrow_mut().steps.extend(steps);
        scripted
    }

    fn ask(&self, name: &str) -> Outcome {
        self.ask_until(name, None)
    }

    fn ask_until(&self, name: &str, deadline_ms: Option<u64>) -> Outcome {
        let question = Question {
            qname: name.as_bytes(),
            qtype: RecordType::A,
        };
        let outcome = with_transport(Box::new(self.clone()), || query(&question, deadline_ms));
        assert!(self.0.borrow().open.is_empty(), "every query was closed");
        outcome
    }

    fn now_ms(&self) -> u64 {
        self.0.borrow().now_ms
    }

    fn sent(&self) -> Vec<Sent> {
        self.0.borrow().sent.clone()
    }

    fn steps_left(&self) -> usize {
        self.0.borrow().steps.len()
    }
}

impl Transport for Scripted {
    fn now_ms(&self) -> u64 {
        self.0.borrow().now_ms
    }

    fn open(&mut self, server: SocketAddr, protocol: Protocol, query: &[u8]) -> Option<Handle> {
        let world = &mut *self.0.borrow_mut();
        let at_ms = world.now_ms;
        if is_probe(query) {
            world.probes += 1;
            let handle = Handle(PROBES + world.probes);
            let event = Event::Message(reply(query, 0x8005, false));
            world.coming.push((at_ms + 1, handle, event));
            world.open.push(handle);
            return Some(handle);
        }
        world.sent.push(Sent {
            at_ms,
            server,
            protocol,
        });
        let handle = Handle(world.sent.len() as u64);
        match world.steps.pop_front().unwrap_or(Step::Silence) {
            Step::Unsendable => return None,
            Step::Silence => {}
            Step::Error(after_ms) => world.coming.push((at_ms + after_ms, handle, Event::Failed)),
            Step::Reply(after_ms, mut bytes) => {
                bytes[..2].copy_from_slice(&query[..2]);
                let event = Event::Message(bytes);
                world.coming.push((at_ms + after_ms, handle, event));
            }
        }
        world.open.push(handle);
        Some(handle)
    }

    fn close(&mut self, handle: Handle) {
        let world = &mut *self.0.borrow_mut();
        world.open.retain(|open| *open != handle);
        world.coming.retain(|(_, owner, _)| *owner != handle);
    }

    fn wait(&mut self, until_ms: u64) -> Option<(Handle, Event)> {
        let world = &mut *self.0.borrow_mut();
        let next = (0..world.coming.len()).min_by_key(|&i| world.coming[i].0);
        match next.filter(|&i| world.coming[i].0 <= until_ms) {
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

const SERVERS: &str = "192.0.2.51 192.0.2.52";

fn options(servers: &str, timeout_s: u32, attempts: u32) -> OptionsGuard {
    let mut options = OptionsGuard::take();
    options.set("dns_nameservers", servers);
    options.set("dns_retr_time", &timeout_s.to_string());
    options.set("dns_retr_no", &attempts.to_string());
    // Nothing is asked once more without EDNS (see tests/resolver_edns.rs).
    options.set("dns_edns", "yes");
    options.hold_resends();
    options
}

fn good(name: &str) -> Vec<u8> {
    message(
        0,
        0x8180,
        (name, A),
        [&[Rr::a(name, 60, "192.0.2.1")], &[], &[]],
    )
}

fn rcode(name: &str, flags: u16) -> Vec<u8> {
    message(0, flags, (name, A), [&[], &[], &[]])
}

fn last_octet(server: &SocketAddr) -> u8 {
    match server {
        SocketAddr::V4(v4) => v4.ip().octets()[3],
        SocketAddr::V6(_) => 0,
    }
}

#[test]
fn silence_takes_exactly_timeout_times_attempts_times_servers() {
    let _options = options(SERVERS, 5, 3);
    let network = Scripted::new([]);
    let outcome = network.ask("host.example.org");
    assert!(matches!(outcome, Outcome::Failed(Failure::Timeout)));
    assert_eq!(network.now_ms(), 30_000);
    let order: Vec<(u64, u8)> = network
        .sent()
        .iter()
        .map(|s| (s.at_ms, last_octet(&s.server)))
        .collect();
    let expected = [(0, 51), (5, 52), (10, 51), (15, 52), (20, 51), (25, 52)];
    assert_eq!(order, expected.map(|(s, server)| (s * 1000, server)));
}

#[test]
fn silent_servers_are_not_waited_for_again_with_each_search_domain() {
    let mut options = options(SERVERS, 1, 2);
    options.resolv_conf("search a.example b.example c.example");
    let network = Scripted::new([]);
    assert!(matches!(
        network.ask("host"),
        Outcome::Failed(Failure::Timeout)
    ));
    assert_eq!(network.now_ms(), 4000);
}

#[test]
fn tcp_stays_within_the_time_of_the_question() {
    let _options = options("192.0.2.51", 2, 2);
    let truncated = || Step::Reply(1900, rcode("host.example.org", 0x8380));
    let network = Scripted::new([truncated(), Step::Silence, truncated(), Step::Silence]);
    let outcome = network.ask("host.example.org");
    assert!(matches!(outcome, Outcome::Failed(Failure::Timeout)));
    assert!(network.now_ms() <= 4000, "{} ms", network.now_ms());
    let protocols: Vec<Protocol> = network.sent().iter().map(|s| s.protocol).collect();
    assert_eq!(protocols[..2], [Protocol::Udp, Protocol::Tcp]);
}

#[test]
fn reply_to_an_earlier_query_ends_the_wait() {
    let _options = options(SERVERS, 1, 2);
    let network = Scripted::new([Step::Reply(1500, good("host.example.org"))]);
    assert!(matches!(
        network.ask("host.example.org"),
        Outcome::Answer(_)
    ));
    assert_eq!(network.now_ms(), 1500);
    assert_eq!(network.sent().len(), 2);
}

#[test]
fn late_refusal_does_not_disturb_the_current_server() {
    let _options = options(SERVERS, 1, 2);
    let network = Scripted::new([
        Step::Reply(1200, rcode("host.example.org", 0x8185)),
        Step::Reply(700, good("host.example.org")),
    ]);
    assert!(matches!(
        network.ask("host.example.org"),
        Outcome::Answer(_)
    ));
    assert_eq!((network.now_ms(), network.sent().len()), (1700, 2));
}

#[test]
fn unreachable_servers_cost_no_time() {
    let _options = options(SERVERS, 5, 3);
    // One is not tried again, the other costs an attempt each time.
    let errors = [Step::Error(2), Step::Error(2), Step::Error(2)];
    let network = Scripted::new(std::iter::once(Step::Unsendable).chain(errors));
    let outcome = network.ask("host.example.org");
    assert!(matches!(outcome, Outcome::Failed(Failure::Network)));
    assert_eq!((network.now_ms(), network.sent().len()), (6, 4));
}

#[test]
fn many_attempts_keep_few_queries_open() {
    let _options = options("192.0.2.51", 1, 1000);
    let network = Scripted::new([]);
    assert!(matches!(
        network.ask("host.example.org"),
        Outcome::Failed(Failure::Timeout)
    ));
    assert_eq!((network.now_ms(), network.sent().len()), (1_000_000, 1000));
}

#[test]
fn a_deadline_only_shortens() {
    let _options = options(SERVERS, 5, 3);
    for (deadline_ms, ends_ms, queries) in [
        (40_000, 30_000, 6),
        (30_000, 30_000, 6),
        (12_000, 12_000, 3),
        (700, 700, 1),
        (0, 0, 0),
    ] {
        let network = Scripted::new([]);
        let outcome = network.ask_until("host.example.org", Some(deadline_ms));
        assert!(matches!(outcome, Outcome::Failed(Failure::Timeout)));
        assert_eq!(
            (network.now_ms(), network.sent().len()),
            (ends_ms, queries),
            "deadline {deadline_ms}"
        );
    }
}

#[test]
fn what_was_learnt_before_the_deadline_counts() {
    let mut options = options("192.0.2.51", 5, 1);
    options.resolv_conf("search a.example b.example");
    let network = Scripted::new([Step::Reply(10, rcode("host.example.org", 0x8183))]);
    let outcome = network.ask_until("host.example.org", Some(2000));
    assert_eq!(network.now_ms(), 2000);
    let Outcome::Answer(answer) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(answer.negative.unwrap().nxdomain);
}

#[test]
fn settings_taken_before_serve_another_thread() {
    // An address of its own: without the guard other tests run meanwhile, and what is known of a server is shared.
    let options = options("192.0.2.59", 5, 1);
    let settings = Settings::current();
    drop(options);
    let asker = std::thread::spawn(move || {
        let network = Scripted::new([Step::Reply(10, good("host.example.org"))]);
        let question = [Question {
            qname: b"host.example.org",
            qtype: RecordType::A,
        }];
        let answered = with_transport(Box::new(network.clone()), || {
            query_with(&settings, &question, None)
        });
        let servers: Vec<u8> = network
            .sent()
            .iter()
            .map(|s| last_octet(&s.server))
            .collect();
        (answered, servers)
    });
    let (answered, servers) = asker.join().unwrap();
    assert!(matches!(answered[0].outcome, Outcome::Answer(_)));
    assert_eq!((answered[0].took_ms, servers), (10, vec![59]));
}

/// The part of unbound's replay format that a stub resolver can be told with: what comes back to
/// the one question, and what the question is to end in.
struct Replay {
    name: String,
    steps: Vec<Step>,
    /// Addresses of the final answer, or `None` for SERVFAIL.
    expected: Option<Vec<String>>,
}

fn read_replay(file: &str) -> Replay {
    let path = support::corpus("unbound-bookworm")
        .join("testdata")
        .join(file);
    let text = std::fs::read_to_string(path).expect("replay file");
    let mut replay = Replay {
        name: String::new(),
        steps: Vec::new(),
        expected: Some(Vec::new()),
    };
    let (mut in_range, mut in_check, mut section) = (false, false, "");
    let mut range_answers = Vec::new();
    let mut has_range = false;
    for line in text.lines().map(str::trim).filter(|l| !l.starts_with(';')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["RANGE_BEGIN", ..] => in_range = true,
            ["RANGE_END"] => in_range = false,
            ["STEP", _, "ERROR"] => replay.steps.push(Step::Error(10)),
            ["STEP", _, "TIMEOUT"] => replay.steps.push(Step::Silence),
            ["STEP", _, what] => in_check = *what == "CHECK_ANSWER",
            ["SECTION", name] => section = if *name == "ANSWER" { "answer" } else { "other" },
            ["REPLY", flags @ ..] if in_check && flags.contains(&"SERVFAIL") => {
                replay.expected = None;
            }
            [name, "IN", "A"] => replay.name = name.trim_end_matches('.').to_owned(),
            [name, "IN", "A", address] if section == "answer" && in_range => {
                has_range = true;
                range_answers.push(Rr::a(name, 3600, address));
            }
            [_, "IN", "A", address] if section == "answer" && in_check => {
                replay
                    .expected
                    .iter_mut()
                    .for_each(|e| e.push((*address).to_owned()));
            }
            _ => {}
        }
    }
    if has_range {
        let reply = message(0, 0x8180, (&replay.name, A), [&range_answers, &[], &[]]);
        replay.steps.push(Step::Reply(10, reply));
    }
    replay
}

#[test]
#[ignore = "needs unbound's scenarios: make fetch"]
fn unbound_forwarder_scenarios() {
    for (file, attempts) in [
        ("fwd.rpl", 1),
        ("fwd_timeout.rpl", 5),
        ("fwd_error.rpl", 5),
        ("fwd_error_retries.rpl", 1),
    ] {
        let replay = read_replay(file);
        assert!(!replay.steps.is_empty(), "{file}");
        // A port that is closed is not tried again here: as many servers as the file has errors.
        let servers: Vec<String> = match replay.steps[0] {
            Step::Error(_) => (1..=replay.steps.len())
                .map(|i| format!("216.0.0.{i}"))
                .collect(),
            _ => vec!["216.0.0.1".to_owned()],
        };
        let _options = options(&servers.join(" "), 1, attempts);
        let network = Scripted::new(replay.steps);
        match (network.ask(&replay.name), replay.expected) {
            (Outcome::Answer(answer), Some(expected)) => {
                let found: Vec<String> = answer
                    .answers
                    .iter()
                    .map(|r| match &r.rdata {
                        kamailio_dns::rr::RData::A(ip) => ip.to_string(),
                        other => panic!("{file}: {other:?}"),
                    })
                    .collect();
                assert_eq!(found, expected, "{file}");
            }
            (Outcome::Failed(_), None) => {}
            (outcome, expected) => panic!("{file}: {outcome:?}, expected {expected:?}"),
        }
        assert_eq!(network.steps_left(), 0, "{file}: every step was taken");
    }
}
