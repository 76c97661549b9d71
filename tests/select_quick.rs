//! The quick steps of a search, and the exported functions on top of them, give what the whole search gives,
//! step by step, over random cached sets, with time passing in between.
#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::multiple_unsafe_ops_per_block,
    reason = "test code; a failure ends the test"
)]
#![allow(unsafe_code, reason = "calls the C interface")]

mod support;

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use kamailio_dns::cache::{Cache, EntryRef, NegativeKind};
use kamailio_dns::host::clock;
use kamailio_dns::host::metrics::{self, Metric};
use kamailio_dns::rr::{RData, RecordType};
use kamailio_dns::select::cursor::LAYOUTS;
use kamailio_dns::select::handle::quick::{self, Quick};
use kamailio_dns::select::{Cursor, Position, SelectError, handle};
use proptest::prelude::*;
use support::Setup;
use support::handles::{CHandle, Fence, LayoutGuard};
use support::set::{self, Set};

const TARGETS: [&str; 7] = [
    "h0.test",
    "h1.test",
    "h2.test",
    "h3.test",
    "10.9.9.9",
    "2001:db8::9",
    "",
];
const SERVICES: [&str; 4] = ["SIP+D2U", "sip+d2t", "SIPS+D2T", "E2U+sip"];
const SRV_NAMES: [&str; 3] = ["_sip._udp.x.test", "_sip._tcp.x.test", "_sip._udp.y.test"];

/// Priority, weight, target, whether it lives long.
type SrvRow = (u16, u16, usize, bool);
/// Order, service, SRV name, whether it lives long.
type NaptrRow = (u16, usize, usize, bool);

#[derive(Clone, Debug)]
struct World {
    /// Addresses of each host, both families; whether each lives long.
    hosts: Vec<[Vec<bool>; 2]>,
    services: Vec<Vec<SrvRow>>,
    naptr: Vec<NaptrRow>,
    aged: bool,
}

fn world() -> impl Strategy<Value = World> {
    let addresses = || {
        prop_oneof![
            4 => prop::collection::vec(Just(true), 1),
            3 => prop::collection::vec(any::<bool>(), 0..4),
        ]
    };
    let host = (addresses(), addresses()).prop_map(|(a, aaaa)| [a, aaaa]);
    let srv = (
        1..4_u16,
        0..3_u16,
        0..TARGETS.len(),
        prop::bool::weighted(0.8),
    );
    let naptr = (1..4_u16, 0..4_usize, 0..3_usize, prop::bool::weighted(0.9));
    (
        prop::collection::vec(host, 4),
        prop::collection::vec(prop::collection::vec(srv, 0..20), 3),
        prop::collection::vec(naptr, 0..5),
        any::<bool>(),
    )
        .prop_map(|(hosts, services, naptr, aged)| World {
            hosts,
            services,
            naptr,
            aged,
        })
}

fn put(cache: &Cache, name: &str, rtype: RecordType, records: &[(bool, RData)]) {
    let set = if records.is_empty() {
        Set::absence(name, rtype, NegativeKind::NoData, 3000)
    } else {
        let ttl = |long: bool| if long { 3000 } else { 10 };
        let records = records.iter();
        records.fold(Set::of(name, rtype), |set, (long, rdata)| {
            set.record(ttl(*long), rdata.clone())
        })
    };
    set.put(cache, clock::now_ticks()).unwrap();
}

fn fill(cache: &Cache, world: &World) {
    cache.flush(true);
    for (number, [a, aaaa]) in (0_u8..).zip(&world.hosts) {
        let name = format!("h{number}.test");
        let v4 = (0_u8..)
            .zip(a)
            .map(|(i, long)| (*long, RData::A(Ipv4Addr::new(10, 0, number, i))));
        put(cache, &name, RecordType::A, &v4.collect::<Vec<_>>());
        let v6 = |i| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, number.into(), i);
        let v6 = (0_u16..)
            .zip(aaaa)
            .map(|(i, long)| (*long, RData::Aaaa(v6(i))));
        put(cache, &name, RecordType::AAAA, &v6.collect::<Vec<_>>());
    }
    for (name, rows) in SRV_NAMES.iter().zip(&world.services) {
        let rows = (5070_u16..).zip(rows).map(|(port, row)| {
            let (priority, weight, target, long) = *row;
            (long, set::srv(priority, weight, port, TARGETS[target]))
        });
        put(cache, name, RecordType::SRV, &rows.collect::<Vec<_>>());
    }
    let rows = world.naptr.iter().map(|&(order, service, srv, long)| {
        let strings = ("s", SERVICES[service], "");
        (long, set::naptr((order, 1), strings, SRV_NAMES[srv]))
    });
    put(
        cache,
        "x.test",
        RecordType::NAPTR,
        &rows.collect::<Vec<_>>(),
    );
    put(
        cache,
        "x.test",
        RecordType::A,
        &[(true, RData::A(Ipv4Addr::new(10, 1, 1, 1)))],
    );
    put(cache, "x.test", RecordType::AAAA, &[]);
    put(cache, "_sips._tcp.x.test", RecordType::SRV, &[]);
    if world.aged {
        clock::advance_for_tests(60_000);
    }
}

type Target = Result<(IpAddr, u16, u8), SelectError>;

/// One step of the whole search.
fn whole(cursor: &mut Cursor, name: &str, (mut port, mut proto): (u16, u8), flags: u32) -> Target {
    let (port_out, proto_out) = (Some(&mut port), Some(&mut proto));
    let address = handle::resolve(cursor, name.as_bytes(), port_out, proto_out, flags, None)?;
    Ok((address, port, proto))
}

/// One step as the C interface takes it; counts those that were quick.
fn quick_or_whole(
    cursor: &mut Cursor,
    name: &str,
    (port, proto): (u16, u8),
    flags: u32,
    used: &Cell<u32>,
) -> Target {
    let found = if cursor.srv.is_some() || cursor.a.is_some() {
        quick::next(&mut cursor.at, flags)
    } else if cursor.naptr.is_some() {
        Quick::Look
    } else {
        let naptr = cursor.has_naptr_slot.then_some(&mut cursor.naptr);
        let (port, proto) = (Some(port), Some(proto));
        quick::first(&mut cursor.at, naptr, name.as_bytes(), port, proto, flags)
    };
    used.set(used.get() + u32::from(found != Quick::Look));
    match found {
        Quick::Target(t) => Ok((IpAddr::from(t.address.to_ne_bytes()), t.port, t.transport)),
        Quick::EndOfList => Err(SelectError::EndOfList),
        Quick::Look => whole(cursor, name, (port, proto), flags),
    }
}

fn state(cursor: &Cursor) -> impl PartialEq + std::fmt::Debug + use<> {
    let raw = |entry: &Option<EntryRef>| entry.as_ref().map(EntryRef::as_raw);
    let at = &cursor.at;
    let rest = (at.port, at.srv_no, at.ip_no, at.proto);
    // Progress is kept by quick steps alone.
    let order = (at.seed(), at.naptr_hash());
    (raw(&cursor.naptr), raw(&at.srv), raw(&at.a), order, rest)
}

/// True when a handle in memory of C is where a cursor is.
fn is_at(handle: &CHandle, cursor: &Cursor) -> bool {
    let raw = |entry: &Option<EntryRef>| entry.as_ref().map_or(0, |e| e.as_raw() as u64);
    let member = |name| handle.member(name).unwrap();
    let at = &cursor.at;
    let order = Position {
        tried: member("srv_tried_rrs"),
        ..Position::default()
    };
    let numbers = ["port", "srv_no", "ip_no", "proto"].map(member);
    let expected = [
        at.port.into(),
        at.srv_no.into(),
        at.ip_no.into(),
        at.proto.into(),
    ];
    handle.member("naptr").unwrap_or(0) == raw(&cursor.naptr)
        && (member("srv"), member("a")) == (raw(&at.srv), raw(&at.a))
        && (order.seed(), order.naptr_hash()) == (at.seed(), at.naptr_hash())
        && numbers == expected
}

fn hits_of<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = metrics::value(Metric::Hit) + metrics::value(Metric::NegativeHit);
    let result = work();
    let after = metrics::value(Metric::Hit) + metrics::value(Metric::NegativeHit);
    (result, after - before)
}

#[test]
fn quick_steps_give_what_the_whole_search_gives() {
    let mut setup = Setup::new();
    setup.options.set("tls_disable", "1");
    let cache = Cache::instance().unwrap();
    let used = Cell::new(0);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let given = (prop::sample::select(vec![0_u16, 5099]), 0..4_u8);
    let case = (
        world(),
        0..32_u32,
        given,
        prop::sample::select(LAYOUTS.each_ref().to_vec()),
        prop::bool::weighted(0.9),
        1..9_u32,
        // The step before which what lives 10 s ends.
        prop::option::weighted(0.3, 1..4),
    );
    let result = runner.run(
        &case,
        |(world, flags, given, layout, advance, seed, ages)| {
            let _layout = LayoutGuard::new(layout);
            let slot = layout.naptr.is_some();
            for name in ["x.test", "X.test", "x.test.", "h0.test", "10.2.2.2"] {
                fill(cache, &world);
                let new = || {
                    let mut cursor = Cursor {
                        has_naptr_slot: slot,
                        ..Cursor::default()
                    };
                    cursor.at.tried = seed.into();
                    cursor
                };
                // What is missing is asked for once, so that both find the same.
                let mut cursor = new();
                while whole(&mut cursor, name, given, flags).is_ok() && cursor.advance() {}
                let (mut one, mut other) = (new(), new());
                let mut exported = CHandle::new(layout, Fence::Behind);
                exported.seed(seed);
                for step in 0..100 {
                    let has_aged = ages.is_some_and(|ages| step >= ages);
                    if ages == Some(step) {
                        clock::advance_for_tests(20_000);
                    }
                    let (expected, hits) = hits_of(|| whole(&mut one, name, given, flags));
                    let found = quick_or_whole(&mut other, name, given, flags, &used);
                    prop_assert_eq!(&found, &expected, "{} step {}", name, step);
                    prop_assert_eq!(state(&other), state(&one), "{} step {}", name, step);
                    let (found, exported_hits) = hits_of(|| exported.resolve(name, given, flags));
                    let code = expected.map_err(|error| -(error as i32));
                    prop_assert_eq!(found, code, "{} step {}", name, step);
                    prop_assert!(is_at(&exported, &one), "{} step {}", name, step);
                    // What has just expired is asked for by the first, and then known to the others.
                    prop_assert!(has_aged || hits == exported_hits, "{} step {}", name, step);
                    if advance || step > 2 {
                        other.advance();
                        one.advance();
                        exported.next();
                    }
                    if expected.is_err() {
                        break;
                    }
                }
            }
            Ok(())
        },
    );
    result.unwrap();
    assert!(used.get() > 1000, "{used:?}");
}

#[test]
fn references_are_given_back() {
    let _setup = Setup::new();
    let cache = Cache::instance().unwrap();
    let address = RData::A(Ipv4Addr::new(192, 0, 2, 1));
    put(cache, "h1.test", RecordType::A, &[(true, address)]);
    let srv = |port| (true, set::srv(1, 1, port, "h1.test"));
    put(
        cache,
        SRV_NAMES[0],
        RecordType::SRV,
        &[srv(5061), srv(5062)],
    );
    let holders = || {
        let entry = cache.acquire_any_age(SRV_NAMES[0].as_bytes(), RecordType::SRV);
        entry.unwrap().reference_count()
    };
    let alone = holders();
    for layout in &LAYOUTS {
        let _layout = LayoutGuard::new(layout);
        for steps in 1..4 {
            let mut call = CHandle::new(layout, Fence::Behind);
            for step in 0..steps {
                assert_eq!(call.resolve("x.test", (0, 1), 1).is_ok(), step < 2);
                call.next();
            }
            assert_eq!(holders(), alone + 1);
            let copy = call.copy(Fence::Before);
            assert_eq!(holders(), alone + 2);
            drop(call);
            assert_eq!(holders(), alone + 1);
            drop(copy);
            assert_eq!(holders(), alone);
        }
    }
}
