//! Absolute and relative names never answer for each other: a generated matrix of zones, search lists and histories.
//!
//! For each cell a question is asked, something happens (records end, change, are edited), and it is asked again. The
//! same is done in another run with the question for the other kind of name put in everywhere. What comes out must be
//! the same, and what a model of the search list says.
#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::collections::BTreeSet;
use std::net::IpAddr;

use kamailio_dns::cache::{Cache, EntryRef, HostCopy, RecordView};
use kamailio_dns::error::LookupError;
use kamailio_dns::host::clock::advance_for_tests;
use kamailio_dns::lookup::{self, Peeked, RecordEdit, refresh, uncached};
use kamailio_dns::rr::RecordType;
use support::{A, AAAA, Reply, Rr, Setup};

const IPV4_ONLY: u32 = 1;
const IPV6_ONLY: u32 = 2;
const IPV6_FIRST: u32 = 4;
/// Of contradictory flags the order counts (B40): both families are wanted.
const IPV4_ONLY_BUT_IPV6_FIRST: u32 = 5;

const NAME: &str = "pbx.office";
const EXPANDED: &str = "pbx.office.corp.example";
const TARGET: &str = "host.elsewhere";
const TARGET_EXPANDED: &str = "host.elsewhere.corp.example";

/// What DNS has on the name as it is written, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Records,
    NxDomain,
    NoData,
    Failure,
    Alias,
    /// The records end, and the servers fail.
    Stale,
    /// The refresher fetches new records before the old ones end.
    RefreshedAhead,
    TtlZero,
    /// An operator adds a record for both kinds of names.
    Edited,
    /// An operator adds a record for the absolute name.
    EditedAbsolute,
}

const STATES: [State; 10] = [
    State::Records,
    State::NxDomain,
    State::NoData,
    State::Failure,
    State::Alias,
    State::Stale,
    State::RefreshedAhead,
    State::TtlZero,
    State::Edited,
    State::EditedAbsolute,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Domain {
    None,
    /// It has the name, with an IPv4 address.
    One,
    /// It has every name, with addresses of both families.
    Wildcard,
    /// Every name exists in it and has nothing.
    NoData,
    ServFail,
}

const DOMAINS: [Domain; 5] = [
    Domain::None,
    Domain::One,
    Domain::Wildcard,
    Domain::NoData,
    Domain::ServFail,
];

/// The address families that a name has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Families {
    v4: bool,
    v6: bool,
}

const FAMILIES: [Families; 4] = [
    Families {
        v4: true,
        v6: false,
    },
    Families {
        v4: false,
        v6: true,
    },
    Families { v4: true, v6: true },
    Families {
        v4: false,
        v6: false,
    },
];

#[derive(Clone, Copy, Debug)]
struct Cell {
    state: State,
    families: Families,
    domain: Domain,
    ndots: u32,
    flags: u32,
}

/// The kind of name that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Relative,
    Absolute,
}

impl Kind {
    fn text(self) -> String {
        match self {
            Self::Relative => NAME.to_owned(),
            Self::Absolute => format!("{NAME}."),
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Relative => Self::Absolute,
            Self::Absolute => Self::Relative,
        }
    }
}

/// What a question for one type gives.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    Addresses(BTreeSet<IpAddr>),
    Absent,
    Failed,
}

fn addresses_of(entry: &EntryRef) -> Found {
    let address = |record| match record {
        RecordView::A(address) => IpAddr::V4(address),
        RecordView::Aaaa(address) => IpAddr::V6(address),
        other => panic!("{other:?}"),
    };
    Found::Addresses(entry.records().map(address).collect())
}

fn ask_one(kind: Kind, qtype: u16, flags: u32) -> Found {
    match lookup::entry(kind.text().as_bytes(), RecordType(qtype), flags) {
        Ok((entry, _)) => addresses_of(&entry),
        Err(LookupError::NxDomain | LookupError::NoData) => Found::Absent,
        Err(LookupError::Failed(_)) => Found::Failed,
        Err(other) => panic!("{other:?}"),
    }
}

fn types_of(flags: u32) -> Vec<u16> {
    match flags {
        IPV4_ONLY => vec![A],
        IPV6_ONLY => vec![AAAA],
        IPV6_FIRST | IPV4_ONLY_BUT_IPV6_FIRST => vec![AAAA, A],
        _ => vec![A, AAAA],
    }
}

/// Every type that the flags allow, in their order.
fn ask(kind: Kind, flags: u32) -> Vec<Found> {
    let found: Vec<Found> = types_of(flags)
        .into_iter()
        .map(|qtype| ask_one(kind, qtype, flags))
        .collect();
    // The functions that copy an address out agree.
    let first = lookup::first_address(kind.text().as_bytes(), flags);
    let expected = found.iter().find_map(|found| match found {
        Found::Addresses(addresses) => Some(addresses),
        _ => None,
    });
    match (first, expected) {
        (Ok(address), Some(addresses)) => {
            assert!(
                addresses.contains(&address),
                "{address} {found:?} {kind:?} {flags}"
            );
        }
        (Err(_), None) => {}
        (first, expected) => panic!("{first:?} {expected:?}"),
    }
    let mut copy = HostCopy::EMPTY;
    match lookup::copy_host(kind.text().as_bytes(), flags, &mut copy) {
        Peeked::Found(()) => {
            let expected = expected.expect("addresses");
            assert_eq!(
                copy.addresses().len(),
                expected.len(),
                "{found:?} {kind:?} {flags}"
            );
            assert_eq!(copy.is_ipv6(), expected.iter().all(IpAddr::is_ipv6));
        }
        Peeked::Absent => assert_eq!(expected, None, "{kind:?} {flags}"),
        // It has to be looked up, which was done.
        Peeked::Look => {}
    }
    found
}

fn address(qtype: u16, last: u8) -> IpAddr {
    let text = match qtype {
        A => format!("192.0.2.{last}"),
        _ => format!("2001:db8::{last}"),
    };
    text.parse().unwrap()
}

fn record(owner: &str, ttl: u32, qtype: u16, last: u8) -> Rr {
    let text = address(qtype, last).to_string();
    match qtype {
        A => Rr::a(owner, ttl, &text),
        _ => Rr::aaaa(owner, ttl, &text),
    }
}

fn nodata() -> Reply {
    Reply::nodata(Rr::soa("example", 300, 300))
}

fn nxdomain() -> Reply {
    Reply::nxdomain(Rr::soa("example", 300, 300))
}

impl Families {
    fn has(self, qtype: u16) -> bool {
        if qtype == A { self.v4 } else { self.v6 }
    }
}

fn ttl_of(state: State) -> u32 {
    match state {
        State::TtlZero => 0,
        State::Stale | State::RefreshedAhead => 30,
        _ => 300,
    }
}

/// The name's own data; `last`: last octet of its addresses.
fn set_name(s: &Setup, cell: Cell, last: u8) {
    let ttl = ttl_of(cell.state);
    for qtype in [A, AAAA] {
        let set = |owner: &str| match cell.families.has(qtype) {
            true => Reply::answer(vec![record(owner, ttl, qtype, last)]),
            false => nodata(),
        };
        let reply = match cell.state {
            State::NxDomain => nxdomain(),
            State::NoData => nodata(),
            State::Failure => Reply::servfail(),
            State::Alias => {
                s.server.script(TARGET, qtype, vec![set(TARGET)]);
                let alias = Rr::cname(NAME, 300, TARGET);
                match cell.families.has(qtype) {
                    true => Reply::answer(vec![alias, record(TARGET, ttl, qtype, last)]),
                    false => {
                        Reply::answer(vec![alias]).authority(vec![Rr::soa("example", 300, 300)])
                    }
                }
            }
            _ => set(NAME),
        };
        s.server.script(NAME, qtype, vec![reply]);
    }
}

fn set_domain(s: &Setup, domain: Domain) {
    for name in [EXPANDED, TARGET_EXPANDED] {
        for qtype in [A, AAAA] {
            let reply = match (domain, name, qtype) {
                (Domain::One, EXPANDED, A) | (Domain::Wildcard, _, _) => {
                    Reply::answer(vec![record(name, 300, qtype, 66)])
                }
                (Domain::One, EXPANDED, _) | (Domain::NoData, _, _) => nodata(),
                (Domain::ServFail, _, _) => Reply::servfail(),
                _ => nxdomain(),
            };
            s.server.script(name, qtype, vec![reply]);
        }
    }
}

/// What the name as it is written has of a type, by the model.
fn own(cell: Cell, qtype: u16, last: u8) -> Found {
    match cell.state {
        State::NxDomain | State::NoData => Found::Absent,
        State::Failure => Found::Failed,
        _ if cell.families.has(qtype) => Found::Addresses([address(qtype, last)].into()),
        _ => Found::Absent,
    }
}

fn expanded(cell: Cell, qtype: u16) -> Found {
    match (cell.domain, qtype) {
        (Domain::One, A) | (Domain::Wildcard, _) => Found::Addresses([address(qtype, 66)].into()),
        (Domain::ServFail, _) => Found::Failed,
        _ => Found::Absent,
    }
}

/// What a question gives, by the model of the search list.
fn expected(cell: Cell, kind: Kind, last: u8) -> Vec<Found> {
    let types = types_of(cell.flags);
    let of_own = || types.iter().map(|&qtype| own(cell, qtype, last)).collect();
    let of_expanded = || types.iter().map(|&qtype| expanded(cell, qtype)).collect();
    if kind == Kind::Absolute || cell.domain == Domain::None {
        return of_own();
    }
    // The name has one dot.
    let as_is_first = cell.ndots <= 1;
    let candidates: [Vec<Found>; 2] = if as_is_first {
        [of_own(), of_expanded()]
    } else {
        [of_expanded(), of_own()]
    };
    let has_any = |found: &Vec<Found>| found.iter().any(|f| matches!(f, Found::Addresses(_)));
    if let Some(winner) = candidates.iter().find(|found| has_any(found)) {
        return winner.clone();
    }
    let failed = |found: &Vec<Found>| found.contains(&Found::Failed);
    let is_absent = as_is_first && !failed(&candidates[0]);
    let outcome = if is_absent || !candidates.iter().any(failed) {
        Found::Absent
    } else {
        Found::Failed
    };
    vec![outcome; types.len()]
}

fn edit(name: &str) {
    let edit = RecordEdit {
        name: name.as_bytes(),
        ttl: 300,
        value: b"192.0.2.99",
        priority: 0,
        weight: 0,
        port: 0,
        negative: false,
        permanent: false,
    };
    lookup::add_record(RecordType(A), &edit).unwrap();
}

/// Asks for a name, lets happen what the state is about, and asks again; `disturbed`: the other kind of name is asked for
/// in between.
fn history(s: &Setup, cell: Cell, kind: Kind, disturbed: bool) -> (Vec<Found>, Vec<Found>) {
    Cache::instance().unwrap().flush(true);
    lookup::forget_failures();
    set_name(s, cell, 1);
    set_domain(s, cell.domain);
    let disturb = || {
        if disturbed {
            let _other = ask(kind.other(), cell.flags);
        }
    };
    disturb();
    let before = ask(kind, cell.flags);
    disturb();
    match cell.state {
        State::Stale => {
            advance_for_tests(40_000);
            for qtype in [A, AAAA] {
                s.server.script(NAME, qtype, vec![Reply::servfail()]);
            }
        }
        State::RefreshedAhead => {
            set_name(s, cell, 2);
            advance_for_tests(28_000);
            // The first round says that there is a refresher, so uses are noted.
            let mut refresher = refresh::Refresher::default();
            let _none = refresh::run_for_tests(&mut refresher);
            let _noted = ask(kind, cell.flags);
            disturb();
            let _refreshed = refresh::run_for_tests(&mut refresher);
        }
        State::TtlZero => set_name(s, cell, 2),
        State::Edited => edit(NAME),
        State::EditedAbsolute => edit(&format!("{NAME}.")),
        _ => {}
    }
    disturb();
    let after = ask(kind, cell.flags);
    kamailio_dns::cache::due::refresher_ends();
    (before, after)
}

fn check_history(cell: Cell, kind: Kind, before: &[Found], after: &[Found]) {
    assert_eq!(before, expected(cell, kind, 1), "{kind:?} {cell:?}");
    let edited = Found::Addresses([address(A, 99)].into());
    let place = types_of(cell.flags).iter().position(|&qtype| qtype == A);
    let is_edited = match (cell.state, kind) {
        (State::Edited, _) | (State::EditedAbsolute, Kind::Absolute) => true,
        (State::EditedAbsolute, Kind::Relative) => cell.domain == Domain::None,
        _ => false,
    };
    match (cell.state, place) {
        _ if is_edited => {
            let Some(place) = place else { return };
            let own = address(A, 1);
            let Found::Addresses(mut addresses) = after[place].clone() else {
                panic!("{after:?} {kind:?} {cell:?}");
            };
            // What was cached of the name is extended.
            addresses.remove(&own);
            assert_eq!(Found::Addresses(addresses), edited, "{kind:?} {cell:?}");
        }
        // What the relative name stands for is looked up as ever: the absolute name with its edit may win.
        (State::EditedAbsolute, _) => {}
        (State::RefreshedAhead | State::TtlZero, _) => {
            assert_eq!(after, expected(cell, kind, 2), "{kind:?} {cell:?}");
        }
        _ => assert_eq!(after, before, "{kind:?} {cell:?}"),
    }
}

/// Puts each search list in force, and calls `each` for every cell with it, whatever its request flags.
fn with_every_list(s: &mut Setup, each: &mut dyn FnMut(&Setup, Cell)) {
    for ndots in [1, 5] {
        for domain in DOMAINS {
            let search = match domain {
                Domain::None => "search .",
                _ => "search corp.example",
            };
            let text = format!("{search}\noptions ndots:{ndots} timeout:20 attempts:2\n");
            s.options.resolv_conf(&text);
            for state in STATES {
                for families in FAMILIES {
                    let cell = Cell {
                        state,
                        families,
                        domain,
                        ndots,
                        flags: 0,
                    };
                    each(s, cell);
                }
            }
        }
    }
}

#[test]
fn no_question_depends_on_what_was_asked_before() {
    let mut s = Setup::patient();
    s.options.set("dns_failure_ttl", "1");
    let mut cells = 0;
    with_every_list(&mut s, &mut |s, cell| {
        for flags in [
            0,
            IPV4_ONLY,
            IPV6_ONLY,
            IPV6_FIRST,
            IPV4_ONLY_BUT_IPV6_FIRST,
        ] {
            let cell = Cell { flags, ..cell };
            for kind in [Kind::Relative, Kind::Absolute] {
                let alone = history(s, cell, kind, false);
                check_history(cell, kind, &alone.0, &alone.1);
                let disturbed = history(s, cell, kind, true);
                check_history(cell, kind, &disturbed.0, &disturbed.1);
                if !matches!(cell.state, State::Edited | State::EditedAbsolute) {
                    assert_eq!(alone, disturbed, "{kind:?} {cell:?}");
                }
                cells += 1;
            }
        }
    });
    assert_eq!(cells, 2 * 5 * 10 * 4 * 5 * 2);
}

/// Without the cache there is nothing that could depend; the walk is the same.
#[test]
fn without_the_cache_the_same_host_is_found() {
    let mut s = Setup::patient();
    with_every_list(&mut s, &mut |s, cell| {
        for (flags, ipv6) in [(0, true), (IPV4_ONLY, false)] {
            let cell = Cell { flags, ..cell };
            set_name(s, cell, 1);
            set_domain(s, cell.domain);
            for kind in [Kind::Relative, Kind::Absolute] {
                let found = uncached::addresses(kind.text().as_bytes(), ipv6);
                let found: Option<BTreeSet<IpAddr>> = found
                    .ok()
                    .map(|(_, addresses)| addresses.into_iter().collect());
                let model = expected(cell, kind, 1).into_iter().find_map(|f| match f {
                    Found::Addresses(addresses) => Some(addresses),
                    _ => None,
                });
                assert_eq!(found, model, "{kind:?} {cell:?}");
            }
        }
    });
}
