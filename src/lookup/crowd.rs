//! A crowd has a limit: of the processes that take their requests from one queue some are free (`dns_max_waiting`).
//!
//! A process that waits for DNS serves nobody. However many names are asked for whose servers keep silent, at most a
//! share of a pool ([`crate::host::pool`]) waits. Beyond, the call gives up that has waited longest: it is the least
//! likely to have an answer yet. The question of that call goes on in the background ([`super::handed_on`]), so that
//! the retransmission or the next call finds the answer. Neither the name nor a nameserver has failed, so nothing is
//! remembered.
//!
//! A call that has had less than cold answers usually take gives up only when nobody would be left. Names below parents
//! that keep failing ([`super::failing`]) share a small part of the places.
//!
//! A process that waits looks by itself whether it is the one ([`crate::cache::crowd`]): in the waits of this layer,
//! and in those of the resolver, which asks by [`resolver::while_patient`]. A hit of the cache comes nowhere near this.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cache::Cache;
use crate::cache::crowd::{self, Advice, Limits, Place, Waiting};
use crate::host::log::{self, Level};
use crate::host::metrics::{self, Metric};
use crate::host::news::{self, Subject};
use crate::host::options::{self, ExtraOpt};
use crate::host::pool::{self, Pool};
use crate::host::shared::Shared;
use crate::host::{clock, hooks};
use crate::resolver;

use super::failing;

/// The time of cold answers, ms: a call that has waited for less gives up only when nobody would be left. The time that
/// servers usually take (0.2 to 1.8 s) counts where it is more.
const COLD_MS: u64 = 1500;

/// When all wait who have not done so lately, the one that came first has so long, ms: they may have come at once, and
/// their answers are on the way, or wait for one name of which a packet was lost. The time that the servers take after
/// two losses counts, within these bounds.
const GRACE_MS: std::ops::RangeInclusive<u64> = 400..=1000;
/// The time that the answer is on its way, and that a busy machine adds, ms.
const SPARE_MS: u64 = 50;
/// A pool is taken to be under attack for so long after a call gave up, ms.
const STRICT_MS: u64 = 60_000;

static PLACES: Shared<[Place; pool::MOST]> = Shared::new();
/// Of each pool, under the number of its first process: when a call gave up last, ms; 0 = never.
static GAVE_UP: Shared<[AtomicU64; pool::MOST]> = Shared::new();

thread_local! {
    /// The wait of this thread.
    static NOW: Cell<Option<Wait>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Wait {
    waiting: Waiting,
    gave_up: bool,
}

/// Maps the places; before fork.
pub(super) fn prepare() {
    PLACES.get();
    GAVE_UP.get();
}

/// When a call of a pool gave up last.
fn gave_up_last(pool: &Pool) -> Option<&'static AtomicU64> {
    GAVE_UP.get().get(*pool.members.first()?)
}

/// The time that the process that came first has while all wait, ms.
fn grace_ms(pool: &Pool, now_ms: u64) -> u64 {
    let last_ms = gave_up_last(pool).map_or(0, |last| last.load(Ordering::Relaxed));
    if last_ms != 0 && now_ms.saturating_sub(last_ms) < STRICT_MS {
        0
    } else {
        let after_two_losses_ms = 2 * resolver::usual_ms() + SPARE_MS;
        after_two_losses_ms.clamp(*GRACE_MS.start(), *GRACE_MS.end())
    }
}

/// While it lives, this process counts as waiting.
#[derive(Debug)]
pub(super) struct InCrowd {
    /// The number of its place.
    mine: usize,
}

/// Says that this process waits for an answer about a name, on behalf of a call that began to wait at `since_ms` of
/// [`clock::monotonic_ms`]; `None` where any number may wait.
pub(super) fn enter(cache: &Cache, name: &[u8], since_ms: impl FnOnce() -> u64) -> Option<InCrowd> {
    let percent = options::extra(ExtraOpt::MaxWaiting);
    if matches!(percent, 0 | 100..) || NOW.get().is_some() {
        return None;
    }
    let mine = pool::with_mine(|pool| pool.mine)?;
    let waiting = Waiting {
        since_ms: since_ms() as u32,
        parent: failing::parent_of(cache, name) & crowd::PARENT,
    };
    PLACES
        .get()
        .get(mine)?
        .wait(waiting, clock::monotonic_ms() as u32);
    NOW.set(Some(Wait {
        waiting,
        gave_up: false,
    }));
    Some(InCrowd { mine })
}

impl Drop for InCrowd {
    fn drop(&mut self) {
        NOW.set(None);
        if let Some(place) = PLACES.get().get(self.mine) {
            place.go_on();
        }
    }
}

/// When this thread is to look again whether it is the one to give up, ms from now; `None` = it is, or was.
pub(super) fn look() -> Option<u64> {
    let Some(wait) = NOW.get() else {
        return Some(u64::MAX);
    };
    if wait.gave_up {
        return None;
    }
    let percent = options::extra(ExtraOpt::MaxWaiting);
    if matches!(percent, 0 | 100..) {
        return Some(u64::from(crowd::LOOK_MS));
    }
    let now_ms = clock::monotonic_ms();
    let places = PLACES.get();
    let advice = pool::with_mine(|pool| {
        if let Some(place) = places.get(pool.mine) {
            place.wait(wait.waiting, now_ms as u32);
        }
        let least_ms = COLD_MS.max(resolver::usual_ms());
        let limits = Limits {
            percent,
            least_ms: u32::try_from(least_ms).unwrap_or(u32::MAX),
            grace_ms: grace_ms(pool, now_ms) as u32,
        };
        let (at, me) = (
            |number: usize| places.get(number),
            (pool.mine, wait.waiting),
        );
        let advice = crowd::advise(at, &pool.members, me, limits, now_ms as u32);
        if advice == Advice::GiveUp
            && wait.waiting.parent == 0
            && let Some(last) = gave_up_last(pool)
        {
            last.store(now_ms.max(1), Ordering::Relaxed);
        }
        advice
    });
    match advice {
        Some(Advice::GiveUp) => {
            NOW.set(Some(Wait {
                gave_up: true,
                ..wait
            }));
            None
        }
        Some(Advice::LookAfter(ms)) => Some(u64::from(ms)),
        None => Some(u64::from(crowd::LOOK_MS)),
    }
}

/// Has the resolver's waits end when this process is to give up.
pub(super) fn while_in<R>(crowd: Option<&InCrowd>, work: impl FnOnce() -> R) -> R {
    match crowd {
        Some(_) if hooks::swapped_search().is_none() => resolver::while_patient(look, work),
        _ => work(),
    }
}

/// Counts a call that gave up, and says so once in a while.
#[cold]
pub(super) fn note_given_up(name: &[u8]) {
    metrics::count(Metric::GivenUp);
    let Some(others) = news::may_say(Subject::GivenUp) else {
        return;
    };
    let pool = pool::with_mine(|pool| (pool.name.clone(), pool.members.len()));
    let (pool, members) = pool.unwrap_or_default();
    crate::log!(
        Level::Warn,
        "too many of the {members} processes '{pool}' wait for DNS (dns_max_waiting={}): calls that have waited longest fail, the last for {} ({others} more since the last such line)",
        options::extra(ExtraOpt::MaxWaiting),
        log::name(name)
    );
}

/// Has this process and those forked from it be a pool of that size, which the program around them does not say.
#[cfg(feature = "testing")]
pub fn pretend_pool(members: usize) {
    pool::pretend(members);
}
