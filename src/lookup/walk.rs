//! A walk of the search list for a relative name: its state, apart from who asks the questions.
//!
//! A walk goes from candidate to candidate: the name with each domain of the list, and the name as it is written. For
//! a host it looks at both address families that the caller wants: the first candidate with an address of either wins
//! for both, so what one family has never leads the other to another host. A candidate without data does not end the
//! walk, as in libc: there are domains that answer "no data" to everything.
//!
//! The winner is remembered for the relative name alone, for the least of the times that led there.

use smallvec::{SmallVec, smallvec};

use crate::cache::{
    Cache, Conflict, Draft, DraftData, DraftRecord, EntryRef, ListId, Mark, NegativeKind, Place,
    RecordView,
};
use crate::error::LookupError;
use crate::host::clock;
use crate::host::options::{self, Opt};
use crate::resolver::SearchList;
use crate::rr::{MAX_CNAME_HOPS, MAX_TTL_S, Name, RData, RecordType, eq_ignore_case};

use super::findings::{Findings, together};
use super::request::family_order;

/// The aim of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Aim {
    /// The type whose records the caller wants.
    pub(super) qtype: RecordType,
    /// The other address type, where the caller takes either.
    pub(super) other: Option<RecordType>,
}

impl Aim {
    /// The aim of a lookup of a type under the caller's request flags.
    pub(super) fn of(qtype: RecordType, flags: u32) -> Self {
        let other = match family_order(flags) {
            (first, Some(second)) if first == qtype => Some(second),
            (first, Some(second)) if second == qtype => Some(first),
            _ => None,
        };
        Self { qtype, other }
    }

    /// True for the addresses of either family.
    pub(super) fn is_either(self) -> bool {
        self.other.is_some()
    }

    /// The type under which the walk's result is remembered.
    pub(super) fn link(self) -> RecordType {
        self.qtype.link(self.is_either())
    }
}

/// A walk under way.
#[derive(Debug)]
pub(super) struct Walk {
    name: Name,
    aim: Aim,
    list: ListId,
    candidates: SmallVec<[Name; 1]>,
    /// Place of the name as it is written among the candidates.
    as_is: Option<usize>,
    position: usize,
    /// Why the candidate has nothing of the type that the caller wants: the other one is looked at.
    lacking: Option<LookupError>,
    /// For how long that which the earlier candidates showed holds, s.
    limit_s: u32,
    findings: Findings,
}

impl Walk {
    /// Begins a walk; `None` for a name that may not be asked for. `list` is the number of `domains`.
    pub(super) fn begin(name: &[u8], aim: Aim, domains: &SearchList, list: ListId) -> Option<Self> {
        Self::through(name, aim, domains.candidates(name)?, list)
    }

    /// True for a walk that looks for the same.
    pub(super) fn is_of(&self, name: &[u8], aim: Aim) -> bool {
        self.aim == aim && eq_ignore_case(self.name.as_bytes(), name)
    }

    /// A walk that somebody else made, and that ended at a name.
    pub(super) fn over(name: &[u8], aim: Aim, list: ListId, end: Name) -> Option<Self> {
        Self::through(name, aim, smallvec![end], list)
    }

    fn through(
        name: &[u8],
        aim: Aim,
        candidates: SmallVec<[Name; 1]>,
        list: ListId,
    ) -> Option<Self> {
        let same = |candidate: &Name| eq_ignore_case(candidate.as_bytes(), name);
        Some(Self {
            name: Name::from_text(name)?,
            aim,
            list,
            as_is: candidates.iter().position(same),
            candidates,
            position: 0,
            lacking: None,
            limit_s: u32::MAX,
            findings: Findings::default(),
        })
    }

    /// Number of candidates.
    pub(super) fn len(&self) -> usize {
        self.candidates.len()
    }

    /// The absolute name and type to look up next.
    pub(super) fn question(&self) -> Option<(&Name, RecordType)> {
        let qtype = match (&self.lacking, self.aim.other) {
            (Some(_), Some(other)) => other,
            _ => self.aim.qtype,
        };
        Some((self.candidates.get(self.position)?, qtype))
    }

    /// Longest life of records of the name that is looked up next, s: where the name as it is written comes late, its
    /// records are kept no longer than the absence of the candidates before it, so that one entry serves both the
    /// absolute and the relative name. A candidate that failed is asked again soon, which is no reason to forget what
    /// the absolute name has.
    pub(super) fn longest_life_s(&self) -> u32 {
        if Some(self.position) == self.as_is && self.limit_s > 0 && !self.findings.has_failure() {
            self.limit_s
        } else {
            u32::MAX
        }
    }

    /// Takes what the lookup of [`Self::question`] gave; the result of the walk once it is over.
    pub(super) fn learn(
        &mut self,
        cache: &Cache,
        result: Result<EntryRef, LookupError>,
    ) -> Option<Result<EntryRef, LookupError>> {
        match (result, self.lacking.take()) {
            (Ok(entry), None) => {
                self.remember(cache, &entry, self.aim.qtype);
                Some(Ok(entry))
            }
            (Ok(entry), Some(lacking)) => {
                self.remember_lack(cache);
                self.remember(cache, &entry, self.aim.other.unwrap_or(self.aim.qtype));
                Some(Err(lacking))
            }
            // The name has records that nobody can be given.
            (Err(error @ LookupError::OutOfMemory), _) => Some(Err(error)),
            (Err(error), None) if self.aim.is_either() => {
                self.lacking = Some(error);
                None
            }
            (Err(error), lacking) => self.go_on(cache, lacking.unwrap_or(error), error),
        }
    }

    /// The candidate has nothing, for these reasons: to the next.
    fn go_on(
        &mut self,
        cache: &Cache,
        wanted: LookupError,
        other: LookupError,
    ) -> Option<Result<EntryRef, LookupError>> {
        self.limit_s = self.limit_s.min(self.life_of_lack_s(cache));
        let is_first_as_is = self.position == 0 && self.as_is == Some(0);
        let goes_on = self.findings.add(together(wanted, other), is_first_as_is);
        self.position += 1;
        if !goes_on || self.position >= self.candidates.len() {
            return Some(Err(self.conclude(cache)));
        }
        None
    }

    /// The result for the name where no candidate has records.
    fn conclude(&self, cache: &Cache) -> LookupError {
        let error = self.findings.conclude();
        let kind = match error {
            LookupError::NxDomain => NegativeKind::NxDomain,
            LookupError::NoData => NegativeKind::NoData,
            other => return other,
        };
        self.store(cache, DraftData::Negative(kind), self.limit_s);
        error
    }

    /// For how long nothing of the wanted types is known of the candidate, s.
    fn life_of_lack_s(&self, cache: &Cache) -> u32 {
        let Some(name) = self.candidates.get(self.position) else {
            return 0;
        };
        let types = [Some(self.aim.qtype), self.aim.other];
        let lives = types
            .into_iter()
            .flatten()
            .map(|qtype| life_of_absence_s(cache, name.as_bytes(), qtype));
        lives.min().unwrap_or(0)
    }

    /// Remembers that the candidate won, by the records of a type.
    fn remember(&self, cache: &Cache, entry: &EntryRef, qtype: RecordType) {
        let Some(winner) = self.candidates.get(self.position) else {
            return;
        };
        if !entry.is_linked() {
            return;
        }
        let life_s = self.limit_s.min(life_of_chain_s(cache, winner, qtype));
        let is_own = eq_ignore_case(entry.name(), winner.as_bytes()) && entry.rtype() == qtype;
        if Some(self.position) == self.as_is && is_own && self.limit_s >= seconds_left(entry) {
            // Nothing was looked at before the first candidate, so nothing could win in another case.
            let either = self.aim.is_either() || self.position == 0;
            entry.set_mark(Mark::under(self.list, either));
            return;
        }
        let rdata = RData::Cname(winner.clone());
        let records = [DraftRecord {
            ttl: life_s,
            rdata: &rdata,
        }];
        self.store(cache, DraftData::Records(&records), life_s);
    }

    /// Remembers for the name as it is written that it won without records of the type that is wanted.
    fn remember_lack(&self, cache: &Cache) {
        let Some(winner) = self.candidates.get(self.position) else {
            return;
        };
        if Some(self.position) != self.as_is {
            return;
        }
        if let Some(entry) = live(cache, winner.as_bytes(), self.aim.qtype)
            && matches!(
                entry.negative(),
                Some(NegativeKind::NxDomain | NegativeKind::NoData)
            )
            && self.limit_s >= seconds_left(&entry)
        {
            entry.set_mark(Mark::under(self.list, true));
        }
    }

    fn store(&self, cache: &Cache, data: DraftData<'_>, life_s: u32) {
        let life_s = life_s.min(MAX_TTL_S);
        if life_s == 0 || options::raw(Opt::CacheMem) == 0 {
            return;
        }
        let draft = Draft {
            name: self.name.as_bytes(),
            rtype: self.aim.link(),
            data,
            permanent: false,
            negative_ttl: life_s,
        };
        let place = Place::Relative(Mark::under(self.list, false));
        // Without memory for it the next lookup walks again.
        let _ = cache.insert_at(&draft, place, Conflict::Replace, clock::now_ticks());
    }
}

fn seconds_left(entry: &EntryRef) -> u32 {
    if entry.is_permanent() {
        return u32::MAX;
    }
    u32::try_from(clock::seconds_until(entry.expire(), clock::now_ticks())).unwrap_or(0)
}

/// The live entry of a name, or an alias of it. The look does not count as use: a walk looks at what it has just
/// stored.
fn live(cache: &Cache, name: &[u8], qtype: RecordType) -> Option<EntryRef> {
    let (qname, now) = (cache.hashed(name), clock::now_ticks());
    let of_type = |rtype| {
        let entry = cache.acquire_exact_any_age(&qname, rtype);
        entry.filter(|entry| entry.is_permanent() || !entry.is_expired(now))
    };
    of_type(qtype).or_else(|| of_type(RecordType::CNAME).filter(|alias| alias.negative().is_none()))
}

/// For how long the cache knows that there is nothing, or that asking failed, s; 0 = it does not.
fn life_of_absence_s(cache: &Cache, name: &[u8], qtype: RecordType) -> u32 {
    let mut entry = live(cache, name, qtype);
    for _ in 0..=MAX_CNAME_HOPS {
        entry = match entry {
            Some(found) if found.negative().is_some() => return seconds_left(&found),
            Some(found) => match found.record(0) {
                Some(RecordView::Cname(target)) if found.rtype() != qtype => {
                    live(cache, target, qtype)
                }
                _ => return 0,
            },
            None => return 0,
        };
    }
    0
}

/// For how long a name leads to the records that the cache has, s.
fn life_of_chain_s(cache: &Cache, name: &Name, qtype: RecordType) -> u32 {
    let mut name = name.clone();
    let mut life_s = MAX_TTL_S;
    for _ in 0..=MAX_CNAME_HOPS {
        let Some(entry) = live(cache, name.as_bytes(), qtype) else {
            return 0;
        };
        life_s = life_s.min(seconds_left(&entry));
        if entry.rtype() == qtype {
            return life_s;
        }
        let target = match entry.record(0) {
            Some(RecordView::Cname(target)) => Name::from_text(target),
            _ => None,
        };
        let Some(target) = target else { return 0 };
        drop(entry);
        name = target;
    }
    0
}
