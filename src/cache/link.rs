//! Links of entries in the table: found, made, replaced, ended. Under the writer lock.

use crate::rr::RecordType;
use crate::shm::kill_point::{KillPoint, reached};
use crate::shm::mutation::{Mutation, seeded};
use crate::shm::pages::BlockId;
use crate::shm::sync::Ordering;

use super::hash::NameHash;
use super::tables::{Link, find_block_in, link_into};
use super::write::Writer;
use super::{HashedName, layout};

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
        let tag = hash.tag(rtype.0);
        let Some(bucket) = link_into(self.cache.table(), hash.high, tag, block) else {
            return false;
        };
        reached(KillPoint::Linked);
        self.count_linked(block);
        if !seeded(Mutation::LinkInOneTable)
            && let Some(next) = self.cache.tables().in_progress(bucket)
            && link_into(next, hash.high, tag, block).is_none()
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
        let (hash, word) = (
            self.load(block, layout::HASH),
            self.cache.pages.ref_word(old.block),
        );
        let count = || {
            self.count_linked(block);
            self.count_unlinked(old.block);
        };
        if self.cache.tables().replace(old, block, hash, word, count) {
            self.free(old.block);
        }
    }

    /// Takes an entry out of the table.
    pub(super) fn unlink(&self, link: Link) {
        let (hash, word) = (
            self.load(link.block, layout::HASH),
            self.cache.pages.ref_word(link.block),
        );
        let count = || self.count_unlinked(link.block);
        if self.cache.tables().unlink(link, hash, word, count) {
            self.free(link.block);
        }
    }

    /// Frees a block that the table was the last to hold.
    fn free(&self, block: BlockId) {
        reached(KillPoint::LetGo);
        self.cache.pages.free(block);
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
