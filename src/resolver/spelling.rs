//! Random letter case in questions: bits that only the server asked can know (0x20).

use super::wire_name::Octets;
use crate::host::random;

/// The question section with the case of each letter of the name drawn at random.
pub(super) fn at_random(question: &[u8]) -> Octets {
    const TYPE_AND_CLASS_OCTETS: usize = 4;
    let mut spelled = Octets::from_slice(question);
    let name_octets = spelled.len().saturating_sub(TYPE_AND_CLASS_OCTETS);
    let name = spelled.get_mut(..name_octets).unwrap_or_default();
    // Lengths of labels are below 64 and so no letters.
    let mut letters = name.iter_mut().filter(|octet| octet.is_ascii_alphabetic());
    'bits: loop {
        let bits = random::secure_u16();
        for bit in 0..16 {
            let Some(letter) = letters.next() else {
                break 'bits;
            };
            if bits >> bit & 1 != 0 {
                *letter ^= 0x20;
            }
        }
    }
    spelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_change_and_nothing_else() {
        let question = b"\x14abcdefghijklmnopqrst\x08_sip-123\x03org\x00\x00\x61\x00\x41";
        let mut seen = std::collections::HashSet::new();
        for _ in 0..20 {
            let spelled = at_random(question);
            assert!(spelled.eq_ignore_ascii_case(question));
            assert_eq!(
                spelled[question.len() - 4..],
                question[question.len() - 4..]
            );
            seen.insert(spelled);
        }
        // 26 letters: 20 draws that are all different, but with a chance of 1 in 350,000.
        assert_eq!(seen.len(), 20);
    }
}
