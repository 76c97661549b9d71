//! A warm start: what is saved comes back as expired records, and nothing else does.
#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]
#![allow(unsafe_code, reason = "calls exported functions, limits a child")]

mod support;

use std::ffi::c_void;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::ptr::null_mut;

use kamailio_dns::cache::{Cache, RecordView};
use kamailio_dns::error::LookupError;
use kamailio_dns::ffi::rpc_register;
use kamailio_dns::ffi::rpc_snapshot::{dns_load_rpc, dns_save_rpc};
use kamailio_dns::ffi::types::rpc_t;
use kamailio_dns::host::clock::{advance_for_tests, now_ticks};
use kamailio_dns::host::private_file::Refused;
use kamailio_dns::lookup::snapshot::{self, Count, Saver, Trouble};
use kamailio_dns::lookup::{self, RecordEdit, Source};
use kamailio_dns::rr::RecordType;
use support::children::{all_end_well, spawn};
use support::{A, AAAA, CNAME, NAPTR, Reply, Rr, SRV, Setup, rpc};

const IPV4_ONLY: u32 = 1;
const TYPES: [u16; 5] = [A, AAAA, CNAME, SRV, NAPTR];

/// A cache, a nameserver, and a folder for the file.
struct Bed {
    setup: Setup,
    folder: PathBuf,
}

impl Bed {
    fn new() -> Self {
        let setup = Setup::patient();
        snapshot::forget_for_tests();
        let name = format!("kdns-snapshot-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _old = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
        let mut bed = Self { setup, folder };
        let path = bed.path();
        bed.setup
            .options
            .set("dns_snapshot", path.to_str().unwrap());
        bed
    }

    fn path(&self) -> PathBuf {
        self.folder.join("cache")
    }

    /// A name of each kind, looked up.
    fn fill(&self) {
        let s = &self.setup.server;
        s.add(Rr::a("a.example", 300, "192.0.2.1"));
        s.add(Rr::a("a.example", 300, "192.0.2.2"));
        s.add(Rr::cname("alias.example", 300, "a.example"));
        s.add(Rr::srv("_sip._udp.a.example", 300, 1, 2, 5060, "a.example"));
        s.add(Rr::srv("_sip._tcp.a.example", 300, 0, 0, 0, "."));
        let naptr = ("s", "SIP+D2U", "");
        s.add(Rr::naptr(
            "a.example",
            300,
            (1, 2),
            naptr,
            "_sip._udp.a.example",
        ));
        for (name, rtype) in [
            ("a.example", A),
            ("alias.example", A),
            ("_sip._udp.a.example", SRV),
            ("_sip._tcp.a.example", SRV),
            ("a.example", NAPTR),
        ] {
            find(name, rtype).unwrap();
        }
    }

    fn save(&self) -> Count {
        snapshot::save().unwrap()
    }

    /// A new start: an empty cache, which knows no failures.
    fn restart(&self) {
        Cache::instance().unwrap().flush(true);
        lookup::forget_failures();
    }

    /// The nameserver fails from here on.
    fn outage(&self, names: &[(&str, u16)]) {
        for (name, rtype) in names {
            self.setup
                .server
                .script(name, *rtype, vec![Reply::servfail()]);
        }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// FNV-1a, as the file has it.
fn checksum(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |sum, octet| {
        (sum ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn find(name: &str, rtype: u16) -> Result<Source, LookupError> {
    let found = lookup::entry(name.as_bytes(), RecordType(rtype), IPV4_ONLY);
    found.map(|(_, source)| source)
}

/// The entries, all of which are expired or live as it is said.
fn entries(expired: bool) -> usize {
    let (cache, now) = (Cache::instance().unwrap(), now_ticks());
    let all = cache.entries();
    all.inspect(|entry| assert_eq!(entry.is_expired(now), expired))
        .count()
}

fn loaded() -> (u64, u64) {
    let (count, _) = snapshot::load().unwrap();
    (count.sets, count.left_out)
}

/// What a loaded entry says is what was saved.
fn texts() -> Vec<String> {
    let cache = Cache::instance().unwrap();
    let mut texts: Vec<String> = cache
        .entries()
        .map(|entry| {
            let records: Vec<RecordView<'_>> = entry.records().collect();
            let name = entry.name().escape_ascii();
            format!("{name} {} {records:?}", entry.rtype().0)
        })
        .collect();
    texts.sort();
    texts
}

#[test]
fn in_an_outage_a_restart_with_a_snapshot_loses_no_name_in_use() {
    let bed = Bed::new();
    bed.fill();
    let (before, saved) = (texts(), bed.save());
    assert_eq!(saved.sets as usize, entries(false));
    assert_eq!(saved.octets, fs::metadata(bed.path()).unwrap().len());
    let names = [
        ("a.example", A),
        ("alias.example", A),
        ("_sip._udp.a.example", SRV),
        ("a.example", NAPTR),
    ];
    bed.outage(&names);
    // As it was: nothing is known.
    bed.restart();
    for (name, rtype) in names {
        assert!(
            matches!(find(name, rtype), Err(LookupError::Failed(_))),
            "{name}"
        );
    }
    bed.restart();
    assert_eq!(loaded(), (saved.sets, 0));
    assert_eq!(entries(true), saved.sets as usize);
    assert_eq!(texts(), before);
    for call in 0..1000 {
        let (name, rtype) = names[call % names.len()];
        assert_eq!(find(name, rtype), Ok(Source::Cache), "{name}");
    }
    // "Not offered" is what it was, too.
    let tcp = find("_sip._tcp.a.example", SRV);
    assert_eq!(tcp, Ok(Source::Network));
}

#[test]
fn what_is_loaded_is_fetched_anew() {
    let bed = Bed::new();
    bed.fill();
    bed.save();
    bed.restart();
    loaded();
    bed.setup.server.remove("a.example", A);
    bed.setup.server.add(Rr::a("a.example", 300, "192.0.2.9"));
    let (entry, source) = lookup::entry(b"a.example", RecordType(A), IPV4_ONLY).unwrap();
    assert_eq!(source, Source::Network);
    let addresses: Vec<_> = entry.usable_addresses(now_ticks()).collect();
    assert_eq!(addresses.len(), 1);
}

#[test]
fn nothing_that_is_there_gives_way() {
    let bed = Bed::new();
    bed.fill();
    let saved = bed.save();
    bed.restart();
    let s = &bed.setup.server;
    s.remove("a.example", A);
    s.remove("alias.example", CNAME);
    s.add(Rr::a("a.example", 300, "192.0.2.9"));
    s.script(
        "_sip._udp.a.example",
        SRV,
        vec![Reply::nodata(Rr::soa("example", 300, 300))],
    );
    assert_eq!(find("a.example", A), Ok(Source::Network));
    assert_eq!(find("_sip._udp.a.example", SRV), Err(LookupError::NoData));
    assert_eq!(loaded(), (saved.sets - 2, 2));
    let (entry, source) = lookup::entry(b"a.example", RecordType(A), IPV4_ONLY).unwrap();
    assert_eq!((entry.record_count(), source), (1, Source::Cache));
    assert_eq!(find("_sip._udp.a.example", SRV), Err(LookupError::NoData));
    // Again: what is expired takes the place of what is.
    assert_eq!(loaded(), (saved.sets - 2, 2));
}

#[test]
fn absences_failures_and_what_an_operator_edited_for_ever_are_not_kept() {
    let bed = Bed::new();
    let s = &bed.setup.server;
    s.add(Rr::a("kept.example", 300, "192.0.2.1"));
    s.script("failed.example", A, vec![Reply::servfail()]);
    for name in ["kept.example", "none.example", "failed.example"] {
        let _ = find(name, A);
    }
    let edit = RecordEdit {
        name: b"edited.example",
        ttl: 0,
        value: b"192.0.2.7",
        priority: 0,
        weight: 0,
        port: 0,
        negative: false,
        permanent: true,
    };
    lookup::add_record(RecordType(A), &edit).unwrap();
    assert_eq!(bed.save().sets, 1);
    bed.restart();
    assert_eq!(loaded(), (1, 0));
    assert_eq!(texts().len(), 1);
    assert!(texts()[0].starts_with("kept.example 1 "));
}

#[test]
fn without_stale_service_and_beyond_its_time_nothing_is_loaded() {
    let mut bed = Bed::new();
    bed.fill();
    let saved = bed.save();
    bed.restart();
    bed.setup.options.set("dns_stale_ttl", "0");
    assert_eq!(loaded(), (0, saved.sets));
    bed.setup.options.set("dns_stale_ttl", "3600");
    assert_eq!(loaded(), (saved.sets, 0));
    // A snapshot of expired records still says when they expired.
    advance_for_tests(3_000_000);
    assert_eq!(bed.save().sets, saved.sets);
    bed.restart();
    bed.setup.options.set("dns_stale_ttl", "2900");
    assert_eq!(loaded(), (0, saved.sets));
    bed.setup.options.set("dns_stale_ttl", "3600");
    assert_eq!(loaded(), (saved.sets, 0));
    advance_for_tests(700_000);
    bed.outage(&[("a.example", A)]);
    assert!(find("a.example", A).is_err(), "its time is over");
}

#[test]
fn a_damaged_or_foreign_file_loads_nothing() {
    let bed = Bed::new();
    bed.fill();
    bed.save();
    bed.restart();
    let whole = fs::read(bed.path()).unwrap();
    let damaged = |content: &[u8]| {
        fs::write(bed.path(), content).unwrap();
        match snapshot::load() {
            Err(Trouble::Damaged(_)) => assert_eq!(Cache::instance().unwrap().usage().entries, 0),
            other => panic!("{other:?}"),
        }
    };
    for length in 0..whole.len() {
        damaged(&whole[..length]);
    }
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 1 << (place % 8);
        damaged(&changed);
    }
    damaged(b"#!/bin/sh\necho this is no snapshot\n");
    fs::write(bed.path(), &whole).unwrap();
    assert!(loaded().0 > 0);
}

/// A clock that was set back: by it the file was written later than now.
#[test]
fn a_file_from_the_future_is_not_used() {
    let bed = Bed::new();
    bed.fill();
    bed.save();
    bed.restart();
    let mut content = fs::read(bed.path()).unwrap();
    let body = content.len() - 8;
    // Behind the magic and the version stands the time of the day.
    let written = u64::from_be_bytes(content[12..20].try_into().unwrap());
    content[12..20].copy_from_slice(&(written + 3600).to_be_bytes());
    let sum = checksum(&content[..body]);
    content[body..].copy_from_slice(&sum.to_be_bytes());
    fs::write(bed.path(), &content).unwrap();
    match snapshot::load() {
        Err(Trouble::Damaged(what)) => assert!(what.contains("the future"), "{what}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(Cache::instance().unwrap().usage().entries, 0);
}

/// Who can write the file can write the checksum, too, and does not get a record past the checks of a packet.
#[test]
fn a_file_with_a_right_checksum_is_no_more_believed_than_a_packet() {
    let bed = Bed::new();
    bed.fill();
    bed.save();
    bed.restart();
    let whole = fs::read(bed.path()).unwrap();
    let body = whole.len() - 8;
    for place in 20..body {
        for change in [0x01, 0x40, 0xff] {
            let mut changed = whole.clone();
            changed[place] ^= change;
            let sum = checksum(&changed[..body]);
            changed[body..].copy_from_slice(&sum.to_be_bytes());
            fs::write(bed.path(), &changed).unwrap();
            let _any = snapshot::load();
            let cache = Cache::instance().unwrap();
            for entry in cache.entries() {
                assert!(TYPES.contains(&entry.rtype().0));
                assert!(entry.is_expired(now_ticks()) && entry.record_count() > 0);
                assert!(!entry.is_permanent() && entry.negative().is_none());
            }
        }
        bed.restart();
    }
}

#[test]
fn it_is_written_in_steps_and_only_its_owner_may_read_it() {
    let bed = Bed::new();
    for number in 0..500 {
        let name = format!("n{number}.steps.example");
        bed.setup.server.add(Rr::a(&name, 300, "192.0.2.1"));
        find(&name, A).unwrap();
    }
    let mut saver = Saver::default();
    saver.tick_at(1000);
    assert!(!bed.path().exists());
    saver.tick_at(300_999);
    assert!(!bed.folder.join(".cache.new").exists());
    let mut steps = 0;
    while !bed.path().exists() {
        saver.tick_at(301_000);
        steps += 1;
        assert!(steps < 10_000);
    }
    assert!(steps > 1, "{steps}");
    assert_eq!(fs::metadata(bed.path()).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(&bed.folder).unwrap().count(), 1);
    let before = fs::metadata(bed.path()).unwrap().ino();
    saver.tick_at(301_001);
    assert_eq!(fs::metadata(bed.path()).unwrap().ino(), before);
    bed.restart();
    assert_eq!(loaded(), (500, 0));
}

#[test]
fn where_there_is_no_room_the_old_file_stays() {
    let bed = Bed::new();
    bed.fill();
    bed.save();
    let before = fs::read(bed.path()).unwrap();
    let child = spawn(|| {
        let limit = libc::rlimit {
            rlim_cur: 100,
            rlim_max: 100,
        };
        // SAFETY: concerns this child alone.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        // SAFETY: as above.
        let limited = unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) };
        assert_eq!(limited, 0);
        match snapshot::save() {
            Err(Trouble::File(Refused::System(error))) => {
                assert_eq!(error.raw_os_error(), Some(libc::EFBIG));
            }
            other => panic!("{other:?}"),
        }
    });
    all_end_well(vec![child]);
    assert_eq!(fs::read(bed.path()).unwrap(), before);
    assert_eq!(fs::read_dir(&bed.folder).unwrap().count(), 1);
    // The right to write is free again.
    bed.save();
}

/// Two instances that were given the same path would each lose what the other saved.
#[test]
fn a_file_that_somebody_else_wrote_stays_until_it_is_loaded() {
    let bed = Bed::new();
    bed.fill();
    bed.save();
    bed.save();
    let saved = fs::read(bed.path()).unwrap();
    let others = bed.folder.join("others");
    fs::write(&others, &saved).unwrap();
    fs::rename(&others, bed.path()).unwrap();
    assert!(matches!(snapshot::save(), Err(Trouble::Others)));
    assert_eq!(command(dns_save_rpc), 1);
    assert_eq!(fs::read_dir(&bed.folder).unwrap().count(), 1);
    assert_eq!(command(dns_load_rpc), 0);
    bed.save();
    // One that is gone is nobody's.
    fs::remove_file(bed.path()).unwrap();
    bed.save();
    // Written while ours is under way.
    let mut saver = Saver::default();
    saver.tick_at(1000);
    saver.tick_at(301_001);
    fs::write(&others, &saved).unwrap();
    fs::rename(&others, bed.path()).unwrap();
    let ino = fs::metadata(bed.path()).unwrap().ino();
    for _ in 0..1000 {
        saver.tick_at(301_002);
    }
    assert_eq!(fs::metadata(bed.path()).unwrap().ino(), ino);
    assert_eq!(fs::read_dir(&bed.folder).unwrap().count(), 1);
}

#[test]
fn at_the_end_an_empty_cache_leaves_the_file_of_the_start_before() {
    let bed = Bed::new();
    fs::write(bed.path(), "of another start").unwrap();
    snapshot::forget_for_tests();
    snapshot::save_at_end();
    assert_eq!(fs::read(bed.path()).unwrap(), b"of another start");
    bed.fill();
    snapshot::save_at_end();
    bed.restart();
    assert_eq!(loaded().1, 0);
    // It is ours from then on, so what was dropped does not come back.
    bed.restart();
    snapshot::save_at_end();
    assert_eq!(loaded(), (0, 0));
}

fn command(function: unsafe extern "C" fn(*mut rpc_t, *mut c_void)) -> i32 {
    let mut transport = rpc::call(&[]);
    // SAFETY: functions that ignore their context.
    unsafe { function(&raw mut transport, null_mut()) };
    rpc::faults()
}

/// What `dns.snapshot` shows, or `None` for a fault.
fn shown(pattern: &[&str]) -> Option<Vec<(String, String)>> {
    let mut all = rpc_register::commands();
    let command = all.find(|command| command.name == c"dns.snapshot").unwrap();
    let mut transport = rpc::call(pattern);
    // SAFETY: functions that ignore their context.
    unsafe { command.call(&raw mut transport, null_mut()) };
    (rpc::faults() == 0).then(rpc::fields)
}

#[test]
fn people_read_what_a_file_has_and_nothing_is_loaded_or_written() {
    let mut bed = Bed::new();
    assert_eq!(shown(&[]), None, "there is none yet");
    bed.fill();
    bed.save();
    bed.restart();
    let before = fs::metadata(bed.path()).unwrap();
    let texts = |pattern: &[&str]| -> Vec<String> {
        let fields = shown(pattern).unwrap().into_iter();
        let mut lines: Vec<String> = Vec::new();
        for (name, value) in fields {
            match name.as_str() {
                "name" => lines.push(value),
                _ => *lines.last_mut().unwrap() += &format!(" {value}"),
            }
        }
        lines.sort();
        lines
    };
    let all = [
        "_sip._tcp.a.example SRV 0 0 0 .",
        "_sip._udp.a.example SRV 1 2 5060 a.example.",
        "a.example A 192.0.2.1 192.0.2.2",
        "a.example NAPTR 1 2 \"s\" \"SIP+D2U\" \"\" _sip._udp.a.example.",
        "alias.example CNAME a.example.",
    ];
    assert_eq!(texts(&[]), all);
    assert_eq!(texts(&["ALIAS.*"]), [all[4]]);
    assert_eq!(texts(&["none.example"]), [""; 0]);
    assert_eq!(Cache::instance().unwrap().usage().entries, 0);
    let after = fs::metadata(bed.path()).unwrap();
    assert_eq!(
        (after.ino(), after.mtime_nsec()),
        (before.ino(), before.mtime_nsec())
    );
    let mut changed = fs::read(bed.path()).unwrap();
    changed[40] ^= 1;
    fs::write(bed.path(), changed).unwrap();
    assert_eq!(shown(&[]), None);
    bed.setup.options.set("dns_snapshot", "");
    assert_eq!(shown(&[]), None);
}

#[test]
fn commands_take_no_path() {
    let mut bed = Bed::new();
    assert_eq!(command(dns_load_rpc), 1, "there is none yet");
    bed.fill();
    assert_eq!(command(dns_save_rpc), 0);
    bed.restart();
    assert_eq!(command(dns_load_rpc), 0);
    assert!(entries(true) > 0);
    fs::set_permissions(&bed.folder, Permissions::from_mode(0o777)).unwrap();
    assert_eq!(command(dns_save_rpc), 1);
    assert_eq!(command(dns_load_rpc), 1);
    bed.setup.options.set("dns_snapshot", "");
    assert!(matches!(snapshot::save(), Err(Trouble::Off)));
    assert_eq!(command(dns_save_rpc), 1);
}
