//! Entries of the cache: who holds them, how long they last, what replaces, edits or evicts them.
#![allow(unsafe_code, reason = "calls the C interface")]
#![cfg(feature = "use_dns_cache")]

mod support;

use std::ffi::{c_char, c_int, c_ushort};
use std::process::Command;

use kamailio_dns::cache::{Cache, InsertError, NegativeKind, RecordView};
use kamailio_dns::ffi::cache::{
    dns_cache_add_record, dns_cache_delete_single_record, dns_cache_flush,
};
use kamailio_dns::ffi::handle::dns_hash_put;
use kamailio_dns::ffi::init::dns_gc_run;
use kamailio_dns::ffi::resolve::{
    __sip_resolvehost, _sip_resolvehost, dns_naptr_sip_resolvehost, dns_sip_resolvehost,
};
use kamailio_dns::host::clock::{self, advance_for_tests};
use kamailio_dns::host::log::Level;
use kamailio_dns::lookup::{self, EditError, RecordEdit};
use kamailio_dns::rr::RecordType;
use support::handles::Handle;
use support::set::{self, Set};
use support::walks::{
    Bench, Call, NAPTR_V4, TCP, UDP, V4, add_naptr_domain, c_str, cache, cached, edit, entries_of,
    first, holders, naptr, target, walk,
};
use support::{A, NAPTR, Reply, Rr, SRV};

const PERMANENT: c_int = 2;

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

/// `dns_cache_add_record()` of an address.
fn add(name: &str, ttl: c_int, value: &str, entry_flags: c_int) -> c_int {
    let (mut name, mut value) = (c_str(name), c_str(value));
    // SAFETY: texts that live during the call.
    unsafe { dns_cache_add_record(A, &raw mut name, ttl, &raw mut value, 0, 0, 0, entry_flags) }
}

/// `dns_cache_delete_single_record()` of an address that is not permanent.
fn delete_single(name: &str, value: &str) -> c_int {
    let (mut name, mut value) = (c_str(name), c_str(value));
    // SAFETY: texts that live during the call.
    unsafe { dns_cache_delete_single_record(A, &raw mut name, &raw mut value, 0) }
}

/// A NAPTR entry must not lose a reference by being used: it stays whole and cached.
#[test]
fn naptr_references_are_balanced() {
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

/// An entry in use must outlive its removal from the cache, whatever removed it.
#[test]
fn entries_in_use_outlive_their_removal() {
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
fn editing_an_entry_in_use_works() {
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

/// An update that makes room must neither use nor lose the entry that it updates.
#[test]
fn update_of_a_full_cache_keeps_the_old_or_the_new() {
    let mut bench = Bench::new();
    bench.options.set("dns_cache_del_nonexp", "yes");
    // What the cache needs for itself, and room for some sixty entries.
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

/// No call may leave a reference behind, however it went.
#[test]
fn no_reference_stays() {
    let bench = Bench::new();
    let domain = "b17.test";
    bench.server.add_all([
        naptr(domain, 1, "SIP+D2U", "_sip._udp.b17.test"),
        naptr(domain, 2, "SIP+D2T", "_sip._tcp.b17.test"),
        Rr::srv("_sip._udp.b17.test", 600, 1, 1, 5070, "dead.b17.test"),
        Rr::srv("_sip._tcp.b17.test", 600, 1, 1, 5071, "h1.b17.test"),
        Rr::srv("_sip._tcp.b17.test", 600, 2, 1, 5072, "h2.b17.test"),
        Rr::a("h1.b17.test", 600, "192.0.2.1"),
        Rr::a("h1.b17.test", 600, "192.0.2.2"),
        Rr::a("h2.b17.test", 600, "192.0.2.3"),
        Rr::a(domain, 600, "192.0.2.4"),
    ]);
    for steps in 0..6 {
        for slot in [false, true] {
            for (port, proto) in [(0, 0), (5080, 0), (0, TCP)] {
                let call = Call::new(port, proto, NAPTR_V4);
                let mut call = if slot { call.with_slot() } else { call };
                for _ in 0..=steps {
                    let _ = call.resolve(domain);
                    call.cursor.advance();
                }
            }
        }
    }
    let held: Vec<_> = cache()
        .entries()
        .filter(|entry| entry.reference_count() != 2)
        .map(|entry| String::from_utf8_lossy(entry.name()).into_owned())
        .collect();
    assert!(held.is_empty(), "still held: {held:?}");
    assert_eq!(holders(domain, RecordType::NAPTR), 0);
    assert_eq!(holders("_sip._udp.b17.test", RecordType::SRV), 0);
}

/// A large TTL must not be taken for one that is over, nor for a short one.
#[test]
fn large_ttls_last() {
    let bench = Bench::new();
    let large = [
        0x07ff_ffff_u32,
        0x0800_0000,
        0x0fff_ffff,
        0x1000_0001,
        0x1000_0e10,
        0x7fff_ffff,
    ];
    for ttl in large {
        let name = format!("ttl{ttl}.b21.test");
        bench.server.add(Rr::a(&name, ttl, "192.0.2.21"));
        for _ in 0..2 {
            assert!(first(&name, 5060, UDP, V4).is_ok());
            assert_eq!(bench.server.count(&name, A), 1, "TTL {ttl:#x}");
            advance_for_tests(24 * 3600 * 1000);
        }
        let left = cached(&name, RecordType::A).unwrap();
        // A week in all (RFC 8767 section 4), of which two days are over.
        let left_s = clock::seconds_until(left.expire(), clock::now_ticks());
        assert!(
            (420_000..=5 * 86_400).contains(&left_s),
            "{ttl:#x}: {left_s}"
        );
    }
    // Added by hand, too; and with the top bit set a TTL counts as 0 (RFC 2181 section 8).
    assert_eq!(add("hand.b21.test", c_int::MAX, "192.0.2.21", 0), 0);
    advance_for_tests(3600 * 1000);
    assert!(cached("hand.b21.test", RecordType::A).is_some());
    bench
        .server
        .add(Rr::a("top.b21.test", 0x8000_0001, "192.0.2.21"));
    for asked in 1..3 {
        assert!(first("top.b21.test", 5060, UDP, V4).is_ok());
        assert_eq!(bench.server.count("top.b21.test", A), asked);
    }
}

/// An edit of an alias must concern the alias, and a permanent record must win over it.
#[test]
fn edits_do_not_follow_aliases() {
    let bench = Bench::new();
    let (alias, real) = ("alias.b26.test", "real.b26.test");
    bench
        .server
        .add_all([Rr::cname(alias, 600, real), Rr::a(real, 600, "192.0.2.26")]);
    let followed = Ok(target("192.0.2.26", 5060, UDP));
    let own = Ok(target("192.0.2.126", 5060, UDP));
    assert_eq!(first(alias, 5060, UDP, V4), followed);
    assert_eq!(
        lookup::delete(alias.as_bytes(), RecordType::A),
        Err(EditError::NotFound)
    );
    assert_eq!(delete_single(alias, "192.0.2.26"), -1);
    assert!(cached(real, RecordType::A).is_some());
    for entry_flags in [0, PERMANENT] {
        assert_eq!(add(alias, 60, "192.0.2.126", entry_flags), 0);
        assert_eq!(first(alias, 5060, UDP, V4), own);
        assert_eq!(first(real, 5060, UDP, V4), followed);
        let target_entry = cached(real, RecordType::A).unwrap();
        assert_eq!(target_entry.record_count(), 1);
        assert!(!target_entry.is_permanent());
    }
    // SAFETY: always safe to call.
    unsafe { dns_cache_flush(0) };
    assert_eq!(first(alias, 5060, UDP, V4), own, "it is permanent");
}

/// With `use_dns_cache` off nothing may be put into the cache nor taken from it, NAPTR or not.
#[test]
fn switched_off_cache_is_not_used() {
    let mut bench = Bench::new();
    bench.options.set("dns_try_naptr", "yes");
    bench.server.add_all([
        Rr::naptr(
            "b31.test",
            600,
            (1, 1),
            ("s", "SIP+D2T", ""),
            "_sip._tcp.b31.test",
        ),
        Rr::srv("_sip._tcp.b31.test", 600, 1, 1, 5070, "192.0.2.31"),
    ]);
    bench.options.set("use_dns_cache", "no");
    let ways = [
        __sip_resolvehost,
        _sip_resolvehost,
        dns_sip_resolvehost,
        dns_naptr_sip_resolvehost,
    ];
    for (asked, way) in (1..).zip(ways) {
        let (mut name, mut port, mut proto) = (c_str("b31.test"), 0 as c_ushort, [0 as c_char; 4]);
        // SAFETY: variables of this function.
        let host = unsafe { way(&raw mut name, &raw mut port, proto.as_mut_ptr()) };
        assert!(!host.is_null());
        assert_eq!((port, proto[0] as u8), (5070, TCP));
        assert_eq!(cache().usage().entries, 0);
        assert_eq!(bench.server.count("b31.test", NAPTR), asked);
    }
}

/// The memory limit must hold, and names made up by others must not shut out the ones in use.
#[test]
fn memory_limit_holds_and_others_still_fit() {
    let mut bench = Bench::new();
    bench.options.set("dns_cache_mem", "96");
    // A lower limit is reached in steps, of which this makes all.
    cache().collect_garbage(clock::now_ticks());
    let add = |name: &str, negative| {
        let edit = RecordEdit {
            negative,
            ..edit(name, 3600, "192.0.2.34")
        };
        lookup::add_record(RecordType::A, &edit)
    };
    for del_nonexp in ["no", "yes"] {
        bench.options.set("dns_cache_del_nonexp", del_nonexp);
        cache().flush(true);
        for i in 0..20_000 {
            let _ = add(&format!("made-up-{i}.b34.test"), i % 2 == 0);
            if i % 1000 == 0 {
                let usage = cache().usage();
                assert!(usage.used <= usage.limit, "{usage:?}");
            }
        }
        let usage = cache().usage();
        assert!(usage.used <= usage.limit, "{usage:?}");
        assert!(usage.entries > 100, "{usage:?}");
        // Entries taken out while they are held count until they are let go.
        let held: Vec<_> = cache().entries().collect();
        cache().flush(true);
        for i in 0..5_000 {
            let _ = add(&format!("again-{i}.b34.test"), false);
        }
        let usage = cache().usage();
        assert!(usage.used <= usage.limit, "{usage:?}");
        drop(held);
    }
    // A name in use is kept while others flood in, for which made-up names are enough.
    for del_nonexp in ["no", "yes"] {
        bench.options.set("dns_cache_del_nonexp", del_nonexp);
        cache().flush(true);
        for i in 0..5_000 {
            let _ = add(&format!("flood-{i}.b34.test"), true);
        }
        let name = format!("healthy-{del_nonexp}.b34.test");
        bench.server.add(Rr::a(&name, 36_000, "192.0.2.35"));
        for i in 0..3_000 {
            let _ = add(&format!("more-{i}.b34.test"), true);
            if i % 50 == 0 {
                advance_for_tests(1_100);
                assert!(first(&name, 5060, UDP, V4).is_ok());
            }
        }
        // Of 60 lookups; the choice of victims is approximate.
        let asked = bench.server.count(&name, A);
        assert!(asked <= 15, "del_nonexp {del_nonexp}: asked {asked} times");
    }
}

/// Adding and deleting must not make an entry grow, and its expiry must follow its records.
#[test]
fn edits_leave_nothing_behind() {
    let _bench = Bench::new();
    let name = "edit.b35.test";
    assert_eq!(add(name, 60, "192.0.2.35", 0), 0);
    let size = cached(name, RecordType::A).unwrap().size_bytes();
    let used = cache().usage();
    for _ in 0..300 {
        assert_eq!(add(name, 600, "192.0.2.36", 0), 0);
        assert_eq!(delete_single(name, "192.0.2.36"), 0);
    }
    assert_eq!(cached(name, RecordType::A).unwrap().size_bytes(), size);
    // Freed blocks may wait on pages of their size; hundreds of them would not fit on a few pages.
    assert!(cache().usage().used <= used.used + 4 * 4096);
    let entry = cached(name, RecordType::A).unwrap();
    let left = clock::seconds_until(entry.expire(), clock::now_ticks());
    assert!(left <= 60, "the record of 600 s is gone, {left} s left");
    // Refused edits leave nothing either.
    let used = cache().usage();
    for _ in 0..300 {
        assert_eq!(delete_single(name, "192.0.2.99"), -1);
        assert_eq!(delete_single(name, "no address"), -1);
        assert_eq!(add(name, 60, "300.1.1.1", 0), -1);
    }
    assert_eq!(cache().usage(), used);
    assert_eq!(delete_single(name, "192.0.2.35"), 0);
    assert!(cached(name, RecordType::A).is_none());
}

/// A set that finds no memory must leave none in use.
#[test]
fn refused_entries_leave_no_memory_in_use() {
    let cache = Cache::for_tests(96 * 1024, false).unwrap();
    let now = clock::now_ticks();
    let records = vec![set::a(1); 20];
    let insert = |number: usize| {
        let name = format!("name{number}.b42.test");
        let set = Set::of(name, RecordType::A).records(600, &records);
        set.permanent(true).put(cache, now).map(|_| ())
    };
    let filled = (0..).find(|i| insert(*i).is_err()).unwrap();
    let full = cache.usage();
    for i in 0..2000 {
        assert_eq!(insert(filled + i), Err(InsertError::Full));
    }
    assert_eq!(cache.usage(), full);
}

/// Everything that releases entries.
#[test]
#[ignore = "is run by the next test, in a process of its own"]
fn child_that_releases_entries() {
    let mut bench = Bench::new();
    bench.options.set("dns_log_level", "2");
    bench.server.add_all([
        Rr::srv("_sip._udp.b46.test", 60, 1, 1, 5060, "h.b46.test"),
        Rr::a("h.b46.test", 60, "192.0.2.46"),
    ]);
    for round in 0..20 {
        let mut call = Call::new(0, UDP, V4);
        assert!(call.resolve("b46.test").is_ok());
        let held = cached("h.b46.test", RecordType::A).unwrap();
        match round % 3 {
            0 => {
                cache().flush(true);
            }
            1 => {
                advance_for_tests(400_000);
                // SAFETY: always safe to call.
                unsafe { dns_gc_run() };
            }
            _ => lookup::delete(b"h.b46.test", RecordType::A).unwrap(),
        }
        drop(call);
        let held = held.into_raw();
        // SAFETY: the reference is handed over.
        unsafe { dns_hash_put(held.cast()) };
    }
    kamailio_dns::log!(Level::Info, "b46 is over");
}

/// Releasing entries that left the cache meanwhile must not write a line for each.
#[test]
fn releasing_entries_logs_nothing() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "child_that_releases_entries",
            "--ignored",
            "--nocapture",
        ])
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let lines: Vec<&str> = log.lines().filter(|l| !l.trim().is_empty()).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("b46 is over"), "{log}");
}

/// New data for a name must be compared with what that name has, not with what its alias led to.
#[test]
fn new_data_leaves_other_names_alone() {
    let mut bench = Bench::new();
    let (x, y) = ("x.b47.test", "y.b47.test");
    for rec_pref in ["0", "1", "2", "3"] {
        bench.options.set("dns_cache_rec_pref", rec_pref);
        cache().flush(true);
        bench.server.remove(x, A);
        bench.server.add(Rr::a(y, 3600, "192.0.2.1"));
        bench.server.answer(
            x,
            A,
            vec![Rr::cname(x, 3600, y), Rr::a(y, 3600, "192.0.2.1")],
        );
        let before = Ok(target("192.0.2.1", 5060, UDP));
        assert_eq!(first(x, 5060, UDP, V4), before);
        // Now x has an address of its own, told along with an SRV record.
        let owner = "_sip._udp.b47.test";
        let reply = Reply::answer(vec![Rr::srv(owner, 600, 1, 1, 5070, x)])
            .additional(vec![Rr::a(x, 600, "192.0.2.2")]);
        bench.server.script(owner, SRV, vec![reply]);
        let found = first("b47.test", 0, UDP, V4);
        assert_eq!(found, Ok(target("192.0.2.2", 5070, UDP)), "{rec_pref}");
        assert_eq!(first(y, 5060, UDP, V4), before, "{rec_pref}");
        let kept = cached(y, RecordType::A).unwrap();
        assert_eq!(kept.record_count(), 1);
        assert_eq!(kept.record(0), Some(RecordView::A([192, 0, 2, 1].into())));
        bench.server.remove(y, A);
    }
    assert!(walk("b47.test", NAPTR_V4).len() == 1);
}

/// A negative entry must not hide newer records, nor stand beside them.
#[test]
fn records_replace_absence() {
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
