//! An entry that is being put together, in the layout of [`super::layout`], before it comes into shared memory.

use crate::host::clock::after_seconds;
use crate::rr::{MAX_TTL_S, RData, RecordType, is_below};

use super::hash::{ABSOLUTE, hash_name};
use super::layout::{
    COUNTS, EXPIRE, FLAG_NEGATIVE, FLAG_PERMANENT, HASH, IDENTITY, LAST_USED, MARKS, NAME,
    RR_BYTES, RR_EXPIRE, RR_LINK, RR_LST, RR_RDATA, SRV_PORT, SRV_TARGET, SRV_TEXT, TOTAL_SIZE,
    encode_kind, encode_life, first_data, fresh_stamp, identity, node_behind_srv, octets_behind,
    split_counts, split_identity, srv_order_octet,
};
use super::order::Order;
use super::{Draft, DraftData, DraftRecord};

/// Size up to which an entry is put together on the stack, octets.
pub(crate) const SMALL_OCTETS: usize = 256;

/// An entry being put together in private memory, for a block at a known address.
pub(crate) struct Image<'b> {
    bytes: &'b mut [u8],
    address: usize,
}

/// Values of an image that are not in the draft: the hash of its name, [`MARKS`], the tick, and the key of hashes.
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
    // Whether a record fits must not depend on its place, so each place counts with the most padding.
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
        let mut expire = after_seconds(stamp.now, draft.negative_ttl);
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
            let ttl = record.ttl.min(MAX_TTL_S);
            image.put_u64(node + RR_RDATA, image.pointer(data));
            image.put_u32(node + RR_EXPIRE, after_seconds(stamp.now, ttl));
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
            Some(ttl) => expire = after_seconds(stamp.now, ttl),
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
            let data = image.relocate(node + RR_RDATA, from);
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

/// The hash of the name that a record leads to. In a NAPTR record a hash without [`ABSOLUTE`] says that the name does
/// not lie below the owner's.
fn with_direction(hash: u32, draft: &Draft<'_>, name: &[u8]) -> u32 {
    if draft.rtype == RecordType::NAPTR && !is_below(name, draft.name) {
        hash & !ABSOLUTE
    } else {
        hash
    }
}
