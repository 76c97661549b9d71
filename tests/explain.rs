//! The decision tree: what it says, and that its targets are those of the search.
#![cfg(all(feature = "use_dns_cache", feature = "use_naptr"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use kamailio_dns::host::clock;
use kamailio_dns::lookup;
use kamailio_dns::rr::RecordType;
use kamailio_dns::select::explain::{Explanation, Subject, explain};
use kamailio_dns::select::sip_uri;
use support::{A, NAPTR, Reply, Rr, SRV, Server, Setup};

const IPV4_ONLY: u32 = 1;
const LB: u32 = 8;
const TRY_NAPTR: u32 = 16;
const ROTATE: u32 = 0x2000_0000;
const INTERLEAVE: u32 = 0x4000_0000;

fn explained(uri: &str, flags: u32) -> Explanation {
    explain(&sip_uri::parse(uri.as_bytes()).unwrap(), flags)
}

/// Texts of the lines about a subject.
fn lines(of: &Explanation, subject: Subject) -> Vec<&str> {
    of.lines
        .iter()
        .filter(|line| line.subject == subject)
        .map(|line| line.text.as_str())
        .collect()
}

#[track_caller]
fn assert_says(of: &Explanation, subject: Subject, parts: &[&str]) {
    let lines = lines(of, subject);
    assert!(
        lines
            .iter()
            .any(|line| parts.iter().all(|part| line.contains(part))),
        "no {subject:?} with {parts:?} in {lines:#?}"
    );
}

/// Addresses in the order of the tree.
fn tree_addresses(of: &Explanation) -> Vec<String> {
    lines(of, Subject::Address)
        .iter()
        .filter_map(|line| line.split_once(" -> "))
        .flat_map(|(_, list)| list.split(", ").map(str::to_owned))
        .collect()
}

/// Addresses in the order of the targets.
fn target_addresses(of: &Explanation) -> Vec<String> {
    lines(of, Subject::Target)
        .iter()
        .map(|line| line.rsplit(' ').next().unwrap())
        .map(|place| {
            place
                .parse::<std::net::SocketAddr>()
                .unwrap()
                .ip()
                .to_string()
        })
        .collect()
}

fn zone(server: &Server) {
    let naptr = |order, flags, service, regexp, to| {
        Rr::naptr("e.example", 300, (order, 1), (flags, service, regexp), to)
    };
    server
        .add(naptr(30, "s", "SIPS+D2T", "", "_sips._tcp.e.example"))
        .add(naptr(40, "s", "SIP+D2T", "", "_sip._tcp.e.example"))
        .add(naptr(50, "s", "SIP+D2U", "", "_sip._udp.e.example"))
        .add(naptr(60, "s", "SIP+D2U", "", "_SIP._udp.e.example"))
        .add(naptr(70, "u", "E2U+sip", "!^.*$!sip:x@y!", ""))
        .add(naptr(80, "a", "SIP+D2U", "", "h1.e.example"))
        .add(naptr(90, "s", "SIP+D2W", "", "_ws.e.example"))
        .add(Rr::srv(
            "_sip._udp.e.example",
            300,
            10,
            60,
            5070,
            "h1.e.example",
        ))
        .add(Rr::srv(
            "_sip._udp.e.example",
            300,
            10,
            40,
            5071,
            "h2.e.example",
        ))
        .add(Rr::srv(
            "_sip._udp.e.example",
            300,
            20,
            0,
            5072,
            "gone.e.example",
        ))
        .add(Rr::srv(
            "_sip._udp.e.example",
            300,
            5,
            9,
            0,
            "portless.e.example",
        ))
        .add(Rr::srv("_sip._tcp.e.example", 300, 0, 0, 0, "."))
        .add(Rr::a("h1.e.example", 300, "192.0.2.1"))
        .add(Rr::a("h1.e.example", 300, "192.0.2.11"))
        .add(Rr::a("h2.e.example", 300, "192.0.2.2"))
        .add(Rr::a("e.example", 300, "192.0.2.99"));
}

#[test]
fn every_record_of_a_naptr_tree_has_its_reason() {
    let mut setup = Setup::new();
    zone(&setup.server);
    setup.options.set("tls_disable", "1");
    let tree = explained("sip:e.example", TRY_NAPTR | IPV4_ONLY);
    assert_says(
        &tree,
        Subject::Uri,
        &["host e.example", "no port", "no transport"],
    );
    assert_says(&tree, Subject::Option, &["use_dns_failover=no"]);
    assert_says(
        &tree,
        Subject::Naptr,
        &["7 records from the network", "before: not cached"],
    );
    assert_says(&tree, Subject::Naptr, &["1. order 50", "chosen, udp"]);
    assert_says(
        &tree,
        Subject::Naptr,
        &["order 60", "leads where an earlier one leads"],
    );
    assert_says(&tree, Subject::Naptr, &["order 40", "for failover, tcp"]);
    assert_says(&tree, Subject::Naptr, &["order 30", "tls is disabled"]);
    assert_says(&tree, Subject::Naptr, &["order 70", "substitution"]);
    assert_says(&tree, Subject::Naptr, &["order 80", "only flag"]);
    assert_says(&tree, Subject::Naptr, &["order 90", "not a service of SIP"]);
    assert_says(
        &tree,
        Subject::Srv,
        &["1. priority 10 weight 60 (60 of 100) -> h1.e.example:5070"],
    );
    assert_says(
        &tree,
        Subject::Srv,
        &["3. priority 20 weight 0 -> gone.e.example:5072"],
    );
    assert_says(
        &tree,
        Subject::Srv,
        &["priority 5 weight 9 -> portless.e.example:0: not used, port 0"],
    );
    assert_says(&tree, Subject::Srv, &["4 records from the network"]);
    assert_says(&tree, Subject::Srv, &["target '.'", "not offered"]);
    assert_says(&tree, Subject::Option, &["dns_srv_lb=no"]);
    assert_says(&tree, Subject::Option, &["no AAAA: dns_try_ipv6"]);
    assert_says(
        &tree,
        Subject::Address,
        &["A gone.e.example: no such name", "before: not cached"],
    );
    assert_eq!(
        lines(&tree, Subject::Target),
        [
            "1. udp 192.0.2.1:5070",
            "2. udp 192.0.2.11:5070",
            "3. udp 192.0.2.2:5071"
        ]
    );
    assert_eq!(tree.targets, 3);
    assert_eq!(tree_addresses(&tree), target_addresses(&tree));
    // Everything is cached now, absences included.
    setup.server.clear_queries();
    let again = explained("sip:e.example", TRY_NAPTR | IPV4_ONLY);
    assert_eq!(setup.server.total(), 0);
    assert_says(
        &again,
        Subject::Naptr,
        &["7 records from the cache", "before: cached,", "s left"],
    );
    assert_says(
        &again,
        Subject::Address,
        &[
            "A gone.e.example: no such name",
            "before: cached: no such name",
        ],
    );
    assert_eq!(
        lines(&again, Subject::Target),
        lines(&tree, Subject::Target)
    );
}

#[test]
fn a_drawn_order_is_the_same_in_tree_and_list() {
    let setup = Setup::new();
    let mut firsts = std::collections::HashSet::new();
    for number in 1..=4_u8 {
        let host = format!("h{number}.lb.example");
        setup
            .server
            .add(Rr::srv("_sip._udp.lb.example", 300, 10, 25, 5060, &host))
            .add(Rr::a(&host, 300, &format!("192.0.2.{number}")))
            .add(Rr::a(&host, 300, &format!("192.0.2.{}", number + 100)))
            .add(Rr::a(&host, 300, &format!("192.0.2.{}", number + 50)));
    }
    for _ in 0..40 {
        let tree = explained("sip:lb.example;transport=udp", LB | IPV4_ONLY);
        assert_eq!(tree_addresses(&tree), target_addresses(&tree));
        assert_eq!(tree.targets, 12);
        assert_says(&tree, Subject::Option, &["dns_srv_lb=yes"]);
        firsts.insert(target_addresses(&tree).remove(0));
    }
    assert!(firsts.len() > 1, "{firsts:?}");
}

/// The options that order addresses are named where they do, the order is the next call's, and asking is no call.
#[test]
fn the_order_of_addresses_has_its_reason() {
    let setup = Setup::new();
    setup
        .server
        .add(Rr::a("both.example", 300, "192.0.2.1"))
        .add(Rr::a("both.example", 300, "192.0.2.2"))
        .add(Rr::a("both.example", 300, "192.0.2.3"))
        .add(Rr::aaaa("both.example", 300, "2001:db8::1"))
        .add(Rr::a("one.example", 300, "192.0.2.9"));
    let options = |of: &Explanation| lines(of, Subject::Option).join("; ");
    let flags = ROTATE | INTERLEAVE;
    let explanation = explained("sip:x@both.example:5060", flags);
    let list = target_addresses(&explanation);
    assert_eq!(list.iter().filter(|text| text.contains(':')).count(), 1);
    assert!(list[1].contains(':'), "{list:?}");
    let said = options(&explanation);
    assert!(said.contains("dns_rotate=yes"), "{said}");
    assert!(said.contains("dns_family_order=interleave"), "{said}");
    let again = target_addresses(&explained("sip:x@both.example:5060", flags));
    assert_eq!(again, list);
    // What decides nothing is not named.
    for (uri, flags) in [
        ("sip:x@both.example:5060", 0),
        ("sip:x@both.example:5060", ROTATE | LB | IPV4_ONLY),
        ("sip:x@one.example:5060", flags),
    ] {
        let said = options(&explained(uri, flags));
        assert!(!said.contains("dns_rotate"), "{uri} {flags}: {said}");
        assert!(!said.contains("dns_family_order"), "{uri} {flags}: {said}");
    }
}

#[test]
fn failure_is_not_absence() {
    let mut setup = Setup::new();
    setup
        .server
        .script("f.example", NAPTR, vec![Reply::servfail()])
        .add(Rr::a("f.example", 300, "192.0.2.5"));
    let tree = explained("sip:f.example", TRY_NAPTR | IPV4_ONLY);
    assert_says(
        &tree,
        Subject::Naptr,
        &["NAPTR f.example: the servers failed"],
    );
    assert_says(&tree, Subject::Error, &["NAPTR records could not be had"]);
    assert_eq!(tree.targets, 0);
    assert!(lines(&tree, Subject::Srv).is_empty() && lines(&tree, Subject::Address).is_empty());
    let remembered = explained("sip:f.example", TRY_NAPTR | IPV4_ONLY);
    assert_says(
        &remembered,
        Subject::Naptr,
        &["before: a failure was remembered"],
    );
    setup.options.set("dns_fallback_on_failure", "yes");
    let lenient = explained("sip:f.example", TRY_NAPTR | IPV4_ONLY);
    assert_says(&lenient, Subject::Option, &["dns_fallback_on_failure=yes"]);
    assert_eq!(lines(&lenient, Subject::Target), ["1. udp 192.0.2.5:5060"]);
}

/// What kind of failure or absence it was decides where an operator looks next.
#[test]
fn failures_and_absences_have_words_of_their_own() {
    let setup = Setup::new();
    setup
        .server
        .script("refused.example", A, vec![Reply::rcode(5)])
        .answer("odd.example", A, vec![Rr::raw("odd.example", A, 300, b"1")])
        .script(
            "gone.example",
            A,
            vec![Reply::nxdomain(Rr::soa("example", 300, 300))],
        )
        .script(
            "empty.example",
            A,
            vec![Reply::nodata(Rr::soa("example", 300, 300))],
        )
        .add(Rr::cname("loop.example", 300, "loop.example"));
    for (host, first, second) in [
        ("refused", "the servers refused", "a failure was remembered"),
        ("odd", "unusable answers", "a failure was remembered"),
        ("gone", "no such name", "cached: no such name"),
        ("empty", "no such record", "cached: no such record"),
    ] {
        let uri = format!("sip:{host}.example:5060");
        let line = format!("A {host}.example: {first}");
        assert_says(&explained(&uri, IPV4_ONLY), Subject::Address, &[&line]);
        let before = format!("before: {second}");
        assert_says(&explained(&uri, IPV4_ONLY), Subject::Address, &[&before]);
    }
    let tree = explained("sip:loop.example:5060", IPV4_ONLY);
    let text = "the aliases are a loop or too many";
    assert_says(&tree, Subject::Address, &[text]);
    let edit = lookup::RecordEdit {
        name: b"edited.example",
        ttl: 0,
        value: b"192.0.2.7",
        priority: 0,
        weight: 0,
        port: 0,
        negative: false,
        permanent: true,
    };
    lookup::add_record(RecordType(A), &edit).unwrap();
    let tree = explained("sip:edited.example:5060", IPV4_ONLY);
    assert_says(&tree, Subject::Address, &["permanent", "192.0.2.7"]);
    assert_eq!(setup.server.count("edited.example", A), 0);
}

#[test]
fn what_the_uri_rules_out_is_not_asked() {
    let setup = Setup::new();
    setup.server.add(Rr::a("p.example", 300, "192.0.2.7"));
    let port = explained("sip:p.example:5080;transport=tcp", TRY_NAPTR | IPV4_ONLY);
    assert_says(&port, Subject::Srv, &["the URI has a port"]);
    assert_eq!(lines(&port, Subject::Target), ["1. tcp 192.0.2.7:5080"]);
    assert_eq!(setup.server.total(), setup.server.count("p.example", A));
    let transport = explained("sips:p.example", TRY_NAPTR | IPV4_ONLY);
    assert_says(&transport, Subject::Naptr, &["names the transport"]);
    assert_says(
        &transport,
        Subject::Address,
        &["addresses of the host itself"],
    );
    assert_eq!(
        lines(&transport, Subject::Target),
        ["1. tls 192.0.2.7:5061"]
    );
    assert_eq!(setup.server.count("p.example", NAPTR), 0);
    assert_eq!(setup.server.count("_sips._tcp.p.example", SRV), 1);
    let literal = explained("sip:[2001:db8::5]", TRY_NAPTR);
    assert_says(&literal, Subject::Address, &["2001:db8::5 is an address"]);
    assert_eq!(
        lines(&literal, Subject::Target),
        ["1. udp [2001:db8::5]:5060"]
    );
    let excluded = explained("sip:[2001:db8::5]", TRY_NAPTR | IPV4_ONLY);
    assert_says(&excluded, Subject::Error, &["options exclude"]);
}

/// A domain with an address, and NAPTR records with these services in their order.
fn named(server: &Server, domain: &str, services: &[(&str, &str)]) {
    for (order, (service, prefix)) in (1..).zip(services) {
        let to = format!("{prefix}{domain}");
        server.add(Rr::naptr(domain, 300, (order, 1), ("s", service, ""), &to));
    }
    server.add(Rr::a(domain, 300, "192.0.2.50"));
}

/// Each branch that is closed says which rule closed it, and the option that decided.
#[test]
fn a_closed_branch_names_its_rule() {
    let mut setup = Setup::patient();
    setup.options.set("dns_tls_pref", "100");
    setup.options.set("sctp_disable", "1");
    let tls_and_udp = [("SIPS+D2T", "_sips._tcp."), ("SIP+D2U", "_sip._udp.")];
    let tls = [tls_and_udp[0]];

    // A query about TLS, which goes first here, was not answered.
    setup
        .server
        .script("_sips._tcp.u.example", SRV, vec![Reply::servfail()])
        .add(Rr::a("u.example", 300, "192.0.2.50"));
    let tree = explained("sip:u.example", IPV4_ONLY);
    let rule = "closed: a query for a secure transport was not answered (dns_downgrade=on_absence)";
    for skipped in ["_sip._udp.u.example", "_sip._tcp.u.example"] {
        assert_says(&tree, Subject::Srv, &[skipped, "not asked", rule]);
    }
    assert_eq!(tree.targets, 0);
    setup.options.set("dns_downgrade", "always");
    let tree = explained("sip:u.example", IPV4_ONLY);
    assert_says(
        &tree,
        Subject::Option,
        &["dns_downgrade=always: taken as no such record"],
    );
    assert_eq!(lines(&tree, Subject::Target), ["1. udp 192.0.2.50:5060"]);
    setup.options.set("dns_downgrade", "on_absence");

    // One about UDP closes nothing.
    setup
        .server
        .script("_sip._udp.clear.example", SRV, vec![Reply::servfail()])
        .add(Rr::a("clear.example", 300, "192.0.2.51"));
    let tree = explained("sip:clear.example", IPV4_ONLY);
    assert_says(
        &tree,
        Subject::Srv,
        &["not encrypted: a failure counts as no such record"],
    );
    assert_eq!(lines(&tree, Subject::Target), ["1. udp 192.0.2.51:5060"]);

    // NAPTR names TLS alone, and TLS has no SRV records.
    named(&setup.server, "a.example", &tls);
    let tree = explained("sip:a.example", TRY_NAPTR | IPV4_ONLY);
    let rule =
        "closed: all NAPTR records for SIP name secure transports (dns_downgrade=on_absence)";
    assert_says(
        &tree,
        Subject::Srv,
        &["_sip._udp.a.example", "not asked", rule],
    );
    assert_says(&tree, Subject::Address, &["over tls", rule]);
    assert_eq!(lines(&tree, Subject::Target), ["1. tls 192.0.2.50:5061"]);

    // The NAPTR question itself failed.
    setup
        .server
        .script("n.example", NAPTR, vec![Reply::servfail()]);
    let tree = explained("sip:n.example", TRY_NAPTR | IPV4_ONLY);
    let rule = "dns_downgrade=on_absence: what the records name is not known";
    assert_says(&tree, Subject::Option, &[rule, "no transport is open"]);

    setup.options.set("dns_downgrade", "never");
    // NAPTR names TLS first.
    named(&setup.server, "f.example", &tls_and_udp);
    setup.server.add(Rr::srv(
        "_sips._tcp.f.example",
        300,
        1,
        1,
        5061,
        "f.example",
    ));
    let tree = explained("sip:f.example", TRY_NAPTR | IPV4_ONLY);
    let rule =
        "closed: a NAPTR record that goes first names a secure transport (dns_downgrade=never)";
    assert_says(&tree, Subject::Naptr, &["SIP+D2U", "not used", rule]);
    assert_eq!(lines(&tree, Subject::Target), ["1. tls 192.0.2.50:5061"]);

    // TLS, which goes first here, has SRV records.
    setup.server.add(Rr::srv(
        "_sips._tcp.h.example",
        300,
        1,
        1,
        5061,
        "gone.h.example",
    ));
    let tree = explained("sip:h.example", IPV4_ONLY);
    let rule = "closed: a secure transport that goes first has SRV records (dns_downgrade=never)";
    assert_says(
        &tree,
        Subject::Srv,
        &["_sip._udp.h.example", "not asked", rule],
    );
    assert_eq!(tree.targets, 0);
}

/// `sips:` and `transport=tls` reach the search as one number; the URI tells which of them it was.
#[test]
fn the_uri_says_which_rule_it_brings() {
    let mut setup = Setup::patient();
    named(&setup.server, "s.example", &[("SIPS+D2T", "_x._tcp.")]);
    let owner = "_x._tcp.s.example";
    setup
        .server
        .add(Rr::srv(owner, 300, 1, 1, 5999, "s.example"));
    let closes = "closes all transports without encryption";
    let cases = [
        ("sips:s.example", "sips:", "sips: names the transport TLS"),
        (
            "sip:s.example;transport=tls",
            "transport=tls",
            "the URI names the transport",
        ),
    ];
    for (uri, demand, why) in cases {
        let tree = explained(uri, TRY_NAPTR | IPV4_ONLY);
        assert_says(&tree, Subject::Uri, &[&format!("{demand} {closes}")]);
        assert_says(&tree, Subject::Naptr, &[why, "no NAPTR"]);
        assert_eq!(lines(&tree, Subject::Target), ["1. tls 192.0.2.50:5061"]);
    }
    setup.options.set("dns_sips_naptr", "yes");
    let rule = "dns_sips_naptr=yes: NAPTR for SIPS+D2T alone";
    for (uri, reached) in [
        ("sips:s.example", "RFC 3263 section 4.1"),
        ("sip:s.example;transport=tls", "transport=tls reaches"),
    ] {
        let tree = explained(uri, TRY_NAPTR | IPV4_ONLY);
        assert_says(&tree, Subject::Option, &[rule, reached]);
        assert_eq!(lines(&tree, Subject::Target), ["1. tls 192.0.2.50:5999"]);
    }
    // A clear transport closes nothing.
    let tree = explained("sip:s.example;transport=tcp", IPV4_ONLY);
    assert!(
        !lines(&tree, Subject::Uri)
            .iter()
            .any(|line| line.contains("closes"))
    );
}

#[test]
fn stale_records_are_called_so() {
    let mut setup = Setup::new();
    setup.options.set("dns_retr_time", "1");
    setup.options.set("dns_retr_no", "1");
    setup.server.add(Rr::a("old.example", 10, "192.0.2.8"));
    let fresh = explained("sip:old.example:5060", IPV4_ONLY);
    assert_says(&fresh, Subject::Address, &["from the network, ", " s left"]);
    setup
        .server
        .script("old.example", A, vec![Reply::servfail()]);
    clock::advance_for_tests(15_000);
    let stale = explained("sip:old.example:5060", IPV4_ONLY);
    assert_says(
        &stale,
        Subject::Address,
        &[
            "from the cache, stale, expired ",
            "before: cached, expired ",
        ],
    );
    assert_eq!(lines(&stale, Subject::Target), ["1. udp 192.0.2.8:5060"]);
}

/// A relative name is shown with the name under which the search list found it, an absolute one never.
#[test]
fn relative_names_are_shown_with_the_name_that_they_were_found_as() {
    let mut s = Setup::patient();
    s.options.resolv_conf("search corp.example\n");
    s.server
        .add(Rr::cname("pbx.corp.example", 300, "host.example"))
        .add(Rr::a("host.example", 300, "192.0.2.1"))
        .add(Rr::a("brief.corp.example", 0, "192.0.2.2"))
        // An alias that reads as if a domain had been appended.
        .add(Rr::cname("www.example", 300, "www.example.cdn.example"))
        .add(Rr::a("www.example.cdn.example", 300, "192.0.2.3"));
    let address = |uri: &str| explained(uri, IPV4_ONLY);
    let first = address("sip:pbx:5060");
    assert_says(
        &first,
        Subject::Address,
        &["pbx: 1 record, relative, found as pbx.corp.example of host.example"],
    );
    let again = address("sip:pbx:5060");
    assert_says(
        &again,
        Subject::Address,
        &["before: cached, relative, found as pbx.corp.example"],
    );
    let full = address("sip:pbx.corp.example.:5060");
    assert_says(&full, Subject::Address, &["1 record of host.example"]);
    for of in [address("sip:brief:5060"), address("sip:brief:5060")] {
        let found = ["brief: 1 record, relative, found as brief.corp.example"];
        assert_says(&of, Subject::Address, &found);
    }
    for of in [
        address("sip:www.example:5060"),
        address("sip:www.example:5060"),
    ] {
        assert_says(
            &of,
            Subject::Address,
            &["1 record of www.example.cdn.example"],
        );
    }
    let shown = [&first, &again, &full].map(|of| format!("{:?}", lines(of, Subject::Address)));
    assert!(
        shown
            .iter()
            .all(|text| !text.contains("example. ") && !text.contains("example.;"))
    );
}

/// What lies behind a silent name is explained as well, and all of it within one deadline: with one for each step this
/// would take three minutes, and the watchdog ends the program after two.
#[test]
fn all_steps_share_one_deadline() {
    const PAIRS: u16 = 60;
    let mut s = Setup::patient();
    s.options.set("dns_resolve_deadline", "3000");
    s.options.set("use_dns_failover", "yes");
    let srv =
        |place: u16, target: &str| Rr::srv("_sip._udp.many.test", 300, place, 1, 5060, target);
    for pair in 0..PAIRS {
        let (known, silent) = (format!("known{pair}.test"), format!("silent{pair}.test"));
        s.server
            .add(srv(2 * pair, &known))
            .add(srv(2 * pair + 1, &silent))
            .answer(&known, A, vec![Rr::a(&known, 300, "192.0.2.7")])
            .script(&silent, A, vec![Reply::dropped()]);
        let found = explained(&format!("sip:{known}:5060"), IPV4_ONLY);
        assert_eq!(found.targets, 1);
    }
    let of = explained("sip:many.test;transport=udp", IPV4_ONLY);
    assert_eq!(of.targets, usize::from(PAIRS));
    assert_says(&of, Subject::Address, &["silent0.test: no answer in time"]);
}

/// While no nameserver answers nothing is asked: what is known is said at once.
#[test]
fn what_is_known_is_said_while_the_servers_are_down() {
    let s = Setup::new();
    s.server
        .answer("known.test", A, vec![Rr::a("known.test", 300, "192.0.2.7")]);
    assert_eq!(explained("sip:known.test:5060", IPV4_ONLY).targets, 1);
    s.server.ignore_probes();
    s.server.default_reply(Reply::dropped());
    let mut number = 0;
    while lookup::is_any_server_up() {
        number += 1;
        let uri = format!("sip:silent{number}.test:5060");
        assert_eq!(explained(&uri, IPV4_ONLY).targets, 0);
    }
    s.server.clear_queries();
    let known = explained("sip:known.test:5060", IPV4_ONLY);
    assert_eq!(target_addresses(&known), ["192.0.2.7"]);
    assert_says(&known, Subject::Option, &["no nameserver answers"]);
    clock::advance_for_tests(400_000);
    let stale = explained("sip:known.test:5060", IPV4_ONLY);
    assert_eq!(target_addresses(&stale), ["192.0.2.7"]);
    let unknown = explained("sip:unknown.test", IPV4_ONLY);
    assert_eq!(unknown.targets, 0);
    assert_eq!(s.server.total(), 0);
}
