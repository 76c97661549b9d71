//! Model checks of the lock-free protocol: `make loom`.
//!
//! Reference words, buckets with their versions, the writing of content, and the steps of writers and readers on
//! tables (`tables`) are the code that runs. What is left to do as `Cache` and `Writer` do it, after which it is
//! named, has no order of its own: finding the block that was looked for, allocating, repairing. The content of an
//! entry is two words that must always be seen together; what holders read without atomics is a loom cell, which
//! notices every race.
//!
//! [`Mutation`] lists the mistakes that these models catch; the last test makes each of them.

use std::process::Command;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use loom::thread;

use super::table::{Bucket, Table};
use super::tables::{
    TableWord, Tables, find_block_in, link_into, raise_versions, read_undisturbed,
};
use crate::shm::mutation;
use crate::shm::refword::{self, Released};
use crate::shm::sync::own;

/// Number of the only block.
const BLOCK: u32 = 1;
const TAG: u8 = 7;
/// Its reference word stands between the words of content.
const REFCNT: usize = 1;

/// Hash of the name: any leads to the only bucket of a table.
const HASH: u32 = 5;

/// One block, and a bucket in each of two tables.
struct World {
    in_use: AtomicU64,
    next: AtomicU64,
    moved: AtomicU32,
    areas: [&'static [Bucket]; 2],
    words: [AtomicU32; 3],
    /// What is read by holders alone, without atomics.
    inner: UnsafeCell<u32>,
}

impl World {
    /// A world in which the block holds this value and is linked.
    fn with_entry(value: u32) -> Arc<Self> {
        let world = Self::with_free_block();
        world.fill(value);
        world.link();
        world
    }

    fn with_free_block() -> Arc<Self> {
        let area = || -> &'static [Bucket] { Box::leak(Box::new([Bucket::new()])) };
        Arc::new(Self {
            in_use: AtomicU64::new(TableWord::new(0, 1, 0).0),
            next: AtomicU64::new(0),
            moved: AtomicU32::new(0),
            areas: [area(), area()],
            words: std::array::from_fn(|_| AtomicU32::new(0)),
            inner: UnsafeCell::new(0),
        })
    }

    fn tables(&self) -> Tables<'_> {
        Tables {
            in_use: &self.in_use,
            next: &self.next,
            moved: &self.moved,
            areas: self.areas,
        }
    }

    /// The table in use, as its writer knows it.
    fn table(&self) -> Table {
        TableWord(own!(self.in_use)).table(&self.areas)
    }

    fn bucket(&self, area: usize) -> &Bucket {
        &self.areas[area][0]
    }

    fn word(&self) -> &AtomicU32 {
        &self.words[REFCNT]
    }

    /// As `Writer::fill`.
    fn fill(&self, value: u32) {
        // SAFETY: loom tells when somebody else is at it.
        self.inner.with_mut(|inner| unsafe { *inner = value });
        let content = [value, 0, value].map(u32::to_ne_bytes);
        refword::fill(&self.words, REFCNT, &content, true, 0);
    }

    /// As `Writer::link`.
    fn link(&self) {
        link_into(self.table(), HASH, TAG, BLOCK).unwrap();
    }

    /// As `Writer::unlink`; true when that freed the block.
    fn unlink(&self) -> bool {
        let link = find_block_in(self.table(), HASH, BLOCK).unwrap();
        self.tables().unlink(link, HASH, Some(self.word()), || ())
    }

    /// As `Pages::allocate`, `Writer::fill` and `Writer::link`, if the block is free.
    fn reuse(&self, value: u32) -> bool {
        if !refword::is_free(self.word()) {
            return false;
        }
        self.fill(value);
        self.link();
        true
    }

    /// As `Writer::recover` after a death: versions first, then what the table does not have is let go.
    fn recover(&self) {
        raise_versions(self.table());
        if self.bucket(0).block(0) != BLOCK
            && self.word().load(Ordering::Relaxed) & refword::LINKED != 0
        {
            refword::unlink(self.word());
        }
    }

    /// As `Cache::look` with what `first_address` reads: nothing is held.
    fn copy(&self) -> Option<(u32, u32)> {
        let table = self.in_use.load(Ordering::Acquire);
        let bucket = &TableWord(table).table(&self.areas).buckets()[0];
        let version = bucket.begin();
        bucket.find(TAG, |_, block| (block == BLOCK).then_some(()))?;
        read_undisturbed((bucket, version), (&self.in_use, table), || {
            (
                self.words[0].load(Ordering::Relaxed),
                self.words[2].load(Ordering::Relaxed),
            )
        })
    }

    /// As `Cache::locate`, once: true when it is sure that the entry is not there.
    fn misses(&self) -> bool {
        let table = self.in_use.load(Ordering::Acquire);
        let bucket = &TableWord(table).table(&self.areas).buckets()[0];
        let version = bucket.begin();
        let found = bucket.find(TAG, |_, block| (block == BLOCK).then_some(()));
        found.is_none()
            && read_undisturbed((bucket, version), (&self.in_use, table), || ()).is_some()
    }

    /// As `Writer::move_buckets`.
    fn move_to_next(&self, mut relink: impl FnMut(Table, u32)) {
        let next = TableWord(own!(self.in_use)).successor(1);
        self.next.store(next.0, Ordering::Relaxed);
        let old = self.table();
        let tables = self.tables();
        for bucket in old.buckets() {
            tables.move_bucket(bucket, |block| relink(next.table(&self.areas), block));
        }
        tables.switch(next);
        self.next.store(0, Ordering::Relaxed);
    }

    /// As `Cache::hold`: the name is read first, then the reference is counted, then the version decides
    /// whether it was counted for the entry of that name.
    fn hold_by_name(&self) -> Option<u32> {
        let table = self.in_use.load(Ordering::Acquire);
        let bucket = self.bucket(0);
        let version = bucket.begin();
        bucket.find(TAG, |_, block| (block == BLOCK).then_some(()))?;
        let held = read_undisturbed((bucket, version), (&self.in_use, table), || {
            let name = self.words[0].load(Ordering::Relaxed);
            refword::try_acquire(self.word()).then(|| (name, Held(self)))
        });
        let (name, _held) = held.flatten()?;
        assert_eq!(self.read_held(), name, "another entry is held");
        Some(name)
    }

    /// As `Cache::acquire_block`: whatever lives in a block whose number was seen at any time.
    fn hold_late(&self) {
        if !refword::try_acquire(self.word()) {
            return;
        }
        let seen = self.read_held();
        thread::yield_now();
        assert_eq!(self.read_held(), seen, "the entry changed under a holder");
        assert_ne!(refword::release(self.word()), Released::Underflow);
    }

    fn read_held(&self) -> u32 {
        // SAFETY: loom tells when somebody writes meanwhile.
        let inner = self.inner.with(|inner| unsafe { *inner });
        let whole = (
            self.words[0].load(Ordering::Relaxed),
            self.words[2].load(Ordering::Relaxed),
        );
        assert_eq!(whole, (inner, inner), "torn");
        inner
    }
}

/// As `EntryRef`.
struct Held<'a>(&'a World);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        assert_ne!(refword::release(self.0.word()), Released::Underflow);
    }
}

/// Runs a model in all its interleavings, of which there must be several: a model that loom does not get into
/// shows nothing (see `own!`).
pub(super) fn model(body: impl Fn() + Send + Sync + 'static) {
    let runs = std::sync::Arc::new(AtomicUsize::new(0));
    let counter = runs.clone();
    loom::model(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        body();
    });
    let runs = runs.load(Ordering::Relaxed);
    assert!(runs > 1, "only one interleaving was tried");
    println!("{runs} interleavings");
}

fn spawn(world: &Arc<World>, body: impl FnOnce(&World) + 'static) -> thread::JoinHandle<()> {
    let world = world.clone();
    thread::spawn(move || body(&world))
}

fn assert_whole(seen: Option<(u32, u32)>) {
    if let Some((a, b)) = seen {
        assert_eq!(a, b, "torn");
    }
}

#[test]
fn loom_a_copy_is_never_torn() {
    model(|| {
        let world = World::with_entry(1);
        let writer = spawn(&world, |world| {
            assert!(world.unlink());
            assert!(world.reuse(2));
        });
        assert_whole(world.copy());
        writer.join().unwrap();
        assert_eq!(world.copy(), Some((2, 2)));
    });
}

/// The one who reuses the block is another process than the one who unlinked its entry.
#[test]
fn loom_a_copy_is_not_torn_by_a_third_party() {
    model(|| {
        let world = World::with_entry(1);
        let unlinker = spawn(&world, |world| {
            world.unlink();
        });
        let other_writer = spawn(&world, |world| {
            world.reuse(2);
        });
        assert_whole(world.copy());
        unlinker.join().unwrap();
        other_writer.join().unwrap();
    });
}

/// A block that was free when the reader began.
#[test]
fn loom_a_new_entry_is_seen_whole() {
    model(|| {
        let world = World::with_free_block();
        let writer = spawn(&world, |world| {
            assert!(world.reuse(2));
        });
        if let Some(seen) = world.copy() {
            assert_eq!(seen, (2, 2), "seen before it was whole");
        }
        world.hold_late();
        writer.join().unwrap();
    });
}

/// The block leaves its place to another one and is reused under another name.
#[test]
fn loom_a_replaced_entry_is_not_read_torn() {
    model(|| {
        let world = World::with_entry(1);
        let reader = spawn(&world, |world| assert_whole(world.copy()));
        // By a block that readers here do not look into.
        let old = find_block_in(world.table(), HASH, BLOCK).unwrap();
        let tables = world.tables();
        assert!(tables.replace(old, BLOCK + 1, HASH, Some(world.word()), || ()));
        assert!(world.reuse(2));
        reader.join().unwrap();
    });
}

#[test]
fn loom_a_held_entry_does_not_change() {
    model(|| {
        let world = World::with_entry(1);
        let writer = spawn(&world, |world| {
            world.unlink();
            world.reuse(2);
        });
        world.hold_late();
        writer.join().unwrap();
    });
}

#[test]
fn loom_what_is_held_is_what_was_looked_for() {
    model(|| {
        let world = World::with_entry(1);
        let unlinker = spawn(&world, |world| {
            world.unlink();
        });
        let other_writer = spawn(&world, |world| {
            world.reuse(2);
        });
        world.hold_by_name();
        unlinker.join().unwrap();
        other_writer.join().unwrap();
    });
}

#[test]
fn loom_the_last_one_frees_and_only_one() {
    model(|| {
        let world = World::with_entry(1);
        assert!(refword::try_acquire(world.word()));
        let holder = {
            let world = world.clone();
            thread::spawn(move || refword::release(world.word()) == Released::Freed)
        };
        let unlinked = world.unlink();
        let released = holder.join().unwrap();
        assert!(unlinked ^ released, "freed {unlinked} and {released}");
        assert!(refword::is_free(world.word()));
        assert!(!refword::try_acquire(world.word()));
    });
}

/// A caller releases what it does not hold, beside one who holds.
#[test]
fn loom_a_release_too_many_is_put_right() {
    for linked in [true, false] {
        model(move || {
            let world = World::with_free_block();
            refword::publish(world.word(), linked, u32::from(!linked));
            let careless = {
                let world = world.clone();
                thread::spawn(move || refword::release(world.word()))
            };
            let held = linked && refword::try_acquire(world.word());
            let released = (held || !linked).then(|| refword::release(world.word()));
            let others = careless.join().unwrap();
            let of = |wanted| usize::from(released == Some(wanted)) + usize::from(others == wanted);
            assert_eq!(of(Released::Underflow), 1, "{released:?} {others:?}");
            assert_eq!(of(Released::Freed), usize::from(!linked));
            let expected = if linked { refword::LINKED } else { 0 };
            assert_eq!(world.word().load(Ordering::Relaxed), expected);
        });
    }
}

/// A writer dies after each of the steps of an unlink; the next one repairs and reuses the block.
#[test]
fn loom_death_in_an_unlink_is_repaired() {
    for steps in 0..3 {
        model(move || {
            let world = World::with_entry(1);
            let writers = spawn(&world, move |world| {
                if steps > 0 {
                    // `Bucket::unlink` up to the version, which is raised by the next step.
                    world.bucket(0).empty_for_model(0);
                }
                if steps > 1 {
                    world.bucket(0).touch();
                    refword::unlink(world.word());
                }
                // Here the next writer has the lock.
                world.recover();
                if steps > 1 {
                    // Whatever the dead one did, it may be done again.
                    refword::unlink(world.word());
                    assert_eq!(world.word().load(Ordering::Relaxed) & refword::LINKED, 0);
                }
                world.reuse(2);
            });
            assert_whole(world.copy());
            writers.join().unwrap();
            assert_whole(world.copy());
        });
    }
}

/// The table goes out of use, then the entry is unlinked from the new one and its block reused: only the
/// word of the table tells the reader, who is still in the old one.
#[test]
fn loom_a_reader_in_an_old_table_notices() {
    model(|| {
        let world = World::with_entry(1);
        let writer = spawn(&world, |world| {
            world.move_to_next(|next, block| {
                link_into(next, HASH, TAG, block).unwrap();
            });
            assert!(world.unlink());
            assert!(world.reuse(2));
        });
        assert_whole(world.copy());
        writer.join().unwrap();
        assert_eq!(world.copy(), Some((2, 2)));
    });
}

#[test]
fn loom_an_entry_is_found_during_a_switch() {
    model(|| {
        let world = World::with_entry(1);
        let writer = spawn(&world, |world| {
            world.move_to_next(|next, block| {
                link_into(next, HASH, TAG, block).unwrap();
            });
        });
        assert!(!world.misses(), "an entry that was linked was not found");
        writer.join().unwrap();
        assert_eq!(world.copy(), Some((1, 1)));
    });
}

/// An entry is moved, then goes to make room for one that is moved after it: no table has it any more.
#[test]
fn loom_what_makes_room_in_a_move_leaves_both_tables() {
    model(|| {
        let world = World::with_entry(1);
        link_into(world.table(), HASH, TAG + 1, BLOCK + 1).unwrap();
        let writer = spawn(&world, |world| {
            world.move_to_next(|next, block| {
                if block != BLOCK {
                    assert!(world.unlink());
                }
                link_into(next, HASH, TAG, block).unwrap();
            });
            assert!(find_block_in(world.table(), HASH, BLOCK).is_none());
            assert!(world.reuse(2));
        });
        assert_whole(world.copy());
        writer.join().unwrap();
        assert_eq!(world.copy(), Some((2, 2)));
    });
}

/// Makes every mistake of the list, each in a process of its own in which all the models run.
#[test]
fn loom_every_mutation_is_caught() {
    if std::env::var_os(mutation::VARIABLE).is_some() {
        return;
    }
    let myself = std::env::current_exe().unwrap();
    let mut missed = Vec::new();
    for mistake in mutation::ALL {
        let mut run = Command::new(&myself)
            .args(["loom_", "--skip", "loom_every_mutation_is_caught"])
            .env(mutation::VARIABLE, format!("{mistake:?}"))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        let status = loop {
            if let Some(status) = run.try_wait().unwrap() {
                break Some(status);
            }
            if start.elapsed() > Duration::from_secs(120) {
                run.kill().unwrap();
                run.wait().unwrap();
                break None;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        if status.is_none_or(|status| status.success()) {
            missed.push(mistake);
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
