//! Minor known defects of the C original: none of them is here.
//!
//! Where the tests of all known defects are, by number. `s1` to `s4` are the programs `bugs_s1` to
//! `bugs_s4`; other places are named. "Callers" means code of the host that only uses the library.
//!
//! | defect | tests |
//! |---|---|
//! | B01 | s1 `b01_naptr_references_are_balanced` |
//! | B02 | s1 `b02_many_srv_records_without_addresses_end`, `b02_many_addresses_are_given_once` |
//! | B03 | s1 `b03_unusable_naptr_and_an_address_end`, `b03_the_end_stays_the_end` |
//! | B04 | s1 `b04_search_list_alias_is_whole` |
//! | B05 | s1 `b05_one_type_means_one_type`; src/lookup/uncached.rs `b05_only_type_never_gives_a_cname` |
//! | B06 | s1 `b06_foreign_names_are_not_believed` |
//! | B07 | s1 `b07_failed_view_holds_no_lock` |
//! | B08 | s1 `b08_entries_in_use_outlive_their_removal`, `b08_editing_an_entry_in_use_works` |
//! | B09 | s1 `b09_failures_are_not_absence`, `b09_absence_is_kept_as_long_as_the_zone_says` |
//! | B10 | s1 `b10_one_call_does_not_disable_naptr_for_others` |
//! | B11 | s1 `b11_one_entry_for_one_name`: only that lookups at the same time leave one entry. A lookup blocks its caller, the interface has no other form; processes that ask at the same time each send a query |
//! | B12 | s2 `b12_explicit_port_is_kept` |
//! | B13 | s2 `b13_no_naptr_with_port_or_transport` |
//! | B14 | s2 `b14_failover_stays_with_the_first_name` |
//! | B15 | s1 `b15_alias_may_go_while_its_target_is_asked` |
//! | B16 | s1 `b16_update_of_a_full_cache_keeps_the_old_or_the_new` |
//! | B17 | s2 `b17_no_reference_stays` |
//! | B18 | s2 `b18_root_target_is_a_refusal` |
//! | B19 | s2 `b19_dead_srv_targets_lend_no_port` |
//! | B20 | s2 `b20_literals_are_read_exactly` |
//! | B21 | s3 `b21_large_ttls_last` |
//! | B22 | s2 `b22_ttl_zero_srv_is_used` |
//! | B23 | s2 `b23_no_address_twice` |
//! | B24 | s2 `b24_good_records_survive_bad_ones` |
//! | B25 | s2 `b25_replies_must_fit_the_question`; src/lookup/uncached.rs `b25_strangers_are_left_out` |
//! | B26 | s3 `b26_edits_do_not_follow_aliases` |
//! | B27 | s2 `b27_port_and_transport_fit` |
//! | B28 | s2 `b28_transport_list_is_sound` |
//! | B29 | s2 `b29_naptr_without_a_cache` |
//! | B30 | s2 `b30_uncached_naptr_uses_its_own_srv` |
//! | B31 | s3 `b31_switched_off_cache_is_not_used` |
//! | B32 | s2 `b32_every_record_gets_load`; src/select/srv.rs `b32_zero_weights`, `b32_large_groups` |
//! | B33 | s2 `b33_trailing_dot_resolves` |
//! | B34 | s2 `b34_memory_limit_holds_and_others_still_fit` |
//! | B35 | s3 `b35_edits_leave_nothing_behind` |
//! | B36 | `c_tests/rpc.c`: the replies are structs with named fields |
//! | B37 | s3 `b37_naptr_fields_have_names_of_their_own` |
//! | B38 | s2 `b38_unanswered_queries_do_not_downgrade` |
//! | B39 | s3 `b39_choice_of_a_stateless_proxy_can_be_repeated`: what the library offers; callers have to give the seed |
//! | B40 | s4 `b40_ipv6_only_asks_for_no_a` |
//! | B41 | s4 `b41_init_means_what_it_says`; a timer that cannot be armed exists only inside the host |
//! | B42 | s4 `b42_refused_entries_leave_no_memory_in_use` |
//! | B43 | s4 `b43_all_search_domains_count` |
//! | B44 | s4 `b44_ttl_override_ends`: the override of a process ends when it is taken back; who does not take it back is a caller |
//! | B45 | defects in callers, out of reach from here; s3 `b45_swapped_search_failure_is_no_absence` for the module that swaps `dns_func`, s1 `b05_...` for callers that do not look at types |
//! | B46 | s3 `b46_releasing_entries_logs_nothing` |
//! | B47 | s3 `b47_new_data_leaves_other_names_alone` |
//! | B48 | s4 `b48_failures_count_once`; a name that cannot be asked for is no failed request |
//! | B49 | s4 `b49_threads_do_not_share_results` |
//! | B50 | s4 `b50_port_without_transport_variable` |
//! | B51 | s4 `b51_websocket_without_port` |
//! | B52 | src/select/naptr.rs `b52_all_records_are_considered` |
//! | B53 | s4 `b53_data_length_is_respected` |
//! | B54 | s4 `b54_naptr_order_can_be_followed` |
//! | B55 | s4 `b55_records_replace_absence` |
//! | B56 | s4 `b56_excluded_family_is_one_error` |
//! | B57 | s4 `b57_alias_chains_are_treated_alike` |
//! | B58 | s4 `b58_long_names_are_refused` |
//! | B59 | s4 `b59_failures_write_nothing` |
//! | B60 | none: that `/etc/hosts` and its like count only past the cache is how the original is documented, and kept |
#![allow(unsafe_code, reason = "calls the C interface")]

mod bugs;
mod support;

use std::ffi::c_int;
use std::net::Ipv4Addr;

use bugs::{Bench, Call, NAPTR_V4, TLS, UDP, V4, c_str, cache, cached, entries_of, first};
use bugs::{host_way, host_way_found, target, walk};
use kamailio_dns::cache::{
    Cache, Conflict, Draft, DraftData, DraftRecord, InsertError, NegativeKind,
};
use kamailio_dns::error::LookupError;
use kamailio_dns::ffi::cache::{dns_cache_add_record, dns_get_he, dns_get_ip, dns_set_local_ttl};
use kamailio_dns::ffi::handle::{dns_sip_resolve, dns_srv_handle_put};
use kamailio_dns::ffi::init::{destroy_dns_cache, dns_gc_run, init_dns_cache};
use kamailio_dns::ffi::literal::str2ip;
use kamailio_dns::ffi::types::{dns_srv_handle, ip_addr};
use kamailio_dns::host::clock;
use kamailio_dns::host::counters::{Counter, value};
use kamailio_dns::lookup::{self, uncached};
use kamailio_dns::resolver::is_search_suffix;
use kamailio_dns::rr::{RData, RecordType};
use kamailio_dns::select::sip_host::{self, Way};
use kamailio_dns::select::{SelectError, Transport, flags, handle};
use support::{A, CNAME, Reply, Rr, SRV, Watchdog};

const ALL_WAYS: [Way; 6] = [
    Way::CachedSrv,
    Way::CachedSrvList,
    Way::CachedNaptr,
    Way::UncachedSrv,
    Way::UncachedSrvList,
    Way::UncachedNaptr,
];

/// "IPv6 only" must mean that no A record is asked for, at the first step and at all others.
#[test]
fn b40_ipv6_only_asks_for_no_a() {
    let bench = Bench::new();
    bench.server.add_all([
        Rr::a("both.b40.test", 600, "192.0.2.40"),
        Rr::aaaa("both.b40.test", 600, "2001:db8::1"),
        Rr::aaaa("both.b40.test", 600, "2001:db8::2"),
        Rr::a("four.b40.test", 600, "192.0.2.40"),
    ]);
    for request_flags in [2, 3, 6, 7] {
        cache().flush(true);
        let (targets, _) = Call::new(5060, UDP, request_flags).walk("both.b40.test");
        let expected = ["2001:db8::1", "2001:db8::2"].map(|a| target(a, 5060, UDP));
        assert_eq!(targets, expected, "flags {request_flags}");
        let none = first("four.b40.test", 5060, UDP, request_flags);
        assert_eq!(none, Err(SelectError::NoIp));
        assert!(sip_host::host(b"four.b40.test", request_flags).is_none());
    }
    assert!(bench.server.queries().iter().all(|q| q.qtype != A));
}

/// The init function must say the truth: after success the cache works, after the end nothing breaks.
#[test]
fn b41_init_means_what_it_says() {
    let bench = Bench::new();
    bench.server.add(Rr::a("b41.test", 600, "192.0.2.41"));
    for _ in 0..3 {
        // SAFETY: no other thread uses the library now.
        assert_eq!(unsafe { init_dns_cache() }, 0);
        assert!(Cache::instance().is_some());
        assert!(first("b41.test", 5060, UDP, V4).is_ok());
        assert!(cached("b41.test", RecordType::A).is_some());
        // SAFETY: as above.
        unsafe { destroy_dns_cache() };
        // SAFETY: as above.
        unsafe { destroy_dns_cache() };
        let mut text = c_str("192.0.2.141");
        let mut ip = no_address();
        // SAFETY: variables of this function.
        assert_eq!(unsafe { dns_get_ip(&raw mut text, &raw mut ip, 0) }, 0);
        // SAFETY: as above.
        assert!(!unsafe { dns_get_he(&raw mut text, 0) }.is_null());
        // SAFETY: always safe to call.
        assert_eq!(unsafe { dns_gc_run() }, -1);
        assert_eq!(
            lookup::entry(b"b41.test", RecordType::A, V4).map(|_| ()),
            Err(LookupError::NoCache)
        );
    }
    // SAFETY: as above.
    assert_eq!(unsafe { init_dns_cache() }, 0);
}

fn no_address() -> ip_addr {
    ip_addr {
        af: 0,
        len: 0,
        u: [0; 16],
    }
}

/// A set that finds no memory must leave none in use.
#[test]
fn b42_refused_entries_leave_no_memory_in_use() {
    let cache = Cache::for_tests(96 * 1024, false).unwrap();
    let now = clock::now_ticks();
    let rdata = RData::A(Ipv4Addr::LOCALHOST);
    let records = [DraftRecord {
        ttl: 600,
        rdata: &rdata,
    }; 20];
    let insert = |number: usize| {
        let name = format!("name{number}.b42.test");
        let draft = Draft {
            name: name.as_bytes(),
            rtype: RecordType::A,
            data: DraftData::Records(&records),
            permanent: true,
            negative_ttl: 0,
        };
        cache.insert(&draft, Conflict::Replace, now).map(|_| ())
    };
    let filled = (0..).find(|i| insert(*i).is_err()).unwrap();
    let full = cache.usage();
    for i in 0..2000 {
        assert_eq!(insert(filled + i), Err(InsertError::Full));
    }
    assert_eq!(cache.usage(), full);
}

/// A seventh search domain, and those after it, must be as good as the first.
#[test]
fn b43_all_search_domains_count() {
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
fn b44_ttl_override_ends() {
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

/// A lookup that failed must be counted once, whatever the reason and whatever way it took.
#[test]
fn b48_failures_count_once() {
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

/// What one thread was given must not change because another thread asks, too.
#[test]
fn b49_threads_do_not_share_results() {
    let bench = Bench::new();
    for i in 0..4 {
        let (name, srv) = (format!("t{i}.b49.test"), format!("_sip._udp.t{i}.b49.test"));
        let address = format!("192.0.2.{i}");
        bench.server.add(Rr::a(&name, 0, &address));
        bench.server.add(Rr::srv(&srv, 0, 1, 1, 5070 + i, &name));
    }
    let start = std::sync::Barrier::new(4);
    std::thread::scope(|scope| {
        for i in 0..4_u8 {
            let start = &start;
            scope.spawn(move || {
                let name = format!("t{i}.b49.test");
                let literal = format!("10.0.0.{i}");
                let mut text = c_str(&literal);
                let mut host_name = c_str(&name);
                start.wait();
                for _ in 0..30 {
                    // SAFETY: a text that lives during the call.
                    let slot = unsafe { str2ip(&raw mut text) };
                    // SAFETY: as above.
                    let host = unsafe { dns_get_he(&raw mut host_name, V4 as c_int) };
                    let expected = target(&format!("192.0.2.{i}"), 5070 + u16::from(i), UDP);
                    assert_eq!(first(&name, 0, UDP, V4), Ok(expected));
                    start.wait();
                    // SAFETY: a slot of this thread, not asked for again yet.
                    let literal = unsafe { *slot };
                    assert_eq!(literal.u[..4], [10, 0, 0, i]);
                    // SAFETY: a result of this thread.
                    let list = unsafe { (*host).h_addr_list };
                    // SAFETY: a result has at least one address.
                    let octets = unsafe { *list };
                    // SAFETY: IPv4 addresses have four octets.
                    let octets = unsafe { *octets.cast::<[u8; 4]>() };
                    assert_eq!(octets, [192, 0, 2, i]);
                }
            });
        }
    });
}

/// Without a variable for the transport the port must not be 0.
#[test]
fn b50_port_without_transport_variable() {
    let bench = Bench::new();
    bench.server.add(Rr::a("b50.test", 600, "192.0.2.50"));
    for name in ["192.0.2.51", "b50.test"] {
        for _ in 0..2 {
            let mut cursor = kamailio_dns::select::Cursor::default();
            let mut port = 0;
            let found = handle::resolve(
                &mut cursor,
                name.as_bytes(),
                Some(&mut port),
                None,
                V4,
                None,
            );
            assert!(found.is_ok());
            assert_eq!(port, 5060, "{name}");
        }
        let mut memory = [0_u64; 8];
        let c_handle: *mut dns_srv_handle = memory.as_mut_ptr().cast();
        let (mut text, mut port, mut ip) = (c_str(name), 0_u16, no_address());
        // SAFETY: a zeroed handle, variables of this function.
        let result = unsafe {
            dns_sip_resolve(
                c_handle,
                &raw mut text,
                &raw mut ip,
                &raw mut port,
                std::ptr::null_mut(),
                V4 as c_int,
            )
        };
        // SAFETY: an initialised handle.
        unsafe { dns_srv_handle_put(c_handle) };
        assert_eq!((result, port), (0, 5060), "{name}");
    }
}

/// WebSocket without a port must give the same on all ways, and no error.
#[test]
fn b51_websocket_without_port() {
    let bench = Bench::new();
    let name = "b51.test";
    bench.server.add(Rr::a(name, 600, "192.0.2.51"));
    for (transport, port) in [(Transport::Ws, 80), (Transport::Wss, 443)] {
        let expected = target("192.0.2.51", port, transport as u8);
        let given = transport as u8;
        for request_flags in [V4, NAPTR_V4] {
            let found = first(name, 0, given, request_flags);
            assert_eq!(found.as_ref(), Ok(&expected));
        }
        for way in ALL_WAYS {
            let found = host_way(name, (0, given), way, &[(name, "192.0.2.51")]);
            assert_eq!(found.as_ref(), Some(&expected), "{way:?}");
        }
    }
    assert!(bench.server.queries().iter().all(|q| q.qtype != SRV));
}

/// The length of a record's data must be believed, also where the data is a name.
#[test]
fn b53_data_length_is_respected() {
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

/// With `dns_naptr_ignore_rfc` off the order of the records must decide, not local preference.
#[test]
fn b54_naptr_order_can_be_followed() {
    let mut bench = Bench::new();
    for (order, service, prefix) in [(10, "SIPS+D2T", "_sips._tcp"), (20, "SIP+D2U", "_sip._udp")] {
        let srv = format!("{prefix}.b54.test");
        let fields = ("s", service, "");
        bench
            .server
            .add(Rr::naptr("b54.test", 600, (order, 1), fields, &srv));
        let address = format!("192.0.2.{order}");
        bench.server.add(Rr::srv(&srv, 600, 1, 1, 5070, &address));
    }
    let tls = target("192.0.2.10", 5070, TLS);
    let udp = target("192.0.2.20", 5070, UDP);
    bench.options.set("dns_naptr_ignore_rfc", "no");
    // Records of a higher order do not count beside one that qualifies (RFC 3403 section 4.1).
    assert_eq!(walk("b54.test", NAPTR_V4), std::slice::from_ref(&tls));
    let found = host_way("b54.test", (0, 0), Way::UncachedNaptr, &[]);
    assert_eq!(found, Some(tls.clone()));
    bench.options.set("dns_naptr_ignore_rfc", "yes");
    assert_eq!(walk("b54.test", NAPTR_V4), [udp, tls]);
}

/// A negative entry must not hide newer records, nor stand beside them.
#[test]
fn b55_records_replace_absence() {
    let mut bench = Bench::new();
    let (host, owner) = ("h.b55.test", "_sip._udp.b55.test");
    for rec_pref in ["0", "1", "2", "3"] {
        bench.options.set("dns_cache_rec_pref", rec_pref);
        cache().flush(true);
        bench.server.remove(host, A);
        assert!(first(host, 5060, UDP, V4).is_err());
        assert_eq!(
            cached(host, RecordType::A).unwrap().negative(),
            Some(NegativeKind::NxDomain)
        );
        let reply = Reply::answer(vec![Rr::srv(owner, 600, 1, 1, 5070, host)])
            .additional(vec![Rr::a(host, 600, "192.0.2.55")]);
        bench.server.script(owner, SRV, vec![reply]);
        let found = first("b55.test", 0, UDP, V4);
        assert_eq!(found, Ok(target("192.0.2.55", 5070, UDP)), "{rec_pref}");
        assert_eq!(entries_of(host, RecordType::A), 1);
    }
}

/// A literal of an excluded family must give the same error with and without a port.
#[test]
fn b56_excluded_family_is_one_error() {
    let _bench = Bench::new();
    let cases = [
        ("2001:db8::56", flags::IPV4_ONLY),
        ("[2001:db8::56]", flags::IPV4_ONLY),
        ("192.0.2.56", flags::IPV6_ONLY),
    ];
    for (literal, request_flags) in cases {
        for naptr in [0, flags::TRY_NAPTR] {
            for (port, proto) in [(0, 0), (5060, 0), (0, UDP), (5080, TLS)] {
                let found = first(literal, port, proto, request_flags | naptr);
                assert_eq!(found, Err(SelectError::AfMismatch), "{literal} {port}");
            }
        }
        for way in [Way::CachedSrv, Way::CachedNaptr] {
            let (mut port, mut proto) = (0, 0);
            let found = sip_host::resolve(
                literal.as_bytes(),
                Some(&mut port),
                Some(&mut proto),
                request_flags,
                way,
                &mut |_| Ok(Vec::new()),
            );
            assert!(found.is_none(), "{literal} {way:?}");
        }
    }
}

/// A chain of aliases must give the same result the first and the second time.
#[test]
fn b57_alias_chains_are_treated_alike() {
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
fn b58_long_names_are_refused() {
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

/// Port and transport of the caller must stay as they are when the call fails.
#[test]
fn b59_failures_write_nothing() {
    let bench = Bench::impatient();
    bench
        .server
        .script("_sip._udp.fails.b59.test", SRV, vec![Reply::servfail()]);
    bench.server.add_all([
        Rr::srv("_sip._udp.dead.b59.test", 600, 1, 1, 7777, "x.b59.test"),
        Rr::naptr(
            "dead.b59.test",
            600,
            (1, 1),
            ("s", "SIP+D2U", ""),
            "_sip._udp.dead.b59.test",
        ),
    ]);
    let names = ["none.b59.test", "fails.b59.test", "dead.b59.test", "a b"];
    let long = "a".repeat(256);
    for name in names.into_iter().chain([long.as_str(), "::1"]) {
        for (port, proto) in [(0, 0), (0, TLS), (5080, 0)] {
            for request_flags in [V4, NAPTR_V4] {
                let mut call = Call::new(port, proto, request_flags);
                let (mut port_now, mut proto_now) = (port, proto);
                let found = handle::resolve(
                    &mut call.cursor,
                    name.as_bytes(),
                    Some(&mut port_now),
                    Some(&mut proto_now),
                    request_flags,
                    None,
                );
                assert!(found.is_err(), "{name}");
                assert_eq!((port_now, proto_now), (port, proto), "{name}");
            }
            for way in ALL_WAYS.into_iter().filter(|_| name != "::1") {
                let (mut port_now, mut proto_now) = (port, proto);
                let variables = (&mut port_now, &mut proto_now);
                let found = host_way_found(name, variables, way, &[]);
                assert!(found.is_none(), "{name} {way:?}");
                assert_eq!((port_now, proto_now), (port, proto), "{name} {way:?}");
            }
        }
    }
}
