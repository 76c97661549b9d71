//! Sockets that serve one query after the other: how many, for whom, and when not.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]
#![allow(unsafe_code, reason = "dup2")]

mod support;

use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::{AsRawFd as _, RawFd};

use kamailio_dns::resolver::servers::snapshot;
use kamailio_dns::resolver::{Outcome, ProbeHabit, Question, query, query_all};
use kamailio_dns::rr::RecordType;
use support::{A, OptionsGuard, Reply, Rr, Server, Watchdog, children, use_server};

/// The sockets that this process has open, as the kernel numbers them.
fn sockets() -> BTreeSet<String> {
    let open = std::fs::read_dir("/proc/self/fd").expect("/proc");
    open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .filter(|target| target.starts_with("socket:"))
        .collect()
}

#[track_caller]
fn ask(name: &str) {
    let question = Question {
        qname: name.as_bytes(),
        qtype: RecordType::A,
    };
    match query(&question, None) {
        Outcome::Answer(answer) => assert_eq!(answer.answers.len(), 1, "{name}"),
        other => panic!("{name}: {other:?}"),
    }
}

fn server_with(names: &[&str]) -> Server {
    let server = Server::start();
    for name in names {
        server.add(Rr::a(name, 60, "192.0.2.1"));
    }
    server
}

/// Uses a server that is known to answer the probe: it gets none during the test.
fn use_known(server: &Server) -> OptionsGuard {
    let guard = use_server(server);
    server.add(Rr::a("first.test", 60, "192.0.2.1"));
    let is_known = || {
        let mut known = snapshot().into_iter();
        known.any(|s| s.address == server.address() && s.probe == ProbeHabit::Answers)
    };
    while !is_known() {
        ask("first.test");
    }
    guard
}

fn queries_in_a_row_use_one_socket() {
    let names = ["a.test", "b.test", "c.test"];
    let server = server_with(&names);
    let before = sockets();
    let _options = use_known(&server);
    for name in names {
        ask(name);
    }
    assert_eq!(sockets().difference(&before).count(), 1);
}

fn queries_side_by_side_keep_few_sockets() {
    let server = server_with(&[]);
    let _options = use_known(&server);
    let names: Vec<String> = (0..30).map(|i| format!("h{i}.test")).collect();
    for name in &names {
        server.add(Rr::a(name, 60, "192.0.2.1"));
    }
    let before = sockets();
    for _ in 0..3 {
        let questions: Vec<_> = names
            .iter()
            .map(|name| Question {
                qname: name.as_bytes(),
                qtype: RecordType::A,
            })
            .collect();
        let outcomes = query_all(&questions, None);
        assert!(outcomes.iter().all(|o| matches!(o, Outcome::Answer(_))));
    }
    assert!(sockets().difference(&before).count() <= 4);
}

fn a_socket_that_got_a_forged_reply_is_closed() {
    let server = server_with(&["good.test"]);
    let forged = Reply::answer(vec![Rr::a("odd.test", 60, "192.0.2.6")]).wrong_id();
    let right = Reply::answer(vec![Rr::a("odd.test", 60, "192.0.2.1")]);
    server.script("odd.test", A, vec![forged.then(right)]);
    let before = sockets();
    let _options = use_known(&server);
    ask("good.test");
    let kept: BTreeSet<_> = sockets().difference(&before).cloned().collect();
    assert_eq!(kept.len(), 1);
    ask("odd.test");
    // Others may go meanwhile: those of the server of the test before.
    assert!(kept.is_disjoint(&sockets()));
    ask("good.test");
    assert_eq!(sockets().difference(&before).count(), 1);
}

fn a_child_does_not_use_the_sockets_of_its_parent() {
    let server = server_with(&["parent.test", "child.test"]);
    let before = sockets();
    let _options = use_known(&server);
    ask("parent.test");
    let kept: BTreeSet<_> = sockets().difference(&before).cloned().collect();
    assert_eq!(kept.len(), 1);
    let child = children::spawn(|| {
        assert!(kept.is_disjoint(&sockets()), "closed at the fork");
        ask("child.test");
        let now = sockets();
        assert!(kept.is_disjoint(&now));
        assert_eq!(now.difference(&before).count(), 1);
    });
    children::all_end_well(vec![child]);
    // The parent's is still of use.
    ask("child.test");
    assert!(kept.is_subset(&sockets()));
}

/// The numbers under which this process has sockets open that others than `before` are.
fn numbers_of_new(before: &BTreeSet<String>) -> Vec<RawFd> {
    let open = std::fs::read_dir("/proc/self/fd").expect("/proc");
    let numbers = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_new = |number: &RawFd| {
        let target = what_is(*number);
        target.starts_with("socket:") && !before.contains(&target)
    };
    numbers.filter(is_new).collect()
}

/// What a number stands for; empty where there is nothing.
fn what_is(number: RawFd) -> String {
    let target = std::fs::read_link(format!("/proc/self/fd/{number}"));
    target.map_or_else(|_| String::new(), |t| t.to_string_lossy().into_owned())
}

/// As a program that becomes a daemon: it closes what it has, and opens what it needs, under the same numbers.
fn a_child_closes_nothing_of_its_own() {
    let server = server_with(&["parent.test", "child.test"]);
    let before = sockets();
    let _options = use_known(&server);
    ask("parent.test");
    let numbers = numbers_of_new(&before);
    assert_eq!(numbers.len(), 1);
    let child = children::spawn(|| {
        let own = File::open("/dev/null").expect("/dev/null");
        for number in &numbers {
            // SAFETY: the number of a socket that is the library's, if it is open at all.
            assert_eq!(unsafe { libc::dup2(own.as_raw_fd(), *number) }, *number);
        }
        ask("child.test");
        for number in &numbers {
            assert_eq!(what_is(*number), "/dev/null");
        }
    });
    children::all_end_well(vec![child]);
}

/// One after the other, for what is counted is the whole process's.
#[test]
fn sockets_are_kept_and_few() {
    let _watchdog = Watchdog::start(60);
    let parts = [
        queries_in_a_row_use_one_socket,
        queries_side_by_side_keep_few_sockets,
        a_socket_that_got_a_forged_reply_is_closed,
        a_child_does_not_use_the_sockets_of_its_parent,
        a_child_closes_nothing_of_its_own,
    ];
    for part in parts {
        // Sockets are kept by thread.
        std::thread::spawn(part).join().expect("it holds");
    }
}
