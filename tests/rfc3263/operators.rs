//! Sets that an operator put together: their records end one by one, and the time of some is over.
#![allow(unsafe_code, reason = "calls the C interface")]

use std::ffi::c_int;
use std::net::IpAddr;

use kamailio_dns::ffi::cache::dns_cache_add_record;
use kamailio_dns::ffi::types::_str;
use kamailio_dns::rr::RecordType;

use super::allowed::is_allowed;
use super::draw::Draw;
use super::model::Model;
use super::policy::{IPV4_ONLY, Policy, Request, UDP};
use super::ways::{self, Hostent, Manner};
use super::zone::{Data, RrSet, Srv, State, Zone};
use crate::support::wire::{A, SRV};

/// What lives shortly, and what lives on, s.
pub const SHORT: u32 = 200;
const LONG: u32 = 600;
/// Hosts of a domain.
const HOSTS: u8 = 4;

/// A domain whose records an operator added.
#[derive(Clone, Debug)]
pub struct Edited {
    domain: String,
    /// Owner, data, life.
    records: Vec<(String, Data, u32)>,
}

fn life(draw: &mut Draw) -> u32 {
    if draw.percent(40) { SHORT } else { LONG }
}

impl Edited {
    pub fn random(seed: u64) -> Self {
        let mut draw = Draw::new(seed);
        let domain = format!("o{seed:x}.test");
        let mut records = Vec::new();
        for host in 0..HOSTS {
            for number in 0..draw.below(3) as u8 {
                let address = IpAddr::from([198, 51, 100, 10 * host + number]);
                let owner = format!("h{host}.{domain}");
                records.push((owner, Data::Address(address), life(&mut draw)));
            }
        }
        let count = 1 + draw.below(usize::from(HOSTS)) as u16;
        for number in 0..count {
            let srv = Srv {
                // No two are equal, so that their order is known.
                priority: draw.below(2) as u16,
                weight: 10 - number,
                port: if draw.percent(8) { 0 } else { 5000 + number },
                // To the functions that edit a set, a record with the same target is the same.
                target: format!("h{number}.{domain}"),
            };
            let owner = format!("_sip._udp.{domain}");
            records.push((owner, Data::Srv(srv), life(&mut draw)));
        }
        Self { domain, records }
    }

    /// Adds the records as an operator does.
    pub fn add(&self) {
        for (owner, data, life) in &self.records {
            let (rtype, value, srv) = match data {
                Data::Address(address) => (A, address.to_string(), None),
                Data::Srv(srv) => (SRV, srv.target.clone(), Some(srv)),
                other => panic!("{other}"),
            };
            let number = |get: fn(&Srv) -> u16| srv.map_or(0, |srv| c_int::from(get(srv)));
            let text = |text: &str| _str {
                s: text.as_ptr().cast_mut().cast(),
                len: text.len() as c_int,
            };
            let (mut name, mut value) = (text(owner), text(&value));
            // SAFETY: texts of this function.
            let rc = unsafe {
                dns_cache_add_record(
                    rtype,
                    &raw mut name,
                    *life as c_int,
                    &raw mut value,
                    number(|srv| srv.priority),
                    number(|srv| srv.weight),
                    number(|srv| srv.port),
                    0,
                )
            };
            assert_eq!(rc, 0, "{owner} {data} {:?}", RecordType(rtype));
        }
    }

    /// The zone of the records that live longer than this, s.
    fn zone(&self, age: u32) -> Zone {
        let mut zone = Zone {
            domain: self.domain.clone(),
            sets: Vec::new(),
            additional: false,
            chases: true,
        };
        for (owner, data, life) in self.records.iter().filter(|record| record.2 > age) {
            let rtype = if matches!(data, Data::Srv(_)) { SRV } else { A };
            let same = |set: &&mut RrSet| set.owner == *owner && set.rtype == rtype;
            match zone.sets.iter_mut().find(same).map(|set| &mut set.state) {
                Some(State::Present(records)) => records.push(data.clone()),
                _ => zone.sets.push(RrSet {
                    owner: owner.clone(),
                    rtype,
                    ttl: *life,
                    state: State::Present(vec![data.clone()]),
                }),
            }
        }
        zone
    }

    /// Every way that differs from the model with the records that live longer than this.
    pub fn check(&self, age: u32) -> Vec<String> {
        let zone = self.zone(age);
        let policy = Policy::usual();
        let model = Model::new(&zone, &policy);
        let request = Request {
            host: self.domain.clone(),
            port: 0,
            transport: UDP,
            sips: false,
            flags: IPV4_ONLY,
        };
        let selection = model.select(&request);
        let owner = format!("_sip._udp.{}", self.domain);
        let host = model.srv_host(&owner, IPV4_ONLY);
        let mut different = Vec::new();
        let mut check = |way: &str, fine: bool, seen: String| {
            if !fine {
                let expected = selection.list();
                different.push(format!(
                    "{way}: {seen}, expected {expected:?}\n{zone}; {:?}",
                    self.records
                ));
            }
        };
        for manner in Manner::all(None) {
            let (list, code) = ways::walk(&request, manner);
            let fine = is_allowed(&selection, &list) && code == selection.code;
            check("walk", fine, format!("{list:?} {code} {manner:?}"));
        }
        let explained = ways::explain(&request);
        let fine = is_allowed(&selection, &explained.targets);
        check("explain", fine, explained.text);
        // Which of several addresses is first an operator does not say.
        let same = |(list, port): &(Vec<IpAddr>, u16)| {
            let mut list = list.clone();
            list.sort_unstable();
            host.as_ref()
                .is_some_and(|host| (&list, *port) == (&sorted(&host.families[0]), host.port))
        };
        let none = |found: bool| !found && host.is_none();
        for function in [Hostent::Configured, Hostent::List, Hostent::Srv] {
            let found = ways::hostent(&request, function, false);
            let fine = match &found {
                Some((list, port, UDP)) => same(&(list.clone(), *port)),
                found => none(found.is_some()),
            };
            check("hostent", fine, format!("{found:?} {function:?}"));
        }
        let (one, all) = ways::srv_get(&owner, IPV4_ONLY);
        let fine = match &one {
            Some((address, port)) => host
                .as_ref()
                .is_some_and(|host| host.families[0].contains(address) && host.port == *port),
            None => host.is_none(),
        };
        check("dns_srv_get_ip", fine, format!("{one:?}"));
        let fine = all.as_ref().map_or(host.is_none(), same);
        check("dns_srv_get_he", fine, format!("{all:?}"));
        for number in 0..HOSTS {
            let name = format!("h{number}.{}", self.domain);
            let expected = model.address_host(&name, IPV4_ONLY);
            let expected = expected.map_or_else(Vec::new, |host| host.families[0].clone());
            let (one, all) = ways::host_get(&name, IPV4_ONLY);
            let fine = match one {
                Some(address) => expected.contains(&address),
                None => expected.is_empty(),
            };
            check("dns_get_ip", fine, format!("{name} {one:?}"));
            check(
                "dns_get_he",
                sorted(&all) == sorted(&expected),
                format!("{name} {all:?}"),
            );
        }
        different
    }
}

fn sorted(list: &[IpAddr]) -> Vec<IpAddr> {
    let mut list = list.to_vec();
    list.sort_unstable();
    list
}
