//! What must hold for any octets from outside: as a message, as what comes back to queries over UDP and TCP, as
//! resolv.conf, as a hosts file. The fuzzer's targets and the test that replays its seeds (tests/fuzz_seeds.rs) share
//! this.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use kamailio_dns::host::options;
use kamailio_dns::resolver::{
    Event, Handle, Protocol, Question, Transport, config, decode_for_tests, hosts, query,
    with_transport,
};
use kamailio_dns::rr::RecordType;

/// Octets of a header.
const HEADER: usize = 12;
/// The time of one question: timeout, attempts and servers as set below.
const LONGEST_MS: u64 = 2000 * 2 * 2;

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
        assert!(record.owner.len() <= 255);
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
    let network = Network(Rc::new(RefCell::new(World {
        octets: octets.to_vec(),
        protocol,
        now_ms: 0,
        last: 0,
        coming: Vec::new(),
    })));
    let question = Question {
        qname: b"ab.example.",
        qtype: match switches >> 4 {
            0..8 => RecordType::A,
            8..12 => RecordType::SRV,
            _ => RecordType::NAPTR,
        },
    };
    let _ = with_transport(Box::new(network.clone()), || query(&question, None));
    let world = network.0.borrow();
    assert!(
        world.now_ms <= LONGEST_MS,
        "{} ms for timeout * attempts * servers",
        world.now_ms
    );
}

fn set_options(switches: u8) {
    let on = |bit: u8| if switches & bit != 0 { "yes" } else { "no" };
    for (name, value) in [
        ("dns_nameservers", "192.0.2.1 192.0.2.2"),
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

/// Replies with octets of the input.
#[derive(Clone)]
struct Network(Rc<RefCell<World>>);

struct World {
    octets: Vec<u8>,
    protocol: Protocol,
    now_ms: u64,
    last: u64,
    coming: Vec<(Handle, Event)>,
}

impl World {
    /// The next message of the input, for this query.
    fn next_message(&mut self, query: &[u8]) -> Option<Vec<u8>> {
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

impl Transport for Network {
    fn now_ms(&self) -> u64 {
        self.0.borrow().now_ms
    }

    fn open(&mut self, _: SocketAddr, protocol: Protocol, query: &[u8]) -> Option<Handle> {
        let world = &mut *self.0.borrow_mut();
        world.last += 1;
        assert!(world.last < 1000, "too many queries");
        let handle = Handle(world.last);
        if protocol == Protocol::Udp && world.protocol == Protocol::Tcp {
            let truncated = fitted(query, &[0x82, 0x80]);
            world.coming.push((handle, Event::Message(truncated)));
            return Some(handle);
        }
        for _ in 0..2 {
            if let Some(message) = world.next_message(query) {
                world.coming.push((handle, Event::Message(message)));
            }
        }
        Some(handle)
    }

    fn close(&mut self, handle: Handle) {
        let world = &mut *self.0.borrow_mut();
        world.coming.retain(|(owner, _)| *owner != handle);
    }

    fn wait(&mut self, until_ms: u64) -> Option<(Handle, Event)> {
        let world = &mut *self.0.borrow_mut();
        if world.coming.is_empty() {
            world.now_ms = world.now_ms.max(until_ms);
            return None;
        }
        Some(world.coming.remove(0))
    }
}
