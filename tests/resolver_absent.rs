//! Servers that do not know a type, do not recurse, or hang up: what that says about a name, and who is asked next.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use kamailio_dns::error::Failure;
use kamailio_dns::resolver::{Outcome, Protocol, Question, query};
use kamailio_dns::rr::RecordType;
use support::OptionsGuard;
use support::network::{Manner, Network, question_end, reply};

const ONE: &str = "192.0.2.81:53";
const TWO: &str = "192.0.2.82:53";

const GOOD: u16 = 0x8180;
const NOTIMP: u16 = 0x8184;
const SERVFAIL: u16 = 0x8182;
const REFUSED: u16 = 0x8185;

/// Two servers, 5 s for each, twice round.
fn options() -> OptionsGuard {
    let mut options = OptionsGuard::take();
    options.set("dns_nameservers", "192.0.2.81 192.0.2.82");
    options.set("dns_retr_time", "5");
    options.set("dns_retr_no", "2");
    options.set("dns_edns", "no");
    options
}

fn ask_for(qtype: RecordType) -> Outcome {
    let question = Question {
        qname: b"example.org",
        qtype,
    };
    query(&question, None)
}

#[track_caller]
fn absent(outcome: &Outcome) {
    match outcome {
        Outcome::Answer(answer) => {
            let negative = answer.negative.expect("no records");
            assert!(!negative.nxdomain && negative.ttl.is_none());
        }
        other => panic!("{other:?}"),
    }
}

fn says(network: &Network, server: &str, flags: u16) {
    network.script(server, move |query, _| Some(reply(query, flags, false)));
}

/// A reply with one SRV record.
fn with_srv(query: &[u8]) -> Vec<u8> {
    let mut message = reply(query, GOOD, false);
    message[7] = 1;
    message.extend(b"\xC0\x0C\x00\x21\x00\x01\x00\x00\x00\x3C\x00\x09\0\0\0\0\x13\xC4\x01h\x00");
    message
}

fn servers(network: &Network) -> Vec<u8> {
    network.take_sent().iter().map(|sent| sent.1).collect()
}

/// Flags of replies by which a server that is well says that it cannot help: NOTIMP, and NOERROR without RA and AA.
const OF_NO_USE: [u16; 2] = [NOTIMP, 0x8100];

#[test]
fn the_next_server_is_asked_and_counts() {
    for flags in OF_NO_USE {
        let _options = options();
        let network = Network::default();
        says(&network, ONE, flags);
        network.script(TWO, |query, _| Some(with_srv(query)));
        network.run(|| {
            let Outcome::Answer(answer) = ask_for(RecordType::SRV) else {
                panic!("no answer");
            };
            assert!(answer.answers.len() == 1 && answer.negative.is_none());
            assert_eq!(servers(&network), [81, 82]);
        });
    }
}

#[test]
fn without_another_that_knows_there_are_no_such_records() {
    for flags in OF_NO_USE {
        for other in [Some(flags), Some(REFUSED), None] {
            let _options = options();
            let network = Network::default();
            says(&network, ONE, flags);
            match other {
                Some(flags) => says(&network, TWO, flags),
                None => network.set(TWO, Manner::Closed(1)),
            }
            network.run(|| absent(&ask_for(RecordType::NAPTR)));
        }
    }
}

#[test]
fn who_could_not_answer_may_still_know() {
    let _options = options();
    let network = Network::default();
    says(&network, ONE, NOTIMP);
    says(&network, TWO, SERVFAIL);
    let outcome = network.run(|| ask_for(RecordType::SRV));
    assert!(matches!(outcome, Outcome::Failed(Failure::ServFail)));
}

#[test]
fn a_second_server_that_is_down_is_waited_for_once() {
    let _options = options();
    let network = Network::default();
    says(&network, ONE, NOTIMP);
    network.run(|| {
        absent(&ask_for(RecordType::SRV));
        assert_eq!(network.now_ms(), 5001);
        network.take_sent();
        // A copy goes to it, as ever; nobody waits.
        absent(&ask_for(RecordType::SRV));
        assert_eq!(network.now_ms(), 5002);
        assert_eq!(servers(&network), [81, 82]);
    });
}

#[test]
fn every_server_knows_addresses() {
    let _options = options();
    let network = Network::default();
    says(&network, ONE, NOTIMP);
    says(&network, TWO, NOTIMP);
    network.run(|| {
        let outcome = ask_for(RecordType::A);
        assert!(matches!(outcome, Outcome::Failed(Failure::ServFail)));
        absent(&ask_for(RecordType::AAAA));
    });
}

#[test]
fn one_that_speaks_for_the_zone_or_recurses_means_what_it_says() {
    // AA, RA.
    for flags in [0x8500, 0x8180] {
        let _options = options();
        let network = Network::default();
        says(&network, ONE, flags);
        network.run(|| {
            absent(&ask_for(RecordType::SRV));
            assert_eq!(servers(&network), [81]);
        });
    }
    // It has something to say of the zone, if not of the name.
    let _options = options();
    let network = Network::default();
    network.script(ONE, |query, _| {
        let mut message = reply(query, 0x8100, false);
        message[9] = 1;
        message.extend(b"\xC0\x0C\x00\x06\x00\x01\x00\x00\x00\x3C\x00\x16\0\0");
        message.extend([0; 20]);
        Some(message)
    });
    network.run(|| {
        assert!(matches!(ask_for(RecordType::SRV), Outcome::Answer(_)));
        assert_eq!(servers(&network), [81]);
    });
}

#[test]
fn a_connection_that_ends_without_an_answer_costs_an_attempt() {
    let mut options = options();
    options.set("dns_nameservers", "192.0.2.81");
    let network = Network::default();
    let mut connections = 0;
    network.script(ONE, move |query, protocol| match protocol {
        Protocol::Udp => Some(reply(query, 0x8380, false)),
        Protocol::Tcp => {
            connections += 1;
            let end = question_end(query);
            assert_eq!(query.len(), end, "no OPT record");
            (connections > 1).then(|| reply(query, GOOD, true))
        }
    });
    network.ends_silent_tcp(ONE);
    network.run(|| {
        assert!(matches!(ask_for(RecordType::A), Outcome::Answer(_)));
        let sent = network.take_queries();
        let protocols: Vec<Protocol> = sent.iter().map(|s| s.protocol).collect();
        use Protocol::{Tcp, Udp};
        assert_eq!(protocols, [Udp, Tcp, Udp, Tcp]);
    });
}

/// TC over TCP: records are missing, and nothing says which.
#[test]
fn a_truncated_reply_over_tcp_denies_nothing() {
    const TRUNCATED: u16 = GOOD | 0x0200;
    let mut options = options();
    options.set("dns_nameservers", "192.0.2.81");
    let network = Network::default();
    says(&network, ONE, TRUNCATED);
    network.run(|| {
        let outcome = ask_for(RecordType::SRV);
        assert!(matches!(outcome, Outcome::Failed(Failure::Malformed)));
    });
    // The next server may know, and what did come counts.
    options.set("dns_nameservers", "192.0.2.81 192.0.2.82");
    network.script(TWO, |query, _| {
        let mut message = with_srv(query);
        message[2] |= 0x02;
        Some(message)
    });
    network.run(|| {
        let Outcome::Answer(answer) = ask_for(RecordType::SRV) else {
            panic!("no answer");
        };
        assert!(answer.answers.len() == 1 && answer.negative.is_none());
    });
}
