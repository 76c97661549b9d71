//! Queries through a search function swapped into `dns_func`, and what is believed of its replies.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]
#![allow(unsafe_code, reason = "plays the part of a C module")]

mod support;

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_uchar};
use std::sync::atomic::{AtomicU32, Ordering};

use kamailio_dns::error::Failure;
use kamailio_dns::host::hooks::{self, dns_func_t};
use kamailio_dns::resolver::{Background, Outcome, Question, Settings, now_ms, query, reload};
use kamailio_dns::rr::RecordType;
use support::wire::message;
use support::{A, OptionsGuard, Rr};

thread_local! {
    /// What the search function does next: h_errno, or a message.
    static NEXT: RefCell<Result<Vec<u8>, c_int>> = const { RefCell::new(Err(0)) };
    static ASKED: RefCell<Vec<(String, c_int, c_int)>> = const { RefCell::new(Vec::new()) };
}

static INITS: AtomicU32 = AtomicU32::new(0);

unsafe extern "C" {
    fn __h_errno_location() -> *mut c_int;
}

unsafe extern "C" fn search(
    name: *const c_char,
    class: c_int,
    rtype: c_int,
    buffer: *mut c_uchar,
    size: c_int,
) -> c_int {
    // SAFETY: the library passes a NUL-terminated name.
    let name = unsafe { CStr::from_ptr(name) }.to_str().unwrap().to_owned();
    ASKED.with_borrow_mut(|asked| asked.push((name, class, rtype)));
    NEXT.with_borrow(|next| match next {
        Ok(message) => {
            assert!(message.len() <= size as usize);
            // SAFETY: the buffer has `size` octets, at least as many as the message.
            unsafe { buffer.copy_from_nonoverlapping(message.as_ptr(), message.len()) };
            message.len() as c_int
        }
        Err(h_errno) => {
            // SAFETY: takes nothing, returns the address of this thread's h_errno.
            let place = unsafe { __h_errno_location() };
            // SAFETY: the address is valid and only this thread uses it.
            unsafe { place.write(*h_errno) };
            -1
        }
    })
}

unsafe extern "C" fn init() -> c_int {
    INITS.fetch_add(1, Ordering::Relaxed);
    -1
}

struct Swapped(dns_func_t);

impl Swapped {
    fn in_place() -> Self {
        let before = hooks::current();
        hooks::replace(dns_func_t {
            sr_res_search: Some(search),
            sr_res_init: Some(init),
            ..before
        });
        Self(before)
    }
}

impl Drop for Swapped {
    fn drop(&mut self) {
        hooks::replace(self.0);
    }
}

fn ask(name: &str, next: Result<Vec<u8>, c_int>) -> Outcome {
    NEXT.set(next);
    let question = Question {
        qname: name.as_bytes(),
        qtype: RecordType::A,
    };
    query(&question, None)
}

fn reply(name: &str, flags: u16) -> Vec<u8> {
    message(
        99,
        flags,
        (name, A),
        [&[Rr::a(name, 60, "192.0.2.1")], &[], &[]],
    )
}

#[test]
fn replies_are_checked() {
    let mut options = OptionsGuard::take();
    let _swapped = Swapped::in_place();
    options.resolv_conf("search corp.example");

    let good = ask("host.example.org", Ok(reply("HOST.example.org", 0x8180)));
    assert!(matches!(&good, Outcome::Answer(a) if a.answers.len() == 1));
    assert_eq!(ASKED.take(), [("host.example.org".to_owned(), 1, 1)]);

    let expanded = ask("host", Ok(reply("host.corp.example", 0x8180)));
    assert!(matches!(&expanded, Outcome::Answer(a) if a.qname.as_bytes() == b"host.corp.example"));
    for (what, name, message) in [
        ("other name", "host", reply("host2.corp.example", 0x8180)),
        (
            "no search domain",
            "host",
            reply("host.evil.example", 0x8180),
        ),
        ("absolute", "host.", reply("host.corp.example", 0x8180)),
        ("a query", "host", reply("host", 0x0100)),
        ("cut", "host", reply("host", 0x8180)[..30].to_vec()),
        ("no octets", "host", Vec::new()),
    ] {
        let outcome = ask(name, Ok(message));
        assert!(
            matches!(outcome, Outcome::Failed(Failure::Malformed)),
            "{what}: {outcome:?}"
        );
    }
    options.set("dns_search_full_match", "0");
    let any = ask("host", Ok(reply("host.evil.example", 0x8180)));
    assert!(matches!(any, Outcome::Answer(_)));
    options.set("dns_use_search_list", "0");
    let none = ask("host", Ok(reply("host.corp.example", 0x8180)));
    assert!(matches!(none, Outcome::Failed(Failure::Malformed)));

    let servfail = ask("host", Ok(reply("host", 0x8182)));
    assert!(matches!(servfail, Outcome::Failed(Failure::ServFail)));
    let nxdomain = ask("host", Ok(reply("host", 0x8183)));
    assert!(matches!(nxdomain, Outcome::Answer(a) if a.negative.is_some_and(|n| n.nxdomain)));
}

#[test]
fn h_errno_tells_absence_from_failure() {
    let _options = OptionsGuard::take();
    let _swapped = Swapped::in_place();
    for (h_errno, nxdomain) in [(1, true), (4, false)] {
        let outcome = ask("host.example.org", Err(h_errno));
        assert!(
            matches!(&outcome, Outcome::Answer(a)
                if a.negative.is_some_and(|n| n.nxdomain == nxdomain && n.ttl.is_none())),
            "{h_errno}: {outcome:?}"
        );
    }
    for h_errno in [0, 2, 3, -1] {
        let outcome = ask("host.example.org", Err(h_errno));
        assert!(
            matches!(outcome, Outcome::Failed(Failure::Hook)),
            "{h_errno}: {outcome:?}"
        );
    }
}

#[test]
fn bad_names_do_not_reach_it_and_reload_does() {
    let _options = OptionsGuard::take();
    let _swapped = Swapped::in_place();
    ASKED.take();
    for name in ["", "a b", "a..b", "ä"] {
        assert!(matches!(ask(name, Err(2)), Outcome::BadName), "{name}");
    }
    assert!(ASKED.take().is_empty());
    let before = INITS.load(Ordering::Relaxed);
    reload();
    assert_eq!(INITS.load(Ordering::Relaxed), before + 1);
}

#[test]
fn a_deadline_that_has_passed_asks_nobody() {
    let _options = OptionsGuard::take();
    let _swapped = Swapped::in_place();
    NEXT.set(Ok(reply("host.example.org", 0x8180)));
    let question = Question {
        qname: b"host.example.org",
        qtype: RecordType::A,
    };
    assert!(matches!(
        query(&question, Some(1)),
        Outcome::Failed(Failure::Timeout)
    ));
    assert!(matches!(query(&question, None), Outcome::Answer(_)));
}

#[test]
fn other_threads_do_not_call_the_function() {
    let _options = OptionsGuard::take();
    let swapped = Swapped::in_place();
    let settings = Settings::current();
    assert!(settings.is_swapped());
    let question = Question {
        qname: b"host.example.org",
        qtype: RecordType::A,
    };
    let mut background = Background::new();
    background.ask(1, &question, &settings, 1000);
    let answered = background.turn(now_ms());
    assert!(matches!(
        answered[0].timed.outcome,
        Outcome::Failed(Failure::Hook)
    ));
    drop(swapped);
    assert!(!Settings::current().is_swapped());
}
