//! Keyed hash of names, letter case ignored.
//!
//! Names come from whoever can send a SIP request, so the key is random and drawn at start: nobody
//! outside can aim names at one bucket.

/// Hash of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameHash {
    /// Chooses the bucket and is kept in the entry; never 0.
    pub(crate) high: u32,
    /// Feeds the tag.
    low: u32,
}

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

#[inline]
fn multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

#[inline]
fn read_u64(octets: &[u8]) -> u64 {
    octets
        .first_chunk::<8>()
        .map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

/// Hashes a name under a key of four words.
#[inline]
pub(crate) fn hash_name(name: &[u8], key: &[u64; 4]) -> NameHash {
    let mut state = key[0] ^ name.len() as u64;
    let mut rest = name;
    while rest.len() > 8 {
        state = multiply(state ^ fold(read_u64(rest)), key[1]);
        rest = rest.get(8..).unwrap_or(&[]);
    }
    let last = if name.len() >= 8 {
        // Overlaps what was read already; the length is part of the state.
        read_u64(name.get(name.len() - 8..).unwrap_or(&[]))
    } else {
        rest.iter()
            .rev()
            .fold(0, |word, &octet| (word << 8) | u64::from(octet))
    };
    state = multiply(state ^ fold(last), key[2]);
    state = multiply(state ^ key[3], key[1] | 1);
    NameHash {
        high: ((state >> 32) as u32).max(1),
        low: state as u32,
    }
}

impl NameHash {
    /// One octet that tells entries of a bucket apart by name and type; never 0.
    #[inline]
    pub(crate) fn tag(self, rtype: u16) -> u8 {
        let mixed =
            (self.low ^ u32::from(rtype).wrapping_mul(0x9E37_79B1)).wrapping_mul(0x85EB_CA6B);
        ((mixed >> 24) as u8).max(1)
    }
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
}
