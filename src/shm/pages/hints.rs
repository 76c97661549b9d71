//! News from holders elsewhere: which blocks became free.

use super::super::kill_point::{KillPoint, reached};
use super::{BlockId, HINTS, Ordering, Pages};

impl Pages {
    /// Tells the next writer that a block became free. Any process, no lock.
    pub(crate) fn hint_freed(&self, block: BlockId) {
        let head = self.control.hint_head.fetch_add(1, Ordering::Relaxed);
        reached(KillPoint::HintReserved);
        if let Some(cell) = self.control.hints.get(head as usize % HINTS) {
            cell.store(block, Ordering::Release);
        }
    }

    /// Frees the blocks that holders elsewhere let go of; under the lock.
    pub(crate) fn take_hints(&self) {
        let control = self.control;
        let head = control.hint_head.load(Ordering::Relaxed);
        let mut tail = control.hint_tail.load(Ordering::Relaxed);
        if head == tail {
            return;
        }
        if head.wrapping_sub(tail) as usize > HINTS {
            control.hints_lost.store(1, Ordering::Relaxed);
            tail = head.wrapping_sub(HINTS as u32);
        }
        while tail != head {
            // A place that was taken but not yet written, perhaps for ever, is a lost hint.
            match control
                .hints
                .get(tail as usize % HINTS)
                .map(|cell| cell.swap(0, Ordering::Acquire))
            {
                None | Some(0) => control.hints_lost.store(1, Ordering::Relaxed),
                Some(block) => {
                    reached(KillPoint::HintTaken);
                    self.free(block)
                }
            }
            tail = tail.wrapping_add(1);
        }
        control.hint_tail.store(tail, Ordering::Relaxed);
    }

    /// Frees every block whose word is zero in the extents `from..to`; under the lock.
    pub(crate) fn sweep(&self, from: u32, to: u32) {
        for extent in from.max(1)..to.min(self.extent_end()) {
            self.for_each_block(extent, |block, _| self.free(block));
        }
    }

    /// Looks for blocks whose hint was lost, in up to `extents` extents; under the lock. False when
    /// no hint was lost since all extents were looked at.
    pub(crate) fn sweep_lost(&self, extents: u32) -> bool {
        let control = self.control;
        let from = match control.sweep_hand.load(Ordering::Relaxed) {
            0 if control.hints_lost.swap(0, Ordering::Relaxed) == 0 => return false,
            hand => hand,
        };
        let to = from.saturating_add(extents);
        self.sweep(from, to);
        let more = to < self.extent_end();
        control
            .sweep_hand
            .store(if more { to } else { 0 }, Ordering::Relaxed);
        true
    }
}
