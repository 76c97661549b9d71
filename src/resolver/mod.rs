//! The stub resolver: asks nameservers, decodes answers. Sees neither cache nor shared memory, so no
//! lock can be held over the network.

use crate::error::Failure;
use crate::rr::{Name, Record, RecordType};

/// One question, class IN.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Name as the caller wrote it; a trailing dot makes it absolute (no search list).
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

/// What became of a question.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// An answer, positive or negative.
    Answer(Answer),
    /// Nothing was learnt about the name.
    Failed(Failure),
    /// The name holds octets that are not asked for; no query was sent.
    BadName,
}

/// Asks one question; blocks for at most `dns_retr_time * dns_retr_no * search domains`.
#[must_use]
pub fn query(question: &Question<'_>) -> Outcome {
    query_all(&[*question])
        .pop()
        .unwrap_or(Outcome::Failed(Failure::NoServers))
}

/// Asks several independent questions at once; the outcomes are in the order of the questions.
#[must_use]
pub fn query_all(questions: &[Question<'_>]) -> Vec<Outcome> {
    let _ = questions;
    todo!("resolver")
}

/// Forgets the configuration read so far (`dns_reinit`); the next query reads it again.
pub fn reload() {
    todo!("resolver")
}
