//! Reads names and numbers of a DNS message, with a bound on the work.
//!
//! This is the part that faces the network: every read is checked against the message's end, a
//! compression pointer must go back (so no loop can exist), and all names of one message share a
//! [`Budget`], so that a crafted message costs no more than an honest one of its size.

use smallvec::SmallVec;

use crate::rr::{MAX_NAME_OCTETS, Name};

/// Longest name on the wire, in octets (RFC 1035 section 3.1).
const MAX_WIRE_NAME_OCTETS: usize = 255;
/// Pointers followed for one name: more than its 127 labels at most can never be needed.
const MAX_HOPS: usize = 127;
/// Octets that the question section has beyond the text of its name: two of the name, type, class.
const QUESTION_ROOM: usize = 6;
/// Octets of a name on the wire, or of a question section, that need no memory of their own: most are that short.
const SHORT_OCTETS: usize = 48;
/// A name on the wire, or a question section.
pub(super) type Octets = SmallVec<[u8; SHORT_OCTETS]>;
/// Labels and pointers read for the names of one message. An answer of 64 KiB that is full of
/// compressed records needs about half of it.
const MAX_STEPS: u32 = 50_000;

/// What may still be spent on the names of one message.
#[derive(Debug)]
pub(super) struct Budget(u32);

impl Budget {
    /// The budget of one message.
    pub(super) fn new() -> Self {
        Self(MAX_STEPS)
    }

    /// Labels and pointers read so far.
    pub(super) fn spent(&self) -> u32 {
        MAX_STEPS - self.0
    }

    /// Nothing is left.
    pub(super) fn is_spent(&self) -> bool {
        self.0 == 0
    }

    fn take_step(&mut self) -> Option<()> {
        self.0 = self.0.checked_sub(1)?;
        Some(())
    }
}

/// A place in a message, moving forward. Every method returns `None` past the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    message: &'a [u8],
    position: usize,
    /// Reads stop here; at most the message's length.
    end: usize,
}

impl<'a> Reader<'a> {
    /// Starts at an offset of the message.
    pub(super) fn new(message: &'a [u8], position: usize) -> Self {
        Self {
            message,
            position,
            end: message.len(),
        }
    }

    /// Splits off a reader for the next `length` octets and moves behind them. Names read by it
    /// may point back to the whole message.
    pub(super) fn take(&mut self, length: usize) -> Option<Self> {
        let end = self.position.checked_add(length)?;
        if end > self.end {
            return None;
        }
        let part = Self { end, ..*self };
        self.position = end;
        Some(part)
    }

    /// True at the end.
    pub(super) fn is_at_end(&self) -> bool {
        self.position == self.end
    }

    /// The next octets.
    pub(super) fn octets(&mut self, length: usize) -> Option<&'a [u8]> {
        let part = self.take(length)?;
        self.message.get(part.position..part.end)
    }

    /// The next N octets.
    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let rest = self.message.get(self.position..self.end)?;
        let octets = *rest.first_chunk::<N>()?;
        self.position += N;
        Some(octets)
    }

    /// One octet.
    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[octet]| octet)
    }

    /// A 16-bit number.
    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// A 32-bit number.
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A character string: an octet with the length and so many octets.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.u8()?;
        self.octets(usize::from(length))
    }

    /// True when a name stands here that is nothing but a pointer to this offset.
    pub(super) fn points_to(mut self, offset: usize) -> bool {
        self.u16()
            .is_some_and(|pointer| usize::from(pointer) == 0xC000 | offset)
    }

    /// Moves behind a name without looking where its pointer leads.
    pub(super) fn skip_name(&mut self) -> Option<()> {
        let mut length = 0_usize;
        loop {
            match Label::read(self)? {
                Label::Root | Label::Pointer(_) => return Some(()),
                Label::Text(label) => {
                    length += label.len() + 1;
                    if length >= MAX_WIRE_NAME_OCTETS {
                        return None;
                    }
                }
            }
        }
    }

    /// Reads a name and moves behind it.
    ///
    /// `None` if it is malformed, too long (on the wire or as text), or over budget.
    pub(super) fn name(&mut self, budget: &mut Budget) -> Option<Name> {
        let mut text = Text::new();
        let mut length = 1_usize;
        let mut hops = 0;
        let mut place = *self;
        // Pointers must lead to before the octets that were read since the last pointer.
        let mut run_start = self.position;
        let mut after: Option<usize> = None;
        loop {
            budget.take_step()?;
            match Label::read(&mut place)? {
                Label::Root => break,
                Label::Text(label) => {
                    length += label.len() + 1;
                    if length > MAX_WIRE_NAME_OCTETS {
                        return None;
                    }
                    text.add_label(label)?;
                }
                Label::Pointer(target) => {
                    hops += 1;
                    if target >= run_start || hops > MAX_HOPS {
                        return None;
                    }
                    after.get_or_insert(place.position);
                    run_start = target;
                    place = Self::new(self.message, target);
                }
            }
        }
        self.position = after.unwrap_or(place.position);
        Name::from_text(text.as_bytes())
    }
}

/// Text of a name that is being read; on the stack, as most messages hold many.
struct Text {
    octets: [u8; MAX_NAME_OCTETS],
    length: usize,
}

impl Text {
    fn new() -> Self {
        Self {
            octets: [0; MAX_NAME_OCTETS],
            length: 0,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    /// Adds a label and the dot before it; `None` if the text gets too long.
    fn add_label(&mut self, label: &[u8]) -> Option<()> {
        if self.length > 0 {
            self.add(b".")?;
        }
        if label.iter().all(|&octet| is_plain(octet)) {
            return self.add(label);
        }
        let mut escaped = Vec::with_capacity(4 * label.len());
        write_label(&mut escaped, label);
        self.add(&escaped)
    }

    fn add(&mut self, octets: &[u8]) -> Option<()> {
        let end = self.length.checked_add(octets.len())?;
        self.octets
            .get_mut(self.length..end)?
            .copy_from_slice(octets);
        self.length = end;
        Some(())
    }
}

/// True for octets that stand for themselves in text.
const fn is_plain(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_'
}

/// What an octet of a name's text is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It stands in a label.
    OfLabel,
    /// The dot between labels.
    Dot,
    /// It may not be there.
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

enum Label<'a> {
    Root,
    Text(&'a [u8]),
    Pointer(usize),
}

impl<'a> Label<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let first = reader.u8()?;
        match first {
            0 => Some(Self::Root),
            1..=63 => reader.octets(usize::from(first)).map(Self::Text),
            0xC0..=0xFF => {
                let low = reader.u8()?;
                Some(Self::Pointer(
                    usize::from(first & 0x3F) << 8 | usize::from(low),
                ))
            }
            // 01 and 10 in the top bits: extended labels (RFC 6891 section 5), not in use.
            64..=0xBF => None,
        }
    }
}

/// Writes a label as text, escaped the way `dn_expand()` does.
pub(super) fn write_label(text: &mut Vec<u8>, label: &[u8]) {
    for &octet in label {
        match octet {
            b'"' | b'.' | b';' | b'\\' | b'(' | b')' | b'@' | b'$' => text.extend([b'\\', octet]),
            0x21..=0x7E => text.push(octet),
            _ => text.extend([
                b'\\',
                b'0' + octet / 100,
                b'0' + octet / 10 % 10,
                b'0' + octet % 10,
            ]),
        }
    }
}

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
    // One trailing dot is allowed: the root's octet stands there already.
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

    fn name_at(message: &[u8], position: usize) -> Option<(Vec<u8>, usize)> {
        let mut reader = Reader::new(message, position);
        let name = reader.name(&mut Budget::new())?;
        Some((name.as_bytes().to_vec(), reader.position))
    }

    #[test]
    fn names_with_pointers() {
        let message = b"\x03org\x00\x07example\xC0\x00\x03sip\xC0\x05!";
        assert_eq!(name_at(message, 0), Some((b"org".to_vec(), 5)));
        assert_eq!(name_at(message, 5), Some((b"example.org".to_vec(), 15)));
        assert_eq!(
            name_at(message, 15),
            Some((b"sip.example.org".to_vec(), 21))
        );
    }

    #[test]
    fn pointers_must_go_back() {
        assert_eq!(name_at(b"\xC0\x00", 0), None);
        assert_eq!(name_at(b"\xC0\x02\x00", 0), None);
        // Back, but into the labels that lead to the pointer: a loop.
        assert_eq!(name_at(b"\x00\x01a\xC0\x01", 1), None);
        assert_eq!(name_at(b"\x00\x01a\xC0\x00", 1), Some((b"a".to_vec(), 5)));
    }

    #[test]
    fn octets_are_escaped_as_dn_expand_does() {
        let message = b"\x04a.\\\x00\x06\"();@$\x00";
        let (text, _) = name_at(message, 0).unwrap();
        assert_eq!(text, b"a\\.\\\\\\000.\\\"\\(\\)\\;\\@\\$");
        assert_eq!(name_of_text(&text).unwrap().as_slice(), message);
    }

    #[test]
    fn root_and_bad_labels() {
        assert_eq!(name_at(b"\x00", 0), Some((Vec::new(), 1)));
        assert_eq!(name_at(b"\x41a\x00", 0), None);
        assert_eq!(name_at(b"\x03ab", 0), None);
        assert_eq!(name_at(b"", 0), None);
    }

    #[test]
    fn too_long_names_are_refused() {
        let mut message = Vec::new();
        for _ in 0..4 {
            message.push(63);
            message.extend([b'a'; 63]);
        }
        message.push(0);
        assert_eq!(name_at(&message, 0), None, "257 octets on the wire");
        let mut message = vec![63];
        message.extend([0; 63]);
        message.extend([10, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
        assert_eq!(
            name_at(&message, 0),
            None,
            "4 octets of text for each of 73"
        );
    }

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

    #[test]
    fn budget_ends_the_work() {
        let mut budget = Budget::new();
        let message = b"\x01a\x01b\x00";
        let mut read = 0;
        while Reader::new(message, 0).name(&mut budget).is_some() {
            read += 1;
        }
        assert_eq!(read, MAX_STEPS / 3);
        assert_eq!(budget.spent(), MAX_STEPS);
    }
}
