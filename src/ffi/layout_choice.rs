//! Which layout `struct dns_srv_handle` has in this process.
//!
//! Callers keep the struct in their own memory, so the library has to use what they were built with. Programs
//! other than Kamailio use the layout of this library's header.
#![allow(unsafe_code, reason = "looks at symbols of the host")]

use std::ffi::{CStr, c_char, c_int, c_ushort, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::c_handle::WHOLE;
use super::codes::E_DNS_INTERNAL_ERR;
use super::guard::guard;
use super::handle::{Resolve, resolve_gathered, resolve_in_place};
use super::types::{_str, dns_srv_handle, ip_addr};
use crate::host::kamailio;
use crate::select::cursor::{LAYOUTS, Layout};

/// Longest version text that is looked at.
const MAX_VERSION_OCTETS: usize = 32;

fn find(name: &CStr) -> Option<*const c_char> {
    // SAFETY: dlsym only reads the NUL-terminated name.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!symbol.is_null()).then_some(symbol.cast_const().cast())
}

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
    let number = usize::from(kamailio::is_host() && host_is_6_2());
    let layout = LAYOUTS.get(number)?;
    set_layout(layout);
    Some(layout)
}

/// Has the process use a layout, for tests of each in one program: no handle may be in use.
#[doc(hidden)]
pub fn set_layout(layout: &'static Layout) {
    let (working, resolve): (_, Resolve) = if layout.is_in_one_piece() {
        (layout, resolve_in_place)
    } else {
        (&WHOLE, resolve_gathered)
    };
    let place = |layout: &'static Layout| std::ptr::from_ref(layout).cast_mut();
    CHOSEN.store(place(layout), Ordering::Relaxed);
    WORKING.store(place(working), Ordering::Relaxed);
    // Who sees the function must see what it works on.
    RESOLVE.store(resolve as *mut c_void, Ordering::Release);
}

fn host_is_6_2() -> bool {
    match find(c"ver_version").and_then(read_version) {
        Some(version) => version >= (6, 2),
        // No readable version: this counter variable came with the release that changed the handle.
        None => find(c"_cnts_threaded").is_some(),
    }
}

/// Reads the host's `const char ver_version[]`.
fn read_version(text: *const c_char) -> Option<(u32, u32)> {
    let mut octets = Vec::new();
    for offset in 0..MAX_VERSION_OCTETS {
        // SAFETY: no octet before this one was the terminating NUL, so the text goes on to here.
        let place = unsafe { text.add(offset) };
        // SAFETY: as above.
        let octet = unsafe { place.read() } as u8;
        if !octet.is_ascii_graphic() {
            break;
        }
        octets.push(octet);
    }
    parse_version(&octets)
}

/// Major and minor number of a version such as `6.2.0-dev1`.
fn parse_version(text: &[u8]) -> Option<(u32, u32)> {
    let text = std::str::from_utf8(text).ok()?;
    let mut parts = text.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    parts.next()?;
    Some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(parse_version(b"5.6.3"), Some((5, 6)));
        assert_eq!(parse_version(b"6.2.0-dev1"), Some((6, 2)));
        assert_eq!(parse_version(b"\x10\x20"), None);
        assert_eq!(parse_version(b""), None);
        assert_eq!(read_version(c"6.0.1".as_ptr()), Some((6, 0)));
    }

    #[test]
    fn a_test_binary_is_not_kamailio() {
        assert_eq!(choose(), LAYOUTS.first());
    }
}
