//! The `dns.*` RPC commands.
//!
//! Nothing is locked while a reply is built: entries are walked by reference, so a transport that
//! fails half-way, or is slow, holds up nobody (B07).
#![allow(
    unsafe_code,
    reason = "exported symbols, calls of the host's RPC functions"
)]

use std::ffi::{c_int, c_void};

use super::guard::guard;
use super::handle::adopt;
use super::rpc_call::{BUSY, Call, cache, report, rpc_guard};
use super::rpc_view;
use super::types::{dns_hash_entry, rpc_t};
use crate::cache::{Cache, EntryRef};
use crate::host::options::{self, Opt};
use crate::lookup;
use crate::rr::{RecordType, matches};

/// `dns.mem_info`: a struct of `used` and `limit`, in octets.
///
/// # Safety
/// `rpc` is NULL or the functions of a transport, `ctx` its context. Holds for all commands here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_mem_info(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| {
        let Some(cache) = cache(call) else { return };
        report(call, rpc_view::memory(call, cache.usage()));
    })
}

/// `dns.debug`: a struct with the array `entries`, a struct for each.
///
/// # Safety
/// As `dns_cache_mem_info()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_debug(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| {
        let Some(cache) = cache(call) else { return };
        report(call, rpc_view::debug(call, shown(cache)));
    })
}

/// The entries that people are shown. A copy that leads a call back to another name says nothing of its own.
fn shown(cache: &Cache) -> impl Iterator<Item = EntryRef> + '_ {
    cache.entries().filter(|entry| entry.owner().is_none())
}

/// `dns.debug_all`: a struct with the array `records`, a struct for each.
///
/// # Safety
/// As `dns_cache_mem_info()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_debug_all(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| {
        let Some(cache) = cache(call) else { return };
        report(call, rpc_view::debug_all(call, shown(cache)));
    })
}

/// `dns.view`: one struct for each live entry; with a name or pattern (`*` any octets, `?` one, letter case
/// ignored) for those alone that match it.
///
/// # Safety
/// As `dns_cache_mem_info()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_view(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| {
        let Some(cache) = cache(call) else { return };
        let filter = call.scan_optional_text();
        let wanted = |e: &EntryRef| {
            filter
                .as_deref()
                .is_none_or(|pattern| matches(pattern, e.name()))
        };
        let now = crate::host::clock::now_ticks();
        let live = |e: &EntryRef| e.is_permanent() || !e.is_expired(now);
        let mut entries = shown(cache).filter(live).filter(wanted);
        report(
            call,
            entries.try_for_each(|e| rpc_view::walked_entry(call, &e)),
        );
    })
}

/// Adds one struct that describes an entry to a reply; 0, or -1 when the transport refused.
///
/// # Safety
/// As `dns_cache_mem_info()`; `e` is NULL or an entry that the caller holds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_print_entry(
    rpc: *mut rpc_t,
    ctx: *mut c_void,
    e: *mut dns_hash_entry,
) -> c_int {
    guard!(-1, {
        // SAFETY: the contract is the caller's.
        let Some(call) = (unsafe { Call::new(rpc, ctx) }) else {
            return -1;
        };
        // SAFETY: the caller holds the reference, which is given back below.
        let Some(entry) = (unsafe { adopt(e) }) else {
            return -1;
        };
        // The caller keeps its reference, also if the description panics.
        let entry = std::mem::ManuallyDrop::new(entry);
        if rpc_view::entry(&call, &entry).is_ok() {
            0
        } else {
            -1
        }
    })
}

/// `dns.lookup`: type, name; asks the nameservers if need be.
///
/// # Safety
/// As `dns_cache_mem_info()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_rpc_lookup(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| {
        let Some(_) = cache(call) else { return };
        let (Some(type_name), Some(name)) = (call.scan_text(), call.scan_text()) else {
            return;
        };
        let Some(rtype) = rpc_view::type_number(&type_name) else {
            call.fault(400, c"Invalid type");
            return;
        };
        match lookup::entry(&name, rtype, super::resolve::current_flags()) {
            Ok((entry, _)) => report(call, rpc_view::entry(call, &entry)),
            Err(_) => call.fault(400, c"Not found"),
        }
    })
}

fn flush(call: &Call, permanent_too: bool) {
    let Some(cache) = cache(call) else { return };
    let is_empty = cache.flush(permanent_too);
    lookup::forget_failures();
    if !is_empty {
        return call.fault(500, BUSY);
    }
    let status = call
        .add_struct()
        .and_then(|part| call.field_text(part, c"status", b"ok"));
    report(call, status);
}

/// `dns.delete_all`: drops all entries but permanent ones.
///
/// # Safety
/// As `dns_cache_mem_info()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_delete_all(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| flush(call, false))
}

/// `dns.delete_all_force`: drops all entries.
///
/// # Safety
/// As `dns_cache_mem_info()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_delete_all_force(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| flush(call, true))
}

fn delete(call: &Call, rtype: RecordType) {
    let Some(_) = cache(call) else { return };
    let Some(name) = call.scan_text() else { return };
    match lookup::delete(&name, rtype) {
        Ok(()) => {}
        Err(lookup::EditError::Permanent) => {
            call.fault(400, c"Permanent entries cannot be deleted");
        }
        Err(lookup::EditError::Busy) => call.fault(500, BUSY),
        Err(_) => call.fault(400, c"Not found"),
    }
}

/// `dns.delete_a`: name.
///
/// # Safety
/// As `dns_cache_mem_info()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_delete_a(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| delete(call, RecordType::A))
}

/// `dns.delete_aaaa`: name.
///
/// # Safety
/// As `dns_cache_mem_info()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_delete_aaaa(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| delete(call, RecordType::AAAA))
}

/// `dns.delete_srv`: name.
///
/// # Safety
/// As `dns_cache_mem_info()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_delete_srv(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| delete(call, RecordType::SRV))
}

/// `dns.delete_naptr`: name.
///
/// # Safety
/// As `dns_cache_mem_info()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_delete_naptr(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| delete(call, RecordType::NAPTR))
}

/// `dns.delete_cname`: name.
///
/// # Safety
/// As `dns_cache_mem_info()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_delete_cname(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| delete(call, RecordType::CNAME))
}

/// `dns.delete_txt`: name.
///
/// # Safety
/// As `dns_cache_mem_info()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_delete_txt(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| delete(call, RecordType::TXT))
}

/// `dns.delete_ebl`: name.
///
/// # Safety
/// As `dns_cache_mem_info()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_delete_ebl(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| delete(call, RecordType::EBL))
}

/// `dns.delete_ptr`: name.
///
/// # Safety
/// As `dns_cache_mem_info()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_delete_ptr(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| delete(call, RecordType::PTR))
}

/// Adds a record; the arguments were read before.
fn add(call: &Call, rtype: RecordType, edit: Option<lookup::RecordEdit<'_>>) {
    let Some(edit) = edit else { return };
    super::settings::sync();
    let off = !options::on(Opt::UseCache);
    match lookup::add_record(rtype, &edit) {
        Ok(()) if !off => {}
        Err(lookup::EditError::Busy) => call.fault(500, BUSY),
        Ok(()) | Err(_) => call.fault(400, c"Failed to add the entry to the cache"),
    }
}

fn add_address(call: &Call, rtype: RecordType) {
    let (Some(name), Some(ttl)) = (call.scan_text(), call.scan_int()) else {
        return;
    };
    let (Some(value), Some(flags)) = (call.scan_text(), call.scan_int()) else {
        return;
    };
    let edit = super::cache::edit(&name, ttl, &value, (0, 0, 0), flags);
    if edit.is_none() {
        call.fault(400, c"Failed to add the entry to the cache");
    }
    add(call, rtype, edit);
}

/// `dns.add_a`: name, TTL in seconds, address, flags.
///
/// # Safety
/// As `dns_cache_mem_info()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_add_a(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| add_address(call, RecordType::A))
}

/// `dns.add_aaaa`: name, TTL in seconds, address, flags.
///
/// # Safety
/// As `dns_cache_mem_info()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_add_aaaa(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| add_address(call, RecordType::AAAA))
}

fn add_srv(call: &Call) {
    let (Some(name), Some(ttl)) = (call.scan_text(), call.scan_int()) else {
        return;
    };
    let numbers = (call.scan_int(), call.scan_int(), call.scan_int());
    let (Some(priority), Some(weight), Some(port)) = numbers else {
        return;
    };
    let (Some(target), Some(flags)) = (call.scan_text(), call.scan_int()) else {
        return;
    };
    let edit = super::cache::edit(&name, ttl, &target, (priority, weight, port), flags);
    if edit.is_none() {
        call.fault(400, c"Failed to add the entry to the cache");
    }
    add(call, RecordType::SRV, edit);
}

/// `dns.add_srv`: name, TTL in seconds, priority, weight, port, target, flags.
///
/// # Safety
/// As `dns_cache_mem_info()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_add_srv(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, add_srv)
}

/// `dns.set_server_state`: 1 = the nameservers are up, 0 = down.
///
/// # Safety
/// As `dns_cache_mem_info()`.
#[cfg(feature = "dns_watchdog_support")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_set_server_state_rpc(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| {
        if let Some(state) = call.scan_int() {
            lookup::watchdog::set_servers_up(state != 0);
        }
    })
}

/// `dns.get_server_state`: 1 = the nameservers count as up, 0 = as down.
///
/// # Safety
/// As `dns_cache_mem_info()`.
#[cfg(feature = "dns_watchdog_support")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_get_server_state_rpc(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| {
        report(
            call,
            call.add_int(i32::from(lookup::watchdog::servers_up())),
        );
    })
}
