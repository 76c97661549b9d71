//! Lookups through the cache, against a scripted server on the loopback interface.
#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::net::IpAddr;

use kamailio_dns::cache::{Cache, EntryRef, RecordView};
use kamailio_dns::error::{Failure, LookupError};
use kamailio_dns::host::clock;
use kamailio_dns::host::counters::{Counter, value};
use kamailio_dns::lookup::{self, Source};
use kamailio_dns::rr::RecordType;
use support::{A, AAAA, CNAME, NAPTR, Reply, Rr, SRV, Setup};

const IPV4_ONLY: u32 = 1;
const IPV6_ONLY: u32 = 2;
const IPV6_FIRST: u32 = 4;

/// An empty cache and a server that knows nothing.
fn setup() -> Setup {
    let setup = Setup::new();
    lookup::set_local_ttl(0);
    setup
}

fn a(owner: &str, address: &str) -> Rr {
    Rr::a(owner, 300, address)
}

fn cname(owner: &str, target: &str) -> Rr {
    Rr::cname(owner, 300, target)
}

fn find(name: &str, qtype: u16, flags: u32) -> Result<(EntryRef, Source), LookupError> {
    lookup::entry(name.as_bytes(), RecordType(qtype), flags)
}

/// Owner and addresses of the A records of a name.
#[track_caller]
fn found(name: &str) -> (String, Vec<IpAddr>) {
    let (entry, _) = find(name, A, IPV4_ONLY).unwrap();
    (
        String::from_utf8(entry.name().to_vec()).unwrap(),
        addresses(&entry),
    )
}

#[track_caller]
fn error(name: &str, qtype: u16) -> LookupError {
    find(name, qtype, IPV4_ONLY).map(|_| ()).unwrap_err()
}

fn addresses(entry: &EntryRef) -> Vec<IpAddr> {
    entry
        .records()
        .filter_map(|record| match record {
            RecordView::A(address) => Some(IpAddr::V4(address)),
            RecordView::Aaaa(address) => Some(IpAddr::V6(address)),
            _ => None,
        })
        .collect()
}

fn cached(name: &str, rtype: u16) -> bool {
    live(name, rtype).is_some()
}

fn live(name: &str, rtype: u16) -> Option<EntryRef> {
    let entry = Cache::instance()?.acquire_any_age(name.as_bytes(), RecordType(rtype))?;
    (!entry.is_expired(clock::now_ticks())).then_some(entry)
}

/// Seconds that a cached entry has left, rounded to the nearest.
#[track_caller]
fn seconds_left(name: &str, rtype: u16) -> u32 {
    let expire = live(name, rtype).unwrap().expire();
    (expire.wrapping_sub(clock::now_ticks()) + 8) / 16
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn second_lookup_asks_nobody() {
    let s = setup();
    s.server
        .add_all([a("h.test", "192.0.2.1"), a("h.test", "192.0.2.2")]);
    let (first, source) = find("h.test", A, IPV4_ONLY).unwrap();
    assert_eq!(source, Source::Network);
    assert_eq!(addresses(&first), [ip("192.0.2.1"), ip("192.0.2.2")]);
    let (_, source) = find("H.TEST", A, IPV4_ONLY).unwrap();
    assert_eq!(source, Source::Cache);
    assert_eq!(s.server.total(), 1);
    clock::advance_for_tests(301_000);
    let (_, source) = find("h.test", A, IPV4_ONLY).unwrap();
    assert_eq!(source, Source::Network);
    assert_eq!(addresses(&first).len(), 2, "held beyond its expiry");
}

#[test]
fn both_families_are_asked_for_at_once() {
    let s = setup();
    // Neither is answered before both were asked for.
    let held = |records| vec![Reply::answer(records).hold_until(2)];
    s.server
        .script("h.test", A, held(vec![a("h.test", "192.0.2.1")]))
        .script(
            "h.test",
            AAAA,
            held(vec![Rr::aaaa("h.test", 300, "2001:db8::1")]),
        );
    find("h.test", A, 0).unwrap();
    let (six, source) = find("h.test", AAAA, 0).unwrap();
    assert_eq!(source, Source::Cache);
    assert_eq!(addresses(&six), [ip("2001:db8::1")]);
    assert_eq!(s.server.total(), 2);
    // One family alone asks for nothing else.
    s.server.add(a("only.test", "192.0.2.1"));
    find("only.test", A, IPV4_ONLY).unwrap();
    assert_eq!(s.server.count("only.test", AAAA), 0);
    // Neither does a lookup of another type.
    assert_eq!(error("h.test", SRV), LookupError::NxDomain);
    assert_eq!(s.server.total(), 4);
}

#[test]
fn first_address_goes_through_the_families() {
    let s = setup();
    s.server
        .add(Rr::aaaa("six.test", 300, "2001:db8::6"))
        .add(a("both.test", "192.0.2.4"))
        .add(Rr::aaaa("both.test", 300, "2001:db8::4"))
        .add(cname("alias.test", "both.test"));
    let first = |name: &str, flags| lookup::first_address(name.as_bytes(), flags);
    for _ in 0..2 {
        assert_eq!(first("six.test", 0), Ok(ip("2001:db8::6")));
        assert_eq!(first("six.test", IPV4_ONLY), Err(LookupError::NoData));
        assert_eq!(first("both.test", 0), Ok(ip("192.0.2.4")));
        assert_eq!(first("both.test.", 0), Ok(ip("192.0.2.4")));
        assert_eq!(first("alias.test", 0), Ok(ip("192.0.2.4")));
        assert_eq!(first("both.test", IPV6_FIRST), Ok(ip("2001:db8::4")));
        assert_eq!(first("both.test", IPV6_ONLY), Ok(ip("2001:db8::4")));
        assert_eq!(first("none.test", 0), Err(LookupError::NxDomain));
    }
    let asked = s.server.total();
    assert_eq!(first("192.0.2.9", 0), Ok(ip("192.0.2.9")));
    assert_eq!(first("[2001:db8::9]", IPV6_ONLY), Ok(ip("2001:db8::9")));
    assert_eq!(first("192.0.2.9", IPV6_ONLY), Err(LookupError::NoData));
    assert_eq!(first("::1", IPV4_ONLY), Err(LookupError::NoData));
    assert_eq!(first("", 0), Err(LookupError::BadName));
    assert_eq!(first("a b", 0), Err(LookupError::BadName));
    let long = "a.".repeat(127) + "ab";
    assert_eq!(first(&long, 0), Err(LookupError::NameTooLong));
    assert_eq!(s.server.total(), asked);
}

#[test]
fn failure_of_one_family_is_not_hidden_by_absence_of_the_other() {
    let s = setup();
    s.server
        .script("h.test", A, vec![Reply::servfail()])
        .script("h.test", AAAA, vec![Reply::nodata(Rr::soa("test", 60, 60))]);
    let first = lookup::first_address(b"h.test", 0);
    assert_eq!(first, Err(LookupError::Failed(Failure::ServFail)));
    s.server.script(
        "h.test",
        AAAA,
        vec![Reply::answer(vec![Rr::aaaa("h.test", 60, "::9")])],
    );
    clock::advance_for_tests(61_000);
    assert_eq!(lookup::first_address(b"h.test", 0), Ok(ip("::9")));
}

#[test]
fn chain_within_the_name_is_taken_from_one_answer() {
    let s = setup();
    s.server
        .add(cname("www.x.test", "a.www.x.test"))
        .add(cname("a.www.x.test", "b.a.www.x.test"))
        .add(a("b.a.www.x.test", "192.0.2.1"));
    let expected = ("b.a.www.x.test".to_owned(), vec![ip("192.0.2.1")]);
    assert_eq!(found("www.x.test"), expected);
    assert_eq!(s.server.total(), 1);
    assert!(cached("www.x.test", CNAME) && cached("a.www.x.test", CNAME));
    assert_eq!(found("www.x.test"), expected);
    assert_eq!(found("a.www.x.test"), expected);
    assert_eq!(s.server.total(), 1);
}

/// B06: what an alias points to is learnt from a query for it, not from the alias's answer.
#[test]
fn target_elsewhere_is_asked_for() {
    let s = setup();
    let forged = vec![
        cname("x.evil.test", "bank.example"),
        a("bank.example", "198.51.100.6"),
    ];
    s.server
        .answer("x.evil.test", A, forged)
        .add(a("bank.example", "192.0.2.1"));
    assert_eq!(
        found("x.evil.test"),
        ("bank.example".to_owned(), vec![ip("192.0.2.1")])
    );
    assert_eq!(s.server.total(), 2);
    assert_eq!(found("bank.example").1, [ip("192.0.2.1")]);
    assert_eq!(s.server.total(), 2);
}

#[test]
fn chains_end_at_the_same_length_however_often_they_are_asked() {
    let s = setup();
    // One alias to an answer: 11 aliases from n1, 12 from n0.
    for i in 0..12 {
        let (owner, target) = (format!("n{i}.test"), format!("n{}.test", i + 1));
        s.server.answer(&owner, A, vec![cname(&owner, &target)]);
    }
    s.server.add(a("n12.test", "192.0.2.1"));
    assert_eq!(error("n0.test", A), LookupError::CnameChain);
    assert_eq!(error("n0.test", A), LookupError::CnameChain);
    let asked = s.server.total();
    assert_eq!(error("n0.test", A), LookupError::CnameChain);
    assert_eq!(s.server.total(), asked);
    Cache::instance().unwrap().flush(true);
    for _ in 0..2 {
        assert_eq!(found("n1.test").0, "n12.test");
    }
}

#[test]
fn loops_end() {
    let s = setup();
    s.server
        .answer("a.test", A, vec![cname("a.test", "b.test")])
        .answer("b.test", A, vec![cname("b.test", "a.test")])
        .answer("self.test", A, vec![cname("self.test", "self.test")]);
    for _ in 0..2 {
        assert_eq!(error("a.test", A), LookupError::CnameChain);
        assert_eq!(error("self.test", A), LookupError::CnameChain);
    }
    assert_eq!(s.server.total(), 3, "the loops are cached");
}

#[test]
fn half_a_chain_goes_on_where_it_ends() {
    let s = setup();
    let half = vec![cname("p.test", "q.p.test"), cname("q.p.test", "r.q.p.test")];
    s.server
        .answer("p.test", A, half)
        .add(a("r.q.p.test", "192.0.2.1"));
    assert_eq!(found("p.test").0, "r.q.p.test");
    let asked: Vec<String> = s.server.queries().into_iter().map(|q| q.name).collect();
    assert_eq!(asked, ["p.test", "r.q.p.test"]);
}

#[test]
fn absence_lives_as_long_as_the_zone_and_the_option_say() {
    let mut s = setup();
    s.server.negative_ttl(60, 30);
    assert_eq!(error("none.test", A), LookupError::NxDomain);
    assert_eq!(error("none.test", A), LookupError::NxDomain);
    assert_eq!(s.server.total(), 1);
    assert_eq!(seconds_left("none.test", A), 30);
    // Another type is another matter.
    assert!(!cached("none.test", SRV));
    s.options.set("dns_cache_negative_ttl", "10");
    assert_eq!(error("other.test", A), LookupError::NxDomain);
    assert_eq!(seconds_left("other.test", A), 10);
    clock::advance_for_tests(11_000);
    assert_eq!(error("other.test", A), LookupError::NxDomain);
    assert_eq!(s.server.count("other.test", A), 2);
    s.options.set("dns_cache_negative_ttl", "0");
    assert_eq!(error("third.test", A), LookupError::NxDomain);
    assert!(!cached("third.test", A));
}

#[test]
fn absence_belongs_to_the_end_of_the_chain() {
    let s = setup();
    let soa = vec![Rr::soa("test", 60, 60)];
    let reply = Reply::answer(vec![cname("a.test", "b.a.test")]).authority(soa);
    s.server.script("a.test", A, vec![reply]);
    assert_eq!(error("a.test", A), LookupError::NoData);
    assert!(cached("a.test", CNAME) && cached("b.a.test", A) && !cached("a.test", A));
    assert_eq!(error("a.test", A), LookupError::NoData);
    assert_eq!(s.server.total(), 1);
}

/// B09: a failure is remembered for a moment, and never as absence.
#[test]
fn failure_is_remembered_shortly() {
    let s = setup();
    s.server.script("briefly.test", A, vec![Reply::servfail()]);
    for _ in 0..2 {
        assert_eq!(
            error("briefly.test", A),
            LookupError::Failed(Failure::ServFail)
        );
    }
    assert_eq!(s.server.total(), 1);
    s.server
        .answer("briefly.test", A, vec![a("briefly.test", "192.0.2.1")]);
    clock::advance_for_tests(1_100);
    assert_eq!(found("briefly.test").1, [ip("192.0.2.1")]);
}

#[test]
fn failure_can_be_forgotten_at_once() {
    let mut s = setup();
    s.options.set("dns_failure_ttl", "0");
    s.server.script("h.test", A, vec![Reply::servfail()]);
    assert!(matches!(error("h.test", A), LookupError::Failed(_)));
    assert!(matches!(error("h.test", A), LookupError::Failed(_)));
    assert_eq!(s.server.total(), 2);
}

/// B48: one failed lookup counts once, whatever it was made of; the cache does not count.
#[test]
fn failed_lookups_count_once() {
    let s = setup();
    let before = value(Counter::FailedRequest);
    s.server.script("h.test", A, vec![Reply::servfail()]);
    s.server.script("h.test", AAAA, vec![Reply::servfail()]);
    assert!(find("h.test", A, 0).is_err());
    assert_eq!(value(Counter::FailedRequest), before + 1);
    assert!(find("h.test", A, 0).is_err());
    assert!(find("h.test", AAAA, 0).is_err());
    assert_eq!(error("not a name", A), LookupError::BadName);
    assert_eq!(value(Counter::FailedRequest), before + 1);
    assert_eq!(error("none.test", A), LookupError::NxDomain);
    assert_eq!(value(Counter::FailedRequest), before + 2);
}

#[test]
fn additional_data_of_the_zone_is_kept() {
    let s = setup();
    let srv = Rr::srv("_sip._udp.x.test", 300, 1, 1, 5060, "h.x.test");
    let reply = Reply::answer(vec![srv]).additional(vec![
        a("h.x.test", "192.0.2.1"),
        Rr::aaaa("h.x.test", 300, "2001:db8::1"),
        a("stranger.x.test", "192.0.2.7"),
    ]);
    s.server.script("_sip._udp.x.test", SRV, vec![reply]);
    find("_sip._udp.x.test", SRV, 0).unwrap();
    assert!(cached("h.x.test", A) && cached("h.x.test", AAAA));
    assert_eq!(
        cached("stranger.x.test", A),
        !cfg!(feature = "cache_relevant_recs_only")
    );
    assert_eq!(found("h.x.test").1, [ip("192.0.2.1")]);
    assert_eq!(s.server.total(), 1);
    // The families that the caller excludes are not kept.
    Cache::instance().unwrap().flush(true);
    find("_sip._udp.x.test", SRV, IPV4_ONLY).unwrap();
    if cfg!(feature = "cache_relevant_recs_only") {
        assert!(cached("h.x.test", A) && !cached("h.x.test", AAAA));
    }
}

#[test]
fn additional_data_of_naptr() {
    let s = setup();
    let naptr =
        |service, replacement| Rr::naptr("x.test", 300, (1, 1), ("s", service, ""), replacement);
    let srv = |owner: &str, target| Rr::srv(owner, 300, 1, 1, 5060, target);
    let reply = Reply::answer(vec![
        naptr("SIP+D2U", "_sip._udp.x.test"),
        naptr("E2U+foo", "_foo._udp.x.test"),
        naptr("SIP+D2T", "_sip._tcp.bank.example"),
    ])
    .additional(vec![
        srv("_sip._udp.x.test", "h.x.test"),
        srv("_foo._udp.x.test", "f.x.test"),
        srv("_sip._tcp.bank.example", "h.bank.example"),
        a("h.x.test", "192.0.2.1"),
        a("f.x.test", "192.0.2.2"),
        a("h.bank.example", "198.51.100.6"),
    ]);
    s.server.script("x.test", NAPTR, vec![reply]);
    find("x.test", NAPTR, 0).unwrap();
    assert!(cached("_sip._udp.x.test", SRV) && cached("h.x.test", A));
    if cfg!(all(
        feature = "cache_relevant_recs_only",
        not(feature = "naptr_cache_all_ars")
    )) {
        assert!(!cached("_foo._udp.x.test", SRV) && !cached("f.x.test", A));
    }
    assert!(!cached("_sip._tcp.bank.example", SRV) && !cached("h.bank.example", A));
}

/// An answer whose additional section has the addresses, but no room for the SRV set that leads to them.
#[test]
fn additional_addresses_without_their_srv_set() {
    let s = setup();
    let naptr = Rr::naptr(
        "x.test",
        300,
        (1, 1),
        ("s", "SIP+D2U", ""),
        "_sip._udp.x.test",
    );
    let reply = Reply::answer(vec![naptr]).additional(vec![
        a("h.x.test", "192.0.2.1"),
        Rr::aaaa("h.x.test", 300, "2001:db8::1"),
        a("h.bank.example", "198.51.100.6"),
    ]);
    s.server.script("x.test", NAPTR, vec![reply]);
    find("x.test", NAPTR, 0).unwrap();
    // NAPTR_CACHE_ALL_ARS keeps all of it, and so does a library that is not told to keep the relevant alone.
    let all = cfg!(feature = "naptr_cache_all_ars") || !cfg!(feature = "cache_relevant_recs_only");
    assert_eq!(cached("h.x.test", A), all);
    assert_eq!(cached("h.x.test", AAAA), all);
    assert_eq!(s.server.count("h.x.test", A), 0);
    // Other domains' names are believed in no case.
    assert!(!cached("h.bank.example", A));
}

/// B06: additional data says nothing about other domains, and never replaces what is there.
#[test]
fn additional_data_only_fills_gaps() {
    let mut s = setup();
    s.server.add(a("h.x.test", "192.0.2.1"));
    assert_eq!(found("h.x.test").1, [ip("192.0.2.1")]);
    for pref in ["0", "1", "2", "3"] {
        s.options.set("dns_cache_rec_pref", pref);
        let owner = format!("_sip{pref}._udp.x.test");
        let reply = Reply::answer(vec![
            Rr::srv(&owner, 300, 1, 1, 5060, "h.x.test"),
            Rr::srv(&owner, 300, 1, 1, 5060, "bank.example"),
        ])
        .additional(vec![
            Rr::a("h.x.test", 9_999, "198.51.100.6"),
            a("bank.example", "198.51.100.6"),
        ]);
        s.server.script(&owner, SRV, vec![reply]);
        find(&owner, SRV, 0).unwrap();
        assert_eq!(found("h.x.test").1, [ip("192.0.2.1")], "rec_pref {pref}");
        assert!(!cached("bank.example", A));
    }
}

#[test]
fn ttl_0_serves_one_call() {
    let s = setup();
    s.server.add(Rr::a("h.test", 0, "192.0.2.1"));
    for asked in 1..=2 {
        assert_eq!(found("h.test").1, [ip("192.0.2.1")]);
        assert!(!cached("h.test", A));
        assert_eq!(s.server.total(), asked);
    }
    assert_eq!(
        lookup::first_address(b"h.test", IPV4_ONLY),
        Ok(ip("192.0.2.1"))
    );
}

#[test]
fn without_memory_lookups_still_work() {
    let mut s = setup();
    s.options.set("dns_cache_mem", "0");
    s.server
        .add(cname("alias.test", "h.test"))
        .add(a("h.test", "192.0.2.1"));
    for _ in 0..2 {
        assert_eq!(found("alias.test").0, "h.test");
        assert_eq!(error("none.test", A), LookupError::NxDomain);
    }
    assert_eq!(s.server.total(), 6);
}

#[test]
fn a_set_has_one_ttl_and_the_bounds_apply() {
    let mut s = setup();
    s.server
        .add_all([
            Rr::a("h.test", 500, "192.0.2.1"),
            Rr::a("h.test", 100, "192.0.2.2"),
        ])
        .add(Rr::a("low.test", 5, "192.0.2.1"))
        .add(Rr::a("high.test", 5_000, "192.0.2.1"))
        .add(Rr::a("local.test", 500, "192.0.2.1"));
    found("h.test");
    assert_eq!(seconds_left("h.test", A), 100);
    let entry = live("h.test", A).unwrap();
    assert_eq!(entry.record_expire(0), entry.record_expire(1));
    s.options.set("dns_cache_min_ttl", "60");
    s.options.set("dns_cache_max_ttl", "600");
    found("low.test");
    found("high.test");
    assert_eq!(
        (seconds_left("low.test", A), seconds_left("high.test", A)),
        (60, 600)
    );
    lookup::set_local_ttl(7);
    found("local.test");
    lookup::set_local_ttl(0);
    assert_eq!(seconds_left("local.test", A), 7);
}

/// B33: a trailing dot makes the name absolute and is no part of the key.
#[test]
fn trailing_dot() {
    let s = setup();
    s.server.add(a("h.test", "192.0.2.1"));
    assert_eq!(
        found("h.test."),
        ("h.test".to_owned(), vec![ip("192.0.2.1")])
    );
    assert_eq!(found("h.test").1, [ip("192.0.2.1")]);
    assert_eq!(s.server.total(), 1);
    assert_eq!(error(".", A), LookupError::BadName);
}

#[test]
fn what_a_search_domain_led_to_is_the_relative_names_alone() {
    let mut s = setup();
    s.options
        .resolv_conf("search corp.test\noptions timeout:1 attempts:1\n");
    s.server.add(a("voip.corp.test", "192.0.2.1"));
    assert_eq!(found("voip").0, "voip.corp.test");
    assert!(!cached("voip", CNAME) && cached("voip.corp.test", A));
    let asked = s.server.total();
    assert_eq!(found("voip").0, "voip.corp.test");
    assert_eq!(s.server.total(), asked);
}

/// A name that is asked for as absolute says nothing about the one that search domains complete.
#[test]
fn absolute_absence_does_not_hide_the_short_name() {
    let mut s = setup();
    s.options
        .resolv_conf("search corp.test\noptions timeout:1 attempts:1\n");
    s.server.add(a("voip.corp.test", "192.0.2.1"));
    assert_eq!(error("voip.", A), LookupError::NxDomain);
    assert_eq!(found("voip").0, "voip.corp.test");
    // Nor is an alias's target completed.
    s.server.add(cname("alias.test", "h.elsewhere"));
    s.server.add(a("h.elsewhere.corp.test", "192.0.2.9"));
    assert_eq!(error("alias.test", A), LookupError::NxDomain);
}

#[test]
fn fetched_records_replace_a_remembered_absence() {
    let s = setup();
    assert_eq!(error("h.x.test", A), LookupError::NxDomain);
    let reply = Reply::answer(vec![Rr::srv(
        "_sip._udp.x.test",
        300,
        1,
        1,
        5060,
        "h.x.test",
    )])
    .additional(vec![a("h.x.test", "192.0.2.1")]);
    s.server.script("_sip._udp.x.test", SRV, vec![reply]);
    find("_sip._udp.x.test", SRV, 0).unwrap();
    assert_eq!(found("h.x.test").1, [ip("192.0.2.1")]);
}

#[cfg(feature = "dns_watchdog_support")]
#[test]
fn while_servers_are_down_old_data_serves() {
    use lookup::watchdog::{servers_up, set_servers_up};
    let s = setup();
    s.server
        .add(cname("alias.test", "h.test"))
        .add(a("h.test", "192.0.2.1"));
    found("alias.test");
    clock::advance_for_tests(301_000);
    set_servers_up(false);
    let (old, new) = (found("alias.test"), error("new.test", A));
    let uncached = lookup::uncached::record_list(b"h.test", RecordType::A, true, false);
    let up = servers_up();
    set_servers_up(true);
    assert_eq!(old, ("h.test".to_owned(), vec![ip("192.0.2.1")]));
    assert_eq!(new, LookupError::Failed(Failure::NoServers));
    assert_eq!(uncached, Err(LookupError::Failed(Failure::NoServers)));
    assert!(!up && !cached("new.test", A));
    let asked = s.server.total();
    found("alias.test");
    assert!(s.server.total() > asked);
}
