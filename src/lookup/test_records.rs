//! Records as the tests of this folder write them.

use std::net::Ipv4Addr;

use crate::rr::{Name, RData, Record, RecordType};

pub(super) fn name(text: &str) -> Name {
    Name::from_text(text.as_bytes()).unwrap()
}

/// In class IN, for a minute.
pub(super) fn record(owner: &str, rtype: RecordType, rdata: RData) -> Record {
    Record {
        owner: name(owner),
        rtype,
        class: 1,
        ttl: 60,
        rdata,
    }
}

/// Of the address 10.0.0.`last`.
pub(super) fn a(owner: &str, last: u8) -> Record {
    let address = Ipv4Addr::new(10, 0, 0, last);
    record(owner, RecordType::A, RData::A(address))
}
