//! Seeded mistakes: the model checks must catch each of them.
//!
//! A mistake is compiled in under `cfg(loom)` alone and is active in a process whose environment names
//! it. The list of what the models catch is this enum; `loom_every_mutation_is_caught` goes through it.

#[cfg(not(loom))]
use super::sync::Ordering;

/// A mistake that somebody could make in the lock-free protocol.
#[cfg_attr(
    not(loom),
    allow(dead_code, reason = "some are made in the models only")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// The reference word is stored without release: holders see old content.
    PublishRelaxed,
    /// The reference word is stored before the content.
    PublishFirst,
    /// A reference is taken to a free block.
    AcquireFree,
    /// A block is reused while somebody holds it.
    FreeWhileHeld,
    /// A holder's reads may come after its release.
    ReleaseRelaxed,
    /// The one who reuses a block does not wait for the reads of its last holder.
    ReuseRelaxed,
    /// A release of what was not held stays counted.
    UnderflowStays,
    /// The last holder frees although the table links the block.
    FreeLinked,
    /// The link counts like a reference, so that to clear it twice is once too often.
    UnlinkCounts,
    /// The bucket's version stays as it is when an entry is taken out.
    NoVersion,
    /// The version is raised before the entry is taken out.
    VersionFirst,
    /// The version is raised before the entry is replaced.
    ReplaceVersionFirst,
    /// Nothing orders the version before the content of the next entry.
    NoContentFence,
    /// Nothing orders the reading of the content before the second look at the version.
    NoReadFence,
    /// The first look at the version is not ordered before the look at the bucket.
    BeginRelaxed,
    /// The block number is stored without release: readers see old content.
    LinkRelaxed,
    /// The block is let go of before it is taken out of the bucket.
    LetGoFirst,
    /// A repair does not raise the versions.
    RepairKeepsVersion,
    /// What was read is used without the second look at the version.
    NoSecondLook,
    /// The reader does not notice that another table came into use.
    TableUnchecked,
    /// What is read of a block is read after the second look.
    ReadLate,
    /// The switch to another table is stored without release: readers see buckets of it as they were before.
    SwitchRelaxed,
    /// A bucket counts as moved to the next table when all its entries are there, and not before.
    MovedLate,
    /// A repair counts the entries that went past a bucket where readers look, from zero on.
    RecountFromZero,
    /// A new tag overwrites the count of the entries that went past its bucket.
    TagOverCount,
    /// A seat of a question is taken without a look at who took it meanwhile: three ask.
    SeatOverwritten,
    /// The next question has the turn of the one before: seats and results of that one count.
    EndKeepsTurn,
    /// Who comes late ends whatever question is open.
    EndUnchecked,
    /// A question ends before its result is left.
    EndFirst,
    /// Who waits takes the result of another turn.
    ResultOfAnyTurn,
    /// What was parked is taken hold of without the second look at whether it still is.
    ParkedUnchecked,
    /// Who gives up does not take back what it said: it counts among those that wait.
    PlaceStays,
    /// Of two that came at the same time each takes itself for the first.
    TieGivesUp,
    /// Who does not go on any more counts among those that wait.
    LapsedCounts,
}

/// True when the mistake is to be made.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) const fn seeded(_mutation: Mutation) -> bool {
    false
}

/// The ordering, or, when the mistake is to be made, none.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) const fn ordering(_mutation: Mutation, right: Ordering) -> Ordering {
    right
}

#[cfg(all(loom, test))]
pub(crate) use active::{ALL, VARIABLE};
#[cfg(loom)]
pub(crate) use active::{ordering, seeded};

#[cfg(loom)]
mod active {
    use std::sync::OnceLock;

    use super::super::sync::Ordering;
    use super::Mutation;

    /// The environment variable that names the mistake to make.
    pub(crate) const VARIABLE: &str = "LOOM_MUTATION";

    /// Every mistake.
    pub(crate) const ALL: [Mutation; 34] = [
        Mutation::PublishRelaxed,
        Mutation::PublishFirst,
        Mutation::AcquireFree,
        Mutation::FreeWhileHeld,
        Mutation::ReleaseRelaxed,
        Mutation::ReuseRelaxed,
        Mutation::UnderflowStays,
        Mutation::FreeLinked,
        Mutation::UnlinkCounts,
        Mutation::NoVersion,
        Mutation::VersionFirst,
        Mutation::ReplaceVersionFirst,
        Mutation::NoContentFence,
        Mutation::NoReadFence,
        Mutation::BeginRelaxed,
        Mutation::LinkRelaxed,
        Mutation::LetGoFirst,
        Mutation::RepairKeepsVersion,
        Mutation::NoSecondLook,
        Mutation::TableUnchecked,
        Mutation::ReadLate,
        Mutation::SwitchRelaxed,
        Mutation::MovedLate,
        Mutation::RecountFromZero,
        Mutation::TagOverCount,
        Mutation::SeatOverwritten,
        Mutation::EndKeepsTurn,
        Mutation::EndUnchecked,
        Mutation::EndFirst,
        Mutation::ResultOfAnyTurn,
        Mutation::ParkedUnchecked,
        Mutation::PlaceStays,
        Mutation::TieGivesUp,
        Mutation::LapsedCounts,
    ];

    fn active() -> Option<Mutation> {
        static ACTIVE: OnceLock<Option<Mutation>> = OnceLock::new();
        *ACTIVE.get_or_init(|| {
            let name = std::env::var(VARIABLE).ok()?;
            ALL.into_iter()
                .find(|mutation| format!("{mutation:?}") == name)
        })
    }

    pub(crate) fn seeded(mutation: Mutation) -> bool {
        active() == Some(mutation)
    }

    pub(crate) fn ordering(mutation: Mutation, right: Ordering) -> Ordering {
        if seeded(mutation) {
            Ordering::Relaxed
        } else {
            right
        }
    }
}
