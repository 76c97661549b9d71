//! Relative and absolute names as an operator sees them over RPC, and as C programs see them in entries.
#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]
#![allow(unsafe_code, reason = "calls exported functions, reads C structs")]

mod support;

use std::ffi::{CStr, c_void};

use kamailio_dns::ffi::rpc::{
    dns_cache_add_a, dns_cache_debug_all, dns_cache_delete_a, dns_cache_delete_srv,
    dns_cache_rpc_lookup, dns_cache_view,
};
use kamailio_dns::ffi::types::{dns_hash_entry, rpc_t};
use kamailio_dns::lookup;
use kamailio_dns::rr::RecordType;
use kamailio_dns::select::cursor::LAYOUTS;
use support::handles::{CHandle, Fence, LayoutGuard};
use support::{A, AAAA, Reply, Rr, SRV, Setup, rpc};

const IPV4_ONLY: u32 = 1;

type Command = unsafe extern "C" fn(*mut rpc_t, *mut c_void);

/// The text fields of a reply, an entry after another, or `None` for a fault.
fn fields(command: Command, arguments: &[&str]) -> Option<Vec<(String, String)>> {
    let mut transport = rpc::call(arguments);
    // SAFETY: functions that ignore their context.
    unsafe { command(&raw mut transport, std::ptr::null_mut()) };
    (rpc::faults() == 0).then(rpc::fields)
}

fn succeeds(command: Command, arguments: &[&str]) -> bool {
    fields(command, arguments).is_some()
}

/// Name, type, what is told of the relative name, and the first value of each entry in `dns.view`.
fn view(pattern: &str) -> Vec<[String; 4]> {
    let mut entries: Vec<[String; 4]> = Vec::new();
    for (field, value) in fields(dns_cache_view, &[pattern]).unwrap() {
        let place = match field.as_str() {
            "name" => {
                entries.push(Default::default());
                0
            }
            "type" => 1,
            "relative_name" => 2,
            "rr_ip" | "rr_name" => 3,
            _ => continue,
        };
        let entry = entries.last_mut().unwrap();
        if entry[place].is_empty() {
            entry[place] = value;
        }
    }
    entries.sort();
    entries
}

fn row(texts: [&str; 4]) -> [String; 4] {
    texts.map(str::to_owned)
}

fn value(command: Command, arguments: &[&str], field: &str) -> Option<String> {
    let fields = fields(command, arguments)?;
    fields
        .into_iter()
        .find(|(name, _)| name == field)
        .map(|(_, value)| value)
}

fn look_up(name: &str) -> Option<String> {
    value(dns_cache_rpc_lookup, &["A", name], "rr_ip")
}

/// `pbx` is a host of the search domain, `sbc.carrier.example` a carrier with IPv4 alone.
fn world() -> Setup {
    let mut s = Setup::patient();
    s.options.resolv_conf("search corp.example\n");
    s.options.set("tls_disable", "1");
    let soa = || Rr::soa("example", 300, 300);
    for (name, address) in [
        ("pbx.corp.example", "10.1.1.1"),
        ("sbc.carrier.example", "192.0.2.1"),
    ] {
        s.server.answer(name, A, vec![Rr::a(name, 300, address)]);
        s.server.script(name, AAAA, vec![Reply::nodata(soa())]);
    }
    s.server.default_reply(Reply::nxdomain(soa()));
    s
}

#[test]
fn a_view_tells_what_an_entry_says_of_the_relative_name() {
    let _s = world();
    for name in ["pbx", "sbc.carrier.example", "none", "elsewhere.example."] {
        let _found = lookup::first_address(name.as_bytes(), 0);
    }
    assert_eq!(
        view("pbx"),
        [row([
            "pbx",
            "A+AAAA",
            "found as pbx.corp.example",
            "pbx.corp.example"
        ])]
    );
    assert_eq!(view("none")[1], row(["none", "A+AAAA", "not found", ""]));
    let carrier = view("sbc.carrier.example");
    assert_eq!(
        carrier[0],
        row([
            "sbc.carrier.example",
            "A",
            "too, found as written",
            "192.0.2.1"
        ])
    );
    // An absolute name says nothing of the relative one.
    assert!(
        view("elsewhere.example")
            .iter()
            .all(|entry| entry[2].is_empty())
    );
    assert_eq!(look_up("pbx").unwrap(), "10.1.1.1");
    let name = value(dns_cache_rpc_lookup, &["A", "pbx"], "name");
    assert_eq!(name.unwrap(), "pbx.corp.example");
    assert_eq!(look_up("pbx."), None);
}

#[test]
fn records_are_added_and_deleted_for_both_kinds_or_for_the_absolute_name_alone() {
    let _s = world();
    assert_eq!(look_up("pbx").unwrap(), "10.1.1.1");
    // Before any walk, and the walk's result is no matter any more.
    assert!(succeeds(dns_cache_add_a, &["pbx", "300", "192.0.2.7", "0"]));
    let kinds = || (look_up("pbx"), look_up("pbx."));
    let both =
        |relative: &str, absolute: &str| (Some(relative.to_owned()), Some(absolute.to_owned()));
    assert_eq!(kinds(), both("192.0.2.7", "192.0.2.7"));
    assert!(view("pbx").contains(&row(["pbx", "A", "too, edited", "192.0.2.7"])));
    assert!(succeeds(dns_cache_delete_a, &["pbx."]));
    assert_eq!(kinds(), (Some("192.0.2.7".to_owned()), None));
    assert!(view("pbx").contains(&row(["pbx", "A", "alone, edited", "192.0.2.7"])));
    assert!(succeeds(
        dns_cache_add_a,
        &["pbx.", "300", "192.0.2.8", "0"]
    ));
    assert_eq!(kinds(), both("192.0.2.7", "192.0.2.8"));
    assert!(succeeds(dns_cache_delete_a, &["pbx"]));
    assert_eq!(kinds(), (Some("10.1.1.1".to_owned()), None));
    // What a walk found counts as something that was there.
    assert!(succeeds(dns_cache_delete_a, &["pbx"]));
    assert!(!succeeds(dns_cache_delete_a, &["never-seen."]));
    assert!(!succeeds(dns_cache_delete_srv, &["_sip._udp.never-seen"]));
}

/// Under another list nothing of this counts, and the view says so.
#[test]
fn a_view_tells_what_was_found_under_another_list() {
    let mut s = world();
    assert_eq!(look_up("pbx").unwrap(), "10.1.1.1");
    s.options.resolv_conf("search lab.example\n");
    lookup::sync_search_list();
    assert_eq!(view("pbx")[0][2], "under another search list");
    assert_eq!(look_up("pbx"), None);
}

#[test]
fn no_reply_shows_a_final_dot() {
    let s = world();
    s.server.answer(
        "_sip._udp.sbc.carrier.example",
        SRV,
        vec![Rr::srv(
            "_sip._udp.sbc.carrier.example",
            300,
            1,
            1,
            5060,
            "sbc.carrier.example",
        )],
    );
    assert!(succeeds(
        dns_cache_add_a,
        &["edited.", "300", "192.0.2.9", "0"]
    ));
    for name in ["pbx", "pbx.", "sbc.carrier.example.", "none"] {
        let _found = lookup::first_address(name.as_bytes(), 0);
    }
    for name in [
        "_sip._udp.sbc.carrier.example",
        "_sip._udp.sbc.carrier.example.",
    ] {
        lookup::entry(name.as_bytes(), RecordType::SRV, IPV4_ONLY).unwrap();
    }
    for command in [dns_cache_view as Command, dns_cache_debug_all] {
        let all = fields(command, &[]).unwrap();
        assert!(all.len() > 5, "{all:?}");
        let dotted: Vec<_> = all
            .iter()
            .filter(|(_, value)| value.ends_with('.'))
            .collect();
        assert!(dotted.is_empty(), "{dotted:?}");
    }
}

/// The entry that a handle holds, as C has it: name, and the flags that C knows.
fn entry_of(handle: &CHandle) -> (String, u8) {
    let entry = handle.member("a").unwrap() as *const dns_hash_entry;
    // SAFETY: the handle holds the entry.
    let name = unsafe { (&raw const (*entry).name).cast() };
    // SAFETY: as above; NUL-terminated.
    let name = unsafe { CStr::from_ptr(name) }.to_str().unwrap().to_owned();
    // SAFETY: as above.
    let flags = unsafe { (*entry).ent_flags };
    // DNS_FLAG_BAD_NAME and DNS_FLAG_PERMANENT.
    (name, flags & 3)
}

#[test]
fn c_programs_see_names_without_final_dot_and_the_flags_that_they_know() {
    let _s = world();
    assert!(succeeds(
        dns_cache_add_a,
        &["kept", "300", "192.0.2.9", "2"]
    ));
    for layout in &LAYOUTS {
        let _guard = LayoutGuard::new(layout);
        for (asked, name, flags) in [
            ("pbx", "pbx.corp.example", 0),
            ("pbx.corp.example.", "pbx.corp.example", 0),
            ("sbc.carrier.example", "sbc.carrier.example", 0),
            ("sbc.carrier.example.", "sbc.carrier.example", 0),
            ("kept", "kept", 2),
            ("kept.", "kept", 2),
        ] {
            for _ in 0..2 {
                let mut handle = CHandle::new(layout, Fence::Behind);
                handle.resolve(asked, (5060, 1), IPV4_ONLY).unwrap();
                assert_eq!(entry_of(&handle), (name.to_owned(), flags), "{asked}");
            }
        }
    }
}
