//! Each event is counted where it belongs, once, and nowhere else.
#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::collections::BTreeMap;

use kamailio_dns::host::metrics;
use kamailio_dns::lookup;
use kamailio_dns::resolver::servers;
use kamailio_dns::rr::RecordType;
use support::{A, Reply, Rr, SRV, Setup};

const IPV4_ONLY: u32 = 1;

fn values() -> BTreeMap<&'static str, u64> {
    (0..metrics::METRICS)
        .map(|index| {
            let name = metrics::describe(index).unwrap().name;
            (name.to_str().unwrap(), metrics::value_at(index))
        })
        .collect()
}

/// What `event` counted: the counters that changed. A server's first answer is followed by a probe, whenever that is.
fn counted(event: impl FnOnce()) -> BTreeMap<&'static str, u64> {
    let before = values();
    event();
    values()
        .into_iter()
        .map(|(name, after)| (name, after - before[name]))
        .filter(|(name, change)| *change != 0 && *name != "probes")
        .collect()
}

#[track_caller]
fn assert_counted(event: impl FnOnce(), expected: &[(&str, u64)]) {
    assert_eq!(counted(event), expected.iter().copied().collect());
}

fn look_up(name: &str) {
    // Whether there is a result is not what these tests are about.
    let _ = lookup::entry(name.as_bytes(), RecordType(A), IPV4_ONLY);
}

fn first_address(name: &str) {
    let _ = lookup::first_address(name.as_bytes(), IPV4_ONLY);
}

#[test]
fn lookups_are_misses_once_and_hits_from_then_on() {
    let setup = Setup::new();
    setup.server.add(Rr::a("a.example", 300, "192.0.2.1"));
    let sent = |more: &[(&'static str, u64)]| {
        let mut list = vec![("misses", 1), ("queries_udp", 1)];
        list.extend(more);
        list
    };
    assert_counted(|| look_up("a.example"), &sent(&[]));
    assert_counted(|| look_up("a.example"), &[("hits", 1)]);
    assert_counted(|| first_address("A.example"), &[("hits", 1)]);
    assert_counted(|| look_up("none.example"), &sent(&[]));
    assert_counted(|| look_up("none.example"), &[("negative_hits", 1)]);
    assert_counted(|| first_address("none.example"), &[("negative_hits", 1)]);
    setup.server.script("f.example", A, vec![Reply::servfail()]);
    let failed = [("server_errors", 1), ("unanswered", 1)];
    assert_counted(|| look_up("f.example"), &sent(&failed));
    assert_counted(|| look_up("f.example"), &[("failure_hits", 1)]);
    assert_counted(|| first_address("f.example"), &[("failure_hits", 1)]);
    assert_counted(|| first_address("192.0.2.77"), &[]);
}

#[test]
fn what_happens_to_a_query() {
    let mut setup = Setup::new();
    let record = |owner: &str| vec![Rr::a(owner, 300, "192.0.2.1")];
    setup.server.script(
        "tc.example",
        A,
        vec![Reply::answer(record("tc.example")).truncated()],
    );
    assert_counted(
        || look_up("tc.example"),
        &[("misses", 1), ("queries_udp", 1), ("queries_tcp", 1)],
    );
    let forged = Reply::answer(record("forged.example")).wrong_id();
    let right = Reply::answer(record("forged.example"));
    setup
        .server
        .script("forged.example", A, vec![forged.then(right)]);
    assert_counted(
        || look_up("forged.example"),
        &[("misses", 1), ("queries_udp", 1), ("discarded", 1)],
    );
    setup.options.set("dns_retr_time", "1");
    setup.options.set("dns_retr_no", "1");
    setup
        .server
        .script("silent.example", A, vec![Reply::dropped()]);
    let silence = counted(|| look_up("silent.example"));
    assert_eq!(silence["timeouts"], 1);
    assert_eq!(silence["misses"], 1);
    assert_eq!(
        silence["queries_udp"],
        setup.server.count("silent.example", A) as u64
    );
}

#[test]
fn answered_queries_are_in_the_histogram_of_their_server() {
    let setup = Setup::new();
    setup.server.add(Rr::a("h.example", 300, "192.0.2.1"));
    let of_server = || {
        let all = servers::snapshot();
        let own = all.iter().find(|s| s.address == setup.server.address());
        own.map_or((0, 0), |s| (s.queries, s.latency.iter().sum::<u32>()))
    };
    let (queries, answers) = of_server();
    look_up("h.example");
    assert_eq!(of_server(), (queries + 1, answers + 1));
    look_up("h.example");
    assert_eq!(of_server(), (queries + 1, answers + 1));
}

#[test]
fn a_full_cache_evicts_or_refuses() {
    let mut setup = Setup::new();
    setup.options.set("dns_cache_mem", "100");
    setup.options.set("dns_cache_del_nonexp", "yes");
    let fill = || {
        for number in 0..3000 {
            let name = format!("n{number}.full.example");
            setup.server.add(Rr::a(&name, 300, "192.0.2.1"));
            look_up(&name);
        }
    };
    let change = counted(fill);
    assert!(change["evicted"] > 100, "{change:?}");
    assert_eq!(change["misses"], 3000);
}

/// An answer is cut when it leads to more sets of additional data than are kept, not when it leads to as many.
#[test]
fn answers_are_cut_beyond_what_is_kept() {
    let setup = Setup::new();
    for (hosts, cut) in [(64, None), (65, Some(&1))] {
        let service = format!("_sip._udp.d{hosts}.example");
        let host = |number| format!("h{number}.d{hosts}.example");
        let srv = |number| Rr::srv(&service, 300, 1, 1, 5060, &host(number));
        let address = |number| Rr::a(&host(number), 300, "192.0.2.1");
        let reply = Reply::answer((0..hosts).map(srv).collect())
            .additional((0..hosts).map(address).collect());
        setup.server.script(&service, SRV, vec![reply]);
        let counted = counted(|| {
            lookup::entry(service.as_bytes(), RecordType(SRV), IPV4_ONLY).unwrap();
        });
        assert_eq!(counted.get("answers_cut"), cut, "{hosts}");
    }
}
