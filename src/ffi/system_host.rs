//! Hosts from the system's own resolver.
#![allow(
    unsafe_code,
    reason = "exported symbols, functions of dns_func and libc"
)]

use std::ffi::{CString, c_char, c_int};
use std::net::IpAddr;
use std::ptr::null_mut;

use super::guard::guard;
use super::hostent::{Host, copy_foreign, publish_option};
use super::ptr;
use crate::error::{Failure, LookupError};
use crate::host::counters::{self, Counter};
use crate::host::hooks;
use crate::host::options::{self, Opt, StrOpt};
use crate::lookup::uncached;
use crate::rr::parse_literal;

/// Values of `h_errno` in netdb.h.
const HOST_NOT_FOUND: c_int = 1;
const NO_DATA: c_int = 4;

unsafe extern "C" {
    fn __h_errno_location() -> *mut c_int;
}

/// True when an option says which servers to ask: libc, which knows nothing of it, would ask others.
fn own_servers() -> bool {
    let set = |opt| !options::text(opt).is_empty();
    hooks::hosts_by_libc() && (set(StrOpt::Nameservers) || set(StrOpt::ResolvConf))
}

/// Asks the host's own resolver (`/etc/hosts` and all), IPv6 only when there is no IPv4 address and
/// `dns_try_ipv6` is on; where options name the servers, these are asked instead. Literals are answered
/// without asking.
///
/// # Errors
/// Why there is no address: a failure, unless it is said that there is none.
pub(crate) fn system_lookup(name: &[u8]) -> Result<Host, LookupError> {
    if let Some(address) = parse_literal(name) {
        return Ok(Host::new(name, &[address]));
    }
    let text = CString::new(name).map_err(|_| LookupError::BadName)?;
    if text.is_empty() {
        return Err(LookupError::BadName);
    }
    if own_servers() {
        let (name, addresses) = uncached::addresses(name, options::on(Opt::TryIpv6))?;
        return Ok(Host::new(name.as_bytes(), &addresses));
    }
    let functions = hooks::current();
    let mut lack = LookupError::NoData;
    if let Some(search) = functions.sr_gethostbyname {
        // SAFETY: the host's function, with a NUL-terminated name.
        match hosts_by(|| unsafe { search(text.as_ptr()) }) {
            Ok(host) => return Ok(host),
            Err(error) => lack = error,
        }
    }
    let search = functions.sr_gethostbyname2;
    let Some(search) = search.filter(|_| options::on(Opt::TryIpv6)) else {
        return Err(lack);
    };
    // SAFETY: as above.
    hosts_by(|| unsafe { search(text.as_ptr(), libc::AF_INET6) }).map_err(|error| match lack {
        // A failure says more than what the other family lacks.
        LookupError::Failed(_) => lack,
        _ => error,
    })
}

/// Calls a function of `dns_func` for a host.
fn hosts_by(search: impl FnOnce() -> *mut libc::hostent) -> Result<Host, LookupError> {
    // SAFETY: always safe to call.
    let reason = unsafe { __h_errno_location() };
    // SAFETY: this thread's variable, which lives as long as the thread.
    unsafe { reason.write(0) };
    let found = search();
    // SAFETY: what such a function returns is NULL or a hostent.
    let host = unsafe { copy_foreign(found) };
    // SAFETY: as above.
    host.ok_or(match unsafe { reason.read() } {
        HOST_NOT_FOUND => LookupError::NxDomain,
        NO_DATA => LookupError::NoData,
        // Also of a function that does not say.
        _ => LookupError::Failed(Failure::Hook),
    })
}

/// As [`system_lookup`], and a failure is counted.
pub(crate) fn counted_system_lookup(name: &[u8]) -> Option<Host> {
    let host = system_lookup(name).ok();
    if host.is_none() {
        counters::increment(Counter::FailedRequest);
    }
    host
}

/// Addresses of a host from the host's own resolver, of whatever family it prefers.
///
/// # Safety
/// As `__resolvehost()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ksr_gethostbyname(name: *const c_char) -> *mut libc::hostent {
    guard!(null_mut(), {
        // SAFETY: the contract is the caller's.
        let name = unsafe { ptr::c_text(name) }.filter(|n| !n.is_empty());
        publish_option(name.and_then(address_info))
    })
}

/// Asks getaddrinfo(); addresses of the family of the first one.
fn address_info(name: &[u8]) -> Option<Host> {
    let text = CString::new(name).ok()?;
    // SAFETY: an addrinfo consists of integers and pointers, for which zero is a valid value.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_socktype = libc::SOCK_DGRAM;
    hints.ai_flags = libc::AI_ADDRCONFIG;
    let mut head = null_mut();
    // SAFETY: the name is NUL-terminated, hints and result place are valid.
    let rc = unsafe {
        libc::getaddrinfo(
            text.as_ptr(),
            std::ptr::null(),
            &raw const hints,
            &raw mut head,
        )
    };
    if rc != 0 {
        return None;
    }
    let mut addresses = Vec::new();
    let mut node = head;
    // SAFETY: a list made by getaddrinfo(), NULL at its end.
    while let Some(info) = unsafe { node.as_ref() } {
        // SAFETY: the address of a node of that list.
        addresses.extend(unsafe { socket_ip(info.ai_addr) });
        node = info.ai_next;
    }
    // SAFETY: the list of the call above, not used any more.
    unsafe { libc::freeaddrinfo(head) };
    let host = Host::new(name, &addresses);
    (!host.addresses.is_empty()).then_some(host)
}

/// # Safety
/// `address` is NULL or a socket address of the size that its family has.
unsafe fn socket_ip(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: the contract is the caller's.
    match c_int::from(unsafe { address.as_ref() }?.sa_family) {
        libc::AF_INET => {
            // SAFETY: the family says so.
            let sin = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(IpAddr::from(sin.sin_addr.s_addr.to_ne_bytes()))
        }
        libc::AF_INET6 => {
            // SAFETY: the family says so.
            let sin6 = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(IpAddr::from(sin6.sin6_addr.s6_addr))
        }
        _ => None,
    }
}
