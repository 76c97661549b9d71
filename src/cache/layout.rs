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
//! Readers without a reference look at 32-bit words only, so all words are stored as such.

use crate::rr::{RData, RecordType};

use super::hash::{ABSOLUTE, hash_name};
use super::order::Order;
use super::owners::is_below;
use super::{Draft, DraftData, DraftRecord, NegativeKind};

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

/// Size up to which an entry is put together on the stack, octets.
pub(crate) const SMALL_OCTETS: usize = 256;
/// Offsets in the C struct of an SRV record.
pub(crate) const SRV_PORT: usize = 4;
pub(crate) const SRV_TARGET: usize = 6;
/// Octets of that struct before the target's text.
const SRV_TEXT: usize = 7;

/// An entry being put together in private memory, for a block at a known address.
pub(crate) struct Image<'b> {
    bytes: &'b mut [u8],
    address: usize,
}

/// What the image needs beside the draft: the hash of its name, [`MARKS`], the tick, and the key of hashes.
#[derive(Clone, Copy)]
pub(crate) struct Stamp<'k> {
    pub(crate) hash: u32,
    pub(crate) marks: u8,
    pub(crate) now: u32,
    pub(crate) key: &'k [u64; 4],
}

/// The records of a draft in the order in which they are stored, as many as fit into `limit` octets.
pub(crate) fn stored_order<'a>(
    name_len: usize,
    records: &'a [DraftRecord<'a>],
    limit: usize,
) -> Order<'a> {
    // What fits must not depend on the place in which it stands, so no place is counted on that would need less
    // padding.
    let room = limit.saturating_sub(first_data(name_len).next_multiple_of(8));
    Order::new(records, room, |rdata| {
        RR_BYTES + data_size(rdata).next_multiple_of(8)
    })
}

/// Size of the entry in octets.
pub(crate) fn measure(name_len: usize, records: &Order<'_>) -> usize {
    let mut end = first_data(name_len);
    for (index, placed) in records.iter().enumerate() {
        end = record_end(end, index, placed.record.rdata);
    }
    end
}

/// Where a record's `struct dns_rr` (but for the first) and data begin, given the end of what is before.
fn record_places(end: usize, index: usize, rdata: &RData) -> (usize, usize) {
    let align = match rdata {
        RData::Naptr(_) | RData::Txt(_) | RData::Ebl { .. } => 8,
        _ => 4,
    };
    if index == 0 {
        (0, end.next_multiple_of(align))
    } else {
        let node = end.next_multiple_of(8);
        (node, node + RR_BYTES)
    }
}

fn record_end(end: usize, index: usize, rdata: &RData) -> usize {
    record_places(end, index, rdata).1 + data_size(rdata)
}

/// Octets of a record's C struct with its text.
fn data_size(rdata: &RData) -> usize {
    match rdata {
        RData::A(_) => 4,
        RData::Aaaa(_) => 16,
        RData::Cname(name) | RData::Ptr(name) => 2 + name.len(),
        RData::Srv(srv) => srv_order_octet(srv.target.len()) + 1,
        RData::Naptr(n) => {
            42 + n.flags.len() + n.services.len() + n.regexp.len() + n.replacement.len()
        }
        RData::Txt(texts) => 8 + texts.iter().map(|text| 16 + text.len() + 1).sum::<usize>(),
        RData::Ebl {
            separator, apex, ..
        } => 21 + separator.len() + apex.len(),
        RData::Other => 0,
    }
}

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

impl<'b> Image<'b> {
    /// Puts an entry together in `bytes`, which are zero, for a block at `address`; `size` is what [`measure`]
    /// gave for the records.
    pub(crate) fn build(
        bytes: &'b mut [u8],
        draft: &Draft<'_>,
        records: &Order<'_>,
        size: usize,
        address: usize,
        stamp: Stamp<'_>,
    ) -> Self {
        let mut image = Self { bytes, address };
        let mut flags = stamp.marks & MARKS;
        if draft.permanent {
            flags |= FLAG_PERMANENT;
        }
        let mut kind = 0;
        let mut expire = crate::host::clock::after_seconds(stamp.now, draft.negative_ttl);
        if let DraftData::Negative(negative) = draft.data {
            flags |= FLAG_NEGATIVE;
            kind = encode_kind(negative);
        }
        let mut end = first_data(draft.name.len());
        let mut longest = None;
        let mut previous_node = 0;
        for (index, placed) in records.iter().enumerate() {
            let record = placed.record;
            let (node, data) = record_places(end, index, record.rdata);
            let ttl = record.ttl.min(crate::rr::MAX_TTL_S);
            image.put_u64(node + 8, image.pointer(data));
            image.put_u32(
                node + RR_EXPIRE,
                crate::host::clock::after_seconds(stamp.now, ttl),
            );
            if let Some(name) = next_name(record.rdata) {
                let hash = hash_name(name, stamp.key).high;
                image.put_u32(node + RR_LINK, with_direction(hash, draft, name));
            }
            if index > 0 && index != records.of_use() {
                image.put_u64(previous_node, image.pointer(node));
            }
            image.put_rdata(data, record.rdata);
            if let RData::Srv(srv) = record.rdata {
                image.put_u8(data + srv_order_octet(srv.target.len()), placed.in_order);
            }
            longest = longest.max(Some(ttl));
            previous_node = node;
            end = data + data_size(record.rdata);
        }
        match longest {
            Some(ttl) => expire = crate::host::clock::after_seconds(stamp.now, ttl),
            // Without record 0 the entry says in the same place when it ends.
            None => image.put_u32(RR_EXPIRE, expire),
        }
        if records.of_use() > 0 {
            image.put_u64(RR_LST, image.pointer(0));
        }
        image.put_u32(HASH, stamp.hash);
        let life = u32::from(encode_life(longest.unwrap_or(draft.negative_ttl)));
        let (of_use, left_out) = (records.of_use() as u32, records.left_out() as u32);
        let counts = of_use | left_out << 8 | u32::from(kind) << 16 | life << 24;
        image.put_u32(COUNTS, counts);
        image.put_u32(LAST_USED, fresh_stamp(stamp.now));
        image.put_u32(EXPIRE, expire);
        image.put_u32(TOTAL_SIZE, size as u32);
        // The cache refuses longer names before it comes here.
        image.put_u32(
            IDENTITY,
            identity(draft.rtype.0, flags, draft.name.len() as u8),
        );
        image.put(NAME, draft.name);
        image
    }

    /// Makes a copy of an SRV entry with a name behind it. `bytes` has the octets of the entry, as many as said, and
    /// zeros behind them; the addresses are those of the block that they are from, and of the copy's.
    pub(crate) fn copy(
        bytes: &'b mut [u8],
        (size, from): (usize, usize),
        (owner, address): (&[u8], usize),
        stamp: Stamp<'_>,
    ) -> Self {
        let mut image = Self { bytes, address };
        let (of_use, left_out) = split_counts(image.u32_at(COUNTS));
        let mut node = 0;
        image.relocate(RR_LST, from);
        for _ in 0..usize::from(of_use) + usize::from(left_out) {
            image.relocate(node, from);
            let data = image.relocate(node + 8, from);
            let target_len = image.bytes.get(data + SRV_TARGET).copied().unwrap_or(0);
            node = node_behind_srv(data, target_len.into());
        }
        let (rtype, flags, name_len) = split_identity(image.u32_at(IDENTITY));
        image.put_u32(IDENTITY, identity(rtype, flags & !MARKS, name_len));
        image.put_u32(HASH, stamp.hash);
        image.put_u32(LAST_USED, fresh_stamp(stamp.now));
        image.put_u32(TOTAL_SIZE, (size + octets_behind(owner.len())) as u32);
        image.put(size, owner);
        image.put_u8(size + owner.len(), owner.len() as u8);
        image
    }

    /// Has a pointer into the block at `from`, unless it is NULL, point into this one; gives the offset to which it
    /// points.
    fn relocate(&mut self, offset: usize, from: usize) -> usize {
        let place = self.bytes.get(offset..).and_then(<[u8]>::first_chunk::<8>);
        let pointer = place.map_or(0, |octets| u64::from_ne_bytes(*octets));
        let Some(inside) = (pointer as usize).checked_sub(from) else {
            return 0;
        };
        self.put_u64(offset, self.pointer(inside));
        inside
    }

    fn u32_at(&self, offset: usize) -> u32 {
        let place = self.bytes.get(offset..).and_then(<[u8]>::first_chunk::<4>);
        place.map_or(0, |octets| u32::from_ne_bytes(*octets))
    }

    /// The image in 32-bit words.
    pub(crate) fn words(&self) -> &[[u8; 4]] {
        self.bytes.as_chunks::<4>().0
    }

    fn pointer(&self, offset: usize) -> u64 {
        (self.address + offset) as u64
    }

    fn put(&mut self, offset: usize, octets: &[u8]) {
        if let Some(place) = self.bytes.get_mut(offset..offset + octets.len()) {
            place.copy_from_slice(octets);
        }
    }

    fn put_u8(&mut self, offset: usize, value: u8) {
        self.put(offset, &[value]);
    }

    fn put_u16(&mut self, offset: usize, value: u16) {
        self.put(offset, &value.to_ne_bytes());
    }

    fn put_u32(&mut self, offset: usize, value: u32) {
        self.put(offset, &value.to_ne_bytes());
    }

    fn put_u64(&mut self, offset: usize, value: u64) {
        self.put(offset, &value.to_ne_bytes());
    }

    /// Writes one of the C structs of resolve.h; the zeros around serve as NUL. Lengths of names and
    /// strings are at most 255 by construction of `RData`.
    fn put_rdata(&mut self, at: usize, rdata: &RData) {
        match rdata {
            RData::A(ip) => self.put(at, &ip.octets()),
            RData::Aaaa(ip) => self.put(at, &ip.octets()),
            RData::Cname(name) | RData::Ptr(name) => {
                self.put_u8(at, name.len() as u8);
                self.put(at + 1, name.as_bytes());
            }
            RData::Srv(srv) => {
                self.put_u16(at, srv.priority);
                self.put_u16(at + 2, srv.weight);
                self.put_u16(at + SRV_PORT, srv.port);
                self.put_u8(at + SRV_TARGET, srv.target.len() as u8);
                self.put(at + SRV_TEXT, srv.target.as_bytes());
            }
            RData::Naptr(naptr) => {
                self.put_u16(at + 32, naptr.order);
                self.put_u16(at + 34, naptr.preference);
                let mut text = at + 41;
                let strings: [&[u8]; 4] = [
                    &naptr.flags,
                    &naptr.services,
                    &naptr.regexp,
                    naptr.replacement.as_bytes(),
                ];
                for (index, string) in strings.into_iter().enumerate() {
                    self.put_u64(at + 8 * index, self.pointer(text));
                    self.put_u8(at + 36 + index, string.len() as u8);
                    self.put(text, string);
                    text += string.len();
                }
            }
            RData::Txt(texts) => {
                let mut text = at + 8 + 16 * texts.len();
                let total: usize = texts.iter().map(|t| t.len() + 1).sum();
                self.put_u16(at, texts.len() as u16);
                self.put_u16(at + 2, total.min(usize::from(u16::MAX)) as u16);
                for (index, string) in texts.iter().enumerate() {
                    self.put_u64(at + 8 + 16 * index, self.pointer(text));
                    self.put_u8(at + 16 + 16 * index, string.len() as u8);
                    self.put(text, string);
                    text += string.len() + 1;
                }
            }
            RData::Ebl {
                position,
                separator,
                apex,
            } => {
                let text = at + 19;
                self.put_u64(at, self.pointer(text));
                self.put_u64(at + 8, self.pointer(text + separator.len() + 1));
                self.put_u8(at + 16, separator.len() as u8);
                self.put_u8(at + 17, apex.len() as u8);
                self.put_u8(at + 18, *position);
                self.put(text, separator);
                self.put(text + separator.len() + 1, apex.as_bytes());
            }
            RData::Other => {}
        }
    }
}

/// The name that is looked up next by whoever follows a record to a SIP server.
fn next_name(rdata: &RData) -> Option<&[u8]> {
    match rdata {
        RData::Srv(srv) => Some(srv.target.as_bytes()),
        RData::Naptr(naptr) => Some(naptr.replacement.as_bytes()),
        _ => None,
    }
}

/// The hash of the name that a record leads to. That of a NAPTR record says besides, by lacking [`ABSOLUTE`], that the
/// name does not lie below the owner's.
fn with_direction(hash: u32, draft: &Draft<'_>, name: &[u8]) -> u32 {
    if draft.rtype == RecordType::NAPTR && !is_below(name, draft.name) {
        hash & !ABSOLUTE
    } else {
        hash
    }
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

fn encode_kind(kind: NegativeKind) -> u8 {
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
fn encode_life(seconds: u32) -> u8 {
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
}
