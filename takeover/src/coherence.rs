//! Code that was written becomes code that is run: on arm64 the processor's caches of data and of instructions do not
//! see each other's contents by themselves. On amd64 they do.
#![allow(unsafe_code, reason = "instructions that Rust has no functions for")]

/// Has every processor run what memory holds.
///
/// # Safety
/// All of it is mapped and can be read.
#[cfg(not(target_arch = "aarch64"))]
pub(crate) unsafe fn publish(_start: usize, _length: usize) {}

/// Has every processor run what memory holds.
///
/// # Safety
/// All of it is mapped and can be read.
#[cfg(target_arch = "aarch64")]
pub(crate) unsafe fn publish(start: usize, length: usize) {
    use std::arch::asm;
    let kind: usize;
    // SAFETY: the system lets programs read the form of the caches.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) kind, options(nomem, nostack, preserves_flags)) };
    // Shortest lines, as a power of two of words of four octets.
    let (instructions, data) = (4 << (kind & 15), 4 << (kind >> 16 & 15));
    let lines = |size: usize| (start & !(size - 1)..start + length).step_by(size);
    for line in lines(data) {
        // SAFETY: the caller vouches for the memory, whose content stays.
        unsafe { asm!("dc cvau, {}", in(reg) line, options(nostack, preserves_flags)) };
    }
    // SAFETY: a barrier only waits.
    unsafe { asm!("dsb ish", options(nostack, preserves_flags)) };
    for line in lines(instructions) {
        // SAFETY: as above.
        unsafe { asm!("ic ivau, {}", in(reg) line, options(nostack, preserves_flags)) };
    }
    // SAFETY: a barrier only waits.
    unsafe { asm!("dsb ish", "isb", options(nostack, preserves_flags)) };
}
