//! What DNS says of one SIP domain, a random one by seed, and what its server answers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::draw::Draw;
use crate::support::wire::{self, A, AAAA, CNAME, NAPTR, Rr, SRV};

/// The data of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    Address(IpAddr),
    Srv(Srv),
    Naptr(Naptr),
    Alias(String),
}

/// An SRV record (RFC 2782); a target of "." is the empty text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    pub target: String,
}

/// A NAPTR record (RFC 3403).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    pub order: u16,
    pub preference: u16,
    pub flags: &'static str,
    pub services: &'static str,
    pub regexp: &'static str,
    pub replacement: String,
}

/// What becomes of a question. A set that is not in the zone is absent: NODATA where the name has anything else or
/// names below it, NXDOMAIN otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Present(Vec<Data>),
    /// SERVFAIL.
    Failed,
    /// No answer at all.
    Silent,
}

/// The records of one name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RrSet {
    pub owner: String,
    pub rtype: u16,
    pub ttl: u32,
    pub state: State,
}

/// All that the server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// The SIP domain.
    pub domain: String,
    pub sets: Vec<RrSet>,
    /// Answers bring along what the records name (RFC 2782: "urged, but not required").
    pub additional: bool,
    /// Answers bring the whole chain of aliases, otherwise the first alias alone.
    pub chases: bool,
}

/// Longest chain of aliases that the server follows within one answer.
const CHASED: usize = 16;

/// SRV names in front of the domain; the first four are those of RFC 3263, for UDP, TCP, TLS, SCTP.
pub const SRV_PREFIXES: [&str; 6] = [
    "_sip._udp.",
    "_sip._tcp.",
    "_sips._tcp.",
    "_sip._sctp.",
    "_x._udp.",
    "_sip._udp.b.",
];

/// Services of NAPTR records, and the SRV name that such a record usually leads to.
const SERVICES: [(&str, usize); 8] = [
    ("SIP+D2U", 0),
    ("SIP+D2T", 1),
    ("SIPS+D2T", 2),
    ("SIP+D2S", 3),
    ("sip+d2u", 5),
    ("SIP+D2U", 4),
    ("E2U+sip", 4),
    ("SIPS+D2U", 0),
];

impl Zone {
    /// A random zone.
    pub fn random(domain: String, draw: &mut Draw) -> Self {
        let mut zone = Self {
            additional: draw.percent(50),
            chases: draw.percent(80),
            sets: Vec::new(),
            domain,
        };
        let hosts = zone.add_hosts(draw);
        zone.add_srvs(&hosts, draw);
        zone.add_naptrs(draw);
        zone
    }

    fn add(&mut self, owner: &str, rtype: u16, state: State, draw: &mut Draw) {
        let ttl = if draw.percent(6) { 0 } else { 600 };
        self.sets.push(RrSet {
            owner: owner.to_owned(),
            rtype,
            ttl,
            state,
        });
    }

    /// The hosts, one of them in another domain, and the addresses of all of them and of the domain itself. Each
    /// address belongs to one host.
    fn add_hosts(&mut self, draw: &mut Draw) -> Vec<String> {
        let mut hosts: Vec<String> = (0..3).map(|i| format!("h{i}.{}", self.domain)).collect();
        hosts.push(format!("h3.{}.other", self.domain));
        let mut numbers: Vec<u8> = (1..200).collect();
        // The domain may be another name of what has its records.
        let apex = if draw.percent(5) {
            let apex = format!("apex.{}", self.domain);
            let alias = State::Present(vec![Data::Alias(apex.clone())]);
            self.add(&self.domain.clone(), CNAME, alias, draw);
            apex
        } else {
            self.domain.clone()
        };
        for (place, host) in hosts.iter().chain([&apex]).enumerate() {
            if *host != apex && draw.percent(10) {
                let other = &hosts[(place + 1 + draw.below(3)) % 4];
                let alias = State::Present(vec![Data::Alias(other.clone())]);
                self.add(host, CNAME, alias, draw);
                continue;
            }
            for (rtype, share) in [(A, 65), (AAAA, 35)] {
                let state = match draw.below(100) {
                    0..8 => State::Failed,
                    8..12 => State::Silent,
                    other if other < 12 + share => {
                        let count = draw.pick(&[1, 1, 1, 2, 3]);
                        let address = |_| {
                            let number = numbers.swap_remove(draw.below(numbers.len()));
                            Data::Address(match rtype {
                                A => Ipv4Addr::new(192, 0, 2, number).into(),
                                _ => Ipv6Addr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, number.into()])
                                    .into(),
                            })
                        };
                        State::Present((0..count).map(address).collect())
                    }
                    _ => continue,
                };
                self.add(host, rtype, state, draw);
            }
        }
        hosts
    }

    fn add_srvs(&mut self, hosts: &[String], draw: &mut Draw) {
        for (place, prefix) in SRV_PREFIXES.iter().enumerate() {
            let owner = format!("{prefix}{}", self.domain);
            let target = |draw: &mut Draw| match draw.below(100) {
                0..8 => String::new(),
                8..10 => "203.0.113.7".to_owned(),
                10..13 => format!("nowhere.{}", self.domain),
                _ => hosts[draw.below(hosts.len())].clone(),
            };
            let state = match draw.below(100) {
                0..9 => State::Failed,
                9..13 => State::Silent,
                13..18 => {
                    let other = SRV_PREFIXES[(place + 1 + draw.below(5)) % 6];
                    let alias = Data::Alias(format!("{other}{}", self.domain));
                    self.add(&owner, CNAME, State::Present(vec![alias]), draw);
                    continue;
                }
                // The service is not offered.
                18..24 => State::Present(vec![Data::Srv(Srv {
                    priority: 0,
                    weight: 0,
                    port: 0,
                    target: String::new(),
                })]),
                24..70 => {
                    let count = draw.pick(&[1, 1, 2, 3, 4]);
                    let record = |_| {
                        Data::Srv(Srv {
                            priority: draw.below(3) as u16,
                            weight: draw.below(3) as u16,
                            port: if draw.percent(6) {
                                0
                            } else {
                                5000 + draw.below(9) as u16
                            },
                            target: target(draw),
                        })
                    };
                    State::Present((0..count).map(record).collect())
                }
                _ => continue,
            };
            self.add(&owner, SRV, state, draw);
        }
    }

    fn add_naptrs(&mut self, draw: &mut Draw) {
        let alias = self.alias(&self.domain).map(str::to_owned);
        let owner = alias.unwrap_or_else(|| self.domain.clone());
        // Many domains offer one kind alone.
        let only = match draw.below(100) {
            0..15 => Some(2),
            15..20 => Some(1),
            _ => None,
        };
        let state = match draw.below(100) {
            0..7 => State::Failed,
            7..11 => State::Silent,
            11..75 => {
                let count = draw.pick(&[1, 2, 2, 3, 4]);
                let record = |_| {
                    let place = only.unwrap_or_else(|| draw.below(SERVICES.len()));
                    let (services, usual) = SERVICES[place];
                    let prefix = SRV_PREFIXES[if draw.percent(85) {
                        usual
                    } else {
                        draw.below(6)
                    }];
                    let domain = &self.domain;
                    let replacement = match draw.percent(8) {
                        true => format!("{}{domain}", prefix.to_uppercase()),
                        false => format!("{prefix}{domain}"),
                    };
                    Data::Naptr(Naptr {
                        order: draw.below(3) as u16,
                        preference: draw.below(3) as u16,
                        flags: draw.pick(&["s", "s", "s", "s", "s", "S", "S", "u", "a", ""]),
                        services,
                        regexp: if draw.percent(4) { "!a!b!" } else { "" },
                        replacement,
                    })
                };
                State::Present((0..count).map(record).collect())
            }
            _ => return,
        };
        self.add(&owner, NAPTR, state, draw);
    }

    /// The set of a name and type, names in any letter case.
    pub fn set(&self, owner: &str, rtype: u16) -> Option<&RrSet> {
        self.sets
            .iter()
            .find(|set| set.rtype == rtype && set.owner.eq_ignore_ascii_case(owner))
    }

    /// What a name is another name of.
    pub fn alias(&self, owner: &str) -> Option<&str> {
        match &self.set(owner, CNAME)?.state {
            State::Present(data) => match data.as_slice() {
                [Data::Alias(target)] => Some(target),
                _ => None,
            },
            _ => None,
        }
    }

    fn exists(&self, name: &str) -> bool {
        let below = format!(".{name}").to_ascii_lowercase();
        self.sets.iter().any(|set| {
            set.owner.eq_ignore_ascii_case(name) || set.owner.to_ascii_lowercase().ends_with(&below)
        })
    }

    /// The server's reply to a query; `None` = silence.
    pub fn reply(&self, query: &[u8]) -> Option<Vec<u8>> {
        let (name, qtype) = question(query);
        let mut answers = Vec::new();
        let mut owner = name.clone();
        while let Some(target) = self.alias(&owner)
            && qtype != CNAME
            && answers.len() < CHASED
        {
            answers.push(Rr::cname(&owner, 600, target));
            owner = target.to_owned();
            if !self.chases {
                return Some(self.message(query, (&name, qtype), 0, [&answers, &[], &[]]));
            }
        }
        if answers.len() == CHASED {
            return Some(self.message(query, (&name, qtype), 0, [&answers, &[], &[]]));
        }
        let soa = [Rr::soa(&self.domain, 600, 600)];
        match self.set(&owner, qtype).map(|set| (&set.state, set.ttl)) {
            Some((State::Silent, _)) => None,
            Some((State::Failed, _)) => {
                Some(self.message(query, (&name, qtype), 2, [&[], &[], &[]]))
            }
            Some((State::Present(data), ttl)) => {
                answers.extend(data.iter().map(|data| record(&owner, ttl, data)));
                let additional = self.additional_to(data);
                Some(self.message(query, (&name, qtype), 0, [&answers, &[], &additional]))
            }
            None => {
                let rcode = if self.exists(&owner) { 0 } else { 3 };
                Some(self.message(query, (&name, qtype), rcode, [&answers, &soa, &[]]))
            }
        }
    }

    /// What the records name: SRV sets of NAPTR replacements, addresses of SRV targets.
    fn additional_to(&self, data: &[Data]) -> Vec<Rr> {
        let mut additional = Vec::new();
        if !self.additional {
            return additional;
        }
        for data in data {
            let (name, types): (&str, &[u16]) = match data {
                Data::Srv(srv) => (&srv.target, &[A, AAAA]),
                Data::Naptr(naptr) => (&naptr.replacement, &[SRV]),
                _ => continue,
            };
            for set in types.iter().filter_map(|rtype| self.set(name, *rtype)) {
                if let State::Present(data) = &set.state {
                    additional.extend(data.iter().map(|data| record(name, set.ttl, data)));
                }
            }
        }
        additional
    }

    fn message(
        &self,
        query: &[u8],
        question: (&str, u16),
        rcode: u16,
        [answers, authorities, additional]: [&[Rr]; 3],
    ) -> Vec<u8> {
        let id = u16::from_be_bytes([query[0], query[1]]);
        let mut additional = additional.to_vec();
        if query[11] != 0 {
            additional.push(Rr::raw("", wire::OPT, 0, b"").with_class(4096));
        }
        let sections: [&[Rr]; 3] = [answers, authorities, &additional];
        wire::message(id, 0x8580 | rcode, question, sections)
    }
}

/// The name and type that a query is about.
fn question(query: &[u8]) -> (String, u16) {
    let mut at = 12;
    let mut name = String::new();
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(&String::from_utf8_lossy(&query[at + 1..end]));
        at = end;
    }
    (name, u16::from_be_bytes([query[at + 1], query[at + 2]]))
}

fn record(owner: &str, ttl: u32, data: &Data) -> Rr {
    match data {
        Data::Address(IpAddr::V4(address)) => Rr::raw(owner, A, ttl, &address.octets()),
        Data::Address(IpAddr::V6(address)) => Rr::raw(owner, AAAA, ttl, &address.octets()),
        Data::Srv(srv) => Rr::srv(owner, ttl, srv.priority, srv.weight, srv.port, &srv.target),
        Data::Naptr(naptr) => Rr::naptr(
            owner,
            ttl,
            (naptr.order, naptr.preference),
            (naptr.flags, naptr.services, naptr.regexp),
            &naptr.replacement,
        ),
        Data::Alias(target) => Rr::cname(owner, ttl, target),
    }
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Srv(s) => write!(f, "{} {} {} {}.", s.priority, s.weight, s.port, s.target),
            Self::Naptr(n) => write!(
                f,
                "{} {} {:?} {:?} {:?} {}.",
                n.order, n.preference, n.flags, n.services, n.regexp, n.replacement
            ),
            Self::Alias(target) => write!(f, "{target}."),
        }
    }
}

/// As a zone file, with what fails and what is silent in words.
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (additional, chases) = (self.additional, self.chases);
        writeln!(
            f,
            "; server: additional data {additional}, whole alias chains {chases}"
        )?;
        for set in &self.sets {
            let rtype = match set.rtype {
                A => "A",
                AAAA => "AAAA",
                CNAME => "CNAME",
                SRV => "SRV",
                _ => "NAPTR",
            };
            match &set.state {
                State::Failed => writeln!(f, "{}. {rtype} => SERVFAIL", set.owner)?,
                State::Silent => writeln!(f, "{}. {rtype} => silence", set.owner)?,
                State::Present(data) => {
                    for data in data {
                        writeln!(f, "{}. {} {rtype} {data}", set.owner, set.ttl)?;
                    }
                }
            }
        }
        Ok(())
    }
}
