//! Model checks of the lock-free protocol: `make loom`.
//!
//! Reference words, buckets with their versions, and the writing of content are the code that runs. The
//! steps of writers and readers, which work on mapped memory, call them in the order of `Writer` and
//! `Cache`, after which they are named. The content of an entry is two words that must always be
//! seen together; what holders read without atomics is a loom cell, which notices every race.
//!
//! [`Mutation`] lists the mistakes that these models catch; the last test makes each of them.

use std::process::Command;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use loom::thread;

use super::table::Bucket;
use crate::shm::mutation::{self, Mutation, seeded};
use crate::shm::refword::{self, Released};

/// Number of the only block.
const BLOCK: u32 = 1;
const TAG: u8 = 7;
/// Its reference word stands between the words of content.
const REFCNT: usize = 1;

/// One block, and a bucket in each of two tables.
struct World {
    table: AtomicU64,
    buckets: [Bucket; 2],
    words: [AtomicU32; 3],
    /// What is read by holders alone, without atomics.
    inner: UnsafeCell<u32>,
}

impl World {
    /// A world in which the block holds this value and is linked.
    fn with_entry(value: u32) -> Arc<Self> {
        let world = Self::with_free_block();
        world.fill(value);
        world.bucket(0).link(0, TAG, BLOCK);
        world
    }

    fn with_free_block() -> Arc<Self> {
        Arc::new(Self {
            table: AtomicU64::new(0),
            buckets: [Bucket::new(), Bucket::new()],
            words: std::array::from_fn(|_| AtomicU32::new(0)),
            inner: UnsafeCell::new(0),
        })
    }

    fn bucket(&self, table: u64) -> &Bucket {
        &self.buckets[table as usize]
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

    /// As `Writer::unlink`; true when that freed the block.
    fn unlink(&self, table: u64) -> bool {
        if seeded(Mutation::LetGoFirst) {
            let freed = refword::unlink(self.word());
            self.bucket(table).unlink(0);
            return freed;
        }
        self.bucket(table).unlink(0);
        refword::unlink(self.word())
    }

    /// As `Pages::allocate`, `Writer::fill` and `Writer::link`, if the block is free.
    fn reuse(&self, table: u64, value: u32) -> bool {
        if !refword::is_free(self.word()) {
            return false;
        }
        self.fill(value);
        self.bucket(table).link(0, TAG, BLOCK);
        true
    }

    /// As `Writer::recover` after a death: versions first, then what the table does not have is let go.
    fn recover(&self) {
        if !seeded(Mutation::RepairKeepsVersion) {
            self.bucket(0).touch();
        }
        if self.bucket(0).block(0) != BLOCK
            && self.word().load(Ordering::Relaxed) & refword::LINKED != 0
        {
            refword::unlink(self.word());
        }
    }

    /// As `Cache::look` with what `first_address` reads: nothing is held.
    fn copy(&self) -> Option<(u32, u32)> {
        let table = self.table.load(Ordering::Acquire);
        let bucket = self.bucket(table);
        let version = bucket.begin();
        bucket.find(TAG, |_, block| (block == BLOCK).then_some(()))?;
        let seen = (
            self.words[0].load(Ordering::Relaxed),
            self.words[2].load(Ordering::Relaxed),
        );
        self.undisturbed(bucket, version, table).then_some(seen)
    }

    /// As `Cache::is_undisturbed`.
    fn undisturbed(&self, bucket: &Bucket, version: u64, table: u64) -> bool {
        if seeded(Mutation::NoSecondLook) {
            return true;
        }
        bucket.unchanged(version)
            && (seeded(Mutation::TableUnchecked) || self.table.load(Ordering::Relaxed) == table)
    }

    /// As `Cache::hold`: the name is read first, then the reference is counted, then the version decides
    /// whether it was counted for the entry of that name.
    fn hold_by_name(&self) -> Option<u32> {
        let bucket = self.bucket(0);
        let version = bucket.begin();
        bucket.find(TAG, |_, block| (block == BLOCK).then_some(()))?;
        let name = self.words[0].load(Ordering::Relaxed);
        if !refword::try_acquire(self.word()) {
            return None;
        }
        let unchanged = bucket.unchanged(version) || seeded(Mutation::HoldNoSecondLook);
        if unchanged {
            assert_eq!(self.read_held(), name, "another entry is held");
        }
        assert_ne!(refword::release(self.word()), Released::Underflow);
        unchanged.then_some(name)
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
            assert!(world.unlink(0));
            assert!(world.reuse(0, 2));
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
            world.unlink(0);
        });
        let other_writer = spawn(&world, |world| {
            world.reuse(0, 2);
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
            assert!(world.reuse(0, 2));
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
        // As `Writer::replace`, with a block that readers here do not look into.
        world.bucket(0).replace(0, BLOCK + 1);
        assert!(refword::unlink(world.word()));
        assert!(world.reuse(1, 2));
        reader.join().unwrap();
    });
}

#[test]
fn loom_a_held_entry_does_not_change() {
    model(|| {
        let world = World::with_entry(1);
        let writer = spawn(&world, |world| {
            world.unlink(0);
            world.reuse(0, 2);
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
            world.unlink(0);
        });
        let other_writer = spawn(&world, |world| {
            world.reuse(0, 2);
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
        let unlinked = world.unlink(0);
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
                world.reuse(0, 2);
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
            // As `Writer::move_buckets`.
            world.bucket(1).link(0, TAG, BLOCK);
            world.table.store(1, Ordering::Release);
            assert!(world.unlink(1));
            assert!(world.reuse(1, 2));
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
