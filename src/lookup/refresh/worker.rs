//! A refresher that may wait: it asks its questions itself.

use std::collections::HashMap;

use super::Refresher;
use super::job::{GRACE_MS, Job, LIMIT_MS};
use crate::host::{clock, fork};
#[cfg(feature = "testing")]
use crate::resolver::{self, Timed};
use crate::resolver::{Background, Done, Settings};

/// Least time for a question, ms: with less it would count as one that nobody answers.
const LEAST_MS: u64 = 2000;
/// How long [`Worker::step`] waits for an answer at most, ms, before the next look for entries that are due.
const STEP_MS: u64 = 50;

/// A refresher and its questions, in a thread that may wait.
#[derive(Debug, Default)]
pub struct Worker {
    work: fork::Own<Work>,
    background: Background,
}

/// The work that a worker has in hand: claims, and references to entries.
#[derive(Debug, Default)]
struct Work {
    refresher: Refresher,
    jobs: HashMap<u64, Job>,
    tickets: u64,
}

impl Worker {
    /// False in a child of the worker's process. In the child the worker is of no use, and may be dropped: the drop
    /// closes the child's descriptors, and leaves the parent's work as it is.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.work.is_ours()
    }

    /// The refresher, for what else is to be kept fresh.
    pub fn refresher(&mut self) -> &mut Refresher {
        &mut self.work.get().refresher
    }

    /// Asks for what is due, and waits a moment for answers; gives the number of questions that were answered.
    pub fn step(&mut self) -> usize {
        let jobs = self.work.get().refresher.take(self.background.room());
        self.ask(jobs, LIMIT_MS);
        self.wait(STEP_MS)
    }

    /// True when nothing is under way.
    #[must_use]
    pub fn is_idle(&mut self) -> bool {
        let work = self.work.get();
        work.jobs.is_empty() && !work.refresher.has_more()
    }

    /// Asks; no question gets more than `left_ms`.
    fn ask(&mut self, jobs: Vec<Job>, left_ms: u64) {
        if jobs.is_empty() {
            return;
        }
        let work = self.work.get();
        let settings = Settings::current();
        for job in jobs {
            work.tickets += 1;
            let limit_ms = job.limit_ms().min(left_ms);
            self.background
                .ask(work.tickets, &job.question(), &settings, limit_ms);
            work.jobs.insert(work.tickets, job);
        }
    }

    fn wait(&mut self, ms: u64) -> usize {
        let work = self.work.get();
        if work.jobs.is_empty() {
            return 0;
        }
        let until_ms = clock::monotonic_ms().saturating_add(ms);
        let done = self.background.turn(until_ms);
        let mut answered = 0;
        for Done { ticket, timed } in done {
            if let Some(job) = work.jobs.remove(&ticket) {
                answered += usize::from(work.refresher.settle(job, timed));
            }
        }
        answered
    }

    /// Does what is due until nothing is under way, in the calling thread, for about [`LIMIT_MS`] at most; gives the
    /// number of questions that were answered.
    ///
    /// No question is left open: nobody can say when the program calls again, and others wait for the answer.
    pub fn run(&mut self) -> usize {
        let until_ms = clock::monotonic_ms().saturating_add(LIMIT_MS);
        let jobs = self.work.get().refresher.take_all(self.background.room());
        self.ask(jobs, LIMIT_MS);
        let mut answered = 0;
        loop {
            answered += self.wait(STEP_MS);
            let now_ms = clock::monotonic_ms();
            let left_ms = until_ms.saturating_sub(now_ms);
            if left_ms >= LEAST_MS {
                let jobs = self.work.get().refresher.take(self.background.room());
                self.ask(jobs, left_ms);
            } else {
                self.work.get().refresher.give_up_more();
            }
            if self.is_idle() {
                return answered;
            }
            if now_ms >= until_ms.saturating_add(GRACE_MS) {
                // Not met while questions end when their time is over; after a panic they may not.
                *self = Self::default();
                return answered;
            }
        }
    }
}

/// Does what is due on this thread's own way to the servers, where a test has put one of its own; gives the number of
/// questions that were answered.
#[cfg(feature = "testing")]
pub fn run_for_tests(refresher: &mut Refresher) -> usize {
    let mut answered = 0;
    loop {
        let jobs = refresher.take_all(usize::MAX);
        if jobs.is_empty() {
            return answered;
        }
        let questions: Vec<_> = jobs.iter().map(Job::question).collect();
        let until_ms = resolver::now_ms().saturating_add(LIMIT_MS);
        let outcomes = resolver::query_all(&questions, Some(until_ms));
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            let timed = Timed {
                outcome,
                took_ms: 0,
                server: None,
            };
            answered += usize::from(refresher.settle(job, timed));
        }
    }
}
