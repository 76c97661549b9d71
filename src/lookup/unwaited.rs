//! Questions that go on in the thread of the caller who gave up, where no refresher lives.
//!
//! A program without a refresher has nobody who asks in the background. So such a question stays open, and nobody waits
//! for it. When this thread has to ask something the next time, answers that have come meanwhile are stored first: so a
//! retransmission, or the next call, finds the answer.

use std::sync::atomic::Ordering;

use crate::cache::Cache;
use crate::host::fork;
use crate::host::own_thread::{OfThread as _, OwnThread};
use crate::host::vars::dns_flags;
use crate::resolver::{self, Answer, Outcome, Question, Ticket, Timed};
use crate::rr::{MAX_CNAME_HOPS, RecordType};

use super::request::question_text;
use super::store::{self, Asked};

/// Questions of one thread at a time; beyond, none is added.
const MOST: usize = 16;
/// After so long an answer is worth nothing any more: it may have lain there for all that time, ms.
const LIFE_MS: u64 = 5000;

type Questions = fork::Own<Vec<Unwaited>>;

thread_local! {
    /// `None` where there are none.
    static QUESTIONS: OwnThread<Option<Questions>> = const { OwnThread::new() };
}

/// A question that nobody waits for.
pub(super) struct Unwaited {
    pub(super) ticket: Ticket,
    pub(super) name: Vec<u8>,
    pub(super) qtype: RecordType,
    pub(super) key: u64,
    /// When the caller gave it up, ms of [`resolver::now_ms`].
    pub(super) since_ms: u64,
}

/// True where a further question may stay open.
pub(super) fn has_room(key: u64) -> bool {
    QUESTIONS.with_borrow_mut(|place| {
        let Some(questions) = place.as_mut() else {
            return true;
        };
        let questions = questions.get();
        questions.len() < MOST && questions.iter().all(|known| known.key != key)
    })
}

/// Keeps a question that is open.
pub(super) fn keep(unwaited: Unwaited) {
    QUESTIONS.with_borrow_mut(|place| place.get_or_insert_default().get().push(unwaited));
}

/// Puts a question once more that its caller's deadline has ended.
pub(super) fn ask(name: &[u8], qtype: RecordType, key: u64) {
    if !has_room(key) {
        return;
    }
    let since_ms = resolver::now_ms();
    let text = question_text(name, true);
    let question = Question {
        qname: &text,
        qtype,
    };
    if let Some(ticket) = resolver::begin_open(&question, since_ms.saturating_add(LIFE_MS)) {
        keep(Unwaited {
            ticket,
            name: name.to_vec(),
            qtype,
            key,
            since_ms,
        });
    }
}

/// True when there are any.
#[inline]
pub(super) fn is_any() -> bool {
    QUESTIONS.with_borrow(Option::is_some)
}

/// Ends those whose answers would be worth nothing any more.
pub(super) fn end_old() {
    let now_ms = resolver::now_ms();
    let old = QUESTIONS.with_borrow_mut(|place| {
        let questions = place.as_mut()?.get();
        let old: Vec<_> = questions
            .extract_if(.., |unwaited| unwaited.may_have_lain_ms(now_ms).is_none())
            .collect();
        if questions.is_empty() {
            *place = None;
        }
        Some(old)
    });
    for unwaited in old.unwrap_or_default() {
        resolver::end_open(unwaited.ticket);
    }
}

/// Takes what came of a question of this thread's that no search has open. A failure tells nothing new: its caller has
/// noted one.
pub(super) fn settle(cache: &Cache, ticket: Ticket, timed: Timed) {
    let unwaited = QUESTIONS.with_borrow_mut(|place| {
        let questions = place.as_mut()?.get();
        let place = questions.iter().position(|known| known.ticket == ticket)?;
        Some(questions.swap_remove(place))
    });
    if let Some(unwaited) = unwaited
        && let Outcome::Answer(answer) = timed.outcome
        && let Some(lay_ms) = unwaited.may_have_lain_ms(resolver::now_ms())
    {
        unwaited.store(cache, aged(answer, lay_ms));
    }
}

impl Unwaited {
    /// How long an answer that is read now may have lain there, ms; `None` = too long.
    fn may_have_lain_ms(&self, now_ms: u64) -> Option<u64> {
        let lay_ms = now_ms.saturating_sub(self.since_ms);
        (lay_ms <= LIFE_MS).then_some(lay_ms)
    }

    fn store(&self, cache: &Cache, answer: Answer) {
        let asked = Asked {
            name: &self.name,
            qtype: self.qtype,
            longest_life_s: u32::MAX,
            key: self.key,
            was_unknown: false,
            flags: dns_flags.load(Ordering::Relaxed) as u32,
            renews: false,
            waited_s: 0,
            waits_for_memory: false,
        };
        let outcome = Outcome::Answer(answer);
        // The alias or entry that the answer leads to is in the cache, or is not kept.
        let _stored = store::settle(cache, &asked, outcome, &mut MAX_CNAME_HOPS.clone());
    }
}

/// The answer, if it came so long ago.
fn aged(mut answer: Answer, lay_ms: u64) -> Answer {
    let lay_s = u32::try_from(lay_ms.div_ceil(1000)).unwrap_or(u32::MAX);
    for record in answer.answers.iter_mut().chain(&mut answer.additional) {
        record.ttl = record.ttl.saturating_sub(lay_s);
    }
    answer
}
