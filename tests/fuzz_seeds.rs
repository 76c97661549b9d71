//! Replays what the fuzzer kept: inputs that go different ways, and those that once were faults (fuzz/seeds).
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

#[path = "../fuzz/checks.rs"]
mod checks;
mod support;

use std::path::Path;

use kamailio_dns::resolver::Protocol;
use support::{OptionsGuard, Watchdog, net};

/// Runs a check on each seed of a target; there must be at least so many.
fn replay(target: &str, at_least: usize, check: impl Fn(&[u8])) {
    let _watchdog = Watchdog::start(120);
    let mut options = OptionsGuard::take();
    // Put back at the end.
    for (name, value) in [
        ("dns_nameservers", "192.0.2.1"),
        ("dns_retr_time", "1"),
        ("dns_retr_no", "1"),
        ("dns_cookies", "no"),
        ("dns_0x20", "no"),
        ("dns_edns", "auto"),
    ] {
        options.set(name, value);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= at_least, "{target}: {} seeds", files.len());
    for file in files {
        // The last line of a failed test is the seed.
        eprintln!("{}", file.display());
        check(&std::fs::read(&file).unwrap());
    }
}

#[test]
fn messages() {
    replay("message", 20, checks::message);
}

#[test]
fn replies_over_udp() {
    replay("udp", 20, |octets| checks::replies(octets, Protocol::Udp));
}

#[test]
fn replies_over_tcp() {
    replay("tcp", 20, |octets| checks::replies(octets, Protocol::Tcp));
}

#[test]
fn resolv_conf_files() {
    replay("resolv_conf", 10, checks::resolv_conf);
}

#[test]
fn hosts_files() {
    replay("hosts", 10, checks::hosts_file);
}
