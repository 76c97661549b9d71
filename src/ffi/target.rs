//! From C arguments to one step of the target search, and back.
#![allow(unsafe_code, reason = "out-parameters of C")]

use std::ffi::{c_char, c_int, c_ushort};
use std::net::IpAddr;

use super::ptr::PortAndProto;
use crate::cache::Cache;
use crate::host::follow::follow;
use crate::lookup::system;
use crate::select::{Cursor, Reason, SelectError, handle, sip_host};

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
    let variables = PortAndProto { port, proto };
    // SAFETY: NULL or readable by contract.
    let (mut port, mut proto) = unsafe { variables.get() };
    let found = match Cache::instance() {
        Some(_) => search(port.as_mut(), proto.as_mut()),
        None => sip_host::first_past_cache(
            name,
            port.as_mut(),
            proto.as_mut(),
            flags as u32,
            &mut system::addresses,
        ),
    };
    let address = found.map_err(|error| -(error as c_int))?;
    // SAFETY: NULL or writable by contract.
    unsafe { variables.put(port.unwrap_or(0), proto.unwrap_or(0)) };
    follow!(
        name,
        "a request goes to {address} port {} by protocol {}",
        port.unwrap_or(0),
        proto.unwrap_or(0)
    );
    Ok(address)
}
