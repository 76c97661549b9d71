//! The report of a soak.

use std::fmt::Write as _;

use super::{Outcome, ROLES};

/// The outcome as text; `alone_ns` is what a copy takes when nothing else goes on.
pub(super) fn report(outcome: &Outcome, alone_ns: f64) -> String {
    let o = outcome;
    let mut text = String::new();
    let machine = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = machine
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("?", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let date = std::process::Command::new("date").arg("+%Y-%m-%d").output();
    let date = date.map_or_else(
        |_| String::new(),
        |d| String::from_utf8_lossy(&d.stdout).into(),
    );
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let _ = write!(
        text,
        "# Soak\n\nWritten by `make soak SECONDS={}` on {}, {} build, {cores} processors ({model}).\n\n\
         Ten processes on one cache at once: lookups through a server with TTLs of 1 to 4 s, walks through\n\
         all targets of SIP domains, copies of hot names, a flood of made-up names, edits and flushes, changes\n\
         of options (`dns_cache_mem` between 150 and 2000 KiB among them), garbage collection every 0.1 s.\n\
         Every 20 to 80 ms one of them is killed, half of those in their place die at a chosen point\n\
         inside a writer's section. Every address found is compared with the one that its name has.\n\n\
         | | |\n|---|---|\n",
        o.seconds,
        date.trim(),
        build
    );
    let roles: Vec<String> = ROLES
        .iter()
        .zip(&o.steps)
        .map(|(role, steps)| format!("{role:?} {steps}"))
        .collect();
    let rows = [
        ("steps of each process", roles.join(", ")),
        ("killed at random moments", o.kills.to_string()),
        ("died at chosen points", o.deaths_at_points.to_string()),
        ("repairs by the next writer", o.repairs.to_string()),
        ("complete recounts, all exact", o.audits.to_string()),
        (
            "references lost with the dead",
            o.lost_references.to_string(),
        ),
        (
            "most memory in use, octets (largest limit 2,048,000)",
            o.most_used.to_string(),
        ),
        (
            "lookups that failed because the asking process was killed or the query was lost",
            o.failed_lookups.to_string(),
        ),
        ("copies of hot names", o.copies.to_string()),
        (
            "processor time of one, as a multiple of that of one when nothing else goes on",
            format!("{:.2}", o.copy_ns / alone_ns),
        ),
        (
            "longest of those, processor time, µs",
            (o.slowest_copy_ns / 1000).to_string(),
        ),
        (
            "longest hold of the writer lock, processor time, repairs left out, µs",
            (o.longest_hold_ns / 1000).to_string(),
        ),
    ];
    for (what, value) in rows {
        let _ = writeln!(text, "| {what} | {value} |");
    }
    text
}
