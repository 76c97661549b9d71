//! Whole answers copied out of the cache without a reference: a host with its addresses, an SRV target.

#[cfg(feature = "testing")]
use std::net::IpAddr;

use crate::rr::{MAX_NAME_OCTETS, PlainIp, RecordType};
use crate::shm::mutation::{Mutation, seeded};

use super::read::nothing_to_read;
use super::view::View;
use super::{Cache, HashedName, Seen, layout};

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

    /// The same as values.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn list(&self) -> Vec<IpAddr> {
        let octets = self.octets.iter().take(self.count.into());
        octets
            .map(|octets| match (self.ipv6, octets) {
                (false, [a, b, c, d, ..]) => [*a, *b, *c, *d].into(),
                (true, octets) => (*octets).into(),
            })
            .collect()
    }

    /// Enters a host with a single IPv4 address; false when the name is too long.
    #[inline]
    pub fn set_single(&mut self, name: &[u8], address: u32) -> bool {
        let Some((place, [nul, ..])) = self.name.split_at_mut_checked(name.len()) else {
            return false;
        };
        place.copy_from_slice(name);
        *nul = 0;
        self.name_len = name.len() as u8;
        self.count = 0;
        self.push(PlainIp::v4(address))
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

/// Words of an SRV record from its port on: port, length octet, target.
type SrvWords = [[u8; 4]; SRV_WORDS];

const SRV_WORDS: usize = (SRV_HEAD + MAX_NAME_OCTETS).div_ceil(4);

/// Octets before the target there.
const SRV_HEAD: usize = 3;

impl Cache {
    /// Copies a host's addresses of one type (A or AAAA) and its name as the cache spells it.
    ///
    /// `Found` when there is at least one live one; `Miss` also when all records but not the entry are expired.
    pub fn copy_host(
        &self,
        qname: &HashedName<'_>,
        qtype: RecordType,
        now: u32,
        out: &mut HostCopy,
    ) -> Seen<()> {
        self.see(qname, qtype, now, |view| {
            if let Some(seen) = nothing_to_read(view, now) {
                return seen;
            }
            // A disturbed attempt starts over.
            if !seeded(Mutation::CopyGoesOn) {
                out.count = 0;
            }
            out.name_len = view.copy_name(&mut out.name);
            for index in 0..view.count() {
                if !view.address(index, now).is_none_or(|a| out.push(a)) {
                    break;
                }
            }
            if out.count == 0 {
                Seen::Miss
            } else {
                Seen::Found(())
            }
        })
    }

    /// Offers port and target of the SRV record that comes first in stored order, if it is live. The target is empty
    /// for a record that leads nowhere: the root, or no port.
    ///
    /// The copy stays where it is made: moving it on at once would cost more than making it, for processors
    /// wait when they load more at a time than they have just stored.
    #[inline]
    pub fn with_first_srv<T>(
        &self,
        qname: &HashedName<'_>,
        now: u32,
        found: impl FnOnce(u16, &HashedName<'_>) -> T,
    ) -> Option<T> {
        let mut words: SrvWords = [[0; 4]; SRV_WORDS];
        let seen = self.look(qname, RecordType::SRV, |view| {
            // The entry lives as long as the longest of its records.
            let live = !view.is_negative() && view.is_record_0_live(now);
            (live && !view.stamp(now)).then(|| view.copy_srv(&mut words))
        });
        let (port, length, hash) = seen.flatten()?;
        let target = words
            .as_flattened()
            .get(SRV_HEAD..SRV_HEAD + usize::from(length))?;
        Some(found(port, &HashedName::with_kept_hash(target, hash)))
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

    /// Copies record 0 of an SRV entry from its port on; gives the port, the octets of the target and its hash.
    fn copy_srv(&self, out: &mut SrvWords) -> (u16, u8, u32) {
        let from = layout::first_data(usize::from(self.name_len())) + 4;
        let head = self.data(from);
        let [first, second, length, _] = head.to_ne_bytes();
        let words = (SRV_HEAD + usize::from(length)).div_ceil(4);
        for (word, place) in out.iter_mut().enumerate().take(words) {
            *place = self.data(from + 4 * word).to_ne_bytes();
        }
        let port = u16::from_ne_bytes([first, second]);
        // Without port it is no record of use.
        let length = if port == 0 { 0 } else { length };
        (port, length, self.word(layout::RR_LINK))
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::set::Set;
    use super::*;
    use crate::rr::{Name, RData, Srv};

    const NOW: u32 = 77;

    fn put(cache: &Cache, name: &[u8], rtype: RecordType, records: &[RData]) {
        let set = Set::of(name, rtype).records(60, records);
        set.put(cache, NOW).unwrap();
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
            assert_eq!(probe, Seen::Found(()));
            assert_eq!(copy.name_with_nul(), [&name[..], &[0]].concat());
            assert_eq!(
                copy.addresses().len(),
                addresses.len().min(HostCopy::CAPACITY)
            );
            assert!(!copy.is_ipv6());
        }
        let nothing = cache.copy_host(&cache.hashed(b"y"), RecordType::A, NOW, &mut copy);
        assert_eq!(nothing, Seen::Miss);
    }

    #[test]
    fn a_single_host_takes_the_place_of_what_was_there() {
        let mut copy = HostCopy::EMPTY;
        for length in (0..=MAX_NAME_OCTETS).rev() {
            let name = vec![b'n'; length];
            assert!(copy.set_single(&name, u32::from_ne_bytes([192, 0, 2, 1])));
            assert_eq!(copy.name_with_nul(), [&name[..], &[0]].concat());
            assert_eq!(copy.addresses().len(), 1);
            assert_eq!(copy.addresses()[0][..4], [192, 0, 2, 1]);
        }
        assert!(!copy.set_single(&[b'n'; MAX_NAME_OCTETS + 1], 7));
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
            let qname = cache.hashed(b"_SIP._udp.x");
            let seen = cache.with_first_srv(&qname, NOW, |port, found| {
                assert_eq!(*found, cache.hashed(found.name()));
                (port, found.name().to_vec())
            });
            assert_eq!(seen, Some((length as u16 + 5000, target)));
        }
        let over = crate::host::clock::after_seconds(NOW, 60);
        assert!(
            cache
                .with_first_srv(&cache.hashed(b"_sip._udp.x"), over, |_, _| ())
                .is_none()
        );
    }

    #[test]
    fn addresses_of_both_families_are_copied() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let address = std::net::Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 3, 4, 5, 6);
        put(cache, b"x", RecordType::A, &[RData::A(Ipv4Addr::LOCALHOST)]);
        put(cache, b"x", RecordType::AAAA, &[RData::Aaaa(address)]);
        let mut copy = HostCopy::EMPTY;
        for (qtype, wanted) in [
            (RecordType::AAAA, IpAddr::V6(address)),
            (RecordType::A, IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ] {
            let seen = cache.copy_host(&cache.hashed(b"X"), qtype, NOW, &mut copy);
            assert_eq!((seen, copy.list()), (Seen::Found(()), vec![wanted]));
            assert_eq!(copy.is_ipv6(), wanted.is_ipv6());
        }
    }
}
