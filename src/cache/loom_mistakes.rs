//! Every mistake of the list is made, and has to be noticed by a model: the last of what `make loom` runs.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::shm::mutation::{self, Mutation};

/// A mistake may make a model run for ever.
const WATCHDOG: Duration = Duration::from_secs(300);

/// Makes every mistake of the list, each in a process of its own in which all the models run until one notices.
#[test]
fn loom_every_mutation_is_caught() {
    if std::env::var_os(mutation::VARIABLE).is_some() {
        return;
    }
    let left = std::sync::Mutex::new(mutation::ALL.iter());
    let missed = std::sync::Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = left.lock().unwrap().next();
            let Some(&mistake) = next else { break };
            let begun = Instant::now();
            let is_caught = is_caught(mistake);
            println!(
                "{mistake:?}: {is_caught}, {} ms",
                begun.elapsed().as_millis()
            );
            if !is_caught {
                missed.lock().unwrap().push(mistake);
            }
        }
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

/// Where the models are that may notice.
fn models_of(mistake: Mutation) -> &'static str {
    use Mutation as M;
    match mistake {
        M::SeatOverwritten
        | M::FirstSeatUnseen
        | M::SeatLeftUnseen
        | M::WayMadeUnseen
        | M::EndKeepsTurn
        | M::EndUnchecked
        | M::EndFirst
        | M::WaitersUnchecked
        | M::ResultOfAnyTurn
        | M::ParkedUnchecked => "loom_claims",
        M::EndUntold | M::StoodUpUntold | M::WayMadeUntold | M::WakesTheEarlier | M::NewsLate => {
            "loom_flight"
        }
        M::OwnTakenRelaxed
        | M::OwnGivenRelaxed
        | M::OwnTakenUnseen
        | M::OwnSeenOnce
        | M::OwnParentHolds
        | M::OwnParentsContent
        | M::OwnGivenUnseen => "loom_own_lock",
        M::PlaceStays | M::TieGivesUp | M::LapsedCounts => "loom_crowd",
        M::TextRelaxed
        | M::TextReadRelaxed
        | M::NoTextFence
        | M::NoClaimFence
        | M::TextUnchecked
        | M::PlaceUnchecked
        | M::PlaceTakenRelaxed
        | M::PlaceFreedRelaxed
        | M::PlaceGivenUpRelaxed => "loom_text",
        M::PinRelaxed | M::PinReadRelaxed | M::NoPinReadFence | M::NoPinFence | M::PinUnchecked => {
            "loom_pins"
        }
        M::NoticeRelaxed | M::NoticeReadRelaxed => "loom_board",
        M::ReplaceVersionFirst | M::MissUnchecked => "loom_long_a_replaced",
        M::RepairKeepsVersion => "loom_long_a_death_in_a_repair",
        M::LinkInOneTable | M::UnlinkInOneTable | M::ReplaceInOneTable => "loom_long_what_changes",
        M::RecountFromZero | M::TagOverCount => "loom_long_what_went",
        _ => "loom_tests",
    }
}

/// Long models come after the others, for most mistakes are caught before.
fn is_caught(mistake: Mutation) -> bool {
    let models = models_of(mistake);
    if models.starts_with("loom_long") {
        return notice(mistake, &[models]);
    }
    notice(mistake, &[models, "--skip", "loom_long"]) || notice(mistake, &["loom_long"])
}

fn notice(mistake: Mutation, models: &[&str]) -> bool {
    let mut run = Command::new(std::env::current_exe().unwrap())
        .args(models)
        .args([
            "--skip",
            "loom_every_mutation_is_caught",
            "--test-threads=1",
        ])
        .env(mutation::VARIABLE, format!("{mistake:?}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    loop {
        if let Some(status) = run.try_wait().unwrap() {
            return !status.success();
        }
        if start.elapsed() > WATCHDOG {
            run.kill().unwrap();
            run.wait().unwrap();
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
