//! Garbage collection and flush: walks over everything, in small steps.
//!
//! One hold of the writer lock covers a bounded amount of work, some tens of microseconds. Between two
//! holds waiting writers get in. Readers take no lock and are not disturbed in any case.

use crate::host::clock::is_past;
use crate::shm::sync::Ordering;

use super::table::{PLACES, Table};
use super::tables::Link;
use super::write::Writer;
use super::{Cache, layout};

/// Buckets handled in one hold of the lock.
const BUCKETS_PER_HOLD: usize = 8;
/// Extents swept in one hold of the lock.
const EXTENTS_PER_HOLD: u32 = 1;
/// Pages given back to the kernel in one hold of the lock.
const PAGES_PER_HOLD: usize = 4;

impl Cache {
    /// True when an entry with these flags and expiry tick is of no use any more: it is expired, and too
    /// old to be served stale.
    ///
    /// Expired entries that are not gone stay until memory is short; they go before all live ones.
    pub(super) fn gone(&self, flags: u8, expire: u32, now: u32) -> bool {
        if flags & layout::FLAG_PERMANENT != 0 {
            return false;
        }
        // Absence is not served stale (RFC 8767 speaks of data).
        let stale = if flags & layout::FLAG_NEGATIVE == 0 {
            self.stale_ticks()
        } else {
            0
        };
        is_past(expire.wrapping_add(stale), now)
    }

    /// Unlinks all entries, permanent ones only when asked; false when some are left, for a process that changes the
    /// cache does not go on.
    pub fn flush(&self, permanent_too: bool) -> bool {
        let condition = |flags, _| permanent_too || flags & layout::FLAG_PERMANENT == 0;
        self.unlink_where(&condition, &|| self.write_for_operator())
    }

    /// Unlinks the entries that are expired and may not be served stale either, gives unused memory back, and follows a
    /// change of `dns_cache_mem` to its end; or leaves that to the next time, when the writer lock cannot be had: the
    /// process that does this has other things to do.
    pub fn collect_garbage(&self, now: u32) {
        let condition = |flags, expire| self.gone(flags, expire, now);
        if !self.unlink_where(&condition, &|| self.write_soon()) {
            return;
        }
        let mut extent = 0;
        while extent < self.pages.extent_end() {
            let Some(writer) = self.write_soon() else {
                return;
            };
            self.pages.sweep(extent, extent + EXTENTS_PER_HOLD);
            extent += EXTENTS_PER_HOLD;
            writer.pause();
        }
        loop {
            let Some(writer) = self.write_soon() else {
                return;
            };
            let more = writer.fit_limit(now);
            let gained = self.pages.release_empty(PAGES_PER_HOLD);
            if !more && !gained {
                return;
            }
            writer.pause();
        }
    }

    /// Unlinks the entries for which `condition` (flags, expiry tick) holds; false when the writer lock cannot be had.
    fn unlink_where<'a>(
        &self,
        condition: &dyn Fn(u8, u32) -> bool,
        write: &dyn Fn() -> Option<Writer<'a>>,
    ) -> bool {
        let mut word = self.header.table.load(Ordering::Relaxed);
        let mut from = 0;
        loop {
            let Some(writer) = write() else {
                return false;
            };
            let now_in_use = self.header.table.load(Ordering::Relaxed);
            if now_in_use != word {
                // Another table, other places.
                (word, from) = (now_in_use, 0);
            }
            let table = self.table();
            let to = (from + BUCKETS_PER_HOLD).min(table.buckets().len());
            if from >= to {
                return true;
            }
            for bucket in from..to {
                writer.unlink_in_bucket(table, bucket, condition);
            }
            from = to;
            writer.pause();
        }
    }
}

impl Writer<'_> {
    fn unlink_in_bucket(&self, table: Table, index: usize, condition: &dyn Fn(u8, u32) -> bool) {
        let Some(bucket) = table.buckets().get(index) else {
            return;
        };
        for place in 0..PLACES {
            let block = bucket.block(place);
            if block == 0 {
                continue;
            }
            let (_, flags, _) = layout::split_identity(self.load(block, layout::IDENTITY));
            if condition(flags, self.load(block, layout::EXPIRE)) {
                self.unlink(Link {
                    bucket: index,
                    place,
                    block,
                });
            }
        }
    }

    /// Lets go of the lock; when others wait for it, not to come back before they had a chance.
    fn pause(self) {
        let wanted = self.cache.header.lock.is_wanted();
        drop(self);
        if wanted {
            let _whole = crate::host::thread::uncancelled();
            std::thread::sleep(std::time::Duration::from_micros(20));
        }
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::set::{Set, a};
    use super::super::{NegativeKind, Setting};
    use super::*;
    use crate::host::clock::after_seconds;
    use crate::rr::RecordType;

    const NOW: u32 = u32::MAX - 60;

    fn fill(cache: &Cache) {
        let set = Set::of("fixed", RecordType::A).record(60, a(1));
        set.permanent(true).put(cache, NOW).unwrap();
        let set = Set::of("live", RecordType::A).record(60, a(1));
        set.put(cache, NOW).unwrap();
        let set = Set::absence("absent", RecordType::A, NegativeKind::NoData, 60);
        set.put(cache, NOW).unwrap();
    }

    fn names(cache: &Cache) -> Vec<Vec<u8>> {
        let mut names: Vec<_> = cache.entries().map(|entry| entry.name().to_vec()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_flush_leaves_permanent_entries_unless_it_is_told_to_take_them() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        fill(cache);
        assert!(cache.flush(false));
        assert_eq!(names(cache), [b"fixed"]);
        fill(cache);
        assert!(cache.flush(true));
        assert!(names(cache).is_empty());
    }

    #[test]
    fn what_is_over_goes_when_it_may_not_be_served_any_more() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        cache.set_for_tests(Setting::StaleTtl(100));
        fill(cache);
        for (seconds, left) in [
            (59, &[&b"absent"[..], b"fixed", b"live"][..]),
            (60, &[b"fixed", b"live"]),
            (159, &[b"fixed", b"live"]),
            (160, &[b"fixed"]),
        ] {
            cache.collect_garbage(after_seconds(NOW, seconds));
            assert_eq!(names(cache), left, "{seconds}");
        }
    }
}
