//! The right, and the duty, to ask a question, for as long as its query takes.

use std::cell::Cell;
use std::marker::PhantomData;

use crate::cache::claim::{Neighbour, Seen, Sitting};
use crate::cache::{Cache, due};
use crate::error::LookupError;
use crate::host::{clock, futex, process};
use crate::resolver;

use super::verdict::{Verdict, number_of, unpark};

thread_local! {
    /// Number of claims that this thread holds. A thread with a claim never waits, so no two can wait for each other.
    static HELD: Cell<u32> = const { Cell::new(0) };
    /// Where this thread sits while it sends its query.
    static ASKS: Cell<Option<Neighbour<'static>>> = const { Cell::new(None) };
}

/// True when this thread holds a claim.
pub(super) fn is_held_here() -> bool {
    HELD.get() > 0
}

/// The right, and the duty, to ask a question.
///
/// Dropped without [`Self::finish`], those who wait find nothing, and one of them asks when the query that was sent had
/// its time.
#[derive(Debug)]
pub(in super::super) struct Claim {
    /// `None` once it is given back.
    right: Option<Right>,
    /// The count of claims is the thread's.
    of_this_thread: PhantomData<*const ()>,
}

impl Claim {
    /// The claim of who has just sat down.
    pub(super) fn new(sitting: Sitting<'static>) -> Self {
        HELD.set(HELD.get() + 1);
        Self {
            right: Some(Right {
                sitting: Some(sitting),
            }),
            of_this_thread: PhantomData,
        }
    }

    fn give_back(&mut self) -> Option<Right> {
        let right = self.right.take()?;
        HELD.set(HELD.get().saturating_sub(1));
        Some(right)
    }

    /// Ends the question, see [`Right::finish`].
    pub(in super::super) fn finish(mut self, cache: &Cache, verdict: Option<Verdict>) {
        if let Some(right) = self.give_back() {
            right.finish(cache, verdict);
        }
    }

    /// Gives the question up, see [`Right::give_up`].
    pub(in super::super) fn give_up(mut self, cache: &Cache) {
        if let Some(right) = self.give_back() {
            right.give_up(cache);
        }
    }

    /// The right of one who waits for nobody, in whatever thread.
    pub(in super::super) fn into_right(mut self) -> Option<Right> {
        self.give_back()
    }

    fn neighbour(&self) -> Option<Neighbour<'static>> {
        let sitting = self.right.as_ref()?.sitting.as_ref()?;
        Some(sitting.neighbour())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        drop(self.give_back());
    }
}

/// A [`Claim`] that belongs to no thread. The owner of a `Right` never waits for others, so no thread has to be kept
/// from waiting.
#[derive(Debug)]
pub(in super::super) struct Right {
    /// `None` once it is given back.
    sitting: Option<Sitting<'static>>,
}

impl Right {
    /// Ends the question; `verdict` is the result for those who wait, where the cache does not have it. The failure of
    /// an asker whose time was over says nothing of those who have asked since.
    pub(in super::super) fn finish(mut self, cache: &Cache, verdict: Option<Verdict>) {
        let is_failure = matches!(&verdict, Some(Verdict::Error(LookupError::Failed(_))));
        let is_void = |sitting: &Sitting<'_>| is_failure && !sitting.is_seated();
        if self.sitting.as_ref().is_some_and(is_void) {
            return;
        }
        let Some(sitting) = self.sitting.take() else {
            return;
        };
        let slot = sitting.open().slot();
        let number = || verdict.map_or(0, |verdict| number_of(cache, verdict));
        if sitting.finish(number, |left| unpark(cache, left)) {
            futex::wake_all(&slot.news);
        }
    }
}

impl Right {
    /// Gives the question up, of which nothing was learnt: nobody goes on with this query. So the next caller need not
    /// wait for it. Where a second asker goes on, the question stays that one's.
    pub(super) fn give_up(self, cache: &Cache) {
        let now_ms = resolver::now_ms();
        let is_asked =
            |sitting: &Sitting<'_>| sitting.beside().any(|seen| is_asking(&seen, now_ms));
        if !self.sitting.as_ref().is_some_and(is_asked) {
            self.finish(cache, None);
        }
    }
}

impl Drop for Right {
    fn drop(&mut self) {
        let Some(sitting) = self.sitting.take() else {
            return;
        };
        let slot = sitting.open().slot();
        if sitting.stand_up() {
            futex::wake_all(&slot.news);
        }
    }
}

/// Runs `work`, which sends the query of a claim. As long as an earlier asker lives, that one sends most of the
/// repeated packets: a silent server gets little more than the packets of one asker.
pub(in super::super) fn beside_elder<R>(claim: Option<&Claim>, work: impl FnOnce() -> R) -> R {
    let Some(neighbour) = claim.and_then(Claim::neighbour) else {
        return work();
    };
    if neighbour.elder().is_none() {
        return work();
    }
    let before = ASKS.replace(Some(neighbour));
    let result = resolver::while_resends_wait(has_active_elder, work);
    ASKS.set(before);
    result
}

/// The refresher counts as long as it shows signs of life: without them nobody stores what it hears.
fn has_active_elder() -> bool {
    let elder = ASKS.get().and_then(|neighbour| neighbour.elder());
    elder.is_some_and(|elder| {
        let is_background = elder.by.is_some_and(|seat| seat.is_background);
        let is_stored = || !is_background || due::is_refresher_alive(clock::now_ticks());
        is_asking(&elder, resolver::now_ms()) && is_stored()
    })
}

/// True when the seat's asker goes on.
pub(super) fn is_asking(seen: &Seen, now_ms: u64) -> bool {
    seen.by
        .is_some_and(|seat| !seat.is_over(now_ms as u32) && process::goes_on(seat.pid))
}
