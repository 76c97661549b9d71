//! Deals with a message that comes back, or with the end of a connection.

use super::super::Outcome;
use super::super::edns::{self, Policy, Trouble};
use super::super::reply::{Asked, EdnsQuery, MAX_STRAYS, Manners, Verdict, judge};
use super::super::servers::{Ability, Server};
use super::super::session::Session;
use super::super::transport::{Event, Handle, Protocol};
use super::Exchange;
use super::flight::{Doubt, Flight, Way};
use crate::error::Failure;
use crate::host::metrics::{self, Metric};

impl Exchange<'_> {
    pub(in super::super) fn on_event(
        &mut self,
        handle: Handle,
        event: Event,
        session: &mut Session,
    ) {
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
                // Who guesses cannot do so over TCP.
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
        let attempt = (lost.place, lost.attempt);
        match self.first_of_attempt(attempt).is_some() {
            true if lost.protocol == Protocol::Tcp => {
                self.ask_without_proof(attempt, &lost.server, session);
            }
            true => {}
            false if lost.place == self.current_place => self.try_next_server(session),
            false => {}
        }
    }

    /// The oldest open query of an attempt at the server of a place.
    fn first_of_attempt(&mut self, (place, attempt): (usize, u32)) -> Option<&mut Flight> {
        let is_of_attempt = |f: &&mut Flight| f.place == place && f.attempt == attempt;
        self.flights.iter_mut().find(is_of_attempt)
    }

    /// The server could not be asked over TCP whether it sent the error. Without the OPT record there is nothing left
    /// that it may not be able to read, and the letters guard the query as before.
    fn ask_without_proof(&mut self, attempt: (usize, u32), server: &Server, session: &mut Session) {
        let first = self.first_of_attempt(attempt);
        let Some(flight) = first.filter(|flight| flight.may_do_without_edns()) else {
            return;
        };
        flight.doubt = Some(Doubt { unreadable: false });
        let way = Way {
            protocol: Protocol::Udp,
            edns: false,
            plain_for: None,
            again: false,
        };
        self.launch(attempt.0, server, way, session);
    }

    /// An error came that anybody can have sent: asks over TCP, once in an attempt.
    fn ask_whether_proven(&mut self, place: usize, server: &Server, session: &mut Session) {
        let Some(made) = self.attempts.get(place).map(|attempts| attempts.made) else {
            return;
        };
        let is_of_attempt = |f: &&Flight| f.place == place && f.attempt == made;
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
            if self.launch(place, server, way, session).is_none() {
                // The kernel of this host refuses at once where the server stands here.
                self.ask_without_proof((place, made), server, session);
            }
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
