//! Model checks of the lock among the threads of one process: `make loom`.
//!
//! The models run [`super::OwnLock`] as it is. A copy of the lock's word, with content that is not to be used, stands
//! for a fork; the threads of the child take the lock in another generation. [`Mutation`](super::Mutation) has the
//! mistakes that these models catch.

use super::super::sync::model::{Cell, Joined, know, model, place, spawn};
use super::*;

/// A number without atomics: loom notices when two are at it at a time, or one that has not seen what the other did.
struct Number(Cell<u32>);

impl Default for Number {
    fn default() -> Self {
        Self(Cell::new(0))
    }
}

impl Number {
    fn add_one(&self) {
        // SAFETY: who holds the lock has the number to itself, which is what the models are to show.
        self.0.with_mut(|number| unsafe { *number += 1 });
    }

    fn get(&self) -> u32 {
        // SAFETY: as above.
        self.0.with(|number| unsafe { *number })
    }
}

type Lock = OwnLock<Number>;

const PARENT: u32 = 1;
const CHILD: u32 = 2;
/// Content of the parent that the child must not find.
const PARENTS: u32 = 77;

fn add_one(lock: &Lock, generation: u32) {
    lock.lock_in(generation).add_one();
}

fn adds_one(lock: &'static Lock, generation: u32) -> Joined<()> {
    spawn(move || add_one(lock, generation))
}

fn number_in(lock: &Lock, generation: u32) -> u32 {
    lock.lock_in(generation).get()
}

/// The memory of a child, at an address of its own.
struct Forked(Lock);

fn place_of_child() -> &'static Lock {
    let forked: &Forked = place();
    &forked.0
}

/// Runs a model with a process's lock, and the place of its child's. Loom has to see both from the beginning.
fn with_locks(body: impl Fn(&'static Lock, &'static Lock) + Send + Sync + 'static) {
    let lock: &Lock = place();
    know(&lock.word);
    know(&place_of_child().word);
    model(move || body(place(), place_of_child()));
}

/// Forks at this moment.
fn fork(lock: &Lock, copy: &Lock) {
    let word = lock.word.load(Ordering::Relaxed);
    copy.word.store(word, Ordering::Relaxed);
    // SAFETY: nobody is there yet.
    unsafe { (*copy.content.get()).write(Number(Cell::new(PARENTS))) };
}

/// The first of two makes the content; each has it to itself, and sees what the one before did.
#[test]
fn loom_one_holds_the_lock_at_a_time() {
    with_locks(|lock, _| {
        let other = spawn(move || lock.lock().add_one());
        lock.lock().add_one();
        other.join();
        assert_eq!(lock.lock().get(), 2);
    });
}

/// A process forks while another of its threads has the lock, or takes it, or gives it back: the threads of the child
/// begin with nothing.
#[test]
fn loom_a_child_takes_the_lock_whatever_its_parent_was_at() {
    with_locks(|lock, copy| {
        let parents = adds_one(lock, PARENT);
        fork(lock, copy);
        let other = adds_one(copy, CHILD);
        add_one(copy, CHILD);
        other.join();
        assert_eq!(number_in(copy, CHILD), 2, "of the parent's");
        parents.join();
        assert_eq!(number_in(lock, PARENT), 1);
    });
}

/// The thread that forks holds the lock, so its guard is in the child, too, where it goes at some time.
#[test]
fn loom_the_guard_of_a_parent_gives_back_nothing_of_its_child() {
    with_locks(|lock, _| {
        let parents = lock.lock_in(PARENT);
        let other = adds_one(lock, CHILD);
        drop(parents);
        add_one(lock, CHILD);
        other.join();
        assert_eq!(number_in(lock, CHILD), 2);
    });
}
