//! All addresses that any record of a URI leads to, in no order.

use std::net::{IpAddr, SocketAddr};

use crate::error::LookupError;
use crate::host::clock;
use crate::lookup;
use crate::rr::RecordType;

use super::super::pins::{Keeper, Kept, Seen};
use super::keep;
use super::lack::Witness;
use super::target::Target;

/// Collects the addresses that the records of a URI lead to.
pub(super) struct Gathered {
    flags: u32,
    pub(super) targets: Vec<Target>,
    pub(super) witness: Witness,
}

impl Gathered {
    pub(super) fn new(flags: u32) -> Self {
        Self {
            flags,
            targets: Vec::new(),
            witness: Witness::default(),
        }
    }
}

impl Keeper for Gathered {
    const SEES: bool = true;

    fn keep(&mut self, name: &[u8], qtype: RecordType, is_callers: bool) -> Kept {
        let found = match is_callers {
            true => lookup::entry(name, qtype, self.flags),
            false => lookup::absolute_entry(name, qtype, self.flags),
        };
        keep(name, is_callers, qtype, &found);
        match found {
            Ok((entry, _)) => Kept::Has(entry),
            Err(LookupError::Open) => Kept::Waits,
            Err(error) => {
                self.witness.note(name, qtype, error);
                match error.is_absence() {
                    true => Kept::Absent(clock::now_ticks()),
                    false => Kept::Failed(error, None),
                }
            }
        }
    }

    fn sees(&mut self, seen: &Seen<'_>, address: IpAddr) {
        let address = SocketAddr::new(address, seen.port);
        let mut target = Target::new(address, seen.transport, seen.host.to_vec());
        for entry in seen.led_by {
            target.led_by(entry);
        }
        let is_same =
            |other: &Target| other.address == target.address && other.transport == target.transport;
        match self.targets.iter_mut().find(|other| is_same(other)) {
            // A target counts as stale only when no fresh records lead there.
            Some(other) if other.is_stale && !target.is_stale => *other = target,
            Some(_) => {}
            None => self.targets.push(target),
        }
    }
}
