//! From C arguments to one step of the target search, and back.
#![allow(unsafe_code, reason = "out-parameters of C")]

use std::ffi::{c_char, c_int, c_ushort};
use std::net::IpAddr;

use super::codes::{E_DNS_NO_NAPTR, E_DNS_NO_SRV};
use super::ptr::PortAndProto;
use super::resolve;
use super::types::_str;
use crate::cache::Cache;
use crate::select::flags::TRY_NAPTR;
use crate::select::{Cursor, Reason, SelectError, handle};

/// Next target of a cursor. The out-parameters are written on success only (B59).
///
/// # Safety
/// `port` and `proto` are each NULL or readable and writable.
pub(crate) unsafe fn next(
    cursor: &mut Cursor,
    name: &[u8],
    port: *mut c_ushort,
    proto: *mut c_char,
    flags: c_int,
    reason: Option<&mut Reason>,
) -> Result<IpAddr, c_int> {
    let flags = super::settings::sync_flags(flags, || cursor.at.is_started());
    // SAFETY: the contract is the caller's.
    unsafe {
        step(name, port, proto, flags, |port, proto| {
            handle::resolve(cursor, name, port, proto, flags as u32, reason)
        })
    }
}

/// Runs one step of a search with the values of `port` and `proto`, and stores what they became.
///
/// # Safety
/// As [`next`].
#[inline(always)]
pub(crate) unsafe fn step(
    name: &[u8],
    port: *mut c_ushort,
    proto: *mut c_char,
    flags: c_int,
    search: impl FnOnce(Option<&mut u16>, Option<&mut u8>) -> Result<IpAddr, SelectError>,
) -> Result<IpAddr, c_int> {
    if Cache::instance().is_none() {
        // SAFETY: the contract is the caller's.
        return unsafe { without_cache(name, port, proto, flags) };
    }
    let variables = PortAndProto { port, proto };
    // SAFETY: NULL or readable by contract.
    let (mut port, mut proto) = unsafe { variables.get() };
    let address = search(port.as_mut(), proto.as_mut()).map_err(|error| -(error as c_int))?;
    // SAFETY: NULL or writable by contract.
    unsafe { variables.put(port.unwrap_or(0), proto.unwrap_or(0)) };
    Ok(address)
}

/// Without a cache there is nothing that a handle could hold: one address, and no other after it.
///
/// # Safety
/// As `next()`.
unsafe fn without_cache(
    name: &[u8],
    port: *mut c_ushort,
    proto: *mut c_char,
    flags: c_int,
) -> Result<IpAddr, c_int> {
    let name = _str {
        s: name.as_ptr().cast_mut().cast(),
        len: name.len() as c_int,
    };
    // SAFETY: the name is readable, the rest is the caller's contract.
    let host = unsafe { resolve::sip_host(&raw const name, port, proto, resolve::uncached_way()) };
    let code = if flags as u32 & TRY_NAPTR != 0 {
        -E_DNS_NO_NAPTR
    } else {
        -E_DNS_NO_SRV
    };
    host.and_then(|host| host.addresses.first().copied())
        .ok_or(code)
}
