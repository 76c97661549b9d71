//! The shortest way to an address: one look at the place where most entries stand.
//!
//! Most calls of the library ask for one IPv4 address of a name that is cached, stands first in its home
//! bucket and is spelled as it was when it was cached. For these everything that [`super::view`] offers is
//! written out here in one piece, without a value that has to leave the registers. Whatever is not as
//! usual gives [`Peek::Miss`], and the caller takes the general way.

use crate::host::clock::is_past;
use crate::rr::RecordType;
use crate::shm::mutation::{Mutation, seeded};
use crate::shm::sync::{AtomicU32, Ordering};

use super::hash::tag_of;
use super::tables::{TableWord, look_at_table};
use super::view::{HEAD, note_use, same_folded, same_spelling, stamp_use};
use super::{Cache, HashedName, NegativeKind, layout};

/// Result of [`Cache::peek_ipv4`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peek {
    /// Not found at the first look: ask [`Cache::first_address`].
    Miss,
    /// Another search list came into force just now: make the [`HashedName`] anew.
    Again,
    /// The first record of the set.
    Address {
        /// Four octets in network order.
        address: u32,
        /// The set has no other record, live or expired.
        alone: bool,
        /// The cache spells the name as it was asked for, letter case included.
        as_asked: bool,
    },
    /// A live negative entry.
    Negative(NegativeKind),
}

impl Cache {
    /// The first IPv4 address of a name if one look finds it; takes no lock, and writes nothing but the
    /// entry's coarse use stamp.
    #[must_use]
    #[inline(always)]
    pub fn peek_ipv4(&self, qname: &HashedName<'_>, now: u32) -> Peek {
        let (name, hash) = (qname.name(), qname.hash());
        let table = look_at_table(&self.header.table);
        let Some(bucket) = self.table_of(TableWord(table)).home_bucket(hash) else {
            return Peek::Miss;
        };
        let version = bucket.begin();
        let block = bucket.first_candidate(tag_of(hash, RecordType::A.0));
        // Block 0 is never handed out: no name has its hash, which is 0.
        let Some(words) = self.pages.words_from(block) else {
            return Peek::Miss;
        };
        let Some((head, tail)) = words.split_first_chunk::<HEAD>() else {
            return Peek::Miss;
        };
        let word = |offset: usize| load(&head[offset / 4]);
        let scope = qname.scope();
        let asked = u64::from(RecordType::A.0) | (name.len() as u64) << 24 | u64::from(scope.value);
        let identity = word(layout::IDENTITY);
        if word(layout::HASH) != hash || u64::from(identity & scope.mask) != asked {
            return Peek::Miss;
        }
        // The words of the name end in a NUL at least, the data is behind them.
        let Some(data) = tail.get(name.len() / 4 + 1) else {
            return Peek::Miss;
        };
        let as_asked = same_spelling(tail, name);
        if !as_asked && !self.is_spelled_otherwise(head, name) {
            return Peek::Miss;
        }
        // An entry lives as long as the longest of its records.
        if is_past(word(layout::RR_EXPIRE), now) && !never_ends(identity) {
            return Peek::Miss;
        }
        if stamp_use(head, now) && self.note_first_use(head, now) {
            return Peek::Again;
        }
        let read = || (load(data), word(layout::COUNTS));
        let Some((address, counts)) = self.read_undisturbed((bucket, version), table, read) else {
            return Peek::Miss;
        };
        let address = if seeded(Mutation::AddressLate) {
            load(data)
        } else {
            address
        };
        if identity & u32::from(layout::FLAG_NEGATIVE) << 16 != 0 {
            return Peek::Negative(layout::decode_kind(counts));
        }
        Peek::Address {
            address,
            alone: counts as u16 == 1,
            as_asked,
        }
    }

    /// True when the name of an entry, given its fixed part, differs in no more than letter case.
    #[cold]
    #[inline(never)]
    fn is_spelled_otherwise(&self, head: &'static [AtomicU32; HEAD], name: &[u8]) -> bool {
        let block = self.pages.block_at(head.as_ptr().addr());
        let words = block.and_then(|block| self.pages.words_from(block));
        let stored = words.and_then(|words| words.get(HEAD..));
        stored.is_some_and(|stored| same_folded(stored, name))
    }

    /// The work that is left once a second for an entry in use, given its fixed part; true as [`note_use`].
    #[cold]
    #[inline(never)]
    fn note_first_use(&self, head: &'static [AtomicU32; HEAD], now: u32) -> bool {
        let block = self.pages.block_at(head.as_ptr().addr());
        block.is_some_and(|block| note_use(head, block, now))
    }
}

/// True for the identity word of a permanent entry.
#[cold]
#[inline(never)]
fn never_ends(identity: u32) -> bool {
    identity & u32::from(layout::FLAG_PERMANENT) << 16 != 0
}

#[inline(always)]
fn load(word: &AtomicU32) -> u32 {
    word.load(Ordering::Relaxed)
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::set::{Set, a};
    use super::*;
    use crate::host::clock::after_seconds;

    const NOW: u32 = 500;

    fn word(octets: [u8; 4]) -> u32 {
        u32::from_ne_bytes(octets)
    }

    fn only(octets: [u8; 4]) -> Peek {
        Peek::Address {
            address: word(octets),
            alone: true,
            as_asked: true,
        }
    }

    fn put_records(cache: &Cache, name: &[u8], list: &[(u8, u32)], permanent: bool) {
        let mut set = Set::of(name, RecordType::A).permanent(permanent);
        for (last, ttl) in list {
            set = set.record(*ttl, a(*last));
        }
        set.put(cache, NOW).unwrap();
    }

    #[test]
    fn names_of_every_length_in_either_case() {
        for length in 1..=crate::rr::MAX_NAME_OCTETS {
            // A cache for each, so that none stands in another's place.
            let cache = Cache::for_tests(1 << 20, false).unwrap();
            let name: Vec<u8> = (0..length).map(|i| b'a' + (i % 26) as u8).collect();
            put_records(cache, &name, &[(length as u8, 60)], false);
            let expected = only([192, 0, 2, length as u8]);
            assert_eq!(
                cache.peek_ipv4(&cache.hashed(&name), NOW),
                expected,
                "{length}"
            );
            let upper = name.to_ascii_uppercase();
            let otherwise = Peek::Address {
                address: word([192, 0, 2, length as u8]),
                alone: true,
                as_asked: false,
            };
            assert_eq!(
                cache.peek_ipv4(&cache.hashed(&upper), NOW),
                otherwise,
                "{length}"
            );
            for other in [&name[1..], &[&name[..], b"x"].concat(), b"zz"] {
                assert_eq!(
                    cache.peek_ipv4(&cache.hashed(other), NOW),
                    Peek::Miss,
                    "{length}"
                );
            }
        }
    }

    #[test]
    fn records_and_their_ends() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        put_records(cache, b"one", &[(1, 10)], false);
        put_records(cache, b"two", &[(2, 10), (3, 20)], false);
        put_records(cache, b"forever", &[(4, 10)], true);
        let (first, last) = (only([192, 0, 2, 1]), after_seconds(NOW, 10) - 1);
        assert_eq!(cache.peek_ipv4(&cache.hashed(b"one"), last), first);
        assert_eq!(cache.peek_ipv4(&cache.hashed(b"one"), last + 1), Peek::Miss);
        assert_eq!(
            cache.peek_ipv4(&cache.hashed(b"two"), last),
            Peek::Address {
                address: word([192, 0, 2, 2]),
                alone: false,
                as_asked: true,
            }
        );
        // The second record lives, which the general way finds.
        assert_eq!(cache.peek_ipv4(&cache.hashed(b"two"), last + 1), Peek::Miss);
        let far = after_seconds(NOW, 100_000);
        assert_eq!(
            cache.peek_ipv4(&cache.hashed(b"forever"), far),
            only([192, 0, 2, 4])
        );
    }

    #[test]
    fn negative_entries_and_their_ends() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let kinds = [
            NegativeKind::NxDomain,
            NegativeKind::NoData,
            NegativeKind::Failure,
        ];
        for (name, kind) in [b"n1", b"n2", b"n3"].into_iter().zip(kinds) {
            let set = Set::absence(name, RecordType::A, kind, 60);
            set.put(cache, NOW).unwrap();
            let end = after_seconds(NOW, 60);
            assert_eq!(
                cache.peek_ipv4(&cache.hashed(name), end - 1),
                Peek::Negative(kind)
            );
            assert_eq!(cache.peek_ipv4(&cache.hashed(name), end), Peek::Miss);
        }
    }

    /// Such an entry has the name's hash, and says nothing of the name as it is written.
    #[test]
    fn an_entry_that_does_not_speak_for_a_relative_name_is_none() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        cache.put_in_force(Some(0x1234));
        put_records(cache, b"a.b", &[(1, 60)], false);
        let absolute = cache.hashed(b"a.b");
        assert_eq!(cache.peek_ipv4(&absolute, NOW), only([192, 0, 2, 1]));
        let relative = cache.as_written(b"a.b", false);
        assert_eq!(cache.peek_ipv4(&relative, NOW), Peek::Miss);
    }

    #[test]
    fn a_look_counts_as_a_use() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        put_records(cache, b"used", &[(1, 600)], false);
        let later = after_seconds(NOW, 30);
        assert_ne!(cache.peek_ipv4(&cache.hashed(b"used"), later), Peek::Miss);
        let entry = cache.acquire_any_age(b"used", RecordType::A).unwrap();
        assert_eq!(entry.last_used(), layout::use_stamp(later));
    }

    /// A hash has 32 bits: names are compared in any case.
    #[test]
    fn another_name_with_the_same_hash_is_not_found() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        put_records(cache, b"one.test", &[(1, 60)], false);
        let hash = cache.name_hash(b"one.test");
        let mut copy = super::super::HostCopy::EMPTY;
        for name in [&b"two.test"[..], b"ONE.tess", b"one.tes", b"one.testx"] {
            let name = HashedName::with_kept_hash(name, hash);
            assert_eq!(cache.peek_ipv4(&name, NOW), Peek::Miss);
            assert!(cache.acquire_exact(&name, RecordType::A, NOW).is_none());
            let seen = cache.copy_host(&name, RecordType::A, NOW, &mut copy);
            assert_eq!(seen, super::super::Seen::Miss);
        }
        let same = HashedName::with_kept_hash(b"One.Test", hash);
        assert_ne!(cache.peek_ipv4(&same, NOW), Peek::Miss);
    }
}
