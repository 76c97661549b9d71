//! What a process costs that looks names up: page tables, faults, processor time, beside what the machine itself takes.
//!
//! `cargo bench --bench memory`, or with other numbers `cargo bench --bench memory -- NAMES KIB PROCESSES...`. A child
//! fills a cache; its own children look up every name once, in an order of their own, and then go on with names at
//! random. The floor is that of docs/performance.md (kamailio/bench/walk.c): of each name a line of a table and an
//! entry, nothing else. Whether the system gives large pages for shared memory is set before:
//! /sys/kernel/mm/transparent_hugepage/shmem_enabled.
#![allow(unsafe_code, reason = "fork, mmap, getrusage")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark"
)]

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};

use kamailio_dns::cache::{Cache, Conflict, Draft, DraftData, DraftRecord};
use kamailio_dns::host::{clock, options};
use kamailio_dns::lookup;
use kamailio_dns::rr::{RData, RecordType};
use kamailio_dns::select::flags;

/// Names, and the `dns_cache_mem` they are held in, KiB. The first is what `make bench-kamailio` measures with.
const SIZES: [(usize, usize); 2] = [(100_000, 65_536), (1_000_000, 163_840)];
const PROCESSES: [usize; 5] = [2, 8, 16, 32, 64];
/// Lookups of names at random of one child.
const LOOKUPS: usize = 300_000;
/// Octets of an entry of the floor.
const ENTRY: usize = 112;
const LINE_WORDS: usize = 16;
/// Places of a line of the floor's table begin behind what tells names apart in the cache's.
const FIRST_PLACE: usize = 5;
/// One cache, for `dns_cache_mem` octets: so many of them are a line of its table.
const OCTETS_PER_LINE: usize = 11 * 72;

/// What one child measured.
#[derive(Clone, Copy, Default)]
struct Cost {
    /// Page tables that came with the first pass, KiB.
    tables: u64,
    faults: u64,
    /// ns of processor time a lookup.
    first_pass: u64,
    later: u64,
    /// Shared memory that this process sees, KiB.
    resident: u64,
}

const FIELDS: usize = 5;

impl Cost {
    fn fields(self) -> [u64; FIELDS] {
        [
            self.tables,
            self.faults,
            self.first_pass,
            self.later,
            self.resident,
        ]
    }

    /// Each field the median of all children's.
    fn median(all: &[[u64; FIELDS]]) -> Self {
        let [tables, faults, first_pass, later, resident] = std::array::from_fn(|field| {
            let mut values: Vec<u64> = all.iter().map(|cost| cost[field]).collect();
            values.sort_unstable();
            values[values.len() / 2]
        });
        Self {
            tables,
            faults,
            first_pass,
            later,
            resident,
        }
    }
}

/// What is looked up in: each name by its number. What is found is less than 2^31, which a compiler does not know, so
/// that each lookup can depend on the one before.
trait LookUp {
    fn look_up(&self, name: usize, before: u32) -> u32;
}

struct Library;

/// The name of a number: 20 octets, as `make bench-kamailio` asks for. Made at hardly any cost: a letter for each four
/// bits.
#[inline(always)]
fn name(number: usize) -> [u8; 20] {
    let mut letters = number as u64 & 0xFFFF_FFFF;
    letters = (letters | letters << 16) & 0x0000_FFFF_0000_FFFF;
    letters = (letters | letters << 8) & 0x00FF_00FF_00FF_00FF;
    letters = (letters | letters << 4) & 0x0F0F_0F0F_0F0F_0F0F;
    letters += 0x0101_0101_0101_0101 * u64::from(b'g');
    let mut text = *b"gggggggg.example.org";
    text[..8].copy_from_slice(&letters.to_be_bytes());
    text
}

impl Library {
    fn fill(names: usize, kib: usize) -> Self {
        options::set("dns_cache_mem", &kib.to_string()).unwrap();
        options::set("dns_use_search_list", "no").unwrap();
        let cache = Cache::init().unwrap();
        let now = clock::now_ticks();
        for number in 0..names {
            let rdata = RData::A(Ipv4Addr::from(number as u32));
            let draft = Draft {
                name: &name(number),
                rtype: RecordType::A,
                data: DraftData::Records(&[DraftRecord {
                    ttl: 86_400,
                    rdata: &rdata,
                }]),
                permanent: false,
                negative_ttl: 0,
            };
            assert!(
                cache.insert(&draft, Conflict::Replace, now).is_ok(),
                "the cache is too small"
            );
        }
        assert_eq!(cache.usage().entries, names, "entries had to go");
        // The first lookup puts the settings in force, for the children, too.
        lookup::first_address(&name(0), flags::IPV4_ONLY).unwrap();
        Self
    }
}

impl LookUp for Library {
    /// As `dns_get_ip()` does.
    fn look_up(&self, number: usize, _before: u32) -> u32 {
        match lookup::first_address(&name(number), flags::IPV4_ONLY) {
            Ok(IpAddr::V4(address)) => address.to_bits(),
            _ => panic!("a name is gone"),
        }
    }
}

/// The memory under a lookup: a table of cache lines with the numbers of entries.
struct Floor {
    table: &'static [AtomicU32],
    entries: &'static [AtomicU32],
}

/// Memory that children share; `large` asks for large pages.
fn shared_words(words: usize, large: bool) -> &'static [AtomicU32] {
    let octets = words * 4;
    // SAFETY: an anonymous mapping at an address of the kernel's choice.
    let place = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            octets,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(place, libc::MAP_FAILED);
    if large {
        // SAFETY: advice about the mapping made above.
        unsafe { libc::madvise(place, octets, libc::MADV_HUGEPAGE) };
    }
    // SAFETY: page-aligned, zeroed, never unmapped, used as atomics only.
    unsafe { std::slice::from_raw_parts(place.cast(), words) }
}

impl Floor {
    fn fill(names: usize, kib: usize, large: bool) -> Self {
        let lines = kib * 1024 / OCTETS_PER_LINE;
        let floor = Self {
            table: shared_words(lines * LINE_WORDS, large),
            entries: shared_words(names * ENTRY / 4, large),
        };
        for word in floor.entries {
            word.store(0, Ordering::Relaxed);
        }
        for number in 0..names {
            let free = floor.line(number)[FIRST_PLACE..]
                .iter()
                .find(|place| place.load(Ordering::Relaxed) == 0);
            // A name for which there is no place finds the last one of its line, at the same cost.
            if let Some(place) = free {
                place.store(number as u32 + 1, Ordering::Relaxed);
            }
        }
        floor
    }

    fn line(&self, number: usize) -> &[AtomicU32] {
        let lines = self.table.len() / LINE_WORDS;
        let mut mixed = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^= mixed >> 29;
        mixed = mixed.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let line = ((mixed >> 32) as usize * lines) >> 32;
        &self.table[line * LINE_WORDS..(line + 1) * LINE_WORDS]
    }
}

impl LookUp for Floor {
    fn look_up(&self, number: usize, before: u32) -> u32 {
        // Entries are zero, which a compiler does not know.
        let number = number + before as usize;
        let line = self.line(number);
        let at = (FIRST_PLACE..LINE_WORDS - 1)
            .find(|&at| line[at].load(Ordering::Relaxed) == number as u32 + 1)
            .unwrap_or(LINE_WORDS - 1);
        // What the line says is the number of the name. A compiler must not know that, or it takes the number and does
        // not wait for the line.
        let place = line[black_box(at)].load(Ordering::Relaxed);
        let entry = (place as usize - 1) * ENTRY / 4;
        [24, 60, 84]
            .iter()
            .map(|at| self.entries[entry + at / 4].load(Ordering::Relaxed))
            .sum()
    }
}

/// A number of /proc/self/FILE, KiB, summed over the lines with that field.
fn proc_kib(file: &str, field: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/self/{file}")).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .filter_map(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .sum()
}

fn minor_faults() -> u64 {
    // SAFETY: all zero is a value of this struct of numbers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: writes the numbers of this process into our variable.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    usage.ru_minflt as u64
}

/// Processor time of this process, which has one thread.
fn cpu_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes into our variable.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Keeps this process on one processor, as the benches in Kamailio do.
fn stay_on(processor: usize) {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    // SAFETY: all zero is the empty set.
    let mut one: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: sets a bit of our variable.
    unsafe { libc::CPU_SET(processor % count, &mut one) };
    // SAFETY: reads our variable.
    unsafe { libc::sched_setaffinity(0, size_of_val(&one), &raw const one) };
}

/// What a child does; `all_are_here` returns when every child got there.
fn measure(
    memory: &impl LookUp,
    names: usize,
    process: usize,
    mut all_are_here: impl FnMut(),
) -> Cost {
    stay_on(process);
    // A step that shares no divisor with the count leads once through all names.
    let step = (0x9E37_79B1 % names).max(1);
    let step = (step..).find(|&step| gcd(step, names) == 1).unwrap_or(1);
    let mut number = process * 7919 % names;
    let mut before = 0;
    // What the process itself touches first is no cost of the cache's.
    before += black_box(memory.look_up(number, 0)) & 0x8000_0000;
    let (tables, faults) = (proc_kib("status", "VmPTE"), minor_faults());
    all_are_here();
    let begun = cpu_ns();
    for _ in 0..names {
        number = (number + step) % names;
        before += memory.look_up(number, before) & 0x8000_0000;
    }
    let first_pass = (cpu_ns() - begun) / names as u64;
    let faults = minor_faults() - faults;
    let tables = proc_kib("status", "VmPTE") - tables;
    all_are_here();
    let mut state = process as u32 * 77_777 + 1;
    let begun = cpu_ns();
    for _ in 0..LOOKUPS {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state = state.wrapping_add(before);
        let number = (u64::from(state) * names as u64) >> 32;
        before = memory.look_up(number as usize, before) & 0x8000_0000;
    }
    let later = (cpu_ns() - begun) / LOOKUPS as u64;
    black_box(before);
    Cost {
        tables,
        faults,
        first_pass,
        later,
        resident: proc_kib("status", "RssShmem"),
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Runs `body` in a child process that ends with it.
fn in_a_child(body: impl FnOnce()) -> libc::pid_t {
    // SAFETY: this program has one thread.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let fine = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).is_ok();
        // SAFETY: ends the child without running anything of the parent's.
        unsafe { libc::_exit(i32::from(!fine)) };
    }
    child
}

fn wait_for(child: libc::pid_t) {
    let mut status = 0;
    // SAFETY: waits for a child of ours.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0, "a child failed");
}

/// The median cost of so many children at once.
fn with_children(memory: &impl LookUp, names: usize, processes: usize) -> Cost {
    let here = &shared_words(1024, false)[0];
    let (mut results, sender) = UnixStream::pair().unwrap();
    let children: Vec<_> = (0..processes)
        .map(|process| {
            let mut sender = &sender;
            in_a_child(move || {
                let mut wanted = 0;
                let cost = measure(memory, names, process, || {
                    wanted += processes as u32;
                    here.fetch_add(1, Ordering::SeqCst);
                    while here.load(Ordering::SeqCst) < wanted {
                        std::thread::sleep(std::time::Duration::from_millis(1));
                    }
                });
                let octets: Vec<u8> = cost
                    .fields()
                    .iter()
                    .flat_map(|field| field.to_ne_bytes())
                    .collect();
                sender.write_all(&octets).unwrap();
            })
        })
        .collect();
    // A child that fails says nothing, so children are waited for first; what they said fits the socket.
    children.into_iter().for_each(wait_for);
    let costs: Vec<[u64; FIELDS]> = (0..processes)
        .map(|_| {
            let mut octets = [0; FIELDS * 8];
            results.read_exact(&mut octets).unwrap();
            std::array::from_fn(|i| u64::from_ne_bytes(octets[i * 8..][..8].try_into().unwrap()))
        })
        .collect();
    Cost::median(&costs)
}

/// One table: a row for each number of processes.
fn table(
    title: &str,
    names: usize,
    counts: &[usize],
    fill: impl FnOnce() -> Box<dyn Fn(usize) -> Cost>,
) {
    let child = in_a_child(|| {
        let cost_of = fill();
        println!(
            "\n{title}: {names} names; shared memory {} KiB, of it in large pages {} KiB\n",
            proc_kib("status", "RssShmem"),
            proc_kib("smaps_rollup", "ShmemPmdMapped"),
        );
        println!(
            "| processes | page tables of each, KiB | minor faults of each | first pass, ns | later, ns | seen by each, KiB |"
        );
        println!("|---:|---:|---:|---:|---:|---:|");
        for &processes in counts {
            let cost = cost_of(processes);
            println!(
                "| {processes} | {} | {} | {} | {} | {} |",
                cost.tables, cost.faults, cost.first_pass, cost.later, cost.resident
            );
        }
    });
    wait_for(child);
}

fn main() {
    let numbers: Vec<usize> = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let (sizes, counts) = match numbers.as_slice() {
        [names, kib, counts @ ..] if !counts.is_empty() => (vec![(*names, *kib)], counts.to_vec()),
        [names, kib] => (vec![(*names, *kib)], PROCESSES.to_vec()),
        _ => (SIZES.to_vec(), PROCESSES.to_vec()),
    };
    let enabled = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
    println!(
        "shmem_enabled: {}",
        enabled.as_deref().unwrap_or("not there").trim()
    );
    for (names, kib) in sizes {
        let mut counts = counts.clone();
        let title = format!("library, dns_cache_mem={kib}");
        table(&title, names, &counts, || {
            let library = Library::fill(names, kib);
            Box::new(move |processes| with_children(&library, names, processes))
        });
        // The goal is for 8.
        counts.retain(|&processes| processes <= 8);
        for (title, large) in [("floor", false), ("floor, large pages asked for", true)] {
            table(title, names, &counts, || {
                let floor = Floor::fill(names, kib, large);
                Box::new(move |processes| with_children(&floor, names, processes))
            });
        }
    }
}
