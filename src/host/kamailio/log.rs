//! The host's log: its levels, its facility, its format, its ways out.
//!
//! A line looks as one that the core itself writes with its macros (`dprint.h`): the level's name, the prefix that
//! `log_prefix` gives, `<core>`, the source file and line, the text. The line goes to the structured log function when
//! one is set, else to stderr (coloured if asked for), else to syslog or the function in its place.
#![allow(
    unsafe_code,
    reason = "reads variables and calls functions of the host"
)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};

use once_cell::sync::OnceCell;

use super::{find, is_host};
use crate::host::log::{self, Level, Source};
use crate::host::process;

type Query = unsafe extern "C" fn(*const c_char, c_int) -> c_int;

/// The host's counted string.
#[repr(C)]
struct Counted {
    text: *const c_char,
    length: c_int,
}

/// The host's `ksr_logdata_t`: a line as a structured log function gets it.
#[repr(C)]
struct Record {
    facility: c_int,
    level: c_int,
    level_name: *const c_char,
    file: *const c_char,
    line: c_int,
    module: *const c_char,
    function: *const c_char,
    place: *const c_char,
    process_id: c_int,
    process: c_int,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Record>() == 64);

/// The host's log functions and variables. Members that may be NULL are not in every version.
struct Functions {
    /// `int get_debug_level(char *module, int length)`.
    level: Query,
    /// `int get_debug_facility(char *module, int length)`.
    facility: Query,
    /// `void (*_km_log_func)(int priority, const char *format, ...)`.
    write: *const Option<unsafe extern "C" fn(c_int, *const c_char, ...)>,
    /// `void (*_ksr_slog_func)(ksr_logdata_t *, const char *format, ...)`.
    structured: *const Option<unsafe extern "C" fn(*mut Record, *const c_char, ...)>,
    to_stderr: *const c_int,
    process: *const c_int,
    /// `volatile int dprint_crit`: not 0 while a line is being written, also by an interrupted caller.
    busy: *mut c_int,
    /// `str *log_prefix_val`.
    prefix: *const *const Counted,
    colored: *const c_int,
    color: Option<unsafe extern "C" fn(c_int)>,
    color_reset: Option<unsafe extern "C" fn()>,
}

// SAFETY: addresses of variables and functions of the executable, which live as long as the process.
unsafe impl Send for Functions {}
// SAFETY: as above.
unsafe impl Sync for Functions {}

/// The core's name, under which its level and facility are asked for.
const MODULE: &CStr = c"core";

fn functions() -> Option<&'static Functions> {
    static FUNCTIONS: OnceCell<Option<Functions>> = OnceCell::new();
    let load = || {
        let (level, facility) = (find(c"get_debug_level"), find(c"get_debug_facility"));
        let (write, to_stderr) = (find(c"_km_log_func"), find(c"log_stderr"));
        let process = find(c"process_no");
        let all = [level, facility, write, to_stderr, process];
        if !is_host() || all.iter().any(|symbol| symbol.is_null()) {
            return None;
        }
        let (color, color_reset) = (find(c"dprint_color"), find(c"dprint_color_reset"));
        Some(Functions {
            // SAFETY: the host's function of that name has this type.
            level: unsafe { std::mem::transmute::<*mut c_void, Query>(level) },
            // SAFETY: as above.
            facility: unsafe { std::mem::transmute::<*mut c_void, Query>(facility) },
            write: write.cast(),
            structured: find(c"_ksr_slog_func").cast(),
            to_stderr: to_stderr.cast(),
            process: process.cast(),
            busy: find(c"dprint_crit").cast(),
            prefix: find(c"log_prefix_val").cast(),
            colored: find(c"log_color").cast(),
            // SAFETY: NULL, which is `None`, or the host's function of that name, which has this type.
            color: unsafe {
                std::mem::transmute::<*mut c_void, Option<unsafe extern "C" fn(c_int)>>(color)
            },
            // SAFETY: as above.
            color_reset: unsafe {
                std::mem::transmute::<*mut c_void, Option<unsafe extern "C" fn()>>(color_reset)
            },
        })
    };
    FUNCTIONS.get_or_init(load).as_ref()
}

/// An int variable of the host; 0 when this version lacks it.
fn read(variable: *const c_int) -> c_int {
    if variable.is_null() {
        return 0;
    }
    // SAFETY: an int variable of the executable.
    unsafe { variable.read_volatile() }
}

/// The highest level that the host logs; `None` outside Kamailio.
#[must_use]
pub(crate) fn highest_level() -> Option<i32> {
    let functions = functions()?;
    // SAFETY: a NUL-terminated name and its length; the host only reads it.
    Some(unsafe { (functions.level)(MODULE.as_ptr(), MODULE.to_bytes().len() as c_int) })
}

/// The text that `log_prefix` evaluates to at the moment; empty when there is none.
fn prefix(functions: &Functions) -> Vec<u8> {
    if functions.prefix.is_null() {
        return Vec::new();
    }
    // SAFETY: a pointer variable of the executable.
    let counted = unsafe { functions.prefix.read_volatile() };
    if counted.is_null() {
        return Vec::new();
    }
    // SAFETY: non-NULL, the host's own counted string, which this process alone changes.
    let counted = unsafe { counted.read() };
    let length = usize::try_from(counted.length).unwrap_or(0);
    if counted.text.is_null() || length == 0 {
        return Vec::new();
    }
    // SAFETY: the string has that many octets.
    unsafe { std::slice::from_raw_parts(counted.text.cast::<u8>(), length) }.to_vec()
}

/// Keeps the host's own lines, and ours, out of signal handlers that interrupt this one.
///
/// For the first thread of a process alone. The host counts in a plain int, which it alone is to change while it
/// writes: another thread that did so could leave the count at what stands for a line that is never done, and the
/// process would say nothing any more. No handler interrupts a thread of the library's.
struct Busy(*mut c_int);

impl Busy {
    /// `None` when a line is being written already.
    fn enter(flag: *mut c_int) -> Option<Self> {
        let depth = read(flag);
        if depth != 0 {
            return None;
        }
        Self(flag).set(1);
        Some(Self(flag))
    }

    fn set(&self, depth: c_int) {
        if !self.0.is_null() {
            // SAFETY: an int variable of the executable that each process writes for itself.
            unsafe { self.0.write_volatile(depth) };
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Writes a line through the host; false outside Kamailio. The level has been checked.
pub(crate) fn write_log(level: Level, source: Source, text: &str) -> bool {
    let Some(functions) = functions() else {
        return false;
    };
    let is_first_thread = process::is_first_thread();
    let flag = match is_first_thread {
        true => functions.busy,
        false => std::ptr::null_mut(),
    };
    let Some(_busy) = Busy::enter(flag) else {
        return true;
    };
    let place = format!("<core> [{}:{}]: ", source.file, source.line);
    if !functions.structured.is_null() {
        // SAFETY: a function pointer variable of the executable.
        if let Some(write) = unsafe { functions.structured.read_volatile() } {
            structured(functions, write, level, source, &place, text);
            return true;
        }
    }
    let mut line = format!("{}: ", level.name()).into_bytes();
    // The prefix is of the request that the first thread is at, and changes with it.
    if is_first_thread {
        line.extend(prefix(functions));
    }
    line.extend(place.as_bytes());
    line.extend(text.as_bytes());
    line.push(b'\n');
    if read(functions.to_stderr) != 0 {
        to_stderr(functions, level, line);
    } else {
        to_syslog(functions, level, line);
    }
    true
}

fn to_stderr(functions: &Functions, level: Level, line: Vec<u8>) {
    let mut whole = format!("{:2}({}) ", read(functions.process), std::process::id()).into_bytes();
    whole.extend(line);
    let colors = match (functions.color, functions.color_reset) {
        (Some(color), Some(reset)) if read(functions.colored) != 0 => Some((color, reset)),
        _ => None,
    };
    if let Some((color, _)) = colors {
        // SAFETY: one of the host's levels.
        unsafe { color(level as c_int) };
    }
    log::to_stderr(&whole);
    if let Some((_, reset)) = colors {
        // SAFETY: takes no arguments.
        unsafe { reset() };
    }
}

fn facility(functions: &Functions) -> c_int {
    // SAFETY: as in `highest_level`.
    unsafe { (functions.facility)(MODULE.as_ptr(), MODULE.to_bytes().len() as c_int) }
}

/// Text for C; a NUL in it becomes a blank.
fn terminated(mut text: Vec<u8>) -> CString {
    for octet in &mut text {
        if *octet == 0 {
            *octet = b' ';
        }
    }
    CString::new(text).unwrap_or_default()
}

fn to_syslog(functions: &Functions, level: Level, line: Vec<u8>) {
    // SAFETY: a function pointer variable of the executable.
    if let Some(write) = unsafe { functions.write.read_volatile() } {
        let line = terminated(line);
        let priority = level.syslog_priority() | facility(functions);
        // SAFETY: a printf-like function; the format takes exactly one C string.
        unsafe { write(priority, c"%s".as_ptr(), line.as_ptr()) };
    }
}

fn structured(
    functions: &Functions,
    write: unsafe extern "C" fn(*mut Record, *const c_char, ...),
    level: Level,
    source: Source,
    place: &str,
    text: &str,
) {
    let level_name = terminated(level.name().into());
    let file = terminated(source.file.into());
    let place = terminated(place.into());
    let text = terminated(format!("{text}\n").into_bytes());
    let mut record = Record {
        facility: level.syslog_priority() | facility(functions),
        level: level as c_int,
        level_name: level_name.as_ptr(),
        file: file.as_ptr(),
        line: source.line as c_int,
        module: MODULE.as_ptr(),
        function: c"".as_ptr(),
        place: place.as_ptr(),
        process_id: 0,
        process: 0,
    };
    // SAFETY: the host's function; the record and its texts live during the call, and the format takes
    // exactly one C string.
    unsafe { write(&raw mut record, c"%s".as_ptr(), text.as_ptr()) };
}
