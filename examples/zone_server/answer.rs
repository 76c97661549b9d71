//! From a question to the records of the reply (RFC 1034 section 4.3.2), without any wire format.

use crate::name::Name;
use crate::record::{RData, Record, rtype};
use crate::zone::{Zone, find};

/// Response codes used here (RFC 1035 section 4.1.1, RFC 6891).
pub(crate) mod rcode {
    pub(crate) const NOERROR: u16 = 0;
    pub(crate) const FORMERR: u16 = 1;
    pub(crate) const NXDOMAIN: u16 = 3;
    pub(crate) const NOTIMP: u16 = 4;
    pub(crate) const REFUSED: u16 = 5;
    pub(crate) const BADVERS: u16 = 16;
}

/// Aliases followed for one question, so that a loop in the zone ends.
const MAX_ALIASES: usize = 16;

/// The sections of a reply.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) rcode: u16,
    pub(crate) authoritative: bool,
    pub(crate) answers: Vec<Record>,
    pub(crate) authority: Vec<Record>,
    pub(crate) additional: Vec<Record>,
}

impl Reply {
    /// A reply without records.
    pub(crate) fn error(rcode: u16) -> Self {
        Self {
            rcode,
            ..Self::default()
        }
    }
}

/// Answers a question of class IN.
pub(crate) fn answer(zones: &[Zone], qname: &Name, qtype: u16) -> Reply {
    if matches!(qtype, rtype::AXFR | rtype::IXFR) {
        return Reply::error(rcode::REFUSED);
    }
    let Some(zone) = find(zones, qname) else {
        return Reply::error(rcode::REFUSED);
    };
    let mut reply = Reply {
        authoritative: true,
        ..Reply::default()
    };
    let mut name = qname.clone();
    for _ in 0..=MAX_ALIASES {
        let records = zone.records(&name);
        let wanted = |r: &&Record| qtype == rtype::ANY || r.data.rtype() == qtype;
        let found = reply.answers.len();
        reply.answers.extend(records.iter().filter(wanted).cloned());
        if reply.answers.len() > found {
            add_related(zone, &mut reply);
            return reply;
        }
        let alias = records.iter().find_map(|r| match &r.data {
            RData::Cname(target) => Some((r, target)),
            _ => None,
        });
        let Some((record, target)) = alias else {
            // After an alias the code is still about the last name (RFC 6604).
            if !zone.exists(&name) {
                reply.rcode = rcode::NXDOMAIN;
            }
            reply.authority.push(zone.negative_soa());
            return reply;
        };
        reply.answers.push(record.clone());
        if !target.is_within(&zone.origin) {
            return reply;
        }
        name = target.clone();
    }
    reply
}

/// Puts what the client will ask next into the additional section: SRV records of NAPTR
/// replacements, addresses of SRV targets and nameservers.
fn add_related(zone: &Zone, reply: &mut Reply) {
    let mut related: Vec<Record> = Vec::new();
    let add = |name: &Name, types: &[u16], related: &mut Vec<Record>| {
        for record in zone.records(name) {
            let known = reply.answers.contains(record) || related.contains(record);
            if types.contains(&record.data.rtype()) && !known {
                related.push(record.clone());
            }
        }
    };
    const ADDRESSES: &[u16] = &[rtype::A, rtype::AAAA];
    for record in &reply.answers {
        if let RData::Naptr { replacement, .. } = &record.data {
            add(
                replacement,
                &[rtype::SRV, rtype::A, rtype::AAAA],
                &mut related,
            );
        }
    }
    let named: Vec<Name> = reply
        .answers
        .iter()
        .chain(&related)
        .filter_map(|r| match &r.data {
            RData::Srv { target, .. } => Some(target.clone()),
            RData::Ns(server) => Some(server.clone()),
            _ => None,
        })
        .collect();
    for name in &named {
        add(name, ADDRESSES, &mut related);
    }
    reply.additional = related;
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: &str = "$ORIGIN example.org.\n$TTL 300\n@ SOA ns h 1 2 3 4 60\n NS ns\n\
        ns A 192.0.2.53\n\
        @ NAPTR 1 1 \"s\" \"SIP+D2U\" \"\" _sip._udp\n\
        _sip._udp SRV 1 1 5060 one\n SRV 1 0 5060 one\n SRV 2 0 5060 far.example.net.\n\
        one A 192.0.2.1\n AAAA 2001:db8::1\n\
        w1 CNAME w2\nw2 CNAME one\nout CNAME far.example.net.\nlost CNAME nothing\n\
        l1 CNAME l2\nl2 CNAME l1\n";

    fn ask(qname: &str, qtype: u16) -> Reply {
        let zones = crate::zone::parse(ZONE.as_bytes()).unwrap();
        let qname = Name::parse(qname.as_bytes(), &Name::default()).unwrap();
        answer(&zones, &qname, qtype)
    }

    fn owners(records: &[Record]) -> Vec<String> {
        let line = |r: &Record| {
            let rtype = crate::record::type_name(r.data.rtype());
            format!(
                "{} {rtype}",
                r.owner
                    .labels()
                    .first()
                    .map_or("".into(), |l| { String::from_utf8_lossy(l) })
            )
        };
        records.iter().map(line).collect()
    }

    #[test]
    fn related_records_come_along_once() {
        let reply = ask("EXAMPLE.org.", rtype::NAPTR);
        assert!(reply.authoritative && reply.rcode == rcode::NOERROR);
        assert_eq!(owners(&reply.answers), ["example NAPTR"]);
        assert_eq!(
            owners(&reply.additional),
            ["_sip SRV", "_sip SRV", "_sip SRV", "one A", "one AAAA"]
        );
    }

    #[test]
    fn aliases_are_followed_inside_the_zone() {
        let reply = ask("w1.example.org.", rtype::A);
        assert_eq!(owners(&reply.answers), ["w1 CNAME", "w2 CNAME", "one A"]);
        assert_eq!(
            owners(&ask("out.example.org.", rtype::A).answers),
            ["out CNAME"]
        );
        assert_eq!(
            owners(&ask("w1.example.org.", rtype::CNAME).answers),
            ["w1 CNAME"]
        );
        assert_eq!(
            ask("l1.example.org.", rtype::A).answers.len(),
            MAX_ALIASES + 1
        );
    }

    #[test]
    fn absence_carries_the_soa() {
        let nodata = ask("one.example.org.", rtype::SRV);
        assert_eq!((nodata.rcode, nodata.answers.len()), (rcode::NOERROR, 0));
        assert_eq!(
            (
                owners(&nodata.authority)[0].as_str(),
                nodata.authority[0].ttl
            ),
            ("example SOA", 60)
        );
        let empty = ask("_udp.example.org.", rtype::A);
        assert_eq!((empty.rcode, empty.authority.len()), (rcode::NOERROR, 1));
        let missing = ask("nothing.example.org.", rtype::A);
        assert_eq!(
            (missing.rcode, missing.authority.len()),
            (rcode::NXDOMAIN, 1)
        );
        let lost = ask("lost.example.org.", rtype::A);
        assert_eq!((lost.rcode, lost.answers.len()), (rcode::NXDOMAIN, 1));
    }

    #[test]
    fn other_names_are_refused() {
        let reply = ask("example.net.", rtype::A);
        assert_eq!((reply.rcode, reply.authoritative), (rcode::REFUSED, false));
        assert_eq!(ask("example.org.", rtype::AXFR).rcode, rcode::REFUSED);
    }
}
