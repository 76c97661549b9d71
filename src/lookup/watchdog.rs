//! Whether nameservers answer, as an outside watchdog says (`DNS_WATCHDOG_SUPPORT`).
//!
//! While they are down no query is sent and cached data is used beyond its expiry.

#[cfg(feature = "dns_watchdog_support")]
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(feature = "dns_watchdog_support")]
static SERVERS_UP: AtomicBool = AtomicBool::new(true);

/// False while all nameservers are marked down. Always true without the feature.
#[must_use]
pub fn servers_up() -> bool {
    #[cfg(feature = "dns_watchdog_support")]
    return SERVERS_UP.load(Ordering::Relaxed);
    #[cfg(not(feature = "dns_watchdog_support"))]
    true
}

/// Marks all nameservers as up or down. The state belongs to this process.
#[cfg(feature = "dns_watchdog_support")]
pub fn set_servers_up(up: bool) {
    SERVERS_UP.store(up, Ordering::Relaxed);
}
