//! Why a URI leads where it leads: the whole decision tree, for people.
//!
//! The tree is walked as [`super::handle`] walks it, with the same candidates, order and seed, but to its
//! end, and says for every branch why it is used or not. What is not cached is asked for. The list of
//! targets below the tree does not come from the walk: it is what the search itself gives.

mod text;

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::cache::{EntryRef, RecordView};
use crate::error::LookupError;
use crate::host::options::{self, ExtraOpt, Opt};
use crate::host::{clock, random};
use crate::lookup::{self, family_allowed, family_order};
use crate::rr::{RecordType, parse_literal};

use super::handle::{
    self, address_at_step, candidates_of, leads_alike, record_at_step, says_not_offered,
    usable_seed,
};
use super::sip_uri::Destination;
use super::{Cursor, SelectError, Transport, flags, protocols};
use text::{
    cached_state, error_text, found_text, naptr_text, select_error_text, share, text, type_text,
    why_not,
};

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
/// Sends queries for what is not cached, also for branches that a call would only reach by failover.
#[must_use]
pub fn explain(destination: &Destination, request_flags: u32) -> Explanation {
    let lb = request_flags & flags::SRV_RR_LB != 0;
    let mut walk = Walk {
        flags: request_flags,
        // One draw, the same for the tree and for the list.
        seed: if lb {
            usable_seed(random::quick_u32().max(1))
        } else {
            0
        },
        out: Explanation::default(),
    };
    walk.root(destination);
    walk.list(destination);
    walk.out
}

/// What a branch gave.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Branch {
    Targets,
    Nothing,
    Refused,
    Failed,
}

/// Who named what is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    /// The caller: without a final dot the search list may complete the name.
    ByCaller,
    /// A record: the name is absolute.
    ByRecord,
}

impl Named {
    fn look_up(self) -> handle::LookUp {
        match self {
            Self::ByCaller => lookup::entry,
            Self::ByRecord => lookup::absolute_entry,
        }
    }
}

struct Walk {
    flags: u32,
    seed: u32,
    out: Explanation,
}

fn lenient() -> bool {
    options::extra(ExtraOpt::FallbackOnFailure) != 0
}

impl Walk {
    fn say(&mut self, depth: usize, subject: Subject, text: String) {
        self.out.lines.push(Line {
            depth,
            subject,
            text,
        });
    }

    fn option(&mut self, depth: usize, text: &str) {
        self.say(depth, Subject::Option, text.to_owned());
    }

    fn root(&mut self, to: &Destination) {
        let port = if to.port == 0 {
            "no port".to_owned()
        } else {
            format!("port {}", to.port)
        };
        let transport = to.transport.map_or("no transport", Transport::name);
        let line = format!("host {}, {port}, {transport}", text(&to.host));
        self.say(0, Subject::Uri, line);
        if options::raw(Opt::UseFailover) == 0 {
            self.option(
                0,
                "use_dns_failover=no: only the first target is ever tried",
            );
        }
        if let Some(address) = parse_literal(&to.host) {
            self.literal(1, address);
            return;
        }
        if to.port != 0 {
            let line = "the URI has a port: no NAPTR, no SRV, the addresses of the host (RFC 3263 section 4.2)";
            self.say(1, Subject::Srv, line.to_owned());
            self.addresses(1, &to.host, Named::ByCaller);
            return;
        }
        if lookup::needs_no_dns(&to.host) {
            self.option(
                1,
                "dns_hosts_srv=no: the hosts file has the host, no NAPTR, no SRV",
            );
            self.addresses(1, &to.host, Named::ByCaller);
            return;
        }
        if self.by_naptr(to) != Branch::Nothing {
            return;
        }
        if self.by_srv(to) == Branch::Nothing {
            self.say(
                1,
                Subject::Address,
                "no SRV record in use: the addresses of the host itself".to_owned(),
            );
            self.addresses(1, &to.host, Named::ByCaller);
        }
    }

    fn literal(&mut self, depth: usize, address: IpAddr) {
        let verdict = if family_allowed(address, self.flags) {
            "nothing is looked up"
        } else {
            "of a family that the options exclude"
        };
        let line = format!("{address} is an address: {verdict}");
        self.say(depth, Subject::Address, line);
    }

    // NAPTR

    fn by_naptr(&mut self, to: &Destination) -> Branch {
        if to.transport.is_some() {
            let line = "the URI names the transport: no NAPTR (RFC 3263 section 4.1)";
            self.say(1, Subject::Naptr, line.to_owned());
            return Branch::Nothing;
        }
        if !cfg!(feature = "use_naptr") || self.flags & flags::TRY_NAPTR == 0 {
            self.option(1, "dns_try_naptr=no: no NAPTR");
            return Branch::Nothing;
        }
        let (line, found) = self.look_up(&to.host, RecordType::NAPTR, Named::ByCaller);
        self.say(1, Subject::Naptr, line);
        match found {
            Ok(entry) => self.naptr_records(&entry),
            Err(error) => self.without(2, error),
        }
    }

    /// What the search makes of records that it could not get.
    fn without(&mut self, depth: usize, error: LookupError) -> Branch {
        if error.is_absence() || error == LookupError::NameTooLong {
            return Branch::Nothing;
        }
        if lenient() {
            self.option(
                depth,
                "dns_fallback_on_failure=yes: taken as no such record",
            );
            Branch::Nothing
        } else {
            Branch::Failed
        }
    }

    fn naptr_records(&mut self, entry: &EntryRef) -> Branch {
        if !options::on(Opt::NaptrIgnoreRfc) {
            self.option(
                2,
                "dns_naptr_ignore_rfc=no: order and preference of the records decide",
            );
        }
        let candidates = candidates_of(entry);
        let used = |index: usize| {
            (0..candidates.len())
                .filter_map(|position| candidates.get(position))
                .any(|candidate| usize::from(candidate.index) == index)
        };
        let (mut only_secure, mut failed, mut any) = (false, false, false);
        for position in 0..candidates.len() {
            let Some(candidate) = candidates.get(position) else {
                break;
            };
            let index = usize::from(candidate.index);
            let Some(RecordView::Naptr { replacement, .. }) = entry.record(index) else {
                continue;
            };
            let head = format!("{}. {}", position + 1, naptr_text(entry, index));
            let alike = |earlier| leads_alike(entry, &candidates, earlier, position);
            if only_secure && !candidate.transport.is_secure() {
                let line =
                    format!("{head}: not used, a query for a secure transport was not answered");
                self.say(2, Subject::Naptr, line);
                continue;
            }
            if (0..position).any(alike) {
                let line = format!("{head}: not used, leads where an earlier one leads");
                self.say(2, Subject::Naptr, line);
                continue;
            }
            let preference = protocols::preference(candidate.transport);
            let line = format!(
                "{head}: {}, {} preferred with {preference}",
                if any { "for failover" } else { "chosen" },
                candidate.transport.name(),
            );
            self.say(2, Subject::Naptr, line);
            let result = self.srv_set(3, replacement, Named::ByRecord);
            any |= result == Branch::Targets;
            failed |= result == Branch::Failed && !any;
            // Only as long as the search has not stopped at a target.
            only_secure = result != Branch::Targets
                && (only_secure || (result == Branch::Failed && candidate.transport.is_secure()));
        }
        for index in (0..entry.record_count()).filter(|index| !used(*index)) {
            let line = format!(
                "-  {}: not used, {}",
                naptr_text(entry, index),
                why_not(entry, index)
            );
            self.say(2, Subject::Naptr, line);
        }
        match (any, failed) {
            (true, _) => Branch::Targets,
            (false, true) => Branch::Failed,
            (false, false) => Branch::Nothing,
        }
    }

    // SRV

    fn by_srv(&mut self, to: &Destination) -> Branch {
        let list = to
            .transport
            .map_or_else(protocols::list, protocols::TransportList::single);
        if to.transport.is_none() {
            let names: Vec<_> = list.iter().map(|transport| transport.name()).collect();
            let line = format!(
                "transports by dns_*_pref, disabled ones left out: {}",
                names.join(", ")
            );
            self.option(1, &line);
        }
        let (mut failed, mut refused, mut only_secure) = (false, false, false);
        let mut chosen: Option<Transport> = None;
        for &transport in list.iter() {
            let Some(name) = protocols::srv_name(transport, &to.host) else {
                let line = format!("{} has no SRV records", transport.name());
                self.say(1, Subject::Srv, line);
                continue;
            };
            if let Some(chosen) = chosen {
                let line = format!("{}: not asked, {} has targets", text(&name), chosen.name());
                self.say(1, Subject::Srv, line);
                continue;
            }
            if only_secure && !transport.is_secure() {
                let line = format!(
                    "{}: not asked, a query for a secure transport was not answered",
                    text(&name)
                );
                self.say(1, Subject::Srv, line);
                continue;
            }
            match self.srv_set(1, &name, Named::ByCaller) {
                Branch::Targets => chosen = Some(transport),
                Branch::Failed => {
                    failed = true;
                    only_secure |= transport.is_secure();
                }
                Branch::Refused => refused = true,
                Branch::Nothing => {}
            }
        }
        match (chosen, failed, refused) {
            (Some(_), ..) => Branch::Targets,
            (None, true, _) => Branch::Failed,
            (None, false, true) => Branch::Refused,
            (None, false, false) => Branch::Nothing,
        }
    }

    /// The SRV records of a name in the order of use, each with its addresses.
    fn srv_set(&mut self, depth: usize, name: &[u8], named: Named) -> Branch {
        let (line, found) = self.look_up(name, RecordType::SRV, named);
        self.say(depth, Subject::Srv, line);
        let entry = match found {
            Ok(entry) => entry,
            Err(error) => return self.without(depth + 1, error),
        };
        self.without_port(depth + 1, &entry);
        if says_not_offered(&entry) {
            let line = "target '.': the service is not offered over this transport";
            self.say(depth + 1, Subject::Srv, line.to_owned());
            return Branch::Refused;
        }
        if entry.record_count() > 1 {
            let line = if self.seed == 0 {
                "dns_srv_lb=no: by priority, within one priority the heavier first"
            } else {
                "dns_srv_lb=yes: by priority, within one priority drawn by weight; this is one draw"
            };
            self.option(depth + 1, line);
        }
        let now = clock::now_ticks();
        let (mut any, mut failed) = (false, false);
        for step in 0..entry.record_count() {
            let Some(index) = record_at_step(&entry, step, self.seed) else {
                break;
            };
            let Some(RecordView::Srv {
                priority,
                weight,
                port,
                target,
            }) = entry.record(index)
            else {
                continue;
            };
            let head = format!(
                "{}. priority {priority} weight {weight}{} -> {}:{port}",
                step + 1,
                share(&entry, priority, weight),
                if target.is_empty() {
                    ".".to_owned()
                } else {
                    text(target)
                },
            );
            if !entry.is_usable(index, now) {
                self.say(
                    depth + 1,
                    Subject::Srv,
                    format!("{head}: expired, left out"),
                );
                continue;
            }
            if target.is_empty() {
                self.say(depth + 1, Subject::Srv, format!("{head}: no target"));
                continue;
            }
            self.say(depth + 1, Subject::Srv, head);
            let result = self.addresses(depth + 2, target, Named::ByRecord);
            any |= result == Branch::Targets;
            failed |= result == Branch::Failed;
        }
        match (any, failed) {
            (true, _) => Branch::Targets,
            (false, true) => Branch::Failed,
            (false, false) => Branch::Nothing,
        }
    }

    /// SRV records that are left out of the choice.
    fn without_port(&mut self, depth: usize, entry: &EntryRef) {
        for index in entry.record_count()..entry.listed_count() {
            if let Some(RecordView::Srv {
                priority,
                weight,
                target,
                ..
            }) = entry.record(index)
            {
                let head = format!(
                    "-  priority {priority} weight {weight} -> {}:0",
                    text(target)
                );
                let line = format!("{head}: not used, port 0 is no port to send to");
                self.say(depth, Subject::Srv, line);
            }
        }
    }

    // Addresses

    fn addresses(&mut self, depth: usize, host: &[u8], named: Named) -> Branch {
        if let Some(address) = parse_literal(host) {
            self.literal(depth, address);
            return if family_allowed(address, self.flags) {
                Branch::Targets
            } else {
                Branch::Nothing
            };
        }
        let (first, second) = family_order(self.flags);
        let now = clock::now_ticks();
        let mut result = Branch::Nothing;
        for family in std::iter::once(first).chain(second) {
            let (mut line, found) = self.look_up(host, family, named);
            match found {
                Ok(entry) => {
                    let list: Vec<_> = (0..entry.record_count())
                        .filter_map(|step| address_at_step(&entry, step, self.seed))
                        .filter_map(|index| entry.usable_address(index, now))
                        .map(|address| address.to_string())
                        .collect();
                    let _ = write!(line, " -> {}", list.join(", "));
                    if !list.is_empty() {
                        result = Branch::Targets;
                    }
                }
                Err(error) if self.without(depth + 1, error) == Branch::Failed => {
                    if result == Branch::Nothing {
                        result = Branch::Failed;
                    }
                }
                Err(_) => {}
            }
            self.say(depth, Subject::Address, line);
        }
        if second.is_none() {
            let (family, options) = match first {
                RecordType::A => ("AAAA", "dns_try_ipv6, dns_cache_flags"),
                _ => ("A", "dns_cache_flags"),
            };
            self.option(depth, &format!("no {family}: {options}"));
        }
        result
    }

    // Lookups

    /// Looks up, and says what the cache held before and what came of it.
    fn look_up(
        &self,
        name: &[u8],
        rtype: RecordType,
        named: Named,
    ) -> (String, Result<EntryRef, LookupError>) {
        let before = cached_state(name, rtype, named, self.flags);
        let result = named.look_up()(name, rtype, self.flags);
        let outcome = match &result {
            Ok((entry, source)) => {
                let found_as = match named {
                    Named::ByCaller => lookup::found_as(name, rtype, self.flags, entry),
                    Named::ByRecord => None,
                };
                found_text(name, found_as.as_ref(), entry, *source)
            }
            Err(error) => error_text(*error).to_owned(),
        };
        let line = format!("{} {}: {outcome}; {before}", type_text(rtype), text(name));
        (line, result.map(|(entry, _)| entry))
    }

    /// The targets as the search gives them.
    fn list(&mut self, to: &Destination) {
        let mut cursor = Cursor {
            has_naptr_slot: true,
            ..Cursor::default()
        };
        cursor.tried = u64::from(self.seed);
        let given = to.transport.map_or(0, |transport| transport as u8);
        while self.out.targets < MAX_TARGETS {
            let (mut port, mut transport) = (to.port, given);
            let found = handle::resolve(
                &mut cursor,
                &to.host,
                Some(&mut port),
                Some(&mut transport),
                self.flags,
                None,
            );
            match found {
                Ok(address) => {
                    self.out.targets += 1;
                    let transport = Transport::from_number(transport).map_or("?", Transport::name);
                    let address = std::net::SocketAddr::new(address, port);
                    let line = format!("{}. {transport} {address}", self.out.targets);
                    self.say(0, Subject::Target, line);
                }
                Err(SelectError::EndOfList) if self.out.targets > 0 => break,
                Err(error) => {
                    let line = format!("no target: {}", select_error_text(error));
                    self.say(0, Subject::Error, line);
                    break;
                }
            }
            if !handle::advance(&mut cursor) {
                break;
            }
        }
    }
}
