//! Ends a test program that hangs.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// While it lives, the process is aborted once the time is over.
#[must_use]
pub struct Watchdog(#[allow(dead_code, reason = "its drop tells the thread to stop")] Sender<()>);

impl Watchdog {
    /// Starts one; `seconds` is far above what the test needs on a slow machine.
    pub fn start(seconds: u64) -> Self {
        let (sender, receiver) = channel::<()>();
        let test = std::thread::current().name().unwrap_or("?").to_owned();
        std::thread::spawn(move || {
            if receiver.recv_timeout(Duration::from_secs(seconds)) == Err(RecvTimeoutError::Timeout)
            {
                eprintln!("watchdog: {test} still runs after {seconds} s");
                std::process::abort();
            }
        });
        Self(sender)
    }
}
