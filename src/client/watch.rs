//! Names whose targets are watched.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, ReentrantMutex};

use crate::host::fork;
use crate::select::sip_uri::Destination;
use crate::select::suspended::{Ended, Target};

/// Time between two looks for changes, at first, ms.
pub(super) const LOOK_MS: u32 = 1000;
/// Names that one context may watch.
pub(super) const MOST: usize = 4096;

/// Called with the targets that came, and with those that went.
pub(super) type Tell = Box<dyn Fn(&[Target], &[Target]) + Send + Sync>;

/// A name whose targets are watched, as its owner has it.
pub struct Watch {
    pub(super) id: u64,
    pub(super) generation: u32,
    has_ended: AtomicBool,
    /// Held while the watch's owner is told.
    telling: ReentrantMutex<()>,
    /// Changes that the owner was not told yet, in their order.
    untold: Mutex<VecDeque<Change>>,
    tell: Tell,
}

/// The targets that came and went at one time.
#[derive(Debug)]
struct Change {
    added: Vec<Target>,
    removed: Vec<Target>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A watch whose owner is to be told of changes.
#[derive(Debug)]
pub struct Changes(Arc<Watch>);

impl Changes {
    /// Tells the owner of the watch all that it was not told yet, unless it has ended. Of two threads that saw a change
    /// each the second may be here first: the owner hears of the first change first all the same.
    pub fn tell(&self) {
        let Self(watch) = self;
        let _held = watch.telling.lock();
        loop {
            let next = watch.untold.lock().pop_front();
            let Some(change) = next else { return };
            if !watch.has_ended() {
                (watch.tell)(&change.added, &change.removed);
            }
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
            untold: Mutex::default(),
            tell,
        }
    }

    /// False in a child of the watch's process.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.generation == fork::generation()
    }

    /// Ends the watch: from here on nobody is told. Waits for another thread that is telling the owner.
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
    /// When to look, ms; `None` = a look is under way.
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
        self.have(ended.targets)
    }

    /// Replaces the targets; the difference is the result.
    fn have(&mut self, targets: Vec<Target>) -> Option<Changes> {
        let before = self.known.replace(targets);
        let now = self.known.as_deref().unwrap_or_default();
        let is_first = before.is_none();
        let before = before.unwrap_or_default();
        let added = missing(now, &before);
        let removed = missing(&before, now);
        let is_change = !added.is_empty() || !removed.is_empty() || is_first;
        is_change.then(|| {
            let change = Change { added, removed };
            self.watch.untold.lock().push_back(change);
            Changes(Arc::clone(&self.watch))
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::select::Transport;
    use crate::select::sip_uri;

    fn target(last: u8) -> Target {
        Target {
            address: SocketAddr::from(([192, 0, 2, last], 5060)),
            transport: Transport::Udp,
            host: b"w.example".to_vec(),
            priority: 0,
            weight: 0,
            ttl_s: Some(1),
            is_stale: false,
            is_edited: false,
        }
    }

    /// Two threads saw a change each, and the one with the later one is quicker.
    #[test]
    fn changes_are_told_in_their_order_whoever_tells() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&told);
        let tell = move |added: &[Target], _: &[Target]| {
            list.lock()
                .extend(added.iter().map(|target| target.address.ip()));
        };
        let watch = Arc::new(Watch::new(1, Box::new(tell)));
        let destination = sip_uri::parse(b"sip:w.example:5060").unwrap();
        let mut watched = Watched::new(Arc::clone(&watch), destination, 0);
        let changes: Vec<_> = [1, 2, 3]
            .into_iter()
            .filter_map(|last| watched.have(vec![target(last)]))
            .collect();
        assert_eq!(changes.len(), 3);
        changes.iter().rev().for_each(Changes::tell);
        let expected = [1, 2, 3].map(|last| std::net::IpAddr::from([192, 0, 2, last]));
        assert_eq!(*told.lock(), expected);
    }
}
