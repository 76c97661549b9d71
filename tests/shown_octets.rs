//! Octets of the network and of requests, in what people and programs are shown: visible ASCII, and not without end.
#![cfg(feature = "use_dns_cache")]
#![allow(clippy::unwrap_used, reason = "test code; a failure ends the test")]
#![allow(unsafe_code, reason = "calls exported functions")]

mod support;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::null_mut;

use kamailio_dns::ffi::explain::{dns_explain, dns_explain_rpc};
use kamailio_dns::ffi::rpc::{dns_cache_debug_all, dns_cache_rpc_lookup, dns_cache_view};
use kamailio_dns::ffi::rpc_register;
use kamailio_dns::ffi::types::rpc_t;
use kamailio_dns::lookup;
use kamailio_dns::rr::RecordType;
use support::{A, CNAME, NAPTR, Rr, SRV, Setup, rpc};

const TXT: u16 = 16;
const IPV4_ONLY: u32 = 1;

type Command = unsafe extern "C" fn(*mut rpc_t, *mut c_void);

/// Every octet, in four texts of a record's length.
fn texts() -> Vec<Vec<u8>> {
    let all: Vec<u8> = (0..=255).collect();
    all.chunks(64).map(<[u8]>::to_vec).collect()
}

fn counted(text: &[u8]) -> Vec<u8> {
    let mut out = vec![text.len() as u8];
    out.extend(text);
    out
}

/// A name on the wire, each label of 32 octets of which none is as it should be.
fn odd_name() -> Vec<u8> {
    let octets: Vec<u8> = (0..32)
        .chain(127..160)
        .chain([b'"', b'\\', b'%', 255])
        .collect();
    let mut out: Vec<u8> = octets.chunks(32).flat_map(counted).collect();
    out.extend(b"\x07example\0");
    out
}

fn naptr(text: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 1, 0, 1];
    out.extend(counted(b"u"));
    out.extend(counted(text));
    out.extend(counted(text));
    out.push(0);
    out
}

fn setup() -> Setup {
    let setup = Setup::new();
    for (number, text) in texts().iter().enumerate() {
        let owner = format!("n{number}.odd.example");
        let server = &setup.server;
        server.add(Rr::raw(&owner, NAPTR, 300, &naptr(text)));
        server.add(Rr::raw(&owner, TXT, 300, &counted(text)));
    }
    let srv = [&[0, 1, 0, 1, 0x13, 0xc4][..], &odd_name()].concat();
    let server = &setup.server;
    server.add(Rr::raw("_sip._udp.odd.example", SRV, 300, &srv));
    server.add(Rr::raw("alias.odd.example", CNAME, 300, &odd_name()));
    let long: Vec<u8> = (0..200).flat_map(|_| counted(&[0xe4; 255])).collect();
    server.add(Rr::raw("long.odd.example", TXT, 300, &long));
    setup
}

fn fill() {
    let find = |name: &str, rtype| {
        let _ = lookup::entry(name.as_bytes(), RecordType(rtype), IPV4_ONLY);
    };
    for number in 0..texts().len() {
        find(&format!("n{number}.odd.example"), NAPTR);
        find(&format!("n{number}.odd.example"), TXT);
    }
    find("_sip._udp.odd.example", SRV);
    find("alias.odd.example", A);
    find("long.odd.example", TXT);
}

/// All texts of a reply; what people are shown is checked.
#[track_caller]
fn replied(command: impl FnOnce(*mut rpc_t), arguments: &[&str]) -> Vec<String> {
    let mut transport = rpc::call(arguments);
    command(&raw mut transport);
    let texts: Vec<String> = rpc::fields().into_iter().map(|(_, text)| text).collect();
    for text in &texts {
        assert!(is_shown(text), "{text:?}");
    }
    texts
}

fn is_shown(text: &str) -> bool {
    text.len() <= 4100 && text.bytes().all(|octet| (b' '..=b'~').contains(&octet))
}

#[track_caller]
fn of(command: Command, arguments: &[&str]) -> Vec<String> {
    // SAFETY: functions that ignore their context.
    replied(|rpc| unsafe { command(rpc, null_mut()) }, arguments)
}

#[test]
fn records_are_shown_in_visible_octets() {
    let _setup = setup();
    fill();
    let view = of(dns_cache_view, &[]);
    for wanted in [
        "\\x00\\x01",
        "\\x0a",
        "\\x1b",
        "\\x7f",
        "\\xe4",
        "\\xff",
        "\"#$%&'",
    ] {
        let is_there = view.iter().any(|text| text.contains(wanted));
        assert!(is_there, "{wanted} in {view:?}");
    }
    assert!(of(dns_cache_debug_all, &[]).len() > 10);
    assert!(of(dns_cache_rpc_lookup, &["NAPTR", "n0.odd.example"]).len() > 3);
    assert!(of(dns_cache_rpc_lookup, &["TXT", "long.odd.example"]).len() > 200);
}

/// Every command, with arguments that somebody made up.
#[test]
fn no_reply_repeats_what_it_should_not() {
    let _setup = setup();
    fill();
    let long = "x".repeat(60_000);
    let odd = "sip:\u{1b}[2J\n\u{e4}%n%s%999999d\"\\@host.example;x=\u{202e}";
    let of_uri = "sip:a\u{e4}\n%n@odd.example";
    for argument in [
        "",
        "*",
        "odd.example",
        odd,
        of_uri,
        &long,
        "sip:odd.example",
        "sip:n1.odd.example",
    ] {
        for command in rpc_register::commands() {
            // SAFETY: functions that ignore their context.
            let call = |rpc| unsafe { command.call(rpc, null_mut()) };
            let _texts = replied(call, &[argument]);
        }
        let _texts = of(dns_cache_view, &[argument]);
        let _texts = of(dns_cache_rpc_lookup, &["A", argument]);
        let _texts = of(dns_explain_rpc, &[argument]);
    }
    let mut transport = rpc::call(&["x", "0"]);
    let mut all = rpc_register::commands();
    let trace = all.find(|command| command.name == c"dns.trace").unwrap();
    // SAFETY: functions that ignore their context.
    unsafe { trace.call(&raw mut transport, null_mut()) };
}

unsafe extern "C" fn line(
    data: *mut c_void,
    _: c_int,
    subject: *const c_char,
    text: *const c_char,
) {
    // SAFETY: the list that was given.
    let lines = unsafe { &mut *data.cast::<Vec<String>>() };
    for part in [subject, text] {
        // SAFETY: a text that lives during the call.
        let part = unsafe { CStr::from_ptr(part) };
        lines.push(part.to_string_lossy().into_owned());
    }
}

#[test]
fn an_explanation_is_in_visible_octets_too() {
    let _setup = setup();
    let mut lines: Vec<String> = Vec::new();
    for uri in [
        "sip:n1.odd.example",
        "sip:odd.example;transport=udp",
        "sip:alias.odd.example:5060",
    ] {
        let uri = CString::new(uri).unwrap();
        // SAFETY: texts and a list that live during the call.
        unsafe { dns_explain(uri.as_ptr(), -1, Some(line), (&raw mut lines).cast()) };
    }
    assert!(lines.len() > 10, "{lines:?}");
    for line in lines {
        assert!(is_shown(&line), "{line:?}");
    }
}
