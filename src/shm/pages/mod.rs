//! The allocator: pages of equal blocks, in a region that is somewhat larger than the memory in use.
//!
//! Address space is handed out in extents of 16 pages, and an extent keeps its block size for ever.
//! So the word at a block's reference offset is a reference word for all time (or zero, in pages
//! that were given back), and a late reader may always compare-and-swap it. Memory, as opposed to
//! address space, is accounted and given back page by page.
//!
//! Only the holder of the writer lock allocates and frees. A holder elsewhere whose last reference
//! goes merely leaves the block's word at zero and drops a hint in a small ring; the next writer finds
//! it there, or, when the ring overflowed, by sweeping.
//!
//! No call under the lock does more than a bounded amount of work: memory goes back to the kernel a few
//! pages at a time, sweeps go a few extents at a time, and both say what is left to do.
#![allow(unsafe_code, reason = "marks its types as fit for shared memory")]

mod alloc;
#[cfg(feature = "fault_injection")]
mod audit;
mod hints;
mod lists;
mod rebuild;
#[cfg(all(test, not(loom)))]
mod tests;
mod visit;

#[cfg(all(test, not(loom)))]
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
const SMALL_STEP_MAX: usize = 176;
const SMALL_CLASSES: usize = (SMALL_STEP_MAX - MIN_BLOCK) / BLOCK_UNIT + 1;
/// Sizes above the 16-octet steps: whole cache lines, for these are the entries that calls hold, and the counts
/// of holders of two entries must not stand in one line; from 576 on as many as fit a page in 7, 6, .. 1
/// parts; then whole pages.
const LARGE_SIZES: [usize; 20] = [
    192, 256, 320, 384, 448, 512, 576, 640, 768, 1024, 1344, 2048, 4096, 8192, 12288, 16384, 24576,
    32768, 49152, 65536,
];
/// Number of block sizes.
pub(crate) const CLASSES: usize = SMALL_CLASSES + LARGE_SIZES.len();
const HINTS: usize = 256;
/// Each class has address space for one part in so many of the memory to itself, and for one extent at least.
const SHARES: usize = 128;

/// Number of a block: its octet offset in the page area divided by [`BLOCK_UNIT`]; never 0.
pub(crate) type BlockId = u32;

/// The state of a page. Written under the lock.
#[repr(C)]
pub(crate) struct PageDesc {
    /// A bit for each block that is not known to be free.
    used: AtomicU64,
    /// Neighbours in the list that the page is on, as page numbers, 0 = none.
    next: AtomicU32,
    prev: AtomicU32,
    /// The number of the list (`LIST_*`) and, above, [`COMMITTED`].
    state: AtomicU32,
    /// Block size class of the extent plus 1; 0 = the extent is not handed out.
    class: AtomicU32,
}

// SAFETY: repr(C), atomics only, zero means "not handed out".
unsafe impl ShmSafe for PageDesc {}

/// On no list: all blocks are in use.
const LIST_NONE: u32 = 0;
/// Some blocks are in use, some free.
const LIST_PARTIAL: u32 = 1;
/// Address space without memory.
const LIST_SPARE: u32 = 2;
/// Memory, but no block in use.
const LIST_EMPTY: u32 = 3;
const LIST_MASK: u32 = 3;
/// The page holds memory.
const COMMITTED: u32 = 4;

/// The allocator's own variables.
#[repr(C)]
pub(crate) struct PageControl {
    next_extent: AtomicU32,
    /// Pages that hold memory.
    committed: AtomicU32,
    partial: [AtomicU32; CLASSES],
    spare: [AtomicU32; CLASSES],
    empty: [AtomicU32; CLASSES],
    /// Extents handed out to each class.
    extents: [AtomicU32; CLASSES],
    /// Where each class goes on looking for victims, page number.
    hand: [AtomicU32; CLASSES],
    hint_head: AtomicU32,
    hint_tail: AtomicU32,
    hints_lost: AtomicU32,
    /// Next extent to sweep after hints were lost.
    sweep_hand: AtomicU32,
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
    /// Pages of address space for so many octets of memory.
    ///
    /// More than the memory, for an extent keeps its size for ever: when other sizes come into use they need
    /// other extents. No size can take the share of another, so each finds room always.
    pub(crate) fn area_for(octets: usize) -> usize {
        let extents = octets.div_ceil(EXTENT_PAGES * PAGE_BYTES);
        let shares = CLASSES * extents.div_ceil(SHARES).max(1);
        // Block number 0 means none, and so the first extent is not used.
        (1 + extents + shares) * EXTENT_PAGES
    }

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

    /// All words from the start of a block on, `None` outside the area; what lies behind the block is
    /// of no meaning.
    #[inline]
    pub(crate) fn words_from(&self, block: BlockId) -> Option<&'static [AtomicU32]> {
        self.words.get(block as usize * (BLOCK_UNIT / 4)..)
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

    /// The number behind the last extent handed out.
    pub(crate) fn extent_end(&self) -> u32 {
        self.control.next_extent.load(Ordering::Relaxed).max(1)
    }

    /// The number behind the last page handed out.
    pub(crate) fn page_end(&self) -> u32 {
        self.extent_end() * EXTENT_PAGES as u32
    }

    /// Size of a block, octets; 0 for one that is not handed out.
    pub(crate) fn block_size(&self, block: BlockId) -> usize {
        self.place(block)
            .map_or(0, |(_, class, _)| class_size(class))
    }
}
