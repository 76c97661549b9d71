//! Points inside writer sections, and between the steps of a claim, at which a test can end the process.
//!
//! Without the feature `fault_injection` nothing of this is compiled in. With it, a child process arms
//! itself after fork; the process dies by SIGKILL, as it would by the kernel's or an operator's hand.

/// A place in a writer's section, named after what was just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillPoint {
    /// The lock was taken, nothing changed yet.
    LockTaken,
    /// A block was marked as used; nothing is in it.
    BlockTaken,
    /// An extent was given to a size class in part.
    ExtentHalfHandedOut,
    /// A page was marked as holding memory, but is not counted.
    PageCommitted,
    /// A list's head or neighbour was changed, the page itself not.
    ListEnterHalf,
    /// A page was taken out of a list in one direction.
    ListLeaveHalf,
    /// Half of an entry's content was written.
    ContentHalf,
    /// The content is whole, the reference word zero.
    ContentWritten,
    /// The reference word says linked, the table does not.
    Published,
    /// Buckets passed over were counted.
    OverflowCounted,
    /// The tag stands, the block number does not.
    TagSet,
    /// The table links the entry, nothing counts it.
    Linked,
    /// The new entry stands in the old one's place; the version is the old one.
    ReplacedSlot,
    /// As above, and the version is raised; the old entry is still marked as linked.
    ReplacedVersion,
    /// The place is empty; the version is the old one.
    UnlinkedSlot,
    /// As above, and the version is raised; the entry is still marked as linked.
    UnlinkedVersion,
    /// Buckets passed over were discounted.
    OverflowDiscounted,
    /// The reference word is zero, the allocator does not know.
    LetGo,
    /// The block was marked as free, the page's list is the old one.
    BlockFreed,
    /// The kernel took the memory, the page still counts.
    PageDiscarded,
    /// The page does not hold memory any more, but counts.
    PageUncommitted,
    /// A hint was taken out of the ring, the block not freed.
    HintTaken,
    /// Some entries are in the other table.
    TableHalfMoved,
    /// The other table is whole, but not in use.
    TableMoved,
    /// The other table is in use, the old one still counts.
    TableSwitched,
    /// The reserve names a block that is not set aside yet.
    ReserveNamed,
    /// The reserve names a block that is not set aside any more.
    ReserveFreed,
    /// A repair came as far as the table.
    RepairedTable,
    /// A repair came as far as the pages.
    RepairedPages,
    /// Not under the lock: a holder let go of the last reference and did not tell.
    HintReserved,
    /// A question was opened, and nobody has a seat.
    QuestionOpened,
    /// A seat was taken, and the question not sent.
    Seated,
    /// The result was left, and the question not ended.
    ResultLeft,
    /// The question was ended, and nobody told.
    QuestionEnded,
    /// The seat was left, and nobody told.
    StoodUp,
}

impl KillPoint {
    /// The number by which a point is armed, from 1 on.
    #[cfg(feature = "fault_injection")]
    #[must_use]
    pub fn number(self) -> u32 {
        self as u32 + 1
    }

    /// The points in the claim of a question (see `claim`): not under the lock either.
    #[cfg(feature = "fault_injection")]
    #[must_use]
    pub fn of_claims() -> [Self; 5] {
        [
            Self::QuestionOpened,
            Self::Seated,
            Self::ResultLeft,
            Self::QuestionEnded,
            Self::StoodUp,
        ]
    }

    /// The points in a change of the reserve, which only a change of `dns_cache_mem` comes to.
    #[cfg(feature = "fault_injection")]
    #[must_use]
    pub fn of_reserve() -> [Self; 2] {
        [Self::ReserveNamed, Self::ReserveFreed]
    }

    /// Every point of those who change entries.
    #[cfg(any(feature = "fault_injection", loom, miri))]
    #[must_use]
    pub fn all() -> [Self; 28] {
        [
            Self::LockTaken,
            Self::BlockTaken,
            Self::ExtentHalfHandedOut,
            Self::PageCommitted,
            Self::ListEnterHalf,
            Self::ListLeaveHalf,
            Self::ContentHalf,
            Self::ContentWritten,
            Self::Published,
            Self::OverflowCounted,
            Self::TagSet,
            Self::Linked,
            Self::ReplacedSlot,
            Self::ReplacedVersion,
            Self::UnlinkedSlot,
            Self::UnlinkedVersion,
            Self::OverflowDiscounted,
            Self::LetGo,
            Self::BlockFreed,
            Self::PageDiscarded,
            Self::PageUncommitted,
            Self::HintTaken,
            Self::TableHalfMoved,
            Self::TableMoved,
            Self::TableSwitched,
            Self::RepairedTable,
            Self::RepairedPages,
            Self::HintReserved,
        ]
    }
}

/// Says that the point was reached.
#[cfg(not(any(feature = "fault_injection", loom, miri)))]
#[inline(always)]
pub(crate) fn reached(_point: KillPoint) {}

#[cfg(any(loom, miri))]
pub(crate) use in_model::reached;

/// A thread that is killed in a model unwinds, without any of the steps that are left.
#[cfg(any(loom, miri))]
pub(crate) mod in_model {
    use std::cell::Cell;

    use super::KillPoint;

    thread_local! {
        static POINT: Cell<Option<KillPoint>> = const { Cell::new(None) };
    }

    /// The first thread that comes to the point is killed there.
    pub(crate) fn arm(point: Option<KillPoint>) {
        POINT.set(point);
    }

    pub(crate) fn reached(point: KillPoint) {
        if POINT.get() == Some(point) {
            POINT.set(None);
            std::panic::resume_unwind(Box::new(point));
        }
    }
}

#[cfg(all(feature = "fault_injection", not(any(loom, miri))))]
pub(crate) use armed::reached;
#[cfg(feature = "fault_injection")]
pub use armed::{arm, arm_to_stop, passed};

#[cfg(feature = "fault_injection")]
mod armed {
    #![allow(unsafe_code, reason = "kill")]

    use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

    use super::KillPoint;

    /// The point at which this process dies, and how often it passes there before. Children have their
    /// own after fork.
    static POINT: AtomicU32 = AtomicU32::new(0);
    static COUNTDOWN: AtomicU32 = AtomicU32::new(0);
    static PASSED: AtomicU32 = AtomicU32::new(0);
    /// The signal that the process gets there.
    static SIGNAL: AtomicI32 = AtomicI32::new(libc::SIGKILL);

    /// As [`arm`], but the process is stopped there, as by a debugger, until somebody has it go on.
    pub fn arm_to_stop(point: u32, times: u32) {
        SIGNAL.store(libc::SIGSTOP, Ordering::Relaxed);
        arm(point, times);
    }

    /// Lets this process die at the point with this number, after it came there `times` times; 0 disarms.
    pub fn arm(point: u32, times: u32) {
        COUNTDOWN.store(times, Ordering::Relaxed);
        PASSED.store(0, Ordering::Relaxed);
        POINT.store(point, Ordering::Relaxed);
    }

    /// How often the armed point was reached.
    pub fn passed() -> u32 {
        PASSED.load(Ordering::Relaxed)
    }

    /// Says that the point was reached.
    pub(crate) fn reached(point: KillPoint) {
        if POINT.load(Ordering::Relaxed) != point.number() {
            return;
        }
        PASSED.fetch_add(1, Ordering::Relaxed);
        let left = COUNTDOWN.load(Ordering::Relaxed);
        if left > 0 {
            COUNTDOWN.store(left - 1, Ordering::Relaxed);
            return;
        }
        // SAFETY: getpid has no preconditions.
        let pid = unsafe { libc::getpid() };
        let signal = SIGNAL.load(Ordering::Relaxed);
        if signal != libc::SIGKILL {
            POINT.store(0, Ordering::Relaxed);
        }
        // SAFETY: kills or stops this process.
        unsafe { libc::kill(pid, signal) };
    }
}
