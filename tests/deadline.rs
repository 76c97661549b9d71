//! One deadline for one search for targets, and questions that go out together.
//!
//! Silent servers would hold a search up for ten minutes here; the watchdog ends the program after two.

#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]

mod support;

use kamailio_dns::cache::{Cache, NegativeKind};
use kamailio_dns::error::LookupError;
use kamailio_dns::host::metrics::{self, Metric};
use kamailio_dns::lookup::{self, Source};
use kamailio_dns::rr::RecordType;
use kamailio_dns::select::{Cursor, SelectError, handle};
use support::{A, AAAA, NAPTR, Reply, Rr, SRV, Setup};

const IPV4_ONLY: u32 = 1;
const TRY_NAPTR: u32 = 16;

fn setup(deadline_ms: &str) -> Setup {
    let mut setup = Setup::new();
    // Nothing is asked once more without EDNS.
    setup.options.set("dns_edns", "yes");
    setup.options.set("dns_retr_time", "300");
    setup.options.set("dns_resolve_deadline", deadline_ms);
    setup
}

/// First target of a name without port and transport.
fn resolve(name: &str, flags: u32) -> Result<String, SelectError> {
    let (mut port, mut proto) = (0, 0);
    let address = handle::resolve(
        &mut Cursor::default(),
        name.as_bytes(),
        Some(&mut port),
        Some(&mut proto),
        flags,
        None,
    )?;
    Ok(format!("{address}:{port}/{proto}"))
}

fn silent() -> Vec<Reply> {
    vec![Reply::dropped()]
}

fn srv(owner: &str, priority: u16, target: &str) -> Rr {
    Rr::srv(owner, 300, priority, 1, 5070, target)
}

/// Metric Deadline counts searches, not questions.
#[test]
fn a_search_among_silent_servers_ends_at_the_deadline() {
    let s = setup("1500");
    s.server.default_reply(Reply::dropped());
    let before = metrics::value(Metric::Deadline);
    assert_eq!(
        resolve("silent.test", IPV4_ONLY | TRY_NAPTR),
        Err(SelectError::NoNaptr)
    );
    // Without a refresher the question goes on in this thread, on a new socket.
    while s.server.total() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert_eq!(s.server.count("silent.test", NAPTR), 2);
    assert_eq!(s.server.total(), 2);
    // A silent question about a clear transport counts as absent, so the addresses of the name come last.
    assert_eq!(resolve("other.test", IPV4_ONLY), Err(SelectError::NoIp));
    assert_eq!(metrics::value(Metric::Deadline) - before, 2);
}

/// The first target's host is not answered for; the second one is known.
#[test]
fn the_best_that_is_known_is_given() {
    let s = setup("1500");
    let owner = "_sip._udp.d.test";
    s.server
        .add_all([srv(owner, 1, "slow.d.test"), srv(owner, 2, "known.d.test")]);
    s.server.script("slow.d.test", A, silent());
    s.server.add(Rr::a("known.d.test", 300, "192.0.2.7"));
    lookup::entry(b"known.d.test", RecordType(A), IPV4_ONLY).unwrap();
    assert_eq!(
        resolve("d.test", IPV4_ONLY),
        Ok("192.0.2.7:5070/1".to_owned())
    );
    assert_eq!(s.server.count("slow.d.test", A), 1);
}

/// The first target's host is not answered for; there is time left to ask for the second.
#[test]
fn a_silent_target_leaves_time_for_the_next() {
    let s = setup("3000");
    let owner = "_sip._udp.d.test";
    s.server
        .add_all([srv(owner, 1, "slow.d.test"), srv(owner, 2, "known.d.test")]);
    s.server.script("slow.d.test", A, silent());
    s.server.add(Rr::a("known.d.test", 300, "192.0.2.7"));
    assert_eq!(
        resolve("d.test", IPV4_ONLY),
        Ok("192.0.2.7:5070/1".to_owned())
    );
    assert_eq!(s.server.count("slow.d.test", A), 1);
    // What was silent is known as that, and holds up no other call that has another way.
    let owner = "_sip._udp.e.test";
    s.server
        .add_all([srv(owner, 1, "slow.d.test"), srv(owner, 2, "known.d.test")]);
    assert_eq!(
        resolve("e.test", IPV4_ONLY),
        Ok("192.0.2.7:5070/1".to_owned())
    );
    assert_eq!(s.server.count("slow.d.test", A), 1);
}

/// Data beyond its TTL is better than nothing, too.
#[test]
fn stale_data_is_given_at_the_deadline() {
    let mut s = setup("1500");
    s.options.set("dns_stale_recent", "0");
    s.server.add(Rr::a("h.test", 60, "192.0.2.7"));
    lookup::entry(b"h.test", RecordType(A), IPV4_ONLY).unwrap();
    s.server.default_reply(Reply::dropped());
    s.server.script("h.test", A, silent());
    kamailio_dns::host::clock::advance_for_tests(100_000);
    let mut port = 5060;
    let address = handle::resolve(
        &mut Cursor::default(),
        b"h.test",
        Some(&mut port),
        None,
        IPV4_ONLY,
        None,
    );
    assert_eq!(address.unwrap().to_string(), "192.0.2.7");
}

/// None of the three is answered before all are asked.
#[test]
fn srv_records_of_all_transports_are_asked_for_at_once() {
    let s = setup("0");
    for prefix in ["_sip._udp", "_sip._tcp", "_sips._tcp"] {
        let owner = format!("{prefix}.d.test");
        let reply = Reply::answer(vec![srv(&owner, 1, "192.0.2.9")]).hold_until(3);
        s.server.script(&owner, SRV, vec![reply]);
    }
    assert_eq!(
        resolve("d.test", IPV4_ONLY),
        Ok("192.0.2.9:5070/1".to_owned())
    );
    assert_eq!(s.server.total(), 3);
    // All are known now.
    for prefix in ["_sip._tcp", "_sips._tcp"] {
        let name = format!("{prefix}.d.test");
        lookup::entry(name.as_bytes(), RecordType(SRV), IPV4_ONLY).unwrap();
    }
    assert_eq!(s.server.total(), 3);
}

/// A server that keeps silent about what nobody needs holds nobody up, and is not said to have failed.
#[test]
fn what_was_asked_along_is_not_waited_for() {
    let s = setup("0");
    let owner = "_sip._udp.d.test";
    s.server.add(srv(owner, 1, "h.d.test"));
    s.server.script("_sip._tcp.d.test", SRV, silent());
    s.server.script("_sips._tcp.d.test", SRV, silent());
    s.server.add(Rr::a("h.d.test", 300, "192.0.2.7"));
    s.server.script("h.d.test", AAAA, silent());
    assert_eq!(resolve("d.test", 0), Ok("192.0.2.7:5070/1".to_owned()));
    let cache = Cache::init().unwrap();
    let kept = cache.acquire_any_age(b"h.d.test", RecordType(AAAA));
    assert!(kept.is_none(), "{:?}", kept.and_then(|e| e.negative()));
    assert_eq!(s.server.count("h.d.test", AAAA), 1);
}

/// What is absent makes the others wanted: they have their time.
#[test]
fn what_was_asked_along_is_waited_for_when_it_is_needed() {
    let s = setup("0");
    let reply = Reply::answer(vec![srv("_sip._tcp.d.test", 1, "192.0.2.9")]).delay_ms(400);
    s.server.script("_sip._tcp.d.test", SRV, vec![reply]);
    assert_eq!(
        resolve("d.test", IPV4_ONLY),
        Ok("192.0.2.9:5070/2".to_owned())
    );
    assert_eq!(s.server.count("_sip._tcp.d.test", SRV), 1);
    let cache = Cache::init().unwrap();
    let absent = cache.acquire_any_age(b"_sip._udp.d.test", RecordType(SRV));
    assert_eq!(
        absent.and_then(|e| e.negative()),
        Some(NegativeKind::NxDomain)
    );
}

/// The deadline ends the question for one family before a server had a fair time. What came for the other one counts.
#[test]
fn an_answer_that_came_along_counts_where_the_deadline_ends_the_question() {
    let s = setup("600");
    s.server.script("h.test", A, silent());
    let record = Rr::aaaa("h.test", 300, "2001:db8::1");
    s.server.answer("h.test", AAAA, vec![record]);
    {
        let _scope = lookup::deadline::scope();
        let found = lookup::entry(b"h.test", RecordType(A), 0);
        assert!(matches!(found, Err(LookupError::Failed(_))), "{found:?}");
    }
    let (_, source) = lookup::entry(b"h.test", RecordType(AAAA), 0).unwrap();
    assert_eq!(source, Source::Cache);
    assert_eq!(s.server.count("h.test", AAAA), 1);
}
