//! A board in shared memory: a process that has something for the refresher leaves it there, and waits for nobody.
//!
//! A notice has a key that depends on all of its octets. The key proves that a notice is whole: a process that was
//! stopped while it filled a place may go on when the place is another's.

use crate::host::mutation::{Mutation, ordering};
use crate::host::process;
use crate::host::shared::{Shared, shared_struct};
use crate::host::sync::{AtomicU64, Ordering};

use super::pins::MAX_OCTETS;

/// Places that one notice may take.
const TRIES: usize = 8;
const WORDS: usize = MAX_OCTETS.div_ceil(8);

const EMPTY: u64 = 0;
const FULL: u64 = 1;

shared_struct! {
    /// A place for a notice.
    struct Place {
        /// [`EMPTY`], [`FULL`], or the pid of the process that fills it, above bit 1.
        state: AtomicU64,
        key: AtomicU64,
        /// Length of the text, and the number above bit 16.
        about: AtomicU64,
        text: [AtomicU64; WORDS],
    }
}

/// So many places.
pub(super) struct Board<const PLACES: usize>(Shared<[Place; PLACES]>);

/// A note on a board.
pub(super) struct Notice {
    /// At most [`MAX_OCTETS`].
    pub(super) text: Vec<u8>,
    /// A number beside the text, for the reader.
    pub(super) number: u16,
    /// As it was written; the reader compares it with that of what it has read.
    pub(super) key: u64,
}

impl<const PLACES: usize> Board<PLACES> {
    pub(super) const fn new() -> Self {
        Self(Shared::new())
    }

    /// Maps it; before fork.
    pub(super) fn prepare(&self) {
        self.0.get();
    }

    /// Leaves a notice, unless it is there; false when there is no room. The text has at most [`MAX_OCTETS`].
    pub(super) fn put(&self, text: &[u8], number: u16, key: u64) -> bool {
        let place = |step| self.0.get().get((key as usize).wrapping_add(step) % PLACES);
        (0..TRIES).filter_map(place).any(|place| {
            let state = place.state.load(Ordering::Acquire);
            state == FULL && place.key.load(Ordering::Relaxed) == key
                || state == EMPTY && place.fill(text, number, key)
        })
    }

    /// Takes what is there.
    pub(super) fn take_all(&self, see: impl FnMut(Notice)) {
        self.0.get().iter().filter_map(Place::take).for_each(see);
    }
}

impl Place {
    fn fill(&self, text: &[u8], number: u16, key: u64) -> bool {
        let ours = u64::from(process::pid()) << 1;
        let taken = self
            .state
            .compare_exchange(EMPTY, ours, Ordering::Acquire, Ordering::Relaxed);
        if taken.is_err() {
            return false;
        }
        self.key.store(key, Ordering::Relaxed);
        let about = text.len() as u64 | u64::from(number) << 16;
        self.about.store(about, Ordering::Relaxed);
        for (word, octets) in self.text.iter().zip(text.chunks(8)) {
            let mut whole = [0; 8];
            if let Some(part) = whole.get_mut(..octets.len()) {
                part.copy_from_slice(octets);
            }
            word.store(u64::from_ne_bytes(whole), Ordering::Relaxed);
        }
        // Should it have been taken from us meanwhile, that one's notice is told apart by its key.
        // SYNC: pairs with the acquire in `take`.
        let order = ordering(Mutation::NoticeRelaxed, Ordering::Release);
        self.state.store(FULL, order);
        true
    }

    /// Takes what is there, or the place of a process that does not go on.
    fn take(&self) -> Option<Notice> {
        // SYNC: pairs with the release in `fill`: the notice is written.
        let order = ordering(Mutation::NoticeReadRelaxed, Ordering::Acquire);
        let state = self.state.load(order);
        let is_full = state == FULL;
        if state == EMPTY || !is_full && process::goes_on((state >> 1) as u32) {
            return None;
        }
        let notice = is_full.then(|| self.read());
        let _filled_anew =
            self.state
                .compare_exchange(state, EMPTY, Ordering::AcqRel, Ordering::Relaxed);
        notice
    }

    fn read(&self) -> Notice {
        let about = self.about.load(Ordering::Relaxed);
        let length = about as usize & 0xffff;
        let words = self.text.iter().take(length.div_ceil(8));
        let octets = words.flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes());
        Notice {
            text: octets.take(length).collect(),
            number: (about >> 16) as u16,
            key: self.key.load(Ordering::Relaxed),
        }
    }
}

#[cfg(all(test, any(loom, miri)))]
#[path = "loom_board.rs"]
mod loom_board;

#[cfg(all(test, not(any(loom, miri))))]
mod tests {
    use super::*;

    type Taken = Vec<(Vec<u8>, u16, u64)>;

    fn taken<const PLACES: usize>(board: &Board<PLACES>) -> Taken {
        let mut all = Vec::new();
        board.take_all(|notice| all.push((notice.text, notice.number, notice.key)));
        all.sort_by_key(|(_, _, key)| *key);
        all
    }

    #[test]
    fn a_notice_stays_until_it_is_taken_once() {
        static BOARD: Board<16> = Board::new();
        for (length, number) in [(0, 0), (1, 1), (8, 0xfedc), (9, u16::MAX), (MAX_OCTETS, 7)] {
            let text: Vec<u8> = (0..length).map(|index| b'a' + (index % 26) as u8).collect();
            let key = 1000 + length as u64;
            // The same once more changes nothing.
            assert!(BOARD.put(&text, number, key) && BOARD.put(&text, number, key));
            assert_eq!(taken(&BOARD), [(text, number, key)]);
            assert!(taken(&BOARD).is_empty());
        }
    }

    #[test]
    fn keys_that_meet_have_a_few_places() {
        static BOARD: Board<16> = Board::new();
        let tries = TRIES as u64;
        let keys = (0..tries).map(|number| 14 + 16 * number);
        assert!(keys.clone().all(|key| BOARD.put(b"x", 1, key)));
        let beyond = 14 + 16 * tries;
        assert!(!BOARD.put(b"x", 1, beyond));
        // Those that are there are found wherever they stand.
        assert!(keys.clone().all(|key| BOARD.put(b"x", 1, key)));
        // Places 14, 15 and 0 to 5 are full; from 3 on the fourth is free.
        assert!(BOARD.put(b"y", 2, 3));
        let wanted: Taken = keys.map(|key| (b"x".to_vec(), 1, key)).collect();
        let mut found = taken(&BOARD);
        assert_eq!(found.remove(0), (b"y".to_vec(), 2, 3));
        assert_eq!(found, wanted);
        assert!(BOARD.put(b"x", 1, beyond));
    }

    #[test]
    fn a_place_is_its_fillers_as_long_as_that_one_goes_on() {
        /// A process that there is not, nor will be: the highest number that the kernel could give.
        const DEAD: u32 = 0x3f_ffff;
        static BOARD: Board<2> = Board::new();
        let fill_by = |place: &Place, pid: u32| {
            place.state.store(u64::from(pid) << 1, Ordering::Relaxed);
            place.key.store(5, Ordering::Relaxed);
        };
        let [alive, dead] = BOARD.0.get();
        fill_by(alive, process::pid());
        fill_by(dead, DEAD);
        // Neither is a notice, nor free.
        assert!(!BOARD.put(b"x", 1, 5));
        assert!(taken(&BOARD).is_empty());
        assert!(BOARD.put(b"x", 1, 5) && !BOARD.put(b"y", 1, 6));
        assert_eq!(taken(&BOARD).len(), 1);
        assert_eq!(
            alive.state.load(Ordering::Relaxed),
            u64::from(process::pid()) << 1
        );
    }
}
