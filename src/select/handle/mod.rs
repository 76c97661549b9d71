//! The search for targets, one at a time: `dns_sip_resolve()`.
//!
//! A call starts with an empty [`Cursor`] and comes back with it for the next target. Where the search
//! stands is in the cursor alone. The order: NAPTR candidates; for each the SRV records of its
//! replacement; for each the addresses of its target. Without NAPTR: SRV records for each transport,
//! then the addresses of the name itself.

mod addresses;
mod place;
pub mod quick;
mod reasons;

use std::net::IpAddr;

use crate::cache::{Cache, EntryRef, RecordView, SrvPlace};
use crate::error::LookupError;
use crate::host::metrics::{self, Metric};
use crate::host::options::{self, ExtraOpt};
use crate::host::{clock, random};
use crate::lookup::{self, Source, family_allowed};
use crate::rr::{MAX_NAME_OCTETS, MAX_RRSET_RECORDS, RecordType, eq_ignore_case, parse_literal};

use super::naptr::Candidates;
use super::protocols::{self, TransportList};
use super::{Cursor, Position, Reason, SelectError, Transport, flags, srv};
use addresses::Hold;
pub use place::usable_seed;

const TRANSPORT_MASK: u8 = 7;
const CANDIDATE_SHIFT: u8 = 3;

/// How a name is looked up: as a caller wrote it, or as it came out of DNS.
pub(super) type LookUp = fn(&[u8], RecordType, u32) -> Result<(EntryRef, Source), LookupError>;

/// A target, before it is written to the caller's variables.
#[derive(Clone, Copy, Debug)]
struct Target {
    address: IpAddr,
    port: u16,
    transport: u8,
}

/// Why a part of the search gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nothing {
    /// There are no such records.
    Absent,
    /// There are records that say that the service is not offered (SRV target ".").
    Refused,
    /// A query was not answered.
    Failed,
    /// There were records, and all have been used.
    Used,
}

/// One search step.
struct Search<'a> {
    cursor: &'a mut Position,
    /// NAPTR entry in use.
    naptr: &'a mut Option<EntryRef>,
    flags: u32,
    reason: Option<&'a mut Reason>,
    /// The address entry is wanted in the cursor, whatever it holds.
    whole_set: bool,
    /// The handle keeps the NAPTR entry; without place for it the SRV entry has to lead back.
    keeps_naptr: bool,
}

/// Gives the next target of a call: the first when the cursor holds no entry, else the one after it.
///
/// `port` and `proto` are in/out as in `dns_sip_resolve()`: 0 means not given; they are written on
/// success only. Without a `port` variable the port of SRV records has nowhere to go, so only the
/// addresses of the name are looked up.
///
/// # Errors
/// `EndOfList` when all targets were given; others when there is none.
pub fn resolve(
    cursor: &mut Cursor,
    name: &[u8],
    port: Option<&mut u16>,
    proto: Option<&mut u8>,
    request_flags: u32,
    reason: Option<&mut Reason>,
) -> Result<IpAddr, SelectError> {
    let search = Search {
        keeps_naptr: cursor.has_naptr_slot,
        cursor: &mut cursor.at,
        naptr: &mut cursor.naptr,
        flags: request_flags,
        reason,
        whole_set: false,
    };
    let result = search.step(name, port, proto);
    if !cursor.has_naptr_slot {
        cursor.naptr = None;
    }
    result
}

/// As [`resolve`], for a handle that is where C put it, without reasons. `naptr` is the place of the NAPTR
/// entry, and whether the handle has one; what is left there after the call belongs to the handle or is dropped by the
/// caller.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_in_place(
    cursor: &mut Position,
    (naptr, keeps_naptr): (&mut Option<EntryRef>, bool),
    name: &[u8],
    port: Option<&mut u16>,
    proto: Option<&mut u8>,
    request_flags: u32,
) -> Result<IpAddr, SelectError> {
    let search = Search {
        cursor,
        naptr,
        flags: request_flags,
        reason: None,
        whole_set: false,
        keeps_naptr,
    };
    search.step(name, port, proto)
}

/// As [`resolve`] for one call, and the cursor holds the address entry afterwards unless the target is a
/// literal.
///
/// # Errors
/// As [`resolve`].
pub(super) fn resolve_whole_set(
    cursor: &mut Cursor,
    name: &[u8],
    port: Option<&mut u16>,
    proto: Option<&mut u8>,
    request_flags: u32,
) -> Result<IpAddr, SelectError> {
    let search = Search {
        keeps_naptr: cursor.has_naptr_slot,
        cursor: &mut cursor.at,
        naptr: &mut cursor.naptr,
        flags: request_flags,
        reason: None,
        whole_set: true,
    };
    search.step(name, port, proto)
}

/// True when asking for another target makes sense; moves on to it (`dns_srv_handle_next()`).
pub fn advance(cursor: &mut Cursor) -> bool {
    cursor.ip_no = cursor.ip_no.saturating_add(1);
    cursor.srv.is_some() || cursor.a.is_some()
}

/// What the caller gave.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    port: Option<u16>,
    transport: Option<u8>,
}

fn lenient() -> bool {
    options::extra(ExtraOpt::FallbackOnFailure) != 0
}

impl Nothing {
    fn from_error(error: LookupError) -> Self {
        if error.is_absence() || error == LookupError::NameTooLong || lenient() {
            Self::Absent
        } else {
            Self::Failed
        }
    }
}

impl Search<'_> {
    /// One step, and what the caller's variables get of it.
    fn step(
        mut self,
        name: &[u8],
        port: Option<&mut u16>,
        proto: Option<&mut u8>,
    ) -> Result<IpAddr, SelectError> {
        let _deadline = lookup::deadline::scope();
        self.cursor.forget_progress();
        if let Some(reason) = self.reason.as_deref_mut() {
            *reason = Reason::default();
        }
        let result = if self.cursor.srv.is_none() && self.cursor.a.is_none() {
            let wanted = Wanted {
                port: port.as_deref().copied(),
                transport: proto.as_deref().copied(),
            };
            self.first(name, wanted)
        } else {
            self.next(name)
        };
        Ok(given(result?, port, proto))
    }

    fn first(&mut self, name: &[u8], wanted: Wanted) -> Result<Target, SelectError> {
        *self.cursor = Position {
            tried: u64::from(seed(self.cursor, self.flags)),
            ..Position::default()
        };
        *self.naptr = None;
        let given = wanted.transport.and_then(Transport::from_number);
        let transport = given.unwrap_or(Transport::Udp);
        let port = wanted
            .port
            .filter(|&port| port != 0)
            .unwrap_or(transport.default_port());
        if let Some(address) = parse_literal(name) {
            if !family_allowed(address, self.flags) {
                return Err(SelectError::AfMismatch);
            }
            self.note_address(name, address, -1, Source::Literal);
            return Ok(Target {
                address,
                port,
                transport: transport as u8,
            });
        }
        if name.len() > MAX_NAME_OCTETS + 1 {
            return Err(SelectError::NameTooLong);
        }
        if wanted.port == Some(0) && !Transport::is_known(wanted.transport.unwrap_or(0)) {
            return Err(SelectError::Critical);
        }
        if wanted.port == Some(0) && !lookup::needs_no_dns(name) {
            let naptr = cfg!(feature = "use_naptr") && self.flags & flags::TRY_NAPTR != 0;
            if naptr && wanted.transport == Some(0) {
                match self.first_by_naptr(name) {
                    Ok(target) => return Ok(target),
                    Err(Nothing::Failed) => return Err(SelectError::NoNaptr),
                    Err(_) => {}
                }
            }
            let list = given.map_or_else(protocols::list, TransportList::single);
            match self.first_by_srv(name, list) {
                Ok(target) => return Ok(target),
                Err(Nothing::Failed | Nothing::Refused) => return Err(SelectError::NoSrv),
                Err(_) => {}
            }
        }
        self.cursor.port = port;
        self.cursor.proto = transport as u8;
        match self.start_addresses(name, lookup::entry, Hold::Always) {
            Ok(address) => Ok(Target {
                address,
                port,
                transport: transport as u8,
            }),
            Err(_) if name.len() > MAX_NAME_OCTETS => Err(SelectError::NameTooLong),
            Err(_) => Err(SelectError::NoIp),
        }
    }

    fn next(&mut self, name: &[u8]) -> Result<Target, SelectError> {
        let next = match self.cursor.a {
            Some(_) => self.next_address(),
            None => self.next_address_of_srv(),
        };
        if let Some(address) = next {
            self.note_current_srv();
            return Ok(self.target(address));
        }
        if self.cursor.srv.is_none() {
            return Err(SelectError::EndOfList);
        }
        if let Ok(address) = self.next_srv_target() {
            return Ok(self.target(address));
        }
        let origin = self.naptr_origin(name).ok_or(SelectError::EndOfList)?;
        let position = usize::from(self.cursor.proto >> CANDIDATE_SHIFT) + 1;
        self.candidates_from(origin, Source::Cache, position)
            .map_err(|_| SelectError::EndOfList)
    }

    fn target(&self, address: IpAddr) -> Target {
        Target {
            address,
            port: self.cursor.port,
            transport: self.cursor.proto & TRANSPORT_MASK,
        }
    }

    // NAPTR

    fn first_by_naptr(&mut self, name: &[u8]) -> Result<Target, Nothing> {
        let (entry, source) =
            lookup::entry(name, RecordType::NAPTR, self.flags).map_err(Nothing::from_error)?;
        crate::naptr_dbg!(
            "{} NAPTR records for {}",
            entry.record_count(),
            String::from_utf8_lossy(name)
        );
        let seed = self.cursor.seed();
        let hash = Cache::instance().map_or(0, |cache| cache.name_hash(entry.name()));
        self.cursor.tried = u64::from(seed) | u64::from(hash) << 32;
        let result = self.candidates_from(entry, source, 0);
        if result.is_err() {
            *self.naptr = None;
            self.cursor.tried = u64::from(seed);
        }
        result
    }

    /// Tries the NAPTR candidates from a position on.
    fn candidates_from(
        &mut self,
        entry: EntryRef,
        source: Source,
        from: usize,
    ) -> Result<Target, Nothing> {
        let candidates = candidates_of(&entry);
        let mut only_secure = false;
        let mut failed = false;
        for position in from..candidates.len() {
            let Some(candidate) = candidates.get(position) else {
                break;
            };
            // An unanswered query for a secure transport must not lead to one that is not.
            if only_secure && !candidate.transport.is_secure() {
                continue;
            }
            let Some(RecordView::Naptr { replacement, .. }) =
                entry.record(usize::from(candidate.index))
            else {
                continue;
            };
            // The same targets over the same transport were given already.
            if (0..position).any(|earlier| leads_alike(&entry, &candidates, earlier, position)) {
                continue;
            }
            let owner = (!self.keeps_naptr).then(|| entry.name());
            let look_up =
                |name: &[u8], rtype, flags| lookup::replacement_entry(owner, name, rtype, flags);
            match self.start_srv(replacement, look_up) {
                Ok(address) => {
                    self.cursor.proto =
                        candidate.transport as u8 | (position as u8) << CANDIDATE_SHIFT;
                    self.note_naptr(&entry, usize::from(candidate.index), source);
                    *self.naptr = Some(entry);
                    return Ok(self.target(address));
                }
                Err(nothing) => {
                    crate::naptr_dbg!("candidate {position}: {nothing:?}");
                    failed |= nothing == Nothing::Failed;
                    only_secure |= nothing == Nothing::Failed && candidate.transport.is_secure();
                    self.cursor.srv = None;
                    self.cursor.srv_no = 0;
                }
            }
        }
        Err(if failed {
            Nothing::Failed
        } else {
            Nothing::Absent
        })
    }

    /// The NAPTR entry through which the current SRV records were found.
    ///
    /// Most handles have no place for it; the hash of the owner's name leads back to it, whatever name the caller
    /// passes meanwhile (B14). What the cache does not have any more is asked for again.
    fn naptr_origin(&mut self, name: &[u8]) -> Option<EntryRef> {
        let hash = self.cursor.naptr_hash();
        if hash == 0 {
            return None;
        }
        if let Some(entry) = self.naptr.take() {
            return Some(entry);
        }
        let cache = Cache::instance()?;
        let position = usize::from(self.cursor.proto >> CANDIDATE_SHIFT);
        let accept =
            |entry: &EntryRef| entry.negative().is_none() && candidates_of(entry).len() > position;
        cache
            .acquire_by_hash(hash, RecordType::NAPTR, &accept)
            .or_else(|| {
                let Some(owner) = self.naptr_owner(cache, hash, name) else {
                    metrics::count(Metric::NaptrLost);
                    return None;
                };
                let found = lookup::absolute_entry(&owner, RecordType::NAPTR, self.flags);
                found.ok().map(|(entry, _)| entry)
            })
    }

    /// The name that has the NAPTR records of this call: the one that is asked for if it has the hash, the one to
    /// which the SRV records in use lead back, or one above theirs.
    fn naptr_owner(&self, cache: &Cache, hash: u32, name: &[u8]) -> Option<Vec<u8>> {
        let asked = name.strip_suffix(b".").unwrap_or(name);
        if cache.has_hash(asked, hash) {
            return Some(asked.to_vec());
        }
        let srv = self.cursor.srv.as_ref()?;
        if let Some(owner) = srv.owner().filter(|owner| cache.has_hash(owner, hash)) {
            return Some(owner.to_vec());
        }
        let srv_name = srv.name();
        let dots = srv_name
            .iter()
            .enumerate()
            .filter(|(_, octet)| **octet == b'.');
        let mut above = dots.filter_map(|(dot, _)| srv_name.get(dot + 1..));
        above
            .find(|name| cache.has_hash(name, hash))
            .map(<[u8]>::to_vec)
    }

    // SRV

    fn first_by_srv(&mut self, name: &[u8], list: TransportList) -> Result<Target, Nothing> {
        let (mut failed, mut refused, mut only_secure) = (false, false, false);
        for (position, &transport) in list.iter().enumerate() {
            if only_secure && !transport.is_secure() {
                continue;
            }
            let Some(srv_name) = protocols::srv_name(transport, name) else {
                continue;
            };
            // If one must be asked for, the others are asked for at the same time.
            let others = || {
                let rest = list.iter().skip(position + 1);
                rest.filter_map(|&other| protocols::srv_name(other, name).map(|n| n.to_vec()))
                    .collect()
            };
            let look_up =
                |name: &[u8], rtype, flags| lookup::entry_along(name, rtype, flags, Some(&others));
            match self.start_srv(&srv_name, look_up) {
                Ok(address) => {
                    self.cursor.proto = transport as u8;
                    return Ok(self.target(address));
                }
                Err(nothing) => {
                    failed |= nothing == Nothing::Failed;
                    only_secure |= nothing == Nothing::Failed && transport.is_secure();
                    refused |= nothing == Nothing::Refused;
                    self.cursor.srv = None;
                    self.cursor.srv_no = 0;
                }
            }
        }
        Err(match (failed, refused) {
            (true, _) => Nothing::Failed,
            (false, true) => Nothing::Refused,
            (false, false) => Nothing::Absent,
        })
    }

    /// Takes the SRV records of a name and gives the first address of the first usable target.
    fn start_srv(
        &mut self,
        srv_name: &[u8],
        look_up: impl FnOnce(&[u8], RecordType, u32) -> Result<(EntryRef, Source), LookupError>,
    ) -> Result<IpAddr, Nothing> {
        let (entry, source) =
            look_up(srv_name, RecordType::SRV, self.flags).map_err(Nothing::from_error)?;
        if says_not_offered(&entry) {
            return Err(Nothing::Refused);
        }
        self.cursor.srv = Some(entry);
        self.cursor.srv_no = 0;
        let address = self.next_srv_target()?;
        if let Some(srv) = self
            .reason
            .as_deref_mut()
            .and_then(|reason| reason.srv.as_mut())
        {
            srv.source = source;
        }
        Ok(address)
    }

    /// The first address of the next SRV target that has one.
    fn next_srv_target(&mut self) -> Result<IpAddr, Nothing> {
        let entry = self.cursor.srv.take().ok_or(Nothing::Absent)?;
        let result = self.walk_srv(&entry);
        self.cursor.srv = Some(entry);
        result
    }

    fn walk_srv(&mut self, entry: &EntryRef) -> Result<IpAddr, Nothing> {
        let seed = self.cursor.seed();
        let now = clock::now_ticks();
        let mut failed = false;
        for step in usize::from(self.cursor.srv_no)..entry.record_count() {
            self.cursor.srv_no = (step + 1) as u8;
            let Some(index) = record_at_step(entry, step, seed) else {
                break;
            };
            if !entry.is_usable(index, now) {
                continue;
            }
            let Some(RecordView::Srv { port, target, .. }) = entry.record(index) else {
                continue;
            };
            if target.is_empty() {
                continue;
            }
            match self.start_addresses(target, lookup::absolute_entry, Hold::Sets) {
                Ok(address) => {
                    self.cursor.port = port;
                    self.note_srv(entry, index);
                    return Ok(address);
                }
                Err(nothing) => failed |= nothing == Nothing::Failed,
            }
            if lookup::deadline::is_one_target_too_many() {
                failed = true;
                break;
            }
        }
        Err(if failed {
            Nothing::Failed
        } else {
            Nothing::Absent
        })
    }
}

/// Writes a target to the caller's variables; its address is the result.
#[inline]
fn given(target: Target, port: Option<&mut u16>, proto: Option<&mut u8>) -> IpAddr {
    if let Some(port) = port {
        *port = target.port;
    }
    if let Some(proto) = proto {
        *proto = target.transport;
    }
    target.address
}

/// The seed of a search that begins; 0 = SRV records in stored order. One that the caller set stays (RFC
/// 3263 section 4.4), otherwise each call draws one.
#[inline]
fn seed(cursor: &Position, request_flags: u32) -> u32 {
    match cursor.seed() {
        _ if request_flags & flags::SRV_RR_LB == 0 => 0,
        0 => usable_seed(random::quick_u32().max(1)),
        set => set,
    }
}

/// The candidates of a NAPTR entry.
pub(super) fn candidates_of(entry: &EntryRef) -> Candidates {
    Candidates::new(entry.records().map(|record| match record {
        RecordView::Naptr {
            order,
            preference,
            flags,
            services,
            regexp,
            ..
        } => (flags, services, regexp, order, preference),
        _ => (&b""[..], &b""[..], &b""[..], 0, 0),
    }))
}

/// True when two candidates have the same transport and replacement.
pub(super) fn leads_alike(
    entry: &EntryRef,
    candidates: &Candidates,
    one: usize,
    other: usize,
) -> bool {
    let (Some(one), Some(other)) = (candidates.get(one), candidates.get(other)) else {
        return false;
    };
    let replacement = |index: u16| match entry.record(usize::from(index)) {
        Some(RecordView::Naptr { replacement, .. }) => replacement,
        _ => b"",
    };
    one.transport == other.transport
        && eq_ignore_case(replacement(one.index), replacement(other.index))
}

/// True when all SRV records that can be used say that the service is not offered (target "."). Where none can be
/// used, nothing is said.
pub(super) fn says_not_offered(entry: &EntryRef) -> bool {
    let root = |record| matches!(record, RecordView::Srv { target: b"", .. });
    entry.record_count() > 0 && entry.records().all(root)
}

/// Position of the SRV record that is used as number `step`.
#[inline]
pub(super) fn record_at_step(entry: &EntryRef, step: usize, seed: u32) -> Option<usize> {
    match (seed, entry.record_count()) {
        (_, count) if step >= count => None,
        (0, _) | (_, 1) => Some(step),
        (_, count) => drawn_of(entry, count, step, seed).map(|drawn| drawn.index.into()),
    }
}

/// As [`record_at_step`], the place of the record.
#[inline]
fn place_at_step(entry: &EntryRef, step: usize, seed: u32) -> Option<SrvPlace> {
    match (seed, entry.record_count()) {
        (_, count) if step >= count => None,
        (0, _) | (_, 1) => entry.srv_place(step),
        (_, count) => drawn_of(entry, count, step, seed).map(|drawn| drawn.place),
    }
}

/// A record that was drawn, by its position and its place.
#[derive(Clone, Copy)]
struct Drawn {
    index: u8,
    place: SrvPlace,
}

/// The record of a set of `count` that is used as number `step`.
#[inline]
fn drawn_of(entry: &EntryRef, count: usize, step: usize, seed: u32) -> Option<Drawn> {
    match count {
        // Most sets are small, and clearing the room for a large one would cost more than the draw.
        ..=SMALL_SET => drawn::<SMALL_SET>(entry, step, seed),
        _ => drawn::<MAX_RRSET_RECORDS>(entry, step, seed),
    }
}

/// Records of a set that is drawn from in little room.
const SMALL_SET: usize = 8;

/// As [`drawn_of`], for a set of at most `ROOM` records.
#[inline(never)]
fn drawn<const ROOM: usize>(entry: &EntryRef, step: usize, seed: u32) -> Option<Drawn> {
    let mut ranked = [(0, 0); ROOM];
    let mut places = [SrvPlace::first(); ROOM];
    let count = entry.rank_srv(&mut ranked, &mut places);
    let drawn = srv::nth(ranked.get_mut(..count)?, step, seed)?;
    // The draw is one in the order of the set, wherever the latest answer began.
    let index = entry.srv_in_order(*places.get(drawn)?);
    let place = *places.get(usize::from(index))?;
    Some(Drawn { index, place })
}

/// Position of the address that is used as number `step`.
#[inline(never)]
pub(super) fn address_at_step(entry: &EntryRef, step: usize, seed: u32) -> Option<usize> {
    match (seed, entry.record_count()) {
        (_, count) if step >= count => None,
        (0, _) | (_, 1) => Some(step),
        (_, count) => Some(turned(entry, step, seed, count)),
    }
}

/// As [`address_at_step`], for several addresses and a seed. The seed stands for the same address wherever the
/// latest answer began.
fn turned(entry: &EntryRef, step: usize, seed: u32, count: usize) -> usize {
    let first = srv::first_address(count, seed, entry.rtype().0);
    (entry.least_address() + first + step) % count
}
