//! Counters of the library's own: always on, one row of plain words a process.
//!
//! A process writes only its own row, so counting costs two loads and a store, and no cache line travels. A
//! row is handed out at the first count of a process and keeps its numbers when the process ends. Processes
//! beyond 256, and threads of one process that count at the same moment, share a row and may lose
//! counts.

use std::cell::Cell;
use std::ffi::CStr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use super::clock;
use super::fork;
use super::shared::{Shared, Zeroed};

/// A counter; [`describe`] gives a name and a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Metric {
    /// Lookup answered by a live positive entry.
    Hit,
    /// Lookup answered by a live negative entry.
    NegativeHit,
    /// Lookup answered by a remembered failure.
    FailureHit,
    /// Lookup answered by an expired entry while or because it could not be refreshed.
    Stale,
    /// Lookup that had to wait for the network.
    Miss,
    /// Lookup that shared the query of another process.
    Coalesced,
    /// Entry fetched again before or after its expiry, with no caller waiting.
    Refreshed,
    /// Refresh that failed; the old entry was kept.
    RefreshFailed,
    /// Resolve of which a question had no answer in its part of the time.
    Deadline,
    /// Entry evicted because memory was short.
    Evicted,
    /// Entry not kept because memory was short.
    NotCached,
    /// Query sent over UDP.
    QueryUdp,
    /// Query sent over TCP.
    QueryTcp,
    /// Query that a server did not answer in time.
    Timeout,
    /// Answer SERVFAIL, REFUSED or the like.
    ServerError,
    /// Datagram that was no answer to the question (wrong id, server, question, cookie).
    Discarded,
    /// Call that ended because nothing led back to the NAPTR records that it came through.
    NaptrLost,
    /// Answer of which some records were not looked at because there were too many.
    AnswerCut,
    /// Call that might not send another query.
    QueryBudget,
    /// Call that ended at too many targets without address.
    TargetBudget,
    /// Record set that was to be kept for longer than anything is.
    TtlCapped,
    /// Packet that was sent again because no answer came.
    Resent,
    /// Question whether a server lives.
    Probe,
    /// Question that was asked although another process was asking it: that one did not go on, or took long.
    TakenOver,
    /// Answer that was not kept because the writer lock could not be had.
    LockBusy,
    /// Question that went on in the background when its caller had given up.
    HandedOn,
    /// The same, but there were too many.
    HandedOnDropped,
    /// Call that gave up because too many of those that serve with it waited.
    GivenUp,
    /// Question that had no answer, for whatever reason.
    Unanswered,
}

/// Number of metrics.
pub const METRICS: usize = Metric::Unanswered as usize + 1;

/// Names and one-line descriptions, in the order of [`Metric`].
const TEXTS: [(&CStr, &CStr); METRICS] = [
    (c"hits", c"lookups answered by a live record of the cache"),
    (
        c"negative_hits",
        c"lookups answered by a remembered absence",
    ),
    (c"failure_hits", c"lookups answered by a remembered failure"),
    (
        c"stale",
        c"lookups answered by an expired record that could not be, or was being, refreshed",
    ),
    (c"misses", c"lookups that had to wait for the network"),
    (
        c"coalesced",
        c"lookups that shared the query of another process",
    ),
    (
        c"refreshed",
        c"entries fetched again with no caller waiting",
    ),
    (c"refresh_failed", c"refreshes that failed"),
    (
        c"deadline",
        c"resolves that dns_resolve_deadline ended, or a question of theirs",
    ),
    (c"evicted", c"entries evicted because memory was short"),
    (c"not_cached", c"entries not kept because memory was short"),
    (c"queries_udp", c"queries sent over UDP"),
    (c"queries_tcp", c"queries sent over TCP"),
    (c"timeouts", c"queries that a server did not answer in time"),
    (c"server_errors", c"answers SERVFAIL, REFUSED or the like"),
    (
        c"discarded",
        c"datagrams that were no answer to the question",
    ),
    (
        c"naptr_lost",
        c"calls that ended because nothing led back to their NAPTR records",
    ),
    (
        c"answers_cut",
        c"answers of which some records were not looked at because there were too many",
    ),
    (
        c"query_budget",
        c"resolves that had sent dns_max_queries and would have sent more",
    ),
    (
        c"target_budget",
        c"resolves that ended at too many targets without address",
    ),
    (
        c"ttl_capped",
        c"record sets with a TTL of more than seven days",
    ),
    (c"resends", c"packets sent again because no answer came"),
    (c"probes", c"questions whether a server lives"),
    (
        c"taken_over",
        c"questions asked although another process was asking them, which did not go on or took long",
    ),
    (
        c"lock_busy",
        c"answers not kept because a process that changes the cache does not go on",
    ),
    (
        c"handed_on",
        c"questions that went on in the background when their caller had given up",
    ),
    (
        c"handed_on_dropped",
        c"questions that did not go on in the background because there were too many",
    ),
    (
        c"given_up",
        c"calls that gave up because too many processes waited for DNS (dns_max_waiting)",
    ),
    (
        c"unanswered",
        c"questions that had no answer that could be used, which the log says now and then",
    ),
];

/// The description of a metric.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// The metric's name for people and programs.
    pub name: &'static CStr,
    /// The events that the metric counts.
    pub help: &'static CStr,
}

/// The metric at a position, from 0 on.
#[must_use]
pub fn describe(index: usize) -> Option<Description> {
    TEXTS
        .get(index)
        .map(|&(name, help)| Description { name, help })
}

/// Sum over all processes of the metric at a position; 0 where there is none.
#[must_use]
pub fn value_at(index: usize) -> u64 {
    if index < METRICS { sum(index) } else { 0 }
}

/// Rows, one for each process.
const ROWS: usize = 256;
/// Words of a row: whole cache lines.
const ROW_WORDS: usize = METRICS.next_multiple_of(8);

#[repr(C, align(64))]
struct Row([AtomicU64; ROW_WORDS]);

#[repr(C)]
struct Block {
    /// Rows handed out so far.
    taken: AtomicU32,
    /// When counting began, ms; 0 = not yet.
    began_ms: AtomicU64,
    rows: [Row; ROWS],
}

#[allow(unsafe_code, reason = "marks types as fit for shared memory")]
// SAFETY: repr(C), atomics only.
unsafe impl Zeroed for Row {}
#[allow(unsafe_code, reason = "marks types as fit for shared memory")]
// SAFETY: repr(C), atomics and rows of atomics.
unsafe impl Zeroed for Block {}

static BLOCK: Shared<Block> = Shared::new();

/// Maps the rows; before fork.
pub fn prepare() {
    let now_ms = clock::monotonic_coarse_ms().max(1);
    let began_ms = &BLOCK.get().began_ms;
    // A second call changes nothing.
    let _ = began_ms.compare_exchange(0, now_ms, Ordering::Relaxed, Ordering::Relaxed);
}

/// How long the counters have been counting, s.
#[must_use]
pub fn uptime_s() -> u64 {
    let began_ms = BLOCK.get().began_ms.load(Ordering::Relaxed);
    let now_ms = clock::monotonic_coarse_ms();
    let began_ms = if began_ms == 0 { now_ms } else { began_ms };
    now_ms.saturating_sub(began_ms) / 1000
}

/// Adds one.
#[inline]
pub fn count(metric: Metric) {
    if let Some(cell) = row().0.get(metric as usize) {
        // Only this process writes the row, so nothing is lost without a locked addition.
        cell.store(
            cell.load(Ordering::Relaxed).wrapping_add(1),
            Ordering::Relaxed,
        );
    }
}

#[inline]
#[allow(unsafe_code, reason = "a pointer to a static row")]
fn row() -> &'static Row {
    let mine = fork::COUNTS.load(Ordering::Relaxed).cast::<Row>();
    if mine.is_null() {
        return row_of_thread();
    }
    // SAFETY: `row_of_thread` stored a reference with static lifetime.
    unsafe { &*mine }
}

/// The row of this process, and the generation of the process that it was handed out to.
static OWN: AtomicPtr<Row> = AtomicPtr::new(std::ptr::null_mut());
static OWN_OF: AtomicU32 = AtomicU32::new(0);

/// The row that takes counts while somebody only wants to know what a call would do; nobody reads it.
static ASIDE: Row = Row([const { AtomicU64::new(0) }; ROW_WORDS]);

thread_local! {
    /// This thread only wants to know what a call would do.
    static IS_ASIDE: Cell<bool> = const { Cell::new(false) };
}

/// The row for what this thread does. Where all threads count in the same one, that is found without asking from then on.
#[cold]
fn row_of_thread() -> &'static Row {
    if is_uncounted() {
        return &ASIDE;
    }
    let row = own_row();
    if fork::THREADS_ASIDE.load(Ordering::SeqCst) == 0 {
        let place = std::ptr::from_ref(row).cast_mut().cast();
        fork::COUNTS.store(place, Ordering::SeqCst);
        // SYNC: the other of the two is `Looker::new`: one of them sees what the other wrote.
        if fork::THREADS_ASIDE.load(Ordering::SeqCst) != 0 {
            fork::COUNTS.store(std::ptr::null_mut(), Ordering::SeqCst);
        }
    }
    row
}

#[allow(unsafe_code, reason = "a pointer to a static row")]
fn own_row() -> &'static Row {
    // A child must not go on in its parent's row.
    fork::watch();
    let generation = fork::generation();
    if OWN_OF.load(Ordering::Acquire) == generation {
        // SAFETY: a reference with static lifetime was stored before the generation.
        return unsafe { &*OWN.load(Ordering::Relaxed) };
    }
    let block = BLOCK.get();
    let index = block.taken.fetch_add(1, Ordering::Relaxed) as usize;
    let [first, ..] = &block.rows;
    let row = block.rows.get(index.min(ROWS - 1)).unwrap_or(first);
    OWN.store(std::ptr::from_ref(row).cast_mut(), Ordering::Relaxed);
    OWN_OF.store(generation, Ordering::Release);
    row
}

/// A thread that counts aside as long as this lives, unless it did so before.
struct Looker {
    was_aside: bool,
}

impl Looker {
    fn new() -> Self {
        fork::watch();
        let looker = Self {
            was_aside: IS_ASIDE.replace(true),
        };
        fork::THREADS_ASIDE.fetch_add(1, Ordering::SeqCst);
        fork::COUNTS.store(std::ptr::null_mut(), Ordering::SeqCst);
        looker
    }
}

/// Also after a panic.
impl Drop for Looker {
    fn drop(&mut self) {
        IS_ASIDE.set(self.was_aside);
        // A child of this thread has begun anew.
        let threads = &fork::THREADS_ASIDE;
        let _ = threads.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
    }
}

/// Runs `work` without counting what this thread does meanwhile: no traffic, but somebody who looks. Other threads of
/// the process go on counting.
pub fn uncounted<T>(work: impl FnOnce() -> T) -> T {
    let _looker = Looker::new();
    work()
}

/// True within [`uncounted`].
#[must_use]
#[inline]
pub fn is_uncounted() -> bool {
    // A word of the process is read for less than one of the thread.
    fork::THREADS_ASIDE.load(Ordering::Relaxed) != 0 && IS_ASIDE.get()
}

/// Sum over all processes.
#[must_use]
pub fn value(metric: Metric) -> u64 {
    sum(metric as usize)
}

fn sum(index: usize) -> u64 {
    BLOCK
        .get()
        .rows
        .iter()
        .filter_map(|row| row.0.get(index))
        .map(|cell| cell.load(Ordering::Relaxed))
        .fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_at_is_not_counted() {
        let before = value(Metric::NaptrLost);
        let inside = uncounted(|| {
            count(Metric::NaptrLost);
            is_uncounted()
        });
        assert!(inside && !is_uncounted());
        assert_eq!(value(Metric::NaptrLost), before);
        let _ = std::panic::catch_unwind(|| uncounted(|| panic!("within")));
        assert!(!is_uncounted());
        count(Metric::NaptrLost);
        assert_eq!(value(Metric::NaptrLost), before + 1);
    }

    /// Two threads look at the same time, and the first that began is the first that ends.
    #[test]
    #[cfg(not(loom))]
    fn who_looks_does_not_stop_the_counting_of_others() {
        use std::sync::mpsc::channel;
        let before = value(Metric::GivenUp);
        let (begun, begins) = channel();
        let (ended, ends) = channel();
        let seen = std::thread::scope(|scope| {
            let other = scope.spawn(move || {
                uncounted(|| {
                    begun.send(()).unwrap();
                    ends.recv().unwrap();
                    is_uncounted()
                })
            });
            uncounted(|| begins.recv().unwrap());
            let is_mine = is_uncounted();
            count(Metric::GivenUp);
            ended.send(()).unwrap();
            (other.join().unwrap(), is_mine)
        });
        assert_eq!(seen, (true, false));
        assert!(!is_uncounted());
        count(Metric::GivenUp);
        assert_eq!(value(Metric::GivenUp), before + 2);
    }

    #[test]
    #[cfg(not(any(loom, miri)))]
    fn counts_of_children_are_in_the_sum() {
        prepare();
        let before = value(Metric::Discarded);
        count(Metric::Discarded);
        #[allow(unsafe_code, reason = "fork")]
        // SAFETY: the child only counts and leaves.
        let child = unsafe { libc::fork() };
        if child == 0 {
            count(Metric::Discarded);
            count(Metric::Discarded);
            #[allow(unsafe_code, reason = "ends the child")]
            // SAFETY: ends the child without running anything of the parent's.
            unsafe {
                libc::_exit(0)
            };
        }
        let mut status = 0;
        #[allow(unsafe_code, reason = "waits for the child")]
        // SAFETY: waits for the child made above.
        let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(waited, child);
        assert_eq!(value(Metric::Discarded) - before, 3);
    }
}
