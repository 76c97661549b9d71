//! The refresher: in Kamailio the slow timer's process, elsewhere a call or a thread of the program.
#![allow(unsafe_code, reason = "exported symbols")]

use std::collections::HashMap;
use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use super::guard::guard;
use super::resolve::current_flags;
use crate::cache::{Cache, due};
use crate::host::log::Level;
use crate::host::own_lock::OwnLock;
use crate::host::own_thread::{OfThread as _, OwnThread};
use crate::host::{clock, clock::TICKS_PER_S, follow, fork, thread};
use crate::lookup::refresh::{Job, Refresher, SILENCE, Worker};
use crate::lookup::snapshot::Saver;
use crate::resolver::{Background, Done, Question, Settings, servers};
use crate::rr::RecordType;
use crate::select::pins::Watch;
use crate::select::prefetch::Prefetch;

/// Ticks between two looks of the timer.
pub(super) const TICKS: u32 = TICKS_PER_S / 8;
/// The same for the thread of a standalone program.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the timer's thread waits for answers before it looks for further questions, ms.
const TURN_MS: u64 = 20;
/// How long it sleeps when there is nothing to do; the timer wakes it.
const SLEEP: Duration = Duration::from_secs(60);

/// The refresher of the timer process.
///
/// The timer must not wait, so it hands the questions to a thread, and stores the answers at a later
/// tick. The thread does nothing but network I/O, on settings that were read before: it calls nothing
/// of the host's and does not log.
#[derive(Default)]
struct TimerRefresher {
    refresher: Refresher,
    besides: Besides,
    jobs: HashMap<u64, Job>,
    tickets: u64,
    asker: Option<Asker>,
}

/// Other work that is done now and then where names are refreshed.
#[derive(Default)]
struct Besides {
    pins: Watch,
    prefetch: Prefetch,
    saver: Saver,
}

impl Besides {
    fn tick(&mut self, refresher: &mut Refresher) {
        follow::look_at_the_time();
        crate::lookup::say_when_fresh_again();
        self.pins.tick(refresher, current_flags);
        self.prefetch.tick(refresher, current_flags);
        self.saver.tick();
    }
}

/// The thread that asks.
struct Asker {
    thread: JoinHandle<()>,
    desk: Arc<Mutex<Desk>>,
}

/// Work that timer and thread hand each other.
#[derive(Default)]
struct Desk {
    orders: Vec<Order>,
    done: Vec<Done>,
    /// Questions that may be asked besides those that are ordered.
    room: usize,
}

/// A question to be asked.
struct Order {
    ticket: u64,
    qname: Vec<u8>,
    qtype: RecordType,
    settings: Settings,
    limit_ms: u64,
}

thread_local! {
    static OF_TIMER: OwnThread<fork::Own<TimerRefresher>> = const { OwnThread::new() };
}

/// A tick of the timer.
pub(super) fn on_tick() {
    servers::say_what_is_new();
    OF_TIMER.with_borrow_mut(|timer| {
        let timer = timer.get();
        timer.collect();
        timer.besides.tick(&mut timer.refresher);
        timer.dispatch();
    });
}

/// A tick, as Kamailio's timer makes it.
#[cfg(feature = "testing")]
pub fn tick_for_tests() {
    on_tick();
}

impl TimerRefresher {
    /// Stores what came back.
    fn collect(&mut self) {
        let Some(asker) = &self.asker else { return };
        if asker.thread.is_finished() {
            crate::log!(Level::Bug, "the thread that refreshes DNS data panicked");
            // The claims are given up, and what is due is found again.
            self.asker = None;
            self.begin_anew();
            return;
        }
        let done = std::mem::take(&mut asker.desk.lock().done);
        for Done { ticket, timed } in done {
            if let Some(job) = self.jobs.remove(&ticket) {
                self.refresher.settle(job, timed);
            }
        }
    }

    /// Nothing is asked any more.
    fn begin_anew(&mut self) {
        self.jobs.clear();
        self.refresher = Refresher::default();
    }

    fn dispatch(&mut self) {
        let room = match &self.asker {
            Some(asker) => asker.desk.lock().room,
            // The thread is started for the first question.
            None => 1,
        };
        let jobs = self.refresher.take(room);
        if jobs.is_empty() {
            return;
        }
        let Some(asker) = self.asker.take().or_else(Asker::start) else {
            drop(jobs);
            return self.begin_anew();
        };
        let settings = Settings::current();
        let mut desk = asker.desk.lock();
        desk.room = desk.room.saturating_sub(jobs.len());
        for job in jobs {
            self.tickets += 1;
            let Question { qname, qtype } = job.question();
            desk.orders.push(Order {
                ticket: self.tickets,
                qname: qname.to_vec(),
                qtype,
                settings: settings.clone(),
                limit_ms: job.limit_ms(),
            });
            self.jobs.insert(self.tickets, job);
        }
        drop(desk);
        asker.thread.thread().unpark();
        self.asker = Some(asker);
    }
}

impl Asker {
    fn start() -> Option<Self> {
        let desk = Arc::new(Mutex::new(Desk::default()));
        let ours = Arc::clone(&desk);
        match thread::spawn("dns-refresh", move || ask_what_is_ordered(&ours)) {
            Ok(thread) => Some(Self { thread, desk }),
            Err(error) => {
                crate::log!(Level::Err, "no thread to refresh DNS data: {error}");
                None
            }
        }
    }
}

/// The work of the timer's thread, as long as the process lives.
fn ask_what_is_ordered(desk: &Mutex<Desk>) {
    let mut background = Background::new();
    loop {
        let orders = std::mem::take(&mut desk.lock().orders);
        for order in orders {
            let question = Question {
                qname: &order.qname,
                qtype: order.qtype,
            };
            background.ask(order.ticket, &question, &order.settings, order.limit_ms);
        }
        let done = background.turn(clock::monotonic_ms().saturating_add(TURN_MS));
        let is_idle = {
            let mut desk = desk.lock();
            desk.done.extend(done);
            desk.room = background.room().saturating_sub(desk.orders.len());
            background.under_way() == 0 && desk.orders.is_empty()
        };
        if is_idle {
            std::thread::park_timeout(SLEEP);
        }
    }
}

/// A thread of a standalone program.
struct Running {
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
}

static RUNNING: OwnLock<Option<Running>> = OwnLock::new();

/// Refreshes what is due: names in use whose data expires soon, or has expired and is served stale.
///
/// For programs that have a loop of their own outside the processes that must not wait; to be
/// called a few times a second. The call blocks while nameservers are asked, at most 5 s a round.
/// Without such calls, and without `dns_refresh_start()`, the first process that uses an expired
/// name asks for all.
///
/// Returns the number of questions that were answered, or -1 when there is no cache.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_refresh_run() -> c_int {
    thread_local! {
        static OURS: OwnThread<(Worker, fork::Own<Besides>)> = const { OwnThread::new() };
    }
    guard!(-1, {
        if Cache::instance().is_none() {
            return -1;
        }
        let _whole = thread::uncancelled();
        let answered = OURS.with_borrow_mut(|worker| {
            let (worker, besides) = worker;
            if !worker.is_ours() {
                *worker = Worker::default();
            }
            besides.get().tick(worker.refresher());
            worker.run()
        });
        c_int::try_from(answered).unwrap_or(c_int::MAX)
    })
}

/// Starts a thread that does what `dns_refresh_run()` does, ten times a second, in this process.
///
/// To be called after the last fork, in one process of those that share the cache; a second call changes nothing. Not
/// for use inside Kamailio, whose slow timer refreshes. Returns 0, or -1 when there is no cache or no thread can be
/// started.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_refresh_start() -> c_int {
    guard!(-1, {
        let mut running = RUNNING.lock();
        if running.is_some() {
            return 0;
        }
        if Cache::instance().is_none() {
            return -1;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let work = move || {
            let (mut worker, mut besides) = (Worker::default(), Besides::default());
            while !told.load(Ordering::Acquire) {
                besides.tick(worker.refresher());
                worker.step();
                if worker.is_idle() {
                    std::thread::park_timeout(PAUSE);
                }
            }
            due::refresher_ends();
        };
        let Ok(thread) = thread::spawn("dns-refresh", work) else {
            return -1;
        };
        // From here on nobody asks for expired names but the thread.
        due::refresher_works(SILENCE);
        *running = Some(Running { thread, stop });
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
        running.stop.store(true, Ordering::Release);
        running.thread.thread().unpark();
        if running.thread.join().is_err() {
            crate::log!(Level::Bug, "the thread that refreshes DNS data panicked");
        }
    })
}
