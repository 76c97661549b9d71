//! The wire form of a name, made of its text.

use smallvec::SmallVec;

use super::wire::{MAX_WIRE_NAME_OCTETS, is_plain};

/// Octets that the question section has beyond the text of its name: two of the name, type, class.
const QUESTION_ROOM: usize = 6;
/// Octets of a name on the wire, or of a question section, that need no memory of their own: most are that short.
const SHORT_OCTETS: usize = 48;
/// A name on the wire, or a question section.
pub(super) type Octets = SmallVec<[u8; SHORT_OCTETS]>;

/// The kinds of octets in a name's text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An octet of a label.
    OfLabel,
    /// The dot between labels.
    Dot,
    /// An octet that names do not have.
    Refused,
}

/// The kind of each octet, in names of hosts and in any.
type Kinds = [Kind; 256];

const fn kinds(all: bool) -> Kinds {
    let mut table = [Kind::Refused; 256];
    let mut octet = 0_u8;
    loop {
        if octet == b'.' {
            table[octet as usize] = Kind::Dot;
        } else if all || is_plain(octet) {
            table[octet as usize] = Kind::OfLabel;
        }
        if octet == u8::MAX {
            break table;
        }
        octet += 1;
    }
}

static IN_HOST_NAMES: Kinds = kinds(false);
static IN_ANY_NAME: Kinds = kinds(true);

/// The wire form of a name in text form.
///
/// `None` when no wire name has this text: an empty label, a label of more than 63 octets, more
/// than 255 octets in all, a broken escape. The root is one octet. There is room for a question's type and
/// class behind the name.
pub(super) fn name_of_text(text: &[u8]) -> Option<Octets> {
    if !text.contains(&b'\\') {
        return name_of_plain_text(text);
    }
    let mut wire = Octets::with_capacity(text.len() + QUESTION_ROOM);
    // The length of the label under way is filled in at its end.
    let mut length_at = 0;
    wire.push(0);
    let finish = |wire: &mut Octets, length_at: &mut usize| {
        let length = u8::try_from(wire.len() - *length_at - 1).ok();
        let length = length.filter(|length| (1..=63).contains(length))?;
        *wire.get_mut(*length_at)? = length;
        *length_at = wire.len();
        wire.push(0);
        Some(())
    };
    let mut octets = text.iter().copied();
    while let Some(octet) = octets.next() {
        match octet {
            b'.' => finish(&mut wire, &mut length_at)?,
            b'\\' => match octets.next()? {
                digit @ b'0'..=b'9' => {
                    let mut value = u16::from(digit - b'0');
                    for _ in 0..2 {
                        let digit = octets.next().filter(u8::is_ascii_digit)?;
                        value = value * 10 + u16::from(digit - b'0');
                    }
                    wire.push(u8::try_from(value).ok()?);
                }
                quoted => wire.push(quoted),
            },
            other => wire.push(other),
        }
    }
    // A trailing dot is allowed: the root's octet stands there already.
    if wire.len() > length_at + 1 {
        finish(&mut wire, &mut length_at)?;
    }
    (wire.len() <= MAX_WIRE_NAME_OCTETS).then_some(wire)
}

/// The wire form of a name that may be asked for: letters, digits, `-` and `_`. `None` for any other, and where
/// [`name_of_text`] gives that.
pub(super) fn name_of_host_name(text: &[u8]) -> Option<Octets> {
    if text.is_empty() {
        return None;
    }
    name_of_labels(text, &IN_HOST_NAMES)
}

/// As [`name_of_text`], for text without escapes.
pub(super) fn name_of_plain_text(text: &[u8]) -> Option<Octets> {
    name_of_labels(text, &IN_ANY_NAME)
}

/// Puts lengths in the places of the dots. `None` also when an octet is refused.
#[inline]
fn name_of_labels(text: &[u8], kinds: &Kinds) -> Option<Octets> {
    let text = text.strip_suffix(b".").unwrap_or(text);
    if text.len() + 2 > MAX_WIRE_NAME_OCTETS && !text.is_empty() {
        return None;
    }
    if text.is_empty() {
        return Some(Octets::from_slice(&[0]));
    }
    // Zeros around the text: the length in front of it, and the root behind.
    let mut short = [0; SHORT_OCTETS];
    let length = text.len() + 2;
    if length + QUESTION_ROOM > SHORT_OCTETS {
        let mut wire = Octets::from_elem(0, length + QUESTION_ROOM);
        wire.truncate(length);
        put_labels(&mut wire, text, kinds)?;
        return Some(wire);
    }
    put_labels(short.get_mut(..length)?, text, kinds)?;
    Some(Octets::from_buf_and_len(short, length))
}

/// Writes the text behind the first octet, with lengths in the places of the dots.
#[inline]
fn put_labels(wire: &mut [u8], text: &[u8], kinds: &Kinds) -> Option<()> {
    let (first, labels) = wire.split_first_mut()?;
    let mut rest = labels.get_mut(..text.len())?;
    rest.copy_from_slice(text);
    // From the end, so that each length is known where its octet comes.
    let mut end = rest.len();
    while let [before @ .., octet] = rest {
        match kinds[usize::from(*octet)] {
            Kind::OfLabel => {}
            Kind::Dot => {
                *octet = label_length(end - before.len() - 1)?;
                end = before.len();
            }
            Kind::Refused => return None,
        }
        rest = before;
    }
    *first = label_length(end)?;
    Some(())
}

/// The length of a label as the octet in front of it.
#[inline]
fn label_length(length: usize) -> Option<u8> {
    u8::try_from(length)
        .ok()
        .filter(|length| (1..=63).contains(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_no_name() {
        for bad in [
            &b"a..b"[..],
            b".a",
            b"..",
            b"a\\",
            b"a\\25",
            b"a\\256",
            &[b'a'; 64],
        ] {
            assert_eq!(name_of_text(bad), None, "{}", String::from_utf8_lossy(bad));
        }
        assert_eq!(name_of_text(b"a.b.").unwrap().as_slice(), b"\x01a\x01b\x00");
        assert_eq!(name_of_text(b"a.b").unwrap().as_slice(), b"\x01a\x01b\x00");
        assert_eq!(name_of_text(b".").unwrap().as_slice(), b"\x00");
        assert_eq!(name_of_text(&b"a.".repeat(128)), None, "257 octets");
        assert_eq!(name_of_text(&b"a.".repeat(127)).unwrap().len(), 255);
    }

    #[test]
    fn plain_text_is_written_as_escaped_text_is() {
        for text in [
            "a",
            "a.b",
            "example.org.",
            "_sip._udp.example.org",
            "a..b",
            ".a",
            "a\0b",
        ] {
            let escaped = text.replacen('a', "\\097", 1);
            assert_eq!(
                name_of_text(text.as_bytes()),
                name_of_text(escaped.as_bytes()),
                "{text}"
            );
        }
    }

    #[test]
    fn host_names_are_plain_names_of_few_octets() {
        for octet in 0..=255u8 {
            let text = [b'a', octet, b'b'];
            let plain = name_of_plain_text(&text).filter(|_| crate::rr::is_host_name(&text));
            assert_eq!(name_of_host_name(&text), plain, "{octet}");
        }
        for text in [
            "",
            ".",
            "a.",
            "a..",
            "a.b-c._d",
            &"a.".repeat(127),
            &"a.".repeat(128),
        ] {
            let plain = name_of_plain_text(text.as_bytes());
            let usable = crate::rr::is_host_name(text.as_bytes());
            assert_eq!(name_of_host_name(text.as_bytes()), plain.filter(|_| usable));
        }
    }
}
