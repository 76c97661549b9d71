//! `struct dns_srv_handle` in the memory of its caller.
//!
//! The handle belongs to the caller: one reference for each of its pointers. A search works on the handle
//! where it is, for a counted reference is a pointer. So at any moment each pointer is owned once, also when a
//! defect ends the search early. Of a handle that has its position in two pieces a copy is worked on, and put
//! back. Nothing is read or written but what the layout of the caller has.
#![allow(unsafe_code, reason = "memory of C")]

use std::mem::{ManuallyDrop, MaybeUninit, offset_of};
use std::ptr::{copy, copy_nonoverlapping};

use super::types::dns_srv_handle;
use crate::cache::EntryRef;
use crate::select::Position;
use crate::select::cursor::Layout;

/// The place of a handle's NAPTR entry, if there is one.
pub(crate) type NaptrPlace<'a> = Option<&'a mut Option<EntryRef>>;

/// A part of a handle.
///
/// # Safety
/// `h` points to a handle that has a part of type `T` at the offset.
#[inline(always)]
unsafe fn part<T>(h: *mut dns_srv_handle, offset: u8) -> *mut T {
    // SAFETY: inside the handle by contract.
    unsafe { h.cast::<u8>().add(usize::from(offset)) }.cast()
}

/// The parts of a handle whose position is in one piece.
///
/// # Safety
/// `h` points to an initialised handle of such a layout, which nobody else uses during `'a`.
#[inline(always)]
pub(crate) unsafe fn in_place<'a>(
    h: *mut dns_srv_handle,
    layout: &Layout,
) -> (&'a mut Position, NaptrPlace<'a>) {
    // SAFETY: where the layout has the pointers, and behind them the numbers.
    let position = unsafe { part::<Position>(h, layout.pointers) };
    // SAFETY: as above, of an initialised handle.
    let position = unsafe { &mut *position };
    // SAFETY: the contract is the caller's; no part overlaps another.
    (position, unsafe { naptr_place(h, layout) })
}

/// # Safety
/// `h` points to an initialised handle of that layout, whose pointer to a NAPTR entry nobody else uses during
/// `'a`.
#[inline(always)]
unsafe fn naptr_place<'a>(h: *mut dns_srv_handle, layout: &Layout) -> NaptrPlace<'a> {
    let offset = layout.naptr?;
    // SAFETY: where the layout has it.
    let place = unsafe { part::<Option<EntryRef>>(h, offset) };
    // SAFETY: a pointer of an initialised handle: NULL, or it owns a reference.
    Some(unsafe { &mut *place })
}

/// Copies the position out of a handle.
///
/// # Safety
/// `h` points to an initialised handle of that layout. The references still belong to it.
#[inline(always)]
unsafe fn gather(h: *const dns_srv_handle, layout: &Layout) -> ManuallyDrop<Position> {
    let mut position = MaybeUninit::<Position>::uninit();
    let to = position.as_mut_ptr().cast::<u8>();
    // SAFETY: where the layout has them.
    let pointers = unsafe { part::<u8>(h.cast_mut(), layout.pointers) };
    // SAFETY: a position begins with its pointers.
    unsafe { copy_nonoverlapping(pointers, to, Position::POINTERS) };
    // SAFETY: where the layout has them.
    let numbers = unsafe { part::<u8>(h.cast_mut(), layout.numbers) };
    // SAFETY: inside the position.
    let to = unsafe { to.add(Position::POINTERS) };
    // SAFETY: the rest of the position.
    unsafe { copy_nonoverlapping(numbers, to, Position::NUMBERS) };
    // SAFETY: both parts of it were written.
    ManuallyDrop::new(unsafe { position.assume_init() })
}

/// Puts a position into a handle, over the one that is there.
///
/// # Safety
/// `h` points to a writable handle of that layout; the references belong to it from here on.
#[inline(always)]
unsafe fn scatter(position: &Position, h: *mut dns_srv_handle, layout: &Layout) {
    let from = std::ptr::from_ref(position).cast::<u8>();
    // SAFETY: where the layout has them.
    let pointers = unsafe { part::<u8>(h, layout.pointers) };
    // SAFETY: a position begins with its pointers.
    unsafe { copy_nonoverlapping(from, pointers, Position::POINTERS) };
    // SAFETY: inside the position.
    let from = unsafe { from.add(Position::POINTERS) };
    // SAFETY: where the layout has them.
    let numbers = unsafe { part::<u8>(h, layout.numbers) };
    // SAFETY: the rest of the position.
    unsafe { copy_nonoverlapping(from, numbers, Position::NUMBERS) };
}

/// A handle of the library's own, with the position in one piece.
#[repr(C)]
struct Whole {
    naptr: ManuallyDrop<Option<EntryRef>>,
    at: ManuallyDrop<Position>,
}

/// The layout of the handle that [`with_whole`] gives.
pub(crate) static WHOLE: Layout = Layout {
    size: size_of::<Whole>() as u8,
    naptr: Some(offset_of!(Whole, naptr) as u8),
    pointers: offset_of!(Whole, at) as u8,
    naptr_count: None,
    numbers: (offset_of!(Whole, at) + Position::POINTERS) as u8,
};

impl Whole {
    /// Stands for a handle that has its position in two pieces. The references are here until the position is put back;
    /// nobody looks at the handle meanwhile.
    ///
    /// # Safety
    /// As for [`with_position`]; the handle is not used meanwhile.
    #[inline(always)]
    unsafe fn take(h: *mut dns_srv_handle, layout: &Layout) -> Self {
        let naptr = layout.naptr.and_then(|offset| {
            // SAFETY: where the layout has it.
            let place = unsafe { part::<Option<EntryRef>>(h, offset) };
            // SAFETY: a pointer of an initialised handle: NULL, or it owns a reference, which is taken over.
            unsafe { place.read() }
        });
        Self {
            naptr: ManuallyDrop::new(naptr),
            // SAFETY: the contract is the caller's.
            at: unsafe { gather(h, layout) },
        }
    }
}

/// Puts a [`Whole`] back into its handle at the end of a step, also when that is a panic.
struct PutBack<'a> {
    whole: *mut Whole,
    h: *mut dns_srv_handle,
    layout: &'a Layout,
}

impl Drop for PutBack<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: a value of the function that made this one; the step is over.
        let whole = unsafe { &mut *self.whole };
        // SAFETY: the handle that it was taken from.
        unsafe { scatter(&whole.at, self.h, self.layout) };
        // SAFETY: taken once: the value is not used any more.
        let naptr = unsafe { ManuallyDrop::take(&mut whole.naptr) };
        if let Some(offset) = self.layout.naptr {
            // SAFETY: where the layout has it.
            let place = unsafe { part::<Option<EntryRef>>(self.h, offset) };
            // SAFETY: as above; what is written over was taken over.
            unsafe { place.write(naptr) };
        }
    }
}

/// Has a step work on a copy of a handle in the layout [`WHOLE`].
///
/// # Safety
/// As for [`with_position`].
#[inline(always)]
pub(crate) unsafe fn with_whole<T>(
    h: *mut dns_srv_handle,
    layout: &Layout,
    step: impl FnOnce(*mut dns_srv_handle) -> T,
) -> T {
    // SAFETY: the contract is the caller's.
    let mut whole = unsafe { Whole::take(h, layout) };
    let whole = &raw mut whole;
    let _back = PutBack { whole, h, layout };
    step(whole.cast())
}

/// Has a step work on a handle.
///
/// # Safety
/// `h` points to an initialised handle of that layout, which nobody else uses meanwhile.
pub(crate) unsafe fn with_position<T>(
    h: *mut dns_srv_handle,
    layout: &Layout,
    step: impl FnOnce(&mut Position, NaptrPlace<'_>) -> T,
) -> T {
    if layout.is_in_one_piece() {
        // SAFETY: the contract is the caller's.
        let (position, naptr) = unsafe { in_place(h, layout) };
        return step(position, naptr);
    }
    let on_copy = |copy| {
        // SAFETY: a handle of that layout, this function's alone.
        let (position, naptr) = unsafe { in_place(copy, &WHOLE) };
        step(position, naptr)
    };
    // SAFETY: the contract is the caller's.
    unsafe { with_whole(h, layout, on_copy) }
}

/// Makes memory an empty handle.
///
/// # Safety
/// `h` points to writable memory of that layout.
pub(crate) unsafe fn clear(h: *mut dns_srv_handle, layout: &Layout) {
    // SAFETY: as many octets as the caller's handle has; all members may be zero.
    unsafe { h.cast::<u8>().write_bytes(0, usize::from(layout.size)) };
}

/// Drops the references of a handle and clears its pointers.
///
/// # Safety
/// As for [`with_position`].
pub(crate) unsafe fn put_all(h: *mut dns_srv_handle, layout: &Layout) {
    let put = |position: &mut Position, naptr: NaptrPlace<'_>| {
        drop(position.srv.take());
        drop(position.a.take());
        drop(naptr.and_then(Option::take));
    };
    // SAFETY: the contract is the caller's.
    unsafe { with_position(h, layout, put) };
}

/// Counts one more reference for each pointer of a handle.
///
/// # Safety
/// `h` points to an initialised handle of that layout, which nobody changes meanwhile.
pub(crate) unsafe fn reference(h: *const dns_srv_handle, layout: &Layout) {
    // SAFETY: the contract is the caller's; the references stay the handle's.
    let position = unsafe { gather(h, layout) };
    let naptr = layout.naptr.and_then(|offset| {
        // SAFETY: where the layout has it.
        let naptr = unsafe { part::<Option<EntryRef>>(h.cast_mut(), offset) };
        // SAFETY: a pointer of an initialised handle; it is only read.
        unsafe { &*naptr }.as_ref()
    });
    for entry in [naptr, position.srv.as_ref(), position.a.as_ref()] {
        let _counted = entry.map(|entry| entry.clone().into_raw());
    }
}

/// Copies a handle, without counting.
///
/// # Safety
/// `src` points to an initialised handle of that layout, `dst` to writable memory of it.
pub(crate) unsafe fn duplicate(
    dst: *mut dns_srv_handle,
    src: *const dns_srv_handle,
    layout: &Layout,
) {
    let (dst, src) = (dst.cast::<u8>(), src.cast::<u8>());
    // SAFETY: as many octets as the caller's handles have; they may be the same.
    unsafe { copy(src, dst, usize::from(layout.size)) };
}
