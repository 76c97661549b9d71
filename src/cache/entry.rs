//! Counted references to entries, and safe views of what they hold.
#![allow(unsafe_code, reason = "reads entries through C pointers")]

use std::ffi::c_void;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr::NonNull;

use crate::host::clock;
use crate::host::log::Level;
use crate::rr::{Form, Name, Naptr, RData, RecordType, Srv};
use crate::shm::refword;
use crate::shm::sync::{AtomicU32, Ordering};

use super::layout;

/// What a negative entry knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NegativeKind {
    /// The name does not exist.
    NxDomain,
    /// The name has no records of the type.
    NoData,
    /// Resolution failed lately (RFC 9520), servers said so; says nothing about the name.
    Failure,
    /// As [`Self::Failure`], nothing usable came back.
    Silence,
}

impl NegativeKind {
    /// True for failures, false for proven absence.
    #[must_use]
    #[inline(always)]
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failure | Self::Silence)
    }
}

/// One record of an entry; borrowed from the entry, valid as long as the reference is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordView<'a> {
    /// IPv4 address.
    A(Ipv4Addr),
    /// IPv6 address.
    Aaaa(Ipv6Addr),
    /// Canonical name.
    Cname(&'a [u8]),
    /// Service location.
    Srv {
        /// Lower first.
        priority: u16,
        /// Share of load.
        weight: u16,
        /// Port of the target.
        port: u16,
        /// Target, empty for the root.
        target: &'a [u8],
    },
    /// Naming authority pointer.
    Naptr {
        /// Lower first.
        order: u16,
        /// Lower first within one order.
        preference: u16,
        /// E.g. `s`.
        flags: &'a [u8],
        /// E.g. `SIP+D2U`.
        services: &'a [u8],
        /// Substitution expression.
        regexp: &'a [u8],
        /// Next name.
        replacement: &'a [u8],
    },
    /// Text; the first string only is borrowed here, see [`EntryRef::texts`].
    Txt(&'a [u8]),
    /// Infrastructure ENUM.
    Ebl {
        /// Position of the separator.
        position: u8,
        /// Separator.
        separator: &'a [u8],
        /// Apex.
        apex: &'a [u8],
    },
    /// Pointer.
    Ptr(&'a [u8]),
}

impl RecordView<'_> {
    /// The record as a value of its own; `None` for a type of which there are only views.
    #[must_use]
    pub(crate) fn rdata(self) -> Option<RData> {
        // The root is empty there.
        let name = |text: &[u8]| Name::from_text(if text.is_empty() { b"." } else { text });
        Some(match self {
            Self::A(address) => RData::A(address),
            Self::Aaaa(address) => RData::Aaaa(address),
            Self::Cname(target) => RData::Cname(name(target)?),
            Self::Srv {
                priority,
                weight,
                port,
                target,
            } => RData::Srv(Srv {
                priority,
                weight,
                port,
                target: name(target)?,
            }),
            Self::Naptr {
                order,
                preference,
                flags,
                services,
                regexp,
                replacement,
            } => RData::Naptr(Naptr {
                order,
                preference,
                flags: flags.into(),
                services: services.into(),
                regexp: regexp.into(),
                replacement: name(replacement)?,
            }),
            _ => return None,
        })
    }
}

/// A counted reference to an entry in shared memory.
///
/// As long as it is held the entry stays as it is, whatever happens in the cache. `Clone` counts one
/// more, `Drop` one less.
///
/// In memory it is the C pointer that it stands for; `None` is NULL.
#[derive(Debug)]
#[repr(transparent)]
pub struct EntryRef {
    raw: NonNull<u8>,
}

impl EntryRef {
    /// Takes over a reference that was counted already.
    pub(super) fn from_counted(raw: NonNull<u8>) -> Self {
        Self { raw }
    }

    /// Takes over a reference that a C pointer owns; `None` for NULL.
    ///
    /// # Safety
    /// The pointer is NULL or came from [`Self::into_raw`] in this process or a relative, and owns a
    /// reference.
    #[must_use]
    pub unsafe fn from_raw(raw: *mut c_void) -> Option<Self> {
        NonNull::new(raw.cast()).map(|raw| Self { raw })
    }

    /// Gives the reference away as a C pointer (`struct dns_hash_entry *`), which then owns it.
    #[must_use]
    pub fn into_raw(self) -> *mut c_void {
        let raw = self.as_raw();
        let _given_away = std::mem::ManuallyDrop::new(self);
        raw
    }

    /// The C pointer, without giving the reference away.
    #[must_use]
    pub fn as_raw(&self) -> *mut c_void {
        self.raw.as_ptr().cast()
    }

    /// Releases this reference and one that was given away with [`Self::into_raw`].
    pub(super) fn release_parked(self) {
        // SAFETY: the caller says that a reference to this entry was given away for it to take back.
        drop(unsafe { Self::from_raw(self.as_raw()) });
    }

    /// Address of octet 0, as it stands in pointers of the entry.
    #[inline]
    pub(super) fn raw_address(&self) -> u64 {
        self.raw.as_ptr() as u64
    }

    #[inline]
    pub(super) fn at<T: Copy>(&self, offset: usize) -> T {
        // SAFETY: callers pass offsets of members of this entry, which lie inside its block, or below MAX_BLOCK, which
        // is mapped behind each block.
        let place = unsafe { self.raw.add(offset) }.cast::<T>();
        // SAFETY: the block is alive (we hold a reference) and its content does not change; blocks are
        // 16-aligned and the offsets passed are multiples of the member's alignment.
        unsafe { place.read() }
    }

    fn word(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: REFCNT, LAST_USED and IDENTITY lie inside the block.
        let place = unsafe { self.raw.add(offset) }.cast::<AtomicU32>();
        // SAFETY: 4-aligned, alive as long as `self`, and accessed by everyone as a 32-bit atomic.
        unsafe { place.as_ref() }
    }

    pub(super) fn octets(&self, offset: usize, length: usize) -> &[u8] {
        // SAFETY: offset and length come from the entry itself, which was built by this library.
        let start = unsafe { self.raw.add(offset) };
        // SAFETY: inside the block, initialised, immutable while `self` lives.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), length) }
    }

    #[inline]
    fn identity(&self) -> (u16, u8, u8) {
        layout::split_identity(self.identity_word().load(Ordering::Relaxed))
    }

    /// Type, flags and length of the name.
    pub(super) fn identity_word(&self) -> &AtomicU32 {
        self.word(layout::IDENTITY)
    }

    /// `ent_flags` with what C does not read.
    pub(super) fn all_flags(&self) -> u8 {
        self.identity().1
    }

    /// Owner name (after CNAME following: the target's), without trailing dot.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.octets(layout::NAME, usize::from(self.identity().2))
    }

    /// Type of the records, or the type that is absent.
    #[must_use]
    pub fn rtype(&self) -> RecordType {
        RecordType(self.identity().0)
    }

    /// `DNS_FLAG_BAD_NAME` and `DNS_FLAG_PERMANENT` as C shows them.
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.all_flags() & !layout::MARKS
    }

    /// `Some` for a negative entry.
    #[must_use]
    pub fn negative(&self) -> Option<NegativeKind> {
        (self.flags() & layout::FLAG_NEGATIVE != 0)
            .then(|| layout::decode_kind(self.at(layout::COUNTS)))
    }

    /// True when the entry never expires.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.flags() & layout::FLAG_PERMANENT != 0
    }

    /// Tick at which the last record expires; meaningless for permanent entries.
    #[must_use]
    pub fn expire(&self) -> u32 {
        self.at(layout::EXPIRE)
    }

    /// True when no record is valid any more.
    #[must_use]
    pub fn is_expired(&self, now: u32) -> bool {
        !self.is_permanent() && clock::is_past(self.expire(), now)
    }

    /// Number of records that can be used, 0 for negative entries.
    #[must_use]
    pub fn record_count(&self) -> usize {
        usize::from(layout::split_counts(self.at(layout::COUNTS)).0)
    }

    /// Number of records, those included that cannot be used: SRV records without port, behind all others. They
    /// are for people to look at, and to edit.
    #[must_use]
    pub fn listed_count(&self) -> usize {
        let (of_use, left_out) = layout::split_counts(self.at(layout::COUNTS));
        usize::from(of_use) + usize::from(left_out)
    }

    /// Offset of the `struct dns_rr` of a record.
    pub(super) fn node(&self, index: usize) -> Option<usize> {
        if index >= self.record_count() {
            return None;
        }
        let mut offset = 0;
        let base = self.raw.as_ptr() as u64;
        match self.rtype() {
            RecordType::A if index > 0 => {
                return Some(self.address_node(4, index));
            }
            RecordType::AAAA if index > 0 => {
                return Some(self.address_node(16, index));
            }
            _ => {}
        }
        for _ in 0..index {
            offset = (self.at::<u64>(offset) - base) as usize;
        }
        Some(offset)
    }

    /// As [`Self::node`], up to [`Self::listed_count`].
    fn any_node(&self, index: usize) -> Option<usize> {
        self.node(index).or_else(|| self.node_behind(index))
    }

    /// As [`Self::node`], for SRV records that no list leads to.
    #[cold]
    fn node_behind(&self, index: usize) -> Option<usize> {
        if self.rtype() != RecordType::SRV || index >= self.listed_count() {
            return None;
        }
        let mut node = 0;
        for _ in 0..index {
            let data = self.data_of(node);
            let target_len = self.at::<u8>(data + layout::SRV_TARGET);
            node = layout::node_behind_srv(data, usize::from(target_len));
        }
        Some(node)
    }

    /// Offset of the `struct dns_rr` that follows the one at an offset.
    #[inline]
    pub(super) fn next_node(&self, node: usize) -> Option<usize> {
        let base = self.raw.as_ptr() as u64;
        self.at::<u64>(node)
            .checked_sub(base)
            .map(|offset| offset as usize)
    }

    fn address_node(&self, size: usize, index: usize) -> usize {
        let name_len = usize::from(self.identity().2);
        layout::address_data(name_len, size, index) - layout::RR_BYTES
    }

    /// Offset of the data of the record whose `struct dns_rr` is at an offset.
    #[inline]
    pub(super) fn data_of(&self, node: usize) -> usize {
        (self.at::<u64>(node + 8) - self.raw.as_ptr() as u64) as usize
    }

    /// A record by its position, from 0 to [`Self::listed_count`].
    #[must_use]
    pub fn record(&self, index: usize) -> Option<RecordView<'_>> {
        self.record_at(self.any_node(index)?)
    }

    /// The record whose `struct dns_rr` is at an offset.
    fn record_at(&self, node: usize) -> Option<RecordView<'_>> {
        let data = self.data_of(node);
        let rtype = self.rtype();
        // A link of a search list is an alias.
        let form = rtype.form().or(rtype.is_link().then_some(Form::Alias))?;
        Some(match form {
            Form::Ipv4 => RecordView::A(Ipv4Addr::from(self.at::<[u8; 4]>(data))),
            Form::Ipv6 => RecordView::Aaaa(Ipv6Addr::from(self.at::<[u8; 16]>(data))),
            Form::Alias => RecordView::Cname(self.counted(data)),
            Form::Name => RecordView::Ptr(self.counted(data)),
            Form::Srv => RecordView::Srv {
                priority: self.at(data),
                weight: self.at(data + 2),
                port: self.at(data + 4),
                target: self.counted(data + 6),
            },
            Form::Naptr => RecordView::Naptr {
                order: self.at(data + 32),
                preference: self.at(data + 34),
                flags: self.string(data, data + 36),
                services: self.string(data + 8, data + 37),
                regexp: self.string(data + 16, data + 38),
                replacement: self.string(data + 24, data + 39),
            },
            Form::Texts => RecordView::Txt(self.texts_at(data).next().unwrap_or(&[])),
            Form::Ebl => RecordView::Ebl {
                position: self.at(data + 18),
                separator: self.string(data, data + 16),
                apex: self.string(data + 8, data + 17),
            },
        })
    }

    /// The records that can be used, in stored order; one pass, where [`Self::record`] walks to each from the start.
    pub fn records(&self) -> impl Iterator<Item = RecordView<'_>> + '_ {
        let mut node = (self.record_count() > 0).then_some(0);
        std::iter::from_fn(move || {
            let current = node?;
            node = self.next_node(current);
            self.record_at(current)
        })
    }

    /// A length octet with the text behind it.
    pub(super) fn counted(&self, offset: usize) -> &[u8] {
        self.octets(offset + 1, usize::from(self.at::<u8>(offset)))
    }

    /// The text that a pointer inside the entry refers to, its length in an octet elsewhere.
    fn string(&self, pointer: usize, length: usize) -> &[u8] {
        let offset = (self.at::<u64>(pointer) - self.raw.as_ptr() as u64) as usize;
        self.octets(offset, usize::from(self.at::<u8>(length)))
    }

    /// Tick at which a record expires.
    #[must_use]
    pub fn record_expire(&self, index: usize) -> Option<u32> {
        Some(self.at(self.any_node(index)? + layout::RR_EXPIRE))
    }

    /// True when a record of a held entry may be used: it is not expired, or the whole entry is, for then
    /// the holder goes on with the set that it began with (also one of TTL 0, which nobody else sees).
    #[must_use]
    pub fn is_usable(&self, index: usize, now: u32) -> bool {
        self.is_permanent()
            || self.is_expired(now)
            || self
                .record_expire(index)
                .is_some_and(|expire| !clock::is_past(expire, now))
    }

    /// The address of a usable A or AAAA record.
    #[must_use]
    pub fn usable_address(&self, index: usize, now: u32) -> Option<IpAddr> {
        if !self.is_usable(index, now) {
            return None;
        }
        match self.record(index)? {
            RecordView::A(address) => Some(IpAddr::V4(address)),
            RecordView::Aaaa(address) => Some(IpAddr::V6(address)),
            _ => None,
        }
    }

    /// Offset of the `struct dns_rr` of a usable record of a type.
    #[inline]
    fn usable_node(&self, rtype: RecordType, index: usize, now: u32) -> Option<usize> {
        if self.rtype() != rtype {
            return None;
        }
        let node = self.node(index)?;
        let live = !clock::is_past(self.at(node + layout::RR_EXPIRE), now);
        (live || self.is_usable(index, now)).then_some(node)
    }

    /// The address of a usable A record, four octets in network order; `None` for other types, too.
    #[must_use]
    #[inline]
    pub fn usable_ipv4(&self, index: usize, now: u32) -> Option<u32> {
        let node = self.usable_node(RecordType::A, index, now)?;
        Some(self.at(self.data_of(node)))
    }

    /// The position of the smallest address: where the set begins if the beginning of the latest answer does not
    /// count. 0 for other types.
    #[must_use]
    pub fn least_address(&self) -> usize {
        let size = match self.rtype() {
            RecordType::A => 4,
            RecordType::AAAA => 16,
            _ => return 0,
        };
        let octets = |index: usize| {
            let node = self.node(index).unwrap_or(0);
            self.octets(self.data_of(node), size)
        };
        // A circle: from the first record on addresses grow, and behind the greatest come those below the first.
        let (mut low, mut high) = (0, self.record_count());
        while low < high {
            let middle = low + (high - low) / 2;
            if octets(middle) < octets(0) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        if low < self.record_count() { low } else { 0 }
    }

    /// The addresses of all usable records.
    pub fn usable_addresses(&self, now: u32) -> impl Iterator<Item = IpAddr> + '_ {
        (0..self.record_count()).filter_map(move |index| self.usable_address(index, now))
    }

    /// The position of the address that is used as number `step` by who begins `by` addresses behind the smallest,
    /// wherever the latest answer began.
    #[must_use]
    pub fn turned(&self, by: usize, step: usize) -> usize {
        (self.least_address() + by + step) % self.record_count().max(1)
    }

    /// All strings of a TXT record; empty for other types.
    #[must_use]
    pub fn texts(&self, index: usize) -> Vec<&[u8]> {
        let Some(node) = self
            .node(index)
            .filter(|_| self.rtype().form() == Some(Form::Texts))
        else {
            return Vec::new();
        };
        self.texts_at(self.data_of(node)).collect()
    }

    fn texts_at(&self, data: usize) -> impl Iterator<Item = &[u8]> {
        let count = usize::from(self.at::<u16>(data));
        (0..count).map(move |i| self.string(data + 8 + 16 * i, data + 16 + 16 * i))
    }

    /// References held by others than the cache, plus one while linked (as RPC shows it).
    #[must_use]
    pub fn reference_count(&self) -> i32 {
        let word = self.word(layout::REFCNT).load(Ordering::Relaxed);
        (word & refword::COUNT_MASK) as i32 + i32::from(word & refword::LINKED != 0)
    }

    /// True while the cache finds the entry.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.word(layout::REFCNT).load(Ordering::Relaxed) & refword::LINKED != 0
    }

    /// Tick of the last use, coarse.
    #[must_use]
    pub fn last_used(&self) -> u32 {
        self.word(layout::LAST_USED).load(Ordering::Relaxed)
    }

    /// For how many seconds it has not been used; `None` = it was never used.
    #[must_use]
    pub fn used_ago_s(&self, now: u32) -> Option<u32> {
        let stamp = self.last_used();
        let idle = (now.wrapping_sub(stamp) as i32).max(0).cast_unsigned();
        layout::tells_of_use(stamp).then_some(idle / clock::TICKS_PER_S)
    }

    /// Notes a use, at most once a second; true when it did.
    pub fn touch(&self, now: u32) -> bool {
        let word = self.word(layout::LAST_USED);
        let stamp = word.load(Ordering::Relaxed);
        let age = now.wrapping_sub(stamp) as i32;
        let stale = age >= clock::TICKS_PER_S as i32 || !layout::was_used(stamp);
        if stale {
            word.store(layout::use_stamp(now), Ordering::Relaxed);
        }
        stale
    }

    /// Takes over when the entry before this one was used last (its [`Self::last_used`]), unless this one was used since.
    pub fn inherit_use(&self, stamp: u32) {
        let word = self.word(layout::LAST_USED);
        let own = word.load(Ordering::Relaxed);
        if !layout::was_used(own) && layout::tells_of_use(stamp) {
            let inherited = layout::inherited_stamp(stamp);
            // Used meanwhile: then that counts.
            let _ = word.compare_exchange(own, inherited, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// The word at [`layout::COUNTS`].
    pub(super) fn counts(&self) -> u32 {
        self.at(layout::COUNTS)
    }

    /// Octets of the entry (`total_size`).
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.at::<u32>(layout::TOTAL_SIZE) as usize
    }

    /// Hash of the name, as of [`super::Cache::name_hash`].
    #[must_use]
    #[inline]
    pub fn hash(&self) -> u32 {
        self.at(layout::HASH)
    }
}

// SAFETY: the entry is immutable shared memory, its count is atomic.
unsafe impl Send for EntryRef {}
// SAFETY: as above.
unsafe impl Sync for EntryRef {}

impl Clone for EntryRef {
    fn clone(&self) -> Self {
        refword::acquire_held(self.word(layout::REFCNT));
        Self { raw: self.raw }
    }
}

impl Drop for EntryRef {
    fn drop(&mut self) {
        match refword::release(self.word(layout::REFCNT)) {
            refword::Released::StillAlive => {}
            refword::Released::Freed => super::hint_freed(self.raw.as_ptr() as usize),
            refword::Released::Underflow => {
                crate::log!(
                    Level::Bug,
                    "a DNS cache entry was released more often than taken"
                );
            }
        }
    }
}
