//! Names in use are fetched anew before they expire, and stale ones meanwhile, with nobody waiting.

#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]
#![allow(unsafe_code, reason = "calls exported functions")]

mod support;

use std::time::Duration;

use kamailio_dns::cache::{Cache, RecordView};
use kamailio_dns::error::LookupError;
use kamailio_dns::ffi::refresh::{
    dns_refresh_run, dns_refresh_start, dns_refresh_stop, tick_for_tests,
};
use kamailio_dns::host::clock::advance_for_tests;
use kamailio_dns::host::metrics::{self, Metric};
use kamailio_dns::lookup::{self, Source};
use kamailio_dns::rr::RecordType;
use support::children::{all_end_well, spawn};
use support::{A, CNAME, NAPTR, Reply, Rr, Setup};

const IPV4_ONLY: u32 = 1;

/// An empty cache, and a program that calls `dns_refresh_run()`.
fn setup() -> Setup {
    let setup = Setup::patient();
    run();
    setup
}

/// Refreshes what is due; the number of questions that were answered.
fn run() -> i32 {
    // SAFETY: always safe to call.
    unsafe { dns_refresh_run() }
}

/// Lets time pass, in steps in which the program calls the refresher.
fn pass(seconds: u64) {
    for _ in 0..seconds {
        advance_for_tests(1000);
        run();
    }
}

fn a(owner: &str, ttl: u32, last: u8) -> Rr {
    Rr::a(owner, ttl, &format!("192.0.2.{last}"))
}

fn find(name: &str) -> Result<(u8, Source), LookupError> {
    let (entry, source) = lookup::entry(name.as_bytes(), RecordType(A), IPV4_ONLY)?;
    match entry.record(0) {
        Some(RecordView::A(address)) => Ok((address.octets()[3], source)),
        other => panic!("{other:?}"),
    }
}

fn seconds_left(name: &str, rtype: u16) -> i32 {
    let cache = Cache::instance().unwrap();
    let entry = cache.acquire_any_age(name.as_bytes(), RecordType(rtype));
    let now = kamailio_dns::host::clock::now_ticks();
    kamailio_dns::host::clock::seconds_until(entry.unwrap().expire(), now)
}

/// Used every second for ten lives: nobody waits, and there is one query a life.
#[test]
fn a_name_in_use_never_expires() {
    for ttl in [5, 20, 100] {
        let s = setup();
        s.server.answer("hot.test", A, vec![a("hot.test", ttl, 1)]);
        find("hot.test").unwrap();
        let before = metrics::value(Metric::Stale);
        for _ in 0..ttl * 10 {
            pass(1);
            assert_eq!(find("hot.test"), Ok((1, Source::Cache)), "TTL {ttl}");
            let first = lookup::first_address(b"hot.test", IPV4_ONLY).unwrap();
            assert_eq!(first.to_string(), "192.0.2.1");
        }
        assert_eq!(metrics::value(Metric::Stale), before, "TTL {ttl}");
        let window = (ttl / 10).max(3).min(ttl / 2);
        let most = 1 + ttl * 10 / (ttl - window) + 1;
        let queries = s.server.count("hot.test", A) as u32;
        assert!((10..=most).contains(&queries), "TTL {ttl}: {queries}");
    }
}

#[test]
fn a_name_that_nobody_uses_expires() {
    let s = setup();
    s.server.answer("cold.test", A, vec![a("cold.test", 20, 1)]);
    find("cold.test").unwrap();
    pass(10);
    assert_eq!(find("cold.test"), Ok((1, Source::Cache)));
    pass(30);
    assert_eq!(s.server.count("cold.test", A), 1);
    assert!(seconds_left("cold.test", A) < 0);
}

/// What the nameserver says now counts, also before the old data is over.
#[test]
fn new_data_and_absence_come_ahead_of_expiry() {
    let s = setup();
    s.server.answer("h.test", A, vec![a("h.test", 100, 1)]);
    find("h.test").unwrap();
    s.server.answer("h.test", A, vec![a("h.test", 100, 2)]);
    advance_for_tests(95_000);
    run();
    assert_eq!(find("h.test"), Ok((1, Source::Cache)));
    assert_eq!(run(), 1);
    assert_eq!(find("h.test"), Ok((2, Source::Cache)));
    assert!(seconds_left("h.test", A) > 90);
    let reply = Reply::nxdomain(Rr::soa("test", 50, 50));
    s.server.script("h.test", A, vec![reply]);
    advance_for_tests(95_000);
    run();
    find("h.test").unwrap();
    assert_eq!(run(), 1);
    assert_eq!(find("h.test"), Err(LookupError::NxDomain));
}

/// A refresh that fails leaves the data alone, and backs off.
#[test]
fn a_failed_refresh_keeps_the_data_to_its_limit() {
    let mut s = setup();
    s.options.set("dns_stale_ttl", "60");
    s.server.answer("h.test", A, vec![a("h.test", 100, 1)]);
    find("h.test").unwrap();
    s.server.script("h.test", A, vec![Reply::servfail()]);
    pass(92);
    s.server.clear_queries();
    let failed = metrics::value(Metric::RefreshFailed);
    for _ in 0..60 {
        pass(1);
        assert_eq!(find("h.test").map(|found| found.0), Ok(1));
    }
    // After 1, 2, 4, 8, 16 and 30 s, not every second.
    let queries = s.server.total() as u64;
    assert!((4..=7).contains(&queries), "{queries}");
    assert_eq!(metrics::value(Metric::RefreshFailed) - failed, queries);
    pass(10);
    assert!(matches!(find("h.test"), Err(LookupError::Failed(_))));
}

/// It expired between two looks of the refresher: old data at once, and the refresher asks.
#[test]
fn stale_data_is_served_while_the_refresher_asks() {
    let s = setup();
    s.server.answer("h.test", A, vec![a("h.test", 100, 1)]);
    find("h.test").unwrap();
    advance_for_tests(80_000);
    run();
    find("h.test").unwrap();
    s.server.answer("h.test", A, vec![a("h.test", 100, 2)]);
    advance_for_tests(30_000);
    run();
    for _ in 0..3 {
        assert_eq!(find("h.test"), Ok((1, Source::Cache)));
    }
    assert_eq!(s.server.count("h.test", A), 1);
    assert_eq!(run(), 1);
    assert_eq!(find("h.test"), Ok((2, Source::Cache)));
}

/// Aliases are fetched anew for the sake of what they were followed for, new targets along with them.
#[test]
fn aliases_are_refreshed_with_what_they_lead_to() {
    let s = setup();
    let alias = |target: &str| Rr::cname("www.test", 30, target);
    s.server.add_all([
        alias("one.other.test"),
        a("one.other.test", 100, 1),
        a("two.other.test", 100, 2),
    ]);
    assert_eq!(find("www.test").unwrap().0, 1);
    s.server.remove("www.test", CNAME);
    s.server.add(alias("two.other.test"));
    advance_for_tests(28_000);
    run();
    assert_eq!(find("www.test"), Ok((1, Source::Cache)));
    assert!(run() >= 1);
    assert_eq!(find("www.test"), Ok((2, Source::Cache)));
}

/// What the search list led to is looked for in the same way again, not as an absolute name.
#[test]
fn search_list_names_are_refreshed_as_they_were_found() {
    let mut s = setup();
    s.options
        .resolv_conf("search corp.test\noptions timeout:10 attempts:2 ndots:2\n");
    s.server
        .answer("host.corp.test", A, vec![a("host.corp.test", 30, 1)]);
    assert_eq!(find("host").unwrap().0, 1);
    s.server
        .answer("host.corp.test", A, vec![a("host.corp.test", 30, 2)]);
    advance_for_tests(28_000);
    run();
    find("host").unwrap();
    assert!(run() >= 1);
    assert_eq!(find("host"), Ok((2, Source::Cache)));
    assert_eq!(s.server.count("host", A), 0);
}

/// Most domains have no NAPTR records, and each call asks for them: that is known ahead, too.
#[test]
fn absence_in_use_is_refreshed() {
    let s = setup();
    let reply = Reply::nodata(Rr::soa("test", 30, 30));
    s.server.script("d.test", NAPTR, vec![reply]);
    let ask = || lookup::entry(b"d.test", RecordType(NAPTR), IPV4_ONLY).map(|_| ());
    assert_eq!(ask(), Err(LookupError::NoData));
    for _ in 0..100 {
        let misses = metrics::value(Metric::Miss);
        pass(1);
        assert_eq!(ask(), Err(LookupError::NoData));
        assert_eq!(metrics::value(Metric::Miss), misses);
    }
    let queries = s.server.count("d.test", NAPTR);
    assert!((3..=6).contains(&queries), "{queries}");
}

#[test]
fn refresh_ahead_can_be_switched_off() {
    let mut s = setup();
    s.options.set("dns_refresh_ahead", "0");
    s.server.answer("h.test", A, vec![a("h.test", 20, 1)]);
    find("h.test").unwrap();
    for _ in 0..19 {
        pass(1);
        find("h.test").unwrap();
    }
    assert_eq!(s.server.count("h.test", A), 1);
}

/// A thread of one process refreshes what the others use; without it they see to it themselves.
#[test]
fn a_thread_refreshes_for_other_processes() {
    let s = setup();
    s.server.answer("hot.test", A, vec![a("hot.test", 100, 1)]);
    find("hot.test").unwrap();
    s.server.answer("hot.test", A, vec![a("hot.test", 100, 2)]);
    advance_for_tests(95_000);
    // SAFETY: always safe to call.
    assert_eq!(unsafe { dns_refresh_start() }, 0);
    // SAFETY: as above.
    assert_eq!(unsafe { dns_refresh_start() }, 0);
    let user = spawn(|| {
        while find("hot.test").unwrap().0 == 1 {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(find("hot.test"), Ok((2, Source::Cache)));
        // The parent's thread is not here.
        // SAFETY: as above.
        unsafe { dns_refresh_stop() };
    });
    all_end_well(vec![user]);
    assert_eq!(s.server.count("hot.test", A), 2);
    // SAFETY: as above.
    unsafe { dns_refresh_stop() };
    // SAFETY: as above.
    unsafe { dns_refresh_stop() };
    s.server.answer("hot.test", A, vec![a("hot.test", 100, 3)]);
    advance_for_tests(110_000);
    assert_eq!(find("hot.test"), Ok((3, Source::Network)));
}

/// Many names at once, more than are asked for in one round.
#[test]
fn many_names_are_refreshed() {
    let s = setup();
    for i in 0..100 {
        let name = format!("n{i}.many.test");
        s.server.answer(&name, A, vec![a(&name, 100, 1)]);
        find(&name).unwrap();
    }
    advance_for_tests(95_000);
    run();
    for i in 0..100 {
        find(&format!("n{i}.many.test")).unwrap();
    }
    s.server.clear_queries();
    assert_eq!(run(), 100);
    assert_eq!(s.server.total(), 100);
    assert_eq!(run(), 0);
}

/// In Kamailio's timer: each tick returns at once, whatever the servers do; a later one stores.
#[test]
fn the_timer_never_waits() {
    let s = setup();
    for name in ["slow.test", "silent.test"] {
        s.server.answer(name, A, vec![a(name, 100, 1)]);
        find(name).unwrap();
    }
    advance_for_tests(95_000);
    tick_for_tests();
    find("silent.test").unwrap();
    s.server.script("silent.test", A, vec![Reply::dropped()]);
    // A batch of its own, which keeps its thread waiting.
    tick_for_tests();
    find("slow.test").unwrap();
    let answer = Reply::answer(vec![a("slow.test", 100, 2)]).delay_ms(300);
    s.server.script("slow.test", A, vec![answer]);
    tick_for_tests();
    assert_eq!(find("slow.test"), Ok((1, Source::Cache)));
    while find("slow.test") == Ok((1, Source::Cache)) {
        tick_for_tests();
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(find("slow.test"), Ok((2, Source::Cache)));
    assert_eq!(find("silent.test"), Ok((1, Source::Cache)));
    let asked = (
        s.server.count("slow.test", A),
        s.server.count("silent.test", A),
    );
    assert_eq!(asked, (2, 2));
}
