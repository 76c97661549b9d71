//! The selection of targets on random zones: every way of the library against a model that is written from the RFCs.
//!
//! A zone has NAPTR, SRV and address records, aliases, ".", port 0 and dead ends, and each part may be absent, fail or stay
//! silent. A request goes through all ways: cold and warm, by handles of every layout and their copies, in another
//! process, through `dns.explain`, through the functions that give a `struct hostent`, past the cache. All must give what
//! the model gives. The network is one in memory, whose clock moves when somebody waits.
//!
//! `RFC3263_ZONES` says how many zones are tried, `RFC3263_SEED` with which seed it begins, `RFC3263_PARTS` in how many
//! processes at a time, `RFC3263_SURVEY` that differences are counted and shown instead of ending the test at the first.
#![cfg(all(feature = "use_dns_cache", feature = "use_naptr"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    unreachable_pub,
    reason = "test code; a failure ends the test"
)]

mod support;

mod rfc3263 {
    pub mod allowed;
    pub mod case;
    pub mod draw;
    pub mod model;
    pub mod operators;
    pub mod other;
    pub mod policy;
    pub mod shrink;
    pub mod turns;
    pub mod ways;
    pub mod weights;
    pub mod worker;
    pub mod zone;
}

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use kamailio_dns::cache::Cache;
use kamailio_dns::host::{clock, metrics};
use kamailio_dns::lookup;
use rfc3263::case::{Case, SERVER};
use rfc3263::draw::Draw;
use rfc3263::model::{Fault, Model, Selection};
use rfc3263::operators::{self, Edited};
use rfc3263::policy::{INTERLEAVE, IPV4_ONLY, Policy, ROTATE, Request, SRV_LB, TRY_NAPTR, UDP};
use rfc3263::ways::{self, Manner};
use rfc3263::worker::{self, Asking, Worker, digest};
use rfc3263::zone::{Data, Naptr, RrSet, Srv, State, Zone};
use rfc3263::{shrink, turns, weights};
use support::network::Network;
use support::{A, AAAA, NAPTR, OptionsGuard, SRV, Watchdog};

/// Zones of a run that nobody asked for by number.
const ZONES: u64 = 10_000;
/// Processes that share them.
const PARTS: u64 = 4;
/// The seed of the first zone.
const SEED: u64 = 1;
/// Differences of one kind that a survey shows.
const SHOWN: usize = 2;

/// Options that the cases change, and those that all of them have.
fn options() -> OptionsGuard {
    let mut options = OptionsGuard::take();
    for (name, value) in [
        ("dns_nameservers", SERVER),
        // One question has one second, and all of them together as long as they take.
        ("dns_retr_time", "1"),
        ("dns_retr_no", "1"),
        ("dns_resolve_deadline", "0"),
        // Loops of aliases in each of its records cost a domain more than a call may ask.
        ("dns_max_queries", "0"),
        ("dns_edns", "yes"),
        ("dns_stale_ttl", "0"),
        ("dns_refresh_ahead", "0"),
        ("dns_failure_max_ttl", "1"),
        ("dns_cache_mem", "4000"),
    ] {
        options.set(name, value);
    }
    // What a case changes is put back in the end.
    for name in [
        "dns_naptr_ignore_rfc",
        "dns_udp_pref",
        "dns_tcp_pref",
        "dns_tls_pref",
        "dns_sctp_pref",
        "tcp_disable",
        "tls_disable",
        "sctp_disable",
        "dns_try_naptr",
        "dns_srv_lb",
        "dns_try_ipv6",
        "dns_cache_flags",
        "dns_failure_ttl",
        "dns_fallback_on_failure",
        "dns_downgrade",
        "dns_sips_naptr",
        "dns_rotate",
        "dns_family_order",
        "use_dns_cache",
    ] {
        let value = kamailio_dns::host::options::get(name).unwrap();
        options.set(name, &value);
    }
    metrics::prepare();
    lookup::prepare();
    Cache::init().unwrap();
    options
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text}")),
        Err(_) => default,
    }
}

/// Empties the cache, and gives its memory back: pages that a full cache had are else kept for entries of their sizes.
fn flush() {
    let cache = Cache::instance().unwrap();
    cache.flush(true);
    cache.collect_garbage(clock::now_ticks());
    lookup::forget_failures();
}

/// The test that is named, in processes of its own with a part of the zones each: half of a run is waiting for threads.
fn in_parts(test: &str, parts: u64, seed: u64, zones: u64) {
    let program = std::env::current_exe().unwrap();
    let ends = (0..=parts).map(|part| seed + zones * part / parts);
    let processes: Vec<Child> = ends
        .clone()
        .zip(ends.skip(1))
        .map(|(first, end)| {
            Command::new(&program)
                .args(["--exact", test, "--nocapture"])
                .env("RFC3263_PARTS", "1")
                .env("RFC3263_SEED", first.to_string())
                .env("RFC3263_ZONES", (end - first).to_string())
                // Differences go to the standard error; its closing line would be counted as one more test.
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    let failed = processes.into_iter().filter_map(|mut process| {
        let status = process.wait().unwrap();
        (!status.success()).then_some(status)
    });
    assert_eq!(failed.collect::<Vec<_>>(), [], "parts that failed");
}

#[test]
fn every_way_gives_what_the_model_gives() {
    let (seed, zones) = (number("RFC3263_SEED", SEED), number("RFC3263_ZONES", ZONES));
    let parts = number("RFC3263_PARTS", PARTS);
    if parts > 1 {
        return in_parts("every_way_gives_what_the_model_gives", parts, seed, zones);
    }
    let _options = options();
    let _watchdog = Watchdog::start(3600 * 12);
    let survey = std::env::var_os("RFC3263_SURVEY").is_some();
    eprintln!("seeds {seed} to {}", seed + zones - 1);
    flush();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut failed = 0;
    for seed in seed..seed + zones {
        let case = Case::random(seed);
        let mismatches = case.check().mismatches;
        failed += u64::from(!mismatches.is_empty());
        for mismatch in mismatches {
            let kind = mismatch.way.split(" (step").next().unwrap().to_owned();
            let count = kinds.entry(kind).or_default();
            *count += 1;
            if *count <= SHOWN {
                let (case, mismatch) = shrink::smallest(&case, &mismatch, &flush);
                flush();
                eprintln!("{case}{mismatch}\n");
                assert!(survey, "a way differs from the model");
            }
        }
    }
    eprintln!("{failed} of {zones} zones differ: {kinds:#?}");
    assert_eq!(failed, 0);
}

/// The zones are such that a mistake shows: the model with a mistake differs from the model without.
#[test]
fn zones_show_mistakes() {
    let _options = options();
    let faults = [
        Fault::LostAddressIsAbsence,
        Fault::DotClosesAll,
        Fault::ClearAfterTlsAlone,
        Fault::PortZeroIsUsed,
        Fault::AllOrders,
        Fault::LostSrvIsAbsence,
        Fault::AliasAloneIsAbsence,
        Fault::FamiliesApart,
    ];
    for fault in faults {
        let shows = |seed: &u64| {
            let case = Case::random(*seed);
            let told = |selection: Selection| (selection.list(), selection.code);
            let right = told(case.model().select(&case.request));
            let wrong = Model {
                fault,
                ..case.model()
            };
            told(wrong.select(&case.request)) != right
        };
        let count = (SEED..SEED + ZONES).filter(shows).count();
        eprintln!("{fault:?} shows in {count} of {ZONES} zones");
        assert!(count >= 20, "{fault:?}");
    }
}

/// Domains of which the operator added the records.
const EDITED: u64 = 500;

/// A record whose time is over is given by no way, whatever else its set holds.
#[test]
fn operators_records_end_one_by_one() {
    let _options = options();
    let _watchdog = Watchdog::start(600);
    flush();
    usual_case("none.test").apply();
    let seed = number("RFC3263_SEED", SEED);
    let domains: Vec<Edited> = (seed..seed + EDITED).map(Edited::random).collect();
    let network = Network::default();
    let nothing = Arc::new(usual_case("none.test").zone);
    network.script(SERVER, move |query, _| nothing.reply(query));
    let mut different = Vec::new();
    network.run(|| {
        for domain in &domains {
            domain.add();
        }
        for age in [0, operators::SHORT] {
            for domain in &domains {
                different.extend(domain.check(age));
            }
            clock::advance_for_tests(2_000 * u64::from(operators::SHORT));
        }
    });
    for text in different.iter().take(3) {
        eprintln!("{text}");
    }
    assert!(different.is_empty(), "{} differences", different.len());
}

/// A case with the usual options and an empty zone.
fn usual_case(domain: &str) -> Case {
    Case {
        seed: 0,
        zone: Zone {
            domain: domain.to_owned(),
            sets: Vec::new(),
            additional: true,
            chases: true,
        },
        request: Request {
            host: domain.to_owned(),
            port: 0,
            transport: UDP,
            sips: false,
            flags: IPV4_ONLY | SRV_LB,
        },
        policy: Policy::usual(),
        child_first: false,
        remembers: true,
    }
}

/// SRV records of one priority with these weights, each of which leads to one host with one address.
fn weighted_case(domain: &str, weights: &[u16]) -> Case {
    let mut case = usual_case(domain);
    let mut srvs = Vec::new();
    for (number, weight) in (0_u8..).zip(weights) {
        let target = format!("h{number}.{domain}");
        let address = IpAddr::from([192, 0, 2, number]);
        case.zone.sets.push(RrSet {
            owner: target.clone(),
            rtype: A,
            ttl: 3600,
            state: State::Present(vec![Data::Address(address)]),
        });
        srvs.push(Data::Srv(Srv {
            priority: 1,
            weight: *weight,
            port: 5060,
            target,
        }));
    }
    case.zone.sets.push(RrSet {
        owner: format!("_sip._udp.{domain}"),
        rtype: SRV,
        ttl: 3600,
        state: State::Present(srvs),
    });
    case
}

/// How often each order of the hosts came.
fn count_orders(
    case: &Case,
    seeds: impl Iterator<Item = Option<u32>>,
) -> BTreeMap<Vec<usize>, f64> {
    let network = Network::default();
    let zone = Arc::new(case.zone.clone());
    network.script(SERVER, move |query, _| zone.reply(query));
    let mut counts = BTreeMap::new();
    network.run(|| {
        for seed in seeds {
            let manner = Manner {
                seed,
                ..Manner::all(None)[0]
            };
            let (list, _) = ways::walk(&case.request, manner);
            let host = |address: &IpAddr| match address {
                IpAddr::V4(address) => usize::from(address.octets()[3]),
                IpAddr::V6(_) => panic!("an IPv6 address"),
            };
            let order: Vec<usize> = list.iter().map(|target| host(&target.0)).collect();
            *counts.entry(order).or_default() += 1.0;
        }
    });
    counts
}

/// Each order of equal records comes as often as the model says, with seeds of the caller's and with the library's own.
#[test]
fn orders_come_as_often_as_the_weights_say() {
    let _options = options();
    let _watchdog = Watchdog::start(600);
    flush();
    const DRAWS: u32 = 3000;
    let mut draw = Draw::new(number("RFC3263_SEED", SEED));
    let mut sets: Vec<Vec<u16>> = [&[1, 1][..], &[0, 1], &[0, 0, 3], &[60, 30, 10], &[0, 0, 0]]
        .map(<[u16]>::to_vec)
        .into();
    sets.extend((0..8).map(|_| {
        let count = 2 + draw.below(3);
        let weights = |_| draw.pick(&[0, 0, 1, 1, 2, 3, 5, 10, 40, 65_535]);
        (0..count).map(weights).collect::<Vec<u16>>()
    }));
    for (number, set) in sets.iter().enumerate() {
        let case = weighted_case(&format!("w{number}.test"), set);
        case.apply();
        let seeds = (1..=DRAWS).map(|seed| Some(seed.wrapping_mul(0x9E37_79B9) >> 1 | 1));
        let own = (0..DRAWS).map(|_| None);
        for (kind, counts) in [
            ("given", count_orders(&case, seeds)),
            ("drawn", count_orders(&case, own)),
        ] {
            let cells: Vec<(f64, f64)> = weights::orders(set.len())
                .into_iter()
                .map(|order| {
                    let row: Vec<u16> = order.iter().map(|host| set[*host]).collect();
                    let count = counts.get(&order).copied().unwrap_or(0.0);
                    (count, weights::probability(&row) * f64::from(DRAWS))
                })
                .collect();
            let all: f64 = cells.iter().map(|cell| cell.0).sum();
            assert_eq!(all, f64::from(DRAWS), "{set:?}: other orders {counts:?}");
            let (chi, freedom) = weights::chi_square(&cells);
            if freedom > 0 {
                let limit = weights::limit(freedom);
                assert!(
                    chi < limit,
                    "{set:?} seeds {kind}: {chi} of {limit}, {cells:?}"
                );
            }
        }
    }
}

/// With `dns_rotate` the calls for a name begin in turn with each of its addresses, in whatever process, by whatever
/// way, and whatever address the server puts first.
#[test]
fn calls_take_turns() {
    let _options = options();
    let _watchdog = Watchdog::start(600);
    let mut case = usual_case("turn.test");
    case.request.flags = ROTATE | INTERLEAVE;
    case.request.port = 5070;
    let addresses = ["192.0.2.9", "192.0.2.1", "192.0.2.5"];
    let long = ["2001:db8::2", "2001:db8::1"];
    for (rtype, list) in [(A, &addresses[..]), (AAAA, &long)] {
        let address = |text: &&str| Data::Address(text.parse().unwrap());
        case.zone.sets.push(RrSet {
            owner: "turn.test".to_owned(),
            rtype,
            ttl: 3600,
            state: State::Present(list.iter().map(address).collect()),
        });
    }
    let mut next = None;
    for _ in 0..2 {
        flush();
        case.apply();
        next = Some(turns::follow(&case, next));
        for set in &mut case.zone.sets {
            if let State::Present(records) = &mut set.state {
                records.rotate_left(1);
            }
        }
    }
}

/// An option that one process sets counts in the next call of every other, and in all steps of a walk that begins with it.
#[test]
fn options_count_at_once_in_every_process() {
    let _options = options();
    let _watchdog = Watchdog::start(600);
    flush();
    let mut case = weighted_case("f.test", &[1, 1]);
    case.zone.sets.push(RrSet {
        owner: "h0.f.test".to_owned(),
        rtype: AAAA,
        ttl: 3600,
        state: State::Present(vec![Data::Address("2001:db8::1".parse().unwrap())]),
    });
    case.zone.sets.push(RrSet {
        owner: "f.test".to_owned(),
        rtype: NAPTR,
        ttl: 3600,
        state: State::Present(vec![Data::Naptr(Naptr {
            order: 1,
            preference: 1,
            flags: "s",
            services: "SIP+D2T",
            regexp: "",
            replacement: "_sip._udp.f.test".to_owned(),
        })]),
    });
    case.request.flags = 0;
    case.request.transport = 0;
    case.apply();
    let changes = worker::changes();
    for asking in Asking::ALL {
        let by_hostent = asking == Asking::Hostent;
        let mut worker = Worker::start(&case, asking, changes.len() as u32 + 1);
        let mut seen = vec![("", "", worker.round(), 0)];
        for (name, value, flags) in &changes {
            kamailio_dns::host::options::set(name, value).unwrap();
            seen.push((name, value, worker.round(), *flags));
        }
        worker.end();
        for (name, value, found, flags) in seen {
            let mut request = case.request.clone();
            request.flags = flags;
            if by_hostent && flags & TRY_NAPTR == 0 {
                request.transport = UDP;
            }
            let selection = case.model().select(&request);
            let list = match (by_hostent, selection.first()) {
                (true, Some((host, transport))) => {
                    let first = host.families[0].iter();
                    first
                        .map(|address| (*address, host.port, transport))
                        .collect()
                }
                _ => selection.list(),
            };
            assert_eq!(found, digest(&list), "{name}={value} {asking:?}");
        }
    }
}
