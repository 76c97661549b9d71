//! Entries named by number, for processes that hand them to each other.
//!
//! A number is that of the entry's block. By the time that somebody looks, the block may be free or hold another entry.
//! So a process that leaves an entry for others parks a reference with it. The others take hold of the block, and then
//! check that the reference is still parked.

use crate::rr::RecordType;

use super::{Cache, EntryRef, HashedName};

impl Cache {
    /// The number of an entry; 0 is none.
    #[must_use]
    pub fn number_of(&self, entry: &EntryRef) -> u32 {
        self.pages.block_at(entry.as_raw() as usize).unwrap_or(0)
    }

    /// A counted reference to whatever lives under a number.
    #[must_use]
    pub fn by_number(&self, number: u32) -> Option<EntryRef> {
        self.acquire_block(number)
    }

    /// Leaves a reference under the entry's number, for whoever calls [`Self::unpark`].
    #[must_use]
    pub fn park(&self, entry: EntryRef) -> u32 {
        let number = self.number_of(&entry);
        if number != 0 {
            let _left_there = entry.into_raw();
        }
        number
    }

    /// Ends what [`Self::park`] began; exactly once for each time.
    pub fn unpark(&self, number: u32) {
        let Some(entry) = self.acquire_block(number) else {
            return;
        };
        entry.release_parked();
    }

    /// Keyed 64-bit hash of a question, letter case ignored; never 0. Differs between caches.
    #[must_use]
    pub fn question_key(&self, name: &HashedName<'_>, qtype: RecordType, absolute: bool) -> u64 {
        let extra = u64::from(qtype.0) << 1 | u64::from(absolute);
        self.hash(name.name()).wide(extra ^ self.key[3]).max(1)
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::set::{Set, a};
    use super::*;

    const NOW: u32 = 90;

    #[test]
    fn a_parked_entry_is_found_by_its_number_until_it_is_fetched() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let entries = [1, 2, 3].map(|last| {
            let set = Set::of(format!("n{last}"), RecordType::A);
            set.record(60, a(last)).put(cache, NOW).unwrap()
        });
        for entry in &entries {
            let number = cache.number_of(entry);
            assert_ne!(number, 0);
            let found = cache.by_number(number).unwrap();
            assert_eq!(found.as_raw(), entry.as_raw());
            drop(found);
            assert_eq!(cache.park(entry.clone()), number);
            // Not linked any more, it lives by the references alone.
            assert!(cache.remove(entry));
            assert_eq!(entry.reference_count(), 2);
            cache.unpark(number);
            assert_eq!(entry.reference_count(), 1);
        }
        assert!(cache.by_number(0).is_none());
        // An entry of another cache has no number in this one, and is not kept for anybody.
        let other = Cache::for_tests(1 << 20, false).unwrap();
        let [entry, ..] = &entries;
        assert_eq!((other.number_of(entry), other.park(entry.clone())), (0, 0));
        assert_eq!(entry.reference_count(), 1);
        other.unpark(0);
    }

    #[test]
    fn questions_have_keys_of_their_own() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let mut keys = std::collections::HashSet::new();
        let types = [
            RecordType::A,
            RecordType::AAAA,
            RecordType::SRV,
            RecordType::NAPTR,
        ];
        for number in 0..200 {
            let name = format!("host{number}.example");
            for (qtype, absolute) in types
                .iter()
                .flat_map(|qtype| [(qtype, false), (qtype, true)])
            {
                let key = |name: &str| {
                    cache.question_key(&cache.hashed(name.as_bytes()), *qtype, absolute)
                };
                assert_eq!(key(&name), key(&name.to_ascii_uppercase()));
                assert!(key(&name) != 0 && keys.insert(key(&name)), "{name}");
            }
        }
        let name = cache.hashed(b"a");
        let other = Cache::for_tests(1 << 20, false).unwrap();
        let key = |cache: &Cache| cache.question_key(&name, RecordType::A, true);
        assert!(cfg!(miri) || key(cache) != key(other));
    }
}
