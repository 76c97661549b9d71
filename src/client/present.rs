//! Data of a record as a DNS message has it, and as a zone file does.

use std::fmt::Write as _;

use crate::rr::{Name, RData};

/// The data as in a message (RFC 1035 section 3.3), names not compressed.
#[must_use]
pub fn wire(rdata: &RData) -> Vec<u8> {
    match rdata {
        RData::A(address) => address.octets().to_vec(),
        RData::Aaaa(address) => address.octets().to_vec(),
        RData::Cname(name) | RData::Ptr(name) => wire_name(name),
        RData::Srv(srv) => {
            let numbers = [srv.priority, srv.weight, srv.port];
            let mut data: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
            data.extend(wire_name(&srv.target));
            data
        }
        RData::Naptr(naptr) => {
            let numbers = [naptr.order, naptr.preference];
            let mut data: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
            for text in [&naptr.flags, &naptr.services, &naptr.regexp] {
                data.extend(wire_text(text));
            }
            data.extend(wire_name(&naptr.replacement));
            data
        }
        RData::Txt(texts) => texts.iter().flat_map(|text| wire_text(text)).collect(),
        RData::Ebl {
            position,
            separator,
            apex,
        } => {
            let mut data = vec![*position];
            data.extend(wire_text(separator));
            data.extend(wire_name(apex));
            data
        }
        RData::Other => Vec::new(),
    }
}

fn wire_text(text: &[u8]) -> Vec<u8> {
    let text = text.get(..usize::from(u8::MAX)).unwrap_or(text);
    [&[text.len() as u8], text].concat()
}

/// The labels of a name, as the library has them: separated by dots.
fn labels(name: &Name) -> impl Iterator<Item = &[u8]> {
    let labels = name.as_bytes().split(|octet| *octet == b'.');
    labels.filter(|label| !label.is_empty())
}

fn wire_name(name: &Name) -> Vec<u8> {
    let mut data = Vec::with_capacity(name.as_bytes().len() + 2);
    for label in labels(name) {
        data.push(label.len() as u8);
        data.extend_from_slice(label);
    }
    data.push(0);
    data
}

/// The data as in a zone file.
#[must_use]
pub fn text(rdata: &RData) -> String {
    match rdata {
        RData::A(address) => address.to_string(),
        RData::Aaaa(address) => address.to_string(),
        RData::Cname(name) | RData::Ptr(name) => text_name(name),
        RData::Srv(srv) => format!(
            "{} {} {} {}",
            srv.priority,
            srv.weight,
            srv.port,
            text_name(&srv.target)
        ),
        RData::Naptr(naptr) => format!(
            "{} {} {} {} {} {}",
            naptr.order,
            naptr.preference,
            quoted(&naptr.flags),
            quoted(&naptr.services),
            quoted(&naptr.regexp),
            text_name(&naptr.replacement)
        ),
        RData::Txt(texts) => {
            let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
            texts.join(" ")
        }
        RData::Ebl {
            position,
            separator,
            apex,
        } => format!("{position} {} {}", quoted(separator), text_name(apex)),
        RData::Other => String::new(),
    }
}

fn quoted(octets: &[u8]) -> String {
    let mut text = String::from("\"");
    escape(octets, b"\"\\", &mut text);
    text.push('"');
    text
}

fn text_name(name: &Name) -> String {
    let mut text = String::new();
    for label in labels(name) {
        escape(label, b"\"\\;()@$ ", &mut text);
        text.push('.');
    }
    if text.is_empty() {
        text.push('.');
    }
    text
}

/// Adds octets as RFC 1035 section 5.1 writes them.
fn escape(octets: &[u8], special: &[u8], text: &mut String) {
    for octet in octets {
        match octet {
            octet if special.contains(octet) => {
                text.push('\\');
                text.push(char::from(*octet));
            }
            b' '..=b'~' => text.push(char::from(*octet)),
            octet => {
                let _infallible = write!(text, "\\{octet:03}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rr::{Naptr, Srv};

    #[test]
    fn records_as_messages_and_zone_files_have_them() {
        let target = Name::from_text(b"a.example").unwrap();
        let srv = RData::Srv(Srv {
            priority: 1,
            weight: 2,
            port: 5060,
            target: target.clone(),
        });
        assert_eq!(wire(&srv), b"\0\x01\0\x02\x13\xC4\x01a\x07example\0");
        assert_eq!(text(&srv), "1 2 5060 a.example.");
        let naptr = RData::Naptr(Naptr {
            order: 10,
            preference: 20,
            flags: b"s".as_slice().into(),
            services: b"SIP+D2U".as_slice().into(),
            regexp: b"\"\\\x01".as_slice().into(),
            replacement: Name::from_text(b".").unwrap(),
        });
        assert_eq!(wire(&naptr), b"\0\x0A\0\x14\x01s\x07SIP+D2U\x03\"\\\x01\0");
        assert_eq!(text(&naptr), r#"10 20 "s" "SIP+D2U" "\"\\\001" ."#);
        let texts = RData::Txt(vec![b"one".as_slice().into(), b"".as_slice().into()]);
        assert_eq!(wire(&texts), b"\x03one\0");
        assert_eq!(text(&texts), r#""one" """#);
    }
}
