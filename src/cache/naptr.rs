//! The NAPTR record that a call begins with, read without a reference.
//!
//! The count of holders is the word for which processes that send to the same domain would fight. A handle that has no
//! place for the NAPTR entry need not hold it: it goes back to the entry by the hash of the owner's name. So the
//! records are read where they stand, and the replacement of the best record alone is copied. The SRV records lead back
//! to the owner under the hash of that replacement.

use crate::rr::{MAX_NAME_OCTETS, RecordType};

use super::hash::ABSOLUTE;
use super::view::View;
use super::{Cache, HashedName, layout, owners};

/// Where the C struct of a record has its order and preference, the lengths of its texts, and the texts.
const NUMBERS: usize = 32;
const LENGTHS: usize = 36;
const TEXTS: usize = 41;
/// Octets of the words that hold the texts compared, and where the first text begins there.
const WINDOW: usize = 12;
const WINDOW_START: usize = 1;
/// Room for a replacement that begins anywhere in a word.
const ROOM: usize = MAX_NAME_OCTETS.div_ceil(4) + 1;

/// The fields of a record that [`Cache::with_best_naptr`] offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NaptrFields<'a> {
    /// Lower first.
    pub order: u16,
    /// Lower first within one order.
    pub preference: u16,
    /// E.g. `s`.
    pub flags: &'a [u8],
    /// E.g. `SIP+D2U`.
    pub services: &'a [u8],
}

/// A replacement inside a block.
#[derive(Clone, Copy)]
struct Text {
    offset: usize,
    length: usize,
    hash: u32,
}

impl Cache {
    /// Offers the replacement of the record that `rank` puts first, with what else `rank` gave, as the name under which
    /// SRV records stand that lead back to `qname` (see [`Self::leading_back`]); `None` when
    /// nothing live is cached, or no record has a rank. Of equal ones the first in stored order counts.
    ///
    /// `rank` is not asked for records with a regexp, nor for those whose flags and services together have more than 11
    /// octets. `rank` may be asked for a record that is being overwritten, so it must have no effect but its result.
    #[inline]
    pub fn with_best_naptr<K: Ord, V, T>(
        &self,
        qname: &HashedName<'_>,
        now: u32,
        rank: impl Fn(NaptrFields<'_>) -> Option<(K, V)>,
        found: impl FnOnce(V, &HashedName<'_>) -> T,
    ) -> Option<T> {
        let mut words = [[0; 4]; ROOM];
        let seen = self.look(qname, RecordType::NAPTR, |view| {
            if view.is_expired(now) || view.is_negative() {
                return None;
            }
            if view.stamp(now) {
                return None;
            }
            let (value, text) = view.best_naptr(&rank)?;
            view.copy_text(text, &mut words);
            Some((value, text))
        });
        let (value, text) = seen.flatten()?;
        let start = text.offset % 4;
        let replacement = words.as_flattened().get(start..start + text.length)?;
        let hash = if text.hash & ABSOLUTE == 0 {
            owners::hash_of_copy(text.hash | ABSOLUTE, qname.hash())
        } else {
            text.hash
        };
        Some(found(value, &HashedName::with_kept_hash(replacement, hash)))
    }
}

impl View {
    fn best_naptr<K: Ord, V>(
        &self,
        rank: impl Fn(NaptrFields<'_>) -> Option<(K, V)>,
    ) -> Option<(V, Text)> {
        let mut best: Option<(K, V, Text)> = None;
        let mut data = layout::first_data(usize::from(self.name_len())).next_multiple_of(8);
        let mut hash = self.word(layout::RR_LINK);
        for _ in 0..self.count() {
            let lengths = self.data(data + LENGTHS).to_ne_bytes();
            let [flags, services, regexp, replacement] = lengths.map(usize::from);
            let text = Text {
                offset: data + TEXTS + flags + services + regexp,
                length: replacement,
                hash,
            };
            if regexp == 0 && flags + services <= WINDOW - WINDOW_START {
                let window: [[u8; 4]; WINDOW / 4] = std::array::from_fn(|word| {
                    self.data(data + TEXTS - WINDOW_START + 4 * word)
                        .to_ne_bytes()
                });
                let texts = window.as_flattened().get(WINDOW_START..)?;
                let numbers = self.data(data + NUMBERS).to_ne_bytes();
                let [order, preference] = [[numbers[0], numbers[1]], [numbers[2], numbers[3]]];
                let ranked = rank(NaptrFields {
                    order: u16::from_ne_bytes(order),
                    preference: u16::from_ne_bytes(preference),
                    flags: texts.get(..flags)?,
                    services: texts.get(flags..flags + services)?,
                });
                if let Some((key, value)) = ranked
                    && best.as_ref().is_none_or(|(least, _, _)| key < *least)
                {
                    best = Some((key, value, text));
                }
            }
            let node = (text.offset + replacement + 1).next_multiple_of(8);
            hash = self.data(node + layout::RR_LINK);
            data = node + layout::RR_BYTES;
        }
        best.map(|(_, value, text)| (value, text))
    }

    /// Copies the words that a text stands in.
    fn copy_text(&self, text: Text, out: &mut [[u8; 4]; ROOM]) {
        let first = text.offset & !3;
        let words = (text.offset % 4 + text.length).div_ceil(4);
        for (word, place) in out.iter_mut().enumerate().take(words) {
            *place = self.data(first + 4 * word).to_ne_bytes();
        }
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::RecordView;
    use super::super::hash::NameHash;
    use super::super::set::{self, Set};
    use super::*;
    use crate::rr::RData;

    const NOW: u32 = 300;

    fn naptr(order: u16, texts: [&str; 3], replacement: &str) -> RData {
        set::naptr((order, order / 2), texts.into(), replacement)
    }

    fn put(cache: &Cache, name: &[u8], records: &[RData]) {
        let set = Set::of(name, RecordType::NAPTR).records(60, records);
        set.put(cache, NOW).unwrap();
    }

    /// The fields that are offered and chosen are those of the records, wherever these stand in their words.
    #[test]
    fn all_fields_are_those_of_the_records() {
        for shift in 1..12 {
            let cache = Cache::for_tests(1 << 20, false).unwrap();
            let long = "x".repeat(60 + shift);
            let records = [
                naptr(9, ["s", "SIP+D2U", ""], &"r".repeat(shift)),
                naptr(7, ["", &"y".repeat(shift), ""], "second.example"),
                naptr(1, ["u", "E2U+sip", "!^.*$!sip:x@y!"], "regexp.example"),
                naptr(1, ["s", "service+too+long", ""], "text.example"),
                naptr(5, ["S", "SIPS+D2T", ""], &format!("{long}.example")),
                naptr(5, ["s", "sip+d2t", ""], "tie.example"),
                naptr(
                    11,
                    ["s", "SIP+D2T", ""],
                    &format!("_sip.{}", "N".repeat(shift)),
                ),
            ];
            let owner = "n".repeat(shift);
            put(cache, owner.as_bytes(), &records);
            let qname = cache.hashed(owner.as_bytes());
            let entry = cache.acquire_records(&qname, RecordType::NAPTR, NOW);
            let entry = entry.unwrap();
            let best_but = |left_out: &[u16]| {
                let rank = |fields: NaptrFields<'_>| {
                    let stands = entry.records().any(|record| {
                        matches!(record, RecordView::Naptr { order, preference, flags, services, .. }
                            if (order, preference, flags, services)
                                == (fields.order, fields.preference, fields.flags, fields.services))
                    });
                    assert!(stands, "{fields:?}");
                    (!left_out.contains(&fields.order)).then_some((fields.order, fields.preference))
                };
                cache.with_best_naptr(&qname, NOW, rank, |preference, name| {
                    let hash = cache.name_hash(name.name());
                    let is_below = crate::rr::is_below(name.name(), owner.as_bytes());
                    assert_eq!(name.hash() == hash, is_below);
                    assert_eq!(NameHash::is_of_copy(name.hash()), !is_below);
                    (preference, name.name().to_vec())
                })
            };
            let target = |preference, name: &str| Some((preference, name.as_bytes().to_vec()));
            assert_eq!(best_but(&[]), target(2, &format!("{long}.example")));
            let second = "second.example";
            assert_eq!(best_but(&[5]), target(3, second), "{shift}");
            assert_eq!(best_but(&[5, 7]), target(4, &"r".repeat(shift)));
            let below = format!("_sip.{}", "N".repeat(shift));
            assert_eq!(best_but(&[5, 7, 9]), target(5, &below));
            assert_eq!(best_but(&[5, 7, 9, 11]), None);
        }
    }

    /// Whatever a writer does meanwhile, the result is that of one of the sets.
    #[test]
    fn sets_that_change_are_never_mixed() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let sets: Vec<Vec<RData>> = (0..4_u16)
            .map(|set| {
                let name =
                    |i: u16| format!("{}-{set}.example", "n".repeat(usize::from(9 * set + i)));
                let record = |i| naptr(10 * set + i, ["s", "SIP+D2U", ""], &name(i));
                // As many records, so that the sets stand in blocks of one size and take turns in them.
                (1..4).map(record).collect()
            })
            .collect();
        put(cache, b"d", &sets[0]);
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..30_000 {
                    put(cache, b"d", &sets[round % sets.len()]);
                    put(cache, b"e", &sets[(round + 1) % sets.len()]);
                }
                stop.store(true, std::sync::atomic::Ordering::Relaxed);
            });
            let mut seen = [0_u32; 4];
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let rank = |fields: NaptrFields<'_>| {
                    Some((fields.order, (fields.order, fields.preference)))
                };
                let found = cache.with_best_naptr(
                    &cache.hashed(b"d"),
                    NOW,
                    rank,
                    |(order, preference), name| {
                        let set = usize::from(order / 10);
                        let RData::Naptr(wanted) = &sets[set][0] else {
                            panic!("not a NAPTR record");
                        };
                        assert_eq!((order, preference), (wanted.order, wanted.preference));
                        assert_eq!(name.name(), wanted.replacement.as_bytes());
                        assert!(NameHash::is_of_copy(name.hash()));
                        set
                    },
                );
                // An entry is replaced without a moment at which there is none.
                seen[found.unwrap()] += 1;
            }
            assert!(seen.iter().all(|&times| times > 0), "{seen:?}");
        });
    }

    #[test]
    fn only_what_is_live() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        put(cache, b"d", &[naptr(1, ["s", "SIP+D2U", ""], "t")]);
        let seen = |name: &[u8], now| {
            let all = |_: NaptrFields<'_>| Some(((), ()));
            cache.with_best_naptr(&cache.hashed(name), now, all, |(), name| {
                name.name().to_vec()
            })
        };
        let end = crate::host::clock::after_seconds(NOW, 60);
        assert_eq!(seen(b"D", end - 1), Some(b"t".to_vec()));
        assert_eq!(seen(b"d", end), None);
        assert_eq!(seen(b"e", NOW), None);
    }
}
