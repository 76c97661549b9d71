//! The allocator's own variables made anew, after a writer died.

use super::super::refword;
use super::{
    BLOCK_UNIT, BlockId, COMMITTED, EXTENT_PAGES, LIST_EMPTY, LIST_PARTIAL, LIST_SPARE, Ordering,
    PAGE_BYTES, Pages, blocks_per_unit, class_size, unit_pages,
};

impl Pages {
    /// Rebuilds bitmaps, lists and counts from the reference words alone; under the lock, after its
    /// holder died. `keep` decides for each block that is alive whether it may stay linked; when it says
    /// no, the link is cleared.
    pub(crate) fn rebuild(&self, mut keep: impl FnMut(BlockId) -> bool) {
        let control = self.control;
        for head in control
            .partial
            .iter()
            .chain(&control.spare)
            .chain(&control.empty)
        {
            head.store(0, Ordering::Relaxed);
        }
        for count in &control.extents {
            count.store(0, Ordering::Relaxed);
        }
        let mut committed = 0;
        for extent in (1..self.extent_end()).rev() {
            let first = extent as usize * EXTENT_PAGES;
            let Some(class) = self
                .descs
                .get(first)
                .and_then(|d| d.class.load(Ordering::Relaxed).checked_sub(1))
            else {
                continue;
            };
            let class = class as usize;
            if let Some(count) = control.extents.get(class) {
                count.fetch_add(1, Ordering::Relaxed);
            }
            for unit in (0..EXTENT_PAGES / unit_pages(class)).rev() {
                let page = (first + unit * unit_pages(class)) as u32;
                committed += self.rebuild_unit(page, class, &mut keep);
            }
        }
        control.committed.store(committed, Ordering::Relaxed);
        control
            .hint_tail
            .store(control.hint_head.load(Ordering::Relaxed), Ordering::Relaxed);
        // A block may have become free behind our back, and its hint is skipped by the line above.
        control.sweep_hand.store(0, Ordering::Relaxed);
        control.hints_lost.store(1, Ordering::Relaxed);
    }

    fn rebuild_unit(&self, page: u32, class: usize, keep: &mut impl FnMut(BlockId) -> bool) -> u32 {
        let Some(desc) = self.desc(page) else {
            return 0;
        };
        desc.next.store(0, Ordering::Relaxed);
        desc.prev.store(0, Ordering::Relaxed);
        let state = desc.state.load(Ordering::Relaxed) & COMMITTED;
        desc.state.store(state, Ordering::Relaxed);
        if state == 0 {
            self.enter_list(page, class, LIST_SPARE);
            return 0;
        }
        let mut used = 0;
        for index in 0..blocks_per_unit(class) {
            let block =
                ((page as usize * PAGE_BYTES + index * class_size(class)) / BLOCK_UNIT) as BlockId;
            let Some(word) = self.ref_word(block) else {
                continue;
            };
            if word.load(Ordering::Relaxed) & refword::LINKED != 0 && !keep(block) {
                refword::unlink(word);
            }
            if !refword::is_free(word) {
                used |= 1 << index;
            }
        }
        desc.used.store(used, Ordering::Relaxed);
        if used == 0 {
            self.enter_list(page, class, LIST_EMPTY);
        } else if (used.count_ones() as usize) < blocks_per_unit(class) {
            self.enter_list(page, class, LIST_PARTIAL);
        }
        unit_pages(class) as u32
    }
}
