//! The servers that tests are made with: a script says the same in memory and on sockets, and everything that it can say
//! happens.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::path::{Path, PathBuf};

use kamailio_dns::resolver::Outcome;
use kamailio_dns::rr::RData;
use support::net::text::Scene;
use support::network::ask;
use support::{A, OptionsGuard, SRV, Watchdog, wire};

/// What a question ends in, in a word.
fn shown(outcome: &Outcome) -> String {
    let answer = match outcome {
        Outcome::Answer(answer) => answer,
        Outcome::Failed(failure) => return format!("{failure:?}"),
        other => return format!("{other:?}"),
    };
    match answer.negative {
        Some(negative) if negative.nxdomain => return "NXDOMAIN".to_owned(),
        Some(_) => return "NODATA".to_owned(),
        None => {}
    }
    let addresses = answer
        .answers
        .iter()
        .filter_map(|record| match &record.rdata {
            RData::A(address) => Some(address.to_string()),
            _ => None,
        });
    addresses.collect::<Vec<_>>().join(" ")
}

/// What became of the questions, and what each server was asked.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    outcomes: Vec<String>,
    asked: Vec<Vec<String>>,
}

fn options(nameservers: &str) -> OptionsGuard {
    let mut options = OptionsGuard::take();
    options.set("dns_nameservers", nameservers);
    // A busy machine does not look like a silent server.
    options.set("dns_retr_time", "20");
    options.set("dns_retr_no", "2");
    options
}

fn seen(scene: &Scene, outcomes: Vec<String>) -> Seen {
    let asked = scene.actors.iter().map(|actor| {
        let queries = actor.script.queries();
        let shown = queries.iter().map(|query| {
            let over = if query.tcp { " over TCP" } else { "" };
            format!("{} {}{over}", query.name, wire::type_name(query.qtype))
        });
        // On a busy machine what is late is sent again.
        let mut shown: Vec<String> = shown.collect();
        shown.dedup();
        shown
    });
    Seen {
        asked: asked.collect(),
        outcomes,
    }
}

/// Asks for names of servers in memory. Where each query counts, nothing is sent again to servers that keep silent.
fn in_memory(text: &str, names: &[&str], each_counts: bool) -> Seen {
    let scene = Scene::read(text).unwrap();
    let (network, nameservers) = scene.in_memory();
    let mut options = options(&nameservers);
    if each_counts {
        options.hold_resends();
    }
    let outcomes = network.run(|| names.iter().map(|name| shown(&ask(name))).collect());
    seen(&scene, outcomes)
}

/// The same on sockets.
fn on_loopback(text: &str, names: &[&str], each_counts: bool) -> Seen {
    let scene = Scene::read(text).unwrap();
    let (_servers, nameservers) = scene.on_loopback();
    let mut options = options(&nameservers);
    if each_counts {
        options.hold_resends();
    }
    let outcomes = names.iter().map(|name| shown(&ask(name))).collect();
    seen(&scene, outcomes)
}

#[test]
fn a_script_says_the_same_in_memory_and_on_sockets() {
    let _watchdog = Watchdog::start(120);
    let text = "
        server one
            here.test 300 A 192.0.2.1       ; a record
            alias.test CNAME here.test
            _sip._udp.here.test SRV 10 1 5060 here.test
            turns.test A 192.0.2.2
            on turns.test A: servfail / nxdomain / answer
            long.test A 192.0.2.3
            on long.test A: truncated answer
            forged.test A 192.0.2.4
            on forged.test A: forged-id nxdomain and forged-question x.test nxdomain and forged-port nxdomain and answer
            late.test A 192.0.2.5
            on late.test A: after 200 answer
            double.test A 192.0.2.6
            on double.test A: twice answer
        server two
            elsewhere.test A 192.0.2.7
            on * *: refused
    ";
    let names = [
        "here.test",
        "alias.test",
        "_udp.here.test",
        "nowhere.test",
        "turns.test",
        "turns.test",
        "turns.test",
        "turns.test",
        "long.test",
        "forged.test",
        "late.test",
        "double.test",
    ];
    let (memory, sockets) = (
        in_memory(text, &names, true),
        on_loopback(text, &names, true),
    );
    assert_eq!(memory, sockets);
    let expected = [
        "192.0.2.1",
        "192.0.2.1",
        "NODATA",
        "NXDOMAIN",
        // The second server was asked, too.
        "Refused",
        "NXDOMAIN",
        "192.0.2.2",
        "192.0.2.2",
        "192.0.2.3",
        "192.0.2.4",
        "192.0.2.5",
        "192.0.2.6",
    ];
    assert_eq!(memory.outcomes, expected);
    let over_tcp = memory.asked[0].iter().filter(|q| q.ends_with(" over TCP"));
    assert_eq!(over_tcp.collect::<Vec<_>>(), ["long.test A over TCP"]);
    // Whoever gets no use of the first one asks the second one.
    assert_eq!(memory.asked[1][0], "turns.test A");
}

/// kamailio/e2e/replies.py plays it for a real Kamailio.
#[test]
fn the_script_of_replies_ends_as_it_says() {
    let _watchdog = Watchdog::start(120);
    let text = include_str!("support/net/replies.txt");
    let expected = Scene::read(text).unwrap().expected;
    assert!(expected.len() > 8);
    let names: Vec<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
    let outcomes: Vec<&str> = expected
        .iter()
        .map(|(_, outcome)| outcome.as_str())
        .collect();
    let (memory, sockets) = (
        in_memory(text, &names, false),
        on_loopback(text, &names, false),
    );
    assert_eq!(memory, sockets);
    assert_eq!(memory.outcomes, outcomes);
}

#[test]
fn silence_and_closed_ports_are_the_same_in_memory_and_on_sockets() {
    let _watchdog = Watchdog::start(120);
    for manner in ["silent", "closed 0"] {
        let text = format!(
            "server one\n manner {manner}\n\
             server two\n a.test A 192.0.2.1\n b.test A 192.0.2.2\n"
        );
        let names = ["a.test", "b.test"];
        let (memory, sockets) = (
            in_memory(&text, &names, false),
            on_loopback(&text, &names, false),
        );
        assert_eq!(memory.outcomes, sockets.outcomes, "{manner}");
        assert_eq!(memory.outcomes, ["192.0.2.1", "192.0.2.2"]);
        assert_eq!(memory.asked[1], sockets.asked[1]);
    }
}

#[test]
fn time_passes_in_memory_when_somebody_waits() {
    let scene = Scene::read(
        "server one 192.0.2.77:53
            a.test A 192.0.2.1
            on a.test A: after 700 answer
            lose 1
        server two 192.0.2.78:53
            manner silent",
    )
    .unwrap();
    let (network, nameservers) = scene.in_memory();
    assert_eq!(nameservers, "192.0.2.77:53 192.0.2.78:53");
    let _options = options("192.0.2.77");
    let outcome = network.run(|| ask("a.test"));
    assert_eq!(shown(&outcome), "192.0.2.1");
    // The first query is lost, sent again after 300 ms, and once more before its answer is there.
    assert_eq!(network.now_ms(), 1000);
    assert_eq!(scene.server("one").count("a.test", A), 3);
}

#[test]
fn what_is_not_understood_is_an_error_with_its_line() {
    for (text, line) in [
        ("a.test A 192.0.2.1", 1),
        ("server one\n\n a.test A 192.0.2", 3),
        ("server one\n on a.test A: answer / later answer", 2),
        ("server one\n on a.test A: after x answer", 2),
        ("server one\n on a.test A answer", 2),
        ("server one\n on a.test NONE: answer", 2),
        ("server one\n manner odd 5", 2),
        ("server one here", 1),
        ("server one\n lose many", 2),
    ] {
        let error = Scene::read(text).err().unwrap_or_default();
        assert!(
            error.starts_with(&format!("line {line}: ")),
            "{text}: {error}"
        );
    }
}

/// Rust files of a folder.
fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn no_other_transport_stands_in_for_the_network() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for folder in ["src", "tests", "fuzz", "benches", "examples"] {
        sources(&root.join(folder), &mut all);
    }
    let mut found: Vec<String> = all
        .iter()
        .filter(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            let mut lines = text.lines();
            lines.any(|line| line.starts_with("impl") && line.contains("Transport for "))
        })
        .map(|path| path.strip_prefix(root).unwrap().display().to_string())
        .collect();
    found.sort();
    let expected = [
        "src/resolver/few.rs",
        "src/resolver/many.rs",
        "tests/support/net/memory.rs",
    ];
    assert_eq!(found, expected, "see docs/testing.md");
}

#[test]
fn records_are_read_as_a_zone_file_has_them() {
    let same = |line: &str, record: wire::Rr| {
        assert_eq!(wire::Rr::read(line, 60), Ok(record), "{line}");
    };
    same(
        "a.test. 5 IN A 192.0.2.1",
        wire::Rr::a("a.test", 5, "192.0.2.1"),
    );
    same(
        "a.test AAAA 2001:db8::1 ; six",
        wire::Rr::aaaa("a.test", 60, "2001:db8::1"),
    );
    same(
        "_sip._udp.test SRV 1 2 5060 a.test.",
        wire::Rr::srv("_sip._udp.test", 60, 1, 2, 5060, "a.test"),
    );
    same(
        "test 7 NAPTR 10 20 \"s\" \"SIP+D2U\" \"\" _sip._udp.test.",
        wire::Rr::naptr("test", 7, (10, 20), ("s", "SIP+D2U", ""), "_sip._udp.test"),
    );
    same(
        "test TXT \"two words\" \"\"",
        wire::Rr::txt("test", 60, &["two words", ""]),
    );
    same(
        "test TYPE300 \\# 2 00ff",
        wire::Rr::raw("test", 300, 60, &[0, 255]),
    );
    for wrong in [
        "test",
        "test A",
        "test A 192.0.2.1 x",
        "test SRV 1 2 a.test",
        "test TYPE1 \\# 3 00",
    ] {
        assert!(wire::Rr::read(wrong, 60).is_err(), "{wrong}");
    }
    assert_eq!(wire::type_number("srv"), Some(SRV));
    assert_eq!(
        (wire::type_name(SRV), wire::type_name(300)),
        ("SRV".into(), "TYPE300".into())
    );
}
