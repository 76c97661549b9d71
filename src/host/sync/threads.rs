//! In place of the system's shared memory in a model, or under Miri, where processes are threads: memory of this
//! process, of which nothing is given back. There is no program around, no fork, and no thread is cancelled.
#![allow(unsafe_code, reason = "zeroed memory")]

use std::ffi::{CStr, c_int, c_void};
use std::ptr::NonNull;

const PAGE: usize = 4096;

/// Zeroed memory, never freed.
pub(crate) fn map(size: usize, _reserve: bool) -> Option<NonNull<u8>> {
    let layout = std::alloc::Layout::from_size_align(size.max(1), PAGE).ok()?;
    // SAFETY: of a size that is not 0.
    NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) })
}

/// Makes the words there zero in a model; else nothing, which is a system that does not do it.
///
/// # Safety
/// The range lies within memory of [`map`], and nobody needs what is there.
pub(crate) unsafe fn give_back(start: NonNull<u8>, octets: usize) -> bool {
    #[cfg(loom)]
    return super::model::empty(start.as_ptr() as usize, octets);
    #[cfg(not(loom))]
    {
        let _stays = (start, octets);
        false
    }
}

/// Memory of one process has the pages that it has.
///
/// # Safety
/// None is needed: nothing is done.
pub(crate) unsafe fn ask_for_large_pages(_start: NonNull<u8>, _octets: usize) {}

pub(crate) fn page_octets() -> usize {
    PAGE
}

pub(crate) fn close(_descriptor: c_int) {}

pub(crate) fn at_fork(_handler: unsafe extern "C" fn()) -> c_int {
    0
}

pub(crate) fn symbol(_name: &CStr) -> *mut c_void {
    std::ptr::null_mut()
}

pub(crate) fn set_cancel_state(state: c_int) -> c_int {
    state
}
