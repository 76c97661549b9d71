//! Handles whose numbers say anything: callers keep them in memory of their own. Whatever stands there, a call gives a
//! target or an error, writes nothing beside the handle, and loses no reference.
#![cfg(all(feature = "use_dns_cache", feature = "use_naptr"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]
mod support;

use kamailio_dns::cache::Cache;
use kamailio_dns::rr::RecordType;
use kamailio_dns::select::cursor::{LAYOUTS, Layout};
use kamailio_dns::select::flags::{IPV4_ONLY, SRV_RR_LB, TRY_NAPTR};
use support::handles::{CHandle, Fence, LayoutGuard};
use support::{Rr, Setup};

const NAMES: [&str; 4] = ["x.test", "y.test", "one.test", "10.0.0.7"];
/// What a call gives that found a defect of the library's own.
const E_DNS_INTERNAL_ERR: i32 = 3;
const ROUNDS: usize = 4000;

/// `SplitMix64`, so that a run can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn octets(&mut self) -> Vec<u8> {
        (0..6).flat_map(|_| self.next().to_le_bytes()).collect()
    }
}

/// NAPTR, SRV and address sets of several sizes, in all of which a number can point beside a record.
fn zone(setup: &Setup) {
    let naptr = |order, service, replacement| {
        Rr::naptr("x.test", 3600, (order, 1), ("s", service, ""), replacement)
    };
    setup.server.add_all([
        naptr(1, "SIP+D2U", "_sip._udp.x.test"),
        naptr(2, "SIP+D2T", "_sip._tcp.x.test"),
    ]);
    for record in 0..40_u16 {
        let target = ["one.test", "two.test", "none.test", "10.0.0.9"][usize::from(record) % 4];
        let (priority, port) = (record / 8, 5000 + record);
        let srv = |owner| Rr::srv(owner, 3600, priority, record % 3, port, target);
        setup.server.add(srv("_sip._udp.x.test"));
        if record < 5 {
            setup.server.add(srv("_sip._tcp.x.test"));
            setup.server.add(srv("_sip._udp.y.test"));
        }
    }
    setup.server.add(Rr::a("one.test", 3600, "10.0.0.1"));
    for last in 2..9 {
        let address = format!("10.0.0.{last}");
        setup.server.add(Rr::a("two.test", 3600, &address));
    }
    setup.server.add(Rr::aaaa("two.test", 3600, "2001:db8::2"));
}

/// Writes over some of what is no pointer: all of it, one member, or some octets.
fn spoil(call: &mut CHandle, layout: &Layout, random: &mut Random) {
    let numbers = usize::from(layout.numbers);
    let start = layout.naptr_count.map_or(numbers, usize::from);
    let size = usize::from(layout.size);
    let mut octets = random.octets();
    match random.below(4) {
        0 => call.scribble(start, &octets),
        1 => call.scribble(start, &vec![0xff; size]),
        2 => {
            // Progress in stored order that never was, as the library would write it.
            octets.truncate(4);
            octets[3] |= 0x80;
            call.scribble(numbers, &octets);
        }
        _ => {
            let place = start + random.below(size - start);
            octets.truncate(1 + random.below(8));
            call.scribble(place, &octets);
        }
    }
}

fn one_call(layout: &'static Layout, random: &mut Random) {
    let fence = [Fence::Before, Fence::Behind][random.below(2)];
    let mut call = CHandle::new(layout, fence);
    let name = NAMES[random.below(NAMES.len())];
    let flags = match random.below(3) {
        0 => random.next() as u32,
        1 => IPV4_ONLY | TRY_NAPTR,
        _ => IPV4_ONLY | TRY_NAPTR | SRV_RR_LB,
    };
    for _ in 0..1 + random.below(12) {
        let given = match random.below(4) {
            0 => (random.next() as u16, random.next() as u8),
            _ => (0, 0),
        };
        if let Err(code) = call.resolve(name, given, flags) {
            assert!((-20..0).contains(&code), "{code}");
            assert_ne!(code, -E_DNS_INTERNAL_ERR, "a defect");
        }
        if random.below(3) > 0 {
            call.next();
        }
        match random.below(6) {
            0..3 => spoil(&mut call, layout, random),
            3 => call = call.copy(fence),
            4 => call.seed(random.next() as u32),
            _ => {}
        }
    }
}

#[test]
fn numbers_of_no_meaning_crash_nothing() {
    let setup = Setup::new();
    zone(&setup);
    let seed = std::env::var("GARBAGE_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64);
    println!("GARBAGE_SEED={seed}");
    let mut random = Random(seed);
    for layout in &LAYOUTS {
        let _layout = LayoutGuard::new(layout);
        for _ in 0..ROUNDS {
            one_call(layout, &mut random);
        }
    }
    for (name, rtype) in [
        ("x.test", RecordType::NAPTR),
        ("_sip._udp.x.test", RecordType::SRV),
        ("_sip._tcp.x.test", RecordType::SRV),
        ("_sip._udp.y.test", RecordType::SRV),
        ("two.test", RecordType::A),
        ("two.test", RecordType::AAAA),
    ] {
        let entry = Cache::instance().unwrap();
        let entry = entry.acquire_any_age(name.as_bytes(), rtype).unwrap();
        assert_eq!(entry.reference_count() - 2, 0, "{name} {rtype:?} is held");
    }
}

/// Numbers of no meaning in a handle without entries are what a search begins with, and end there.
#[test]
fn an_empty_handle_begins_whatever_its_numbers_say() {
    let setup = Setup::new();
    zone(&setup);
    for layout in &LAYOUTS {
        let _layout = LayoutGuard::new(layout);
        let mut call = CHandle::new(layout, Fence::Behind);
        call.scribble(layout.numbers.into(), &[0xff; 16]);
        let (_, port, proto) = call.resolve("y.test", (0, 1), IPV4_ONLY).unwrap();
        assert!((5000..5008).contains(&port) && proto == 1, "{port} {proto}");
    }
}
