//! A warm start: the records of the cache go into a file now and then, and come back as expired records, which may be
//! served stale while they are fetched anew (`dns_snapshot`).
//!
//! The file: [`format::MAGIC`], version, the time of the day, then a frame for each record set, an empty one, their
//! number, and a checksum of all that stands before it. A frame: the length of the message, when the set expired or
//! expires by the time of the day, for how many seconds it was not used ([`format::UNUSED`]: never), the message.
//! Numbers are in network order.
//!
//! Record sets that came from the DNS are kept; absences, failures, what an operator edited for ever, and what a search
//! list led to are not: the first two are better asked again, the third is the operator's to set, the last depends on a
//! configuration that may have changed.

mod format;
mod loading;
mod saving;

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use once_cell::sync::OnceCell;

use crate::host::kamailio;
use crate::host::options::{self, StrOpt};
use crate::host::private_file::{self, Refused};
use crate::host::shared::Shared;
pub(super) use format::Frame;
pub(super) use loading::with_file;
pub use loading::{load, load_at_start};
pub use saving::{Saver, save, save_at_end};

/// Longest file that is written or read, octets.
const MOST_OCTETS: u64 = 64 << 20;

/// The process that writes a snapshot, see [`crate::host::process::me`]; whether a file of ours is there; and what was
/// there last, when we looked or wrote, see [`private_file::identity`]: [`UNKNOWN`], [`NONE`], or that.
static STATE: Shared<[AtomicU64; 3]> = Shared::new();

const UNKNOWN: u64 = 0;
const NONE: u64 = u64::MAX;

/// Maps the memory; before fork.
pub(super) fn prepare() {
    STATE.get();
}

/// The result of saving or loading a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Record sets that were saved or loaded.
    pub sets: u64,
    /// Record sets that were not loaded: too old, there already, no room.
    pub left_out: u64,
    /// Length of the file.
    pub octets: u64,
}

/// Why there is no snapshot.
#[derive(Debug)]
pub enum Trouble {
    /// `dns_snapshot` is empty.
    Off,
    /// There is no cache.
    NoCache,
    /// Another process is writing one.
    Busy,
    /// Another instance has written the file.
    Others,
    /// The file, or its folder, is not as it has to be.
    File(Refused),
    /// The file is not whole, was changed, or is no snapshot of this version.
    Damaged(&'static str),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("dns_snapshot is empty"),
            Self::NoCache => f.write_str("there is no cache"),
            Self::Busy => f.write_str("another process is writing one"),
            Self::Others => f.write_str(
                "somebody else has written it: each instance needs a file of its own (dns.load takes this one over)",
            ),
            Self::File(refused) => refused.fmt(f),
            Self::Damaged(what) => f.write_str(what),
        }
    }
}

impl From<Refused> for Trouble {
    fn from(refused: Refused) -> Self {
        Self::File(refused)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::File(Refused::System(error))
    }
}

/// The path of the start. Inside Kamailio it is read then and never again: a user who may change options at run time
/// does not say which file is written.
static AT_START: OnceCell<Option<PathBuf>> = OnceCell::new();

/// The file of the option; `None` = no snapshots.
fn path() -> Option<PathBuf> {
    match kamailio::is_host() {
        true => AT_START.get().cloned().flatten(),
        false => path_of_now(),
    }
}

fn path_of_now() -> Option<PathBuf> {
    let text = options::text(StrOpt::Snapshot);
    (!text.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(&text)))
}

/// The time of the day, s.
fn wall_s() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

/// The identity of the file that is at the path now.
fn found_at(path: &Path) -> u64 {
    private_file::identity(path).unwrap_or(NONE)
}

/// True when another file is at the path than at our last look or write. A file that is gone is nobody's.
fn is_others(path: &Path) -> bool {
    let [.., last] = STATE.get();
    let (last, found) = (last.load(Ordering::Relaxed), found_at(path));
    last != UNKNOWN && found != NONE && found != last
}

fn remember(path: &Path) {
    let [.., last] = STATE.get();
    last.store(found_at(path), Ordering::Relaxed);
}

/// As after a start of the program; for tests.
#[cfg(feature = "testing")]
pub fn forget_for_tests() {
    let [_, is_ours, last] = STATE.get();
    is_ours.store(0, Ordering::Relaxed);
    last.store(UNKNOWN, Ordering::Relaxed);
}
