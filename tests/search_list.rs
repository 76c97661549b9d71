//! The search list past the cache: `get_record()`, and the address functions with the cache switched off.
//! tests/names*.rs have the cached ways.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]
#![allow(unsafe_code, reason = "calls the C interface, reads the state of libc")]

mod support;

use std::ffi::{CStr, c_char};
use std::net::IpAddr;
use std::sync::Mutex;

use kamailio_dns::error::{Failure, LookupError};
use kamailio_dns::ffi::resolve::_sip_resolvehost;
use kamailio_dns::ffi::types::_str;
use kamailio_dns::host::hooks::{self, dns_func_t};
use kamailio_dns::lookup::uncached::{addresses, record_list};
use kamailio_dns::rr::{RData, Record, RecordType};
use support::network::Network;
use support::{A, AAAA, OptionsGuard, Reply, Rr, Scripted, Server, Watchdog, use_server};

#[track_caller]
fn ask(name: &str, qtype: u16) -> Result<Vec<Record>, LookupError> {
    record_list(name.as_bytes(), RecordType(qtype), true, false)
}

/// The owner of the records, and the addresses.
#[track_caller]
fn found(name: &str) -> (String, Vec<String>) {
    let records = ask(name, A).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let address = |record: &Record| match record.rdata {
        RData::A(address) => address.to_string(),
        _ => panic!("{record:?}"),
    };
    let owner = records[0].owner.to_string();
    (owner, records.iter().map(address).collect())
}

fn a(owner: &str, address: &str) -> Rr {
    Rr::a(owner, 60, address)
}

fn at(owner: &str, address: &str) -> (String, Vec<String>) {
    (owner.to_owned(), vec![address.to_owned()])
}

#[test]
fn each_domain_is_tried() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_server(&server);
    options.resolv_conf("search d1 d2 d3 d4 d5 d6 d7 corp.example\noptions ndots:2");
    server
        .add(a("host.corp.example", "192.0.2.1"))
        .add(a("a.b.example.org", "192.0.2.2"));
    assert_eq!(found("HOST"), at("host.corp.example", "192.0.2.1"));
    assert_eq!(server.total(), 8, "the eighth domain is used");
    assert_eq!(found("a.b.example.org"), at("a.b.example.org", "192.0.2.2"));
    assert_eq!(ask("nohost", A), Err(LookupError::NxDomain));
    server.clear_queries();
    options.set("dns_use_search_list", "0");
    assert_eq!(ask("host", A), Err(LookupError::NxDomain));
    assert_eq!(server.total(), 1);
}

#[test]
fn trailing_dot_is_absolute() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_server(&server);
    options.resolv_conf("search corp.example\noptions ndots:5");
    server
        .add(a("host.example", "192.0.2.1"))
        .add(a("host.example.corp.example", "192.0.2.2"));
    assert_eq!(found("host.example."), at("host.example", "192.0.2.1"));
    let longer = at("host.example.corp.example", "192.0.2.2");
    assert_eq!(found("host.example"), longer);
    assert_eq!(ask("host.", A), Err(LookupError::NxDomain));
}

#[test]
fn the_longer_name_is_an_alias_where_all_types_are_wanted() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_server(&server);
    options.resolv_conf("search lab.example corp.example\n");
    server.add(a("host.corp.example", "192.0.2.1"));
    let records = record_list(b"host", RecordType::A, false, false).unwrap();
    let [alias, address] = &records[..] else {
        panic!("{records:?}");
    };
    assert_eq!(alias.owner.as_bytes(), b"host");
    assert!(matches!(&alias.rdata, RData::Cname(to) if to.as_bytes() == b"host.corp.example"));
    assert_eq!((alias.ttl, address.ttl), (60, 60));
    let absolute = record_list(b"host.corp.example.", RecordType::A, false, false).unwrap();
    assert_eq!(absolute.len(), 1);
}

#[test]
fn failure_of_a_candidate_is_no_absence() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_server(&server);
    options.resolv_conf("search corp.example lab.example");
    server.script("host.corp.example", A, vec![Reply::servfail()]);
    let failed = Err(LookupError::Failed(Failure::ServFail));
    assert_eq!(ask("host", A), failed);
    assert_eq!(
        server.count("host", A),
        1,
        "the other candidates were tried"
    );
    server.add(a("host.lab.example", "192.0.2.1"));
    assert_eq!(found("host"), at("host.lab.example", "192.0.2.1"));
    // The name itself is known to be absent: a guess that fails does not change that.
    server.script("a.example.org.corp.example", A, vec![Reply::servfail()]);
    assert_eq!(ask("a.example.org", A), Err(LookupError::NxDomain));
    let absent = addresses(b"a.example.org", true).map(drop);
    assert_eq!(absent, Err(LookupError::NxDomain));
}

#[test]
fn nodata_of_one_candidate_is_nodata() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_server(&server);
    options.resolv_conf("search corp.example");
    server.add(a("host.corp.example", "192.0.2.1"));
    assert_eq!(ask("host", AAAA), Err(LookupError::NoData));
}

#[test]
fn both_families_go_to_one_host() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_server(&server);
    options.resolv_conf("search one.example two.example");
    server
        .add(Rr::aaaa("host.one.example", 60, "2001:db8::1"))
        .add(a("host.two.example", "192.0.2.2"));
    let (owner, addresses) = addresses(b"host", true).unwrap();
    assert_eq!(owner.as_bytes(), b"host.one.example");
    assert_eq!(addresses, ["2001:db8::1".parse::<IpAddr>().unwrap()]);
}

/// A network whose one server takes these steps, then none, and the options to ask it.
fn scripted(steps: impl IntoIterator<Item = Reply>) -> (OptionsGuard, Network) {
    let (network, server) = (Network::default(), Scripted::default());
    server.in_turn(steps);
    network.place("192.0.2.51:53", &server);
    let mut options = OptionsGuard::take();
    for (name, value) in [
        ("dns_nameservers", "192.0.2.51"),
        ("dns_retr_time", "1"),
        ("dns_retr_no", "4"),
        ("dns_edns", "yes"),
    ] {
        options.set(name, value);
    }
    options.hold_resends();
    options.resolv_conf("search a.example b.example c.example");
    (options, network)
}

#[test]
fn silent_servers_are_not_waited_for_again_with_each_domain() {
    let (_options, network) = scripted([]);
    let result = network.run(|| ask("host", A));
    assert_eq!(result, Err(LookupError::Failed(Failure::Timeout)));
    assert_eq!(network.now_ms(), 4000);
}

#[test]
fn what_was_learnt_before_the_silence_counts() {
    let reply = support::wire::message(0, 0x8183, ("host.example.org", A), [&[], &[], &[]]);
    let (_options, network) = scripted([Reply::message(reply).delay_ms(10)]);
    let result = network.run(|| ask("host.example.org", A));
    assert_eq!(result, Err(LookupError::NxDomain));
    assert_eq!(network.now_ms(), 4010);
}

/// The first address of a SIP destination, past the cache: this program has none.
fn sip_host(name: &str) -> Option<String> {
    let mut text = _str {
        s: name.as_ptr().cast_mut().cast(),
        len: name.len() as i32,
    };
    let (mut port, mut proto) = (0, 0 as c_char);
    // SAFETY: variables of this function.
    let host = unsafe { _sip_resolvehost(&raw mut text, &raw mut port, &raw mut proto) };
    // SAFETY: NULL, or a result that lives for 16 more calls.
    let host = unsafe { host.as_ref() }?;
    assert_eq!(host.h_length, 4);
    // SAFETY: a list with at least one element.
    let first = unsafe { host.h_addr_list.read() };
    // SAFETY: four octets, as `h_length` says.
    let octets = unsafe { first.cast::<[u8; 4]>().read_unaligned() };
    Some(IpAddr::from(octets).to_string())
}

/// A domain whose SRV record leads to `b.test`.
fn domain(server: &Server) {
    server
        .add(Rr::srv("_sip._udp.a.test", 60, 1, 1, 5070, "b.test"))
        .add(a("b.test", "192.0.2.1"))
        .add(a("b.test.corp.example", "192.0.2.66"));
}

/// Who owns a zone does not decide what a name of its records means here.
#[test]
fn targets_of_records_are_absolute() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_server(&server);
    options.resolv_conf("search corp.example\noptions ndots:5");
    domain(&server);
    assert_eq!(sip_host("a.test").as_deref(), Some("192.0.2.1"));
    assert_eq!(server.count("b.test.corp.example", A), 0);
}

/// The hosts that a module's function was asked for, and whether libc's search list was in force.
static ASKED: Mutex<Vec<(String, bool)>> = Mutex::new(Vec::new());

unsafe extern "C" {
    #[cfg(target_env = "gnu")]
    #[link_name = "__res_state"]
    fn libc_state() -> *const libc::c_ulong;
}

/// Knows no host.
#[cfg(target_env = "gnu")]
unsafe extern "C" fn noting(name: *const c_char) -> *mut libc::hostent {
    const DEFNAMES_AND_DNSRCH: libc::c_ulong = 0x280;
    // SAFETY: a text that ends with NUL.
    let name = unsafe { CStr::from_ptr(name) };
    // SAFETY: always safe to call.
    let state = unsafe { libc_state() };
    // SAFETY: this thread's state, in which the options stand behind two ints.
    let place = unsafe { state.add(1) };
    // SAFETY: as above.
    let options = unsafe { place.read() };
    let is_searched = options & DEFNAMES_AND_DNSRCH == DEFNAMES_AND_DNSRCH;
    let name = name.to_str().unwrap().to_owned();
    ASKED.lock().unwrap().push((name, is_searched));
    std::ptr::null_mut()
}

/// The same where libc finds hosts, also by a module's function that calls it.
#[cfg(all(target_env = "gnu", target_pointer_width = "64"))]
#[test]
fn libc_completes_no_target_of_a_record() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_server(&server);
    options.set("dns_try_ipv6", "0");
    domain(&server);
    let before = hooks::current();
    // SAFETY: libc's own function, which fills this thread's state.
    assert_eq!(unsafe { before.sr_res_init.unwrap()() }, 0);
    hooks::replace(dns_func_t {
        sr_gethostbyname: Some(noting),
        ..before
    });
    assert_eq!(sip_host("a.test"), None);
    hooks::replace(before);
    let asked = std::mem::take(&mut *ASKED.lock().unwrap());
    let expected = [("b.test", false), ("a.test", true)];
    assert_eq!(asked, expected.map(|(name, all)| (name.to_owned(), all)));
}
