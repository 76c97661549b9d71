//! The findings about the candidates of a search list, none of which had what is wanted: `res_search()`.

use crate::error::{Failure, LookupError};

/// The failures and absences of the candidates that were tried so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The absence of the name as it is written, which was the first candidate.
    as_is_absent: Option<LookupError>,
    /// The absences so far, put together.
    absent: Option<LookupError>,
    failure: Option<Failure>,
}

impl Findings {
    /// Takes why a candidate has nothing. `is_first_as_is`: it is the name as the caller wrote it, and the first one.
    /// False when the next candidate is not to be tried.
    pub(super) fn add(&mut self, lack: LookupError, is_first_as_is: bool) -> bool {
        let LookupError::Failed(failure) = lack else {
            if is_first_as_is {
                self.as_is_absent = Some(lack);
            }
            self.absent = Some(self.absent.map_or(lack, |before| together(before, lack)));
            return true;
        };
        self.failure = Some(failure);
        // Servers that answer, if only with an error, may know the next candidate. Silent ones would be silent
        // again, and the caller would wait for that.
        matches!(failure, Failure::ServFail | Failure::Refused)
    }

    /// True when nothing was learnt about a candidate.
    #[cfg(feature = "use_dns_cache")]
    pub(super) fn has_failure(&self) -> bool {
        self.failure.is_some()
    }

    /// The result for the name where no candidate has records.
    pub(super) fn conclude(&self) -> LookupError {
        // The absence of the name itself counts, whatever became of the guesses that were made after it. An unknown
        // candidate might have had the records: then there is no absence.
        match (self.as_is_absent, self.failure, self.absent) {
            (Some(absent), _, _) | (None, None, Some(absent)) => absent,
            (None, Some(failure), _) => LookupError::Failed(failure),
            (None, None, None) => LookupError::BadName,
        }
    }
}

/// Puts two lacks together: a candidate that failed may have had something, and a name that lacks one type exists.
pub(super) fn together(one: LookupError, other: LookupError) -> LookupError {
    match (one, other) {
        (LookupError::Failed(_), _) => one,
        (_, LookupError::Failed(_)) => other,
        (LookupError::NxDomain, LookupError::NxDomain) => LookupError::NxDomain,
        (LookupError::CnameChain, _) | (_, LookupError::CnameChain) => LookupError::CnameChain,
        _ => LookupError::NoData,
    }
}
