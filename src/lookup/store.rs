//! From an answer to cache entries.
//!
//! Every process and every later call sees an entry, so an answer is only believed as far as the name that was asked
//! reaches (B06): names at and below it. A CNAME that leads elsewhere is kept, but its target is asked for in a query
//! of its own.

use smallvec::SmallVec;

use crate::cache::{
    Cache, Conflict, Draft, DraftData, DraftRecord, EntryRef, InsertError, NegativeKind,
};
use crate::error::{Failure, LookupError};
use crate::host::follow::follow;
use crate::host::log::{self, Level};
use crate::host::metrics::{self, Metric};
use crate::host::news::{self, Subject};
use crate::host::options::{self, Opt};
use crate::host::{clock, hooks};
use crate::resolver::{Answer, Outcome, Settings};
use crate::rr::{Name, RData, Record, RecordType};

use super::additional::store_additional;
use super::answer::{self, Alias, Trust};
use super::backoff;
use super::failing;
use super::flight::Verdict;
use super::ttl;

/// The question of a query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// Without trailing dot.
    pub(super) name: &'a [u8],
    pub(super) qtype: RecordType,
    /// Longest life of the records that were asked for, s.
    pub(super) longest_life_s: u32,
    /// Key of the question: see [`super::flight`].
    pub(super) key: u64,
    /// The cache had nothing on the name when the question was asked, live or expired.
    pub(super) was_unknown: bool,
    /// The caller's request flags.
    pub(super) flags: u32,
    /// The answer takes the place of live data, too: it was asked for that purpose.
    pub(super) renews: bool,
    /// How long callers waited for a question that stayed silent, whole seconds. The silence is remembered for that
    /// long at least: the next call must not wait for all that time again.
    pub(super) waited_s: u32,
    /// The caller is a call that fails without an entry. So it waits for memory, where that needs a lock whose holder
    /// does not go on.
    pub(super) waits_for_memory: bool,
}

/// How a lookup goes on after a query.
#[derive(Clone, Debug)]
pub(super) enum Next {
    /// The lookup ends here, with a positive or negative entry.
    Entry(EntryRef),
    /// At this name, the target of a CNAME.
    Ask(Name),
}

/// The part of a result that those who wait cannot find in the cache.
pub(super) fn verdict_of(result: &Result<Next, LookupError>) -> Option<Verdict> {
    match result {
        Ok(Next::Entry(entry)) if !entry.is_linked() => Some(Verdict::Entry(entry.clone())),
        Ok(_) => None,
        Err(error) => Some(Verdict::Error(*error)),
    }
}

/// Stores the outcome of a query.
pub(super) fn settle(
    cache: &Cache,
    asked: &Asked<'_>,
    outcome: Outcome,
    hops: &mut usize,
) -> Result<Next, LookupError> {
    follow_answer(asked, &outcome);
    match outcome {
        Outcome::BadName => Err(LookupError::BadName),
        Outcome::Failed(failure) => Err(remember_failure(cache, asked, failure)),
        Outcome::Answer(answer) => {
            let result = settle_answer(cache, asked, &answer, hops);
            if !matches!(result, Err(LookupError::Failed(_))) {
                backoff::answered(asked.key);
                failing::answered(cache, asked.name);
            }
            result
        }
    }
}

/// Tells the result of a question that somebody follows.
fn follow_answer(asked: &Asked<'_>, outcome: &Outcome) {
    let (name, qtype) = (asked.name, asked.qtype.0);
    match outcome {
        Outcome::BadName => follow!(name, "type {qtype}: no name to ask for"),
        Outcome::Failed(failure) => follow!(name, "type {qtype}: {failure}"),
        Outcome::Answer(answer) => match answer.negative {
            Some(negative) if answer.answers.is_empty() => follow!(
                name,
                "type {qtype}: {}, to be kept for {} s",
                if negative.nxdomain {
                    "no such name"
                } else {
                    "no such records"
                },
                ttl::negative(negative.ttl)
            ),
            _ => follow!(
                name,
                "type {qtype}: {} records came, the first to be kept for {} s",
                answer.answers.len(),
                answer.answers.first().map_or(0, |record| record.ttl)
            ),
        },
    }
}

/// Remembers that the question was not answered, for a moment (RFC 9520). Never as absence.
pub(super) fn remember_failure(cache: &Cache, asked: &Asked<'_>, failure: Failure) -> LookupError {
    metrics::count(Metric::Unanswered);
    let waited_s = match failure {
        Failure::Timeout => asked.waited_s,
        // A server said so: nobody waited for it in vain.
        _ => 0,
    };
    let ttl = backoff::failed(asked.key, waited_s, clock::now_ticks());
    failing::failed(cache, asked.name);
    let draft = Draft {
        name: asked.name,
        rtype: asked.qtype,
        data: DraftData::Negative(match failure {
            Failure::ServFail | Failure::Refused => NegativeKind::Failure,
            _ => NegativeKind::Silence,
        }),
        permanent: false,
        negative_ttl: ttl,
    };
    if draft.negative_ttl > 0 {
        // Without memory for it the next lookup simply asks again.
        let _ = insert(cache, &draft, Conflict::KeepOld);
    }
    if let Some(others) = news::may_say(Subject::LookupFailed) {
        crate::log!(
            Level::Notice,
            "DNS lookup failed: type {} name {}: {failure}; asked: {} ({others} more failed since the last such line)",
            asked.qtype.0,
            log::name(asked.name),
            asked_whom()
        );
    }
    LookupError::Failed(failure)
}

/// The nameservers that are asked, for a line of the log.
fn asked_whom() -> String {
    if hooks::swapped_search().is_some() {
        return "a module's search function".to_owned();
    }
    let servers = Settings::current().server_texts();
    match servers.is_empty() {
        true => "nobody".to_owned(),
        false => servers.join(" "),
    }
}

/// The cache had no room.
fn say_full() {
    if let Some(others) = news::may_say(Subject::CacheFull) {
        crate::log!(
            Level::Warn,
            "the DNS cache is full: what is looked up is not kept ({others} more since the last such line); it has {} KiB, dns_cache_mem sets them",
            options::raw(Opt::CacheMem) / 1024
        );
    }
}

fn settle_answer(
    cache: &Cache,
    asked: &Asked<'_>,
    answer: &Answer,
    hops: &mut usize,
) -> Result<Next, LookupError> {
    // The cache keeps names as they were asked for: the search list is walked before (see `walk`). An answer for a name
    // with a domain appended has a longer one.
    let chain = (answer.qname.len() == asked.name.len())
        .then(|| answer::follow(asked.name, asked.qtype, answer, Trust::OwnZone, hops));
    let Some(chain) = chain.flatten() else {
        return Err(remember_failure(cache, asked, Failure::Malformed));
    };
    for alias in &chain.aliases {
        store_alias(cache, asked, alias);
        // The records that the name itself had are over.
        end_stale(cache, alias.owner, asked.qtype);
    }
    if chain.too_long {
        return Err(LookupError::CnameChain);
    }
    let says_something = !chain.records.is_empty() || answer.negative.is_some();
    let nothing_to_end = asked.was_unknown && chain.aliases.is_empty();
    if says_something && !nothing_to_end && !chain.left_zone && asked.qtype != RecordType::CNAME {
        // The name is no alias, or not any more.
        end_stale(cache, chain.end, RecordType::CNAME);
    }
    if !chain.records.is_empty() {
        store_additional(cache, asked, answer, &chain.records);
        let entry = store_set(cache, asked, chain.end, &chain.records)?;
        return Ok(Next::Entry(entry));
    }
    let absent = answer.negative.filter(|_| !chain.left_zone);
    if let Some(negative) = absent {
        let kind = if negative.nxdomain {
            NegativeKind::NxDomain
        } else {
            NegativeKind::NoData
        };
        let ttl = ttl::negative(negative.ttl);
        return store_negative(cache, asked, chain.end, kind, ttl);
    }
    match Name::from_text(chain.end) {
        Some(target) if chain.stops_at_alias(answer) => Ok(Next::Ask(target)),
        // The answer neither has the records nor denies them.
        _ => Err(remember_failure(cache, asked, Failure::Malformed)),
    }
}

/// Takes expired data away that an answer contradicts: it must not be served stale any more.
fn end_stale(cache: &Cache, name: &[u8], rtype: RecordType) {
    let old = cache.acquire_any_age(name, rtype);
    if let Some(old) = old.filter(|old| old.is_expired(clock::now_ticks())) {
        cache.remove(&old);
    }
}

/// As [`end_stale`], and what the answer was to renew. For answers that are not kept themselves.
fn end_old(cache: &Cache, asked: &Asked<'_>, name: &[u8]) {
    let old = cache.acquire_any_age(name, asked.qtype);
    let over = |old: &EntryRef| {
        old.is_expired(clock::now_ticks()) || (asked.renews && !old.is_permanent())
    };
    if let Some(old) = old.filter(over) {
        cache.remove(&old);
    }
}

/// Says by `dns_cache_rec_pref` what happens when a fetched record meets a live one.
fn conflict(asked: &Asked<'_>) -> Conflict {
    if asked.renews {
        return Conflict::Replace;
    }
    match options::int(Opt::RecPref) {
        2 => Conflict::Replace,
        3 => Conflict::KeepLonger,
        _ => Conflict::KeepOld,
    }
}

/// Publishes a draft. With `dns_cache_mem=0` nothing is kept, whatever room there is.
pub(super) fn insert(
    cache: &Cache,
    draft: &Draft<'_>,
    conflict: Conflict,
) -> Result<EntryRef, InsertError> {
    if options::raw(Opt::CacheMem) == 0 {
        return Err(InsertError::Full);
    }
    cache.insert(draft, conflict, clock::now_ticks())
}

/// Publishes a draft, or, if it has no place in the cache, makes an entry for this call alone.
fn publish(
    cache: &Cache,
    asked: &Asked<'_>,
    draft: &Draft<'_>,
    lives: bool,
) -> Result<EntryRef, LookupError> {
    if lives {
        match insert(cache, draft, conflict(asked)) {
            Ok(entry) => return Ok(entry),
            Err(InsertError::Full) => {
                crate::cache_dbg!(
                    "no room for {} type {}",
                    log::name(draft.name),
                    draft.rtype.0
                );
                // With no memory at all nothing is meant to be kept.
                if options::raw(Opt::CacheMem) != 0 {
                    say_full();
                }
            }
            // The holder of the writer lock does not go on: the answer serves this call.
            Err(InsertError::Busy) => {}
            Err(InsertError::BadDraft) => return Err(LookupError::Failed(Failure::Malformed)),
        }
    }
    end_old(cache, asked, draft.name);
    let now = clock::now_ticks();
    let made = match asked.waits_for_memory {
        true => cache.make_private_patiently(draft, now),
        false => cache.make_private(draft, now),
    };
    made.map_err(|error| match error {
        InsertError::Full | InsertError::Busy => LookupError::OutOfMemory,
        InsertError::BadDraft => LookupError::Failed(Failure::Malformed),
    })
}

pub(super) fn drafts<'a>(
    records: &[&'a Record],
    longest_life_s: u32,
) -> SmallVec<[DraftRecord<'a>; 4]> {
    let ttl = ttl::of_set(records.iter().map(|record| record.ttl)).min(longest_life_s);
    records
        .iter()
        .map(|record| DraftRecord {
            ttl,
            rdata: &record.rdata,
        })
        .collect()
}

/// Stores the set that was asked for.
fn store_set(
    cache: &Cache,
    asked: &Asked<'_>,
    name: &[u8],
    records: &[&Record],
) -> Result<EntryRef, LookupError> {
    let records = drafts(records, asked.longest_life_s);
    let lives = records.first().is_some_and(|record| record.ttl > 0);
    let draft = Draft {
        name,
        rtype: asked.qtype,
        data: DraftData::Records(&records),
        permanent: false,
        negative_ttl: 0,
    };
    publish(cache, asked, &draft, lives)
}

fn store_negative(
    cache: &Cache,
    asked: &Asked<'_>,
    name: &[u8],
    kind: NegativeKind,
    ttl: u32,
) -> Result<Next, LookupError> {
    let error = match kind {
        NegativeKind::NxDomain => LookupError::NxDomain,
        _ => LookupError::NoData,
    };
    if ttl == 0 {
        end_old(cache, asked, name);
        return Err(error);
    }
    let draft = Draft {
        name,
        rtype: asked.qtype,
        data: DraftData::Negative(kind),
        permanent: false,
        negative_ttl: ttl,
    };
    match insert(cache, &draft, conflict(asked)) {
        Ok(entry) => Ok(Next::Entry(entry)),
        Err(_) => {
            end_old(cache, asked, name);
            Err(error)
        }
    }
}

fn store_alias(cache: &Cache, asked: &Asked<'_>, alias: &Alias<'_>) {
    let ttl = ttl::of_set(std::iter::once(alias.ttl));
    if ttl == 0 {
        end_stale(cache, alias.owner, RecordType::CNAME);
        return;
    }
    let rdata = RData::Cname(alias.target.clone());
    let records = [DraftRecord { ttl, rdata: &rdata }];
    let draft = Draft {
        name: alias.owner,
        rtype: RecordType::CNAME,
        data: DraftData::Records(&records),
        permanent: false,
        negative_ttl: 0,
    };
    // Without memory for it the next lookup asks for the alias again.
    let _ = insert(cache, &draft, conflict(asked));
}
