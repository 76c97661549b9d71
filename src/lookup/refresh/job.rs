//! A question of the refresher's: its purpose, and whether it may be asked now.

use std::sync::atomic::Ordering;

use super::super::flight::{self, Attempt, Claim, Terms};
use super::super::known::{Known, known, usable};
use super::super::request::{family_order, question_text};
use super::super::walk::{Aim, Walk};
use super::super::{backoff, handed_on};
use crate::cache::due::{self, Due};
use crate::cache::{Cache, EntryRef, Mark, NegativeKind};
use crate::host::clock;
use crate::host::vars::dns_flags;
use crate::resolver::{Question, SearchList};
use crate::rr::{MAX_CNAME_HOPS, RecordType};

/// A query for a refresh ends after this, ms.
pub(super) const LIMIT_MS: u64 = 5000;
/// [`LIMIT_MS`] of a question that failed the last time: shorter, so that more of these fit.
const LIMIT_AFTER_FAILURE_MS: u64 = 2000;
/// Time for questions to end when theirs is over, ms.
pub(super) const GRACE_MS: u64 = 1000;

/// A question that the refresher asks.
#[derive(Debug)]
pub struct Job {
    pub(super) name: Vec<u8>,
    pub(super) text: Vec<u8>,
    pub(super) qtype: RecordType,
    /// The walk of the search list that the question belongs to.
    pub(super) walk: Option<Walk>,
    /// The entry for whose sake it is asked.
    pub(super) origin: Option<EntryRef>,
    /// Key of the question.
    pub(super) key: u64,
    /// CNAMEs that may still be followed.
    pub(super) hops: usize,
    /// Missing where another question uses the place of this one.
    pub(super) claim: Option<Claim>,
    /// Set for a question whose caller gave up: its share of the bounds on such questions.
    pub(super) handed_on: Option<handed_on::Share>,
}

/// The purpose of a question.
#[derive(Debug)]
pub(super) struct Purpose {
    pub(super) walk: Option<Walk>,
    pub(super) origin: Option<EntryRef>,
}

impl Job {
    pub(super) fn of(
        name: &[u8],
        qtype: RecordType,
        hops: usize,
        right: Right,
        purpose: Purpose,
    ) -> Self {
        Self {
            name: name.to_vec(),
            text: question_text(name, true).into_owned(),
            qtype,
            walk: purpose.walk,
            origin: purpose.origin,
            key: right.key,
            hops,
            claim: right.claim,
            handed_on: None,
        }
    }

    /// The question to ask.
    #[must_use]
    pub fn question(&self) -> Question<'_> {
        Question {
            qname: &self.text,
            qtype: self.qtype,
        }
    }

    /// How long it may take, ms.
    #[must_use]
    pub fn limit_ms(&self) -> u64 {
        limit_ms(self.key)
    }
}

fn limit_ms(key: u64) -> u64 {
    if backoff::has_failed(key) {
        LIMIT_AFTER_FAILURE_MS
    } else {
        LIMIT_MS
    }
}

/// The right to ask a question.
pub(super) struct Right {
    /// Key of the question.
    pub(super) key: u64,
    /// Missing where another question uses the place of this one.
    pub(super) claim: Option<Claim>,
}

/// Whether a question may be asked.
pub(super) enum MayAsk {
    Yes(Right),
    /// Another asks the question.
    Busy,
    /// The question failed a moment ago.
    NotNow,
}

fn may_ask(cache: &Cache, name: &[u8], qtype: RecordType) -> MayAsk {
    let key = flight::key_of(cache, &cache.hashed(name), qtype);
    if backoff::is_waiting(key, clock::now_ticks()) {
        return MayAsk::NotNow;
    }
    claim(cache, key)
}

pub(super) fn claim(cache: &Cache, key: u64) -> MayAsk {
    let terms = Terms::of_background(limit_ms(key) + GRACE_MS);
    let claim = match flight::attempt(cache, key, terms) {
        Attempt::Busy(_) => return MayAsk::Busy,
        Attempt::Claimed(claim) => Some(claim),
        Attempt::Alone => None,
    };
    MayAsk::Yes(Right { key, claim })
}

/// The state of a walk.
pub(super) enum Going {
    /// The walk has to ask this.
    Asks(Job),
    /// Another asks the question.
    Waits(Walk, Option<EntryRef>),
    /// The walk is over, or its question may not be asked now.
    Ended,
}

/// An entry that was made in the place of another is as much in use as the other was.
pub(super) fn inherit(cache: &Cache, origin: Option<&EntryRef>) {
    if let Some(origin) = origin
        && !origin.is_linked()
        && let Some(entry) = cache.successor(origin)
    {
        entry.inherit_use(origin.last_used());
    }
}

/// The question that fetches an entry anew, if it may be asked now.
pub(super) fn job_of(cache: &Cache, due: &Due) -> Option<Job> {
    if due.entry.negative().is_some_and(NegativeKind::is_failure) {
        return None;
    }
    match due.entry.mark() {
        Some(mark) if !mark.is_edited() => match walk_job(cache, &due.entry, mark) {
            None if !due.entry.is_relative() => absolute_job(cache, due),
            job => job,
        },
        _ => absolute_job(cache, due),
    }
}

fn absolute_job(cache: &Cache, due: &Due) -> Option<Job> {
    let purpose = Purpose {
        walk: None,
        origin: Some(due.entry.clone()),
    };
    claim_job(cache, due.entry.name(), due.qtype, MAX_CNAME_HOPS, purpose)
}

/// An entry that a walk of the search list led to is looked for in the same way again.
fn walk_job(cache: &Cache, entry: &EntryRef, mark: Mark) -> Option<Job> {
    let domains = SearchList::current()?;
    let list = cache.list_id(domains.digest()?);
    if !mark.is_of(list) {
        return None;
    }
    let flags = dns_flags.load(Ordering::Relaxed) as u32;
    let aim = match (entry.is_relative(), entry.rtype()) {
        (true, link) => match link.linked() {
            Some(qtype) => Aim { qtype, other: None },
            None => {
                let (first, second) = family_order(flags);
                let other = second.or(match first {
                    RecordType::A => Some(RecordType::AAAA),
                    _ => Some(RecordType::A),
                });
                Aim {
                    qtype: first,
                    other,
                }
            }
        },
        (false, qtype) if mark.is_of_either() => Aim::of(qtype, flags),
        (false, qtype) => Aim { qtype, other: None },
    };
    let walk = Walk::begin(entry.name(), aim, &domains, list)?;
    match next_of(cache, walk, Some(entry.clone())) {
        Going::Asks(job) => Some(job),
        // The next round finds the entry again.
        Going::Waits(..) | Going::Ended => None,
    }
}

/// The question that a walk has come to. A question that the cache answers for a good while yet is not asked again:
/// another walk, for the other address family, may just have asked it.
pub(super) fn next_of(cache: &Cache, mut walk: Walk, origin: Option<EntryRef>) -> Going {
    loop {
        let Some((name, qtype)) = walk.question() else {
            return Going::Ended;
        };
        let name = name.clone();
        let mut hops = MAX_CNAME_HOPS;
        if let Known::Entry(entry) = known(cache, name.as_bytes(), qtype, &mut hops)
            && !due::is_due(&entry, clock::now_ticks())
        {
            match walk.learn(cache, usable(entry)) {
                None => continue,
                Some(_) => {
                    inherit(cache, origin.as_ref());
                    return Going::Ended;
                }
            }
        }
        let name = name.as_bytes();
        return match may_ask(cache, name, qtype) {
            MayAsk::Yes(right) => {
                let walk = Some(walk);
                Going::Asks(Job::of(
                    name,
                    qtype,
                    MAX_CNAME_HOPS,
                    right,
                    Purpose { walk, origin },
                ))
            }
            MayAsk::Busy => Going::Waits(walk, origin),
            MayAsk::NotNow => Going::Ended,
        };
    }
}

pub(super) fn claim_job(
    cache: &Cache,
    name: &[u8],
    qtype: RecordType,
    hops: usize,
    purpose: Purpose,
) -> Option<Job> {
    match may_ask(cache, name, qtype) {
        MayAsk::Yes(right) => Some(Job::of(name, qtype, hops, right, purpose)),
        MayAsk::Busy | MayAsk::NotNow => None,
    }
}
