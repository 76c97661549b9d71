//! The search for targets, one at a time: `dns_sip_resolve()`.
//!
//! A call starts with an empty [`Cursor`] and comes back with it for the next target. Where the search
//! stands is in the cursor alone. The order: NAPTR candidates; for each the SRV records of its
//! replacement; for each the addresses of its target. Without NAPTR: SRV records for each transport,
//! then the addresses of the name itself.

mod addresses;
mod candidate;
mod order;
mod place;
pub mod quick;
mod reasons;

use std::net::IpAddr;

use crate::cache::{Cache, EntryRef, RecordView};
use crate::error::LookupError;
use crate::host::clock;
use crate::lookup::open::Passes;
use crate::lookup::{self, Others, Source};
use crate::rr::RecordType;

use super::naptr::{Candidate, NaptrRow, rows_of};
use super::security::Nothing;
use super::tree::{
    self, Event, FoundBy, Named, NaptrSet, Records, SrvRecord, SrvSet, Target, Wanted,
};
use super::{Cursor, Position, Reason, SelectError, Transport, flags};
use addresses::Hold;
pub(super) use order::address_at_step;
use order::{record_at_step, start};
pub use place::{turn, usable_seed};
use reasons::Sources;

/// The result of a lookup, with the source of its entry.
pub(super) type LookedUp = Result<(EntryRef, Source), LookupError>;

/// Who sees what a search looks up and decides.
pub(super) trait Watch {
    /// Something is about to be looked up.
    fn asks(&mut self, name: &[u8], rtype: RecordType, named: Named);
    /// A lookup has ended.
    fn learns(&mut self, name: &[u8], rtype: RecordType, named: Named, found: &LookedUp);
    /// The tree has decided.
    fn sees(&mut self, event: Event<'_>);
}

/// A search step: records come from the cache, or are asked for; the progress is in a handle.
struct Search<'a> {
    cursor: &'a mut Position,
    /// NAPTR entry in use.
    naptr: &'a mut Option<EntryRef>,
    flags: u32,
    reason: Option<&'a mut Reason>,
    sources: Sources,
    watch: Option<&'a mut dyn Watch>,
    /// The address entry is wanted in the cursor, whatever it holds.
    whole_set: bool,
    /// The handle keeps the NAPTR entry; without place for it the SRV entry has to lead back.
    keeps_naptr: bool,
}

/// Records that are held during a step, and where they came from.
struct Held {
    entry: EntryRef,
    source: Source,
}

impl NaptrSet for Held {
    fn rows(&self) -> impl Iterator<Item = NaptrRow<'_>> {
        rows_of(&self.entry)
    }

    fn replacement(&self, index: usize) -> Option<&[u8]> {
        match self.entry.record(index) {
            Some(RecordView::Naptr { replacement, .. }) => Some(replacement),
            _ => None,
        }
    }
}

impl SrvSet for Held {
    fn count(&self) -> usize {
        self.entry.record_count()
    }

    fn at(&self, step: usize, seed: u32) -> Option<SrvRecord<'_>> {
        let index = record_at_step(&self.entry, step, seed)?;
        match self.entry.record(index)? {
            RecordView::Srv { port, target, .. } => Some(SrvRecord {
                index,
                port,
                target,
                is_live: self.entry.is_usable(index, clock::now_ticks()),
            }),
            _ => None,
        }
    }
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
        reason,
        ..Search::of(cursor, request_flags)
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
    naptr: (&mut Option<EntryRef>, bool),
    name: &[u8],
    port: Option<&mut u16>,
    proto: Option<&mut u8>,
    request_flags: u32,
) -> Result<IpAddr, SelectError> {
    Search::new(cursor, naptr, request_flags).step(name, port, proto)
}

/// As [`resolve`], and somebody watches.
///
/// # Errors
/// As [`resolve`].
pub(super) fn resolve_watched(
    cursor: &mut Cursor,
    name: &[u8],
    port: Option<&mut u16>,
    proto: Option<&mut u8>,
    request_flags: u32,
    watch: &mut dyn Watch,
) -> Result<IpAddr, SelectError> {
    let search = Search {
        watch: Some(watch),
        ..Search::of(cursor, request_flags)
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
        whole_set: true,
        ..Search::of(cursor, request_flags)
    };
    search.step(name, port, proto)
}

/// The first target of the SRV records of a name, prefix included; its port is in the cursor. For the rest as
/// [`resolve_whole_set`].
pub(super) fn resolve_srv_name(
    cursor: &mut Cursor,
    srv_name: &[u8],
    request_flags: u32,
) -> Result<IpAddr, Nothing> {
    let _deadline = lookup::deadline::scope();
    let mut search = Search {
        whole_set: true,
        ..Search::of(cursor, request_flags)
    };
    let start = start(search.cursor, srv_name, request_flags & !flags::SRV_RR_LB);
    search.cursor.tried = start.into();
    let passes = lookup::open::passes();
    let (set, found) = loop {
        let result = tree::by_srv_name(&mut search, srv_name, &Vec::new);
        if !passes.go_on(result.is_ok()) {
            break result?;
        }
    };
    search.at_srv(set, &found);
    Ok(found.address)
}

impl<'a> Search<'a> {
    fn of(cursor: &'a mut Cursor, flags: u32) -> Self {
        let naptr = (&mut cursor.naptr, cursor.has_naptr_slot);
        Self::new(&mut cursor.at, naptr, flags)
    }

    fn new(
        cursor: &'a mut Position,
        (naptr, keeps_naptr): (&'a mut Option<EntryRef>, bool),
        flags: u32,
    ) -> Self {
        Self {
            cursor,
            naptr,
            flags,
            reason: None,
            sources: Sources::CACHE,
            watch: None,
            whole_set: false,
            keeps_naptr,
        }
    }

    /// Makes a step, and writes the target into the caller's variables.
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
                naptr: self.flags & flags::TRY_NAPTR != 0,
            };
            self.first(name, wanted)
        } else {
            self.next(name)
        };
        let target = result?;
        if let Some(reason) = self.reason.take() {
            *reason = self.reason_of(name, target.address);
        }
        Ok(given(target, port, proto))
    }

    fn first(&mut self, name: &[u8], wanted: Wanted) -> Result<Target, SelectError> {
        let tried = start(self.cursor, name, self.flags).into();
        // Who watches sees each question once.
        let passes = self.watch.is_none().then(lookup::open::passes);
        loop {
            *self.cursor = Position {
                tried,
                ..Position::default()
            };
            *self.naptr = None;
            let result = tree::first(self, name, wanted);
            let again = |passes: &Passes| passes.go_on(result.is_ok());
            if !passes.as_ref().is_some_and(again) {
                return result;
            }
        }
    }

    fn next(&mut self, name: &[u8]) -> Result<Target, SelectError> {
        let next = match self.cursor.a {
            Some(_) => self.next_address(),
            None => self.next_address_of_srv(),
        };
        if let Some(address) = next {
            return Ok(self.target(address));
        }
        let entry = self.cursor.srv.take().ok_or(SelectError::EndOfList)?;
        let set = Held {
            entry,
            source: Source::Cache,
        };
        let (step, passed_over) = (self.cursor.srv_no.into(), self.cursor.passed_over());
        let passes = self.watch.is_none().then(lookup::open::passes);
        let next = loop {
            let steps = steps_left(step, set.count(), passed_over);
            let nothing = match tree::walk(self, &set, steps) {
                Ok(found) => {
                    self.at_srv(set, &found);
                    return Ok(self.target(found.address));
                }
                Err(nothing) => nothing,
            };
            // A secure target that may still be answered for is not passed over.
            let is_secure =
                Transport::from_number(self.cursor.transport()).is_some_and(Transport::is_secure);
            let next = match nothing == Nothing::Open && is_secure {
                true => None,
                false => self.next_candidate(name, &set.entry),
            };
            let again = |passes: &Passes| passes.go_on(false);
            if next.is_some() || !passes.as_ref().is_some_and(again) {
                break next;
            }
        };
        if next.is_none() {
            // Without an entry a handle at the end would look like a new one.
            let end = match passed_over {
                0 => set.count(),
                passed_over => passed_over,
            };
            self.cursor.srv_no = end as u8;
            self.cursor.srv = Some(set.entry);
        }
        next.ok_or(SelectError::EndOfList)
    }

    fn target(&self, address: IpAddr) -> Target {
        Target {
            address,
            port: self.cursor.port,
            transport: Transport::from_number(self.cursor.transport()).unwrap_or(Transport::Udp),
        }
    }

    fn look_up(
        &mut self,
        name: &[u8],
        rtype: RecordType,
        named: Named,
        others: Option<&Others<'_>>,
    ) -> Result<(EntryRef, Source), Nothing> {
        if let Some(watch) = self.watch.as_deref_mut() {
            watch.asks(name, rtype, named);
        }
        let found = match named {
            Named::ByCaller => lookup::entry_along(name, rtype, self.flags, others),
            Named::ByRecord => lookup::absolute_entry(name, rtype, self.flags),
        };
        if let Some(watch) = self.watch.as_deref_mut() {
            watch.learns(name, rtype, named, &found);
        }
        found.map_err(Nothing::from)
    }
}

impl Records for Search<'_> {
    type Naptr = Held;
    type Srv = Held;

    fn flags(&self) -> u32 {
        self.flags
    }

    fn seed(&self) -> u32 {
        self.cursor.seed()
    }

    fn naptr(&mut self, owner: &[u8]) -> Result<Held, Nothing> {
        let (entry, source) = self.look_up(owner, RecordType::NAPTR, Named::ByCaller, None)?;
        crate::naptr_dbg!(
            "{} NAPTR records for {}",
            entry.record_count(),
            crate::host::log::name(owner)
        );
        Ok(Held { entry, source })
    }

    fn srv(
        &mut self,
        name: &[u8],
        named: Named,
        others: &dyn Fn() -> Vec<Vec<u8>>,
    ) -> Result<Held, Nothing> {
        let (entry, source) = self.look_up(name, RecordType::SRV, named, Some(others))?;
        Ok(Held { entry, source })
    }

    fn srv_of_candidate(&mut self, naptr: &Held, replacement: &[u8]) -> Result<Held, Nothing> {
        let (entry, source) = self.look_up(replacement, RecordType::SRV, Named::ByRecord, None)?;
        let entry = match self.keeps_naptr {
            true => entry,
            false => lookup::leading_back(entry, naptr.entry.name()),
        };
        Ok(Held { entry, source })
    }

    fn addresses(&mut self, host: &[u8], named: Named) -> Result<IpAddr, Nothing> {
        let hold = match named {
            Named::ByCaller => Hold::Always,
            Named::ByRecord => Hold::Sets,
        };
        self.start_addresses(host, named, hold)
    }

    fn at_host(&mut self, port: u16, transport: Transport) {
        self.cursor.port = port;
        self.cursor.proto = transport as u8;
    }

    fn at_srv(&mut self, set: Held, found: &FoundBy) {
        self.cursor.port = found.port;
        self.cursor.srv_no = (found.step + 1) as u8;
        self.sources.srv = set.source;
        self.cursor.srv = Some(set.entry);
    }

    fn at_transport(&mut self, transport: Transport, found: &FoundBy) {
        self.cursor.proto = transport as u8;
        if found.passed_over {
            self.cursor.pass_over(found.step);
        }
    }

    fn at_candidate(
        &mut self,
        set: Held,
        (position, candidate): (usize, Candidate),
        only: Option<Transport>,
    ) {
        self.cursor
            .set_candidate(position, candidate.transport, only.is_some());
        let hash = Cache::instance().map_or(0, |cache| cache.name_hash(set.entry.name()));
        self.cursor.tried = u64::from(self.cursor.start()) | u64::from(hash) << 32;
        self.sources.naptr = set.source;
        *self.naptr = Some(set.entry);
    }

    fn tell(&mut self, event: Event<'_>) {
        if let Some(watch) = self.watch.as_deref_mut() {
            watch.sees(event);
        }
    }
}

/// The steps to the records of a set of `count` that are still to be used, where `step` is the next one. So many at the
/// beginning as the first step of the search passed over come last: their questions were open, and the call must not
/// end without them.
fn steps_left(step: usize, count: usize, passed_over: usize) -> impl Iterator<Item = usize> {
    match passed_over {
        0 => (step..count).chain(0..0),
        _ if step > passed_over => (step..count).chain(0..passed_over),
        _ => (step..passed_over).chain(0..0),
    }
}

/// Writes a target to the caller's variables; its address is the result.
#[inline]
fn given(target: Target, port: Option<&mut u16>, proto: Option<&mut u8>) -> IpAddr {
    if let Some(port) = port {
        *port = target.port;
    }
    if let Some(proto) = proto {
        *proto = target.transport as u8;
    }
    target.address
}
