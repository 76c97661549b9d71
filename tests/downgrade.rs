//! `dns_downgrade` and `dns_sips_naptr` as C programs have them: set by name, seen in the targets of a walk.
#![cfg(all(feature = "use_dns_cache", feature = "use_naptr"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]
#![allow(unsafe_code, reason = "calls the C interface")]

mod support;

use std::ffi::{CStr, CString, c_char};

use kamailio_dns::cache::Cache;
use kamailio_dns::ffi::options::{dns_option_get, dns_option_set, dns_option_strerror};
use kamailio_dns::lookup;
use kamailio_dns::select::cursor::LAYOUTS;
use kamailio_dns::select::flags::{IPV4_ONLY, TRY_NAPTR};
use support::handles::{CHandle, Fence, LayoutGuard};
use support::{Reply, Rr, SRV, Server, Setup};

const UDP: u8 = 1;
const TLS: u8 = 3;

/// Codes of `enum dns_errors`, negative.
const END_OF_LIST: i32 = -1;
const NO_NAPTR: i32 = -12;

/// The targets of a walk, and the code behind them.
type Expected<'a> = (&'a [&'a str], i32);

/// Sets an option by its name; the code.
fn set(name: &CStr, value: &str) -> i32 {
    let value = CString::new(value).unwrap();
    // SAFETY: two texts that end with NUL.
    unsafe { dns_option_set(name.as_ptr(), value.as_ptr()) }
}

fn get(name: &CStr) -> String {
    let mut text = [0 as c_char; 64];
    // SAFETY: a text that ends with NUL, and a place of that length.
    let length = unsafe { dns_option_get(name.as_ptr(), text.as_mut_ptr(), text.len()) };
    assert!(length >= 0);
    // SAFETY: what was written ends with NUL.
    let text = unsafe { CStr::from_ptr(text.as_ptr()) };
    text.to_str().unwrap().to_owned()
}

/// All targets, each as "transport address:port", and the code behind them.
fn walk(name: &str, proto: u8) -> (Vec<String>, i32) {
    let _layout = LayoutGuard::new(&LAYOUTS[0]);
    let mut handle = CHandle::new(&LAYOUTS[0], Fence::Behind);
    let mut found = Vec::new();
    loop {
        match handle.resolve(name, (0, proto), IPV4_ONLY | TRY_NAPTR) {
            Ok((address, port, TLS)) => found.push(format!("tls {address}:{port}")),
            Ok((address, port, UDP)) => found.push(format!("udp {address}:{port}")),
            Ok(other) => panic!("{other:?}"),
            Err(code) => return (found, code),
        }
        assert!(found.len() < 10 && handle.next());
    }
}

/// NAPTR records that name TLS and then, if so, UDP, with SRV records for UDP.
fn domain(server: &Server, domain: &str, with_udp: bool) {
    let (tls, udp) = (
        format!("_sips._tcp.{domain}"),
        format!("_sip._udp.{domain}"),
    );
    server
        .add(Rr::naptr(domain, 300, (1, 1), ("s", "SIPS+D2T", ""), &tls))
        .add(Rr::a(domain, 300, "192.0.2.9"));
    if with_udp {
        server
            .add(Rr::naptr(domain, 300, (2, 1), ("s", "SIP+D2U", ""), &udp))
            .add(Rr::srv(&udp, 300, 1, 1, 5060, domain));
    }
}

#[test]
fn each_policy_gives_its_targets() {
    let mut setup = Setup::patient();
    setup.options.set("dns_tls_pref", "100");
    setup.options.set("dns_downgrade", "on_absence");
    let server = &setup.server;
    let (tls, udp) = ("tls 192.0.2.9:5061", "udp 192.0.2.9:5060");
    // What is offered, and the targets under never, on_absence and always.
    domain(server, "both.test", true);
    server.add(Rr::srv(
        "_sips._tcp.both.test",
        300,
        1,
        1,
        5061,
        "both.test",
    ));
    domain(server, "lost.test", true);
    server.script("_sips._tcp.lost.test", SRV, vec![Reply::servfail()]);
    domain(server, "absent.test", true);
    domain(server, "alone.test", false);
    let (end, none): (i32, &[&str]) = (END_OF_LIST, &[]);
    let cases: [(&str, [Expected<'_>; 3]); 4] = [
        (
            "both.test",
            [(&[tls], end), (&[tls, udp], end), (&[tls, udp], end)],
        ),
        (
            "lost.test",
            [(none, NO_NAPTR), (none, NO_NAPTR), (&[udp], end)],
        ),
        ("absent.test", [(&[tls], end), (&[udp], end), (&[udp], end)]),
        ("alone.test", [(&[tls], end), (&[tls], end), (&[udp], end)]),
    ];
    for (place, policy) in ["never", "on_absence", "always"].into_iter().enumerate() {
        assert_eq!(set(c"dns_downgrade", policy), 0);
        assert_eq!(get(c"dns_downgrade"), policy);
        for (name, expected) in &cases {
            let (targets, code) = expected[place];
            // Nothing cached, then all of it.
            for round in ["cold", "warm"] {
                let (found, end) = walk(name, 0);
                assert_eq!(found, targets, "{name} {policy} {round}");
                assert_eq!(end, code, "{name} {policy} {round}");
            }
            Cache::instance().unwrap().flush(true);
            lookup::forget_failures();
        }
        // The caller's TLS is TLS under each of them, by the addresses of the name, too.
        let (found, code) = walk("lost.test", TLS);
        assert_eq!(found, [tls], "{policy} {code}");
        Cache::instance().unwrap().flush(true);
        lookup::forget_failures();
    }
}

#[test]
fn sips_asks_naptr_by_option() {
    let mut setup = Setup::patient();
    setup.options.set("dns_sips_naptr", "no");
    let server = &setup.server;
    server
        .add(Rr::naptr(
            "s.test",
            300,
            (1, 1),
            ("s", "SIP+D2U", ""),
            "_sip._udp.s.test",
        ))
        .add(Rr::naptr(
            "s.test",
            300,
            (2, 1),
            ("s", "SIPS+D2T", ""),
            "_x._tcp.s.test",
        ))
        .add(Rr::srv("_sip._udp.s.test", 300, 1, 1, 5060, "s.test"))
        .add(Rr::srv("_x._tcp.s.test", 300, 1, 1, 5999, "s.test"))
        .add(Rr::srv("_sips._tcp.s.test", 300, 1, 1, 5061, "s.test"))
        .add(Rr::a("s.test", 300, "192.0.2.9"));
    let tls = |target: &str| (vec![target.to_owned()], END_OF_LIST);
    assert_eq!(walk("s.test", TLS), tls("tls 192.0.2.9:5061"));
    assert_eq!(set(c"dns_sips_naptr", "1"), 0);
    assert_eq!(walk("s.test", TLS), tls("tls 192.0.2.9:5999"));
    assert_eq!(set(c"dns_sips_naptr", "2"), -4, "out of range");
    assert_eq!(get(c"dns_sips_naptr"), "1");
}

#[test]
fn other_words_are_refused() {
    let mut setup = Setup::patient();
    setup.options.set("dns_downgrade", "never");
    for word in ["sometimes", "on absence", "never always", "1", "no", "neve"] {
        let code = set(c"dns_downgrade", word);
        assert!(code < 0, "{word}");
        // SAFETY: always safe to call.
        let text = unsafe { dns_option_strerror(code) };
        // SAFETY: a text of the library's, which ends with NUL.
        let text = unsafe { CStr::from_ptr(text) };
        assert_eq!(text.to_str(), Ok("not a value of this option"), "{word}");
        assert_eq!(get(c"dns_downgrade"), "never", "{word}");
    }
    // Letter case and blanks do not matter, and nothing is the default.
    for word in ["ALWAYS", " on_absence ", ""] {
        assert_eq!(set(c"dns_downgrade", word), 0, "{word:?}");
    }
}
