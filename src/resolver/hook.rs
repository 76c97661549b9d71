//! Queries through a search function that a module put into `dns_func` (for example DNSSEC).
//!
//! Such a function does everything itself, search list included. The answer is decoded and checked like a message from
//! the network, except for the id, which only the function knows.
#![allow(unsafe_code, reason = "calls a C function pointer, reads h_errno")]

use std::ffi::{CString, c_char, c_int, c_uchar};

use super::message::Head;
use super::reply::{Asked, Manners, Verdict, judge};
use super::search::is_expansion;
use super::search_list::is_search_suffix;
use super::wire_name::name_of_text;
use super::{Answer, Negative, Outcome, Question, Timed, config, servers};
use crate::error::Failure;
use crate::host::log::Level;
use crate::host::options::{self, Opt};
use crate::host::{clock, hooks, libc_state};
use crate::rr::{CLASS_IN, Name, is_host_name};

/// Room for an answer: the largest DNS message.
const ANSWER_OCTETS: usize = 65_536;

const HOST_NOT_FOUND: c_int = 1;
const NO_DATA: c_int = 4;

/// The search function of `dns_func`.
pub(super) type Search =
    unsafe extern "C" fn(*const c_char, c_int, c_int, *mut c_uchar, c_int) -> c_int;

unsafe extern "C" {
    fn __h_errno_location() -> *mut c_int;
}

/// Asks one question, unless the deadline has passed. The function itself cannot be hurried.
pub(super) fn query(search: Search, question: &Question<'_>, deadline_ms: Option<u64>) -> Timed {
    let unasked = |outcome| Timed {
        outcome,
        took_ms: 0,
        server: None,
    };
    let usable = is_host_name(question.qname) && name_of_text(question.qname).is_some();
    let (Some(qname), Ok(c_name)) = (
        Name::from_text(question.qname).filter(|_| usable),
        CString::new(question.qname),
    ) else {
        return unasked(Outcome::BadName);
    };
    let started_ms = clock::monotonic_ms();
    if deadline_ms.is_some_and(|deadline_ms| started_ms >= deadline_ms) {
        return unasked(Outcome::Failed(Failure::Timeout));
    }
    let mut buffer = vec![0; ANSWER_OCTETS];
    // The function may call libc's.
    libc_state::follow();
    set_h_errno(0);
    // SAFETY: the C side put a search function with this signature into dns_func; name and buffer
    // are valid for the call, and the buffer has the size given.
    let length = unsafe {
        search(
            c_name.as_ptr(),
            c_int::from(CLASS_IN),
            c_int::from(question.qtype.0),
            buffer.as_mut_ptr(),
            ANSWER_OCTETS as c_int,
        )
    };
    let outcome = match usize::try_from(length) {
        Ok(length) => from_reply(buffer.get(..length).unwrap_or(&buffer), question, &qname),
        Err(_) => from_h_errno(h_errno(), qname),
    };
    Timed {
        outcome,
        took_ms: clock::monotonic_ms().saturating_sub(started_ms),
        server: None,
    }
}

fn from_reply(message: &[u8], question: &Question<'_>, qname: &Name) -> Outcome {
    let asked_for = Head::decode(message)
        .and_then(|head| head.asked_for(message))
        .and_then(|asked_for| Name::from_text(&asked_for.name));
    let Some(asked_for) = asked_for.filter(|name| may_stand_for(name, question.qname, qname))
    else {
        crate::resolve_dbg!("swapped search function: reply to another question than {qname}");
        return Outcome::Failed(Failure::Malformed);
    };
    let asked = Asked {
        id: None,
        qname: &asked_for,
        question: None,
        qtype: question.qtype,
        exact_case: false,
        edns: None,
        cookie: None,
        tcp_left: false,
        additional: true,
    };
    match judge(message, &asked, &mut Manners::default()) {
        Verdict::Answer(answer) | Verdict::NothingHere(answer) => Outcome::Answer(answer),
        Verdict::NextServer(failure) => Outcome::Failed(failure),
        Verdict::Ignore(_)
        | Verdict::Truncated
        | Verdict::WithoutEdns(_)
        | Verdict::Doubtful
        | Verdict::Unproven { .. }
        | Verdict::BadCookie => Outcome::Failed(Failure::Malformed),
    }
}

/// True when a reply for `name` answers the question: the same name, or a longer one that the
/// search list makes of it.
fn may_stand_for(name: &Name, written: &[u8], qname: &Name) -> bool {
    if name == qname {
        return true;
    }
    if written.ends_with(b".") || !options::on(Opt::UseSearchList) {
        return false;
    }
    is_expansion(name.as_bytes(), qname.as_bytes(), |suffix| {
        !options::on(Opt::SearchFullMatch) || is_search_suffix(suffix)
    })
}

fn from_h_errno(error: c_int, qname: Name) -> Outcome {
    crate::resolve_dbg!("swapped search function: h_errno {error} for {qname}");
    let nxdomain = match error {
        HOST_NOT_FOUND => true,
        NO_DATA => false,
        _ => return Outcome::Failed(Failure::Hook),
    };
    Outcome::Answer(Answer {
        qname,
        answers: Vec::new(),
        additional: Vec::new(),
        negative: Some(Negative {
            nxdomain,
            ttl: None,
        }),
    })
}

/// Forgets the configuration read so far (`dns_reinit`), libc's resolver, too; the next query reads it again. In all
/// processes servers that are down are tried in their turn again.
///
/// Calls the swapped init function, if a module has put one into `dns_func`.
pub fn reload() {
    config::forget();
    servers::forget();
    if let Some(init) = hooks::swapped_init() {
        // SAFETY: the C side put an init function with this signature into dns_func.
        let result = unsafe { init() };
        if result < 0 {
            crate::log!(Level::Err, "the swapped DNS init function failed: {result}");
        }
    }
    libc_state::reload();
}

fn h_errno() -> c_int {
    // SAFETY: takes nothing, returns the address of this thread's h_errno.
    let place = unsafe { __h_errno_location() };
    // SAFETY: the address is valid and aligned, and only this thread uses it.
    unsafe { place.read() }
}

fn set_h_errno(value: c_int) {
    // SAFETY: takes nothing, returns the address of this thread's h_errno.
    let place = unsafe { __h_errno_location() };
    // SAFETY: the address is valid and aligned, and only this thread uses it.
    unsafe { place.write(value) };
}
