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
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use kamailio_dns::ffi::cache::{dns_get_he, dns_get_ip, dns_srv_get_he, dns_srv_get_ip};
use kamailio_dns::ffi::log::dns_log_to;
use kamailio_dns::ffi::rpc_trace::dns_trace_rpc;
use kamailio_dns::host::follow::{self, MOST_LINES};
use kamailio_dns::host::log::Level;
use kamailio_dns::host::metrics::{self, Metric};
use kamailio_dns::host::vars::dns_flags;
use kamailio_dns::lookup;
use kamailio_dns::rr::RecordType;
use support::handles::{Handle, no_address};
use support::walks::{c_str, naptr};
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

/// What came back is told in words, also what was not an answer.
#[test]
fn a_followed_name_tells_what_its_servers_said() {
    let s = listening();
    s.server
        .script("refused.said.example", A, vec![Reply::rcode(5)])
        .script(
            "cut.said.example",
            A,
            vec![Reply::from_records().truncated(), Reply::from_records()],
        )
        .script(
            "other.said.example",
            A,
            vec![
                Reply::from_records()
                    .wrong_question("x.example")
                    .then(Reply::from_records()),
            ],
        )
        .add(Rr::a("cut.said.example", 300, "192.0.2.1"))
        .add(Rr::a("other.said.example", 300, "192.0.2.2"));
    assert_eq!(trace(&["*.said.example", "60"]), 0);
    let address = s.server.address();
    for (name, said_of_it) in [
        ("refused.said.example", "REFUSED"),
        ("cut.said.example", "an answer that is cut: asked over TCP"),
        ("other.said.example", "wrong question"),
    ] {
        let _before = said();
        look_up(name.as_bytes());
        let lines = texts_with(&format!("{said_of_it} from {address}"));
        assert_eq!(lines.len(), 1, "{name}: {lines:?}");
    }
    assert_eq!(trace(&["x", "0"]), 0);
}

/// The request flags, as each caller reads them before a call.
fn flags() -> c_int {
    dns_flags.load(Ordering::Relaxed)
}

/// One call of each kind for names that are cached; what came of them.
fn cached_calls() -> Vec<String> {
    let mut results = Vec::new();
    for name in ["h.cached.example", "none.cached.example"] {
        let (mut ip, mut name) = (no_address(), c_str(name));
        // SAFETY: a text and a place of this function.
        let code = unsafe { dns_get_ip(&raw mut name, &raw mut ip, flags()) };
        results.push(format!("{code} {:?}", ip.u));
        // SAFETY: as above.
        let host = unsafe { dns_get_he(&raw mut name, flags()) };
        results.push(format!("{}", host.is_null()));
    }
    let mut service = c_str("_sip._udp.cached.example");
    let (mut ip, mut port) = (no_address(), 0);
    // SAFETY: as above.
    let code = unsafe { dns_srv_get_ip(&raw mut service, &raw mut ip, &raw mut port, flags()) };
    results.push(format!("{code} {:?} {port}", ip.u));
    // SAFETY: as above.
    let host = unsafe { dns_srv_get_he(&raw mut service, &raw mut port, flags()) };
    results.push(format!("{} {port}", host.is_null()));
    let mut handle = Handle::new();
    for _ in 0..3 {
        results.push(format!(
            "{:?}",
            handle.resolve("cached.example", flags() as u32)
        ));
        handle.next();
    }
    results
}

fn hits() -> u64 {
    metrics::value(Metric::Hit) + metrics::value(Metric::NegativeHit)
}

#[test]
fn what_the_cache_answers_is_told_too_and_is_the_same_answer() {
    let mut s = listening();
    for (option, value) in [
        ("dns_try_ipv6", "no"),
        ("dns_try_naptr", "yes"),
        ("use_dns_failover", "yes"),
    ] {
        s.options.set(option, value);
    }
    let service = "_sip._udp.cached.example";
    s.server.add(naptr("cached.example", 1, "SIP+D2U", service));
    for (number, host) in [(1, "h.cached.example"), (2, "i.cached.example")] {
        s.server.add(Rr::srv(service, 300, number, 1, 5060, host));
        s.server.add(Rr::a(host, 300, &format!("192.0.2.{number}")));
    }
    let _fetched = cached_calls();
    let before = hits();
    let untold = cached_calls();
    let usual = hits() - before;
    said();
    assert_eq!(trace(&["*cached.example", "60"]), 0);
    let before = hits();
    let told = cached_calls();
    assert_eq!(told, untold);
    assert_eq!(hits() - before, usual);
    let lines: Vec<String> = texts_with("DNS trace")
        .into_iter()
        .filter(|line| !line.contains(" for 60 s"))
        .map(|line| line.replace("DNS trace: ", ""))
        .collect();
    let host =
        |name: &str| format!("{name}.cached.example: type 1: the cache has 1 records, for 300 s");
    let none = "none.cached.example: type 1: the cache knows that there is no such name, for ";
    let srv = format!("{service}: type 33: the cache has 2 records, for 300 s");
    let goes =
        |to: u8| format!("cached.example: a request goes to 192.0.2.{to} port 5060 by protocol 1");
    let expected = [
        host("h"),
        host("h"),
        none.to_owned(),
        none.to_owned(),
        srv.clone(),
        host("h"),
        srv.clone(),
        host("h"),
        "cached.example: type 35: the cache has 1 records, for 3600 s".to_owned(),
        srv,
        host("h"),
        goes(1),
        host("i"),
        goes(2),
    ];
    for (number, (line, expected)) in lines.iter().zip(&expected).enumerate() {
        // A second may have passed.
        let (line, expected) = (line.replace("299 s", "300 s"), expected.as_str());
        assert!(
            line.replace("3599", "3600").starts_with(expected),
            "{number}: {line}"
        );
    }
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    assert_eq!(trace(&["x", "0"]), 0);
    said();
    assert_eq!(cached_calls(), untold);
    assert_eq!(said(), []);
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
