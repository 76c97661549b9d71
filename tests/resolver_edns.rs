//! EDNS: servers and gateways that it does not suit, how that is found out, and that no zone decides for others.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use kamailio_dns::error::Failure;
use kamailio_dns::host::options;
use kamailio_dns::resolver::{Outcome, Protocol, Question, query};
use kamailio_dns::rr::RecordType;
use support::OptionsGuard;
use support::network::{Network, ask, question_end, reply};

const SERVER: &str = "192.0.2.71:53";
const QUARTER_OF_AN_HOUR_MS: u64 = 900_000;

const GOOD: u16 = 0x8180;
const FORMERR: u16 = 0x8181;
const SERVFAIL: u16 = 0x8182;
const NOTIMP: u16 = 0x8184;

fn options() -> OptionsGuard {
    let mut options = OptionsGuard::take();
    options.set("dns_nameservers", "192.0.2.71");
    options.set("dns_retr_time", "5");
    options.set("dns_retr_no", "1");
    options
}

#[track_caller]
fn good(name: &str) {
    match ask(name) {
        Outcome::Answer(answer) if answer.answers.len() == 1 => {}
        other => panic!("{other:?}"),
    }
}

fn has_opt(query: &[u8]) -> bool {
    query.len() > question_end(query)
}

/// Puts an OPT record into the additional section.
fn with_opt(mut message: Vec<u8>) -> Vec<u8> {
    message[11] += 1;
    message.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    message
}

/// The queries since the last call: true where there was an OPT record.
fn opts(network: &Network) -> Vec<bool> {
    let sent = network.take_queries();
    sent.iter().map(|s| has_opt(&s.octets)).collect()
}

/// What a server does with a query that has an OPT record, none if that is nothing.
type Dislike = fn(&[u8]) -> Option<Vec<u8>>;

/// A server that knows no EDNS.
fn without_edns(dislike: Dislike) -> Network {
    let network = Network::default();
    network.script(SERVER, move |query, _| {
        if has_opt(query) {
            dislike(query)
        } else {
            Some(reply(query, GOOD, true))
        }
    });
    network
}

/// The reply of a small server: the query, with the flags and counts changed and the record behind it.
fn copied(query: &[u8]) -> Vec<u8> {
    let mut message = query.to_vec();
    message[2..4].copy_from_slice(&GOOD.to_be_bytes());
    message[6..12].copy_from_slice(&[0, 1, 0, 0, 0, 0]);
    message.extend(b"\xC0\x0C\x00\x01\x00\x01\x00\x00\x00\x3C\x00\x04\xC0\x00\x02\x01");
    message
}

#[test]
fn a_reply_that_proves_it_counts_for_all_zones_and_for_a_while() {
    let disliked: [Dislike; 2] = [
        |query| Some(reply(query, FORMERR, false)),
        |query| Some(copied(query)),
    ];
    for dislike in disliked {
        let _options = options();
        let network = without_edns(dislike);
        network.run(|| {
            good("a.example.org");
            assert_eq!(opts(&network), [true, false]);
            good("a.example.net");
            assert_eq!(opts(&network), [false]);
            network.sleep(QUARTER_OF_AN_HOUR_MS);
            good("a.example.org");
            assert_eq!(opts(&network), [true, false]);
        });
    }
}

#[test]
fn what_may_be_the_zones_doing_counts_for_all_when_it_is_seen_with_two() {
    let disliked: [Dislike; 3] = [
        |query| Some(reply(query, SERVFAIL, false)),
        |query| Some(reply(query, NOTIMP, false)),
        |query| Some(with_opt(reply(query, FORMERR, false))),
    ];
    for dislike in disliked {
        let _options = options();
        let network = without_edns(dislike);
        network.run(|| {
            good("a.example.org");
            assert_eq!(opts(&network), [true, false]);
            // The zone is spared the detour from now on, others are not.
            good("_sip._udp.example.org");
            assert_eq!(opts(&network), [false]);
            good("a.example.net");
            assert_eq!(opts(&network), [true, false]);
            good("a.example.com");
            assert_eq!(opts(&network), [false]);
            // Tried again after a while; as it was so before one zone is enough.
            network.sleep(QUARTER_OF_AN_HOUR_MS);
            good("a.example.com");
            assert_eq!(opts(&network), [true, false]);
            good("a.example.org");
            assert_eq!(opts(&network), [false]);
        });
    }
}

#[test]
fn a_gateway_that_drops_such_queries_costs_less_than_half_a_second_once() {
    let _options = options();
    let network = without_edns(|_| None);
    network.run(|| {
        good("a.example.org");
        assert_eq!(network.now_ms(), 301);
        assert_eq!(opts(&network), [true, false]);
        good("b.example.org");
        assert_eq!((network.now_ms(), opts(&network)), (302, vec![false]));
        good("a.example.net");
        assert_eq!((network.now_ms(), opts(&network)), (503, vec![true, false]));
        good("a.example.com");
        assert_eq!((network.now_ms(), opts(&network)), (504, vec![false]));
    });
}

/// The answer to the query without EDNS has to come in time also where the server is slow and the time short.
#[test]
fn such_a_gateway_in_front_of_a_slow_server_costs_no_question() {
    let mut options = options();
    options.set("dns_retr_time", "1");
    let network = Network::default();
    network.script(SERVER, |_, _| None);
    network.also(SERVER, 600, |query, _| {
        (!has_opt(query)).then(|| reply(query, GOOD, true))
    });
    network.run(|| {
        for name in [
            "a.example.org",
            "a.example.net",
            "a.example.com",
            "b.example.org",
        ] {
            good(name);
        }
        assert_eq!(opts(&network), [true, false, true, false, false, false]);
    });
}

#[test]
fn silence_to_everything_teaches_nothing_and_costs_no_more_time() {
    let mut options = options();
    options.set("dns_retr_no", "2");
    let network = Network::default();
    network.run(|| {
        assert!(matches!(
            ask("a.example.org"),
            Outcome::Failed(Failure::Timeout)
        ));
        assert_eq!(network.now_ms(), 10_000);
        assert_eq!(opts(&network), [true, false, false]);
    });
    network.script(SERVER, |query, _| Some(with_opt(reply(query, GOOD, true))));
    network.run(|| {
        good("a.example.org");
        assert_eq!(opts(&network), [true]);
    });
}

#[test]
fn the_reply_to_the_first_query_is_still_heard() {
    let _options = options();
    let network = Network::default();
    network.script(SERVER, |_, _| None);
    network.also(SERVER, 2000, |query, _| {
        has_opt(query).then(|| with_opt(reply(query, GOOD, true)))
    });
    network.run(|| {
        good("a.example.org");
        assert_eq!(network.now_ms(), 2000);
        assert_eq!(opts(&network), [true, false, false]);
        // It has shown that it knows EDNS: from now on it is waited for.
        good("a.example.net");
        assert_eq!(opts(&network), [true]);
    });
}

#[test]
fn no_zone_decides_for_others() {
    let disliked: [Dislike; 5] = [
        |query| Some(reply(query, FORMERR, false)),
        |query| Some(reply(query, SERVFAIL, false)),
        |query| Some(reply(query, NOTIMP, false)),
        |query| Some(copied(query)),
        |_| None,
    ];
    for (number, dislike) in disliked.into_iter().enumerate() {
        let _options = options();
        let network = Network::default();
        // A forwarder that passes on what the servers of a zone say.
        network.script(SERVER, move |query, _| match has_opt(query) {
            true if query.get(13..17) == Some(b"evil") => dislike(query),
            true => Some(with_opt(reply(query, GOOD, true))),
            false => Some(reply(query, GOOD, true)),
        });
        network.run(|| {
            good("a.example.org");
            for name in ["evil.example.net", "evil.example.com", "evil.example.info"] {
                let _ = ask(name);
            }
            network.take_queries();
            good("b.example.org");
            assert_eq!(opts(&network), [true], "{number}");
        });
    }
}

#[test]
fn errors_that_do_not_go_away_without_edns_teach_nothing() {
    for flags in [FORMERR, SERVFAIL, NOTIMP] {
        let _options = options();
        let network = Network::default();
        network.script(SERVER, move |query, _| {
            let evil = query.get(13..17) == Some(b"evil");
            let message = reply(query, if evil { flags } else { GOOD }, !evil);
            Some(message)
        });
        network.run(|| {
            for name in ["evil.example.net", "evil.example.com"] {
                assert!(matches!(ask(name), Outcome::Failed(Failure::ServFail)));
                assert_eq!(opts(&network), [true, false]);
            }
            good("a.example.org");
            assert_eq!(opts(&network), [true]);
        });
    }
}

#[test]
fn an_error_with_an_opt_record_of_its_own_is_not_about_edns() {
    for flags in [SERVFAIL, NOTIMP] {
        let _options = options();
        let network = Network::default();
        network.script(SERVER, move |query, _| {
            let end = question_end(query);
            let is_naptr = query[end - 4..end - 2] == [0, 35];
            Some(with_opt(if is_naptr {
                reply(query, flags, false)
            } else {
                reply(query, GOOD, true)
            }))
        });
        network.run(|| {
            let question = Question {
                qname: b"example.org",
                qtype: RecordType::NAPTR,
            };
            let _ = query(&question, None);
            assert_eq!(opts(&network), [true]);
            good("a.example.org");
            assert_eq!(opts(&network), [true]);
        });
    }
}

#[test]
fn a_truncated_repetition_goes_on_over_tcp() {
    let _options = options();
    let network = Network::default();
    network.script(SERVER, |query, protocol| {
        Some(match (has_opt(query), protocol) {
            (true, _) => reply(query, SERVFAIL, false),
            (false, Protocol::Udp) => reply(query, 0x8380, false),
            (false, Protocol::Tcp) => reply(query, GOOD, true),
        })
    });
    network.run(|| {
        good("a.example.org");
        assert_eq!(opts(&network), [true, false, false]);
        good("b.example.org");
        assert_eq!(opts(&network), [false, false]);
    });
}

#[test]
fn the_option_goes_over_what_is_learnt() {
    let mut options = options();
    options.set("dns_edns", "no");
    let network = without_edns(|query| Some(reply(query, FORMERR, false)));
    network.run(|| {
        good("a.example.org");
        assert_eq!(opts(&network), [false]);
        options.set("dns_edns", "yes");
        for _ in 0..2 {
            assert!(matches!(
                ask("a.example.org"),
                Outcome::Failed(Failure::ServFail)
            ));
            assert_eq!(opts(&network), [true]);
        }
        options.set("dns_edns", "auto");
        good("a.example.org");
        assert_eq!(opts(&network), [true, false]);
    });
    for bad in ["maybe", "1", "yes no"] {
        assert!(options::set("dns_edns", bad).is_err(), "{bad}");
    }
}

#[test]
fn a_count_taken_over_from_the_query_does_no_harm() {
    let _options = options();
    for with_address in [true, false] {
        let network = Network::default();
        network.script(SERVER, move |query, _| {
            let mut message = reply(query, GOOD, with_address);
            message[10..12].copy_from_slice(&query[10..12]);
            Some(message)
        });
        let outcome = network.run(|| ask("a.example.org"));
        let Outcome::Answer(answer) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(answer.answers.len(), usize::from(with_address));
        assert_eq!(answer.negative.is_none(), with_address);
    }
}

#[test]
fn copies_to_a_server_that_is_down_reach_it_through_such_a_gateway() {
    let mut options = options();
    options.set("dns_nameservers", "192.0.2.71 192.0.2.72");
    let network = Network::default();
    let other = "192.0.2.72:53";
    network.script(SERVER, |_, _| None);
    network.mute(SERVER);
    network.script(other, |query, _| Some(with_opt(reply(query, GOOD, true))));
    network.run(|| {
        good("a.example.org");
        network.script(SERVER, |query, _| {
            (!has_opt(query)).then(|| reply(query, GOOD, true))
        });
        network.script(other, |_, _| None);
        network.sleep(60_000);
        network.take_queries();
        let from_ms = network.now_ms();
        good("b.example.org");
        assert_eq!(network.now_ms(), from_ms + 1);
    });
}
