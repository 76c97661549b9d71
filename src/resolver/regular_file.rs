//! Reads configuration files whose paths somebody wrote: regular files only, never waiting, and not without end.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::host::random;
use crate::host::shared::Shared;
use crate::host::thread;

/// The marks of a file: when any of them changes the file is read again. The time of the last change of its state is
/// one of them: a file that could not be read may have got other permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(path: &Path) -> Option<Self> {
        Some(Self::from(&std::fs::metadata(path).ok()?))
    }

    fn digest(&self) -> u64 {
        [
            self.device,
            self.inode,
            self.size,
            self.modified.0 as u64,
            self.modified.1 as u64,
            self.changed.0 as u64,
            self.changed.1 as u64,
        ]
        .iter()
        .fold(1, |digest, word| random::split_mix(&mut (digest ^ word)))
        .max(1)
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Reads at most so many octets; `true` when there are more.
///
/// # Errors
/// As of the system; `InvalidInput` when it is no regular file. Nothing is read of such a file, and it is not waited
/// for: opening a FIFO would last until somebody writes.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<(Vec<u8>, bool)> {
    let _whole = thread::uncancelled();
    let file = open(path)?;
    let mut text = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut text)?;
    let is_longer = text.len() as u64 > limit;
    text.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok((text, is_longer))
}

fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(
            ErrorKind::InvalidInput,
            "not a regular file",
        ))
    }
}

/// The file that a line of the log is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject {
    ResolvConf,
    Hosts,
}

/// The last line about each file; all processes read the same files and need not all say so.
static SAID: Shared<[AtomicU64; 2]> = Shared::new();

/// Maps the memory; before fork.
pub(super) fn prepare() {
    SAID.get();
}

/// True for the first process that finds the file in this state, `None` = it is not there.
pub(super) fn may_say(subject: Subject, stamp: Option<&Stamp>) -> bool {
    let digest = stamp.map_or(1, Stamp::digest);
    let cell = SAID.get().get(subject as usize);
    cell.is_some_and(|cell| cell.swap(digest, Ordering::Relaxed) != digest)
}

/// The file is well: whatever comes next is said.
pub(super) fn forget_said(subject: Subject) {
    if let Some(cell) = SAID.get().get(subject as usize)
        && cell.load(Ordering::Relaxed) != 0
    {
        cell.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("kamailio-dns-file-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn only_regular_files_and_only_so_much_of_them() {
        let folder = folder();
        let file = folder.join("file");
        std::fs::write(&file, "0123456789").unwrap();
        assert_eq!(read(&file, 10).unwrap(), (b"0123456789".to_vec(), false));
        assert_eq!(read(&file, 9).unwrap(), (b"012345678".to_vec(), true));
        let fifo = folder.join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
        for path in [folder.as_path(), Path::new("/dev/zero"), &fifo] {
            let error = read(path, 10).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{}", path.display());
        }
        let missing = read(&folder.join("missing"), 10).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn other_permissions_are_a_change() {
        use std::os::unix::fs::PermissionsExt;
        let file = std::env::temp_dir().join(format!("kamailio-dns-mode-{}", std::process::id()));
        std::fs::write(&file, "x").unwrap();
        let before = Stamp::of(&file).unwrap();
        // The clock of the file system moves in steps.
        for mode in [0o600, 0o640].iter().cycle().take(2000) {
            std::fs::set_permissions(&file, PermissionsExt::from_mode(*mode)).unwrap();
            if Stamp::of(&file).unwrap() != before {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert_ne!(Stamp::of(&file).unwrap(), before);
        std::fs::remove_file(&file).unwrap();
    }
}
