//! Names whose servers keep silent must not take all the processes that serve one queue (`dns_max_waiting`).

#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use kamailio_dns::cache::{Cache, EntryRef};
use kamailio_dns::error::{Failure, LookupError};
use kamailio_dns::host::metrics::{self, Metric};
use kamailio_dns::lookup::{self, refresh::Worker};
use kamailio_dns::rr::RecordType;
use kamailio_dns::select::{Cursor, handle};
use support::children::{SharedNumbers, go_on, kill, spawn, stop, wait};
use support::{A, AAAA, Reply, Rr, SRV, Setup};

const IPV4_ONLY: u32 = 1;
const WORKERS: u32 = 8;
const GOOD: &str = "good.test";
/// Names that begin so are looked up past the cache.
const PAST_CACHE: &str = "raw";
/// Addresses of names that begin so are looked up past the cache, by a call without limit.
const HOSTS: &str = "host";
/// For names that begin so a target over UDP is looked for.
const TARGETS: &str = "sip";

/// Requests that were taken from the queue, that were done, that found an address, that were given up.
const TAKEN: usize = 0;
const DONE: usize = 1;
const FOUND: usize = 2;
const GIVEN_UP: usize = 3;
/// The pid of the first worker that took a request.
const FIRST: usize = 4;
/// Workers that take requests.
const READY: usize = 5;

fn find(name: &str) -> Result<EntryRef, LookupError> {
    lookup::entry(name.as_bytes(), RecordType(A), IPV4_ONLY).map(|(entry, _)| entry)
}

/// True when a call to the name, over UDP, has a target.
fn has_target(name: &str) -> bool {
    let (mut port, mut udp) = (0, 1);
    let place = (Some(&mut port), Some(&mut udp));
    let mut cursor = Cursor::default();
    handle::resolve(
        &mut cursor,
        name.as_bytes(),
        place.0,
        place.1,
        IPV4_ONLY,
        None,
    )
    .is_ok()
}

/// Eight workers and the queue of their requests, which are names.
struct Pool {
    queue: UnixDatagram,
    numbers: SharedNumbers,
    workers: Vec<libc::pid_t>,
}

impl Pool {
    fn start() -> Self {
        lookup::pretend_pool(WORKERS as usize);
        let (queue, ours) = UnixDatagram::pair().unwrap();
        let numbers = SharedNumbers::new();
        let serve = || {
            let mut request = [0; 256];
            // A place of the test before has to be taken over first.
            let _absent = find(&format!("warm{}.test", std::process::id()));
            numbers.add(READY, 1);
            loop {
                let octets = ours.recv(&mut request).unwrap();
                if numbers.add(TAKEN, 1) == 0 {
                    numbers.put(FIRST, std::process::id());
                }
                let name = std::str::from_utf8(&request[..octets]).unwrap();
                let result = if name.starts_with(TARGETS) {
                    has_target(name).then_some(()).ok_or(LookupError::NoData)
                } else if name.starts_with(HOSTS) {
                    lookup::uncached::addresses(name.as_bytes(), true).map(drop)
                } else {
                    let _scope = lookup::deadline::scope();
                    if name.starts_with(PAST_CACHE) {
                        let asked = (name.as_bytes(), RecordType(A));
                        lookup::uncached::record_list(asked.0, asked.1, true, false).map(drop)
                    } else {
                        find(name).map(drop)
                    }
                };
                match result {
                    Ok(_) => numbers.add(FOUND, 1),
                    Err(LookupError::Failed(Failure::GivenUp)) => numbers.add(GIVEN_UP, 1),
                    Err(_) => 0,
                };
                numbers.add(DONE, 1);
            }
        };
        let workers = (0..WORKERS).map(|_| spawn(serve)).collect();
        numbers.wait_for(READY, WORKERS);
        Self {
            queue,
            numbers,
            workers,
        }
    }

    /// Has the requests come, one after the other.
    fn request(&self, names: impl IntoIterator<Item = String>) {
        for name in names {
            let before = self.numbers.get(TAKEN);
            self.queue.send(name.as_bytes()).unwrap();
            self.numbers.wait_for(TAKEN, before + 1);
            // They are told apart by when they came.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for &worker in &self.workers {
            kill(worker);
            wait(worker);
        }
    }
}

/// No deadline but that of a query, which is far away; nobody answers but for the one name.
fn silence() -> Setup {
    let mut s = Setup::patient();
    s.options.set("dns_resolve_deadline", "0");
    s.server
        .answer(GOOD, A, vec![Rr::a(GOOD, 600, "192.0.2.7")]);
    find(GOOD).unwrap();
    for name in silent(0..100).chain(below_one_parent(0..100)) {
        s.server.script(&name, A, vec![Reply::dropped()]);
    }
    s.server.clear_queries();
    s
}

/// Names below parents of their own.
fn silent(numbers: std::ops::Range<u32>) -> impl Iterator<Item = String> {
    numbers.map(|number| format!("x.silent{number}.test"))
}

fn below_one_parent(numbers: std::ops::Range<u32>) -> impl Iterator<Item = String> {
    numbers.map(|number| format!("x{number}.silent.test"))
}

/// While nobody has had the time of a cold answer, one gives up for each that comes when none is left, and no more.
#[test]
fn a_worker_is_left_however_many_names_keep_silent() {
    let _s = silence();
    let before = metrics::value(Metric::GivenUp);
    let pool = Pool::start();
    pool.request(silent(0..20));
    pool.request([GOOD.to_owned()]);
    pool.numbers.wait_for(FOUND, 1);
    // All the others wait for a query that takes 40 s.
    let given_up = pool.numbers.get(GIVEN_UP);
    assert!(given_up >= 13, "{given_up}");
    assert_eq!(pool.numbers.get(DONE), given_up + 1);
    assert!(metrics::value(Metric::GivenUp) - before >= 13);
}

/// What is looked up past the cache takes no more of them.
#[test]
fn lookups_past_the_cache_leave_a_worker() {
    let s = silence();
    let raw: Vec<_> = (0..12)
        .map(|number| format!("{PAST_CACHE}{number}.test"))
        .collect();
    for name in &raw {
        s.server.script(name, A, vec![Reply::dropped()]);
    }
    let pool = Pool::start();
    pool.request(raw);
    pool.request([GOOD.to_owned()]);
    pool.numbers.wait_for(FOUND, 1);
    assert!(pool.numbers.get(GIVEN_UP) >= 5);
}

/// A call that gives up does not wait for the other family.
#[test]
fn who_gives_up_past_the_cache_asks_for_no_other_family() {
    let s = silence();
    let hosts: Vec<_> = (0..WORKERS).map(|n| format!("{HOSTS}{n}.test")).collect();
    for name in &hosts {
        s.server.script(name, A, vec![Reply::dropped()]);
        s.server.script(name, AAAA, vec![Reply::dropped()]);
    }
    let pool = Pool::start();
    pool.request(hosts.clone());
    pool.numbers.wait_for(GIVEN_UP, 1);
    assert!(hosts.iter().all(|name| s.server.count(name, AAAA) == 0));
}

/// That too many waited says nothing of a domain: its calls do not go to the addresses of its name instead of those of
/// its SRV records, though the cache has them.
#[test]
fn who_gives_up_is_not_sent_elsewhere() {
    let s = silence();
    let callees: Vec<_> = (0..WORKERS).map(|n| format!("{TARGETS}{n}.test")).collect();
    for name in &callees {
        s.server
            .answer(name, A, vec![Rr::a(name, 600, "192.0.2.9")]);
        find(name).unwrap();
        let service = format!("_sip._udp.{name}");
        s.server.script(&service, SRV, vec![Reply::dropped()]);
    }
    let before = metrics::value(Metric::GivenUp);
    let pool = Pool::start();
    pool.request(silent(0..WORKERS));
    // From now on none has a grace.
    pool.numbers.wait_for(GIVEN_UP, 1);
    pool.request(callees);
    pool.request(silent(WORKERS..2 * WORKERS));
    pool.numbers.wait_for(DONE, 2 * WORKERS);
    assert!(metrics::value(Metric::GivenUp) - before >= u64::from(2 * WORKERS));
    assert_eq!(pool.numbers.get(FOUND), 0);
}

/// Half of them may wait on.
#[test]
fn who_has_waited_longest_makes_room() {
    let _s = silence();
    let pool = Pool::start();
    pool.request(silent(0..7));
    assert_eq!(pool.numbers.get(DONE), 0);
    pool.numbers.wait_for(GIVEN_UP, 3);
    // The others wait on: time enough for each of them to look whether it has to go, too.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(pool.numbers.get(GIVEN_UP), 3);
}

#[test]
fn no_limit_is_no_limit() {
    for percent in ["0", "100"] {
        let mut s = silence();
        s.options.set("dns_max_waiting", percent);
        let pool = Pool::start();
        pool.request(silent(0..WORKERS));
        std::thread::sleep(Duration::from_millis(2000));
        assert_eq!(pool.numbers.get(DONE), 0, "{percent} %");
    }
}

/// Nothing is remembered of a name whose caller gave up, nor is the server blamed; and the question goes on.
#[test]
fn who_gives_up_has_learnt_nothing_and_the_question_goes_on() {
    let s = silence();
    // The answers take longer than the first of a pool that waits is given.
    let late: Vec<_> = silent(200..208).collect();
    for name in &late {
        let answer = Reply::answer(vec![Rr::a(name, 600, "192.0.2.8")]);
        s.server.script(name, A, vec![answer.delay_ms(1500)]);
    }
    let mut refresher = Worker::default();
    refresher.run();
    let before = metrics::value(Metric::FailureHit);
    let pool = Pool::start();
    let first = late.first().unwrap();
    pool.request(late.iter().cloned());
    pool.numbers.wait_for(GIVEN_UP, 1);
    let cache = Cache::init().unwrap();
    while cache
        .acquire_any_age(first.as_bytes(), RecordType(A))
        .is_none()
    {
        refresher.run();
    }
    assert!(find(first).is_ok());
    assert_eq!(metrics::value(Metric::FailureHit), before);
}

/// Of those below a parent where nothing is answered the newest keeps its place.
#[test]
fn parents_that_keep_failing_have_few_places() {
    // A process that the machine does not let run for a second does not count, and another gives up in its place.
    let holds = || std::panic::catch_unwind(newest_below_a_failing_parent_keeps_its_place).is_ok();
    assert!(holds() || holds() || holds());
}

fn newest_below_a_failing_parent_keeps_its_place() {
    let mut s = silence();
    s.options.set("dns_retr_time", "1");
    s.options.set("dns_retr_no", "1");
    for name in below_one_parent(0..3) {
        assert!(find(&name).is_err());
    }
    s.options.set("dns_retr_time", "20");
    let pool = Pool::start();
    pool.request(below_one_parent(10..13));
    pool.numbers.wait_for(GIVEN_UP, 2);
    pool.request(silent(0..1));
    pool.request(below_one_parent(20..21));
    pool.numbers.wait_for(GIVEN_UP, 3);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(pool.numbers.get(DONE), 3);
    // An answer for a name below it, and it is a parent as any other.
    let name = "well.silent.test";
    s.server
        .answer(name, A, vec![Rr::a(name, 600, "192.0.2.7")]);
    pool.request([name.to_owned()]);
    pool.numbers.wait_for(FOUND, 1);
    pool.request(below_one_parent(30..32));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(pool.numbers.get(GIVEN_UP), 3);
}

/// The one that would have to give up was stopped: the next one does.
#[test]
fn who_was_stopped_takes_nobodys_place() {
    let _s = silence();
    let pool = Pool::start();
    pool.request(silent(0..1));
    let first = pool.numbers.get(FIRST) as libc::pid_t;
    stop(first);
    pool.request(silent(1..7));
    pool.request([GOOD.to_owned()]);
    pool.numbers.wait_for(FOUND, 1);
    // Of seven that go on three wait.
    pool.numbers.wait_for(GIVEN_UP, 3);
    go_on(first);
    pool.request(silent(7..20));
    pool.request([GOOD.to_owned()]);
    pool.numbers.wait_for(FOUND, 2);
}
