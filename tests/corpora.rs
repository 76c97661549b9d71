//! Packets and names that c-ares collected: none may panic or cost more than its size allows.
//!
//! The corpora lie outside the repository; without them there is nothing to run here, and the test
//! says so.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;

use kamailio_dns::resolver::{
    Event, Handle, Outcome, Protocol, Question, Transport, decode_for_tests, query, with_transport,
};
use kamailio_dns::rr::{RData, RecordType};
use support::{OptionsGuard, Watchdog};

/// Labels and pointers that the names of one message may cost.
const MAX_STEPS: u32 = 50_000;

/// File names and contents of a corpus, sorted.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let Some(folder) = support::shared_folder() else {
        eprintln!("no corpora here: set KAMAILIO_DNS_SHARED");
        return Vec::new();
    };
    let folder: PathBuf = folder.join("corpora").join(name);
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

#[test]
fn packets_are_decoded_or_refused() {
    let _watchdog = Watchdog::start(60);
    let mut decoded = 0;
    let files = corpus("c-ares-packets");
    for (name, packet) in &files {
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
    assert!(
        files.is_empty() || decoded > 50,
        "{decoded} of {}",
        files.len()
    );
}

#[test]
fn known_packets() {
    for (name, packet) in corpus("c-ares-packets") {
        let Some(message) = decode_for_tests(&packet) else {
            continue;
        };
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
}

/// Counts queries, never answers.
struct Silent(Rc<Cell<u32>>);

impl Transport for Silent {
    fn now_ms(&self) -> u64 {
        0
    }

    fn open(&mut self, _: SocketAddr, _: Protocol, _: &[u8]) -> Option<Handle> {
        self.0.set(self.0.get() + 1);
        None
    }

    fn close(&mut self, _: Handle) {}

    fn wait(&mut self, _: u64) -> Option<(Handle, Event)> {
        None
    }
}

#[test]
fn names_are_asked_for_or_refused() {
    let _watchdog = Watchdog::start(60);
    let mut options = OptionsGuard::take();
    options.set("dns_nameservers", "192.0.2.53");
    for (file, text) in corpus("c-ares-names") {
        let name = text.strip_suffix(b"\n").unwrap_or(&text);
        let queries = Rc::new(Cell::new(0));
        let question = Question {
            qname: name,
            qtype: RecordType::A,
        };
        let outcome = with_transport(Box::new(Silent(Rc::clone(&queries))), || {
            query(&question, None)
        });
        let good = matches!(file.as_str(), "name01" | "name02" | "name06" | "uri32");
        assert_eq!(
            !matches!(outcome, Outcome::BadName),
            good,
            "{file}: {outcome:?}"
        );
        assert_eq!(queries.get() > 0, good, "{file}");
    }
}
