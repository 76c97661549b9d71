//! The order in which the records of an entry are used, and the draw that decides on the order.

use super::place::{number_of, turn, usable_seed};
use crate::cache::{EntryRef, SrvPlace};
use crate::host::{random, transaction};
use crate::lookup::turns;
use crate::rr::MAX_RRSET_RECORDS;
use crate::select::{Position, flags, srv};

/// The seed of a search that begins; 0 = SRV records in stored order. A seed that the caller set stays (RFC 3263
/// section 4.4), otherwise each call draws one.
#[inline]
pub(super) fn seed(cursor: &Position, request_flags: u32) -> u32 {
    match cursor.seed() {
        _ if request_flags & flags::SRV_RR_LB == 0 => 0,
        0 => usable_seed(transaction::current().unwrap_or_else(|| random::quick_u32().max(1))),
        set => set,
    }
}

/// The value in the place of the seed of a search that begins: a seed, or with `dns_rotate` the call's number where
/// there is no seed.
pub(super) fn start(cursor: &Position, name: &[u8], request_flags: u32) -> u32 {
    match (seed(cursor, request_flags), cursor.start()) {
        (0, _) if request_flags & flags::ROTATE == 0 => 0,
        (0, 0) => turn(turns::take(name)),
        (0, set) => turn(set),
        (seed, _) => seed,
    }
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

impl Position {
    /// The SRV entry in use, and the position of the record in use.
    pub(in super::super) fn srv_in_use(&self) -> Option<(&EntryRef, usize)> {
        let entry = self.srv.as_ref()?;
        let step = usize::from(self.srv_no).saturating_sub(1);
        Some((entry, record_at_step(entry, step, self.seed())?))
    }
}

/// As [`record_at_step`], the place of the record.
#[inline]
pub(super) fn place_at_step(entry: &EntryRef, step: usize, seed: u32) -> Option<SrvPlace> {
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

/// Position of the address that is used as number `step`, see [`Position::start`]. A start other than 0 stands for the
/// same address wherever the latest answer began.
#[inline(never)]
pub(in super::super) fn address_at_step(
    entry: &EntryRef,
    step: usize,
    start: u32,
) -> Option<usize> {
    match (start, entry.record_count()) {
        (_, count) if step >= count => None,
        (0, _) | (_, 1) => Some(step),
        (_, count) => {
            let drawn = || srv::first_address(count, start, entry.rtype().0);
            let first = number_of(start).unwrap_or_else(drawn);
            Some(entry.turned(first, step))
        }
    }
}
