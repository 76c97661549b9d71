//! Who asks a question, who waits, and how it ends, at times that the tests say.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::*;
use crate::error::{Failure, LookupError};

/// A process that there is not, nor will be: the highest number that the kernel could give.
const DEAD: u32 = 0x3f_ffff;

/// A question of its own, which began at a time.
struct Question {
    cache: &'static Cache,
    key: u64,
    now_ms: u64,
    usual_ms: u64,
    /// Tests that count what is under way count that of others, too.
    _turn: MutexGuard<'static, ()>,
}

impl Question {
    fn new(number: u64) -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        Self {
            cache: Cache::for_tests(1 << 20, false).unwrap(),
            key: 0x7000_0000 | number,
            now_ms: resolver::now_ms(),
            usual_ms: resolver::usual_ms(),
            _turn: TURN.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Somebody who comes so many times the usual time later, and may take a hundred times that.
    fn after(&self, times: u64) -> Terms {
        self.after_ms(times * self.usual_ms)
    }

    fn after_ms(&self, ms: u64) -> Terms {
        Terms::new(self.now_ms + ms, Some(100 * self.usual_ms), None)
    }

    /// The refresher at that time.
    fn refresher(&self, ms: u64) -> Terms {
        Terms::of_background(100 * self.usual_ms).at(self.now_ms + ms)
    }

    /// The right to ask, or `None` where another asks.
    fn ask(&self, terms: Terms) -> Option<Right> {
        match attempt(self.cache, self.key, terms) {
            Attempt::Claimed(claim) => claim.into_right(),
            Attempt::Busy(_) => None,
            Attempt::Alone => panic!("without the table"),
        }
    }

    fn stand_by(&self, terms: Terms) -> Bystander {
        match attempt(self.cache, self.key, terms) {
            Attempt::Busy(flight) => flight.stand_by(terms.now_ms),
            other => panic!("{other:?}"),
        }
    }

    fn end(&self, rights: impl IntoIterator<Item = Right>) {
        for right in rights {
            right.finish(self.cache, None);
        }
        assert!(slot_of(self.key).unwrap().current().is_none());
    }
}

#[test]
fn questions_and_walks_of_a_list_have_keys_of_their_own() {
    let cache = Cache::for_tests(1 << 20, false).unwrap();
    let name = cache.hashed(b"a.test");
    let (a, aaaa) = (RecordType::A, RecordType::AAAA);
    let keys = [
        key_of(cache, &name, a),
        key_of(cache, &name, aaaa),
        key_of(cache, &cache.hashed(b"b.test"), a),
        key_of_walk(cache, &name, a),
        key_of_walk(cache, &name, aaaa),
    ];
    assert_eq!(keys.into_iter().collect::<HashSet<_>>().len(), keys.len());
    assert!(!keys.contains(&0));
    let lookup = |absolute| key_of_lookup(cache, &name, absolute, a);
    assert_eq!([lookup(true), lookup(false)], [keys[0], keys[0]]);
    cache.put_in_force(Some(7));
    assert_eq!([lookup(true), lookup(false)], [keys[0], keys[3]]);
}

#[test]
fn a_second_caller_asks_when_the_second_packet_had_its_time() {
    let question = Question::new(1);
    let first = question.ask(question.after(0)).unwrap();
    let early = question.after_ms(2 * question.usual_ms - 1);
    assert!(question.ask(early).is_none());
    // The refresher is no second asker, and who asks alone is none.
    assert!(
        question
            .ask(question.refresher(9 * question.usual_ms))
            .is_none()
    );
    assert!(question.ask(question.after(9).alone()).is_none());
    let second = question.ask(question.after(2)).unwrap();
    // There is no third one, as long as both go on.
    assert!(question.ask(question.after(90)).is_none());
    question.end([first, second]);
}

#[test]
fn behind_the_refresher_a_caller_waits_for_one_packet() {
    let question = Question::new(2);
    let first = question.ask(question.refresher(0)).unwrap();
    let early = question.after_ms(question.usual_ms - 1);
    assert!(question.ask(early).is_none());
    let second = question.ask(question.after(1)).unwrap();
    question.end([first, second]);
}

#[test]
fn in_the_place_of_the_dead_the_next_one_asks() {
    let question = Question::new(3);
    let first = question.ask(question.after(0).by(DEAD)).unwrap();
    let second = question.ask(question.after(0)).unwrap();
    // Behind that one the next waits, and for twice as long, for two have asked.
    assert!(
        question
            .ask(question.after_ms(2 * question.usual_ms - 1))
            .is_none()
    );
    let third = question.ask(question.after(2)).unwrap();
    question.end([second, third]);
    drop(first);
}

/// Callers that give up one after the other make not many queries: each has the next one wait longer, up to eight times
/// the usual time. The refresher waits no longer than the usual time.
#[test]
fn each_death_in_a_row_doubles_the_time_before_the_next_asks() {
    let question = Question::new(4);
    let mut rights = Vec::new();
    rights.push(question.ask(question.after(0).by(DEAD)).unwrap());
    rights.push(question.ask(question.after(0).by(DEAD)).unwrap());
    let mut at = 0;
    for pause in [2, 4, 8, 8, 8] {
        let early = question.after_ms((at + pause) * question.usual_ms - 1);
        assert!(question.ask(early.by(DEAD)).is_none(), "{at} {pause}");
        at += pause;
        rights.push(question.ask(question.after(at).by(DEAD)).unwrap());
    }
    let early = question.refresher((at + 1) * question.usual_ms - 1);
    assert!(question.ask(early).is_none());
    let refresher = question.refresher((at + 1) * question.usual_ms);
    let last = question.ask(refresher).unwrap();
    question.end([last]);
}

/// An asker whose query is over counts like a dead one, a moment later.
#[test]
fn a_claim_ends_with_its_query() {
    let question = Question::new(5);
    let brief = Terms::new(question.now_ms, Some(1000), None);
    let first = question.ask(brief).unwrap();
    assert!(question.ask(question.after_ms(900).alone()).is_none());
    // The second time is a caller's who does not ask beside another.
    let late = question.after_ms(2000.max(2 * question.usual_ms));
    let second = question.ask(late.alone()).unwrap();
    let failure = Verdict::Error(LookupError::Failed(Failure::Timeout));
    // A failure that comes late says nothing of who has asked since.
    first.finish(question.cache, Some(failure));
    assert!(slot_of(question.key).unwrap().current().is_some());
    question.end([second]);
}

/// The next caller waits for nothing when the only asker gives up, and for a second asker that goes on.
#[test]
fn a_question_that_one_asker_gives_up_stays_the_others() {
    let question = Question::new(9);
    let first = question.ask(question.after(0)).unwrap();
    first.give_up(question.cache);
    assert!(slot_of(question.key).unwrap().current().is_none());
    let first = question.ask(question.after(0)).unwrap();
    let second = question.ask(question.after(2)).unwrap();
    first.give_up(question.cache);
    assert!(question.ask(question.after(2)).is_none());
    assert!(
        question
            .ask(question.after_ms(4 * question.usual_ms - 1))
            .is_none()
    );
    question.end([second]);
    let first = question.ask(question.after(0).by(DEAD)).unwrap();
    let second = question.ask(question.after(0)).unwrap();
    // The other one does not go on.
    second.give_up(question.cache);
    assert!(slot_of(question.key).unwrap().current().is_none());
    drop(first);
}

#[test]
fn a_question_that_nobody_goes_on_with_makes_way_for_another() {
    let mut question = Question::new(6);
    let (key, other) = (question.key, question.key + (1 << 40));
    let first = question.ask(question.after(0)).unwrap();
    let alone = attempt(question.cache, other, question.after(1));
    assert!(matches!(alone, Attempt::Alone));
    question.end([first]);
    let first = question.ask(question.after(0).by(DEAD)).unwrap();
    question.key = other;
    let second = question.ask(question.after(0)).unwrap();
    question.end([second]);
    question.key = key;
    drop(first);
    assert!(slot_of(key).unwrap().current().is_none());
}

#[test]
fn who_stands_by_learns_how_it_ends() {
    let question = Question::new(7);
    let look = |bystander: &Bystander, terms| bystander.look(question.cache, terms);
    let first = question.ask(question.after(0)).unwrap();
    let bystander = question.stand_by(question.after(0));
    let patient = question.stand_by(question.after(0));
    for times in [0, 1] {
        assert!(look(&bystander, question.after(times)).is_none());
    }
    // Who asks alone leaves the question to the other after the usual time.
    let early = question.after_ms(question.usual_ms - 1).alone();
    assert!(look(&patient, early).is_none());
    let left = look(&patient, question.after(1).alone());
    assert!(matches!(left, Some(Waited::LeftToAnother)));
    let joined = look(&bystander, question.after(2));
    let Some(Waited::Joined(claim)) = joined else {
        panic!("{joined:?}");
    };
    let second = claim.into_right().unwrap();
    let absent = Some(Verdict::Error(LookupError::NxDomain));
    first.finish(question.cache, absent);
    for bystander in [&bystander, &patient] {
        let over = look(bystander, question.after(2));
        let is_absent =
            |verdict: &Verdict| matches!(verdict, Verdict::Error(LookupError::NxDomain));
        assert!(matches!(&over, Some(Waited::Over(Some(verdict))) if is_absent(verdict)));
    }
    drop((bystander, patient));
    question.end([second]);
}

#[test]
fn what_is_under_way_is_counted() {
    let question = Question::new(8);
    let before = under_way();
    let counts = || {
        let now = under_way();
        let [waiting, others] = [
            (now.waiting, before.waiting),
            (now.in_background, before.in_background),
        ]
        .map(|(now, before)| now as i64 - before as i64);
        (waiting, others, is_waited_for(question.key))
    };
    assert_eq!(counts(), (0, 0, false));
    let refresher = question.ask(question.refresher(0)).unwrap();
    assert_eq!(counts(), (0, 1, false));
    let bystanders = [(); 2].map(|()| question.stand_by(question.after(0)));
    assert_eq!(counts(), (2, 1, true));
    assert!(!is_waited_for(question.key + (1 << 40)));
    let caller = question.ask(question.after(1)).unwrap();
    assert_eq!(counts(), (3, 1, true));
    drop(bystanders);
    assert_eq!(counts(), (1, 1, false));
    question.end([refresher, caller]);
    assert_eq!(counts(), (0, 0, false));
}
