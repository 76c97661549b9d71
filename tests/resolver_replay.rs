//! The resolver over scripted replies and a virtual clock: no sockets, no waiting. The servers live; nothing is sent
//! again (see tests/resolver_resend.rs and tests/resolver_probe.rs).
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

#[allow(dead_code, unreachable_pub, reason = "shared with tests/rpl.rs")]
#[path = "rpl/parser.rs"]
mod parser;

use kamailio_dns::error::Failure;
use kamailio_dns::resolver::{Outcome, Protocol};
use kamailio_dns::rr::RData;
use parser::Action;
use support::network::{self, Network};
use support::wire::message;
use support::{A, OptionsGuard, Reply, Rr, Scripted};

/// A network whose servers, whichever is asked, take these steps in turn, then none.
fn scripted(steps: impl IntoIterator<Item = Reply>) -> (Network, Scripted) {
    let (network, servers) = (Network::default(), Scripted::default());
    servers.in_turn(steps);
    let own = [51, 52, 59].map(|last| format!("192.0.2.{last}:53"));
    let unbounds = (1..=20).map(|last| format!("216.0.0.{last}:53"));
    for address in own.into_iter().chain(unbounds) {
        network.place(&address, &servers);
    }
    (network, servers)
}

fn ask(network: &Network, name: &str) -> Outcome {
    network.run(|| network::ask(name))
}

/// A message after so many ms.
fn after(ms: u64, message: Vec<u8>) -> Reply {
    Reply::message(message).delay_ms(ms)
}

/// The network reports a failure after so many ms.
fn error(ms: u64) -> Reply {
    Reply::closed().delay_ms(ms)
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

#[test]
fn silence_takes_exactly_timeout_times_attempts_times_servers() {
    let _options = options(SERVERS, 5, 3);
    let (network, _) = scripted([]);
    let outcome = ask(&network, "host.example.org");
    assert!(matches!(outcome, Outcome::Failed(Failure::Timeout)));
    assert_eq!(network.now_ms(), 30_000);
    let order = network.take_sent();
    let expected = [(0, 51), (5, 52), (10, 51), (15, 52), (20, 51), (25, 52)];
    assert_eq!(order, expected.map(|(s, server)| (s * 1000, server)));
}

#[test]
fn tcp_stays_within_the_time_of_the_question() {
    let _options = options("192.0.2.51", 2, 2);
    let truncated = || after(1900, rcode("host.example.org", 0x8380));
    let (network, _) = scripted([truncated(), Reply::silent(), truncated(), Reply::silent()]);
    let outcome = ask(&network, "host.example.org");
    assert!(matches!(outcome, Outcome::Failed(Failure::Timeout)));
    assert!(network.now_ms() <= 4000, "{} ms", network.now_ms());
    let protocols: Vec<Protocol> = network.take_queries().iter().map(|s| s.protocol).collect();
    assert_eq!(protocols[..2], [Protocol::Udp, Protocol::Tcp]);
}

#[test]
fn reply_to_an_earlier_query_ends_the_wait() {
    let _options = options(SERVERS, 1, 2);
    let (network, _) = scripted([after(1500, good("host.example.org"))]);
    assert!(matches!(
        ask(&network, "host.example.org"),
        Outcome::Answer(_)
    ));
    assert_eq!(network.now_ms(), 1500);
    assert_eq!(network.take_sent().len(), 2);
}

#[test]
fn late_refusal_does_not_disturb_the_current_server() {
    let _options = options(SERVERS, 1, 2);
    let (network, _) = scripted([
        after(1200, rcode("host.example.org", 0x8185)),
        after(700, good("host.example.org")),
    ]);
    assert!(matches!(
        ask(&network, "host.example.org"),
        Outcome::Answer(_)
    ));
    assert_eq!((network.now_ms(), network.take_sent().len()), (1700, 2));
}

#[test]
fn unreachable_servers_cost_no_time() {
    let _options = options(SERVERS, 5, 3);
    // One is not tried again, the other costs an attempt each time.
    let errors = [error(2), error(2), error(2)];
    let (network, _) = scripted(std::iter::once(Reply::unsendable()).chain(errors));
    let outcome = ask(&network, "host.example.org");
    assert!(matches!(outcome, Outcome::Failed(Failure::Network)));
    assert_eq!((network.now_ms(), network.take_sent().len()), (6, 4));
}

#[test]
fn many_attempts_keep_few_queries_open() {
    let _options = options("192.0.2.51", 1, 1000);
    let (network, _) = scripted([]);
    assert!(matches!(
        ask(&network, "host.example.org"),
        Outcome::Failed(Failure::Timeout)
    ));
    assert_eq!(
        (network.now_ms(), network.take_sent().len()),
        (1_000_000, 1000)
    );
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
        let (network, _) = scripted([]);
        let outcome = network.run(|| network::ask_until("host.example.org", Some(deadline_ms)));
        assert!(matches!(outcome, Outcome::Failed(Failure::Timeout)));
        assert_eq!(
            (network.now_ms(), network.take_sent().len()),
            (ends_ms, queries),
            "deadline {deadline_ms}"
        );
    }
}

/// What comes back to the one question of a scenario, and what the question is to end in.
struct Replay {
    name: String,
    steps: Vec<Reply>,
    /// The first step is an error of the network.
    fails: bool,
    /// Addresses of the final answer, or `None` for SERVFAIL.
    expected: Option<Vec<Rr>>,
}

/// The steps as a stub resolver can be told them; the one range comes last.
fn read_replay(file: &str) -> Replay {
    let path = support::corpus("unbound-bookworm")
        .join("testdata")
        .join(file);
    let text = std::fs::read_to_string(path).expect("replay file");
    let scenario = parser::parse(&text).expect(file);
    let mut replay = Replay {
        name: String::new(),
        steps: Vec::new(),
        fails: false,
        expected: None,
    };
    for step in scenario.steps {
        match step.action {
            Action::Query(entry) => replay.name = entry.question.expect("a question").0,
            Action::Error => {
                replay.fails |= replay.steps.is_empty();
                replay.steps.push(error(10));
            }
            Action::Timeout => replay.steps.push(Reply::silent()),
            Action::CheckAnswer(entry) => {
                replay.expected = (entry.rcode() != 2).then_some(entry.answers);
            }
            Action::Nothing => {}
            other => panic!("{file}: {other:?}"),
        }
    }
    let entries = scenario.ranges.iter().flat_map(|range| &range.entries);
    for entry in entries {
        let sections = [
            &entry.answers[..],
            &entry.authorities[..],
            &entry.additional[..],
        ];
        let reply = message(0, entry.flags, (&replay.name, A), sections);
        replay.steps.push(after(10, reply));
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
        let servers = if replay.fails { replay.steps.len() } else { 1 };
        let servers: Vec<String> = (1..=servers).map(|i| format!("216.0.0.{i}")).collect();
        let _options = options(&servers.join(" "), 1, attempts);
        let (network, steps) = scripted(replay.steps);
        match (ask(&network, &replay.name), replay.expected) {
            (Outcome::Answer(answer), Some(expected)) => {
                let found: Vec<Rr> = answer
                    .answers
                    .iter()
                    .map(|record| match &record.rdata {
                        RData::A(ip) => Rr::a(&replay.name, record.ttl, &ip.to_string()),
                        other => panic!("{file}: {other:?}"),
                    })
                    .collect();
                assert_eq!(found, expected, "{file}");
            }
            (Outcome::Failed(_), None) => {}
            (outcome, expected) => panic!("{file}: {outcome:?}, expected {expected:?}"),
        }
        assert_eq!(steps.turns_left(), 0, "{file}: every step was taken");
    }
}
