//! The answer to one question of a lookup: from the cache, which another process may have filled meanwhile, from
//! another's query, or from a query of its own.

use crate::cache::{HashedName, Vacancy};
use crate::error::{Failure, LookupError};
use crate::host::follow::follow;
use crate::host::metrics::{self, Metric};
use crate::host::{clock, hooks};
use crate::resolver::{self, Question};

use super::super::crowd::{self, InCrowd};
use super::super::flight::{self, Attempt, Claim, Terms, Verdict, Waited};
use super::super::known::{Known, known};
use super::super::request::question_text;
use super::super::store::{self, Asked, Next};
use super::super::suspended::{self, Wanted};
use super::super::{backoff, deadline, open, watchdog};
use super::Lookup;

/// Waits that may leave nothing. After these the query is sent, whoever else asks.
const MAX_WAITS: usize = 3;

/// The question under way, with its name and key.
#[derive(Clone, Copy)]
pub(super) struct Asking<'q> {
    pub(super) name: &'q HashedName<'q>,
    pub(super) question: Question<'q>,
    /// Key of the question.
    pub(super) key: u64,
}

/// Who asks a question.
enum Asks {
    /// This lookup; without a claim when the table has no place for the question, or when all waits were in vain.
    We(Option<Claim>),
    /// Another has asked, with this result.
    Other(Result<Next, LookupError>),
}

impl Lookup<'_> {
    /// Gets the answer to one question: from another process that is asking it, or by a query.
    pub(super) fn ask(
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
        let began_ms = deadline::began_ms().or(self.times.started_ms);
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

    /// Refuses when nobody is to be asked, or there is no time left, or too many questions were put for the call.
    pub(super) fn may_ask(&mut self) -> Result<(), LookupError> {
        if !watchdog::servers_up() {
            return Err(LookupError::Failed(Failure::NoServers));
        }
        self.times.question_end_ms = deadline::begin_question(self.counts, self.is_last_resort)
            .map_err(|_| LookupError::Failed(Failure::Timeout))?;
        Ok(())
    }

    /// Writes a question into the book of a search that never waits. The error is the lookup's result in this pass.
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
        let end_ms = self.times.question_end_ms;
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

    /// The error of a call that gives up because too many wait.
    #[cold]
    pub(super) fn give_up(&self, name: &[u8]) -> LookupError {
        // A lookup with patience has stale data to serve, so its call goes on.
        if self.times.patience_ms.is_none() {
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
        let mut terms = Terms::new(now_ms, self.times.patience_ms, self.times.question_end_ms);
        self.terms = Some(terms);
        self.times.silent_since_ms = None;
        self.times.clock_ms = Some(now_ms);
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
                    self.times.silent_since_ms.get_or_insert(now_ms);
                    let waited = flight.wait(self.cache, left_ms, terms, crowd);
                    terms.now_ms = resolver::now_ms();
                    self.terms = Some(terms);
                    self.times.clock_ms = None;
                    if !matches!(waited, Waited::TimedOut) {
                        open::others_go_on();
                    }
                    waited
                }
            };
            match waited {
                Waited::Joined(claim) => {
                    // The question may have been answered between the look into the cache and the claim.
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

    /// How long to wait for another who asks, ms: as long as a query of this lookup would take, within the time that is
    /// left.
    fn waiting_ms(&mut self) -> u64 {
        self.times.started_ms.get_or_insert_with(resolver::now_ms);
        let until_ms = self.times.until_ms().unwrap_or(u64::MAX);
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

    /// The error of a call that waited for others until its time was over. Where the others had a fair time, the
    /// failure is remembered, as after a query of the call itself: the next call must not wait for all its time again.
    #[cold]
    fn waited_in_vain(&self, asking: &Asking<'_>) -> LookupError {
        let now_ms = resolver::now_ms();
        let asked = self.asked_about(asking);
        let is_noted = || backoff::is_waiting(asked.key, clock::now_ticks());
        if self.times.is_ended_by_deadline() && !self.times.was_cut_short(now_ms) && !is_noted() {
            deadline::note_end_of_question();
            let waited_s = self.times.waited_s(now_ms);
            let asked = Asked { waited_s, ..asked };
            return store::remember_failure(self.cache, &asked, Failure::Timeout);
        }
        LookupError::Failed(Failure::Timeout)
    }

    /// The question under way, for the cache.
    pub(super) fn asked_about<'q>(&self, asking: &Asking<'q>) -> Asked<'q> {
        Asked {
            name: asking.name.name(),
            qtype: self.qtype,
            longest_life_s: self.longest_life_s,
            key: asking.key,
            was_unknown: self.is_unknown,
            flags: self.flags,
            renews: false,
            waited_s: 0,
            waits_for_memory: true,
        }
    }

    /// The answer that another's query brought for this question: from the cache, or else the verdict.
    fn shared(
        &mut self,
        name: &HashedName<'_>,
        verdict: Option<Verdict>,
    ) -> Option<Result<Next, LookupError>> {
        // Mostly the bucket is unchanged since the first look, which is cheaper to see than a second look is.
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
}
