//! One question on its way: servers, attempts.
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

use smallvec::SmallVec;

use super::config::{Held, MAX_SERVERS};
use super::cookie::Cookie;
use super::edns::{self, Policy, Trouble};
use super::message::{QueryFlags, encode_odd_query, encode_query};
use super::outgoing::Query;
use super::reply::{Asked, EdnsQuery, Manners, Verdict, judge};
use super::resend::{self, Schedule};
use super::servers::{self, Ability, Server};
use super::session::{self, End, Late, Session};
use super::spelling;
use super::transport::{Event, Handle, Protocol};
use super::wire::Octets;
use super::{Answer, Outcome, Timed};
use crate::error::Failure;
use crate::host::metrics::{self, Metric};
use crate::host::random;
use crate::rr::RecordType;

/// Queries of one question that may be open at a time; beyond, the oldest is given up.
const MAX_FLIGHTS: usize = 8;
/// Messages that do not fit the query before somebody is taken to be guessing, and TCP is used.
const MAX_STRAYS: u32 = 16;
/// How often to look, while waiting, whether other processes found the server to be down, ms.
const LOOK_INTERVAL_MS: u64 = 50;
/// How often a silent server is asked whether it still lives, ms.
const DOUBT_INTERVAL_MS: u64 = 1000;
/// How often to look whether servers are to be tried, while none is up, ms.
const TRY_INTERVAL_MS: u64 = 50;
/// How long a query is waited for while no server is up, ms: long enough for each of them to be tried and to answer, and
/// so short that the two questions of a usual lookup take less than half a second.
const HURRIED_MS: u64 = 240;
/// Time for a question that was under way when no server was left, ms: a restart takes about that long.
const GRACE_MS: u64 = 2000;

/// A query that was sent and not given up.
#[derive(Debug)]
struct Flight {
    handle: Handle,
    /// Place of the server.
    place: usize,
    server: Server,
    protocol: Protocol,
    id: u16,
    edns: bool,
    /// It repeats one that had an OPT record, for that reason.
    plain_for: Option<Trouble>,
    cookie: Option<Cookie>,
    /// The question with the letters that it was sent with, where they are random.
    spelled: Option<Octets>,
    strays: u32,
    sent_us: u64,
    /// Packets that went out: the answer to one of several says nothing of how long it took.
    packets: u32,
    /// When the last of them went out, µs.
    last_us: u64,
    /// Number of the attempt at the server that it is part of; 0 for a copy.
    attempt: u32,
    /// An error came that anybody can have sent, and TCP is to tell.
    doubt: Option<Doubt>,
}

impl Flight {
    /// The server says, as far as one can tell, that it cannot read the query, and it never gave a cookie that
    /// could be lost with the OPT record.
    fn may_do_without_edns(&self) -> bool {
        self.could_go_plain() && self.doubt.is_some_and(|doubt| doubt.unreadable)
    }

    /// It has an OPT record and no cookie of the server's in it, which would be given up with the record.
    fn could_go_plain(&self) -> bool {
        let has_cookie = self.cookie.is_some_and(|c| !c.server().is_empty());
        self.edns && !has_cookie
    }
}

/// How a query goes out.
#[derive(Clone, Copy, Debug)]
struct Way {
    protocol: Protocol,
    /// With an OPT record.
    edns: bool,
    /// It repeats one that had such a record, for that reason.
    plain_for: Option<Trouble>,
    /// Nothing came of a query before, which stays open: this one is sent in case something was lost.
    again: bool,
}

/// An error that anybody can have sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Doubt {
    /// It says that the query could not be read.
    unreadable: bool,
}

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
    /// It is not asked again.
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

    /// What became of it; `None` when it was given up.
    pub(super) fn into_outcome(self) -> Option<Timed> {
        self.done
    }

    /// What became of it, once.
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

    /// Sends to the next server that is worth asking. Without any, what is open is waited for, and when
    /// nothing is, the question has failed.
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
        // Who could not answer may still know the name: that is no absence. Silence says nothing of the name.
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

    /// Takes note that no server is up; true if that has shown just now, and was not so from the start.
    #[cold]
    fn hurry(&mut self, now_ms: u64) -> bool {
        if self.pace != Pace::Normal || self.is_any_up() {
            return false;
        }
        if self.attempts.iter().all(|attempts| attempts.made == 0) {
            // That was known before: nobody finds it out, and one query is all.
            self.pace = Pace::Hurried;
            self.hurried_until_ms = 0;
            return false;
        }
        trace!("no server is up");
        self.try_at_ms = now_ms;
        if servers::claim_finding(now_ms, self.limit_ms) {
            self.pace = Pace::Finding(self.limit_ms);
        } else {
            self.pace = Pace::Hurried;
            self.hurried_until_ms = now_ms.max(self.started_ms.saturating_add(GRACE_MS));
            self.deadline_ms = self.deadline_ms.min(self.hurried_until_ms);
        }
        true
    }

    /// A server is up again after none was: it is asked, whatever was asked before.
    #[cold]
    fn go_on_normally(&mut self, now_ms: u64, session: &mut Session) {
        self.end_finding();
        self.pace = Pace::Normal;
        self.try_at_ms = u64::MAX;
        if let Some(flight) = self.newest_of_current().filter(|f| f.server.is_up()) {
            let sent_ms = flight.sent_us / 1000;
            if now_ms < sent_ms.saturating_add(flight.server.patience_ms().0) {
                // It has just been asked.
                let deadline_ms = sent_ms.saturating_add(self.settings.values.timeout_ms);
                self.deadline_ms = deadline_ms.min(self.limit_ms);
                return;
            }
        }
        let most = self.settings.values.attempts;
        for (place, attempts) in self.attempts.iter_mut().enumerate() {
            if self.settings.server(place).is_some_and(Server::is_up) && !attempts.spent {
                attempts.made = attempts.made.min(most.saturating_sub(1));
            }
        }
        self.try_next_server(session);
    }

    fn end_finding(&mut self) {
        if let Pace::Finding(until_ms) = self.pace {
            servers::end_finding(until_ms);
        }
    }

    /// Tries servers that are down and due for it. Unless one is known to answer the probe it gets a copy of the
    /// query, too; one that was asked for this name before has its chance already.
    #[cold]
    fn try_those_down(&mut self, protocol: Protocol, session: &mut Session) {
        let none_up = self.pace != Pace::Normal;
        for place in 0..self.settings.server_count() {
            let untried = self.attempts.get(place).is_some_and(|a| a.made == 0);
            let Some(&server) = self.settings.server(place).filter(|_| untried || none_up) else {
                continue;
            };
            if server.is_up() {
                continue;
            }
            let now_ms = session.transport.now_ms();
            if !server.claim_try(now_ms, self.settings.values.retry_ms, none_up) {
                continue;
            }
            if untried && !server.answers_probe() {
                // Nobody would ask once more without EDNS.
                let way = Way {
                    protocol,
                    edns: self.answers_edns(&server, now_ms) && self.edns_suits(&server, now_ms),
                    plain_for: None,
                    again: false,
                };
                self.launch(place, &server, way, session);
            }
            if server.claim_probe(now_ms) {
                session.probe(&server, protocol);
            }
        }
    }

    fn usual_protocol(&self) -> Protocol {
        if self.settings.values.use_vc {
            Protocol::Tcp
        } else {
            Protocol::Udp
        }
    }

    /// Sends to a server and makes it the one that is waited for.
    fn send(&mut self, place: usize, server: &Server, way: Way, session: &mut Session) -> bool {
        let Some(sent_ms) = self.launch(place, server, way, session) else {
            return false;
        };
        self.current_place = place;
        let deadline_ms = sent_ms.saturating_add(self.settings.values.timeout_ms);
        self.deadline_ms = deadline_ms.min(self.limit_ms);
        if self.pace == Pace::Hurried {
            if self.hurried_until_ms == 0 {
                self.hurried_until_ms = sent_ms.saturating_add(HURRIED_MS);
                self.try_at_ms = sent_ms;
            }
            self.deadline_ms = self.deadline_ms.min(self.hurried_until_ms);
        }
        let (doubt_ms, resend_ms) = server.patience_ms();
        self.doubt_at_ms = sent_ms.saturating_add(doubt_ms);
        let is_datagram = way.protocol == Protocol::Udp;
        self.plain_is_due = way.edns && is_datagram && !self.answers_edns(server, sent_ms);
        self.resends = if !is_datagram {
            Schedule::NEVER
        } else if self.plain_is_due {
            // However slow the server is, the answer to the query without has to come within the same time.
            let part_ms = self.deadline_ms.saturating_sub(sent_ms) / 4;
            let most_ms = part_ms.max(servers::FIRST_RESEND_MS);
            Schedule::begin(sent_ms, resend_ms.min(most_ms))
        } else {
            Schedule::begin(sent_ms, resend_ms)
        };
        true
    }

    /// True when the question may go to the server with an OPT record.
    fn edns_suits(&self, server: &Server, now_ms: u64) -> bool {
        match self.settings.values.edns {
            Policy::Always => true,
            Policy::Never => false,
            Policy::Auto => server.edns_suits(|| self.zone(), now_ms),
        }
    }

    /// True when silence of the server cannot be due to the OPT record.
    fn answers_edns(&self, server: &Server, now_ms: u64) -> bool {
        let has_cookie = || !server.cookie(now_ms).server().is_empty();
        let values = &self.settings.values;
        values.edns != Policy::Auto || server.knows_edns(now_ms) || (values.cookies && has_cookie())
    }

    /// How the query of an attempt goes out: after the first one was not answered, without EDNS, unless the server
    /// is known to answer such queries.
    fn way_of_attempt(&self, place: usize, server: &Server, protocol: Protocol) -> Way {
        let now_ms = self.now_ms;
        let suits = self.edns_suits(server, now_ms);
        let is_first = self.attempts.get(place).is_none_or(|a| a.made <= 1);
        let edns = suits && (is_first || self.answers_edns(server, now_ms));
        Way {
            protocol,
            edns,
            plain_for: (suits && !edns).then_some(Trouble::Sign),
            again: false,
        }
    }

    /// Stands for the zone of the name.
    fn zone(&self) -> u64 {
        edns::zone_of(&self.query.question)
    }

    /// Sends the query; gives the time, in ms.
    fn launch(
        &mut self,
        place: usize,
        server: &Server,
        way: Way,
        session: &mut Session,
    ) -> Option<u64> {
        let Way {
            protocol,
            edns,
            plain_for,
            again,
        } = way;
        let sent_us = session.transport.now_us();
        let now_ms = sent_us / 1000;
        let id = random::secure_u16();
        let values = &self.settings.values;
        let cookie = (edns && values.cookies).then(|| server.cookie(now_ms));
        let random_case = values.random_case && !server.lacks(Ability::CaseEcho, now_ms);
        let spelled = random_case.then(|| spelling::at_random(&self.query.question));
        let question = spelled.as_ref().unwrap_or(&self.query.question);
        let flags = self.query_flags(edns, cookie);
        encode_query(&mut session.query, id, question, flags);
        let opened = session
            .transport
            .open(server.address, protocol, &session.query);
        let handle = opened?;
        if again {
            metrics::count(Metric::Resent);
        } else {
            metrics::count(match protocol {
                Protocol::Udp => Metric::QueryUdp,
                Protocol::Tcp => Metric::QueryTcp,
            });
            server.note_query(now_ms);
        }
        server.say_changes(now_ms);
        trace!(
            "asking {} by {protocol:?} for {} type {}",
            server.address, self.query.name, self.qtype.0
        );
        follow!(
            self.query.name.as_bytes(),
            "type {}: {} by {protocol:?} to {}",
            self.qtype.0,
            if again { "sent again" } else { "sent" },
            server.address
        );
        if self.flights.len() >= MAX_FLIGHTS {
            session.transport.close(self.flights.remove(0).handle);
        }
        self.flights.push(Flight {
            handle,
            place,
            server: *server,
            protocol,
            id,
            edns,
            plain_for,
            cookie,
            spelled,
            strays: 0,
            sent_us,
            packets: 1,
            last_us: sent_us,
            attempt: self.attempts.get(place).map_or(0, |a| a.made),
            doubt: None,
        });
        Some(now_ms)
    }

    fn query_flags(&self, edns: bool, cookie: Option<Cookie>) -> QueryFlags {
        QueryFlags {
            edns,
            authentic_data: self.settings.values.trust_ad,
            cookie,
        }
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

    /// The current server has been silent for as long as its answers usually take: asks whether it lives.
    #[cold]
    fn doubt(&mut self, now_ms: u64, session: &mut Session) {
        self.doubt_at_ms = now_ms.saturating_add(DOUBT_INTERVAL_MS);
        let newest = self
            .newest_of_current()
            .map(|f| (f.server, f.sent_us / 1000));
        let Some((server, sent_ms)) = newest else {
            return;
        };
        let since_ms = sent_ms.max(now_ms.saturating_sub(DOUBT_INTERVAL_MS));
        if server.is_up() && server.is_quiet_since(since_ms) && server.claim_probe(now_ms) {
            session.probe(&server, self.usual_protocol());
        }
    }

    /// Sends the query of the attempt under way again: what came of it may be nothing because a packet was lost, or,
    /// where the server has not shown that it knows EDNS, because a gateway drops such queries.
    #[cold]
    fn send_again(&mut self, now_ms: u64, session: &mut Session) {
        let Some((newest, sockets)) = self.newest_of_attempt() else {
            self.resends = Schedule::NEVER;
            return self.ask_plainly_beside_tcp(session);
        };
        let (server, handle) = (newest.server, newest.handle);
        let anew = sockets == 1 && self.resends.packets >= resend::PACKETS_OF_FIRST_SOCKET;
        // Whoever puts in forged replies must not get to see a query without cookie.
        let is_silent = newest.strays == 0;
        let way = if self.plain_is_due && is_silent && newest.could_go_plain() {
            Some((false, Some(Trouble::Sign)))
        } else {
            anew.then_some((newest.edns, newest.plain_for))
        };
        if session::resends_wait() && self.resends.leave(now_ms) {
            return;
        }
        // One that is down is tried, and no more than that; unless those that are up have said that they cannot help.
        if !(server.is_up() || self.is_last_hope()) || !server.may_resend(now_ms) {
            return self.resends.put_off(now_ms);
        }
        self.plain_is_due = false;
        if let Some((edns, plain_for)) = way {
            let way = Way {
                protocol: Protocol::Udp,
                edns,
                plain_for,
                again: true,
            };
            self.launch(self.current_place, &server, way, session);
        } else {
            self.repeat(handle, session);
        }
        self.resends.sent(now_ms);
    }

    /// True when servers are up, and none of them may be asked any more: the one that is down has its whole time.
    fn is_last_hope(&self) -> bool {
        let may_help = |place: usize| {
            let is_spent = self.attempts.get(place).is_some_and(|a| a.spent);
            self.settings.server(place).is_some_and(Server::is_up) && !is_spent
        };
        self.pace == Pace::Normal && !(0..self.settings.server_count()).any(may_help)
    }

    /// TCP was to tell whether the server sent an error, and is silent as well: where the server has not shown that it
    /// knows EDNS, the query goes out once without.
    fn ask_plainly_beside_tcp(&mut self, session: &mut Session) {
        let is_silent = |flight: &Flight| flight.strays == 0 && flight.could_go_plain();
        let silent = self.newest_of_current().filter(|flight| is_silent(flight));
        let Some(server) = silent.map(|flight| flight.server) else {
            return;
        };
        if std::mem::take(&mut self.plain_is_due) {
            let way = Way {
                protocol: Protocol::Udp,
                edns: false,
                plain_for: Some(Trouble::Sign),
                again: true,
            };
            self.launch(self.current_place, &server, way, session);
        }
    }

    /// The last query that is open of those that went to the current server.
    fn newest_of_current(&self) -> Option<&Flight> {
        let mut newest_first = self.flights.iter().rev();
        newest_first.find(|flight| flight.place == self.current_place)
    }

    /// The last query of the attempt under way and the number of those that are open; none where one is past being
    /// sent again: it goes over TCP, or something came.
    fn newest_of_attempt(&self) -> Option<(&Flight, usize)> {
        let made = self.attempts.get(self.current_place)?.made;
        let mut of_attempt = self
            .flights
            .iter()
            .filter(|f| f.place == self.current_place && f.attempt == made);
        let silent = |f: &&Flight| f.protocol == Protocol::Udp && f.doubt.is_none();
        if !of_attempt.clone().all(|f| silent(&f)) {
            return None;
        }
        let count = of_attempt.clone().count();
        of_attempt.next_back().map(|newest| (newest, count))
    }

    /// Sends the same datagram from the same port.
    #[cold]
    fn repeat(&mut self, handle: Handle, session: &mut Session) {
        let Some(flight) = self.flights.iter().find(|f| f.handle == handle) else {
            return;
        };
        let question = flight.spelled.as_ref().unwrap_or(&self.query.question);
        let flags = self.query_flags(flight.edns, flight.cookie);
        encode_odd_query(&mut session.query, flight.id, question, flags);
        if session.transport.resend(handle, &session.query) {
            metrics::count(Metric::Resent);
            if let Some(flight) = self.flights.iter_mut().find(|f| f.handle == handle) {
                flight.packets += 1;
                flight.last_us = session.transport.now_us();
            }
        }
    }

    pub(super) fn on_event(&mut self, handle: Handle, event: Event, session: &mut Session) {
        let Some(index) = self.flights.iter().position(|f| f.handle == handle) else {
            return;
        };
        let Some(flight) = self.flights.get_mut(index) else {
            return;
        };
        let (place, server, protocol) = (flight.place, flight.server, flight.protocol);
        let plain_for = flight.plain_for;
        let now_us = session.transport.now_us();
        self.now_ms = now_us / 1000;
        let message = match event {
            Event::Message(message) => message,
            Event::Failed => return self.query_lost(handle, session),
        };
        let asked = Asked {
            id: Some(flight.id),
            qname: &self.query.name,
            question: Some(flight.spelled.as_ref().unwrap_or(&self.query.question)),
            qtype: self.qtype,
            exact_case: flight.spelled.is_some(),
            edns: flight.edns.then(|| EdnsQuery {
                may_go: self.settings.values.edns == Policy::Auto,
                known: server.knows_edns(now_us / 1000),
            }),
            cookie: flight.cookie.as_ref(),
            tcp_left: protocol == Protocol::Udp,
            additional: self.additional,
        };
        let mut manners = Manners::default();
        let verdict = judge(&message, &asked, &mut manners);
        session.transport.recycle(message);
        let proven = !matches!(
            verdict,
            Verdict::Ignore(_) | Verdict::Doubtful | Verdict::Unproven { .. }
        );
        if proven {
            note_manners(&server, &manners, now_us / 1000);
            // A connection takes a round trip of its own. Of several packets it is not known which one is answered.
            let is_datagram = protocol == Protocol::Udp;
            let is_measured = is_datagram && flight.packets == 1 && !session.has_lain;
            let took_us = is_measured.then(|| now_us.saturating_sub(flight.sent_us));
            server.note_reply(now_us / 1000, took_us);
            if flight.packets > 1 {
                let after_us = now_us.saturating_sub(flight.last_us);
                server.note_resent(flight.packets - 1, after_us);
            }
            session.introduce(&server, self.settings.values.use_vc, now_us / 1000);
        }
        follow!(
            self.query.name.as_bytes(),
            "type {}: {} from {}",
            self.qtype.0,
            verdict.in_words(),
            server.address
        );
        match verdict {
            Verdict::Answer(answer) => {
                if let Some(trouble) = plain_for {
                    let zone = edns::zone_of(&self.query.question);
                    server.note_edns_trouble(trouble, zone, now_us / 1000);
                }
                if flight.strays == 0 && flight.packets == 1 {
                    session.transport.finish(handle);
                    self.flights.remove(index);
                }
                self.told_by = Some(place);
                self.finish(Outcome::Answer(answer), session);
            }
            Verdict::Ignore(reason) => {
                metrics::count(Metric::Discarded);
                flight.strays += 1;
                let guessing = flight.strays >= MAX_STRAYS && protocol == Protocol::Udp;
                trace!("message for {} ignored: {reason}", self.query.name);
                if guessing {
                    self.ask_again(handle, Protocol::Tcp, session);
                }
            }
            Verdict::Truncated => {
                self.give_tcp_its_time();
                self.ask_again(handle, Protocol::Tcp, session);
            }
            Verdict::Doubtful => {
                metrics::count(Metric::Discarded);
                trace!("reply for {} is doubtful", self.query.name);
                self.ask_again(handle, Protocol::Tcp, session);
            }
            Verdict::Unproven { unreadable } => {
                metrics::count(Metric::Discarded);
                trace!("reply for {} has no question", self.query.name);
                flight.strays += 1;
                flight.doubt.get_or_insert(Doubt { unreadable });
                self.ask_whether_proven(place, &server, session);
            }
            Verdict::BadCookie => {
                let protocol = if self.cookie_refused {
                    Protocol::Tcp
                } else {
                    Protocol::Udp
                };
                self.cookie_refused = true;
                self.ask_again(handle, protocol, session);
            }
            Verdict::WithoutEdns(trouble) => {
                self.ask_without_edns(handle, trouble, session);
            }
            Verdict::NothingHere(answer) => {
                metrics::count(Metric::ServerError);
                server.note_error();
                self.nothing_here.get_or_insert(answer);
                self.mark_spent(place, session);
                if place == self.current_place {
                    self.try_next_server(session);
                }
            }
            Verdict::NextServer(failure) => {
                metrics::count(Metric::ServerError);
                server.note_error();
                self.server_failed(place, failure, session);
            }
        }
    }

    /// The answer is there and wants a connection: whatever UDP took, that has the time of one attempt, as in the libc.
    fn give_tcp_its_time(&mut self) {
        let end_ms = self.now_ms.saturating_add(self.settings.values.timeout_ms);
        self.limit_ms = self.limit_ms.max(end_ms).min(self.end_ms);
    }

    /// Puts the query to the same server once more, in place of an earlier one.
    fn ask_again(&mut self, handle: Handle, protocol: Protocol, session: &mut Session) {
        self.replace(handle, session, |flight| Way {
            protocol,
            edns: flight.edns,
            plain_for: flight.plain_for,
            again: false,
        });
    }

    /// As [`ask_again`](Self::ask_again), for a query that had an OPT record.
    fn ask_without_edns(&mut self, handle: Handle, trouble: Trouble, session: &mut Session) {
        self.replace(handle, session, |flight| Way {
            protocol: flight.protocol,
            edns: false,
            plain_for: Some(trouble),
            again: false,
        });
    }

    fn replace(&mut self, handle: Handle, session: &mut Session, way: impl FnOnce(&Flight) -> Way) {
        let Some(index) = self.flights.iter().position(|f| f.handle == handle) else {
            return;
        };
        let flight = self.flights.remove(index);
        session.transport.close(handle);
        if !self.send(flight.place, &flight.server, way(&flight), session) {
            self.server_failed(flight.place, Failure::Network, session);
        }
    }

    /// The network reports that nothing will come of a query: that ends the attempt, and not more.
    fn query_lost(&mut self, handle: Handle, session: &mut Session) {
        let Some(index) = self.flights.iter().position(|f| f.handle == handle) else {
            return;
        };
        let lost = self.flights.remove(index);
        session.transport.close(handle);
        lost.server.note_lost();
        trace!("server {} of the list: query lost", lost.place);
        self.note_failure(Failure::Network);
        let is_under_way = |f: &&mut Flight| f.place == lost.place && f.attempt == lost.attempt;
        match self.flights.iter_mut().find(is_under_way) {
            // It could not be asked over TCP whether it sent the error. Without the OPT record there is nothing
            // left that it may not be able to read, and the letters guard the query as before.
            Some(flight) if lost.protocol == Protocol::Tcp && flight.may_do_without_edns() => {
                flight.doubt = Some(Doubt { unreadable: false });
                let way = Way {
                    protocol: Protocol::Udp,
                    edns: false,
                    plain_for: None,
                    again: false,
                };
                self.launch(lost.place, &lost.server, way, session);
            }
            Some(_) => {}
            None if lost.place == self.current_place => self.try_next_server(session),
            None => {}
        }
    }

    /// An error came that anybody can have sent: asks over TCP, once in an attempt.
    fn ask_whether_proven(&mut self, place: usize, server: &Server, session: &mut Session) {
        let is_of_attempt = |f: &&Flight| {
            self.attempts
                .get(place)
                .is_some_and(|a| f.place == place && f.attempt == a.made)
        };
        let doubts = self
            .flights
            .iter()
            .filter(is_of_attempt)
            .filter(|f| f.doubt.is_some());
        if doubts.count() == 1 && !self.settings.values.use_vc {
            let way = Way {
                protocol: Protocol::Tcp,
                edns: self.edns_suits(server, self.now_ms),
                plain_for: None,
                again: false,
            };
            self.launch(place, server, way, session);
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

    /// What a server said tells more than one that could not be reached.
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

/// Remembers what a reply that nobody can have forged shows of the server.
fn note_manners(server: &Server, manners: &Manners, now_ms: u64) {
    if manners.edns {
        server.note_edns(now_ms);
    }
    if manners.case_lost {
        server.note_lack(Ability::CaseEcho, now_ms);
    }
    if manners.cookie.is_some() || manners.cookie_lost {
        server.note_cookie(manners.cookie.as_ref());
    }
}
