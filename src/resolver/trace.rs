//! The resolver's trace, and silence for threads that must not call the host.

use std::cell::Cell;

thread_local! {
    static SILENT: Cell<bool> = const { Cell::new(false) };
}

/// No trace line is written by this thread while it exists.
#[derive(Debug)]
pub(super) struct Silence {
    before: bool,
}

impl Silence {
    pub(super) fn begin() -> Self {
        Self {
            before: SILENT.replace(true),
        }
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        SILENT.set(self.before);
    }
}

/// True when this thread may write trace lines.
pub(super) fn allowed() -> bool {
    !SILENT.get()
}

/// As `resolve_dbg!`, but for threads that must be silent.
macro_rules! trace {
    ($($arg:tt)*) => {
        if cfg!(feature = "resolve_dbg") && $crate::resolver::trace::allowed() {
            $crate::resolve_dbg!($($arg)*);
        }
    };
}

/// As `follow!` of the host, but for threads that must be silent.
macro_rules! follow {
    ($($arg:tt)*) => {
        if $crate::host::follow::is_on() && $crate::resolver::trace::allowed() {
            $crate::host::follow::follow!($($arg)*);
        }
    };
}
