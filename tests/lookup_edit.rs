//! Entries changed by hand, and record lists past the cache.
#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use kamailio_dns::cache::{Cache, EntryRef, RecordView};
use kamailio_dns::error::LookupError;
use kamailio_dns::host::clock;
use kamailio_dns::host::counters::{Counter, value};
use kamailio_dns::lookup::{
    self, EditError, RecordEdit, add_record, delete, delete_single_record, uncached::record_list,
};
use kamailio_dns::rr::{RData, RecordType};
use support::{A, Reply, Rr, SRV, Setup};

fn edit<'a>(name: &'a str, value: &'a str) -> RecordEdit<'a> {
    RecordEdit {
        name: name.as_bytes(),
        ttl: 60,
        value: value.as_bytes(),
        priority: 0,
        weight: 0,
        port: 0,
        negative: false,
        permanent: false,
    }
}

fn add(name: &str, value: &str) -> Result<(), EditError> {
    add_record(RecordType::A, &edit(name, value))
}

fn add_permanent(name: &str, value: &str) -> Result<(), EditError> {
    let edit = RecordEdit {
        permanent: true,
        ..edit(name, value)
    };
    add_record(RecordType::A, &edit)
}

fn add_srv(value: &str, priority: u16, weight: u16) -> Result<(), EditError> {
    let edit = RecordEdit {
        priority,
        weight,
        port: 5060,
        ..edit("_sip._udp.x.test", value)
    };
    add_record(RecordType::SRV, &edit)
}

fn entry(name: &str, rtype: u16) -> Option<EntryRef> {
    let entry = Cache::instance()?.acquire_any_age(name.as_bytes(), RecordType(rtype))?;
    (!entry.is_expired(clock::now_ticks())).then_some(entry)
}

fn addresses(name: &str) -> Vec<String> {
    let Some(entry) = entry(name, A) else {
        return Vec::new();
    };
    let text = |record| match record {
        RecordView::A(address) => address.to_string(),
        other => format!("{other:?}"),
    };
    entry.records().map(text).collect()
}

fn targets() -> Vec<String> {
    let entry = entry("_sip._udp.x.test", SRV).unwrap();
    let text = |record| match record {
        RecordView::Srv { target, .. } => String::from_utf8_lossy(target).into_owned(),
        other => format!("{other:?}"),
    };
    entry.records().map(text).collect()
}

#[test]
fn records_are_added_and_changed() {
    let _s = Setup::new();
    assert_eq!(add("h.test", "192.0.2.1"), Ok(()));
    assert_eq!(add("H.test.", "192.0.2.2"), Ok(()));
    assert_eq!(addresses("h.test"), ["192.0.2.1", "192.0.2.2"]);
    // The same value again: its life changes, nothing else.
    let longer = RecordEdit {
        ttl: 600,
        ..edit("h.test", "192.0.2.1")
    };
    assert_eq!(add_record(RecordType::A, &longer), Ok(()));
    assert_eq!(addresses("h.test"), ["192.0.2.1", "192.0.2.2"]);
    let held = entry("h.test", A).unwrap();
    assert_eq!(Some(held.expire()), held.record_expire(0));
    assert_ne!(held.record_expire(0), held.record_expire(1));
    // B23: what is expired is not given again, what is not stays.
    clock::advance_for_tests(61_000);
    assert_eq!(
        lookup::first_address(b"h.test", 1),
        Ok("192.0.2.1".parse().unwrap())
    );
    assert_eq!(add("h.test", "192.0.2.3"), Ok(()));
    assert_eq!(addresses("h.test"), ["192.0.2.1", "192.0.2.3"]);
    let sixes = edit("h.test", "2001:db8::1");
    assert_eq!(add_record(RecordType::AAAA, &sixes), Ok(()));
    assert!(entry("h.test", support::AAAA).is_some());
}

#[test]
fn what_makes_no_record_is_refused() {
    let _s = Setup::new();
    let long = "a".repeat(256);
    for (name, value) in [
        ("", "192.0.2.1"),
        (".", "192.0.2.1"),
        (&long, "192.0.2.1"),
        ("h.test", ""),
        ("h.test", "300.1.1.1"),
        ("h.test", "::1"),
        ("h.test", "x"),
    ] {
        assert_eq!(add(name, value), Err(EditError::Invalid), "{name} {value}");
    }
    assert_eq!(add_srv("", 1, 1), Err(EditError::Invalid));
    assert_eq!(add_srv(&long, 1, 1), Err(EditError::Invalid));
    for rtype in [
        RecordType::TXT,
        RecordType::CNAME,
        RecordType::NAPTR,
        RecordType(0),
    ] {
        let refused = add_record(rtype, &edit("h.test", "192.0.2.1"));
        assert_eq!(refused, Err(EditError::Invalid));
    }
    assert_eq!(Cache::instance().unwrap().usage().entries, 0);
}

#[test]
fn permanent_records() {
    let _s = Setup::new();
    assert_eq!(add("h.test", "192.0.2.1"), Ok(()));
    // Permanent takes the place of what is not, and is only added to by its like.
    assert_eq!(add_permanent("h.test", "192.0.2.2"), Ok(()));
    assert_eq!(addresses("h.test"), ["192.0.2.2"]);
    assert_eq!(add("h.test", "192.0.2.3"), Err(EditError::Permanent));
    assert_eq!(add_permanent("h.test", "192.0.2.4"), Ok(()));
    assert_eq!(addresses("h.test"), ["192.0.2.2", "192.0.2.4"]);
    clock::advance_for_tests(1_000_000);
    assert_eq!(addresses("h.test"), ["192.0.2.2", "192.0.2.4"]);
    assert_eq!(delete(b"h.test", RecordType::A), Err(EditError::Permanent));
    let single =
        |permanent| delete_single_record(RecordType::A, b"h.test", b"192.0.2.2", false, permanent);
    assert_eq!(single(false), Err(EditError::NotFound));
    assert_eq!(single(true), Ok(()));
    assert_eq!(addresses("h.test"), ["192.0.2.4"]);
    assert!(entry("h.test", A).unwrap().is_permanent());
}

#[test]
fn negative_entries() {
    let _s = Setup::new();
    let negative = RecordEdit {
        negative: true,
        ..edit("h.test", "")
    };
    assert_eq!(add("h.test", "192.0.2.1"), Ok(()));
    assert_eq!(add_record(RecordType::A, &negative), Ok(()));
    assert!(entry("h.test", A).unwrap().negative().is_some());
    assert_eq!(
        lookup::first_address(b"h.test", 1),
        Err(LookupError::NoData)
    );
    assert_eq!(add("h.test", "192.0.2.2"), Ok(()));
    assert_eq!(addresses("h.test"), ["192.0.2.2"]);
    assert_eq!(add_record(RecordType::A, &negative), Ok(()));
    let single = |negative| delete_single_record(RecordType::A, b"h.test", b"", negative, false);
    assert_eq!(single(false), Err(EditError::Invalid));
    assert_eq!(single(true), Ok(()));
    assert!(entry("h.test", A).is_none());
}

#[test]
fn srv_records_stay_in_order() {
    let _s = Setup::new();
    for (target, priority, weight) in [("c", 2, 1), ("b", 1, 1), ("a", 1, 9), ("a2", 1, 9)] {
        assert_eq!(add_srv(target, priority, weight), Ok(()));
    }
    assert_eq!(targets(), ["a", "a2", "b", "c"]);
    // The target is what a record is known by; the beginning stays with those that were not changed.
    assert_eq!(add_srv("C", 1, 9), Ok(()));
    assert_eq!(targets(), ["a", "a2", "C", "b"]);
    let gone = delete_single_record(RecordType::SRV, b"_sip._udp.X.test", b"A2", false, false);
    assert_eq!(gone, Ok(()));
    assert_eq!(targets(), ["a", "C", "b"]);
}

/// What cannot be used is not lost by an edit, and can be edited.
#[test]
fn srv_records_without_port_stay() {
    let _s = Setup::new();
    let portless = RecordEdit {
        priority: 1,
        ..edit("_sip._udp.x.test", "nowhere")
    };
    let listed = || entry("_sip._udp.x.test", SRV).map_or(0, |entry| entry.listed_count());
    assert_eq!(add_record(RecordType::SRV, &portless), Ok(()));
    assert_eq!((targets(), listed()), (vec![], 1));
    assert_eq!(add_srv("a", 2, 1), Ok(()));
    assert_eq!(add_srv("b", 3, 1), Ok(()));
    assert_eq!(
        (targets(), listed()),
        (vec!["a".to_owned(), "b".to_owned()], 3)
    );
    // With a port it is as good as any.
    assert_eq!(add_srv("NOWHERE", 1, 1), Ok(()));
    assert_eq!(
        (targets(), listed()),
        (
            vec!["NOWHERE".to_owned(), "a".to_owned(), "b".to_owned()],
            3
        )
    );
    assert_eq!(add_record(RecordType::SRV, &portless), Ok(()));
    let single = |target: &[u8]| {
        delete_single_record(RecordType::SRV, b"_sip._udp.x.test", target, false, false)
    };
    assert_eq!((single(b"a"), single(b"b")), (Ok(()), Ok(())));
    assert_eq!((targets(), listed()), (vec![], 1));
    assert_eq!(single(b"nowhere"), Ok(()));
    assert!(entry("_sip._udp.x.test", SRV).is_none());
}

/// B26: edits concern the name that is given, not what it is an alias of.
#[test]
fn aliases_are_not_followed() {
    let s = Setup::new();
    s.server
        .add(Rr::cname("alias.test", 300, "real.test"))
        .add(Rr::a("real.test", 300, "192.0.2.1"));
    lookup::entry(b"alias.test", RecordType::A, 1).unwrap();
    assert_eq!(
        delete(b"alias.test", RecordType::A),
        Err(EditError::NotFound)
    );
    assert_eq!(addresses("real.test"), ["192.0.2.1"]);
    assert_eq!(add_permanent("alias.test", "192.0.2.9"), Ok(()));
    assert_eq!(addresses("real.test"), ["192.0.2.1"]);
    assert_eq!(
        lookup::first_address(b"alias.test", 1),
        Ok("192.0.2.9".parse().unwrap())
    );
}

#[test]
fn delete_says_whether_something_was_there() {
    let _s = Setup::new();
    assert_eq!(delete(b"h.test", RecordType::A), Err(EditError::NotFound));
    add("h.test", "192.0.2.1").unwrap();
    assert_eq!(
        delete(b"h.test", RecordType::AAAA),
        Err(EditError::NotFound)
    );
    assert_eq!(delete(b"H.TEST", RecordType::A), Ok(()));
    add("h.test", "192.0.2.1").unwrap();
    clock::advance_for_tests(61_000);
    assert_eq!(delete(b"h.test", RecordType::A), Err(EditError::NotFound));
    add("h.test", "192.0.2.1").unwrap();
    let single = |value: &[u8]| delete_single_record(RecordType::A, b"h.test", value, false, false);
    assert_eq!(single(b"192.0.2.2"), Err(EditError::NotFound));
    assert_eq!(single(b"192.0.2.1"), Ok(()));
    assert!(entry("h.test", A).is_none());
}

/// B35: an entry is as large as its records, and lives as long as they do.
#[test]
fn edits_leave_nothing_behind() {
    let _s = Setup::new();
    add("h.test", "192.0.2.1").unwrap();
    let size = entry("h.test", A).unwrap().size_bytes();
    for _ in 0..300 {
        let longer = RecordEdit {
            ttl: 6_000,
            ..edit("h.test", "192.0.2.2")
        };
        add_record(RecordType::A, &longer).unwrap();
        delete_single_record(RecordType::A, b"h.test", b"192.0.2.2", false, false).unwrap();
    }
    let left = entry("h.test", A).unwrap();
    assert_eq!(left.size_bytes(), size);
    assert_eq!(Some(left.expire()), left.record_expire(0));
    let seconds = left.expire().wrapping_sub(clock::now_ticks()) / 16;
    assert!(seconds <= 61, "{seconds}");
}

#[test]
fn a_set_has_a_largest_size() {
    let _s = Setup::new();
    for i in 0..250 {
        add("h.test", &format!("10.0.0.{i}")).unwrap();
    }
    assert_eq!(add("h.test", "10.0.1.1"), Err(EditError::Full));
    assert_eq!(add("h.test", "10.0.0.7"), Ok(()));
    assert_eq!(addresses("h.test").len(), 250);
}

fn kinds(list: &[kamailio_dns::rr::Record]) -> Vec<(String, u16)> {
    list.iter()
        .map(|record| (record.owner.to_string(), record.rtype.0))
        .collect()
}

#[test]
fn record_lists_are_neither_read_from_the_cache_nor_put_there() {
    let s = Setup::new();
    s.server.add(Rr::a("h.test", 300, "192.0.2.1"));
    for asked in 1..=2 {
        let list = record_list(b"h.test", RecordType::A, true, false).unwrap();
        assert_eq!(kinds(&list), [("h.test".to_owned(), A)]);
        assert_eq!(s.server.total(), asked);
    }
    assert_eq!(Cache::instance().unwrap().usage().entries, 0);
}

#[test]
fn record_lists_have_the_additional_section_last_and_on_request() {
    let s = Setup::new();
    let reply = Reply::answer(vec![
        Rr::srv("_sip._udp.x.test", 300, 2, 1, 5060, "b.test"),
        Rr::a("stranger.test", 300, "192.0.2.7"),
        Rr::srv("_sip._udp.x.test", 300, 1, 1, 5060, "a.test"),
    ])
    .additional(vec![Rr::a("a.test", 300, "192.0.2.1")]);
    s.server.script("_sip._udp.x.test", SRV, vec![reply]);
    let name = b"_sip._udp.x.test";
    let srv = ("_sip._udp.x.test".to_owned(), SRV);
    let all = record_list(name, RecordType::SRV, false, true).unwrap();
    assert_eq!(
        kinds(&all),
        [srv.clone(), srv.clone(), ("a.test".to_owned(), A)]
    );
    assert!(matches!(&all[0].rdata, RData::Srv(srv) if srv.priority == 1));
    let few = record_list(name, RecordType::SRV, true, true).unwrap();
    assert_eq!(kinds(&few), [srv.clone(), srv]);
}

#[test]
fn record_lists_say_why_there_is_none() {
    let s = Setup::new();
    s.server
        .add(Rr::a("h.test", 300, "192.0.2.1"))
        .script("bad.test", A, vec![Reply::servfail()]);
    let before = value(Counter::FailedRequest);
    let list = |name: &str, rtype| record_list(name.as_bytes(), rtype, true, false);
    assert_eq!(list("none.test", RecordType::A), Err(LookupError::NxDomain));
    assert_eq!(list("h.test", RecordType::SRV), Err(LookupError::NoData));
    assert!(matches!(
        list("bad.test", RecordType::A),
        Err(LookupError::Failed(_))
    ));
    assert_eq!(value(Counter::FailedRequest), before + 3);
    assert_eq!(list("a b", RecordType::A), Err(LookupError::BadName));
    assert_eq!(list("", RecordType::A), Err(LookupError::BadName));
    assert_eq!(
        list(&"a".repeat(256), RecordType::A),
        Err(LookupError::NameTooLong)
    );
    assert_eq!(value(Counter::FailedRequest), before + 3);
}

/// B05: with a search list the alias comes first, but never when only the type is wanted.
#[test]
fn search_domains_in_record_lists() {
    let mut s = Setup::new();
    s.options
        .resolv_conf("search corp.test\noptions timeout:1 attempts:1\n");
    s.server.add(Rr::a("voip.corp.test", 300, "192.0.2.1"));
    let long = ("voip.corp.test".to_owned(), A);
    let only = record_list(b"voip", RecordType::A, true, false).unwrap();
    assert_eq!(kinds(&only), std::slice::from_ref(&long));
    let all = record_list(b"voip", RecordType::A, false, false).unwrap();
    assert_eq!(kinds(&all), [("voip".to_owned(), support::CNAME), long]);
    assert_eq!(
        record_list(b"voip.", RecordType::A, true, false),
        Err(LookupError::NxDomain)
    );
}
