//! A file that a program keeps for itself: nobody else can have put it there, or change it.
//!
//! The file is opened through its folder, which is held meanwhile, and no link is followed. Folder and file have to
//! belong to root or to the running user, and nobody else may write them. A new file is written beside the old one and
//! takes its place whole.
#![allow(unsafe_code, reason = "openat and the like, which std does not have")]

use std::ffi::{CString, OsStr};
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::os::fd::{AsRawFd as _, FromRawFd as _, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::{kamailio, random};

/// Why a file is not used.
#[derive(Debug)]
pub enum Refused {
    /// The path has no folder or no name, or a NUL.
    Path,
    /// There is no such file.
    Missing,
    /// The file, or its folder, is a link, a device or the like.
    Kind(&'static str),
    /// The file or its folder belongs to somebody else.
    Owner(&'static str),
    /// Others may write the file or its folder.
    Writable(&'static str),
    /// The file is longer than so many octets.
    Long(u64),
    /// An error of the system.
    System(io::Error),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path => f.write_str("no path of a file"),
            Self::Missing => f.write_str("there is no such file or folder"),
            Self::Kind(what) => write!(f, "{what} is a link, or of another kind"),
            Self::Owner(what) => write!(f, "{what} belongs to neither root nor the running user"),
            Self::Writable(what) => write!(f, "others may write {what}"),
            Self::Long(most) => write!(f, "longer than {most} octets"),
            Self::System(error) => write!(f, "{error}"),
        }
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::ENOENT) => Self::Missing,
            // O_NOFOLLOW and O_DIRECTORY give these.
            Some(libc::ELOOP | libc::ENOTDIR) => Self::Kind("it or its folder"),
            _ => Self::System(error),
        }
    }
}

/// The folder of a file, held, and the file's name in it.
struct Place {
    folder: File,
    name: CString,
    beside: CString,
}

impl Place {
    fn of(path: &Path) -> Result<Self, Refused> {
        let name = path.file_name().ok_or(Refused::Path)?;
        let folder = path.parent().filter(|folder| folder.is_absolute());
        let folder = File::options()
            .read(true)
            .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW)
            .open(folder.ok_or(Refused::Path)?)?;
        check_owner(&folder, "its folder")?;
        let c_name = |name: &[u8]| CString::new(name).map_err(|_| Refused::Path);
        Ok(Self {
            folder,
            name: c_name(name.as_bytes())?,
            beside: c_name(&[b".", OsStr::as_bytes(name), b".new"].concat())?,
        })
    }

    fn open(&self, name: &CString, flags: i32) -> io::Result<File> {
        const COMMON: i32 = libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
        let folder = self.folder.as_raw_fd();
        // SAFETY: an open folder, a NUL-terminated name, and the mode of a file that may be made.
        let file = unsafe { libc::openat(folder, name.as_ptr(), flags | COMMON, 0o600) };
        owned(file)
    }

    fn unlink(&self, name: &CString) -> io::Result<()> {
        // SAFETY: an open folder and a NUL-terminated name.
        let done = unsafe { libc::unlinkat(self.folder.as_raw_fd(), name.as_ptr(), 0) };
        if done == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

fn owned(file: RawFd) -> io::Result<File> {
    if file < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else's.
    Ok(unsafe { File::from_raw_fd(file) })
}

/// Owner and permissions are as they have to be.
fn check_owner(file: &File, what: &'static str) -> Result<(), Refused> {
    let found = file.metadata()?;
    // SAFETY: takes nothing and cannot fail.
    let user = unsafe { libc::geteuid() };
    if ![Some(0), Some(user), kamailio::user()].contains(&Some(found.uid())) {
        return Err(Refused::Owner(what));
    }
    if found.mode() & 0o022 != 0 {
        return Err(Refused::Writable(what));
    }
    Ok(())
}

/// The file's content, if it is one that nobody else can have written.
///
/// # Errors
/// Why it is not used.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, Refused> {
    let place = Place::of(path)?;
    let file = place.open(&place.name, libc::O_RDONLY)?;
    if !file.metadata()?.is_file() {
        return Err(Refused::Kind("it"));
    }
    check_owner(&file, "it")?;
    let mut content = Vec::new();
    file.take(most.saturating_add(1))
        .read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Err(Refused::Long(most));
    }
    Ok(content)
}

/// A number that tells a file from others that had its name before or will have it; `None` when there is no file that
/// may be read.
#[must_use]
pub fn identity(path: &Path) -> Option<u64> {
    let place = Place::of(path).ok()?;
    let file = place.open(&place.name, libc::O_RDONLY).ok()?;
    let found = file.metadata().ok()?;
    let parts = [
        found.dev(),
        found.ino(),
        found.mtime() as u64,
        found.mtime_nsec() as u64,
    ];
    let digest = parts
        .iter()
        .fold(2, |digest, part| random::split_mix(&mut (digest ^ part)));
    Some(digest.max(1))
}

/// A file that is being written beside the one whose place it will take; gone when it is dropped before that.
pub struct NewFile {
    place: Place,
    file: File,
    is_placed: bool,
}

impl fmt::Debug for NewFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewFile")
            .field("name", &self.place.name)
            .finish_non_exhaustive()
    }
}

impl NewFile {
    /// Begins one, readable by its owner alone.
    ///
    /// # Errors
    /// Why that cannot be.
    pub fn create(path: &Path) -> Result<Self, Refused> {
        let place = Place::of(path)?;
        // A process that was killed meanwhile may have left this file.
        let _none = place.unlink(&place.beside);
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
        let file = place.open(&place.beside, flags)?;
        Ok(Self {
            place,
            file,
            is_placed: false,
        })
    }

    /// Adds octets.
    ///
    /// # Errors
    /// As of the system.
    pub fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.file.write_all(octets)
    }

    /// Puts it in the place of the old one.
    ///
    /// # Errors
    /// As of the system; the old one is there as before.
    pub fn put_in_place(mut self) -> io::Result<()> {
        let folder = self.place.folder.as_raw_fd();
        let (from, to) = (self.place.beside.as_ptr(), self.place.name.as_ptr());
        // SAFETY: an open folder and NUL-terminated names.
        if unsafe { libc::renameat(folder, from, folder, to) } != 0 {
            return Err(io::Error::last_os_error());
        }
        self.is_placed = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_placed {
            // A file that cannot be taken away now goes the next time.
            let _left = self.place.unlink(&self.place.beside);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::PathBuf;

    use super::*;

    /// A folder of this user's that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("kdns-{name}-{}", std::process::id()));
            let _old = fs::remove_dir_all(&path);
            fs::create_dir(&path).unwrap();
            set_mode(&path, 0o700);
            Self(path)
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<String> = fs::read_dir(&self.0)
                .unwrap()
                .map(|found| found.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn refusal(path: &Path) -> String {
        read(path, 100).unwrap_err().to_string()
    }

    #[test]
    fn written_beside_renamed_and_its_owners_alone() {
        let folder = Folder::new("place");
        let path = folder.at("s");
        fs::write(&path, "old").unwrap();
        fs::write(folder.at(".s.new"), "left behind").unwrap();
        let mut file = NewFile::create(&path).unwrap();
        file.write(b"ne").unwrap();
        assert_eq!(read(&path, 100).unwrap(), b"old");
        file.write(b"w").unwrap();
        file.put_in_place().unwrap();
        assert_eq!(read(&path, 100).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        drop(NewFile::create(&path).unwrap());
        assert_eq!(folder.names(), ["s"]);
    }

    #[test]
    fn what_others_could_have_written_is_refused() {
        let folder = Folder::new("refused");
        let path = folder.at("s");
        assert!(matches!(read(&path, 100), Err(Refused::Missing)));
        fs::write(&path, "x".repeat(100)).unwrap();
        set_mode(&path, 0o644);
        assert_eq!(read(&path, 100).unwrap().len(), 100);
        assert_eq!(
            read(&path, 99).unwrap_err().to_string(),
            "longer than 99 octets"
        );
        for mode in [0o664, 0o646] {
            set_mode(&path, mode);
            assert_eq!(refusal(&path), "others may write it");
        }
        set_mode(&path, 0o600);
        for mode in [0o770, 0o707] {
            set_mode(&folder.0, mode);
            assert_eq!(refusal(&path), "others may write its folder");
            assert!(NewFile::create(&path).is_err());
        }
        set_mode(&folder.0, 0o700);
        symlink(&path, folder.at("link")).unwrap();
        symlink(&folder.0, folder.at("folder")).unwrap();
        for link in [folder.at("link"), folder.at("folder").join("s")] {
            assert!(refusal(&link).contains("is a link"), "{}", refusal(&link));
        }
        fs::create_dir(folder.at("d")).unwrap();
        assert_eq!(refusal(&folder.at("d")), "it is a link, or of another kind");
        let fifo = CString::new(folder.at("f").as_os_str().as_bytes()).unwrap();
        // SAFETY: a NUL-terminated path.
        assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) }, 0);
        assert_eq!(refusal(&folder.at("f")), "it is a link, or of another kind");
        for path in ["s", "", "/", "/tmp/.."] {
            assert_eq!(refusal(Path::new(path)), "no path of a file", "{path:?}");
        }
    }
}
