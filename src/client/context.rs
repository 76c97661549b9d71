//! A context: the engine, and the desk at which threads leave requests and fetch those that ended.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::os::fd::RawFd;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use crate::host::{clock, fork, poll, thread};
use crate::lookup::asker::Waker;
use crate::lookup::suspended::Asks;
use crate::select::Transport;
use crate::select::sip_uri::Destination;
use crate::select::suspended::{Ended, Lack, Progress, Search, Terms};

use super::engine::Engine;
use super::failed::Failed;
use super::finished::Finished;
use super::request::{Home, Outcome, Place, Request, Trouble};
use super::watch::{self, Changes, Tell, Watch, Watched};

/// Requests that may be under way, at first.
const MOST_REQUESTS: u32 = 10_000;
/// Time for a step, at first, µs.
const STEP_US: u32 = 300;
/// Requests that are taken up in one step.
const ARRIVALS_IN_A_ROW: usize = 64;
/// How often a thread that waits looks again while another works with the engine, ms.
const BUSY_MS: u64 = 10;

/// A setting of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Requests that may be under way.
    MostRequests,
    /// Time for requests that say none, ms; 0 = as the library's option says.
    DeadlineMs,
    /// Time for a step, µs.
    StepUs,
    /// Time between two looks at the watched names, ms.
    WatchMs,
}

/// Why a request was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// As many are under way as may be.
    Shed,
    /// The context belongs to the parent process, or is closed.
    NotOurs,
}

/// A context.
#[derive(Debug)]
pub struct Context {
    generation: u32,
    descriptor: RawFd,
    waker: Waker,
    desk: Mutex<Desk>,
}

/// The part that threads share. The lock is held for moments: nothing is sent, stored or said under it.
#[derive(Debug)]
struct Desk {
    /// `None` while a thread works with it.
    engine: Option<Box<Engine>>,
    arrivals: fork::Own<VecDeque<(u64, Box<Search>)>>,
    cancelled: Vec<u64>,
    requests: HashMap<u64, Arc<Request>>,
    finished: Finished,
    watches: HashMap<u64, Watched>,
    failed: Failed,
    last_id: u64,
    most_requests: u32,
    deadline_ms: u32,
    step_us: u32,
    watch_ms: u32,
    is_closed: bool,
}

/// The engine in the hands of a thread; it goes back whatever happens.
struct Borrowed<'c> {
    context: &'c Context,
    engine: Option<Box<Engine>>,
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let mut desk = self.context.desk.lock();
        if !desk.is_closed {
            desk.engine = self.engine.take();
        }
    }
}

impl Context {
    /// Opens a context.
    ///
    /// # Errors
    /// The kernel gives no event queue.
    pub fn open() -> io::Result<Arc<Self>> {
        let (engine, waker) = Engine::new()?;
        let descriptor = engine.descriptor().ok_or(io::ErrorKind::Unsupported)?;
        Ok(Arc::new(Self {
            generation: fork::generation(),
            descriptor,
            waker,
            desk: Mutex::new(Desk {
                engine: Some(Box::new(engine)),
                arrivals: fork::Own::default(),
                cancelled: Vec::new(),
                requests: HashMap::new(),
                finished: Finished::default(),
                watches: HashMap::new(),
                failed: Failed::default(),
                last_id: 0,
                most_requests: MOST_REQUESTS,
                deadline_ms: 0,
                step_us: STEP_US,
                watch_ms: watch::LOOK_MS,
                is_closed: false,
            }),
        }))
    }

    /// False in a child of the context's process, where nobody may give back the lock.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.generation == fork::generation()
    }

    /// Ends what is under way. In a child nothing is done.
    pub fn close(&self) {
        if !self.is_ours() {
            return;
        }
        let (engine, requests, watches) = {
            let mut desk = self.desk.lock();
            desk.is_closed = true;
            let requests = std::mem::take(&mut desk.requests);
            let watches = std::mem::take(&mut desk.watches);
            (desk.engine.take(), requests, watches)
        };
        for request in requests.into_values() {
            let _ended_before = request.outcome.set(Outcome::without(Trouble::Closed));
        }
        for watched in watches.into_values() {
            watched.watch.end();
        }
        drop(engine);
        let _told = self.waker.wake();
    }

    /// Changes a setting; false for a value that the setting cannot have.
    #[must_use]
    pub fn set(&self, setting: Setting, value: u32) -> bool {
        let mut desk = self.desk.lock();
        let (place, range) = match setting {
            Setting::MostRequests => (&mut desk.most_requests, 1..=1_000_000),
            Setting::DeadlineMs => (&mut desk.deadline_ms, 0..=u32::MAX),
            Setting::StepUs => (&mut desk.step_us, 100..=1_000_000),
            Setting::WatchMs => (&mut desk.watch_ms, 10..=3_600_000),
        };
        let is_good = range.contains(&value);
        if is_good {
            *place = value;
        }
        is_good
    }

    /// Begins a request. `make` gets the terms, with what the context says where they say nothing.
    ///
    /// # Errors
    /// Why it was not begun.
    pub fn start(
        self: &Arc<Self>,
        mut terms: Terms,
        user: usize,
        is_waited_for: bool,
        make: impl FnOnce(Terms) -> Search,
    ) -> Result<Arc<Request>, Refused> {
        if !self.is_ours() {
            return Err(Refused::NotOurs);
        }
        let request = {
            let mut desk = self.desk.lock();
            if desk.is_closed {
                return Err(Refused::NotOurs);
            }
            if desk.requests.len() >= desk.most_requests as usize {
                return Err(Refused::Shed);
            }
            if terms.most_ms.is_none() && desk.deadline_ms > 0 {
                terms.most_ms = Some(desk.deadline_ms.into());
            }
            desk.last_id += 1;
            Arc::new(Request {
                id: desk.last_id,
                generation: self.generation,
                home: Arc::downgrade(self) as Weak<dyn Home>,
                is_waited_for,
                user,
                finished_as: AtomicU64::new(0),
                outcome: OnceLock::new(),
            })
        };
        let mut search = Box::new(make(terms));
        // Mostly the cache has everything.
        if let Progress::Ended(ended) = search.go_on() {
            self.finish_at_once(&request, ended);
            return Ok(request);
        }
        let mut desk = self.desk.lock();
        desk.requests.insert(request.id, Arc::clone(&request));
        desk.arrivals.get().push_back((request.id, search));
        drop(desk);
        let _told = self.waker.wake();
        Ok(request)
    }

    fn finish_at_once(&self, request: &Arc<Request>, ended: Ended) {
        let mut desk = self.desk.lock();
        desk.finish(request, ended);
        drop(desk);
        let _told = self.waker.wake();
    }

    /// The descriptor that becomes readable when [`Self::process`] has something to do.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        self.descriptor
    }

    /// In how many ms [`Self::process`] is to be called at the latest; `None` = no need.
    #[must_use]
    pub fn timeout_ms(&self) -> Option<u64> {
        let mut desk = self.desk.lock();
        if !desk.arrivals.get().is_empty()
            || !desk.cancelled.is_empty()
            || !desk.finished.is_empty()
        {
            return Some(0);
        }
        let now_ms = clock::monotonic_ms();
        let engine_ms = match desk.engine.as_mut() {
            Some(engine) => engine.next_ms(),
            None => now_ms.saturating_add(BUSY_MS),
        };
        let watches_ms = desk.watches.values().filter_map(|watched| watched.due_ms);
        let next_ms = watches_ms.fold(engine_ms, u64::min);
        (next_ms != u64::MAX).then(|| next_ms.saturating_sub(now_ms))
    }

    /// Does all that can be done without waiting. Gives the number of requests that wait to be fetched, and the changes
    /// of watched names.
    pub fn process(&self) -> (usize, Vec<Changes>) {
        let Some((mut borrowed, step_us)) = self.borrow() else {
            return (self.desk.lock().finished.len(), Vec::new());
        };
        let ended = match borrowed.engine.as_mut() {
            Some(engine) => engine.step(step_us.into()),
            None => Vec::new(),
        };
        drop(borrowed);
        let mut changes = Vec::new();
        let mut wakes = false;
        let mut desk = self.desk.lock();
        let look_ms = clock::monotonic_ms().saturating_add(desk.watch_ms.into());
        for (id, ended) in ended {
            if let Some(request) = desk.requests.remove(&id) {
                wakes |= request.is_waited_for;
                desk.finish(&request, ended);
            } else if let Some(watched) = desk.watches.get_mut(&id) {
                watched.due_ms = Some(look_ms);
                changes.extend(watched.learn(ended));
            }
        }
        let count = desk.finished.len();
        drop(desk);
        if wakes {
            let _told = self.waker.wake();
        }
        (count, changes)
    }

    /// Takes the engine, and gives it what has come meanwhile.
    fn borrow(&self) -> Option<(Borrowed<'_>, u32)> {
        let mut desk = self.desk.lock();
        let desk = &mut *desk;
        let mut engine = desk.engine.take()?;
        desk.forget_ended_watches();
        let arrivals = desk.arrivals.get();
        let count = arrivals.len().min(ARRIVALS_IN_A_ROW);
        for (id, search) in arrivals.drain(..count) {
            // A request that was cancelled meanwhile asks nothing.
            if desk.requests.contains_key(&id) {
                engine.begin(id, search);
            }
        }
        for id in desk.cancelled.drain(..) {
            engine.cancel(id);
        }
        let now_ms = clock::monotonic_ms();
        for (id, watched) in &mut desk.watches {
            if watched.due_ms.is_some_and(|due_ms| due_ms <= now_ms) {
                watched.due_ms = None;
                let terms = Terms {
                    flags: watched.flags,
                    ..Terms::default()
                };
                let search = Search::for_all(watched.destination.clone(), terms);
                engine.begin(*id, Box::new(search));
            }
        }
        let borrowed = Borrowed {
            context: self,
            engine: Some(engine),
        };
        Some((borrowed, desk.step_us))
    }

    /// The next request that has ended, each once.
    #[must_use]
    pub fn next_finished(&self) -> Option<Arc<Request>> {
        self.desk.lock().finished.pop_first()
    }

    /// Waits until a request has ended; tells what changed of watched names meanwhile.
    pub fn wait(&self, request: &Request) {
        let _whole = thread::uncancelled();
        while request.outcome().is_none() {
            let (_, changes) = self.process();
            changes.iter().for_each(Changes::tell);
            if request.outcome().is_some() {
                return;
            }
            // Questions that others are to fetch are not waited for.
            let ms = self.timeout_ms().unwrap_or(BUSY_MS).clamp(1, BUSY_MS);
            poll::wait_for_input(self.descriptor, ms);
        }
    }

    /// Watches the targets of a destination.
    ///
    /// # Errors
    /// Why they are not watched.
    pub fn watch(
        &self,
        destination: Destination,
        flags: u32,
        tell: Tell,
    ) -> Result<Arc<Watch>, Refused> {
        if !self.is_ours() {
            return Err(Refused::NotOurs);
        }
        let mut desk = self.desk.lock();
        if desk.is_closed {
            return Err(Refused::NotOurs);
        }
        if desk.watches.len() >= watch::MOST {
            desk.forget_ended_watches();
        }
        if desk.watches.len() >= watch::MOST {
            return Err(Refused::Shed);
        }
        desk.last_id += 1;
        let id = desk.last_id;
        let watch = Arc::new(Watch::new(id, tell));
        let watched = Watched::new(Arc::clone(&watch), destination, flags);
        desk.watches.insert(id, watched);
        drop(desk);
        let _told = self.waker.wake();
        Ok(watch)
    }
}

impl Home for Context {
    fn cancel(&self, request: &Request) {
        let mut desk = self.desk.lock();
        let Some(request) = desk.requests.remove(&request.id) else {
            return;
        };
        desk.cancelled.push(request.id);
        desk.end(&request, Outcome::without(Trouble::Cancelled));
        drop(desk);
        let _told = self.waker.wake();
    }

    fn release(&self, request: &Request) {
        let mut desk = self.desk.lock();
        if desk.requests.remove(&request.id).is_some() {
            desk.cancelled.push(request.id);
        }
        desk.finished.remove(request);
    }

    fn report_failed(&self, place: Place, seconds: u32) {
        self.desk.lock().failed.add(place, seconds);
    }
}

impl Desk {
    fn finish(&mut self, request: &Arc<Request>, ended: Ended) {
        let failed = &self.failed;
        let has_failed = |target: &crate::select::suspended::Target| {
            failed.has(&(target.address, target.transport))
        };
        let outcome = Outcome::of(ended, has_failed);
        self.end(request, outcome);
    }

    fn end(&mut self, request: &Arc<Request>, outcome: Outcome) {
        let is_first = request.outcome.set(outcome).is_ok();
        if is_first && !request.is_waited_for {
            self.finished.push(Arc::clone(request));
        }
    }

    fn forget_ended_watches(&mut self) {
        let cancelled = &mut self.cancelled;
        self.watches.retain(|id, watched| {
            let has_ended = watched.watch.has_ended();
            if has_ended {
                cancelled.push(*id);
            }
            !has_ended
        });
    }
}

/// True when the cache has all that a request to a destination needs. No question is asked.
#[must_use]
pub fn ready(destination: Destination, flags: u32) -> bool {
    let terms = Terms {
        flags,
        asks: Asks::Nothing,
        ..Terms::default()
    };
    let mut search = Search::for_targets(destination, terms);
    loop {
        match search.go_on() {
            Progress::Waits(_) => {}
            Progress::Ended(ended) => {
                return !matches!(ended.lack, Some((Lack::NotCached, _)));
            }
        }
    }
}

/// The cache's answer to the question whether an address is a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// By records that are fresh, or that have expired; `None` = by none.
    pub is_stale: Option<bool>,
    /// An operator put in a record that led there.
    pub is_edited: bool,
    /// All records of the destination are known.
    pub is_whole: bool,
}

/// Whether an address is one of the targets of a destination, by any of its records. Nothing is asked.
#[must_use]
pub fn is_target(
    destination: Destination,
    flags: u32,
    address: IpAddr,
    port: Option<u16>,
    transport: Option<Transport>,
) -> Membership {
    let terms = Terms {
        flags,
        asks: Asks::NothingServesStale,
        ..Terms::default()
    };
    let mut search = Search::for_all(destination, terms);
    let ended = loop {
        match search.go_on() {
            Progress::Waits(_) => {}
            Progress::Ended(ended) => break ended,
        }
    };
    let address = address.to_canonical();
    let found = ended.targets.iter().filter(|target| {
        target.address.ip().to_canonical() == address
            && port.is_none_or(|port| port == target.address.port())
            && transport.is_none_or(|transport| transport == target.transport)
    });
    // The membership counts as stale only when no fresh records prove it.
    let found = found.min_by_key(|target| target.is_stale);
    Membership {
        is_stale: found.map(|target| target.is_stale),
        is_edited: found.is_some_and(|target| target.is_edited),
        is_whole: ended.lack.is_none_or(|(lack, _)| lack.is_proven())
            && !ended.targets.iter().any(|target| target.is_stale),
    }
}
