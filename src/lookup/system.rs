//! Hosts past the cache and past this library's own questions: the host is asked.

use std::ffi::CString;
use std::net::IpAddr;

use super::request::question_text;
use super::uncached;
use crate::error::{Failure, LookupError};
use crate::host::counters::{self, Counter};
use crate::host::hooks;
use crate::host::options::{self, Opt, StrOpt};
use crate::host::system_hosts::{Host, NoHost, by_name, by_name_ipv6};
use crate::rr::parse_literal;

/// True when an option says which servers to ask: libc, which knows nothing of it, would ask others.
fn own_servers() -> bool {
    let set = |opt| !options::text(opt).is_empty();
    hooks::hosts_by_libc() && (set(StrOpt::Nameservers) || set(StrOpt::ResolvConf))
}

fn error_of(lack: NoHost) -> LookupError {
    match lack {
        NoHost::NoName => LookupError::NxDomain,
        NoHost::NoAddress => LookupError::NoData,
        // Also of a function that does not say.
        NoHost::Failed => LookupError::Failed(Failure::Hook),
    }
}

/// Asks the host's own resolver (`/etc/hosts` and all), IPv6 only when there is no IPv4 address and
/// `dns_try_ipv6` is on; where options name the servers, these are asked instead. Literals are answered
/// without asking. `by_record`: a record names the host, so no search list completes the name.
fn host(name: &[u8], by_record: bool) -> Result<Host, LookupError> {
    if let Some(address) = parse_literal(name) {
        return Ok(Host::new(name, &[address]));
    }
    let text = CString::new(name).map_err(|_| LookupError::BadName)?;
    if text.is_empty() {
        return Err(LookupError::BadName);
    }
    let question = question_text(name, by_record);
    #[cfg(feature = "use_dns_cache")]
    if let Some(used) = super::suspended::used_addresses(&question, options::on(Opt::TryIpv6)) {
        return used.map(|addresses| Host::new(name, &addresses));
    }
    if own_servers() {
        let (name, addresses) = uncached::addresses(&question, options::on(Opt::TryIpv6))?;
        return Ok(Host::new(name.as_bytes(), &addresses));
    }
    // Without a final dot, which names of /etc/hosts do not have.
    let lack = match by_name(&text, by_record) {
        Ok(host) => return Ok(host),
        Err(lack) => lack,
    };
    let ipv6 = match options::on(Opt::TryIpv6) {
        true => by_name_ipv6(&text, by_record),
        false => None,
    };
    match ipv6 {
        Some(Ok(host)) => Ok(host),
        // A failure says more than what the other family lacks.
        Some(Err(other)) if lack != NoHost::Failed => Err(error_of(other)),
        _ => Err(error_of(lack)),
    }
}

/// The addresses of a host; `by_record`: a record names it.
///
/// # Errors
/// Why there is none: a failure, unless it is said that there is none.
pub(crate) fn addresses(name: &[u8], by_record: bool) -> Result<Vec<IpAddr>, LookupError> {
    host(name, by_record).map(|found| found.addresses)
}

/// A host with its aliases; a failure is counted.
pub(crate) fn counted(name: &[u8]) -> Option<Host> {
    let host = host(name, false).ok();
    if host.is_none() {
        counters::increment(Counter::FailedRequest);
    }
    host
}
