//! Is the server alive, or is only the name slow?
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use kamailio_dns::error::Failure;
use kamailio_dns::resolver::servers::{ServerStatus, snapshot};
use kamailio_dns::resolver::{Outcome, ProbeHabit};
use support::OptionsGuard;
use support::network::{Manner, Network, ask, ask_all, is_probe};

const ONE: &str = "192.0.2.91:53";
const TWO: &str = "192.0.2.92:53";

/// Two servers, 5 s for each, once; a server that is down is tried every 10 s.
fn options() -> OptionsGuard {
    let mut options = OptionsGuard::take();
    options.set("dns_nameservers", "192.0.2.91 192.0.2.92");
    options.set("dns_retr_time", "5");
    options.set("dns_retr_no", "1");
    options.set("dns_server_retry", "10");
    options.set("dns_edns", "yes");
    options
}

#[track_caller]
fn good(name: &str) {
    let outcome = ask(name);
    assert!(matches!(outcome, Outcome::Answer(_)), "{outcome:?}");
}

#[track_caller]
fn timed_out(outcome: &Outcome) {
    assert!(
        matches!(outcome, Outcome::Failed(Failure::Timeout)),
        "{outcome:?}"
    );
}

#[track_caller]
fn status(address: &str) -> ServerStatus {
    let known = snapshot();
    let found = known.iter().find(|s| s.address.to_string() == address);
    found.expect("the server is known").clone()
}

/// When the other server was asked first, ms.
fn first_to(network: &Network, server: u8) -> Option<u64> {
    let sent = network.take_sent();
    sent.iter().find(|s| s.1 == server).map(|s| s.0)
}

#[test]
fn a_slow_name_stays_with_the_server_that_lives() {
    let _options = options();
    let network = Network::new(&[(ONE, Manner::SilentForSlow(20)), (TWO, Manner::Answers(20))]);
    network.run(|| {
        good("slow.example.org");
        // As the system's resolver does: the second one may not know what the first one knows.
        assert_eq!(first_to(&network, 92), Some(5000));
        assert!(status(ONE).up);
        assert_eq!(status(ONE).probe, ProbeHabit::Answers);
        let probes = network.take_probes();
        let of_first: Vec<u64> = probes.iter().filter(|p| p.1 == 91).map(|p| p.0).collect();
        assert_eq!(of_first, [100, 1100, 3100], "while it is silent");
    });
}

#[test]
fn the_probe_is_a_question_that_servers_answer_by_themselves() {
    let _options = options();
    let network = Network::new(&[(ONE, Manner::Answers(20))]);
    network.run(|| {
        good("a.example.org");
        // Once it is seen to live, so that its silence to the probe will say something.
        assert_eq!(network.take_probes(), [(20, 91)]);
        good("b.example.org");
        good("c.example.org");
        assert_eq!(network.take_probes(), []);
        assert_eq!(status(ONE).probe, ProbeHabit::Answers);
        assert_eq!((status(ONE).queries, status(ONE).answers), (3, 3));
        assert!(!network.take_queries().iter().any(|s| is_probe(&s.octets)));
    });
}

#[test]
fn one_process_sends_the_probe() {
    let _options = options();
    let network = Network::new(&[(ONE, Manner::Silent), (TWO, Manner::Answers(20))]);
    network.interrupt(110, || {
        let another = std::thread::spawn(|| {
            let network = Network::new(&[(ONE, Manner::Silent), (TWO, Manner::Silent)]);
            network.sleep(110);
            network.run(|| {
                let outcome = support::network::ask_until("d.example.org", Some(500));
                timed_out(&outcome);
                assert_eq!(network.take_probes(), []);
            });
        });
        another.join().expect("it asks nothing");
    });
    network.run(|| {
        let outcomes = ask_all(&["a.example.org", "b.example.org", "c.example.org"]);
        assert!(outcomes.iter().all(|o| matches!(o, Outcome::Answer(_))));
        assert_eq!(network.now_ms(), 500);
        let probes = network.take_probes();
        let of_first: Vec<u64> = probes.iter().filter(|p| p.1 == 91).map(|p| p.0).collect();
        // Once more half way, for that one may have been lost.
        assert_eq!(of_first, [100, 290]);
    });
}

#[test]
fn a_lost_probe_is_no_verdict() {
    let _options = options();
    let network = Network::new(&[(ONE, Manner::SilentForSlow(20)), (TWO, Manner::Answers(20))]);
    network.lose_probes(1);
    network.run(|| {
        good("slow.example.org");
        assert_eq!(first_to(&network, 92), Some(5000));
        assert!(status(ONE).up);
    });
}

#[test]
fn any_other_answer_counts_meanwhile() {
    let _options = options();
    let network = Network::new(&[
        (ONE, Manner::SilentForSlow(400)),
        (TWO, Manner::Answers(20)),
    ]);
    network.mute(ONE);
    network.run(|| {
        let outcomes = ask_all(&["slow.example.org", "a.example.org"]);
        assert!(outcomes.iter().all(|o| matches!(o, Outcome::Answer(_))));
        assert_eq!(first_to(&network, 92), Some(5000));
        assert!(status(ONE).up);
    });
}

#[test]
fn who_lives_without_answering_the_probe_is_judged_by_its_answers() {
    let _options = options();
    let network = Network::new(&[(ONE, Manner::SilentForSlow(20)), (TWO, Manner::Answers(20))]);
    network.mute(ONE);
    network.run(|| {
        good("a.example.org");
        network.sleep(6000);
        good("b.example.org");
        assert_eq!(status(ONE).probe, ProbeHabit::Mute);
        network.take_sent();
        // Whatever is asked of one zone, and however often.
        for name in ["slow1.example.org", "slow2.example.org"] {
            let from_ms = network.now_ms();
            good(name);
            assert_eq!(first_to(&network, 92), Some(from_ms + 5000));
            assert!(status(ONE).up);
        }
        // It is silent about all.
        network.set(ONE, Manner::Silent);
        good("a.example.net");
        assert!(!status(ONE).up);
        network.take_sent();
        let from_ms = network.now_ms();
        good("b.example.net");
        assert_eq!(first_to(&network, 92), Some(from_ms));
    });
}

#[test]
fn the_answer_to_the_probe_ends_it() {
    let _options = options();
    let network = Network::new(&[(ONE, Manner::Answers(20)), (TWO, Manner::Answers(20))]);
    network.run(|| {
        good("a.example.org");
        good("b.example.org");
        network.set(ONE, Manner::Silent);
        let from_ms = network.now_ms();
        good("c.example.org");
        assert!(!status(ONE).up);
        assert!(network.now_ms() - from_ms <= 500);
        network.set(ONE, Manner::SilentForSlow(20));
        network.sleep(10_000);
        network.take_sent();
        network.take_probes();
        // It is known to answer the probe, so that is all that it gets.
        good("slow.example.org");
        good("d.example.org");
        assert!(network.take_probes().iter().any(|p| p.1 == 91));
        assert_eq!(network.take_sent().iter().filter(|s| s.1 == 91).count(), 1);
        assert!(status(ONE).up);
    });
}

#[test]
fn notices_of_the_network_do_not_stand_for_an_answer_or_for_silence() {
    let mut options = options();
    options.set("dns_retr_no", "2");
    let network = Network::new(&[(ONE, Manner::Closed(1)), (TWO, Manner::Answers(20))]);
    network.run(|| {
        good("a.example.org");
        assert_eq!(network.take_sent(), [(0, 91), (1, 92)]);
        assert!(status(ONE).up);
    });
}

#[test]
fn with_the_only_server_down_new_names_are_over_in_a_quarter_of_a_second() {
    let mut options = options();
    options.set("dns_nameservers", "192.0.2.91");
    options.set("dns_retr_no", "2");
    let network = Network::new(&[(ONE, Manner::Answers(20))]);
    network.run(|| {
        good("a.example.org");
        network.set(ONE, Manner::Silent);
        timed_out(&ask("b.example.org"));
        assert!(!status(ONE).up);
        let mut queries = 0;
        for number in 0..100 {
            let from_ms = network.now_ms();
            network.take_sent();
            timed_out(&ask(&format!("n{number}.example.org")));
            assert!(network.now_ms() - from_ms <= 250);
            queries += network.take_sent().len();
        }
        assert_eq!(queries, 100, "one for each name");
        network.set(ONE, Manner::Answers(20));
        good("c.example.org");
        assert!(status(ONE).up);
        let from_ms = network.now_ms();
        good("d.example.org");
        assert_eq!(network.now_ms(), from_ms + 20);
    });
}

#[test]
fn an_answer_that_lay_there_since_before_the_server_went_down_does_not_bring_it_back() {
    let mut options = options();
    options.set("dns_nameservers", "192.0.2.91");
    let network = Network::new(&[(ONE, Manner::Answers(20))]);
    network.run(|| {
        // The answer to the probe that goes out with the first answer is there later than anybody looks.
        good("a.example.org");
        assert_eq!(network.take_probes(), [(20, 91)]);
        let another = std::thread::spawn(|| {
            let network = Network::new(&[(ONE, Manner::Silent)]);
            network.sleep(1000);
            network.run(|| timed_out(&ask("b.example.org")));
            network.now_ms()
        });
        let found_ms = another.join().expect("the other thread");
        assert!(!status(ONE).up);
        network.set(ONE, Manner::Silent);
        network.sleep(found_ms + 1000 - network.now_ms());
        let from_ms = network.now_ms();
        timed_out(&ask("c.example.org"));
        assert!(network.now_ms() - from_ms <= 250);
        assert!(!status(ONE).up);
        // That to a probe of later does.
        network.set(ONE, Manner::Answers(20));
        good("d.example.org");
        assert!(status(ONE).up);
    });
}

#[test]
fn questions_under_way_have_more_time_than_new_ones() {
    let mut options = options();
    options.set("dns_nameservers", "192.0.2.91");
    let network = Network::new(&[(ONE, Manner::Far(800))]);
    network.run(|| {
        // Nothing is known of a server that is far away.
        let names = ["a.test", "b.test", "c.test", "d.test", "e.test"];
        let outcomes = ask_all(&names);
        assert!(outcomes.iter().all(|o| matches!(o, Outcome::Answer(_))));
        assert_eq!(network.now_ms(), 800);
        assert!(status(ONE).up);
    });
}
