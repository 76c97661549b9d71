//! Answers of the cache alone: these functions never wait.
#![allow(unsafe_code, reason = "exported symbols")]
#![allow(non_camel_case_types, reason = "C names")]

use std::ffi::{c_char, c_int, c_uchar, c_uint, c_ushort};
use std::net::IpAddr;

use super::super::guard::guard;
use super::super::ptr;
use super::context::context;
use super::resolve::forget;
use super::types::{self, KDNS_EDITED, KDNS_STALE, kdns, kdns_error, kdns_terms};
use crate::cache::Cache;
use crate::client::{self, Destination, Search, Terms};
use crate::lookup::prefetch::{self, Wanted};
use crate::select::Transport;

/// 1: all that a request to a URI needs is in the cache, or is known to be missing; 0: not. Nothing is asked.
///
/// # Safety
/// `uri` has `length` octets, or is NULL; `terms` is NULL or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_ready(
    uri: *const c_char,
    length: usize,
    terms: *const kdns_terms,
) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        // SAFETY: the contract is the caller's.
        match unsafe { named(uri, length, terms) } {
            Ok((to, terms)) => c_int::from(client::ready(to, terms.flags)),
            Err(error) => error.code(),
        }
    })
}

/// # Safety
/// As [`kdns_ready`].
unsafe fn named(
    uri: *const c_char,
    length: usize,
    given: *const kdns_terms,
) -> Result<(Destination, Terms), kdns_error> {
    if Cache::instance().is_none() {
        return Err(kdns_error::KDNS_E_NO_CACHE);
    }
    // SAFETY: the contract is the caller's.
    let to = unsafe { types::destination(uri, length) }?;
    // SAFETY: the contract is the caller's.
    let (terms, _) = unsafe { types::terms(given) }.ok_or(kdns_error::KDNS_E_BAD_ARGUMENT)?;
    Ok((to, terms))
}

/// Starts to resolve a URI, and forgets. Without a context the refresher does it: Kamailio's slow timer, or
/// dns_refresh_start(); KDNS_E_NO_REFRESHER where there is none, KDNS_E_SHED where it has enough to do.
///
/// # Safety
/// `context` is NULL, or of kdns_open(); `uri` has `length` octets, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_prefetch(
    context: *mut kdns,
    uri: *const c_char,
    length: usize,
) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        // SAFETY: the contract is the caller's.
        let (to, terms) = match unsafe { named(uri, length, std::ptr::null()) } {
            Ok(named) => named,
            Err(error) => return error.code(),
        };
        // SAFETY: the contract is the caller's.
        let begun = unsafe {
            ask(
                context,
                (uri, length),
                (terms, Wanted::ForRequest),
                |terms| Search::for_targets(to, terms),
            )
        };
        begun.map_or_else(kdns_error::code, |()| kdns_error::KDNS_OK.code())
    })
}

/// Has somebody ask: the context, or the refresher.
///
/// # Safety
/// As [`kdns_prefetch`].
unsafe fn ask(
    pointer: *mut kdns,
    (uri, length): (*const c_char, usize),
    (terms, wanted): (Terms, Wanted),
    search: impl FnOnce(Terms) -> Search,
) -> Result<(), kdns_error> {
    if !pointer.is_null() {
        // SAFETY: the contract is the caller's.
        let context = unsafe { context(pointer) }?;
        return forget(&context, terms, search);
    }
    // SAFETY: the contract is the caller's.
    let uri = unsafe { types::text(uri, length) }.ok_or(kdns_error::KDNS_E_BAD_ARGUMENT)?;
    prefetch::ask(uri, wanted).map_err(|refused| match refused {
        prefetch::Refused::NoRefresher => kdns_error::KDNS_E_NO_REFRESHER,
        prefetch::Refused::Full => kdns_error::KDNS_E_SHED,
        prefetch::Refused::TooLong => kdns_error::KDNS_E_BAD_URI,
    })
}

/// The answer about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum kdns_answer {
    /// The address is none of the targets, and all are known by records that are fresh.
    KDNS_NO = 0,
    /// The address is a target by records that are fresh.
    KDNS_YES = 1,
    /// The address is a target by records that have expired.
    KDNS_STALE_YES = 2,
    /// The answer is not known yet. The missing records are being asked for, if there is a context or a refresher.
    KDNS_NOT_KNOWN_YET = 3,
}

/// Whether an address, of 4 or 16 octets, is one of the targets of a URI: by any of its NAPTR and SRV records, and both
/// families; a port or transport that is not 0 counts, too. enum kdns_answer, or an error. marks, which may be NULL, gets
/// KDNS_EDITED where an operator put in what leads there, and KDNS_STALE.
///
/// The URI comes from the operator and never from a message. The function does not replace authentication.
///
/// # Safety
/// `context` is NULL, or of kdns_open(); the others are NULL or valid for the octets that are said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_is_target(
    context: *mut kdns,
    uri: *const c_char,
    length: usize,
    address: *const c_uchar,
    address_length: usize,
    port: c_ushort,
    transport: c_uchar,
    marks: *mut c_uint,
) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        // SAFETY: the contract is the caller's.
        let (to, terms) = match unsafe { named(uri, length, std::ptr::null()) } {
            Ok(named) => named,
            Err(error) => return error.code(),
        };
        // SAFETY: the contract is the caller's.
        let Some(address) = (unsafe { ip_address(address, address_length) }) else {
            return kdns_error::KDNS_E_BAD_ARGUMENT.code();
        };
        let transport = match Transport::from_number(transport) {
            None if transport != 0 => return kdns_error::KDNS_E_BAD_ARGUMENT.code(),
            transport => transport,
        };
        let port = (port != 0).then_some(port);
        let found = client::is_target(to.clone(), terms.flags, address, port, transport);
        let (answer, mut said) = match found.is_stale {
            Some(false) => (kdns_answer::KDNS_YES, 0),
            Some(true) => (kdns_answer::KDNS_STALE_YES, KDNS_STALE),
            None if found.is_whole => (kdns_answer::KDNS_NO, 0),
            None => (kdns_answer::KDNS_NOT_KNOWN_YET, 0),
        };
        if found.is_edited {
            said |= KDNS_EDITED;
        }
        if !found.is_whole {
            // SAFETY: the contract is the caller's. Where nobody asks, the answer says that it is not known.
            let _nobody = unsafe {
                ask(context, (uri, length), (terms, Wanted::All), |terms| {
                    Search::for_all(to, terms)
                })
            };
        }
        // SAFETY: NULL or writable by contract.
        unsafe { ptr::put(marks, said) };
        answer as c_int
    })
}

/// # Safety
/// NULL, or readable for so many octets.
unsafe fn ip_address(address: *const c_uchar, length: usize) -> Option<IpAddr> {
    if address.is_null() {
        return None;
    }
    match length {
        4 => {
            // SAFETY: the contract is the caller's.
            let octets = unsafe { ptr::get(address.cast::<[u8; 4]>()) }?;
            Some(IpAddr::from(octets))
        }
        16 => {
            // SAFETY: the contract is the caller's.
            let octets = unsafe { ptr::get(address.cast::<[u8; 16]>()) }?;
            Some(IpAddr::from(octets))
        }
        _ => None,
    }
}
