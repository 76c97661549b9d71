//! URIs that somebody will want: a board in shared memory, from which the refresher takes them (`select::prefetch`).

use crate::cache::due;
use crate::host::clock;
use crate::host::metrics::{self, Metric};

use super::board::{Board, Notice};
use super::pins::MAX_OCTETS;

/// Places on the board, for the notices between two looks of the refresher.
const PLACES: usize = 256;
static BOARD: Board<PLACES> = Board::new();

/// Maps the board; before fork.
pub(super) fn prepare() {
    BOARD.prepare();
}

/// The part of a URI's records that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The records that a request to the URI needs.
    ForRequest,
    /// All that any of its records leads to.
    All,
}

/// Why nobody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no refresher.
    NoRefresher,
    /// The refresher has enough to do.
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
    if BOARD.put(uri, wanted as u16, sum) {
        return Ok(());
    }
    metrics::count(Metric::HandedOnDropped);
    Err(Refused::Full)
}

/// Takes what is on the board.
pub fn take(mut see: impl FnMut(Vec<u8>, Wanted)) {
    BOARD.take_all(|Notice { text, number, key }| {
        let wanted = match number {
            0 => Wanted::ForRequest,
            _ => Wanted::All,
        };
        if sum(&text, number.into()) == key {
            see(text, wanted);
        }
    });
}

/// A number that depends on all octets; no secret, for it decides nothing but a place.
fn sum(text: &[u8], wanted: u32) -> u64 {
    let begin = 0xcbf2_9ce4_8422_2325 ^ u64::from(wanted);
    text.iter().fold(begin, |sum, octet| {
        (sum ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_taken_once() {
        let _turn = due::turn_for_tests();
        due::refresher_ends();
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
