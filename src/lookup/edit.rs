//! Changes by the operator: adding and deleting single records (RPC, start-up lists).
//!
//! An edit concerns exactly the name given: aliases are not followed (B26). Entries are immutable, so
//! each edit builds the entry anew and puts it in the old one's place; when somebody else was quicker,
//! it starts over.

use crate::cache::{
    Cache, Conflict, Draft, DraftData, DraftRecord, EntryRef, NegativeKind, RecordView,
};
use crate::host::clock;
use crate::rr::{
    MAX_NAME_OCTETS, MAX_TTL_S, Name, Naptr, RData, RecordType, Srv, parse_ipv4, parse_ipv6,
};

/// Attempts before an edit gives up against other writers.
const ATTEMPTS: usize = 100;

/// A record to add.
#[derive(Clone, Copy, Debug)]
pub struct RecordEdit<'a> {
    /// Owner; a trailing dot is dropped.
    pub name: &'a [u8],
    /// Seconds, taken as they are.
    pub ttl: u32,
    /// Text of the address, or the SRV target. Ignored for negative entries.
    pub value: &'a [u8],
    /// SRV only.
    pub priority: u16,
    /// SRV only.
    pub weight: u16,
    /// SRV only.
    pub port: u16,
    /// The name is to have no records of the type.
    pub negative: bool,
    /// Never expires.
    pub permanent: bool,
}

/// Why an edit was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditError {
    /// There is no cache.
    NoCache,
    /// The type cannot be edited, or name or value are malformed.
    Invalid,
    /// There is no such entry or record.
    NotFound,
    /// The entry is permanent, and the edit is not for permanent entries.
    Permanent,
    /// The memory limit is reached, or others changed the name all the time.
    Failed,
}

/// A record with what is left of its life, s.
type Kept = (u32, RData);

/// Adds a record (A, AAAA, SRV), or changes the one with the same value.
///
/// A permanent record replaces a non-permanent entry; records replace a negative entry and the other way
/// round; otherwise the record joins the others. For SRV the target is the value: priority, weight and
/// port are changed.
///
/// # Errors
/// Why nothing was changed.
pub fn add_record(rtype: RecordType, edit: &RecordEdit<'_>) -> Result<(), EditError> {
    let cache = Cache::instance().ok_or(EditError::NoCache)?;
    let name = checked_name(edit.name)?;
    if !matches!(rtype, RecordType::A | RecordType::AAAA | RecordType::SRV) {
        return Err(EditError::Invalid);
    }
    let new = if edit.negative {
        None
    } else {
        Some((edit.ttl.min(MAX_TTL_S), parse_value(rtype, edit)?))
    };
    for _ in 0..ATTEMPTS {
        let old = current(cache, name, rtype);
        if old.as_ref().is_some_and(EntryRef::is_permanent) && !edit.permanent {
            return Err(EditError::Permanent);
        }
        let records = match (&old, &new) {
            (_, None) => Vec::new(),
            (Some(old), Some(new))
                if old.negative().is_none() && old.is_permanent() == edit.permanent =>
            {
                merge(old, new)
            }
            (_, Some(new)) => vec![new.clone()],
        };
        if put(cache, old.as_ref(), name, rtype, &records, edit)? {
            return Ok(());
        }
    }
    Err(EditError::Failed)
}

/// Deletes the entry of a name and type; permanent ones are refused.
///
/// # Errors
/// Why nothing was deleted.
pub fn delete(name: &[u8], rtype: RecordType) -> Result<(), EditError> {
    let cache = Cache::instance().ok_or(EditError::NoCache)?;
    let name = checked_name(name)?;
    let entry = current(cache, name, rtype).ok_or(EditError::NotFound)?;
    if entry.is_permanent() {
        return Err(EditError::Permanent);
    }
    if cache.remove(&entry) {
        Ok(())
    } else {
        Err(EditError::NotFound)
    }
}

/// Deletes one record, and the entry with its last; the entry's flags must be those given.
///
/// # Errors
/// Why nothing was deleted.
pub fn delete_single_record(
    rtype: RecordType,
    name: &[u8],
    value: &[u8],
    negative: bool,
    permanent: bool,
) -> Result<(), EditError> {
    let cache = Cache::instance().ok_or(EditError::NoCache)?;
    let name = checked_name(name)?;
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
    for _ in 0..ATTEMPTS {
        let old = current(cache, name, rtype).ok_or(EditError::NotFound)?;
        if old.is_permanent() != permanent || old.negative().is_some() != negative {
            return Err(EditError::NotFound);
        }
        if negative {
            return if cache.remove(&old) {
                Ok(())
            } else {
                Err(EditError::NotFound)
            };
        }
        let gone = parse_value(rtype, &edit)?;
        let all = kept_records(&old);
        let rest: Vec<Kept> = all
            .iter()
            .filter(|(_, rdata)| !same_value(rdata, &gone))
            .cloned()
            .collect();
        if rest.len() == all.len() {
            return Err(EditError::NotFound);
        }
        let done = if rest.is_empty() {
            cache.remove(&old)
        } else {
            put(cache, Some(&old), name, rtype, &rest, &edit)?
        };
        if done {
            return Ok(());
        }
    }
    Err(EditError::Failed)
}

/// The name without trailing dot, if its length is one that the cache can hold.
fn checked_name(name: &[u8]) -> Result<&[u8], EditError> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let fits = (1..=MAX_NAME_OCTETS).contains(&name.len()) && !name.contains(&0);
    fits.then_some(name).ok_or(EditError::Invalid)
}

fn parse_value(rtype: RecordType, edit: &RecordEdit<'_>) -> Result<RData, EditError> {
    let parsed = match rtype {
        RecordType::A => parse_ipv4(edit.value).map(RData::A),
        RecordType::AAAA => parse_ipv6(edit.value).map(RData::Aaaa),
        RecordType::SRV => Name::from_text(edit.value)
            .filter(|_| !edit.value.is_empty())
            .map(|target| {
                RData::Srv(Srv {
                    priority: edit.priority,
                    weight: edit.weight,
                    port: edit.port,
                    target,
                })
            }),
        _ => None,
    };
    parsed.ok_or(EditError::Invalid)
}

/// The entry as it stands, expired ones left out.
fn current(cache: &Cache, name: &[u8], rtype: RecordType) -> Option<EntryRef> {
    let now = clock::now_ticks();
    cache
        .acquire_any_age(name, rtype)
        .filter(|entry| !entry.is_expired(now))
}

/// True when two records are the same for the operator: address, or SRV target.
fn same_value(a: &RData, b: &RData) -> bool {
    match (a, b) {
        (RData::Srv(a), RData::Srv(b)) => a.target == b.target,
        _ => a == b,
    }
}

/// The records of the entry with the new one among them.
fn merge(old: &EntryRef, new: &Kept) -> Vec<Kept> {
    let mut records = kept_records(old);
    match records
        .iter_mut()
        .find(|(_, rdata)| same_value(rdata, &new.1))
    {
        Some(place) if !matches!(new.1, RData::Srv(_)) => *place = new.clone(),
        Some(_) => {
            // A changed SRV record goes behind its equals, as a new one would.
            records.retain(|(_, rdata)| !same_value(rdata, &new.1));
            records.push(new.clone());
        }
        None => records.push(new.clone()),
    }
    records
}

/// The records of an entry that are still valid.
fn kept_records(entry: &EntryRef) -> Vec<Kept> {
    let now = clock::now_ticks();
    (0..entry.record_count())
        .filter_map(|index| {
            let expire = entry.record_expire(index)?;
            if !entry.is_permanent() && clock::is_past(expire, now) {
                return None;
            }
            // Rounded up: an edit must not shorten what it does not touch.
            let left =
                clock::seconds_until(expire.wrapping_add(clock::TICKS_PER_S - 1), now).max(0);
            Some((
                left as u32,
                copy_record(&entry.record(index)?, entry, index)?,
            ))
        })
        .collect()
}

fn copy_record(record: &RecordView<'_>, entry: &EntryRef, index: usize) -> Option<RData> {
    Some(match *record {
        RecordView::A(address) => RData::A(address),
        RecordView::Aaaa(address) => RData::Aaaa(address),
        RecordView::Cname(name) => RData::Cname(Name::from_text(name)?),
        RecordView::Ptr(name) => RData::Ptr(Name::from_text(name)?),
        RecordView::Srv {
            priority,
            weight,
            port,
            target,
        } => RData::Srv(Srv {
            priority,
            weight,
            port,
            target: Name::from_text(target)?,
        }),
        RecordView::Naptr {
            order,
            preference,
            flags,
            services,
            regexp,
            replacement,
        } => RData::Naptr(Naptr {
            order,
            preference,
            flags: flags.into(),
            services: services.into(),
            regexp: regexp.into(),
            replacement: Name::from_text(replacement)?,
        }),
        RecordView::Txt(_) => RData::Txt(entry.texts(index).into_iter().map(Into::into).collect()),
        RecordView::Ebl {
            position,
            separator,
            apex,
        } => RData::Ebl {
            position,
            separator: separator.into(),
            apex: Name::from_text(apex)?,
        },
    })
}

/// Puts a new entry in the place of the old one; false when the old one is not current any more.
fn put(
    cache: &Cache,
    old: Option<&EntryRef>,
    name: &[u8],
    rtype: RecordType,
    records: &[Kept],
    edit: &RecordEdit<'_>,
) -> Result<bool, EditError> {
    let drafts: Vec<_> = records
        .iter()
        .map(|(ttl, rdata)| DraftRecord { ttl: *ttl, rdata })
        .collect();
    let data = if edit.negative {
        DraftData::Negative(NegativeKind::NoData)
    } else {
        DraftData::Records(&drafts)
    };
    let draft = Draft {
        name,
        rtype,
        data,
        permanent: edit.permanent,
        negative_ttl: edit.ttl.min(MAX_TTL_S),
    };
    let now = clock::now_ticks();
    let result = match old {
        Some(old) => cache
            .replace_if_current(old, &draft, now)
            .map(|new| new.is_some()),
        None => cache
            .insert(&draft, Conflict::Replace, now)
            .map(|new| new.is_permanent() == edit.permanent),
    };
    result.map_err(|_| EditError::Failed)
}
