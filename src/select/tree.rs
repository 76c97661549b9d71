//! RFC 3263: the one tree from a name to its targets.
//!
//! NAPTR candidates; for each the SRV records of its replacement; for each of these the addresses of its target.
//! Without NAPTR: SRV records for each transport, then the addresses of the name itself. Where records come from,
//! and where the search notes how far it came, is the matter of [`Records`]; which transports are open is the matter
//! of [`Gate`].

use std::net::IpAddr;

use crate::lookup::{deadline, family_allowed, needs_no_dns};
use crate::rr::{MAX_NAME_OCTETS, eq_ignore_case, parse_literal};

use super::naptr::{self, Asked, Candidate, Candidates, NaptrRow, names_secure_alone};
use super::protocols::{self, TransportList};
use super::security::{Closure, Gate, Nothing};
use super::{SelectError, Transport};

/// Tells who named the name that is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// The caller: without a final dot the search list may complete the name.
    ByCaller,
    /// A record: the name is absolute.
    ByRecord,
}

/// The arguments of the caller.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// `None` without a variable for it, 0 = not given.
    pub(super) port: Option<u16>,
    /// As `port`.
    pub(super) transport: Option<u8>,
    /// NAPTR records may be asked for.
    pub(super) naptr: bool,
}

/// A target, before it is written to the caller's variables.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) transport: Transport,
}

/// The NAPTR records of a name.
pub(super) trait NaptrSet {
    /// The fields that decide on each record, in the order of the set.
    fn rows(&self) -> impl Iterator<Item = NaptrRow<'_>>;
    /// The replacement of the record at a position.
    fn replacement(&self, index: usize) -> Option<&[u8]>;
}

/// An SRV record of a set.
#[derive(Clone, Copy, Debug)]
pub(super) struct SrvRecord<'a> {
    /// The record's position in the set.
    pub(super) index: usize,
    pub(super) port: u16,
    /// Empty for the root.
    pub(super) target: &'a [u8],
    /// The record has not expired.
    pub(super) is_live: bool,
}

/// The SRV records of a name that have a port.
pub(super) trait SrvSet {
    /// The number of these records.
    fn count(&self) -> usize;
    /// The record that is used as number `step`.
    fn at(&self, step: usize, seed: u32) -> Option<SrvRecord<'_>>;

    /// True when all of them say that the service is not offered (target ".", RFC 2782); false when there is none.
    fn says_not_offered(&self) -> bool {
        let root = |step| self.at(step, 0).is_some_and(|r| r.target.is_empty());
        self.count() > 0 && (0..self.count()).all(root)
    }
}

/// The SRV record that a target was found by.
#[derive(Clone, Copy, Debug)]
pub(super) struct FoundBy {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) step: usize,
    /// Records before this one were passed over, because questions about their targets are open.
    pub(super) passed_over: bool,
}

/// The decision on a NAPTR candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Followed,
    /// The candidate leads where an earlier one leads.
    Alike,
    Closed(Closure),
}

/// A decision of the tree, for those who watch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event<'a> {
    /// NAPTR records are not asked for: the transport is given, or the options say so.
    NoNaptr { given: bool },
    /// NAPTR records are asked for although the transport is given: `dns_sips_naptr`.
    SipsNaptr,
    /// Neither NAPTR nor SRV records are asked for: the hosts file has the name.
    HostsFile,
    /// NAPTR records could not be had, and the search ends.
    NaptrUnanswered,
    /// A NAPTR candidate.
    Candidate(usize, Candidate, Verdict),
    /// The transports whose SRV records are asked for.
    Transports(&'a TransportList),
    /// A transport that is skipped, because it is closed.
    Skipped(Transport, Closure),
    /// A transport without SRV records.
    NoSrvName(Transport),
    /// A transport that is not asked for, because the second one has a target.
    NotAsked(Transport, Transport),
    /// SRV records that say that the service is not offered.
    Refusal,
    /// A question about a transport without encryption failed.
    ClearFailed,
    /// A record of a set, in its turn.
    Record(usize, SrvRecord<'a>),
    /// A literal in place of a host, and whether the flags allow its family.
    Literal(IpAddr, bool),
    /// No SRV record is in use: the addresses of the name follow, over this transport; `None` = that is closed.
    Addresses(Option<Transport>, Option<Closure>),
}

/// Where records come from, and where a search notes how far it came.
pub(super) trait Records {
    type Naptr: NaptrSet;
    type Srv: SrvSet;

    /// The request flags.
    fn flags(&self) -> u32;
    /// The seed of the order among SRV records.
    fn seed(&self) -> u32;
    fn naptr(&mut self, owner: &[u8]) -> Result<Self::Naptr, Nothing>;
    /// SRV records; `others` are the names that may be asked for next.
    fn srv(
        &mut self,
        name: &[u8],
        named: Named,
        others: &dyn Fn() -> Vec<Vec<u8>>,
    ) -> Result<Self::Srv, Nothing>;
    /// SRV records to which a NAPTR record of `naptr` leads.
    fn srv_of_candidate(
        &mut self,
        _naptr: &Self::Naptr,
        replacement: &[u8],
    ) -> Result<Self::Srv, Nothing> {
        self.srv(replacement, Named::ByRecord, &Vec::new)
    }
    /// Takes the addresses of a host, and gives the first.
    fn addresses(&mut self, host: &[u8], named: Named) -> Result<IpAddr, Nothing>;

    /// The target is a literal.
    fn at_literal(&mut self, _name: &[u8], _address: IpAddr) {}
    /// The addresses of the name itself are in use.
    fn at_host(&mut self, _port: u16, _transport: Transport) {}
    /// An SRV record of a set is in use.
    fn at_srv(&mut self, _set: Self::Srv, _found: &FoundBy) {}
    /// The set is that of a transport.
    fn at_transport(&mut self, _transport: Transport, _found: &FoundBy) {}
    /// The set is that of a NAPTR candidate; `only`: the transport that NAPTR records were asked for alone.
    fn at_candidate(
        &mut self,
        _set: Self::Naptr,
        _at: (usize, Candidate),
        _only: Option<Transport>,
    ) {
    }
    fn tell(&mut self, _event: Event<'_>) {}
}

/// Gives the first target of a name.
pub(super) fn first<R: Records>(
    records: &mut R,
    name: &[u8],
    wanted: Wanted,
) -> Result<Target, SelectError> {
    let given = wanted.transport.and_then(Transport::from_number);
    let mut transport = given.unwrap_or(Transport::DEFAULT);
    let port = wanted.port.filter(|&port| port != 0);
    if let Some(address) = parse_literal(name) {
        let allowed = family_allowed(address, records.flags());
        records.tell(Event::Literal(address, allowed));
        if !allowed {
            return Err(SelectError::AfMismatch);
        }
        records.at_literal(name, address);
        return Ok(Target {
            address,
            port: port.unwrap_or(transport.default_port()),
            transport,
        });
    }
    if name.len() > MAX_NAME_OCTETS + 1 {
        return Err(SelectError::NameTooLong);
    }
    if wanted.port == Some(0) && !Transport::is_known(wanted.transport.unwrap_or(0)) {
        return Err(SelectError::Critical);
    }
    if wanted.port == Some(0) && needs_no_dns(name) {
        records.tell(Event::HostsFile);
    } else if wanted.port == Some(0) {
        match Search::new(records).by_records(name, given, &wanted)? {
            Ok(target) => return Ok(target),
            Err(fallback) => transport = fallback,
        }
    }
    let port = port.unwrap_or(transport.default_port());
    records.at_host(port, transport);
    match records.addresses(name, Named::ByCaller) {
        Ok(address) => Ok(Target {
            address,
            port,
            transport,
        }),
        Err(_) if name.len() > MAX_NAME_OCTETS => Err(SelectError::NameTooLong),
        Err(_) => Err(SelectError::NoIp),
    }
}

/// The SRV records of a name that the caller gave, prefix included, and the first that leads to an address.
pub(super) fn by_srv_name<R: Records>(
    records: &mut R,
    srv_name: &[u8],
    others: &dyn Fn() -> Vec<Vec<u8>>,
) -> Result<(R::Srv, FoundBy), Nothing> {
    let set = records.srv(srv_name, Named::ByCaller, others)?;
    by_srv(records, set)
}

/// SRV records, and the first that leads to an address.
fn by_srv<R: Records>(records: &mut R, set: R::Srv) -> Result<(R::Srv, FoundBy), Nothing> {
    if set.says_not_offered() {
        records.tell(Event::Refusal);
        return Err(Nothing::Refused);
    }
    let found = walk(records, &set, 0..set.count())?;
    Ok((set, found))
}

/// The first record of a set, of those at these steps, that leads to an address (RFC 2782).
pub(super) fn walk<R: Records>(
    records: &mut R,
    set: &R::Srv,
    steps: impl Iterator<Item = usize>,
) -> Result<FoundBy, Nothing> {
    let seed = records.seed();
    let mut nothing = Nothing::Dead;
    for step in steps {
        let Some(record) = set.at(step, seed) else {
            break;
        };
        records.tell(Event::Record(step, record));
        let port = record.port;
        if !record.is_live || record.target.is_empty() {
            continue;
        }
        match records.addresses(record.target, Named::ByRecord) {
            Ok(address) => {
                return Ok(FoundBy {
                    address,
                    port,
                    step,
                    passed_over: nothing == Nothing::Open,
                });
            }
            Err(here) => {
                nothing = nothing.and(here);
                if here == Nothing::Open {
                    continue;
                }
            }
        }
        if deadline::is_one_target_too_many() {
            return Err(Nothing::Exhausted);
        }
    }
    Err(nothing)
}

/// The first NAPTR candidate, from a position on, that leads to a target. `only`: of one transport.
pub(super) fn next_candidate<R: Records>(
    records: &mut R,
    set: R::Naptr,
    from: usize,
    only: Option<Transport>,
) -> Option<Target> {
    let candidates = Candidates::new(set.rows(), only);
    let is_one_left = from < candidates.len();
    is_one_left.then(|| Search::new(records).by_candidates(set, &candidates, from, only))?
}

/// True when two candidates have the same transport and replacement.
fn leads_alike(set: &impl NaptrSet, one: Option<Candidate>, other: Candidate) -> bool {
    let replacement = |candidate: Candidate| set.replacement(candidate.index.into());
    one.is_some_and(|one| {
        let same = replacement(one).zip(replacement(other));
        one.transport == other.transport
            && same.is_some_and(|(one, other)| eq_ignore_case(one, other))
    })
}

/// A search for a target; `gate` has what the search has learnt of the transports.
struct Search<'r, R> {
    records: &'r mut R,
    gate: Gate,
}

impl<'r, R: Records> Search<'r, R> {
    fn new(records: &'r mut R) -> Self {
        let gate = Gate::default();
        Self { records, gate }
    }

    /// A target by NAPTR or SRV records, or else the transport over which the addresses of the name are used.
    fn by_records(
        &mut self,
        name: &[u8],
        given: Option<Transport>,
        wanted: &Wanted,
    ) -> Result<Result<Target, Transport>, SelectError> {
        if self.asks_naptr(given, wanted)
            && let Some(target) = self.by_naptr(name, given)?
        {
            return Ok(Ok(target));
        }
        let list = given.map_or_else(protocols::list, TransportList::single);
        if let Some(target) = self.by_transports(name, &list) {
            return Ok(Ok(target));
        }
        let usable = |transport: &Transport| {
            given.is_some() || *transport == Transport::Udp || protocols::supported(*transport)
        };
        let fallback = match self.gate.has_failed() || self.gate.has_open() {
            true => None,
            false => self.gate.without_records(given).filter(usable),
        };
        let closure = self
            .gate
            .closure(Transport::Udp)
            .filter(|_| given.is_none());
        self.records.tell(Event::Addresses(fallback, closure));
        fallback.map(Err).ok_or(SelectError::NoSrv)
    }

    // NAPTR

    fn asks_naptr(&mut self, given: Option<Transport>, wanted: &Wanted) -> bool {
        let asked = |number| naptr::asked(number, wanted.naptr);
        let asked = wanted.transport.map_or(Asked::Not, asked);
        match asked {
            Asked::All => {}
            Asked::TlsAlone => self.records.tell(Event::SipsNaptr),
            Asked::Not => {
                let given = given.is_some();
                self.records.tell(Event::NoNaptr { given });
            }
        }
        asked != Asked::Not
    }

    fn by_naptr(
        &mut self,
        name: &[u8],
        given: Option<Transport>,
    ) -> Result<Option<Target>, SelectError> {
        let set = match self.records.naptr(name) {
            Ok(set) => set,
            Err(nothing) if self.gate.ends_without_naptr(nothing, given.is_none()) => {
                self.records.tell(Event::NaptrUnanswered);
                return Err(SelectError::NoNaptr);
            }
            Err(_) => return Ok(None),
        };
        let alone = names_secure_alone(set.rows());
        let candidates = Candidates::new(set.rows(), given);
        if let Some(target) = self.by_candidates(set, &candidates, 0, given) {
            return Ok(Some(target));
        }
        if self.gate.has_failed() || self.gate.has_open() {
            return Err(SelectError::NoNaptr);
        }
        self.gate.end_of_named(alone);
        Ok(None)
    }

    /// As [`next_candidate`], among the candidates of the set.
    fn by_candidates(
        &mut self,
        set: R::Naptr,
        candidates: &Candidates,
        from: usize,
        only: Option<Transport>,
    ) -> Option<Target> {
        for position in 0..candidates.len() {
            let candidate = candidates.get(position)?;
            let transport = candidate.transport;
            let closure = self.gate.closure(transport);
            self.gate.named(transport);
            if position < from {
                continue;
            }
            let alike = |earlier| leads_alike(&set, candidates.get(earlier), candidate);
            let verdict = match closure {
                Some(closure) => Verdict::Closed(closure),
                None if (0..position).any(alike) => Verdict::Alike,
                None => Verdict::Followed,
            };
            let event = Event::Candidate(position, candidate, verdict);
            self.records.tell(event);
            if verdict != Verdict::Followed {
                continue;
            }
            match self.by_candidate(&set, candidate) {
                Ok((srv, found)) => {
                    self.records.at_srv(srv, &found);
                    self.records.at_candidate(set, (position, candidate), only);
                    return Some(found.over(transport));
                }
                Err(nothing) => {
                    self.tell_failure(transport, nothing);
                    self.gate.named_without(transport, nothing);
                }
            }
        }
        None
    }

    fn by_candidate(
        &mut self,
        set: &R::Naptr,
        candidate: Candidate,
    ) -> Result<(R::Srv, FoundBy), Nothing> {
        let replacement = set.replacement(candidate.index.into());
        let replacement = replacement.ok_or(Nothing::Absent)?;
        let srv = self.records.srv_of_candidate(set, replacement)?;
        by_srv(self.records, srv)
    }

    fn tell_failure(&mut self, transport: Transport, nothing: Nothing) {
        if nothing == Nothing::Failed && !transport.is_secure() {
            self.records.tell(Event::ClearFailed);
        }
    }

    // SRV

    fn by_transports(&mut self, name: &[u8], list: &TransportList) -> Option<Target> {
        self.records.tell(Event::Transports(list));
        for (position, &transport) in list.iter().enumerate() {
            let Some(srv_name) = protocols::srv_name(transport, name) else {
                self.records.tell(Event::NoSrvName(transport));
                continue;
            };
            if let Some(closure) = self.gate.closure(transport) {
                self.records.tell(Event::Skipped(transport, closure));
                continue;
            }
            // A question about this transport takes the questions about the others along, which saves round trips.
            let rest = list.iter().skip(position + 1);
            let gate = self.gate;
            let others = || {
                let open = rest.clone().filter(|other| gate.closure(**other).is_none());
                let names = open.filter_map(|other| protocols::srv_name(*other, name));
                names.map(|name| name.to_vec()).collect()
            };
            match by_srv_name(self.records, &srv_name, &others) {
                Ok((set, found)) => {
                    self.records.at_srv(set, &found);
                    self.records.at_transport(transport, &found);
                    for other in rest.clone() {
                        self.records.tell(Event::NotAsked(*other, transport));
                    }
                    return Some(found.over(transport));
                }
                Err(nothing) => {
                    self.tell_failure(transport, nothing);
                    self.gate.listed_without(transport, nothing);
                }
            }
        }
        None
    }
}

impl FoundBy {
    pub(super) fn over(&self, transport: Transport) -> Target {
        Target {
            address: self.address,
            port: self.port,
            transport,
        }
    }
}
