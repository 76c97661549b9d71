//! A flood of made-up names from eight processes: bounded memory, permanent records and names in use
//! stay, negative entries keep to their share.

#![cfg(feature = "use_dns_cache")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod support;

use std::time::Duration;

use kamailio_dns::cache::{Cache, EntryRef, FirstAddress, NegativeKind, Seen, Setting};
use kamailio_dns::host::{clock, options};
use kamailio_dns::lookup;
use kamailio_dns::rr::RecordType;
use support::children::{SharedNumbers, spawn, wait};
use support::set::{self, Set};
use support::{Rr, Server, Watchdog, use_server};

const PROCESSES: u32 = 8;
/// Names that each process makes up.
const NAMES: u32 = 125_000;
const HOT: u32 = 200;
const PERMANENT: u32 = 50;

fn put(cache: &Cache, name: &str, permanent: bool) -> bool {
    let set = Set::of(name, RecordType::A).record(3600, set::a(1));
    set.permanent(permanent)
        .put(cache, clock::now_ticks())
        .is_ok()
}

fn deny(cache: &Cache, name: &str) -> bool {
    let set = Set::absence(name, RecordType::A, NegativeKind::NxDomain, 60);
    set.put(cache, clock::now_ticks()).is_ok()
}

/// Looks twice: the first look says nothing when another search list came into force just then, and the tests of this
/// program set lists of their own.
fn is_there(cache: &Cache, name: &str) -> bool {
    let look = || {
        let qname = cache.hashed(name.as_bytes());
        cache.first_address(&qname, RecordType::A, clock::now_ticks())
    };
    (0..2).any(|_| matches!(look(), Seen::Found(FirstAddress { .. })))
}

/// Children that flood, and one that uses the hot names; gives how many hot names were missed in all and
/// the most memory seen in use.
fn flood(cache: &'static Cache, limit: usize, wildcard: bool) -> (u32, usize) {
    let numbers = SharedNumbers::new();
    let floods: Vec<_> = (0..PROCESSES)
        .map(|process| {
            spawn(|| {
                for i in 0..NAMES {
                    // With a wildcard every second name exists.
                    if i % 2 == 0 || !wildcard {
                        deny(cache, &format!("no{process}-{i}.flood.example"));
                    } else {
                        put(cache, &format!("yes{process}-{i}.flood.example"), false);
                    }
                }
                numbers.add(0, 1);
            })
        })
        .collect();
    let user = spawn(|| {
        while numbers.get(0) < PROCESSES {
            for i in 0..HOT {
                if !is_there(cache, &format!("hot{i}.example")) {
                    numbers.add(1, 1);
                    // As a lookup does.
                    put(cache, &format!("hot{i}.example"), false);
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let mut most = 0;
    while numbers.get(0) < PROCESSES {
        let used = cache.usage().used;
        most = most.max(used);
        assert!(used <= limit, "{used} octets in use, {limit} allowed");
        std::thread::sleep(Duration::from_micros(500));
    }
    for pid in floods.into_iter().chain([user]) {
        assert_eq!(wait(pid), 0);
    }
    (numbers.get(1), most)
}

fn fixed_and_hot(cache: &Cache) {
    for i in 0..PERMANENT {
        assert!(put(cache, &format!("fixed{i}.example"), true));
    }
    for i in 0..HOT {
        assert!(put(cache, &format!("hot{i}.example"), false));
        // In use before the flood begins, whenever the process that uses them is scheduled first.
        assert!(is_there(cache, &format!("hot{i}.example")));
    }
}

#[test]
fn a_million_made_up_names_change_nothing_for_those_in_use() {
    let _watchdog = Watchdog::start(300);
    let limit = 500 << 10;
    let cache = Cache::for_tests(limit, true).unwrap();
    cache.set_for_tests(Setting::NegativeShare(25));
    fixed_and_hot(cache);
    let (missed, most) = flood(cache, limit, true);
    println!("hot names missed {missed} times, {most} octets in use at most");
    assert!(most > limit * 8 / 10, "the flood did not fill the cache");
    // They are looked up some hundred thousand times.
    assert!(missed <= HOT / 10, "{missed} misses of names in use");
    assert!((0..PERMANENT).all(|i| is_there(cache, &format!("fixed{i}.example"))));
    let negative: Vec<EntryRef> = cache.entries().filter(|e| e.negative().is_some()).collect();
    let octets: usize = negative.iter().map(EntryRef::size_bytes).sum();
    assert!(octets <= limit / 4, "{octets} octets of negative entries");
    assert!(octets > limit / 8, "{octets} octets of negative entries");
}

#[test]
fn without_del_nonexp_records_stay_and_made_up_names_make_room() {
    let _watchdog = Watchdog::start(300);
    let limit = 300 << 10;
    let cache = Cache::for_tests(limit, false).unwrap();
    cache.set_for_tests(Setting::NegativeShare(50));
    fixed_and_hot(cache);
    let (missed, _) = flood(cache, limit, false);
    assert_eq!(missed, 0);
    assert!((0..PERMANENT).all(|i| is_there(cache, &format!("fixed{i}.example"))));
    assert!(deny(cache, "another.example") && put(cache, "new.example", false));
}

/// The same through whole lookups: each name is asked of a server.
#[test]
fn lookups_of_made_up_names_stay_within_bounds() {
    let _watchdog = Watchdog::start(300);
    let server = Server::start();
    let mut options = use_server(&server);
    options.set("dns_cache_mem", "120");
    options.set("dns_cache_del_nonexp", "yes");
    options.set("dns_cache_negative_share", "40");
    lookup::prepare();
    let cache = Cache::init().unwrap();
    cache.flush(true);
    cache.collect_garbage(clock::now_ticks());
    let limit = options::get("dns_cache_mem")
        .unwrap()
        .parse::<usize>()
        .unwrap()
        << 10;
    for i in 0..20 {
        server.add(Rr::a(&format!("hot{i}.test"), 3600, "192.0.2.1"));
    }
    let use_hot = || {
        (0..20)
            .filter(|i| lookup::first_address(format!("hot{i}.test").as_bytes(), 1).is_ok())
            .count()
    };
    assert_eq!(use_hot(), 20);
    assert_eq!(use_hot(), 20);
    let children: Vec<_> = (0..4)
        .map(|child| {
            spawn(move || {
                for i in 0..1500 {
                    let name = format!("no{child}-{i}.flood.test");
                    assert!(lookup::first_address(name.as_bytes(), 1).is_err());
                    let used = Cache::instance().unwrap().usage().used;
                    assert!(used <= limit, "{used}");
                    lookup::first_address(format!("hot{}.test", i % 20).as_bytes(), 1).unwrap();
                }
            })
        })
        .collect();
    for pid in children {
        assert_eq!(wait(pid), 0);
    }
    assert!(server.total() >= 6000, "{}", server.total());
    server.clear_queries();
    assert_eq!(use_hot(), 20);
    assert_eq!(server.total(), 0, "names in use were driven out");
    let negative = cache.entries().filter(|e| e.negative().is_some());
    let octets: usize = negative.map(|entry| entry.size_bytes()).sum();
    assert!(octets <= limit * 4 / 10, "{octets}");
}
