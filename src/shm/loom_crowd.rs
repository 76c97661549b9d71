//! Model checks of the places of those who wait: `make loom`.
//!
//! The models run [`super::Place`] and [`super::advise`] as they are. Clocks stand still: each process that waits has
//! had its time.

use super::super::sync::model::{Joined, model, place, spawn};
use super::*;

const NOW: u32 = 100_000;
/// Of two one may wait.
const LIMITS: Limits = Limits {
    percent: 50,
    least_ms: 0,
    grace_ms: 0,
};

type Places = &'static [Place; 3];

fn waiting(age_ms: u32) -> Waiting {
    Waiting {
        since_ms: NOW - age_ms,
        parent: 0,
    }
}

/// Looks once, as who waits; true when it gave up.
fn looks(places: Places, members: &[usize], mine: usize, age_ms: u32) -> bool {
    let at = |number: usize| places.get(number);
    let advice = advise(at, members, (mine, waiting(age_ms)), LIMITS, NOW);
    let gives_up = advice == Advice::GiveUp;
    if gives_up {
        places[mine].go_on();
    }
    gives_up
}

/// Comes to wait, and looks once.
fn comes(places: Places, members: &'static [usize], mine: usize, age_ms: u32) -> Joined<bool> {
    spawn(move || {
        places[mine].wait(waiting(age_ms), NOW);
        looks(places, members, mine, age_ms)
    })
}

/// Who of those that wait have given up when all have looked again.
fn given_up(places: Places, members: &'static [usize], ages: &[u32]) -> Vec<usize> {
    let coming: Vec<_> = ages
        .iter()
        .enumerate()
        .map(|(mine, &age)| comes(places, members, mine, age))
        .collect();
    let gone: Vec<bool> = coming.into_iter().map(Joined::join).collect();
    let gone: Vec<usize> = (0..ages.len())
        .filter(|&mine| gone[mine] || looks(places, members, mine, ages[mine]))
        .collect();
    for mine in 0..ages.len() {
        assert_eq!(places[mine].look() == 0, gone.contains(&mine));
    }
    gone
}

/// Of two that come the one that has waited longest gives up, and not the other: whoever of them sees what.
#[test]
fn loom_one_gives_up_and_no_more() {
    for (ages, expected) in [([7, 5], 0), ([5, 7], 1), ([5, 5], 0)] {
        model(move || {
            let gone = given_up(place(), &[0, 1], &ages);
            assert_eq!(gone, [expected]);
        });
    }
}

/// Who goes on by itself has made room: nobody else has to, if it is seen to go.
#[test]
fn loom_who_has_gone_makes_room() {
    model(|| {
        let places: Places = place();
        places[0].wait(waiting(9), NOW);
        let leaves = spawn(move || places[0].go_on());
        let comes = comes(places, &[0, 1], 1, 5);
        leaves.join();
        let gone = comes.join() || looks(places, &[0, 1], 1, 5);
        assert!(
            !gone,
            "it is not the one that waits longest, nor are there too many"
        );
    });
}

/// A process that was killed while it waited keeps its place for ever, and takes nobody else's.
#[test]
fn loom_the_dead_take_no_place() {
    model(|| {
        let places: Places = place();
        places[2].wait(waiting(9000), NOW - 9000);
        let gone = given_up(places, &[0, 1, 2], &[7, 5]);
        assert_eq!(gone, [0], "of the two that go on");
    });
}
