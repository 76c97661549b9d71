//! The library's own interface, through its C functions.
#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::multiple_unsafe_ops_per_block,
    unsafe_code,
    reason = "test code; a failure ends the test, and C is called as C would"
)]

mod support;

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::ptr::{null, null_mut};

use kamailio_dns::cache::Cache;
use kamailio_dns::ffi::client::context::*;
use kamailio_dns::ffi::client::known::*;
use kamailio_dns::ffi::client::resolve::*;
use kamailio_dns::ffi::client::result::*;
use kamailio_dns::ffi::client::types::kdns_error::*;
use kamailio_dns::ffi::client::types::*;
use kamailio_dns::ffi::client::watch::*;
use kamailio_dns::host::metrics::{self, Metric};
use kamailio_dns::lookup::{self, deadline};
use kamailio_dns::rr::RecordType;
use support::{A, NAPTR, Reply, Rr, SRV, Setup, children};

/// A context that is closed at its end.
struct Context(*mut kdns);

impl Context {
    fn open() -> Self {
        let mut context = null_mut();
        // SAFETY: a variable of ours.
        assert_eq!(unsafe { kdns_open(&raw mut context) }, 0);
        Self(context)
    }

    fn start_with(&self, uri: &str, terms: &kdns_terms) -> Result<Request, c_int> {
        let mut request = null_mut();
        let text = uri.as_ptr().cast::<c_char>();
        // SAFETY: a context that is open, a text, and variables of ours.
        let code = unsafe { kdns_start(self.0, text, uri.len(), terms, &raw mut request) };
        match code {
            0 => Ok(Request(request)),
            code => Err(code),
        }
    }

    fn start(&self, uri: &str) -> Request {
        self.start_with(uri, &terms()).unwrap()
    }

    fn start_query(&self, name: &str, rtype: u16) -> Request {
        let mut request = null_mut();
        let text = name.as_ptr().cast::<c_char>();
        // SAFETY: as in `start_with`.
        let code =
            unsafe { kdns_start_query(self.0, text, name.len(), rtype, null(), &raw mut request) };
        assert_eq!(code, 0);
        Request(request)
    }

    fn resolve(&self, uri: &str, terms: &kdns_terms) -> Request {
        let mut request = null_mut();
        let text = uri.as_ptr().cast::<c_char>();
        // SAFETY: as in `start_with`.
        let code = unsafe { kdns_resolve(self.0, text, uri.len(), terms, &raw mut request) };
        assert_eq!(code, 0);
        Request(request)
    }

    /// One turn of an event loop; gives the requests that have ended.
    fn turn(&self) -> Vec<*mut kdns_request> {
        // SAFETY: a context that is open.
        let ms = unsafe { kdns_timeout(self.0) };
        assert!(ms >= -1, "{ms}");
        let mut one = libc::pollfd {
            // SAFETY: as above.
            fd: unsafe { kdns_fd(self.0) },
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one element of ours.
        unsafe { libc::poll(&raw mut one, 1, ms) };
        // SAFETY: as above.
        let mut left = unsafe { kdns_process(self.0) };
        assert!(left >= 0, "{left}");
        let mut ended = Vec::new();
        loop {
            // SAFETY: as above.
            let request = unsafe { kdns_finished(self.0) };
            if request.is_null() {
                assert_eq!(left, 0);
                return ended;
            }
            left -= 1;
            ended.push(request);
        }
    }

    /// One turn of a loop that does not wait.
    fn turn_now(&self) -> Vec<*mut kdns_request> {
        // SAFETY: a context that is open.
        assert!(unsafe { kdns_process(self.0) } >= 0);
        let mut ended = Vec::new();
        loop {
            // SAFETY: as above.
            let request = unsafe { kdns_finished(self.0) };
            if request.is_null() {
                return ended;
            }
            ended.push(request);
        }
    }

    /// Turns the loop until a request has ended.
    fn run(&self, request: &Request) {
        while request.status() == KDNS_UNDER_WAY as c_int {
            self.turn();
        }
    }

    fn is_target(&self, uri: &str, address: &str, port: u16, transport: u8) -> (c_int, u32) {
        is_target(self.0, uri, address, port, transport)
    }
}

fn is_target(
    context: *mut kdns,
    uri: &str,
    address: &str,
    port: u16,
    transport: u8,
) -> (c_int, u32) {
    let text = uri.as_ptr().cast::<c_char>();
    let octets = match address.parse::<IpAddr>().unwrap() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let mut marks = 77;
    // SAFETY: texts and variables of ours.
    let answer = unsafe {
        kdns_is_target(
            context,
            text,
            uri.len(),
            octets.as_ptr(),
            octets.len(),
            port,
            transport,
            &raw mut marks,
        )
    };
    (answer, marks)
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: open, and closed once.
        unsafe { kdns_close(self.0) };
    }
}

/// A request that is released at its end.
struct Request(*mut kdns_request);

impl Request {
    fn status(&self) -> c_int {
        // SAFETY: not released yet.
        unsafe { kdns_status(self.0) }
    }

    fn targets_whole(&self) -> Vec<kdns_target> {
        let mut all = Vec::new();
        loop {
            // SAFETY: numbers, of which 0 is one.
            let mut target: kdns_target = unsafe { std::mem::zeroed() };
            let place = all.len() as u32;
            // SAFETY: not released yet, and a variable of that size.
            let code =
                unsafe { kdns_target(self.0, place, &raw mut target, size_of::<kdns_target>()) };
            if code != 0 {
                assert_eq!(code, KDNS_E_ABSENT as c_int);
                return all;
            }
            all.push(target);
        }
    }

    /// The targets as texts.
    fn targets(&self) -> Vec<String> {
        let whole = self.targets_whole();
        whole.iter().map(text_of).collect()
    }

    fn records(&self) -> Vec<kdns_record> {
        let mut all = Vec::new();
        loop {
            // SAFETY: numbers, of which 0 is one.
            let mut record: kdns_record = unsafe { std::mem::zeroed() };
            let place = all.len() as u32;
            // SAFETY: not released yet, and a variable of that size.
            let code =
                unsafe { kdns_record(self.0, place, &raw mut record, size_of::<kdns_record>()) };
            if code != 0 {
                assert_eq!(code, KDNS_E_ABSENT as c_int);
                return all;
            }
            all.push(record);
        }
    }

    fn failure(&self) -> (c_int, u16, String, Option<SocketAddr>) {
        // SAFETY: numbers, of which 0 is one.
        let mut failure: kdns_failure = unsafe { std::mem::zeroed() };
        // SAFETY: not released yet, and a variable of that size.
        let code = unsafe { kdns_failure(self.0, &raw mut failure, size_of::<kdns_failure>()) };
        assert_eq!(code, 0);
        let server = (failure.server_length > 0).then(|| address_of(&failure.server));
        (failure.error, failure.r#type, c_text(&failure.name), server)
    }

    fn cancel(&self) {
        // SAFETY: not released yet.
        assert_eq!(unsafe { kdns_cancel(self.0) }, 0);
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // SAFETY: released once.
        unsafe { kdns_release(self.0) };
    }
}

fn c_text(text: &[c_char]) -> String {
    // SAFETY: texts of the library end with NUL.
    let text = unsafe { CStr::from_ptr(text.as_ptr()) };
    text.to_str().unwrap().to_owned()
}

fn address_of(storage: &libc::sockaddr_storage) -> SocketAddr {
    let place = std::ptr::from_ref(storage);
    if i32::from(storage.ss_family) == libc::AF_INET {
        // SAFETY: that is what it is.
        let address = unsafe { &*place.cast::<libc::sockaddr_in>() };
        let octets = address.sin_addr.s_addr.to_ne_bytes();
        return SocketAddr::from((octets, u16::from_be(address.sin_port)));
    }
    // SAFETY: that is what it is.
    let address = unsafe { &*place.cast::<libc::sockaddr_in6>() };
    SocketAddr::from((address.sin6_addr.s6_addr, u16::from_be(address.sin6_port)))
}

fn text_of(target: &kdns_target) -> String {
    let transports = ["?", "udp", "tcp", "tls", "sctp", "ws", "wss"];
    let transport = transports[usize::from(target.transport)];
    format!("{transport} {}", address_of(&target.to))
}

fn terms() -> kdns_terms {
    kdns_terms {
        size: size_of::<kdns_terms>(),
        flags: 0,
        deadline_ms: 0,
        seed: 0,
        user: null_mut(),
    }
}

fn with_flags(flags: u32) -> kdns_terms {
    kdns_terms { flags, ..terms() }
}

/// A domain with NAPTR, SRV and address records.
fn domain(setup: &Setup) {
    setup.server.add_all([
        Rr::naptr(
            "example.org",
            60,
            (10, 10),
            ("s", "SIP+D2U", ""),
            "_sip._udp.example.org",
        ),
        Rr::naptr(
            "example.org",
            60,
            (20, 10),
            ("s", "SIP+D2T", ""),
            "_sip._tcp.example.org",
        ),
        Rr::srv("_sip._udp.example.org", 60, 10, 10, 5060, "a.example.org"),
        Rr::srv("_sip._udp.example.org", 60, 20, 10, 5070, "b.example.org"),
        Rr::srv("_sip._tcp.example.org", 60, 10, 10, 5080, "a.example.org"),
        Rr::a("a.example.org", 60, "192.0.2.1"),
        Rr::a("a.example.org", 60, "192.0.2.2"),
        Rr::aaaa("b.example.org", 60, "2001:db8::1"),
    ]);
}

const WHOLE: [&str; 5] = [
    "udp 192.0.2.1:5060",
    "udp 192.0.2.2:5060",
    "udp [2001:db8::1]:5070",
    "tcp 192.0.2.1:5080",
    "tcp 192.0.2.2:5080",
];

#[test]
fn a_uri_leads_to_its_targets_in_the_order_of_use() {
    let setup = Setup::patient();
    domain(&setup);
    let context = Context::open();
    let naptr = with_flags(KDNS_NAPTR);
    let request = context.start_with("sip:example.org", &naptr).unwrap();
    assert_eq!(request.status(), KDNS_UNDER_WAY as c_int);
    context.run(&request);
    assert_eq!(request.status(), 0);
    assert_eq!(request.targets(), WHOLE);
    let first = request.targets_whole()[0];
    assert_eq!(c_text(&first.host), "a.example.org");
    assert_eq!((first.priority, first.weight, first.marks), (10, 10, 4));
    assert!((50..=60).contains(&first.ttl), "{}", first.ttl);
    // Now all is there: nothing is asked, and it has ended when it has begun.
    let queries = setup.server.total();
    let again = context.start_with("sip:example.org", &naptr).unwrap();
    assert_eq!(again.status(), 0);
    assert_eq!(again.targets(), WHOLE);
    assert_eq!(again.targets_whole()[0].marks, 0);
    assert_eq!(context.turn(), [again.0]);
    let waited = context.resolve("sip:example.org", &naptr);
    assert_eq!(waited.targets(), WHOLE);
    assert_eq!(setup.server.total(), queries);
}

#[test]
fn what_is_gone_through_again_counts_once() {
    let setup = Setup::patient();
    domain(&setup);
    let context = Context::open();
    let counts = || [Metric::Miss, Metric::Hit, Metric::NegativeHit].map(metrics::value);
    let run = || {
        let before = counts();
        let terms = with_flags(KDNS_NAPTR | KDNS_IPV4_ONLY | KDNS_FIRST);
        context.run(&context.start_with("sip:example.org", &terms).unwrap());
        let after = counts();
        [0, 1, 2].map(|place: usize| after[place] - before[place])
    };
    // NAPTR, SRV, addresses.
    assert_eq!(run(), [3, 0, 0]);
    assert_eq!(run(), [0, 3, 0]);
}

#[test]
fn one_record_type() {
    let setup = Setup::patient();
    domain(&setup);
    let context = Context::open();
    let request = context.start_query("_sip._udp.example.org", SRV);
    context.run(&request);
    let texts: Vec<_> = request.records().iter().map(|r| c_text(&r.text)).collect();
    assert_eq!(
        texts,
        ["10 10 5060 a.example.org.", "20 10 5070 b.example.org."]
    );
    let absent = context.start_query("a.example.org", NAPTR);
    context.run(&absent);
    let (error, rtype, name, server) = absent.failure();
    assert_eq!((error, rtype), (KDNS_E_ABSENT as c_int, NAPTR));
    assert_eq!(name, "a.example.org");
    assert_eq!(server, Some(setup.server.address()));
}

#[test]
fn failures_are_told_apart() {
    let mut setup = Setup::new();
    setup.options.set("dns_retr_time", "1");
    setup.options.set("dns_retr_no", "1");
    let server = &setup.server;
    server.script("servfail.example", A, vec![Reply::servfail()]);
    server.script("refused.example", A, vec![Reply::rcode(5)]);
    server.script("silent.example", A, vec![Reply::silent()]);
    server.script("slow.example", A, vec![Reply::silent()]);
    server.add(Rr::srv("_sip._udp.never.example", 60, 0, 0, 0, "."));
    let context = Context::open();
    let of = |uri: &str, deadline_ms| {
        let terms = kdns_terms {
            flags: KDNS_IPV4_ONLY,
            deadline_ms,
            ..terms()
        };
        let request = context.start_with(uri, &terms).unwrap();
        context.run(&request);
        let (error, _, name, server) = request.failure();
        assert_eq!(error, request.status());
        (error, name, server.is_some())
    };
    // With a port there is no question but for the address.
    let cases = [
        (
            "sip:servfail.example:5060",
            0,
            KDNS_E_SERVFAIL,
            "servfail.example",
            true,
        ),
        (
            "sip:refused.example:5060",
            0,
            KDNS_E_REFUSED,
            "refused.example",
            true,
        ),
        (
            "sip:silent.example:5060",
            0,
            KDNS_E_TIMEOUT,
            "silent.example",
            true,
        ),
        (
            "sip:slow.example:5060",
            50,
            KDNS_E_DEADLINE,
            "slow.example",
            false,
        ),
        (
            "sip:absent.example:5060",
            0,
            KDNS_E_ABSENT,
            "absent.example",
            true,
        ),
        (
            "sip:never.example;transport=udp",
            0,
            KDNS_E_NOT_OFFERED,
            "",
            false,
        ),
        ("sip:[2001:db8::1]", 0, KDNS_E_FAMILY, "", false),
    ];
    for (uri, deadline_ms, error, name, has_server) in cases {
        let expected = (error as c_int, name.to_owned(), has_server);
        assert_eq!(of(uri, deadline_ms), expected, "{uri}");
    }
    let bad = context.start_with("tel:+491", &terms());
    assert_eq!(bad.err(), Some(KDNS_E_BAD_URI as c_int));
}

#[test]
fn nothing_is_asked_with_the_cache_alone() {
    let setup = Setup::patient();
    domain(&setup);
    let context = Context::open();
    let alone = with_flags(KDNS_CACHE_ONLY);
    let uri = "sip:a.example.org:5060";
    let before = context.start_with(uri, &alone).unwrap();
    assert_eq!(before.status(), KDNS_E_NOT_CACHED as c_int);
    let text = uri.as_ptr().cast::<c_char>();
    // SAFETY: a text of ours.
    let ready = || unsafe { kdns_ready(text, uri.len(), null()) };
    assert_eq!(ready(), 0);
    assert_eq!(setup.server.total(), 0);
    context.run(&context.start(uri));
    let after = context.start_with(uri, &alone).unwrap();
    assert_eq!((after.status(), after.targets().len()), (0, 2));
    assert_eq!(ready(), 1);
}

#[test]
fn as_many_as_may_be_are_under_way() {
    let setup = Setup::patient();
    setup.server.default_reply(Reply::silent());
    let context = Context::open();
    // SAFETY: a context that is open.
    let set = |option, value| unsafe { kdns_set(context.0, option, value) };
    assert_eq!(set(KDNS_MOST_REQUESTS, 3), 0);
    assert_eq!(set(KDNS_MOST_REQUESTS, 0), KDNS_E_BAD_ARGUMENT as c_int);
    assert_eq!(set(99, 1), KDNS_E_BAD_ARGUMENT as c_int);
    let mut requests: Vec<_> = (0..3)
        .map(|number| context.start(&format!("sip:{number}.example")))
        .collect();
    let beyond = context.start_with("sip:3.example", &terms());
    assert_eq!(beyond.err(), Some(KDNS_E_SHED as c_int));
    // One that is cancelled is fetched as all others; one that is released makes room, and is not.
    requests[0].cancel();
    assert_eq!(requests[0].status(), KDNS_E_CANCELLED as c_int);
    assert_eq!(context.turn(), [requests[0].0]);
    requests.remove(1);
    requests.push(context.start("sip:4.example"));
    requests.push(context.start("sip:5.example"));
    drop(context);
    let closed = requests[1..].iter();
    assert!(closed.clone().count() == 3);
    for request in closed {
        assert_eq!(request.status(), KDNS_E_CLOSED as c_int);
        request.cancel();
    }
}
const KDNS_MOST_REQUESTS: c_int = kdns_option::KDNS_MOST_REQUESTS as c_int;

/// More than are taken up in one step: none of them has asked when it is cancelled or released, and none does later.
#[test]
fn what_was_cancelled_before_it_began_asks_nothing() {
    let setup = Setup::patient();
    setup.server.default_reply(Reply::silent());
    let context = Context::open();
    let requests: Vec<_> = (0..300)
        .map(|number| context.start(&format!("sip:{number}.example:5060")))
        .collect();
    for (number, request) in requests.iter().enumerate() {
        if number % 2 == 0 {
            request.cancel();
        }
    }
    let cancelled: Vec<_> = requests
        .iter()
        .step_by(2)
        .map(|request| request.0)
        .collect();
    let mut fetched = context.turn();
    drop(requests);
    for _ in 0..60 {
        fetched.extend(context.turn_now());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(fetched, cancelled);
    // Of the 64 that the first turn took up the odd ones were under way when they were released.
    let asked = setup.server.queries();
    let number = |name: &str| name.split('.').next().unwrap().parse::<usize>().unwrap();
    let unasked = |number: &usize| number.is_multiple_of(2) || *number >= 64;
    let wrong: Vec<_> = asked
        .iter()
        .map(|q| number(&q.name))
        .filter(unasked)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Each is fetched once, in the order of the ends, whichever are released between.
#[test]
fn what_ended_is_fetched_in_order_without_what_was_released() {
    let _setup = Setup::patient();
    let context = Context::open();
    let mut requests: Vec<_> = (0..1000)
        .map(|_| Some(context.start("sip:192.0.2.1:5060")))
        .collect();
    for request in requests.iter_mut().step_by(3) {
        *request = None;
    }
    let left: Vec<_> = requests.iter().flatten().map(|request| request.0).collect();
    assert_eq!(context.turn(), left);
    assert!(context.turn_now().is_empty());
}

/// Watches that have ended make room though nothing was processed meanwhile.
#[test]
fn a_watch_that_has_ended_makes_room() {
    let _setup = Setup::patient();
    let context = Context::open();
    let mut told = Box::<Told>::default();
    for _ in 0..5000 {
        let watch = watch(&context, "sip:192.0.2.1:5060", &mut told);
        // SAFETY: given back once.
        unsafe { kdns_unwatch(watch) };
    }
    assert!(context.turn_now().is_empty() && told.0.is_empty());
}

#[test]
fn what_was_found_stays_for_who_uses_it() {
    let mut setup = Setup::patient();
    setup.server.add_all([
        Rr::srv("_sip._udp.zero.example", 0, 1, 1, 5060, "h.zero.example"),
        Rr::a("h.zero.example", 0, "192.0.2.9"),
        Rr::a("kept.example", 60, "192.0.2.8"),
    ]);
    let context = Context::open();
    // SAFETY: NULL is none.
    let use_none = || unsafe { kdns_use(null()) };
    for cache_mem in ["4096", "0"] {
        setup.options.set("dns_cache_mem", cache_mem);
        let zero = context.start("sip:zero.example;transport=udp");
        let kept = context.start("sip:kept.example:5060");
        context.run(&zero);
        context.run(&kept);
        assert_eq!(zero.targets(), ["udp 192.0.2.9:5060"]);
        Cache::instance().unwrap().flush(true);
        let queries = setup.server.total();
        let find = |name: &[u8], rtype| {
            let _scope = deadline::scope();
            lookup::absolute_entry(name, rtype, 0).is_ok()
        };
        // SAFETY: not released yet.
        assert_eq!(unsafe { kdns_use(zero.0) }, 0);
        assert!(find(b"_sip._udp.zero.example", RecordType::SRV));
        assert!(find(b"h.zero.example", RecordType::A));
        assert_eq!(setup.server.total(), queries);
        // SAFETY: as above.
        assert_eq!(unsafe { kdns_use(kept.0) }, 0);
        drop(kept);
        assert!(find(b"kept.example", RecordType::A));
        assert_eq!(setup.server.total(), queries);
        assert_eq!(use_none(), 0);
        assert!(find(b"kept.example", RecordType::A));
        assert!(setup.server.total() > queries);
    }
}

#[test]
fn what_several_requests_found_is_used_together() {
    let setup = Setup::patient();
    setup.server.add_all([
        Rr::a("one.example", 0, "192.0.2.1"),
        Rr::a("two.example", 0, "192.0.2.2"),
    ]);
    let context = Context::open();
    let uris = ["sip:one.example:5060", "sip:two.example:5060"];
    let absent = context.start("sip:absent.example:5060");
    let requests = uris.map(|uri| context.start(uri));
    context.run(&absent);
    requests.iter().for_each(|request| context.run(request));
    let find = |name: &[u8]| {
        let _scope = deadline::scope();
        lookup::absolute_entry(name, RecordType::A, 0).is_ok()
    };
    Cache::instance().unwrap().flush(true);
    let queries = setup.server.total();
    // SAFETY: not released yet.
    let used = requests
        .iter()
        .chain([&absent])
        .map(|r| unsafe { kdns_use_also(r.0) });
    assert!(used.into_iter().all(|rc| rc == 0));
    drop(requests);
    assert!(find(b"one.example") && find(b"two.example") && !find(b"absent.example"));
    assert_eq!(setup.server.total(), queries);
    // SAFETY: not released yet.
    assert_eq!(unsafe { kdns_use(absent.0) }, 0);
    assert!(find(b"one.example") && !find(b"absent.example"));
    assert_eq!(setup.server.count("one.example", A), 2);
    assert_eq!(setup.server.count("absent.example", A), 1);
    // SAFETY: NULL is none.
    assert_eq!(unsafe { kdns_use(null()) }, 0);
    // SAFETY: NULL is refused.
    let refused = unsafe { kdns_use_also(null()) };
    assert_eq!(refused, KDNS_E_BAD_ARGUMENT as c_int);
}

#[test]
fn what_was_found_serves_lookups_past_the_cache() {
    let setup = Setup::patient();
    setup.server.add_all([
        Rr::srv(
            "_sip._udp.past.example",
            60,
            1,
            1,
            5060,
            "alias.past.example",
        ),
        Rr::cname("alias.past.example", 60, "h.past.example"),
        Rr::a("h.past.example", 60, "192.0.2.9"),
    ]);
    let context = Context::open();
    let request = context.start("sip:past.example;transport=udp");
    context.run(&request);
    assert_eq!(request.targets(), ["udp 192.0.2.9:5060"]);
    let queries = setup.server.total();
    let find = |name: &[u8], rtype| lookup::uncached::record_list(name, rtype, true, false);
    // SAFETY: not released yet.
    assert_eq!(unsafe { kdns_use(request.0) }, 0);
    let srv = find(b"_sip._udp.past.example.", RecordType::SRV).unwrap();
    let addresses = find(b"alias.past.example.", RecordType::A).unwrap();
    assert_eq!((srv.len(), addresses.len()), (1, 1));
    assert_eq!(addresses[0].owner.as_bytes(), b"h.past.example");
    assert_eq!(setup.server.total(), queries);
    // SAFETY: NULL is none.
    assert_eq!(unsafe { kdns_use(null()) }, 0);
    assert!(find(b"alias.past.example.", RecordType::A).is_ok());
    assert!(setup.server.total() > queries);
}

#[test]
fn questions_are_shared_with_other_processes() {
    let mut setup = Setup::patient();
    setup.options.set("dns_resolve_deadline", "20000");
    let answer = |name: &str| {
        let records = vec![Rr::a(name, 60, "192.0.2.5")];
        vec![Reply::answer(records).delay_ms(150)]
    };
    for name in ["theirs.example", "ours.example"] {
        setup.server.script(name, A, answer(name));
    }
    let context = Context::open();
    let find = |name: &[u8]| {
        let _scope = deadline::scope();
        lookup::absolute_entry(name, RecordType::A, 1).is_ok()
    };
    let alone = with_flags(KDNS_IPV4_ONLY);
    // Another process asks.
    let child = children::spawn(|| assert!(find(b"theirs.example")));
    while setup.server.count("theirs.example", A) == 0 {
        std::thread::yield_now();
    }
    let theirs = context
        .start_with("sip:theirs.example:5060", &alone)
        .unwrap();
    context.run(&theirs);
    assert_eq!(theirs.targets(), ["udp 192.0.2.5:5060"]);
    assert_eq!(children::wait(child), 0);
    assert_eq!(setup.server.count("theirs.example", A), 1);
    // Another process waits for us.
    let ours = context.start_with("sip:ours.example:5060", &alone).unwrap();
    while setup.server.count("ours.example", A) == 0 {
        context.turn();
    }
    let child = children::spawn(|| assert!(find(b"ours.example")));
    context.run(&ours);
    assert_eq!(ours.targets(), ["udp 192.0.2.5:5060"]);
    assert_eq!(children::wait(child), 0);
    assert_eq!(setup.server.count("ours.example", A), 1);
    // Two requests of one context share as well.
    setup
        .server
        .script("both.example", A, answer("both.example"));
    let both = [0, 1].map(|_| context.start_with("sip:both.example:5060", &alone).unwrap());
    both.iter().for_each(|request| context.run(request));
    assert_eq!(both.map(|request| request.targets().len()), [1, 1]);
    assert_eq!(setup.server.count("both.example", A), 1);
}

#[test]
fn a_loop_that_was_away_takes_no_answer_for_late() {
    let mut setup = Setup::new();
    setup.options.set("dns_retr_time", "1");
    setup.options.set("dns_retr_no", "1");
    for number in 0..100 {
        let name = format!("away{number}.example");
        setup.server.add(Rr::a(&name, 60, "192.0.2.1"));
    }
    let context = Context::open();
    let option = kdns_option::KDNS_STEP_US as c_int;
    // SAFETY: a context that is open.
    let code = unsafe { kdns_set(context.0, option, 100) };
    assert_eq!(code, 0);
    let alone = kdns_terms {
        deadline_ms: 30_000,
        ..with_flags(KDNS_IPV4_ONLY)
    };
    let start = |number| {
        let uri = format!("sip:away{number}.example:5060");
        context.start_with(&uri, &alone).unwrap()
    };
    let requests: Vec<_> = (0..50).map(start).collect();
    while setup.server.total() < 50 {
        context.turn();
    }
    // Something else keeps the program for longer than a question has.
    std::thread::sleep(std::time::Duration::from_millis(1300));
    for request in &requests {
        context.run(request);
        assert_eq!(request.status(), 0);
    }
}

#[test]
fn one_who_asked_and_died_holds_nobody_up() {
    let mut setup = Setup::patient();
    setup.options.set("dns_resolve_deadline", "60000");
    let records = vec![Rr::a("died.example", 60, "192.0.2.5")];
    setup.server.script(
        "died.example",
        A,
        vec![Reply::silent(), Reply::answer(records)],
    );
    let context = Context::open();
    let child = children::spawn(|| {
        let _scope = deadline::scope();
        let _dies_here = lookup::absolute_entry(b"died.example", RecordType::A, 1);
    });
    while setup.server.count("died.example", A) == 0 {
        std::thread::yield_now();
    }
    let alone = with_flags(KDNS_IPV4_ONLY);
    let request = context.start_with("sip:died.example:5060", &alone).unwrap();
    context.turn();
    children::kill(child);
    children::wait(child);
    context.run(&request);
    assert_eq!(request.targets(), ["udp 192.0.2.5:5060"]);
}

#[test]
fn relative_names_are_completed() {
    let mut setup = Setup::patient();
    let address = setup.server.address();
    setup.options.resolv_conf(&format!(
        "nameserver {}\nsearch one.example two.example\n",
        address.ip()
    ));
    setup.options.set("dns_nameservers", &address.to_string());
    setup.options.set("dns_use_search_list", "yes");
    setup.server.add(Rr::a("host.two.example", 60, "192.0.2.6"));
    let context = Context::open();
    for _ in 0..2 {
        let request = context.start("sip:host:5060");
        context.run(&request);
        assert_eq!(request.targets(), ["udp 192.0.2.6:5060"]);
    }
    Cache::instance().unwrap().flush(true);
    let before = context.start("sip:host:5060");
    context.run(&before);
    let queries = setup.server.total();
    Cache::instance().unwrap().flush(true);
    // SAFETY: not released yet.
    assert_eq!(unsafe { kdns_use(before.0) }, 0);
    let found = {
        let _scope = deadline::scope();
        lookup::entry(b"host", RecordType::A, 0).is_ok()
    };
    // SAFETY: NULL is none.
    assert_eq!(unsafe { kdns_use(null()) }, 0);
    assert!(found);
    assert_eq!(setup.server.total(), queries);
}

#[test]
fn the_refresher_asks_for_who_has_no_loop() {
    let setup = Setup::patient();
    domain(&setup);
    // SAFETY: always safe; the first round says that there is a refresher.
    let refresh = || unsafe { kamailio_dns::ffi::refresh::dns_refresh_run() };
    assert!(refresh() >= 0);
    let uri = "sip:example.org";
    let text = uri.as_ptr().cast::<c_char>();
    // SAFETY: a text of ours.
    assert_eq!(unsafe { kdns_prefetch(null_mut(), text, uri.len()) }, 0);
    // SAFETY: a text of ours.
    while unsafe { kdns_ready(text, uri.len(), null()) } != 1 {
        refresh();
    }
    let not_yet = kdns_answer::KDNS_NOT_KNOWN_YET as c_int;
    // The NAPTR records belong to it, though requests do without.
    assert_eq!(is_target(null_mut(), uri, "192.0.2.77", 0, 0).0, not_yet);
    while is_target(null_mut(), uri, "192.0.2.77", 0, 0).0 == not_yet {
        refresh();
    }
    assert_eq!(is_target(null_mut(), uri, "192.0.2.1", 5060, 1).0, 1);
    kamailio_dns::cache::due::refresher_ends();
}

#[test]
fn a_source_is_one_of_theirs_or_not() {
    let setup = Setup::patient();
    domain(&setup);
    let context = Context::open();
    let uri = "sip:example.org";
    let not_yet = (kdns_answer::KDNS_NOT_KNOWN_YET as c_int, 0);
    assert_eq!(context.is_target(uri, "192.0.2.1", 0, 0), not_yet);
    // The question has begun.
    while context.is_target(uri, "192.0.2.77", 0, 0) == not_yet {
        context.turn();
    }
    let queries = setup.server.total();
    let (yes, no) = (
        (kdns_answer::KDNS_YES as c_int, 0),
        (kdns_answer::KDNS_NO as c_int, 0),
    );
    for (address, port, transport, expected) in [
        ("192.0.2.1", 0, 0, yes),
        ("::ffff:192.0.2.2", 0, 0, yes),
        ("2001:db8::1", 5070, 1, yes),
        ("2001:db8::1", 5060, 0, no),
        ("192.0.2.1", 5080, 2, yes),
        ("192.0.2.1", 5080, 1, no),
        ("192.0.2.3", 0, 0, no),
    ] {
        let answer = context.is_target(uri, address, port, transport);
        assert_eq!(answer, expected, "{address} {port} {transport}");
    }
    assert_eq!(setup.server.total(), queries);
    assert_eq!(
        context.is_target("sip:", "192.0.2.1", 0, 0).0,
        KDNS_E_BAD_URI as c_int
    );
    let literal = context.is_target("sip:192.0.2.50:5061", "192.0.2.50", 5061, 1);
    assert_eq!(literal, yes);
}

#[test]
fn what_has_expired_or_failed_never_says_a_plain_yes() {
    let mut setup = Setup::patient();
    setup.options.set("dns_stale_ttl", "3600");
    setup.server.add(Rr::a("old.example", 1, "192.0.2.1"));
    setup
        .server
        .script("failed.example", A, vec![Reply::servfail()]);
    let context = Context::open();
    let uri = "sip:old.example:5060";
    context.run(&context.start(uri));
    assert_eq!(context.is_target(uri, "192.0.2.1", 0, 0).0, 1);
    setup.server.script("old.example", A, vec![Reply::silent()]);
    let stale = (kdns_answer::KDNS_STALE_YES as c_int, KDNS_STALE);
    while context.is_target(uri, "192.0.2.1", 0, 0) != stale {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(context.is_target(uri, "192.0.2.2", 0, 0).0, 3);
    let failed = "sip:failed.example:5060";
    context.run(&context.start(failed));
    assert_eq!(context.is_target(failed, "192.0.2.1", 0, 0).0, 3);
}

#[test]
fn nobody_asks_without_a_context_and_without_a_refresher() {
    let _setup = Setup::patient();
    assert_eq!(
        is_target(null_mut(), "sip:example.org", "192.0.2.1", 0, 0).0,
        3
    );
    let uri = "sip:example.org";
    let text = uri.as_ptr().cast::<c_char>();
    // SAFETY: a text of ours.
    let code = unsafe { kdns_prefetch(null_mut(), text, uri.len()) };
    assert_eq!(code, KDNS_E_NO_REFRESHER as c_int);
}

#[test]
fn a_prefetch_is_forgotten_and_found() {
    let setup = Setup::patient();
    domain(&setup);
    let context = Context::open();
    let uri = "sip:example.org";
    let text = uri.as_ptr().cast::<c_char>();
    // SAFETY: a text of ours.
    let code = unsafe { kdns_prefetch(context.0, text, uri.len()) };
    assert_eq!(code, 0);
    // SAFETY: a text of ours.
    while unsafe { kdns_ready(text, uri.len(), null()) } != 1 {
        assert!(context.turn().is_empty());
    }
}

#[test]
fn targets_that_failed_stand_behind_the_others() {
    let setup = Setup::patient();
    domain(&setup);
    let context = Context::open();
    let naptr = with_flags(KDNS_NAPTR);
    let request = context.resolve("sip:example.org", &naptr);
    // SAFETY: not released yet.
    assert_eq!(unsafe { kdns_report_failed(request.0, 0, 600) }, 0);
    // SAFETY: as above.
    let none = unsafe { kdns_report_failed(request.0, 5, 600) };
    assert_eq!(none, KDNS_E_ABSENT as c_int);
    let mut expected = WHOLE.to_vec();
    expected.rotate_left(1);
    let next = context.resolve("sip:example.org", &naptr);
    assert_eq!(next.targets(), expected);
    let marks: Vec<_> = next.targets_whole().iter().map(|t| t.marks).collect();
    assert_eq!(marks, [0, 0, 0, 0, KDNS_REPORTED as u8]);
    // It is this context's alone, and the cache has not changed.
    let other = Context::open();
    assert_eq!(other.resolve("sip:example.org", &naptr).targets(), WHOLE);
}

/// What a watch was told: in arrays whose elements have some octets more than this library's.
#[derive(Default)]
struct Told(Vec<(Vec<String>, Vec<String>)>);

/// What a later version of the header might have.
#[repr(C)]
struct LaterTarget {
    target: kdns_target,
    later: [u64; 2],
}

/// Watches a URI.
fn watch(context: &Context, uri: &str, told: &mut Told) -> *mut kdns_watch {
    let text = uri.as_ptr().cast::<c_char>();
    let user = std::ptr::from_mut(told).cast::<c_void>();
    let (size, mut watch) = (size_of::<LaterTarget>(), null_mut());
    // SAFETY: a text and variables of the caller's; what is told lives as long as the watch.
    let code = unsafe {
        kdns_watch(
            context.0,
            text,
            uri.len(),
            Some(changed),
            size,
            user,
            &raw mut watch,
        )
    };
    assert_eq!(code, 0);
    watch
}

unsafe extern "C" fn changed(
    user: *mut c_void,
    added: *const kdns_target,
    added_count: usize,
    removed: *const kdns_target,
    removed_count: usize,
) {
    let list = |start: *const kdns_target, count| -> Vec<String> {
        let of = |index| {
            // SAFETY: an array of so many, each of the size that was said.
            text_of(unsafe { &(*start.cast::<LaterTarget>().add(index)).target })
        };
        (0..count).map(of).collect()
    };
    // SAFETY: what the test gave, in its own thread.
    let told = unsafe { &mut *user.cast::<Told>() };
    told.0
        .push((list(added, added_count), list(removed, removed_count)));
}

#[test]
fn a_change_of_a_watched_name_is_told_once() {
    let setup = Setup::patient();
    setup.server.add(Rr::a("w.example", 1, "192.0.2.1"));
    let context = Context::open();
    let mut told = Box::<Told>::default();
    let watch = watch(&context, "sip:w.example:5060", &mut told);
    let texts = |list: &[&str]| -> Vec<String> { list.iter().map(|t| (*t).to_owned()).collect() };
    while told.0.is_empty() {
        context.turn();
    }
    assert_eq!(told.0.pop(), Some((texts(&["udp 192.0.2.1:5060"]), vec![])));
    setup.server.remove("w.example", A);
    setup.server.add(Rr::a("w.example", 1, "192.0.2.2"));
    while told.0.is_empty() {
        context.turn();
    }
    let expected = (
        texts(&["udp 192.0.2.2:5060"]),
        texts(&["udp 192.0.2.1:5060"]),
    );
    assert_eq!(told.0, [expected]);
    // SAFETY: given back once.
    unsafe { kdns_unwatch(watch) };
}

/// A target whose name is answered late, when others are long there, has not gone: nobody is told of a part.
#[test]
fn a_slow_name_is_no_change_of_a_watched_one() {
    let setup = Setup::patient();
    for (name, address) in [("a.example", "192.0.2.1"), ("b.example", "192.0.2.2")] {
        let srv = Rr::srv("_sip._udp.w.example", 60, 1, 1, 5060, name);
        setup.server.add(srv);
        setup.server.add(Rr::a(name, 60, address));
    }
    setup
        .server
        .script("b.example", A, vec![Reply::from_records().delay_ms(1500)]);
    let context = Context::open();
    let mut told = Box::<Told>::default();
    let watch = watch(&context, "sip:w.example;transport=udp", &mut told);
    while told.0.is_empty() {
        context.turn();
    }
    let (mut added, removed) = told.0.remove(0);
    added.sort();
    assert_eq!(added, ["udp 192.0.2.1:5060", "udp 192.0.2.2:5060"]);
    assert!(removed.is_empty());
    // SAFETY: given back once.
    unsafe { kdns_unwatch(watch) };
}

/// 100 changes while the loop has many other requests: each is told once, and in order.
#[test]
fn each_of_many_changes_is_told_once_beside_other_work() {
    let setup = Setup::patient();
    let address = |number: usize| format!("192.0.2.{number}");
    let serve = |number: usize| {
        let both = [number, number + 1].map(|each| Rr::a("w.example", 0, &address(each)));
        setup.server.answer("w.example", A, both.to_vec());
    };
    setup.server.add_for_prefix(Rr::a("busy", 1, "192.0.2.250"));
    let context = Context::open();
    // SAFETY: not closed yet.
    let set = unsafe { kdns_set(context.0, kdns_option::KDNS_WATCH_MS as c_int, 10) };
    assert_eq!(set, 0);
    let mut told = Box::<Told>::default();
    serve(1);
    let watch = watch(&context, "sip:w.example:5060", &mut told);
    let mut names = 0;
    let mut work_until_told = |count: usize| {
        while told.0.len() < count {
            let requests: Vec<_> = (0..20)
                .map(|_| {
                    names += 1;
                    context.start(&format!("sip:busy{names}.example:5060"))
                })
                .collect();
            requests.iter().for_each(|request| context.run(request));
        }
        assert_eq!(told.0.len(), count);
        told.0.last().cloned().unwrap()
    };
    let text = |number| format!("udp {}:5060", address(number));
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    let (added, removed) = work_until_told(1);
    assert_eq!((sorted(added), removed), (vec![text(1), text(2)], vec![]));
    for change in 1..=100 {
        serve(change + 1);
        let (added, removed) = work_until_told(change + 1);
        assert_eq!(
            (added, removed),
            (vec![text(change + 2)], vec![text(change)])
        );
    }
    // SAFETY: given back once.
    unsafe { kdns_unwatch(watch) };
}

#[test]
fn a_child_has_an_error_and_leaves_the_parent_alone() {
    let setup = Setup::patient();
    domain(&setup);
    setup.server.script(
        "held.example",
        A,
        vec![Reply::answer(vec![Rr::a("held.example", 60, "192.0.2.5")]).delay_ms(300)],
    );
    let context = Context::open();
    let request = context.start("sip:held.example:5060");
    let whole = context.start("sip:example.org");
    context.run(&whole);
    assert_eq!(request.status(), KDNS_UNDER_WAY as c_int);
    let child = children::spawn(|| {
        let forked = KDNS_E_FORKED as c_int;
        // SAFETY: the parent's, of which the child has copies.
        unsafe {
            assert_eq!(kdns_status(request.0), forked);
            assert_eq!(kdns_cancel(request.0), forked);
            assert_eq!(kdns_process(context.0), forked);
            assert_eq!(kdns_timeout(context.0), forked);
            assert_eq!(kdns_fd(context.0), forked);
            assert!(kdns_finished(context.0).is_null());
            assert_eq!(kdns_use(whole.0), forked);
        }
        let refused = context.start_with("sip:example.org", &terms());
        assert_eq!(refused.err(), Some(forked));
        // What the child gives back is its own copy.
        // SAFETY: given back once in this process.
        unsafe {
            kdns_release(request.0);
            kdns_release(whole.0);
            kdns_close(context.0);
        }
        let own = Context::open();
        assert_eq!(
            own.resolve("sip:a.example.org:5060", &terms())
                .targets()
                .len(),
            2
        );
    });
    assert_eq!(children::wait(child), 0);
    context.run(&request);
    assert_eq!(request.targets(), ["udp 192.0.2.5:5060"]);
    assert_eq!(setup.server.count("held.example", A), 1);
}

/// The numbers that this process has open, and what each stands for.
fn open_numbers() -> BTreeMap<c_int, String> {
    let open = std::fs::read_dir("/proc/self/fd").expect("/proc");
    open.filter_map(|entry| {
        let entry = entry.ok()?;
        let target = std::fs::read_link(entry.path()).ok()?;
        let number = entry.file_name().to_str()?.parse().ok()?;
        Some((number, target.to_string_lossy().into_owned()))
    })
    .collect()
}

/// A program that becomes a daemon closes all that it has, and what it opens then gets the same numbers.
#[test]
fn a_child_that_closes_its_parents_context_closes_nothing_of_its_own() {
    let setup = Setup::patient();
    let late = Reply::answer(vec![Rr::a("late.example", 60, "192.0.2.5")]).delay_ms(300);
    setup.server.script("late.example", A, vec![late]);
    let before = open_numbers();
    let context = Context::open();
    let request = context.start("sip:late.example:5060");
    while setup.server.count("late.example", A) == 0 {
        context.turn_now();
    }
    let mut numbers = open_numbers();
    numbers.retain(|number, target| before.get(number) != Some(target));
    // Event queue, what wakes it, a socket.
    assert!(numbers.len() >= 3, "{numbers:?}");
    let child = children::spawn(|| {
        let own = std::fs::File::open("/dev/null").unwrap();
        for number in numbers.keys() {
            // SAFETY: a number of the library's, if it is open at all.
            assert_eq!(unsafe { libc::dup2(own.as_raw_fd(), *number) }, *number);
        }
        // SAFETY: the child's copies, each given back once.
        unsafe {
            kdns_release(request.0);
            kdns_close(context.0);
        }
        let now = open_numbers();
        for number in numbers.keys() {
            assert_eq!(now.get(number).map(String::as_str), Some("/dev/null"));
        }
    });
    assert_eq!(children::wait(child), 0);
    context.run(&request);
    assert_eq!(request.targets(), ["udp 192.0.2.5:5060"]);
}

/// The cache goes while questions are under way, and comes back: what is asked then is told apart from them.
#[test]
fn questions_from_before_the_end_of_the_cache_leave_nothing_behind() {
    let setup = Setup::patient();
    for name in ["old.example", "new.example"] {
        let reply = Reply::answer(vec![Rr::a(name, 60, "192.0.2.5")]).delay_ms(300);
        setup.server.script(name, A, vec![reply]);
    }
    let context = Context::open();
    let old = context.start("sip:old.example:5060");
    while setup.server.count("old.example", A) == 0 {
        context.turn_now();
    }
    Cache::destroy();
    context.run(&old);
    assert_eq!(old.failure().0, KDNS_E_NO_CACHE as c_int);
    Cache::init().unwrap();
    let new = context.start("sip:new.example:5060");
    context.run(&new);
    assert_eq!(new.targets(), ["udp 192.0.2.5:5060"]);
    // The old question comes to its end, and its socket is closed.
    while is_connected_to(setup.server.address()) {
        context.turn_now();
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// True when a socket of this process is connected to the address.
fn is_connected_to(address: SocketAddr) -> bool {
    open_numbers().into_keys().any(|number| {
        // SAFETY: numbers, of which 0 is one.
        let mut peer: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        let mut size = size_of_val(&peer) as libc::socklen_t;
        // SAFETY: variables of ours, and the size of the first.
        let code = unsafe { libc::getpeername(number, (&raw mut peer).cast(), &raw mut size) };
        let is_ip = [libc::AF_INET, libc::AF_INET6].contains(&i32::from(peer.ss_family));
        code == 0 && is_ip && address_of(&peer) == address
    })
}

#[test]
fn several_threads_use_one_context() {
    let setup = Setup::patient();
    for number in 0..200 {
        setup
            .server
            .add(Rr::a(&format!("h{number}.example"), 60, "192.0.2.1"));
    }
    let context = Context::open();
    let shared = context.0 as usize;
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            std::thread::spawn(move || {
                let context = std::mem::ManuallyDrop::new(Context(shared as *mut kdns));
                for number in 0..50 {
                    let uri = format!("sip:h{}.example:5060", thread * 50 + number);
                    let request = context.resolve(&uri, &terms());
                    assert_eq!(request.targets(), ["udp 192.0.2.1:5060"]);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn null_and_nonsense_are_refused() {
    let _setup = Setup::patient();
    let context = Context::open();
    let bad = KDNS_E_BAD_ARGUMENT as c_int;
    let uri = c"sip:a".as_ptr();
    let mut request = null_mut();
    let short = kdns_terms { size: 3, ..terms() };
    let contrary = with_flags(KDNS_IPV4_ONLY | KDNS_IPV6_ONLY);
    // SAFETY: NULL, and what the functions are to refuse.
    unsafe {
        assert_eq!(kdns_open(null_mut()), bad);
        assert_eq!(
            kdns_start(null_mut(), uri, 5, null(), &raw mut request),
            bad
        );
        assert_eq!(
            kdns_start(context.0, null(), 5, null(), &raw mut request),
            bad
        );
        assert_eq!(kdns_start(context.0, uri, 0, null(), &raw mut request), bad);
        assert_eq!(
            kdns_start(context.0, uri, 1 << 40, null(), &raw mut request),
            bad
        );
        assert_eq!(kdns_start(context.0, uri, 5, null(), null_mut()), bad);
        assert_eq!(
            kdns_start(context.0, uri, 5, &raw const short, &raw mut request),
            bad
        );
        assert_eq!(
            kdns_start(context.0, uri, 5, &raw const contrary, &raw mut request),
            bad
        );
        assert_eq!(
            kdns_start_query(context.0, uri, 5, 6, null(), &raw mut request),
            bad
        );
        assert_eq!(kdns_status(null()), bad);
        assert_eq!(
            kdns_is_target(context.0, uri, 5, null(), 4, 0, 0, null_mut()),
            bad
        );
        let octets = [0; 16];
        assert_eq!(
            kdns_is_target(context.0, uri, 5, octets.as_ptr(), 5, 0, 0, null_mut()),
            bad
        );
        assert_eq!(
            kdns_is_target(context.0, uri, 5, octets.as_ptr(), 4, 0, 9, null_mut()),
            bad
        );
        assert_eq!(
            kdns_watch(context.0, uri, 5, None, 8, null_mut(), null_mut()),
            bad
        );
        kdns_close(null_mut());
        kdns_release(null_mut());
        kdns_unwatch(null_mut());
        for error in [0, 1, -1, -24, -99, 12345] {
            assert!(!kdns_error_text(error).is_null());
        }
    }
    assert!(request.is_null());
}
