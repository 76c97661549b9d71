//! What the resolver goes by: resolv.conf, the environment, the options.
//!
//! The file is looked at before every lookup (one `stat`) and read again when it changed, whatever
//! the options say. Options go over what the file says and are read at every lookup, so none of
//! them needs a reload. State belongs to one thread of one process.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use resolv_conf::{Config, ScopedIp};

use super::transport;
use crate::host::log::Level;
use crate::host::options::{self, Opt};
use crate::host::{StrOpt, fork, hooks, random};

const DEFAULT_PATH: &str = "/etc/resolv.conf";
const DNS_PORT: u16 = 53;
/// Servers used of the file. The libc stops at 3; more only make a failing lookup longer.
const MAX_SERVERS: usize = 8;
/// Upper limits that glibc puts on values of the file; the options may go above.
const MAX_TIMEOUT_S: u32 = 30;
const MAX_ATTEMPTS: u32 = 5;
const MAX_NDOTS: u32 = 15;
/// No sum of waiting times overflows below this, in s.
const MAX_RETR_TIME_S: u32 = 86_400;

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
    (
        "edns0",
        Use::NoEffect("always on, but for servers that turn out not to know it"),
    ),
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

/// What one lookup goes by: whom to ask, how long, which names. A copy, good for any thread.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A module swapped the search function: queries must go through it.
    pub(super) swapped: bool,

    /// Servers in the order in which they are asked; may be empty.
    pub(super) servers: Vec<SocketAddr>,
    /// Domains to append, without trailing dot; an empty one is the root.
    pub(super) search: Vec<Vec<u8>>,
    /// Dots that make a name be tried as it is first.
    pub(super) ndots: u32,
    /// How long one server is waited for, ms; at least 1.
    pub(super) timeout_ms: u64,
    /// How often each server is asked; at least 1.
    pub(super) attempts: u32,
    /// Always use TCP.
    pub(super) use_vc: bool,
    /// Set AD in queries.
    pub(super) trust_ad: bool,
    /// Never ask for a single label as it is.
    pub(super) no_tld_query: bool,
    /// Answer AAAA questions with NODATA without asking.
    pub(super) no_aaaa: bool,
}

/// What is known about the file: when any of it changes the file is read again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
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
struct FromFile {
    stamp: Option<Stamp>,
    config: Config,
    servers: Vec<SocketAddr>,
    search: Vec<Vec<u8>>,
}

/// Text options as they were read.
#[derive(Debug)]
struct FromOptions {
    generation: u32,
    path: PathBuf,
    servers: Vec<SocketAddr>,
}

#[derive(Debug, Default)]
struct State {
    fork_generation: u32,
    reloads: u32,
    options: Option<FromOptions>,
    file: Option<Rc<FromFile>>,
    /// Which server goes first, with `options rotate`.
    turn: u32,
    /// Servers that do not understand EDNS.
    without_edns: Vec<SocketAddr>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::new(State::default());
}

/// Number of calls of [`forget`], over all threads of the process.
static RELOADS: AtomicU32 = AtomicU32::new(0);

/// Makes every thread of this process read the file again.
pub(super) fn forget() {
    RELOADS.fetch_add(1, Ordering::Relaxed);
}

/// The settings of now.
pub(super) fn current() -> Settings {
    STATE.with_borrow_mut(|state| {
        state.refresh();
        state.settings()
    })
}

/// The search list of now, whether or not `dns_use_search_list` is on.
pub(super) fn search_list() -> Vec<Vec<u8>> {
    STATE.with_borrow_mut(|state| {
        state.refresh();
        state
            .file
            .as_ref()
            .map_or_else(Vec::new, |f| f.search.clone())
    })
}

/// True when the server was found not to understand EDNS.
pub(super) fn lacks_edns(server: &SocketAddr) -> bool {
    STATE.with_borrow(|state| state.without_edns.contains(server))
}

/// Remembers, until the configuration changes, that the server does not understand EDNS.
pub(super) fn note_lack_of_edns(server: SocketAddr) {
    STATE.with_borrow_mut(|state| {
        if !state.without_edns.contains(&server) {
            state.without_edns.push(server);
        }
    });
}

impl State {
    fn refresh(&mut self) {
        let fork_generation = fork::generation();
        let reloads = RELOADS.load(Ordering::Relaxed);
        if self.fork_generation != fork_generation || self.reloads != reloads {
            let turn = random::quick_u32();
            *self = Self {
                fork_generation,
                reloads,
                turn,
                ..Self::default()
            };
        }
        self.refresh_options();
        self.refresh_file();
    }

    fn refresh_options(&mut self) {
        let generation = options::generation();
        if self
            .options
            .as_ref()
            .is_some_and(|o| o.generation == generation)
        {
            return;
        }
        let path = options::text(StrOpt::ResolvConf);
        let path = if path.is_empty() {
            PathBuf::from(DEFAULT_PATH)
        } else {
            PathBuf::from(std::ffi::OsStr::from_bytes(&path))
        };
        let servers: Vec<SocketAddr> = String::from_utf8_lossy(&options::text(StrOpt::Nameservers))
            .split_whitespace()
            .filter_map(options::parse_server)
            .collect();
        let old = self.options.replace(FromOptions {
            generation,
            path,
            servers,
        });
        if old.map(|o| o.path) != self.options.as_ref().map(|o| o.path.clone()) {
            self.file = None;
        }
        self.without_edns.clear();
    }

    fn refresh_file(&mut self) {
        let Some(path) = self.options.as_ref().map(|o| o.path.as_path()) else {
            return;
        };
        if self.file.as_ref().is_some_and(|f| f.config.no_reload) {
            return;
        }
        let stamp = Stamp::of(path);
        if self.file.as_ref().is_some_and(|f| f.stamp == stamp) {
            return;
        }
        trace!("reading {}", path.display());
        self.file = Some(Rc::new(FromFile::read(path, stamp)));
        self.without_edns.clear();
    }

    fn settings(&mut self) -> Settings {
        let (Some(file), Some(from_options)) = (self.file.clone(), &self.options) else {
            return Settings::without_servers();
        };
        let mut servers = if from_options.servers.is_empty() {
            file.servers.clone()
        } else {
            from_options.servers.clone()
        };
        if let Ok(limit) = usize::try_from(options::int(Opt::ServersNo)) {
            servers.truncate(limit);
        }
        if file.config.rotate && !servers.is_empty() {
            let first = self.turn as usize % servers.len();
            servers.rotate_left(first);
            self.turn = self.turn.wrapping_add(1);
        }
        let config = &file.config;
        let timeout_s = positive(options::int(Opt::RetrTime))
            .unwrap_or_else(|| config.timeout.clamp(1, MAX_TIMEOUT_S));
        let attempts = positive(options::int(Opt::RetrNo))
            .unwrap_or_else(|| config.attempts.clamp(1, MAX_ATTEMPTS));
        Settings {
            swapped: hooks::swapped_search().is_some(),
            servers,
            search: if options::on(Opt::UseSearchList) {
                file.search.clone()
            } else {
                Vec::new()
            },
            ndots: config.ndots.min(MAX_NDOTS),
            timeout_ms: u64::from(timeout_s.min(MAX_RETR_TIME_S)) * 1000,
            attempts,
            use_vc: config.use_vc,
            trust_ad: config.trust_ad,
            no_tld_query: config.no_tld_query,
            no_aaaa: config.no_aaaa,
        }
    }
}

fn positive(value: i32) -> Option<u32> {
    u32::try_from(value).ok().filter(|&v| v > 0)
}

impl Settings {
    /// The settings of now: those of the options, resolv.conf and the environment.
    ///
    /// Reads options and perhaps the file, so it is for threads that may call the host. The result
    /// may be used on any thread of the process, for as long as it is fresh enough for its user.
    #[must_use]
    pub fn current() -> Self {
        current()
    }

    /// True when a module has swapped the search function (`load_dnsfunc()`): only threads of the
    /// host may ask then, with [`query_all`](super::query_all).
    #[must_use]
    pub fn is_swapped(&self) -> bool {
        self.swapped
    }

    fn without_servers() -> Self {
        Self {
            swapped: false,
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            timeout_ms: 1000,
            attempts: 1,
            use_vc: false,
            trust_ad: false,
            no_tld_query: false,
            no_aaaa: false,
        }
    }
}

impl FromFile {
    fn read(path: &Path, stamp: Option<Stamp>) -> Self {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) => {
                // As libc: no file means a server on this host.
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
        servers.truncate(MAX_SERVERS);
        if servers.is_empty() {
            servers.push((Ipv4Addr::LOCALHOST, DNS_PORT).into());
        }
        Self {
            stamp,
            search: search_of(&config),
            config,
            servers,
        }
    }
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
                Some(scope) => scope
                    .parse()
                    .ok()
                    .or_else(|| transport::interface_index(scope))?,
            };
            Some(SocketAddrV6::new(*ip, DNS_PORT, 0, scope_id).into())
        }
    }
}

/// Reads the text of a resolv.conf; for the fuzzer. Returns the number of servers.
#[doc(hidden)]
#[must_use]
pub fn parse_for_tests(text: &[u8]) -> usize {
    FromFile::parse(text.to_vec(), None, None, None)
        .servers
        .len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> FromFile {
        FromFile::parse(text.as_bytes().to_vec(), None, None, None)
    }

    fn domains(file: &FromFile) -> Vec<String> {
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
        let file = FromFile::parse(
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
