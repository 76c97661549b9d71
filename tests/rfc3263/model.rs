//! The selection of targets, written from the texts: RFC 3263 (SIP), RFC 2782 (SRV), RFC 3403 (NAPTR), RFC 7984
//! (dual stack). Where they leave a choice, COMPAT.md says what the library does, and the comment says so.
//!
//! Nothing here is made for speed, and nothing is shared with the library: a zone and the options go in, and all targets
//! come out at once.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::policy::{
    Downgrade, INTERLEAVE, IPV4_ONLY, IPV6_FIRST, IPV6_ONLY, Policy, Request, SCTP, TCP, TLS,
    TRY_NAPTR, UDP, WS, WSS,
};
use super::zone::{Data, Naptr, SRV_PREFIXES, Srv, State, Zone};
use crate::support::wire::{A, AAAA, NAPTR, SRV};

/// The numbers of `enum dns_errors`.
pub const END_OF_LIST: i32 = -1;
pub const NO_SRV: i32 = -5;
pub const NO_IP: i32 = -7;
pub const AF_MISMATCH: i32 = -11;
pub const NO_NAPTR: i32 = -12;

/// Aliases that are followed (COMPAT.md, "Answers").
const MAX_ALIASES: usize = 11;
/// NAPTR records that are considered (COMPAT.md, "Selection").
const MAX_CANDIDATES: usize = 32;

/// Where a request is sent: address, port, transport.
pub type Target = (IpAddr, u16, u8);

/// A host behind an SRV record, or the name itself: its port, and its addresses, family by family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Owner of the addresses, or the text of a literal.
    pub name: String,
    pub port: u16,
    pub families: Vec<Vec<IpAddr>>,
}

/// The targets over one transport. The hosts of a group are equal but for their weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    pub transport: u8,
    pub groups: Vec<Vec<Host>>,
}

/// All the targets of a call, and the code behind the last one, or instead of any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    pub branches: Vec<Branch>,
    pub code: i32,
    /// NAPTR records led to the targets.
    pub by_naptr: bool,
    /// `dns_family_order=interleave`.
    pub interleaved: bool,
}

/// What lists give in turn, one each, as long as they last.
fn interleave<T: Copy>(lists: &[Vec<T>]) -> Vec<T> {
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    let row = |place: usize| {
        lists
            .iter()
            .filter_map(move |list| list.get(place).copied())
    };
    (0..longest).flat_map(row).collect()
}

impl Selection {
    fn none(code: i32) -> Self {
        Self {
            branches: Vec::new(),
            code,
            by_naptr: false,
            interleaved: false,
        }
    }

    fn one(branch: Branch) -> Self {
        Self {
            branches: vec![branch],
            code: END_OF_LIST,
            by_naptr: false,
            interleaved: false,
        }
    }

    /// The list without a seed: RFC 2782 leaves the order among equals open, COMPAT.md ("Answers") says which it is.
    pub fn list(&self) -> Vec<Target> {
        self.list_by(&<[IpAddr]>::to_vec)
    }

    /// As [`Self::list`] for a call with that number (`dns_rotate`): each set by value from the address on whose turn
    /// it is, and round.
    pub fn list_in_turn(&self, number: usize) -> Vec<Target> {
        self.list_by(&|family| in_turn(family, number))
    }

    fn list_by(&self, order: &dyn Fn(&[IpAddr]) -> Vec<IpAddr>) -> Vec<Target> {
        let mut list = Vec::new();
        for branch in &self.branches {
            for host in branch.groups.iter().flatten() {
                let families = host.families.iter().map(|family| order(family)).collect();
                for address in self.merge(families) {
                    list.push((address, host.port, branch.transport));
                }
            }
        }
        list
    }

    /// RFC 8305 4: the families in turn, where the option says so; else one behind the other.
    pub fn merge(&self, families: Vec<Vec<IpAddr>>) -> Vec<IpAddr> {
        match self.interleaved {
            true => interleave(&families),
            false => families.concat(),
        }
    }

    /// How many calls it takes until each list comes again.
    pub fn turns(&self) -> usize {
        let groups = self.branches.iter().flat_map(|branch| &branch.groups);
        let families = groups.flatten().flat_map(|host| &host.families);
        families.fold(1, |turns, family| {
            let count = family.len().max(1);
            let multiples = (1..=count).map(|factor| factor * turns);
            let common = multiples.into_iter().find(|turns| turns % count == 0);
            common.expect("count times turns is one")
        })
    }

    /// The host of the first target.
    pub fn first(&self) -> Option<(&Host, u8)> {
        let branch = self.branches.first()?;
        Some((branch.groups.first()?.first()?, branch.transport))
    }
}

/// A set by value, from the address on whose turn it is, and round.
pub fn in_turn(family: &[IpAddr], number: usize) -> Vec<IpAddr> {
    let mut sorted = family.to_vec();
    sorted.sort();
    let begin = number % sorted.len().max(1);
    round(sorted, begin)
}

/// A mistake that the model can make on purpose, to see whether zones and requests are such that it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// An address question that failed counts as a host without address.
    LostAddressIsAbsence,
    /// "." of one transport takes the addresses of the name from all.
    DotClosesAll,
    /// A NAPTR set of TLS alone closes nothing.
    ClearAfterTlsAlone,
    /// The ports of SRV records with port 0 are used.
    PortZeroIsUsed,
    /// Of NAPTR records all orders are used, whatever `dns_naptr_ignore_rfc` says.
    AllOrders,
    /// An SRV question that failed counts as absent.
    LostSrvIsAbsence,
    /// All addresses of one family go before those of the other, whatever `dns_family_order` says.
    FamiliesApart,
    /// An answer that holds an alias alone counts as absent: the alias's target is not asked for.
    AliasAloneIsAbsence,
}

/// What a question is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer<'z> {
    Records(&'z str, &'z [Data]),
    Absent,
    Failed,
    Silent,
}

/// What became of a part of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome<T> {
    Used(T),
    Absent,
    /// There are records, and none leads to an address.
    Dead,
    /// RFC 2782: a target of "." says that the service is decidedly not available.
    Refused,
    Failed,
}

/// What is known of the transports on the way.
#[derive(Clone, Debug, Default)]
struct Known {
    asked: BTreeSet<u8>,
    refused: BTreeSet<u8>,
    /// What NAPTR records said closes the clear transports.
    closed_by_naptr: bool,
}

/// The model with one zone and one set of options.
#[derive(Clone, Debug)]
pub struct Model<'z> {
    pub zone: &'z Zone,
    pub policy: &'z Policy,
    pub fault: Fault,
}

fn is_secure(transport: u8) -> bool {
    matches!(transport, TLS | WSS)
}

/// RFC 3261 19.1.2 and RFC 7118 5.
fn default_port(transport: u8) -> u16 {
    match transport {
        TLS => 5061,
        WS => 80,
        WSS => 443,
        _ => 5060,
    }
}

/// RFC 3263 4.1 and 4.2: the service is `_sips` where TLS is used, `_sip` otherwise; RFC 4168 for SCTP.
fn srv_name(transport: u8, host: &str) -> Option<String> {
    let prefix = match transport {
        UDP | TCP | TLS | SCTP => SRV_PREFIXES[usize::from(transport) - 1],
        _ => return None,
    };
    Some(format!("{prefix}{host}"))
}

/// RFC 3263 4.1: services of SIP. With a regexp or another flag than "s" the record does not name an SRV set.
fn naptr_transport(naptr: &Naptr) -> Option<u8> {
    if !naptr.flags.eq_ignore_ascii_case("s") || !naptr.regexp.is_empty() {
        return None;
    }
    match naptr.services.to_ascii_uppercase().as_str() {
        "SIP+D2U" => Some(UDP),
        "SIP+D2T" => Some(TCP),
        "SIPS+D2T" => Some(TLS),
        "SIP+D2S" => Some(SCTP),
        // RFC 3263 4.1: SIPS+D2U should not be placed into the DNS.
        _ => None,
    }
}

/// The address families in their order, as types. IPv6 alone counts before IPv4 alone (COMPAT.md, "Selection").
fn families(flags: u32) -> Vec<u16> {
    if flags & IPV6_ONLY != 0 {
        vec![AAAA]
    } else if flags & IPV6_FIRST != 0 {
        vec![AAAA, A]
    } else if flags & IPV4_ONLY != 0 {
        vec![A]
    } else {
        vec![A, AAAA]
    }
}

fn allows(flags: u32, address: IpAddr) -> bool {
    families(flags).contains(&if address.is_ipv4() { A } else { AAAA })
}

/// The records from `begin` on, and round.
fn round<T>(mut records: Vec<T>, begin: usize) -> Vec<T> {
    if !records.is_empty() {
        records.rotate_left(begin);
    }
    records
}

/// Addresses by value, from the one that the answer begins with (COMPAT.md, "Answers"), each once (RFC 2181 5).
fn in_order(records: &[Data]) -> Vec<IpAddr> {
    let address = |data: &Data| match data {
        Data::Address(address) => Some(*address),
        _ => None,
    };
    let arrived: Vec<IpAddr> = records.iter().filter_map(address).collect();
    let sorted: Vec<IpAddr> = arrived
        .iter()
        .copied()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let begin = arrived
        .first()
        .and_then(|first| sorted.iter().position(|address| address == first));
    round(sorted, begin.unwrap_or(0))
}

/// RFC 2782: lower priorities first. Among equals the order is COMPAT.md's ("Answers"): heavier first, then by port and
/// target, and where weights are equal from the record that the answer begins with.
fn srv_in_order(records: &[Data]) -> Vec<Srv> {
    let srv = |data: &Data| match data {
        Data::Srv(srv) => Some(srv.clone()),
        _ => None,
    };
    let arrived: Vec<Srv> = records.iter().filter_map(srv).collect();
    let mut sorted: Vec<Srv> = Vec::new();
    for srv in &arrived {
        let same = |other: &Srv| {
            let other = (other.priority, other.weight, other.port, &other.target);
            other == (srv.priority, srv.weight, srv.port, &srv.target)
        };
        if !sorted.iter().any(same) {
            sorted.push(srv.clone());
        }
    }
    sorted.sort_by_key(|srv| {
        let weight = u16::MAX - srv.weight;
        (srv.priority, weight, srv.port, srv.target.to_lowercase())
    });
    let mut ordered = Vec::new();
    // Records without port are no part of the circle.
    let usable = |srv: &Srv| srv.port != 0 || srv.target.is_empty();
    for circle in sorted.chunk_by(|a, b| (a.priority, a.weight) == (b.priority, b.weight)) {
        let (usable, portless): (Vec<Srv>, Vec<Srv>) = circle.iter().cloned().partition(usable);
        let first = arrived.iter().find(|srv| usable.contains(srv));
        let begin = usable.iter().position(|srv| Some(srv) == first);
        ordered.extend(round(usable, begin.unwrap_or(0)));
        ordered.extend(portless);
    }
    ordered
}

impl<'z> Model<'z> {
    pub fn new(zone: &'z Zone, policy: &'z Policy) -> Self {
        Self {
            zone,
            policy,
            fault: Fault::None,
        }
    }

    fn preference(&self, transport: u8) -> i32 {
        self.policy.preferences[usize::from(transport) - 1]
    }

    /// RFC 3263 4.1: "supported by the client".
    fn is_usable(&self, transport: u8) -> bool {
        let policy = self.policy;
        let disabled = match transport {
            TCP => policy.tcp_disabled,
            TLS => policy.tcp_disabled || policy.tls_disabled,
            SCTP => policy.sctp_disabled,
            _ => false,
        };
        !disabled && self.preference(transport) >= 0
    }

    /// RFC 3263 4.1 leaves the order to the client where no record says it: the options `dns_*_pref`, equal ones in the
    /// order UDP, TCP, TLS, SCTP (COMPAT.md, "Selection").
    fn transports(&self) -> Vec<u8> {
        let mut list: Vec<u8> = [UDP, TCP, TLS, SCTP]
            .into_iter()
            .filter(|transport| self.is_usable(*transport))
            .collect();
        list.sort_by_key(|transport| -self.preference(*transport));
        list
    }

    fn look(&self, name: &str, rtype: u16) -> Answer<'z> {
        let name = name.trim_end_matches('.');
        let mut owner = name.to_owned();
        for _ in 0..=MAX_ALIASES {
            if let Some(target) = self.zone.alias(&owner) {
                if self.fault == Fault::AliasAloneIsAbsence && !self.zone.chases {
                    return Answer::Absent;
                }
                owner = target.to_owned();
                continue;
            }
            return match self.zone.set(&owner, rtype) {
                None => Answer::Absent,
                Some(set) => match &set.state {
                    State::Present(records) => Answer::Records(&set.owner, records),
                    State::Failed => Answer::Failed,
                    State::Silent => Answer::Silent,
                },
            };
        }
        // A loop, or a chain that is too long: that is what the domain says, and no packet was lost.
        Answer::Absent
    }

    /// With `dns_downgrade=always` a failure counts as absence, as in the original.
    fn failed<T>(&self) -> Outcome<T> {
        match self.policy.downgrade {
            Downgrade::Always => Outcome::Absent,
            _ => Outcome::Failed,
        }
    }

    /// RFC 3263 4.2 and RFC 7984 3: all the addresses of both families, where the flags allow both.
    fn host(&self, name: &str, port: u16, flags: u32) -> Outcome<Host> {
        let host = |name: &str, families: Vec<Vec<IpAddr>>| {
            Outcome::Used(Host {
                name: name.to_owned(),
                port,
                families,
            })
        };
        if let Ok(address) = name.parse() {
            return match allows(flags, address) {
                true => host(name, vec![vec![address]]),
                false => Outcome::Absent,
            };
        }
        let (mut found, mut failed, mut owner) = (Vec::new(), false, String::new());
        for family in families(flags) {
            match self.look(name, family) {
                Answer::Records(name, records) => {
                    found.push(in_order(records));
                    if owner.is_empty() {
                        name.clone_into(&mut owner);
                    }
                }
                Answer::Absent => {}
                Answer::Failed | Answer::Silent => failed = true,
            }
        }
        if !found.is_empty() {
            host(&owner, found)
        } else if failed && self.fault != Fault::LostAddressIsAbsence {
            self.failed()
        } else {
            Outcome::Absent
        }
    }

    /// RFC 2782, "Usage rules".
    fn srv(&self, name: &str, transport: u8, flags: u32) -> Outcome<Branch> {
        let records = match self.look(name, SRV) {
            Answer::Records(_, records) => srv_in_order(records),
            Answer::Absent => return Outcome::Absent,
            Answer::Failed if self.fault == Fault::LostSrvIsAbsence => return Outcome::Absent,
            Answer::Failed | Answer::Silent => return self.failed(),
        };
        let has_port = |srv: &&Srv| {
            srv.target.is_empty() || srv.port != 0 || self.fault == Fault::PortZeroIsUsed
        };
        // COMPAT.md, "Selection": records with port 0 are left aside, and say nothing.
        let records: Vec<&Srv> = records.iter().filter(has_port).collect();
        if !records.is_empty() && records.iter().all(|srv| srv.target.is_empty()) {
            return Outcome::Refused;
        }
        let (mut groups, mut failed) = (Vec::new(), false);
        for group in records.chunk_by(|a, b| a.priority == b.priority) {
            let mut hosts = Vec::new();
            for srv in group.iter().filter(|srv| !srv.target.is_empty()) {
                match self.host(&srv.target, srv.port, flags) {
                    Outcome::Used(host) => hosts.push(host),
                    Outcome::Failed => failed = true,
                    _ => {}
                }
            }
            if !hosts.is_empty() {
                groups.push(hosts);
            }
        }
        match (groups.is_empty(), failed) {
            (false, _) => Outcome::Used(Branch { transport, groups }),
            // The next SRV record is tried all the same (RFC 2782); but what was lost is not known to be absent.
            (true, true) => Outcome::Failed,
            (true, false) => Outcome::Dead,
        }
    }

    /// All the targets of a call.
    pub fn select(&self, request: &Request) -> Selection {
        let interleaves = self.fault != Fault::FamiliesApart;
        Selection {
            interleaved: interleaves && request.flags & INTERLEAVE != 0,
            ..self.search(request)
        }
    }

    fn search(&self, request: &Request) -> Selection {
        let Request {
            host,
            port,
            transport: given,
            flags,
            ..
        } = request;
        let (port, given, flags) = (*port, *given, *flags);
        let transport = if given == 0 { UDP } else { given };
        // RFC 3263 4.1 and 4.2: a numeric address, or a port, leaves nothing to look for but addresses. UDP for lack of
        // a transport.
        if let Ok(address) = host.parse::<IpAddr>() {
            if !allows(flags, address) {
                return Selection::none(AF_MISMATCH);
            }
            let port = if port == 0 {
                default_port(transport)
            } else {
                port
            };
            return Selection::one(branch_of_one(transport, host, port, vec![vec![address]]));
        }
        if port != 0 || srv_name(transport, host).is_none() {
            let port = if port == 0 {
                default_port(transport)
            } else {
                port
            };
            return self.addresses(host, port, transport, flags);
        }
        let mut known = Known::default();
        if flags & TRY_NAPTR != 0
            && (given == 0 || (given == TLS && self.policy.sips_naptr))
            && let Some(selection) = self.by_naptr(host, given, flags, &mut known)
        {
            return selection;
        }
        self.by_list(host, given, flags, known)
    }

    fn addresses(&self, host: &str, port: u16, transport: u8, flags: u32) -> Selection {
        match self.host(host, port, flags) {
            Outcome::Used(host) => {
                Selection::one(branch_of_one(transport, &host.name, port, host.families))
            }
            _ => Selection::none(NO_IP),
        }
    }

    /// RFC 3263 4.1 and 4.2 by way of NAPTR. `None`: it goes on with SRV.
    fn by_naptr(&self, host: &str, given: u8, flags: u32, known: &mut Known) -> Option<Selection> {
        let always = self.policy.downgrade == Downgrade::Always;
        let never = self.policy.downgrade == Downgrade::Never;
        let records = match self.look(host, NAPTR) {
            Answer::Records(_, records) => records,
            Answer::Absent => return None,
            // A lost packet must not lead past what the domain says of its transports. Where the URI already says TLS,
            // there is nothing clear to lead to.
            Answer::Failed | Answer::Silent if always || given == TLS => return None,
            Answer::Failed | Answer::Silent => return Some(Selection::none(NO_NAPTR)),
        };
        let naptrs: Vec<(&Naptr, u8)> = records
            .iter()
            .filter_map(|data| match data {
                Data::Naptr(naptr) => Some((naptr, naptr_transport(naptr)?)),
                _ => None,
            })
            .collect();
        let candidates = self.candidates(&naptrs, given);
        let (mut branches, mut failed, mut closed) = (Vec::new(), false, false);
        for (position, (naptr, transport)) in candidates.iter().enumerate() {
            let clear = !is_secure(*transport);
            let behind_secure = candidates[..position].iter().any(|(_, t)| is_secure(*t));
            if clear && (closed || (never && behind_secure)) {
                continue;
            }
            known.asked.insert(*transport);
            match self.srv(&naptr.replacement, *transport, flags) {
                Outcome::Used(branch) => {
                    branches.push(branch);
                    // RFC 3263 4.3: what stands behind a target that was given is there for failover.
                    closed = false;
                }
                // Nobody is protected when a question about a clear transport fails: what is left is clear as well.
                Outcome::Failed if clear => {}
                Outcome::Failed => {
                    failed = true;
                    closed = true;
                }
                Outcome::Refused => {
                    known.refused.insert(*transport);
                }
                Outcome::Absent | Outcome::Dead => {}
            }
        }
        if !branches.is_empty() {
            return Some(Selection {
                branches,
                code: END_OF_LIST,
                by_naptr: true,
                interleaved: false,
            });
        }
        if failed {
            return Some(Selection::none(NO_NAPTR));
        }
        // RFC 3263 4.2: without SRV records the addresses of the domain are used over "the transport protocol determined
        // previously": a domain that offers TLS alone is not called in clear.
        let tls_alone = !naptrs.is_empty() && naptrs.iter().all(|(_, t)| is_secure(*t));
        let offered = never && candidates.iter().any(|(_, t)| is_secure(*t));
        known.closed_by_naptr =
            !always && (tls_alone || offered) && self.fault != Fault::ClearAfterTlsAlone;
        None
    }

    /// RFC 3263 4.1 and RFC 3403 4.1: which NAPTR records are used, in order.
    fn candidates<'n>(&self, naptrs: &[(&'n Naptr, u8)], given: u8) -> Vec<(&'n Naptr, u8)> {
        // RFC 3263 4.1: for a SIPS URI what is not SIPS is discarded.
        let mut list: Vec<(&Naptr, u8)> = naptrs
            .iter()
            .copied()
            .filter(|(_, transport)| self.is_usable(*transport))
            .filter(|(_, transport)| given != TLS || *transport == TLS)
            .collect();
        // Records that nothing else decides between stand in an order that does not depend on the answer's.
        list.sort_by_key(|(n, _)| {
            let text = n.replacement.to_lowercase();
            (
                n.order,
                n.preference,
                n.services,
                n.flags,
                text,
                n.replacement.clone(),
            )
        });
        if self.policy.ignore_rfc {
            // The option: the client's preference goes before the domain's.
            list.sort_by_key(|(n, t)| (-self.preference(*t), n.order, n.preference));
        } else {
            list.sort_by_key(|(n, t)| (n.order, -self.preference(*t).min(1), n.preference));
            // RFC 3403 4.1: once a record matched, those of another order must not be considered.
            if let Some(lowest) = list.first().map(|(n, _)| n.order)
                && self.fault != Fault::AllOrders
            {
                list.retain(|(naptr, _)| naptr.order == lowest);
            }
        }
        list.truncate(MAX_CANDIDATES);
        let mut seen = BTreeSet::new();
        list.retain(|(naptr, t)| seen.insert((*t, naptr.replacement.to_lowercase())));
        list
    }

    /// RFC 3263 4.1 without NAPTR records: an SRV query for each transport, and the addresses in the end.
    fn by_list(&self, host: &str, given: u8, flags: u32, mut known: Known) -> Selection {
        let mut list = match given {
            0 => self.transports(),
            given => vec![given],
        };
        list.retain(|transport| given != 0 || !known.closed_by_naptr || is_secure(*transport));
        let never = self.policy.downgrade == Downgrade::Never;
        let (mut closed, mut udp_asked) = (false, false);
        for transport in list {
            if closed && !is_secure(transport) {
                continue;
            }
            let Some(name) = srv_name(transport, host) else {
                continue;
            };
            known.asked.insert(transport);
            udp_asked |= transport == UDP;
            match self.srv(&name, transport, flags) {
                Outcome::Used(branch) => return Selection::one(branch),
                // A server that knows nothing of SRV keeps silent about it, or says so with whatever error. Nothing said
                // that this is a domain with TLS alone; but what the client prefers to a clear transport, no lost
                // packet takes away.
                Outcome::Failed => closed |= is_secure(transport),
                Outcome::Refused => {
                    known.refused.insert(transport);
                }
                Outcome::Dead => closed |= never && is_secure(transport),
                Outcome::Absent => {}
            }
        }
        // RFC 3263 4.2: "If no SRV records were found".
        let udp_is_open = !known.closed_by_naptr && (!closed || udp_asked);
        let transport = match given {
            0 if udp_is_open => UDP,
            0 if known.closed_by_naptr && self.is_usable(TLS) => TLS,
            0 => return Selection::none(NO_SRV),
            given => given,
        };
        let all_refused =
            !known.asked.is_empty() && known.asked.iter().all(|t| known.refused.contains(t));
        let one_is_enough = self.fault == Fault::DotClosesAll && !known.refused.is_empty();
        if known.refused.contains(&transport) || all_refused || one_is_enough {
            return Selection::none(NO_SRV);
        }
        self.addresses(host, default_port(transport), transport, flags)
    }

    /// What the functions for one SRV name give: the first host that has addresses.
    pub fn srv_host(&self, name: &str, flags: u32) -> Option<Host> {
        match self.srv(name, UDP, flags) {
            Outcome::Used(branch) => branch.groups.into_iter().flatten().next(),
            _ => None,
        }
    }

    /// The addresses of a name.
    pub fn address_host(&self, name: &str, flags: u32) -> Option<Host> {
        match self.host(name, 0, flags) {
            Outcome::Used(host) => Some(host),
            _ => None,
        }
    }
}

fn branch_of_one(transport: u8, name: &str, port: u16, families: Vec<Vec<IpAddr>>) -> Branch {
    let name = name.to_owned();
    let host = Host {
        name,
        port,
        families,
    };
    Branch {
        transport,
        groups: vec![vec![host]],
    }
}
