//! While the server that is waited for keeps silent, the query is sent again, and the server is asked whether it lives.

use super::super::caller;
use super::super::edns::Trouble;
use super::super::message::encode_odd_query;
use super::super::resend::{self, Schedule};
use super::super::servers::Server;
use super::super::session::Session;
use super::super::transport::{Handle, Protocol};
use super::flight::{Flight, Way};
use super::{Exchange, Pace};
use crate::host::metrics::{self, Metric};

/// How often a silent server is asked whether it still lives, ms.
const DOUBT_INTERVAL_MS: u64 = 1000;

impl Exchange<'_> {
    /// The current server has been silent for as long as its answers usually take: asks whether it lives.
    #[cold]
    pub(super) fn doubt(&mut self, now_ms: u64, session: &mut Session) {
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

    /// Sends the query of the attempt under way again: a packet may have been lost. Or a gateway drops queries with
    /// EDNS, where the server has not shown that it knows EDNS.
    #[cold]
    pub(super) fn send_again(&mut self, now_ms: u64, session: &mut Session) {
        let Some((newest, sockets)) = self.newest_of_attempt() else {
            self.resends = Schedule::NEVER;
            return self.ask_plainly_beside_tcp(session);
        };
        let (server, handle) = (newest.server, newest.handle);
        let anew = sockets == 1 && self.resends.packets >= resend::PACKETS_OF_FIRST_SOCKET;
        // A forger who puts in replies must not get to see a query without cookie.
        let is_silent = newest.strays == 0;
        let way = if self.plain_is_due && is_silent && newest.could_go_plain() {
            Some((false, Some(Trouble::Sign)))
        } else {
            anew.then_some((newest.edns, newest.plain_for))
        };
        if caller::resends_wait() && self.resends.leave(now_ms) {
            return;
        }
        // A server that is down gets its try and no resends, unless those that are up have said that they cannot help.
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
    pub(super) fn newest_of_current(&self) -> Option<&Flight> {
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
}
