//! What the lookups of this thread are in.

use std::cell::Cell;

/// How a lookup deals with what the cache does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Mode {
    /// It asks.
    Asks,
    /// It is in a pass: it writes into the book.
    Suspended,
    /// It uses what a search has found.
    Uses,
}

thread_local! {
    pub(super) static MODE: Cell<Mode> = const { Cell::new(Mode::Asks) };
}
