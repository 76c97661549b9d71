//! Lines of an explanation about records: NAPTR, SRV, addresses.

use std::fmt::Write as _;

use crate::cache::{EntryRef, RecordView};
use crate::error::LookupError;
use crate::host::clock;
use crate::host::options::{self, Opt};
use crate::lookup::family_order;
use crate::rr::RecordType;

use super::super::handle::address_at_step;
use super::super::naptr::{Candidate, Candidates, rows_of};
use super::super::tree::{SrvRecord, Verdict};
use super::super::{Transport, flags, protocols};
use super::text::{closure_text, naptr_text, share, text, why_not};
use super::{Subject, Words};

impl Words<'_> {
    /// The NAPTR records that are not used, and why.
    pub(super) fn naptr_records(&mut self, entry: &EntryRef) {
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

    /// A NAPTR candidate, with the decision on it.
    pub(super) fn candidate(&mut self, position: usize, candidate: Candidate, verdict: Verdict) {
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

    /// Why no NAPTR records are asked for.
    pub(super) fn no_naptr(&mut self, given: bool) {
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

    /// Why NAPTR records are asked for TLS alone.
    pub(super) fn sips_naptr(&mut self) {
        let line = match self.to.is_sips {
            true => "dns_sips_naptr=yes: NAPTR for SIPS+D2T alone (RFC 3263 section 4.1)",
            false => {
                "dns_sips_naptr=yes: NAPTR for SIPS+D2T alone; transport=tls reaches the search as sips: does"
            }
        };
        self.say(1, Subject::Option, line);
    }

    /// The name that has the SRV records of a transport.
    pub(super) fn srv_name(&self, transport: Transport) -> String {
        protocols::srv_name(transport, &self.to.host).map_or_else(String::new, |name| text(&name))
    }

    /// The SRV records that are not used, and the option that decides on the order of the others.
    pub(super) fn srv_records(&mut self, entry: &EntryRef) {
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

    /// An SRV record in the order of use.
    pub(super) fn srv_record(&mut self, step: usize, record: SrvRecord<'_>) {
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

    /// The addresses of a host in the order of use, and the options that decide on them.
    pub(super) fn addresses(&mut self, mut line: String, found: Result<&EntryRef, LookupError>) {
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

    /// Where lines about addresses stand.
    pub(super) fn address_depth(&self) -> usize {
        match self.srv {
            Some(_) => self.srv_depth + 2,
            None => 1,
        }
    }

    /// Whether the addresses of the host itself are used.
    pub(super) fn addresses_of_name(
        &mut self,
        transport: Option<Transport>,
        closure: Option<&str>,
    ) {
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
