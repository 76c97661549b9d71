//! Reads the resolver's settings: resolv.conf, the environment, the options.
//!
//! The files are looked at once a second (one `stat` each) and read again when they changed, whatever
//! the options say. Options go over what the file says and are compared at every lookup, so none of
//! them needs a reload. State belongs to one thread of one process.

use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::edns;
use super::hosts::Hosts;
use super::regular_file::{self, Stamp, Subject};
use super::resolv_conf::ResolvConf;
#[cfg(feature = "testing")]
pub use super::resolv_conf::parse_for_tests;
use super::servers::{self, Server};
use super::settings::{MAX_SERVERS, Settings, Values};
use crate::host::log::Level;
use crate::host::options::{self, ExtraOpt, Opt};
use crate::host::own_thread::{OfThread as _, OwnThread};
use crate::host::{StrOpt, clock, fork, hooks, random};

const DEFAULT_PATH: &str = "/etc/resolv.conf";
/// How long a file is taken to be unchanged, ms.
const LOOK_INTERVAL_MS: u64 = 1000;
/// Upper limits that glibc puts on values of the file; the options may go above.
const MAX_TIMEOUT_S: u32 = 30;
const MAX_ATTEMPTS: u32 = 5;
const MAX_NDOTS: u32 = 15;
/// No sum of waiting times overflows below this, in s.
const MAX_RETR_TIME_S: u32 = 86_400;

impl Settings {
    /// The settings of now: those of the options, resolv.conf and the environment.
    ///
    /// Reads options and perhaps the file, so it is for threads that may call the host. The result
    /// may be used on any thread of the process, for as long as it is fresh enough for its user.
    #[must_use]
    pub fn current() -> Self {
        STATE.with_borrow_mut(State::settings)
    }

    /// The file that is read as resolv.conf, and whether it could be read.
    #[must_use]
    pub fn file() -> (PathBuf, bool) {
        STATE.with_borrow_mut(|state| {
            state.refresh();
            let path = state.options.as_ref().map(|options| options.path.clone());
            let is_read = state.file.as_ref().is_some_and(|file| file.stamp.is_some());
            (path.unwrap_or_else(|| DEFAULT_PATH.into()), is_read)
        })
    }
}

/// Text options as they were read.
#[derive(Debug)]
struct FromOptions {
    generation: u32,
    path: PathBuf,
    hosts_path: Option<PathBuf>,
    servers: Vec<SocketAddr>,
    edns: edns::Policy,
}

/// Everything that values are made of besides the file and the text options; when any of it changes
/// they are made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inputs {
    options_generation: u32,
    numbers: [i32; 4],
    own: [u32; 3],
    swapped: bool,
}

impl Inputs {
    fn read() -> Self {
        Self {
            options_generation: options::generation(),
            numbers: [
                Opt::ServersNo,
                Opt::RetrTime,
                Opt::RetrNo,
                Opt::UseSearchList,
            ]
            .map(options::int),
            own: [
                ExtraOpt::ServerRetry,
                ExtraOpt::Cookies,
                ExtraOpt::RandomCase,
            ]
            .map(options::extra),
            swapped: hooks::swapped_search().is_some(),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    fork_generation: u32,
    reloads: u32,
    looks: u32,
    looked_ms: Option<u64>,
    options: Option<FromOptions>,
    file: Option<ResolvConf>,
    hosts: Option<(Option<Stamp>, Arc<Hosts>)>,
    made: Option<(Inputs, Arc<Values>)>,
    /// Which server goes first, with `options rotate`.
    turn: u32,
}

thread_local! {
    static STATE: OwnThread<State> = const { OwnThread::new() };
}

/// Number of calls of [`forget`], over all threads of the process.
static RELOADS: AtomicU32 = AtomicU32::new(0);
/// How often a test said `look_again`.
static LOOKS: AtomicU32 = AtomicU32::new(0);

/// The options name a hosts file.
static USES_HOSTS: AtomicBool = AtomicBool::new(false);

/// True when there is a hosts file (`dns_hosts_file`), as far as this process has seen the option.
#[inline]
#[must_use]
pub fn uses_hosts_file() -> bool {
    USES_HOSTS.load(Ordering::Relaxed)
}

/// True when the hosts file has the name, whatever its addresses.
#[must_use]
pub fn is_in_hosts_file(name: &[u8]) -> bool {
    let settings = Settings::current();
    let hosts = settings.values.hosts.as_ref();
    hosts.is_some_and(|hosts| hosts.has(name))
}

/// Takes a changed `dns_hosts_file` into account.
pub fn sync_hosts_file() {
    STATE.with_borrow_mut(State::refresh_options);
}

/// Makes every thread of this process read the file again.
pub(super) fn forget() {
    RELOADS.fetch_add(1, Ordering::Relaxed);
}

/// Makes every thread of this process look now whether a file has changed; for tests.
#[cfg(feature = "testing")]
pub fn look_again() {
    LOOKS.fetch_add(1, Ordering::Relaxed);
}

/// Calls `look` with the search list of now, whether or not `dns_use_search_list` is on.
pub(super) fn with_search_list<R>(look: impl FnOnce(&[Vec<u8>]) -> R) -> R {
    STATE.with_borrow_mut(|state| {
        state.refresh();
        look(state.file.as_ref().map_or(&[], |file| &file.search))
    })
}

/// The digest of the search list in force, the same in all processes; `None` = there is none, relative names are asked
/// as they are. Never 0 or 1.
#[must_use]
pub fn search_digest() -> Option<u64> {
    search_digest_within(LOOK_INTERVAL_MS)
}

/// As [`search_digest`], by files that were looked at no longer ago than that.
#[must_use]
pub fn search_digest_within(ms: u64) -> Option<u64> {
    if !options::on(Opt::UseSearchList) {
        return None;
    }
    STATE.with_borrow_mut(|state| {
        state.refresh_within(ms.min(LOOK_INTERVAL_MS));
        state.file.as_ref()?.search_digest
    })
}

impl State {
    fn refresh(&mut self) {
        self.refresh_within(LOOK_INTERVAL_MS);
    }

    /// Reads anew what has changed; files were looked at no longer ago than that.
    fn refresh_within(&mut self, ms: u64) {
        let fork_generation = fork::generation();
        let reloads = RELOADS.load(Ordering::Relaxed);
        if self.reloads != reloads {
            // The files are read anew. Until that succeeds what was read before counts.
            self.reloads = reloads;
            self.looked_ms = None;
            self.made = None;
            self.forget_stamps();
        }
        if self.fork_generation != fork_generation {
            // A child may not be allowed to read what its parent read.
            self.fork_generation = fork_generation;
            self.looked_ms = None;
            self.turn = random::quick_u32();
        }
        self.refresh_options();
        let (now_ms, looks) = (clock::monotonic_coarse_ms(), LOOKS.load(Ordering::Relaxed));
        let fresh = |looked_ms| now_ms.saturating_sub(looked_ms) < ms;
        if self.looks != looks || !self.looked_ms.is_some_and(fresh) {
            self.looks = looks;
            self.looked_ms = Some(now_ms);
            self.refresh_file();
            self.refresh_hosts();
        }
    }

    /// Makes the files and the text options be read anew.
    fn forget_stamps(&mut self) {
        if let Some(options) = &mut self.options {
            options.generation = options.generation.wrapping_sub(1);
        }
        if let Some(file) = &mut self.file {
            file.stamp = None;
            file.config.no_reload = false;
        }
        if let Some((stamp, _)) = &mut self.hosts {
            *stamp = None;
        }
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
        let path_of = |opt| {
            let text = options::text(opt);
            (!text.is_empty()).then(|| PathBuf::from(std::ffi::OsStr::from_bytes(&text)))
        };
        let path = path_of(StrOpt::ResolvConf).unwrap_or_else(|| DEFAULT_PATH.into());
        let hosts_path = path_of(StrOpt::HostsFile);
        let servers: Vec<SocketAddr> = String::from_utf8_lossy(&options::text(StrOpt::Nameservers))
            .split_whitespace()
            .filter_map(options::parse_server)
            .take(MAX_SERVERS)
            .collect();
        let fresh = FromOptions {
            generation,
            path,
            hosts_path,
            servers,
            edns: edns_policy(),
        };
        let old = self.options.as_ref();
        if old.is_none_or(|old| old.path != fresh.path) {
            self.file = None;
            self.looked_ms = None;
        }
        if old.is_none_or(|old| old.hosts_path != fresh.hosts_path) {
            self.hosts = None;
            self.looked_ms = None;
        }
        USES_HOSTS.store(fresh.hosts_path.is_some(), Ordering::Relaxed);
        self.options = Some(fresh);
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
        let known = self.file.as_ref();
        let servers_given = self.options.as_ref().is_some_and(|o| !o.servers.is_empty());
        let subject = Subject::ResolvConf;
        let fresh = match ResolvConf::read(path, stamp.clone()) {
            Ok(fresh) => {
                if known.is_some() && fresh.says_something {
                    // Whoever changed the file may have changed the servers, too.
                    servers::forget_abilities();
                }
                if fresh.names_server || servers_given || known.is_none() {
                    complain_of(&fresh, path);
                } else {
                    let what = "it names no server, those that were read before count";
                    say(subject, path, stamp.as_ref(), &what);
                }
                if fresh.names_server {
                    fresh
                } else {
                    without_servers(fresh, known)
                }
            }
            // Without the file there is a server on this host, as for libc, and that is nothing to speak of.
            Err(_) if stamp.is_none() && known.is_none() => ResolvConf::missing(stamp),
            Err(error) => {
                say(subject, path, stamp.as_ref(), &error);
                without_servers(ResolvConf::missing(stamp), known)
            }
        };
        self.file = Some(fresh);
        self.made = None;
    }

    fn refresh_hosts(&mut self) {
        let Some(path) = self.options.as_ref().and_then(|o| o.hosts_path.as_deref()) else {
            return;
        };
        let stamp = Stamp::of(path);
        if self.hosts.as_ref().is_some_and(|(of, _)| *of == stamp) {
            return;
        }
        trace!("reading {}", path.display());
        let hosts = match Hosts::read(path) {
            Ok((hosts, is_longer)) => {
                if is_longer {
                    let what = "too long, the rest is left out";
                    say(Subject::Hosts, path, stamp.as_ref(), &what);
                } else {
                    regular_file::forget_said(Subject::Hosts);
                }
                Arc::new(hosts)
            }
            Err(error) => {
                say(Subject::Hosts, path, stamp.as_ref(), &error);
                // A file that is gone has no names; a file that cannot be read may still have its names.
                let known = self.hosts.take().filter(|_| stamp.is_some());
                known.map_or_else(Default::default, |(_, hosts)| hosts)
            }
        };
        self.hosts = Some((stamp, hosts));
        self.made = None;
    }

    fn settings(&mut self) -> Settings {
        self.refresh();
        let inputs = Inputs::read();
        let values = match &self.made {
            Some((made_of, values)) if *made_of == inputs => Arc::clone(values),
            _ => {
                let values = Arc::new(self.make(inputs));
                self.made = Some((inputs, Arc::clone(&values)));
                values
            }
        };
        let mut first = 0;
        if values.rotate && !values.servers.is_empty() {
            first = self.turn as usize % values.servers.len();
            self.turn = self.turn.wrapping_add(1);
        }
        Settings { values, first }
    }

    fn make(&self, inputs: Inputs) -> Values {
        let [servers_no, retr_time, retr_no, use_search_list] = inputs.numbers;
        let [retry_s, cookies, random_case] = inputs.own;
        let file = self.file.as_ref();
        let config = file.map(|file| &file.config);
        let of_file = |file: &ResolvConf| file.servers.clone();
        let mut addresses = match &self.options {
            Some(options) if !options.servers.is_empty() => options.servers.clone(),
            _ => file.map_or_else(Vec::new, of_file),
        };
        if let Ok(limit) = usize::try_from(servers_no) {
            addresses.truncate(limit);
        }
        let timeout_s = positive(retr_time)
            .unwrap_or_else(|| config.map_or(1, |c| c.timeout).clamp(1, MAX_TIMEOUT_S));
        let attempts = positive(retr_no)
            .unwrap_or_else(|| config.map_or(1, |c| c.attempts).clamp(1, MAX_ATTEMPTS));
        let search = file.filter(|_| use_search_list != 0);
        Values {
            swapped: inputs.swapped,
            servers: addresses.into_iter().map(Server::at).collect(),
            rotate: config.is_some_and(|c| c.rotate),
            search: search.map_or_else(Vec::new, |file| file.search.clone()),
            search_digest: search.and_then(|file| file.search_digest),
            ndots: config.map_or(1, |c| c.ndots).min(MAX_NDOTS),
            timeout_ms: u64::from(timeout_s.min(MAX_RETR_TIME_S)) * 1000,
            attempts,
            retry_ms: u64::from(retry_s.max(1)) * 1000,
            use_vc: config.is_some_and(|c| c.use_vc),
            trust_ad: config.is_some_and(|c| c.trust_ad),
            no_tld_query: config.is_some_and(|c| c.no_tld_query),
            no_aaaa: config.is_some_and(|c| c.no_aaaa),
            edns: self
                .options
                .as_ref()
                .map_or_else(Default::default, |o| o.edns),
            cookies: cookies != 0,
            random_case: random_case != 0,
            hosts: self.hosts.as_ref().map(|(_, hosts)| Arc::clone(hosts)),
        }
    }
}

fn edns_policy() -> edns::Policy {
    let text = options::text(StrOpt::Edns);
    edns::Policy::of_text(&text).unwrap_or_else(|| {
        let text = text.escape_ascii();
        crate::log!(
            Level::Warn,
            "dns_edns: not auto, yes or no: {text}; auto counts"
        );
        edns::Policy::Auto
    })
}

/// The configuration in force while the file names no server: its writer may not be done, or the file cannot be read
/// any more. The last good list of servers stays; where the file says nothing at all, all that was read before stays.
fn without_servers(fresh: ResolvConf, known: Option<&ResolvConf>) -> ResolvConf {
    let Some(known) = known else {
        return fresh;
    };
    if fresh.says_something {
        return ResolvConf {
            servers: known.servers.clone(),
            ..fresh
        };
    }
    ResolvConf {
        stamp: fresh.stamp,
        ..known.clone()
    }
}

/// Says, once for all processes, what is wrong with a file.
fn say(subject: Subject, path: &Path, stamp: Option<&Stamp>, what: &dyn std::fmt::Display) {
    if regular_file::may_say(subject, stamp) {
        let path = path.display();
        crate::log!(Level::Warn, "{path}: {what}");
    }
}

/// Says, once for all processes, which lines are not understood.
fn complain_of(file: &ResolvConf, path: &Path) {
    if file.complaints.is_empty() {
        return regular_file::forget_said(Subject::ResolvConf);
    }
    if regular_file::may_say(Subject::ResolvConf, file.stamp.as_ref()) {
        for complaint in &file.complaints {
            crate::log!(Level::Warn, "{}: {complaint}", path.display());
        }
    }
}

/// Reads the files before the host forks and gives up its privileges: afterwards they may not be readable.
pub(super) fn prepare() {
    regular_file::prepare();
    STATE.with_borrow_mut(State::refresh);
}

fn positive(value: i32) -> Option<u32> {
    u32::try_from(value).ok().filter(|&v| v > 0)
}
