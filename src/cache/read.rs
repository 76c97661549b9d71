//! Lookups without a lock.

use crate::rr::RecordType;
use crate::shm::mutation::{Mutation, seeded};
use crate::shm::pages::BlockId;
use crate::shm::refword;
use crate::shm::sync::Ordering;

use super::hash::tag_of;
use super::table::Bucket;
use super::tables::TableWord;
use super::view::View;
use super::{Cache, EntryRef, FirstAddress, HashedName, Seen, layout, tables};
use crate::host::clock::is_past;

/// Reads that are disturbed by writers this often give up and report a miss. Each disturbance needs a
/// removal from the same cache line within some 50 ns.
const MAX_RETRIES: usize = 1000;

/// An entry found in a bucket, and what tells whether it was there all the time.
struct Found {
    view: View,
    bucket: &'static Bucket,
    version: u64,
    table: u64,
}

/// The entries that may be held.
#[derive(Clone, Copy)]
enum Wanted {
    /// All.
    AnyAge,
    /// Entries that are live at the tick.
    Live(u32),
    /// Entries that are live at the tick and hold records.
    LivePositive(u32),
}

impl Cache {
    /// A counted reference to the live entry of this name and type; takes no lock.
    ///
    /// Where there is none, a live positive CNAME entry of the name is returned instead (check
    /// [`EntryRef::rtype`]). Negative entries are returned too.
    #[must_use]
    pub fn acquire(&self, qname: &[u8], qtype: RecordType, now: u32) -> Option<EntryRef> {
        self.acquire_hashed(&self.hashed(qname), qtype, now)
    }

    /// As [`Self::acquire`].
    #[must_use]
    pub fn acquire_hashed(
        &self,
        qname: &HashedName<'_>,
        qtype: RecordType,
        now: u32,
    ) -> Option<EntryRef> {
        let entry = self.hold(qname, qtype, Wanted::Live(now));
        if entry.is_some() || qtype == RecordType::CNAME {
            return entry;
        }
        let alias = self.hold(qname, RecordType::CNAME, Wanted::LivePositive(now))?;
        // The alias does not know what it is followed for.
        if alias.last_used() == layout::use_stamp(now) {
            self.note_followed(&alias, qtype, now);
        }
        Some(alias)
    }

    /// A counted reference to the live entry of this name and type, if it holds records.
    #[must_use]
    pub fn acquire_records(
        &self,
        qname: &HashedName<'_>,
        qtype: RecordType,
        now: u32,
    ) -> Option<EntryRef> {
        self.hold(qname, qtype, Wanted::LivePositive(now))
    }

    /// As [`Self::acquire_hashed`], without a look for an alias.
    #[must_use]
    pub fn acquire_exact(
        &self,
        qname: &HashedName<'_>,
        rtype: RecordType,
        now: u32,
    ) -> Option<EntryRef> {
        self.hold(qname, rtype, Wanted::Live(now))
    }

    /// A counted reference to the entry of exactly this name and type, even if it is expired.
    #[must_use]
    pub fn acquire_exact_any_age(
        &self,
        qname: &HashedName<'_>,
        rtype: RecordType,
    ) -> Option<EntryRef> {
        self.hold(qname, rtype, Wanted::AnyAge)
    }

    /// As [`Self::acquire_exact_any_age`], for an absolute name.
    #[must_use]
    pub fn acquire_any_age(&self, qname: &[u8], qtype: RecordType) -> Option<EntryRef> {
        self.hold(&self.hashed(qname), qtype, Wanted::AnyAge)
    }

    /// A counted reference to an entry of the type whose name has this hash and that is accepted;
    /// expired ones included.
    #[must_use]
    pub fn acquire_by_hash(
        &self,
        hash: u32,
        rtype: RecordType,
        accept: &dyn Fn(&EntryRef) -> bool,
    ) -> Option<EntryRef> {
        for (_, bucket) in self.table().probe(hash) {
            for place in 0..super::table::PLACES {
                let block = bucket.block(place);
                // A look before the reference: most of the bucket are other entries.
                if block == 0 || self.load(block, layout::HASH) != hash {
                    continue;
                }
                let Some(entry) = self.acquire_block(block) else {
                    continue;
                };
                let is_it = seeded(Mutation::HashUnchecked) || entry.hash() == hash;
                if is_it && entry.rtype() == rtype && accept(&entry) {
                    return Some(entry);
                }
            }
            if !bucket.overflows() {
                break;
            }
        }
        None
    }

    /// The first live address (A or AAAA) of a name, copied out without writing to the entry, but for
    /// its coarse use stamp.
    #[must_use]
    pub fn first_address(
        &self,
        qname: &HashedName<'_>,
        qtype: RecordType,
        now: u32,
    ) -> Seen<FirstAddress> {
        self.see(qname, qtype, now, |view| match first_of(view, now) {
            Seen::Miss => later_address(view, now),
            found => found,
        })
    }

    /// Reads the entry of a name and type with `read`; where that finds nothing, the name may be an alias.
    #[inline(always)]
    pub(super) fn see<T>(
        &self,
        qname: &HashedName<'_>,
        qtype: RecordType,
        now: u32,
        read: impl FnMut(&View) -> Seen<T>,
    ) -> Seen<T> {
        match self.look(qname, qtype, read) {
            None | Some(Seen::Miss) if self.alias_exists(qname, now) => Seen::Alias,
            None => Seen::Miss,
            Some(seen) => seen,
        }
    }

    /// References to the linked entries, as they are met while walking the table without a lock.
    ///
    /// Entries that come or go during the walk may be missed; none is seen twice unless it was replaced.
    pub fn entries(&self) -> impl Iterator<Item = EntryRef> + '_ {
        self.table().buckets().iter().flat_map(move |bucket| {
            (0..super::table::PLACES)
                .filter_map(move |place| self.acquire_block(bucket.block(place)))
        })
    }

    /// The entries of `count` buckets of the table, from number `from` on, and the number to go on at; `None` at the
    /// end of the table.
    pub fn entries_in(
        &self,
        from: usize,
        count: usize,
    ) -> (impl Iterator<Item = EntryRef> + '_, Option<usize>) {
        let buckets = self.table().buckets();
        let end = from.saturating_add(count).min(buckets.len());
        let part = buckets.get(from..end).unwrap_or_default();
        let entries = part.iter().flat_map(move |bucket| {
            (0..super::table::PLACES)
                .filter_map(move |place| self.acquire_block(bucket.block(place)))
        });
        (entries, (end < buckets.len()).then_some(end))
    }

    /// True when a live positive CNAME entry stands under the name.
    #[cold]
    pub(super) fn alias_exists(&self, qname: &HashedName<'_>, now: u32) -> bool {
        let found = self.look(qname, RecordType::CNAME, |view| {
            !view.is_negative() && !view.is_expired(now)
        });
        found == Some(true)
    }

    fn load(&self, block: BlockId, offset: usize) -> u32 {
        self.pages
            .word(block, offset)
            .map_or(0, |word| word.load(Ordering::Relaxed))
    }

    pub(super) fn block_expired(&self, block: BlockId, flags: u8, now: u32) -> bool {
        flags & layout::FLAG_PERMANENT == 0 && is_past(self.load(block, layout::EXPIRE), now)
    }

    /// Reads the entry of a name and type with `read`, until that was not disturbed.
    ///
    /// The result of `read` is dropped when a writer was in the way.
    #[inline]
    pub(super) fn look<T>(
        &self,
        qname: &HashedName<'_>,
        rtype: RecordType,
        mut read: impl FnMut(&View) -> T,
    ) -> Option<T> {
        for _ in 0..MAX_RETRIES {
            let found = match self.locate_at_home(qname, rtype) {
                Some(found) => found,
                None => self.locate(qname, rtype)?,
            };
            let value = self.read_undisturbed((found.bucket, found.version), found.table, || {
                read(&found.view)
            });
            if value.is_some() {
                return value;
            }
        }
        None
    }

    /// The usual case, an entry in its home bucket: a look at the first candidate there.
    #[inline(always)]
    fn locate_at_home(&self, qname: &HashedName<'_>, rtype: RecordType) -> Option<Found> {
        let table = tables::look_at_table(&self.header.table);
        let bucket = self.table_of(TableWord(table)).home_bucket(qname.hash())?;
        let version = bucket.begin();
        let block = bucket.first_candidate(tag_of(qname.hash(), rtype.0));
        let view = self.view_of(block, qname, rtype.0)?;
        Some(Found {
            view,
            bucket,
            version,
            table,
        })
    }

    /// Searches all places where the entry may be; `None` when it was seen to be in none of them.
    #[inline(never)]
    fn locate(&self, qname: &HashedName<'_>, rtype: RecordType) -> Option<Found> {
        let tag = tag_of(qname.hash(), rtype.0);
        for _ in 0..MAX_RETRIES {
            let table = tables::look_at_table(&self.header.table);
            let mut disturbed = false;
            for (_, bucket) in self.table_of(TableWord(table)).probe(qname.hash()) {
                let version = bucket.begin();
                let view = bucket.find(tag, |_, block| self.view_of(block, qname, rtype.0));
                if let Some(view) = view {
                    return Some(Found {
                        view,
                        bucket,
                        version,
                        table,
                    });
                }
                if !seeded(Mutation::MissUnchecked) && !self.is_undisturbed(bucket, version, table)
                {
                    disturbed = true;
                    break;
                }
                if !bucket.overflows() {
                    break;
                }
            }
            if !disturbed && self.header.table.load(Ordering::Relaxed) == table {
                return None;
            }
        }
        None
    }

    /// True when nothing was removed from the bucket since it had this version, and the table is still
    /// the one that the bucket was taken from.
    #[inline]
    pub(super) fn is_undisturbed(&self, bucket: &Bucket, version: u64, table: u64) -> bool {
        self.read_undisturbed((bucket, version), table, || ())
            .is_some()
    }

    /// See [`tables::read_undisturbed`].
    #[inline(always)]
    pub(super) fn read_undisturbed<T>(
        &self,
        bucket: (&Bucket, u64),
        table: u64,
        read: impl FnOnce() -> T,
    ) -> Option<T> {
        tables::read_undisturbed(bucket, (&self.header.table, table), read)
    }

    /// A view of a block if it looks like the entry of this name and type.
    #[inline(always)]
    pub(super) fn view_of(
        &self,
        block: BlockId,
        qname: &HashedName<'_>,
        rtype: u16,
    ) -> Option<View> {
        if block == 0 {
            return None;
        }
        View::matching(self.pages.words_from(block)?, block, qname, rtype)
    }

    /// Takes a reference to the entry of a name and type if it is as wanted, and notes the use.
    ///
    /// The bucket's version is looked at once more after the reference was counted. Found unchanged,
    /// it proves that the block was linked under the name up to then, and from then on the reference
    /// keeps it: had the block been reused, counting would have read what the new entry's writer
    /// published, and with it the version that was raised before. So the name is compared once.
    #[inline(never)]
    fn hold(&self, qname: &HashedName<'_>, rtype: RecordType, wanted: Wanted) -> Option<EntryRef> {
        self.look(qname, rtype, |view| {
            let now = match wanted {
                Wanted::AnyAge => None,
                Wanted::LivePositive(_) if view.is_negative() => return None,
                Wanted::Live(now) | Wanted::LivePositive(now) => Some(now),
            };
            if now.is_some_and(|now| view.is_expired(now)) || !refword::try_acquire(view.ref_word())
            {
                return None;
            }
            let again = now.is_some_and(|now| view.stamp(now));
            let entry = EntryRef::from_counted(self.pages.address(view.block));
            // A caller who wants records asks in another way where there are none.
            (!again || !matches!(wanted, Wanted::LivePositive(_))).then_some(entry)
        })
        .flatten()
    }

    /// Takes a reference to whatever lives in a block.
    pub(super) fn acquire_block(&self, block: BlockId) -> Option<EntryRef> {
        if block == 0 || !refword::try_acquire(self.pages.ref_word(block)?) {
            return None;
        }
        Some(EntryRef::from_counted(self.pages.address(block)))
    }
}

/// Notes the use of an entry that is to be read; what there is to say when it has no records to read.
#[inline(always)]
pub(super) fn nothing_to_read<T>(view: &View, now: u32) -> Option<Seen<T>> {
    if view.is_expired(now) || view.stamp(now) {
        return Some(Seen::Miss);
    }
    view.is_negative()
        .then(|| Seen::Negative(view.negative_kind()))
}

/// The address of record 0; `Miss` also when only a later record may be live.
#[inline(always)]
fn first_of(view: &View, now: u32) -> Seen<FirstAddress> {
    if let Some(seen) = nothing_to_read(view, now) {
        return seen;
    }
    match view.address(0, now) {
        Some(address) => Seen::Found(FirstAddress {
            address,
            alone: view.count() == 1,
        }),
        None => Seen::Miss,
    }
}

/// The first address behind record 0 that is not expired.
#[cold]
fn later_address(view: &View, now: u32) -> Seen<FirstAddress> {
    if view.is_expired(now) {
        return Seen::Miss;
    }
    let address = (1..view.count()).find_map(|index| view.address(index, now));
    address.map_or(Seen::Miss, |address| {
        Seen::Found(FirstAddress {
            address,
            alone: false,
        })
    })
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::set::{Set, a, cname};
    use super::super::{Conflict, NegativeKind};
    use super::*;
    use crate::host::clock::after_seconds;

    const NOW: u32 = u32::MAX - 100;

    #[test]
    fn a_walk_in_parts_meets_every_entry() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        for number in 0..500 {
            let set = Set::of(format!("n{number}"), RecordType::A).record(60, a(1));
            set.put(cache, NOW).unwrap();
        }
        let buckets = cache.table().buckets().len();
        for part in [1, 7, buckets, usize::MAX] {
            let (mut from, mut parts, mut names) = (Some(0), 0, Vec::new());
            while let Some(at) = from {
                let (entries, next) = cache.entries_in(at, part);
                names.extend(entries.map(|entry| entry.name().to_vec()));
                (from, parts) = (next, parts + 1);
            }
            names.sort();
            names.dedup();
            assert_eq!((names.len(), parts), (500, buckets.div_ceil(part)));
        }
        assert_eq!(cache.entries_in(buckets + 1, 5).1, None);
    }

    #[test]
    fn an_alias_stands_in_as_long_as_it_lives() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let (alias, absent) = (b"alias", b"absent");
        let set = Set::of(alias, RecordType::CNAME).record(60, cname("target"));
        set.put(cache, NOW).unwrap();
        let set = Set::absence(absent, RecordType::CNAME, NegativeKind::NoData, 60);
        set.put(cache, NOW).unwrap();
        let end = after_seconds(NOW, 60);
        for (name, now, wanted) in [
            (&alias[..], NOW, true),
            (alias, end - 1, true),
            (alias, end, false),
            (absent, NOW, false),
        ] {
            let seen = cache.first_address(&cache.hashed(name), RecordType::A, now);
            assert_eq!(seen == Seen::Alias, wanted);
            assert_eq!(cache.acquire(name, RecordType::A, now).is_some(), wanted);
        }
        // Whoever asks for the alias itself learns of its absence.
        let found = cache.acquire(absent, RecordType::CNAME, NOW);
        assert_eq!(found.unwrap().negative(), Some(NegativeKind::NoData));
    }

    #[test]
    fn who_wants_records_is_given_no_absence() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let name = cache.hashed(b"n");
        let find = || cache.acquire_records(&name, RecordType::A, NOW).is_some();
        let set = Set::absence("n", RecordType::A, NegativeKind::NxDomain, 60);
        set.put(cache, NOW).unwrap();
        assert!(!find() && cache.acquire_exact(&name, RecordType::A, NOW).is_some());
        for (records, alone) in [(&[a(1)][..], true), (&[a(1), a(2)], false)] {
            let set = Set::of("n", RecordType::A).records(60, records);
            set.put_as(cache, Conflict::Replace, NOW).unwrap();
            assert!(find());
            let seen = cache.first_address(&name, RecordType::A, NOW);
            assert!(matches!(seen, Seen::Found(first) if first.alone == alone));
        }
    }
}
