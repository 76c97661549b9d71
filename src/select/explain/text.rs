//! How records, entries and outcomes are put into words.

use std::fmt::Write as _;

use crate::cache::{Cache, EntryRef, NegativeKind, RecordView};
use crate::error::{Failure, LookupError};
use crate::host::clock;
use crate::host::options::{self, ExtraOpt, Opt};
use crate::lookup::{self, Source};
use crate::rr::{Name, RecordType};

use super::super::naptr::transport_of;
use super::super::security::{Closure, Downgrade};
use super::super::tree::Named;
use super::super::{SelectError, Transport, protocols};

/// Octets that do not show, or mean something to a terminal, are left out.
pub(super) fn text(octets: &[u8]) -> String {
    let visible = |o: &u8| {
        if o.is_ascii_graphic() {
            *o as char
        } else {
            '?'
        }
    };
    octets.iter().map(visible).collect()
}

pub(super) fn naptr_text(entry: &EntryRef, index: usize) -> String {
    match entry.record(index) {
        Some(RecordView::Naptr {
            order,
            preference,
            flags,
            services,
            regexp,
            replacement,
        }) => format!(
            "order {order} preference {preference} \"{}\" \"{}\"{} -> {}",
            text(flags),
            text(services),
            if regexp.is_empty() {
                ""
            } else {
                " with substitution"
            },
            text(replacement),
        ),
        _ => "no NAPTR record".to_owned(),
    }
}

/// Why a NAPTR record is no candidate.
pub(super) fn why_not(entry: &EntryRef, index: usize, only: Option<Transport>) -> String {
    let Some(RecordView::Naptr {
        flags,
        services,
        regexp,
        ..
    }) = entry.record(index)
    else {
        return "not readable".to_owned();
    };
    if let Some(transport) = transport_of(flags, services, regexp) {
        return if !protocols::available(transport) {
            format!("{} is disabled in this server", transport.name())
        } else if !protocols::supported(transport) {
            format!("dns_{}_pref is negative", transport.name())
        } else if only.is_some_and(|only| only != transport) {
            format!("{} is closed by the URI", transport.name())
        } else if !options::on(Opt::NaptrIgnoreRfc) {
            "one of a lower order qualifies (RFC 3403 section 4.1), or there are 32 better ones"
                .to_owned()
        } else {
            "there are 32 better ones".to_owned()
        };
    }
    let reason = if !regexp.is_empty() {
        "SIP does not follow substitutions"
    } else if !flags.eq_ignore_ascii_case(b"s") {
        "only flag \"s\" leads to SRV records"
    } else {
        "not a service of SIP"
    };
    reason.to_owned()
}

/// The part of the load that weights promise, where there is a choice.
pub(super) fn share(entry: &EntryRef, priority: u16, weight: u16) -> String {
    let group = || {
        entry.records().filter_map(|record| match record {
            RecordView::Srv {
                priority: other,
                weight,
                ..
            } if other == priority => Some(u32::from(weight)),
            _ => None,
        })
    };
    let (count, sum) = (group().count(), group().sum::<u32>());
    if count < 2 || sum == 0 {
        return String::new();
    }
    format!(" ({weight} of {sum})")
}

pub(super) fn type_text(rtype: RecordType) -> &'static str {
    match rtype {
        RecordType::A => "A",
        RecordType::AAAA => "AAAA",
        RecordType::SRV => "SRV",
        RecordType::NAPTR => "NAPTR",
        _ => "records",
    }
}

pub(super) fn found_text(
    name: &[u8],
    found_as: Option<&Name>,
    entry: &EntryRef,
    source: Source,
) -> String {
    let count = entry.listed_count();
    let mut line = format!("{count} record{}", if count == 1 { "" } else { "s" });
    let mut asked = name.strip_suffix(b".").unwrap_or(name);
    if let Some(found_as) = found_as {
        asked = found_as.as_bytes();
        let _ = write!(line, ", relative, found as {}", text(asked));
    }
    if !entry.name().eq_ignore_ascii_case(asked) {
        let _ = write!(line, " of {}", text(entry.name()));
    }
    let from = match source {
        // RFC 8767: better than nothing, or good enough while it is fetched anew.
        Source::Cache if entry.is_expired(clock::now_ticks()) => "from the cache, stale",
        Source::Cache => "from the cache",
        Source::Network => "from the network",
        Source::Literal => "literal",
    };
    let _ = write!(line, " {from}, {}", left_text(entry));
    line
}

fn left_text(entry: &EntryRef) -> String {
    let now = clock::now_ticks();
    if entry.is_permanent() {
        "permanent".to_owned()
    } else if entry.is_expired(now) {
        let over = clock::seconds_until(now, entry.expire()).max(0);
        format!("expired {over} s ago")
    } else {
        format!("{} s left", clock::seconds_until(entry.expire(), now))
    }
}

/// The state of a name and type in the cache before the lookup.
pub(super) fn cached_state(name: &[u8], rtype: RecordType, named: Named, flags: u32) -> String {
    if named == Named::ByCaller
        && let Some((entry, found_as)) = lookup::cached_relative(name, rtype, flags)
    {
        let what = match (found_as, entry.negative()) {
            (Some(winner), _) if !winner.as_bytes().eq_ignore_ascii_case(name) => {
                format!("cached, relative, found as {}", text(winner.as_bytes()))
            }
            (_, None) => "cached".to_owned(),
            (_, Some(_)) if entry.is_relative() => {
                "cached: not found by the search list".to_owned()
            }
            (_, Some(NegativeKind::NxDomain)) => "cached: no such name".to_owned(),
            (_, Some(_)) => "cached: no such record".to_owned(),
        };
        return format!("before: {what}, {}", left_text(&entry));
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    let Some(cache) = Cache::instance() else {
        return "no cache".to_owned();
    };
    if let Some(entry) = cache.acquire_any_age(name, rtype) {
        let what = match entry.negative() {
            None => "cached",
            Some(NegativeKind::NxDomain) => "cached: no such name",
            Some(NegativeKind::NoData) => "cached: no such record",
            Some(NegativeKind::Failure | NegativeKind::Silence) => "a failure was remembered",
        };
        return format!("before: {what}, {}", left_text(&entry));
    }
    match cache.acquire_any_age(name, RecordType::CNAME) {
        Some(alias) if alias.negative().is_none() => {
            format!("before: alias cached, {}", left_text(&alias))
        }
        _ => "before: not cached".to_owned(),
    }
}

pub(super) fn error_text(error: LookupError) -> &'static str {
    match error {
        LookupError::NxDomain => "no such name",
        LookupError::NoData => "no such record",
        LookupError::BadName => "not a host name, not asked",
        LookupError::NameTooLong => "name too long",
        LookupError::CnameChain => "the aliases are a loop or too many",
        LookupError::OutOfMemory => "the cache's memory is full",
        LookupError::NoCache => "no cache",
        LookupError::Open => "no answer yet",
        LookupError::Failed(failure) => match failure {
            Failure::Timeout => "no answer in time",
            Failure::ServFail => "the servers failed",
            Failure::Refused => "the servers refused",
            Failure::Malformed => "unusable answers",
            Failure::Network => "the servers cannot be reached",
            Failure::NoServers => "no nameserver, or all marked as down",
            Failure::Hook => "the search function of a module failed",
            Failure::GivenUp => "given up: too many wait for DNS",
        },
    }
}

pub(super) fn select_error_text(error: SelectError) -> &'static str {
    match error {
        SelectError::EndOfList => "end of the list",
        SelectError::NoSrv => "the SRV records could not be had, or refuse the service",
        SelectError::NoIp => "no address",
        SelectError::NameTooLong => "name too long",
        SelectError::AfMismatch => "an address of a family that the options exclude",
        SelectError::NoNaptr => "the NAPTR records could not be had",
        SelectError::Critical => "this transport needs a port",
    }
}

/// The option by which failure counts as absence.
pub(super) fn lenient_text() -> &'static str {
    match options::extra(ExtraOpt::FallbackOnFailure) {
        0 => Downgrade::Always.text(),
        _ => "dns_fallback_on_failure=yes",
    }
}

/// The rule that closes a transport without encryption, and the option that decided.
pub(super) fn closure_text(closure: Closure) -> String {
    let rule = match closure {
        Closure::NamedAlone => "all NAPTR records for SIP name secure transports",
        Closure::NamedFirst => "a NAPTR record that goes first names a secure transport",
        Closure::HasRecords => "a secure transport that goes first has SRV records",
        Closure::Unanswered => "a query for a secure transport was not answered",
    };
    format!("closed: {rule} ({})", Downgrade::configured().text())
}
