//! Why a target was chosen, for people: filled in only when asked for.

use std::net::IpAddr;

use super::super::{AddressReason, NaptrReason, SrvReason};
use super::{CANDIDATE_SHIFT, Candidates, Search, record_at_step, rows_of};
use crate::cache::{Cache, EntryRef, RecordView};
use crate::host::clock;
use crate::lookup::{self, Source};
use crate::rr::RecordType;

impl Search<'_> {
    pub(super) fn note_address(&mut self, owner: &[u8], address: IpAddr, ttl: i32, source: Source) {
        if let Some(reason) = self.reason.as_deref_mut() {
            reason.address = Some(AddressReason {
                owner: owner.to_vec(),
                address,
                ttl,
                source,
            });
        }
    }

    pub(super) fn note_srv(&mut self, entry: &EntryRef, index: usize, source: Source) {
        let Some(reason) = self.reason.as_deref_mut() else {
            return;
        };
        let Some(RecordView::Srv {
            priority,
            weight,
            port,
            target,
        }) = entry.record(index)
        else {
            return;
        };
        reason.srv = Some(SrvReason {
            owner: entry.name().to_vec(),
            priority,
            weight,
            port,
            target: target.to_vec(),
            ttl: seconds_left(entry, index),
            source,
        });
        self.note_current_naptr();
    }

    /// The SRV record whose addresses are being given.
    pub(super) fn note_current_srv(&mut self) {
        if self.reason.is_none() {
            return;
        }
        let Some(entry) = self.cursor.srv.clone() else {
            return;
        };
        let step = usize::from(self.cursor.srv_no).saturating_sub(1);
        if let Some(index) = record_at_step(&entry, step, self.cursor.seed()) {
            self.note_srv(&entry, index, Source::Cache);
        }
    }

    pub(super) fn note_current_naptr(&mut self) {
        let hash = self.cursor.naptr_hash();
        let position = usize::from(self.cursor.proto >> CANDIDATE_SHIFT);
        let entry = self.naptr.clone().or_else(|| {
            let accept = |entry: &EntryRef| entry.negative().is_none();
            Cache::instance().filter(|_| hash != 0)?.acquire_by_hash(
                hash,
                RecordType::NAPTR,
                &accept,
            )
        });
        let Some(entry) = entry else { return };
        let candidates = Candidates::new(rows_of(&entry), self.cursor.naptr_transport());
        if let Some(candidate) = candidates.get(position) {
            self.note_naptr(&entry, usize::from(candidate.index), Source::Cache);
        }
    }

    pub(super) fn note_naptr(&mut self, entry: &EntryRef, index: usize, source: Source) {
        let Some(reason) = self.reason.as_deref_mut() else {
            return;
        };
        let Some(RecordView::Naptr {
            order,
            preference,
            services,
            replacement,
            ..
        }) = entry.record(index)
        else {
            return;
        };
        reason.naptr = Some(NaptrReason {
            owner: entry.name().to_vec(),
            order,
            preference,
            service: services.to_vec(),
            replacement: replacement.to_vec(),
            ttl: seconds_left(entry, index),
            source,
        });
    }
}

/// Seconds to the end of a record; -1 for permanent ones.
pub(super) fn seconds_left(entry: &EntryRef, index: usize) -> i32 {
    if entry.is_permanent() {
        return -1;
    }
    let now = clock::now_ticks();
    entry
        .record_expire(index)
        .map_or(0, |expire| lookup::reported_ttl(entry, expire, now))
}
