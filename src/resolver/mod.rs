//! The stub resolver: asks nameservers, decodes answers. Sees neither cache nor shared memory, so no
//! lock can be held over the network.
//!
//! [`config`] says whom to ask and how, `search` which names, `exchange` runs a question through
//! servers and attempts over a [`Transport`], `reply` judges what comes back, `message`, `wire` and
//! `rdata` read it. `hook` replaces all of that when a module has swapped the search function.
//! Nothing here is shared between processes or threads.

pub mod config;
mod exchange;
mod hook;
mod message;
mod rdata;
mod reply;
mod search;
mod transport;
mod wire;

use std::cell::RefCell;

pub use transport::{Event, Handle, Protocol, Transport};

use crate::error::Failure;
use crate::host::counters::{self, Counter};
use crate::host::hooks;
use crate::host::log::Level;
use crate::host::options::{self, Opt};
use crate::rr::{Name, Record, RecordType, eq_ignore_case};
use exchange::Exchange;

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

/// Asks one question.
///
/// Blocks for at most timeout * attempts * servers for each name asked: the name itself and one
/// more for each search domain. Timeout and attempts are `dns_retr_time` and `dns_retr_no`, or else
/// those of resolv.conf.
#[must_use]
pub fn query(question: &Question<'_>) -> Outcome {
    query_all(&[*question])
        .pop()
        .unwrap_or(Outcome::Failed(Failure::NoServers))
}

/// Asks several independent questions at once; the outcomes are in the order of the questions.
///
/// Equal questions are sent once (RFC 5452 section 5). Through a swapped search function the
/// questions go one after the other.
#[must_use]
pub fn query_all(questions: &[Question<'_>]) -> Vec<Outcome> {
    let first_of = |index: usize, question: &Question<'_>| {
        let same = |other: &Question<'_>| {
            other.qtype == question.qtype && eq_ignore_case(other.qname, question.qname)
        };
        questions.iter().position(same).unwrap_or(index)
    };
    let firsts: Vec<usize> = questions
        .iter()
        .enumerate()
        .map(|(index, question)| first_of(index, question))
        .collect();
    let mut outcomes: Vec<Option<Outcome>> = vec![None; questions.len()];
    let unique: Vec<(usize, &Question<'_>)> = questions
        .iter()
        .enumerate()
        .filter(|(index, _)| firsts.get(*index) == Some(index))
        .collect();
    let answered = match hooks::swapped_search() {
        Some(search) => unique
            .iter()
            .map(|(_, question)| hook::query(search, question))
            .collect(),
        None => ask_network(&unique),
    };
    for ((index, question), (outcome, took_ms)) in unique.into_iter().zip(answered) {
        note_slow_query(question, took_ms);
        if let Some(place) = outcomes.get_mut(index) {
            *place = Some(outcome);
        }
    }
    firsts
        .iter()
        .map(|&first| outcomes.get(first).cloned().flatten())
        .map(|outcome| outcome.unwrap_or(Outcome::Failed(Failure::NoServers)))
        .collect()
}

/// Forgets the configuration read so far (`dns_reinit`); the next query reads it again.
///
/// Calls the swapped init function, if a module has put one into `dns_func`.
pub fn reload() {
    hook::reload();
}

/// True when `suffix` is one of the search domains in use, all of them counted
/// (`match_search_list()`; the libc shows only six). Case and a trailing dot do not matter.
#[must_use]
pub fn is_search_suffix(suffix: &[u8]) -> bool {
    let suffix = suffix.strip_suffix(b".").unwrap_or(suffix);
    config::search_list()
        .iter()
        .any(|domain| eq_ignore_case(domain, suffix))
}

/// Outcomes of the questions with the ms they took.
fn ask_network(questions: &[(usize, &Question<'_>)]) -> Vec<(Outcome, u64)> {
    let settings = config::current();
    let rules = search::SearchRules {
        domains: &settings.search,
        ndots: settings.ndots,
        no_tld_query: settings.no_tld_query,
    };
    let mut outcomes = Vec::with_capacity(questions.len());
    let mut exchanges = Vec::with_capacity(questions.len());
    for (_, question) in questions {
        let Some(candidates) = search::candidates(question.qname, rules) else {
            crate::resolve_dbg!("not a name to ask for");
            outcomes.push(Some((Outcome::BadName, 0)));
            continue;
        };
        if settings.no_aaaa && question.qtype == RecordType::AAAA {
            outcomes.push(Some((Outcome::Answer(no_data(candidates.question)), 0)));
            continue;
        }
        outcomes.push(None);
        exchanges.push(Exchange::new(&settings, candidates, question.qtype));
    }
    let mut answered = with_current_transport(|t| exchange::run(exchanges, t)).into_iter();
    outcomes
        .into_iter()
        .map(|known| known.or_else(|| answered.next()))
        .map(|outcome| outcome.unwrap_or((Outcome::Failed(Failure::NoServers), 0)))
        .collect()
}

fn no_data(qname: Name) -> Answer {
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

fn note_slow_query(question: &Question<'_>, took_ms: u64) {
    let Some(limit_ms) = u64::try_from(options::int(Opt::SlowQueryMs))
        .ok()
        .filter(|&ms| ms > 0)
    else {
        return;
    };
    if took_ms > limit_ms {
        counters::increment(Counter::SlowRequest);
        crate::log!(
            Level::Warn,
            "slow DNS query: type {} name {} took {took_ms} ms",
            question.qtype.0,
            String::from_utf8_lossy(question.qname)
        );
    }
}

thread_local! {
    static TRANSPORT: RefCell<Option<Box<dyn Transport>>> = const { RefCell::new(None) };
}

fn with_current_transport<R>(ask: impl FnOnce(&mut dyn Transport) -> R) -> R {
    match TRANSPORT.take() {
        None => ask(&mut transport::SystemTransport::default()),
        Some(mut transport) => {
            let result = ask(transport.as_mut());
            TRANSPORT.set(Some(transport));
            result
        }
    }
}

/// Runs `work` with all queries of this thread going through `transport`.
#[doc(hidden)]
pub fn with_transport<R>(transport: Box<dyn Transport>, work: impl FnOnce() -> R) -> R {
    let before = TRANSPORT.replace(Some(transport));
    let result = work();
    TRANSPORT.set(before);
    result
}

/// What [`decode_for_tests`] saw in a message.
#[doc(hidden)]
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
#[doc(hidden)]
#[must_use]
pub fn decode_for_tests(message: &[u8]) -> Option<Decoded> {
    let head = message::Head::decode(message)?;
    let question = head.asked_for.as_ref();
    let qtype = question.map_or(RecordType::A, |q| q.qtype);
    let body = head.body(message, qtype);
    Some(Decoded {
        question: question.map(|q| (q.name.clone(), q.qtype)),
        rcode: body.rcode,
        answers: body.answers,
        additional: body.additional,
        complete: body.complete,
        steps: body.steps,
    })
}
