//! The services of the embedding program: options, clock, log, randomness, hooks, counters.
//!
//! Two hosts exist. Inside Kamailio ([`kamailio`], symbols found at run time with `dlsym`) options
//! live in `core_cfg`, the clock is `get_ticks_raw()`. In any other C program ([`standalone`])
//! the library brings its own: an option page shared by forked processes, the monotonic clock,
//! stderr.
//!
//! Fork rules. Before fork: the option page and the cache region are mapped. After fork, once per
//! process: sockets and random state ([`fork::generation`] tells that a fork happened); copies of the
//! parent's descriptors are closed at once ([`descriptor`]). The library starts no thread; what it keeps for one is there
//! until the thread's last call ([`own_thread`]).

pub mod clock;
pub mod counters;
pub(crate) mod descriptor;
pub mod follow;
pub(crate) mod fork;
#[cfg(feature = "use_dns_cache")]
#[cfg_attr(loom, path = "futex_model.rs")]
pub(crate) mod futex;
pub mod hooks;
pub(crate) mod interface;
pub(crate) mod kamailio;
pub mod libc_state;
pub(crate) mod limits;
pub mod log;
pub mod metrics;
pub(crate) mod mutation;
#[cfg(feature = "use_dns_cache")]
pub(crate) mod news;
pub(crate) mod noted;
pub mod options;
#[cfg(feature = "use_dns_cache")]
pub(crate) mod own_lock;
pub(crate) mod own_thread;
pub(crate) mod poll;
#[cfg(feature = "use_dns_cache")]
pub(crate) mod pool;
#[cfg(feature = "use_dns_cache")]
pub mod private_file;
#[cfg_attr(
    not(feature = "use_dns_cache"),
    allow(dead_code, reason = "much of it is for the cache alone")
)]
pub(crate) mod process;
pub mod query_times;
pub(crate) mod random;
pub(crate) mod shared;
pub(crate) mod standalone;
pub(crate) mod stats;
#[cfg_attr(
    not(feature = "use_dns_cache"),
    allow(unused_imports, reason = "most of it is for the cache")
)]
pub(crate) mod sync;
pub(crate) mod system_hosts;
pub(crate) mod thread;
pub(crate) mod transaction;
pub mod vars;

pub use options::StrOpt;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub use shared::mapped_for_tests;
