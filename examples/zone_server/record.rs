//! Resource records that the server can hold, and their data in master-file text.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::name::{Name, unescape};
use crate::tokens::Token;

/// Type numbers (RFC 1035 section 3.2.2, RFC 2782, RFC 3403, RFC 3596, RFC 6891).
pub(crate) mod rtype {
    pub(crate) const A: u16 = 1;
    pub(crate) const NS: u16 = 2;
    pub(crate) const CNAME: u16 = 5;
    pub(crate) const SOA: u16 = 6;
    pub(crate) const TXT: u16 = 16;
    pub(crate) const AAAA: u16 = 28;
    pub(crate) const SRV: u16 = 33;
    pub(crate) const NAPTR: u16 = 35;
    pub(crate) const OPT: u16 = 41;
    pub(crate) const IXFR: u16 = 251;
    pub(crate) const AXFR: u16 = 252;
    pub(crate) const ANY: u16 = 255;
}

const NAMES: &[(&str, u16)] = &[
    ("A", rtype::A),
    ("NS", rtype::NS),
    ("CNAME", rtype::CNAME),
    ("SOA", rtype::SOA),
    ("TXT", rtype::TXT),
    ("AAAA", rtype::AAAA),
    ("SRV", rtype::SRV),
    ("NAPTR", rtype::NAPTR),
];

/// The number of a type that a zone file may use.
pub(crate) fn type_number(name: &str) -> Option<u16> {
    NAMES
        .iter()
        .find(|(text, _)| text.eq_ignore_ascii_case(name))
        .map(|&(_, number)| number)
}

/// The name of a type for people; RFC 3597 form when it has none here.
pub(crate) fn type_name(number: u16) -> String {
    match number {
        rtype::ANY => "ANY".to_owned(),
        rtype::AXFR => "AXFR".to_owned(),
        rtype::IXFR => "IXFR".to_owned(),
        _ => NAMES
            .iter()
            .find(|&&(_, n)| n == number)
            .map_or_else(|| format!("TYPE{number}"), |(text, _)| (*text).to_owned()),
    }
}

/// Start of authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Soa {
    pub(crate) mname: Name,
    pub(crate) rname: Name,
    /// Serial, refresh, retry, expire, minimum.
    pub(crate) numbers: [u32; 5],
}

/// Data of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RData {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Ns(Name),
    Cname(Name),
    Soa(Soa),
    Txt(Vec<Vec<u8>>),
    Srv {
        priority: u16,
        weight: u16,
        port: u16,
        target: Name,
    },
    Naptr {
        order: u16,
        preference: u16,
        /// Flags, services, regexp.
        strings: [Vec<u8>; 3],
        replacement: Name,
    },
}

impl RData {
    /// The type number.
    pub(crate) fn rtype(&self) -> u16 {
        match self {
            Self::A(_) => rtype::A,
            Self::Aaaa(_) => rtype::AAAA,
            Self::Ns(_) => rtype::NS,
            Self::Cname(_) => rtype::CNAME,
            Self::Soa(_) => rtype::SOA,
            Self::Txt(_) => rtype::TXT,
            Self::Srv { .. } => rtype::SRV,
            Self::Naptr { .. } => rtype::NAPTR,
        }
    }

    /// Reads the data fields of a record of the type.
    pub(crate) fn parse(rtype: u16, fields: &[Token], origin: &Name) -> Result<Self, String> {
        let mut fields = Fields {
            left: fields,
            origin,
        };
        let data = match rtype {
            rtype::A => Self::A(fields.parsed("an IPv4 address")?),
            rtype::AAAA => Self::Aaaa(fields.parsed("an IPv6 address")?),
            rtype::NS => Self::Ns(fields.name()?),
            rtype::CNAME => Self::Cname(fields.name()?),
            rtype::SOA => Self::Soa(Soa {
                mname: fields.name()?,
                rname: fields.name()?,
                numbers: [
                    fields.parsed("a serial number")?,
                    fields.parsed("seconds")?,
                    fields.parsed("seconds")?,
                    fields.parsed("seconds")?,
                    fields.parsed("seconds")?,
                ],
            }),
            rtype::TXT => {
                let mut strings = vec![fields.string()?];
                while !fields.left.is_empty() {
                    strings.push(fields.string()?);
                }
                Self::Txt(strings)
            }
            rtype::SRV => Self::Srv {
                priority: fields.parsed("a priority")?,
                weight: fields.parsed("a weight")?,
                port: fields.parsed("a port")?,
                target: fields.name()?,
            },
            rtype::NAPTR => Self::Naptr {
                order: fields.parsed("an order")?,
                preference: fields.parsed("a preference")?,
                strings: [fields.string()?, fields.string()?, fields.string()?],
                replacement: fields.name()?,
            },
            other => return Err(format!("type {other} cannot be in a zone file")),
        };
        match fields.left.first() {
            Some(extra) => Err(format!("too many fields, from '{extra}' on")),
            None => Ok(data),
        }
    }
}

/// The fields that are still to be read.
struct Fields<'a> {
    left: &'a [Token],
    origin: &'a Name,
}

impl<'a> Fields<'a> {
    fn take(&mut self, what: &str) -> Result<&'a Token, String> {
        let (first, rest) = self
            .left
            .split_first()
            .ok_or_else(|| format!("{what} is missing"))?;
        self.left = rest;
        Ok(first)
    }

    fn parsed<T: std::str::FromStr>(&mut self, what: &str) -> Result<T, String> {
        let token = self.take(what)?;
        std::str::from_utf8(&token.text)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| format!("'{token}' is not {what}"))
    }

    fn name(&mut self) -> Result<Name, String> {
        let token = self.take("a name")?;
        if token.quoted {
            return Err(format!("'{token}' is quoted, a name is not"));
        }
        Name::parse(&token.text, self.origin)
    }

    fn string(&mut self) -> Result<Vec<u8>, String> {
        let token = self.take("a string")?;
        let mut value = Vec::new();
        let mut rest = token.text.as_slice();
        while let Some((&octet, tail)) = rest.split_first() {
            rest = tail;
            if octet == b'\\' {
                let (escaped, used) =
                    unescape(rest).ok_or_else(|| format!("bad escape in '{token}'"))?;
                value.push(escaped);
                rest = rest.get(used..).unwrap_or_default();
            } else {
                value.push(octet);
            }
        }
        if value.len() > 255 {
            return Err("a string has more than 255 octets".to_owned());
        }
        Ok(value)
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) owner: Name,
    pub(crate) ttl: u32,
    pub(crate) data: RData,
}
