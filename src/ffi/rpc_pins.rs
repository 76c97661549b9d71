//! `dns.pin`, `dns.unpin`, `dns.pins`: names that are never cold.
#![allow(unsafe_code, reason = "exported symbols")]

use std::ffi::c_void;

use super::rpc_call::{Call, ReplyFailed, cache, report, rpc_guard};
use super::rpc_view::type_name;
use super::types::rpc_t;
use crate::lookup::pins::{self, By, Failed, NotPinned, Pin, Whole};
use crate::rr::RecordType;
use crate::select::pins::destination;
use crate::select::sip_uri::UriError;

/// The name that a command is about; a fault where there is none.
fn name(call: &Call) -> Option<Vec<u8>> {
    cache(call)?;
    // Not every transport complains of an argument that is missing.
    let name = call.scan_optional_text().filter(|name| !name.is_empty());
    if name.is_none() {
        call.fault(400, c"A name or SIP URI is wanted");
    }
    name
}

fn status(call: &Call, text: &[u8]) {
    let shown = call
        .add_struct()
        .and_then(|part| call.field_text(part, c"status", text));
    report(call, shown);
}

fn pin(call: &Call) {
    let Some(name) = name(call) else { return };
    match destination(&name) {
        Ok(_) => {}
        Err(UriError::Scheme) => return call.fault(400, c"Not a SIP URI"),
        Err(UriError::Host) => return call.fault(400, c"Bad host in the URI"),
        Err(UriError::Port) => return call.fault(400, c"Bad port in the URI"),
        Err(UriError::Transport) => return call.fault(400, c"Bad transport in the URI"),
    }
    match pins::add(&name, By::Command) {
        Ok(true) => status(call, b"pinned"),
        Ok(false) => status(call, b"was pinned"),
        Err(NotPinned::Full) => call.fault(400, c"256 names are pinned, no more have room"),
        Err(NotPinned::TooLong) => call.fault(400, c"Longer than a pin may be"),
    }
}

fn unpin(call: &Call) {
    let Some(name) = name(call) else { return };
    if pins::remove(&name) {
        status(call, b"not pinned any more");
    } else {
        call.fault(400, c"Not pinned");
    }
}

fn reason(failed: Failed) -> String {
    let rtype = type_name(RecordType(failed.rtype));
    let what = match (failed.is_absent, failed.was_said) {
        (true, _) => "there are none",
        (false, true) => "the nameserver failed",
        (false, false) => "no answer that can be used",
    };
    format!("{rtype}: {what}")
}

fn show(call: &Call, pin: &Pin) -> Result<(), ReplyFailed> {
    let part = call.add_struct()?;
    call.field_text(part, c"name", &pin.text)?;
    let by: &[u8] = match pin.by {
        By::Option => b"option",
        By::File => b"file",
        By::Command => b"command",
    };
    call.field_text(part, c"by", by)?;
    let state: &[u8] = match pin.whole {
        Whole::NotYet => b"asked for",
        Whole::Yes => b"fresh",
        Whole::No => b"failed",
    };
    call.field_text(part, c"state", state)?;
    if let Some(seconds) = pin.whole_ago_s {
        call.field_count(part, c"age", seconds)?;
    }
    if let Some(seconds) = pin.expires_in_s {
        call.field_int(part, c"expires", seconds)?;
    }
    if let Some((failed, seconds)) = pin.failed {
        call.field_text(part, c"failure", reason(failed).as_bytes())?;
        call.field_count(part, c"failure_age", seconds)?;
    }
    Ok(())
}

/// `dns.pin`: name or SIP URI, whose NAPTR, SRV and address records are fetched at once and kept
/// fresh, whether used or not, until `dns.unpin` or the end of the program.
///
/// # Safety
/// `rpc` is NULL or the functions of a transport, `ctx` its context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_pin_rpc(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, pin)
}

/// `dns.unpin`: name or SIP URI, as it was pinned. The records live on as those of any other name.
///
/// # Safety
/// As of [`dns_pin_rpc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_unpin_rpc(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, unpin)
}

/// `dns.pins`: a struct for each pinned name: `name`, `by` (option, file, command), `state` (asked for, fresh, failed), `age` (s
/// since all that belongs to it was there last), `expires` (s until its first record does), and of what could not be had
/// last `failure` and `failure_age` (s).
///
/// # Safety
/// As of [`dns_pin_rpc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_pins_rpc(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| {
        if cache(call).is_some() {
            report(call, pins::all().iter().try_for_each(|pin| show(call, pin)));
        }
    })
}
