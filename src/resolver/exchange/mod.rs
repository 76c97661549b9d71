//! A question on its way: servers, attempts.
//!
//! Order of things: each server in turn, `attempts` times round, `timeout` for each; servers that are down come only
//! when those that are up have had all their attempts. A server that said it cannot help, or to which nothing can be
//! sent, is not asked again. A notice that the port is closed, and a connection that ends, cost an attempt. A server
//! that was slow may still answer while the next is being asked. A question takes at most timeout *
//! attempts * servers, TCP and repetitions without EDNS included. The caller's deadline can only shorten it.
//!
//! A query over UDP that is not answered for as long as answers usually take is sent again: that is no attempt,
//! and takes no time of one (see `resend`).
//!
//! A server that keeps silent is asked meanwhile whether it lives (see `probe`). While it does it has its whole
//! time; when it turns out to be down the next one is asked at once.
//!
//! A server that is down is tried when that is due, with the probe and perhaps a copy of the query (see `servers`);
//! nobody waits for that. While no server is up, a question is waited for a quarter of a second.
//! Questions that were under way when that was found out have a little longer, and one of them, over all processes,
//! all its time: it may be over in a moment.

mod flight;
mod none_up;
mod replies;
mod sending;
mod silence;

use smallvec::SmallVec;

use super::late::Late;
use super::outgoing::Query;
use super::resend::Schedule;
use super::servers::Server;
use super::session::{End, Session};
use super::settings::{Held, MAX_SERVERS};
use super::transport::{Handle, Protocol};
use super::{Answer, Outcome, Timed};
use crate::error::Failure;
use crate::host::metrics::{self, Metric};
use crate::rr::RecordType;
use flight::Flight;

/// How often to look, while waiting, whether other processes found the server to be down, ms.
const LOOK_INTERVAL_MS: u64 = 50;
/// How often to look whether servers are to be tried, while none is up, ms.
const TRY_INTERVAL_MS: u64 = 50;

/// How much time a question has, as far as the servers are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// Some server is up.
    Normal,
    /// None is: until the time of [`Exchange::hurried_until_ms`].
    Hurried,
    /// None is, and this is the question that goes on until this time, ms.
    Finding(u64),
}

/// How far the attempts at one server have got.
#[derive(Clone, Copy, Debug, Default)]
struct Attempts {
    made: u32,
    /// The server is not asked again.
    spent: bool,
}

/// A question and how far it has got.
#[derive(Debug)]
pub(super) struct Exchange<'s> {
    settings: Held<'s>,
    qtype: RecordType,
    query: Query,
    attempts: [Attempts; MAX_SERVERS],
    current_place: usize,
    flights: SmallVec<[Flight; 1]>,
    /// When the current server has had its time, ms.
    deadline_ms: u64,
    /// When the query is sent again to the current server.
    resends: Schedule,
    /// The first time that is without EDNS.
    plain_is_due: bool,
    /// When the current server is asked whether it lives, ms; `u64::MAX` = not at all.
    doubt_at_ms: u64,
    pace: Pace,
    /// When to give up while no server is up, ms.
    hurried_until_ms: u64,
    /// When servers that are down are looked at next, while none is up, ms.
    try_at_ms: u64,
    /// When the question has had its time, ms.
    limit_ms: u64,
    /// When the caller's patience ends, ms.
    end_ms: u64,
    last_error: Option<Failure>,
    /// The server that said what counts, or was silent last.
    told_by: Option<usize>,
    /// A server has no such records, which counts unless another one says something about the name.
    nothing_here: Option<Answer>,
    timed_out: bool,
    /// A server refused the cookie it got.
    cookie_refused: bool,
    started_ms: u64,
    /// The time when it was last called, ms.
    now_ms: u64,
    /// The additional section of the answer is of use.
    additional: bool,
    done: Option<Timed>,
}

impl<'s> Exchange<'s> {
    /// Prepares a question; nothing is sent yet.
    #[inline]
    pub(super) fn new(
        settings: impl Into<Held<'s>>,
        query: Query,
        qtype: RecordType,
        deadline_ms: Option<u64>,
        additional: bool,
    ) -> Self {
        Self {
            settings: settings.into(),
            qtype,
            query,
            attempts: [Attempts::default(); MAX_SERVERS],
            current_place: 0,
            flights: SmallVec::new(),
            deadline_ms: 0,
            resends: Schedule::NEVER,
            plain_is_due: false,
            doubt_at_ms: u64::MAX,
            pace: Pace::Normal,
            hurried_until_ms: 0,
            try_at_ms: u64::MAX,
            limit_ms: 0,
            end_ms: deadline_ms.unwrap_or(u64::MAX),
            last_error: None,
            told_by: None,
            nothing_here: None,
            timed_out: false,
            cookie_refused: false,
            started_ms: 0,
            now_ms: 0,
            additional,
            done: None,
        }
    }

    pub(super) fn owns(&self, handle: Handle) -> bool {
        self.flights.iter().any(|flight| flight.handle == handle)
    }

    pub(super) fn is_done(&self) -> bool {
        self.done.is_some()
    }

    /// The time that it took, ms, when it has found records.
    pub(super) fn found_records_after_ms(&self) -> Option<u64> {
        match self.done.as_ref()? {
            Timed {
                outcome: Outcome::Answer(answer),
                took_ms,
                ..
            } if answer.negative.is_none() => Some(*took_ms),
            _ => None,
        }
    }

    /// Ends it without result, unless it has one.
    pub(super) fn give_up(&mut self, session: &mut Session) {
        if self.done.is_none() {
            let now_ms = session.transport.now_ms();
            self.close_all(now_ms, session);
            self.end_finding();
        }
    }

    /// The outcome; `None` when the question was given up.
    pub(super) fn into_outcome(self) -> Option<Timed> {
        self.done
    }

    /// The outcome, once.
    pub(super) fn take_result(&mut self, end: End) -> Timed {
        self.done.take().unwrap_or_else(|| Timed {
            outcome: Outcome::Failed(end.failure()),
            took_ms: 0,
            server: None,
        })
    }

    pub(super) fn start(&mut self, now_ms: u64, session: &mut Session) {
        self.started_ms = now_ms;
        self.now_ms = now_ms;
        if self.settings.server_count() == 0 {
            return self.finish(Outcome::Failed(Failure::NoServers), session);
        }
        if now_ms >= self.end_ms {
            return self.finish(Outcome::Failed(Failure::Timeout), session);
        }
        let tries = u64::from(self.settings.values.attempts) * self.settings.server_count() as u64;
        let time_ms = self.settings.values.timeout_ms.saturating_mul(tries);
        self.limit_ms = now_ms.saturating_add(time_ms).min(self.end_ms);
        self.try_next_server(session);
    }

    fn is_any_up(&self) -> bool {
        let mut servers = (0..self.settings.server_count()).filter_map(|p| self.settings.server(p));
        servers.any(Server::is_up)
    }

    /// The servers that may still be asked, with their places and the attempts made.
    fn askable(&self) -> impl Iterator<Item = (usize, &Server, u32)> {
        (0..self.settings.server_count()).filter_map(|place| {
            let attempts = self.attempts.get(place)?;
            let left = !attempts.spent && attempts.made < self.settings.values.attempts;
            let server = self.settings.server(place)?;
            left.then_some((place, server, attempts.made))
        })
    }

    /// Whom to ask next: servers that are up first, and each as often as the others.
    fn choose(&self, now_ms: u64) -> Option<(usize, Server)> {
        let has_begun = self.pace == Pace::Hurried && self.hurried_until_ms != 0;
        let is_enough = has_begun && self.hurried_until_ms <= now_ms;
        // Mostly the first one is up and was not asked yet: none goes before it.
        if let Some((0, server, 0)) = self.askable().next()
            && server.is_up()
        {
            return Some((0, *server));
        }
        self.askable()
            .filter(|(_, server, _)| self.is_worth_waiting_for(server))
            .filter(|(_, server, _)| server.is_up() || !is_enough)
            .min_by_key(|(place, server, made)| (!server.is_up(), *made, *place))
            .map(|(place, server, _)| (place, *server))
    }

    /// Sends to the next server that is worth asking. Without any, open queries are waited for, and when nothing is,
    /// the question has failed.
    fn try_next_server(&mut self, session: &mut Session) {
        let now_ms = self.now_ms;
        while let Some((place, server)) = self.choose(now_ms) {
            if !server.is_up() && self.hurry(now_ms) {
                continue;
            }
            if let Some(attempts) = self.attempts.get_mut(place) {
                attempts.made += 1;
            }
            let protocol = self.usual_protocol();
            let way = self.way_of_attempt(place, &server, protocol);
            if self.send(place, &server, way, session) {
                if self.settings.server_count() > 1 || self.pace != Pace::Normal {
                    self.try_those_down(protocol, session);
                }
                return;
            }
            if !session.transport.failed_here() {
                server.note_unreachable(now_ms);
            }
            self.note_failure(Failure::Network);
            self.mark_spent(place, session);
        }
        if self.pace != Pace::Hurried && self.wait_for_open_query(now_ms) {
            return;
        }
        // A server that could not answer may still know the name: that is no absence. Silence says nothing of the name.
        let is_in_doubt = matches!(
            self.last_error,
            Some(Failure::ServFail | Failure::Malformed)
        );
        if let Some(answer) = self.nothing_here.take().filter(|_| !is_in_doubt) {
            return self.finish(Outcome::Answer(answer), session);
        }
        let timeout = self.timed_out.then_some(Failure::Timeout);
        let failure = match self.last_error {
            // A server that was silent may come back: of the two, that is the more telling one.
            Some(Failure::Network) | None => timeout.or(self.last_error),
            error => error,
        };
        self.finish(
            Outcome::Failed(failure.unwrap_or(Failure::Network)),
            session,
        );
    }

    /// False for servers that are down, when another one has said that it has no such records: in most places
    /// where the first server does not know a type there is none that does.
    fn is_worth_waiting_for(&self, server: &Server) -> bool {
        self.nothing_here.is_none() || server.is_up()
    }

    /// Turns to the oldest query that still has time: a copy may have come to its end before the query
    /// that it is a copy of. False if there is none.
    fn wait_for_open_query(&mut self, now_ms: u64) -> bool {
        let timeout_ms = self.settings.values.timeout_ms;
        let end_ms = |flight: &Flight| (flight.sent_us / 1000).saturating_add(timeout_ms);
        let is_open = |f: &&Flight| end_ms(f) > now_ms && self.is_worth_waiting_for(&f.server);
        let mut open = self.flights.iter().filter(is_open);
        let Some(flight) = open.next().filter(|_| self.limit_ms > now_ms) else {
            return false;
        };
        self.current_place = flight.place;
        self.deadline_ms = end_ms(flight).min(self.limit_ms);
        true
    }

    /// When [`look`](Self::look) is to be called again at the latest, ms.
    pub(super) fn next_look_ms(&self, now_ms: u64) -> u64 {
        let next_ms = self
            .deadline_ms
            .min(self.resends.at_ms)
            .min(self.doubt_at_ms)
            .min(self.try_at_ms);
        if self.better_one_left() || self.pace != Pace::Normal {
            next_ms.min(now_ms.saturating_add(LOOK_INTERVAL_MS))
        } else {
            next_ms
        }
    }

    /// True when a server other than the current one is up and may be asked.
    fn better_one_left(&self) -> bool {
        self.settings.server_count() > 1
            && self
                .askable()
                .any(|(place, server, _)| place != self.current_place && server.is_up())
    }

    /// Does what the time demands.
    pub(super) fn look(&mut self, now_ms: u64, session: &mut Session) {
        if self.done.is_some() {
            return;
        }
        self.now_ms = now_ms;
        if self.pace != Pace::Normal && self.is_any_up() {
            return self.go_on_normally(now_ms, session);
        }
        if self.deadline_ms <= now_ms {
            return self.on_deadline(now_ms, session);
        }
        let current = self.settings.server(self.current_place);
        if current.is_some_and(|server| !server.is_up()) {
            if self.better_one_left() {
                self.timed_out = true;
                if let Some(flight) = self.newest_of_current() {
                    metrics::count(Metric::Timeout);
                    flight.server.note_passed_over();
                }
                return self.try_next_server(session);
            }
            self.hurry(now_ms);
        }
        if self.try_at_ms <= now_ms {
            self.try_at_ms = now_ms.saturating_add(TRY_INTERVAL_MS);
            self.try_those_down(self.usual_protocol(), session);
        }
        if self.doubt_at_ms <= now_ms {
            self.doubt(now_ms, session);
        }
        if self.resends.at_ms <= now_ms {
            self.send_again(now_ms, session);
        }
    }

    fn server_failed(&mut self, place: usize, failure: Failure, session: &mut Session) {
        trace!("server {place} of the list: {failure:?}");
        self.note_failure(failure);
        self.told_by = Some(place);
        self.mark_spent(place, session);
        if place == self.current_place {
            self.try_next_server(session);
        }
    }

    /// A server's reply tells more than a server that could not be reached.
    fn note_failure(&mut self, failure: Failure) {
        if failure != Failure::Network || self.last_error.is_none() {
            self.last_error = Some(failure);
        }
    }

    /// The server is not asked again for this name.
    fn mark_spent(&mut self, place: usize, session: &mut Session) {
        if let Some(attempts) = self.attempts.get_mut(place) {
            attempts.spent = true;
        }
        self.flights.retain(|flight| {
            if flight.place == place {
                session.transport.close(flight.handle);
            }
            flight.place != place
        });
    }

    fn on_deadline(&mut self, now_ms: u64, session: &mut Session) {
        trace!(
            "server {} of the list: no reply in time",
            self.current_place
        );
        self.timed_out = true;
        if self.last_error.is_none() {
            self.told_by = Some(self.current_place);
        }
        self.note_silence(now_ms);
        if now_ms >= self.limit_ms {
            for attempts in &mut self.attempts {
                attempts.spent = true;
            }
        }
        self.try_next_server(session);
    }

    /// Tells the server state that the current server did not answer.
    fn note_silence(&self, now_ms: u64) {
        // The first query of the attempt; the others are there to find out why nothing comes.
        let made = self.attempts.get(self.current_place).map_or(0, |a| a.made);
        let is_current = |flight: &&Flight| flight.place == self.current_place;
        let is_latest = |flight: &&Flight| is_current(flight) && flight.attempt == made;
        let mut flights = self.flights.iter();
        let Some(flight) = flights
            .find(is_latest)
            .or_else(|| self.flights.iter().rev().find(is_current))
        else {
            return;
        };
        let sent_ms = flight.sent_us / 1000;
        // When the caller's deadline cut it short, it may have had too little time.
        let enough_ms = flight
            .server
            .silence_ms()
            .min(self.settings.values.timeout_ms);
        if now_ms.saturating_sub(sent_ms) < enough_ms {
            return;
        }
        metrics::count(Metric::Timeout);
        if flight.protocol == Protocol::Udp || self.settings.values.use_vc {
            let zone = self.zone();
            flight.server.note_silence(zone, sent_ms, now_ms);
        } else {
            flight.server.note_error();
        }
    }

    fn finish(&mut self, outcome: Outcome, session: &mut Session) {
        if !self.flights.is_empty() {
            self.close_all(self.now_ms, session);
        }
        self.end_finding();
        let took_ms = self.now_ms.saturating_sub(self.started_ms);
        let server = self.told_by.and_then(|place| self.settings.server(place));
        self.done = Some(Timed {
            outcome,
            took_ms,
            server: server.map(|server| server.address),
        });
    }

    /// Ends what is under way. A server that is down keeps its query: an answer brings it up again.
    fn close_all(&mut self, now_ms: u64, session: &mut Session) {
        for flight in self.flights.drain(..) {
            if flight.protocol != Protocol::Udp || flight.server.is_up() {
                session.transport.close(flight.handle);
                continue;
            }
            session.keep(Late {
                handle: flight.handle,
                server: flight.server,
                id: flight.id,
                question: self.query.question.clone(),
                strays: flight.strays,
                sent_ms: flight.sent_us / 1000,
                until_ms: now_ms.saturating_add(self.settings.values.timeout_ms),
            });
        }
    }
}
