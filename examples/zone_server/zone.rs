//! Zones read from master files: `$ORIGIN`, `$TTL`, `$GENERATE`, and the types of record.rs.
//!
//! A file may hold several zones: each starts with its SOA record. Delegations and wildcards are not
//! supported; the parser says so instead of serving something else than what was written.

use std::collections::{HashMap, HashSet};

use crate::name::Name;
use crate::record::{RData, Record, Soa, rtype, type_number};
use crate::tokens::{Entry, Token, split};

/// One zone.
#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) origin: Name,
    pub(crate) soa: Record,
    records: HashMap<Vec<u8>, Vec<Record>>,
    /// Keys of all names that exist, those without records of their own included (RFC 4592 2.2.2).
    existing: HashSet<Vec<u8>>,
}

impl Zone {
    /// The records of a name, all types.
    pub(crate) fn records(&self, name: &Name) -> &[Record] {
        self.records.get(&name.key()).map_or(&[], Vec::as_slice)
    }

    /// True when the name or one below it has records.
    pub(crate) fn exists(&self, name: &Name) -> bool {
        self.existing.contains(&name.key())
    }

    /// The SOA record for a negative answer: its TTL is the negative TTL (RFC 2308 section 3).
    pub(crate) fn negative_soa(&self) -> Record {
        let mut soa = self.soa.clone();
        if let RData::Soa(Soa { numbers, .. }) = &soa.data {
            soa.ttl = soa.ttl.min(numbers[4]);
        }
        soa
    }

    fn add(&mut self, record: Record) -> Result<(), String> {
        let owner = record.owner.clone();
        let rtype = record.data.rtype();
        if rtype == rtype::NS && owner.key() != self.origin.key() {
            return Err(format!("NS below the top of the zone: {owner}"));
        }
        let place = self.records.entry(owner.key()).or_default();
        let alias = |r: &Record| r.data.rtype() == rtype::CNAME;
        if !place.is_empty() && (rtype == rtype::CNAME || place.iter().any(alias)) {
            return Err(format!("{owner} is an alias and cannot have other records"));
        }
        // The TTL of an RRset is one (RFC 2181 section 5.2): the first record's.
        let ttl = place
            .iter()
            .find(|r| r.data.rtype() == rtype)
            .map_or(record.ttl, |r| r.ttl);
        place.push(Record { ttl, ..record });
        let mut name = Some(owner);
        while let Some(existing) = name.filter(|n| n.is_within(&self.origin)) {
            self.existing.insert(existing.key());
            name = existing.parent();
        }
        Ok(())
    }
}

/// The zone with the longest origin that holds the name.
pub(crate) fn find<'a>(zones: &'a [Zone], name: &Name) -> Option<&'a Zone> {
    zones
        .iter()
        .filter(|z| name.is_within(&z.origin))
        .max_by_key(|z| z.origin.labels().len())
}

/// Reads the zones of one file; an error names its line.
pub(crate) fn parse(text: &[u8]) -> Result<Vec<Zone>, String> {
    let mut reader = ZoneReader::default();
    for entry in split(text)? {
        reader
            .entry(&entry)
            .map_err(|reason| format!("line {}: {reason}", entry.line))?;
    }
    if reader.zones.is_empty() {
        return Err("there is no SOA record".to_owned());
    }
    Ok(reader.zones)
}

#[derive(Debug, Default)]
struct ZoneReader {
    origin: Name,
    ttl: Option<u32>,
    owner: Option<Name>,
    zones: Vec<Zone>,
}

impl ZoneReader {
    fn entry(&mut self, entry: &Entry) -> Result<(), String> {
        let Some((first, rest)) = entry.tokens.split_first() else {
            return Ok(());
        };
        match (first.text.to_ascii_uppercase().as_slice(), rest) {
            (b"$ORIGIN", [name]) => {
                self.origin = Name::parse(&name.text, &self.origin)?;
                self.owner = None;
                Ok(())
            }
            (b"$TTL", [ttl]) => {
                self.ttl = Some(number(ttl).ok_or_else(|| format!("'{ttl}' is not a TTL"))?);
                Ok(())
            }
            (b"$GENERATE", [range, fields @ ..]) => self.generate(range, fields),
            (directive, _) if directive.starts_with(b"$") => Err(format!(
                "directive or its arguments not understood: {first}"
            )),
            _ if entry.indented => self.record(&entry.tokens),
            _ => {
                self.owner = Some(Name::parse(&first.text, &self.origin)?);
                self.record(rest)
            }
        }
    }

    /// `$GENERATE 1-9 host$ A 192.0.2.$`: one record for each number, which replaces `$`.
    fn generate(&mut self, range: &Token, fields: &[Token]) -> Result<(), String> {
        let limits = range.to_string();
        let (from, to) = limits
            .split_once('-')
            .and_then(|(a, b)| Some((a.parse::<u16>().ok()?, b.parse::<u16>().ok()?)))
            .ok_or_else(|| format!("'{range}' is not a range of numbers"))?;
        for number in from..=to {
            let mut record = fields.to_vec();
            for token in &mut record {
                let text = token.to_string().replace('$', &number.to_string());
                token.text = text.into_bytes();
            }
            let (owner, rest) = record.split_first().ok_or("there is no record")?;
            self.owner = Some(Name::parse(&owner.text, &self.origin)?);
            self.record(rest)?;
        }
        Ok(())
    }

    fn record(&mut self, mut fields: &[Token]) -> Result<(), String> {
        let mut ttl = None;
        // TTL and class may come in either order, or not at all.
        let rtype = loop {
            let (field, rest) = fields.split_first().ok_or("a record type is missing")?;
            fields = rest;
            if field.text.eq_ignore_ascii_case(b"IN") {
                continue;
            }
            match (number(field), ttl) {
                (Some(value), None) => ttl = Some(value),
                _ => {
                    break type_number(&field.to_string())
                        .ok_or_else(|| format!("record type '{field}' is not supported"))?;
                }
            }
        };
        let owner = self.owner.clone().ok_or("the record has no owner name")?;
        let data = RData::parse(rtype, fields, &self.origin)?;
        let ttl = ttl
            .or(self.ttl)
            .ok_or("there is no TTL, neither here nor in $TTL")?;
        let record = Record { owner, ttl, data };
        if rtype == rtype::SOA {
            return self.start_zone(record);
        }
        let zone = self
            .zones
            .last_mut()
            .ok_or("the first record of a zone must be its SOA")?;
        if !record.owner.is_within(&zone.origin) {
            return Err(format!("{} is not in zone {}", record.owner, zone.origin));
        }
        zone.add(record)
    }

    fn start_zone(&mut self, soa: Record) -> Result<(), String> {
        let origin = soa.owner.clone();
        if self.zones.iter().any(|z| z.origin.key() == origin.key()) {
            return Err(format!("zone {origin} has a second SOA"));
        }
        let mut zone = Zone {
            origin,
            soa: soa.clone(),
            records: HashMap::new(),
            existing: HashSet::new(),
        };
        zone.add(soa)?;
        self.zones.push(zone);
        Ok(())
    }
}

/// A number of seconds up to 2^31 - 1 (RFC 2181 section 8).
fn number(token: &Token) -> Option<u32> {
    let text = std::str::from_utf8(&token.text).ok()?;
    if token.quoted || !text.bytes().all(|o| o.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|&n| n <= 0x7fff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "$ORIGIN example.org.\n$TTL 300\n@ IN SOA ns h 1 2 3 4 60\n";

    fn name(text: &str) -> Name {
        Name::parse(text.as_bytes(), &Name::default()).unwrap()
    }

    fn error(tail: &str) -> String {
        parse(format!("{HEAD}{tail}").as_bytes()).unwrap_err()
    }

    #[test]
    fn every_type_is_read() {
        let text = format!(
            "{HEAD}  NS ns\nns 60 IN A 192.0.2.1\n IN 70 AAAA 2001:db8::1\nw CNAME ns\n\
             _sip._udp SRV 1 2 5060 ns\n@ NAPTR 1 2 \"s\" \"SIP+D2U\" \"!^.*$!a\\\\b!\" _sip._udp\n\
             t TXT \"a b\" c\n"
        );
        let zones = parse(text.as_bytes()).unwrap();
        let zone = &zones[0];
        let ns = zone.records(&name("NS.example.org."));
        assert_eq!((ns[0].ttl, ns[1].ttl), (60, 70));
        assert_eq!(ns[1].data, RData::Aaaa("2001:db8::1".parse().unwrap()));
        let srv = &zone.records(&name("_sip._udp.example.org."))[0];
        assert_eq!(srv.ttl, 300);
        assert!(
            matches!(&srv.data, RData::Srv { priority: 1, weight: 2, port: 5060, target }
            if *target == name("ns.example.org."))
        );
        let RData::Naptr { strings, .. } = &zone.records(&zone.origin)[2].data else {
            panic!("not a NAPTR")
        };
        assert_eq!(strings[2], b"!^.*$!a\\b!");
        let text = &zone.records(&name("t.example.org."))[0].data;
        assert_eq!(*text, RData::Txt(vec![b"a b".to_vec(), b"c".to_vec()]));
        assert!(zone.exists(&name("_udp.example.org.")));
        assert!(!zone.exists(&name("_tcp.example.org.")));
        assert_eq!(zone.negative_soa().ttl, 60);
    }

    #[test]
    fn several_zones_in_one_file() {
        let text = format!(
            "{HEAD}a A 192.0.2.1\n$ORIGIN sub.example.org.\n@ SOA ns h 1 2 3 4 5\na A 192.0.2.2\n"
        );
        let zones = parse(text.as_bytes()).unwrap();
        assert_eq!(zones.len(), 2);
        let found = |text: &str| find(&zones, &name(text)).map(|z| z.origin.to_string());
        assert_eq!(
            found("a.sub.example.org.").as_deref(),
            Some("sub.example.org.")
        );
        assert_eq!(found("b.example.org.").as_deref(), Some("example.org."));
        assert_eq!(found("example.net."), None);
    }

    #[test]
    fn generate_makes_one_record_for_each_number() {
        let zones = parse(format!("{HEAD}$GENERATE 9-11 h$ A 192.0.2.$\n").as_bytes()).unwrap();
        let eleven = zones[0].records(&name("h11.example.org."));
        assert_eq!(eleven[0].data, RData::A("192.0.2.11".parse().unwrap()));
        assert!(zones[0].records(&name("h12.example.org.")).is_empty());
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        assert!(error("a A 300.1.1.1").contains("line 4: '300.1.1.1' is not an IPv4"));
        assert!(error("a A").contains("is missing"));
        assert!(error("a A 192.0.2.1 x").contains("too many"));
        assert!(error("a MX 1 b").contains("'MX' is not supported"));
        assert!(error("a SRV 1 2 65536 b").contains("a port"));
        assert!(error("a CNAME b\na A 192.0.2.1").contains("alias"));
        assert!(error("a A 192.0.2.1\na CNAME b").contains("alias"));
        assert!(error("a.example.net. A 192.0.2.1").contains("not in zone"));
        assert!(error("sub NS a").contains("below the top"));
        assert!(error("$INCLUDE x").contains("$INCLUDE"));
        assert!(error("@ SOA ns h 1 2 3 4 5").contains("second SOA"));
        assert!(error("$GENERATE x h$ A 1.1.1.1").contains("range"));
        assert!(parse(b"a A 192.0.2.1").is_err());
        assert!(parse(b"").unwrap_err().contains("no SOA"));
    }
}
