//! Model checks of the lock-free protocol: `RUSTFLAGS="--cfg loom" cargo test --lib --release loom`.
//!
//! The reference words are the code that runs; the steps of table and writer, which work on mapped memory,
//! stand here once more in the same order, named after where they are from. The content of an
//! entry is two words that must always be seen together. Seeded mistakes that these models catch, each
//! tried: publishing before the content is written; letting go before the version is raised; adding to
//! a word that is zero; freeing at the unlink instead of at zero; holding without the second look at the
//! version.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use loom::thread;

use super::refword::{self, Released};

/// One block, one place in a table.
struct World {
    slot: AtomicU32,
    version: AtomicU64,
    word: AtomicU32,
    content: [AtomicU32; 2],
}

impl World {
    fn with_entry(value: u32) -> Arc<Self> {
        let world = Self {
            slot: AtomicU32::new(1),
            version: AtomicU64::new(0),
            word: AtomicU32::new(refword::LINKED),
            content: [AtomicU32::new(value), AtomicU32::new(value)],
        };
        Arc::new(world)
    }

    /// As `Bucket::unlink` and `Writer::let_go`.
    fn unlink(&self) -> bool {
        self.slot.store(0, Ordering::Release);
        let next = self.version.load(Ordering::Relaxed) + 1;
        self.version.store(next, Ordering::Release);
        fence(Ordering::Release);
        refword::unlink(&self.word)
    }

    /// As `Writer::fill` and `Bucket::link`, if the block is free.
    fn reuse(&self, value: u32) -> bool {
        if !refword::is_free(&self.word) {
            return false;
        }
        fence(Ordering::Release);
        self.content[0].store(value, Ordering::Relaxed);
        self.content[1].store(value, Ordering::Relaxed);
        refword::publish(&self.word, true, 0);
        self.slot.store(1, Ordering::Release);
        true
    }

    /// As `Cache::look`.
    fn copy(&self) -> Option<(u32, u32)> {
        let version = self.version.load(Ordering::Acquire);
        if self.slot.load(Ordering::Acquire) == 0 {
            return None;
        }
        let seen = (
            self.content[0].load(Ordering::Relaxed),
            self.content[1].load(Ordering::Relaxed),
        );
        fence(Ordering::Acquire);
        (self.version.load(Ordering::Relaxed) == version).then_some(seen)
    }

    /// As `Cache::hold`: the name is read first, then the reference is counted, then the version decides
    /// whether it was counted for the entry of that name.
    fn hold_by_name(&self) -> Option<u32> {
        let version = self.version.load(Ordering::Acquire);
        if self.slot.load(Ordering::Acquire) == 0 {
            return None;
        }
        let name = self.content[0].load(Ordering::Relaxed);
        if !refword::try_acquire(&self.word) {
            return None;
        }
        fence(Ordering::Acquire);
        let unchanged = self.version.load(Ordering::Relaxed) == version;
        if unchanged {
            for word in &self.content {
                assert_eq!(word.load(Ordering::Relaxed), name, "another entry is held");
            }
        }
        assert_ne!(refword::release(&self.word), Released::Underflow);
        unchanged.then_some(name)
    }

    /// As `Cache::acquire_block`: what is held is looked at after it is held.
    fn hold(&self) -> Option<(u32, u32)> {
        if self.slot.load(Ordering::Acquire) == 0 || !refword::try_acquire(&self.word) {
            return None;
        }
        let seen = (
            self.content[0].load(Ordering::Relaxed),
            self.content[1].load(Ordering::Relaxed),
        );
        thread::yield_now();
        let again = (
            self.content[0].load(Ordering::Relaxed),
            self.content[1].load(Ordering::Relaxed),
        );
        assert_eq!(seen, again, "the entry changed under a holder");
        assert_ne!(refword::release(&self.word), Released::Underflow);
        Some(seen)
    }
}

#[test]
fn loom_a_copy_is_never_torn() {
    loom::model(|| {
        let world = World::with_entry(1);
        let writer = {
            let world = world.clone();
            thread::spawn(move || {
                assert!(world.unlink());
                assert!(world.reuse(2));
            })
        };
        if let Some((a, b)) = world.copy() {
            assert_eq!(a, b, "torn");
        }
        writer.join().unwrap();
        assert_eq!(world.copy(), Some((2, 2)));
    });
}

/// The one who reuses the block is another process than the one who unlinked its entry.
#[test]
fn loom_a_copy_is_not_torn_by_a_third_party() {
    loom::model(|| {
        let world = World::with_entry(1);
        let unlinker = {
            let world = world.clone();
            thread::spawn(move || {
                world.unlink();
            })
        };
        let other_writer = {
            let world = world.clone();
            thread::spawn(move || {
                world.reuse(2);
            })
        };
        if let Some((a, b)) = world.copy() {
            assert_eq!(a, b, "torn");
        }
        unlinker.join().unwrap();
        other_writer.join().unwrap();
    });
}

#[test]
fn loom_a_held_entry_does_not_change() {
    loom::model(|| {
        let world = World::with_entry(1);
        let writer = {
            let world = world.clone();
            thread::spawn(move || {
                world.unlink();
                world.reuse(2);
            })
        };
        if let Some((a, b)) = world.hold() {
            assert_eq!(a, b, "torn");
        }
        writer.join().unwrap();
    });
}

#[test]
fn loom_what_is_held_is_what_was_looked_for() {
    loom::model(|| {
        let world = World::with_entry(1);
        let unlinker = {
            let world = world.clone();
            thread::spawn(move || {
                world.unlink();
            })
        };
        let other_writer = {
            let world = world.clone();
            thread::spawn(move || {
                world.reuse(2);
            })
        };
        world.hold_by_name();
        unlinker.join().unwrap();
        other_writer.join().unwrap();
    });
}

#[test]
fn loom_the_last_one_frees_and_only_one() {
    loom::model(|| {
        let world = World::with_entry(1);
        assert!(refword::try_acquire(&world.word));
        let holder = {
            let world = world.clone();
            thread::spawn(move || refword::release(&world.word) == Released::Freed)
        };
        let unlinked = world.unlink();
        let released = holder.join().unwrap();
        assert!(
            unlinked ^ released,
            "freed {} times",
            u8::from(unlinked) + u8::from(released)
        );
        assert!(refword::is_free(&world.word));
        assert!(!refword::try_acquire(&world.word));
    });
}
