//! `dns.save`, `dns.load`, `dns.snapshot`: the snapshot of the cache. None takes a path: the file is that of the option.
#![allow(unsafe_code, reason = "exported symbols")]

use std::ffi::{CString, c_void};

use super::rpc_call::{Call, ReplyFailed, cache, report, rpc_guard};
use super::rpc_view::type_name;
use super::types::rpc_t;
use crate::lookup::saved::{self, Saved, SavedSet};
use crate::lookup::snapshot::{self, Count, Trouble};
use crate::rr::matches;

fn answer(call: &Call, work: impl FnOnce() -> Result<Count, Trouble>, is_load: bool) {
    if cache(call).is_none() {
        return;
    }
    let count = match work() {
        Ok(count) => count,
        Err(trouble) => return refuse(call, &trouble),
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

fn refuse(call: &Call, trouble: &Trouble) {
    // No directive of printf is in it: a path is not, nor what somebody wrote.
    let text = trouble.to_string().replace('%', " ");
    call.fault(400, &CString::new(text).unwrap_or_default());
}

/// Sets that one reply shows: with a pattern there are fewer.
const MOST_SETS: usize = 500;

/// `dns.snapshot`: name or pattern, optional. Shows the file of `dns_snapshot` in words: a struct of how long ago it
/// was written (`age`, s), its length (`octets`), the `record_sets` in it, those of them that fit (`fitting`) and that
/// are `shown`, and those that are `unreadable`; then one for each set: `name`, `type`, `expires` (s, negative when
/// that was ago), `last_used` (s before it was saved; none when it never was) and the array `records`.
pub(super) fn describe(call: &Call) {
    // Not every transport complains of an argument that is missing.
    let pattern = call.scan_optional_text();
    let fits = |name: &[u8]| {
        pattern
            .as_deref()
            .is_none_or(|wanted| matches(wanted, name))
    };
    match saved::read(MOST_SETS, fits) {
        Ok(saved) => report(call, show(call, &saved)),
        Err(trouble) => refuse(call, &trouble),
    }
}

fn show(call: &Call, saved: &Saved) -> Result<(), ReplyFailed> {
    let part = call.add_struct()?;
    call.field_count(part, c"age", saved.age_s)?;
    call.field_count(part, c"octets", saved.octets)?;
    call.field_count(part, c"record_sets", saved.count)?;
    call.field_count(part, c"fitting", saved.fitting)?;
    call.field_count(part, c"shown", saved.sets.len() as u64)?;
    call.field_count(part, c"unreadable", saved.unreadable)?;
    saved.sets.iter().try_for_each(|set| show_set(call, set))
}

fn show_set(call: &Call, set: &SavedSet) -> Result<(), ReplyFailed> {
    let part = call.add_struct()?;
    call.field_text(part, c"name", set.name.as_bytes())?;
    call.field_text(part, c"type", type_name(set.rtype).as_bytes())?;
    let least = i64::from(i32::MIN);
    let expires = set.expires_in_s.clamp(least, i32::MAX.into()) as i32;
    call.field_int(part, c"expires", expires)?;
    if let Some(idle_s) = set.idle_s {
        call.field_count(part, c"last_used", idle_s.into())?;
    }
    let records = call.field_array(part, c"records")?;
    set.records
        .iter()
        .try_for_each(|record| call.array_text(records, record))
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
