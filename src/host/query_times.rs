//! How long answers take, over all processes and nameservers: classes that only grow, for statistics.
//!
//! The histograms of single servers (`resolver::servers`) go with their servers. The one here stays, so that rates can
//! be computed. Only answers from the network touch its cache line.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU64, Ordering};

use super::shared::{Shared, shared_struct};

/// A class of the cumulative histogram.
#[derive(Clone, Copy, Debug)]
pub struct Class {
    /// The longest time of the class, µs.
    pub le_us: u64,
    /// The name of the class among the statistics.
    pub name: &'static CStr,
    /// A line about the class.
    pub help: &'static CStr,
}

macro_rules! classes {
    ($($le_us:literal $text:literal,)*) => {
        [$(Class {
            le_us: $le_us,
            name: match CStr::from_bytes_with_nul(concat!("query_le_", $text, "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => c"",
            },
            help: match CStr::from_bytes_with_nul(
                concat!("queries that were answered within ", $text, "\0").as_bytes(),
            ) {
                Ok(help) => help,
                Err(_) => c"",
            },
        },)*]
    };
}

/// The classes, each of which holds those before it.
pub const CLASSES: [Class; 13] = classes! {
    500 "500us",
    1_000 "1ms",
    2_000 "2ms",
    5_000 "5ms",
    10_000 "10ms",
    20_000 "20ms",
    50_000 "50ms",
    100_000 "100ms",
    200_000 "200ms",
    500_000 "500ms",
    1_000_000 "1s",
    2_000_000 "2s",
    5_000_000 "5s",
};

shared_struct! {
struct Histogram {
    /// Answers of each class alone; the last cell is for those that took longer.
    counts: [AtomicU64; CLASSES.len() + 1],
    sum_us: AtomicU64,
}
}

static HISTOGRAM: Shared<Histogram> = Shared::new();

/// Maps the memory; before fork.
pub(crate) fn prepare() {
    HISTOGRAM.get();
}

/// A query was answered after so long.
pub(crate) fn note(took_us: u64) {
    HISTOGRAM.get().note(took_us);
}

/// Queries that were answered within the time of a class; all of them beyond the last class.
#[must_use]
pub fn within(class: usize) -> u64 {
    HISTOGRAM.get().within(class)
}

/// Queries that were answered.
#[must_use]
pub fn count() -> u64 {
    within(CLASSES.len())
}

/// The sum of their times, µs.
#[must_use]
pub fn sum_us() -> u64 {
    HISTOGRAM.get().sum_us.load(Ordering::Relaxed)
}

impl Histogram {
    fn note(&self, took_us: u64) {
        let class = CLASSES.iter().position(|class| took_us <= class.le_us);
        if let Some(cell) = self.counts.get(class.unwrap_or(CLASSES.len())) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(took_us, Ordering::Relaxed);
    }

    fn within(&self, class: usize) -> u64 {
        let counts = self.counts.iter().take(class + 1);
        counts
            .map(|cell| cell.load(Ordering::Relaxed))
            .fold(0, u64::wrapping_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::shared;

    #[test]
    fn a_class_holds_those_before_it() {
        let times: &Histogram = shared::map();
        for took_us in [
            1,
            500,
            501,
            1_000,
            1_001,
            5_000_000,
            5_000_001,
            u64::from(u32::MAX),
        ] {
            times.note(took_us);
        }
        let within: Vec<u64> = (0..=CLASSES.len())
            .map(|class| times.within(class))
            .collect();
        assert_eq!(within, [2, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 6, 8]);
        assert_eq!(
            times.sum_us.load(Ordering::Relaxed),
            10_003_004 + u64::from(u32::MAX)
        );
    }

    #[test]
    fn classes_grow_and_say_their_time() {
        for pair in CLASSES.windows(2) {
            assert!(pair[0].le_us < pair[1].le_us);
        }
        for class in CLASSES {
            let text = match class.le_us {
                us if us >= 1_000_000 => format!("query_le_{}s", us / 1_000_000),
                us if us >= 1000 => format!("query_le_{}ms", us / 1000),
                us => format!("query_le_{us}us"),
            };
            assert_eq!(class.name.to_str(), Ok(text.as_str()));
            assert!(class.help.to_bytes().len() > 20);
        }
    }
}
