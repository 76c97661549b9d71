//! Lines of the log about names: escaped, hidden if that is wished; and `dns.trace`.
#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]
#![allow(unsafe_code, reason = "calls exported functions")]

mod support;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use kamailio_dns::ffi::log::dns_log_to;
use kamailio_dns::ffi::rpc_trace::dns_trace_rpc;
use kamailio_dns::host::follow::{self, MOST_LINES};
use kamailio_dns::host::log::Level;
use kamailio_dns::lookup;
use kamailio_dns::rr::RecordType;
use support::{A, Reply, Rr, Setup, rpc};

const IPV4_ONLY: u32 = 1;

static LINES: Mutex<Vec<(c_int, String)>> = Mutex::new(Vec::new());

unsafe extern "C" fn keep(data: *mut c_void, level: c_int, text: *const c_char) {
    assert!(data.is_null());
    // SAFETY: a text that lives during the call.
    let text = unsafe { CStr::from_ptr(text) };
    let line = text.to_str().expect("a line is UTF-8").to_owned();
    LINES.lock().unwrap().push((level, line));
}

/// Everything that is said from now on, down to INFO.
fn listening() -> Setup {
    let mut setup = Setup::new();
    setup.options.set("dns_log_level", "2");
    // SAFETY: a function that may be called at any time.
    unsafe { dns_log_to(Some(keep), null_mut()) };
    let _before = said();
    setup
}

/// What was said since the last call.
fn said() -> Vec<(c_int, String)> {
    std::mem::take(&mut *LINES.lock().unwrap())
}

fn texts_with(part: &str) -> Vec<String> {
    let lines = said().into_iter().map(|(_, text)| text);
    lines.filter(|text| text.contains(part)).collect()
}

fn look_up(name: &[u8]) {
    // Whether there is a result is not what these tests are about.
    let _ = lookup::entry(name, RecordType(A), IPV4_ONLY);
}

fn trace(arguments: &[&str]) -> i32 {
    let mut transport = rpc::call(arguments);
    // SAFETY: functions that ignore their context.
    unsafe { dns_trace_rpc(&raw mut transport, null_mut()) };
    rpc::faults()
}

#[test]
fn a_followed_name_tells_its_life_and_others_tell_nothing() {
    let s = listening();
    s.server.add(Rr::a("a.life.example", 300, "192.0.2.1"));
    s.server.add(Rr::a("b.other.example", 300, "192.0.2.2"));
    s.server
        .script("f.life.example", A, vec![Reply::servfail()]);
    assert_eq!(trace(&["*.LIFE.example", "60"]), 0);
    assert_eq!(
        said(),
        [(
            Level::Info as c_int,
            "DNS trace: *.LIFE.example for 60 s".to_owned()
        )]
    );
    look_up(b"a.life.example");
    let address = s.server.address();
    assert_eq!(
        texts_with("DNS trace"),
        [
            "DNS trace: a.life.example: type 1: not in the cache, asked for".to_owned(),
            format!("DNS trace: a.life.example: type 1: sent by Udp to {address}"),
            format!("DNS trace: a.life.example: type 1: an answer from {address}"),
            "DNS trace: a.life.example: type 1: 1 records came, the first to be kept for 300 s"
                .to_owned(),
        ]
    );
    look_up(b"a.life.example");
    look_up(b"b.other.example");
    assert_eq!(texts_with("DNS trace"), [""; 0]);
    look_up(b"f.life.example");
    let failed = texts_with("DNS trace");
    let told = |part: &str| failed.iter().any(|line| line.contains(part));
    assert!(told(&format!("SERVFAIL from {address}")), "{failed:?}");
    assert!(told("type 1: the nameserver failed"), "{failed:?}");
    assert_eq!(trace(&["x", "0"]), 0);
    assert_eq!(
        texts_with("DNS trace"),
        ["DNS trace: no more, it was ended"]
    );
    look_up(b"none.life.example");
    assert_eq!(texts_with("DNS trace"), [""; 0]);
}

#[test]
fn it_ends_by_itself() {
    let _s = listening();
    assert_eq!(trace(&["*", "1"]), 0);
    let started = Instant::now();
    let ended = loop {
        follow::look_at_the_time();
        let lines = texts_with("no more");
        if !lines.is_empty() {
            break lines;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "it goes on");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(ended, ["DNS trace: no more, its time is over"]);
    assert!(!follow::is_on());
    assert_eq!(trace(&["*"]), 0);
    for _ in 0..=MOST_LINES {
        look_up(b"");
        follow_one();
    }
    let lines = texts_with("DNS trace");
    assert_eq!(lines.len(), MOST_LINES as usize + 2);
    assert_eq!(
        lines.last().unwrap(),
        "DNS trace: no more, it has written its lines"
    );
    assert!(!follow::is_on());
}

fn follow_one() {
    let source = kamailio_dns::host::log::Source { file: "", line: 0 };
    follow::say(b"n.example", source, format_args!("again"));
}

#[test]
fn what_is_no_pattern_is_refused() {
    let _s = listening();
    for wrong in [
        &[][..],
        &[""],
        &["a", "-1"],
        &["a", "3601"],
        &[&"x".repeat(256)],
    ] {
        assert_eq!(trace(wrong), 1, "{wrong:?}");
    }
    assert!(!follow::is_on());
    assert_eq!(said(), []);
}

/// Whoever writes a URI chooses the octets of a name.
#[test]
fn octets_of_names_cannot_end_a_line() {
    let s = listening();
    assert_eq!(trace(&["*"]), 0);
    said();
    for octet in (0..=255_u8).filter(|octet| *octet != b'.') {
        look_up(&[b"x", &[octet][..], b"y.example"].concat());
    }
    look_up(b"\x1b[2J\r\nCRITICAL: all is lost\xff.example");
    let lines = said();
    assert!(lines.len() > 500, "{}", lines.len());
    for (_, line) in lines {
        let is_plain = line.bytes().all(|octet| (0x20..0x7f).contains(&octet));
        assert!(is_plain, "{line:?}");
    }
    assert_eq!(trace(&["x", "0"]), 0);
    drop(s);
}

#[test]
fn names_can_be_hidden() {
    let mut s = listening();
    s.options.set("dns_hide_names", "yes");
    s.options.set("dns_slow_query_ms", "1");
    assert_eq!(trace(&["*.e164.example"]), 0);
    let name = "1.2.3.4.5.e164.example";
    s.server
        .script(name, A, vec![Reply::servfail().delay_ms(30)]);
    look_up(name.as_bytes());
    assert_eq!(trace(&["x", "0"]), 0);
    let lines = said();
    let hidden = |(_, line): &&(c_int, String)| line.contains("(hidden)");
    assert!(lines.iter().filter(hidden).count() >= 3, "{lines:?}");
    for (_, line) in &lines {
        assert!(!line.contains("1.2.3"), "{line}");
    }
    let slow = lines
        .iter()
        .find(|(_, line)| line.starts_with("slow DNS query"));
    assert!(slow.is_some(), "{lines:?}");
}
