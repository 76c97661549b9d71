//! Host names to `struct hostent` and socket addresses.
//!
//! The names differ by Kamailio version and by what they try; see behaviour of each. All of them go
//! past the cache when there is none or it is switched off.
#![allow(unsafe_code, reason = "exported symbols, functions of dns_func")]

use std::ffi::{CString, c_char, c_int, c_ushort};
use std::net::IpAddr;
use std::ptr::null_mut;

use super::guard::guard;
use super::hostent::{Host, copy_foreign, publish_option};
use super::ptr;
use super::types::{_str, ip_addr, rdata, sockaddr_union};
use crate::host::counters::{self, Counter};
use crate::host::options::{self, Opt, StrOpt};
use crate::host::{hooks, kamailio};
use crate::lookup::uncached;
use crate::rr::parse_literal;
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

/// True when lookups go through the cache.
pub(crate) fn cache_in_use() -> bool {
    #[cfg(feature = "use_dns_cache")]
    return options::on(Opt::UseCache) && crate::cache::Cache::instance().is_some();
    #[cfg(not(feature = "use_dns_cache"))]
    false
}

/// True when an option says which servers to ask: libc, which knows nothing of it, would ask others.
fn own_servers() -> bool {
    let set = |opt| !options::text(opt).is_empty();
    hooks::hosts_by_libc() && (set(StrOpt::Nameservers) || set(StrOpt::ResolvConf))
}

/// Asks the host's own resolver (`/etc/hosts` and all), IPv6 only when there is no IPv4 address and
/// `dns_try_ipv6` is on; where options name the servers, these are asked instead. Literals are answered
/// without asking.
pub(crate) fn system_lookup(name: &[u8]) -> Option<Host> {
    if let Some(address) = parse_literal(name) {
        return Some(Host::new(name, &[address]));
    }
    let text = CString::new(name).ok().filter(|t| !t.is_empty())?;
    if own_servers() {
        let (name, addresses) = uncached::addresses(name, options::on(Opt::TryIpv6))?;
        return Some(Host::new(name.as_bytes(), &addresses));
    }
    let functions = hooks::current();
    if let Some(search) = functions.sr_gethostbyname {
        // SAFETY: the host's function, with a NUL-terminated name.
        let found = unsafe { search(text.as_ptr()) };
        // SAFETY: what such a function returns is NULL or a hostent.
        if let Some(host) = unsafe { copy_foreign(found) } {
            return Some(host);
        }
    }
    let search = functions
        .sr_gethostbyname2
        .filter(|_| options::on(Opt::TryIpv6))?;
    // SAFETY: as above.
    let found = unsafe { search(text.as_ptr(), libc::AF_INET6) };
    // SAFETY: as above.
    unsafe { copy_foreign(found) }
}

/// As [`system_lookup`], and a failure is counted.
fn counted_system_lookup(name: &[u8]) -> Option<Host> {
    let host = system_lookup(name);
    if host.is_none() {
        counters::increment(Counter::FailedRequest);
    }
    host
}

/// A host through the cache, or past it when it is not in use.
pub(crate) fn host(name: &[u8]) -> Option<Host> {
    super::settings::sync();
    #[cfg(feature = "use_dns_cache")]
    if cache_in_use() {
        return super::cache::cached_host(name, current_flags());
    }
    counted_system_lookup(name)
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
    // SAFETY: the contract is the caller's.
    let mut port_value = unsafe { ptr::get(port) };
    // SAFETY: the contract is the caller's; exactly one octet.
    let mut proto_value = unsafe { ptr::get(proto.cast::<u8>()) };
    let mut canonical = Vec::new();
    let mut resolve = |host: &[u8]| -> Vec<IpAddr> {
        let Some(found) = system_lookup(host) else {
            return Vec::new();
        };
        canonical = found.name;
        found.addresses
    };
    let found = sip_host::resolve(
        name,
        port_value.as_mut(),
        proto_value.as_mut(),
        current_flags(),
        way,
        &mut resolve,
    )?;
    if let Some(value) = port_value {
        // SAFETY: NULL or writable by contract.
        unsafe { ptr::put(port, value) };
    }
    if let Some(value) = proto_value {
        // SAFETY: NULL or writable by contract; one octet.
        unsafe { ptr::put(proto.cast::<u8>(), value) };
    }
    Some(Host::new(&found.name, &found.addresses))
}

/// The way that the options ask for.
fn configured_way() -> Way {
    let naptr = cfg!(feature = "use_naptr") && options::on(Opt::TryNaptr);
    match (cache_in_use(), naptr) {
        (true, true) => Way::CachedNaptr,
        (true, false) => Way::CachedSrv,
        (false, true) => Way::UncachedNaptr,
        (false, false) => Way::UncachedSrv,
    }
}

/// Addresses of a host, through the cache when it is in use. NULL if there are none.
///
/// # Safety
/// `name` is NULL or NUL-terminated. The result is valid until the thread has asked for 16 more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __resolvehost(name: *mut c_char) -> *mut libc::hostent {
    guard!(null_mut(), {
        // SAFETY: the contract is the caller's.
        publish_option(
            unsafe { ptr::c_text(name) }
                .filter(|n| !n.is_empty())
                .and_then(host),
        )
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
        publish_option(
            unsafe { ptr::c_text(name) }
                .filter(|n| !n.is_empty())
                .and_then(host),
        )
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
        publish_option(unsafe { sip_host(name, port, proto, configured_way()) })
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
        publish_option(unsafe { sip_host(name, port, proto, configured_way()) })
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
        let naptr = cfg!(feature = "use_naptr") && options::on(Opt::TryNaptr);
        let way = if naptr {
            Way::UncachedNaptr
        } else {
            Way::UncachedSrv
        };
        // SAFETY: the contract is the caller's.
        publish_option(unsafe { sip_host(name, port, proto, way) })
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
        publish_option(unsafe { sip_host(name, port, proto, way) })
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
        publish_option(unsafe { sip_host(name, port, proto, Way::UncachedNaptr) })
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
        let way = if cache_in_use() {
            Way::CachedSrvList
        } else {
            Way::UncachedSrvList
        };
        // SAFETY: the contract is the caller's.
        publish_option(unsafe { sip_host(name, port, proto, way) })
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
        let way = if cache_in_use() {
            Way::CachedNaptr
        } else {
            Way::UncachedNaptr
        };
        // SAFETY: the contract is the caller's.
        publish_option(unsafe { sip_host(name, port, proto, way) })
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
        let way = if cache_in_use() {
            Way::CachedSrv
        } else {
            Way::UncachedSrv
        };
        // SAFETY: the contract is the caller's.
        publish_option(unsafe { sip_host(name, port, proto, way) })
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
        let found = unsafe { sip_host(name, &raw mut port, proto, configured_way()) };
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
