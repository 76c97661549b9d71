//! Queries to servers that are down, left open: a reply that comes late tells that the server is up.

use super::reply::{MAX_STRAYS, is_reply};
use super::servers::Server;
use super::transport::{Age, Event, Handle, Transport};
use super::wire_name::Octets;
use crate::host::metrics::{self, Metric};

/// Queries that are left open; beyond, the oldest is given up.
const MAX_LATE: usize = 8;

/// A query whose reply nobody waits for any more: it will tell that the server is up.
#[derive(Debug)]
pub(super) struct Late {
    pub(super) handle: Handle,
    pub(super) server: Server,
    pub(super) id: u16,
    /// Question section.
    pub(super) question: Octets,
    pub(super) strays: u32,
    /// When it was sent, ms.
    pub(super) sent_ms: u64,
    /// When to give up, ms.
    pub(super) until_ms: u64,
}

/// The late queries of a session.
#[derive(Debug, Default)]
pub(super) struct LateQueries(Vec<Late>);

impl LateQueries {
    /// True when there is none.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Leaves a query open.
    pub(super) fn keep(&mut self, late: Late, transport: &mut dyn Transport) {
        if self.0.len() >= MAX_LATE {
            transport.close(self.0.remove(0).handle);
        }
        self.0.push(late);
    }

    /// Gives up those that `which` names.
    pub(super) fn close(&mut self, which: impl Fn(&Late) -> bool, transport: &mut dyn Transport) {
        self.0.retain(|late| {
            let ends = which(late);
            if ends {
                transport.close(late.handle);
            }
            !ends
        });
    }

    /// Takes an event that belongs to a late query, or to none.
    pub(super) fn on_event(
        &mut self,
        handle: Handle,
        (event, age): (Event, Age),
        transport: &mut dyn Transport,
    ) {
        let Some(late) = self.0.iter_mut().find(|late| late.handle == handle) else {
            return;
        };
        let ends = match event {
            Event::Failed => true,
            Event::Message(message) => {
                let fits = is_reply(&message, late.id, &late.question);
                if fits {
                    let now_ms = transport.now_ms();
                    let since_ms = age.since_ms(late.sent_ms, now_ms);
                    late.server.note_reply_since(since_ms, now_ms);
                } else {
                    metrics::count(Metric::Discarded);
                    late.strays += 1;
                }
                fits || late.strays >= MAX_STRAYS
            }
        };
        if ends {
            self.close(|late| late.handle == handle, transport);
        }
    }
}
