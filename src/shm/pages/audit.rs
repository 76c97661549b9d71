//! Counts everything anew and compares, for tests.

use super::{
    BLOCK_UNIT, BlockId, CLASSES, COMMITTED, EXTENT_PAGES, LIST_EMPTY, LIST_MASK, LIST_NONE,
    LIST_PARTIAL, LIST_SPARE, Ordering, PAGE_BYTES, Pages, blocks_per_unit, class_size, unit_pages,
};

impl Pages {
    /// The blocks that are alive, with their reference words, when all books agree with them; under
    /// the lock, when nothing has freed a block since the last sweep but, if `late_releases`, holders.
    pub(crate) fn audit(&self, late_releases: bool) -> Result<Vec<(BlockId, u32)>, String> {
        let mut alive = Vec::new();
        let mut committed = 0;
        let mut on_list = [[0_usize; 4]; CLASSES];
        let mut extents = [0; CLASSES];
        for extent in 1..self.extent_end() {
            let first = extent as usize * EXTENT_PAGES;
            let class_at = |page: usize| {
                self.desc(page as u32)
                    .map_or(0, |d| d.class.load(Ordering::Relaxed))
            };
            let Some(class) = class_at(first).checked_sub(1) else {
                return Err(format!("extent {extent} has no size"));
            };
            let class = class as usize;
            extents[class] += 1;
            if (first..first + EXTENT_PAGES).any(|page| class_at(page) as usize != class + 1) {
                return Err(format!("extent {extent} has several sizes"));
            }
            for unit in 0..EXTENT_PAGES / unit_pages(class) {
                let page = (first + unit * unit_pages(class)) as u32;
                let state = self.audit_unit(page, class, late_releases, &mut alive)?;
                if state & COMMITTED != 0 {
                    committed += unit_pages(class);
                }
                on_list[class][(state & LIST_MASK) as usize] += 1;
            }
        }
        let counted = self.control.committed.load(Ordering::Relaxed) as usize;
        if counted != committed {
            return Err(format!("{counted} pages counted, {committed} hold memory"));
        }
        for (class, (expected, count)) in extents.iter().zip(&self.control.extents).enumerate() {
            let count = count.load(Ordering::Relaxed);
            if count != *expected {
                return Err(format!(
                    "class {class}: {count} extents, {expected} expected"
                ));
            }
        }
        for (class, expected) in on_list.iter().enumerate() {
            for list in [LIST_PARTIAL, LIST_SPARE, LIST_EMPTY] {
                self.audit_list(class, list, expected[list as usize])?;
            }
        }
        Ok(alive)
    }

    fn audit_unit(
        &self,
        page: u32,
        class: usize,
        late_releases: bool,
        alive: &mut Vec<(BlockId, u32)>,
    ) -> Result<u32, String> {
        let Some(desc) = self.desc(page) else {
            return Err(format!("page {page} does not exist"));
        };
        let state = desc.state.load(Ordering::Relaxed);
        let used = desc.used.load(Ordering::Relaxed);
        let blocks = blocks_per_unit(class);
        let list = match (state & COMMITTED != 0, used.count_ones() as usize) {
            (false, _) => LIST_SPARE,
            (true, 0) => LIST_EMPTY,
            (true, count) if count == blocks => LIST_NONE,
            (true, _) => LIST_PARTIAL,
        };
        if state & LIST_MASK != list {
            return Err(format!(
                "page {page}: state {state}, used {used:x}, list {list} expected"
            ));
        }
        if state & COMMITTED == 0 {
            return Ok(state);
        }
        if blocks < 64 && used >> blocks != 0 {
            return Err(format!("page {page}: used {used:x} of {blocks} blocks"));
        }
        for index in 0..blocks {
            let block = (page as usize * PAGE_BYTES + index * class_size(class)) / BLOCK_UNIT;
            let word = self
                .ref_word(block as BlockId)
                .map_or(0, |word| word.load(Ordering::Relaxed));
            let marked = used >> index & 1 != 0;
            if word != 0 && !marked || word == 0 && marked && !late_releases {
                return Err(format!(
                    "block {block}: word {word:x}, marked as used: {marked}"
                ));
            }
            if word != 0 {
                alive.push((block as BlockId, word));
            }
        }
        Ok(state)
    }

    fn audit_list(&self, class: usize, list: u32, expected: usize) -> Result<(), String> {
        let control = self.control;
        let heads = match list {
            LIST_PARTIAL => &control.partial,
            LIST_EMPTY => &control.empty,
            _ => &control.spare,
        };
        let mut page = heads[class].load(Ordering::Relaxed);
        let (mut before, mut count) = (0, 0);
        while page != 0 {
            let Some(desc) = self.desc(page) else {
                return Err(format!("list {list} of class {class} leads to page {page}"));
            };
            if desc.prev.load(Ordering::Relaxed) != before
                || desc.state.load(Ordering::Relaxed) & LIST_MASK != list
                || desc.class.load(Ordering::Relaxed) as usize != class + 1
                || count > expected
            {
                return Err(format!(
                    "list {list} of class {class} is broken at page {page}"
                ));
            }
            count += 1;
            before = page;
            page = desc.next.load(Ordering::Relaxed);
        }
        if count != expected {
            return Err(format!(
                "list {list} of class {class}: {count} of {expected} pages"
            ));
        }
        Ok(())
    }

    /// Takes away the holders' part of every reference word, but for blocks that are set aside, which `lasts` names;
    /// under the lock, when no holder lives.
    pub(crate) fn forget_holders(&self, lasts: impl Fn(BlockId) -> bool) {
        for extent in 1..self.extent_end() {
            self.for_each_block(extent, |block, word| {
                word.fetch_and(super::super::refword::LINKED, Ordering::AcqRel);
                if lasts(block) {
                    word.store(super::super::refword::SET_ASIDE, Ordering::Release);
                } else {
                    self.free(block);
                }
            });
        }
    }
}
