//! Whole answers copied out of the cache without a reference: a host with its addresses, an SRV target.

use crate::rr::{MAX_NAME_OCTETS, PlainIp, RecordType};

use super::view::View;
use super::{Cache, HashedName, Probe, layout};

/// A host and its addresses, all of one family, in memory of the caller's.
#[derive(Clone, Debug)]
pub struct HostCopy {
    /// Canonical name and a NUL.
    name: [u8; MAX_NAME_OCTETS + 1],
    name_len: u8,
    ipv6: bool,
    count: u8,
    octets: [[u8; 16]; Self::CAPACITY],
}

impl HostCopy {
    /// Addresses that one copy holds; further ones are left out.
    pub const CAPACITY: usize = 10;

    /// Nothing.
    pub const EMPTY: Self = Self {
        name: [0; MAX_NAME_OCTETS + 1],
        name_len: 0,
        ipv6: false,
        count: 0,
        octets: [[0; 16]; Self::CAPACITY],
    };

    /// The name with its NUL.
    pub fn name_with_nul(&mut self) -> &mut [u8] {
        let end = usize::from(self.name_len) + 1;
        self.name.get_mut(..end).unwrap_or_default()
    }

    /// True when the addresses are IPv6.
    #[must_use]
    pub fn is_ipv6(&self) -> bool {
        self.ipv6
    }

    /// The addresses in network order; of IPv4 the first four octets count.
    pub fn addresses(&mut self) -> &mut [[u8; 16]] {
        self.octets
            .get_mut(..usize::from(self.count))
            .unwrap_or_default()
    }

    fn push(&mut self, address: PlainIp) -> bool {
        let Some(place) = self.octets.get_mut(usize::from(self.count)) else {
            return false;
        };
        *place = address.octets();
        self.ipv6 = address.ipv6;
        self.count += 1;
        true
    }
}

/// Where an SRV record leads.
#[derive(Clone, Copy, Debug)]
pub struct SrvCopy {
    /// The words of the record from its port on: port, length octet, target.
    octets: [u8; Self::OCTETS],
}

impl SrvCopy {
    /// Before the target.
    const HEAD: usize = 3;
    const OCTETS: usize = (Self::HEAD + MAX_NAME_OCTETS).next_multiple_of(4);

    /// Port of the target.
    #[must_use]
    pub fn port(&self) -> u16 {
        u16::from_ne_bytes([self.octets[0], self.octets[1]])
    }

    /// Name of the target; empty for the root.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        let end = Self::HEAD + usize::from(self.octets[2]);
        self.octets.get(Self::HEAD..end).unwrap_or_default()
    }
}

impl Cache {
    /// Copies a host's addresses of one type (A or AAAA) and its name as the cache spells it.
    ///
    /// `Addresses` when there is at least one live one. `Miss` and `Alias` as for
    /// [`Self::copy_addresses`], `Miss` also when all records but not the entry are expired.
    pub fn copy_host(
        &self,
        qname: &HashedName<'_>,
        qtype: RecordType,
        now: u32,
        out: &mut HostCopy,
    ) -> Probe {
        let seen = self.look(qname, qtype, |view| {
            if view.is_expired(now) {
                return Probe::Miss;
            }
            view.stamp(now);
            if view.is_negative() {
                return Probe::Negative(view.negative_kind());
            }
            // A disturbed attempt starts over.
            out.count = 0;
            out.name_len = view.copy_name(&mut out.name);
            for index in 0..view.count() {
                if !view.address(index, now).is_none_or(|a| out.push(a)) {
                    break;
                }
            }
            if out.count == 0 {
                Probe::Miss
            } else {
                Probe::Addresses
            }
        });
        match seen {
            Some(probe) if probe != Probe::Miss => probe,
            _ if self.alias_exists(qname, now) => Probe::Alias,
            _ => Probe::Miss,
        }
    }

    /// The SRV record that comes first in stored order, if it is live.
    #[must_use]
    pub fn first_srv(&self, qname: &HashedName<'_>, now: u32) -> Option<SrvCopy> {
        let mut copy = SrvCopy {
            octets: [0; SrvCopy::OCTETS],
        };
        let seen = self.look(qname, RecordType::SRV, |view| {
            let live = !view.is_expired(now) && !view.is_negative() && view.is_record_0_live(now);
            if live {
                view.stamp(now);
                view.copy_srv(&mut copy.octets);
            }
            live
        });
        (seen == Some(true)).then_some(copy)
    }
}

impl View {
    /// Copies the name with the NUL behind it; gives its length.
    fn copy_name(&self, out: &mut [u8; MAX_NAME_OCTETS + 1]) -> u8 {
        let length = self.name_len();
        for (word, chunk) in (0..=usize::from(length) / 4).zip(out.as_chunks_mut::<4>().0) {
            *chunk = self.data(layout::NAME + 4 * word).to_ne_bytes();
        }
        length
    }

    /// Copies record 0 of an SRV entry from its port on.
    fn copy_srv(&self, out: &mut [u8; SrvCopy::OCTETS]) {
        let from = layout::first_data(usize::from(self.name_len())) + 4;
        let head = self.data(from).to_ne_bytes();
        let words = (SrvCopy::HEAD + usize::from(head[2])).div_ceil(4);
        for (word, chunk) in (0..words).zip(out.as_chunks_mut::<4>().0) {
            *chunk = self.data(from + 4 * word).to_ne_bytes();
        }
        // What was read again may have changed meanwhile; the length must fit what was copied.
        out[2] = head[2];
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::{Conflict, Draft, DraftData, DraftRecord};
    use super::*;
    use crate::rr::{Name, RData, Srv};

    const NOW: u32 = 77;

    fn put(cache: &Cache, name: &[u8], rtype: RecordType, records: &[RData]) {
        let records: Vec<_> = records
            .iter()
            .map(|rdata| DraftRecord { ttl: 60, rdata })
            .collect();
        let draft = Draft {
            name,
            rtype,
            data: DraftData::Records(&records),
            permanent: false,
            negative_ttl: 0,
        };
        cache.insert(&draft, Conflict::Replace, NOW).unwrap();
    }

    #[test]
    fn hosts_of_every_name_length() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let mut copy = HostCopy::EMPTY;
        for length in 1..=MAX_NAME_OCTETS {
            let name = vec![b'x'; length];
            let addresses: Vec<_> = (0..1 + length % 13)
                .map(|i| RData::A(Ipv4Addr::from(i as u32)))
                .collect();
            put(cache, &name, RecordType::A, &addresses);
            let asked = name.to_ascii_uppercase();
            let probe = cache.copy_host(&cache.hashed(&asked), RecordType::A, NOW, &mut copy);
            assert_eq!(probe, Probe::Addresses);
            assert_eq!(copy.name_with_nul(), [&name[..], &[0]].concat());
            assert_eq!(
                copy.addresses().len(),
                addresses.len().min(HostCopy::CAPACITY)
            );
            assert!(!copy.is_ipv6());
        }
        let nothing = cache.copy_host(&cache.hashed(b"y"), RecordType::A, NOW, &mut copy);
        assert_eq!(nothing, Probe::Miss);
    }

    #[test]
    fn srv_targets_of_every_length() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        for length in 0..=MAX_NAME_OCTETS {
            let target = vec![b't'; length];
            let srv = RData::Srv(Srv {
                priority: 3,
                weight: 4,
                port: length as u16 + 5000,
                target: Name::from_text(&target).unwrap(),
            });
            put(cache, b"_sip._udp.x", RecordType::SRV, &[srv]);
            let copy = cache.first_srv(&cache.hashed(b"_SIP._udp.x"), NOW).unwrap();
            assert_eq!(
                (copy.port(), copy.target()),
                (length as u16 + 5000, &target[..])
            );
        }
        let over = crate::host::clock::after_seconds(NOW, 60);
        assert!(
            cache
                .first_srv(&cache.hashed(b"_sip._udp.x"), over)
                .is_none()
        );
    }
}
