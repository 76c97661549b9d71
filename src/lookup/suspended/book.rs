//! The book of a search that never waits: what it has found, and what it waits for.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::cache::EntryRef;
use crate::error::{Failure, LookupError};
use crate::host::clock;
use crate::resolver;
use crate::rr::RecordType;

use super::super::store::Next;
use super::super::{backoff, deadline};
use super::found::Answers;

/// Questions that one search has under way at a time.
const MOST: usize = 16;

/// How a search deals with a question to which neither the cache nor the book has an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Asks {
    /// The question is asked.
    #[default]
    All,
    /// The question is not asked. An expired entry counts as missing, too, where a caller would wait for a newer one.
    Nothing,
    /// The question is not asked, and an expired entry is served at once.
    NothingServesStale,
}

/// The answers that one search has, and the questions that it waits for.
#[derive(Debug, Default)]
pub struct Book {
    asks: Asks,
    goes_ahead: bool,
    notes: HashMap<u64, Note>,
    /// Entries and absences of the cache, as lookups of this search found them.
    pub(super) found: HashMap<u64, Result<EntryRef, LookupError>>,
    wanted: Vec<Wanted>,
    under_way: usize,
    /// Until when the search waits for something newer than an expired entry, by the key of the question, ms.
    patience: HashMap<u64, u64>,
    /// Questions that were silent a moment ago are asked, too: no other way has led to a target.
    asks_all: bool,
    /// The search has asked a question.
    has_asked: bool,
    /// The tree is gone through again: lookups were counted in the first pass.
    pub(super) is_again: bool,
    /// Questions that the tree came to, and that are not counted yet.
    pub(super) misses: u32,
    pub(super) pass: Pass,
}

/// The questions without answer that a pass through the tree has met.
#[derive(Debug, Default)]
pub(super) struct Pass {
    now_ms: u64,
    /// When it is worth to go through the tree again, whatever is answered, ms.
    wake_ms: u64,
    /// A question that is waited for.
    waits: bool,
    /// A question that is silent.
    is_open: bool,
    /// A question that was not asked because it was silent a moment ago.
    has_passed_over: bool,
    /// A question that may not be asked.
    is_missing: bool,
}

impl Pass {
    /// A pass that begins; `wake_ms`: the latest time at which the next pass is worth while, ms.
    pub(super) fn new(now_ms: u64, wake_ms: u64) -> Self {
        Self {
            now_ms,
            wake_ms,
            ..Self::default()
        }
    }
}

/// A question of a search.
#[derive(Debug)]
struct Note {
    name: Vec<u8>,
    qtype: RecordType,
    /// When the tree came to it first, ms; `None` = it was asked along with another.
    met_ms: Option<u64>,
    /// When the search goes on without it, ms.
    end_ms: Option<u64>,
    /// The search went on without it: `end_ms` or the deadline was over.
    was_cut: bool,
    answer: Option<Arc<Answer>>,
}

/// The end of a question, and the server that it comes from.
#[derive(Debug)]
pub struct Answer {
    pub(in super::super) result: Result<Next, LookupError>,
    pub(in super::super) server: Option<SocketAddr>,
}

/// A question to be asked.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub(in super::super) name: Vec<u8>,
    pub(in super::super) qtype: RecordType,
    pub(in super::super) key: u64,
    pub(in super::super) longest_life_s: u32,
    pub(in super::super) flags: u32,
    /// After this time nobody wants the answer any more, ms.
    pub(in super::super) until_ms: u64,
}

/// The next step after a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The result of the pass counts.
    Final,
    /// The tree is to be gone through again.
    Again,
    /// The tree is to be gone through again when a question is answered, or at that time, ms.
    Waits(u64),
    /// A question has no answer, and may not be asked.
    Missing,
}

/// A question that was not answered.
#[derive(Clone, Debug)]
pub struct Unanswered {
    /// The name of the question.
    pub name: Vec<u8>,
    /// The type of the question.
    pub qtype: RecordType,
    /// Why there is no answer.
    pub failure: Failure,
    /// The search had no more time for it.
    pub was_cut: bool,
    /// The server that gave the failure, or was silent last.
    pub server: Option<SocketAddr>,
}

impl Book {
    /// An empty book. `goes_ahead`: questions behind one that is waited for are asked meanwhile, for their answers will
    /// be wanted, too.
    #[must_use]
    pub fn new(asks: Asks, goes_ahead: bool) -> Self {
        Self {
            asks,
            goes_ahead,
            ..Self::default()
        }
    }

    /// The next step after a pass; `found`: the pass has found a target.
    pub fn after(&mut self, found: bool) -> After {
        let after = self.judge(found);
        self.is_again = matches!(after, After::Again | After::Waits(_));
        after
    }

    fn judge(&mut self, found: bool) -> After {
        let pass = &self.pass;
        if pass.is_missing {
            return After::Missing;
        }
        if pass.waits {
            return After::Waits(pass.wake_ms);
        }
        if !found && pass.has_passed_over {
            self.asks_all = true;
            return After::Again;
        }
        match !found && pass.is_open {
            true => After::Waits(pass.wake_ms),
            false => After::Final,
        }
    }

    /// Takes the questions that are to be asked.
    pub fn take_wanted(&mut self) -> Vec<Wanted> {
        std::mem::take(&mut self.wanted)
    }

    /// Enters the answer to a question; the first one counts.
    pub fn learn(&mut self, key: u64, answer: Arc<Answer>) {
        if let Some(note) = self.notes.get_mut(&key).filter(|n| n.answer.is_none()) {
            note.answer = Some(answer);
            self.under_way = self.under_way.saturating_sub(1);
        }
    }

    /// True when the search has asked a question.
    #[must_use]
    pub fn has_asked(&self) -> bool {
        self.has_asked
    }

    /// All answers of the search, for [`super::use_answers`].
    #[must_use]
    pub fn answers(&self) -> Answers {
        let of = |(key, note): (&u64, &Note)| match &note.answer {
            Some(answer) => Some((*key, answer.result.clone())),
            None if note.was_cut => Some((*key, Err(LookupError::Failed(Failure::Timeout)))),
            None => None,
        };
        let mut all: HashMap<_, _> = self.notes.iter().filter_map(of).collect();
        for (key, found) in &self.found {
            all.entry(*key).or_insert(found.clone().map(Next::Entry));
        }
        Answers::of(all)
    }

    /// The questions of the search that were not answered.
    pub fn unanswered(&self) -> impl Iterator<Item = Unanswered> + '_ {
        let of = |note: &Note| {
            let failure = match note.answer.as_ref().map(|answer| &answer.result) {
                Some(Err(LookupError::Failed(failure))) => *failure,
                None if note.was_cut => Failure::Timeout,
                _ => return None,
            };
            Some(Unanswered {
                name: note.name.clone(),
                qtype: note.qtype,
                failure,
                was_cut: note.was_cut,
                server: note.answer.as_ref().and_then(|answer| answer.server),
            })
        };
        let met = self.notes.values().filter(|note| note.met_ms.is_some());
        met.filter_map(of)
    }

    /// The server that answered a question of the search.
    #[must_use]
    pub fn server_of(&self, name: &[u8], qtype: RecordType) -> Option<SocketAddr> {
        let is = |note: &&Note| note.qtype == qtype && note.name.eq_ignore_ascii_case(name);
        self.notes.values().find(is)?.answer.as_ref()?.server
    }

    /// The answer to a question, as far as this pass knows one; `None` = the book does not have the question.
    pub(super) fn known(&mut self, key: u64) -> Option<Result<Next, LookupError>> {
        let now_ms = self.pass.now_ms;
        let Some(note) = self.notes.get_mut(&key) else {
            return Some(self.found.get(&key)?.clone().map(Next::Entry));
        };
        let met_ms = *note.met_ms.get_or_insert(now_ms);
        if let Some(answer) = &note.answer {
            return Some(answer.result.clone());
        }
        let is_over = note.end_ms.is_some_and(|end_ms| now_ms >= end_ms);
        if note.was_cut || is_over || deadline::is_over() {
            note.was_cut = true;
            return Some(Err(LookupError::Failed(Failure::Timeout)));
        }
        let end_ms = note.end_ms.unwrap_or(u64::MAX);
        let silent_ms = met_ms.saturating_add(resolver::while_ms());
        self.pass.wake_ms = self.pass.wake_ms.min(end_ms);
        if now_ms < silent_ms {
            self.pass.waits = true;
            self.pass.wake_ms = self.pass.wake_ms.min(silent_ms);
        } else {
            self.pass.is_open = true;
        }
        Some(Err(LookupError::Open))
    }

    /// True when a question that nothing is known of may be written down.
    pub(super) fn may_want(&mut self, key: u64) -> bool {
        if self.asks != Asks::All {
            self.pass.is_missing = true;
            return false;
        }
        if !self.asks_all && backoff::is_passed_over(key, clock::now_ticks()) {
            self.pass.has_passed_over = true;
            return false;
        }
        // The next answer, whichever comes first, makes room for another question.
        let was_waiting = std::mem::replace(&mut self.pass.waits, true);
        self.under_way < MOST && (self.goes_ahead || !was_waiting)
    }

    /// Writes a question down, see [`super::want`].
    pub(super) fn want(&mut self, wanted: Wanted, end_ms: Option<u64>, is_met: bool) -> bool {
        if self.notes.contains_key(&wanted.key) || self.under_way >= MOST {
            return false;
        }
        let now_ms = self.pass.now_ms;
        let note = Note {
            name: wanted.name.clone(),
            qtype: wanted.qtype,
            met_ms: is_met.then_some(now_ms),
            end_ms,
            was_cut: false,
            answer: None,
        };
        if is_met {
            self.misses += 1;
            let silent_ms = now_ms.saturating_add(resolver::while_ms());
            let end_ms = end_ms.unwrap_or(u64::MAX);
            self.pass.wake_ms = self.pass.wake_ms.min(silent_ms).min(end_ms);
        }
        self.notes.insert(wanted.key, note);
        self.wanted.push(wanted);
        self.under_way += 1;
        self.has_asked = true;
        true
    }

    /// See [`super::is_patient`].
    pub(super) fn is_patient(&mut self, key: u64, patience_ms: u64) -> bool {
        match self.asks {
            Asks::Nothing => return true,
            Asks::NothingServesStale => return false,
            Asks::All => {}
        }
        let now_ms = self.pass.now_ms;
        let until_ms = now_ms.saturating_add(patience_ms);
        let until_ms = *self.patience.entry(key).or_insert(until_ms);
        let is_patient = now_ms < until_ms && !deadline::is_over();
        if is_patient {
            self.pass.wake_ms = self.pass.wake_ms.min(until_ms);
        }
        is_patient
    }
}
