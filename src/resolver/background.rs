//! Questions that nobody waits for: as many under way as the servers bear, each done when its answer comes.
//!
//! A [`Background`] is an event loop that its owner turns: questions are added while others are under way, and a turn
//! ends as soon as one of them is done. A question that gets no answer holds up nothing but its own place.
//!
//! **How many at once.** What a server usually takes to answer is a round. Questions younger than that are what a
//! server has to work on; their number is held within a window that grows with each answer and is halved when most of a
//! round came late. Names that nobody answers for hardly count against it: they are few beside those that are answered,
//! or else it is the server that does not answer.

use std::collections::HashMap;
use std::io;
use std::os::fd::RawFd;

use super::ask::exchange_for;
use super::exchange::Exchange;
use super::few::FewSockets;
use super::many::ManySockets;
use super::session::{End, Session};
use super::settings::{FIRST_USUAL_MS, Settings};
use super::trace::Silence;
use super::transport::{Age, Event, Handle, Transport};
use super::waker::Waker;
use super::{Outcome, Question, Timed};
use crate::host::limits;

/// Least and greatest number of young questions.
const MIN_WINDOW: usize = 16;
const MAX_WINDOW: usize = 2048;
/// The number of young questions before anything is known.
const FIRST_WINDOW: usize = 64;
/// Questions under way at most, whatever the process may open.
const MAX_UNDER_WAY: usize = 4096;
/// Part of the descriptors of the process that sockets may take: the rest is the program's.
const SHARE_OF_DESCRIPTORS: usize = 2;
/// Sockets looked at for one call of the kernel where a program waits for the rest of its loop.
const EVENTS_OF_LOOP: usize = 32;
/// Steps in a row that leave messages unread before it is looked what the time demands.
const MOST_STEPS_BEHIND: u32 = 64;
/// How late a loop may look without having been away, ms.
const LATE_MS: u64 = 20;
/// How exactly timers are kept, ms: looking after thousands of questions costs something.
const STEP_MS: u64 = 10;

/// A question that is done.
#[derive(Debug)]
pub struct Done {
    /// The asker's number of the question.
    pub ticket: u64,
    /// The outcome of the question.
    pub timed: Timed,
}

/// Questions under way.
pub struct Background {
    session: Session,
    /// Each on its own, so that a map that grows does not move them.
    asked: HashMap<u64, Box<Asked>>,
    owners: HashMap<Handle, u64>,
    done: Vec<Done>,
    pace: Pace,
    /// Steps in a row that left messages unread.
    steps_behind: u32,
    /// When to look after the questions, ms.
    look_at_ms: u64,
    max_sockets: usize,
    /// How many of them there are: fewer, when the program itself needs most descriptors.
    sockets: usize,
}

impl std::fmt::Debug for Background {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Background")
            .field("under_way", &self.asked.len())
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Asked {
    exchange: Exchange<'static>,
    handles: Vec<Handle>,
    started_ms: u64,
    /// The question has had the usual time, and that is counted.
    is_late: bool,
}

/// How many questions the servers bear.
#[derive(Debug)]
struct Pace {
    window: usize,
    /// Questions that have not had the usual time yet.
    young: usize,
    usual_ms: u64,
    round_ends_ms: u64,
    in_time: usize,
    late: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            window: FIRST_WINDOW,
            young: 0,
            usual_ms: FIRST_USUAL_MS,
            round_ends_ms: 0,
            in_time: 0,
            late: 0,
        }
    }
}

impl Pace {
    fn room(&self) -> usize {
        self.window.saturating_sub(self.young)
    }

    fn answered_in_time(&mut self) {
        self.in_time += 1;
        self.window = (self.window + 1).min(MAX_WINDOW);
    }

    fn look(&mut self, now_ms: u64) {
        if now_ms < self.round_ends_ms {
            return;
        }
        if self.late > self.in_time {
            self.window = (self.window / 2).max(MIN_WINDOW);
        }
        (self.in_time, self.late) = (0, 0);
        self.round_ends_ms = now_ms.saturating_add(self.usual_ms);
    }
}

impl Default for Background {
    fn default() -> Self {
        Self::new()
    }
}

impl Background {
    /// Without questions.
    #[must_use]
    pub fn new() -> Self {
        let transport: Box<dyn Transport> = match ManySockets::new() {
            Ok(sockets) => Box::new(sockets),
            Err(_) => Box::new(FewSockets::default()),
        };
        Self::over(transport)
    }

    fn over(transport: Box<dyn Transport>) -> Self {
        let max_sockets = (limits::descriptors() / SHARE_OF_DESCRIPTORS).min(MAX_UNDER_WAY);
        Self {
            session: Session::new(transport),
            asked: HashMap::new(),
            owners: HashMap::new(),
            done: Vec::new(),
            pace: Pace::default(),
            steps_behind: 0,
            look_at_ms: 0,
            max_sockets,
            sockets: max_sockets,
        }
    }

    /// For an event loop of the program's, which looks at a descriptor, and is woken with the [`Waker`] that comes
    /// along.
    ///
    /// # Errors
    /// The kernel gives no event queue.
    pub fn for_loop() -> io::Result<(Self, Waker)> {
        let sockets = ManySockets::with_events(EVENTS_OF_LOOP)?;
        let waker = sockets.waker()?;
        Ok((Self::over(Box::new(sockets)), waker))
    }

    /// Questions that may be added now.
    #[must_use]
    pub fn room(&self) -> usize {
        let sockets = self.sockets.saturating_sub(self.owners.len());
        self.pace.room().min(sockets)
    }

    /// Questions under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.asked.len()
    }

    /// Adds a question, which gets `limit_ms`; `ticket` is not in use. Calls nothing of the host's.
    pub fn ask(
        &mut self,
        ticket: u64,
        question: &Question<'_>,
        settings: &Settings,
        limit_ms: u64,
    ) {
        let _silence = Silence::begin();
        let now_ms = self.session.transport.now_ms();
        self.pace.usual_ms = settings.usual_ms();
        let until_ms = now_ms.saturating_add(limit_ms);
        let exchange = match exchange_for(settings.clone(), question, Some(until_ms), true) {
            Ok(exchange) => exchange,
            Err(outcome) => {
                let timed = Timed::unasked(outcome);
                return self.done.push(Done { ticket, timed });
            }
        };
        let asked = Asked {
            exchange,
            handles: Vec::new(),
            started_ms: now_ms,
            is_late: false,
        };
        self.asked.insert(ticket, Box::new(asked));
        self.pace.young += 1;
        self.step(ticket, |exchange, session| exchange.start(now_ms, session));
    }

    /// Goes on until a question is done, or the clock shows `until_ms`; gives what is done. Calls nothing of the
    /// host's.
    pub fn turn(&mut self, until_ms: u64) -> Vec<Done> {
        let _silence = Silence::begin();
        loop {
            let now_ms = self.session.transport.now_ms();
            if now_ms >= self.look_at_ms {
                self.look(now_ms);
            }
            if !self.done.is_empty() || now_ms >= until_ms {
                return std::mem::take(&mut self.done);
            }
            if !self.take_messages(until_ms.min(self.look_at_ms)) {
                self.session.settle_probes(self.session.transport.now_ms());
            }
        }
    }

    /// The descriptor that becomes readable when [`Self::advance`] has something to do.
    #[must_use]
    pub fn descriptor(&self) -> Option<RawFd> {
        self.session.transport.descriptor()
    }

    /// When [`Self::advance`] has something to do whatever the descriptor says, ms; 0 = at once.
    #[must_use]
    pub fn next_ms(&self) -> u64 {
        if !self.done.is_empty() || self.session.transport.has_events() || self.steps_behind > 0 {
            return 0;
        }
        let looks_ms = match self.asked.is_empty() {
            true => u64::MAX,
            false => self.look_at_ms,
        };
        looks_ms.min(self.session.next_verdict_ms())
    }

    /// Does what can be done without waiting, until the clock shows `until_us`; gives what is done. Calls nothing of
    /// the host's.
    pub fn advance(&mut self, until_us: u64) -> Vec<Done> {
        let _silence = Silence::begin();
        // A look that comes late may find answers that have lain there: how long they took is not known.
        let now_ms = self.session.transport.now_ms();
        let late_ms = now_ms.saturating_sub(self.look_at_ms);
        self.session.has_lain = late_ms > LATE_MS && !self.asked.is_empty();
        loop {
            let Some((handle, event)) = self.session.transport.wait(0) else {
                self.session.has_lain = false;
                self.steps_behind = 0;
                self.session.settle_probes(self.session.transport.now_ms());
                break;
            };
            self.on_event(handle, event);
            if self.session.transport.now_us() >= until_us {
                self.steps_behind += 1;
                break;
            }
        }
        // Behind the messages: a question that has an answer is not late. But a flood of them puts nothing off.
        let now_ms = self.session.transport.now_ms();
        if now_ms >= self.look_at_ms && self.steps_behind.is_multiple_of(MOST_STEPS_BEHIND) {
            self.look(now_ms);
        }
        std::mem::take(&mut self.done)
    }

    /// Waits for a message and takes all that are there, with one look at the clock. False when none is left.
    fn take_messages(&mut self, until_ms: u64) -> bool {
        let mut until_ms = until_ms.min(self.session.next_verdict_ms());
        while let Some((handle, event)) = self.session.transport.wait(until_ms) {
            self.on_event(handle, event);
            if self.session.transport.now_ms() >= self.look_at_ms {
                return true;
            }
            until_ms = 0;
        }
        false
    }

    fn on_event(&mut self, handle: Handle, event: Event) {
        match self.owners.get(&handle) {
            Some(&ticket) => self.step(ticket, |exchange, session| {
                exchange.on_event(handle, event, session);
            }),
            None => {
                let age = match self.session.has_lain {
                    true => Age::Unknown,
                    false => Age::Fresh,
                };
                self.session.on_late_event(handle, event, age);
            }
        }
    }

    /// Does what the time demands, for all questions.
    fn look(&mut self, now_ms: u64) {
        self.look_at_ms = u64::MAX;
        self.session.close_overdue(now_ms);
        let tickets: Vec<u64> = self.asked.keys().copied().collect();
        for ticket in tickets {
            self.step(ticket, |exchange, session| exchange.look(now_ms, session));
            if let Some(asked) = self.asked.get_mut(&ticket)
                && !asked.is_late
                && now_ms.saturating_sub(asked.started_ms) > self.pace.usual_ms
            {
                asked.is_late = true;
                self.pace.young = self.pace.young.saturating_sub(1);
                self.pace.late += 1;
            }
        }
        self.pace.look(now_ms);
        self.sockets = (self.sockets + 1).min(self.max_sockets);
        // Rounds go on while anything is under way.
        let usual_ms = self.pace.usual_ms / 2;
        self.look_at_ms = self
            .look_at_ms
            .min(now_ms.saturating_add(usual_ms.max(STEP_MS)));
    }

    /// Lets a question take a step, and sees to what comes of it.
    fn step(&mut self, ticket: u64, work: impl FnOnce(&mut Exchange<'static>, &mut Session)) {
        let Some(asked) = self.asked.get_mut(&ticket) else {
            return;
        };
        let last = |session: &Session| session.transport.last_handle().map_or(0, |handle| handle.0);
        let before = last(&self.session);
        work(&mut asked.exchange, &mut self.session);
        for number in before + 1..=last(&self.session) {
            let handle = Handle(number);
            if self.session.is_probe(handle) {
                continue;
            }
            asked.handles.push(handle);
            self.owners.insert(handle, ticket);
        }
        let is_done = asked.exchange.is_done();
        if self.session.transport.failed_here() {
            // Some are left to those who need one next.
            self.sockets = (self.owners.len() / 4 * 3).max(1);
        }
        if is_done {
            return self.finish(ticket);
        }
        let now_ms = self.session.transport.now_ms();
        let next_ms = asked.exchange.next_look_ms(now_ms);
        self.look_at_ms = self.look_at_ms.min(next_ms.max(now_ms + STEP_MS));
    }

    fn finish(&mut self, ticket: u64) {
        let Some(mut asked) = self.asked.remove(&ticket) else {
            return;
        };
        for handle in &asked.handles {
            self.owners.remove(handle);
        }
        let timed = asked.exchange.take_result(End::Reached);
        if !asked.is_late {
            self.pace.young = self.pace.young.saturating_sub(1);
            if matches!(timed.outcome, Outcome::Answer(_)) {
                self.pace.answered_in_time();
            }
        }
        self.done.push(Done { ticket, timed });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_follows_what_the_servers_bear() {
        let mut pace = Pace::default();
        for _ in 0..100 {
            pace.answered_in_time();
        }
        assert_eq!(pace.window, FIRST_WINDOW + 100);
        // One question in ten is silent.
        pace.late = 10;
        pace.look(1000);
        assert_eq!(pace.window, FIRST_WINDOW + 100);
        // All are.
        for round in 2..20 {
            pace.late = 100;
            pace.look(1000 * round);
        }
        assert_eq!(pace.window, MIN_WINDOW);
        pace.young = MIN_WINDOW + 1;
        assert_eq!(pace.room(), 0);
    }
}
