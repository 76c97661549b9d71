//! The SIP transaction that the host is working on in this thread: `dns_transaction_seed`.
//!
//! A stateless proxy has to send all requests of a transaction to one server (RFC 3263 section 4.4), and keeps nothing
//! between them. So what is drawn for a request follows from the request, the same way in all processes.

use std::cell::Cell;

#[cfg(feature = "use_dns_cache")]
use super::random::split_mix;

thread_local! {
    /// 0 = none, or its number is not known.
    static CURRENT: Cell<u32> = const { Cell::new(0) };
}

/// A number that stands for the transaction: the same for a request, its retransmissions, and its CANCEL and ACK.
#[must_use]
#[inline]
pub(crate) fn current() -> Option<u32> {
    Some(CURRENT.get()).filter(|&number| number != 0)
}

/// Says which transaction is being worked on: Call-ID and CSeq number in some form, or none.
#[cfg(feature = "use_dns_cache")]
pub(crate) fn set(identity: Option<&[u8]>) {
    CURRENT.set(identity.map_or(0, number_of));
}

/// Never 0. The number is no secret: a caller who chooses a Call-ID may choose a server among equals.
#[cfg(feature = "use_dns_cache")]
fn number_of(identity: &[u8]) -> u32 {
    // FNV-1a, then spread: numbers of Call-IDs that differ in an octet are far apart.
    let mut mixed = identity
        .iter()
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, octet| {
            (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01B3)
        });
    (split_mix(&mut mixed) >> 32).max(1) as u32
}

#[cfg(all(test, feature = "use_dns_cache"))]
mod tests {
    use super::*;

    #[test]
    fn one_transaction_has_one_number() {
        assert_eq!(current(), None);
        set(Some(b"a@host 1"));
        let first = current();
        assert!(first.is_some());
        set(Some(b"a@host 2"));
        assert_ne!(current(), first);
        set(Some(b"a@host 1"));
        assert_eq!(current(), first);
        set(None);
        assert_eq!(current(), None);
    }

    #[test]
    fn numbers_are_spread() {
        // Each bit is set in about half of them.
        let numbers: Vec<u32> = (0..4096)
            .map(|call| number_of(format!("call-{call} 1").as_bytes()))
            .collect();
        for bit in 0..32 {
            let count = numbers
                .iter()
                .filter(|number| *number >> bit & 1 != 0)
                .count();
            assert!((1848..2248).contains(&count), "bit {bit}: {count}");
        }
    }
}
