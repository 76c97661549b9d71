//! Options that Kamailio does not know: the one place where each of them stands.
//!
//! Standalone programs set them by name; inside Kamailio they form the configuration group `dns`, there
//! without the leading `dns_`. The enums, the defaults, the checks, `dns_option_describe()`, the group, README's table
//! and the man pages come from these lines; `make man` writes the pages.

use super::describe::{Descriptor, Place, int, number, option_table, switch, text, words};

option_table! {
    /// Numbers and switches of the library's own.
    pub enum ExtraOpt, in NUMBERS at Place::Extra;

    // The name; default, least, most; unit; one sentence. Then what README says, when that is more.
    HostsSrv: switch("dns_hosts_srv", false,
        "look up NAPTR and SRV records also of names that the hosts file has")
        .says("yes: NAPTR and SRV records are looked up also for names that the hosts file has");
    CacheMemMax: number("dns_cache_mem_max", (0, 0, 4_194_303), "KiB",
        "dns_cache_mem can be raised up to this at run time; address space is reserved for it at start")
        .says("`dns_cache_mem` can be raised up to this at run time; read at start. 0 = up to what `dns_cache_mem` \
              is at start; to 4 MiB in any case");
    ServerRetry: number("dns_server_retry", (5, 1, 3600), "s",
        "how often a nameserver that does not answer is tried again")
        .says("how often a nameserver that is down is tried");
    Cookies: switch("dns_cookies", false,
        "send DNS cookies (RFC 7873)");
    RandomCase: switch("dns_0x20", false,
        "ask with random letter case, which answers must repeat")
        .says("ask with random letter case, which replies have to repeat");
    HideNames: switch("dns_hide_names", false,
        "lines of the log show no names: ENUM names are telephone numbers");
    FailureTtl: number("dns_failure_ttl", (1, 0, 300), "s",
        "how long an unanswered query is not repeated at first (RFC 9520), 0 = repeat at once")
        .says("an unanswered query is not repeated for this long, a silent one at least for as long as calls waited for \
              it (RFC 9520); 0 = repeated at once");
    FailureMaxTtl: number("dns_failure_max_ttl", (30, 0, 300), "s",
        "dns_failure_ttl doubles with each failure in a row up to this")
        .says("`dns_failure_ttl` doubles with each failure in a row; this is the longest time for which a query is not \
              repeated");
    StaleTtl: number("dns_stale_ttl", (3600, 0, 604_800), "s",
        "how long after its expiry an entry may be served while it cannot be refreshed (RFC 8767), 0 = never")
        .says("for this long after its expiry a record may be served until it is fetched anew (RFC 8767); 0 = never");
    StaleRecent: number("dns_stale_recent", (2, 0, 604_800), "s",
        "how long after its expiry an entry is served at once while it is refreshed")
        .says("for this long after its expiry a record is served at once while it is fetched; later only when \
              asking brings nothing");
    RefreshAhead: number("dns_refresh_ahead", (10, 0, 50), "%",
        "last part of the TTL in which names in use are refreshed, 0 = never")
        .says("of the TTL: names in use are fetched anew in this last part of it, before they expire; 0 = never");
    KeepFresh: number("dns_keep_fresh", (60, 0, 604_800), "s",
        "names used within this time are refreshed, whether used in each TTL or not")
        .says("names used within this time are fetched anew, also when a whole TTL passed without a use; 0 = only \
              those used in each TTL");
    RefreshRate: number("dns_refresh_rate", (5000, 1, 100_000), "1/s",
        "queries a second that refreshes may cost at most")
        .says("queries that refreshes may cost at most");
    ResolveDeadline: number("dns_resolve_deadline", (10_000, 0, 3_600_000), "ms",
        "limit for all the queries of one SIP resolve, 0 = none")
        .says("limit for all the queries of one SIP resolve; 0 = only the limits of each query");
    MaxQueries: number("dns_max_queries", (64, 0, 65_535), "",
        "questions asked for one SIP resolve or one step of its failover, 0 = any number")
        .says("questions asked for one SIP resolve, or for one step of its failover; candidates of the search list \
              do not count; 0 = any number");
    MaxWaiting: number("dns_max_waiting", (50, 0, 100), "%",
        "part of the processes of one queue that may wait for DNS; beyond, the longest wait ends; 0 or 100 = all")
        .says("of the processes of one queue (UDP workers of a socket, TCP workers) that may wait for DNS; beyond, the \
              longest wait ends with a temporary failure and goes on in the background; 0 or 100 = all may wait");
    NegativeShare: number("dns_cache_negative_share", (50, 1, 100), "%",
        "part of dns_cache_mem that negative entries may fill")
        .says("of `dns_cache_mem` that negative results may fill, however many made-up names are asked for");
    FallbackOnFailure: switch("dns_fallback_on_failure", false,
        "an unanswered NAPTR or SRV query counts as no such record: dns_downgrade = always")
        .says("yes: another spelling of `dns_downgrade=always`");
    SipsNaptr: switch("dns_sips_naptr", false,
        "look up NAPTR records (SIPS+D2T) for TLS without a port, too")
        .says("yes: NAPTR records (SIPS+D2T alone) are asked for TLS without a port, too");
    Rotate: switch("dns_rotate", false,
        "of several addresses calls use each in turn first, as rotate in resolv.conf does with servers")
        .says("yes: calls for a name begin in turn with each of its addresses, in all processes together; with \
              `dns_srv_lb` each call draws where it begins in any case");
    TransactionSeed: switch("dns_transaction_seed", false,
        "in Kamailio Call-ID and CSeq say what dns_srv_lb and dns_rotate give a request (RFC 3263 section 4.4); read at start")
        .says("yes: what `dns_srv_lb` draws for a request and where `dns_rotate` begins follow from its Call-ID and \
              CSeq number, so a stateless proxy sends retransmissions to the same server (RFC 3263 section 4.4); \
              inside Kamailio alone, read at start, needs pv.so");
    LogLevel: int("dns_log_level", (0, -5, 3), "",
        "highest level that is logged, outside Kamailio")
        .says("highest level logged outside Kamailio: -1 errors, 0 warnings, 3 debug")
        .outside_kamailio();
    TcpDisable: switch("tcp_disable", false,
        "yes: TCP is no SIP transport; Kamailio has its own option")
        .outside_kamailio();
    TlsDisable: switch("tls_disable", false,
        "yes: TLS is no SIP transport; Kamailio has its own option")
        .outside_kamailio();
    SctpDisable: switch("sctp_disable", true,
        "yes: SCTP is no SIP transport; Kamailio has its own option")
        .outside_kamailio();
}

option_table! {
    /// Texts of the library's own.
    pub enum StrOpt, in TEXTS at Place::Text;

    // The name; what it names, or the words that it may be, the default first (which an empty text means, too).
    Nameservers: text("dns_nameservers", "",
        "servers to ask instead of those in resolv.conf, with or without port")
        .says("servers to ask instead of those in resolv.conf, blanks between: `127.0.0.1:5300 [::1]:5300`");
    ResolvConf: text("dns_resolv_conf", "path",
        "file to read instead of /etc/resolv.conf")
        .says("file to read instead of /etc/resolv.conf; read again whenever it changes");
    HostsFile: text("dns_hosts_file", "path",
        "hosts file to read before the DNS is asked, empty = none")
        .says("hosts file whose names are answered without asking the DNS, such as /etc/hosts; read again whenever \
              it changes");
    Edns: words("dns_edns", &["auto", "yes", "no"],
        "OPT record in queries (RFC 6891): auto = not to servers that it does not suit, yes, no")
        .says("OPT record in queries (RFC 6891): `auto` sends it, but not to servers that it does not suit, `yes` \
              always sends it, `no` never");
    Downgrade: words("dns_downgrade", &["on_absence", "never", "always"],
        "from a secure transport to a clear one: never, on_absence, always")
        .says("when a call may use a transport without encryption: `never` where the domain offers TLS; `on_absence` \
              where TLS is known to be absent or the domain offers both; `always` as in the original, for which an \
              unanswered NAPTR or SRV query counts as \"no such record\"");
    FamilyOrder: words("dns_family_order", &["as_flags", "interleave"],
        "addresses of hosts with IPv4 and IPv6: as_flags = one family, then the other; interleave = in turn (RFC 8305)")
        .says("hosts with IPv4 and IPv6 addresses: `as_flags` all of the family that `dns_cache_flags` puts first, \
              then the other, `interleave` in turn (RFC 8305)");
    Pin: text("dns_pin", "",
        "names and SIP URIs whose records are kept fresh whether used or not, blanks between")
        .says("names and SIP URIs, blanks between, whose records are kept fresh whether used or not: \
              docs/caching.md");
    PinFile: text("dns_pin_file", "path",
        "file of further such names, comments behind #; read again whenever it changes, empty = none")
        .says("file with further such names, one or more a line, comments behind `#`; read again whenever it \
              changes: docs/caching.md");
    Snapshot: text("dns_snapshot", "path",
        "file that the cache is saved to every five minutes and at the end, and loaded from at start, when this is read; empty = none")
        .says("file that the cache is saved to every five minutes and at the end, and loaded from at start, as \
              expired records; read at start: docs/caching.md");
}

/// Number of numeric options of our own.
pub(crate) const EXTRA_OPTIONS: usize = NUMBERS.len();
/// Number of text options of our own.
pub(crate) const STRING_OPTIONS: usize = TEXTS.len();
