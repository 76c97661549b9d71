//! Changes of `dns_cache_mem` while the cache is in use, in small steps.
//!
//! A table of another size is filled beside the one in use, some buckets at each step; links that change meanwhile in
//! buckets already moved change in both. When the new table is whole, one store brings it into use, and the memory of
//! the old one is given back piece by piece. If the limit was lowered, entries are evicted page by page before. Each
//! insert makes a step, the garbage collector makes all that are left.

use crate::shm::kill_point::{KillPoint, reached};
use crate::shm::pages::BlockId;
use crate::shm::region::PAGE_BYTES;
use crate::shm::sync::Ordering;

use super::table::{Bucket, PLACES, Table};
use super::tables::{TableWord, link_into};
use super::write::Writer;
use super::{HEADER_BYTES, buckets_for, layout};

/// Buckets moved in one step.
const BUCKETS_PER_STEP: usize = 8;
/// Octets of an old table given back in one step.
const OLD_OCTETS_PER_STEP: usize = 64 * PAGE_BYTES;
/// Pages given back to the kernel in one step.
const PAGES_PER_STEP: usize = 4;

impl Writer<'_> {
    /// Makes one step towards the present `dns_cache_mem`; true when others are left.
    pub(super) fn fit_limit(&self, now: u32) -> bool {
        let header = self.cache.header;
        let limit = self.cache.limit();
        if header.sized_for.load(Ordering::Relaxed) == limit as u64 {
            return false;
        }
        // Until all steps are made, also if the limit becomes what it was.
        header.sized_for.store(u64::MAX, Ordering::Relaxed);
        let wanted = buckets_for(limit).min(self.cache.areas[0].len());
        let in_use = self.cache.table_word();
        let next = TableWord(header.next_table.load(Ordering::Relaxed));
        if self.give_old_table_back() {
            return true;
        }
        self.shrink_reserve();
        let room = limit.saturating_sub(HEADER_BYTES + in_use.successor(wanted).octets());
        if !next.is_none() && next.buckets() != wanted {
            self.abandon_next_table();
        } else if !next.is_none() {
            self.move_buckets(in_use, next);
        } else if self.shrink_step(room, now) {
            return true;
        } else if in_use.buckets() != wanted {
            header.moved.store(0, Ordering::Relaxed);
            header
                .next_table
                .store(in_use.successor(wanted).0, Ordering::Relaxed);
        } else {
            header.sized_for.store(limit as u64, Ordering::Relaxed);
            self.grow_reserve();
            return false;
        }
        true
    }

    /// Moves the entries of some buckets; the last step brings the other table into use.
    fn move_buckets(&self, in_use: TableWord, next: TableWord) {
        let header = self.cache.header;
        let (old, new) = (self.cache.table_of(in_use), self.cache.table_of(next));
        let from = header.moved.load(Ordering::Relaxed) as usize;
        let to = (from + BUCKETS_PER_STEP).min(old.buckets().len());
        for bucket in old.buckets().get(from..to).unwrap_or(&[]) {
            self.cache.tables().move_bucket(bucket, |block| {
                if !self.relink(new, block) {
                    self.relink_or_evict(new, block);
                }
            });
            reached(KillPoint::TableHalfMoved);
        }
        if to < old.buckets().len() {
            return;
        }
        reached(KillPoint::TableMoved);
        let old_octets = (size_of_val(old.buckets())).next_multiple_of(PAGE_BYTES);
        header
            .old_octets
            .store(old_octets as u64, Ordering::Relaxed);
        self.cache.tables().switch(next);
        reached(KillPoint::TableSwitched);
        header.next_table.store(0, Ordering::Relaxed);
    }

    fn relink(&self, table: Table, block: BlockId) -> bool {
        let (name, rtype) = self.peek(block, |entry| (self.cache.hash_of(entry), entry.rtype()));
        link_into(table, name.high, name.tag(rtype.0), block).is_some()
    }

    /// For an entry that finds no place in the smaller table: a permanent one takes another's.
    fn relink_or_evict(&self, table: Table, block: BlockId) {
        let is_permanent = |block| {
            let (_, flags, _) = layout::split_identity(self.load(block, layout::IDENTITY));
            flags & layout::FLAG_PERMANENT != 0
        };
        if is_permanent(block) {
            let reach = table.probe(self.load(block, layout::HASH));
            let other = reach
                .flat_map(|(_, bucket)| (0..PLACES).map(|place| bucket.block(place)))
                .find(|&other| other != 0 && !is_permanent(other));
            if other.is_some_and(|other| self.evict_block(other)) && self.relink(table, block) {
                return;
            }
        }
        self.evict_block(block);
    }

    /// Gives part of the table that went out of use back to the kernel; false when there is none.
    fn give_old_table_back(&self) -> bool {
        let header = self.cache.header;
        let left = header.old_octets.load(Ordering::Relaxed) as usize;
        if left == 0 {
            return false;
        }
        let keep = left.saturating_sub(OLD_OCTETS_PER_STEP);
        self.empty_area(self.cache.table_word().other_area(), keep, left);
        header.old_octets.store(keep as u64, Ordering::Relaxed);
        true
    }

    fn abandon_next_table(&self) {
        let header = self.cache.header;
        let next = TableWord(header.next_table.load(Ordering::Relaxed));
        let octets = (next.buckets() * size_of::<Bucket>()).next_multiple_of(PAGE_BYTES);
        header.next_table.store(0, Ordering::Relaxed);
        header.old_octets.store(octets as u64, Ordering::Relaxed);
    }

    /// Makes octets `from..to` of a table area zero and gives their memory back; the area is not in use.
    pub(super) fn empty_area(&self, area: usize, from: usize, to: usize) {
        let Some(buckets) = self.cache.areas.get(area) else {
            return;
        };
        let start = self
            .cache
            .region
            .offset_of(buckets.as_ptr() as usize)
            .unwrap_or(0);
        if start == 0 || self.cache.region.discard(start + from, to - from) {
            return;
        }
        let size = size_of::<Bucket>();
        let end = to.div_ceil(size).min(buckets.len());
        for bucket in buckets.get(from / size..end).unwrap_or(&[]) {
            bucket.clear();
        }
    }

    /// Evicts some entries while pages take more than `room` octets, those least in use first; true when it
    /// may go on.
    fn shrink_step(&self, room: usize, now: u32) -> bool {
        let pages = &self.cache.pages;
        let header = self.cache.header;
        if pages.used_bytes() <= room || pages.release_empty(PAGES_PER_STEP) {
            header.fruitless.store(0, Ordering::Relaxed);
            return pages.used_bytes() > room;
        }
        if self.evict_page(now) {
            return true;
        }
        // Chance found no page without entries that must stay: page by page then, once around.
        let page = header.scan_hand.load(Ordering::Relaxed) % pages.page_end();
        header.scan_hand.store(page + 1, Ordering::Relaxed);
        if self.empty_page(page, now, true) {
            header.fruitless.store(0, Ordering::Relaxed);
        } else {
            header.fruitless.fetch_add(1, Ordering::Relaxed);
        }
        if header.fruitless.load(Ordering::Relaxed) > pages.page_end() {
            header.fruitless.store(0, Ordering::Relaxed);
            return false;
        }
        true
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::policy::Policy;
    use super::super::set::{Set, a};
    use super::super::{ALL, Cache, Setting};
    use super::*;
    use crate::rr::{RData, RecordType};

    const NOW: u32 = 600;

    fn put(cache: &Cache, name: &str, permanent: bool) {
        let set = Set::of(name, RecordType::A).record(6000, a(1));
        set.permanent(permanent).put(cache, NOW).unwrap();
    }

    fn is_there(cache: &Cache, name: &str) -> bool {
        let rtype = RecordType::A;
        cache.acquire_any_age(name.as_bytes(), rtype).is_some()
    }

    fn change_limit(cache: &Cache, limit: usize) {
        cache.set_for_tests(Setting::Limit(limit));
        cache.collect_garbage(NOW);
        assert_eq!(cache.table_word().buckets(), buckets_for(limit));
        assert_eq!(cache.usage().entries, cache.entries().count());
    }

    /// Where a smaller table has no place for all, permanent entries have theirs, in whatever order they come.
    #[test]
    fn in_a_smaller_table_permanent_entries_take_the_places_of_others() {
        let cache = Cache::for_tests(16 << 20, true).unwrap();
        let limit = 300 << 10;
        let table = TableWord::new(0, buckets_for(limit), 0).table(&cache.areas);
        let home = table.buckets().get(5).unwrap();
        let is_at_home = |name: &String| {
            let found = table.home_bucket(cache.name_hash(name.as_bytes()));
            found.is_some_and(|bucket| std::ptr::eq(bucket, home))
        };
        let names = (0..).map(|number| format!("n{number}")).filter(is_at_home);
        let hash = cache.name_hash(names.clone().next().unwrap().as_bytes());
        let reach = table.probe(hash).count() * PLACES;
        let names: Vec<_> = names.take(reach + 60).collect();
        let (others, permanent) = names.split_at(70);
        others.iter().for_each(|name| put(cache, name, false));
        permanent.iter().for_each(|name| put(cache, name, true));
        assert_eq!(cache.usage().entries, reach + 60);
        change_limit(cache, limit);
        assert!(permanent.iter().all(|name| is_there(cache, name)));
        let left = others.iter().filter(|name| is_there(cache, name)).count();
        assert_eq!((left, cache.usage().entries), (10, reach));
        // What went is not there again in a larger table.
        change_limit(cache, 16 << 20);
        assert_eq!(cache.usage().entries, reach);
        assert!(permanent.iter().all(|name| is_there(cache, name)));
    }

    /// A process that locked its memory gives none back: a table that goes out of use is emptied all the same.
    #[test]
    fn a_table_out_of_use_is_empty_also_where_its_memory_stays() {
        let policy = Policy::Fixed(4 << 20);
        let mut cache = Cache::map(16 << 20, policy).unwrap();
        cache.region = cache.region.that_keeps_its_memory();
        let cache: &'static Cache = Box::leak(Box::new(cache));
        cache.set_up().unwrap();
        ALL.write().push(cache);
        let names: Vec<_> = (0..2000).map(|number| format!("n{number}")).collect();
        names.iter().for_each(|name| put(cache, name, false));
        for limit in [8 << 20, 1 << 20, 16 << 20, 2 << 20, 4 << 20, 8 << 20] {
            change_limit(cache, limit);
            let other = cache.areas[cache.table_word().other_area()];
            let left = other
                .iter()
                .flat_map(|bucket| (0..PLACES).map(|place| bucket.block(place)));
            assert_eq!(left.filter(|block| *block != 0).count(), 0, "{limit}");
            assert!(names.iter().all(|name| is_there(cache, name)), "{limit}");
        }
        // A change that is taken back half way.
        cache.set_for_tests(Setting::Limit(16 << 20));
        names
            .iter()
            .take(40)
            .for_each(|name| put(cache, name, false));
        change_limit(cache, 8 << 20);
        change_limit(cache, 16 << 20);
        assert!(names.iter().all(|name| is_there(cache, name)));
    }

    /// What may go does so wherever it stands, and the rest is no reason to look for ever.
    #[test]
    fn a_lower_limit_finds_the_few_entries_that_may_go() {
        let cache = Cache::for_tests(8 << 20, true).unwrap();
        // A page for each.
        let text = |number: usize| RData::Txt(vec![vec![b'x'; 200 + number % 50].into(); 15]);
        let is_permanent = |number: usize| number % 100 != 99;
        let held = (0..1000).map(|number| {
            let set = Set::of(format!("n{number}"), RecordType::TXT).record(6000, text(number));
            set.permanent(is_permanent(number)).put(cache, NOW).unwrap()
        });
        drop(held.collect::<Vec<_>>());
        change_limit(cache, 1 << 20);
        let left = cache.entries().filter(|entry| !entry.is_permanent());
        assert_eq!((left.count(), cache.usage().entries), (0, 990));
    }
}
