//! Queries that are sent again because something was lost.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use kamailio_dns::error::Failure;
use kamailio_dns::resolver::servers::{ServerStatus, snapshot};
use kamailio_dns::resolver::{Outcome, Protocol};
use support::network::{Manner, Network, Sent, ask, ask_all, ask_until, reply};
use support::{A, OptionsGuard, Reply, Rr, Server, Watchdog, use_servers_as_ever};

const SERVER: &str = "192.0.2.81:53";

fn options() -> OptionsGuard {
    let mut options = OptionsGuard::take();
    options.set("dns_nameservers", "192.0.2.81");
    options.set("dns_retr_time", "5");
    options.set("dns_retr_no", "1");
    options.set("dns_edns", "yes");
    options
}

#[track_caller]
fn good(name: &str) {
    let outcome = ask(name);
    assert!(matches!(outcome, Outcome::Answer(_)), "{outcome:?}");
}

fn status() -> ServerStatus {
    let known = snapshot();
    let found = known.iter().find(|s| s.address.to_string() == SERVER);
    found.expect("the server is known").clone()
}

fn times(sent: &[Sent]) -> Vec<u64> {
    sent.iter().map(|s| s.at_ms).collect()
}

#[test]
fn a_lost_packet_costs_what_an_answer_usually_takes() {
    let _options = options();
    let network = Network::new(&[(SERVER, Manner::Answers(20))]);
    network.run(|| {
        network.lose(1);
        good("a.example.org");
        assert_eq!(network.now_ms(), 320, "not measured yet");
        assert_eq!(status().round_trip_us, 0, "which one was answered?");
        // The next one gets twice the time (RFC 6298 section 5.7), and is measured.
        good("b.example.org");
        assert_eq!(status().round_trip_us, 20_000);
        network.lose(1);
        let from_ms = network.now_ms();
        good("c.example.org");
        assert_eq!(network.now_ms(), from_ms + 220);
        assert_eq!((status().queries, status().resends), (3, 2));
    });
}

#[test]
fn one_loss_after_the_other_costs_no_more_than_one() {
    let _options = options();
    let network = Network::new(&[(SERVER, Manner::Answers(20))]);
    network.run(|| {
        good("a.example.org");
        // The answer comes as soon after the second packet as answers come: it is to that.
        for name in ["b", "c", "d"] {
            network.lose(1);
            let from_ms = network.now_ms();
            good(&format!("{name}.example.org"));
            assert_eq!(network.now_ms(), from_ms + 220);
        }
        // One that comes sooner is to the first packet: the server takes longer now.
        network.set(SERVER, Manner::Answers(205));
        let from_ms = network.now_ms();
        good("e.example.org");
        assert_eq!(network.now_ms(), from_ms + 205);
        network.lose(1);
        let from_ms = network.now_ms();
        good("f.example.org");
        assert_eq!(network.now_ms(), from_ms + 400 + 205, "twice the time");
        // One that comes later, too: what it is to is not known.
        network.set(SERVER, Manner::Answers(20));
        good("g.example.org");
        network.set(SERVER, Manner::Answers(300));
        good("h.example.org");
        network.lose(1);
        let from_ms = network.now_ms();
        good("i.example.org");
        assert_eq!(network.now_ms(), from_ms + 400 + 300);
    });
}

#[test]
fn the_same_datagram_goes_out_twice_and_another_one_from_then_on() {
    let mut options = options();
    options.set("dns_cookies", "yes");
    options.set("dns_0x20", "yes");
    let network = Network::new(&[(SERVER, Manner::SilentForSlow(20))]);
    network.run(|| {
        assert!(matches!(
            ask("slow-and-long.example.org"),
            Outcome::Failed(Failure::Timeout)
        ));
        assert_eq!(network.now_ms(), 5000, "no longer than without");
        let sent = network.take_queries();
        assert_eq!(times(&sent), [0, 300, 900, 2100, 4500]);
        let ports: Vec<bool> = sent.iter().map(|s| s.handle == sent[0].handle).collect();
        assert_eq!(ports, [true, true, false, false, false]);
        assert!(sent[3..].iter().all(|s| s.handle == sent[2].handle));
        assert_eq!(sent[0].octets, sent[1].octets);
        assert_eq!(sent[2].octets, sent[4].octets);
        assert_ne!(sent[0].octets, sent[2].octets);
    });
}

#[test]
fn a_slow_server_is_learnt_and_left_in_peace() {
    let _options = options();
    let network = Network::new(&[(SERVER, Manner::Answers(800))]);
    network.run(|| {
        for name in 0..8 {
            good(&format!("n{name}.example.org"));
        }
        let first = network.take_queries();
        for name in 0..8 {
            good(&format!("m{name}.example.org"));
        }
        assert_eq!(network.now_ms(), 16 * 800);
        assert!(first.len() <= 8 + 4, "{first:?}");
        assert_eq!(network.take_queries().len(), 8);
    });
}

#[test]
fn either_answer_counts() {
    let _options = options();
    for answers_packet in 0..5 {
        let network = Network::default();
        let mut packet = 0;
        network.script(SERVER, move |query, _| {
            packet += 1;
            (packet == answers_packet + 1).then(|| reply(query, 0x8180, true))
        });
        network.run(|| {
            good("a.example.org");
            let at = [0, 300, 900, 2100, 4500][answers_packet];
            assert_eq!(network.now_ms(), at + 1);
        });
        kamailio_dns::resolver::servers::forget_all();
    }
}

#[test]
fn not_over_tcp() {
    let mut options = options();
    options.resolv_conf("search .\noptions use-vc");
    let network = Network::new(&[(SERVER, Manner::SilentForSlow(20))]);
    network.run(|| {
        assert!(matches!(ask("slow.example.org"), Outcome::Failed(_)));
        assert_eq!(network.take_queries().len(), 1);
    });
    // Nor over UDP while a connection is waited for.
    options.resolv_conf("search .");
    network.script(SERVER, |query, protocol| {
        (protocol == Protocol::Udp).then(|| reply(query, 0x8380, false))
    });
    network.run(|| {
        assert!(matches!(ask("slow.example.org"), Outcome::Failed(_)));
        assert_eq!(network.take_queries().len(), 2);
    });
}

#[test]
fn no_more_than_a_fifth_and_ten_a_second() {
    let mut options = options();
    options.set("dns_retr_time", "1");
    let network = Network::new(&[(SERVER, Manner::SilentForSlow(1))]);
    network.run(|| {
        good("a.example.org");
        network.sleep(10_000);
        let names: Vec<String> = (0..32).map(|n| format!("slow{n}.example.org")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let from_ms = network.now_ms();
        network.take_queries();
        ask_all(&names);
        let sent = network.take_queries();
        let again = sent.len() - 32;
        // Ten saved up, ten of the second, and a fifth of 33.
        assert!((16..=26).contains(&again), "{again}");
        let early = sent
            .iter()
            .filter(|s| s.at_ms > from_ms && s.at_ms <= from_ms + 250);
        assert!(early.count() <= 10 + 33 / 5 + 2);
        assert_eq!(status().resends, again as u64);
    });
}

#[test]
fn a_deadline_ends_it() {
    let _options = options();
    let network = Network::new(&[(SERVER, Manner::SilentForSlow(20))]);
    network.run(|| {
        let outcome = ask_until("slow.example.org", Some(1000));
        assert!(matches!(outcome, Outcome::Failed(Failure::Timeout)));
        assert_eq!(network.now_ms(), 1000);
        assert_eq!(times(&network.take_queries()), [0, 300, 900]);
    });
}

#[test]
fn the_system_sends_the_same_packet_from_the_same_port() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_servers_as_ever(&[&server]);
    options.set("dns_edns", "yes");
    let answer = Reply::answer(vec![Rr::a("host.example.org", 60, "192.0.2.1")]);
    server.script("host.example.org", A, vec![Reply::dropped(), answer]);
    good("host.example.org");
    let queries = server.queries();
    let [first, second] = &queries[..] else {
        panic!("{queries:?}");
    };
    assert_eq!(first, second);
    // Its answer may come twice: the socket does not serve another query.
    good("host.example.org");
    assert_ne!(server.queries()[2].source_port, first.source_port);
}

/// A server that is down is waited for where those that are up cannot help: a packet to it may get lost as well.
#[test]
fn a_server_that_is_down_gets_the_query_again_when_it_is_the_last_hope() {
    const DOWN: &str = "192.0.2.82:53";
    const FAILS: &str = "192.0.2.83:53";
    let mut options = options();
    options.set("dns_nameservers", "192.0.2.82 192.0.2.83");
    let network = Network::new(&[(DOWN, Manner::Silent), (FAILS, Manner::Fails(1))]);
    network.mute(DOWN);
    network.run(|| {
        assert!(matches!(ask("a.example.org"), Outcome::Failed(_)));
        let known = snapshot();
        let down = known.iter().find(|s| s.address.to_string() == DOWN);
        assert!(down.is_some_and(|s| !s.up), "{down:?}");
        network.set(DOWN, Manner::Answers(1));
        network.server(DOWN).lose(1);
        let from_ms = network.now_ms();
        good("b.example.org");
        let took_ms = network.now_ms() - from_ms;
        assert!(took_ms < 1000, "{took_ms} ms of virtual time");
    });
}
