//! A search that never waits, for all targets of a URI or for the records of one name: see [`crate::lookup::suspended`].
//!
//! Each step of a call goes through the one tree as often as something is answered that it had come to; what a pass that
//! had to wait did to the position is forgotten.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::cache::{EntryRef, RecordView};
use crate::error::{Failure, LookupError};
use crate::host::clock;
use crate::lookup::deadline::Spending;
use crate::lookup::suspended::{After, Answer, Answers, Asks, Book, Unanswered, Wanted};
use crate::lookup::{self, is_stale};
use crate::rr::RecordType;

use super::handle::{self, LookedUp, Watch, record_at_step, usable_seed};
use super::pins::{Keeper, Kept, Seen, gather};
use super::sip_uri::Destination;
use super::tree::{Event, Named};
use super::{Cursor, SelectError, Transport};

/// Targets at most; a search that gives more is cut.
pub const MAX_TARGETS: usize = 256;
/// Steps that are gone in a row.
const STEPS_IN_A_ROW: usize = 16;

/// What is looked for.
#[derive(Clone, Debug)]
enum Aim {
    /// The targets of a call, in the order of use.
    Targets(Destination),
    /// All that any of its records leads to.
    All(Destination),
    Records(Vec<u8>, RecordType),
}

/// How something is looked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// The request flags (`DNS_*`).
    pub flags: u32,
    /// What may be asked.
    pub asks: Asks,
    /// The draw among SRV records; 0 = one is made.
    pub seed: u32,
    /// Time for all of it, ms; `None` = as `dns_resolve_deadline` says.
    pub most_ms: Option<u64>,
    /// The first target is enough.
    pub first_alone: bool,
}

/// A target, and what led to it.
#[derive(Clone, Debug)]
pub struct Target {
    /// Address and port.
    pub address: SocketAddr,
    /// How it is reached.
    pub transport: Transport,
    /// The name that has the address, or the literal.
    pub host: Vec<u8>,
    /// Of the SRV record, if one led here.
    pub priority: u16,
    /// As `priority`.
    pub weight: u16,
    /// The least of what led here, s; `None` = nothing that lives for a time.
    pub ttl_s: Option<u32>,
    /// Something that led here has expired.
    pub is_stale: bool,
    /// Something that led here was put in by an operator.
    pub is_edited: bool,
}

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

/// What came of a search.
#[derive(Debug)]
pub struct Ended {
    /// In the order of use.
    pub targets: Vec<Target>,
    /// The records of the one name.
    pub records: Option<EntryRef>,
    /// Set where there are neither.
    pub lack: Option<(Lack, Option<Culprit>)>,
    /// Something was asked for.
    pub has_asked: bool,
    /// For those who go on with what was found.
    pub answers: Answers,
}

/// How far a search has come.
#[derive(Debug)]
pub enum Progress {
    /// It goes on when something is answered, or at that time, ms; 0 = in its turn.
    Waits(u64),
    /// It is over.
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

    /// For all addresses that any NAPTR or SRV record of a URI leads to, in no order; where something of it is not known
    /// the others are given all the same.
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

    /// Enters what became of a question.
    pub fn learn(&mut self, key: u64, answer: Arc<Answer>) {
        self.book.learn(key, answer);
    }

    /// Goes on as far as what is known leads.
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
            match self.book.after(!gathered.targets.is_empty()) {
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
                // What was drawn stays drawn.
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

    fn lack_of(&self, error: SelectError) -> Lack {
        match error {
            SelectError::AfMismatch => Lack::Family,
            SelectError::Critical => Lack::Uri,
            SelectError::NameTooLong => Lack::Name,
            _ => self.lack(),
        }
    }

    /// What counts of all that was met: what was not answered before what was refused, and that before absence.
    fn lack(&self) -> Lack {
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

    fn culprit(&self) -> Option<Culprit> {
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

/// The first that a pass met of each kind.
#[derive(Debug, Default)]
struct Witness {
    failed: Option<(Vec<u8>, RecordType, LookupError)>,
    absent: Option<(Vec<u8>, RecordType, LookupError)>,
    refused: bool,
}

impl Witness {
    fn note(&mut self, name: &[u8], qtype: RecordType, error: LookupError) {
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

/// Keeps what was found for as long as the search lives.
fn keep(name: &[u8], is_callers: bool, rtype: RecordType, found: &LookedUp) {
    let found = found.as_ref().map(|(entry, _)| entry);
    lookup::suspended::keep(name, is_callers, rtype, found.map_err(|error| *error));
}

/// What the records of a URI lead to.
struct Gathered {
    flags: u32,
    targets: Vec<Target>,
    witness: Witness,
}

impl Gathered {
    fn new(flags: u32) -> Self {
        Self {
            flags,
            targets: Vec::new(),
            witness: Witness::default(),
        }
    }
}

impl Keeper for Gathered {
    const SEES: bool = true;

    fn keep(&mut self, name: &[u8], qtype: RecordType, is_callers: bool) -> Kept {
        let found = match is_callers {
            true => lookup::entry(name, qtype, self.flags),
            false => lookup::absolute_entry(name, qtype, self.flags),
        };
        keep(name, is_callers, qtype, &found);
        match found {
            Ok((entry, _)) => Kept::Has(entry),
            Err(LookupError::Open) => Kept::Waits,
            Err(error) => {
                self.witness.note(name, qtype, error);
                match error.is_absence() {
                    true => Kept::Absent(clock::now_ticks()),
                    false => Kept::Failed(error, None),
                }
            }
        }
    }

    fn sees(&mut self, seen: &Seen<'_>, address: IpAddr) {
        let mut target = Target {
            address: SocketAddr::new(address, seen.port),
            transport: seen.transport,
            host: seen.host.to_vec(),
            priority: 0,
            weight: 0,
            ttl_s: None,
            is_stale: false,
            is_edited: false,
        };
        for entry in seen.led_by {
            target.led_by(entry);
        }
        let is_same =
            |other: &Target| other.address == target.address && other.transport == target.transport;
        match self.targets.iter_mut().find(|other| is_same(other)) {
            // One fresh way is enough.
            Some(other) if other.is_stale && !target.is_stale => *other = target,
            Some(_) => {}
            None => self.targets.push(target),
        }
    }
}

/// The target at which a cursor stands.
fn target_of(
    cursor: &Cursor,
    to: &Destination,
    (address, port): (IpAddr, u16),
    transport: u8,
) -> Target {
    let mut target = Target {
        address: SocketAddr::new(address, port),
        transport: Transport::from_number(transport).unwrap_or(Transport::Udp),
        host: to.host.strip_suffix(b".").unwrap_or(&to.host).to_vec(),
        priority: 0,
        weight: 0,
        ttl_s: None,
        is_stale: false,
        is_edited: false,
    };
    if let Some(srv) = &cursor.srv {
        let step = usize::from(cursor.srv_no).saturating_sub(1);
        let index = record_at_step(srv, step, cursor.seed());
        if let Some(RecordView::Srv {
            priority,
            weight,
            target: host,
            ..
        }) = index.and_then(|index| srv.record(index))
        {
            (target.priority, target.weight) = (priority, weight);
            target.host = host.to_vec();
        }
    }
    let entries = [&cursor.naptr, &cursor.srv, &cursor.a];
    for entry in entries.into_iter().flatten() {
        target.led_by(entry);
    }
    target
}

impl Target {
    /// What an entry that led here says of it.
    pub(super) fn led_by(&mut self, entry: &EntryRef) {
        let now = clock::now_ticks();
        self.is_stale |= is_stale(entry, now);
        self.is_edited |= entry.is_edited();
        if !entry.is_permanent() {
            let left_s = lookup::reported_ttl(entry, entry.expire(), now);
            let left_s = u32::try_from(left_s).unwrap_or(0);
            self.ttl_s = Some(self.ttl_s.map_or(left_s, |ttl_s| ttl_s.min(left_s)));
        }
    }
}
