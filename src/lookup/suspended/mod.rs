//! Searches that never wait.
//!
//! A search of this kind goes through its tree with what the cache has and with what was found for it before. What is
//! missing it writes into its [`Book`], and there is no answer in this pass, as for a question that was left open
//! ([`super::open`]); the tree decides what may be done meanwhile. Its owner has the questions asked
//! ([`super::asker`]), enters the answers, and has it go through its tree again.
//!
//! A question that was asked a moment ago is waited for: nothing that stands behind it is used. One that is silent for
//! longer than [`resolver::while_ms`] is passed over where there is another way, as by everybody.
//!
//! What was found is kept as long as the book is: records of TTL 0, what a full cache has no room for, what is flushed
//! meanwhile. Who goes on in the same thread may use it ([`use_answers`]).

mod book;
mod found;
mod mode;

use std::cell::RefCell;

use crate::cache::{Cache, EntryRef};
use crate::error::LookupError;
use crate::host::metrics::{self, Metric};
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
    static BOOK: RefCell<Option<Book>> = const { RefCell::new(None) };
}

impl Book {
    /// Goes through the tree once, in `work`.
    pub fn pass<R>(&mut self, spending: &mut Spending, work: impl FnOnce() -> R) -> R {
        self.pass = Pass::new(resolver::now_ms(), spending.until_ms());
        spending.next_step();
        let is_again = self.is_again;
        BOOK.set(Some(std::mem::take(self)));
        let end = EndOfPass(MODE.replace(Mode::Suspended));
        let result = match is_again {
            true => metrics::uncounted(|| spending.spend(work)),
            false => spending.spend(work),
        };
        drop(end);
        if let Some(book) = BOOK.take() {
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
            BOOK.take();
        }
    }
}

/// True in a pass: nothing may be waited for.
#[inline]
pub(super) fn is_on() -> bool {
    MODE.get() == Mode::Suspended
}

fn with_book<R>(work: impl FnOnce(&mut Book) -> R) -> Option<R> {
    BOOK.with_borrow_mut(|book| book.as_mut().map(work))
}

/// What is known of a question in this pass, or is in use in this thread; `None` = nothing.
#[inline]
pub(super) fn known(key: u64) -> Option<Result<Next, LookupError>> {
    match MODE.get() {
        Mode::Asks => None,
        Mode::Suspended => with_book(|book| book.known(key)).flatten(),
        Mode::Uses => used(key),
    }
}

/// Keeps what a lookup of this pass has found, or what it lacks; `is_callers`: the name is what the caller named.
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

/// Writes a question down; false when it is there, or there is no room. `is_met`: the tree has come to it.
pub(super) fn want(wanted: Wanted, end_ms: Option<u64>, is_met: bool) -> bool {
    with_book(|book| book.want(wanted, end_ms, is_met)) == Some(true)
}

/// True while something newer than what has expired is worth waiting for, in all for so long, ms.
pub(super) fn is_patient(key: u64, patience_ms: u64) -> bool {
    with_book(|book| book.is_patient(key, patience_ms)) == Some(true)
}

/// When nobody wants the answers of this search any more, ms.
pub(super) fn until_ms() -> u64 {
    deadline::current().unwrap_or(u64::MAX)
}
