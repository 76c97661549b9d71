//! A search function that a module has put into `dns_func` completes names by itself, as the libc's does in the original.
#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]
#![allow(unsafe_code, reason = "the function is called from C's side")]

mod support;

use std::ffi::{CStr, c_char, c_int, c_uchar};
use std::sync::Mutex;

use kamailio_dns::host::hooks::{self, dns_func_t};
use kamailio_dns::lookup;
use support::Setup;

const IPV4_ONLY: u32 = 1;
const A: u16 = 1;

static ASKED: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn wire(name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    let mut octets: Vec<u8> = labels
        .flat_map(|label| std::iter::once(label.len() as u8).chain(label.bytes()))
        .collect();
    octets.push(0);
    octets
}

/// Answers a name without a final dot for `NAME.own.example`, any other for itself.
unsafe extern "C" fn completing(
    name: *const c_char,
    _: c_int,
    rtype: c_int,
    buffer: *mut c_uchar,
    size: c_int,
) -> c_int {
    // SAFETY: the library passes a NUL-terminated name.
    let name = unsafe { CStr::from_ptr(name) }.to_str().unwrap().to_owned();
    ASKED.lock().unwrap().push(name.clone());
    let found = if name.ends_with('.') {
        name
    } else {
        format!("{name}.own.example")
    };
    let answers = u8::from(rtype == c_int::from(A));
    let mut reply = vec![0, 1, 0x81, 0x80, 0, 1, 0, answers, 0, 0, 0, 0];
    reply.extend(wire(&found));
    reply.extend([0, rtype as u8, 0, 1]);
    if answers > 0 {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 7]);
    }
    assert!(reply.len() <= size as usize);
    // SAFETY: the buffer has `size` octets, at least as many as the reply.
    unsafe { buffer.copy_from_nonoverlapping(reply.as_ptr(), reply.len()) };
    reply.len() as c_int
}

fn asked() -> Vec<String> {
    std::mem::take(&mut *ASKED.lock().unwrap())
}

#[test]
fn what_the_function_found_under_a_longer_name_is_the_relative_names_alone() {
    let mut s = Setup::patient();
    s.options.resolv_conf("search corp.example\n");
    s.options.set("dns_search_full_match", "no");
    let before = hooks::current();
    hooks::replace(dns_func_t {
        sr_res_search: Some(completing),
        ..before
    });
    let find = |name: &str| {
        lookup::first_address(name.as_bytes(), IPV4_ONLY).map(|address| address.to_string())
    };
    for _ in 0..2 {
        assert_eq!(find("pbx"), Ok("192.0.2.7".to_owned()));
    }
    assert_eq!(asked(), ["pbx"]);
    assert_eq!(find("pbx.own.example."), Ok("192.0.2.7".to_owned()));
    assert!(asked().is_empty(), "it is the same absolute name");
    assert_eq!(find("pbx."), Ok("192.0.2.7".to_owned()));
    assert_eq!(asked(), ["pbx."], "the absolute name is another question");
    // Its list ends, and the name is found anew.
    s.options.resolv_conf("search other.example\n");
    assert_eq!(find("host"), Ok("192.0.2.7".to_owned()));
    assert_eq!(find("pbx"), Ok("192.0.2.7".to_owned()));
    assert_eq!(asked(), ["host", "pbx"]);
    hooks::replace(before);
}
