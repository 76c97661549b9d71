//! The bytes of an entry: `struct dns_hash_entry` and what follows it.
//!
//! The C members `next`, `prev` and `last_used_lst` were private to the C cache. Ours has no such lists
//! and keeps the first record's `struct dns_rr` there, which makes a typical A entry a quarter smaller.
//!
//! ```text
//!   0  struct dns_rr of record 0 (next, rdata, expire)        20 octets
//!  20  hash of the name that record 0 leads to (SRV, NAPTR)   4
//!  24  hash of the name, high half                             4
//!  28  number of records (8 bits), of SRV records without
//!      port behind them (8), NegativeKind (8), life (8)       4
//!  32  rr_lst: address of octet 0, or NULL                     8
//!  40  refcnt: see shm::refword                                4
//!  44  last_used, tick                                         4
//!  48  expire, tick                                            4
//!  52  total_size                                              4
//!  56  type (16), ent_flags (8), name_len (8)                  4
//!  60  name, NUL, zeros up to a multiple of 4
//!      data of record 0, then struct dns_rr and data of each further record
//! ```
//!
//! Octets 20 to 23 of `struct dns_rr` are padding in C, and serve as they do in record 0 in all records. The octet
//! behind the NUL of an SRV target says where the record stands that comes in this place if the latest answer's
//! beginning does not count (see [`super::order`]). The list that C sees ends before SRV records without port: these
//! are for people to look at.
//!
//! A copy of an SRV entry that leads back to another name (see [`super::owners`]) has that name behind its records, and
//! its length in the last octet.
//!
//! Readers without a reference look at 32-bit words only, so all words are stored as such. [`super::image`] puts an
//! entry together.

use super::NegativeKind;

pub(crate) const RR_RDATA: usize = 8;
pub(crate) const RR_EXPIRE: usize = 16;
/// In a `struct dns_rr`: hash of the name that the record leads to.
pub(crate) const RR_LINK: usize = 20;
pub(crate) const RR_BYTES: usize = 24;
pub(crate) const HASH: usize = 24;
pub(crate) const COUNTS: usize = 28;
pub(crate) const RR_LST: usize = 32;
pub(crate) const REFCNT: usize = 40;
pub(crate) const LAST_USED: usize = 44;
pub(crate) const EXPIRE: usize = 48;
pub(crate) const TOTAL_SIZE: usize = 52;
pub(crate) const IDENTITY: usize = 56;
pub(crate) const NAME: usize = 60;

/// `DNS_FLAG_BAD_NAME`: a negative entry.
pub(crate) const FLAG_NEGATIVE: u8 = 1;
/// `DNS_FLAG_PERMANENT`.
pub(crate) const FLAG_PERMANENT: u8 = 2;

/// Bits of `ent_flags` that C does not read: what the entry says of the relative name of its spelling, see
/// [`super::scope`].
pub(crate) const MARKS: u8 = 0xf8;

/// The word at [`LAST_USED`] of a new entry. The lowest bit of a stamp says that the entry was looked up
/// since it was made, the next one, where that one is clear, that the time is when the entry before it was looked up
/// last; four ticks are short enough to lose them.
#[inline]
pub(crate) fn fresh_stamp(now: u32) -> u32 {
    now & !(LOOKED_UP | IN_USE_BEFORE)
}

const LOOKED_UP: u32 = 1;
const IN_USE_BEFORE: u32 = 2;

/// The word at [`LAST_USED`] of an entry that nobody has looked up, in the place of one with this stamp.
#[inline]
pub(crate) fn inherited_stamp(stamp: u32) -> u32 {
    fresh_stamp(stamp) | IN_USE_BEFORE
}

/// True for the stamp of an entry that was looked up, or was made in the place of one that was.
#[inline]
pub(crate) fn tells_of_use(stamp: u32) -> bool {
    stamp & (LOOKED_UP | IN_USE_BEFORE) != 0
}

/// The word at [`LAST_USED`] of an entry that is looked up now.
#[inline]
pub(crate) fn use_stamp(now: u32) -> u32 {
    now | LOOKED_UP
}

/// True for the stamp of an entry that was looked up.
#[inline]
pub(crate) fn was_used(stamp: u32) -> bool {
    stamp & LOOKED_UP != 0
}

/// The word at [`IDENTITY`].
#[inline]
pub(crate) fn identity(rtype: u16, flags: u8, name_len: u8) -> u32 {
    u32::from(rtype) | u32::from(flags) << 16 | u32::from(name_len) << 24
}

/// Type, flags and name length of an identity word.
#[inline]
pub(crate) fn split_identity(word: u32) -> (u16, u8, u8) {
    (word as u16, (word >> 16) as u8, (word >> 24) as u8)
}

/// Where the data of record 0 begins for a name of this length.
#[inline]
pub(crate) fn first_data(name_len: usize) -> usize {
    // The name, its NUL, rounded up to 4; types with pointers are rounded up to 8 by the builder.
    (NAME + name_len + 1 + 3) & !3
}

/// Octets from one record to the next for addresses of `size` octets, from the second on.
#[inline]
pub(crate) fn address_stride(size: usize) -> usize {
    RR_BYTES + size.next_multiple_of(8)
}

/// Where the data of record `index` begins in an address entry.
#[inline]
pub(crate) fn address_data(name_len: usize, size: usize, index: usize) -> usize {
    match index.checked_sub(1) {
        None => first_data(name_len),
        Some(further) => second_rr(name_len, size) + further * address_stride(size) + RR_BYTES,
    }
}

/// Where the `struct dns_rr` of record 1 begins in an address entry.
#[inline]
fn second_rr(name_len: usize, size: usize) -> usize {
    (first_data(name_len) + size).next_multiple_of(8)
}

/// Where the expiry tick of record `index` stands in an address entry.
#[inline]
pub(crate) fn address_expire(name_len: usize, size: usize, index: usize) -> usize {
    match index.checked_sub(1) {
        None => RR_EXPIRE,
        Some(further) => second_rr(name_len, size) + further * address_stride(size) + RR_EXPIRE,
    }
}

/// Offsets in the C struct of an SRV record.
pub(crate) const SRV_PORT: usize = 4;
pub(crate) const SRV_TARGET: usize = 6;
/// Octets of that struct before the target's text.
pub(crate) const SRV_TEXT: usize = 7;

/// Octets of a name of that length behind the records of a copy.
pub(crate) fn octets_behind(name_len: usize) -> usize {
    name_len + 1
}

/// Where the octet about the order stands in the data of an SRV record, given the octets of its target.
#[inline]
pub(crate) fn srv_order_octet(target_len: usize) -> usize {
    SRV_TEXT + target_len + 1
}

/// Where the `struct dns_rr` stands that follows an SRV record whose data is at an offset, whether or not it is in
/// the list.
pub(crate) fn node_behind_srv(data: usize, target_len: usize) -> usize {
    (data + srv_order_octet(target_len) + 1).next_multiple_of(8)
}

/// Records of use, and SRV records without port behind them, from the word at [`COUNTS`].
#[inline]
pub(crate) fn split_counts(counts: u32) -> (u8, u8) {
    (counts as u8, (counts >> 8) as u8)
}

/// In the word at [`COUNTS`]: the name was in use before this entry was made in place of another.
const WAS_IN_USE: u32 = 1 << 23;

/// The word at [`COUNTS`] of an entry for a name that was in use before.
pub(crate) fn in_use_before(counts: u32) -> u32 {
    counts | WAS_IN_USE
}

/// True for the words at [`COUNTS`] and [`LAST_USED`] of an entry whose name somebody asked for a second time.
pub(crate) fn is_in_use(counts: u32, stamp: u32) -> bool {
    tells_of_use(stamp) || counts & WAS_IN_USE != 0
}

/// The kind of a negative entry, for its word at [`COUNTS`].
pub(crate) fn encode_kind(kind: NegativeKind) -> u8 {
    match kind {
        NegativeKind::NoData => 0,
        NegativeKind::NxDomain => 1,
        NegativeKind::Failure => 2,
        NegativeKind::Silence => 3,
    }
}

/// The kind of a negative entry from its word at [`COUNTS`].
pub(crate) fn decode_kind(counts: u32) -> NegativeKind {
    match (counts >> 16) as u8 & 3 {
        1 => NegativeKind::NxDomain,
        2 => NegativeKind::Failure,
        3 => NegativeKind::Silence,
        _ => NegativeKind::NoData,
    }
}

/// A life in seconds as an octet, rounded up to five significant bits: of use for shares of it.
pub(crate) fn encode_life(seconds: u32) -> u8 {
    if seconds < 16 {
        return seconds as u8;
    }
    let shift = seconds.ilog2() - 4;
    let digits = seconds.div_ceil(1 << shift);
    // Rounding up may need one digit more.
    let (shift, digits) = if digits == 32 {
        (shift + 1, 16)
    } else {
        (shift, digits)
    };
    if shift >= 15 {
        return u8::MAX;
    }
    ((shift + 1) << 4 | digits & 15) as u8
}

/// The life of an entry from when it was made, s, rounded up, from its word at [`COUNTS`].
pub(crate) fn life_s(counts: u32) -> u32 {
    let (exponent, digits) = (counts >> 28, counts >> 24 & 15);
    match exponent {
        0 => digits,
        _ => (16 | digits) << (exponent - 1),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn lives_are_rounded_up_a_little() {
        let few = [
            0, 1, 15, 16, 17, 31, 32, 33, 59, 63, 300, 3600, 86_400, 500_000,
        ];
        for seconds in few.into_iter().chain(0..5000) {
            let kept = life_s(u32::from(encode_life(seconds)) << 24);
            assert!(
                kept >= seconds && kept - seconds <= seconds / 16,
                "{seconds} {kept}"
            );
        }
        assert_eq!(life_s(u32::from(encode_life(u32::MAX)) << 24), 31 << 14);
    }

    #[test]
    fn a_stamp_says_when_an_entry_was_used_and_whether_it_was() {
        for now in [0, 1, 2, 3, 4, 1000, 1001, u32::MAX] {
            let (fresh, used) = (fresh_stamp(now), use_stamp(now));
            let inherited = inherited_stamp(used);
            for (stamp, tells, used) in [
                (fresh, false, false),
                (used, true, true),
                (inherited, true, false),
            ] {
                assert_eq!(
                    (tells_of_use(stamp), was_used(stamp)),
                    (tells, used),
                    "{now}"
                );
                assert!(stamp.abs_diff(now) < 4, "{now} became {stamp}");
            }
        }
    }

    #[test]
    fn a_name_is_in_use_by_its_stamp_or_by_the_entry_before() {
        let counts = 3 | 1 << 8 | 5 << 24;
        for (counts, before) in [(counts, false), (in_use_before(counts), true)] {
            assert_eq!(is_in_use(counts, fresh_stamp(8)), before);
            assert!(is_in_use(counts, use_stamp(8)) && is_in_use(counts, inherited_stamp(8)));
            assert_eq!((split_counts(counts), life_s(counts)), ((3, 1), 5));
        }
    }

    #[test]
    fn kinds_of_absence_stand_beside_all_else() {
        use NegativeKind::{Failure, NoData, NxDomain, Silence};
        for kind in [NoData, NxDomain, Failure, Silence] {
            for others in [0, in_use_before(0), 0xff00_ffff, !(3 << 16)] {
                let counts = others | u32::from(encode_kind(kind)) << 16;
                assert_eq!(decode_kind(counts), kind, "{others:x}");
            }
        }
    }
}
