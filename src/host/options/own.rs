//! Options that Kamailio does not know.
//!
//! Standalone programs set them by name; inside Kamailio they form the configuration group `dns`, there
//! without the leading `dns_`.

use super::{Descriptor, Kind, MAX_STRING_OPTION, Place};

/// Numeric options of the library's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum ExtraOpt {
    /// `dns_failure_ttl`, s: how long a resolution failure is remembered at first (RFC 9520); 0 = not at all.
    FailureTtl,
    /// `dns_failure_max_ttl`, s: limit of the doubling of `dns_failure_ttl`.
    FailureMaxTtl,
    /// `dns_fallback_on_failure`: 1 = an unanswered NAPTR or SRV query counts as "no such record".
    FallbackOnFailure,
    /// `dns_sips_naptr`: 1 = NAPTR (`SIPS+D2T`) is asked for TLS without a port, too.
    SipsNaptr,
    /// `dns_rotate`: 1 = calls begin in turn with each address of a set.
    Rotate,
    /// `dns_transaction_seed`: 1 = inside Kamailio what is drawn for a request follows from its transaction.
    TransactionSeed,
    /// `dns_stale_ttl`, s: how long after its expiry an entry may still be served (RFC 8767); 0 = never.
    StaleTtl,
    /// `dns_stale_recent`, s: for so long after its expiry an entry is served stale at once, while refreshed.
    StaleRecent,
    /// `dns_keep_fresh`, s: names used within this time are refreshed, whether used in each TTL or not.
    KeepFresh,
    /// `dns_refresh_rate`: queries a second for refreshes, at most.
    RefreshRate,
    /// `dns_refresh_ahead`, percent of the TTL before expiry in which names in use are refreshed; 0 = off.
    RefreshAhead,
    /// `dns_resolve_deadline`, ms: limit for all queries of one SIP resolve; 0 = none but the product.
    ResolveDeadline,
    /// `dns_max_queries`: questions put for one call; 0 = any number.
    MaxQueries,
    /// `dns_hosts_srv`: 1 = names of the hosts file may have NAPTR and SRV records.
    HostsSrv,
    /// `dns_cache_negative_share`, percent of `dns_cache_mem` that negative entries may fill.
    NegativeShare,
    /// `dns_cache_mem_max`, KiB: so far `dns_cache_mem` can be raised at run time; read at start.
    CacheMemMax,
    /// `dns_server_retry`, s: how often a server that does not answer is tried again.
    ServerRetry,
    /// `dns_cookies`: DNS cookies (RFC 7873).
    Cookies,
    /// `dns_0x20`: random letter case in questions, which answers must repeat.
    RandomCase,
    /// See [`StandaloneOpt::LogLevel`].
    LogLevel,
    /// See [`StandaloneOpt::TcpDisable`].
    TcpDisable,
    /// See [`StandaloneOpt::TlsDisable`].
    TlsDisable,
    /// See [`StandaloneOpt::SctpDisable`].
    SctpDisable,
}

/// Number of numeric options of our own.
pub(crate) const EXTRA_OPTIONS: usize = ExtraOpt::SctpDisable as usize + 1;

/// Options that only programs other than Kamailio need: Kamailio has its own means for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandaloneOpt {
    /// `dns_log_level`: highest level written to stderr, -5 to 3.
    LogLevel,
    /// `tcp_disable`: TCP cannot be used as a SIP transport.
    TcpDisable,
    /// `tls_disable`: TLS cannot be used as a SIP transport.
    TlsDisable,
    /// `sctp_disable`: SCTP cannot be used as a SIP transport.
    SctpDisable,
}

impl Descriptor {
    /// True when request flags follow from it: each process has to be told of a change.
    #[must_use]
    pub(crate) fn makes_flags(&self) -> bool {
        matches!(self.place, Place::Text(_) | Place::Extra(ExtraOpt::Rotate))
    }

    /// The name in Kamailio's group `dns`: without the leading `dns_`, unless a digit would come first,
    /// which no name there may begin with.
    #[must_use]
    pub fn group_name(&self) -> &'static str {
        match self.name.strip_prefix("dns_") {
            Some(rest) if !rest.starts_with(|c: char| c.is_ascii_digit()) => rest,
            _ => self.name,
        }
    }

    /// True for the options that Kamailio has its own means for.
    #[must_use]
    pub fn standalone_only(&self) -> bool {
        matches!(
            self.place,
            Place::Extra(
                ExtraOpt::LogLevel
                    | ExtraOpt::TcpDisable
                    | ExtraOpt::TlsDisable
                    | ExtraOpt::SctpDisable
            )
        )
    }
}

/// Text options of the library's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum StrOpt {
    /// `dns_nameservers`: servers to ask instead of those in resolv.conf, separated by blanks:
    /// `127.0.0.1:5300 [::1]:5300 192.0.2.1`. Empty = resolv.conf.
    Nameservers,
    /// `dns_resolv_conf`: path of the file that is read instead of `/etc/resolv.conf`.
    ResolvConf,
    /// `dns_hosts_file`: path of a hosts file that is read before the DNS is asked. Empty = none.
    HostsFile,
    /// `dns_edns`: whether queries have an OPT record: `auto` (also empty), `yes`, `no`.
    Edns,
    /// `dns_downgrade`: from a secure transport to a clear one: `never`, `on_absence` (also empty), `always`.
    Downgrade,
    /// `dns_family_order`: the addresses of a host with both families: `as_flags` (also empty), `interleave`.
    FamilyOrder,
}

/// Number of text options of our own.
pub(crate) const STRING_OPTIONS: usize = StrOpt::FamilyOrder as usize + 1;

const fn number(
    name: &'static str,
    opt: ExtraOpt,
    (default, min, max): (i64, i64, i64),
    unit: &'static str,
    help: &'static str,
) -> Descriptor {
    Descriptor {
        name,
        aliases: &[],
        place: Place::Extra(opt),
        kind: Kind::Unsigned,
        default,
        min,
        max,
        unit,
        help,
    }
}

const fn switch(name: &'static str, opt: ExtraOpt, default: i64, help: &'static str) -> Descriptor {
    let mut descriptor = number(name, opt, (default, 0, 1), "", help);
    descriptor.kind = Kind::Bool;
    descriptor
}

const fn text(name: &'static str, opt: StrOpt, help: &'static str) -> Descriptor {
    Descriptor {
        name,
        aliases: &[],
        place: Place::Text(opt),
        kind: Kind::Text,
        default: 0,
        min: 0,
        max: MAX_STRING_OPTION as i64,
        unit: "",
        help,
    }
}

/// Our own options.
pub(super) static OWN: &[Descriptor] = &[
    number(
        "dns_failure_ttl",
        ExtraOpt::FailureTtl,
        (1, 0, 300),
        "s",
        "how long an unanswered query is not repeated at first (RFC 9520), 0 = repeat at once",
    ),
    number(
        "dns_failure_max_ttl",
        ExtraOpt::FailureMaxTtl,
        (30, 0, 300),
        "s",
        "dns_failure_ttl doubles with each failure in a row up to this",
    ),
    switch(
        "dns_fallback_on_failure",
        ExtraOpt::FallbackOnFailure,
        0,
        "an unanswered NAPTR or SRV query counts as no such record: dns_downgrade = always",
    ),
    switch(
        "dns_sips_naptr",
        ExtraOpt::SipsNaptr,
        0,
        "look up NAPTR records (SIPS+D2T) for TLS without a port, too",
    ),
    switch(
        "dns_rotate",
        ExtraOpt::Rotate,
        0,
        "of several addresses calls use each in turn first, as rotate in resolv.conf does with servers",
    ),
    switch(
        "dns_transaction_seed",
        ExtraOpt::TransactionSeed,
        0,
        "in Kamailio Call-ID and CSeq say what dns_srv_lb and dns_rotate give a request (RFC 3263 section 4.4); read at start",
    ),
    number(
        "dns_stale_ttl",
        ExtraOpt::StaleTtl,
        (3600, 0, 604_800),
        "s",
        "how long after its expiry an entry may be served while it cannot be refreshed (RFC 8767), 0 = never",
    ),
    number(
        "dns_stale_recent",
        ExtraOpt::StaleRecent,
        (2, 0, 604_800),
        "s",
        "how long after its expiry an entry is served at once while it is refreshed",
    ),
    number(
        "dns_keep_fresh",
        ExtraOpt::KeepFresh,
        (60, 0, 604_800),
        "s",
        "names used within this time are refreshed, whether used in each TTL or not",
    ),
    number(
        "dns_refresh_rate",
        ExtraOpt::RefreshRate,
        (5000, 1, 100_000),
        "1/s",
        "queries a second that refreshes may cost at most",
    ),
    number(
        "dns_refresh_ahead",
        ExtraOpt::RefreshAhead,
        (10, 0, 50),
        "%",
        "last part of the TTL in which names in use are refreshed, 0 = never",
    ),
    number(
        "dns_resolve_deadline",
        ExtraOpt::ResolveDeadline,
        (10_000, 0, 3_600_000),
        "ms",
        "limit for all the queries of one SIP resolve, 0 = none",
    ),
    number(
        "dns_max_queries",
        ExtraOpt::MaxQueries,
        (64, 0, 65_535),
        "",
        "questions asked for one SIP resolve or one step of its failover, 0 = any number",
    ),
    switch(
        "dns_hosts_srv",
        ExtraOpt::HostsSrv,
        0,
        "look up NAPTR and SRV records also of names that the hosts file has",
    ),
    number(
        "dns_cache_negative_share",
        ExtraOpt::NegativeShare,
        (50, 1, 100),
        "%",
        "part of dns_cache_mem that negative entries may fill",
    ),
    number(
        "dns_cache_mem_max",
        ExtraOpt::CacheMemMax,
        (0, 0, 4_194_303),
        "KiB",
        "dns_cache_mem can be raised up to this at run time; address space is reserved for it at start",
    ),
    number(
        "dns_server_retry",
        ExtraOpt::ServerRetry,
        (5, 1, 3600),
        "s",
        "how often a nameserver that does not answer is tried again",
    ),
    switch(
        "dns_cookies",
        ExtraOpt::Cookies,
        0,
        "send DNS cookies (RFC 7873)",
    ),
    switch(
        "dns_0x20",
        ExtraOpt::RandomCase,
        0,
        "ask with random letter case, which answers must repeat",
    ),
    Descriptor {
        name: "dns_log_level",
        aliases: &[],
        place: Place::Extra(ExtraOpt::LogLevel),
        kind: Kind::Int,
        default: 0,
        min: -5,
        max: 3,
        unit: "",
        help: "highest level that is logged, outside Kamailio",
    },
    switch(
        "tcp_disable",
        ExtraOpt::TcpDisable,
        0,
        "TCP is no SIP transport here, outside Kamailio",
    ),
    switch(
        "tls_disable",
        ExtraOpt::TlsDisable,
        0,
        "TLS is no SIP transport here, outside Kamailio",
    ),
    switch(
        "sctp_disable",
        ExtraOpt::SctpDisable,
        1,
        "SCTP is no SIP transport here, outside Kamailio",
    ),
    text(
        "dns_nameservers",
        StrOpt::Nameservers,
        "servers to ask instead of those in resolv.conf, with or without port",
    ),
    text(
        "dns_resolv_conf",
        StrOpt::ResolvConf,
        "file to read instead of /etc/resolv.conf",
    ),
    text(
        "dns_hosts_file",
        StrOpt::HostsFile,
        "hosts file to read before the DNS is asked, empty = none",
    ),
    text(
        "dns_edns",
        StrOpt::Edns,
        "OPT record in queries (RFC 6891): auto = not to servers that it does not suit, yes, no",
    ),
    text(
        "dns_downgrade",
        StrOpt::Downgrade,
        "from a secure transport to a clear one: never, on_absence, always",
    ),
    text(
        "dns_family_order",
        StrOpt::FamilyOrder,
        "addresses of hosts with IPv4 and IPv6: as_flags = one family, then the other; interleave = in turn (RFC 8305)",
    ),
];
