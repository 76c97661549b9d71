//! A request, and what became of it.

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock, Weak};

use crate::host::{clock, fork};
use crate::lookup::reported_ttl;
use crate::lookup::suspended::Answers;
use crate::rr::{RData, RecordType};
use crate::select::suspended::{Culprit, Ended, Lack, Target};

/// Why a request gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The search found nothing, for this reason.
    Lack(Lack),
    /// Its owner ended it.
    Cancelled,
    /// Its context was closed.
    Closed,
}

/// A record that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Of which type.
    pub rtype: RecordType,
    /// The record's data.
    pub rdata: RData,
    /// s.
    pub ttl_s: u32,
    /// The record has expired.
    pub is_stale: bool,
    /// An operator put it in.
    pub is_edited: bool,
}

/// The outcome of a request.
#[derive(Debug)]
pub struct Outcome {
    /// Set where there is nothing.
    pub trouble: Option<Trouble>,
    /// The question that counts then.
    pub culprit: Option<Culprit>,
    /// In the order of use, each with whether it was reported as failed.
    pub targets: Vec<(Target, bool)>,
    /// Of the one name.
    pub records: Vec<Found>,
    /// Something was asked for.
    pub has_asked: bool,
    /// For those who go on with what was found.
    pub answers: Option<Arc<Answers>>,
}

impl Outcome {
    pub(super) fn of(ended: Ended, failed: impl Fn(&Target) -> bool) -> Self {
        let (trouble, culprit) = match ended.lack {
            Some((lack, culprit)) => (Some(Trouble::Lack(lack)), culprit),
            None => (None, None),
        };
        let (behind, mut targets): (Vec<_>, Vec<_>) = ended
            .targets
            .into_iter()
            .map(|target| {
                let has_failed = failed(&target);
                (target, has_failed)
            })
            .partition(|(_, has_failed)| *has_failed);
        targets.extend(behind);
        Self {
            trouble,
            culprit,
            targets,
            records: records_of(ended.records.as_ref()),
            has_asked: ended.has_asked,
            answers: Some(Arc::new(ended.answers)),
        }
    }

    pub(super) fn without(trouble: Trouble) -> Self {
        Self {
            trouble: Some(trouble),
            culprit: None,
            targets: Vec::new(),
            records: Vec::new(),
            has_asked: false,
            answers: None,
        }
    }
}

fn records_of(entry: Option<&crate::cache::EntryRef>) -> Vec<Found> {
    let Some(entry) = entry else {
        return Vec::new();
    };
    let now = clock::now_ticks();
    let is_edited = entry.is_edited();
    let is_stale = crate::lookup::is_stale(entry, now);
    let usable = (0..entry.listed_count()).filter(|index| entry.is_usable(*index, now));
    let found = |index| {
        let expire = entry.record_expire(index).unwrap_or(entry.expire());
        let ttl_s = match entry.is_permanent() {
            true => u32::MAX,
            false => u32::try_from(reported_ttl(entry, expire, now)).unwrap_or(0),
        };
        Some(Found {
            rtype: entry.rtype(),
            rdata: entry.record(index)?.rdata()?,
            ttl_s,
            is_stale,
            is_edited,
        })
    };
    usable.filter_map(found).collect()
}

/// Where requests belong.
pub(super) trait Home: std::fmt::Debug + Send + Sync {
    /// Ends a request.
    fn cancel(&self, request: &Request);
    /// Forgets a request whose owner gives it back.
    fn release(&self, request: &Request);
    /// Has a target stand behind others.
    fn report_failed(&self, place: Place, seconds: u32);
}

/// A URI or question that is being resolved, or was.
#[derive(Debug)]
pub struct Request {
    pub(super) id: u64,
    /// The process that it belongs to.
    pub(super) generation: u32,
    pub(super) home: Weak<dyn Home>,
    /// Somebody waits for it; it is not among those that are fetched.
    pub(super) is_waited_for: bool,
    /// The program's.
    pub user: usize,
    /// Its place among those that are to be fetched, see `Finished`; 0 = it is none of them.
    pub(super) finished_as: AtomicU64,
    pub(super) outcome: OnceLock<Outcome>,
}

impl Request {
    /// False in a child of the process that it belongs to.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.generation == fork::generation()
    }

    /// The request's outcome; `None` = the request is under way.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.get()
    }

    /// Ends it, unless it has ended.
    pub fn cancel(&self) {
        if let Some(home) = self.home.upgrade() {
            home.cancel(self);
        }
    }

    /// Its owner gives it back: it ends. Nothing in a child.
    pub fn release(&self) {
        if let Some(home) = self.home.upgrade().filter(|_| self.is_ours()) {
            home.release(self);
        }
    }

    /// A target of it failed: for so long it stands behind others in requests of its context.
    pub fn report_failed(&self, target: &Target, seconds: u32) {
        if let Some(home) = self.home.upgrade() {
            home.report_failed((target.address, target.transport), seconds);
        }
    }
}

/// Address and transport, by which targets are told apart.
pub(super) type Place = (SocketAddr, crate::select::Transport);
