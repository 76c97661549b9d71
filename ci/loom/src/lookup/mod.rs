//! Of the layer `lookup`: who asks, who waits for that, and what processes leave for the refresher. The files that run.

#[path = "../../../../src/lookup/flight/mod.rs"]
pub(crate) mod flight;

#[path = "../../../../src/lookup/board.rs"]
pub(crate) mod board;
#[path = "../../../../src/lookup/pins.rs"]
pub(crate) mod pins;

/// In the place of the limit on how many wait: there is none.
pub(crate) mod crowd {
    #[derive(Debug)]
    pub(crate) struct InCrowd;

    pub(crate) fn look() -> Option<u64> {
        Some(u64::MAX)
    }
}
