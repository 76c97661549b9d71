//! A question that stays silent holds up nothing else: the next target, family or transport is looked at, and the silent
//! one is still heard.
//!
//! Time is the network's (tests/support/net/memory.rs): it passes when somebody waits, so what a call took is exact.
#![cfg(all(feature = "use_dns_cache", feature = "use_naptr"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::sync::atomic::{AtomicU32, Ordering};

use kamailio_dns::cache::Cache;
use kamailio_dns::host::metrics;
use kamailio_dns::lookup;
use kamailio_dns::resolver;
use kamailio_dns::rr::RecordType;
use kamailio_dns::select::cursor::LAYOUTS;
use kamailio_dns::select::{Cursor, SelectError, handle};
use support::handles::{CHandle, Fence, LayoutGuard};
use support::network::Network;
use support::{A, AAAA, OptionsGuard, Reply, Rr, SRV, Scripted, Setup, Watchdog, children};

const IPV4_ONLY: u32 = 1;
const IPV6_FIRST: u32 = 4;
const SRV_LB: u32 = 8;
const TRY_NAPTR: u32 = 16;
const INTERLEAVE: u32 = 1 << 30;

/// How long a question is waited for while something else is left: twice the least time that counts as usual.
const WHILE_MS: u64 = 400;

/// A server, and the options of an installation that says nothing of timeouts.
struct Bench {
    network: Network,
    server: Scripted,
    options: OptionsGuard,
    _watchdog: Watchdog,
}

/// A target, or the error, and after how many ms.
type Seen = (Result<String, SelectError>, u64);

impl Bench {
    fn new() -> Self {
        let watchdog = Watchdog::start(120);
        let mut options = OptionsGuard::take();
        // What is known of a server outlives a test.
        static SERVERS: AtomicU32 = AtomicU32::new(0);
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let address = format!("198.51.100.{number}");
        options.set("dns_nameservers", &address);
        options.set("dns_retr_time", "5");
        options.set("dns_retr_no", "2");
        options.set("dns_resolve_deadline", "10000");
        metrics::prepare();
        lookup::prepare();
        Cache::init().unwrap().flush(true);
        lookup::forget_failures();
        let (network, server) = (Network::default(), Scripted::default());
        network.place(&format!("{address}:53"), &server);
        server.add(Rr::a("well.test", 300, "192.0.2.1"));
        Self {
            network,
            server,
            options,
            _watchdog: watchdog,
        }
    }

    fn silent(&self, name: &str, qtype: u16) -> &Self {
        self.server.script(name, qtype, vec![Reply::dropped()]);
        self
    }

    fn slow(&self, name: &str, qtype: u16, ms: u64) -> &Self {
        let reply = Reply::from_records().delay_ms(ms);
        self.server.script(name, qtype, vec![reply]);
        self
    }

    /// Targets of a walk, each with the time that it took.
    fn walk(&self, name: &str, proto: u8, flags: u32) -> Vec<Seen> {
        self.steps(name, (proto, flags), 6)
    }

    /// As [`Self::walk`], so many steps at most.
    fn steps(&self, name: &str, (proto, flags): (u8, u32), most: usize) -> Vec<Seen> {
        self.network.run(|| {
            // The server is known to be well, and quick.
            lookup::entry(b"well.test", RecordType::A, IPV4_ONLY).unwrap();
            let mut cursor = Cursor::default();
            let mut seen = Vec::new();
            let (mut port, mut transport) = (0, proto);
            loop {
                let began_ms = self.network.now_ms();
                let found = handle::resolve(
                    &mut cursor,
                    name.as_bytes(),
                    Some(&mut port),
                    Some(&mut transport),
                    flags,
                    None,
                );
                let took_ms = self.network.now_ms() - began_ms;
                let is_last = found.is_err();
                seen.push((
                    found.map(|address| format!("{address}:{port}/{transport}")),
                    took_ms,
                ));
                if is_last || seen.len() == most {
                    return seen;
                }
                cursor.at.ip_no += 1;
            }
        })
    }

    /// The targets of a walk with a handle, as C programs have it.
    fn walk_of_handle(&self, name: &str, flags: u32) -> Vec<String> {
        self.network.run(|| {
            lookup::entry(b"well.test", RecordType::A, IPV4_ONLY).unwrap();
            let layout = &LAYOUTS[0];
            let _layout = LayoutGuard::new(layout);
            let mut handle = CHandle::new(layout, Fence::Behind);
            let mut seen = Vec::new();
            while let Ok((address, port, transport)) = handle.resolve(name, (0, 0), flags) {
                seen.push(format!("{address}:{port}/{transport}"));
                assert!(seen.len() < 10 && handle.next(), "{seen:?}");
            }
            // The end stays the end.
            assert!(handle.resolve(name, (0, 0), flags).is_err());
            seen
        })
    }
}

fn srv(owner: &str, priority: u16, target: &str) -> Rr {
    Rr::srv(owner, 300, priority, 1, 5070, target)
}

fn naptr(owner: &str, order: u16, service: &str, to: &str) -> Rr {
    Rr::naptr(owner, 300, (order, 1), ("s", service, ""), to)
}

fn target(of: &str) -> Result<String, SelectError> {
    Ok(of.to_owned())
}

/// Two SRV records, and the address of the second one's target.
fn two_targets(b: &Bench, domain: &str) {
    let owner = format!("_sip._udp.{domain}");
    let backup = format!("b.{domain}");
    b.server
        .add_all([srv(&owner, 1, "a.one.test"), srv(&owner, 2, &backup)])
        .add(Rr::a(&backup, 300, "192.0.2.7"));
}

#[test]
fn a_silent_target_makes_way_for_the_next() {
    let b = Bench::new();
    two_targets(&b, "t.test");
    b.silent("a.one.test", A);
    let seen = b.walk("t.test", 0, IPV4_ONLY);
    assert_eq!(seen[0].0, target("192.0.2.7:5070/1"));
    assert!((WHILE_MS..WHILE_MS + 10).contains(&seen[0].1), "{seen:?}");
    assert_eq!(seen[1].0, Err(SelectError::EndOfList));
    let asked = b.server.count("a.one.test", A);
    // It is known to be silent, and another call with the same way out does not ask.
    two_targets(&b, "u.test");
    let seen = b.walk("u.test", 0, IPV4_ONLY);
    assert_eq!(seen[0].0, target("192.0.2.7:5070/1"));
    assert!(seen[0].1 < 10, "{seen:?}");
    assert_eq!(b.server.count("a.one.test", A), asked);
}

/// Who has no other way waits as ever, though others were sent on.
#[test]
fn that_a_target_was_passed_over_is_no_failure() {
    let b = Bench::new();
    two_targets(&b, "t.test");
    b.server.add(Rr::a("a.one.test", 300, "192.0.2.6"));
    b.slow("a.one.test", A, 3000);
    let seen = b.steps("t.test", (0, IPV4_ONLY), 1);
    assert_eq!(seen[0].0, target("192.0.2.7:5070/1"));
    b.server.add(srv("_sip._udp.only.test", 1, "a.one.test"));
    let seen = b.walk("only.test", 0, IPV4_ONLY);
    assert_eq!(seen[0].0, target("192.0.2.6:5070/1"));
    assert!((3000..3010).contains(&seen[0].1), "{seen:?}");
}

#[test]
fn what_was_left_open_is_heard_while_another_is_asked() {
    let mut b = Bench::new();
    b.options.hold_resends();
    two_targets(&b, "t.test");
    b.server.add(Rr::a("a.one.test", 300, "192.0.2.6"));
    b.slow("a.one.test", A, WHILE_MS + 100)
        .slow("b.t.test", A, WHILE_MS - 50);
    let seen = b.walk("t.test", 0, IPV4_ONLY);
    assert_eq!(seen[0].0, target("192.0.2.6:5070/1"));
    let at_ms = WHILE_MS + 100;
    assert!((at_ms..at_ms + 10).contains(&seen[0].1), "{seen:?}");
    assert_eq!(seen[1].0, target("192.0.2.7:5070/1"));
    assert_eq!(b.server.count("a.one.test", A), 1);
}

/// Without a refresher a question that a search has left open goes on in its thread: the next call finds the answer.
#[test]
fn what_a_search_has_left_open_is_stored_by_the_next() {
    let mut b = Bench::new();
    b.options.hold_resends();
    for domain in ["t.test", "u.test"] {
        two_targets(&b, domain);
    }
    b.server
        .add(Rr::a("a.one.test", 300, "192.0.2.6"))
        .add(Rr::a("slow.test", 300, "192.0.2.8"));
    b.slow("a.one.test", A, 2000).slow("slow.test", A, 2500);
    let question = |name: &'static str| resolver::Question {
        qname: name.as_bytes(),
        qtype: RecordType::A,
    };
    let first_of = |name: &str| {
        let (mut port, mut transport) = (0, 0);
        let (port, transport) = (Some(&mut port), Some(&mut transport));
        let mut cursor = Cursor::default();
        handle::resolve(
            &mut cursor,
            name.as_bytes(),
            port,
            transport,
            IPV4_ONLY,
            None,
        )
        .unwrap()
        .to_string()
    };
    b.network.run(|| {
        lookup::entry(b"well.test", RecordType::A, IPV4_ONLY).unwrap();
        assert_eq!(first_of("t.test"), "192.0.2.7");
        let asked = b.server.count("a.one.test", A);
        // Its answer comes while this one is waited for, which knows nothing of it.
        let other = resolver::query(&question("slow.test"), None);
        assert!(matches!(other, resolver::Outcome::Answer(_)), "{other:?}");
        assert_eq!(first_of("u.test"), "192.0.2.6");
        assert_eq!(b.server.count("a.one.test", A), asked);
        let (entry, _) = lookup::entry(b"a.one.test", RecordType::A, IPV4_ONLY).unwrap();
        assert!(entry.is_linked());
    });
}

/// The answer lies there when the next question begins, and a probe is under way, whose answer is looked for then.
#[test]
fn what_was_left_open_is_heard_between_two_questions() {
    let mut b = Bench::new();
    b.options.hold_resends();
    b.server.ignore_probes();
    let owner = "_sip._udp.t.test";
    b.server
        .add_all([
            srv(owner, 1, "a.one.test"),
            srv(owner, 2, "b.t.test"),
            srv(owner, 3, "c.t.test"),
        ])
        .add(Rr::a("a.one.test", 300, "192.0.2.6"));
    let answered_ms = WHILE_MS + 260;
    b.slow("a.one.test", A, answered_ms)
        .slow("b.t.test", A, 250)
        .silent("c.t.test", A);
    // The process is not let run while both answers come.
    let network = b.network.clone();
    b.network
        .interrupt(answered_ms - 20, move || network.sleep(40));
    let seen = b.walk("t.test", 0, IPV4_ONLY);
    assert_eq!(seen[0].0, target("192.0.2.6:5070/1"));
    let at_ms = answered_ms..=answered_ms + 20;
    assert!(at_ms.contains(&seen[0].1), "{seen:?}");
}

/// Nothing else is there: it has its whole time, and one query. The next one's answer counts whether the cache keeps
/// it or not.
#[test]
fn a_slow_answer_is_waited_for_where_nothing_else_is_left() {
    for ttl in [300, 0] {
        let mut b = Bench::new();
        b.options.hold_resends();
        b.server
            .add(srv("_sip._udp.t.test", 1, "a.t.test"))
            .add(Rr::a("a.t.test", ttl, "192.0.2.6"));
        b.slow("_sip._udp.t.test", SRV, 2000)
            .slow("a.t.test", A, 3000);
        // The name has an address, too: it is for those who have no SRV records.
        b.server.add(Rr::a("t.test", 300, "192.0.2.9"));
        let seen = b.walk("t.test", 0, IPV4_ONLY);
        assert_eq!(seen[0].0, target("192.0.2.6:5070/1"), "{ttl}");
        assert!((5000..5020).contains(&seen[0].1), "{ttl}: {seen:?}");
        for (name, qtype) in [("_sip._udp.t.test", SRV), ("a.t.test", A)] {
            assert_eq!(b.server.count(name, qtype), 1, "{ttl} {name}");
        }
        assert_eq!(b.server.count("t.test", A), 0);
    }
}

#[test]
fn a_silent_transport_makes_way_for_the_next() {
    let b = Bench::new();
    b.server
        .add(srv("_sip._tcp.t.test", 1, "b.t.test"))
        .add(Rr::a("b.t.test", 300, "192.0.2.7"));
    b.silent("_sip._udp.t.test", SRV);
    let seen = b.walk("t.test", 0, IPV4_ONLY);
    assert_eq!(seen[0].0, target("192.0.2.7:5070/2"));
    assert!((WHILE_MS..WHILE_MS + 10).contains(&seen[0].1), "{seen:?}");
}

#[test]
fn a_silent_family_makes_way_for_the_other() {
    let b = Bench::new();
    b.server
        .add(srv("_sip._udp.t.test", 1, "b.t.test"))
        .add(Rr::a("b.t.test", 300, "192.0.2.7"));
    b.silent("b.t.test", AAAA);
    let seen = b.walk("t.test", 0, IPV6_FIRST);
    assert_eq!(seen[0].0, target("192.0.2.7:5070/1"));
    assert!((WHILE_MS..WHILE_MS + 10).contains(&seen[0].1), "{seen:?}");
}

#[test]
fn a_silent_naptr_candidate_makes_way_for_the_next() {
    let b = Bench::new();
    b.server
        .add(naptr("t.test", 1, "SIP+D2U", "_sip._udp.one.test"))
        .add(naptr("t.test", 2, "SIP+D2T", "_sip._tcp.t.test"))
        .add(srv("_sip._tcp.t.test", 1, "b.t.test"))
        .add(Rr::a("b.t.test", 300, "192.0.2.7"));
    b.silent("_sip._udp.one.test", SRV);
    let seen = b.walk("t.test", 0, IPV4_ONLY | TRY_NAPTR);
    assert_eq!(seen[0].0, target("192.0.2.7:5070/2"));
    assert!((WHILE_MS..WHILE_MS + 10).contains(&seen[0].1), "{seen:?}");
}

#[test]
fn a_silent_target_makes_way_in_failover_too() {
    let b = Bench::new();
    let owner = "_sip._udp.t.test";
    b.server
        .add_all([
            srv(owner, 1, "192.0.2.5"),
            srv(owner, 2, "a.one.test"),
            srv(owner, 3, "b.t.test"),
        ])
        .add(Rr::a("b.t.test", 300, "192.0.2.7"));
    b.silent("a.one.test", A);
    let seen = b.walk("t.test", 0, IPV4_ONLY);
    assert_eq!(seen[0].0, target("192.0.2.5:5070/1"));
    assert_eq!(seen[1].0, target("192.0.2.7:5070/1"));
    assert!((WHILE_MS..WHILE_MS + 10).contains(&seen[1].1), "{seen:?}");
}

/// The call must not end without a target that was merely slow to be found: the ones in its place may all be dead.
#[test]
fn targets_that_the_first_step_passed_over_come_last() {
    let b = Bench::new();
    let owner = "_sip._udp.t.test";
    b.server
        .add_all([
            srv(owner, 1, "a.one.test"),
            srv(owner, 2, "a.two.test"),
            srv(owner, 3, "b.t.test"),
            srv(owner, 4, "192.0.2.8"),
        ])
        .add_all(["192.0.2.4", "192.0.2.5"].map(|address| Rr::a("a.one.test", 300, address)))
        .add_all(["192.0.2.7"].map(|address| Rr::a("b.t.test", 300, address)));
    b.slow("a.one.test", A, 1000).silent("a.two.test", A);
    let expected = ["192.0.2.7", "192.0.2.8", "192.0.2.4", "192.0.2.5"];
    let expected = expected.map(|address| format!("{address}:5070/1"));
    for flags in [IPV4_ONLY, IPV4_ONLY | SRV_LB] {
        // Where calls draw, they draw the address that a set begins with, too.
        let walk = || {
            let mut seen = b.walk_of_handle("t.test", flags);
            let of_first = |target: &String| target < &expected[0];
            let first = seen.iter().position(of_first).unwrap();
            seen[first..first + 2].sort_unstable();
            seen
        };
        assert_eq!(walk(), expected, "{flags}");
        // The first one is known by now, and goes first.
        let known = walk();
        assert_eq!(known.len(), 4);
        assert_eq!(known[..2], expected[2..], "{flags}");
        Cache::instance().unwrap().flush(true);
        lookup::forget_failures();
    }
}

/// As for targets: the addresses of the family that goes first come, if late.
#[test]
fn a_family_that_the_first_step_passed_over_comes_last() {
    let b = Bench::new();
    b.server
        .add_all(["192.0.2.4", "192.0.2.5"].map(|address| Rr::a("t.test", 300, address)))
        .add_all(["2001:db8::1", "2001:db8::2"].map(|address| Rr::aaaa("t.test", 300, address)));
    b.slow("t.test", A, 1000);
    let (six, four) = (["2001:db8::1", "2001:db8::2"], ["192.0.2.4", "192.0.2.5"]);
    let list = |order: [&str; 4]| order.map(|address| format!("{address}:5060/1"));
    for (flags, cold, warm) in [
        (
            0,
            [six[0], six[1], four[0], four[1]],
            [four[0], four[1], six[0], six[1]],
        ),
        (
            INTERLEAVE,
            [six[0], four[0], six[1], four[1]],
            [four[0], six[0], four[1], six[1]],
        ),
    ] {
        assert_eq!(b.walk_of_handle("t.test", flags), list(cold), "{flags}");
        assert_eq!(b.walk_of_handle("t.test", flags), list(warm), "{flags}");
        Cache::instance().unwrap().flush(true);
        lookup::forget_failures();
    }
}

/// What goes over TLS where the answer comes does not go in clear because it is late, whatever the policy.
#[test]
fn nothing_clear_overtakes_a_secure_transport() {
    for policy in ["never", "on_absence", "always"] {
        let mut b = Bench::new();
        b.options.set("dns_tls_pref", "100");
        b.options.set("dns_downgrade", policy);
        let all = [("_sips._tcp", "SIPS+D2T", 5), ("_sip._udp", "SIP+D2U", 6)];
        for (prefix, service, host) in all {
            let list = format!("{prefix}.list.test");
            let named = format!("{prefix}.named.test");
            let address = format!("192.0.2.{host}");
            b.server
                .add(srv(&list, 1, &address))
                .add(srv(&named, 1, &address))
                .add(naptr("named.test", host, service, &named));
        }
        b.slow("_sips._tcp.list.test", SRV, 2000)
            .slow("_sips._tcp.named.test", SRV, 2000);
        for name in ["list.test", "named.test"] {
            let seen = b.walk(name, 0, IPV4_ONLY | TRY_NAPTR);
            assert_eq!(
                seen[0].0,
                target("192.0.2.5:5070/3"),
                "{policy} {name} {seen:?}"
            );
            assert!(
                (2000..2010).contains(&seen[0].1),
                "{policy} {name} {seen:?}"
            );
        }
        // Without an answer it is as without waiting side by side.
        b.silent("_sips._tcp.list2.test", SRV)
            .silent("_sips._tcp.named2.test", SRV);
        let udp = "_sip._udp.named2.test";
        b.server
            .add(srv("_sip._udp.list2.test", 1, "192.0.2.6"))
            .add(srv(udp, 1, "192.0.2.6"))
            .add(naptr(
                "named2.test",
                1,
                "SIPS+D2T",
                "_sips._tcp.named2.test",
            ))
            .add(naptr("named2.test", 2, "SIP+D2U", udp));
        let failed = [SelectError::NoSrv, SelectError::NoNaptr];
        for (name, error) in ["list2.test", "named2.test"].into_iter().zip(failed) {
            let seen = b.walk(name, 0, IPV4_ONLY | TRY_NAPTR);
            let expected = match policy {
                "always" => target("192.0.2.6:5070/1"),
                _ => Err(error),
            };
            assert_eq!(seen[0].0, expected, "{policy} {name}");
            assert!(seen[0].1 > 5000, "{policy} {name} {seen:?}");
        }
    }
}

/// The secure target of a call is not passed over in favour of a clear one behind it.
#[test]
fn nothing_clear_overtakes_a_secure_target_in_failover() {
    let mut b = Bench::new();
    b.options.set("dns_tls_pref", "100");
    let (tls, udp) = ("_sips._tcp.t.test", "_sip._udp.t.test");
    b.server
        .add(naptr("t.test", 1, "SIPS+D2T", tls))
        .add(naptr("t.test", 2, "SIP+D2U", udp))
        .add(srv(tls, 1, "192.0.2.4"))
        .add(srv(tls, 2, "a.t.test"))
        .add(srv(udp, 1, "192.0.2.6"))
        .add(Rr::a("a.t.test", 300, "192.0.2.5"));
    b.slow("a.t.test", A, 2000);
    let seen = b.walk("t.test", 0, IPV4_ONLY | TRY_NAPTR);
    let targets: Vec<_> = seen.into_iter().map(|(found, _)| found).collect();
    let expected = [
        target("192.0.2.4:5070/3"),
        target("192.0.2.5:5070/3"),
        target("192.0.2.6:5070/1"),
        Err(SelectError::EndOfList),
    ];
    assert_eq!(targets, expected);
}

/// Processes that want the same send one query between them, and all come through.
#[test]
fn one_process_asks_for_what_is_silent() {
    let mut s = Setup::new();
    s.options.set("dns_edns", "yes");
    s.options.hold_resends();
    let owner = "_sip._udp.t.test";
    s.server
        .add_all([srv(owner, 1, "a.one.test"), srv(owner, 2, "192.0.2.7")])
        .script("a.one.test", A, vec![Reply::dropped()]);
    lookup::entry(owner.as_bytes(), RecordType::SRV, IPV4_ONLY).unwrap();
    let call = || {
        let (mut port, mut transport) = (0, 0);
        let found = handle::resolve(
            &mut Cursor::default(),
            b"t.test",
            Some(&mut port),
            Some(&mut transport),
            IPV4_ONLY,
            None,
        );
        assert_eq!(found.unwrap().to_string(), "192.0.2.7");
    };
    // None ends before the others: in the place of a dead asker the next one would ask.
    let numbers = children::SharedNumbers::new();
    let child = || {
        numbers.meet(0, 6);
        call();
        numbers.meet(1, 6);
    };
    let children: Vec<_> = (0..6).map(|_| children::spawn(child)).collect();
    for child in children {
        assert_eq!(children::wait(child), 0);
    }
    assert!(s.server.count("a.one.test", A) <= 2);
    call();
    assert!(s.server.count("a.one.test", A) <= 2);
}

/// What is silent for ever costs each question its part of the deadline, all side by side.
#[test]
fn silent_questions_are_waited_for_side_by_side() {
    let b = Bench::new();
    let owner = "_sip._udp.t.test";
    let hosts = (0..8).map(|i| format!("h{i}.t.test"));
    for (host, priority) in hosts.zip(1..) {
        b.server.add(srv(owner, priority, &host));
        b.silent(&host, A);
    }
    b.server.add(Rr::a("t.test", 300, "192.0.2.9"));
    let seen = b.walk("t.test", 0, IPV4_ONLY);
    assert_eq!(seen[0].0, target("192.0.2.9:5060/1"));
    assert!(seen[0].1 < 10_000, "{seen:?}");
    for i in 0..8 {
        assert!(b.server.count(&format!("h{i}.t.test"), A) > 0, "{i}");
    }
}
