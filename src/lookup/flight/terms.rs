//! How somebody wants to ask a question: who it is, how long the query takes, and whether beside another.

use std::cell::Cell;

use crate::cache::claim::Seat;
use crate::host::process;
use crate::resolver;

/// Time after the end of its query in which an asker stores what came of it, ms.
const GRACE_MS: u64 = 250;

/// How somebody wants to ask a question.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Terms {
    /// The time, ms of [`resolver::now_ms`].
    pub(in super::super) now_ms: u64,
    /// When the query ends at the utmost.
    end_ms: u64,
    /// The longest time of the query, ms.
    longest_ms: u64,
    pid: u32,
    /// Who asks: a caller, who waits for the answer, or the refresher.
    pub(super) is_background: bool,
    /// Not while another asks it.
    pub(in super::super) alone: bool,
}

impl Terms {
    /// Of a caller whose query takes no longer than that, and is over at `end_ms`.
    pub(in super::super) fn new(now_ms: u64, longest_ms: Option<u64>, end_ms: Option<u64>) -> Self {
        let longest_ms = match (longest_ms, end_ms) {
            (Some(ms), _) => ms,
            (None, Some(_)) => u64::MAX,
            (None, None) => longest_of_one_ms(now_ms),
        };
        Self {
            now_ms,
            end_ms: end_ms.unwrap_or(u64::MAX),
            longest_ms,
            pid: process::pid(),
            is_background: false,
            alone: false,
        }
    }

    /// Of a caller that asks unless another does.
    pub(in super::super) fn alone(self) -> Self {
        Self {
            alone: true,
            ..self
        }
    }

    /// The same at another time, ms.
    pub(super) fn at(self, now_ms: u64) -> Self {
        Self { now_ms, ..self }
    }

    /// Of the refresher, which never is the second.
    pub(in super::super) fn of_background(longest_ms: u64) -> Self {
        Self {
            is_background: true,
            ..Self::new(resolver::now_ms(), Some(longest_ms), None).alone()
        }
    }

    /// The same of another process.
    #[cfg(test)]
    pub(super) fn by(self, pid: u32) -> Self {
        Self { pid, ..self }
    }

    /// The seat that it takes.
    pub(super) fn seat(self) -> Seat {
        let left_ms = self.longest_ms.min(self.end_ms.saturating_sub(self.now_ms));
        Seat {
            pid: self.pid,
            begun_ms: self.now_ms as u32,
            time_ms: u32::try_from(left_ms.saturating_add(GRACE_MS)).unwrap_or(u32::MAX),
            is_background: self.is_background,
        }
    }
}

/// The longest time of the query for one name where no deadline ends it, ms; as of the last second.
fn longest_of_one_ms(now_ms: u64) -> u64 {
    thread_local! {
        static KNOWN: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
    }
    let (until_ms, longest_ms) = KNOWN.get();
    if now_ms < until_ms {
        return longest_ms;
    }
    let longest_ms = resolver::longest_ms();
    KNOWN.set((now_ms + 1000, longest_ms));
    longest_ms
}
