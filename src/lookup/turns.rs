//! Whose turn it is among the addresses of a name: `dns_rotate`.
//!
//! Each call takes the next number of its name, and the number says where the call begins in the sets of addresses that
//! it comes to. All processes count together. The counters are few, so names share them; two names that share one
//! take turns with each other, too, and each still comes to all its addresses.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::host::options::{self, ExtraOpt};
use crate::host::shared::Shared;
use crate::host::transaction;

/// Counters.
const COUNTERS: usize = 1024;

static TURNS: Shared<[AtomicU32; COUNTERS]> = Shared::new();

/// Maps the counters; before fork.
#[cfg(feature = "use_dns_cache")]
pub(super) fn prepare() {
    TURNS.get();
}

/// True when calls begin in turn with each address of a set.
#[must_use]
pub(crate) fn are_taken() -> bool {
    options::extra(ExtraOpt::Rotate) != 0
}

/// The number of a call for a name; one that stands for the transaction at hand is none of those in turn.
#[must_use]
pub(crate) fn take(name: &[u8]) -> u32 {
    if let Some(number) = transaction::current() {
        return number;
    }
    counter(name).map_or(0, |counter| counter.fetch_add(1, Ordering::Relaxed))
}

/// Turns the addresses of a name that come past the cache, where the option says so.
pub(crate) fn turn(name: &[u8], addresses: &mut [IpAddr]) {
    if addresses.len() > 1 && are_taken() {
        crate::rr::order::turn(addresses, take(name) as usize);
    }
}

/// The number that the next call for a name will have.
#[must_use]
#[cfg(feature = "use_dns_cache")]
pub(crate) fn next(name: &[u8]) -> u32 {
    counter(name).map_or(0, |counter| counter.load(Ordering::Relaxed))
}

fn counter(name: &[u8]) -> Option<&'static AtomicU32> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    // FNV-1a: nobody gains from names that share a counter.
    let mixed = name.iter().fold(0x811C_9DC5_u32, |hash, octet| {
        (hash ^ u32::from(octet.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    });
    TURNS.get().get((mixed ^ mixed >> 16) as usize % COUNTERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_a_number_of_its_own() {
        let first = take(b"turns.test");
        assert_eq!(take(b"Turns.TEST."), first.wrapping_add(1));
        #[cfg(feature = "use_dns_cache")]
        assert_eq!(next(b"turns.test"), first.wrapping_add(2));
        assert_eq!(take(b"turns.test"), first.wrapping_add(2));
    }
}
