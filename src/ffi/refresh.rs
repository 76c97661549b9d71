//! Who refreshes: in Kamailio the slow timer's process, elsewhere a call or a thread of the program.
#![allow(unsafe_code, reason = "exported symbols")]

use std::cell::RefCell;
use std::ffi::c_int;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use super::guard::guard;
use crate::cache::{Cache, due};
use crate::host::log::Level;
use crate::host::{clock::TICKS_PER_S, fork, thread};
use crate::lookup::refresh::{self, Job, LIMIT_MS, Refresher, SILENCE};
use crate::resolver::{self, Question, Settings, Timed};
use crate::rr::RecordType;

/// Ticks between two looks of the timer.
pub(super) const TICKS: u32 = TICKS_PER_S / 8;
/// The same for the thread of a standalone program.
const PAUSE: Duration = Duration::from_millis(100);
/// Batches under way at a time: one that a server keeps waiting holds up a few names, not all.
const MAX_BATCHES: usize = 4;

/// A thread that asks, and what it asks for.
type Batch = (JoinHandle<Vec<Timed>>, Vec<Job>);

/// The refresher of the timer process.
///
/// The timer must not wait, so it hands the questions to a thread, and stores the answers at a later
/// tick. The thread does nothing but network I/O, on settings that were read before: it calls nothing
/// of the host's and does not log.
#[derive(Default)]
struct TimerRefresher {
    refresher: Refresher,
    batches: Vec<Batch>,
}

thread_local! {
    static OF_TIMER: RefCell<TimerRefresher> = RefCell::default();
}

/// One tick of the timer.
pub(super) fn on_tick() {
    OF_TIMER.with_borrow_mut(|timer| {
        timer.collect();
        if timer.batches.len() < MAX_BATCHES {
            timer.dispatch();
        } else {
            due::refresher_works(SILENCE);
        }
    });
}

/// One tick, as Kamailio's timer makes it.
#[doc(hidden)]
pub fn tick_for_tests() {
    on_tick();
}

impl TimerRefresher {
    /// Stores what came back.
    fn collect(&mut self) {
        let (done, waiting) = std::mem::take(&mut self.batches)
            .into_iter()
            .partition(|(thread, _)| thread.is_finished());
        self.batches = waiting;
        let done: Vec<Batch> = done;
        for (thread, jobs) in done {
            // After a panic the claims are given up, and whoever uses the names has them noted again.
            let Ok(answered) = thread.join() else {
                crate::log!(Level::Bug, "a thread that refreshes DNS data panicked");
                continue;
            };
            let questions: Vec<Question<'_>> = jobs.iter().map(Job::question).collect();
            resolver::note_slow_queries(&questions, &answered);
            for (job, timed) in jobs.into_iter().zip(answered) {
                self.refresher.settle(job, timed.outcome);
            }
        }
    }

    fn dispatch(&mut self) {
        let jobs = self.refresher.take();
        if jobs.is_empty() {
            return;
        }
        let settings = Settings::current();
        let questions: Vec<(Vec<u8>, RecordType)> = jobs
            .iter()
            .map(|job| (job.question().qname.to_vec(), job.question().qtype))
            .collect();
        let until_ms = resolver::now_ms().saturating_add(LIMIT_MS);
        let work = move || {
            let questions: Vec<Question<'_>> = questions
                .iter()
                .map(|(qname, qtype)| Question {
                    qname,
                    qtype: *qtype,
                })
                .collect();
            resolver::query_with(&settings, &questions, Some(until_ms))
        };
        match thread::spawn("dns-refresh", work) {
            Ok(thread) => self.batches.push((thread, jobs)),
            Err(error) => crate::log!(Level::Err, "no thread to refresh DNS data: {error}"),
        }
    }
}

/// A thread of a standalone program.
struct Running {
    /// Never dropped by itself: in a child of the process that has the thread that would detach a thread that is
    /// not there, or one that has its place since.
    thread: ManuallyDrop<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    /// The process that has it.
    generation: u32,
}

static RUNNING: Mutex<Option<Running>> = Mutex::new(None);

/// Refreshes what is due: names in use whose data expires soon, or has expired and is served stale.
///
/// For programs that have a loop of their own outside the processes that must not wait; to be called a
/// few times a second. It blocks while nameservers are asked, at most 5 s a round. Without such calls,
/// and without `dns_refresh_start()`, the first process that uses an expired name asks for all.
///
/// Returns the number of questions that were answered, or -1 when there is no cache.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_refresh_run() -> c_int {
    thread_local! {
        static OURS: RefCell<Refresher> = RefCell::default();
    }
    guard!(-1, {
        if Cache::instance().is_none() {
            return -1;
        }
        let answered = OURS.with_borrow_mut(refresh::run);
        c_int::try_from(answered).unwrap_or(c_int::MAX)
    })
}

/// Starts a thread that does what `dns_refresh_run()` does, ten times a second, in this process.
///
/// To be called after the last fork, in one process of those that share the cache; a second call changes
/// nothing. Not for use inside Kamailio, whose slow timer refreshes. Returns 0, or -1 when there is no
/// cache or no thread can be started.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_refresh_start() -> c_int {
    guard!(-1, {
        let mut running = RUNNING.lock();
        let generation = fork::generation();
        if running.as_ref().is_some_and(|r| r.generation == generation) {
            return 0;
        }
        if Cache::instance().is_none() {
            return -1;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let work = move || {
            let mut refresher = Refresher::default();
            while !told.load(Ordering::Acquire) {
                refresh::run(&mut refresher);
                std::thread::park_timeout(PAUSE);
            }
            due::refresher_ends();
        };
        let Ok(thread) = thread::spawn("dns-refresh", work) else {
            return -1;
        };
        // From here on nobody asks for expired names but the thread.
        due::refresher_works(SILENCE);
        *running = Some(Running {
            thread: ManuallyDrop::new(thread),
            stop,
            generation,
        });
        0
    })
}

/// Ends the thread of `dns_refresh_start()` and waits for it; nothing without one.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_refresh_stop() {
    guard!((), {
        let Some(running) = RUNNING.lock().take() else {
            return;
        };
        if running.generation != fork::generation() {
            // The parent's.
            return;
        }
        running.stop.store(true, Ordering::Release);
        running.thread.thread().unpark();
        if ManuallyDrop::into_inner(running.thread).join().is_err() {
            crate::log!(Level::Bug, "the thread that refreshes DNS data panicked");
        }
    })
}
