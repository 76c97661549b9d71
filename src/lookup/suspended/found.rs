//! The answers of a search, in use by the lookups of a thread that goes on with them where the cache has nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::cache::{Cache, EntryRef};
use crate::error::LookupError;
use crate::host::own_thread::{OfThread as _, OwnThread};
use crate::host::{clock, fork};
use crate::rr::{CLASS_IN, MAX_CNAME_HOPS, Name, RData, Record, RecordType};

use super::super::flight;
use super::super::known::usable;
use super::super::request::split_absolute;
use super::super::stale::reported_ttl;
use super::super::store::Next;
use super::mode::{MODE, Mode};

thread_local! {
    static IN_USE: OwnThread<Vec<Arc<Answers>>> = const { OwnThread::new() };
}

/// The answers of a search. A child of the process that searched sees none: references to entries belong to one
/// process.
pub struct Answers(fork::Own<HashMap<u64, Result<Next, LookupError>>>);

impl Answers {
    /// The answers by the keys of their questions.
    pub(super) fn of(all: HashMap<u64, Result<Next, LookupError>>) -> Self {
        Self(fork::Own::of(all))
    }
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.0.peek().map_or(0, HashMap::len);
        f.debug_tuple("Answers").field(&count).finish()
    }
}

/// Lets the lookups of this thread use the answers of a search where the cache has nothing, until the next call of this
/// function; `None` ends that.
pub fn use_answers(answers: Option<Arc<Answers>>) {
    MODE.set(match &answers {
        Some(_) => Mode::Uses,
        None => Mode::Asks,
    });
    // The answers in use before are dropped after the borrow of `IN_USE` has ended, for their drop gives entries back.
    let _before = IN_USE.replace(answers.into_iter().collect());
}

/// Lets the lookups of this thread use the answers of another search as well. An entry of one search goes before an
/// error of another.
pub fn use_answers_too(answers: Arc<Answers>) {
    MODE.set(Mode::Uses);
    IN_USE.with_borrow_mut(|in_use| in_use.push(answers));
}

/// The answer in use for a question.
#[cold]
pub(super) fn used(key: u64) -> Option<Result<Next, LookupError>> {
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

/// The answer in use in this thread for a lookup.
#[inline]
pub(in super::super) fn used_for(
    cache: &Cache,
    name: &[u8],
    absolute: bool,
    qtype: RecordType,
) -> Option<Result<EntryRef, LookupError>> {
    if MODE.get() != Mode::Uses {
        return None;
    }
    let key = flight::key_of_lookup(cache, &cache.hashed(name), absolute, qtype);
    match used(key)? {
        Ok(Next::Entry(entry)) => Some(usable(entry)),
        // Whoever asks for the name follows the alias.
        Ok(Next::Ask(_)) => None,
        Err(error) => Some(Err(error)),
    }
}

/// The records of a name that are in use in this thread, aliases followed, where the cache is not asked.
pub(in super::super) fn used_records(
    name: &[u8],
    qtype: RecordType,
) -> Option<Result<Vec<Record>, LookupError>> {
    if MODE.get() != Mode::Uses {
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
pub(in super::super) fn used_addresses(
    name: &[u8],
    ipv6: bool,
) -> Option<Result<Vec<IpAddr>, LookupError>> {
    if MODE.get() != Mode::Uses {
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
