//! Room for new entries: eviction, and changes of the memory limit.
//!
//! Recency is approximate: a look-up stamps an entry at most once a second, and a victim is the least
//! recently used of a sample. There is no list that each hit would have to write.

use crate::host::metrics::{self, Metric};
use crate::host::random;
use crate::host::stats::{self, Stat};
use crate::rr::RecordType;
use crate::shm::pages::BlockId;
use crate::shm::refword::LINKED;
use crate::shm::sync::{AtomicU32, Ordering, fence};

use super::layout;
use super::write::{Writer, link_into};
use super::{Cache, buckets_for};

/// Pages looked at, at random, to find a victim or a page to free.
const PAGE_SAMPLE: usize = 16;
/// Victims considered before the best is taken.
const CANDIDATES: usize = 24;
/// Pages looked at in order when chance found no victim.
const SCAN_PAGES: usize = 16;
/// Attempts to make room for one entry.
const ATTEMPTS: usize = 4;

/// How much an entry is worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// Nothing: it is expired.
    Expired,
    /// Unused for this many ticks: reversed, so that the longest unused sorts first.
    Idle(std::cmp::Reverse<u32>),
}

impl Writer<'_> {
    /// Allocates a block, making room when the budget (octets of pages) is used up; `live_too` says
    /// whether entries that are not expired may have to go.
    pub(super) fn allocate(
        &self,
        class: usize,
        budget: usize,
        now: u32,
        live_too: bool,
    ) -> Option<BlockId> {
        let pages = &self.cache.pages;
        for attempt in 0..=ATTEMPTS {
            if let Some(block) = pages.allocate(class, budget) {
                return Some(block);
            }
            if attempt == 0 {
                if pages.take_lost_hints() {
                    pages.sweep(0, pages.extent_end());
                }
                if pages.release_empty() {
                    continue;
                }
            }
            // Now and then whole pages are taken from other sizes first, so that the mix can change.
            let whole_page_first = random::quick_u32() & 15 == 0;
            let made_room = (whole_page_first && self.evict_page(now, live_too))
                || self.evict_one(class, now, live_too)
                || self.evict_page(now, live_too);
            if !made_room {
                return None;
            }
        }
        None
    }

    /// What an entry is worth; `None` when it may not be evicted.
    fn worth(&self, block: BlockId, word: &AtomicU32, now: u32, live_too: bool) -> Option<Worth> {
        // Entries that somebody holds would not free memory.
        if word.load(Ordering::Relaxed) != LINKED {
            return None;
        }
        let load = |offset| {
            self.cache
                .pages
                .word(block, offset)
                .map_or(0, |w| w.load(Ordering::Relaxed))
        };
        let (_, flags, _) = layout::split_identity(load(layout::IDENTITY));
        if flags & layout::FLAG_PERMANENT != 0 {
            None
        } else if self.cache.block_expired(block, flags, now) {
            Some(Worth::Expired)
        } else {
            let idle = (now.wrapping_sub(load(layout::LAST_USED)) as i32).max(0) as u32;
            // Negative entries hold no records, and anybody can have any number of them made by using
            // made-up names: they give way also where records may not be dropped early (B34).
            let may_go = live_too || flags & layout::FLAG_NEGATIVE != 0;
            may_go.then_some(Worth::Idle(std::cmp::Reverse(idle)))
        }
    }

    /// Evicts one entry of a size class: the least worthy of some that stand on pages taken at random,
    /// or, failing that, on the pages that come next in order.
    fn evict_one(&self, class: usize, now: u32, live_too: bool) -> bool {
        let pages = &self.cache.pages;
        let mut victim: Option<(Worth, BlockId)> = None;
        let considered = std::cell::Cell::new(0);
        let mut consider = |block: BlockId, word: &AtomicU32| {
            let Some(worth) = self.worth(block, word, now, live_too) else {
                return;
            };
            considered.set(considered.get() + 1);
            if victim.is_none_or(|(least, _)| worth < least) {
                victim = Some((worth, block));
            }
        };
        for _ in 0..PAGE_SAMPLE {
            let draw = random::quick_u32();
            // Neighbours were often inserted together: a few from each of many pages are a better
            // sample than all of one page.
            pages.visit_some(class, draw, CANDIDATES / 6, &mut consider);
        }
        if considered.get() < CANDIDATES / 6 {
            for _ in 0..SCAN_PAGES {
                pages.visit_class(class, 1, &mut consider);
            }
        }
        victim.is_some_and(|(_, block)| self.evict_block(block))
    }

    fn evict_block(&self, block: BlockId) -> bool {
        let Some(link) = self.find_block(block) else {
            return false;
        };
        self.unlink(link);
        stats::count(Stat::Eviction);
        metrics::count(Metric::Evicted);
        true
    }

    /// Evicts all entries of one page, of whatever size, and gives the page back.
    fn evict_page(&self, now: u32, live_too: bool) -> bool {
        let mut best: Option<(Worth, u32)> = None;
        for _ in 0..PAGE_SAMPLE {
            let page = random::quick_u32() % self.cache.pages.page_end();
            let Some(worth) = self.page_worth(page, now, live_too) else {
                continue;
            };
            if best.is_none_or(|(least, _)| worth < least) {
                best = Some((worth, page));
            }
        }
        best.is_some_and(|(_, page)| self.empty_page(page))
    }

    /// What a page is worth: expired when all its entries are, else their mean idle time; `None` when one
    /// of them must stay.
    fn page_worth(&self, page: u32, now: u32, live_too: bool) -> Option<Worth> {
        let (mut entries, mut live, mut idle_ticks) = (0_u64, false, 0_u64);
        let mut fixed = false;
        self.cache.pages.visit_unit(page, |block, word| {
            entries += 1;
            match self.worth(block, word, now, live_too) {
                Some(Worth::Idle(std::cmp::Reverse(idle))) => {
                    live = true;
                    idle_ticks += u64::from(idle);
                }
                Some(Worth::Expired) => {}
                None => fixed = true,
            }
        })?;
        if fixed || entries == 0 {
            return None;
        }
        let mean = u32::try_from(idle_ticks / entries).unwrap_or(u32::MAX);
        Some(if live {
            Worth::Idle(std::cmp::Reverse(mean))
        } else {
            Worth::Expired
        })
    }

    fn empty_page(&self, page: u32) -> bool {
        let mut blocks = Vec::new();
        self.cache
            .pages
            .visit_unit(page, |block, _| blocks.push(block));
        let mut evicted = false;
        for block in blocks {
            evicted |= self.evict_block(block);
        }
        self.cache.pages.release_empty();
        evicted
    }

    /// Follows a change of `dns_cache_mem`: another table size, fewer entries when it was lowered.
    pub(super) fn fit_limit(&self, now: u32) {
        let limit = self.cache.limit();
        let header = self.cache.header;
        if header.sized_for.load(Ordering::Relaxed) == limit as u64 {
            return;
        }
        self.switch_table(buckets_for(limit).min(self.cache.areas[0].len()));
        self.shrink_to(limit, now);
        header.sized_for.store(limit as u64, Ordering::Relaxed);
    }

    /// Evicts until the memory in use is within the limit, expired entries first, then page by page.
    fn shrink_to(&self, limit: usize, now: u32) {
        for round in 0..2 {
            for page in 0..self.cache.pages.page_end() {
                let used = self.cache.fixed_bytes() + self.cache.pages.used_bytes();
                if used <= limit {
                    return;
                }
                let mut victims = Vec::new();
                self.cache.pages.visit_unit(page, |block, word| {
                    if self.worth(block, word, now, round > 0).is_some() {
                        victims.push(block);
                    }
                });
                for block in victims {
                    self.evict_block(block);
                }
                self.cache.pages.release_empty();
            }
        }
    }

    /// Moves all links into a table of another size. Readers notice by the table word.
    fn switch_table(&self, buckets: usize) {
        let cache: &Cache = self.cache;
        let word = cache.header.table.load(Ordering::Relaxed);
        if (word >> 1) as usize == buckets {
            return;
        }
        let next = (buckets as u64) << 1 | (word & 1 ^ 1);
        let (old, new) = (cache.table_of(word), cache.table_of(next));
        for bucket in new.buckets() {
            bucket.clear();
        }
        let mut left_over = Vec::new();
        for bucket in old.buckets() {
            for place in 0..super::table::PLACES {
                let block = bucket.block(place);
                if block != 0 && !self.relink(new, block) {
                    left_over.push(block);
                }
            }
        }
        // What finds no place in the smaller table leaves through the old one.
        for block in left_over {
            self.evict_block(block);
        }
        // SYNC: pairs with the acquire load in `Cache::table`.
        cache.header.table.store(next, Ordering::Release);
        // SYNC: a reader that sees the reuse of a block unlinked later also sees the switch.
        fence(Ordering::Release);
        let area_offset = old.buckets().as_ptr() as usize;
        if let Some(offset) = cache.region.offset_of(area_offset) {
            let bytes = size_of_val(old.buckets()) & !(crate::shm::region::PAGE_BYTES - 1);
            cache.region.discard(offset, bytes);
        }
    }

    fn relink(&self, table: super::table::Table, block: BlockId) -> bool {
        let Some(entry) = self.cache.acquire_block(block) else {
            return true;
        };
        let hash = self.cache.hash(entry.name());
        link_into(table, hash, RecordType(entry.rtype().0), block)
    }
}
