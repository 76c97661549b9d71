//! Is the server alive, or is only the name slow?
//!
//! The probe is the question `localhost A` without RD: every resolver answers it by itself and at once, with an address
//! or with an error; a plain load balancer passes it on, which says whether anything behind it lives. Any reply counts.
//! Nobody waits for the probe as such: a call that waits for an answer looks whether the server is up.

use super::message::{QueryFlags, encode_odd_query};
use super::reply;
use super::servers::Server;
use super::transport::{Age, Event, Handle, Protocol, Transport};
use crate::host::metrics::{self, Metric};
use crate::host::random;

/// Question section of the probe.
const QUESTION: &[u8] = b"\x09localhost\x00\x00\x01\x00\x01";
/// How long an answer to the probe says that the server does answer it, ms.
const LIFE_MS: u64 = 5000;
/// Probes that one thread has open; beyond, the oldest is given up.
const MAX_OPEN: usize = 16;

/// The purpose of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To know whether the server lives.
    Verdict,
    /// To know whether it answers the probe: it does live.
    Introduction,
}

/// A probe that was sent.
#[derive(Debug)]
struct Probe {
    handle: Handle,
    server: Server,
    id: u16,
    sent_ms: u64,
    /// When it is sent once more, for a packet may have been lost, ms; `u64::MAX` = not.
    again_ms: u64,
    /// When a live server would have answered, ms; `u64::MAX` when that is settled.
    verdict_ms: u64,
    strays: u32,
    purpose: Purpose,
}

/// Writes the probe.
fn write(query: &mut Vec<u8>, id: u16) {
    encode_odd_query(query, id, QUESTION, QueryFlags::default());
    if let Some(flags) = query.get_mut(2) {
        // Without RD.
        *flags = 0;
    }
}

/// The probes of one thread that are under way.
#[derive(Debug, Default)]
pub(super) struct Probes(Vec<Probe>);

impl Probes {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn owns(&self, handle: Handle) -> bool {
        self.0.iter().any(|probe| probe.handle == handle)
    }

    /// Sends the probe. The caller has claimed it.
    pub(super) fn send(
        &mut self,
        (server, protocol): (&Server, Protocol),
        purpose: Purpose,
        (transport, query): (&mut (dyn Transport + 'static), &mut Vec<u8>),
    ) {
        let sent_ms = transport.now_ms();
        let id = random::secure_u16();
        write(query, id);
        let Some(handle) = transport.open(server.address, protocol, query) else {
            return;
        };
        metrics::count(Metric::Probe);
        trace!("probing {}", server.address);
        if self.0.len() >= MAX_OPEN {
            transport.close(self.0.remove(0).handle);
        }
        let (again_ms, verdict_ms) = match purpose {
            Purpose::Verdict => {
                let patience_ms = server.probe_patience_ms();
                (sent_ms + patience_ms / 2, sent_ms + patience_ms)
            }
            Purpose::Introduction => (u64::MAX, u64::MAX),
        };
        self.0.push(Probe {
            handle,
            server: *server,
            id,
            sent_ms,
            again_ms,
            verdict_ms,
            strays: 0,
            purpose,
        });
    }

    /// When [`settle`](Self::settle) is to be called at the latest, ms.
    pub(super) fn next_ms(&self) -> u64 {
        let times = self
            .0
            .iter()
            .map(|probe| probe.again_ms.min(probe.verdict_ms));
        times.min().unwrap_or(u64::MAX)
    }

    /// Says what the time says. The caller has taken the messages that were there.
    pub(super) fn settle(
        &mut self,
        now_ms: u64,
        (transport, query): (&mut (dyn Transport + 'static), &mut Vec<u8>),
    ) {
        self.0.retain_mut(|probe| {
            if probe.again_ms <= now_ms {
                probe.again_ms = u64::MAX;
                if now_ms < probe.verdict_ms {
                    write(query, probe.id);
                    transport.resend(probe.handle, query);
                }
            }
            if probe.verdict_ms <= now_ms {
                probe.verdict_ms = u64::MAX;
                probe.server.note_probe_silent(probe.sent_ms, now_ms);
            }
            let is_over = probe.sent_ms.saturating_add(LIFE_MS) <= now_ms;
            if is_over {
                transport.close(probe.handle);
                let lived = probe.purpose == Purpose::Introduction;
                probe.server.note_probe_over(probe.sent_ms, lived);
            }
            !is_over
        });
    }

    /// Takes an event, if it is one of a probe.
    pub(super) fn on_event(
        &mut self,
        handle: Handle,
        (event, age): (&Event, Age),
        transport: &mut dyn Transport,
    ) -> bool {
        let Some(index) = self.0.iter().position(|probe| probe.handle == handle) else {
            return false;
        };
        let Some(probe) = self.0.get_mut(index) else {
            return false;
        };
        let ends = match event {
            // Anybody can have sent such a notice, so only the end of the probe's time counts.
            Event::Failed => false,
            Event::Message(message) => {
                let fits = reply::is_reply(message, probe.id, QUESTION)
                    || reply::is_bare_error(message, probe.id);
                if fits {
                    let now_ms = transport.now_ms();
                    let since_ms = age.since_ms(probe.sent_ms, now_ms);
                    probe
                        .server
                        .note_probe_answered(probe.sent_ms, since_ms, now_ms);
                } else {
                    metrics::count(Metric::Discarded);
                    probe.strays += 1;
                }
                fits || probe.strays >= reply::MAX_STRAYS
            }
        };
        if ends {
            self.0.swap_remove(index);
            transport.close(handle);
        }
        true
    }

    /// Gives all up.
    #[cfg(feature = "testing")]
    pub(super) fn close(&mut self, transport: &mut dyn Transport) {
        for probe in self.0.drain(..) {
            transport.close(probe.handle);
        }
    }
}
