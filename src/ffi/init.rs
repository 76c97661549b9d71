//! Start and end.
#![allow(unsafe_code, reason = "exported symbols")]

use std::ffi::c_int;

use super::guard::guard;
use super::ptr;
use super::{host_group, host_layout, host_start};
use crate::host::hooks::{self, dns_func_t};
use crate::host::kamailio;

/// Result of an init function that met a defect.
const E_BUG: c_int = -5;

/// Sets the resolver up; may be called more than once. 0 on success; negative in a Kamailio whose structures the
/// library does not know, and then the cache cannot be set up either.
///
/// # Safety
/// Not from several threads at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn resolv_init() -> c_int {
    guard!(E_BUG, {
        if !host_layout::is_known() {
            return E_BUG;
        }
        host_start::register_counters();
        host_start::map_shared_state();
        // Wrong values are reported here, so that a check of the configuration shows them, too.
        if !host_group::read_script(host_group::Report::Log) {
            // The server would not start; `kamailio -c` looks at nothing that comes after this call.
            kamailio::fail_check();
        }
        // With a cache the group is declared when the cache is set up: only then kamailio.cfg is known to
        // be read to its end. Without one there is no other call.
        #[cfg(not(feature = "use_dns_cache"))]
        host_group::declare();
        crate::resolver::reload();
        super::settings::apply();
        0
    })
}

/// Replaces the four functions that lookups go through; NULL changes nothing.
///
/// # Safety
/// `d` is NULL or readable; its functions stay callable. Before processes or threads are started.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn load_dnsfunc(d: *mut dns_func_t) {
    guard!((), {
        // SAFETY: the contract is the caller's.
        if let Some(table) = unsafe { ptr::get(d) } {
            hooks::replace(table);
        }
    })
}

#[cfg(all(feature = "use_dns_cache", not(feature = "testing")))]
pub(super) use with_cache::init_dns_cache;
#[cfg(all(feature = "use_dns_cache", feature = "testing"))]
pub use with_cache::*;

#[cfg(feature = "use_dns_cache")]
mod with_cache {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::codes::{E_CFG, E_OUT_OF_MEM};
    use super::*;
    use crate::cache::{Cache, InitError};
    use crate::host::log::Level;
    use crate::host::options::{self, Opt};
    use crate::host::{clock, vars};
    use crate::lookup::snapshot;

    /// Sets the cache up, in memory that processes forked later share. 0 on success, also when
    /// `dns_cache_init` is 0 (then there is no cache); negative when there is no memory, and in a Kamailio
    /// whose structures are unknown. A second call changes nothing.
    ///
    /// # Safety
    /// Before fork, not from several threads at once.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn init_dns_cache() -> c_int {
        guard!(E_BUG, {
            static CONVERTED: AtomicBool = AtomicBool::new(false);
            if !host_layout::is_known() {
                return E_BUG;
            }
            kamailio::set_timer_ready();
            host_start::map_shared_state();
            if !host_group::read_script(host_group::Report::Quiet) || !host_group::declare() {
                return E_CFG;
            }
            super::super::rpc_register::register();
            super::super::transaction::watch();
            host_start::say_how_it_came_in();
            if options::cache_init() != 0
                && let Some(reason) = host_start::no_cache_because()
            {
                crate::log!(Level::Crit, "no DNS cache and no DNS failover: {reason}");
                vars::dns_cache_init.store(0, Ordering::Relaxed);
            }
            if options::cache_init() == 0 {
                // Failover first: the cache cannot be switched off while it is on.
                host_start::set_default(Opt::UseFailover, 0);
                host_start::set_default(Opt::UseCache, 0);
                super::super::settings::apply();
                return 0;
            }
            if !CONVERTED.swap(true, Ordering::Relaxed) {
                host_start::convert_memory_limit();
            }
            start()
        })
    }

    fn start() -> c_int {
        let running = Cache::instance().is_some();
        if let Err(error) = Cache::init() {
            crate::log!(Level::Crit, "the DNS cache could not be set up: {error:?}");
            return match error {
                InitError::OutOfMemory => E_OUT_OF_MEM,
                InitError::Lock => E_BUG,
            };
        }
        crate::lookup::sync_search_list();
        if !options::on(Opt::UseCache) {
            host_start::set_default(Opt::UseFailover, 0);
        }
        if !running {
            host_start::say_what_is_in_force();
            snapshot::load_at_start();
            host_start::start_timer();
        }
        super::super::settings::apply();
        0
    }

    /// Ends the use of the cache in this process; lookups go past it afterwards. Handles that are still
    /// held stay valid. May be called without a cache.
    ///
    /// # Safety
    /// Not while another thread is in a function of the library.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn destroy_dns_cache() {
        guard!((), {
            if kamailio::is_main_process() {
                snapshot::save_at_end();
            }
            Cache::destroy();
            // The framework goes next.
            options::live::detach();
            super::super::settings::apply();
        })
    }

    /// Collects garbage once: for programs without a timer, to be called every `dns_cache_gc_interval`
    /// seconds. 0, or -1 when there is no cache.
    ///
    /// # Safety
    /// Always safe to call.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn dns_gc_run() -> c_int {
        guard!(-1, {
            let Some(cache) = Cache::instance() else {
                return -1;
            };
            cache.collect_garbage(clock::now_ticks());
            0
        })
    }
}
