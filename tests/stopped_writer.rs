//! A process is stopped while it has the writer lock: calls go on without the cache.

#![cfg(all(feature = "use_dns_cache", feature = "fault_injection"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]

mod support;

use kamailio_dns::cache::{Cache, EntryRef, RecordView};
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
