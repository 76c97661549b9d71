//! Searches under way, and their questions.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io;
use std::os::fd::RawFd;

use crate::host::{clock, fork};
use crate::lookup::asker::{Asker, Waker};
use crate::select::suspended::{Ended, Progress, Search};

/// Runs searches; belongs to the process that made it.
#[derive(Debug)]
pub(super) struct Engine {
    asker: Asker,
    work: fork::Own<Work>,
}

#[derive(Debug, Default)]
struct Work {
    running: HashMap<u64, Running>,
    /// When searches go on without an answer, ms.
    timers: BTreeSet<(u64, u64)>,
    /// Requests that go on in their turn.
    ready: VecDeque<u64>,
    ended: Vec<(u64, Ended)>,
}

#[derive(Debug)]
struct Running {
    search: Box<Search>,
    /// The search's entry among the timers, ms.
    wakes_ms: Option<u64>,
    is_ready: bool,
}

impl Engine {
    /// Without searches; the waker of its descriptor, for other threads, comes along.
    ///
    /// # Errors
    /// The kernel gives no event queue.
    pub(super) fn new() -> io::Result<(Self, Waker)> {
        let (asker, waker) = Asker::new()?;
        let engine = Self {
            asker,
            work: fork::Own::default(),
        };
        Ok((engine, waker))
    }

    pub(super) fn descriptor(&self) -> Option<RawFd> {
        self.asker.descriptor()
    }

    /// Adds a search, which begins in its turn.
    pub(super) fn begin(&mut self, id: u64, search: Box<Search>) {
        let work = self.work.get();
        let running = Running {
            search,
            wakes_ms: None,
            is_ready: true,
        };
        work.running.insert(id, running);
        work.ready.push_back(id);
    }

    /// Forgets a search. The questions of the search go on, for others may want the answers.
    pub(super) fn cancel(&mut self, id: u64) {
        let work = self.work.get();
        let running = work.running.remove(&id);
        if let Some(ms) = running.and_then(|running| running.wakes_ms) {
            work.timers.remove(&(ms, id));
        }
    }

    /// When [`Self::step`] has something to do whatever the descriptor says, ms; 0 = at once.
    pub(super) fn next_ms(&mut self) -> u64 {
        let work = self.work.get();
        if !work.ready.is_empty() {
            return 0;
        }
        let wakes_ms = work.timers.first().map_or(u64::MAX, |(ms, _)| *ms);
        wakes_ms.min(self.asker.next_ms())
    }

    /// Does what can be done without waiting, for so long, µs; gives the searches that ended.
    pub(super) fn step(&mut self, us: u64) -> Vec<(u64, Ended)> {
        let until_us = now_us().saturating_add(us);
        loop {
            // Searches have half of the time, whatever is answered meanwhile.
            let half_us = until_us.saturating_sub(now_us()) / 2;
            for answered in self.asker.step(now_us().saturating_add(half_us)) {
                let work = self.work.get();
                if let Some(running) = work.running.get_mut(&answered.seeker) {
                    running.search.learn(answered.key, answered.answer);
                    work.wake(answered.seeker);
                }
            }
            self.wake_in_time();
            self.run(until_us);
            if now_us() >= until_us || self.next_ms() > clock::monotonic_ms() {
                return std::mem::take(&mut self.work.get().ended);
            }
        }
    }

    fn wake_in_time(&mut self) {
        let now_ms = clock::monotonic_ms();
        let work = self.work.get();
        while let Some(&(ms, id)) = work.timers.first()
            && ms <= now_ms
        {
            work.timers.pop_first();
            if let Some(running) = work.running.get_mut(&id) {
                running.wakes_ms = None;
            }
            work.wake(id);
        }
    }

    /// Lets searches go on in their turn until the clock shows `until_us`; one in any case.
    fn run(&mut self, until_us: u64) {
        loop {
            let work = self.work.get();
            let Some(id) = work.ready.pop_front() else {
                return;
            };
            let Some(running) = work.running.get_mut(&id) else {
                continue;
            };
            running.is_ready = false;
            let progress = running.search.go_on();
            let wanted = running.search.take_wanted();
            match progress {
                Progress::Waits(ms) => work.wait(id, ms),
                Progress::Ended(ended) => {
                    work.wait(id, u64::MAX);
                    work.running.remove(&id);
                    work.ended.push((id, ended));
                }
            }
            for wanted in wanted {
                self.asker.ask(id, wanted);
            }
            if now_us() >= until_us {
                return;
            }
        }
    }
}

impl Work {
    fn wake(&mut self, id: u64) {
        if let Some(running) = self.running.get_mut(&id)
            && !running.is_ready
        {
            running.is_ready = true;
            self.ready.push_back(id);
        }
    }

    fn wait(&mut self, id: u64, until_ms: u64) {
        let Some(running) = self.running.get_mut(&id) else {
            return;
        };
        if let Some(ms) = running.wakes_ms.take() {
            self.timers.remove(&(ms, id));
        }
        match until_ms {
            0 => self.wake(id),
            u64::MAX => {}
            ms => {
                running.wakes_ms = Some(ms);
                self.timers.insert((ms, id));
            }
        }
    }
}

fn now_us() -> u64 {
    clock::monotonic_ns() / 1000
}
