//! Options by name, for programs other than Kamailio (which has its own framework for them).
#![allow(unsafe_code, reason = "exported symbols")]

use std::ffi::{c_char, c_int, c_uint};

use super::guard::guard;
use super::ptr;
use crate::host::options::{self, Kind, OptionError};

/// The arguments make no sense: NULL, or text that is not UTF-8.
const E_OPTION_ARGUMENT: c_int = -1;
/// No option has this name.
const E_OPTION_UNKNOWN: c_int = -2;
/// The text of the value is not of the option's kind.
const E_OPTION_MALFORMED: c_int = -3;
/// The number is outside the option's range.
const E_OPTION_RANGE: c_int = -4;
/// The option contradicts another one that is set.
const E_OPTION_CONFLICT: c_int = -5;
/// Inside Kamailio this option is changed through Kamailio's own framework.
const E_OPTION_HOST: c_int = -6;
/// The buffer is too small.
const E_OPTION_SPACE: c_int = -7;
/// A defect of the library.
const E_OPTION_INTERNAL: c_int = -8;
/// Too many processes are setting the option at this moment.
const E_OPTION_BUSY: c_int = -9;

/// An option: name, kind, default, limits, unit, and one sentence.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(non_camel_case_types, reason = "C name")]
pub struct dns_option_info {
    /// Name, as in kamailio.cfg.
    pub name: [c_char; 64],
    /// 0 = yes/no, 1 = number, 2 = text.
    pub kind: c_int,
    /// Default; 0 for text.
    pub default_value: i64,
    /// Smallest number.
    pub min_value: i64,
    /// Largest number; for text the largest length.
    pub max_value: i64,
    /// Unit of the number, empty if it has none.
    pub unit: [c_char; 16],
    /// One sentence.
    pub help: [c_char; 192],
}

fn code(error: OptionError) -> c_int {
    match error {
        OptionError::Unknown => E_OPTION_UNKNOWN,
        OptionError::Malformed => E_OPTION_MALFORMED,
        OptionError::OutOfRange => E_OPTION_RANGE,
        OptionError::Conflict => E_OPTION_CONFLICT,
        OptionError::HostOwned => E_OPTION_HOST,
        OptionError::Busy => E_OPTION_BUSY,
    }
}

/// # Safety
/// `text` is NULL or NUL-terminated.
unsafe fn utf8<'a>(text: *const c_char) -> Option<&'a str> {
    // SAFETY: the contract is the caller's.
    unsafe { ptr::c_text(text) }.and_then(|octets| std::str::from_utf8(octets).ok())
}

/// Sets an option by its name in kamailio.cfg; in effect at once, in all processes that were forked
/// after the library was first used. 0, or a negative number for `dns_option_strerror()`; nothing has
/// changed then.
///
/// # Safety
/// Both arguments are NULL or NUL-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_option_set(name: *const c_char, value: *const c_char) -> c_int {
    guard!(E_OPTION_INTERNAL, {
        // SAFETY: the contract is the caller's.
        let name = unsafe { utf8(name) };
        // SAFETY: the contract is the caller's.
        let value = unsafe { utf8(value) };
        let (Some(name), Some(value)) = (name, value) else {
            return E_OPTION_ARGUMENT;
        };
        match options::set(name, value) {
            Ok(()) => {
                super::settings::sync();
                0
            }
            Err(error) => code(error),
        }
    })
}

/// Writes the value of an option as text into `buf`, NUL-terminated. Returns the text's length in
/// octets, or a negative number; then nothing is written.
///
/// # Safety
/// `name` is NULL or NUL-terminated; `buf` is NULL or has `len` writable octets.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_option_get(
    name: *const c_char,
    buf: *mut c_char,
    len: usize,
) -> c_int {
    guard!(E_OPTION_INTERNAL, {
        // SAFETY: the contract is the caller's.
        let Some(name) = (unsafe { utf8(name) }) else {
            return E_OPTION_ARGUMENT;
        };
        let Some(value) = options::get(name) else {
            return E_OPTION_UNKNOWN;
        };
        if buf.is_null() || len <= value.len() {
            return E_OPTION_SPACE;
        }
        // SAFETY: non-NULL, `len` writable octets by contract.
        let buffer = unsafe { std::slice::from_raw_parts_mut(buf, value.len() + 1) };
        ptr::fill(buffer, value.as_bytes());
        value.len() as c_int
    })
}

/// A text for a result of the `dns_option_*` functions; never NULL, static.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_option_strerror(err: c_int) -> *const c_char {
    let text = match err {
        0.. => c"no error",
        E_OPTION_ARGUMENT => c"bad argument",
        E_OPTION_UNKNOWN => c"no such option",
        E_OPTION_MALFORMED => c"not a value of this option",
        E_OPTION_RANGE => c"the value is out of range",
        E_OPTION_CONFLICT => c"contradicts another option",
        E_OPTION_HOST => c"is changed by the host program",
        E_OPTION_SPACE => c"the buffer is too small",
        E_OPTION_BUSY => c"too many processes are setting it at this moment",
        _ => c"internal error",
    };
    guard!(c"internal error".as_ptr(), { text.as_ptr() })
}

/// Describes the option at a position, from 0 on; 0, or negative behind the last one.
///
/// # Safety
/// `info` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_option_describe(index: c_uint, info: *mut dns_option_info) -> c_int {
    guard!(E_OPTION_INTERNAL, {
        let Some(descriptor) = options::all().nth(index as usize) else {
            return E_OPTION_UNKNOWN;
        };
        if info.is_null() {
            return E_OPTION_ARGUMENT;
        }
        let mut filled = dns_option_info {
            name: [0; 64],
            kind: match descriptor.kind {
                Kind::Bool => 0,
                Kind::Text => 2,
                _ => 1,
            },
            default_value: descriptor.default,
            min_value: descriptor.min,
            max_value: descriptor.max,
            unit: [0; 16],
            help: [0; 192],
        };
        ptr::fill(&mut filled.name, descriptor.name.as_bytes());
        ptr::fill(&mut filled.unit, descriptor.unit.as_bytes());
        ptr::fill(&mut filled.help, descriptor.help.as_bytes());
        // SAFETY: non-NULL and writable by contract.
        unsafe { ptr::put(info, filled) };
        0
    })
}

/// Version of the library, e.g. `0.1.0`; static.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    guard!(c"".as_ptr(), { VERSION.as_ptr().cast() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_fits_its_buffer() {
        for descriptor in options::all() {
            assert!(descriptor.name.len() < 64, "{}", descriptor.name);
            assert!(descriptor.unit.len() < 16, "{}", descriptor.name);
            assert!(descriptor.help.len() < 192, "{}", descriptor.name);
        }
    }
}
