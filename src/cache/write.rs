//! Changes, under the writer lock.
#![allow(unsafe_code, reason = "unlocks in Drop")]

use parking_lot::lock_api::RawMutex as _;

use crate::host::clock::is_past;
use crate::host::metrics::{self, Metric};
use crate::rr::{MAX_NAME_OCTETS, RData, RecordType};
use crate::shm::pages::{self, BlockId};
use crate::shm::refword;
use crate::shm::region::PAGE_BYTES;
use crate::shm::sync::{Ordering, fence};

use super::hash::NameHash;
use super::layout::{self, Image, Stamp};
use super::table::Table;
use super::{
    Cache, Conflict, Draft, DraftData, EntryRef, InsertError, NegativeKind, PRIVATE_FLOOR,
    buckets_for,
};

/// Buckets handled in one hold of the lock while walking the table.
const BUCKETS_PER_HOLD: usize = 32;
/// Extents swept in one hold of the lock.
const EXTENTS_PER_HOLD: u32 = 4;

/// The right to change the cache; holds the writer lock.
pub(super) struct Writer<'a> {
    pub(super) cache: &'a Cache,
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.cache.header.lock.set_damaged();
        }
        // SAFETY: a Writer exists only while this thread holds the lock.
        unsafe { self.cache.header.lock.unlock() };
    }
}

/// Where an entry is linked.
#[derive(Clone, Copy)]
pub(super) struct Link {
    pub(super) bucket: usize,
    pub(super) place: usize,
    pub(super) block: BlockId,
}

impl Cache {
    pub(super) fn write(&self) -> Writer<'_> {
        self.header.lock.lock();
        let writer = Writer { cache: self };
        if self.header.lock.damaged() {
            writer.recover();
        }
        writer
    }

    /// Publishes an entry and returns what now stands under its name and type.
    ///
    /// # Errors
    /// Why it could not be linked; the cache is then unchanged but for evictions.
    pub fn insert(
        &self,
        draft: &Draft<'_>,
        conflict: Conflict,
        now: u32,
    ) -> Result<EntryRef, InsertError> {
        check(draft)?;
        let result = self.link_draft(draft, conflict, now);
        if matches!(result, Err(InsertError::Full)) {
            metrics::count(Metric::NotCached);
        }
        result
    }

    fn link_draft(
        &self,
        draft: &Draft<'_>,
        conflict: Conflict,
        now: u32,
    ) -> Result<EntryRef, InsertError> {
        let hash = self.hash(draft.name);
        let writer = self.write();
        writer.fit_limit(now);
        if let Some(old) = writer.find(hash, draft.rtype, draft.name)
            && writer.keeps(old.block, draft, conflict, now)
        {
            return self.acquire_block(old.block).ok_or(InsertError::Full);
        }
        let limit = self.limit();
        // A sixteenth is left for entries that only their holders know.
        let budget = (limit - limit / 16).saturating_sub(self.fixed_bytes());
        if budget < PAGE_BYTES {
            // Not even one page: free blocks in pages of private entries are not for the table.
            return Err(InsertError::Full);
        }
        let block = writer.fill(draft, hash, budget, now, true)?;
        // Making room may have evicted the old entry: look again rather than trust the first look.
        let linked = match writer.find(hash, draft.rtype, draft.name) {
            Some(old) => {
                writer.replace(old, block);
                true
            }
            None => writer.link(hash, draft.rtype, block),
        };
        if !linked {
            writer.discard(block);
            return Err(InsertError::Full);
        }
        Ok(EntryRef::from_counted(self.pages.address(block)))
    }

    /// Makes an entry that only its holder knows; it is freed with its last reference.
    ///
    /// A call in progress goes before what is merely cached: entries that nobody holds make room,
    /// whatever `dns_cache_del_nonexp` says. Only when calls hold all of `dns_cache_mem` may such entries
    /// exceed it, up to 4 MiB in all.
    ///
    /// # Errors
    /// `Full` when even that is used up.
    pub fn make_private(&self, draft: &Draft<'_>, now: u32) -> Result<EntryRef, InsertError> {
        check(draft)?;
        let writer = self.write();
        let hash = self.hash(draft.name);
        let fixed = self.fixed_bytes();
        let limit = self.limit();
        let block = writer
            .fill(draft, hash, limit.saturating_sub(fixed), now, false)
            .or_else(|error| match error {
                InsertError::Full => writer.fill(draft, hash, limit.max(PRIVATE_FLOOR), now, false),
                InsertError::BadDraft => Err(error),
            })?;
        Ok(EntryRef::from_counted(self.pages.address(block)))
    }

    /// Replaces `old` with the draft, if `old` is still what the cache finds under that name and type.
    ///
    /// `Ok(None)` means that somebody else changed it meanwhile: read again and retry.
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub fn replace_if_current(
        &self,
        old: &EntryRef,
        draft: &Draft<'_>,
        now: u32,
    ) -> Result<Option<EntryRef>, InsertError> {
        check(draft)?;
        let hash = self.hash(draft.name);
        let writer = self.write();
        let block = self.pages.block_at(old.as_raw() as usize);
        let current = |writer: &Writer<'_>| {
            writer
                .find(hash, draft.rtype, draft.name)
                .filter(|link| Some(link.block) == block)
        };
        if current(&writer).is_none() {
            return Ok(None);
        }
        let limit = self.limit();
        let budget = (limit - limit / 16).saturating_sub(self.fixed_bytes());
        let new = writer.fill(draft, hash, budget, now, true)?;
        let Some(link) = current(&writer) else {
            writer.discard(new);
            return Ok(None);
        };
        writer.replace(link, new);
        Ok(Some(EntryRef::from_counted(self.pages.address(new))))
    }

    /// Unlinks the entry; false when it was not linked any more.
    pub fn remove(&self, entry: &EntryRef) -> bool {
        let writer = self.write();
        let block = self.pages.block_at(entry.as_raw() as usize);
        let link = writer.find(self.hash(entry.name()), entry.rtype(), entry.name());
        match link.filter(|link| Some(link.block) == block) {
            Some(link) => {
                writer.unlink(link);
                true
            }
            None => false,
        }
    }

    /// Unlinks all entries, permanent ones only when asked.
    pub fn flush(&self, permanent_too: bool) {
        self.unlink_where(&|flags, _| permanent_too || flags & layout::FLAG_PERMANENT == 0);
    }

    /// Unlinks expired entries and gives unused memory back, in small steps so that other writers get
    /// in between. Readers are not disturbed.
    pub fn collect_garbage(&self, now: u32) {
        self.unlink_where(&|flags, expire| {
            flags & layout::FLAG_PERMANENT == 0 && is_past(expire, now)
        });
        let mut extent = 0;
        while extent < self.pages.extent_end() {
            let writer = self.write();
            writer.cache.pages.sweep(extent, extent + EXTENTS_PER_HOLD);
            extent += EXTENTS_PER_HOLD;
        }
        let writer = self.write();
        writer.fit_limit(now);
        self.pages.take_lost_hints();
        self.pages.release_empty();
    }

    /// Unlinks the entries for which `condition` (flags, expiry tick) holds.
    fn unlink_where(&self, condition: &dyn Fn(u8, u32) -> bool) {
        let mut from = 0;
        loop {
            let writer = self.write();
            let table = self.table();
            let to = (from + BUCKETS_PER_HOLD).min(table.buckets().len());
            if from >= to {
                return;
            }
            for bucket in from..to {
                writer.unlink_in_bucket(table, bucket, condition);
            }
            from = to;
        }
    }

    /// Sets the table up for a memory limit; before other processes exist.
    pub(super) fn size_table(&self, limit: usize) {
        let buckets = buckets_for(limit).min(self.areas[0].len());
        self.header
            .table
            .store((buckets as u64) << 1, Ordering::Release);
        self.header.sized_for.store(limit as u64, Ordering::Release);
    }
}

/// Refuses drafts that have no place in an entry.
fn check(draft: &Draft<'_>) -> Result<(), InsertError> {
    let name_ok = (1..=MAX_NAME_OCTETS).contains(&draft.name.len()) && !draft.name.contains(&0);
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
    match rdata {
        RData::A(_) => rtype == RecordType::A,
        RData::Aaaa(_) => rtype == RecordType::AAAA,
        RData::Cname(_) => rtype == RecordType::CNAME,
        RData::Srv(_) => rtype == RecordType::SRV,
        RData::Naptr(n) => {
            rtype == RecordType::NAPTR && short(&n.flags) && short(&n.services) && short(&n.regexp)
        }
        RData::Txt(texts) => {
            rtype == RecordType::TXT && !texts.is_empty() && texts.iter().all(|text| short(text))
        }
        RData::Ebl { separator, .. } => rtype == RecordType::EBL && short(separator),
        RData::Ptr(_) => rtype == RecordType::PTR,
        RData::Other => false,
    }
}

impl Writer<'_> {
    /// The link of a name and type.
    pub(super) fn find(&self, hash: NameHash, rtype: RecordType, name: &[u8]) -> Option<Link> {
        for (index, bucket) in self.cache.table().probe(hash.high) {
            let found = bucket.find(hash.tag(rtype.0), |place, block| {
                self.cache.view_of(block, hash.high, rtype.0, name)?;
                Some(Link {
                    bucket: index,
                    place,
                    block,
                })
            });
            if found.is_some() {
                return found;
            }
            if !bucket.overflows() {
                break;
            }
        }
        None
    }

    /// The link of a linked block.
    pub(super) fn find_block(&self, block: BlockId) -> Option<Link> {
        let hash = self
            .cache
            .pages
            .word(block, layout::HASH)?
            .load(Ordering::Relaxed);
        for (index, bucket) in self.cache.table().probe(hash) {
            for place in 0..super::table::PLACES {
                if bucket.block(place) == block {
                    return Some(Link {
                        bucket: index,
                        place,
                        block,
                    });
                }
            }
        }
        None
    }

    /// True when the old entry stays although the draft is for the same name and type.
    fn keeps(&self, old: BlockId, draft: &Draft<'_>, conflict: Conflict, now: u32) -> bool {
        let load = |offset| {
            self.cache
                .pages
                .word(old, offset)
                .map_or(0, |w| w.load(Ordering::Relaxed))
        };
        let (_, flags, _) = layout::split_identity(load(layout::IDENTITY));
        if flags & layout::FLAG_PERMANENT != 0 {
            return !draft.permanent;
        }
        if draft.permanent || self.cache.block_expired(old, flags, now) {
            return false;
        }
        if matches!(draft.data, DraftData::Negative(NegativeKind::Failure)) {
            return true;
        }
        if flags & layout::FLAG_NEGATIVE != 0 && matches!(draft.data, DraftData::Records(_)) {
            return false;
        }
        match conflict {
            Conflict::Replace => false,
            Conflict::KeepOld => true,
            Conflict::KeepLonger => {
                let ttl = match draft.data {
                    DraftData::Records(records) => records.iter().map(|r| r.ttl).max().unwrap_or(0),
                    DraftData::Negative(_) => draft.negative_ttl,
                };
                is_past(
                    crate::host::clock::after_seconds(now, ttl),
                    load(layout::EXPIRE),
                )
            }
        }
    }

    /// Allocates a block and puts the draft's entry into it, with one holder.
    fn fill(
        &self,
        draft: &Draft<'_>,
        hash: NameHash,
        budget: usize,
        now: u32,
        linked: bool,
    ) -> Result<BlockId, InsertError> {
        let records = match draft.data {
            DraftData::Records(records) => layout::stored_order(records),
            DraftData::Negative(_) => Vec::new(),
        };
        let (size, count) = layout::measure(draft.name.len(), &records, pages::MAX_BLOCK);
        let records = records.get(..count).unwrap_or(&[]);
        if records.is_empty() && matches!(draft.data, DraftData::Records(_)) {
            return Err(InsertError::BadDraft);
        }
        let class = pages::class_of(size.next_multiple_of(8)).ok_or(InsertError::BadDraft)?;
        let live_too = !linked || self.cache.may_evict_live();
        let block = self
            .allocate(class, budget, now, live_too)
            .ok_or(InsertError::Full)?;
        let address = self.cache.pages.address(block).as_ptr() as usize;
        let stamp = Stamp {
            hash: hash.high,
            now,
        };
        let image = Image::build(draft, records, size, address, stamp);
        // SYNC: pairs with the fence in `Bucket::unchanged`: a reader that sees a word of this content
        // also sees that the block's former entry was unlinked.
        fence(Ordering::Release);
        let place = self.cache.pages.words(block, 0, size.div_ceil(8) * 2);
        for (index, (word, value)) in place.iter().zip(image.words()).enumerate() {
            if index != layout::REFCNT / 4 {
                word.store(value, Ordering::Relaxed);
            }
        }
        if let Some(word) = self.cache.pages.ref_word(block) {
            refword::publish(word, linked, 1);
        }
        Ok(block)
    }

    /// Frees a block that was filled but could not be linked.
    fn discard(&self, block: BlockId) {
        if let Some(word) = self.cache.pages.ref_word(block) {
            refword::unlink(word);
            refword::release(word);
        }
        self.cache.pages.free(block);
    }

    /// Links a block under a name that is not linked yet; false when all buckets in reach are full.
    pub(super) fn link(&self, hash: NameHash, rtype: RecordType, block: BlockId) -> bool {
        let linked = link_into(self.cache.table(), hash, rtype, block);
        if linked {
            self.cache.header.entries.fetch_add(1, Ordering::Relaxed);
        }
        linked
    }

    /// Puts a block in the place of another of the same name and type.
    fn replace(&self, old: Link, block: BlockId) {
        if let Some(bucket) = self.cache.table().buckets().get(old.bucket) {
            bucket.replace(old.place, block);
        }
        self.let_go(old.block);
    }

    /// Takes an entry out of the table.
    pub(super) fn unlink(&self, link: Link) {
        let table = self.cache.table();
        let hash = self
            .cache
            .pages
            .word(link.block, layout::HASH)
            .map_or(0, |w| w.load(Ordering::Relaxed));
        if let Some(bucket) = table.buckets().get(link.bucket) {
            bucket.unlink(link.place);
        }
        for (index, bucket) in table.probe(hash) {
            if index == link.bucket {
                break;
            }
            bucket.uncount_overflow();
        }
        self.cache.header.entries.fetch_sub(1, Ordering::Relaxed);
        self.let_go(link.block);
    }

    /// Ends the table's hold on a block.
    fn let_go(&self, block: BlockId) {
        if self
            .cache
            .pages
            .ref_word(block)
            .is_some_and(refword::unlink)
        {
            self.cache.pages.free(block);
        }
    }

    fn unlink_in_bucket(&self, table: Table, index: usize, condition: &dyn Fn(u8, u32) -> bool) {
        let Some(bucket) = table.buckets().get(index) else {
            return;
        };
        for place in 0..super::table::PLACES {
            let block = bucket.block(place);
            if block == 0 {
                continue;
            }
            let load = |offset| {
                self.cache
                    .pages
                    .word(block, offset)
                    .map_or(0, |w| w.load(Ordering::Relaxed))
            };
            let (_, flags, _) = layout::split_identity(load(layout::IDENTITY));
            if condition(flags, load(layout::EXPIRE)) {
                self.unlink(Link {
                    bucket: index,
                    place,
                    block,
                });
            }
        }
    }
}

/// Links a block into a table without counting it.
pub(super) fn link_into(table: Table, hash: NameHash, rtype: RecordType, block: BlockId) -> bool {
    let Some(found) = table
        .probe(hash.high)
        .find_map(|(index, bucket)| bucket.empty_place().map(|place| (index, place)))
    else {
        return false;
    };
    for (index, bucket) in table.probe(hash.high) {
        if index == found.0 {
            bucket.link(found.1, hash.tag(rtype.0), block);
            break;
        }
        bucket.count_overflow();
    }
    true
}
