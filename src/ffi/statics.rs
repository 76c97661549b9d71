//! Exported variables of the C interface that carry data of the library.
//!
//! `dns_cache_init`, `dns_timer_interval`, `dns_flags` and `dns_func` are in [`crate::host`], which
//! uses them.
#![allow(unsafe_code, reason = "exported symbols")]
#![allow(non_upper_case_globals, reason = "names fixed by the C interface")]

use std::ptr::{null, null_mut};

#[cfg(feature = "use_dns_cache")]
use super::types::dns_lu_lst;
use super::types::{counter_def_t, counter_handle_t, dns_counters_h};

/// Numbers of the host counters, filled when they are registered.
#[unsafe(no_mangle)]
pub static mut dns_cnts_h: dns_counters_h = dns_counters_h {
    failed_dns_req: counter_handle_t { id: 0 },
    slow_dns_req: counter_handle_t { id: 0 },
};

/// The host counters of this library; the last element is all zero.
#[unsafe(no_mangle)]
pub static mut dns_cnt_defs: [counter_def_t; 3] = [
    counter_def_t {
        // SAFETY: only the address is taken.
        handle: unsafe { &raw mut dns_cnts_h.failed_dns_req },
        name: c"failed_dns_request".as_ptr(),
        flags: 0,
        get_cbk: None,
        get_cbk_param: null_mut(),
        descr: c"lookups that gave no result".as_ptr(),
    },
    counter_def_t {
        // SAFETY: only the address is taken.
        handle: unsafe { &raw mut dns_cnts_h.slow_dns_req },
        name: c"slow_dns_request".as_ptr(),
        flags: 0,
        get_cbk: None,
        get_cbk_param: null_mut(),
        descr: c"queries that took longer than dns_slow_query_ms".as_ptr(),
    },
    counter_def_t {
        handle: null_mut(),
        name: null(),
        flags: 0,
        get_cbk: None,
        get_cbk_param: null_mut(),
        descr: null(),
    },
];

/// An empty list: the cache keeps no list of recently used entries.
#[cfg(feature = "use_dns_cache")]
static mut LAST_USED: dns_lu_lst = dns_lu_lst {
    next: &raw mut LAST_USED,
    prev: &raw mut LAST_USED,
};

/// Head of the list of recently used entries; always empty, entries carry a coarse stamp instead.
#[cfg(feature = "use_dns_cache")]
#[unsafe(no_mangle)]
pub static mut dns_last_used_lst: *mut dns_lu_lst = &raw mut LAST_USED;

/// The numbers that the host gave the counters: failed, slow.
pub(crate) fn counter_ids() -> (u16, u16) {
    let place = &raw const dns_cnts_h;
    // SAFETY: a static of two plain numbers, written by the host during start-up only.
    let ids = unsafe { place.read() };
    (ids.failed_dns_req.id, ids.slow_dns_req.id)
}
