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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::set::{Set, a, cname, naptr, srv};
    use super::*;

    const TYPES: [RecordType; 10] = [
        RecordType::A,
        RecordType::AAAA,
        RecordType::CNAME,
        RecordType::SRV,
        RecordType::NAPTR,
        RecordType::TXT,
        RecordType::EBL,
        RecordType::PTR,
        RecordType::SOA,
        RecordType(0xfffe),
    ];

    fn is_taken(rtype: RecordType, rdata: RData) -> bool {
        Set::of("n", rtype).record(60, rdata).draft(check).is_ok()
    }

    fn ebl(separator: &[u8]) -> RData {
        RData::Ebl {
            position: 1,
            separator: separator.into(),
            apex: super::super::set::name("x"),
        }
    }

    fn text(octets: &[u8]) -> RData {
        RData::Txt(vec![b"short"[..].into(), octets.into()])
    }

    #[test]
    fn records_go_with_their_own_type_alone() {
        let of_type = [
            a(1),
            RData::Aaaa(std::net::Ipv6Addr::LOCALHOST),
            cname("x"),
            srv(1, 1, 1, "x"),
            naptr((1, 1), ("s", "SIP+D2U", ""), "x"),
            text(b"x"),
            ebl(b"x"),
            RData::Ptr(super::super::set::name("x")),
        ];
        for (number, rdata) in of_type.iter().enumerate() {
            for (place, rtype) in TYPES.into_iter().enumerate() {
                let taken = is_taken(rtype, rdata.clone());
                assert_eq!(taken, place == number, "{rtype:?} {rdata:?}");
            }
            // A link of a search list is an alias, whatever it leads to.
            let link = is_taken(RecordType::A.link(true), rdata.clone());
            assert_eq!(link, matches!(rdata, RData::Cname(_)), "{rdata:?}");
        }
        for rtype in TYPES {
            assert!(!is_taken(rtype, RData::Other), "{rtype:?}");
            let none = Set::of("n", rtype);
            assert_eq!(none.draft(check), Err(InsertError::BadDraft));
        }
    }

    #[test]
    fn strings_have_at_most_255_octets() {
        let long = "x".repeat(256);
        for (length, wanted) in [(255, true), (256, false)] {
            let string = &long[..length];
            for (flags, services, regexp) in [(string, "", ""), ("", string, ""), ("", "", string)]
            {
                let naptr = naptr((1, 1), (flags, services, regexp), "x");
                assert_eq!(is_taken(RecordType::NAPTR, naptr), wanted, "{length}");
            }
            let octets = string.as_bytes();
            assert_eq!(is_taken(RecordType::TXT, text(octets)), wanted);
            assert_eq!(is_taken(RecordType::EBL, ebl(octets)), wanted);
        }
        assert!(!is_taken(RecordType::TXT, RData::Txt(Vec::new())));
    }

    #[test]
    fn names_have_1_to_255_octets_and_no_nul() {
        let check = |name: &[u8]| {
            let set = Set::of(name, RecordType::A).record(60, a(1));
            set.draft(check).is_ok()
        };
        assert!(check(b"n") && check(&[b'n'; 255]));
        assert!(!check(b"") && !check(&[b'n'; 256]) && !check(b"n\0n"));
    }

    #[test]
    fn a_record_that_no_block_holds_is_refused() {
        let cache = super::super::Cache::for_tests(1 << 20, true).unwrap();
        let string = [b'x'; 255].to_vec().into_boxed_slice();
        for (strings, wanted) in [(200, true), (300, false)] {
            let text = RData::Txt(vec![string.clone(); strings]);
            let kept = Set::of("n", RecordType::TXT).record(60, text).put(cache, 5);
            assert_eq!(kept.is_ok(), wanted);
            assert!(wanted || kept.err() == Some(InsertError::BadDraft));
        }
    }
}
