//! Host names to `struct hostent` and socket addresses.
//!
//! The names differ by Kamailio version and by what they try; see behaviour of each. All of them go
//! past the cache when there is none or it is switched off.
#![allow(unsafe_code, reason = "exported symbols, functions of dns_func")]

use std::ffi::{c_char, c_int, c_ushort};
use std::ptr::null_mut;

use super::guard::guard;
use super::hostent::publish_option;
use super::ptr::{self, PortAndProto};
use super::types::{_str, ip_addr, rdata, sockaddr_union};
use crate::host::kamailio;
use crate::host::system_hosts::{self, Host};
use crate::lookup::system;
use crate::select::sip_host::{self, Way};

/// Kamailio's `ser_error` for a destination that does not resolve.
const E_BAD_ADDRESS: c_int = -478;

/// The request flags of this process.
pub(crate) fn current_flags() -> u32 {
    #[cfg(feature = "use_dns_cache")]
    return crate::host::vars::dns_flags.load(std::sync::atomic::Ordering::Relaxed) as u32;
    #[cfg(not(feature = "use_dns_cache"))]
    0
}

/// A host through the cache.
#[cfg(feature = "use_dns_cache")]
pub(crate) fn cached_host(name: &[u8], flags: u32) -> Option<Host> {
    let found = sip_host::host(name, flags)?;
    Some(Host::new(&found.name, &found.addresses))
}

/// A host through the cache, or past it when it is not in use.
pub(crate) fn host(name: &[u8]) -> Option<Host> {
    super::settings::sync();
    #[cfg(feature = "use_dns_cache")]
    if sip_host::cache_in_use() {
        return cached_host(name, current_flags());
    }
    let mut host = system::counted(name)?;
    crate::lookup::turns::turn(name, &mut host.addresses);
    Some(host)
}

/// A SIP destination; `port` and `proto` are in/out and written on success only.
///
/// # Safety
/// `name` is NULL or readable; `port` and `proto` are each NULL or readable and writable.
pub(crate) unsafe fn sip_host(
    name: *const _str,
    port: *mut c_ushort,
    proto: *mut c_char,
    way: Way,
) -> Option<Host> {
    super::settings::sync();
    // SAFETY: the contract is the caller's.
    let name = unsafe { ptr::name(name) }?;
    let variables = PortAndProto { port, proto };
    // SAFETY: the contract is the caller's.
    let (mut port, mut proto) = unsafe { variables.get() };
    let found = sip_host::resolve(
        name,
        port.as_mut(),
        proto.as_mut(),
        current_flags(),
        way,
        &mut system::addresses,
    )?;
    // SAFETY: NULL or writable by contract.
    unsafe { variables.put(port.unwrap_or(0), proto.unwrap_or(0)) };
    Some(Host::new(&found.name, &found.addresses))
}

/// The `struct hostent` of a host; NULL for NULL, an empty name, or no address.
fn publish_host(name: Option<&[u8]>) -> *mut libc::hostent {
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return null_mut();
    };
    #[cfg(feature = "use_dns_cache")]
    {
        super::settings::sync();
        let known = match sip_host::cache_in_use() {
            true => super::copied_host::host(name, current_flags()),
            false => None,
        };
        if let Some(hostent) = known {
            return hostent;
        }
    }
    publish_option(host(name))
}

/// The `struct hostent` of a SIP destination; NULL when there is none.
///
/// # Safety
/// As [`sip_host()`].
unsafe fn publish_sip_host(
    name: *const _str,
    port: *mut c_ushort,
    proto: *mut c_char,
    way: Way,
) -> *mut libc::hostent {
    #[cfg(feature = "use_dns_cache")]
    if way == Way::CachedSrv {
        super::settings::sync();
        let variables = PortAndProto { port, proto };
        // SAFETY: the contract is the caller's.
        let known = unsafe { ptr::name(name) }.and_then(|name| {
            // SAFETY: NULL or readable by contract.
            let (port, proto) = unsafe { variables.get() };
            super::copied_host::sip_host(name, port, proto, current_flags())
        });
        if let Some((hostent, port, transport)) = known {
            // SAFETY: NULL or writable by contract.
            unsafe { variables.put(port, transport) };
            return hostent;
        }
    }
    // SAFETY: the contract is the caller's.
    publish_option(unsafe { sip_host(name, port, proto, way) })
}

/// Addresses of a host, through the cache when it is in use. NULL if there are none.
///
/// # Safety
/// `name` is NULL or NUL-terminated. The result is valid until the thread has asked for 16 more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __resolvehost(name: *mut c_char) -> *mut libc::hostent {
    guard!(null_mut(), {
        // SAFETY: the contract is the caller's.
        publish_host(unsafe { ptr::c_text(name) })
    })
}

/// Kamailio 5's name of `__resolvehost()`.
///
/// # Safety
/// As `__resolvehost()`.
#[cfg(feature = "use_dns_cache")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_resolvehost(name: *mut c_char) -> *mut libc::hostent {
    guard!(null_mut(), {
        // SAFETY: the contract is the caller's.
        publish_host(unsafe { ptr::c_text(name) })
    })
}

/// Destination of a SIP URI: addresses, port and transport, by NAPTR, SRV and address records as the
/// options say. NULL if there is none.
///
/// `port` and `proto` are in/out, 0 = not given, written on success only.
///
/// # Safety
/// `name` is NULL or readable, the others NULL or readable and writable; `proto` is one octet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __sip_resolvehost(
    name: *mut _str,
    port: *mut c_ushort,
    proto: *mut c_char,
) -> *mut libc::hostent {
    guard!(null_mut(), {
        // SAFETY: the contract is the caller's.
        unsafe { publish_sip_host(name, port, proto, Way::configured()) }
    })
}

/// Kamailio 5's name of `__sip_resolvehost()`.
///
/// # Safety
/// As `__sip_resolvehost()`.
#[cfg(feature = "use_dns_cache")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_sip_resolvehost(
    name: *mut _str,
    port: *mut c_ushort,
    proto: *mut c_char,
) -> *mut libc::hostent {
    guard!(null_mut(), {
        // SAFETY: the contract is the caller's.
        unsafe { publish_sip_host(name, port, proto, Way::configured()) }
    })
}

/// As `__sip_resolvehost()`, past the cache.
///
/// # Safety
/// As `__sip_resolvehost()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _sip_resolvehost(
    name: *mut _str,
    port: *mut c_ushort,
    proto: *mut c_char,
) -> *mut libc::hostent {
    guard!(null_mut(), {
        // SAFETY: the contract is the caller's.
        unsafe { publish_sip_host(name, port, proto, Way::past_cache()) }
    })
}

/// SRV and address records of a SIP URI's host, past the cache; no NAPTR.
///
/// `is_srv` = the name carries its SRV prefix already; the address records are left out then. The
/// arguments `zt` and `ars` are not used: records of another answer's additional section are asked for
/// again, because nothing ties them to this name (B30).
///
/// # Safety
/// As `__sip_resolvehost()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srv_sip_resolvehost(
    name: *mut _str,
    _zt: c_int,
    port: *mut c_ushort,
    proto: *mut c_char,
    is_srv: c_int,
    _ars: *mut rdata,
) -> *mut libc::hostent {
    guard!(null_mut(), {
        let way = if is_srv != 0 {
            Way::UncachedSrvName
        } else {
            Way::UncachedSrv
        };
        // SAFETY: the contract is the caller's.
        unsafe { publish_sip_host(name, port, proto, way) }
    })
}

/// NAPTR, SRV and address records of a SIP URI's host, past the cache.
///
/// # Safety
/// As `__sip_resolvehost()`.
#[cfg(feature = "use_naptr")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn naptr_sip_resolvehost(
    name: *mut _str,
    port: *mut c_ushort,
    proto: *mut c_char,
) -> *mut libc::hostent {
    guard!(null_mut(), {
        // SAFETY: the contract is the caller's.
        unsafe { publish_sip_host(name, port, proto, Way::UncachedNaptr) }
    })
}

/// SRV records for each transport in order of preference, then address records; past the cache unless
/// it is in use.
///
/// # Safety
/// As `__sip_resolvehost()`.
#[cfg(feature = "use_naptr")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn no_naptr_srv_sip_resolvehost(
    name: *mut _str,
    port: *mut c_ushort,
    proto: *mut c_char,
) -> *mut libc::hostent {
    guard!(null_mut(), {
        let way = Way::CachedSrvList.if_in_use(Way::UncachedSrvList);
        // SAFETY: the contract is the caller's.
        unsafe { publish_sip_host(name, port, proto, way) }
    })
}

/// NAPTR, SRV and address records of a SIP URI's host, through the cache when it is in use.
///
/// # Safety
/// As `__sip_resolvehost()`.
#[cfg(all(feature = "use_dns_cache", feature = "use_naptr"))]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_naptr_sip_resolvehost(
    name: *mut _str,
    port: *mut c_ushort,
    proto: *mut c_char,
) -> *mut libc::hostent {
    guard!(null_mut(), {
        let way = Way::CachedNaptr.if_in_use(Way::UncachedNaptr);
        // SAFETY: the contract is the caller's.
        unsafe { publish_sip_host(name, port, proto, way) }
    })
}

/// SRV and address records of a SIP URI's host, through the cache when it is in use.
///
/// # Safety
/// As `__sip_resolvehost()`.
#[cfg(feature = "use_dns_cache")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_srv_sip_resolvehost(
    name: *mut _str,
    port: *mut c_ushort,
    proto: *mut c_char,
) -> *mut libc::hostent {
    guard!(null_mut(), {
        let way = Way::CachedSrv.if_in_use(Way::UncachedSrv);
        // SAFETY: the contract is the caller's.
        unsafe { publish_sip_host(name, port, proto, way) }
    })
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
        publish_option(name.and_then(system_hosts::by_address_info))
    })
}

/// A socket address from an address and a port in host order.
pub(crate) fn socket_address(ip: &ip_addr, port: u16) -> sockaddr_union {
    // SAFETY: a sockaddr_storage consists of integers, for which zero is a valid value.
    let sas: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut su = sockaddr_union { sas };
    if ip.len == 16 {
        su.sin6 = libc::sockaddr_in6 {
            sin6_family: libc::AF_INET6 as libc::sa_family_t,
            sin6_port: port.to_be(),
            sin6_flowinfo: 0,
            sin6_addr: libc::in6_addr { s6_addr: ip.u },
            sin6_scope_id: 0,
        };
    } else {
        let [a, b, c, d, ..] = ip.u;
        su.sin = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: port.to_be(),
            sin_addr: libc::in_addr {
                s_addr: u32::from_ne_bytes([a, b, c, d]),
            },
            sin_zero: [0; 8],
        };
    }
    su
}

/// Destination of a SIP URI as a socket address: its first address. 0, or -1 (and the host's
/// `ser_error`); `su` is written on success only.
///
/// # Safety
/// `su` is NULL or writable, the rest as `__sip_resolvehost()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sip_hostport2su(
    su: *mut sockaddr_union,
    name: *mut _str,
    port: c_ushort,
    proto: *mut c_char,
) -> c_int {
    guard!(-1, {
        let mut port = port;
        // SAFETY: the local is writable, the rest is the caller's contract.
        let found = unsafe { sip_host(name, &raw mut port, proto, Way::configured()) };
        let address = found.and_then(|host| host.addresses.first().copied());
        let (Some(address), false) = (address, su.is_null()) else {
            kamailio::set_ser_error(E_BAD_ADDRESS);
            return -1;
        };
        // SAFETY: non-NULL and writable by contract.
        unsafe { su.write_unaligned(socket_address(&ptr::to_ip_addr(address), port)) };
        0
    })
}
