//! Why a search that never waits has nothing: what counts of all that it met.

use std::net::SocketAddr;

use crate::error::{Failure, LookupError};
use crate::lookup::suspended::Unanswered;
use crate::rr::RecordType;

use super::super::SelectError;
use super::super::handle::{LookedUp, Watch};
use super::super::tree::{Event, Named};
use super::{Search, keep};

/// Why there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// There are no such records.
    Absent,
    /// The domain does not offer the service.
    NotOffered,
    /// A question was not answered.
    Failed(Failure),
    /// The time was over.
    Deadline,
    /// More questions would have to be asked than may be, or targets without address be met.
    Budget,
    /// Something is missing in the cache, and was not to be asked for.
    NotCached,
    /// A literal of a family that the flags exclude.
    Family,
    /// A port or transport that cannot be.
    Uri,
    /// It is no name to ask for.
    Name,
    /// There is no cache, or not any more.
    NoCache,
    /// The answer is known, and there is no memory for it.
    OutOfMemory,
}

impl Lack {
    /// True where a nameserver, or the name itself, proves that there is nothing.
    #[must_use]
    pub fn is_proven(self) -> bool {
        matches!(self, Self::Absent | Self::NotOffered | Self::Name)
    }
}

/// The question that counts where there is nothing.
#[derive(Clone, Debug)]
pub struct Culprit {
    /// What was asked for.
    pub name: Vec<u8>,
    /// Of which type.
    pub qtype: RecordType,
    /// Who said so, or was silent last.
    pub server: Option<SocketAddr>,
}

/// The first that a pass met of each kind.
#[derive(Debug, Default)]
pub(super) struct Witness {
    pub(super) failed: Option<(Vec<u8>, RecordType, LookupError)>,
    absent: Option<(Vec<u8>, RecordType, LookupError)>,
    refused: bool,
}

impl Witness {
    /// Notes why something was not found.
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
    /// What a failed step comes to.
    pub(super) fn lack_of(&self, error: SelectError) -> Lack {
        match error {
            SelectError::AfMismatch => Lack::Family,
            SelectError::Critical => Lack::Uri,
            SelectError::NameTooLong => Lack::Name,
            _ => self.lack(),
        }
    }

    /// What counts of all that was met: what was not answered before what was refused, and that before absence.
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
            // Which failure it was the cache does not keep.
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

    /// The question that counts.
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
