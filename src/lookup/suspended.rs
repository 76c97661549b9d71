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

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::cache::{Cache, EntryRef, HashedName};
use crate::error::{Failure, LookupError};
use crate::host::metrics::{self, Metric};
use crate::host::{clock, fork};
use crate::resolver;
use crate::rr::{MAX_CNAME_HOPS, Name, RData, Record, RecordType};

use super::deadline::{self, Spending};
use super::known::usable;
use super::request::split_absolute;
use super::stale::reported_ttl;
use super::store::Next;
use super::{backoff, flight};

/// Questions that one search has under way at a time.
const MOST: usize = 16;

thread_local! {
    /// [`SUSPENDED`] and [`USES`].
    static MODE: Cell<u8> = const { Cell::new(0) };
    static BOOK: RefCell<Option<Book>> = const { RefCell::new(None) };
    static IN_USE: RefCell<Vec<Arc<Answers>>> = const { RefCell::new(Vec::new()) };
}

/// This thread is in a pass.
const SUSPENDED: u8 = 1;
/// It uses what a search has found.
const USES: u8 = 2;

/// What a search may do about what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Asks {
    /// It is asked for.
    #[default]
    All,
    /// It stays missing; what has expired counts as missing, too, where a caller would wait for something newer.
    Nothing,
    /// It stays missing, and what has expired is served at once.
    NothingServesStale,
}

/// What one search has found, and what it waits for.
#[derive(Debug, Default)]
pub struct Book {
    asks: Asks,
    goes_ahead: bool,
    notes: HashMap<u64, Note>,
    /// What the cache had when it was looked at.
    found: HashMap<u64, Result<EntryRef, LookupError>>,
    wanted: Vec<Wanted>,
    under_way: usize,
    /// Until when something newer than what has expired is waited for, by the key of the question, ms.
    patience: HashMap<u64, u64>,
    /// Nothing is passed over any more: nothing else has led anywhere.
    asks_all: bool,
    /// Something was asked for in its course.
    has_asked: bool,
    /// The tree is gone through again: what it comes to was counted.
    is_again: bool,
    /// Questions that the tree came to, and that are not counted yet.
    misses: u32,
    pass: Pass,
}

/// What a pass through the tree has met.
#[derive(Debug, Default)]
struct Pass {
    now_ms: u64,
    /// When it is worth to go through the tree again, whatever is answered, ms.
    wake_ms: u64,
    /// A question that is waited for.
    waits: bool,
    /// One that is silent.
    is_open: bool,
    /// One that was not asked because it was silent a moment ago.
    has_passed_over: bool,
    /// One that may not be asked.
    is_missing: bool,
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
    /// It was given up then.
    was_cut: bool,
    answer: Option<Arc<Answer>>,
}

/// What became of a question, and who said so.
#[derive(Debug)]
pub struct Answer {
    pub(super) result: Result<Next, LookupError>,
    pub(super) server: Option<SocketAddr>,
}

/// A question to be asked.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub(super) name: Vec<u8>,
    pub(super) qtype: RecordType,
    pub(super) key: u64,
    pub(super) longest_life_s: u32,
    pub(super) flags: u32,
    /// Nobody wants the answer any more after this, ms.
    pub(super) until_ms: u64,
}

/// What is to be done after a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Its result counts.
    Final,
    /// The tree is to be gone through again.
    Again,
    /// It is to be gone through again when something is answered, or at that time, ms.
    Waits(u64),
    /// Something is missing, and may not be asked for.
    Missing,
}

/// A question that was not answered.
#[derive(Clone, Debug)]
pub struct Unanswered {
    /// What was asked for.
    pub name: Vec<u8>,
    /// Of which type.
    pub qtype: RecordType,
    /// Why there is no answer.
    pub failure: Failure,
    /// The search had no more time for it.
    pub was_cut: bool,
    /// Who said so, or was silent last.
    pub server: Option<SocketAddr>,
}

impl Book {
    /// An empty one. `goes_ahead`: what stands behind a question that is waited for is asked for meanwhile, for it will be
    /// wanted, too.
    #[must_use]
    pub fn new(asks: Asks, goes_ahead: bool) -> Self {
        Self {
            asks,
            goes_ahead,
            ..Self::default()
        }
    }

    /// Goes through the tree once, in `work`.
    pub fn pass<R>(&mut self, spending: &mut Spending, work: impl FnOnce() -> R) -> R {
        self.pass = Pass {
            now_ms: resolver::now_ms(),
            wake_ms: spending.until_ms(),
            ..Pass::default()
        };
        spending.next_step();
        let is_again = self.is_again;
        BOOK.set(Some(std::mem::take(self)));
        let end = EndOfPass(MODE.replace(SUSPENDED));
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

    /// What is to be done after a pass that has found something, or nothing.
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

    /// Enters what became of a question.
    pub fn learn(&mut self, key: u64, answer: Arc<Answer>) {
        if let Some(note) = self.notes.get_mut(&key).filter(|n| n.answer.is_none()) {
            note.answer = Some(answer);
            self.under_way = self.under_way.saturating_sub(1);
        }
    }

    /// True when something was asked for.
    #[must_use]
    pub fn has_asked(&self) -> bool {
        self.has_asked
    }

    /// What was found.
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
        Answers(fork::Own::of(all))
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

    /// Who answered a question of the search.
    #[must_use]
    pub fn server_of(&self, name: &[u8], qtype: RecordType) -> Option<SocketAddr> {
        let is = |note: &&Note| note.qtype == qtype && note.name.eq_ignore_ascii_case(name);
        self.notes.values().find(is)?.answer.as_ref()?.server
    }

    fn known(&mut self, key: u64) -> Option<Result<Next, LookupError>> {
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

    fn may_want(&mut self, key: u64) -> bool {
        if self.asks != Asks::All {
            self.pass.is_missing = true;
            return false;
        }
        if !self.asks_all && backoff::is_passed_over(key, clock::now_ticks()) {
            self.pass.has_passed_over = true;
            return false;
        }
        // Whatever is answered first makes room.
        let was_waiting = std::mem::replace(&mut self.pass.waits, true);
        self.under_way < MOST && (self.goes_ahead || !was_waiting)
    }

    fn want(&mut self, wanted: Wanted, end_ms: Option<u64>, is_met: bool) -> bool {
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

    fn is_patient(&mut self, key: u64, patience_ms: u64) -> bool {
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

/// Sets back the mode of this thread.
struct EndOfPass(u8);

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
    MODE.get() == SUSPENDED
}

fn with_book<R>(work: impl FnOnce(&mut Book) -> R) -> Option<R> {
    BOOK.with_borrow_mut(|book| book.as_mut().map(work))
}

/// What is known of a question in this pass, or is in use in this thread; `None` = nothing.
#[inline]
pub(super) fn known(key: u64) -> Option<Result<Next, LookupError>> {
    match MODE.get() {
        0 => None,
        SUSPENDED => with_book(|book| book.known(key)).flatten(),
        _ => used(key),
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
    let key = key_of_lookup(cache, &cache.hashed(name), absolute || !is_callers, qtype);
    let found = found.cloned();
    with_book(|book| book.found.insert(key, found));
}

/// The key of what a lookup finds: that of the question for an absolute name.
fn key_of_lookup(cache: &Cache, name: &HashedName<'_>, absolute: bool, qtype: RecordType) -> u64 {
    match absolute || cache.list_in_force().is_none() {
        true => flight::key_of(cache, name, qtype),
        false => flight::key_of_walk(cache, name, qtype),
    }
}

/// What is in use in this thread for a lookup.
#[inline]
pub(super) fn used_for(
    cache: &Cache,
    name: &[u8],
    absolute: bool,
    qtype: RecordType,
) -> Option<Result<EntryRef, LookupError>> {
    if MODE.get() != USES {
        return None;
    }
    let key = key_of_lookup(cache, &cache.hashed(name), absolute, qtype);
    match used(key)? {
        Ok(Next::Entry(entry)) => Some(usable(entry)),
        // The alias is followed where it is asked for.
        Ok(Next::Ask(_)) => None,
        Err(error) => Some(Err(error)),
    }
}

/// The records of a name that are in use in this thread, aliases followed, where the cache is not asked.
pub(super) fn used_records(
    name: &[u8],
    qtype: RecordType,
) -> Option<Result<Vec<Record>, LookupError>> {
    if MODE.get() != USES {
        return None;
    }
    let cache = Cache::instance()?;
    let mut name = Name::from_text(name)?;
    for _ in 0..=MAX_CNAME_HOPS {
        let key = flight::key_of(cache, &cache.hashed(name.as_bytes()), qtype);
        match used(key)? {
            Ok(Next::Ask(target)) => name = target,
            Ok(Next::Entry(entry)) => return Some(usable(entry).map(|entry| records_of(&entry))),
            Err(error) => return Some(Err(error)),
        }
    }
    Some(Err(LookupError::CnameChain))
}

/// The addresses of a host that are in use in this thread, where the cache is not asked: those of IPv4, and with
/// `ipv6` else those of IPv6. `None` = nothing is known of one that counts.
pub(super) fn used_addresses(name: &[u8], ipv6: bool) -> Option<Result<Vec<IpAddr>, LookupError>> {
    if MODE.get() != USES {
        return None;
    }
    let cache = Cache::instance()?;
    let (text, absolute) = split_absolute(name);
    let of = |qtype| {
        let Some(entry) = used_for(cache, text, absolute, qtype) else {
            return used_records(text, qtype).map(|found| found.map(addresses_of));
        };
        Some(entry.map(|entry| addresses_of(records_of(&entry))))
    };
    match of(RecordType::A)? {
        Err(error) if ipv6 && error.is_absence() => of(RecordType::AAAA),
        found => Some(found),
    }
}

fn addresses_of(records: Vec<Record>) -> Vec<IpAddr> {
    let address = |record: Record| match record.rdata {
        RData::A(address) => Some(IpAddr::from(address)),
        RData::Aaaa(address) => Some(IpAddr::from(address)),
        _ => None,
    };
    records.into_iter().filter_map(address).collect()
}

fn records_of(entry: &EntryRef) -> Vec<Record> {
    let (Some(owner), now) = (Name::from_text(entry.name()), clock::now_ticks()) else {
        return Vec::new();
    };
    let usable = (0..entry.record_count()).filter(|index| entry.is_usable(*index, now));
    let record = |index| {
        Some(Record {
            owner: owner.clone(),
            rtype: entry.rtype(),
            class: CLASS_IN,
            ttl: u32::try_from(reported_ttl(entry, entry.record_expire(index)?, now)).unwrap_or(0),
            rdata: entry.record(index)?.rdata()?,
        })
    };
    usable.filter_map(record).collect()
}

/// Class of all records that are asked for.
const CLASS_IN: u16 = 1;

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

/// What a search has found; nothing in a child of the process that found it.
pub struct Answers(fork::Own<HashMap<u64, Result<Next, LookupError>>>);

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.0.peek().map_or(0, HashMap::len);
        f.debug_tuple("Answers").field(&count).finish()
    }
}

/// Has the lookups of this thread find what a search has found, where the cache has nothing, until it is called again;
/// `None` = nothing any more.
pub fn use_answers(answers: Option<Arc<Answers>>) {
    MODE.set(if answers.is_some() { USES } else { 0 });
    // What goes is dropped when nobody borrows it any more: entries are given back then.
    let _before = IN_USE.replace(answers.into_iter().collect());
}

/// Has them find what another search has found, too. What a search has found goes before what another one lacks.
pub fn use_answers_too(answers: Arc<Answers>) {
    MODE.set(USES);
    IN_USE.with_borrow_mut(|in_use| in_use.push(answers));
}

#[cold]
fn used(key: u64) -> Option<Result<Next, LookupError>> {
    IN_USE.with_borrow(|in_use| {
        let of_each = |answers: &Arc<Answers>| answers.0.peek()?.get(&key).cloned();
        let mut lack = None;
        for known in in_use.iter().filter_map(of_each) {
            match known {
                Err(error) => lack = lack.or(Some(Err(error))),
                found => return Some(found),
            }
        }
        lack
    })
}
