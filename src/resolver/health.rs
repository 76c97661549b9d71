//! Whether a nameserver lives, as far as all processes together can tell.
//!
//! A server that keeps silent about a question may be dead, or the question is one that nobody answers. So it is
//! asked something that a live server answers at once, the probe (see [`super::probe`]); what it answers to
//! anybody meanwhile counts as well. Only one that is silent to the probe, too, is down. A server may be well and
//! never answer the probe: as soon as that has shown, it is judged by its answers alone, and is down when questions
//! of two zones, and nothing else, went unanswered.
//!
//! Single words without a lock: a lost update costs a packet, or is found out a moment later.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::host::shared::shared_struct;

/// A probe of which nobody has said what became of it belongs to a process that does not go on, ms.
const PROBE_LIFE_MS: u64 = 1000;

/// Least time between two lines of the log that say of one server that it is down, ms.
const NEWS_INTERVAL_MS: u64 = 60_000;

/// How a server takes the probe: values of [`Health::habit`].
mod habit {
    /// Nothing.
    pub(super) const UNKNOWN: u32 = 0;
    /// The server was sent a probe when it was seen to live.
    pub(super) const INTRODUCED: u32 = 1;
    /// The server answered the last probe.
    pub(super) const ANSWERS: u32 = 2;
    /// The server answered a probe before, but not the last two, though it lived.
    pub(super) const LAST_DOUBT: u32 = 4;
    /// The server does not answer the probe.
    pub(super) const MUTE: u32 = 5;
}

/// How a server takes the probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeHabit {
    /// The habit has not shown yet.
    Unknown,
    /// The server answers the probe.
    Answers,
    /// The server lives and does not answer the probe.
    Mute,
}

shared_struct! {
/// The words of one server.
pub(super) struct Health {
    /// 0 = up; else it is down and may be tried from this time on, ms.
    retry_ms: AtomicU64,
    /// Since when it has been down, if it is, ms.
    down_ms: AtomicU64,
    /// Last answer, ms.
    answered_ms: AtomicU64,
    /// When the probe was sent that is under way, ms; 0 = there is none.
    probe_ms: AtomicU64,
    /// The zone of a question that went unanswered, 0 = none, and when that was sent, ms.
    quiet_zone: AtomicU64,
    quiet_ms: AtomicU64,
    /// Timeouts and network errors since the last answer.
    failures: AtomicU32,
    habit: AtomicU32,
    /// The log says that it is down.
    is_told_down: AtomicU32,
    /// When that was said last, ms; 0 = never.
    told_ms: AtomicU64,
}
}

/// A change that the log is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The server does not answer.
    Down,
    /// The server answers again, so many seconds after the log said that it does not.
    Up(u64),
}

impl Health {
    /// False while the server is thought not to answer.
    pub(super) fn is_up(&self) -> bool {
        self.retry_ms.load(Ordering::Relaxed) == 0
    }

    /// True when the log tells something else than what is so.
    #[inline]
    pub(super) fn has_news(&self) -> bool {
        self.is_told_down.load(Ordering::Relaxed) != u32::from(!self.is_up())
    }

    /// The news that the log does not tell yet, for the one process that is to say it. A server that comes and goes is
    /// spoken of once in [`NEWS_INTERVAL_MS`].
    pub(super) fn take_news(&self, now_ms: u64) -> Option<News> {
        if !self.has_news() {
            return None;
        }
        let is_down = u32::from(!self.is_up());
        let told_ms = self.told_ms.load(Ordering::Relaxed);
        let since_ms = now_ms.saturating_sub(told_ms);
        if is_down != 0 && told_ms != 0 && since_ms < NEWS_INTERVAL_MS {
            return None;
        }
        let was = u32::from(is_down == 0);
        self.is_told_down
            .compare_exchange(was, is_down, Ordering::Relaxed, Ordering::Relaxed)
            .ok()?;
        if is_down == 0 {
            return Some(News::Up(since_ms / 1000));
        }
        self.told_ms.store(now_ms.max(1), Ordering::Relaxed);
        Some(News::Down)
    }

    /// Timeouts and network errors since the last answer.
    pub(super) fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    /// How it takes the probe.
    pub(super) fn habit(&self) -> ProbeHabit {
        match self.habit.load(Ordering::Relaxed) {
            habit::UNKNOWN | habit::INTRODUCED => ProbeHabit::Unknown,
            habit::MUTE => ProbeHabit::Mute,
            _ => ProbeHabit::Answers,
        }
    }

    /// A reply to anything came just now, whatever it says. True when it was down.
    pub(super) fn answered(&self, now_ms: u64) -> bool {
        self.answered_ms.store(now_ms, Ordering::Relaxed);
        self.lives()
    }

    /// A reply was found that has come at some time since then. True when the server was down and that shows that it is
    /// up: what came before it went down says nothing.
    pub(super) fn answered_since(&self, since_ms: u64) -> bool {
        self.answered_ms.fetch_max(since_ms, Ordering::Relaxed);
        if !self.is_up() && since_ms < self.down_ms.load(Ordering::Relaxed) {
            return false;
        }
        self.lives()
    }

    /// True when it was down.
    fn lives(&self) -> bool {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        let was_down = !self.is_up();
        if was_down {
            self.retry_ms.store(0, Ordering::Relaxed);
        }
        was_down
    }

    /// True when nothing came from it since a time.
    pub(super) fn is_quiet_since(&self, since_ms: u64) -> bool {
        self.answered_ms.load(Ordering::Relaxed) <= since_ms
    }

    /// Something went wrong that may have nothing to do with the server.
    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// No answer to a query of `sent_ms` in its time. True when that makes the server down.
    pub(super) fn silent(&self, zone: u64, sent_ms: u64, now_ms: u64) -> bool {
        self.failed();
        if !self.is_quiet_since(sent_ms) || self.habit() != ProbeHabit::Mute {
            return false;
        }
        let other = self.quiet_zone.load(Ordering::Relaxed);
        let still = self.is_quiet_since(self.quiet_ms.load(Ordering::Relaxed));
        if other != 0 && other != zone && still {
            return self.mark_down(now_ms);
        }
        self.quiet_ms.store(sent_ms, Ordering::Relaxed);
        self.quiet_zone.store(zone, Ordering::Relaxed);
        false
    }

    /// The server cannot be reached at all. True when it was up.
    pub(super) fn unreachable(&self, now_ms: u64) -> bool {
        self.failed();
        self.mark_down(now_ms)
    }

    fn mark_down(&self, now_ms: u64) -> bool {
        // The first process says so; a time for the next try that is already set stays.
        let now_ms = now_ms.max(1);
        let is_first = self
            .retry_ms
            .compare_exchange(0, now_ms, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
        if is_first {
            self.down_ms.store(now_ms, Ordering::Relaxed);
        }
        is_first
    }

    /// True for the one process that is to try this server, which is down. `often`: a try is due a fifth of
    /// a second after the last one already.
    pub(super) fn claim_try(&self, now_ms: u64, retry_ms: u64, often: bool) -> bool {
        let due_ms = self.retry_ms.load(Ordering::Relaxed);
        let early_ms = if often {
            retry_ms.saturating_sub(OFTEN_MS)
        } else {
            0
        };
        if due_ms == 0 || due_ms.saturating_sub(early_ms) > now_ms {
            return false;
        }
        let next_ms = now_ms.saturating_add(retry_ms).max(1);
        self.retry_ms
            .compare_exchange(due_ms, next_ms, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// True for the one process that is to send the probe.
    pub(super) fn claim_probe(&self, now_ms: u64) -> bool {
        let sent_ms = self.probe_ms.load(Ordering::Relaxed);
        if sent_ms != 0 && now_ms.saturating_sub(sent_ms) < PROBE_LIFE_MS {
            return false;
        }
        self.probe_ms
            .compare_exchange(sent_ms, now_ms.max(1), Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// True for the one process that is to send the probe because the server was just seen to live.
    #[inline]
    pub(super) fn claim_introduction(&self, now_ms: u64) -> bool {
        self.habit.load(Ordering::Relaxed) == habit::UNKNOWN && self.introduce(now_ms)
    }

    fn introduce(&self, now_ms: u64) -> bool {
        // A probe that is under way for another reason will tell as well.
        self.claim_probe(now_ms) && self.set_habit(habit::UNKNOWN, habit::INTRODUCED)
    }

    fn set_habit(&self, from: u32, to: u32) -> bool {
        self.habit
            .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// The probe of `sent_ms` was answered.
    pub(super) fn probe_answered(&self, sent_ms: u64) {
        self.habit.store(habit::ANSWERS, Ordering::Relaxed);
        self.end_probe(sent_ms);
    }

    /// The probe of `sent_ms` was not answered for as long as a live server would take. True when that makes the
    /// server down.
    pub(super) fn probe_silent(&self, sent_ms: u64, now_ms: u64) -> bool {
        self.end_probe(sent_ms);
        if self.answered_ms.load(Ordering::Relaxed) >= sent_ms {
            // The server lives, so as far as can be told it does not answer the probe alone.
            let _ = self.set_habit(habit::UNKNOWN, habit::MUTE)
                || self.set_habit(habit::INTRODUCED, habit::MUTE);
            return false;
        }
        self.habit() != ProbeHabit::Mute && self.mark_down(now_ms)
    }

    /// Nobody waits for an answer to the probe of `sent_ms` any more: what that says of how the server takes it.
    /// `lived`: the server answered something just before.
    pub(super) fn probe_over(&self, sent_ms: u64, lived: bool) {
        self.end_probe(sent_ms);
        if !lived && self.is_quiet_since(sent_ms) {
            return;
        }
        let next = match self.habit.load(Ordering::Relaxed) {
            known @ habit::ANSWERS..habit::LAST_DOUBT => known + 1,
            _ => habit::MUTE,
        };
        self.habit.store(next, Ordering::Relaxed);
    }

    fn end_probe(&self, sent_ms: u64) {
        let _ =
            self.probe_ms
                .compare_exchange(sent_ms.max(1), 0, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Forgets everything.
    pub(super) fn forget(&self) {
        let words = [
            &self.retry_ms,
            &self.down_ms,
            &self.answered_ms,
            &self.probe_ms,
        ];
        for word in words.into_iter().chain([&self.quiet_zone, &self.quiet_ms]) {
            word.store(0, Ordering::Relaxed);
        }
        self.failures.store(0, Ordering::Relaxed);
        self.habit.store(habit::UNKNOWN, Ordering::Relaxed);
        self.is_told_down.store(0, Ordering::Relaxed);
    }
}

/// How often a server is tried while none is up, ms: it is the first that is back that counts.
const OFTEN_MS: u64 = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::shared;

    fn health() -> &'static Health {
        shared::map()
    }

    #[test]
    fn one_process_sends_the_probe() {
        let health = health();
        assert!(health.claim_probe(5));
        assert!(!health.claim_probe(900));
        assert!(health.claim_probe(1005), "who sent it does not go on");
        health.probe_answered(1005);
        assert!(health.claim_probe(1006));
    }

    #[test]
    fn silence_to_the_probe_makes_it_down_and_any_answer_up() {
        let health = health();
        assert!(health.claim_probe(5));
        assert!(health.probe_silent(5, 400));
        assert!(!health.is_up());
        health.answered(500);
        assert!(health.is_up());
        assert!(health.claim_probe(600));
        health.answered(700);
        assert!(!health.probe_silent(600, 900), "it answered something");
        assert!(health.is_up());
    }

    #[test]
    fn an_answer_that_lay_there_says_nothing_of_the_time_since() {
        let health = health();
        assert!(health.claim_probe(50));
        assert!(health.probe_silent(50, 400));
        assert!(!health.answered_since(399), "it came before");
        assert!(!health.is_up());
        assert!(health.is_quiet_since(399));
        assert!(health.answered_since(400));
        assert!(health.is_up());
        // Where it is up, the server has not answered later than that is known of.
        assert!(!health.answered_since(450));
        assert!(health.is_quiet_since(450) && !health.is_quiet_since(449));
        assert!(!health.answered_since(420));
        assert!(!health.is_quiet_since(449));
    }

    #[test]
    fn each_change_is_told_once_and_not_each_time_that_it_comes_and_goes() {
        let health = health();
        assert_eq!(health.take_news(5), None);
        assert!(health.unreachable(10));
        assert_eq!(health.take_news(20), Some(News::Down));
        assert_eq!(health.take_news(21), None);
        assert!(health.answered(4000), "it was down");
        assert!(!health.answered(4001));
        assert_eq!(health.take_news(4020), Some(News::Up(4)));
        assert_eq!(health.take_news(4021), None);
        assert!(health.unreachable(5000));
        assert_eq!(health.take_news(5000), None, "it was just spoken of");
        assert_eq!(health.take_news(60_020), Some(News::Down), "it still is");
        // Down and up again before anybody said it.
        health.answered(60_030);
        health.take_news(60_040);
        assert!(health.unreachable(130_000));
        health.answered(130_010);
        assert_eq!(health.take_news(130_020), None);
    }

    #[test]
    fn who_lives_without_answering_the_probe_is_judged_by_its_answers() {
        let health = health();
        assert!(health.claim_introduction(5));
        assert!(!health.claim_introduction(5));
        health.answered(10);
        health.probe_over(5, true);
        assert_eq!(health.habit(), ProbeHabit::Mute);
        assert!(!health.probe_silent(20, 400));
        // A single zone does not make the server down, however many questions of it stay silent.
        assert!(!health.silent(7, 100, 5100));
        assert!(!health.silent(7, 200, 5200));
        health.answered(6000);
        assert!(!health.silent(8, 6100, 9000), "it answered in between");
        assert!(health.silent(9, 6200, 9000));
        assert!(!health.is_up());
    }

    #[test]
    fn who_answered_the_probe_before_has_to_miss_three() {
        let health = health();
        health.probe_answered(1);
        for round in 1..=3 {
            assert_eq!(health.habit(), ProbeHabit::Answers);
            health.answered(round * 10 + 1);
            health.probe_over(round * 10, false);
        }
        assert_eq!(health.habit(), ProbeHabit::Mute);
        health.probe_answered(50);
        assert_eq!(health.habit(), ProbeHabit::Answers);
    }

    #[test]
    fn tries_are_claimed_once() {
        let health = health();
        assert!(!health.claim_try(10, 5000, true), "it is up");
        assert!(health.unreachable(10));
        assert!(health.claim_try(10, 5000, false));
        assert!(!health.claim_try(4000, 5000, false));
        assert!(!health.claim_try(209, 5000, true));
        assert!(health.claim_try(210, 5000, true));
        assert!(!health.claim_try(5200, 5000, false));
        assert!(health.claim_try(5210, 5000, false));
    }
}
