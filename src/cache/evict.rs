//! Room for new entries: eviction, and the share of negative entries.
//!
//! Recency is approximate: a look-up stamps an entry at most once a second, and a victim is the least
//! recently used of a sample. There is no list that each hit would have to write.
//!
//! A name that was asked for a second time is in use; its entries are worth more than those of names that were asked
//! for once, whatever their age, and the latter go also where records may not go early (`dns_cache_del_nonexp=no`):
//! else a flood of made-up names with long TTLs fills the cache for good. So such a flood drives out itself. Names that
//! were asked for once may hold what those in use leave; where a large sample has none of them, the least recently used
//! entry goes all the same, so that a new name has a chance to come into use. Which of the names that were asked for
//! once goes for another of them, [`super::admission`] says.

use crate::host::clock::TICKS_PER_S;
use crate::host::metrics::{self, Metric};
use crate::host::random;
use crate::host::stats::{self, Stat};
use crate::rr::MAX_NAME_OCTETS;
use crate::shm::pages::{self, BlockId};
use crate::shm::refword::LINKED;
use crate::shm::region::PAGE_BYTES;
use crate::shm::sync::{AtomicU32, Ordering};

use super::admission::Claim;
use super::layout;
use super::write::Writer;

/// Pages drawn at random, at most, to find a victim; those without memory or of another size cost little.
const PAGE_DRAWS: usize = 64;
/// Entries looked at on each: neighbours were often inserted together, so a few from each of many
/// pages are a better sample than all of one page.
const PER_PAGE: usize = 2;
/// Victims considered before the best is taken.
const CANDIDATES: usize = 16;
/// Whole pages compared to find one to empty.
const PAGES_COMPARED: usize = 4;
/// Whole pages looked at for that, at most.
const PAGES_SEEN: usize = 12;
/// Pages looked at in order when chance found no victim.
const SCAN_PAGES: u32 = 16;
/// Attempts to make room for one entry, besides one a page of it.
const ATTEMPTS: usize = 4;
/// Extents looked through for lost blocks when memory is short.
const SWEEP_EXTENTS: u32 = 1;
/// A name that was not asked for during this time is not in use any more, ticks.
const OUT_OF_USE: u64 = 600 * TICKS_PER_S as u64;
/// An entry of a name that is not in use goes for any new one after this time, ticks.
const FORGOTTEN: u64 = 3600 * TICKS_PER_S as u64;
/// An expired entry of a name in use is kept like a live one for so long after its last use, ticks: it is served while
/// it is fetched anew.
const EXPIRED_IN_USE: u64 = 60 * TICKS_PER_S as u64;

/// How readily an entry is given up: the higher, the sooner. For live entries the ticks since the last
/// use.
type Spare = u64;
/// Of no use any more.
const GONE: Spare = Spare::MAX;
/// Added for an entry that is expired, but may be served stale.
const EXPIRED: Spare = 1 << 40;
/// Added for an entry whose name is not in use.
const UNUSED: Spare = 1 << 38;

impl Writer<'_> {
    /// Allocates a block, making room when the budget (octets of pages) is used up; `live_too` says
    /// whether entries that are not expired may have to go.
    pub(super) fn allocate(
        &self,
        class: usize,
        budget: usize,
        now: u32,
        live_too: bool,
    ) -> Option<BlockId> {
        let pages = &self.cache.pages;
        let take = || pages.allocate(class, budget);
        let run = pages::class_size(class).div_ceil(PAGE_BYTES);
        // Where records may not go early, free blocks in pages above the budget are not for what is to
        // stay: else entries that only calls hold would find their share of the memory taken, and records
        // would have to go for them.
        let take_within = || (live_too || pages.used_bytes() <= budget).then(take)?;
        let found = take_within()
            .or_else(|| pages.release_empty(run + 1).then(take_within)?)
            .or_else(|| pages.sweep_lost(SWEEP_EXTENTS).then(take_within)?);
        if found.is_some() {
            return found;
        }
        // When nothing may go, that is not found out anew for each entry.
        let key = now << 1 | 1;
        let memo = self.cache.header.full.get(class)?;
        if !live_too && memo.load(Ordering::Relaxed) == key {
            return None;
        }
        self.claim
            .set(self.cache.header.admission.look_back(self.claim.get()));
        for _ in 0..ATTEMPTS + run {
            // Far above the limit, as just after it was lowered, a page more or less does not help.
            let page_helps = pages.used_bytes() <= budget + PAGE_BYTES;
            let Some(as_guest) = self.make_room(class, now, live_too, page_helps) else {
                break;
            };
            if let Some(block) = take().or_else(|| pages.release_empty(run + 1).then(take)?) {
                if as_guest {
                    self.cache.header.admission.welcome(class, block);
                }
                return Some(block);
            }
        }
        if !live_too {
            memo.store(key, Ordering::Relaxed);
        }
        None
    }

    /// How readily an entry may be given up; `None` when it must stay.
    fn spare(&self, block: BlockId, word: &AtomicU32, now: u32, live_too: bool) -> Option<Spare> {
        // Entries that somebody holds would not free memory.
        if word.load(Ordering::Relaxed) != LINKED {
            return None;
        }
        let (_, flags, _) = layout::split_identity(self.load(block, layout::IDENTITY));
        if flags & layout::FLAG_PERMANENT != 0 {
            return None;
        }
        if self
            .cache
            .gone(flags, self.load(block, layout::EXPIRE), now)
        {
            return Some(GONE);
        }
        let stamp = self.load(block, layout::LAST_USED);
        let idle = u64::from((now.wrapping_sub(stamp) as i32).max(0).cast_unsigned());
        let was_asked_again = self.is_in_use(block);
        if self.cache.block_expired(block, flags, now) {
            let is_needed = was_asked_again && idle < EXPIRED_IN_USE;
            return Some(if is_needed { idle } else { EXPIRED + idle });
        }
        // Negative entries hold no records, and anybody can have any number of them made by using
        // made-up names: they give way also where records may not be dropped early (B34). So do records that
        // nobody asked for again.
        let may_go = live_too || flags & layout::FLAG_NEGATIVE != 0 || !was_asked_again;
        let is_in_use = was_asked_again && idle < OUT_OF_USE;
        may_go.then_some(if is_in_use { idle } else { UNUSED + idle })
    }

    /// Evicts one entry of the class, or, failing that, a page of whatever class; true inside when the room is for a
    /// guest.
    fn make_room(&self, class: usize, now: u32, live_too: bool, page_helps: bool) -> Option<bool> {
        let one = self.choose_one(class, now, live_too);
        let is_new = matches!(self.claim.get(), Claim::New(_));
        let as_guest = is_new && !one.has_forgotten();
        if as_guest && let Some(guest) = self.next_guest(class, now, live_too) {
            return self.evict_block(guest).then_some(true);
        }
        // Entries of names in use stay as long as another size has some that are not in use. And now and then a
        // page is taken from other sizes though the class has entries to give, so that the mix can change: if its
        // entries are not much more in use.
        let takes_page = !one.has_unused() || (!is_new && random::quick_u32() & 63 == 0);
        if page_helps && takes_page {
            let page = self.choose_page(now, live_too);
            if let Some((spare, page)) = page
                && one.best.is_none_or(|(most, _)| spare >= most / 2)
            {
                return self.empty_page(page, now, live_too).then_some(false);
            }
        }
        self.evict_block(one.victim()?).then_some(as_guest)
    }

    /// The guest of this size whose place the next one takes, if nobody has asked for it again.
    fn next_guest(&self, class: usize, now: u32, live_too: bool) -> Option<BlockId> {
        let block = self.cache.header.admission.next_guest(class);
        let word = self.cache.pages.ref_word(block).filter(|_| block != 0)?;
        let is_of_size = self.cache.pages.block_size(block) == pages::class_size(class);
        let spare = self.spare(block, word, now, live_too)?;
        (is_of_size && spare >= UNUSED).then_some(block)
    }

    /// An entry of a size class to evict: the least worthy of some that stand on pages taken at random,
    /// or, failing that, on the pages that come next in order.
    fn choose_one(&self, class: usize, now: u32, live_too: bool) -> Choice {
        let pages = &self.cache.pages;
        let mut choice = Choice::default();
        for _ in 0..PAGE_DRAWS {
            pages.visit_some(
                Some(class),
                random::quick_u32(),
                PER_PAGE,
                &mut |block, word| {
                    choice.offer(block, self.spare(block, word, now, live_too));
                },
            );
            // A new name takes the place of one in use only where a large sample has no other.
            if choice.considered >= CANDIDATES
                && (matches!(self.claim.get(), Claim::InUse) || choice.has_unused())
            {
                break;
            }
        }
        for _ in 0..SCAN_PAGES {
            if choice.considered > 0 {
                break;
            }
            pages.visit_class(class, 1, |block, word| {
                choice.offer(block, self.spare(block, word, now, live_too));
            });
        }
        choice
    }

    pub(super) fn evict_block(&self, block: BlockId) -> bool {
        let Some(link) = self.find_block(block) else {
            return false;
        };
        self.unlink(link);
        stats::count(Stat::Eviction);
        metrics::count(Metric::Evicted);
        true
    }

    /// Makes room among the negative entries for one more with a name of that length; false when the
    /// share is used up by entries that must stay.
    pub(super) fn fit_negative_share(&self, name_len: usize, now: u32) -> bool {
        let cache = self.cache;
        let allowed = cache.limit() as u64 * u64::from(cache.negative_share().min(100)) / 100;
        let size = layout::first_data(name_len.min(MAX_NAME_OCTETS));
        let Some(class) = pages::class_of(size) else {
            return false;
        };
        let size = pages::class_size(class) as u64;
        for _ in 0..ATTEMPTS {
            if cache.header.negative_octets.load(Ordering::Relaxed) + size <= allowed {
                return true;
            }
            if !self.evict_negative(now) {
                return false;
            }
        }
        false
    }

    /// Evicts one negative entry, of whatever size.
    fn evict_negative(&self, now: u32) -> bool {
        let pages = &self.cache.pages;
        let mut choice = Choice::default();
        let consider = |choice: &mut Choice, block: BlockId, word: &AtomicU32| {
            if self.negative_octets(block) > 0 {
                choice.offer(block, self.spare(block, word, now, true));
            }
        };
        for _ in 0..PAGE_DRAWS {
            pages.visit_some(
                None,
                random::quick_u32(),
                2 * PER_PAGE,
                &mut |block, word| {
                    consider(&mut choice, block, word);
                },
            );
            if choice.considered >= CANDIDATES {
                break;
            }
        }
        let hand = &self.cache.header.scan_hand;
        for _ in 0..SCAN_PAGES {
            if choice.considered > 0 {
                break;
            }
            let page = pages.next_page_in_use(hand.load(Ordering::Relaxed));
            hand.store(page + 1, Ordering::Relaxed);
            pages.visit_unit(page, |block, word| consider(&mut choice, block, word));
        }
        choice.victim().is_some_and(|block| self.evict_block(block))
    }

    /// Evicts all entries of one page, of whatever size.
    pub(super) fn evict_page(&self, now: u32) -> bool {
        self.choose_page(now, true)
            .is_some_and(|(_, page)| self.empty_page(page, now, true))
    }

    /// A page that may be emptied, of whatever class: the best to give up of some taken at random.
    fn choose_page(&self, now: u32, live_too: bool) -> Option<(Spare, u32)> {
        let mut best: Option<(Spare, u32)> = None;
        let (mut compared, mut seen) = (0, 0);
        for _ in 0..PAGE_DRAWS {
            let page = random::quick_u32() % self.cache.pages.page_end();
            let Some(spare) = self.page_spare(page, now, live_too) else {
                continue;
            };
            seen += 1;
            if let Some(spare) = spare {
                compared += 1;
                if best.is_none_or(|(most, _)| spare > most) {
                    best = Some((spare, page));
                }
            }
            if compared == PAGES_COMPARED || seen == PAGES_SEEN {
                break;
            }
        }
        best
    }

    /// How readily a page may be given up: as its worthiest entry, or `None` inside when one of them must
    /// stay; `None` for a page without memory.
    fn page_spare(&self, page: u32, now: u32, live_too: bool) -> Option<Option<Spare>> {
        let (mut least, mut fixed) = (None, false);
        self.cache.pages.visit_unit(page, |block, word| {
            match self.spare(block, word, now, live_too) {
                Some(spare) => least = Some(least.map_or(spare, |least: Spare| least.min(spare))),
                None => fixed = true,
            }
        })?;
        Some(least.filter(|_| !fixed))
    }

    /// Evicts what may go from a page; true when that was something.
    pub(super) fn empty_page(&self, page: u32, now: u32, live_too: bool) -> bool {
        let mut blocks = [0; 64];
        let mut count = 0;
        self.cache.pages.visit_unit(page, |block, word| {
            if self.spare(block, word, now, live_too).is_some()
                && let Some(place) = blocks.get_mut(count)
            {
                *place = block;
                count += 1;
            }
        });
        let mut evicted = false;
        for &block in blocks.iter().take(count) {
            evicted |= self.evict_block(block);
        }
        evicted
    }
}

/// The entry that is given up most readily, of those offered.
#[derive(Default)]
struct Choice {
    best: Option<(Spare, BlockId)>,
    considered: usize,
}

impl Choice {
    fn offer(&mut self, block: BlockId, spare: Option<Spare>) {
        let Some(spare) = spare else { return };
        self.considered += 1;
        if self.best.is_none_or(|(most, _)| spare > most) {
            self.best = Some((spare, block));
        }
    }

    /// An entry was offered whose name is not in use.
    fn has_unused(&self) -> bool {
        self.best.is_some_and(|(spare, _)| spare >= UNUSED)
    }

    /// True when an entry was offered that nobody would miss.
    fn has_forgotten(&self) -> bool {
        self.best
            .is_some_and(|(spare, _)| spare >= UNUSED + FORGOTTEN)
    }

    fn victim(&self) -> Option<BlockId> {
        self.best.map(|(_, block)| block)
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::set::{self, Set};
    use super::super::{Cache, EntryRef, NegativeKind, Setting};
    use super::*;
    use crate::host::clock::after_seconds;
    use crate::rr::RecordType;

    /// A stamp keeps multiples of four.
    const NOW: u32 = (u32::MAX - 300) & !3;

    fn put(cache: &Cache, name: &str, ttl: u32, permanent: bool) -> EntryRef {
        let set = Set::of(name, RecordType::A).record(ttl, set::a(1));
        set.permanent(permanent).put(cache, NOW).unwrap()
    }

    /// How readily an entry is given up that nobody holds.
    fn spare(cache: &Cache, entry: EntryRef, now: u32, live_too: bool) -> Option<Spare> {
        let number = cache.number_of(&entry);
        drop(entry);
        let word = cache.pages.ref_word(number).unwrap();
        cache.write().spare(number, word, now, live_too)
    }

    fn ticks(seconds: u32) -> Spare {
        Spare::from(seconds * TICKS_PER_S)
    }

    #[test]
    fn an_entry_is_worth_what_its_name_and_its_age_say() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        cache.set_for_tests(Setting::StaleTtl(10_000));
        let after = |seconds| after_seconds(NOW, seconds);
        for live_too in [false, true] {
            let spare = |entry, now| spare(cache, entry, now, live_too);
            let once = || put(cache, "once", 7000, false);
            let used = || {
                let entry = put(cache, "used", 7000, false);
                entry.touch(NOW);
                entry
            };
            let of_live = |spare: Spare| live_too.then_some(spare);
            // A name that was asked for once goes in any case; one in use where records may go early.
            for seconds in [0, 599, 600, 3600, 6999] {
                let (now, idle) = (after(seconds), ticks(seconds));
                assert_eq!(spare(once(), now), Some(UNUSED + idle));
                // The stamp of a use has a bit set, so it is a tick late.
                let unused = if seconds < 600 { 0 } else { UNUSED };
                assert_eq!(spare(used(), now.wrapping_add(1)), of_live(unused + idle));
            }
            // What is over goes first, but for what was in use up to then: that is served while it is fetched anew.
            let over = after(7000);
            assert_eq!(spare(once(), over), Some(EXPIRED + ticks(7000)));
            for (seconds, added) in [(0, 0), (59, 0), (60, EXPIRED), (7000, EXPIRED)] {
                let entry = used();
                entry.touch(over.wrapping_sub(seconds * TICKS_PER_S) & !3);
                let late = over.wrapping_add(1);
                assert_eq!(
                    spare(entry, late),
                    Some(added + ticks(seconds)),
                    "{seconds}"
                );
            }
            assert_eq!(spare(once(), after(17_000)), Some(GONE));
            // Absence may go early wherever its name is in use, and is not served when it is over.
            let absent = || {
                let set = Set::absence("absent", RecordType::A, NegativeKind::NxDomain, 600);
                let entry = set.put(cache, NOW).unwrap();
                entry.touch(NOW);
                entry
            };
            assert_eq!(spare(absent(), NOW.wrapping_add(1)), Some(0));
            assert_eq!(spare(absent(), after(600)), Some(GONE));
            // What must stay.
            assert_eq!(spare(put(cache, "fixed", 60, true), over), None);
            let held = once();
            assert_eq!(spare(held.clone(), over), None);
        }
    }

    #[test]
    fn no_age_makes_up_for_a_rank() {
        let longest = Spare::from(u32::MAX);
        assert!(UNUSED > longest && UNUSED + longest > UNUSED + FORGOTTEN);
        assert!(EXPIRED > UNUSED + longest && GONE > EXPIRED + longest);
    }

    #[test]
    fn the_readiest_of_those_offered_is_chosen() {
        let mut choice = Choice::default();
        choice.offer(1, None);
        assert_eq!((choice.considered, choice.victim()), (0, None));
        assert!(!choice.has_unused() && !choice.has_forgotten());
        for (block, spare, victim) in [(2, 5, 2), (3, 9, 3), (4, 8, 3), (5, UNUSED - 1, 5)] {
            choice.offer(block, Some(spare));
            assert_eq!(
                (choice.considered, choice.victim()),
                (block as usize - 1, Some(victim))
            );
            assert!(!choice.has_unused());
        }
        for (spare, is_forgotten) in [
            (UNUSED, false),
            (UNUSED + FORGOTTEN - 1, false),
            (UNUSED + FORGOTTEN, true),
            (EXPIRED, true),
        ] {
            choice.offer(9, Some(spare));
            assert!(choice.has_unused());
            assert_eq!(choice.has_forgotten(), is_forgotten);
        }
    }

    /// Whole pages are compared by the entry on each that is worth most.
    #[test]
    fn a_page_is_worth_as_much_as_the_worthiest_entry_on_it() {
        let cache = Cache::for_tests(1 << 20, true).unwrap();
        let now = after_seconds(NOW, 9);
        let names = (0..200).map(|number| format!("n{number}"));
        let entries: Vec<_> = names.map(|name| put(cache, &name, 600, false)).collect();
        let numbers: Vec<_> = entries.iter().map(|entry| cache.number_of(entry)).collect();
        let writer = cache.write();
        let page_of = |number: BlockId| {
            let mut all = 0..cache.pages.page_end();
            all.find(|page| {
                let mut is_there = false;
                let visited = cache
                    .pages
                    .visit_unit(*page, |block, _| is_there |= block == number);
                visited.is_some() && is_there
            })
        };
        let page = page_of(numbers[0]).unwrap();
        let is_on_it = |number: &BlockId| page_of(*number) == Some(page);
        let on_it: Vec<_> = (0..200)
            .filter(|index| is_on_it(&numbers[*index]))
            .collect();
        assert!(on_it.len() > 2);
        // All are held.
        assert_eq!(writer.page_spare(page, now, true), Some(None));
        entries[on_it[1]].touch(now & !3);
        let held = entries[on_it[2]].clone();
        drop(entries);
        assert_eq!(writer.page_spare(page, now, true), Some(None));
        drop(held);
        let worth = writer.page_spare(page, now, true);
        assert!(worth.flatten().is_some_and(|spare| spare < 4), "{worth:?}");
        let none =
            (0..cache.pages.page_end()).find(|page| writer.page_spare(*page, now, true).is_none());
        assert!(none.is_some(), "all pages have memory");
        let count = cache.usage().entries;
        assert!(writer.empty_page(page, now, true));
        assert_eq!(count - cache.usage().entries, on_it.len());
        assert!(!writer.empty_page(page, now, true));
    }
}
