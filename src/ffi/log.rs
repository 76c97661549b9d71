//! The lines of the log for programs other than Kamailio.
#![allow(unsafe_code, reason = "exported symbols")]

use std::ffi::{c_char, c_int, c_void};

use super::guard::guard;
use crate::host::log;

/// Takes one line of the log: its level (-4 a defect, -3 critical, -1 an error, 0 a warning, 1 worth knowing, 2 for
/// information, 3 for developers) and its text, which is valid during the call and has no line end. `data` is what was
/// given to `dns_log_to()`. Called in whatever process or thread has something to say, with no lock of the library held.
#[allow(non_camel_case_types, reason = "C name")]
pub type dns_log_line =
    Option<unsafe extern "C" fn(data: *mut c_void, level: c_int, text: *const c_char)>;

/// Has the lines of the log, up to `dns_log_level`, go to a function of the program in place of stderr; NULL is stderr
/// again. Inside Kamailio they go to its log whatever this says.
///
/// # Safety
/// `line` is NULL or may be called with `data` at any time. Before processes or threads are started.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_log_to(line: dns_log_line, data: *mut c_void) {
    guard!((), { log::set_program(line, data) })
}
