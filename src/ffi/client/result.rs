//! The result of a request.
#![allow(unsafe_code, reason = "exported symbols")]

use std::ffi::{c_int, c_uint, c_void};
use std::sync::Arc;

use super::super::guard::guard;
use super::resolve::request;
use super::types::{self, kdns_error, kdns_failure, kdns_record, kdns_request, kdns_target};
use crate::client::{Outcome, Request, use_answers, use_answers_too};

/// KDNS_OK: there are targets, or records. KDNS_UNDER_WAY: it has not ended. Else why there is nothing.
///
/// # Safety
/// `request` is NULL, or not released yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_status(request: *const kdns_request) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        // SAFETY: the contract is the caller's.
        let request = match unsafe { self::request(request) } {
            Ok(request) => request,
            Err(error) => return error.code(),
        };
        match request.outcome() {
            None => kdns_error::KDNS_UNDER_WAY.code(),
            Some(outcome) => match outcome.trouble {
                None => kdns_error::KDNS_OK.code(),
                Some(trouble) => kdns_error::of(trouble).code(),
            },
        }
    })
}

/// Does something with what came of a request.
///
/// # Safety
/// As [`kdns_status`].
unsafe fn with_outcome(
    pointer: *const kdns_request,
    work: impl FnOnce(&Outcome) -> kdns_error,
) -> c_int {
    // SAFETY: the contract is the caller's.
    let request = match unsafe { request(pointer) } {
        Ok(request) => request,
        Err(error) => return error.code(),
    };
    match request.outcome() {
        None => kdns_error::KDNS_UNDER_WAY.code(),
        Some(outcome) => work(outcome).code(),
    }
}

/// KDNS_OK where it was written, KDNS_E_BAD_ARGUMENT where it could not be.
fn written(is_written: bool) -> kdns_error {
    match is_written {
        true => kdns_error::KDNS_OK,
        false => kdns_error::KDNS_E_BAD_ARGUMENT,
    }
}

/// Tells why there is nothing: the question that counts, and the server that said so.
///
/// # Safety
/// `request` as in kdns_status(); `failure` is NULL or has `size` writable octets.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_failure(
    request: *const kdns_request,
    failure: *mut kdns_failure,
    size: usize,
) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        // SAFETY: NULL or writable by contract.
        let put = |value: &kdns_failure| unsafe { types::put(failure, size, value) };
        let work = |outcome: &Outcome| written(put(&kdns_failure::of(outcome)));
        // SAFETY: the contract is the caller's.
        unsafe { with_outcome(request, work) }
    })
}

/// The `user` of the terms of the request; NULL in a child.
///
/// # Safety
/// As kdns_status().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_user(request: *const kdns_request) -> *mut c_void {
    guard!(std::ptr::null_mut(), {
        // SAFETY: the contract is the caller's.
        match unsafe { self::request(request) } {
            Ok(request) => request.user as *mut c_void,
            Err(_) => std::ptr::null_mut(),
        }
    })
}

/// The target at a place, from 0 on; KDNS_E_ABSENT behind the last.
///
/// # Safety
/// `request` as in kdns_status(); `target` is NULL or has `size` writable octets.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_target(
    request: *const kdns_request,
    place: c_uint,
    target: *mut kdns_target,
    size: usize,
) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        let work = |outcome: &Outcome| {
            let Some((found, is_reported)) = outcome.targets.get(place as usize) else {
                return kdns_error::KDNS_E_ABSENT;
            };
            let value = kdns_target::of(found, outcome.has_asked, *is_reported);
            // SAFETY: NULL or writable by contract.
            written(unsafe { types::put(target, size, &value) })
        };
        // SAFETY: the contract is the caller's.
        unsafe { with_outcome(request, work) }
    })
}

/// The record at a place, from 0 on; KDNS_E_ABSENT behind the last.
///
/// # Safety
/// `request` as in kdns_status(); `record` is NULL or has `size` writable octets.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_record(
    request: *const kdns_request,
    place: c_uint,
    record: *mut kdns_record,
    size: usize,
) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        let work = |outcome: &Outcome| {
            let Some(found) = outcome.records.get(place as usize) else {
                return kdns_error::KDNS_E_ABSENT;
            };
            let value = kdns_record::of(found, outcome.has_asked);
            // SAFETY: NULL or writable by contract.
            written(unsafe { types::put(record, size, &value) })
        };
        // SAFETY: the contract is the caller's.
        unsafe { with_outcome(request, work) }
    })
}

/// From now on all lookups of this thread, those of kamailio_dns.h, too, find what the request found where the cache
/// has nothing. A further call replaces the request; NULL ends it. The request may be released meanwhile.
///
/// # Safety
/// As kdns_status().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_use(request: *const kdns_request) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        if request.is_null() {
            use_answers(None);
            return kdns_error::KDNS_OK.code();
        }
        let work = |outcome: &Outcome| {
            use_answers(outcome.answers.clone());
            kdns_error::KDNS_OK
        };
        // SAFETY: the contract is the caller's.
        unsafe { with_outcome(request, work) }
    })
}

/// As kdns_use(), beside the requests that are in use already: for a thread that goes on after several requests.
///
/// # Safety
/// As kdns_status().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_use_also(request: *const kdns_request) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        let work = |outcome: &Outcome| {
            if let Some(answers) = &outcome.answers {
                use_answers_too(Arc::clone(answers));
            }
            kdns_error::KDNS_OK
        };
        // SAFETY: the contract is the caller's.
        unsafe { with_outcome(request, work) }
    })
}

/// A target of the request failed: for so many seconds it stands behind the others in requests of its context.
///
/// # Safety
/// As kdns_status().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_report_failed(
    request: *const kdns_request,
    place: c_uint,
    seconds: c_uint,
) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        // SAFETY: the contract is the caller's.
        let held = match unsafe { self::request(request) } {
            Ok(held) => held,
            Err(error) => return error.code(),
        };
        let work = |outcome: &Outcome| match outcome.targets.get(place as usize) {
            Some((target, _)) => {
                held.report_failed(target, seconds);
                kdns_error::KDNS_OK
            }
            None => kdns_error::KDNS_E_ABSENT,
        };
        // SAFETY: the contract is the caller's.
        unsafe { with_outcome(request, work) }
    })
}

/// Gives a request back; one that is under way ends. NULL is no error.
///
/// # Safety
/// `request` is NULL, or not in use any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_release(request: *mut kdns_request) {
    guard!((), {
        if request.is_null() {
            return;
        }
        // SAFETY: of `Arc::into_raw()` by contract, and given back once.
        let request = unsafe { Arc::from_raw(request.cast_const().cast::<Request>()) };
        request.release();
    })
}
