//! A target of a search that never waits, and what is said of what led to it.

use std::net::{IpAddr, SocketAddr};

use crate::cache::{EntryRef, RecordView};
use crate::host::clock;
use crate::lookup::{self, is_stale};

use super::super::sip_uri::Destination;
use super::super::{Cursor, Transport};

/// A target, and what led to it.
#[derive(Clone, Debug)]
pub struct Target {
    /// Address and port.
    pub address: SocketAddr,
    /// How it is reached.
    pub transport: Transport,
    /// The name that has the address, or the literal.
    pub host: Vec<u8>,
    /// Of the SRV record, if one led here.
    pub priority: u16,
    /// As `priority`.
    pub weight: u16,
    /// The least of what led here, s; `None` = nothing that lives for a time.
    pub ttl_s: Option<u32>,
    /// Something that led here has expired.
    pub is_stale: bool,
    /// Something that led here was put in by an operator.
    pub is_edited: bool,
}

impl Target {
    /// Of which nothing is known yet but how it is reached.
    pub(super) fn new(address: SocketAddr, transport: Transport, host: Vec<u8>) -> Self {
        Self {
            address,
            transport,
            host,
            priority: 0,
            weight: 0,
            ttl_s: None,
            is_stale: false,
            is_edited: false,
        }
    }

    /// What an entry that led here says of it.
    pub(super) fn led_by(&mut self, entry: &EntryRef) {
        let now = clock::now_ticks();
        self.is_stale |= is_stale(entry, now);
        self.is_edited |= entry.is_edited();
        if !entry.is_permanent() {
            let left_s = lookup::reported_ttl(entry, entry.expire(), now);
            let left_s = u32::try_from(left_s).unwrap_or(0);
            self.ttl_s = Some(self.ttl_s.map_or(left_s, |ttl_s| ttl_s.min(left_s)));
        }
    }
}

/// The target at which a cursor stands.
pub(super) fn target_of(
    cursor: &Cursor,
    to: &Destination,
    (address, port): (IpAddr, u16),
    transport: u8,
) -> Target {
    let host = to.host.strip_suffix(b".").unwrap_or(&to.host);
    let transport = Transport::from_number(transport).unwrap_or(Transport::Udp);
    let mut target = Target::new(SocketAddr::new(address, port), transport, host.to_vec());
    if let Some((srv, index)) = cursor.srv_in_use()
        && let Some(RecordView::Srv {
            priority,
            weight,
            target: host,
            ..
        }) = srv.record(index)
    {
        (target.priority, target.weight) = (priority, weight);
        target.host = host.to_vec();
    }
    let entries = [&cursor.naptr, &cursor.srv, &cursor.a];
    for entry in entries.into_iter().flatten() {
        target.led_by(entry);
    }
    target
}
