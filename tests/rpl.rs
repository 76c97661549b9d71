//! Replays unbound's scenarios against the library's lookup: clients, scripted servers, a clock
//! that only the scenario moves.
//!
//! Unbound is a recursive server and this is a stub with a cache, so scenarios are played as
//! follows: the server of a `forward-zone` or `stub-zone` is the stub's nameserver; where unbound
//! starts at the root, the server that knows the answer in the end is. The table says how many
//! queries must go out, no more and no fewer. Where unbound serves expired data (`MATCH ede=3`) the
//! library must, too, with its own TTL for it. A refresher works in the background where unbound fetches data
//! ahead, or answers first and asks afterwards.

#![cfg(feature = "use_dns_cache")]
#![allow(clippy::print_stdout, reason = "the table of what was played")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    unreachable_pub,
    missing_docs,
    reason = "test code"
)]

mod support;

mod rpl {
    pub mod client;
    pub mod expect;
    pub mod net;
    pub mod parser;
    pub mod runner;
    pub mod settings;
    pub mod spoil;
}

use std::collections::BTreeSet;
use std::path::PathBuf;

use rpl::parser::Scenario;
use rpl::runner::{Plan, Verdict, plan, play};

/// Runs that real time may spoil before a scenario counts as failed.
const MAX_RUNS: usize = 200;

/// What becomes of a file.
#[derive(Debug)]
enum Case {
    Applies(Plan),
    DoesNotApply(&'static str),
}

use Case::{Applies, DoesNotApply};

const FIVE_SERVERS: &[&str] = &[
    "216.0.0.1",
    "216.0.0.2",
    "216.0.0.3",
    "216.0.0.4",
    "216.0.0.5",
];

/// Every file of the folder, with the number of queries that its client causes.
const TABLE: &[(&str, Case)] = &[
    ("fwd", Applies(plan(1))),
    ("fwd_0ttlservfail", Applies(plan(2))),
    ("fwd_cached", Applies(plan(1))),
    (
        "fwd_droptoomany",
        DoesNotApply("no limit on clients: each worker does one lookup at a time"),
    ),
    // A server that cannot be reached is asked once, not five times: five servers then.
    ("fwd_error", Applies(plan(5).servers(FIVE_SERVERS))),
    ("fwd_error_retries", Applies(plan(1))),
    ("fwd_lrudrop", Applies(plan(3))),
    // The second server's address is configured, not looked up.
    (
        "fwd_name_lookup",
        Applies(plan(5).servers(&["1.2.3.4", "1.2.3.5"])),
    ),
    ("fwd_no_cache", Applies(plan(2))),
    ("fwd_notcached", Applies(plan(2))),
    ("fwd_timeout", Applies(plan(5))),
    ("fwd_two", Applies(plan(2))),
    ("iter_prefetch", Applies(plan(2).servers(&["1.2.3.4"]))),
    // Up to where the zone moves to other servers, which a stub does not follow.
    (
        "iter_prefetch_change",
        Applies(plan(3).servers(&["192.168.0.1"]).until(150)),
    ),
    (
        "iter_prefetch_change2",
        Applies(plan(2).servers(&["192.168.0.1"]).until(70)),
    ),
    ("iter_prefetch_fail", Applies(plan(3).servers(&["1.2.3.4"]))),
    // Without the way down from the root.
    (
        "iter_scrub_cname_an",
        Applies(plan(2).servers(&["168.192.2.2"]).skip(20, 70)),
    ),
    ("rrset_rettl", Applies(plan(2))),
    ("rrset_updated", Applies(plan(2))),
    // Up to where the age of NS records, which a stub does not keep, decides.
    ("rrset_use_cached", Applies(plan(2).until(9))),
    ("serve_expired", Applies(plan(2))),
    ("serve_expired_0ttl_nodata", Applies(plan(3))),
    (
        "serve_expired_0ttl_nxdomain",
        Applies(plan(3).stale_checks(&[50])),
    ),
    ("serve_expired_0ttl_servfail", Applies(plan(2))),
    ("serve_expired_cached_servfail", Applies(plan(2))),
    ("serve_expired_cached_servfail_refresh", Applies(plan(2))),
    // But for the reply that comes when the client is gone: no query is left that it could belong to.
    ("serve_expired_client_timeout", Applies(plan(2).until(40))),
    ("serve_expired_client_timeout_servfail", Applies(plan(3))),
    ("serve_expired_reply_ttl", Applies(plan(4))),
    ("serve_expired_ttl", Applies(plan(2))),
    ("serve_expired_ttl_client_timeout", Applies(plan(2))),
    (
        "serve_expired_ttl_reset",
        DoesNotApply("a failed refresh does not put the limit of stale data off"),
    ),
    ("serve_expired_zerottl", Applies(plan(3))),
    ("ttl_max", Applies(plan(1).servers(&["1.2.3.4"]))),
    ("ttl_max_negative", Applies(plan(1).servers(&["1.2.3.4"]))),
    ("ttl_min", Applies(plan(1).servers(&["1.2.3.4"]))),
    (
        "ttl_min_negative",
        DoesNotApply("no lower bound for the life of an absence: the zone's SOA decides"),
    ),
];

fn folder() -> PathBuf {
    let shared = support::shared_folder()
        .expect("the shared corpora are missing: set KAMAILIO_DNS_SHARED or put them at ../shared");
    let folder = shared.join("corpora/unbound-rpl");
    assert!(
        folder.is_dir(),
        "the scenarios are missing: no folder {}",
        folder.display()
    );
    folder
}

fn read(name: &str) -> Result<Scenario, String> {
    let path = folder().join(format!("{name}.rpl"));
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    rpl::parser::parse(&text)
}

fn run(scenario: &Scenario, plan: &Plan) -> Result<(), String> {
    for _ in 0..MAX_RUNS {
        match play(scenario, plan) {
            Verdict::Passed => return Ok(()),
            Verdict::Failed(reason) => return Err(reason),
            Verdict::Disturbed => {}
        }
    }
    Err(format!("real time spoiled {MAX_RUNS} runs"))
}

#[test]
fn unbound_scenarios() {
    let _watchdog = support::Watchdog::start(300);
    let folder = folder();
    let files: BTreeSet<String> = std::fs::read_dir(&folder)
        .expect("the folder can be read")
        .filter_map(|file| Some(file.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "rpl"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    let listed: BTreeSet<String> = TABLE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files, listed, "files in the folder, files in the table");
    let mut failures = Vec::new();
    let mut played = 0;
    for (name, case) in TABLE {
        let line = match case {
            DoesNotApply(reason) => format!("does not apply: {reason}"),
            Applies(plan) => {
                played += 1;
                match read(name).and_then(|scenario| run(&scenario, plan)) {
                    Ok(()) if plan.until < u32::MAX => {
                        format!("passed up to step {}", plan.until)
                    }
                    Ok(()) => "passed".to_owned(),
                    Err(reason) => {
                        failures.push(format!("{name}: {reason}"));
                        format!("FAILED: {reason}")
                    }
                }
            }
        };
        println!("{name:<40} {line}");
    }
    println!(
        "{} scenarios: {played} played, {} of them failed, {} do not apply",
        TABLE.len(),
        failures.len(),
        TABLE.len() - played
    );
    assert!(failures.is_empty(), "{failures:#?}");
}

/// A check that nothing can fail is none: every scenario is played with wrong expectations.
#[test]
fn wrong_scenarios_fail() {
    let _watchdog = support::Watchdog::start(300);
    for (name, case) in TABLE {
        let Applies(plan) = case else {
            continue;
        };
        let scenario = read(name).expect(name);
        let copies = rpl::spoil::wrong_copies(&scenario, plan);
        assert!(!copies.is_empty(), "{name} checks nothing");
        for (copy, step, what) in copies {
            let error = run(&copy, plan).expect_err(&format!("{name}: wrong {what} at {step}"));
            let at = format!("step {step}:");
            assert!(error.starts_with(&at), "{name}, wrong {what}: {error}");
        }
        for queries in [plan.queries - 1, plan.queries + 1] {
            let wrong = Plan { queries, ..*plan };
            let error = run(&scenario, &wrong).expect_err(name);
            assert!(error.contains("queries sent"), "{name}: {error}");
        }
    }
}
