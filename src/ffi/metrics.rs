//! The counters by name, for programs other than Kamailio, and for Kamailio's counter framework.
#![allow(unsafe_code, reason = "exported symbols")]

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};
use std::ptr::null;
use std::sync::OnceLock;

use super::gauges::{self, Number};
use super::guard::guard;
use super::types::{counter_def_t, counter_handle_t};
use crate::host::metrics::{self, METRICS};
use crate::resolver::servers::{self, LATENCY_BUCKETS};

/// Number of counters; their positions go from 0 to one less. Later versions may have more, at the end.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_metric_count() -> c_uint {
    guard!(0, { METRICS as c_uint })
}

/// Name of the counter at a position, e.g. `hits`; static, NULL where there is none.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_metric_name(index: c_uint) -> *const c_char {
    guard!(null(), {
        metrics::describe(index as usize).map_or(null(), |metric| metric.name.as_ptr())
    })
}

/// Says in a few words what the counter at a position counts; static, NULL where there is none.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_metric_help(index: c_uint) -> *const c_char {
    guard!(null(), {
        metrics::describe(index as usize).map_or(null(), |metric| metric.help.as_ptr())
    })
}

/// Value of the counter at a position since start, over all processes forked after `resolv_init()`; 0
/// where there is none. Takes no lock.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_metric_value(index: c_uint) -> u64 {
    guard!(0, { metrics::value_at(index as usize) })
}

/// The histograms of all servers together.
pub(crate) fn latencies() -> [u64; LATENCY_BUCKETS] {
    let mut sum = [0; LATENCY_BUCKETS];
    for server in servers::snapshot() {
        for (total, count) in sum.iter_mut().zip(server.latency) {
            *total += u64::from(count);
        }
    }
    sum
}

/// Queries that were answered, by the time that it took, over all processes and all servers that are in
/// use: writes up to `len` numbers to `out` and gives the number of classes. Class 0 is below 2 µs, class
/// `n` from 2^n up to 2^(n+1) µs; the last has no upper end.
///
/// # Safety
/// `out` is NULL or has `len` writable numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_latency_histogram(out: *mut u64, len: c_uint) -> c_uint {
    guard!(0, {
        for (index, count) in latencies().into_iter().enumerate() {
            if out.is_null() || index >= len as usize {
                break;
            }
            // SAFETY: inside the caller's `len` numbers.
            let place = unsafe { out.add(index) };
            // SAFETY: as above.
            unsafe { super::ptr::put(place, count) };
        }
        LATENCY_BUCKETS as c_uint
    })
}

/// Reads a number for Kamailio's framework; `param` is its position among the definitions.
unsafe extern "C" fn read_number(_handle: counter_handle_t, param: *mut c_void) -> c_long {
    guard!(0, {
        let numbers = DEFINITIONS.get().map(|made| &made.numbers);
        let number = numbers.and_then(|numbers| numbers.get(param as usize));
        let value = number.map_or(0, |number| number.value());
        c_long::try_from(value).unwrap_or(c_long::MAX)
    })
}

/// Lists that stay where they are.
struct Definitions {
    numbers: Vec<Number>,
    list: Vec<counter_def_t>,
}

// SAFETY: pointers to static texts and positions; nobody writes to them.
unsafe impl Send for Definitions {}
// SAFETY: as above.
unsafe impl Sync for Definitions {}

static DEFINITIONS: OnceLock<Definitions> = OnceLock::new();

/// The counters for Kamailio's framework, computed when they are read; the last element is all zero. Lives
/// for ever, as the framework may keep pointers into it.
pub(crate) fn counter_definitions() -> *mut counter_def_t {
    let list = DEFINITIONS.get_or_init(definitions);
    list.list.as_ptr().cast_mut()
}

fn definitions() -> Definitions {
    let numbers: Vec<Number> = gauges::all().collect();
    let end = counter_def_t {
        handle: std::ptr::null_mut(),
        name: null(),
        flags: 0,
        get_cbk: None,
        get_cbk_param: std::ptr::null_mut(),
        descr: null(),
    };
    let definition = |(index, number): (usize, &Number)| counter_def_t {
        name: number.name.as_ptr(),
        get_cbk: Some(read_number),
        get_cbk_param: index as *mut c_void,
        descr: number.help.as_ptr(),
        ..end
    };
    let list = numbers.iter().enumerate().map(definition);
    let list = list.chain([end]).collect();
    Definitions { numbers, list }
}

const _: () = assert!(METRICS < c_int::MAX as usize);
