//! Random sequences of cache operations against a plain model.

#![cfg(feature = "use_dns_cache")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use kamailio_dns::cache::{
    Cache, Conflict, EntryRef, FirstAddress, HostCopy, InsertError, NegativeKind, Seen,
};
use kamailio_dns::rr::{RData, RecordType};
use proptest::prelude::*;
use support::set::{self, Set};

const START: u32 = u32::MAX - 500;

#[derive(Clone, Debug)]
enum Op {
    Put {
        name: u8,
        first: u8,
        count: u8,
        ttl: u32,
        permanent: bool,
        conflict: u8,
    },
    Deny {
        name: u8,
        ttl: u32,
        failure: bool,
    },
    Remove {
        name: u8,
    },
    Flush {
        permanent_too: bool,
    },
    Collect,
    Wait {
        seconds: u32,
    },
    Hold {
        name: u8,
    },
    LetGo,
}

#[derive(Clone, Debug)]
struct Model {
    addresses: Vec<Ipv4Addr>,
    negative: Option<NegativeKind>,
    expire: u32,
    permanent: bool,
}

fn op() -> impl Strategy<Value = Op> {
    let name = 0..12_u8;
    prop_oneof![
        6 => (name.clone(), any::<u8>(), 1..20_u8, 1..200_u32, prop::bool::weighted(0.1), 0..3_u8).prop_map(
            |(name, first, count, ttl, permanent, conflict)| Op::Put { name, first, count, ttl, permanent, conflict }
        ),
        2 => (name.clone(), 1..100_u32, any::<bool>()).prop_map(|(name, ttl, failure)| Op::Deny { name, ttl, failure }),
        1 => name.clone().prop_map(|name| Op::Remove { name }),
        1 => any::<bool>().prop_map(|permanent_too| Op::Flush { permanent_too }),
        1 => Just(Op::Collect),
        3 => (0..60_u32).prop_map(|seconds| Op::Wait { seconds }),
        2 => name.prop_map(|name| Op::Hold { name }),
        1 => Just(Op::LetGo),
    ]
}

/// Names of different lengths and spellings.
fn text(name: u8, upper: bool) -> Vec<u8> {
    let text = format!("{}host{name}.example", "l.".repeat(usize::from(name) * 3));
    if upper {
        text.to_uppercase().into_bytes()
    } else {
        text.into_bytes()
    }
}

fn past(expire: u32, now: u32) -> bool {
    now.wrapping_sub(expire) as i32 >= 0
}

fn conflict_of(number: u8) -> Conflict {
    [Conflict::Replace, Conflict::KeepOld, Conflict::KeepLonger][usize::from(number % 3)]
}

/// What the model says about a new entry for a name that may have one.
fn apply(model: &mut HashMap<u8, Model>, name: u8, new: Model, conflict: Conflict, now: u32) {
    let keep = model.get(&name).is_some_and(|old| {
        if old.permanent {
            return !new.permanent;
        }
        if new.permanent || past(old.expire, now) {
            return false;
        }
        if new.negative == Some(NegativeKind::Failure) {
            return true;
        }
        if old.negative.is_some() && new.negative.is_none() {
            return false;
        }
        match conflict {
            Conflict::Replace => false,
            Conflict::KeepOld => true,
            Conflict::KeepLonger => past(new.expire, old.expire),
        }
    });
    if !keep {
        model.insert(name, new);
    }
}

fn check(cache: &Cache, model: &HashMap<u8, Model>, now: u32) {
    let mut set = HostCopy::EMPTY;
    for name in 0..12 {
        let probe = cache.copy_host(
            &cache.hashed(&text(name, true)),
            RecordType::A,
            now,
            &mut set,
        );
        match model
            .get(&name)
            .filter(|m| m.permanent || !past(m.expire, now))
        {
            None => assert_eq!(probe, Seen::Miss, "{name}"),
            Some(Model {
                negative: Some(kind),
                ..
            }) => assert_eq!(probe, Seen::Negative(*kind)),
            Some(wanted) => {
                assert_eq!(probe, Seen::Found(()));
                let wanted: Vec<_> = wanted
                    .addresses
                    .iter()
                    .take(HostCopy::CAPACITY)
                    .map(|a| IpAddr::V4(*a))
                    .collect();
                assert_eq!(set.list(), wanted);
                let other_case = text(name, false);
                let first = cache.first_address(&cache.hashed(&other_case), RecordType::A, now);
                let expected = wanted.first().map_or(Seen::Miss, |address| {
                    Seen::Found(FirstAddress {
                        address: (*address).into(),
                        alone: wanted.len() == 1,
                    })
                });
                assert_eq!(first, expected);
            }
        }
    }
    assert!(cache.usage().used <= cache.usage().limit);
    assert_eq!(cache.entries().count(), cache.usage().entries);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, fork: false, ..ProptestConfig::default() })]

    #[test]
    fn the_cache_equals_the_model(ops in prop::collection::vec(op(), 1..120)) {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let mut model: HashMap<u8, Model> = HashMap::new();
        let mut held: Vec<(EntryRef, Vec<u8>, usize)> = Vec::new();
        let mut now = START;
        for op in ops {
            match op {
                Op::Put { name, first, count, ttl, permanent, conflict } => {
                    let addresses: Vec<_> = (0..count).map(|i| Ipv4Addr::new(10, i, 0, first)).collect();
                    let rdata: Vec<_> = addresses.iter().map(|a| RData::A(*a)).collect();
                    let set = Set::of(text(name, false), RecordType::A).records(ttl, &rdata);
                    set.permanent(permanent).put_as(cache, conflict_of(conflict), now).unwrap();
                    let new = Model { addresses, negative: None, expire: now.wrapping_add(16 * ttl), permanent };
                    apply(&mut model, name, new, conflict_of(conflict), now);
                }
                Op::Deny { name, ttl, failure } => {
                    let kind = if failure { NegativeKind::Failure } else { NegativeKind::NxDomain };
                    Set::absence(text(name, true), RecordType::A, kind, ttl).put(cache, now).unwrap();
                    let new = Model { addresses: vec![], negative: Some(kind), expire: now.wrapping_add(16 * ttl), permanent: false };
                    apply(&mut model, name, new, Conflict::Replace, now);
                }
                Op::Remove { name } => {
                    let entry = cache.acquire_any_age(&text(name, false), RecordType::A);
                    prop_assert_eq!(entry.is_some(), model.remove(&name).is_some());
                    if let Some(entry) = entry {
                        prop_assert!(cache.remove(&entry));
                        prop_assert!(!cache.remove(&entry));
                    }
                }
                Op::Flush { permanent_too } => {
                    cache.flush(permanent_too);
                    model.retain(|_, m| m.permanent && !permanent_too);
                }
                Op::Collect => {
                    cache.collect_garbage(now);
                    model.retain(|_, m| m.permanent || !past(m.expire, now));
                    prop_assert_eq!(cache.usage().entries, model.len());
                }
                Op::Wait { seconds } => now = now.wrapping_add(16 * seconds),
                Op::Hold { name } => {
                    if let Some(entry) = cache.acquire(&text(name, false), RecordType::A, now) {
                        let (owner, count) = (entry.name().to_vec(), entry.record_count());
                        held.push((entry, owner, count));
                    }
                }
                Op::LetGo => drop(held.pop()),
            }
            check(cache, &model, now);
            for (entry, owner, count) in &held {
                prop_assert_eq!(entry.name(), owner.as_slice());
                prop_assert_eq!(entry.record_count(), *count);
            }
        }
        held.clear();
        for entry in cache.entries() {
            prop_assert_eq!(entry.reference_count(), 2);
        }
        #[cfg(feature = "fault_injection")]
        prop_assert!(cache.audit(true).is_ok());
    }

    /// Whatever is thrown at a small cache: never more memory than allowed, never a permanent entry lost.
    #[test]
    fn the_limit_is_never_exceeded(
        sizes in prop::collection::vec((1..240_usize, 1..60_usize), 50..400),
        limit in 60_000..400_000_usize,
        del_nonexp: bool,
    ) {
        let cache = Cache::for_tests(limit, del_nonexp).unwrap();
        let fixed = Set::of("fixed", RecordType::A).record(60, set::a(1));
        fixed.permanent(true).put(cache, START).unwrap();
        let addresses: Vec<_> = (0..60).map(|i| RData::A(Ipv4Addr::new(10, 0, 0, i))).collect();
        for (i, (name_length, count)) in sizes.into_iter().enumerate() {
            let name = format!("{i}-{}", "n".repeat(name_length));
            let set = Set::of(name, RecordType::A).records(60, addresses.iter().take(count));
            match set.put(cache, START.wrapping_add(i as u32)) {
                Ok(_) | Err(InsertError::Full) => {}
                Err(error) => prop_assert!(false, "{error:?}"),
            }
            prop_assert!(cache.usage().used <= limit);
        }
        prop_assert!(cache.acquire(b"fixed", RecordType::A, START).is_some());
        #[cfg(feature = "fault_injection")]
        prop_assert!(cache.audit(true).is_ok());
    }
}
