//! A call that came through NAPTR records goes on among them, whatever name its caller has by then and whatever the
//! cache has lost: what the handle holds leads back.
#![cfg(all(feature = "use_dns_cache", feature = "use_naptr"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]
#![allow(unsafe_code, reason = "calls the C interface")]

mod support;

use std::collections::HashMap;
use std::net::IpAddr;

use kamailio_dns::cache::Cache;
use kamailio_dns::ffi::handle::{
    dns_sip_resolve, dns_srv_handle_init, dns_srv_handle_next, dns_srv_handle_put,
};
use kamailio_dns::ffi::types::{_str, ip_addr};
use kamailio_dns::host::metrics::{self, Metric};
use kamailio_dns::host::{clock, options};
use kamailio_dns::lookup;
use kamailio_dns::rr::{RData, RecordType};
use kamailio_dns::select::cursor::{LAYOUTS, Layout};
use kamailio_dns::select::flags::{IPV4_ONLY, SRV_RR_LB, TRY_NAPTR};
use kamailio_dns::select::{Cursor, SelectError, handle};
use support::handles::{CHandle, Fence, LayoutGuard};
use support::set::{self, Set};
use support::{A, NAPTR, Rr, SRV, Setup};

const END_OF_LIST: i32 = -1;
const FLAGS: u32 = IPV4_ONLY | TRY_NAPTR;

type Target = (IpAddr, u16, u8);

/// With room for all that the tests of many owners keep. The size is that of the first cache of the program.
fn setup() -> Setup {
    options::set("dns_cache_mem", "65536").unwrap();
    Setup::patient()
}

fn empty() {
    Cache::instance().unwrap().flush(true);
}

fn naptr(order: u16, replacement: &str) -> RData {
    set::naptr((order, 1), ("s", "SIP+D2U", ""), replacement)
}

fn srv(port: u16, target: &str) -> RData {
    set::srv(1, 1, port, target)
}

/// Stores a set as an answer does; for one that is there it is a refresh.
fn arrive(owner: &str, rtype: RecordType, ttl: u32, records: &[RData]) {
    let set = Set::of(owner, rtype).records(ttl, records);
    set.put(Cache::instance().unwrap(), clock::now_ticks())
        .unwrap();
}

fn lost() -> u64 {
    metrics::value(Metric::NaptrLost)
}

/// Two ways on from a domain, in domains of others, as those have it who host for many.
fn hosted(setup: &Setup, (naptr_ttl, srv_ttl): (u32, u32)) {
    let strings = ("s", "SIP+D2U", "");
    for (owner, rtype) in [
        ("n.test", NAPTR),
        ("_sip._udp.a.other", SRV),
        ("_sip._udp.b.other", SRV),
    ] {
        setup.server.remove(owner, rtype);
    }
    for owner in ["ha.other", "hb.other", "ruri.test"] {
        setup.server.remove(owner, A);
    }
    setup.server.add_all([
        Rr::naptr("n.test", naptr_ttl, (10, 10), strings, "_sip._udp.a.other"),
        Rr::naptr("n.test", naptr_ttl, (10, 10), strings, "_sip._udp.b.other"),
        Rr::srv("_sip._udp.a.other", srv_ttl, 1, 1, 5060, "ha.other"),
        Rr::srv("_sip._udp.b.other", srv_ttl, 1, 1, 5060, "hb.other"),
        Rr::a("ha.other", 300, "10.0.0.1"),
        Rr::a("hb.other", 300, "10.0.0.2"),
        Rr::a("ruri.test", 300, "10.9.9.9"),
    ]);
}

fn all_of_hosted() -> Vec<Target> {
    [1, 2]
        .map(|last| (IpAddr::from([10, 0, 0, last]), 5060, 1))
        .to_vec()
}

/// As a caller that has the name of another request by then (tm).
fn walk_by_another_name(layout: &'static Layout, mut meanwhile: impl FnMut()) -> Vec<Target> {
    let mut call = CHandle::new(layout, Fence::Behind);
    let mut found = vec![call.resolve("n.test", (0, 0), FLAGS).unwrap()];
    loop {
        assert!(call.next());
        meanwhile();
        match call.resolve("ruri.test", (0, 0), FLAGS) {
            Ok(target) => found.push(target),
            Err(code) => {
                assert_eq!(code, END_OF_LIST);
                return found;
            }
        }
    }
}

#[test]
fn the_way_back_to_the_naptr_records() {
    let mut setup = setup();
    for (ttls, memory) in [
        ((300, 300), "65536"),
        ((0, 300), "65536"),
        ((300, 0), "65536"),
        ((0, 0), "65536"),
        ((300, 300), "0"),
    ] {
        hosted(&setup, ttls);
        setup.options.set("dns_cache_mem", memory);
        // What other tests left behind is given back.
        Cache::instance()
            .unwrap()
            .collect_garbage(clock::now_ticks());
        for layout in &LAYOUTS {
            let _layout = LayoutGuard::new(layout);
            empty();
            let before = lost();
            // The first call has the way back made, the second finds it.
            for _ in 0..2 {
                let found = walk_by_another_name(layout, || ());
                assert_eq!(found, all_of_hosted(), "{layout:?} {ttls:?} {memory}");
            }
            // Flushed before each step.
            assert_eq!(walk_by_another_name(layout, empty), all_of_hosted());
            // Refreshed by an answer in the other order.
            let records = ["b", "a"].map(|host| naptr(10, &format!("_sip._udp.{host}.other")));
            if memory != "0" {
                let refresh = || arrive("n.test", RecordType::NAPTR, 300, &records);
                assert_eq!(walk_by_another_name(layout, refresh), all_of_hosted());
            }
            empty();
            assert_eq!(lost(), before);
            assert_eq!(setup.server.count("ruri.test", NAPTR), 0);
        }
    }
}

/// The name above that of the SRV records leads back, and they are held as the cache has them.
#[test]
fn the_way_back_inside_a_zone() {
    let setup = setup();
    for (order, replacement) in (1..).zip(["_sip._udp.n.test", "sip.N.test"]) {
        let strings = ("s", "SIP+D2U", "");
        let record = Rr::naptr("n.test", 0, (order, 1), strings, replacement);
        setup.server.add(record);
        let port = 5070 + order;
        setup
            .server
            .add(Rr::srv(replacement, 300, 1, 1, port, "h.test"));
    }
    setup.server.add(Rr::a("h.test", 300, "10.0.0.1"));
    let found = walk_by_another_name(&LAYOUTS[0], empty);
    let expected = [5071, 5072].map(|port| (IpAddr::from([10, 0, 0, 1]), port, 1));
    assert_eq!(found, expected);
    let entries = Cache::instance().unwrap().entries();
    assert_eq!(entries.filter(|entry| entry.owner().is_some()).count(), 0);
}

/// Where nothing leads back the call ends, and does not go by another name.
#[test]
fn a_way_back_that_is_lost() {
    let setup = setup();
    hosted(&setup, (300, 300));
    empty();
    let before = lost();
    let mut cursor = Cursor::default();
    let step = |cursor: &mut Cursor, name: &str| {
        let (mut port, mut proto) = (0, 0);
        let place = (Some(&mut port), Some(&mut proto));
        handle::resolve(cursor, name.as_bytes(), place.0, place.1, FLAGS, None)
    };
    step(&mut cursor, "n.test").unwrap();
    assert!(cursor.advance());
    // The same records, but not as the call came to them.
    let cache = Cache::instance().unwrap();
    cursor.at.srv = cache.acquire_any_age(b"_sip._udp.a.other", RecordType::SRV);
    assert!(cursor.at.srv.is_some());
    empty();
    setup.server.clear_queries();
    assert_eq!(step(&mut cursor, "ruri.test"), Err(SelectError::EndOfList));
    assert_eq!(lost() - before, 1);
    assert_eq!(setup.server.total(), 0);
    // The same name does lead back.
    assert_eq!(step(&mut cursor, "n.test"), Ok(IpAddr::from([10, 0, 0, 2])));
}

/// What is held for one owner leads to nobody else's NAPTR records, and is never older than the cache's SRV records.
#[test]
fn calls_see_what_the_cache_has_of_shared_srv_records() {
    let setup = setup();
    hosted(&setup, (300, 300));
    let strings = ("s", "SIP+D2U", "");
    setup.server.add_all([
        Rr::naptr("m.test", 300, (1, 1), strings, "_sip._udp.a.other"),
        Rr::naptr("m.test", 300, (2, 1), strings, "_sip._udp.m.test"),
        Rr::srv("_sip._udp.m.test", 300, 1, 1, 5099, "hb.other"),
    ]);
    empty();
    let first_port = |name: &str| {
        let mut call = CHandle::new(&LAYOUTS[0], Fence::Behind);
        call.resolve(name, (0, 0), FLAGS).map(|(_, port, _)| port)
    };
    let edit = |port| lookup::RecordEdit {
        name: b"_sip._udp.a.other",
        ttl: 300,
        value: b"ha.other",
        priority: 0,
        weight: 0,
        port,
        negative: false,
        permanent: false,
    };
    for round in 0..3 {
        for name in ["n.test", "m.test", "n.test", "m.test"] {
            assert_eq!(first_port(name), Ok(5060 + round), "{name}");
        }
        let port = 5061 + round;
        match round {
            // A refresh, then an operator.
            0 => arrive(
                "_sip._udp.a.other",
                RecordType::SRV,
                300,
                &[srv(port, "ha.other")],
            ),
            _ => lookup::add_record(RecordType::SRV, &edit(port)).unwrap(),
        }
    }
    for name in ["n.test", "m.test"] {
        assert_eq!(first_port(name), Ok(5063));
    }
    lookup::delete("_sip._udp.a.other".as_bytes(), RecordType::SRV).unwrap();
    for name in ["n.test", "m.test"] {
        assert_eq!(first_port(name), Ok(5060), "asked for again");
    }
    let mut call = CHandle::new(&LAYOUTS[0], Fence::Behind);
    call.resolve("m.test", (0, 0), FLAGS).unwrap();
    empty();
    assert!(call.next());
    let next = call.resolve("n.test", (0, 0), FLAGS);
    assert_eq!(next, Ok((IpAddr::from([10, 0, 0, 2]), 5099, 1)));
}

// Many owners

const OWNERS: usize = 10_000;

/// `struct dns_srv_handle` of 32 octets.
struct Call([u64; 4]);

impl Call {
    fn new() -> Self {
        let mut call = Self([u64::MAX; 4]);
        // SAFETY: a handle of this function.
        unsafe { dns_srv_handle_init(call.0.as_mut_ptr().cast()) };
        call
    }

    /// The next target's port, or the negative code.
    fn resolve(&mut self, name: &str, flags: u32) -> Result<u16, i32> {
        let (mut port, mut proto) = (0, 0_i8);
        let mut text = _str {
            s: name.as_ptr().cast_mut().cast(),
            len: name.len() as i32,
        };
        let mut ip = ip_addr {
            af: 0,
            len: 0,
            u: [0; 16],
        };
        // SAFETY: variables of this function.
        let code = unsafe {
            dns_sip_resolve(
                self.0.as_mut_ptr().cast(),
                &raw mut text,
                &raw mut ip,
                &raw mut port,
                (&raw mut proto).cast(),
                flags as i32,
            )
        };
        (code == 0).then_some(port).ok_or(code)
    }

    fn next(&mut self) -> bool {
        // SAFETY: a handle of this function.
        unsafe { dns_srv_handle_next(self.0.as_mut_ptr().cast(), 0) != 0 }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // SAFETY: a handle of this function.
        unsafe { dns_srv_handle_put(self.0.as_mut_ptr().cast()) };
    }
}

/// The SRV names of an owner, its own or everybody's, in somebody else's zone.
fn srv_names(owner: usize, shared: bool) -> [String; 2] {
    let number = if shared { 0 } else { owner };
    ["a", "b"].map(|which| format!("_sip._udp.{which}{number}.other"))
}

/// Calls in progress through all owners, twice each, when everything is refreshed, pushed out and flushed.
fn many_owners(shared: bool, flags: u32) {
    let setup = setup();
    let _layout = LayoutGuard::new(&LAYOUTS[0]);
    let address = RData::A([10, 0, 0, 1].into());
    let port_of = |owner: usize, which: usize| match shared {
        true => 5060 + which as u16,
        false => (2 * owner + which) as u16 + 5060,
    };
    let set_up_srv = || {
        for owner in 0..if shared { 1 } else { OWNERS } {
            for (which, name) in srv_names(owner, shared).iter().enumerate() {
                let record = srv(port_of(owner, which), "h.other");
                arrive(name, RecordType::SRV, 3000, &[record]);
            }
        }
    };
    let set_up_naptr = |turned: bool| {
        for owner in 0..OWNERS {
            let mut records = [1, 2].map(|order| order).map(|order| {
                let names = srv_names(owner, shared);
                naptr(order, &names[usize::from(order) - 1])
            });
            if turned {
                records.reverse();
            }
            arrive(&format!("o{owner}.test"), RecordType::NAPTR, 3000, &records);
        }
    };
    let strings = ("s", "SIP+D2U", "");
    setup
        .server
        .answer("h.other", A, vec![Rr::a("h.other", 3000, "10.0.0.1")]);
    for owner in 0..OWNERS {
        let (name, names) = (format!("o{owner}.test"), srv_names(owner, shared));
        let records = names
            .iter()
            .zip(1..)
            .map(|(replacement, order)| Rr::naptr(&name, 3000, (order, 1), strings, replacement));
        setup.server.answer(&name, NAPTR, records.collect());
        for (which, name) in names.iter().enumerate() {
            let record = Rr::srv(name, 3000, 1, 1, port_of(owner, which), "h.other");
            setup.server.answer(name, SRV, vec![record]);
        }
    }
    let before = lost();
    arrive("h.other", RecordType::A, 3000, &[address]);
    set_up_srv();
    set_up_naptr(false);
    let mut calls: Vec<(usize, Call)> = Vec::new();
    for round in 0..2 {
        for owner in 0..OWNERS {
            let mut call = Call::new();
            let first = call.resolve(&format!("o{owner}.test"), flags);
            assert_eq!(first, Ok(port_of(owner, 0)), "{owner} {round}");
            assert!(call.next());
            calls.push((owner, call));
        }
        set_up_srv();
        set_up_naptr(true);
    }
    for number in 0..2 * OWNERS {
        let owner = format!("flood{number}.test");
        arrive(&owner, RecordType::NAPTR, 3000, &[naptr(1, "x.other")]);
    }
    empty();
    for (owner, call) in &mut calls {
        let next = call.resolve("ruri.test", flags);
        assert_eq!(next, Ok(port_of(*owner, 1)), "{owner}");
        if *owner % 1000 == 0 {
            empty();
        }
        assert!(call.next());
        assert_eq!(call.resolve("ruri.test", flags), Err(END_OF_LIST));
    }
    assert_eq!(lost(), before);
    assert_eq!(setup.server.count("ruri.test", NAPTR), 0);
    // Nothing is held any more.
    calls.clear();
    empty();
    #[cfg(feature = "fault_injection")]
    assert_eq!(Cache::instance().unwrap().audit(true).unwrap().holders, 0);
}

#[test]
fn many_owners_with_srv_records_of_their_own() {
    many_owners(false, FLAGS);
}

#[test]
fn many_owners_of_the_same_srv_records() {
    many_owners(true, FLAGS | SRV_RR_LB);
}

/// Names whose hashes meet find each other's copies of the SRV records: each goes on among its own NAPTR records.
#[test]
fn owners_whose_hashes_meet_have_ways_of_their_own() {
    let setup = setup();
    let _layout = LayoutGuard::new(&LAYOUTS[0]);
    let cache = Cache::instance().unwrap();
    // Among so many names two meet, but for one time in ten thousand: then more are tried.
    let mut seen = HashMap::new();
    let owners = (0..)
        .find_map(|number: u32| {
            let name = format!("o{number}.test");
            let met = seen.insert(cache.name_hash(name.as_bytes()) >> 2, number)?;
            Some([format!("o{met}.test"), name])
        })
        .unwrap();
    let shared = "_sip._udp.shared.other";
    let record = |port| [srv(port, "h.other")];
    let put_all = || {
        let address = RData::A([10, 0, 0, 1].into());
        arrive("h.other", RecordType::A, 3000, &[address]);
        arrive(shared, RecordType::SRV, 3000, &record(5060));
        for (owner, which) in owners.iter().zip(1..) {
            let second = format!("_sip._udp.of{which}.other");
            arrive(&second, RecordType::SRV, 3000, &record(7000 + which));
            let records = [naptr(1, shared), naptr(2, &second)];
            arrive(owner, RecordType::NAPTR, 3000, &records);
        }
    };
    put_all();
    let mut calls = Vec::new();
    for round in 0..3 {
        for (owner, which) in owners.iter().zip(1..) {
            for _ in 0..2 {
                let mut call = Call::new();
                assert_eq!(call.resolve(owner, FLAGS), Ok(5060), "{round} {owner}");
                assert!(call.next());
                calls.push((call, 7000 + which));
            }
        }
    }
    for (call, port) in &mut calls {
        assert_eq!(call.resolve("ruri.test", FLAGS), Ok(*port));
    }
    assert_eq!(setup.server.count("ruri.test", NAPTR), 0);
}
