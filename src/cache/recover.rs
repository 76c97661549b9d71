//! Repair after a writer died in the middle of a change.
//!
//! The order of a writer's steps leaves only harmless states behind: a block that is not published is free; a block that
//! is marked as linked but not in the table is let go; a place in the table always holds a published block; a block that
//! is set aside is always named by the reserve. Everything else (bitmaps, lists, tags, overflow counts, totals) is
//! derived and made anew. A repair may itself be cut short: the next one starts over.

use std::collections::HashSet;
use std::mem::ManuallyDrop;

use crate::shm::kill_point::{KillPoint, reached};
use crate::shm::mutation::{Mutation, seeded};
use crate::shm::pages::BlockId;
use crate::shm::refword;
use crate::shm::sync::Ordering;

use super::table::PLACES;
use super::tables::raise_versions;
use super::write::Writer;
use super::{EntryRef, layout, owners};

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
        let mut passed = vec![0_u32; table.buckets().len()];
        if seeded(Mutation::RecountFromZero) {
            table
                .buckets()
                .iter()
                .for_each(|bucket| bucket.set_overflow(0));
        }
        raise_versions(table);
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
                let (hash, rtype) = self.peek(block, |entry| (cache.hash_of(entry), entry.rtype()));
                bucket.set_tag(place, hash.tag(rtype.0));
                for (other, _) in table.probe(self.load(block, layout::HASH)) {
                    if other == index {
                        break;
                    }
                    if let Some(count) = passed.get_mut(other) {
                        *count += 1;
                    }
                }
            }
        }
        // Only now: whoever dies counts before an entry goes past and counts less after it went, so what was
        // there is enough for readers to find all, and what was counted is, too.
        for (bucket, count) in table.buckets().iter().zip(passed) {
            bucket.set_overflow(count);
        }
        header.entries.store(linked.len() as u32, Ordering::Relaxed);
        header.negative_octets.store(negative, Ordering::Relaxed);
        owners::all_records_change();
        self.mend_reserve();
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

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize};

    use super::super::Cache;
    use super::super::set::{Set, a};
    use super::*;
    use crate::rr::RecordType;

    const NOW: u32 = 40;

    fn put(cache: &Cache, name: &str) -> bool {
        let set = Set::of(name, RecordType::A).record(600, a(1));
        set.permanent(true).put(cache, NOW).is_ok()
    }

    /// Entries that went past full buckets are found while the cache is repaired, too.
    #[test]
    fn readers_find_everything_during_a_repair() {
        let cache = Cache::for_tests(150_000, false).unwrap();
        let mut names: Vec<String> = (0..3000).map(|i| i.to_string()).collect();
        names.retain(|name| put(cache, name));
        let overflowing = || {
            let buckets = cache.table().buckets().iter();
            buckets.filter(|bucket| bucket.overflows()).count()
        };
        let before = overflowing();
        assert!(before > 0, "no bucket is full");
        let (rounds, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let find = |name: &String| cache.acquire_any_age(name.as_bytes(), RecordType::A);
                let mut all = true;
                while all && !stop.load(Ordering::Relaxed) {
                    all = names.iter().all(|name| find(name).is_some());
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
                all
            });
            for _ in 0..300 {
                cache.write().recover();
            }
            while rounds.load(Ordering::Relaxed) == 0 && !reader.is_finished() {
                std::thread::yield_now();
            }
            stop.store(true, Ordering::Relaxed);
            assert!(reader.join().unwrap(), "a linked entry was not found");
        });
        assert_eq!(overflowing(), before);
        assert!(cache.repairs() >= 300);
    }
}
