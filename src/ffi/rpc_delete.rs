//! `dns.delete` and `dns.delete_below`: all that the cache has on a name, or below a domain.
#![allow(unsafe_code, reason = "exported symbols")]

use std::ffi::c_void;

use super::rpc_call::{BUSY, Call, cache, report, rpc_guard};
use super::types::rpc_t;
use crate::lookup::{self, Deleted, EditError};

fn answer(call: &Call, delete: impl FnOnce(&[u8]) -> Result<Deleted, EditError>) {
    let Some(_) = cache(call) else { return };
    // Not every transport complains of an argument that is missing.
    let Some(name) = call.scan_optional_text() else {
        return call.fault(400, c"A name is wanted");
    };
    let deleted = match delete(&name) {
        Ok(deleted) => deleted,
        Err(EditError::Permanent) => {
            return call.fault(400, c"Permanent entries cannot be deleted");
        }
        Err(EditError::Busy) => return call.fault(500, BUSY),
        Err(_) => return call.fault(400, c"Not found"),
    };
    let shown = call.add_struct().and_then(|part| {
        call.field_count(part, c"deleted", deleted.entries as u64)?;
        call.field_count(part, c"permanent", deleted.permanent as u64)
    });
    report(call, shown);
}

/// `dns.delete`: name. Drops all entries of the name, of every type, but permanent ones; failures are forgotten. The
/// reply says how many went (`deleted`) and how many permanent ones stay (`permanent`).
///
/// # Safety
/// `rpc` is NULL or the functions of a transport, `ctx` its context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_delete_rpc(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| answer(call, lookup::delete_name))
}

/// `dns.delete_below`: domain. As `dns.delete`, for the domain and all names below it.
///
/// # Safety
/// As of [`dns_delete_rpc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_delete_below_rpc(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| answer(call, lookup::delete_below))
}
