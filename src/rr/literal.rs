//! IP literals in the text of SIP URIs and of the C interface.
//!
//! The readers are strict where Kamailio's were not: a text that is no address here is a host name, and the same text
//! never means two hosts (`300.1.1.1` is not `44.1.1.1`). None of them allocates.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Reads four decimal octets. Leading zeros are decimal, up to three digits an octet.
#[must_use]
pub fn parse_ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    // 15 is the longest form; anything longer cannot be one, so a long name costs nothing.
    if text.len() > 15 {
        return None;
    }
    let mut octets = [0_u8; 4];
    let mut parts = text.split(|&octet| octet == b'.');
    for octet in &mut octets {
        *octet = decimal_octet(parts.next()?)?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

fn decimal_octet(digits: &[u8]) -> Option<u8> {
    if digits.is_empty() || digits.len() > 3 {
        return None;
    }
    let mut value = 0_u16;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u16::from(digit - b'0');
    }
    u8::try_from(value).ok()
}

/// Reads an IPv6 address in any form of RFC 4291 section 2.2, with or without brackets around it.
///
/// Zone identifiers are refused: they mean nothing outside this machine.
#[must_use]
pub fn parse_ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    let bare = match text {
        [b'[', inner @ .., b']'] => inner,
        _ => text,
    };
    if bare.len() > 45 || !bare.contains(&b':') {
        return None;
    }
    let mut groups = [0_u16; 8];
    match find_double_colon(bare) {
        None => (read_groups(bare, &mut groups)? == 8).then(|| Ipv6Addr::from(groups)),
        Some(at) => {
            let (head, tail) = (bare.get(..at)?, bare.get(at + 2..)?);
            // The dotted form may only stand at the end of the address.
            if head.contains(&b'.') {
                return None;
            }
            let mut rest = [0_u16; 8];
            let before = read_optional_groups(head, &mut groups)?;
            let after = read_optional_groups(tail, &mut rest)?;
            if before + after > 7 {
                return None;
            }
            for (place, group) in groups.iter_mut().rev().zip(rest.iter().take(after).rev()) {
                *place = *group;
            }
            Some(Ipv6Addr::from(groups))
        }
    }
}

fn find_double_colon(text: &[u8]) -> Option<usize> {
    text.windows(2).position(|pair| pair == b"::")
}

fn read_optional_groups(text: &[u8], groups: &mut [u16; 8]) -> Option<usize> {
    if text.is_empty() {
        return Some(0);
    }
    read_groups(text, groups)
}

/// Reads groups separated by single colons, the last of which may be an IPv4 address; their number.
fn read_groups(text: &[u8], groups: &mut [u16; 8]) -> Option<usize> {
    let mut count = 0;
    let mut parts = text.split(|&octet| octet == b':').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() && part.contains(&b'.') {
            let [a, b, c, d] = parse_ipv4(part)?.octets();
            *groups.get_mut(count)? = u16::from_be_bytes([a, b]);
            *groups.get_mut(count + 1)? = u16::from_be_bytes([c, d]);
            count += 2;
        } else {
            *groups.get_mut(count)? = hex_group(part)?;
            count += 1;
        }
    }
    Some(count)
}

fn hex_group(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || digits.len() > 4 {
        return None;
    }
    let mut value = 0_u16;
    for &digit in digits {
        value = value << 4 | char::from(digit).to_digit(16)? as u16;
    }
    Some(value)
}

/// Octets that an address can begin and end with: hexadecimal digits, colons, brackets.
static AT_THE_ENDS: [bool; 256] = {
    let mut table = [false; 256];
    let mut octet = 0_u8;
    loop {
        table[octet as usize] = octet.is_ascii_hexdigit() || matches!(octet, b':' | b'[' | b']');
        if octet == u8::MAX {
            break table;
        }
        octet += 1;
    }
};

/// Reads an IPv4 address, or an IPv6 address with or without brackets.
///
/// Most names are told from an address by their first or last octet.
#[must_use]
#[inline]
pub fn parse_literal(text: &[u8]) -> Option<IpAddr> {
    if may_be_literal(text) {
        read_literal(text)
    } else {
        None
    }
}

/// False when the text is certainly no address.
#[must_use]
#[inline(always)]
pub fn may_be_literal(text: &[u8]) -> bool {
    let (&[first, ..], &[.., last]) = (text, text) else {
        return false;
    };
    AT_THE_ENDS[usize::from(first)] && AT_THE_ENDS[usize::from(last)]
}

#[inline(never)]
fn read_literal(text: &[u8]) -> Option<IpAddr> {
    match parse_ipv4(text) {
        Some(address) => Some(IpAddr::V4(address)),
        None => parse_ipv6(text).map(IpAddr::V6),
    }
}

#[cfg(all(test, not(any(loom, miri))))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ipv4_forms() {
        assert_eq!(parse_ipv4(b"1.2.3.4"), Some(Ipv4Addr::new(1, 2, 3, 4)));
        assert_eq!(parse_ipv4(b"01.02.03.04"), Some(Ipv4Addr::new(1, 2, 3, 4)));
        assert_eq!(
            parse_ipv4(b"255.255.255.255"),
            Some(Ipv4Addr::new(255, 255, 255, 255))
        );
        for text in [
            "",
            "1",
            "1.2.3",
            "1.2.3.",
            ".1.2.3",
            "1..2.3",
            "...",
            "1.2.3.4.",
            "1.2.3.4.5",
            "300.1.1.1",
            "256.256.256.256",
            "1.2.3.999999",
            "1.2.3.4a",
            "a.b.c.d",
            " 1.2.3.4",
            "1.2.3.4 ",
            "0x1.2.3.4",
            "[1.2.3.4]",
            "0001.2.3.4",
            "1.2.3.+4",
            "1.2.3.4\0",
        ] {
            assert_eq!(parse_ipv4(text.as_bytes()), None, "{text:?}");
            assert_eq!(parse_literal(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn ipv6_forms() {
        for (text, expected) in [
            ("::", "::"),
            ("::1", "::1"),
            ("1::", "1::"),
            ("[::1]", "::1"),
            ("2001:DB8::A", "2001:db8::a"),
            ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
            ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
            ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
            ("1::3:4:5:6:7:8", "1:0:3:4:5:6:7:8"),
            ("1:2:3:4:5:6::8", "1:2:3:4:5:6:0:8"),
            ("1:2:3:4:5:6::", "1:2:3:4:5:6::"),
            ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
            ("::ffff:0102:0304", "::ffff:1.2.3.4"),
            ("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.1"),
            ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
            ("::1.2.3.4", "::1.2.3.4"),
        ] {
            let expected: Ipv6Addr = expected.parse().unwrap();
            assert_eq!(parse_ipv6(text.as_bytes()), Some(expected), "{text}");
        }
        for text in [
            "",
            ":",
            ":::",
            "[]",
            "[",
            "]",
            "[::1",
            "::1]",
            "[[::1]]",
            "1::2::3",
            "1:2:3:4:5:6:7:",
            ":2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7",
            "12345::",
            "fe80::1%eth0",
            "g::1",
            "1:2:3:4:5:6:7:8::",
            "::1:2:3:4:5:6:7:8",
            "1.2.3.4::",
            "::1.2.3.4:5",
            "1:2:3:4:5:6:7:1.2.3.4",
            "::1.2.3",
            "1.2.3.4",
            "abc",
            "::300.1.1.1",
            "1:2:3:4:5:6:7::8:9",
        ] {
            assert_eq!(parse_ipv6(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_standard_reader(address: u128) {
            let address = Ipv6Addr::from(address);
            prop_assert_eq!(parse_ipv6(address.to_string().as_bytes()), Some(address));
        }

        #[test]
        fn accepts_exactly_what_the_standard_reader_accepts(text in "[0-9a-f:.]{0,20}") {
            // The one wanted difference is in IPv4: leading zeros.
            let zeros = text.split(['.', ':']).any(|p| p.len() > 1 && p.starts_with('0'));
            if !zeros || !text.contains('.') {
                prop_assert_eq!(parse_ipv6(text.as_bytes()), text.parse().ok());
                prop_assert_eq!(parse_ipv4(text.as_bytes()), text.parse().ok());
            }
        }
    }
}
