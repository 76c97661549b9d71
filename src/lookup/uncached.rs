//! Queries past the cache: `get_record()`, and the paths for `use_dns_cache=0`.

use crate::error::LookupError;
use crate::host::counters::{self, Counter};
use crate::resolver::{self, Answer, Outcome, Question};
use crate::rr::{MAX_CNAME_HOPS, MAX_NAME_OCTETS, RData, Record, RecordType};

use super::answer::{self, Trust, in_zone, zone_of};

/// The records of a name as C callers get them (`get_record()`): one query.
///
/// Order: with `only_type` off, first the CNAMEs from the name asked to the one that has the records
/// (the search list's expansion counts as one); then the records; with `with_additional` then the
/// additional section, as far as it belongs to the domain asked. SRV records stand by priority, heavier
/// first. With `only_type` nothing but records of the type, whatever the search list did (B05).
///
/// # Errors
/// Why there is no list.
pub fn record_list(
    qname: &[u8],
    qtype: RecordType,
    only_type: bool,
    with_additional: bool,
) -> Result<Vec<Record>, LookupError> {
    if qname.is_empty() {
        return Err(LookupError::BadName);
    }
    if qname.len() > MAX_NAME_OCTETS + 1 {
        return Err(LookupError::NameTooLong);
    }
    let result = match resolver::query(&Question { qname, qtype }) {
        Outcome::BadName => return Err(LookupError::BadName),
        Outcome::Failed(failure) => Err(LookupError::Failed(failure)),
        Outcome::Answer(reply) => read(qname, qtype, &reply, only_type, with_additional),
    };
    if result.is_err() {
        counters::increment(Counter::FailedRequest);
    }
    result
}

fn read(
    qname: &[u8],
    qtype: RecordType,
    reply: &Answer,
    only_type: bool,
    with_additional: bool,
) -> Result<Vec<Record>, LookupError> {
    let question = qname.strip_suffix(b".").unwrap_or(qname);
    let mut hops = MAX_CNAME_HOPS;
    let chain = answer::follow(question, qtype, reply, Trust::WholeChain, &mut hops)
        .ok_or(LookupError::Failed(crate::error::Failure::Malformed))?;
    if chain.records.is_empty() {
        if let Some(negative) = reply.negative {
            return Err(if negative.nxdomain {
                LookupError::NxDomain
            } else {
                LookupError::NoData
            });
        }
        if chain.aliases.is_empty() || only_type {
            return Err(LookupError::NoData);
        }
    }
    let mut list = Vec::new();
    if !only_type && qtype != RecordType::CNAME {
        for alias in &chain.aliases {
            let Some(owner) = crate::rr::Name::from_text(alias.owner) else {
                continue;
            };
            list.push(Record {
                owner,
                rtype: RecordType::CNAME,
                class: 1,
                ttl: alias.ttl,
                rdata: RData::Cname(alias.target.clone()),
            });
        }
    }
    for record in &chain.records {
        insert(&mut list, (*record).clone());
    }
    if with_additional {
        let zone = zone_of(reply.qname.as_bytes(), qtype);
        for record in &reply.additional {
            let wanted = !only_type || answer::is_data(record, qtype);
            if wanted && in_zone(record.owner.as_bytes(), zone) {
                insert(&mut list, record.clone());
            }
        }
    }
    Ok(list)
}

/// Adds a record; an SRV record goes before the first that is worse.
fn insert(list: &mut Vec<Record>, record: Record) {
    let RData::Srv(new) = &record.rdata else {
        list.push(record);
        return;
    };
    let worse = |other: &Record| match &other.rdata {
        RData::Srv(old) => {
            old.priority > new.priority || (old.priority == new.priority && old.weight < new.weight)
        }
        _ => false,
    };
    let place = list.iter().position(worse).unwrap_or(list.len());
    list.insert(place, record);
}
