//! Counts everything anew and compares, for tests.

use std::collections::{HashMap, HashSet};

use crate::shm::pages::BlockId;
use crate::shm::refword::{COUNT_MASK, LINKED, SET_ASIDE};
use crate::shm::sync::Ordering;

use super::table::{MAX_PROBES, PLACES};
use super::tables::{TableWord, find_block_in};
use super::write::Writer;
use super::{Cache, layout};

/// The findings of an audit.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Linked entries.
    pub entries: usize,
    /// References that holders have.
    pub holders: usize,
    /// Entries that only holders keep.
    pub unlinked: usize,
    /// Blocks that are set aside, each named by the reserve.
    pub set_aside: usize,
}

impl Cache {
    /// Compares everything that is derived with what it is derived from.
    ///
    /// `quiet` says that no other process uses the cache; else blocks may become free meanwhile.
    ///
    /// # Errors
    /// The first thing that does not agree.
    #[doc(hidden)]
    pub fn audit(&self, quiet: bool) -> Result<Audit, String> {
        let writer = self.write();
        self.pages.take_hints();
        self.pages.sweep(0, u32::MAX);
        let alive = self.pages.audit(!quiet)?;
        let linked = writer.audit_table()?;
        writer.audit_totals(&linked)?;
        let mut audit = Audit {
            entries: linked.len(),
            ..Audit::default()
        };
        let reserved: HashSet<BlockId> = self.reserved().collect();
        for (block, mut word) in alive {
            if reserved.contains(&block) {
                // The cache's own.
                word = word.saturating_sub(SET_ASIDE);
                audit.set_aside += 1;
            }
            if word == 0 {
                continue;
            }
            audit.holders += (word & COUNT_MASK) as usize;
            if word & LINKED == 0 {
                audit.unlinked += 1;
            }
            if (word & LINKED != 0) != linked.contains_key(&block) {
                return Err(format!("block {block}: word {word:x}, table differs"));
            }
        }
        Ok(audit)
    }

    /// Longest hold of the writer lock since this was last asked, repairs left out, ns of processor time.
    #[doc(hidden)]
    pub fn take_longest_hold(&self) -> u64 {
        self.header.longest_hold.swap(0, Ordering::Relaxed)
    }

    /// Notes a hold that began at that much processor time of this thread.
    pub(super) fn note_hold(&self, taken_at: u64) {
        let held = crate::host::clock::thread_cpu_ns().saturating_sub(taken_at);
        self.header.longest_hold.fetch_max(held, Ordering::Relaxed);
    }

    /// Drops the references of holders that died; when no holder lives.
    #[doc(hidden)]
    pub fn forget_holders(&self) {
        let _writer = self.write();
        let reserved: HashSet<BlockId> = self.reserved().collect();
        self.pages.forget_holders(|block| reserved.contains(&block));
    }
}

impl Writer<'_> {
    /// Linked blocks and their buckets.
    fn audit_table(&self) -> Result<HashMap<BlockId, usize>, String> {
        let cache = self.cache;
        let table = cache.table();
        let mut linked = HashMap::new();
        let mut names = HashSet::new();
        let mut passed = vec![0_u32; table.buckets().len()];
        for (index, bucket) in table.buckets().iter().enumerate() {
            for place in 0..PLACES {
                let block = bucket.block(place);
                if block == 0 {
                    continue;
                }
                let word = cache.pages.ref_word(block);
                if word.is_none_or(|word| word.load(Ordering::Relaxed) & LINKED == 0) {
                    return Err(format!(
                        "the table links block {block}, which is not linked"
                    ));
                }
                let (name, rtype) = self.peek(block, |entry| {
                    (entry.name().to_ascii_lowercase(), entry.rtype())
                });
                let hash = cache.hash(&name).alike(self.load(block, layout::HASH));
                if self.load(block, layout::HASH) != hash.high {
                    return Err(format!("block {block} has another name's hash"));
                }
                let at_place = |found, _| (found == place).then_some(());
                if bucket.find(hash.tag(rtype.0), at_place).is_none() {
                    return Err(format!("block {block} has a wrong tag"));
                }
                let reach = table.probe(hash.high).position(|(at, _)| at == index);
                let Some(distance) = reach else {
                    return Err(format!("block {block} is out of reach of its name"));
                };
                for (at, _) in table.probe(hash.high).take(distance) {
                    passed[at] += 1;
                }
                if linked.insert(block, index).is_some()
                    || !names.insert((name, rtype.0, hash.high))
                {
                    return Err(format!("block {block} or its name is linked twice"));
                }
            }
        }
        for (index, bucket) in table.buckets().iter().enumerate() {
            let counted = bucket.overflow_count();
            if counted != passed[index] && counted != 255 {
                let passed = passed[index];
                return Err(format!(
                    "bucket {index}: {passed} went on, {counted} counted ({MAX_PROBES} reach)"
                ));
            }
        }
        Ok(linked)
    }

    fn audit_totals(&self, linked: &HashMap<BlockId, usize>) -> Result<(), String> {
        let header = self.cache.header;
        let entries = header.entries.load(Ordering::Relaxed) as usize;
        if entries != linked.len() {
            return Err(format!(
                "{entries} entries counted, {} linked",
                linked.len()
            ));
        }
        let negative: u64 = linked
            .keys()
            .map(|&block| self.negative_octets(block))
            .sum();
        let counted = header.negative_octets.load(Ordering::Relaxed);
        if negative != counted {
            return Err(format!(
                "{counted} negative octets counted, {negative} linked"
            ));
        }
        let next = TableWord(header.next_table.load(Ordering::Relaxed));
        if next.is_none() {
            return Ok(());
        }
        let moved = header.moved.load(Ordering::Relaxed) as usize;
        let next = self.cache.table_of(next);
        for (&block, &bucket) in linked {
            let there = find_block_in(next, self.load(block, layout::HASH), block).is_some();
            if there != (bucket < moved) {
                return Err(format!("block {block} in the other table: {there}"));
            }
        }
        let count = |bucket: &super::Bucket| (0..PLACES).filter(|&p| bucket.block(p) != 0).count();
        let there: usize = next.buckets().iter().map(count).sum();
        let expected = linked.values().filter(|&&bucket| bucket < moved).count();
        if there != expected {
            return Err(format!(
                "{there} links in the other table, {expected} expected"
            ));
        }
        Ok(())
    }
}
