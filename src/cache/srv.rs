//! SRV records of a held entry, found by where they stand.
//!
//! The first cache line of an entry has the count of its holders, which every call that begins or ends changes. A
//! step that knows the place of its record reads the other lines only, and does not wait for that one to come from
//! another processor.

use crate::host::clock;
use crate::rr::RecordType;

use super::{EntryRef, HashedName, layout};

/// Places are counted in octets of this many.
const UNIT: usize = 8;

/// The place of an SRV record in its entry. Keep a place together with a reference to that entry: it means nothing in
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SrvPlace(u16);

impl SrvPlace {
    /// Numbers are below this.
    pub const NUMBERS: u16 = (crate::shm::pages::MAX_BLOCK / UNIT) as u16;

    /// The place of the first record.
    #[must_use]
    #[inline]
    pub const fn first() -> Self {
        Self(0)
    }

    /// A number for the place; 0 for the first record and for no other.
    #[must_use]
    #[inline]
    pub fn number(self) -> u16 {
        self.0
    }

    #[inline]
    fn at_node(node: usize) -> Self {
        Self((node / UNIT) as u16)
    }

    #[inline]
    fn node(self) -> usize {
        usize::from(self.0) * UNIT
    }
}

impl EntryRef {
    /// The place of a record by its position; `None` for other types than SRV, too.
    #[must_use]
    #[inline]
    pub fn srv_place(&self, index: usize) -> Option<SrvPlace> {
        if self.rtype() != RecordType::SRV {
            return None;
        }
        self.node(index).map(SrvPlace::at_node)
    }

    /// The place to which [`SrvPlace::number`] gave a number, which was kept where callers can write. `None` for one
    /// at which no record stands.
    ///
    /// A record's first words say where it stands itself. So a wrong number leads nowhere or, at worst, to a record
    /// of an entry near by, and never out of the cache's memory.
    #[must_use]
    #[inline]
    pub fn kept_srv_place(&self, number: u16) -> Option<SrvPlace> {
        let place = SrvPlace(number & (SrvPlace::NUMBERS - 1));
        let node = place.node();
        // The data of record 0 stands behind the name, that of all others behind their `struct dns_rr`.
        let is_first = node == 0 && self.rtype() == RecordType::SRV && self.record_count() > 0;
        let is_there = node != 0
            && self.at::<u64>(node + layout::RR_RDATA)
                == self.raw_address() + (node + layout::RR_BYTES) as u64;
        (is_there || is_first).then_some(place)
    }

    /// Writes priority, weight and place of the records in stored order, as many as there is room for in both; gives
    /// their number, 0 for other types than SRV.
    #[inline]
    pub fn rank_srv(&self, ranked: &mut [(u16, u16)], places: &mut [SrvPlace]) -> usize {
        if self.rtype() != RecordType::SRV {
            return 0;
        }
        let count = self.record_count().min(ranked.len()).min(places.len());
        let mut node = 0;
        for ((priority, weight), place) in ranked.iter_mut().zip(places).take(count) {
            let data = self.data_of(node);
            (*priority, *weight) = (self.at(data), self.at(data + 2));
            *place = SrvPlace::at_node(node);
            // Behind the last record there is none to go on with.
            node = self.next_node(node).unwrap_or(0);
        }
        count
    }

    /// The position of the record that comes in a place where the beginning of the latest answer does not count: the
    /// order then depends on the records alone.
    #[must_use]
    #[inline]
    pub fn srv_in_order(&self, place: SrvPlace) -> u8 {
        let data = self.data_of(place.node());
        let target_len = self.at::<u8>(data + layout::SRV_TARGET);
        let octet = data + layout::srv_order_octet(usize::from(target_len));
        self.at(octet)
    }

    /// The place of the record that follows in stored order.
    #[must_use]
    #[inline]
    pub fn next_srv_place(&self, place: SrvPlace) -> Option<SrvPlace> {
        self.next_node(place.node()).map(SrvPlace::at_node)
    }

    /// The target of the record at a place.
    #[must_use]
    #[inline]
    pub fn srv_target(&self, place: SrvPlace) -> HashedName<'_> {
        let node = place.node();
        let target = self.counted(self.data_of(node) + layout::SRV_TARGET);
        HashedName::with_kept_hash(target, self.at(node + layout::RR_LINK))
    }

    /// Port and target of the record at a place, if it is usable as [`Self::is_usable`] says.
    #[must_use]
    #[inline]
    pub fn usable_srv(&self, place: SrvPlace, now: u32) -> Option<(u16, HashedName<'_>)> {
        let node = place.node();
        let live = !clock::is_past(self.at(node + layout::RR_EXPIRE), now);
        if !live && !self.is_permanent() && !self.is_expired(now) {
            return None;
        }
        let port = self.at(self.data_of(node) + layout::SRV_PORT);
        Some((port, self.srv_target(place)))
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::set::{Set, srv};
    use super::super::{Cache, NegativeKind, RecordView};
    use super::*;

    const NOW: u32 = 900;

    fn entry(count: u16, permanent: bool) -> EntryRef {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let mut set = Set::of("_sip._udp.places", RecordType::SRV).permanent(permanent);
        for i in 0..count {
            let target = "t".repeat(1 + usize::from(i) % 60);
            set = set.record(1 + u32::from(i), srv(i, 1, 5000 + i, &target));
        }
        set.put(cache, NOW).unwrap()
    }

    #[test]
    fn places_lead_through_all_records_in_order() {
        for count in [1, 2, 7, 200] {
            let entry = entry(count, false);
            let mut place = entry.srv_place(0);
            for index in 0..usize::from(count) {
                let here = place.unwrap();
                assert_eq!(Some(here), entry.srv_place(index));
                assert_eq!(here.number() == 0, index == 0);
                assert!(here.number() < SrvPlace::NUMBERS);
                assert_eq!(entry.kept_srv_place(here.number()), Some(here));
                let Some(RecordView::Srv { port, target, .. }) = entry.record(index) else {
                    panic!("not an SRV record");
                };
                let (found, name) = entry.usable_srv(here, NOW).unwrap();
                assert_eq!((found, name.name()), (port, target));
                place = entry.next_srv_place(here);
            }
            let mut ranked = [(9, 9); 100];
            let mut places = [SrvPlace::first(); 100];
            let few = usize::from(count).min(ranked.len());
            assert_eq!(entry.rank_srv(&mut ranked, &mut places), few);
            let stand = (0..few).map(|index| entry.srv_place(index).unwrap());
            assert!(places.iter().take(few).copied().eq(stand));
            assert!(
                ranked
                    .iter()
                    .take(few)
                    .copied()
                    .eq((0..).map(|i| (i, 1)).take(few))
            );
            assert_eq!(place, None);
            assert_eq!(entry.srv_place(usize::from(count)), None);
        }
    }

    /// Numbers of no meaning are refused, wherever the entry stands.
    #[test]
    fn wrong_numbers_lead_nowhere() {
        for count in [1, 7, 200] {
            let entry = entry(count, false);
            let right: Vec<_> = (0..count)
                .map(|index| entry.srv_place(index.into()).unwrap().number())
                .collect();
            let all = 0..=u16::MAX;
            let found = all.filter(|&number| entry.kept_srv_place(number).is_some());
            assert!(
                found
                    .map(|number| number % SrvPlace::NUMBERS)
                    .eq((0..=u16::MAX / SrvPlace::NUMBERS).flat_map(|_| right.iter().copied()))
            );
        }
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let set = Set::absence("_sip._udp.places", RecordType::SRV, NegativeKind::NoData, 9);
        let entry = set.put(cache, NOW).unwrap();
        assert!((0..SrvPlace::NUMBERS).all(|number| entry.kept_srv_place(number).is_none()));
    }

    #[test]
    fn usable_as_by_position() {
        for permanent in [false, true] {
            let entry = entry(5, permanent);
            for second in 0..8 {
                let now = clock::after_seconds(NOW, second);
                for index in 0..5 {
                    let place = entry.srv_place(index).unwrap();
                    let usable = entry.usable_srv(place, now).is_some();
                    assert_eq!(usable, entry.is_usable(index, now), "{index} {second}");
                }
            }
        }
    }
}
