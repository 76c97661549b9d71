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

    /// A record as a line of a zone file has it: owner, TTL and class, which may both be left out, type, data. All names
    /// are absolute, with or without a dot at their end.
    pub fn read(line: &str, default_ttl: u32) -> Result<Self, String> {
        Self::from_words(&words(line), default_ttl).ok_or(format!("not a record: {line}"))
    }

    /// The same of the words of the line; a text in quotes is one word.
    pub fn from_words<W: AsRef<str>>(words: &[W], default_ttl: u32) -> Option<Self> {
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        let (&owner, mut rest) = words.split_first()?;
        let mut ttl = default_ttl;
        if let Some(number) = rest.first().and_then(|word| word.parse().ok()) {
            (ttl, rest) = (number, &rest[1..]);
        }
        rest = rest.strip_prefix(&["IN"]).unwrap_or(rest);
        let (rtype, data) = rest.split_first()?;
        let number = |word: &&str| word.parse::<u16>().ok();
        Some(match (type_number(rtype)?, data) {
            (rtype, ["\\#", length, octets @ ..]) => {
                let octets = hex(&octets.concat())?;
                (octets.len().to_string() == **length).then_some(())?;
                Self::raw(owner, rtype, ttl, &octets)
            }
            (A, [address]) => Self::raw(owner, A, ttl, &address.parse::<Ipv4Addr>().ok()?.octets()),
            (AAAA, [address]) => Self::raw(
                owner,
                AAAA,
                ttl,
                &address.parse::<Ipv6Addr>().ok()?.octets(),
            ),
            (NS, [target]) => Self::ns(owner, ttl, target),
            (CNAME, [target]) => Self::cname(owner, ttl, target),
            (PTR, [target]) => Self::ptr(owner, ttl, target),
            (SRV, [priority, weight, port, target]) => {
                let [priority, weight, port] = [number(priority)?, number(weight)?, number(port)?];
                Self::srv(owner, ttl, priority, weight, port, target)
            }
            (NAPTR, [order, preference, flags, services, regexp, replacement]) => {
                let numbers = (number(order)?, number(preference)?);
                Self::naptr(owner, ttl, numbers, (flags, services, regexp), replacement)
            }
            (TXT, strings) => Self::txt(owner, ttl, strings),
            (SOA, [_, _, _, _, _, _, minimum, ..]) => Self::soa(owner, ttl, minimum.parse().ok()?),
            _ => return None,
        })
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

/// Types that texts of tests name.
const TYPES: [(&str, u16); 9] = [
    ("A", A),
    ("NS", NS),
    ("CNAME", CNAME),
    ("SOA", SOA),
    ("PTR", PTR),
    ("TXT", TXT),
    ("AAAA", AAAA),
    ("SRV", SRV),
    ("NAPTR", NAPTR),
];

/// The number of a type that has a name here, or is written as `TYPE257`.
pub fn type_number(text: &str) -> Option<u16> {
    let upper = text.to_ascii_uppercase();
    let known = TYPES.iter().find(|(name, _)| *name == upper);
    let number = || upper.strip_prefix("TYPE")?.parse().ok();
    known.map(|(_, number)| *number).or_else(number)
}

/// How a type is written.
pub fn type_name(number: u16) -> String {
    let known = TYPES.iter().find(|(_, known)| *known == number);
    known.map_or_else(|| format!("TYPE{number}"), |(name, _)| (*name).to_owned())
}

/// The words of a line, up to a `;` that begins a comment. A text in quotes is one word, without the quotes.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quoted) = (None::<String>, false);
    for character in line.chars() {
        match character {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ';' if !quoted => break,
            space if space.is_whitespace() && !quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let octet = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(octet).collect()
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
