//! The DNS watchdog (`DNS_WATCHDOG_SUPPORT`): a program that watches the nameservers tells the library
//! that they are down, and the cache then serves what it has, expired or not, without asking.
#![allow(unsafe_code, reason = "exported symbols, callback of C")]

use super::types::_str;

#[cfg(not(feature = "dns_watchdog_support"))]
pub(crate) fn notify(_name: *mut _str) {}

#[cfg(feature = "dns_watchdog_support")]
pub(crate) use with_watchdog::notify;
#[cfg(all(feature = "dns_watchdog_support", feature = "testing"))]
pub use with_watchdog::{dns_get_server_state, dns_set_server_state, register_resolv_reinit_cb};

#[cfg(feature = "dns_watchdog_support")]
mod with_watchdog {
    use std::ffi::c_int;
    use std::sync::OnceLock;

    use super::super::guard::guard;
    use super::_str;
    use crate::lookup::watchdog;

    type ReinitCallback = unsafe extern "C" fn(*mut _str);
    static CALLBACK: OnceLock<ReinitCallback> = OnceLock::new();

    /// Tells the registered function that the resolver was initialised again.
    pub(crate) fn notify(name: *mut _str) {
        if let Some(callback) = CALLBACK.get() {
            // SAFETY: a function that was registered to be called with this argument.
            unsafe { callback(name) };
        }
    }

    /// Registers the function that is called after each new initialisation of the resolver; once.
    /// 0, or -1 when one is registered already or `cb` is NULL.
    ///
    /// # Safety
    /// `cb` stays callable for the life of the process.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn register_resolv_reinit_cb(
        cb: Option<unsafe extern "C" fn(*mut _str)>,
    ) -> c_int {
        guard!(-1, {
            match cb {
                Some(cb) if CALLBACK.set(cb).is_ok() => 0,
                _ => -1,
            }
        })
    }

    /// Says whether the nameservers can be reached: 0 = all down, others = up. For all processes.
    ///
    /// # Safety
    /// Always safe to call.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn dns_set_server_state(state: c_int) {
        guard!((), { watchdog::set_servers_up(state != 0) })
    }

    /// 1 when the nameservers count as up, 0 when as down.
    ///
    /// # Safety
    /// Always safe to call.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn dns_get_server_state() -> c_int {
        guard!(1, { c_int::from(watchdog::servers_up()) })
    }
}
