//! Names whose targets are watched.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::ReentrantMutex;

use crate::host::fork;
use crate::select::sip_uri::Destination;
use crate::select::suspended::{Ended, Target};

/// How often it is looked whether something changed, at first, ms.
pub(super) const LOOK_MS: u32 = 1000;
/// Names that one context may watch.
pub(super) const MOST: usize = 4096;

/// Is told what came, and what went.
pub(super) type Tell = Box<dyn Fn(&[Target], &[Target]) + Send + Sync>;

/// A name whose targets are watched, as its owner has it.
pub struct Watch {
    pub(super) id: u64,
    pub(super) generation: u32,
    has_ended: AtomicBool,
    /// Held while its owner is told.
    telling: ReentrantMutex<()>,
    tell: Tell,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The changes of one watch.
#[derive(Debug)]
pub struct Changes {
    /// Whom to tell.
    watch: Arc<Watch>,
    added: Vec<Target>,
    removed: Vec<Target>,
}

impl Changes {
    /// Tells the owner of the watch, unless it has ended.
    pub fn tell(&self) {
        let _held = self.watch.telling.lock();
        if !self.watch.has_ended() {
            (self.watch.tell)(&self.added, &self.removed);
        }
    }
}

impl Watch {
    pub(super) fn new(id: u64, tell: Tell) -> Self {
        Self {
            id,
            generation: fork::generation(),
            has_ended: AtomicBool::new(false),
            telling: ReentrantMutex::new(()),
            tell,
        }
    }

    /// False in a child of the process that it belongs to.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.generation == fork::generation()
    }

    /// Nobody is told from here on; waits for another thread that tells somebody.
    pub fn end(&self) {
        self.has_ended.store(true, Ordering::SeqCst);
        drop(self.telling.lock());
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }
}

/// A watch as the context has it.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) watch: Arc<Watch>,
    pub(super) destination: Destination,
    pub(super) flags: u32,
    /// When to look, ms; `None` = it is being looked.
    pub(super) due_ms: Option<u64>,
    known: Option<Vec<Target>>,
}

impl Watched {
    pub(super) fn new(watch: Arc<Watch>, destination: Destination, flags: u32) -> Self {
        Self {
            watch,
            destination,
            flags,
            due_ms: Some(0),
            known: None,
        }
    }

    /// Takes the result of a look, and gives the changes. Targets that are not known, or only by expired records,
    /// change nothing.
    pub(super) fn learn(&mut self, ended: Ended) -> Option<Changes> {
        let is_certain = match &ended.lack {
            None => true,
            Some((lack, _)) => lack.is_proven(),
        };
        if !is_certain || ended.targets.iter().any(|target| target.is_stale) {
            return None;
        }
        let before = self.known.replace(ended.targets);
        let now = self.known.as_deref().unwrap_or_default();
        let is_first = before.is_none();
        let before = before.unwrap_or_default();
        let added = missing(now, &before);
        let removed = missing(&before, now);
        let is_change = !added.is_empty() || !removed.is_empty() || is_first;
        is_change.then(|| Changes {
            watch: Arc::clone(&self.watch),
            added,
            removed,
        })
    }
}

/// Targets of the one list that the other list lacks.
fn missing(of: &[Target], other: &[Target]) -> Vec<Target> {
    let is_in = |target: &&Target| {
        let mut other = other.iter();
        other.any(|o| o.address == target.address && o.transport == target.transport)
    };
    of.iter().filter(|target| !is_in(target)).cloned().collect()
}
