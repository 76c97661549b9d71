//! The report of a soak.

use std::fmt::Write as _;

use super::plan::{End, Plan};
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
        "# Soak\n\nWritten by `{}` on {}, {build} build, {cores} processors ({model}).\n\n\
         {} processes on one cache at once: lookups through a server with TTLs of 1 to 4 s, walks through\n\
         all targets of SIP domains, copies of hot names, a flood of made-up names, edits and flushes, changes\n\
         of options (`dns_cache_mem` between 150 and 2000 KiB among them), garbage collection every 0.1 s.\n\
         {}\
         Another is stopped as often: for less than 0.1 s, or now and then for up to 3.5 s, which is longer than\n\
         anybody waits for the writer lock. A quarter of the new ones stop at such a point. Every address found\n\
         is compared with the one that its name has.\n\n\
         | | |\n|---|---|\n",
        command(&o.plan),
        date.trim(),
        o.plan.processes,
        disturbances(&o.plan),
    );
    let steps_of = |place| o.steps.iter().skip(place).step_by(ROLES.len());
    let roles: Vec<String> = ROLES
        .iter()
        .take(o.steps.len())
        .enumerate()
        .map(|(place, role)| {
            format!(
                "{role:?} {}",
                steps_of(place).map(|n| u64::from(*n)).sum::<u64>()
            )
        })
        .collect();
    let rows = [
        ("seconds", o.seconds.to_string()),
        ("steps of each role", roles.join(", ")),
        ("killed at random moments", o.deeds.kills.to_string()),
        (
            "died at chosen points",
            o.deeds.deaths_at_points.to_string(),
        ),
        (
            "ended when they were asked to",
            o.deeds.ends_by_word.to_string(),
        ),
        ("stopped at random moments", o.deeds.stops.to_string()),
        (
            "stopped at chosen points",
            o.deeds.stops_at_points.to_string(),
        ),
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
        (
            "lookups that failed because a process was stopped with the writer lock and the reserve was used up",
            o.no_blocks.to_string(),
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

/// What makes such a report again.
fn command(plan: &Plan) -> String {
    let mut words = "make soak".to_owned();
    if let End::After(time) = plan.end {
        let _ = write!(words, " SECONDS={}", time.as_secs());
    }
    if plan.processes != ROLES.len() {
        let _ = write!(words, " PROCESSES={}", plan.processes);
    }
    match plan.end {
        End::Deeds(number) => {
            let _ = write!(words, " KILLS={number}");
        }
        End::After(_) if !plan.may_kill => words += " KILLS=0",
        End::After(_) => {}
    }
    words
}

/// How processes come to their ends.
fn disturbances(plan: &Plan) -> &'static str {
    if plan.may_kill {
        "Every 20 to 80 ms one of them is killed. A quarter of those in their place die at a chosen point inside a\n\
         writer's section, or while they ask for others.\n"
    } else {
        "Every 20 to 80 ms one of them is asked to end, and another takes its place. Nobody is killed: this system\n\
         would not pass on the lock of one that was.\n"
    }
}
