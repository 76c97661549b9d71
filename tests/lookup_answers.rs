//! What of an answer is believed and kept, what counts as absence and what as failure, and which names are asked.
#![allow(unsafe_code, reason = "calls the C interface")]
#![cfg(feature = "use_dns_cache")]

mod support;

use std::ffi::{CStr, CString, c_char, c_int, c_uchar};
use std::sync::atomic::{AtomicBool, Ordering};

use kamailio_dns::cache::RecordView;
use kamailio_dns::error::LookupError;
use kamailio_dns::ffi::cache::{dns_cache_add_record, dns_cache_flush, dns_set_local_ttl};
use kamailio_dns::ffi::records::{free_rdata_list, get_record};
use kamailio_dns::ffi::types::{cname_rdata, rdata};
use kamailio_dns::host::clock::{self, advance_for_tests};
use kamailio_dns::host::counters::{Counter, value};
use kamailio_dns::host::hooks;
use kamailio_dns::lookup::{self, RecordEdit, uncached};
use kamailio_dns::resolver::is_search_suffix;
use kamailio_dns::rr::RecordType;
use kamailio_dns::select::sip_host::{self, Way};
use support::walks::{
    Bench, Call, NAPTR_V4, UDP, V4, c_str, cache, cached, entries_of, first, host_way, naptr,
    target,
};
use support::{A, AAAA, CNAME, NAPTR, Reply, Rr, SRV, TXT, Watchdog};

fn types_of(list: *const rdata) -> Vec<u16> {
    let mut types = Vec::new();
    let mut node = list;
    // SAFETY: NULL or a record of a list that the caller still has to free.
    while let Some(record) = unsafe { node.as_ref() } {
        types.push(record.r#type);
        node = record.next;
    }
    types
}

/// Says "no" without saying why.
unsafe extern "C" fn refusing_search(
    _: *const c_char,
    _: c_int,
    _: c_int,
    _: *mut c_uchar,
    _: c_int,
) -> c_int {
    -1
}

/// Octets of a search-list CNAME must be neither cut nor written beyond it, whichever record is first.
#[test]
fn search_list_alias_is_whole() {
    let mut bench = Bench::new();
    bench
        .options
        .resolv_conf("search corp.example\noptions timeout:1 attempts:2\n");
    let long = "a".repeat(60);
    let other = format!("{long}.{long}.{long}.corp.example");
    let cases = [("b04short", "x.corp.example"), ("b04long", other.as_str())];
    for (short, head) in cases {
        let expanded = format!("{short}.corp.example");
        let records = vec![
            Rr::a(head, 60, "192.0.2.99"),
            Rr::a(&expanded, 60, "192.0.2.4"),
        ];
        bench.server.answer(&expanded, A, records);
        let name = CString::new(short).unwrap();
        // SAFETY: a NUL-terminated name.
        let list = unsafe { get_record(name.as_ptr().cast_mut(), A.into(), 0) };
        // SAFETY: NULL or a list that is freed below.
        let head = unsafe { list.as_ref() }.expect("a list");
        assert_eq!(head.r#type, CNAME);
        assert_eq!(usize::from(head.name_len), short.len());
        // SAFETY: owner names are NUL-terminated.
        let owner = unsafe { CStr::from_ptr((&raw const head.name).cast()) };
        assert_eq!(owner.to_str(), Ok(short));
        let data: *const cname_rdata = head.rdata.cast();
        // SAFETY: a CNAME record has this data.
        let length = unsafe { (*data).name_len };
        // SAFETY: as above.
        let alias = unsafe { &raw const (*data).name };
        // SAFETY: it is NUL-terminated.
        let alias = unsafe { CStr::from_ptr(alias.cast()) };
        assert_eq!(usize::from(length), expanded.len());
        assert_eq!(alias.to_str(), Ok(expanded.as_str()));
        // SAFETY: the list from above, not used any more.
        unsafe { free_rdata_list(list) };
        assert_eq!(
            first(short, 5060, UDP, V4),
            Ok(target("192.0.2.4", 5060, UDP))
        );
    }
}

/// A list of one type must hold nothing else, whatever the search list added.
#[test]
fn one_type_means_one_type() {
    let mut bench = Bench::new();
    bench
        .options
        .resolv_conf("search corp.example\noptions timeout:1 attempts:2\n");
    let long = "b05-a-name-of-more-than-thirty-six-characters";
    for short in ["b05", long] {
        let expanded = format!("{short}.corp.example");
        for record in [
            naptr(&expanded, 1, "SIP+D2U", "_sip._udp.x.example"),
            Rr::srv(&expanded, 60, 1, 1, 5060, "h.corp.example"),
            Rr::aaaa(&expanded, 60, "2001:db8::5"),
        ] {
            let rtype = record.rtype;
            let more = vec![Rr::a(&expanded, 60, "192.0.2.5")];
            let reply = Reply::answer(vec![record]).additional(more);
            bench.server.script(&expanded, rtype, vec![reply]);
        }
        for rtype in [NAPTR, SRV, AAAA] {
            for more in [1, 1 | 2] {
                let name = CString::new(short).unwrap();
                // SAFETY: a NUL-terminated name.
                let list = unsafe { get_record(name.as_ptr().cast_mut(), rtype.into(), more) };
                assert_eq!(types_of(list), [rtype], "{short} {rtype}");
                // SAFETY: the list from above.
                unsafe { free_rdata_list(list) };
            }
        }
    }
}

/// What an answer says about somebody else's names must not be kept, nor replace what is.
#[test]
fn foreign_names_are_not_believed() {
    let mut bench = Bench::new();
    let bank = "sip.bank.example";
    let forged = || Rr::a(bank, 86400, "203.0.113.66");
    let good = target("192.0.2.6", 5060, UDP);
    bench.server.add(Rr::a(bank, 600, "192.0.2.6"));
    // By SRV target, from a service name, also one that looks like a service of the parent.
    for owner in ["_sip._udp.evil.test", "_sip._udp._a._b.example"] {
        let srv = Rr::srv(owner, 600, 1, 1, 5060, bank);
        let reply = Reply::answer(vec![srv]).additional(vec![forged()]);
        bench.server.script(owner, SRV, vec![reply]);
    }
    // By NAPTR replacement.
    let foreign = "_sip._udp.bank.example";
    let reply = Reply::answer(vec![naptr("n.evil.test", 1, "SIP+D2U", foreign)]).additional(vec![
        Rr::srv(foreign, 86400, 1, 1, 6666, "h.evil.test"),
        Rr::a("h.evil.test", 86400, "203.0.113.66"),
        forged(),
    ]);
    bench.server.script("n.evil.test", NAPTR, vec![reply]);
    bench.server.add(Rr::srv(foreign, 600, 1, 1, 5060, bank));
    // By CNAME in the answer.
    let alias = vec![Rr::cname("c.evil.test", 600, bank), forged()];
    bench.server.answer("c.evil.test", A, alias);
    // By additional data of an address.
    let reply = Reply::answer(vec![Rr::a("a.evil.test", 600, "203.0.113.1")]);
    bench
        .server
        .script("a.evil.test", A, vec![reply.additional(vec![forged()])]);

    for rec_pref in ["0", "1", "2", "3"] {
        for known_before in [false, true] {
            bench.options.set("dns_cache_rec_pref", rec_pref);
            cache().flush(true);
            if known_before {
                assert_eq!(first(bank, 5060, UDP, V4).as_ref(), Ok(&good));
            }
            let by = [
                first("evil.test", 0, UDP, V4),
                first("_a._b.example", 0, UDP, V4),
                first("n.evil.test", 0, 0, NAPTR_V4),
                first("c.evil.test", 5060, UDP, V4),
            ];
            for found in by {
                assert_eq!(found.as_ref(), Ok(&good), "rec_pref {rec_pref}");
            }
            assert!(first("a.evil.test", 5060, UDP, V4).is_ok());
            assert_eq!(first(bank, 5060, UDP, V4).as_ref(), Ok(&good));
            let forged_address = cache().entries().any(|e| {
                e.name().eq_ignore_ascii_case(bank.as_bytes())
                    && e.records()
                        .any(|r| r != RecordView::A([192, 0, 2, 6].into()))
            });
            assert!(!forged_address);
        }
    }
}

/// A failure to resolve must neither count nor be kept as proof that a name does not exist.
#[test]
fn failures_are_not_absence() {
    let bench = Bench::impatient();
    let broken = || Reply::raw(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 3, b'x']);
    let failures = [
        ("servfail.b09.test", Reply::servfail()),
        ("refused.b09.test", Reply::rcode(5)),
        ("notimp.b09.test", Reply::rcode(4)),
        ("timeout.b09.test", Reply::dropped()),
        ("broken.b09.test", broken()),
    ];
    for (name, reply) in failures {
        bench.server.script(name, A, vec![reply]);
        let error = lookup::entry(name.as_bytes(), RecordType::A, V4)
            .map(|_| ())
            .unwrap_err();
        assert!(matches!(error, LookupError::Failed(_)), "{name}: {error:?}");
        // What is remembered of it is a failure, too.
        let again = lookup::entry(name.as_bytes(), RecordType::A, V4).map(|_| ());
        assert!(
            matches!(again, Err(LookupError::Failed(_))),
            "{name}: {again:?}"
        );
        // Healthy again a moment later.
        bench
            .server
            .answer(name, A, vec![Rr::a(name, 60, "192.0.2.9")]);
        advance_for_tests(5_000);
        assert_eq!(
            first(name, 5060, UDP, V4),
            Ok(target("192.0.2.9", 5060, UDP))
        );
    }
}

/// Absence must not be kept for longer than the zone says.
#[test]
fn absence_is_kept_as_long_as_the_zone_says() {
    let bench = Bench::new();
    bench.server.negative_ttl(3600, 20);
    for name in ["nx.b09.test", "nodata.b09.test"] {
        if name.starts_with("nodata") {
            bench.server.add(Rr::txt(name, 60, &["x"]));
        }
        let ask = || lookup::entry(name.as_bytes(), RecordType::A, V4).map(|_| ());
        let absent = ask().unwrap_err();
        assert!(matches!(
            absent,
            LookupError::NxDomain | LookupError::NoData
        ));
        advance_for_tests(15_000);
        assert_eq!(ask(), Err(absent));
        assert_eq!(bench.server.count(name, A), 1);
        advance_for_tests(10_000);
        assert_eq!(ask(), Err(absent));
        assert_eq!(bench.server.count(name, A), 2);
    }
}

/// Lookups of one name at the same time must not leave several entries of it, nor must refreshes.
#[test]
fn one_entry_for_one_name() {
    let bench = Bench::new();
    let name = "b11.test";
    let srv = "_sip._udp.b11.test";
    let reply = Reply::answer(vec![Rr::srv(srv, 30, 1, 1, 5060, "h.b11.test")])
        .additional(vec![Rr::a("h.b11.test", 600, "192.0.2.11")])
        .delay_ms(200);
    bench.server.script(srv, SRV, vec![reply]);
    bench.server.add(Rr::a("h.b11.test", 600, "192.0.2.11"));
    let workers: Vec<_> = (0..6)
        .map(|_| std::thread::spawn(move || first(name, 0, UDP, V4)))
        .collect();
    for worker in workers {
        assert_eq!(worker.join().unwrap(), Ok(target("192.0.2.11", 5060, UDP)));
    }
    for _ in 0..3 {
        assert_eq!(entries_of(srv, RecordType::SRV), 1);
        assert_eq!(entries_of("h.b11.test", RecordType::A), 1);
        advance_for_tests(31_000);
        assert!(first(name, 0, UDP, V4).is_ok());
    }
}

/// A CNAME that leaves the cache while its target is asked for must not take its text along.
#[test]
fn alias_may_go_while_its_target_is_asked() {
    let bench = Bench::new();
    let (alias, host) = ("alias.b15.test", "target-of-the-alias.b15.test");
    for ttl in [0, 1, 600] {
        cache().flush(true);
        bench.server.clear_queries();
        bench
            .server
            .answer(alias, A, vec![Rr::cname(alias, ttl, host)]);
        let slow = Reply::answer(vec![Rr::a(host, 600, "192.0.2.15")]).delay_ms(300);
        bench.server.script(host, A, vec![slow]);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while bench.server.count(host, A) == 0 && !stop.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                }
                // SAFETY: always safe to call.
                unsafe { dns_cache_flush(1) };
                for i in 0..300 {
                    let name = format!("x{i}-reuses-the-memory.b15.test");
                    let edit = RecordEdit {
                        name: name.as_bytes(),
                        ttl: 60,
                        value: b"198.51.100.15",
                        priority: 0,
                        weight: 0,
                        port: 0,
                        negative: false,
                        permanent: false,
                    };
                    lookup::add_record(RecordType::A, &edit).unwrap();
                }
            });
            let found = lookup::entry(alias.as_bytes(), RecordType::A, V4);
            stop.store(true, Ordering::Relaxed);
            let (entry, _) = found.unwrap();
            assert_eq!(entry.name(), host.as_bytes());
            assert_eq!(entry.record(0), Some(RecordView::A([192, 0, 2, 15].into())));
        });
        assert_eq!(bench.server.count(host, A), 1);
        assert!(cached(host, RecordType::A).is_some());
    }
}

/// A record that cannot be used, or too many of them, must not cost the ones that can.
#[test]
fn good_records_survive_bad_ones() {
    let bench = Bench::new();
    let good = |name: &str| Rr::a(name, 600, "192.0.2.24");
    let odd = |i: usize, name: &str| match i {
        0 => Rr::raw(name, AAAA, 60, &[1, 2, 3]),
        1 => Rr::raw(name, SRV, 60, &[0, 1]),
        2 => Rr::raw(name, TXT, 60, &[200, b'x']),
        3 => Rr::raw(name, TXT, 60, &[]),
        4 => Rr::raw(name, NAPTR, 60, &[0; 3]),
        5 => Rr::raw(name, 46, 60, &[0; 30]),
        6 => Rr::raw(name, 65, 60, &[0, 1, 0]),
        _ => Rr::raw(name, A, 60, &[192, 0]),
    };
    for i in 0..8 {
        for in_answer in [false, true] {
            let name = format!("odd{i}{in_answer}.b24.test");
            let (before, extra) = if in_answer {
                (vec![odd(i, &name), good(&name), odd(i, &name)], vec![])
            } else {
                (vec![good(&name)], vec![odd(i, &name), good(&name)])
            };
            let reply = Reply::answer(before).additional(extra);
            bench.server.script(&name, A, vec![reply]);
            let found = first(&name, 5060, UDP, V4);
            assert_eq!(found, Ok(target("192.0.2.24", 5060, UDP)), "{name}");
        }
    }
    // 101 records, and more than 8192 octets.
    for count in [101, 240] {
        let name = format!("a-rather-long-name-for-many-{count}-records.b24.test");
        let set = (0..count).map(|i| Rr::a(&name, 600, &format!("10.24.0.{i}")));
        let reply = Reply::answer(set.collect()).truncated();
        bench.server.script(&name, A, vec![reply]);
        let (targets, _) = Call::new(5060, UDP, V4).walk(&name);
        assert_eq!(targets.len(), count);
    }
}

/// A reply must not be taken for an answer unless it answers the question.
#[test]
fn replies_must_fit_the_question() {
    let bench = Bench::impatient();
    let forged = |name: &str| Rr::a(name, 600, "203.0.113.66");
    let replies = |name: &str| {
        let answer = Reply::answer(vec![forged(name)]);
        [
            ("no reply bit", answer.clone().flags(0x0180)),
            (
                "another question",
                answer.clone().wrong_question("other.b25.test"),
            ),
            ("another id", answer.clone().wrong_id()),
            ("another server", answer.clone().wrong_source()),
            ("no question", answer.no_question()),
            (
                "another class",
                Reply::answer(vec![forged(name).with_class(3)]),
            ),
            (
                "another owner",
                Reply::answer(vec![forged("other.b25.test")]),
            ),
        ]
    };
    for i in 0..replies("").len() {
        let name = format!("wrong{i}.b25.test");
        let (what, reply) = replies(&name)[i].clone();
        // By itself it resolves nothing and proves nothing; a right one behind it is used.
        bench.server.script(&name, A, vec![reply.clone()]);
        let error = lookup::entry(name.as_bytes(), RecordType::A, V4).map(|_| ());
        assert!(
            matches!(error, Err(LookupError::Failed(_) | LookupError::NoData)),
            "{what}: {error:?}"
        );
        if i < 5 {
            advance_for_tests(5_000);
            let right = Reply::answer(vec![Rr::a(&name, 60, "192.0.2.25")]);
            bench.server.script(&name, A, vec![reply.then(right)]);
            let found = first(&name, 5060, UDP, V4);
            assert_eq!(found, Ok(target("192.0.2.25", 5060, UDP)), "{what}");
        }
    }
    let name = "nx.b25.test";
    let reply = Reply::answer(vec![forged(name)]).flags(0x8183);
    bench.server.script(name, A, vec![reply]);
    assert!(first(name, 5060, UDP, V4).is_err());
}

/// A name with a trailing dot must resolve, and from the cache the second time.
#[test]
fn trailing_dot_resolves() {
    let bench = Bench::new();
    bench.server.add_all([
        Rr::a("host.b33.test", 600, "192.0.2.33"),
        Rr::srv("_sip._udp.b33.test", 600, 1, 1, 5070, "host.b33.test"),
        naptr("b33.test", 1, "SIP+D2U", "_sip._udp.b33.test"),
    ]);
    for _ in 0..2 {
        assert_eq!(
            first("host.b33.test.", 5060, UDP, V4),
            Ok(target("192.0.2.33", 5060, UDP))
        );
        for request_flags in [V4, NAPTR_V4] {
            assert_eq!(
                first("b33.test.", 0, 0, request_flags),
                Ok(target("192.0.2.33", 5070, UDP))
            );
        }
        assert!(sip_host::host(b"host.b33.test.", V4).is_some());
    }
    assert_eq!(bench.server.count("host.b33.test", A), 1);
    assert_eq!(bench.server.count("_sip._udp.b33.test", SRV), 1);
    assert_eq!(bench.server.count("b33.test", NAPTR), 1);
    // With and without the dot it is one name.
    assert!(first("host.b33.test", 5060, UDP, V4).is_ok());
    assert_eq!(bench.server.count("host.b33.test", A), 1);
    assert!(cached("host.b33.test", RecordType::A).is_some());
}

/// A seventh search domain, and those after it, must be as good as the first.
#[test]
fn all_search_domains_count() {
    let mut bench = Bench::new();
    let domains: Vec<String> = (1..=9).map(|i| format!("d{i}.b43.test")).collect();
    let text = format!(
        "search {}\noptions timeout:1 attempts:2\n",
        domains.join(" ")
    );
    bench.options.resolv_conf(&text);
    for (i, domain) in domains.iter().enumerate() {
        let short = format!("only{i}");
        bench
            .server
            .add(Rr::a(&format!("{short}.{domain}"), 600, "192.0.2.43"));
        assert!(is_search_suffix(domain.as_bytes()), "{domain}");
        assert_eq!(
            first(&short, 5060, UDP, V4),
            Ok(target("192.0.2.43", 5060, UDP)),
            "{domain}"
        );
    }
}

/// The TTL override must end when it is taken back, and must not touch what was fetched without it.
#[test]
fn ttl_override_ends() {
    let bench = Bench::new();
    let seconds = |name: &str| {
        bench.server.add(Rr::a(name, 100, "192.0.2.44"));
        first(name, 5060, UDP, V4).unwrap();
        let entry = cached(name, RecordType::A).unwrap();
        clock::seconds_until(entry.expire(), clock::now_ticks())
    };
    let set = |ttl| {
        // SAFETY: always safe to call.
        unsafe { dns_set_local_ttl(ttl) };
    };
    assert!((98..=100).contains(&seconds("before.b44.test")));
    set(5000);
    assert!((4998..=5000).contains(&seconds("with.b44.test")));
    assert!((98..=100).contains(&seconds("before.b44.test")));
    set(0);
    assert!((98..=100).contains(&seconds("after.b44.test")));
    set(-7);
    assert!((98..=100).contains(&seconds("negative.b44.test")));
}

/// An answer that a swapped search function withholds (bogus signatures) must not count as absence.
#[test]
fn swapped_search_failure_is_no_absence() {
    let bench = Bench::new();
    bench.server.add(Rr::a("b45.test", 600, "192.0.2.45"));
    let own = hooks::current();
    hooks::replace(hooks::dns_func_t {
        sr_res_search: Some(refusing_search),
        ..own
    });
    let refused = lookup::entry(b"b45.test", RecordType::A, V4).map(|_| ());
    hooks::replace(own);
    assert!(
        matches!(refused, Err(LookupError::Failed(_))),
        "{refused:?}"
    );
    advance_for_tests(5_000);
    let found = first("b45.test", 5060, UDP, V4);
    assert_eq!(found, Ok(target("192.0.2.45", 5060, UDP)));
}

/// A lookup that failed must be counted once, whatever the reason and whatever way it took.
#[test]
fn failures_count_once() {
    let bench = Bench::impatient();
    let counted = |work: &dyn Fn()| {
        let before = value(Counter::FailedRequest);
        work();
        value(Counter::FailedRequest) - before
    };
    let cut = Reply::answer(vec![Rr::a("cut.b48.test", 60, "192.0.2.48")]).cut(40);
    bench.server.script("cut.b48.test", A, vec![cut]);
    for name in ["cut.b48.test", "none.b48.test"] {
        let through = counted(&|| assert!(first(name, 5060, UDP, V4).is_err()));
        assert_eq!(through, 1, "{name}");
        let list = counted(&|| {
            let list = uncached::record_list(name.as_bytes(), RecordType::A, true, false);
            assert!(list.is_err());
        });
        assert_eq!(list, 1, "{name}");
    }
    for way in [Way::UncachedSrv, Way::UncachedNaptr] {
        let past = counted(&|| {
            assert!(host_way("x.b48.test", (5060, 0), way, &[]).is_none());
        });
        assert_eq!(past, 1, "{way:?}");
    }
    bench.server.add(Rr::a("good.b48.test", 60, "192.0.2.48"));
    let good = counted(&|| assert!(first("good.b48.test", 5060, UDP, V4).is_ok()));
    assert_eq!(good, 0);
}

/// The length of a record's data must be believed, also where the data is a name.
#[test]
fn data_length_is_respected() {
    let bench = Bench::impatient();
    let full = support::wire::name("h.b53.test");
    let mut srv = vec![0, 1, 0, 1, 0x13, 0xc4];
    srv.extend(&full);
    let bad_cname = [&[][..], &full[..4], &[full.clone(), vec![0]].concat()].map(<[u8]>::to_vec);
    for (i, rdata) in bad_cname.iter().enumerate() {
        let name = format!("c{i}.b53.test");
        let bad = Rr::raw(&name, CNAME, 600, rdata);
        // What follows would be read as the name if the length were not looked at.
        let records = vec![bad, Rr::a("h.b53.test", 600, "192.0.2.66")];
        bench.server.answer(&name, A, records);
        assert!(first(&name, 5060, UDP, V4).is_err(), "CNAME {i}");
        assert!(cached(&name, RecordType::CNAME).is_none());
    }
    for (i, rdata) in [&srv[..7], &srv[..srv.len() - 1]].into_iter().enumerate() {
        let name = format!("s{i}.b53.test");
        let owner = format!("_sip._udp.{name}");
        bench.server.answer(
            &owner,
            SRV,
            vec![
                Rr::raw(&owner, SRV, 600, rdata),
                Rr::srv(&owner, 600, 9, 1, 5070, "192.0.2.53"),
            ],
        );
        let good = [target("192.0.2.53", 5070, UDP)];
        assert_eq!(Call::new(0, UDP, V4).walk(&name).0, good, "SRV {i}");
    }
}

/// A chain of aliases must give the same result the first and the second time.
#[test]
fn alias_chains_are_treated_alike() {
    let _watchdog = Watchdog::start(120);
    let bench = Bench::new();
    for length in [1, 9, 10, 11, 12, 13] {
        let name = |i: usize| format!("c{i}.n{length}.b57.test");
        for i in 0..length {
            // One alias an answer.
            let step = vec![Rr::cname(&name(i), 600, &name(i + 1))];
            bench.server.answer(&name(i), A, step);
        }
        let end = name(length);
        bench
            .server
            .answer(&end, A, vec![Rr::a(&end, 600, "192.0.2.57")]);
        let results: Vec<_> = (0..3).map(|_| first(&name(0), 5060, UDP, V4)).collect();
        assert_eq!(results[0].is_ok(), length <= 11, "{length} aliases");
        assert!(results.iter().all(|r| *r == results[0]), "{results:?}");
    }
    // Loops end, and are not asked for again and again within one lookup.
    bench.server.answer(
        "l1.b57.test",
        A,
        vec![Rr::cname("l1.b57.test", 600, "l2.b57.test")],
    );
    bench.server.answer(
        "l2.b57.test",
        A,
        vec![Rr::cname("l2.b57.test", 600, "l1.b57.test")],
    );
    for _ in 0..3 {
        assert!(first("l1.b57.test", 5060, UDP, V4).is_err());
    }
    assert_eq!(bench.server.count("l1.b57.test", A), 1);
    assert_eq!(bench.server.count("l2.b57.test", A), 1);
}

/// Names that are too long must be refused, not stored with another length.
#[test]
fn long_names_are_refused() {
    let _bench = Bench::new();
    let add = |rtype: u16, name: &str, value: &str| {
        let (mut name, mut value) = (c_str(name), c_str(value));
        // SAFETY: texts that live during the call.
        unsafe { dns_cache_add_record(rtype, &raw mut name, 60, &raw mut value, 1, 1, 5060, 0) }
    };
    let longest = "a".repeat(255);
    for length in [256, 257, 300, 511, 512, 70_000] {
        let long = "a".repeat(length);
        assert_eq!(add(A, &long, "192.0.2.58"), -1, "{length}");
        assert_eq!(add(SRV, "_sip._udp.b58.test", &long), -1, "{length}");
    }
    assert_eq!(cache().usage().entries, 0);
    assert_eq!(add(A, &longest, "192.0.2.58"), 0);
    assert!(cached(&longest, RecordType::A).is_some());
    assert_eq!(add(SRV, "_sip._udp.b58.test", &longest), 0);
    assert_eq!(add(A, "", "192.0.2.58"), -1);
    assert_eq!(add(A, "empty.b58.test", ""), -1);
}
