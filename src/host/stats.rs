//! Cache statistics (`USE_DNS_CACHE_STATS`): four counters for each process, in shared memory.
//!
//! Without the feature counting compiles to nothing. Before `init` nothing is counted.
#![allow(
    unsafe_code,
    reason = "exported symbol, shared memory, variable of the host"
)]
#![allow(non_upper_case_globals, reason = "name fixed by the C interface")]

/// A counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stat {
    /// A lookup (`dns_req_cnt`).
    Request,
    /// A lookup was answered by a positive entry (`dc_hits_cnt`).
    Hit,
    /// A lookup was answered by a negative entry (`dc_neg_hits_cnt`).
    NegativeHit,
    /// An entry was evicted because memory was short (`dc_lru_cnt`).
    Eviction,
}

/// Adds one to a counter of this process.
#[cfg(not(feature = "use_dns_cache_stats"))]
pub(crate) fn count(_stat: Stat) {}

#[cfg(feature = "use_dns_cache_stats")]
pub(crate) use enabled::*;

#[cfg(feature = "use_dns_cache_stats")]
mod enabled {
    use std::ptr::null_mut;
    use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

    use once_cell::sync::OnceCell;

    use super::Stat;
    use crate::host::{kamailio::find, metrics};

    /// Layout of `struct t_dns_cache_stats`.
    #[repr(C)]
    #[derive(Debug)]
    pub(crate) struct Row {
        requests: AtomicU64,
        hits: AtomicU64,
        negative_hits: AtomicU64,
        evictions: AtomicU64,
    }

    impl Row {
        fn cell(&self, stat: Stat) -> &AtomicU64 {
            match stat {
                Stat::Request => &self.requests,
                Stat::Hit => &self.hits,
                Stat::NegativeHit => &self.negative_hits,
                Stat::Eviction => &self.evictions,
            }
        }
    }

    /// `struct t_dns_cache_stats *dns_cache_stats`: one row for each process; NULL before [`init`].
    #[unsafe(no_mangle)]
    pub(crate) static dns_cache_stats: AtomicPtr<Row> = AtomicPtr::new(null_mut());
    static ROWS: AtomicUsize = AtomicUsize::new(0);

    fn rows() -> &'static [Row] {
        let start = dns_cache_stats.load(Ordering::Acquire);
        if start.is_null() {
            return &[];
        }
        // SAFETY: `init` stored a mapping of that many rows, which is never unmapped.
        unsafe { std::slice::from_raw_parts(start, ROWS.load(Ordering::Relaxed)) }
    }

    /// Number of this process among the host's; 0 outside Kamailio.
    fn process_index() -> usize {
        static PLACE: OnceCell<usize> = OnceCell::new();
        let place = *PLACE.get_or_init(|| find(c"process_no") as usize) as *const i32;
        if place.is_null() {
            return 0;
        }
        // SAFETY: the host's `int process_no`.
        usize::try_from(unsafe { place.read_volatile() }).unwrap_or(0)
    }

    /// Makes room for a number of processes, all counters 0; false without memory. Before fork.
    ///
    /// The host calls it twice: for itself, and again when the number of processes is known.
    pub(crate) fn init(processes: usize) -> bool {
        let Some(size) = processes.max(1).checked_mul(size_of::<Row>()) else {
            return false;
        };
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches no other memory.
        let address = unsafe {
            libc::mmap(
                null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return false;
        }
        // The smaller of the two numbers is in force while the two words differ; the old mapping
        // stays, somebody may be counting in it.
        ROWS.store(
            ROWS.load(Ordering::Relaxed).min(processes.max(1)),
            Ordering::Relaxed,
        );
        dns_cache_stats.store(address.cast(), Ordering::Release);
        ROWS.store(processes.max(1), Ordering::Release);
        true
    }

    /// Adds one to a counter of this process.
    pub(crate) fn count(stat: Stat) {
        if metrics::is_uncounted() {
            return;
        }
        let rows = rows();
        if let Some(row) = rows.get(process_index()).or(rows.first()) {
            row.cell(stat).fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sum over all processes.
    #[must_use]
    pub(crate) fn sum(stat: Stat) -> u64 {
        rows()
            .iter()
            .map(|row| row.cell(stat).load(Ordering::Relaxed))
            .sum()
    }

    /// Sets a counter of all processes to 0.
    pub(crate) fn reset(stat: Stat) {
        for row in rows() {
            row.cell(stat).store(0, Ordering::Relaxed);
        }
    }
}
