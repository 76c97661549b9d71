//! The table: buckets of one cache line that map names to blocks.
//!
//! A bucket has 11 places. Each has a tag of 8 bits (from name and type) and a block number, 0 =
//! empty. An entry whose home bucket is full goes to one of the next; the buckets it passed over count
//! it, so that a search knows when to stop.
//!
//! Readers take no lock. A block may be overwritten at any moment while they read it; the bucket's version tells them.
//! The writer's order is: take the block number out of the bucket, raise the version, let go of the block. So a reader
//! that finds the version unchanged after reading has read a block that was linked all the time.

#![allow(unsafe_code, reason = "marks its types as fit for shared memory")]

use crate::shm::kill_point::{KillPoint, reached};
use crate::shm::mutation::{Mutation, ordering, seeded};
use crate::shm::pages::BlockId;
use crate::shm::region::ShmSafe;
use crate::shm::sync::{AtomicU32, AtomicU64, Ordering, fence, own};

/// Places in one bucket.
pub(crate) const PLACES: usize = 11;
/// Buckets searched for one name.
pub(crate) const MAX_PROBES: usize = 32;

const ONES: u64 = 0x0101_0101_0101_0101;
const OVERFLOW_SHIFT: u32 = 24;

/// A cache line of the table.
#[repr(C, align(64))]
pub(crate) struct Bucket {
    version: AtomicU64,
    /// Tags of places 0 to 7.
    tags_low: AtomicU64,
    /// Tags of places 8 to 10, and in the top octet the overflow count (255 = stays so).
    tags_high: AtomicU32,
    slots: [AtomicU32; PLACES],
}

const _: () = assert!(size_of::<Bucket>() == 64);

/// The tags of a bucket at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tags {
    low: u64,
    high: u32,
}

impl Tags {
    /// True when a place has this tag, perhaps when none has it; never false when one has it.
    #[inline]
    pub(crate) fn have(self, tag: u8) -> bool {
        let pattern = u64::from(tag) * ONES;
        zero_octets(self.low ^ pattern) | zero_octets(u64::from(self.high) ^ pattern) & 0x0080_8080
            != 0
    }

    /// True when a search must go on in the next bucket.
    #[inline]
    pub(crate) fn overflow(self) -> bool {
        self.high >> OVERFLOW_SHIFT != 0
    }
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bucket").finish_non_exhaustive()
    }
}

// SAFETY: repr(C), atomics only, zero is an empty bucket.
unsafe impl ShmSafe for Bucket {}

impl Bucket {
    /// The version before reading; pass it to [`Self::unchanged`] afterwards.
    #[inline]
    pub(crate) fn begin(&self) -> u64 {
        // SYNC: pairs with the release in `touch`: what was unlinked before is seen as unlinked.
        self.version
            .load(ordering(Mutation::BeginRelaxed, Ordering::Acquire))
    }

    /// True when nothing was unlinked since `begin` gave `version`: then everything read from blocks
    /// in between belongs to entries that were linked all the time.
    #[inline]
    pub(crate) fn unchanged(&self, version: u64) -> bool {
        // SYNC: pairs with the release fence in `touch`. If any word read before came from the reuse of
        // a block, the version raised before that reuse is seen here.
        if !seeded(Mutation::NoReadFence) {
            fence(Ordering::Acquire);
        }
        self.version.load(Ordering::Relaxed) == version
    }

    /// Offers the blocks whose tag may be `tag`, and their places, until `take` accepts one. May offer
    /// wrong ones and 0, never misses one.
    #[inline]
    pub(crate) fn find<T>(
        &self,
        tag: u8,
        mut take: impl FnMut(usize, BlockId) -> Option<T>,
    ) -> Option<T> {
        let pattern = u64::from(tag) * ONES;
        let mut low = zero_octets(self.tags_low.load(Ordering::Acquire) ^ pattern);
        while low != 0 {
            let place = low.trailing_zeros() as usize / 8;
            low &= low - 1;
            let taken = take(place, self.block(place));
            if taken.is_some() {
                return taken;
            }
        }
        let tags = u64::from(self.tags_high.load(Ordering::Acquire));
        let mut high = zero_octets(tags ^ pattern) & 0x0080_8080;
        while high != 0 {
            let place = 8 + high.trailing_zeros() as usize / 8;
            high &= high - 1;
            let taken = take(place, self.block(place));
            if taken.is_some() {
                return taken;
            }
        }
        None
    }

    /// The tags of all places, and whether a search must go on in the next bucket.
    #[inline]
    pub(crate) fn tags(&self) -> Tags {
        Tags {
            low: self.tags_low.load(Ordering::Acquire),
            high: self.tags_high.load(Ordering::Acquire),
        }
    }

    /// The block at the first of places 0 to 7 whose tag is `tag`, 0 when there is none.
    #[inline]
    pub(crate) fn first_candidate(&self, tag: u8) -> BlockId {
        let low = zero_octets(self.tags_low.load(Ordering::Acquire) ^ (u64::from(tag) * ONES));
        match low {
            0 => 0,
            _ => self.block(low.trailing_zeros() as usize / 8),
        }
    }

    /// True when a search must go on in the next bucket.
    #[inline]
    pub(crate) fn overflows(&self) -> bool {
        self.tags_high.load(Ordering::Acquire) >> OVERFLOW_SHIFT != 0
    }

    /// The block at a place, 0 = none.
    #[inline]
    pub(crate) fn block(&self, place: usize) -> BlockId {
        // SYNC: pairs with the release stores below: a thread that sees the number sees the content.
        self.slots.get(place).map_or(0, |slot| {
            slot.load(ordering(Mutation::SlotRelaxed, Ordering::Acquire))
        })
    }

    /// As [`Self::block`]; under the lock.
    pub(crate) fn own_block(&self, place: usize) -> BlockId {
        self.slots.get(place).map_or(0, |slot| own!(slot))
    }

    /// The first empty place; under the lock.
    pub(crate) fn empty_place(&self) -> Option<usize> {
        self.slots.iter().position(|slot| own!(slot) == 0)
    }

    /// Puts a block into an empty place; under the lock.
    pub(crate) fn link(&self, place: usize, tag: u8, block: BlockId) {
        self.set_tag(place, tag);
        reached(KillPoint::TagSet);
        if let Some(slot) = self.slots.get(place) {
            slot.store(block, ordering(Mutation::LinkRelaxed, Ordering::Release));
        }
    }

    /// Puts another block of the same name and type into a place; under the lock. There is no moment
    /// at which readers find neither.
    pub(crate) fn replace(&self, place: usize, block: BlockId) {
        if seeded(Mutation::ReplaceVersionFirst) {
            self.touch();
        }
        if let Some(slot) = self.slots.get(place) {
            slot.store(block, ordering(Mutation::ReplaceRelaxed, Ordering::Release));
        }
        reached(KillPoint::ReplacedSlot);
        if !seeded(Mutation::ReplaceVersionFirst) {
            self.touch();
        }
        reached(KillPoint::ReplacedVersion);
    }

    /// Empties a place; under the lock. The caller lets go of the block afterwards.
    pub(crate) fn unlink(&self, place: usize) {
        if seeded(Mutation::VersionFirst) {
            self.touch();
        }
        if let Some(slot) = self.slots.get(place) {
            slot.store(0, Ordering::Release);
        }
        reached(KillPoint::UnlinkedSlot);
        if !seeded(Mutation::VersionFirst) && !seeded(Mutation::NoVersion) {
            self.touch();
        }
        reached(KillPoint::UnlinkedVersion);
    }

    /// Raises the version, before any block let go of can be reused.
    pub(crate) fn touch(&self) {
        let next = own!(self.version).wrapping_add(1);
        self.version
            .store(next, ordering(Mutation::VersionRelaxed, Ordering::Release));
        // SYNC: orders the version before the stores of whoever reuses the block: pairs with the fence
        // in `unchanged`.
        fence(Ordering::Release);
    }

    /// Sets the tag of a place; under the lock.
    pub(crate) fn set_tag(&self, place: usize, tag: u8) {
        if place < 8 {
            let shift = 8 * place;
            let tags = own!(self.tags_low) & !(0xff << shift);
            self.tags_low
                .store(tags | u64::from(tag) << shift, Ordering::Release);
        } else {
            let shift = 8 * (place - 8);
            let mut tags = own!(self.tags_high) & !(0xff << shift);
            if seeded(Mutation::TagOverCount) {
                tags &= (1 << OVERFLOW_SHIFT) - 1;
            }
            self.tags_high
                .store(tags | u32::from(tag) << shift, Ordering::Release);
        }
    }

    /// Counts one more entry that had to go past this bucket; under the lock.
    pub(crate) fn count_overflow(&self) {
        let tags = own!(self.tags_high);
        if tags >> OVERFLOW_SHIFT < 255 {
            self.tags_high
                .store(tags + (1 << OVERFLOW_SHIFT), Ordering::Release);
        }
    }

    /// Counts one less; under the lock. A count that reached 255 is not known any more and stays.
    pub(crate) fn uncount_overflow(&self) {
        let tags = own!(self.tags_high);
        if !matches!(tags >> OVERFLOW_SHIFT, 0 | 255) {
            self.tags_high
                .store(tags - (1 << OVERFLOW_SHIFT), Ordering::Release);
        }
    }

    /// Empties the bucket; under the lock, when no reader uses the table it is in.
    pub(crate) fn clear(&self) {
        for slot in &self.slots {
            slot.store(0, Ordering::Relaxed);
        }
        self.tags_low.store(0, Ordering::Relaxed);
        self.tags_high.store(0, Ordering::Relaxed);
        self.touch();
    }

    /// The overflow count; 255 when it is not known.
    #[cfg(any(feature = "fault_injection", loom))]
    pub(crate) fn overflow_count(&self) -> u32 {
        own!(self.tags_high) >> OVERFLOW_SHIFT
    }

    /// Sets the overflow count, for a rebuild; under the lock, after a count that found all entries that had to
    /// go past this bucket.
    pub(crate) fn set_overflow(&self, count: u32) {
        let tags = own!(self.tags_high) & ((1 << OVERFLOW_SHIFT) - 1);
        self.tags_high
            .store(tags | count.min(255) << OVERFLOW_SHIFT, Ordering::Release);
    }
}

/// The high bit of each octet that is zero (and perhaps of octets above such a one).
#[inline]
fn zero_octets(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & (0x80 * ONES)
}

/// Buckets in a row, as readers see them at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Table {
    buckets: &'static [Bucket],
}

impl Table {
    /// A table of these buckets; at least one.
    pub(crate) fn new(buckets: &'static [Bucket]) -> Self {
        Self { buckets }
    }

    /// The buckets.
    pub(crate) fn buckets(&self) -> &'static [Bucket] {
        self.buckets
    }

    /// The home bucket of a hash: the product's high half instead of a division.
    #[inline]
    pub(crate) fn home(&self, hash_high: u32) -> usize {
        ((u64::from(hash_high) * self.buckets.len() as u64) >> 32) as usize
    }

    /// The home bucket of a hash; `None` in a table without buckets.
    #[inline]
    pub(crate) fn home_bucket(&self, hash_high: u32) -> Option<&'static Bucket> {
        self.buckets.get(self.home(hash_high))
    }

    /// The buckets to search for a hash, in order.
    #[inline]
    pub(crate) fn probe(
        &self,
        hash_high: u32,
    ) -> impl Iterator<Item = (usize, &'static Bucket)> + use<> {
        let buckets = self.buckets;
        let home = self.home(hash_high);
        (0..MAX_PROBES.min(buckets.len())).filter_map(move |step| {
            let index = home + step;
            let index = if index >= buckets.len() {
                index - buckets.len()
            } else {
                index
            };
            buckets.get(index).map(|bucket| (index, bucket))
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_in_every_place() {
        let bucket: &Bucket = &crate::shm::region::Region::reserve(4096)
            .unwrap()
            .slice(0, 1)[0];
        for place in 0..PLACES {
            bucket.link(place, 10 + place as u8, 100 + place as u32);
        }
        for place in 0..PLACES {
            let at = |wanted: usize| {
                bucket.find(10 + wanted as u8, |place, block| {
                    (place == wanted).then_some(block)
                })
            };
            assert_eq!(at(place), Some(100 + place as u32));
        }
        assert!(!bucket.overflows());
        bucket.count_overflow();
        assert!(bucket.overflows());
        assert!(
            bucket
                .find(20, |place, _| (place == 10).then_some(()))
                .is_some()
        );
        bucket.uncount_overflow();
        assert!(!bucket.overflows());
        assert_eq!(bucket.empty_place(), None);
        let version = bucket.begin();
        bucket.unlink(3);
        assert!(!bucket.unchanged(version));
        assert_eq!(bucket.empty_place(), Some(3));
    }

    #[test]
    fn overflow_saturates() {
        let bucket: &Bucket = &crate::shm::region::Region::reserve(4096)
            .unwrap()
            .slice(0, 1)[0];
        for _ in 0..300 {
            bucket.count_overflow();
        }
        bucket.uncount_overflow();
        assert!(bucket.overflows());
        bucket.set_overflow(0);
        assert!(!bucket.overflows());
        bucket.set_overflow(1000);
        bucket.uncount_overflow();
        assert!(bucket.overflows());
    }
}
