//! The panic guard around every exported function.
//!
//! A panic that reached C would abort the process, and in Kamailio the death of one worker takes the
//! server down. So each export runs inside [`guard!`] and names the value that it returns when
//! something went wrong; there is no default, because 0 means success in this interface.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::host::log::Level;

/// Runs a function body; `on_panic` is the result if it panics.
macro_rules! guard {
    ($on_panic:expr, $body:block) => {{
        static REPORTED: ::std::sync::atomic::AtomicBool =
            ::std::sync::atomic::AtomicBool::new(false);
        match $crate::ffi::guard::run(|| $body) {
            Ok(value) => value,
            Err(payload) => {
                $crate::ffi::guard::report(&REPORTED, file!(), line!(), payload);
                $on_panic
            }
        }
    }};
}
pub(crate) use guard;

/// The value that a panic carried.
type Payload = Box<dyn std::any::Any + Send>;

/// The result of `body`, or what it panicked with. Costs nothing as long as it does not panic.
#[inline]
pub(crate) fn run<T>(body: impl FnOnce() -> T) -> Result<T, Payload> {
    // A panic leaves only state of this call behind: entries are immutable, and the unwinding drops cursors and lists,
    // which the body owns.
    catch_unwind(AssertUnwindSafe(body))
}

/// Says in the log that a panic was caught, the first time that it happens at a place.
#[cold]
pub(crate) fn report(reported: &AtomicBool, file: &str, line: u32, payload: Payload) {
    drop(payload);
    if !reported.swap(true, Ordering::Relaxed) {
        crate::log!(Level::Bug, "a defect was caught in {file}:{line}");
    }
}

#[cfg(test)]
mod tests {
    fn guarded(fail: bool) -> i32 {
        guard!(-3, {
            assert!(!fail, "on purpose");
            7
        })
    }

    #[test]
    fn a_panic_becomes_the_stated_value() {
        assert_eq!(guarded(false), 7);
        assert_eq!(guarded(true), -3);
        assert_eq!(guarded(true), -3);
    }
}
