//! A snapshot is read: its records come as expired, and nothing that is there gives way.

use std::os::unix::ffi::OsStrExt as _;
use std::sync::atomic::Ordering;

use super::format::{Frame, frames};
use super::{AT_START, Count, MOST_OCTETS, STATE, Trouble, path, path_of_now, remember, wall_s};
use crate::cache::{Cache, Conflict, Draft, DraftData, DraftRecord, EntryRef};
use crate::host::clock::{self, TICKS_PER_S};
use crate::host::log::Level;
use crate::host::options::{self, ExtraOpt};
use crate::host::private_file::{self, Refused};
use crate::resolver::stored;
use crate::rr::{MAX_TTL_S, RecordType};

/// The clocks of two starts may differ so far, s.
const CLOCK_ERROR_S: u64 = 60;

/// A file that is whole, of this version, and not from the future.
pub(in super::super) struct Content<'a> {
    pub(in super::super) saved_s: u64,
    pub(in super::super) wall_s: u64,
    pub(in super::super) octets: u64,
    pub(in super::super) frames: Vec<Frame<'a>>,
}

/// Reads the file of the option.
///
/// # Errors
/// Why it is not used.
pub(in super::super) fn with_file<T>(take: impl FnOnce(&Content<'_>) -> T) -> Result<T, Trouble> {
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

/// Loads the file of the option: its records come as expired, and nothing that is there gives way.
///
/// # Errors
/// Why nothing is loaded.
pub fn load() -> Result<(Count, u64), Trouble> {
    let cache = Cache::instance().ok_or(Trouble::NoCache)?;
    // Whatever the file is: an instance that loads it takes it over.
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

/// The times by which records are judged.
struct Age {
    wall_s: u64,
    saved_s: u64,
    /// `dns_stale_ttl`, s.
    stale_s: u64,
}

impl Age {
    /// For how long a set has been expired, s, that counts as such from now on at the latest; `None` when it is too
    /// old, or nothing that was ever fetched can expire so late.
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

/// True when the cache has something live, or a permanent entry, or an absence that counts; an alias counts for all
/// types.
fn is_there(cache: &Cache, name: &[u8], rtype: RecordType, now: u32) -> bool {
    let is_live = |entry: EntryRef| entry.is_permanent() || !entry.is_expired(now);
    [rtype, RecordType::CNAME]
        .into_iter()
        .filter_map(|rtype| cache.acquire_any_age(name, rtype))
        .any(is_live)
}

#[cfg(test)]
mod tests {
    use super::*;

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
