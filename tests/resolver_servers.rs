//! What is learnt of the nameservers: whom to ask first, when one that is down is tried again.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use kamailio_dns::error::Failure;
use kamailio_dns::resolver::servers::{ServerStatus, snapshot};
use kamailio_dns::resolver::{Outcome, Protocol, Question, query};
use kamailio_dns::rr::RecordType;
use proptest::prelude::*;
use support::network::{Manner, Network, ask, ask_all, ask_until, reply};
use support::{A, OptionsGuard, Reply, Rr, Server, Watchdog, use_servers};

const ONE: &str = "192.0.2.51:53";
const TWO: &str = "192.0.2.52:53";

/// Two servers, 5 s for each, twice round; a server that is down is tried every 10 s.
fn options() -> OptionsGuard {
    let mut options = OptionsGuard::take();
    options.set("dns_nameservers", "192.0.2.51 192.0.2.52");
    options.set("dns_retr_time", "5");
    options.set("dns_retr_no", "2");
    options.set("dns_server_retry", "10");
    // Nothing is asked once more without EDNS (see tests/resolver_edns.rs).
    options.set("dns_edns", "yes");
    options
}

#[track_caller]
fn good(name: &str) {
    let outcome = ask(name);
    assert!(matches!(outcome, Outcome::Answer(_)), "{outcome:?}");
}

#[track_caller]
fn status(address: &str) -> ServerStatus {
    let known = snapshot();
    let found = known.iter().find(|s| s.address.to_string() == address);
    found
        .unwrap_or_else(|| panic!("{address} is not known: {known:?}"))
        .clone()
}

/// What UDP took is not missing where TCP has to bring the answer.
#[test]
fn a_truncated_answer_has_the_time_of_an_attempt_over_tcp() {
    let mut options = options();
    options.set("dns_nameservers", "192.0.2.51");
    options.set("dns_retr_time", "1");
    options.set("dns_retr_no", "1");
    let network = Network::default();
    network.script(ONE, |_, _| None);
    network.also(ONE, 600, |query, protocol| {
        Some(match protocol {
            Protocol::Udp => reply(query, 0x8380, false),
            Protocol::Tcp => reply(query, 0x8180, true),
        })
    });
    network.run(|| {
        good("a.example.org");
        assert_eq!(network.now_ms(), 1200);
    });
    // Not for a connection that stays silent.
    let network = Network::default();
    network.script(ONE, |_, _| None);
    network.also(ONE, 600, |query, protocol| {
        (protocol == Protocol::Udp).then(|| reply(query, 0x8380, false))
    });
    network.run(|| {
        let outcome = ask("b.example.org");
        assert!(
            matches!(outcome, Outcome::Failed(Failure::Timeout)),
            "{outcome:?}"
        );
        assert_eq!(network.now_ms(), 1600);
    });
}

#[test]
fn a_dead_first_server_costs_less_than_half_a_second() {
    let _options = options();
    let network = Network::new(&[(ONE, Manner::Silent), (TWO, Manner::Answers(20))]);
    network.run(|| {
        good("a.example.org");
        // It does not answer the probe either.
        assert_eq!(network.take_sent(), [(0, 51), (480, 52)]);
        assert_eq!(network.now_ms(), 500);
        assert!(!status(ONE).up);
        assert_eq!((status(ONE).timeouts, status(ONE).failures), (1, 1));
        // A copy at once, as it may have been one lost packet; nobody waits for it.
        good("b.example.org");
        assert_eq!(network.take_sent(), [(500, 52), (500, 51)]);
        assert_eq!(network.now_ms(), 520);
        // Then none before its time.
        for _ in 0..3 {
            good("c.example.org");
        }
        assert_eq!(network.take_sent(), [(520, 52), (540, 52), (560, 52)]);
        network.sleep(10_000);
        good("d.example.org");
        assert_eq!(network.take_sent(), [(10_580, 52), (10_580, 51)]);
        assert_eq!(network.now_ms(), 10_600);
    });
}

#[test]
fn a_server_that_is_back_is_first_again() {
    let _options = options();
    let network = Network::new(&[(ONE, Manner::Silent), (TWO, Manner::Answers(20))]);
    network.run(|| {
        good("a.example.org");
        good("b.example.org");
        // It answers later than the other: the reply is found by the next call.
        network.set(ONE, Manner::Far(300));
        network.sleep(10_000);
        network.take_sent();
        good("c.example.org");
        assert_eq!(network.take_sent(), [(10_520, 52), (10_520, 51)]);
        assert!(!status(ONE).up, "nothing came yet");
        network.sleep(1000);
        good("d.example.org");
        assert!(status(ONE).up);
        assert_eq!(network.take_sent(), [(11_540, 51)]);
    });
}

#[test]
fn the_answer_to_a_copy_is_as_good_as_any() {
    let _options = options();
    let network = Network::new(&[(ONE, Manner::Silent), (TWO, Manner::Answers(20))]);
    network.run(|| {
        good("a.example.org");
        network.set(ONE, Manner::Answers(1));
        network.take_sent();
        good("b.example.org");
        assert_eq!(network.take_sent(), [(500, 52), (500, 51)]);
        assert_eq!(network.now_ms(), 501);
        assert!(status(ONE).up);
        good("c.example.org");
        assert_eq!(network.take_sent(), [(501, 51)]);
    });
}

#[test]
fn without_a_server_that_is_up_all_are_tried_in_order() {
    let _options = options();
    let network = Network::new(&[(ONE, Manner::Silent), (TWO, Manner::Silent)]);
    network.run(|| {
        // The one that finds out goes on with all its attempts: it may be over in a moment.
        assert!(matches!(
            ask("a.example.org"),
            Outcome::Failed(Failure::Timeout)
        ));
        let sent = network.take_sent();
        assert_eq!(sent, [(0, 51), (480, 52), (5480, 51), (10_480, 52)]);
        assert!(!status(ONE).up && !status(TWO).up);
        // From then on a query goes out, and is waited for long enough that each server is tried.
        let start = network.now_ms();
        assert!(matches!(
            ask("b.example.org"),
            Outcome::Failed(Failure::Timeout)
        ));
        assert_eq!(network.now_ms(), start + 240);
        assert_eq!(network.take_sent()[0], (start, 51));
        // One of them comes back: the copy finds out, so that nobody waits for the other one.
        network.set(TWO, Manner::Answers(20));
        network.sleep(10_000);
        let before = network.now_ms();
        good("b.example.org");
        assert_eq!(network.now_ms(), before + 20);
    });
}

#[test]
fn attempts_left_at_a_server_that_is_up_come_before_one_that_is_down() {
    let _options = options();
    let network = Network::new(&[(ONE, Manner::Silent), (TWO, Manner::Answers(20))]);
    network.run(|| {
        good("a.example.org");
        good("b.example.org");
        network.set(TWO, Manner::SilentForSlow(20));
        network.take_sent();
        let start = network.now_ms();
        let outcomes = ask_all(&["slow.example.org", "c.example.org"]);
        assert!(matches!(outcomes[0], Outcome::Failed(Failure::Timeout)));
        assert!(matches!(outcomes[1], Outcome::Answer(_)));
        let servers: Vec<u8> = network.take_sent().iter().map(|s| s.1).collect();
        // The third packet of each attempt goes out from another port; nothing is sent again to one that is down.
        assert_eq!(servers, [52, 52, 52, 52, 52, 51, 51]);
        assert_eq!(network.now_ms(), start + 20_000);
    });
}

#[test]
fn a_server_that_answers_others_meanwhile_is_not_down() {
    let mut options = options();
    options.set("dns_nameservers", "192.0.2.51");
    options.set("dns_retr_no", "1");
    let network = Network::new(&[(ONE, Manner::SilentForSlow(20))]);
    network.run(|| {
        let outcomes = ask_all(&["slow.example.org", "c.example.org"]);
        assert!(matches!(outcomes[0], Outcome::Failed(Failure::Timeout)));
        assert!(matches!(outcomes[1], Outcome::Answer(_)));
        assert!(status(ONE).up, "it is the name that is slow");
        assert_eq!(status(ONE).timeouts, 1);
        assert!(matches!(ask("slow.example.org"), Outcome::Failed(_)));
        assert!(status(ONE).up, "it answers the probe");
        assert_eq!(status(ONE).timeouts, 2);
    });
}

#[test]
fn errors_and_notices_of_the_network_do_not_make_a_server_down() {
    let mut options = options();
    let network = Network::new(&[(ONE, Manner::Fails(10)), (TWO, Manner::Answers(10))]);
    network.run(|| {
        good("a.example.org");
        assert!(status(ONE).up);
        assert_eq!(status(ONE).errors, 1);
        network.set(ONE, Manner::Closed(1));
        good("b.example.org");
        assert!(status(ONE).up, "anybody can have sent the notice");
        assert_eq!(status(ONE).failures, 1);
        network.take_sent();
        good("c.example.org");
        let servers: Vec<u8> = network.take_sent().iter().map(|s| s.1).collect();
        assert_eq!(servers, [51, 52]);
        // That this host has no route is known for certain.
        options.set("dns_nameservers", "192.0.2.53 192.0.2.52");
        network.set("192.0.2.53:53", Manner::Unsendable);
        good("e.example.org");
        assert!(!status("192.0.2.53:53").up);
    });
}

#[test]
fn a_server_that_does_not_know_tcp_is_not_down() {
    let mut options = options();
    options.set("dns_nameservers", "192.0.2.51");
    let network = Network::new(&[(ONE, Manner::NoTcp(10))]);
    network.run(|| {
        let outcome = ask("a.example.org");
        assert!(matches!(outcome, Outcome::Failed(Failure::Network)));
        assert!(status(ONE).up);
        options.resolv_conf("search .\noptions use-vc");
        assert!(matches!(ask("a.example.org"), Outcome::Failed(_)));
        assert!(
            status(ONE).up,
            "it may have been one question that it did not like"
        );
    });
}

#[test]
fn a_deadline_shorter_than_the_timeout_still_teaches() {
    let _options = options();
    let network = Network::new(&[(ONE, Manner::Silent), (TWO, Manner::Answers(20))]);
    network.run(|| {
        // Too short to say anything.
        assert!(matches!(
            ask_until("a.example.org", Some(400)),
            Outcome::Failed(Failure::Timeout)
        ));
        assert!(status(ONE).up);
        // The probe was sent, and somebody looks what became of it.
        let outcome = ask_until("b.example.org", Some(2000));
        assert!(matches!(outcome, Outcome::Answer(_)), "{outcome:?}");
        assert_eq!(network.now_ms(), 500);
        assert!(!status(ONE).up);
        network.take_sent();
        good("c.example.org");
        assert_eq!(network.take_sent()[0], (500, 52));
    });
}

#[test]
fn who_is_waiting_moves_on_when_another_process_gave_up() {
    let _options = options();
    let network = Network::new(&[(ONE, Manner::Silent), (TWO, Manner::Answers(20))]);
    network.interrupt(200, || {
        let another = std::thread::spawn(|| {
            let network = Network::new(&[(ONE, Manner::Silent), (TWO, Manner::Answers(20))]);
            network.run(|| good("a.example.org"));
        });
        another.join().unwrap();
    });
    network.run(|| good("b.example.org"));
    assert_eq!(network.take_sent(), [(0, 51), (200, 52)]);
    assert_eq!(network.now_ms(), 220);
}

#[test]
fn rotate_goes_round_those_that_are_up() {
    let mut options = options();
    options.set("dns_nameservers", "192.0.2.51 192.0.2.52 192.0.2.53");
    options.resolv_conf("search .\noptions rotate");
    let network = Network::new(&[
        (ONE, Manner::Answers(1)),
        (TWO, Manner::Silent),
        ("192.0.2.53:53", Manner::Answers(1)),
    ]);
    network.run(|| {
        for _ in 0..4 {
            good("a.example.org");
        }
        assert!(!status(TWO).up);
        good("a.example.org");
        network.take_sent();
        for _ in 0..6 {
            good("b.example.org");
        }
        let mut servers: Vec<u8> = network.take_sent().iter().map(|s| s.1).collect();
        servers.sort_unstable();
        assert_eq!(
            servers,
            [51, 51, 53, 53, 53, 53],
            "52 gives its turns to the next"
        );
    });
}

#[test]
fn round_trips_are_smoothed_and_counted() {
    let mut options = options();
    options.set("dns_nameservers", "192.0.2.54");
    let server = "192.0.2.54:53";
    let network = Network::new(&[(server, Manner::Answers(20))]);
    network.run(|| {
        good("a.example.org");
        let first = status(server);
        assert_eq!((first.round_trip_us, first.variation_us), (20_000, 10_000));
        network.set(server, Manner::Answers(100));
        good("b.example.org");
        let second = status(server);
        // RFC 6298: 7/8 * 20 + 1/8 * 100 and 3/4 * 10 + 1/4 * 80.
        assert_eq!(
            (second.round_trip_us, second.variation_us),
            (30_000, 27_500)
        );
        assert_eq!((second.queries, second.answers, second.timeouts), (2, 2, 0));
        assert_eq!((second.latency[14], second.latency[16]), (1, 1));
        assert_eq!(second.latency.iter().sum::<u32>(), 2);
        network.set(server, Manner::Silent);
        assert!(matches!(ask("c.example.org"), Outcome::Failed(_)));
        assert_eq!((status(server).timeouts, status(server).failures), (2, 2));
    });
}

#[test]
fn a_server_with_an_ipv6_address_is_known_by_it() {
    const SIX: &str = "[2001:db8::53]:5300";
    let mut options = options();
    options.set("dns_nameservers", SIX);
    let network = Network::new(&[(SIX, Manner::Answers(20))]);
    network.run(|| good("a.example.org"));
    let known = status(SIX);
    assert_eq!((known.up, known.queries, known.answers), (true, 1, 1));
}

/// What is known of servers has 32 places. One more takes that of the server that was not asked for longest.
#[test]
fn servers_that_are_out_of_use_make_room() {
    let mut options = options();
    let addresses: Vec<String> = (1..=40).map(|n| format!("198.51.100.{n}:53")).collect();
    let manners: Vec<(&str, Manner)> = addresses
        .iter()
        .map(|address| (address.as_str(), Manner::Answers(20)))
        .collect();
    let network = Network::new(&manners);
    network.run(|| {
        for address in &addresses {
            options.set("dns_nameservers", address);
            good("a.example.org");
            assert_eq!(status(address).answers, 1);
        }
    });
    let known = snapshot();
    assert_eq!(known.len(), 32);
    let is_known = |address: &String| known.iter().any(|s| s.address.to_string() == *address);
    let (old, new) = addresses.split_at(8);
    assert!(new.iter().all(is_known) && !old.iter().any(is_known));
}

#[test]
fn a_reload_gives_every_server_its_turn_again() {
    let _options = options();
    let network = Network::new(&[(ONE, Manner::Silent), (TWO, Manner::Answers(20))]);
    network.run(|| {
        good("a.example.org");
        assert!(!status(ONE).up);
        kamailio_dns::resolver::reload();
        assert!(status(ONE).up);
    });
}

/// Runs `work` in a child process and waits for its end; the child must return true.
#[allow(unsafe_code, reason = "fork")]
fn in_child(work: impl FnOnce() -> bool) -> impl FnOnce() {
    // SAFETY: the child only asks and ends; it takes no lock that a thread of the parent's may have
    // held, as the options are this test's alone and glibc makes its own locks usable.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let good = work();
        // SAFETY: ends the child without running what belongs to the parent.
        unsafe { libc::_exit(i32::from(!good)) };
    }
    assert!(child > 0);
    move || {
        let mut status = -1;
        // SAFETY: waits for a child of this process; the status is written to a local number.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
    }
}

fn asks_well(times: usize) -> bool {
    let question = Question {
        qname: b"host.example.org",
        qtype: RecordType::A,
    };
    (0..times).all(|_| matches!(query(&question, None), Outcome::Answer(_)))
}

#[test]
fn what_one_process_learns_all_know() {
    let _watchdog = Watchdog::start(60);
    let (dead, live) = (Server::start(), Server::start());
    let mut options = use_servers(&[&dead, &live]);
    options.set("dns_server_retry", "3600");
    options.set("dns_edns", "yes");
    dead.script("host.example.org", A, vec![Reply::dropped()]);
    dead.ignore_probes();
    live.add(Rr::a("host.example.org", 60, "192.0.2.1"));
    // The one that finds out.
    in_child(|| asks_well(1))();
    assert_eq!((dead.total(), live.total()), (1, 1));
    assert!(!status(&dead.address().to_string()).up);
    // Many at once: one of them sends one copy, none waits.
    let children: Vec<_> = (0..4).map(|_| in_child(|| asks_well(5))).collect();
    for child in children {
        child();
    }
    assert!(asks_well(5));
    assert_eq!((dead.total(), live.total()), (2, 26));
}

#[test]
fn a_reply_that_comes_late_is_found_by_the_next_call() {
    let _watchdog = Watchdog::start(60);
    let (slow, live) = (Server::start(), Server::start());
    let mut options = use_servers(&[&slow, &live]);
    options.set("dns_server_retry", "1");
    options.set("dns_edns", "yes");
    let late = Reply::answer(vec![Rr::a("host.example.org", 60, "192.0.2.2")]).delay_ms(50);
    slow.script("host.example.org", A, vec![Reply::dropped(), late]);
    slow.ignore_probes();
    live.add(Rr::a("host.example.org", 60, "192.0.2.1"));
    in_child(|| asks_well(1))();
    let address = slow.address().to_string();
    assert!(!status(&address).up);
    let child_address = address.clone();
    in_child(move || {
        while !status(&child_address).up {
            if !asks_well(1) {
                return false;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        true
    })();
    assert!(status(&address).up);
}

fn manner() -> impl Strategy<Value = Manner> {
    prop_oneof![
        (1_u64..900).prop_map(Manner::Answers),
        (1_u64..30).prop_map(Manner::Far),
        Just(Manner::Silent),
        (1_u64..50).prop_map(Manner::Fails),
        (1_u64..50).prop_map(Manner::Closed),
        Just(Manner::Unsendable),
        (1_u64..50).prop_map(Manner::NoTcp),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever was learnt before: who can answer is asked, and the product of times is kept.
    #[test]
    fn state_never_costs_an_answer(
        steps in proptest::collection::vec(
            (proptest::collection::vec(manner(), 3), 0_u64..20_000, proptest::option::of(1_u64..9000)),
            1..8,
        ),
        attempts in 1_u64..4,
        count in 1_usize..4,
        rotate in any::<bool>(),
    ) {
        let addresses = ["192.0.2.71:53", "192.0.2.72:53", "192.0.2.73:53"];
        let mut options = OptionsGuard::take();
        options.set("dns_nameservers", &addresses[..count].join(" "));
        options.set("dns_retr_time", "1");
        options.set("dns_retr_no", &attempts.to_string());
        if rotate {
            options.resolv_conf("search .\noptions rotate");
        }
        let network = Network::default();
        let product_ms = 1000 * attempts * count as u64;
        network.run(|| -> Result<(), TestCaseError> {
            for (manners, sleep_ms, patience_ms) in &steps {
                for (address, manner) in addresses.iter().zip(manners) {
                    network.set(address, *manner);
                }
                network.sleep(*sleep_ms);
                network.take_sent();
                let start_ms = network.now_ms();
                let deadline_ms = patience_ms.map(|ms| start_ms + ms);
                let outcome = ask_until("a.example.org", deadline_ms);
                let took_ms = network.now_ms() - start_ms;
                prop_assert!(took_ms <= product_ms, "{took_ms} ms");
                prop_assert!(patience_ms.is_none_or(|ms| took_ms <= ms), "{took_ms} ms");
                let sent = network.take_sent().len() as u64;
                // Each attempt, each with TCP behind it, and for each server a copy and one query without EDNS. While
                // no server is up each is tried five times a second.
                let tries = took_ms / 200 + 1;
                let most = (2 * attempts + 2 + tries) * count as u64;
                prop_assert!(sent <= most, "{sent} queries");
                let answers = |m: &Manner| matches!(m, Manner::Answers(_) | Manner::Far(_));
                let could = manners[..count].iter().any(answers);
                match outcome {
                    Outcome::Answer(_) => prop_assert!(could),
                    _ => prop_assert!(!could || patience_ms.is_some(), "{outcome:?}"),
                }
            }
            Ok(())
        })?;
    }
}
