//! The file of `dns_pin_file`: which text of it counts, and when it is read again.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::host::log::Level;
use crate::host::options::{self, StrOpt};
use crate::resolver::regular_file::{self, Stamp};

/// Octets read of a file; more are left out, with a line in the log.
const MAX_FILE_OCTETS: u64 = 1 << 20;
/// A file that changed is read once more after this time, ms: clocks of file systems move in steps, so what is written
/// right after the first look may leave the file's times as they are.
const ONCE_MORE_MS: u64 = 2000;

/// The file as it was looked at last.
#[derive(Debug, Default)]
pub struct PinFile {
    path: Vec<u8>,
    stamp: Option<Stamp>,
    once_more_ms: Option<u64>,
    /// The file could not be read, which was said.
    is_said: bool,
    text: Vec<u8>,
}

/// A path as lines of the log show it.
#[derive(Debug)]
pub struct Shown<'a>(&'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl PinFile {
    /// The text of the file, when it differs from that of the last look; empty without a file. A file that is not
    /// there, or cannot be read, leaves the pins as they are: its author may be about to put it back.
    pub fn changed(&mut self, now_ms: u64) -> Option<&[u8]> {
        let path = options::text(StrOpt::PinFile);
        if path != self.path {
            *self = Self {
                path,
                ..Self::default()
            };
            // The pins of the file before are over, whether this one can be read or not.
            self.look(now_ms);
            return Some(&self.text);
        }
        self.look(now_ms).then_some(&self.text)
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> Shown<'_> {
        Shown(&self.path)
    }

    /// True when there is another text than before.
    fn look(&mut self, now_ms: u64) -> bool {
        if self.path.is_empty() {
            return false;
        }
        let path = Path::new(OsStr::from_bytes(&self.path));
        let stamp = Stamp::of(path);
        let is_due = self.once_more_ms.is_some_and(|at_ms| now_ms >= at_ms);
        if stamp.is_some() && stamp == self.stamp && !is_due {
            return false;
        }
        let is_other = stamp != self.stamp;
        self.once_more_ms = is_other.then_some(now_ms + ONCE_MORE_MS);
        self.is_said &= !is_other;
        self.stamp = stamp;
        match regular_file::read(path, MAX_FILE_OCTETS) {
            Ok((text, is_longer)) => self.take(text, is_longer),
            Err(error) => {
                self.complain(&error);
                false
            }
        }
    }

    fn take(&mut self, mut text: Vec<u8>, is_longer: bool) -> bool {
        self.is_said = false;
        if is_longer {
            // The last line may be half a line.
            let whole = text.iter().rposition(|&octet| octet == b'\n');
            text.truncate(whole.unwrap_or(0));
        }
        let is_other = text != self.text;
        if is_longer && is_other {
            crate::log!(
                Level::Warn,
                "{}: longer than {MAX_FILE_OCTETS} octets, the rest is left out",
                Shown(&self.path)
            );
        }
        self.text = text;
        is_other
    }

    fn complain(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.is_said, true) {
            crate::log!(
                Level::Warn,
                "{}: cannot be read ({error}), what was pinned from it stays",
                Shown(&self.path)
            );
        }
    }
}
