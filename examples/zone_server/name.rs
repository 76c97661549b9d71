//! Domain names: labels of octets, compared without regard to ASCII case.

use std::fmt;

/// A domain name, without the root label; the root is the name without labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Name {
    labels: Vec<Vec<u8>>,
}

/// Longest name on the wire, length octets and root label included (RFC 1035 section 2.3.4).
const MAX_WIRE_OCTETS: usize = 255;
const MAX_LABEL_OCTETS: usize = 63;

impl Name {
    /// A name from its labels; `None` when a label or the whole is empty, or too long.
    pub(crate) fn from_labels(labels: Vec<Vec<u8>>) -> Option<Self> {
        let fits = labels
            .iter()
            .all(|l| (1..=MAX_LABEL_OCTETS).contains(&l.len()));
        let wire: usize = labels.iter().map(|l| l.len() + 1).sum::<usize>() + 1;
        (fits && wire <= MAX_WIRE_OCTETS).then_some(Self { labels })
    }

    /// Reads the text form of a master file (RFC 1035 section 5.1): `@` is the origin, a name
    /// without a final dot is completed with it, `\.` and `\DDD` are single octets.
    pub(crate) fn parse(text: &[u8], origin: &Self) -> Result<Self, String> {
        let shown = String::from_utf8_lossy(text).into_owned();
        if text == b"@" {
            return Ok(origin.clone());
        }
        if text == b"." {
            return Ok(Self::default());
        }
        let mut labels = vec![Vec::new()];
        let mut rest = text;
        let mut absolute = false;
        while let Some((&octet, tail)) = rest.split_first() {
            rest = tail;
            absolute = false;
            match octet {
                b'.' => {
                    absolute = rest.is_empty();
                    if !absolute {
                        labels.push(Vec::new());
                    }
                }
                b'\\' => {
                    let (value, used) =
                        unescape(rest).ok_or_else(|| format!("bad escape in name '{shown}'"))?;
                    rest = rest.get(used..).unwrap_or_default();
                    if let Some(label) = labels.last_mut() {
                        label.push(value);
                    }
                }
                other => {
                    if let Some(label) = labels.last_mut() {
                        label.push(other);
                    }
                }
            }
        }
        if !absolute {
            labels.extend(origin.labels.iter().cloned());
        }
        Self::from_labels(labels).ok_or_else(|| format!("not a domain name: '{shown}'"))
    }

    /// The labels, leftmost first.
    pub(crate) fn labels(&self) -> &[Vec<u8>] {
        &self.labels
    }

    /// The name in the form under which it is stored and compared.
    pub(crate) fn key(&self) -> Vec<u8> {
        let mut key = Vec::new();
        for label in &self.labels {
            key.push(label.len() as u8);
            key.extend(label.iter().map(u8::to_ascii_lowercase));
        }
        key
    }

    /// True when this is the other name or lies below it.
    pub(crate) fn is_within(&self, ancestor: &Self) -> bool {
        let (own, other) = (&self.labels, &ancestor.labels);
        own.len() >= other.len()
            && own
                .iter()
                .rev()
                .zip(other.iter().rev())
                .all(|(a, b)| a.eq_ignore_ascii_case(b))
    }

    /// The name without its leftmost label; `None` for the root.
    pub(crate) fn parent(&self) -> Option<Self> {
        let (_, rest) = self.labels.split_first()?;
        Some(Self {
            labels: rest.to_vec(),
        })
    }
}

/// Reads what follows a backslash: the octet, and how many octets of text it took.
pub(crate) fn unescape(text: &[u8]) -> Option<(u8, usize)> {
    let first = *text.first()?;
    if !first.is_ascii_digit() {
        return Some((first, 1));
    }
    let digits = std::str::from_utf8(text.get(..3)?).ok()?;
    Some((digits.parse().ok()?, 3))
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.labels.is_empty() {
            return f.write_str(".");
        }
        for label in &self.labels {
            for &octet in label {
                match octet {
                    b'.' | b'\\' | b'"' | b';' => write!(f, "\\{}", char::from(octet))?,
                    0x21..=0x7e => write!(f, "{}", char::from(octet))?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text.as_bytes(), &Name::default()).unwrap()
    }

    #[test]
    fn relative_names_take_the_origin() {
        let origin = name("example.org.");
        let of = |text: &str| Name::parse(text.as_bytes(), &origin).unwrap().to_string();
        assert_eq!(of("sip1"), "sip1.example.org.");
        assert_eq!(of("_sip._udp"), "_sip._udp.example.org.");
        assert_eq!(of("sip1.example.net."), "sip1.example.net.");
        assert_eq!(of("@"), "example.org.");
        assert_eq!(of("."), ".");
    }

    #[test]
    fn escapes_stand_for_one_octet() {
        let escaped = name(r"a\.b\000c.org.");
        assert_eq!(escaped.labels().len(), 2);
        assert_eq!(escaped.labels()[0], b"a.b\0c");
        assert_eq!(escaped.to_string(), r"a\.b\000c.org.");
    }

    #[test]
    fn impossible_names_are_refused() {
        let origin = Name::default();
        for text in ["a..b.", ".a.", r"a\99", r"a\256.", "a\\", &"x".repeat(64)] {
            assert!(Name::parse(text.as_bytes(), &origin).is_err(), "{text}");
        }
        let long = ["x".repeat(63), "y".repeat(63), "z".repeat(63)].join(".");
        assert!(Name::parse(format!("{long}.{}", "w".repeat(61)).as_bytes(), &origin).is_ok());
        assert!(Name::parse(format!("{long}.{}", "w".repeat(62)).as_bytes(), &origin).is_err());
    }

    #[test]
    fn names_compare_without_case() {
        assert_eq!(
            name("SIP1.Example.Org.").key(),
            name("sip1.example.org.").key()
        );
        assert!(name("a.EXAMPLE.org.").is_within(&name("example.org.")));
        assert!(name("example.org.").is_within(&name("example.org.")));
        assert!(!name("badexample.org.").is_within(&name("example.org.")));
        assert!(!name("org.").is_within(&name("example.org.")));
        assert_eq!(name("a.b.").parent(), Some(name("b.")));
        assert_eq!(Name::default().parent(), None);
    }
}
