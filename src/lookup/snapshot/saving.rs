//! A snapshot is written: in small steps now and then, or in one go.

use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::format::{Checksum, FRAME_OCTETS, MAGIC, UNUSED, VERSION};
use super::{Count, MOST_OCTETS, STATE, Trouble, is_others, path, remember, wall_s};
use crate::cache::{Cache, EntryRef, RecordView};
use crate::host::clock;
use crate::host::log::Level;
use crate::host::news::{self, Subject};
use crate::host::private_file::NewFile;
use crate::host::process;
use crate::resolver::{Question, stored};
use crate::rr::RData;

/// From one snapshot to the next, ms.
const INTERVAL_MS: u64 = 300_000;
/// Buckets of the table that are looked through in one step.
const STEP: usize = 128;

/// The right to write, which one process has.
struct Right;

impl Right {
    fn take() -> Option<Self> {
        let [writer, ..] = STATE.get();
        let (me, other) = (process::me(), writer.load(Ordering::Relaxed));
        let is_free = other == 0 || !process::is_alive(other);
        let taken = is_free
            && writer
                .compare_exchange(other, me, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        taken.then_some(Self)
    }
}

impl Drop for Right {
    fn drop(&mut self) {
        let [writer, ..] = STATE.get();
        let _others =
            writer.compare_exchange(process::me(), 0, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// A snapshot that is being written, a part of the table at a time.
struct Saving {
    path: PathBuf,
    file: NewFile,
    _right: Right,
    sum: Checksum,
    /// Octets of a step that are not written yet.
    part: Vec<u8>,
    count: Count,
    next: usize,
}

impl Saving {
    fn begin(path: &Path) -> Result<Self, Trouble> {
        let right = Right::take().ok_or(Trouble::Busy)?;
        if is_others(path) {
            return Err(Trouble::Others);
        }
        let mut saving = Self {
            path: path.to_owned(),
            file: NewFile::create(path)?,
            _right: right,
            sum: Checksum::new(),
            part: Vec::new(),
            count: Count::default(),
            next: 0,
        };
        saving.part.extend(MAGIC);
        saving.part.extend(VERSION.to_be_bytes());
        saving.part.extend(wall_s().to_be_bytes());
        Ok(saving)
    }

    /// Writes what some buckets hold; true when there are more. No lock is held meanwhile, of the cache or other.
    fn step(&mut self, cache: &Cache) -> io::Result<bool> {
        let (now, wall_s) = (clock::now_ticks(), wall_s());
        let (entries, next) = cache.entries_in(self.next, STEP);
        for entry in entries {
            let is_full = self.count.octets + self.part.len() as u64 > MOST_OCTETS - (1 << 17);
            if !is_full && let Some(frame) = frame_of(&entry, now, wall_s) {
                self.part.extend(frame);
                self.count.sets += 1;
            }
        }
        self.write()?;
        self.next = next.unwrap_or(self.next);
        Ok(next.is_some())
    }

    fn write(&mut self) -> io::Result<()> {
        self.sum.add(&self.part);
        self.count.octets += self.part.len() as u64;
        self.file.write(&self.part)?;
        self.part.clear();
        Ok(())
    }

    fn end(mut self) -> io::Result<Count> {
        self.part.extend([0; 2]);
        self.part.extend((self.count.sets as u32).to_be_bytes());
        self.write()?;
        self.part.extend(self.sum.0.to_be_bytes());
        self.write()?;
        let count = self.count;
        if is_others(&self.path) {
            return Err(io::Error::other(Trouble::Others.to_string()));
        }
        self.file.put_in_place()?;
        remember(&self.path);
        let [_, is_ours, _] = STATE.get();
        is_ours.store(1, Ordering::Relaxed);
        Ok(count)
    }
}

/// The frame of an entry in the file; `None` for an entry that is not kept.
fn frame_of(entry: &EntryRef, now: u32, wall_s: u64) -> Option<Vec<u8>> {
    let is_edited = entry.is_permanent() || entry.mark().is_some_and(|mark| mark.is_edited());
    let is_led_to = entry.is_relative() || entry.owner().is_some() || entry.rtype().is_link();
    if is_edited || is_led_to || entry.negative().is_some() {
        return None;
    }
    let records: Option<Vec<RData>> = entry.records().map(RecordView::rdata).collect();
    let question = Question {
        qname: entry.name(),
        qtype: entry.rtype(),
    };
    let message = stored::encode(&question, &records?)?;
    let left_s = i64::from(clock::seconds_until(entry.expire(), now));
    let expires = wall_s.saturating_add_signed(left_s);
    let mut frame = Vec::with_capacity(FRAME_OCTETS + message.len());
    frame.extend(u16::try_from(message.len()).ok()?.to_be_bytes());
    frame.extend(expires.to_be_bytes());
    frame.extend(entry.used_ago_s(now).unwrap_or(UNUSED).to_be_bytes());
    frame.extend(message);
    Some(frame)
}

/// Saves in one go: for who may take the time.
///
/// # Errors
/// Why there is no new file; the old one is as before.
pub fn save() -> Result<Count, Trouble> {
    let path = path().ok_or(Trouble::Off)?;
    let cache = Cache::instance().ok_or(Trouble::NoCache)?;
    let mut saving = Saving::begin(&path)?;
    while saving.step(cache)? {}
    Ok(saving.end()?)
}

/// Saves at the end of the program. A program that ended before it had anything leaves the file of the one before.
pub fn save_at_end() {
    let Some(cache) = Cache::instance().filter(|_| path().is_some()) else {
        return;
    };
    let [_, is_ours, _] = STATE.get();
    if cache.usage().entries == 0 && is_ours.load(Ordering::Relaxed) == 0 {
        return;
    }
    if let Err(trouble) = save() {
        say_not_saved(&trouble);
    }
}

fn say_not_saved(trouble: &Trouble) {
    if let Some(others) = news::may_say(Subject::NotSaved) {
        let path = path().unwrap_or_default();
        crate::log!(
            Level::Warn,
            "no DNS snapshot to {}: {trouble} ({others} more since the last such line)",
            path.as_os_str().as_bytes().escape_ascii()
        );
    }
}

/// Saves now and then, in small steps.
#[derive(Default)]
pub struct Saver {
    next_ms: Option<u64>,
    saving: Option<Saving>,
}

impl fmt::Debug for Saver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saver")
            .field("next_ms", &self.next_ms)
            .finish_non_exhaustive()
    }
}

impl Saver {
    /// Goes on with the snapshot under way, or begins one when it is time.
    pub fn tick(&mut self) {
        self.tick_at(clock::monotonic_coarse_ms());
    }

    /// As [`Self::tick`], at a time, ms.
    #[doc(hidden)]
    pub fn tick_at(&mut self, now_ms: u64) {
        let next_ms = *self.next_ms.get_or_insert(now_ms + INTERVAL_MS);
        if self.saving.is_none() && now_ms < next_ms {
            return;
        }
        let result = self.go_on(now_ms);
        if let Err(trouble) = result {
            self.saving = None;
            if !matches!(trouble, Trouble::Off | Trouble::NoCache | Trouble::Busy) {
                say_not_saved(&trouble);
            }
        }
    }

    fn go_on(&mut self, now_ms: u64) -> Result<(), Trouble> {
        let cache = Cache::instance().ok_or(Trouble::NoCache)?;
        let mut saving = match self.saving.take() {
            Some(saving) => saving,
            None => {
                self.next_ms = Some(now_ms + INTERVAL_MS);
                Saving::begin(&path().ok_or(Trouble::Off)?)?
            }
        };
        if saving.step(cache)? {
            self.saving = Some(saving);
        } else {
            saving.end()?;
        }
        Ok(())
    }
}
