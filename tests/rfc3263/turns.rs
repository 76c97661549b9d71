//! Calls one after the other, each of which has its turn.

use std::net::IpAddr;
use std::sync::Arc;

use kamailio_dns::host::options;

use super::case::{Case, SERVER};
use super::model::{Selection, in_turn};
use super::ways::{self, Hostent, Manner};
use crate::support::children::{self, SharedNumbers};
use crate::support::network::Network;

/// Calls that are made of each kind.
const CALLS: usize = 7;

/// Follows the calls for the one name of a case through all ways; `next` is the number of the first, `None` = any. Gives
/// the number that is next.
pub fn follow(case: &Case, next: Option<usize>) -> usize {
    let network = Network::default();
    let zone = Arc::new(case.zone.clone());
    network.script(SERVER, move |query, _| zone.reply(query));
    let expected = case.model().select(&case.request);
    network.run(|| {
        let next = walks(case, &expected, next);
        let next = explained(case, &expected, next);
        let next = in_a_child(case, &expected, next);
        let next = first_addresses(case, &expected, next);
        past_cache(case, &expected, next)
    })
}

/// The number of the call that gave this list.
fn number_of(expected: &Selection, list: &[(IpAddr, u16, u8)]) -> usize {
    let mut numbers = 0..expected.turns();
    let number = numbers.find(|number| expected.list_in_turn(*number) == list);
    number.unwrap_or_else(|| panic!("no call has {list:?} on its turn"))
}

fn walk(case: &Case, expected: &Selection) -> usize {
    let manners = Manner::all(None);
    let (list, _) = ways::walk(&case.request, manners[0]);
    number_of(expected, &list)
}

fn walks(case: &Case, expected: &Selection, next: Option<usize>) -> usize {
    let mut next = next.unwrap_or_else(|| walk(case, expected) + 1);
    for _ in 0..CALLS {
        assert_eq!(walk(case, expected), next % expected.turns(), "a walk");
        next += 1;
    }
    next
}

/// Explaining shows what the next call will do, and is none itself.
fn explained(case: &Case, expected: &Selection, next: usize) -> usize {
    for _ in 0..2 {
        let list = ways::explain(&case.request).targets;
        let number = number_of(expected, &list);
        assert_eq!(number, next % expected.turns(), "explain");
    }
    walks(case, expected, Some(next))
}

fn in_a_child(case: &Case, expected: &Selection, next: usize) -> usize {
    let numbers = SharedNumbers::new();
    let child = children::spawn(|| numbers.put(0, walk(case, expected) as u32));
    assert_eq!(children::wait(child), 0);
    let seen = numbers.get(0) as usize;
    assert_eq!(seen, next % expected.turns(), "another process");
    next + 1
}

/// The functions that give one family.
fn first_addresses(case: &Case, expected: &Selection, mut next: usize) -> usize {
    let (host, _) = expected.first().expect("a host");
    let family = &host.families[0];
    let Case { request, .. } = case;
    let (owner, flags) = (&request.host, request.flags);
    for _ in 0..CALLS {
        let mut due = |what: &str, seen: Vec<IpAddr>| {
            let list = in_turn(family, next);
            assert_eq!(seen, list[..seen.len().max(1)], "{what}");
            next += 1;
        };
        let (one, all) = ways::host_get(owner, flags);
        due("dns_get_ip", one.into_iter().collect());
        due("dns_get_he", all);
        for function in Hostent::ALL {
            let found = ways::hostent(request, function, false);
            due(&format!("{function:?}"), found.expect("a host").0);
        }
        let one = ways::hostport(request).map(|target| target.0);
        due("sip_hostport2su", one.into_iter().collect());
    }
    next
}

fn past_cache(case: &Case, expected: &Selection, mut next: usize) -> usize {
    let (host, _) = expected.first().expect("a host");
    options::set("use_dns_cache", "0").expect("an option");
    for _ in 0..CALLS {
        for function in Hostent::ALL {
            let found = ways::hostent(&case.request, function, true);
            let list = in_turn(&host.families[0], next);
            assert_eq!(
                found.expect("a host").0,
                list,
                "past the cache {function:?}"
            );
            next += 1;
        }
    }
    options::set("use_dns_cache", "1").expect("an option");
    next
}
