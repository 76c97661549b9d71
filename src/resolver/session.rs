//! State of a thread that outlives one call: the transport, queries that servers which are down may still answer,
//! questions that were left open, and probes.
//!
//! A process asks only while somebody calls the library, so it cannot wait for a server that may be coming back. The
//! query stays open instead, and the next call looks for the reply.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Timed;
use super::caller::Patience;
use super::exchange::Exchange;
use super::few::FewSockets;
use super::late::{Late, LateQueries};
use super::probe::{Probes, Purpose};
use super::servers::Server;
use super::transport::{Age, Event, Handle, Protocol, Transport};
use crate::error::Failure;
use crate::host::own_thread::{OfThread as _, OwnThread};
use crate::host::{clock, fork};

/// Questions under way at a time; more would only make packets get lost.
const MAX_PARALLEL: usize = 32;
/// Time for the questions that were asked along with one that is answered, at least, ms.
const MIN_LINGER_MS: u64 = 50;

/// A question that is left open: nobody waits for it, and it goes on whenever somebody waits for another.
struct Open {
    ticket: Ticket,
    exchange: Exchange<'static>,
}

/// Stands for a question that was left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// A thread's way to the servers.
pub(super) struct Session {
    pub(super) transport: Box<dyn Transport>,
    /// Room for a query that is being written.
    pub(super) query: Vec<u8>,
    late: LateQueries,
    open: Vec<Open>,
    probes: Probes,
    /// Messages that are read now may have lain in the socket for long.
    pub(super) has_lain: bool,
    fork_generation: u32,
}

/// How a run of questions ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// As it should.
    Reached,
    /// The caller has no more patience: see [`super::while_patient`].
    GivenUp,
}

impl End {
    /// The failure of a question that has no result.
    pub(super) fn failure(self) -> Failure {
        match self {
            Self::Reached => Failure::NoServers,
            Self::GivenUp => Failure::GivenUp,
        }
    }
}

/// How a wait for questions that were left open ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitedForOpen {
    /// An open question has come to its end.
    Answered,
    /// There is no open question.
    Nothing,
    /// The caller has no more patience: see [`super::while_patient`].
    GivenUp,
}

/// A ticket stands for one question, whichever session of the process has it.
static LAST_TICKET: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static SESSION: OwnThread<Option<Box<Session>>> = const { OwnThread::new() };
}

/// The time on the clock that deadlines are in, ms: [`clock::monotonic_ms`], but for tests.
#[must_use]
pub fn now_ms() -> u64 {
    SESSION.with_borrow(|session| match session {
        Some(session) => session.transport.now_ms(),
        // A session that is in use, or still to be made.
        None => clock::monotonic_ms(),
    })
}

/// Calls `work` with the session of this thread; a child has one of its own.
pub(super) fn with_current<R>(work: impl FnOnce(&mut Session) -> R) -> R {
    let kept = SESSION.replace(None);
    let fork_generation = fork::generation();
    let mut session = match kept {
        Some(mut session) if session.fork_generation == fork_generation => {
            session.transport.look_after_descriptors();
            session
        }
        _ => Box::new(Session::new(Box::new(FewSockets::default()))),
    };
    let result = work(&mut session);
    SESSION.replace(Some(session));
    result
}

/// Calls `work` with all queries of this thread going through `transport`.
#[cfg(feature = "testing")]
pub(super) fn with_transport<R>(transport: Box<dyn Transport>, work: impl FnOnce() -> R) -> R {
    let before = SESSION.replace(Some(Box::new(Session::new(transport))));
    let result = work();
    if let Some(mut session) = SESSION.replace(before) {
        for mut open in std::mem::take(&mut session.open) {
            open.exchange.give_up(&mut session);
        }
        let transport = session.transport.as_mut();
        session.late.close(|_| true, transport);
        session.probes.close(transport);
    }
    result
}

/// When to look after the questions that are not done, ms; `u64::MAX` = there are none.
fn next_look_ms<'e, 's: 'e>(exchanges: impl Iterator<Item = &'e Exchange<'s>>, now_ms: u64) -> u64 {
    let going_on = exchanges.filter(|exchange| !exchange.is_done());
    let looks = going_on.map(|exchange| exchange.next_look_ms(now_ms));
    looks.min().unwrap_or(u64::MAX)
}

/// How long the questions that went out along with the first one still have when the first one has found records.
#[derive(Default)]
struct Linger {
    until_ms: Option<u64>,
}

impl Linger {
    fn until_ms(&mut self, first: &Exchange<'_>, now_ms: u64) -> Option<u64> {
        if self.until_ms.is_none() {
            let took_ms = first.found_records_after_ms()?;
            self.until_ms = Some(now_ms.saturating_add(took_ms.max(MIN_LINGER_MS)));
        }
        self.until_ms
    }
}

impl Session {
    pub(super) fn new(transport: Box<dyn Transport>) -> Self {
        Self {
            transport,
            query: Vec::new(),
            late: LateQueries::default(),
            open: Vec::new(),
            probes: Probes::default(),
            has_lain: false,
            fork_generation: fork::generation(),
        }
    }

    /// Leaves a query open.
    pub(super) fn keep(&mut self, late: Late) {
        self.late.keep(late, self.transport.as_mut());
    }

    /// Asks whether a server lives. The caller has claimed that.
    pub(super) fn probe(&mut self, server: &Server, protocol: Protocol) {
        self.send_probe(server, protocol, Purpose::Verdict);
    }

    /// Probes a server that has just answered something, unless it is known whether the server answers probes.
    #[inline]
    pub(super) fn introduce(&mut self, server: &Server, use_vc: bool, now_ms: u64) {
        if server.claim_introduction(now_ms) {
            let protocol = if use_vc { Protocol::Tcp } else { Protocol::Udp };
            self.send_probe(server, protocol, Purpose::Introduction);
        }
    }

    #[cold]
    fn send_probe(&mut self, server: &Server, protocol: Protocol, purpose: Purpose) {
        let way = (self.transport.as_mut(), &mut self.query);
        self.probes.send((server, protocol), purpose, way);
    }

    /// Runs all questions to their end.
    pub(super) fn run(&mut self, exchanges: &mut [Exchange<'_>]) -> End {
        self.run_while(exchanges, false, |_, _| None)
    }

    /// Runs the first question to its end, and the others as long. Where the first one found records, the others have
    /// as much time again as it took, at least 50 ms. Then those without answer are given up.
    pub(super) fn run_for_first(&mut self, exchanges: &mut [Exchange<'_>]) -> End {
        let mut linger = Linger::default();
        let end = self.run_while(exchanges, false, |first, now_ms| {
            linger.until_ms(first, now_ms)
        });
        self.give_up(exchanges);
        end
    }

    /// As [`Self::run_for_first`], but no longer than `while_ms`, and not beyond the answer to a question that was left
    /// open before. Where the first question has not found records by then, the caller may leave those without result
    /// open.
    pub(super) fn run_for_a_while(&mut self, exchanges: &mut [Exchange<'_>], while_ms: u64) -> End {
        let end_ms = self.transport.now_ms().saturating_add(while_ms);
        let mut linger = Linger::default();
        let end = self.run_while(exchanges, true, |first, now_ms| {
            linger.until_ms(first, now_ms).or(Some(end_ms))
        });
        let found = exchanges.first().and_then(Exchange::found_records_after_ms);
        if found.is_some() {
            self.give_up(exchanges);
        }
        end
    }

    fn give_up(&mut self, exchanges: &mut [Exchange<'_>]) {
        for exchange in exchanges {
            exchange.give_up(self);
        }
    }

    /// Leaves a question open that has begun.
    pub(super) fn leave_open(&mut self, exchange: Exchange<'static>) -> Ticket {
        let ticket = Ticket(LAST_TICKET.fetch_add(1, Ordering::Relaxed) + 1);
        self.open.push(Open { ticket, exchange });
        ticket
    }

    /// Begins a question, and leaves it open.
    pub(super) fn begin_open(&mut self, mut exchange: Exchange<'static>) -> Ticket {
        exchange.start(self.transport.now_ms(), self);
        self.leave_open(exchange)
    }

    /// Has the questions that were left open see what has come.
    pub(super) fn look_at_open_now(&mut self) {
        let mut open = std::mem::take(&mut self.open);
        self.take_late_replies(&mut open);
        self.look_at_open(&mut open);
        self.open = open;
    }

    /// Takes the questions that were left open and have a result.
    pub(super) fn take_answered(&mut self) -> Vec<(Ticket, Timed)> {
        let answered = self.open.extract_if(.., |open| open.exchange.is_done());
        answered
            .map(|mut open| (open.ticket, open.exchange.take_result(End::Reached)))
            .collect()
    }

    /// Ends a question that was left open.
    pub(super) fn end_open(&mut self, ticket: Ticket) {
        let place = self.open.iter().position(|open| open.ticket == ticket);
        if let Some(mut open) = place.map(|place| self.open.swap_remove(place)) {
            open.exchange.give_up(self);
        }
    }

    /// Waits until a question that was left open has a result.
    pub(super) fn wait_for_open(&mut self) -> WaitedForOpen {
        let mut open = std::mem::take(&mut self.open);
        let mut patience = Patience::of_caller();
        let mut waited = match open.is_empty() {
            true => WaitedForOpen::Nothing,
            false => WaitedForOpen::Answered,
        };
        while !open.is_empty() && !open.iter().any(|open| open.exchange.is_done()) {
            let now_ms = self.transport.now_ms();
            let Some(patient_until_ms) = patience.until_ms(now_ms) else {
                waited = WaitedForOpen::GivenUp;
                break;
            };
            let next_ms = next_look_ms(open.iter().map(|open| &open.exchange), now_ms);
            let next_ms = next_ms.min(self.next_verdict_ms()).min(patient_until_ms);
            if let Some((handle, event)) = self.transport.wait(next_ms) {
                self.on_event_of_open(&mut open, handle, (event, Age::Fresh));
            } else {
                let now_ms = self.transport.now_ms();
                self.settle_probes(now_ms);
            }
            self.look_at_open(&mut open);
        }
        self.open = open;
        waited
    }

    /// Hands an event to the open question that it belongs to, or else to the late queries and probes.
    fn on_event_of_open(&mut self, open: &mut [Open], handle: Handle, (event, age): (Event, Age)) {
        match open.iter_mut().find(|open| open.exchange.owns(handle)) {
            Some(owner) => owner.exchange.on_event(handle, event, self),
            None => self.on_late_event(handle, event, age),
        }
    }

    fn look_at_open(&mut self, open: &mut [Open]) {
        if open.is_empty() {
            return;
        }
        let now_ms = self.transport.now_ms();
        for open in open {
            open.exchange.look(now_ms, self);
        }
    }

    /// Runs all questions to their end, or to the time, ms, that `end` gives: it sees the first question
    /// and the clock. `minds_open`: also to the result of a question that was left open.
    fn run_while(
        &mut self,
        exchanges: &mut [Exchange<'_>],
        minds_open: bool,
        end: impl FnMut(&Exchange<'_>, u64) -> Option<u64>,
    ) -> End {
        if self.open.is_empty() {
            return self.run_beside(exchanges, &mut [], minds_open, end);
        }
        let mut open = std::mem::take(&mut self.open);
        let end = self.run_beside(exchanges, &mut open, minds_open, end);
        self.open = open;
        end
    }

    fn run_beside(
        &mut self,
        exchanges: &mut [Exchange<'_>],
        open: &mut [Open],
        minds_open: bool,
        mut end: impl FnMut(&Exchange<'_>, u64) -> Option<u64>,
    ) -> End {
        self.look_for_late_replies(open);
        let mut patience = Patience::of_caller();
        let mut started = 0;
        loop {
            let now_ms = self.transport.now_ms();
            while started < exchanges.len() {
                let active = exchanges.iter().take(started).filter(|e| !e.is_done());
                if active.count() >= MAX_PARALLEL {
                    break;
                }
                if let Some(exchange) = exchanges.get_mut(started) {
                    exchange.start(now_ms, self);
                }
                started += 1;
            }
            if exchanges.iter().take(started).all(Exchange::is_done) {
                break;
            }
            let next_ms = next_look_ms(exchanges.iter().take(started), now_ms);
            if minds_open && open.iter().any(|open| open.exchange.is_done()) {
                break;
            }
            let Some(patient_until_ms) = patience.until_ms(now_ms) else {
                self.give_up(exchanges);
                return End::GivenUp;
            };
            let next_ms = next_ms.min(self.next_verdict_ms()).min(patient_until_ms);
            // Open questions that are done wait for whoever takes their results, and need no look.
            let next_ms = next_ms.min(next_look_ms(open.iter().map(|open| &open.exchange), now_ms));
            let end_ms = exchanges.first().and_then(|first| end(first, now_ms));
            let next_ms = end_ms.map_or(next_ms, |end_ms| next_ms.min(end_ms));
            if end_ms.is_some_and(|end_ms| now_ms >= end_ms) {
                break;
            }
            if let Some((handle, event)) = self.transport.wait(next_ms) {
                match exchanges.iter_mut().find(|e| e.owns(handle)) {
                    Some(owner) => owner.on_event(handle, event, self),
                    None => self.on_event_of_open(open, handle, (event, Age::Fresh)),
                }
            } else {
                let now_ms = self.transport.now_ms();
                self.settle_probes(now_ms);
            }
            self.look_at_open(open);
            if exchanges.iter().all(Exchange::is_done) {
                break;
            }
            // Also after an event: a flood of messages must not put off a deadline.
            let now_ms = self.transport.now_ms();
            for exchange in exchanges.iter_mut().take(started) {
                exchange.look(now_ms, self);
            }
        }
        End::Reached
    }

    #[inline]
    fn look_for_late_replies(&mut self, open: &mut [Open]) {
        if !(self.late.is_empty() && self.probes.is_empty()) {
            self.take_late_replies(open);
        }
    }

    #[cold]
    fn take_late_replies(&mut self, open: &mut [Open]) {
        let now_ms = self.transport.now_ms();
        while let Some((handle, event)) = self.transport.wait(now_ms) {
            // An open question may have been answered meanwhile, too.
            self.on_event_of_open(open, handle, (event, Age::Unknown));
        }
        self.close_overdue(now_ms);
        self.settle_probes(now_ms);
    }

    /// Gives up the queries to servers that are down whose time is over.
    pub(super) fn close_overdue(&mut self, now_ms: u64) {
        let is_over = |late: &Late| late.until_ms <= now_ms;
        self.late.close(is_over, self.transport.as_mut());
    }

    /// When [`settle_probes`](Self::settle_probes) is to be called at the latest, ms.
    pub(super) fn next_verdict_ms(&self) -> u64 {
        self.probes.next_ms()
    }

    /// True for the handle of a probe.
    pub(super) fn is_probe(&self, handle: Handle) -> bool {
        self.probes.owns(handle)
    }

    /// Judges the probes whose time is over. The caller has read all messages that were there, for one of them may be a
    /// probe's answer.
    #[cold]
    pub(super) fn settle_probes(&mut self, now_ms: u64) {
        if !self.probes.is_empty() {
            let way = (self.transport.as_mut(), &mut self.query);
            self.probes.settle(now_ms, way);
        }
    }

    /// Hands an event to the probe or the late query that it belongs to.
    pub(super) fn on_late_event(&mut self, handle: Handle, event: Event, age: Age) {
        let transport = self.transport.as_mut();
        if self.probes.on_event(handle, (&event, age), transport) {
            return;
        }
        self.late.on_event(handle, (event, age), transport);
    }
}
