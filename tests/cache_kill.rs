//! Writers killed at every point of their sections, and at random moments, while readers go on: the
//! next writer repairs the cache, and all books agree with what is there.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod support;

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use kamailio_dns::cache::{Cache, HostCopy, NegativeKind, RecordView, Seen, Setting};
use kamailio_dns::rr::{RData, RecordType};
use kamailio_dns::shm::kill_point::{self, KillPoint};
use support::children::{SharedNumbers, kill, spawn, wait};
use support::neighbours::{address, is_whole};
use support::set::Set;

const START: u32 = 1_000_000;
/// Names in play: many more than fit a full cache, so that its table is as full as it gets.
const NAMES: u32 = 3000;
const PERMANENT: u32 = 8;
/// Children are made of a process with one thread at work: no other holds a lock of the C library.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A small generator: each child has its own sequence.
struct Draw(u64);

impl Draw {
    fn next(&mut self, below: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 % below
    }
}

fn name(i: u32) -> String {
    // Some lengths differ much, so that several block sizes are in play.
    let padding = if i.is_multiple_of(16) { i % 60 } else { 0 };
    format!("n{i}.{}example.org", "x".repeat(padding as usize))
}

fn put(cache: &Cache, i: u32, value: u32, permanent: bool, now: u32) {
    let count = if i.is_multiple_of(16) {
        1 + value % 9
    } else {
        1
    };
    let mut set = Set::of(name(i), RecordType::A).permanent(permanent);
    for index in 0..count {
        set = set.record(1 + value % 20, RData::A(address(value, index)));
    }
    if value.is_multiple_of(7) {
        let _full_is_fine = set.draft(|draft| cache.make_private(draft, now));
    }
    let _full_is_fine = set.put(cache, now);
}

fn deny(cache: &Cache, i: u32, now: u32) {
    let set = Set::absence(name(i), RecordType::A, NegativeKind::NxDomain, 10);
    let _full_is_fine = set.put(cache, now);
}

/// Everything that a writer may do, in a random order.
fn work(cache: &Cache, limits: [usize; 2], seed: u64, steps: u32) {
    let mut draw = Draw(seed);
    let mut now = START + draw.next(100);
    for _ in 0..steps {
        now += u32::from(draw.next(16) == 0);
        let i = PERMANENT + draw.next(NAMES - PERMANENT);
        match draw.next(64) {
            0..4 => {
                let entry = cache.acquire_any_age(name(i).as_bytes(), RecordType::A);
                if let Some(entry) = entry {
                    cache.remove(&entry);
                }
            }
            6 => cache.set_for_tests(Setting::Limit(limits[draw.next(2) as usize])),
            7 if draw.next(4) == 0 => cache.collect_garbage(now),
            8 if draw.next(32) == 0 => {
                cache.flush(false);
            }
            9..30 => deny(cache, i, now),
            30 => {
                // Put in the place of another.
                let Some(old) = cache.acquire_any_age(name(i).as_bytes(), RecordType::A) else {
                    continue;
                };
                let set = Set::of(name(i), RecordType::A).record(20, RData::A(address(now, 0)));
                let _changed_meanwhile =
                    set.draft(|draft| cache.replace_if_current(&old, draft, old.place(), now));
            }
            _ => put(cache, i, draw.next(u32::MAX), false, now),
        }
    }
}

/// Reads until told to stop; what is read must be whole, and permanent names must be there.
fn read(cache: &Cache, stop: SharedNumbers, seed: u64) {
    let mut draw = Draw(seed);
    let mut set = HostCopy::EMPTY;
    while stop.get(0) == 0 {
        for _ in 0..200 {
            let i = draw.next(NAMES);
            let wanted = name(i);
            let now = START;
            let probe = cache.copy_host(
                &cache.hashed(wanted.as_bytes()),
                RecordType::A,
                now,
                &mut set,
            );
            if probe == Seen::Found(()) {
                let addresses = set.list().into_iter().filter_map(|address| match address {
                    IpAddr::V4(address) => Some(address),
                    IpAddr::V6(_) => None,
                });
                assert!(is_whole(addresses), "torn: {set:?}");
            }
            if i < PERMANENT {
                assert_eq!(set.list().first(), Some(&address(i, 0).into()));
            }
            if let Some(entry) = cache.acquire_any_age(wanted.as_bytes(), RecordType::A) {
                let addresses = entry.records().filter_map(|record| match record {
                    RecordView::A(address) => Some(address),
                    _ => None,
                });
                assert!(is_whole(addresses));
                assert!(entry.name().eq_ignore_ascii_case(wanted.as_bytes()));
            }
        }
    }
}

struct Bench {
    cache: &'static Cache,
    limits: [usize; 2],
    stop: SharedNumbers,
    readers: Vec<libc::pid_t>,
    kills: usize,
}

impl Bench {
    fn new(limits: [usize; 2]) -> Self {
        let cache = Cache::for_tests(limits[0], true).unwrap();
        cache.set_for_tests(Setting::NegativeShare(60));
        for i in 0..PERMANENT {
            let records = [
                RData::A(address(i, 0)),
                RData::A(address(i, 0)),
                RData::A(address(i, 0)),
            ];
            let set = Set::of(name(i), RecordType::A).records(1, &records);
            drop(set.permanent(true).put(cache, START).unwrap());
        }
        let stop = SharedNumbers::new();
        let readers = (0..2)
            .map(|seed| spawn(|| read(cache, stop, seed)))
            .collect();
        Self {
            cache,
            limits,
            stop,
            readers,
            kills: 0,
        }
    }

    /// The next writer repairs; all books agree.
    #[track_caller]
    fn check(&mut self, what: &dyn std::fmt::Debug) {
        let found = self.cache.audit(false);
        assert!(found.is_ok(), "after {what:?}: {found:?}");
    }

    /// Readers end well; what they and the dead held is forgotten; the cache can be emptied.
    fn finish(self) {
        self.stop.add(0, 1);
        for pid in &self.readers {
            assert_eq!(wait(*pid), 0, "a reader failed");
        }
        let cache = self.cache;
        let audit = cache.audit(true).unwrap();
        println!(
            "{} kills, {} repairs, {audit:?}",
            self.kills,
            cache.repairs()
        );
        // A killed process may have held an entry or two.
        assert!(audit.holders <= 2 * self.kills, "{audit:?}");
        cache.forget_holders();
        assert_eq!(cache.audit(true).unwrap().holders, 0);
        cache.set_for_tests(Setting::Limit(self.limits[0]));
        cache.collect_garbage(START);
        for i in 0..PERMANENT {
            let entry = cache.acquire_any_age(name(i).as_bytes(), RecordType::A);
            assert!(entry.is_some_and(|entry| entry.is_permanent()));
        }
        assert!(cache.usage().used <= cache.usage().limit);
        cache.flush(true);
        cache.collect_garbage(START);
        let audit = cache.audit(true).unwrap();
        assert_eq!((audit.entries, audit.holders, audit.unlinked), (0, 0, 0));
        let empty = Cache::for_tests(self.limits[0], true).unwrap().usage().used;
        // Records of pages remain, a hundredth of what the pages were at most.
        assert!(cache.usage().used <= empty + 32_000, "{:?}", cache.usage());
    }
}

/// Points that only a repair passes: the writer before must have died, too.
fn is_in_repair(point: KillPoint) -> bool {
    matches!(point, KillPoint::RepairedTable | KillPoint::RepairedPages)
}

fn die_at(bench: &mut Bench, point: KillPoint, times: u32, seed: u64) -> bool {
    let (cache, limits) = (bench.cache, bench.limits);
    let pid = spawn(|| {
        kill_point::arm(point.number(), times);
        work(cache, limits, seed, 1500);
    });
    let status = wait(pid);
    let died = libc::WIFSIGNALED(status);
    assert!(
        died || status == 0,
        "{point:?}: the writer failed: {status}"
    );
    bench.kills += usize::from(died);
    died
}

fn die_everywhere(limits: [usize; 2], rounds: u32, full: bool) {
    let _guard = ONE_AT_A_TIME.lock();
    let mut bench = Bench::new(limits);
    let mut deaths = KillPoint::all().map(|_| 0_u32);
    for round in 0..rounds {
        for (index, point) in KillPoint::all().into_iter().enumerate() {
            let seed = u64::from(round) << 16 | index as u64;
            // Early and late passages through the point.
            let times = [0, 1, 5, 40][round as usize % 4];
            if is_in_repair(point) {
                die_at(&mut bench, KillPoint::UnlinkedSlot, 0, seed);
                deaths[index] += u32::from(die_at(&mut bench, point, 0, seed + 1));
            } else {
                deaths[index] += u32::from(die_at(&mut bench, point, times, seed));
            }
            bench.check(&point);
        }
    }
    for (point, deaths) in KillPoint::all().iter().zip(deaths) {
        // Buckets overflow only where the table is full.
        let needs_full = matches!(
            point,
            KillPoint::OverflowCounted | KillPoint::OverflowDiscounted
        );
        assert!(
            deaths > 0 || needs_full && !full,
            "nobody ever came to {point:?}"
        );
    }
    bench.finish();
}

#[test]
fn a_writer_killed_at_any_point_is_repaired() {
    die_everywhere([4 << 20, 3 << 20], 8, false);
}

#[test]
fn a_writer_killed_at_any_point_of_a_full_cache_is_repaired() {
    die_everywhere([150_000, 110_000], 12, true);
}

/// No block that was to be set aside is lost, and none is set aside that the reserve does not name.
#[test]
fn a_writer_killed_in_a_change_of_the_reserve_is_repaired() {
    let _guard = ONE_AT_A_TIME.lock();
    let [large, small] = [1 << 20, 300 << 10];
    let cache = Cache::for_tests(large, true).unwrap();
    let fit = |limit| {
        cache.set_for_tests(Setting::Limit(limit));
        cache.collect_garbage(START);
    };
    cache.stock_reserve_for_tests();
    let all = cache.audit(true).unwrap().set_aside;
    assert!(all > 0);
    fit(small);
    assert_eq!(cache.audit(true).unwrap().set_aside, 0);
    fit(large);
    for point in KillPoint::of_reserve() {
        for times in 0..all {
            let pid = spawn(|| {
                kill_point::arm(point.number(), times as u32);
                fit(small);
                fit(large);
            });
            assert!(libc::WIFSIGNALED(wait(pid)), "{point:?}, {times}");
            fit(large);
            let audit = cache.audit(true).unwrap();
            let found = (audit.holders, audit.unlinked, audit.set_aside);
            assert_eq!(found, (0, 0, all), "{point:?}, {times}");
        }
    }
    assert_eq!(cache.repairs(), 2 * all as u32);
}

#[test]
fn a_thousand_deaths_at_random_moments() {
    let _guard = ONE_AT_A_TIME.lock();
    let mut bench = Bench::new([150_000, 110_000]);
    let mut draw = Draw(99);
    let start = Instant::now();
    for round in 0..1000_u64 {
        let (cache, limits) = (bench.cache, bench.limits);
        let writers: Vec<_> = (0..2)
            .map(|w| spawn(|| work(cache, limits, round * 2 + w, u32::MAX)))
            .collect();
        std::thread::sleep(Duration::from_micros(300 + u64::from(draw.next(2500))));
        for &pid in &writers {
            kill(pid);
        }
        for pid in writers {
            assert!(libc::WIFSIGNALED(wait(pid)), "round {round}");
            bench.kills += 1;
        }
        bench.check(&round);
    }
    println!("1000 rounds in {:?}", start.elapsed());
    bench.finish();
}
