//! The functions of `struct dns_srv_handle`, and `dns_hash_put*()`.
#![allow(unsafe_code, reason = "exported symbols, memory of C")]

use std::ffi::{c_char, c_int, c_uint, c_ushort, c_void};

use super::c_handle::{self, NaptrPlace, in_place, with_position};
use super::codes::{E_DNS_INTERNAL_ERR, E_DNS_NO_IP, E_DNS_OK, E_DNS_UNKNOWN};
use super::guard::guard;
use super::layout_choice::{self, chosen, working};
use super::ptr::{self, PortAndProto};
use super::types::{_str, dns_hash_entry, dns_srv_handle, ip_addr, sockaddr_union};
use crate::cache::EntryRef;
use crate::select::cursor::{LAYOUTS, Layout};
use crate::select::handle::quick::{self, Quick};
use crate::select::handle::{self, usable_seed};
use crate::select::{Position, SelectError};

/// Takes over the reference that an entry pointer owns.
///
/// # Safety
/// `entry` is NULL or owns a reference to an entry of this library.
pub(crate) unsafe fn adopt(entry: *mut dns_hash_entry) -> Option<EntryRef> {
    // SAFETY: the contract is the caller's.
    unsafe { EntryRef::from_raw(entry.cast::<c_void>()) }
}

/// Runs `work` on the position of a handle; `None` without a handle, or when its layout is unknown.
///
/// # Safety
/// `h` is NULL or an initialised handle, the caller's alone.
#[inline(always)]
unsafe fn at_position<T>(
    h: *mut dns_srv_handle,
    work: impl FnOnce(&mut Position) -> T,
) -> Option<T> {
    let layout = layout_of(h)?;
    // SAFETY: non-NULL, and the contract is the caller's.
    Some(unsafe { with_position(h, layout, |position, _: NaptrPlace<'_>| work(position)) })
}

/// The caller's layout, when there is a handle to use it on.
fn layout_of(h: *const dns_srv_handle) -> Option<&'static Layout> {
    if h.is_null() { None } else { chosen() }
}

/// Bytes of the `struct dns_srv_handle` that the library reads and writes: 32, or what Kamailio around it has. 0
/// when that is unknown; then all functions of handles do nothing. A program may compare this with its own
/// `sizeof`.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_handle_layout() -> c_uint {
    guard!(0, { chosen().map_or(0, |layout| layout.size.into()) })
}

/// Makes a handle empty, without releasing anything: for memory that was not a handle before.
///
/// # Safety
/// `h` is NULL or points to a writable handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_srv_handle_init(h: *mut dns_srv_handle) {
    guard!((), {
        if let Some(layout) = layout_of(h) {
            // SAFETY: non-NULL and writable by contract.
            unsafe { c_handle::clear(h, layout) };
        }
    })
}

/// Releases what a handle holds; to be called after the last use, also after errors. NULL is fine.
///
/// # Safety
/// `h` is NULL or an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_srv_handle_put(h: *mut dns_srv_handle) {
    guard!((), {
        if let Some(layout) = layout_of(h) {
            // SAFETY: non-NULL, otherwise the caller's contract.
            unsafe { c_handle::put_all(h, layout) };
        }
    })
}

/// As `dns_srv_handle_put()`, for a caller that holds the lock of the host's shared memory.
///
/// # Safety
/// As `dns_srv_handle_put()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_srv_handle_put_shm_unsafe(h: *mut dns_srv_handle) {
    guard!((), {
        if let Some(layout) = layout_of(h) {
            // SAFETY: non-NULL, otherwise the caller's contract.
            unsafe { c_handle::put_all(h, layout) };
        }
    })
}

/// Copies a handle; each of the two has to be released. A NULL changes nothing.
///
/// # Safety
/// `dst` is NULL or writable memory that holds no references; `src` is NULL or an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_srv_handle_cpy(dst: *mut dns_srv_handle, src: *const dns_srv_handle) {
    guard!((), {
        let (Some(layout), false) = (layout_of(src), dst.is_null()) else {
            return;
        };
        // SAFETY: an initialised handle by contract.
        unsafe { c_handle::reference(src, layout) };
        // SAFETY: as above; `dst` is writable by contract.
        unsafe { c_handle::duplicate(dst, src, layout) };
    })
}

/// Counts one more reference for each entry that a handle holds.
///
/// # Safety
/// `h` is NULL or an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_srv_handle_ref(h: *const dns_srv_handle) {
    guard!((), {
        if let Some(layout) = layout_of(h) {
            // SAFETY: non-NULL, otherwise the caller's contract.
            unsafe { c_handle::reference(h, layout) };
        }
    })
}

/// Steps to the next address; 1 if there may be one, then resolve again with the same handle.
///
/// `err` is the result of the last resolve; a negative one ends the iteration.
///
/// # Safety
/// `h` is NULL or an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_srv_handle_next(h: *mut dns_srv_handle, err: c_int) -> c_int {
    guard!(0, {
        if err < 0 {
            return 0;
        }
        // SAFETY: the contract is the caller's.
        c_int::from(unsafe { at_position(h, Position::advance) } == Some(true))
    })
}

/// Back to the start of the SRV and address search; a NAPTR entry stays.
///
/// # Safety
/// `h` is NULL or an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_srv_handle_reset(h: *mut dns_srv_handle) {
    guard!((), {
        let reset = |position: &mut Position| {
            *position = Position {
                tried: position.tried,
                ..Position::default()
            };
        };
        // SAFETY: the contract is the caller's.
        let _ = unsafe { at_position(h, reset) };
    })
}

/// Fixes the order among SRV records of one priority, and where a search begins among several addresses, for a
/// new search: the same seed gives the same list of targets as long as the records stay the same, whatever order
/// they arrive in (a stateless proxy has to send all requests of a transaction to one server, RFC 3263 section
/// 4.4). Seed 0 means: draw one. Of others the two highest bits are ignored.
///
/// To be called on an empty handle, before the first resolve. Needs the flag `DNS_SRV_RR_LB`.
///
/// # Safety
/// `h` is NULL or an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_srv_handle_seed(h: *mut dns_srv_handle, seed: c_uint) -> c_int {
    guard!(-E_DNS_INTERNAL_ERR, {
        let choose = |position: &mut Position| {
            position.tried = with_seed(position.tried, seed);
            E_DNS_OK
        };
        // SAFETY: the contract is the caller's.
        unsafe { at_position(h, choose) }.unwrap_or(-E_DNS_UNKNOWN)
    })
}

/// The seed is the low half of the word, see [`Position::tried`].
pub(crate) fn with_seed(tried: u64, seed: u32) -> u64 {
    tried & !u64::from(u32::MAX) | u64::from(usable_seed(seed))
}

/// Finds the next target: address, port and transport of a name (RFC 3263).
///
/// An empty handle starts a search; after `dns_srv_handle_next()` the same handle goes on with it.
/// `port` and `proto` are in/out, 0 = not given; `proto` is one octet. `flags` are `DNS_*`.
/// 0, or a negative number for `dns_strerror()`; the out-parameters are untouched then.
///
/// # Safety
/// `h` is an initialised handle, `name` readable, the others NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_sip_resolve(
    h: *mut dns_srv_handle,
    name: *mut _str,
    ip: *mut ip_addr,
    port: *mut c_ushort,
    proto: *mut c_char,
    flags: c_int,
) -> c_int {
    guard!(-E_DNS_INTERNAL_ERR, {
        let resolve = layout_choice::resolve();
        // SAFETY: the contract is the caller's; the function is that of the caller's layout.
        unsafe { resolve(h, name, ip, port, proto, flags) }
    })
}

/// Functions with the interface of [`dns_sip_resolve`].
pub(crate) type Resolve = unsafe extern "C" fn(
    *mut dns_srv_handle,
    *mut _str,
    *mut ip_addr,
    *mut c_ushort,
    *mut c_char,
    c_int,
) -> c_int;

/// [`dns_sip_resolve`] for handles of the layout of that number, whose position is not in one piece. The number is a
/// constant, so that moving the parts takes a few instructions.
///
/// # Safety
/// As [`dns_sip_resolve`].
pub(crate) unsafe extern "C" fn resolve_gathered<const LAYOUT: usize>(
    h: *mut dns_srv_handle,
    name: *mut _str,
    ip: *mut ip_addr,
    port: *mut c_ushort,
    proto: *mut c_char,
    flags: c_int,
) -> c_int {
    guard!(-E_DNS_INTERNAL_ERR, {
        if h.is_null() {
            return -E_DNS_UNKNOWN;
        }
        let layout = &LAYOUTS[LAYOUT];
        // SAFETY: the contract is the caller's; the step gets a handle in the layout that it works on.
        let step = |h| unsafe { resolve_in_place(h, name, ip, port, proto, flags) };
        // SAFETY: non-NULL, initialised by contract, the caller's alone.
        unsafe { c_handle::with_whole(h, layout, step) }
    })
}

/// [`dns_sip_resolve`] for handles whose position is in one piece.
///
/// # Safety
/// As [`dns_sip_resolve`]; the handle has the layout [`working`].
pub(crate) unsafe extern "C" fn resolve_in_place(
    h: *mut dns_srv_handle,
    name: *mut _str,
    ip: *mut ip_addr,
    port: *mut c_ushort,
    proto: *mut c_char,
    flags: c_int,
) -> c_int {
    guard!(-E_DNS_INTERNAL_ERR, {
        // SAFETY: readable by contract.
        let name = unsafe { ptr::text(name) };
        let (Some(name), false, false) = (name, h.is_null(), ip.is_null()) else {
            return -E_DNS_UNKNOWN;
        };
        if name.is_empty() {
            return -E_DNS_NO_IP;
        }
        // SAFETY: an initialised handle by contract, the caller's alone.
        let (position, naptr) = unsafe { in_place(h, working()) };
        let flags = super::settings::sync_flags(flags, || position.is_started());
        let variables = PortAndProto { port, proto };
        let quick = if position.is_started() {
            quick::next(position, flags as u32)
        } else if naptr.as_ref().is_some_and(|naptr| naptr.is_some()) {
            Quick::Look
        } else {
            // SAFETY: NULL or readable by contract.
            let (port, proto) = unsafe { variables.get() };
            quick::first(position, naptr, name, port, proto, flags as u32)
        };
        match quick {
            Quick::Target(target) => {
                // SAFETY: writable by contract.
                unsafe { ptr::put(ip, ptr::ipv4_to_ip_addr(target.address)) };
                // SAFETY: NULL or writable by contract.
                unsafe { variables.put(target.port, target.transport) };
                E_DNS_OK
            }
            Quick::EndOfList => -(SelectError::EndOfList as c_int),
            // SAFETY: the contract is the caller's.
            Quick::Look => unsafe { search(h, name, ip, port, proto, flags) },
        }
    })
}

/// As [`dns_sip_resolve`], all cases.
///
/// # Safety
/// As [`dns_sip_resolve`]; `h` and `ip` are not NULL.
#[inline(never)]
unsafe fn search(
    h: *mut dns_srv_handle,
    name: &[u8],
    ip: *mut ip_addr,
    port: *mut c_ushort,
    proto: *mut c_char,
    flags: c_int,
) -> c_int {
    // SAFETY: an initialised handle by contract, the caller's alone.
    let (position, naptr) = unsafe { in_place(h, working()) };
    let search = |port: Option<&mut u16>, proto: Option<&mut u8>| {
        let (mut none, flags) = (None, flags as u32);
        let keeps_naptr = naptr.is_some();
        let naptr = (naptr.unwrap_or(&mut none), keeps_naptr);
        handle::resolve_in_place(position, naptr, name, port, proto, flags)
    };
    // SAFETY: NULL or readable and writable by contract.
    let result = unsafe { super::target::step(name, port, proto, flags, search) };
    match result {
        Ok(address) => {
            // SAFETY: writable by contract.
            unsafe { ptr::put(ip, ptr::to_ip_addr(address)) };
            E_DNS_OK
        }
        Err(code) => code,
    }
}

/// As `dns_sip_resolve()`, the result is a socket address; `su` is only written on success.
///
/// # Safety
/// As `dns_sip_resolve()`; `su` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_sip_resolve2su(
    h: *mut dns_srv_handle,
    su: *mut sockaddr_union,
    name: *mut _str,
    port: c_ushort,
    proto: *mut c_char,
    flags: c_int,
) -> c_int {
    guard!(-E_DNS_INTERNAL_ERR, {
        let mut port = port;
        let mut ip = ip_addr::ZERO;
        if su.is_null() {
            return -E_DNS_UNKNOWN;
        }
        // SAFETY: the locals are writable, the rest is the caller's contract.
        let rc = unsafe { dns_sip_resolve(h, name, &raw mut ip, &raw mut port, proto, flags) };
        if rc >= 0 {
            // SAFETY: writable by contract.
            unsafe { su.write(super::resolve::socket_address(&ip, port)) };
        }
        rc
    })
}

/// Gives one reference to an entry back; NULL is fine.
///
/// # Safety
/// `e` is NULL or owns a reference, which is gone afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_hash_put(e: *mut dns_hash_entry) {
    guard!((), {
        // SAFETY: the contract is the caller's.
        drop(unsafe { adopt(e) });
    })
}

/// As `dns_hash_put()`, for a caller that holds the lock of the host's shared memory. The cache has
/// memory of its own, so nothing is different.
///
/// # Safety
/// As `dns_hash_put()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_hash_put_shm_unsafe(e: *mut dns_hash_entry) {
    guard!((), {
        // SAFETY: the contract is the caller's.
        drop(unsafe { adopt(e) });
    })
}

/// `dns_hash_put()` as Kamailio 6.1 and later call it; the place of the call is not used.
///
/// # Safety
/// As `dns_hash_put()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_hash_put_entry(
    e: *mut dns_hash_entry,
    _file: *const c_char,
    _line: c_uint,
) {
    guard!((), {
        // SAFETY: the contract is the caller's.
        drop(unsafe { adopt(e) });
    })
}

/// `dns_hash_put_shm_unsafe()` as Kamailio 6.1 and later call it; the place of the call is not used.
///
/// # Safety
/// As `dns_hash_put()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_hash_put_entry_shm_unsafe(
    e: *mut dns_hash_entry,
    _file: *const c_char,
    _line: c_uint,
) {
    guard!((), {
        // SAFETY: the contract is the caller's.
        drop(unsafe { adopt(e) });
    })
}
