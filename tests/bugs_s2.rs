//! Known defects of the C original that send requests to the wrong place: none of them is here.
#![allow(unsafe_code, reason = "calls the C interface")]

mod bugs;
mod support;

use std::collections::{HashMap, HashSet};
use std::ffi::c_char;

use bugs::{Bench, Call, NAPTR_V4, TCP, TLS, Target, UDP, V4, c_str, cache, cached, first};
use bugs::{holders, host_way, host_way_found, target, walk};
use kamailio_dns::cache::Cache;
use kamailio_dns::error::LookupError;
use kamailio_dns::ffi::literal::{str2ip, str2ip6, str2ipx};
use kamailio_dns::ffi::naptr::create_srv_pref_list;
use kamailio_dns::ffi::resolve::{dns_naptr_sip_resolvehost, dns_srv_sip_resolvehost};
use kamailio_dns::ffi::types::{dns_srv_proto, ip_addr};
use kamailio_dns::host::clock::advance_for_tests;
use kamailio_dns::lookup::{self, EditError, RecordEdit};
use kamailio_dns::rr::RecordType;
use kamailio_dns::select::sip_host::{self, Way};
use kamailio_dns::select::{SelectError, flags};
use support::{A, AAAA, NAPTR, Reply, Rr, SRV, TXT, Watchdog};

fn naptr(owner: &str, order: u16, service: &str, replacement: &str) -> Rr {
    Rr::naptr(owner, 3600, (order, 1), ("s", service, ""), replacement)
}

/// A record of 60 s added by hand, or of another TTL.
fn address<'a>(name: &'a str, ttl: u32, value: &'a str) -> RecordEdit<'a> {
    RecordEdit {
        name: name.as_bytes(),
        ttl,
        value: value.as_bytes(),
        priority: 0,
        weight: 0,
        port: 0,
        negative: false,
        permanent: false,
    }
}

const ALL_WAYS: [Way; 6] = [
    Way::CachedSrv,
    Way::CachedSrvList,
    Way::CachedNaptr,
    Way::UncachedSrv,
    Way::UncachedSrvList,
    Way::UncachedNaptr,
];

/// A port that the caller gives must not be replaced by that of an SRV record.
#[test]
fn b12_explicit_port_is_kept() {
    let bench = Bench::new();
    let name = "b12.test";
    bench.server.add_all([
        Rr::srv("_sip._udp.b12.test", 600, 1, 1, 7777, "192.0.2.77"),
        naptr(name, 1, "SIP+D2U", "_sip._udp.b12.test"),
        Rr::a(name, 600, "192.0.2.12"),
    ]);
    for way in ALL_WAYS {
        for proto in [0, UDP, TCP] {
            let found = host_way(name, (5080, proto), way, &[(name, "192.0.2.12")]);
            let expected = target("192.0.2.12", 5080, proto.max(UDP));
            assert_eq!(found, Some(expected), "{way:?}");
        }
    }
    assert_eq!(bench.server.count("_sip._udp.b12.test", SRV), 0);
    assert_eq!(bench.server.count(name, NAPTR), 0);
    let (mut text, mut port, mut proto) = (c_str(name), 5080_u16, [0 as c_char; 4]);
    // SAFETY: variables of this function.
    let host =
        unsafe { dns_naptr_sip_resolvehost(&raw mut text, &raw mut port, proto.as_mut_ptr()) };
    assert!(!host.is_null());
    assert_eq!(port, 5080);
}

/// NAPTR records must not be asked for when port or transport are given.
#[test]
fn b13_no_naptr_with_port_or_transport() {
    let bench = Bench::new();
    bench.server.add_all([
        naptr("b13.test", 1, "SIP+D2U", "_sip._udp.else.test"),
        Rr::srv("_sip._udp.else.test", 600, 1, 1, 7777, "192.0.2.77"),
    ]);
    // No addresses: what the NAPTR record leads to must not take their place.
    let failed = Err(SelectError::NoIp);
    assert_eq!(first("b13.test", 5080, 0, NAPTR_V4), failed);
    assert_eq!(first("b13.test", 0, TCP, NAPTR_V4), failed);
    bench.server.add(Rr::a("b13a.test", 600, "192.0.2.13"));
    bench
        .server
        .add(naptr("b13a.test", 1, "SIP+D2U", "_sip._udp.else.test"));
    for (port, proto) in [(5080, 0), (0, UDP), (0, TCP), (5080, TLS)] {
        let (targets, error) = Call::new(port, proto, NAPTR_V4).walk("b13a.test");
        assert_eq!(targets.len(), 1);
        assert_eq!(targets[0].0, "192.0.2.13");
        assert_eq!(error, Some(SelectError::EndOfList));
    }
    let asked = bench.server.queries();
    assert!(asked.iter().all(|q| q.qtype != NAPTR));
}

/// The next target must be of the name that the search began with, whatever name is passed later.
#[test]
fn b14_failover_stays_with_the_first_name() {
    let bench = Bench::new();
    for (domain, last) in [("a.b14.test", 1), ("b.b14.test", 66)] {
        let (udp, tcp) = (format!("_sip._udp.{domain}"), format!("_sip._tcp.{domain}"));
        bench.server.add_all([
            naptr(domain, 1, "SIP+D2U", &udp),
            naptr(domain, 2, "SIP+D2T", &tcp),
            Rr::srv(&udp, 600, 1, 1, 5070, &format!("192.0.2.{last}")),
            Rr::srv(&tcp, 600, 1, 1, 5071, &format!("192.0.2.{}", last + 1)),
        ]);
    }
    for slot in [false, true] {
        for flush_between in [false, true] {
            cache().flush(true);
            let call = Call::new(0, 0, NAPTR_V4);
            let mut call = if slot { call.with_slot() } else { call };
            assert_eq!(
                call.resolve("a.b14.test"),
                Ok(target("192.0.2.1", 5070, UDP))
            );
            if flush_between {
                cache().flush(true);
                // The other name's records are the ones that are cached now.
                assert_eq!(walk("b.b14.test", NAPTR_V4).len(), 2);
            }
            // As tm does: the request URI, and the transport of the branch before.
            call.proto = UDP;
            let mut later = Vec::new();
            loop {
                kamailio_dns::select::handle::advance(&mut call.cursor);
                match call.resolve("b.b14.test") {
                    Ok(next) => later.push(next),
                    Err(error) => {
                        assert_eq!(error, SelectError::EndOfList);
                        break;
                    }
                }
                assert!(later.len() < 10);
            }
            let rest = vec![target("192.0.2.2", 5071, TCP)];
            let nothing = flush_between && !slot && later.is_empty();
            assert!(later == rest || nothing, "{later:?}");
        }
    }
}

/// An SRV target "." says that there is no service: addresses of the name must not take its place.
#[test]
fn b18_root_target_is_a_refusal() {
    let bench = Bench::new();
    let name = "b18.test";
    bench.server.add_all([
        Rr::srv("_sip._udp.b18.test", 600, 0, 0, 0, "."),
        Rr::a(name, 600, "192.0.2.18"),
    ]);
    for (proto, request_flags) in [(UDP, V4), (0, V4), (0, NAPTR_V4)] {
        assert_eq!(
            first(name, 0, proto, request_flags),
            Err(SelectError::NoSrv)
        );
    }
    let hosts = [(name, "192.0.2.18")];
    for way in ALL_WAYS {
        assert_eq!(host_way(name, (0, 0), way, &hosts), None, "{way:?}");
    }
    assert_eq!(bench.server.count(name, A), 0);
    assert!(sip_host::srv_host(b"_sip._udp.b18.test", V4).is_none());
    // Another transport may still be offered.
    bench
        .server
        .add(Rr::srv("_sip._tcp.b18.test", 600, 0, 0, 5070, "192.0.2.19"));
    cache().flush(true);
    let tcp = target("192.0.2.19", 5070, TCP);
    assert_eq!(first(name, 0, 0, V4), Ok(tcp.clone()));
    assert_eq!(
        host_way(name, (0, 0), Way::UncachedSrvList, &hosts),
        Some(tcp)
    );
}

/// SRV records of one transport that lead nowhere must not hide those of another, nor lend their port.
#[test]
fn b19_dead_srv_targets_lend_no_port() {
    let bench = Bench::new();
    bench.server.add_all([
        Rr::srv("_sip._udp.b19.test", 600, 1, 1, 7777, "dead.b19.test"),
        Rr::srv("_sip._tcp.b19.test", 600, 1, 1, 5070, "192.0.2.19"),
        Rr::a("b19.test", 600, "192.0.2.20"),
        Rr::srv("_sip._udp.b19a.test", 600, 1, 1, 7777, "dead.b19.test"),
        Rr::a("b19a.test", 600, "192.0.2.21"),
    ]);
    let tcp = target("192.0.2.19", 5070, TCP);
    let plain = target("192.0.2.21", 5060, UDP);
    assert_eq!(walk("b19.test", V4), std::slice::from_ref(&tcp));
    assert_eq!(walk("b19a.test", V4), std::slice::from_ref(&plain));
    let hosts = [("b19.test", "192.0.2.20"), ("b19a.test", "192.0.2.21")];
    for way in [
        Way::CachedSrvList,
        Way::CachedNaptr,
        Way::UncachedSrvList,
        Way::UncachedNaptr,
    ] {
        let found = host_way("b19.test", (0, 0), way, &hosts);
        assert_eq!(found.as_ref(), Some(&tcp), "{way:?}");
        let found = host_way("b19a.test", (0, 0), way, &hosts);
        assert_eq!(found.as_ref(), Some(&plain), "{way:?}");
    }
}

/// The default port must be that of the transport chosen, not of the most preferred one.
#[test]
fn b27_port_and_transport_fit() {
    let mut bench = Bench::new();
    bench.options.set("dns_tls_pref", "100");
    let name = "b27.test";
    bench.server.add(Rr::a(name, 600, "192.0.2.27"));
    let expected = target("192.0.2.27", 5060, UDP);
    for way in ALL_WAYS {
        let found = host_way(name, (0, 0), way, &[(name, "192.0.2.27")]);
        assert_eq!(found.as_ref(), Some(&expected), "{way:?}");
        let tls = host_way(name, (0, TLS), way, &[(name, "192.0.2.27")]);
        assert_eq!(tls, Some(target("192.0.2.27", 5061, TLS)), "{way:?}");
    }
    assert_eq!(first(name, 0, 0, V4), Ok(expected.clone()));
    assert_eq!(first(name, 0, 0, NAPTR_V4), Ok(expected));
}

/// An unanswered query for a secure transport must not lead to one that is not secure.
#[test]
fn b38_unanswered_queries_do_not_downgrade() {
    let mut bench = Bench::impatient();
    bench.options.set("dns_tls_pref", "100");
    let hosts = [("b38n.test", "192.0.2.66"), ("b38s.test", "192.0.2.66")];
    for (name, rtype) in [("b38n.test", NAPTR), ("_sips._tcp.b38s.test", SRV)] {
        for failure in [Reply::servfail(), Reply::dropped()] {
            cache().flush(true);
            let host = name.rsplit("_tcp.").next().unwrap();
            bench.server.script(name, rtype, vec![failure]);
            let udp = format!("_sip._udp.{host}");
            bench.server.remove(&udp, SRV);
            bench.server.remove(host, A);
            bench.server.add(Rr::a(host, 600, "192.0.2.66"));
            for with_udp in [false, true] {
                if with_udp {
                    bench
                        .server
                        .add(Rr::srv(&udp, 600, 1, 1, 5060, "192.0.2.66"));
                }
                let found = first(host, 0, 0, NAPTR_V4);
                let known = [Err(SelectError::NoNaptr), Err(SelectError::NoSrv)];
                assert!(known.contains(&found), "{host}: {found:?}");
                for way in [Way::CachedNaptr, Way::UncachedNaptr] {
                    let found = host_way(host, (0, 0), way, &hosts);
                    assert_eq!(found, None, "{host} {way:?}");
                }
            }
        }
    }
    // The same behind a NAPTR record.
    bench.server.add_all([
        naptr("b38r.test", 1, "SIPS+D2T", "_sips._tcp.b38r.test"),
        naptr("b38r.test", 2, "SIP+D2U", "_sip._udp.b38r.test"),
        Rr::srv("_sip._udp.b38r.test", 600, 1, 1, 5060, "192.0.2.66"),
    ]);
    bench
        .server
        .script("_sips._tcp.b38r.test", SRV, vec![Reply::servfail()]);
    assert!(first("b38r.test", 0, 0, NAPTR_V4).is_err());
    for way in [Way::CachedNaptr, Way::UncachedNaptr] {
        assert_eq!(host_way("b38r.test", (0, 0), way, &[]), None, "{way:?}");
    }
}

/// No call may leave a reference behind, however it went.
#[test]
fn b17_no_reference_stays() {
    let bench = Bench::new();
    let domain = "b17.test";
    bench.server.add_all([
        naptr(domain, 1, "SIP+D2U", "_sip._udp.b17.test"),
        naptr(domain, 2, "SIP+D2T", "_sip._tcp.b17.test"),
        Rr::srv("_sip._udp.b17.test", 600, 1, 1, 5070, "dead.b17.test"),
        Rr::srv("_sip._tcp.b17.test", 600, 1, 1, 5071, "h1.b17.test"),
        Rr::srv("_sip._tcp.b17.test", 600, 2, 1, 5072, "h2.b17.test"),
        Rr::a("h1.b17.test", 600, "192.0.2.1"),
        Rr::a("h1.b17.test", 600, "192.0.2.2"),
        Rr::a("h2.b17.test", 600, "192.0.2.3"),
        Rr::a(domain, 600, "192.0.2.4"),
    ]);
    for steps in 0..6 {
        for slot in [false, true] {
            for (port, proto) in [(0, 0), (5080, 0), (0, TCP)] {
                let call = Call::new(port, proto, NAPTR_V4);
                let mut call = if slot { call.with_slot() } else { call };
                for _ in 0..=steps {
                    let _ = call.resolve(domain);
                    kamailio_dns::select::handle::advance(&mut call.cursor);
                }
            }
        }
    }
    let held: Vec<_> = cache()
        .entries()
        .filter(|entry| entry.reference_count() != 2)
        .map(|entry| String::from_utf8_lossy(entry.name()).into_owned())
        .collect();
    assert!(held.is_empty(), "still held: {held:?}");
    assert_eq!(holders(domain, RecordType::NAPTR), 0);
    assert_eq!(holders("_sip._udp.b17.test", RecordType::SRV), 0);
}

/// Text that is not an address must not be read as one, and every valid form must be.
#[test]
fn b20_literals_are_read_exactly() {
    let bench = Bench::new();
    let wrong = [
        "300.1.1.1",
        "256.256.256.256",
        "...",
        "1.2.3.",
        ".1.2.3",
        "1..2.3",
        "1.2.3.999999",
    ];
    for text in wrong {
        let mut counted = c_str(text);
        // SAFETY: a text that lives during the call.
        assert!(unsafe { str2ip(&raw mut counted) }.is_null(), "{text}");
        // SAFETY: as above.
        assert!(unsafe { str2ipx(&raw mut counted) }.is_null(), "{text}");
        assert!(first(text, 5060, UDP, V4).is_err(), "{text}");
        let added = lookup::add_record(RecordType::A, &address("b20.test", 60, text));
        assert_eq!(added, Err(EditError::Invalid), "{text}");
    }
    for text in ["12345::", "1:2:3:4:5:6:7:", ":2:3:4:5:6:7:8"] {
        let mut counted = c_str(text);
        // SAFETY: as above.
        assert!(unsafe { str2ip6(&raw mut counted) }.is_null(), "{text}");
    }
    let valid = [
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
    ];
    let asked = bench.server.total();
    for (text, meant) in valid {
        let mut counted = c_str(text);
        // SAFETY: as above.
        let ip: *mut ip_addr = unsafe { str2ip6(&raw mut counted) };
        // SAFETY: NULL or a slot of this thread.
        let ip = unsafe { ip.as_ref() }.expect(text);
        let meant: std::net::Ipv6Addr = meant.parse().unwrap();
        assert_eq!(ip.u, meant.octets(), "{text}");
        assert_eq!(
            first(text, 5060, UDP, 0),
            Ok(target(&meant.to_string(), 5060, UDP))
        );
    }
    assert_eq!(bench.server.total(), asked);
    // A name of digits is a name.
    bench.server.add(Rr::a("10.2.3", 60, "192.0.2.20"));
    assert_eq!(
        first("10.2.3", 5060, UDP, V4),
        Ok(target("192.0.2.20", 5060, UDP))
    );
}

/// A record that cannot be used, or too many of them, must not cost the ones that can.
#[test]
fn b24_good_records_survive_bad_ones() {
    let bench = Bench::new();
    let good = |name: &str| Rr::a(name, 600, "192.0.2.24");
    let odd = |i: usize, name: &str| match i {
        0 => Rr::raw(name, AAAA, 60, &[1, 2, 3]),
        1 => Rr::raw(name, SRV, 60, &[0, 1]),
        2 => Rr::raw(name, TXT, 60, &[200, b'x']),
        3 => Rr::raw(name, TXT, 60, &[]),
        4 => Rr::raw(name, NAPTR, 60, &[0; 3]),
        5 => Rr::raw(name, 46, 60, &[0; 30]),
        6 => Rr::raw(name, 65, 60, &[0, 1, 0]),
        _ => Rr::raw(name, A, 60, &[192, 0]),
    };
    for i in 0..8 {
        for in_answer in [false, true] {
            let name = format!("odd{i}{in_answer}.b24.test");
            let (before, extra) = if in_answer {
                (vec![odd(i, &name), good(&name), odd(i, &name)], vec![])
            } else {
                (vec![good(&name)], vec![odd(i, &name), good(&name)])
            };
            let reply = Reply::answer(before).additional(extra);
            bench.server.script(&name, A, vec![reply]);
            let found = first(&name, 5060, UDP, V4);
            assert_eq!(found, Ok(target("192.0.2.24", 5060, UDP)), "{name}");
        }
    }
    // 101 records, and more than 8192 octets.
    for count in [101, 240] {
        let name = format!("a-rather-long-name-for-many-{count}-records.b24.test");
        let set = (0..count).map(|i| Rr::a(&name, 600, &format!("10.24.0.{i}")));
        let reply = Reply::answer(set.collect()).truncated();
        bench.server.script(&name, A, vec![reply]);
        let (targets, _) = Call::new(5060, UDP, V4).walk(&name);
        assert_eq!(targets.len(), count);
    }
}

/// A reply must not be taken for an answer unless it answers the question.
#[test]
fn b25_replies_must_fit_the_question() {
    let bench = Bench::impatient();
    let forged = |name: &str| Rr::a(name, 600, "203.0.113.66");
    let replies = |name: &str| {
        let answer = Reply::answer(vec![forged(name)]);
        [
            ("no reply bit", answer.clone().flags(0x0180)),
            (
                "another question",
                answer.clone().wrong_question("other.b25.test"),
            ),
            ("another id", answer.clone().wrong_id()),
            ("another server", answer.clone().wrong_source()),
            ("no question", answer.no_question()),
            (
                "another class",
                Reply::answer(vec![forged(name).with_class(3)]),
            ),
            (
                "another owner",
                Reply::answer(vec![forged("other.b25.test")]),
            ),
        ]
    };
    for i in 0..replies("").len() {
        let name = format!("wrong{i}.b25.test");
        let (what, reply) = replies(&name)[i].clone();
        // By itself it resolves nothing and proves nothing; a right one behind it is used.
        bench.server.script(&name, A, vec![reply.clone()]);
        let error = lookup::entry(name.as_bytes(), RecordType::A, V4).map(|_| ());
        assert!(
            matches!(error, Err(LookupError::Failed(_) | LookupError::NoData)),
            "{what}: {error:?}"
        );
        if i < 5 {
            advance_for_tests(5_000);
            let right = Reply::answer(vec![Rr::a(&name, 60, "192.0.2.25")]);
            bench.server.script(&name, A, vec![reply.then(right)]);
            let found = first(&name, 5060, UDP, V4);
            assert_eq!(found, Ok(target("192.0.2.25", 5060, UDP)), "{what}");
        }
    }
    let name = "nx.b25.test";
    let reply = Reply::answer(vec![forged(name)]).flags(0x8183);
    bench.server.script(name, A, vec![reply]);
    assert!(first(name, 5060, UDP, V4).is_err());
}

/// A name with a trailing dot must resolve, and from the cache the second time.
#[test]
fn b33_trailing_dot_resolves() {
    let bench = Bench::new();
    bench.server.add_all([
        Rr::a("host.b33.test", 600, "192.0.2.33"),
        Rr::srv("_sip._udp.b33.test", 600, 1, 1, 5070, "host.b33.test"),
        naptr("b33.test", 1, "SIP+D2U", "_sip._udp.b33.test"),
    ]);
    for _ in 0..2 {
        assert_eq!(
            first("host.b33.test.", 5060, UDP, V4),
            Ok(target("192.0.2.33", 5060, UDP))
        );
        for request_flags in [V4, NAPTR_V4] {
            assert_eq!(
                first("b33.test.", 0, 0, request_flags),
                Ok(target("192.0.2.33", 5070, UDP))
            );
        }
        assert!(sip_host::host(b"host.b33.test.", V4).is_some());
    }
    assert_eq!(bench.server.count("host.b33.test", A), 1);
    assert_eq!(bench.server.count("_sip._udp.b33.test", SRV), 1);
    assert_eq!(bench.server.count("b33.test", NAPTR), 1);
    // With and without the dot it is one name.
    assert!(first("host.b33.test", 5060, UDP, V4).is_ok());
    assert_eq!(bench.server.count("host.b33.test", A), 1);
    assert!(cached("host.b33.test", RecordType::A).is_some());
}

/// The memory limit must hold, and names made up by others must not shut out the ones in use.
#[test]
fn b34_memory_limit_holds_and_others_still_fit() {
    let mut bench = Bench::new();
    bench.options.set("dns_cache_mem", "128");
    let add = |name: &str, negative| {
        let edit = RecordEdit {
            negative,
            ..address(name, 3600, "192.0.2.34")
        };
        lookup::add_record(RecordType::A, &edit)
    };
    for del_nonexp in ["no", "yes"] {
        bench.options.set("dns_cache_del_nonexp", del_nonexp);
        cache().flush(true);
        for i in 0..20_000 {
            let _ = add(&format!("made-up-{i}.b34.test"), i % 2 == 0);
            if i % 1000 == 0 {
                let usage = cache().usage();
                assert!(usage.used <= usage.limit, "{usage:?}");
            }
        }
        let usage = cache().usage();
        assert!(usage.used <= usage.limit, "{usage:?}");
        assert!(usage.entries > 100, "{usage:?}");
        // Entries taken out while they are held count until they are let go.
        let held: Vec<_> = cache().entries().collect();
        cache().flush(true);
        for i in 0..5_000 {
            let _ = add(&format!("again-{i}.b34.test"), false);
        }
        let usage = cache().usage();
        assert!(usage.used <= usage.limit, "{usage:?}");
        drop(held);
    }
    // A name in use is kept while others flood in, for which made-up names are enough.
    for del_nonexp in ["no", "yes"] {
        bench.options.set("dns_cache_del_nonexp", del_nonexp);
        cache().flush(true);
        for i in 0..5_000 {
            let _ = add(&format!("flood-{i}.b34.test"), true);
        }
        let name = format!("healthy-{del_nonexp}.b34.test");
        bench.server.add(Rr::a(&name, 36_000, "192.0.2.35"));
        for i in 0..3_000 {
            let _ = add(&format!("more-{i}.b34.test"), true);
            if i % 50 == 0 {
                advance_for_tests(1_100);
                assert!(first(&name, 5060, UDP, V4).is_ok());
            }
        }
        // Of 60 lookups; the choice of victims is approximate.
        let asked = bench.server.count(&name, A);
        assert!(asked <= 15, "del_nonexp {del_nonexp}: asked {asked} times");
    }
}

/// SRV records with TTL 0 must serve the lookup that fetched them, in every function.
#[test]
fn b22_ttl_zero_srv_is_used() {
    let bench = Bench::new();
    bench.server.add_all([
        Rr::srv("_sip._udp.b22.test", 0, 1, 1, 5070, "h.b22.test"),
        Rr::a("h.b22.test", 0, "192.0.2.22"),
        Rr::a("b22.test", 600, "192.0.2.66"),
    ]);
    let expected = target("192.0.2.22", 5070, UDP);
    for _ in 0..2 {
        assert_eq!(walk("b22.test", V4), std::slice::from_ref(&expected));
        for way in [Way::CachedSrv, Way::CachedSrvList, Way::CachedNaptr] {
            let found = host_way("b22.test", (0, 0), way, &[]);
            assert_eq!(found.as_ref(), Some(&expected), "{way:?}");
        }
        let found = sip_host::srv_host(b"_sip._udp.b22.test", V4).unwrap();
        assert_eq!(found.port, 5070);
    }
    assert!(cached("_sip._udp.b22.test", RecordType::SRV).is_none());
    let (mut text, mut port, mut proto) = (c_str("b22.test"), 0_u16, [0 as c_char; 4]);
    // SAFETY: variables of this function.
    let host = unsafe { dns_srv_sip_resolvehost(&raw mut text, &raw mut port, proto.as_mut_ptr()) };
    assert!(!host.is_null());
    assert_eq!(port, 5070);
}

/// With records of different TTLs no address may be given twice.
#[test]
fn b23_no_address_twice() {
    let bench = Bench::new();
    // Fetched: one TTL for the set.
    let fetched = "fetched.b23.test";
    for (i, ttl) in [5, 10, 600, 600].into_iter().enumerate() {
        bench
            .server
            .add(Rr::a(fetched, ttl, &format!("192.0.2.{}", i + 1)));
    }
    // Added by hand: each record has its own.
    let by_hand = "hand.b23.test";
    for (i, ttl) in [5, 10, 600, 600].into_iter().enumerate() {
        let value = format!("192.0.2.{}", i + 1);
        lookup::add_record(RecordType::A, &address(by_hand, ttl, &value)).unwrap();
    }
    for (seconds, left) in [(0, 4), (6, 3), (6, 2)] {
        advance_for_tests(seconds * 1000);
        for (name, expected) in [(fetched, 4), (by_hand, left)] {
            let (targets, _) = Call::new(5060, UDP, V4).walk(name);
            let different: HashSet<&Target> = targets.iter().collect();
            assert_eq!(different.len(), targets.len(), "{targets:?}");
            assert_eq!(targets.len(), expected);
            let found = sip_host::host(name.as_bytes(), V4).unwrap();
            let different: HashSet<_> = found.addresses.iter().collect();
            assert_eq!(different.len(), found.addresses.len());
            assert_eq!(found.addresses.len(), expected);
        }
    }
    // Records that expire between two steps.
    cache().flush(true);
    for (i, ttl) in [5, 10, 600, 600].into_iter().enumerate() {
        let value = format!("192.0.2.{}", i + 1);
        lookup::add_record(RecordType::A, &address(by_hand, ttl, &value)).unwrap();
    }
    let mut call = Call::new(5060, UDP, V4);
    let mut seen = vec![call.resolve(by_hand).unwrap()];
    advance_for_tests(6_000);
    kamailio_dns::select::handle::advance(&mut call.cursor);
    seen.extend(call.walk(by_hand).0);
    let different: HashSet<_> = seen.iter().collect();
    assert_eq!(different.len(), seen.len(), "{seen:?}");
    assert_eq!(seen.len(), 4);
}

/// Records of weight 0 must share the load, and all records of a large priority must get some.
#[test]
fn b32_every_record_gets_load() {
    let bench = Bench::new();
    let weights = |name: &str, list: &[u16]| {
        for (i, weight) in list.iter().enumerate() {
            let owner = format!("_sip._udp.{name}");
            let address = format!("10.32.0.{i}");
            bench
                .server
                .add(Rr::srv(&owner, 3600, 1, *weight, 5060, &address));
        }
    };
    let first_choices = |name: &str, calls: usize| {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for _ in 0..calls {
            let found = first(name, 0, UDP, V4 | flags::SRV_RR_LB).unwrap();
            *counts.entry(found.0).or_default() += 1;
        }
        counts
    };
    weights("zero.b32.test", &[0, 0, 0]);
    let counts = first_choices("zero.b32.test", 600);
    // 200 expected each; below 100 is ten standard deviations away.
    assert!(counts.len() == 3 && counts.values().all(|n| *n > 100));
    weights("mixed.b32.test", &[1, 0]);
    let zero = first_choices("mixed.b32.test", 600)["10.32.0.1"];
    assert!(zero > 150, "RFC 2782 gives it half of the calls: {zero}");
    let owner = "_sip._udp.many.b32.test";
    let many = (0..70).map(|i| Rr::srv(owner, 3600, 1, 1, 5060, &format!("10.32.1.{i}")));
    let reply = Reply::answer(many.collect()).truncated();
    bench.server.script(owner, SRV, vec![reply]);
    let counts = first_choices("many.b32.test", 2000);
    assert_eq!(counts.len(), 70);
}

/// The list of transports must have no gaps, put UDP first among equals, and may be empty.
#[test]
fn b28_transport_list_is_sound() {
    let _watchdog = Watchdog::start(120);
    let mut bench = Bench::new();
    let list = || {
        let empty = dns_srv_proto {
            proto: 85,
            proto_pref: 0,
        };
        let mut list = [empty; 8];
        let mut proto: c_char = 0;
        // SAFETY: room for eight elements.
        let count = unsafe { create_srv_pref_list(&raw mut proto, list.as_mut_ptr()) };
        list[..count]
            .iter()
            .map(|p| p.proto as u8)
            .collect::<Vec<_>>()
    };
    let mut prefer = |prefs: [i32; 4]| {
        for (name, value) in ["udp", "tcp", "tls", "sctp"].iter().zip(prefs) {
            bench
                .options
                .set(&format!("dns_{name}_pref"), &value.to_string());
        }
        list()
    };
    assert_eq!(prefer([1, 1, 1, 1]), [1, 2, 3]);
    assert_eq!(prefer([0, 0, 0, 0]), [1, 2, 3]);
    assert_eq!(prefer([-1, 20, 10, 20]), [2, 3]);
    assert_eq!(prefer([5, 20, 20, 1]), [2, 3, 1]);
    assert_eq!(prefer([-1, -1, -1, -1]), []);
    bench.server.add_all([
        Rr::a("b28.test", 60, "192.0.2.28"),
        Rr::srv("_sip._udp.b28.test", 60, 1, 1, 5070, "192.0.2.66"),
        naptr("b28.test", 1, "SIP+D2U", "_sip._udp.b28.test"),
    ]);
    for request_flags in [V4, NAPTR_V4] {
        let targets = walk("b28.test", request_flags);
        assert!(targets.iter().all(|t| t.0 == "192.0.2.28"), "{targets:?}");
    }
    for way in ALL_WAYS.into_iter().filter(|way| *way != Way::CachedSrv) {
        // Whatever it gives, it ends.
        let _ = host_way("b28.test", (0, 0), way, &[("b28.test", "192.0.2.28")]);
    }
}

/// NAPTR must work without a cache, and leave nothing in its memory.
#[test]
fn b29_naptr_without_a_cache() {
    let mut bench = Bench::new();
    bench.options.set("dns_try_naptr", "yes");
    bench.server.add_all([
        naptr("b29.test", 1, "SIP+D2T", "_sip._tcp.b29.test"),
        Rr::srv("_sip._tcp.b29.test", 600, 1, 1, 5070, "192.0.2.29"),
    ]);
    let before = cache().usage();
    Cache::destroy();
    let mut found = Vec::new();
    for _ in 0..3 {
        let (mut text, mut port, mut proto) = (c_str("b29.test"), 0_u16, [0 as c_char; 4]);
        // SAFETY: variables of this function.
        let host =
            unsafe { dns_naptr_sip_resolvehost(&raw mut text, &raw mut port, proto.as_mut_ptr()) };
        found.push((host.is_null(), port, proto[0] as u8));
        // Fallback to addresses.
        let way = Way::UncachedNaptr;
        let plain = host_way("short", (0, 0), way, &[("short", "192.0.2.30")]);
        assert_eq!(plain, Some(target("192.0.2.30", 5060, UDP)));
    }
    assert!(Cache::instance().is_none());
    Cache::init().unwrap();
    assert_eq!(found, [(false, 5070, TCP); 3]);
    assert_eq!(cache().usage().entries, before.entries);
    assert!(cache().usage().used <= before.used);
}

/// Past the cache the SRV records used must be those of the NAPTR record chosen.
#[test]
fn b30_uncached_naptr_uses_its_own_srv() {
    let mut bench = Bench::new();
    bench.options.set("dns_tls_pref", "100");
    let name = "b30.test";
    let udp = Rr::srv("_sip._udp.b30.test", 600, 1, 1, 5060, "192.0.2.66");
    let reply = Reply::answer(vec![
        naptr(name, 2, "SIP+D2U", "_sip._udp.b30.test"),
        naptr(name, 1, "SIPS+D2T", "_sips._tcp.b30.test"),
    ])
    .additional(vec![udp.clone()]);
    bench.server.script(name, NAPTR, vec![reply]);
    bench.server.add(udp);
    bench.server.add(Rr::srv(
        "_sips._tcp.b30.test",
        600,
        1,
        1,
        5091,
        "192.0.2.30",
    ));
    for way in [Way::UncachedNaptr, Way::CachedNaptr] {
        let found = host_way(name, (0, 0), way, &[]);
        assert_eq!(found, Some(target("192.0.2.30", 5091, TLS)), "{way:?}");
    }
    // A NAPTR record that fails leaves no port behind.
    let name = "b30f.test";
    bench.server.add_all([
        naptr(name, 1, "SIPS+D2T", "_sips._tcp.b30f.test"),
        Rr::srv("_sips._tcp.b30f.test", 600, 1, 1, 5091, "dead.b30f.test"),
    ]);
    let (mut port, mut proto) = (0, 0);
    let variables = (&mut port, &mut proto);
    assert!(host_way_found(name, variables, Way::UncachedNaptr, &[]).is_none());
    assert_eq!((port, proto), (0, 0));
    // NAPTR names TLS alone: the addresses of the name are used over TLS (RFC 3263 section 4.2).
    let found = host_way(name, (0, 0), Way::UncachedNaptr, &[(name, "192.0.2.31")]);
    assert_eq!(found, Some(target("192.0.2.31", 5061, TLS)));
}
