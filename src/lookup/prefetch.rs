//! URIs that somebody will want: a board in shared memory, from which the refresher takes them (`select::prefetch`).

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::cache::due;
use crate::host::clock;
use crate::host::metrics::{self, Metric};
use crate::host::process;
use crate::host::shared::{Shared, shared_struct};

use super::pins::MAX_OCTETS;

/// Places on the board: what is left between two looks of the refresher.
const PLACES: usize = 256;
/// Places that one URI may take.
const TRIES: usize = 8;
const WORDS: usize = MAX_OCTETS.div_ceil(8);

const EMPTY: u64 = 0;
const FULL: u64 = 1;

shared_struct! {
    /// A place for a URI.
    struct Place {
        /// [`EMPTY`], [`FULL`], or the pid of the process that fills it, above bit 1.
        state: AtomicU64,
        /// Of the text and what is wanted. It proves what is read: who was stopped while it filled a place may go on when
        /// the place is another's.
        sum: AtomicU64,
        length: AtomicU32,
        /// [`Wanted`].
        wanted: AtomicU32,
        text: [AtomicU64; WORDS],
    }
}

static BOARD: Shared<[Place; PLACES]> = Shared::new();

/// Maps the board; before fork.
pub(super) fn prepare() {
    BOARD.get();
}

/// What is wanted of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// What a request to it needs.
    ForRequest,
    /// All that any of its records leads to.
    All,
}

/// Why nobody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no refresher.
    NoRefresher,
    /// It has enough to do.
    Full,
    /// The text is too long.
    TooLong,
}

/// Has the refresher ask for what belongs to a URI.
///
/// # Errors
/// Why it does not.
pub fn ask(uri: &[u8], wanted: Wanted) -> Result<(), Refused> {
    if uri.len() > MAX_OCTETS {
        return Err(Refused::TooLong);
    }
    if !due::is_refresher_alive(clock::now_ticks()) {
        return Err(Refused::NoRefresher);
    }
    let sum = sum(uri, wanted as u32);
    let mut places =
        (0..TRIES).filter_map(|step| BOARD.get().get((sum as usize).wrapping_add(step) % PLACES));
    let is_there = places.any(|place| {
        let state = place.state.load(Ordering::Acquire);
        state == FULL && place.sum.load(Ordering::Relaxed) == sum
            || state == EMPTY && place.fill(uri, wanted, sum)
    });
    if is_there {
        return Ok(());
    }
    metrics::count(Metric::HandedOnDropped);
    Err(Refused::Full)
}

/// Takes what is on the board.
pub fn take(mut see: impl FnMut(Vec<u8>, Wanted)) {
    for place in BOARD.get() {
        if let Some((uri, wanted)) = place.take() {
            see(uri, wanted);
        }
    }
}

/// A number that depends on all octets; no secret, for it decides nothing but a place.
fn sum(text: &[u8], wanted: u32) -> u64 {
    let begin = 0xcbf2_9ce4_8422_2325 ^ u64::from(wanted);
    text.iter().fold(begin, |sum, octet| {
        (sum ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl Place {
    fn fill(&self, uri: &[u8], wanted: Wanted, sum: u64) -> bool {
        let ours = u64::from(process::pid()) << 1;
        let taken = self
            .state
            .compare_exchange(EMPTY, ours, Ordering::Acquire, Ordering::Relaxed);
        if taken.is_err() {
            return false;
        }
        self.sum.store(sum, Ordering::Relaxed);
        self.length.store(uri.len() as u32, Ordering::Relaxed);
        self.wanted.store(wanted as u32, Ordering::Relaxed);
        for (word, octets) in self.text.iter().zip(uri.chunks(8)) {
            let mut whole = [0; 8];
            if let Some(part) = whole.get_mut(..octets.len()) {
                part.copy_from_slice(octets);
            }
            word.store(u64::from_ne_bytes(whole), Ordering::Relaxed);
        }
        self.state.store(FULL, Ordering::Release);
        true
    }

    /// Takes what is there, or the place of a process that does not go on.
    fn take(&self) -> Option<(Vec<u8>, Wanted)> {
        let state = self.state.load(Ordering::Acquire);
        let is_full = state == FULL;
        if state == EMPTY || !is_full && process::goes_on((state >> 1) as u32) {
            return None;
        }
        let found = is_full.then(|| self.read()).flatten();
        let _filled_anew =
            self.state
                .compare_exchange(state, EMPTY, Ordering::AcqRel, Ordering::Relaxed);
        found
    }

    fn read(&self) -> Option<(Vec<u8>, Wanted)> {
        let octets = self
            .text
            .iter()
            .flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes());
        let uri: Vec<u8> = octets
            .take(self.length.load(Ordering::Relaxed) as usize)
            .collect();
        let number = self.wanted.load(Ordering::Relaxed);
        let wanted = match number {
            0 => Wanted::ForRequest,
            _ => Wanted::All,
        };
        (self.sum.load(Ordering::Relaxed) == sum(&uri, number)).then_some((uri, wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_taken_once() {
        assert_eq!(ask(b"sip:a", Wanted::All), Err(Refused::NoRefresher));
        due::refresher_works(1000);
        assert_eq!(
            ask(&[b'a'; MAX_OCTETS + 1], Wanted::All),
            Err(Refused::TooLong)
        );
        for _ in 0..3 {
            assert_eq!(ask(b"sip:a", Wanted::All), Ok(()));
            assert_eq!(ask(b"sip:a", Wanted::ForRequest), Ok(()));
        }
        let mut seen = Vec::new();
        take(|uri, wanted| seen.push((uri, wanted)));
        seen.sort_by_key(|(_, wanted)| *wanted as u32);
        let uri = b"sip:a".to_vec();
        assert_eq!(
            seen,
            [(uri.clone(), Wanted::ForRequest), (uri, Wanted::All)]
        );
        take(|_, _| panic!("taken twice"));
        let room = (0..10_000).take_while(|number| {
            let uri = format!("sip:{number}.example");
            ask(uri.as_bytes(), Wanted::All).is_ok()
        });
        assert!((1..PLACES + 1).contains(&room.count()));
        take(|_, _| {});
    }
}
