//! Entries changed by hand: `dns.add_*`, `dns.delete_*`, preloading.
//!
//! All of it works on exactly the name that is given: aliases are never followed (B26). An entry is
//! never changed in place: the new content is a new entry.

use smallvec::{SmallVec, smallvec};

use crate::cache::{
    Cache, Draft, DraftData, DraftRecord, EntryRef, InsertError, Mark, NegativeKind, Place,
};
use crate::host::clock;
use crate::host::options::{self, Opt};
use crate::rr::{
    MAX_NAME_OCTETS, MAX_RRSET_RECORDS, MAX_TTL_S, Name, RData, RecordType, Srv, eq_ignore_case,
    has_nul, parse_ipv4, parse_ipv6,
};

use super::relative::list_in_force;
use super::request::split_absolute;

/// Others may change the same entry at the same time; after so many lost races an edit is refused.
const MAX_RACES: usize = 16;

/// Why an edit was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditError {
    /// The entry is permanent and the edit is not.
    Permanent,
    /// There is no such entry or record.
    NotFound,
    /// The name is empty or too long, the value is not of the type, or the type has no editing.
    Invalid,
    /// There is no memory for it, or the entry has as many records as it may have.
    Full,
    /// The cache is not in use.
    NoCache,
    /// A process that changes the cache does not go on.
    Busy,
}

/// A record to add.
#[derive(Clone, Copy, Debug)]
pub struct RecordEdit<'a> {
    /// Owner.
    pub name: &'a [u8],
    /// Life in seconds, taken as it is (capped at [`MAX_TTL_S`]); no matter for permanent records.
    pub ttl: u32,
    /// Address or SRV target, as text.
    pub value: &'a [u8],
    /// SRV priority.
    pub priority: u16,
    /// SRV weight.
    pub weight: u16,
    /// SRV port.
    pub port: u16,
    /// A negative entry: the name is said to have no records of the type.
    pub negative: bool,
    /// The entry never expires and is never evicted.
    pub permanent: bool,
}

/// Whether a name was written with a final dot: then an edit concerns the absolute name alone, else both kinds of
/// names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    WithDot,
    WithoutDot,
}

fn written(name: &[u8]) -> (&[u8], Written) {
    match split_absolute(name) {
        (name, true) => (name, Written::WithDot),
        (name, false) => (name, Written::WithoutDot),
    }
}

/// Where the entries stand that an edit of a name concerns: one for both kinds of names, as long as there is nothing
/// that concerns one kind alone.
fn places(
    cache: &Cache,
    name: &[u8],
    rtype: RecordType,
    written: Written,
    now: u32,
) -> SmallVec<[Place; 2]> {
    let both = Place::Both(Mark::edited());
    let list = list_in_force(cache);
    let hashed = cache.hashed(name);
    let absolute = cache.acquire_exact(&hashed, rtype, now);
    let is_edited = |entry: &EntryRef| entry.mark().is_some_and(Mark::is_edited);
    if written == Written::WithDot {
        // Without a list there is but one kind, of which an operator may have said something before.
        return match absolute {
            Some(entry) if list.is_none() && is_edited(&entry) => smallvec![both],
            _ => smallvec![Place::Absolute],
        };
    }
    // The records that DNS has of the absolute name are no part of what the operator says of the relative one.
    let is_of_absolute_alone = absolute.is_some_and(|entry| {
        let mark = entry.mark();
        let speaks = |list| mark.is_some_and(|mark| mark.is_edited() || mark.is_of(list));
        entry.negative().is_none() && list.is_some_and(|list| !speaks(list))
    });
    let is_apart = || {
        let relative = cache.acquire_exact(&hashed.related_edited(), rtype, now);
        relative.is_some()
    };
    if is_of_absolute_alone || is_apart() {
        smallvec![Place::Absolute, Place::Relative(Mark::edited())]
    } else {
        smallvec![both]
    }
}

/// The entry at a place, live or expired.
fn entry_at(cache: &Cache, name: &[u8], rtype: RecordType, place: Place) -> Option<EntryRef> {
    let name = cache.hashed(name);
    match place {
        Place::Absolute | Place::Both(_) => cache.acquire_exact_any_age(&name, rtype),
        Place::Relative(_) => cache.acquire_exact_any_age(&name.related_edited(), rtype),
    }
}

/// Before the absolute name alone is edited: an operator's records for both kinds go on for the relative one.
fn split(cache: &Cache, name: &[u8], rtype: RecordType, now: u32) {
    let edited = cache.hashed(name).edited();
    let old = cache.acquire_exact(&edited, rtype, now);
    let Some(old) = old.filter(|_| list_in_force(cache).is_some()) else {
        return;
    };
    let records = read_records(&old, now);
    let content = Content {
        name: old.name(),
        rtype,
        records: &records,
        permanent: old.is_permanent(),
        negative_ttl: seconds_left(&old, now),
    };
    let place = Place::Relative(Mark::edited());
    // Without memory for it the relative name is asked for.
    let _ = content.publish(cache, None, place, now);
}

/// Drops the results of walks of the search list for a relative name: an edit goes before them.
fn forget_walks(cache: &Cache, name: &[u8], rtype: RecordType) -> bool {
    let name = cache.hashed(name);
    let mut any = cache.remove_related(&name, rtype.link(false));
    if matches!(rtype, RecordType::A | RecordType::AAAA) {
        any |= cache.remove_related(&name, rtype.link(true));
    }
    any
}

/// Unlinks the entry of exactly this name and type. A name without final dot stands for both kinds of names, one with a
/// dot for the absolute one.
///
/// # Errors
/// `NotFound`, `Permanent` (those are only dropped by a forced flush), `NoCache`, `Busy`.
pub fn delete(name: &[u8], rtype: RecordType) -> Result<(), EditError> {
    let cache = Cache::instance().ok_or(EditError::NoCache)?;
    let (name, written) = written(name);
    let now = clock::now_ticks();
    let places = places(cache, name, rtype, written, now);
    let entries: SmallVec<[EntryRef; 2]> = places
        .into_iter()
        .filter_map(|place| entry_at(cache, name, rtype, place))
        .collect();
    if entries.iter().any(EntryRef::is_permanent) {
        return Err(EditError::Permanent);
    }
    if !cache.can_be_changed() {
        return Err(EditError::Busy);
    }
    let mut done = match written {
        Written::WithDot => {
            split(cache, name, rtype, now);
            false
        }
        Written::WithoutDot => forget_walks(cache, name, rtype),
    };
    for entry in entries {
        let expired = entry.is_expired(now);
        let was_there = cache.remove_for_operator(&entry);
        done |= was_there.map_err(|_| EditError::Busy)? && !expired;
    }
    if done {
        Ok(())
    } else {
        Err(EditError::NotFound)
    }
}

/// Adds a record of type A, AAAA or SRV, or changes the one with the same value.
///
/// Addresses are the same when they are equal, SRV records when their targets are. An entry of the name is extended if
/// it is as permanent as the record, and replaced by a permanent record if it is not permanent; a permanent entry stays
/// when the record is not permanent. A negative entry is always replaced. A TTL of 0 adds nothing unless the record is
/// permanent.
///
/// A name without final dot stands for both kinds of names: a lookup of the relative one finds the record before any
/// walk of the search list. A name with a final dot stands for the absolute name alone.
///
/// # Errors
/// Why nothing was changed.
pub fn add_record(rtype: RecordType, edit: &RecordEdit<'_>) -> Result<(), EditError> {
    let (name, written) = written(edit.name);
    if name.is_empty() || name.len() > MAX_NAME_OCTETS || has_nul(name) {
        return Err(EditError::Invalid);
    }
    let rdata = read_value(rtype, edit)?;
    // A cache that is switched off takes nothing, as in the original.
    let cache = Cache::instance()
        .filter(|_| options::on(Opt::UseCache))
        .ok_or(EditError::NoCache)?;
    let now = clock::now_ticks();
    for place in places(cache, name, rtype, written, now) {
        if place == Place::Absolute {
            split(cache, name, rtype, now);
        }
        add_at(cache, rtype, name, place, edit, rdata.as_ref())?;
    }
    Ok(())
}

fn add_at(
    cache: &Cache,
    rtype: RecordType,
    name: &[u8],
    place: Place,
    edit: &RecordEdit<'_>,
    rdata: Option<&RData>,
) -> Result<(), EditError> {
    let ttl = edit.ttl.min(MAX_TTL_S);
    for _ in 0..MAX_RACES {
        let now = clock::now_ticks();
        let old = entry_at(cache, name, rtype, place).filter(|entry| !entry.is_expired(now));
        if let Some(old) = &old
            && old.is_permanent()
            && !edit.permanent
        {
            return Err(EditError::Permanent);
        }
        if ttl == 0 && !edit.permanent {
            return Ok(());
        }
        let mut records = match &old {
            Some(old) if rdata.is_some() && old.is_permanent() == edit.permanent => {
                read_records(old, now)
            }
            _ => Vec::new(),
        };
        // An entry that is extended keeps the spelling of its name.
        let extended = old.as_ref().filter(|_| !records.is_empty());
        let name = extended.map_or(name, |old| old.name()).to_vec();
        if let Some(rdata) = rdata {
            let at = records.iter().position(|(_, old)| same_value(old, rdata));
            if at.is_none() && records.len() >= MAX_RRSET_RECORDS {
                return Err(EditError::Full);
            }
            let changed = (ttl, rdata.clone());
            match at.and_then(|at| records.get_mut(at)) {
                // A changed SRV record goes behind its equals, an address stays where it is.
                Some(old) if rtype != RecordType::SRV => *old = changed,
                _ => {
                    at.map(|at| records.remove(at));
                    records.push(changed);
                }
            }
        }
        let content = Content {
            name: &name,
            rtype,
            records: &records,
            permanent: edit.permanent,
            negative_ttl: ttl,
        };
        if content.publish(cache, old.as_ref(), place, now)? {
            return Ok(());
        }
    }
    Err(EditError::Full)
}

/// Takes one record out of an entry that is negative and permanent exactly as said; a negative entry
/// goes as a whole, and so does one whose last record it is.
///
/// # Errors
/// `NotFound`, `Invalid`, `Full`, `NoCache`.
pub fn delete_single_record(
    rtype: RecordType,
    name: &[u8],
    value: &[u8],
    negative: bool,
    permanent: bool,
) -> Result<(), EditError> {
    let (name, written) = written(name);
    let wanted = if negative {
        None
    } else {
        let edit = RecordEdit {
            name,
            ttl: 0,
            value,
            priority: 0,
            weight: 0,
            port: 0,
            negative,
            permanent,
        };
        read_value(rtype, &edit)?
    };
    let cache = Cache::instance().ok_or(EditError::NoCache)?;
    let mut result = Err(EditError::NotFound);
    for place in places(cache, name, rtype, written, clock::now_ticks()) {
        let kind = (negative, permanent);
        let here = delete_at(cache, rtype, name, place, wanted.as_ref(), kind);
        result = result.or(here);
    }
    result
}

fn delete_at(
    cache: &Cache,
    rtype: RecordType,
    name: &[u8],
    place: Place,
    wanted: Option<&RData>,
    (negative, permanent): (bool, bool),
) -> Result<(), EditError> {
    for _ in 0..MAX_RACES {
        let now = clock::now_ticks();
        let entry = entry_at(cache, name, rtype, place)
            .filter(|entry| !entry.is_expired(now))
            .filter(|e| e.is_permanent() == permanent && e.negative().is_some() == negative)
            .ok_or(EditError::NotFound)?;
        let mut records = Vec::new();
        if let Some(wanted) = wanted {
            records = read_records(&entry, now);
            let before = records.len();
            records.retain(|(_, rdata)| !same_value(rdata, wanted));
            if records.len() == before {
                return Err(EditError::NotFound);
            }
        }
        if place == Place::Absolute {
            split(cache, name, rtype, now);
        }
        // The records that are left say no more of the other kind of name than before.
        let kept = match place {
            Place::Both(_) => entry.place(),
            alone => alone,
        };
        let done = if records.is_empty() {
            cache.remove(&entry)
        } else {
            let content = Content {
                name: entry.name(),
                rtype,
                records: &records,
                permanent,
                negative_ttl: 0,
            };
            content.publish(cache, Some(&entry), kept, now)?
        };
        if done {
            return Ok(());
        }
    }
    Err(EditError::NotFound)
}

/// New content of an entry.
struct Content<'a> {
    name: &'a [u8],
    rtype: RecordType,
    /// TTL in seconds and data; empty for a negative entry.
    records: &'a [(u32, RData)],
    permanent: bool,
    negative_ttl: u32,
}

impl Content<'_> {
    /// Puts the content in the old one's place; false when that changed meanwhile.
    fn publish(
        &self,
        cache: &Cache,
        old: Option<&EntryRef>,
        place: Place,
        now: u32,
    ) -> Result<bool, EditError> {
        let records: Vec<_> = self
            .records
            .iter()
            .map(|(ttl, rdata)| DraftRecord { ttl: *ttl, rdata })
            .collect();
        let draft = Draft {
            name: self.name,
            rtype: self.rtype,
            data: if records.is_empty() {
                DraftData::Negative(NegativeKind::NoData)
            } else {
                DraftData::Records(&records)
            },
            permanent: self.permanent,
            negative_ttl: self.negative_ttl,
        };
        let result = match old {
            Some(old) => cache
                .replace_if_current(old, &draft, place, now)
                .map(|entry| entry.is_some()),
            None => cache.insert_edited(&draft, place, now).map(|_| true),
        };
        result.map_err(|error| match error {
            InsertError::Full => EditError::Full,
            InsertError::Busy => EditError::Busy,
            InsertError::BadDraft => EditError::Invalid,
        })
    }
}

/// Reads the value of an edit; `None` for a negative one.
fn read_value(rtype: RecordType, edit: &RecordEdit<'_>) -> Result<Option<RData>, EditError> {
    if ![RecordType::A, RecordType::AAAA, RecordType::SRV].contains(&rtype) {
        return Err(EditError::Invalid);
    }
    if edit.negative {
        return Ok(None);
    }
    let rdata = match rtype {
        RecordType::A => parse_ipv4(edit.value).map(RData::A),
        RecordType::AAAA => parse_ipv6(edit.value).map(RData::Aaaa),
        _ => Name::from_text(edit.value)
            .filter(|_| !edit.value.is_empty())
            .map(|target| {
                RData::Srv(Srv {
                    priority: edit.priority,
                    weight: edit.weight,
                    port: edit.port,
                    target,
                })
            }),
    };
    rdata.map(Some).ok_or(EditError::Invalid)
}

/// True when two records are one for editing: the numbers of an SRV record are not its identity.
fn same_value(a: &RData, b: &RData) -> bool {
    match (a, b) {
        (RData::Srv(a), RData::Srv(b)) => eq_ignore_case(a.target.as_bytes(), b.target.as_bytes()),
        _ => a == b,
    }
}

/// Seconds that an entry has left, rounded up.
fn seconds_left(entry: &EntryRef, now: u32) -> u32 {
    if entry.is_expired(now) {
        0
    } else {
        entry
            .expire()
            .wrapping_sub(now)
            .div_ceil(clock::TICKS_PER_S)
    }
}

/// The live records of an A, AAAA or SRV entry with the seconds that they have left, rounded up.
fn read_records(entry: &EntryRef, now: u32) -> Vec<(u32, RData)> {
    let read = |index| {
        let ticks = entry.record_expire(index)?.wrapping_sub(now);
        let ttl = if entry.is_permanent() {
            MAX_TTL_S
        } else if clock::is_past(ticks, 0) {
            return None;
        } else {
            ticks.div_ceil(clock::TICKS_PER_S)
        };
        let rdata = entry.record(index)?.rdata()?;
        Some((ttl.min(MAX_TTL_S), rdata))
    };
    (0..entry.listed_count()).filter_map(read).collect()
}
