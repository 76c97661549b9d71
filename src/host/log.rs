//! Log lines, written by the host.
//!
//! Nothing on the path of a cached lookup logs, and no lock of the library is held over a log
//! call. Standalone programs get one line a message on stderr.

use std::fmt;
use std::io::Write as _;

use super::kamailio;
use super::options::{self, ExtraOpt};
use super::thread;

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
    if kamailio::write_log(level, source, &args.to_string()) {
        return;
    }
    let (process, name) = (std::process::id(), level.name());
    let line = format!("kamailio-dns[{process}] {name}: {args}\n");
    // A failed write to stderr has nowhere to be reported.
    let _ = std::io::stderr().write_all(line.as_bytes());
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
