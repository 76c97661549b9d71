//! Asks questions: one, one along with others, or as one that is left open when nobody wants to wait any more.
//!
//! Answers that need no query (hosts file, `no-aaaa`) come from here. Other questions become an [`super::exchange`],
//! which a [`session`] runs.

use super::exchange::Exchange;
use super::hook;
use super::outcome::{Outcome, Question, Timed, no_data};
use super::outgoing::Query;
use super::session::{self, End, Ticket, WaitedForOpen};
use super::settings::{Held, Settings};
use crate::error::Failure;
use crate::host::counters::{self, Counter};
use crate::host::log::{self, slow_query_level};
use crate::host::options::{self, Opt};
use crate::host::{hooks, thread};
use crate::rr::RecordType;

/// Asks one question.
///
/// Blocks for at most timeout * attempts * servers. Timeout and attempts are `dns_retr_time` and `dns_retr_no`, or else
/// those of resolv.conf. `deadline_ms`, a time of [`super::now_ms`], can only shorten that; a question that the
/// deadline ends has [`Failure::Timeout`].
#[must_use]
pub fn query(question: &Question<'_>, deadline_ms: Option<u64>) -> Outcome {
    ask_with(question, deadline_ms, true)
}

/// As [`query`], with the additional section or without.
fn ask_with(question: &Question<'_>, deadline_ms: Option<u64>, additional: bool) -> Outcome {
    let _whole = thread::uncancelled();
    let settings = Settings::current();
    let swapped = settings.is_swapped().then(hooks::swapped_search).flatten();
    let timed = match swapped {
        Some(search) => from_hosts(&settings, question).map_or_else(
            || hook::query(search, question, deadline_ms),
            Timed::unasked,
        ),
        None => ask_one(&settings, question, deadline_ms, additional),
    };
    note_slow_query(question, timed.took_ms);
    timed.outcome
}

/// Asks a question and, at the same time, others whose answers may come in useful: for the other address
/// family, for another transport.
///
/// When the first question has records, the others get as much time again as it took, at least 50 ms, and none at all
/// through a swapped search function: a server that is silent about an answer that nobody needs must not hold up the
/// answer that is needed. Questions given up in this way teach nothing. When the first question has no records, each of
/// the others has the whole time that [`query`] would give it. `additional` says for which types the additional section
/// is of use; of other answers it may be left out.
#[must_use]
pub(crate) fn query_along(
    question: &Question<'_>,
    others: &[Question<'_>],
    deadline_ms: Option<u64>,
    additional: fn(RecordType) -> bool,
) -> (Part, Vec<Part>) {
    if others.is_empty() {
        let outcome = ask_with(question, deadline_ms, additional(question.qtype));
        return (Part::Done(outcome), Vec::new());
    }
    let _whole = thread::uncancelled();
    let has_records =
        |outcome: &Outcome| matches!(outcome, Outcome::Answer(answer) if answer.negative.is_none());
    if hooks::swapped_search().is_some() {
        let first = query(question, deadline_ms);
        let wanted = !has_records(&first);
        let ask = |other| match wanted {
            true => Part::Done(query(other, deadline_ms)),
            false => Part::GivenUp,
        };
        let others = others.iter().map(ask).collect();
        return (Part::Done(first), others);
    }
    let settings = Settings::current();
    let prepared = exchanges_for(&settings, question, others, deadline_ms, additional);
    let (mut exchanges, known) = match prepared {
        Ok(prepared) => prepared,
        Err(known) => return (Part::Done(known), given_up(others)),
    };
    let end = session::with_current(|session| session.run_for_first(&mut exchanges));
    let mut timed = exchanges.into_iter().map(Exchange::into_outcome);
    let mut next = |question: &Question<'_>| {
        let timed = timed.next().flatten()?;
        note_slow_query(question, timed.took_ms);
        Some(timed.outcome)
    };
    let part = |outcome: Option<Outcome>| outcome.map_or(Part::GivenUp, Part::Done);
    let first = Part::Done(next(question).unwrap_or(Outcome::Failed(end.failure())));
    let others = others
        .iter()
        .zip(known)
        .map(|(other, known)| part(known.or_else(|| next(other))))
        .collect();
    (first, others)
}

/// The state of one of several questions.
#[derive(Debug)]
pub(crate) enum Part {
    /// The question has come to its end.
    Done(Outcome),
    /// The question was left open: nobody waits for its answer, and it goes on whenever this thread waits for another.
    Open(Ticket),
    /// Nobody needed the answer, and nothing was learnt.
    GivenUp,
}

impl Part {
    /// The part; nothing was learnt from a failure.
    pub(crate) fn unless_failed(self) -> Self {
        match self {
            Self::Done(Outcome::Failed(_)) => Self::GivenUp,
            part => part,
        }
    }
}

/// As [`query_along`], but questions that stay without result for twice the time that answers usually take are left
/// open. In that time a lost packet was sent again, and answered. When a question that was left open before has a
/// result, all are left open at once.
#[must_use]
pub(crate) fn query_for_a_while(
    question: &Question<'_>,
    others: &[Question<'_>],
    deadline_ms: Option<u64>,
    additional: fn(RecordType) -> bool,
) -> (Part, Vec<Part>) {
    if hooks::swapped_search().is_some() {
        return query_along(question, others, deadline_ms, additional);
    }
    let _whole = thread::uncancelled();
    let settings = Settings::current();
    if others.is_empty() {
        let part = ask_one_for_a_while(&settings, question, deadline_ms, additional);
        return (part, Vec::new());
    }
    let prepared = exchanges_for(settings.clone(), question, others, deadline_ms, additional);
    let (mut exchanges, known) = match prepared {
        Ok(prepared) => prepared,
        Err(known) => return (Part::Done(known), given_up(others)),
    };
    session::with_current(|session| {
        let end = session.run_for_a_while(&mut exchanges, settings.while_ms());
        let found = exchanges.first().and_then(Exchange::found_records_after_ms);
        let is_needed = found.is_none() && end == End::Reached;
        let mut exchanges = exchanges.into_iter();
        let mut next = |question: &Question<'_>| match exchanges.next() {
            Some(exchange) => part_of(exchange, question, is_needed, session),
            None => Part::GivenUp,
        };
        let first = match next(question) {
            Part::GivenUp => Part::Done(Outcome::Failed(end.failure())),
            first => first,
        };
        let others = others
            .iter()
            .zip(known)
            .map(|(other, known)| known.map_or_else(|| next(other), Part::Done))
            .collect();
        (first, others)
    })
}

/// As [`query_for_a_while`], alone.
fn ask_one_for_a_while(
    settings: &Settings,
    question: &Question<'_>,
    deadline_ms: Option<u64>,
    additional: fn(RecordType) -> bool,
) -> Part {
    let with = additional(question.qtype);
    let mut exchange = match exchange_for(settings.clone(), question, deadline_ms, with) {
        Ok(exchange) => exchange,
        Err(known) => return Part::Done(known),
    };
    session::with_current(|session| {
        let exchanges = std::slice::from_mut(&mut exchange);
        match session.run_for_a_while(exchanges, settings.while_ms()) {
            End::GivenUp => Part::Done(Outcome::Failed(Failure::GivenUp)),
            End::Reached => part_of(exchange, question, true, session),
        }
    })
}

fn part_of(
    mut exchange: Exchange<'static>,
    question: &Question<'_>,
    is_needed: bool,
    session: &mut session::Session,
) -> Part {
    if exchange.is_done() {
        let timed = exchange.take_result(End::Reached);
        note_slow_query(question, timed.took_ms);
        Part::Done(timed.outcome)
    } else if is_needed {
        Part::Open(session.leave_open(exchange))
    } else {
        Part::GivenUp
    }
}

fn ask_one(
    settings: &Settings,
    question: &Question<'_>,
    deadline_ms: Option<u64>,
    additional: bool,
) -> Timed {
    // By reference, for an exchange is too large to be moved from place to place.
    match &mut exchange_for(settings, question, deadline_ms, additional) {
        Ok(exchange) => {
            let end = session::with_current(|session| session.run(std::slice::from_mut(exchange)));
            exchange.take_result(end)
        }
        Err(known) => Timed::unasked(std::mem::replace(known, Outcome::BadName)),
    }
}

/// An exchange to run; the error is the outcome of a question that needs no query.
pub(super) fn exchange_for<'s>(
    settings: impl Into<Held<'s>>,
    question: &Question<'_>,
    deadline_ms: Option<u64>,
    additional: bool,
) -> Result<Exchange<'s>, Outcome> {
    let settings = settings.into();
    if let Some(outcome) = from_hosts(&settings, question) {
        return Err(outcome);
    }
    let values = &settings.values;
    let Some(query) = Query::new(question.qname, question.qtype) else {
        trace!("not a name to ask for");
        return Err(Outcome::BadName);
    };
    if settings.is_swapped() {
        return Err(Outcome::Failed(Failure::Hook));
    }
    if values.no_aaaa && question.qtype == RecordType::AAAA {
        return Err(Outcome::Answer(no_data(query.name)));
    }
    Ok(Exchange::new(
        settings,
        query,
        question.qtype,
        deadline_ms,
        additional,
    ))
}

/// As [`exchange_for`], for a question and others: the exchanges to run, that of the question first, and the outcome of
/// each of the others that needs no query. The error is the outcome of the question itself.
fn exchanges_for<'s>(
    settings: impl Into<Held<'s>> + Clone,
    question: &Question<'_>,
    others: &[Question<'_>],
    deadline_ms: Option<u64>,
    additional: fn(RecordType) -> bool,
) -> Result<(Vec<Exchange<'s>>, Vec<Option<Outcome>>), Outcome> {
    let prepare = |question: &Question<'_>| {
        let with = additional(question.qtype);
        exchange_for(settings.clone(), question, deadline_ms, with)
    };
    let mut exchanges = Vec::with_capacity(1 + others.len());
    exchanges.push(prepare(question)?);
    let mut known = Vec::with_capacity(others.len());
    for other in others {
        known.push(match prepare(other) {
            Ok(exchange) => {
                exchanges.push(exchange);
                None
            }
            Err(outcome) => Some(outcome),
        });
    }
    Ok((exchanges, known))
}

/// The others, where the first question needed no query.
fn given_up(others: &[Question<'_>]) -> Vec<Part> {
    others.iter().map(|_| Part::GivenUp).collect()
}

/// The answer of the hosts file, if there is one and it has the name.
fn from_hosts(settings: &Settings, question: &Question<'_>) -> Option<Outcome> {
    let hosts = settings.values.hosts.as_ref()?;
    let answer = hosts.answer(question.qname, question.qtype)?;
    Some(Outcome::Answer(answer))
}

/// Takes the questions of this thread that were left open and have come to their end.
#[must_use]
pub(crate) fn take_answered() -> Vec<(Ticket, Timed)> {
    session::with_current(session::Session::take_answered)
}

/// Begins a question that is left open at once; it ends at `deadline_ms`. `None` = the question needs no query.
#[must_use]
pub(crate) fn begin_open(question: &Question<'_>, deadline_ms: u64) -> Option<Ticket> {
    let _whole = thread::uncancelled();
    let exchange = exchange_for(Settings::current(), question, Some(deadline_ms), true).ok()?;
    Some(session::with_current(|session| {
        session.begin_open(exchange)
    }))
}

/// Lets the open questions of this thread read their replies, without waiting.
pub(crate) fn look_at_open() {
    let _whole = thread::uncancelled();
    session::with_current(session::Session::look_at_open_now);
}

/// Waits until a question that was left open comes to its end.
#[must_use]
pub(crate) fn wait_for_open() -> WaitedForOpen {
    let _whole = thread::uncancelled();
    session::with_current(session::Session::wait_for_open)
}

/// Ends a question that was left open; nothing is learnt from that.
pub(crate) fn end_open(ticket: Ticket) {
    session::with_current(|session| session.end_open(ticket));
}

/// Logs and counts a query that took longer than `dns_slow_query_ms`.
pub fn note_slow_query(question: &Question<'_>, took_ms: u64) {
    let limit_ms = match u64::try_from(options::int(Opt::SlowQueryMs)) {
        Ok(limit_ms) if limit_ms > 0 => limit_ms,
        _ => return,
    };
    if took_ms > limit_ms {
        counters::increment(Counter::SlowRequest);
        crate::log!(
            slow_query_level(),
            "slow DNS query: type {} name {} took {took_ms} ms",
            question.qtype.0,
            log::name(question.qname)
        );
    }
}
