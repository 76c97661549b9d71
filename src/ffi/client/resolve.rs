//! Requests: begun and waited for, or begun in an event loop.
#![allow(unsafe_code, reason = "exported symbols")]
#![allow(non_camel_case_types, reason = "C names")]

use std::ffi::{c_char, c_int, c_ushort};
use std::sync::Arc;

use super::super::guard::guard;
use super::super::ptr;
use super::context::{Lent, context, lent};
use super::types::{self, kdns, kdns_error, kdns_request, kdns_terms};
use crate::client::{Changes, Context, Refused, Request, Search, Terms};
use crate::rr::RecordType;

/// Begins a request; `is_waited_for`: and waits until it has ended.
///
/// # Safety
/// `place` and `given` are NULL or writable and readable; `context` is as everywhere.
unsafe fn begin(
    pointer: *mut kdns,
    given: *const kdns_terms,
    place: *mut *mut kdns_request,
    is_waited_for: bool,
    make: impl FnOnce(Terms) -> Search,
) -> Result<(), kdns_error> {
    // SAFETY: the contract is the caller's.
    let context = unsafe { context(pointer) }?;
    if place.is_null() {
        return Err(kdns_error::KDNS_E_BAD_ARGUMENT);
    }
    // SAFETY: the contract is the caller's.
    let (terms, user) = unsafe { types::terms(given) }.ok_or(kdns_error::KDNS_E_BAD_ARGUMENT)?;
    let request = context
        .start(terms, user, is_waited_for, make)
        .map_err(kdns_error::from)?;
    if is_waited_for {
        context.wait(&request);
    }
    let pointer = Arc::into_raw(request).cast_mut().cast::<kdns_request>();
    // SAFETY: writable by contract.
    unsafe { ptr::put(place, pointer) };
    Ok(())
}

impl From<Refused> for kdns_error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Shed => Self::KDNS_E_SHED,
            Refused::NotOurs => Self::KDNS_E_FORKED,
        }
    }
}

fn code(result: Result<(), kdns_error>) -> c_int {
    result.map_or_else(kdns_error::code, |()| kdns_error::KDNS_OK.code())
}

/// Resolves a SIP URI, or a host with or without port, to targets in the order of use, and waits until that has ended, well
/// or not: kdns_status().
///
/// # Safety
/// All pointers are NULL or valid; `uri` has `length` octets.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_resolve(
    context: *mut kdns,
    uri: *const c_char,
    length: usize,
    terms: *const kdns_terms,
    request: *mut *mut kdns_request,
) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        // SAFETY: the contract is the caller's.
        code(unsafe { begin_uri(context, (uri, length), terms, request, true) })
    })
}

/// As kdns_resolve(), for the records of a name and type. A name without final dot may be completed by the search list.
///
/// # Safety
/// As kdns_resolve().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_query(
    context: *mut kdns,
    name: *const c_char,
    length: usize,
    r#type: c_ushort,
    terms: *const kdns_terms,
    request: *mut *mut kdns_request,
) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        // SAFETY: the contract is the caller's.
        code(unsafe { begin_name(context, (name, length), r#type, terms, request, true) })
    })
}

/// As kdns_resolve(), without waiting: kdns_process() goes on with the request.
///
/// # Safety
/// As kdns_resolve().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_start(
    context: *mut kdns,
    uri: *const c_char,
    length: usize,
    terms: *const kdns_terms,
    request: *mut *mut kdns_request,
) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        // SAFETY: the contract is the caller's.
        code(unsafe { begin_uri(context, (uri, length), terms, request, false) })
    })
}

/// As kdns_query(), without waiting: kdns_process() goes on with the request.
///
/// # Safety
/// As kdns_resolve().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_start_query(
    context: *mut kdns,
    name: *const c_char,
    length: usize,
    r#type: c_ushort,
    terms: *const kdns_terms,
    request: *mut *mut kdns_request,
) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        // SAFETY: the contract is the caller's.
        code(unsafe { begin_name(context, (name, length), r#type, terms, request, false) })
    })
}

/// # Safety
/// As [`kdns_resolve`].
unsafe fn begin_uri(
    context: *mut kdns,
    (uri, length): (*const c_char, usize),
    terms: *const kdns_terms,
    request: *mut *mut kdns_request,
    is_waited_for: bool,
) -> Result<(), kdns_error> {
    // SAFETY: the contract is the caller's.
    let to = unsafe { types::destination(uri, length) }?;
    let make = |terms| Search::for_targets(to, terms);
    // SAFETY: the contract is the caller's.
    unsafe { begin(context, terms, request, is_waited_for, make) }
}

/// # Safety
/// As [`kdns_resolve`].
unsafe fn begin_name(
    context: *mut kdns,
    (name, length): (*const c_char, usize),
    rtype: u16,
    terms: *const kdns_terms,
    request: *mut *mut kdns_request,
    is_waited_for: bool,
) -> Result<(), kdns_error> {
    let qtype = RecordType(rtype);
    if qtype.form().is_none() {
        return Err(kdns_error::KDNS_E_BAD_ARGUMENT);
    }
    // SAFETY: the contract is the caller's.
    let name = unsafe { types::text(name, length) }.ok_or(kdns_error::KDNS_E_BAD_ARGUMENT)?;
    let make = |terms| Search::for_records(name, qtype, terms);
    // SAFETY: the contract is the caller's.
    unsafe { begin(context, terms, request, is_waited_for, make) }
}

/// The descriptor to poll for input; it stays the same.
///
/// # Safety
/// `context` is NULL, or of kdns_open().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_fd(context: *mut kdns) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        // SAFETY: the contract is the caller's.
        let context = unsafe { self::context(context) };
        context.map_or_else(kdns_error::code, |context| context.descriptor())
    })
}

/// The time until kdns_process() is to be called at the latest, ms, whatever the descriptor says; -1: no need. Ask
/// before each wait. Errors are below -1.
///
/// # Safety
/// As kdns_fd().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_timeout(context: *mut kdns) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        // SAFETY: the contract is the caller's.
        match unsafe { self::context(context) } {
            Ok(context) => context
                .timeout_ms()
                .map_or(-1, |ms| c_int::try_from(ms).unwrap_or(c_int::MAX)),
            Err(error) => error.code(),
        }
    })
}

/// Goes on with all requests, without waiting, for about KDNS_STEP_US, and calls the functions of watches whose names
/// have changed. Gives the number of requests that have ended and were not fetched yet.
///
/// # Safety
/// As kdns_fd().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_process(context: *mut kdns) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        // SAFETY: the contract is the caller's.
        let context = match unsafe { self::context(context) } {
            Ok(context) => context,
            Err(error) => return error.code(),
        };
        super::super::settings::sync();
        let (count, changes) = context.process();
        changes.iter().for_each(Changes::tell);
        c_int::try_from(count).unwrap_or(c_int::MAX)
    })
}

/// The next request that has ended, each once and as kdns_start() gave it; NULL: there is none.
///
/// # Safety
/// As kdns_fd().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_finished(context: *mut kdns) -> *mut kdns_request {
    guard!(std::ptr::null_mut(), {
        // SAFETY: the contract is the caller's.
        let Ok(context) = (unsafe { self::context(context) }) else {
            return std::ptr::null_mut();
        };
        match context.next_finished() {
            // The request's owner holds a count until it releases the request, which takes the request from the list.
            Some(request) => Arc::as_ptr(&request).cast_mut().cast(),
            None => std::ptr::null_mut(),
        }
    })
}

/// Ends a request: KDNS_E_CANCELLED, and it is fetched as all others. Nothing for one that has ended.
///
/// # Safety
/// `request` is NULL, or not released yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_cancel(request: *mut kdns_request) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        // SAFETY: the contract is the caller's.
        match unsafe { self::request(request) } {
            Ok(request) => {
                request.cancel();
                kdns_error::KDNS_OK.code()
            }
            Err(error) => error.code(),
        }
    })
}

/// The request behind a pointer, if it is this process's.
///
/// # Safety
/// NULL, or not released yet.
pub(super) unsafe fn request(pointer: *const kdns_request) -> Result<Lent<Request>, kdns_error> {
    // SAFETY: the contract is the caller's.
    let request = unsafe { lent(pointer.cast::<Request>()) };
    let request = request.ok_or(kdns_error::KDNS_E_BAD_ARGUMENT)?;
    match request.is_ours() {
        true => Ok(request),
        false => Err(kdns_error::KDNS_E_FORKED),
    }
}

/// Starts to resolve for a destination, and forgets; with a context.
pub(super) fn forget(
    context: &Arc<Context>,
    terms: Terms,
    search: impl FnOnce(Terms) -> Search,
) -> Result<(), kdns_error> {
    // The request counts as one that somebody waits for: `kdns_finished()` does not give it.
    let started = context.start(terms, 0, true, search);
    started.map(drop).map_err(kdns_error::from)
}
