//! Properties of the decoder: names survive, nothing panics, the work is bounded.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use kamailio_dns::resolver::config::parse_for_tests;
use kamailio_dns::resolver::decode_for_tests;
use kamailio_dns::rr::{RData, RecordType};
use proptest::prelude::*;
use support::{Rr, wire};

/// A label of 1 to 20 octets of any value, so that three fit into a text of 255 octets.
fn label() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 1..20)
}

fn wire_name(labels: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for label in labels {
        out.push(label.len() as u8);
        out.extend(label);
    }
    out.push(0);
    out
}

/// Reads back what the decoder writes: `\DDD` and `\c`.
fn unescape(text: &[u8]) -> Vec<Vec<u8>> {
    let mut labels = vec![Vec::new()];
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let (octet, used) = match (first, tail) {
            (b'.', _) => {
                labels.push(Vec::new());
                rest = tail;
                continue;
            }
            (b'\\', [a @ b'0'..=b'9', b, c, ..]) => {
                ((a - b'0') * 100 + (b - b'0') * 10 + (c - b'0'), 4)
            }
            (b'\\', [quoted, ..]) => (*quoted, 2),
            (plain, _) => (*plain, 1),
        };
        labels.last_mut().unwrap().push(octet);
        rest = &rest[used..];
    }
    labels
}

fn reply_with(records: &[Rr]) -> Vec<u8> {
    wire::message(1, 0x8180, ("q.example", support::A), [records, &[], &[]])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn names_survive(labels in proptest::collection::vec(label(), 1..4)) {
        let rdata = wire_name(&labels);
        let message = reply_with(&[Rr::raw("q.example", support::CNAME, 1, &rdata)]);
        let decoded = decode_for_tests(&message).unwrap();
        let [record] = decoded.answers.as_slice() else {
            return Err(TestCaseError::fail("one record"));
        };
        let RData::Cname(name) = &record.rdata else {
            return Err(TestCaseError::fail("a CNAME"));
        };
        prop_assert_eq!(unescape(name.as_bytes()), labels);
        prop_assert!(name.as_bytes().iter().all(|o| (0x21..0x7F).contains(o)));
    }

    #[test]
    fn srv_survives(
        numbers in any::<(u16, u16, u16)>(),
        ttl in any::<u32>(),
        target in "[a-z0-9_-]{1,20}(\\.[a-z]{1,10}){0,5}",
    ) {
        let (priority, weight, port) = numbers;
        let message = reply_with(&[Rr::srv("s.example", ttl, priority, weight, port, &target)]);
        let decoded = decode_for_tests(&message).unwrap();
        let RData::Srv(srv) = &decoded.answers[0].rdata else {
            return Err(TestCaseError::fail("a SRV"));
        };
        prop_assert_eq!((srv.priority, srv.weight, srv.port), numbers);
        prop_assert_eq!(srv.target.as_bytes(), target.as_bytes());
        let expected = if ttl > i32::MAX as u32 { 0 } else { ttl };
        prop_assert_eq!(decoded.answers[0].ttl, expected);
    }

    #[test]
    fn any_octets_are_decoded_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
        if let Some(decoded) = decode_for_tests(&octets) {
            prop_assert!(decoded.steps <= 50_000);
        }
    }

    #[test]
    fn damaged_replies_are_decoded_or_refused(
        at in 0_usize..200,
        octet in any::<u8>(),
        cut in 12_usize..220,
    ) {
        let mut message = reply_with(&[
            Rr::a("q.example", 60, "192.0.2.1"),
            Rr::naptr("q.example", 60, (1, 2), ("s", "SIP+D2U", ""), "_sip._udp.q.example"),
            Rr::txt("q.example", 60, &["text"]),
            Rr::ebl("q.example", 60, 1, ".", "e164.arpa"),
            Rr::cname("q.example", 60, "r.example"),
        ]);
        if let Some(place) = message.get_mut(at) {
            *place = octet;
        }
        message.truncate(cut);
        if let Some(decoded) = decode_for_tests(&message) {
            prop_assert!(decoded.answers.len() <= 5 + usize::from(u16::from_be_bytes([message[6], message[7]])));
            for record in &decoded.answers {
                prop_assert!(!matches!(record.rdata, RData::Other) || record.rtype != RecordType::A);
            }
        }
    }

    #[test]
    fn any_resolv_conf_gives_servers(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(parse_for_tests(&text) >= 1);
    }

    #[test]
    fn likely_resolv_conf_gives_servers(
        lines in proptest::collection::vec("(nameserver|search|domain|options|sortlist|;)[ \\t:.%a-z0-9/]{0,40}", 0..12),
    ) {
        let servers = parse_for_tests(lines.join("\n").as_bytes());
        prop_assert!((1..=8).contains(&servers));
    }
}
