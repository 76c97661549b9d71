//! Keyed hash of names, letter case ignored.
//!
//! Names come from whoever can send a SIP request, so the key is random and drawn at start: nobody outside can aim
//! names at one bucket. The function is a folded multiplication of 64 to 128 bits (the family of wyhash): each step
//! multiplies two words that both depend on secret ones. The last sixteen octets are multiplied by themselves, and the
//! product is mixed with the rest in the end. The function is weaker than `SipHash` against somebody who sees hashes,
//! and costs a quarter. But hashes never leave the process, and a query tells at most how long it took, to within a
//! network's jitter. Should names collide all the same, a search ends after 32 buckets, and an entry without a place is
//! not cached.
#![allow(
    unsafe_code,
    reason = "vector instructions that every machine of the kind has"
)]

/// Hash of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameHash {
    /// Chooses the bucket, feeds the tag and is kept in the entry. [`ABSOLUTE`] tells the two kinds of names
    /// apart, the bit above it is set in all but copies: never 0.
    pub(crate) high: u32,
    low: u32,
}

/// Set in the hash of an absolute name. An entry for a relative name alone stands in the same buckets under a hash
/// without this bit, so that no look for the absolute name finds it.
pub(crate) const ABSOLUTE: u32 = 1;
/// Set in the hash of every name. A copy that leads back to another name (see [`super::owners`]) has a hash without
/// it, so that no look for a name finds the copy.
const SET: u32 = 2;

const ONES: u64 = 0x0101_0101_0101_0101;

/// Lower-cases the ASCII letters of eight octets at once.
#[inline]
fn fold(octets: u64) -> u64 {
    let low_bits = octets & (0x7f * ONES);
    let above_z = low_bits + (0x7f - b'Z' as u64) * ONES;
    let from_a = low_bits + (0x80 - b'A' as u64) * ONES;
    let upper = !octets & (from_a ^ above_z) & (0x80 * ONES);
    octets | (upper >> 2)
}

/// Lower-cases the ASCII letters of four octets at once.
#[inline]
pub(crate) fn fold_u32(octets: u32) -> u32 {
    fold(u64::from(octets)) as u32
}

/// Lower-cases the ASCII letters of sixteen octets; the result as two little-endian words.
#[inline]
fn fold_pair(octets: &[u8; 16]) -> (u64, u64) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE2 is part of every x86_64.
    return unsafe { fold_sse2(octets) };
    #[cfg(not(target_arch = "x86_64"))]
    {
        let both = u128::from_le_bytes(*octets);
        (fold(both as u64), fold((both >> 64) as u64))
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn fold_sse2(octets: &[u8; 16]) -> (u64, u64) {
    use std::arch::x86_64::{
        _mm_add_epi8, _mm_and_si128, _mm_cmplt_epi8, _mm_cvtsi128_si64, _mm_or_si128,
        _mm_set_epi64x, _mm_set1_epi8, _mm_unpackhi_epi64,
    };
    let both = u128::from_le_bytes(*octets);
    let text = _mm_set_epi64x((both >> 64) as i64, both as i64);
    // Moves A to the lowest signed number, so that one comparison finds all of A to Z.
    let from_a = _mm_add_epi8(text, _mm_set1_epi8((0x80 - b'A') as i8));
    let upper = _mm_cmplt_epi8(from_a, _mm_set1_epi8(-128 + 26));
    let folded = _mm_or_si128(text, _mm_and_si128(upper, _mm_set1_epi8(0x20)));
    (
        _mm_cvtsi128_si64(folded) as u64,
        _mm_cvtsi128_si64(_mm_unpackhi_epi64(folded, folded)) as u64,
    )
}

#[inline]
fn multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Up to sixteen octets as two folded words; together with the length they tell names apart.
#[inline]
fn short(name: &[u8]) -> (u64, u64) {
    let wide = |chunk: Option<&[u8; 8]>| chunk.map_or(0, |c| u64::from_le_bytes(*c));
    let half = |chunk: Option<&[u8; 4]>| chunk.map_or(0, |c| u64::from(u32::from_le_bytes(*c)));
    let octet = |index: usize| u64::from(name.get(index).copied().unwrap_or(0));
    let (first, last) = match name.len() {
        8.. => (wide(name.first_chunk()), wide(name.last_chunk())),
        4..8 => (half(name.first_chunk()), half(name.last_chunk())),
        _ => (octet(0) | octet(1) << 8 | octet(2) << 16, 0),
    };
    (fold(first), fold(last))
}

/// Hashes a name under a key of four words.
#[inline]
pub(crate) fn hash_name(name: &[u8], key: &[u64; 4]) -> NameHash {
    let mut state = key[0] ^ name.len() as u64;
    let (first, second) = match name.last_chunk::<16>() {
        Some(last) if name.len() > 16 => {
            let mut rest = name;
            while let Some((chunk, behind)) = rest.split_first_chunk::<16>() {
                if behind.is_empty() {
                    break;
                }
                let (first, second) = fold_pair(chunk);
                state = multiply(state ^ first, key[1] ^ second);
                rest = behind;
            }
            // Overlaps what was read already; the length is part of the state.
            fold_pair(last)
        }
        _ => short(name),
    };
    // On its own, so that the processor can multiply it while it is busy with what comes before.
    let last = multiply(key[2] ^ first, key[3] ^ second);
    state = multiply(state ^ last, key[1] | 1);
    NameHash {
        // Either half will do; this one costs no shift.
        high: state as u32 | SET | ABSOLUTE,
        low: (state >> 32) as u32,
    }
}

impl NameHash {
    /// Sixty-four bits of the name and something more.
    pub(crate) fn wide(self, extra: u64) -> u64 {
        let name = u64::from(self.high) << 32 | u64::from(self.low);
        multiply(name ^ 0x9E37_79B9_7F4A_7C15, extra | 1 << 63) ^ name
    }

    /// The hash under which stands what is known of the relative name of this spelling alone.
    pub(crate) fn relative(self) -> Self {
        Self {
            high: self.high & !ABSOLUTE,
            ..self
        }
    }

    /// The same hash, in the kind that an entry with `kept` has.
    pub(crate) fn alike(self, kept: u32) -> Self {
        if Self::is_of_copy(kept) {
            self.as_copy(kept)
        } else if kept & ABSOLUTE == 0 {
            self.relative()
        } else {
            self
        }
    }

    /// As [`Self::high`] for a copy of what stands under `high`; different for each `other`, but for its two lowest
    /// bits.
    pub(crate) fn of_copy(high: u32, other: u32) -> u32 {
        (high ^ other & !(SET | ABSOLUTE)) & !SET | ABSOLUTE
    }

    /// True for the hash of a copy.
    #[inline]
    pub(crate) fn is_of_copy(high: u32) -> bool {
        high & SET == 0
    }

    /// The hash of a copy of what stands under this one.
    pub(crate) fn as_copy(self, high: u32) -> Self {
        Self { high, ..self }
    }

    /// As [`tag_of`].
    #[inline]
    pub(crate) fn tag(self, rtype: u16) -> u8 {
        tag_of(self.high, rtype)
    }
}

/// An octet that tells entries of a bucket apart by name and type, given the high half of a name's hash.
///
/// The tag may be the one of a place that was never used: that place has no block.
///
/// The bucket is chosen by the bits at the other end of the hash, of which a table has use for 20 at most.
#[inline]
pub(crate) fn tag_of(high: u32, rtype: u16) -> u8 {
    // The two lowest bits say nothing of the name. The types in use differ in their low octet, so entries of one
    // name have tags of their own.
    (high >> 2) as u8 ^ rtype as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u64; 4] = [
        0x1234_5678_9abc_def1,
        0x9E37_79B9_7F4A_7C15,
        0xBF58_476D_1CE4_E5B9,
        77,
    ];

    #[test]
    fn folding_touches_letters_only() {
        for octet in 0..=255u8 {
            let folded = fold(u64::from(octet) * ONES);
            assert_eq!(
                folded,
                u64::from(octet.to_ascii_lowercase()) * ONES,
                "{octet}"
            );
            assert_eq!(
                fold_u32(u32::from(octet)),
                u32::from(octet.to_ascii_lowercase())
            );
        }
    }

    #[test]
    fn pairs_fold_as_single_words_do() {
        for start in 0..=255u8 {
            let octets: [u8; 16] = std::array::from_fn(|i| start.wrapping_add(17 * i as u8));
            let both = u128::from_le_bytes(octets);
            let folded = (fold(both as u64), fold((both >> 64) as u64));
            assert_eq!(fold_pair(&octets), folded);
        }
    }

    #[test]
    fn case_does_not_matter_and_all_else_does() {
        let names: Vec<Vec<u8>> = (0..40)
            .map(|len| (0..len).map(|i| b'a' + (i * 7 % 26) as u8).collect())
            .collect();
        for name in &names {
            let upper = name.to_ascii_uppercase();
            assert_eq!(hash_name(name, &KEY), hash_name(&upper, &KEY));
            for position in 0..name.len() {
                let mut other = name.clone();
                other[position] = b'9';
                assert_ne!(hash_name(name, &KEY), hash_name(&other, &KEY), "{position}");
            }
        }
        let distinct: std::collections::HashSet<u32> =
            names.iter().map(|n| hash_name(n, &KEY).high).collect();
        assert_eq!(distinct.len(), names.len());
    }

    #[test]
    fn buckets_fill_evenly() {
        // 64,000 names over 64 buckets: chi-square with 63 degrees of freedom, 0.1 % point 103.4.
        let mut counts = [0u32; 64];
        for i in 0..64_000 {
            let hash = hash_name(format!("host{i}.example.org").as_bytes(), &KEY);
            counts[((u64::from(hash.high) * 64) >> 32) as usize] += 1;
        }
        let chi: f64 = counts
            .iter()
            .map(|&c| (f64::from(c) - 1000.0).powi(2) / 1000.0)
            .sum();
        assert!(chi < 103.4, "{chi}");
    }

    /// Sixty-four bits depend on all of the name's bits and on what is added, and each is set as often as not.
    #[test]
    fn wide_hashes_differ_wherever_a_bit_does() {
        const NAMES: u32 = 1000;
        let mut set = [0; 64];
        for number in 0..NAMES {
            let hash = hash_name(format!("host{number}.example").as_bytes(), &KEY);
            let base = hash.wide(5);
            for bit in 0..32 {
                let [mut high, mut low] = [hash; 2];
                high.high ^= 1 << bit;
                low.low ^= 1 << bit;
                let others = [high.wide(5), low.wide(5), hash.wide(5 ^ 1 << bit)];
                assert!(!others.contains(&base), "{bit}");
            }
            for (bit, count) in set.iter_mut().enumerate() {
                *count += (base >> bit) as u32 & 1;
            }
        }
        // The two bits of a name's hash that say what kind it is of are always set.
        let uneven = set
            .iter()
            .filter(|count| !(NAMES * 2 / 5..NAMES * 3 / 5).contains(count));
        assert!(uneven.count() <= 2, "{set:?}");
    }

    #[test]
    fn kinds_of_names_have_hashes_of_their_own_in_the_same_buckets() {
        let absolute = hash_name(b"host.example", &KEY);
        let owner = hash_name(b"owner.example", &KEY).high;
        let copy = absolute.as_copy(NameHash::of_copy(absolute.high, owner));
        let relative = absolute.relative();
        let distinct = [absolute.high, relative.high, copy.high];
        assert!(
            distinct[0] != distinct[1] && distinct[1] != distinct[2] && distinct[0] != distinct[2]
        );
        assert_eq!(distinct.map(NameHash::is_of_copy), [false, false, true]);
        for kind in [absolute, relative, copy] {
            assert_eq!(absolute.alike(kind.high), kind);
        }
        assert_eq!(relative.tag(33), absolute.tag(33));
        // Owners with different hashes have copies of their own, but for the two bits that say nothing of a name.
        for bit in 2..32 {
            let other = NameHash::of_copy(absolute.high, owner ^ 1 << bit);
            assert_eq!((other ^ copy.high).count_ones(), 1, "{bit}");
        }
        for bit in 0..2 {
            assert_eq!(
                NameHash::of_copy(absolute.high, owner ^ 1 << bit),
                copy.high
            );
        }
    }

    /// Names that collide under one key do so under hardly any other.
    #[test]
    fn every_bit_of_the_key_matters() {
        for length in [1, 5, 12, 16, 17, 20, 60] {
            let name = vec![b'x'; length];
            let hash = hash_name(&name, &KEY);
            for bit in 0..256 {
                let mut key = KEY;
                key[bit / 64] ^= 1 << (bit % 64);
                // The factor of the last multiplication is odd; long names use this bit before.
                let is_fixed = bit == 64 && length <= 16;
                let is_same = hash_name(&name, &key) == hash;
                assert_eq!(is_same, is_fixed, "{length} {bit}");
            }
        }
    }
}
