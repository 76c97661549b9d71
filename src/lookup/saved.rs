//! Shows people what a snapshot has: nothing is written, and nothing is loaded.

use std::fmt::Write as _;

use super::snapshot::{self, Frame, Trouble};
use crate::resolver::stored;
use crate::rr::{Name, RData, RecordType};

/// A record set of a snapshot.
#[derive(Debug)]
pub struct SavedSet {
    /// The owner of the records.
    pub name: Name,
    /// The type of the records.
    pub rtype: RecordType,
    /// Seconds until the set expires, by the time of the day; negative: it has expired.
    pub expires_in_s: i64,
    /// For how many s it had not been used when it was saved; `None` = never.
    pub idle_s: Option<u32>,
    /// The data of its records, as a zone file has it.
    pub records: Vec<Vec<u8>>,
}

/// The content of a file, in all.
#[derive(Debug)]
pub struct Saved {
    /// How long ago the file was written, s.
    pub age_s: u64,
    /// The length of the file.
    pub octets: u64,
    /// The first sets whose name fits, and that can be read.
    pub sets: Vec<SavedSet>,
    /// All of these.
    pub fitting: u64,
    /// All sets that it has.
    pub count: u64,
    /// Of these, sets that no reply could have had: they are not loaded either.
    pub unreadable: u64,
}

/// Reads the file of `dns_snapshot`, and picks so many sets whose name fits.
///
/// # Errors
/// As of [`snapshot::load`].
pub fn read(most: usize, fits: impl Fn(&[u8]) -> bool) -> Result<Saved, Trouble> {
    snapshot::with_file(|file| {
        let mut saved = Saved {
            age_s: file.wall_s.saturating_sub(file.saved_s),
            octets: file.octets,
            sets: Vec::new(),
            fitting: 0,
            count: file.frames.len() as u64,
            unreadable: 0,
        };
        for frame in &file.frames {
            match set_of(frame, file.wall_s) {
                Some(set) if fits(set.name.as_bytes()) => {
                    saved.fitting += 1;
                    if saved.sets.len() < most {
                        saved.sets.push(set);
                    }
                }
                Some(_) => {}
                None => saved.unreadable += 1,
            }
        }
        saved
    })
}

fn set_of(frame: &Frame<'_>, wall_s: u64) -> Option<SavedSet> {
    let (name, rtype, records) = stored::decode(frame.message)?;
    let expires_in_s = i128::from(frame.expires_s) - i128::from(wall_s);
    Some(SavedSet {
        name,
        rtype,
        expires_in_s: i64::try_from(expires_in_s).unwrap_or(i64::MAX),
        idle_s: frame.idle(),
        records: records
            .iter()
            .map(|record| text_of(&record.rdata))
            .collect(),
    })
}

/// The data of a record as a zone file has it, octets as they are.
fn text_of(rdata: &RData) -> Vec<u8> {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _written = match rdata {
        RData::A(address) => write!(out, "{address}"),
        RData::Aaaa(address) => write!(out, "{address}"),
        RData::Srv(srv) => write!(out, "{} {} {} ", srv.priority, srv.weight, srv.port),
        RData::Naptr(naptr) => write!(out, "{} {} ", naptr.order, naptr.preference),
        _ => Ok(()),
    };
    let mut out = out.into_bytes();
    match rdata {
        RData::Cname(target) => out.extend(with_dot(target)),
        RData::Srv(srv) => out.extend(with_dot(&srv.target)),
        RData::Naptr(naptr) => {
            for text in [&naptr.flags, &naptr.services, &naptr.regexp] {
                out.push(b'"');
                out.extend_from_slice(text);
                out.extend(b"\" ");
            }
            out.extend(with_dot(&naptr.replacement));
        }
        _ => {}
    }
    out
}

fn with_dot(name: &Name) -> Vec<u8> {
    [name.as_bytes(), b"."].concat()
}
