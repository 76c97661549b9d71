//! Packets and names that c-ares, unbound and BIND test themselves with: none may panic or cost more than its size
//! allows.
//!
//! They are not in the repository: `make fetch` gets them from Debian's source packages. The tests are ignored unless
//! they are asked for; ci/test.sh does that when the corpus is there, and else counts them as skipped.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::path::PathBuf;

use kamailio_dns::resolver::{Outcome, Question, decode_for_tests, query};
use kamailio_dns::rr::{RData, RecordType};
use support::network::{Manner, Network};
use support::{OptionsGuard, Watchdog};

/// Labels and pointers that the names of one message may cost.
const MAX_STEPS: u32 = 50_000;

/// File names and contents of a folder of a corpus, sorted.
fn files(corpus: &str, folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder: PathBuf = support::corpus(corpus).join(folder);
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

/// Each packet is decoded or refused. At least so many must be decoded.
fn decode_all(packets: &[(String, Vec<u8>)], at_least: usize) {
    let _watchdog = Watchdog::start(60);
    let mut decoded = 0;
    for (name, packet) in packets {
        let Some(message) = decode_for_tests(packet) else {
            assert!(
                packet.len() < 12,
                "{name}: a whole header can always be read"
            );
            continue;
        };
        decoded += 1;
        assert!(
            message.steps <= MAX_STEPS,
            "{name}: {} steps",
            message.steps
        );
        // The root, type, class, TTL and length: no record is shorter.
        let records = message.answers.len() + message.additional.len();
        assert!(records * 11 <= packet.len(), "{name}: {records} records");
        for record in message.answers.iter().chain(&message.additional) {
            assert_eq!(record.class, 1, "{name}");
            assert!(record.ttl <= i32::MAX as u32, "{name}");
        }
    }
    assert!(decoded >= at_least, "{decoded} of {}", packets.len());
}

#[test]
#[ignore = "needs the packets of c-ares: make fetch"]
fn c_ares_packets() {
    decode_all(&files("c-ares", "test/fuzzinput"), 50);
}

#[test]
#[ignore = "needs BIND's packets: make fetch"]
fn bind_packets() {
    decode_all(&files("bind", "fuzz/dns_message_parse.in"), 200);
}

/// Octets of a line of hexadecimal digits.
fn octets(line: &str) -> Option<Vec<u8>> {
    let digits = line.len().is_multiple_of(2) && line.bytes().all(|b| b.is_ascii_hexdigit());
    let pairs = line.as_bytes().chunks(2);
    let octet = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.then(|| pairs.map(octet).collect())?
}

#[test]
#[ignore = "needs unbound's packets: make fetch"]
fn unbound_packets() {
    let mut packets = Vec::new();
    for (name, text) in files("unbound-bookworm", "testdata") {
        if !name.starts_with("test_packets.") {
            continue;
        }
        let text = String::from_utf8(text).unwrap();
        // Beside the packets there are numbers in these files, and comments.
        for (number, line) in text.lines().enumerate() {
            if let Some(packet) = octets(line.trim()).filter(|packet| packet.len() >= 12) {
                packets.push((format!("{name}:{}", number + 1), packet));
            }
        }
    }
    decode_all(&packets, 1000);
}

#[test]
#[ignore = "needs the packets of c-ares: make fetch"]
fn c_ares_known_packets() {
    let mut seen = 0;
    for (name, packet) in files("c-ares", "test/fuzzinput") {
        let Some(message) = decode_for_tests(&packet) else {
            continue;
        };
        seen += usize::from(matches!(
            name.as_str(),
            "answer_a" | "answer_aaaa" | "multi-indir"
        ));
        match name.as_str() {
            "answer_a" => {
                assert_eq!(
                    message.question,
                    Some((b"www.google.com".to_vec(), RecordType::A))
                );
                assert_eq!(message.answers.len(), 1);
                assert_eq!(message.answers[0].rdata, RData::A([1, 2, 3, 4].into()));
                assert_eq!(message.answers[0].ttl, 256);
                assert!(message.complete);
            }
            // An AAAA record with four octets of data.
            "answer_aaaa" => {
                assert!(message.answers.is_empty());
                assert!(message.complete);
            }
            // Pointers to pointers, thousands of them.
            "multi-indir" => assert!(message.answers.len() <= 1),
            _ => {}
        }
    }
    assert!(seen >= 2, "{seen} of the packets that are known");
}

#[test]
#[ignore = "needs the names of c-ares: make fetch"]
fn c_ares_names() {
    let _watchdog = Watchdog::start(60);
    let mut options = OptionsGuard::take();
    options.set("dns_nameservers", "192.0.2.53");
    for (file, text) in files("c-ares", "test/fuzznames") {
        let name = text.strip_suffix(b"\n").unwrap_or(&text);
        let network = Network::new(&[("192.0.2.53:53", Manner::Unsendable)]);
        let question = Question {
            qname: name,
            qtype: RecordType::A,
        };
        let outcome = network.run(|| query(&question, None));
        let good = matches!(file.as_str(), "name01" | "name02" | "name06" | "uri32");
        assert_eq!(
            !matches!(outcome, Outcome::BadName),
            good,
            "{file}: {outcome:?}"
        );
        assert_eq!(!network.take_queries().is_empty(), good, "{file}");
    }
}
