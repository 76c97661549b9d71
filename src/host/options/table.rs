//! The options that Kamailio has, too: names, defaults and ranges as there.

use super::describe::{Descriptor, Kind, Place, int, kib, number, option_table, switch};

const LEAST: i64 = i32::MIN as i64;
const MOST: i64 = i32::MAX as i64;
const U32_MAX: i64 = u32::MAX as i64;

option_table! {
    /// Options that Kamailio's core also has, in the order of `struct cfg_group_core`.
    pub enum Opt, in CORE at Place::Core;

    TryIpv6: switch("dns_try_ipv6", true, "look up AAAA records when A records are missing");
    TryNaptr: switch("dns_try_naptr", false, "look up NAPTR records for URIs without port and transport");
    UdpPref: int("dns_udp_pref", (30, LEAST, MOST), "", "preference of UDP, negative = never")
        .alias(&["dns_udp_preference"]);
    TcpPref: int("dns_tcp_pref", (20, LEAST, MOST), "", "preference of TCP, negative = never")
        .alias(&["dns_tcp_preference"]);
    TlsPref: int("dns_tls_pref", (10, LEAST, MOST), "", "preference of TLS, negative = never")
        .alias(&["dns_tls_preference"]);
    SctpPref: int("dns_sctp_pref", (20, LEAST, MOST), "", "preference of SCTP, negative = never")
        .alias(&["dns_sctp_preference"]);
    RetrTime: int("dns_retr_time", (-1, -1, MOST), "s",
        "time before a DNS request is sent again, -1 = resolv.conf");
    SlowQueryMs: int("dns_slow_query_ms", (0, 0, MOST), "ms",
        "log and count queries that take longer, 0 = off");
    RetrNo: int("dns_retr_no", (-1, -1, MOST), "", "number of DNS retransmissions, -1 = resolv.conf");
    ServersNo: int("dns_servers_no", (-1, -1, MOST), "",
        "how many of the configured servers are used, -1 = all");
    UseSearchList: switch("dns_use_search_list", true, "use the search list of resolv.conf");
    SearchFullMatch: switch("dns_search_full_match", true,
        "check the part that was added to a name against the search list");
    Reinit: switch("dns_reinit", false, "write 1 to read resolv.conf again");
    NaptrIgnoreRfc: switch("dns_naptr_ignore_rfc", true, "local protocol preference goes before NAPTR order");
    UseCache: switch("use_dns_cache", true, "keep results in the cache")
        .alias(&["dns_use_cache"]);
    CacheFlags: int("dns_cache_flags", (0, 0, 7), "", "1 = IPv4 only, 2 = IPv6 only, 4 = IPv6 first");
    UseFailover: switch("use_dns_failover", false, "try the next address when sending fails")
        .alias(&["dns_use_failover"]);
    SrvLb: switch("dns_srv_lb", false, "balance load by SRV weight (RFC 2782)")
        .alias(&["dns_srv_loadbalancing"]);
    NegativeTtl: number("dns_cache_negative_ttl", (60, 0, U32_MAX), "s",
        "longest life of a negative result, 0 = not cached");
    MinTtl: number("dns_cache_min_ttl", (0, 0, U32_MAX), "s", "lower TTLs are raised to this");
    MaxTtl: number("dns_cache_max_ttl", (U32_MAX, 0, U32_MAX), "s", "higher TTLs are lowered to this");
    CacheMem: kib("dns_cache_mem", (500, 0, 4_194_303), "KiB", "memory limit of the cache");
    DelNonexp: switch("dns_cache_del_nonexp", false,
        "when full, drop the least recently used entries even if not expired")
        .alias(&["dns_cache_delete_nonexpired"]);
    RecPref: int("dns_cache_rec_pref", (0, 0, 3), "",
        "when a name is fetched again: 0 and 1 keep the old, 2 take the new, 3 keep the one that lives longer");
}

/// Number of options that live in Kamailio's core group.
pub(crate) const CORE_OPTIONS: usize = CORE.len();

/// The exported variables that kamailio.cfg sets.
pub(super) static VARIABLES: [Descriptor; 2] = [
    Descriptor {
        kind: Kind::Bool,
        ..number(
            "dns_cache_init",
            (1, 0, 1),
            "",
            "0 = no cache at all; before init_dns_cache() only",
        )
        .at(Place::CacheInit)
    },
    number(
        "dns_cache_gc_interval",
        (120, 0, 134_217_727),
        "s",
        "time between two garbage collections, 0 = none",
    )
    .at(Place::GcInterval),
];
