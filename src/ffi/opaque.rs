//! `struct dns_handle`: a failover handle whose memory the library owns.
//!
//! For programs that do not want to know a struct layout. The handle also tells why a target was chosen.
#![allow(unsafe_code, reason = "exported symbols")]

use std::ffi::{c_char, c_int, c_uint, c_ushort};
use std::ptr::null_mut;

use super::codes::{E_DNS_INTERNAL_ERR, E_DNS_OK, E_DNS_UNKNOWN};
use super::guard::guard;
use super::handle::with_seed;
use super::ptr;
use super::types::ip_addr;
use crate::lookup::Source;
use crate::select::{AddressReason, Cursor, NaptrReason, Reason, SrvReason};

/// Failover state of one request, and why its current target was chosen. Opaque in C.
#[allow(non_camel_case_types, reason = "C name")]
#[derive(Debug)]
pub struct dns_handle {
    cursor: Cursor,
    reason: Reason,
}

/// No such record was used.
const SOURCE_NONE: c_int = 0;
/// The record was in the cache.
const SOURCE_CACHE: c_int = 1;
/// The record was asked for by this call.
const SOURCE_NETWORK: c_int = 2;
/// An IP literal.
const SOURCE_LITERAL: c_int = 3;

/// Why a target was chosen: the records that led to it. Texts are NUL-terminated; TTLs are in seconds,
/// -1 = permanent or a literal; sources: 0 none, 1 cache, 2 network, 3 literal.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(
    non_camel_case_types,
    missing_docs,
    reason = "C name; the records' fields"
)]
pub struct dns_reason {
    /// 1 when a NAPTR record led here; its fields follow.
    pub naptr_present: c_int,
    pub naptr_owner: [c_char; 256],
    pub naptr_order: c_ushort,
    pub naptr_preference: c_ushort,
    pub naptr_service: [c_char; 64],
    pub naptr_replacement: [c_char; 256],
    pub naptr_ttl: c_int,
    pub naptr_source: c_int,
    /// 1 when an SRV record led here; its fields follow.
    pub srv_present: c_int,
    pub srv_owner: [c_char; 256],
    pub srv_priority: c_ushort,
    pub srv_weight: c_ushort,
    pub srv_port: c_ushort,
    pub srv_target: [c_char; 256],
    pub srv_ttl: c_int,
    pub srv_source: c_int,
    /// Owner of the address record: the canonical name of the host.
    pub addr_owner: [c_char; 256],
    pub addr_ttl: c_int,
    pub addr_source: c_int,
}

impl dns_reason {
    const EMPTY: Self = Self {
        naptr_present: 0,
        naptr_owner: [0; 256],
        naptr_order: 0,
        naptr_preference: 0,
        naptr_service: [0; 64],
        naptr_replacement: [0; 256],
        naptr_ttl: 0,
        naptr_source: SOURCE_NONE,
        srv_present: 0,
        srv_owner: [0; 256],
        srv_priority: 0,
        srv_weight: 0,
        srv_port: 0,
        srv_target: [0; 256],
        srv_ttl: 0,
        srv_source: SOURCE_NONE,
        addr_owner: [0; 256],
        addr_ttl: 0,
        addr_source: SOURCE_NONE,
    };

    fn from_reason(reason: &Reason) -> Self {
        let mut out = Self::EMPTY;
        if let Some(naptr) = &reason.naptr {
            out.fill_naptr(naptr);
        }
        if let Some(srv) = &reason.srv {
            out.fill_srv(srv);
        }
        if let Some(address) = &reason.address {
            out.fill_address(address);
        }
        out
    }

    fn fill_naptr(&mut self, naptr: &NaptrReason) {
        self.naptr_present = 1;
        ptr::fill(&mut self.naptr_owner, &naptr.owner);
        self.naptr_order = naptr.order;
        self.naptr_preference = naptr.preference;
        ptr::fill(&mut self.naptr_service, &naptr.service);
        ptr::fill(&mut self.naptr_replacement, &naptr.replacement);
        self.naptr_ttl = naptr.ttl;
        self.naptr_source = source(naptr.source);
    }

    fn fill_srv(&mut self, srv: &SrvReason) {
        self.srv_present = 1;
        ptr::fill(&mut self.srv_owner, &srv.owner);
        self.srv_priority = srv.priority;
        self.srv_weight = srv.weight;
        self.srv_port = srv.port;
        ptr::fill(&mut self.srv_target, &srv.target);
        self.srv_ttl = srv.ttl;
        self.srv_source = source(srv.source);
    }

    fn fill_address(&mut self, address: &AddressReason) {
        ptr::fill(&mut self.addr_owner, &address.owner);
        self.addr_ttl = address.ttl;
        self.addr_source = source(address.source);
    }
}

fn source(source: Source) -> c_int {
    match source {
        Source::Cache => SOURCE_CACHE,
        Source::Network => SOURCE_NETWORK,
        Source::Literal => SOURCE_LITERAL,
    }
}

/// Makes an empty handle; NULL only when something is badly wrong. Freed with `dns_handle_free()`.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_handle_new() -> *mut dns_handle {
    guard!(null_mut(), {
        let cursor = Cursor {
            has_naptr_slot: true,
            ..Cursor::default()
        };
        let reason = Reason::default();
        Box::into_raw(Box::new(dns_handle { cursor, reason }))
    })
}

/// Frees a handle and releases what it holds; NULL is fine.
///
/// # Safety
/// `h` is NULL or came from `dns_handle_new()` and is not used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_handle_free(h: *mut dns_handle) {
    guard!((), {
        if !h.is_null() {
            // SAFETY: made by Box::into_raw in dns_handle_new(), given up by the caller.
            drop(unsafe { Box::from_raw(h) });
        }
    })
}

/// Finds the first target of `host`, or the next one after `dns_handle_next()`: address, port and
/// transport (RFC 3263). As `dns_sip_resolve()`: `port` and `proto` are in/out, 0 = not given, `flags`
/// are `DNS_*`. 0, or a negative number for `dns_strerror()`.
///
/// # Safety
/// `h` is NULL or a handle, `host` NULL or NUL-terminated, the others NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_handle_resolve(
    h: *mut dns_handle,
    host: *const c_char,
    ip: *mut ip_addr,
    port: *mut c_ushort,
    proto: *mut c_char,
    flags: c_int,
) -> c_int {
    guard!(-E_DNS_INTERNAL_ERR, {
        // SAFETY: the contract is the caller's.
        let handle = unsafe { h.as_mut() };
        // SAFETY: the contract is the caller's.
        let host = unsafe { ptr::c_text(host) };
        let (Some(handle), Some(host), false) = (handle, host, ip.is_null()) else {
            return -E_DNS_UNKNOWN;
        };
        if host.is_empty() {
            return -E_DNS_UNKNOWN;
        }
        let mut reason = Reason::default();
        let cursor = &mut handle.cursor;
        // SAFETY: NULL or readable and writable by contract.
        let found =
            unsafe { super::target::next(cursor, host, port, proto, flags, Some(&mut reason)) };
        match found {
            Ok(address) => {
                handle.reason = reason;
                // SAFETY: non-NULL and writable by contract.
                unsafe { ptr::put(ip, ptr::to_ip_addr(address)) };
                E_DNS_OK
            }
            Err(code) => code,
        }
    })
}

/// Steps to the next target; 1 if there may be one, then call `dns_handle_resolve()` again.
///
/// # Safety
/// `h` is NULL or a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_handle_next(h: *mut dns_handle) -> c_int {
    guard!(0, {
        // SAFETY: the contract is the caller's.
        let Some(handle) = (unsafe { h.as_mut() }) else {
            return 0;
        };
        c_int::from(handle.cursor.advance())
    })
}

/// Tells why the current target was chosen; 0, or negative for NULL.
///
/// # Safety
/// `h` is NULL or a handle, `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_handle_reason(h: *const dns_handle, out: *mut dns_reason) -> c_int {
    guard!(-E_DNS_INTERNAL_ERR, {
        // SAFETY: the contract is the caller's.
        let (Some(handle), false) = (unsafe { h.as_ref() }, out.is_null()) else {
            return -E_DNS_UNKNOWN;
        };
        // SAFETY: non-NULL and writable by contract.
        unsafe { ptr::put(out, dns_reason::from_reason(&handle.reason)) };
        E_DNS_OK
    })
}

/// Fixes the order of targets, as `dns_srv_handle_seed()`.
///
/// # Safety
/// `h` is NULL or a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_handle_seed(h: *mut dns_handle, seed: c_uint) -> c_int {
    guard!(-E_DNS_INTERNAL_ERR, {
        // SAFETY: the contract is the caller's.
        let Some(handle) = (unsafe { h.as_mut() }) else {
            return -E_DNS_UNKNOWN;
        };
        handle.cursor.tried = with_seed(handle.cursor.tried, seed);
        E_DNS_OK
    })
}
