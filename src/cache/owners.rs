//! SRV records that lead back to the NAPTR records through which a call came to them.
//!
//! A call that came through NAPTR records goes on among them when the SRV records of one are used up, whatever the
//! cache has lost meanwhile. Most handles have room for the hash of the owner's name alone, beside the SRV entry that
//! they hold. So that entry has to lead back. An entry whose name lies below the owner's does. Where the name lies
//! elsewhere, the call holds a copy of the entry with the owner's name behind the records, in the same block, which is
//! freed with the last call that holds it.
//!
//! Copies of records that live are linked, so that the next call through the same owner finds one at the first look,
//! without a lock: under a hash that depends on both names, and on a number that changes whenever the cache gets other
//! records of the SRV name. So no copy is found after its original.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::host::shared::{Shared, shared_struct};
use crate::rr::{RecordType, eq_ignore_case, is_below};
use crate::shm::pages::BlockId;
use crate::shm::region::PAGE_BYTES;

use super::hash::NameHash;
use super::write::Writer;
use super::{Cache, EntryRef, HashedName, PRIVATE_FLOOR, layout};

/// Numbers that SRV names share by their hashes: two that meet cost a copy now and then.
const NUMBERS: usize = 1024;
/// Spreads the numbers over the hash, so that small ones do not meet the copies of before.
const SPREAD: u32 = 0x9E37_79B1;

shared_struct! {
    /// How often the cache got other records of SRV names.
    struct Changes {
        numbers: [AtomicU32; NUMBERS],
    }
}

static CHANGES: Shared<Changes> = Shared::new();

/// Maps the numbers; before fork.
pub(crate) fn prepare() {
    CHANGES.get();
}

/// The number of the SRV name with this hash.
fn number(hash: u32) -> Option<&'static AtomicU32> {
    CHANGES.get().numbers.get((hash >> 2) as usize % NUMBERS)
}

/// The hash of the copies of an SRV entry, given its own, that lead back to an owner with that hash.
#[inline(never)]
pub(super) fn hash_of_copy(srv: u32, owner: u32) -> u32 {
    // SYNC: pairs with the release in `records_change`.
    let number = number(srv).map_or(0, |number| number.load(Ordering::Acquire));
    let mixed = NameHash::of_copy(srv, owner ^ number.wrapping_mul(SPREAD));
    debug_assert!(NameHash::is_of_copy(mixed));
    mixed
}

/// True for names with the same hash, which says in its lowest bit what kind of name it is of.
fn is_same(a: u32, b: u32) -> bool {
    a >> 1 == b >> 1
}

impl Cache {
    /// True for a name with this hash.
    #[must_use]
    pub fn has_hash(&self, name: &[u8], hash: u32) -> bool {
        !name.is_empty() && is_same(self.name_hash(name), hash)
    }

    /// The SRV entry that a call holds which came through the NAPTR records of a name: one that leads back to that
    /// name. Where there is no memory for a copy, the entry is the given one.
    #[must_use]
    pub fn leading_back(&self, entry: EntryRef, owner: &[u8], now: u32) -> EntryRef {
        let is_srv = entry.rtype() == RecordType::SRV && entry.negative().is_none();
        if !is_srv || entry.owner().is_some() || is_below(entry.name(), owner) {
            return entry;
        }
        let is_current = entry.is_linked() && !entry.is_expired(now);
        let known = || {
            let hash = hash_of_copy(entry.hash(), self.name_hash(owner));
            let name = HashedName::with_kept_hash(entry.name(), hash);
            let copy = self.acquire_records(&name, RecordType::SRV, now)?;
            let leads_there = copy.owner().is_some_and(|name| eq_ignore_case(name, owner));
            leads_there.then_some(copy)
        };
        let copy = is_current.then(known).flatten();
        copy.or_else(|| self.copy_of(&entry, owner, now))
            .unwrap_or(entry)
    }

    fn copy_of(&self, entry: &EntryRef, owner: &[u8], now: u32) -> Option<EntryRef> {
        let source = self.pages.block_at(entry.as_raw() as usize)?;
        let writer = self.write_soon()?;
        writer.fit_limit(now);
        let hash = self.hash(entry.name());
        // Under the lock: nobody puts other records in their place now.
        if entry.is_linked() && !entry.is_expired(now) {
            let hash = hash.as_copy(hash_of_copy(hash.high, self.name_hash(owner)));
            if let Some(block) = writer.link_copy(source, entry, (hash, owner), now) {
                return self.acquire_block(block);
            }
        }
        // As in `make_private`.
        let hash = hash.as_copy(NameHash::of_copy(hash.high, self.name_hash(owner)));
        let within = self.limit().saturating_sub(self.fixed_bytes());
        let beyond = self.limit().max(PRIVATE_FLOOR);
        let fill = |budget| writer.fill_copy(source, (hash, owner), budget, now, false);
        let block = fill(within).or_else(|| fill(beyond))?;
        Some(EntryRef::from_counted(self.pages.address(block)))
    }
}

impl Writer<'_> {
    fn link_copy(
        &self,
        source: BlockId,
        entry: &EntryRef,
        (hash, owner): (NameHash, &[u8]),
        now: u32,
    ) -> Option<BlockId> {
        let budget = self.cache.linked_budget();
        if budget < PAGE_BYTES {
            return None;
        }
        let block = self.fill_copy(source, (hash, owner), budget, now, true)?;
        let linked = match self.find(hash, RecordType::SRV, entry.name()) {
            Some(old) => {
                self.replace(old, block);
                true
            }
            None => self.link(hash, RecordType::SRV, block),
        };
        if !linked {
            self.discard(block);
        }
        linked.then_some(block)
    }

    /// The cache has other records, or none any more, where a block stands: copies of what was there are not found
    /// from now on.
    pub(super) fn records_change(&self, block: BlockId) {
        let (rtype, _, _) = layout::split_identity(self.load(block, layout::IDENTITY));
        let hash = self.load(block, layout::HASH);
        if rtype == RecordType::SRV.0
            && !NameHash::is_of_copy(hash)
            && let Some(number) = number(hash)
        {
            // SYNC: a thread that sees the number sees what was linked before.
            number.fetch_add(1, Ordering::Release);
        }
    }
}

/// Counts a change after the death of a writer, which may not have counted its own.
pub(super) fn all_records_change() {
    for number in &CHANGES.get().numbers {
        number.fetch_add(1, Ordering::Release);
    }
}

impl EntryRef {
    /// False for a copy that leads back to another name than this one. Names whose hashes meet find each other's copies.
    #[must_use]
    #[inline]
    pub fn may_lead_back_to(&self, name: &[u8]) -> bool {
        self.owner().is_none_or(|owner| eq_ignore_case(owner, name))
    }

    /// The name through whose NAPTR records this entry was reached, where its own name does not say it.
    #[must_use]
    pub fn owner(&self) -> Option<&[u8]> {
        NameHash::is_of_copy(self.hash()).then(|| {
            let end = self.size_bytes() - 1;
            let length = usize::from(self.at::<u8>(end));
            self.octets(end - length, length)
        })
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::Setting;
    use super::super::set::{Set, srv};
    use super::*;

    const NOW: u32 = 700;

    /// An SRV entry whose every third record has no port.
    fn entry(cache: &Cache, name: &[u8], count: u16) -> EntryRef {
        let mut set = Set::of(name, RecordType::SRV);
        for i in 0..count {
            let port = if i % 3 == 2 { 0 } else { 5000 + i };
            let target = "t".repeat(1 + usize::from(i) % 60);
            set = set.record(60 + u32::from(i), srv(i / 4, i % 5, port, &target));
        }
        set.put(cache, NOW).unwrap()
    }

    fn assert_same(copy: &EntryRef, entry: &EntryRef) {
        assert_eq!(copy.name(), entry.name());
        assert_eq!(
            (copy.counts(), copy.expire()),
            (entry.counts(), entry.expire())
        );
        assert_eq!(copy.record_count(), entry.record_count());
        assert!(copy.records().eq(entry.records()));
        for index in 0..entry.listed_count() {
            assert_eq!(copy.record(index), entry.record(index));
            assert_eq!(copy.record_expire(index), entry.record_expire(index));
        }
        for index in 0..entry.record_count() {
            let [one, other] = [copy, entry].map(|entry| entry.srv_place(index).unwrap());
            assert_eq!(one, other);
            assert_eq!(copy.srv_in_order(one), entry.srv_in_order(other));
            assert_eq!(copy.srv_target(one), entry.srv_target(other));
            assert_eq!(copy.next_srv_place(one), entry.next_srv_place(other));
        }
    }

    #[test]
    fn copies_say_what_the_entry_says_and_whose_they_are() {
        let cache = Cache::for_tests(4 << 20, false).unwrap();
        for count in [1, 2, 3, 7, 250] {
            let name = format!("_sip._udp.x{count}");
            let entry = entry(cache, name.as_bytes(), count);
            for length in [1, 2, 3, 60, 255] {
                let owner = vec![b'o'; length];
                let copy = cache.leading_back(entry.clone(), &owner, NOW);
                assert_eq!(copy.owner(), Some(&owner[..]), "{count} {length}");
                assert!(copy.is_linked() && copy.as_raw() != entry.as_raw());
                assert_eq!(copy.reference_count(), 2);
                assert_same(&copy, &entry);
                // The next one finds it, in whatever letters.
                let upper = owner.to_ascii_uppercase();
                let again = cache.leading_back(entry.clone(), &upper, NOW);
                assert_eq!(again.as_raw(), copy.as_raw());
                // The copy is no other owner's, and no entry of the name.
                let found = cache
                    .acquire(name.as_bytes(), RecordType::SRV, NOW)
                    .unwrap();
                assert_eq!(found.as_raw(), entry.as_raw());
            }
            // A copy is not copied.
            let copy = cache.leading_back(entry.clone(), b"o", NOW);
            let raw = copy.as_raw();
            assert_eq!(cache.leading_back(copy, b"other", NOW).as_raw(), raw);
        }
        #[cfg(feature = "fault_injection")]
        cache.audit(true).unwrap();
    }

    #[test]
    fn what_leads_back_by_itself_is_not_copied() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let entry = entry(cache, b"_sip._udp.a.Test", 2);
        for owner in [&b"a.test"[..], b"test", b"A.TEST", b"_udp.a.test"] {
            let same = cache.leading_back(entry.clone(), owner, NOW);
            assert_eq!(same.as_raw(), entry.as_raw());
        }
        for owner in [&b"st"[..], b".test", b"b.test", b"_sip._udp.a.test", b""] {
            assert!(!is_below(entry.name(), owner), "{owner:?}");
        }
    }

    #[test]
    fn copies_end_with_what_they_are_copies_of() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let first = entry(cache, b"_sip._udp.a", 1);
        let copy = cache.leading_back(first.clone(), b"o", NOW);
        let found = || {
            let hash = hash_of_copy(first.hash(), cache.name_hash(b"o"));
            let name = HashedName::with_kept_hash(b"_sip._udp.a", hash);
            cache.acquire_records(&name, RecordType::SRV, NOW)
        };
        assert_eq!(found().unwrap().as_raw(), copy.as_raw());
        // Another set takes the place: the copy is not found any more, and of what is over no copy is kept.
        let second = entry(cache, b"_sip._udp.a", 2);
        assert!(found().is_none());
        let old = cache.leading_back(first.clone(), b"o", NOW);
        assert!(old.owner().is_some() && !old.is_linked());
        assert_eq!(old.reference_count(), 1);
        assert!(found().is_none());
        let fresh = cache.leading_back(second.clone(), b"o", NOW);
        assert_eq!(found().unwrap().as_raw(), fresh.as_raw());
        assert!(cache.remove(&second));
        let name = HashedName::with_kept_hash(
            b"_sip._udp.a",
            hash_of_copy(second.hash(), cache.name_hash(b"o")),
        );
        assert!(cache.acquire_records(&name, RecordType::SRV, NOW).is_none());
        // Expired: nobody finds it.
        let third = entry(cache, b"_sip._udp.a", 1);
        let late = crate::host::clock::after_seconds(NOW, 100);
        let stale = cache.leading_back(third, b"o", late);
        assert!(stale.owner().is_some() && !stale.is_linked());
    }

    #[test]
    fn many_owners_have_copies_of_their_own_and_survive_another_table() {
        let cache = Cache::for_tests(4 << 20, true).unwrap();
        let entry = entry(cache, b"_sip._udp.a", 3);
        let owners: Vec<String> = (0..2000).map(|i| format!("o{i}.test")).collect();
        let copies: Vec<_> = owners
            .iter()
            .map(|owner| cache.leading_back(entry.clone(), owner.as_bytes(), NOW))
            .collect();
        for limit in [2 << 20, 16 << 20] {
            cache.set_for_tests(Setting::Limit(limit));
            cache.collect_garbage(NOW);
            for (owner, copy) in owners.iter().zip(&copies) {
                assert_eq!(copy.owner(), Some(owner.as_bytes()));
            }
        }
        // One place at a time under the same name; a copy that found none in the table serves its call alone.
        let linked = copies.iter().filter(|copy| copy.is_linked());
        assert!(linked.count() > 1000);
        #[cfg(feature = "fault_injection")]
        cache.audit(true).unwrap();
    }

    #[test]
    fn without_memory_the_entry_is_given() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let entry = entry(cache, b"_sip._udp.a", 250);
        let mut held = Vec::new();
        let without = (0..2000).find(|i| {
            let given = cache.leading_back(entry.clone(), format!("o{i}").as_bytes(), NOW);
            let is_copy = given.owner().is_some();
            held.push(given);
            !is_copy
        });
        assert!(without.is_some_and(|count| count > 100));
        assert_eq!(held.pop().unwrap().as_raw(), entry.as_raw());
    }

    #[test]
    fn a_name_is_known_by_its_hash_whatever_kind_that_is_of() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let hash = cache.name_hash(b"a.test");
        for (name, wanted) in [
            (&b"a.test"[..], true),
            (b"A.Test", true),
            (b"b.test", false),
            (b"", false),
        ] {
            assert_eq!(cache.has_hash(name, hash), wanted);
            assert_eq!(cache.has_hash(name, hash ^ 1), wanted);
            for bit in 1..32 {
                assert!(!cache.has_hash(name, hash ^ 1 << bit) || !wanted, "{bit}");
            }
        }
        assert!(!cache.has_hash(b"", cache.name_hash(b"")));
    }

    #[test]
    fn only_srv_records_that_live_in_the_cache_have_copies_that_are_found() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        // What is no SRV entry with records is given back as it is.
        let absent = Set::absence(
            "_sip._udp.n",
            RecordType::SRV,
            super::super::NegativeKind::NoData,
            60,
        );
        let absent = absent.put(cache, NOW).unwrap();
        let same = cache.leading_back(absent.clone(), b"o", NOW);
        assert_eq!(same.as_raw(), absent.as_raw());
        let live = entry(cache, b"_sip._udp.a", 1);
        let late = crate::host::clock::after_seconds(NOW, 100);
        let [now, over] = [NOW, late].map(|now| cache.leading_back(live.clone(), b"o", now));
        assert!(now.is_linked() && !over.is_linked());
        assert!(cache.remove(&live));
        let gone = cache.leading_back(live.clone(), b"o", NOW);
        assert!(!gone.is_linked() && gone.owner() == Some(&b"o"[..]));
    }

    /// Of a set that fills the largest block there are copies, too.
    #[test]
    fn the_largest_sets_have_room_for_the_longest_owner() {
        let cache = Cache::for_tests(8 << 20, false).unwrap();
        for length in 200..=255 {
            let target = "t".repeat(length);
            let records: Vec<_> = (0..250).map(|i| srv(i, 1, 5060, &target)).collect();
            let set = Set::of("_sip._udp.a", RecordType::SRV).records(60, &records);
            let entry = set.put(cache, NOW).unwrap();
            let owner = [b'o'; 255];
            let copy = cache.leading_back(entry.clone(), &owner, NOW);
            assert_eq!(copy.owner(), Some(&owner[..]), "{length}");
            assert_same(&copy, &entry);
        }
    }

    /// No name in use goes early for a copy that is kept. A call that finds no place for its copy has one for itself.
    #[test]
    fn a_copy_that_is_kept_drives_nobody_out() {
        let limit = 300 << 10;
        let cache = Cache::for_tests(limit, false).unwrap();
        let entry = entry(cache, b"_sip._udp.a", 3);
        let name = |number| format!("host{number}");
        let put = |number: &u32| {
            let set = Set::of(name(*number), RecordType::A).record(6000, super::super::set::a(1));
            let kept = set.put(cache, NOW);
            kept.is_ok_and(|entry| entry.touch(NOW))
        };
        let kept = (0..20_000).take_while(put).count() as u32;
        assert!((100..20_000).contains(&kept), "{kept}");
        let is_there = |number: &u32| {
            let found = cache.acquire_any_age(name(*number).as_bytes(), RecordType::A);
            found.is_some()
        };
        // Calls hold them, so none makes room for the next.
        let mut held = Vec::new();
        let alone = (0..200).find(|number| {
            let owner = format!("owner{number}");
            let copy = cache.leading_back(entry.clone(), owner.as_bytes(), NOW);
            assert_eq!(copy.owner(), Some(owner.as_bytes()));
            let is_kept = copy.is_linked();
            held.push(copy);
            assert!(!is_kept || (0..kept).all(|number| is_there(&number)));
            !is_kept
        });
        assert!(alone.is_some());
        // For these names do go.
        for number in 200..300 {
            let owner = format!("owner{number}");
            held.push(cache.leading_back(entry.clone(), owner.as_bytes(), NOW));
        }
        assert!(held.iter().all(|copy| copy.owner().is_some()));
        assert!(cache.usage().used <= limit);
    }

    #[test]
    fn a_copy_is_of_its_entry_and_found_as_long_as_that_stands() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let list = cache.list_id(7);
        let mark = super::super::Mark::under(list, true);
        let set = |port| Set::of("_sip._udp.a", RecordType::SRV).record(60, srv(1, 1, port, "t"));
        let put = |set: Set| {
            let place = super::super::Place::Both(mark);
            let conflict = super::super::Conflict::Replace;
            set.draft(|draft| cache.insert_at(draft, place, conflict, NOW))
                .unwrap()
        };
        let first = put(set(1));
        let copy = |entry: &EntryRef| cache.leading_back(entry.clone(), b"o", NOW);
        // What an entry says of a relative name its copy does not.
        assert_eq!((first.mark(), copy(&first).mark()), (Some(mark), None));
        let second = put(set(2));
        let [of_first, of_second] = [&first, &second].map(copy);
        assert!(of_second.is_linked() && !of_first.is_linked());
        assert_same(&of_first, &first);
        assert_same(&of_second, &second);
        // After a writer's death nobody knows what it had changed.
        cache.write().recover();
        let again = copy(&second);
        assert!(again.is_linked() && again.as_raw() != of_second.as_raw());
        let permanent = put(set(3).permanent(true));
        assert!(permanent.is_permanent() && copy(&permanent).is_permanent());
        assert_eq!(copy(&permanent).flags(), permanent.flags());
    }
}
