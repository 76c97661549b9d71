//! Reads names and numbers of a DNS message, with a bound on the work.
//!
//! The octets come from the network, so every read is checked against the message's end, and a compression pointer must
//! go back (so no loop can exist). All names of one message share a [`Budget`], so a crafted message costs no more than
//! an honest one of its size.

use crate::rr::{MAX_NAME_OCTETS, Name};

/// Longest name on the wire, in octets (RFC 1035 section 3.1).
pub(super) const MAX_WIRE_NAME_OCTETS: usize = 255;
/// Pointers followed for one name: more than its 127 labels at most can never be needed.
const MAX_HOPS: usize = 127;
/// Labels and pointers read for the names of one message. An answer of 64 KiB that is full of
/// compressed records needs about half of it.
const MAX_STEPS: u32 = 50_000;

/// Steps that may still be spent on the names of one message.
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

    /// Reads an octet.
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
pub(super) const fn is_plain(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_'
}

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

#[cfg(test)]
mod tests {
    use super::super::wire_name::name_of_text;
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
