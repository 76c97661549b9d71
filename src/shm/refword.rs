//! The word that decides whether a block is alive: references and the link of the table in one.
//!
//! `word == 0` means free, and nothing else does. Bit 30 is set while the table links the block; the
//! bits below count the references of holders. Because the link is a flag and not one more count,
//! unlinking is idempotent: a writer that takes over from a dead one may repeat it.
//!
//! The word is the `refcnt` member of `struct dns_hash_entry`; inline C code of Kamailio's modules
//! adds to it with a locked increment, which is compatible with everything here.

use super::kill_point::{KillPoint, reached};
use super::mutation::{Mutation, ordering, seeded};
use super::sync::{AtomicU32, Ordering, fence};

/// Set while the table links the block.
pub(crate) const LINKED: u32 = 1 << 30;
/// The count of holders.
pub(crate) const COUNT_MASK: u32 = LINKED - 1;
/// Holders that a block can have; a count above this one is below zero, see [`release`].
const MAX_HOLDERS: u32 = COUNT_MASK >> 1;

/// The effect of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Released {
    /// Others hold the block or the table links it.
    StillAlive,
    /// The reference was the last one: the block is free from here on.
    Freed,
    /// There was no reference to release; the word is as before.
    Underflow,
}

/// Takes one more reference if the block is alive.
///
/// The block may have been freed, or reused for another entry, at any time before: the caller must
/// check, after success, that it holds what it was looking for.
#[inline]
pub(crate) fn try_acquire(word: &AtomicU32) -> bool {
    let mut seen = word.load(Ordering::Relaxed);
    loop {
        let free = seen == 0 && !seeded(Mutation::AcquireFree);
        if free || seen & COUNT_MASK >= MAX_HOLDERS {
            return false;
        }
        // SYNC: acquire pairs with the release in `publish`: a thread that gets a reference sees the content.
        let order = ordering(Mutation::AcquireRelaxed, Ordering::Acquire);
        match word.compare_exchange_weak(seen, seen + 1, order, Ordering::Relaxed) {
            Ok(_) => return true,
            Err(actual) => seen = actual,
        }
    }
}

/// Takes one more reference for a holder that has one already.
#[inline]
pub(crate) fn acquire_held(word: &AtomicU32) {
    // SYNC: relaxed is enough, the caller's own reference keeps the content visible and alive.
    word.fetch_add(1, Ordering::Relaxed);
}

/// Gives one reference back.
///
/// A single locked instruction without a look before: when processors contend for the word, a look would fetch its
/// cache line once more.
///
/// A caller that releases what nobody holds takes the count below zero for a moment, until it is put right here:
/// meanwhile nobody gets a reference, nobody else's release is taken for the last, and the block is not free. A
/// writer that unlinks, fills or repairs the block in just that moment, or a caller that is killed in it, may
/// leave the block in use for ever. A release too many while somebody else holds the block cannot be told from
/// that one's own.
#[inline]
pub(crate) fn release(word: &AtomicU32) -> Released {
    // SYNC: release, so that the holder's reads come before the reuse of the block; acquire, so that the one
    // who frees it sees them. Pairs with the acquire load of `is_free`.
    let before = word.fetch_sub(1, ordering(Mutation::ReleaseRelaxed, Ordering::AcqRel));
    if !(1..=MAX_HOLDERS).contains(&(before & COUNT_MASK)) {
        if !seeded(Mutation::UnderflowStays) {
            // SYNC: nothing was read and nothing is handed over.
            word.fetch_add(1, Ordering::Relaxed);
        }
        return Released::Underflow;
    }
    let last = before == 1 || seeded(Mutation::FreeLinked) && before & COUNT_MASK == 1;
    if last {
        Released::Freed
    } else {
        Released::StillAlive
    }
}

/// Makes a filled block visible with the given holders; only for a free block, under the lock.
#[inline]
pub(crate) fn publish(word: &AtomicU32, linked: bool, holders: u32) {
    let value = holders | if linked { LINKED } else { 0 };
    // SYNC: pairs with the acquire in `try_acquire`.
    word.store(value, ordering(Mutation::PublishRelaxed, Ordering::Release));
}

/// The count of a block that is set aside, and that nobody holds. So many that no other block ever has them, and that
/// none which a caller releases without having it makes the block free.
pub(crate) const SET_ASIDE: u32 = 1 << 24;

/// True when the block is set aside, whoever has it. A release too many may have its count below [`SET_ASIDE`] for a
/// moment; no other block ever has half as many holders.
pub(crate) fn is_set_aside(word: &AtomicU32) -> bool {
    let holders = word.load(Ordering::Relaxed) & COUNT_MASK;
    (SET_ASIDE / 2..MAX_HOLDERS).contains(&holders)
}

/// Takes a block that is set aside, if nobody has it.
pub(crate) fn take_reserved(word: &AtomicU32) -> bool {
    // SYNC: acquire pairs with the release of its last holder, whose reads come before the new content.
    word.compare_exchange(
        SET_ASIDE,
        SET_ASIDE + 1,
        ordering(Mutation::ReserveRelaxed, Ordering::Acquire),
        Ordering::Relaxed,
    )
    .is_ok()
}

/// Makes a block that is set aside an ordinary free one, unless somebody has it.
pub(crate) fn give_reserved_back(word: &AtomicU32) -> bool {
    // SYNC: acquire, as in `take_reserved`, for whoever uses the block next.
    word.compare_exchange(SET_ASIDE, 0, Ordering::Acquire, Ordering::Relaxed)
        .is_ok()
}

/// Writes the content of a block that was taken with [`take_reserved`]. `place` is that of its reference word, which
/// stays: somebody who comes too late for another entry may hold it for a moment.
pub(crate) fn fill_reserved(words: &[AtomicU32], place: usize, content: &[[u8; 4]]) {
    // SYNC: as in `fill`: who sees a word of this content also sees that the block's former entry went.
    if !seeded(Mutation::NoReservedFence) {
        fence(Ordering::Release);
    }
    for (index, (word, octets)) in words.iter().zip(content).enumerate() {
        if index != place {
            word.store(u32::from_ne_bytes(*octets), Ordering::Relaxed);
        }
    }
    if let Some(word) = words.get(place) {
        // SYNC: pairs with the acquire in `try_acquire`, as the store of `publish`.
        word.fetch_add(0, ordering(Mutation::ReservedRelaxed, Ordering::Release));
    }
}

/// Writes the content of a free block, word by word, and publishes it; under the lock.
///
/// `words` are all words of the block, the one at `place` is its reference word, which `content` has
/// octets for, too, that do not matter.
#[inline]
pub(crate) fn fill(
    words: &[AtomicU32],
    place: usize,
    content: &[[u8; 4]],
    linked: bool,
    holders: u32,
) {
    let publish_in = |words: &[AtomicU32]| {
        if let Some(word) = words.get(place) {
            publish(word, linked, holders);
        }
    };
    if seeded(Mutation::PublishFirst) {
        publish_in(words);
    }
    // SYNC: pairs with the acquire fence of readers that hold nothing (`Bucket::unchanged`): who sees a
    // word of this content also sees that the block's former entry was taken out of its bucket.
    if !seeded(Mutation::NoContentFence) {
        fence(Ordering::Release);
    }
    let write = |words: &[AtomicU32], content: &[[u8; 4]]| {
        for (word, octets) in words.iter().zip(content) {
            word.store(u32::from_ne_bytes(*octets), Ordering::Relaxed);
        }
    };
    let (before, behind) = words.split_at_checked(place).unwrap_or((words, &[]));
    let (content_before, content_behind) =
        content.split_at_checked(place).unwrap_or((content, &[]));
    write(before, content_before);
    reached(KillPoint::ContentHalf);
    write(
        behind.get(1..).unwrap_or_default(),
        content_behind.get(1..).unwrap_or_default(),
    );
    reached(KillPoint::ContentWritten);
    if !seeded(Mutation::PublishFirst) {
        publish_in(words);
    }
    reached(KillPoint::Published);
}

/// Clears the link; true when that freed the block. Under the lock, after the table let go of it.
#[inline]
pub(crate) fn unlink(word: &AtomicU32) -> bool {
    // SYNC: as in `release`.
    word.fetch_and(!LINKED, Ordering::AcqRel) == LINKED
}

/// True when nobody holds or links the block, so that its memory may be reused (under the lock).
#[inline]
pub(crate) fn is_free(word: &AtomicU32) -> bool {
    // SYNC: pairs with the release in `release` and `unlink`.
    let seen = word.load(ordering(Mutation::ReuseRelaxed, Ordering::Acquire));
    seen == 0 || seeded(Mutation::FreeWhileHeld) && seen & LINKED == 0
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_linked_block_outlives_its_holders() {
        let word = AtomicU32::new(0);
        assert!(!try_acquire(&word));
        publish(&word, true, 1);
        assert!(try_acquire(&word));
        assert_eq!(release(&word), Released::StillAlive);
        assert_eq!(release(&word), Released::StillAlive);
        assert_eq!(release(&word), Released::Underflow);
        assert_eq!(word.load(Ordering::Relaxed), LINKED);
        assert!(unlink(&word));
        assert!(is_free(&word));
        assert!(!unlink(&word));
    }

    #[test]
    fn a_held_block_outlives_its_link() {
        let word = AtomicU32::new(0);
        publish(&word, true, 1);
        assert!(!unlink(&word));
        assert!(!is_free(&word));
        assert!(try_acquire(&word));
        assert_eq!(release(&word), Released::StillAlive);
        assert_eq!(release(&word), Released::Freed);
        assert!(is_free(&word));
        assert_eq!(release(&word), Released::Underflow);
        assert!(is_free(&word));
    }

    /// Whatever is released too often, and by how many at once: the count is right afterwards.
    #[test]
    fn too_many_releases_leave_the_word_as_it_was() {
        let word = AtomicU32::new(0);
        publish(&word, true, 0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        assert_ne!(release(&word), Released::Freed);
                    }
                });
            }
            scope.spawn(|| {
                for _ in 0..20_000 {
                    // Somebody else may take it for theirs.
                    if try_acquire(&word) {
                        assert_ne!(release(&word), Released::Freed);
                    }
                }
            });
        });
        assert_eq!(word.load(Ordering::Relaxed), LINKED);
        assert!(try_acquire(&word));
    }
}
