//! A search that never waits, for all targets of a URI or for the records of one name: see
//! [`crate::lookup::suspended`].
//!
//! Each step of a search goes through the one tree again whenever a question of the step is answered. A pass that has
//! to wait leaves the position as it was.

mod gathered;
mod lack;
mod target;

use std::sync::Arc;

use crate::cache::EntryRef;
use crate::lookup;
use crate::lookup::deadline::Spending;
use crate::lookup::suspended::{After, Answer, Answers, Asks, Book, Wanted};
use crate::rr::RecordType;

use super::Cursor;
use super::handle::{self, LookedUp, usable_seed};
use super::pins::gather;
use super::sip_uri::Destination;
use gathered::Gathered;
use lack::Witness;
pub use lack::{Culprit, Lack};
pub use target::Target;
use target::target_of;

/// Targets at most; a search that gives more is cut.
pub const MAX_TARGETS: usize = 256;
/// Steps in a row, before other searches have their turn.
const STEPS_IN_A_ROW: usize = 16;

/// The aim of a search.
#[derive(Clone, Debug)]
enum Aim {
    /// The targets of a call, in the order of use.
    Targets(Destination),
    /// All addresses that any record leads to.
    All(Destination),
    Records(Vec<u8>, RecordType),
}

/// The conditions of a search.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// The request flags (`DNS_*`).
    pub flags: u32,
    /// How questions without answer are dealt with.
    pub asks: Asks,
    /// The seed of the draw among SRV records; 0 = a new draw.
    pub seed: u32,
    /// Time for the whole search, ms; `None` = `dns_resolve_deadline`.
    pub most_ms: Option<u64>,
    /// The first target is enough.
    pub first_alone: bool,
}

/// The result of a search.
#[derive(Debug)]
pub struct Ended {
    /// The targets in the order of use.
    pub targets: Vec<Target>,
    /// The records of the one name.
    pub records: Option<EntryRef>,
    /// Why there are neither; the question that is to blame, if there is one.
    pub lack: Option<(Lack, Option<Culprit>)>,
    /// The search has asked a question.
    pub has_asked: bool,
    /// The answers of the search, for lookups that go on with them.
    pub answers: Answers,
}

/// How far a search has come.
#[derive(Debug)]
pub enum Progress {
    /// The search goes on when a question is answered, or at that time, ms; 0 = in its turn.
    Waits(u64),
    /// The search is over.
    Ended(Ended),
}

/// A search.
#[derive(Debug)]
pub struct Search {
    aim: Aim,
    terms: Terms,
    book: Book,
    spending: Spending,
    cursor: Cursor,
    witness: Witness,
    targets: Vec<Target>,
}

impl Search {
    /// For the targets of a URI.
    #[must_use]
    pub fn for_targets(destination: Destination, terms: Terms) -> Self {
        Self::new(Aim::Targets(destination), terms)
    }

    /// For all addresses that any NAPTR or SRV record of a URI leads to, in no order. A failed part leaves the other
    /// addresses in the result.
    #[must_use]
    pub fn for_all(destination: Destination, terms: Terms) -> Self {
        Self::new(Aim::All(destination), terms)
    }

    /// For the records of a name.
    #[must_use]
    pub fn for_records(name: &[u8], qtype: RecordType, terms: Terms) -> Self {
        Self::new(Aim::Records(name.to_vec(), qtype), terms)
    }

    fn new(aim: Aim, terms: Terms) -> Self {
        let mut cursor = Cursor {
            has_naptr_slot: true,
            ..Cursor::default()
        };
        cursor.tried = usable_seed(terms.seed).into();
        Self {
            aim,
            terms,
            book: Book::new(terms.asks, !terms.first_alone),
            spending: Spending::begin(terms.most_ms),
            cursor,
            witness: Witness::default(),
            targets: Vec::new(),
        }
    }

    /// Takes the questions that are to be asked.
    pub fn take_wanted(&mut self) -> Vec<Wanted> {
        self.book.take_wanted()
    }

    /// Enters the answer to a question.
    pub fn learn(&mut self, key: u64, answer: Arc<Answer>) {
        self.book.learn(key, answer);
    }

    /// Goes on as far as the cache and the answers lead.
    pub fn go_on(&mut self) -> Progress {
        match self.aim.clone() {
            Aim::Targets(destination) => self.go_on_to_targets(&destination),
            Aim::All(destination) => self.go_on_to_all(&destination),
            Aim::Records(name, qtype) => self.go_on_to_records(&name, qtype),
        }
    }

    fn go_on_to_all(&mut self, to: &Destination) -> Progress {
        let flags = self.terms.flags;
        let mut gathered = Gathered::new(flags);
        let after = loop {
            gathered.targets.clear();
            self.book
                .pass(&mut self.spending, || gather(&mut gathered, flags, to));
            // `false`: each answer counts, so a silent question is waited for although other addresses are there.
            match self.book.after(false) {
                After::Again => {}
                after => break after,
            }
        };
        self.targets = gathered.targets;
        self.witness = gathered.witness;
        Progress::Ended(match after {
            After::Waits(until_ms) => return Progress::Waits(until_ms),
            After::Missing => self.end_without(Lack::NotCached),
            _ if self.witness.failed.is_some() || self.targets.is_empty() => {
                let lack = self.lack();
                self.end_without(lack)
            }
            _ => self.end(None),
        })
    }

    fn go_on_to_targets(&mut self, to: &Destination) -> Progress {
        for _ in 0..STEPS_IN_A_ROW {
            let given = to.transport.map_or(0, |transport| transport as u8);
            let (mut port, mut transport) = (to.port, given);
            let mut cursor = self.cursor.clone();
            let mut witness = Witness::default();
            let flags = self.terms.flags;
            let found = self.book.pass(&mut self.spending, || {
                let (port, transport) = (Some(&mut port), Some(&mut transport));
                handle::resolve_watched(&mut cursor, &to.host, port, transport, flags, &mut witness)
            });
            self.witness = witness;
            let after = self.book.after(found.is_ok());
            if after != After::Final && !self.cursor.is_started() {
                // The next pass has to use the same draw.
                self.cursor.tried = cursor.start().into();
            }
            match after {
                After::Final => {}
                After::Missing => return Progress::Ended(self.end_without(Lack::NotCached)),
                After::Waits(until_ms) => return Progress::Waits(until_ms),
                After::Again => continue,
            }
            match found {
                Ok(address) => {
                    let target = target_of(&cursor, to, (address, port), transport);
                    self.targets.push(target);
                    self.cursor = cursor;
                    let is_last = self.terms.first_alone || self.targets.len() >= MAX_TARGETS;
                    if is_last || !self.cursor.advance() {
                        return Progress::Ended(self.end(None));
                    }
                }
                Err(_) if !self.targets.is_empty() => return Progress::Ended(self.end(None)),
                Err(error) => {
                    let lack = self.lack_of(error);
                    return Progress::Ended(self.end_without(lack));
                }
            }
        }
        Progress::Waits(0)
    }

    fn go_on_to_records(&mut self, name: &[u8], qtype: RecordType) -> Progress {
        loop {
            let flags = self.terms.flags;
            let find = || {
                let found = lookup::entry(name, qtype, flags);
                keep(name, true, qtype, &found);
                found
            };
            let found = self.book.pass(&mut self.spending, find);
            match self.book.after(found.is_ok()) {
                After::Final => {}
                After::Missing => return Progress::Ended(self.end_without(Lack::NotCached)),
                After::Waits(until_ms) => return Progress::Waits(until_ms),
                After::Again => continue,
            }
            return Progress::Ended(match found {
                Ok((entry, _)) => self.end(Some(entry)),
                Err(error) => {
                    self.witness.note(name, qtype, error);
                    let lack = self.lack();
                    self.end_without(lack)
                }
            });
        }
    }

    fn end(&mut self, records: Option<EntryRef>) -> Ended {
        self.spending.end();
        Ended {
            targets: std::mem::take(&mut self.targets),
            records,
            lack: None,
            has_asked: self.book.has_asked(),
            answers: self.book.answers(),
        }
    }

    fn end_without(&mut self, lack: Lack) -> Ended {
        let culprit = self.culprit();
        Ended {
            lack: Some((lack, culprit)),
            ..self.end(None)
        }
    }
}

/// Keeps the result of a lookup for as long as the search lives.
fn keep(name: &[u8], is_callers: bool, rtype: RecordType, found: &LookedUp) {
    let found = found.as_ref().map(|(entry, _)| entry);
    lookup::suspended::keep(name, is_callers, rtype, found.map_err(|error| *error));
}
