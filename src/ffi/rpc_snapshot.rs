//! `dns.save`, `dns.load`: the snapshot of the cache. Neither takes a path: the file is that of the option.
#![allow(unsafe_code, reason = "exported symbols")]

use std::ffi::{CString, c_void};

use super::rpc_call::{Call, cache, report, rpc_guard};
use super::types::rpc_t;
use crate::lookup::snapshot::{self, Count, Trouble};

fn answer(call: &Call, work: impl FnOnce() -> Result<Count, Trouble>, is_load: bool) {
    if cache(call).is_none() {
        return;
    }
    let count = match work() {
        Ok(count) => count,
        Err(trouble) => {
            // No directive of printf is in it: a path is not, nor what somebody wrote.
            let text = trouble.to_string().replace('%', " ");
            return call.fault(400, &CString::new(text).unwrap_or_default());
        }
    };
    let shown = call.add_struct().and_then(|part| {
        call.field_count(part, c"record_sets", count.sets)?;
        if is_load {
            call.field_count(part, c"left_out", count.left_out)?;
        }
        call.field_count(part, c"octets", count.octets)
    });
    report(call, shown);
}

/// `dns.save`: saves what the cache holds to the file of `dns_snapshot`, now. The reply says how many record sets, and how
/// many octets the file has.
///
/// # Safety
/// `rpc` is NULL or the functions of a transport, `ctx` its context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_save_rpc(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| answer(call, snapshot::save, false))
}

/// `dns.load`: loads the file of `dns_snapshot` as expired records; nothing that is live gives way. The reply says how
/// many record sets came and how many were left out.
///
/// # Safety
/// As of [`dns_save_rpc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_load_rpc(rpc: *mut rpc_t, ctx: *mut c_void) {
    let load = || snapshot::load().map(|(count, _)| count);
    rpc_guard!(rpc, ctx, |call| answer(call, load, true))
}
