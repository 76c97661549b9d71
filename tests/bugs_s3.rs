//! Known defects of the C original that operators meet: none of them is here.
#![allow(unsafe_code, reason = "calls the C interface")]

mod bugs;
mod support;

use std::ffi::{c_char, c_int, c_uchar, c_ushort};
use std::process::Command;

use bugs::{Bench, NAPTR_V4, TCP, UDP, V4, c_str, cache, cached, first, rpc, target, walk};
use kamailio_dns::cache::RecordView;
use kamailio_dns::error::LookupError;
use kamailio_dns::ffi::cache::{
    dns_cache_add_record, dns_cache_delete_single_record, dns_cache_flush,
};
use kamailio_dns::ffi::handle::{
    dns_hash_put, dns_sip_resolve, dns_srv_handle_init, dns_srv_handle_put, dns_srv_handle_seed,
};
use kamailio_dns::ffi::init::dns_gc_run;
use kamailio_dns::ffi::resolve::{
    __sip_resolvehost, _sip_resolvehost, dns_naptr_sip_resolvehost, dns_sip_resolvehost,
};
use kamailio_dns::ffi::rpc::dns_cache_view;
use kamailio_dns::ffi::types::{dns_srv_handle, ip_addr};
use kamailio_dns::host::clock::{self, advance_for_tests};
use kamailio_dns::host::hooks;
use kamailio_dns::host::log::Level;
use kamailio_dns::lookup::{self, EditError};
use kamailio_dns::rr::RecordType;
use kamailio_dns::select::flags;
use support::{A, NAPTR, Reply, Rr, SRV};

const PERMANENT: c_int = 2;

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

/// A large TTL must not be taken for one that is over, nor for a short one.
#[test]
fn b21_large_ttls_last() {
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
fn b26_edits_do_not_follow_aliases() {
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
fn b31_switched_off_cache_is_not_used() {
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

/// Adding and deleting must not make an entry grow, and its expiry must follow its records.
#[test]
fn b35_edits_leave_nothing_behind() {
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

/// The replacement of a NAPTR record must not be shown under the name of another field.
#[test]
fn b37_naptr_fields_have_names_of_their_own() {
    let bench = Bench::new();
    bench.server.add(Rr::naptr(
        "b37.test",
        600,
        (1, 2),
        ("u", "E2U+sip", "!x!y!"),
        "repl.b37.test",
    ));
    lookup::entry(b"b37.test", RecordType::NAPTR, V4).unwrap();
    let mut transport = rpc::transport(1000);
    // SAFETY: functions that ignore their context.
    unsafe { dns_cache_view(&raw mut transport, std::ptr::null_mut()) };
    assert_eq!(rpc::faults(), 0);
    let fields = rpc::fields();
    let values = |name: &str| -> Vec<&str> {
        fields
            .iter()
            .filter(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
            .collect()
    };
    assert_eq!(values("rr_flags"), ["u"]);
    assert_eq!(values("rr_service"), ["E2U+sip"]);
    assert_eq!(values("rr_regexp"), ["!x!y!"]);
    assert_eq!(values("rr_replacement"), ["repl.b37.test"]);
}

/// The same seed must give the same server, whatever happened in between (RFC 3263 section 4.4).
#[test]
fn b39_choice_of_a_stateless_proxy_can_be_repeated() {
    let bench = Bench::new();
    let owner = "_sip._udp.b39.test";
    for i in 0..8 {
        let address = format!("192.0.2.{i}");
        bench.server.add(Rr::srv(owner, 600, 1, 10, 5060, &address));
    }
    let choose = |seed: u32| {
        let mut memory = [0_u64; 8];
        let handle: *mut dns_srv_handle = memory.as_mut_ptr().cast();
        let (mut name, mut port) = (c_str("b39.test"), 0_u16);
        let mut proto = [UDP as c_char; 4];
        let mut ip = ip_addr {
            af: 0,
            len: 0,
            u: [0; 16],
        };
        // SAFETY: room for a handle of either layout.
        unsafe { dns_srv_handle_init(handle) };
        // SAFETY: an initialised handle.
        assert_eq!(unsafe { dns_srv_handle_seed(handle, seed) }, 0);
        // SAFETY: an initialised handle, variables of this function.
        let result = unsafe {
            dns_sip_resolve(
                handle,
                &raw mut name,
                &raw mut ip,
                &raw mut port,
                proto.as_mut_ptr(),
                (V4 | flags::SRV_RR_LB) as c_int,
            )
        };
        assert_eq!(result, 0);
        // SAFETY: an initialised handle.
        unsafe { dns_srv_handle_put(handle) };
        ip.u[3]
    };
    let mut different = std::collections::HashSet::new();
    for seed in 1..60 {
        let chosen = choose(seed * 7919);
        different.insert(chosen);
        if seed % 10 == 0 {
            cache().flush(true);
        }
        assert_eq!(choose(seed * 7919), chosen);
    }
    assert!(different.len() > 4, "the seed decides: {different:?}");
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

/// An answer that a swapped search function withholds (bogus signatures) must not count as absence.
#[test]
fn b45_swapped_search_failure_is_no_absence() {
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

/// Everything that releases entries.
#[test]
#[ignore = "is run by the next test, in a process of its own"]
fn b46_child() {
    let mut bench = Bench::new();
    bench.options.set("dns_log_level", "2");
    bench.server.add_all([
        Rr::srv("_sip._udp.b46.test", 60, 1, 1, 5060, "h.b46.test"),
        Rr::a("h.b46.test", 60, "192.0.2.46"),
    ]);
    for round in 0..20 {
        let mut call = bugs::Call::new(0, UDP, V4);
        assert!(call.resolve("b46.test").is_ok());
        let held = cached("h.b46.test", RecordType::A).unwrap();
        match round % 3 {
            0 => cache().flush(true),
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
fn b46_releasing_entries_logs_nothing() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "b46_child", "--ignored", "--nocapture"])
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
fn b47_new_data_leaves_other_names_alone() {
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
