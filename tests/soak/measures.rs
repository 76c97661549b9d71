//! What copies, inserts and long walks take, each by itself.

use std::fmt::Write as _;
use std::time::Duration;

use kamailio_dns::cache::{Cache, FirstAddress, Seen, Setting};
use kamailio_dns::host::clock;
use kamailio_dns::rr::RecordType;

use super::support::children::{SharedNumbers, all_end_well, spawn};
use super::support::set::{self, Set};
use super::{HOT, host};

const FLOODS: u32 = 8;
const MADE_UP: u32 = 1_000_000;

/// Copies the address of each hot name out once; gives the processor time, ns, and how many were there.
pub(super) fn copy_hot_names(cache: &Cache, now: u32) -> (u64, u32) {
    let names: Vec<_> = (0..HOT).map(host).collect();
    let mut there = 0;
    let start = clock::thread_cpu_ns();
    for name in &names {
        let found = cache.first_address(&cache.hashed(name.as_bytes()), RecordType::A, now);
        there += u32::from(matches!(found, Seen::Found(FirstAddress { .. })));
    }
    (clock::thread_cpu_ns() - start, there)
}

/// A cache of 500 KiB with the hot names.
fn with_hot_names(now: u32) -> &'static Cache {
    let cache = Cache::for_tests(500 << 10, true).unwrap();
    put_hot_names(cache, now);
    cache
}

fn put_hot_names(cache: &Cache, now: u32) {
    for i in 0..HOT {
        put(cache, &host(i), 3600, now);
    }
}

/// Processor time of a copy of a hot name when nothing else goes on, ns. With a pause between two passes, as the
/// soak makes one, the processor's caches are another's meanwhile.
pub(super) fn copy_alone(pause: Option<Duration>) -> f64 {
    let now = clock::now_ticks();
    let cache = with_hot_names(now);
    let passes = 1000;
    let mut total = 0;
    for _ in 0..passes {
        total += copy_hot_names(cache, now).0;
        if let Some(pause) = pause {
            std::thread::sleep(pause);
        }
    }
    total as f64 / f64::from(passes * HOT)
}

fn put(cache: &Cache, name: &str, ttl: u32, now: u32) {
    let set = Set::of(name, RecordType::A).record(ttl, set::a(1));
    drop(set.put(cache, now));
}

/// Eight processes put a million made-up names into a cache of 500 KiB, each as fast as it can: processor time
/// of a copy of a hot name meanwhile, ns, how many copies were made, and how many of them found nothing.
fn copies_in_flood() -> (f64, u32, u32) {
    let now = clock::now_ticks();
    let cache = with_hot_names(now);
    // In use before the flood begins.
    assert_eq!(copy_hot_names(cache, now).1, HOT);
    let ended = SharedNumbers::new();
    let floods = (0..FLOODS)
        .map(|process| {
            spawn(|| {
                for i in 0..MADE_UP / FLOODS {
                    put(cache, &format!("made-up{process}-{i}.test"), 3600, now);
                }
                ended.add(0, 1);
            })
        })
        .collect();
    let (mut ns, mut copies, mut missed) = (0, 0, 0);
    while ended.get(0) < FLOODS {
        let (took, there) = copy_hot_names(cache, now);
        ns += took;
        copies += HOT;
        missed += HOT - there;
        if there < HOT {
            // As lookups do for what they do not find.
            put_hot_names(cache, now);
        }
    }
    all_end_well(floods);
    (ns as f64 / f64::from(copies.max(1)), copies, missed)
}

/// Processor time of an insert into an empty and into a full cache of 10 MB, ns.
fn inserts_empty_and_full() -> (f64, f64) {
    let cache = Cache::for_tests(10 << 20, true).unwrap();
    let now = clock::now_ticks();
    let names: Vec<_> = (0..200_000).map(|i| format!("name{i:012}.test")).collect();
    let time = |names: &[String]| {
        let start = clock::thread_cpu_ns();
        for name in names {
            put(cache, name, 3600, now);
        }
        (clock::thread_cpu_ns() - start) as f64 / names.len() as f64
    };
    let empty = time(&names[..50_000]);
    time(&names[50_000..150_000]);
    (empty, time(&names[150_000..]))
}

/// Longest hold of the writer lock in each of the long walks, with 100,000 entries, ns of processor time.
fn holds_of_walks() -> Vec<(&'static str, u64)> {
    let cache = Cache::for_tests(16 << 20, true).unwrap();
    let now = clock::now_ticks();
    let fill = || {
        for i in 0..100_000 {
            put(cache, &format!("host{i:06}.example.o"), 60, now);
        }
        cache.take_longest_hold();
    };
    let mut holds = Vec::new();
    let mut note = |what, walk: &dyn Fn()| {
        fill();
        walk();
        holds.push((what, cache.take_longest_hold()));
    };
    note("collection, nothing expired", &|| {
        cache.collect_garbage(now)
    });
    note("collection, all expired", &|| {
        cache.collect_garbage(clock::after_seconds(now, 61));
    });
    note("flush", &|| {
        cache.flush(true);
    });
    note("limit lowered from 16 to 2 MiB", &|| {
        cache.set_for_tests(Setting::Limit(2 << 20));
        cache.collect_garbage(now);
    });
    cache.set_for_tests(Setting::Limit(16 << 20));
    note("limit raised back", &|| cache.collect_garbage(now));
    holds
}

/// What the flood and the walks take, as text.
pub(super) fn walks() -> String {
    let (during, copies, missed) = copies_in_flood();
    let (empty, full) = inserts_empty_and_full();
    let mut text = format!(
        "\n## A flood alone\n\n\
         Eight processes put a million made-up names into a cache of 500 KiB. A ninth copies the hot names out\n\
         meanwhile: {:.2} times the processor time of a copy without the flood; {missed} of {copies} copies found\n\
         nothing.\n",
        during / copy_alone(None)
    );
    text += "\n## Steps under the lock\n\n\
         Longest hold of the writer lock with 100,000 entries, processor time. Readers take no lock and do\n\
         not wait for any of this.\n\n| | µs |\n|---|---|\n";
    for (what, ns) in holds_of_walks() {
        let _ = writeln!(text, "| {what} | {} |", ns / 1000);
    }
    let _ = writeln!(
        text,
        "\nAn insert into a full cache of 10 MiB, eviction included, takes {:.2} times as long as one into\n\
         an empty one ({:.1} µs more).",
        full / empty,
        (full - empty) / 1000.0
    );
    text
}
