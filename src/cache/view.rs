//! An entry as a reader sees it who holds no reference.
//!
//! The block may be given to another entry at any moment, so whatever is read here counts only once
//! the bucket's version was found unchanged afterwards. Words are read one at a time, as atomics; any
//! offset is safe, one that makes no sense gives a word of no meaning.

use crate::host::clock::{TICKS_PER_S, is_past};
use crate::rr::{MAX_RRSET_RECORDS, PlainIp, RecordType};
use crate::shm::pages::BlockId;
use crate::shm::sync::{AtomicU32, Ordering};

use super::entry::NegativeKind;
use super::hash::fold_u32;
use super::{HashedName, layout};

/// Words in front of the name.
pub(super) const HEAD: usize = layout::NAME / 4;
/// A block that looked like the entry that is searched.
#[derive(Clone, Copy)]
pub(super) struct View {
    head: &'static [AtomicU32; HEAD],
    /// Name and data.
    tail: &'static [AtomicU32],
    identity: u32,
    /// As asked, which is what the identity says, too.
    rtype: u16,
    pub(super) block: BlockId,
}

impl View {
    /// The view of a block, given its words, if it holds the entry of this name and type.
    #[inline(always)]
    pub(super) fn matching(
        words: &'static [AtomicU32],
        block: BlockId,
        qname: &HashedName<'_>,
        rtype: u16,
    ) -> Option<Self> {
        let name = qname.name();
        let (head, tail) = words.split_first_chunk::<HEAD>()?;
        let view = Self {
            head,
            tail,
            identity: head[layout::IDENTITY / 4].load(Ordering::Relaxed),
            rtype,
            block,
        };
        if view.word(layout::HASH) != qname.hash() {
            return None;
        }
        let scope = qname.scope();
        let asked = u64::from(rtype) | (name.len() as u64) << 24 | u64::from(scope.value);
        let same = u64::from(view.identity & scope.mask) == asked && same_name(tail, name);
        same.then_some(view)
    }

    /// A word of the fixed part.
    #[inline]
    pub(super) fn word(&self, offset: usize) -> u32 {
        self.head[offset / 4].load(Ordering::Relaxed)
    }

    /// A word of the name or behind it.
    #[inline]
    pub(super) fn data(&self, offset: usize) -> u32 {
        self.tail
            .get((offset - layout::NAME) / 4)
            .map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// The word that counts its holders.
    #[inline]
    pub(super) fn ref_word(&self) -> &'static AtomicU32 {
        &self.head[layout::REFCNT / 4]
    }

    #[inline]
    fn flags(&self) -> u8 {
        layout::split_identity(self.identity).1
    }

    /// Octets of the name.
    #[inline]
    pub(super) fn name_len(&self) -> u8 {
        layout::split_identity(self.identity).2
    }

    /// True when record 0 is not expired.
    #[inline]
    pub(super) fn is_record_0_live(&self, now: u32) -> bool {
        self.is_permanent() || !is_past(self.word(layout::RR_EXPIRE), now)
    }

    #[inline]
    pub(super) fn is_negative(&self) -> bool {
        self.flags() & layout::FLAG_NEGATIVE != 0
    }

    #[inline]
    fn is_permanent(&self) -> bool {
        self.flags() & layout::FLAG_PERMANENT != 0
    }

    #[inline]
    pub(super) fn is_expired(&self, now: u32) -> bool {
        is_past(self.word(layout::EXPIRE), now) && !self.is_permanent()
    }

    /// The kind of a negative entry.
    #[inline]
    pub(super) fn negative_kind(&self) -> NegativeKind {
        layout::decode_kind(self.word(layout::COUNTS))
    }

    /// Number of records of use.
    #[inline]
    pub(super) fn count(&self) -> usize {
        usize::from(layout::split_counts(self.word(layout::COUNTS)).0).min(MAX_RRSET_RECORDS)
    }

    /// Notes a use, see [`stamp_use`]; true when the look has to be made anew, see [`note_use`].
    #[inline]
    #[must_use]
    pub(super) fn stamp(&self, now: u32) -> bool {
        stamp_use(self.head, now) && note_use(self.head, self.block, now)
    }

    /// The address of a record, `None` when that is expired.
    #[inline(always)]
    pub(super) fn address(&self, index: usize, now: u32) -> Option<PlainIp> {
        let name_len = usize::from(self.name_len());
        let size = if self.rtype == RecordType::A.0 { 4 } else { 16 };
        let expire = match index {
            0 => self.word(layout::RR_EXPIRE),
            _ => self.data(layout::address_expire(name_len, size, index)),
        };
        if is_past(expire, now) && !self.is_permanent() {
            return None;
        }
        let data = layout::address_data(name_len, size, index);
        Some(if size == 4 {
            PlainIp::v4(self.data(data))
        } else {
            PlainIp {
                ipv6: true,
                words: std::array::from_fn(|word| self.data(data + 4 * word)),
            }
        })
    }
}

/// Ticks between two notes of the use of an entry. With [`super::scope::LOOK_MS`] it makes a second.
const USE_INTERVAL: u32 = TICKS_PER_S - 2;

/// Notes a use of an entry, given its fixed part, about once a second, so that hits do not fight for the
/// cache line; true when it did, then [`note_use`] is due. A late write to a reused block changes nothing
/// but a use stamp there.
#[inline(always)]
#[must_use]
pub(super) fn stamp_use(head: &[AtomicU32; HEAD], now: u32) -> bool {
    let word = &head[layout::LAST_USED / 4];
    let stamp = word.load(Ordering::Relaxed);
    let age = now.wrapping_sub(stamp) as i32;
    let is_due = age >= USE_INTERVAL as i32 || !layout::was_used(stamp);
    if is_due {
        word.store(layout::use_stamp(now), Ordering::Relaxed);
    }
    is_due
}

/// Has the refresher know of an entry in use that ends soon. A note about what is not read consistently is of another
/// entry, or of none; the caller that takes it looks again.
///
/// Now is the time, too, to see whether another search list is in force: true when that was so, for the name that was
/// looked for may mean something else then.
#[cold]
#[inline(never)]
#[must_use]
pub(super) fn note_use(head: &[AtomicU32; HEAD], block: BlockId, now: u32) -> bool {
    let word = |offset: usize| head[offset / 4].load(Ordering::Relaxed);
    let (rtype, flags, _) = layout::split_identity(word(layout::IDENTITY));
    let rtype = RecordType(rtype);
    if flags & layout::FLAG_PERMANENT == 0 && rtype != RecordType::CNAME {
        super::due::note_use(
            block,
            rtype,
            word(layout::EXPIRE),
            word(layout::COUNTS),
            now,
        );
    }
    super::scope::another_list_came()
}

/// Compares a name with the words of an entry, letter case ignored.
#[inline(always)]
fn same_name(words: &[AtomicU32], name: &[u8]) -> bool {
    same_spelling(words, name) || same_folded(words, name)
}

/// Compares a name with the words of an entry, spelling included.
///
/// From the end, so that the count of what is left ends the loop; leaves it at the first difference, so that
/// compilers do not unroll it, for names are short.
#[inline(always)]
pub(super) fn same_spelling(words: &[AtomicU32], name: &[u8]) -> bool {
    let (chunks, rest) = name.as_chunks::<4>();
    let mut left = chunks.len();
    // The image is filled with zeros behind the name, and there is at least one.
    if !rest.is_empty() && !is_word(words.get(left), padded(name, rest)) {
        return false;
    }
    while let Some(before) = left.checked_sub(1) {
        left = before;
        if !chunks
            .get(left)
            .is_some_and(|chunk| is_word(words.get(left), *chunk))
        {
            return false;
        }
    }
    true
}

#[inline(always)]
fn is_word(word: Option<&AtomicU32>, octets: [u8; 4]) -> bool {
    word.is_some_and(|word| word.load(Ordering::Relaxed) == u32::from_ne_bytes(octets))
}

/// The octets behind the last whole word, zeros behind them.
#[inline(always)]
fn padded(name: &[u8], rest: &[u8]) -> [u8; 4] {
    match name.last_chunk::<4>() {
        // The last four octets, with those of the word before shifted out.
        Some(last) => {
            let missing = 8 * (4 - rest.len() as u32);
            (u32::from_le_bytes(*last).checked_shr(missing).unwrap_or(0)).to_le_bytes()
        }
        None => std::array::from_fn(|index| rest.get(index).copied().unwrap_or(0)),
    }
}

/// As [`same_spelling`], letter case ignored.
#[cold]
#[inline(never)]
pub(super) fn same_folded(words: &[AtomicU32], name: &[u8]) -> bool {
    let (chunks, rest) = name.as_chunks::<4>();
    let same = |(word, chunk): (&AtomicU32, [u8; 4])| {
        fold_u32(word.load(Ordering::Relaxed)) == fold_u32(u32::from_ne_bytes(chunk))
    };
    words.len() > chunks.len()
        && words.iter().zip(chunks.iter().copied()).all(same)
        && words
            .get(chunks.len())
            .is_none_or(|last| rest.is_empty() || same((last, padded(name, rest))))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn stored(name: &[u8]) -> Vec<AtomicU32> {
        let mut octets = name.to_vec();
        octets.resize((name.len() + 1).next_multiple_of(4), 0);
        let words = octets.as_chunks::<4>().0.iter();
        words
            .map(|c| AtomicU32::new(u32::from_ne_bytes(*c)))
            .collect()
    }

    #[test]
    fn names_of_every_length_compare() {
        for length in 1..40_u8 {
            let name: Vec<u8> = (0..length).map(|i| b'a' + i % 26).collect();
            let words = stored(&name);
            assert!(same_name(&words, &name), "{length}");
            assert!(same_name(&words, &name.to_ascii_uppercase()), "{length}");
            for position in 0..name.len() {
                let mut other = name.clone();
                other[position] = b'-';
                assert!(!same_name(&words, &other), "{length} {position}");
                other[position] = name[position] ^ 0x80;
                assert!(!same_name(&words, &other), "{length} {position}");
            }
        }
    }

    #[test]
    fn letters_alone_have_two_cases() {
        for (one, other) in [(b'[', b'{'), (b'@', b'`'), (b'_', 0x7f), (b'1', 0x11)] {
            assert!(!same_name(&stored(&[one; 9]), &[other; 9]));
        }
    }
}
