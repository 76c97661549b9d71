//! resolv.conf and the environment variables that go over it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use resolv_conf::{Config, ScopedIp};

use crate::host::interface;
use crate::host::log::Level;

const DNS_PORT: u16 = 53;
/// Servers used of the file. The libc stops at 3; more only make a failing lookup longer.
const MAX_FILE_SERVERS: usize = 8;

/// What becomes of an option of resolv.conf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It does what resolv.conf(5) says.
    Honoured,
    /// It cannot matter here, for the reason given.
    NoEffect(&'static str),
}

/// The options of resolv.conf(5) and what becomes of them.
pub const RESOLV_CONF_OPTIONS: &[(&str, Use)] = &[
    ("ndots", Use::Honoured),
    ("timeout", Use::Honoured),
    ("attempts", Use::Honoured),
    ("rotate", Use::Honoured),
    ("edns0", Use::NoEffect("dns_edns decides")),
    ("use-vc", Use::Honoured),
    ("trust-ad", Use::Honoured),
    ("no-aaaa", Use::Honoured),
    ("no-tld-query", Use::Honoured),
    ("no-reload", Use::Honoured),
    ("debug", Use::NoEffect("the feature resolve_dbg traces")),
    ("inet6", Use::NoEffect("dns_try_ipv6 decides")),
    ("no-check-names", Use::NoEffect("names are always checked")),
    (
        "single-request",
        Use::NoEffect("no two queries share a socket"),
    ),
    (
        "single-request-reopen",
        Use::NoEffect("no two queries share a socket"),
    ),
    ("ip6-bytestring", Use::NoEffect("no reverse lookups")),
    ("ip6-dotint", Use::NoEffect("no reverse lookups")),
    ("no-ip6-dotint", Use::NoEffect("no reverse lookups")),
];

/// What is known about a file: when any of it changes the file is read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

/// The file as it was read.
#[derive(Debug)]
pub(super) struct ResolvConf {
    pub(super) stamp: Option<Stamp>,
    pub(super) config: Config,
    pub(super) servers: Vec<SocketAddr>,
    pub(super) search: Vec<Vec<u8>>,
    /// Of what decides on the names that are asked for a relative one; `None` = these are asked as they are.
    pub(super) search_digest: Option<u64>,
}

impl ResolvConf {
    /// Reads the file; one that is not there means a server on this host, as for libc.
    pub(super) fn read(path: &Path, stamp: Option<Stamp>) -> Self {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) => {
                if stamp.is_some() {
                    crate::log!(Level::Warn, "cannot read {}: {error}", path.display());
                }
                Vec::new()
            }
        };
        let environment = |name| std::env::var_os(name).map(|v| v.as_bytes().to_vec());
        Self::parse(
            text,
            environment("RES_OPTIONS"),
            environment("LOCALDOMAIN"),
            stamp,
        )
    }

    /// RES_OPTIONS and LOCALDOMAIN go over what the file says, as in libc.
    fn parse(
        mut text: Vec<u8>,
        res_options: Option<Vec<u8>>,
        local_domain: Option<Vec<u8>>,
        stamp: Option<Stamp>,
    ) -> Self {
        for (keyword, value) in [("options", res_options), ("search", local_domain)] {
            if let Some(mut value) = value {
                value.retain(|&octet| octet != b'\n');
                text.extend([b"\n", keyword.as_bytes(), b" ", &value].concat());
            }
        }
        // Lines that cannot be read are left out, as libc does; the others count.
        let (config, errors) = Config::parse_with_errors(&text);
        for error in &errors {
            trace!("resolv.conf: {error}");
        }
        let mut servers: Vec<SocketAddr> = config.nameservers.iter().filter_map(address).collect();
        servers.truncate(MAX_FILE_SERVERS);
        if servers.is_empty() {
            servers.push((Ipv4Addr::LOCALHOST, DNS_PORT).into());
        }
        let search = search_of(&config);
        Self {
            stamp,
            search_digest: digest_of(&search, &config),
            search,
            config,
            servers,
        }
    }
}

fn digest_of(search: &[Vec<u8>], config: &Config) -> Option<u64> {
    if search.iter().all(Vec::is_empty) {
        return None;
    }
    // The same in all processes.
    let mut hasher = DefaultHasher::new();
    for domain in search {
        domain.to_ascii_lowercase().hash(&mut hasher);
    }
    (config.ndots, config.no_tld_query).hash(&mut hasher);
    Some(hasher.finish().max(2))
}

/// The domains of the last `search` or `domain` line, else that of the host's name.
fn search_of(config: &Config) -> Vec<Vec<u8>> {
    let mut domains: Vec<String> = config.get_last_search_or_domain().cloned().collect();
    if domains.is_empty() && config.get_search().is_none() {
        domains.extend(config.get_system_domain());
    }
    domains
        .iter()
        .map(|domain| {
            domain
                .strip_suffix('.')
                .unwrap_or(domain)
                .as_bytes()
                .to_vec()
        })
        .collect()
}

fn address(server: &ScopedIp) -> Option<SocketAddr> {
    match server {
        ScopedIp::V4(ip) => Some(SocketAddr::new(IpAddr::V4(*ip), DNS_PORT)),
        ScopedIp::V6(ip, scope) => {
            let scope_id = match scope {
                None => 0,
                Some(scope) => interface::index_of(scope)?,
            };
            Some(SocketAddrV6::new(*ip, DNS_PORT, 0, scope_id).into())
        }
    }
}

/// Reads the text of a resolv.conf; for the fuzzer. Returns the number of servers.
#[doc(hidden)]
#[must_use]
pub fn parse_for_tests(text: &[u8]) -> usize {
    ResolvConf::parse(text.to_vec(), None, None, None)
        .servers
        .len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ResolvConf {
        ResolvConf::parse(text.as_bytes().to_vec(), None, None, None)
    }

    fn domains(file: &ResolvConf) -> Vec<String> {
        file.search
            .iter()
            .map(|d| String::from_utf8_lossy(d).into_owned())
            .collect()
    }

    #[test]
    fn odd_lines_do_not_cost_the_others() {
        let file = parse(
            "nameserver not-an-address\nbogus\n\u{1}\nnameserver 192.0.2.1 # comment\n\
             options ndots:x timeout:3\n; nothing\nnameserver fe80::1%7\nsearch a.example b.example.",
        );
        let servers: Vec<String> = file.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[fe80::1%7]:53"]);
        assert_eq!(file.config.timeout, 3);
        assert_eq!(domains(&file), ["a.example", "b.example"]);
    }

    #[test]
    fn scopes_are_numbers_or_interfaces() {
        let file = parse(
            "nameserver fe80::1%lo\nnameserver fe80::2%no-such-if\nnameserver fe80::3\n\
             nameserver fe80::4%9",
        );
        let lo = interface::index_of("lo").unwrap();
        let servers: Vec<String> = file.servers.iter().map(ToString::to_string).collect();
        let expected = [
            format!("[fe80::1%{lo}]:53"),
            "[fe80::3]:53".into(),
            "[fe80::4%9]:53".into(),
        ];
        assert_eq!(servers, expected);
    }

    #[test]
    fn last_of_domain_and_search_counts() {
        assert_eq!(domains(&parse("search a b\ndomain c")), ["c"]);
        assert_eq!(domains(&parse("domain c\nsearch a b")), ["a", "b"]);
        assert_eq!(domains(&parse("search .")), [""]);
    }

    #[test]
    fn no_server_means_this_host() {
        assert_eq!(parse("").servers, [SocketAddr::from(([127, 0, 0, 1], 53))]);
    }

    #[test]
    fn environment_goes_over_the_file() {
        let file = ResolvConf::parse(
            b"search a\noptions ndots:2 timeout:4".to_vec(),
            Some(b"ndots:5 rotate".to_vec()),
            Some(b"b c".to_vec()),
            None,
        );
        assert_eq!(domains(&file), ["b", "c"]);
        assert_eq!((file.config.ndots, file.config.timeout), (5, 4));
        assert!(file.config.rotate);
    }

    #[test]
    fn every_option_the_parser_knows_is_in_the_table() {
        for (name, _) in RESOLV_CONF_OPTIONS {
            let value = if matches!(*name, "ndots" | "timeout" | "attempts") {
                format!("options {name}:1")
            } else {
                format!("options {name}")
            };
            let (_, errors) = Config::parse_with_errors(value.as_bytes());
            assert!(errors.is_empty(), "{name}");
        }
    }
}
