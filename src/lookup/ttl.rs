//! How long a result is kept.
//!
//! All records of one `RRset` get one TTL, the lowest of the set (RFC 2181 section 5.2): a set whose
//! records expire one by one would be served in part, and the parts would be tried twice.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::host::metrics::{self, Metric};
use crate::host::options::{self, Opt};
use crate::rr::MAX_TTL_S;

/// Longest TTL that a record from the network has, s: seven days (RFC 8767 section 4). Nobody can take it back where
/// whoever sent it, or whoever forged it, says two years. The operator's TTL goes over it.
pub(crate) const MAX_FETCHED_S: u32 = 7 * 24 * 3600;

/// Override of this process, s; 0 = none. A forked child starts with its parent's.
static LOCAL_TTL: AtomicU32 = AtomicU32::new(0);

/// Sets the TTL override of this process, s; 0 = none (`dns_set_local_ttl()`).
///
/// The override takes the place of the TTL, the minimum and the maximum of every record that this process fetches
/// meanwhile. Negative results are as ever.
pub fn set_local_ttl(ttl: u32) {
    LOCAL_TTL.store(ttl, Ordering::Relaxed);
}

/// The bounds in force.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) local: u32,
    pub(crate) min: u32,
    pub(crate) max: u32,
}

impl Bounds {
    pub(crate) fn current() -> Self {
        Self {
            local: LOCAL_TTL.load(Ordering::Relaxed),
            min: options::raw(Opt::MinTtl),
            max: options::raw(Opt::MaxTtl),
        }
    }

    /// TTL to store for a record received with `ttl`, s: 0 to [`MAX_TTL_S`] (B21).
    ///
    /// The override goes before everything; where minimum and maximum contradict, the minimum wins.
    pub(crate) fn clamp(self, ttl: u32) -> u32 {
        let wanted = if self.local > 0 {
            self.local
        } else {
            ttl.min(MAX_FETCHED_S).min(self.max).max(self.min)
        };
        wanted.min(MAX_TTL_S)
    }
}

/// TTL of a record set received with these TTLs, s: the lowest, clamped.
pub(crate) fn of_set(ttls: impl Iterator<Item = u32>) -> u32 {
    let bounds = Bounds::current();
    let ttl = ttls.min().unwrap_or(0);
    let counts = bounds.local == 0 && bounds.max > MAX_FETCHED_S && bounds.min < ttl;
    if ttl > MAX_FETCHED_S && counts {
        metrics::count(Metric::TtlCapped);
    }
    bounds.clamp(ttl)
}

/// TTL of a proven absence, s: that of the zone's SOA (RFC 2308 section 5), capped by `dns_cache_negative_ttl`, which
/// also serves when there was no SOA. 0 = not to be cached.
pub(crate) fn negative(soa: Option<u32>) -> u32 {
    let cap = options::raw(Opt::NegativeTtl);
    let soa = soa.map(|ttl| ttl.min(MAX_FETCHED_S));
    soa.unwrap_or(cap).min(cap).min(MAX_TTL_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Bounds = Bounds {
        local: 0,
        min: 0,
        max: u32::MAX,
    };

    #[test]
    fn minimum_beats_maximum() {
        let bounds = Bounds {
            local: 0,
            min: 200,
            max: 100,
        };
        assert_eq!(bounds.clamp(150), 200);
        let bounds = Bounds {
            local: 0,
            min: 10,
            max: 100,
        };
        assert_eq!(bounds.clamp(5), 10);
        assert_eq!(bounds.clamp(50), 50);
        assert_eq!(bounds.clamp(500), 100);
    }

    #[test]
    fn override_beats_both() {
        let bounds = Bounds {
            local: 7,
            min: 200,
            max: 100,
        };
        assert_eq!(bounds.clamp(150), 7);
        assert_eq!(bounds.clamp(0), 7);
    }

    #[test]
    fn huge_ttls_stay_in_the_future() {
        for ttl in [0x0fff_ffff, 0x1000_0001, 0x7fff_ffff, u32::MAX] {
            assert_eq!(OPEN.clamp(ttl), MAX_FETCHED_S);
            let bounds = Bounds { min: ttl, ..OPEN };
            assert_eq!(bounds.clamp(1), MAX_TTL_S);
            let bounds = Bounds { local: ttl, ..OPEN };
            assert_eq!(bounds.clamp(1), MAX_TTL_S);
        }
        assert_eq!(OPEN.clamp(0), 0);
    }
}
