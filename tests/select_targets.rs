//! Which targets a call is led to, in which order, and when it ends; what of the caller's port and transport stays.
#![allow(unsafe_code, reason = "calls the C interface")]
#![cfg(feature = "use_dns_cache")]

mod support;

use std::collections::{HashMap, HashSet};
use std::ffi::{c_char, c_int};

use kamailio_dns::ffi::handle::{
    dns_sip_resolve, dns_srv_handle_init, dns_srv_handle_put, dns_srv_handle_seed,
};
use kamailio_dns::ffi::resolve::{dns_naptr_sip_resolvehost, dns_srv_sip_resolvehost};
use kamailio_dns::ffi::types::{dns_hash_entry, dns_srv_handle, ip_addr, naptr_rdata};
use kamailio_dns::host::clock::advance_for_tests;
use kamailio_dns::lookup;
use kamailio_dns::rr::{MAX_RRSET_RECORDS, RecordType};
use kamailio_dns::select::sip_host::{self, Way};
use kamailio_dns::select::{SelectError, Transport, flags, handle};
use support::handles::{Handle, no_address};
use support::walks::{
    ALL_WAYS, Bench, Call, NAPTR_V4, TCP, TLS, Target, UDP, V4, add_naptr_domain, c_str, cache,
    cached, edit, first, host_way, naptr, target, walk,
};
use support::{A, NAPTR, Reply, Rr, SRV, Watchdog};

/// More records than an octet counts must not make the search for a target go round and round.
#[test]
fn many_srv_records_without_addresses_end() {
    let _watchdog = Watchdog::start(300);
    let bench = Bench::new();
    // So many are not passed over, so nobody knows that there is no other; one is.
    let (many, one) = (SelectError::NoSrv, SelectError::NoIp);
    for (name, in_answer, end) in [("b02a.test", 300, many), ("b02b.test", 1, one)] {
        let owner = format!("_sip._udp.{name}");
        let mut records: Vec<Rr> = (0..300)
            .map(|i| Rr::srv(&owner, 600, i, 1, 5060, &format!("dead{i}.{name}")))
            .collect();
        let more = records.split_off(in_answer);
        let reply = Reply::answer(records).additional(more).truncated();
        bench.server.script(&owner, SRV, vec![reply]);
        for lb in [0, flags::SRV_RR_LB] {
            let (targets, error) = Call::new(0, 0, V4 | lb).walk(name);
            assert_eq!((targets, error), (vec![], Some(end)));
        }
        assert!(host_way(name, (0, 0), Way::CachedSrv, &[]).is_none());
        let entry = cached(&owner, RecordType::SRV).unwrap();
        assert!(entry.record_count() <= MAX_RRSET_RECORDS);
    }
}

/// A set of 300 addresses must be gone through once, not for ever.
#[test]
fn many_addresses_are_given_once() {
    let _watchdog = Watchdog::start(300);
    let bench = Bench::new();
    let host = "h.b02c.test";
    let addresses = (0..300).map(|i| Rr::a(host, 600, &format!("10.2.{}.{}", i / 100, i % 100)));
    let reply = Reply::answer(addresses.collect()).truncated();
    bench.server.script(host, A, vec![reply]);
    bench
        .server
        .add(Rr::srv("_sip._tcp.b02c.test", 600, 1, 1, 5060, host));
    for (name, port, proto) in [("b02c.test", 0, TCP), (host, 5060, UDP)] {
        let (targets, error) = Call::new(port, proto, V4).walk(name);
        assert_eq!(targets.len(), MAX_RRSET_RECORDS);
        assert_eq!(error, Some(SelectError::EndOfList));
        let different: HashSet<_> = targets.iter().collect();
        assert_eq!(different.len(), targets.len());
    }
    let mut handle = Handle::new();
    let mut steps = 0;
    while handle.resolve("b02c.test", V4).is_ok() {
        steps += 1;
        assert!(steps < 2000);
        if !handle.next() {
            break;
        }
    }
    assert_eq!(steps, MAX_RRSET_RECORDS);
}

/// A NAPTR record that leads nowhere must not let the search begin again after the last address.
#[test]
fn unusable_naptr_and_an_address_end() {
    let _watchdog = Watchdog::start(120);
    let bench = Bench::new();
    bench.server.add_all([
        naptr("b03.test", 10, "SIP+D2U", "_sip._udp.nowhere.b03.test"),
        Rr::a("b03.test", 600, "192.0.2.3"),
    ]);
    let only = [target("192.0.2.3", 5060, UDP)];
    for call in [
        Call::new(0, 0, NAPTR_V4),
        Call::new(0, 0, NAPTR_V4).with_slot(),
    ] {
        let mut call = call;
        let (targets, error) = call.walk("b03.test");
        assert_eq!(targets, only);
        assert_eq!(error, Some(SelectError::EndOfList));
    }
    let mut handle = Handle::new();
    assert_eq!(handle.resolve("b03.test", NAPTR_V4).as_ref(), Ok(&only[0]));
    assert!(handle.next());
    assert_eq!(handle.resolve("b03.test", NAPTR_V4), Err(-1));
}

/// A step that finds the search over must say so, again and again.
#[test]
fn the_end_stays_the_end() {
    let bench = Bench::new();
    add_naptr_domain(&bench, "b03x.test");
    let mut call = Call::new(0, 0, NAPTR_V4);
    assert_eq!(call.walk("b03x.test").0.len(), 2);
    for _ in 0..5 {
        call.cursor.advance();
        assert_eq!(call.resolve("b03x.test"), Err(SelectError::EndOfList));
    }
}

/// The end of one call's list must not change what the next call gets.
#[test]
fn one_call_does_not_disable_naptr_for_others() {
    let bench = Bench::new();
    // The replacement is not the name that a search without NAPTR would ask for.
    bench.server.add_all([
        naptr("b10.test", 10, "SIPS+D2T", "_sips._tcp.carrier.test"),
        Rr::srv(
            "_sips._tcp.carrier.test",
            3600,
            1,
            1,
            5091,
            "h.carrier.test",
        ),
        Rr::a("h.carrier.test", 3600, "192.0.2.10"),
    ]);
    let expected = target("192.0.2.10", 5091, TLS);
    for round in 0..3 {
        let call = Call::new(0, 0, NAPTR_V4);
        let mut used_up = if round == 1 { call.with_slot() } else { call };
        let (targets, error) = used_up.walk("b10.test");
        assert_eq!(targets, std::slice::from_ref(&expected));
        assert_eq!(error, Some(SelectError::EndOfList));
        // While the first call is still there, and after it.
        assert_eq!(first("b10.test", 0, 0, NAPTR_V4).as_ref(), Ok(&expected));
        drop(used_up);
        assert_eq!(first("b10.test", 0, 0, NAPTR_V4).as_ref(), Ok(&expected));
    }
    let entry = cached("b10.test", RecordType::NAPTR).unwrap();
    let raw: *const dns_hash_entry = entry.as_raw().cast();
    // SAFETY: the entry is held.
    let record = unsafe { (*raw).rr_lst };
    // SAFETY: a positive entry has a record.
    let data: *const naptr_rdata = unsafe { (*record).rdata }.cast();
    // SAFETY: the record is a NAPTR record.
    assert_eq!(unsafe { (*data).skip_record }, 0);
}

/// A port that the caller gives must not be replaced by that of an SRV record.
#[test]
fn explicit_port_is_kept() {
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
fn no_naptr_with_port_or_transport() {
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
fn failover_stays_with_the_first_name() {
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
                call.cursor.advance();
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
fn root_target_is_a_refusal() {
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
fn dead_srv_targets_lend_no_port() {
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

/// SRV records with TTL 0 must serve the lookup that fetched them, in every function.
#[test]
fn ttl_zero_srv_is_used() {
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
fn no_address_twice() {
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
        lookup::add_record(RecordType::A, &edit(by_hand, ttl, &value)).unwrap();
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
        lookup::add_record(RecordType::A, &edit(by_hand, ttl, &value)).unwrap();
    }
    let mut call = Call::new(5060, UDP, V4);
    let mut seen = vec![call.resolve(by_hand).unwrap()];
    advance_for_tests(6_000);
    call.cursor.advance();
    seen.extend(call.walk(by_hand).0);
    let different: HashSet<_> = seen.iter().collect();
    assert_eq!(different.len(), seen.len(), "{seen:?}");
    assert_eq!(seen.len(), 4);
}

/// The default port must be that of the transport chosen, not of the most preferred one.
#[test]
fn port_and_transport_fit() {
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

/// Records of weight 0 must share the load, and all records of a large priority must get some.
#[test]
fn every_record_gets_load() {
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

/// An unanswered query for a secure transport must not lead to one that is not secure.
#[test]
fn unanswered_queries_do_not_downgrade() {
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

/// The same seed must give the same server, whatever happened in between (RFC 3263 section 4.4).
#[test]
fn choice_of_a_stateless_proxy_can_be_repeated() {
    let bench = Bench::new();
    let owner = "_sip._udp.b39.test";
    for i in 0..8 {
        let address = format!("192.0.2.{i}");
        bench.server.add(Rr::srv(owner, 600, 1, 10, 5060, &address));
    }
    let choose = |seed: u32| {
        let mut memory = [0_u64; 8];
        let handle: *mut dns_srv_handle = memory.as_mut_ptr().cast();
        let (mut name, mut port) = (c_str("b39.test"), 0_u16);
        let mut proto = [UDP as c_char; 4];
        let mut ip = ip_addr {
            af: 0,
            len: 0,
            u: [0; 16],
        };
        // SAFETY: room for a handle of either layout.
        unsafe { dns_srv_handle_init(handle) };
        // SAFETY: an initialised handle.
        assert_eq!(unsafe { dns_srv_handle_seed(handle, seed) }, 0);
        // SAFETY: an initialised handle, variables of this function.
        let result = unsafe {
            dns_sip_resolve(
                handle,
                &raw mut name,
                &raw mut ip,
                &raw mut port,
                proto.as_mut_ptr(),
                (V4 | flags::SRV_RR_LB) as c_int,
            )
        };
        assert_eq!(result, 0);
        // SAFETY: an initialised handle.
        unsafe { dns_srv_handle_put(handle) };
        ip.u[3]
    };
    let mut different = HashSet::new();
    for seed in 1..60 {
        let chosen = choose(seed * 7919);
        different.insert(chosen);
        if seed % 10 == 0 {
            cache().flush(true);
        }
        assert_eq!(choose(seed * 7919), chosen);
    }
    assert!(different.len() > 4, "the seed decides: {different:?}");
}

/// "IPv6 only" must mean that no A record is asked for, at the first step and at all others.
#[test]
fn ipv6_only_asks_for_no_a() {
    let bench = Bench::new();
    bench.server.add_all([
        Rr::a("both.b40.test", 600, "192.0.2.40"),
        Rr::aaaa("both.b40.test", 600, "2001:db8::1"),
        Rr::aaaa("both.b40.test", 600, "2001:db8::2"),
        Rr::a("four.b40.test", 600, "192.0.2.40"),
    ]);
    for request_flags in [2, 3, 6, 7] {
        cache().flush(true);
        let (targets, _) = Call::new(5060, UDP, request_flags).walk("both.b40.test");
        let expected = ["2001:db8::1", "2001:db8::2"].map(|a| target(a, 5060, UDP));
        assert_eq!(targets, expected, "flags {request_flags}");
        let none = first("four.b40.test", 5060, UDP, request_flags);
        assert_eq!(none, Err(SelectError::NoIp));
        assert!(sip_host::host(b"four.b40.test", request_flags).is_none());
    }
    assert!(bench.server.queries().iter().all(|q| q.qtype != A));
}

/// Without a variable for the transport the port must not be 0.
#[test]
fn port_without_transport_variable() {
    let bench = Bench::new();
    bench.server.add(Rr::a("b50.test", 600, "192.0.2.50"));
    for name in ["192.0.2.51", "b50.test"] {
        for _ in 0..2 {
            let mut cursor = kamailio_dns::select::Cursor::default();
            let mut port = 0;
            let found = handle::resolve(
                &mut cursor,
                name.as_bytes(),
                Some(&mut port),
                None,
                V4,
                None,
            );
            assert!(found.is_ok());
            assert_eq!(port, 5060, "{name}");
        }
        let mut memory = [0_u64; 8];
        let c_handle: *mut dns_srv_handle = memory.as_mut_ptr().cast();
        let (mut text, mut port, mut ip) = (c_str(name), 0_u16, no_address());
        // SAFETY: a zeroed handle, variables of this function.
        let result = unsafe {
            dns_sip_resolve(
                c_handle,
                &raw mut text,
                &raw mut ip,
                &raw mut port,
                std::ptr::null_mut(),
                V4 as c_int,
            )
        };
        // SAFETY: an initialised handle.
        unsafe { dns_srv_handle_put(c_handle) };
        assert_eq!((result, port), (0, 5060), "{name}");
    }
}

/// WebSocket without a port must give the same on all ways, and no error.
#[test]
fn websocket_without_port() {
    let bench = Bench::new();
    let name = "b51.test";
    bench.server.add(Rr::a(name, 600, "192.0.2.51"));
    for (transport, port) in [(Transport::Ws, 80), (Transport::Wss, 443)] {
        let expected = target("192.0.2.51", port, transport as u8);
        let given = transport as u8;
        for request_flags in [V4, NAPTR_V4] {
            let found = first(name, 0, given, request_flags);
            assert_eq!(found.as_ref(), Ok(&expected));
        }
        for way in ALL_WAYS {
            let found = host_way(name, (0, given), way, &[(name, "192.0.2.51")]);
            assert_eq!(found.as_ref(), Some(&expected), "{way:?}");
        }
    }
    assert!(bench.server.queries().iter().all(|q| q.qtype != SRV));
}

/// With `dns_naptr_ignore_rfc` off the order of the records must decide, not local preference.
#[test]
fn naptr_order_can_be_followed() {
    let mut bench = Bench::new();
    for (order, service, prefix) in [(10, "SIPS+D2T", "_sips._tcp"), (20, "SIP+D2U", "_sip._udp")] {
        let srv = format!("{prefix}.b54.test");
        let fields = ("s", service, "");
        bench
            .server
            .add(Rr::naptr("b54.test", 600, (order, 1), fields, &srv));
        let address = format!("192.0.2.{order}");
        bench.server.add(Rr::srv(&srv, 600, 1, 1, 5070, &address));
    }
    let tls = target("192.0.2.10", 5070, TLS);
    let udp = target("192.0.2.20", 5070, UDP);
    bench.options.set("dns_naptr_ignore_rfc", "no");
    // Records of a higher order do not count beside one that qualifies (RFC 3403 section 4.1).
    assert_eq!(walk("b54.test", NAPTR_V4), std::slice::from_ref(&tls));
    let found = host_way("b54.test", (0, 0), Way::UncachedNaptr, &[]);
    assert_eq!(found, Some(tls.clone()));
    bench.options.set("dns_naptr_ignore_rfc", "yes");
    assert_eq!(walk("b54.test", NAPTR_V4), [udp, tls]);
}

/// A literal of an excluded family must give the same error with and without a port.
#[test]
fn excluded_family_is_one_error() {
    let _bench = Bench::new();
    let cases = [
        ("2001:db8::56", flags::IPV4_ONLY),
        ("[2001:db8::56]", flags::IPV4_ONLY),
        ("192.0.2.56", flags::IPV6_ONLY),
    ];
    for (literal, request_flags) in cases {
        for naptr in [0, flags::TRY_NAPTR] {
            for (port, proto) in [(0, 0), (5060, 0), (0, UDP), (5080, TLS)] {
                let found = first(literal, port, proto, request_flags | naptr);
                assert_eq!(found, Err(SelectError::AfMismatch), "{literal} {port}");
            }
        }
        for way in [Way::CachedSrv, Way::CachedNaptr] {
            let (mut port, mut proto) = (0, 0);
            let found = sip_host::resolve(
                literal.as_bytes(),
                Some(&mut port),
                Some(&mut proto),
                request_flags,
                way,
                &mut |_, _| Ok(Vec::new()),
            );
            assert!(found.is_none(), "{literal} {way:?}");
        }
    }
}
