//! The `dns.*` RPC commands.
//!
//! Nothing is locked while a reply is built: entries are walked by reference, so a transport that
//! fails half-way, or is slow, holds up nobody (B07).
#![allow(
    unsafe_code,
    reason = "exported symbols, calls of the host's RPC functions"
)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::null_mut;

use super::guard::guard;
use super::handle::adopt;
use super::ptr;
use super::rpc_view;
use super::types::{_str, dns_hash_entry, rpc_t};
use crate::cache::{Cache, EntryRef};
use crate::host::options::{self, Opt};
use crate::lookup;
use crate::rr::RecordType;

/// An RPC call: the transport's functions and its context.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    functions: rpc_t,
    context: *mut c_void,
}

/// The reply could not be built; the transport has said why, or is told so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplyFailed;

/// A struct or array of a reply.
#[derive(Clone, Copy)]
pub(crate) struct Part(*mut c_void);

fn check(result: c_int) -> Result<(), ReplyFailed> {
    if result < 0 { Err(ReplyFailed) } else { Ok(()) }
}

fn format(text: &CStr) -> *mut c_char {
    text.as_ptr().cast_mut()
}

/// Text for a C string value; cut at a NUL.
pub(crate) fn c_string(text: &[u8]) -> CString {
    let end = text.iter().position(|&o| o == 0).unwrap_or(text.len());
    CString::new(text.get(..end).unwrap_or_default()).unwrap_or_default()
}

impl Call {
    /// # Safety
    /// `rpc` is NULL or a table of functions that take `context`.
    unsafe fn new(rpc: *mut rpc_t, context: *mut c_void) -> Option<Self> {
        // SAFETY: the contract is the caller's.
        let functions = unsafe { ptr::get(rpc) }?;
        Some(Self { functions, context })
    }

    /// Refuses the call.
    pub(crate) fn fault(&self, code: c_int, text: &CStr) {
        if let Some(fault) = self.functions.fault {
            // SAFETY: the transport's function, with its context and a text without directives.
            unsafe { fault(self.context, code, format(text)) };
        }
    }

    #[cfg(feature = "dns_watchdog_support")]
    pub(crate) fn add_int(&self, value: i32) -> Result<(), ReplyFailed> {
        let add = self.functions.add.ok_or(ReplyFailed)?;
        // SAFETY: `d` takes an int.
        check(unsafe { add(self.context, format(c"d"), value) })
    }

    pub(crate) fn add_struct(&self) -> Result<Part, ReplyFailed> {
        let add = self.functions.add.ok_or(ReplyFailed)?;
        let mut part: *mut c_void = null_mut();
        // SAFETY: `{` takes a place for a pointer.
        check(unsafe { add(self.context, format(c"{"), &raw mut part) })?;
        Ok(Part(part))
    }

    pub(crate) fn field_int(&self, part: Part, name: &CStr, value: i32) -> Result<(), ReplyFailed> {
        let add = self.functions.struct_add.ok_or(ReplyFailed)?;
        // SAFETY: `d` takes a name and an int.
        check(unsafe { add(part.0, format(c"d"), name.as_ptr(), value) })
    }

    /// A count: an int as long as it fits, so that all transports show it as one.
    pub(crate) fn field_count(
        &self,
        part: Part,
        name: &CStr,
        value: u64,
    ) -> Result<(), ReplyFailed> {
        if let Ok(small) = i32::try_from(value) {
            return self.field_int(part, name, small);
        }
        let add = self.functions.struct_add.ok_or(ReplyFailed)?;
        // SAFETY: `J` takes a name and an unsigned long long.
        check(unsafe { add(part.0, format(c"J"), name.as_ptr(), value) })
    }

    pub(crate) fn field_text(
        &self,
        part: Part,
        name: &CStr,
        value: &[u8],
    ) -> Result<(), ReplyFailed> {
        let add = self.functions.struct_add.ok_or(ReplyFailed)?;
        let value = c_string(value);
        // SAFETY: `s` takes a name and a NUL-terminated text, which live during the call.
        check(unsafe { add(part.0, format(c"s"), name.as_ptr(), value.as_ptr()) })
    }

    /// As `field_text`, given as a counted string.
    pub(crate) fn field_counted(
        &self,
        part: Part,
        name: &CStr,
        value: &[u8],
    ) -> Result<(), ReplyFailed> {
        let add = self.functions.struct_add.ok_or(ReplyFailed)?;
        let terminated = c_string(value);
        let mut counted = _str {
            s: terminated.as_ptr().cast_mut(),
            len: terminated.as_bytes().len() as c_int,
        };
        // SAFETY: `S` takes a name and a `str *`, which live during the call.
        check(unsafe { add(part.0, format(c"S"), name.as_ptr(), &raw mut counted) })
    }

    pub(crate) fn field_array(&self, part: Part, name: &CStr) -> Result<Part, ReplyFailed> {
        let add = self.functions.struct_add.ok_or(ReplyFailed)?;
        let mut array: *mut c_void = null_mut();
        // SAFETY: `[` takes a name and a place for a pointer.
        check(unsafe { add(part.0, format(c"["), name.as_ptr(), &raw mut array) })?;
        Ok(Part(array))
    }

    pub(crate) fn array_struct(&self, array: Part) -> Result<Part, ReplyFailed> {
        let add = self.functions.array_add.ok_or(ReplyFailed)?;
        let mut part: *mut c_void = null_mut();
        // SAFETY: `{` takes a place for a pointer.
        check(unsafe { add(array.0, format(c"{"), &raw mut part) })?;
        Ok(Part(part))
    }

    pub(crate) fn array_text(&self, array: Part, value: &[u8]) -> Result<(), ReplyFailed> {
        let add = self.functions.array_add.ok_or(ReplyFailed)?;
        let value = c_string(value);
        // SAFETY: `s` takes a NUL-terminated text, which lives during the call.
        check(unsafe { add(array.0, format(c"s"), value.as_ptr()) })
    }

    /// Reads a text argument; `None` when it is missing (the transport has complained then).
    pub(crate) fn scan_text(&self) -> Option<Vec<u8>> {
        self.scan_counted(c"S")
    }

    /// Reads a text argument that may be missing.
    pub(crate) fn scan_optional_text(&self) -> Option<Vec<u8>> {
        self.scan_counted(c"*S")
    }

    fn scan_counted(&self, wanted: &CStr) -> Option<Vec<u8>> {
        let scan = self.functions.scan?;
        let mut value = _str {
            s: null_mut(),
            len: 0,
        };
        // SAFETY: `S` takes a `str *` to fill; `*` before it says that it may be missing.
        if unsafe { scan(self.context, format(wanted), &raw mut value) } < 1 {
            return None;
        }
        // SAFETY: filled by the transport with text that lives as long as the call.
        unsafe { ptr::text(&raw const value) }.map(<[u8]>::to_vec)
    }

    /// As [`Self::scan_text`], asked for as a C string.
    #[cfg(feature = "use_dns_cache_stats")]
    pub(crate) fn scan_c_text(&self) -> Option<Vec<u8>> {
        let scan = self.functions.scan?;
        let mut value: *mut c_char = null_mut();
        // SAFETY: `s` takes a place for a text.
        if unsafe { scan(self.context, format(c"s"), &raw mut value) } < 1 {
            return None;
        }
        // SAFETY: filled by the transport with a NUL-terminated text that lives as long as the call.
        unsafe { ptr::c_text(value) }.map(<[u8]>::to_vec)
    }

    /// Reads a number; `None` when it is missing.
    pub(crate) fn scan_int(&self) -> Option<c_int> {
        let scan = self.functions.scan?;
        let mut value: c_int = 0;
        // SAFETY: `d` takes an int to fill.
        (unsafe { scan(self.context, format(c"d"), &raw mut value) } >= 1).then_some(value)
    }
}

/// The cache, or a fault when it is switched off.
pub(crate) fn cache(call: &Call) -> Option<&'static Cache> {
    super::settings::sync();
    let cache = Cache::instance().filter(|_| options::on(Opt::UseCache));
    if cache.is_none() {
        call.fault(500, c"dns cache support disabled (see use_dns_cache)");
    }
    cache
}

pub(crate) fn report(call: &Call, result: Result<(), ReplyFailed>) {
    if result.is_err() {
        call.fault(500, c"Internal error creating the reply");
    }
}

/// Wraps a command: a call without functions is ignored.
///
/// # Safety
/// As [`Call::new`].
pub(crate) unsafe fn serve(rpc: *mut rpc_t, context: *mut c_void, command: impl FnOnce(&Call)) {
    // SAFETY: the contract is the caller's.
    if let Some(call) = unsafe { Call::new(rpc, context) } {
        command(&call);
    }
}

/// The body of an exported command: [`serve`] in a panic guard. The contract is that of `serve`.
macro_rules! rpc_guard {
    ($rpc:expr, $context:expr, $command:expr) => {
        $crate::ffi::guard::guard!((), {
            // SAFETY: the contract is that of the exported function.
            unsafe { $crate::ffi::rpc::serve($rpc, $context, $command) }
        })
    };
}
pub(crate) use rpc_guard;

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
                .is_none_or(|pattern| rpc_view::matches(pattern, e.name()))
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
    cache.flush(permanent_too);
    lookup::forget_failures();
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
    if off || lookup::add_record(rtype, &edit).is_err() {
        call.fault(400, c"Failed to add the entry to the cache");
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
