//! The askers of a question, in words that all processes share.
//!
//! A [`Slot`] has a word that says which question is open in it, and a seat for each of the two that may ask it at a
//! time. A question has a tag. Each question that is opened in a slot has a turn of its own: a seat or a result counts
//! for the turn that is written in it alone, so a process that comes late, or was taken for dead, harms nobody.
//!
//! No seat is for ever. A seat says who sits there, since when and for how long. Where that time is over, or the
//! process does not go on, another may take the seat. Seats are no lock: a process that finds no seat waits, or asks
//! without one.
#![allow(unsafe_code, reason = "marks a type as fit for shared memory")]

// Not in the models: nothing depends on its order.
use std::sync::atomic::AtomicU32 as Hint;

use super::kill_point::{KillPoint, reached};
use super::mutation::{Mutation, seeded};
use super::sync::{AtomicU32, AtomicU64, Ordering};

/// Askers of one question at a time.
pub(crate) const SEATS: usize = 2;

const TURN_BITS: u32 = 24;
const TURN: u64 = (1 << TURN_BITS) - 1;

/// A place for a question that is being asked.
#[repr(C, align(64))]
pub(crate) struct Slot {
    /// Tag of the question (40 bits; 0 = none is open), its turn (24).
    question: AtomicU64,
    /// Each: see [`Seat`]; 0 = nobody ever sat there.
    seats: [AtomicU64; SEATS],
    /// The result of a question, for those who wait: see [`Open::mark`].
    result: AtomicU64,
    /// Changes when something happens that those who wait have to see; they sleep on it.
    pub(crate) news: AtomicU32,
    /// How often a seat was taken for the question; a hint, which a process that comes late may spoil.
    asked: Hint,
    /// Number of those who wait; too high after the death of one, which costs nothing but a result that stands for
    /// longer.
    waiters: AtomicU32,
}

// SAFETY: repr(C), atomic integers only, all of which may be zero.
unsafe impl crate::host::shared::Zeroed for Slot {}

/// An asker of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) pid: u32,
    /// When the question was sent, ms; cut to 24 bits.
    pub(crate) begun_ms: u32,
    /// For how long it may be asked at the utmost; 0 = nobody does any more.
    pub(crate) time_ms: u32,
    /// Nobody waits for the answer itself, and who stores it may be long in coming to it.
    pub(crate) is_background: bool,
}

/// The unit in which a seat's time is kept, ms.
const TIME_UNIT_MS: u32 = 128;
const MOST_TIME: u32 = 0x1ff;
const CLOCK: u32 = 0xff_ffff;
/// Times that begin later than now, but by no more than this, have just begun; all others were long ago.
const MOST_AHEAD_MS: u32 = 1000;

impl Seat {
    /// Process (22 bits: no kernel has more), turn (8), beginning (24, ms), time (9, rounded up), background (1).
    fn to_word(self, turn: u32) -> u64 {
        let time = self.time_ms.div_ceil(TIME_UNIT_MS).min(MOST_TIME);
        u64::from(self.pid & 0x3f_ffff) << 42
            | u64::from(turn & 0xff) << 34
            | u64::from(self.begun_ms & CLOCK) << 10
            | u64::from(time) << 1
            | u64::from(self.is_background)
    }

    /// The seat, if the word is of this turn.
    fn of(word: u64, turn: u32) -> Option<Self> {
        if word == 0 || (word >> 34) as u32 & 0xff != turn & 0xff {
            return None;
        }
        Some(Self {
            pid: (word >> 42) as u32,
            begun_ms: (word >> 10) as u32 & CLOCK,
            time_ms: ((word >> 1) as u32 & MOST_TIME) * TIME_UNIT_MS,
            is_background: word & 1 != 0,
        })
    }

    /// Time since the question was sent, ms.
    pub(crate) fn age_ms(self, now_ms: u32) -> u32 {
        let age = now_ms.wrapping_sub(self.begun_ms) & CLOCK;
        // A clock that was read at the same moment elsewhere may be a little ahead.
        if age > CLOCK - MOST_AHEAD_MS { 0 } else { age }
    }

    /// True when its time is over.
    pub(crate) fn is_over(self, now_ms: u32) -> bool {
        self.time_ms == 0 || self.age_ms(now_ms) >= self.time_ms
    }
}

/// A seat as it was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    index: usize,
    word: u64,
    /// The asker that has the seat; `None` = nobody.
    pub(crate) by: Option<Seat>,
}

impl Seen {
    /// True of the same place.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

/// A question that is open, or was.
#[derive(Clone, Copy)]
pub(crate) struct Open<'a> {
    slot: &'a Slot,
    word: u64,
}

impl std::fmt::Debug for Open<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Open({:#x})", self.word)
    }
}

/// The use of a slot.
#[derive(Debug)]
pub(crate) enum Use<'a> {
    /// For the question, which was just opened.
    Opened(Open<'a>),
    /// For the question, which was open.
    Same(Open<'a>),
    /// For another.
    Other(Open<'a>),
}

/// A seat at a question, for a look at who else sits there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neighbour<'a> {
    open: Open<'a>,
    index: usize,
    /// When we sat down, ms; cut to 24 bits.
    begun_ms: u32,
}

impl Neighbour<'_> {
    /// The asker beside us that sat there before we came.
    #[inline]
    pub(crate) fn elder(&self) -> Option<Seen> {
        let seats = self.open.seats().into_iter();
        let mut others = seats.filter(|seen| seen.index != self.index);
        others.find(|seen| {
            let ahead_ms = |seat: Seat| self.begun_ms.wrapping_sub(seat.begun_ms) & CLOCK;
            seen.by.is_some_and(|seat| match ahead_ms(seat) {
                0 => seen.index < self.index,
                ms => ms <= CLOCK / 2,
            })
        })
    }
}

/// The right, and the duty, to ask a question.
#[derive(Debug)]
pub(crate) struct Sitting<'a> {
    open: Open<'a>,
    index: usize,
    word: u64,
}

/// The result that was left for those who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    word: u64,
}

impl Left {
    pub(crate) fn number(self) -> u32 {
        self.word as u32
    }
}

impl Slot {
    /// Opens the question of a key, or says what the slot is used for. The key's lower bits chose the slot.
    pub(crate) fn open(&self, key: u64) -> Use<'_> {
        let tag = tag_of(key);
        let mut word = look(&self.question);
        loop {
            let open = |word| Open { slot: self, word };
            if word & !TURN == tag {
                return Use::Same(open(word));
            }
            if word & !TURN != 0 {
                return Use::Other(open(word));
            }
            match self.change_question(word, word | tag) {
                Ok(()) => {
                    self.asked.store(0, Ordering::Relaxed);
                    reached(KillPoint::QuestionOpened);
                    return Use::Opened(open(word | tag));
                }
                Err(now) => word = now,
            }
        }
    }

    /// The question that is open, for those who count.
    pub(crate) fn current(&self) -> Option<Open<'_>> {
        let word = self.question.load(Ordering::Relaxed);
        (word & !TURN != 0).then_some(Open { slot: self, word })
    }

    /// True when the question of a key is open and somebody waits for it, for those who count.
    pub(crate) fn is_waited_for(&self, key: u64) -> bool {
        let word = self.question.load(Ordering::Relaxed);
        word & !TURN == tag_of(key) && self.waiting() > 0
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiters.load(Ordering::Relaxed)
    }

    fn change_question(&self, from: u64, to: u64) -> Result<(), u64> {
        self.question
            .compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst)
            .map(|_| ())
    }

    /// Takes away the result that was left; an entry that was parked for it is the caller's.
    pub(crate) fn take_left(&self) -> Option<Left> {
        if look(&self.result) == 0 {
            return None;
        }
        let word = self.result.swap(0, Ordering::SeqCst);
        (word != 0).then_some(Left { word })
    }

    pub(crate) fn has_waiters(&self) -> bool {
        self.waiters.load(Ordering::SeqCst) > 0
    }

    /// Waits, and is counted meanwhile. `drop_left` gets what the last that waited leaves behind.
    pub(crate) fn while_counted<R>(
        &self,
        wait: impl FnOnce() -> R,
        drop_left: impl FnOnce(Left),
    ) -> R {
        self.enter();
        let result = wait();
        self.go(drop_left);
        result
    }

    /// Counts who waits, until [`Self::go`].
    pub(crate) fn enter(&self) {
        self.waiters.fetch_add(1, Ordering::SeqCst);
    }

    /// Ends the wait of one. `drop_left` gets the result that the last one leaves behind.
    pub(crate) fn go(&self, drop_left: impl FnOnce(Left)) {
        if self.leave()
            && let Some(left) = self.take_left()
        {
            drop_left(left);
        }
    }

    /// True for the last that waited.
    fn leave(&self) -> bool {
        let less = |waiters: u32| Some(waiters.saturating_sub(1));
        self.waiters
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
            == Ok(1)
    }

    fn tell(&self) {
        self.news.fetch_add(1, Ordering::SeqCst);
    }
}

/// Reads a word. All that is done with these words is SeqCst, that is in one order.
#[cfg(not(loom))]
fn look(word: &AtomicU64) -> u64 {
    word.load(Ordering::SeqCst)
}

/// As above. Loom gives such loads no place in that order, and overlooks some (see [`super::sync`]). Changes have a
/// place there, so a model reads by a change that changes nothing.
#[cfg(loom)]
fn look(word: &AtomicU64) -> u64 {
    word.fetch_or(0, Ordering::SeqCst)
}

/// The upper part of a key, never 0.
fn tag_of(key: u64) -> u64 {
    let tag = key & !TURN;
    if tag == 0 { 1 << TURN_BITS } else { tag }
}

impl<'a> Open<'a> {
    fn turn(self) -> u32 {
        (self.word & TURN) as u32
    }

    /// The word after the end of this question.
    fn ended(self) -> u64 {
        if seeded(Mutation::EndKeepsTurn) {
            return self.word & TURN;
        }
        self.word.wrapping_add(1) & TURN
    }

    /// Upper half of results for this question: turn, and of the tag what has room.
    fn mark(self) -> u64 {
        (self.word & 0xffff_ffff) << 32
    }

    pub(crate) fn slot(self) -> &'a Slot {
        self.slot
    }

    /// False when it was answered or given up.
    pub(crate) fn is_open(self) -> bool {
        look(&self.slot.question) == self.word
    }

    /// How often somebody sat down to ask it, about.
    pub(crate) fn asked(self) -> u32 {
        self.slot.asked.load(Ordering::Relaxed)
    }

    /// The seats, as they are.
    pub(crate) fn seats(self) -> [Seen; SEATS] {
        std::array::from_fn(|index| self.seen(index))
    }

    fn seen(self, index: usize) -> Seen {
        let word = look(&self.slot.seats[index]);
        let by = Seat::of(word, self.turn());
        Seen { index, word, by }
    }

    /// Takes the first seat, for the caller that opened the question. `drop_left` gets the result of the question
    /// before.
    pub(crate) fn begin(self, seat: Seat, drop_left: impl FnOnce(Left)) -> Option<Sitting<'a>> {
        if let Some(left) = self.slot.take_left() {
            drop_left(left);
        }
        let seen = self.seen(0);
        match seen.by {
            Some(_) if !seeded(Mutation::FirstSeatUnseen) => None,
            _ => self.sit(seen, seat),
        }
    }

    /// Takes a seat, if it is as it was seen and the question still open.
    pub(crate) fn sit(self, seen: Seen, seat: Seat) -> Option<Sitting<'a>> {
        let word = seat.to_word(self.turn());
        let place = &self.slot.seats[seen.index];
        if seeded(Mutation::SeatOverwritten) {
            place.store(word, Ordering::SeqCst);
        } else {
            place
                .compare_exchange(seen.word, word, Ordering::SeqCst, Ordering::SeqCst)
                .ok()?;
        }
        reached(KillPoint::Seated);
        self.slot.asked.fetch_add(1, Ordering::Relaxed);
        // When the question is over meanwhile, the seat counts for nothing, by its turn.
        self.is_open().then_some(Sitting {
            open: self,
            index: seen.index,
            word,
        })
    }

    /// Opens another question in the place of this one, which nobody asks any more.
    pub(crate) fn make_way(self, key: u64) -> Option<Open<'a>> {
        let word = self.ended() | tag_of(key);
        if seeded(Mutation::WayMadeUnseen) {
            self.slot.question.store(word, Ordering::SeqCst);
        } else {
            self.slot.change_question(self.word, word).ok()?;
        }
        self.slot.asked.store(0, Ordering::Relaxed);
        // A process that waited looks again, and finds another question.
        if !seeded(Mutation::WayMadeUntold) {
            self.slot.tell();
        }
        Some(Open { word, ..self })
    }

    /// The result that was left for those who wait for this question, as `hold` takes hold of it by its number.
    ///
    /// The number has to stand there afterwards, too: before `hold`, it could have become the number of something else.
    pub(crate) fn take_hold<T>(self, hold: impl Fn(Left) -> Option<T>) -> Option<T> {
        // Another may have been left in its place, by the second who asked.
        for _ in 0..SEATS {
            let left = self.left()?;
            let held = hold(left);
            if held.is_some() && self.still_has(left) {
                return held;
            }
        }
        None
    }

    fn left(self) -> Option<Left> {
        let word = look(&self.slot.result);
        let is_ours = word & !0xffff_ffff == self.mark() || seeded(Mutation::ResultOfAnyTurn);
        (is_ours && word as u32 != 0).then_some(Left { word })
    }

    fn still_has(self, left: Left) -> bool {
        seeded(Mutation::ParkedUnchecked) || look(&self.slot.result) == left.word
    }

    /// Leaves a result, and gives what stood there.
    fn leave_result(self, number: u32) -> Option<Left> {
        let word = self.mark() | u64::from(number);
        let old = self.slot.result.swap(word, Ordering::SeqCst);
        (old != 0).then_some(Left { word: old })
    }
}

impl<'a> Sitting<'a> {
    pub(crate) fn open(&self) -> Open<'a> {
        self.open
    }

    pub(crate) fn neighbour(&self) -> Neighbour<'a> {
        Neighbour {
            open: self.open,
            index: self.index,
            begun_ms: (self.word >> 10) as u32 & CLOCK,
        }
    }

    /// The other seats of the question.
    pub(crate) fn beside(&self) -> impl Iterator<Item = Seen> + use<> {
        let own = self.index;
        let seats = self.open.seats().into_iter();
        seats.filter(move |seen| seen.index != own)
    }

    /// False when another has the seat: this one was taken for dead, or had its time.
    pub(crate) fn is_seated(&self) -> bool {
        self.open.seen(self.index).word == self.word
    }

    /// Ends the question. `result` gives the number that those who wait find, 0 = none; `drop_left` gets what nobody
    /// will look at any more. True where somebody is to be woken.
    ///
    /// The first of two askers ends the question. An asker that was taken for dead may end it, too, for its answer is
    /// as good.
    pub(crate) fn finish(
        self,
        result: impl FnOnce() -> u32,
        mut drop_left: impl FnMut(Left),
    ) -> bool {
        let open = self.open;
        let slot = open.slot;
        let leave = || {
            // A process that comes after this look finds the answer in the cache, or asks.
            if slot.has_waiters()
                && open.is_open()
                && let number @ 1.. = result()
            {
                open.leave_result(number).map(&mut drop_left);
                reached(KillPoint::ResultLeft);
            }
        };
        let before = seeded(Mutation::WakesTheEarlier).then(|| slot.has_waiters());
        if seeded(Mutation::EndFirst) {
            self.end();
            leave();
        } else {
            leave();
            self.end();
        }
        let has_waiters = before.unwrap_or_else(|| slot.has_waiters());
        if !has_waiters && !seeded(Mutation::WaitersUnchecked) {
            // All have gone meanwhile.
            slot.take_left().map(drop_left);
        }
        has_waiters
    }

    fn end(&self) {
        let open = self.open;
        if seeded(Mutation::EndUnchecked) {
            open.slot.question.store(open.ended(), Ordering::SeqCst);
        } else if open.slot.change_question(open.word, open.ended()).is_err() {
            return;
        }
        reached(KillPoint::QuestionEnded);
        if !seeded(Mutation::EndUntold) {
            open.slot.tell();
        }
    }

    /// Leaves the question open: nothing was learnt, and another may ask when this query had its usual time. True where
    /// somebody is to be woken.
    pub(crate) fn stand_up(self) -> bool {
        let place = &self.open.slot.seats[self.index];
        let time = u64::from(MOST_TIME) << 1;
        let stood_up = self.word & !time;
        if seeded(Mutation::SeatLeftUnseen) {
            place.store(stood_up, Ordering::SeqCst);
        }
        // Another may have the seat by now.
        let _taken =
            place.compare_exchange(self.word, stood_up, Ordering::SeqCst, Ordering::SeqCst);
        reached(KillPoint::StoodUp);
        if !seeded(Mutation::StoodUpUntold) {
            self.open.slot.tell();
        }
        self.open.slot.has_waiters()
    }
}

#[cfg(all(test, any(loom, miri)))]
#[path = "loom_claims.rs"]
mod loom_claims;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::host::shared;

    const KEY: u64 = 0x1234_5678_9abc_def0;

    fn seat(pid: u32, begun_ms: u32, time_ms: u32) -> Seat {
        Seat {
            pid,
            begun_ms,
            time_ms,
            is_background: false,
        }
    }

    fn opened(slot: &Slot, key: u64) -> Open<'_> {
        match slot.open(key) {
            Use::Opened(open) => open,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn words_keep_what_a_seat_says() {
        for seat in [
            seat(4_194_303, 0xff_ffff, 128),
            seat(1, 0, 0),
            Seat {
                is_background: true,
                ..seat(77, 5, 10_240)
            },
        ] {
            assert_eq!(Seat::of(seat.to_word(0x1ff), 0xff), Some(seat));
            assert_eq!(Seat::of(seat.to_word(7), 8), None);
        }
        // A time without room in the word is cut to the longest that has.
        let long = Seat::of(seat(1, 0, u32::MAX).to_word(0), 0).unwrap();
        assert_eq!(long.time_ms, 511 * 128);
    }

    fn stood_up() -> Seat {
        seat(1, 5, 0)
    }

    /// Times that are a second ahead are another's clock, and no more.
    #[test]
    fn a_seat_is_a_second_ahead_at_most() {
        let ahead = |ms: u32| seat(1, 5000 + ms, 0).age_ms(5000);
        assert_eq!((ahead(1), ahead(999), ahead(1000)), (0, 0, 0));
        assert_eq!(ahead(1001), CLOCK + 1 - 1001);
    }

    /// Of the turns that a seat can tell apart it counts in its own.
    #[test]
    fn a_seat_counts_in_no_later_turn() {
        let slot: &Slot = shared::map();
        let open = opened(slot, KEY);
        open.sit(open.seats()[1], seat(1, 0, 1000)).unwrap();
        let mut now = open;
        for turn in 1..256 {
            let [first, _] = now.seats();
            let sitting = now.sit(first, seat(2, 0, 1000)).unwrap();
            assert!(!sitting.finish(|| panic!("nobody waits"), |_| ()));
            now = opened(slot, KEY);
            assert!(now.seats()[1].by.is_none(), "turn {turn}");
            assert!(!open.is_open());
        }
    }

    #[test]
    fn those_who_wait_are_counted_for_the_question_that_is_open() {
        let slot: &Slot = shared::map();
        assert!(slot.current().is_none() && !slot.is_waited_for(KEY));
        let open = opened(slot, KEY);
        assert!(slot.current().is_some_and(Open::is_open));
        assert!(!slot.is_waited_for(KEY) && !slot.has_waiters());
        slot.enter();
        slot.enter();
        assert!(slot.is_waited_for(KEY) && !slot.is_waited_for(!KEY));
        assert_eq!(slot.waiting(), 2);
        let news = slot.news.load(Ordering::SeqCst);
        let sitting = open.begin(seat(1, 0, 1000), |_| panic!("nothing was left"));
        assert_eq!(open.asked(), 1);
        assert!(
            sitting
                .unwrap()
                .finish(|| 7, |_| panic!("nothing was left"))
        );
        assert_ne!(slot.news.load(Ordering::SeqCst), news, "nobody was told");
        assert!(slot.current().is_none() && !slot.is_waited_for(KEY));
        // The result goes with the last that waited.
        slot.go(|_| panic!("another waits"));
        let mut dropped = None;
        slot.go(|left| dropped = Some(left.number()));
        assert_eq!((dropped, slot.waiting()), (Some(7), 0));
        slot.go(|_| panic!("nobody was counted"));
    }

    #[test]
    fn a_result_is_held_as_long_as_it_stands_there() {
        let slot: &Slot = shared::map();
        let open = opened(slot, KEY);
        slot.enter();
        assert_eq!(open.take_hold(|left| Some(left.number())), None);
        open.leave_result(3);
        assert_eq!(open.take_hold(|left| Some(left.number())), Some(3));
        assert_eq!(open.take_hold(|_| None::<u32>), None);
        // The number becomes another's before it is held.
        let replaced = open.take_hold(|left| {
            if left.number() == 3 {
                open.leave_result(4);
            }
            Some(left.number())
        });
        assert_eq!(replaced, Some(4));
        let gone = open.take_hold(|left| {
            slot.take_left();
            Some(left.number())
        });
        assert_eq!(gone, None);
    }

    #[test]
    fn a_seat_is_told_from_the_other_and_from_what_it_was() {
        let slot: &Slot = shared::map();
        let open = opened(slot, KEY);
        let [first, second] = open.seats();
        assert!(first.is(&first) && !first.is(&second));
        let sitting = open.sit(first, seat(1, 0, 1000)).unwrap();
        assert!(sitting.is_seated());
        open.sit(open.seats()[0], seat(2, 0, 1000)).unwrap();
        assert!(!sitting.is_seated());
        // A word without a tag is a question, too.
        assert!(opened(shared::map(), 5).is_open());
    }

    #[test]
    fn a_seat_ends_and_clocks_wrap() {
        let seat = seat(1, 0xff_fff0, 128);
        assert_eq!(seat.age_ms(0x100_0010), 32);
        assert_eq!(seat.age_ms(0xff_ffef), 0, "another's clock");
        // Three hours later nobody takes it for one that has just begun.
        assert_eq!(seat.age_ms(0xff_fff0 + 10_800_000), 10_800_000);
        assert!(!seat.is_over(0x100_0000) && seat.is_over(0x100_0000 + 112));
        assert!(stood_up().is_over(5));
    }

    #[test]
    fn two_sit_and_the_first_to_come_back_ends_it() {
        let slot: &Slot = shared::map();
        let open = opened(slot, KEY);
        let [first, second] = open.seats();
        let one = open.sit(first, seat(1, 0, 1000)).unwrap();
        assert!(open.sit(first, seat(3, 0, 1000)).is_none(), "it is taken");
        let two = open.sit(second, seat(2, 0, 1000)).unwrap();
        slot.enter();
        assert!(two.finish(|| 7, |_| panic!("nothing was left before")));
        assert!(!open.is_open());
        assert_eq!(open.left().map(Left::number), Some(7));
        // The next question in the slot is not that of the one who comes late, nor are its seats.
        let next = opened(slot, KEY + (1 << 40));
        assert!(next.left().is_none() && next.seats().iter().all(|seen| seen.by.is_none()));
        one.finish(|| panic!("it is over"), |_| ());
        assert!(next.is_open());
        assert!(slot.leave() && slot.take_left().is_some());
    }

    #[test]
    fn who_came_before_is_the_elder() {
        let slot: &Slot = shared::map();
        let open = opened(slot, KEY);
        let [first, second] = open.seats();
        let one = open.sit(first, seat(1, 100, 1000)).unwrap();
        assert!(one.neighbour().elder().is_none());
        let two = open.sit(second, seat(2, 400, 1000)).unwrap();
        assert!(one.neighbour().elder().is_none());
        let elder = two.neighbour().elder().and_then(|seen| seen.by);
        assert_eq!(elder.map(|seat| seat.pid), Some(1));
        // Another takes the first seat; of two that came at once it is the first.
        let third = open.sit(open.seats()[0], seat(3, 400, 1000)).unwrap();
        assert!(third.neighbour().elder().is_none() && two.neighbour().elder().is_some());
    }

    #[test]
    fn who_stands_up_leaves_the_time() {
        let slot: &Slot = shared::map();
        let open = opened(slot, KEY);
        let sitting = open.sit(open.seats()[0], seat(1, 500, 9000)).unwrap();
        assert!(!sitting.stand_up());
        let by = open.seats()[0].by.unwrap();
        assert!(by.is_over(501) && by.age_ms(600) == 100 && open.is_open());
        // Whatever time it was, and nothing else.
        let long = Seat {
            is_background: true,
            ..seat(7, 500, u32::MAX)
        };
        open.sit(open.seats()[1], long).unwrap().stand_up();
        let left = Seat { time_ms: 0, ..long };
        assert_eq!(open.seats()[1].by, Some(left));
        assert!(matches!(slot.open(KEY), Use::Same(_)));
        let Use::Other(other) = slot.open(!KEY) else {
            panic!("it is in use");
        };
        let next = other.make_way(!KEY).unwrap();
        assert!(next.is_open() && !open.is_open());
        assert!(next.seats().iter().all(|seen| seen.by.is_none()));
    }
}
