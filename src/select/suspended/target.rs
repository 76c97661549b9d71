//! A target of a search that never waits, with what is known of the records that led there.

use std::net::{IpAddr, SocketAddr};

use crate::cache::{EntryRef, RecordView};
use crate::host::clock;
use crate::lookup::{self, is_stale};

use super::super::sip_uri::Destination;
use super::super::{Cursor, Transport};

/// A target, with what is known of the records that led there.
#[derive(Clone, Debug)]
pub struct Target {
    /// Address and port.
    pub address: SocketAddr,
    /// The transport to use.
    pub transport: Transport,
    /// The name that has the address, or the literal.
    pub host: Vec<u8>,
    /// Priority of the SRV record; 0 without one.
    pub priority: u16,
    /// Weight of the SRV record; 0 without one.
    pub weight: u16,
    /// The lowest TTL of the entries that led here, s; `None` = all are permanent, or there are none.
    pub ttl_s: Option<u32>,
    /// An entry that led here has expired.
    pub is_stale: bool,
    /// An operator put in an entry that led here.
    pub is_edited: bool,
}

impl Target {
    /// A target without records that led there.
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

    /// Adds an entry that led here.
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
