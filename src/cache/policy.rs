//! The cache's rules, as the options set them; a test can set its own.

use crate::host::clock::TICKS_PER_S;
use crate::host::options::{self, ExtraOpt, Opt};
#[cfg(feature = "testing")]
use crate::shm::sync::{AtomicU32, AtomicU64, Ordering};

use super::Cache;

/// Longest `dns_stale_ttl`, s: with [`crate::rr::MAX_TTL_S`] it stays far from the wrap of the clock.
const MAX_STALE_S: u32 = 604_800;

/// Rules in place of the options', for tests and benches.
#[cfg(feature = "testing")]
#[repr(C)]
pub(super) struct FixedPolicy {
    limit: AtomicU64,
    del_nonexp: AtomicU32,
    negative_share: AtomicU32,
    stale_ticks: AtomicU32,
}

/// A setting of a cache made by [`Cache::for_tests`].
#[cfg(feature = "testing")]
#[derive(Clone, Copy, Debug)]
pub enum Setting {
    /// `dns_cache_mem`, octets.
    Limit(usize),
    /// `dns_cache_del_nonexp`.
    DelNonexp(bool),
    /// `dns_cache_negative_share`, percent.
    NegativeShare(u32),
    /// `dns_stale_ttl`, s.
    StaleTtl(u32),
}

/// Where the limits come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Policy {
    /// The options, live.
    Options,
    /// The control block's own, for tests and benches; the limit at start in octets.
    #[cfg(feature = "testing")]
    Fixed(usize),
}

impl Cache {
    /// Changes a setting of a cache made by [`Self::for_tests`], in all processes.
    #[cfg(feature = "testing")]
    pub fn set_for_tests(&self, setting: Setting) {
        let fixed = &self.header.fixed;
        let relaxed = Ordering::Relaxed;
        match setting {
            Setting::Limit(octets) => fixed.limit.store(octets as u64, relaxed),
            Setting::DelNonexp(on) => fixed.del_nonexp.store(on.into(), relaxed),
            Setting::NegativeShare(percent) => fixed.negative_share.store(percent, relaxed),
            Setting::StaleTtl(seconds) => {
                fixed.stale_ticks.store(seconds * TICKS_PER_S, relaxed);
            }
        }
    }

    /// `dns_cache_mem`, octets, as far as there is room.
    pub(super) fn limit(&self) -> usize {
        let wanted = match self.policy {
            Policy::Options => options::raw(Opt::CacheMem) as usize,
            #[cfg(feature = "testing")]
            Policy::Fixed(_) => self.header.fixed.limit.load(Ordering::Relaxed) as usize,
        };
        wanted.min(self.ceiling)
    }

    /// `dns_cache_del_nonexp`.
    pub(super) fn may_evict_live(&self) -> bool {
        match self.policy {
            Policy::Options => options::on(Opt::DelNonexp),
            #[cfg(feature = "testing")]
            Policy::Fixed(_) => self.header.fixed.del_nonexp.load(Ordering::Relaxed) != 0,
        }
    }

    /// `dns_cache_negative_share`, percent.
    pub(super) fn negative_share(&self) -> u32 {
        match self.policy {
            Policy::Options => options::extra(ExtraOpt::NegativeShare),
            #[cfg(feature = "testing")]
            Policy::Fixed(_) => self.header.fixed.negative_share.load(Ordering::Relaxed),
        }
    }

    /// `dns_stale_ttl` in ticks: how long after its expiry an entry is still of use.
    pub(super) fn stale_ticks(&self) -> u32 {
        match self.policy {
            Policy::Options => options::extra(ExtraOpt::StaleTtl).min(MAX_STALE_S) * TICKS_PER_S,
            #[cfg(feature = "testing")]
            Policy::Fixed(_) => self.header.fixed.stale_ticks.load(Ordering::Relaxed),
        }
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_test_has_rules_of_its_own() {
        let own = Cache::for_tests(1 << 20, false).unwrap();
        let rules = |cache: &Cache| {
            (
                cache.limit(),
                cache.may_evict_live(),
                cache.negative_share(),
                cache.stale_ticks(),
            )
        };
        assert_eq!(rules(own), (1 << 20, false, 100, 0));
        for setting in [
            Setting::Limit(2 << 20),
            Setting::DelNonexp(true),
            Setting::NegativeShare(7),
            Setting::StaleTtl(100),
        ] {
            own.set_for_tests(setting);
        }
        assert_eq!(rules(own), (2 << 20, true, 7, 100 * TICKS_PER_S));
        own.set_for_tests(Setting::Limit(usize::MAX));
        assert_eq!(own.limit(), own.ceiling);
    }
}
