//! A request and its outcome.

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
    /// The request's owner ended it.
    Cancelled,
    /// The request's context was closed.
    Closed,
}

/// A record that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The record's type.
    pub rtype: RecordType,
    /// The record's data.
    pub rdata: RData,
    /// TTL, s.
    pub ttl_s: u32,
    /// The record has expired.
    pub is_stale: bool,
    /// An operator put the record in.
    pub is_edited: bool,
}

/// The outcome of a request.
#[derive(Debug)]
pub struct Outcome {
    /// Why there is no result; `None` = there is one.
    pub trouble: Option<Trouble>,
    /// The question that the trouble comes from.
    pub culprit: Option<Culprit>,
    /// Targets in the order of use, each with whether it was reported as failed.
    pub targets: Vec<(Target, bool)>,
    /// Records of the one name.
    pub records: Vec<Found>,
    /// The request has asked a question.
    pub has_asked: bool,
    /// The answers, for lookups that go on with them.
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
    /// Puts a target behind others for so long.
    fn report_failed(&self, place: Place, seconds: u32);
}

/// A URI or question that is being resolved, or was.
#[derive(Debug)]
pub struct Request {
    pub(super) id: u64,
    /// The process that the request belongs to.
    pub(super) generation: u32,
    pub(super) home: Weak<dyn Home>,
    /// A thread waits for the request, so it is not among those to be fetched.
    pub(super) is_waited_for: bool,
    /// The program's own value.
    pub user: usize,
    /// The request's place among those that are to be fetched, see `Finished`; 0 = not among them.
    pub(super) finished_as: AtomicU64,
    pub(super) outcome: OnceLock<Outcome>,
}

impl Request {
    /// False in a child of the request's process.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.generation == fork::generation()
    }

    /// The request's outcome; `None` = the request is under way.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.get()
    }

    /// Ends the request, unless it has ended.
    pub fn cancel(&self) {
        if let Some(home) = self.home.upgrade() {
            home.cancel(self);
        }
    }

    /// Ends the request, for its owner gives it back. In a child of the process that made it, nothing happens.
    pub fn release(&self) {
        if let Some(home) = self.home.upgrade().filter(|_| self.is_ours()) {
            home.release(self);
        }
    }

    /// A target failed: for `seconds` it stands behind others in requests of the same context.
    pub fn report_failed(&self, target: &Target, seconds: u32) {
        if let Some(home) = self.home.upgrade() {
            home.report_failed((target.address, target.transport), seconds);
        }
    }
}

/// Address and transport, by which targets are told apart.
pub(super) type Place = (SocketAddr, crate::select::Transport);
