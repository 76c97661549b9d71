//! Searches that never wait.
//!
//! A search of this kind goes through its tree with what the cache has and with the answers that came for the search
//! before. Questions without answer go into its [`Book`]. In this pass they are like questions that were left open
//! ([`super::open`]): the tree decides what may be done meanwhile. The search's owner has the questions asked
//! ([`super::asker`]), enters the answers, and goes through the tree again.
//!
//! A search waits for a question that was asked a moment ago: nothing behind the question is used. A question that is
//! silent for longer than [`resolver::while_ms`] is passed over where there is another way, as in lookups that wait.
//!
//! The book keeps its answers for itself, so records of TTL 0, records that a full cache has no room for and records
//! that are flushed meanwhile count as well. The thread that goes on with the result may use the answers
//! ([`use_answers`]).

mod book;
mod found;
mod mode;

use crate::cache::{Cache, EntryRef};
use crate::error::LookupError;
use crate::host::metrics::{self, Metric};
use crate::host::own_thread::{OfThread as _, OwnThread};
use crate::resolver;
use crate::rr::RecordType;

use super::deadline::{self, Spending};
use super::flight;
use super::request::split_absolute;
use super::store::Next;
use book::Pass;
pub use book::{After, Answer, Asks, Book, Unanswered, Wanted};
use found::used;
pub use found::{Answers, use_answers, use_answers_too};
pub(super) use found::{used_addresses, used_for, used_records};
use mode::{MODE, Mode};

thread_local! {
    static BOOK: OwnThread<Option<Book>> = const { OwnThread::new() };
}

impl Book {
    /// Goes through the tree once, in `work`.
    pub fn pass<R>(&mut self, spending: &mut Spending, work: impl FnOnce() -> R) -> R {
        self.pass = Pass::new(resolver::now_ms(), spending.until_ms());
        spending.next_step();
        let is_again = self.is_again;
        BOOK.replace(Some(std::mem::take(self)));
        let end = EndOfPass(MODE.replace(Mode::Suspended));
        let result = match is_again {
            true => metrics::uncounted(|| spending.spend(work)),
            false => spending.spend(work),
        };
        drop(end);
        if let Some(book) = BOOK.replace(None) {
            *self = book;
        }
        for _ in 0..std::mem::take(&mut self.misses) {
            metrics::count(Metric::Miss);
        }
        result
    }
}

/// Sets back the mode of this thread.
struct EndOfPass(Mode);

impl Drop for EndOfPass {
    fn drop(&mut self) {
        MODE.set(self.0);
        if std::thread::panicking() {
            BOOK.replace(None);
        }
    }
}

/// True in a pass: the thread may not wait.
#[inline]
pub(super) fn is_on() -> bool {
    MODE.get() == Mode::Suspended
}

fn with_book<R>(work: impl FnOnce(&mut Book) -> R) -> Option<R> {
    BOOK.with_borrow_mut(|book| book.as_mut().map(work))
}

/// The answer to a question, from the book of this pass or from the answers in use in this thread; `None` = neither has
/// one.
#[inline]
pub(super) fn known(key: u64) -> Option<Result<Next, LookupError>> {
    match MODE.get() {
        Mode::Asks => None,
        Mode::Suspended => with_book(|book| book.known(key)).flatten(),
        Mode::Uses => used(key),
    }
}

/// Keeps the result of a lookup of this pass in the book; `is_callers`: the caller gave the name, so a search list may
/// count.
pub fn keep(
    name: &[u8],
    is_callers: bool,
    qtype: RecordType,
    found: Result<&EntryRef, LookupError>,
) {
    let is_open = matches!(found, Err(LookupError::Open));
    let Some(cache) = Cache::instance().filter(|_| !is_open) else {
        return;
    };
    let (name, absolute) = split_absolute(name);
    let key = flight::key_of_lookup(cache, &cache.hashed(name), absolute || !is_callers, qtype);
    let found = found.cloned();
    with_book(|book| book.found.insert(key, found));
}

/// True when a question that nothing is known of may be written down.
pub(super) fn may_want(key: u64) -> bool {
    with_book(|book| book.may_want(key)) == Some(true)
}

/// Writes a question down; false when the book has the question, or no room. `is_met`: the tree has come to the
/// question.
pub(super) fn want(wanted: Wanted, end_ms: Option<u64>, is_met: bool) -> bool {
    with_book(|book| book.want(wanted, end_ms, is_met)) == Some(true)
}

/// True while a pass is to wait for something newer than an expired entry; `patience_ms`: for how long in all, ms.
pub(super) fn is_patient(key: u64, patience_ms: u64) -> bool {
    with_book(|book| book.is_patient(key, patience_ms)) == Some(true)
}

/// When nobody wants the answers of this search any more, ms.
pub(super) fn until_ms() -> u64 {
    deadline::current().unwrap_or(u64::MAX)
}
