//! Our own options inside Kamailio: the group `dns` of its configuration framework.
//!
//! The framework keeps the values of all groups in one block of shared memory and moves a pointer of each
//! process to it. Numbers are changed in place, so all processes have the new value at once; a changed text
//! comes with a new block, which a process takes over before its next message or timer tick, as it does for
//! the options of the core. Reading is one load of the pointer and one of the value.
#![allow(unsafe_code, reason = "reads a block that belongs to the host")]

use std::ffi::{c_char, c_int};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use once_cell::sync::OnceCell;

use super::{EXTRA_OPTIONS, STRING_OPTIONS};

/// Where the values lie in the block, in octets; `None` for options that the group does not have.
#[derive(Debug, Default)]
pub(crate) struct Places {
    pub(crate) numbers: [Option<usize>; EXTRA_OPTIONS],
    pub(crate) texts: [Option<usize>; STRING_OPTIONS],
}

/// The framework's counted string.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) text: *const c_char,
    pub(crate) length: c_int,
}

/// The pointer of this process to the block. The framework writes the pointer.
static BLOCK: AtomicPtr<u8> = AtomicPtr::new(null_mut());
static PLACES: OnceCell<Places> = OnceCell::new();
/// False before the group is declared, and again when the framework is about to go.
static ATTACHED: AtomicBool = AtomicBool::new(false);
/// Texts that changed since this process started.
static TEXT_CHANGES: AtomicU32 = AtomicU32::new(0);

/// The place of the framework's pointer, for the declaration.
pub(crate) fn block_pointer() -> *mut *mut u8 {
    BLOCK.as_ptr()
}

/// From now on values come from the framework.
pub(crate) fn attach(places: Places) {
    if PLACES.set(places).is_ok() {
        ATTACHED.store(true, Ordering::Relaxed);
    }
}

/// From now on values come from our own page.
#[cfg(feature = "use_dns_cache")]
pub(crate) fn detach() {
    ATTACHED.store(false, Ordering::Relaxed);
}

/// True between [`attach`] and [`detach`].
pub(crate) fn attached() -> bool {
    ATTACHED.load(Ordering::Relaxed)
}

/// Told in each process when a text changed.
pub(crate) fn text_changed() {
    TEXT_CHANGES.fetch_add(1, Ordering::Relaxed);
}

/// Changes of texts that this process has been told of.
pub(super) fn text_changes() -> u32 {
    TEXT_CHANGES.load(Ordering::Relaxed)
}

/// A value's place in the block as it is now.
fn place(offset: impl Fn(&Places) -> Option<usize>) -> Option<*const u8> {
    if !attached() {
        return None;
    }
    let offset = offset(PLACES.get()?)?;
    let block = BLOCK.load(Ordering::Relaxed);
    if block.is_null() {
        return None;
    }
    // SAFETY: the declaration gave the framework this layout, so each block is large enough.
    Some(unsafe { block.add(offset) })
}

/// A number; `None` when it does not come from the framework.
pub(super) fn number(option: usize) -> Option<u32> {
    let place = place(|places| places.numbers.get(option).copied().flatten())?;
    // SAFETY: an aligned int of the block; the framework frees a block only after this process left it.
    Some(unsafe { place.cast::<u32>().read_volatile() })
}

/// A text; `None` when it does not come from the framework.
pub(super) fn text(option: usize) -> Option<Vec<u8>> {
    let place = place(|places| places.texts.get(option).copied().flatten())?;
    // SAFETY: an aligned string of the block, see `number`.
    let counted = unsafe { place.cast::<Counted>().read_volatile() };
    let length = usize::try_from(counted.length).unwrap_or(0);
    if counted.text.is_null() || length == 0 {
        return Some(Vec::new());
    }
    // SAFETY: the string has that many octets, and is replaced, never changed in place.
    Some(unsafe { std::slice::from_raw_parts(counted.text.cast::<u8>(), length) }.to_vec())
}
