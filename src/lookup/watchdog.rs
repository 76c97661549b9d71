//! Whether nameservers answer, as an outside watchdog says (`DNS_WATCHDOG_SUPPORT`).
//!
//! While they are down no query is sent and cached data is used beyond its expiry.

#[cfg(feature = "dns_watchdog_support")]
use std::sync::atomic::Ordering;

#[cfg(feature = "dns_watchdog_support")]
use crate::host::standalone::page;

/// False while all nameservers are marked down. Always true without the feature.
#[must_use]
pub(crate) fn servers_up() -> bool {
    #[cfg(feature = "dns_watchdog_support")]
    return page().servers_down.load(Ordering::Relaxed) == 0;
    #[cfg(not(feature = "dns_watchdog_support"))]
    true
}

/// Marks all nameservers as up or down, for all processes that share the option page.
#[cfg(feature = "dns_watchdog_support")]
pub(crate) fn set_servers_up(up: bool) {
    page().servers_down.store(u32::from(!up), Ordering::Relaxed);
}
