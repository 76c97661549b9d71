//! A fresh cache and server for each test, and walks over the targets of a name.

use std::ffi::{c_char, c_int};
use std::net::IpAddr;

use kamailio_dns::cache::{Cache, EntryRef};
use kamailio_dns::ffi::types::_str;
use kamailio_dns::host::clock;
use kamailio_dns::lookup::{self, RecordEdit};
use kamailio_dns::rr::RecordType;
use kamailio_dns::select::sip_host::{self, Found, Way};
use kamailio_dns::select::{Cursor, SelectError, flags, handle};

use super::{OptionsGuard, Rr, Server, use_server};

/// Only A records: most tests have no need of AAAA.
pub const V4: u32 = flags::IPV4_ONLY;
/// The same, NAPTR first.
pub const NAPTR_V4: u32 = flags::IPV4_ONLY | flags::TRY_NAPTR;

pub const UDP: u8 = 1;
pub const TCP: u8 = 2;
pub const TLS: u8 = 3;

/// An empty cache and a server of its own; tests of one program run one after the other.
pub struct Bench {
    pub server: Server,
    pub options: OptionsGuard,
}

impl Bench {
    pub fn new() -> Self {
        let server = Server::start();
        let options = use_server(&server);
        let bench = Self { server, options };
        cache().flush(true);
        lookup::set_local_ttl(0);
        bench
    }

    /// A new bench whose queries give up after one attempt.
    pub fn impatient() -> Self {
        let mut bench = Self::new();
        bench
            .options
            .resolv_conf("search .\noptions timeout:1 attempts:1\n");
        bench
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        lookup::set_local_ttl(0);
        cache().flush(true);
    }
}

pub fn cache() -> &'static Cache {
    Cache::init().expect("memory for the cache")
}

/// The live entry of exactly this name and type.
pub fn cached(name: &str, rtype: RecordType) -> Option<EntryRef> {
    cache()
        .acquire(name.as_bytes(), rtype, clock::now_ticks())
        .filter(|entry| entry.rtype() == rtype)
}

/// Number of entries of exactly this name and type, live or not.
pub fn entries_of(name: &str, rtype: RecordType) -> usize {
    cache()
        .entries()
        .filter(|e| e.rtype() == rtype && e.name().eq_ignore_ascii_case(name.as_bytes()))
        .count()
}

/// References of a cached entry, the cache's own and the one counted here left out.
pub fn holders(name: &str, rtype: RecordType) -> i32 {
    let entry = cached(name, rtype).unwrap_or_else(|| panic!("{name} is not cached"));
    entry.reference_count() - 2
}

/// Each way to a `hostent` of a SIP URI.
pub const ALL_WAYS: [Way; 6] = [
    Way::CachedSrv,
    Way::CachedSrvList,
    Way::CachedNaptr,
    Way::UncachedSrv,
    Way::UncachedSrvList,
    Way::UncachedNaptr,
];

/// A record as an operator adds it: an address, or the name that an alias leads to.
pub fn edit<'a>(name: &'a str, ttl: u32, value: &'a str) -> RecordEdit<'a> {
    RecordEdit {
        name: name.as_bytes(),
        ttl,
        value: value.as_bytes(),
        priority: 0,
        weight: 0,
        port: 0,
        negative: false,
        permanent: false,
    }
}

/// A NAPTR record that leads to SRV records.
pub fn naptr(owner: &str, order: u16, service: &str, replacement: &str) -> Rr {
    Rr::naptr(owner, 3600, (order, 1), ("s", service, ""), replacement)
}

/// Address, port, transport.
pub type Target = (String, u16, u8);

pub fn target(address: &str, port: u16, proto: u8) -> Target {
    (address.to_owned(), port, proto)
}

/// One call that goes from target to target.
pub struct Call {
    pub cursor: Cursor,
    pub port: u16,
    pub proto: u8,
    pub flags: u32,
}

impl Call {
    pub fn new(port: u16, proto: u8, request_flags: u32) -> Self {
        Self {
            cursor: Cursor::default(),
            port,
            proto,
            flags: request_flags,
        }
    }

    /// A call whose handle has a place for the NAPTR entry.
    pub fn with_slot(mut self) -> Self {
        self.cursor.has_naptr_slot = true;
        self
    }

    /// The first target, or the one that `advance` moved to. Later steps give the transport found
    /// first, as tm does.
    pub fn resolve(&mut self, name: &str) -> Result<Target, SelectError> {
        let (mut port, mut proto) = (self.port, self.proto);
        let address = handle::resolve(
            &mut self.cursor,
            name.as_bytes(),
            Some(&mut port),
            Some(&mut proto),
            self.flags,
            None,
        )?;
        Ok((address.to_string(), port, proto))
    }

    /// Resolves and steps until there is nothing more; panics after more steps than any set has.
    pub fn walk(&mut self, name: &str) -> (Vec<Target>, Option<SelectError>) {
        let mut targets = Vec::new();
        loop {
            match self.resolve(name) {
                Ok(target) => targets.push(target),
                Err(error) => return (targets, Some(error)),
            }
            assert!(targets.len() < 2000, "no end after {:?}", targets.last());
            if !self.cursor.advance() {
                return (targets, None);
            }
        }
    }
}

/// All targets of a name without port and transport.
pub fn walk(name: &str, request_flags: u32) -> Vec<Target> {
    Call::new(0, 0, request_flags).walk(name).0
}

/// The first target of a name.
pub fn first(name: &str, port: u16, proto: u8, request_flags: u32) -> Result<Target, SelectError> {
    Call::new(port, proto, request_flags).resolve(name)
}

/// What a hostent function gives: first address, port, transport. `hosts` is what the host's own
/// resolver knows, for the ways past the cache.
pub fn host_way(
    name: &str,
    (mut port, mut proto): (u16, u8),
    way: Way,
    hosts: &[(&str, &str)],
) -> Option<Target> {
    let found = host_way_found(name, (&mut port, &mut proto), way, hosts)?;
    Some((found.addresses.first()?.to_string(), port, proto))
}

/// As [`host_way`], with the caller's variables and the whole result.
pub fn host_way_found(
    name: &str,
    (port, proto): (&mut u16, &mut u8),
    way: Way,
    hosts: &[(&str, &str)],
) -> Option<Found> {
    let mut own = |host: &[u8], _: bool| {
        let named = hosts
            .iter()
            .filter(|(name, _)| name.as_bytes().eq_ignore_ascii_case(host));
        Ok(named
            .map(|(_, address)| address.parse::<IpAddr>().expect("address"))
            .collect())
    };
    sip_host::resolve(name.as_bytes(), Some(port), Some(proto), V4, way, &mut own)
}

/// A counted text for C; borrowed from `text`, which must outlive it.
pub fn c_str(text: &str) -> _str {
    _str {
        s: text.as_ptr().cast_mut().cast::<c_char>(),
        len: text.len() as c_int,
    }
}

/// A domain with NAPTR, SRV and two hosts.
pub fn add_naptr_domain(bench: &Bench, domain: &str) {
    let srv = format!("_sip._udp.{domain}");
    bench.server.add_all([
        naptr(domain, 10, "SIP+D2U", &srv),
        Rr::srv(&srv, 3600, 1, 1, 5070, &format!("h1.{domain}")),
        Rr::srv(&srv, 3600, 2, 1, 5071, &format!("h2.{domain}")),
        Rr::a(&format!("h1.{domain}"), 3600, "192.0.2.1"),
        Rr::a(&format!("h2.{domain}"), 3600, "192.0.2.2"),
    ]);
}
