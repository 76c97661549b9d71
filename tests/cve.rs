//! Defects that other resolvers had in the years 2024 to 2026, as far as a stub resolver can have them.
//! docs/security-cases.md lists all of them, and which test shows what here.
#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::collections::HashSet;

use kamailio_dns::cache::{EntryRef, RecordView};
use kamailio_dns::error::{Failure, LookupError};
use kamailio_dns::host::clock;
use kamailio_dns::lookup::{self, Source};
use kamailio_dns::resolver::{Answer, Outcome, Protocol};
use kamailio_dns::rr::RecordType;
use support::network::{Network, ask, question_end};
use support::{A, CNAME, NS, OptionsGuard, Reply, Rr, SOA, SRV, Setup, Watchdog};

const SERVER: &str = "192.0.2.53:53";
const NAME: &str = "host.example.org";
const IPV4_ONLY: u32 = 1;
/// RFC 6672.
const DNAME: u16 = 39;

// --- one reply, in a network without sockets

fn options() -> (Watchdog, OptionsGuard) {
    let watchdog = Watchdog::start(120);
    let mut options = OptionsGuard::take();
    options.set("dns_nameservers", "192.0.2.53");
    options.set("dns_retr_time", "5");
    options.set("dns_retr_no", "1");
    options.set("dns_edns", "yes");
    (watchdog, options)
}

/// A reply in octets: the question of the query, then what `records` appends, with these counts.
fn octets(query: &[u8], rcode: u8, counts: [u16; 3], records: &[u8]) -> Vec<u8> {
    let mut out = query[..question_end(query)].to_vec();
    out[2..4].copy_from_slice(&[0x81, 0x80 | rcode]);
    for (place, count) in counts.iter().enumerate() {
        out[6 + 2 * place..8 + 2 * place].copy_from_slice(&count.to_be_bytes());
    }
    out.extend(records);
    out
}

/// A record whose owner is given in octets.
fn record(owner: &[u8], rtype: u16, data: &[u8]) -> Vec<u8> {
    with_length(owner, rtype, data.len(), data)
}

/// The same with an RDLENGTH that may be wrong.
fn with_length(owner: &[u8], rtype: u16, length: usize, data: &[u8]) -> Vec<u8> {
    let mut out = owner.to_vec();
    out.extend(rtype.to_be_bytes());
    out.extend(b"\x00\x01\x00\x00\x01\x2C");
    out.extend((length as u16).to_be_bytes());
    out.extend(data);
    out
}

/// A pointer to the question's name.
const QNAME: &[u8] = b"\xC0\x0C";

/// The address that was asked for.
fn good() -> Vec<u8> {
    record(QNAME, A, &[192, 0, 2, 1])
}

/// What becomes of a question to which a server replies so, over UDP or, when that is too much for it, over TCP.
fn replied(rcode: u8, counts: [u16; 3], records: Vec<u8>) -> Outcome {
    let network = Network::default();
    network.script(SERVER, move |query, protocol| {
        let whole = octets(query, rcode, counts, &records);
        if protocol == Protocol::Udp && whole.len() > 1232 {
            let mut cut = octets(query, rcode, [0; 3], b"");
            cut[2] |= 2;
            return Some(cut);
        }
        Some(whole)
    });
    // It also proves that every query was closed once, and none twice.
    network.run(|| ask(NAME))
}

#[track_caller]
fn answer(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

/// The good address is used, whatever else there is.
#[track_caller]
fn is_good(outcome: Outcome) {
    let answer = answer(outcome);
    let addresses = answer.answers.iter().filter(|r| r.rtype == RecordType::A);
    assert_eq!(addresses.count(), 1, "{answer:?}");
}

/// CVE-2024-8508, CVE-2026-44390, CVE-2026-96405 (unbound), CVE-2026-69184 (c-ares), CVE-2026-19630 (BIND): names that lead
/// through pointer after pointer.
#[test]
fn names_of_many_pointers_cost_the_reply_that_has_them() {
    let _options = options();
    // One pointer to the next, the last to the question, then as many records as fit that begin with the last.
    let mut records = good();
    let start = 12 + 18 + 4 + records.len() + 12;
    let chain: Vec<u8> = (0..2000_u16)
        .flat_map(|n| match n {
            0 => 0xC00C_u16.to_be_bytes(),
            n => (0xC000 | (start as u16 + 2 * (n - 1))).to_be_bytes(),
        })
        .collect();
    records.extend(record(QNAME, 65_280, &chain));
    let last = (0xC000 | (start as u16 + 2 * 1999)).to_be_bytes();
    let mut count = 2;
    while records.len() < 64_000 {
        records.extend(record(&last, A, &[192, 0, 2, 9]));
        count += 1;
    }
    assert!(count > 3000);
    is_good(replied(0, [count, 0, 0], records));
    // Short chains, which are allowed, from very many records: what can be read within the budget is used.
    let mut records = good();
    let hundred = (0xC000 | (start as u16 + 2 * 100)).to_be_bytes();
    records.extend(record(QNAME, 65_280, &chain));
    let mut count = 2;
    while records.len() < 64_000 {
        records.extend(record(&hundred, A, &[192, 0, 2, 9]));
        count += 1;
    }
    let found = answer(replied(0, [count, 0, 0], records));
    assert!(found.answers.len() < 1000, "{}", found.answers.len());
}

/// CVE-2026-69186 (c-ares): memory for as many records as the header claims. Here there is memory for those that are read.
#[test]
fn a_count_is_no_promise() {
    let _options = options();
    for counts in [[u16::MAX, 0, 0], [1, u16::MAX, 0], [1, 0, u16::MAX]] {
        let found = answer(replied(0, counts, good()));
        assert_eq!(found.answers.len(), 1, "{counts:?}");
        assert!(found.answers.capacity() < 100, "{counts:?}");
        assert!(found.additional.is_empty(), "{counts:?}");
    }
}

/// CVE-2025-13878 (BRID, HHIT), CVE-2026-10822 (DNSKEY), CVE-2026-13204 (NSEC), CVE-2026-4890, CVE-2026-4891 (NSEC, RRSIG in
/// dnsmasq): data of types that nobody here asks for is not looked at, whatever it is.
#[test]
fn data_of_other_types_is_not_read() {
    let _options = options();
    // SIG, KEY, NXT, DS, RRSIG, NSEC, DNSKEY, NSEC3, TLSA, SVCB, HTTPS, HHIT, BRID, TKEY, TSIG, ANY.
    for rtype in [
        24, 25, 30, 43, 46, 47, 48, 50, 52, 64, 65, 67, 68, 249, 250, 255,
    ] {
        for data in [&b""[..], b"\x00", b"\x00\x21", &[0xFF; 40], &[0xC0; 41]] {
            for section in 0..3 {
                let mut counts = [1, 0, 0];
                counts[section] += 1;
                let mut records = good();
                records.extend(record(QNAME, rtype, data));
                is_good(replied(0, counts, records));
            }
        }
    }
}

/// CVE-2026-5172, CVE-2026-12969 (dnsmasq), CVE-2026-32945 (pjproject): a length that is not that of the data, a name that
/// ends where the message does.
#[test]
fn a_record_that_lies_about_its_length_is_left_out() {
    let _options = options();
    let srv = b"\x00\x01\x00\x01\x13\xC4\x04long\x06target\x00";
    for length in 0..srv.len() - 1 {
        // What follows is read where the record says that it ends.
        let mut records = with_length(QNAME, SRV, length, &srv[..length]);
        records.extend(good());
        is_good(replied(0, [2, 0, 0], records));
    }
    // A name in the data that goes on into the next record.
    let mut records = with_length(QNAME, CNAME, 3, b"\x3Fab");
    records.extend(good());
    is_good(replied(0, [2, 0, 0], records));
    // Behind the owner's name there is nothing, or not enough: what says how long the absence lasts is not there.
    let soa = [&b"\x02ns\xC0\x0C\x00"[..], &[0, 0, 1, 44].repeat(5)].concat();
    let whole = record(QNAME, SOA, &soa);
    for end in 0..=whole.len() {
        let found = answer(replied(3, [0, 1, 0], whole[..end].to_vec()));
        let negative = found.negative.expect("the code says so");
        assert!(negative.nxdomain && found.answers.is_empty());
        let lasts = (end == whole.len()).then_some(300);
        assert_eq!(negative.ttl, lasts, "{end}");
    }
}

/// CVE-2026-2291 (dnsmasq): a name whose text is several times as long as the name.
#[test]
fn names_full_of_octets_that_are_escaped_fit_or_are_left_out() {
    let _options = options();
    for octet in [0_u8, b'.', b'\\', 0x7F, 0xFF, b'%', b'a'] {
        for labels in 1..=4 {
            let mut target = Vec::new();
            for label in 0..labels {
                let length = if label == 3 { 61 } else { 63 };
                target.push(length);
                target.extend(std::iter::repeat_n(octet, length.into()));
            }
            target.push(0);
            let mut records = record(QNAME, CNAME, &target);
            records.extend(record(&target, A, &[192, 0, 2, 1]));
            let outcome = replied(0, [2, 0, 0], records);
            let fits = octet == b'a';
            match outcome {
                Outcome::Answer(found) if fits => assert_eq!(found.answers.len(), 2),
                // Longer than a name may be as text, it is none.
                Outcome::Answer(found) => {
                    let longest = found.answers.iter().map(|r| r.owner.as_bytes().len());
                    assert!(longest.max().unwrap_or(0) <= 255);
                }
                Outcome::Failed(Failure::Malformed) if !fits => {}
                other => panic!("{octet} {labels}: {other:?}"),
            }
        }
    }
}

fn opt(options: &[u8]) -> Vec<u8> {
    let mut out = b"\x00\x00\x29\x04\xD0\x00\x00\x00\x00".to_vec();
    out.extend((options.len() as u16).to_be_bytes());
    out.extend(options);
    out
}

/// CVE-2026-42944 (several NSID, cookie, padding), CVE-2026-41292 (a long list), CVE-2026-55973 (error reporting),
/// CVE-2024-1931 (extended errors) of unbound, CVE-2026-4893 (client subnet) of dnsmasq: EDNS options of a reply.
#[test]
fn options_of_a_reply_are_passed_over() {
    let (_watchdog, mut guard) = options();
    for cookies in ["0", "1"] {
        guard.set("dns_cookies", cookies);
        let one = |code: u16, data: &[u8]| {
            let mut out = code.to_be_bytes().to_vec();
            out.extend((data.len() as u16).to_be_bytes());
            out.extend(data);
            out
        };
        let list: Vec<u8> = (0..15_000).flat_map(|_| one(65_001, b"")).collect();
        let several = [3, 3, 12, 12, 10_001, 15, 15, 18, 8];
        let several: Vec<u8> = several.iter().flat_map(|c| one(*c, &[1; 40])).collect();
        let reporting = one(18, b"\x3F");
        let long_text = one(15, &[b'x'; 60_000]);
        let mut beyond = one(3, b"1234");
        beyond[3] = 200;
        for options in [list, several, reporting, long_text, beyond] {
            let mut records = good();
            records.extend(opt(&options));
            is_good(replied(0, [1, 0, 1], records));
        }
    }
}

/// CVE-2026-12617 (BIND), CVE-2026-82717 (unbound), CVE-2026-11331 (BIND): DNAME and CNAME in any order, or with a target
/// that makes a name too long. A DNAME is not followed; the CNAME that the nameserver makes of it is.
#[test]
fn a_dname_is_left_to_the_nameserver() {
    let _options = options();
    let dname = record(b"\x07example\x03org\x00", DNAME, b"\x07example\x03net\x00");
    let target = b"\x04host\x07example\x03net\x00";
    let alias = record(QNAME, CNAME, target);
    let address = record(target, A, &[192, 0, 2, 1]);
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let parts = [&dname, &alias, &address];
        let records: Vec<u8> = order.iter().flat_map(|n| parts[*n].clone()).collect();
        is_good(replied(0, [3, 0, 0], records));
    }
    let mut long = Vec::new();
    for _ in 0..3 {
        long.push(63);
        long.extend([b'x'; 63]);
    }
    long.push(61);
    long.extend([b'x'; 61]);
    long.push(0);
    let too_long = record(b"\x07example\x03org\x00", DNAME, &long);
    for records in [dname.clone(), too_long.clone(), [dname, too_long].concat()] {
        let count = if records.len() > 300 { 2 } else { 1 };
        let outcome = replied(0, [count, 0, 0], records);
        assert!(
            matches!(outcome, Outcome::Failed(Failure::Malformed)),
            "neither data nor denial: {outcome:?}"
        );
    }
}

/// CVE-2025-40780 (BIND): ids that can be foretold. CVE-2025-5994 (unbound): a subnet in the query.
#[test]
fn ids_use_all_bits_and_queries_tell_nothing() {
    let _options = options();
    let network = Network::default();
    network.script(SERVER, |query, _| {
        Some(octets(query, 0, [1, 0, 0], &good()))
    });
    network.run(|| {
        for _ in 0..400 {
            is_good(ask(NAME));
        }
    });
    let sent = network.take_queries();
    let ids: Vec<u16> = sent
        .iter()
        .map(|s| u16::from_be_bytes([s.octets[0], s.octets[1]]))
        .collect();
    for bit in 0..16 {
        let set = ids.iter().filter(|id| *id & (1 << bit) != 0).count();
        // 400 draws: less than 100 or more than 300 come up once in 10^23.
        assert!(
            (100..=300).contains(&set),
            "bit {bit}: {set} of {}",
            ids.len()
        );
    }
    let steps: HashSet<u16> = ids.windows(2).map(|w| w[1].wrapping_sub(w[0])).collect();
    assert!(steps.len() > 350, "{} distances", steps.len());
    for query in &sent {
        let opt = &query.octets[question_end(&query.octets)..];
        assert_eq!(
            opt, b"\x00\x00\x29\x04\xD0\x00\x00\x00\x00\x00\x00",
            "no option"
        );
    }
}

/// CVE-2024-25629 (c-ares), CVE-2024-43167 and CVE-2024-43168 (unbound): configuration that is no text.
#[test]
fn a_configuration_of_odd_octets_harms_nothing() {
    let _watchdog = Watchdog::start(120);
    let mut options = OptionsGuard::take();
    let network = Network::default();
    network.script(SERVER, |query, _| {
        Some(octets(query, 0, [1, 0, 0], &good()))
    });
    let long = "9".repeat(5000);
    for odd in [
        "\0",
        "\0\nsearch \0\0\n",
        "nameserver \0\nnameserver 192.0.2.1@\n",
        "options \0ndots:1\noptions ndots:99999999999999999999\n",
        "sortlist \0 /\nnameserver ::1%\n",
        "\u{7f}\n#\0\n;\0",
        &format!("options timeout:{long} attempts:{long}\nnameserver {long}\n"),
    ] {
        options.resolv_conf(&format!(
            "{odd}\nnameserver 192.0.2.53\noptions attempts:1\n"
        ));
        is_good(network.run(|| ask(NAME)));
    }
    for servers in [
        "@",
        "192.0.2.1@",
        "192.0.2.1:99999",
        "[::1",
        ":",
        "1.2.3",
        &long,
    ] {
        assert!(
            kamailio_dns::host::options::set("dns_nameservers", servers).is_err(),
            "{servers}"
        );
    }
}

/// CVE-2026-3592 (BIND): a question to very many servers.
#[test]
fn long_lists_of_servers_are_cut() {
    let _watchdog = Watchdog::start(120);
    let mut options = OptionsGuard::take();
    let asked = |network: &Network| {
        let sent = network.take_queries();
        sent.iter().map(|s| s.server).collect::<HashSet<_>>().len()
    };
    let network = Network::default();
    let list: String = (1..100)
        .map(|n| format!("nameserver 192.0.2.{n}\n"))
        .collect();
    options.resolv_conf(&list);
    assert!(matches!(network.run(|| ask(NAME)), Outcome::Failed(_)));
    assert_eq!(asked(&network), 8);
    let list: Vec<String> = (1..30).map(|n| format!("198.51.100.{n}")).collect();
    options.set("dns_nameservers", &list.join(" "));
    assert!(matches!(network.run(|| ask(NAME)), Outcome::Failed(_)));
    assert_eq!(asked(&network), 16);
}

// --- what gets into the cache

fn find(name: &str, qtype: u16) -> Result<(EntryRef, Source), LookupError> {
    lookup::entry(name.as_bytes(), RecordType(qtype), IPV4_ONLY)
}

#[track_caller]
fn addresses(name: &str) -> (Vec<String>, Source) {
    let (entry, source) = find(name, A).unwrap();
    let found = entry.records().filter_map(|record| match record {
        RecordView::A(address) => Some(address.to_string()),
        _ => None,
    });
    (found.collect(), source)
}

/// CVE-2025-11411, CVE-2026-42960, CVE-2026-50251 (unbound), CVE-2025-40778 (BIND): records that nobody asked for.
#[test]
fn records_that_were_not_asked_for_change_nothing() {
    let s = Setup::patient();
    s.server.add_all([
        Rr::a("bank.example", 300, "192.0.2.1"),
        Rr::a("later.example", 300, "192.0.2.2"),
    ]);
    assert_eq!(addresses("bank.example").0, ["192.0.2.1"]);
    let evil = |name| Rr::a(name, 86_400, "198.51.100.66");
    let reply = Reply::answer(vec![
        evil("bank.example"),
        Rr::a("evil.test", 300, "192.0.2.9"),
        evil("later.example"),
    ])
    .authority(vec![
        Rr::ns("example", 86_400, "ns.evil.test"),
        Rr::ns("", 86_400, "ns.evil.test"),
        evil("later.example"),
    ])
    .additional(vec![
        evil("bank.example"),
        evil("later.example"),
        Rr::a("ns.evil.test", 86_400, "0.0.0.0"),
    ]);
    s.server.script("evil.test", A, vec![reply]);
    assert_eq!(addresses("evil.test").0, ["192.0.2.9"]);
    assert_eq!(
        addresses("bank.example"),
        (vec!["192.0.2.1".into()], Source::Cache)
    );
    assert_eq!(
        addresses("later.example"),
        (vec!["192.0.2.2".into()], Source::Network)
    );
    // What was below the name that was asked is not asked for by anybody here, and is no server either.
    assert!(s.server.queries().iter().all(|query| query.qtype != NS));
}

/// CVE-2026-40622, CVE-2026-42955 (unbound), "ghost domains": what lives longer because others say so again.
#[test]
fn a_live_record_ends_when_it_was_to_end() {
    let s = Setup::patient();
    s.server.add(Rr::a("host.test", 60, "192.0.2.1"));
    let (first, _) = find("host.test", A).unwrap();
    let srv = Rr::srv("_sip._udp.host.test", 86_400, 1, 1, 5060, "host.test");
    let again = Rr::a("host.test", 86_400, "192.0.2.1");
    let reply = Reply::answer(vec![srv]).additional(vec![again]);
    s.server.script("_sip._udp.host.test", SRV, vec![reply]);
    find("_sip._udp.host.test", SRV).unwrap();
    let (second, source) = find("host.test", A).unwrap();
    assert_eq!(source, Source::Cache);
    assert_eq!(second.expire(), first.expire());
    clock::advance_for_tests(61_000);
    assert!(second.is_expired(clock::now_ticks()));
}

/// CVE-2024-1737, CVE-2024-11187, CVE-2026-75029 (BIND), CVE-2024-8508 (unbound): very many records at one name, or one of
/// them many times.
#[test]
fn a_set_has_an_end() {
    let s = Setup::patient();
    let many =
        (0..3000_u16).map(|n| Rr::a("many.test", 300, &format!("10.0.{}.{}", n >> 8, n & 255)));
    let reply = Reply::answer(many.collect()).truncated();
    s.server.script("many.test", A, vec![reply]);
    let (entry, _) = find("many.test", A).unwrap();
    assert!(
        (1..=250).contains(&entry.record_count()),
        "{}",
        entry.record_count()
    );

    let copies = std::iter::repeat_n(Rr::cname("alias.test", 300, "a.alias.test"), 1500);
    let address = Rr::a("a.alias.test", 300, "192.0.2.1");
    let mut answers = vec![address];
    answers.extend(copies);
    s.server
        .script("alias.test", A, vec![Reply::answer(answers).truncated()]);
    assert_eq!(addresses("alias.test").0, ["192.0.2.1"]);

    let copies = std::iter::repeat_n(Rr::a("same.test", 300, "192.0.2.1"), 1500);
    s.server.script(
        "same.test",
        A,
        vec![Reply::answer(copies.collect()).truncated()],
    );
    let (entry, _) = find("same.test", A).unwrap();
    assert_eq!(entry.record_count(), 1);
}

/// CVE-2026-19667 (BIND): a negative entry that is larger than can be read back.
#[test]
fn an_absence_with_much_behind_it_is_a_small_entry() {
    let s = Setup::patient();
    let label = "x".repeat(60);
    let long = format!("{label}.{label}.{label}.{label}.test");
    let soa = Rr::soa(&long[1..], 300, 300);
    let mut authority: Vec<Rr> = (0..400)
        .map(|n| Rr::ns(&format!("n{n}.test"), 300, &long[1..]))
        .collect();
    authority.push(Rr::soa("test", 300, 300));
    authority.extend(std::iter::repeat_n(soa, 100));
    let reply = Reply::rcode(3).authority(authority).truncated();
    s.server.script("none.test", A, vec![reply]);
    for _ in 0..2 {
        let gone = find("none.test", A).map(|_| ());
        assert!(matches!(gone, Err(LookupError::NxDomain)), "{gone:?}");
    }
    assert_eq!(
        s.server.count("none.test", A),
        2,
        "UDP, TCP, then the cache"
    );
}

/// CVE-2026-44621, CVE-2026-109125 (unbound): what many forged replies do besides being wrong.
#[test]
fn forged_replies_flush_nothing_and_end_nothing() {
    let s = Setup::patient();
    s.server.add(Rr::a("kept.test", 300, "192.0.2.1"));
    assert_eq!(addresses("kept.test").1, Source::Network);
    let forged = || Reply::answer(vec![Rr::a("asked.test", 300, "198.51.100.66")]);
    let flood = (0..600).fold(forged().wrong_id(), |flood, n| {
        let wrong = match n % 3 {
            0 => forged().wrong_id(),
            1 => forged().wrong_question("other.test"),
            _ => forged().wrong_source(),
        };
        wrong.then(flood)
    });
    let good = Reply::answer(vec![Rr::a("asked.test", 300, "192.0.2.2")]);
    s.server.script("asked.test", A, vec![flood, good]);
    assert_eq!(addresses("asked.test").0, ["192.0.2.2"]);
    // Somebody is guessing, so it was asked for where he cannot guess.
    let tcp: Vec<bool> = s.server.queries().iter().map(|query| query.tcp).collect();
    assert_eq!(tcp, [false, false, true]);
    let kept = addresses("kept.test");
    assert_eq!(kept, (vec!["192.0.2.1".into()], Source::Cache));
}

// --- the list

/// docs/security-cases.md names tests that exist, all that are here, and each case once.
#[test]
fn the_list_names_these_tests() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap_or_default();
    let list = read("docs/security-cases.md");
    let tests: HashSet<(&str, &str)> = list
        .split('`')
        .filter_map(|quoted| quoted.split_once("::"))
        .collect();
    assert!(tests.len() > 30, "{tests:?}");
    for (file, test) in &tests {
        assert!(
            read(file).contains(&format!("fn {test}(")),
            "{file}: no {test}"
        );
    }
    for line in include_str!("cve.rs").lines() {
        let name = line
            .strip_prefix("fn ")
            .and_then(|rest| rest.split_once("() {"));
        if let Some((test, _)) = name.filter(|(test, _)| *test != "the_list_names_these_tests") {
            assert!(
                tests.contains(&("tests/cve.rs", test)),
                "not listed: {test}"
            );
        }
    }
    let mut cases: Vec<&str> = list
        .match_indices("CVE-20")
        .map(|(at, _)| &list[at..])
        .map(|rest| {
            rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                .next()
                .unwrap()
        })
        .filter(|case| case.len() > 10)
        .collect();
    let all = cases.len();
    cases.sort_unstable();
    cases.dedup();
    assert_eq!(cases.len(), all, "a case stands twice");
    assert!(all > 100, "{all}");
}
