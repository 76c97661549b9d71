//! What must hold for any octets from outside: as a message, as what comes back to queries over UDP and TCP, as
//! resolv.conf, as a hosts file. The fuzzer's targets and the test that replays its seeds (tests/fuzz_seeds.rs) share
//! this.

use kamailio_dns::host::options;
use kamailio_dns::resolver::{Protocol, Question, config, decode_for_tests, hosts, query};
use kamailio_dns::rr::RecordType;

use crate::net::memory::Network;
use crate::net::script::{Deed, Scripted, What};

/// Octets of a header.
const HEADER: usize = 12;
/// The time of one question: timeout, attempts and servers as set below, and an attempt more over TCP.
const LONGEST_MS: u64 = TIMEOUT_MS * 2 * 2 + TIMEOUT_MS;
const TIMEOUT_MS: u64 = 2000;
const SERVERS: &str = "192.0.2.1 192.0.2.2";

/// Any octets as a DNS message: no panic, bounded work, only usable records.
pub(crate) fn message(octets: &[u8]) {
    let Some(decoded) = decode_for_tests(octets) else {
        assert!(octets.len() < HEADER, "a whole header can always be read");
        return;
    };
    assert!(decoded.steps <= 50_000);
    for record in decoded.answers.iter().chain(&decoded.additional) {
        assert_eq!(record.class, 1);
        assert!(record.ttl <= i32::MAX as u32);
        assert!(record.owner.as_bytes().len() <= 255);
        assert!(record.owner.as_bytes().iter().all(u8::is_ascii_graphic));
    }
}

/// Any octets as a resolv.conf: no panic, and there is always a server to ask.
pub(crate) fn resolv_conf(octets: &[u8]) {
    assert!((1..=8).contains(&config::parse_for_tests(octets)));
}

/// Any octets as a hosts file: no panic, no more names than octets, every name found.
pub(crate) fn hosts_file(octets: &[u8]) {
    let mut words = octets.split(u8::is_ascii_whitespace);
    let last_word = words.next_back().unwrap_or_default();
    let (names, found) = hosts::parse_for_tests(octets, last_word);
    assert!(names <= octets.len());
    assert!(found.is_none_or(|addresses| !addresses.is_empty()));
}

/// Any octets as what comes back to queries: no panic, and the question comes to an end in its time with a bounded
/// number of queries. Over TCP means that each query over UDP is answered "too long for this".
///
/// The first octet says which options are on. The others are messages from the last on, each with its length behind it:
/// an even one has the id and the question of the query put into it, or else few would be looked at.
pub(crate) fn replies(octets: &[u8], protocol: Protocol) {
    let Some((&switches, octets)) = octets.split_first() else {
        return;
    };
    set_options(switches);
    let mut messages = Messages {
        octets: octets.to_vec(),
        queries: 0,
    };
    let (network, server) = (Network::default(), Scripted::default());
    // Nothing that is sent is answered as it should be, the question whether the server lives neither.
    server.take_probes_as_questions();
    server.answer_with(move |query, tcp| messages.answer(query, !tcp && protocol == Protocol::Tcp));
    network.refuse_resends();
    for address in SERVERS.split(' ') {
        network.place(&format!("{address}:53"), &server);
    }
    let question = Question {
        qname: b"ab.example.",
        qtype: match switches >> 4 {
            0..8 => RecordType::A,
            8..12 => RecordType::SRV,
            _ => RecordType::NAPTR,
        },
    };
    let _ = network.run(|| query(&question, None));
    let took_ms = network.now_ms();
    assert!(
        took_ms <= LONGEST_MS,
        "{took_ms} ms for timeout * attempts * servers, and TCP"
    );
}

fn set_options(switches: u8) {
    let on = |bit: u8| if switches & bit != 0 { "yes" } else { "no" };
    for (name, value) in [
        ("dns_nameservers", SERVERS),
        ("dns_retr_time", "2"),
        ("dns_retr_no", "2"),
        ("dns_cookies", on(1)),
        ("dns_0x20", on(2)),
        ("dns_edns", if switches & 4 != 0 { "yes" } else { "auto" }),
    ] {
        // As it is, it stays: the settings need not be made anew.
        let now = options::get(name);
        let is_set = |now: &str| now == value || (now == "1") == (value == "yes") && now.len() == 1;
        if !now.as_deref().is_some_and(is_set) {
            options::set(name, value).expect("a good value");
        }
    }
}

/// The messages of an input, the last one first.
struct Messages {
    octets: Vec<u8>,
    queries: u32,
}

impl Messages {
    /// What comes back at once to a query: up to two messages.
    fn answer(&mut self, query: &[u8], truncates: bool) -> Vec<Deed> {
        self.queries += 1;
        assert!(self.queries < 1000, "too many queries");
        if truncates {
            return vec![(0, What::Message(fitted(query, &[0x82, 0x80])))];
        }
        let next = (0..2).filter_map(|_| self.next(query));
        next.map(|message| (0, What::Message(message))).collect()
    }

    /// The next message of the input, for this query.
    fn next(&mut self, query: &[u8]) -> Option<Vec<u8>> {
        let length = self.octets.pop()?;
        let at = self.octets.len().saturating_sub(usize::from(length));
        let message = self.octets.split_off(at);
        Some(if length & 1 == 0 {
            fitted(query, &message)
        } else {
            message
        })
    }
}

/// The message with the id and the question of a query.
fn fitted(query: &[u8], message: &[u8]) -> Vec<u8> {
    let question = query.get(HEADER..).unwrap_or_default();
    // The name of the question, type and class.
    let question = question.get(..16).unwrap_or(question);
    let mut whole = query.get(..2).unwrap_or_default().to_vec();
    whole.extend(message.iter().take(HEADER - 2));
    whole.resize(HEADER, 0);
    whole[2] = (whole[2] & 0x82) | 0x80;
    whole[4..6].copy_from_slice(&[0, 1]);
    whole.extend(question);
    whole.extend(message.iter().skip(HEADER - 2));
    whole
}
