//! Repair after a writer died in the middle of a change.
//!
//! The order of a writer's steps leaves only harmless states behind: a block that is not published is
//! free; a block that is marked as linked but not in the table is let go; a place in the table always
//! holds a published block. Everything else (bitmaps, lists, tags, overflow counts, totals) is derived
//! and made anew. A repair may itself be cut short: the next one starts over.

use std::collections::HashSet;
use std::mem::ManuallyDrop;

use crate::shm::kill_point::{KillPoint, reached};
use crate::shm::pages::BlockId;
use crate::shm::refword;
use crate::shm::sync::Ordering;

use super::table::PLACES;
use super::write::Writer;
use super::{EntryRef, layout};

impl Writer<'_> {
    /// Looks into an entry that the table links, without counting a reference: as long as we hold the
    /// lock nobody else can unlink it.
    pub(super) fn peek<T>(&self, block: BlockId, look: impl FnOnce(&EntryRef) -> T) -> T {
        let entry = ManuallyDrop::new(EntryRef::from_counted(self.cache.pages.address(block)));
        look(&entry)
    }

    /// Repairs the cache; the lock is held.
    pub(super) fn recover(&self) {
        let cache = self.cache;
        let header = cache.header;
        self.drop_unused_table();
        let table = cache.table();
        let mut linked: HashSet<BlockId> = HashSet::new();
        let mut negative = 0;
        for bucket in table.buckets() {
            bucket.reset_overflow();
            // The dead writer may have taken a block out without raising the version; it is let go of
            // below, and what was read of it until now must not count.
            bucket.touch();
        }
        for (index, bucket) in table.buckets().iter().enumerate() {
            for place in 0..PLACES {
                let block = bucket.block(place);
                if block == 0 {
                    continue;
                }
                let word = cache.pages.ref_word(block);
                let is_linked =
                    word.is_some_and(|w| w.load(Ordering::Relaxed) & refword::LINKED != 0);
                if !is_linked || !linked.insert(block) {
                    bucket.unlink(place);
                    continue;
                }
                negative += self.negative_octets(block);
                let (hash, rtype) =
                    self.peek(block, |entry| (cache.hash(entry.name()), entry.rtype()));
                bucket.set_tag(place, hash.tag(rtype.0));
                for (passed, other) in table.probe(self.load(block, layout::HASH)) {
                    if passed == index {
                        break;
                    }
                    other.count_overflow();
                }
            }
        }
        header.entries.store(linked.len() as u32, Ordering::Relaxed);
        header.negative_octets.store(negative, Ordering::Relaxed);
        reached(KillPoint::RepairedTable);
        cache.pages.rebuild(|block| linked.contains(&block));
        reached(KillPoint::RepairedPages);
        for memo in &header.full {
            memo.store(0, Ordering::Relaxed);
        }
        header.repairs.fetch_add(1, Ordering::Relaxed);
        header.lock.clear_damage();
    }

    /// Empties the table area that is not in use, whatever was going on there.
    fn drop_unused_table(&self) {
        let header = self.cache.header;
        let area = self.cache.table_word().other_area();
        let octets = self.cache.areas.get(area).map_or(0, |a| size_of_val(*a));
        self.empty_area(area, 0, octets);
        header.next_table.store(0, Ordering::Relaxed);
        header.moved.store(0, Ordering::Relaxed);
        header.old_octets.store(0, Ordering::Relaxed);
        // Whatever the dead writer was about to do about the limit is looked at again.
        header.sized_for.store(u64::MAX, Ordering::Relaxed);
    }
}
