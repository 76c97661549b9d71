//! Queries without the cache: `get_record()` and the paths for `use_dns_cache=0`.

use std::net::IpAddr;

use crate::error::{Failure, LookupError};
use crate::host::counters::{self, Counter};
use crate::host::options::{self, Opt};
use crate::resolver::{self, Answer, Outcome, Question, SearchList};
use crate::rr::{
    MAX_CNAME_HOPS, MAX_NAME_OCTETS, Name, RData, Record, RecordType, Srv, eq_ignore_case,
};

use super::answer::{self, Trust, is_data};
use super::request::split_absolute;
use super::{deadline, watchdog};

/// Asks one question and gives the records, in the order in which `get_record()` lists them.
///
/// Records of the answer section come in the order of arrival; each SRV record goes before the first
/// SRV record that is less preferred. Only records of the question and of its CNAME chain are given
/// (B25). With `only_type` that is those of the type with data, else all. When a search domain was
/// appended, a CNAME from the name asked for to the longer one comes first, but never with
/// `only_type` (B05). With `with_additional` the additional section follows, unfiltered.
///
/// # Errors
/// Why there is no list; an empty list is an error too.
pub fn record_list(
    qname: &[u8],
    qtype: RecordType,
    only_type: bool,
    with_additional: bool,
) -> Result<Vec<Record>, LookupError> {
    let (name, absolute) = split_absolute(qname);
    if name.is_empty() {
        return Err(LookupError::BadName);
    }
    if name.len() > MAX_NAME_OCTETS {
        return Err(LookupError::NameTooLong);
    }
    if !watchdog::servers_up() {
        return Err(LookupError::Failed(Failure::NoServers));
    }
    if deadline::is_over() || deadline::is_out_of_queries() {
        return Err(LookupError::Failed(Failure::Timeout));
    }
    deadline::spend_queries(1);
    let result = ask(qname, name, absolute, qtype, only_type, with_additional);
    // A name that cannot exist was not asked for.
    if result.as_ref().is_err_and(|e| *e != LookupError::BadName) {
        counters::increment(Counter::FailedRequest);
    }
    result
}

/// The addresses of a host, of IPv6 only when there are none of IPv4 and `ipv6` is set, and the name at the
/// end of its aliases. Failures are for the caller to count.
///
/// # Errors
/// Why there are none: a failure, if a question that might have led to some was not answered.
pub fn addresses(qname: &[u8], ipv6: bool) -> Result<(Name, Vec<IpAddr>), LookupError> {
    let (name, absolute) = split_absolute(qname);
    if name.is_empty() || name.len() > MAX_NAME_OCTETS {
        return Err(LookupError::BadName);
    }
    if !watchdog::servers_up() {
        return Err(LookupError::Failed(Failure::NoServers));
    }
    let domains = SearchList::current().filter(|_| !absolute);
    let Some(domains) = domains else {
        return addresses_of(qname, name, (absolute, true), ipv6);
    };
    let mut lack = LookupError::BadName;
    // Both families share one walk of the search list, as where the cache is in use.
    let candidates = domains.candidates(name, RecordType::A);
    let candidates = candidates.ok_or(LookupError::BadName)?;
    for (position, candidate) in candidates.iter().enumerate() {
        let text = [candidate.as_bytes(), b"."].concat();
        // Only the first candidate counts among the questions of a call.
        let counted = (true, position == 0);
        let error = match addresses_of(&text, candidate.as_bytes(), counted, ipv6) {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        if !matches!(lack, LookupError::Failed(_)) {
            lack = error;
        }
        let goes_on = matches!(
            error,
            LookupError::Failed(Failure::ServFail | Failure::Refused)
        );
        if !goes_on && !error.is_absence() {
            break;
        }
    }
    Err(lack)
}

/// The addresses of one name: those of the first family that has any. `counts`: its questions are among those that a
/// call may put.
fn addresses_of(
    qname: &[u8],
    name: &[u8],
    (absolute, counts): (bool, bool),
    ipv6: bool,
) -> Result<(Name, Vec<IpAddr>), LookupError> {
    let mut lack = LookupError::NoData;
    let families = [Some(RecordType::A), ipv6.then_some(RecordType::AAAA)];
    for qtype in families.into_iter().flatten() {
        if deadline::is_over() || counts && deadline::is_out_of_queries() {
            return Err(LookupError::Failed(Failure::Timeout));
        }
        if counts {
            deadline::spend_queries(1);
        }
        let records = match ask(qname, name, absolute, qtype, true, false) {
            Ok(records) => records,
            Err(error) => {
                // A failure says more than what the other family lacks.
                if !matches!(lack, LookupError::Failed(_)) {
                    lack = error;
                }
                continue;
            }
        };
        let addresses = records.iter().filter_map(|record| match &record.rdata {
            RData::A(address) => Some(IpAddr::V4(*address)),
            RData::Aaaa(address) => Some(IpAddr::V6(*address)),
            _ => None,
        });
        if let Some(first) = records.first() {
            return Ok((first.owner.clone(), addresses.collect()));
        }
    }
    Err(lack)
}

/// Asks, and takes from the answer what the caller is to have. `name` is `qname` without a final dot.
fn ask(
    qname: &[u8],
    name: &[u8],
    absolute: bool,
    qtype: RecordType,
    only_type: bool,
    with_additional: bool,
) -> Result<Vec<Record>, LookupError> {
    match resolver::query(&Question { qname, qtype }, deadline::for_question()) {
        Outcome::BadName => Err(LookupError::BadName),
        Outcome::Failed(failure) => Err(LookupError::Failed(failure)),
        Outcome::Answer(answer) => {
            let expanded = !eq_ignore_case(answer.qname.as_bytes(), name);
            if expanded && (absolute || !options::on(Opt::UseSearchList)) {
                Err(LookupError::Failed(Failure::Malformed))
            } else {
                list(name, qtype, &answer, only_type, with_additional)
            }
        }
    }
}

fn list(
    name: &[u8],
    qtype: RecordType,
    answer: &Answer,
    only_type: bool,
    with_additional: bool,
) -> Result<Vec<Record>, LookupError> {
    let mut hops = MAX_CNAME_HOPS;
    let chain = answer::follow(name, qtype, answer, Trust::WholeChain, &mut hops)
        .ok_or(LookupError::Failed(Failure::Malformed))?;
    if chain.too_long && only_type {
        return Err(LookupError::CnameChain);
    }
    let mut records = Vec::new();
    let expanded = !eq_ignore_case(answer.qname.as_bytes(), name);
    if expanded
        && !only_type
        && let (Some(alias), Some(first)) = (
            chain.aliases.first(),
            answer.answers.iter().find(|r| r.owner == answer.qname),
        )
    {
        records.push(Record {
            owner: Name::from_text(name).ok_or(LookupError::NameTooLong)?,
            rtype: RecordType::CNAME,
            class: first.class,
            ttl: first.ttl,
            rdata: RData::Cname(alias.target.clone()),
        });
    }
    let in_chain = |record: &&Record| {
        let owner = record.owner.as_bytes();
        eq_ignore_case(owner, chain.end)
            || chain
                .aliases
                .iter()
                .any(|alias| eq_ignore_case(owner, alias.owner))
    };
    let wanted = |record: &&Record| !only_type || is_data(record, qtype);
    for record in answer.answers.iter().filter(in_chain).filter(wanted) {
        add(&mut records, record);
    }
    if with_additional {
        for record in answer.additional.iter().filter(wanted) {
            add(&mut records, record);
        }
    }
    if !records.is_empty() {
        return Ok(records);
    }
    Err(match answer.negative {
        Some(negative) if negative.nxdomain => LookupError::NxDomain,
        _ => LookupError::NoData,
    })
}

/// Appends a record; one of SRV goes before the first of SRV that is less preferred.
fn add(records: &mut Vec<Record>, record: &Record) {
    let place = match &record.rdata {
        RData::Srv(new) => records
            .iter()
            .position(|old| matches!(&old.rdata, RData::Srv(old) if goes_before(new, old))),
        _ => None,
    };
    records.insert(place.unwrap_or(records.len()), record.clone());
}

fn goes_before(new: &Srv, old: &Srv) -> bool {
    new.priority < old.priority || (new.priority == old.priority && new.weight > old.weight)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::lookup::test_records::{name, record};

    fn srv(owner: &str, priority: u16, weight: u16, target: &str) -> Record {
        let srv = Srv {
            priority,
            weight,
            port: 5060,
            target: name(target),
        };
        record(owner, RecordType::SRV, RData::Srv(srv))
    }

    fn a(owner: &str) -> Record {
        record(owner, RecordType::A, RData::A(Ipv4Addr::LOCALHOST))
    }

    fn cname(owner: &str, target: &str) -> Record {
        record(owner, RecordType::CNAME, RData::Cname(name(target)))
    }

    fn answer(qname: &str, answers: Vec<Record>, additional: Vec<Record>) -> Answer {
        Answer {
            qname: name(qname),
            answers,
            additional,
            negative: None,
        }
    }

    fn targets(records: &[Record]) -> Vec<String> {
        let text = |r: &Record| match &r.rdata {
            RData::Srv(srv) => srv.target.to_string(),
            RData::A(_) => format!("A {}", r.owner),
            RData::Cname(target) => format!("CNAME {target}"),
            other => format!("{other:?}"),
        };
        records.iter().map(text).collect()
    }

    #[test]
    fn srv_records_are_sorted_in_and_others_keep_their_place() {
        let answer = answer(
            "q.test",
            vec![
                cname("q.test", "s.test"),
                srv("s.test", 2, 1, "p2w1"),
                srv("s.test", 1, 1, "p1w1"),
                a("s.test"),
                srv("s.test", 1, 9, "p1w9"),
                srv("s.test", 1, 9, "p1w9b"),
                srv("s.test", 0, 0, "p0w0"),
            ],
            vec![a("p1w1")],
        );
        let all = list(b"q.test", RecordType::SRV, &answer, false, true).unwrap();
        assert_eq!(
            targets(&all),
            [
                "CNAME s.test",
                "p0w0",
                "p1w9",
                "p1w9b",
                "p1w1",
                "p2w1",
                "A s.test",
                "A p1w1"
            ]
        );
        let only = list(b"q.test", RecordType::SRV, &answer, true, false).unwrap();
        assert_eq!(targets(&only), ["p0w0", "p1w9", "p1w9b", "p1w1", "p2w1"]);
    }

    #[test]
    fn b05_only_type_never_gives_a_cname() {
        let answer = answer(
            "q.corp.test",
            vec![a("q.corp.test"), srv("q.corp.test", 1, 1, "t")],
            vec![],
        );
        let only = list(b"q", RecordType::SRV, &answer, true, false).unwrap();
        assert_eq!(targets(&only), ["t"]);
        let all = list(b"q", RecordType::SRV, &answer, false, false).unwrap();
        assert_eq!(targets(&all), ["CNAME q.corp.test", "A q.corp.test", "t"]);
        assert_eq!(all[0].owner, name("q"));
    }

    #[test]
    fn b25_strangers_are_left_out() {
        let answer = answer("q.test", vec![a("other.test"), a("q.test")], vec![]);
        let all = list(b"q.test", RecordType::A, &answer, false, false).unwrap();
        assert_eq!(targets(&all), ["A q.test"]);
        let none = self::answer("q.test", vec![a("other.test")], vec![]);
        let error = list(b"q.test", RecordType::A, &none, false, false).unwrap_err();
        assert_eq!(error, LookupError::NoData);
    }

    #[test]
    fn a_type_without_data_is_not_of_the_type() {
        let odd = record("q.test", RecordType::SRV, RData::Other);
        let answer = answer("q.test", vec![odd, srv("q.test", 1, 1, "t")], vec![]);
        let only = list(b"q.test", RecordType::SRV, &answer, true, false).unwrap();
        assert_eq!(targets(&only), ["t"]);
    }
}
