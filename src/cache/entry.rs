//! Counted references to entries, and the fields of an entry. [`super::records`] has its records.
#![allow(unsafe_code, reason = "reads entries through C pointers")]

use std::ffi::c_void;
use std::ptr::NonNull;

use crate::host::clock;
use crate::host::log::Level;
use crate::rr::RecordType;
use crate::shm::refword;
use crate::shm::sync::{AtomicU32, Ordering};

use super::layout;

/// The kinds of negative entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NegativeKind {
    /// The name does not exist.
    NxDomain,
    /// The name has no records of the type.
    NoData,
    /// Resolution failed lately (RFC 9520), servers said so; says nothing about the name.
    Failure,
    /// As [`Self::Failure`], nothing usable came back.
    Silence,
}

impl NegativeKind {
    /// True for failures, false for proven absence.
    #[must_use]
    #[inline(always)]
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failure | Self::Silence)
    }
}

/// A counted reference to an entry in shared memory.
///
/// As long as it is held the entry stays as it is, whatever happens in the cache. `Clone` counts one
/// more, `Drop` one less.
///
/// In memory it is the C pointer that it stands for; `None` is NULL.
#[derive(Debug)]
#[repr(transparent)]
pub struct EntryRef {
    raw: NonNull<u8>,
}

impl EntryRef {
    /// Takes over a reference that was counted already.
    pub(super) fn from_counted(raw: NonNull<u8>) -> Self {
        Self { raw }
    }

    /// Takes over a reference that a C pointer owns; `None` for NULL.
    ///
    /// # Safety
    /// The pointer is NULL or came from [`Self::into_raw`] in this process or a relative, and owns a
    /// reference.
    #[must_use]
    pub unsafe fn from_raw(raw: *mut c_void) -> Option<Self> {
        NonNull::new(raw.cast()).map(|raw| Self { raw })
    }

    /// Gives the reference away as a C pointer (`struct dns_hash_entry *`), which then owns it.
    #[must_use]
    pub fn into_raw(self) -> *mut c_void {
        let raw = self.as_raw();
        let _given_away = std::mem::ManuallyDrop::new(self);
        raw
    }

    /// The C pointer, without giving the reference away.
    #[must_use]
    pub fn as_raw(&self) -> *mut c_void {
        self.raw.as_ptr().cast()
    }

    /// Releases this reference and one that was given away with [`Self::into_raw`].
    pub(super) fn release_parked(self) {
        // SAFETY: the caller says that a reference to this entry was given away for it to take back.
        drop(unsafe { Self::from_raw(self.as_raw()) });
    }

    /// Address of octet 0, as it stands in pointers of the entry.
    #[inline]
    pub(super) fn raw_address(&self) -> u64 {
        self.raw.as_ptr() as u64
    }

    #[inline]
    pub(super) fn at<T: Copy>(&self, offset: usize) -> T {
        // SAFETY: callers pass offsets of members of this entry, which lie inside its block, or below MAX_BLOCK, which
        // is mapped behind each block.
        let place = unsafe { self.raw.add(offset) }.cast::<T>();
        // SAFETY: the block is alive (we hold a reference) and its content does not change; blocks are
        // 16-aligned and the offsets passed are multiples of the member's alignment.
        unsafe { place.read() }
    }

    fn word(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: REFCNT, LAST_USED and IDENTITY lie inside the block.
        let place = unsafe { self.raw.add(offset) }.cast::<AtomicU32>();
        // SAFETY: 4-aligned, alive as long as `self`, and accessed by everyone as a 32-bit atomic.
        unsafe { place.as_ref() }
    }

    pub(super) fn octets(&self, offset: usize, length: usize) -> &[u8] {
        // SAFETY: offset and length come from the entry itself, which was built by this library.
        let start = unsafe { self.raw.add(offset) };
        // SAFETY: inside the block, initialised, immutable while `self` lives.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), length) }
    }

    /// Type, flags and length of the name, each by itself.
    #[inline]
    pub(super) fn identity(&self) -> (u16, u8, u8) {
        layout::split_identity(self.identity_word().load(Ordering::Relaxed))
    }

    /// Type, flags and length of the name.
    pub(super) fn identity_word(&self) -> &AtomicU32 {
        self.word(layout::IDENTITY)
    }

    /// `ent_flags` with what C does not read.
    pub(super) fn all_flags(&self) -> u8 {
        self.identity().1
    }

    /// Owner name (after CNAME following: the target's), without trailing dot.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.octets(layout::NAME, usize::from(self.identity().2))
    }

    /// Type of the records, or the type that is absent.
    #[must_use]
    pub fn rtype(&self) -> RecordType {
        RecordType(self.identity().0)
    }

    /// `DNS_FLAG_BAD_NAME` and `DNS_FLAG_PERMANENT` as C shows them.
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.all_flags() & !layout::MARKS
    }

    /// `Some` for a negative entry.
    #[must_use]
    pub fn negative(&self) -> Option<NegativeKind> {
        (self.flags() & layout::FLAG_NEGATIVE != 0)
            .then(|| layout::decode_kind(self.at(layout::COUNTS)))
    }

    /// True when the entry never expires.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.flags() & layout::FLAG_PERMANENT != 0
    }

    /// Tick at which the last record expires; meaningless for permanent entries.
    #[must_use]
    pub fn expire(&self) -> u32 {
        self.at(layout::EXPIRE)
    }

    /// True when no record is valid any more.
    #[must_use]
    pub fn is_expired(&self, now: u32) -> bool {
        !self.is_permanent() && clock::is_past(self.expire(), now)
    }

    /// Number of records that can be used, 0 for negative entries.
    #[must_use]
    pub fn record_count(&self) -> usize {
        usize::from(layout::split_counts(self.at(layout::COUNTS)).0)
    }

    /// Number of records, those included that cannot be used: SRV records without port, behind all others. People look
    /// at those records and edit them.
    #[must_use]
    pub fn listed_count(&self) -> usize {
        let (of_use, left_out) = layout::split_counts(self.at(layout::COUNTS));
        usize::from(of_use) + usize::from(left_out)
    }

    /// A length octet with the text behind it.
    pub(super) fn counted(&self, offset: usize) -> &[u8] {
        self.octets(offset + 1, usize::from(self.at::<u8>(offset)))
    }

    /// References held by others than the cache, plus one while linked (as RPC shows it).
    #[must_use]
    pub fn reference_count(&self) -> i32 {
        let word = self.word(layout::REFCNT).load(Ordering::Relaxed);
        (word & refword::COUNT_MASK) as i32 + i32::from(word & refword::LINKED != 0)
    }

    /// True while the cache finds the entry.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.word(layout::REFCNT).load(Ordering::Relaxed) & refword::LINKED != 0
    }

    /// Tick of the last use, coarse.
    #[must_use]
    pub fn last_used(&self) -> u32 {
        self.word(layout::LAST_USED).load(Ordering::Relaxed)
    }

    /// For how many seconds it has not been used; `None` = it was never used.
    #[must_use]
    pub fn used_ago_s(&self, now: u32) -> Option<u32> {
        let stamp = self.last_used();
        let idle = (now.wrapping_sub(stamp) as i32).max(0).cast_unsigned();
        layout::tells_of_use(stamp).then_some(idle / clock::TICKS_PER_S)
    }

    /// Notes a use, at most once a second; true when it did.
    pub fn touch(&self, now: u32) -> bool {
        let word = self.word(layout::LAST_USED);
        let stamp = word.load(Ordering::Relaxed);
        let age = now.wrapping_sub(stamp) as i32;
        let stale = age >= clock::TICKS_PER_S as i32 || !layout::was_used(stamp);
        if stale {
            word.store(layout::use_stamp(now), Ordering::Relaxed);
        }
        stale
    }

    /// Takes over when the entry before this one was used last (its [`Self::last_used`]), unless this one was used
    /// since.
    pub fn inherit_use(&self, stamp: u32) {
        let word = self.word(layout::LAST_USED);
        let own = word.load(Ordering::Relaxed);
        if !layout::was_used(own) && layout::tells_of_use(stamp) {
            let inherited = layout::inherited_stamp(stamp);
            // Used meanwhile: then that counts.
            let _ = word.compare_exchange(own, inherited, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// The word at [`layout::COUNTS`].
    pub(super) fn counts(&self) -> u32 {
        self.at(layout::COUNTS)
    }

    /// Octets of the entry (`total_size`).
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.at::<u32>(layout::TOTAL_SIZE) as usize
    }

    /// Hash of the name, as of [`super::Cache::name_hash`].
    #[must_use]
    #[inline]
    pub fn hash(&self) -> u32 {
        self.at(layout::HASH)
    }
}

// SAFETY: the entry is immutable shared memory, its count is atomic.
unsafe impl Send for EntryRef {}
// SAFETY: as above.
unsafe impl Sync for EntryRef {}

impl Clone for EntryRef {
    fn clone(&self) -> Self {
        refword::acquire_held(self.word(layout::REFCNT));
        Self { raw: self.raw }
    }
}

impl Drop for EntryRef {
    fn drop(&mut self) {
        match refword::release(self.word(layout::REFCNT)) {
            refword::Released::StillAlive => {}
            refword::Released::Freed => super::hint_freed(self.raw.as_ptr() as usize),
            refword::Released::Underflow => {
                crate::log!(
                    Level::Bug,
                    "a DNS cache entry was released more often than taken"
                );
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::set::{Set, a};
    use super::super::{Cache, Seen};
    use super::*;
    use crate::host::clock::{TICKS_PER_S, after_seconds};

    const NOW: u32 = u32::MAX - 60;

    fn put(cache: &Cache, name: &str) -> EntryRef {
        let set = Set::of(name, RecordType::A).record(600, a(1));
        set.put(cache, NOW).unwrap()
    }

    #[test]
    fn a_use_is_noted_at_the_first_time_and_once_a_second() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let entry = put(cache, "n");
        assert_eq!(entry.used_ago_s(after_seconds(NOW, 9)), None);
        assert!(entry.touch(NOW) && !entry.touch(NOW));
        assert!(!entry.touch(NOW.wrapping_add(TICKS_PER_S - 1)));
        for seconds in [0, 1, 2, 9] {
            let now = after_seconds(NOW, seconds).wrapping_add(2);
            assert_eq!(entry.used_ago_s(now), Some(seconds));
        }
        // A clock that is behind another process' is no use of long ago.
        assert_eq!(entry.used_ago_s(NOW.wrapping_sub(50)), Some(0));
        let later = after_seconds(NOW, 2);
        assert!(entry.touch(later) && entry.used_ago_s(later) == Some(0));
    }

    #[test]
    fn an_entry_takes_over_the_use_of_the_one_before_until_it_has_its_own() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let [before, entry, unused] = ["a", "b", "c"].map(|name| put(cache, name));
        entry.inherit_use(unused.last_used());
        assert_eq!(entry.used_ago_s(NOW), None);
        let used = after_seconds(NOW, 5);
        before.touch(used);
        entry.inherit_use(before.last_used());
        assert_eq!(entry.used_ago_s(after_seconds(used, 7)), Some(7));
        assert!(entry.touch(after_seconds(NOW, 1)));
        entry.inherit_use(before.last_used());
        assert_eq!(entry.used_ago_s(after_seconds(NOW, 2)), Some(1));
    }

    #[test]
    fn kinds_of_absence_are_told_apart() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        for (kind, is_failure) in [
            (NegativeKind::NxDomain, false),
            (NegativeKind::NoData, false),
            (NegativeKind::Failure, true),
            (NegativeKind::Silence, true),
        ] {
            let set = Set::absence(format!("{kind:?}"), RecordType::A, kind, 60);
            let entry = set.put(cache, NOW).unwrap();
            assert_eq!(
                (entry.negative(), kind.is_failure()),
                (Some(kind), is_failure)
            );
            let name = cache.hashed(entry.name());
            let seen = cache.first_address(&name, RecordType::A, NOW);
            assert_eq!(seen, Seen::Negative(kind));
        }
        assert_eq!(put(cache, "n").negative(), None);
    }

    #[test]
    fn a_reference_goes_to_c_and_back() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let entry = put(cache, "n");
        let raw = entry.clone().into_raw();
        assert_eq!((raw, entry.reference_count()), (entry.as_raw(), 3));
        // SAFETY: `into_raw` gave it.
        let back = unsafe { EntryRef::from_raw(raw) };
        assert_eq!(back.unwrap().name(), b"n");
        assert_eq!(entry.reference_count(), 2);
        // SAFETY: NULL is allowed.
        let none = unsafe { EntryRef::from_raw(std::ptr::null_mut()) };
        assert!(none.is_none());
    }
}
