//! Model checks of one query for all who want its answer: `make loom`.
//!
//! The models run [`super::attempt`], [`Flight`], [`Claim`] and [`Right`] on slots and a cache as they are. Clocks
//! stand still, so a sleeper that nobody wakes sleeps for ever, which loom notices. The models of
//! [`crate::cache::claim`] show how many ask at a time, and where results go. [`Mutation`] has the mistakes that these
//! models catch.

use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::cache::loom_tests::{fresh, put_and_hold, remove};
use crate::error::LookupError;
use crate::host::process;
use crate::host::sync::model::{Joined, model_within, spawn};

/// Two questions that fall on one slot, of which there is a pair for each model.
fn keys(model: u64) -> (u64, u64) {
    let first = 0x0102_0304_0500_0000 | model;
    (first, first + (1 << 40))
}

/// The error that is handed on in models.
const ABSENT: LookupError = LookupError::NxDomain;
/// A process that there is not, nor will be: the highest number that the kernel could give.
const DEAD: u32 = 0x3f_ffff;

fn terms(before_ms: u64, pid: u32) -> Terms {
    let now_ms = resolver::now_ms() - before_ms;
    Terms::new(now_ms, Some(resolver::longest_ms()), None).by(pid)
}

fn now() -> Terms {
    terms(0, process::pid())
}

/// A claim, apart from the thread: loom runs all threads of a model in one, which counts the claims of all.
fn claimed(attempt: Attempt) -> Right {
    match attempt {
        Attempt::Claimed(claim) => claim.into_right().unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The outcome of an attempt to ask.
#[derive(Debug)]
enum Outcome {
    Over(Option<Verdict>),
    /// The caller asked, first or in the place of another.
    Asked(Right),
    Alone,
}

/// Wants to ask a question, and waits for another that does.
fn asks_or_waits(cache: &Cache, key: u64, terms: Terms) -> Outcome {
    let claim = match attempt(cache, key, terms) {
        Attempt::Claimed(claim) => claim,
        Attempt::Alone => return Outcome::Alone,
        Attempt::Busy(flight) => match flight.wait(cache, u64::MAX, terms, None) {
            Waited::Over(verdict) => return Outcome::Over(verdict),
            Waited::Joined(claim) => claim,
            other => panic!("{other:?}"),
        },
    };
    Outcome::Asked(claim.into_right().unwrap())
}

fn begins<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> Joined<T> {
    spawn(body)
}

/// Nothing is left, and nobody is counted.
fn assert_even(key: u64) {
    let slot = slot_of(key).unwrap();
    assert_eq!(slot.waiting(), 0);
    assert!(slot.take_left().is_none(), "a result stays");
}

/// Whenever somebody comes to a question that ends, it waits and is woken, or asks itself.
#[test]
fn loom_who_waits_for_a_query_is_woken() {
    model_within(2, || {
        let (cache, (key, _)) = (fresh(), keys(1));
        let right = claimed(attempt(cache, key, now()));
        let waiter = begins(move || match asks_or_waits(cache, key, now()) {
            Outcome::Over(None | Some(Verdict::Error(ABSENT))) => {}
            Outcome::Asked(right) => right.finish(cache, None),
            other => panic!("{other:?}"),
        });
        right.finish(cache, Some(Verdict::Error(ABSENT)));
        waiter.join();
        assert_even(key);
    });
}

/// Two that come at the same time: one asks, and the other waits for that.
#[test]
fn loom_one_of_two_asks() {
    model_within(2, || {
        let (cache, (key, _)) = (fresh(), keys(2));
        let asking: &AtomicU32 = Box::leak(Box::new(AtomicU32::new(0)));
        let comes = move || match asks_or_waits(cache, key, now()) {
            Outcome::Over(None | Some(Verdict::Error(ABSENT))) => {}
            Outcome::Asked(right) => {
                assert_eq!(asking.fetch_add(1, Ordering::Relaxed), 0, "both ask");
                // The other has its turn.
                slot_of(key).unwrap().current();
                asking.fetch_sub(1, Ordering::Relaxed);
                right.finish(cache, Some(Verdict::Error(ABSENT)));
            }
            other => panic!("{other:?}"),
        };
        let other = begins(comes);
        comes();
        other.join();
        assert_even(key);
    });
}

/// Who asked gives up and has learnt nothing: who waits asks in its place, at once.
#[test]
fn loom_who_waits_asks_when_the_asker_stands_up() {
    model_within(2, || {
        let (cache, (key, _)) = (fresh(), keys(3));
        let right = claimed(attempt(cache, key, now()));
        let waiter = begins(move || asks_or_waits(cache, key, now()));
        drop(right);
        match waiter.join() {
            Outcome::Asked(right) => right.finish(cache, None),
            other => panic!("{other:?}"),
        }
        assert_even(key);
    });
}

/// Both that asked are dead, and another question needs the slot: who still waits for the first is told.
#[cfg(loom)]
#[test]
fn loom_who_waits_is_woken_when_another_question_takes_the_slot() {
    model_within(2, || {
        let (cache, (key, other)) = (fresh(), keys(4));
        for before_ms in [10 * resolver::usual_ms(), 0] {
            let _dead = ManuallyDrop::new(claimed(attempt(cache, key, terms(before_ms, DEAD))));
        }
        let waiter = begins(move || {
            let outcome = asks_or_waits(cache, key, now());
            assert!(
                matches!(outcome, Outcome::Over(None) | Outcome::Alone),
                "{outcome:?}"
            );
        });
        let right = claimed(attempt(cache, other, now()));
        waiter.join();
        right.finish(cache, None);
        assert_even(key);
    });
}

/// Who looks now and then, and leaves whenever it likes, leaves nothing behind.
#[test]
fn loom_a_bystander_leaves_nothing() {
    model_within(2, || {
        let (cache, (key, _)) = (fresh(), keys(5));
        let right = claimed(attempt(cache, key, now()));
        let bystander = begins(move || match attempt(cache, key, now()) {
            Attempt::Busy(flight) => {
                let bystander = flight.stand_by(resolver::now_ms());
                let seen = bystander.look(cache, now());
                let is_known = matches!(
                    seen,
                    None | Some(Waited::Over(None | Some(Verdict::Error(ABSENT))))
                );
                assert!(is_known, "{seen:?}");
            }
            // The question is over, and was opened anew.
            other => claimed(other).finish(cache, None),
        });
        right.finish(cache, Some(Verdict::Error(ABSENT)));
        bystander.join();
        assert_even(key);
    });
}

/// An entry that the cache did not keep is handed on, and does not change while somebody holds it; then its block is
/// free.
#[test]
fn loom_what_was_not_kept_is_handed_on() {
    model_within(2, || {
        let (cache, (key, _)) = (fresh(), keys(6));
        let right = claimed(attempt(cache, key, now()));
        let entry = put_and_hold(cache, "one", 1);
        let raw = entry.as_raw() as usize;
        remove(cache, "one");
        let waiter = begins(move || match asks_or_waits(cache, key, now()) {
            Outcome::Over(None) => {}
            Outcome::Over(Some(Verdict::Entry(entry))) => assert_eq!(entry.name(), b"one"),
            Outcome::Asked(right) => right.finish(cache, None),
            other => panic!("{other:?}"),
        });
        right.finish(cache, Some(Verdict::Entry(entry)));
        let next = put_and_hold(cache, "two", 2).as_raw() as usize;
        waiter.join();
        assert_even(key);
        cache.collect_garbage(0);
        let last = put_and_hold(cache, "six", 3).as_raw() as usize;
        assert!(
            [next, last].contains(&raw),
            "the block was never free again"
        );
    });
}
