//! Handles of each layout, with memory around them that ends the program when it is touched.
#![cfg(all(feature = "use_dns_cache", feature = "use_naptr"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]
#![allow(unsafe_code, reason = "calls the C interface")]

mod support;

use std::net::IpAddr;

use kamailio_dns::cache::Cache;
use kamailio_dns::ffi::handle::{
    dns_handle_layout, dns_sip_resolve2su, dns_srv_handle_put_shm_unsafe, dns_srv_handle_ref,
    dns_srv_handle_reset,
};
use kamailio_dns::ffi::types::{_str, sockaddr_union};
use kamailio_dns::rr::RecordType;
use kamailio_dns::select::cursor::{LAYOUTS, Layout};
use kamailio_dns::select::flags::{IPV4_ONLY, SRV_RR_LB, TRY_NAPTR};
use support::handles::{CHandle, Fence, LayoutGuard};
use support::{Rr, Setup};

/// As the resolver sees it when all targets were given.
const END_OF_LIST: i32 = -1;

/// A domain with two usable NAPTR candidates, one between them that leads nowhere, and one that leads where the
/// first does; SRV records with one address, with several, with none, and with a literal.
fn domain(setup: &Setup) {
    let naptr = |order, service, replacement| {
        Rr::naptr("x.test", 3600, (order, 1), ("s", service, ""), replacement)
    };
    setup.server.add_all([
        naptr(1, "SIP+D2U", "_sip._udp.x.test"),
        naptr(2, "SIP+D2T", "_sip._tcp.nowhere.test"),
        naptr(3, "SIP+D2U", "_sip._udp.x.test"),
        naptr(4, "SIP+D2T", "_sip._tcp.x.test"),
        Rr::srv("_sip._udp.x.test", 3600, 1, 10, 5071, "one.test"),
        Rr::srv("_sip._udp.x.test", 3600, 2, 10, 5072, "two.test"),
        Rr::srv("_sip._udp.x.test", 3600, 3, 10, 5073, "none.test"),
        Rr::srv("_sip._udp.x.test", 3600, 4, 10, 5074, "10.0.0.9"),
        Rr::srv("_sip._tcp.x.test", 3600, 1, 10, 5075, "one.test"),
        Rr::a("one.test", 3600, "10.0.0.1"),
        Rr::a("two.test", 3600, "10.0.0.2"),
        Rr::a("two.test", 3600, "10.0.0.3"),
    ]);
}

const TARGETS: [(&str, u16, u8); 5] = [
    ("10.0.0.1", 5071, 1),
    ("10.0.0.2", 5072, 1),
    ("10.0.0.3", 5072, 1),
    ("10.0.0.9", 5074, 1),
    ("10.0.0.1", 5075, 2),
];

fn targets() -> Vec<(IpAddr, u16, u8)> {
    TARGETS
        .map(|(address, port, proto)| (address.parse().unwrap(), port, proto))
        .to_vec()
}

/// All layouts, at both ends of a page.
fn each(test: impl Fn(&'static Layout, Fence)) {
    for layout in &LAYOUTS {
        let _layout = LayoutGuard::new(layout);
        for fence in [Fence::Before, Fence::Behind] {
            test(layout, fence);
        }
    }
}

/// All targets of the domain, each step on a copy of the handle: as tm does it from branch to branch. `clear` says
/// whether the cache is emptied before each.
fn walk(layout: &'static Layout, fence: Fence, flags: u32, clear: bool) -> Vec<(IpAddr, u16, u8)> {
    let mut call = CHandle::new(layout, fence);
    let mut found = Vec::new();
    loop {
        if clear {
            Cache::instance().unwrap().flush(true);
        }
        match call.resolve("x.test", (0, 0), flags) {
            Ok(target) => found.push(target),
            Err(code) => {
                assert_eq!(code, END_OF_LIST);
                return found;
            }
        }
        assert!(call.next());
        call = call.copy(fence);
        assert!(found.len() <= TARGETS.len(), "no end");
    }
}

#[test]
fn each_candidate_is_visited_once_in_every_layout() {
    let setup = Setup::new();
    domain(&setup);
    each(|layout, fence| {
        assert_eq!(
            library_layout(),
            u32::from(layout.size),
            "the library uses another"
        );
        for clear in [false, true] {
            let found = walk(layout, fence, IPV4_ONLY | TRY_NAPTR, clear);
            assert_eq!(found, targets(), "{layout:?} {fence:?} {clear}");
            // Each priority has one record, so weights change nothing. The addresses of one host take turns.
            let mut found = walk(layout, fence, IPV4_ONLY | TRY_NAPTR | SRV_RR_LB, clear);
            if let Some(addresses) = found.get_mut(1..3) {
                addresses.sort_unstable();
            }
            assert_eq!(found, targets(), "{layout:?} {fence:?} {clear}");
        }
    });
}

fn library_layout() -> u32 {
    // SAFETY: always safe to call.
    unsafe { dns_handle_layout() }
}

/// `init` makes a handle of memory that was in use; `put` and `reset` leave no reference behind.
#[test]
fn handles_are_cleared() {
    let setup = Setup::new();
    domain(&setup);
    let holders = |name: &str, rtype| {
        let entry = Cache::instance().unwrap();
        let entry = entry.acquire_any_age(name.as_bytes(), rtype);
        entry.map_or(0, |entry| entry.reference_count() - 2)
    };
    let all = || {
        holders("x.test", RecordType::NAPTR)
            + holders("_sip._udp.x.test", RecordType::SRV)
            + holders("two.test", RecordType::A)
    };
    each(|layout, fence| {
        let mut call = CHandle::new(layout, fence);
        assert_eq!(call.octets(), vec![0; layout.size.into()]);
        for _ in 0..2 {
            call.resolve("x.test", (0, 0), IPV4_ONLY | TRY_NAPTR)
                .unwrap();
            assert!(call.next());
        }
        call.resolve("x.test", (0, 0), IPV4_ONLY | TRY_NAPTR)
            .unwrap();
        let held = 2 + i32::from(layout.naptr.is_some());
        assert_eq!(all(), held, "{layout:?}");
        // SAFETY: an initialised handle.
        unsafe { dns_srv_handle_ref(call.raw()) };
        assert_eq!(all(), 2 * held);
        let octets = call.octets();
        // SAFETY: as above; the references counted by hand go with this one.
        unsafe { dns_srv_handle_put_shm_unsafe(call.raw()) };
        assert_eq!(all(), held);
        for name in ["naptr", "srv", "a"] {
            assert_eq!(call.member(name).unwrap_or(0), 0);
        }
        // SAFETY: the handle as it was, whose references are still counted.
        unsafe { std::ptr::copy_nonoverlapping(octets.as_ptr(), call.raw().cast(), octets.len()) };
        // SAFETY: an initialised handle.
        unsafe { dns_srv_handle_reset(call.raw()) };
        assert_eq!(all(), held - 2, "a NAPTR entry stays");
        for name in ["srv", "a", "port", "srv_no", "ip_no", "proto"] {
            assert_eq!(call.member(name), Some(0), "{name}");
        }
        drop(call);
        assert_eq!(all(), 0);
    });
}

/// The number that counts NAPTR records is the caller's.
#[test]
fn what_is_not_used_is_left_alone() {
    let setup = Setup::new();
    domain(&setup);
    each(|layout, fence| {
        let Some(count) = layout.naptr_count else {
            return;
        };
        let count = usize::from(count);
        let mut call = CHandle::new(layout, fence);
        // SAFETY: inside the handle.
        let place = unsafe { call.raw().cast::<u8>().add(count) };
        // SAFETY: four octets of the handle.
        unsafe { place.write_bytes(7, 4) };
        while call
            .resolve("x.test", (0, 0), IPV4_ONLY | TRY_NAPTR)
            .is_ok()
        {
            call.next();
            assert_eq!(call.octets().get(count..count + 4), Some(&[7; 4][..]));
        }
    });
}

#[test]
fn socket_addresses() {
    let setup = Setup::new();
    domain(&setup);
    each(|layout, fence| {
        let mut call = CHandle::new(layout, fence);
        let text = "x.test";
        let mut name = _str {
            s: text.as_ptr().cast_mut().cast(),
            len: text.len() as i32,
        };
        // SAFETY: integers, for which zero is valid.
        let mut su: sockaddr_union = unsafe { std::mem::zeroed() };
        let mut proto = 0;
        // SAFETY: variables of this function.
        let code = unsafe {
            dns_sip_resolve2su(
                call.raw(),
                &raw mut su,
                &raw mut name,
                0,
                &raw mut proto,
                (IPV4_ONLY | TRY_NAPTR) as i32,
            )
        };
        // SAFETY: an IPv4 address was written.
        let port = unsafe { su.sin.sin_port };
        assert_eq!((code, u16::from_be(port), proto), (0, 5071, 1));
    });
}
