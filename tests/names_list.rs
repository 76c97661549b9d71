//! A program that finds all it asks for in the cache, and has no refresher, learns of another search list.
#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]
#![allow(unsafe_code, reason = "calls the C interface")]

mod support;

use std::ffi::CStr;
use std::net::Ipv4Addr;
use std::time::Duration;

use kamailio_dns::cache::LOOK_MS;
use kamailio_dns::ffi::cache::{dns_get_he, dns_get_ip, dns_srv_get_ip};
use kamailio_dns::ffi::types::{_str, ip_addr};
use kamailio_dns::host::clock::advance_for_tests;
use kamailio_dns::lookup;
use kamailio_dns::select::cursor::LAYOUTS;
use support::handles::{CHandle, Fence, no_address};
use support::{A, Rr, SRV, Setup};

const IPV4_ONLY: u32 = 1;
/// Names with a dot are asked for as they are written first, or last, or no list is used.
const FIRST: &str = "search corp.example\n";
const LAST: &str = "search corp.example\noptions ndots:5\n";
const NONE: &str = "search .\n";

type Look = dyn Fn(&str) -> Ipv4Addr;

fn text(name: &str) -> _str {
    _str {
        s: name.as_ptr().cast_mut().cast(),
        len: name.len() as i32,
    }
}

fn ipv4(ip: &ip_addr) -> Ipv4Addr {
    assert_eq!(ip.len, 4);
    [ip.u[0], ip.u[1], ip.u[2], ip.u[3]].into()
}

fn get_ip(name: &str) -> Ipv4Addr {
    let (mut name, mut ip) = (text(name), no_address());
    // SAFETY: variables of this function.
    let code = unsafe { dns_get_ip(&raw mut name, &raw mut ip, IPV4_ONLY as i32) };
    assert_eq!(code, 0);
    ipv4(&ip)
}

fn get_he(name: &str) -> Ipv4Addr {
    let mut name = text(name);
    // SAFETY: a variable of this function.
    let host = unsafe { dns_get_he(&raw mut name, IPV4_ONLY as i32) };
    // SAFETY: NULL, or the library's until many calls later.
    let host = unsafe { host.as_ref() }.unwrap();
    // SAFETY: the list of a host has an address, or the NULL at its end.
    let address = unsafe { *host.h_addr_list };
    assert!(!address.is_null());
    // SAFETY: four octets of an IPv4 host.
    let octets = unsafe { address.cast::<[u8; 4]>().read() };
    // SAFETY: a text of the library's.
    let name = unsafe { CStr::from_ptr(host.h_name) };
    assert!(name.to_bytes().ends_with(b"example") || name.to_bytes().ends_with(b"office"));
    octets.into()
}

fn srv_get_ip(name: &str) -> Ipv4Addr {
    let srv_name = format!("_sip._udp.{name}");
    let (mut name, mut ip, mut port) = (text(&srv_name), no_address(), 0);
    // SAFETY: variables of this function.
    let code =
        unsafe { dns_srv_get_ip(&raw mut name, &raw mut ip, &raw mut port, IPV4_ONLY as i32) };
    assert_eq!((code, port), (0, 5070));
    ipv4(&ip)
}

/// A call to a host with a port, and one to a domain with SRV records.
fn resolve(name: &str, port: u16) -> Ipv4Addr {
    let mut call = CHandle::new(&LAYOUTS[0], Fence::Behind);
    let (address, ..) = call.resolve(name, (port, 1), IPV4_ONLY).unwrap();
    address.to_string().parse().unwrap()
}

#[test]
fn hits_learn_of_another_list() {
    let mut s = Setup::patient();
    let looks: [(&str, &Look); 5] = [
        ("ip", &get_ip),
        ("he", &get_he),
        ("srv", &srv_get_ip),
        ("host", &|name| resolve(name, 5060)),
        ("domain", &|name| resolve(name, 0)),
    ];
    s.options.resolv_conf(FIRST);
    for (label, _) in &looks {
        for (suffix, last) in [("", 1), (".corp.example", 2)] {
            let host = format!("{label}.office{suffix}");
            let (target, address) = (format!("{host}.target.example"), format!("10.0.0.{last}"));
            for owner in [&host, &target] {
                s.server
                    .answer(owner, A, vec![Rr::a(owner, 3000, &address)]);
            }
            let owner = format!("_sip._udp.{host}");
            let record = Rr::srv(&owner, 3000, 1, 1, 5070, &target);
            s.server.answer(&owner, SRV, vec![record]);
        }
    }
    lookup::sync_search_list();
    let lists = [
        (FIRST, 1),
        (LAST, 2),
        (FIRST, 1),
        (NONE, 1),
        (LAST, 2),
        (NONE, 1),
    ];
    for (label, look) in &looks {
        let name = format!("{label}.office");
        for (list, last) in lists {
            // As an editor writes it: nothing tells the library.
            let fresh = s.options.resolv_conf_path().with_extension("new");
            std::fs::write(&fresh, format!("{list}options timeout:1 attempts:2\n")).unwrap();
            std::fs::rename(&fresh, s.options.resolv_conf_path()).unwrap();
            std::thread::sleep(Duration::from_millis(LOOK_MS + 25));
            advance_for_tests(1000);
            for step in 0..3 {
                let expected = Ipv4Addr::new(10, 0, 0, last);
                assert_eq!(look(&name), expected, "{name} {list:?} {step}");
            }
        }
    }
}
