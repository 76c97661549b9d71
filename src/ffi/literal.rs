//! IP literals: `str2ip()` and its kin.
//!
//! The functions without a buffer argument return one of `SLOTS` places of the calling thread, used
//! in turn; NULL when the text is no literal.
#![allow(unsafe_code, reason = "exported symbols")]

use std::cell::{Cell, UnsafeCell};
use std::ffi::c_int;
use std::net::IpAddr;
use std::ptr::null_mut;

use super::guard::guard;
use super::ptr;
use super::types::{_str, ip_addr};
use crate::rr::{parse_ipv4, parse_ipv6, parse_literal};

/// Results of one thread that are valid at the same time.
const SLOTS: usize = 8;
/// Result of the buffer functions for text that is no literal, or for NULL.
const NOT_A_LITERAL: c_int = -1;

thread_local! {
    static RESULTS: UnsafeCell<[ip_addr; SLOTS]> = const { UnsafeCell::new([ip_addr::ZERO; SLOTS]) };
    static NEXT: Cell<usize> = const { Cell::new(0) };
}

fn publish(address: IpAddr) -> *mut ip_addr {
    let index = NEXT.with(|next| {
        let index = next.get();
        next.set((index + 1) % SLOTS);
        index
    });
    RESULTS.with(|results| {
        let first = results.get().cast::<ip_addr>();
        // SAFETY: the index is below SLOTS, so the place is inside the array.
        let place = unsafe { first.add(index) };
        // SAFETY: the array belongs to this thread, and no Rust reference to it exists.
        unsafe { place.write(ptr::to_ip_addr(address)) };
        place
    })
}

/// # Safety
/// `text` is NULL or readable.
unsafe fn to_slot(text: *const _str, parse: fn(&[u8]) -> Option<IpAddr>) -> *mut ip_addr {
    // SAFETY: the contract is the caller's.
    let address = unsafe { ptr::name(text) }.and_then(parse);
    address.map_or(null_mut(), publish)
}

/// # Safety
/// `text` is NULL or readable, `out` NULL or writable.
unsafe fn to_buffer(
    text: *const _str,
    out: *mut ip_addr,
    parse: fn(&[u8]) -> Option<IpAddr>,
) -> c_int {
    // SAFETY: the contract is the caller's.
    let address = unsafe { ptr::name(text) }.and_then(parse);
    match address {
        Some(address) if !out.is_null() => {
            // SAFETY: non-NULL and writable by contract.
            unsafe { ptr::put(out, ptr::to_ip_addr(address)) };
            0
        }
        _ => NOT_A_LITERAL,
    }
}

fn v4(text: &[u8]) -> Option<IpAddr> {
    parse_ipv4(text).map(IpAddr::V4)
}

fn v6(text: &[u8]) -> Option<IpAddr> {
    parse_ipv6(text).map(IpAddr::V6)
}

/// An IPv4 literal, e.g. `192.0.2.1`; NULL if it is none.
///
/// # Safety
/// `st` is NULL or readable. The result is valid until the thread has parsed eight more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn str2ip(st: *mut _str) -> *mut ip_addr {
    guard!(null_mut(), {
        // SAFETY: the contract is the caller's.
        unsafe { to_slot(st, v4) }
    })
}

/// An IPv6 literal, with or without brackets; NULL if it is none.
///
/// # Safety
/// As `str2ip()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn str2ip6(st: *mut _str) -> *mut ip_addr {
    guard!(null_mut(), {
        // SAFETY: the contract is the caller's.
        unsafe { to_slot(st, v6) }
    })
}

/// A literal of either family; NULL if it is none.
///
/// # Safety
/// As `str2ip()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn str2ipx(st: *mut _str) -> *mut ip_addr {
    guard!(null_mut(), {
        // SAFETY: the contract is the caller's.
        unsafe { to_slot(st, parse_literal) }
    })
}

/// An IPv4 literal into `ipb`; 0, or negative if it is none (`ipb` untouched).
///
/// # Safety
/// `st` is NULL or readable, `ipb` NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn str2ipbuf(st: *mut _str, ipb: *mut ip_addr) -> c_int {
    guard!(NOT_A_LITERAL, {
        // SAFETY: the contract is the caller's.
        unsafe { to_buffer(st, ipb, v4) }
    })
}

/// An IPv6 literal into `ipb`; 0, or negative if it is none (`ipb` untouched).
///
/// # Safety
/// As `str2ipbuf()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn str2ip6buf(st: *mut _str, ipb: *mut ip_addr) -> c_int {
    guard!(NOT_A_LITERAL, {
        // SAFETY: the contract is the caller's.
        unsafe { to_buffer(st, ipb, v6) }
    })
}

/// A literal of either family into `ipb`; 0, or negative if it is none (`ipb` untouched).
///
/// # Safety
/// As `str2ipbuf()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn str2ipxbuf(st: *mut _str, ipb: *mut ip_addr) -> c_int {
    guard!(NOT_A_LITERAL, {
        // SAFETY: the contract is the caller's.
        unsafe { to_buffer(st, ipb, parse_literal) }
    })
}
