//! The life of an entry beyond its TTL: served stale, refreshed, ended; and what a failure does.

#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::net::IpAddr;
use std::time::Duration;

use kamailio_dns::cache::{Cache, RecordView};
use kamailio_dns::error::LookupError;
use kamailio_dns::host::clock::{advance_for_tests, now_ticks};
use kamailio_dns::host::metrics::{self, Metric};
use kamailio_dns::lookup::{self, Source};
use kamailio_dns::rr::RecordType;
use support::children::{SharedNumbers, all_end_well, spawn};
use support::{A, AAAA, CNAME, Reply, Rr, Setup};

const IPV4_ONLY: u32 = 1;

fn a(owner: &str, last: u8) -> Rr {
    Rr::a(owner, 300, &format!("192.0.2.{last}"))
}

/// Last octet of the first address, and where it came from.
fn find(name: &str) -> Result<(u8, Source), LookupError> {
    let (entry, source) = lookup::entry(name.as_bytes(), RecordType(A), IPV4_ONLY)?;
    match entry.record(0) {
        Some(RecordView::A(address)) => Ok((address.octets()[3], source)),
        other => panic!("{other:?}"),
    }
}

/// The same through the function that copies an address out.
fn first(name: &str) -> Result<u8, LookupError> {
    match lookup::first_address(name.as_bytes(), IPV4_ONLY)? {
        IpAddr::V4(address) => Ok(address.octets()[3]),
        other => panic!("{other}"),
    }
}

fn count_during(metric: Metric, work: impl FnOnce()) -> u64 {
    let before = metrics::value(metric);
    work();
    metrics::value(metric) - before
}

const DOWN: fn() -> Vec<Reply> = || vec![Reply::servfail()];

#[test]
fn used_lately_and_servers_down_stale_is_served_and_the_failure_backs_off() {
    let s = Setup::patient();
    s.server.answer("h.test", A, vec![a("h.test", 1)]);
    assert_eq!(find("h.test"), Ok((1, Source::Network)));
    advance_for_tests(290_000);
    assert_eq!(find("h.test"), Ok((1, Source::Cache)));
    s.server.script("h.test", A, DOWN());
    s.server.clear_queries();
    advance_for_tests(20_000);
    let served = count_during(Metric::Stale, || {
        for _ in 0..5 {
            assert_eq!(find("h.test").unwrap().0, 1);
            assert_eq!(first("h.test"), Ok(1));
        }
    });
    assert_eq!(served, 10);
    // One asked, and nobody again before a second has passed, then two, then four.
    assert_eq!(s.server.total(), 1);
    for (ms, queries) in [(1_100, 2), (1_100, 2), (1_100, 3), (3_000, 3), (1_200, 4)] {
        advance_for_tests(ms);
        assert_eq!(find("h.test").unwrap().0, 1);
        assert_eq!(s.server.total(), queries, "{ms}");
    }
    // New data takes the place of old.
    s.server.answer("h.test", A, vec![a("h.test", 2)]);
    advance_for_tests(8_100);
    assert_eq!(find("h.test"), Ok((2, Source::Network)));
    assert_eq!(find("h.test"), Ok((2, Source::Cache)));
}

#[test]
fn not_used_lately_it_is_asked_for_and_served_when_that_fails() {
    let s = Setup::patient();
    s.server.answer("h.test", A, vec![a("h.test", 1)]);
    find("h.test").unwrap();
    s.server.script("h.test", A, DOWN());
    advance_for_tests(1_000_000);
    assert_eq!(find("h.test").unwrap().0, 1);
    assert_eq!(s.server.count("h.test", A), 2);
}

/// A silent server: a caller who could have stale data waits for 1.8 s, not for all attempts.
#[test]
fn patience_is_short_where_there_is_stale_data() {
    let mut s = Setup::patient();
    s.options.set("dns_retr_time", "30");
    s.server.answer("h.test", A, vec![a("h.test", 1)]);
    find("h.test").unwrap();
    s.server.script("h.test", A, vec![Reply::dropped()]);
    advance_for_tests(1_000_000);
    let start = std::time::Instant::now();
    assert_eq!(find("h.test").unwrap().0, 1);
    assert!(start.elapsed() >= Duration::from_millis(1700));
    assert_eq!(s.server.count("h.test", A), 2);
    assert_eq!(find("h.test").unwrap().0, 1);
    assert_eq!(s.server.count("h.test", A), 2);
}

#[test]
fn nothing_is_served_beyond_the_limit_or_when_switched_off() {
    let mut s = Setup::patient();
    s.server.answer("h.test", A, vec![a("h.test", 1)]);
    find("h.test").unwrap();
    s.server.script("h.test", A, DOWN());
    s.options.set("dns_stale_ttl", "0");
    advance_for_tests(300_100);
    assert!(matches!(find("h.test"), Err(LookupError::Failed(_))));
    assert!(matches!(first("h.test"), Err(LookupError::Failed(_))));

    s.options.set("dns_stale_ttl", "100");
    s.server.answer("i.test", A, vec![a("i.test", 1)]);
    find("i.test").unwrap();
    s.server.script("i.test", A, DOWN());
    advance_for_tests(395_000);
    assert_eq!(first("i.test"), Ok(1));
    advance_for_tests(10_000);
    assert!(matches!(find("i.test"), Err(LookupError::Failed(_))));
}

#[test]
fn absence_ends_stale_data() {
    for nxdomain in [true, false] {
        let s = Setup::patient();
        s.server.answer("h.test", A, vec![a("h.test", 1)]);
        find("h.test").unwrap();
        let soa = Rr::soa("test", 10, 10);
        let (reply, error) = if nxdomain {
            (Reply::nxdomain(soa), LookupError::NxDomain)
        } else {
            (Reply::nodata(soa), LookupError::NoData)
        };
        s.server.script("h.test", A, vec![reply]);
        advance_for_tests(301_000);
        // Used lately or not: without refresher the first caller asks, and nobody gets old data after.
        assert_eq!(find("h.test"), Err(error));
        assert_eq!(find("h.test"), Err(error));
        s.server.script("h.test", A, DOWN());
        advance_for_tests(11_000);
        assert!(matches!(find("h.test"), Err(LookupError::Failed(_))));
    }
}

/// Also when the absence itself is not kept.
#[test]
fn absence_that_is_not_kept_ends_stale_data_too() {
    let mut s = Setup::patient();
    s.options.set("dns_cache_negative_ttl", "0");
    s.server.answer("h.test", A, vec![a("h.test", 1)]);
    find("h.test").unwrap();
    let reply = Reply::nxdomain(Rr::soa("test", 10, 10));
    s.server.script("h.test", A, vec![reply]);
    advance_for_tests(301_000);
    assert_eq!(find("h.test"), Err(LookupError::NxDomain));
    s.server.script("h.test", A, DOWN());
    assert!(matches!(find("h.test"), Err(LookupError::Failed(_))));
}

/// And data with TTL 0, which serves one call alone.
#[test]
fn data_that_is_not_kept_ends_stale_data_too() {
    let s = Setup::patient();
    s.server.answer("h.test", A, vec![a("h.test", 1)]);
    find("h.test").unwrap();
    s.server
        .answer("h.test", A, vec![Rr::a("h.test", 0, "192.0.2.2")]);
    advance_for_tests(301_000);
    assert_eq!(find("h.test").unwrap().0, 2);
    s.server.script("h.test", A, DOWN());
    assert!(matches!(find("h.test"), Err(LookupError::Failed(_))));
}

#[test]
fn absence_is_not_served_stale() {
    let s = Setup::patient();
    s.server
        .script("h.test", A, vec![Reply::nxdomain(Rr::soa("test", 10, 10))]);
    assert_eq!(find("h.test"), Err(LookupError::NxDomain));
    s.server.script("h.test", A, DOWN());
    advance_for_tests(11_000);
    assert!(matches!(find("h.test"), Err(LookupError::Failed(_))));
}

#[test]
fn aliases_are_served_stale_with_their_target() {
    let s = Setup::patient();
    s.server.answer(
        "www.test",
        A,
        vec![Rr::cname("www.test", 60, "h.www.test"), a("h.www.test", 1)],
    );
    find("www.test").unwrap();
    s.server.script("www.test", A, DOWN());
    s.server.script("h.www.test", A, DOWN());
    // First only the alias is over, then both.
    for _ in 0..2 {
        advance_for_tests(200_000);
        assert_eq!(find("www.test").unwrap().0, 1);
        assert_eq!(first("www.test"), Ok(1));
    }
    // An address of its own ends the alias.
    s.server.answer("www.test", A, vec![a("www.test", 3)]);
    advance_for_tests(100_000);
    assert_eq!(find("www.test").unwrap().0, 3);
    let alias = Cache::init()
        .unwrap()
        .acquire_any_age(b"www.test", RecordType(CNAME));
    assert!(alias.is_none());
}

/// Who asks for an alias that is not kept gets the old data of its target, as those do who ask for the target.
#[test]
fn the_target_of_a_fresh_alias_is_served_stale() {
    let s = Setup::patient();
    s.server
        .answer("www.test", A, vec![Rr::cname("www.test", 0, "h.other")]);
    s.server.answer("h.other", A, vec![a("h.other", 1)]);
    find("www.test").unwrap();
    s.server.script("h.other", A, DOWN());
    advance_for_tests(301_000);
    // The target is asked for, then its failure is known.
    for _ in 0..2 {
        assert_eq!(find("www.test").unwrap().0, 1);
        assert_eq!(first("www.test"), Ok(1));
    }
    assert_eq!(find("h.other").unwrap().0, 1);
    assert_eq!(s.server.count("h.other", A), 2);
    // An alias of something else leads to nothing old.
    s.server
        .answer("www.test", A, vec![Rr::cname("www.test", 0, "i.other")]);
    s.server.script("i.other", A, DOWN());
    assert!(matches!(find("www.test"), Err(LookupError::Failed(_))));
}

/// B38: what goes over TLS does not go over UDP because a query failed; with stale records it goes on.
#[test]
fn srv_records_are_served_stale() {
    let s = Setup::patient();
    let srv = Rr::srv("_sip._udp.d.test", 60, 1, 1, 5070, "h.d.test");
    s.server.answer("_sip._udp.d.test", support::SRV, vec![srv]);
    s.server.answer("h.d.test", A, vec![a("h.d.test", 7)]);
    let find_srv = || {
        lookup::entry(b"_sip._udp.d.test", RecordType(support::SRV), IPV4_ONLY)
            .map(|(entry, _)| entry.record_count())
    };
    assert_eq!(find_srv(), Ok(1));
    s.server.script("_sip._udp.d.test", support::SRV, DOWN());
    advance_for_tests(70_000);
    assert_eq!(find_srv(), Ok(1));
}

/// A name that is new during an outage works two seconds after its end.
#[test]
fn a_short_outage_is_over_soon() {
    let s = Setup::patient();
    s.server.script("new.test", A, DOWN());
    for _ in 0..3 {
        assert!(matches!(find("new.test"), Err(LookupError::Failed(_))));
    }
    assert_eq!(s.server.total(), 1);
    s.server.answer("new.test", A, vec![a("new.test", 1)]);
    advance_for_tests(1_100);
    assert_eq!(find("new.test").unwrap().0, 1);
}

#[test]
fn failures_in_a_row_back_off_to_the_limit() {
    let mut s = Setup::patient();
    s.options.set("dns_failure_ttl", "2");
    s.options.set("dns_failure_max_ttl", "5");
    s.server.script("bad.test", A, DOWN());
    let mut queries = 0;
    for wait in [2, 4, 5, 5] {
        assert!(find("bad.test").is_err());
        queries += 1;
        assert_eq!(s.server.total(), queries);
        advance_for_tests(wait * 1000 - 200);
        assert!(find("bad.test").is_err());
        assert_eq!(s.server.total(), queries, "asked before {wait} s were over");
        advance_for_tests(300);
    }
    // One answer, and the next failure is a first one again.
    s.server.answer("bad.test", A, vec![a("bad.test", 1)]);
    assert!(find("bad.test").is_ok());
    s.server.script("bad.test", A, DOWN());
    advance_for_tests(4_000_000);
    assert!(find("bad.test").is_err());
    let before = s.server.total();
    advance_for_tests(2_100);
    assert!(find("bad.test").is_err());
    assert_eq!(s.server.total(), before + 1);
}

/// Eight processes use an expired name: one asks, the others have old data at once.
#[test]
fn one_process_refreshes_for_all() {
    let mut s = Setup::patient();
    s.options.set("dns_retr_time", "20");
    s.server.answer("hot.test", A, vec![a("hot.test", 1)]);
    find("hot.test").unwrap();
    advance_for_tests(290_000);
    find("hot.test").unwrap();
    advance_for_tests(11_000);
    s.server.clear_queries();
    let answer = Reply::answer(vec![a("hot.test", 2)]).delay_ms(700);
    s.server.script("hot.test", A, vec![answer]);
    let numbers = SharedNumbers::new();
    let stale = count_during(Metric::Stale, || {
        let children = (0..8).map(|_| {
            spawn(|| {
                numbers.meet(0, 8);
                let (address, source) = find("hot.test").unwrap();
                assert_eq!(source == Source::Network, address == 2);
                numbers.add(usize::from(address), 1);
            })
        });
        all_end_well(children.collect());
    });
    assert_eq!((numbers.get(1), numbers.get(2)), (7, 1));
    assert_eq!(stale, 7);
    assert_eq!(s.server.total(), 1);
}

#[test]
fn stale_data_is_reported_with_thirty_seconds() {
    let s = Setup::patient();
    s.server.answer("h.test", A, vec![a("h.test", 1)]).answer(
        "zero.test",
        A,
        vec![Rr::a("zero.test", 0, "192.0.2.1")],
    );
    let ask = |name: &str| {
        let (entry, _) = lookup::entry(name.as_bytes(), RecordType(A), IPV4_ONLY).unwrap();
        lookup::reported_ttl(&entry, entry.expire(), now_ticks())
    };
    assert!((299..=300).contains(&ask("h.test")));
    assert_eq!(ask("zero.test"), 0);
    s.server.script("h.test", A, DOWN());
    advance_for_tests(310_000);
    assert_eq!(ask("h.test"), 30);
}

#[test]
fn the_other_family_is_not_asked_along_while_it_backs_off() {
    let s = Setup::patient();
    s.server
        .answer("h.test", A, vec![Rr::a("h.test", 1, "192.0.2.1")]);
    s.server.script("h.test", AAAA, DOWN());
    lookup::entry(b"h.test", RecordType(A), 0).unwrap();
    assert_eq!(
        (s.server.count("h.test", A), s.server.count("h.test", AAAA)),
        (1, 1)
    );
    assert!(lookup::entry(b"h.test", RecordType(AAAA), 0).is_err());
    assert_eq!(s.server.count("h.test", AAAA), 1);
}
