//! Lookups through the cache.

use std::net::IpAddr;

use crate::cache::{Cache, EntryRef, NegativeKind, Probe, RecordView};
use crate::error::{Failure, LookupError};
use crate::host::clock;
use crate::host::counters::{self, Counter};
use crate::resolver::{self, Answer, Outcome, Question};
use crate::rr::{MAX_CNAME_HOPS, MAX_NAME_OCTETS, RecordType, is_host_name, parse_literal};

use super::answer::{self, Trust};
use super::request::{family_allowed, family_order};
use super::{store, watchdog};

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It was in the cache.
    Cache,
    /// A query was sent for it (by this call).
    Network,
    /// It is an IP literal.
    Literal,
}

/// What a query led to.
enum Step {
    /// The records asked for.
    Found(EntryRef),
    /// The name is an alias of this one, about which the answer says nothing.
    GoOn(Vec<u8>),
}

/// The entry for a name and type, CNAMEs followed: positive, with at least one record.
///
/// `flags` are the caller's `DNS_*` request flags: they decide which additional addresses are kept, and
/// whether the other address family is asked along. A trailing dot makes the name absolute.
///
/// # Errors
/// Why there is none. Absence and failure are different things.
pub fn entry(
    qname: &[u8],
    qtype: RecordType,
    flags: u32,
) -> Result<(EntryRef, Source), LookupError> {
    let cache = Cache::instance().ok_or(LookupError::NoCache)?;
    let (name, absolute) = match qname {
        [name @ .., b'.'] => (name, true),
        _ => (qname, false),
    };
    if name.is_empty() {
        return Err(LookupError::BadName);
    }
    if name.len() > MAX_NAME_OCTETS {
        return Err(LookupError::NameTooLong);
    }
    if let Some(found) = from_cache(cache, name, qtype) {
        return match found {
            Found::Entry(entry) => Ok((entry, Source::Cache)),
            Found::Absent(error) => Err(error),
            Found::Alias(target) => chase(cache, target, Source::Cache, qtype, flags),
        };
    }
    if !is_host_name(name) {
        return Err(LookupError::BadName);
    }
    // The search list applies to names as callers write them, not to targets of aliases.
    let step = ask(cache, name, absolute, qtype, flags, &mut { MAX_CNAME_HOPS });
    let result = match step {
        Ok(Step::Found(entry)) => Ok((entry, Source::Network)),
        Ok(Step::GoOn(target)) => chase(cache, target, Source::Network, qtype, flags),
        Err(error) => Err(error),
    };
    if result.is_err() {
        counters::increment(Counter::FailedRequest);
    }
    result
}

/// Follows an alias through cache and network.
fn chase(
    cache: &Cache,
    mut target: Vec<u8>,
    mut source: Source,
    qtype: RecordType,
    flags: u32,
) -> Result<(EntryRef, Source), LookupError> {
    let mut hops = MAX_CNAME_HOPS;
    while hops > 0 {
        hops -= 1;
        match from_cache(cache, &target, qtype) {
            Some(Found::Entry(entry)) => return Ok((entry, source)),
            Some(Found::Absent(error)) => return Err(error),
            Some(Found::Alias(next)) => target = next,
            None => {
                source = Source::Network;
                match ask(cache, &target, true, qtype, flags, &mut hops)? {
                    Step::Found(entry) => return Ok((entry, source)),
                    Step::GoOn(next) => target = next,
                }
            }
        }
    }
    crate::cache_dbg!(
        "CNAME chain too long or a loop at {}",
        String::from_utf8_lossy(&target)
    );
    Err(LookupError::CnameChain)
}

/// What the cache knows.
enum Found {
    Entry(EntryRef),
    Alias(Vec<u8>),
    Absent(LookupError),
}

fn from_cache(cache: &Cache, name: &[u8], qtype: RecordType) -> Option<Found> {
    let now = clock::now_ticks();
    let entry = match cache.acquire(name, qtype, now) {
        Some(entry) => entry,
        // While the servers are down what is known is better than nothing.
        None if !watchdog::servers_up() => match cache.acquire_any_age(name, qtype) {
            Some(entry) if entry.negative().is_none() => entry,
            _ => return Some(Found::Absent(LookupError::Failed(Failure::NoServers))),
        },
        None => return None,
    };
    if let Some(kind) = entry.negative() {
        return Some(Found::Absent(match kind {
            NegativeKind::NxDomain => LookupError::NxDomain,
            NegativeKind::NoData => LookupError::NoData,
            NegativeKind::Failure => LookupError::Failed(Failure::Timeout),
        }));
    }
    if entry.rtype() == qtype {
        return Some(Found::Entry(entry));
    }
    match entry.record(0) {
        Some(RecordView::Cname(target)) => Some(Found::Alias(target.to_vec())),
        _ => None,
    }
}

/// Asks the resolver and keeps what it says.
fn ask(
    cache: &Cache,
    name: &[u8],
    absolute: bool,
    qtype: RecordType,
    flags: u32,
    hops: &mut usize,
) -> Result<Step, LookupError> {
    let question_text = super::request::question_text(name, absolute);
    let mut questions = vec![Question {
        qname: &question_text,
        qtype,
    }];
    if let Some(family) = other_family(cache, name, qtype, flags) {
        // Both may be needed, and two questions at once take no longer than one.
        questions.push(Question {
            qname: &question_text,
            qtype: family,
        });
    }
    crate::cache_dbg!(
        "asking for {} type {}",
        String::from_utf8_lossy(name),
        qtype.0
    );
    let mut outcomes = resolver::query_all(&questions).into_iter();
    let first = outcomes
        .next()
        .unwrap_or(Outcome::Failed(Failure::NoServers));
    let step = digest(cache, name, qtype, &first, flags, hops);
    for (outcome, question) in outcomes.zip(questions.iter().skip(1)) {
        // What it says is in the cache for whoever asks next; here only the first counts.
        let _kept = digest(cache, name, question.qtype, &outcome, flags, &mut {
            MAX_CNAME_HOPS
        });
    }
    step
}

/// The address family to ask for along with this one: allowed by the flags and not known yet.
fn other_family(cache: &Cache, name: &[u8], qtype: RecordType, flags: u32) -> Option<RecordType> {
    let (first, second) = family_order(flags);
    let other = if qtype == first {
        second?
    } else if Some(qtype) == second {
        first
    } else {
        return None;
    };
    cache
        .acquire(name, other, clock::now_ticks())
        .is_none()
        .then_some(other)
}

/// Keeps what an outcome says and tells what it means for the question.
fn digest(
    cache: &Cache,
    name: &[u8],
    qtype: RecordType,
    outcome: &Outcome,
    flags: u32,
    hops: &mut usize,
) -> Result<Step, LookupError> {
    match outcome {
        Outcome::BadName => Err(LookupError::BadName),
        Outcome::Failed(failure) => {
            store::failure(cache, name, qtype);
            Err(LookupError::Failed(*failure))
        }
        Outcome::Answer(reply) => digest_answer(cache, name, qtype, reply, flags, hops),
    }
}

fn digest_answer(
    cache: &Cache,
    name: &[u8],
    qtype: RecordType,
    reply: &Answer,
    flags: u32,
    hops: &mut usize,
) -> Result<Step, LookupError> {
    let Some(chain) = answer::follow(name, qtype, reply, Trust::OwnZone, hops) else {
        store::failure(cache, name, qtype);
        return Err(LookupError::Failed(Failure::Malformed));
    };
    for alias in &chain.aliases {
        store::alias(cache, alias);
    }
    if !chain.records.is_empty() {
        let entry = store::set(cache, chain.end, qtype, &chain.records)?;
        store::related(cache, &entry, reply, flags);
        return Ok(Step::Found(entry));
    }
    if chain.left_zone {
        return Ok(Step::GoOn(chain.end.to_vec()));
    }
    if chain.too_long {
        return Err(LookupError::CnameChain);
    }
    if let Some(negative) = reply.negative {
        store::absence(cache, chain.end, qtype, negative);
        return Err(if negative.nxdomain {
            LookupError::NxDomain
        } else {
            LookupError::NoData
        });
    }
    if chain.aliases.is_empty() {
        // Records, but none of the name and type that was asked: proves nothing, is not kept.
        return Err(LookupError::NoData);
    }
    Ok(Step::GoOn(chain.end.to_vec()))
}

/// The first address of a host under the family rules of the flags, copied out of the cache.
///
/// # Errors
/// Why there is none; a failure goes before an absence.
pub fn first_address(host: &[u8], flags: u32) -> Result<IpAddr, LookupError> {
    if let Some(address) = parse_literal(host) {
        return family_allowed(address, flags)
            .then_some(address)
            .ok_or(LookupError::NoData);
    }
    let cache = Cache::instance().ok_or(LookupError::NoCache)?;
    let now = clock::now_ticks();
    let (first, second) = family_order(flags);
    let mut error = LookupError::NoData;
    for family in std::iter::once(first).chain(second) {
        let result = match cache.copy_first_address(host, family, now) {
            (Probe::Addresses, Some(address)) => return Ok(address),
            (Probe::Negative(NegativeKind::NxDomain), _) => Err(LookupError::NxDomain),
            (Probe::Negative(NegativeKind::NoData), _) => Err(LookupError::NoData),
            _ => address_of(host, family, flags),
        };
        match result {
            Ok(address) => return Ok(address),
            Err(failure @ LookupError::Failed(_)) => error = failure,
            Err(absence) if error == LookupError::NoData => error = absence,
            Err(_) => {}
        }
    }
    Err(error)
}

fn address_of(host: &[u8], family: RecordType, flags: u32) -> Result<IpAddr, LookupError> {
    let (entry, _) = entry(host, family, flags)?;
    let now = clock::now_ticks();
    // An entry that lives shorter than a tick is used by the one who fetched it.
    let live = |index: &usize| {
        entry.is_permanent()
            || entry.is_expired(now)
            || entry
                .record_expire(*index)
                .is_some_and(|expire| !clock::is_past(expire, now))
    };
    let found = (0..entry.record_count())
        .find(live)
        .and_then(|index| entry.record(index));
    match found {
        Some(RecordView::A(address)) => Ok(IpAddr::V4(address)),
        Some(RecordView::Aaaa(address)) => Ok(IpAddr::V6(address)),
        _ => Err(LookupError::NoData),
    }
}
