//! Blocks of memory that all processes forked later share: for small state that is neither option nor
//! cache.
//!
//! A block is mapped at its first use, so that use has to come before fork: `resolv_init()` and
//! `init_dns_cache()` touch every block ([`Shared::get`]). A block that is first used in a child serves that
//! child and its children alone, which is correct, only less useful.
#![allow(unsafe_code, reason = "what lies in shared memory")]

use std::sync::atomic::{AtomicU32, AtomicU64};

use once_cell::sync::OnceCell;

use super::sync::system;

/// Types that may lie in such a block.
///
/// # Safety
/// The type is `repr(C)`, consists of atomics (or types for which the same holds), holds no pointers,
/// and its all-zero bit pattern is valid.
pub(crate) unsafe trait Zeroed: Sync {}

// SAFETY: an atomic integer, 0 is valid.
unsafe impl Zeroed for AtomicU32 {}
// SAFETY: as above.
unsafe impl Zeroed for AtomicU64 {}
#[cfg(loom)]
// SAFETY: a word of the model, which is as large.
unsafe impl Zeroed for super::sync::AtomicU32 {}
#[cfg(loom)]
// SAFETY: as above.
unsafe impl Zeroed for super::sync::AtomicU64 {}
// SAFETY: an array of such types.
unsafe impl<T: Zeroed, const N: usize> Zeroed for [T; N] {}

/// Declares a struct that may lie in such a block, aligned to a cache line. Every field has to be of a type
/// that may lie there, too.
macro_rules! shared_struct {
    ($(#[$about:meta])* $see:vis struct $name:ident {
        $($(#[$note:meta])* $field:ident: $type:ty,)*
    }) => {
        $(#[$about])*
        #[repr(C, align(64))]
        $see struct $name {
            $($(#[$note])* $field: $type,)*
        }

        #[allow(unsafe_code, reason = "marks a type as fit for shared memory")]
        // SAFETY: repr(C), and every field is Zeroed, which the check below proves.
        unsafe impl $crate::host::shared::Zeroed for $name {}

        const _: () = {
            const fn is_zeroed<T: $crate::host::shared::Zeroed>() {}
            $(is_zeroed::<$type>();)*
        };
    };
}
pub(crate) use shared_struct;

/// A block, to be declared as a static.
#[derive(Debug)]
pub(crate) struct Shared<T: Zeroed + 'static> {
    place: OnceCell<&'static T>,
}

impl<T: Zeroed + 'static> Shared<T> {
    pub(crate) const fn new() -> Self {
        Self {
            place: OnceCell::new(),
        }
    }

    /// The block; all zero at the first call of the process tree.
    #[inline]
    pub(crate) fn get(&self) -> &'static T {
        self.place.get_or_init(|| {
            #[cfg(feature = "testing")]
            MAPPED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            map()
        })
    }
}

/// Blocks that this process has mapped.
#[cfg(feature = "testing")]
static MAPPED: AtomicU32 = AtomicU32::new(0);

/// How many blocks this process has mapped, for the test that all are before processes fork.
#[cfg(feature = "testing")]
#[doc(hidden)]
pub fn mapped_for_tests() -> u32 {
    MAPPED.load(std::sync::atomic::Ordering::Relaxed)
}

/// Maps zeroed memory for one `T`; memory of this process alone when the kernel refuses.
pub(crate) fn map<T: Zeroed>() -> &'static T {
    let Some(address) = system::map(size_of::<T>().max(1), false) else {
        // SAFETY: all-zero is a valid T (contract of Zeroed).
        let block: T = unsafe { std::mem::zeroed() };
        return Box::leak(Box::new(block));
    };
    // SAFETY: the mapping is page-aligned, zeroed, large enough, writable, and never unmapped; T is
    // valid when zeroed and changes only through atomics.
    unsafe { address.cast::<T>().as_ref() }
}

#[cfg(all(test, not(any(loom, miri))))]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    static BLOCK: Shared<[AtomicU64; 3]> = Shared::new();

    #[test]
    fn a_child_writes_what_its_parent_reads() {
        let block = BLOCK.get();
        // SAFETY: the child only does one atomic store and leaves.
        let child = unsafe { libc::fork() };
        if child == 0 {
            block[1].store(7, Ordering::Relaxed);
            // SAFETY: ends the child without running anything of the parent's.
            unsafe { libc::_exit(0) };
        }
        let mut status = 0;
        // SAFETY: waits for the child made above.
        let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(waited, child);
        assert_eq!(block[1].load(Ordering::Relaxed), 7);
        assert_eq!(block[0].load(Ordering::Relaxed), 0);
    }
}
