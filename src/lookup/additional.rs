//! Additional data of an answer on its way into the cache.
//!
//! Additional data is of the lowest rank (RFC 2181 section 5.4.1): it only fills gaps, whatever `dns_cache_rec_pref`
//! says, and only for names that the answer may speak for. An answer of 64 KiB has some thousand records that lead to a
//! thousand hosts each: its records are put in order once, each set is looked for once, and so the work is as long as
//! the answer, whatever leads where.

use std::cell::Cell;

use crate::cache::{Cache, Conflict, Draft, DraftData};
use crate::host::metrics::{self, Metric};
use crate::resolver::Answer;
use crate::rr::{Name, RData, Record, RecordType};

use super::answer;
use super::request::{IPV4_ONLY, IPV6_ONLY};
use super::service::sip_transport;
use super::store::{Asked, drafts, insert};

/// Sets of additional data kept of one answer: more than any sound answer has, and few enough that a
/// crafted one cannot push much out of the cache.
const MAX_SETS: usize = 64;
/// Sets looked for in one answer, whether it has them or not: as many as its SRV set may have hosts, with both
/// families and as much again for NAPTR. Each costs a hash of the name and a few comparisons.
const MAX_SETS_LOOKED_FOR: usize = 1024;

/// True when anything of the additional section of an answer to such a question is stored.
pub(super) fn uses_additional(qtype: RecordType) -> bool {
    let leads_on = matches!(qtype, RecordType::SRV | RecordType::NAPTR);
    leads_on || cfg!(not(feature = "cache_relevant_recs_only"))
}

/// Stores the additional data that belongs to the answer's records.
pub(super) fn store_additional(
    cache: &Cache,
    asked: &Asked<'_>,
    answer: &Answer,
    records: &[&Record],
) {
    if answer.additional.is_empty() && answer.answers.len() == records.len() {
        // The answer has nothing but what was asked for.
        return;
    }
    let mut additional = Additional {
        cache,
        answer,
        sets: None,
        zone: answer::zone_of(answer.qname.as_bytes(), asked.qtype),
        flags: asked.flags,
        left: MAX_SETS,
        looks_left: MAX_SETS_LOOKED_FOR,
        is_cut: false,
    };
    // NAPTR_CACHE_ALL_ARS: of an answer with NAPTR records all is kept.
    let all = cfg!(feature = "naptr_cache_all_ars") && asked.qtype == RecordType::NAPTR;
    if cfg!(feature = "cache_relevant_recs_only") && !all {
        additional.store_relevant(records);
    } else {
        additional.store_all();
    }
    if additional.is_cut {
        metrics::count(Metric::AnswerCut);
    }
}

struct Additional<'a> {
    cache: &'a Cache,
    answer: &'a Answer,
    /// Made when the first set is looked for.
    sets: Option<Sets<'a>>,
    zone: &'a [u8],
    flags: u32,
    /// Sets that may still be stored.
    left: usize,
    /// Sets that may still be looked for.
    looks_left: usize,
    /// A set was not looked for.
    is_cut: bool,
}

impl<'a> Additional<'a> {
    fn store_relevant(&mut self, records: &[&'a Record]) {
        for record in records {
            match &record.rdata {
                RData::Srv(srv) => self.store_addresses(&srv.target),
                RData::Naptr(naptr) => {
                    let (flags, services, regexp) = (&naptr.flags, &naptr.services, &naptr.regexp);
                    if sip_transport(flags, services, regexp).is_some() {
                        self.store_replacement(&naptr.replacement);
                    }
                }
                _ => {}
            }
        }
    }

    /// The SRV set that a NAPTR record leads to, and the addresses of its targets.
    fn store_replacement(&mut self, replacement: &Name) {
        for srv in self.store_one(replacement, RecordType::SRV) {
            if let RData::Srv(srv) = &srv.rdata {
                self.store_addresses(&srv.target);
            }
        }
    }

    fn store_addresses(&mut self, host: &Name) {
        if self.flags & IPV6_ONLY == 0 {
            self.store_one(host, RecordType::A);
        }
        if self.flags & IPV4_ONLY == 0 {
            self.store_one(host, RecordType::AAAA);
        }
    }

    /// Every set of the additional section.
    fn store_all(&mut self) {
        let answer = self.answer;
        for record in &answer.additional {
            self.store_one(&record.owner, record.rtype);
        }
    }

    /// Stores one set if the answer has it and it was not stored before, and gives its records.
    fn store_one(&mut self, owner: &Name, rtype: RecordType) -> Vec<&'a Record> {
        if owner.is_root() || !answer::in_zone(owner.as_bytes(), self.zone) {
            return Vec::new();
        }
        if self.left == 0 || self.looks_left == 0 {
            self.is_cut = true;
            return Vec::new();
        }
        self.looks_left -= 1;
        let (cache, answer) = (self.cache, self.answer);
        let hash_of = |name: &Name| cache.name_hash(name.as_bytes());
        let sets = self.sets.get_or_insert_with(|| Sets::of(answer, hash_of));
        let set = sets.take(hash_of(owner), owner, rtype);
        if set.is_empty() {
            return set;
        }
        self.left -= 1;
        let records = drafts(&set, u32::MAX);
        if records.first().is_some_and(|record| record.ttl > 0) {
            let draft = Draft {
                name: owner.as_bytes(),
                rtype,
                data: DraftData::Records(&records),
                permanent: false,
                negative_ttl: 0,
            };
            // Without memory for it the record will be asked for.
            let _ = insert(self.cache, &draft, Conflict::KeepOld);
        }
        set
    }
}

/// A record with the hash of its owner's name.
struct Row<'a> {
    hash: u32,
    record: &'a Record,
    /// The record's set was taken.
    taken: Cell<bool>,
}

/// The records of an answer by their owners.
struct Sets<'a> {
    /// By hash, and in the order of the message.
    rows: Vec<Row<'a>>,
    /// Rows that were compared: a measure of the work.
    compared: usize,
}

impl<'a> Sets<'a> {
    /// `hash_of` is not to be foreseen by who makes the answer, and ignores case.
    fn of(answer: &'a Answer, hash_of: impl Fn(&Name) -> u32) -> Self {
        let mut rows: Vec<_> = answer
            .answers
            .iter()
            .chain(&answer.additional)
            .map(|record| Row {
                hash: hash_of(&record.owner),
                record,
                taken: Cell::new(false),
            })
            .collect();
        rows.sort_by_key(|row| row.hash);
        Self { rows, compared: 0 }
    }

    /// The records of a name, which has this hash, and type with data, the first time; afterwards nothing.
    fn take(&mut self, hash: u32, owner: &Name, rtype: RecordType) -> Vec<&'a Record> {
        let first = self.rows.partition_point(|row| row.hash < hash);
        let mut set = Vec::new();
        for row in self.rows.iter().skip(first) {
            self.compared += 1;
            if row.hash != hash {
                break;
            }
            if !answer::is_data(row.record, rtype) || row.record.owner != *owner {
                continue;
            }
            if row.taken.replace(true) {
                return Vec::new();
            }
            set.push(row.record);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookup::test_records::{a, name, record};
    use crate::rr::Srv;
    use std::hash::{DefaultHasher, Hash, Hasher};

    fn srv(owner: &str, target: &str) -> Record {
        let target = name(target);
        let srv = Srv {
            priority: 0,
            weight: 0,
            port: 5060,
            target,
        };
        record(owner, RecordType::SRV, RData::Srv(srv))
    }

    fn answer(answers: Vec<Record>, additional: Vec<Record>) -> Answer {
        Answer {
            qname: name("x.test"),
            answers,
            additional,
            negative: None,
        }
    }

    fn hash(name: &Name) -> u32 {
        let mut hasher = DefaultHasher::new();
        name.as_bytes().to_ascii_lowercase().hash(&mut hasher);
        hasher.finish() as u32
    }

    #[test]
    fn a_set_has_both_sections_in_the_order_of_the_message_and_is_given_once() {
        let answer = answer(
            vec![a("h.x.test", 1), srv("h.x.test", "t"), a("i.x.test", 9)],
            vec![a("H.X.test", 2), a("h.x.test", 3)],
        );
        // Also where all names have one hash.
        for hash in [hash as fn(&Name) -> u32, |_| 7] {
            let mut sets = Sets::of(&answer, hash);
            let mut take = |owner: &str, rtype| sets.take(hash(&name(owner)), &name(owner), rtype);
            let all = [
                &answer.answers[0],
                &answer.additional[0],
                &answer.additional[1],
            ];
            assert_eq!(take("h.x.test", RecordType::A), all);
            assert!(take("h.x.test", RecordType::A).is_empty());
            assert!(take("h.x.test", RecordType::AAAA).is_empty());
            assert_eq!(take("h.X.test", RecordType::SRV).len(), 1);
            assert!(take("j.x.test", RecordType::A).is_empty());
        }
    }

    /// 64 KiB of NAPTR records that lead to a thousand hosts, beside a thousand addresses of others: the records
    /// looked at are few more than there are.
    #[test]
    fn the_work_is_as_long_as_the_answer() {
        let tail = "b".repeat(60);
        let addresses = (0..1024).map(|i| a(&format!("u{i}.{tail}.x.test"), 1));
        let servers = (0..1024).map(|i| srv("_sip._udp.x.test", &format!("t{i}.{tail}.x.test")));
        let answer = answer(addresses.collect(), servers.collect());
        let mut sets = Sets::of(&answer, hash);
        let mut take = |owner: &Name, rtype| sets.take(hash(owner), owner, rtype);
        for _naptr in 0..64 {
            for srv in take(&name("_sip._udp.x.test"), RecordType::SRV) {
                if let RData::Srv(srv) = &srv.rdata {
                    assert!(take(&srv.target, RecordType::A).is_empty());
                    assert!(take(&srv.target, RecordType::AAAA).is_empty());
                }
            }
        }
        // Every row for its own set, and one for each set that is looked for.
        assert!(
            sets.compared <= 1024 + 2 * 1024 + 64 + 100,
            "{}",
            sets.compared
        );
    }
}
