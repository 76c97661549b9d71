//! The numbers that Kamailio's counter framework has of us, and with it whatever reads that: flat names, each read by
//! itself in a time that does not depend on what the cache holds.
//!
//! None is named after a DNS name or an address: nameservers go by their place in the configuration.

use std::ffi::CStr;

use crate::host::metrics::{self, Metric};
use crate::host::query_times;
use crate::resolver::Settings;

#[cfg(feature = "use_dns_cache")]
use crate::{
    cache::Cache,
    lookup::{pins, under_way},
};

/// Nameservers that have numbers of their own.
pub const SLOTS: usize = 8;

/// A number.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    /// The number's name in the group `dns`.
    pub name: &'static CStr,
    /// A line about the number.
    pub help: &'static CStr,
    source: Source,
}

/// Where a number comes from.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// A counter of `host::metrics`.
    Counter(usize),
    /// Queries that were answered within the time of a class.
    Within(usize),
    /// Anything else, computed.
    Computed(fn() -> u64),
    /// State of the nameserver at a place.
    State(usize),
    /// Round trip of the nameserver at a place.
    RoundTrip(usize),
}

impl Number {
    /// The value now.
    #[must_use]
    pub fn value(self) -> u64 {
        match self.source {
            Source::Counter(index) => metrics::value_at(index),
            Source::Within(class) => query_times::within(class),
            Source::Computed(compute) => compute(),
            Source::State(place) => match Settings::current().server_state(place) {
                None => 0,
                Some((true, _)) => 1,
                Some((false, _)) => 2,
            },
            Source::RoundTrip(place) => {
                let state = Settings::current().server_state(place);
                state.map_or(0, |(_, round_trip_us)| round_trip_us.into())
            }
        }
    }
}

/// All numbers: the counters, the query times, the state of the moment.
pub fn all() -> impl Iterator<Item = Number> {
    let counters = (0..metrics::METRICS).filter_map(|index| {
        let metrics::Description { name, help } = metrics::describe(index)?;
        Some(number(name, help, Source::Counter(index)))
    });
    let classes = query_times::CLASSES.iter().enumerate();
    let classes = classes.map(|(class, of)| number(of.name, of.help, Source::Within(class)));
    let servers = SERVERS
        .iter()
        .enumerate()
        .flat_map(|(place, [state, round_trip])| {
            [
                number(
                    state,
                    c"nameserver at this place of the configuration: 0 none, 1 up, 2 down",
                    Source::State(place),
                ),
                number(
                    round_trip,
                    c"smoothed round trip time of that nameserver, us; 0 = never measured",
                    Source::RoundTrip(place),
                ),
            ]
        });
    counters
        .chain(classes)
        .chain(COMPUTED.iter().copied())
        .chain(servers)
}

const fn number(name: &'static CStr, help: &'static CStr, source: Source) -> Number {
    Number { name, help, source }
}

const fn computed(name: &'static CStr, help: &'static CStr, compute: fn() -> u64) -> Number {
    number(name, help, Source::Computed(compute))
}

static COMPUTED: &[Number] = &[
    #[cfg(feature = "use_dns_cache")]
    computed(c"pins", c"names that are pinned", || pins::count().0),
    #[cfg(feature = "use_dns_cache")]
    computed(
        c"pins_not_fresh",
        c"pinned names of which something is missing or has expired",
        || pins::count().1,
    ),
    computed(
        c"query_count",
        c"queries of which it was measured how long their answers took",
        query_times::count,
    ),
    computed(
        c"query_sum",
        c"the sum of those times, us",
        query_times::sum_us,
    ),
    computed(c"total_dns_request", c"queries sent", queries),
    computed(
        c"uptime",
        c"how long the library has been counting, s",
        metrics::uptime_s,
    ),
    computed(c"servers", c"nameservers in force", || {
        Settings::current().server_states().count() as u64
    }),
    computed(
        c"servers_down",
        c"nameservers in force that are down",
        || {
            let settings = Settings::current();
            settings.server_states().filter(|(up, _)| !up).count() as u64
        },
    ),
    #[cfg(feature = "use_dns_cache")]
    computed(c"waiting", c"calls that wait for DNS", || {
        under_way().waiting
    }),
    #[cfg(feature = "use_dns_cache")]
    computed(
        c"in_background",
        c"questions that are asked with no caller waiting",
        || under_way().in_background,
    ),
    #[cfg(feature = "use_dns_cache")]
    computed(
        c"memory_used",
        c"memory of the cache in use, octets",
        || of_cache(|cache| cache.usage().used as u64),
    ),
    #[cfg(feature = "use_dns_cache")]
    computed(c"memory_limit", c"dns_cache_mem, octets", || {
        of_cache(|cache| cache.usage().limit as u64)
    }),
    #[cfg(feature = "use_dns_cache")]
    computed(c"entries", c"entries of the cache", || {
        of_cache(|cache| cache.usage().entries as u64)
    }),
    #[cfg(feature = "use_dns_cache")]
    computed(
        c"repairs",
        c"repairs of the cache after a process was killed",
        || of_cache(|cache| cache.repairs().into()),
    ),
];

/// As the development version of Kamailio has it beside the two of `dns_cnt_defs`.
fn queries() -> u64 {
    metrics::value(Metric::QueryUdp) + metrics::value(Metric::QueryTcp)
}

#[cfg(feature = "use_dns_cache")]
fn of_cache(read: impl FnOnce(&Cache) -> u64) -> u64 {
    Cache::instance().map_or(0, read)
}

/// Names by place: state, round trip.
static SERVERS: [[&CStr; 2]; SLOTS] = [
    [c"server_1_state", c"server_1_rtt_us"],
    [c"server_2_state", c"server_2_rtt_us"],
    [c"server_3_state", c"server_3_rtt_us"],
    [c"server_4_state", c"server_4_rtt_us"],
    [c"server_5_state", c"server_5_rtt_us"],
    [c"server_6_state", c"server_6_rtt_us"],
    [c"server_7_state", c"server_7_rtt_us"],
    [c"server_8_state", c"server_8_rtt_us"],
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_flat_and_single() {
        let names: Vec<&str> = all()
            .filter_map(|number| number.name.to_str().ok())
            .collect();
        assert_eq!(names.len(), all().count());
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        for name in names {
            let fits =
                |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'_';
            assert!(name.bytes().all(fits), "{name}");
        }
    }
}
