//! The standalone host: one page of options and counters, shared by forked processes.
#![allow(unsafe_code, reason = "marks the page as fit for shared memory")]

use std::sync::atomic::{AtomicU32, AtomicU64};

use once_cell::sync::OnceCell;

use super::options::{CORE_OPTIONS, EXTRA_OPTIONS, STRING_OPTIONS, SharedText};
use super::shared::{Zeroed, map};

/// The shared page. All members are valid when zeroed, so the mapping needs no constructor.
#[repr(C)]
pub(crate) struct Page {
    /// Values of [`super::options::Opt`], laid out as the members of `struct cfg_group_core`.
    pub(crate) core: [AtomicU32; CORE_OPTIONS],
    /// Values of the library's own numeric options.
    pub(crate) extra: [AtomicU32; EXTRA_OPTIONS],
    /// Values of the library's own text options.
    pub(crate) strings: [SharedText; STRING_OPTIONS],
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
