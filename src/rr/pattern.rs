//! Patterns of names, as operators write them.

/// True when a name fits a pattern: `*` stands for any octets, `?` for one, letter case is ignored.
#[must_use]
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // Position behind the last `*`, and how much of the name it stands for at least.
    let (mut star, mut swallowed) = (None, 0);
    let (mut at, mut read) = (0, 0);
    while let Some(octet) = name.get(read) {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                (star, swallowed) = (Some(at), read);
            }
            Some(wanted) if *wanted == b'?' || wanted.eq_ignore_ascii_case(octet) => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some(behind) = star else { return false };
                swallowed += 1;
                (at, read) = (behind, swallowed);
            }
        }
    }
    pattern.iter().skip(at).all(|octet| *octet == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, fits) in [
            ("a.example", "A.Example", true),
            ("a.example", "a.example.", false),
            ("*.example", "a.b.example", true),
            ("*.example", "example", false),
            ("_sip*EXAMPLE", "_sip._udp.example", true),
            ("*", "", true),
            ("**", "x", true),
            ("", "", true),
            ("", "x", false),
            ("?.example", "a.example", true),
            ("?.example", "ab.example", false),
            ("*a*b", "xaxbxab", true),
            ("*a*b", "xaxbxa", false),
        ] {
            let got = matches(pattern.as_bytes(), name.as_bytes());
            assert_eq!(got, fits, "{pattern} {name}");
        }
    }
}
