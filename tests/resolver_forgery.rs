//! What makes forged replies harder: cookies, random letter case. And servers that know neither.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use kamailio_dns::error::Failure;
use kamailio_dns::resolver::servers::{ServerStatus, snapshot};
use kamailio_dns::resolver::{Answer, Outcome, Protocol};
use support::OptionsGuard;
use support::network::{Manner, Network, ask, question_end, reply};

const SERVER: &str = "192.0.2.61:53";
const NAME: &str = "host.Example.org";

fn options(what: &str) -> OptionsGuard {
    let mut options = OptionsGuard::take();
    options.set("dns_nameservers", "192.0.2.61");
    options.set("dns_retr_time", "5");
    options.set("dns_retr_no", "1");
    options.set(what, "1");
    options
}

#[track_caller]
fn good() -> Answer {
    match ask(NAME) {
        Outcome::Answer(answer) if answer.answers.len() == 1 => answer,
        other => panic!("{other:?}"),
    }
}

fn status() -> ServerStatus {
    let known = snapshot();
    let found = known.iter().find(|s| s.address.to_string() == SERVER);
    found.expect("known").clone()
}

fn question(query: &[u8]) -> Vec<u8> {
    query[12..question_end(query)].to_vec()
}

fn lower_case(mut message: Vec<u8>) -> Vec<u8> {
    let end = question_end(&message) - 4;
    message[12..end].make_ascii_lowercase();
    message
}

/// Protocols of the queries since the last call.
fn protocols(network: &Network) -> Vec<Protocol> {
    let sent = network.take_queries();
    sent.iter().map(|s| s.protocol).collect()
}

use Protocol::{Tcp, Udp};

#[test]
fn letters_are_random_and_callers_do_not_see_it() {
    let _options = options("dns_0x20");
    let network = Network::default();
    network.script(SERVER, |query, _| Some(reply(query, 0x8180, true)));
    network.run(|| {
        for _ in 0..8 {
            let answer = good();
            assert_eq!(answer.qname.as_bytes(), NAME.as_bytes());
            assert_eq!(answer.answers[0].owner.as_bytes(), NAME.as_bytes());
        }
    });
    let sent = network.take_queries();
    assert!(sent.iter().all(|s| s.protocol == Udp));
    let spellings: std::collections::HashSet<Vec<u8>> =
        sent.iter().map(|s| question(&s.octets)).collect();
    // 14 letters: eight that are all the same have no chance.
    assert!(spellings.len() > 1);
}

#[test]
fn a_reply_with_other_letters_is_asked_for_again_over_tcp() {
    let _options = options("dns_0x20");
    let network = Network::default();
    network.script(SERVER, |query, protocol| {
        let message = reply(query, 0x8180, true);
        Some(match protocol {
            Udp => lower_case(message),
            Tcp => message,
        })
    });
    network.run(|| {
        for _ in 0..2 {
            good();
            assert_eq!(protocols(&network), [Udp, Tcp]);
        }
        assert!(!status().without_case_echo, "over TCP it repeats them");
    });
}

#[test]
fn a_server_that_does_not_repeat_letters_is_asked_without() {
    let _options = options("dns_0x20");
    let network = Network::default();
    network.script(SERVER, |query, _| {
        Some(lower_case(reply(query, 0x8180, true)))
    });
    network.run(|| {
        good();
        assert_eq!(protocols(&network), [Udp, Tcp]);
        good();
        let sent = network.take_queries();
        assert_eq!(sent.len(), 1);
        assert_eq!(
            question(&sent[0].octets),
            b"\x04host\x07Example\x03org\0\0\x01\0\x01"
        );
    });
}

/// The data of the COOKIE option of a query.
fn cookie(query: &[u8]) -> Option<Vec<u8>> {
    let opt = &query[question_end(query)..];
    if opt.is_empty() {
        return None;
    }
    let options = &opt[11..];
    (!options.is_empty()).then(|| {
        assert_eq!(options[..3], [0, 10, 0]);
        assert_eq!(usize::from(options[3]), options.len() - 4);
        options[4..].to_vec()
    })
}

/// Appends an OPT record with a COOKIE option and the upper bits of an RCODE.
fn with_cookie(mut message: Vec<u8>, rcode_high: u8, data: &[u8]) -> Vec<u8> {
    message[11] += 1;
    message.extend([0, 0, 41, 4, 208, rcode_high, 0, 0, 0]);
    message.extend([0, data.len() as u8 + 4, 0, 10, 0, data.len() as u8]);
    message.extend(data);
    message
}

fn joined(client: &[u8], server: &[u8]) -> Vec<u8> {
    [client, server].concat()
}

#[test]
fn cookies_go_to_and_fro() {
    let _options = options("dns_cookies");
    let network = Network::default();
    network.script(SERVER, |query, _| {
        let mut data = cookie(query).expect("a cookie");
        data.truncate(8);
        data.extend([5; 16]);
        Some(with_cookie(reply(query, 0x8180, true), 0, &data))
    });
    network.run(|| {
        good();
        good();
        let sent = network.take_queries();
        let (first, second) = (&sent[0].octets, &sent[1].octets);
        let client = cookie(first).unwrap();
        assert_eq!(client.len(), 8);
        assert_eq!(cookie(second).unwrap(), joined(&client, &[5; 16]));
        assert!(status().has_cookie);
        // Another server gets another one.
        kamailio_dns::resolver::reload();
        assert!(!status().has_cookie);
        good();
        let again = network.take_queries();
        let other = cookie(&again[0].octets).unwrap();
        assert!(other.len() == 8 && other != client);
    });
}

#[test]
fn without_the_option_there_is_no_cookie() {
    let _options = options("dns_0x20");
    let network = Network::default();
    network.script(SERVER, |query, _| Some(reply(query, 0x8180, true)));
    network.run(good);
    assert_eq!(cookie(&network.take_queries()[0].octets), None);
}

#[test]
fn a_reply_with_a_wrong_cookie_is_not_seen() {
    let _options = options("dns_cookies");
    for data in [vec![1; 16], vec![1; 8], vec![1; 41], vec![]] {
        let network = Network::default();
        let own = data.clone();
        network.script(SERVER, move |query, _| {
            Some(with_cookie(reply(query, 0x8180, true), 0, &own))
        });
        let outcome = network.run(|| ask(NAME));
        assert!(
            matches!(outcome, Outcome::Failed(Failure::Timeout)),
            "{data:?}: {outcome:?}"
        );
    }
}

#[test]
fn a_server_that_loses_its_cookie_is_asked_over_tcp() {
    let _options = options("dns_cookies");
    let network = Network::default();
    let gives = Arc::new(Mutex::new((true, true)));
    let manner = Arc::clone(&gives);
    network.script(SERVER, move |query, protocol| {
        let (udp, tcp) = *manner.lock().unwrap();
        let message = reply(query, 0x8180, true);
        let mut data = cookie(query).expect("a cookie");
        data.truncate(8);
        data.extend([6; 8]);
        let gives = if protocol == Udp { udp } else { tcp };
        Some(if gives {
            with_cookie(message, 0, &data)
        } else {
            message
        })
    });
    network.run(|| {
        good();
        // Forged, as the server still sends one.
        *gives.lock().unwrap() = (false, true);
        good();
        assert_eq!(protocols(&network), [Udp, Udp, Tcp]);
        assert!(status().has_cookie);
        // The server was replaced by one that does not know cookies.
        *gives.lock().unwrap() = (false, false);
        good();
        assert_eq!(protocols(&network), [Udp, Tcp]);
        assert!(!status().has_cookie);
        good();
        assert_eq!(protocols(&network), [Udp]);
    });
}

#[test]
fn a_refused_cookie_is_replaced_and_then_tcp_tried() {
    let _options = options("dns_cookies");
    let network = Network::default();
    // BADCOOKIE is 23: 7 in the header, 1 in the OPT record.
    network.script(SERVER, |query, protocol| {
        let sent = cookie(query).expect("a cookie");
        let data = joined(&sent[..8], &[7; 8]);
        Some(if protocol == Tcp || sent[8..] == [7; 8] {
            with_cookie(reply(query, 0x8180, true), 0, &data)
        } else {
            with_cookie(reply(query, 0x8187, false), 1, &data)
        })
    });
    network.run(|| {
        good();
        assert_eq!(protocols(&network), [Udp, Udp]);
    });
    let never = Arc::new(AtomicBool::new(false));
    let manner = Arc::clone(&never);
    network.script(SERVER, move |query, protocol| {
        let data = joined(&cookie(query).expect("a cookie")[..8], &[8; 8]);
        Some(if protocol == Tcp && !manner.load(Relaxed) {
            with_cookie(reply(query, 0x8180, true), 0, &data)
        } else {
            with_cookie(reply(query, 0x8187, false), 1, &data)
        })
    });
    network.run(|| {
        good();
        assert_eq!(protocols(&network), [Udp, Udp, Tcp]);
        never.store(true, Relaxed);
        assert!(matches!(ask(NAME), Outcome::Failed(Failure::ServFail)));
        assert_eq!(protocols(&network), [Udp, Udp, Tcp]);
    });
}

#[test]
fn a_server_without_edns_is_asked_without_cookie() {
    let _options = options("dns_cookies");
    let network = Network::default();
    network.script(SERVER, |query, _| {
        let has_opt = query.len() > question_end(query);
        let flags = if has_opt { 0x8181 } else { 0x8180 };
        Some(reply(query, flags, !has_opt))
    });
    network.run(|| {
        good();
        good();
    });
    let sent = network.take_queries();
    let octets: Vec<bool> = sent.iter().map(|s| cookie(&s.octets).is_some()).collect();
    assert_eq!(octets, [true, false, false]);
}

/// The header alone, with these flags: an error that does not repeat the question.
fn without_question(query: &[u8], flags: u16) -> Vec<u8> {
    let mut message = query[..12].to_vec();
    message[2..4].copy_from_slice(&flags.to_be_bytes());
    message[4..].fill(0);
    message
}

fn has_opt(query: &[u8]) -> bool {
    query.len() > question_end(query)
}

const FORMERR: u16 = 0x8181;
const SERVFAIL: u16 = 0x8182;
const REFUSED: u16 = 0x8185;

#[test]
fn an_error_without_question_proves_nothing() {
    for (option, flags) in [
        ("dns_0x20", FORMERR),
        ("dns_0x20", SERVFAIL),
        ("dns_0x20", REFUSED),
        ("dns_cookies", FORMERR),
        ("dns_cookies", SERVFAIL),
    ] {
        let _options = options(option);
        let network = Network::default();
        // Forged over UDP; the server itself answers over TCP.
        network.script(SERVER, move |query, protocol| {
            Some(match protocol {
                Udp => without_question(query, flags),
                Tcp => reply(query, 0x8180, true),
            })
        });
        network.run(|| {
            for _ in 0..2 {
                good();
                let sent = network.take_queries();
                let ways: Vec<Protocol> = sent.iter().map(|s| s.protocol).collect();
                assert_eq!(ways, [Udp, Tcp], "{option} {flags:x}");
                assert!(sent.iter().all(|s| has_opt(&s.octets)));
            }
        });
    }
}

#[test]
fn the_reply_behind_an_error_without_question_is_still_heard() {
    for option in ["dns_0x20", "dns_cookies"] {
        let _options = options(option);
        let network = Network::default();
        network.script(SERVER, |query, protocol| {
            (protocol == Udp).then(|| without_question(query, SERVFAIL))
        });
        network.also(SERVER, 20, |query, protocol| {
            (protocol == Udp).then(|| reply(query, 0x8180, true))
        });
        network.run(good);
        assert_eq!(network.now_ms(), 20, "{option}");
        assert_eq!(protocols(&network), [Udp, Tcp]);
    }
}

#[test]
fn a_server_that_means_its_error_without_question_is_asked_without_edns() {
    // It says so over TCP, too: from then on everybody knows.
    let _options = options("dns_0x20");
    let network = Network::default();
    network.script(SERVER, |query, _| {
        Some(if has_opt(query) {
            without_question(query, FORMERR)
        } else {
            reply(query, 0x8180, true)
        })
    });
    network.run(|| {
        good();
        assert_eq!(protocols(&network), [Udp, Tcp, Tcp]);
        good();
        let sent = network.take_queries();
        assert!(sent.len() == 1 && !has_opt(&sent[0].octets));
    });
}

/// Nothing comes over TCP, not even a refusal: the question without EDNS does not wait for that.
#[test]
fn with_silent_tcp_the_question_is_repeated_without_edns_in_time() {
    for option in ["dns_0x20", "dns_cookies"] {
        let _options = options(option);
        let network = Network::default();
        network.script(SERVER, |query, protocol| match (protocol, has_opt(query)) {
            (Tcp, _) => None,
            (Udp, true) => Some(without_question(query, FORMERR)),
            (Udp, false) => Some(reply(query, 0x8180, true)),
        });
        network.run(|| {
            good();
            let sent = network.take_queries();
            let opts: Vec<bool> = sent.iter().map(|s| has_opt(&s.octets)).collect();
            assert_eq!(opts, [true, true, false], "{option}");
            assert!(network.now_ms() < 1000, "{option}: {} ms", network.now_ms());
        });
    }
}

/// The reply of a server that cannot read the OPT record, nor say of which question.
fn only_without_opt(query: &[u8]) -> Vec<u8> {
    match has_opt(query) {
        true => without_question(query, FORMERR),
        false => reply(query, 0x8180, true),
    }
}

#[test]
fn without_tcp_the_question_is_repeated_without_edns_and_nothing_is_learnt() {
    for option in ["dns_0x20", "dns_cookies"] {
        let _options = options(option);
        let network = Network::default();
        network.closes_tcp(SERVER);
        network.script(SERVER, |query, _| Some(only_without_opt(query)));
        network.run(|| {
            for _ in 0..2 {
                good();
                let sent = network.take_queries();
                let opts: Vec<bool> = sent.iter().map(|s| has_opt(&s.octets)).collect();
                assert_eq!(opts, [true, true, false], "{option}");
            }
        });
        // Nothing but such errors: no more than that is sent.
        network.script(SERVER, |query, _| Some(without_question(query, FORMERR)));
        network.run(|| {
            assert!(matches!(ask(NAME), Outcome::Failed(_)));
            assert_eq!(protocols(&network), [Udp, Tcp, Udp], "{option}");
        });
    }
}

/// As above, of a server on this host: the kernel says so before anything is waited for.
#[test]
fn with_tcp_refused_at_once_the_question_is_repeated_without_edns_in_time() {
    for option in ["dns_0x20", "dns_cookies"] {
        let _options = options(option);
        let network = Network::default();
        network.refuses_tcp(SERVER);
        network.script(SERVER, |query, _| Some(only_without_opt(query)));
        network.run(|| {
            good();
            let sent = network.take_queries();
            let opts: Vec<bool> = sent.iter().map(|s| has_opt(&s.octets)).collect();
            assert_eq!(opts, [true, true, false], "{option}");
            assert_eq!(network.now_ms(), 2, "{option}");
        });
    }
}

#[test]
fn a_known_cookie_is_not_given_up_for_an_error_without_question() {
    let _options = options("dns_cookies");
    let network = Network::default();
    network.closes_tcp(SERVER);
    let attacked = Arc::new(AtomicBool::new(false));
    let state = Arc::clone(&attacked);
    network.script(SERVER, move |query, _| {
        if state.load(Relaxed) {
            return Some(without_question(query, FORMERR));
        }
        let mut data = cookie(query).expect("a cookie");
        data.truncate(8);
        data.extend([5; 16]);
        Some(with_cookie(reply(query, 0x8180, true), 0, &data))
    });
    network.run(|| {
        good();
        network.take_queries();
        attacked.store(true, Relaxed);
        assert!(matches!(ask(NAME), Outcome::Failed(Failure::Timeout)));
        let sent = network.take_queries();
        assert!(sent.iter().all(|s| cookie(&s.octets).is_some()));
        assert!(status().has_cookie);
    });
}

#[test]
fn a_notice_that_the_port_is_closed_costs_one_attempt() {
    let mut options = options("dns_0x20");
    options.set("dns_retr_no", "3");
    options.set("dns_edns", "yes");
    let network = Network::new(&[(SERVER, Manner::Closed(1))]);
    network.run(|| {
        // The one that was sent by somebody else: the next attempt has its whole time.
        let later = network.clone();
        network.interrupt(0, move || later.set(SERVER, Manner::Answers(4900)));
        good();
        // The third packet of the second attempt goes out from another port.
        assert_eq!(network.take_sent(), [(0, 61), (1, 61), (901, 61)]);
        assert!(status().up);
        // A port that is closed indeed.
        network.set(SERVER, Manner::Closed(1));
        assert!(matches!(ask(NAME), Outcome::Failed(Failure::Network)));
        assert_eq!(network.take_sent().len(), 3);
        assert!(status().up, "only silence says that");
        assert_eq!(status().failures, 3);
    });
}

#[test]
fn addresses_of_another_length_and_records_of_another_class_are_no_answers() {
    let _options = options("dns_0x20");
    for (class, data) in [
        (1, &[192, 0, 2, 1, 0][..]),
        (1, &[192, 0, 2]),
        (3, &[192, 0, 2, 1]),
        (255, &[192, 0, 2, 1]),
    ] {
        let network = Network::default();
        network.script(SERVER, move |query, _| {
            let mut message = reply(query, 0x8180, false);
            message[7] = 1;
            message.extend([0xC0, 12, 0, 1, 0, class, 0, 0, 0, 60, 0, data.len() as u8]);
            message.extend(data);
            Some(message)
        });
        let outcome = network.run(|| ask(NAME));
        assert!(
            matches!(outcome, Outcome::Failed(Failure::Malformed)),
            "{class} {data:?}: {outcome:?}"
        );
    }
}
