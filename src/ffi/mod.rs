//! The C surface. Nothing else in the crate uses it.
//!
//! # Safety
//! Every exported function takes this for granted, and no more:
//!
//! * **NULL.** Every pointer may be NULL. A missing input gives the function's error value, a missing
//!   out-parameter is not written.
//! * **Text.** A `str` is a pointer and a length, not NUL-terminated; a length that is zero, negative or
//!   above 65535, and a NULL pointer with a length, are errors. A `char *` is NUL-terminated. Text is
//!   used during the call only.
//! * **Other pointers** are valid for what their type says: readable for inputs, writable for
//!   out-parameters, without any demand on alignment for those. `proto` arguments are one octet,
//!   whatever the caller's variable is.
//! * **Out-parameters** are written on success only.
//! * **Results.** `struct hostent *` and `struct ip_addr *` point into memory of the calling thread that
//!   is reused after several more calls; never to be freed. Lists of `get_record()` are freed with
//!   `free_rdata_list()`, entries and handles are released with their `put` functions.
//! * **Entries** are shared by processes and read-only; a caller may only add to `refcnt`, once for each
//!   reference that it hands on. A pointer in a handle owns one reference.
//! * **When.** Everything may be called before `init_dns_cache()`, after `destroy_dns_cache()` and with
//!   the cache switched off; lookups then go past the cache.
//! * **`*_shm_unsafe`** functions may be called with the lock of the host's shared memory held: the cache
//!   has memory of its own, they take no lock of the host.
//! * **Panics** never reach C: each export runs in `guard!` and names the value that it returns then.
//! * **Threads.** All exports may be called from several threads, except that the options, `dns_func`
//!   and the init functions belong to start-up, as in the C original.

#[cfg(feature = "use_dns_cache")]
mod c_handle;
#[cfg(feature = "use_dns_cache")]
pub mod cache;
#[cfg(feature = "use_dns_cache")]
pub mod client;
#[cfg(feature = "use_dns_cache")]
pub(crate) mod codes;
#[cfg(feature = "use_dns_cache")]
mod copied_host;
#[cfg(feature = "use_dns_cache")]
pub mod explain;
pub mod gauges;
mod guard;
#[cfg(feature = "use_dns_cache")]
pub mod handle;
mod host_group;
mod host_layout;
mod host_start;
mod hostent;
pub mod init;
mod layout;
#[cfg(feature = "use_dns_cache")]
#[doc(hidden)]
pub mod layout_choice;
pub mod literal;
pub mod log;
pub mod metrics;
#[cfg(feature = "use_naptr")]
pub mod naptr;
#[cfg(feature = "use_dns_cache")]
pub mod opaque;
pub mod options;
pub mod parsers;
mod ptr;
pub mod records;
#[cfg(feature = "use_dns_cache")]
pub mod refresh;
pub mod resolve;
#[cfg(feature = "use_dns_cache")]
pub mod rpc;
#[cfg(feature = "use_dns_cache")]
pub(crate) mod rpc_call;
#[cfg(feature = "use_dns_cache")]
pub mod rpc_config;
#[cfg(feature = "use_dns_cache")]
pub mod rpc_delete;
#[cfg(feature = "use_dns_cache")]
pub mod rpc_pins;
#[cfg(feature = "use_dns_cache")]
pub mod rpc_register;
#[cfg(feature = "use_dns_cache")]
pub mod rpc_snapshot;
#[cfg(feature = "use_dns_cache")]
pub mod rpc_stats;
#[cfg(feature = "use_dns_cache")]
pub mod rpc_trace;
#[cfg(feature = "use_dns_cache")]
mod rpc_view;
pub mod settings;
pub mod statics;
#[cfg(feature = "use_dns_cache_stats")]
pub mod stats;
#[cfg(feature = "use_dns_cache")]
mod target;
#[cfg(feature = "use_dns_cache")]
mod transaction;
pub mod types;
pub mod watchdog;

/// Stops the build when a feature needs another one that is off.
macro_rules! feature_needs {
    ($($feature:literal, $needed:literal;)*) => {
        $(
            #[cfg(all(feature = $feature, not(feature = $needed)))]
            compile_error!(concat!("the feature ", $feature, " needs the feature ", $needed));
        )*
    };
}

feature_needs! {
    "use_dns_failover", "use_dns_cache";
    "dns_srv_lb", "use_dns_failover";
    "cache_relevant_recs_only", "use_dns_cache";
    "dns_cache_debug", "use_dns_cache";
    "use_dns_cache_stats", "use_dns_cache";
    "dns_watchdog_support", "use_dns_cache";
    "naptr_cache_all_ars", "use_dns_cache";
    "naptr_cache_all_ars", "use_naptr";
    "naptr_dbg", "use_naptr";
}
