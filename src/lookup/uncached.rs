//! Queries without the cache: `get_record()` and the paths for `use_dns_cache=0`.

use std::net::IpAddr;

use crate::error::{Failure, LookupError};
use crate::host::counters::{self, Counter};
use crate::host::hooks;
use crate::host::options::{self, Opt};
use crate::resolver::{self, Answer, Outcome, Question, SearchList};
use crate::rr::{
    MAX_CNAME_HOPS, MAX_NAME_OCTETS, Name, RData, Record, RecordType, Srv, eq_ignore_case,
};

use super::answer::{self, Trust, is_data};
#[cfg(feature = "use_dns_cache")]
use super::crowd;
use super::findings::{Findings, together};
use super::request::{check_name, question_text, split_absolute};
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
    check_name(name)?;
    if !watchdog::servers_up() {
        return Err(LookupError::Failed(Failure::NoServers));
    }
    let result = each_name(qname, name, absolute, |text, candidate, counts| {
        let wanted = Wanted {
            qtype,
            only_type,
            with_additional,
            counts,
        };
        may_ask(counts)?;
        let mut records = ask(text, candidate, absolute, wanted)?;
        if !only_type {
            put_alias_first(&mut records, name, candidate)?;
        }
        Ok(records)
    });
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
    // Both families share one walk of the search list, as where the cache is in use.
    each_name(qname, name, absolute, |text, candidate, counts| {
        addresses_of(text, candidate, (absolute, counts), ipv6)
    })
}

/// Looks at the names that the caller's may stand for, one after the other, until one has what is wanted. `look` is
/// given the text to ask for, the same as a name, and whether its questions are among those that a call may put.
fn each_name<T>(
    qname: &[u8],
    name: &[u8],
    absolute: bool,
    mut look: impl FnMut(&[u8], &[u8], bool) -> Result<T, LookupError>,
) -> Result<T, LookupError> {
    // A module's search function walks by itself.
    let walks = !absolute && hooks::swapped_search().is_none();
    let Some(domains) = walks.then(SearchList::current).flatten() else {
        return look(qname, name, true);
    };
    let candidates = domains.candidates(name).ok_or(LookupError::BadName)?;
    let mut findings = Findings::default();
    for (position, candidate) in candidates.iter().enumerate() {
        let text = question_text(candidate.as_bytes(), true);
        // Candidates of the search list are as many as the operator wrote.
        let error = match look(&text, candidate.as_bytes(), position == 0) {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        let is_first_as_is = position == 0 && eq_ignore_case(candidate.as_bytes(), name);
        if !findings.add(error, is_first_as_is) {
            break;
        }
    }
    Err(findings.conclude())
}

/// Puts an alias from the caller's name to the longer name in front of the records, if the search list made a longer
/// one.
fn put_alias_first(
    records: &mut Vec<Record>,
    name: &[u8],
    longer: &[u8],
) -> Result<(), LookupError> {
    let is_longer = !eq_ignore_case(longer, name);
    let of_longer = |record: &&Record| eq_ignore_case(record.owner.as_bytes(), longer);
    let Some(first) = records.iter().find(of_longer).filter(|_| is_longer) else {
        return Ok(());
    };
    let [owner, target] = [name, longer].map(Name::from_text);
    let (Some(owner), Some(target)) = (owner, target) else {
        return Err(LookupError::NameTooLong);
    };
    let alias = Record {
        owner,
        rtype: RecordType::CNAME,
        rdata: RData::Cname(target),
        ..*first
    };
    records.insert(0, alias);
    Ok(())
}

/// The addresses of one name: those of the first family that has any. `counts`: its questions are among those that a
/// call may put.
fn addresses_of(
    qname: &[u8],
    name: &[u8],
    (absolute, counts): (bool, bool),
    ipv6: bool,
) -> Result<(Name, Vec<IpAddr>), LookupError> {
    let mut lack = None;
    let families = [Some(RecordType::A), ipv6.then_some(RecordType::AAAA)];
    for qtype in families.into_iter().flatten() {
        may_ask(counts)?;
        let wanted = Wanted {
            qtype,
            only_type: true,
            with_additional: false,
            counts,
        };
        let records = match ask(qname, name, absolute, wanted) {
            Ok(records) => records,
            // The call has given up, and waits for nothing else.
            Err(error @ LookupError::Failed(Failure::GivenUp)) => return Err(error),
            Err(error) => {
                lack = Some(lack.map_or(error, |before| together(before, error)));
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
    Err(lack.unwrap_or(LookupError::NoData))
}

/// The part of an answer that a caller wants.
#[derive(Clone, Copy)]
struct Wanted {
    qtype: RecordType,
    only_type: bool,
    with_additional: bool,
    /// The questions are among those that a call may put.
    counts: bool,
}

/// The content of an answer.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Records(Vec<Record>),
    /// Aliases alone: their target has to be asked for.
    Alias(Name),
}

/// Asks, and takes the part that the caller wants from the answers. `name` is `qname` without a final dot. Where a
/// server leaves the target of an alias to the client, the target is asked for, as through the cache. A caller that
/// wants records of all types gets the alias itself.
fn ask(
    qname: &[u8],
    name: &[u8],
    absolute: bool,
    wanted: Wanted,
) -> Result<Vec<Record>, LookupError> {
    #[cfg(feature = "use_dns_cache")]
    if wanted.only_type
        && !wanted.with_additional
        && let Some(used) = super::suspended::used_records(name, wanted.qtype)
    {
        return used;
    }
    let started_ms = resolver::now_ms();
    let mut hops = MAX_CNAME_HOPS;
    let mut targets: Vec<Name> = Vec::new();
    let mut found = look(qname, name, absolute, wanted, None, &mut hops)?;
    loop {
        let target = match found {
            Found::Records(records) => return Ok(records),
            Found::Alias(target) => target,
        };
        if targets.contains(&target) || eq_ignore_case(target.as_bytes(), name) {
            return Err(LookupError::CnameChain);
        }
        may_ask(wanted.counts)?;
        let text = question_text(target.as_bytes(), true);
        let time_ms = deadline::QUERIES_IN_A_ROW.saturating_mul(resolver::longest_ms());
        let until_ms = started_ms.saturating_add(time_ms);
        let (name, until_ms) = (target.as_bytes(), Some(until_ms));
        found = look(&text, name, true, wanted, until_ms, &mut hops)?;
        targets.push(target);
    }
}

/// Refuses a question for which there is no time left, or when too many were put for the call.
fn may_ask(counts: bool) -> Result<(), LookupError> {
    deadline::begin_question(counts, false).map_err(|_| LookupError::Failed(Failure::Timeout))?;
    if counts {
        deadline::spend_queries(1);
    }
    Ok(())
}

/// Asks, as one of those that may wait.
#[cfg(feature = "use_dns_cache")]
fn query(question: &Question<'_>, name: &[u8], until_ms: Option<u64>) -> Outcome {
    let began_ms = deadline::began_ms();
    let began_ms = || began_ms.unwrap_or_else(resolver::now_ms);
    let cache = crate::cache::Cache::instance();
    let crowd = cache.and_then(|cache| crowd::enter(cache, name, began_ms));
    let outcome = crowd::while_in(crowd.as_ref(), || resolver::query(question, until_ms));
    if matches!(outcome, Outcome::Failed(Failure::GivenUp)) {
        crowd::note_given_up(name);
        deadline::ask_no_more();
    }
    outcome
}

#[cfg(not(feature = "use_dns_cache"))]
fn query(question: &Question<'_>, _name: &[u8], until_ms: Option<u64>) -> Outcome {
    resolver::query(question, until_ms)
}

/// Asks a question, whose answer must come by `until_ms`.
fn look(
    qname: &[u8],
    name: &[u8],
    absolute: bool,
    wanted: Wanted,
    until_ms: Option<u64>,
    hops: &mut usize,
) -> Result<Found, LookupError> {
    let qtype = wanted.qtype;
    let until_ms = until_ms.into_iter().chain(deadline::for_question()).min();
    match query(&Question { qname, qtype }, name, until_ms) {
        Outcome::BadName => Err(LookupError::BadName),
        Outcome::Failed(failure) => Err(LookupError::Failed(failure)),
        Outcome::Answer(answer) => {
            let expanded = !eq_ignore_case(answer.qname.as_bytes(), name);
            if expanded && (absolute || !options::on(Opt::UseSearchList)) {
                Err(LookupError::Failed(Failure::Malformed))
            } else {
                list(name, &answer, wanted, hops)
            }
        }
    }
}

fn list(
    name: &[u8],
    answer: &Answer,
    wanted: Wanted,
    hops: &mut usize,
) -> Result<Found, LookupError> {
    let Wanted {
        qtype,
        only_type,
        with_additional,
        ..
    } = wanted;
    let chain = answer::follow(name, qtype, answer, Trust::WholeChain, hops)
        .ok_or(LookupError::Failed(Failure::Malformed))?;
    if chain.too_long && only_type {
        return Err(LookupError::CnameChain);
    }
    let stops_at_alias = only_type && chain.stops_at_alias(answer);
    if stops_at_alias && let Some(target) = Name::from_text(chain.end) {
        return Ok(Found::Alias(target));
    }
    let mut records = Vec::new();
    let in_chain = |record: &&Record| {
        let owner = record.owner.as_bytes();
        eq_ignore_case(owner, chain.end)
            || chain
                .aliases
                .iter()
                .any(|alias| eq_ignore_case(owner, alias.owner))
    };
    let of_type = |record: &&Record| !only_type || is_data(record, qtype);
    for record in answer.answers.iter().filter(in_chain).filter(of_type) {
        add(&mut records, record);
    }
    if with_additional {
        for record in answer.additional.iter().filter(of_type) {
            add(&mut records, record);
        }
    }
    if !only_type {
        put_alias_first(&mut records, name, answer.qname.as_bytes())?;
    }
    if !records.is_empty() {
        return Ok(Found::Records(records));
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

    fn listed(
        name: &[u8],
        qtype: RecordType,
        answer: &Answer,
        only_type: bool,
        with_additional: bool,
    ) -> Result<Vec<Record>, LookupError> {
        let wanted = Wanted {
            qtype,
            only_type,
            with_additional,
            counts: true,
        };
        match list(name, answer, wanted, &mut MAX_CNAME_HOPS.clone())? {
            Found::Records(records) => Ok(records),
            Found::Alias(target) => panic!("stops at {target}"),
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
        let all = listed(b"q.test", RecordType::SRV, &answer, false, true).unwrap();
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
        let only = listed(b"q.test", RecordType::SRV, &answer, true, false).unwrap();
        assert_eq!(targets(&only), ["p0w0", "p1w9", "p1w9b", "p1w1", "p2w1"]);
    }

    #[test]
    fn only_type_never_gives_a_cname() {
        let answer = answer(
            "q.corp.test",
            vec![a("q.corp.test"), srv("q.corp.test", 1, 1, "t")],
            vec![],
        );
        let only = listed(b"q", RecordType::SRV, &answer, true, false).unwrap();
        assert_eq!(targets(&only), ["t"]);
        let all = listed(b"q", RecordType::SRV, &answer, false, false).unwrap();
        assert_eq!(targets(&all), ["CNAME q.corp.test", "A q.corp.test", "t"]);
        assert_eq!(all[0].owner, name("q"));
    }

    #[test]
    fn strangers_are_left_out() {
        let answer = answer("q.test", vec![a("other.test"), a("q.test")], vec![]);
        let all = listed(b"q.test", RecordType::A, &answer, false, false).unwrap();
        assert_eq!(targets(&all), ["A q.test"]);
        let none = self::answer("q.test", vec![a("other.test")], vec![]);
        let error = listed(b"q.test", RecordType::A, &none, false, false).unwrap_err();
        assert_eq!(error, LookupError::NoData);
    }

    #[test]
    fn a_type_without_data_is_not_of_the_type() {
        let odd = record("q.test", RecordType::SRV, RData::Other);
        let answer = answer("q.test", vec![odd, srv("q.test", 1, 1, "t")], vec![]);
        let only = listed(b"q.test", RecordType::SRV, &answer, true, false).unwrap();
        assert_eq!(targets(&only), ["t"]);
    }

    #[test]
    fn aliases_alone_lead_on_where_one_type_is_wanted() {
        let wanted = |only_type| Wanted {
            qtype: RecordType::A,
            only_type,
            with_additional: false,
            counts: true,
        };
        let chain = vec![cname("q.test", "r.test"), cname("r.test", "s.other")];
        let mut answer = answer("q.test", chain, vec![]);
        let mut hops = MAX_CNAME_HOPS;
        let found = list(b"q.test", &answer, wanted(true), &mut hops);
        assert_eq!(found, Ok(Found::Alias(name("s.other"))));
        assert_eq!(hops, MAX_CNAME_HOPS - 2);
        let all = listed(b"q.test", RecordType::A, &answer, false, false).unwrap();
        assert_eq!(targets(&all), ["CNAME r.test", "CNAME s.other"]);
        // As many as may be followed, and not one more.
        let found = list(b"q.test", &answer, wanted(true), &mut 1);
        assert_eq!(found, Err(LookupError::CnameChain));
        answer.negative = Some(resolver::Negative {
            nxdomain: false,
            ttl: None,
        });
        let found = list(b"q.test", &answer, wanted(true), &mut hops);
        assert_eq!(found, Err(LookupError::NoData));
    }
}
