//! The cache as C sees it: addresses through it, records put into it and taken out.
#![allow(unsafe_code, reason = "exported symbols")]

use std::ffi::{c_int, c_ushort};
use std::net::IpAddr;
use std::ptr::null_mut;

use super::codes::{
    E_DNS_INTERNAL_ERR, E_DNS_NAME_TOO_LONG, E_DNS_NO_IP, E_DNS_NO_SRV, E_DNS_OK, E_DNS_UNKNOWN,
};
use super::copied_host;
use super::guard::guard;
use super::hostent::publish_option;
use super::ptr;
use super::types::{_str, ip_addr};
use crate::cache::Cache;
use crate::error::LookupError;
use crate::host::system_hosts::Host;
use crate::lookup::{self, RecordEdit};
use crate::rr::RecordType;
use crate::select::sip_host;

/// Flag of add and delete: a negative entry.
const DNS_FLAG_BAD_NAME: c_int = 1;
/// Flag of add and delete: a permanent entry.
const DNS_FLAG_PERMANENT: c_int = 2;

fn error_code(error: LookupError, otherwise: c_int) -> c_int {
    match error {
        LookupError::NameTooLong => -E_DNS_NAME_TOO_LONG,
        LookupError::OutOfMemory => -E_DNS_INTERNAL_ERR,
        _ => -otherwise,
    }
}

/// Addresses of a host through the cache, under the rules of `flags` (`DNS_*`). NULL if there are none.
///
/// # Safety
/// `name` is NULL or readable. The result is valid until the thread has asked for 16 more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_get_he(name: *mut _str, flags: c_int) -> *mut libc::hostent {
    guard!(null_mut(), {
        let flags = super::settings::sync_flags(flags, || false);
        // SAFETY: the contract is the caller's.
        let name = unsafe { ptr::name(name) };
        if Cache::instance().is_none() {
            return publish_option(name.and_then(super::resolve::host));
        }
        let Some(name) = name else { return null_mut() };
        copied_host::host(name, flags as u32)
            .unwrap_or_else(|| publish_option(super::resolve::cached_host(name, flags as u32)))
    })
}

/// The substitute for an address that could not be had through the cache: an address from the system when there is no
/// cache, else the error code.
#[inline(never)]
fn address_instead(name: &[u8], error: LookupError) -> Result<IpAddr, c_int> {
    if Cache::instance().is_some() {
        return Err(error_code(error, E_DNS_NO_IP));
    }
    let host = super::resolve::host(name);
    host.and_then(|host| host.addresses.first().copied())
        .ok_or(-E_DNS_NO_IP)
}

/// First address of a host through the cache; 0, or a negative number for `dns_strerror()`.
///
/// # Safety
/// `name` is NULL or readable, `ip` NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_get_ip(name: *mut _str, ip: *mut ip_addr, flags: c_int) -> c_int {
    guard!(-E_DNS_INTERNAL_ERR, {
        let flags = super::settings::sync_flags(flags, || false);
        // SAFETY: the contract is the caller's.
        if let (Some(text), false) = (unsafe { ptr::name(name) }, ip.is_null()) {
            let found = |address| {
                // SAFETY: non-NULL and writable by contract.
                unsafe { ptr::put(ip, ptr::ipv4_to_ip_addr(address)) };
                E_DNS_OK
            };
            let absent = |error| error_code(error, E_DNS_NO_IP);
            let known = lookup::quick_ipv4(text, flags as u32, found, absent);
            if let Some(result) = known {
                return result;
            }
        }
        // SAFETY: the contract is the caller's.
        unsafe { get_ip(name, ip, flags) }
    })
}

/// As [`dns_get_ip`], all cases.
///
/// # Safety
/// As [`dns_get_ip`].
#[inline(never)]
unsafe fn get_ip(name: *const _str, ip: *mut ip_addr, flags: c_int) -> c_int {
    // SAFETY: the contract is the caller's.
    let (Some(name), false) = (unsafe { ptr::text(name) }, ip.is_null()) else {
        return -E_DNS_UNKNOWN;
    };
    if name.is_empty() {
        return -E_DNS_NO_IP;
    }
    let address = match lookup::first_plain_address(name, flags as u32) {
        Ok(address) => address,
        Err(error) => match address_instead(name, error) {
            Ok(address) => address.into(),
            Err(code) => return code,
        },
    };
    // SAFETY: non-NULL and writable by contract.
    unsafe { ptr::put(ip, ptr::plain_to_ip_addr(address)) };
    E_DNS_OK
}

/// The first SRV record of a name (prefix included) whose target has an address.
fn srv_host(name: Option<&[u8]>, flags: c_int) -> Option<(Host, u16)> {
    let name = name.filter(|_| Cache::instance().is_some())?;
    let found = sip_host::srv_host(name, flags as u32)?;
    Some((Host::new(&found.name, &found.addresses), found.port))
}

/// Addresses of the first usable target of an SRV name (prefix included) and its port. NULL if there
/// is none; no address records of the name itself are used.
///
/// # Safety
/// `name` is NULL or readable, `port` NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_srv_get_he(
    name: *mut _str,
    port: *mut c_ushort,
    flags: c_int,
) -> *mut libc::hostent {
    guard!(null_mut(), {
        let flags = super::settings::sync_flags(flags, || false);
        // SAFETY: the contract is the caller's.
        let name = unsafe { ptr::name(name) };
        let known = name.and_then(|name| copied_host::srv_host(name, flags as u32));
        let found = known.or_else(|| {
            let (host, port) = srv_host(name, flags)?;
            Some((publish_option(Some(host)), port))
        });
        let Some((hostent, found)) = found else {
            return null_mut();
        };
        // SAFETY: NULL or writable by contract.
        unsafe { ptr::put(port, found) };
        hostent
    })
}

/// First address of the first usable target of an SRV name (prefix included), and its port; 0, or a
/// negative number for `dns_strerror()`.
///
/// # Safety
/// `name` is NULL or readable, `ip` and `port` NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_srv_get_ip(
    name: *mut _str,
    ip: *mut ip_addr,
    port: *mut c_ushort,
    flags: c_int,
) -> c_int {
    guard!(-E_DNS_INTERNAL_ERR, {
        let flags = super::settings::sync_flags(flags, || false);
        // SAFETY: the contract is the caller's.
        let name = unsafe { ptr::name(name) };
        let known = name.and_then(|name| sip_host::srv_address(name, flags as u32));
        let found = known.or_else(|| {
            let (host, port) = srv_host(name, flags)?;
            Some(((*host.addresses.first()?).into(), port))
        });
        let Some((address, found)) = found else {
            return -E_DNS_NO_SRV;
        };
        // SAFETY: NULL or writable by contract.
        unsafe { ptr::put(ip, ptr::plain_to_ip_addr(address)) };
        // SAFETY: as above.
        unsafe { ptr::put(port, found) };
        E_DNS_OK
    })
}

/// Records that this process puts into the cache live for `ttl` seconds, whatever they say; 0 or less
/// = as they say.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_set_local_ttl(ttl: c_int) {
    guard!((), {
        lookup::set_local_ttl(u32::try_from(ttl).unwrap_or(0))
    })
}

/// Drops all entries; permanent ones only if asked. Entries in use live on for their holders.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_flush(del_permanent: c_int) {
    guard!((), {
        if let Some(cache) = Cache::instance() {
            let _some_may_be_left = cache.flush(del_permanent != 0);
            lookup::forget_failures();
        }
    })
}

/// The arguments of an add, checked; `None` when a number does not fit.
pub(crate) fn edit<'a>(
    name: &'a [u8],
    ttl: c_int,
    value: &'a [u8],
    (priority, weight, port): (c_int, c_int, c_int),
    flags: c_int,
) -> Option<RecordEdit<'a>> {
    Some(RecordEdit {
        name,
        ttl: u32::try_from(ttl).unwrap_or(0),
        value,
        priority: u16::try_from(priority).ok()?,
        weight: u16::try_from(weight).ok()?,
        port: u16::try_from(port).ok()?,
        negative: flags & DNS_FLAG_BAD_NAME != 0,
        permanent: flags & DNS_FLAG_PERMANENT != 0,
    })
}

/// Adds a record to the cache, or changes the one with the same value: type A, AAAA or SRV.
///
/// `value` is the address or the SRV target; `priority`, `weight` and `port` are for SRV only. `flags`:
/// 1 = negative entry (no value needed), 2 = permanent. 0, or -1 when it was refused.
///
/// # Safety
/// `name` and `value` are NULL or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_add_record(
    r#type: c_ushort,
    name: *mut _str,
    ttl: c_int,
    value: *mut _str,
    priority: c_int,
    weight: c_int,
    port: c_int,
    flags: c_int,
) -> c_int {
    guard!(-1, {
        super::settings::sync();
        // SAFETY: the contract is the caller's.
        let name = unsafe { ptr::name(name) };
        // SAFETY: the contract is the caller's.
        let value = unsafe { ptr::text(value) };
        let Some(name) = name else { return -1 };
        let value = value.unwrap_or_default();
        let Some(edit) = edit(name, ttl, value, (priority, weight, port), flags) else {
            return -1;
        };
        match lookup::add_record(RecordType(r#type), &edit) {
            Ok(()) => 0,
            Err(_) => -1,
        }
    })
}

/// Takes one record out of an entry whose flags are exactly `flags`; of a negative entry `value` is not
/// looked at. 0, or -1 when there is no such record.
///
/// # Safety
/// `name` and `value` are NULL or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_delete_single_record(
    r#type: c_ushort,
    name: *mut _str,
    value: *mut _str,
    flags: c_int,
) -> c_int {
    guard!(-1, {
        // SAFETY: the contract is the caller's.
        let name = unsafe { ptr::name(name) };
        // SAFETY: the contract is the caller's.
        let value = unsafe { ptr::text(value) };
        let Some(name) = name else { return -1 };
        let negative = flags & DNS_FLAG_BAD_NAME != 0;
        let permanent = flags & DNS_FLAG_PERMANENT != 0;
        let value = value.unwrap_or_default();
        let rtype = RecordType(r#type);
        match lookup::delete_single_record(rtype, name, value, negative, permanent) {
            Ok(()) => 0,
            Err(_) => -1,
        }
    })
}
