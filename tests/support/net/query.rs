//! A query, as a server sees it.

use super::wire;

/// A query that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Name asked, lower case, without trailing dot.
    pub name: String,
    /// The name in the letters of the query.
    pub spelled: String,
    /// Type asked.
    pub qtype: u16,
    /// It came over TCP.
    pub tcp: bool,
    /// Transaction id.
    pub id: u16,
    /// The 16 flag bits of the header.
    pub flags: u16,
    /// Port it came from; 0 where there are no ports.
    pub source_port: u16,
    /// UDP payload size of its OPT record, if it has one.
    pub edns: Option<u16>,
}

impl Query {
    /// Reads a query; `None` when it is none.
    pub fn parse(octets: &[u8], tcp: bool, source_port: u16) -> Option<Self> {
        let word = |at: usize| {
            let pair = octets.get(at..at + 2)?;
            Some(u16::from_be_bytes([pair[0], pair[1]]))
        };
        let (id, flags) = (word(0)?, word(2)?);
        let spelled = name_text(octets.get(12..)?);
        let mut end = 12;
        while *octets.get(end)? != 0 {
            end += usize::from(octets[end]) + 1;
        }
        let qtype = word(end + 1)?;
        // The OPT record is the only additional record of a query: root, type, payload size.
        let edns = (word(10)? == 1 && word(end + 6) == Some(wire::OPT)).then(|| word(end + 8));
        Some(Self {
            name: spelled.to_ascii_lowercase(),
            spelled,
            qtype,
            tcp,
            id,
            flags,
            source_port,
            edns: edns.flatten(),
        })
    }

    /// True for the question whether the server lives: `localhost A` without RD.
    pub fn is_probe(&self) -> bool {
        self.name == "localhost" && self.qtype == wire::A && self.flags & 0x0100 == 0
    }
}

/// The same of the octets of a query.
pub fn is_probe(query: &[u8]) -> bool {
    Query::parse(query, false, 0).is_some_and(|query| query.is_probe())
}

/// End of the question section.
pub fn question_end(query: &[u8]) -> usize {
    let mut at = 12;
    while query[at] != 0 {
        at += usize::from(query[at]) + 1;
    }
    at + 5
}

/// A reply to a query: its header and question, these flags, and perhaps one address.
pub fn reply(query: &[u8], flags: u16, with_address: bool) -> Vec<u8> {
    let mut out = query[..question_end(query)].to_vec();
    out[2..4].copy_from_slice(&flags.to_be_bytes());
    out[6..12].copy_from_slice(&[0, u8::from(with_address), 0, 0, 0, 0]);
    if with_address {
        out.extend(b"\xC0\x0C\x00\x01\x00\x01\x00\x00\x00\x3C\x00\x04\xC0\x00\x02\x01");
    }
    out
}

/// Text of an uncompressed wire name at the start of the octets.
pub fn name_text(mut octets: &[u8]) -> String {
    let mut labels = Vec::new();
    while let Some((&length, rest)) = octets.split_first() {
        let length = usize::from(length);
        if length == 0 || length > rest.len() {
            break;
        }
        labels.push(String::from_utf8_lossy(&rest[..length]).into_owned());
        octets = &rest[length..];
    }
    labels.join(".")
}
