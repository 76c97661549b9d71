//! Everything at once: lookups, misses, expiry, edits, flushes, changes of options, a flood, and
//! processes that are killed and stopped. [`plan::Plan`] says how many, and for how long; with `SOAK_RECORD` a report
//! is written to that file. `make soak SECONDS=600`, `make soak PROCESSES=50 KILLS=5000`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod crowd;
mod measures;
mod plan;
mod report;
#[path = "../support/mod.rs"]
mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use crowd::{Crowd, Deeds};
use kamailio_dns::cache::{Cache, FirstAddress, NegativeKind, Seen};
use kamailio_dns::error::LookupError;
use kamailio_dns::host::{clock, metrics, options};
use kamailio_dns::lookup;
use kamailio_dns::lookup::{RecordEdit, add_record, delete, delete_single_record};
use kamailio_dns::rr::{RData, RecordType};
use kamailio_dns::select::{Cursor, handle};
use plan::{End, Plan};
use support::children::SharedNumbers;
use support::set::Set;
use support::{OptionsGuard, Rr, Server, use_server};

/// Names that the server knows; some of them are asked for again and again.
const NAMES: u32 = 3000;
const HOT: u32 = 100;
const DOMAINS: u32 = 40;
const FIXED: u32 = 10;
/// Memory limits that are set in turn, KiB.
const LIMITS: [&str; 5] = ["500", "300", "2000", "150", "1000"];
/// Between two passes over the hot names.
const COPY_PAUSE: Duration = Duration::from_millis(1);
const LARGEST_LIMIT: usize = 2000 << 10;

/// What a child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Asks for names, most of them cached.
    Lookups,
    /// Walks through all targets of SIP domains.
    Targets,
    /// Copies addresses of the hot names out, and takes the time.
    Copies,
    /// Puts made-up names into the cache.
    Flood,
    /// Edits records as the RPC commands do, and flushes.
    Edits,
    /// Changes options.
    Options,
    /// Collects garbage, as the timer does.
    Timer,
}

const ROLES: [Role; 10] = [
    Role::Lookups,
    Role::Lookups,
    Role::Lookups,
    Role::Targets,
    Role::Targets,
    Role::Copies,
    Role::Flood,
    Role::Edits,
    Role::Options,
    Role::Timer,
];

impl Role {
    /// What the process at a place does.
    fn at(place: usize) -> Self {
        ROLES[place % ROLES.len()]
    }
}

const MOST_PROCESSES: usize = 100;

/// Places in the shared numbers. Each process has one for its steps and one for the word that it is to end.
const STOP: usize = 0;
const SLOWEST_NS: usize = 1;
const COPIES: usize = 2;
const FAILED_LOOKUPS: usize = 3;
const COPIES_10_NS: usize = 4;
const NO_BLOCKS: usize = 5;
const STEPS: usize = 16;
const ENDS: usize = STEPS + MOST_PROCESSES;

struct Draw(u64);

impl Draw {
    fn next(&mut self, below: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 % below
    }

    /// Small numbers most often.
    fn skewed(&mut self, below: u32) -> u32 {
        let (a, b) = (self.next(below), self.next(below));
        (u64::from(a) * u64::from(b) / u64::from(below)) as u32
    }
}

/// The address that a name has, always and everywhere.
fn address_of(i: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0000 + i)
}

fn host(i: u32) -> String {
    format!("h{i}.{}soak.test", "x".repeat((i % 23) as usize))
}

fn check_address(i: u32, found: IpAddr) {
    assert_eq!(
        found,
        IpAddr::V4(address_of(i)),
        "{} has another name's address",
        host(i)
    );
}

struct Child {
    role: Role,
    numbers: SharedNumbers,
    draw: Draw,
}

impl Child {
    /// One step of what the child does.
    fn step(&mut self) {
        let cache = Cache::instance().unwrap();
        match self.role {
            Role::Lookups => self.look_up(),
            Role::Targets => self.walk_targets(),
            Role::Copies => self.copy(cache),
            Role::Flood => self.flood(cache),
            Role::Edits => self.edit(cache),
            Role::Options => self.change_option(),
            Role::Timer => {
                cache.collect_garbage(clock::now_ticks());
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    fn look_up(&mut self) {
        if self.draw.next(50) == 0 {
            let name = format!("no{}.soak.test", self.draw.next(1_000_000));
            assert!(lookup::first_address(name.as_bytes(), 1).is_err());
            return;
        }
        let i = self.draw.skewed(NAMES);
        match lookup::first_address(host(i).as_bytes(), 1) {
            Ok(found) => check_address(i, found),
            // A process is stopped with the writer lock, and the few blocks that need no lock are in use, or were lost
            // with the dead.
            Err(LookupError::OutOfMemory) => {
                self.numbers.add(NO_BLOCKS, 1);
            }
            // The one who asked for all may have been killed; that is not to happen often.
            Err(_) => {
                self.numbers.add(FAILED_LOOKUPS, 1);
            }
        }
        let i = self.draw.next(FIXED);
        let fixed = lookup::first_address(format!("fixed{i}.soak.test").as_bytes(), 1);
        check_address(i, fixed.unwrap());
    }

    fn walk_targets(&mut self) {
        let domain = self.draw.next(DOMAINS);
        let name = format!("d{domain}.soak.test");
        let mut cursor = Cursor::default();
        for _ in 0..8 {
            let (mut port, mut proto) = (0, 0);
            let target = handle::resolve(
                &mut cursor,
                name.as_bytes(),
                Some(&mut port),
                Some(&mut proto),
                1 | 8,
                None,
            );
            let Ok(IpAddr::V4(found)) = target else { break };
            let i = u32::from(found) - 0x0a00_0000;
            assert!((domain * 4..domain * 4 + 4).contains(&i), "{name}: {found}");
            assert_eq!(u32::from(port), 5000 + i, "{name}: {found}:{port}");
            if !cursor.advance() {
                break;
            }
        }
    }

    fn copy(&mut self, cache: &Cache) {
        let now = clock::now_ticks();
        for _ in 0..20 {
            let i = self.draw.next(HOT);
            let name = host(i);
            let start = clock::thread_cpu_ns();
            let found = cache.first_address(&cache.hashed(name.as_bytes()), RecordType::A, now);
            let took = clock::thread_cpu_ns() - start;
            if let Seen::Found(FirstAddress { address, .. }) = found {
                check_address(i, address.into());
            }
            self.numbers
                .raise(SLOWEST_NS, u32::try_from(took).unwrap_or(u32::MAX));
        }
        self.numbers.add(
            COPIES_10_NS,
            (measures::copy_hot_names(cache, now).0 / 10) as u32,
        );
        self.numbers.add(COPIES, HOT);
        std::thread::sleep(COPY_PAUSE);
    }

    fn flood(&mut self, cache: &Cache) {
        let now = clock::now_ticks();
        for _ in 0..50 {
            let number = self.draw.next(u32::MAX);
            let name = format!("{}f{number}.test", "y".repeat((number % 40) as usize));
            let set = if number.is_multiple_of(2) {
                let rdata = RData::A(Ipv4Addr::from(number));
                let records = std::iter::repeat_n(&rdata, 1 + number as usize % 5);
                Set::of(name, RecordType::A).records(1 + number % 30, records)
            } else {
                Set::absence(name, RecordType::A, NegativeKind::NxDomain, 5)
            };
            let _full_is_fine = set.put(cache, now);
        }
        std::thread::sleep(Duration::from_millis(1));
    }

    fn edit(&mut self, cache: &Cache) {
        let i = self.draw.skewed(NAMES);
        let (name, address) = (host(i), address_of(i).to_string());
        let edit = RecordEdit {
            name: name.as_bytes(),
            ttl: 1 + self.draw.next(5),
            value: address.as_bytes(),
            priority: 0,
            weight: 0,
            port: 0,
            negative: false,
            permanent: false,
        };
        let name = name.as_bytes();
        let _may_fail = match self.draw.next(64) {
            0..30 => add_record(RecordType::A, &edit),
            30..45 => delete(name, RecordType::A),
            45..62 => delete_single_record(RecordType::A, name, address.as_bytes(), false, false),
            62 if self.draw.next(20) == 0 => {
                cache.flush(false);
                Ok(())
            }
            _ => Ok(()),
        };
        std::thread::sleep(Duration::from_millis(1));
    }

    fn change_option(&mut self) {
        let on = ["no", "yes"][self.draw.next(2) as usize];
        let (name, value) = match self.draw.next(9) {
            0..3 => (
                "dns_cache_mem",
                LIMITS[self.draw.next(5) as usize].to_owned(),
            ),
            3 => ("dns_cache_del_nonexp", on.to_owned()),
            4 => (
                "dns_cache_negative_share",
                (1 + self.draw.next(100)).to_string(),
            ),
            5 => ("dns_cache_rec_pref", self.draw.next(4).to_string()),
            6 => ("dns_cache_max_ttl", (1 + self.draw.next(4)).to_string()),
            7 => ("dns_cache_negative_ttl", self.draw.next(4).to_string()),
            _ => ("dns_stale_ttl", (self.draw.next(3) * 5).to_string()),
        };
        options::set(name, &value).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn prepare() -> (Server, OptionsGuard) {
    let server = Server::start();
    let mut options = use_server(&server);
    for (name, value) in [
        ("dns_cache_mem", "500"),
        ("dns_cache_del_nonexp", "no"),
        ("dns_cache_negative_share", "50"),
        ("dns_cache_rec_pref", "0"),
        ("dns_cache_max_ttl", "3"),
        ("dns_cache_negative_ttl", "3"),
        ("dns_stale_ttl", "5"),
    ] {
        options.set(name, value);
    }
    for i in 0..NAMES {
        server.add(Rr::a(&host(i), 1 + i % 4, &address_of(i).to_string()));
    }
    for domain in 0..DOMAINS {
        for i in domain * 4..domain * 4 + 4 {
            let target = format!("t{i}.d{domain}.soak.test");
            let owner = format!("_sip._udp.d{domain}.soak.test");
            server.add(Rr::srv(&owner, 2, 1, 10, 5000 + i as u16, &target));
            server.add(Rr::a(&target, 3, &address_of(i).to_string()));
        }
    }
    metrics::prepare();
    lookup::prepare();
    Cache::init().unwrap().flush(true);
    for i in 0..FIXED {
        let name = format!("fixed{i}.soak.test");
        let edit = RecordEdit {
            name: name.as_bytes(),
            ttl: 1,
            value: address_of(i).to_string().leak().as_bytes(),
            priority: 0,
            weight: 0,
            port: 0,
            negative: false,
            permanent: true,
        };
        add_record(RecordType::A, &edit).unwrap();
    }
    (server, options)
}

/// What was seen at the end.
struct Outcome {
    plan: Plan,
    seconds: u64,
    steps: Vec<u32>,
    deeds: Deeds,
    audits: u32,
    most_used: usize,
    slowest_copy_ns: u32,
    copies: u32,
    copy_ns: f64,
    failed_lookups: u32,
    no_blocks: u32,
    longest_hold_ns: u64,
    lost_references: usize,
    repairs: u32,
}

fn soak(plan: Plan) -> Outcome {
    let (server, _options) = prepare();
    let cache = Cache::instance().unwrap();
    let numbers = SharedNumbers::new();
    let mut draw = Draw(plan.processes as u64);
    let mut crowd = Crowd::start(&plan, numbers);
    let (mut audits, mut most_used, mut longest_hold_ns) = (0, 0, 0);
    let begin = Instant::now();
    cache.take_longest_hold();
    while match plan.end {
        End::After(time) => begin.elapsed() < time,
        End::Deeds(number) => crowd.deeds.all() < number,
    } {
        std::thread::sleep(Duration::from_millis(u64::from(20 + draw.next(60))));
        crowd.disturb();
        crowd.look();
        let used = cache.usage().used;
        most_used = most_used.max(used);
        assert!(used <= LARGEST_LIMIT, "{used} octets in use");
        if draw.next(10) == 0 {
            let audit = crowd.wake_for(|| cache.audit(false));
            assert!(audit.is_ok(), "{audit:?}");
            audits += 1;
            server.clear_queries();
            // The holds of audits do not count.
            cache.take_longest_hold();
        } else {
            longest_hold_ns = longest_hold_ns.max(cache.take_longest_hold());
        }
    }
    let deeds = crowd.end();
    let lost_references = cache.audit(true).unwrap().holders;
    // Whoever was killed may have held a handle's entries, and entries that others waited for.
    let most = 4 * deeds.deaths() as usize;
    assert!(lost_references <= most, "{lost_references} references lost");
    cache.forget_holders();
    lookup::forget_failures();
    for i in 0..FIXED {
        let fixed = lookup::first_address(format!("fixed{i}.soak.test").as_bytes(), 1);
        check_address(i, fixed.unwrap());
    }
    cache.collect_garbage(clock::now_ticks());
    let limit = cache.usage().limit;
    assert!(cache.usage().used <= limit, "{:?}", cache.usage());
    cache.flush(true);
    cache.collect_garbage(clock::now_ticks());
    let audit = cache.audit(true).unwrap();
    assert_eq!((audit.entries, audit.unlinked), (0, 0), "{audit:?}");
    let copies = numbers.get(COPIES);
    Outcome {
        plan,
        seconds: begin.elapsed().as_secs(),
        steps: (0..plan.processes)
            .map(|place| numbers.get(STEPS + place))
            .collect(),
        deeds,
        audits,
        most_used,
        slowest_copy_ns: numbers.get(SLOWEST_NS),
        copies,
        copy_ns: f64::from(numbers.get(COPIES_10_NS)) * 10.0 / f64::from(copies),
        failed_lookups: numbers.get(FAILED_LOOKUPS),
        no_blocks: numbers.get(NO_BLOCKS),
        longest_hold_ns,
        lost_references,
        repairs: cache.repairs(),
    }
}

#[test]
fn everything_at_once() {
    let plan = Plan::from_env();
    let alone = measures::copy_alone(Some(COPY_PAUSE));
    let outcome = soak(plan);
    let mut text = report::report(&outcome, alone);
    // Figures of an emulator would say nothing.
    if plan.may_kill && matches!(plan.end, End::After(_)) {
        text += &measures::walks();
    }
    println!("{text}");
    let deeds = outcome.deeds;
    assert!(outcome.audits > 0 && deeds.stops > 0, "{text}");
    if plan.may_kill {
        assert!(deeds.kills > 0 && outcome.repairs > 0, "{text}");
    } else {
        assert!(deeds.ends_by_word > 0 && deeds.deaths() == 0, "{text}");
    }
    assert!(outcome.steps.iter().all(|steps| *steps > 0), "{text}");
    if let Some(path) = std::env::var_os("SOAK_RECORD") {
        std::fs::write(path, text).unwrap();
    }
}
