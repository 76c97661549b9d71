//! Questions in the background are sent again, and dead servers found out, as those of a call.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use kamailio_dns::resolver::servers::snapshot;
use kamailio_dns::resolver::{Background, Done, Outcome, Question, Settings, now_ms};
use kamailio_dns::rr::RecordType;
use support::{A, OptionsGuard, Reply, Rr, Server, Watchdog, use_servers_as_ever};

/// Each attempt lasts longer than the questions may take: without probes and resends they fail.
const PATIENCE_MS: u64 = 25_000;

fn options(servers: &[&Server]) -> OptionsGuard {
    let mut options = use_servers_as_ever(servers);
    options.set("dns_retr_time", "30");
    options.set("dns_retr_no", "1");
    options.set("dns_edns", "yes");
    options
}

/// Asks in the background and waits for what comes of it.
fn ask(names: &[&str]) -> Vec<Done> {
    ask_on(&Settings::current(), names)
}

fn ask_on(settings: &Settings, names: &[&str]) -> Vec<Done> {
    let mut background = Background::new();
    for (ticket, name) in names.iter().enumerate() {
        let question = Question {
            qname: name.as_bytes(),
            qtype: RecordType::A,
        };
        background.ask(ticket as u64, &question, settings, PATIENCE_MS);
    }
    let mut done = Vec::new();
    while background.under_way() > 0 || done.len() < names.len() {
        done.extend(background.turn(now_ms() + 1000));
    }
    done
}

#[test]
fn a_lost_packet_is_sent_again() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let _options = options(&[&server]);
    let answer = Reply::answer(vec![Rr::a("host.example.org", 60, "192.0.2.1")]);
    server.script("host.example.org", A, vec![Reply::dropped(), answer]);
    let done = ask(&["host.example.org"]);
    assert!(
        matches!(done[0].timed.outcome, Outcome::Answer(_)),
        "{done:?}"
    );
    let queries = server.queries();
    let [first, second] = &queries[..] else {
        panic!("{queries:?}");
    };
    assert_eq!(first, second);
}

#[test]
fn settings_taken_before_serve_another_thread() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    server.add(Rr::a("host.example.org", 60, "192.0.2.1"));
    let options = options(&[&server]);
    let settings = Settings::current();
    drop(options);
    let asker = std::thread::spawn(move || ask_on(&settings, &["host.example.org"]));
    let done = asker.join().unwrap();
    assert!(
        matches!(done[0].timed.outcome, Outcome::Answer(_)),
        "{done:?}"
    );
    assert_eq!(server.count("host.example.org", A), 1);
}

#[test]
fn a_dead_server_is_found_out_by_one_probe() {
    let _watchdog = Watchdog::start(60);
    let (dead, live) = (Server::start(), Server::start());
    let _options = options(&[&dead, &live]);
    dead.default_reply(Reply::dropped());
    dead.ignore_probes();
    let names = ["a.example.org", "b.example.org", "c.example.org"];
    live.add_all(names.map(|name| Rr::a(name, 60, "192.0.2.1")));
    let done = ask(&names);
    assert!(
        done.iter()
            .all(|d| matches!(d.timed.outcome, Outcome::Answer(_))),
        "{done:?}"
    );
    let address = dead.address();
    assert!(snapshot().iter().any(|s| s.address == address && !s.up));
    // One, which is sent twice, and another one when it is tried again at once.
    assert!((1..=4).contains(&dead.probes()), "{}", dead.probes());
}

#[test]
fn a_slow_name_stays_with_the_server_that_lives() {
    let _watchdog = Watchdog::start(60);
    let (slow, other) = (Server::start(), Server::start());
    let _options = options(&[&slow, &other]);
    let late = Reply::answer(vec![Rr::a("host.example.org", 60, "192.0.2.1")]).delay_ms(1500);
    slow.script("host.example.org", A, vec![late]);
    other.add(Rr::a("host.example.org", 60, "192.0.2.2"));
    let done = ask(&["host.example.org"]);
    let Outcome::Answer(answer) = &done[0].timed.outcome else {
        panic!("{done:?}");
    };
    assert_eq!(answer.answers.len(), 1);
    assert_eq!(other.total(), 0);
    assert!(slow.probes() > 0);
    assert!(snapshot().iter().all(|s| s.up));
}
