//! The lists that pages are on: doubly linked by page number.

use super::super::kill_point::{KillPoint, reached};
use super::{AtomicU32, LIST_EMPTY, LIST_MASK, LIST_NONE, LIST_PARTIAL, Ordering, Pages};

impl Pages {
    fn list_head(&self, class: usize, list: u32) -> Option<&'static AtomicU32> {
        match list {
            LIST_PARTIAL => self.control.partial.get(class),
            LIST_EMPTY => self.control.empty.get(class),
            _ => self.control.spare.get(class),
        }
    }

    /// Puts a page on a list, from whichever it is on.
    pub(super) fn move_to(&self, page: u32, class: usize, list: u32) {
        self.leave_list(page, class);
        self.enter_list(page, class, list);
    }

    /// Puts a page that is on no list on one.
    pub(super) fn enter_list(&self, page: u32, class: usize, list: u32) {
        let (Some(head), Some(desc)) = (self.list_head(class, list), self.desc(page)) else {
            return;
        };
        let first = head.load(Ordering::Relaxed);
        desc.prev.store(0, Ordering::Relaxed);
        desc.next.store(first, Ordering::Relaxed);
        if let Some(neighbour) = self.desc(first).filter(|_| first != 0) {
            neighbour.prev.store(page, Ordering::Relaxed);
        }
        head.store(page, Ordering::Relaxed);
        reached(KillPoint::ListEnterHalf);
        let state = desc.state.load(Ordering::Relaxed) & !LIST_MASK;
        desc.state.store(state | list, Ordering::Relaxed);
    }

    /// Takes a page off its list, if it is on one.
    pub(super) fn leave_list(&self, page: u32, class: usize) {
        let Some(desc) = self.desc(page) else { return };
        let state = desc.state.load(Ordering::Relaxed);
        let list = state & LIST_MASK;
        if list == LIST_NONE {
            return;
        }
        let (prev, next) = (
            desc.prev.load(Ordering::Relaxed),
            desc.next.load(Ordering::Relaxed),
        );
        match (prev, self.list_head(class, list)) {
            (0, Some(head)) => head.store(next, Ordering::Relaxed),
            _ => {
                if let Some(neighbour) = self.desc(prev) {
                    neighbour.next.store(next, Ordering::Relaxed);
                }
            }
        }
        reached(KillPoint::ListLeaveHalf);
        if let Some(neighbour) = self.desc(next).filter(|_| next != 0) {
            neighbour.prev.store(prev, Ordering::Relaxed);
        }
        desc.prev.store(0, Ordering::Relaxed);
        desc.next.store(0, Ordering::Relaxed);
        desc.state.store(state & !LIST_MASK, Ordering::Relaxed);
    }
}
