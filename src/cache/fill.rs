//! A draft's entry in a block: put together, and written there.

use crate::rr::{MAX_NAME_OCTETS, RecordType};
use crate::shm::pages::{self, BlockId};
use crate::shm::refword;
use crate::shm::sync::{AtomicU32, Ordering};

use super::hash::NameHash;
use super::image::{self, Image, Stamp};
use super::layout;
use super::order::Order;
use super::write::Writer;
use super::{Cache, Draft, DraftData, InsertError, Place};

impl Cache {
    /// Makes a draft's entry: `take` gives a block of a size class, `write` puts the image into its words.
    #[inline(always)]
    pub(super) fn compose(
        &self,
        draft: &Draft<'_>,
        (hash, place): (NameHash, Place),
        now: u32,
        take: impl FnOnce(usize) -> Result<BlockId, InsertError>,
        write: impl FnOnce(&[AtomicU32], &[[u8; 4]]),
    ) -> Result<BlockId, InsertError> {
        let records = match draft.data {
            DraftData::Records(records) => {
                // Of SRV records there may be copies that have a name behind them.
                let spare = match draft.rtype {
                    RecordType::SRV => layout::octets_behind(MAX_NAME_OCTETS),
                    _ => 0,
                };
                image::stored_order(draft.name.len(), records, pages::MAX_BLOCK - spare)
            }
            DraftData::Negative(_) => Order::default(),
        };
        let size = image::measure(draft.name.len(), &records);
        if records.is_empty() && matches!(draft.data, DraftData::Records(_)) {
            return Err(InsertError::BadDraft);
        }
        let class = pages::class_of(size.next_multiple_of(8)).ok_or(InsertError::BadDraft)?;
        let block = take(class)?;
        let address = self.pages.address(block).as_ptr() as usize;
        let stamp = Stamp {
            hash: hash.high,
            marks: place.marks(),
            now,
            key: &self.key,
        };
        let mut small = [0; image::SMALL_OCTETS];
        let mut large = Vec::new();
        let octets = size.next_multiple_of(8);
        let bytes = match small.get_mut(..octets) {
            Some(bytes) => bytes,
            None => {
                large.resize(octets, 0);
                large.as_mut_slice()
            }
        };
        let image = Image::build(bytes, draft, &records, size, address, stamp);
        let words = self.pages.words(block, 0, size.div_ceil(8) * 2);
        write(words, image.words());
        Ok(block)
    }
}

impl Writer<'_> {
    /// Allocates a block and puts the draft's entry into it: with no holder when it is to be linked,
    /// else with one.
    pub(super) fn fill(
        &self,
        draft: &Draft<'_>,
        (hash, place): (NameHash, Place),
        budget: usize,
        now: u32,
        linked: bool,
    ) -> Result<BlockId, InsertError> {
        let live_too = !linked || self.cache.may_evict_live();
        let holders = u32::from(!linked);
        self.cache.compose(
            draft,
            (hash, place),
            now,
            |class| {
                self.allocate(class, budget, now, live_too)
                    .ok_or(InsertError::Full)
            },
            |words, image| refword::fill(words, layout::REFCNT / 4, image, linked, holders),
        )
    }

    /// As [`Self::fill`], with a copy of an SRV entry that has a name behind its records. The block that it is in does
    /// not change meanwhile.
    pub(super) fn fill_copy(
        &self,
        source: BlockId,
        (hash, owner): (NameHash, &[u8]),
        budget: usize,
        now: u32,
        linked: bool,
    ) -> Option<BlockId> {
        let old_size = self.load(source, layout::TOTAL_SIZE) as usize;
        let size = old_size + layout::octets_behind(owner.len());
        let class = pages::class_of(size.next_multiple_of(8))?;
        let live_too = !linked || self.cache.may_evict_live();
        let block = self.allocate(class, budget, now, live_too)?;
        let pages = &self.cache.pages;
        let mut bytes = vec![0; size.next_multiple_of(8)];
        let words = pages.words(source, 0, old_size.div_ceil(4));
        for (word, octets) in words.iter().zip(bytes.as_chunks_mut::<4>().0) {
            *octets = word.load(Ordering::Relaxed).to_ne_bytes();
        }
        let address = |block| pages.address(block).as_ptr() as usize;
        let stamp = Stamp {
            hash: hash.high,
            marks: 0,
            now,
            key: &self.cache.key,
        };
        let image = Image::copy(
            &mut bytes,
            (old_size, address(source)),
            (owner, address(block)),
            stamp,
        );
        let place = pages.words(block, 0, size.div_ceil(8) * 2);
        let holders = u32::from(!linked);
        refword::fill(place, layout::REFCNT / 4, image.words(), linked, holders);
        Some(block)
    }

    /// Frees a block that was filled but could not be linked.
    pub(super) fn discard(&self, block: BlockId) {
        if let Some(word) = self.cache.pages.ref_word(block) {
            refword::unlink(word);
        }
        self.cache.pages.free(block);
    }
}
