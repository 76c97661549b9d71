//! A hosts file (`dns_hosts_file`), as hosts(5) describes it: names that the DNS is not asked for.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use super::{Answer, Negative, regular_file};
use crate::rr::{CLASS_IN, MAX_NAME_OCTETS, Name, RData, Record, RecordType, is_host_name};

/// Octets read of a file; more are left out, with a line in the log.
const MAX_FILE_OCTETS: u64 = 16 << 20;
/// How long an answer may be cached, s: a change of the file is seen after that at the latest.
const TTL_S: u32 = 5;

/// The addresses of one name, in the order of the file.
#[derive(Debug, Default)]
struct Addresses {
    v4: Vec<Ipv4Addr>,
    v6: Vec<Ipv6Addr>,
}

/// A hosts file as it was read.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    /// By name, in lower case, without trailing dot.
    names: BTreeMap<Box<[u8]>, Addresses>,
}

impl Hosts {
    /// Reads the file; `true` when it is longer than what is read of it.
    ///
    /// # Errors
    /// As of [`regular_file::read`].
    pub(super) fn read(path: &Path) -> std::io::Result<(Self, bool)> {
        let (mut text, is_longer) = regular_file::read(path, MAX_FILE_OCTETS)?;
        if is_longer {
            // The last line may be half a line.
            let whole = text.iter().rposition(|&octet| octet == b'\n');
            text.truncate(whole.unwrap_or(0));
        }
        Ok((Self::parse(&text), is_longer))
    }

    /// Lines that cannot be read are left out, as libc does; the others count.
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut hosts = Self::default();
        for line in text.split(|&octet| octet == b'\n') {
            let line = line
                .split(|&octet| octet == b'#')
                .next()
                .unwrap_or_default();
            let mut words = line
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty());
            // An address with a scope is of no use to anybody but this host.
            let address = words
                .next()
                .and_then(|word| std::str::from_utf8(word).ok())
                .and_then(|word| word.parse().ok());
            if let Some(address) = address {
                words.for_each(|name| hosts.add(name, address));
            }
        }
        hosts
    }

    fn add(&mut self, name: &[u8], address: IpAddr) {
        let name = name.strip_suffix(b".").unwrap_or(name);
        if !is_host_name(name) || name.len() > MAX_NAME_OCTETS {
            return;
        }
        let addresses = self
            .names
            .entry(name.to_ascii_lowercase().into())
            .or_default();
        match address {
            IpAddr::V4(ip) if !addresses.v4.contains(&ip) => addresses.v4.push(ip),
            IpAddr::V6(ip) if !addresses.v6.contains(&ip) => addresses.v6.push(ip),
            _ => {}
        }
    }

    /// True when the file has the name. A final dot does not matter.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        let name = name.strip_suffix(b".").unwrap_or(name);
        let mut room = [0; MAX_NAME_OCTETS];
        let Some(key) = room.get_mut(..name.len()) else {
            return false;
        };
        key.copy_from_slice(name);
        key.make_ascii_lowercase();
        self.names.contains_key(&*key)
    }

    /// The answer to a question for addresses of a name that the file has: those of the family, or that
    /// there are none. `None` for other questions.
    pub(super) fn answer(&self, qname: &[u8], qtype: RecordType) -> Option<Answer> {
        if qtype != RecordType::A && qtype != RecordType::AAAA {
            return None;
        }
        let qname = Name::from_text(qname)?;
        let key = qname.as_bytes().to_ascii_lowercase();
        let addresses = self.names.get(key.as_slice())?;
        let record = |rdata| Record {
            owner: qname.clone(),
            rtype: qtype,
            class: CLASS_IN,
            ttl: TTL_S,
            rdata,
        };
        let answers: Vec<Record> = if qtype == RecordType::A {
            let all = addresses.v4.iter();
            all.map(|ip| record(RData::A(*ip))).collect()
        } else {
            let all = addresses.v6.iter();
            all.map(|ip| record(RData::Aaaa(*ip))).collect()
        };
        let negative = answers.is_empty().then_some(Negative {
            nxdomain: false,
            ttl: Some(TTL_S),
        });
        Some(Answer {
            qname,
            answers,
            additional: Vec::new(),
            negative,
        })
    }
}

/// Reads the text of a hosts file and asks it; for tests and the fuzzer. Returns the number of names and
/// the addresses of `name`, none if the file does not have it.
#[cfg(feature = "testing")]
#[must_use]
pub fn parse_for_tests(text: &[u8], name: &[u8]) -> (usize, Option<Vec<IpAddr>>) {
    let hosts = Hosts::parse(text);
    let mut found: Option<Vec<IpAddr>> = None;
    for qtype in [RecordType::A, RecordType::AAAA] {
        if let Some(answer) = hosts.answer(name, qtype) {
            let addresses = answer.answers.iter().filter_map(|r| match r.rdata {
                RData::A(ip) => Some(IpAddr::V4(ip)),
                RData::Aaaa(ip) => Some(IpAddr::V6(ip)),
                _ => None,
            });
            found.get_or_insert_default().extend(addresses);
        }
    }
    (hosts.names.len(), found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
        # comment\n\
        192.0.2.1\tsip.example.org sip SIP.lan. # the proxy\n\
        192.0.2.1 sip\n\
        192.0.2.2 sip\r\n\
        \t2001:db8::1   sip six\n\
        fe80::1%eth0 sip\n\
        not-an-address sip other\n\
        192.0.2.256 other\n\
        192.0.2.9 b\u{e4}d a/b good\n\
        192.0.2.7\n\
        192.0.2.8 last";

    fn addresses(name: &str) -> Option<Vec<String>> {
        let (_, found) = parse_for_tests(FILE.as_bytes(), name.as_bytes());
        found.map(|found| found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn names_and_aliases() {
        let all = ["192.0.2.1", "192.0.2.2", "2001:db8::1"];
        assert_eq!(addresses("sip").unwrap(), all);
        assert_eq!(addresses("Sip.").unwrap(), all);
        assert_eq!(addresses("SIP.example.ORG").unwrap(), ["192.0.2.1"]);
        assert_eq!(addresses("sip.lan").unwrap(), ["192.0.2.1"]);
        assert_eq!(addresses("six").unwrap(), ["2001:db8::1"]);
        assert_eq!(addresses("good").unwrap(), ["192.0.2.9"]);
        assert_eq!(addresses("last").unwrap(), ["192.0.2.8"]);
        for name in ["other", "example.org", "proxy", "comment", "a/b", ""] {
            assert_eq!(addresses(name), None, "{name}");
        }
    }

    #[test]
    fn a_family_that_is_missing_is_absent_and_other_types_are_not_known() {
        let hosts = Hosts::parse(FILE.as_bytes());
        let absent = hosts.answer(b"six", RecordType::A).unwrap();
        assert!(!absent.negative.unwrap().nxdomain);
        assert!(hosts.answer(b"six", RecordType::SRV).is_none());
        assert!(hosts.has(b"six") && hosts.has(b"Six.") && hosts.has(b"SIP.example.org"));
        assert!(!hosts.has(b"other") && !hosts.has(b"") && !hosts.has(&[b'a'; 300]));
        let found = hosts.answer(b"SIX.", RecordType::AAAA).unwrap();
        assert_eq!(found.qname.as_bytes(), b"SIX");
        assert!(found.negative.is_none());
    }
}
