//! A question, and what became of it: plain values.

use std::net::SocketAddr;

use crate::error::Failure;
use crate::rr::{Name, Record, RecordType};

/// A question of class IN.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// An absolute name, with a final dot or without; a search function of a module's may append domains to one
    /// without.
    pub qname: &'a [u8],
    /// Type asked.
    pub qtype: RecordType,
}

/// Proof of absence (RFC 2308).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negative {
    /// NXDOMAIN rather than NODATA.
    pub nxdomain: bool,
    /// min(SOA TTL, SOA MINIMUM), s; `None` when the reply carried no SOA.
    pub ttl: Option<u32>,
}

/// A reply that says something about the name.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The name that was asked in the end: longer than the question's when a search domain was
    /// appended, otherwise the question's without trailing dot.
    pub qname: Name,
    /// Records of the answer section, class IN, in message order, unusable ones left out.
    pub answers: Vec<Record>,
    /// Records of the additional section, class IN, in message order, OPT and unusable ones left out.
    pub additional: Vec<Record>,
    /// Set when the reply proves that the type (or name) is absent at the end of its CNAME chain.
    pub negative: Option<Negative>,
}

/// The outcome of a question.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// An answer, positive or negative.
    Answer(Answer),
    /// Nothing was learnt about the name.
    Failed(Failure),
    /// The name holds octets that are not asked for; no query was sent.
    BadName,
}

/// An outcome with the time that it took.
#[derive(Clone, Debug)]
pub struct Timed {
    /// The outcome of the question.
    pub outcome: Outcome,
    /// From the first query to the last answer, ms; 0 when nothing was sent.
    pub took_ms: u64,
    /// The server that said so, or was silent last.
    pub server: Option<SocketAddr>,
}

impl Timed {
    /// An outcome that is known without asking.
    pub(super) fn unasked(outcome: Outcome) -> Self {
        Self {
            outcome,
            took_ms: 0,
            server: None,
        }
    }

    /// For how many whole seconds the question stayed silent.
    #[must_use]
    pub(crate) fn silent_s(&self) -> u32 {
        match self.outcome {
            Outcome::Failed(Failure::Timeout) => whole_seconds(self.took_ms),
            _ => 0,
        }
    }
}

/// The whole seconds of a time: a question whose time-out is a second was waited for one, and not two.
pub(crate) fn whole_seconds(ms: u64) -> u32 {
    u32::try_from(ms / 1000).unwrap_or(u32::MAX)
}

pub(super) fn no_data(qname: Name) -> Answer {
    Answer {
        qname,
        answers: Vec::new(),
        additional: Vec::new(),
        negative: Some(Negative {
            nxdomain: false,
            ttl: None,
        }),
    }
}
