//! Links of entries in the table: found, made, replaced, ended. Under the writer lock.

use crate::rr::RecordType;
use crate::shm::kill_point::{KillPoint, reached};
use crate::shm::pages::BlockId;
use crate::shm::refword;
use crate::shm::sync::Ordering;

use super::hash::NameHash;
use super::table::{PLACES, Table};
use super::write::Writer;
use super::{HashedName, layout};

/// Where an entry is linked.
#[derive(Clone, Copy)]
pub(super) struct Link {
    pub(super) bucket: usize,
    pub(super) place: usize,
    pub(super) block: BlockId,
}

impl Writer<'_> {
    /// A word of a block; 0 for a block that does not exist.
    pub(super) fn load(&self, block: BlockId, offset: usize) -> u32 {
        self.cache
            .pages
            .word(block, offset)
            .map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// The link of a name and type.
    pub(super) fn find(&self, hash: NameHash, rtype: RecordType, name: &[u8]) -> Option<Link> {
        let qname = HashedName::with_kept_hash(name, hash.high);
        for (index, bucket) in self.cache.table().probe(hash.high) {
            let found = bucket.find(hash.tag(rtype.0), |place, block| {
                self.cache.view_of(block, &qname, rtype.0)?;
                Some(Link {
                    bucket: index,
                    place,
                    block,
                })
            });
            if found.is_some() {
                return found;
            }
            if !bucket.overflows() {
                break;
            }
        }
        None
    }

    /// The link of a linked block.
    pub(super) fn find_block(&self, block: BlockId) -> Option<Link> {
        find_block_in(self.cache.table(), self.load(block, layout::HASH), block)
    }

    /// Links a block under a name that is not linked yet; false when all buckets in reach are full.
    pub(super) fn link(&self, hash: NameHash, rtype: RecordType, block: BlockId) -> bool {
        let Some(bucket) = link_into(self.cache.table(), hash, rtype, block) else {
            return false;
        };
        reached(KillPoint::Linked);
        self.count_linked(block);
        if let Some(next) = self.table_in_progress(bucket)
            && link_into(next, hash, rtype, block).is_none()
        {
            if let Some(link) = self.find_block(block) {
                self.unlink(link);
            }
            return false;
        }
        true
    }

    /// Puts a block in the place of another of the same name and type.
    pub(super) fn replace(&self, old: Link, block: BlockId) {
        if let Some(bucket) = self.cache.table().buckets().get(old.bucket) {
            bucket.replace(old.place, block);
        }
        if let Some(next) = self.table_in_progress(old.bucket)
            && let Some(link) = find_block_in(next, self.load(block, layout::HASH), old.block)
            && let Some(bucket) = next.buckets().get(link.bucket)
        {
            bucket.replace(link.place, block);
        }
        self.count_linked(block);
        self.count_unlinked(old.block);
        self.let_go(old.block);
    }

    /// Takes an entry out of the table.
    pub(super) fn unlink(&self, link: Link) {
        let hash = self.load(link.block, layout::HASH);
        unlink_from(self.cache.table(), hash, link);
        if let Some(next) = self.table_in_progress(link.bucket)
            && let Some(link) = find_block_in(next, hash, link.block)
        {
            unlink_from(next, hash, link);
        }
        self.count_unlinked(link.block);
        self.let_go(link.block);
    }

    /// Ends the table's hold on a block.
    fn let_go(&self, block: BlockId) {
        if self
            .cache
            .pages
            .ref_word(block)
            .is_some_and(refword::unlink)
        {
            reached(KillPoint::LetGo);
            self.cache.pages.free(block);
        }
    }

    /// Octets that an entry counts for against the share of negative entries.
    pub(super) fn negative_octets(&self, block: BlockId) -> u64 {
        let (_, flags, _) = layout::split_identity(self.load(block, layout::IDENTITY));
        if flags & layout::FLAG_NEGATIVE == 0 {
            return 0;
        }
        self.cache.pages.block_size(block) as u64
    }

    fn count_linked(&self, block: BlockId) {
        self.records_change(block);
        let header = self.cache.header;
        header.entries.fetch_add(1, Ordering::Relaxed);
        header
            .negative_octets
            .fetch_add(self.negative_octets(block), Ordering::Relaxed);
    }

    /// Before the block is let go of.
    fn count_unlinked(&self, block: BlockId) {
        let header = self.cache.header;
        header.entries.fetch_sub(1, Ordering::Relaxed);
        header
            .negative_octets
            .fetch_sub(self.negative_octets(block), Ordering::Relaxed);
    }
}

/// The link of a block in a table.
pub(super) fn find_block_in(table: Table, hash: u32, block: BlockId) -> Option<Link> {
    for (index, bucket) in table.probe(hash) {
        for place in 0..PLACES {
            if bucket.block(place) == block {
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
pub(super) fn link_into(
    table: Table,
    hash: NameHash,
    rtype: RecordType,
    block: BlockId,
) -> Option<usize> {
    let (found, place) = table
        .probe(hash.high)
        .find_map(|(index, bucket)| bucket.empty_place().map(|place| (index, place)))?;
    for (index, bucket) in table.probe(hash.high) {
        if index == found {
            bucket.link(place, hash.tag(rtype.0), block);
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
