//! Records that a pinned name needs: they are there and stay fresh, whether used or not.

use std::sync::atomic::Ordering;

use super::super::known::{Known, error_of, known};
use super::super::relative::{Relative, expired_link, known_relative, list_in_force};
use super::super::request::split_absolute;
use super::super::walk::{Aim, Walk};
use super::super::{backoff, flight};
use super::job::{Going, Purpose, claim_job, job_of, next_of};
use super::{Refresher, Waiting};
use crate::cache::due::{self, Due};
use crate::cache::{Cache, EntryRef, ListId};
use crate::error::{Failure, LookupError};
use crate::host::clock;
use crate::host::vars::dns_flags;
use crate::resolver::SearchList;
use crate::rr::{MAX_CNAME_HOPS, MAX_NAME_OCTETS, RecordType};

/// The state of the records that a pinned name needs.
#[derive(Clone, Debug)]
pub enum Kept {
    /// Live records.
    Has(EntryRef),
    /// Until that tick it is known that there are none.
    Absent(u32),
    /// The records could not be had; the entry is the expired one.
    Failed(LookupError, Option<EntryRef>),
    /// The records are being asked for.
    Waits,
}

impl Kept {
    /// The records are not there live, and are asked for.
    fn of_expired(cache: &Cache, name: &[u8], qtype: RecordType) -> Self {
        let hashed = cache.hashed(name);
        let key = flight::key_of(cache, &hashed, qtype);
        let expired = cache.acquire_exact_any_age(&hashed, qtype);
        let expired = expired.filter(|old| old.negative().is_none());
        match backoff::has_failed(key) {
            true => Self::Failed(LookupError::Failed(Failure::Timeout), expired),
            false => Self::Waits,
        }
    }
}

impl Refresher {
    /// Sees to it that the records of a type that a pinned name needs are there and stay fresh, whether used or not.
    /// `is_callers`: the name is what a caller names, not what a record led to.
    pub fn keep(&mut self, name: &[u8], qtype: RecordType, is_callers: bool) -> Kept {
        let Some(cache) = Cache::instance() else {
            return Kept::Waits;
        };
        let (name, absolute) = split_absolute(name);
        if name.is_empty() || name.len() > MAX_NAME_OCTETS {
            return Kept::Failed(LookupError::BadName, None);
        }
        let list = list_in_force(cache).filter(|_| is_callers && !absolute);
        let Some(list) = list else {
            return self.keep_absolute(cache, name, qtype);
        };
        let aim = Aim::of(qtype, dns_flags.load(Ordering::Relaxed) as u32);
        let hashed = cache.hashed(name);
        match known_relative(cache, &hashed, aim, list) {
            Relative::Entry(entry) => self.keep_entry(cache, entry, qtype),
            Relative::Link(target) => {
                let link = cache.acquire_exact_any_age(&hashed.related(list), aim.link());
                if let Some(link) = link {
                    let _kept = self.keep_entry(cache, link, qtype);
                }
                self.keep_absolute(cache, target.as_bytes(), qtype)
            }
            Relative::Miss => {
                self.begin_walk(cache, name, aim, list);
                let target = expired_link(cache, &hashed, aim, list).map(|(_, target)| target);
                let target = target.as_ref().map_or(name, |target| target.as_bytes());
                Kept::of_expired(cache, target, qtype)
            }
        }
    }

    fn keep_absolute(&mut self, cache: &Cache, name: &[u8], qtype: RecordType) -> Kept {
        let mut hops = MAX_CNAME_HOPS;
        match known(cache, name, qtype, &mut hops) {
            Known::Entry(entry) => self.keep_entry(cache, entry, qtype),
            Known::TooLong => Kept::Failed(LookupError::CnameChain, None),
            Known::Miss(target) => {
                let missing = target.as_ref().map_or(name, |target| target.as_bytes());
                let purpose = Purpose {
                    walk: None,
                    origin: None,
                };
                let job = claim_job(cache, missing, qtype, MAX_CNAME_HOPS, purpose);
                self.more.extend(job);
                Kept::of_expired(cache, missing, qtype)
            }
        }
    }

    fn keep_entry(&mut self, cache: &Cache, entry: EntryRef, qtype: RecordType) -> Kept {
        let now = clock::now_ticks();
        let failed = entry.negative().filter(|kind| kind.is_failure());
        if let Some(kind) = failed {
            let expired = cache.acquire_exact_any_age(&cache.hashed(entry.name()), qtype);
            return Kept::Failed(
                error_of(kind),
                expired.filter(|old| old.negative().is_none()),
            );
        }
        // The entry is as much in use as if a call had just come, so it is not evicted either.
        entry.touch(now);
        if due::is_due(&entry, now) {
            let due = Due {
                entry: entry.clone(),
                qtype,
            };
            self.more.extend(job_of(cache, &due));
        }
        match entry.negative() {
            None if entry.is_expired(now) => Kept::Failed(LookupError::NoData, Some(entry)),
            None => Kept::Has(entry),
            Some(_) => Kept::Absent(entry.expire()),
        }
    }

    fn begin_walk(&mut self, cache: &Cache, name: &[u8], aim: Aim, list: ListId) {
        let Some(domains) = SearchList::current() else {
            return;
        };
        let is_under_way = |waiting: &Waiting| waiting.walk.is_of(name, aim);
        if self.walks.iter().any(is_under_way) {
            return;
        }
        if let Some(walk) = Walk::begin(name, aim, &domains, list)
            && let Going::Asks(job) = next_of(cache, walk, None)
        {
            self.more.push_back(job);
        }
    }
}
