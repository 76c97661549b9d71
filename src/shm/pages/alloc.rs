//! Blocks and pages of memory, taken and given back.

use super::super::kill_point::{KillPoint, reached};
use super::super::refword;
use super::{
    BLOCK_UNIT, BlockId, CLASSES, COMMITTED, EXTENT_PAGES, LIST_EMPTY, LIST_MASK, LIST_NONE,
    LIST_PARTIAL, LIST_SPARE, Ordering, PAGE_BYTES, Pages, SHARES, blocks_per_unit, class_size,
    unit_pages,
};

impl Pages {
    /// Allocates a block whose memory fits under `limit` octets in use; under the lock.
    ///
    /// The block counts as used, but its reference word is zero until the caller publishes it; no
    /// other call on the allocator may come in between.
    pub(crate) fn allocate(&self, class: usize, limit: usize) -> Option<BlockId> {
        self.take_hints();
        let page = self.page_with_room(class, limit)?;
        let desc = self.desc(page)?;
        let used = desc.used.load(Ordering::Relaxed);
        let index = used.trailing_ones() as usize;
        let block = (page as usize * PAGE_BYTES + index * class_size(class)) / BLOCK_UNIT;
        let used = used | 1 << index;
        desc.used.store(used, Ordering::Relaxed);
        reached(KillPoint::BlockTaken);
        if used.count_ones() as usize == blocks_per_unit(class) {
            self.leave_list(page, class);
        }
        Some(block as BlockId)
    }

    /// A page on the class's partial list.
    fn page_with_room(&self, class: usize, limit: usize) -> Option<u32> {
        let partial = self.control.partial.get(class)?;
        if partial.load(Ordering::Relaxed) == 0 {
            match self.control.empty.get(class)?.load(Ordering::Relaxed) {
                0 => self.commit_unit(class, limit)?,
                page => self.move_to(page, class, LIST_PARTIAL),
            }
        }
        Some(partial.load(Ordering::Relaxed))
    }

    /// Takes a block back whose reference word is zero; under the lock. Does nothing otherwise.
    pub(crate) fn free(&self, block: BlockId) {
        if !self.ref_word(block).is_some_and(refword::is_free) {
            return;
        }
        let Some((page, class, bit)) = self.place(block) else {
            return;
        };
        let Some(desc) = self.desc(page) else { return };
        let used = desc.used.load(Ordering::Relaxed);
        if used & bit == 0 {
            return;
        }
        let used = used & !bit;
        desc.used.store(used, Ordering::Relaxed);
        reached(KillPoint::BlockFreed);
        if used == 0 {
            self.move_to(page, class, LIST_EMPTY);
        } else if desc.state.load(Ordering::Relaxed) & LIST_MASK == LIST_NONE {
            self.enter_list(page, class, LIST_PARTIAL);
        }
    }

    /// Gives the memory of up to `pages` empty pages back (a run of several counts as one step); under
    /// the lock. False when there was nothing to give back.
    pub(crate) fn release_empty(&self, pages: usize) -> bool {
        let mut left = pages;
        let mut gained = false;
        for (class, head) in self.control.empty.iter().enumerate().take(CLASSES) {
            loop {
                let page = head.load(Ordering::Relaxed);
                if page == 0 {
                    break;
                }
                if left == 0 || !self.release_unit(page, class) {
                    return gained;
                }
                gained = true;
                left = left.saturating_sub(unit_pages(class));
            }
        }
        gained
    }

    /// Makes a run of pages with free blocks and puts it on the class's list.
    fn commit_unit(&self, class: usize, limit: usize) -> Option<()> {
        let pages = unit_pages(class);
        if self.used_bytes() + pages * PAGE_BYTES > limit {
            return None;
        }
        if self.control.spare.get(class)?.load(Ordering::Relaxed) == 0 {
            self.hand_out_extent(class, limit)?;
        }
        let page = self.control.spare.get(class)?.load(Ordering::Relaxed);
        let desc = self.desc(page)?;
        self.leave_list(page, class);
        desc.used.store(0, Ordering::Relaxed);
        desc.state.fetch_or(COMMITTED, Ordering::Relaxed);
        reached(KillPoint::PageCommitted);
        self.control
            .committed
            .fetch_add(pages as u32, Ordering::Relaxed);
        self.enter_list(page, class, LIST_PARTIAL);
        Some(())
    }

    /// Gives the memory of an empty run of pages back, for other sizes.
    fn release_unit(&self, page: u32, class: usize) -> bool {
        let pages = unit_pages(class);
        let offset = self.offset + page as usize * PAGE_BYTES;
        // From a process that locked its memory the kernel takes none back. Nor need it: all of the region is
        // memory then, and it matters alone that pages of other sizes may come into use in place of these.
        self.region.discard(offset, pages * PAGE_BYTES);
        reached(KillPoint::PageDiscarded);
        let Some(desc) = self.desc(page) else {
            return false;
        };
        self.leave_list(page, class);
        desc.state.fetch_and(!COMMITTED, Ordering::Relaxed);
        reached(KillPoint::PageUncommitted);
        self.control
            .committed
            .fetch_sub(pages as u32, Ordering::Relaxed);
        self.enter_list(page, class, LIST_SPARE);
        true
    }

    /// Gives 16 pages of address space to a class, for ever.
    fn hand_out_extent(&self, class: usize, limit: usize) -> Option<()> {
        let extent = self.extent_end();
        let first = extent as usize * EXTENT_PAGES;
        let pages = unit_pages(class);
        if !self.may_have_extent(class)
            || self.used_bytes() + Self::desc_bytes(2 * EXTENT_PAGES) + pages * PAGE_BYTES > limit
        {
            return None;
        }
        for page in first..first + EXTENT_PAGES {
            self.descs
                .get(page)?
                .class
                .store(class as u32 + 1, Ordering::Relaxed);
            reached(KillPoint::ExtentHalfHandedOut);
        }
        self.control
            .next_extent
            .store(extent + 1, Ordering::Relaxed);
        if let Some(count) = self.control.extents.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.spare_extent(extent, class);
        Some(())
    }

    /// True while there is address space for another extent of a class: what is left, less what other classes
    /// have not had yet of their shares.
    fn may_have_extent(&self, class: usize) -> bool {
        let total = (self.descs.len() / EXTENT_PAGES) as u32;
        let share = self.share();
        let owed: u32 = self
            .control
            .extents
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != class)
            .map(|(_, count)| share.saturating_sub(count.load(Ordering::Relaxed)))
            .sum();
        let left = total.saturating_sub(self.extent_end());
        let own = self
            .control
            .extents
            .get(class)
            .map_or(0, |count| count.load(Ordering::Relaxed));
        left > 0 && (own < share || left > owed)
    }

    /// Extents of address space that no other class can take from a class.
    fn share(&self) -> u32 {
        (self.descs.len() / EXTENT_PAGES / (SHARES + CLASSES)).max(1) as u32
    }

    /// Puts the uncommitted units of an extent on the spare list.
    fn spare_extent(&self, extent: u32, class: usize) {
        let first = extent as usize * EXTENT_PAGES;
        let pages = unit_pages(class);
        // From the last to the first, so that they are used in address order.
        for unit in (0..EXTENT_PAGES / pages).rev() {
            let page = (first + unit * pages) as u32;
            let state = self
                .desc(page)
                .map_or(COMMITTED, |d| d.state.load(Ordering::Relaxed));
            if state & (COMMITTED | LIST_MASK) == 0 {
                self.enter_list(page, class, LIST_SPARE);
            }
        }
    }
}
