//! Entries in use that expire soon, or have expired: those who look them up note them here, and a
//! refresher fetches them anew before anybody has to wait.
//!
//! Most hits do none of this. A hit that writes the use stamp, once a second, also looks how much of the entry's life
//! is left, and the refresher sees its note at once. The refresher finds entries with earlier uses by itself: it looks
//! through the table again and again, a part at a time, for entries in use whose end comes near.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::host::clock::{self, TICKS_PER_S};
use crate::host::options::{self, ExtraOpt};
use crate::host::shared::{Shared, shared_struct};
use crate::rr::{MAX_CNAME_HOPS, MAX_TTL_S, RecordType, eq_ignore_case};
use crate::shm::pages::BlockId;

use super::{Cache, EntryRef, RecordView, layout};

/// Entries noted and not yet fetched; beyond, the oldest are forgotten, and noted again at their next use.
const PLACES: usize = 1024;
/// The least window, ticks: a use is seen up to a second late, and more than a second is left for the query.
const MIN_WINDOW: u32 = 5 * TICKS_PER_S / 2;

shared_struct! {
    /// The notes that readers and refresher share.
    struct Board {
        /// Tick until which a refresher is taken for alive; above bit 32 whether there ever was one.
        alive: AtomicU64,
        /// Counts the notes.
        noted: AtomicU32,
        /// Block (32 bits), type asked (16), and 1 above; 0 = empty.
        places: [AtomicU64; PLACES],
    }
}

static BOARD: Shared<Board> = Shared::new();

/// An entry to fetch anew.
#[derive(Debug)]
pub struct Due {
    /// The entry.
    pub entry: EntryRef,
    /// The type of the question: the entry's type, or, where the entry is an alias, that of the target.
    pub qtype: RecordType,
}

/// An entry in use that is to be fetched anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upcoming {
    /// Number of the entry.
    pub number: u32,
    /// The type of the question; see [`Due::qtype`].
    pub qtype: RecordType,
    /// From this tick on.
    pub due: u32,
    /// The entry expires at this tick.
    pub expire: u32,
}

/// Maps the board; before fork.
pub fn prepare() {
    BOARD.get();
}

/// Says that a refresher is at work and will be back within so many ticks.
pub fn refresher_works(ticks: u32) {
    let until = clock::now_ticks().wrapping_add(ticks);
    let board = BOARD.get();
    board
        .alive
        .store(1 << 32 | u64::from(until), Ordering::Relaxed);
}

/// Says that there is no refresher any more.
pub fn refresher_ends() {
    BOARD.get().alive.store(0, Ordering::Relaxed);
}

/// True while a refresher takes care of what is noted.
#[must_use]
pub fn is_refresher_alive(now: u32) -> bool {
    let alive = BOARD.get().alive.load(Ordering::Relaxed);
    alive >> 32 != 0 && !clock::is_past(alive as u32, now)
}

/// There is one board in a process: tests that say whether there is a refresher do so one after the other.
#[cfg(all(test, not(loom)))]
pub(crate) fn turn_for_tests() -> std::sync::MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    TURN.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn put(block: BlockId, qtype: RecordType) {
    let board = BOARD.get();
    let number = board.noted.fetch_add(1, Ordering::Relaxed) as usize;
    if let Some(place) = board.places.get(number % PLACES) {
        let word = 1 << 48 | u64::from(qtype.0) << 32 | u64::from(block);
        place.store(word, Ordering::Relaxed);
    }
}

/// Notes an entry that was just used if it is in the last part of its life; `counts` is its word at
/// [`layout::COUNTS`].
#[cold]
pub(super) fn note_use(block: BlockId, qtype: RecordType, expire: u32, counts: u32, now: u32) {
    let left = expire.wrapping_sub(now);
    if left <= window(layout::life_s(counts)) && is_refresher_alive(now) {
        put(block, qtype);
    }
}

/// True for an entry that is expired or in the last part of its life.
#[must_use]
pub fn is_due(entry: &EntryRef, now: u32) -> bool {
    let left = entry.expire().wrapping_sub(now);
    let ends = entry.is_expired(now) || left <= window(layout::life_s(entry.counts()));
    ends && !entry.is_permanent()
}

/// The last part of a life of so many seconds in which an entry in use is fetched anew, ticks.
fn window(life_s: u32) -> u32 {
    let percent = options::extra(ExtraOpt::RefreshAhead);
    if percent == 0 {
        return 0;
    }
    let life = life_s * TICKS_PER_S;
    (life / 100 * percent).max(MIN_WINDOW).min(life / 2)
}

impl Cache {
    /// Notes an entry that was just used if it is in the last part of its life: an alias or a link that was followed
    /// for the sake of a type, or an entry of the type that was reached in this way.
    #[cold]
    pub fn note_followed(&self, entry: &EntryRef, qtype: RecordType, now: u32) {
        if !entry.is_permanent() {
            let block = self.number_of(entry);
            note_use(block, qtype, entry.expire(), entry.counts(), now);
        }
    }

    /// Asks the refresher to fetch an entry anew.
    pub fn note_due(&self, entry: &EntryRef, qtype: RecordType) {
        let block = self.number_of(entry);
        if block != 0 {
            put(block, qtype);
        }
    }

    /// Takes what was noted.
    ///
    /// The same entry may come twice.
    pub fn take_noted(&self) -> impl Iterator<Item = Upcoming> + '_ {
        let board = BOARD.get();
        board.places.iter().filter_map(move |place| {
            if place.load(Ordering::Relaxed) == 0 {
                return None;
            }
            let word = place.swap(0, Ordering::Relaxed);
            let entry = self.by_number(word as u32)?;
            Some(Upcoming {
                number: word as u32,
                qtype: RecordType((word >> 32) as u16),
                due: entry
                    .expire()
                    .wrapping_sub(window(layout::life_s(entry.counts()))),
                expire: entry.expire(),
            })
        })
    }

    /// Looks through `count` buckets of the table, from number `from` on, for entries in use that are to be fetched
    /// anew within `ahead` ticks. Gives the number to go on at; `None` at the end of the table.
    ///
    /// Takes no reference: look at an entry that is found again with [`Self::due`].
    pub fn survey(
        &self,
        (from, count): (usize, usize),
        (now, ahead): (u32, u32),
        found: &mut impl FnMut(Upcoming),
    ) -> Option<usize> {
        let buckets = self.table().buckets();
        let keep = options::extra(ExtraOpt::KeepFresh).min(MAX_TTL_S) * TICKS_PER_S;
        let end = from.saturating_add(count).min(buckets.len());
        let part = buckets.get(from..end).unwrap_or_default();
        for bucket in part {
            for place in 0..super::table::PLACES {
                let upcoming = self.upcoming(bucket.block(place), now, keep);
                if let Some(upcoming) = upcoming
                    && clock::is_past(upcoming.due.wrapping_sub(ahead), now)
                {
                    found(upcoming);
                }
            }
        }
        (end < buckets.len()).then_some(end)
    }

    /// When an entry is to be fetched anew; `None` = not at all.
    fn upcoming(&self, block: BlockId, now: u32, keep: u32) -> Option<Upcoming> {
        if block == 0 {
            return None;
        }
        let head = self.pages.words_from(block)?;
        let word = |offset: usize| {
            head.get(offset / 4)
                .map(|word| word.load(Ordering::Relaxed))
        };
        let (rtype, flags, _) = layout::split_identity(word(layout::IDENTITY)?);
        if flags & layout::FLAG_PERMANENT != 0 {
            return None;
        }
        let counts = word(layout::COUNTS)?;
        let is_negative = flags & layout::FLAG_NEGATIVE != 0;
        if is_negative && layout::decode_kind(counts).is_failure() {
            return None;
        }
        let (expire, stamp) = (word(layout::EXPIRE)?, word(layout::LAST_USED)?);
        let is_over = clock::is_past(expire, now);
        let idle = (now.wrapping_sub(stamp) as i32).max(0).cast_unsigned();
        let is_recent = layout::tells_of_use(stamp) && idle <= keep;
        let is_used = layout::was_used(stamp) && !is_over;
        (is_recent || is_used).then(|| Upcoming {
            number: block,
            qtype: RecordType(rtype),
            due: expire.wrapping_sub(window(layout::life_s(counts))),
            expire,
        })
    }

    /// The entry that is to be fetched anew now; `None` when that was done meanwhile, or is not due yet.
    #[must_use]
    pub fn due(&self, upcoming: &Upcoming, now: u32) -> Option<Due> {
        let entry = self.original(self.by_number(upcoming.number)?);
        if !is_due(&entry, now) || !entry.is_linked() {
            return None;
        }
        let qtype = match entry.rtype() {
            RecordType::CNAME if upcoming.qtype != RecordType::CNAME => upcoming.qtype,
            RecordType::CNAME => self.followed_for(&entry)?,
            rtype => rtype,
        };
        Some(Due { entry, qtype })
    }

    /// The entry of which this one is a copy that leads back to another name: the entry is as much in use as the copy.
    /// A copy stays behind when the entry is fetched anew.
    fn original(&self, entry: EntryRef) -> EntryRef {
        if entry.owner().is_none() {
            return entry;
        }
        match self.acquire_exact_any_age(&self.hashed(entry.name()), entry.rtype()) {
            Some(original) => {
                original.inherit_use(entry.last_used());
                original
            }
            None => entry,
        }
    }

    /// The type for which an alias is followed: the type in use that its target has.
    fn followed_for(&self, alias: &EntryRef) -> Option<RecordType> {
        let kept = RecordType::KEPT.iter().map(|(rtype, _)| *rtype);
        let types = kept.filter(|rtype| *rtype != RecordType::CNAME);
        let mut target = alias.clone();
        for _ in 0..MAX_CNAME_HOPS {
            let name = match target.record(0)? {
                RecordView::Cname(name) => self.hashed(name),
                _ => return None,
            };
            let with = |rtype| self.acquire_exact_any_age(&name, rtype);
            let used = types
                .clone()
                .filter_map(with)
                .filter(|entry| layout::tells_of_use(entry.last_used()))
                .max_by_key(|entry| entry.last_used().wrapping_sub(alias.expire()) as i32);
            if let Some(used) = used {
                return Some(used.rtype());
            }
            let further = with(RecordType::CNAME)?;
            target = further;
        }
        None
    }

    /// The entry that stands in the place of another now.
    #[must_use]
    pub fn successor(&self, old: &EntryRef) -> Option<EntryRef> {
        let same = |entry: &EntryRef| eq_ignore_case(entry.name(), old.name());
        self.acquire_by_hash(old.hash(), old.rtype(), &same)
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::NegativeKind;
    use super::super::set::{Set, a, cname, srv};
    use super::*;
    use crate::host::clock::after_seconds;
    use crate::rr::RData;

    #[test]
    fn the_window_is_a_tenth_and_at_least_two_seconds_and_a_half() {
        assert_eq!(window(300), 30 * TICKS_PER_S);
        assert_eq!(window(10), MIN_WINDOW);
        assert_eq!(window(2), TICKS_PER_S);
        assert_eq!(window(0), 0);
    }

    /// A stamp keeps multiples of four.
    const NOW: u32 = (u32::MAX - 4000) & !3;

    fn put(cache: &Cache, name: &str, rdata: RData) -> EntryRef {
        let rtype = match rdata {
            RData::Cname(_) => RecordType::CNAME,
            RData::Srv(_) => RecordType::SRV,
            _ => RecordType::A,
        };
        let set = Set::of(name, rtype).record(600, rdata);
        set.put(cache, NOW).unwrap()
    }

    /// The names of what is to be fetched anew at a time or so many seconds later, in steps of few buckets.
    fn survey(cache: &Cache, seconds: u32, ahead: u32) -> Vec<String> {
        const STEP: usize = 7;
        let (mut found, mut from, mut steps) = (Vec::new(), Some(0), 0);
        let times = (after_seconds(NOW, seconds), ahead * TICKS_PER_S);
        while let Some(at) = from {
            from = cache.survey((at, STEP), times, &mut |upcoming| {
                let entry = cache.by_number(upcoming.number).unwrap();
                assert_eq!(
                    (upcoming.qtype, upcoming.expire),
                    (entry.rtype(), entry.expire())
                );
                found.push(String::from_utf8_lossy(entry.name()).into_owned());
            });
            steps += 1;
        }
        assert_eq!(steps, cache.table().buckets().len().div_ceil(STEP));
        found.sort();
        found
    }

    /// With the options as they are: in the last tenth of its life, and for a minute after its last use.
    #[test]
    fn a_survey_finds_what_is_in_use_and_ends_soon() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let at = |seconds| after_seconds(NOW, seconds);
        put(cache, "never", a(1));
        put(cache, "early", a(1)).touch(at(0));
        put(cache, "late", a(1)).touch(at(560));
        put(cache, "inherited", a(1)).inherit_use(layout::use_stamp(at(490)));
        let fixed = Set::of("fixed", RecordType::A)
            .record(600, a(1))
            .permanent(true);
        fixed.put(cache, NOW).unwrap().touch(at(560));
        for (name, kind) in [
            ("absent", NegativeKind::NoData),
            ("failed", NegativeKind::Failure),
        ] {
            let set = Set::absence(name, RecordType::A, kind, 600);
            set.put(cache, NOW).unwrap().touch(at(560));
        }
        for (seconds, ahead, names) in [
            (500, 39, &[][..]),
            (500, 40, &["absent", "early", "inherited", "late"]),
            (540, 0, &["absent", "early", "inherited", "late"]),
            (551, 0, &["absent", "early", "late"]),
            (599, 0, &["absent", "early", "late"]),
            (601, 0, &["absent", "late"]),
            (620, 0, &["absent", "late"]),
            (621, 0, &[]),
        ] {
            assert_eq!(survey(cache, seconds, ahead), names, "{seconds} {ahead}");
        }
    }

    #[test]
    fn what_is_due_is_fetched_for_the_type_that_is_in_use() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let late = after_seconds(NOW, 550);
        let upcoming = |entry: &EntryRef, qtype| Upcoming {
            number: cache.number_of(entry),
            qtype,
            due: late,
            expire: entry.expire(),
        };
        let of = |entry: &EntryRef, qtype, now| {
            let due = cache.due(&upcoming(entry, qtype), now)?;
            assert_eq!(due.entry.as_raw(), entry.as_raw());
            Some(due.qtype)
        };
        let host = put(cache, "host", a(1));
        let (early, a_type) = (after_seconds(NOW, 539), RecordType::A);
        assert_eq!(of(&host, a_type, early), None);
        assert_eq!(of(&host, a_type, after_seconds(NOW, 540)), Some(a_type));
        assert_eq!(of(&host, a_type, after_seconds(NOW, 601)), Some(a_type));
        // An alias is followed to the type that is in use, the last one used of two, through other aliases.
        let [first, second] =
            [("one", "Two"), ("two", "host")].map(|(name, target)| put(cache, name, cname(target)));
        assert_eq!(of(&first, RecordType::CNAME, late), None);
        host.touch(after_seconds(NOW, 100));
        for alias in [&first, &second] {
            assert_eq!(of(alias, RecordType::CNAME, late), Some(a_type));
            assert_eq!(of(alias, RecordType::SRV, late), Some(RecordType::SRV));
        }
        let service = put(cache, "host", srv(1, 1, 5060, "x"));
        assert_eq!(of(&second, RecordType::CNAME, late), Some(a_type));
        service.touch(after_seconds(NOW, 200));
        assert_eq!(of(&second, RecordType::CNAME, late), Some(RecordType::SRV));
        host.touch(after_seconds(NOW, 300));
        assert_eq!(of(&second, RecordType::CNAME, late), Some(a_type));
        // What leads in a circle is in use for nothing.
        let round = put(cache, "round", cname("ROUND"));
        assert_eq!(of(&round, RecordType::CNAME, late), None);
        // What was fetched meanwhile, or is gone, is not fetched once more.
        let old = upcoming(&host, a_type);
        let new = put(cache, "Host", a(2));
        assert!(cache.due(&old, late).is_none());
        assert_eq!(
            cache.successor(&host).map(|entry| entry.as_raw()),
            Some(new.as_raw())
        );
        assert!(cache.remove(&new) && cache.successor(&host).is_none());
        let number = upcoming(&host, a_type).number;
        drop((host, new));
        assert!(cache.by_number(number).is_none() && cache.due(&old, late).is_none());
    }

    #[test]
    fn what_is_permanent_is_never_due() {
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let set = Set::of("n", RecordType::A).record(600, a(1));
        for (permanent, seconds, wanted) in [
            (false, 539, false),
            (false, 540, true),
            (false, 9000, true),
            (true, 540, false),
            (true, 9000, false),
        ] {
            let entry = set.clone().permanent(permanent).put(cache, NOW).unwrap();
            let now = after_seconds(NOW, seconds);
            assert_eq!(is_due(&entry, now), wanted, "{permanent} {seconds}");
            assert!(cache.remove(&entry));
        }
    }

    /// Readers of other tests note other types.
    #[test]
    fn what_readers_note_comes_to_the_refresher_once() {
        const TYPE: RecordType = RecordType::EBL;
        let _turn = turn_for_tests();
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let now = clock::now_ticks();
        let put = |name: &str, rtype, rdata, left: u32| {
            let made = now.wrapping_sub((600 - left) * TICKS_PER_S);
            let set = Set::of(name, rtype).record(600, rdata);
            cache.number_of(&set.put(cache, made).unwrap())
        };
        let noted = || {
            let all = cache.take_noted().filter(|upcoming| upcoming.qtype == TYPE);
            let mut numbers: Vec<_> = all
                .map(|upcoming| {
                    let entry = cache.by_number(upcoming.number).unwrap();
                    assert_eq!(upcoming.expire, entry.expire());
                    let ahead = window(layout::life_s(entry.counts()));
                    assert_eq!(upcoming.due, entry.expire().wrapping_sub(ahead));
                    upcoming.number
                })
                .collect();
            // The same entry may come twice.
            numbers.sort_unstable();
            numbers.dedup();
            numbers
        };
        let ebl = || RData::Ebl {
            position: 1,
            separator: b"x"[..].into(),
            apex: super::super::set::name("y"),
        };
        let late = put("late", TYPE, ebl(), 59);
        put("early", TYPE, ebl(), 63);
        let alias = put("alias", RecordType::CNAME, cname("late"), 59);
        let look = |now| {
            for name in ["late", "early", "alias"] {
                assert!(
                    cache.acquire(name.as_bytes(), TYPE, now).is_some(),
                    "{name}"
                );
            }
        };
        // Nobody would take a note.
        refresher_ends();
        assert!(!is_refresher_alive(now));
        look(now);
        assert_eq!(noted(), []);
        refresher_works(100);
        let works = clock::now_ticks();
        assert!(is_refresher_alive(works) && is_refresher_alive(works.wrapping_add(98)));
        assert!(!is_refresher_alive(works.wrapping_add(101)));
        // A use is noted once a second.
        let next = now.wrapping_add(TICKS_PER_S);
        look(next);
        look(next);
        let mut both = [late, alias];
        both.sort_unstable();
        assert_eq!((noted(), noted()), (both.to_vec(), vec![]));
        // What is asked for is noted in any case.
        let [late, early] =
            [&b"late"[..], b"early"].map(|name| cache.acquire_any_age(name, TYPE).unwrap());
        cache.note_due(&early, TYPE);
        cache.note_due(&late, TYPE);
        let mut both = [&late, &early].map(|entry| cache.number_of(entry));
        both.sort_unstable();
        assert_eq!((noted(), noted()), (both.to_vec(), vec![]));
        let fixed = Set::of("fixed", TYPE).record(600, ebl()).permanent(true);
        cache.note_followed(&fixed.put(cache, now).unwrap(), TYPE, now);
        refresher_ends();
        cache.note_followed(&late, TYPE, now);
        assert_eq!(noted(), []);
    }

    /// The quick look at an address notes uses, too.
    #[test]
    fn a_quick_look_is_noted() {
        let _turn = turn_for_tests();
        let cache = Cache::for_tests(1 << 20, false).unwrap();
        let now = clock::now_ticks();
        let set = Set::of("quick", RecordType::A).record(600, a(1));
        let entry = set.put(cache, now.wrapping_sub(550 * TICKS_PER_S)).unwrap();
        refresher_works(100);
        let seen = cache.peek_ipv4(&cache.hashed(b"quick"), now);
        assert!(matches!(seen, super::super::Peek::Address { .. }));
        let number = cache.number_of(&entry);
        assert!(cache.take_noted().any(|noted| noted.number == number));
        refresher_ends();
    }
}
