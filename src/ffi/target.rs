//! From C arguments to one step of the target search, and back.
#![allow(unsafe_code, reason = "out-parameters of C")]

use std::ffi::{c_char, c_int, c_ushort};
use std::net::IpAddr;

use super::ptr;
use crate::select::{Cursor, Reason, handle};

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
    super::settings::sync();
    // SAFETY: NULL or readable by contract.
    let mut port_value = unsafe { ptr::get(port) };
    // SAFETY: NULL or readable by contract; exactly one octet, whatever the caller's variable is.
    let mut proto_value = unsafe { ptr::get(proto.cast::<u8>()) };
    let address = handle::resolve(
        cursor,
        name,
        port_value.as_mut(),
        proto_value.as_mut(),
        flags as u32,
        reason,
    )
    .map_err(|error| -(error as c_int))?;
    if let Some(value) = port_value {
        // SAFETY: NULL or writable by contract.
        unsafe { ptr::put(port, value) };
    }
    if let Some(value) = proto_value {
        // SAFETY: NULL or writable by contract; one octet.
        unsafe { ptr::put(proto.cast::<u8>(), value) };
    }
    Ok(address)
}
