//! What a cached lookup costs, without any C program around it. `cargo bench`.

use std::net::Ipv4Addr;

use divan::{Bencher, black_box};
use kamailio_dns::cache::{
    Cache, Conflict, Draft, DraftData, DraftRecord, FirstAddress, HostCopy, Seen,
};
use kamailio_dns::rr::{RData, RecordType};

const NOW: u32 = 1000;

fn main() {
    divan::main();
}

fn fill(entries: usize) -> &'static Cache {
    let Ok(cache) = Cache::for_tests(64 << 20, false) else {
        std::process::exit(1)
    };
    for i in 0..entries {
        put(cache, i);
    }
    cache
}

fn name(i: usize) -> String {
    format!("host{i:06}.example.o")
}

fn put(cache: &Cache, i: usize) {
    let rdata = RData::A(Ipv4Addr::from(i as u32));
    let records = [DraftRecord {
        ttl: 3600,
        rdata: &rdata,
    }];
    let name = name(i);
    let draft = Draft {
        name: name.as_bytes(),
        rtype: RecordType::A,
        data: DraftData::Records(&records),
        permanent: false,
        negative_ttl: 0,
    };
    let _full = cache.insert(&draft, Conflict::Replace, NOW);
}

fn first(cache: &Cache, name: &[u8]) -> Seen<FirstAddress> {
    cache.first_address(&cache.hashed(name), RecordType::A, NOW)
}

#[divan::bench(threads = [1, 2])]
fn first_address_of_one_hot_name(bencher: Bencher<'_, '_>) {
    let cache = fill(1);
    bencher.bench(|| first(cache, black_box(b"host000000.example.o")));
}

#[divan::bench]
fn all_addresses_of_one_hot_name(bencher: Bencher<'_, '_>) {
    let cache = fill(1);
    let mut set = HostCopy::EMPTY;
    bencher.bench_local(move || {
        cache.copy_host(
            &cache.hashed(black_box(b"host000000.example.o")),
            RecordType::A,
            NOW,
            &mut set,
        )
    });
}

#[divan::bench(threads = [1, 2])]
fn acquire_and_release(bencher: Bencher<'_, '_>) {
    let cache = fill(1);
    bencher.bench(|| cache.acquire(black_box(b"host000000.example.o"), RecordType::A, NOW));
}

#[divan::bench(args = [1_000, 10_000, 100_000])]
fn first_address_of_a_random_name(bencher: Bencher<'_, '_>, entries: usize) {
    let cache = fill(entries);
    let names: Vec<String> = (0..entries).map(name).collect();
    let mut state = 1_u64;
    bencher.bench_local(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let name = &names[(state >> 33) as usize % names.len()];
        first(cache, name.as_bytes())
    });
}

#[divan::bench]
fn replace_an_entry(bencher: Bencher<'_, '_>) {
    let cache = fill(1000);
    let mut i = 0;
    bencher.bench_local(move || {
        i = (i + 1) % 1000;
        put(cache, i);
    });
}
