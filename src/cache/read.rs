//! Lookups without a lock.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::host::clock::{TICKS_PER_S, is_past};
use crate::rr::{MAX_RRSET_RECORDS, RecordType};
use crate::shm::pages::BlockId;
use crate::shm::refword;
use crate::shm::sync::{AtomicU32, Ordering};

use super::hash::{NameHash, fold_u32};
use super::table::Bucket;
use super::{AddressSet, Cache, EntryRef, Probe, TableWord, layout};

/// Reads that are disturbed by writers this often give up and report a miss. Each disturbance needs a
/// removal from the same cache line within some 50 ns.
const MAX_RETRIES: usize = 1000;

/// What a look at a bucket without reference gave.
enum Seen<T> {
    /// The entry was there and was read consistently.
    Read(T),
    /// It is not there.
    Absent,
    /// A writer was in the way.
    Disturbed,
}

impl Cache {
    /// A counted reference to the live entry of this name and type; takes no lock.
    ///
    /// Where there is none, a live positive CNAME entry of the name is returned instead (check
    /// [`EntryRef::rtype`]). Negative entries are returned too.
    #[must_use]
    pub fn acquire(&self, qname: &[u8], qtype: RecordType, now: u32) -> Option<EntryRef> {
        let hash = self.hash(qname);
        let live = |entry: &EntryRef| !entry.is_expired(now);
        if let Some(entry) = self.acquire_where(hash, qname, qtype).filter(live) {
            self.stamp(&entry, now);
            return Some(entry);
        }
        if qtype == RecordType::CNAME {
            return None;
        }
        let alias = self.acquire_where(hash, qname, RecordType::CNAME);
        let alias = alias.filter(|entry| live(entry) && entry.negative().is_none())?;
        self.stamp(&alias, now);
        Some(alias)
    }

    /// A counted reference to the entry of exactly this name and type, even if it is expired.
    #[must_use]
    pub fn acquire_any_age(&self, qname: &[u8], qtype: RecordType) -> Option<EntryRef> {
        self.acquire_where(self.hash(qname), qname, qtype)
    }

    /// A counted reference to an entry of the type whose name has this hash and that is accepted;
    /// expired ones included.
    #[must_use]
    pub fn acquire_by_hash(
        &self,
        hash: u32,
        rtype: RecordType,
        accept: &dyn Fn(&EntryRef) -> bool,
    ) -> Option<EntryRef> {
        for (_, bucket) in self.table().probe(hash) {
            for place in 0..super::table::PLACES {
                let Some(entry) = self.acquire_block(bucket.block(place)) else {
                    continue;
                };
                if entry.hash() == hash && entry.rtype() == rtype && accept(&entry) {
                    return Some(entry);
                }
            }
            if !bucket.overflows() {
                break;
            }
        }
        None
    }

    /// Copies addresses (A or AAAA) out without writing to the entry, but for its coarse use stamp.
    ///
    /// Records that are expired are left out. At most [`AddressSet::CAPACITY`] are copied.
    pub fn copy_addresses(
        &self,
        qname: &[u8],
        qtype: RecordType,
        now: u32,
        out: &mut AddressSet,
    ) -> Probe {
        let hash = self.hash(qname);
        let seen = self.look(hash, qname, qtype, |block, identity| {
            // A disturbed attempt starts over.
            out.clear();
            self.read_block(block, identity, now, &mut |address| out.push(address))
        });
        self.probe_result(seen.flatten(), hash, qname, now)
    }

    /// As [`Self::copy_addresses`], but the first live address only.
    pub fn copy_first_address(
        &self,
        qname: &[u8],
        qtype: RecordType,
        now: u32,
    ) -> (Probe, Option<IpAddr>) {
        let hash = self.hash(qname);
        let mut first = None;
        let seen = self.look(hash, qname, qtype, |block, identity| {
            first = None;
            self.read_block(block, identity, now, &mut |address| {
                first = Some(address);
                false
            })
        });
        (self.probe_result(seen.flatten(), hash, qname, now), first)
    }

    /// References to the linked entries, as they are met while walking the table without a lock.
    ///
    /// Entries that come or go during the walk may be missed; none is seen twice unless it was replaced.
    pub fn entries(&self) -> impl Iterator<Item = EntryRef> + '_ {
        self.table().buckets().iter().flat_map(move |bucket| {
            (0..super::table::PLACES)
                .filter_map(move |place| self.acquire_block(bucket.block(place)))
        })
    }

    fn probe_result(&self, seen: Option<Probe>, hash: NameHash, qname: &[u8], now: u32) -> Probe {
        match seen {
            Some(probe) => probe,
            None if self.alias_exists(hash, qname, now) => Probe::Alias,
            None => Probe::Miss,
        }
    }

    /// True when a live positive CNAME entry stands under the name.
    fn alias_exists(&self, hash: NameHash, qname: &[u8], now: u32) -> bool {
        let found = self.look(hash, qname, RecordType::CNAME, |block, identity| {
            let (_, flags, _) = layout::split_identity(identity);
            flags & layout::FLAG_NEGATIVE == 0 && !self.block_expired(block, flags, now)
        });
        found == Some(true)
    }

    fn load(&self, block: BlockId, offset: usize) -> u32 {
        self.pages
            .word(block, offset)
            .map_or(0, |word| word.load(Ordering::Relaxed))
    }

    pub(super) fn block_expired(&self, block: BlockId, flags: u8, now: u32) -> bool {
        flags & layout::FLAG_PERMANENT == 0 && is_past(self.load(block, layout::EXPIRE), now)
    }

    /// Offers the addresses of an entry, which may be overwritten meanwhile, until `take` says no; `None`
    /// when the entry is expired.
    fn read_block(
        &self,
        block: BlockId,
        identity: u32,
        now: u32,
        take: &mut impl FnMut(IpAddr) -> bool,
    ) -> Option<Probe> {
        let (rtype, flags, name_len) = layout::split_identity(identity);
        if self.block_expired(block, flags, now) {
            return None;
        }
        self.stamp_block(block, now);
        let counts = self.load(block, layout::COUNTS);
        if flags & layout::FLAG_NEGATIVE != 0 {
            return Some(Probe::Negative(layout::decode_kind(counts)));
        }
        let permanent = flags & layout::FLAG_PERMANENT != 0;
        let size = if rtype == RecordType::A.0 { 4 } else { 16 };
        let name_len = usize::from(name_len);
        for index in 0..usize::from(counts as u16).min(MAX_RRSET_RECORDS) {
            let expire = self.load(block, layout::address_expire(name_len, size, index));
            if !permanent && is_past(expire, now) {
                continue;
            }
            let data = layout::address_data(name_len, size, index);
            let address = if size == 4 {
                IpAddr::V4(Ipv4Addr::from(self.load(block, data).to_ne_bytes()))
            } else {
                IpAddr::V6(self.read_ipv6(block, data))
            };
            if !take(address) {
                break;
            }
        }
        Some(Probe::Addresses)
    }

    fn read_ipv6(&self, block: BlockId, data: usize) -> Ipv6Addr {
        let mut octets = [0; 16];
        for (index, chunk) in octets.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            *chunk = self.load(block, data + 4 * index).to_ne_bytes();
        }
        Ipv6Addr::from(octets)
    }

    /// Reads the entry of a name and type with `read`, until that was not disturbed.
    fn look<T>(
        &self,
        hash: NameHash,
        name: &[u8],
        rtype: RecordType,
        mut read: impl FnMut(BlockId, u32) -> T,
    ) -> Option<T> {
        for _ in 0..MAX_RETRIES {
            let word = self.header.table.load(Ordering::Acquire);
            let mut disturbed = false;
            for (_, bucket) in self.table_of(TableWord(word)).probe(hash.high) {
                match self.look_in(bucket, word, hash, name, rtype, &mut read) {
                    Seen::Read(value) => return Some(value),
                    Seen::Disturbed => {
                        disturbed = true;
                        break;
                    }
                    Seen::Absent if !bucket.overflows() => break,
                    Seen::Absent => {}
                }
            }
            if !disturbed && self.header.table.load(Ordering::Relaxed) == word {
                return None;
            }
        }
        None
    }

    #[inline]
    fn look_in<T>(
        &self,
        bucket: &Bucket,
        table: u64,
        hash: NameHash,
        name: &[u8],
        rtype: RecordType,
        read: &mut impl FnMut(BlockId, u32) -> T,
    ) -> Seen<T> {
        let version = bucket.begin();
        let mut places = bucket.candidates(hash.tag(rtype.0));
        let mut value = None;
        while places != 0 {
            let block = bucket.block(places.trailing_zeros() as usize);
            places &= places - 1;
            if let Some(identity) = self.identity_of(block, hash.high, rtype.0, name) {
                value = Some(read(block, identity));
                break;
            }
        }
        // The table word is read after the fence in `unchanged`: removals after a switch of tables
        // raise versions in the new table only.
        if !bucket.unchanged(version) || self.header.table.load(Ordering::Relaxed) != table {
            return Seen::Disturbed;
        }
        value.map_or(Seen::Absent, Seen::Read)
    }

    /// The identity word of a block if it looks like the entry of this name and type.
    #[inline]
    pub(super) fn identity_of(
        &self,
        block: BlockId,
        hash: u32,
        rtype: u16,
        name: &[u8],
    ) -> Option<u32> {
        if block == 0 {
            return None;
        }
        let words = self
            .pages
            .words(block, 0, (layout::NAME + name.len()).div_ceil(4));
        let at = |offset: usize| {
            words
                .get(offset / 4)
                .map_or(0, |word| word.load(Ordering::Relaxed))
        };
        if at(layout::HASH) != hash {
            return None;
        }
        let identity = at(layout::IDENTITY);
        let (found_type, _, name_len) = layout::split_identity(identity);
        let matches = found_type == rtype
            && usize::from(name_len) == name.len()
            && name_matches(words.get(layout::NAME / 4..).unwrap_or(&[]), name);
        matches.then_some(identity)
    }

    /// Takes a reference to the entry of a name and type.
    fn acquire_where(&self, hash: NameHash, name: &[u8], rtype: RecordType) -> Option<EntryRef> {
        for _ in 0..MAX_RETRIES {
            let block = self.look(hash, name, rtype, |block, _| block)?;
            // The block may have been reused since: what counts is what we hold now.
            let Some(entry) = self.acquire_block(block) else {
                continue;
            };
            if self.identity_of(block, hash.high, rtype.0, name).is_some() {
                return Some(entry);
            }
        }
        None
    }

    /// Takes a reference to whatever lives in a block.
    pub(super) fn acquire_block(&self, block: BlockId) -> Option<EntryRef> {
        if block == 0 || !refword::try_acquire(self.pages.ref_word(block)?) {
            return None;
        }
        Some(EntryRef::from_counted(self.pages.address(block)))
    }

    fn stamp(&self, entry: &EntryRef, now: u32) {
        if let Some(block) = self.pages.block_at(entry.as_raw() as usize) {
            self.stamp_block(block, now);
        }
    }

    /// Notes a use, at most once a second, so that hits do not fight for the cache line. A late write
    /// to a reused block changes nothing but a use stamp there.
    #[inline]
    fn stamp_block(&self, block: BlockId, now: u32) {
        let Some(word) = self.pages.word(block, layout::LAST_USED) else {
            return;
        };
        let stamp = word.load(Ordering::Relaxed);
        let age = now.wrapping_sub(stamp) as i32;
        if age >= TICKS_PER_S as i32 || !layout::was_used(stamp) {
            word.store(layout::use_stamp(now), Ordering::Relaxed);
        }
    }
}

/// Compares a name with the words of an entry, four octets at a time, letter case ignored.
#[inline]
fn name_matches(words: &[AtomicU32], name: &[u8]) -> bool {
    let (chunks, rest) = name.as_chunks::<4>();
    if words.len() < chunks.len() + usize::from(!rest.is_empty()) {
        return false;
    }
    let same = |word: &AtomicU32, chunk: [u8; 4]| {
        let (have, want) = (word.load(Ordering::Relaxed), u32::from_ne_bytes(chunk));
        have == want || fold_u32(have) == fold_u32(want)
    };
    if !words
        .iter()
        .zip(chunks)
        .all(|(word, chunk)| same(word, *chunk))
    {
        return false;
    }
    // The image is filled with zeros behind the name.
    let mut last = [0; 4];
    for (place, octet) in last.iter_mut().zip(rest) {
        *place = *octet;
    }
    rest.is_empty() || words.get(chunks.len()).is_some_and(|word| same(word, last))
}
