//! Says what a message means for a query that is under way.

use super::cookie::Cookie;
use super::edns::Trouble;
use super::message::{Body, HEADER_OCTETS, Head};
use super::{Answer, Negative};
use crate::error::Failure;
use crate::rr::{
    CLASS_IN, MAX_CNAME_HOPS, Name, RData, Record, RecordType, eq_ignore_case, is_subdomain,
};

const FORMERR: u16 = 1;
const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;
const NOTIMP: u16 = 4;
const REFUSED: u16 = 5;
const BADVERS: u16 = 16;
const BADCOOKIE: u16 = 23;
/// Messages that do not fit a query before somebody is taken to be guessing, and no more of them is read.
pub(super) const MAX_STRAYS: u32 = 16;
/// QTYPE `*` (RFC 1035 section 3.2.3).
const ANY: RecordType = RecordType(255);

/// The question that a reply has to fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// Transaction id; `None` where somebody else made the query and checked it.
    pub(super) id: Option<u16>,
    /// The name, without trailing dot.
    pub(super) qname: &'a Name,
    /// The question section of the query; `None` where somebody else made it.
    pub(super) question: Option<&'a [u8]>,
    /// The type.
    pub(super) qtype: RecordType,
    /// The letters of `question` are random: the reply must have them as they are.
    pub(super) exact_case: bool,
    /// The query had an OPT record, and may be repeated without.
    pub(super) edns: Option<EdnsQuery>,
    /// The query had this cookie.
    pub(super) cookie: Option<&'a Cookie>,
    /// A truncated reply can be asked for again over TCP.
    pub(super) tcp_left: bool,
    /// Records of the additional section are of use.
    pub(super) additional: bool,
}

/// A query with an OPT record.
#[derive(Clone, Copy, Debug)]
pub(super) struct EdnsQuery {
    /// The query may be repeated without EDNS.
    pub(super) may_go: bool,
    /// The server has shown of late that it knows EDNS.
    pub(super) known: bool,
}

/// The manners of the server, as a reply shows them besides its content.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manners {
    /// The server knows EDNS.
    pub(super) edns: bool,
    /// The question came back with other letters than it was asked with.
    pub(super) case_lost: bool,
    /// The cookie in the reply, with ours.
    pub(super) cookie: Option<Cookie>,
    /// No cookie, though the server gave one before.
    pub(super) cookie_lost: bool,
}

/// The decision about a message.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    /// The message answers the question.
    Answer(Answer),
    /// The message is no reply to this query: go on waiting. Holds the reason.
    Ignore(&'static str),
    /// TC is set: ask again over TCP (RFC 7766 section 5).
    Truncated,
    /// The error may be due to the OPT record: ask again without (RFC 6891 section 7).
    WithoutEdns(Trouble),
    /// The message lacks what only the server itself could know to send, or the server has changed: ask again over TCP,
    /// where nobody can put in a word.
    Doubtful,
    /// An error without the question, and so without the letters or the cookie that were sent: anybody can have
    /// sent it. Ask over TCP, and go on waiting here.
    Unproven {
        /// The error says that the query could not be read: that may be its OPT record.
        unreadable: bool,
    },
    /// The server wants another cookie than it got (RFC 7873 section 5.3): ask again with the one it sent.
    BadCookie,
    /// The server has no such records, without saying that nobody has: the next one may know better.
    NothingHere(Answer),
    /// The server has nothing to say about the name: try the next one.
    NextServer(Failure),
}

impl Verdict {
    /// For a line of the log.
    pub(super) fn in_words(&self) -> &'static str {
        match self {
            Self::Answer(_) => "an answer",
            Self::Ignore(reason) => reason,
            Self::Truncated => "an answer that is cut: asked over TCP",
            Self::WithoutEdns(_) => "an error that may be due to EDNS: asked without",
            Self::Doubtful => "a reply that lacks what was sent: asked over TCP",
            Self::Unproven { .. } => "an error that anybody can have sent",
            Self::BadCookie => "the wish for another cookie",
            Self::NothingHere(_) => "nothing, without saying that nobody has",
            Self::NextServer(Failure::ServFail) => "SERVFAIL",
            Self::NextServer(Failure::Refused) => "REFUSED",
            Self::NextServer(_) => "nothing of use",
        }
    }
}

/// True when a message that came from the server and port that were asked replies to a query, whatever
/// it says. `question` is the question section of the query.
pub(super) fn is_reply(message: &[u8], id: u16, question: &[u8]) -> bool {
    Head::decode(message)
        .is_some_and(|head| is_of_query(&head, Some(id)).is_ok() && repeats(message, question))
}

/// True when such a message is an error without the question: of a server that does not read what it refuses.
pub(super) fn is_bare_error(message: &[u8], id: u16) -> bool {
    Head::decode(message).is_some_and(|head| {
        is_of_query(&head, Some(id)).is_ok() && head.questions == 0 && head.rcode != 0
    })
}

/// Judges a message that came from the server and port that were asked.
pub(super) fn judge(message: &[u8], asked: &Asked<'_>, manners: &mut Manners) -> Verdict {
    let Some(head) = Head::decode(message) else {
        return Verdict::Ignore("no whole header");
    };
    let body_at =
        match is_of_query(&head, asked.id).and_then(|()| question_end(message, &head, asked)) {
            Ok(body_at) => body_at,
            Err(reason) => return Verdict::Ignore(reason),
        };
    let guarded = asked.exact_case || asked.cookie.is_some();
    if body_at.is_none() && guarded && asked.tcp_left {
        let unreadable = matches!(head.rcode, FORMERR | NOTIMP);
        return Verdict::Unproven { unreadable };
    }
    manners.case_lost = asked.exact_case && body_at.is_some() && !keeps_case(message, asked);
    if manners.case_lost && asked.tcp_left {
        return Verdict::Doubtful;
    }
    if head.truncated && asked.tcp_left {
        return Verdict::Truncated;
    }
    let body = match body_at {
        Some(body_at) => {
            let qname = asked.question.map(|_| asked.qname);
            head.body(message, body_at, asked.qtype, (qname, asked.additional))
        }
        None => Body {
            rcode: head.rcode,
            ..Body::default()
        },
    };
    trace!(
        "reply for {} type {}: rcode {} answers {} additional {} unusable {}",
        asked.qname,
        asked.qtype.0,
        body.rcode,
        body.answers.len(),
        body.additional.len(),
        body.unusable_answers
    );
    if let Some(verdict) = judge_cookie(&body, asked, manners) {
        return verdict;
    }
    // An error of any sender may repeat the query with its OPT record.
    manners.edns = body.has_opt && matches!(body.rcode, 0 | NXDOMAIN);
    if let Some(trouble) = edns_trouble(&body, asked) {
        return Verdict::WithoutEdns(trouble);
    }
    match body.rcode {
        0 => judge_no_error(&head, body, asked),
        NXDOMAIN => absent(body, asked, true),
        // The server does not know the type. There is no server that does not know addresses.
        NOTIMP if asked.qtype != RecordType::A && body_at.is_some() => nothing_here(body, asked),
        REFUSED => Verdict::NextServer(Failure::Refused),
        _ => Verdict::NextServer(Failure::ServFail),
    }
}

/// The trouble that may be due to the OPT record of the query.
fn edns_trouble(body: &Body, asked: &Asked<'_>) -> Option<Trouble> {
    let query = asked.edns.filter(|query| query.may_go)?;
    match body.rcode {
        0 if body.opt_misplaced && !Chain::follow(&body.answers, asked).found => {
            Some(Trouble::Proof)
        }
        FORMERR if !body.has_opt => Some(Trouble::Proof),
        FORMERR | BADVERS => Some(Trouble::Sign),
        // With an OPT record of its own it is not the query's that the server means.
        SERVFAIL | NOTIMP if !body.has_opt && !query.known => Some(Trouble::Sign),
        _ => None,
    }
}

/// RFC 7873 section 5.3.
fn judge_cookie(body: &Body, asked: &Asked<'_>, manners: &mut Manners) -> Option<Verdict> {
    let sent = asked.cookie?;
    match &body.cookie {
        Some(Ok(cookie)) if cookie.is_for(sent) => manners.cookie = Some(*cookie),
        Some(Ok(_)) => return Some(Verdict::Ignore("another client's cookie")),
        Some(Err(_)) => return Some(Verdict::Ignore("malformed cookie")),
        None => {
            manners.cookie_lost = !sent.server().is_empty();
            if manners.cookie_lost && asked.tcp_left {
                return Some(Verdict::Doubtful);
            }
        }
    }
    (body.rcode == BADCOOKIE && asked.tcp_left).then_some(Verdict::BadCookie)
}

/// True when the question came back octet by octet.
fn keeps_case(message: &[u8], asked: &Asked<'_>) -> bool {
    let Some(question) = asked.question else {
        return true;
    };
    let came_back = message
        .get(HEADER_OCTETS..)
        .and_then(|rest| rest.get(..question.len()));
    came_back == Some(question)
}

/// RFC 5452 section 9.1 on the header; the address was checked by the socket.
fn is_of_query(head: &Head, id: Option<u16>) -> Result<(), &'static str> {
    if id.is_some_and(|id| id != head.id) {
        return Err("wrong id");
    }
    if !head.is_response {
        return Err("not a response");
    }
    if !head.is_query_opcode {
        return Err("wrong opcode");
    }
    Ok(())
}

/// RFC 5452 section 9.1 on the question. Gives the place where it ends; none where there is none.
fn question_end(
    message: &[u8],
    head: &Head,
    asked: &Asked<'_>,
) -> Result<Option<usize>, &'static str> {
    if head.questions == 0 {
        // A server that could not read the query may send its error without a question. Such an error proves nothing
        // about a name, so at worst another server is asked.
        return if head.rcode != 0 && head.rcode != NXDOMAIN {
            Ok(None)
        } else {
            Err("no question")
        };
    }
    if head.questions > 1 {
        return Err("more than one question");
    }
    if let Some(question) = asked.question {
        return if repeats(message, question) {
            Ok(Some(HEADER_OCTETS + question.len()))
        } else {
            Err("wrong question")
        };
    }
    let Some(question) = head.asked_for(message) else {
        return Err("no question that can be read");
    };
    if !eq_ignore_case(&question.name, asked.qname.as_bytes()) {
        return Err("wrong question name");
    }
    if question.qtype != asked.qtype || question.class != CLASS_IN {
        return Err("wrong question type or class");
    }
    Ok(Some(question.end))
}

/// True when the message has this question, but for the case of letters in the name.
fn repeats(message: &[u8], question: &[u8]) -> bool {
    const TYPE_AND_CLASS_OCTETS: usize = 4;
    let name_octets = question.len().saturating_sub(TYPE_AND_CLASS_OCTETS);
    let (name, type_and_class) = question.split_at(name_octets);
    let asked_for = message
        .get(HEADER_OCTETS..)
        .and_then(|rest| rest.get(..question.len()));
    // Lengths of labels are below 64 and so no letters.
    asked_for.is_some_and(|asked_for| {
        let (asked_name, asked_type) = asked_for.split_at(name_octets);
        asked_type == type_and_class && eq_ignore_case(asked_name, name)
    })
}

fn judge_no_error(head: &Head, body: Body, asked: &Asked<'_>) -> Verdict {
    let chain = Chain::follow(&body.answers, asked);
    if chain.found {
        return Verdict::Answer(answer(body, asked, None));
    }
    if body.unusable_answers > 0 || !body.answers_complete {
        // The records are there, only not readable: no proof of absence.
        return Verdict::NextServer(Failure::Malformed);
    }
    let proof = body
        .soas
        .iter()
        .find(|(owner, _)| is_subdomain(chain.end.as_bytes(), owner.as_bytes()));
    if proof.is_some() {
        return absent(body, asked, false);
    }
    if chain.hops > 0 {
        // A server that does not know the zone that the alias leads to: to be asked for in turn.
        return Verdict::Answer(answer(body, asked, None));
    }
    if head.truncated {
        // Over TCP. Records are missing, and those that were asked for may be among them.
        return Verdict::NextServer(Failure::Malformed);
    }
    if body.answers.iter().any(|r| r.owner == *asked.qname) {
        return absent(body, asked, false);
    }
    // Of the additional section nothing is needed for this. Some servers take its count over from the query.
    if !body.answers.is_empty() || !body.authorities_complete {
        return Verdict::NextServer(Failure::Malformed);
    }
    if body.has_ns && !head.authoritative && !head.recursion_available {
        // A referral (RFC 2308 section 2.2): the server does not recurse, it is of no use here.
        return Verdict::NextServer(Failure::ServFail);
    }
    let is_empty = !body.has_records && !body.has_ns;
    if is_empty && !head.authoritative && !head.recursion_available {
        // Neither it knows nor anybody that it would ask. The libc goes on to the next server here.
        return nothing_here(body, asked);
    }
    absent(body, asked, false)
}

fn nothing_here(body: Body, asked: &Asked<'_>) -> Verdict {
    let negative = Negative {
        nxdomain: false,
        ttl: None,
    };
    Verdict::NothingHere(answer(body, asked, Some(negative)))
}

fn absent(mut body: Body, asked: &Asked<'_>, nxdomain: bool) -> Verdict {
    if nxdomain {
        // The rcode speaks of the chain's end (RFC 6604 section 2.1): nothing else can be there.
        body.answers.retain(|r| matches!(r.rdata, RData::Cname(_)));
    }
    let chain = Chain::follow(&body.answers, asked);
    let ttl = body
        .soas
        .iter()
        .filter(|(owner, _)| is_subdomain(chain.end.as_bytes(), owner.as_bytes()))
        .map(|&(_, ttl)| ttl)
        .min();
    let negative = Negative { nxdomain, ttl };
    Verdict::Answer(answer(body, asked, Some(negative)))
}

fn answer(body: Body, asked: &Asked<'_>, negative: Option<Negative>) -> Answer {
    Answer {
        qname: asked.qname.clone(),
        answers: body.answers,
        additional: body.additional,
        negative,
    }
}

/// Where the CNAME records of an answer lead.
struct Chain<'a> {
    end: &'a Name,
    hops: usize,
    /// There are records of the type asked at the end.
    found: bool,
}

impl<'a> Chain<'a> {
    fn follow(answers: &'a [Record], asked: &Asked<'a>) -> Self {
        let mut chain = Self {
            end: asked.qname,
            hops: 0,
            found: false,
        };
        loop {
            let mut next = None;
            for record in answers.iter().filter(|r| r.owner == *chain.end) {
                if record.rtype == asked.qtype || asked.qtype == ANY {
                    chain.found = true;
                    return chain;
                }
                if let RData::Cname(target) = &record.rdata {
                    next.get_or_insert(target);
                }
            }
            match next {
                Some(target) if chain.hops < MAX_CNAME_HOPS => {
                    chain.end = target;
                    chain.hops += 1;
                }
                _ => return chain,
            }
        }
    }
}
