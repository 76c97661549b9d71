//! A warm start: what the cache holds goes into a file now and then, and comes back as expired records, which may be served
//! stale while they are fetched anew (`dns_snapshot`).
//!
//! The file: [`MAGIC`], version, the time of the day, then a frame for each record set, an empty one, their number, and a
//! checksum of all that stands before it. A frame: the length of the message, when the set expired or expires by the time
//! of the day, for how many seconds it was not used ([`UNUSED`]: never), the message. Numbers are in network order.
//!
//! Record sets that came from the DNS are kept; absences, failures, what an operator edited for ever, and what a search
//! list led to are not: the first two are better asked again, the third is the operator's to set, the last depends on a
//! configuration that may have changed.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use once_cell::sync::OnceCell;

use crate::cache::{Cache, Conflict, Draft, DraftData, DraftRecord, EntryRef, RecordView};
use crate::host::clock::{self, TICKS_PER_S};
use crate::host::log::Level;
use crate::host::news::{self, Subject};
use crate::host::options::{self, ExtraOpt, StrOpt};
use crate::host::private_file::{self, NewFile, Refused};
use crate::host::shared::Shared;
use crate::host::{kamailio, process};
use crate::resolver::{Question, stored};
use crate::rr::{MAX_TTL_S, RData, RecordType};

const MAGIC: &[u8; 8] = b"KDNSsnap";
/// A file of another version is not read.
const VERSION: u32 = 1;
/// Before the message of a frame.
const FRAME_OCTETS: usize = 2 + 8 + 4;
/// Longest file that is written or read, octets.
const MOST_OCTETS: u64 = 64 << 20;
/// For a set that was never used.
const UNUSED: u32 = u32::MAX;
/// From one snapshot to the next, ms.
const INTERVAL_MS: u64 = 300_000;
/// Buckets of the table that are looked through in one step.
const STEP: usize = 128;
/// The clocks of two starts may differ so far, s.
const CLOCK_ERROR_S: u64 = 60;

/// The process that writes a snapshot, see [`process::me`]; whether a file of ours is there; and what was there last, when we
/// looked or wrote, see [`private_file::identity`]: [`UNKNOWN`], [`NONE`], or that.
static STATE: Shared<[AtomicU64; 3]> = Shared::new();
const UNKNOWN: u64 = 0;
const NONE: u64 = u64::MAX;

/// Maps the memory; before fork.
pub(super) fn prepare() {
    STATE.get();
}

/// What became of a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Record sets that were saved or loaded.
    pub sets: u64,
    /// Those that were not loaded: too old, there already, no room.
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
    /// It is not whole, was changed, or is no snapshot of this version.
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

/// The path of the start. Inside Kamailio it is read then and never again: who may change options at run time does not
/// say which file is written.
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

/// FNV-1a: each octet changes it in a way that no later one can undo.
#[derive(Clone, Copy, Debug)]
struct Checksum(u64);

impl Checksum {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = (self.0 ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

// Saving

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

/// What is at the path now.
fn found_at(path: &Path) -> u64 {
    private_file::identity(path).unwrap_or(NONE)
}

/// True when another file is at the path than when we last looked or wrote. One that is gone is nobody's.
fn is_others(path: &Path) -> bool {
    let [.., last] = STATE.get();
    let (last, found) = (last.load(Ordering::Relaxed), found_at(path));
    last != UNKNOWN && found != NONE && found != last
}

fn remember(path: &Path) {
    let [.., last] = STATE.get();
    last.store(found_at(path), Ordering::Relaxed);
}

/// What the file has of an entry; `None` for one that is not kept.
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

/// As after a start of the program; for tests.
#[cfg(feature = "testing")]
pub fn forget_for_tests() {
    let [_, is_ours, last] = STATE.get();
    is_ours.store(0, Ordering::Relaxed);
    last.store(UNKNOWN, Ordering::Relaxed);
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

// Loading

/// A record set of a file.
pub(super) struct Frame<'a> {
    pub(super) expires_s: u64,
    idle_s: u32,
    pub(super) message: &'a [u8],
}

impl Frame<'_> {
    /// For how many s it had not been used; `None` = never.
    pub(super) fn idle(&self) -> Option<u32> {
        Some(self.idle_s).filter(|idle_s| *idle_s != UNUSED)
    }
}

/// A file that is whole, of this version, and not from the future.
pub(super) struct Content<'a> {
    pub(super) saved_s: u64,
    pub(super) wall_s: u64,
    pub(super) octets: u64,
    pub(super) frames: Vec<Frame<'a>>,
}

/// Reads the file of the option.
///
/// # Errors
/// Why it is not used.
pub(super) fn with_file<T>(take: impl FnOnce(&Content<'_>) -> T) -> Result<T, Trouble> {
    let content = private_file::read(&path().ok_or(Trouble::Off)?, MOST_OCTETS)?;
    let (saved_s, frames) = frames(&content).map_err(Trouble::Damaged)?;
    let wall_s = wall_s();
    if saved_s > wall_s.saturating_add(CLOCK_ERROR_S) {
        return Err(Trouble::Damaged("it comes from the future"));
    }
    Ok(take(&Content {
        saved_s,
        wall_s,
        octets: content.len() as u64,
        frames,
    }))
}

/// The time at which a file was written, and its frames.
fn frames(content: &[u8]) -> Result<(u64, Vec<Frame<'_>>), &'static str> {
    const SHORT: &str = "it is not whole";
    let mut rest = content;
    if take(&mut rest, MAGIC.len()).ok_or(SHORT)? != MAGIC {
        return Err("it is no snapshot");
    }
    if u32::from_be_bytes(array(&mut rest).ok_or(SHORT)?) != VERSION {
        return Err("it is of another version");
    }
    let body_octets = content.len().checked_sub(8).ok_or(SHORT)?;
    let (body, sum) = content.split_at(body_octets);
    let mut checksum = Checksum::new();
    checksum.add(body);
    if sum != checksum.0.to_be_bytes() {
        return Err("it is not whole, or was changed");
    }
    let saved_s = u64::from_be_bytes(array(&mut rest).ok_or(SHORT)?);
    let mut list = Vec::new();
    loop {
        let length = u16::from_be_bytes(array(&mut rest).ok_or(SHORT)?);
        if length == 0 {
            break;
        }
        list.push(Frame {
            expires_s: u64::from_be_bytes(array(&mut rest).ok_or(SHORT)?),
            idle_s: u32::from_be_bytes(array(&mut rest).ok_or(SHORT)?),
            message: take(&mut rest, length.into()).ok_or(SHORT)?,
        });
    }
    let count = u32::from_be_bytes(array(&mut rest).ok_or(SHORT)?);
    if rest.len() != 8 || count as usize != list.len() {
        return Err("it is not whole, or something stands behind it");
    }
    Ok((saved_s, list))
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    take(rest, N)?.try_into().ok()
}

/// Loads the file of the option: what it has comes as expired, and nothing that is there gives way.
///
/// # Errors
/// Why nothing is loaded.
pub fn load() -> Result<(Count, u64), Trouble> {
    let cache = Cache::instance().ok_or(Trouble::NoCache)?;
    // Whatever it is: who loads it takes it over.
    if let Some(path) = path() {
        remember(&path);
    }
    let loaded = with_file(|file| {
        let mut count = Count {
            octets: file.octets,
            ..Count::default()
        };
        let age = Age {
            wall_s: file.wall_s,
            saved_s: file.saved_s,
            stale_s: options::extra(ExtraOpt::StaleTtl).into(),
        };
        for frame in &file.frames {
            match restore(cache, frame, &age) {
                Some(()) => count.sets += 1,
                None => count.left_out += 1,
            }
        }
        (count, file.wall_s.saturating_sub(file.saved_s))
    })?;
    let [_, is_ours, _] = STATE.get();
    is_ours.store(1, Ordering::Relaxed);
    Ok(loaded)
}

/// Loads at the start, and says what came of it in one line.
pub fn load_at_start() {
    AT_START.get_or_init(path_of_now);
    let Some(path) = path() else { return };
    let path = path.as_os_str().as_bytes().escape_ascii();
    match load() {
        Ok((count, age_s)) => crate::log!(
            Level::Notice,
            "DNS snapshot {path}, {age_s} s old: {} record sets as expired, {} left out",
            count.sets,
            count.left_out
        ),
        Err(Trouble::File(Refused::Missing)) => {
            crate::log!(Level::Info, "DNS snapshot {path}: there is none yet");
        }
        Err(trouble) => crate::log!(Level::Warn, "DNS snapshot {path} is not used: {trouble}"),
    }
}

/// By what records are judged.
struct Age {
    wall_s: u64,
    saved_s: u64,
    /// `dns_stale_ttl`, s.
    stale_s: u64,
}

impl Age {
    /// For how long a set has been expired, s, that counts as such from now on at the latest; `None` when it is too old,
    /// or nothing that was ever fetched can expire so late.
    fn of(&self, frame: &Frame<'_>) -> Option<u32> {
        let latest_s = self.saved_s.saturating_add(MAX_TTL_S.into());
        let over_s = self.wall_s.saturating_sub(frame.expires_s);
        let is_good = frame.expires_s <= latest_s && over_s < self.stale_s;
        u32::try_from(over_s).ok().filter(|_| is_good)
    }
}

fn restore(cache: &Cache, frame: &Frame<'_>, age: &Age) -> Option<()> {
    let over_s = age.of(frame)?;
    let (name, rtype, records) = stored::decode(frame.message)?;
    let now = clock::now_ticks();
    let has_room = || {
        let usage = cache.usage();
        usage.used < usage.limit / 10 * 9
    };
    if is_there(cache, name.as_bytes(), rtype, now) || !has_room() {
        return None;
    }
    let drafts: Vec<DraftRecord<'_>> = records
        .iter()
        .map(|record| DraftRecord {
            ttl: 1,
            rdata: &record.rdata,
        })
        .collect();
    let draft = Draft {
        name: name.as_bytes(),
        rtype,
        data: DraftData::Records(&drafts),
        permanent: false,
        negative_ttl: 0,
    };
    // As if it had been fetched a second before it expired.
    let then = now.wrapping_sub((over_s + 1) * TICKS_PER_S);
    let entry = cache.insert(&draft, Conflict::KeepOld, then).ok()?;
    if let Some(idle_s) = frame.idle() {
        let idle_s = u64::from(idle_s) + age.wall_s.saturating_sub(age.saved_s);
        let idle_s = idle_s.min(MAX_TTL_S.into()) as u32;
        entry.touch(now.wrapping_sub(idle_s * TICKS_PER_S));
    }
    Some(())
}

/// Something live is there, or a permanent entry, or an absence that counts; an alias counts for all types.
fn is_there(cache: &Cache, name: &[u8], rtype: RecordType, now: u32) -> bool {
    let is_live = |entry: EntryRef| entry.is_permanent() || !entry.is_expired(now);
    [rtype, RecordType::CNAME]
        .into_iter()
        .filter_map(|rtype| cache.acquire_any_age(name, rtype))
        .any(is_live)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn file() -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(VERSION.to_be_bytes());
        out.extend(1000_u64.to_be_bytes());
        for message in [&b"first"[..], b"second"] {
            out.extend((message.len() as u16).to_be_bytes());
            out.extend(1300_u64.to_be_bytes());
            out.extend(7_u32.to_be_bytes());
            out.extend(message);
        }
        out.extend([0; 2]);
        out.extend(2_u32.to_be_bytes());
        let mut sum = Checksum::new();
        sum.add(&out);
        out.extend(sum.0.to_be_bytes());
        out
    }

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let file = file();
        let (saved_s, list) = frames(&file).unwrap();
        assert_eq!((saved_s, list.len()), (1000, 2));
        assert_eq!(
            (list[1].expires_s, list[1].idle_s, list[1].message),
            (1300, 7, &b"second"[..])
        );
        for length in 0..file.len() {
            assert!(frames(&file[..length]).is_err(), "cut at {length}");
        }
        assert!(frames(&[&file[..], b"\0"].concat()).is_err());
        for place in 0..file.len() {
            for change in 1..=255 {
                let mut changed = file.clone();
                changed[place] ^= change;
                assert!(frames(&changed).is_err(), "octet {place}");
            }
        }
    }

    /// Whoever writes the checksum, too, can write lengths that lead nowhere.
    #[test]
    fn lengths_are_not_believed() {
        let file = file();
        for place in 0..file.len() - 8 {
            for change in [1, 0x80, 0xff] {
                let mut changed = file.clone();
                changed[place] ^= change;
                let body = changed.len() - 8;
                let mut sum = Checksum::new();
                sum.add(&changed[..body]);
                changed[body..].copy_from_slice(&sum.0.to_be_bytes());
                let _any = frames(&changed);
            }
        }
    }

    #[test]
    fn what_is_too_old_or_from_the_future_is_left_out() {
        let age = Age {
            wall_s: 10_000,
            saved_s: 9_000,
            stale_s: 3600,
        };
        let of = |expires_s| {
            age.of(&Frame {
                expires_s,
                idle_s: 0,
                message: b"",
            })
        };
        assert_eq!(of(9_999), Some(1));
        assert_eq!(of(10_500), Some(0));
        assert_eq!(of(6_401), Some(3599));
        assert_eq!(of(6_400), None);
        assert_eq!(of(9_001 + u64::from(MAX_TTL_S)), None);
        assert_eq!(of(0), None);
        assert_eq!(of(u64::MAX), None);
    }
}
