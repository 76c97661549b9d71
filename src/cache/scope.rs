//! Absolute and relative names.
//!
//! An entry stands under an absolute name: what DNS says of exactly that name. A relative name, as people write it, may
//! be completed by a search list, so it is another question. Without a list in force both are the same question. With a
//! list there are two places for what is known of a relative name:
//!
//! * The relative name was found as it was written. Then the entry of the absolute name carries the mark of the list
//!   under which that was so, and one look finds it.
//! * The relative name was found under a longer name, or is absent. Then the result stands under a hash of its own,
//!   where no look for the absolute name comes: [`HashedName::related`].
//!
//! Each list has a small number, the same in all processes. A mark of another list than the one in force says nothing.

use once_cell::sync::OnceCell;

use crate::rr::RecordType;
use crate::shm::sync::{AtomicU32, AtomicU64, Ordering};

use super::hash::{ABSOLUTE, NameHash, hash_name};
use super::{Cache, EntryRef, layout};

/// Most lists that have numbers at a time: as many as the mark's four bits allow beside 0 and [`EDITED`].
pub(super) const LISTS: usize = 14;
/// The mark holds for lookups that want either address family, too. Without this bit it holds for lookups of the
/// entry's type alone.
const EITHER: u8 = 0x08;
const LIST_SHIFT: u32 = 4;
/// In place of a list's number: an operator said so, whatever list is in force.
const EDITED: u8 = 15;
/// Where the flags stand in the word at [`layout::IDENTITY`].
const FLAGS_SHIFT: u32 = 16;

/// How old the view of the search list may be where entries are in use, ms.
pub const LOOK_MS: u64 = 125;

/// Looks whether another search list is in force, and if so puts it in force; see [`watch_list`].
static WATCH: OnceCell<fn() -> bool> = OnceCell::new();

/// Has the cache call `look` about once a second for each entry that is in use. `look` puts the search list in force,
/// and returns true for another list than before. Its view of the configuration may be as old as [`LOOK_MS`].
pub fn watch_list(look: fn() -> bool) {
    let _first = WATCH.set(look);
}

/// Looks for another list; true when one came into force.
pub(super) fn another_list_came() -> bool {
    WATCH.get().is_some_and(|look| look())
}

/// The number of a search list, 1 to 14.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListId(u8);

/// Under which list an entry counts for the relative name of its spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u8);

impl Mark {
    /// An operator's word, for every list.
    #[must_use]
    pub const fn edited() -> Self {
        Self(EDITED << LIST_SHIFT | EITHER)
    }

    /// True under a list; `either`: for lookups of both address families, too.
    #[must_use]
    pub fn under(list: ListId, either: bool) -> Self {
        Self(list.0 << LIST_SHIFT | if either { EITHER } else { 0 })
    }

    fn list(self) -> u8 {
        self.0 >> LIST_SHIFT
    }

    /// True for [`Self::edited`].
    #[must_use]
    pub fn is_edited(self) -> bool {
        self.list() == EDITED
    }

    /// True when the mark holds under a list.
    #[must_use]
    pub fn is_of(self, list: ListId) -> bool {
        self.list() == list.0
    }

    /// True when the mark holds for lookups of both address families, too.
    #[must_use]
    pub fn is_of_either(self) -> bool {
        self.0 & EITHER != 0
    }
}

/// Under which name an entry stands, and what it says of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Under the absolute name, for which alone it speaks.
    Absolute,
    /// Under the absolute name, and it speaks for the relative one.
    Both(Mark),
    /// Under the relative name.
    Relative(Mark),
}

impl Place {
    /// The hash under which the entry stands, given that of the absolute name.
    pub(super) fn hash(self, absolute: NameHash) -> NameHash {
        match self {
            Self::Absolute | Self::Both(_) => absolute,
            Self::Relative(_) => absolute.relative(),
        }
    }

    /// [`layout::MARKS`] of the entry.
    pub(super) fn marks(self) -> u8 {
        match self {
            Self::Absolute => 0,
            Self::Both(mark) | Self::Relative(mark) => mark.0,
        }
    }
}

/// Of the word at [`layout::IDENTITY`], what belongs to every question: type and length of the name.
const ASKED: u32 = 0xff00_ffff;

/// Which entries fit a lookup: the bits of the word at [`layout::IDENTITY`] that count, and the values of those that
/// are neither type nor length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) mask: u32,
    pub(super) value: u32,
}

impl Scope {
    /// An absolute name.
    const ABSOLUTE: Self = Self {
        mask: ASKED,
        value: 0,
    };

    /// No entry.
    const NOTHING: Self = Self {
        mask: ASKED,
        value: u32::MAX,
    };

    /// Entries with these marks, and without these flags.
    fn marked(mark: Mark, without: u8) -> Self {
        let bits = layout::MARKS & !EITHER | without | mark.0 & EITHER;
        Self {
            mask: ASKED | u32::from(bits) << FLAGS_SHIFT,
            value: u32::from(mark.0) << FLAGS_SHIFT,
        }
    }

    /// Entries that speak for a relative name under a list. An absence speaks for lookups of either address family
    /// alone.
    fn of_list(list: ListId, either: bool) -> Self {
        let without = if either { 0 } else { layout::FLAG_NEGATIVE };
        Self::marked(Mark::under(list, either), without)
    }
}

/// A [`Scope`] in the control block. A reader loads its words one after the other. While they change a reader finds no
/// entry, or an entry that was right a moment ago.
#[repr(C)]
struct SharedScope {
    mask: AtomicU32,
    value: AtomicU32,
}

impl SharedScope {
    #[inline(always)]
    fn load(&self) -> Scope {
        Scope {
            mask: self.mask.load(Ordering::Relaxed),
            value: self.value.load(Ordering::Relaxed),
        }
    }

    fn store(&self, scope: Scope) {
        // No entry has these values while the mask changes.
        self.value.store(u32::MAX, Ordering::Relaxed);
        self.mask.store(scope.mask, Ordering::Relaxed);
        self.value.store(scope.value, Ordering::Relaxed);
    }
}

/// The list in force, in the control block.
#[repr(C)]
pub(super) struct Scopes {
    /// The scopes of lookups for a relative name: first for both address families, then for one type.
    wanted: [SharedScope; 2],
    /// Digests of the lists with numbers, in the order of those; 0 = free.
    lists: [AtomicU64; LISTS],
}

/// A name with its hash, for several lookups of one name, or kept with what leads to the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashedName<'a> {
    name: &'a [u8],
    /// As [`super::hash::NameHash::high`].
    hash: u32,
    scope: Scope,
}

impl<'a> HashedName<'a> {
    /// The name.
    #[must_use]
    #[inline(always)]
    pub fn name(&self) -> &'a [u8] {
        self.name
    }

    /// An absolute name with a hash that was kept, which must be that of the name under the key of the cache in use.
    #[inline(always)]
    pub(super) fn with_kept_hash(name: &'a [u8], hash: u32) -> Self {
        Self {
            name,
            hash,
            scope: Scope::ABSOLUTE,
        }
    }

    /// The hash of the name; that of the absolute name is [`Cache::name_hash`].
    #[must_use]
    #[inline(always)]
    pub fn hash(&self) -> u32 {
        self.hash
    }

    /// True for a relative name under a search list.
    #[must_use]
    #[inline]
    pub fn is_relative(&self) -> bool {
        self.scope != Scope::ABSOLUTE
    }

    /// The marks and flags that an entry has to have.
    #[inline(always)]
    pub(super) fn scope(&self) -> Scope {
        self.scope
    }

    /// The absolute name of the same spelling.
    #[must_use]
    pub fn absolute(&self) -> Self {
        Self::with_kept_hash(self.name, self.hash | ABSOLUTE)
    }

    fn marked(&self, mark: Mark) -> Self {
        Self {
            scope: Scope::marked(mark, 0),
            ..self.absolute()
        }
    }

    /// The absolute name, for entries that an operator made for the relative one, too.
    #[must_use]
    pub fn edited(&self) -> Self {
        self.marked(Mark::edited())
    }

    /// The relative name, for what is known of that alone under a list.
    #[must_use]
    pub fn related(&self, list: ListId) -> Self {
        Self {
            hash: self.hash & !ABSOLUTE,
            ..self.marked(Mark::under(list, false))
        }
    }

    /// As [`Self::edited`], for what an operator said of the relative name alone.
    #[must_use]
    pub fn related_edited(&self) -> Self {
        Self {
            hash: self.hash & !ABSOLUTE,
            ..self.edited()
        }
    }

    /// The absolute name, for entries that speak for the relative one under a list, with records or without, as
    /// [`Cache::as_written`] finds them under the list in force; an absence speaks for lookups of either address
    /// family alone.
    #[must_use]
    pub fn as_written_under(&self, list: ListId, either: bool) -> Self {
        Self {
            scope: Scope::of_list(list, either),
            ..self.absolute()
        }
    }

    /// As [`Self::related`], for whatever is there.
    #[must_use]
    pub fn related_in_any_way(&self) -> Self {
        Self::with_kept_hash(self.name, self.hash & !ABSOLUTE)
    }
}

impl Cache {
    /// Hashes an absolute name.
    #[must_use]
    #[inline(always)]
    pub fn hashed<'a>(&self, name: &'a [u8]) -> HashedName<'a> {
        HashedName::with_kept_hash(name, hash_name(name, &self.key).high)
    }

    /// Hashes a relative name. A look for it finds entries of the name as it is written, as far as these speak for
    /// it: under the list in force and, `either`, for lookups that want either address family. Where no list is in
    /// force it is the absolute name.
    #[must_use]
    #[inline(always)]
    pub fn as_written<'a>(&self, name: &'a [u8], either: bool) -> HashedName<'a> {
        // The hash comes first, for its computation needs all registers.
        let hashed = self.hashed(name);
        let [of_either, of_one] = &self.header.scopes.wanted;
        let scope = if either { of_either } else { of_one };
        HashedName {
            scope: scope.load(),
            ..hashed
        }
    }

    /// The list in force.
    #[must_use]
    pub fn list_in_force(&self) -> Option<ListId> {
        let scope = self.header.scopes.wanted[1].load();
        let number = (scope.value >> (FLAGS_SHIFT + LIST_SHIFT)) as u8 & 0xf;
        (number != 0 && scope.value != u32::MAX).then_some(ListId(number))
    }

    /// Puts a list in force for all processes, given its digest; `None` = there is none.
    pub fn put_in_force(&self, digest: Option<u64>) {
        let list = digest.map(|digest| self.list_id(digest));
        let scope = |either| list.map_or(Scope::ABSOLUTE, |list| Scope::of_list(list, either));
        let [of_either, of_one] = &self.header.scopes.wanted;
        of_either.store(scope(true));
        of_one.store(scope(false));
    }

    /// The number of a list, given its digest. A new list gets a number. When no number is left, all lists begin anew,
    /// and the cache forgets what it knew of relative names.
    #[must_use]
    pub fn list_id(&self, digest: u64) -> ListId {
        let digest = digest.max(1);
        loop {
            for (number, place) in (1..).zip(&self.header.scopes.lists) {
                let known = place.load(Ordering::Relaxed);
                let taken = known == 0
                    && place
                        .compare_exchange(0, digest, Ordering::Relaxed, Ordering::Relaxed)
                        .is_ok();
                if taken || place.load(Ordering::Relaxed) == digest {
                    return ListId(number);
                }
            }
            self.forget_lists();
        }
    }

    fn forget_lists(&self) {
        // Until the next list is put in force no entry fits a relative name, so each lookup walks the list.
        for scope in &self.header.scopes.wanted {
            scope.store(Scope::NOTHING);
        }
        for entry in self.entries() {
            match entry.mark() {
                Some(mark) if mark.is_edited() => {}
                Some(_) if entry.is_relative() => {
                    self.remove(&entry);
                }
                _ => entry.forget_mark(),
            }
        }
        for place in &self.header.scopes.lists {
            place.store(0, Ordering::Relaxed);
        }
    }

    /// Removes the entry of a relative name alone.
    pub fn remove_related(&self, qname: &HashedName<'_>, rtype: RecordType) -> bool {
        let entry = self.acquire_exact_any_age(&qname.related_in_any_way(), rtype);
        entry.is_some_and(|entry| self.remove(&entry))
    }
}

impl EntryRef {
    /// True for an entry that stands under a relative name.
    #[must_use]
    pub fn is_relative(&self) -> bool {
        self.hash() & ABSOLUTE == 0
    }

    /// True for what an operator put in.
    #[must_use]
    pub fn is_edited(&self) -> bool {
        self.is_permanent() || self.mark().is_some_and(Mark::is_edited)
    }

    /// Under which list the entry counts for the relative name; `None` = under none.
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        let marks = self.all_flags() & layout::MARKS;
        (marks != 0).then_some(Mark(marks))
    }

    /// Under which name the entry stands.
    #[must_use]
    pub fn place(&self) -> Place {
        match (self.mark(), self.is_relative()) {
            (None, _) => Place::Absolute,
            (Some(mark), false) => Place::Both(mark),
            (Some(mark), true) => Place::Relative(mark),
        }
    }

    /// Lets an entry of an absolute name count for the relative one, too. The caller has to know that this is right as
    /// long as the entry lives. An operator's mark stays.
    pub fn set_mark(&self, mark: Mark) {
        self.change_marks(|old| match old {
            Mark(old) if old == mark.0 || Mark(old).is_edited() => None,
            Mark(old) if old >> LIST_SHIFT == mark.list() => Some(old | mark.0),
            _ => Some(mark.0),
        });
    }

    fn forget_mark(&self) {
        self.change_marks(|old| (old.0 != 0 && !old.is_edited()).then_some(0));
    }

    /// Of an entry the marks alone may change: they say nothing of its own name.
    fn change_marks(&self, change: impl Fn(Mark) -> Option<u8>) {
        let word: &AtomicU32 = self.identity_word();
        let mask = u32::from(layout::MARKS) << FLAGS_SHIFT;
        let _unchanged = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
            let old = (word >> FLAGS_SHIFT) as u8 & layout::MARKS;
            change(Mark(old)).map(|new| word & !mask | u32::from(new) << FLAGS_SHIFT)
        });
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::set::{Set, a, cname};
    use super::super::{Conflict, NegativeKind, Setting};
    use super::*;

    const NOW: u32 = 500;
    const LIST: u64 = 0x1234;
    const OTHER: u64 = 0x5678;

    fn put_at(cache: &Cache, set: &Set, place: Place) -> EntryRef {
        set.draft(|draft| cache.insert_at(draft, place, Conflict::Replace, NOW))
            .unwrap()
    }

    fn put(cache: &Cache, name: &[u8], last: u8, place: Place) -> EntryRef {
        put_at(
            cache,
            &Set::of(name, RecordType::A).record(60, a(last)),
            place,
        )
    }

    fn put_absence(cache: &Cache, name: &[u8], place: Place) -> EntryRef {
        let set = Set::absence(name, RecordType::A, NegativeKind::NoData, 60);
        put_at(cache, &set, place)
    }

    /// True when a look for a name finds an entry.
    fn finds(cache: &Cache, name: &HashedName<'_>) -> bool {
        cache.acquire_exact(name, RecordType::A, NOW).is_some()
    }

    #[test]
    fn without_a_list_both_kinds_are_one() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        put(cache, b"a.b", 1, Place::Absolute);
        assert_eq!(cache.list_in_force(), None);
        for either in [false, true] {
            assert_eq!(cache.as_written(b"a.b", either), cache.hashed(b"a.b"));
            assert!(finds(cache, &cache.as_written(b"a.b", either)));
        }
    }

    #[test]
    fn under_a_list_an_entry_speaks_for_the_relative_name_when_it_says_so() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        cache.put_in_force(Some(LIST));
        let list = cache.list_in_force().unwrap();
        let entry = put(cache, b"a.b", 1, Place::Absolute);
        let relative = |either| finds(cache, &cache.as_written(b"a.b", either));
        assert!(finds(cache, &cache.hashed(b"a.b")) && !relative(false) && !relative(true));
        entry.set_mark(Mark::under(list, false));
        assert!(relative(false) && !relative(true));
        entry.set_mark(Mark::under(list, true));
        assert!(relative(false) && relative(true));
        assert_eq!(entry.flags(), 0);
        // Another list says nothing of it, and the first one is known again.
        cache.put_in_force(Some(OTHER));
        assert!(!relative(false) && !relative(true) && finds(cache, &cache.hashed(b"a.b")));
        cache.put_in_force(Some(LIST));
        assert_eq!(cache.list_in_force(), Some(list));
        assert!(relative(false));
        cache.put_in_force(None);
        assert!(relative(false));
    }

    #[test]
    fn an_absence_as_written_speaks_for_lookups_of_either_family_alone() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        cache.put_in_force(Some(LIST));
        let list = cache.list_in_force().unwrap();
        put_absence(cache, b"a.b", Place::Both(Mark::under(list, true)));
        assert!(!finds(cache, &cache.as_written(b"a.b", false)));
        assert!(finds(cache, &cache.as_written(b"a.b", true)));
    }

    #[test]
    fn what_is_known_of_a_relative_name_alone_stands_apart() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        cache.put_in_force(Some(LIST));
        let list = cache.list_in_force().unwrap();
        let absolute = put(cache, b"a.b", 1, Place::Absolute);
        let relative = put_absence(cache, b"A.b", Place::Relative(Mark::under(list, false)));
        let (name, none) = (cache.hashed(b"a.b"), cache.list_id(OTHER));
        let found = cache.acquire_exact(&name.related(list), RecordType::A, NOW);
        assert_eq!(found.unwrap().as_raw(), relative.as_raw());
        assert!(!finds(cache, &name.related(none)));
        let found = cache.acquire_exact(&name, RecordType::A, NOW).unwrap();
        assert_eq!(found.as_raw(), absolute.as_raw());
        assert!(relative.is_relative() && !absolute.is_relative());
        assert_eq!(cache.usage().entries, 2);
        assert!(cache.remove(&relative) && !cache.remove(&relative));
        assert!(finds(cache, &name));
    }

    #[test]
    fn what_an_operator_said_holds_under_every_list() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let entry = put(cache, b"a.b", 1, Place::Both(Mark::edited()));
        for digest in [LIST, OTHER] {
            cache.put_in_force(Some(digest));
            assert!(finds(cache, &cache.hashed(b"a.b").edited()));
            let list = cache.list_in_force().unwrap();
            entry.set_mark(Mark::under(list, true));
            assert_eq!(entry.mark(), Some(Mark::edited()));
        }
    }

    #[test]
    fn after_many_lists_what_was_known_is_forgotten_and_not_mistaken() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        for number in 1..=200u64 {
            let digest = number * 77;
            cache.put_in_force(Some(digest));
            let list = cache.list_in_force().unwrap();
            assert!(!finds(cache, &cache.as_written(b"a.b", false)), "{number}");
            let rtype = RecordType::A.link(true);
            let name = cache.hashed(b"r").related(list);
            let known = cache.acquire_exact(&name, rtype, NOW);
            assert!(known.is_none(), "{number}");
            let link = Set::of("r", rtype).record(60, cname("a.b.test"));
            put_at(cache, &link, Place::Relative(Mark::under(list, false)));
            put(cache, b"a.b", 1, Place::Both(Mark::under(list, true)));
            assert!(finds(cache, &cache.as_written(b"a.b", false)), "{number}");
        }
        let kept = put(cache, b"kept", 1, Place::Both(Mark::edited()));
        for number in 300..=330 {
            let _id = cache.list_id(number);
        }
        assert_eq!(kept.mark(), Some(Mark::edited()));
    }

    /// Every step that computes a hash from an entry's name: growth and shrinking of the table, repair.
    #[test]
    fn both_kinds_survive_a_change_of_the_table() {
        let cache = Cache::for_tests(4 << 20, true).unwrap();
        cache.put_in_force(Some(LIST));
        let list = cache.list_in_force().unwrap();
        let names: Vec<Vec<u8>> = (0..500).map(|i| format!("n{i}.test").into()).collect();
        for name in &names {
            put(cache, name, 1, Place::Absolute);
            put_absence(cache, name, Place::Relative(Mark::under(list, false)));
        }
        for limit in [1 << 20, 8 << 20] {
            cache.set_for_tests(Setting::Limit(limit));
            cache.collect_garbage(NOW);
            for step in 0..2000u32 {
                put(cache, format!("s{step}").as_bytes(), 2, Place::Absolute);
            }
            for name in &names {
                let name = cache.hashed(name);
                assert!(finds(cache, &name) && finds(cache, &name.related(list)));
            }
        }
        #[cfg(feature = "fault_injection")]
        cache.audit(true).unwrap();
    }

    #[test]
    fn a_mark_says_which_list_and_for_whom() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let [list, other] = [LIST, OTHER].map(|digest| cache.list_id(digest));
        for either in [false, true] {
            let mark = Mark::under(list, either);
            assert!(mark.is_of(list) && !mark.is_of(other) && !mark.is_edited());
            assert_eq!(mark.is_of_either(), either);
        }
        let edited = Mark::edited();
        assert!(edited.is_edited() && edited.is_of_either());
        assert!(!edited.is_of(list) && !edited.is_of(other));
    }

    #[test]
    fn a_mark_takes_the_place_of_another_lists_and_adds_to_its_own() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let lists = [1, 2, 3, 4, 5, 6, 7].map(|digest| cache.list_id(digest));
        let entry = put(cache, b"a.b", 1, Place::Absolute);
        assert!(entry.mark().is_none() && !entry.is_edited());
        for list in lists.into_iter().chain(lists.into_iter().rev().skip(1)) {
            let [one, both] = [false, true].map(|either| Mark::under(list, either));
            for (mark, then) in [(one, one), (both, both), (one, both)] {
                entry.set_mark(mark);
                assert_eq!(entry.mark(), Some(then));
                assert_eq!(entry.place(), Place::Both(then));
            }
        }
        assert_eq!((entry.name(), entry.rtype()), (&b"a.b"[..], RecordType::A));
        entry.set_mark(Mark::edited());
        assert!(entry.is_edited());
    }

    #[test]
    fn an_operators_entry_is_known_by_its_mark_or_because_it_stays() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let set = Set::of("a.b", RecordType::A).record(60, a(1));
        let mark = Mark::under(cache.list_id(LIST), true);
        let other = put_at(cache, &set, Place::Both(mark));
        assert!(!other.is_edited());
        let permanent = put_at(cache, &set.permanent(true), Place::Absolute);
        assert!(permanent.is_edited());
    }

    #[test]
    fn names_of_each_kind_find_what_is_theirs() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        cache.put_in_force(Some(LIST));
        let list = cache.list_in_force().unwrap();
        let name = cache.hashed(b"a.b");
        assert!(!name.is_relative() && cache.as_written(b"a.b", true).is_relative());
        assert_eq!(name.related(list).absolute(), name);
        let all = [
            ("absolute", name),
            ("as written", name.as_written_under(list, true)),
            ("edited", name.edited()),
            ("related", name.related(list)),
            ("related, edited", name.related_edited()),
            ("related in any way", name.related_in_any_way()),
        ];
        let under = Mark::under(list, false);
        for (place, finders) in [
            (Place::Absolute, &all[..1]),
            (Place::Both(Mark::under(list, true)), &all[..2]),
            (Place::Both(Mark::edited()), &[all[0], all[2]]),
            (Place::Relative(under), &[all[3], all[5]]),
            (Place::Relative(Mark::edited()), &all[4..]),
        ] {
            let entry = put(cache, b"A.b", 1, place);
            for (kind, name) in all {
                let wanted = finders.iter().any(|(finder, _)| *finder == kind);
                assert_eq!(finds(cache, &name), wanted, "{place:?}: {kind}");
            }
            let is_related = cache.remove_related(&name, RecordType::A);
            assert_eq!(is_related, matches!(place, Place::Relative(_)), "{place:?}");
            assert_eq!(entry.is_linked(), !is_related);
            assert_eq!(cache.remove(&entry), !is_related);
        }
    }

    #[test]
    fn new_numbers_for_lists_end_what_the_old_ones_said_and_nothing_else() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let list = cache.list_id(LIST);
        let mark = Mark::under(list, true);
        let places = [
            Place::Absolute,
            Place::Both(mark),
            Place::Relative(mark),
            Place::Both(Mark::edited()),
            Place::Relative(Mark::edited()),
        ];
        let entries = places.map(|place| put(cache, format!("{place:?}").as_bytes(), 1, place));
        for digest in 1..=LISTS as u64 {
            let _number = cache.list_id(digest);
        }
        let then = entries
            .each_ref()
            .map(|entry| (entry.is_linked(), entry.place()));
        let [_, _, related, edited, related_edited] = places;
        let wanted = [
            (true, Place::Absolute),
            (true, Place::Absolute),
            (false, related),
            (true, edited),
            (true, related_edited),
        ];
        assert_eq!(then, wanted);
    }
}
