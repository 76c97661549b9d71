//! Seeded mistakes: the model checks must catch each of them.
//!
//! A mistake is compiled in for models alone (`cfg(loom)`, `cfg(miri)`) and is active in a process whose environment
//! names it. The list of what the models catch is this enum; `loom_every_mutation_is_caught` goes through it.
//!
//! Not in the list, for they cannot matter:
//!
//! * The release of a store that empties a place, and of one that sets or counts tags, and the acquire of a load of
//!   tags: the version and the block number have both, and order such a store. A thread that was told of a linked entry
//!   sees the entry's tag by the same message.
//! * The fence in `Bucket::touch`: whoever fills a block has a fence of its own in between, also of one that was set
//!   aside. Memory given back to the kernel changes content, too, by a system call.
//! * That `Bucket::clear` empties its places before it raises the version: whoever reads in that table finds out by the
//!   table's word that it is not in use any more.
//! * The order in which `refword::unlink` clears the link: the lock orders writers, and whoever frees the block loads
//!   the word once more with acquire.
//! * Whether a block is let go of before it is taken out of its bucket, or after: the lock is held meanwhile. After a
//!   death in between a repair takes out what is not marked as linked, which it needs for nothing else.
//! * When a repair says that all is well: after a death the kernel says the contrary in any case.
//! * The last look at the table after an entry was missed: the look at each bucket has one.
//! * Whether the question is still open when somebody has sat down, or leaves a result: the check saves a query, or a
//!   look.
//! * A fence at the switch of tables: see `Tables::switch`.
//! * The acquire in `refword::give_reserved_back`, and the orders of the ring of hints: whoever frees the block asks
//!   `refword::is_free`.
//! * The acquire in `SharedText::is_in_use`: who takes a place acquires what its last writer did, the word among it.
//! * Orders of words that are written while there is one process with one thread: `Writer::size_table`, the pointer of
//!   `Cache::instance`, which another thread of a library's user may see late, or not yet.
//! * The orders of the words in which questions are claimed and of those that wait: all are SeqCst, and loom does not
//!   tell that from acquire and release well enough to show what less would do.
//!
//! Not in the list, although they matter, for no model has what they need:
//!
//! * The orders of the places of the reserve: who takes a block by its number looks at the size of its page first. A
//!   model would have to change what the page is used for.
//! * The orders of the numbers in `cache::owners`, and the pair of SeqCst in `host::metrics`: they are not behind
//!   `host::sync`. What is lost without them is that a copy of SRV records lives on for its TTL, or one count.
//! * The order in which a place of `lookup::board` is emptied: without it the reader might see words of the next notice,
//!   which loom, where nobody reads what is written later, does not try. The key of a notice tells, and it is dropped.

#[cfg(not(any(loom, miri)))]
use super::sync::Ordering;

macro_rules! mistakes {
    ($($(#[$about:meta])+ $name:ident,)+) => {
        /// A mistake that somebody could make in the lock-free protocol.
        #[cfg_attr(
            not(any(loom, miri)),
            allow(dead_code, reason = "some are made in the models only")
        )]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Mutation {
            $($(#[$about])+ $name,)+
        }

        /// Every mistake.
        #[cfg(any(loom, miri))]
        pub(crate) const ALL: &[Mutation] = &[$(Mutation::$name,)+];
    };
}

mistakes! {
    /// The reference word is stored without release: holders see old content.
    PublishRelaxed,
    /// The reference word is stored before the content.
    PublishFirst,
    /// A reference is taken without acquire: its holder sees old content.
    AcquireRelaxed,
    /// A reference to a block that is set aside is taken without acquire.
    ReservedRelaxed,
    /// Who takes a block that is set aside does not wait for the reads of its last holder.
    ReserveRelaxed,
    /// Nothing orders the end of an entry before what is written into its block when that was set aside.
    NoReservedFence,
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
    /// The block number is read without acquire: readers see old content.
    SlotRelaxed,
    /// The block number is stored without release: readers see old content.
    LinkRelaxed,
    /// The block number of an entry that takes another's place is stored without release.
    ReplaceRelaxed,
    /// The version is raised without release.
    VersionRelaxed,
    /// A repair does not raise the versions.
    RepairKeepsVersion,
    /// A reader uses what it read without the second look at the version.
    NoSecondLook,
    /// The reader does not notice that another table came into use.
    TableUnchecked,
    /// The address is read once more after the second look.
    AddressLate,
    /// An entry is missed without a second look at the bucket.
    MissUnchecked,
    /// The short look for whether there is anything is believed without a second one.
    AbsenceUnchecked,
    /// A bucket had nothing and is not looked at again for what came.
    VacancyByVersion,
    /// A bucket had nothing and is not looked at again for what went, or for another table.
    VacancyByTags,
    /// An entry that was found by its hash is not looked at again when it is held.
    HashUnchecked,
    /// A copy that was disturbed goes on where it was.
    CopyGoesOn,
    /// The table in use is read without acquire: readers see buckets of it as they were before.
    TableRelaxed,
    /// A reader reads the block after the second look.
    ReadLate,
    /// The switch to another table is stored without release: readers see buckets of it as they were before.
    SwitchRelaxed,
    /// A bucket counts as moved to the next table when all its entries are there, and not before.
    MovedLate,
    /// An entry that comes while buckets move is linked in the old table alone.
    LinkInOneTable,
    /// An entry that goes while buckets move is taken out of the old table alone.
    UnlinkInOneTable,
    /// An entry that takes another's place while buckets move does so in the old table alone.
    ReplaceInOneTable,
    /// A repair counts the entries that went past a bucket where readers look, from zero on.
    RecountFromZero,
    /// A new tag overwrites the count of the entries that went past its bucket.
    TagOverCount,
    /// A seat of a question is taken without a look at who took it meanwhile: three ask.
    SeatOverwritten,
    /// Who opened a question takes its first seat from another that sat down meanwhile.
    FirstSeatUnseen,
    /// Who stands up late gives away the seat that another has by then.
    SeatLeftUnseen,
    /// A question makes way for two others at the same time.
    WayMadeUnseen,
    /// The next question has the turn of the one before: seats and results of that one count.
    EndKeepsTurn,
    /// Who comes late ends whatever question is open.
    EndUnchecked,
    /// A question ends before its result is left.
    EndFirst,
    /// A result stays although all that waited have gone.
    WaitersUnchecked,
    /// Who waits takes the result of another turn.
    ResultOfAnyTurn,
    /// A parked entry is held without the second look at whether it is still parked.
    ParkedUnchecked,
    /// A text is put into use without release.
    TextRelaxed,
    /// The text in use is looked for without acquire.
    TextReadRelaxed,
    /// Nothing orders the reading of a text before the second look.
    NoTextFence,
    /// Nothing orders what a writer of a text saw before what it writes.
    NoClaimFence,
    /// A text is used without a second look at whether it is still in use.
    TextUnchecked,
    /// A writer fills a place without a second look at whether it came into use.
    PlaceUnchecked,
    /// A writer takes a place without acquire.
    PlaceTakenRelaxed,
    /// A writer gives its place back without release.
    PlaceFreedRelaxed,
    /// A writer gives up a place that came into use without release: the next one does not see that it did.
    PlaceGivenUpRelaxed,
    /// A pin is written without release: readers see an old text.
    PinRelaxed,
    /// A pin is looked at without acquire.
    PinReadRelaxed,
    /// Nothing orders the reading of a pin before the second look.
    NoPinReadFence,
    /// Nothing orders the end of a pin before the text of the next one.
    NoPinFence,
    /// A pin is used without a second look at whether it is still there.
    PinUnchecked,
    /// A notice is left without release: the reader sees an old one.
    NoticeRelaxed,
    /// A notice is taken without acquire.
    NoticeReadRelaxed,
    /// The end of a question is not told to those who wait: who just goes to sleep sleeps on.
    EndUntold,
    /// Who stands up from a question does not tell it.
    StoodUpUntold,
    /// Who opens another question in the place of one that nobody asks any more does not tell it.
    WayMadeUntold,
    /// The end of a question wakes nobody who came after an earlier look.
    WakesTheEarlier,
    /// A process that waits looks first whether the question is open, and then at the word that it sleeps on: it misses
    /// an end in between.
    NewsLate,
    /// Who gives up does not take back what it said: it counts among those that wait.
    PlaceStays,
    /// Of two that came at the same time each takes itself for the first.
    TieGivesUp,
    /// Who does not go on any more counts among those that wait.
    LapsedCounts,
    /// A lock among threads is taken without acquire: its holder sees old content.
    OwnTakenRelaxed,
    /// A lock among threads is given back without release: the next holder sees old content.
    OwnGivenRelaxed,
    /// A lock among threads is taken whatever became of its word since the look.
    OwnTakenUnseen,
    /// A thread that waits for the lock does not look at its word again, and misses that the lock was given back.
    OwnSeenOnce,
    /// A child waits for a thread of its parent.
    OwnParentHolds,
    /// A child goes on with what its parent had there.
    OwnParentsContent,
    /// A guard that came along in a fork gives back what a thread of the child holds.
    OwnGivenUnseen,
}

/// True when the mistake is to be made.
#[cfg(not(any(loom, miri)))]
#[inline(always)]
pub(crate) const fn seeded(_mutation: Mutation) -> bool {
    false
}

/// The ordering, or, when the mistake is to be made, none.
#[cfg(not(any(loom, miri)))]
#[inline(always)]
pub(crate) const fn ordering(_mutation: Mutation, right: Ordering) -> Ordering {
    right
}

#[cfg(loom)]
pub(crate) use active::VARIABLE;
#[cfg(any(loom, miri))]
pub(crate) use active::{ordering, seeded};

#[cfg(any(loom, miri))]
mod active {
    use std::sync::OnceLock;

    use super::super::sync::Ordering;
    use super::{ALL, Mutation};

    /// The environment variable that names the mistake to make.
    pub(crate) const VARIABLE: &str = "LOOM_MUTATION";

    fn active() -> Option<Mutation> {
        static ACTIVE: OnceLock<Option<Mutation>> = OnceLock::new();
        *ACTIVE.get_or_init(|| {
            let name = std::env::var(VARIABLE).ok()?;
            ALL.iter()
                .copied()
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
