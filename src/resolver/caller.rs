//! Conditions that a caller sets for waits in `work` of its thread: how long it is patient, and whether another sends
//! the packets of its question again.

use std::cell::Cell;

/// Time before a caller first looks whether it is to give up, ms: most answers are there before.
const FIRST_LOOK_MS: u64 = 20;

/// See [`while_patient`].
type Look = fn() -> Option<u64>;

thread_local! {
    static PATIENCE: Cell<Option<Look>> = const { Cell::new(None) };
    static RESENDS_WAIT: Cell<Option<fn() -> bool>> = const { Cell::new(None) };
}

/// Runs `work`, whose waits for nameservers end when `look` has had enough of them: it gives the time to the next look,
/// ms, or `None`. Questions that have no answer by then fail with [`GivenUp`]; nothing is concluded from that.
///
/// A search function of a module's cannot be interrupted.
///
/// [`GivenUp`]: crate::error::Failure::GivenUp
pub fn while_patient<R>(look: fn() -> Option<u64>, work: impl FnOnce() -> R) -> R {
    let _before = Meanwhile::set(&PATIENCE, Some(look));
    work()
}

/// Runs `work`, which sends packets again a fourth as often as long as `wait` says so: another process does, for the
/// same question.
pub fn while_resends_wait<R>(wait: fn() -> bool, work: impl FnOnce() -> R) -> R {
    let _before = Meanwhile::set(&RESENDS_WAIT, Some(wait));
    work()
}

/// True while another sends the packets of this thread's question again.
pub(super) fn resends_wait() -> bool {
    RESENDS_WAIT.get().is_some_and(|wait| wait())
}

/// The patience of who waits.
pub(super) struct Patience {
    look: Option<Look>,
    /// When to look next, ms.
    until_ms: Option<u64>,
}

impl Patience {
    /// The patience of this thread's caller.
    pub(super) fn of_caller() -> Self {
        Self {
            look: PATIENCE.get(),
            until_ms: None,
        }
    }

    /// Until when to wait before looking again, ms; `None` = no longer.
    pub(super) fn until_ms(&mut self, now_ms: u64) -> Option<u64> {
        let Some(look) = self.look else {
            return Some(u64::MAX);
        };
        let first_ms = now_ms.saturating_add(FIRST_LOOK_MS);
        let until_ms = self.until_ms.get_or_insert(first_ms);
        if now_ms >= *until_ms {
            *until_ms = now_ms.saturating_add(look()?);
        }
        Some(*until_ms)
    }
}

/// Sets a place of this thread's for as long as it lives.
struct Meanwhile<T: Copy + 'static> {
    place: &'static std::thread::LocalKey<Cell<T>>,
    before: T,
}

impl<T: Copy> Meanwhile<T> {
    fn set(place: &'static std::thread::LocalKey<Cell<T>>, value: T) -> Self {
        Self {
            place,
            before: place.replace(value),
        }
    }
}

impl<T: Copy> Drop for Meanwhile<T> {
    fn drop(&mut self) {
        self.place.set(self.before);
    }
}
