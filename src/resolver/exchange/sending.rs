//! How a query goes out: over which transport, with an OPT record or without, and what is kept of it.

use super::super::cookie::Cookie;
use super::super::edns::{self, Policy, Trouble};
use super::super::message::{QueryFlags, encode_query};
use super::super::resend::Schedule;
use super::super::servers::{self, Ability, Server};
use super::super::session::Session;
use super::super::spelling;
use super::super::transport::Protocol;
use super::flight::{Flight, Way};
use super::{Exchange, Pace};
use crate::host::metrics::{self, Metric};
use crate::host::random;

/// Queries of one question that may be open at a time; beyond, the oldest is given up.
const MAX_FLIGHTS: usize = 8;
/// How long a query is waited for while no server is up, ms: long enough for each of them to be tried and to answer,
/// and so short that the two questions of a usual lookup take less than half a second.
const HURRIED_MS: u64 = 240;

impl Exchange<'_> {
    pub(super) fn usual_protocol(&self) -> Protocol {
        if self.settings.values.use_vc {
            Protocol::Tcp
        } else {
            Protocol::Udp
        }
    }

    /// Sends to a server and makes it the one that is waited for.
    pub(super) fn send(
        &mut self,
        place: usize,
        server: &Server,
        way: Way,
        session: &mut Session,
    ) -> bool {
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
    pub(super) fn edns_suits(&self, server: &Server, now_ms: u64) -> bool {
        match self.settings.values.edns {
            Policy::Always => true,
            Policy::Never => false,
            Policy::Auto => server.edns_suits(|| self.zone(), now_ms),
        }
    }

    /// True when silence of the server cannot be due to the OPT record.
    pub(super) fn answers_edns(&self, server: &Server, now_ms: u64) -> bool {
        let has_cookie = || !server.cookie(now_ms).server().is_empty();
        let values = &self.settings.values;
        values.edns != Policy::Auto || server.knows_edns(now_ms) || (values.cookies && has_cookie())
    }

    /// How the query of an attempt goes out: after the first one was not answered, without EDNS, unless the server
    /// is known to answer such queries.
    pub(super) fn way_of_attempt(&self, place: usize, server: &Server, protocol: Protocol) -> Way {
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
    pub(super) fn zone(&self) -> u64 {
        edns::zone_of(&self.query.question)
    }

    /// Sends the query; gives the time, in ms.
    pub(super) fn launch(
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

    pub(super) fn query_flags(&self, edns: bool, cookie: Option<Cookie>) -> QueryFlags {
        QueryFlags {
            edns,
            authentic_data: self.settings.values.trust_ad,
            cookie,
        }
    }
}
