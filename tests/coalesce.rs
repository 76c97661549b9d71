//! One query for all the processes that want its answer at the same time (docs/defects.md: B11).

#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::time::Duration;

use kamailio_dns::cache::{Cache, EntryRef, RecordView};
use kamailio_dns::error::LookupError;
use kamailio_dns::host::metrics::{self, Metric};
use kamailio_dns::lookup;
use kamailio_dns::rr::RecordType;
use support::children::{SharedNumbers, all_end_well, go_on, kill, spawn, stop, wait};
use support::{A, AAAA, Reply, Rr, Setup};

const IPV4_ONLY: u32 = 1;
const WORKERS: u32 = 8;

fn find(name: &str, flags: u32) -> Result<EntryRef, LookupError> {
    lookup::entry(name.as_bytes(), RecordType(A), flags).map(|(entry, _)| entry)
}

fn has_address(entry: &EntryRef, last: u8) -> bool {
    matches!(entry.record(0), Some(RecordView::A(address)) if address.octets()[3] == last)
}

/// Has all workers do the same at the same time.
fn all_at_once(work: impl Fn()) {
    let numbers = SharedNumbers::new();
    let children = (0..WORKERS).map(|_| {
        spawn(|| {
            numbers.meet(0, WORKERS);
            work();
        })
    });
    all_end_well(children.collect());
}

/// A server that is known to take its time: who waits does so for longer than the answers below take.
fn sluggish() -> Setup {
    let s = Setup::patient();
    get_used_to(&s, 600);
    s
}

/// Has the server answer slowly once, which makes that usual.
fn get_used_to(s: &Setup, delay_ms: u64) {
    let answer = Reply::answer(vec![Rr::a("usual.test", 1, "192.0.2.1")]);
    s.server
        .script("usual.test", A, vec![answer.delay_ms(delay_ms)]);
    find("usual.test", IPV4_ONLY).unwrap();
    s.server.clear_queries();
}

fn wait_for_queries(s: &Setup, number: usize) {
    while s.server.total() < number {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn slowly(records: Vec<Rr>) -> Vec<Reply> {
    vec![Reply::answer(records).delay_ms(1200)]
}

#[test]
fn eight_workers_send_one_query() {
    let s = sluggish();
    let records = vec![Rr::a("slow.test", 60, "192.0.2.7")];
    s.server.script("slow.test", A, slowly(records));
    let before = metrics::value(Metric::Coalesced);
    all_at_once(|| assert!(has_address(&find("Slow.Test", IPV4_ONLY).unwrap(), 7)));
    assert_eq!(s.server.total(), 1);
    assert_eq!(metrics::value(Metric::Coalesced) - before, 7);
}

#[test]
fn both_families_are_asked_once() {
    let s = sluggish();
    s.server
        .script(
            "two.test",
            A,
            slowly(vec![Rr::a("two.test", 60, "192.0.2.7")]),
        )
        .script(
            "two.test",
            AAAA,
            slowly(vec![Rr::aaaa("two.test", 60, "2001:db8::1")]),
        );
    let number = SharedNumbers::new();
    all_at_once(|| {
        // Half of them want the one first, half the other.
        let qtype = if number.add(1, 1).is_multiple_of(2) {
            A
        } else {
            AAAA
        };
        lookup::entry(b"two.test", RecordType(qtype), 0).unwrap();
    });
    assert_eq!(
        (
            s.server.count("two.test", A),
            s.server.count("two.test", AAAA)
        ),
        (1, 1)
    );
}

/// What the cache does not keep is shared all the same.
#[test]
fn records_with_ttl_0_are_shared() {
    let s = sluggish();
    let records = vec![Rr::a("zero.test", 0, "192.0.2.8")];
    s.server.script("zero.test", A, slowly(records));
    let cache = Cache::init().unwrap();
    all_at_once(|| {
        let entry = find("zero.test", IPV4_ONLY).unwrap();
        assert!(has_address(&entry, 8) && !entry.is_linked());
    });
    assert_eq!(s.server.total(), 1);
    // Nobody holds it any more: the next one asks.
    assert!(cache.acquire_any_age(b"zero.test", RecordType(A)).is_none());
    assert!(find("zero.test", IPV4_ONLY).is_ok());
    assert_eq!(s.server.total(), 2);
}

#[test]
fn failures_that_are_not_remembered_are_shared() {
    let mut s = sluggish();
    s.options.set("dns_failure_ttl", "0");
    s.server
        .script("fails.test", A, vec![Reply::servfail().delay_ms(1200)]);
    all_at_once(|| {
        let error = find("fails.test", IPV4_ONLY).unwrap_err();
        assert!(matches!(error, LookupError::Failed(_)), "{error:?}");
    });
    assert_eq!(s.server.total(), 1);
}

#[test]
fn absence_that_is_not_kept_is_shared() {
    let mut s = sluggish();
    s.options.set("dns_cache_negative_ttl", "0");
    let reply = Reply::nxdomain(Rr::soa("test", 60, 60)).delay_ms(700);
    s.server.script("none.test", A, vec![reply]);
    all_at_once(|| {
        assert_eq!(
            find("none.test", IPV4_ONLY).unwrap_err(),
            LookupError::NxDomain
        )
    });
    assert_eq!(s.server.total(), 1);
}

/// The asker is killed, and nobody has waited for it yet: a zombie.
#[test]
fn another_takes_over_from_the_dead() {
    let s = Setup::patient();
    let records = vec![Rr::a("orphan.test", 60, "192.0.2.9")];
    s.server.script(
        "orphan.test",
        A,
        vec![Reply::dropped(), Reply::answer(records)],
    );
    let asker = spawn(|| {
        let _killed_meanwhile = find("orphan.test", IPV4_ONLY);
    });
    while s.server.total() == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let numbers = SharedNumbers::new();
    let waiters: Vec<_> = (1..WORKERS)
        .map(|_| {
            spawn(|| {
                numbers.add(0, 1);
                assert!(has_address(&find("orphan.test", IPV4_ONLY).unwrap(), 9));
            })
        })
        .collect();
    while numbers.get(0) < WORKERS - 1 {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(200));
    kill(asker);
    all_end_well(waiters);
    assert_eq!(s.server.total(), 2);
    assert_ne!(wait(asker), 0);
}

/// The claim of a process that died must not keep other questions, or the same one, from being shared.
#[test]
fn a_claim_left_behind_is_no_obstacle() {
    let s = sluggish();
    let records = vec![Rr::a("left.test", 60, "192.0.2.9")];
    let answer = Reply::answer(records).delay_ms(700);
    s.server
        .script("left.test", A, vec![Reply::dropped(), answer]);
    let asker = spawn(|| {
        let _killed_meanwhile = find("left.test", IPV4_ONLY);
    });
    while s.server.total() == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    kill(asker);
    wait(asker);
    all_at_once(|| assert!(has_address(&find("left.test", IPV4_ONLY).unwrap(), 9)));
    assert_eq!(s.server.total(), 2);
}

/// Who waits does so no longer than its own deadline.
#[test]
fn waiting_ends_at_the_deadline() {
    let mut s = Setup::patient();
    s.options.set("dns_resolve_deadline", "100");
    s.server.script("never.test", A, vec![Reply::dropped()]);
    let asker = spawn(|| {
        let _killed_meanwhile = find("never.test", IPV4_ONLY);
    });
    while s.server.total() == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let before = metrics::value(Metric::Deadline);
    {
        let _scope = lookup::deadline::scope();
        let error = find("never.test", IPV4_ONLY).unwrap_err();
        assert!(matches!(error, LookupError::Failed(_)), "{error:?}");
        // Nor is anything else asked.
        assert!(find("other.test", IPV4_ONLY).is_err());
    }
    assert_eq!(s.server.total(), 1);
    assert_eq!(metrics::value(Metric::Deadline) - before, 1);
    kill(asker);
    wait(asker);
}

#[test]
fn threads_share_as_processes_do() {
    let s = sluggish();
    let records = vec![Rr::a("threads.test", 60, "192.0.2.7")];
    s.server.script("threads.test", A, slowly(records));
    let barrier = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                assert!(has_address(&find("threads.test", IPV4_ONLY).unwrap(), 7));
            });
        }
    });
    assert_eq!(s.server.total(), 1);
}

/// An asker whose own deadline comes soon has not shown that the servers fail: who waits asks.
#[test]
fn an_early_end_of_the_asker_is_no_failure() {
    let mut s = Setup::patient();
    s.options.set("dns_resolve_deadline", "300");
    let records = vec![Rr::a("early.test", 60, "192.0.2.9")];
    s.server.script(
        "early.test",
        A,
        vec![Reply::dropped(), Reply::answer(records)],
    );
    let asker = spawn(|| {
        let _scope = lookup::deadline::scope();
        assert!(find("early.test", IPV4_ONLY).is_err());
    });
    while s.server.total() == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let waiters = (1..WORKERS)
        .map(|_| spawn(|| assert!(has_address(&find("early.test", IPV4_ONLY).unwrap(), 9))));
    all_end_well(waiters.chain([asker]).collect());
    assert_eq!(s.server.total(), 2);
}

/// Processes that ask, wait and share are killed at any moment; the others go on, and so does sharing.
#[test]
fn killed_askers_and_waiters_hold_nobody_up() {
    const NAMES: u32 = 12;
    let mut s = Setup::patient();
    s.options.set("dns_stale_ttl", "0");
    s.options.set("dns_failure_ttl", "0");
    for i in 0..NAMES {
        let name = format!("n{i}.kill.test");
        // Half of them are never cached.
        let reply = Reply::answer(vec![Rr::a(&name, i % 2, "192.0.2.1")]).delay_ms(5);
        s.server.script(&name, A, vec![reply]);
    }
    let work = |seed: u32| {
        let mut state = seed;
        loop {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let name = format!("n{}.kill.test", (state >> 16) % NAMES);
            assert!(find(&name, IPV4_ONLY).is_ok(), "{name}");
        }
    };
    let mut children: Vec<_> = (0..WORKERS).map(|i| spawn(|| work(i))).collect();
    for round in 0..120 {
        std::thread::sleep(Duration::from_millis(7));
        let victim = children.remove(round % children.len());
        kill(victim);
        // Killed, not failed: the exit code would be 256.
        assert_eq!(wait(victim), libc::SIGKILL);
        children.push(spawn(|| work(1000 + round as u32)));
    }
    for child in children {
        kill(child);
        assert_eq!(wait(child), libc::SIGKILL);
    }
    for i in 0..NAMES {
        find(&format!("n{i}.kill.test"), IPV4_ONLY).unwrap();
    }
    get_used_to(&s, 1200);
    let records = vec![Rr::a("n0.kill.test", 0, "192.0.2.8")];
    s.server.script("n0.kill.test", A, slowly(records));
    all_at_once(|| assert!(has_address(&find("n0.kill.test", IPV4_ONLY).unwrap(), 8)));
    assert_eq!(s.server.total(), 1);
}

/// One after the other, the first and the second asker are stopped; the next one asks, and all have its answer. Going on
/// later harms nobody.
#[test]
fn stopped_askers_hold_nobody_up() {
    let s = Setup::patient();
    let records = vec![Rr::a("stopped.test", 60, "192.0.2.9")];
    s.server.script(
        "stopped.test",
        A,
        vec![
            Reply::dropped(),
            Reply::dropped(),
            Reply::answer(records.clone()),
        ],
    );
    let ask = || spawn(|| assert!(has_address(&find("stopped.test", IPV4_ONLY).unwrap(), 9)));
    let before = metrics::value(Metric::TakenOver);
    let first = ask();
    wait_for_queries(&s, 1);
    assert_eq!(lookup::under_way().waiting, 1);
    stop(first);
    assert_eq!(lookup::under_way(), lookup::UnderWay::default());
    let second = ask();
    wait_for_queries(&s, 2);
    stop(second);
    all_end_well((2..WORKERS).map(|_| ask()).collect());
    assert_eq!(s.server.total(), 3);
    assert_eq!(metrics::value(Metric::TakenOver) - before, 2);
    s.server
        .script("stopped.test", A, vec![Reply::answer(records)]);
    go_on(first);
    go_on(second);
    for child in [first, second] {
        kill(child);
        wait(child);
    }
    assert!(has_address(&find("stopped.test", IPV4_ONLY).unwrap(), 9));
}

/// However many want the answer of a server that keeps silent, and however long: two ask.
#[test]
fn two_ask_at_most() {
    let mut s = Setup::patient();
    s.options.set("dns_resolve_deadline", "2500");
    s.server.script("silent.test", A, vec![Reply::dropped()]);
    all_at_once(|| {
        let _scope = lookup::deadline::scope();
        let error = find("silent.test", IPV4_ONLY).unwrap_err();
        assert!(matches!(error, LookupError::Failed(_)), "{error:?}");
    });
    assert_eq!(s.server.count("silent.test", A), 2);
}

/// The second that asks has the answer while the first still waits for its own, and ends it for all.
#[test]
fn the_second_asker_answers_for_all() {
    let s = Setup::patient();
    let records = vec![Rr::a("second.test", 0, "192.0.2.9")];
    s.server.script(
        "second.test",
        A,
        vec![Reply::dropped(), Reply::answer(records)],
    );
    let first = spawn(|| {
        let _killed_meanwhile = find("second.test", IPV4_ONLY);
    });
    wait_for_queries(&s, 1);
    all_at_once(|| assert!(has_address(&find("second.test", IPV4_ONLY).unwrap(), 9)));
    assert!(s.server.total() >= 2);
    kill(first);
    assert_eq!(wait(first), libc::SIGKILL, "it was still waiting");
}

/// A call that waited for others until its deadline has seen the name fail: the next one has that at once.
#[test]
fn what_was_waited_for_in_vain_is_remembered() {
    let mut s = Setup::patient();
    s.options.set("dns_resolve_deadline", "1500");
    s.server.script("vain.test", A, vec![Reply::dropped()]);
    let ask_in_vain = || {
        let _scope = lookup::deadline::scope();
        let error = find("vain.test", IPV4_ONLY).unwrap_err();
        assert!(matches!(error, LookupError::Failed(_)), "{error:?}");
    };
    // These have more time than the call.
    let askers = [0, 1].map(|_| {
        spawn(|| {
            let _killed_meanwhile = find("vain.test", IPV4_ONLY);
        })
    });
    wait_for_queries(&s, 1);
    ask_in_vain();
    for asker in askers {
        kill(asker);
        // One that waited may have been told, too.
        wait(asker);
    }
    let asked = s.server.total();
    ask_in_vain();
    assert_eq!(s.server.total(), asked);
}

/// Without a refresher a question goes on in the thread whose call gave it up, and the next call finds the answer.
#[test]
fn without_a_refresher_a_question_outlives_its_caller() {
    let mut s = Setup::patient();
    s.options.set("dns_resolve_deadline", "150");
    let records = vec![Rr::a("late.test", 60, "192.0.2.9")];
    s.server.script(
        "late.test",
        A,
        vec![Reply::dropped(), Reply::answer(records)],
    );
    s.server.script("other.test", A, vec![Reply::dropped()]);
    let find_in_scope = |name| {
        let _scope = lookup::deadline::scope();
        find(name, IPV4_ONLY)
    };
    assert!(find_in_scope("late.test").is_err());
    wait_for_queries(&s, 2);
    // The answer is stored when this thread asks something; a child has its parent's questions no more.
    let child = spawn(|| assert!(find_in_scope("other.test").is_err()));
    all_end_well(vec![child]);
    assert!(has_address(&find_in_scope("late.test").unwrap(), 9));
    assert_eq!(s.server.count("late.test", A), 2);
}

/// Callers that give up one after the other, before a server had a fair time, are fewer and fewer queries.
#[test]
fn with_each_caller_in_vain_the_next_one_waits_longer() {
    const CALLERS: usize = 8;
    let mut s = Setup::patient();
    s.options.set("dns_resolve_deadline", "400");
    s.server.script("vain.test", A, vec![Reply::dropped()]);
    for _ in 0..CALLERS {
        let _scope = lookup::deadline::scope();
        let error = find("vain.test", IPV4_ONLY).unwrap_err();
        assert!(matches!(error, LookupError::Failed(_)), "{error:?}");
    }
    let asked = s.server.count("vain.test", A);
    assert!((2..CALLERS).contains(&asked), "{asked}");
}

/// What failed the last time has one prober; who else wants it has a failure, and asks nothing.
#[test]
fn a_name_that_failed_has_one_prober() {
    let mut s = Setup::patient();
    s.options.set("dns_failure_ttl", "1");
    s.server
        .script("probed.test", A, vec![Reply::servfail(), Reply::dropped()]);
    assert!(find("probed.test", IPV4_ONLY).is_err());
    // Until that may be asked again.
    let prober = spawn(|| {
        while s.server.total() < 2 {
            let _killed_meanwhile = find("probed.test", IPV4_ONLY);
        }
    });
    wait_for_queries(&s, 2);
    all_at_once(|| {
        let error = find("probed.test", IPV4_ONLY).unwrap_err();
        assert!(matches!(error, LookupError::Failed(_)), "{error:?}");
    });
    assert_eq!(s.server.count("probed.test", A), 2);
    kill(prober);
    assert_eq!(wait(prober), libc::SIGKILL, "it was still waiting");
}

/// An asker dies between any two steps: the others have their answer, and so has who comes later.
#[cfg(feature = "fault_injection")]
#[test]
fn an_asker_killed_at_any_point_holds_nobody_up() {
    use kamailio_dns::shm::kill_point::{self, KillPoint};

    let mut s = Setup::patient();
    s.options.set("dns_resolve_deadline", "300");
    for point in KillPoint::of_claims() {
        let name = format!("{point:?}.test");
        let answer = Reply::answer(vec![Rr::a(&name, 0, "192.0.2.9")]).delay_ms(150);
        let script = match point {
            // It gives up.
            KillPoint::StoodUp => vec![Reply::dropped(), answer],
            _ => vec![answer],
        };
        s.server.script(&name, A, script);
        let numbers = SharedNumbers::new();
        let victim = spawn(|| {
            kill_point::arm(point.number(), 0);
            numbers.add(0, 1);
            let _scope = lookup::deadline::scope();
            let _killed_meanwhile = find(&name, IPV4_ONLY);
        });
        numbers.wait_for(0, 1);
        // Before it asks, nothing is seen of it but its end; on a loaded machine the others would be first.
        let ended =
            matches!(point, KillPoint::QuestionOpened | KillPoint::Seated).then(|| wait(victim));
        if ended.is_none() {
            wait_for_queries(&s, 1);
        }
        let others = (1..WORKERS)
            .map(|_| spawn(|| assert!(has_address(&find(&name, IPV4_ONLY).unwrap(), 9))));
        all_end_well(others.collect());
        let status = ended.unwrap_or_else(|| wait(victim));
        assert_eq!(status, libc::SIGKILL, "{point:?}");
        assert!(has_address(&find(&name, IPV4_ONLY).unwrap(), 9));
        s.server.clear_queries();
    }
}
