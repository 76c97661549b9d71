//! Log lines, written by the host.
//!
//! Nothing on the path of a cached lookup logs, and no lock of the library is held over a log
//! call. Standalone programs get one line a message on stderr, or through a function of their own.

#![allow(unsafe_code, reason = "calls a function of the program")]

use std::ffi::{CString, c_char, c_int, c_void};
use std::fmt;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::kamailio;
use super::options::{self, ExtraOpt};
use super::thread;
use crate::rr::MAX_NAME_OCTETS;

/// Kamailio's log levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    /// A defect of the program.
    Bug = -4,
    /// The service is in danger.
    Crit = -3,
    /// Something failed.
    Err = -1,
    /// Something is odd.
    Warn = 0,
    /// Worth knowing.
    Notice = 1,
    /// For information.
    Info = 2,
    /// For developers.
    Dbg = 3,
}

impl Level {
    pub(crate) fn syslog_priority(self) -> i32 {
        match self {
            Self::Bug | Self::Crit => libc::LOG_CRIT,
            Self::Err => libc::LOG_ERR,
            Self::Warn => libc::LOG_WARNING,
            Self::Notice => libc::LOG_NOTICE,
            Self::Info => libc::LOG_INFO,
            Self::Dbg => libc::LOG_DEBUG,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bug => "BUG",
            Self::Crit => "CRITICAL",
            Self::Err => "ERROR",
            Self::Warn => "WARNING",
            Self::Notice => "NOTICE",
            Self::Info => "INFO",
            Self::Dbg => "DEBUG",
        }
    }
}

/// A name as lines of the log show it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(&'a [u8]);

/// A name for a line of the log: octets that could end the line or turn the terminal round are escaped, what is longer
/// than any name is cut, and with `dns_hide_names` nothing of it is shown.
#[must_use]
pub fn name(name: &[u8]) -> Shown<'_> {
    Shown(name)
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if options::extra(ExtraOpt::HideNames) != 0 {
            return f.write_str("(hidden)");
        }
        let (kept, rest) = self.0.split_at(self.0.len().min(MAX_NAME_OCTETS));
        write!(f, "{}", kept.escape_ascii())?;
        if rest.is_empty() {
            Ok(())
        } else {
            f.write_str("...")
        }
    }
}

/// Where in the sources a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// File, from the library's name on.
    pub file: &'static str,
    /// Line in it, from 1 on.
    pub line: u32,
}

/// The level of lines about slow queries: the host's `latency_log`, a warning outside Kamailio.
#[must_use]
pub fn slow_query_level() -> Level {
    match kamailio::latency_log() {
        None | Some(0) => Level::Warn,
        Some(..-3) => Level::Bug,
        Some(-3 | -2) => Level::Crit,
        Some(-1) => Level::Err,
        Some(1) => Level::Notice,
        Some(2) => Level::Info,
        Some(3..) => Level::Dbg,
    }
}

/// True when a line of this level would be written.
#[must_use]
pub fn enabled(level: Level) -> bool {
    let highest =
        kamailio::highest_level().unwrap_or_else(|| options::extra(ExtraOpt::LogLevel) as i32);
    level as i32 <= highest
}

/// Writes one line, if the level is enabled. Called through the macros below.
pub fn write(level: Level, source: Source, args: fmt::Arguments<'_>) {
    if !enabled(level) {
        return;
    }
    let _whole = thread::uncancelled();
    let text = one_line(args.to_string());
    if kamailio::write_log(level, source, &text) || to_program(level, &text) {
        return;
    }
    let (process, name) = (std::process::id(), level.name());
    let line = format!("kamailio-dns[{process}] {name}: {text}\n");
    to_stderr(line.as_bytes());
}

/// Writes a line to stderr, by one call, so that lines of several processes do not mix. A failure has nowhere to be
/// reported.
pub(super) fn to_stderr(line: &[u8]) {
    // Not std's stderr, which has a lock: a child would wait for a thread of its parent that was just writing.
    // SAFETY: reads the line.
    unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
}

/// The text without what could end the line or turn a terminal round, whatever it was put together from.
fn one_line(text: String) -> String {
    let is_plain = |octet: u8| octet == b' ' || octet.is_ascii_graphic();
    match text.bytes().all(is_plain) {
        true => text,
        false => text
            .chars()
            .map(|letter| match u8::try_from(letter).is_ok_and(is_plain) {
                true => letter.to_string(),
                false => letter.escape_default().to_string(),
            })
            .collect(),
    }
}

/// The function that a program other than Kamailio gives to get the lines: its data, the level, the text.
pub type Line = unsafe extern "C" fn(*mut c_void, c_int, *const c_char);

/// The function of the program, and its data.
static PROGRAM: [AtomicPtr<c_void>; 2] = [const { AtomicPtr::new(null_mut()) }; 2];

/// From now on lines go to a function of the program; with `None` to stderr again. Not inside Kamailio, which has a
/// log.
pub fn set_program(line: Option<Line>, data: *mut c_void) {
    let [function, its_data] = &PROGRAM;
    its_data.store(data, Ordering::Relaxed);
    let line = line.map_or(null_mut(), |line| line as *mut c_void);
    function.store(line, Ordering::Release);
}

/// Hands a line to the program; false when it does not want them.
fn to_program(level: Level, text: &str) -> bool {
    let [function, data] = &PROGRAM;
    let function = function.load(Ordering::Acquire);
    if function.is_null() {
        return false;
    }
    // The text has no NUL: that would have been escaped.
    let text = CString::new(text).unwrap_or_default();
    // SAFETY: `set_program` stored a function of that type.
    let line = unsafe { std::mem::transmute::<*mut c_void, Line>(function) };
    // SAFETY: the program's function, with its data and a text that lives during the call.
    unsafe { line(data.load(Ordering::Relaxed), level as c_int, text.as_ptr()) };
    true
}

/// Logs at a level: `log!(Level::Err, "text {value}")`.
#[macro_export]
#[doc(hidden)]
macro_rules! log {
    ($level:expr, $($arg:tt)*) => {
        $crate::host::log::write(
            $level,
            $crate::host::log::Source {
                file: concat!("kamailio-dns/", file!()),
                line: line!(),
            },
            format_args!($($arg)*),
        )
    };
}

/// Resolver trace at DEBUG, compiled in by the feature `resolve_dbg` (`-DRESOLVE_DBG`).
#[macro_export]
#[doc(hidden)]
macro_rules! resolve_dbg {
    ($($arg:tt)*) => {
        if cfg!(feature = "resolve_dbg") {
            $crate::log!($crate::host::log::Level::Dbg, $($arg)*);
        }
    };
}

/// NAPTR trace at DEBUG, compiled in by the feature `naptr_dbg` (`-DNAPTR_DBG`).
#[macro_export]
#[doc(hidden)]
macro_rules! naptr_dbg {
    ($($arg:tt)*) => {
        if cfg!(feature = "naptr_dbg") {
            $crate::log!($crate::host::log::Level::Dbg, $($arg)*);
        }
    };
}

/// Cache trace at DEBUG, compiled in by the feature `dns_cache_debug` (`-DDNS_CACHE_DEBUG`).
#[macro_export]
#[doc(hidden)]
macro_rules! cache_dbg {
    ($($arg:tt)*) => {
        if cfg!(feature = "dns_cache_debug") {
            $crate::log!($crate::host::log::Level::Dbg, $($arg)*);
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line() {
        let plain = "a 'quoted' \"text\" with \\x1b and %s".to_owned();
        assert_eq!(one_line(plain.clone()), plain);
        let odd = "a\nb\r\t\0\x1b[2J\x7f\u{e4}\u{202e}".to_owned();
        assert_eq!(
            one_line(odd),
            "a\\nb\\r\\t\\u{0}\\u{1b}[2J\\u{7f}\\u{e4}\\u{202e}"
        );
    }
}
