//! The quick steps of `dns_sip_resolve()` beside the search in full: over random sets of records, in lockstep,
//! with time passing in between, they give the same targets and leave the same handle.
#![cfg(all(feature = "use_dns_cache", feature = "use_naptr"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::multiple_unsafe_ops_per_block,
    reason = "test code; a failure ends the test"
)]
#![allow(unsafe_code, reason = "calls the C interface")]

mod support;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use kamailio_dns::cache::{Cache, Conflict, Draft, DraftData, DraftRecord, EntryRef, NegativeKind};
use kamailio_dns::ffi::handle::{
    dns_sip_resolve, dns_srv_handle_init, dns_srv_handle_next, dns_srv_handle_put,
    dns_srv_handle_seed,
};
use kamailio_dns::ffi::types::{_str, dns_srv_handle, ip_addr};
use kamailio_dns::host::clock;
use kamailio_dns::host::metrics::{self, Metric};
use kamailio_dns::rr::{Name, Naptr, RData, RecordType, Srv};
use kamailio_dns::select::{Cursor, handle};
use support::Setup;

const WORLDS: u64 = 20_000;
const HOSTS: usize = 5;
/// More targets than any set here has: a search that does not end is a failure.
const MAX_STEPS: usize = 100;

/// Numbers of a fixed sequence, so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, range: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % range
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

fn store(name: &str, rtype: RecordType, records: &[(RData, u32)]) {
    let drafts: Vec<_> = records
        .iter()
        .map(|(rdata, ttl)| DraftRecord { ttl: *ttl, rdata })
        .collect();
    let data = if drafts.is_empty() {
        DraftData::Negative(NegativeKind::NoData)
    } else {
        DraftData::Records(&drafts)
    };
    let draft = Draft {
        name: name.as_bytes(),
        rtype,
        data,
        permanent: false,
        negative_ttl: 600,
    };
    let cache = Cache::instance().unwrap();
    cache
        .insert(&draft, Conflict::Replace, clock::now_ticks())
        .unwrap();
}

/// The cache filled with hosts, SRV and NAPTR records at random. Everything that a search may come to is
/// there, absent or not, so no query is sent while records last.
fn fill(numbers: &mut Numbers) {
    Cache::instance().unwrap().flush(true);
    for host in 0..HOSTS {
        let count = [0, 1, 1, 1, 2, 3][numbers.below(6)];
        let records: Vec<_> = (0..count)
            .map(|i| {
                let address = Ipv4Addr::new(192, 0, 2, (10 * host + i) as u8);
                (RData::A(address), [5, 600][usize::from(!numbers.one_in(4))])
            })
            .collect();
        store(&host_name(host), RecordType::A, &records);
        let count = [0, 0, 1, 2][numbers.below(4)];
        let records: Vec<_> = (0..count)
            .map(|i| {
                let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, host as u16, i);
                (RData::Aaaa(address), 600)
            })
            .collect();
        store(&host_name(host), RecordType::AAAA, &records);
    }
    for transport in ["_sip._udp.", "_sip._tcp.", "_sips._tcp."] {
        let count = [0, 1, 2, 4, 7][numbers.below(5)];
        let records: Vec<_> = (0..count).map(|i| srv_record(numbers, i)).collect();
        store(
            &format!("{transport}domain.test"),
            RecordType::SRV,
            &records,
        );
    }
    let services = [
        ("SIP+D2U", "_sip._udp"),
        ("SIP+D2T", "_sip._tcp"),
        ("SIPS+D2T", "_sips._tcp"),
    ];
    let records: Vec<_> = (0..numbers.below(4))
        .map(|i| {
            let (service, prefix) = services[numbers.below(3)];
            let rdata = RData::Naptr(Naptr {
                order: numbers.below(3) as u16,
                preference: i as u16,
                flags: b"s".to_vec().into(),
                services: service.as_bytes().to_vec().into(),
                regexp: Vec::new().into(),
                replacement: name(&format!("{prefix}.domain.test")),
            });
            (rdata, 600)
        })
        .collect();
    store("domain.test", RecordType::NAPTR, &records);
    store("domain.test", RecordType::A, &[]);
    store("domain.test", RecordType::AAAA, &[]);
}

fn srv_record(numbers: &mut Numbers, index: usize) -> (RData, u32) {
    let target = match numbers.below(12) {
        0 => String::new(),
        1 => "192.0.2.99".to_owned(),
        _ => host_name(numbers.below(HOSTS)),
    };
    let srv = Srv {
        priority: numbers.below(3) as u16,
        weight: numbers.below(3) as u16,
        port: 5060 + index as u16,
        target: if target.is_empty() {
            Name::from_text(b".").unwrap()
        } else {
            name(&target)
        },
    };
    (RData::Srv(srv), [5, 600][usize::from(!numbers.one_in(5))])
}

fn host_name(host: usize) -> String {
    format!("host{host}.test")
}

fn name(text: &str) -> Name {
    Name::from_text(text.as_bytes()).unwrap()
}

/// What one step gave: the result code, and on success address, port and transport.
type Step = Result<(IpAddr, u16, u8), i32>;

/// The search in full.
struct InFull(Cursor);

impl InFull {
    fn step(&mut self, name: &str, (mut port, mut proto): (u16, u8), flags: u32) -> Step {
        let found = handle::resolve(
            &mut self.0,
            name.as_bytes(),
            Some(&mut port),
            Some(&mut proto),
            flags,
            None,
        );
        found
            .map(|address| (address, port, proto))
            .map_err(|error| -(error as i32))
    }
}

/// The exported functions.
struct Exported(dns_srv_handle);

impl Exported {
    fn new() -> Self {
        // SAFETY: integers and pointers, for which zero is valid.
        let mut handle: dns_srv_handle = unsafe { std::mem::zeroed() };
        // SAFETY: a handle of this function.
        unsafe { dns_srv_handle_init(&raw mut handle) };
        Self(handle)
    }

    fn step(&mut self, name: &str, (mut port, mut proto): (u16, u8), flags: u32) -> Step {
        let mut text = _str {
            s: name.as_ptr().cast_mut().cast(),
            len: name.len() as i32,
        };
        let mut ip = ip_addr {
            af: 0,
            len: 0,
            u: [0; 16],
        };
        // SAFETY: variables of this function.
        let code = unsafe {
            dns_sip_resolve(
                &raw mut self.0,
                &raw mut text,
                &raw mut ip,
                &raw mut port,
                (&raw mut proto).cast(),
                flags as i32,
            )
        };
        if code != 0 {
            assert_eq!((ip.af, ip.len), (0, 0));
            return Err(code);
        }
        let address = match ip.len {
            4 => IpAddr::from([ip.u[0], ip.u[1], ip.u[2], ip.u[3]]),
            _ => IpAddr::from(ip.u),
        };
        Ok((address, port, proto))
    }

    fn seed(&mut self, seed: u32) {
        // SAFETY: a handle of this function.
        assert_eq!(unsafe { dns_srv_handle_seed(&raw mut self.0, seed) }, 0);
    }

    fn next(&mut self) -> bool {
        // SAFETY: a handle of this function.
        unsafe { dns_srv_handle_next(&raw mut self.0, 0) != 0 }
    }
}

impl Drop for Exported {
    fn drop(&mut self) {
        // SAFETY: a handle of this function.
        unsafe { dns_srv_handle_put(&raw mut self.0) };
    }
}

fn raw(entry: Option<&EntryRef>) -> usize {
    entry.map_or(0, |entry| entry.as_raw() as usize)
}

/// Both handles.
fn assert_same_state(full: &Cursor, exported: &dns_srv_handle, what: &str) {
    let ours = (
        raw(full.srv.as_ref()),
        raw(full.a.as_ref()),
        full.tried,
        (full.port, full.srv_no, full.ip_no, full.proto),
    );
    let theirs = (
        exported.srv as usize,
        exported.a as usize,
        exported.srv_tried_rrs,
        (
            exported.port,
            exported.srv_no,
            exported.ip_no,
            exported.proto,
        ),
    );
    assert_eq!(ours, theirs, "{what}");
}

fn hits_of<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = metrics::value(Metric::Hit) + metrics::value(Metric::NegativeHit);
    let result = work();
    let after = metrics::value(Metric::Hit) + metrics::value(Metric::NegativeHit);
    (result, after - before)
}

/// One call both ways; the number of its targets.
fn call_both_ways(numbers: &mut Numbers, name: &str, given: (u16, u8), flags: u32) -> usize {
    let (mut full, mut exported) = (InFull(Cursor::default()), Exported::new());
    // Without one each would draw its own.
    let seed = 1 + numbers.below(1 << 20) as u32;
    full.0.tried = u64::from(seed);
    exported.seed(seed);
    let mut has_aged = false;
    for step in 0..MAX_STEPS {
        let what = format!("{name} {given:?} flags {flags}, step {step}");
        let (one, hits) = hits_of(|| full.step(name, given, flags));
        let (other, exported_hits) = hits_of(|| exported.step(name, given, flags));
        assert_eq!(one, other, "{what}");
        // What expired is asked for by the first of the two, and then known to the second.
        assert!(has_aged || hits == exported_hits, "{what}");
        assert_same_state(&full.0, &exported.0, &what);
        if one.is_err() {
            return step;
        }
        let goes_on = handle::advance(&mut full.0);
        assert_eq!(goes_on, exported.next(), "{what}");
        assert_same_state(&full.0, &exported.0, &what);
        if !goes_on {
            return step + 1;
        }
        if numbers.one_in(6) {
            // What lives 5 s ends in the middle of a call.
            clock::advance_for_tests(6000);
            has_aged = true;
        }
    }
    panic!("no end");
}

#[test]
fn quick_steps_and_the_whole_search_agree() {
    let _setup = Setup::new();
    let mut numbers = Numbers(11);
    let mut targets = 0;
    for _ in 0..WORLDS {
        fill(&mut numbers);
        // None, or one family only, or the other first; in stored order or by weight; with or without NAPTR.
        let family = [0, 1, 1, 1, 2, 4][numbers.below(6)];
        let flags = family | [0, 8][numbers.below(2)] | [0, 16][numbers.below(2)];
        let host = host_name(numbers.below(HOSTS));
        let (name, port) = match numbers.below(3) {
            0 => (host.as_str(), 5070),
            _ => ("domain.test", 0),
        };
        let proto = numbers.below(4) as u8;
        targets += call_both_ways(&mut numbers, name, (port, proto), flags);
    }
    assert!(targets > WORLDS as usize, "{targets}");
}

#[test]
fn references_are_given_back() {
    let _setup = Setup::new();
    let holders = || {
        let cache = Cache::instance().unwrap();
        let entry = cache.acquire_any_age(b"_sip._udp.domain.test", RecordType::SRV);
        entry.unwrap().reference_count()
    };
    store(
        &host_name(1),
        RecordType::A,
        &[(RData::A(Ipv4Addr::new(192, 0, 2, 1)), 600)],
    );
    let srv = |port| {
        let target = name(&host_name(1));
        (
            RData::Srv(Srv {
                priority: 1,
                weight: 1,
                port,
                target,
            }),
            600,
        )
    };
    store(
        "_sip._udp.domain.test",
        RecordType::SRV,
        &[srv(5061), srv(5062)],
    );
    let alone = holders();
    for steps in 1..4 {
        let mut call = Exported::new();
        for step in 0..steps {
            assert_eq!(call.step("domain.test", (0, 1), 1).is_ok(), step < 2);
            call.next();
        }
        assert_eq!(holders(), alone + 1);
        drop(call);
        assert_eq!(holders(), alone);
    }
}
