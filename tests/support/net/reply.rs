//! What comes back to a query.

use super::query::Query;
use super::wire::{self, Rr};

/// Which records a reply has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Source {
    /// Those it was made with.
    #[default]
    Given,
    /// Those that the server has.
    Records,
}

/// What comes instead of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nothing {
    /// Nothing; over TCP the connection is closed.
    Dropped,
    /// Nothing; over TCP the connection stays open.
    Silent,
    /// "Port unreachable"; over TCP the connection is refused.
    Closed,
    /// The query cannot even be sent.
    Unsendable,
}

/// What the server does with one query.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub(super) source: Source,
    pub(super) answers: Vec<Rr>,
    pub(super) authorities: Vec<Rr>,
    additional: Vec<Rr>,
    pub(super) rcode: u16,
    flags: Option<u16>,
    pub(super) delay_ms: u64,
    pub(super) truncate_udp: bool,
    wrong_id: bool,
    wrong_question: Option<String>,
    pub(super) wrong_source: bool,
    no_question: bool,
    pub(super) nothing: Option<Nothing>,
    formerr_to_edns: bool,
    raw: Option<Vec<u8>>,
    whole: Option<Vec<u8>>,
    cut: Option<usize>,
    pub(super) hold_until: usize,
    pub(super) then: Option<Box<Reply>>,
}

impl Reply {
    /// A positive answer.
    pub fn answer(answers: Vec<Rr>) -> Self {
        Self {
            answers,
            ..Self::default()
        }
    }

    /// What the server's records say, with what else is said of the reply here.
    pub fn from_records() -> Self {
        Self {
            source: Source::Records,
            ..Self::default()
        }
    }

    /// An error without records: 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED ...
    pub fn rcode(rcode: u16) -> Self {
        Self {
            rcode,
            ..Self::default()
        }
    }

    /// SERVFAIL.
    pub fn servfail() -> Self {
        Self::rcode(2)
    }

    /// NXDOMAIN with this SOA.
    pub fn nxdomain(soa: Rr) -> Self {
        Self::rcode(3).authority(vec![soa])
    }

    /// NODATA with this SOA.
    pub fn nodata(soa: Rr) -> Self {
        Self::default().authority(vec![soa])
    }

    /// No reply at all (over TCP the connection is closed).
    pub fn dropped() -> Self {
        Self::nothing(Nothing::Dropped)
    }

    /// No reply at all (a TCP connection stays open).
    pub fn silent() -> Self {
        Self::nothing(Nothing::Silent)
    }

    /// "Port unreachable"; in memory, or from the start.
    pub fn closed() -> Self {
        Self::nothing(Nothing::Closed)
    }

    /// The query cannot be sent; in memory.
    pub fn unsendable() -> Self {
        Self::nothing(Nothing::Unsendable)
    }

    fn nothing(nothing: Nothing) -> Self {
        Self {
            nothing: Some(nothing),
            ..Self::default()
        }
    }

    /// This message, whose first two octets become the query's id.
    pub fn message(octets: Vec<u8>) -> Self {
        Self {
            whole: Some(octets),
            ..Self::default()
        }
    }

    /// These octets, after the query's id.
    pub fn raw(after_id: &[u8]) -> Self {
        Self {
            raw: Some(after_id.to_vec()),
            ..Self::default()
        }
    }

    /// Sets the authority section.
    pub fn authority(mut self, records: Vec<Rr>) -> Self {
        self.authorities = records;
        self
    }

    /// Sets the additional section.
    pub fn additional(mut self, records: Vec<Rr>) -> Self {
        self.additional = records;
        self
    }

    /// Sets the 16 flag bits, RCODE included (normally QR, RD, RA and the rcode).
    pub fn flags(mut self, flags: u16) -> Self {
        self.flags = Some(flags);
        self
    }

    /// Waits before replying; other queries are not held up.
    pub fn delay_ms(mut self, ms: u64) -> Self {
        self.delay_ms = ms;
        self
    }

    /// Over UDP only the header and the question with TC set; the records over TCP.
    pub fn truncated(mut self) -> Self {
        self.truncate_udp = true;
        self
    }

    /// Replies only when the server has had so many queries in all; after 30 s not at all (UDP).
    pub fn hold_until(mut self, queries: usize) -> Self {
        self.hold_until = queries;
        self
    }

    /// Replies with an id that was not asked.
    pub fn wrong_id(mut self) -> Self {
        self.wrong_id = true;
        self
    }

    /// Replies with another question name.
    pub fn wrong_question(mut self, name: &str) -> Self {
        self.wrong_question = Some(name.to_owned());
        self
    }

    /// Replies from another port.
    pub fn wrong_source(mut self) -> Self {
        self.wrong_source = true;
        self
    }

    /// Leaves the question out (`QDCOUNT` 0).
    pub fn no_question(mut self) -> Self {
        self.no_question = true;
        self
    }

    /// FORMERR to queries with an OPT record.
    pub fn formerr_to_edns(mut self) -> Self {
        self.formerr_to_edns = true;
        self
    }

    /// Cuts the message after so many octets.
    pub fn cut(mut self, octets: usize) -> Self {
        self.cut = Some(octets);
        self
    }

    /// The same message comes twice.
    pub fn twice(self) -> Self {
        let again = Self {
            delay_ms: 0,
            ..self.clone()
        };
        self.then(again)
    }

    /// Sends another reply after this one and those that follow it already.
    pub fn then(mut self, next: Self) -> Self {
        let mut last = &mut self.then;
        while let Some(reply) = last {
            last = &mut reply.then;
        }
        *last = Some(Box::new(next));
        self
    }

    /// The message, if there is one.
    pub(super) fn encode(&self, query: &Query) -> Option<Vec<u8>> {
        if self.nothing.is_some() {
            return None;
        }
        let id = if self.wrong_id {
            query.id.wrapping_add(1)
        } else {
            query.id
        };
        if let Some(raw) = &self.raw {
            let mut out = id.to_be_bytes().to_vec();
            out.extend(raw);
            return Some(out);
        }
        if let Some(whole) = &self.whole {
            let mut out = id.to_be_bytes().to_vec();
            out.extend(whole.iter().skip(2));
            return Some(out);
        }
        let formerr = self.formerr_to_edns && query.edns.is_some();
        let truncate = self.truncate_udp && !query.tcp;
        let rcode = if formerr { 1 } else { self.rcode };
        let mut flags = self.flags.unwrap_or(0x8180 | (rcode & 15));
        if truncate {
            flags |= 0x0200;
        }
        let name = self.wrong_question.as_deref().unwrap_or(&query.spelled);
        let additional = self.with_opt(query);
        let mut out = if self.no_question {
            wire::header(id, flags, [0; 4])
        } else if formerr || truncate {
            wire::message(id, flags, (name, query.qtype), [&[], &[], &[]])
        } else {
            wire::message(
                id,
                flags,
                (name, query.qtype),
                [&self.answers, &self.authorities, &additional],
            )
        };
        if let Some(cut) = self.cut {
            out.truncate(cut);
        }
        Some(out)
    }

    /// The additional section, with an OPT record where the query has one and the reply none of its own.
    fn with_opt(&self, query: &Query) -> Vec<Rr> {
        let mut additional = self.additional.clone();
        let has_one = additional.iter().any(|rr| rr.rtype == wire::OPT);
        if query.edns.is_some() && !has_one {
            additional.push(Rr::raw("", wire::OPT, 0, b"").with_class(1232));
        }
        additional
    }
}
