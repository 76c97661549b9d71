//! The NAPTR candidate that a search has come to, and the way back to its record from the SRV records in use.

use super::{Held, Search};
use crate::cache::{Cache, EntryRef, RecordView};
use crate::host::metrics::{self, Metric};
use crate::lookup::{self, Source};
use crate::rr::{RecordType, eq_ignore_case, is_below};
use crate::select::naptr::{Candidates, rows_of};
use crate::select::tree::{self, Target};
use crate::select::{Position, Transport};

const TRANSPORT_MASK: u8 = 7;
const CANDIDATE_SHIFT: u8 = 3;
const MOST_PASSED_OVER: usize = (u8::MAX >> CANDIDATE_SHIFT) as usize;
/// In [`Position::proto`] beside the hash of a NAPTR owner: TLS, and NAPTR records were asked for it alone.
const SIPS_ALONE: u8 = Transport::Other as u8;

impl Position {
    /// Number of the transport in use.
    #[inline]
    pub(in super::super) fn transport(&self) -> u8 {
        match self.proto & TRANSPORT_MASK {
            SIPS_ALONE => self.transport_of_sips(),
            number => number,
        }
    }

    #[cold]
    fn transport_of_sips(&self) -> u8 {
        self.naptr_transport()
            .map_or(SIPS_ALONE, |transport| transport as u8)
    }

    /// The transport that NAPTR records were asked for alone, if it is so.
    #[inline]
    pub(super) fn naptr_transport(&self) -> Option<Transport> {
        let alone = self.proto & TRANSPORT_MASK == SIPS_ALONE && self.naptr_hash() != 0;
        alone.then_some(Transport::Tls)
    }

    /// Place of the candidate in use, in the order of use.
    pub(super) fn candidate(&self) -> usize {
        usize::from(self.proto >> CANDIDATE_SHIFT)
    }

    /// What the first step of a search without NAPTR records passed over, because its question was open: so many SRV
    /// records from the beginning of the set; without SRV records 1 for the addresses of the family that comes first.
    #[inline]
    pub(super) fn passed_over(&self) -> usize {
        match self.naptr_hash() {
            0 => self.candidate(),
            _ => 0,
        }
    }

    /// Notes what the first step passed over; of more records than there is room for, the first ones.
    pub(super) fn pass_over(&mut self, count: usize) {
        let count = count.min(MOST_PASSED_OVER) as u8;
        self.proto = self.proto & TRANSPORT_MASK | count << CANDIDATE_SHIFT;
    }

    /// Has a candidate be in use that leads to a transport; `is_alone`: NAPTR records were asked for that alone.
    pub(super) fn set_candidate(&mut self, candidate: usize, transport: Transport, is_alone: bool) {
        let transport = match is_alone {
            true => SIPS_ALONE,
            false => transport as u8,
        };
        self.proto = transport | (candidate as u8) << CANDIDATE_SHIFT;
    }
}

impl Search<'_> {
    /// The first target of the candidates behind the one in use.
    pub(super) fn next_candidate(&mut self, name: &[u8], srv: &EntryRef) -> Option<Target> {
        let entry = self.naptr_origin(name, srv)?;
        let source = Source::Cache;
        let next = self.cursor.candidate() + 1;
        let only = self.cursor.naptr_transport();
        tree::next_candidate(self, Held { entry, source }, next, only)
    }

    /// The NAPTR entry through which the current SRV records were found.
    ///
    /// Most handles have no place for it; the hash of the owner's name leads back to it, whatever name the caller
    /// passes meanwhile (B14). An entry that the cache has lost is asked for again.
    fn naptr_origin(&mut self, name: &[u8], srv: &EntryRef) -> Option<EntryRef> {
        let hash = self.cursor.naptr_hash();
        if hash == 0 {
            return None;
        }
        if let Some(entry) = self.naptr.take() {
            return Some(entry);
        }
        let cache = Cache::instance()?;
        let position = self.cursor.candidate();
        let only = self.cursor.naptr_transport();
        let accept = |entry: &EntryRef| {
            entry.negative().is_none()
                && leads_to(entry, name, srv)
                && Candidates::new(rows_of(entry), only).len() > position
        };
        cache
            .acquire_by_hash(hash, RecordType::NAPTR, &accept)
            .or_else(|| {
                let Some(owner) = naptr_owner(cache, hash, name, srv) else {
                    metrics::count(Metric::NaptrLost);
                    return None;
                };
                let found = lookup::absolute_entry(&owner, RecordType::NAPTR, self.flags);
                found.ok().map(|(entry, _)| entry)
            })
    }
}

/// True for the NAPTR entry of the name that is asked for, or of one whose records led to these SRV records. Other names
/// may have the same hash.
pub(super) fn leads_to(naptr: &EntryRef, asked: &[u8], srv: &EntryRef) -> bool {
    let own = naptr.name();
    let is_replacement = |record| match record {
        RecordView::Naptr { replacement, .. } => eq_ignore_case(replacement, srv.name()),
        _ => false,
    };
    let is_way_back = || match srv.owner() {
        Some(owner) => eq_ignore_case(own, owner),
        // There was no memory for a copy that has the owner's name, or none was needed.
        None => is_below(srv.name(), own) || naptr.records().any(is_replacement),
    };
    eq_ignore_case(own, asked.strip_suffix(b".").unwrap_or(asked)) || is_way_back()
}

/// The name that has the NAPTR records of a call: the one that is asked for if it has the hash, the one to which the
/// SRV records in use lead back, or one above theirs.
fn naptr_owner(cache: &Cache, hash: u32, name: &[u8], srv: &EntryRef) -> Option<Vec<u8>> {
    let asked = name.strip_suffix(b".").unwrap_or(name);
    if cache.has_hash(asked, hash) {
        return Some(asked.to_vec());
    }
    if let Some(owner) = srv.owner().filter(|owner| cache.has_hash(owner, hash)) {
        return Some(owner.to_vec());
    }
    let srv_name = srv.name();
    let dots = srv_name
        .iter()
        .enumerate()
        .filter(|(_, octet)| **octet == b'.');
    let mut above = dots.filter_map(|(dot, _)| srv_name.get(dot + 1..));
    above
        .find(|name| cache.has_hash(name, hash))
        .map(<[u8]>::to_vec)
}
