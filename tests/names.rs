//! Relative and absolute names: what people write is not what records say, and one never answers for the other.
//!
//! The worlds are those in which users of other resolvers lost calls: a search domain with a wildcard, a search list in
//! the manner of Kubernetes, somebody who chooses a target that reads as a name of ours.
#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::net::IpAddr;

use kamailio_dns::cache::{Cache, HostCopy};
use kamailio_dns::error::LookupError;
use kamailio_dns::host::clock::{advance_for_tests, now_ticks};
use kamailio_dns::lookup::{self, Peeked, RecordEdit, refresh::Refresher};
use kamailio_dns::rr::RecordType;
use kamailio_dns::select::{Cursor, SelectError, handle};
use support::children::{all_end_well, spawn};
use support::{A, AAAA, NAPTR, Reply, Rr, SRV, Setup};

const IPV4_ONLY: u32 = 1;
const IPV6_ONLY: u32 = 2;
const IPV6_FIRST: u32 = 4;
const TRY_NAPTR: u32 = 16;

const CORP: &str = "search corp.example\n";
const KUBERNETES: &str =
    "search default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n";

fn world(resolv_conf: &str) -> Setup {
    let mut setup = Setup::patient();
    setup.options.set("tls_disable", "1");
    setup.options.resolv_conf(resolv_conf);
    setup
}

fn soa() -> Rr {
    Rr::soa("example", 300, 300)
}

fn a(owner: &str, ttl: u32, address: &str) -> Rr {
    Rr::a(owner, ttl, address)
}

/// The name exists and has IPv4 alone.
fn only_ipv4(s: &Setup, name: &str, ttl: u32, address: &str) {
    s.server.answer(name, A, vec![a(name, ttl, address)]);
    s.server.script(name, AAAA, vec![Reply::nodata(soa())]);
}

/// What `*.corp.example` says of a name.
fn wildcard(s: &Setup, name: &str, ipv4: bool) {
    let name = format!("{name}.corp.example");
    match ipv4 {
        true => s.server.answer(&name, A, vec![a(&name, 300, "192.0.2.66")]),
        false => s.server.script(&name, A, vec![Reply::nodata(soa())]),
    };
    let ipv6 = Rr::aaaa(&name, 300, "2001:db8::bad");
    s.server.answer(&name, AAAA, vec![ipv6]);
}

fn first(name: &str, flags: u32) -> Result<String, LookupError> {
    lookup::first_address(name.as_bytes(), flags).map(|address| address.to_string())
}

fn ipv4(name: &str) -> Result<String, LookupError> {
    first(name, IPV4_ONLY)
}

fn ok(address: &str) -> Result<String, LookupError> {
    Ok(address.to_owned())
}

/// Where a call to a URI of this host may go, in order.
fn targets(name: &str, port: u16, flags: u32) -> Result<Vec<IpAddr>, SelectError> {
    let mut cursor = Cursor::default();
    let mut found = Vec::new();
    loop {
        let (mut port, mut proto) = (port, 0);
        let place = (Some(&mut port), Some(&mut proto));
        match handle::resolve(&mut cursor, name.as_bytes(), place.0, place.1, flags, None) {
            Ok(address) => found.push(address),
            Err(error) if found.is_empty() => return Err(error),
            Err(_) => return Ok(found),
        }
        if !cursor.advance() {
            return Ok(found);
        }
    }
}

fn edit<'a>(name: &'a str, value: &'a str) -> RecordEdit<'a> {
    RecordEdit {
        name: name.as_bytes(),
        ttl: 300,
        value: value.as_bytes(),
        priority: 0,
        weight: 0,
        port: 0,
        negative: false,
        permanent: false,
    }
}

fn add(name: &str, address: &str) {
    lookup::add_record(RecordType(A), &edit(name, address)).unwrap();
}

fn take_out(name: &str, address: &str) {
    lookup::delete_single_record(
        RecordType(A),
        name.as_bytes(),
        address.as_bytes(),
        false,
        false,
    )
    .unwrap();
}

/// All addresses of one name and type, in order of value.
fn all(name: &str) -> Vec<String> {
    let Ok((entry, _)) = lookup::entry(name.as_bytes(), RecordType(A), IPV4_ONLY) else {
        return Vec::new();
    };
    let mut all: Vec<String> = (0..entry.record_count())
        .filter_map(|index| Some(entry.usable_address(index, now_ticks())?.to_string()))
        .collect();
    all.sort();
    all
}

// A search domain with a wildcard

/// The carrier's A record ends while the search domain's AAAA record is remembered: the carrier stays the carrier.
#[test]
fn a_wildcard_does_not_take_over_a_carrier_whose_records_end() {
    for flags in [0, IPV6_FIRST] {
        let s = world(CORP);
        let carrier = "sbc.carrier.example";
        only_ipv4(&s, carrier, 3, "192.0.2.1");
        wildcard(&s, carrier, true);
        for ms in [0, 1000, 2500, 4000, 4000] {
            advance_for_tests(ms);
            let right: IpAddr = "192.0.2.1".parse().unwrap();
            assert_eq!(
                targets(carrier, 5060, flags).unwrap(),
                [right],
                "{ms} {flags}"
            );
        }
        assert_eq!(s.server.count("sbc.carrier.example.corp.example", AAAA), 0);
    }
}

/// As above; the wildcard has no IPv4 address to lead astray, but to hide the carrier's.
#[test]
fn a_wildcard_with_ipv6_alone_does_not_hide_a_carrier() {
    let s = world(CORP);
    let carrier = "sbc.carrier.example";
    only_ipv4(&s, carrier, 2, "192.0.2.1");
    wildcard(&s, carrier, false);
    for flags in [0, IPV6_FIRST, IPV4_ONLY] {
        for ms in [0, 2500] {
            advance_for_tests(ms);
            assert_eq!(first(carrier, flags), ok("192.0.2.1"), "{ms} {flags}");
        }
    }
}

/// A call that has come to the end of the carrier's addresses does not go on to the wildcard's.
#[test]
fn a_call_does_not_fail_over_from_a_carrier_to_a_wildcard() {
    let s = world(CORP);
    only_ipv4(&s, "sbc.carrier.example", 300, "192.0.2.1");
    wildcard(&s, "sbc.carrier.example", true);
    let right: IpAddr = "192.0.2.1".parse().unwrap();
    for port in [5060, 0] {
        let found = targets("sbc.carrier.example", port, TRY_NAPTR).unwrap();
        assert_eq!(found, [right], "{port}");
    }
}

/// The first domain has the host with IPv4, a wildcard of the second one IPv6: that is another host.
#[test]
fn a_short_name_is_one_host_and_not_two() {
    for flags in [0, IPV6_FIRST] {
        let s = world("search voip.example corp.example\n");
        only_ipv4(&s, "sbc.voip.example", 300, "192.0.2.1");
        wildcard(&s, "sbc", false);
        let right: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(targets("sbc", 5060, flags).unwrap(), [right], "{flags}");
        assert_eq!(s.server.count("sbc.corp.example", AAAA), 0);
    }
}

/// A carrier that demands TLS by NAPTR is asked for that also when its name leads to a wildcard in another type.
#[test]
fn what_a_wildcard_has_of_one_type_says_nothing_of_others() {
    let s = world(CORP);
    let carrier = "carrier.example";
    let naptr = Rr::naptr(
        carrier,
        300,
        (1, 1),
        ("s", "SIP+D2T", ""),
        "_sip._tcp.carrier.example",
    );
    s.server.answer(carrier, NAPTR, vec![naptr]);
    let srv = Rr::srv(
        "_sip._tcp.carrier.example",
        300,
        1,
        1,
        5070,
        "t.carrier.example",
    );
    s.server.answer("_sip._tcp.carrier.example", SRV, vec![srv]);
    only_ipv4(&s, "t.carrier.example", 300, "192.0.2.7");
    // The domain itself has no address, but the wildcard has.
    s.server.script(carrier, A, vec![Reply::nodata(soa())]);
    s.server.script(carrier, AAAA, vec![Reply::nodata(soa())]);
    wildcard(&s, carrier, true);
    assert_eq!(first(carrier, 0), ok("192.0.2.66"));
    let right: IpAddr = "192.0.2.7".parse().unwrap();
    assert_eq!(targets(carrier, 0, TRY_NAPTR).unwrap(), [right]);
}

// Names that others choose

/// In whose world a stranger has a name of ours looked up as an absolute one.
struct Attack {
    resolv_conf: &'static str,
    /// What we call it, and what the stranger writes as the target of an SRV record.
    name: &'static str,
    ours: &'static str,
    theirs: Theirs,
}

/// What the absolute name is.
#[derive(Clone, Copy)]
enum Theirs {
    /// A host of the stranger's.
    Host,
    Absent,
    Failing,
}

const ATTACKS: [Attack; 4] = [
    Attack {
        resolv_conf: KUBERNETES,
        name: "redis.dev",
        ours: "redis.dev.svc.cluster.local",
        theirs: Theirs::Host,
    },
    Attack {
        resolv_conf: CORP,
        name: "pbx.office",
        ours: "pbx.office.corp.example",
        theirs: Theirs::Absent,
    },
    Attack {
        resolv_conf: CORP,
        name: "pbx",
        ours: "pbx.corp.example",
        theirs: Theirs::Host,
    },
    Attack {
        resolv_conf: "search corp.example\noptions ndots:2\n",
        name: "pbx.office",
        ours: "pbx.office.corp.example",
        theirs: Theirs::Failing,
    },
];

impl Attack {
    fn world(&self) -> Setup {
        let s = world(self.resolv_conf);
        only_ipv4(&s, self.ours, 300, "10.1.1.1");
        match self.theirs {
            Theirs::Host => only_ipv4(&s, self.name, 3600, "203.0.113.66"),
            Theirs::Absent => {}
            Theirs::Failing => {
                s.server.script(self.name, A, vec![Reply::servfail()]);
            }
        }
        let srv = Rr::srv("_sip._udp.evil.test", 300, 1, 1, 5060, self.name);
        s.server.answer("_sip._udp.evil.test", SRV, vec![srv]);
        s
    }
}

/// Before and after, our name is our host, whoever has the absolute one looked up: by a record or by a final dot.
#[test]
fn a_stranger_who_has_an_absolute_name_looked_up_does_not_touch_the_relative_one() {
    for attack in &ATTACKS {
        for by_record in [true, false] {
            let _s = attack.world();
            let told = format!("{} by a record: {by_record}", attack.name);
            let provoke = || match by_record {
                true => drop(targets("evil.test", 0, IPV4_ONLY)),
                false => drop(ipv4(&format!("{}.", attack.name))),
            };
            provoke();
            assert_eq!(ipv4(attack.name), ok("10.1.1.1"), "{told}");
            provoke();
            assert_eq!(ipv4(attack.name), ok("10.1.1.1"), "{told}");
            assert_eq!(first(attack.name, 0), ok("10.1.1.1"), "{told}");
        }
    }
}

/// The other way round: what people wrote before does not lead a record's target into our domain.
#[test]
fn a_target_of_a_record_is_not_looked_for_in_the_search_list() {
    let s = ATTACKS[1].world();
    assert_eq!(ipv4("pbx.office"), ok("10.1.1.1"));
    assert!(targets("evil.test", 0, IPV4_ONLY).is_err());
    assert!(ipv4("pbx.office.").is_err());
    assert_eq!(ipv4("pbx.office"), ok("10.1.1.1"));
    assert_eq!(s.server.count("pbx.office", A), 1);
}

/// The refresher keeps each kind of name as it is.
#[test]
fn the_refresher_asks_for_a_relative_name_as_the_search_list_says() {
    let s = world(KUBERNETES);
    only_ipv4(&s, "redis.dev.svc.cluster.local", 30, "10.1.1.1");
    only_ipv4(&s, "redis.dev", 30, "203.0.113.66");
    let mut refresher = Refresher::default();
    for _ in 0..20 {
        let _answered = lookup::refresh::run_for_tests(&mut refresher);
        assert_eq!(ipv4("redis.dev."), ok("203.0.113.66"));
        assert_eq!(ipv4("redis.dev"), ok("10.1.1.1"));
        advance_for_tests(9_000);
    }
    kamailio_dns::cache::due::refresher_ends();
}

// Spelling

#[test]
fn a_name_in_full_is_the_same_host_as_its_short_form() {
    let s = world(CORP);
    only_ipv4(&s, "pbx.corp.example", 300, "10.1.1.1");
    for name in [
        "pbx",
        "PBX",
        "pbx.corp.example",
        "pbx.corp.example.",
        "Pbx.Corp.Example",
    ] {
        assert_eq!(ipv4(name), ok("10.1.1.1"), "{name}");
    }
    assert_eq!(s.server.total(), 1);
    assert!(ipv4("pbx.").is_err());
}

#[test]
fn a_name_that_gets_too_long_with_the_domain_is_looked_for_as_it_is() {
    let s = world(CORP);
    let long = ["abcdefghi."; 24].concat() + "abc";
    only_ipv4(&s, &long, 300, "10.1.1.1");
    assert_eq!(first(&long, 0), ok("10.1.1.1"));
    assert_eq!(first(&format!("{long}."), 0), ok("10.1.1.1"));
    let too_long = "a".repeat(64);
    assert!(first(&too_long, 0).is_err());
    assert!(first(&"a.".repeat(150), 0).is_err());
    assert!(first("", 0).is_err());
    assert!(first(".", 0).is_err());
    assert!(first("a..b", 0).is_err());
}

#[test]
fn single_labels_are_kept_from_the_root_where_that_is_asked_for() {
    let s = world("search corp.example\noptions no-tld-query\n");
    only_ipv4(&s, "pbx", 300, "203.0.113.66");
    assert_eq!(ipv4("pbx"), Err(LookupError::NxDomain));
    assert_eq!(ipv4("pbx"), Err(LookupError::NxDomain));
    assert_eq!(s.server.count("pbx", A), 0);
    assert_eq!(ipv4("pbx."), ok("203.0.113.66"));
    assert_eq!(ipv4("pbx"), Err(LookupError::NxDomain));
}

/// A name of the hosts file stands for itself; a candidate of the search list may stand there, too.
#[test]
fn the_hosts_file_goes_before_the_search_list() {
    let mut s = world(CORP);
    let file = s.options.resolv_conf_path().with_extension("hosts");
    std::fs::write(&file, "10.5.5.5 pbx\n10.6.6.6 long.corp.example\n").unwrap();
    s.options.set("dns_hosts_file", file.to_str().unwrap());
    kamailio_dns::resolver::config::look_again();
    wildcard(&s, "pbx", true);
    wildcard(&s, "long", true);
    for flags in [IPV4_ONLY, 0, IPV6_FIRST] {
        for name in ["pbx", "pbx."] {
            assert_eq!(first(name, flags), ok("10.5.5.5"), "{name} {flags}");
        }
        assert_eq!(first("long", flags), ok("10.6.6.6"), "{flags}");
    }
    assert!(ipv4("long.").is_err());
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn srv_records_of_a_single_label_have_a_walk_of_their_own() {
    let s = world(CORP);
    let name = "_sip._udp.pbx.corp.example";
    let srv = Rr::srv(name, 300, 1, 1, 5070, "host.office");
    s.server.answer(name, SRV, vec![srv]);
    only_ipv4(&s, "host.office", 300, "192.0.2.5");
    only_ipv4(&s, "host.office.corp.example", 300, "192.0.2.66");
    // The label has an address in the root, which is no matter.
    only_ipv4(&s, "pbx", 300, "203.0.113.66");
    let right: IpAddr = "192.0.2.5".parse().unwrap();
    for _ in 0..2 {
        assert_eq!(targets("pbx", 0, TRY_NAPTR).unwrap(), [right]);
    }
    assert_eq!(s.server.count("host.office.corp.example", A), 0);
}

/// Processes share what was found for either kind of name, and ask for it once.
#[test]
fn processes_share_both_kinds() {
    let s = world(KUBERNETES);
    only_ipv4(&s, "redis.dev.svc.cluster.local", 300, "10.1.1.1");
    only_ipv4(&s, "redis.dev", 300, "203.0.113.66");
    let work = |number: usize| {
        for step in 0..50 {
            if (step + number).is_multiple_of(2) {
                assert_eq!(first("redis.dev", 0), ok("10.1.1.1"));
            } else {
                assert_eq!(first("redis.dev.", 0), ok("203.0.113.66"));
            }
        }
    };
    let children: Vec<_> = (0..4).map(|number| spawn(move || work(number))).collect();
    all_end_well(children);
    assert_eq!(s.server.count("redis.dev.svc.cluster.local", A), 1);
    assert_eq!(s.server.count("redis.dev", A), 1);
}

// The list changes

/// What was remembered under one list says nothing under another; `sync_search_list()` is what the refresher does
/// eight times a second. For programs without one see names_list.rs.
#[test]
fn another_search_list_counts_at_once() {
    let mut s = world(CORP);
    only_ipv4(&s, "pbx.corp.example", 300, "10.1.1.1");
    only_ipv4(&s, "pbx.lab.example", 300, "10.2.2.2");
    only_ipv4(&s, "pbx", 300, "203.0.113.66");
    let lists = [
        (CORP, "yes", "10.1.1.1"),
        ("search lab.example\n", "yes", "10.2.2.2"),
        ("search lab.example\n", "no", "203.0.113.66"),
        ("search lab.example\n", "yes", "10.2.2.2"),
        ("search .\n", "yes", "203.0.113.66"),
    ];
    for (resolv_conf, uses, address) in lists.into_iter().cycle().take(15) {
        s.options.resolv_conf(resolv_conf);
        s.options.set("dns_use_search_list", uses);
        lookup::sync_search_list();
        assert_eq!(ipv4("pbx"), ok(address), "{resolv_conf} {uses}");
        assert_eq!(ipv4("pbx."), ok("203.0.113.66"));
    }
}

/// A list that was not there before is used for the next name that the cache does not have.
#[test]
fn a_new_search_list_counts_for_names_that_are_not_known() {
    let mut s = world("search .\n");
    lookup::sync_search_list();
    s.options.resolv_conf(CORP);
    only_ipv4(&s, "pbx.corp.example", 300, "10.1.1.1");
    assert_eq!(first("pbx", 0), ok("10.1.1.1"));
}

// Where little or nothing is kept

#[test]
fn records_with_ttl_0_and_a_cache_without_memory_change_nothing() {
    for (memory, ttl) in [("4096", 0), ("0", 300)] {
        let mut s = world(CORP);
        s.options.set("dns_cache_mem", memory);
        only_ipv4(&s, "sbc.carrier.example", ttl, "192.0.2.1");
        wildcard(&s, "sbc.carrier.example", true);
        only_ipv4(&s, "pbx.corp.example", ttl, "10.1.1.1");
        for flags in [0, IPV6_FIRST, IPV4_ONLY] {
            for _ in 0..2 {
                assert_eq!(first("sbc.carrier.example", flags), ok("192.0.2.1"));
                assert_eq!(first("pbx", flags), ok("10.1.1.1"));
            }
        }
        let found = first("sbc.carrier.example", IPV6_ONLY);
        assert_eq!(
            found,
            ok("2001:db8::bad"),
            "asked for IPv6 alone, the wildcard has it"
        );
        assert_eq!(first("sbc.carrier.example", 0), ok("192.0.2.1"));
    }
}

/// Servers that fail: what was found under a longer name is served, and they are asked no more often than for an
/// absolute name.
#[test]
fn what_the_search_list_found_is_served_stale_and_the_servers_are_left_alone() {
    for (written, full) in [
        ("pbx", "pbx.corp.example"),
        ("pbx.corp.example", "pbx.corp.example"),
    ] {
        let s = world(CORP);
        only_ipv4(&s, full, 300, "10.1.1.1");
        assert_eq!(ipv4(written), ok("10.1.1.1"));
        advance_for_tests(290_000);
        assert_eq!(ipv4(written), ok("10.1.1.1"));
        s.server.script(full, A, vec![Reply::servfail()]);
        advance_for_tests(20_000);
        s.server.clear_queries();
        for _ in 0..5 {
            assert_eq!(ipv4(written), ok("10.1.1.1"), "{written}");
        }
        assert_eq!(s.server.total(), 1, "{written}");
    }
}

#[test]
fn a_flush_forgets_both_kinds() {
    let s = world(KUBERNETES);
    only_ipv4(&s, "redis.dev.svc.cluster.local", 300, "10.1.1.1");
    only_ipv4(&s, "redis.dev", 300, "203.0.113.66");
    let both = || (ipv4("redis.dev").unwrap(), ipv4("redis.dev.").unwrap());
    assert_eq!(both(), ("10.1.1.1".to_owned(), "203.0.113.66".to_owned()));
    Cache::instance().unwrap().flush(false);
    assert_eq!(Cache::instance().unwrap().usage().entries, 0);
    only_ipv4(&s, "redis.dev.svc.cluster.local", 300, "10.1.1.2");
    only_ipv4(&s, "redis.dev", 300, "203.0.113.67");
    assert_eq!(both(), ("10.1.1.2".to_owned(), "203.0.113.67".to_owned()));
}

// Edits

/// Each kind, in the order of addresses: relative, absolute.
fn kinds(name: &str) -> (Vec<String>, Vec<String>) {
    (all(name), all(&format!("{name}.")))
}

fn texts(addresses: &[&str]) -> Vec<String> {
    addresses
        .iter()
        .map(|&address| address.to_owned())
        .collect()
}

#[test]
fn an_edit_without_final_dot_is_of_both_kinds_and_one_with_a_dot_of_the_absolute_alone() {
    let _s = world(CORP);
    add("h", "192.0.2.1");
    assert_eq!(kinds("h"), (texts(&["192.0.2.1"]), texts(&["192.0.2.1"])));
    add("h.", "192.0.2.2");
    let apart = (texts(&["192.0.2.1"]), texts(&["192.0.2.1", "192.0.2.2"]));
    assert_eq!(kinds("h"), apart);
    // Once apart they stay so: the absolute one's own record is not given to the relative one.
    add("h", "192.0.2.3");
    let apart = (
        texts(&["192.0.2.1", "192.0.2.3"]),
        texts(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]),
    );
    assert_eq!(kinds("h"), apart);
    take_out("h", "192.0.2.1");
    let apart = (texts(&["192.0.2.3"]), texts(&["192.0.2.2", "192.0.2.3"]));
    assert_eq!(kinds("h"), apart);
    take_out("h.", "192.0.2.3");
    assert_eq!(kinds("h"), (texts(&["192.0.2.3"]), texts(&["192.0.2.2"])));
    lookup::delete(b"h.", RecordType(A)).unwrap();
    assert_eq!(kinds("h"), (texts(&["192.0.2.3"]), texts(&[])));
    lookup::delete(b"h", RecordType(A)).unwrap();
    assert_eq!(kinds("h"), (texts(&[]), texts(&[])));
}

/// One record of two is taken from the absolute name: the relative one keeps both.
#[test]
fn a_record_taken_from_the_absolute_name_stays_with_the_relative_one() {
    let _s = world(CORP);
    add("h", "192.0.2.1");
    add("h", "192.0.2.2");
    take_out("h.", "192.0.2.1");
    let apart = (texts(&["192.0.2.1", "192.0.2.2"]), texts(&["192.0.2.2"]));
    assert_eq!(kinds("h"), apart);
    // What is not there is not taken out, and nothing is parted for it.
    let none = lookup::delete_single_record(RecordType(A), b"h.", b"192.0.2.9", false, false);
    assert!(none.is_err());
    assert_eq!(kinds("h"), apart);
}

/// A stranger's host under the absolute name is no part of what an operator says of the relative one.
#[test]
fn an_edit_of_a_relative_name_does_not_take_in_what_dns_says_of_the_absolute_one() {
    for asked_before in [true, false] {
        let s = world(KUBERNETES);
        only_ipv4(&s, "redis.dev.svc.cluster.local", 300, "10.1.1.1");
        only_ipv4(&s, "redis.dev", 300, "203.0.113.66");
        if asked_before {
            assert_eq!(ipv4("redis.dev."), ok("203.0.113.66"));
            assert_eq!(ipv4("redis.dev"), ok("10.1.1.1"));
        }
        add("redis.dev", "10.1.1.9");
        assert_eq!(all("redis.dev"), ["10.1.1.9"], "{asked_before}");
        lookup::delete(b"redis.dev", RecordType(A)).unwrap();
        assert_eq!(all("redis.dev"), ["10.1.1.1"], "{asked_before}");
        assert_eq!(all("redis.dev."), ["203.0.113.66"], "{asked_before}");
    }
}

/// As in the original: an edit adds to what was found under the name as it is written.
#[test]
fn an_edit_adds_to_what_was_found_as_written() {
    let s = world(CORP);
    only_ipv4(&s, "sbc.carrier.example", 300, "192.0.2.1");
    assert_eq!(ipv4("sbc.carrier.example"), ok("192.0.2.1"));
    add("sbc.carrier.example", "192.0.2.2");
    let both = texts(&["192.0.2.1", "192.0.2.2"]);
    assert_eq!(kinds("sbc.carrier.example"), (both.clone(), both));
}

/// An edit that is over does not come back as an absence, nor does it keep what came with a final dot from the
/// relative name's walk.
#[test]
fn an_edit_that_is_over_leaves_nothing() {
    let s = world(CORP);
    only_ipv4(&s, "pbx.corp.example", 300, "10.1.1.1");
    add("pbx", "192.0.2.1");
    advance_for_tests(301_000);
    add("pbx.", "192.0.2.2");
    assert_eq!(kinds("pbx"), (texts(&["10.1.1.1"]), texts(&["192.0.2.2"])));
}

/// Without a search list there is one kind of name and one entry.
#[test]
fn without_a_search_list_a_final_dot_makes_no_second_entry() {
    let _s = world("search .\n");
    add("h.example", "192.0.2.1");
    add("h.example.", "192.0.2.2");
    let both = texts(&["192.0.2.1", "192.0.2.2"]);
    assert_eq!(kinds("h.example"), (both.clone(), both));
    assert_eq!(Cache::instance().unwrap().usage().entries, 1);
    lookup::delete(b"h.example.", RecordType(A)).unwrap();
    assert_eq!(Cache::instance().unwrap().usage().entries, 0);
}

/// What won for one family does not answer for lookups of both, whatever way they take: the first candidate has an
/// address of the other family.
#[test]
fn the_winner_of_one_family_is_not_that_of_both() {
    let s = world("search corp.example\noptions ndots:5\n");
    let own = Rr::aaaa("pbx.office", 300, "2001:db8::1");
    s.server.answer("pbx.office", AAAA, vec![own]);
    s.server.script("pbx.office", A, vec![Reply::nodata(soa())]);
    only_ipv4(&s, "pbx.office.corp.example", 300, "192.0.2.66");
    assert_eq!(first("pbx.office", IPV6_ONLY), ok("2001:db8::1"));
    // Of contradictory flags the order counts (B40): both families are wanted.
    for flags in [IPV6_FIRST, IPV6_FIRST | IPV4_ONLY] {
        let mut copy = HostCopy::EMPTY;
        assert_eq!(
            lookup::copy_host(b"pbx.office", flags, &mut copy),
            Peeked::Look,
            "{flags}"
        );
    }
    for flags in [0, IPV6_FIRST, IPV6_FIRST | IPV4_ONLY] {
        assert_eq!(first("pbx.office", flags), ok("192.0.2.66"), "{flags}");
    }
    assert_eq!(first("pbx.office", IPV6_ONLY), ok("2001:db8::1"));
}
