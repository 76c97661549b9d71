//! Queries off the wire and replies onto it (RFC 1035 section 4, EDNS0 of RFC 6891).

use std::collections::HashMap;

use crate::answer::{Reply, rcode};
use crate::name::Name;
use crate::record::{RData, Record, rtype};

const HEADER_OCTETS: usize = 12;
/// Largest UDP reply to a client without EDNS0.
const PLAIN_UDP_OCTETS: usize = 512;
/// Largest UDP reply at all: fits every usual link without fragments.
const MAX_UDP_OCTETS: usize = 1232;
const CLASS_IN: u16 = 1;
const CLASS_ANY: u16 = 255;

/// What a client sent, as far as a reply can be made of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) id: u16,
    /// Opcode and the RD bit, in their place in the header; copied into the reply.
    flags: u16,
    /// The question section as received: letter case is the client's.
    question: Vec<u8>,
    pub(crate) qname: Name,
    pub(crate) qtype: u16,
    /// UDP payload size of the client's OPT record.
    edns_size: Option<u16>,
    /// The code to answer with when the question cannot be looked at.
    pub(crate) refusal: Option<u16>,
}

/// Reads octets from the front.
struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn octet(&mut self) -> Option<u8> {
        let octet = *self.message.get(self.at)?;
        self.at += 1;
        Some(octet)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.octet()?, self.octet()?]))
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count)?;
        (self.at <= self.message.len()).then_some(())
    }

    /// A name without compression: the question is the first name, so it has nothing to point to.
    fn name(&mut self) -> Option<Name> {
        let mut labels = Vec::new();
        loop {
            let length = usize::from(self.octet()?);
            if length == 0 {
                return Name::from_labels(labels);
            }
            if length > 63 {
                return None;
            }
            let start = self.at;
            self.skip(length)?;
            labels.push(self.message.get(start..self.at)?.to_vec());
        }
    }

    fn skip_name(&mut self) -> Option<()> {
        loop {
            match self.octet()? {
                0 => return Some(()),
                length @ 1..=63 => self.skip(usize::from(length))?,
                0xc0..=0xff => return self.skip(1),
                _ => return None,
            }
        }
    }
}

/// Reads a query; `None` when it deserves no reply: too short, or itself a reply.
pub(crate) fn read_query(message: &[u8]) -> Option<Query> {
    let mut reader = Reader { message, at: 0 };
    let id = reader.u16()?;
    let header_flags = reader.u16()?;
    let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
    if header_flags & 0x8000 != 0 {
        return None;
    }
    let mut query = Query {
        id,
        flags: header_flags & 0x7900,
        question: Vec::new(),
        qname: Name::default(),
        qtype: 0,
        edns_size: None,
        refusal: None,
    };
    if header_flags & 0x7800 != 0 {
        query.refusal = Some(rcode::NOTIMP);
    } else if read_body(&mut reader, counts, &mut query).is_none() {
        query.refusal = Some(rcode::FORMERR);
    }
    Some(query)
}

fn read_body(reader: &mut Reader<'_>, counts: [u16; 4], query: &mut Query) -> Option<()> {
    let [questions, answers, authority, additional] = counts;
    if questions != 1 {
        return None;
    }
    query.qname = reader.name()?;
    query.qtype = reader.u16()?;
    let qclass = reader.u16()?;
    query.question = reader.message.get(HEADER_OCTETS..reader.at)?.to_vec();
    if qclass != CLASS_IN && qclass != CLASS_ANY {
        query.refusal = Some(rcode::REFUSED);
    }
    let others = u32::from(answers) + u32::from(authority);
    for index in 0..others + u32::from(additional) {
        let owner_at = reader.at;
        reader.skip_name()?;
        let rtype = reader.u16()?;
        let class = reader.u16()?;
        reader.skip(1)?;
        let version = reader.octet()?;
        reader.skip(2)?;
        let length = reader.u16()?;
        reader.skip(usize::from(length))?;
        if rtype == rtype::OPT && index >= others {
            if query.edns_size.is_some() || reader.message.get(owner_at) != Some(&0) {
                return None;
            }
            query.edns_size = Some(class);
            if version != 0 {
                query.refusal = Some(rcode::BADVERS);
            }
        }
    }
    Some(())
}

/// Writes one message and remembers where names are, so that later ones can point to them.
#[derive(Default)]
struct Writer {
    message: Vec<u8>,
    /// Key of a name or name ending, and its offset.
    known: HashMap<Vec<u8>, u16>,
}

impl Writer {
    fn u16(&mut self, value: u16) {
        self.message.extend(value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.message.extend(value.to_be_bytes());
    }

    fn string(&mut self, value: &[u8]) {
        self.message.push(value.len() as u8);
        self.message.extend(value);
    }

    /// The name in full, for data where compression is forbidden (RFC 2782, RFC 3597 section 4).
    fn plain_name(&mut self, name: &Name) {
        for label in name.labels() {
            self.string(label);
        }
        self.message.push(0);
    }

    fn name(&mut self, name: &Name) {
        let mut rest = Some(name.clone());
        while let Some(current) = rest {
            let Some(label) = current.labels().first() else {
                break;
            };
            if let Some(&offset) = self.known.get(&current.key()) {
                self.u16(0xc000 | offset);
                return;
            }
            self.remember(&current, self.message.len());
            self.string(label);
            rest = current.parent();
        }
        self.message.push(0);
    }

    fn remember(&mut self, name: &Name, offset: usize) {
        // A pointer has 14 bits.
        if let Ok(offset @ ..0x4000) = u16::try_from(offset) {
            self.known.entry(name.key()).or_insert(offset);
        }
    }

    fn record(&mut self, record: &Record) {
        self.name(&record.owner);
        self.u16(record.data.rtype());
        self.u16(CLASS_IN);
        self.u32(record.ttl);
        let length_at = self.message.len();
        self.u16(0);
        self.data(&record.data);
        let length = (self.message.len() - length_at - 2) as u16;
        if let Some(place) = self.message.get_mut(length_at..length_at + 2) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }

    fn data(&mut self, data: &RData) {
        match data {
            RData::A(address) => self.message.extend(address.octets()),
            RData::Aaaa(address) => self.message.extend(address.octets()),
            RData::Ns(name) | RData::Cname(name) => self.name(name),
            RData::Soa(soa) => {
                self.name(&soa.mname);
                self.name(&soa.rname);
                for number in soa.numbers {
                    self.u32(number);
                }
            }
            RData::Txt(strings) => strings.iter().for_each(|s| self.string(s)),
            RData::Srv {
                priority,
                weight,
                port,
                target,
            } => {
                for number in [*priority, *weight, *port] {
                    self.u16(number);
                }
                self.plain_name(target);
            }
            RData::Naptr {
                order,
                preference,
                strings,
                replacement,
            } => {
                self.u16(*order);
                self.u16(*preference);
                strings.iter().for_each(|s| self.string(s));
                self.plain_name(replacement);
            }
        }
    }

    /// Writes the record unless it goes beyond the limit; says whether it did.
    fn record_within(&mut self, record: &Record, limit: usize) -> bool {
        let length = self.message.len();
        self.record(record);
        if self.message.len() <= limit {
            return true;
        }
        self.message.truncate(length);
        self.known.retain(|_, offset| usize::from(*offset) < length);
        false
    }
}

/// Largest reply that the client takes over UDP.
pub(crate) fn udp_limit(query: &Query) -> usize {
    query.edns_size.map_or(PLAIN_UDP_OCTETS, |size| {
        usize::from(size).clamp(PLAIN_UDP_OCTETS, MAX_UDP_OCTETS)
    })
}

/// Writes the reply in at most `limit` octets. What does not fit: additional record sets are left out
/// silently, anything else makes the reply empty and truncated (TC), so that the client asks by TCP.
pub(crate) fn write_reply(query: &Query, reply: &Reply, limit: usize) -> Vec<u8> {
    let mut writer = Writer::default();
    let aa = if reply.authoritative { 0x0400 } else { 0 };
    writer.u16(query.id);
    writer.u16(0x8000 | query.flags | aa | (reply.rcode & 0xf));
    for count in [u16::from(!query.question.is_empty()), 0, 0, 0] {
        writer.u16(count);
    }
    writer.message.extend(&query.question);
    if !query.question.is_empty() {
        let mut suffix = Some(query.qname.clone());
        let mut offset = HEADER_OCTETS;
        while let Some(name) = suffix.filter(|n| !n.labels().is_empty()) {
            writer.remember(&name, offset);
            offset += 1 + name.labels().first().map_or(0, Vec::len);
            suffix = name.parent();
        }
    }
    let opt_octets = if query.edns_size.is_some() { 11 } else { 0 };
    let limit = limit.min(usize::from(u16::MAX)) - opt_octets;
    let body_at = writer.message.len();
    let fits = reply
        .answers
        .iter()
        .chain(&reply.authority)
        .all(|r| writer.record_within(r, limit));
    let mut counts = [0, 0, 0u16];
    if fits {
        let mut kept = 0;
        let same_set = |a: &Record, b: &Record| {
            a.owner == b.owner && std::mem::discriminant(&a.data) == std::mem::discriminant(&b.data)
        };
        // A set goes whole or not at all: a client would take a part for the whole.
        for set in reply.additional.chunk_by(same_set) {
            let set_at = writer.message.len();
            if !set.iter().all(|r| writer.record_within(r, limit)) {
                writer.message.truncate(set_at);
                break;
            }
            kept += set.len();
        }
        counts = [reply.answers.len(), reply.authority.len(), kept].map(|n| n as u16);
    } else {
        writer.message.truncate(body_at);
        if let Some(flags) = writer.message.get_mut(2) {
            *flags |= 0x02;
        }
    }
    if opt_octets != 0 {
        counts[2] += 1;
        writer.message.push(0);
        writer.u16(rtype::OPT);
        writer.u16(MAX_UDP_OCTETS as u16);
        writer.u32(u32::from(reply.rcode >> 4) << 24);
        writer.u16(0);
    }
    for (index, count) in counts.into_iter().enumerate() {
        let at = 6 + 2 * index;
        if let Some(place) = writer.message.get_mut(at..at + 2) {
            place.copy_from_slice(&count.to_be_bytes());
        }
    }
    writer.message
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
