//! What the library's own callers pay for cached answers: hosts, absence, handles, and the same from
//! several processes at once. `cargo bench --bench handles`.
#![allow(unsafe_code, reason = "forks readers")]

use std::net::Ipv4Addr;
use std::sync::OnceLock;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use kamailio_dns::cache::{Cache, Conflict, Draft, DraftData, DraftRecord, HostCopy, NegativeKind};
use kamailio_dns::host::{clock, options};
use kamailio_dns::lookup;
use kamailio_dns::rr::{Name, Naptr, RData, RecordType, Srv};
use kamailio_dns::select::{Cursor, flags, handle};

/// Operations of one reader in one sample of the benches with processes.
const OPERATIONS: usize = 20_000;

fn main() {
    divan::main();
}

fn name(text: &str) -> Name {
    Name::from_text(text.as_bytes()).unwrap_or_else(|| std::process::exit(1))
}

fn put(cache: &Cache, owner: &str, rtype: RecordType, records: &[RData]) {
    let records: Vec<_> = records
        .iter()
        .map(|rdata| DraftRecord { ttl: 86_400, rdata })
        .collect();
    let draft = Draft {
        name: owner.as_bytes(),
        rtype,
        data: if records.is_empty() {
            DraftData::Negative(NegativeKind::NxDomain)
        } else {
            DraftData::Records(&records)
        },
        permanent: false,
        negative_ttl: 86_400,
    };
    let _full = cache.insert(&draft, Conflict::Replace, clock::now_ticks());
}

/// The cache of this process tree with some names in it.
fn cache() -> &'static Cache {
    static FILLED: OnceLock<&'static Cache> = OnceLock::new();
    FILLED.get_or_init(|| {
        let _set = options::set("dns_cache_mem", "65536");
        let Ok(cache) = Cache::init() else {
            std::process::exit(1)
        };
        put(
            cache,
            "host.example.org",
            RecordType::A,
            &[RData::A(Ipv4Addr::new(192, 0, 2, 1))],
        );
        put(cache, "absent.example.org", RecordType::A, &[]);
        let targets = |port: u16| {
            (0..4_u16).map(move |i| {
                RData::Srv(Srv {
                    priority: 10,
                    weight: 10 - i,
                    port,
                    target: name(&format!("t{i}.example.org")),
                })
            })
        };
        for i in 0..4 {
            let owner = format!("t{i}.example.org");
            put(
                cache,
                &owner,
                RecordType::A,
                &[RData::A(Ipv4Addr::new(192, 0, 2, i))],
            );
        }
        for i in 0..8 {
            let owner = format!("_sip._udp.s{i}.example.org");
            put(
                cache,
                &owner,
                RecordType::SRV,
                &targets(5060).collect::<Vec<_>>(),
            );
        }
        let naptr = |order, services: &str, replacement: &str| {
            RData::Naptr(Naptr {
                order,
                preference: 10,
                flags: Box::from(&b"s"[..]),
                services: Box::from(services.as_bytes()),
                regexp: Box::default(),
                replacement: name(replacement),
            })
        };
        put(
            cache,
            "n.example.org",
            RecordType::NAPTR,
            &[
                naptr(10, "SIP+D2U", "_sip._udp.s0.example.org"),
                naptr(20, "SIP+D2T", "_sip._tcp.s0.example.org"),
            ],
        );
        cache
    })
}

/// Goes through all targets; gives their number.
fn cycle(host: &[u8], transport: u8, request_flags: u32, most: usize) -> usize {
    let mut cursor = Cursor::default();
    for count in 0..most {
        let (mut port, mut proto) = (0, transport);
        let target = handle::resolve(
            &mut cursor,
            host,
            Some(&mut port),
            Some(&mut proto),
            request_flags,
            None,
        );
        if target.is_err() || !cursor.advance() {
            return count;
        }
    }
    most
}

#[divan::bench]
fn first_address(bencher: Bencher<'_, '_>) {
    cache();
    bencher.bench_local(|| lookup::first_address(black_box(b"host.example.org"), flags::IPV4_ONLY));
}

#[divan::bench]
fn negative_hit(bencher: Bencher<'_, '_>) {
    cache();
    bencher
        .bench_local(|| lookup::first_address(black_box(b"absent.example.org"), flags::IPV4_ONLY));
}

#[divan::bench]
fn whole_host(bencher: Bencher<'_, '_>) {
    cache();
    let mut copy = HostCopy::EMPTY;
    bencher.bench_local(move || {
        lookup::copy_host(black_box(b"host.example.org"), flags::IPV4_ONLY, &mut copy)
    });
}

#[divan::bench]
fn four_srv_targets(bencher: Bencher<'_, '_>) {
    cache();
    bencher.bench_local(|| cycle(black_box(b"s0.example.org"), 1, flags::IPV4_ONLY, 8));
}

#[divan::bench]
fn four_srv_targets_by_weight(bencher: Bencher<'_, '_>) {
    cache();
    let by_weight = flags::IPV4_ONLY | flags::SRV_RR_LB;
    bencher.bench_local(|| cycle(black_box(b"s0.example.org"), 1, by_weight, 8));
}

#[divan::bench]
fn naptr_and_four_targets(bencher: Bencher<'_, '_>) {
    cache();
    let naptr = flags::IPV4_ONLY | flags::TRY_NAPTR;
    bencher.bench_local(|| cycle(black_box(b"n.example.org"), 0, naptr, 4));
}

/// Runs `read` in forked processes at once, each [`OPERATIONS`] times.
fn fork_readers(processes: usize, read: impl Fn(usize)) {
    let mut children = Vec::new();
    for process in 0..processes {
        // SAFETY: benches run on one thread; the child calls nothing but the library and leaves.
        let child = unsafe { libc::fork() };
        if child == 0 {
            for _ in 0..OPERATIONS {
                read(process);
            }
            // SAFETY: ends the child without running anything of the parent's.
            unsafe { libc::_exit(0) };
        }
        children.push(child);
    }
    for child in children {
        let mut status = 0;
        // SAFETY: waits for a child made above.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
    }
}

fn in_processes(bencher: Bencher<'_, '_>, processes: usize, read: impl Fn(usize)) {
    cache();
    bencher
        .counter(ItemsCount::new(OPERATIONS * processes))
        .bench_local(|| fork_readers(processes, &read));
}

#[divan::bench(args = [1, 2, 8], sample_count = 20, sample_size = 1)]
fn readers_of_one_hot_name(bencher: Bencher<'_, '_>, processes: usize) {
    in_processes(bencher, processes, |_| {
        let _found = black_box(lookup::first_address(b"host.example.org", flags::IPV4_ONLY));
    });
}

#[divan::bench(args = [1, 2, 8], sample_count = 20, sample_size = 1)]
fn handles_of_one_name(bencher: Bencher<'_, '_>, processes: usize) {
    in_processes(bencher, processes, |_| {
        black_box(cycle(b"s0.example.org", 1, flags::IPV4_ONLY, 8));
    });
}

#[divan::bench(args = [1, 2, 8], sample_count = 20, sample_size = 1)]
fn handles_of_a_name_each(bencher: Bencher<'_, '_>, processes: usize) {
    let hosts: Vec<String> = (0..8).map(|i| format!("s{i}.example.org")).collect();
    in_processes(bencher, processes, |process| {
        let host = hosts.get(process).map_or("", String::as_str);
        black_box(cycle(host.as_bytes(), 1, flags::IPV4_ONLY, 8));
    });
}
