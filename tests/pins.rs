//! Names that are never cold: fetched whole, kept fresh unused, shown with what could not be had.
#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]
#![allow(unsafe_code, reason = "calls exported functions")]

mod support;

use std::ffi::c_void;
use std::ptr::null_mut;

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
