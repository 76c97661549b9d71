//! The records of a draft that are kept, and their places.
//!
//! See [`crate::rr::order`]. The circles are opened when the entry is made, so record 0 is the one that the server put
//! first: a reader of record 0 alone has nothing to do for it.

use crate::rr::RData;
use crate::rr::order::{Placed, Row, has_no_port, open_circles, sorted};

use super::DraftRecord;

/// The records of an entry in the order in which they are stored.
#[derive(Default)]
pub(crate) struct Order<'a> {
    records: Row<&'a DraftRecord<'a>>,
    /// Records in front that can be used; behind them are SRV records without port.
    of_use: usize,
}

impl<'a> Order<'a> {
    /// Orders the records of a draft. Of more than fit into `room` octets the first in order are kept; `octets` gives
    /// the most that a record needs.
    pub(crate) fn new(
        records: &'a [DraftRecord<'a>],
        room: usize,
        octets: impl Fn(&RData) -> usize,
    ) -> Self {
        // Most sets are that small, and there is nothing to order.
        if let [only] = records {
            let fits = octets(only.rdata) <= room;
            let is_of_use = fits && !has_no_port(only.rdata);
            return Self {
                records: fits.then(|| Placed::alone(only)).into_iter().collect(),
                of_use: usize::from(is_of_use),
            };
        }
        let mut kept = sorted(records, |record| record.rdata);
        let mut left = room;
        let fitting = kept.iter().take_while(|placed| {
            let needed = octets(placed.record.rdata);
            let fits = needed <= left;
            left = left.saturating_sub(needed);
            fits
        });
        let fitting = fitting.count();
        kept.truncate(fitting);
        open_circles(&mut kept, |record| record.rdata);
        let unusable = kept
            .iter()
            .rev()
            .take_while(|placed| has_no_port(placed.record.rdata));
        let of_use = kept.len() - unusable.count();
        Self {
            records: kept,
            of_use,
        }
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Placed<&'a DraftRecord<'a>>> {
        self.records.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Records in front that can be used.
    pub(crate) fn of_use(&self) -> usize {
        self.of_use
    }

    /// SRV records without port behind them.
    pub(crate) fn left_out(&self) -> usize {
        self.records.len() - self.of_use
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::set::{Set, a, srv};
    use super::super::{Cache, EntryRef, RecordView};
    use super::*;
    use crate::rr::{Name, Naptr, RecordType};

    const NOW: u32 = 400;

    fn entry(cache: &Cache, name: &str, rtype: RecordType, records: &[RData]) -> EntryRef {
        let set = Set::of(name, rtype).records(60, records);
        set.put(cache, NOW).unwrap()
    }

    fn cache() -> &'static Cache {
        Cache::for_tests(4 << 20, false).unwrap()
    }

    fn last_octets(entry: &EntryRef) -> Vec<u8> {
        let last = |record| match record {
            RecordView::A(address) => address.octets()[3],
            _ => panic!("not an address"),
        };
        entry.records().map(last).collect()
    }

    fn ports(entry: &EntryRef) -> Vec<u16> {
        let port = |record| match record {
            RecordView::Srv { port, .. } => port,
            _ => panic!("not an SRV record"),
        };
        (0..entry.listed_count())
            .filter_map(|i| entry.record(i))
            .map(port)
            .collect()
    }

    /// Calls `each` with every order of the numbers below `count`.
    fn permutations(count: usize, each: &mut dyn FnMut(&[usize])) {
        fn place(list: &mut Vec<usize>, from: usize, each: &mut dyn FnMut(&[usize])) {
            if from == list.len() {
                each(list);
            }
            for other in from..list.len() {
                list.swap(from, other);
                place(list, from + 1, each);
                list.swap(from, other);
            }
        }
        place(&mut (0..count).collect(), 0, each);
    }

    #[test]
    fn addresses_go_round_from_where_the_answer_began() {
        let cache = cache();
        for count in 1..=5_u8 {
            permutations(count.into(), &mut |order| {
                let records: Vec<_> = order.iter().map(|&i| a(10 + i as u8)).collect();
                let entry = entry(cache, "a", RecordType::A, &records);
                let first = order[0] as u8;
                let expected: Vec<_> = (0..count).map(|i| 10 + (first + i) % count).collect();
                assert_eq!(last_octets(&entry), expected);
                assert_eq!(entry.least_address(), usize::from((count - first) % count));
            });
        }
    }

    #[test]
    fn long_addresses_do_too() {
        let cache = cache();
        let list =
            ["2001:db8::1", "2001:db8::1:0", "2001:db8:1::"].map(|text| text.parse().unwrap());
        for begin in 0..3 {
            let records: Vec<_> = [0, 2, 1].map(|i| RData::Aaaa(list[(begin + i) % 3])).into();
            let entry = entry(cache, "a", RecordType::AAAA, &records);
            let expected = (0..3).map(|i| RecordView::Aaaa(list[(begin + i) % 3]));
            assert!(entry.records().eq(expected));
            assert_eq!(entry.least_address(), (3 - begin) % 3);
        }
    }

    #[test]
    fn srv_records_go_round_among_equals() {
        let cache = cache();
        // Two circles, and a record between them that has no equal.
        let all = [
            srv(1, 5, 1, "x"),
            srv(1, 5, 2, "x"),
            srv(1, 4, 3, "x"),
            srv(2, 1, 4, "a"),
            srv(2, 1, 4, "b"),
        ];
        permutations(all.len(), &mut |order| {
            let records: Vec<_> = order.iter().map(|&i| all[i].clone()).collect();
            let entry = entry(cache, "s", RecordType::SRV, &records);
            let earlier = |one, other| {
                let place = |wanted| order.iter().position(|i| *i == wanted);
                place(one) < place(other)
            };
            let first = if earlier(0, 1) { [1, 2] } else { [2, 1] };
            assert_eq!(ports(&entry), [&first[..], &[3, 4, 4]].concat());
            let target = |index| match entry.record(index) {
                Some(RecordView::Srv { target, .. }) => target.to_vec(),
                _ => panic!("not an SRV record"),
            };
            assert_eq!(target(3) == b"a", earlier(3, 4));
            // The order behind the circles is always the same.
            let in_order: Vec<_> = (0..5)
                .map(|i| entry.srv_in_order(entry.srv_place(i).unwrap()))
                .collect();
            let found: Vec<_> = in_order
                .iter()
                .map(|&index| ports(&entry)[usize::from(index)])
                .collect();
            assert_eq!(found, [1, 2, 3, 4, 4]);
            assert_eq!(target(in_order[3].into()), b"a");
        });
    }

    #[test]
    fn naptr_records_have_one_order() {
        let cache = cache();
        let naptr = |order, services: &str, replacement: &str| {
            RData::Naptr(Naptr {
                order,
                preference: 1,
                flags: (*b"s").into(),
                services: services.as_bytes().into(),
                regexp: (*b"").into(),
                replacement: Name::from_text(replacement.as_bytes()).unwrap(),
            })
        };
        let all = [
            naptr(1, "SIP+D2T", "b"),
            naptr(1, "SIP+D2U", "a"),
            naptr(1, "SIP+D2U", "b"),
            naptr(2, "SIP+D2T", "a"),
        ];
        permutations(all.len(), &mut |order| {
            let records: Vec<_> = order.iter().map(|&i| all[i].clone()).collect();
            let entry = entry(cache, "n", RecordType::NAPTR, &records);
            let found = entry.records().map(|record| match record {
                RecordView::Naptr {
                    order,
                    services,
                    replacement,
                    ..
                } => (order, services.to_vec(), replacement.to_vec()),
                _ => panic!("not a NAPTR record"),
            });
            let expected = all.iter().map(|rdata| match rdata {
                RData::Naptr(n) => (
                    n.order,
                    n.services.to_vec(),
                    n.replacement.as_bytes().to_vec(),
                ),
                _ => panic!("not a NAPTR record"),
            });
            assert!(found.eq(expected));
        });
    }

    #[test]
    fn identical_records_are_one() {
        let cache = cache();
        let found = entry(cache, "a", RecordType::A, &[a(2), a(1), a(2), a(1), a(2)]);
        assert_eq!(last_octets(&found), [2, 1]);
        let twice = [
            srv(1, 1, 5060, "b.Test"),
            srv(1, 1, 5061, "a"),
            srv(1, 1, 5060, "B.test"),
            srv(1, 1, 5061, "A"),
        ];
        let found = entry(cache, "s", RecordType::SRV, &twice);
        assert_eq!(ports(&found), [5060, 5061]);
        // The spelling does not depend on the arrival either.
        let target = |index| match found.record(index) {
            Some(RecordView::Srv { target, .. }) => target.to_vec(),
            _ => panic!("not an SRV record"),
        };
        assert_eq!([target(0), target(1)], [b"B.test".to_vec(), b"A".to_vec()]);
    }

    #[test]
    fn the_best_of_too_many_are_kept() {
        let cache = cache();
        let worst_first: Vec<_> = (0..300).rev().map(|i| srv(i, 1, 1000 + i, "x")).collect();
        let found = entry(cache, "s", RecordType::SRV, &worst_first);
        assert!(ports(&found).into_iter().eq(1000..1250));
        // A circle is cut before it is opened.
        let equal: Vec<_> = (0..300)
            .map(|i| srv(1, 1, 1000 + (i + 249) % 300, "x"))
            .collect();
        let found = entry(cache, "s", RecordType::SRV, &equal);
        assert!(
            ports(&found)
                .into_iter()
                .eq(std::iter::once(1249).chain(1000..1249))
        );
        let equal: Vec<_> = (0..300)
            .map(|i| srv(1, 1, 1000 + (i + 290) % 300, "x"))
            .collect();
        let found = entry(cache, "s", RecordType::SRV, &equal);
        assert!(ports(&found).into_iter().eq(1000..1250));
    }

    #[test]
    fn what_has_no_room_does_not_depend_on_the_arrival() {
        let cache = cache();
        let text = |i: u8| {
            RData::Txt(vec![
                vec![i; 255].into(),
                vec![b'x'; 50 + usize::from(i)].into(),
            ])
        };
        let all: Vec<_> = (0..200).map(text).collect();
        let kept = |records: &[RData]| {
            let entry = entry(cache, "t", RecordType::TXT, records);
            (0..entry.record_count())
                .map(|i| entry.texts(i)[0][0])
                .collect::<Vec<_>>()
        };
        let first = kept(&all);
        assert!((100..200).contains(&first.len()), "{}", first.len());
        let mut turned = all.clone();
        for _ in 0..7 {
            turned.rotate_left(29);
            assert_eq!(kept(&turned), first);
        }
    }

    #[test]
    fn records_without_port_are_for_people_only() {
        let cache = cache();
        let records = [
            srv(0, 9, 0, "bad"),
            srv(2, 1, 7, "x"),
            srv(1, 1, 5, "x"),
            srv(3, 0, 0, "worse"),
        ];
        permutations(records.len(), &mut |order| {
            let records: Vec<_> = order.iter().map(|&i| records[i].clone()).collect();
            let entry = entry(cache, "s", RecordType::SRV, &records);
            assert_eq!((entry.record_count(), entry.listed_count()), (2, 4));
            assert_eq!(ports(&entry), [5, 7, 0, 0]);
            assert_eq!(entry.records().count(), 2);
            assert_eq!(entry.record(4), None);
            let last = entry.srv_place(1).unwrap();
            assert_eq!(entry.next_srv_place(last), None);
            assert!((0..4).all(|index| entry.record_expire(index) == Some(entry.expire())));
        });
        let found = entry(cache, "s", RecordType::SRV, &records[..1]);
        assert_eq!((found.record_count(), found.listed_count()), (0, 1));
        assert_eq!((found.records().count(), ports(&found)), (0, vec![0]));
        assert_eq!((found.negative(), found.is_expired(NOW)), (None, false));
        let qname = cache.hashed(b"s");
        let seen = cache.with_first_srv(&qname, NOW, |_, target| target.name().len());
        assert_eq!(seen, Some(0), "leads nowhere");
        // The root needs no port.
        let found = entry(cache, "s", RecordType::SRV, &[srv(0, 0, 0, "")]);
        assert_eq!((found.record_count(), found.listed_count()), (1, 1));
    }
}
