//! Any octets as what comes back to queries, with cookies and random letter case on: no panic, and the
//! question comes to an end in its time with a bounded number of queries.
#![no_main]

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use kamailio_dns::host::options;
use kamailio_dns::resolver::{Event, Handle, Protocol, Question, Transport, query, with_transport};
use kamailio_dns::rr::RecordType;

/// Replies to query and question with octets of the input, each with a length in front.
#[derive(Clone)]
struct Network(Rc<RefCell<World>>);

struct World {
    octets: Vec<u8>,
    now_ms: u64,
    last: u64,
    coming: Vec<(Handle, Event)>,
}

impl Transport for Network {
    fn now_ms(&self) -> u64 {
        self.0.borrow().now_ms
    }

    fn open(&mut self, _: SocketAddr, _: Protocol, query: &[u8]) -> Option<Handle> {
        let world = &mut *self.0.borrow_mut();
        world.last += 1;
        assert!(world.last < 1000, "too many queries");
        let handle = Handle(world.last);
        for _ in 0..2 {
            let Some(length) = world.octets.pop() else {
                break;
            };
            let at = world.octets.len().saturating_sub(usize::from(length));
            let mut message = world.octets.split_off(at);
            // Mostly with the right id and question, or else nothing would be looked at.
            if length & 1 == 0 {
                let question = query.len().min(12 + 16);
                let mut whole = query[..2].to_vec();
                whole.extend(message.iter().take(10));
                whole.resize(12, 0);
                whole[2] = (whole[2] & 0x82) | 0x80;
                whole[4..6].copy_from_slice(&[0, 1]);
                whole.extend(&query[12..question]);
                whole.extend(message.iter().skip(10));
                message = whole;
            }
            world.coming.push((handle, Event::Message(message)));
        }
        Some(handle)
    }

    fn close(&mut self, handle: Handle) {
        self.0
            .borrow_mut()
            .coming
            .retain(|(owner, _)| *owner != handle);
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

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        for (name, value) in [
            ("dns_nameservers", "192.0.2.1 192.0.2.2"),
            ("dns_retr_time", "2"),
            ("dns_retr_no", "2"),
            ("dns_cookies", "1"),
            ("dns_0x20", "1"),
        ] {
            options::set(name, value).unwrap();
        }
    });
    let network = Network(Rc::new(RefCell::new(World {
        octets: octets.to_vec(),
        now_ms: 0,
        last: 0,
        coming: Vec::new(),
    })));
    let question = Question {
        qname: b"ab.example.",
        qtype: RecordType::A,
    };
    let _ = with_transport(Box::new(network.clone()), || query(&question, None));
    let world = network.0.borrow();
    assert!(world.now_ms <= 8000, "timeout * attempts * servers");
});
