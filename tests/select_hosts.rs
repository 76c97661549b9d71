//! All addresses of one destination: the search behind the functions that give a `struct hostent`.
#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::net::IpAddr;

use kamailio_dns::cache::Cache;
use kamailio_dns::error::LookupError;
use kamailio_dns::select::sip_host::{self, Way};
use support::{NAPTR, Reply, Rr, SRV, Server, Setup};

const IPV4_ONLY: u32 = 1;
const WAYS: [Way; 6] = [
    Way::CachedSrv,
    Way::CachedSrvList,
    Way::CachedNaptr,
    Way::UncachedSrv,
    Way::UncachedSrvList,
    Way::UncachedNaptr,
];

fn setup() -> Setup {
    let mut setup = Setup::new();
    setup.options.set("tls_disable", "1");
    setup
}

/// What a name server other than DNS would say: the file of hosts.
fn hosts(name: &[u8]) -> Result<Vec<IpAddr>, LookupError> {
    let text = match name {
        b"a.test" => "10.0.0.1",
        b"b.test" => "10.0.0.2",
        b"x.test" => "10.0.0.99",
        _ => return Err(LookupError::NxDomain),
    };
    Ok(vec![text.parse().unwrap()])
}

/// The hosts, in DNS as well.
fn add_hosts(server: &Server) {
    for name in ["a.test", "b.test", "x.test"] {
        let address = hosts(name.as_bytes()).unwrap()[0].to_string();
        server.add(Rr::a(name, 300, &address));
    }
}

/// `name address:port/transport` of what is found, and the caller's variables when nothing is.
fn find(name: &str, (port, proto): (u16, u8), way: Way) -> Result<String, (u16, u8)> {
    let (mut port, mut proto) = (port, proto);
    let found = sip_host::resolve(
        name.as_bytes(),
        Some(&mut port),
        Some(&mut proto),
        IPV4_ONLY,
        way,
        &mut |name, _| hosts(name),
    );
    let found = found.ok_or((port, proto))?;
    assert_eq!(found.port, port);
    let (name, first) = (String::from_utf8_lossy(&found.name), found.addresses[0]);
    Ok(format!("{name} {first}:{port}/{proto}"))
}

fn is_cached(way: Way) -> bool {
    matches!(way, Way::CachedSrv | Way::CachedSrvList | Way::CachedNaptr)
}

#[test]
fn literals_keep_their_text() {
    let s = setup();
    for way in WAYS {
        let found = |name, wanted| find(name, wanted, way);
        assert_eq!(
            found("10.1.1.1", (0, 0)),
            Ok("10.1.1.1 10.1.1.1:5060/1".to_owned())
        );
        assert_eq!(
            found("10.1.1.1", (5080, 3)),
            Ok("10.1.1.1 10.1.1.1:5080/3".to_owned())
        );
        assert_eq!(
            found("10.1.1.1", (0, 3)),
            Ok("10.1.1.1 10.1.1.1:5061/3".to_owned())
        );
    }
    assert_eq!(s.server.total(), 0);
}

/// B12: a port in the URI stays, with NAPTR too.
#[test]
fn explicit_port() {
    let s = setup();
    add_hosts(&s.server);
    s.server
        .add(Rr::srv("_sip._udp.x.test", 300, 1, 1, 7777, "a.test"))
        .add(Rr::naptr(
            "x.test",
            300,
            (1, 1),
            ("s", "SIP+D2U", ""),
            "_sip._udp.x.test",
        ));
    for way in WAYS {
        let found = find("x.test", (5080, 0), way);
        assert_eq!(found, Ok("x.test 10.0.0.99:5080/1".to_owned()), "{way:?}");
        assert_eq!(s.server.count("x.test", NAPTR), 0);
        assert_eq!(s.server.count("_sip._udp.x.test", SRV), 0);
    }
}

#[test]
fn srv_of_the_transport_or_of_all() {
    let s = setup();
    add_hosts(&s.server);
    s.server
        .add(Rr::srv("_sip._tcp.x.test", 300, 2, 1, 5082, "b.test"))
        .add(Rr::srv("_sip._tcp.x.test", 300, 1, 1, 5081, "dead.test"));
    for way in WAYS {
        let one = matches!(way, Way::CachedSrv | Way::UncachedSrv);
        let expected = if one {
            "x.test 10.0.0.99:5060/1"
        } else {
            "b.test 10.0.0.2:5082/2"
        };
        assert_eq!(
            find("x.test", (0, 0), way),
            Ok(expected.to_owned()),
            "{way:?}"
        );
        let tcp = find("x.test", (0, 2), way);
        assert_eq!(tcp, Ok("b.test 10.0.0.2:5082/2".to_owned()), "{way:?}");
    }
}

/// B30: the SRV records of the chosen NAPTR are used, whatever else the answer holds.
#[cfg(feature = "use_naptr")]
#[test]
fn naptr_leads_to_its_own_srv() {
    let s = setup();
    add_hosts(&s.server);
    let naptr = |order, service, replacement| {
        Rr::naptr("x.test", 300, (order, 1), ("s", service, ""), replacement)
    };
    let reply = Reply::answer(vec![
        naptr(1, "SIP+D2T", "_sip._tcp.x.test"),
        naptr(2, "SIP+D2U", "_dead.x.test"),
    ])
    .additional(vec![Rr::srv("_sip._udp.x.test", 300, 1, 1, 7777, "b.test")]);
    s.server.script("x.test", NAPTR, vec![reply]).add(Rr::srv(
        "_sip._tcp.x.test",
        300,
        1,
        1,
        5081,
        "a.test",
    ));
    for way in [Way::CachedNaptr, Way::UncachedNaptr] {
        let found = find("x.test", (0, 0), way);
        assert_eq!(found, Ok("a.test 10.0.0.1:5081/2".to_owned()), "{way:?}");
    }
}

/// B27: the default port is that of the transport that is used in the end.
#[test]
fn default_port() {
    let mut s = setup();
    add_hosts(&s.server);
    s.options.set("tls_disable", "0");
    s.options.set("dns_tls_pref", "90");
    for way in WAYS {
        let found = find("x.test", (0, 0), way);
        assert_eq!(found, Ok("x.test 10.0.0.99:5060/1".to_owned()), "{way:?}");
        let found = find("x.test", (0, 6), way);
        assert_eq!(found, Ok("x.test 10.0.0.99:443/6".to_owned()), "{way:?}");
    }
}

/// B38, B59: a failed query for a secure transport is no absence, one for another counts as that, and what fails leaves
/// the variables alone.
#[test]
fn failures() {
    let s = setup();
    add_hosts(&s.server);
    s.server
        .script("_sip._udp.x.test", SRV, vec![Reply::servfail()]);
    for way in WAYS {
        let found = find("x.test", (0, 0), way);
        assert_eq!(found, Ok("x.test 10.0.0.99:5060/1".to_owned()), "{way:?}");
        assert_eq!(find("none.test", (0, 0), way), Err((0, 0)), "{way:?}");
        assert_eq!(find("none.test", (5080, 0), way), Err((5080, 0)), "{way:?}");
    }
}

/// B38: what was to go over TLS does not go over UDP because a query was not answered.
#[cfg(feature = "use_naptr")]
#[test]
fn no_downgrade() {
    let mut s = setup();
    add_hosts(&s.server);
    s.options.set("tls_disable", "0");
    s.options.set("dns_tls_pref", "90");
    s.server
        .add(Rr::naptr(
            "x.test",
            300,
            (1, 1),
            ("s", "SIPS+D2T", ""),
            "_sips._tcp.x.test",
        ))
        .add(Rr::naptr(
            "x.test",
            300,
            (2, 1),
            ("s", "SIP+D2U", ""),
            "_sip._udp.x.test",
        ))
        .add(Rr::srv("_sip._udp.x.test", 300, 1, 1, 5071, "a.test"))
        .script("_sips._tcp.x.test", SRV, vec![Reply::servfail()]);
    let ways = [
        Way::CachedNaptr,
        Way::CachedSrvList,
        Way::UncachedNaptr,
        Way::UncachedSrvList,
    ];
    for way in ways {
        assert_eq!(find("x.test", (0, 0), way), Err((0, 0)), "{way:?}");
    }
    // Nor is the query for NAPTR itself skipped.
    s.server.script("x.test", NAPTR, vec![Reply::servfail()]);
    Cache::instance().unwrap().flush(true);
    for way in [Way::CachedNaptr, Way::UncachedNaptr] {
        assert_eq!(find("x.test", (0, 0), way), Err((0, 0)), "{way:?}");
    }
    s.options.set("dns_fallback_on_failure", "1");
    Cache::instance().unwrap().flush(true);
    for way in ways {
        let found = find("x.test", (0, 0), way);
        assert_eq!(found, Ok("a.test 10.0.0.1:5071/1".to_owned()), "{way:?}");
    }
}

/// B18: "." is no reason to use the addresses of the name.
#[test]
fn service_not_available() {
    let s = setup();
    add_hosts(&s.server);
    s.server.add(Rr::srv("_sip._udp.x.test", 300, 0, 0, 0, ""));
    for way in WAYS {
        assert_eq!(find("x.test", (0, 1), way), Err((0, 1)), "{way:?}");
    }
}

#[test]
fn the_uncached_ways_leave_the_cache_alone() {
    let s = setup();
    add_hosts(&s.server);
    for way in WAYS.into_iter().filter(|way| !is_cached(*way)) {
        assert!(find("x.test", (0, 0), way).is_ok());
    }
    assert_eq!(Cache::instance().unwrap().usage().entries, 0);
}

#[test]
fn hosts_have_one_family_and_the_canonical_name() {
    let s = setup();
    s.server
        .add(Rr::cname("alias.test", 300, "h.test"))
        .add_all([
            Rr::a("h.test", 300, "10.0.0.1"),
            Rr::a("h.test", 300, "10.0.0.2"),
        ])
        .add(Rr::aaaa("h.test", 300, "2001:db8::1"));
    let text = |flags| {
        let found = sip_host::host(b"alias.test", flags)?;
        let addresses: Vec<String> = found.addresses.iter().map(ToString::to_string).collect();
        Some((String::from_utf8(found.name).unwrap(), addresses.join(" ")))
    };
    let name = "h.test".to_owned();
    assert_eq!(
        text(0),
        Some((name.clone(), "10.0.0.1 10.0.0.2".to_owned()))
    );
    assert_eq!(text(2), Some((name.clone(), "2001:db8::1".to_owned())));
    assert_eq!(text(4), Some((name, "2001:db8::1".to_owned())));
    assert!(sip_host::host(b"none.test", 0).is_none());
    assert!(sip_host::host(b"::1", IPV4_ONLY).is_none());
    assert_eq!(sip_host::host(b"[::1]", 0).unwrap().name, b"[::1]");
}

/// B22: SRV records of TTL 0 are used by the call that fetched them.
#[test]
fn srv_names() {
    let s = setup();
    add_hosts(&s.server);
    s.server
        .add(Rr::srv("_sip._udp.x.test", 0, 1, 1, 5071, "dead.test"))
        .add(Rr::srv("_sip._udp.x.test", 0, 2, 1, 5072, "a.test"));
    let found = sip_host::srv_host(b"_sip._udp.x.test", IPV4_ONLY).unwrap();
    assert_eq!((found.port, &*found.name), (5072, &b"a.test"[..]));
    assert!(sip_host::srv_host(b"x.test", IPV4_ONLY).is_none());
}
