//! `dns.explain` and `dns_explain()`: why a URI leads where it leads.
#![allow(unsafe_code, reason = "exported symbols, calls back")]

use std::ffi::{c_char, c_int, c_void};

use super::codes::{E_DNS_INTERNAL_ERR, E_DNS_UNKNOWN};
use super::guard::guard;
use super::rpc_call::{Call, ReplyFailed, c_string, report, rpc_guard};
use super::types::rpc_t;
use super::{ptr, resolve};
use crate::host::metrics;
use crate::select::explain::{Explanation, Line, Subject, explain};
use crate::select::sip_uri::{self, UriError};

/// Takes one line of an explanation: its distance from the root of the tree, what it is about (`uri`,
/// `option`, `naptr`, `srv`, `address`, `target`, `error`) and what it says; the texts are valid during the
/// call. `data` is what was given to `dns_explain()`.
#[allow(non_camel_case_types, reason = "C name")]
pub type dns_explain_line = Option<
    unsafe extern "C" fn(
        data: *mut c_void,
        depth: c_int,
        subject: *const c_char,
        text: *const c_char,
    ),
>;

/// Explains where a request to a SIP URI goes: which records were found or not and whether in the cache,
/// which were chosen or not and why, which options decided, and in the end the targets in the order of
/// use. Calls `line` for each line. Number of targets, or a negative number for `dns_strerror()` when
/// the text is no SIP URI.
///
/// `flags` are `DNS_*`; -1 = those that the options give. Records that are not cached are asked for, also behind
/// branches that a call would reach by failover only, so that this may take as long as many lookups. The counters count
/// none of that, nor what other threads of this process do meanwhile.
///
/// # Safety
/// `uri` is NULL or NUL-terminated; `line` is NULL or may be called with `data`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_explain(
    uri: *const c_char,
    flags: c_int,
    line: dns_explain_line,
    data: *mut c_void,
) -> c_int {
    guard!(-E_DNS_INTERNAL_ERR, {
        super::settings::sync();
        // SAFETY: the contract is the caller's.
        let Some(Ok(destination)) = (unsafe { ptr::c_text(uri) }).map(sip_uri::parse) else {
            return -E_DNS_UNKNOWN;
        };
        let flags = u32::try_from(flags).unwrap_or_else(|_| resolve::current_flags());
        let explanation = metrics::uncounted(|| explain(&destination, flags));
        if let Some(line) = line {
            for said in &explanation.lines {
                let subject = c_string(said.subject.word().as_bytes());
                let text = c_string(said.text.as_bytes());
                // SAFETY: the caller's function, with its data and texts that live during the call.
                unsafe { line(data, said.depth as c_int, subject.as_ptr(), text.as_ptr()) };
            }
        }
        explanation.targets as c_int
    })
}

/// A line as RPC shows it: indented, with its subject.
fn rpc_line(line: &Line) -> String {
    let indent = "  ".repeat(line.depth);
    format!("{indent}{}: {}", line.subject.word(), line.text)
}

fn show(call: &Call, uri: &[u8], explanation: &Explanation) -> Result<(), ReplyFailed> {
    let whole = call.add_struct()?;
    call.field_text(whole, c"uri", uri)?;
    let outcome = |line: &&Line| matches!(line.subject, Subject::Target | Subject::Error);
    let tree = call.field_array(whole, c"tree")?;
    for line in explanation.lines.iter().filter(|line| !outcome(line)) {
        call.array_text(tree, rpc_line(line).as_bytes())?;
    }
    let targets = call.field_array(whole, c"targets")?;
    for line in explanation.lines.iter().filter(outcome) {
        call.array_text(targets, line.text.as_bytes())?;
    }
    Ok(())
}

/// `dns.explain`: a SIP URI. A struct of `uri`, the array `tree` (texts, indented: the records that were
/// found or not, chosen or not, and why) and the array `targets` (texts, in the order of use). Asks for what
/// is not cached; the counters count none of that.
///
/// # Safety
/// `rpc` is NULL or the functions of a transport, `ctx` its context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_explain_rpc(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| {
        if super::rpc_call::cache(call).is_none() {
            return;
        }
        // Not every transport complains of an argument that is missing.
        let Some(uri) = call.scan_optional_text() else {
            return call.fault(400, c"A SIP URI is wanted");
        };
        match sip_uri::parse(&uri) {
            Ok(destination) => {
                let flags = resolve::current_flags();
                let explanation = metrics::uncounted(|| explain(&destination, flags));
                report(call, show(call, &uri, &explanation));
            }
            Err(UriError::Scheme) => call.fault(400, c"Not a SIP URI"),
            Err(UriError::Host) => call.fault(400, c"Bad host in the URI"),
            Err(UriError::Port) => call.fault(400, c"Bad port in the URI"),
            Err(UriError::Transport) => call.fault(400, c"Bad transport in the URI"),
        }
    })
}
