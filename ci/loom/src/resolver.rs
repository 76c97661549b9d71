//! In the place of the resolver, of which `lookup::flight` asks for times: they stand still.

/// The time, ms.
pub(crate) fn now_ms() -> u64 {
    100_000
}

/// What an answer usually takes, ms.
pub(crate) fn usual_ms() -> u64 {
    200
}

/// What a query takes at the utmost, ms.
pub(crate) fn longest_ms() -> u64 {
    5000
}

/// Sends nothing, so nothing again.
pub(crate) fn while_resends_wait<R>(_waits: fn() -> bool, work: impl FnOnce() -> R) -> R {
    work()
}
