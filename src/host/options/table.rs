//! The options that Kamailio has, too: names, defaults and ranges as there.

use super::{Descriptor, Kind, Opt, Place};

const fn core(
    name: &'static str,
    opt: Opt,
    kind: Kind,
    (default, min, max): (i64, i64, i64),
    unit: &'static str,
    help: &'static str,
) -> Descriptor {
    Descriptor {
        name,
        aliases: &[],
        place: Place::Core(opt),
        kind,
        default,
        min,
        max,
        unit,
        help,
    }
}

const fn flag(name: &'static str, opt: Opt, default: i64, help: &'static str) -> Descriptor {
    core(name, opt, Kind::Bool, (default, 0, 1), "", help)
}

impl Descriptor {
    const fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
}

const I32: (i64, i64) = (i32::MIN as i64, i32::MAX as i64);
const U32_MAX: i64 = u32::MAX as i64;

/// The options of Kamailio, in the order of `struct cfg_group_core`, then the two exported variables.
pub(super) static CORE: &[Descriptor] = &[
    flag(
        "dns_try_ipv6",
        Opt::TryIpv6,
        1,
        "look up AAAA records when A records are missing",
    ),
    flag(
        "dns_try_naptr",
        Opt::TryNaptr,
        0,
        "look up NAPTR records for URIs without port and transport",
    ),
    core(
        "dns_udp_pref",
        Opt::UdpPref,
        Kind::Int,
        (30, I32.0, I32.1),
        "",
        "preference of UDP, negative = never",
    )
    .alias(&["dns_udp_preference"]),
    core(
        "dns_tcp_pref",
        Opt::TcpPref,
        Kind::Int,
        (20, I32.0, I32.1),
        "",
        "preference of TCP, negative = never",
    )
    .alias(&["dns_tcp_preference"]),
    core(
        "dns_tls_pref",
        Opt::TlsPref,
        Kind::Int,
        (10, I32.0, I32.1),
        "",
        "preference of TLS, negative = never",
    )
    .alias(&["dns_tls_preference"]),
    core(
        "dns_sctp_pref",
        Opt::SctpPref,
        Kind::Int,
        (20, I32.0, I32.1),
        "",
        "preference of SCTP, negative = never",
    )
    .alias(&["dns_sctp_preference"]),
    core(
        "dns_retr_time",
        Opt::RetrTime,
        Kind::Int,
        (-1, -1, I32.1),
        "s",
        "time before a DNS request is sent again, -1 = resolv.conf",
    ),
    core(
        "dns_slow_query_ms",
        Opt::SlowQueryMs,
        Kind::Int,
        (0, 0, I32.1),
        "ms",
        "log and count queries that take longer, 0 = off",
    ),
    core(
        "dns_retr_no",
        Opt::RetrNo,
        Kind::Int,
        (-1, -1, I32.1),
        "",
        "number of DNS retransmissions, -1 = resolv.conf",
    ),
    core(
        "dns_servers_no",
        Opt::ServersNo,
        Kind::Int,
        (-1, -1, I32.1),
        "",
        "how many of the configured servers are used, -1 = all",
    ),
    flag(
        "dns_use_search_list",
        Opt::UseSearchList,
        1,
        "use the search list of resolv.conf",
    ),
    flag(
        "dns_search_full_match",
        Opt::SearchFullMatch,
        1,
        "check the part that was added to a name against the search list",
    ),
    flag(
        "dns_reinit",
        Opt::Reinit,
        0,
        "write 1 to read resolv.conf again",
    ),
    flag(
        "dns_naptr_ignore_rfc",
        Opt::NaptrIgnoreRfc,
        1,
        "local protocol preference goes before NAPTR order",
    ),
    flag(
        "use_dns_cache",
        Opt::UseCache,
        1,
        "keep results in the cache",
    )
    .alias(&["dns_use_cache"]),
    core(
        "dns_cache_flags",
        Opt::CacheFlags,
        Kind::Int,
        (0, 0, 7),
        "",
        "1 = IPv4 only, 2 = IPv6 only, 4 = IPv6 first",
    ),
    flag(
        "use_dns_failover",
        Opt::UseFailover,
        0,
        "try the next address when sending fails",
    )
    .alias(&["dns_use_failover"]),
    flag(
        "dns_srv_lb",
        Opt::SrvLb,
        0,
        "balance load by SRV weight (RFC 2782)",
    )
    .alias(&["dns_srv_loadbalancing"]),
    core(
        "dns_cache_negative_ttl",
        Opt::NegativeTtl,
        Kind::Unsigned,
        (60, 0, U32_MAX),
        "s",
        "longest life of a negative result, 0 = not cached",
    ),
    core(
        "dns_cache_min_ttl",
        Opt::MinTtl,
        Kind::Unsigned,
        (0, 0, U32_MAX),
        "s",
        "lower TTLs are raised to this",
    ),
    core(
        "dns_cache_max_ttl",
        Opt::MaxTtl,
        Kind::Unsigned,
        (U32_MAX, 0, U32_MAX),
        "s",
        "higher TTLs are lowered to this",
    ),
    core(
        "dns_cache_mem",
        Opt::CacheMem,
        Kind::KiB,
        (500, 0, 4_194_303),
        "KiB",
        "memory limit of the cache",
    ),
    flag(
        "dns_cache_del_nonexp",
        Opt::DelNonexp,
        0,
        "when full, drop the least recently used entries even if not expired",
    )
    .alias(&["dns_cache_delete_nonexpired"]),
    core(
        "dns_cache_rec_pref",
        Opt::RecPref,
        Kind::Int,
        (0, 0, 3),
        "",
        "when a name is fetched again: 0 and 1 keep the old, 2 take the new, 3 keep the one that lives longer",
    ),
    Descriptor {
        name: "dns_cache_init",
        aliases: &[],
        place: Place::CacheInit,
        kind: Kind::Bool,
        default: 1,
        min: 0,
        max: 1,
        unit: "",
        help: "0 = no cache at all; before init_dns_cache() only",
    },
    Descriptor {
        name: "dns_cache_gc_interval",
        aliases: &[],
        place: Place::GcInterval,
        kind: Kind::Unsigned,
        default: 120,
        min: 0,
        max: 134_217_727,
        unit: "s",
        help: "time between two garbage collections, 0 = none",
    },
];
