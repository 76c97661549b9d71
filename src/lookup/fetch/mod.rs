//! A lookup: the cache, another process's query, a query of its own.
//!
//! This file goes from the cache to an entry, and follows aliases. `asking` gets the answer to one question. `query`
//! sends the question, with its `companions`. `search_list` looks at the names that a relative name may stand for,
//! `renewal` at expired entries. `times` bounds the time for all of that.

mod asking;
mod companions;
mod query;
mod renewal;
mod search_list;
mod times;

use crate::cache::{Cache, EntryRef, HashedName, NegativeKind, Presence, Vacancy, due};
use crate::error::{Failure, LookupError};
use crate::host::clock;
use crate::host::counters::{self, Counter};
use crate::host::metrics::{self, Metric};
use crate::rr::{MAX_CNAME_HOPS, Name, RecordType};

use super::flight::{self, Attempt, Terms};
use super::known::{Known, count_hit, known, tell_cached, usable};
use super::source::Source;
use super::store::Next;
use super::{backoff, open, stale};
use times::Times;

/// Lists names that are worth asking for together with one that has to be asked for.
pub type Others<'a> = dyn Fn() -> Vec<Vec<u8>> + 'a;

/// The state of a lookup.
pub(super) struct Lookup<'a> {
    cache: &'static Cache,
    qtype: RecordType,
    flags: u32,
    /// CNAMEs that may still be followed, in the cache and in answers together.
    hops: usize,
    /// The lookup has sent a query.
    asked: bool,
    /// A candidate of a walk could not be asked for, whatever was served instead.
    met_failure: bool,
    /// The question under way counts among those that a call may ask: the first candidate of a walk does.
    counts: bool,
    /// The lookup is about the addresses of the name that the caller gave: when it fails, no other way is left.
    is_last_resort: bool,
    times: Times,
    /// How the question under way is asked, if nobody else does.
    terms: Option<Terms>,
    /// Names to ask for along with the first.
    others: Option<&'a Others<'a>>,
    /// Longest life of the answers, s.
    longest_life_s: u32,
    /// The last look into the cache found nothing on the name that is asked for.
    is_unknown: bool,
    /// The bucket that had nothing on the caller's name at the first look.
    vacancy: Option<Vacancy<'static>>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(
        cache: &'static Cache,
        qtype: RecordType,
        flags: u32,
        others: Option<&'a Others<'a>>,
    ) -> Self {
        Self {
            cache,
            qtype,
            flags,
            hops: MAX_CNAME_HOPS,
            asked: false,
            met_failure: false,
            counts: true,
            is_last_resort: false,
            times: Times::default(),
            terms: None,
            others,
            longest_life_s: u32::MAX,
            is_unknown: false,
            vacancy: None,
        }
    }

    /// Marks a lookup of addresses as the last resort, see [`Self::is_last_resort`].
    pub(super) fn with_last_resort(mut self) -> Self {
        self.is_last_resort = matches!(self.qtype, RecordType::A | RecordType::AAAA);
        self
    }

    /// The entry, and where it came from.
    pub(super) fn run(
        mut self,
        name: &HashedName<'_>,
        absolute: bool,
    ) -> Result<(EntryRef, Source), LookupError> {
        if let Presence::Nothing(vacancy) = self.cache.presence(name, self.qtype) {
            return self.run_unknown(name, absolute, vacancy);
        }
        let mut hops = self.hops;
        let mut found = known(self.cache, name.name(), self.qtype, &mut hops);
        if found.is_failure() && open::look_at_unwaited() {
            hops = self.hops;
            found = known(self.cache, name.name(), self.qtype, &mut hops);
        }
        let target = match found {
            Known::Entry(entry) => {
                if entry.negative().is_some_and(NegativeKind::is_failure)
                    && let Some(stale) = stale::find(self.cache, name.name(), self.qtype, self.hops)
                {
                    return Ok(stale::serve(stale));
                }
                count_hit(entry.negative());
                tell_cached(name.name(), self.qtype, &entry);
                return usable(entry).map(|entry| (entry, Source::Cache));
            }
            Known::TooLong => return Err(LookupError::CnameChain),
            Known::Miss(target) => target,
        };
        self.hops = hops;
        // The target of a CNAME is absolute, however the caller wrote the name.
        let target = target
            .as_ref()
            .map(|target| self.cache.hashed(target.as_bytes()));
        let (name, absolute) = target
            .as_ref()
            .map_or((name, absolute), |name| (name, true));
        if let Some(stale) = stale::find(self.cache, name.name(), self.qtype, self.hops) {
            let key = flight::key_of(self.cache, name, self.qtype);
            return self.renew(stale, key, |lookup, attempt| {
                lookup.fetch(name, absolute, attempt)
            });
        }
        self.run_unknown(name, absolute, None)
    }

    /// As [`Self::run`], for a name that the cache has nothing of use on.
    pub(super) fn run_unknown(
        mut self,
        name: &HashedName<'_>,
        absolute: bool,
        vacancy: Option<Vacancy<'static>>,
    ) -> Result<(EntryRef, Source), LookupError> {
        self.vacancy = vacancy;
        let result = self.fetch(name, absolute, None);
        self.conclude(result)
    }

    /// Counts a lookup that asked, and adds the source of its result.
    fn conclude(
        &self,
        result: Result<EntryRef, LookupError>,
    ) -> Result<(EntryRef, Source), LookupError> {
        // A question that is left open is looked up again, and counted then.
        if !matches!(result, Err(LookupError::Open)) {
            metrics::count(Metric::Miss);
        }
        if self.asked && result.is_err() {
            counters::increment(Counter::FailedRequest);
        }
        result.map(|entry| (entry, self.source()))
    }

    fn source(&self) -> Source {
        if self.asked {
            Source::Network
        } else {
            Source::Cache
        }
    }

    /// Asks, and follows the aliases that come back, until there is an entry.
    fn fetch(
        &mut self,
        name: &HashedName<'_>,
        absolute: bool,
        attempt: Option<Attempt>,
    ) -> Result<EntryRef, LookupError> {
        let next = self.ask(name, absolute, attempt);
        // The vacancy is about this name alone, not about the targets of its aliases.
        self.vacancy = None;
        self.follow(next?)
    }

    /// Follows the aliases that come back until there is an entry.
    fn follow(&mut self, mut next: Next) -> Result<EntryRef, LookupError> {
        loop {
            let target = match next {
                Next::Entry(entry) => return usable(entry),
                Next::Ask(target) => target,
            };
            let hops = self.hops;
            let found = match known(self.cache, target.as_bytes(), self.qtype, &mut self.hops) {
                Known::Entry(entry) => usable(entry).map(Next::Entry),
                Known::TooLong => return Err(LookupError::CnameChain),
                Known::Miss(further) => self.ask_for_target(further.as_ref().unwrap_or(&target)),
            };
            next = match found {
                Ok(next) => next,
                Err(error) => return self.stale_of_target(&target, hops, error),
            };
        }
    }

    /// Asks for the target of an alias: where there are expired records, not again right after a failure, and with the
    /// patience of a call that has these.
    fn ask_for_target(&mut self, target: &Name) -> Result<Next, LookupError> {
        let name = self.cache.hashed(target.as_bytes());
        if stale::find(self.cache, target.as_bytes(), self.qtype, self.hops).is_some() {
            let key = flight::key_of(self.cache, &name, self.qtype);
            if backoff::is_waiting(key, clock::now_ticks()) {
                return Err(LookupError::Failed(Failure::Timeout));
            }
            self.times.patience_ms.get_or_insert(stale::PATIENCE_MS);
        }
        self.ask(&name, true, None)
    }

    /// The expired records of an alias's target that nothing newer can be had of, where there are any: who led to the
    /// target has just been asked.
    fn stale_of_target(
        &mut self,
        target: &Name,
        hops: usize,
        error: LookupError,
    ) -> Result<EntryRef, LookupError> {
        if !matches!(error, LookupError::Failed(_) | LookupError::OutOfMemory) {
            return Err(error);
        }
        let stale = stale::find(self.cache, target.as_bytes(), self.qtype, hops).ok_or(error)?;
        self.met_failure = true;
        if due::is_refresher_alive(clock::now_ticks()) {
            self.cache.note_due(&stale.expired, self.qtype);
        }
        Ok(stale::serve(stale).0)
    }

    /// True when the question under way may be left open.
    fn may_leave(&self) -> bool {
        self.times.patience_ms.is_none() && open::may_leave()
    }
}
