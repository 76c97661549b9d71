//! The options: names, defaults, ranges, units, and where each value lives.
//!
//! The 24 options of Kamailio's core keep their names and their order in `struct cfg_group_core`
//! (offsets 40 to 132 on every supported version). Inside Kamailio reading one is two loads through
//! `core_cfg`; standalone programs set them with `dns_option_set("name", "value")`. Either way a
//! change is in effect at once. Options that Kamailio does not know are in [`ExtraOpt`] (numbers) and
//! [`StrOpt`] (text).

use std::sync::atomic::Ordering;

use super::kamailio;
use super::standalone::{Page, page};
#[cfg(feature = "use_dns_cache")]
use super::vars;

/// Number of options that live in Kamailio's core group.
pub(crate) const CORE_OPTIONS: usize = 24;
/// Number of numeric options of our own.
pub(crate) const EXTRA_OPTIONS: usize = 6;
/// Number of text options of our own.
pub(crate) const STRING_OPTIONS: usize = 2;
/// Longest text option, in octets.
pub const MAX_STRING_OPTION: usize = 512;
/// Offset of the first option in `struct cfg_group_core`.
const CORE_OFFSET: usize = 40;

/// Options that Kamailio's core also has, in the order of `struct cfg_group_core`.
#[allow(missing_docs, reason = "described in the table TABLE")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Opt {
    TryIpv6,
    TryNaptr,
    UdpPref,
    TcpPref,
    TlsPref,
    SctpPref,
    RetrTime,
    SlowQueryMs,
    RetrNo,
    ServersNo,
    UseSearchList,
    SearchFullMatch,
    Reinit,
    NaptrIgnoreRfc,
    UseCache,
    CacheFlags,
    UseFailover,
    SrvLb,
    NegativeTtl,
    MinTtl,
    MaxTtl,
    /// Bytes (the option is given in KiB).
    CacheMem,
    DelNonexp,
    RecPref,
}

/// Numeric options of the library's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum ExtraOpt {
    /// `dns_failure_ttl`, s: how long a resolution failure is remembered (RFC 9520); 0 = not at all.
    FailureTtl,
    /// `dns_fallback_on_failure`: 1 = an unanswered NAPTR or SRV query counts as "no such record".
    FallbackOnFailure,
    /// See [`StandaloneOpt::LogLevel`].
    LogLevel,
    /// See [`StandaloneOpt::TcpDisable`].
    TcpDisable,
    /// See [`StandaloneOpt::TlsDisable`].
    TlsDisable,
    /// See [`StandaloneOpt::SctpDisable`].
    SctpDisable,
}

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

/// Text options of the library's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum StrOpt {
    /// `dns_nameservers`: servers to ask instead of those in resolv.conf, separated by blanks:
    /// `127.0.0.1:5300 [::1]:5300 192.0.2.1`. Empty = resolv.conf.
    Nameservers,
    /// `dns_resolv_conf`: path of the file that is read instead of `/etc/resolv.conf`.
    ResolvConf,
}

/// How the text of a value is read and stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 0/1, also `yes`, `no`, `on`, `off`, `true`, `false`.
    Bool,
    /// Signed number within min..=max.
    Int,
    /// Unsigned 32-bit number within min..=max.
    Unsigned,
    /// Given in KiB, stored in bytes.
    KiB,
    /// Text.
    Text,
}

/// Where a value lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In Kamailio's core group.
    Core(Opt),
    /// In the library's own group.
    Extra(ExtraOpt),
    /// Text.
    Text(StrOpt),
    /// The exported variable `dns_cache_init`.
    CacheInit,
    /// The exported variable `dns_timer_interval`.
    GcInterval,
}

/// One option.
#[derive(Debug)]
pub struct Descriptor {
    /// The name in kamailio.cfg.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// Where the value lives.
    pub place: Place,
    /// How its text is read.
    pub kind: Kind,
    /// Default, in the unit of the text.
    pub default: i64,
    /// Smallest value.
    pub min: i64,
    /// Largest value.
    pub max: i64,
    /// Unit for people, empty if there is none.
    pub unit: &'static str,
    /// One sentence.
    pub help: &'static str,
}

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

/// Every option.
pub static TABLE: &[Descriptor] = &[
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
    Descriptor {
        name: "dns_failure_ttl",
        aliases: &[],
        place: Place::Extra(ExtraOpt::FailureTtl),
        kind: Kind::Unsigned,
        default: 1,
        min: 0,
        max: 300,
        unit: "s",
        help: "how long an unanswered query is not repeated (RFC 9520), 0 = repeat at once",
    },
    Descriptor {
        name: "dns_fallback_on_failure",
        aliases: &[],
        place: Place::Extra(ExtraOpt::FallbackOnFailure),
        kind: Kind::Bool,
        default: 0,
        min: 0,
        max: 1,
        unit: "",
        help: "an unanswered NAPTR or SRV query counts as no such record",
    },
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
    Descriptor {
        name: "tcp_disable",
        aliases: &[],
        place: Place::Extra(ExtraOpt::TcpDisable),
        kind: Kind::Bool,
        default: 0,
        min: 0,
        max: 1,
        unit: "",
        help: "TCP is no SIP transport here, outside Kamailio",
    },
    Descriptor {
        name: "tls_disable",
        aliases: &[],
        place: Place::Extra(ExtraOpt::TlsDisable),
        kind: Kind::Bool,
        default: 0,
        min: 0,
        max: 1,
        unit: "",
        help: "TLS is no SIP transport here, outside Kamailio",
    },
    Descriptor {
        name: "sctp_disable",
        aliases: &[],
        place: Place::Extra(ExtraOpt::SctpDisable),
        kind: Kind::Bool,
        default: 1,
        min: 0,
        max: 1,
        unit: "",
        help: "SCTP is no SIP transport here, outside Kamailio",
    },
    Descriptor {
        name: "dns_nameservers",
        aliases: &[],
        place: Place::Text(StrOpt::Nameservers),
        kind: Kind::Text,
        default: 0,
        min: 0,
        max: MAX_STRING_OPTION as i64,
        unit: "",
        help: "servers to ask instead of those in resolv.conf, with or without port",
    },
    Descriptor {
        name: "dns_resolv_conf",
        aliases: &[],
        place: Place::Text(StrOpt::ResolvConf),
        kind: Kind::Text,
        default: 0,
        min: 0,
        max: MAX_STRING_OPTION as i64,
        unit: "",
        help: "file to read instead of /etc/resolv.conf",
    },
];

/// Why an option was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionError {
    /// No option has this name.
    Unknown,
    /// The text is not of the option's kind.
    Malformed,
    /// The number is outside the option's range.
    OutOfRange,
    /// The option contradicts another one that is set.
    Conflict,
    /// Inside Kamailio its own framework changes this option.
    HostOwned,
}

/// Finds an option by its name or an alias, case-sensitively.
#[must_use]
pub fn find(name: &str) -> Option<&'static Descriptor> {
    TABLE
        .iter()
        .find(|d| d.name == name || d.aliases.contains(&name))
}

/// Current value of a core option, as the 32 bits that `struct cfg_group_core` holds.
#[must_use]
pub fn raw(opt: Opt) -> u32 {
    let index = opt as usize;
    kamailio::core_option(CORE_OFFSET + 4 * index).unwrap_or_else(|| {
        page()
            .core
            .get(index)
            .map_or(0, |cell| cell.load(Ordering::Relaxed))
    })
}

/// Current value of a signed core option.
#[must_use]
pub fn int(opt: Opt) -> i32 {
    raw(opt) as i32
}

/// Current value of a boolean core option.
#[must_use]
pub fn on(opt: Opt) -> bool {
    raw(opt) != 0
}

/// Current value of one of our own numeric options.
#[must_use]
pub fn extra(opt: ExtraOpt) -> u32 {
    page()
        .extra
        .get(opt as usize)
        .map_or(0, |cell| cell.load(Ordering::Relaxed))
}

/// Current value of an option that exists only outside Kamailio.
#[must_use]
pub fn standalone(opt: StandaloneOpt) -> i32 {
    let extra_opt = match opt {
        StandaloneOpt::LogLevel => ExtraOpt::LogLevel,
        StandaloneOpt::TcpDisable => ExtraOpt::TcpDisable,
        StandaloneOpt::TlsDisable => ExtraOpt::TlsDisable,
        StandaloneOpt::SctpDisable => ExtraOpt::SctpDisable,
    };
    extra(extra_opt) as i32
}

/// Current value of one of our own text options.
#[must_use]
pub fn text(opt: StrOpt) -> Vec<u8> {
    page()
        .strings
        .get(opt as usize)
        .map_or_else(Vec::new, |cell| cell.load())
}

/// Goes up with every change made through [`set`]; what is derived from options is then stale.
#[must_use]
pub fn generation() -> u32 {
    page().generation.load(Ordering::Relaxed)
}

/// Sets an option from text.
///
/// # Errors
/// Says why the value was refused; nothing has changed then.
pub fn set(name: &str, value: &str) -> Result<(), OptionError> {
    let descriptor = find(name).ok_or(OptionError::Unknown)?;
    if matches!(descriptor.place, Place::Core(_)) && kamailio::is_host() {
        return Err(OptionError::HostOwned);
    }
    if let Place::Text(opt) = descriptor.place {
        return set_text(opt, value);
    }
    let number = parse(descriptor, value)?;
    check_conflicts(descriptor.place, number)?;
    store(descriptor, number);
    page().generation.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// The current value as text, in the unit in which it is set.
#[must_use]
pub fn get(name: &str) -> Option<String> {
    let descriptor = find(name)?;
    Some(match descriptor.place {
        Place::Text(opt) => String::from_utf8_lossy(&text(opt)).into_owned(),
        Place::Core(opt) => match descriptor.kind {
            Kind::Unsigned => raw(opt).to_string(),
            Kind::KiB => (raw(opt) / 1024).to_string(),
            _ => int(opt).to_string(),
        },
        Place::Extra(opt) => (extra(opt) as i32).to_string(),
        Place::CacheInit => cache_init().to_string(),
        Place::GcInterval => gc_interval().to_string(),
    })
}

/// Value of the exported variable `dns_cache_init`.
#[must_use]
pub fn cache_init() -> i32 {
    #[cfg(feature = "use_dns_cache")]
    return vars::dns_cache_init.load(Ordering::Relaxed);
    #[cfg(not(feature = "use_dns_cache"))]
    0
}

/// Value of the exported variable `dns_timer_interval`, s.
#[must_use]
pub fn gc_interval() -> u32 {
    #[cfg(feature = "use_dns_cache")]
    return vars::dns_timer_interval.load(Ordering::Relaxed);
    #[cfg(not(feature = "use_dns_cache"))]
    0
}

fn set_text(opt: StrOpt, value: &str) -> Result<(), OptionError> {
    if value.len() > MAX_STRING_OPTION {
        return Err(OptionError::OutOfRange);
    }
    if value.contains('\0') {
        return Err(OptionError::Malformed);
    }
    if opt == StrOpt::Nameservers && value.split_whitespace().any(|s| parse_server(s).is_none()) {
        return Err(OptionError::Malformed);
    }
    if let Some(cell) = page().strings.get(opt as usize) {
        cell.store(value.as_bytes());
    }
    page().generation.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Reads one server of `dns_nameservers`: `1.2.3.4`, `1.2.3.4:53`, `::1`, `[::1]`, `[::1]:53`,
/// `fe80::1%2`, `[fe80::1%2]:53` (numeric scope). The default port is 53; port 0 is refused.
#[must_use]
pub fn parse_server(text: &str) -> Option<std::net::SocketAddr> {
    use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
    let address = if let Ok(address) = text.parse::<SocketAddr>() {
        address
    } else {
        let bare = text
            .strip_prefix('[')
            .and_then(|t| t.strip_suffix(']'))
            .unwrap_or(text);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            SocketAddr::new(ip, 53)
        } else {
            let (ip, scope) = bare.split_once('%')?;
            SocketAddrV6::new(ip.parse::<Ipv6Addr>().ok()?, 53, 0, scope.parse().ok()?).into()
        }
    };
    (address.port() != 0).then_some(address)
}

fn parse(descriptor: &Descriptor, value: &str) -> Result<i64, OptionError> {
    let value = value.trim();
    let number = match value.to_ascii_lowercase().as_str() {
        "yes" | "on" | "true" | "enable" => 1,
        "no" | "off" | "false" | "disable" => 0,
        digits => digits.parse::<i64>().map_err(|_| OptionError::Malformed)?,
    };
    if number < descriptor.min || number > descriptor.max {
        return Err(OptionError::OutOfRange);
    }
    Ok(number)
}

/// As `use_dns_cache_fixup()` and `use_dns_failover_fixup()`.
fn check_conflicts(place: Place, number: i64) -> Result<(), OptionError> {
    let refused = match (place, number) {
        (Place::Core(Opt::UseCache), 0) => on(Opt::UseFailover),
        (Place::Core(Opt::UseCache), _) => cache_init() == 0,
        (Place::Core(Opt::UseFailover), 1) => !on(Opt::UseCache),
        _ => false,
    };
    if refused {
        Err(OptionError::Conflict)
    } else {
        Ok(())
    }
}

fn store(descriptor: &Descriptor, number: i64) {
    let number = if descriptor.kind == Kind::KiB {
        number * 1024
    } else {
        number
    };
    let word = number as u32;
    match descriptor.place {
        // Writing 1 to dns_reinit asks for a reload; it reads back as 0. The generation does it.
        Place::Core(Opt::Reinit) | Place::Text(_) => {}
        Place::Core(opt) => {
            if let Some(cell) = page().core.get(opt as usize) {
                cell.store(word, Ordering::Relaxed);
            }
        }
        Place::Extra(opt) => {
            if let Some(cell) = page().extra.get(opt as usize) {
                cell.store(word, Ordering::Relaxed);
            }
        }
        #[cfg(feature = "use_dns_cache")]
        Place::CacheInit => vars::dns_cache_init.store(word as i32, Ordering::Relaxed),
        #[cfg(feature = "use_dns_cache")]
        Place::GcInterval => vars::dns_timer_interval.store(word, Ordering::Relaxed),
        #[cfg(not(feature = "use_dns_cache"))]
        Place::CacheInit | Place::GcInterval => {}
    }
}

/// Writes the defaults into a fresh page.
pub(crate) fn fill_defaults(page: &Page) {
    for descriptor in TABLE {
        let scale = if descriptor.kind == Kind::KiB {
            1024
        } else {
            1
        };
        let word = (descriptor.default * scale) as u32;
        let cell = match descriptor.place {
            Place::Core(opt) => page.core.get(opt as usize),
            Place::Extra(opt) => page.extra.get(opt as usize),
            _ => None,
        };
        if let Some(cell) = cell {
            cell.store(word, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_with_and_without_port() {
        assert_eq!(parse_server("127.0.0.1").unwrap().port(), 53);
        assert_eq!(parse_server("[::1]:5300").unwrap().port(), 5300);
        assert_eq!(parse_server("[::1]").unwrap().port(), 53);
        assert!(parse_server("fe80::1%2").is_some());
        assert!(parse_server("example.org").is_none());
        assert!(parse_server("127.0.0.1:0").is_none());
    }

    #[test]
    fn core_options_are_in_struct_order() {
        assert_eq!(Opt::RecPref as usize + 1, CORE_OPTIONS);
        assert_eq!(CORE_OFFSET + 4 * Opt::CacheMem as usize, 124);
        assert_eq!(CORE_OFFSET + 4 * Opt::SlowQueryMs as usize, 68);
        assert_eq!(CORE_OFFSET + 4 * Opt::UseCache as usize, 96);
        assert_eq!(ExtraOpt::SctpDisable as usize + 1, EXTRA_OPTIONS);
        assert_eq!(StrOpt::ResolvConf as usize + 1, STRING_OPTIONS);
    }

    #[test]
    fn every_option_is_listed_once() {
        for index in 0..CORE_OPTIONS {
            let count = TABLE
                .iter()
                .filter(|d| matches!(d.place, Place::Core(o) if o as usize == index))
                .count();
            assert_eq!(count, 1, "core option {index}");
        }
    }
}
