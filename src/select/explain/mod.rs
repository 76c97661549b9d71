//! Why a URI leads where it leads: the whole decision tree, for people.
//!
//! A search is taken to its end, and its lookups and decisions are put into words as they come. Records that are not
//! cached are asked for.

mod records;
mod text;

use crate::cache::EntryRef;
use crate::error::LookupError;
use crate::host::options::{self, Opt};
use crate::host::random;
use crate::lookup::{self, deadline, turns};
use crate::rr::RecordType;

use super::handle::{self, LookedUp, Watch, turn, usable_seed};
use super::security::Downgrade;
use super::sip_uri::Destination;
use super::suspended::MAX_TARGETS;
use super::tree::{Event, Named};
use super::{Cursor, SelectError, Transport, flags};
use text::{
    cached_state, closure_text, error_text, found_text, lenient_text, select_error_text, text,
    type_text,
};

/// Time for all that is asked, ms, unless `dns_resolve_deadline` is less.
const LIMIT_MS: u64 = 10_000;

/// The subject of a line of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The URI: what it demands.
    Uri,
    /// An option that decides something here.
    Option,
    /// NAPTR records of a name, or one of them.
    Naptr,
    /// SRV records of a name, or one of them.
    Srv,
    /// Addresses of a host.
    Address,
    /// A target, in the order of use.
    Target,
    /// How the search ended, if not with a target.
    Error,
}

impl Subject {
    /// A word for programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Uri => "uri",
            Self::Option => "option",
            Self::Naptr => "naptr",
            Self::Srv => "srv",
            Self::Address => "address",
            Self::Target => "target",
            Self::Error => "error",
        }
    }
}

/// A line of the tree.
#[derive(Clone, Debug)]
pub struct Line {
    /// Distance from the root.
    pub depth: usize,
    /// The subject of the line.
    pub subject: Subject,
    /// The text of the line.
    pub text: String,
}

/// The tree, and the targets in the order of use.
#[derive(Clone, Debug, Default)]
pub struct Explanation {
    /// The tree from its root, then the targets.
    pub lines: Vec<Line>,
    /// Number of targets.
    pub targets: usize,
}

/// Explains where a request to `destination` goes under the request flags (`DNS_*`).
///
/// Sends queries for what is not cached, also for branches that a call would only reach by failover, all within the
/// deadline of one call; none while no nameserver answers.
#[must_use]
pub fn explain(destination: &Destination, request_flags: u32) -> Explanation {
    let lb = request_flags & flags::SRV_RR_LB != 0;
    let rotates = request_flags & flags::ROTATE != 0;
    let mut words = Words {
        to: destination,
        flags: request_flags,
        // A single draw for the whole search.
        start: match (lb, rotates) {
            (true, _) => usable_seed(random::quick_u32().max(1)),
            // The next call's number, for an explanation counts as no call.
            (false, true) => turn(turns::next(&destination.host)),
            (false, false) => 0,
        },
        before: String::new(),
        naptr: None,
        srv: None,
        srv_depth: 1,
        out: Explanation::default(),
    };
    // For all of it: the one who asks waits, and so do other commands.
    let _deadline = deadline::scope_within(LIMIT_MS);
    words.uri();
    words.servers();
    let mut targets = words.search();
    words.out.lines.append(&mut targets);
    words.out
}

/// A search put into words.
struct Words<'a> {
    to: &'a Destination,
    flags: u32,
    start: u32,
    /// The state in the cache of the name that is being looked up.
    before: String,
    /// The records whose candidates are being tried.
    naptr: Option<EntryRef>,
    /// The records whose targets are being tried.
    srv: Option<EntryRef>,
    /// Where lines about SRV records of a name stand.
    srv_depth: usize,
    out: Explanation,
}

impl Words<'_> {
    fn say(&mut self, depth: usize, subject: Subject, text: impl Into<String>) {
        self.out.lines.push(Line {
            depth,
            subject,
            text: text.into(),
        });
    }

    fn uri(&mut self) {
        let port = match self.to.port {
            0 => "no port".to_owned(),
            port => format!("port {port}"),
        };
        let transport = self.to.transport.map_or("no transport", Transport::name);
        let line = format!("host {}, {port}, {transport}", text(&self.to.host));
        self.say(0, Subject::Uri, line);
        if let Some(transport) = self.to.transport.filter(|transport| transport.is_secure()) {
            let demand = match self.to.is_sips {
                true => "sips:".to_owned(),
                false => format!("transport={}", transport.name()),
            };
            let line = format!("{demand} closes all transports without encryption");
            self.say(0, Subject::Uri, line);
        }
        if options::raw(Opt::UseFailover) == 0 {
            let line = "use_dns_failover=no: only the first target is ever tried";
            self.say(0, Subject::Option, line);
        }
        if self.to.port != 0 {
            let line = "the URI has a port: no NAPTR, no SRV, the addresses of the host (RFC 3263 section 4.2)";
            self.say(1, Subject::Srv, line);
        }
    }

    /// While no nameserver answers nothing is asked: the known records are shown at once.
    fn servers(&mut self) {
        if !lookup::is_any_server_up() {
            let line = "no nameserver answers: nothing is asked, what is cached counts, also when it has expired";
            self.say(0, Subject::Option, line);
            deadline::ask_no_more();
        }
    }

    /// Takes the search to its end; gives the lines about targets.
    fn search(&mut self) -> Vec<Line> {
        let mut cursor = Cursor {
            has_naptr_slot: true,
            ..Cursor::default()
        };
        cursor.tried = u64::from(self.start);
        let given = self.to.transport.map_or(0, |transport| transport as u8);
        let (to, request_flags) = (self.to, self.flags);
        let mut lines = Vec::new();
        let mut line = |subject, text| {
            lines.push(Line {
                depth: 0,
                subject,
                text,
            });
        };
        while self.out.targets < MAX_TARGETS {
            let (mut port, mut transport) = (to.port, given);
            let (port_out, transport_out) = (Some(&mut port), Some(&mut transport));
            let host = &to.host;
            deadline::next_step();
            let found = handle::resolve_watched(
                &mut cursor,
                host,
                port_out,
                transport_out,
                request_flags,
                self,
            );
            match found {
                Ok(address) => {
                    self.out.targets += 1;
                    let transport = Transport::from_number(transport).map_or("?", Transport::name);
                    let address = std::net::SocketAddr::new(address, port);
                    let text = format!("{}. {transport} {address}", self.out.targets);
                    line(Subject::Target, text);
                }
                Err(SelectError::EndOfList) if self.out.targets > 0 => break,
                Err(error) => {
                    let text = format!("no target: {}", select_error_text(error));
                    line(Subject::Error, text);
                    break;
                }
            }
            if !cursor.advance() {
                break;
            }
        }
        lines
    }
}

impl Watch for Words<'_> {
    fn asks(&mut self, name: &[u8], rtype: RecordType, named: Named) {
        self.before = cached_state(name, rtype, named, self.flags);
    }

    fn learns(&mut self, name: &[u8], rtype: RecordType, named: Named, found: &LookedUp) {
        let outcome = match found {
            Ok((entry, source)) => {
                let found_as = match named {
                    Named::ByCaller => lookup::found_as(name, rtype, self.flags, entry),
                    Named::ByRecord => None,
                };
                found_text(name, found_as.as_ref(), entry, *source)
            }
            Err(error) => error_text(*error).to_owned(),
        };
        let before = std::mem::take(&mut self.before);
        let line = format!("{} {}: {outcome}; {before}", type_text(rtype), text(name));
        let entry = found
            .as_ref()
            .map(|(entry, _)| entry)
            .map_err(|error| *error);
        let depth = match rtype {
            RecordType::NAPTR => {
                self.say(1, Subject::Naptr, line);
                if let Ok(entry) = entry {
                    self.naptr_records(entry);
                }
                1
            }
            RecordType::SRV => {
                self.srv = None;
                self.say(self.srv_depth, Subject::Srv, line);
                if let Ok(entry) = entry {
                    self.srv_records(entry);
                }
                self.srv_depth
            }
            _ => {
                self.addresses(line, entry);
                self.address_depth()
            }
        };
        if entry.is_err_and(|error| matches!(error, LookupError::Failed(_)))
            && Downgrade::configured() == Downgrade::Always
        {
            let line = format!("{}: taken as no such record", lenient_text());
            self.say(depth + 1, Subject::Option, line);
        }
    }

    fn sees(&mut self, event: Event<'_>) {
        match event {
            Event::NoNaptr { given } => self.no_naptr(given),
            Event::SipsNaptr => self.sips_naptr(),
            Event::HostsFile => {
                let line = "dns_hosts_srv=no: the hosts file has the host, no NAPTR, no SRV";
                self.say(1, Subject::Option, line);
            }
            Event::NaptrUnanswered => {
                let policy = Downgrade::configured().text();
                let line =
                    format!("{policy}: what the records name is not known, no transport is open");
                self.say(2, Subject::Option, line);
            }
            Event::Candidate(position, candidate, verdict) => {
                self.candidate(position, candidate, verdict);
            }
            Event::Transports(list) => {
                self.srv_depth = 1;
                if self.to.transport.is_none() {
                    let names: Vec<_> = list.iter().map(|transport| transport.name()).collect();
                    let line = format!(
                        "transports by dns_*_pref, disabled ones left out: {}",
                        names.join(", ")
                    );
                    self.say(1, Subject::Option, line);
                }
            }
            Event::Skipped(transport, closure) => {
                let name = self.srv_name(transport);
                let line = format!("{name}: not asked, {}", closure_text(closure));
                self.say(1, Subject::Srv, line);
            }
            Event::NoSrvName(transport) => {
                let line = format!("{} has no SRV records", transport.name());
                self.say(1, Subject::Srv, line);
            }
            Event::NotAsked(transport, chosen) => {
                let name = self.srv_name(transport);
                let line = format!("{name}: not asked, {} has targets", chosen.name());
                self.say(1, Subject::Srv, line);
            }
            Event::Refusal => {
                let line = "target '.': the service is not offered over this transport";
                self.say(self.srv_depth + 1, Subject::Srv, line);
            }
            // Another line tells this where the option is the reason.
            Event::ClearFailed if Downgrade::configured() == Downgrade::Always => {}
            Event::ClearFailed => {
                let line = "not encrypted: a failure counts as no such record";
                self.say(self.srv_depth + 1, Subject::Srv, line);
            }
            Event::Record(step, record) => self.srv_record(step, record),
            Event::Literal(address, allowed) => {
                let line = match allowed {
                    true => format!("{address} is an address: nothing is looked up"),
                    false => format!("the family of {address} is one that the options exclude"),
                };
                self.say(self.address_depth(), Subject::Address, line);
            }
            Event::Addresses(transport, closure) => {
                self.addresses_of_name(transport, closure.map(closure_text).as_deref());
            }
        }
    }
}
