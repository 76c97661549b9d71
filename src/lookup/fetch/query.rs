//! Sends the query of a lookup, and stores its outcome.

use crate::error::{Failure, LookupError};
use crate::host::follow::follow;
use crate::host::log;
use crate::resolver::{self, Outcome, Part, Question};

use super::super::additional::uses_additional;
use super::super::crowd::{self, InCrowd};
use super::super::flight::{self, Claim};
use super::super::store::{self, Asked, Next};
use super::super::{deadline, handed_on, open};
use super::Lookup;
use super::asking::Asking;

impl Lookup<'_> {
    /// Sends the query and stores what comes back.
    pub(super) fn query(
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
        let is_first = self.times.started_ms.is_none();
        let until_ms = self.times.until_ms();
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
        let sent_ms = match self.times.started_ms {
            Some(now_ms) if is_first => now_ms,
            _ => self.times.clock_ms.unwrap_or_else(resolver::now_ms),
        };
        let may_leave = self.may_leave();
        let ask = || match may_leave {
            true => resolver::query_for_a_while(question, &others, until_ms, uses_additional),
            false => resolver::query_along(question, &others, until_ms, uses_additional),
        };
        let (first, others) = crowd::while_in(crowd, || flight::beside_elder(claim.as_ref(), ask));
        open::collect();
        let when = (sent_ms, self.times.question_end_ms);
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
        let is_ended = is_silent && self.times.is_ended_by_deadline();
        if is_ended {
            deadline::note_end_of_question();
        }
        let waited_s = if is_silent {
            self.times.waited_s(sent_ms)
        } else {
            0
        };
        let was_cut_short = is_silent && self.times.was_cut_short(sent_ms);
        let asked = Asked { waited_s, ..asked };
        let has_given_up = matches!(first, Outcome::Failed(Failure::GivenUp));
        let was_cut_short = has_given_up || was_cut_short;
        // Where there is stale data, the lookup that serves it tells the refresher.
        if (was_cut_short || is_ended) && self.times.patience_ms.is_none() {
            follow!(
                name.name(),
                "type {}: given up after {waited_s} s, goes on in the background",
                self.qtype.0
            );
            handed_on::hand_on(name.name(), self.qtype, key);
        }
        if was_cut_short {
            // What came for the others counts all the same.
            let came = others.into_iter().map(Part::unless_failed).collect();
            self.settle_companions(companions, came, &asked, when);
            if has_given_up {
                return Err(self.give_up(name.name()));
            }
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
}
