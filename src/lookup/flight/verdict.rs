//! Results that an asker leaves in the slot for those who wait, where the cache does not have them: an error as its
//! number, an entry as its number with a reference parked for it.

use crate::cache::claim::{Left, Open};
use crate::cache::{Cache, EntryRef};
use crate::error::{Failure, LookupError};

/// The result of a question that the cache does not have.
#[derive(Debug)]
pub(in super::super) enum Verdict {
    /// An entry that the cache did not keep.
    Entry(EntryRef),
    /// An error.
    Error(LookupError),
}

/// Takes the result that the asker left for those who wait for a question.
pub(super) fn verdict_in(open: Open<'_>, cache: &Cache) -> Option<Verdict> {
    open.take_hold(|left| match what(left)? {
        What::Error(error) => Some(Verdict::Error(error)),
        What::Number(number) => cache.by_number(number).map(Verdict::Entry),
    })
}

/// Gives back the reference of a result that nobody looks at any more.
pub(super) fn unpark(cache: &Cache, left: Left) {
    if let Some(What::Number(number)) = what(left) {
        cache.unpark(number);
    }
}

/// A verdict as a number; 0 = the verdict has no number.
pub(super) fn number_of(cache: &Cache, verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Entry(entry) => cache.park(entry),
        Verdict::Error(error) => HANDED_ON
            .iter()
            .position(|known| *known == error)
            .map_or(0, |index| ERRORS | index as u32),
    }
}

/// The meaning of a number in a slot.
enum What {
    /// An entry, for which a reference is parked.
    Number(u32),
    Error(LookupError),
}

/// Numbers from here on are errors; no cache has so many blocks.
const ERRORS: u32 = 0xffff_ff00;

/// Errors that are handed on, in the order of their numbers.
const HANDED_ON: [LookupError; 11] = [
    LookupError::NxDomain,
    LookupError::NoData,
    LookupError::CnameChain,
    LookupError::OutOfMemory,
    LookupError::Failed(Failure::Timeout),
    LookupError::Failed(Failure::ServFail),
    LookupError::Failed(Failure::Refused),
    LookupError::Failed(Failure::Malformed),
    LookupError::Failed(Failure::Network),
    LookupError::Failed(Failure::NoServers),
    LookupError::Failed(Failure::Hook),
];

fn what(left: Left) -> Option<What> {
    match left.number() {
        0 => None,
        number @ ERRORS.. => {
            let error = HANDED_ON.get((number & !ERRORS) as usize)?;
            Some(What::Error(*error))
        }
        number => Some(What::Number(number)),
    }
}
