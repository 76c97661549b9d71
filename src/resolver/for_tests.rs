//! The parts of the resolver that tests need and the library does not.

use super::ask::exchange_for;
use super::outcome::{Outcome, Question, Timed};
use super::settings::Settings;
use super::transport::Transport;
use super::{message, session};
use crate::rr::{Record, RecordType};

/// Runs `work` with all queries of this thread going through `transport`.
pub fn with_transport<R>(transport: Box<dyn Transport>, work: impl FnOnce() -> R) -> R {
    session::with_transport(transport, work)
}

/// Asks several questions at once, each to its end: for tests of what questions that are under way together share.
#[must_use]
pub fn query_all(questions: &[Question<'_>], deadline_ms: Option<u64>) -> Vec<Outcome> {
    let settings = Settings::current();
    let mut exchanges = Vec::new();
    let mut known = Vec::new();
    for question in questions {
        match exchange_for(&settings, question, deadline_ms, true) {
            Ok(exchange) => {
                exchanges.push(exchange);
                known.push(None);
            }
            Err(outcome) => known.push(Some(Timed::unasked(outcome))),
        }
    }
    let end = session::with_current(|session| session.run(&mut exchanges));
    let mut answered = exchanges
        .iter_mut()
        .map(|exchange| exchange.take_result(end));
    known
        .into_iter()
        .filter_map(|known| known.or_else(|| answered.next()))
        .map(|timed| timed.outcome)
        .collect()
}

/// The result of [`decode_for_tests`].
#[derive(Clone, Debug)]
pub struct Decoded {
    /// Question name and type, if there is exactly one question.
    pub question: Option<(Vec<u8>, RecordType)>,
    /// Response code.
    pub rcode: u16,
    /// Usable records of the answer section.
    pub answers: Vec<Record>,
    /// Usable records of the additional section.
    pub additional: Vec<Record>,
    /// Every record lies within the message.
    pub complete: bool,
    /// Labels and pointers read.
    pub steps: u32,
}

/// Reads a message as one from the network is read, without asking whether it is a reply.
#[must_use]
pub fn decode_for_tests(message: &[u8]) -> Option<Decoded> {
    let head = message::Head::decode(message)?;
    let question = head.asked_for(message);
    let qtype = question.as_ref().map_or(RecordType::A, |q| q.qtype);
    let body = match (&question, head.questions) {
        (Some(question), _) => head.body(message, question.end, qtype, (None, true)),
        (None, 0) => head.body(message, message::HEADER_OCTETS, qtype, (None, true)),
        (None, _) => message::Body::default(),
    };
    Some(Decoded {
        question: question.map(|q| (q.name.clone(), q.qtype)),
        rcode: body.rcode,
        answers: body.answers,
        additional: body.additional,
        complete: body.complete,
        steps: body.steps,
    })
}
