//! The processes that wait, and since when, in words that all processes share.
//!
//! A process that waits has a word of its own in which it says so; it takes it back when it goes on. Nobody else writes
//! there. Each that waits looks at the words of all from time to time, and finds out for itself whether too many wait
//! and it is the one to give up. So nobody has to be told anything, nobody holds a lock, and one that does not go on is
//! noticed: its word gets old.
//!
//! The one that gives up is the one that has waited longest, and there is one at a time: until it has taken its word
//! back it is that for all others.
#![allow(unsafe_code, reason = "marks a type as fit for shared memory")]

use super::mutation::{Mutation, seeded};
use super::sync::{AtomicU64, Ordering};

/// The place of one process.
#[repr(transparent)]
pub(crate) struct Place(AtomicU64);

#[cfg(not(loom))]
// SAFETY: repr(transparent), an atomic integer.
unsafe impl crate::host::shared::Zeroed for Place {}

/// The word of a process that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Since when, ms; cut to 23 bits.
    pub(crate) since_ms: u32,
    /// The process waits for a name below this parent, whose names keep failing; 0 = below none. 24 bits.
    pub(crate) parent: u32,
}

const WAITS: u64 = 1 << 63;
const SINCE: u32 = 0x7f_ffff;
const LOOKED: u32 = 0xffff;
pub(crate) const PARENT: u32 = 0xff_ffff;
/// The unit in which it is kept when somebody last looked, ms.
const LOOKED_UNIT_MS: u32 = 32;
/// Times that begin later than now, but by no more than this, have just begun.
const MOST_AHEAD_MS: u32 = 1000;
/// A process that has not looked for so long does not go on, ms.
pub(crate) const LAPSE_MS: u32 = 1000;
/// How often each that waits looks, ms, and how often the one looks that has to be quick.
pub(crate) const LOOK_MS: u32 = 50;
const QUICK_MS: u32 = 2;
/// How often it looks where few are to wait.
const FAILING_MS: u32 = 10;

impl Waiting {
    /// A bit that says that somebody waits, since when (23 bits, ms), when he last looked (16), the parent (24).
    fn to_word(self, now_ms: u32) -> u64 {
        WAITS
            | u64::from(self.since_ms & SINCE) << 40
            | u64::from((now_ms / LOOKED_UNIT_MS) & LOOKED) << 24
            | u64::from(self.parent & PARENT)
    }
}

/// A word that was read.
#[derive(Clone, Copy)]
struct Seen {
    age_ms: u32,
    since_look_ms: u32,
    parent: u32,
}

impl Seen {
    fn of(word: u64, now_ms: u32) -> Option<Self> {
        if word & WAITS == 0 {
            return None;
        }
        let age = now_ms.wrapping_sub((word >> 40) as u32) & SINCE;
        let looked = (now_ms / LOOKED_UNIT_MS).wrapping_sub((word >> 24) as u32) & LOOKED;
        // A clock that was read at the same moment elsewhere may be a little ahead.
        let not_ahead = |time: u32, most: u32, ahead: u32| {
            if time > most - ahead { 0 } else { time }
        };
        let ahead = MOST_AHEAD_MS / LOOKED_UNIT_MS;
        Some(Self {
            age_ms: not_ahead(age, SINCE, MOST_AHEAD_MS),
            since_look_ms: not_ahead(looked, LOOKED, ahead) * LOOKED_UNIT_MS,
            parent: word as u32 & PARENT,
        })
    }

    /// The process was killed, stopped, or is held up where it cannot look.
    fn has_lapsed(self) -> bool {
        !seeded(Mutation::LapsedCounts) && self.since_look_ms > LAPSE_MS
    }
}

impl Place {
    /// Says that the process waits. Again: that it still looks.
    pub(crate) fn wait(&self, waiting: Waiting, now_ms: u32) {
        // A change rather than a store: see `look`.
        self.0.swap(waiting.to_word(now_ms), Ordering::SeqCst);
    }

    /// The process goes on.
    pub(crate) fn go_on(&self) {
        if !seeded(Mutation::PlaceStays) {
            self.0.swap(0, Ordering::SeqCst);
        }
    }

    #[cfg(not(loom))]
    fn look(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// See `claim::look`. Where a word is changed so, loom wants all else that changes it to be a change, too.
    #[cfg(loom)]
    fn look(&self) -> u64 {
        self.0.fetch_or(0, Ordering::SeqCst)
    }
}

/// How many may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Of those that go on, percent; at least one may, and at least one may not.
    pub(crate) percent: u32,
    /// A process that has waited for less gives up only when nobody is left who does not wait, ms.
    pub(crate) least_ms: u32,
    /// Even then the process has so long, ms.
    pub(crate) grace_ms: u32,
}

/// Part of the places that names below parents have which keep failing.
const PART_OF_FAILING: u32 = 4;

/// The advice to a process that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Give up.
    GiveUp,
    /// Look again after so long, ms.
    LookAfter(u32),
}

/// Sums over those that wait.
#[derive(Default)]
struct Sums {
    members: u32,
    waiting: u32,
    failing: u32,
    /// Of my parent.
    siblings: u32,
    /// Processes that have waited for longer than I: in all, of those below failing parents, of my parent.
    before: u32,
    failing_before: u32,
    siblings_before: u32,
}

/// The advice to the process at `mine`, which waits for that. `places` gives the places of all, by number; a member is
/// told by whether it is among `members`.
pub(crate) fn advise<'a>(
    places: impl Fn(usize) -> Option<&'a Place>,
    members: &[usize],
    (mine, waiting): (usize, Waiting),
    limits: Limits,
    now_ms: u32,
) -> Advice {
    let Some(me) = Seen::of(waiting.to_word(now_ms), now_ms) else {
        return Advice::LookAfter(LOOK_MS);
    };
    let mut sums = Sums::default();
    for &number in members {
        let word = places(number).map_or(0, Place::look);
        let seen = if number == mine {
            Some(me)
        } else {
            Seen::of(word, now_ms)
        };
        sums.add((number, seen), (mine, me));
    }
    sums.advise(me, limits)
}

impl Sums {
    fn add(&mut self, (number, seen): (usize, Option<Seen>), (mine, me): (usize, Seen)) {
        if seen.is_some_and(Seen::has_lapsed) {
            return;
        }
        self.members += 1;
        let Some(seen) = seen else { return };
        let is_tied = seen.age_ms == me.age_ms && !seeded(Mutation::TieGivesUp);
        let is_before = number != mine && (seen.age_ms > me.age_ms || is_tied && number < mine);
        let is_failing = seen.parent != 0;
        let is_sibling = is_failing && seen.parent == me.parent;
        self.waiting += 1;
        self.failing += u32::from(is_failing);
        self.siblings += u32::from(is_sibling);
        self.before += u32::from(is_before);
        self.failing_before += u32::from(is_before && is_failing);
        self.siblings_before += u32::from(is_before && is_sibling);
    }

    fn advise(&self, me: Seen, limits: Limits) -> Advice {
        if self.members < 2 {
            return Advice::LookAfter(LOOK_MS);
        }
        let most = (self.members.saturating_mul(limits.percent) / 100).clamp(1, self.members - 1);
        let free = self.members.saturating_sub(self.waiting);
        let is_failing = me.parent != 0;
        let most_failing = (most / PART_OF_FAILING).max(1);
        if is_failing
            && self.failing > most_failing
            && self.siblings > 1
            && self.siblings_before == 0
        {
            return Advice::GiveUp;
        }
        let gives_up = self.waiting > most
            && match (self.failing > 0, is_failing) {
                (true, true) => self.failing_before == 0,
                (true, false) => false,
                (false, _) if self.before > 0 => false,
                (false, _) => {
                    let least_ms = if free == 0 {
                        limits.grace_ms
                    } else {
                        limits.least_ms
                    };
                    me.age_ms >= least_ms
                }
            };
        if gives_up {
            return Advice::GiveUp;
        }
        let is_near = free <= (self.members / 8).max(1);
        let rank = if self.failing == 0 {
            self.before
        } else if is_failing {
            self.failing_before
        } else {
            self.failing + self.before - self.failing_before
        };
        let pause_ms = match is_near {
            true => QUICK_MS << rank.min(8),
            false if is_failing => FAILING_MS,
            false => LOOK_MS,
        };
        Advice::LookAfter(pause_ms.min(LOOK_MS))
    }
}

#[cfg(all(test, any(loom, miri)))]
#[path = "loom_crowd.rs"]
mod loom_crowd;

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::host::shared;

    const LIMITS: Limits = Limits {
        percent: 50,
        least_ms: 1500,
        grace_ms: 0,
    };
    const NOW: u32 = 0x80_0010;

    /// Processes by number, each with the time that it has waited, ms, and its parent; what each is to do.
    fn advices(processes: &[Option<(u32, u32)>]) -> Vec<Option<Advice>> {
        let places: &[Place; 64] = shared::map();
        let waiting = |(age, parent): (u32, u32)| Waiting {
            since_ms: NOW.wrapping_sub(age),
            parent,
        };
        for (place, process) in places.iter().zip(processes) {
            if let Some(process) = process {
                place.wait(waiting(*process), NOW);
            }
        }
        let members: Vec<_> = (0..processes.len()).collect();
        let advice = |(mine, process): (usize, &Option<(u32, u32)>)| {
            let waiting = waiting((*process)?);
            let at = |number: usize| places.get(number);
            Some(advise(at, &members, (mine, waiting), LIMITS, NOW))
        };
        processes.iter().enumerate().map(advice).collect()
    }

    /// The processes that give up.
    fn given_up(processes: &[Option<(u32, u32)>]) -> Vec<usize> {
        let advices = advices(processes).into_iter().enumerate();
        advices
            .filter(|(_, advice)| *advice == Some(Advice::GiveUp))
            .map(|(number, _)| number)
            .collect()
    }

    fn ages<const N: usize>(ages: [u32; N]) -> Vec<Option<(u32, u32)>> {
        ages.map(|age| (age > 0).then_some((age, 0))).to_vec()
    }

    #[test]
    fn words_keep_what_was_said() {
        for (since_ms, parent) in [(0, 0), (0x7f_ffff, 0xff_ffff), (77, 1)] {
            let waiting = Waiting { since_ms, parent };
            let seen = Seen::of(waiting.to_word(since_ms), since_ms.wrapping_add(64)).unwrap();
            assert_eq!((seen.age_ms, seen.parent), (64, parent));
            assert!(seen.since_look_ms <= 96 && !seen.has_lapsed());
            let seen = Seen::of(waiting.to_word(since_ms), since_ms.wrapping_sub(3)).unwrap();
            assert_eq!(seen.age_ms, 0, "another's clock");
        }
        assert!(Seen::of(0, 5).is_none());
    }

    #[test]
    fn the_longest_wait_ends_when_it_has_had_its_time() {
        assert_eq!(given_up(&ages([3000, 9, 8, 7, 0, 0, 0, 0])), [0; 0]);
        assert_eq!(given_up(&ages([9, 2000, 3000, 8, 7, 0, 0, 0])), [2]);
        // None has had it: all wait on, as long as somebody is left.
        assert_eq!(given_up(&ages([9, 1400, 1300, 8, 7, 6, 5, 0])), [0; 0]);
        assert_eq!(given_up(&ages([9, 1400, 1300, 8, 7, 6, 5, 4])), [1]);
        // Of those that came at the same time it is the first by number.
        assert_eq!(given_up(&ages([5; 8])), [0]);
    }

    #[test]
    fn a_burst_has_a_moment() {
        let places: &[Place; 2] = shared::map();
        let gives_up = |age, grace_ms| {
            let waiting = |age| Waiting {
                since_ms: NOW - age,
                parent: 0,
            };
            places[0].wait(waiting(age), NOW);
            places[1].wait(waiting(1), NOW);
            let limits = Limits { grace_ms, ..LIMITS };
            let advice = advise(|n| places.get(n), &[0, 1], (0, waiting(age)), limits, NOW);
            advice == Advice::GiveUp
        };
        assert!(gives_up(400, 400) && gives_up(5, 0));
        assert!(!gives_up(399, 400));
    }

    #[test]
    fn who_is_alone_is_never_limited_and_of_two_one_is_left() {
        assert_eq!(given_up(&ages([9000])), [0; 0]);
        assert_eq!(given_up(&ages([9000, 0])), [0; 0]);
        assert_eq!(given_up(&ages([9000, 1])), [0]);
        assert_eq!(given_up(&ages([9000, 8000, 1])), [0]);
    }

    #[test]
    fn parents_that_keep_failing_share_a_part_and_each_keeps_a_place() {
        let of = |parents: &[u32]| -> Vec<_> {
            let ages = 1..=parents.len() as u32;
            let list = ages.zip(parents);
            list.map(|(age, &parent)| (parent < 9).then_some((age, parent)))
                .collect()
        };
        // One place of eight, as long as there is another of the same parent; the older gives up.
        assert_eq!(given_up(&of(&[7, 9, 9, 7, 9, 9, 9, 9])), [3]);
        assert_eq!(given_up(&of(&[7, 9, 9, 8, 9, 6, 9, 9])), [0; 0]);
        assert_eq!(given_up(&of(&[7, 7, 8, 9, 9, 8, 9, 9])), [1, 5]);
        // Beyond the share of all they go first, whatever they have had.
        assert_eq!(given_up(&of(&[7, 8, 0, 0, 0, 9, 9, 9])), [1]);
        assert_eq!(given_up(&of(&[0, 0, 0, 0, 6, 9, 9, 9])), [4]);
    }

    #[test]
    fn who_does_not_look_counts_neither_as_waiting_nor_as_free() {
        let places: &[Place; 8] = shared::map();
        let members = [0, 1, 2, 3];
        let me = Waiting {
            since_ms: NOW - 500,
            parent: 0,
        };
        let old = Waiting {
            since_ms: NOW - 9000,
            parent: 0,
        };
        let advice = || advise(|n| places.get(n), &members, (3, me), LIMITS, NOW);
        for place in &places[..2] {
            place.wait(old, NOW - 9000);
        }
        places[3].wait(me, NOW);
        // Of the two that go on one waits.
        assert_ne!(advice(), Advice::GiveUp);
        places[2].wait(
            Waiting {
                since_ms: NOW,
                ..me
            },
            NOW,
        );
        assert_eq!(advice(), Advice::GiveUp);
        // Both processes go on, and serve.
        places[0].go_on();
        places[1].go_on();
        assert_ne!(advice(), Advice::GiveUp);
    }

    /// Times that are a second ahead are another's clock, and no more.
    #[test]
    fn a_clock_is_a_second_ahead_at_most() {
        let seen = |since_ms: u32, looked_ms: u32| {
            let parent = 0;
            Seen::of(Waiting { since_ms, parent }.to_word(looked_ms), NOW).unwrap()
        };
        assert_eq!(seen(NOW + 1000, NOW).age_ms, 0);
        assert_eq!(seen(NOW + 1001, NOW).age_ms, SINCE + 1 - 1001);
        assert!(!seen(NOW, NOW + 31 * LOOKED_UNIT_MS).has_lapsed());
        assert!(seen(NOW, NOW + 32 * LOOKED_UNIT_MS).has_lapsed());
    }

    #[test]
    fn one_is_left_whatever_part_may_wait() {
        let places: &[Place; 4] = shared::map();
        let waiting = |age| Waiting {
            since_ms: NOW - age,
            parent: 0,
        };
        for (age, place) in places.iter().enumerate() {
            place.wait(waiting(age as u32), NOW);
        }
        let limits = Limits {
            percent: 100,
            ..LIMITS
        };
        let oldest = (3, waiting(3));
        let advice = advise(|n| places.get(n), &[0, 1, 2, 3], oldest, limits, NOW);
        assert_eq!(advice, Advice::GiveUp);
    }

    /// Pauses until the next look, ms; 0 for who gives up.
    fn pauses(processes: &[Option<(u32, u32)>]) -> Vec<u32> {
        let advices = advices(processes).into_iter().flatten();
        advices
            .map(|advice| match advice {
                Advice::LookAfter(ms) => ms,
                Advice::GiveUp => 0,
            })
            .collect()
    }

    #[test]
    fn who_has_a_parent_that_keeps_failing_looks_often() {
        let [failing, other] = [Some((5, 7)), Some((9, 0))];
        let few = [failing, other, None, None, None, None, None, None];
        assert_eq!(pauses(&few), [FAILING_MS, LOOK_MS]);
        // They go first, then the others by age.
        let near = [
            Some((9, 7)),
            Some((8, 8)),
            Some((10, 0)),
            Some((7, 0)),
            Some((6, 0)),
            Some((5, 0)),
            Some((4, 0)),
            None,
        ];
        assert_eq!(pauses(&near), [0, 4, 8, 16, 32, 50, 50]);
        // A quarter of the places of those that wait is theirs.
        let mut many = vec![None; 16];
        many[..2].fill(failing);
        assert_eq!(given_up(&many), [0; 0]);
        many[2] = failing;
        assert_eq!(given_up(&many), [0]);
    }

    #[test]
    fn who_is_next_to_give_up_looks_often() {
        // An eighth of all is near.
        let mut many = ages([9; 16]);
        many[14..].fill(None);
        assert_eq!(pauses(&many)[..3], [2, 4, 8]);
        assert_eq!(pauses(&ages([3, 2, 0, 0, 0, 0, 0, 0])), [50, 50]);
        assert_eq!(
            pauses(&ages([3, 2, 1, 9, 8, 7, 6, 0])),
            [32, 50, 50, 2, 4, 8, 16]
        );
    }
}
