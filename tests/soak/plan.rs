//! What a soak is to do, from the environment.

use std::time::Duration;

use kamailio_dns::shm::robust;

/// When it ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// After so much time.
    After(Duration),
    /// When so many processes were killed, stopped, or ended by a word.
    Deeds(u32),
}

/// How many processes there are, what may become of them, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) processes: usize,
    pub(super) end: End,
    /// Without it processes are asked to end: where nobody hears of the lock of one that was killed, the others would
    /// wait for it for ever.
    pub may_kill: bool,
}

impl Plan {
    /// `SOAK_PROCESSES` (10; each role once for every ten), `SOAK_SECONDS` (30), and in place of seconds `SOAK_KILLS`,
    /// kills and stops together; 0 of them: for so many seconds, and nobody is killed.
    pub(super) fn from_env() -> Self {
        let kills = number("SOAK_KILLS");
        let plan = Self {
            processes: number("SOAK_PROCESSES").map_or(10, |number| number as usize),
            end: match kills {
                None | Some(0) => {
                    let seconds = number("SOAK_SECONDS").unwrap_or(30);
                    End::After(Duration::from_secs(seconds.into()))
                }
                Some(deeds) => End::Deeds(deeds),
            },
            may_kill: kills != Some(0) && robust::locks_outlive_owners(),
        };
        assert!((1..=super::MOST_PROCESSES).contains(&plan.processes));
        plan
    }
}

fn number(variable: &str) -> Option<u32> {
    let text = std::env::var(variable)
        .ok()
        .filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap())
}
