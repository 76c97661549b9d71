//! Hosts as the program around us finds them: the functions of `dns_func`, or libc's.
#![allow(unsafe_code, reason = "functions of dns_func and libc")]

use std::ffi::{CStr, CString, c_char, c_int};
use std::net::IpAddr;
use std::ptr::null_mut;

use super::{hooks, libc_state};

/// Addresses in a result that was made from the cache.
const MAX_ADDRESSES: usize = 10;
/// Addresses and aliases taken over from libc.
const MAX_FOREIGN: usize = 64;
/// Values of `h_errno` in netdb.h.
const HOST_NOT_FOUND: c_int = 1;
const NO_DATA: c_int = 4;

unsafe extern "C" {
    fn __h_errno_location() -> *mut c_int;
}

/// Why there is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoHost {
    /// There is no such name.
    NoName,
    /// The name has no address of the family.
    NoAddress,
    /// The addresses could not be found out.
    Failed,
}

/// A host with its addresses, as a `struct hostent` has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Host {
    /// Canonical name.
    pub(crate) name: Vec<u8>,
    /// Other names.
    pub(crate) aliases: Vec<Vec<u8>>,
    /// Addresses; those of another family than the first are left out of a `struct hostent`.
    pub(crate) addresses: Vec<IpAddr>,
}

impl Host {
    pub(crate) fn new(name: &[u8], addresses: &[IpAddr]) -> Self {
        Self {
            name: name.to_vec(),
            aliases: Vec::new(),
            addresses: addresses.iter().copied().take(MAX_ADDRESSES).collect(),
        }
    }
}

/// Asks the function of `dns_func` that is there for IPv4. `is_absolute`: libc's search list does not complete the name.
///
/// # Errors
/// Why there is no address. Where there is no function, the name has none.
pub(crate) fn by_name(name: &CStr, is_absolute: bool) -> Result<Host, NoHost> {
    let search = hooks::current().sr_gethostbyname;
    let search = search.ok_or(NoHost::NoAddress)?;
    // SAFETY: the host's function, with a NUL-terminated name.
    hosts_by(is_absolute, || unsafe { search(name.as_ptr()) })
}

/// Asks the function of `dns_func` for IPv6; `None` where there is none.
pub(crate) fn by_name_ipv6(name: &CStr, is_absolute: bool) -> Option<Result<Host, NoHost>> {
    let search = hooks::current().sr_gethostbyname2?;
    // SAFETY: the host's function, with a NUL-terminated name.
    Some(hosts_by(is_absolute, || unsafe {
        search(name.as_ptr(), libc::AF_INET6)
    }))
}

/// Calls a function of `dns_func` for a host: libc's own, or a module's, which may call libc's.
fn hosts_by(
    is_absolute: bool,
    search: impl FnOnce() -> *mut libc::hostent,
) -> Result<Host, NoHost> {
    libc_state::follow();
    let _without_list = is_absolute.then(libc_state::without_list);
    // SAFETY: always safe to call.
    let reason = unsafe { __h_errno_location() };
    // SAFETY: this thread's variable, which lives as long as the thread.
    unsafe { reason.write(0) };
    let found = search();
    // SAFETY: what such a function returns is NULL or a hostent.
    let host = unsafe { copy_foreign(found) };
    // SAFETY: as above.
    host.ok_or(match unsafe { reason.read() } {
        HOST_NOT_FOUND => NoHost::NoName,
        NO_DATA => NoHost::NoAddress,
        // Also of a function that does not say.
        _ => NoHost::Failed,
    })
}

/// Copies what libc, or a function in its place, returned; `None` for NULL or odd content.
///
/// # Safety
/// `hostent` is NULL or a `struct hostent` as `gethostbyname()` returns it.
pub(crate) unsafe fn copy_foreign(hostent: *const libc::hostent) -> Option<Host> {
    // SAFETY: by contract NULL or readable.
    let hostent = unsafe { hostent.as_ref() }?;
    let mut host = Host::default();
    if !hostent.h_name.is_null() {
        // SAFETY: non-NULL, NUL-terminated by contract.
        host.name = unsafe { CStr::from_ptr(hostent.h_name) }
            .to_bytes()
            .to_vec();
    }
    // SAFETY: a NULL-terminated list of texts by contract.
    for alias in unsafe { list(hostent.h_aliases) } {
        // SAFETY: non-NULL element of the list, NUL-terminated by contract.
        host.aliases
            .push(unsafe { CStr::from_ptr(alias) }.to_bytes().to_vec());
    }
    // SAFETY: a NULL-terminated list of addresses by contract.
    for place in unsafe { list(hostent.h_addr_list) } {
        // SAFETY: each address has `h_length` octets by contract.
        host.addresses
            .extend(unsafe { read_address(place, hostent.h_addrtype, hostent.h_length) });
    }
    (!host.addresses.is_empty()).then_some(host)
}

/// The elements of a NULL-terminated list.
///
/// # Safety
/// `start` is NULL or such a list.
unsafe fn list(start: *mut *mut c_char) -> Vec<*mut c_char> {
    let mut elements = Vec::new();
    while !start.is_null() && elements.len() < MAX_FOREIGN {
        // SAFETY: all elements before this one were non-NULL, so the list goes on at least to here.
        let place = unsafe { start.add(elements.len()) };
        // SAFETY: as above.
        let element = unsafe { place.read() };
        if element.is_null() {
            break;
        }
        elements.push(element);
    }
    elements
}

/// # Safety
/// `place` has `length` readable octets.
unsafe fn read_address(place: *const c_char, family: c_int, length: c_int) -> Option<IpAddr> {
    match (family, length) {
        (libc::AF_INET, 4) => {
            // SAFETY: four octets by contract.
            let octets = unsafe { place.cast::<[u8; 4]>().read_unaligned() };
            Some(IpAddr::from(octets))
        }
        (libc::AF_INET6, 16) => {
            // SAFETY: sixteen octets by contract.
            let octets = unsafe { place.cast::<[u8; 16]>().read_unaligned() };
            Some(IpAddr::from(octets))
        }
        _ => None,
    }
}

/// Asks getaddrinfo(); addresses of the family of the first one.
pub(crate) fn by_address_info(name: &[u8]) -> Option<Host> {
    let text = CString::new(name).ok()?;
    // SAFETY: an addrinfo consists of integers and pointers, for which zero is a valid value.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_socktype = libc::SOCK_DGRAM;
    hints.ai_flags = libc::AI_ADDRCONFIG;
    libc_state::follow();
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
