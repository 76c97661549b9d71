//! One query for all who want its answer, whatever process they are in.
//!
//! A table in shared memory says which questions are being asked. Who wants to ask one claims its slot
//! first; who finds it claimed waits for the asker, never longer than its own deadline. A slot is no
//! lock: nothing but the question is claimed, nobody has to wait, and when the table cannot be used
//! (two questions under way fall on one slot) the query is simply sent twice.
//!
//! What was learnt goes through the cache. What the cache does not keep (TTL 0, no room, a failure
//! that is not remembered) stands in the slot as long as somebody waits: an error as its number, an
//! entry as its number with a reference parked for it.
//!
//! An asker that dies leaves its claim behind. Waiters look now and then whether it lives, and the first
//! to notice takes the claim over.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::cache::{Cache, EntryRef, HashedName};
use crate::error::{Failure, LookupError};
use crate::host::shared::{Shared, shared_struct};
use crate::host::{clock, futex, process};
use crate::rr::RecordType;

/// Questions fall on slots by their key: many more slots than there are workers.
const SLOTS: usize = 4096;
/// How often a waiter looks whether the asker lives, ms.
const CHECK_MS: u64 = 50;

shared_struct! {
    /// One place for a question that is being asked.
    struct Slot {
        /// Key of the question; 0 = none.
        key: AtomicU64,
        /// The process that asks it; 0 for the moment between claim and this.
        owner: AtomicU64,
        /// What became of it, for those who wait: see [`encode`].
        result: AtomicU64,
        /// Counts the questions that ended; what waiters sleep on.
        ended: AtomicU32,
        /// Those who wait; too high after the death of one, which costs nothing but a parked entry.
        waiters: AtomicU32,
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

static TABLE: Shared<[Slot; SLOTS]> = Shared::new();

thread_local! {
    /// Claims that this thread holds. Who holds one never waits, so no two can wait for each other.
    static HELD: Cell<u32> = const { Cell::new(0) };
}

/// The key of a question for an absolute name.
pub(super) fn key_of(cache: &Cache, name: &HashedName<'_>, qtype: RecordType) -> u64 {
    cache.question_key(name, qtype, true)
}

/// The key of the walk of a search list for a relative name; `link` is the type under which its result is kept.
pub(super) fn key_of_walk(cache: &Cache, name: &HashedName<'_>, link: RecordType) -> u64 {
    cache.question_key(name, link, false)
}

/// Maps the table; before fork.
pub(super) fn prepare() {
    TABLE.get();
}

/// A question, as others see that it is being asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    slot: &'static Slot,
    key: u64,
    /// [`Slot::ended`] while it is under way.
    number: u32,
}

/// Whether a question may be asked.
#[derive(Debug)]
pub(super) enum Attempt {
    /// By the caller, who claimed it.
    Claimed(Claim),
    /// Another asks it.
    Busy(Flight),
    /// By the caller, without anybody knowing.
    Alone,
}

/// How waiting ended.
#[derive(Debug)]
pub(super) enum Waited {
    /// The question was answered: look in the cache, and if that has nothing, at this.
    Over(Option<Verdict>),
    /// The asker died; the question is the caller's.
    TakenOver(Claim),
    /// The deadline has come.
    TimedOut,
}

/// What became of a question, where the cache does not tell.
#[derive(Debug)]
pub(super) enum Verdict {
    /// This entry, which the cache did not keep.
    Entry(EntryRef),
    /// This error.
    Error(LookupError),
}

fn slot_of(key: u64) -> Option<&'static Slot> {
    TABLE.get().get(key as usize % SLOTS)
}

/// Claims a question, or says who has.
pub(super) fn attempt(cache: &Cache, key: u64) -> Attempt {
    let Some(slot) = slot_of(key) else {
        return Attempt::Alone;
    };
    let claimed = slot
        .key
        .compare_exchange(0, key, Ordering::AcqRel, Ordering::Acquire);
    match claimed {
        Ok(_) => {
            slot.owner.store(process::me(), Ordering::Release);
            drop_result(cache, slot);
            Attempt::Claimed(Claim::new(slot, key))
        }
        Err(_) => match flight(slot, key) {
            Some(flight) => Attempt::Busy(flight),
            None => take_from_the_dead(cache, slot, key),
        },
    }
}

/// The flight of a key, if it is what the slot is used for.
fn flight(slot: &'static Slot, key: u64) -> Option<Flight> {
    // `ended` goes up before `key` changes: unchanged around it, both belong together.
    let number = slot.ended.load(Ordering::SeqCst);
    let same = slot.key.load(Ordering::SeqCst) == key;
    let still = slot.ended.load(Ordering::SeqCst) == number;
    (same && still).then_some(Flight { slot, key, number })
}

/// A slot that another question occupies: free it if its asker is dead.
fn take_from_the_dead(cache: &Cache, slot: &'static Slot, key: u64) -> Attempt {
    let owner = slot.owner.load(Ordering::Acquire);
    if owner == 0 || process::is_alive(owner) {
        return Attempt::Alone;
    }
    let taken =
        slot.owner
            .compare_exchange(owner, process::me(), Ordering::AcqRel, Ordering::Relaxed);
    if taken.is_err() {
        return Attempt::Alone;
    }
    drop_result(cache, slot);
    slot.key.store(key, Ordering::SeqCst);
    // Who waited for the dead one's answer looks again, and finds another question.
    slot.ended.fetch_add(1, Ordering::SeqCst);
    futex::wake_all(&slot.ended);
    Attempt::Claimed(Claim::new(slot, key))
}

impl Flight {
    /// Waits for the asker until `left_ms` have passed; not at all in a thread that holds claims itself.
    pub(super) fn wait(self, cache: &Cache, left_ms: u64) -> Waited {
        if HELD.get() > 0 {
            return Waited::Over(None);
        }
        let until_ms = clock::monotonic_ms().saturating_add(left_ms);
        self.slot.waiters.fetch_add(1, Ordering::SeqCst);
        let waited = loop {
            if self.slot.ended.load(Ordering::SeqCst) != self.number {
                break Waited::Over(self.verdict(cache));
            }
            let left_ms = until_ms.saturating_sub(clock::monotonic_ms());
            if left_ms == 0 {
                break Waited::TimedOut;
            }
            futex::wait(&self.slot.ended, self.number, left_ms.min(CHECK_MS));
            if let Some(claim) = self.take_over(left_ms <= CHECK_MS) {
                break Waited::TakenOver(claim);
            }
        };
        self.leave(cache);
        waited
    }

    /// Takes the claim if its holder is dead.
    fn take_over(self, is_late: bool) -> Option<Claim> {
        let slot = self.slot;
        if is_late || slot.ended.load(Ordering::SeqCst) != self.number {
            return None;
        }
        let owner = slot.owner.load(Ordering::Acquire);
        // 0: it died between two instructions, or is between them; we have slept for a while.
        if owner != 0 && process::is_alive(owner) {
            return None;
        }
        let me = process::me();
        slot.owner
            .compare_exchange(owner, me, Ordering::AcqRel, Ordering::Relaxed)
            .ok()?;
        if slot.key.load(Ordering::SeqCst) == self.key {
            return Some(Claim::new(slot, self.key));
        }
        // It ended after all, between the two looks.
        let _not_ours = slot
            .owner
            .compare_exchange(me, 0, Ordering::AcqRel, Ordering::Relaxed);
        None
    }

    /// What the asker left for those who wait.
    fn verdict(self, cache: &Cache) -> Option<Verdict> {
        let word = self.slot.result.load(Ordering::SeqCst);
        match decode(word, self.key)? {
            Left::Error(error) => Some(Verdict::Error(error)),
            Left::Number(number) => {
                let hold = || cache.by_number(number);
                held_while_parked(&self.slot.result, word, hold).map(Verdict::Entry)
            }
        }
    }

    fn leave(self, cache: &Cache) {
        let less = |waiters: u32| Some(waiters.saturating_sub(1));
        let before = self
            .slot
            .waiters
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        if before == Ok(1) {
            drop_result(cache, self.slot);
        }
    }
}

/// What `hold` takes hold of by a number in a result word. That the word still stands there afterwards shows that it is
/// what was parked: before, the number could have become that of something else.
fn held_while_parked<T>(
    result: &AtomicU64,
    word: u64,
    hold: impl FnOnce() -> Option<T>,
) -> Option<T> {
    let held = hold()?;
    (result.load(Ordering::SeqCst) == word).then_some(held)
}

fn drop_result(cache: &Cache, slot: &Slot) {
    let word = slot.result.swap(0, Ordering::SeqCst);
    if let Some(Left::Number(number)) = decode_any(word) {
        cache.unpark(number);
    }
}

/// The right, and the duty, to ask a question.
///
/// Dropped without [`Self::finish`], those who wait find nothing, and one of them asks.
#[derive(Debug)]
pub(super) struct Claim {
    slot: &'static Slot,
    key: u64,
    owner: u64,
    open: bool,
    /// The count of claims is the thread's.
    of_this_thread: PhantomData<*const ()>,
}

impl Claim {
    fn new(slot: &'static Slot, key: u64) -> Self {
        HELD.set(HELD.get() + 1);
        Self {
            slot,
            key,
            owner: process::me(),
            open: true,
            of_this_thread: PhantomData,
        }
    }

    /// Ends the flight; `verdict` is for those who wait, where the cache does not tell.
    pub(super) fn finish(mut self, cache: &Cache, verdict: Option<Verdict>) {
        self.land(|slot, key| {
            // Somebody who comes after this look finds the cache, or asks.
            if slot.waiters.load(Ordering::SeqCst) > 0
                && let Some(verdict) = verdict
            {
                slot.result
                    .store(encode(cache, verdict, key), Ordering::SeqCst);
            }
        });
        if self.slot.waiters.load(Ordering::SeqCst) == 0 {
            // All have gone meanwhile.
            drop_result(cache, self.slot);
        }
    }

    /// Gives the claim back; `tell` leaves the result.
    fn land(&mut self, tell: impl FnOnce(&Slot, u64)) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        HELD.set(HELD.get().saturating_sub(1));
        let slot = self.slot;
        // Somebody may have taken us for dead and gone on.
        let ours = slot
            .owner
            .compare_exchange(self.owner, 0, Ordering::AcqRel, Ordering::Relaxed);
        if ours.is_err() {
            return;
        }
        tell(slot, self.key);
        slot.ended.fetch_add(1, Ordering::SeqCst);
        slot.key.store(0, Ordering::SeqCst);
        if slot.waiters.load(Ordering::SeqCst) > 0 {
            futex::wake_all(&slot.ended);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.land(|_, _| ());
    }
}

/// What a result word says.
enum Left {
    Number(u32),
    Error(LookupError),
}

/// Numbers from here on are errors; no cache has so many blocks.
const ERRORS: u32 = 0xffff_ff00;

/// Errors that are handed on, in the order of their numbers.
const HANDED_ON: [LookupError; 11] = [
    LookupError::NxDomain,
    LookupError::NoData,
    LookupError::CnameChain,
    LookupError::OutOfMemory,
    LookupError::Failed(Failure::Timeout),
    LookupError::Failed(Failure::ServFail),
    LookupError::Failed(Failure::Refused),
    LookupError::Failed(Failure::Malformed),
    LookupError::Failed(Failure::Network),
    LookupError::Failed(Failure::NoServers),
    LookupError::Failed(Failure::Hook),
];

/// A result as a word: the upper half of the question's key (the lower half chose the slot), the number.
fn encode(cache: &Cache, verdict: Verdict, key: u64) -> u64 {
    let number = match verdict {
        Verdict::Entry(entry) => cache.park(entry),
        Verdict::Error(error) => HANDED_ON
            .iter()
            .position(|known| *known == error)
            .map_or(0, |index| ERRORS | index as u32),
    };
    if number == 0 {
        return 0;
    }
    key >> 32 << 32 | u64::from(number)
}

fn decode(word: u64, key: u64) -> Option<Left> {
    decode_any(word).filter(|_| word >> 32 == key >> 32)
}

fn decode_any(word: u64) -> Option<Left> {
    match word as u32 {
        0 => None,
        number @ ERRORS.. => {
            let error = HANDED_ON.get((number & !ERRORS) as usize)?;
            Some(Left::Error(*error))
        }
        number => Some(Left::Number(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_parked_is_given_while_it_is_parked() {
        let result = AtomicU64::new(7);
        assert_eq!(held_while_parked(&result, 7, || Some("it")), Some("it"));
        assert_eq!(held_while_parked(&result, 7, || None::<()>), None);
        // The last who waits goes, and the number becomes that of another entry, before it is held.
        let another = || {
            result.store(0, Ordering::SeqCst);
            Some("another")
        };
        assert_eq!(held_while_parked(&result, 7, another), None);
    }
}
