//! The settings of a lookup: whom to ask, how long, which names. [`super::config`] reads them.

use std::ffi::CStr;
use std::net::SocketAddr;
use std::sync::Arc;

use super::edns;
use super::hosts::Hosts;
use super::servers::Server;

/// Servers used of `dns_nameservers`, and so at most in all.
pub(super) const MAX_SERVERS: usize = 16;
/// The usual time of a server whose times were not measured yet, ms.
pub(super) const FIRST_USUAL_MS: u64 = 300;
/// Least and greatest time that counts as usual, ms: a server that knows an answer takes less than one that has to ask.
const USUAL_MS: std::ops::RangeInclusive<u64> = 200..=1800;

/// The settings of a lookup: whom to ask, how long, which names. A copy, good for any thread.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) values: Arc<Values>,
    /// Number of the server that goes first, with `options rotate`.
    pub(super) first: usize,
}

impl Settings {
    /// The digest of the search list, see [`super::search_digest`].
    pub(super) fn search_digest(&self) -> Option<u64> {
        self.values.search_digest
    }

    /// The settings in force, in words.
    #[must_use]
    pub fn summary(&self) -> String {
        let listed = |items: Vec<String>| match items.is_empty() {
            true => "none".to_owned(),
            false => items.join(" "),
        };
        format!(
            "nameservers {}, search {}, timeout {} s, attempts {}",
            listed(self.server_texts()),
            listed(self.search_texts()),
            self.values.timeout_ms / 1000,
            self.values.attempts
        )
    }

    /// The servers in the order of the configuration, as text.
    #[must_use]
    pub fn server_texts(&self) -> Vec<String> {
        let servers = self.values.servers.iter();
        servers.map(|server| server.address.to_string()).collect()
    }

    /// The domains of the search list, escaped; the root is empty.
    #[must_use]
    pub fn search_texts(&self) -> Vec<String> {
        let domains = self.values.search.iter();
        domains
            .map(|domain| domain.escape_ascii().to_string())
            .collect()
    }

    /// The place of a server in the order of the configuration, from 0 on.
    #[must_use]
    pub fn place_of(&self, address: SocketAddr) -> Option<usize> {
        let mut servers = self.values.servers.iter();
        servers.position(|server| server.address == address)
    }

    /// For the server at a place in the order of the configuration: whether it is up, and its smoothed round trip time
    /// in µs (0 = never measured). `None` where there is no server.
    #[must_use]
    pub fn server_state(&self, place: usize) -> Option<(bool, u32)> {
        self.values.servers.get(place).map(Server::state)
    }

    /// The same for all servers in force.
    pub fn server_states(&self) -> impl Iterator<Item = (bool, u32)> + '_ {
        self.values.servers.iter().map(Server::state)
    }

    /// Numbers and switches, each with the name that it has in resolv.conf; the timeout in s.
    #[must_use]
    pub fn numbers(&self) -> [(&'static CStr, u64); 8] {
        let values = &self.values;
        [
            (c"ndots", values.ndots.into()),
            (c"timeout", values.timeout_ms / 1000),
            (c"attempts", values.attempts.into()),
            (c"rotate", values.rotate.into()),
            (c"use_vc", values.use_vc.into()),
            (c"trust_ad", values.trust_ad.into()),
            (c"no_tld_query", values.no_tld_query.into()),
            (c"no_aaaa", values.no_aaaa.into()),
        ]
    }

    /// True when a module has swapped the search function (`load_dnsfunc()`): only threads of the
    /// host may ask then, with [`query`](super::query).
    #[must_use]
    pub fn is_swapped(&self) -> bool {
        self.values.swapped
    }

    /// Number of servers.
    pub(super) fn server_count(&self) -> usize {
        self.values.servers.len()
    }

    /// The server with this place in the order in which they are asked.
    pub(super) fn server(&self, place: usize) -> Option<&Server> {
        let count = self.values.servers.len().max(1);
        self.values.servers.get((place + self.first) % count)
    }

    /// How long answers of the server that is asked first usually take at the utmost, ms.
    pub(super) fn usual_ms(&self) -> u64 {
        let mut servers = (0..self.server_count()).filter_map(|place| self.server(place));
        let first_up = servers.clone().find(|server| server.is_up());
        let usual_us = first_up
            .or_else(|| servers.next())
            .and_then(|s| s.usual_us());
        usual_us.map_or(FIRST_USUAL_MS, |us| {
            (us / 1000).clamp(*USUAL_MS.start(), *USUAL_MS.end())
        })
    }

    /// How long a question is waited for before it is left open, ms.
    pub(super) fn while_ms(&self) -> u64 {
        self.usual_ms().saturating_mul(2)
    }

    /// The longest that a question may take that no deadline ends, ms.
    pub(super) fn longest_ms(&self) -> u64 {
        self.values
            .timeout_ms
            .saturating_mul(u64::from(self.values.attempts))
            .saturating_mul((self.server_count() as u64).max(1))
    }

    /// False while no server answers, as far as is known.
    pub(super) fn is_any_server_up(&self) -> bool {
        let mut servers = (0..self.server_count()).filter_map(|place| self.server(place));
        servers.any(|server| server.is_up())
    }
}

/// Settings for as long as a question is under way: those of a caller who waits for it, or its own.
#[derive(Debug)]
pub(super) enum Held<'s> {
    Lent(&'s Settings),
    Owned(Settings),
}

impl std::ops::Deref for Held<'_> {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        match self {
            Self::Lent(settings) => settings,
            Self::Owned(settings) => settings,
        }
    }
}

impl<'s> From<&'s Settings> for Held<'s> {
    fn from(settings: &'s Settings) -> Self {
        Self::Lent(settings)
    }
}

impl From<Settings> for Held<'_> {
    fn from(settings: Settings) -> Self {
        Self::Owned(settings)
    }
}

/// The part of the settings that stays the same from lookup to lookup.
#[derive(Debug)]
pub(super) struct Values {
    /// A module swapped the search function: queries must go through it.
    pub(super) swapped: bool,
    /// Servers in the order of the configuration, at most [`MAX_SERVERS`]; may be none.
    pub(super) servers: Vec<Server>,
    /// Servers go first in turn.
    pub(super) rotate: bool,
    /// Domains to append, without trailing dot; an empty one is the root.
    pub(super) search: Vec<Vec<u8>>,
    /// Of what decides on the names that are asked for a relative one, see [`super::search_digest`].
    pub(super) search_digest: Option<u64>,
    /// Dots that make a name be tried as it is first.
    pub(super) ndots: u32,
    /// How long one server is waited for, ms; at least 1.
    pub(super) timeout_ms: u64,
    /// How often each server is asked; at least 1.
    pub(super) attempts: u32,
    /// How often a server that is down is tried, ms.
    pub(super) retry_ms: u64,
    /// Always use TCP.
    pub(super) use_vc: bool,
    /// Set AD in queries.
    pub(super) trust_ad: bool,
    /// Never ask for a single label as it is.
    pub(super) no_tld_query: bool,
    /// Answer AAAA questions with NODATA without asking.
    pub(super) no_aaaa: bool,
    /// Which queries have an OPT record.
    pub(super) edns: edns::Policy,
    /// Send DNS cookies.
    pub(super) cookies: bool,
    /// Ask with random letter case.
    pub(super) random_case: bool,
    /// The hosts file.
    pub(super) hosts: Option<Arc<Hosts>>,
}
