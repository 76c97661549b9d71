//! An address as plain words.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address in a form that costs nothing to hand on: a cached lookup copies it from shared memory to
/// its caller without taking it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainIp {
    /// IPv6, else IPv4.
    pub ipv6: bool,
    /// The octets in network order, four to a word as they stand in memory; IPv4 has one word, the
    /// others are 0.
    pub words: [u32; 4],
}

impl PlainIp {
    /// An IPv4 address.
    #[must_use]
    #[inline]
    pub fn v4(word: u32) -> Self {
        Self {
            ipv6: false,
            words: [word, 0, 0, 0],
        }
    }

    /// The octets, zeros behind those of an IPv4 address.
    #[must_use]
    #[inline]
    pub fn octets(&self) -> [u8; 16] {
        let mut octets = [0; 16];
        for (chunk, word) in octets.as_chunks_mut::<4>().0.iter_mut().zip(self.words) {
            *chunk = word.to_ne_bytes();
        }
        octets
    }
}

impl From<PlainIp> for IpAddr {
    #[inline]
    fn from(address: PlainIp) -> Self {
        if address.ipv6 {
            Self::V6(Ipv6Addr::from(address.octets()))
        } else {
            Self::V4(Ipv4Addr::from(address.words[0].to_ne_bytes()))
        }
    }
}

impl From<IpAddr> for PlainIp {
    #[inline]
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::v4(u32::from_ne_bytes(v4.octets())),
            IpAddr::V6(v6) => {
                let mut words = [0; 4];
                for (word, chunk) in words.iter_mut().zip(v6.octets().as_chunks::<4>().0) {
                    *word = u32::from_ne_bytes(*chunk);
                }
                Self { ipv6: true, words }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for text in ["192.0.2.7", "2001:db8::1:2", "::", "0.0.0.0"] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(IpAddr::from(PlainIp::from(address)), address);
        }
        let plain = PlainIp::from(IpAddr::from([1, 2, 3, 4]));
        assert_eq!(plain.octets()[..5], [1, 2, 3, 4, 0]);
    }
}
