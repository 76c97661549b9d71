//! Model checks of the list of pins that processes share: `make loom`.
//!
//! The models run the functions of [`super::Place`] as they are, with short texts. [`Mutation`](super::Mutation) has the
//! mistakes that these models catch.

use super::*;
use crate::host::sync::model::{model, place, spawn};

/// Texts of which no two mix to a third: of two words, of one, and of none that a word has to itself.
const OLD: &[u8] = b"aaaaaaaaaaaa";
const NEW: &[u8] = b"bbbbbbbb";
const LAST: &[u8] = b"c";

/// A pin is whole when its author is the one who wrote the text.
fn assert_whole(place: &Place) {
    let seen = place.read().map(|(text, by, _)| (text, by));
    let known = [(OLD, By::Option), (NEW, By::Command), (LAST, By::File)];
    if let Some((text, by)) = seen {
        assert!(known.contains(&(&text, by)), "{text:?} {by:?}");
    }
}

/// A place that held one text gets another while somebody reads.
#[test]
fn loom_a_pin_is_read_whole() {
    model(|| {
        let place: &Place = place();
        assert!(place.take(OLD, By::Option));
        let writer = spawn(move || {
            assert!(place.release() && place.take(NEW, By::Command));
        });
        assert_whole(place);
        writer.join();
        let (text, by, _) = place.read().unwrap();
        assert_eq!((&*text, by), (NEW, By::Command));
    });
}

/// Two want the same place: one has it, and what is read is that one's alone.
#[test]
fn loom_a_place_takes_one_pin() {
    model(|| {
        let place: &Place = place();
        let other = spawn(move || place.take(NEW, By::Command));
        let own = place.take(LAST, By::File);
        assert_whole(place);
        let other = other.join();
        assert!(own != other, "{own} {other}");
        let (text, by, _) = place.read().unwrap();
        let wanted = if own {
            (LAST, By::File)
        } else {
            (NEW, By::Command)
        };
        assert_eq!((&*text, by), wanted);
    });
}

/// A pin that two end at the same time is ended once.
#[test]
fn loom_a_pin_ends_once() {
    model(|| {
        let place: &Place = place();
        assert!(place.take(OLD, By::Option));
        let other = spawn(move || place.release());
        let own = place.release();
        assert!(own != other.join());
        assert!(place.read().is_none() && place.take(NEW, By::Command));
    });
}
