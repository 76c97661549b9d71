//! Questions that are sent along with another one, so that their answers are in the cache when they are needed.

use crate::cache::HashedName;
use crate::host::{clock, hooks};
use crate::resolver::{Part, SearchList};
use crate::rr::{MAX_CNAME_HOPS, RecordType};

use super::super::flight::{self, Attempt, Claim};
use super::super::request::{question_text, split_absolute};
use super::super::store::{self, Asked};
use super::super::walk::Aim;
use super::super::{backoff, open};
use super::Lookup;

/// A question that goes along with another.
pub(super) struct Companion {
    key: u64,
    name: Vec<u8>,
    pub(super) text: Vec<u8>,
    pub(super) qtype: RecordType,
    claim: Option<Claim>,
}

impl Lookup<'_> {
    /// The questions that this query takes along: those that are neither answered in the cache nor being asked.
    pub(super) fn companions(&mut self, name: &HashedName<'_>) -> Vec<Companion> {
        let mut companions = Vec::new();
        self.along(name, |lookup, name, qtype| {
            companions.extend(lookup.companion(name, qtype));
        });
        companions
    }

    /// Shows the questions that this one may take along: the other address type, if both are wanted, and what the
    /// caller lists.
    pub(super) fn along(
        &mut self,
        name: &HashedName<'_>,
        mut see: impl FnMut(&Self, &HashedName<'_>, RecordType),
    ) {
        if let Some(other) = Aim::of(self.qtype, self.flags).other {
            see(self, name, other);
        }
        // A search function of a module's can only be asked one question after the other.
        let others = self.others.take();
        let others = others.filter(|_| hooks::swapped_search().is_none());
        if let Some(others) = others {
            let domains = SearchList::current();
            for other in others() {
                let first = first_name(&other, domains.as_ref());
                see(self, &self.cache.hashed(&first), self.qtype);
            }
        }
    }

    /// The key of a question whose answer is not known, and that has not failed a moment ago.
    pub(super) fn is_worth_asking(&self, name: &HashedName<'_>, qtype: RecordType) -> Option<u64> {
        let now = clock::now_ticks();
        let key = flight::key_of(self.cache, name, qtype);
        let is_known = || self.cache.acquire_hashed(name, qtype, now).is_some();
        let is_of_no_use =
            self.cache.may_know(name, qtype) && is_known() || backoff::is_waiting(key, now);
        (!is_of_no_use).then_some(key)
    }

    fn companion(&self, name: &HashedName<'_>, qtype: RecordType) -> Option<Companion> {
        let key = self.is_worth_asking(name, qtype)?;
        let claim = match flight::attempt(self.cache, key, self.terms?.alone()) {
            Attempt::Busy(_) => return None,
            Attempt::Claimed(claim) => Some(claim),
            Attempt::Alone => None,
        };
        Some(Companion {
            key,
            name: name.name().to_vec(),
            text: question_text(name.name(), true).into_owned(),
            qtype,
            claim,
        })
    }

    /// Stores the outcomes of the questions that were asked along.
    pub(super) fn settle_companions(
        &self,
        companions: Vec<Companion>,
        parts: Vec<Part>,
        first: &Asked<'_>,
        when: (u64, Option<u64>),
    ) {
        for (companion, part) in companions.into_iter().zip(parts) {
            let asked = Asked {
                name: &companion.name,
                qtype: companion.qtype,
                key: companion.key,
                was_unknown: false,
                waits_for_memory: false,
                ..*first
            };
            let outcome = match part {
                Part::Done(outcome) => outcome,
                Part::Open(ticket) => {
                    open::add(&asked, (ticket, companion.claim), when, false);
                    continue;
                }
                // Nothing was learnt; a process that waits for the answer asks.
                Part::GivenUp => continue,
            };
            let mut hops = MAX_CNAME_HOPS;
            let result = store::settle(self.cache, &asked, outcome, &mut hops);
            if let Some(claim) = companion.claim {
                claim.finish(self.cache, store::verdict_of(&result));
            }
        }
    }
}

/// The absolute name that is looked at first for a name as the caller writes it.
fn first_name(name: &[u8], domains: Option<&SearchList>) -> Vec<u8> {
    let (name, absolute) = split_absolute(name);
    let domains = domains.filter(|_| !absolute);
    let candidates = domains.and_then(|domains| domains.candidates(name));
    let first = candidates
        .as_ref()
        .and_then(|candidates| candidates.first());
    first.map_or_else(|| name.to_vec(), |first| first.as_bytes().to_vec())
}
