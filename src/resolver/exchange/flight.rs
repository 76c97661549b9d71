//! A query that was sent, and the way on which it was.

use super::super::cookie::Cookie;
use super::super::edns::Trouble;
use super::super::servers::Server;
use super::super::transport::{Handle, Protocol};
use super::super::wire_name::Octets;

/// A query that was sent and not given up.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) handle: Handle,
    /// Place of the server.
    pub(super) place: usize,
    pub(super) server: Server,
    pub(super) protocol: Protocol,
    pub(super) id: u16,
    pub(super) edns: bool,
    /// The query repeats one that had an OPT record, for this reason.
    pub(super) plain_for: Option<Trouble>,
    pub(super) cookie: Option<Cookie>,
    /// The question with the letters that it was sent with, where they are random.
    pub(super) spelled: Option<Octets>,
    pub(super) strays: u32,
    pub(super) sent_us: u64,
    /// Packets that went out: the answer to one of several says nothing of how long it took.
    pub(super) packets: u32,
    /// When the last of them went out, µs.
    pub(super) last_us: u64,
    /// Number of the attempt at the server that it is part of; 0 for a copy.
    pub(super) attempt: u32,
    /// An error came that anybody can have sent, and TCP is to tell.
    pub(super) doubt: Option<Doubt>,
}

impl Flight {
    /// The server says, as far as one can tell, that it cannot read the query, and it never gave a cookie that
    /// could be lost with the OPT record.
    pub(super) fn may_do_without_edns(&self) -> bool {
        self.could_go_plain() && self.doubt.is_some_and(|doubt| doubt.unreadable)
    }

    /// True for a query with an OPT record, but without a cookie of the server's, which would be given up with the
    /// record.
    pub(super) fn could_go_plain(&self) -> bool {
        let has_cookie = self.cookie.is_some_and(|c| !c.server().is_empty());
        self.edns && !has_cookie
    }
}

/// How a query goes out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) protocol: Protocol,
    /// With an OPT record.
    pub(super) edns: bool,
    /// The query repeats one that had such a record, for this reason.
    pub(super) plain_for: Option<Trouble>,
    /// A query before had no answer yet and stays open: this one is sent in case a packet was lost.
    pub(super) again: bool,
}

/// An error that anybody can have sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    /// The reply says that the query could not be read.
    pub(super) unreadable: bool,
}
