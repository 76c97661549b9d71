//! One lookup: the cache, another process's query, a query of its own.

use crate::cache::{Cache, EntryRef, HashedName, NegativeKind, Presence, Vacancy, due};
use crate::error::{Failure, LookupError};
use crate::host::counters::{self, Counter};
use crate::host::follow::follow;
use crate::host::log::{self, Level};
use crate::host::metrics::{self, Metric};
use crate::host::news::{self, Subject};
use crate::host::stats::{self, Stat};
use crate::host::{clock, hooks};
use crate::resolver::{self, Outcome, Part, Question, SearchList};
use crate::rr::{MAX_CNAME_HOPS, Name, RecordType};

use super::additional::uses_additional;
use super::crowd::{self, InCrowd};
use super::flight::{self, Attempt, Claim, Terms, Verdict, Waited};
use super::known::{Known, count_hit, known, tell_cached, usable};
use super::relative::{Relative, known_relative, list_in_force};
use super::request::{question_text, split_absolute};
use super::source::Source;
use super::stale::{self, Stale};
use super::store::{self, Asked, Next};
use super::suspended::{self, Wanted};
use super::walk::{Aim, Walk};
use super::{backoff, deadline, handed_on, open, watchdog};

/// Questions waited for that leave nothing, before the query is sent whoever asks.
const MAX_WAITS: usize = 3;

/// Lists names that are worth asking for together with one that has to be asked for.
pub type Others<'a> = dyn Fn() -> Vec<Vec<u8>> + 'a;

/// One lookup.
pub(super) struct Lookup<'a> {
    cache: &'static Cache,
    qtype: RecordType,
    flags: u32,
    /// CNAMEs that may still be followed, in the cache and in answers together.
    hops: usize,
    /// A query was sent.
    asked: bool,
    /// A candidate of a walk could not be asked for, whatever was served instead.
    met_failure: bool,
    /// The question under way counts among those that a call may ask: the first candidate of a walk does.
    counts: bool,
    /// It is about the addresses of what the caller named: nothing else can be done when it fails.
    is_last_resort: bool,
    /// When the call's deadline has the question under way end, ms.
    question_end_ms: Option<u64>,
    /// When the first question was asked or waited for, ms of [`resolver::now_ms`].
    started_ms: Option<u64>,
    /// Time for everything from then on, ms; `None` = the longest that is documented.
    patience_ms: Option<u64>,
    /// The time, ms of [`resolver::now_ms`], as long as nothing was waited for since it was read.
    clock_ms: Option<u64>,
    /// How the question under way is asked, if nobody else does.
    terms: Option<Terms>,
    /// Since when others have asked the question under way while this lookup waited, ms of [`resolver::now_ms`].
    silent_since_ms: Option<u64>,
    /// Names to ask for along with the first.
    others: Option<&'a Others<'a>>,
    /// Longest life of what is asked for, s.
    longest_life_s: u32,
    /// Names that may be asked for, one after the other.
    names: u64,
    /// The cache had nothing on the name that is asked for when it was looked at last.
    is_unknown: bool,
    /// Where it had nothing on the caller's name before that was asked for.
    vacancy: Option<Vacancy<'static>>,
}

/// What a query is about.
#[derive(Clone, Copy)]
struct Asking<'q> {
    name: &'q HashedName<'q>,
    question: Question<'q>,
    /// Key of the question.
    key: u64,
}

/// Who asks a question.
enum Asks {
    /// This lookup.
    We(Option<Claim>),
    /// Another did, with this result.
    Other(Result<Next, LookupError>),
}

/// A question that is sent because another one is, so that its answer waits in the cache.
struct Companion {
    key: u64,
    name: Vec<u8>,
    text: Vec<u8>,
    qtype: RecordType,
    claim: Option<Claim>,
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
            question_end_ms: None,
            started_ms: None,
            patience_ms: None,
            clock_ms: None,
            terms: None,
            silent_since_ms: None,
            others,
            longest_life_s: u32::MAX,
            names: 1,
            is_unknown: false,
            vacancy: None,
        }
    }

    /// As [`Self::run`], for a relative name, given its absolute one.
    pub(super) fn run_relative(
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
                // Held while we walk: others serve what is stale.
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
        count_miss(&result);
        if self.asked && result.is_err() {
            counters::increment(Counter::FailedRequest);
        }
        result.map(|entry| (entry, self.source()))
    }

    /// Says that the question is about the addresses of what the caller named, see [`Self::is_last_resort`].
    pub(super) fn with_last_resort(mut self) -> Self {
        self.is_last_resort = matches!(self.qtype, RecordType::A | RecordType::AAAA);
        self
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
        self.names = walk.len() as u64;
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

    /// Has a search function of a module's walk: it gets the name as it is written, and says for which name it
    /// answers.
    fn walk_by_function(&mut self, name: &[u8], aim: Aim) -> Result<EntryRef, LookupError> {
        self.may_ask()?;
        let question = Question {
            qname: name,
            qtype: aim.qtype,
        };
        deadline::spend_queries(1);
        let until_ms = self.until_ms();
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

    /// One candidate of a walk: what the cache has on an absolute name, or what asking gives.
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
                    .map(|stale| serve(stale).0)
                    .ok_or(LookupError::Failed(failure))
            }
            result => result,
        }
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
                    return Ok(serve(stale));
                }
                count_hit(entry.negative());
                tell_cached(name.name(), self.qtype, &entry);
                return usable(entry).map(|entry| (entry, Source::Cache));
            }
            Known::TooLong => return Err(LookupError::CnameChain),
            Known::Miss(target) => target,
        };
        self.hops = hops;
        // What a CNAME points to is absolute, however the caller wrote the name.
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
        count_miss(&result);
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

    /// Stale data is there: gives it, or what this call finds out with `fetch` when it is the one that has to ask the
    /// question with this key.
    fn renew(
        mut self,
        stale: Stale,
        key: u64,
        fetch: impl FnOnce(&mut Self, Option<Attempt>) -> Result<EntryRef, LookupError>,
    ) -> Result<(EntryRef, Source), LookupError> {
        if backoff::is_waiting(key, clock::now_ticks()) {
            return Ok(serve(stale));
        }
        let mut attempt = None;
        let has_refresher = due::is_refresher_alive(clock::now_ticks());
        // With a refresher the question goes on when this call has had enough of it.
        let patience_ms = || match has_refresher {
            true => resolver::usual_ms(),
            false => stale::PATIENCE_MS,
        };
        if stale.is_recent && has_refresher {
            if stale.was_noted {
                self.cache.note_due(&stale.expired, self.qtype);
            }
            return Ok(serve(stale));
        }
        if suspended::is_on() {
            if !suspended::is_patient(key, patience_ms()) {
                return Ok(serve(stale));
            }
        } else if stale.is_recent || !has_refresher {
            self.patience_ms = Some(patience_ms());
            let now = self.attempt_within_patience(key);
            if stale.is_recent && matches!(now, Attempt::Busy(_)) {
                return Ok(serve(stale));
            }
            attempt = Some(now);
        }
        self.patience_ms = Some(patience_ms());
        match fetch(&mut self, attempt) {
            Err(LookupError::Open) => Err(LookupError::Open),
            Ok(entry) => {
                metrics::count(Metric::Miss);
                // It was in use before, so it is now.
                entry.touch(clock::now_ticks());
                Ok((entry, self.source()))
            }
            Err(LookupError::Failed(_) | LookupError::OutOfMemory) => {
                if has_refresher {
                    self.cache.note_due(&stale.expired, self.qtype);
                }
                Ok(serve(stale))
            }
            Err(error) => {
                metrics::count(Metric::Miss);
                Err(error)
            }
        }
    }

    /// Claims a question that gets no more than the patience of this call, if nobody asks it.
    fn attempt_within_patience(&self, key: u64) -> Attempt {
        let patience_ms = self.patience_ms.or(Some(stale::PATIENCE_MS));
        let terms = Terms::new(resolver::now_ms(), patience_ms, None);
        flight::attempt(self.cache, key, terms.alone())
    }

    /// Asks, and follows the aliases that come back, until there is an entry.
    fn fetch(
        &mut self,
        name: &HashedName<'_>,
        absolute: bool,
        attempt: Option<Attempt>,
    ) -> Result<EntryRef, LookupError> {
        let next = self.ask(name, absolute, attempt);
        // It is about this name alone.
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
            next = match known(self.cache, target.as_bytes(), self.qtype, &mut self.hops) {
                Known::Entry(entry) => return usable(entry),
                Known::TooLong => return Err(LookupError::CnameChain),
                Known::Miss(further) => {
                    let target = further.unwrap_or(target);
                    self.ask(&self.cache.hashed(target.as_bytes()), true, None)?
                }
            };
        }
    }

    /// When this lookup has to end, ms of [`resolver::now_ms`].
    fn until_ms(&mut self) -> Option<u64> {
        let is_first = self.started_ms.is_none();
        let clock_ms = self.clock_ms;
        let started_ms = *self
            .started_ms
            .get_or_insert_with(|| clock_ms.unwrap_or_else(resolver::now_ms));
        let own = match self.patience_ms {
            Some(ms) => Some(ms),
            // A single query ends by itself in time.
            None if is_first => None,
            None => {
                let queries = deadline::QUERIES_IN_A_ROW.saturating_mul(self.names);
                Some(queries.saturating_mul(resolver::longest_ms()))
            }
        };
        let own = own.map(|ms| started_ms.saturating_add(ms));
        own.into_iter().chain(self.question_end_ms).min()
    }

    /// Gets the answer to one question: from another process that is asking it, or by a query.
    fn ask(
        &mut self,
        name: &HashedName<'_>,
        absolute: bool,
        attempt: Option<Attempt>,
    ) -> Result<Next, LookupError> {
        let key = flight::key_of(self.cache, name, self.qtype);
        if let Some(known) = open::known(key).or_else(|| suspended::known(key)) {
            if matches!(known, Ok(Next::Ask(_))) {
                self.hops = self.hops.checked_sub(1).ok_or(LookupError::CnameChain)?;
            }
            return known;
        }
        if suspended::is_on() {
            return Err(self.write_down(name, key));
        }
        if open::look_at_unwaited()
            && let Some(known) = self.shared(name, None)
        {
            return known;
        }
        if self.may_leave() && open::passes_over(key) {
            return Err(LookupError::Open);
        }
        self.may_ask()?;
        let text = question_text(name.name(), absolute);
        let question = Question {
            qname: &text,
            qtype: self.qtype,
        };
        self.is_unknown = false;
        let asking = Asking {
            name,
            question,
            key,
        };
        let began_ms = deadline::began_ms().or(self.started_ms);
        let began_ms = || began_ms.unwrap_or_else(resolver::now_ms);
        let crowd = crowd::enter(self.cache, name.name(), began_ms);
        let claim = match self.settle_who_asks(&asking, attempt, crowd.as_ref())? {
            Asks::We(claim) => claim,
            Asks::Other(shared) => {
                metrics::count(Metric::Coalesced);
                return shared;
            }
        };
        self.query(&asking, claim, crowd.as_ref())
    }

    /// Writes a question down that is not to be waited for; what there is in this pass.
    #[cold]
    fn write_down(&mut self, name: &HashedName<'_>, key: u64) -> LookupError {
        if let Err(error) = self.may_ask() {
            return error;
        }
        if hooks::swapped_search().is_some() {
            return LookupError::Failed(Failure::Hook);
        }
        if !suspended::may_want(key) {
            return LookupError::Open;
        }
        let (flags, longest_life_s) = (self.flags, self.longest_life_s);
        let wanted = |name: &HashedName<'_>, qtype, key| Wanted {
            name: name.name().to_vec(),
            qtype,
            key,
            longest_life_s,
            flags,
            until_ms: suspended::until_ms(),
        };
        let end_ms = self.question_end_ms;
        let mut questions =
            usize::from(suspended::want(wanted(name, self.qtype, key), end_ms, true));
        self.along(name, |lookup, name, qtype| {
            if let Some(key) = lookup.is_worth_asking(name, qtype) {
                questions += usize::from(suspended::want(wanted(name, qtype, key), end_ms, false));
            }
        });
        if self.counts {
            deadline::spend_queries(questions);
        }
        LookupError::Open
    }

    /// What a call gets that gives up because too many wait.
    #[cold]
    fn give_up(&self, name: &[u8]) -> LookupError {
        // Who has stale data serves that, and goes on.
        if self.patience_ms.is_none() {
            crowd::note_given_up(name);
            deadline::ask_no_more();
        }
        LookupError::Failed(Failure::GivenUp)
    }

    /// Claims the question, or waits for who has claimed it.
    fn settle_who_asks(
        &mut self,
        asking: &Asking<'_>,
        mut attempt: Option<Attempt>,
        crowd: Option<&InCrowd>,
    ) -> Result<Asks, LookupError> {
        let Asking { name, key, .. } = *asking;
        let now_ms = resolver::now_ms();
        let mut terms = Terms::new(now_ms, self.patience_ms, self.question_end_ms);
        self.terms = Some(terms);
        self.silent_since_ms = None;
        self.clock_ms = Some(now_ms);
        terms.alone = backoff::failed_lately(key);
        for _ in 0..MAX_WAITS {
            let attempt = attempt.take();
            let waited = match attempt.unwrap_or_else(|| flight::attempt(self.cache, key, terms)) {
                Attempt::Alone => return Ok(Asks::We(None)),
                Attempt::Claimed(claim) => Waited::Joined(claim),
                Attempt::Busy(_) if self.may_leave() && open::leaves_to_prober(key) => {
                    return Err(LookupError::Open);
                }
                Attempt::Busy(flight) => {
                    let qtype = self.qtype.0;
                    follow!(
                        name.name(),
                        "type {qtype}: another process asks, this one waits"
                    );
                    let left_ms = self.waiting_ms();
                    self.silent_since_ms.get_or_insert(now_ms);
                    let waited = flight.wait(self.cache, left_ms, terms, crowd);
                    terms.now_ms = resolver::now_ms();
                    self.terms = Some(terms);
                    self.clock_ms = None;
                    if !matches!(waited, Waited::TimedOut) {
                        open::others_go_on();
                    }
                    waited
                }
            };
            match waited {
                Waited::Joined(claim) => {
                    // It may have been answered between our look into the cache and the claim.
                    return Ok(match self.shared(name, None) {
                        Some(shared) => {
                            claim.finish(self.cache, None);
                            Asks::Other(shared)
                        }
                        None => Asks::We(Some(claim)),
                    });
                }
                Waited::TimedOut if self.may_leave() && open::leaves_to_others() => {
                    return Err(LookupError::Open);
                }
                // Two have asked all the time that we had for one query, and there is more.
                Waited::TimedOut if self.waiting_ms() > 0 => {}
                Waited::GivenUp => return Err(self.give_up(name.name())),
                Waited::TimedOut | Waited::LeftToAnother => {
                    deadline::is_over();
                    return Err(self.waited_in_vain(asking));
                }
                Waited::Over(verdict) => {
                    // Where there is nothing to share it never can be shared, and all ask for themselves in the end.
                    if let Some(shared) = self.shared(name, verdict) {
                        return Ok(Asks::Other(shared));
                    }
                }
            }
        }
        Ok(Asks::We(None))
    }

    /// What a call gets that waited for others until its time was over. When they had a fair time that is remembered, as
    /// if it had asked: the next call must not wait for all its time again.
    #[cold]
    fn waited_in_vain(&self, asking: &Asking<'_>) -> LookupError {
        let now_ms = resolver::now_ms();
        let asked = self.asked_about(asking);
        let is_noted = || backoff::is_waiting(asked.key, clock::now_ticks());
        if self.is_ended_by_deadline() && !self.was_cut_short(now_ms) && !is_noted() {
            deadline::note_end_of_question();
            let waited_s = self.waited_s(now_ms);
            let asked = Asked { waited_s, ..asked };
            return store::remember_failure(self.cache, &asked, Failure::Timeout);
        }
        LookupError::Failed(Failure::Timeout)
    }

    /// The question under way, for the cache.
    fn asked_about<'q>(&self, asking: &Asking<'q>) -> Asked<'q> {
        Asked {
            name: asking.name.name(),
            qtype: self.qtype,
            longest_life_s: self.longest_life_s,
            key: asking.key,
            was_unknown: self.is_unknown,
            flags: self.flags,
            renews: false,
            waited_s: 0,
        }
    }

    /// True when the question under way may be left open.
    fn may_leave(&self) -> bool {
        self.patience_ms.is_none() && open::may_leave()
    }

    /// How long to wait for another who asks, ms: as long as a query of ours would take, if there is that
    /// much time.
    fn waiting_ms(&mut self) -> u64 {
        self.started_ms.get_or_insert_with(resolver::now_ms);
        let until_ms = self.until_ms().unwrap_or(u64::MAX);
        let now_ms = resolver::now_ms();
        let left_ms = until_ms.saturating_sub(now_ms);
        let longest_ms = resolver::longest_ms();
        let patience_ms = || open::patience_with_others_ms(now_ms).unwrap_or(u64::MAX);
        let least_ms = left_ms.min(longest_ms);
        match self.may_leave() {
            true => least_ms.min(patience_ms()),
            false => least_ms,
        }
    }

    /// What another's query brought for this question.
    fn shared(
        &mut self,
        name: &HashedName<'_>,
        verdict: Option<Verdict>,
    ) -> Option<Result<Next, LookupError>> {
        // Mostly nobody linked anything since the first look.
        let is_still_vacant = |vacancy: Vacancy<'_>| self.cache.is_still_vacant(&vacancy);
        self.is_unknown = self.vacancy.take().is_some_and(is_still_vacant)
            || !self.cache.may_know(name, self.qtype);
        let mut hops = self.hops;
        let found = if self.is_unknown {
            Known::Miss(None)
        } else {
            known(self.cache, name.name(), self.qtype, &mut hops)
        };
        match found {
            Known::Entry(entry) => return Some(Ok(Next::Entry(entry))),
            Known::TooLong => return Some(Err(LookupError::CnameChain)),
            Known::Miss(Some(target)) => {
                self.hops = hops;
                return Some(Ok(Next::Ask(target)));
            }
            Known::Miss(None) => {}
        }
        Some(match verdict? {
            Verdict::Entry(entry) => Ok(Next::Entry(entry)),
            Verdict::Error(error) => Err(error),
        })
    }

    /// Sends the query and stores what comes back.
    fn query(
        &mut self,
        asking: &Asking<'_>,
        claim: Option<Claim>,
        crowd: Option<&InCrowd>,
    ) -> Result<Next, LookupError> {
        let Asking {
            name,
            ref question,
            key,
        } = *asking;
        crate::cache_dbg!(
            "not in the cache: {} type {}",
            log::name(name.name()),
            self.qtype.0
        );
        follow!(
            name.name(),
            "type {}: not in the cache, asked for",
            self.qtype.0
        );
        let is_first = self.started_ms.is_none();
        let until_ms = self.until_ms();
        let companions = self.companions(name);
        let others: Vec<Question<'_>> = companions
            .iter()
            .map(|companion| Question {
                qname: &companion.text,
                qtype: companion.qtype,
            })
            .collect();
        if self.counts {
            deadline::spend_queries(1 + others.len());
        }
        let sent_ms = match self.started_ms {
            Some(now_ms) if is_first => now_ms,
            _ => self.clock_ms.unwrap_or_else(resolver::now_ms),
        };
        let may_leave = self.may_leave();
        let ask = || match may_leave {
            true => resolver::query_for_a_while(question, &others, until_ms, uses_additional),
            false => resolver::query_along(question, &others, until_ms, uses_additional),
        };
        let (first, others) = crowd::while_in(crowd, || flight::beside_elder(claim.as_ref(), ask));
        open::collect();
        let when = (sent_ms, self.question_end_ms);
        let asked = self.asked_about(asking);
        let first = match first {
            Part::Done(outcome) => outcome,
            Part::Open(ticket) => {
                open::add(&asked, (ticket, claim), when, true);
                self.settle_companions(companions, others, &asked, when);
                return Err(LookupError::Open);
            }
            Part::GivenUp => Outcome::Failed(Failure::NoServers),
        };
        self.asked |= !matches!(first, Outcome::BadName);
        let is_silent = matches!(first, Outcome::Failed(Failure::Timeout));
        let is_ended = is_silent && self.is_ended_by_deadline();
        if is_ended {
            deadline::note_end_of_question();
        }
        let waited_s = if is_silent { self.waited_s(sent_ms) } else { 0 };
        let was_cut_short = is_silent && self.was_cut_short(sent_ms);
        let asked = Asked { waited_s, ..asked };
        let has_given_up = matches!(first, Outcome::Failed(Failure::GivenUp));
        let was_cut_short = has_given_up || was_cut_short;
        // Where there is stale data the refresher is told by who serves it.
        if (was_cut_short || is_ended) && self.patience_ms.is_none() {
            follow!(
                name.name(),
                "type {}: given up after {waited_s} s, goes on in the background",
                self.qtype.0
            );
            handed_on::hand_on(name.name(), self.qtype, key);
        }
        if has_given_up {
            return Err(self.give_up(name.name()));
        }
        if was_cut_short {
            // Others have more time: one of those who wait for us asks.
            return Err(LookupError::Failed(Failure::Timeout));
        }
        let result = store::settle(self.cache, &asked, first, &mut self.hops);
        if let Some(claim) = claim {
            claim.finish(self.cache, store::verdict_of(&result));
        }
        if !companions.is_empty() {
            self.settle_companions(companions, others, &asked, when);
        }
        result
    }

    /// Keeps what came of the questions that were asked along.
    fn settle_companions(
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
                ..*first
            };
            let outcome = match part {
                Part::Done(outcome) => outcome,
                Part::Open(ticket) => {
                    open::add(&asked, (ticket, companion.claim), when, false);
                    continue;
                }
                // Nothing was learnt, and who waits for it asks.
                Part::GivenUp => continue,
            };
            let mut hops = MAX_CNAME_HOPS;
            let result = store::settle(self.cache, &asked, outcome, &mut hops);
            if let Some(claim) = companion.claim {
                claim.finish(self.cache, store::verdict_of(&result));
            }
        }
    }

    /// What this query may take along, where it is neither known nor being asked for.
    fn companions(&mut self, name: &HashedName<'_>) -> Vec<Companion> {
        let mut companions = Vec::new();
        self.along(name, |lookup, name, qtype| {
            companions.extend(lookup.companion(name, qtype));
        });
        companions
    }

    /// Shows the questions that this one may take along: the other address type, if both are wanted, and what the caller
    /// lists.
    fn along(
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

    /// Refuses when nobody is to be asked, or there is no time left, or too many questions were put for the call.
    fn may_ask(&mut self) -> Result<(), LookupError> {
        if !watchdog::servers_up() {
            return Err(LookupError::Failed(Failure::NoServers));
        }
        self.question_end_ms = deadline::begin_question(self.counts, self.is_last_resort)
            .map_err(|_| LookupError::Failed(Failure::Timeout))?;
        Ok(())
    }

    /// How long a question without answer was waited for, s.
    fn waited_s(&self, sent_ms: u64) -> u32 {
        let waited_ms = resolver::now_ms().saturating_sub(self.silent_since(sent_ms));
        resolver::whole_seconds(waited_ms)
    }

    /// Since when the question has been silent that this lookup sent then, or did not send: others may have before.
    fn silent_since(&self, sent_ms: u64) -> u64 {
        self.silent_since_ms.map_or(sent_ms, |ms| ms.min(sent_ms))
    }

    fn is_ended_by_deadline(&self) -> bool {
        let is_over = |end_ms| resolver::now_ms() >= end_ms;
        self.question_end_ms.is_some_and(is_over)
    }

    /// True when it was the call's deadline, or the patience of a call that has stale data, that ended a question without
    /// answer before a server had a fair time to give one.
    fn was_cut_short(&self, sent_ms: u64) -> bool {
        let silent_ms = || resolver::now_ms().saturating_sub(self.silent_since(sent_ms));
        let is_short = || silent_ms() < deadline::FAIR_MS;
        (self.patience_ms.is_some() || self.is_ended_by_deadline()) && is_short()
    }

    /// The key of a question whose answer is not known, and that has not failed a moment ago.
    fn is_worth_asking(&self, name: &HashedName<'_>, qtype: RecordType) -> Option<u64> {
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
}

/// Counts a miss; one that is left open was counted then, and will be looked up again.
fn count_miss(result: &Result<EntryRef, LookupError>) {
    if !matches!(result, Err(LookupError::Open)) {
        metrics::count(Metric::Miss);
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

/// Gives stale data to the caller.
fn serve(stale: Stale) -> (EntryRef, Source) {
    stats::count(Stat::Hit);
    metrics::count(Metric::Stale);
    let expired = &stale.expired;
    follow!(
        expired.name(),
        "type {}: expired records are served",
        expired.rtype().0
    );
    if !stale.is_recent
        && let Some(others) = news::may_say_begins(Subject::Stale)
    {
        crate::log!(
            Level::Notice,
            "records that have expired are served, for they could not be fetched anew: {} ({others} more since the last such line)",
            log::name(stale.expired.name())
        );
    }
    crate::cache_dbg!("stale data for {}", log::name(stale.expired.name()));
    (stale.entry, Source::Cache)
}

/// Says so when expired records were served and are not any more; now and then, by who refreshes.
pub fn say_when_fresh_again() {
    if let Some((seconds, others)) = news::is_over(Subject::Stale) {
        crate::log!(
            Level::Notice,
            "no expired records are served any more, for half a minute there were none; it began {seconds} s ago ({others} more since the last such line)"
        );
    }
}
