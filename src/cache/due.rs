//! Entries in use that expire soon, or have expired: those who look them up note them here, and a
//! refresher fetches them anew before anybody has to wait.
//!
//! Most hits do none of this. A hit that writes the use stamp, once a second, also looks how much of the entry's life
//! is left, and the refresher sees its note at once. The refresher finds entries with earlier uses by itself: it looks
//! through the table again and again, a part at a time, for entries in use whose end comes near.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::host::clock::{self, TICKS_PER_S};
use crate::host::options::{self, ExtraOpt};
use crate::host::shared::{Shared, shared_struct};
use crate::rr::{MAX_CNAME_HOPS, MAX_TTL_S, RecordType, eq_ignore_case};
use crate::shm::pages::BlockId;

use super::{Cache, EntryRef, RecordView, layout};

/// Entries noted and not yet fetched; beyond, the oldest are forgotten, and noted again at their next use.
const PLACES: usize = 1024;
/// The least window, ticks: a use is seen up to a second late, and more than a second is left for the query.
const MIN_WINDOW: u32 = 5 * TICKS_PER_S / 2;

shared_struct! {
    /// The notes that readers and refresher share.
    struct Board {
        /// Tick until which a refresher is taken for alive; above bit 32 whether there ever was one.
        alive: AtomicU64,
        /// Counts the notes.
        noted: AtomicU32,
        /// Block (32 bits), type asked (16), and 1 above; 0 = empty.
        places: [AtomicU64; PLACES],
    }
}

static BOARD: Shared<Board> = Shared::new();

/// An entry to fetch anew.
#[derive(Debug)]
pub struct Due {
    /// The entry.
    pub entry: EntryRef,
    /// The type of the question: the entry's type, or, where the entry is an alias, that of the target.
    pub qtype: RecordType,
}

/// An entry in use that is to be fetched anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upcoming {
    /// Number of the entry.
    pub number: u32,
    /// The type of the question; see [`Due::qtype`].
    pub qtype: RecordType,
    /// From this tick on.
    pub due: u32,
    /// The entry expires at this tick.
    pub expire: u32,
}

/// Maps the board; before fork.
pub fn prepare() {
    BOARD.get();
}

/// Says that a refresher is at work and will be back within so many ticks.
pub fn refresher_works(ticks: u32) {
    let until = clock::now_ticks().wrapping_add(ticks);
    let board = BOARD.get();
    board
        .alive
        .store(1 << 32 | u64::from(until), Ordering::Relaxed);
}

/// Says that there is no refresher any more.
pub fn refresher_ends() {
    BOARD.get().alive.store(0, Ordering::Relaxed);
}

/// True while a refresher takes care of what is noted.
#[must_use]
pub fn is_refresher_alive(now: u32) -> bool {
    let alive = BOARD.get().alive.load(Ordering::Relaxed);
    alive >> 32 != 0 && !clock::is_past(alive as u32, now)
}

fn put(block: BlockId, qtype: RecordType) {
    let board = BOARD.get();
    let number = board.noted.fetch_add(1, Ordering::Relaxed) as usize;
    if let Some(place) = board.places.get(number % PLACES) {
        let word = 1 << 48 | u64::from(qtype.0) << 32 | u64::from(block);
        place.store(word, Ordering::Relaxed);
    }
}

/// Notes an entry that was just used if it is in the last part of its life; `counts` is its word at
/// [`layout::COUNTS`].
#[cold]
pub(super) fn note_use(block: BlockId, qtype: RecordType, expire: u32, counts: u32, now: u32) {
    let left = expire.wrapping_sub(now);
    if left <= window(layout::life_s(counts)) && is_refresher_alive(now) {
        put(block, qtype);
    }
}

/// True for an entry that is expired or in the last part of its life.
#[must_use]
pub fn is_due(entry: &EntryRef, now: u32) -> bool {
    let left = entry.expire().wrapping_sub(now);
    let ends = entry.is_expired(now) || left <= window(layout::life_s(entry.counts()));
    ends && !entry.is_permanent()
}

/// The last part of a life of so many seconds in which an entry in use is fetched anew, ticks.
fn window(life_s: u32) -> u32 {
    let percent = options::extra(ExtraOpt::RefreshAhead);
    if percent == 0 {
        return 0;
    }
    let life = life_s * TICKS_PER_S;
    (life / 100 * percent).max(MIN_WINDOW).min(life / 2)
}

impl Cache {
    /// Notes an entry that was just used if it is in the last part of its life: an alias or a link that was followed
    /// for the sake of a type, or an entry of the type that was reached in this way.
    #[cold]
    pub fn note_followed(&self, entry: &EntryRef, qtype: RecordType, now: u32) {
        if !entry.is_permanent() {
            let block = self.number_of(entry);
            note_use(block, qtype, entry.expire(), entry.counts(), now);
        }
    }

    /// Asks the refresher to fetch an entry anew.
    pub fn note_due(&self, entry: &EntryRef, qtype: RecordType) {
        let block = self.number_of(entry);
        if block != 0 {
            put(block, qtype);
        }
    }

    /// Takes what was noted.
    ///
    /// The same entry may come twice.
    pub fn take_noted(&self) -> impl Iterator<Item = Upcoming> + '_ {
        let board = BOARD.get();
        board.places.iter().filter_map(move |place| {
            if place.load(Ordering::Relaxed) == 0 {
                return None;
            }
            let word = place.swap(0, Ordering::Relaxed);
            let entry = self.by_number(word as u32)?;
            Some(Upcoming {
                number: word as u32,
                qtype: RecordType((word >> 32) as u16),
                due: entry
                    .expire()
                    .wrapping_sub(window(layout::life_s(entry.counts()))),
                expire: entry.expire(),
            })
        })
    }

    /// Looks through `count` buckets of the table, from number `from` on, for entries in use that are to be fetched
    /// anew within `ahead` ticks. Gives the number to go on at; `None` at the end of the table.
    ///
    /// Takes no reference: look at an entry that is found again with [`Self::due`].
    pub fn survey(
        &self,
        (from, count): (usize, usize),
        (now, ahead): (u32, u32),
        found: &mut impl FnMut(Upcoming),
    ) -> Option<usize> {
        let buckets = self.table().buckets();
        let keep = options::extra(ExtraOpt::KeepFresh).min(MAX_TTL_S) * TICKS_PER_S;
        let end = from.saturating_add(count).min(buckets.len());
        let part = buckets.get(from..end).unwrap_or_default();
        for bucket in part {
            for place in 0..super::table::PLACES {
                let upcoming = self.upcoming(bucket.block(place), now, keep);
                if let Some(upcoming) = upcoming
                    && clock::is_past(upcoming.due.wrapping_sub(ahead), now)
                {
                    found(upcoming);
                }
            }
        }
        (end < buckets.len()).then_some(end)
    }

    /// When an entry is to be fetched anew; `None` = not at all.
    fn upcoming(&self, block: BlockId, now: u32, keep: u32) -> Option<Upcoming> {
        if block == 0 {
            return None;
        }
        let head = self.pages.words_from(block)?;
        let word = |offset: usize| {
            head.get(offset / 4)
                .map(|word| word.load(Ordering::Relaxed))
        };
        let (rtype, flags, _) = layout::split_identity(word(layout::IDENTITY)?);
        if flags & layout::FLAG_PERMANENT != 0 {
            return None;
        }
        let counts = word(layout::COUNTS)?;
        let is_negative = flags & layout::FLAG_NEGATIVE != 0;
        if is_negative && layout::decode_kind(counts).is_failure() {
            return None;
        }
        let (expire, stamp) = (word(layout::EXPIRE)?, word(layout::LAST_USED)?);
        let is_over = clock::is_past(expire, now);
        let idle = (now.wrapping_sub(stamp) as i32).max(0).cast_unsigned();
        let is_recent = layout::tells_of_use(stamp) && idle <= keep;
        let is_used = layout::was_used(stamp) && !is_over;
        (is_recent || is_used).then(|| Upcoming {
            number: block,
            qtype: RecordType(rtype),
            due: expire.wrapping_sub(window(layout::life_s(counts))),
            expire,
        })
    }

    /// The entry that is to be fetched anew now; `None` when that was done meanwhile, or is not due yet.
    #[must_use]
    pub fn due(&self, upcoming: &Upcoming, now: u32) -> Option<Due> {
        let entry = self.original(self.by_number(upcoming.number)?);
        if !is_due(&entry, now) || !entry.is_linked() {
            return None;
        }
        let qtype = match entry.rtype() {
            RecordType::CNAME if upcoming.qtype != RecordType::CNAME => upcoming.qtype,
            RecordType::CNAME => self.followed_for(&entry)?,
            rtype => rtype,
        };
        Some(Due { entry, qtype })
    }

    /// The entry of which this one is a copy that leads back to another name: the entry is as much in use as the copy.
    /// A copy stays behind when the entry is fetched anew.
    fn original(&self, entry: EntryRef) -> EntryRef {
        if entry.owner().is_none() {
            return entry;
        }
        match self.acquire_exact_any_age(&self.hashed(entry.name()), entry.rtype()) {
            Some(original) => {
                original.inherit_use(entry.last_used());
                original
            }
            None => entry,
        }
    }

    /// The type for which an alias is followed: the type in use that its target has.
    fn followed_for(&self, alias: &EntryRef) -> Option<RecordType> {
        let kept = RecordType::KEPT.iter().map(|(rtype, _)| *rtype);
        let types = kept.filter(|rtype| *rtype != RecordType::CNAME);
        let mut target = alias.clone();
        for _ in 0..MAX_CNAME_HOPS {
            let name = match target.record(0)? {
                RecordView::Cname(name) => self.hashed(name),
                _ => return None,
            };
            let with = |rtype| self.acquire_exact_any_age(&name, rtype);
            let used = types
                .clone()
                .filter_map(with)
                .filter(|entry| layout::tells_of_use(entry.last_used()))
                .max_by_key(|entry| entry.last_used().wrapping_sub(alias.expire()) as i32);
            if let Some(used) = used {
                return Some(used.rtype());
            }
            let further = with(RecordType::CNAME)?;
            target = further;
        }
        None
    }

    /// The entry that stands in the place of another now.
    #[must_use]
    pub fn successor(&self, old: &EntryRef) -> Option<EntryRef> {
        let same = |entry: &EntryRef| eq_ignore_case(entry.name(), old.name());
        self.acquire_by_hash(old.hash(), old.rtype(), &same)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_a_tenth_and_at_least_two_seconds_and_a_half() {
        assert_eq!(window(300), 30 * TICKS_PER_S);
        assert_eq!(window(10), MIN_WINDOW);
        assert_eq!(window(2), TICKS_PER_S);
        assert_eq!(window(0), 0);
    }
}
