//! The allocator: pages of equal blocks, in a region that is much larger than the memory in use.
//!
//! Address space is handed out in extents of 16 pages, and an extent keeps its block size for ever.
//! So the word at a block's reference offset is a reference word for all time (or zero, in pages
//! that were given back), and a late reader may always compare-and-swap it. Memory, as opposed to
//! address space, is accounted and given back page by page.
//!
//! Only the holder of the writer lock allocates and frees. A holder elsewhere whose last reference
//! goes merely leaves the block's word at zero and drops a hint in a small ring; the next writer finds
//! it there, or, when the ring overflowed, by sweeping.
#![allow(unsafe_code, reason = "marks its types as fit for shared memory")]

use super::refword;
use super::region::{PAGE_BYTES, Region, ShmSafe};
use super::sync::{AtomicU32, AtomicU64, Ordering};

/// Unit of block numbers and alignment of blocks, in octets.
pub(crate) const BLOCK_UNIT: usize = 16;
/// Smallest block.
pub(crate) const MIN_BLOCK: usize = 64;
/// Largest block.
pub(crate) const MAX_BLOCK: usize = EXTENT_PAGES * PAGE_BYTES;

const EXTENT_PAGES: usize = 16;
const SMALL_STEP_MAX: usize = 512;
const SMALL_CLASSES: usize = (SMALL_STEP_MAX - MIN_BLOCK) / BLOCK_UNIT + 1;
/// Sizes above the 16-octet steps: as many as fit a page in 7, 6, .. 1 parts, then whole pages.
const LARGE_SIZES: [usize; 14] = [
    576, 672, 816, 1024, 1360, 2048, 4096, 8192, 12288, 16384, 24576, 32768, 49152, 65536,
];
/// Number of block sizes.
pub(crate) const CLASSES: usize = SMALL_CLASSES + LARGE_SIZES.len();
const HINTS: usize = 256;

/// Number of a block: its octet offset in the page area divided by [`BLOCK_UNIT`]; never 0.
pub(crate) type BlockId = u32;

/// What is known about a page. Written under the lock.
#[repr(C)]
pub(crate) struct PageDesc {
    /// One bit a block that is not known to be free.
    used: AtomicU64,
    /// Neighbours in the list that the page is on, as page numbers, 0 = none.
    next: AtomicU32,
    prev: AtomicU32,
    /// Which list ([`LIST_NONE`], [`LIST_PARTIAL`], [`LIST_SPARE`]) and, above, 1 when committed.
    state: AtomicU32,
    /// Block size class of the extent plus 1; 0 = the extent is not handed out.
    class: AtomicU32,
}

// SAFETY: repr(C), atomics only, zero means "not handed out".
unsafe impl ShmSafe for PageDesc {}

const LIST_NONE: u32 = 0;
const LIST_PARTIAL: u32 = 1;
const LIST_SPARE: u32 = 2;
const LIST_MASK: u32 = 3;
const COMMITTED: u32 = 4;

/// The allocator's own variables.
#[repr(C)]
pub(crate) struct PageControl {
    next_extent: AtomicU32,
    /// Pages that hold memory.
    committed: AtomicU32,
    partial: [AtomicU32; CLASSES],
    spare: [AtomicU32; CLASSES],
    /// Where each class goes on looking for victims, page number.
    hand: [AtomicU32; CLASSES],
    hint_head: AtomicU32,
    hint_tail: AtomicU32,
    hints_lost: AtomicU32,
    hints: [AtomicU32; HINTS],
}

// SAFETY: repr(C), atomics only, zero means "empty".
unsafe impl ShmSafe for PageControl {}

/// Access to the page area.
#[derive(Clone, Copy)]
pub(crate) struct Pages {
    region: Region,
    offset: usize,
    control: &'static PageControl,
    descs: &'static [PageDesc],
    words: &'static [AtomicU32],
    ref_offset: usize,
}

/// The size class that holds `size` octets; `None` when it is too large.
#[inline]
pub(crate) fn class_of(size: usize) -> Option<usize> {
    if size <= SMALL_STEP_MAX {
        return Some(size.max(MIN_BLOCK).div_ceil(BLOCK_UNIT) - MIN_BLOCK / BLOCK_UNIT);
    }
    LARGE_SIZES
        .iter()
        .position(|&large| size <= large)
        .map(|index| SMALL_CLASSES + index)
}

/// Size of a class's blocks, octets.
pub(crate) fn class_size(class: usize) -> usize {
    match class.checked_sub(SMALL_CLASSES) {
        None => MIN_BLOCK + class * BLOCK_UNIT,
        Some(index) => LARGE_SIZES.get(index).copied().unwrap_or(MAX_BLOCK),
    }
}

/// Pages in the run that holds one group of blocks: 1 for small blocks, the block's own for large.
fn unit_pages(class: usize) -> usize {
    class_size(class).div_ceil(PAGE_BYTES)
}

fn blocks_per_unit(class: usize) -> usize {
    (PAGE_BYTES / class_size(class)).max(1)
}

impl Pages {
    /// Octets of descriptors that an area of `pages` pages needs.
    pub(crate) fn desc_bytes(pages: usize) -> usize {
        pages * size_of::<PageDesc>()
    }

    /// Makes the access to an area of `pages` pages at `offset`, with descriptors at `desc_offset`.
    ///
    /// `ref_offset` is the octet offset of the reference word in each block.
    pub(crate) fn new(
        region: Region,
        control: &'static PageControl,
        desc_offset: usize,
        offset: usize,
        pages: usize,
        ref_offset: usize,
    ) -> Self {
        Self {
            region,
            offset,
            control,
            descs: region.slice(desc_offset, pages),
            words: region.slice(offset, pages * PAGE_BYTES / 4),
            ref_offset,
        }
    }

    /// A 32-bit word of a block, by octet offset. Any block number is safe; one that was never valid
    /// gives `None` or a word of no meaning.
    #[inline]
    pub(crate) fn word(&self, block: BlockId, offset: usize) -> Option<&'static AtomicU32> {
        self.words.get((block as usize * BLOCK_UNIT + offset) / 4)
    }

    /// Words of a block from an octet offset on.
    #[inline]
    pub(crate) fn words(
        &self,
        block: BlockId,
        offset: usize,
        count: usize,
    ) -> &'static [AtomicU32] {
        let start = (block as usize * BLOCK_UNIT + offset) / 4;
        self.words.get(start..start + count).unwrap_or(&[])
    }

    /// All words from the start of a block on; what lies behind the block is of no meaning.
    #[inline]
    pub(crate) fn words_from(&self, block: BlockId) -> &'static [AtomicU32] {
        self.words
            .get(block as usize * (BLOCK_UNIT / 4)..)
            .unwrap_or(&[])
    }

    /// The reference word of a block.
    #[inline]
    pub(crate) fn ref_word(&self, block: BlockId) -> Option<&'static AtomicU32> {
        self.word(block, self.ref_offset)
    }

    /// Address of a block.
    pub(crate) fn address(&self, block: BlockId) -> std::ptr::NonNull<u8> {
        self.region
            .address(self.offset + block as usize * BLOCK_UNIT)
    }

    /// Number of the block at an address, if the address lies in the page area.
    pub(crate) fn block_at(&self, address: usize) -> Option<BlockId> {
        let offset = self.region.offset_of(address)?.checked_sub(self.offset)?;
        u32::try_from(offset / BLOCK_UNIT)
            .ok()
            .filter(|&id| id != 0)
    }

    /// Octets of memory in use: committed pages and the descriptors of all extents handed out.
    pub(crate) fn used_bytes(&self) -> usize {
        let extents = self.control.next_extent.load(Ordering::Relaxed) as usize;
        self.control.committed.load(Ordering::Relaxed) as usize * PAGE_BYTES
            + Self::desc_bytes(extents * EXTENT_PAGES)
    }

    /// Tells the next writer that a block became free. Any process, no lock.
    pub(crate) fn hint_freed(&self, block: BlockId) {
        let head = self.control.hint_head.fetch_add(1, Ordering::Relaxed);
        if let Some(cell) = self.control.hints.get(head as usize % HINTS) {
            cell.store(block, Ordering::Release);
        }
    }

    fn desc(&self, page: u32) -> Option<&'static PageDesc> {
        self.descs.get(page as usize)
    }

    /// Page and bit of a block.
    fn place(&self, block: BlockId) -> Option<(u32, usize, u64)> {
        let offset = block as usize * BLOCK_UNIT;
        let page = offset / PAGE_BYTES;
        let class = self
            .descs
            .get(page)?
            .class
            .load(Ordering::Relaxed)
            .checked_sub(1)? as usize;
        let index = (offset % PAGE_BYTES) / class_size(class);
        (index < 64).then_some((page as u32, class, 1 << index))
    }

    /// Allocates a block whose memory fits under `limit` octets in use; under the lock.
    pub(crate) fn allocate(&self, class: usize, limit: usize) -> Option<BlockId> {
        self.take_hints();
        if self.control.partial.get(class)?.load(Ordering::Relaxed) == 0 {
            self.commit_unit(class, limit)?;
        }
        let page = self.control.partial.get(class)?.load(Ordering::Relaxed);
        let desc = self.desc(page)?;
        let used = desc.used.load(Ordering::Relaxed);
        let index = used.trailing_ones() as usize;
        let block = (page as usize * PAGE_BYTES + index * class_size(class)) / BLOCK_UNIT;
        let used = used | 1 << index;
        desc.used.store(used, Ordering::Relaxed);
        if used.count_ones() as usize == blocks_per_unit(class) {
            self.leave_list(page, class);
        }
        Some(block as BlockId)
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
        if desc.state.load(Ordering::Relaxed) & LIST_MASK == LIST_NONE {
            self.enter_list(page, class, LIST_PARTIAL);
        }
        // One empty page a class is kept, so that a single entry that comes and goes does not cost
        // a system call each time.
        let only_page =
            desc.next.load(Ordering::Relaxed) == 0 && desc.prev.load(Ordering::Relaxed) == 0;
        if used == 0 && !only_page {
            self.release_unit(page, class);
        }
    }

    /// Gives all empty pages back; under the lock. True when that gained memory.
    pub(crate) fn release_empty(&self) -> bool {
        let mut gained = false;
        for class in 0..CLASSES {
            let Some(head) = self.control.partial.get(class) else {
                continue;
            };
            let mut page = head.load(Ordering::Relaxed);
            while page != 0 {
                let Some(desc) = self.desc(page) else { break };
                let next = desc.next.load(Ordering::Relaxed);
                if desc.used.load(Ordering::Relaxed) == 0 {
                    gained |= self.release_unit(page, class);
                }
                page = next;
            }
        }
        gained
    }

    /// Frees the blocks that holders elsewhere let go of; under the lock.
    pub(crate) fn take_hints(&self) {
        let control = self.control;
        let head = control.hint_head.load(Ordering::Relaxed);
        let mut tail = control.hint_tail.load(Ordering::Relaxed);
        if head == tail {
            return;
        }
        if head.wrapping_sub(tail) as usize > HINTS {
            control.hints_lost.store(1, Ordering::Relaxed);
            tail = head.wrapping_sub(HINTS as u32);
        }
        while tail != head {
            if let Some(cell) = control.hints.get(tail as usize % HINTS) {
                self.free(cell.load(Ordering::Acquire));
            }
            tail = tail.wrapping_add(1);
        }
        control.hint_tail.store(tail, Ordering::Relaxed);
    }

    /// Frees every block whose word is zero in the extents `from..to`; under the lock.
    pub(crate) fn sweep(&self, from: u32, to: u32) {
        for extent in from.max(1)..to.min(self.extent_end()) {
            self.for_each_block(extent, |block, _| self.free(block));
        }
    }

    /// True once after hints were lost.
    pub(crate) fn take_lost_hints(&self) -> bool {
        self.control.hints_lost.swap(0, Ordering::Relaxed) != 0
    }

    /// One past the last extent handed out.
    pub(crate) fn extent_end(&self) -> u32 {
        self.control.next_extent.load(Ordering::Relaxed).max(1)
    }

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

    /// Looks at up to `count` used blocks of one page of the class, both chosen by `draw`; at none when
    /// the page drawn is of another class. Under the lock.
    pub(crate) fn visit_some(
        &self,
        class: usize,
        draw: u32,
        count: usize,
        f: &mut impl FnMut(BlockId, &'static AtomicU32),
    ) {
        let page = (draw >> 6) % self.page_end();
        let Some(desc) = self.desc(page) else { return };
        if desc.class.load(Ordering::Relaxed) as usize != class + 1 {
            return;
        }
        let start = draw as usize & 63;
        let used = desc.used.load(Ordering::Relaxed).rotate_right(start as u32);
        let chosen = (0..64).filter(|bit| used >> bit & 1 != 0).take(count);
        for index in chosen.map(|bit| (bit + start) & 63) {
            let block = (page as usize * PAGE_BYTES + index * class_size(class)) / BLOCK_UNIT;
            if let Some(word) = self.ref_word(block as BlockId) {
                f(block as BlockId, word);
            }
        }
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

    /// One past the last page handed out.
    pub(crate) fn page_end(&self) -> u32 {
        self.extent_end() * EXTENT_PAGES as u32
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
        self.control
            .committed
            .fetch_add(pages as u32, Ordering::Relaxed);
        self.enter_list(page, class, LIST_PARTIAL);
        Some(())
    }

    /// Gives the memory of an empty run of pages back; false when the kernel keeps it.
    fn release_unit(&self, page: u32, class: usize) -> bool {
        let pages = unit_pages(class);
        let offset = self.offset + page as usize * PAGE_BYTES;
        if !self.region.discard(offset, pages * PAGE_BYTES) {
            return false;
        }
        let Some(desc) = self.desc(page) else {
            return false;
        };
        self.leave_list(page, class);
        desc.state.fetch_and(!COMMITTED, Ordering::Relaxed);
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
        if first + EXTENT_PAGES > self.descs.len()
            || self.used_bytes() + Self::desc_bytes(2 * EXTENT_PAGES) + pages * PAGE_BYTES > limit
        {
            return None;
        }
        for page in first..first + EXTENT_PAGES {
            self.descs
                .get(page)?
                .class
                .store(class as u32 + 1, Ordering::Relaxed);
        }
        self.control
            .next_extent
            .store(extent + 1, Ordering::Relaxed);
        self.spare_extent(extent, class);
        Some(())
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

    fn list_head(&self, class: usize, list: u32) -> Option<&'static AtomicU32> {
        if list == LIST_PARTIAL {
            self.control.partial.get(class)
        } else {
            self.control.spare.get(class)
        }
    }

    fn enter_list(&self, page: u32, class: usize, list: u32) {
        let (Some(head), Some(desc)) = (self.list_head(class, list), self.desc(page)) else {
            return;
        };
        let first = head.load(Ordering::Relaxed);
        desc.prev.store(0, Ordering::Relaxed);
        desc.next.store(first, Ordering::Relaxed);
        if let Some(neighbour) = self.desc(first).filter(|_| first != 0) {
            neighbour.prev.store(page, Ordering::Relaxed);
        }
        head.store(page, Ordering::Relaxed);
        let state = desc.state.load(Ordering::Relaxed) & !LIST_MASK;
        desc.state.store(state | list, Ordering::Relaxed);
    }

    fn leave_list(&self, page: u32, class: usize) {
        let Some(desc) = self.desc(page) else { return };
        let state = desc.state.load(Ordering::Relaxed);
        let list = state & LIST_MASK;
        if list == LIST_NONE {
            return;
        }
        let (prev, next) = (
            desc.prev.load(Ordering::Relaxed),
            desc.next.load(Ordering::Relaxed),
        );
        match (prev, self.list_head(class, list)) {
            (0, Some(head)) => head.store(next, Ordering::Relaxed),
            _ => {
                if let Some(neighbour) = self.desc(prev) {
                    neighbour.next.store(next, Ordering::Relaxed);
                }
            }
        }
        if let Some(neighbour) = self.desc(next).filter(|_| next != 0) {
            neighbour.prev.store(prev, Ordering::Relaxed);
        }
        desc.prev.store(0, Ordering::Relaxed);
        desc.next.store(0, Ordering::Relaxed);
        desc.state.store(state & !LIST_MASK, Ordering::Relaxed);
    }

    /// Rebuilds bitmaps, lists and counts from the reference words alone; under the lock, after its
    /// holder died. `keep` decides for each block that is alive whether it may stay linked; when it says
    /// no, the link is cleared.
    pub(crate) fn rebuild(&self, mut keep: impl FnMut(BlockId) -> bool) {
        let control = self.control;
        for head in control.partial.iter().chain(&control.spare) {
            head.store(0, Ordering::Relaxed);
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
            for unit in (0..EXTENT_PAGES / unit_pages(class)).rev() {
                let page = (first + unit * unit_pages(class)) as u32;
                committed += self.rebuild_unit(page, class, &mut keep);
            }
        }
        control.committed.store(committed, Ordering::Relaxed);
        control
            .hint_tail
            .store(control.hint_head.load(Ordering::Relaxed), Ordering::Relaxed);
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
        if (used.count_ones() as usize) < blocks_per_unit(class) {
            self.enter_list(page, class, LIST_PARTIAL);
        }
        unit_pages(class) as u32
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn pages(count: usize) -> Pages {
        let region = Region::reserve(64 * PAGE_BYTES + count * PAGE_BYTES * 2).unwrap();
        let control: &'static [PageControl] = region.slice(0, 1);
        let desc_offset = 8 * PAGE_BYTES;
        let offset = (desc_offset + Pages::desc_bytes(count)).next_multiple_of(PAGE_BYTES);
        Pages::new(region, &control[0], desc_offset, offset, count, 40)
    }

    fn take(pages: &Pages, size: usize, limit: usize) -> Option<BlockId> {
        let block = pages.allocate(class_of(size)?, limit)?;
        refword::publish(pages.ref_word(block)?, false, 1);
        Some(block)
    }

    fn put(pages: &Pages, block: BlockId) {
        assert_eq!(
            refword::release(pages.ref_word(block).unwrap()),
            refword::Released::Freed
        );
        pages.hint_freed(block);
    }

    #[test]
    fn classes_cover_all_sizes() {
        for size in 1..=MAX_BLOCK {
            let class = class_of(size).unwrap();
            assert!(class_size(class) >= size && class < CLASSES);
            assert!(class == 0 || class_size(class - 1) < size.max(MIN_BLOCK));
            assert!(class_size(class).is_multiple_of(BLOCK_UNIT));
            assert!(blocks_per_unit(class) <= 64);
        }
        assert_eq!(class_of(MAX_BLOCK + 1), None);
    }

    #[test]
    fn blocks_do_not_overlap_and_memory_comes_back() {
        let pages = pages(512);
        let limit = 400 * PAGE_BYTES;
        let mut blocks = Vec::new();
        for size in [64, 96, 100, 500, 700, 3000, 5000, 20000]
            .iter()
            .cycle()
            .take(200)
        {
            let block = take(&pages, *size, limit).unwrap();
            blocks.push((block as usize * BLOCK_UNIT, *size, block));
        }
        blocks.sort_unstable();
        for pair in blocks.windows(2) {
            assert!(pair[0].0 + pair[0].1 <= pair[1].0, "{pair:?}");
        }
        let full = pages.used_bytes();
        assert!(full <= limit);
        for (_, _, block) in &blocks {
            put(&pages, *block);
            pages.take_hints();
        }
        pages.release_empty();
        assert_eq!(pages.control.committed.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_limit_holds() {
        let pages = pages(512);
        let limit = 20 * PAGE_BYTES;
        let mut count = 0;
        while take(&pages, 96, limit).is_some() {
            count += 1;
            assert!(pages.used_bytes() <= limit);
        }
        assert!(count > 18 * 42, "{count}");
    }

    #[test]
    fn lost_hints_are_found_by_a_sweep() {
        let pages = pages(512);
        let blocks: Vec<_> = (0..1000)
            .map(|_| take(&pages, 64, usize::MAX).unwrap())
            .collect();
        for block in &blocks {
            put(&pages, *block);
        }
        pages.take_hints();
        assert!(pages.take_lost_hints());
        pages.sweep(0, u32::MAX);
        pages.release_empty();
        assert_eq!(pages.control.committed.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn rebuild_recovers_lists_and_counts() {
        let pages = pages(512);
        let blocks: Vec<_> = (0..300)
            .map(|_| take(&pages, 96, usize::MAX).unwrap())
            .collect();
        for block in blocks.iter().step_by(2) {
            put(&pages, *block);
        }
        let before = pages.used_bytes();
        pages.rebuild(|_| true);
        assert_eq!(pages.used_bytes(), before);
        let mut alive = 0;
        for extent in 1..pages.extent_end() {
            pages.for_each_block(extent, |_, _| alive += 1);
        }
        assert_eq!(alive, 150);
        for _ in 0..150 {
            let block = take(&pages, 96, usize::MAX).unwrap();
            assert!(blocks.iter().step_by(2).any(|b| *b == block) || !blocks.contains(&block));
        }
    }
}
