//! One question on its way: candidates, servers, attempts.
//!
//! Order of things for one candidate name: each server in turn, `attempts` times round, `timeout`
//! for each. A server that said it cannot help, or that cannot be reached, is not asked again for
//! this name. One that was slow may still answer while the next is being asked. One candidate
//! takes at most timeout * attempts * servers, TCP and repetitions without EDNS included, and a
//! question that times the number of candidates. The caller's deadline can only shorten it.

use std::net::SocketAddr;

use super::config::{self, Settings};
use super::message::{QueryFlags, encode_query};
use super::reply::{Asked, Verdict, judge};
use super::search::{Candidate, Candidates};
use super::transport::{Event, Handle, Protocol, Transport};
use super::{Answer, Negative, Outcome, Timed};
use crate::error::Failure;
use crate::host::metrics::{self, Metric};
use crate::host::{clock, random};
use crate::rr::RecordType;

/// Questions under way at a time; more would only make packets get lost.
const MAX_PARALLEL: usize = 32;
/// Queries of one question that may be open at a time; beyond, the oldest is given up.
const MAX_FLIGHTS: usize = 8;
/// Messages that do not fit the query before somebody is taken to be guessing, and TCP is used.
const MAX_STRAYS: u32 = 16;

/// A query that was sent and not given up.
#[derive(Debug)]
struct Flight {
    handle: Handle,
    server: usize,
    protocol: Protocol,
    id: u16,
    edns: bool,
    strays: u32,
    /// When it was sent, for the histogram.
    sent_ns: u64,
}

/// What the candidates tried so far have shown.
#[derive(Debug, Default)]
struct Findings {
    /// Proof that the name as the caller wrote it is absent, when that was asked first.
    as_is: Option<Answer>,
    /// All proofs of absence together.
    absent: Option<Negative>,
    failed: Option<Failure>,
}

/// A question and how far it has got.
#[derive(Debug)]
pub(super) struct Exchange<'s> {
    settings: &'s Settings,
    qtype: RecordType,
    candidates: Candidates,
    /// Index of the candidate under way.
    position: usize,
    /// Servers tried for this candidate, over all attempts.
    tries: u64,
    /// Servers that are not asked again for this candidate.
    spent: Vec<bool>,
    current_server: usize,
    flights: Vec<Flight>,
    /// When the current server has had its time, ms.
    deadline_ms: u64,
    /// When the candidate has had its time, ms.
    limit_ms: u64,
    /// When the caller's patience ends, ms.
    end_ms: u64,
    last_error: Option<Failure>,
    timed_out: bool,
    findings: Findings,
    started_ms: u64,
    done: Option<Timed>,
}

/// Runs all questions to their end; results in the order of the exchanges.
pub(super) fn run(mut exchanges: Vec<Exchange<'_>>, transport: &mut dyn Transport) -> Vec<Timed> {
    let mut started = 0;
    loop {
        while started < exchanges.len() {
            let active = exchanges.iter().take(started).filter(|e| e.done.is_none());
            if active.count() >= MAX_PARALLEL {
                break;
            }
            if let Some(exchange) = exchanges.get_mut(started) {
                exchange.start(transport);
            }
            started += 1;
        }
        let waiting = exchanges.iter().take(started).filter(|e| e.done.is_none());
        let Some(next_ms) = waiting.map(|e| e.deadline_ms).min() else {
            break;
        };
        if let Some((handle, event)) = transport.wait(next_ms)
            && let Some(owner) = exchanges.iter_mut().find(|e| e.owns(handle))
        {
            owner.on_event(handle, event, transport);
        }
        // Also after an event: a flood of messages must not put off a deadline.
        let now_ms = transport.now_ms();
        for exchange in exchanges.iter_mut().take(started) {
            if exchange.done.is_none() && exchange.deadline_ms <= now_ms {
                exchange.on_deadline(transport);
            }
        }
    }
    exchanges
        .into_iter()
        .map(|e| e.done.unwrap_or_else(super::not_asked))
        .collect()
}

impl<'s> Exchange<'s> {
    /// Prepares a question; nothing is sent yet.
    pub(super) fn new(
        settings: &'s Settings,
        candidates: Candidates,
        qtype: RecordType,
        deadline_ms: Option<u64>,
    ) -> Self {
        Self {
            settings,
            qtype,
            candidates,
            position: 0,
            tries: 0,
            spent: Vec::new(),
            current_server: 0,
            flights: Vec::new(),
            deadline_ms: 0,
            limit_ms: 0,
            end_ms: deadline_ms.unwrap_or(u64::MAX),
            last_error: None,
            timed_out: false,
            findings: Findings::default(),
            started_ms: 0,
            done: None,
        }
    }

    fn owns(&self, handle: Handle) -> bool {
        self.flights.iter().any(|flight| flight.handle == handle)
    }

    fn candidate(&self) -> Option<&Candidate> {
        self.candidates.names.get(self.position)
    }

    fn start(&mut self, transport: &mut dyn Transport) {
        self.started_ms = transport.now_ms();
        if self.settings.servers.is_empty() {
            self.finish(Outcome::Failed(Failure::NoServers), transport);
        } else {
            self.start_candidate(transport);
        }
    }

    fn start_candidate(&mut self, transport: &mut dyn Transport) {
        self.tries = 0;
        self.spent = vec![false; self.settings.servers.len()];
        self.last_error = None;
        self.timed_out = false;
        let now_ms = transport.now_ms();
        if now_ms >= self.end_ms {
            return self.candidate_failed(Failure::Timeout, transport);
        }
        let time_ms = self.settings.timeout_ms.saturating_mul(self.max_tries());
        self.limit_ms = now_ms.saturating_add(time_ms).min(self.end_ms);
        self.try_next_server(transport);
    }

    fn max_tries(&self) -> u64 {
        u64::from(self.settings.attempts).saturating_mul(self.settings.servers.len() as u64)
    }

    /// Sends to the next server that is worth asking; without any, the candidate has failed.
    fn try_next_server(&mut self, transport: &mut dyn Transport) {
        let servers = self.spent.len() as u64;
        while self.tries < self.max_tries() && self.spent.contains(&false) {
            let server = (self.tries % servers) as usize;
            self.tries += 1;
            if self.spent.get(server) != Some(&false) {
                continue;
            }
            let protocol = if self.settings.use_vc {
                Protocol::Tcp
            } else {
                Protocol::Udp
            };
            if self.send(server, protocol, transport) {
                return;
            }
            self.mark_spent(server, Failure::Network, transport);
        }
        let timeout = self.timed_out.then_some(Failure::Timeout);
        let failure = match self.last_error {
            // A server that was silent may come back: of the two, that is the more telling one.
            Some(Failure::Network) | None => timeout.or(self.last_error),
            error => error,
        };
        self.candidate_failed(failure.unwrap_or(Failure::Network), transport);
    }

    fn send(&mut self, server: usize, protocol: Protocol, transport: &mut dyn Transport) -> bool {
        let Some(&address) = self.settings.servers.get(server) else {
            return false;
        };
        let edns = !config::lacks_edns(&address);
        let id = random::secure_u16();
        let flags = QueryFlags {
            edns,
            authentic_data: self.settings.trust_ad,
        };
        let query = self
            .candidate()
            .and_then(|c| encode_query(id, &c.labels, self.qtype, flags));
        let Some(handle) = query.and_then(|query| transport.open(address, protocol, &query)) else {
            return false;
        };
        metrics::count(match protocol {
            Protocol::Udp => Metric::QueryUdp,
            Protocol::Tcp => Metric::QueryTcp,
        });
        self.trace_query(address, protocol);
        if self.flights.len() >= MAX_FLIGHTS {
            transport.close(self.flights.remove(0).handle);
        }
        self.flights.push(Flight {
            handle,
            server,
            protocol,
            id,
            edns,
            strays: 0,
            sent_ns: clock::monotonic_ns(),
        });
        self.current_server = server;
        let deadline_ms = transport.now_ms().saturating_add(self.settings.timeout_ms);
        self.deadline_ms = deadline_ms.min(self.limit_ms);
        true
    }

    fn trace_query(&self, address: SocketAddr, protocol: Protocol) {
        if let Some(candidate) = self.candidate() {
            trace!(
                "asking {address} by {protocol:?} for {} type {}, try {} of {}",
                candidate.name,
                self.qtype.0,
                self.tries,
                self.max_tries()
            );
        }
    }

    fn on_event(&mut self, handle: Handle, event: Event, transport: &mut dyn Transport) {
        let Some(flight) = self.flights.iter_mut().find(|f| f.handle == handle) else {
            return;
        };
        let (server, protocol) = (flight.server, flight.protocol);
        let message = match event {
            Event::Message(message) => message,
            Event::Failed => return self.server_failed(server, Failure::Network, transport),
        };
        let Some(candidate) = self.candidates.names.get(self.position) else {
            return;
        };
        let asked = Asked {
            id: Some(flight.id),
            qname: &candidate.name,
            qtype: self.qtype,
            edns: flight.edns,
            tcp_left: protocol == Protocol::Udp,
        };
        let verdict = judge(&message, &asked);
        if matches!(verdict, Verdict::Ignore(_)) {
            metrics::count(Metric::Discarded);
        } else {
            let took_ns = clock::monotonic_ns().saturating_sub(flight.sent_ns);
            metrics::note_latency(took_ns / 1000);
        }
        match verdict {
            Verdict::Answer(answer) => self.candidate_answered(answer, transport),
            Verdict::Ignore(reason) => {
                flight.strays += 1;
                let guessing = flight.strays >= MAX_STRAYS && protocol == Protocol::Udp;
                trace!("message for {} ignored: {reason}", candidate.name);
                if guessing {
                    self.ask_again(handle, Protocol::Tcp, transport);
                }
            }
            Verdict::Truncated => self.ask_again(handle, Protocol::Tcp, transport),
            Verdict::WithoutEdns => {
                if let Some(&address) = self.settings.servers.get(server) {
                    config::note_lack_of_edns(address);
                }
                self.ask_again(handle, protocol, transport);
            }
            Verdict::NextServer(failure) => {
                metrics::count(Metric::ServerError);
                self.server_failed(server, failure, transport);
            }
        }
    }

    /// Puts the query to the same server once more, in place of an earlier one.
    fn ask_again(&mut self, handle: Handle, protocol: Protocol, transport: &mut dyn Transport) {
        let Some(index) = self.flights.iter().position(|f| f.handle == handle) else {
            return;
        };
        let server = self.flights.remove(index).server;
        transport.close(handle);
        if !self.send(server, protocol, transport) {
            self.server_failed(server, Failure::Network, transport);
        }
    }

    fn server_failed(&mut self, server: usize, failure: Failure, transport: &mut dyn Transport) {
        trace!("server {server} of the list: {failure:?}");
        self.mark_spent(server, failure, transport);
        if server == self.current_server {
            self.try_next_server(transport);
        }
    }

    fn mark_spent(&mut self, server: usize, failure: Failure, transport: &mut dyn Transport) {
        if let Some(spent) = self.spent.get_mut(server) {
            *spent = true;
        }
        // What a server said tells more than one that could not be reached.
        if failure != Failure::Network || self.last_error.is_none() {
            self.last_error = Some(failure);
        }
        self.flights.retain(|flight| {
            if flight.server == server {
                transport.close(flight.handle);
            }
            flight.server != server
        });
    }

    fn on_deadline(&mut self, transport: &mut dyn Transport) {
        trace!(
            "server {} of the list: no reply in time",
            self.current_server
        );
        metrics::count(Metric::Timeout);
        self.timed_out = true;
        if transport.now_ms() >= self.limit_ms {
            self.tries = self.max_tries();
        }
        self.try_next_server(transport);
    }

    fn candidate_answered(&mut self, answer: Answer, transport: &mut dyn Transport) {
        let Some(negative) = answer.negative else {
            return self.finish(Outcome::Answer(answer), transport);
        };
        let is_only_one = self.candidates.names.len() == 1;
        if is_only_one {
            return self.finish(Outcome::Answer(answer), transport);
        }
        self.findings.absent = Some(match self.findings.absent {
            None => negative,
            Some(earlier) => Negative {
                nxdomain: earlier.nxdomain && negative.nxdomain,
                ttl: match (earlier.ttl, negative.ttl) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                },
            },
        });
        if self.position == 0 && self.candidates.as_is_first {
            self.findings.as_is = Some(answer);
        }
        self.next_candidate(transport);
    }

    fn candidate_failed(&mut self, failure: Failure, transport: &mut dyn Transport) {
        self.findings.failed = Some(failure);
        // Servers that answer, if only with an error, may know the next candidate. Silent ones
        // would be silent again, and the caller would wait for that.
        if matches!(failure, Failure::ServFail | Failure::Refused) {
            self.next_candidate(transport);
        } else {
            self.conclude(transport);
        }
    }

    fn next_candidate(&mut self, transport: &mut dyn Transport) {
        self.close_all(transport);
        self.position += 1;
        if self.position < self.candidates.names.len() {
            self.start_candidate(transport);
        } else {
            self.conclude(transport);
        }
    }

    /// No candidate gave records: says what that means for the question.
    fn conclude(&mut self, transport: &mut dyn Transport) {
        let findings = std::mem::take(&mut self.findings);
        let outcome = match findings {
            // As res_search(): what is known of the name itself counts, whatever became of the
            // guesses that were made after it.
            Findings {
                as_is: Some(answer),
                ..
            } => Outcome::Answer(answer),
            // An unknown candidate might have had the records: this is no absence.
            Findings {
                failed: Some(failure),
                ..
            } => Outcome::Failed(failure),
            Findings { absent, .. } => Outcome::Answer(Answer {
                qname: self.candidates.question.clone(),
                answers: Vec::new(),
                additional: Vec::new(),
                negative: absent,
            }),
        };
        self.finish(outcome, transport);
    }

    fn finish(&mut self, outcome: Outcome, transport: &mut dyn Transport) {
        self.close_all(transport);
        let took_ms = transport.now_ms().saturating_sub(self.started_ms);
        self.done = Some(Timed { outcome, took_ms });
    }

    fn close_all(&mut self, transport: &mut dyn Transport) {
        for flight in self.flights.drain(..) {
            transport.close(flight.handle);
        }
    }
}
