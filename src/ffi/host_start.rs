//! Start-up in a Kamailio host: defaults of its option block, the timer that collects garbage, the counters. Outside
//! Kamailio none of these exists, and nothing is done.
#![allow(
    unsafe_code,
    reason = "writes variables and calls functions of the host"
)]

use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

use super::types::counter_def_t;
use crate::host::kamailio::{self, symbol as find};

/// Maps the blocks of memory that processes forked later are to share.
pub(crate) fn map_shared_state() {
    crate::resolver::prepare();
    #[cfg(feature = "use_dns_cache")]
    crate::host::news::prepare();
    crate::host::metrics::prepare();
    crate::host::follow::prepare();
    #[cfg(feature = "use_dns_cache")]
    crate::lookup::prepare();
}

/// Registers the counters of group `dns` with the host, once: the original's two, and ours, which are summed
/// up when they are read. A second registration would fail and spoil the numbers of the first.
pub(crate) fn register_counters() {
    static DONE: AtomicBool = AtomicBool::new(false);
    let Some(symbol) = find(c"counter_register_array") else {
        return;
    };
    if DONE.swap(true, Ordering::Relaxed) {
        return;
    }
    type Register = unsafe extern "C" fn(*const c_char, *mut counter_def_t) -> c_int;
    // SAFETY: the host's function of that name has this type.
    let register = unsafe { std::mem::transmute::<*mut c_void, Register>(symbol) };
    let definitions = (&raw mut super::statics::dns_cnt_defs).cast();
    // SAFETY: a definition list that ends with an all-zero element, valid for the process's life.
    if unsafe { register(c"dns".as_ptr(), definitions) } < 0 {
        crate::log!(
            crate::host::log::Level::Err,
            "the dns counters could not be registered"
        );
        return;
    }
    let (failed, slow) = super::statics::counter_ids();
    kamailio::set_counter_ids(failed, slow);
    // SAFETY: as above.
    if unsafe { register(c"dns".as_ptr(), super::metrics::counter_definitions()) } < 0 {
        crate::log!(
            crate::host::log::Level::Warn,
            "not all counters of the group dns could be registered"
        );
    }
}

/// The line of a start: whose DNS code runs, and how it came in.
#[cfg(feature = "use_dns_cache")]
pub(crate) fn say_how_it_came_in() {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !kamailio::is_host() || SAID.swap(true, Ordering::Relaxed) {
        return;
    }
    let version = env!("CARGO_PKG_VERSION");
    let how = kamailio::takeover().unwrap_or_else(|| "linked with this Kamailio".to_owned());
    crate::log!(
        crate::host::log::Level::Notice,
        "DNS by kamailio-dns {version}: {how}"
    );
}

#[cfg(feature = "use_dns_cache")]
pub(crate) use with_cache::*;

#[cfg(feature = "use_dns_cache")]
mod with_cache {
    use std::ffi::c_uint;

    use super::super::types::timer_ln;
    use super::*;
    use crate::cache::Cache;
    use crate::host::options::{self, Opt};
    use crate::host::{clock, log::Level};

    /// Writes an option into the host's start-up block, or into our own page outside Kamailio.
    pub(crate) fn set_default(opt: Opt, value: u32) {
        if let Some(block) = find(c"default_core_cfg") {
            let Some(offset) = kamailio::core_offset(opt) else {
                return;
            };
            // SAFETY: the option's offset in the block.
            let place = unsafe { block.cast::<u8>().add(offset) };
            // SAFETY: as above; the processes that share it are not forked yet.
            unsafe { place.cast::<u32>().write_unaligned(value) };
        } else {
            let place = options::Place::Core(opt);
            let found = options::all().find(|d| d.place == place);
            if let Some(descriptor) = found {
                // 0 is a legal value of both options that this is called for.
                let _ = options::set(descriptor.name, &value.to_string());
            }
        }
    }

    /// Why there cannot be a cache in this program; `None` when there can.
    pub(crate) fn no_cache_because() -> Option<&'static str> {
        if !cfg!(all(target_pointer_width = "64", target_endian = "little")) {
            // See cache::layout.
            return Some("its entries are made for little-endian machines of 64 bits");
        }
        emulates_atomics()
            .then_some("this program changes counts of references without atomic instructions")
    }

    /// True when the program changes counts of references under locks of its own instead of with atomic
    /// instructions: Kamailio up to 6.0 on aarch64, and all its versions on some other processors.
    fn emulates_atomics() -> bool {
        let locks = [c"_atomic_lock_set", c"_atomic_lock"];
        locks.iter().any(|name| !kamailio::find(name).is_null())
    }

    /// `dns_cache_mem` is written in KiB in kamailio.cfg, and stored in bytes from here on.
    pub(crate) fn convert_memory_limit() {
        if find(c"default_core_cfg").is_some() {
            let kib = options::raw(Opt::CacheMem);
            let octets = super::super::settings::kib_to_bytes(kib);
            if octets / 1024 < kib {
                crate::log!(
                    Level::Warn,
                    "dns_cache_mem is cut from {kib} KiB to {} KiB",
                    octets / 1024
                );
            }
            set_default(Opt::CacheMem, octets);
        }
    }

    /// The second line of a start: the configuration in force.
    pub(crate) fn say_what_is_in_force() {
        if kamailio::is_host() {
            let settings = crate::resolver::Settings::current().summary();
            let kib = options::raw(Opt::CacheMem) / 1024;
            crate::log!(Level::Notice, "DNS: {settings}, cache {kib} KiB");
        }
    }

    /// "Again after the same interval."
    const PERIODIC: c_uint = c_uint::MAX;

    unsafe extern "C" fn on_timer(_now: c_uint, _link: *mut c_void, _data: *mut c_void) -> c_uint {
        super::super::guard::guard!(PERIODIC, {
            if let Some(cache) = Cache::instance() {
                cache.collect_garbage(clock::now_ticks());
            }
            PERIODIC
        })
    }

    unsafe extern "C" fn on_refresh(
        _now: c_uint,
        _link: *mut c_void,
        _data: *mut c_void,
    ) -> c_uint {
        super::super::guard::guard!(PERIODIC, {
            super::super::refresh::on_tick();
            PERIODIC
        })
    }

    type Handler = unsafe extern "C" fn(c_uint, *mut c_void, *mut c_void) -> c_uint;

    /// Arms the host's slow timer: for the garbage collection, without which expired entries still give way
    /// when memory is short, and for the refresher, without which workers refresh for themselves. So a
    /// failure is only reported (B41).
    pub(crate) fn start_timer() {
        if find(c"timer_alloc").is_none() {
            return;
        }
        let seconds = options::gc_interval();
        if seconds > 0 && !arm(on_timer, seconds.saturating_mul(clock::TICKS_PER_S)) {
            crate::log!(
                Level::Err,
                "no timer: expired entries go only when memory is short"
            );
        }
        if !arm(on_refresh, super::super::refresh::TICKS) {
            crate::log!(Level::Err, "no timer: DNS data is not refreshed ahead");
        }
    }

    /// Has the host's slow timer call a handler every so many ticks.
    fn arm(handler: Handler, ticks: c_uint) -> bool {
        let functions = (find(c"timer_alloc"), find(c"timer_add_safe"));
        let (Some(alloc), Some(add)) = functions else {
            return false;
        };
        type Alloc = unsafe extern "C" fn() -> *mut timer_ln;
        type Add = unsafe extern "C" fn(*mut timer_ln, c_uint) -> c_int;
        // SAFETY: the host's function of that name has this type.
        let alloc = unsafe { std::mem::transmute::<*mut c_void, Alloc>(alloc) };
        // SAFETY: as above.
        let add = unsafe { std::mem::transmute::<*mut c_void, Add>(add) };
        // SAFETY: init_timer() ran before init_dns_cache().
        let link = unsafe { alloc() };
        if link.is_null() {
            return false;
        }
        let filled = timer_ln {
            next: std::ptr::null_mut(),
            prev: std::ptr::null_mut(),
            expire: 0,
            initial_timeout: 0,
            data: std::ptr::null_mut(),
            f: Some(handler),
            flags: 0,
            slow_idx: 0,
        };
        // SAFETY: memory of at least that size, given out for this purpose.
        unsafe { link.write(filled) };
        // SAFETY: a filled link that stays where it is.
        unsafe { add(link, ticks) == 0 }
    }
}
