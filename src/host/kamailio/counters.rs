//! The host's counters: rows of numbers, one for each process.
#![allow(unsafe_code, reason = "reads and writes variables of the host")]

use std::ffi::{c_int, c_long, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

use once_cell::sync::OnceCell;

use super::{find, is_host};
use crate::host::counters::Counter;

/// The host's counters. Each process has a row of numbers of its own.
struct CounterRows {
    /// `counter_val_t *_cnts_vals`, NULL until the first registration.
    values: *const *mut c_long,
    row_length: *const c_int,
    process: *const c_int,
    /// `_cnts_threaded` and `counter_inc_atomic()`, which only some versions have.
    threaded: *const c_int,
    increment_atomic: Option<unsafe extern "C" fn(u16)>,
}

// SAFETY: addresses of variables and functions of the executable, which live as long as the process.
unsafe impl Send for CounterRows {}
// SAFETY: as above.
unsafe impl Sync for CounterRows {}

static COUNTER_ROWS: OnceCell<Option<CounterRows>> = OnceCell::new();
/// Numbers of the two counters in the host's rows: failed below, slow above; `u32::MAX` = none.
static COUNTER_IDS: AtomicU32 = AtomicU32::new(u32::MAX);

/// Told after registration: the numbers that the host gave the two counters.
pub(crate) fn set_counter_ids(failed: u16, slow: u16) {
    COUNTER_IDS.store(u32::from(failed) | u32::from(slow) << 16, Ordering::Relaxed);
}

fn counter_rows() -> Option<&'static CounterRows> {
    let load = || {
        let (values, row_length) = (find(c"_cnts_vals"), find(c"_cnts_row_len"));
        let process = find(c"process_no");
        if !is_host() || values.is_null() || row_length.is_null() || process.is_null() {
            return None;
        }
        let increment = find(c"counter_inc_atomic");
        let increment_atomic = (!increment.is_null()).then(|| {
            // SAFETY: the host's function takes a counter_handle_t, a struct of one unsigned short,
            // which is passed as such a number, and returns nothing.
            unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn(u16)>(increment) }
        });
        Some(CounterRows {
            values: values.cast(),
            row_length: row_length.cast(),
            process: process.cast(),
            threaded: find(c"_cnts_threaded").cast(),
            increment_atomic,
        })
    };
    COUNTER_ROWS.get_or_init(load).as_ref()
}

/// Adds one to the host's counter; nothing outside Kamailio or before registration.
pub(crate) fn increment_counter(counter: Counter) {
    let ids = COUNTER_IDS.load(Ordering::Relaxed);
    if ids == u32::MAX {
        return;
    }
    let Some(rows) = counter_rows() else { return };
    let id = match counter {
        Counter::FailedRequest => ids as u16,
        Counter::SlowRequest => (ids >> 16) as u16,
    };
    // SAFETY: an int variable of the executable, where it exists.
    let threaded = !rows.threaded.is_null() && unsafe { rows.threaded.read_volatile() } != 0;
    if let (true, Some(increment)) = (threaded, rows.increment_atomic) {
        // SAFETY: a counter number that the host gave out.
        unsafe { increment(id) };
        return;
    }
    // SAFETY: a pointer variable of the executable.
    let values = unsafe { rows.values.read_volatile() };
    // SAFETY: an int variable of the executable.
    let row_length = unsafe { rows.row_length.read_volatile() };
    // SAFETY: as above.
    let process = unsafe { rows.process.read_volatile() };
    let (Ok(row_length), Ok(process)) = (usize::try_from(row_length), usize::try_from(process))
    else {
        return;
    };
    if values.is_null() || usize::from(id) >= row_length {
        return;
    }
    // SAFETY: the host keeps a row for each process number that it hands out, each `row_length` long.
    let cell = unsafe { values.add(process * row_length + usize::from(id)) };
    // SAFETY: as above; only this process writes to its row.
    let value = unsafe { cell.read_volatile() };
    // SAFETY: as above.
    unsafe { cell.write_volatile(value.wrapping_add(1)) };
}
