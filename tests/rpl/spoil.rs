//! Scenarios made wrong on purpose: each must fail, or its checks check nothing.

use crate::support::Rr;

use super::expect;
use super::parser::{Action, Entry, Scenario};
use super::runner::Plan;

/// An address that no scenario has.
const WRONG_ADDRESS: &str = "203.0.113.99";

/// Wrong copies with the step at which each must fail and what was changed.
pub fn wrong_copies(scenario: &Scenario, plan: &Plan) -> Vec<(Scenario, u32, &'static str)> {
    let mut copies = Vec::new();
    for (index, step) in scenario.steps.iter().enumerate() {
        let Action::CheckAnswer(entry) = &step.action else {
            continue;
        };
        let wants_stale = plan.wants_stale(step.number, entry);
        // What stands for a stale absence is what the server says now.
        if !plan.plays(step.number) || (wants_stale && entry.answers.is_empty()) {
            continue;
        }
        let mut add = |wrong: Entry, what| {
            let mut copy = scenario.clone();
            copy.steps[index].action = Action::CheckAnswer(wrong);
            copies.push((copy, step.number, what));
        };
        let Some((name, qtype)) = &entry.question else {
            continue;
        };
        let mut wrong = entry.clone();
        wrong.flags &= !15;
        wrong.answers = vec![Rr::a(name, 60, WRONG_ADDRESS)];
        add(wrong, "address");
        let mut wrong = entry.clone();
        wrong.flags = (wrong.flags & !15) | if entry.rcode() == 2 { 3 } else { 2 };
        add(wrong, "rcode");
        let has_ttl = expect::of_entry(entry, name, *qtype).ttl().is_some();
        // The TTL of stale data is the library's own.
        if has_ttl && entry.has_match("ttl") && !wants_stale {
            let mut wrong = entry.clone();
            for record in wrong.answers.iter_mut().chain(&mut wrong.authorities) {
                // Down, for what is above a SOA record's MINIMUM changes nothing.
                record.ttl = record.ttl.checked_sub(1).unwrap_or(1);
            }
            add(wrong, "ttl");
        }
    }
    copies
}
