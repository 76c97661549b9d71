//! Names in use are fetched anew before they expire, and stale ones meanwhile, with nobody waiting.

#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]
#![allow(unsafe_code, reason = "calls exported functions")]

mod support;

use std::fs::File;
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::thread::JoinHandleExt as _;
use std::time::Duration;

use kamailio_dns::cache::{Cache, RecordView};
use kamailio_dns::error::LookupError;
use kamailio_dns::ffi::refresh::{
    dns_refresh_run, dns_refresh_start, dns_refresh_stop, tick_for_tests,
};
use kamailio_dns::host::clock::advance_for_tests;
use kamailio_dns::host::metrics::{self, Metric};
use kamailio_dns::lookup::refresh::{Job, Refresher};
use kamailio_dns::lookup::{self, Source};
use kamailio_dns::resolver::servers::snapshot;
use kamailio_dns::resolver::{Answer, Negative, Outcome, Timed};
use kamailio_dns::rr::{Name, RecordType};
use support::children::{all_end_well, spawn};
use support::{A, CNAME, NAPTR, Reply, Rr, SRV, Setup};

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

/// Asked for once is not in use: whoever makes names up has each asked for once.
#[test]
fn a_name_that_nobody_uses_expires() {
    let s = setup();
    s.server.answer("cold.test", A, vec![a("cold.test", 20, 1)]);
    find("cold.test").unwrap();
    pass(40);
    assert_eq!(s.server.count("cold.test", A), 1);
    assert!(seconds_left("cold.test", A) < 0);
}

/// One use, early in a long life, is worth one refresh.
#[test]
fn a_use_at_any_time_of_its_life_keeps_a_name() {
    let s = setup();
    s.server
        .answer("warm.test", A, vec![a("warm.test", 300, 1)]);
    find("warm.test").unwrap();
    pass(1);
    assert_eq!(find("warm.test"), Ok((1, Source::Cache)));
    pass(350);
    assert_eq!(s.server.count("warm.test", A), 2);
    assert!(seconds_left("warm.test", A) > 200);
    pass(300);
    assert_eq!(s.server.count("warm.test", A), 2);
    assert!(seconds_left("warm.test", A) < 0);
}

/// Each use finds fresh data, though the name is not used in each of its lives; and that ends a minute after the last.
#[test]
fn a_name_that_is_used_now_and_then_is_kept_fresh() {
    let s = setup();
    s.server.answer("some.test", A, vec![a("some.test", 5, 1)]);
    for _ in 0..2 {
        find("some.test").unwrap();
    }
    for _ in 0..4 {
        pass(40);
        assert_eq!(find("some.test"), Ok((1, Source::Cache)));
        assert!(seconds_left("some.test", A) >= 0);
    }
    pass(70);
    s.server.clear_queries();
    pass(70);
    assert_eq!(s.server.count("some.test", A), 0);
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
    let mut s = setup();
    s.options.set("dns_refresh_ahead", "0");
    s.server.answer("h.test", A, vec![a("h.test", 100, 1)]);
    find("h.test").unwrap();
    s.server.answer("h.test", A, vec![a("h.test", 100, 2)]);
    advance_for_tests(99_500);
    run();
    advance_for_tests(1_000);
    for _ in 0..3 {
        assert_eq!(find("h.test"), Ok((1, Source::Cache)));
    }
    assert_eq!(s.server.count("h.test", A), 1);
    assert_eq!(run(), 1);
    assert_eq!(find("h.test"), Ok((2, Source::Cache)));
}

/// Where the refresher does not get there in time, who uses the record asks: it is never older than its TTL and two
/// seconds while its server answers.
#[test]
fn what_is_over_for_a_while_is_asked_for() {
    let mut s = setup();
    s.options.set("dns_refresh_ahead", "0");
    s.server.answer("h.test", A, vec![a("h.test", 100, 1)]);
    find("h.test").unwrap();
    s.server.answer("h.test", A, vec![a("h.test", 100, 2)]);
    advance_for_tests(102_100);
    run();
    assert_eq!(find("h.test"), Ok((2, Source::Network)));
    // No answer in the usual time: the old data, and the refresher goes on.
    s.server.script("h.test", A, vec![Reply::dropped()]);
    advance_for_tests(110_000);
    run();
    assert_eq!(find("h.test"), Ok((2, Source::Cache)));
    s.server.answer("h.test", A, vec![a("h.test", 100, 3)]);
    assert_eq!(run(), 1);
    assert_eq!(find("h.test"), Ok((3, Source::Cache)));
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

/// A walk of the search list that has come to its next name keeps its turn while there is no room.
#[test]
fn a_walk_waits_for_room() {
    let mut s = setup();
    s.options
        .resolv_conf("search corp.test\noptions timeout:10 attempts:2 ndots:2\n");
    s.server.answer("host", A, vec![a("host", 300, 1)]);
    for _ in 0..2 {
        assert_eq!(find("host").unwrap().0, 1);
    }
    advance_for_tests(28_000);
    let mut refresher = Refresher::default();
    let mut jobs = Vec::new();
    while jobs.is_empty() {
        jobs = refresher.take(9);
        advance_for_tests(100);
    }
    let asked = |jobs: &[Job]| -> Vec<String> {
        let name = |job: &Job| String::from_utf8_lossy(job.question().qname).into_owned();
        jobs.iter().map(name).collect()
    };
    assert_eq!(asked(&jobs), ["host.corp.test."]);
    let negative = Negative {
        nxdomain: true,
        ttl: Some(30),
    };
    let answer = Answer {
        qname: Name::from_text(b"host.corp.test").unwrap(),
        answers: Vec::new(),
        additional: Vec::new(),
        negative: Some(negative),
    };
    let timed = Timed {
        outcome: Outcome::Answer(answer),
        took_ms: 1,
        server: None,
    };
    assert!(refresher.settle(jobs.remove(0), timed));
    assert!(refresher.take(0).is_empty());
    assert_eq!(asked(&refresher.take(9)), ["host."]);
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

/// Many names at once, and some whose server keeps silent: those hold nobody up.
#[test]
fn silent_names_hold_up_no_others() {
    let s = setup();
    let names: Vec<String> = (0..150).map(|i| format!("n{i}.many.test")).collect();
    for name in &names {
        s.server.answer(name, A, vec![a(name, 100, 1)]);
        find(name).unwrap();
        find(name).unwrap();
    }
    for name in &names[..50] {
        s.server.script(name, A, vec![Reply::dropped()]);
    }
    for name in &names[50..] {
        s.server.answer(name, A, vec![a(name, 100, 2)]);
    }
    advance_for_tests(95_000);
    tick_for_tests();
    while names[50..].iter().any(|name| find(name).unwrap().0 == 1) {
        std::thread::sleep(Duration::from_millis(5));
        tick_for_tests();
    }
    for name in &names[50..] {
        assert_eq!(s.server.count(name, A), 2);
    }
    // Those that are silent are still under way.
    let failed = metrics::value(Metric::RefreshFailed);
    for name in &names[..50] {
        assert_eq!(find(name), Ok((1, Source::Cache)));
    }
    while metrics::value(Metric::RefreshFailed) == failed {
        std::thread::sleep(Duration::from_millis(5));
        tick_for_tests();
    }
}

/// No more than the option allows.
#[test]
fn refreshes_have_a_budget() {
    let mut s = setup();
    s.options.set("dns_refresh_rate", "20");
    for i in 0..40 {
        let name = format!("n{i}.budget.test");
        s.server.answer(&name, A, vec![a(&name, 100, 1)]);
        find(&name).unwrap();
        find(&name).unwrap();
    }
    s.server.clear_queries();
    advance_for_tests(95_000);
    let start = std::time::Instant::now();
    while s.server.total() < 40 {
        run();
    }
    assert!(start.elapsed() > Duration::from_millis(1200));
    assert_eq!(s.server.total(), 40);
}

/// A process that has no descriptors left learns nothing of its nameserver from that, and does what it can.
#[test]
fn a_want_of_descriptors_is_no_fault_of_the_server() {
    let s = setup();
    let names: Vec<String> = (0..60).map(|i| format!("n{i}.few.test")).collect();
    for name in &names {
        s.server.answer(name, A, vec![a(name, 100, 1)]);
        find(name).unwrap();
        find(name).unwrap();
    }
    for name in &names {
        let reply = Reply::answer(vec![a(name, 100, 2)]).delay_ms(20);
        s.server.script(name, A, vec![reply]);
    }
    advance_for_tests(95_000);
    let refresher = spawn(|| {
        let (_files, limit) = leave_descriptors(9);
        assert!(limit / 2 > 9);
        while names.iter().any(|name| find(name).unwrap().0 == 1) {
            run();
            // What failed for the want of a descriptor is asked again after its back-off.
            advance_for_tests(1000);
        }
        let errors: Vec<u64> = snapshot().iter().map(|server| server.errors).collect();
        assert!(errors.iter().all(|&errors| errors == 0), "{errors:?}");
    });
    all_end_well(vec![refresher]);
}

/// Lowers the limit of this process to so many descriptors more than are open now, and takes all below the highest
/// one; gives what takes them, and the limit.
fn leave_descriptors(more: usize) -> (Vec<File>, usize) {
    let mut files = vec![File::open("/dev/null").unwrap()];
    while files.len() < 40 {
        files.push(File::open("/dev/null").unwrap());
    }
    let highest = files.iter().map(|file| file.as_raw_fd()).max().unwrap();
    let limit = highest as usize + 1 + more;
    let few = libc::rlimit {
        rlim_cur: limit as libc::rlim_t,
        rlim_max: limit as libc::rlim_t,
    };
    // SAFETY: a valid rlimit.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const few) };
    assert_eq!(result, 0);
    (files, limit)
}

/// What calls hold of SRV records that a NAPTR record elsewhere leads to is a copy, which stays as it is when the records
/// are fetched anew: that happens once for each life of the records.
#[test]
fn copies_are_refreshed_as_what_they_are_copies_of() {
    let s = setup();
    let name = "_sip._udp.carrier.test";
    let record = |port| Rr::srv(name, 100, 1, 1, port, "host.carrier.test");
    s.server.answer(name, SRV, vec![record(5060)]);
    let port = || {
        let (entry, _) =
            lookup::absolute_entry(name.as_bytes(), RecordType(SRV), IPV4_ONLY).unwrap();
        let entry = lookup::leading_back(entry, b"d.test");
        assert_eq!(entry.owner(), Some(b"d.test".as_slice()));
        match entry.record(0) {
            Some(RecordView::Srv { port, .. }) => port,
            other => panic!("{other:?}"),
        }
    };
    for _ in 0..3 {
        assert_eq!(port(), 5060);
    }
    s.server.answer(name, SRV, vec![record(5070)]);
    advance_for_tests(95_000);
    assert_eq!(run(), 1);
    for _ in 0..5 {
        assert_eq!(run(), 0);
        assert_eq!(port(), 5070);
    }
    assert_eq!(s.server.count(name, SRV), 2);
}

/// A program that closes what it does not know closes the refresher's event queue, too: that is made anew.
#[test]
fn a_program_may_close_all_descriptors() {
    let s = setup();
    s.server.answer("h.test", A, vec![a("h.test", 100, 1)]);
    find("h.test").unwrap();
    find("h.test").unwrap();
    let replies = (2..5).map(|number| Reply::answer(vec![a("h.test", 100, number)]));
    s.server.script("h.test", A, replies.collect());
    let refresher = spawn(|| {
        for (number, at) in [(2, "as it was"), (3, "closed"), (4, "taken")] {
            advance_for_tests(95_000);
            assert_eq!(run(), 1, "{at}");
            assert_eq!(find("h.test"), Ok((number, Source::Cache)), "{at}");
            let file = File::open("/dev/null").unwrap();
            match number {
                2 => close_event_queues(|queue| {
                    // SAFETY: the refresher's, which this test is about.
                    unsafe { libc::close(queue) }
                }),
                3 => close_event_queues(|queue| {
                    // SAFETY: as above; the number stands for the file from here on.
                    unsafe { libc::dup2(file.as_raw_fd(), queue) }
                }),
                _ => {}
            }
        }
        assert!(snapshot().iter().all(|server| server.errors == 0));
    });
    all_end_well(vec![refresher]);
}

/// Calls `close` with each event queue that this process has; there are some.
fn close_event_queues(close: impl Fn(RawFd) -> i32) {
    let is_queue = |number: &RawFd| {
        let target = std::fs::read_link(format!("/proc/self/fd/{number}"));
        target.is_ok_and(|target| target.as_os_str() == "anon_inode:[eventpoll]")
    };
    let queues: Vec<RawFd> = (0..1024).filter(is_queue).collect();
    assert!(!queues.is_empty());
    assert!(queues.into_iter().all(|queue| close(queue) >= 0));
}

/// A thread that is cancelled while it refreshes comes back first: its stack is not unwound from within.
#[test]
fn a_cancelled_thread_ends_its_round() {
    let s = setup();
    s.server.answer("c.test", A, vec![a("c.test", 100, 1)]);
    find("c.test").unwrap();
    find("c.test").unwrap();
    let reply = Reply::answer(vec![a("c.test", 100, 2)]).delay_ms(500);
    s.server.script("c.test", A, vec![reply]);
    advance_for_tests(95_000);
    let thread = std::thread::spawn(|| {
        let answered = run();
        let mut before = 0;
        // SAFETY: writes to our variable; 1 is PTHREAD_CANCEL_DISABLE of glibc and musl.
        unsafe { pthread_setcancelstate(1, &raw mut before) };
        answered
    });
    while s.server.count("c.test", A) < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    // SAFETY: the thread was not joined yet.
    assert_eq!(unsafe { pthread_cancel(thread.as_pthread_t()) }, 0);
    assert_eq!(thread.join().unwrap(), 1);
    assert_eq!(find("c.test"), Ok((2, Source::Cache)));
}

unsafe extern "C" {
    fn pthread_setcancelstate(state: libc::c_int, before: *mut libc::c_int) -> libc::c_int;
    fn pthread_cancel(thread: libc::pthread_t) -> libc::c_int;
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

/// Whether the call has given up before a server had a fair time, or a failure was remembered: the refresher goes on, and
/// the next call finds the answer.
#[test]
fn a_question_goes_on_when_its_caller_gave_up() {
    for deadline_ms in ["300", "2000"] {
        let mut s = setup();
        s.options.set("dns_resolve_deadline", deadline_ms);
        let answer = Reply::answer(vec![a("late.test", 60, 1)]);
        s.server
            .script("late.test", A, vec![Reply::dropped(), answer]);
        let before = metrics::value(Metric::HandedOn);
        {
            let _scope = lookup::deadline::scope();
            assert!(matches!(find("late.test"), Err(LookupError::Failed(_))));
        }
        while s.server.count("late.test", A) < 2 {
            run();
        }
        assert_eq!(find("late.test"), Ok((1, Source::Cache)), "{deadline_ms}");
        assert_eq!(metrics::value(Metric::HandedOn) - before, 1);
        run();
        assert_eq!(s.server.count("late.test", A), 2);
    }
}

/// The timer has claimed a question, then its process does something else for a long time: who wants the answer asks.
#[test]
fn a_timer_that_does_not_come_back_holds_nobody_up() {
    let mut s = Setup::patient();
    s.options.set("dns_stale_ttl", "0");
    s.server
        .answer("timer.test", A, vec![a("timer.test", 20, 1)]);
    tick_for_tests();
    find("timer.test").unwrap();
    find("timer.test").unwrap();
    advance_for_tests(18_000);
    while s.server.count("timer.test", A) < 2 {
        find("timer.test").unwrap();
        tick_for_tests();
        std::thread::sleep(Duration::from_millis(1));
    }
    // No tick stores the answer.
    advance_for_tests(3_000);
    let before = metrics::value(Metric::TakenOver);
    // This thread has the claim.
    let worker = std::thread::spawn(|| find("timer.test"));
    assert_eq!(worker.join().unwrap(), Ok((1, Source::Network)));
    assert_eq!(metrics::value(Metric::TakenOver) - before, 1);
    assert_eq!(s.server.count("timer.test", A), 3);
}
