//! Domain names in the text form that the C interface speaks.

use std::fmt;

use smallvec::SmallVec;

use super::MAX_NAME_OCTETS;

/// Longest text that needs no memory of its own, octets: nearly all names of hosts and services.
const SHORT_OCTETS: usize = 40;

/// A domain name as text without trailing dot, at most [`MAX_NAME_OCTETS`] octets.
///
/// Octets that are special in master files arrive escaped (`\.`, `\000`), as `dn_expand()` writes
/// them. The root is the empty name. Comparison ignores ASCII case, the spelling is kept.
#[derive(Eq)]
pub struct Name(SmallVec<[u8; SHORT_OCTETS]>);

impl Name {
    /// Makes a name from text; one trailing dot is dropped.
    ///
    /// Returns `None` when the text is longer than [`MAX_NAME_OCTETS`] octets or holds a NUL.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let text = strip_root(text);
        (text.len() <= MAX_NAME_OCTETS && !has_nul(text)).then(|| Self(SmallVec::from_slice(text)))
    }

    /// As [`Self::from_text`], for text that was found to have no NUL.
    pub(crate) fn from_host_name(text: &[u8]) -> Option<Self> {
        let text = strip_root(text);
        (text.len() <= MAX_NAME_OCTETS).then(|| Self(SmallVec::from_slice(text)))
    }

    /// The text, without trailing dot.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Length of the text in octets, 0 to 255.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// True for the root name.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl Clone for Name {
    fn clone(&self) -> Self {
        Self(SmallVec::from_slice(&self.0))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        eq_ignore_case(&self.0, &other.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nearly all octets that do not show are escaped in the name itself.
        self.0.iter().try_for_each(|octet| match octet {
            b' '..=b'~' => write!(f, "{}", char::from(*octet)),
            _ => write!(f, "\\x{octet:02x}"),
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// True when an octet of the text is 0; for names, which are short: eight octets at a time.
#[inline]
pub(crate) fn has_nul(text: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let nul_in = |octets: &[u8; 8]| {
        let word = u64::from_ne_bytes(*octets);
        word.wrapping_sub(ONES) & !word & (0x80 * ONES) != 0
    };
    // The last eight may have been looked at already.
    match text.last_chunk::<8>() {
        Some(last) => {
            let (eights, _) = text.as_chunks::<8>();
            eights
                .iter()
                .fold(nul_in(last), |found, octets| found | nul_in(octets))
        }
        None => text.contains(&0),
    }
}

/// Drops one trailing dot unless it is escaped.
pub(crate) fn strip_root(text: &[u8]) -> &[u8] {
    match text {
        [head @ .., b'.'] if trailing_backslashes(head).is_multiple_of(2) => head,
        _ => text,
    }
}

fn trailing_backslashes(text: &[u8]) -> usize {
    text.iter()
        .rev()
        .take_while(|&&octet| octet == b'\\')
        .count()
}

/// Compares names without regard to ASCII case (RFC 4343).
#[must_use]
pub fn eq_ignore_case(a: &[u8], b: &[u8]) -> bool {
    // Mostly the one was copied from the other.
    a == b || a.eq_ignore_ascii_case(b)
}

/// True when every octet may stand in a queried host name: letter, digit, `.`, `-`, `_`.
#[must_use]
pub fn is_host_name(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|&octet| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_'))
}

/// True when `name` equals `zone` or lies below it; names without trailing dot.
#[must_use]
pub fn is_subdomain(name: &[u8], zone: &[u8]) -> bool {
    let Some(cut) = name.len().checked_sub(zone.len()) else {
        return false;
    };
    if zone.is_empty() {
        return true;
    }
    let (head, tail) = name.split_at(cut);
    eq_ignore_case(tail, zone)
        && match head {
            [] => true,
            [label @ .., b'.'] => trailing_backslashes(label).is_multiple_of(2),
            _ => false,
        }
}

/// True when a name ends in the labels of another and has more of them: whoever cuts labels off comes there. Unlike
/// [`is_subdomain`] it takes each dot for one between labels, escaped or not.
pub(crate) fn is_below(name: &[u8], owner: &[u8]) -> bool {
    let head = name.len().checked_sub(owner.len());
    let parts = head.and_then(|length| name.split_at_checked(length));
    parts.is_some_and(|(head, tail)| head.ends_with(b".") && eq_ignore_case(tail, owner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_dot_is_dropped_unless_escaped() {
        assert_eq!(Name::from_text(b"a.b.").unwrap().as_bytes(), b"a.b");
        assert_eq!(Name::from_text(b"a\\.").unwrap().as_bytes(), b"a\\.");
        assert_eq!(Name::from_text(b".").unwrap().as_bytes(), b"");
        assert!(Name::from_text(&[b'a'; 256]).is_none());
        assert!(Name::from_text(b"a\0b").is_none());
    }

    #[test]
    fn subdomain_needs_a_label_boundary() {
        assert!(is_subdomain(b"sip.Example.org", b"example.ORG"));
        assert!(is_subdomain(b"example.org", b"example.org"));
        assert!(!is_subdomain(b"badexample.org", b"example.org"));
        assert!(!is_subdomain(b"a\\.example.org", b"example.org"));
        assert!(is_subdomain(b"x", b""));
        assert!(!is_subdomain(b"org", b"example.org"));
    }

    #[test]
    fn host_name_octets() {
        assert!(is_host_name(b"_sip._udp.a-b.org"));
        assert!(!is_host_name(b""));
        assert!(!is_host_name(b"a b"));
        assert!(!is_host_name("ä".as_bytes()));
    }
}
