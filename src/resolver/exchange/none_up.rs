//! While no server is up: how long a question is waited for, and how servers that are down are tried.

use super::super::servers::{self, Server};
use super::super::session::Session;
use super::super::transport::Protocol;
use super::flight::Way;
use super::{Exchange, Pace};

/// Time for a question that was under way when no server was left, ms: a restart takes about that long.
const GRACE_MS: u64 = 2000;

impl Exchange<'_> {
    /// Takes note that no server is up; true if that has shown just now, and was not so from the start.
    #[cold]
    pub(super) fn hurry(&mut self, now_ms: u64) -> bool {
        if self.pace != Pace::Normal || self.is_any_up() {
            return false;
        }
        if self.attempts.iter().all(|attempts| attempts.made == 0) {
            // It was known before that no server is up. This question need not find that out, so one query is all.
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
    pub(super) fn go_on_normally(&mut self, now_ms: u64, session: &mut Session) {
        self.end_finding();
        self.pace = Pace::Normal;
        self.try_at_ms = u64::MAX;
        if let Some(flight) = self.newest_of_current().filter(|f| f.server.is_up()) {
            let sent_ms = flight.sent_us / 1000;
            if now_ms < sent_ms.saturating_add(flight.server.patience_ms().0) {
                // The server has just been asked.
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

    pub(super) fn end_finding(&mut self) {
        if let Pace::Finding(until_ms) = self.pace {
            servers::end_finding(until_ms);
        }
    }

    /// Tries servers that are down and due for it. Unless one is known to answer the probe it gets a copy of the
    /// query, too; one that was asked for this name before has its chance already.
    #[cold]
    pub(super) fn try_those_down(&mut self, protocol: Protocol, session: &mut Session) {
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
}
