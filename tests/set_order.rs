//! The order of the records of a set: the same whatever order they arrive in, before and during a call, for
//! handles of every layout; and the beginning that a server gives it.
#![cfg(all(feature = "use_dns_cache", feature = "use_naptr"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::net::{IpAddr, Ipv4Addr};

use kamailio_dns::cache::Cache;
use kamailio_dns::error::LookupError;
use kamailio_dns::host::clock;
use kamailio_dns::lookup;
use kamailio_dns::rr::{RData, RecordType};
use kamailio_dns::select::cursor::{LAYOUTS, Layout};
use kamailio_dns::select::flags::{IPV4_ONLY, SRV_RR_LB, TRY_NAPTR};
use kamailio_dns::select::sip_host::{self, Way};
use kamailio_dns::select::{Transport, protocols};
use support::handles::{CHandle, Fence, LayoutGuard};
use support::set::{self, Set, srv};
use support::{A, Rr, SRV, Setup};

const END_OF_LIST: i32 = -1;
const SEEDS: [u32; 3] = [1, 42, 0x7654_3210];

type Target = (IpAddr, u16, u8);

/// Every order of the numbers below `count`.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for number in 0..count {
        all = all
            .iter()
            .flat_map(|order| {
                (0..=order.len()).map(move |place| {
                    let mut longer = order.clone();
                    longer.insert(place, number);
                    longer
                })
            })
            .collect();
    }
    all
}

/// Every way to cut a row of `count` into parts one behind the other: the number of the part for each.
fn cuts(count: usize) -> impl Iterator<Item = Vec<u16>> {
    (0..1_u16 << (count - 1)).map(move |cut| {
        (0..count as u32)
            .map(|place| (cut & ((1 << place) - 1)).count_ones() as u16)
            .collect()
    })
}

fn naptr(order: u16, service: &str, replacement: &str) -> RData {
    set::naptr((order, 1), ("s", service, ""), replacement)
}

/// Stores a set as an answer with its records in this order does; for one that is there it is a refresh.
fn arrive(owner: &str, rtype: RecordType, records: &[RData], order: &[usize]) {
    let records = order.iter().map(|&index| &records[index]);
    let set = Set::of(owner, rtype).records(3000, records);
    set.put(Cache::instance().unwrap(), clock::now_ticks())
        .unwrap();
}

fn empty() {
    Cache::instance().unwrap().flush(true);
}

fn hosts(count: usize) {
    for number in 0..count as u8 {
        let address = RData::A(Ipv4Addr::new(10, 0, number, 1));
        arrive(&format!("h{number}.test"), RecordType::A, &[address], &[0]);
    }
}

/// All the targets of a call; before each step but the first `meanwhile` happens.
fn walk(
    layout: &'static Layout,
    (name, proto): (&str, u8),
    flags: u32,
    seed: Option<u32>,
    mut meanwhile: impl FnMut(usize),
) -> Vec<Target> {
    let mut call = CHandle::new(layout, Fence::Behind);
    if let Some(seed) = seed {
        call.seed(seed);
    }
    let flags = flags | seed.map_or(0, |_| SRV_RR_LB) | IPV4_ONLY;
    let mut found = Vec::new();
    loop {
        match call.resolve(name, (0, proto), flags) {
            Ok(target) => found.push(target),
            Err(code) => {
                assert_eq!(code, END_OF_LIST);
                return found;
            }
        }
        assert!(found.len() < 2000, "no end");
        assert!(call.next());
        meanwhile(found.len());
    }
}

fn sorted(targets: &[Target]) -> Vec<Target> {
    let mut sorted = targets.to_vec();
    sorted.sort_unstable();
    sorted
}

/// Walks over a set that arrives in every order, refreshed in another before each step: each target once, with a
/// seed always in one order. The largest sets come in every order for one layout, and in a seventh for the others.
fn every_arrival(
    owner: &str,
    rtype: RecordType,
    records: &[RData],
    (name, proto): (&str, u8),
    flags: u32,
) {
    let orders = permutations(records.len());
    // Of the largest sets there are many orders, and one seed is enough.
    let seeds = SEEDS.get(..if records.len() < 5 { 3 } else { 1 }).unwrap();
    for layout in &LAYOUTS {
        let _layout = LayoutGuard::new(layout);
        let mut expected: Vec<Vec<Target>> = Vec::new();
        let is_sample = records.len() == 5 && *layout != LAYOUTS[0];
        let tried = orders
            .iter()
            .enumerate()
            .step_by(if is_sample { 7 } else { 1 });
        for (number, order) in tried {
            for (place, seed) in seeds.iter().copied().map(Some).chain([None]).enumerate() {
                let context = || format!("{layout:?} {records:?} {order:?} {seed:?}");
                arrive(owner, rtype, records, order);
                let refresh = |step: usize| {
                    let other = &orders[(number + 7 * step + 1) % orders.len()];
                    arrive(owner, rtype, records, other);
                };
                let found = walk(layout, (name, proto), flags, seed, refresh);
                match expected.get(place) {
                    // Whatever arrived, it is the same.
                    Some(list) if seed.is_some() => assert_eq!(found, *list, "{}", context()),
                    Some(list) => assert_eq!(sorted(&found), sorted(list), "{}", context()),
                    None => expected.push(found),
                }
            }
        }
        let all = sorted(&expected[0]);
        assert_eq!(all.len(), records.len(), "each once: {records:?} {all:?}");
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "{all:?}");
        assert!(expected.iter().all(|list| sorted(list) == all));
    }
}

#[test]
fn srv_sets_of_up_to_five_records() {
    let _setup = Setup::new();
    for count in 1..=5 {
        for parts in cuts(count) {
            empty();
            hosts(count);
            let records: Vec<_> = (0..count)
                .map(|i| {
                    srv(
                        parts[i] / 2,
                        10 * (parts[i] % 2),
                        5070,
                        &format!("h{i}.test"),
                    )
                })
                .collect();
            let owner = "_sip._udp.x.test";
            every_arrival(owner, RecordType::SRV, &records, ("x.test", 1), 0);
        }
    }
}

#[test]
fn address_sets_of_up_to_five_records() {
    let _setup = Setup::new();
    for count in 1..=5 {
        empty();
        let records: Vec<_> = (0..count as u8)
            .map(|i| RData::A(Ipv4Addr::new(10, 0, 0, 100 - i)))
            .collect();
        arrive(
            "_sip._udp.x.test",
            RecordType::SRV,
            &[srv(1, 1, 5070, "h.test")],
            &[0],
        );
        every_arrival("h.test", RecordType::A, &records, ("x.test", 1), 0);
        // Without SRV record, too.
        let (orders, flags) = (permutations(count), IPV4_ONLY | SRV_RR_LB);
        for seed in SEEDS {
            let lists = orders.iter().map(|order| {
                arrive("h.test", RecordType::A, &records, order);
                let mut call = CHandle::new(&LAYOUTS[0], Fence::Behind);
                call.seed(seed);
                let mut found = Vec::new();
                while let Ok(target) = call.resolve("h.test", (5060, 1), flags) {
                    found.push(target);
                    call.next();
                }
                found
            });
            let lists: Vec<_> = lists.collect();
            assert_eq!(lists[0].len(), count);
            assert!(lists.iter().all(|list| *list == lists[0]));
        }
    }
}

#[test]
fn naptr_sets_of_up_to_five_records() {
    let _setup = Setup::new();
    for count in 1..=5 {
        for parts in cuts(count) {
            empty();
            hosts(count);
            for i in 0..count {
                let records = [srv(1, 1, 5070, &format!("h{i}.test"))];
                arrive(&format!("s{i}.test"), RecordType::SRV, &records, &[0]);
            }
            let records: Vec<_> = (0..count)
                .map(|i| naptr(parts[i], "SIP+D2U", &format!("s{i}.test")))
                .collect();
            every_arrival(
                "x.test",
                RecordType::NAPTR,
                &records,
                ("x.test", 0),
                TRY_NAPTR,
            );
        }
    }
}

/// Random numbers below a bound.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// 1 % point of chi-square for three degrees of freedom.
const LIMIT: f64 = 11.345;

fn chi_square(counts: &[f64; 4], expected: f64) -> f64 {
    counts
        .iter()
        .map(|count| (count - expected).powi(2) / expected)
        .sum()
}

/// Without a seed the first targets are spread as a server's answers are that rotates or shuffles its records.
#[test]
fn load_is_spread_as_the_server_spreads_it() {
    let setup = Setup::patient();
    let owner = "_sip._udp.x.test";
    setup
        .server
        .add_all((0..4).map(|i| Rr::a(&format!("h{i}.test"), 300, &format!("10.0.{i}.1"))));
    let srvs: Vec<_> = (0..4)
        .map(|i| Rr::srv(owner, 300, 1, 5, 5070, &format!("h{i}.test")))
        .collect();
    let addresses: Vec<_> = (0..4)
        .map(|i| Rr::a("many.test", 300, &format!("10.0.{i}.1")))
        .collect();
    let mut draw = Draw(5);
    let (mut by_srv, mut by_address, mut rotated) = ([0.0; 4], [0.0; 4], [0.0; 4]);
    for round in 0..1000 {
        empty();
        let mut order = [0, 1, 2, 3];
        (1..4).for_each(|last| order.swap(last, draw.below(last + 1)));
        setup
            .server
            .answer(owner, SRV, order.map(|i| srvs[i].clone()).into());
        setup
            .server
            .answer("many.test", A, order.map(|i| addresses[i].clone()).into());
        let first = |host: &str, port| {
            let mut call = CHandle::new(&LAYOUTS[0], Fence::Behind);
            match call.resolve(host, (port, 1), IPV4_ONLY).unwrap().0 {
                IpAddr::V4(address) => usize::from(address.octets()[2]),
                IpAddr::V6(_) => panic!("an IPv6 address"),
            }
        };
        let found = [first("x.test", 0), first("many.test", 5060)];
        assert_eq!(found, [order[0]; 2], "round {round}");
        by_srv[found[0]] += 1.0;
        by_address[found[1]] += 1.0;
        order = [0, 1, 2, 3];
        order.rotate_left(round % 4);
        setup
            .server
            .answer("many.test", A, order.map(|i| addresses[i].clone()).into());
        empty();
        rotated[first("many.test", 5060)] += 1.0;
    }
    for counts in [by_srv, by_address] {
        assert!(chi_square(&counts, 250.0) < LIMIT, "{counts:?}");
    }
    assert_eq!(rotated, [250.0; 4]);
}

/// A seed, and a server that shuffles: one list of targets over all refreshes.
#[test]
fn a_seed_means_one_list() {
    let setup = Setup::patient();
    let owner = "_sip._udp.e.test";
    let records: Vec<_> = (0..4)
        .map(|i| Rr::srv(owner, 300, 1, 10, 6000 + i, "h.e.test"))
        .collect();
    setup.server.add(Rr::a("h.e.test", 300, "10.0.0.1"));
    let mut lists = Vec::new();
    for order in permutations(4) {
        empty();
        let answer = order.iter().map(|&i| records[i].clone()).collect();
        setup.server.answer(owner, SRV, answer);
        lists.push(walk(&LAYOUTS[0], ("e.test", 1), 0, Some(42), |_| ()));
    }
    assert_eq!(lists[0].len(), 4);
    assert!(lists.iter().all(|list| *list == lists[0]));
}

#[test]
fn duplicates_count_once() {
    let setup = Setup::patient();
    setup.server.add_all([
        Rr::a("h.test", 300, "10.0.0.5"),
        Rr::a("h.test", 200, "10.0.0.5"),
        Rr::a("h.test", 300, "10.0.0.5"),
        Rr::srv("_sip._udp.x.test", 300, 1, 1, 5070, "h.test"),
        Rr::srv("_sip._udp.x.test", 300, 1, 1, 5070, "H.Test"),
        Rr::srv("_sip._udp.x.test", 300, 1, 1, 5071, "h.test"),
    ]);
    let address = IpAddr::from([10, 0, 0, 5]);
    let found = walk(&LAYOUTS[0], ("x.test", 1), 0, None, |_| ());
    assert_eq!(found, [(address, 5070, 1), (address, 5071, 1)]);
    let entry = lookup::entry(b"h.test", RecordType::A, IPV4_ONLY)
        .unwrap()
        .0;
    assert_eq!(entry.record_count(), 1);
    // RFC 2181 section 5.2: the lowest TTL.
    assert!(clock::seconds_until(entry.expire(), clock::now_ticks()) <= 200);
    // Past the cache each comes, as in the original.
    let records = lookup::uncached::record_list(b"h.test", RecordType::A, true, false).unwrap();
    assert_eq!(records.len(), 3);
}

#[test]
fn the_best_of_a_large_set() {
    let setup = Setup::patient();
    setup.server.add(Rr::a("h.test", 300, "10.0.0.1"));
    let owner = "_sip._udp.x.test";
    setup.server.add_all(
        (0..300)
            .rev()
            .map(|i| Rr::srv(owner, 300, i, 1, 10_000 + i, "h.test")),
    );
    let found = walk(&LAYOUTS[0], ("x.test", 1), 0, None, |_| ());
    let ports: Vec<_> = found.iter().map(|(_, port, _)| *port).collect();
    assert!(ports.iter().copied().eq(10_000..10_250), "{ports:?}");
}

#[test]
fn port_0_is_no_port_to_send_to() {
    let mut setup = Setup::patient();
    setup.options.set("tls_disable", "1");
    setup.server.add_all([
        Rr::srv("_sip._udp.x.test", 300, 1, 9, 0, "bad.test"),
        Rr::srv("_sip._udp.x.test", 300, 2, 1, 5071, "h.test"),
        Rr::srv("_sip._udp.x.test", 300, 3, 1, 0, "bad.test"),
        // Nothing else; another transport has something.
        Rr::srv("_sip._udp.y.test", 300, 1, 1, 0, "bad.test"),
        Rr::srv("_sip._tcp.y.test", 300, 1, 1, 5072, "h.test"),
        // Nothing else, for any transport.
        Rr::srv("_sip._udp.z.test", 300, 1, 1, 0, "bad.test"),
        Rr::a("z.test", 300, "10.0.0.3"),
        // Next to what says that the service is not offered.
        Rr::srv("_sip._udp.r.test", 300, 1, 1, 0, "bad.test"),
        Rr::srv("_sip._udp.r.test", 300, 1, 1, 0, ""),
        Rr::a("r.test", 300, "10.0.0.4"),
        Rr::a("h.test", 300, "10.0.0.1"),
        Rr::a("bad.test", 300, "10.0.0.2"),
    ]);
    let target = |last, port, proto| vec![(IpAddr::from([10, 0, 0, last]), port, proto)];
    for seed in [None, Some(42)] {
        for _ in 0..2 {
            let found = |name, proto| walk(&LAYOUTS[0], (name, proto), 0, seed, |_| ());
            assert_eq!(found("x.test", 1), target(1, 5071, 1));
            assert_eq!(found("y.test", 0), target(1, 5072, 2));
            // As records whose targets have no address.
            assert_eq!(found("z.test", 0), target(3, 5060, 1));
        }
    }
    let mut call = CHandle::new(&LAYOUTS[0], Fence::Behind);
    assert_eq!(
        call.resolve("r.test", (0, 1), IPV4_ONLY),
        Err(-5),
        "no such service"
    );
    assert_eq!(setup.server.count("bad.test", A), 0);
    let first = |name: &str| sip_host::srv_host(name.as_bytes(), IPV4_ONLY).map(|found| found.port);
    assert_eq!(first("_sip._udp.x.test"), Some(5071));
    assert_eq!(first("_sip._udp.z.test"), None);
    let entry = lookup::entry(b"_sip._udp.z.test", RecordType::SRV, IPV4_ONLY);
    assert_ne!(entry.err(), Some(LookupError::NoData));
    for way in [Way::CachedSrv, Way::UncachedSrv] {
        let (mut port, mut proto) = (0, 1);
        let mut hosts = |host: &[u8], _: bool| match host {
            b"h.test" => Ok(vec![IpAddr::from([10, 0, 0, 1])]),
            _ => Ok(vec![IpAddr::from([10, 0, 0, 2])]),
        };
        let (port_out, proto_out) = (Some(&mut port), Some(&mut proto));
        let found = sip_host::resolve(b"x.test", port_out, proto_out, IPV4_ONLY, way, &mut hosts);
        let found = found.unwrap();
        assert_eq!(
            (found.addresses, port),
            (vec![IpAddr::from([10, 0, 0, 1])], 5071),
            "{way:?}"
        );
    }
}

#[test]
fn the_most_preferred_transport_is_the_first_of_all() {
    let mut setup = Setup::new();
    let mut draw = Draw(9);
    for _ in 0..300 {
        for option in [
            "dns_udp_pref",
            "dns_tcp_pref",
            "dns_tls_pref",
            "dns_sctp_pref",
        ] {
            setup
                .options
                .set(option, &(draw.below(4) as i32 - 1).to_string());
        }
        for option in ["tcp_disable", "tls_disable", "sctp_disable"] {
            setup
                .options
                .set(option, if draw.below(3) == 0 { "1" } else { "0" });
        }
        let first = protocols::list().iter().next().copied();
        assert_eq!(protocols::most_preferred(), first);
    }
    assert_eq!(Transport::from_number(1), Some(Transport::Udp));
}
