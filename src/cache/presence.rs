//! Whether the cache may have anything on a name: one look that settles most misses.

use crate::rr::RecordType;
use crate::shm::mutation::{Mutation, seeded};

use super::hash::tag_of;
use super::table::{Bucket, Tags};
use super::tables::{TableWord, look_at_table};
use super::{Cache, HashedName};

/// A bucket that had nothing on a name, as it looked then.
#[derive(Clone, Copy, Debug)]
pub struct Vacancy<'c> {
    bucket: &'c Bucket,
    version: u64,
    tags: Tags,
    table: u64,
}

/// The presence of a name in the cache.
#[derive(Clone, Copy, Debug)]
pub enum Presence<'c> {
    /// Something, live or expired, positive or negative, or nothing.
    Perhaps,
    /// Nothing. Where one bucket says so, it can be looked at again.
    Nothing(Option<Vacancy<'c>>),
}

impl Cache {
    /// False when there is no entry of this name and type and no alias of the name, live or expired, positive
    /// or negative: then all lookups of the two would find nothing.
    ///
    /// True when there may be: names are not compared, only the octet that a bucket has of each, and a look that a
    /// writer disturbed counts as one that found something. Takes no lock. A caller that was told that an entry was
    /// linked finds it.
    #[must_use]
    pub fn may_know(&self, qname: &HashedName<'_>, qtype: RecordType) -> bool {
        matches!(self.presence(qname, qtype), Presence::Perhaps)
    }

    /// As [`Self::may_know`], with what a second look needs.
    #[must_use]
    pub fn presence(&self, qname: &HashedName<'_>, qtype: RecordType) -> Presence<'_> {
        let hash = qname.hash();
        let wanted = [tag_of(hash, qtype.0), tag_of(hash, RecordType::CNAME.0)];
        let table = look_at_table(&self.header.table);
        for (place, (_, bucket)) in self.table_of(TableWord(table)).probe(hash).enumerate() {
            let version = bucket.begin();
            let tags = bucket.tags();
            let looks_known = wanted.iter().any(|&tag| tags.have(tag));
            let found = looks_known && wanted.iter().any(|&tag| is_used(bucket, tag));
            // An entry that went from one place to another in between may have been missed in both.
            let is_undisturbed = || {
                seeded(Mutation::AbsenceUnchecked) || self.is_undisturbed(bucket, version, table)
            };
            if found || !is_undisturbed() {
                return Presence::Perhaps;
            }
            if !tags.overflow() {
                // A place that is free keeps its tag, and would look the same with a new entry.
                let is_plain = place == 0 && !looks_known;
                return Presence::Nothing(is_plain.then_some(Vacancy {
                    bucket,
                    version,
                    tags,
                    table,
                }));
            }
        }
        Presence::Nothing(None)
    }

    /// True when the bucket looks as it did: then there is still nothing. A caller that was told that an entry was
    /// linked finds that the bucket does not look as it did.
    #[must_use]
    pub fn is_still_vacant(&self, vacancy: &Vacancy<'_>) -> bool {
        let Vacancy {
            bucket,
            version,
            tags,
            table,
        } = *vacancy;
        (seeded(Mutation::VacancyByVersion) || bucket.tags() == tags)
            && (seeded(Mutation::VacancyByTags) || self.is_undisturbed(bucket, version, table))
    }
}

/// True when a place with this tag holds an entry.
#[inline]
fn is_used(bucket: &Bucket, tag: u8) -> bool {
    let used = |_, block| (block != 0).then_some(());
    bucket.find(tag, used).is_some()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::set::Set;
    use super::super::{NegativeKind, Setting};
    use super::*;
    use crate::rr::{Name, RData};

    const NOW: u32 = 1000;

    fn put(cache: &Cache, name: &str, rtype: RecordType, rdata: Option<&RData>) {
        let set = match rdata {
            Some(rdata) => Set::of(name, rtype).record(1, rdata.clone()),
            None => Set::absence(name, rtype, NegativeKind::NoData, 1),
        };
        let put = set.put(cache, NOW);
        assert!(put.is_ok(), "{put:?}");
    }

    fn may_know(cache: &Cache, name: &str, qtype: RecordType) -> bool {
        cache.may_know(&cache.hashed(name.as_bytes()), qtype)
    }

    #[test]
    fn what_is_linked_is_never_denied() {
        let cache = Cache::for_tests(2 << 20, true).unwrap();
        let address = RData::A(Ipv4Addr::LOCALHOST);
        let alias = RData::Cname(Name::from_text(b"x.test").unwrap());
        // Enough for many buckets to overflow.
        let names: Vec<String> = (0..12_000).map(|i| format!("h{i}.test")).collect();
        for (index, name) in names.iter().enumerate() {
            match index % 3 {
                0 => put(cache, name, RecordType::A, Some(&address)),
                1 => put(cache, name, RecordType::A, None),
                _ => put(cache, name, RecordType::CNAME, Some(&alias)),
            }
        }
        for entry in cache.entries() {
            let name = String::from_utf8_lossy(entry.name()).to_ascii_uppercase();
            assert!(may_know(cache, &name, RecordType::A), "{name}");
        }
        cache.flush(true);
        let left = |name: &&String| may_know(cache, name, RecordType::A);
        assert_eq!(names.iter().filter(left).count(), 0);
    }

    #[test]
    fn most_of_what_is_not_there_is_denied() {
        let cache = Cache::for_tests(2 << 20, true).unwrap();
        let address = RData::A(Ipv4Addr::LOCALHOST);
        for i in 0..5000 {
            put(cache, &format!("h{i}.test"), RecordType::A, Some(&address));
        }
        let unknown = (0..1000).filter(|i| may_know(cache, &format!("u{i}.test"), RecordType::A));
        assert!(unknown.count() < 100);
        // The same name with another type is another entry.
        let other = (0..1000).filter(|i| may_know(cache, &format!("h{i}.test"), RecordType::SRV));
        assert!(other.count() < 100);
    }

    #[test]
    fn a_vacancy_ends_when_the_name_is_linked() {
        let cache = Cache::for_tests(2 << 20, true).unwrap();
        let address = RData::A(Ipv4Addr::LOCALHOST);
        // Places that were used before keep their tags, and other names come into the same buckets.
        for i in 0..6000 {
            put(cache, &format!("h{i}.test"), RecordType::A, Some(&address));
        }
        cache.flush(true);
        let mut vacancies = 0;
        let mut ended_early = 0;
        for i in 0..3000 {
            let name = format!("u{i}.test");
            let qname = cache.hashed(name.as_bytes());
            let Presence::Nothing(Some(vacancy)) = cache.presence(&qname, RecordType::A) else {
                continue;
            };
            vacancies += 1;
            assert!(cache.is_still_vacant(&vacancy), "{name}: nothing happened");
            put(cache, &format!("o{i}.test"), RecordType::A, Some(&address));
            ended_early += usize::from(!cache.is_still_vacant(&vacancy));
            match i % 3 {
                0 => put(cache, &name, RecordType::A, Some(&address)),
                1 => put(cache, &name, RecordType::A, None),
                _ => put(
                    cache,
                    &name,
                    RecordType::CNAME,
                    Some(&RData::Cname(Name::from_text(b"x.test").unwrap())),
                ),
            }
            assert!(!cache.is_still_vacant(&vacancy), "{name} was linked");
        }
        assert!(vacancies > 1000, "{vacancies}");
        assert!(ended_early < vacancies / 10, "{ended_early} of {vacancies}");
    }

    #[test]
    fn a_vacancy_is_of_one_table() {
        let cache = Cache::for_tests(2 << 20, true).unwrap();
        let qname = cache.hashed(b"host.test");
        let Presence::Nothing(Some(vacancy)) = cache.presence(&qname, RecordType::A) else {
            panic!("the cache is empty");
        };
        cache.set_for_tests(Setting::Limit(1 << 20));
        cache.collect_garbage(NOW);
        assert!(!cache.is_still_vacant(&vacancy), "another table is in use");
    }
}
