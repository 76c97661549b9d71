//! Every way of the library from a destination to targets, by its C functions.
#![allow(unsafe_code, reason = "calls the C interface")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::net::{IpAddr, SocketAddr};

use kamailio_dns::ffi::cache::{dns_get_he, dns_get_ip, dns_srv_get_he, dns_srv_get_ip};
use kamailio_dns::ffi::explain::dns_explain;
use kamailio_dns::ffi::opaque::{
    dns_handle_free, dns_handle_new, dns_handle_next, dns_handle_reason, dns_handle_resolve,
    dns_handle_seed, dns_reason,
};
use kamailio_dns::ffi::resolve::{
    _sip_resolvehost, dns_naptr_sip_resolvehost, dns_sip_resolvehost, dns_srv_sip_resolvehost,
    naptr_sip_resolvehost, no_naptr_srv_sip_resolvehost, sip_hostport2su, srv_sip_resolvehost,
};
use kamailio_dns::ffi::types::{_str, ip_addr, sockaddr_union};
use kamailio_dns::lookup::asker::ask_for_tests;
use kamailio_dns::select::Transport;
use kamailio_dns::select::cursor::{LAYOUTS, Layout};
use kamailio_dns::select::sip_uri::Destination;
use kamailio_dns::select::suspended::{Progress, Search, Terms};

use super::model::Target;
use super::policy::Request;
use crate::support::handles::{CHandle, Fence, LayoutGuard, no_address};

/// A walk without an end has at least so many targets.
const TOO_MANY: usize = 500;

/// A list of targets, and the code that ended it.
pub type Walked = (Vec<Target>, i32);

/// A `struct hostent` with port and transport; `None` for NULL.
pub type HostFound = Option<(Vec<IpAddr>, u16, u8)>;

/// One address with its port.
pub type Place = (IpAddr, u16);

/// All addresses of a host with their port.
pub type Places = (Vec<IpAddr>, u16);

/// How a handle is used.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    pub layout: &'static Layout,
    /// Before each step the handle is copied, and the copy goes on.
    pub copied: bool,
    pub seed: Option<u32>,
}

impl Manner {
    pub fn all(seed: Option<u32>) -> Vec<Self> {
        let both = |layout| {
            [false, true].map(|copied| Self {
                layout,
                copied,
                seed,
            })
        };
        LAYOUTS.iter().flat_map(both).collect()
    }
}

/// All the targets that a caller gets who tries again and again.
pub fn walk(request: &Request, manner: Manner) -> Walked {
    walk_with(request, manner, &|| request.flags)
}

/// As [`walk`]; the flags are looked up before each step.
pub fn walk_with(request: &Request, manner: Manner, flags: &dyn Fn() -> u32) -> Walked {
    let _layout = LayoutGuard::new(manner.layout);
    let mut handle = CHandle::new(manner.layout, Fence::Behind);
    if let Some(seed) = manner.seed {
        handle.seed(seed);
    }
    let mut found = Vec::new();
    loop {
        if manner.copied {
            let copy = handle.copy(Fence::Before);
            handle = copy;
        }
        let given = (request.port, request.transport);
        match handle.resolve(&request.host, given, flags()) {
            Ok(target) => found.push(target),
            Err(code) => return (found, code),
        }
        assert!(found.len() < TOO_MANY, "no end: {request:?}");
        if !handle.next() {
            // The only target there can be: a literal.
            return (found, -1);
        }
    }
}

/// As [`walk`], with the handles of this library's own interface; and the reasons that it gives.
pub fn walk_own(request: &Request, seed: Option<u32>) -> (Walked, Vec<dns_reason>) {
    let host = CString::new(&*request.host).expect("no NUL");
    // SAFETY: makes a handle.
    let handle = unsafe { dns_handle_new() };
    if let Some(seed) = seed {
        // SAFETY: a handle of this function; so in all the calls below.
        assert_eq!(unsafe { dns_handle_seed(handle, seed) }, 0);
    }
    let (mut found, mut reasons) = (Vec::new(), Vec::new());
    let code = loop {
        let (mut ip, mut port) = (no_address(), request.port);
        let (mut proto, flags) = (request.transport as c_char, request.flags as c_int);
        let (ip_place, port_place, proto_place) = (&raw mut ip, &raw mut port, &raw mut proto);
        // SAFETY: see above; variables of this function.
        let code = unsafe {
            dns_handle_resolve(
                handle,
                host.as_ptr(),
                ip_place,
                port_place,
                proto_place,
                flags,
            )
        };
        if code != 0 {
            break code;
        }
        found.push((address(&ip), port, proto as u8));
        // SAFETY: integers and octets, for which zero is valid.
        let mut reason: dns_reason = unsafe { std::mem::zeroed() };
        // SAFETY: see above.
        assert_eq!(unsafe { dns_handle_reason(handle, &raw mut reason) }, 0);
        reasons.push(reason);
        assert!(found.len() < TOO_MANY, "no end: {request:?}");
        // SAFETY: see above.
        if unsafe { dns_handle_next(handle) } == 0 {
            break -1;
        }
    };
    // SAFETY: see above; not used any more.
    unsafe { dns_handle_free(handle) };
    ((found, code), reasons)
}

/// The targets that a search finds that never waits.
pub fn suspended(request: &Request, seed: Option<u32>) -> Vec<Target> {
    let destination = Destination {
        host: request.host.clone().into_bytes(),
        port: request.port,
        transport: Transport::from_number(request.transport),
        is_sips: false,
    };
    let terms = Terms {
        flags: request.flags,
        seed: seed.unwrap_or(0),
        ..Terms::default()
    };
    let mut search = Search::for_targets(destination, terms);
    loop {
        let progress = search.go_on();
        let wanted = search.take_wanted();
        match progress {
            Progress::Ended(ended) => {
                assert!(wanted.is_empty(), "{wanted:?}");
                let targets = ended.targets.iter();
                return targets
                    .map(|t| (t.address.ip(), t.address.port(), t.transport as u8))
                    .collect();
            }
            Progress::Waits(ms) => {
                assert!(
                    ms == 0 || !wanted.is_empty(),
                    "waits for nothing: {request:?}"
                );
                for (key, answer) in ask_for_tests(&wanted) {
                    search.learn(key, answer);
                }
            }
        }
    }
}

/// What `dns_explain()` and siptargets show: the targets, and the addresses of the tree above them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explained {
    pub targets: Vec<Target>,
    pub tree: Vec<IpAddr>,
    pub text: String,
}

pub fn explain(request: &Request) -> Explained {
    let uri = CString::new(request.uri()).expect("no NUL");
    let mut explained = Explained::default();
    let data = (&raw mut explained).cast();
    // SAFETY: a text, and a function that takes `data` as the value that it is.
    let count = unsafe { dns_explain(uri.as_ptr(), request.flags as c_int, Some(line), data) };
    assert_eq!(
        count,
        explained.targets.len() as c_int,
        "{}",
        explained.text
    );
    explained
}

unsafe extern "C" fn line(
    data: *mut c_void,
    depth: c_int,
    subject: *const c_char,
    text: *const c_char,
) {
    // SAFETY: `explain` gave a value of its own.
    let explained = unsafe { &mut *data.cast::<Explained>() };
    // SAFETY: a text that lives during the call.
    let subject = unsafe { CStr::from_ptr(subject) }.to_str().expect("text");
    // SAFETY: as above.
    let text = unsafe { CStr::from_ptr(text) }.to_str().expect("text");
    let indent = "  ".repeat(depth as usize);
    explained.text += &format!("{indent}{subject}: {text}\n");
    match subject {
        "target" => explained.targets.push(target(text)),
        "address" => {
            // Of a literal no records are listed.
            let literal = text
                .split_once(" is an address")
                .map(|(literal, _)| literal);
            let list = text.split_once(" -> ").map(|(_, list)| list).or(literal);
            let addresses = list.unwrap_or_default().split(", ");
            let addresses = addresses.filter_map(|text| text.parse::<IpAddr>().ok());
            explained.tree.extend(addresses);
        }
        _ => {}
    }
}

/// `1. udp 192.0.2.1:5060`
fn target(text: &str) -> Target {
    let words: Vec<&str> = text.split(' ').collect();
    let names = ["", "udp", "tcp", "tls", "sctp", "ws", "wss"];
    let transport = names.iter().position(|name| *name == words[1]);
    let place: SocketAddr = words[2].parse().expect("address and port");
    let transport = transport.expect("a transport") as u8;
    (place.ip(), place.port(), transport)
}

fn counted(text: &str) -> _str {
    _str {
        s: text.as_ptr().cast_mut().cast(),
        len: text.len() as i32,
    }
}

/// The addresses of a result of the library.
fn addresses(found: *const libc::hostent) -> Vec<IpAddr> {
    // SAFETY: NULL or a hostent that stays valid for 15 more calls.
    let Some(host) = (unsafe { found.as_ref() }) else {
        return Vec::new();
    };
    let mut list = Vec::new();
    let mut place = host.h_addr_list;
    loop {
        // SAFETY: the list ends with NULL.
        let octets = unsafe { *place }.cast::<u8>();
        if octets.is_null() {
            return list;
        }
        // SAFETY: an address of that length.
        let octets = unsafe { std::slice::from_raw_parts(octets, host.h_length as usize) };
        list.push(match <[u8; 4]>::try_from(octets) {
            Ok(v4) => v4.into(),
            Err(_) => <[u8; 16]>::try_from(octets).expect("IPv6").into(),
        });
        // SAFETY: not behind the NULL.
        place = unsafe { place.add(1) };
    }
}

/// The functions that give a `struct hostent` for a SIP URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hostent {
    /// As the options say.
    Configured,
    /// NAPTR first.
    Naptr,
    /// SRV of all transports.
    List,
    /// SRV of the transport given, or UDP.
    Srv,
}

impl Hostent {
    pub const ALL: [Self; 4] = [Self::Configured, Self::Naptr, Self::List, Self::Srv];
}

/// Asks one of these functions, through the cache or, where the option says so, past it.
pub fn hostent(request: &Request, function: Hostent, past_cache: bool) -> HostFound {
    let mut name = counted(&request.host);
    let (mut port, mut proto) = (request.port, request.transport as c_char);
    let (name, port_place, proto_place) = (&raw mut name, &raw mut port, &raw mut proto);
    let found = match (function, past_cache) {
        // SAFETY: variables of this function; so in all the calls below.
        (Hostent::Configured, false) => unsafe {
            dns_sip_resolvehost(name, port_place, proto_place)
        },
        // SAFETY: see above.
        (Hostent::Configured, true) => unsafe { _sip_resolvehost(name, port_place, proto_place) },
        // SAFETY: see above.
        (Hostent::Naptr, false) => unsafe {
            dns_naptr_sip_resolvehost(name, port_place, proto_place)
        },
        // SAFETY: see above.
        (Hostent::Naptr, true) => unsafe { naptr_sip_resolvehost(name, port_place, proto_place) },
        // SAFETY: see above.
        (Hostent::List, _) => unsafe {
            no_naptr_srv_sip_resolvehost(name, port_place, proto_place)
        },
        // SAFETY: see above.
        (Hostent::Srv, false) => unsafe { dns_srv_sip_resolvehost(name, port_place, proto_place) },
        (Hostent::Srv, true) => {
            let (zt, is_srv, no_records) = (0, 0, std::ptr::null_mut());
            // SAFETY: see above; no records are given.
            unsafe { srv_sip_resolvehost(name, zt, port_place, proto_place, is_srv, no_records) }
        }
    };
    let list = addresses(found);
    (!list.is_empty()).then_some((list, port, proto as u8))
}

/// `srv_sip_resolvehost()` for a name that is an SRV name already.
pub fn srv_name_past_cache(owner: &str) -> Option<Places> {
    let (mut name, mut port, mut proto) = (counted(owner), 0, 0);
    let (name, port_place, proto_place) = (&raw mut name, &raw mut port, &raw mut proto);
    let (zt, is_srv, no_records) = (0, 1, std::ptr::null_mut());
    // SAFETY: variables of this function; no records are given.
    let found =
        unsafe { srv_sip_resolvehost(name, zt, port_place, proto_place, is_srv, no_records) };
    let list = addresses(found);
    (!list.is_empty()).then_some((list, port))
}

/// `sip_hostport2su()`.
pub fn hostport(request: &Request) -> Option<Target> {
    let (mut name, mut proto) = (counted(&request.host), request.transport as c_char);
    // SAFETY: integers, for which zero is valid.
    let mut su: sockaddr_union = unsafe { std::mem::zeroed() };
    let (su_place, name, proto_place) = (&raw mut su, &raw mut name, &raw mut proto);
    // SAFETY: variables of this function.
    let code = unsafe { sip_hostport2su(su_place, name, request.port, proto_place) };
    if code != 0 {
        return None;
    }
    // SAFETY: the family lies at the same place in every kind of socket address.
    let family = unsafe { su.sin.sin_family };
    let (ip, port): (IpAddr, u16) = if family == libc::AF_INET as u16 {
        // SAFETY: the family says so.
        let sin = unsafe { su.sin };
        (sin.sin_addr.s_addr.to_ne_bytes().into(), sin.sin_port)
    } else {
        // SAFETY: the family says so.
        let sin6 = unsafe { su.sin6 };
        (sin6.sin6_addr.s6_addr.into(), sin6.sin6_port)
    };
    Some((ip, u16::from_be(port), proto as u8))
}

fn address(ip: &ip_addr) -> IpAddr {
    match ip.len {
        4 => [ip.u[0], ip.u[1], ip.u[2], ip.u[3]].into(),
        _ => ip.u.into(),
    }
}

/// `dns_srv_get_ip()` and `dns_srv_get_he()` of an SRV name.
pub fn srv_get(owner: &str, flags: u32) -> (Option<Place>, Option<Places>) {
    let (mut name, mut ip, mut port) = (counted(owner), no_address(), 0);
    // SAFETY: variables of this function.
    let code = unsafe { dns_srv_get_ip(&raw mut name, &raw mut ip, &raw mut port, flags as c_int) };
    let one = (code == 0).then(|| (address(&ip), port));
    // SAFETY: variables of this function.
    let found = unsafe { dns_srv_get_he(&raw mut name, &raw mut port, flags as c_int) };
    let all = addresses(found);
    (one, (!all.is_empty()).then_some((all, port)))
}

/// `dns_get_ip()` and `dns_get_he()` of a host.
pub fn host_get(owner: &str, flags: u32) -> (Option<IpAddr>, Vec<IpAddr>) {
    let (mut name, mut ip) = (counted(owner), no_address());
    // SAFETY: variables of this function.
    let code = unsafe { dns_get_ip(&raw mut name, &raw mut ip, flags as c_int) };
    let one = (code == 0).then(|| address(&ip));
    // SAFETY: variables of this function.
    (
        one,
        addresses(unsafe { dns_get_he(&raw mut name, flags as c_int) }),
    )
}
