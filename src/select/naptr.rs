//! NAPTR records: which are of use to SIP, and which goes first (RFC 3263 section 4.1, RFC 3403).

use super::{Transport, protocols};
#[cfg(feature = "use_dns_cache")]
use crate::cache::{EntryRef, NaptrFields, RecordView};
use crate::host::options::{self, ExtraOpt, Opt};
use crate::lookup::sip_transport;

/// Candidates kept; the handle counts them in five bits.
pub(crate) const MAX_CANDIDATES: usize = 32;

/// The transport that a record leads to; `None` when SIP cannot use it.
///
/// Of use are records with flag `s`, without substitution, for a service of SIP. All letters may be
/// upper or lower case.
#[must_use]
pub(crate) fn transport_of(flags: &[u8], services: &[u8], regexp: &[u8]) -> Option<Transport> {
    sip_transport(flags, services, regexp).and_then(Transport::from_number)
}

/// Which NAPTR records are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// None: the transport is given (RFC 3263 section 4.1).
    Not,
    /// The records of all transports.
    All,
    /// The records of TLS: for `sips:`, by option.
    TlsAlone,
}

/// The NAPTR records that are asked for where no port is given. `wanted`: the request flags have them asked for;
/// `transport` is the number of the transport that is given, 0 = none.
#[must_use]
#[inline(always)]
pub(crate) fn asked(transport: u8, wanted: bool) -> Asked {
    const TLS: u8 = Transport::Tls as u8;
    match transport {
        0 if cfg!(feature = "use_naptr") && wanted => Asked::All,
        TLS if options::extra(ExtraOpt::SipsNaptr) != 0
            && cfg!(feature = "use_naptr")
            && wanted =>
        {
            Asked::TlsAlone
        }
        _ => Asked::Not,
    }
}

/// Sort key: the record that sorts first is used first.
pub(crate) type Rank = u64;

/// The fields that decide on a record: flags, services, regexp, order, preference.
pub(crate) type NaptrRow<'a> = (&'a [u8], &'a [u8], &'a [u8], u16, u16);

/// The fields that decide on each record of a NAPTR entry.
#[cfg(feature = "use_dns_cache")]
pub(crate) fn rows_of(entry: &EntryRef) -> impl Iterator<Item = NaptrRow<'_>> {
    entry.records().map(|record| match record {
        RecordView::Naptr {
            order,
            preference,
            flags,
            services,
            regexp,
            ..
        } => (flags, services, regexp, order, preference),
        _ => (&b""[..], &b""[..], &b""[..], 0, 0),
    })
}

/// The rank of a record that leads to a transport: by preference of the transport, then by order and preference of the
/// record; or by the record's order first.
#[must_use]
#[inline]
pub(crate) fn rank(transport: Transport, order: u16, preference: u16) -> Rank {
    // Higher preferences get lower numbers.
    let transport = !(protocols::preference(transport) as u32 ^ 1 << 31);
    let (transport, order) = (Rank::from(transport), Rank::from(order));
    let both = match order_decides() {
        true => order << 32 | transport,
        false => transport << 16 | order,
    };
    both << 16 | Rank::from(preference)
}

/// Sort key of records of which some lead to no transport: these go last.
#[cfg(feature = "use_naptr")]
pub(crate) fn place(transport: Option<Transport>, order: u16, preference: u16) -> impl Ord + use<> {
    let known = transport.map(|transport| rank(transport, order, preference));
    (known.is_none(), known, order, preference)
}

/// True when order and preference of the records decide, as RFC 3403 has it.
#[inline]
fn order_decides() -> bool {
    !options::on(Opt::NaptrIgnoreRfc)
}

/// True when a record counts beside the one that goes first: not one of a higher order (RFC 3403 section 4.1).
fn counts_beside(first: Rank, rank: Rank) -> bool {
    !order_decides() || first >> 48 == rank >> 48
}

/// True when records of a set lead to SIP, all of them over secure transports, usable here or not.
#[must_use]
pub(crate) fn names_secure_alone<'a>(rows: impl Iterator<Item = NaptrRow<'a>>) -> bool {
    let mut named =
        rows.filter_map(|(flags, services, regexp, _, _)| transport_of(flags, services, regexp));
    named.next().is_some_and(Transport::is_secure) && named.all(Transport::is_secure)
}

/// A record in the order of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Position of the record in its set.
    pub index: u16,
    /// Transport that it leads to.
    pub transport: Transport,
}

/// Sort key and transport of a record without regexp; `None` when SIP cannot use it here.
#[cfg(feature = "use_dns_cache")]
#[inline]
pub(crate) fn ranked(fields: NaptrFields<'_>) -> Option<(Rank, Transport)> {
    let transport = transport_of(fields.flags, fields.services, &[])?;
    let usable = protocols::supported(transport);
    usable.then(|| {
        let rank = rank(transport, fields.order, fields.preference);
        (rank, transport)
    })
}

/// The candidate that is used first among records as [`Candidates::new`] takes them, with what `records`
/// yields beside it.
#[inline]
pub(crate) fn best<'a, T>(
    records: impl Iterator<Item = (NaptrRow<'a>, T)>,
) -> Option<(Transport, T)> {
    let mut best: Option<(Rank, Transport, T)> = None;
    for ((flags, services, regexp, order, preference), with) in records {
        let transport = transport_of(flags, services, regexp).filter(|t| protocols::supported(*t));
        let Some(transport) = transport else { continue };
        let rank = rank(transport, order, preference);
        if best.as_ref().is_none_or(|(least, _, _)| rank < *least) {
            best = Some((rank, transport, with));
        }
    }
    best.map(|(_, transport, with)| (transport, with))
}

/// Usable records of a set in the order of use; of more than [`MAX_CANDIDATES`] the best are kept.
#[derive(Clone, Debug)]
pub(crate) struct Candidates {
    list: [(Rank, Candidate); MAX_CANDIDATES],
    count: usize,
}

impl Candidates {
    /// Sorts the records that `records` yields; `only`: those of one transport.
    ///
    /// Records of transports that cannot be used here are left out, and those that do not count beside the first.
    /// Full ties keep their order.
    pub(crate) fn new<'a>(
        records: impl Iterator<Item = NaptrRow<'a>>,
        only: Option<Transport>,
    ) -> Self {
        let nothing = Candidate {
            index: 0,
            transport: Transport::Udp,
        };
        let mut result = Self {
            list: [(0, nothing); MAX_CANDIDATES],
            count: 0,
        };
        for (index, (flags, services, regexp, order, preference)) in (0_u16..).zip(records) {
            let wanted = |transport: &Transport| {
                protocols::supported(*transport) && only.is_none_or(|only| only == *transport)
            };
            if let Some(transport) = transport_of(flags, services, regexp).filter(wanted) {
                result.add(
                    rank(transport, order, preference),
                    Candidate { index, transport },
                );
            }
        }
        let (first, _) = result.list[0];
        let counts = |(rank, _): &(Rank, Candidate)| counts_beside(first, *rank);
        let sorted = result.list.get(..result.count).unwrap_or(&[]);
        result.count = sorted.partition_point(counts);
        result
    }

    fn add(&mut self, rank: Rank, candidate: Candidate) {
        let kept = self.list.get(..self.count).unwrap_or(&[]);
        let place = kept.partition_point(|(other, _)| *other <= rank);
        if place == MAX_CANDIDATES {
            return;
        }
        self.count = (self.count + 1).min(MAX_CANDIDATES);
        if let Some(tail) = self.list.get_mut(place..self.count) {
            tail.rotate_right(1);
            if let Some(first) = tail.first_mut() {
                *first = (rank, candidate);
            }
        }
    }

    /// The candidate at a position in the order of use.
    #[must_use]
    pub(crate) fn get(&self, position: usize) -> Option<Candidate> {
        self.list
            .get(..self.count)?
            .get(position)
            .map(|(_, candidate)| *candidate)
    }

    /// Number of candidates.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = NaptrRow<'static>;

    fn order(rows: &[Row]) -> Vec<u16> {
        let candidates = Candidates::new(rows.iter().copied(), None);
        let first = best(rows.iter().copied().zip(0_u16..))
            .map(|(transport, index)| Candidate { index, transport });
        assert_eq!(first, candidates.get(0));
        (0..candidates.len())
            .map(|i| candidates.get(i).unwrap().index)
            .collect()
    }

    #[test]
    fn preference_then_order_then_preference_of_the_record() {
        let rows: [Row; 5] = [
            (b"s", b"SIPS+D2T", b"", 30, 1),
            (b"S", b"sip+d2t", b"", 20, 5),
            (b"s", b"SIP+D2T", b"", 20, 4),
            (b"s", b"SIP+D2S", b"", 10, 1),
            (b"s", b"SIP+D2U", b"", 40, 1),
        ];
        // SCTP is off by default.
        assert_eq!(order(&rows), [4, 2, 1, 0]);
    }

    #[test]
    fn records_of_one_transport_and_sets_of_secure_ones() {
        let rows: [Row; 4] = [
            (b"s", b"SIP+D2U", b"", 10, 1),
            (b"s", b"SIPS+D2T", b"", 30, 1),
            (b"s", b"SIPS+D2T", b"", 20, 1),
            (b"u", b"E2U+sip", b"!x!y!", 1, 1),
        ];
        let secure = Candidates::new(rows.iter().copied(), Some(Transport::Tls));
        let places = (0..secure.len()).filter_map(|position| secure.get(position));
        assert!(places.map(|candidate| candidate.index).eq([2, 1]));
        assert!(!names_secure_alone(rows.iter().copied()));
        assert!(names_secure_alone(rows.iter().copied().skip(1)));
        assert!(!names_secure_alone(rows.iter().copied().skip(3)));
    }

    #[test]
    fn others_do_not_qualify() {
        let rows: [Row; 7] = [
            (b"u", b"SIP+D2U", b"", 1, 1),
            (b"", b"SIP+D2U", b"", 1, 1),
            (b"s", b"SIP+D2U", b"!x!y!", 1, 1),
            (b"s", b"SIPS+D2U", b"", 1, 1),
            (b"s", b"SIP+D2W", b"", 1, 1),
            (b"s", b"E2U+sip", b"", 1, 1),
            (b"ss", b"SIP+D2U", b"", 1, 1),
        ];
        assert!(order(&rows).is_empty());
    }

    /// B52: a better record behind the first 32 is found.
    #[test]
    fn all_records_are_considered() {
        let mut rows: Vec<Row> = vec![(b"s", b"SIP+D2U", b"", 50, 1); 40];
        rows.push((b"s", b"SIP+D2U", b"", 1, 1));
        let found = order(&rows);
        assert_eq!(found.len(), MAX_CANDIDATES);
        assert_eq!(found[0], 40);
        assert_eq!(found[1..], (0..31).collect::<Vec<_>>());
    }
}
