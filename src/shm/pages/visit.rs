//! Walks over blocks, for eviction and sweeps.

use super::{
    AtomicU32, BLOCK_UNIT, BlockId, COMMITTED, EXTENT_PAGES, Ordering, PAGE_BYTES, Pages,
    class_size, unit_pages,
};

/// Pages without memory that one search passes over.
const MAX_SKIP: u32 = 256;

impl Pages {
    /// Calls `f` with each block of an extent that is marked as used, and its reference word.
    pub(crate) fn for_each_block(
        &self,
        extent: u32,
        mut f: impl FnMut(BlockId, &'static AtomicU32),
    ) {
        let first = extent as usize * EXTENT_PAGES;
        for page in first..first + EXTENT_PAGES {
            self.for_each_block_in_page(page as u32, &mut f);
        }
    }

    fn for_each_block_in_page(&self, page: u32, f: &mut impl FnMut(BlockId, &'static AtomicU32)) {
        let Some(desc) = self.desc(page) else { return };
        let Some(class) = desc.class.load(Ordering::Relaxed).checked_sub(1) else {
            return;
        };
        let mut used = desc.used.load(Ordering::Relaxed);
        while used != 0 {
            let index = used.trailing_zeros() as usize;
            used &= used - 1;
            let block =
                (page as usize * PAGE_BYTES + index * class_size(class as usize)) / BLOCK_UNIT;
            if let Some(word) = self.ref_word(block as BlockId) {
                f(block as BlockId, word);
            }
        }
    }

    /// Looks at up to `budget` used blocks of a class, from where the last call stopped; under the lock.
    pub(crate) fn visit_class(
        &self,
        class: usize,
        budget: usize,
        mut f: impl FnMut(BlockId, &'static AtomicU32),
    ) {
        let Some(hand) = self.control.hand.get(class) else {
            return;
        };
        let end = self.extent_end() * EXTENT_PAGES as u32;
        let mut page = hand.load(Ordering::Relaxed).max(EXTENT_PAGES as u32);
        let mut left = budget;
        // Pages of other classes are skipped an extent at a time, at a small charge, so that the
        // call stays bounded however large the cache is.
        let mut skips = 4 * budget;
        while left > 0 && skips > 0 {
            if page >= end {
                page = EXTENT_PAGES as u32;
                skips /= 2;
            }
            let Some(desc) = self.desc(page) else { break };
            if desc.class.load(Ordering::Relaxed) as usize != class + 1 {
                page = (page / EXTENT_PAGES as u32 + 1) * EXTENT_PAGES as u32;
                skips = skips.saturating_sub(1);
                continue;
            }
            let mut seen = 0;
            self.for_each_block_in_page(page, &mut |block, word| {
                seen += 1;
                f(block, word);
            });
            left = left.saturating_sub(seen);
            skips = skips.saturating_sub(1);
            page += unit_pages(class) as u32;
        }
        hand.store(page, Ordering::Relaxed);
    }

    /// Looks at up to `count` used blocks of one page, both chosen by `draw`; at none when the page drawn
    /// is of another class than the one asked for. Under the lock.
    pub(crate) fn visit_some(
        &self,
        class: Option<usize>,
        draw: u32,
        count: usize,
        f: &mut impl FnMut(BlockId, &'static AtomicU32),
    ) {
        let page = (draw >> 6) % self.page_end();
        let Some(desc) = self.desc(page) else { return };
        let Some(found) = desc.class.load(Ordering::Relaxed).checked_sub(1) else {
            return;
        };
        let found = found as usize;
        if class.is_some_and(|class| class != found) {
            return;
        }
        let start = draw as usize & 63;
        let used = desc.used.load(Ordering::Relaxed).rotate_right(start as u32);
        let chosen = (0..64).filter(|bit| used >> bit & 1 != 0).take(count);
        for index in chosen.map(|bit| (bit + start) & 63) {
            let block = (page as usize * PAGE_BYTES + index * class_size(found)) / BLOCK_UNIT;
            if let Some(word) = self.ref_word(block as BlockId) {
                f(block as BlockId, word);
            }
        }
    }

    /// The first page from `page` on, once around, that holds memory, looking at some hundred at most.
    pub(crate) fn next_page_in_use(&self, page: u32) -> u32 {
        let end = self.page_end();
        let in_use = |page: &u32| {
            self.desc(*page)
                .is_some_and(|desc| desc.state.load(Ordering::Relaxed) & COMMITTED != 0)
        };
        let mut ahead = (0..end.min(MAX_SKIP)).map(|step| (page + step) % end);
        ahead
            .clone()
            .find(in_use)
            .or(ahead.next_back())
            .unwrap_or(0)
    }

    /// The class and blocks of the unit at a page, for eviction of whole units; under the lock.
    pub(crate) fn visit_unit(
        &self,
        page: u32,
        mut f: impl FnMut(BlockId, &'static AtomicU32),
    ) -> Option<usize> {
        let desc = self.desc(page)?;
        if desc.state.load(Ordering::Relaxed) & COMMITTED == 0 {
            return None;
        }
        let class = desc.class.load(Ordering::Relaxed).checked_sub(1)?;
        self.for_each_block_in_page(page, &mut f);
        Some(class as usize)
    }
}
