//! Model checks of the claims: `make loom`.
//!
//! The models run [`super::Slot`] with its steps as they are, among them those of `lookup::flight` that have an order.
//! Left out are looks at clocks and processes, and sleep. A word of the model stands for the entry that a number names.
//! [`Mutation`] has the mistakes that these models catch.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32 as Plain, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use super::super::kill_point::in_model;
use super::super::sync::model::{Joined, model_within, place};
use super::*;

/// Two questions that a slot and the short form of a tag do not tell apart.
const KEY: u64 = 0x0102_0304_0500_0000;
const OTHER: u64 = 0x0802_0304_0500_0000;

/// A slot, and what its results stand for.
struct World {
    slot: &'static Slot,
    /// The entries under numbers 1 to 4: each its own number, or 0 when another entry has the block by now.
    entries: &'static [AtomicU32; 5],
    /// Numbers that were parked, and those of which the reference was dropped.
    parked: Mutex<Vec<u32>>,
    dropped: Mutex<Vec<u32>>,
    /// Who asks now.
    asking: Plain,
    /// Who was killed.
    dead: Plain,
}

impl World {
    fn new() -> Arc<Self> {
        let entries: &[AtomicU32; 5] = place();
        for (number, entry) in entries.iter().enumerate() {
            entry.store(number as u32, Ordering::Relaxed);
        }
        Arc::new(Self {
            slot: place(),
            entries,
            parked: Mutex::new(Vec::new()),
            dropped: Mutex::new(Vec::new()),
            asking: Plain::new(0),
            dead: Plain::new(0),
        })
    }

    fn opened(&self, key: u64) -> Open<'_> {
        match self.slot.open(key) {
            Use::Opened(open) => open,
            other => panic!("{other:?}"),
        }
    }

    /// As `Cache::unpark`: the last reference goes, and the number becomes that of another entry.
    fn drop_left(&self, left: Left) {
        self.entries[left.number() as usize].store(0, Ordering::SeqCst);
        self.dropped.lock().unwrap().push(left.number());
    }

    /// As `Claim::finish`.
    fn finish(&self, sitting: Sitting<'_>, number: u32) {
        let park = || {
            self.parked.lock().unwrap().push(number);
            number
        };
        sitting.finish(park, |left| self.drop_left(left));
    }

    /// As `Flight::verdict`.
    fn verdict(&self, open: Open<'_>) -> Option<u32> {
        let entry_of = |left: Left| {
            let number = left.number();
            Some((number, self.entries[number as usize].load(Ordering::SeqCst)))
        };
        let (number, entry) = open.take_hold(entry_of)?;
        assert_eq!(entry, number, "another entry is held");
        Some(number)
    }

    /// Every reference that was parked was dropped once.
    fn assert_even(&self) {
        if let Some(left) = self.slot.take_left() {
            self.drop_left(left);
        }
        let sorted = |numbers: &Mutex<Vec<u32>>| {
            let mut numbers = numbers.lock().unwrap().clone();
            numbers.sort_unstable();
            numbers
        };
        assert_eq!(sorted(&self.parked), sorted(&self.dropped));
    }
}

fn seat(pid: u32) -> Seat {
    Seat {
        pid,
        begun_ms: 0,
        time_ms: 1000,
        is_background: false,
    }
}

fn spawn(world: &Arc<World>, body: impl FnOnce(&World) + Send + 'static) -> Joined<()> {
    let world = world.clone();
    super::super::sync::model::spawn(move || body(&world))
}

/// Takes a seat that is free and asks for a while.
fn ask_for_a_while(world: &World, open: Open<'_>, pid: u32) {
    for seen in open.seats() {
        if seen.by.is_some_and(|by| !by.is_over(0)) {
            continue;
        }
        if let Some(sitting) = open.sit(seen, seat(pid)) {
            let asking = world.asking.fetch_add(1, Relaxed) + 1;
            assert!(asking <= SEATS as u32, "{asking} ask");
            // Others have their turn.
            open.seats();
            world.asking.fetch_sub(1, Relaxed);
            sitting.stand_up();
            return;
        }
    }
}

#[test]
fn loom_two_ask_at_most() {
    model_within(3, || {
        let world = World::new();
        world.opened(KEY);
        let ask = |pid| {
            move |world: &World| match world.slot.open(KEY) {
                Use::Same(open) => ask_for_a_while(world, open, pid),
                other => panic!("{other:?}"),
            }
        };
        let others = [spawn(&world, ask(1)), spawn(&world, ask(2))];
        ask(3)(&world);
        for other in others {
            other.join();
        }
    });
}

#[test]
fn loom_who_waits_finds_what_was_left() {
    model_within(3, || {
        let world = World::new();
        world.opened(KEY);
        world.slot.enter();
        let asker = spawn(&world, |world| {
            let Use::Same(open) = world.slot.open(KEY) else {
                return;
            };
            let sitting = open.sit(open.seats()[0], seat(1)).unwrap();
            world.finish(sitting, 1);
        });
        let Use::Same(open) = world.slot.open(KEY) else {
            // The question is over, and was opened anew.
            return asker.join();
        };
        if !open.is_open() {
            assert_eq!(world.verdict(open), Some(1));
        }
        asker.join();
        assert_eq!(world.verdict(open), Some(1));
        world.assert_even();
    });
}

/// Both that ask come back, one after the other or at the same time.
#[test]
fn loom_two_results_leave_one() {
    model_within(3, || {
        let world = World::new();
        world.opened(KEY);
        world.slot.enter();
        let ask = |index: usize, number| {
            move |world: &World| {
                let Use::Same(open) = world.slot.open(KEY) else {
                    return;
                };
                if let Some(sitting) = open.sit(open.seats()[index], seat(number)) {
                    world.finish(sitting, number);
                }
            }
        };
        let open = match world.slot.open(KEY) {
            Use::Same(open) => open,
            other => panic!("{other:?}"),
        };
        let askers = [spawn(&world, ask(0, 1)), spawn(&world, ask(1, 2))];
        if !open.is_open() {
            let verdict = world.verdict(open);
            assert!(matches!(verdict, Some(1 | 2)), "{verdict:?}");
        }
        for asker in askers {
            asker.join();
        }
        world.assert_even();
    });
}

/// The slot is used for another question at once, while somebody still waits for the first, and somebody still asks it.
#[test]
fn loom_the_next_question_has_nothing_of_the_last() {
    model_within(3, || {
        let world = World::new();
        let first = world.opened(KEY);
        world.slot.enter();
        let [one, two] = first.seats();
        first.sit(one, seat(1)).unwrap();
        first.sit(two, seat(2)).unwrap();
        let askers = [0, 1].map(|index| {
            spawn(&world, move |world| {
                // As the askers that sat down above.
                let word = seat(index as u32 + 1).to_word(0);
                let open = Open {
                    slot: world.slot,
                    word: KEY,
                };
                let sitting = Sitting { open, index, word };
                world.finish(sitting, index as u32 + 1);
            })
        });
        let next = match world.slot.open(OTHER) {
            Use::Opened(next) => next,
            Use::Other(_) => {
                for asker in askers {
                    asker.join();
                }
                return world.assert_even();
            }
            Use::Same(_) => panic!("it was not opened before"),
        };
        let left = world.verdict(next);
        assert_eq!(left, None, "of the question before");
        assert!(next.seats().iter().all(|seen| seen.by.is_none()));
        let sitting = next.sit(next.seats()[0], seat(3)).expect("it is open");
        for asker in askers {
            asker.join();
        }
        assert!(next.is_open(), "somebody ended the question of another");
        world.finish(sitting, 3);
        assert_eq!(world.verdict(next), Some(3));
        world.assert_even();
    });
}

/// One of two askers dies after each of its steps; another, that sees its time over, goes on.
#[test]
fn loom_another_goes_on_after_a_death() {
    fn ask(world: &World, number: u32) {
        let asked = AssertUnwindSafe(|| {
            if let Use::Same(open) = world.slot.open(KEY)
                // The other's time is over whatever its seat says.
                && let Some(sitting) = open.sit(open.seats()[0], seat(number))
            {
                world.finish(sitting, number);
            }
        });
        if std::panic::catch_unwind(asked).is_err() {
            world.dead.fetch_add(1, Relaxed);
        }
    }
    for point in [
        KillPoint::Seated,
        KillPoint::ResultLeft,
        KillPoint::QuestionEnded,
    ] {
        model_within(3, move || {
            let world = World::new();
            world.slot.enter();
            world.opened(KEY);
            // Whoever comes there first.
            in_model::arm(Some(point));
            let other = spawn(&world, |world| ask(world, 1));
            ask(&world, 2);
            other.join();
            // Under Miri each thread has a word of its own, and this one may come late.
            let is_dead = world.dead.load(Relaxed) == 1;
            assert!(is_dead || cfg!(miri), "nobody came to {point:?}");
            if let Use::Same(open) = world.slot.open(KEY) {
                let sitting = open.sit(open.seats()[0], seat(2)).unwrap();
                world.finish(sitting, 3);
                assert_eq!(world.verdict(open), Some(3));
            }
            world.assert_even();
        });
    }
}

/// Who was taken for dead stands up, and the seat is another's by then.
#[test]
fn loom_who_stands_up_late_leaves_the_seat_to_another() {
    model_within(3, || {
        let world = World::new();
        let open = world.opened(KEY);
        open.sit(open.seats()[0], seat(1)).unwrap();
        let late = spawn(&world, |world| {
            let word = seat(1).to_word(0);
            let open = Open {
                slot: world.slot,
                word: KEY,
            };
            let index = 0;
            Sitting { open, index, word }.stand_up();
        });
        let sitting = open.sit(open.seats()[0], seat(2));
        late.join();
        let is_seated = sitting.as_ref().is_none_or(Sitting::is_seated);
        assert!(is_seated, "another's seat was given away");
    });
}

/// Who opened a question finds its first seat taken, or takes it.
#[test]
fn loom_the_first_seat_has_one_owner() {
    model_within(3, || {
        let world = World::new();
        let open = world.opened(KEY);
        let other = spawn(&world, |world| {
            let Use::Same(open) = world.slot.open(KEY) else {
                return;
            };
            let [first, _] = open.seats();
            if first.by.is_none() && open.sit(first, seat(1)).is_some() {
                world.asking.fetch_add(1, Relaxed);
            }
        });
        let sitting = open.begin(seat(2), |left| world.drop_left(left));
        other.join();
        let asking = world.asking.load(Relaxed) + u32::from(sitting.is_some());
        assert_eq!(asking, 1, "in one seat");
    });
}

/// Two want the slot of a question that nobody asks any more.
#[test]
fn loom_a_question_makes_way_for_one_other() {
    model_within(3, || {
        let world = World::new();
        let open = world.opened(KEY);
        let other = spawn(&world, |world| {
            let open = Open {
                slot: world.slot,
                word: KEY,
            };
            if open.make_way(OTHER).is_some() {
                world.asking.fetch_add(1, Relaxed);
            }
        });
        let next = open.make_way(!KEY);
        other.join();
        let opened = world.asking.load(Relaxed) + u32::from(next.is_some());
        assert_eq!(opened, 1, "in one slot");
    });
}

/// A result goes with the last of those who waited, whoever that is.
#[test]
fn loom_nothing_stays_when_all_have_gone() {
    model_within(3, || {
        let world = World::new();
        let open = world.opened(KEY);
        let sitting = open.sit(open.seats()[0], seat(1)).unwrap();
        let waiter = spawn(&world, |world| {
            world
                .slot
                .while_counted(|| (), |left| world.drop_left(left));
        });
        world.finish(sitting, 1);
        waiter.join();
        assert!(world.slot.take_left().is_none(), "a result stays");
        world.assert_even();
    });
}
