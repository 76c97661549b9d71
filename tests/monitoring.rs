//! What is shipped for Prometheus and Grafana speaks of numbers that Kamailio's counter framework gets from us.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]

use std::collections::BTreeSet;
use std::path::Path;

use kamailio_dns::ffi::gauges;
use kamailio_dns::host::query_times::CLASSES;

/// What xhttp_prom writes before the name, with the group.
const PREFIX: &str = "kamailio_dns_";
/// Names of groups and files, no numbers.
const OTHERS: [&str; 2] = ["kamailio_dns", "kamailio_dns_alerts"];

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/prometheus");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == ':'
}

/// Words of a text that begin as our numbers do.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter| !is_of_name(letter));
    words
        .filter(|word| word.starts_with("kamailio_dns") && !OTHERS.contains(word))
        .collect()
}

/// What the rules record.
fn recorded(rules: &str) -> BTreeSet<&str> {
    let lines = rules.lines();
    lines
        .filter_map(|line| line.trim().strip_prefix("- record: "))
        .collect()
}

fn shown() -> BTreeSet<String> {
    let of_original = ["failed_dns_request", "slow_dns_request"];
    let ours = gauges::all().map(|number| number.name.to_str().unwrap().to_owned());
    ours.chain(of_original.map(str::to_owned))
        .map(|name| format!("{PREFIX}{name}"))
        .collect()
}

#[test]
fn every_name_is_shown_or_recorded() {
    let (rules, shown) = (file("rules.yml"), shown());
    let recorded = recorded(&rules);
    assert!(recorded.len() > 10);
    for name in [
        "rules.yml",
        "alerts.yml",
        "alerts_test.yml",
        "dashboard.json",
    ] {
        let text = file(name);
        let named = named(&text);
        assert!(named.len() > 10, "{name}: {named:?}");
        for word in named {
            let is_there = shown.contains(word) || recorded.contains(word);
            assert!(is_there, "{name} speaks of {word}");
        }
    }
}

/// The name that a line of the rules takes, and the label that it gets.
fn rule(rules: &str, record: &str, expr: &str, label: &str) -> bool {
    let wanted = format!(
        "      - record: {record}\n        expr: {expr}\n        labels:\n          {label}\n"
    );
    rules.contains(&wanted)
}

#[test]
fn the_rules_make_a_whole_histogram() {
    let rules = file("rules.yml");
    for class in CLASSES {
        let seconds = class.le_us as f64 / 1e6;
        let expr = format!("{PREFIX}{}", class.name.to_str().unwrap());
        let label = format!("le: \"{seconds}\"");
        assert!(
            rule(&rules, "kamailio_dns_query_seconds_bucket", &expr, &label),
            "{expr} {label}"
        );
    }
    let count = "kamailio_dns_query_count";
    assert!(rule(
        &rules,
        "kamailio_dns_query_seconds_bucket",
        count,
        "le: \"+Inf\""
    ));
    let buckets = rules.matches("record: kamailio_dns_query_seconds_bucket");
    assert_eq!(buckets.count(), CLASSES.len() + 1);
}

#[test]
fn the_rules_know_every_slot() {
    let rules = file("rules.yml");
    for slot in 1..=gauges::SLOTS {
        let label = format!("slot: \"{slot}\"");
        let state = format!("{PREFIX}server_{slot}_state");
        assert!(rule(&rules, "kamailio_dns_server_state", &state, &label));
        let round_trip = format!("{PREFIX}server_{slot}_rtt_us / 1e6");
        let record = "kamailio_dns_server_rtt_seconds";
        assert!(rule(&rules, record, &round_trip, &label));
    }
}

/// Numbers that Kamailio has are described where people look.
#[test]
fn every_number_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/observability.md");
    let text = std::fs::read_to_string(path).unwrap();
    for number in gauges::all() {
        let name = number.name.to_str().unwrap();
        let of_slot = name.strip_prefix("server_1_");
        let documented = match of_slot {
            Some(what) => format!("`server_1_{what}` to `server_8_{what}`"),
            None if name.starts_with("server_") => continue,
            None => format!("`{name}`"),
        };
        assert!(text.contains(&documented), "{documented}");
    }
}
