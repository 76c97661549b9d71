//! An RPC transport that notes the fields of structs and can refuse after some calls.
//!
//! Its functions are not variadic, as those of `rpc_t` are; the calling conventions of 64-bit Linux
//! allow that for arguments like these.
#![allow(unsafe_code, reason = "functions that C calls")]

use std::collections::VecDeque;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, Ordering};

use kamailio_dns::ffi::types::{_str, rpc_t};

type Fault = unsafe extern "C" fn(*mut c_void, c_int, *mut c_char);
type Add = unsafe extern "C" fn(*mut c_void, *mut c_char, *mut *mut c_void) -> c_int;
type StructAdd = unsafe extern "C" fn(*mut c_void, *mut c_char, *const c_char, usize) -> c_int;
type Scan = unsafe extern "C" fn(*mut c_void, *mut c_char, *mut c_void) -> c_int;
type AnyFault = unsafe extern "C" fn(*mut c_void, c_int, *mut c_char, ...);
type AnyAdd = unsafe extern "C" fn(*mut c_void, *mut c_char, ...) -> c_int;

static ADDS_LEFT: AtomicI32 = AtomicI32::new(0);
static FAULTS: AtomicI32 = AtomicI32::new(0);
static FIELDS: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());
/// Arguments that are still to be read; those that were are kept for as long as the call takes.
static ARGUMENTS: Mutex<(VecDeque<CString>, Vec<CString>)> =
    Mutex::new((VecDeque::new(), Vec::new()));

/// A table of functions that refuse after `adds` additions; forgets what was noted.
pub fn transport(adds: i32) -> rpc_t {
    ADDS_LEFT.store(adds, Ordering::Relaxed);
    FAULTS.store(0, Ordering::Relaxed);
    FIELDS.lock().unwrap().clear();
    // SAFETY: all members are optional function pointers; None is all zero.
    let mut rpc: rpc_t = unsafe { std::mem::zeroed() };
    // SAFETY: a function pointer, called with these arguments, see the top.
    rpc.fault = Some(unsafe { std::mem::transmute::<Fault, AnyFault>(fault) });
    // SAFETY: as above.
    rpc.add = Some(unsafe { std::mem::transmute::<Add, AnyAdd>(add) });
    rpc.array_add = rpc.add;
    // SAFETY: as above.
    rpc.struct_add = Some(unsafe { std::mem::transmute::<StructAdd, AnyAdd>(struct_add) });
    rpc
}

/// As [`transport`], for a command with these arguments that refuses nothing.
pub fn call(arguments: &[&str]) -> rpc_t {
    let mut rpc = transport(i32::MAX);
    let texts = arguments.iter().map(|text| CString::new(*text).unwrap());
    *ARGUMENTS.lock().unwrap() = (texts.collect(), Vec::new());
    // SAFETY: as in `transport`.
    rpc.scan = Some(unsafe { std::mem::transmute::<Scan, AnyAdd>(scan) });
    rpc
}

/// Number of faults since [`transport`].
pub fn faults() -> i32 {
    FAULTS.load(Ordering::Relaxed)
}

/// Name and value of the text fields since [`transport`], in order; texts of arrays have no name.
pub fn fields() -> Vec<(String, String)> {
    FIELDS.lock().unwrap().clone()
}

fn one_add() -> c_int {
    if ADDS_LEFT.fetch_sub(1, Ordering::Relaxed) > 0 {
        0
    } else {
        -1
    }
}

/// The first letter of a format.
fn letter(format: *const c_char) -> u8 {
    // SAFETY: formats are NUL-terminated.
    unsafe { *format as u8 }
}

fn text(at: *const c_char) -> String {
    // SAFETY: texts are NUL-terminated.
    unsafe { CStr::from_ptr(at) }.to_string_lossy().into_owned()
}

unsafe extern "C" fn fault(_: *mut c_void, _: c_int, _: *mut c_char) {
    FAULTS.fetch_add(1, Ordering::Relaxed);
}

unsafe extern "C" fn add(_: *mut c_void, format: *mut c_char, place: *mut *mut c_void) -> c_int {
    if letter(format) == b'{' {
        // SAFETY: `{` comes with a place for a pointer.
        unsafe { place.write(std::ptr::dangling_mut()) };
    }
    if letter(format) == b's' {
        let shown = text(place.cast::<c_char>());
        FIELDS.lock().unwrap().push((String::new(), shown));
    }
    one_add()
}

/// Gives the next argument to a format of one letter; a `*` before it says that it may be missing.
unsafe extern "C" fn scan(_: *mut c_void, format: *mut c_char, place: *mut c_void) -> c_int {
    let mut arguments = ARGUMENTS.lock().unwrap();
    let Some(argument) = arguments.0.pop_front() else {
        return 0;
    };
    if text(format).trim_start_matches('*') == "d" {
        let number = argument.to_str().unwrap().parse::<c_int>().unwrap();
        // SAFETY: `d` comes with a place for an int.
        unsafe { place.cast::<c_int>().write(number) };
        return 1;
    }
    let counted = _str {
        s: argument.as_ptr().cast_mut(),
        len: argument.as_bytes().len() as c_int,
    };
    arguments.1.push(argument);
    // SAFETY: `S` comes with a place for a counted text.
    unsafe { place.cast::<_str>().write(counted) };
    1
}

unsafe extern "C" fn struct_add(
    _: *mut c_void,
    format: *mut c_char,
    name: *const c_char,
    value: usize,
) -> c_int {
    let shown = match letter(format) {
        b'[' => {
            let place = value as *mut *mut c_void;
            // SAFETY: `[` comes with a place for a pointer.
            unsafe { place.write(std::ptr::dangling_mut()) };
            return one_add();
        }
        b's' => text(value as *const c_char),
        b'S' => {
            // SAFETY: `S` comes with a counted text.
            let counted = unsafe { *(value as *const _str) };
            text(counted.s)
        }
        _ => return one_add(),
    };
    FIELDS.lock().unwrap().push((text(name), shown));
    one_add()
}
