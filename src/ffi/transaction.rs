//! Kamailio says which SIP request is being worked on: `dns_transaction_seed`.
//!
//! `forward()` calls the library without a message. But the core lets anybody be called before and after the script of
//! each request, with the message, and puts pseudo-variables of a message into text. Nothing of the message's
//! layout has to be known for that, and no pointer to it is kept.
#![allow(unsafe_code, reason = "functions of the host")]

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::guard::guard;
use super::ptr;
use super::types::_str;
use crate::host::log::Level;
use crate::host::options::{self, ExtraOpt};
use crate::host::{kamailio, transaction};

/// Call-ID, and the CSeq number without the method: ACK and CANCEL go where their INVITE went. pv.so knows them.
const FORMAT: &CStr = c"$ci $cs";

/// `REQUEST_CB`, `PRE_SCRIPT_CB` and `POST_SCRIPT_CB` of script_cb.h, the same in all versions.
const REQUEST: c_uint = 1;
const BEFORE: c_uint = 1 << 30;
const AFTER: c_uint = 1 << 31;

type Callback = unsafe extern "C" fn(*mut c_void, c_uint, *mut c_void) -> c_int;
type Register = unsafe extern "C" fn(Callback, c_uint, *mut c_void) -> c_int;
type Parse = unsafe extern "C" fn(*mut _str, *mut *mut c_void) -> c_int;
type Print = unsafe extern "C" fn(*mut c_void, *mut c_void, *mut _str) -> c_int;

/// `pv_printf_s()` of the host.
static PRINT: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
/// [`FORMAT`] as the host has it.
static PARSED: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// Has the host call before and after each script, where the option says so; to be called once the modules are loaded
/// and before fork.
pub(crate) fn watch() {
    if options::extra(ExtraOpt::TransactionSeed) == 0 || !kamailio::is_host() {
        return;
    }
    if let Err(lack) = begin() {
        crate::log!(Level::Err, "DNS.transaction_seed has no effect: {lack}");
    }
}

fn begin() -> Result<(), &'static str> {
    let find = |name| kamailio::symbol(name).ok_or("this core does not export what it needs");
    let (register, parse) = (find(c"register_script_cb")?, find(c"pv_parse_format")?);
    let print = find(c"pv_printf_s")?;
    if !PRINT.swap(print, Ordering::Relaxed).is_null() {
        return Ok(());
    }
    // SAFETY: the function of that name of a Kamailio.
    let parse = unsafe { std::mem::transmute::<*mut c_void, Parse>(parse) };
    // SAFETY: as above.
    let register = unsafe { std::mem::transmute::<*mut c_void, Register>(register) };
    let mut format = _str {
        s: FORMAT.as_ptr().cast_mut(),
        len: FORMAT.count_bytes() as c_int,
    };
    let mut parsed = null_mut();
    // SAFETY: the text lives for ever, which the host's form of it refers to.
    let code = unsafe { parse(&raw mut format, &raw mut parsed) };
    if code < 0 || parsed.is_null() {
        return Err("pv.so is not loaded");
    }
    PARSED.store(parsed, Ordering::Relaxed);
    for when in [BEFORE, AFTER] {
        // SAFETY: the callback has the type that the host calls.
        if unsafe { register(script, when | REQUEST, null_mut()) } < 0 {
            return Err("the core takes no callback");
        }
    }
    Ok(())
}

/// Called by the host before and after the script of a request. 1 = it goes on.
unsafe extern "C" fn script(message: *mut c_void, flags: c_uint, _data: *mut c_void) -> c_int {
    guard!(1, {
        let is_begun = flags & BEFORE != 0 && options::extra(ExtraOpt::TransactionSeed) != 0;
        // SAFETY: the host's message, which lives during the call.
        let text = is_begun.then(|| unsafe { identity(message) }).flatten();
        // A callback that ends the script leaves a number behind, and no pointer.
        transaction::set(text);
        1
    })
}

/// Call-ID and CSeq number of a message, in the buffer that the host has for such texts.
///
/// # Safety
/// `message` is a message of the host. The result is to be used before anything else is asked of the host.
unsafe fn identity<'a>(message: *mut c_void) -> Option<&'a [u8]> {
    let (print, parsed) = (
        PRINT.load(Ordering::Relaxed),
        PARSED.load(Ordering::Relaxed),
    );
    if print.is_null() || parsed.is_null() || message.is_null() {
        return None;
    }
    // SAFETY: `begin` put the function of that name there.
    let print = unsafe { std::mem::transmute::<*mut c_void, Print>(print) };
    let mut text = _str {
        s: null_mut::<c_char>(),
        len: 0,
    };
    // SAFETY: the host's function with a message and a format of the host's.
    if unsafe { print(message, parsed, &raw mut text) } < 0 {
        return None;
    }
    // SAFETY: the host wrote a text there, or left it empty.
    unsafe { ptr::text(&raw const text) }
}
