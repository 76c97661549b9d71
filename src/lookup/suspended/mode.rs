//! How lookups of this thread find what the cache does not have.

use std::cell::Cell;

/// How a lookup deals with what the cache does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Mode {
    /// The lookup asks, and waits.
    Asks,
    /// The lookup is part of a pass: it writes the question into the book.
    Suspended,
    /// The lookup uses the answers of a search, and asks for the rest.
    Uses,
}

thread_local! {
    pub(super) static MODE: Cell<Mode> = const { Cell::new(Mode::Asks) };
}
