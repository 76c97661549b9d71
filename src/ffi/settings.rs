//! Fixups and callbacks of the host's option framework, and what follows from a changed option.
//!
//! A fixup runs once, in the process that makes the change, before the change is in effect: 0 accepts, negative
//! refuses. The fixup gets the option block that the change applies to, laid out as `struct cfg_group_core`. A callback
//! runs in each process afterwards.
#![allow(unsafe_code, reason = "exported symbols, option block of the host")]

use std::ffi::{c_int, c_void};
#[cfg(feature = "use_dns_cache")]
use std::sync::atomic::AtomicI32;
use std::sync::atomic::{AtomicU32, Ordering};

use super::guard::guard;
use super::ptr;
use super::types::_str;
#[cfg(feature = "use_dns_cache")]
use crate::host::log::Level;
use crate::host::{kamailio, options};

/// A fixup refuses.
const REFUSED: c_int = -1;

/// Generation of the options of which this process has nothing left to do.
static SEEN: AtomicU32 = AtomicU32::new(0);
/// Generation of the options that this process has taken into account.
#[cfg(feature = "use_dns_cache")]
static APPLIED: AtomicU32 = AtomicU32::new(0);
/// `dns_flags` before that.
#[cfg(feature = "use_dns_cache")]
static BEFORE: AtomicI32 = AtomicI32::new(0);

/// Takes changed options into account; one load when nothing changed.
pub(crate) fn sync() {
    let generation = options::generation();
    if SEEN.load(Ordering::Relaxed) != generation {
        SEEN.store(generation, Ordering::Relaxed);
        #[cfg(feature = "use_dns_cache")]
        APPLIED.store(generation, Ordering::Relaxed);
        apply();
    }
}

/// As [`sync`], for a call with request flags; gives those that count.
///
/// A caller reads `dns_flags` before it calls, so it passes the old ones when another process has changed an option
/// since: flags that are those of this process follow the options. `goes_on`: the call goes on with a walk, for which
/// the caller may have kept what it read at the beginning.
#[cfg(feature = "use_dns_cache")]
#[inline]
pub(crate) fn sync_flags(flags: c_int, goes_on: impl FnOnce() -> bool) -> c_int {
    let generation = options::generation();
    if SEEN.load(Ordering::Relaxed) == generation {
        return flags;
    }
    changed_flags(generation, flags, goes_on())
}

#[cfg(feature = "use_dns_cache")]
#[cold]
fn changed_flags(generation: u32, flags: c_int, goes_on: bool) -> c_int {
    let own = || crate::host::vars::dns_flags.load(Ordering::Relaxed);
    if APPLIED.load(Ordering::Relaxed) != generation {
        BEFORE.store(own(), Ordering::Relaxed);
        APPLIED.store(generation, Ordering::Relaxed);
        apply();
    } else if !goes_on {
        // The second call that begins something read its flags after the first had changed them.
        SEEN.store(generation, Ordering::Relaxed);
        return flags;
    }
    match flags == BEFORE.load(Ordering::Relaxed) {
        true => own(),
        false => flags,
    }
}

/// Recomputes what this process derives from options.
pub(crate) fn apply() {
    #[cfg(feature = "use_dns_cache")]
    {
        crate::host::vars::dns_flags.store(effective_flags() as i32, Ordering::Relaxed);
        crate::lookup::sync_search_list();
    }
    crate::resolver::sync_hosts_file();
}

/// The request flags that follow from the options; 0 as long as there is no cache.
#[cfg(feature = "use_dns_cache")]
fn effective_flags() -> u32 {
    use crate::host::options::Opt;
    use crate::select::flags;
    if crate::cache::Cache::instance().is_none() {
        return 0;
    }
    let family = flags::IPV4_ONLY | flags::IPV6_ONLY | flags::IPV6_FIRST;
    let mut value = options::raw(Opt::CacheFlags) & family;
    if !options::on(Opt::TryIpv6) {
        value |= flags::IPV4_ONLY;
    }
    if value & flags::IPV4_ONLY != 0 {
        value &= !(flags::IPV6_ONLY | flags::IPV6_FIRST);
    }
    if cfg!(feature = "dns_srv_lb") && options::on(Opt::SrvLb) {
        value |= flags::SRV_RR_LB;
    }
    if cfg!(feature = "use_naptr") && options::on(Opt::TryNaptr) {
        value |= flags::TRY_NAPTR;
    }
    if crate::lookup::turns::are_taken() {
        value |= flags::ROTATE;
    }
    if options::is_word(options::StrOpt::FamilyOrder, "interleave") {
        value |= flags::INTERLEAVE;
    }
    if crate::host::follow::is_on() {
        value |= flags::TRACED;
    }
    value
}

/// The value that a fixup was called for.
///
/// # Safety
/// `val` is NULL or readable.
unsafe fn proposed(val: *mut *mut c_void) -> Option<c_int> {
    // SAFETY: the contract is the caller's.
    unsafe { ptr::get(val) }.map(|value| value as usize as c_int)
}

/// # Safety
/// `val` is NULL or writable.
unsafe fn propose(val: *mut *mut c_void, value: u32) {
    // SAFETY: the contract is the caller's. A number travels in the pointer's place.
    unsafe { ptr::put(val, std::ptr::without_provenance_mut(value as usize)) };
}

/// An option in the block that a change applies to; the current value when there is no block.
///
/// # Safety
/// `handle` is NULL or points to a `struct cfg_group_core`.
#[cfg(feature = "use_dns_cache")]
unsafe fn in_block(handle: *mut c_void, opt: options::Opt) -> u32 {
    let Some(offset) = kamailio::core_offset(opt).filter(|_| !handle.is_null()) else {
        return options::raw(opt);
    };
    // SAFETY: the option's offset in the struct.
    let place = unsafe { handle.cast::<u8>().add(offset) };
    // SAFETY: as above.
    unsafe { place.cast::<u32>().read_unaligned() }
}

/// Fixup of `dns_try_ipv6`: refuses to switch on when the host has no IPv6 socket.
///
/// # Safety
/// `val` is NULL or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_try_ipv6_fixup(
    _handle: *mut c_void,
    _gname: *mut _str,
    _name: *mut _str,
    val: *mut *mut c_void,
) -> c_int {
    guard!(REFUSED, {
        // SAFETY: the contract is the caller's.
        match unsafe { proposed(val) } {
            Some(0) => 0,
            Some(_) if kamailio::has_ipv6_socket() != Some(false) => 0,
            _ => REFUSED,
        }
    })
}

/// Fixup of `dns_reinit`: the value reads back as 0.
///
/// # Safety
/// `val` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_reinit_fixup(
    _handle: *mut c_void,
    _gname: *mut _str,
    _name: *mut _str,
    val: *mut *mut c_void,
) -> c_int {
    guard!(REFUSED, {
        // SAFETY: the contract is the caller's.
        unsafe { propose(val, 0) };
        0
    })
}

/// Fixup of `use_dns_cache`: needs `dns_cache_init`; must stay on while failover is on.
///
/// # Safety
/// `handle` is NULL or an option block, `val` NULL or readable.
#[cfg(feature = "use_dns_cache")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn use_dns_cache_fixup(
    handle: *mut c_void,
    _gname: *mut _str,
    _name: *mut _str,
    val: *mut *mut c_void,
) -> c_int {
    guard!(REFUSED, {
        // SAFETY: the contract is the caller's.
        let Some(value) = (unsafe { proposed(val) }) else {
            return REFUSED;
        };
        // SAFETY: the contract is the caller's.
        let failover = unsafe { in_block(handle, options::Opt::UseFailover) } != 0;
        let refused = if value == 0 {
            failover
        } else {
            options::cache_init() == 0
        };
        if refused { REFUSED } else { 0 }
    })
}

/// Fixup of `use_dns_failover`: needs the cache.
///
/// # Safety
/// As `use_dns_cache_fixup()`.
#[cfg(feature = "use_dns_cache")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn use_dns_failover_fixup(
    handle: *mut c_void,
    _gname: *mut _str,
    _name: *mut _str,
    val: *mut *mut c_void,
) -> c_int {
    guard!(REFUSED, {
        // SAFETY: the contract is the caller's.
        let Some(value) = (unsafe { proposed(val) }) else {
            return REFUSED;
        };
        // SAFETY: the contract is the caller's.
        let cached = unsafe { in_block(handle, options::Opt::UseCache) } != 0;
        if value != 0 && !cached { REFUSED } else { 0 }
    })
}

/// Fixup of `dns_cache_mem`: KiB become bytes. More than there is room for is refused, once the cache is set
/// up; before, it is cut to what 32 bits hold (B34).
///
/// # Safety
/// `val` is NULL or writable.
#[cfg(feature = "use_dns_cache")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_max_mem_fixup(
    _handle: *mut c_void,
    _gname: *mut _str,
    _name: *mut _str,
    val: *mut *mut c_void,
) -> c_int {
    guard!(REFUSED, {
        // SAFETY: the contract is the caller's.
        let Some(value) = (unsafe { proposed(val) }) else {
            return REFUSED;
        };
        let kib = value as u32;
        if let Some(ceiling) = options::cache_ceiling().map(|octets| octets / 1024)
            && u64::from(kib) > ceiling
        {
            crate::log!(
                Level::Err,
                "dns_cache_mem cannot be raised to {kib} KiB: there is room for {ceiling} KiB, see dns_cache_mem_max"
            );
            return REFUSED;
        }
        // SAFETY: the contract is the caller's.
        unsafe { propose(val, kib_to_bytes(kib)) };
        0
    })
}

/// KiB to bytes in 32 bits.
#[cfg(feature = "use_dns_cache")]
pub(crate) fn kib_to_bytes(kib: u32) -> u32 {
    kib.min(u32::MAX / 1024) * 1024
}

/// Callback: recomputes `dns_flags` of this process from the options.
///
/// # Safety
/// Always safe to call; the arguments are not used.
#[cfg(feature = "use_dns_cache")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fix_dns_flags(_gname: *mut _str, _name: *mut _str) {
    guard!((), { apply() })
}

/// Callback: protocol preferences changed. Preferences are read where they are used, so only other
/// values that depend on options are computed anew.
///
/// # Safety
/// Always safe to call; the arguments are not used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reinit_proto_prefs(_gname: *mut _str, _name: *mut _str) {
    guard!((), { apply() })
}

/// Callback: reads the resolver configuration again, in this process.
///
/// # Safety
/// `name` is NULL or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn resolv_reinit(_gname: *mut _str, name: *mut _str) {
    guard!((), {
        crate::resolver::reload();
        super::watchdog::notify(name);
    })
}
