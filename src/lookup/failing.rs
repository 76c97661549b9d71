//! Parents below which nothing is answered.
//!
//! The owner of a zone can make up as many names in it as he likes, and have its servers keep silent. So names below a
//! parent (of two labels and more: below a top-level domain are everybody's) where several questions in a row failed
//! wait in a small part of the places that there are ([`super::crowd`]). An answer for a name below the parent ends
//! that.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::cache::Cache;
use crate::host::clock::{self, TICKS_PER_S};
use crate::host::shared::{Shared, shared_struct};
use crate::rr::RecordType;

const PLACES: usize = 1024;
/// Failures in a row after which a parent counts.
const MANY: u32 = 3;
/// After so long without a further one it does no longer, ticks.
const LIFE: u32 = 60 * TICKS_PER_S;

shared_struct! {
    struct Table {
        /// Tick of the last failure below any parent; 0 = there was none.
        last: AtomicU32,
        /// Each: tick of the last failure (32 bits), failures in a row (8), part of the parent's key (24); 0 = nothing.
        places: [AtomicU64; PLACES],
    }
}

static TABLE: Shared<Table> = Shared::new();

/// Maps the table; before fork.
pub(super) fn prepare() {
    TABLE.get();
}

/// The name that a name is made up below: without labels that begin with an underscore, and the first one.
pub(super) fn parent(name: &[u8]) -> &[u8] {
    let rest_of = |name: &'_ [u8]| -> Option<usize> {
        let dot = name.iter().position(|&octet| octet == b'.')?;
        Some(dot + 1)
    };
    let mut rest = name;
    loop {
        let is_service = rest.first() == Some(&b'_');
        let Some(behind) = rest_of(rest).and_then(|at| rest.get(at..)) else {
            return rest;
        };
        rest = behind;
        if !is_service {
            return rest;
        }
    }
}

/// The key of the parent of a name, if it has two labels.
fn key_of_parent(cache: &Cache, name: &[u8]) -> Option<u64> {
    let parent = parent(name);
    let has_two = parent.contains(&b'.') && parent.len() < name.len();
    has_two.then(|| cache.question_key(&cache.hashed(parent), RecordType::A, true))
}

fn place(key: u64) -> Option<&'static AtomicU64> {
    TABLE.get().places.get(key as usize % PLACES)
}

/// Never 0.
fn tag(key: u64) -> u32 {
    ((key >> 40) as u32).max(1)
}

/// Failures in a row of the parent that a word is about, as far as they count now.
fn streak(word: u64, tag: u32, now: u32) -> u32 {
    let last = (word >> 32) as u32;
    let is_recent = now.wrapping_sub(last) <= LIFE;
    if word as u32 & 0xff_ffff == tag && is_recent {
        (word >> 24) as u32 & 0xff
    } else {
        0
    }
}

/// True when something failed lately: else nothing is in the table.
fn is_any(now: u32) -> bool {
    let last = TABLE.get().last.load(Ordering::Relaxed);
    last != 0 && now.wrapping_sub(last) <= LIFE
}

/// Notes that a question about a name was not answered.
pub(super) fn failed(cache: &Cache, name: &[u8]) {
    let Some(key) = key_of_parent(cache, name) else {
        return;
    };
    let Some(place) = place(key) else { return };
    let (now, tag) = (clock::now_ticks(), tag(key));
    let streak = streak(place.load(Ordering::Relaxed), tag, now);
    let word =
        u64::from(now) << 32 | u64::from(streak.saturating_add(1).min(0xff)) << 24 | u64::from(tag);
    place.store(word, Ordering::Relaxed);
    TABLE.get().last.store(now.max(1), Ordering::Relaxed);
}

/// Notes that a question about a name was answered.
#[inline]
pub(super) fn answered(cache: &Cache, name: &[u8]) {
    if is_any(clock::now_ticks()) {
        forget_parent(cache, name);
    }
}

#[cold]
fn forget_parent(cache: &Cache, name: &[u8]) {
    if let Some(key) = key_of_parent(cache, name)
        && let Some(place) = place(key)
        && place.load(Ordering::Relaxed) as u32 & 0xff_ffff == tag(key)
    {
        place.store(0, Ordering::Relaxed);
    }
}

/// A number of the parent of a name below which questions keep failing; 0 = it has none such.
pub(super) fn parent_of(cache: &Cache, name: &[u8]) -> u32 {
    let now = clock::now_ticks();
    if !is_any(now) {
        return 0;
    }
    let Some(key) = key_of_parent(cache, name) else {
        return 0;
    };
    let word = place(key).map_or(0, |place| place.load(Ordering::Relaxed));
    if streak(word, tag(key), now) >= MANY {
        tag(key)
    } else {
        0
    }
}

/// Forgets everything.
pub(super) fn forget() {
    TABLE.get().last.store(0, Ordering::Relaxed);
    for place in &TABLE.get().places {
        place.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_up_below_a_parent() {
        for (name, expected) in [
            ("a.b.example", "b.example"),
            ("_sip._udp.a.b.example", "b.example"),
            ("example", "example"),
            ("_sip._udp", "_udp"),
        ] {
            assert_eq!(parent(name.as_bytes()), expected.as_bytes(), "{name}");
        }
    }

    #[test]
    fn failures_in_a_row_count_for_a_while() {
        let word = |last: u32, streak: u64, tag: u64| u64::from(last) << 32 | streak << 24 | tag;
        assert_eq!(streak(word(100, 3, 7), 7, 100), 3);
        assert_eq!(streak(word(100, 3, 7), 7, 100 + LIFE), 3);
        assert_eq!(streak(word(100, 3, 7), 7, 101 + LIFE), 0);
        assert_eq!(streak(word(100, 3, 7), 8, 100), 0);
        assert_eq!(streak(0, 7, 100), 0);
    }
}
