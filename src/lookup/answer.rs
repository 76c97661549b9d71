//! Reads what an answer says about the name that was asked; nothing is stored here.

use smallvec::SmallVec;

use crate::resolver::Answer;
use crate::rr::{Name, RData, Record, RecordType, eq_ignore_case, is_subdomain};

/// The records of a set; sets are small.
pub(crate) type Records<'a> = SmallVec<[&'a Record; 4]>;

/// A step of a CNAME chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alias<'a> {
    pub(crate) owner: &'a [u8],
    pub(crate) target: &'a Name,
    /// Seconds, as received.
    pub(crate) ttl: u32,
}

/// A question followed through the answer section.
#[derive(Debug)]
pub(crate) struct Chain<'a> {
    /// Steps in order; the first may be the search list's.
    pub(crate) aliases: Vec<Alias<'a>>,
    /// Name at the end of the steps.
    pub(crate) end: &'a [u8],
    /// Records of the type asked that belong to `end`; empty when there are none.
    pub(crate) records: Records<'a>,
    /// The chain went on to a name that this answer may not speak for (B06): `end` is to be asked.
    pub(crate) left_zone: bool,
    /// There are more steps than may be followed.
    pub(crate) too_long: bool,
}

impl Chain<'_> {
    /// True when the answer stopped in the middle of the chain: whatever `end` has, it neither gives nor denies.
    pub(crate) fn stops_at_alias(&self, answer: &Answer) -> bool {
        let says_nothing = self.records.is_empty() && (answer.negative.is_none() || self.left_zone);
        says_nothing && !self.aliases.is_empty() && !self.too_long && !self.end.is_empty()
    }
}

/// True when a search domain was appended to the question, and only that.
fn is_expansion(question: &[u8], asked: &[u8]) -> bool {
    asked
        .split_at_checked(question.len())
        .is_some_and(|(head, tail)| {
            tail.len() > 1 && tail.starts_with(b".") && eq_ignore_case(head, question)
        })
}

/// The name whose subtree an answer to this question may speak for.
///
/// The owner of a name is trusted for what lies at and below it. For an SRV name that is the host
/// under `_service._proto`; only these two labels are taken off, and only for SRV, so that nobody
/// gains the parent domain by naming a host `_a._b`.
pub(crate) fn zone_of(asked: &[u8], qtype: RecordType) -> &[u8] {
    if qtype != RecordType::SRV {
        return asked;
    }
    let mut rest = asked;
    for _ in 0..2 {
        let Some(dot) = rest.iter().position(|&octet| octet == b'.') else {
            return asked;
        };
        if !rest.starts_with(b"_") {
            return asked;
        }
        rest = rest.get(dot + 1..).unwrap_or_default();
    }
    if rest.is_empty() { asked } else { rest }
}

/// True when the answer may speak for the owner.
pub(crate) fn in_zone(owner: &[u8], zone: &[u8]) -> bool {
    !zone.is_empty() && is_subdomain(owner, zone)
}

/// The names of a chain that the reader believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Only names that the answer may speak for: the records will be cached for everybody.
    OwnZone,
    /// All names of the chain: the records serve this one call.
    WholeChain,
}

/// Follows the question through the answer section.
///
/// Only records of the question's own chain count; the first record of an owner decides whether it
/// is an alias. `hops` is what is left of the lookup's CNAME allowance. Returns `None` when the
/// answer is for another name than the question, which cannot be used at all.
pub(crate) fn follow<'a>(
    question: &'a [u8],
    qtype: RecordType,
    answer: &'a Answer,
    trust: Trust,
    hops: &mut usize,
) -> Option<Chain<'a>> {
    let asked = answer.qname.as_bytes();
    let mut chain = Chain {
        aliases: Vec::new(),
        end: question,
        records: Records::new(),
        left_zone: false,
        too_long: false,
    };
    if !eq_ignore_case(question, asked) {
        if !is_expansion(question, asked) {
            return None;
        }
        // The expanded name decides for how long the short one leads to it.
        let first = answer.answers.iter().find(|r| r.owner == answer.qname);
        let Some(first) = first else {
            return Some(chain);
        };
        chain.aliases.push(Alias {
            owner: question,
            target: &answer.qname,
            ttl: first.ttl,
        });
        chain.end = asked;
    }
    let zone = zone_of(asked, qtype);
    loop {
        let end = chain.end;
        let owned = |record: &&'a Record| eq_ignore_case(record.owner.as_bytes(), end);
        let mut of_owner = answer.answers.iter().filter(owned);
        let decisive = of_owner.find(|r| is_data(r, qtype) || matches!(r.rdata, RData::Cname(_)));
        match decisive {
            None => return Some(chain),
            Some(record) if is_data(record, qtype) => {
                chain.records.push(record);
                chain.records.extend(of_owner.filter(|r| is_data(r, qtype)));
                return Some(chain);
            }
            Some(record) => {
                let RData::Cname(target) = &record.rdata else {
                    return Some(chain);
                };
                chain.aliases.push(Alias {
                    owner: end,
                    target,
                    ttl: record.ttl,
                });
                chain.end = target.as_bytes();
                if *hops == 0 {
                    chain.too_long = true;
                    return Some(chain);
                }
                *hops -= 1;
                if trust == Trust::OwnZone && !in_zone(chain.end, zone) {
                    chain.left_zone = true;
                    return Some(chain);
                }
            }
        }
    }
}

/// True when the record has data of the type.
pub(crate) fn is_data(record: &Record, rtype: RecordType) -> bool {
    record.rtype == rtype && record.rdata != RData::Other
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookup::test_records::{a, name, record};
    use crate::rr::MAX_CNAME_HOPS;

    fn cname(owner: &str, target: &str) -> Record {
        record(owner, RecordType::CNAME, RData::Cname(name(target)))
    }

    fn answer(qname: &str, answers: Vec<Record>) -> Answer {
        Answer {
            qname: name(qname),
            answers,
            additional: Vec::new(),
            negative: None,
        }
    }

    fn read<'a>(question: &'a str, answer: &'a Answer, trust: Trust) -> Option<Chain<'a>> {
        let mut hops = MAX_CNAME_HOPS;
        follow(question.as_bytes(), RecordType::A, answer, trust, &mut hops)
    }

    #[test]
    fn records_of_other_owners_do_not_count() {
        let answer = answer("x.test", vec![a("evil.test", 1), a("X.Test", 2)]);
        let chain = read("x.test", &answer, Trust::WholeChain).unwrap();
        assert_eq!(chain.records.as_slice(), [&answer.answers[1]]);
        assert!(chain.aliases.is_empty());
    }

    #[test]
    fn chain_is_followed_in_any_order_of_records() {
        let answer = answer(
            "x.test",
            vec![
                a("b.a.x.test", 1),
                cname("a.x.test", "b.a.x.test"),
                cname("x.test", "a.x.test"),
            ],
        );
        let chain = read("x.test", &answer, Trust::OwnZone).unwrap();
        assert_eq!(chain.aliases.len(), 2);
        assert_eq!(chain.end, b"b.a.x.test");
        assert_eq!(chain.records.len(), 1);
    }

    #[test]
    fn address_before_cname_of_one_owner_is_used() {
        let both = answer("x.test", vec![a("x.test", 1), cname("x.test", "y.x.test")]);
        assert_eq!(
            read("x.test", &both, Trust::OwnZone).unwrap().end,
            b"x.test"
        );
        let both = answer("x.test", vec![cname("x.test", "y.x.test"), a("x.test", 1)]);
        let chain = read("x.test", &both, Trust::OwnZone).unwrap();
        assert_eq!(chain.end, b"y.x.test");
        assert!(chain.records.is_empty());
    }

    #[test]
    fn a_foreign_target_is_not_believed_when_caching() {
        let answer = answer(
            "x.evil.test",
            vec![cname("x.evil.test", "bank.test"), a("bank.test", 6)],
        );
        let chain = read("x.evil.test", &answer, Trust::OwnZone).unwrap();
        assert!(chain.left_zone && chain.records.is_empty());
        assert_eq!(chain.end, b"bank.test");
        let chain = read("x.evil.test", &answer, Trust::WholeChain).unwrap();
        assert_eq!(chain.records.len(), 1);
    }

    #[test]
    fn a_loop_ends() {
        let answer = answer(
            "x.test",
            vec![cname("x.test", "a.x.test"), cname("a.x.test", "x.test")],
        );
        let chain = read("x.test", &answer, Trust::WholeChain).unwrap();
        assert!(chain.too_long);
        assert_eq!(chain.aliases.len(), MAX_CNAME_HOPS + 1);
    }

    #[test]
    fn search_domain_becomes_an_alias() {
        let long = answer("foo.corp.test", vec![a("foo.corp.test", 1)]);
        let chain = read("foo", &long, Trust::OwnZone).unwrap();
        assert_eq!(chain.aliases[0].owner, b"foo");
        assert_eq!(chain.aliases[0].target, &name("foo.corp.test"));
        assert_eq!(chain.records.len(), 1);
        let other = answer("bar.corp.test", vec![a("bar.corp.test", 1)]);
        assert!(read("foo", &other, Trust::OwnZone).is_none());
        let glued = answer("foobar.test", vec![a("foobar.test", 1)]);
        assert!(read("foo", &glued, Trust::OwnZone).is_none());
    }

    #[test]
    fn only_service_labels_of_srv_names_are_taken_off() {
        let srv = RecordType::SRV;
        assert_eq!(zone_of(b"_sip._udp.x.test", srv), b"x.test");
        assert_eq!(zone_of(b"_sip._udp._a._b.dyn.test", srv), b"_a._b.dyn.test");
        assert_eq!(zone_of(b"_sip._udp", srv), b"_sip._udp");
        assert_eq!(zone_of(b"_a.x.test", srv), b"_a.x.test");
        assert_eq!(zone_of(b"_a._b.x.test", RecordType::A), b"_a._b.x.test");
        assert!(!in_zone(b"bank.test", zone_of(b"_sip._udp.evil.test", srv)));
        assert!(in_zone(
            b"sip.evil.test",
            zone_of(b"_sip._udp.evil.test", srv)
        ));
    }
}
