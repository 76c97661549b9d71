//! Where records came from.

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The record was in the cache.
    Cache,
    /// A query was sent for it (by this call).
    Network,
    /// The address is an IP literal.
    Literal,
}
