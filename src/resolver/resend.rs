//! When a query over UDP is sent again, because it or its answer may have been lost.
//!
//! After the time that the server's answers usually take (RFC 6298), and each time after twice as long. A
//! server that merely takes its time gets the same question again, so there is a bound for each server, over
//! all processes: a fifth of its queries, and some a second.

use std::sync::atomic::{AtomicU64, Ordering};

/// Packets of one attempt at a server, the first one counted.
const MAX_PACKETS: u32 = 5;
/// Packets of an attempt that go through the first socket. The flow may be the reason why no answer comes: an address
/// translator that has forgotten it, one of several paths that is broken.
pub(super) const PACKETS_OF_FIRST_SOCKET: u32 = 2;

/// How many packets in a row are left to another that asks the same.
const MOST_LEFT: u32 = 3;

/// When the query of the attempt under way is sent again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// The next packet's time, ms; `u64::MAX` = there is none.
    pub(super) at_ms: u64,
    /// Packets sent so far.
    pub(super) packets: u32,
    gap_ms: u64,
    /// How often in a row it was left to another.
    left: u32,
}

impl Schedule {
    /// Nothing is sent again.
    pub(super) const NEVER: Self = Self {
        at_ms: u64::MAX,
        packets: 1,
        gap_ms: 0,
        left: 0,
    };

    /// Of a query that was sent at `sent_ms`, to a server whose answers usually take no longer than `usual_ms`.
    pub(super) fn begin(sent_ms: u64, usual_ms: u64) -> Self {
        Self {
            at_ms: sent_ms.saturating_add(usual_ms),
            packets: 1,
            gap_ms: usual_ms,
            left: 0,
        }
    }

    /// A packet was sent.
    pub(super) fn sent(&mut self, now_ms: u64) {
        self.packets += 1;
        self.gap_ms = self.gap_ms.saturating_mul(2);
        self.at_ms = if self.packets < MAX_PACKETS {
            now_ms.saturating_add(self.gap_ms)
        } else {
            u64::MAX
        };
    }

    /// Leaves it to another that sends packets for the same question; false when that was done for long enough: it may
    /// be held up.
    pub(super) fn leave(&mut self, now_ms: u64) -> bool {
        if self.left == MOST_LEFT {
            self.left = 0;
            return false;
        }
        self.left += 1;
        self.put_off(now_ms);
        true
    }

    /// No packet may be sent now.
    pub(super) fn put_off(&mut self, now_ms: u64) {
        self.at_ms = now_ms.saturating_add(self.gap_ms.max(1));
    }
}

/// Time in which the right to send one packet comes, in units of 10 ms: ten a second.
const TIME_A_PACKET: u64 = 10;
/// Time that can be saved up.
const MOST_TIME: u64 = 100;
/// Queries that give the right to send one packet.
const QUERIES_A_PACKET: u64 = 5;
/// Queries that can be saved up.
const MOST_QUERIES: u64 = 250;

/// The parts of an allowance. The word: time (32 bits, 10 ms), queries (16), saved queries (8), saved time (8).
#[derive(Clone, Copy)]
struct Allowance {
    at: u64,
    queries: u64,
    saved_queries: u64,
    saved_time: u64,
}

impl Allowance {
    fn of(word: u64) -> Self {
        Self {
            at: word >> 32,
            queries: word >> 16 & 0xffff,
            saved_queries: word >> 8 & 0xff,
            saved_time: word & 0xff,
        }
    }

    fn to_word(self) -> u64 {
        self.at << 32 | self.queries << 16 | self.saved_queries << 8 | self.saved_time
    }

    /// With what has come since; `None` for a word that was never written.
    fn now(word: u64, at: u64, queries: u64) -> Self {
        let old = Self::of(word);
        let elapsed = at.wrapping_sub(old.at) & 0xffff_ffff;
        let asked = queries.wrapping_sub(old.queries) & 0xffff;
        // A clock of another process may be a little behind: that is no time that has gone by.
        let elapsed = if elapsed > u64::from(u32::MAX / 2) {
            0
        } else {
            elapsed
        };
        let saved_time = if word == 0 {
            MOST_TIME
        } else {
            old.saved_time.saturating_add(elapsed).min(MOST_TIME)
        };
        Self {
            at: at & 0xffff_ffff,
            queries: queries & 0xffff,
            saved_queries: old.saved_queries.saturating_add(asked).min(MOST_QUERIES),
            saved_time,
        }
    }

    fn less_one(mut self) -> Option<Self> {
        if self.saved_queries >= QUERIES_A_PACKET {
            self.saved_queries -= QUERIES_A_PACKET;
        } else if self.saved_time >= TIME_A_PACKET {
            self.saved_time -= TIME_A_PACKET;
        } else {
            return None;
        }
        Some(self)
    }
}

/// Nothing is sent again by this process: for tests that count queries.
#[cfg(feature = "testing")]
static HELD: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Has nothing sent again, or ends that.
#[cfg(feature = "testing")]
pub fn hold_resends(held: bool) {
    HELD.store(held, Ordering::Relaxed);
}

/// Takes the right to send one packet again from a word that all processes share. `queries` is the number of
/// queries that the server has got so far.
pub(super) fn take_allowance(shared: &AtomicU64, queries: u64, now_ms: u64) -> bool {
    #[cfg(feature = "testing")]
    if HELD.load(Ordering::Relaxed) {
        return false;
    }
    let taken = shared.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
        // The highest bit of the time keeps the word from being 0.
        let at = ((now_ms / 10) & 0xffff_ffff) | (1 << 31);
        let left = Allowance::now(word, at, queries).less_one()?;
        Some(left.to_word())
    });
    taken.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gaps_double_and_five_packets_are_all() {
        let mut schedule = Schedule::begin(1000, 300);
        let mut times = vec![];
        while schedule.at_ms != u64::MAX {
            times.push(schedule.at_ms);
            schedule.sent(schedule.at_ms);
        }
        assert_eq!(times, [1300, 1900, 3100, 5500]);
    }

    #[test]
    fn it_is_left_to_another_for_a_while() {
        let mut schedule = Schedule::begin(1000, 300);
        for at_ms in [1300, 1600, 1900] {
            assert_eq!(schedule.at_ms, at_ms);
            assert!(schedule.leave(at_ms));
        }
        assert!(!schedule.leave(2200), "it is sent");
        schedule.sent(2200);
        assert_eq!((schedule.at_ms, schedule.packets), (2800, 2));
        assert!(schedule.leave(2800));
    }

    /// How many are allowed of as many as are wanted at that time.
    fn take_all(word: &AtomicU64, queries: u64, now_ms: u64) -> u64 {
        (0..1000)
            .take_while(|_| take_allowance(word, queries, now_ms))
            .count() as u64
    }

    #[test]
    fn ten_a_second_and_a_fifth_of_the_queries() {
        let word = AtomicU64::new(0);
        assert_eq!(take_all(&word, 0, 0), 10);
        assert_eq!(take_all(&word, 0, 99), 0);
        assert_eq!(take_all(&word, 0, 1000), 10);
        assert_eq!(take_all(&word, 100, 1000), 20);
        assert_eq!(take_all(&word, 104, 1000), 0);
        assert_eq!(take_all(&word, 105, 1000), 1);
        // An hour without any saves up no more than a second's.
        assert_eq!(take_all(&word, 105, 3_600_000), 10);
    }

    #[test]
    fn the_bound_holds_whatever_the_times() {
        let word = AtomicU64::new(0);
        let (mut queries, mut sent) = (0, 0);
        for step in 1..=1000_u64 {
            queries += step % 7;
            sent += take_all(&word, queries, step * 13);
            assert!(sent <= 10 + queries / 5 + step * 13 / 100, "{step}: {sent}");
        }
        assert!(sent > queries / 6);
    }

    #[test]
    fn numbers_may_wrap_and_clocks_be_behind() {
        let word = AtomicU64::new(0);
        // Of the queries before the first packet some count.
        assert_eq!(take_all(&word, 0xffff, 1000), 60);
        assert_eq!(take_all(&word, 0xffff + 10, 1000), 2);
        assert_eq!(take_all(&word, 0xffff + 10, 500), 0);
    }
}
