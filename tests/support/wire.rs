//! Writes DNS messages for tests; on purpose not the library's own code.

use std::net::{Ipv4Addr, Ipv6Addr};

pub const A: u16 = 1;
pub const NS: u16 = 2;
pub const CNAME: u16 = 5;
pub const SOA: u16 = 6;
pub const PTR: u16 = 12;
pub const TXT: u16 = 16;
pub const AAAA: u16 = 28;
pub const SRV: u16 = 33;
pub const NAPTR: u16 = 35;
pub const OPT: u16 = 41;
pub const EBL: u16 = 65300;

/// One record, its data in wire form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rr {
    pub owner: String,
    pub rtype: u16,
    pub class: u16,
    pub ttl: u32,
    pub rdata: Vec<u8>,
}

impl Rr {
    /// A record with data as given, right or wrong.
    pub fn raw(owner: &str, rtype: u16, ttl: u32, rdata: &[u8]) -> Self {
        Self {
            owner: owner.trim_end_matches('.').to_owned(),
            rtype,
            class: 1,
            ttl,
            rdata: rdata.to_vec(),
        }
    }

    pub fn a(owner: &str, ttl: u32, address: &str) -> Self {
        let address: Ipv4Addr = address.parse().expect("IPv4 address");
        Self::raw(owner, A, ttl, &address.octets())
    }

    pub fn aaaa(owner: &str, ttl: u32, address: &str) -> Self {
        let address: Ipv6Addr = address.parse().expect("IPv6 address");
        Self::raw(owner, AAAA, ttl, &address.octets())
    }

    pub fn cname(owner: &str, ttl: u32, target: &str) -> Self {
        Self::raw(owner, CNAME, ttl, &name(target))
    }

    pub fn ns(owner: &str, ttl: u32, target: &str) -> Self {
        Self::raw(owner, NS, ttl, &name(target))
    }

    pub fn ptr(owner: &str, ttl: u32, target: &str) -> Self {
        Self::raw(owner, PTR, ttl, &name(target))
    }

    pub fn srv(owner: &str, ttl: u32, priority: u16, weight: u16, port: u16, target: &str) -> Self {
        let mut rdata = Vec::new();
        for number in [priority, weight, port] {
            rdata.extend(number.to_be_bytes());
        }
        rdata.extend(name(target));
        Self::raw(owner, SRV, ttl, &rdata)
    }

    /// `numbers` = order and preference, `strings` = flags, services, regexp.
    pub fn naptr(
        owner: &str,
        ttl: u32,
        numbers: (u16, u16),
        strings: (&str, &str, &str),
        replacement: &str,
    ) -> Self {
        let mut rdata = Vec::new();
        rdata.extend(numbers.0.to_be_bytes());
        rdata.extend(numbers.1.to_be_bytes());
        for text in [strings.0, strings.1, strings.2] {
            rdata.extend(string(text.as_bytes()));
        }
        rdata.extend(name(replacement));
        Self::raw(owner, NAPTR, ttl, &rdata)
    }

    pub fn txt(owner: &str, ttl: u32, strings: &[&str]) -> Self {
        let rdata: Vec<u8> = strings.iter().flat_map(|s| string(s.as_bytes())).collect();
        Self::raw(owner, TXT, ttl, &rdata)
    }

    pub fn ebl(owner: &str, ttl: u32, position: u8, separator: &str, apex: &str) -> Self {
        let mut rdata = vec![position];
        rdata.extend(string(separator.as_bytes()));
        rdata.extend(name(apex));
        Self::raw(owner, EBL, ttl, &rdata)
    }

    pub fn soa(owner: &str, ttl: u32, minimum: u32) -> Self {
        let mut rdata = name("ns.invalid");
        rdata.extend(name("hostmaster.invalid"));
        for number in [1, 3600, 600, 86400, minimum] {
            rdata.extend(number.to_be_bytes());
        }
        Self::raw(owner, SOA, ttl, &rdata)
    }

    /// The same record with another class.
    pub fn with_class(mut self, class: u16) -> Self {
        self.class = class;
        self
    }

    /// Appends the record in wire form, its names without compression.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(name(&self.owner));
        out.extend(self.rtype.to_be_bytes());
        out.extend(self.class.to_be_bytes());
        out.extend(self.ttl.to_be_bytes());
        out.extend((self.rdata.len() as u16).to_be_bytes());
        out.extend(&self.rdata);
    }
}

/// A name in wire form; `\` quotes the next character.
pub fn name(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut label = Vec::new();
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        match octet {
            b'.' => finish_label(&mut out, &mut label),
            b'\\' => label.extend(octets.next()),
            other => label.push(other),
        }
    }
    finish_label(&mut out, &mut label);
    out.push(0);
    out
}

fn finish_label(out: &mut Vec<u8>, label: &mut Vec<u8>) {
    if !label.is_empty() {
        out.push(u8::try_from(label.len()).expect("label fits"));
        out.append(label);
    }
}

/// A character string in wire form.
pub fn string(octets: &[u8]) -> Vec<u8> {
    let mut out = vec![u8::try_from(octets.len()).expect("string fits")];
    out.extend(octets);
    out
}

/// A header: id, the 16 flag bits, the four counts.
pub fn header(id: u16, flags: u16, counts: [u16; 4]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(id.to_be_bytes());
    out.extend(flags.to_be_bytes());
    for count in counts {
        out.extend(count.to_be_bytes());
    }
    out
}

/// A whole reply to a question of class IN.
pub fn message(
    id: u16,
    flags: u16,
    question: (&str, u16),
    [answers, authorities, additional]: [&[Rr]; 3],
) -> Vec<u8> {
    let counts = [
        1,
        answers.len() as u16,
        authorities.len() as u16,
        additional.len() as u16,
    ];
    let mut out = header(id, flags, counts);
    out.extend(name(question.0));
    out.extend(question.1.to_be_bytes());
    out.extend(1_u16.to_be_bytes());
    for record in answers.iter().chain(authorities).chain(additional) {
        record.write(&mut out);
    }
    out
}
