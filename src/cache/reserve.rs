//! Blocks for entries that only their holder knows, for as long as the writer lock cannot be had.
//!
//! The blocks are set aside when the cache is made, and given back while `dns_cache_mem` is too small for them. The
//! word of such a block counts more holders than there ever are, so no allocator and no repair takes the block for
//! free. A block with just that count is nobody's, and is taken by one compare-and-swap. There are few of them, for
//! they are needed only while a process is stopped in the middle of a change.

use crate::shm::kill_point::{KillPoint, reached};
use crate::shm::pages::{self, BlockId};
use crate::shm::refword;
use crate::shm::region::PAGE_BYTES;
use crate::shm::sync::{AtomicU32, Ordering};

use super::write::Writer;
use super::{Cache, Draft, EntryRef, InsertError, Place, layout};

/// Sizes of blocks, octets, and how many there are: addresses and small sets, sets of SRV and NAPTR records, large
/// ones.
const STOCK: [(usize, usize); 3] = [(512, 12), (2048, 4), (8192, 1)];
/// Number of all blocks.
pub(super) const BLOCKS: usize = STOCK[0].1 + STOCK[1].1 + STOCK[2].1;
/// Pages that the blocks take.
const PAGES: usize = 6;

/// In a place: there is no block, or it was given back when the limit became smaller.
const NONE: BlockId = 0;
const GIVEN_BACK: BlockId = BlockId::MAX;

/// Numbers of the blocks, or what there is instead.
pub(super) type Reserve = [AtomicU32; BLOCKS];

impl Writer<'_> {
    /// Sets blocks aside, if there is room; before other processes exist.
    pub(super) fn stock_reserve(&self) {
        if self.cache.has_room_for_reserve() {
            self.fill_reserve(NONE);
        }
    }

    /// Lets go of the blocks that nobody has, where a smaller limit has no room for them.
    pub(super) fn shrink_reserve(&self) {
        if !self.cache.has_room_for_reserve() {
            self.give_reserve_back();
        }
    }

    /// Sets aside again what was given back, where a larger limit has room for it.
    pub(super) fn grow_reserve(&self) {
        if self.cache.has_room_for_reserve() {
            self.fill_reserve(GIVEN_BACK);
        }
    }

    /// Sets blocks aside in the places that say that.
    fn fill_reserve(&self, places: BlockId) {
        let cache = self.cache;
        let sizes = STOCK
            .iter()
            .flat_map(|&(size, count)| std::iter::repeat_n(size, count));
        for (place, size) in cache.header.reserve.iter().zip(sizes) {
            if place.load(Ordering::Relaxed) != places {
                continue;
            }
            let block = pages::class_of(size)
                .and_then(|class| self.allocate(class, cache.limit(), 0, false));
            let Some(block) = block else { return };
            if let Some(word) = cache.pages.ref_word(block) {
                // The place comes first: a repair finds what a place names, and nothing else (`mend_reserve`).
                place.store(block, Ordering::Release);
                reached(KillPoint::ReserveNamed);
                refword::publish(word, false, refword::SET_ASIDE);
            }
        }
    }

    /// Forgets blocks that are named and not set aside: a writer died between the two. Others are set aside in their
    /// place when the limit is looked at next, as it is after each repair.
    pub(super) fn mend_reserve(&self) {
        let pages = &self.cache.pages;
        for place in &self.cache.header.reserve {
            let block = place.load(Ordering::Relaxed);
            let is_there = || pages.ref_word(block).is_some_and(refword::is_set_aside);
            if is_block(block) && !is_there() {
                place.store(GIVEN_BACK, Ordering::Release);
            }
        }
    }

    fn give_reserve_back(&self) {
        for place in &self.cache.header.reserve {
            let block = place.load(Ordering::Relaxed);
            if is_block(block)
                && let Some(word) = self.cache.pages.ref_word(block)
                && refword::give_reserved_back(word)
            {
                reached(KillPoint::ReserveFreed);
                place.store(GIVEN_BACK, Ordering::Release);
                self.cache.pages.free(block);
            }
        }
    }
}

fn is_block(place: BlockId) -> bool {
    !matches!(place, NONE | GIVEN_BACK)
}

impl Cache {
    /// Sets blocks aside in a cache made by [`Self::for_tests`].
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn stock_reserve_for_tests(&self) {
        self.write().stock_reserve();
    }

    /// True when the part of the memory that is left to such entries has room for the blocks.
    fn has_room_for_reserve(&self) -> bool {
        self.limit() / 16 >= PAGES * PAGE_BYTES
    }

    /// Octets of pages that the blocks take which are set aside.
    pub(super) fn reserve_octets(&self) -> usize {
        if self.has_room_for_reserve() {
            PAGES * PAGE_BYTES
        } else {
            0
        }
    }

    /// The blocks that are set aside.
    pub(super) fn reserved(&self) -> impl Iterator<Item = BlockId> {
        let numbers = self.header.reserve.iter();
        numbers
            .map(|place| place.load(Ordering::Acquire))
            .filter(|&block| is_block(block))
    }

    /// Makes an entry that only its holder knows without the writer lock.
    ///
    /// # Errors
    /// `Busy` when no block is left that is large enough.
    pub(super) fn make_reserved(
        &self,
        draft: &Draft<'_>,
        now: u32,
    ) -> Result<EntryRef, InsertError> {
        let hash = (self.hash(draft.name), Place::Absolute);
        let is_free = |&block: &BlockId| {
            let word = self.pages.ref_word(block);
            word.is_some_and(refword::take_reserved)
        };
        let take = |class| {
            self.reserved()
                .filter(|&block| self.pages.block_size(block) >= pages::class_size(class))
                .find(is_free)
                .ok_or(InsertError::Busy)
        };
        let block = self.compose(draft, hash, now, take, |words, image| {
            refword::fill_reserved(words, layout::REFCNT / 4, image);
        })?;
        Ok(EntryRef::from_counted(self.pages.address(block)))
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::{Conflict, DraftData, DraftRecord, RecordView};
    use super::*;
    use crate::rr::{Name, RData, RecordType, Srv};

    const NOW: u32 = 7;

    fn with_draft<T>(rdata: &[RData], rtype: RecordType, work: impl FnOnce(&Draft<'_>) -> T) -> T {
        let records: Vec<_> = rdata
            .iter()
            .map(|rdata| DraftRecord { ttl: 60, rdata })
            .collect();
        work(&Draft {
            name: b"reserve.test",
            rtype,
            data: DraftData::Records(&records),
            permanent: false,
            negative_ttl: 0,
        })
    }

    fn cache() -> &'static Cache {
        let cache = Cache::for_tests(1 << 20, true).unwrap();
        cache.write().stock_reserve();
        cache
    }

    /// Has another thread hold the writer lock meanwhile.
    fn while_locked<T>(cache: &'static Cache, work: impl FnOnce() -> T) -> T {
        let (taken, is_taken) = std::sync::mpsc::channel();
        let (done, is_done) = std::sync::mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let _writer = cache.write();
                taken.send(()).unwrap();
                let _ = is_done.recv();
            });
            is_taken.recv().unwrap();
            let result = work();
            drop(done);
            result
        })
    }

    #[test]
    fn answers_are_of_use_while_nobody_can_write() {
        let cache = cache();
        let address = [RData::A(Ipv4Addr::new(192, 0, 2, 9))];
        let count = STOCK[0].1;
        while_locked(cache, || {
            with_draft(&address, RecordType::A, |draft| {
                let kept = cache.insert(draft, Conflict::Replace, NOW);
                assert_eq!(kept.err(), Some(InsertError::Busy));
                for _ in 0..3 {
                    let all: Vec<_> = (0..BLOCKS)
                        .map(|_| cache.make_private(draft, NOW).unwrap())
                        .collect();
                    let none = cache.make_private(draft, NOW);
                    assert_eq!(none.err(), Some(InsertError::Busy));
                    assert!(all.len() > count);
                    for entry in all {
                        assert!(!entry.is_linked() && entry.name() == b"reserve.test");
                        let record = entry.record(0);
                        assert!(matches!(record, Some(RecordView::A(a)) if a.octets()[3] == 9));
                    }
                }
            });
        });
        with_draft(&address, RecordType::A, |draft| {
            assert!(cache.insert(draft, Conflict::Replace, NOW).is_ok());
        });
    }

    #[test]
    fn who_finds_no_block_waits_for_one_or_for_the_lock() {
        let cache = cache();
        let moment = std::time::Duration::from_millis(120);
        let is_reserved = |entry: &EntryRef| {
            let number = cache.number_of(entry);
            cache.reserved().any(|block| block == number)
        };
        let address = [RData::A(Ipv4Addr::new(192, 0, 2, 9))];
        with_draft(&address, RecordType::A, |draft| {
            let wait = || cache.make_private_patiently(draft, NOW);
            std::thread::scope(|scope| {
                let (waiter, _held) = while_locked(cache, || {
                    let make = |_| cache.make_private(draft, NOW).unwrap();
                    let mut held: Vec<_> = (0..BLOCKS).map(make).collect();
                    assert_eq!(wait().err(), Some(InsertError::Busy));
                    let last = held.pop();
                    scope.spawn(move || {
                        std::thread::sleep(moment);
                        drop(last);
                    });
                    let entry = wait().unwrap();
                    assert!(is_reserved(&entry));
                    held.push(entry);
                    let waiter = scope.spawn(wait);
                    std::thread::sleep(moment);
                    (waiter, held)
                });
                let entry = waiter.join().unwrap().unwrap();
                assert!(!is_reserved(&entry) && !entry.is_linked());
            });
        });
    }

    #[test]
    fn what_is_large_finds_a_large_block() {
        let cache = cache();
        let target = Name::from_text(&[b't'; 60]).unwrap();
        let set = |count: u16| -> Vec<_> {
            (0..count)
                .map(|port| {
                    RData::Srv(Srv {
                        priority: 1,
                        weight: 1,
                        port: port + 1,
                        target: target.clone(),
                    })
                })
                .collect()
        };
        while_locked(cache, || {
            let make = |count| {
                with_draft(&set(count), RecordType::SRV, |draft| {
                    cache.make_private(draft, NOW)
                })
            };
            let large = make(30).unwrap();
            assert_eq!(large.record_count(), 30);
            assert_eq!(make(30).err(), Some(InsertError::Busy));
            assert!(make(2).is_ok());
            drop(large);
            assert!(make(30).is_ok());
        });
    }

    #[test]
    fn a_small_cache_has_none() {
        let cache = cache();
        let full = cache.usage().used;
        let held = with_draft(&[RData::A(Ipv4Addr::LOCALHOST)], RecordType::A, |draft| {
            while_locked(cache, || cache.make_private(draft, NOW).unwrap())
        });
        cache.write().give_reserve_back();
        assert_eq!(cache.reserved().count(), 1, "somebody has it");
        drop(held);
        cache.write().give_reserve_back();
        assert_eq!(cache.reserved().count(), 0);
        cache.collect_garbage(NOW);
        let small = cache.usage().used;
        assert!(small + PAGES * PAGE_BYTES <= full, "{small} of {full}");
        cache.write().grow_reserve();
        assert_eq!(cache.reserved().count(), BLOCKS);
    }

    #[test]
    fn names_have_as_much_room_beside_it() {
        let cache = cache();
        let rdata = RData::A(Ipv4Addr::LOCALHOST);
        let records = [DraftRecord {
            ttl: 60,
            rdata: &rdata,
        }];
        for number in 0..16_000 {
            let name = format!("name{number:05}.reserve.test");
            let draft = Draft {
                name: name.as_bytes(),
                rtype: RecordType::A,
                data: DraftData::Records(&records),
                permanent: false,
                negative_ttl: 0,
            };
            let _ = cache.insert(&draft, Conflict::Replace, NOW);
        }
        let held = cache.entries().count();
        let size = cache.entries().next().map(|entry| {
            let block = cache.pages.block_at(entry.as_raw() as usize).unwrap();
            cache.pages.block_size(block)
        });
        let filled = held.div_ceil(PAGE_BYTES / size.unwrap()) * PAGE_BYTES;
        let room = cache.limit() - cache.limit() / 16 - cache.fixed_bytes();
        // The page that is filled last, and what is free for other sizes.
        let rest = PAGES / 2 * PAGE_BYTES;
        assert!(filled + rest > room, "{filled} of {room}");
        assert!(cache.usage().used <= cache.limit());
    }

    #[cfg(feature = "fault_injection")]
    #[test]
    fn a_repair_leaves_the_reserve() {
        let cache = cache();
        let held = with_draft(&[RData::A(Ipv4Addr::LOCALHOST)], RecordType::A, |draft| {
            while_locked(cache, || cache.make_private(draft, NOW).unwrap())
        });
        cache.header.lock.set_damaged();
        let audit = cache.audit(true).unwrap();
        assert_eq!((audit.holders, audit.unlinked), (1, 1));
        drop(held);
        cache.forget_holders();
        let audit = cache.audit(true).unwrap();
        assert_eq!((audit.holders, audit.unlinked), (0, 0));
        let is_there = |block| {
            let word = cache.pages.ref_word(block).unwrap();
            word.load(Ordering::Relaxed) == refword::SET_ASIDE
        };
        assert_eq!(
            cache.reserved().filter(|&block| is_there(block)).count(),
            BLOCKS
        );
    }
}
