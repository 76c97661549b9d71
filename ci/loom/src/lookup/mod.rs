//! Of the layer `lookup`: who asks, and who waits for that. The files that run.

#[path = "../../../../src/lookup/flight/mod.rs"]
pub(crate) mod flight;

/// In the place of the limit on how many wait: there is none.
pub(crate) mod crowd {
    #[derive(Debug)]
    pub(crate) struct InCrowd;

    pub(crate) fn look() -> Option<u64> {
        Some(u64::MAX)
    }
}
