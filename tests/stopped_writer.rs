//! A process is stopped while it has the writer lock: calls go on without the cache.

#![cfg(all(feature = "use_dns_cache", feature = "fault_injection"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::time::Duration;

use kamailio_dns::cache::{Cache, EntryRef, RecordView};
use kamailio_dns::error::LookupError;
use kamailio_dns::host::clock;
use kamailio_dns::host::metrics::{self, Metric};
use kamailio_dns::lookup::{self, EditError, RecordEdit};
use kamailio_dns::rr::RecordType;
use kamailio_dns::shm::kill_point::{self, KillPoint};
use support::children::{all_end_well, go_on, spawn, wait_until_stopped};
use support::{A, Reply, Rr, SRV, Setup};

const IPV4_ONLY: u32 = 1;

fn find(name: &str, qtype: u16) -> EntryRef {
    let found = lookup::entry(name.as_bytes(), RecordType(qtype), IPV4_ONLY);
    found.unwrap().0
}

/// As `dns.add_a`.
fn add(address: &str) -> Result<(), EditError> {
    let edit = RecordEdit {
        name: b"added.test",
        ttl: 60,
        value: address.as_bytes(),
        priority: 0,
        weight: 0,
        port: 0,
        negative: false,
        permanent: false,
    };
    lookup::add_record(RecordType(A), &edit)
}

#[test]
fn a_stopped_writer_costs_nobody_a_call() {
    let s = Setup::patient();
    let records = vec![
        Rr::srv("_sip._udp.new.test", 60, 1, 1, 5060, "one.test"),
        Rr::srv("_sip._udp.new.test", 60, 2, 1, 5070, "two.test"),
    ];
    s.server
        .script("_sip._udp.new.test", SRV, vec![Reply::answer(records)]);
    for name in ["known.test", "writer.test", "one.test", "later.test"] {
        let records = vec![Rr::a(name, 60, "192.0.2.7")];
        s.server.script(name, A, vec![Reply::answer(records)]);
    }
    let cache = Cache::init().unwrap();
    assert!(find("known.test", A).is_linked());
    for point in [
        KillPoint::LockTaken,
        KillPoint::ContentHalf,
        KillPoint::Linked,
    ] {
        let writer = spawn(|| {
            kill_point::arm_to_stop(point.number(), 0);
            find("writer.test", A);
        });
        wait_until_stopped(writer);
        let before = metrics::value(Metric::LockBusy);
        let asked = s.server.total();
        assert!(find("known.test", A).is_linked());
        assert_eq!(s.server.total(), asked, "it was in the cache");
        for _ in 0..2 {
            let targets = find("_sip._udp.new.test", SRV);
            assert!(!targets.is_linked() && targets.record_count() == 2);
            let address = find("one.test", A);
            let Some(RecordView::A(octets)) = address.record(0) else {
                panic!("not an address");
            };
            assert!(!address.is_linked() && octets.octets()[3] == 7);
        }
        assert!(metrics::value(Metric::LockBusy) > before);
        // The slow timer's work waits for the next time.
        cache.collect_garbage(clock::now_ticks());
        // An operator waits for a while, and is told.
        let known = b"known.test";
        assert_eq!(lookup::delete(known, RecordType(A)), Err(EditError::Busy));
        assert_eq!(lookup::delete_name(known), Err(EditError::Busy));
        assert_eq!(add("192.0.2.9"), Err(EditError::Busy));
        assert!(!cache.flush(true));
        assert!(find("known.test", A).is_linked());
        go_on(writer);
        all_end_well(vec![writer]);
        let later = find("later.test", A);
        assert!(later.is_linked());
        drop(later);
        assert_eq!(add("192.0.2.9"), Ok(()));
        assert!(cache.flush(true));
        assert!(find("known.test", A).is_linked());
        let audit = cache.audit(true).unwrap();
        assert_eq!((audit.holders, audit.unlinked), (0, 0));
    }
}

/// Where calls hold all of the few blocks that need no lock, the next call waits until the writer goes on.
#[test]
fn a_call_that_finds_no_block_waits_for_the_writer() {
    let s = Setup::patient();
    let names: Vec<String> = (0..60).map(|number| format!("host{number}.test")).collect();
    for name in names.iter().map(String::as_str).chain(["writer.test"]) {
        let records = vec![Rr::a(name, 60, "192.0.2.7")];
        s.server.script(name, A, vec![Reply::answer(records)]);
    }
    let writer = spawn(|| {
        kill_point::arm_to_stop(KillPoint::LockTaken.number(), 0);
        find("writer.test", A);
    });
    wait_until_stopped(writer);
    let look = |name: &String| lookup::entry(name.as_bytes(), RecordType(A), IPV4_ONLY);
    let (mut held, mut last) = (Vec::new(), None);
    for name in &names {
        match look(name) {
            Ok((entry, _)) => held.push(entry),
            Err(error) => {
                last = Some(error);
                break;
            }
        }
    }
    assert_eq!(last, Some(LookupError::OutOfMemory));
    assert!(held.iter().all(|entry| !entry.is_linked()));
    let later = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        go_on(writer);
    });
    let (entry, _) = look(&names[held.len()]).unwrap();
    assert_eq!(entry.record_count(), 1);
    later.join().unwrap();
    all_end_well(vec![writer]);
    drop((held, entry));
    let audit = Cache::init().unwrap().audit(true).unwrap();
    assert_eq!((audit.holders, audit.unlinked), (0, 0));
}
