//! The order of the records of one set, whatever order they arrive in.
//!
//! Two answers with the same records in other places are one set (RFC 2181 section 5): they give the same list.
//! The order is total, so nothing of the arrival is left in it.
//!
//! Only where a set begins is the latest answer's: a server that rotates its answers spreads the load of those who
//! take the first record. So records between which nothing else decides (addresses; SRV records of one priority and
//! weight) form a circle in that order, and the circle is opened where the answer began with it.

use std::cmp::Ordering;
use std::net::IpAddr;

use smallvec::SmallVec;

use super::{MAX_RRSET_RECORDS, Naptr, RData, Srv};

/// Records on their way into the order.
pub(crate) type Row<T> = SmallVec<[Placed<T>; 4]>;

/// A record on its way into the order.
#[derive(Clone, Copy)]
pub(crate) struct Placed<T> {
    pub(crate) record: T,
    /// Position in the answer.
    arrival: usize,
    /// Position of the record that stands here where the answer's beginning does not count. Records are fewer than
    /// 256.
    pub(crate) in_order: u8,
}

#[cfg(feature = "use_dns_cache")]
impl<T> Placed<T> {
    /// The only record of its set.
    pub(crate) fn alone(record: T) -> Self {
        Self {
            record,
            arrival: 0,
            in_order: 0,
        }
    }
}

/// Orders the records of a set. Identical ones are kept once (RFC 2181 section 5), and of more than
/// [`MAX_RRSET_RECORDS`] the first in order.
pub(crate) fn sorted<T>(
    records: impl IntoIterator<Item = T>,
    data: impl Fn(&T) -> &RData,
) -> Row<T> {
    let mut row: Row<T> = records
        .into_iter()
        .enumerate()
        .map(|(arrival, record)| Placed {
            record,
            arrival,
            in_order: 0,
        })
        .collect();
    if row.len() > 1 {
        row.sort_unstable_by(|a, b| {
            compare(data(&a.record), data(&b.record)).then(a.arrival.cmp(&b.arrival))
        });
        row.dedup_by(|later, first| {
            let same = data(&later.record) == data(&first.record);
            if same {
                first.arrival = first.arrival.min(later.arrival);
            }
            same
        });
        row.truncate(MAX_RRSET_RECORDS);
    }
    row
}

/// Turns each circle of a row so that it begins with the record that arrived first.
pub(crate) fn open_circles<T>(row: &mut [Placed<T>], data: impl Fn(&T) -> &RData) {
    if row.len() < 2 {
        return;
    }
    let same_circle = |a: &Placed<T>, b: &Placed<T>| are_equals(data(&a.record), data(&b.record));
    let mut start = 0;
    for circle in row.chunk_by_mut(same_circle) {
        let length = circle.len();
        let first = (0..length).min_by_key(|&place| circle.get(place).map(|p| p.arrival));
        let begin = first.unwrap_or(0);
        circle.rotate_left(begin);
        for (place, placed) in circle.iter_mut().enumerate() {
            placed.in_order = (start + (place + length - begin) % length) as u8;
        }
        start += length;
    }
}

/// The records of a set as the cache would keep them, for who does without it.
pub(crate) fn arranged<T>(
    records: impl IntoIterator<Item = T>,
    data: impl Fn(&T) -> &RData,
) -> impl Iterator<Item = T> {
    let mut row = sorted(records, &data);
    open_circles(&mut row, &data);
    row.into_iter().map(|placed| placed.record)
}

/// Turns addresses that stand in the order of their circle so that they begin so many behind the smallest.
pub(crate) fn turn(addresses: &mut [IpAddr], by: usize) {
    let smallest = (0..addresses.len()).min_by_key(|&place| addresses.get(place));
    if let Some(smallest) = smallest {
        addresses.rotate_left((smallest + by) % addresses.len());
    }
}

/// Compares the data of two records of one set: the lesser is used first.
///
/// SRV records by priority, heavier first, then by port and target; those that nobody can call (port 0) come
/// last. NAPTR records by order and preference, then by what they say. Addresses and all else by value.
#[must_use]
pub(crate) fn compare(a: &RData, b: &RData) -> Ordering {
    match (a, b) {
        (RData::A(a), RData::A(b)) => a.octets().cmp(&b.octets()),
        (RData::Aaaa(a), RData::Aaaa(b)) => a.octets().cmp(&b.octets()),
        (RData::Srv(a), RData::Srv(b)) => compare_srv(a, b),
        (RData::Naptr(a), RData::Naptr(b)) => compare_naptr(a, b),
        (RData::Cname(a), RData::Cname(b)) | (RData::Ptr(a), RData::Ptr(b)) => {
            compare_names(a.as_bytes(), b.as_bytes())
        }
        (RData::Txt(a), RData::Txt(b)) => a.cmp(b),
        (
            RData::Ebl {
                position,
                separator,
                apex,
            },
            RData::Ebl {
                position: position_b,
                separator: separator_b,
                apex: apex_b,
            },
        ) => (position, separator)
            .cmp(&(position_b, separator_b))
            .then_with(|| compare_names(apex.as_bytes(), apex_b.as_bytes())),
        // A set has one type.
        _ => Ordering::Equal,
    }
}

/// True for records of which either may be used first: which it is, the latest answer says.
#[must_use]
pub(crate) fn are_equals(a: &RData, b: &RData) -> bool {
    match (a, b) {
        (RData::A(_), RData::A(_)) | (RData::Aaaa(_), RData::Aaaa(_)) => true,
        (RData::Srv(a), RData::Srv(b)) => rank(a) == rank(b),
        _ => false,
    }
}

/// True for an SRV record that names a host and no port to call it at.
#[must_use]
pub(crate) fn has_no_port(rdata: &RData) -> bool {
    matches!(rdata, RData::Srv(srv) if srv.has_no_port())
}

/// The part of an SRV record that decides before the rest does.
fn rank(srv: &Srv) -> (bool, u16, u16) {
    (srv.has_no_port(), srv.priority, u16::MAX - srv.weight)
}

fn compare_srv(a: &Srv, b: &Srv) -> Ordering {
    let numbers = |srv: &Srv| (rank(srv), srv.port);
    numbers(a)
        .cmp(&numbers(b))
        .then_with(|| compare_names(a.target.as_bytes(), b.target.as_bytes()))
}

fn compare_naptr(a: &Naptr, b: &Naptr) -> Ordering {
    fn fields(naptr: &Naptr) -> (u16, u16, &[u8], &[u8], &[u8]) {
        let Naptr {
            order,
            preference,
            services,
            flags,
            regexp,
            ..
        } = naptr;
        (*order, *preference, services, flags, regexp)
    }
    fields(a)
        .cmp(&fields(b))
        .then_with(|| compare_names(a.replacement.as_bytes(), b.replacement.as_bytes()))
}

/// Letter case decides last, so that names which are the same but for it stand together.
fn compare_names(a: &[u8], b: &[u8]) -> Ordering {
    let lower = u8::to_ascii_lowercase;
    let folded = a.iter().map(lower).cmp(b.iter().map(lower));
    folded.then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rr::Name;

    fn name(text: &str) -> Name {
        Name::from_text(text.as_bytes()).unwrap()
    }

    fn srv(priority: u16, weight: u16, port: u16, target: &str) -> RData {
        RData::Srv(Srv {
            priority,
            weight,
            port,
            target: name(target),
        })
    }

    fn naptr(order: u16, preference: u16, services: &str, replacement: &str) -> RData {
        RData::Naptr(Naptr {
            order,
            preference,
            flags: (*b"s").into(),
            services: services.as_bytes().into(),
            regexp: (*b"").into(),
            replacement: name(replacement),
        })
    }

    #[track_caller]
    fn assert_ascending(list: &[RData]) {
        for (place, one) in list.iter().enumerate() {
            for (other_place, other) in list.iter().enumerate() {
                let expected = place.cmp(&other_place);
                assert_eq!(compare(one, other), expected, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn srv_records() {
        assert_ascending(&[
            srv(1, 9, 5060, "z"),
            srv(1, 5, 5060, "B"),
            srv(1, 5, 5060, "b"),
            srv(1, 5, 5060, "c"),
            srv(1, 5, 5061, "A"),
            srv(1, 0, 5060, "a"),
            srv(2, 9, 5060, "a"),
            srv(3, 0, 0, ""),
            srv(0, 9, 0, "a"),
            srv(1, 9, 0, "a"),
        ]);
    }

    #[test]
    fn naptr_records() {
        assert_ascending(&[
            naptr(1, 1, "SIP+D2U", "z"),
            naptr(1, 2, "SIP+D2T", "b"),
            naptr(1, 2, "SIP+D2U", "A"),
            naptr(1, 2, "SIP+D2U", "a"),
            naptr(1, 2, "SIP+D2U", "b"),
            naptr(2, 1, "SIP+D2T", "a"),
        ]);
    }

    #[test]
    fn everything_else() {
        let a = |text: &str| RData::A(text.parse().unwrap());
        assert_ascending(&[a("9.255.0.1"), a("10.0.0.1"), a("10.0.0.2"), a("100.0.0.0")]);
        let aaaa = |text: &str| RData::Aaaa(text.parse().unwrap());
        assert_ascending(&[aaaa("::1"), aaaa("1::"), aaaa("2001:db8::1")]);
        assert_ascending(&[RData::Ptr(name("a")), RData::Ptr(name("ab"))]);
        let txt =
            |text: &[&str]| RData::Txt(text.iter().map(|part| part.as_bytes().into()).collect());
        assert_ascending(&[txt(&["a"]), txt(&["a", "b"]), txt(&["b"])]);
        let ebl = |position, separator: &str, apex| RData::Ebl {
            position,
            separator: separator.as_bytes().into(),
            apex: name(apex),
        };
        assert_ascending(&[
            ebl(1, "i", "b"),
            ebl(1, "j", "a"),
            ebl(2, "i", "a"),
            ebl(2, "i", "b"),
        ]);
    }

    #[test]
    fn equals_take_turns() {
        assert!(are_equals(&srv(1, 5, 1, "a"), &srv(1, 5, 2, "b")));
        assert!(!are_equals(&srv(1, 5, 1, "a"), &srv(1, 6, 1, "a")));
        assert!(!are_equals(&srv(1, 5, 1, "a"), &srv(2, 5, 1, "a")));
        assert!(!are_equals(&srv(1, 5, 1, "a"), &srv(1, 5, 0, "b")));
        assert!(!are_equals(&naptr(1, 1, "x", "a"), &naptr(1, 1, "x", "b")));
    }

    #[test]
    fn a_target_without_host_needs_no_port() {
        assert!(has_no_port(&srv(0, 0, 0, "a")));
        assert!(!has_no_port(&srv(0, 0, 0, "")));
        assert!(!has_no_port(&srv(0, 0, 1, "a")));
    }
}
