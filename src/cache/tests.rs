//! The cache as its users see it, in one process.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::set::Set;
use super::*;
use crate::host::clock::after_seconds;
use crate::rr::{Form, Name, Naptr, RData, RecordType, Srv};

const NOW: u32 = u32::MAX - 100;

fn a(last: u8) -> RData {
    RData::A(Ipv4Addr::new(10, 0, 0, last))
}

fn insert(
    cache: &Cache,
    name: &str,
    rtype: RecordType,
    records: &[(u32, RData)],
    now: u32,
) -> Result<EntryRef, InsertError> {
    let mut set = Set::of(name, rtype);
    for (ttl, rdata) in records {
        set = set.record(*ttl, rdata.clone());
    }
    set.put(cache, now)
}

fn negative(
    cache: &Cache,
    name: &str,
    rtype: RecordType,
    kind: NegativeKind,
    ttl: u32,
) -> Result<EntryRef, InsertError> {
    Set::absence(name, rtype, kind, ttl).put(cache, NOW)
}

fn first(cache: &Cache, name: &str, now: u32) -> (Seen<()>, Option<IpAddr>) {
    match cache.first_address(&cache.hashed(name.as_bytes()), RecordType::A, now) {
        Seen::Miss => (Seen::Miss, None),
        Seen::Alias => (Seen::Alias, None),
        Seen::Negative(kind) => (Seen::Negative(kind), None),
        Seen::Found(FirstAddress { address, .. }) => (Seen::Found(()), Some(address.into())),
    }
}

/// An upper bound that cannot be had takes nothing from the limit that can.
#[test]
fn memory_is_asked_for_from_the_most_down_to_the_limit_and_below() {
    let [asked, most] = [1_500_000 << 10, 4_000_000 << 10];
    let sizes: Vec<usize> = sizes_to_try(asked, most).take(4).collect();
    assert_eq!(sizes, [most, most / 2, asked, asked / 2]);
    assert!(sizes_to_try(asked, most).last().unwrap() <= LEAST_LIMIT);
    for most in [0, asked / 2, asked] {
        assert_eq!(sizes_to_try(asked, most).next(), Some(asked));
    }
}

#[test]
fn an_address_is_found_whatever_the_case_until_it_expires() {
    let cache = Cache::for_tests(1 << 20, false).unwrap();
    let entry = insert(
        cache,
        "Sip.Example.ORG",
        RecordType::A,
        &[(60, a(1)), (60, a(2)), (30, a(3))],
        NOW,
    )
    .unwrap();
    assert_eq!(entry.reference_count(), 2);
    drop(entry);
    let mut set = HostCopy::EMPTY;
    assert_eq!(
        cache.copy_host(
            &cache.hashed(b"sip.example.org"),
            RecordType::A,
            NOW,
            &mut set
        ),
        Seen::Found(())
    );
    let wanted: Vec<IpAddr> = (1..4)
        .map(|i| IpAddr::V4(Ipv4Addr::new(10, 0, 0, i)))
        .collect();
    assert_eq!(set.list(), wanted);
    let later = after_seconds(NOW, 40);
    cache.copy_host(
        &cache.hashed(b"sip.example.org"),
        RecordType::A,
        later,
        &mut set,
    );
    assert_eq!(set.list(), &wanted[..2]);
    assert_eq!(first(cache, "SIP.EXAMPLE.ORG", later).1, Some(wanted[0]));
    let over = after_seconds(NOW, 60);
    assert_eq!(first(cache, "sip.example.org", over).0, Seen::Miss);
    assert!(
        cache
            .acquire(b"sip.example.org", RecordType::A, over)
            .is_none()
    );
    assert_eq!(
        cache
            .acquire(b"sip.example.org", RecordType::A, later)
            .unwrap()
            .reference_count(),
        2
    );
    assert_eq!(
        cache
            .acquire_any_age(b"sip.example.org", RecordType::A)
            .unwrap()
            .name(),
        b"Sip.Example.ORG"
    );
    cache.collect_garbage(over);
    assert_eq!(cache.usage().entries, 0);
}

#[test]
fn names_of_every_length_and_neighbours() {
    let cache = Cache::for_tests(4 << 20, false).unwrap();
    let names: Vec<String> = (1..=255)
        .map(|n| "abcdefghij".chars().cycle().take(n).collect())
        .collect();
    for (i, name) in names.iter().enumerate() {
        insert(
            cache,
            name,
            RecordType::A,
            &[(60, a(i as u8)), (60, a((i + 99) as u8))],
            NOW,
        )
        .unwrap();
        insert(
            cache,
            name,
            RecordType::AAAA,
            &[
                (60, RData::Aaaa(Ipv6Addr::from(i as u128))),
                (60, RData::Aaaa(Ipv6Addr::from(1000u128))),
            ],
            NOW,
        )
        .unwrap();
    }
    for (i, name) in names.iter().enumerate() {
        assert_eq!(
            first(cache, &name.to_uppercase(), NOW).1,
            Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, i as u8)))
        );
        let mut set = HostCopy::EMPTY;
        cache.copy_host(
            &cache.hashed(name.as_bytes()),
            RecordType::AAAA,
            NOW,
            &mut set,
        );
        assert_eq!(
            set.list(),
            [
                IpAddr::V6(Ipv6Addr::from(i as u128)),
                IpAddr::V6(Ipv6Addr::from(1000u128))
            ]
        );
        let entry = cache
            .acquire(name.as_bytes(), RecordType::AAAA, NOW)
            .unwrap();
        assert_eq!(
            entry.record(1),
            Some(RecordView::Aaaa(Ipv6Addr::from(1000u128)))
        );
        let entry = cache.acquire(name.as_bytes(), RecordType::A, NOW).unwrap();
        assert_eq!(
            entry.record(1),
            Some(RecordView::A(Ipv4Addr::new(10, 0, 0, (i + 99) as u8)))
        );
        assert_eq!(entry.record(2), None);
    }
    assert_eq!(cache.entries().count(), 510);
    let long = "x".repeat(256);
    assert_eq!(
        insert(cache, &long, RecordType::A, &[(60, a(1))], NOW).unwrap_err(),
        InsertError::BadDraft
    );
    assert_eq!(
        insert(cache, "", RecordType::A, &[(60, a(1))], NOW).unwrap_err(),
        InsertError::BadDraft
    );
    assert_eq!(
        insert(cache, "a", RecordType::SRV, &[(60, a(1))], NOW).unwrap_err(),
        InsertError::BadDraft
    );
    // What an operator says is looked at as well.
    let edited = Set::of(long, RecordType::A).record(60, a(1));
    let refused = edited.draft(|d| cache.insert_edited(d, Place::Both(Mark::edited()), NOW));
    assert_eq!(refused.unwrap_err(), InsertError::BadDraft);
}

/// A new line of the table of types is covered without a line here.
#[test]
fn each_kept_type_is_read_in_its_form() {
    let cache = Cache::for_tests(1 << 20, false).unwrap();
    let name = || Name::from_text(b"a.test").unwrap();
    let text = || Box::from(*b"text");
    for (rtype, _) in RecordType::KEPT {
        let (data, shown) = match rtype.form().unwrap() {
            Form::Ipv4 => (RData::A([192, 0, 2, 1].into()), "A(192.0.2.1)"),
            Form::Ipv6 => (RData::Aaaa("::1".parse().unwrap()), "Aaaa(::1)"),
            Form::Alias => (RData::Cname(name()), "Cname("),
            Form::Name => (RData::Ptr(name()), "Ptr("),
            Form::Srv => {
                let target = name();
                let srv = Srv {
                    priority: 1,
                    weight: 2,
                    port: 3,
                    target,
                };
                (RData::Srv(srv), "Srv { priority: 1, weight: 2, port: 3")
            }
            Form::Naptr => {
                let naptr = Naptr {
                    order: 1,
                    preference: 2,
                    flags: text(),
                    services: text(),
                    regexp: text(),
                    replacement: name(),
                };
                (RData::Naptr(naptr), "Naptr { order: 1, preference: 2")
            }
            Form::Texts => (RData::Txt(vec![text()]), "Txt("),
            Form::Ebl => {
                let data = RData::Ebl {
                    position: 7,
                    separator: text(),
                    apex: name(),
                };
                (data, "Ebl { position: 7")
            }
        };
        let entry = insert(cache, "a.test", *rtype, &[(9, data)], NOW).unwrap();
        let view = format!("{:?}", entry.record(0).unwrap());
        assert!(view.starts_with(shown), "{rtype:?}: {view}");
        assert_eq!(entry.rtype(), *rtype);
    }
}

#[test]
fn every_type_comes_back_as_it_went_in() {
    let cache = Cache::for_tests(1 << 20, false).unwrap();
    let name = |text: &str| Name::from_text(text.as_bytes()).unwrap();
    let srv = |priority, weight, target: &str| {
        RData::Srv(Srv {
            priority,
            weight,
            port: 5060,
            target: name(target),
        })
    };
    let entry = insert(
        cache,
        "_sip._udp.x",
        RecordType::SRV,
        &[
            (9, srv(2, 1, "d")),
            (9, srv(1, 1, "b")),
            (9, srv(1, 9, "a")),
            (9, srv(1, 1, "c")),
        ],
        NOW,
    )
    .unwrap();
    let order: Vec<_> = (0..4)
        .map(|i| match entry.record(i) {
            Some(RecordView::Srv {
                target, port: 5060, ..
            }) => target.to_vec(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(order, [b"a", b"b", b"c", b"d"]);
    assert!(entry.records().eq((0..4).filter_map(|i| entry.record(i))));
    let naptr = |order| {
        RData::Naptr(Naptr {
            order,
            preference: 5,
            flags: (*b"s").into(),
            services: (*b"SIP+D2U").into(),
            regexp: (*b"").into(),
            replacement: name("_sip._udp.x"),
        })
    };
    let entry = insert(
        cache,
        "x",
        RecordType::NAPTR,
        &[(9, naptr(1)), (9, naptr(2))],
        NOW,
    )
    .unwrap();
    assert_eq!(
        entry.record(1),
        Some(RecordView::Naptr {
            order: 2,
            preference: 5,
            flags: b"s",
            services: b"SIP+D2U",
            regexp: b"",
            replacement: b"_sip._udp.x"
        })
    );
    let texts = RData::Txt(vec![
        (*b"one").into(),
        (*b"").into(),
        vec![b'z'; 255].into(),
    ]);
    let entry = insert(
        cache,
        "x",
        RecordType::TXT,
        &[
            (9, texts.clone()),
            (9, RData::Txt(vec![(*b"first").into()])),
            (9, texts),
        ],
        NOW,
    )
    .unwrap();
    assert_eq!(entry.texts(0), vec![&b"first"[..]]);
    assert_eq!(entry.texts(1), vec![&b"one"[..], b"", &[b'z'; 255]]);
    assert_eq!(entry.record_count(), 2);
    let entry = insert(
        cache,
        "x",
        RecordType::CNAME,
        &[(9, RData::Cname(name("real.x")))],
        NOW,
    )
    .unwrap();
    assert_eq!(entry.record(0), Some(RecordView::Cname(b"real.x")));
    let ebl = RData::Ebl {
        position: 3,
        separator: (*b"i").into(),
        apex: name("e164.arpa"),
    };
    let entry = insert(cache, "x", RecordType::EBL, &[(9, ebl)], NOW).unwrap();
    assert_eq!(
        entry.record(0),
        Some(RecordView::Ebl {
            position: 3,
            separator: b"i",
            apex: b"e164.arpa"
        })
    );
    let entry = insert(
        cache,
        "x",
        RecordType::PTR,
        &[(9, RData::Ptr(name("p")))],
        NOW,
    )
    .unwrap();
    assert_eq!(entry.record(0), Some(RecordView::Ptr(b"p")));
    // An alias answers for types that the name does not have, but not for those that it has.
    assert_eq!(first(cache, "x", NOW).0, Seen::Alias);
    assert_eq!(
        cache.acquire(b"x", RecordType::A, NOW).unwrap().rtype(),
        RecordType::CNAME
    );
    insert(cache, "x", RecordType::A, &[(9, a(1))], NOW).unwrap();
    assert_eq!(
        cache.acquire(b"x", RecordType::A, NOW).unwrap().rtype(),
        RecordType::A
    );
    let hash = cache.name_hash(b"X");
    let found = cache
        .acquire_by_hash(hash, RecordType::NAPTR, &|entry| entry.name() == b"x")
        .unwrap();
    assert_eq!(found.record_count(), 2);
}

#[test]
fn negative_entries_and_conflicts() {
    let cache = Cache::for_tests(1 << 20, false).unwrap();
    negative(cache, "n", RecordType::A, NegativeKind::NxDomain, 60).unwrap();
    assert_eq!(
        first(cache, "n", NOW).0,
        Seen::Negative(NegativeKind::NxDomain)
    );
    // Records replace a negative entry whatever the preference (B55).
    let older = Set::of("n", RecordType::A).record(50, a(1));
    older.put_as(cache, Conflict::KeepOld, NOW).unwrap();
    assert_eq!(first(cache, "n", NOW).0, Seen::Found(()));
    // A failure does not replace what is live.
    negative(cache, "n", RecordType::A, NegativeKind::Failure, 60).unwrap();
    assert_eq!(first(cache, "n", NOW).0, Seen::Found(()));
    let newer = Set::of("n", RecordType::A).record(40, a(2));
    let kept = newer.put_as(cache, Conflict::KeepLonger, NOW).unwrap();
    assert_eq!(
        kept.record(0),
        Some(RecordView::A(Ipv4Addr::new(10, 0, 0, 1)))
    );
    drop(kept);
    let kept = newer.put_as(cache, Conflict::KeepOld, NOW).unwrap();
    assert_eq!(
        kept.record(0),
        Some(RecordView::A(Ipv4Addr::new(10, 0, 0, 1)))
    );
    let new = newer.put(cache, NOW).unwrap();
    assert_eq!(
        new.record(0),
        Some(RecordView::A(Ipv4Addr::new(10, 0, 0, 2)))
    );
    // The replaced entry lives as long as it is held.
    assert_eq!((kept.reference_count(), kept.is_linked()), (1, false));
    assert_eq!(
        kept.record(0),
        Some(RecordView::A(Ipv4Addr::new(10, 0, 0, 1)))
    );
    let permanent = newer.clone().permanent(true);
    permanent.put_as(cache, Conflict::KeepOld, NOW).unwrap();
    assert!(newer.put(cache, NOW).unwrap().is_permanent());
    assert_eq!(cache.usage().entries, 1);
    cache.flush(false);
    assert_eq!(cache.usage().entries, 1);
    let held = cache.acquire(b"n", RecordType::A, NOW).unwrap();
    cache.flush(true);
    assert_eq!(cache.usage().entries, 0);
    assert_eq!(held.name(), b"n");
    assert!(!cache.remove(&held));
}

#[test]
fn the_limit_is_strict_and_expired_entries_make_room() {
    let limit = 512_000;
    let cache = Cache::for_tests(limit, false).unwrap();
    let mut held = Vec::new();
    let mut stored = 0;
    for i in 0..10_000 {
        match insert(
            cache,
            &format!("host{i:06}.example.o"),
            RecordType::A,
            &[(60, a(1))],
            NOW,
        ) {
            Ok(entry) => {
                stored += 1;
                if i % 100 == 0 {
                    held.push(entry);
                }
            }
            Err(error) => assert_eq!(error, InsertError::Full),
        }
        assert!(cache.usage().used <= limit);
    }
    // The C original holds 4,266 names of 20 octets in as much accounted (and twice the real) memory.
    assert!(stored >= 4266, "{stored}");
    let later = after_seconds(NOW, 61);
    for i in 0..3000 {
        insert(
            cache,
            &format!("late{i:06}.example.o"),
            RecordType::A,
            &[(60, a(1))],
            later,
        )
        .unwrap();
        assert!(cache.usage().used <= limit);
    }
    assert!(held.iter().all(|entry| entry.name().starts_with(b"host")));
}

#[test]
fn with_del_nonexp_the_names_in_use_stay() {
    let limit = 512_000;
    let cache = Cache::for_tests(limit, true).unwrap();
    let mut now = NOW;
    for i in 0..200 {
        insert(
            cache,
            &format!("hot{i}.example"),
            RecordType::A,
            &[(86400, a(1))],
            now,
        )
        .unwrap();
    }
    for round in 0..40_000 {
        now = NOW.wrapping_add(round / 50);
        insert(
            cache,
            &format!("flood{round:08}.example"),
            RecordType::A,
            &[(86400, a(1))],
            now,
        )
        .unwrap();
        let (probe, _) = first(cache, &format!("hot{}.example", round % 200), now);
        if round % 1000 == 0 {
            assert!(cache.usage().used <= limit);
        }
        let _ = probe;
    }
    let kept = (0..200)
        .filter(|i| first(cache, &format!("hot{i}.example"), now).0 == Seen::Found(()))
        .count();
    assert!(kept >= 190, "{kept} of 200 names in use were kept");
}

#[test]
fn sizes_of_entries_may_change_over_time() {
    let cache = Cache::for_tests(512_000, true).unwrap();
    // Victims are drawn at random, and a few draws may find none of a size that is rare.
    let small = |i| format!("small{i}");
    let stored = (0..6000)
        .filter(|&i| insert(cache, &small(i), RecordType::A, &[(600, a(1))], NOW).is_ok())
        .count();
    assert!(stored > 5990, "{stored}");
    let many: Vec<_> = (0..100).map(|i| (600, a(i))).collect();
    let now = NOW.wrapping_add(1000);
    let stored = (0..500)
        .filter(|i| insert(cache, &format!("big{i}"), RecordType::A, &many, now).is_ok())
        .count();
    assert!(stored > 400, "{stored}");
    assert!(cache.usage().used <= 512_000);
}

#[test]
fn calls_in_progress_get_entries_from_a_full_cache() {
    let cache = Cache::for_tests(512_000, false).unwrap();
    let permanent = |name: &str, permanent| {
        let set = Set::of(name, RecordType::A).record(60, a(1));
        if permanent {
            set.permanent(true).put(cache, NOW)
        } else {
            set.draft(|draft| cache.make_private(draft, NOW))
        }
    };
    permanent("fixed", true).unwrap();
    for i in 0..6000 {
        let _full = insert(
            cache,
            &format!("fill{i:05}"),
            RecordType::A,
            &[(60, a(1))],
            NOW,
        );
    }
    // Entries that nobody holds give way, within the limit ..
    let held: Vec<_> = (0..3000)
        .map(|i| permanent(&format!("call{i:05}"), false).unwrap())
        .collect();
    assert!(cache.usage().used <= 512_000);
    // .. and when calls hold everything they still get more.
    let more: Vec<_> = (0..6000)
        .map(|i| permanent(&format!("more{i:05}"), false).unwrap())
        .collect();
    assert!(
        held.iter()
            .chain(&more)
            .all(|entry| entry.reference_count() == 1)
    );
    assert_eq!(first(cache, "fixed", NOW).0, Seen::Found(()));
    drop((held, more));
    cache.collect_garbage(NOW);
    assert!(cache.usage().used <= 512_000);
}

#[test]
fn recovery_rebuilds_everything_derived() {
    let cache = Cache::for_tests(1 << 20, false).unwrap();
    for i in 0..2000 {
        insert(
            cache,
            &format!("r{i}.example.org"),
            RecordType::A,
            &[(60, a(i as u8))],
            NOW,
        )
        .unwrap();
    }
    let held = cache
        .acquire(b"r7.example.org", RecordType::A, NOW)
        .unwrap();
    assert!(cache.remove(&held));
    let before = cache.usage();
    cache.header.lock.set_damaged();
    drop(cache.write());
    assert_eq!(cache.usage(), before);
    assert_eq!(cache.repairs(), 1);
    for i in (0..2000).filter(|i| *i != 7) {
        assert_eq!(
            first(cache, &format!("R{i}.example.org"), NOW).1,
            Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, i as u8)))
        );
    }
    drop(held);
    cache.flush(true);
    cache.collect_garbage(NOW);
    assert_eq!(
        cache.usage().used,
        cache.fixed_bytes() + Pages::desc_bytes(16 * cache.pages.extent_end() as usize)
    );
}

#[test]
fn readers_see_whole_entries_while_a_writer_replaces_them() {
    let cache = Cache::for_tests(1 << 20, true).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    // Eight neighbours; those of different sets differ, so that a torn reading shows.
    let address = |n: u8, i: u8| Ipv4Addr::new(10, 0, n, i);
    let set = |n: u8| {
        (0..8)
            .map(|i| (600, RData::A(address(n, i))))
            .collect::<Vec<_>>()
    };
    insert(cache, "churn", RecordType::A, &set(0), NOW).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut out = HostCopy::EMPTY;
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(
                        cache.copy_host(&cache.hashed(b"churn"), RecordType::A, NOW, &mut out),
                        Seen::Found(())
                    );
                    let Some(IpAddr::V4(first)) = out.list().first().copied() else {
                        panic!("{out:?}");
                    };
                    let [_, _, n, _] = first.octets();
                    let whole: Vec<_> = (0..8).map(|i| IpAddr::V4(address(n, i))).collect();
                    assert_eq!(out.list(), whole);
                    let entry = cache.acquire(b"churn", RecordType::A, NOW).unwrap();
                    let Some(RecordView::A(first)) = entry.record(0) else {
                        panic!("no address");
                    };
                    let [_, _, n, _] = first.octets();
                    let whole = (0..8).map(|i| RecordView::A(address(n, i)));
                    assert!(entry.records().eq(whole));
                }
            });
        }
        for round in 0..30_000u32 {
            insert(cache, "churn", RecordType::A, &set(round as u8), NOW).unwrap();
            insert(
                cache,
                &format!("other{}", round % 50),
                RecordType::A,
                &set(77),
                NOW,
            )
            .unwrap();
            if round % 3 == 0 {
                let other = cache
                    .acquire_any_age(format!("other{}", round % 50).as_bytes(), RecordType::A)
                    .unwrap();
                cache.remove(&other);
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    let entry = cache.acquire(b"churn", RecordType::A, NOW).unwrap();
    assert_eq!(entry.reference_count(), 2);
}
