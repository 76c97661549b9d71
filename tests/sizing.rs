//! What names and SIP domains take up in the cache: the figures of docs/tuning.md.
//!
//! `cargo test --test sizing -- --nocapture` prints them.
#![cfg(all(feature = "use_dns_cache", feature = "use_naptr"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "test code; a failure ends the test"
)]

mod support;

use kamailio_dns::cache::Cache;
use kamailio_dns::host::options;
use kamailio_dns::select::{Cursor, handle};
use support::{Rr, Server, Setup};

const IPV4_ONLY: u32 = 1;
const TRY_NAPTR: u32 = 16;
const DOMAINS: usize = 250;

/// Goes through all targets of a domain, as `sip:domain` without port and transport, or with the port.
fn resolve(domain: &str, given: u16, flags: u32) {
    let mut cursor = Cursor::default();
    loop {
        let (mut port, mut proto) = (given, 0);
        let name = domain.as_bytes();
        let step = handle::resolve(
            &mut cursor,
            name,
            Some(&mut port),
            Some(&mut proto),
            flags,
            None,
        );
        if step.is_err() || !cursor.advance() {
            return;
        }
    }
}

/// Domains that have nothing but an address.
fn address(domain: &str) -> Vec<Rr> {
    vec![Rr::a(domain, 300, "192.0.2.1")]
}

fn nothing(_: &str) -> Vec<Rr> {
    Vec::new()
}

/// SRV records for UDP, two hosts.
fn srv(domain: &str) -> Vec<Rr> {
    let host = |number| format!("sip{number}.{domain}");
    let record = |owner: &str, number| Rr::srv(owner, 300, number, 1, 5060, &host(number));
    let owner = format!("_sip._udp.{domain}");
    let mut all = vec![record(&owner, 1), record(&owner, 2)];
    all.extend([1, 2].map(|number| Rr::a(&host(number), 300, "192.0.2.1")));
    all
}

/// NAPTR and SRV records for UDP, TCP and TLS, two hosts.
fn naptr(domain: &str) -> Vec<Rr> {
    let mut all = srv(domain);
    for (order, (service, label)) in [
        ("SIP+D2U", "_sip._udp"),
        ("SIP+D2T", "_sip._tcp"),
        ("SIPS+D2T", "_sips._tcp"),
    ]
    .into_iter()
    .enumerate()
    {
        let owner = format!("{label}.{domain}");
        all.push(Rr::naptr(
            domain,
            300,
            (10 + order as u16, 10),
            ("s", service, ""),
            &owner,
        ));
        if label != "_sip._udp" {
            let host = |number| format!("sip{number}.{domain}");
            all.extend([1, 2].map(|n| Rr::srv(&owner, 300, n, 1, 5060, &host(n))));
        }
    }
    all
}

/// Octets of cache memory and entries for each of many domains.
fn measure(
    server: &Server,
    what: &str,
    zone: fn(&str) -> Vec<Rr>,
    port: u16,
    flags: u32,
) -> (usize, usize) {
    let cache = Cache::instance().unwrap();
    let before = cache.usage();
    for number in 0..DOMAINS {
        // 20 octets, as names of customers are.
        let domain = format!("c{number:03}{what:-<5}.example.org");
        assert_eq!(domain.len(), 21);
        server.add_all(zone(&domain));
        resolve(&domain, port, flags);
    }
    let after = cache.usage();
    let entries = (after.entries - before.entries) / DOMAINS;
    ((after.used - before.used) / DOMAINS, entries)
}

/// The number in the third column of the row that begins so.
fn documented(text: &str, row: &str) -> Option<usize> {
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("| {row} |")))?;
    line.split('|').nth(3)?.trim().parse().ok()
}

/// Title, letters for the names, zone, port of the URI, flags.
type Row = (&'static str, &'static str, fn(&str) -> Vec<Rr>, u16, u32);

const ROWS: [Row; 8] = [
    ("a host, port in the URI", "addr", address, 5060, IPV4_ONLY),
    ("the same, IPv4 and IPv6", "both", address, 5060, 0),
    (
        "a domain without SRV records",
        "host",
        address,
        0,
        IPV4_ONLY,
    ),
    ("SRV for UDP, 2 hosts", "srv", srv, 0, IPV4_ONLY),
    (
        "the same, `dns_try_naptr=yes`",
        "srvn",
        srv,
        0,
        IPV4_ONLY | TRY_NAPTR,
    ),
    (
        "NAPTR, SRV for UDP, TCP, TLS, 2 hosts",
        "naptr",
        naptr,
        0,
        IPV4_ONLY | TRY_NAPTR,
    ),
    (
        "a domain that does not exist",
        "none",
        nothing,
        0,
        IPV4_ONLY,
    ),
    (
        "a name that does not exist, port in the URI",
        "one",
        nothing,
        5060,
        IPV4_ONLY,
    ),
];

/// Says in the environment of a process which row it is to measure.
const ROW: &str = "SIZING_ROW";

/// One row, in a process of its own: memory that was in use once stays with its size of blocks for a while.
fn print_row(number: usize) {
    let (row, what, zone, port, flags) = ROWS[number];
    options::set("dns_cache_mem", "8192").unwrap();
    let mut s = Setup::patient();
    s.options.set("tls_disable", "no");
    let (octets, entries) = measure(&s.server, what, zone, port, flags);
    println!("| {row} | {entries} | {octets} |");
}

#[test]
fn the_table_of_sizes_is_true() {
    if let Ok(number) = std::env::var(ROW) {
        return print_row(number.parse().unwrap());
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/tuning.md")).unwrap();
    let mut wrong = Vec::new();
    for (number, (row, ..)) in ROWS.iter().enumerate() {
        let run = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_table_of_sizes_is_true", "--nocapture"])
            .env(ROW, number.to_string())
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&run.stdout);
        let octets = documented(&output, row).unwrap_or_else(|| panic!("{output}"));
        let line = output.lines().find(|line| line.starts_with('|')).unwrap();
        eprintln!("{line}");
        let told = documented(&text, row).unwrap_or(0);
        if octets.abs_diff(told) * 10 > octets {
            wrong.push(format!("{row}: {octets}, not {told}"));
        }
    }
    assert!(wrong.is_empty(), "docs/tuning.md: {wrong:#?}");
}
