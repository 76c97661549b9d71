//! `dns.trace`: the life of lookups of some names in the log.
#![allow(unsafe_code, reason = "exported symbols")]

use std::ffi::c_void;

use super::rpc_call::{Call, report, rpc_guard};
use super::types::rpc_t;
use crate::host::follow::{self, MOST_LINES, MOST_SECONDS};
use crate::host::log::{self, Level};
use crate::rr::MAX_NAME_OCTETS;

/// Without a number, s.
const USUAL_SECONDS: u32 = 60;

fn trace(call: &Call) {
    // Not every transport complains of an argument that is missing.
    let pattern = call.scan_optional_text();
    let Some(pattern) = pattern.filter(|pattern| !pattern.is_empty()) else {
        return call.fault(400, c"A name or pattern is wanted");
    };
    let seconds = call
        .scan_optional_int()
        .map_or(Ok(USUAL_SECONDS), u32::try_from);
    let Some(seconds) = seconds.ok().filter(|&seconds| seconds <= MOST_SECONDS) else {
        return call.fault(400, c"Seconds are 0 to 3600");
    };
    if pattern.len() > MAX_NAME_OCTETS {
        return call.fault(400, c"The pattern is longer than any name");
    }
    if !follow::begin(&pattern, seconds) {
        return call.fault(500, c"Others are setting a pattern at this moment");
    }
    let logged: &[u8] = if log::enabled(Level::Info) {
        b"yes"
    } else {
        b"no: debug is below 2"
    };
    let shown = call.add_struct().and_then(|part| {
        call.field_count(part, c"seconds", seconds.into())?;
        call.field_count(part, c"lines", MOST_LINES.into())?;
        call.field_text(part, c"logged", logged)
    });
    report(call, shown);
}

/// `dns.trace`: name or pattern (`*` any octets, `?` one, letter case ignored), seconds (0 to 3600, by default 60). Until
/// then the log has, at INFO, what is done for names that fit: what the cache does not answer at once. 0 ends it. The
/// reply says for how long (`seconds`), after how many `lines` it ends before that, and whether INFO is `logged`.
///
/// # Safety
/// `rpc` is NULL or the functions of a transport, `ctx` its context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_trace_rpc(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, trace)
}
