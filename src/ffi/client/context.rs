//! Contexts and their options.
#![allow(unsafe_code, reason = "exported symbols")]
#![allow(non_camel_case_types, reason = "C names")]

use std::ffi::{c_char, c_int, c_uint};
use std::mem::ManuallyDrop;
use std::sync::Arc;

use super::super::guard::guard;
use super::super::{init, ptr};
use super::types::{kdns, kdns_error};
use crate::cache::Cache;
use crate::client::{Context, Setting};
use crate::host::own_lock::OwnLock;
use crate::host::{hooks, kamailio};

/// Opens a context. Sets up what is missing of the library, but not inside Kamailio, which does that itself.
///
/// KDNS_E_NO_CACHE, KDNS_E_SYSTEM, KDNS_E_SWAPPED, KDNS_E_BAD_ARGUMENT.
///
/// # Safety
/// `context` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_open(context: *mut *mut kdns) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        if context.is_null() {
            return kdns_error::KDNS_E_BAD_ARGUMENT.code();
        }
        match open() {
            Ok(opened) => {
                // SAFETY: NULL or writable by contract.
                unsafe { ptr::put(context, Arc::into_raw(opened).cast_mut().cast::<kdns>()) };
                kdns_error::KDNS_OK.code()
            }
            Err(error) => error.code(),
        }
    })
}

fn open() -> Result<Arc<Context>, kdns_error> {
    set_up()?;
    if hooks::swapped_search().is_some() {
        return Err(kdns_error::KDNS_E_SWAPPED);
    }
    Context::open().map_err(|_| kdns_error::KDNS_E_SYSTEM)
}

/// Sets up the library where nobody has.
fn set_up() -> Result<(), kdns_error> {
    static ONE_AT_A_TIME: OwnLock<()> = OwnLock::new();
    if Cache::instance().is_some() {
        return Ok(());
    }
    if kamailio::is_host() {
        return Err(kdns_error::KDNS_E_NO_CACHE);
    }
    let _held = ONE_AT_A_TIME.lock();
    if Cache::instance().is_none() {
        // SAFETY: no other thread is in here; that the program calls it at the same time is its own mistake.
        unsafe { init::resolv_init() };
        // SAFETY: as above.
        unsafe { init::init_dns_cache() };
    }
    match Cache::instance() {
        Some(_) => Ok(()),
        None => Err(kdns_error::KDNS_E_NO_CACHE),
    }
}

/// A value behind a pointer of the caller's; the caller's count of it stays.
pub(super) type Lent<T> = ManuallyDrop<Arc<T>>;

/// The value behind a pointer; `None` for NULL.
///
/// # Safety
/// NULL, or of `Arc::into_raw()` and not given back yet.
pub(super) unsafe fn lent<T>(pointer: *const T) -> Option<Lent<T>> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: non-NULL, so by contract of `Arc::into_raw()`; as it is not dropped the caller's count stays.
    Some(ManuallyDrop::new(unsafe { Arc::from_raw(pointer) }))
}

/// The context behind a pointer, if it is this process's.
///
/// # Safety
/// NULL, or of `kdns_open()` and not closed yet.
pub(super) unsafe fn context(pointer: *mut kdns) -> Result<Lent<Context>, kdns_error> {
    // SAFETY: the contract is the caller's.
    let context = unsafe { lent(pointer.cast_const().cast::<Context>()) };
    let context = context.ok_or(kdns_error::KDNS_E_BAD_ARGUMENT)?;
    match context.is_ours() {
        true => Ok(context),
        false => Err(kdns_error::KDNS_E_FORKED),
    }
}

/// Ends what is under way, and gives the context back. NULL is no error.
///
/// # Safety
/// `context` is NULL, or of `kdns_open()` and not in use any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_close(context: *mut kdns) {
    guard!((), {
        if context.is_null() {
            return;
        }
        // SAFETY: by contract of `kdns_open()`, and given back once.
        let context = unsafe { Arc::from_raw(context.cast_const().cast::<Context>()) };
        context.close();
    })
}

/// An error in words; never NULL.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_error_text(error: c_int) -> *const c_char {
    guard!(c"a defect of the library".as_ptr(), {
        let known = WORDS.iter().find(|(known, _)| known.code() == error);
        known.map_or(c"no such error".as_ptr(), |(_, words)| words.as_ptr())
    })
}

const WORDS: [(kdns_error, &std::ffi::CStr); 27] = {
    use kdns_error::*;
    [
        (KDNS_OK, c"no error"),
        (KDNS_UNDER_WAY, c"under way"),
        (KDNS_E_ABSENT, c"there are no such records"),
        (KDNS_E_NOT_OFFERED, c"the domain does not offer the service"),
        (KDNS_E_TIMEOUT, c"no nameserver answered in time"),
        (KDNS_E_SERVFAIL, c"the nameserver failed (SERVFAIL)"),
        (KDNS_E_REFUSED, c"the nameserver refused"),
        (KDNS_E_MALFORMED, c"no reply that can be used"),
        (KDNS_E_NETWORK, c"no nameserver can be reached"),
        (KDNS_E_NO_SERVERS, c"there is no nameserver to ask"),
        (KDNS_E_DEADLINE, c"the time of the request was over"),
        (KDNS_E_SHED, c"too many requests are under way"),
        (KDNS_E_NOT_CACHED, c"it is not in the cache"),
        (KDNS_E_CANCELLED, c"cancelled"),
        (KDNS_E_CLOSED, c"the context was closed"),
        (KDNS_E_FAMILY, c"an address of a family that is excluded"),
        (
            KDNS_E_BUDGET,
            c"the name leads to more questions than may be asked",
        ),
        (KDNS_E_BAD_URI, c"no SIP URI that can be used"),
        (KDNS_E_BAD_NAME, c"no name to ask for"),
        (KDNS_E_BAD_ARGUMENT, c"an argument cannot be used"),
        (KDNS_E_FORKED, c"the context belongs to the parent process"),
        (KDNS_E_NO_CACHE, c"there is no cache"),
        (KDNS_E_NO_MEMORY, c"there is no memory"),
        (KDNS_E_SYSTEM, c"the kernel gave no event queue"),
        (
            KDNS_E_SWAPPED,
            c"a module has put its own search function in the library's place",
        ),
        (KDNS_E_NO_REFRESHER, c"nobody is there who would ask"),
        (KDNS_E_DEFECT, c"a defect of the library was caught"),
    ]
};

/// A setting of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum kdns_option {
    /// Requests that may be under way, 1 to 1000000; at first 10000.
    KDNS_MOST_REQUESTS = 1,
    /// Time for requests that say none, ms; at first 0: dns_resolve_deadline.
    KDNS_DEADLINE_MS = 2,
    /// Time for one kdns_process(), as near as may be, us: 100 to 1000000; at first 300.
    KDNS_STEP_US = 3,
    /// How often it is looked whether targets of watched names have changed, ms: 10 to 3600000; at first 1000.
    KDNS_WATCH_MS = 4,
}

/// Sets an option of a context: enum kdns_option.
///
/// # Safety
/// `context` is NULL, or of `kdns_open()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_set(context: *mut kdns, option: c_int, value: c_uint) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        // SAFETY: the contract is the caller's.
        let context = match unsafe { self::context(context) } {
            Ok(context) => context,
            Err(error) => return error.code(),
        };
        let known = [
            (kdns_option::KDNS_MOST_REQUESTS, Setting::MostRequests),
            (kdns_option::KDNS_DEADLINE_MS, Setting::DeadlineMs),
            (kdns_option::KDNS_STEP_US, Setting::StepUs),
            (kdns_option::KDNS_WATCH_MS, Setting::WatchMs),
        ];
        let setting = known.iter().find(|(known, _)| *known as c_int == option);
        match setting {
            Some((_, setting)) if context.set(*setting, value) => kdns_error::KDNS_OK.code(),
            _ => kdns_error::KDNS_E_BAD_ARGUMENT.code(),
        }
    })
}
