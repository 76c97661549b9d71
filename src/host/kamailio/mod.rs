//! The Kamailio host: symbols of the executable, found at run time.
//!
//! Nothing here is imported at link time, so one shared object loads into every Kamailio version
//! and into programs that are not Kamailio at all.
#![allow(
    unsafe_code,
    reason = "reads variables and calls functions of the host program"
)]

mod came_in;
mod core_options;
mod counters;
pub(crate) mod described;
mod log;
#[cfg(feature = "use_dns_cache")]
pub(super) mod processes;

use std::ffi::{CStr, c_int, c_uint, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

use once_cell::sync::OnceCell;

use core_options::Offsets;

use super::options::Opt;
use super::sync::system;

pub(crate) use came_in::takeover;
pub(crate) use counters::{increment_counter, set_counter_ids};
pub(crate) use log::{highest_level, write_log};

/// Symbols of a Kamailio executable. Present only when all that we cannot do without are there.
struct Symbols {
    /// `void *core_cfg`: options of this process; replaced by the framework on every change.
    core_cfg: *const *const u8,
    /// `ticks_t get_ticks_raw(void)`; crashes before `init_timer()`.
    get_ticks_raw: unsafe extern "C" fn() -> c_uint,
    tcp_disable: *const c_int,
    tls_disable: *const c_int,
    sctp_disable: *const c_int,
    socket_types: *const c_int,
    ser_error: *mut c_int,
    offsets: Offsets,
}

// SAFETY: the pointers refer to variables of the executable, which live as long as the process;
// they are only read (ser_error: written) with plain word accesses as the host's own C code does.
unsafe impl Send for Symbols {}
// SAFETY: as above.
unsafe impl Sync for Symbols {}

static SYMBOLS: OnceCell<Option<Symbols>> = OnceCell::new();
/// `get_ticks_raw()`, once `init_dns_cache()` ran: from then on the timer exists. NULL before, and
/// outside Kamailio.
static TICKS: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// Address of a symbol of the program or of one of its libraries; NULL when there is none.
pub(crate) fn find(name: &CStr) -> *mut c_void {
    system::symbol(name)
}

/// Address of a symbol of the host; `None` when this version lacks it, and outside Kamailio.
#[must_use]
pub(crate) fn symbol(name: &CStr) -> Option<*mut c_void> {
    let address = find(name);
    (is_host() && !address.is_null()).then_some(address)
}

fn load() -> Option<Symbols> {
    let core_cfg = find(c"core_cfg");
    let ticks = find(c"get_ticks_raw");
    if core_cfg.is_null() || ticks.is_null() || find(c"default_core_cfg").is_null() {
        return None;
    }
    // SAFETY: a program that exports core_cfg, default_core_cfg and get_ticks_raw is Kamailio, where
    // the last is a function without arguments that returns an unsigned int.
    let get_ticks_raw =
        unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> c_uint>(ticks) };
    Some(Symbols {
        core_cfg: core_cfg.cast(),
        get_ticks_raw,
        tcp_disable: find(c"tcp_disable").cast(),
        tls_disable: find(c"tls_disable").cast(),
        sctp_disable: find(c"sctp_disable").cast(),
        socket_types: find(c"socket_types").cast(),
        ser_error: find(c"ser_error").cast(),
        offsets: Offsets::of_host(find(c"core_cfg_def").cast()),
    })
}

fn symbols() -> Option<&'static Symbols> {
    SYMBOLS.get_or_init(load).as_ref()
}

/// True when the program around us is Kamailio.
#[must_use]
pub(crate) fn is_host() -> bool {
    symbols().is_some()
}

/// Told by `init_dns_cache()`: the host's timer runs from here on.
pub(crate) fn set_timer_ready() {
    if let Some(symbols) = symbols() {
        TICKS.store(symbols.get_ticks_raw as *mut c_void, Ordering::Release);
    }
}

/// The host's tick counter; `None` outside Kamailio and before its timer exists.
#[must_use]
pub(crate) fn ticks() -> Option<u32> {
    let function = TICKS.load(Ordering::Acquire);
    if function.is_null() {
        return None;
    }
    // SAFETY: `set_timer_ready` put the function of this type there.
    let function =
        unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> c_uint>(function) };
    // SAFETY: init_timer() ran before init_dns_cache() called `set_timer_ready`.
    Some(unsafe { function() })
}

/// The 32-bit word at an offset of the current `struct cfg_group_core`.
fn core_word(symbols: &Symbols, offset: usize) -> Option<u32> {
    // SAFETY: core_cfg is a pointer variable of the host, never NULL once the program runs.
    let block = unsafe { symbols.core_cfg.read_volatile() };
    if block.is_null() {
        return None;
    }
    // SAFETY: the offset is that of a member of the block.
    let word = unsafe { block.add(offset) };
    // SAFETY: `word` is 4-aligned inside the block, and the host replaces blocks rather than freeing
    // the one that a process is reading.
    Some(unsafe { word.cast::<u32>().read_volatile() })
}

/// Where an option lies in a `struct cfg_group_core`, in octets; `None` outside Kamailio, and when this
/// host was built without the option.
#[must_use]
pub(crate) fn core_offset(opt: Opt) -> Option<usize> {
    let offsets = &symbols()?.offsets.options;
    offsets.get(opt as usize).copied().flatten()
}

/// The current value of an option of the core; `None` as for [`core_offset`].
#[must_use]
pub(crate) fn core_option(opt: Opt) -> Option<u32> {
    let symbols = symbols()?;
    let offset = symbols.offsets.options.get(opt as usize).copied()??;
    core_word(symbols, offset)
}

/// Where `latency_log` lies in a `struct cfg_group_core`; `None` as for [`core_offset`].
#[must_use]
pub(crate) fn latency_log_offset() -> Option<usize> {
    symbols()?.offsets.latency_log
}

/// `latency_log`: the level at which slow queries are logged; `None` outside Kamailio.
#[must_use]
pub(crate) fn latency_log() -> Option<i32> {
    let symbols = symbols()?;
    core_word(symbols, symbols.offsets.latency_log?).map(|level| level as i32)
}

/// Reads one of the host's int variables.
fn read_int(variable: impl Fn(&Symbols) -> *const c_int) -> Option<c_int> {
    let place = variable(symbols()?);
    if place.is_null() {
        return None;
    }
    // SAFETY: non-NULL, an int variable of the executable.
    Some(unsafe { place.read_volatile() })
}

/// `tcp_disable`; `None` outside Kamailio.
#[must_use]
pub(crate) fn tcp_disable() -> Option<bool> {
    read_int(|s| s.tcp_disable).map(|v| v != 0)
}

/// `tls_disable`; `None` outside Kamailio.
#[must_use]
pub(crate) fn tls_disable() -> Option<bool> {
    read_int(|s| s.tls_disable).map(|v| v != 0)
}

/// `sctp_disable`; `None` outside Kamailio.
#[must_use]
pub(crate) fn sctp_disable() -> Option<bool> {
    read_int(|s| s.sctp_disable).map(|v| v != 0)
}

/// The user that the host runs as from its forks on, by its option `-u`; `None` outside Kamailio.
#[cfg(feature = "use_dns_cache")]
#[must_use]
pub(crate) fn user() -> Option<u32> {
    int(c"uid")
}

/// True in the host's main process, and outside Kamailio.
#[cfg(feature = "use_dns_cache")]
#[must_use]
pub(crate) fn is_main_process() -> bool {
    int(c"process_no").is_none_or(|number| number == 0)
}

/// An int variable of the host, one that is not negative.
#[cfg(feature = "use_dns_cache")]
fn int(name: &CStr) -> Option<u32> {
    let place = find(name).cast::<c_int>();
    if !is_host() || place.is_null() {
        return None;
    }
    // SAFETY: an int variable of the executable.
    u32::try_from(unsafe { place.read_volatile() }).ok()
}

/// True when the host listens on an IPv6 socket; `None` outside Kamailio.
#[must_use]
pub(crate) fn has_ipv6_socket() -> Option<bool> {
    const SOCKET_T_IPV6: c_int = 2;
    read_int(|s| s.socket_types).map(|v| v & SOCKET_T_IPV6 != 0)
}

/// Ends the process, with the status of a start that failed, when all it does is check kamailio.cfg (`kamailio -c`):
/// the host does not look at the result of `resolv_init()`, and calls nothing of the library afterwards. Returns in a
/// server that starts, and outside Kamailio.
pub(crate) fn fail_check() {
    const STATUS: c_int = 255;
    let Some(checking) = symbol(c"config_check") else {
        return;
    };
    // SAFETY: an int variable of the executable.
    if unsafe { checking.cast::<c_int>().read_volatile() } == 0 {
        return;
    }
    // SAFETY: there is one thread; the host ends a check that finds no mistake in the same way.
    unsafe { libc::exit(STATUS) }
}

/// Stores the host's `ser_error`; nothing outside Kamailio.
pub(crate) fn set_ser_error(code: c_int) {
    let Some(symbols) = symbols() else { return };
    if !symbols.ser_error.is_null() {
        // SAFETY: non-NULL, an int variable of the executable that each process writes for itself.
        unsafe { symbols.ser_error.write_volatile(code) };
    }
}
