//! Model checks of texts that all processes share: `make loom`.
//!
//! The models run [`super::SharedText`] as it is, with short texts. [`Mutation`](super::Mutation) has the mistakes that
//! these models catch.

use super::super::super::sync::model::{Joined, know, model, model_within, place, spawn};
use super::*;

fn store(text: &'static SharedText, value: &'static [u8]) -> Joined<()> {
    spawn(move || assert!(text.store(value)))
}

/// Texts of which no two mix to a third.
const OLD: &[u8] = b"aa";
const NEW: &[u8] = b"b";
const LAST: &[u8] = b"ccc";

fn with_old() -> &'static SharedText {
    let text: &SharedText = place();
    assert!(text.store(OLD));
    text
}

/// The first place of the others is what the reader is in.
#[test]
fn loom_a_text_is_read_whole() {
    model(|| {
        let text = with_old();
        let writer = spawn(move || {
            assert!(text.store(NEW));
            assert!(text.store(LAST));
        });
        let seen = text.load();
        assert!([OLD, NEW, LAST].contains(&&*seen), "{seen:?}");
        writer.join();
        assert_eq!(text.load(), LAST);
    });
}

#[test]
fn loom_two_writers_of_a_text_leave_one_value() {
    model(|| {
        let text = with_old();
        let writers = [store(text, NEW), store(text, LAST)];
        let seen = text.load();
        assert!([OLD, NEW, LAST].contains(&&*seen), "{seen:?}");
        for writer in writers {
            writer.join();
        }
        let seen = text.load();
        assert!([NEW, LAST].contains(&&*seen), "{seen:?}");
        // Both have given their places back.
        assert!(text.store(OLD));
        assert_eq!(text.load(), OLD);
    });
}

/// Of three writers one may take a place that the second left to the third, which had put it into use before.
#[test]
fn loom_a_place_in_use_is_nobodys() {
    let text: &SharedText = place();
    know(&text.current);
    text.places.iter().for_each(|place| know(&place.writer));
    model_within(2, || {
        let text = with_old();
        let writers = [store(text, NEW), store(text, LAST)];
        if let Some((index, place)) = text.claim(process::me(), false) {
            // A change that changes nothing gives the word as it is, and not as it was.
            let current = text.current.fetch_or(0, Ordering::SeqCst);
            assert_ne!(current as usize % PLACES, index, "it is in use");
            place.writer.store(0, Ordering::Release);
        }
        for writer in writers {
            writer.join();
        }
    });
}
