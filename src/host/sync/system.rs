//! The system's memory, which processes share.
#![allow(unsafe_code, reason = "mmap, madvise, dlsym and the like")]

use std::ffi::{CStr, c_int, c_void};
use std::ptr::NonNull;

/// Zeroed memory that children share; with `reserve` no more of it than is written to. It has no large pages unless
/// [`ask_for_large_pages`] wants them. `None` when the kernel refuses.
pub(crate) fn map(size: usize, reserve: bool) -> Option<NonNull<u8>> {
    let flags = if reserve { libc::MAP_NORESERVE } else { 0 };
    // SAFETY: an anonymous mapping at an address of the kernel's choice touches no existing memory.
    let address = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS | flags,
            -1,
            0,
        )
    };
    if address == libc::MAP_FAILED {
        return None;
    }
    // A word in a large page of 2 MiB would make memory of all of it. A kernel that has no such pages changes nothing.
    // SAFETY: advice about the mapping made above.
    unsafe { libc::madvise(address, size, libc::MADV_NOHUGEPAGE) };
    NonNull::new(address.cast())
}

/// Gives memory of whole pages back, which reads as zero afterwards; false when the system does not do it.
///
/// # Safety
/// The range lies within memory of [`map`], and nobody needs what is there.
pub(crate) unsafe fn give_back(start: NonNull<u8>, octets: usize) -> bool {
    // SAFETY: as the caller promises.
    unsafe { libc::madvise(start.as_ptr().cast(), octets, libc::MADV_REMOVE) == 0 }
}

/// Asks for large pages in a range of whole pages. Advice: a kernel that has none changes nothing.
///
/// # Safety
/// The range lies within memory of [`map`].
pub(crate) unsafe fn ask_for_large_pages(start: NonNull<u8>, octets: usize) {
    // SAFETY: as the caller promises; what the memory holds does not change.
    unsafe { libc::madvise(start.as_ptr().cast(), octets, libc::MADV_HUGEPAGE) };
}

/// Octets of a page of the kernel's.
pub(crate) fn page_octets() -> usize {
    // SAFETY: asks for a number.
    let octets = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(octets).unwrap_or(1 << 16)
}

/// Closes a descriptor.
pub(crate) fn close(descriptor: c_int) {
    // SAFETY: the caller's descriptor; async-signal-safe.
    unsafe { libc::close(descriptor) };
}

/// Has `handler` called in each child.
pub(crate) fn at_fork(handler: unsafe extern "C" fn()) -> c_int {
    // SAFETY: the handler is a plain function that stays valid for the life of the process: the library is never
    // unloaded.
    unsafe { libc::pthread_atfork(None, None, Some(handler)) }
}

/// The address of a symbol of the program; NULL where there is none.
pub(crate) fn symbol(name: &CStr) -> *mut c_void {
    // SAFETY: dlsym only reads the NUL-terminated name.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
}

/// Sets whether this thread can be cancelled, and gives what was in force.
pub(crate) fn set_cancel_state(state: c_int) -> c_int {
    let mut before = state;
    // SAFETY: writes the state that was in force into our variable; cannot fail with a state of C's.
    unsafe { pthread_setcancelstate(state, &raw mut before) };
    before
}

unsafe extern "C" {
    // The crate libc does not have it.
    fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
}
