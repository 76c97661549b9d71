//! A process that lives on while options change in another, and asks as a C program does: with the request flags that the
//! variable `dns_flags` shows before the call.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use kamailio_dns::host::vars::dns_flags;

use super::case::{Case, SERVER};
use super::policy::{IPV4_ONLY, IPV6_FIRST, IPV6_ONLY, Request, SRV_LB, TRY_NAPTR};
use super::ways::{self, Hostent, Manner};
use crate::support::children::{self, SharedNumbers};
use crate::support::network::Network;

/// Numbers that both processes see: rounds begun and ended, and what was found.
const BEGUN: usize = 0;
const ENDED: usize = 1;
const FOUND: usize = 2;

/// How a worker asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// It walks, and names `dns_flags` in each call.
    Walk,
    /// It reads `dns_flags` before a walk, and keeps them to its end.
    WalkWithOneReading,
    /// By a function that gives a `struct hostent`.
    Hostent,
}

impl Asking {
    pub const ALL: [Self; 3] = [Self::Walk, Self::WalkWithOneReading, Self::Hostent];
}

/// The worker.
pub struct Worker {
    numbers: SharedNumbers,
    child: libc::pid_t,
    rounds: u32,
}

/// How a list of targets is written in a number: the count, and the family and transport of the first.
pub fn digest(list: &[(IpAddr, u16, u8)]) -> u32 {
    list.first().map_or(0, |(address, _, transport)| {
        list.len() as u32 * 100 + u32::from(address.is_ipv6()) * 10 + u32::from(*transport)
    })
}

impl Worker {
    /// Starts it; it answers so many rounds.
    pub fn start(case: &Case, asking: Asking, rounds: u32) -> Self {
        let numbers = SharedNumbers::new();
        let child = children::spawn(|| {
            let network = Network::default();
            let zone = Arc::new(case.zone.clone());
            network.script(SERVER, move |query, _| zone.reply(query));
            for round in 1..=rounds {
                numbers.wait_for(BEGUN, round);
                let now = || dns_flags.load(Ordering::Relaxed) as u32;
                let before = now();
                let kept = || before;
                let flags: &dyn Fn() -> u32 = match asking {
                    Asking::WalkWithOneReading => &kept,
                    _ => &now,
                };
                let list = network.run(|| match asking {
                    Asking::Hostent => first_of_hostent(&case.request),
                    _ => ways::walk_with(&case.request, Manner::all(None)[0], flags).0,
                });
                numbers.put(FOUND, digest(&list));
                numbers.add(ENDED, 1);
            }
        });
        Self {
            numbers,
            child,
            rounds: 0,
        }
    }

    /// What the worker finds now.
    pub fn round(&mut self) -> u32 {
        self.rounds += 1;
        self.numbers.add(BEGUN, 1);
        self.numbers.wait_for(ENDED, self.rounds);
        self.numbers.get(FOUND)
    }

    /// After its last round.
    pub fn end(self) {
        children::all_end_well(vec![self.child]);
    }
}

fn first_of_hostent(request: &Request) -> Vec<(IpAddr, u16, u8)> {
    let found = ways::hostent(request, Hostent::Configured, false);
    let (list, port, transport) = found.unwrap_or_default();
    list.iter()
        .map(|address| (*address, port, transport))
        .collect()
}

/// Options, and the request flags that follow from them.
pub fn changes() -> Vec<(&'static str, &'static str, u32)> {
    vec![
        ("dns_cache_flags", "1", IPV4_ONLY),
        ("dns_cache_flags", "2", IPV6_ONLY),
        ("dns_try_naptr", "1", IPV6_ONLY | TRY_NAPTR),
        ("dns_cache_flags", "4", IPV6_FIRST | TRY_NAPTR),
        ("dns_try_ipv6", "0", IPV4_ONLY | TRY_NAPTR),
        ("dns_srv_lb", "1", IPV4_ONLY | TRY_NAPTR | SRV_LB),
        ("dns_srv_lb", "0", IPV4_ONLY | TRY_NAPTR),
        ("dns_try_naptr", "0", IPV4_ONLY),
        ("dns_try_ipv6", "1", IPV6_FIRST),
        ("dns_cache_flags", "0", 0),
    ]
}
