//! Changes, under the writer lock.
#![allow(unsafe_code, reason = "unlocks in Drop")]

use parking_lot::lock_api::RawMutex as _;

use crate::host::clock::is_past;
use crate::host::metrics::{self, Metric};
use crate::shm::kill_point::{KillPoint, reached};
use crate::shm::pages::BlockId;
use crate::shm::region::PAGE_BYTES;
use crate::shm::sync::Ordering;

use super::admission::Claim;
use super::draft::check;
use super::layout;
use super::tables::TableWord;
use super::{
    Cache, Conflict, Draft, DraftData, EntryRef, InsertError, PRIVATE_FLOOR, Place, buckets_for,
};

/// How long a call waits for the writer lock, ms. Holds take some tens of microseconds; a process that has it for so
/// long was stopped, or repairs a large cache after a death.
const PATIENCE_MS: u16 = 50;

/// How long a call waits for it in all, ms, where it fails without: no block is left that needs no lock.
const LAST_PATIENCE_MS: u16 = 2000;

/// How long an operator's command waits for it, ms.
const OPERATOR_PATIENCE_MS: u16 = 2000;

/// The right to change the cache; holds the writer lock.
pub(super) struct Writer<'a> {
    pub(super) cache: &'a Cache,
    /// For whom room is wanted.
    pub(super) claim: std::cell::Cell<Claim>,
    #[cfg(feature = "fault_injection")]
    taken_at: std::cell::Cell<u64>,
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        #[cfg(feature = "fault_injection")]
        self.cache.note_hold(self.taken_at.get());
        if cfg!(loom) && std::thread::panicking() {
            // Was killed: see the models.
            return;
        }
        if std::thread::panicking() {
            self.cache.header.lock.set_damaged();
        }
        // SAFETY: a Writer exists only while this thread holds the lock.
        unsafe { self.cache.header.lock.unlock() };
    }
}

impl Cache {
    /// The right to change the cache, as soon as it can be had: for what goes on without others.
    pub(super) fn write(&self) -> Writer<'_> {
        self.header.lock.lock();
        self.writer()
    }

    /// The right to change the cache, for what an operator said: it is waited for, but not for ever.
    pub(super) fn write_for_operator(&self) -> Option<Writer<'_>> {
        let is_taken = self.header.lock.lock_patiently(OPERATOR_PATIENCE_MS);
        is_taken.then(|| self.writer())
    }

    /// False when the cache cannot be changed, for a process that does so does not go on. Waits for that process as
    /// operators do.
    #[must_use]
    pub fn can_be_changed(&self) -> bool {
        self.write_for_operator().is_some()
    }

    /// The right to change the cache, if it can be had soon: calls do not wait for a process that does not go on.
    #[inline]
    pub(super) fn write_soon(&self) -> Option<Writer<'_>> {
        let is_taken = self.header.lock.lock_within(PATIENCE_MS);
        is_taken.then(|| self.writer())
    }

    /// The lock was taken.
    #[inline(always)]
    fn writer(&self) -> Writer<'_> {
        reached(KillPoint::LockTaken);
        let writer = Writer {
            cache: self,
            claim: std::cell::Cell::new(Claim::Call),
            #[cfg(feature = "fault_injection")]
            taken_at: crate::host::clock::thread_cpu_ns().into(),
        };
        if self.header.lock.damaged() {
            writer.recover();
            #[cfg(feature = "fault_injection")]
            writer.taken_at.set(crate::host::clock::thread_cpu_ns());
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
        self.insert_at(draft, Place::Absolute, conflict, now)
    }

    /// As [`Self::insert`], for any kind of name.
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub fn insert_at(
        &self,
        draft: &Draft<'_>,
        place: Place,
        conflict: Conflict,
        now: u32,
    ) -> Result<EntryRef, InsertError> {
        let result = self.publish(draft, place, conflict, now, false);
        match result {
            Err(InsertError::Full) => metrics::count(Metric::NotCached),
            Err(InsertError::Busy) => metrics::count(Metric::LockBusy),
            _ => {}
        }
        result
    }

    /// As [`Self::insert_at`], in the place of whatever stands there, for what an operator said: it counts as asked
    /// for, so that it does not go early to make room for others where records may not.
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub fn insert_edited(
        &self,
        draft: &Draft<'_>,
        place: Place,
        now: u32,
    ) -> Result<EntryRef, InsertError> {
        self.publish(draft, place, Conflict::Replace, now, true)
    }

    fn publish(
        &self,
        draft: &Draft<'_>,
        place: Place,
        conflict: Conflict,
        now: u32,
        is_edited: bool,
    ) -> Result<EntryRef, InsertError> {
        check(draft)?;
        let hash = place.hash(self.hash(draft.name));
        let writer = if is_edited {
            self.write_for_operator()
        } else {
            self.write_soon()
        };
        let writer = writer.ok_or(InsertError::Busy)?;
        writer.fit_limit(now);
        let old = writer.find(hash, draft.rtype, draft.name);
        if let Some(old) = old
            && writer.keeps(old.block, draft, conflict, now)
        {
            return self.acquire_block(old.block).ok_or(InsertError::Full);
        }
        let budget = self.linked_budget();
        if budget < PAGE_BYTES {
            // Not even one page: free blocks in pages of private entries are not for the table.
            return Err(InsertError::Full);
        }
        let replaces_negative = old.is_some_and(|old| writer.negative_octets(old.block) > 0);
        if matches!(draft.data, DraftData::Negative(_))
            && !replaces_negative
            && !writer.fit_negative_share(draft.name.len(), now)
        {
            return Err(InsertError::Full);
        }
        let is_in_use = is_edited || old.is_some_and(|old| writer.is_in_use(old.block));
        writer.claim.set(match is_in_use {
            true => Claim::InUse,
            false => Claim::new(hash, draft.rtype),
        });
        let block = writer.fill(draft, (hash, place), budget, now, true)?;
        if is_in_use {
            writer.mark_in_use(block);
        }
        // Making room may have evicted the old entry: look again rather than trust the first look. An entry that was
        // not there has not come: nobody else writes.
        let old = old.and_then(|_| writer.find(hash, draft.rtype, draft.name));
        let linked = match old {
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
        // The first holder counts last: a process that is killed before this leaves nothing behind.
        self.acquire_block(block).ok_or(InsertError::Full)
    }

    /// Makes an entry that only its holder knows; it is freed with its last reference.
    ///
    /// A call in progress goes before what is merely cached: entries that nobody holds make room,
    /// whatever `dns_cache_del_nonexp` says. Only when calls hold all of `dns_cache_mem` may such entries
    /// exceed it, up to 4 MiB in all.
    ///
    /// While the writer lock cannot be had there is a small reserve.
    ///
    /// # Errors
    /// `Full` when even that is used up, `Busy` when the reserve is.
    pub fn make_private(&self, draft: &Draft<'_>, now: u32) -> Result<EntryRef, InsertError> {
        check(draft)?;
        match self.write_soon() {
            Some(writer) => self.make_private_by(&writer, draft, now),
            None => self.make_reserved(draft, now),
        }
    }

    /// As [`Self::make_private`], for a call that fails without the entry: where the reserve is used up, it waits for
    /// a block of the reserve or for the writer lock, two seconds at most.
    ///
    /// # Errors
    /// As [`Self::make_private`].
    pub fn make_private_patiently(
        &self,
        draft: &Draft<'_>,
        now: u32,
    ) -> Result<EntryRef, InsertError> {
        let mut made = self.make_private(draft, now);
        for _ in 0..LAST_PATIENCE_MS / PATIENCE_MS {
            if !matches!(made, Err(InsertError::Busy)) {
                break;
            }
            let is_taken = self.header.lock.lock_patiently(PATIENCE_MS);
            made = match is_taken.then(|| self.writer()) {
                Some(writer) => self.make_private_by(&writer, draft, now),
                None => self.make_reserved(draft, now),
            };
        }
        made
    }

    fn make_private_by(
        &self,
        writer: &Writer<'_>,
        draft: &Draft<'_>,
        now: u32,
    ) -> Result<EntryRef, InsertError> {
        let hash = (self.hash(draft.name), Place::Absolute);
        let fixed = self.fixed_bytes();
        let limit = self.limit();
        let block = writer
            .fill(draft, hash, limit.saturating_sub(fixed), now, false)
            .or_else(|error| match error {
                InsertError::Full => writer.fill(draft, hash, limit.max(PRIVATE_FLOOR), now, false),
                InsertError::BadDraft | InsertError::Busy => Err(error),
            })?;
        Ok(EntryRef::from_counted(self.pages.address(block)))
    }

    /// Replaces `old` with the draft, if `old` is still what the cache finds under that name and type. `place` is of
    /// the kind of the old one's.
    ///
    /// `Ok(None)` means that somebody else changed it meanwhile: read again and retry.
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub fn replace_if_current(
        &self,
        old: &EntryRef,
        draft: &Draft<'_>,
        place: Place,
        now: u32,
    ) -> Result<Option<EntryRef>, InsertError> {
        check(draft)?;
        let hash = place.hash(self.hash(draft.name));
        let writer = self.write_for_operator().ok_or(InsertError::Busy)?;
        let block = self.pages.block_at(old.as_raw() as usize);
        let current = |writer: &Writer<'_>| {
            writer
                .find(hash, draft.rtype, draft.name)
                .filter(|link| Some(link.block) == block)
        };
        if current(&writer).is_none() {
            return Ok(None);
        }
        writer.claim.set(Claim::InUse);
        let new = writer.fill(draft, (hash, place), self.linked_budget(), now, true)?;
        writer.mark_in_use(new);
        let Some(link) = current(&writer) else {
            writer.discard(new);
            return Ok(None);
        };
        writer.replace(link, new);
        Ok(self.acquire_block(new))
    }

    /// Unlinks the entry; false when it was not linked any more, or the writer lock cannot be had.
    pub fn remove(&self, entry: &EntryRef) -> bool {
        let writer = self.write_soon();
        writer.is_some_and(|writer| self.remove_by(&writer, entry))
    }

    /// As [`Self::remove`], for what an operator said.
    ///
    /// # Errors
    /// `Busy`: see [`Self::can_be_changed`].
    pub fn remove_for_operator(&self, entry: &EntryRef) -> Result<bool, InsertError> {
        let writer = self.write_for_operator().ok_or(InsertError::Busy)?;
        Ok(self.remove_by(&writer, entry))
    }

    fn remove_by(&self, writer: &Writer<'_>, entry: &EntryRef) -> bool {
        let block = self.pages.block_at(entry.as_raw() as usize);
        let hash = self.hash_of(entry);
        let link = writer.find(hash, entry.rtype(), entry.name());
        match link.filter(|link| Some(link.block) == block) {
            Some(link) => {
                writer.records_change(link.block);
                writer.unlink(link);
                true
            }
            None => false,
        }
    }

    /// Octets of pages that linked entries may fill.
    pub(super) fn linked_budget(&self) -> usize {
        let limit = self.limit();
        // A sixteenth is left for entries that only their holders know; the blocks that are set aside lie in it.
        let linked = limit - limit / 16 + self.reserve_octets();
        linked.saturating_sub(self.fixed_bytes())
    }

    /// Sets the table up for a memory limit; before other processes exist.
    pub(super) fn size_table(&self, limit: usize) {
        let buckets = buckets_for(limit).min(self.areas[0].len());
        let word = TableWord::new(0, buckets, 0);
        self.header.table.store(word.0, Ordering::Release);
        self.header.sized_for.store(limit as u64, Ordering::Release);
    }
}

impl Writer<'_> {
    /// True when the old entry stays although the draft is for the same name and type.
    fn keeps(&self, old: BlockId, draft: &Draft<'_>, conflict: Conflict, now: u32) -> bool {
        let (_, flags, _) = layout::split_identity(self.load(old, layout::IDENTITY));
        if flags & layout::FLAG_PERMANENT != 0 {
            return !draft.permanent;
        }
        if draft.permanent {
            return false;
        }
        let expired = self.cache.block_expired(old, flags, now);
        if matches!(draft.data, DraftData::Negative(kind) if kind.is_failure()) {
            // Data that may be served stale is worth more than the news that it could not be renewed.
            let is_data = flags & layout::FLAG_NEGATIVE == 0;
            let gone = self.cache.gone(flags, self.load(old, layout::EXPIRE), now);
            return !expired || (is_data && !gone);
        }
        if expired {
            return false;
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
                    self.load(old, layout::EXPIRE),
                )
            }
        }
    }

    /// True when somebody asked for the name of an entry a second time.
    pub(super) fn is_in_use(&self, block: BlockId) -> bool {
        let (counts, stamp) = (layout::COUNTS, layout::LAST_USED);
        layout::is_in_use(self.load(block, counts), self.load(block, stamp))
    }

    /// Says so of an entry that is not linked yet.
    fn mark_in_use(&self, block: BlockId) {
        if let [counts] = self.cache.pages.words(block, layout::COUNTS, 1) {
            let marked = layout::in_use_before(counts.load(Ordering::Relaxed));
            counts.store(marked, Ordering::Relaxed);
        }
    }
}
