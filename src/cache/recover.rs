//! Repair after a writer died in the middle of a change.
//!
//! The order of a writer's steps leaves only harmless states behind: a block that is not published is
//! free; a block that is marked as linked but not in the table is let go; a place in the table always
//! holds a published block. Everything else (bitmaps, lists, tags, overflow counts, totals) is derived
//! and made anew.

use std::collections::HashSet;

use crate::shm::pages::BlockId;
use crate::shm::refword;
use crate::shm::sync::Ordering;

use super::table::PLACES;
use super::write::Writer;

impl Writer<'_> {
    /// Repairs the cache; the lock is held.
    pub(super) fn recover(&self) {
        let cache = self.cache;
        let table = cache.table();
        let mut linked: HashSet<BlockId> = HashSet::new();
        for bucket in table.buckets() {
            bucket.reset_overflow();
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
                let entry = cache.acquire_block(block).filter(|_| is_linked);
                let (Some(entry), true) = (entry, linked.insert(block)) else {
                    bucket.unlink(place);
                    continue;
                };
                let hash = cache.hash(entry.name());
                bucket.set_tag(place, hash.tag(entry.rtype().0));
                for (passed, other) in table.probe(hash.high) {
                    if passed == index {
                        break;
                    }
                    other.count_overflow();
                }
            }
        }
        cache
            .header
            .entries
            .store(linked.len() as u32, Ordering::Relaxed);
        cache.pages.rebuild(|block| linked.contains(&block));
        cache.header.repairs.fetch_add(1, Ordering::Relaxed);
        cache.header.lock.clear_damage();
    }
}
