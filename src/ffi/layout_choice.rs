//! The layout of `struct dns_srv_handle` in this process.
//!
//! Callers keep the struct in their own memory, so the library has to use what they were built with; how that is
//! learnt, `host_layout` says. In a program whose structures are unknown, all functions of handles do nothing, and
//! the initialisation fails.
#![allow(unsafe_code, reason = "function pointers in an atomic")]

use std::ffi::{c_char, c_int, c_ushort, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::c_handle::WHOLE;
use super::codes::E_DNS_INTERNAL_ERR;
use super::guard::guard;
use super::handle::{Resolve, resolve_gathered, resolve_in_place};
use super::host_layout::{self, Learnt};
use super::types::{_str, dns_srv_handle, ip_addr};
use crate::select::cursor::{LAYOUTS, Layout};

/// The functions for each of [`LAYOUTS`] when its position is not in one piece.
const GATHERED: [Resolve; LAYOUTS.len()] = [
    resolve_gathered::<0>,
    resolve_gathered::<1>,
    resolve_gathered::<2>,
];

/// The layout in use; NULL as long as none was chosen, and when it is unknown.
static CHOSEN: AtomicPtr<Layout> = AtomicPtr::new(null_mut());

/// The layout that searches work on: the one in use if it has a position in one piece.
static WORKING: AtomicPtr<Layout> = AtomicPtr::new((&raw const WHOLE).cast_mut());

/// `dns_sip_resolve()` for the layout in use. As a function, so that no call has to choose.
static RESOLVE: AtomicPtr<c_void> = AtomicPtr::new(resolve_first as *mut c_void);

/// The layout of the handles of this process; `None` when it is not one that the library knows.
#[inline]
pub(crate) fn chosen() -> Option<&'static Layout> {
    // SAFETY: NULL or an element of LAYOUTS.
    let layout = unsafe { CHOSEN.load(Ordering::Relaxed).as_ref() };
    layout.or_else(choose)
}

/// The layout of the handles that searches get.
#[inline(always)]
pub(crate) fn working() -> &'static Layout {
    // SAFETY: only references that live for ever are stored there.
    unsafe { &*WORKING.load(Ordering::Relaxed) }
}

/// `dns_sip_resolve()` for the layout of the handles of this process.
#[inline(always)]
pub(crate) fn resolve() -> Resolve {
    let function = RESOLVE.load(Ordering::Acquire);
    // SAFETY: only functions of this type are stored there.
    unsafe { std::mem::transmute::<*mut c_void, Resolve>(function) }
}

/// [`dns_sip_resolve`](super::handle::dns_sip_resolve) as long as no layout was chosen.
///
/// # Safety
/// As that function.
unsafe extern "C" fn resolve_first(
    h: *mut dns_srv_handle,
    name: *mut _str,
    ip: *mut ip_addr,
    port: *mut c_ushort,
    proto: *mut c_char,
    flags: c_int,
) -> c_int {
    guard!(-E_DNS_INTERNAL_ERR, {
        if chosen().is_none() {
            return -E_DNS_INTERNAL_ERR;
        }
        // SAFETY: the contract is the caller's.
        unsafe { resolve()(h, name, ip, port, proto, flags) }
    })
}

#[cold]
fn choose() -> Option<&'static Layout> {
    match host_layout::learnt() {
        Ok(Learnt::Handles(layout)) => {
            set_layout(layout);
            Some(layout)
        }
        Ok(Learnt::NoHandles) | Err(_) => None,
    }
}

/// Has the process use a layout, for tests of each in one program: no handle may be in use.
#[doc(hidden)]
pub fn set_layout(layout: &'static Layout) {
    let number = LAYOUTS.iter().position(|known| known == layout);
    let (working, resolve): (_, Resolve) = match number.and_then(|number| GATHERED.get(number)) {
        Some(&gathered) if !layout.is_in_one_piece() => (&WHOLE, gathered),
        _ => (layout, resolve_in_place),
    };
    let place = |layout: &'static Layout| std::ptr::from_ref(layout).cast_mut();
    CHOSEN.store(place(layout), Ordering::Relaxed);
    WORKING.store(place(working), Ordering::Relaxed);
    // A thread that sees the function must see the layout that the function works on.
    RESOLVE.store(resolve as *mut c_void, Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_binary_is_not_kamailio() {
        assert_eq!(choose(), LAYOUTS.first());
    }
}
