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
