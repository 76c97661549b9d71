//! The records of an entry: where each stands, what it says, and whether it may be used.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::host::clock;
use crate::rr::{Form, Name, Naptr, RData, RecordType, Srv};

use super::{EntryRef, layout};

/// A record of an entry; borrowed from the entry, valid as long as the reference is held.
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

impl EntryRef {
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

    /// The addresses of all usable records.
    pub fn usable_addresses(&self, now: u32) -> impl Iterator<Item = IpAddr> + '_ {
        (0..self.record_count()).filter_map(move |index| self.usable_address(index, now))
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

    /// The text that a pointer inside the entry refers to, its length in an octet elsewhere.
    fn string(&self, pointer: usize, length: usize) -> &[u8] {
        let offset = (self.at::<u64>(pointer) - self.raw_address()) as usize;
        self.octets(offset, usize::from(self.at::<u8>(length)))
    }

    /// Offset of the `struct dns_rr` of a record.
    pub(super) fn node(&self, index: usize) -> Option<usize> {
        if index >= self.record_count() {
            return None;
        }
        let mut offset = 0;
        let base = self.raw_address();
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
        let base = self.raw_address();
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
        (self.at::<u64>(node + layout::RR_RDATA) - self.raw_address()) as usize
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::set::{Set, a, cname, naptr, srv};
    use super::super::{Cache, NegativeKind};
    use super::*;
    use crate::host::clock::after_seconds;

    const NOW: u32 = u32::MAX - 200;

    fn aaaa(last: u16) -> RData {
        RData::Aaaa(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last))
    }

    #[test]
    fn records_come_back_as_they_were() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let of_type = [
            (RecordType::A, a(7)),
            (RecordType::AAAA, aaaa(9)),
            (RecordType::CNAME, cname("Target.example")),
            (RecordType::SRV, srv(1, 2, 5060, "host.example")),
            (RecordType::SRV, srv(3, 4, 5, ".")),
            (
                RecordType::NAPTR,
                naptr((1, 2), ("s", "SIP+D2U", ""), "_sip._udp.x"),
            ),
            (
                RecordType::NAPTR,
                naptr((9, 8), ("u", "E2U+sip", "!^.*$!sip:x@y!"), "."),
            ),
        ];
        for (rtype, rdata) in of_type {
            let entry = Set::of("n", rtype)
                .record(60, rdata.clone())
                .put(cache, NOW);
            let entry = entry.unwrap();
            assert_eq!(entry.record(0).unwrap().rdata(), Some(rdata.clone()));
            assert!(entry.records().eq(entry.record(0)), "{rdata:?}");
        }
        let text = RData::Txt(vec![b"one"[..].into(), b"two"[..].into()]);
        let entry = Set::of("n", RecordType::TXT)
            .record(60, text)
            .put(cache, NOW);
        let entry = entry.unwrap();
        assert_eq!(entry.texts(0), [b"one", b"two"]);
        assert!(entry.texts(1).is_empty());
        assert_eq!(entry.record(0).unwrap().rdata(), None);
    }

    /// A record is of use until it expires, and again when the whole set has.
    #[test]
    fn addresses_are_of_use_as_long_as_they_live_or_all_are_over() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        for (rtype, make) in [
            (RecordType::A, (|last| a(last as u8)) as fn(u16) -> RData),
            (RecordType::AAAA, aaaa),
        ] {
            let set = Set::of("n", rtype).record(60, make(1)).record(30, make(2));
            let set = set.record(60, make(3));
            let address = |last| match make(last) {
                RData::A(address) => IpAddr::V4(address),
                RData::Aaaa(address) => IpAddr::V6(address),
                _ => panic!("no address"),
            };
            for permanent in [false, true] {
                let entry = set.clone().permanent(permanent).put(cache, NOW).unwrap();
                for (seconds, second_lives) in [(0, true), (29, true), (30, false), (60, true)] {
                    let now = after_seconds(NOW, seconds);
                    for (index, last) in [(0, 1), (1, 2), (2, 3)] {
                        let wanted =
                            (last != 2 || second_lives || permanent).then(|| address(last));
                        assert_eq!(entry.usable_address(index, now), wanted, "{seconds}");
                        let IpAddr::V4(v4) = address(last) else {
                            assert_eq!(entry.usable_ipv4(index, now), None);
                            continue;
                        };
                        let octets = wanted.map(|_| u32::from_ne_bytes(v4.octets()));
                        assert_eq!(entry.usable_ipv4(index, now), octets, "{seconds}");
                    }
                    let count = if second_lives || permanent { 3 } else { 2 };
                    assert_eq!(entry.usable_addresses(now).count(), count, "{seconds}");
                    assert_eq!(entry.usable_address(3, now), None);
                }
            }
        }
        let absent = Set::absence("no", RecordType::A, NegativeKind::NoData, 60);
        let absent = absent.put(cache, NOW).unwrap();
        assert_eq!(absent.usable_address(0, NOW), None);
        assert_eq!(absent.usable_ipv4(0, NOW), None);
        assert_eq!(absent.usable_addresses(NOW).count(), 0);
        let service = Set::of("s", RecordType::SRV).record(60, srv(1, 1, 1, "n"));
        let service = service.put(cache, NOW).unwrap();
        assert_eq!(service.usable_address(0, NOW), None);
    }

    #[test]
    fn turns_begin_at_the_smallest_address_wherever_the_answer_began() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let sorted = [3, 5, 8, 13, 21];
        for first in 0..sorted.len() {
            let mut answer = sorted.map(a);
            answer.rotate_left(first);
            let set = Set::of("n", RecordType::A).records(60, &answer);
            let entry = set.put(cache, NOW).unwrap();
            for (by, step) in (0..7).flat_map(|by| (0..7).map(move |step| (by, step))) {
                let found = entry.record(entry.turned(by, step)).unwrap().rdata();
                assert_eq!(found, Some(a(sorted[(by + step) % sorted.len()])));
            }
        }
        let absent = Set::absence("n", RecordType::A, NegativeKind::NoData, 60);
        assert_eq!(absent.put(cache, NOW).unwrap().turned(3, 4), 0);
    }

    /// The octets from a text of an entry to the entry's end.
    fn from_text<'e>(entry: &'e EntryRef, text: &[u8]) -> &'e [u8] {
        let offset = text.as_ptr() as usize - entry.as_raw() as usize;
        entry.octets(offset, entry.size_bytes() - offset)
    }

    /// C reads texts up to their NUL; those of a NAPTR record by their lengths, but for the last.
    #[test]
    fn texts_of_every_length_end_in_a_nul_inside_the_entry() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        for length in (1..40).chain([254, 255]) {
            let text = |letter: &str| letter.repeat(length);
            let name = |letter: &str| super::super::set::name(&text(letter));
            let octets = |letter: &str| text(letter).into_bytes().into_boxed_slice();
            let ebl = |letter: &str| RData::Ebl {
                position: 3,
                separator: octets(letter),
                apex: name(letter),
            };
            let naptr = |order, letter: &str| {
                let text = text(letter);
                naptr((order, 1), (&text, &text, &text), &text)
            };
            let sets = [
                (RecordType::CNAME, vec![cname(&text("a"))]),
                (
                    RecordType::PTR,
                    vec![RData::Ptr(name("a")), RData::Ptr(name("b"))],
                ),
                (
                    RecordType::SRV,
                    vec![srv(1, 1, 5, &text("a")), srv(2, 1, 5, &text("b"))],
                ),
                (RecordType::NAPTR, vec![naptr(1, "a"), naptr(2, "b")]),
                (
                    RecordType::TXT,
                    vec![
                        RData::Txt(vec![octets("a"), octets("c")]),
                        RData::Txt(vec![octets("b")]),
                    ],
                ),
                (RecordType::EBL, vec![ebl("a"), ebl("b")]),
            ];
            for (rtype, records) in sets {
                let entry = Set::of("owner", rtype)
                    .records(60, &records)
                    .put(cache, NOW);
                let entry = entry.unwrap();
                assert_eq!(entry.record_count(), records.len());
                let mut letters = Vec::new();
                for index in 0..records.len() {
                    let texts: Vec<&[u8]> = match entry.record(index).unwrap() {
                        RecordView::Cname(text) | RecordView::Ptr(text) => vec![text],
                        RecordView::Srv { target, .. } => vec![target],
                        RecordView::Naptr {
                            flags,
                            services,
                            regexp,
                            replacement,
                            ..
                        } => {
                            let all = [flags, services, regexp, replacement];
                            assert!(all.iter().all(|text| *text == replacement), "{length}");
                            vec![replacement]
                        }
                        RecordView::Txt(_) => entry.texts(index),
                        RecordView::Ebl {
                            position,
                            separator,
                            apex,
                        } => {
                            assert_eq!(position, 3);
                            vec![separator, apex]
                        }
                        other => panic!("{other:?}"),
                    };
                    for text in &texts {
                        assert_eq!(text.len(), length, "{rtype:?}");
                        assert!(text.iter().all(|octet| octet == &text[0]));
                        assert_eq!(from_text(&entry, text).get(length), Some(&0), "{rtype:?}");
                        letters.push(text[0]);
                    }
                    if rtype == RecordType::TXT {
                        let data = entry.data_of(entry.node(index).unwrap());
                        let total: u16 = entry.at(data + 2);
                        assert_eq!(usize::from(total), texts.len() * (length + 1));
                    }
                }
                letters.sort_unstable();
                letters.dedup();
                assert!(letters.starts_with(b"a") && letters.len() >= records.len());
            }
        }
    }

    /// Records that lead to names have the hashes of those, and C's list begins where there is a record of use.
    #[test]
    fn records_lead_to_the_names_that_they_have() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let owner = "example.org";
        let hash_at = |entry: &EntryRef, index| -> u32 {
            entry.at(entry.node(index).unwrap() + layout::RR_LINK)
        };
        let names = ["_sip._udp.example.org", "_sip._udp.example.net"];
        let records = [0, 1].map(|i| srv(i, 1, 5060, names[usize::from(i)]));
        let entry = Set::of(owner, RecordType::SRV).records(60, &records);
        let entry = entry.put(cache, NOW).unwrap();
        let hashes = names.map(|name| cache.name_hash(name.as_bytes()));
        assert_eq!([0, 1].map(|index| hash_at(&entry, index)), hashes);
        let records = [0, 1].map(|i| naptr((i, 1), ("s", "SIP+D2U", ""), names[usize::from(i)]));
        let entry = Set::of(owner, RecordType::NAPTR).records(60, &records);
        let entry = entry.put(cache, NOW).unwrap();
        // The lowest bit says that the name lies below the owner's.
        assert_eq!(
            [0, 1].map(|index| hash_at(&entry, index)),
            [hashes[0], hashes[1] & !1]
        );
        assert_eq!(hashes.map(|hash| hash & 1), [1, 1]);
        let begins = |entry: &EntryRef| entry.at::<u64>(layout::RR_LST) == entry.raw_address();
        assert!(begins(&entry));
        let without_port = Set::of("s", RecordType::SRV).record(60, srv(1, 1, 0, "x"));
        let without_port = without_port.put(cache, NOW).unwrap();
        let absent = Set::absence("n", RecordType::A, NegativeKind::NoData, 60);
        let absent = absent.put(cache, NOW).unwrap();
        for entry in [without_port, absent] {
            assert_eq!(entry.at::<u64>(layout::RR_LST), 0);
        }
    }
}
