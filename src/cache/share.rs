//! Entries named by number, for processes that hand them to each other.
//!
//! A number is that of the entry's block. By the time that somebody looks, the block may be free or hold another entry.
//! So a process that leaves an entry for others parks a reference with it. The others take hold of the block, and then
//! check that the reference is still parked.

use crate::rr::RecordType;

use super::{Cache, EntryRef, HashedName};

impl Cache {
    /// The number of an entry; 0 is none.
    #[must_use]
    pub fn number_of(&self, entry: &EntryRef) -> u32 {
        self.pages.block_at(entry.as_raw() as usize).unwrap_or(0)
    }

    /// A counted reference to whatever lives under a number.
    #[must_use]
    pub fn by_number(&self, number: u32) -> Option<EntryRef> {
        self.acquire_block(number)
    }

    /// Leaves a reference under the entry's number, for whoever calls [`Self::unpark`].
    #[must_use]
    pub fn park(&self, entry: EntryRef) -> u32 {
        let number = self.number_of(&entry);
        if number != 0 {
            let _left_there = entry.into_raw();
        }
        number
    }

    /// Ends what [`Self::park`] began; exactly once for each time.
    pub fn unpark(&self, number: u32) {
        let Some(entry) = self.acquire_block(number) else {
            return;
        };
        entry.release_parked();
    }

    /// Keyed 64-bit hash of a question, letter case ignored; never 0. Differs between caches.
    #[must_use]
    pub fn question_key(&self, name: &HashedName<'_>, qtype: RecordType, absolute: bool) -> u64 {
        let extra = u64::from(qtype.0) << 1 | u64::from(absolute);
        self.hash(name.name()).wide(extra ^ self.key[3]).max(1)
    }
}
