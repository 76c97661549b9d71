//! Names that are never cold: fetched whole, kept fresh unused, shown with what could not be had.
#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]
#![allow(unsafe_code, reason = "calls exported functions")]

mod support;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::fs;
use std::path::PathBuf;
use std::ptr::null_mut;
use std::sync::Mutex;

use kamailio_dns::ffi::log::dns_log_to;
use kamailio_dns::ffi::rpc_pins::{dns_pin_rpc, dns_pins_rpc, dns_unpin_rpc};
use kamailio_dns::ffi::types::rpc_t;
use kamailio_dns::host::clock::advance_for_tests;
use kamailio_dns::host::metrics::{self, Metric};
use kamailio_dns::lookup::pins::{self, By, MAX_OCTETS, MOST, NotPinned, Pin, Whole};
use kamailio_dns::lookup::refresh::Worker;
use kamailio_dns::lookup::{self, Source};
use kamailio_dns::rr::RecordType;
use kamailio_dns::select::pins::{Watch, look};
use support::{A, AAAA, NAPTR, Reply, Rr, SRV, Setup, rpc};

const IPV4_ONLY: u32 = 1;
const TRY_NAPTR: u32 = 16;

type Command = unsafe extern "C" fn(*mut rpc_t, *mut c_void);

/// A cache without pins, and a refresher that looks at them.
struct Bed {
    setup: Setup,
    worker: Worker,
    flags: u32,
}

impl Bed {
    fn new() -> Self {
        let mut setup = Setup::patient();
        setup.options.set("tls_disable", "1");
        for pin in pins::all() {
            assert!(pins::remove(&pin.text));
        }
        Self {
            setup,
            worker: Worker::default(),
            flags: IPV4_ONLY | TRY_NAPTR,
        }
    }

    fn answer(&self, name: &str, rtype: u16, record: Rr) {
        self.setup.server.answer(name, rtype, vec![record]);
    }

    /// NAPTR, SRV and address of a domain.
    fn domain(&self, domain: &str, ttl: u32) {
        let (service, host) = (format!("_sip._udp.{domain}"), format!("sip1.{domain}"));
        let naptr = Rr::naptr(domain, ttl, (10, 10), ("s", "SIP+D2U", ""), &service);
        self.answer(domain, NAPTR, naptr);
        self.answer(&service, SRV, Rr::srv(&service, ttl, 1, 1, 5060, &host));
        self.answer(&host, A, Rr::a(&host, ttl, "192.0.2.1"));
    }

    /// The refresher's work, as often as a tree has levels.
    fn work(&mut self) {
        for _ in 0..5 {
            look(self.worker.refresher(), self.flags);
            self.worker.run();
        }
        look(self.worker.refresher(), self.flags);
    }

    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            advance_for_tests(1000);
            self.work();
        }
    }

    fn queries(&self, name: &str, rtype: u16) -> usize {
        self.setup.server.count(name, rtype)
    }
}

fn pin(text: &str) {
    assert_eq!(pins::add(text.as_bytes(), By::Command), Ok(true));
}

fn state(text: &str) -> Pin {
    let all = pins::all();
    let found = all.into_iter().find(|pin| pin.text == text.as_bytes());
    found.unwrap_or_else(|| panic!("{text} is not pinned"))
}

fn source(name: &str, rtype: u16) -> Option<Source> {
    let found = lookup::entry(name.as_bytes(), RecordType(rtype), IPV4_ONLY);
    found.ok().map(|(_, source)| source)
}

#[test]
fn a_pinned_domain_is_there_before_the_first_call_and_stays_fresh_unused() {
    let mut bed = Bed::new();
    bed.domain("trunk.example", 20);
    pin("sip:trunk.example");
    assert_eq!(state("sip:trunk.example").whole, Whole::NotYet);
    bed.work();
    let pinned = state("sip:trunk.example");
    assert_eq!((pinned.whole, pinned.failed), (Whole::Yes, None));
    assert!(
        pinned
            .expires_in_s
            .is_some_and(|left| (15..=20).contains(&left))
    );
    let names = [
        ("trunk.example", NAPTR),
        ("_sip._udp.trunk.example", SRV),
        ("sip1.trunk.example", A),
    ];
    for (name, rtype) in names {
        assert_eq!(bed.queries(name, rtype), 1, "{name}");
    }
    // Ten lives, and `dns_keep_fresh` is over more than once.
    bed.pass(200);
    let misses = metrics::value(Metric::Miss);
    for (name, rtype) in names {
        let queries = bed.queries(name, rtype);
        assert!((10..=14).contains(&queries), "{name}: {queries}");
        assert_eq!(source(name, rtype), Some(Source::Cache), "{name}");
    }
    assert_eq!(metrics::value(Metric::Miss), misses);
    assert_eq!(state("sip:trunk.example").whole, Whole::Yes);
    // Nobody uses it from here on.
    assert!(pins::remove(b"SIP:trunk.example"));
    let before = bed.queries("sip1.trunk.example", A);
    bed.pass(150);
    let after = bed.queries("sip1.trunk.example", A);
    assert!(after - before <= 5, "{before} {after}");
    assert_eq!(source("sip1.trunk.example", A), Some(Source::Network));
}

#[test]
fn without_records_the_addresses_of_the_host_count_and_a_port_needs_nothing_else() {
    let mut bed = Bed::new();
    let soa = || Rr::soa("example", 300, 300);
    for (name, rtype) in [
        ("host.example", NAPTR),
        ("_sip._udp.host.example", SRV),
        ("_sip._tcp.host.example", SRV),
    ] {
        let reply = Reply::nodata(soa());
        bed.setup.server.script(name, rtype, vec![reply]);
    }
    for host in ["host.example", "port.example"] {
        bed.answer(host, A, Rr::a(host, 300, "192.0.2.1"));
    }
    for text in ["host.example", "port.example:5080", "sip:192.0.2.7"] {
        pin(text);
    }
    bed.work();
    for text in ["host.example", "port.example:5080", "sip:192.0.2.7"] {
        assert_eq!(state(text).whole, Whole::Yes, "{text}");
    }
    assert_eq!(bed.queries("_sip._tcp.host.example", SRV), 1);
    assert_eq!(bed.queries("port.example", NAPTR), 0);
    assert_eq!(bed.queries("_sip._udp.port.example", SRV), 0);
    assert_eq!(source("port.example", A), Some(Source::Cache));
}

#[test]
fn what_cannot_be_had_is_shown_and_tried_again() {
    let mut bed = Bed::new();
    bed.domain("out.example", 20);
    pin("out.example");
    bed.work();
    assert_eq!(state("out.example").whole, Whole::Yes);
    let server = &bed.setup.server;
    server.script("sip1.out.example", A, vec![Reply::servfail()]);
    bed.pass(25);
    let pinned = state("out.example");
    assert_eq!(pinned.whole, Whole::No);
    let (failed, _) = pinned.failed.expect("the address failed");
    assert_eq!((failed.rtype, failed.is_absent), (A, false));
    // A call is served what there was.
    let (entry, _) = lookup::entry(b"sip1.out.example", RecordType(A), IPV4_ONLY).unwrap();
    assert_eq!(entry.record_count(), 1);
    bed.answer(
        "sip1.out.example",
        A,
        Rr::a("sip1.out.example", 20, "192.0.2.2"),
    );
    bed.pass(35);
    assert_eq!(state("out.example").whole, Whole::Yes);
    assert!(
        state("out.example").failed.is_some(),
        "the last failure stays"
    );
    // A name without address is no failure of a server.
    pin("none.example:5060");
    let reply = Reply::nodata(Rr::soa("example", 300, 300));
    bed.setup.server.script("none.example", A, vec![reply]);
    bed.work();
    let (failed, _) = state("none.example:5060").failed.expect("no address");
    assert!(failed.is_absent);
    assert_eq!(pins::count(), (2, 1));
}

/// What somebody's zone makes of a pinned name ends in a failure that is shown, and in no endless work.
#[test]
fn a_pinned_name_whose_aliases_are_a_loop_is_shown_as_failed() {
    let mut bed = Bed::new();
    let s = &bed.setup.server;
    s.add(Rr::cname("loop.example", 20, "round.example"));
    s.add(Rr::cname("round.example", 20, "loop.example"));
    pin("loop.example:5060");
    bed.pass(5);
    let pinned = state("loop.example:5060");
    assert_eq!(pinned.whole, Whole::No);
    let (failed, _) = pinned.failed.expect("the aliases lead nowhere");
    assert_eq!((failed.rtype, failed.is_absent), (A, false));
    let asked = bed.setup.server.total();
    assert!(asked < 50, "{asked} queries in five seconds");
}

#[test]
fn a_relative_name_is_found_by_the_search_list_as_calls_find_it() {
    let mut bed = Bed::new();
    bed.setup.options.resolv_conf("search corp.test\n");
    bed.flags = TRY_NAPTR;
    let host = "pbx.corp.test";
    bed.answer(host, A, Rr::a(host, 20, "192.0.2.1"));
    let soa = Rr::soa("corp.test", 300, 300);
    bed.setup
        .server
        .script(host, AAAA, vec![Reply::nodata(soa)]);
    pin("pbx:5060");
    bed.work();
    assert_eq!(state("pbx:5060").whole, Whole::Yes);
    bed.pass(100);
    assert!(bed.queries(host, A) >= 5, "{}", bed.queries(host, A));
    let found = lookup::entry(b"pbx", RecordType(A), 0).unwrap();
    assert_eq!(found.1, Source::Cache);
}

#[test]
fn the_number_of_pins_and_their_length_are_bounded() {
    let _bed = Bed::new();
    for number in 0..MOST {
        pin(&format!("n{number}.example"));
    }
    let more = || pins::add(b"more.example", By::Command);
    assert_eq!(more(), Err(NotPinned::Full));
    assert_eq!(pins::add(b"N7.example", By::Option), Ok(false));
    assert_eq!(
        pins::add(&[b'x'; MAX_OCTETS + 1], By::Command),
        Err(NotPinned::TooLong)
    );
    assert!(pins::remove(b"n7.EXAMPLE"));
    assert!(!pins::remove(b"n7.example"));
    assert_eq!(more(), Ok(true));
}

#[test]
fn the_option_sets_its_names_and_leaves_those_of_commands() {
    let mut bed = Bed::new();
    let mut watch = Watch::default();
    let mut tick = |bed: &mut Bed| watch.tick(bed.worker.refresher(), || 0);
    let texts = || {
        let mut texts: Vec<String> = pins::all()
            .into_iter()
            .map(|pin| String::from_utf8(pin.text).unwrap())
            .collect();
        texts.sort();
        texts
    };
    pin("by.command");
    bed.setup
        .options
        .set("dns_pin", "  sip:a.example b.example:5080 sip:host:0 ");
    tick(&mut bed);
    assert_eq!(texts(), ["b.example:5080", "by.command", "sip:a.example"]);
    bed.setup.options.set("dns_pin", "b.example:5080 c.example");
    tick(&mut bed);
    assert_eq!(texts(), ["b.example:5080", "by.command", "c.example"]);
    bed.setup.options.set("dns_pin", "");
    tick(&mut bed);
    assert_eq!(texts(), ["by.command"]);
}

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

unsafe extern "C" fn keep(_: *mut c_void, _: c_int, text: *const c_char) {
    // SAFETY: a text that lives during the call.
    let text = unsafe { CStr::from_ptr(text) };
    LINES
        .lock()
        .unwrap()
        .push(text.to_str().unwrap().to_owned());
}

/// A file of pins, the refresher's watch, and what was said of the file.
struct File {
    path: PathBuf,
    watch: Watch,
    now_ms: u64,
}

impl File {
    fn new(bed: &mut Bed) -> Self {
        let path = std::env::temp_dir().join(format!("kdns-pins-{}", std::process::id()));
        let _old = fs::remove_file(&path);
        bed.setup
            .options
            .set("dns_pin_file", path.to_str().unwrap());
        // SAFETY: a function that may be called at any time.
        unsafe { dns_log_to(Some(keep), null_mut()) };
        LINES.lock().unwrap().clear();
        let watch = Watch::default();
        Self {
            path,
            watch,
            now_ms: 1,
        }
    }

    /// A look after so many seconds.
    fn look(&mut self, bed: &mut Bed, seconds: u64) {
        self.now_ms += 1000 * seconds;
        let refresher = bed.worker.refresher();
        self.watch.tick_at(self.now_ms, refresher, || IPV4_ONLY);
    }

    /// What was said since the last time, without the path.
    fn said(&self) -> Vec<String> {
        let lines = std::mem::take(&mut *LINES.lock().unwrap());
        let path = format!("{}: ", self.path.display());
        lines.into_iter().map(|l| l.replace(&path, "")).collect()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: as in `new`.
        unsafe { dns_log_to(None, null_mut()) };
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_dir(&self.path);
    }
}

/// Who pinned what, sorted.
fn pinned() -> Vec<(String, By)> {
    let mut all: Vec<(String, By)> = pins::all()
        .into_iter()
        .map(|pin| (String::from_utf8(pin.text).unwrap(), pin.by))
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn by_file(names: &[&str]) -> Vec<(String, By)> {
    let names = names.iter();
    names.map(|name| ((*name).to_owned(), By::File)).collect()
}

#[test]
fn a_file_is_read_with_its_comments_and_again_when_it_changes() {
    let mut bed = Bed::new();
    let mut file = File::new(&mut bed);
    file.look(&mut bed, 1);
    assert_eq!(file.said().len(), 1, "it is not there yet");
    file.look(&mut bed, 1);
    assert_eq!(file.said(), [""; 0]);
    let text = "# trunks\r\n\n  sip:a.example;transport=tcp # the first\r\nb.example:5080 A.example\t#c.example\n\
                a.EXAMPLE\nsip:d.example";
    fs::write(&file.path, text).unwrap();
    file.look(&mut bed, 1);
    let all = [
        "A.example",
        "b.example:5080",
        "sip:a.example;transport=tcp",
        "sip:d.example",
    ];
    assert_eq!(pinned(), by_file(&all));
    assert_eq!(file.said(), [""; 0]);
    // Of the same length, in the same tick of the file system's clock.
    fs::write(&file.path, text.replace("b.example", "e.example")).unwrap();
    file.look(&mut bed, 3);
    assert!(pinned().contains(&("e.example:5080".into(), By::File)));
    // Gone, as while an editor puts another one in its place: what is pinned stays.
    fs::remove_file(&file.path).unwrap();
    file.look(&mut bed, 1);
    assert_eq!(pinned().len(), 4);
    let said = file.said();
    assert!(
        said.len() == 1 && said[0].ends_with("what was pinned from it stays"),
        "{said:?}"
    );
    fs::write(&file.path, "f.example\n").unwrap();
    file.look(&mut bed, 1);
    assert_eq!(pinned(), by_file(&["f.example"]));
    // Another file, and none.
    bed.setup.options.set("dns_pin_file", "");
    file.look(&mut bed, 0);
    assert_eq!(pinned(), []);
}

#[test]
fn a_bad_line_is_told_by_its_number_and_the_others_count() {
    let mut bed = Bed::new();
    let mut file = File::new(&mut bed);
    let long = "x".repeat(400);
    let text = format!(
        "good.example\nsip:host:0\n\nsip:\x1b[2J%n%s\u{e4}\x00:1:2\n{long}\nalso.example h:99999\n"
    );
    fs::write(&file.path, text).unwrap();
    file.look(&mut bed, 1);
    assert_eq!(pinned(), by_file(&["also.example", "good.example"]));
    let line = |number: usize| format!("line {number}: no name or SIP URI");
    assert_eq!(file.said(), [line(2), line(4), line(5), line(6)]);
    fs::write(&file.path, "h:0\n".repeat(25)).unwrap();
    file.look(&mut bed, 1);
    let said = file.said();
    assert_eq!(said.len(), 11);
    assert_eq!(said[10], "15 more lines with what is no name or SIP URI");
    assert_eq!(pinned(), []);
    // Said once, not at each look.
    file.look(&mut bed, 5);
    assert_eq!(file.said(), [""; 0]);
}

#[test]
fn option_file_and_command_each_keep_their_names() {
    let mut bed = Bed::new();
    let mut file = File::new(&mut bed);
    fs::write(&file.path, "both.example all.example own.example").unwrap();
    bed.setup.options.set("dns_pin", "both.example all.example");
    file.look(&mut bed, 1);
    let by = |name: &str| {
        pinned()
            .into_iter()
            .find(|pin| pin.0 == name)
            .map(|pin| pin.1)
    };
    assert_eq!(by("both.example"), Some(By::Option));
    assert_eq!(by("own.example"), Some(By::File));
    assert_eq!(pins::add(b"all.example", By::Command), Ok(false));
    bed.setup.options.set("dns_pin", "");
    file.look(&mut bed, 1);
    assert_eq!(by("both.example"), Some(By::File));
    fs::write(&file.path, "# nothing\n").unwrap();
    file.look(&mut bed, 1);
    assert_eq!(pinned(), [("all.example".to_owned(), By::Command)]);
}

#[test]
fn only_a_regular_file_is_read_and_only_so_much_of_it() {
    let mut bed = Bed::new();
    let mut file = File::new(&mut bed);
    fs::create_dir(&file.path).unwrap();
    file.look(&mut bed, 1);
    assert!(file.said()[0].contains("not a regular file"));
    fs::remove_dir(&file.path).unwrap();
    let mkfifo = std::process::Command::new("mkfifo")
        .arg(&file.path)
        .status();
    assert!(mkfifo.unwrap().success());
    file.look(&mut bed, 1);
    assert!(file.said()[0].contains("not a regular file"));
    fs::remove_file(&file.path).unwrap();
    let many: String = (0..100_000).map(|n| format!("n{n}.example\n")).collect();
    fs::write(&file.path, &many).unwrap();
    assert!(many.len() > 1 << 20);
    file.look(&mut bed, 1);
    assert_eq!(pinned().len(), MOST);
    let said = file.said();
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(said[0], "longer than 1048576 octets, the rest is left out");
    assert!(
        said[1].ends_with("names have no room, 256 are pinned"),
        "{said:?}"
    );
}

fn faults(command: Command, arguments: &[&str]) -> bool {
    let mut transport = rpc::call(arguments);
    // SAFETY: functions that ignore their context.
    unsafe { command(&raw mut transport, null_mut()) };
    rpc::faults() > 0
}

#[test]
fn commands_pin_show_and_unpin() {
    let mut bed = Bed::new();
    bed.setup
        .server
        .script("f.example", A, vec![Reply::servfail()]);
    assert!(!faults(dns_pin_rpc, &["sip:f.example:5060"]));
    assert_eq!(rpc::fields(), [("status".into(), "pinned".into())]);
    assert!(!faults(dns_pin_rpc, &["SIP:F.example:5060"]));
    assert_eq!(rpc::fields(), [("status".into(), "was pinned".into())]);
    bed.work();
    assert!(!faults(dns_pins_rpc, &[]));
    let shown: Vec<String> = rpc::fields().into_iter().map(|(_, text)| text).collect();
    assert_eq!(
        shown,
        [
            "sip:f.example:5060",
            "command",
            "failed",
            "A: the nameserver failed"
        ]
    );
    for wrong in [
        &[][..],
        &[""],
        &["sips:h;transport=udp"],
        &["h:0"],
        &["sip:"],
    ] {
        assert!(faults(dns_pin_rpc, wrong), "{wrong:?}");
    }
    assert!(!faults(dns_unpin_rpc, &["sip:f.example:5060"]));
    assert!(faults(dns_unpin_rpc, &["sip:f.example:5060"]));
    assert!(!faults(dns_pins_rpc, &[]));
    assert_eq!(rpc::fields(), []);
}

/// NAPTR records are asked for TLS by option, and then belong to the pin.
#[test]
fn a_pinned_sips_uri_has_the_naptr_records_that_a_call_asks_for() {
    let mut bed = Bed::new();
    let options = &mut bed.setup.options;
    options.set("tls_disable", "0");
    options.set("dns_sips_naptr", "0");
    bed.domain("t.example", 20);
    let (service, host) = ("_x._tcp.t.example", "sip2.t.example");
    let naptr = Rr::naptr("t.example", 20, (20, 10), ("s", "SIPS+D2T", ""), service);
    bed.setup.server.answer("t.example", NAPTR, vec![naptr]);
    bed.answer(service, SRV, Rr::srv(service, 20, 1, 1, 5061, host));
    bed.answer(host, A, Rr::a(host, 20, "192.0.2.2"));
    pin("sips:t.example");
    bed.work();
    assert_eq!(state("sips:t.example").whole, Whole::No);
    assert_eq!(bed.queries("t.example", NAPTR), 0);
    bed.setup.options.set("dns_sips_naptr", "1");
    bed.work();
    assert_eq!(state("sips:t.example").whole, Whole::Yes);
    bed.pass(60);
    for (name, rtype) in [("t.example", NAPTR), (service, SRV), (host, A)] {
        assert_eq!(source(name, rtype), Some(Source::Cache), "{name}");
        assert!(bed.queries(name, rtype) >= 2, "{name}");
    }
}
