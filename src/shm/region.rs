//! The region: one mapping, shared with all children.
//!
//! The region is used page by page; pages that are given back read as zero. The mapping is anonymous, so nothing but
//! the process tree can map it, no descriptor has to stay open, and no process can make it shorter under another. The
//! region stays mapped until the process ends.
//!
//! `mlockall()` makes all of it real memory at once, and limits on locked memory and address space count all of it,
//! used or not: the caller keeps the size close to the memory that was asked for.
#![allow(unsafe_code, reason = "mmap and madvise")]

use std::ptr::NonNull;

use super::sync::{AtomicU32, AtomicU64, Ordering, system};

/// Size of a page as this code uses it.
pub(crate) const PAGE_BYTES: usize = 4096;
/// For this much memory, and more, a large page, 2 MiB where a page has 4 KiB, is a small part of it.
const LEAST_FOR_LARGE_PAGES: usize = 32 << 20;

/// Shared memory that lives as long as the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region {
    base: NonNull<u8>,
    size: usize,
    /// Octets of a page as the kernel has them: on arm64 up to 16 of ours.
    kernel_page: usize,
    /// Memory that is given back reads as zero: some emulators say that they did it, and leave it as it was.
    gives_back: bool,
}

// SAFETY: a Region is an address and a size of memory that is never unmapped; what lies there is
// accessed through atomics only.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

/// Types that may lie in shared memory: no pointers into private memory, valid when all bytes are
/// zero, changed only through atomics.
///
/// # Safety
/// The type is `repr(C)`, consists of atomics (or types for which the same holds), and its all-zero
/// bit pattern is valid.
pub(crate) unsafe trait ShmSafe {}

impl Region {
    /// Reserves `size` bytes, rounded up to whole pages; `None` when the kernel refuses.
    pub(crate) fn reserve(size: usize) -> Option<Self> {
        let size = size.next_multiple_of(PAGE_BYTES);
        let mut region = Self {
            base: system::map(size, true)?,
            size,
            kernel_page: system::page_octets().max(PAGE_BYTES),
            gives_back: true,
        };
        region.gives_back = region.is_word_of_the_system_good();
        Some(region)
    }

    /// As in a process that locked its memory.
    #[cfg(all(test, not(loom), feature = "use_dns_cache"))]
    pub(crate) fn that_keeps_its_memory(self) -> Self {
        Self {
            gives_back: false,
            ..self
        }
    }

    /// Has large pages where they suit a region that was made for so much memory.
    pub(crate) fn prefer_large_pages_for(&self, asked: usize) {
        if self.suits_large_pages(asked) {
            // SAFETY: the mapping that `reserve` made.
            unsafe { system::ask_for_large_pages(self.base, self.size) };
        }
    }

    /// Large pages spare page tables, faults and time. They may also fill the region where only parts of it are in use,
    /// so that is done where the region is hardly more than `asked`, the memory that was asked for. Where pages are
    /// larger than ours a large page has 32 MiB or more.
    fn suits_large_pages(&self, asked: usize) -> bool {
        asked >= LEAST_FOR_LARGE_PAGES
            && self.size <= asked + asked / 2
            && self.kernel_page == PAGE_BYTES
    }

    /// Gives the first page back with something on it, and looks. A word of the size of that which stands there later:
    /// of words of two sizes in one place it is not defined what is seen.
    fn is_word_of_the_system_good(&self) -> bool {
        let Some(word) = self.slice::<AtomicU64>(0, 1).first() else {
            return true;
        };
        word.store(u64::MAX, Ordering::Relaxed);
        let is_done = self.discard(0, PAGE_BYTES);
        // Whether it was done or refused, the page is empty from here on.
        word.swap(0, Ordering::Relaxed) == 0 || !is_done
    }

    /// A view of `count` values of `T` at a byte offset.
    ///
    /// # Panics
    /// When the range lies outside the region or is not aligned for `T`.
    pub(crate) fn slice<T: ShmSafe>(&self, offset: usize, count: usize) -> &'static [T] {
        let bytes = count
            .checked_mul(size_of::<T>())
            .and_then(|b| b.checked_add(offset));
        assert!(
            bytes.is_some_and(|end| end <= self.size),
            "range outside the region"
        );
        // SAFETY: inside the region (checked above).
        let start = unsafe { self.base.as_ptr().add(offset) }.cast::<T>();
        assert!(start.is_aligned(), "misaligned range");
        // SAFETY: mapped for the life of the process, aligned; T is valid for any zeroed or formerly
        // written bytes and changes only through atomics (contract of ShmSafe).
        unsafe { std::slice::from_raw_parts(start, count) }
    }

    /// Address of a byte offset.
    ///
    /// # Panics
    /// When the offset lies outside the region.
    pub(crate) fn address(&self, offset: usize) -> NonNull<u8> {
        assert!(offset < self.size, "offset outside the region");
        // SAFETY: inside the region (checked above).
        unsafe { self.base.add(offset) }
    }

    /// Byte offset of an address, if it lies inside.
    pub(crate) fn offset_of(&self, address: usize) -> Option<usize> {
        address
            .checked_sub(self.base.as_ptr() as usize)
            .filter(|&offset| offset < self.size)
    }

    /// Gives the physical pages of a range back; it reads as zero afterwards, in every process.
    ///
    /// False when the system cannot do it, as in a process that locked its memory; the content is then unchanged. So it
    /// is where the kernel's pages are larger than ours, and the range is not made of whole ones: the kernel would take
    /// what lies beside.
    pub(crate) fn discard(&self, offset: usize, bytes: usize) -> bool {
        if offset + bytes > self.size || !self.gives_back {
            return false;
        }
        let start = self.address(offset);
        let is_whole = |octets: usize| octets.is_multiple_of(self.kernel_page);
        if !is_whole(start.addr().get()) || !is_whole(bytes.next_multiple_of(PAGE_BYTES)) {
            return false;
        }
        // SAFETY: the range lies inside our own mapping; the caller has made sure that nobody uses
        // what lies there (late readers see zeros, which mean "free").
        unsafe { system::give_back(start, bytes) }
    }
}

macro_rules! shm_safe {
    ($($type:ty),*) => {$(
        // SAFETY: an atomic integer: repr(C)-compatible, valid when zero, no pointers.
        unsafe impl ShmSafe for $type {}
    )*};
}
shm_safe!(AtomicU32, AtomicU64, super::sync::AtomicU8);

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn discarded_pages_read_as_zero() {
        let region = Region::reserve(1 << 20).unwrap();
        let words = region.slice::<AtomicU32>(PAGE_BYTES, 1024);
        words[7].store(5, Ordering::Relaxed);
        let is_done = region.discard(PAGE_BYTES, PAGE_BYTES);
        assert_eq!(
            words[7].load(Ordering::Relaxed),
            if is_done { 0 } else { 5 }
        );
        // Emulators of programs alone cannot.
        assert!(is_done || !crate::shm::robust::locks_outlive_owners());
    }

    #[test]
    fn large_pages_are_for_regions_not_much_larger_than_what_was_asked_for() {
        let mut region = Region::reserve(1 << 20).unwrap();
        region.kernel_page = PAGE_BYTES;
        for (size, asked, suits) in [
            (43 << 20, 32 << 20, true),
            (41 << 20, 31 << 20, false),
            (7 << 20, 500 << 10, false),
            (133 << 20, 32 << 20, false),
        ] {
            region.size = size;
            assert_eq!(region.suits_large_pages(asked), suits, "{asked} of {size}");
        }
        region.size = 43 << 20;
        region.kernel_page = 1 << 16;
        assert!(!region.suits_large_pages(32 << 20));
    }

    #[test]
    fn offsets_and_addresses_agree() {
        let region = Region::reserve(1 << 16).unwrap();
        let address = region.address(100).as_ptr() as usize;
        assert_eq!(region.offset_of(address), Some(100));
        assert_eq!(region.offset_of(8), None);
    }
}
