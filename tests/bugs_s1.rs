//! Known defects of the C original that stop or divert a whole service: none of them is here.
#![allow(unsafe_code, reason = "calls the C interface")]

mod bugs;
mod support;

use std::ffi::{CStr, CString, c_char, c_int};
use std::sync::atomic::{AtomicBool, Ordering};

use bugs::{Bench, Call, NAPTR_V4, TCP, TLS, UDP, V4, cache, cached, entries_of, first, holders};
use bugs::{c_str, rpc, target, walk};
use kamailio_dns::cache::RecordView;
use kamailio_dns::error::LookupError;
use kamailio_dns::ffi::cache::{dns_cache_add_record, dns_cache_flush};
use kamailio_dns::ffi::handle::{dns_sip_resolve, dns_srv_handle_next, dns_srv_handle_put};
use kamailio_dns::ffi::init::dns_gc_run;
use kamailio_dns::ffi::records::{free_rdata_list, get_record};
use kamailio_dns::ffi::rpc::dns_cache_view;
use kamailio_dns::ffi::types::{
    cname_rdata, dns_hash_entry, dns_srv_handle, ip_addr, naptr_rdata, rdata,
};
use kamailio_dns::host::clock::advance_for_tests;
use kamailio_dns::lookup::{self, EditError, RecordEdit};
use kamailio_dns::rr::{MAX_RRSET_RECORDS, RecordType};
use kamailio_dns::select::sip_host::Way;
use kamailio_dns::select::{SelectError, flags, handle};
use support::{A, AAAA, CNAME, NAPTR, Reply, Rr, SRV, Watchdog};

/// A C handle, zeroed, with room for both layouts.
struct Handle([u64; 8]);

impl Handle {
    fn new() -> Self {
        Self([0; 8])
    }

    fn as_ptr(&mut self) -> *mut dns_srv_handle {
        self.0.as_mut_ptr().cast()
    }

    /// `dns_sip_resolve()` without port and transport.
    fn resolve(&mut self, name: &str, request_flags: u32) -> Result<bugs::Target, c_int> {
        let mut name = c_str(name);
        let mut ip = ip_addr {
            af: 0,
            len: 0,
            u: [0; 16],
        };
        let (mut port, mut proto) = (0_u16, [0 as c_char; 4]);
        // SAFETY: an initialised handle and variables of this function.
        let result = unsafe {
            dns_sip_resolve(
                self.as_ptr(),
                &raw mut name,
                &raw mut ip,
                &raw mut port,
                proto.as_mut_ptr(),
                request_flags as c_int,
            )
        };
        if result < 0 {
            return Err(result);
        }
        assert_eq!(ip.len, 4);
        let [a, b, c, d, ..] = ip.u;
        Ok((format!("{a}.{b}.{c}.{d}"), port, proto[0] as u8))
    }

    fn next(&mut self) -> bool {
        // SAFETY: an initialised handle.
        unsafe { dns_srv_handle_next(self.as_ptr(), 0) != 0 }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: an initialised handle.
        unsafe { dns_srv_handle_put(self.as_ptr()) };
    }
}

fn naptr(owner: &str, order: u16, service: &str, replacement: &str) -> Rr {
    Rr::naptr(owner, 3600, (order, 1), ("s", service, ""), replacement)
}

/// A domain with NAPTR, SRV and two hosts.
fn add_naptr_domain(bench: &Bench, domain: &str) {
    let srv = format!("_sip._udp.{domain}");
    bench.server.add_all([
        naptr(domain, 10, "SIP+D2U", &srv),
        Rr::srv(&srv, 3600, 1, 1, 5070, &format!("h1.{domain}")),
        Rr::srv(&srv, 3600, 2, 1, 5071, &format!("h2.{domain}")),
        Rr::a(&format!("h1.{domain}"), 3600, "192.0.2.1"),
        Rr::a(&format!("h2.{domain}"), 3600, "192.0.2.2"),
    ]);
}

/// None of the entries of b01.test has a holder left, or lost the cache's own reference.
fn assert_no_holders(round: u32) {
    let names = [
        ("b01.test", RecordType::NAPTR),
        ("_sip._udp.b01.test", RecordType::SRV),
        ("h1.b01.test", RecordType::A),
        ("h2.b01.test", RecordType::A),
    ];
    for (name, rtype) in names {
        assert_eq!(holders(name, rtype), 0, "{name}, round {round}");
    }
}

/// A NAPTR entry must not lose a reference by being used: it stays whole and cached.
#[test]
fn b01_naptr_references_are_balanced() {
    let bench = Bench::new();
    add_naptr_domain(&bench, "b01.test");
    let expected = [
        target("192.0.2.1", 5070, UDP),
        target("192.0.2.2", 5071, UDP),
    ];
    for round in 0..20 {
        let call = Call::new(0, 0, NAPTR_V4);
        let mut call = if round % 2 == 0 {
            call.with_slot()
        } else {
            call
        };
        assert_eq!(call.walk("b01.test").0, expected);
        drop(call);
        assert_no_holders(round);
        let mut handle = Handle::new();
        assert_eq!(
            handle.resolve("b01.test", NAPTR_V4).as_ref(),
            Ok(&expected[0])
        );
        assert!(handle.next());
        assert_eq!(
            handle.resolve("b01.test", NAPTR_V4).as_ref(),
            Ok(&expected[1])
        );
        drop(handle);
        assert_no_holders(round);
    }
    let entry = cached("b01.test", RecordType::NAPTR).unwrap();
    assert!(entry.is_linked());
    assert_eq!(entry.record_count(), 1);
    assert_eq!(bench.server.count("b01.test", NAPTR), 1);
}

/// More records than an octet counts must not make the search for a target go round and round.
#[test]
fn b02_many_srv_records_without_addresses_end() {
    let _watchdog = Watchdog::start(300);
    let bench = Bench::new();
    // So many are not passed over, so nobody knows that there is no other; one is.
    let (many, one) = (SelectError::NoSrv, SelectError::NoIp);
    for (name, in_answer, end) in [("b02a.test", 300, many), ("b02b.test", 1, one)] {
        let owner = format!("_sip._udp.{name}");
        let mut records: Vec<Rr> = (0..300)
            .map(|i| Rr::srv(&owner, 600, i, 1, 5060, &format!("dead{i}.{name}")))
            .collect();
        let more = records.split_off(in_answer);
        let reply = Reply::answer(records).additional(more).truncated();
        bench.server.script(&owner, SRV, vec![reply]);
        for lb in [0, flags::SRV_RR_LB] {
            let (targets, error) = Call::new(0, 0, V4 | lb).walk(name);
            assert_eq!((targets, error), (vec![], Some(end)));
        }
        assert!(bugs::host_way(name, (0, 0), Way::CachedSrv, &[]).is_none());
        let entry = cached(&owner, RecordType::SRV).unwrap();
        assert!(entry.record_count() <= MAX_RRSET_RECORDS);
    }
}

/// A set of 300 addresses must be gone through once, not for ever.
#[test]
fn b02_many_addresses_are_given_once() {
    let _watchdog = Watchdog::start(300);
    let bench = Bench::new();
    let host = "h.b02c.test";
    let addresses = (0..300).map(|i| Rr::a(host, 600, &format!("10.2.{}.{}", i / 100, i % 100)));
    let reply = Reply::answer(addresses.collect()).truncated();
    bench.server.script(host, A, vec![reply]);
    bench
        .server
        .add(Rr::srv("_sip._tcp.b02c.test", 600, 1, 1, 5060, host));
    for (name, port, proto) in [("b02c.test", 0, TCP), (host, 5060, UDP)] {
        let (targets, error) = Call::new(port, proto, V4).walk(name);
        assert_eq!(targets.len(), MAX_RRSET_RECORDS);
        assert_eq!(error, Some(SelectError::EndOfList));
        let different: std::collections::HashSet<_> = targets.iter().collect();
        assert_eq!(different.len(), targets.len());
    }
    let mut handle = Handle::new();
    let mut steps = 0;
    while handle.resolve("b02c.test", V4).is_ok() {
        steps += 1;
        assert!(steps < 2000);
        if !handle.next() {
            break;
        }
    }
    assert_eq!(steps, MAX_RRSET_RECORDS);
}

/// A NAPTR record that leads nowhere must not let the search begin again after the last address.
#[test]
fn b03_unusable_naptr_and_an_address_end() {
    let _watchdog = Watchdog::start(120);
    let bench = Bench::new();
    bench.server.add_all([
        naptr("b03.test", 10, "SIP+D2U", "_sip._udp.nowhere.b03.test"),
        Rr::a("b03.test", 600, "192.0.2.3"),
    ]);
    let only = [target("192.0.2.3", 5060, UDP)];
    for call in [
        Call::new(0, 0, NAPTR_V4),
        Call::new(0, 0, NAPTR_V4).with_slot(),
    ] {
        let mut call = call;
        let (targets, error) = call.walk("b03.test");
        assert_eq!(targets, only);
        assert_eq!(error, Some(SelectError::EndOfList));
    }
    let mut handle = Handle::new();
    assert_eq!(handle.resolve("b03.test", NAPTR_V4).as_ref(), Ok(&only[0]));
    assert!(handle.next());
    assert_eq!(handle.resolve("b03.test", NAPTR_V4), Err(-1));
}

/// Octets of a search-list CNAME must be neither cut nor written beyond it, whichever record is first.
#[test]
fn b04_search_list_alias_is_whole() {
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
fn b05_one_type_means_one_type() {
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

/// What an answer says about somebody else's names must not be kept, nor replace what is.
#[test]
fn b06_foreign_names_are_not_believed() {
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

/// A `dns.view` whose reply cannot be built must not leave the cache locked.
#[test]
fn b07_failed_view_holds_no_lock() {
    let _watchdog = Watchdog::start(120);
    let bench = Bench::new();
    add_naptr_domain(&bench, "b07.test");
    assert_eq!(walk("b07.test", NAPTR_V4).len(), 2);
    for adds in [0, 1, 2, 9, 12, 20, 10_000] {
        let mut rpc = rpc::transport(adds);
        // SAFETY: functions that ignore their context.
        unsafe { dns_cache_view(&raw mut rpc, std::ptr::null_mut()) };
        let refused = rpc::faults() == 1;
        assert_eq!(refused, adds < 10_000, "after {adds}");
        // Another thread, since a lock might be taken twice by the same one.
        let name = format!("w{adds}.b07.test");
        bench.server.add(Rr::a(&name, 60, "192.0.2.7"));
        let writer = std::thread::spawn(move || first(&name, 5060, UDP, V4));
        assert_eq!(writer.join().unwrap(), Ok(target("192.0.2.7", 5060, UDP)));
    }
    assert_eq!(holders("b07.test", RecordType::NAPTR), 0);
}

/// An entry in use must outlive its removal from the cache, whatever removed it.
#[test]
fn b08_entries_in_use_outlive_their_removal() {
    let bench = Bench::new();
    let domain = "b08.test";
    add_naptr_domain(&bench, domain);
    let srv = "_sip._udp.b08.test";
    let add_address = || {
        let edit = RecordEdit {
            name: b"h1.b08.test",
            ttl: 60,
            value: b"192.0.2.80",
            priority: 0,
            weight: 0,
            port: 0,
            negative: false,
            permanent: true,
        };
        lookup::add_record(RecordType::A, &edit).unwrap();
    };
    // SAFETY: always safe to call.
    let flush = || unsafe { dns_cache_flush(1) };
    let delete = || {
        lookup::delete(srv.as_bytes(), RecordType::SRV).unwrap();
        lookup::delete(domain.as_bytes(), RecordType::NAPTR).unwrap();
        lookup::delete(b"h1.b08.test", RecordType::A).unwrap();
    };
    let expire = || {
        // Beyond the TTL, and beyond the time for which data is served stale.
        advance_for_tests(2 * 3_600_000 + 400_000);
        // SAFETY: always safe to call.
        assert_eq!(unsafe { dns_gc_run() }, 0);
    };
    let removals: [(&str, &dyn Fn()); 4] = [
        ("flush", &flush),
        ("delete", &delete),
        ("add again", &add_address),
        ("expiry", &expire),
    ];
    for (what, remove) in removals {
        cache().flush(true);
        let mut handle = Handle::new();
        let expected = target("192.0.2.1", 5070, UDP);
        assert_eq!(handle.resolve(domain, NAPTR_V4), Ok(expected));
        let held = cached("h1.b08.test", RecordType::A).unwrap();
        let held_srv = cached(srv, RecordType::SRV).unwrap();
        remove();
        // Other entries take whatever memory is free.
        for i in 0..200 {
            let name = format!("fill{i}.b08.test");
            let mut owner = c_str(&name);
            let mut value = c_str("198.51.100.1");
            // SAFETY: texts that live during the call.
            let result =
                unsafe { dns_cache_add_record(A, &raw mut owner, 60, &raw mut value, 0, 0, 0, 0) };
            assert_eq!(result, 0);
        }
        assert!(!held.is_linked(), "{what}");
        assert!(held.reference_count() >= 1, "{what}");
        assert_eq!(held.name(), b"h1.b08.test", "{what}");
        assert_eq!(held.record(0), Some(RecordView::A([192, 0, 2, 1].into())));
        assert_eq!(held_srv.record_count(), 2, "{what}");
        assert!(handle.next());
        let second = target("192.0.2.2", 5071, UDP);
        assert_eq!(handle.resolve(domain, NAPTR_V4), Ok(second), "{what}");
    }
    // Nothing is left behind either.
    cache().flush(true);
    assert_eq!(cache().usage().entries, 0);
}

/// An edit of an entry that is in use must not fail because of that.
#[test]
fn b08_editing_an_entry_in_use_works() {
    let _bench = Bench::new();
    let edit = |value: &'static [u8]| RecordEdit {
        name: b"edit.b08.test",
        ttl: 60,
        value,
        priority: 0,
        weight: 0,
        port: 0,
        negative: false,
        permanent: false,
    };
    assert_eq!(
        lookup::add_record(RecordType::A, &edit(b"192.0.2.1")),
        Ok(())
    );
    let held = cached("edit.b08.test", RecordType::A).unwrap();
    assert_eq!(
        lookup::add_record(RecordType::A, &edit(b"192.0.2.2")),
        Ok(())
    );
    assert_eq!(
        lookup::add_record(RecordType::A, &edit(b"192.0.2.2")),
        Ok(())
    );
    assert_eq!(held.record_count(), 1);
    assert_eq!(
        cached("edit.b08.test", RecordType::A)
            .unwrap()
            .record_count(),
        2
    );
    let gone =
        lookup::delete_single_record(RecordType::A, b"edit.b08.test", b"192.0.2.1", false, false);
    assert_eq!(gone, Ok(()));
    assert_eq!(held.record(0), Some(RecordView::A([192, 0, 2, 1].into())));
}

/// A failure to resolve must neither count nor be kept as proof that a name does not exist.
#[test]
fn b09_failures_are_not_absence() {
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
fn b09_absence_is_kept_as_long_as_the_zone_says() {
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

/// The end of one call's list must not change what the next call gets.
#[test]
fn b10_one_call_does_not_disable_naptr_for_others() {
    let bench = Bench::new();
    // The replacement is not the name that a search without NAPTR would ask for.
    bench.server.add_all([
        naptr("b10.test", 10, "SIPS+D2T", "_sips._tcp.carrier.test"),
        Rr::srv(
            "_sips._tcp.carrier.test",
            3600,
            1,
            1,
            5091,
            "h.carrier.test",
        ),
        Rr::a("h.carrier.test", 3600, "192.0.2.10"),
    ]);
    let expected = target("192.0.2.10", 5091, TLS);
    for round in 0..3 {
        let call = Call::new(0, 0, NAPTR_V4);
        let mut used_up = if round == 1 { call.with_slot() } else { call };
        let (targets, error) = used_up.walk("b10.test");
        assert_eq!(targets, std::slice::from_ref(&expected));
        assert_eq!(error, Some(SelectError::EndOfList));
        // While the first call is still there, and after it.
        assert_eq!(first("b10.test", 0, 0, NAPTR_V4).as_ref(), Ok(&expected));
        drop(used_up);
        assert_eq!(first("b10.test", 0, 0, NAPTR_V4).as_ref(), Ok(&expected));
    }
    let entry = cached("b10.test", RecordType::NAPTR).unwrap();
    let raw: *const dns_hash_entry = entry.as_raw().cast();
    // SAFETY: the entry is held.
    let record = unsafe { (*raw).rr_lst };
    // SAFETY: a positive entry has a record.
    let data: *const naptr_rdata = unsafe { (*record).rdata }.cast();
    // SAFETY: the record is a NAPTR record.
    assert_eq!(unsafe { (*data).skip_record }, 0);
}

/// Lookups of one name at the same time must not leave several entries of it, nor must refreshes.
#[test]
fn b11_one_entry_for_one_name() {
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
fn b15_alias_may_go_while_its_target_is_asked() {
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

/// An update that makes room must neither use nor lose the entry that it updates.
#[test]
fn b16_update_of_a_full_cache_keeps_the_old_or_the_new() {
    let mut bench = Bench::new();
    bench.options.set("dns_cache_del_nonexp", "yes");
    bench.options.set("dns_cache_mem", "96");
    let add = |name: &str, value: &str, permanent| {
        let edit = RecordEdit {
            name: name.as_bytes(),
            ttl: 600,
            value: value.as_bytes(),
            priority: 0,
            weight: 0,
            port: 0,
            negative: false,
            permanent,
        };
        lookup::add_record(RecordType::A, &edit)
    };
    for rec_pref in ["0", "1", "2", "3"] {
        bench.options.set("dns_cache_rec_pref", rec_pref);
        cache().flush(true);
        for i in 0..20 {
            add(&format!("old{i}.b16.test"), "192.0.2.16", false).unwrap();
        }
        let mut filled = 0;
        while add(&format!("permanent{filled}.b16.test"), "192.0.2.1", true).is_ok() {
            filled += 1;
            assert!(filled < 100_000, "the limit does not hold");
        }
        let mut refused = 0;
        for i in 0..40 {
            // What was there before, and permanent entries; updates make them larger.
            let (name, permanent) = if i < 20 {
                (format!("old{i}.b16.test"), false)
            } else {
                (format!("permanent{i}.b16.test"), true)
            };
            let before = cached(&name, RecordType::A).map(|e| e.record_count());
            for value in 1..60 {
                let result = add(&name, &format!("198.51.100.{value}"), permanent);
                refused += u32::from(result == Err(EditError::Full));
                assert!(matches!(result, Ok(()) | Err(EditError::Full)));
                if permanent || result.is_ok() {
                    let after = cached(&name, RecordType::A).unwrap().record_count();
                    assert!(after >= before.unwrap_or(1), "{name} lost records");
                }
            }
            let usage = cache().usage();
            assert!(usage.used <= usage.limit, "{usage:?}");
        }
        assert!(refused > 0, "the cache was never full");
        // Fetched data for a name that is there, at the limit.
        let host = format!("fetched{rec_pref}.b16.test");
        bench.server.add(Rr::a(&host, 600, "192.0.2.17"));
        for _ in 0..3 {
            assert_eq!(
                first(&host, 5060, UDP, V4),
                Ok(target("192.0.2.17", 5060, UDP))
            );
        }
    }
}

/// A step that finds the search over must say so, again and again.
#[test]
fn b03_the_end_stays_the_end() {
    let bench = Bench::new();
    add_naptr_domain(&bench, "b03x.test");
    let mut call = Call::new(0, 0, NAPTR_V4);
    assert_eq!(call.walk("b03x.test").0.len(), 2);
    for _ in 0..5 {
        handle::advance(&mut call.cursor);
        assert_eq!(call.resolve("b03x.test"), Err(SelectError::EndOfList));
    }
}
