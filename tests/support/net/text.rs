//! Servers described in text, for a test that plays them in more than one place, and for programs that are not Rust.
//!
//! ```text
//! server one                                  ; the lines up to the next `server` are about this one
//!     example.org 300 A 192.0.2.1             ; a record, all its names absolute
//!     on slow.example.org A: after 300 answer ; the reply to a question
//!     on b.example.org A: dropped / servfail / answer     ; replies in turn; the last one stays
//!     on c.example.org *: forged-id answer and after 50 answer    ; two messages to one query
//!     on * *: refused                         ; the reply to all other questions
//!     lose 2                                  ; the next two queries
//! server two 192.0.2.9:53                     ; an address, where that matters
//!     manner silent                           ; whatever it is asked
//! ```
//!
//! | a reply is | |
//! |---|---|
//! | `answer` | what the records say |
//! | `servfail`, `refused`, `formerr`, `notimp`, `nxdomain`, `nodata` | the last two with a SOA |
//! | `dropped`, `silent`, `closed`, `unsendable` | no message, see [`Reply`] |
//!
//! and before it, in any number: `after MS`, `twice`, `truncated` (over UDP), `forged-id`, `forged-port`,
//! `forged-question NAME`, `no-question`, `no-edns` (FORMERR to EDNS), `cut OCTETS`, `until QUERIES` (not before the server
//! has had so many), `with` and records in brackets (additional data).
//!
//! A manner is `answers MS`, `far MS`, `fails MS`, `silent`, `slow MS`, `no-tcp MS`, `closed MS` or `unsendable`. Other
//! lines: `expect NAME OUTCOME` for the test that plays it, `prefix` and a record that all names have which begin like its owner, `mute` (no answer to the question whether it lives), `negative-ttl TTL MINIMUM`, `closes-tcp`.

use std::net::SocketAddr;

use super::reply::Reply;
use super::script::{ANY, Manner, Scripted};
use super::wire::{Rr, type_number, words};

/// TTL of records that have none in the text.
const DEFAULT_TTL: u32 = 60;

/// One server of a scene.
pub struct Actor {
    pub name: String,
    /// Where it stands, if that is said.
    pub address: Option<SocketAddr>,
    pub script: Scripted,
}

/// Servers, in the order of the text.
#[derive(Default)]
pub struct Scene {
    pub actors: Vec<Actor>,
    /// What names have in the end, in the words of the text.
    pub expected: Vec<(String, String)>,
}

impl Scene {
    /// Reads a text; an error names its line.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut scene = Self::default();
        for (number, line) in text.lines().enumerate() {
            let words = words(line);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            scene
                .line(&words)
                .ok_or_else(|| format!("line {}: not understood: {}", number + 1, line.trim()))?;
        }
        Ok(scene)
    }

    /// One line; `None` when it cannot be understood.
    fn line(&mut self, words: &[&str]) -> Option<()> {
        match words {
            [] => return Some(()),
            ["expect", name, outcome] => {
                let expected = ((*name).to_owned(), (*outcome).to_owned());
                self.expected.push(expected);
                return Some(());
            }
            ["server", name, rest @ ..] if rest.len() < 2 => {
                let address = match rest.first() {
                    Some(text) => Some(text.parse().ok()?),
                    None => None,
                };
                self.actors.push(Actor {
                    name: (*name).to_owned(),
                    address,
                    script: Scripted::default(),
                });
                return Some(());
            }
            _ => {}
        }
        let script = &self.actors.last()?.script;
        match words {
            ["mute"] => script.ignore_probes(),
            ["closes-tcp"] => script.close_tcp(),
            ["prefix", record @ ..] => script.add_for_prefix(Rr::from_words(record, DEFAULT_TTL)?),
            ["lose", queries] => script.lose(queries.parse().ok()?),
            ["negative-ttl", ttl, minimum] => {
                script.negative_ttl(ttl.parse().ok()?, minimum.parse().ok()?)
            }
            ["manner", manner @ ..] => script.manner(read_manner(manner)?),
            ["on", name, rtype, replies @ ..] => {
                let rtype = match rtype.strip_suffix(':')? {
                    "*" => ANY,
                    rtype => type_number(rtype)?,
                };
                let each = replies.split(|word| *word == "/");
                let replies: Option<Vec<Reply>> =
                    each.map(|words| read_reply(words, name)).collect();
                script.script(name, rtype, replies?)
            }
            record => script.add(Rr::from_words(record, DEFAULT_TTL)?),
        };
        Some(())
    }

    /// The server of this name.
    pub fn server(&self, name: &str) -> &Scripted {
        let found = self.actors.iter().find(|actor| actor.name == name);
        &found.unwrap_or_else(|| panic!("no server {name}")).script
    }
}

fn read_manner(words: &[&str]) -> Option<Manner> {
    Some(match words {
        ["silent"] => Manner::Silent,
        ["unsendable"] => Manner::Unsendable,
        [word, ms] => {
            let ms = ms.parse().ok()?;
            match *word {
                "answers" => Manner::Answers(ms),
                "far" => Manner::Far(ms),
                "fails" => Manner::Fails(ms),
                "slow" => Manner::SilentForSlow(ms),
                "no-tcp" => Manner::NoTcp(ms),
                "closed" => Manner::Closed(ms),
                _ => return None,
            }
        }
        _ => return None,
    })
}

/// A reply and what comes after it, for a question of this name.
fn read_reply(words: &[&str], name: &str) -> Option<Reply> {
    let mut messages = words.split(|word| *word == "and");
    let first = read_message(messages.next()?, name)?;
    let others: Option<Vec<Reply>> = messages.map(|words| read_message(words, name)).collect();
    let later = others?.into_iter().rev().reduce(|last, one| one.then(last));
    Some(match later {
        Some(later) => first.then(later),
        None => first,
    })
}

fn read_message(words: &[&str], name: &str) -> Option<Reply> {
    let soa = || Rr::soa(name.rsplit('.').next().unwrap_or_default(), 60, 30);
    let (kind, before) = words.split_last()?;
    let mut reply = match *kind {
        "answer" => Reply::from_records(),
        "formerr" => Reply::rcode(1),
        "servfail" => Reply::servfail(),
        "nxdomain" => Reply::nxdomain(soa()),
        "nodata" => Reply::nodata(soa()),
        "notimp" => Reply::rcode(4),
        "refused" => Reply::rcode(5),
        "dropped" => Reply::dropped(),
        "silent" => Reply::silent(),
        "closed" => Reply::closed(),
        "unsendable" => Reply::unsendable(),
        _ => return None,
    };
    let mut twice = false;
    let mut rest = before;
    while let Some((word, others)) = rest.split_first() {
        rest = others;
        let mut value = || {
            let (value, others) = rest.split_first()?;
            rest = others;
            Some(*value)
        };
        reply = match *word {
            "after" => reply.delay_ms(value()?.parse().ok()?),
            "truncated" => reply.truncated(),
            "forged-id" => reply.wrong_id(),
            "forged-port" => reply.wrong_source(),
            "forged-question" => reply.wrong_question(value()?),
            "no-question" => reply.no_question(),
            "no-edns" => reply.formerr_to_edns(),
            "cut" => reply.cut(value()?.parse().ok()?),
            "until" => reply.hold_until(value()?.parse().ok()?),
            "with" => {
                let end = rest.iter().position(|word| *word == "]")?;
                let inside = rest[..end].strip_prefix(&["["])?;
                rest = &rest[end + 1..];
                let records = inside.split(|word| *word == ",");
                let records = records.map(|words| Rr::from_words(words, DEFAULT_TTL));
                reply.additional(records.collect::<Option<Vec<Rr>>>()?)
            }
            "twice" => {
                twice = true;
                reply
            }
            _ => return None,
        };
    }
    Some(if twice { reply.twice() } else { reply })
}
