//! Many processes on one cache, some of them killed in the middle of a change.

#![cfg(feature = "use_dns_cache")]

mod support;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use kamailio_dns::cache::{Cache, HostCopy, RecordView, Seen};
use kamailio_dns::rr::{RData, RecordType};
use support::neighbours::{address, is_whole};
use support::set::Set;

const NOW: u32 = 1_000_000;
const NAMES: u32 = 300;

/// Runs `body` in a child process; the child ends without running the parent's destructors.
#[allow(unsafe_code, reason = "fork")]
fn spawn(body: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child only works on the shared cache and ends with _exit; the test binary runs its
    // tests with other threads, none of which holds a lock that the child takes.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let fine = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).is_ok();
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(i32::from(!fine)) };
    }
    pid
}

/// Waits for a child; kills it when it hangs. Gives the wait status.
#[allow(unsafe_code, reason = "waitpid, kill")]
fn wait(pid: libc::pid_t, patience: Duration) -> i32 {
    let start = Instant::now();
    let mut status = 0;
    loop {
        // SAFETY: `status` is valid for writing, the child is ours.
        let rc = unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) };
        if rc == pid {
            return status;
        }
        if start.elapsed() > patience {
            // SAFETY: a child of ours that was not waited for yet.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            panic!("child {pid} hangs");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[allow(unsafe_code, reason = "kill")]
fn kill(pid: libc::pid_t) {
    // SAFETY: a child of ours that was not waited for yet.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// One test at a time: a child that is forked while another thread makes a cache would wait for that thread's lock.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ONE_TEST: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ONE_TEST
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn name(i: u32) -> String {
    // Lengths differ, so that several block sizes are in play.
    format!("n{i}.{}example.org", "x".repeat((i % 40) as usize))
}

fn put(cache: &Cache, i: u32, value: u32) {
    let count = 1 + value % 9;
    let mut set = Set::of(name(i), RecordType::A);
    for index in 0..count {
        set = set.record(600, RData::A(address(value, index)));
    }
    let _full_is_fine = set.put(cache, NOW);
}

fn random(state: &mut u64) -> u32 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as u32
}

fn write_for_ever(cache: &Cache, seed: u64) {
    let mut state = seed;
    loop {
        let i = random(&mut state) % NAMES;
        match random(&mut state) % 8 {
            0 => {
                if let Some(entry) = cache.acquire_any_age(name(i).as_bytes(), RecordType::A) {
                    cache.remove(&entry);
                }
            }
            1 if random(&mut state).is_multiple_of(200) => {
                cache.flush(false);
            }
            2 if random(&mut state).is_multiple_of(50) => cache.collect_garbage(NOW),
            _ => put(cache, i, random(&mut state)),
        }
    }
}

fn read_for(cache: &Cache, seed: u64, time: Duration) {
    let mut state = seed;
    let start = Instant::now();
    let mut set = HostCopy::EMPTY;
    let mut hits = 0_u64;
    // On a busy machine the writers come later than that.
    let patience = Duration::from_secs(10);
    while start.elapsed() < time || (hits == 0 && start.elapsed() < patience) {
        for _ in 0..1000 {
            let name = name(random(&mut state) % NAMES);
            if cache.copy_host(&cache.hashed(name.as_bytes()), RecordType::A, NOW, &mut set)
                == Seen::Found(())
            {
                assert!(!set.list().is_empty());
                let addresses = set.list().into_iter().filter_map(|address| match address {
                    IpAddr::V4(address) => Some(address),
                    IpAddr::V6(_) => None,
                });
                assert!(is_whole(addresses), "torn: {set:?}");
                hits += 1;
            }
            if let Some(entry) = cache.acquire(name.as_bytes(), RecordType::A, NOW) {
                let addresses = entry.records().filter_map(|record| match record {
                    RecordView::A(address) => Some(address),
                    _ => None,
                });
                assert!(is_whole(addresses));
                assert!(entry.name().eq_ignore_ascii_case(name.as_bytes()));
            }
        }
    }
    assert!(hits > 0);
}

/// No holder is left: all counts are at one, and the cache can be emptied to the last page.
fn check_nothing_left(cache: &Cache) {
    // Whoever comes next repairs what a killed writer left.
    put(cache, 0, 1);
    for entry in cache.entries() {
        assert_eq!(
            entry.reference_count(),
            2,
            "{:?}",
            String::from_utf8_lossy(entry.name())
        );
    }
    assert_eq!(cache.entries().count(), cache.usage().entries);
    assert!(cache.usage().used <= cache.usage().limit);
}

#[test]
fn writers_killed_at_random_leave_a_sound_cache() {
    let _alone = alone();
    let cache = Cache::for_tests(300_000, true).unwrap();
    for round in 0..60_u64 {
        let readers: Vec<_> = (0..2)
            .map(|r| spawn(|| read_for(cache, round * 7 + r, Duration::from_millis(30))))
            .collect();
        let writers: Vec<_> = (0..3)
            .map(|w| spawn(|| write_for_ever(cache, round * 31 + w)))
            .collect();
        std::thread::sleep(Duration::from_millis(10 + round % 7));
        writers.iter().for_each(|&pid| kill(pid));
        for pid in writers {
            assert!(libc::WIFSIGNALED(wait(pid, Duration::from_secs(20))));
        }
        for pid in readers {
            assert_eq!(
                wait(pid, Duration::from_secs(20)),
                0,
                "a reader failed in round {round}"
            );
        }
        put(cache, 0, 1);
        assert!(cache.usage().used <= cache.usage().limit);
    }
    // A writer killed between acquire and release loses its reference for good; entries that only such
    // a one holds are the only thing that may remain.
    cache.flush(true);
    cache.collect_garbage(NOW);
    assert_eq!(cache.usage().entries, 0);
    println!("writers' deaths repaired: {}", cache.repairs());
}

#[test]
fn processes_share_one_cache_and_leave_no_reference() {
    let _alone = alone();
    let cache = Cache::for_tests(300_000, true).unwrap();
    let children: Vec<_> = (0..6_u64)
        .map(|child| {
            spawn(move || {
                let mut state = child;
                for _ in 0..20_000 {
                    let i = random(&mut state) % NAMES;
                    match random(&mut state) % 5 {
                        0 => put(cache, i, random(&mut state)),
                        1 => {
                            if let Some(entry) =
                                cache.acquire_any_age(name(i).as_bytes(), RecordType::A)
                            {
                                let copy = entry.clone();
                                drop(entry);
                                cache.remove(&copy);
                            }
                        }
                        _ => drop(cache.acquire(name(i).as_bytes(), RecordType::A, NOW)),
                    }
                }
            })
        })
        .collect();
    for pid in children {
        assert_eq!(wait(pid, Duration::from_secs(60)), 0);
    }
    check_nothing_left(cache);
    put(cache, 5, 77);
    let child = spawn(|| {
        let entry = cache.acquire(name(5).as_bytes(), RecordType::A, NOW);
        assert!(entry.is_some());
    });
    assert_eq!(wait(child, Duration::from_secs(20)), 0);
    cache.flush(true);
    cache.collect_garbage(NOW);
    assert_eq!(cache.usage().entries, 0);
}
