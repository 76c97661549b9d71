//! Questions that go on when their caller has given up: the refresher asks them, so that the next call, or the
//! retransmission, finds the answer.
//!
//! The caller leaves the question on a board in shared memory; without a refresher nobody would look there. The
//! refresher keeps a bounded number of such questions, few below one parent, for anybody can make up names that nobody
//! answers for. Refreshes go before these questions.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::cache::{Cache, due};
use crate::host::clock::{self, TICKS_PER_S};
use crate::host::metrics::{self, Metric};
use crate::rr::RecordType;

use super::board::{Board, Notice};
use super::failing::parent;
use super::{backoff, flight, unwaited};

/// Places on the board, for the notices between two looks of the refresher.
const PLACES: usize = 128;
/// Questions that go on at a time, and those of them below one parent.
const MOST: usize = 1000;
const MOST_BELOW_PARENT: u32 = 50;

/// How long a question waits for its turn, ticks.
const LIFE: u32 = 5 * TICKS_PER_S;

static BOARD: Board<PLACES> = Board::new();

/// Maps the board; before fork.
pub(super) fn prepare() {
    BOARD.prepare();
}

/// Has a question go on whose caller gives up: the refresher asks it, or, without one, this thread by the way. Not one
/// that had failed before this caller asked: those have a prober, and a server that keeps silent must not be asked
/// without end.
pub(super) fn hand_on(name: &[u8], qtype: RecordType, key: u64) {
    if backoff::failed_lately(key) {
        return;
    }
    if !due::is_refresher_alive(clock::now_ticks()) {
        // A process that waits for the answer asks next.
        if !flight::is_waited_for(key) {
            unwaited::ask(name, qtype, key);
        }
        return;
    }
    if !BOARD.put(name, qtype.0, key) {
        metrics::count(Metric::HandedOnDropped);
    }
}

/// The question of a notice.
fn question_of(cache: &Cache, notice: Notice) -> Option<Question> {
    let Notice {
        text: name,
        number,
        key: written,
    } = notice;
    let qtype = RecordType(number);
    let key = flight::key_of(cache, &cache.hashed(&name), qtype);
    let is_whole = !name.is_empty() && key == written;
    let share = Share {
        key,
        parent: flight::key_of(cache, &cache.hashed(parent(&name)), qtype),
    };
    is_whole.then(|| Question {
        name,
        qtype,
        share,
        since: clock::now_ticks(),
    })
}

/// A question that goes on.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) name: Vec<u8>,
    pub(super) qtype: RecordType,
    pub(super) share: Share,
    /// When the refresher got it.
    since: u32,
}

impl Question {
    /// True when nobody is likely to want the answer any more.
    pub(super) fn is_old(&self, now: u32) -> bool {
        now.wrapping_sub(self.since) > LIFE
    }
}

/// The share of a question in the bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    key: u64,
    parent: u64,
}

/// The questions that go on, as their refresher has them.
#[derive(Debug, Default)]
pub(super) struct Questions {
    waiting: VecDeque<Question>,
    /// Questions that wait, and questions that are asked.
    keys: HashSet<u64>,
    below: HashMap<u64, u32>,
}

impl Questions {
    /// Takes what callers left.
    pub(super) fn look(&mut self, cache: &Cache) {
        BOARD.take_all(|notice| {
            if let Some(question) = question_of(cache, notice) {
                self.add(question);
            }
        });
    }

    fn add(&mut self, question: Question) {
        let Share { key, parent } = question.share;
        if self.keys.contains(&key) {
            return;
        }
        let below = self.below.get(&parent).copied().unwrap_or(0);
        if self.keys.len() >= MOST || below >= MOST_BELOW_PARENT {
            metrics::count(Metric::HandedOnDropped);
            return;
        }
        metrics::count(Metric::HandedOn);
        self.keys.insert(key);
        self.below.insert(parent, below + 1);
        self.waiting.push_back(question);
    }

    /// Number of questions that wait for their turn, at most; each is put back or ended.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn next(&mut self) -> Option<Question> {
        self.waiting.pop_front()
    }

    /// Puts back a question that is not to be asked yet.
    pub(super) fn put_back(&mut self, question: Question) {
        self.waiting.push_back(question);
    }

    /// Ends a question that was answered, or will not be.
    pub(super) fn end(&mut self, share: Share) {
        self.keys.remove(&share.key);
        if let Some(below) = self.below.get_mut(&share.parent) {
            *below -= 1;
            if *below == 0 {
                self.below.remove(&share.parent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(key: u64, parent: u64) -> Question {
        Question {
            name: b"x".to_vec(),
            qtype: RecordType::A,
            share: Share { key, parent },
            since: 0,
        }
    }

    #[test]
    fn there_are_few_below_one_parent_and_not_too_many_in_all() {
        let mut questions = Questions::default();
        for key in 0..60 {
            questions.add(question(key, 7));
            questions.add(question(key, 7));
        }
        assert_eq!(questions.waiting(), 50);
        for key in 100..3000 {
            questions.add(question(key, key));
        }
        assert_eq!(questions.waiting(), MOST);
        while let Some(question) = questions.next() {
            questions.end(question.share);
        }
        assert!(questions.below.is_empty() && questions.keys.is_empty());
        questions.add(question(1, 7));
        assert_eq!(questions.waiting(), 1);
    }
}
