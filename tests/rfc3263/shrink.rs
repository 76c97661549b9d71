//! Makes a case that fails smaller.

use super::case::{Case, Mismatch};
use super::policy::Policy;
use super::zone::{State, Zone};

/// The kind of a mismatch: cases are made smaller as long as it stays.
fn kind(mismatch: &Mismatch) -> &str {
    mismatch.way.split(" (step").next().unwrap_or_default()
}

/// A smaller case that has a mismatch of the same kind, and that mismatch.
pub fn smallest(case: &Case, mismatch: &Mismatch, flush: &dyn Fn()) -> (Case, Mismatch) {
    let (mut case, mut mismatch) = (case.clone(), mismatch.clone());
    loop {
        let smaller = candidates(&case).into_iter().find_map(|candidate| {
            flush();
            let found = candidate.check().mismatches;
            let same = found.into_iter().find(|m| kind(m) == kind(&mismatch))?;
            Some((candidate, same))
        });
        match smaller {
            Some(found) => (case, mismatch) = found,
            None => return (case, mismatch),
        }
    }
}

/// Cases with one thing less.
fn candidates(case: &Case) -> Vec<Case> {
    let mut list = Vec::new();
    let zone = &case.zone;
    let with = |zone: Zone| Case {
        zone,
        ..case.clone()
    };
    for index in 0..zone.sets.len() {
        let mut smaller = zone.clone();
        smaller.sets.remove(index);
        list.push(with(smaller));
    }
    for (index, set) in zone.sets.iter().enumerate() {
        let State::Present(data) = &set.state else {
            continue;
        };
        for record in 0..if data.len() > 1 { data.len() } else { 0 } {
            let mut smaller = zone.clone();
            if let State::Present(data) = &mut smaller.sets[index].state {
                data.remove(record);
            }
            list.push(with(smaller));
        }
        if set.ttl == 0 {
            let mut smaller = zone.clone();
            smaller.sets[index].ttl = 600;
            list.push(with(smaller));
        }
    }
    let changes: [fn(&mut Case); 10] = [
        |case| case.zone.additional = false,
        |case| case.zone.chases = true,
        |case| case.child_first = false,
        |case| case.remembers = true,
        |case| case.request.flags &= 16,
        |case| case.request.flags &= !8,
        |case| case.policy.preferences = Policy::usual().preferences,
        |case| case.policy.ignore_rfc = false,
        |case| case.policy.tls_disabled = false,
        |case| case.policy.sctp_disabled = true,
    ];
    for change in changes {
        let mut smaller = case.clone();
        change(&mut smaller);
        if smaller != *case {
            list.push(smaller);
        }
    }
    list
}
