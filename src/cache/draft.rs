//! Drafts of entries: how a draft meets an entry that is there already, and why a draft is refused.

use crate::rr::{Form, MAX_NAME_OCTETS, RData, RecordType, has_nul};

use super::entry::NegativeKind;

/// The content of an entry that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// Owner name without trailing dot, 1 to 255 octets.
    pub name: &'a [u8],
    /// Type of all the records; for a negative entry the type that is absent.
    pub rtype: RecordType,
    /// The records, or what is known about their absence.
    pub data: DraftData<'a>,
    /// Never expires, is never evicted (`DNS_FLAG_PERMANENT`).
    pub permanent: bool,
    /// Life of a negative entry, s; for records each has its own.
    pub negative_ttl: u32,
}

/// Content of a [`Draft`].
#[derive(Clone, Copy, Debug)]
pub enum DraftData<'a> {
    /// At least one, in the order of arrival. Identical ones are kept once, at most
    /// [`crate::rr::MAX_RRSET_RECORDS`], and no more than fit into 64 KiB: the first in the order of
    /// [`crate::rr::order`]. The arrival only says where those begin between which nothing else decides.
    Records(&'a [DraftRecord<'a>]),
    /// No records.
    Negative(NegativeKind),
}

/// A record of a [`Draft`].
#[derive(Clone, Copy, Debug)]
pub struct DraftRecord<'a> {
    /// Seconds to live after all clamping, at most [`crate::rr::MAX_TTL_S`].
    pub ttl: u32,
    /// The data; its kind must fit the draft's type.
    pub rdata: &'a RData,
}

/// Which of the two stays when a live entry already stands under the draft's name and type.
///
/// A permanent entry is only replaced by a permanent draft; records replace a negative entry; an
/// expired entry is always replaced. A remembered failure never replaces a live entry, nor data that may be
/// served stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// The draft replaces it.
    Replace,
    /// The old entry stays and is returned in the draft's place.
    KeepOld,
    /// The one that expires later stays.
    KeepLonger,
}

/// Why an entry could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertError {
    /// The memory limit is reached and nothing may be evicted.
    Full,
    /// The draft's name is empty or too long, or its records do not fit its type or a block.
    BadDraft,
    /// The writer lock cannot be had: its holder does not go on.
    Busy,
}

/// Refuses drafts that have no place in an entry.
pub(super) fn check(draft: &Draft<'_>) -> Result<(), InsertError> {
    let name_ok = (1..=MAX_NAME_OCTETS).contains(&draft.name.len()) && !has_nul(draft.name);
    let data_ok = match draft.data {
        DraftData::Negative(_) => true,
        DraftData::Records(records) => {
            !records.is_empty() && records.iter().all(|record| fits(draft.rtype, record.rdata))
        }
    };
    if name_ok && data_ok {
        Ok(())
    } else {
        Err(InsertError::BadDraft)
    }
}

fn fits(rtype: RecordType, rdata: &RData) -> bool {
    let short = |text: &[u8]| text.len() <= 255;
    let is = |form| rtype.form() == Some(form);
    match rdata {
        RData::A(_) => is(Form::Ipv4),
        RData::Aaaa(_) => is(Form::Ipv6),
        RData::Cname(_) => is(Form::Alias) || rtype.is_link(),
        RData::Srv(_) => is(Form::Srv),
        RData::Naptr(n) => {
            is(Form::Naptr) && short(&n.flags) && short(&n.services) && short(&n.regexp)
        }
        RData::Txt(texts) => {
            is(Form::Texts) && !texts.is_empty() && texts.iter().all(|text| short(text))
        }
        RData::Ebl { separator, .. } => is(Form::Ebl) && short(separator),
        RData::Ptr(_) => is(Form::Name),
        RData::Other => false,
    }
}
