//! Steps of a search that need no more than a look at what is cached.
//!
//! Most calls go to a destination whose SRV records are cached and lead to hosts with one IPv4 address each, or to a
//! host with a port. The steps of these calls are written out here without the machinery of a search. All other calls
//! are left to the search, with nothing changed and nothing counted.

use super::addresses::{AFTER_FIRST_FAMILY, AFTER_LAST_FAMILY, given_mark};
use super::order::{self, address_at_step, place_at_step};
use super::place::Progress;
use crate::cache::{EntryRef, HashedName, RecordView};
use crate::host::clock;
use crate::lookup::{self, family_order};
use crate::rr::{MAX_NAME_OCTETS, RecordType, may_be_literal};
use crate::select::naptr::{self, Asked, best, ranked};
use crate::select::{Position, Transport, flags, protocols};

/// True when IPv4 addresses come first, in the order of their set, and nobody follows names.
#[inline(always)]
fn is_plain(request_flags: u32) -> bool {
    use flags::{INTERLEAVE, IPV6_FIRST, IPV6_ONLY, ROTATE, TRACED};
    request_flags & (IPV6_ONLY | IPV6_FIRST | ROTATE | INTERLEAVE | TRACED) == 0
}

/// Result of a quick step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quick {
    /// Take the long way.
    Look,
    /// The next target.
    Target(QuickTarget),
    /// All targets were given.
    EndOfList,
}

/// A target with an IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuickTarget {
    /// The address, four octets in network order.
    pub address: u32,
    /// The port.
    pub port: u16,
    /// The number of the transport.
    pub transport: u8,
}

/// The first step of a search, for a cursor without entries. `naptr` is the handle's place for a NAPTR entry,
/// empty, if it has one. `port` and `proto` are those of the caller, 0 = not given.
#[inline]
pub fn first(
    cursor: &mut Position,
    naptr: Option<&mut Option<EntryRef>>,
    name: &[u8],
    port: Option<u16>,
    proto: Option<u8>,
    request_flags: u32,
) -> Quick {
    try_first(cursor, naptr, name, port, proto, request_flags).map_or(Quick::Look, Quick::Target)
}

#[inline]
fn try_first(
    cursor: &mut Position,
    place: Option<&mut Option<EntryRef>>,
    name: &[u8],
    port: Option<u16>,
    proto: Option<u8>,
    request_flags: u32,
) -> Option<QuickTarget> {
    if matches!(name, [] | [.., b'.'])
        || name.len() > MAX_NAME_OCTETS
        || may_be_literal(name)
        || !is_plain(request_flags)
    {
        return None;
    }
    let seed = order::seed(cursor, request_flags);
    match (port?, proto?) {
        (0, _) if lookup::needs_no_dns(name) => None,
        (0, proto) => match naptr::asked(proto, request_flags & flags::TRY_NAPTR != 0) {
            Asked::All => first_by_naptr(cursor, place, name, seed, request_flags),
            Asked::TlsAlone => None,
            Asked::Not => first_by_srv(cursor, name, proto, seed, request_flags),
        },
        (port, proto) => first_of_host(cursor, name, port, proto, seed, request_flags),
    }
}

/// A host with a port.
#[inline]
fn first_of_host(
    cursor: &mut Position,
    name: &[u8],
    port: u16,
    proto: u8,
    seed: u32,
    request_flags: u32,
) -> Option<QuickTarget> {
    let transport = Transport::or_default(proto)? as u8;
    let host = lookup::written_name(name, Some(request_flags))?;
    let entry = lookup::quick_entry(&host, RecordType::A)?;
    let now = clock::now_ticks();
    let address = match seed {
        0 => entry.usable_ipv4(0, now),
        seed => entry.usable_ipv4(address_at_step(&entry, 0, seed)?, now),
    }?;
    lookup::count_quick_entry();
    *cursor = Position {
        a: Some(entry),
        tried: u64::from(seed),
        port,
        proto: transport,
        ..Position::default()
    };
    Some(QuickTarget {
        address,
        port,
        transport,
    })
}

/// A domain with NAPTR records, the best of which leads to SRV records.
#[inline]
fn first_by_naptr(
    cursor: &mut Position,
    naptr: Option<&mut Option<EntryRef>>,
    name: &[u8],
    seed: u32,
    request_flags: u32,
) -> Option<QuickTarget> {
    let owner = lookup::written_name(name, None)?;
    // By this hash the way back is found when the SRV records are used up.
    let way_back = u64::from(owner.hash()) << 32;
    let Some(place) = naptr else {
        let target = lookup::with_best_naptr(&owner, ranked, |transport, replacement| {
            first_of_srv(cursor, replacement, name, transport, seed, request_flags)
        })?;
        cursor.tried |= way_back;
        return Some(target);
    };
    let entry = lookup::quick_entry(&owner, RecordType::NAPTR)?;
    let records = entry.records().filter_map(|record| match record {
        RecordView::Naptr {
            order,
            preference,
            flags,
            services,
            regexp,
            replacement,
        } => Some(((flags, services, regexp, order, preference), replacement)),
        _ => None,
    });
    let (transport, replacement) = best(records)?;
    let target = first_of_srv(
        cursor,
        &lookup::absolute_name(replacement)?,
        name,
        transport,
        seed,
        request_flags,
    )?;
    lookup::count_quick_entry();
    cursor.tried |= way_back;
    *place = Some(entry);
    Some(target)
}

/// A domain whose SRV records are asked for the one transport that was given, or that is preferred.
#[inline]
fn first_by_srv(
    cursor: &mut Position,
    name: &[u8],
    proto: u8,
    seed: u32,
    request_flags: u32,
) -> Option<QuickTarget> {
    let transport = match proto {
        0 => protocols::most_preferred()?,
        number => Transport::from_number(number)?,
    };
    let mut room = protocols::SRV_NAME_ROOM;
    let srv_name = protocols::write_srv_name(transport, name, &mut room)?;
    let srv_name = lookup::written_name(srv_name, None)?;
    first_of_srv(cursor, &srv_name, name, transport, seed, request_flags)
}

/// The first of the SRV records of a name, in the order that the seed stands for; `owner` is the name that led to them.
#[inline]
fn first_of_srv(
    cursor: &mut Position,
    srv_name: &HashedName<'_>,
    owner: &[u8],
    transport: Transport,
    seed: u32,
    request_flags: u32,
) -> Option<QuickTarget> {
    let entry = lookup::quick_entry(srv_name, RecordType::SRV)?;
    if !entry.may_lead_back_to(owner) {
        return None;
    }
    let place = place_at_step(&entry, 0, seed)?;
    let (port, target) = entry.usable_srv(place, clock::now_ticks())?;
    if may_be_literal(target.name()) {
        return None;
    }
    let address = lookup::peek_ipv4(&target, RecordType::A)?;
    lookup::count_quick_entry();
    let tried = match seed {
        0 => Progress::at(&entry, place).word(),
        seed => seed,
    };
    *cursor = Position {
        srv: Some(entry),
        tried: u64::from(tried),
        port,
        srv_no: 1,
        ip_no: given_mark(RecordType::A, request_flags),
        proto: transport as u8,
        ..Position::default()
    };
    Some(QuickTarget {
        address,
        port,
        transport: transport as u8,
    })
}

/// A further step, for a cursor with an entry.
#[inline]
pub fn next(cursor: &mut Position, request_flags: u32) -> Quick {
    if cursor.a.is_some() {
        next_address(cursor, request_flags)
    } else {
        next_of_srv(cursor, request_flags)
    }
}

/// The next address of the entry that is held, if it is IPv4.
#[inline]
fn next_address(cursor: &mut Position, request_flags: u32) -> Quick {
    let Some(entry) = cursor.a.as_ref() else {
        return Quick::Look;
    };
    if request_flags & (flags::INTERLEAVE | flags::TRACED) != 0 {
        return Quick::Look;
    }
    let step = usize::from(cursor.ip_no);
    let index = match cursor.start() {
        0 => Some(step).filter(|&step| step < entry.record_count()),
        start => address_at_step(entry, step, start),
    };
    if let Some(index) = index {
        return match entry.usable_ipv4(index, clock::now_ticks()) {
            Some(address) => Quick::Target(QuickTarget {
                address,
                port: cursor.port,
                transport: cursor.transport(),
            }),
            None => Quick::Look,
        };
    }
    let (first, second) = family_order(request_flags);
    let is_last_family = second.is_none() || entry.rtype() != first;
    if cursor.srv.is_none() && is_last_family && cursor.passed_over() == 0 {
        Quick::EndOfList
    } else {
        Quick::Look
    }
}

/// The next SRV record, whose target has a single cached address.
#[inline]
fn next_of_srv(cursor: &mut Position, request_flags: u32) -> Quick {
    let step = cursor.srv_no;
    let (_, second) = family_order(request_flags);
    match cursor.ip_no {
        0 | 1 | AFTER_LAST_FAMILY => {}
        AFTER_FIRST_FAMILY if second.is_none_or(|family| lacks(cursor, family)) => {
            // The position counts also if the search has to go on the long way.
            cursor.ip_no = 0;
        }
        _ => return Quick::Look,
    }
    let Some(entry) = cursor.srv.as_ref() else {
        return Quick::Look;
    };
    if step == 0 || cursor.passed_over() != 0 {
        return Quick::Look;
    }
    let place = match cursor.progress() {
        Some(progress) if progress.next == 0 => None,
        Some(progress) => match entry.kept_srv_place(progress.next) {
            None => return Quick::Look,
            place => place,
        },
        None => place_at_step(entry, usize::from(step), cursor.seed()),
    };
    let Some(place) = place else {
        // Other NAPTR candidates may follow.
        if cursor.naptr_hash() != 0 {
            return Quick::Look;
        }
        cursor.ip_no = 0;
        return Quick::EndOfList;
    };
    let Some((port, target)) = entry.usable_srv(place, clock::now_ticks()) else {
        return Quick::Look;
    };
    if may_be_literal(target.name()) {
        return Quick::Look;
    }
    if !is_plain(request_flags) {
        return Quick::Look;
    }
    let Some(address) = lookup::peek_ipv4(&target, RecordType::A) else {
        return Quick::Look;
    };
    let progress = (cursor.start() == 0).then(|| Progress::at(entry, place));
    if let Some(progress) = progress {
        cursor.keep(progress.word());
    }
    cursor.srv_no = step.saturating_add(1);
    cursor.ip_no = given_mark(RecordType::A, request_flags);
    cursor.port = port;
    Quick::Target(QuickTarget {
        address,
        port,
        transport: cursor.transport(),
    })
}

/// True when the cache knows that the SRV target in use has no address of a family.
#[inline(never)]
fn lacks(cursor: &Position, family: RecordType) -> bool {
    let step = usize::from(cursor.srv_no).wrapping_sub(1);
    let Some(entry) = cursor.srv.as_ref() else {
        return false;
    };
    let place = match cursor.progress() {
        Some(progress) => entry.kept_srv_place(progress.current),
        None => place_at_step(entry, step, cursor.seed()),
    };
    place.is_some_and(|place| lookup::is_known_absent(&entry.srv_target(place), family))
}
