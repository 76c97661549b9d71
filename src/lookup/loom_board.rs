//! Model checks of the board on which processes leave notices: `make loom`.
//!
//! The models run the functions of [`super::Place`] as they are, with short texts. [`Mutation`](super::Mutation) has the
//! mistakes that these models catch.

use super::*;
use crate::host::sync::model::{model, place, spawn};

/// A notice of two words, and one of one.
const OLD: (&[u8], u16, u64) = (b"aaaaaaaaaaaa", 1, 10);
const NEW: (&[u8], u16, u64) = (b"bbbbbbbb", 2, 20);

fn fill(place: &Place, (text, number, key): (&[u8], u16, u64)) -> bool {
    place.fill(text, number, key)
}

/// How many of these notices were taken; no other one may come.
fn count(taken: &[Option<Notice>], (text, number, key): (&[u8], u16, u64)) -> usize {
    let notices = taken.iter().flatten();
    let same = notices.filter(|notice| notice.key == key);
    same.inspect(|notice| assert_eq!((&*notice.text, notice.number), (text, number)))
        .count()
}

#[test]
fn loom_a_notice_comes_whole_and_once() {
    model(|| {
        let place: &Place = place();
        let writer = spawn(move || assert!(fill(place, OLD)));
        let early = place.take();
        writer.join();
        let taken = [early, place.take(), place.take()];
        assert_eq!(taken.iter().flatten().count(), 1);
        assert_eq!(count(&taken, OLD), 1);
    });
}

/// A place is filled again as soon as its notice was taken, and not before.
#[test]
fn loom_a_place_of_the_board_serves_again() {
    model(|| {
        let place: &Place = place();
        assert!(fill(place, OLD));
        let writer = spawn(move || fill(place, NEW));
        let early = [place.take(), place.take()];
        let came = writer.join();
        let [one, two] = early;
        let taken = [one, two, place.take(), place.take()];
        assert_eq!(count(&taken, OLD), 1);
        assert_eq!(count(&taken, NEW), usize::from(came));
        assert_eq!(taken.iter().flatten().count(), 1 + usize::from(came));
    });
}

/// Of two that have something to say one finds the place free.
#[test]
fn loom_a_place_of_the_board_is_filled_by_one() {
    model(|| {
        let place: &Place = place();
        let other = spawn(move || fill(place, NEW));
        let own = fill(place, OLD);
        let other = other.join();
        assert!(own != other, "{own} {other}");
        let taken = [place.take(), place.take()];
        assert_eq!(
            (count(&taken, OLD), count(&taken, NEW)),
            (own.into(), other.into())
        );
    });
}

/// The place of a process that was killed while it filled it is free again.
#[test]
#[cfg_attr(miri, ignore = "asks the system who is alive")]
fn loom_a_place_of_the_dead_is_free_again() {
    /// A process that there is not, nor will be: the highest number that the kernel could give.
    const DEAD: u64 = 0x3f_ffff;
    model(|| {
        let place: &Place = place();
        place.state.store(DEAD << 1, Ordering::Relaxed);
        place.text[0].store(7, Ordering::Relaxed);
        let writer = spawn(move || fill(place, NEW));
        let early = place.take();
        let came = writer.join();
        let taken = [early, place.take(), place.take()];
        assert_eq!(taken.iter().flatten().count(), usize::from(came));
        assert_eq!(count(&taken, NEW), usize::from(came));
        assert!(fill(place, OLD));
    });
}
