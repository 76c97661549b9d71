//! A lookup of a relative name: looks at the candidates that the search list makes of the name, one after the other.
//!
//! [`Walk`] says which candidates there are, and what each result means for the walk.

use crate::cache::{EntryRef, HashedName};
use crate::error::{Failure, LookupError};
use crate::host::{clock, hooks};
use crate::resolver::{self, Outcome, Question, SearchList};
use crate::rr::{MAX_CNAME_HOPS, Name, RecordType};

use super::super::flight::{self, Attempt};
use super::super::known::{Known, count_hit, known, tell_cached, usable};
use super::super::relative::{Relative, known_relative, list_in_force};
use super::super::source::Source;
use super::super::store::{self, Asked};
use super::super::walk::{Aim, Walk};
use super::super::{backoff, deadline, stale, suspended};
use super::Lookup;

impl Lookup<'_> {
    /// As [`Self::run`], for a relative name, given its absolute one.
    pub(in super::super) fn run_relative(
        mut self,
        qname: &HashedName<'_>,
    ) -> Result<(EntryRef, Source), LookupError> {
        let name = qname.name();
        let Some(list) = list_in_force(self.cache) else {
            return self.run(qname, false);
        };
        let aim = match hooks::swapped_search() {
            // A function of a module's walks by itself, for each type on its own.
            Some(_) => Aim {
                qtype: self.qtype,
                other: None,
            },
            None => Aim::of(self.qtype, self.flags),
        };
        match known_relative(self.cache, qname, aim, list) {
            Relative::Entry(entry) => {
                count_hit(entry.negative());
                tell_cached(qname.name(), aim.qtype, &entry);
                return usable(entry).map(|entry| (entry, Source::Cache));
            }
            Relative::Link(target) => {
                let target = self.cache.hashed(target.as_bytes());
                return self.run(&target, true);
            }
            Relative::Miss => {}
        }
        let key = flight::key_of_walk(self.cache, qname, aim.link());
        if let Some(stale) = stale::find_relative(self.cache, qname, aim, list) {
            return self.renew(stale, key, |lookup, attempt| {
                // Held during the walk, so that others serve stale data meanwhile.
                let waits = || !suspended::is_on();
                let attempt_now = || waits().then(|| lookup.attempt_within_patience(key));
                let claim = match attempt.or_else(attempt_now) {
                    Some(Attempt::Claimed(claim)) => Some(claim),
                    Some(Attempt::Busy(_) | Attempt::Alone) | None => None,
                };
                let result = lookup.walk(name, aim);
                if let Some(claim) = claim {
                    claim.finish(lookup.cache, None);
                }
                if matches!(result, Err(LookupError::Open)) {
                    return result;
                }
                // The walk as a whole is not tried again while a question of it is not: what is stale is served
                // at once.
                if lookup.met_failure {
                    backoff::failed(key, 0, clock::now_ticks());
                } else {
                    backoff::answered(key);
                }
                result
            });
        }
        let result = self.walk(name, aim);
        self.conclude(result)
    }

    /// Walks the search list for a relative name.
    fn walk(&mut self, name: &[u8], aim: Aim) -> Result<EntryRef, LookupError> {
        if hooks::swapped_search().is_some() {
            if suspended::is_on() {
                return Err(LookupError::Failed(Failure::Hook));
            }
            return self.walk_by_function(name, aim);
        }
        let walk = SearchList::current().and_then(|domains| {
            let list = self.cache.list_id(domains.digest()?);
            Some(Walk::begin(name, aim, &domains, list))
        });
        let Some(walk) = walk else {
            // The list is gone since.
            return self.look_at(name, aim.qtype);
        };
        let mut walk = walk.ok_or(LookupError::BadName)?;
        self.times.names = walk.len() as u64;
        loop {
            let Some((candidate, qtype)) = walk.question() else {
                return Err(LookupError::BadName);
            };
            self.longest_life_s = walk.longest_life_s();
            let result = self.look_at(candidate.as_bytes(), qtype);
            if matches!(result, Err(LookupError::Open)) {
                return result;
            }
            self.counts = false;
            if let Some(result) = walk.learn(self.cache, result) {
                return result;
            }
        }
    }

    /// Lets a module's search function walk: the function gets the name as it is written, and says for which name it
    /// answers.
    fn walk_by_function(&mut self, name: &[u8], aim: Aim) -> Result<EntryRef, LookupError> {
        self.may_ask()?;
        let question = Question {
            qname: name,
            qtype: aim.qtype,
        };
        deadline::spend_queries(1);
        let until_ms = self.times.until_ms();
        let outcome = resolver::query(&question, until_ms);
        self.asked |= !matches!(outcome, Outcome::BadName);
        let found = match &outcome {
            Outcome::Answer(answer) => answer.qname.clone(),
            _ => Name::from_text(name).ok_or(LookupError::BadName)?,
        };
        let qname = self.cache.hashed(found.as_bytes());
        let asked = Asked {
            name: found.as_bytes(),
            qtype: aim.qtype,
            longest_life_s: u32::MAX,
            key: flight::key_of(self.cache, &qname, aim.qtype),
            was_unknown: false,
            flags: self.flags,
            renews: false,
            waited_s: 0,
            waits_for_memory: true,
        };
        let next = store::settle(self.cache, &asked, outcome, &mut self.hops);
        let result = next.and_then(|next| self.follow(next));
        match list_in_force(self.cache) {
            Some(list) => Walk::over(name, aim, list, found)
                .and_then(|mut walk| walk.learn(self.cache, result.clone()))
                .unwrap_or(result),
            None => result,
        }
    }

    /// Looks at a candidate of a walk: the cache's entry of the absolute name, or the answer to a question.
    fn look_at(&mut self, name: &[u8], qtype: RecordType) -> Result<EntryRef, LookupError> {
        self.qtype = qtype;
        self.hops = MAX_CNAME_HOPS;
        let mut hops = self.hops;
        let result = match known(self.cache, name, qtype, &mut hops) {
            Known::Entry(entry) => usable(entry),
            Known::TooLong => return Err(LookupError::CnameChain),
            Known::Miss(target) => {
                self.hops = hops;
                let target = target.as_ref().map_or(name, |target| target.as_bytes());
                self.fetch(&self.cache.hashed(target), true, None)
            }
        };
        match result {
            // Nothing better can be had.
            Err(LookupError::Failed(failure)) => {
                self.met_failure = true;
                stale::find(self.cache, name, qtype, MAX_CNAME_HOPS)
                    .map(|stale| stale::serve(stale).0)
                    .ok_or(LookupError::Failed(failure))
            }
            result => result,
        }
    }
}
