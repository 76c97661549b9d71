//! What the candidates of one question have shown, none of which gave records.

use super::{Answer, Negative, Outcome};
use crate::error::Failure;
use crate::rr::Name;

/// What the candidates tried so far have shown.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Proof that the name as the caller wrote it is absent, when that was asked first.
    as_is: Option<Answer>,
    /// All proofs of absence together.
    absent: Option<Negative>,
    failed: Option<Failure>,
}

impl Findings {
    /// A candidate is absent. `is_first_as_is`: it is the name as the caller wrote it, asked first.
    pub(super) fn add_absence(&mut self, answer: Answer, negative: Negative, is_first_as_is: bool) {
        self.absent = Some(match self.absent {
            None => negative,
            Some(earlier) => Negative {
                nxdomain: earlier.nxdomain && negative.nxdomain,
                ttl: match (earlier.ttl, negative.ttl) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                },
            },
        });
        if is_first_as_is {
            self.as_is = Some(answer);
        }
    }

    /// Nothing was learnt about a candidate.
    pub(super) fn add_failure(&mut self, failure: Failure) {
        self.failed = Some(failure);
    }

    /// What it means for the question. `as_is` is the name as the caller wrote it.
    pub(super) fn into_outcome(self, as_is: Option<&Name>) -> Outcome {
        // As res_search(): what is known of the name itself counts, whatever became of the guesses
        // that were made after it.
        if let Some(answer) = self.as_is {
            return Outcome::Answer(answer);
        }
        // An unknown candidate might have had the records: this is no absence.
        if let Some(failure) = self.failed {
            return Outcome::Failed(failure);
        }
        as_is.map_or(Outcome::BadName, |qname| {
            Outcome::Answer(Answer {
                qname: qname.clone(),
                answers: Vec::new(),
                additional: Vec::new(),
                negative: self.absent,
            })
        })
    }
}
