//! `struct dns_srv_handle` and the opaque `struct dns_handle`.
//!
//! The handle belongs to the caller: one reference for each of its pointers. A search works on the handle
//! where it is, for a [`Position`] has its layout and a counted reference is a pointer. So at any moment
//! each pointer is owned once, also when a defect ends the search early.
#![allow(unsafe_code, reason = "exported symbols, memory of C")]

use std::ffi::{c_char, c_int, c_uint, c_ushort, c_void};
use std::mem::offset_of;
use std::ptr::null_mut;

use super::codes::{E_DNS_INTERNAL_ERR, E_DNS_NO_IP, E_DNS_OK, E_DNS_UNKNOWN};
use super::guard::guard;
use super::layout_choice::has_naptr_slot;
use super::ptr;
use super::types::{_str, dns_hash_entry, dns_srv_handle, ip_addr, sockaddr_union};
use crate::cache::EntryRef;
use crate::select::handle::quick::{self, Quick};
use crate::select::handle::{self, usable_seed};
use crate::select::{Cursor, Position, SelectError};

/// The handle of Kamailio 6.2 and later.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct LongHandle {
    naptr: *mut dns_hash_entry,
    tail: dns_srv_handle,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<LongHandle>() == 40);

/// [`LongHandle`] as the search uses it.
#[repr(C)]
struct LongPosition {
    naptr: Option<EntryRef>,
    at: Position,
}

const _: () = {
    assert!(size_of::<Position>() == size_of::<dns_srv_handle>());
    assert!(align_of::<Position>() == align_of::<dns_srv_handle>());
    assert!(offset_of!(Position, srv) == offset_of!(dns_srv_handle, srv));
    assert!(offset_of!(Position, a) == offset_of!(dns_srv_handle, a));
    assert!(offset_of!(Position, tried) == offset_of!(dns_srv_handle, srv_tried_rrs));
    assert!(offset_of!(Position, port) == offset_of!(dns_srv_handle, port));
    assert!(offset_of!(Position, srv_no) == offset_of!(dns_srv_handle, srv_no));
    assert!(offset_of!(Position, ip_no) == offset_of!(dns_srv_handle, ip_no));
    assert!(offset_of!(Position, proto) == offset_of!(dns_srv_handle, proto));
    assert!(size_of::<LongPosition>() == size_of::<LongHandle>());
    assert!(offset_of!(LongPosition, at) == offset_of!(LongHandle, tail));
};

impl LongHandle {
    const EMPTY: Self = Self {
        naptr: null_mut(),
        tail: dns_srv_handle {
            srv: null_mut(),
            a: null_mut(),
            srv_tried_rrs: 0,
            port: 0,
            srv_no: 0,
            ip_no: 0,
            proto: 0,
        },
    };
}

/// Reads a C handle of the host's layout.
///
/// # Safety
/// `h` points to a readable handle of that layout.
unsafe fn read(h: *const dns_srv_handle) -> LongHandle {
    if has_naptr_slot() {
        // SAFETY: by contract the host's layout, which has the leading pointer.
        unsafe { h.cast::<LongHandle>().read() }
    } else {
        // SAFETY: by contract the host's layout, without the leading pointer.
        let tail = unsafe { h.read() };
        LongHandle {
            naptr: null_mut(),
            tail,
        }
    }
}

/// Writes a C handle of the host's layout.
///
/// # Safety
/// `h` points to a writable handle of that layout.
unsafe fn write(h: *mut dns_srv_handle, handle: &LongHandle) {
    if has_naptr_slot() {
        // SAFETY: by contract the host's layout, which has the leading pointer.
        unsafe { h.cast::<LongHandle>().write(*handle) };
    } else {
        // SAFETY: by contract the host's layout, without the leading pointer.
        unsafe { h.write(handle.tail) };
    }
}

/// Takes over the reference that an entry pointer owns.
///
/// # Safety
/// `entry` is NULL or owns a reference to an entry of this library.
pub(crate) unsafe fn adopt(entry: *mut dns_hash_entry) -> Option<EntryRef> {
    // SAFETY: the contract is the caller's.
    unsafe { EntryRef::from_raw(entry.cast::<c_void>()) }
}

fn release(entry: Option<EntryRef>) -> *mut dns_hash_entry {
    entry.map_or(null_mut(), |entry| entry.into_raw().cast())
}

/// Moves the references of a C handle into a cursor; the C handle is left without any.
///
/// # Safety
/// `h` points to an initialised handle of the host's layout, which owns what it points to.
pub(crate) unsafe fn take(h: *mut dns_srv_handle) -> Cursor {
    // SAFETY: the contract is the caller's.
    let handle = unsafe { read(h) };
    let mut cleared = handle;
    cleared.naptr = null_mut();
    cleared.tail.srv = null_mut();
    cleared.tail.a = null_mut();
    // SAFETY: as above.
    unsafe { write(h, &cleared) };
    Cursor {
        has_naptr_slot: has_naptr_slot(),
        // SAFETY: the handle owned this reference and has just given it up.
        naptr: unsafe { adopt(handle.naptr) },
        at: Position {
            // SAFETY: as above.
            srv: unsafe { adopt(handle.tail.srv) },
            // SAFETY: as above.
            a: unsafe { adopt(handle.tail.a) },
            tried: handle.tail.srv_tried_rrs,
            port: handle.tail.port,
            srv_no: handle.tail.srv_no,
            ip_no: handle.tail.ip_no,
            proto: handle.tail.proto,
        },
    }
}

/// Moves a cursor into a C handle that holds no references.
///
/// # Safety
/// `h` points to a writable handle of the host's layout.
pub(crate) unsafe fn store(h: *mut dns_srv_handle, mut cursor: Cursor) {
    let handle = LongHandle {
        naptr: release(cursor.naptr.take()),
        tail: dns_srv_handle {
            srv: release(cursor.srv.take()),
            a: release(cursor.a.take()),
            srv_tried_rrs: cursor.tried,
            port: cursor.port,
            srv_no: cursor.srv_no,
            ip_no: cursor.ip_no,
            proto: cursor.proto,
        },
    };
    // SAFETY: the contract is the caller's.
    unsafe { write(h, &handle) };
}

/// Drops the references of a C handle and clears its pointers; NULL is fine.
///
/// # Safety
/// `h` is NULL or as for [`take`].
unsafe fn put_all(h: *mut dns_srv_handle) {
    if h.is_null() {
        return;
    }
    // SAFETY: non-NULL, otherwise the caller's contract.
    let (position, naptr) = unsafe { in_place(h) };
    drop(position.srv.take());
    drop(position.a.take());
    drop(naptr.and_then(Option::take));
}

/// Counts one more reference for each pointer of a C handle.
///
/// # Safety
/// `h` is NULL or an initialised handle of the host's layout.
unsafe fn reference(h: *const dns_srv_handle) {
    if h.is_null() {
        return;
    }
    // SAFETY: non-NULL, otherwise the caller's contract.
    let handle = unsafe { read(h) };
    for entry in [handle.naptr, handle.tail.srv, handle.tail.a] {
        // SAFETY: the handle owns this reference and keeps it: it is given back below.
        let Some(held) = (unsafe { adopt(entry) }) else {
            continue;
        };
        let _counted = held.clone().into_raw();
        let _kept = held.into_raw();
    }
}

/// Bytes of the `struct dns_srv_handle` that the library reads and writes: 32, or 40 when the host is
/// Kamailio 6.2 or later. A program may compare this with its own `sizeof`.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_handle_layout() -> c_uint {
    guard!(0, {
        let size = if has_naptr_slot() {
            size_of::<LongHandle>()
        } else {
            size_of::<dns_srv_handle>()
        };
        size as c_uint
    })
}

/// Makes a handle empty, without releasing anything: for memory that was not a handle before.
///
/// # Safety
/// `h` is NULL or points to a writable handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_srv_handle_init(h: *mut dns_srv_handle) {
    guard!((), {
        if !h.is_null() {
            // SAFETY: non-NULL and writable by contract.
            unsafe { write(h, &LongHandle::EMPTY) };
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
        // SAFETY: the contract is the caller's.
        unsafe { put_all(h) };
    })
}

/// As `dns_srv_handle_put()`, for a caller that holds the lock of the host's shared memory.
///
/// # Safety
/// As `dns_srv_handle_put()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_srv_handle_put_shm_unsafe(h: *mut dns_srv_handle) {
    guard!((), {
        // SAFETY: the contract is the caller's.
        unsafe { put_all(h) };
    })
}

/// Copies a handle; each of the two has to be released. A NULL changes nothing.
///
/// # Safety
/// `dst` is NULL or writable memory that holds no references; `src` is NULL or an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_srv_handle_cpy(dst: *mut dns_srv_handle, src: *const dns_srv_handle) {
    guard!((), {
        if dst.is_null() || src.is_null() {
            return;
        }
        // SAFETY: an initialised handle by contract.
        unsafe { reference(src) };
        // SAFETY: as above.
        let handle = unsafe { read(src) };
        // SAFETY: writable by contract.
        unsafe { write(dst, &handle) };
    })
}

/// Counts one more reference for each entry that a handle holds.
///
/// # Safety
/// `h` is NULL or an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_srv_handle_ref(h: *const dns_srv_handle) {
    guard!((), {
        // SAFETY: the contract is the caller's.
        unsafe { reference(h) };
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
        if h.is_null() || err < 0 {
            return 0;
        }
        // SAFETY: non-NULL, initialised by contract, the caller's alone.
        let (position, _) = unsafe { in_place(h) };
        position.ip_no = position.ip_no.wrapping_add(1);
        c_int::from(position.srv.is_some() || position.a.is_some())
    })
}

/// Back to the start of the SRV and address search; a NAPTR entry stays.
///
/// # Safety
/// `h` is NULL or an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_srv_handle_reset(h: *mut dns_srv_handle) {
    guard!((), {
        if h.is_null() {
            return;
        }
        // SAFETY: non-NULL, initialised by contract.
        let mut cursor = unsafe { take(h) };
        cursor.srv = None;
        cursor.a = None;
        (cursor.port, cursor.srv_no, cursor.ip_no, cursor.proto) = (0, 0, 0, 0);
        // SAFETY: `take` left no references there.
        unsafe { store(h, cursor) };
    })
}

/// Fixes the order among SRV records of one priority for a new search: the same seed gives the same
/// order as long as the records stay the same (a stateless proxy has to send all requests of a
/// transaction to one server, RFC 3263 section 4.4). Seed 0 means: draw one. Of others the highest bit is
/// ignored.
///
/// To be called on an empty handle, before the first resolve. Needs the flag `DNS_SRV_RR_LB`.
///
/// # Safety
/// `h` is NULL or an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_srv_handle_seed(h: *mut dns_srv_handle, seed: c_uint) -> c_int {
    guard!(-E_DNS_INTERNAL_ERR, {
        if h.is_null() {
            return -E_DNS_UNKNOWN;
        }
        // SAFETY: non-NULL, initialised by contract.
        let mut handle = unsafe { read(h) };
        handle.tail.srv_tried_rrs = with_seed(handle.tail.srv_tried_rrs, seed);
        // SAFETY: as above.
        unsafe { write(h, &handle) };
        E_DNS_OK
    })
}

/// The seed is the low half of the word, see [`Cursor::tried`].
pub(crate) fn with_seed(tried: u64, seed: u32) -> u64 {
    tried & !u64::from(u32::MAX) | u64::from(usable_seed(seed))
}

/// The handle as the search uses it: its position, and the place of the NAPTR entry where there is one.
///
/// # Safety
/// `h` points to an initialised handle of the host's layout, which nobody else uses during `'a`.
#[inline(always)]
unsafe fn in_place<'a>(
    h: *mut dns_srv_handle,
) -> (&'a mut Position, Option<&'a mut Option<EntryRef>>) {
    if has_naptr_slot() {
        // SAFETY: by contract the host's layout, which has the leading pointer.
        let long = unsafe { &mut *h.cast::<LongPosition>() };
        return (&mut long.at, Some(&mut long.naptr));
    }
    // SAFETY: by contract the host's layout, without the leading pointer.
    (unsafe { &mut *h.cast::<Position>() }, None)
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
        // SAFETY: readable by contract.
        let name = unsafe { ptr::text(name) };
        let (Some(name), false, false) = (name, h.is_null(), ip.is_null()) else {
            return -E_DNS_UNKNOWN;
        };
        if name.is_empty() {
            return -E_DNS_NO_IP;
        }
        super::settings::sync();
        // SAFETY: an initialised handle by contract, the caller's alone.
        let (position, naptr) = unsafe { in_place(h) };
        let quick = if position.srv.is_some() || position.a.is_some() {
            quick::next(position, flags as u32)
        } else if naptr.as_ref().is_some_and(|naptr| naptr.is_some()) {
            Quick::Look
        } else {
            // SAFETY: NULL or readable by contract.
            let port = unsafe { ptr::get(port) };
            // SAFETY: NULL or readable by contract; exactly one octet.
            let proto = unsafe { ptr::get(proto.cast::<u8>()) };
            quick::first(position, naptr, name, port, proto, flags as u32)
        };
        match quick {
            Quick::Target(target) => {
                // SAFETY: writable by contract.
                unsafe { ptr::put(ip, ptr::ipv4_to_ip_addr(target.address)) };
                // SAFETY: NULL or writable by contract.
                unsafe { ptr::put(port, target.port) };
                // SAFETY: NULL or writable by contract; one octet.
                unsafe { ptr::put(proto.cast::<u8>(), target.transport) };
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
    let (position, naptr) = unsafe { in_place(h) };
    let search = |port: Option<&mut u16>, proto: Option<&mut u8>| {
        let (mut none, flags) = (None, flags as u32);
        let naptr = naptr.unwrap_or(&mut none);
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
/// `entry` is NULL or owns a reference, which is gone afterwards.
unsafe fn put_entry(entry: *mut dns_hash_entry) {
    // SAFETY: the contract is the caller's.
    drop(unsafe { adopt(entry) });
}

/// Gives one reference to an entry back; NULL is fine.
///
/// # Safety
/// `e` is NULL or owns a reference, which is gone afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_hash_put(e: *mut dns_hash_entry) {
    guard!((), {
        // SAFETY: the contract is the caller's.
        unsafe { put_entry(e) };
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
        unsafe { put_entry(e) };
    })
}

/// `dns_hash_put()` as Kamailio 6.2 calls it; the place of the call is not used.
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
        unsafe { put_entry(e) };
    })
}

/// `dns_hash_put_shm_unsafe()` as Kamailio 6.2 calls it; the place of the call is not used.
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
        unsafe { put_entry(e) };
    })
}
