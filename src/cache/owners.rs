//! Names that have NAPTR records, found again by their hashes.
//!
//! A call that came through NAPTR records goes on among them when the SRV records of one are used up. Most handles
//! have room for the hash of the owner's name alone. While the cache has the records, the hash leads to them. When
//! it has not (flushed, TTL 0), the name has to be asked for again, and here it is.
//!
//! Readers take no lock and writers need none: a name that was being overwritten while it was read does not have
//! the hash that was asked for. The table is bounded; the oldest names of a row give way. Where a name is gone, the
//! call ends instead of going by another name.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::host::shared::{Shared, shared_struct};
use crate::rr::MAX_NAME_OCTETS;

use super::Cache;

const ROWS: usize = 256;
/// Names of a row.
const PLACES: usize = 4;
/// A name and a NUL.
const WORDS: usize = (MAX_NAME_OCTETS + 1) / 8;

shared_struct! {
    /// Names that have, or had, NAPTR records.
    struct Owners {
        /// Hash of each name; 0 = empty.
        hashes: [[AtomicU32; PLACES]; ROWS],
        /// The names, NULs behind.
        names: [[[AtomicU64; WORDS]; PLACES]; ROWS],
        /// Counts the names that were overwritten.
        turn: AtomicU32,
    }
}

static OWNERS: Shared<Owners> = Shared::new();

/// Maps the table; before fork.
pub fn prepare() {
    OWNERS.get();
}

/// True for the hashes of one name: the lowest bit says nothing about the name.
fn is_same(a: u32, b: u32) -> bool {
    a >> 1 == b >> 1
}

fn row_of(hash: u32) -> usize {
    (hash >> 2) as usize % ROWS
}

/// Remembers a name by its hash.
pub(super) fn note(hash: u32, name: &[u8]) {
    let owners = OWNERS.get();
    let row = row_of(hash);
    let (Some(hashes), Some(names)) = (owners.hashes.get(row), owners.names.get(row)) else {
        return;
    };
    let stands = |wanted: &dyn Fn(u32) -> bool| {
        let mut places = hashes.iter();
        places.position(|place| wanted(place.load(Ordering::Relaxed)))
    };
    if name.len() > MAX_NAME_OCTETS || stands(&|other| is_same(other, hash)).is_some() {
        return;
    }
    let place = stands(&|other| other == 0)
        .unwrap_or_else(|| owners.turn.fetch_add(1, Ordering::Relaxed) as usize % PLACES);
    let (Some(number), Some(words)) = (hashes.get(place), names.get(place)) else {
        return;
    };
    let mut octets = [0; MAX_NAME_OCTETS + 1];
    if let Some(front) = octets.get_mut(..name.len()) {
        front.copy_from_slice(name);
    }
    for (word, chunk) in words.iter().zip(octets.as_chunks::<8>().0) {
        word.store(u64::from_ne_bytes(*chunk), Ordering::Relaxed);
    }
    // SYNC: who sees the hash sees the name, or what overwrites it.
    number.store(hash, Ordering::Release);
}

impl Cache {
    /// The name with NAPTR records that has this hash, if it is remembered; `None` also when it was overwritten.
    #[must_use]
    pub fn naptr_owner(&self, hash: u32) -> Option<Vec<u8>> {
        let owners = OWNERS.get();
        let row = row_of(hash);
        let hashes = owners.hashes.get(row)?.iter();
        let names = owners.names.get(row)?.iter();
        hashes.zip(names).find_map(|(number, words)| {
            // SYNC: as in `note`.
            if !is_same(number.load(Ordering::Acquire), hash) {
                return None;
            }
            let mut octets = [0; MAX_NAME_OCTETS + 1];
            for (word, chunk) in words.iter().zip(octets.as_chunks_mut::<8>().0) {
                *chunk = word.load(Ordering::Relaxed).to_ne_bytes();
            }
            let end = octets.iter().position(|&octet| octet == 0)?;
            octets
                .get(..end)
                .filter(|name| self.has_hash(name, hash))
                .map(<[u8]>::to_vec)
        })
    }

    /// True for a name with this hash.
    #[must_use]
    pub fn has_hash(&self, name: &[u8], hash: u32) -> bool {
        !name.is_empty() && is_same(self.name_hash(name), hash)
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn cache() -> &'static Cache {
        Cache::for_tests(1 << 20, false).unwrap()
    }

    #[test]
    fn names_of_every_length_are_found_again() {
        let cache = cache();
        for length in 1..=MAX_NAME_OCTETS {
            let name = "n".repeat(length).into_bytes();
            let hash = cache.name_hash(&name);
            note(hash, &name);
            assert_eq!(cache.naptr_owner(hash), Some(name));
            assert_eq!(cache.naptr_owner(hash ^ 1), cache.naptr_owner(hash));
            assert_eq!(cache.naptr_owner(hash ^ 4), None);
        }
    }

    #[test]
    fn what_does_not_have_the_hash_is_not_given() {
        let cache = cache();
        let hash = cache.name_hash(b"real.example");
        note(hash, b"other.example");
        assert_eq!(cache.naptr_owner(hash), None);
    }

    /// More names than there is room for: those that are left are right, and the latest is there.
    #[test]
    fn the_oldest_give_way() {
        let cache = cache();
        let names: Vec<_> = (0..4 * ROWS * PLACES)
            .map(|i| format!("owner{i}.example"))
            .collect();
        for name in &names {
            let hash = cache.name_hash(name.as_bytes());
            note(hash, name.as_bytes());
            assert_eq!(cache.naptr_owner(hash).as_deref(), Some(name.as_bytes()));
        }
        let left = names.iter().filter(|name| {
            let found = cache.naptr_owner(cache.name_hash(name.as_bytes()));
            found.is_some_and(|found| found == name.as_bytes())
        });
        let left = left.count();
        assert!((ROWS..=ROWS * PLACES).contains(&left), "{left}");
    }

    /// Readers beside a writer get a name or nothing.
    #[test]
    fn torn_names_are_not_given() {
        let cache = cache();
        let names: Vec<_> = (0..2000)
            .map(|i| format!("{i}{}", "x".repeat(i % 200)))
            .collect();
        let hashes: Vec<_> = names
            .iter()
            .map(|name| cache.name_hash(name.as_bytes()))
            .collect();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for _ in 0..20 {
                    names
                        .iter()
                        .zip(&hashes)
                        .for_each(|(name, hash)| note(*hash, name.as_bytes()));
                }
            });
            while !writer.is_finished() {
                for (name, hash) in names.iter().zip(&hashes) {
                    let found = cache.naptr_owner(*hash);
                    assert!(found.is_none_or(|found| found == name.as_bytes()));
                }
            }
        });
    }
}
