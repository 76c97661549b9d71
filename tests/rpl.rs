//! Replays unbound's scenarios against the library's lookup: clients, scripted servers, a clock
//! that only the scenario moves.
//!
//! Unbound is a recursive server and this is a stub with a cache, so scenarios are played as
//! follows: the server of a `forward-zone` or `stub-zone` is the stub's nameserver; where unbound
//! starts at the root, the server that knows the answer in the end is, or one that knows what all of them know.
//! `rpl/scenarios.txt` says so for each, and how many
//! queries must go out, no more and no fewer. Where unbound serves expired data (`MATCH ede=3`) the
//! library must, too, with its own TTL for it. A refresher works in the background where unbound fetches data
//! ahead, or answers first and asks afterwards.
//!
//! The scenarios are not in the repository: `make fetch` gets them from Debian's source packages. What needs them is
//! ignored unless it is asked for; ci/test.sh does that when they are there, and else counts it as skipped.

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
    pub mod parser;
    pub mod runner;
    pub mod settings;
    pub mod spoil;
    pub mod table;
}

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rpl::parser::Scenario;
use rpl::runner::{Plan, Verdict, play};
use rpl::table::{Case, Table};

/// Runs that real time may spoil before a scenario counts as failed.
const MAX_RUNS: usize = 200;

/// Debian's releases, the one with the most scenarios last. Not every archive has that one's package.
const RELEASES: [&str; 2] = ["bookworm", "trixie"];

/// One release's scenarios.
struct Package {
    release: &'static str,
    version: String,
    /// By name.
    files: BTreeMap<String, PathBuf>,
}

/// The packages that are there; the first one always is.
fn packages() -> Vec<Package> {
    let folder = |release: &str| support::corpus_folder(&format!("unbound-{release}"));
    let mut found = vec![package(
        RELEASES[0],
        support::corpus(&format!("unbound-{}", RELEASES[0])),
    )];
    found.extend(
        RELEASES[1..]
            .iter()
            .filter_map(|release| Some(package(release, folder(release)?))),
    );
    found
}

fn package(release: &'static str, folder: PathBuf) -> Package {
    let version = std::fs::read_to_string(folder.join(".complete")).expect("the package's version");
    let files = std::fs::read_dir(folder.join("testdata"))
        .expect("the folder can be read")
        .filter_map(|file| Some(file.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "rpl"))
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path)))
        .collect();
    Package {
        release,
        version: version.trim().to_owned(),
        files,
    }
}

fn read(path: &PathBuf) -> Result<Scenario, String> {
    // Comments in these files are not all UTF-8.
    let octets = std::fs::read(path).map_err(|error| error.to_string())?;
    rpl::parser::parse(&String::from_utf8_lossy(&octets))
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

/// What became of a package's scenarios.
#[derive(Default)]
struct Count {
    played: usize,
    not: usize,
    failures: Vec<String>,
    /// The table says nothing about them.
    unlisted: Vec<String>,
}

fn play_all(table: &Table, package: &Package) -> Count {
    let mut count = Count::default();
    for (name, path) in &package.files {
        match table.case(package.release, name) {
            None => count.unlisted.push(name.clone()),
            Some(Case::Not(_)) => count.not += 1,
            Some(Case::Run(plan)) => {
                count.played += 1;
                let line = match read(path).and_then(|scenario| run(&scenario, &plan)) {
                    Ok(()) if plan.until < u32::MAX => format!("passed up to step {}", plan.until),
                    Ok(()) => "passed".to_owned(),
                    Err(reason) => {
                        count
                            .failures
                            .push(format!("{}/{name}: {reason}", package.release));
                        format!("FAILED: {reason}")
                    }
                };
                println!("{}/{name:<44} {line}", package.release);
            }
        }
    }
    count
}

#[test]
#[ignore = "needs unbound's scenarios: make fetch"]
fn unbound_scenarios() {
    let _watchdog = support::Watchdog::start(300);
    let table = Table::read();
    let mut wrong = Vec::new();
    let packages = packages();
    for package in &packages {
        let count = play_all(&table, package);
        println!(
            "unbound {}: {} scenarios: {} played, {} of them failed, {} do not apply, {} not in the table",
            package.version,
            package.files.len(),
            count.played,
            count.failures.len(),
            count.not,
            count.unlisted.len()
        );
        for name in &count.unlisted {
            println!("not in the table: {name}");
        }
        wrong.extend(count.failures);
        // The packages of released versions do not change; who has a newer one than the table hears of what it adds.
        if table.knows(&package.version) {
            wrong.extend(
                count
                    .unlisted
                    .iter()
                    .map(|name| format!("{name} is not in the table")),
            );
        }
        assert!(
            count.played > 50,
            "{}: {} played",
            package.version,
            count.played
        );
    }
    // ci/test.sh counts these lines.
    if packages.len() < RELEASES.len() {
        let seen: BTreeSet<&String> = packages.iter().flat_map(|p| p.files.keys()).collect();
        let left = table.runs().filter(|name| !seen.contains(*name)).count();
        println!(
            "{left} scenarios skipped: only the package of a later release has them, which is not here"
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A check that nothing can fail is none: every scenario is played with wrong expectations.
#[test]
#[ignore = "needs unbound's scenarios: make fetch"]
fn unbound_scenarios_made_wrong_fail() {
    let _watchdog = support::Watchdog::start(300);
    let table = Table::read();
    for package in packages() {
        for (name, path) in &package.files {
            if let Some(Case::Run(plan)) = table.case(package.release, name) {
                wrong_copies_fail(name, &read(path).expect(name), &plan);
            }
        }
    }
}

fn wrong_copies_fail(name: &str, scenario: &Scenario, plan: &Plan) {
    let copies = rpl::spoil::wrong_copies(scenario, plan);
    assert!(!copies.is_empty(), "{name} checks nothing");
    for (copy, step, what) in copies {
        let error = run(&copy, plan).expect_err(&format!("{name}: wrong {what} at {step}"));
        let at = format!("step {step}:");
        assert!(error.starts_with(&at), "{name}, wrong {what}: {error}");
    }
    for queries in [plan.queries - 1, plan.queries + 1] {
        let mut wrong = plan.clone();
        wrong.queries = queries;
        let error = run(scenario, &wrong).expect_err(name);
        assert!(error.contains("queries sent"), "{name}: {error}");
    }
}
