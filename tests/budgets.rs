//! What one call, one answer and one record may take up.
//!
//! Without the bounds some of these would go on for hours; the watchdog ends the program after two minutes.

#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]

mod support;

use kamailio_dns::error::{Failure, LookupError};
use kamailio_dns::host::clock;
use kamailio_dns::host::metrics::{self, Metric};
use kamailio_dns::lookup::{self, RecordEdit};
use kamailio_dns::rr::RecordType;
use kamailio_dns::select::sip_host::{self, Way};
use kamailio_dns::select::{Cursor, SelectError, handle};
use support::{A, Reply, Rr, SRV, Setup};

const IPV4_ONLY: u32 = 1;
const WEEK_S: u32 = 7 * 24 * 3600;

fn setup() -> Setup {
    let mut setup = Setup::new();
    setup.options.set("dns_edns", "yes");
    setup
}

/// The targets of a domain over UDP, one call after the other.
fn targets(name: &str, flags: u32) -> (Vec<String>, SelectError) {
    let mut cursor = Cursor::default();
    let mut found = Vec::new();
    loop {
        let (mut port, mut proto) = (0, 1);
        let step = handle::resolve(
            &mut cursor,
            name.as_bytes(),
            Some(&mut port),
            Some(&mut proto),
            flags,
            None,
        );
        match step {
            Ok(address) => found.push(address.to_string()),
            Err(error) => return (found, error),
        }
        assert!(cursor.advance());
    }
}

fn srv_set(owner: &str, targets: impl Iterator<Item = String>) -> Vec<Rr> {
    let record =
        |(place, target): (usize, String)| Rr::srv(owner, 300, place as u16, 1, 5070, &target);
    targets.enumerate().map(record).collect()
}

/// The owner of a zone names hosts of somebody else: these get no more questions than one call may ask.
#[test]
fn a_call_asks_a_bounded_number_of_questions() {
    let mut s = setup();
    let before = metrics::value(Metric::QueryBudget);
    let hosts = |zone: &'static str| (0..55).map(move |i| format!("h{i}.{zone}"));
    for zone in ["a.test", "b.test", "c.test"] {
        let owner = format!("_sip._udp.{zone}");
        s.server.answer(&owner, SRV, srv_set(&owner, hosts(zone)));
    }
    // A and AAAA are a question each; none is left for the name itself.
    assert_eq!(targets("a.test", 0), (Vec::new(), SelectError::NoIp));
    let asked = s.server.total();
    assert!((60..=66).contains(&asked), "{asked}");
    assert_eq!(metrics::value(Metric::QueryBudget) - before, 1);
    // Past the cache as well.
    s.server.clear_queries();
    let mut uncached =
        |host: &[u8], _: bool| lookup::uncached::addresses(host, true).map(|(_, found)| found);
    let (mut port, mut proto) = (0, 1);
    let (port, proto) = (Some(&mut port), Some(&mut proto));
    let way = Way::UncachedSrv;
    assert!(sip_host::resolve(b"b.test", port, proto, 0, way, &mut uncached).is_none());
    let asked = s.server.total();
    assert!((60..=66).contains(&asked), "{asked}");
    s.server.clear_queries();
    s.options.set("dns_max_queries", "0");
    let (_, error) = targets("c.test", 0);
    // All of them were absent, so there is nothing that failed.
    assert_eq!(error, SelectError::NoIp);
    assert!(s.server.total() >= 110, "{}", s.server.total());
}

/// Past the cache, from servers that leave it to the client to ask for the target of an alias.
fn past_cache(name: &str, qtype: u16) -> Result<usize, LookupError> {
    let _call = lookup::deadline::scope();
    match qtype {
        A => lookup::uncached::addresses(name.as_bytes(), false).map(|(_, found)| found.len()),
        _ => lookup::uncached::record_list(name.as_bytes(), RecordType(qtype), true, false)
            .map(|records| records.len()),
    }
}

/// Each alias that comes alone costs a question, and they are bounded as in the cache: 11 aliases are followed, a loop is
/// asked for once, and the questions count among those that a call may ask.
#[test]
fn aliases_are_followed_past_the_cache_within_the_same_bounds() {
    let mut s = setup();
    s.options.set("dns_use_search_list", "no");
    let alone = |from: &str, to: &str| {
        for qtype in [A, SRV] {
            s.server.answer(from, qtype, vec![Rr::cname(from, 300, to)]);
        }
    };
    for i in 0..12 {
        alone(&format!("c{i}.x.test"), &format!("c{}.x.test", i + 1));
    }
    s.server.add(Rr::a("c12.x.test", 300, "192.0.2.12"));
    s.server
        .add(Rr::srv("c12.x.test", 300, 1, 1, 5060, "h.x.test"));
    let ends = [("l0.x.test", "l1.x.test"), ("l1.x.test", "l2.x.test")];
    for (from, to) in ends.into_iter().chain([("l2.x.test", "l0.x.test")]) {
        alone(from, to);
    }
    for qtype in [A, SRV] {
        s.server.clear_queries();
        assert_eq!(past_cache("c1.x.test", qtype), Ok(1));
        assert_eq!(s.server.total(), 12);
        assert_eq!(
            past_cache("c0.x.test", qtype),
            Err(LookupError::CnameChain),
            "too many"
        );
        s.server.clear_queries();
        assert_eq!(past_cache("l0.x.test", qtype), Err(LookupError::CnameChain));
        assert_eq!(s.server.total(), 3);
    }
    s.options.set("dns_max_queries", "5");
    for qtype in [A, SRV] {
        s.server.clear_queries();
        let found = past_cache("c1.x.test", qtype);
        assert_eq!(found, Err(LookupError::Failed(Failure::Timeout)));
        assert_eq!(s.server.total(), 5);
    }
}

/// Each step of failover has its own: in all, more are asked than one call may.
#[test]
fn a_step_of_failover_has_its_own_budget() {
    let s = setup();
    let owner = "_sip._udp.d.test";
    let lacking = |from: usize| (from..from + 25).map(|i| format!("h{i}.d.test"));
    let used = |name: &str| std::iter::once(name.to_owned());
    let all = used("one.d.test")
        .chain(lacking(0))
        .chain(used("two.d.test"))
        .chain(lacking(25))
        .chain(used("three.d.test"));
    s.server.answer(owner, SRV, srv_set(owner, all));
    for (name, address) in [
        ("one", "192.0.2.1"),
        ("two", "192.0.2.2"),
        ("three", "192.0.2.3"),
    ] {
        s.server.add(Rr::a(&format!("{name}.d.test"), 300, address));
    }
    let (found, error) = targets("d.test", 0);
    assert_eq!(found, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    assert_eq!(error, SelectError::EndOfList);
    assert!(s.server.total() > 64 + 30, "{}", s.server.total());
}

/// Targets without address cost something even where nothing has to be asked.
#[test]
fn a_call_ends_after_so_many_targets_without_address() {
    let mut s = setup();
    s.options.set("dns_max_queries", "0");
    let before = metrics::value(Metric::TargetBudget);
    let owner = "_sip._udp.d.test";
    let hosts = (0..100).map(|i| format!("h{i}.d.test"));
    s.server.answer(owner, SRV, srv_set(owner, hosts));
    assert_eq!(
        targets("d.test", IPV4_ONLY),
        (Vec::new(), SelectError::NoSrv)
    );
    let limit = lookup::deadline::MAX_TARGETS_WITHOUT_ADDRESS as usize;
    assert_eq!(s.server.total(), 1 + limit);
    assert_eq!(metrics::value(Metric::TargetBudget) - before, 1);
    s.server.clear_queries();
    assert!(sip_host::srv_host(owner.as_bytes(), IPV4_ONLY).is_none());
    assert_eq!(s.server.total(), 0);
    assert_eq!(metrics::value(Metric::TargetBudget) - before, 2);
}

/// Candidates of the search list are as many as the operator wrote.
#[test]
fn candidates_of_the_search_list_do_not_count() {
    let mut s = setup();
    s.options.set("dns_max_queries", "1");
    s.options.set("dns_use_search_list", "yes");
    s.options
        .resolv_conf("search a.test b.test c.test d.test\n");
    s.server.add(Rr::a("gw.d.test", 300, "192.0.2.7"));
    let _call = lookup::deadline::scope();
    let found = lookup::entry(b"gw", RecordType(A), IPV4_ONLY).unwrap();
    assert_eq!(found.0.name(), b"gw.d.test");
    assert!(s.server.total() >= 4);
    assert!(lookup::entry(b"other.test.", RecordType(A), IPV4_ONLY).is_err());
    assert_eq!(s.server.count("other.test", A), 0);
}

/// Also where no search for targets is above it.
#[test]
fn an_srv_name_that_is_asked_for_alone_has_a_deadline() {
    let mut s = setup();
    s.options.set("dns_retr_time", "300");
    s.options.set("dns_resolve_deadline", "600");
    let owner = "_sip._udp.d.test";
    let hosts = (0..20).map(|i| format!("h{i}.d.test"));
    s.server.answer(owner, SRV, srv_set(owner, hosts));
    s.server.default_reply(Reply::dropped());
    let before = metrics::value(Metric::Deadline);
    assert!(sip_host::srv_host(owner.as_bytes(), IPV4_ONLY).is_none());
    assert_eq!(metrics::value(Metric::Deadline) - before, 1);
}

#[test]
fn what_the_network_says_lives_a_week_at_most() {
    let mut s = setup();
    let before = metrics::value(Metric::TtlCapped);
    s.server.add(Rr::a("h.test", 0x7fff_ffff, "192.0.2.7"));
    let life_s = |name: &[u8]| {
        let (entry, _) = lookup::entry(name, RecordType(A), IPV4_ONLY).unwrap();
        clock::seconds_until(entry.expire(), clock::now_ticks()) as u32
    };
    assert!((WEEK_S - 60..=WEEK_S).contains(&life_s(b"h.test")));
    assert_eq!(metrics::value(Metric::TtlCapped) - before, 1);
    // What an operator adds lives as long as is said.
    let edit = RecordEdit {
        name: b"added.test",
        ttl: 4 * WEEK_S,
        value: b"192.0.2.8",
        priority: 0,
        weight: 0,
        port: 0,
        negative: false,
        permanent: false,
    };
    lookup::add_record(RecordType(A), &edit).unwrap();
    assert!(life_s(b"added.test") > 3 * WEEK_S);
    // And so does what an operator's minimum is for.
    s.options
        .set("dns_cache_min_ttl", &(2 * WEEK_S).to_string());
    s.server.add(Rr::a("i.test", 0x7fff_ffff, "192.0.2.7"));
    assert!(life_s(b"i.test") > WEEK_S);
}
