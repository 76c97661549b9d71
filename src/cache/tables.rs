//! The steps of writers and readers on the table in use, and on the one that is being filled beside it.
//!
//! The order of steps stands here, apart from the content of entries and from totals: so the model checker runs these
//! very steps (see `loom_tests`), and no other file has an order of its own. A process that changes something holds the
//! writer lock.

use crate::shm::kill_point::{KillPoint, reached};
use crate::shm::mutation::{Mutation, ordering, seeded};
use crate::shm::pages::BlockId;
use crate::shm::refword;
use crate::shm::region::PAGE_BYTES;
use crate::shm::sync::{AtomicU32, AtomicU64, Ordering, own};

use super::table::{Bucket, PLACES, Table};

/// Which of the two table areas is in use (bit 0), its number of buckets (31 bits), and a number that
/// grows with each switch, so that no two tables share a word. 0 stands for no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TableWord(pub(super) u64);

impl TableWord {
    pub(super) fn new(area: u64, buckets: usize, generation: u64) -> Self {
        Self(area & 1 | (buckets as u64 & 0x7fff_ffff) << 1 | generation << 32)
    }

    pub(super) fn is_none(self) -> bool {
        self.0 == 0
    }

    #[inline]
    fn area(self) -> usize {
        (self.0 & 1) as usize
    }

    pub(super) fn other_area(self) -> usize {
        1 - self.area()
    }

    #[inline]
    pub(super) fn buckets(self) -> usize {
        (self.0 >> 1 & 0x7fff_ffff) as usize
    }

    /// The word of a table of that many buckets that takes this one's place.
    pub(super) fn successor(self, buckets: usize) -> Self {
        Self::new(self.0 ^ 1, buckets, (self.0 >> 32) + 1)
    }

    /// Octets of memory that the table takes.
    pub(super) fn octets(self) -> usize {
        (self.buckets() * size_of::<Bucket>()).next_multiple_of(PAGE_BYTES)
    }

    /// The table that it stands for, given the two areas.
    #[inline]
    pub(super) fn table(self, areas: &[&'static [Bucket]; 2]) -> Table {
        let area = areas[self.area()];
        Table::new(area.get(..self.buckets()).unwrap_or(&[]))
    }
}

/// Where an entry is linked.
#[derive(Clone, Copy)]
pub(super) struct Link {
    pub(super) bucket: usize,
    pub(super) place: usize,
    pub(super) block: BlockId,
}

/// The word of the table in use, before anything is read there.
#[inline(always)]
pub(super) fn look_at_table(in_use: &AtomicU64) -> u64 {
    // SYNC: pairs with the release store when a table is switched.
    in_use.load(ordering(Mutation::TableRelaxed, Ordering::Acquire))
}

/// Gives what `read` gives of a block of a bucket, unless an entry was taken out of the bucket, or another table came
/// into use, since these were seen: then it may be of another entry, and is dropped.
///
/// The table word is read after the fence in `unchanged`: removals after a switch of tables raise versions in the new
/// table only.
#[inline(always)]
pub(super) fn read_undisturbed<T>(
    (bucket, version): (&Bucket, u64),
    (in_use, table): (&AtomicU64, u64),
    read: impl FnOnce() -> T,
) -> Option<T> {
    if seeded(Mutation::ReadLate) {
        let undisturbed = bucket.unchanged(version) && in_use.load(Ordering::Relaxed) == table;
        let late = read();
        return undisturbed.then_some(late);
    }
    let value = read();
    if seeded(Mutation::NoSecondLook) {
        return Some(value);
    }
    let is_same_table =
        || seeded(Mutation::TableUnchecked) || in_use.load(Ordering::Relaxed) == table;
    (bucket.unchanged(version) && is_same_table()).then_some(value)
}

/// The tables of a cache, for its writer.
#[derive(Clone, Copy)]
pub(super) struct Tables<'a> {
    /// The table in use, a [`TableWord`].
    pub(super) in_use: &'a AtomicU64,
    /// The table that is being filled, a [`TableWord`]; 0 = none.
    pub(super) next: &'a AtomicU64,
    /// Buckets of the table in use that `next` has, too.
    pub(super) moved: &'a AtomicU32,
    pub(super) areas: [&'static [Bucket]; 2],
}

impl Tables<'_> {
    fn table(&self) -> Table {
        TableWord(own!(self.in_use)).table(&self.areas)
    }

    /// The table that is being filled, if it has the entries of that bucket already.
    pub(super) fn in_progress(&self, bucket: usize) -> Option<Table> {
        let next = TableWord(own!(self.next));
        let moved = own!(self.moved) as usize;
        (!next.is_none() && bucket < moved).then(|| next.table(&self.areas))
    }

    /// Puts a block in the place of another of the same name and type, then ends the table's hold on that one, after
    /// `between`; true when that freed it.
    pub(super) fn replace(
        &self,
        old: Link,
        block: BlockId,
        hash: u32,
        word: Option<&AtomicU32>,
        between: impl FnOnce(),
    ) -> bool {
        if let Some(bucket) = self.table().buckets().get(old.bucket) {
            bucket.replace(old.place, block);
        }
        if !seeded(Mutation::ReplaceInOneTable)
            && let Some(next) = self.in_progress(old.bucket)
            && let Some(link) = find_block_in(next, hash, old.block)
            && let Some(bucket) = next.buckets().get(link.bucket)
        {
            bucket.replace(link.place, block);
        }
        between();
        word.is_some_and(refword::unlink)
    }

    /// Takes an entry out, then ends the table's hold on its block, after `between`; true when that freed it.
    pub(super) fn unlink(
        &self,
        link: Link,
        hash: u32,
        word: Option<&AtomicU32>,
        between: impl FnOnce(),
    ) -> bool {
        unlink_from(self.table(), hash, link);
        if !seeded(Mutation::UnlinkInOneTable)
            && let Some(next) = self.in_progress(link.bucket)
            && let Some(link) = find_block_in(next, hash, link.block)
        {
            unlink_from(next, hash, link);
        }
        between();
        word.is_some_and(refword::unlink)
    }

    /// Has `relink` put each entry of a bucket into the table that is being filled. The bucket counts as moved before:
    /// what `relink` takes out to make room has to leave both tables.
    pub(super) fn move_bucket(&self, bucket: &Bucket, mut relink: impl FnMut(BlockId)) {
        let count = || self.moved.fetch_add(1, Ordering::Relaxed);
        if !seeded(Mutation::MovedLate) {
            count();
        }
        for place in 0..PLACES {
            let block = bucket.own_block(place);
            if block != 0 {
                relink(block);
            }
        }
        if seeded(Mutation::MovedLate) {
            count();
        }
    }

    /// Brings the table that was filled into use.
    ///
    /// A reader that sees the reuse of a block unlinked later also sees the switch: `Bucket::touch` and `refword::fill`
    /// have a fence before the reuse, so none is needed here.
    pub(super) fn switch(&self, next: TableWord) {
        let order = ordering(Mutation::SwitchRelaxed, Ordering::Release);
        // SYNC: pairs with the acquire loads of readers.
        self.in_use.store(next.0, order);
    }
}

/// Raises all versions, for a repair: the dead writer may have taken a block out without that, and what was read of
/// it until now must not count.
pub(super) fn raise_versions(table: Table) {
    if seeded(Mutation::RepairKeepsVersion) {
        return;
    }
    for bucket in table.buckets() {
        bucket.touch();
    }
}

/// The link of a block in a table.
pub(super) fn find_block_in(table: Table, hash: u32, block: BlockId) -> Option<Link> {
    for (index, bucket) in table.probe(hash) {
        for place in 0..PLACES {
            if bucket.own_block(place) == block {
                return Some(Link {
                    bucket: index,
                    place,
                    block,
                });
            }
        }
        if !bucket.overflows() {
            break;
        }
    }
    None
}

/// Links a block into a table without counting it; gives the bucket.
pub(super) fn link_into(table: Table, hash: u32, tag: u8, block: BlockId) -> Option<usize> {
    let (found, place) = table
        .probe(hash)
        .find_map(|(index, bucket)| bucket.empty_place().map(|place| (index, place)))?;
    for (index, bucket) in table.probe(hash) {
        if index == found {
            bucket.link(place, tag, block);
            break;
        }
        bucket.count_overflow();
        reached(KillPoint::OverflowCounted);
    }
    Some(found)
}

fn unlink_from(table: Table, hash: u32, link: Link) {
    if let Some(bucket) = table.buckets().get(link.bucket) {
        bucket.unlink(link.place);
    }
    for (index, bucket) in table.probe(hash) {
        if index == link.bucket {
            break;
        }
        bucket.uncount_overflow();
        reached(KillPoint::OverflowDiscounted);
    }
}
