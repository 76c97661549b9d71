//! The option `dns_hosts_file`: names that the DNS is not asked for.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::path::{Path, PathBuf};

use kamailio_dns::resolver::{Answer, Outcome, Question, config, query};
use kamailio_dns::rr::{RData, RecordType};
use proptest::prelude::*;
use support::{A, AAAA, OptionsGuard, Rr, SRV, Server, Watchdog, use_server};

/// A hosts file for one test.
struct HostsFile(PathBuf);

impl HostsFile {
    fn new(options: &mut OptionsGuard, text: &str) -> Self {
        let file = Self(options.resolv_conf_path().with_extension("hosts"));
        file.write(text);
        options.set("dns_hosts_file", file.0.to_str().unwrap());
        // The C functions do so before anything else.
        kamailio_dns::resolver::sync_hosts_file();
        file
    }

    fn write(&self, text: &str) {
        // A new inode each time, so that a change is seen whatever the clock's resolution is.
        let fresh = self.0.with_extension("new");
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(&fresh, &self.0).unwrap();
        config::look_again();
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for HostsFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[track_caller]
fn answer(name: &str, qtype: u16) -> Answer {
    let question = Question {
        qname: name.as_bytes(),
        qtype: RecordType(qtype),
    };
    match query(&question, None) {
        Outcome::Answer(answer) => answer,
        other => panic!("{name}: {other:?}"),
    }
}

#[track_caller]
fn addresses(name: &str, qtype: u16) -> Vec<String> {
    let answer = answer(name, qtype);
    let text = |r: &kamailio_dns::rr::Record| match r.rdata {
        RData::A(ip) => ip.to_string(),
        RData::Aaaa(ip) => ip.to_string(),
        _ => panic!("{r:?}"),
    };
    answer.answers.iter().map(text).collect()
}

#[test]
fn names_of_the_file_are_answered_without_a_query() {
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_server(&server);
    server
        .add(Rr::a("proxy", 60, "192.0.2.9"))
        .add(Rr::srv("proxy", 60, 1, 1, 5060, "a.example"));
    let file = HostsFile::new(
        &mut options,
        "192.0.2.1 proxy.example.org proxy\n2001:db8::1 proxy\n",
    );
    assert_eq!(addresses("PROXY", A), ["192.0.2.1"]);
    assert_eq!(addresses("proxy.", AAAA), ["2001:db8::1"]);
    assert_eq!(addresses("proxy.example.org", A), ["192.0.2.1"]);
    let absent = answer("proxy.example.org", AAAA);
    assert!(!absent.negative.unwrap().nxdomain, "the name is there");
    assert_eq!(server.total(), 0);
    // Other types and other names are the DNS's.
    assert_eq!(answer("proxy.", SRV).answers.len(), 1);
    assert!(answer("other.", A).negative.unwrap().nxdomain);
    assert_eq!(server.total(), 2);
    // Changes are seen, and a file that is gone holds no names.
    file.write("192.0.2.3 other\n");
    assert_eq!(addresses("other.", A), ["192.0.2.3"]);
    assert_eq!(addresses("proxy", A), ["192.0.2.9"]);
    std::fs::remove_file(file.path()).unwrap();
    options.set("dns_log_level", "-5");
    config::look_again();
    assert!(answer("other.", A).negative.unwrap().nxdomain);
    file.write("192.0.2.4 other\n");
    assert_eq!(addresses("other.", A), ["192.0.2.4"]);
    options.set("dns_hosts_file", "");
    assert!(answer("other.", A).negative.unwrap().nxdomain);
}

#[cfg(feature = "use_dns_cache")]
#[test]
fn cached_lookups_use_the_file() {
    use kamailio_dns::lookup;

    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_server(&server);
    let _file = HostsFile::new(&mut options, "192.0.2.1 gateway\n2001:db8::5 six\n");
    kamailio_dns::cache::Cache::init().unwrap();
    let first = |name: &str| lookup::first_address(name.as_bytes(), 0);
    for _ in 0..2 {
        assert_eq!(first("gateway").unwrap().to_string(), "192.0.2.1");
        assert_eq!(first("six").unwrap().to_string(), "2001:db8::5");
    }
    assert_eq!(server.total(), 0);
}

/// Without port neither NAPTR nor SRV is asked for, whatever the servers say or do not say of them.
#[cfg(feature = "use_dns_cache")]
#[test]
fn a_name_of_the_file_needs_no_dns() {
    use kamailio_dns::lookup;
    use kamailio_dns::select::sip_host::{self, Way};
    use kamailio_dns::select::{Cursor, handle};

    const TRY_NAPTR: u32 = 16;
    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_server(&server);
    options.set("dns_retr_time", "300");
    kamailio_dns::cache::Cache::init().unwrap().flush(true);
    let first = |name: &str, mut proto: u8| {
        let (mut cursor, mut port) = (Cursor::default(), 0);
        let (port_out, proto_out) = (Some(&mut port), Some(&mut proto));
        let name = name.as_bytes();
        let address =
            handle::resolve(&mut cursor, name, port_out, proto_out, TRY_NAPTR, None).unwrap();
        format!("{address}:{port}/{proto}")
    };
    // Until it comes into the file, it has SRV records, and they are cached.
    server.add(Rr::srv("_sip._udp.sip.test", 300, 1, 1, 5070, "192.0.2.9"));
    assert_eq!(first("sip.test", 0), "192.0.2.9:5070/1");
    server.clear_queries();
    server.default_reply(support::Reply::dropped());
    let file = HostsFile::new(&mut options, "192.0.2.1 sip.test\n192.0.2.2 sip.test\n");
    assert_eq!(first("sip.test", 0), "192.0.2.1:5060/1");
    assert_eq!(first("SIP.test.", 3), "192.0.2.1:5061/3");
    let mut uncached =
        |host: &[u8], _: bool| lookup::uncached::addresses(host, true).map(|(_, found)| found);
    for way in [Way::UncachedSrv, Way::UncachedSrvList, Way::UncachedNaptr] {
        let (mut port, mut proto) = (0, 0);
        let (port_out, proto_out) = (Some(&mut port), Some(&mut proto));
        let found = sip_host::resolve(b"sip.test", port_out, proto_out, 0, way, &mut uncached);
        let found = found.unwrap();
        assert_eq!((found.addresses.len(), found.port), (2, 5060), "{way:?}");
    }
    assert_eq!(server.total(), 0);
    // Who wants both has both.
    options.set("dns_hosts_srv", "yes");
    assert_eq!(first("sip.test", 1), "192.0.2.9:5070/1");
    options.set("dns_hosts_srv", "no");
    assert_eq!(first("sip.test", 1), "192.0.2.1:5060/1");
    file.write("192.0.2.1 other.test\n");
    assert_eq!(first("sip.test", 1), "192.0.2.9:5070/1");
}

/// Also where all its SRV records lead to is in the cache, for the functions that copy out of it.
#[cfg(feature = "use_dns_cache")]
#[allow(unsafe_code, reason = "calls the C interface")]
#[test]
fn a_name_of_the_file_needs_no_cached_srv_records() {
    use std::net::IpAddr;

    use kamailio_dns::ffi::resolve::dns_srv_sip_resolvehost;
    use kamailio_dns::ffi::types::_str;

    let _watchdog = Watchdog::start(60);
    let server = Server::start();
    let mut options = use_server(&server);
    kamailio_dns::cache::Cache::init().unwrap().flush(true);
    let first = || {
        let host = "sip.test";
        let mut name = _str {
            s: host.as_ptr().cast_mut().cast(),
            len: host.len() as i32,
        };
        let (mut port, mut proto) = (0, 0);
        // SAFETY: variables of this function.
        let found =
            unsafe { dns_srv_sip_resolvehost(&raw mut name, &raw mut port, &raw mut proto) };
        // SAFETY: NULL or a hostent, which lives until the thread asked for more.
        let found = unsafe { found.as_ref() }.unwrap();
        assert_eq!(found.h_length, 4);
        // SAFETY: a hostent has at least one address.
        let address = unsafe { found.h_addr_list.read() };
        // SAFETY: of that length.
        let octets = unsafe { address.cast::<[u8; 4]>().read() };
        format!("{}:{port}", IpAddr::from(octets))
    };
    server
        .add(Rr::srv("_sip._udp.sip.test", 300, 1, 1, 5070, "h.sip.test"))
        .add(Rr::a("h.sip.test", 300, "192.0.2.9"));
    for _ in 0..2 {
        assert_eq!(first(), "192.0.2.9:5070");
    }
    let _file = HostsFile::new(&mut options, "192.0.2.1 sip.test\n");
    assert_eq!(first(), "192.0.2.1:5060");
    options.set("dns_hosts_srv", "yes");
    assert_eq!(first(), "192.0.2.9:5070");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_octets_are_read(text in proptest::collection::vec(any::<u8>(), 0..400)) {
        let (names, _) = kamailio_dns::resolver::hosts::parse_for_tests(&text, b"localhost");
        prop_assert!(names <= text.len());
    }

    #[test]
    fn what_is_written_is_found(
        entries in proptest::collection::vec((any::<[u8; 4]>(), "[a-z]{1,3}"), 1..20),
        comment in "[ a-z0-9.#]{0,20}",
    ) {
        let line = |(ip, name): &([u8; 4], String)| {
            format!("{}  {name} x-{name}\t#{comment}\n", std::net::Ipv4Addr::from(*ip))
        };
        let text: String = entries.iter().map(line).collect();
        for (_, name) in &entries {
            let mut expected: Vec<std::net::IpAddr> = Vec::new();
            for (ip, _) in entries.iter().filter(|(_, other)| other == name) {
                let ip = std::net::Ipv4Addr::from(*ip).into();
                if !expected.contains(&ip) {
                    expected.push(ip);
                }
            }
            for spelled in [name.clone(), name.to_uppercase(), format!("x-{name}.")] {
                let (_, found) =
                    kamailio_dns::resolver::hosts::parse_for_tests(text.as_bytes(), spelled.as_bytes());
                prop_assert_eq!(found.as_ref(), Some(&expected));
            }
        }
    }
}
