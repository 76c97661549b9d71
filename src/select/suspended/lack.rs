//! Why a search that never waits has nothing: the one reason that counts among those that its questions gave.

use std::net::SocketAddr;

use crate::error::{Failure, LookupError};
use crate::lookup::suspended::Unanswered;
use crate::rr::RecordType;

use super::super::SelectError;
use super::super::handle::{LookedUp, Watch};
use super::super::tree::{Event, Named};
use super::{Search, keep};

/// Why a search has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// There are no such records.
    Absent,
    /// The domain does not offer the service.
    NotOffered,
    /// A question failed.
    Failed(Failure),
    /// The time was over.
    Deadline,
    /// The search has spent its questions (`dns_max_queries`), or met too many targets without address.
    Budget,
    /// A record is not in the cache, and the search may not ask.
    NotCached,
    /// A literal of a family that the flags exclude.
    Family,
    /// The port or transport of the URI cannot be used.
    Uri,
    /// The host is no name to ask for.
    Name,
    /// There is no cache, or not any more.
    NoCache,
    /// The answer is known, and there is no memory for it.
    OutOfMemory,
}

impl Lack {
    /// True where a nameserver, or the name itself, proves that there is no result.
    #[must_use]
    pub fn is_proven(self) -> bool {
        matches!(self, Self::Absent | Self::NotOffered | Self::Name)
    }
}

/// The question that the reason comes from.
#[derive(Clone, Debug)]
pub struct Culprit {
    /// The name of the question.
    pub name: Vec<u8>,
    /// The type of the question.
    pub qtype: RecordType,
    /// The server that gave the failure or the absence, or was silent last.
    pub server: Option<SocketAddr>,
}

/// The first failure and the first absence that a pass met.
#[derive(Debug, Default)]
pub(super) struct Witness {
    pub(super) failed: Option<(Vec<u8>, RecordType, LookupError)>,
    absent: Option<(Vec<u8>, RecordType, LookupError)>,
    refused: bool,
}

impl Witness {
    /// Notes the error of a lookup.
    pub(super) fn note(&mut self, name: &[u8], qtype: RecordType, error: LookupError) {
        let place = match error {
            LookupError::Open => return,
            LookupError::Failed(_) | LookupError::OutOfMemory | LookupError::NoCache => {
                &mut self.failed
            }
            _ => &mut self.absent,
        };
        place.get_or_insert_with(|| (name.to_vec(), qtype, error));
    }
}

impl Watch for Witness {
    fn asks(&mut self, _name: &[u8], _rtype: RecordType, _named: Named) {}

    fn learns(&mut self, name: &[u8], rtype: RecordType, named: Named, found: &LookedUp) {
        keep(name, named == Named::ByCaller, rtype, found);
        if let Err(error) = found {
            self.note(name, rtype, *error);
        }
    }

    fn sees(&mut self, event: Event<'_>) {
        self.refused |= matches!(event, Event::Refusal);
    }
}

impl Search {
    /// The reason for which a step failed.
    pub(super) fn lack_of(&self, error: SelectError) -> Lack {
        match error {
            SelectError::AfMismatch => Lack::Family,
            SelectError::Critical => Lack::Uri,
            SelectError::NameTooLong => Lack::Name,
            _ => self.lack(),
        }
    }

    /// The reason that counts: a failure goes before a refusal, and a refusal before an absence.
    pub(super) fn lack(&self) -> Lack {
        let unanswered = self.unanswered();
        if unanswered.as_ref().is_some_and(|question| question.was_cut) {
            return Lack::Deadline;
        }
        if self.spending.is_out_of_budget() {
            return Lack::Budget;
        }
        match (self.witness.failed.as_ref(), self.witness.refused) {
            (Some((_, _, LookupError::NoCache)), _) => Lack::NoCache,
            (Some((_, _, LookupError::OutOfMemory)), _) => Lack::OutOfMemory,
            // The cache does not keep which failure it was; the book does.
            (Some((_, _, LookupError::Failed(failure))), _) => {
                Lack::Failed(unanswered.map_or(*failure, |question| question.failure))
            }
            (_, true) => Lack::NotOffered,
            _ => match self.witness.absent {
                Some((_, _, LookupError::BadName)) => Lack::Name,
                _ => Lack::Absent,
            },
        }
    }

    /// The unanswered question that the search met first in its last pass, or else any.
    fn unanswered(&self) -> Option<Unanswered> {
        let is_met = |question: &Unanswered| {
            let failed = self.witness.failed.as_ref();
            failed.is_some_and(|(name, qtype, _)| {
                question.name.eq_ignore_ascii_case(name) && question.qtype == *qtype
            })
        };
        let met = self.book.unanswered().find(is_met);
        met.or_else(|| self.book.unanswered().next())
    }

    /// The question that the reason comes from.
    pub(super) fn culprit(&self) -> Option<Culprit> {
        if let Some(question) = self.unanswered() {
            return Some(Culprit {
                name: question.name,
                qtype: question.qtype,
                server: question.server,
            });
        }
        let met = self.witness.failed.as_ref();
        let (name, qtype, _) = met.or(self.witness.absent.as_ref())?;
        Some(Culprit {
            name: name.clone(),
            qtype: *qtype,
            server: self.book.server_of(name, *qtype),
        })
    }
}
