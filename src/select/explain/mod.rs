//! Why a URI leads where it leads: the whole decision tree, for people.
//!
//! A search is taken to its end, and what it looks up and decides is put into words as it comes. What is not cached
//! is asked for.

mod text;

use std::fmt::Write as _;

use crate::cache::{EntryRef, RecordView};
use crate::error::LookupError;
use crate::host::options::{self, Opt};
use crate::host::{clock, random};
use crate::lookup::{self, deadline, family_order, turns};
use crate::rr::RecordType;

use super::handle::{self, LookedUp, Watch, address_at_step, turn, usable_seed};
use super::naptr::{Candidate, Candidates, rows_of};
use super::security::Downgrade;
use super::sip_uri::Destination;
use super::tree::{Event, Named, SrvRecord, Verdict};
use super::{Cursor, SelectError, Transport, flags, protocols};
use text::{
    cached_state, closure_text, error_text, found_text, lenient_text, naptr_text,
    select_error_text, share, text, type_text, why_not,
};

/// Time for all that is asked, ms, unless `dns_resolve_deadline` is less.
const LIMIT_MS: u64 = 10_000;
/// Targets listed at most; a search that gives more is cut.
const MAX_TARGETS: usize = 256;

/// What a line of the tree is about.
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
    /// What it is about.
    pub subject: Subject,
    /// What it says.
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
        // One draw for the whole search.
        start: match (lb, rotates) {
            (true, _) => usable_seed(random::quick_u32().max(1)),
            // The call's after this, which is not counted.
            (false, true) => turn(turns::next(&destination.host)),
            (false, false) => 0,
        },
        before: String::new(),
        naptr: None,
        srv: None,
        srv_depth: 1,
        out: Explanation::default(),
    };
    // For all of it: whoever asks waits, and so do other commands.
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
    /// What the cache held of what is being looked up.
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

    /// While no nameserver answers nothing is asked: what is known is said at once.
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

    // NAPTR

    fn naptr_records(&mut self, entry: &EntryRef) {
        if !options::on(Opt::NaptrIgnoreRfc) {
            let line = "dns_naptr_ignore_rfc=no: order and preference of the records decide";
            self.say(2, Subject::Option, line);
        }
        let candidates = Candidates::new(rows_of(entry), self.to.transport);
        let used = |index: usize| {
            let mut places = (0..candidates.len()).filter_map(|place| candidates.get(place));
            places.any(|candidate| usize::from(candidate.index) == index)
        };
        for index in (0..entry.record_count()).filter(|index| !used(*index)) {
            let why = why_not(entry, index, self.to.transport);
            let line = format!("-  {}: not used, {why}", naptr_text(entry, index));
            self.say(2, Subject::Naptr, line);
        }
        self.naptr = Some(entry.clone());
    }

    fn candidate(&mut self, position: usize, candidate: Candidate, verdict: Verdict) {
        let Some(entry) = &self.naptr else { return };
        let transport = candidate.transport;
        let done = match verdict {
            Verdict::Alike => "not used, leads where an earlier one leads".to_owned(),
            Verdict::Closed(closure) => format!("not used, {}", closure_text(closure)),
            Verdict::Followed => format!(
                "{}, {} preferred with {}",
                match self.out.targets {
                    0 => "chosen",
                    _ => "for failover",
                },
                transport.name(),
                protocols::preference(transport),
            ),
        };
        let record = naptr_text(entry, candidate.index.into());
        self.say(
            2,
            Subject::Naptr,
            format!("{}. {record}: {done}", position + 1),
        );
        self.srv_depth = 3;
    }

    fn no_naptr(&mut self, given: bool) {
        if !given {
            self.say(1, Subject::Option, "dns_try_naptr=no: no NAPTR");
        } else if self.to.is_sips {
            let line = "dns_sips_naptr=no: sips: names the transport TLS, no NAPTR";
            self.say(1, Subject::Naptr, line);
        } else {
            let line = "the URI names the transport: no NAPTR (RFC 3263 section 4.1)";
            self.say(1, Subject::Naptr, line);
        }
    }

    fn sips_naptr(&mut self) {
        let line = match self.to.is_sips {
            true => "dns_sips_naptr=yes: NAPTR for SIPS+D2T alone (RFC 3263 section 4.1)",
            false => {
                "dns_sips_naptr=yes: NAPTR for SIPS+D2T alone; transport=tls reaches the search as sips: does"
            }
        };
        self.say(1, Subject::Option, line);
    }

    // SRV

    fn srv_name(&self, transport: Transport) -> String {
        protocols::srv_name(transport, &self.to.host).map_or_else(String::new, |name| text(&name))
    }

    fn srv_records(&mut self, entry: &EntryRef) {
        let depth = self.srv_depth + 1;
        for index in entry.record_count()..entry.listed_count() {
            if let Some(RecordView::Srv {
                priority,
                weight,
                target,
                ..
            }) = entry.record(index)
            {
                let target = text(target);
                let line = format!(
                    "-  priority {priority} weight {weight} -> {target}:0: not used, port 0 is no port to send to"
                );
                self.say(depth, Subject::Srv, line);
            }
        }
        if entry.record_count() > 1 {
            let line = match self.flags & flags::SRV_RR_LB {
                0 => "dns_srv_lb=no: by priority, within one priority the heavier first",
                _ => {
                    "dns_srv_lb=yes: by priority, within one priority drawn by weight; this is one draw"
                }
            };
            self.say(depth, Subject::Option, line);
        }
        self.srv = Some(entry.clone());
    }

    fn srv_record(&mut self, step: usize, record: SrvRecord<'_>) {
        let Some(entry) = &self.srv else { return };
        let Some(RecordView::Srv {
            priority, weight, ..
        }) = entry.record(record.index)
        else {
            return;
        };
        let (target, why) = match record.target {
            b"" => (".".to_owned(), ": no target"),
            target if record.is_live => (text(target), ""),
            target => (text(target), ": expired, left out"),
        };
        let line = format!(
            "{}. priority {priority} weight {weight}{} -> {target}:{}{why}",
            step + 1,
            share(entry, priority, weight),
            record.port,
        );
        self.say(self.srv_depth + 1, Subject::Srv, line);
    }

    // Addresses

    fn addresses(&mut self, mut line: String, found: Result<&EntryRef, LookupError>) {
        let depth = self.address_depth();
        if let Ok(entry) = found {
            let now = clock::now_ticks();
            let list: Vec<_> = (0..entry.record_count())
                .filter_map(|step| address_at_step(entry, step, self.start))
                .filter_map(|index| entry.usable_address(index, now))
                .map(|address| address.to_string())
                .collect();
            let _ = write!(line, " -> {}", list.join(", "));
        }
        self.say(depth, Subject::Address, line);
        if let Ok(entry) = found {
            self.turns(depth, entry);
        }
        if let (first, None) = family_order(self.flags) {
            let (family, options) = match first {
                RecordType::A => ("AAAA", "dns_try_ipv6, dns_cache_flags"),
                _ => ("A", "dns_cache_flags"),
            };
            self.say(depth, Subject::Option, format!("no {family}: {options}"));
        }
    }

    /// Which options say in what order addresses are used.
    fn turns(&mut self, depth: usize, entry: &EntryRef) {
        if entry.record_count() > 1
            && self.flags & (flags::SRV_RR_LB | flags::ROTATE) == flags::ROTATE
        {
            let line = "dns_rotate=yes: calls begin in turn with each address; this is the next call's order";
            self.say(depth, Subject::Option, line);
        }
        let (first, second) = family_order(self.flags);
        if self.flags & flags::INTERLEAVE != 0 && second.is_some() && entry.rtype() != first {
            let line = "dns_family_order=interleave: addresses of the two families in turn (RFC 8305 section 4)";
            self.say(depth, Subject::Option, line);
        }
    }

    fn address_depth(&self) -> usize {
        match self.srv {
            Some(_) => self.srv_depth + 2,
            None => 1,
        }
    }

    fn addresses_of_name(&mut self, transport: Option<Transport>, closure: Option<&str>) {
        self.srv = None;
        let line = match (transport, closure) {
            (Some(_), None) => "no SRV record in use: the addresses of the host itself".to_owned(),
            (Some(Transport::Tls), Some(closure)) => format!(
                "no SRV record in use: the addresses of the host itself over tls (RFC 3263 section 4.2), for others are {closure}"
            ),
            (Some(_), Some(_)) => {
                "no SRV record in use: the addresses of the host itself over udp, which goes first here".to_owned()
            }
            (None, Some(closure)) => format!("the addresses of the host itself are {closure}"),
            (None, None) => "the addresses of the host itself are not used: SRV records refuse the service, or could not be had".to_owned(),
        };
        self.say(1, Subject::Address, line);
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
            // What is told otherwise where it is due to the option.
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
