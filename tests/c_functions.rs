//! Functions of the C interface: what they read, what they write, and what they leave alone.
#![allow(unsafe_code, reason = "calls the C interface")]
#![cfg(feature = "use_dns_cache")]

mod support;

use std::ffi::{c_char, c_int};

use kamailio_dns::cache::Cache;
use kamailio_dns::error::LookupError;
use kamailio_dns::ffi::cache::{dns_get_he, dns_get_ip};
use kamailio_dns::ffi::init::{destroy_dns_cache, dns_gc_run, init_dns_cache};
use kamailio_dns::ffi::literal::{str2ip, str2ip6, str2ipx};
use kamailio_dns::ffi::naptr::create_srv_pref_list;
use kamailio_dns::ffi::resolve::dns_naptr_sip_resolvehost;
use kamailio_dns::ffi::rpc::dns_cache_view;
use kamailio_dns::ffi::types::{dns_srv_proto, ip_addr};
use kamailio_dns::lookup::{self, EditError};
use kamailio_dns::rr::RecordType;
use kamailio_dns::select::handle;
use kamailio_dns::select::sip_host::Way;
use support::handles::no_address;
use support::walks::{
    ALL_WAYS, Bench, Call, NAPTR_V4, TCP, TLS, UDP, V4, add_naptr_domain, c_str, cache, cached,
    edit, first, holders, host_way, host_way_found, naptr, target, walk,
};
use support::{NAPTR, Reply, Rr, SRV, Watchdog, rpc};

/// A `dns.view` whose reply cannot be built must not leave the cache locked.
#[test]
fn failed_view_holds_no_lock() {
    let _watchdog = Watchdog::start(120);
    let bench = Bench::new();
    add_naptr_domain(&bench, "b07.test");
    assert_eq!(walk("b07.test", NAPTR_V4).len(), 2);
    for adds in [0, 1, 2, 9, 12, 20, 10_000] {
        let mut rpc = rpc::transport(adds);
        // SAFETY: functions that ignore their context.
        unsafe { dns_cache_view(&raw mut rpc, std::ptr::null_mut()) };
        let refused = rpc::faults() == 1;
        assert_eq!(refused, adds < 10_000, "after {adds}");
        // Another thread, since a lock might be taken twice by the same one.
        let name = format!("w{adds}.b07.test");
        bench.server.add(Rr::a(&name, 60, "192.0.2.7"));
        let writer = std::thread::spawn(move || first(&name, 5060, UDP, V4));
        assert_eq!(writer.join().unwrap(), Ok(target("192.0.2.7", 5060, UDP)));
    }
    assert_eq!(holders("b07.test", RecordType::NAPTR), 0);
}

/// Text that is not an address must not be read as one, and every valid form must be.
#[test]
fn literals_are_read_exactly() {
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
        let added = lookup::add_record(RecordType::A, &edit("b20.test", 60, text));
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

/// The list of transports must have no gaps, put UDP first among equals, and may be empty.
#[test]
fn transport_list_is_sound() {
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
fn naptr_without_a_cache() {
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
fn uncached_naptr_uses_its_own_srv() {
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

/// The replacement of a NAPTR record must not be shown under the name of another field.
#[test]
fn naptr_fields_have_names_of_their_own() {
    let bench = Bench::new();
    bench.server.add(Rr::naptr(
        "b37.test",
        600,
        (1, 2),
        ("u", "E2U+sip", "!x!y!"),
        "repl.b37.test",
    ));
    lookup::entry(b"b37.test", RecordType::NAPTR, V4).unwrap();
    let mut transport = rpc::transport(1000);
    // SAFETY: functions that ignore their context.
    unsafe { dns_cache_view(&raw mut transport, std::ptr::null_mut()) };
    assert_eq!(rpc::faults(), 0);
    let fields = rpc::fields();
    let values = |name: &str| -> Vec<&str> {
        fields
            .iter()
            .filter(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
            .collect()
    };
    assert_eq!(values("rr_flags"), ["u"]);
    assert_eq!(values("rr_service"), ["E2U+sip"]);
    assert_eq!(values("rr_regexp"), ["!x!y!"]);
    assert_eq!(values("rr_replacement"), ["repl.b37.test"]);
}

/// The init function must say the truth: after success the cache works, after the end nothing breaks.
#[test]
fn init_means_what_it_says() {
    let bench = Bench::new();
    bench.server.add(Rr::a("b41.test", 600, "192.0.2.41"));
    for _ in 0..3 {
        // SAFETY: no other thread uses the library now.
        assert_eq!(unsafe { init_dns_cache() }, 0);
        assert!(Cache::instance().is_some());
        assert!(first("b41.test", 5060, UDP, V4).is_ok());
        assert!(cached("b41.test", RecordType::A).is_some());
        // SAFETY: as above.
        unsafe { destroy_dns_cache() };
        // SAFETY: as above.
        unsafe { destroy_dns_cache() };
        let mut text = c_str("192.0.2.141");
        let mut ip = no_address();
        // SAFETY: variables of this function.
        assert_eq!(unsafe { dns_get_ip(&raw mut text, &raw mut ip, 0) }, 0);
        // SAFETY: as above.
        assert!(!unsafe { dns_get_he(&raw mut text, 0) }.is_null());
        // SAFETY: always safe to call.
        assert_eq!(unsafe { dns_gc_run() }, -1);
        assert_eq!(
            lookup::entry(b"b41.test", RecordType::A, V4).map(|_| ()),
            Err(LookupError::NoCache)
        );
    }
    // SAFETY: as above.
    assert_eq!(unsafe { init_dns_cache() }, 0);
}

/// What one thread was given must not change because another thread asks, too.
#[test]
fn threads_do_not_share_results() {
    let bench = Bench::new();
    for i in 0..4 {
        let (name, srv) = (format!("t{i}.b49.test"), format!("_sip._udp.t{i}.b49.test"));
        let address = format!("192.0.2.{i}");
        bench.server.add(Rr::a(&name, 0, &address));
        bench.server.add(Rr::srv(&srv, 0, 1, 1, 5070 + i, &name));
    }
    let start = std::sync::Barrier::new(4);
    std::thread::scope(|scope| {
        for i in 0..4_u8 {
            let start = &start;
            scope.spawn(move || {
                let name = format!("t{i}.b49.test");
                let literal = format!("10.0.0.{i}");
                let mut text = c_str(&literal);
                let mut host_name = c_str(&name);
                start.wait();
                for _ in 0..30 {
                    // SAFETY: a text that lives during the call.
                    let slot = unsafe { str2ip(&raw mut text) };
                    // SAFETY: as above.
                    let host = unsafe { dns_get_he(&raw mut host_name, V4 as c_int) };
                    let expected = target(&format!("192.0.2.{i}"), 5070 + u16::from(i), UDP);
                    assert_eq!(first(&name, 0, UDP, V4), Ok(expected));
                    start.wait();
                    // SAFETY: a slot of this thread, not asked for again yet.
                    let literal = unsafe { *slot };
                    assert_eq!(literal.u[..4], [10, 0, 0, i]);
                    // SAFETY: a result of this thread.
                    let list = unsafe { (*host).h_addr_list };
                    // SAFETY: a result has at least one address.
                    let octets = unsafe { *list };
                    // SAFETY: IPv4 addresses have four octets.
                    let octets = unsafe { *octets.cast::<[u8; 4]>() };
                    assert_eq!(octets, [192, 0, 2, i]);
                }
            });
        }
    });
}

/// Port and transport of the caller must stay as they are when the call fails.
#[test]
fn failures_write_nothing() {
    let bench = Bench::impatient();
    bench
        .server
        .script("_sip._udp.fails.b59.test", SRV, vec![Reply::servfail()]);
    bench.server.add_all([
        Rr::srv("_sip._udp.dead.b59.test", 600, 1, 1, 7777, "x.b59.test"),
        Rr::naptr(
            "dead.b59.test",
            600,
            (1, 1),
            ("s", "SIP+D2U", ""),
            "_sip._udp.dead.b59.test",
        ),
    ]);
    let names = ["none.b59.test", "fails.b59.test", "dead.b59.test", "a b"];
    let long = "a".repeat(256);
    for name in names.into_iter().chain([long.as_str(), "::1"]) {
        for (port, proto) in [(0, 0), (0, TLS), (5080, 0)] {
            for request_flags in [V4, NAPTR_V4] {
                let mut call = Call::new(port, proto, request_flags);
                let (mut port_now, mut proto_now) = (port, proto);
                let found = handle::resolve(
                    &mut call.cursor,
                    name.as_bytes(),
                    Some(&mut port_now),
                    Some(&mut proto_now),
                    request_flags,
                    None,
                );
                assert!(found.is_err(), "{name}");
                assert_eq!((port_now, proto_now), (port, proto), "{name}");
            }
            for way in ALL_WAYS.into_iter().filter(|_| name != "::1") {
                let (mut port_now, mut proto_now) = (port, proto);
                let variables = (&mut port_now, &mut proto_now);
                let found = host_way_found(name, variables, way, &[]);
                assert!(found.is_none(), "{name} {way:?}");
                assert_eq!((port_now, proto_now), (port, proto), "{name} {way:?}");
            }
        }
    }
}
