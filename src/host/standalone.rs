//! The standalone host: one page of options and counters, shared by forked processes.
#![allow(unsafe_code, reason = "marks the page as fit for shared memory")]

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use once_cell::sync::OnceCell;

use super::options::{CORE_OPTIONS, EXTRA_OPTIONS, MAX_STRING_OPTION, STRING_OPTIONS};
use super::shared::{Zeroed, map};

/// A string that one process replaces while others read: two buffers and a switch.
///
/// A writer fills the buffer that is not in use and then turns the switch, so a writer that dies
/// in between leaves the old value in place.
#[repr(C)]
pub(crate) struct SharedString {
    /// Number of replacements; the lowest bit selects the buffer in use.
    sequence: AtomicU32,
    lengths: [AtomicU32; 2],
    buffers: [[AtomicU8; MAX_STRING_OPTION]; 2],
}

impl SharedString {
    /// The value.
    pub(crate) fn load(&self) -> Vec<u8> {
        loop {
            // SYNC: pairs with the release store in `store`.
            let before = self.sequence.load(Ordering::Acquire);
            let side = (before & 1) as usize;
            let (Some(length), Some(buffer)) = (self.lengths.get(side), self.buffers.get(side))
            else {
                return Vec::new();
            };
            let length = (length.load(Ordering::Relaxed) as usize).min(MAX_STRING_OPTION);
            let value = buffer
                .iter()
                .take(length)
                .map(|o| o.load(Ordering::Relaxed))
                .collect();
            std::sync::atomic::fence(Ordering::Acquire);
            // Two replacements during the copy would have rewritten the buffer that was read.
            if self.sequence.load(Ordering::Relaxed) == before {
                return value;
            }
        }
    }

    /// Replaces the value; the caller makes sure that its length fits.
    pub(crate) fn store(&self, value: &[u8]) {
        static WRITERS: parking_lot::Mutex<()> = parking_lot::Mutex::new(());
        let _one_writer = WRITERS.lock();
        let next = self.sequence.load(Ordering::Relaxed).wrapping_add(1);
        let side = (next & 1) as usize;
        if let (Some(length), Some(buffer)) = (self.lengths.get(side), self.buffers.get(side)) {
            for (cell, octet) in buffer.iter().zip(value) {
                cell.store(*octet, Ordering::Relaxed);
            }
            length.store(value.len().min(MAX_STRING_OPTION) as u32, Ordering::Relaxed);
        }
        // SYNC: pairs with the acquire load in `load`.
        self.sequence.store(next, Ordering::Release);
    }
}

/// The shared page. All members are valid when zeroed, so the mapping needs no constructor.
#[repr(C)]
pub(crate) struct Page {
    /// Values of [`super::Opt`], laid out as the members of `struct cfg_group_core`.
    pub(crate) core: [AtomicU32; CORE_OPTIONS],
    /// Values of the library's own numeric options.
    pub(crate) extra: [AtomicU32; EXTRA_OPTIONS],
    /// Values of the library's own text options.
    pub(crate) strings: [SharedString; STRING_OPTIONS],
    /// Goes up on every change, so that processes recompute what they derive from options.
    pub(crate) generation: AtomicU32,
    /// Milliseconds that tests have moved the clock.
    pub(crate) clock_offset_ms: AtomicU64,
    pub(crate) failed_requests: AtomicU64,
    pub(crate) slow_requests: AtomicU64,
    /// Highest `dns_cache_mem` that there is room for, octets; 0 before the cache is set up.
    pub(crate) cache_ceiling: AtomicU64,
    /// Not 0 while the watchdog says that all nameservers are down.
    pub(crate) servers_down: AtomicU32,
}

// SAFETY: repr(C), atomics and arrays of atomics only.
unsafe impl Zeroed for Page {}

static PAGE: OnceCell<&'static Page> = OnceCell::new();

/// The page; mapped and filled with defaults at the first call.
///
/// Processes share it when that call came before they were forked.
pub(crate) fn page() -> &'static Page {
    PAGE.get_or_init(|| {
        let page = map();
        super::options::fill_defaults(page);
        page
    })
}
