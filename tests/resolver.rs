//! The stub resolver against a scripted server on the loopback interface.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use kamailio_dns::error::Failure;
use kamailio_dns::host::counters::{Counter, value};
use kamailio_dns::resolver::{Answer, Outcome, Question, is_search_suffix, query, query_all};
use kamailio_dns::rr::{RData, RecordType};
use support::{A, AAAA, CNAME, NAPTR, Reply, Rr, SRV, Server, TXT, Watchdog, use_server};

fn ask(name: &str, qtype: u16) -> Outcome {
    let question = Question {
        qname: name.as_bytes(),
        qtype: RecordType(qtype),
    };
    query(&question, None)
}

#[track_caller]
fn answer(name: &str, qtype: u16) -> Answer {
    match ask(name, qtype) {
        Outcome::Answer(answer) => answer,
        other => panic!("{name}: {other:?}"),
    }
}

#[track_caller]
fn addresses(name: &str) -> Vec<String> {
    addresses_of(&answer(name, A))
}

fn addresses_of(answer: &Answer) -> Vec<String> {
    answer
        .answers
        .iter()
        .filter_map(|r| match &r.rdata {
            RData::A(ip) => Some(ip.to_string()),
            _ => None,
        })
        .collect()
}

/// NXDOMAIN and TTL of the proof of absence.
#[track_caller]
fn absence(name: &str, qtype: u16) -> (bool, Option<u32>) {
    let negative = answer(name, qtype).negative.expect("a proof of absence");
    (negative.nxdomain, negative.ttl)
}

#[track_caller]
fn failure(name: &str, qtype: u16) -> Failure {
    match ask(name, qtype) {
        Outcome::Failed(failure) => failure,
        other => panic!("{name}: {other:?}"),
    }
}

fn a(owner: &str, address: &str) -> Rr {
    Rr::a(owner, 60, address)
}

#[test]
fn every_type_is_decoded() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let _options = use_server(&server);
    server
        .add(a("host.example.org", "192.0.2.1"))
        .add(Rr::aaaa("host.example.org", 60, "2001:db8::1"))
        .add(Rr::cname("www.example.org", 30, "host.example.org"))
        .add(Rr::srv(
            "_sip._udp.example.org",
            60,
            1,
            2,
            5060,
            "host.example.org",
        ))
        .add(Rr::naptr(
            "example.org",
            60,
            (10, 20),
            ("s", "SIP+D2U", ""),
            "_sip._udp.example.org",
        ))
        .add(Rr::txt("example.org", 60, &["one", ""]))
        .add(Rr::ebl("example.org", 60, 3, ".", "e164.arpa"))
        .add(Rr::ptr("1.2.0.192.in-addr.arpa", 60, "host.example.org"));

    assert_eq!(addresses("host.example.org"), ["192.0.2.1"]);
    let aaaa = answer("host.example.org", AAAA);
    assert_eq!(
        aaaa.answers[0].rdata,
        RData::Aaaa("2001:db8::1".parse().unwrap())
    );
    let chain = answer("www.example.org", A);
    assert_eq!(chain.answers.len(), 2);
    assert_eq!(
        (chain.answers[0].rtype, chain.answers[0].ttl),
        (RecordType::CNAME, 30)
    );
    assert!(chain.negative.is_none());
    let srv = answer("_sip._udp.example.org", SRV);
    let RData::Srv(data) = &srv.answers[0].rdata else {
        panic!("{srv:?}");
    };
    assert_eq!((data.priority, data.weight, data.port), (1, 2, 5060));
    assert_eq!(data.target.as_bytes(), b"host.example.org");
    let naptr = answer("example.org", NAPTR);
    let RData::Naptr(data) = &naptr.answers[0].rdata else {
        panic!("{naptr:?}");
    };
    assert_eq!(
        (data.order, data.preference, &*data.services),
        (10, 20, &b"SIP+D2U"[..])
    );
    let txt = answer("example.org", TXT);
    assert_eq!(
        txt.answers[0].rdata,
        RData::Txt(vec![(*b"one").into(), [].into()])
    );
    let ebl = answer("example.org", support::EBL);
    assert!(
        matches!(&ebl.answers[0].rdata, RData::Ebl { position: 3, apex, .. }
        if apex.as_bytes() == b"e164.arpa")
    );
    let ptr = answer("1.2.0.192.in-addr.arpa", support::PTR);
    assert!(matches!(&ptr.answers[0].rdata, RData::Ptr(name)
        if name.as_bytes() == b"host.example.org"));
}

#[test]
fn absence_is_proven_with_its_ttl() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let _options = use_server(&server);
    server.negative_ttl(60, 30);
    server.add(a("host.example.org", "192.0.2.1"));
    assert_eq!(absence("nothing.example.org", A), (true, Some(30)));
    server.negative_ttl(20, 30);
    assert_eq!(absence("host.example.org", SRV), (false, Some(20)));
    // No SOA, or one of a zone that the name is not in: absent, but for an unknown time.
    server.script("no-soa.example.org", A, vec![Reply::default()]);
    assert_eq!(absence("no-soa.example.org", A), (false, None));
    let other_zone = Reply::nxdomain(Rr::soa("example.com", 60, 60));
    server.script("odd-soa.example.org", A, vec![other_zone]);
    assert_eq!(absence("odd-soa.example.org", A), (true, None));
}

#[test]
fn absence_at_the_end_of_a_chain() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let _options = use_server(&server);
    server.add(Rr::cname("alias.example.org", 60, "gone.example.org"));
    let gone = answer("alias.example.org", A);
    assert!(gone.negative.unwrap().nxdomain);
    assert_eq!(gone.answers.len(), 1);
    // Without a SOA the alias may lead to a zone that the server does not know: not absent.
    let half = Reply::answer(vec![Rr::cname("half.example.org", 60, "else.example.com")]);
    server.script("half.example.org", A, vec![half]);
    assert!(answer("half.example.org", A).negative.is_none());
    // NXDOMAIN cannot come with addresses.
    let both = Reply::rcode(3);
    let both = Reply::answer(vec![a("both.example.org", "192.0.2.9")])
        .flags(0x8183)
        .authority(vec![Rr::soa("org", 5, 5)])
        .then(both);
    server.script("both.example.org", A, vec![both]);
    let both = answer("both.example.org", A);
    assert!(both.answers.is_empty());
    assert!(both.negative.unwrap().nxdomain);
}

#[test]
fn failures_are_no_absence() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let _options = use_server(&server);
    for (name, reply, expected) in [
        ("servfail.example.org", Reply::servfail(), Failure::ServFail),
        ("refused.example.org", Reply::rcode(5), Failure::Refused),
        ("notimp.example.org", Reply::rcode(4), Failure::ServFail),
        (
            "no-question.example.org",
            Reply::rcode(1).flags(0x8181).no_question(),
            Failure::ServFail,
        ),
        (
            "referral.example.org",
            Reply::default()
                .flags(0x8100)
                .authority(vec![Rr::ns("org", 60, "ns.example.org")]),
            Failure::ServFail,
        ),
        (
            "bad-data.example.org",
            Reply::answer(vec![Rr::raw("bad-data.example.org", A, 60, b"\x01")]),
            Failure::Malformed,
        ),
        (
            "other-owner.example.org",
            Reply::answer(vec![a("elsewhere.example.org", "192.0.2.1")]),
            Failure::Malformed,
        ),
        ("silent.example.org", Reply::dropped(), Failure::Timeout),
    ] {
        server.script(name, A, vec![reply]);
        assert_eq!(failure(name, A), expected, "{name}");
    }
    // A server that said it cannot help is not asked again; a silent one is.
    assert_eq!(server.count("servfail.example.org", A), 1);
    assert_eq!(server.count("silent.example.org", A), 2);
}

#[test]
fn authoritative_reply_without_soa_is_no_referral() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let _options = use_server(&server);
    for (name, flags) in [("aa.example.org", 0x8500), ("ra.example.org", 0x8180)] {
        let reply = Reply::default()
            .flags(flags)
            .authority(vec![Rr::ns("org", 60, "ns.org")]);
        server.script(name, A, vec![reply]);
        assert_eq!(absence(name, A), (false, None), "{name}");
    }
}

#[test]
fn next_server_takes_over() {
    let _watchdog = Watchdog::start(60);
    let (bad, good) = (Server::start(), Server::start());
    let mut options = support::use_servers(&[&bad, &good]);
    good.add(a("host.example.org", "192.0.2.1"));
    for reply in [Reply::servfail(), Reply::rcode(5), Reply::dropped()] {
        bad.script("host.example.org", A, vec![reply]);
        assert_eq!(addresses("host.example.org"), ["192.0.2.1"]);
    }
    // A port where nobody listens is passed over at once.
    let closed = std::net::UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    options.set("dns_nameservers", &format!("{closed} {}", good.address()));
    options.set("dns_retr_time", "3000");
    assert_eq!(addresses("host.example.org"), ["192.0.2.1"]);
    options.set("dns_servers_no", "1");
    assert_eq!(failure("host.example.org", A), Failure::Network);
    options.set("dns_servers_no", "0");
    assert_eq!(failure("host.example.org", A), Failure::NoServers);
}

#[test]
fn late_reply_of_the_first_server_still_counts() {
    let _watchdog = Watchdog::start(60);
    let (slow, silent) = (Server::start(), Server::start());
    let _options = support::use_servers(&[&slow, &silent]);
    let late = Reply::answer(vec![a("host.example.org", "192.0.2.1")]).delay_ms(1300);
    slow.script("host.example.org", A, vec![late, Reply::dropped()]);
    silent.default_reply(Reply::dropped());
    assert_eq!(addresses("host.example.org"), ["192.0.2.1"]);
    assert_eq!(silent.count("host.example.org", A), 1);
}

#[test]
fn replies_that_do_not_fit_are_ignored() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let _options = use_server(&server);
    let forged = || Reply::answer(vec![a("host.example.org", "203.0.113.66")]);
    let good = || Reply::answer(vec![a("host.example.org", "192.0.2.1")]);
    for (what, wrong) in [
        ("id", forged().wrong_id()),
        ("question", forged().wrong_question("other.example.org")),
        ("source", forged().wrong_source()),
        ("not a response", forged().flags(0x0100)),
        ("opcode", forged().flags(0x9180)),
        ("short", Reply::raw(b"\x81\x80\x00")),
        ("no question", forged().no_question().flags(0x8180)),
        (
            "NXDOMAIN without question",
            forged().no_question().flags(0x8183),
        ),
    ] {
        server.script("host.example.org", A, vec![wrong.then(good())]);
        assert_eq!(addresses("host.example.org"), ["192.0.2.1"], "{what}");
    }
}

#[test]
fn guessing_leads_to_tcp() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_server(&server);
    options.set("dns_retr_time", "3000");
    let mut flood = Reply::servfail().wrong_id();
    for _ in 0..20 {
        flood = Reply::servfail().wrong_id().then(flood);
    }
    let good = Reply::answer(vec![a("host.example.org", "192.0.2.1")]);
    server.script("host.example.org", A, vec![flood, good]);
    assert_eq!(addresses("host.example.org"), ["192.0.2.1"]);
    assert!(server.queries().last().unwrap().tcp);
}

#[test]
fn one_bad_record_costs_no_other() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let _options = use_server(&server);
    let name = "host.example.org";
    let reply = Reply::answer(vec![
        Rr::raw(name, A, 60, b"\x01\x02"),
        Rr::raw(name, CNAME, 60, b""),
        Rr::raw(name, TXT, 60, b""),
        a(name, "192.0.2.7").with_class(3),
        Rr::raw(name, 46, 60, b"signature"),
        a(name, "192.0.2.1"),
        Rr::a(name, 0x8000_0001, "192.0.2.2"),
    ])
    .additional(vec![
        Rr::raw(name, AAAA, 60, b"\x01"),
        Rr::raw("", support::OPT, 0, b"").with_class(1232),
        Rr::aaaa(name, 60, "2001:db8::1"),
    ]);
    server.script(name, A, vec![reply]);
    let answer = answer(name, A);
    assert_eq!(addresses_of(&answer), ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(answer.answers[0].rdata, RData::Other);
    assert_eq!(answer.answers[2].ttl, 0, "top bit set");
    assert_eq!(answer.additional.len(), 1);
}

#[test]
fn a_message_that_ends_early_keeps_its_whole_records() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let _options = use_server(&server);
    let name = "host.example.org";
    // Header 12, question 18 + 4, one record 18 + 14.
    let two = Reply::answer(vec![a(name, "192.0.2.1"), a(name, "192.0.2.2")]);
    server.script(name, A, vec![two.clone().cut(12 + 22 + 32 + 10)]);
    assert_eq!(addresses(name), ["192.0.2.1"]);
    server.script(name, A, vec![two.cut(12 + 22 + 10)]);
    assert_eq!(failure(name, A), Failure::Malformed);
}

#[test]
fn large_answers_come_over_tcp() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_server(&server);
    let name = "many.example.org";
    let many: Vec<Rr> = (0..900)
        .map(|i| a(name, &format!("10.0.{}.{}", i / 250, i % 250)))
        .collect();
    server.script(name, A, vec![Reply::answer(many).truncated()]);
    assert_eq!(addresses(name).len(), 900);
    let transports: Vec<bool> = server.queries().iter().map(|q| q.tcp).collect();
    assert_eq!(transports, [false, true]);
    options.resolv_conf("search .\noptions use-vc");
    server.clear_queries();
    assert_eq!(addresses(name).len(), 900);
    assert!(server.queries().iter().all(|q| q.tcp));
}

#[test]
fn tcp_that_closes_is_the_servers_failure() {
    let _watchdog = Watchdog::start(60);
    let (bad, good) = (Server::start(), Server::start());
    let mut options = support::use_servers(&[&bad, &good]);
    options.resolv_conf("search .\noptions use-vc");
    bad.default_reply(Reply::dropped());
    good.add(a("host.example.org", "192.0.2.1"));
    assert_eq!(addresses("host.example.org"), ["192.0.2.1"]);
}

#[test]
fn edns_is_given_up_for_a_server_that_refuses_it() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_server(&server);
    options.resolv_conf("search .\noptions edns0 trust-ad");
    let reply = Reply::answer(vec![a("host.example.org", "192.0.2.1")]);
    server.script("host.example.org", A, vec![reply.clone().formerr_to_edns()]);
    for _ in 0..2 {
        assert_eq!(addresses("host.example.org"), ["192.0.2.1"]);
    }
    let payload: Vec<Option<u16>> = server.queries().iter().map(|q| q.edns).collect();
    assert_eq!(payload, [Some(1232), None, None]);
    assert!(
        server.queries().iter().all(|q| q.flags == 0x0120),
        "RD and AD"
    );
    // BADVERS stands in the OPT record: rcode 16.
    server.clear_queries();
    options.resolv_conf("search .\noptions edns0 ");
    let badvers = Reply::default().additional(vec![
        Rr::raw("", support::OPT, 1 << 24, b"").with_class(1232),
    ]);
    server.script("host.example.org", A, vec![badvers, reply]);
    assert_eq!(addresses("host.example.org"), ["192.0.2.1"]);
    assert_eq!(server.total(), 2);
}

#[test]
fn names_that_are_not_asked_for() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let _options = use_server(&server);
    let long_label = "a".repeat(64);
    let long_name = "a.".repeat(128);
    for name in [
        "",
        "a b",
        "a\0b",
        "a..b",
        "ä.example",
        "a/b",
        &long_label,
        &long_name,
    ] {
        assert!(matches!(ask(name, A), Outcome::BadName), "{name}");
    }
    assert_eq!(server.total(), 0);
}

#[test]
fn questions_go_out_together() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_server(&server);
    options.set("dns_retr_time", "3000");
    // Nothing is answered before 30 were asked: one after the other, that would never be.
    let names: Vec<String> = (0..40).map(|i| format!("h{i}.example.org")).collect();
    for name in &names {
        let reply = Reply::answer(vec![a(name, "192.0.2.1")]).hold_until(30);
        server.script(name, A, vec![reply]);
    }
    let mut questions: Vec<Question<'_>> = names
        .iter()
        .map(|name| Question {
            qname: name.as_bytes(),
            qtype: RecordType::A,
        })
        .collect();
    questions.push(Question {
        qname: b"not a name",
        qtype: RecordType::A,
    });
    let outcomes = query_all(&questions, None);
    assert_eq!(outcomes.len(), 41);
    for (question, outcome) in questions.iter().zip(&outcomes).take(40) {
        let Outcome::Answer(answer) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(answer.qname.as_bytes(), question.qname);
        assert_eq!(addresses_of(answer), ["192.0.2.1"]);
    }
    assert!(matches!(&outcomes[40], Outcome::BadName));
    let ports: std::collections::HashSet<u16> =
        server.queries().iter().map(|q| q.source_port).collect();
    let ids: std::collections::HashSet<u16> = server.queries().iter().map(|q| q.id).collect();
    assert!(
        ports.len() > 20 && ids.len() > 30,
        "ports and ids are drawn afresh"
    );
}

#[test]
fn changed_resolv_conf_is_read_whatever_is_tuned() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_server(&server);
    // The options after which the libc does not notice changes any more.
    for (name, value) in [
        ("dns_retr_time", "1"),
        ("dns_retr_no", "1"),
        ("dns_servers_no", "3"),
    ] {
        options.set(name, value);
    }
    options.resolv_conf("search one.example");
    assert!(is_search_suffix(b"one.example"));
    options.resolv_conf("search two.example");
    assert!(is_search_suffix(b"two.example"));
    assert!(!is_search_suffix(b"one.example"));
    options.resolv_conf("search one.example\noptions no-reload");
    assert!(is_search_suffix(b"one.example"));
    options.resolv_conf("search two.example");
    assert!(is_search_suffix(b"one.example"), "no-reload");
    kamailio_dns::resolver::reload();
    assert!(is_search_suffix(b"two.example"));
}

#[test]
fn rotate_starts_with_another_server() {
    let _watchdog = Watchdog::start(60);
    let (one, two) = (Server::start(), Server::start());
    let mut options = support::use_servers(&[&one, &two]);
    for server in [&one, &two] {
        server.add(a("host.example.org", "192.0.2.1"));
    }
    for _ in 0..4 {
        assert_eq!(addresses("host.example.org").len(), 1);
    }
    assert_eq!((one.total(), two.total()), (4, 0));
    options.resolv_conf("search .\noptions rotate");
    for _ in 0..4 {
        assert_eq!(addresses("host.example.org").len(), 1);
    }
    assert_eq!((one.total(), two.total()), (6, 2));
}

#[test]
fn no_aaaa_asks_nobody() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_server(&server);
    options.resolv_conf("search .\noptions no-aaaa");
    assert_eq!(absence("host.example.org", AAAA), (false, None));
    assert_eq!(server.total(), 0);
}

#[test]
fn slow_queries_are_counted() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_server(&server);
    let reply = Reply::answer(vec![a("slow.example.org", "192.0.2.1")]);
    server.script("slow.example.org", A, vec![reply.delay_ms(60)]);
    let before = value(Counter::SlowRequest);
    assert_eq!(addresses("slow.example.org").len(), 1);
    assert_eq!(value(Counter::SlowRequest), before, "off");
    options.set("dns_log_level", "-5");
    options.set("dns_slow_query_ms", "20");
    assert_eq!(addresses("slow.example.org").len(), 1);
    assert_eq!(value(Counter::SlowRequest), before + 1);
}

#[test]
#[allow(unsafe_code, reason = "fork")]
fn forked_children_draw_other_ids_and_ports() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let _options = use_server(&server);
    server.add(a("host.example.org", "192.0.2.1"));
    assert_eq!(addresses("host.example.org").len(), 1);
    let mut children = Vec::new();
    for _ in 0..2 {
        // SAFETY: the child only asks and ends; it takes no lock that a thread of the parent's may
        // have held, as the options are this test's alone and glibc makes its own locks usable.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let good = (0..4).all(|_| matches!(ask("host.example.org", A), Outcome::Answer(_)));
            // SAFETY: ends the child without running what belongs to the parent.
            unsafe { libc::_exit(i32::from(!good)) };
        }
        assert!(child > 0);
        children.push(child);
    }
    for child in children {
        let mut status = -1;
        // SAFETY: waits for a child of this process; the status is written to a local number.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
    }
    let ids: std::collections::HashSet<u16> = server.queries().iter().map(|q| q.id).collect();
    assert_eq!(server.total(), 9);
    // A repeated id among nine random ones has a chance of 1 in 1800; two, of none.
    assert!(ids.len() >= 8, "{ids:?}");
}

#[test]
fn ipv6_server() {
    let _watchdog = Watchdog::start(60);
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        return; // a machine without IPv6
    }
    let server = Server::start_on("::1".parse().unwrap());
    let mut options = use_server(&server);
    server.add(a("host.example.org", "192.0.2.1"));
    assert_eq!(addresses("host.example.org"), ["192.0.2.1"]);
    options.resolv_conf("search .\noptions use-vc");
    assert_eq!(addresses("host.example.org"), ["192.0.2.1"]);
}
