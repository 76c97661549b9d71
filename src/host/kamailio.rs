//! The Kamailio host: symbols of the executable, found at run time.
//!
//! Nothing here is imported at link time, so one shared object loads into every Kamailio version
//! and into programs that are not Kamailio at all.
#![allow(
    unsafe_code,
    reason = "reads variables and calls functions of the host program"
)]

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use once_cell::sync::OnceCell;

use super::counters::Counter;

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
}

// SAFETY: the pointers refer to variables of the executable, which live as long as the process;
// they are only read (ser_error: written) with plain word accesses as the host's own C code does.
unsafe impl Send for Symbols {}
// SAFETY: as above.
unsafe impl Sync for Symbols {}

static SYMBOLS: OnceCell<Option<Symbols>> = OnceCell::new();
/// Set once `init_dns_cache()` ran: from then on the timer exists.
static TIMER_READY: AtomicBool = AtomicBool::new(false);

fn find(name: &CStr) -> *mut c_void {
    // SAFETY: dlsym only reads the NUL-terminated name.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
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
    })
}

fn symbols() -> Option<&'static Symbols> {
    SYMBOLS.get_or_init(load).as_ref()
}

/// True when the program around us is Kamailio.
#[must_use]
pub fn is_host() -> bool {
    symbols().is_some()
}

/// Told by `init_dns_cache()`: the host's timer runs from here on.
pub fn set_timer_ready() {
    TIMER_READY.store(true, Ordering::Relaxed);
}

/// The host's tick counter; `None` outside Kamailio and before its timer exists.
#[must_use]
pub fn ticks() -> Option<u32> {
    if !TIMER_READY.load(Ordering::Relaxed) {
        return None;
    }
    let symbols = symbols()?;
    // SAFETY: init_timer() ran before init_dns_cache() set TIMER_READY.
    Some(unsafe { (symbols.get_ticks_raw)() })
}

/// The 32-bit word at an offset of the current `struct cfg_group_core`; `None` outside Kamailio.
#[must_use]
pub fn core_option(offset: usize) -> Option<u32> {
    let symbols = symbols()?;
    // SAFETY: core_cfg is a pointer variable of the host, never NULL once the program runs.
    let block = unsafe { symbols.core_cfg.read_volatile() };
    if block.is_null() {
        return None;
    }
    // SAFETY: the offset comes from the option table (40 to 132); the block has at least 232 bytes.
    let word = unsafe { block.add(offset) };
    // SAFETY: `word` is 4-aligned inside the block, and the host replaces blocks rather than freeing
    // the one that a process is reading.
    Some(unsafe { word.cast::<u32>().read_volatile() })
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
pub fn tcp_disable() -> Option<bool> {
    read_int(|s| s.tcp_disable).map(|v| v != 0)
}

/// `tls_disable`; `None` outside Kamailio.
#[must_use]
pub fn tls_disable() -> Option<bool> {
    read_int(|s| s.tls_disable).map(|v| v != 0)
}

/// `sctp_disable`; `None` outside Kamailio.
#[must_use]
pub fn sctp_disable() -> Option<bool> {
    read_int(|s| s.sctp_disable).map(|v| v != 0)
}

/// True when the host listens on an IPv6 socket; `None` outside Kamailio.
#[must_use]
pub fn has_ipv6_socket() -> Option<bool> {
    const SOCKET_T_IPV6: c_int = 2;
    read_int(|s| s.socket_types).map(|v| v & SOCKET_T_IPV6 != 0)
}

/// Stores the host's `ser_error`; nothing outside Kamailio.
pub fn set_ser_error(code: c_int) {
    let Some(symbols) = symbols() else { return };
    if !symbols.ser_error.is_null() {
        // SAFETY: non-NULL, an int variable of the executable that each process writes for itself.
        unsafe { symbols.ser_error.write_volatile(code) };
    }
}

/// What the host's counters need. Each process has a row of numbers of its own.
struct CounterRows {
    /// `counter_val_t *_cnts_vals`, NULL until the first registration.
    values: *const *mut c_long,
    row_length: *const c_int,
    process: *const c_int,
    /// `_cnts_threaded` and `counter_inc_atomic()`, which only some versions have.
    threaded: *const c_int,
    increment_atomic: Option<unsafe extern "C" fn(u16)>,
}

// SAFETY: addresses of variables and functions of the executable, which live as long as the process.
unsafe impl Send for CounterRows {}
// SAFETY: as above.
unsafe impl Sync for CounterRows {}

static COUNTER_ROWS: OnceCell<Option<CounterRows>> = OnceCell::new();
/// Numbers of the two counters in the host's rows: failed below, slow above; `u32::MAX` = none.
static COUNTER_IDS: AtomicU32 = AtomicU32::new(u32::MAX);

/// Told after registration: the numbers that the host gave the two counters.
pub fn set_counter_ids(failed: u16, slow: u16) {
    COUNTER_IDS.store(u32::from(failed) | u32::from(slow) << 16, Ordering::Relaxed);
}

fn counter_rows() -> Option<&'static CounterRows> {
    let load = || {
        let (values, row_length) = (find(c"_cnts_vals"), find(c"_cnts_row_len"));
        let process = find(c"process_no");
        if !is_host() || values.is_null() || row_length.is_null() || process.is_null() {
            return None;
        }
        let increment = find(c"counter_inc_atomic");
        let increment_atomic = (!increment.is_null()).then(|| {
            // SAFETY: the host's function takes a counter_handle_t, a struct of one unsigned short,
            // which is passed as such a number, and returns nothing.
            unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn(u16)>(increment) }
        });
        Some(CounterRows {
            values: values.cast(),
            row_length: row_length.cast(),
            process: process.cast(),
            threaded: find(c"_cnts_threaded").cast(),
            increment_atomic,
        })
    };
    COUNTER_ROWS.get_or_init(load).as_ref()
}

/// Adds one to the host's counter; nothing outside Kamailio or before registration.
pub fn increment_counter(counter: Counter) {
    let ids = COUNTER_IDS.load(Ordering::Relaxed);
    if ids == u32::MAX {
        return;
    }
    let Some(rows) = counter_rows() else { return };
    let id = match counter {
        Counter::FailedRequest => ids as u16,
        Counter::SlowRequest => (ids >> 16) as u16,
    };
    // SAFETY: an int variable of the executable, where it exists.
    let threaded = !rows.threaded.is_null() && unsafe { rows.threaded.read_volatile() } != 0;
    if let (true, Some(increment)) = (threaded, rows.increment_atomic) {
        // SAFETY: a counter number that the host gave out.
        unsafe { increment(id) };
        return;
    }
    // SAFETY: a pointer variable of the executable.
    let values = unsafe { rows.values.read_volatile() };
    // SAFETY: an int variable of the executable.
    let row_length = unsafe { rows.row_length.read_volatile() };
    // SAFETY: as above.
    let process = unsafe { rows.process.read_volatile() };
    let (Ok(row_length), Ok(process)) = (usize::try_from(row_length), usize::try_from(process))
    else {
        return;
    };
    if values.is_null() || usize::from(id) >= row_length {
        return;
    }
    // SAFETY: the host keeps a row for each process number that it hands out, each `row_length` long.
    let cell = unsafe { values.add(process * row_length + usize::from(id)) };
    // SAFETY: as above; only this process writes to its row.
    let value = unsafe { cell.read_volatile() };
    // SAFETY: as above.
    unsafe { cell.write_volatile(value.wrapping_add(1)) };
}

/// The host's log functions.
struct LogFunctions {
    /// `int get_debug_level(char *module, int length)`.
    level: unsafe extern "C" fn(*const c_char, c_int) -> c_int,
    /// `int get_debug_facility(char *module, int length)`.
    facility: unsafe extern "C" fn(*const c_char, c_int) -> c_int,
    /// `void (*_km_log_func)(int priority, const char *format, ...)`.
    write: *const Option<unsafe extern "C" fn(c_int, *const c_char, ...)>,
    to_stderr: *const c_int,
    process: *const c_int,
}

// SAFETY: addresses of variables and functions of the executable.
unsafe impl Send for LogFunctions {}
// SAFETY: as above.
unsafe impl Sync for LogFunctions {}

static LOG_FUNCTIONS: OnceCell<Option<LogFunctions>> = OnceCell::new();
const LOG_MODULE: &CStr = c"core";

fn log_functions() -> Option<&'static LogFunctions> {
    type Query = unsafe extern "C" fn(*const c_char, c_int) -> c_int;
    let load = || {
        let (level, facility) = (find(c"get_debug_level"), find(c"get_debug_facility"));
        let (write, to_stderr) = (find(c"_km_log_func"), find(c"log_stderr"));
        let process = find(c"process_no");
        let all = [level, facility, write, to_stderr, process];
        if !is_host() || all.iter().any(|symbol| symbol.is_null()) {
            return None;
        }
        Some(LogFunctions {
            // SAFETY: the host's function of that name has this type.
            level: unsafe { std::mem::transmute::<*mut c_void, Query>(level) },
            // SAFETY: as above.
            facility: unsafe { std::mem::transmute::<*mut c_void, Query>(facility) },
            write: write.cast(),
            to_stderr: to_stderr.cast(),
            process: process.cast(),
        })
    };
    LOG_FUNCTIONS.get_or_init(load).as_ref()
}

/// The highest level that the host logs; `None` outside Kamailio.
#[must_use]
pub fn log_level() -> Option<i32> {
    let functions = log_functions()?;
    // SAFETY: a NUL-terminated name and its length; the host only reads it.
    Some(unsafe { (functions.level)(LOG_MODULE.as_ptr(), LOG_MODULE.to_bytes().len() as c_int) })
}

/// Number of this process in the host's table, where lines go to stderr; `None` when they go to syslog.
#[must_use]
pub fn log_to_stderr() -> Option<i32> {
    let functions = log_functions()?;
    // SAFETY: an int variable of the executable.
    let to_stderr = unsafe { functions.to_stderr.read_volatile() } != 0;
    // SAFETY: as above.
    to_stderr.then(|| unsafe { functions.process.read_volatile() })
}

/// Hands a line to the host's syslog function; `priority` is syslog's.
pub fn write_log(priority: c_int, line: &CStr) {
    let Some(functions) = log_functions() else {
        return;
    };
    let (name, length) = (LOG_MODULE.as_ptr(), LOG_MODULE.to_bytes().len() as c_int);
    // SAFETY: as in `log_level`.
    let facility = unsafe { (functions.facility)(name, length) };
    // SAFETY: a function pointer variable of the executable.
    if let Some(write) = unsafe { functions.write.read_volatile() } {
        // SAFETY: a printf-like function; the format takes exactly one C string.
        unsafe { write(priority | facility, c"%s".as_ptr(), line.as_ptr()) };
    }
}
