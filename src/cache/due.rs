//! Entries in use that expire soon, or have expired: those who look them up note them here, and a
//! refresher fetches them anew before anybody has to wait.
//!
//! A hit looks at nothing of this. When it writes its use stamp, once a second, it also looks how much
//! of the entry's life is left. Names that nobody looks up at the end of their life just expire.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::host::clock::{self, TICKS_PER_S};
use crate::host::options::{self, ExtraOpt};
use crate::host::shared::{Shared, shared_struct};
use crate::rr::RecordType;
use crate::shm::pages::BlockId;

use super::{Cache, EntryRef, layout};

/// Entries noted and not yet fetched; beyond, the oldest are forgotten, and noted again at their next use.
const PLACES: usize = 1024;
/// A use is seen at most this late: it leaves more than a second for the query.
const MIN_WINDOW: u32 = 5 * TICKS_PER_S / 2;

shared_struct! {
    /// What readers and refresher share.
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
    /// What was asked for: the entry's type, or, where it is an alias, that of the target.
    pub qtype: RecordType,
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
    /// Notes an entry that was just used if it is in the last part of its life: an alias or a link that was followed for
    /// the sake of a type, or an entry of the type that was reached in this way.
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

    /// Takes what was noted: entries that are expired or in the last part of their life, and linked.
    ///
    /// One and the same may come twice.
    pub fn take_due(&self, now: u32) -> impl Iterator<Item = Due> + '_ {
        let board = BOARD.get();
        board.places.iter().filter_map(move |place| {
            if place.load(Ordering::Relaxed) == 0 {
                return None;
            }
            let word = place.swap(0, Ordering::Relaxed);
            let entry = self.by_number(word as u32)?;
            let qtype = match entry.rtype() {
                RecordType::CNAME => RecordType((word >> 32) as u16),
                rtype => rtype,
            };
            (is_due(&entry, now) && entry.is_linked()).then_some(Due { entry, qtype })
        })
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
