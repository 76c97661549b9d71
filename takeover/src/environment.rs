//! The environment that programs get which Kamailio starts: without this file.
#![allow(unsafe_code, reason = "changes the environment")]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// The variable that has the loader load this file.
const PRELOAD: &str = "LD_PRELOAD";
/// `off` has Kamailio left alone. The others are for tests, with blanks between: `trap`, see [`crate::jumps::write`],
/// and `emulated`, see [`crate::process::threads_of_the_program`].
const SWITCH: &str = "KAMAILIO_DNS_TAKEOVER";

/// The operator's wishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// Nothing is to be changed.
    pub nothing: bool,
    /// Replaced code ends the process when it runs.
    pub traps: bool,
    /// The processor is a program's, which has threads of its own in this process.
    pub emulated: bool,
}

/// Reads the operator's wishes from the environment.
#[must_use]
pub(crate) fn wish() -> Wish {
    let text = std::env::var(SWITCH).unwrap_or_default();
    read(&text)
}

fn read(text: &str) -> Wish {
    let has = |word| text.split(' ').any(|found| found == word);
    Wish {
        nothing: has("off"),
        traps: has("trap"),
        emulated: has("emulated"),
    }
}

/// A list of preloads without the file of this name, whatever its folder; `None` when nothing is left.
#[must_use]
pub(crate) fn without(list: &OsStr, own: &OsStr) -> Option<OsString> {
    let is_own = |part: &[u8]| Path::new(OsStr::from_bytes(part)).file_name() == Some(own);
    let parts = list.as_bytes().split(|octet| b" :\t\n".contains(octet));
    let kept: Vec<_> = parts
        .filter(|part| !part.is_empty() && !is_own(part))
        .collect();
    (!kept.is_empty()).then(|| OsString::from_vec(kept.join(&b':')))
}

/// Takes this file out of the environment; other preloads stay.
pub(crate) fn clean(own: &Path) {
    let (Some(list), Some(own)) = (std::env::var_os(PRELOAD), own.file_name()) else {
        return;
    };
    match without(&list, own) {
        // SAFETY: there is one thread.
        Some(rest) => unsafe { std::env::set_var(PRELOAD, rest) },
        // SAFETY: as above.
        None => unsafe { std::env::remove_var(PRELOAD) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_words() {
        assert_eq!(read(""), Wish::default());
        let both = read("trap emulated");
        assert!(both.traps && both.emulated && !both.nothing);
        assert!(read("off").nothing);
        assert_eq!(read("official"), Wish::default());
    }

    #[test]
    fn other_preloads_are_kept() {
        let without = |list: &str| without(OsStr::new(list), OsStr::new("own.so"));
        assert_eq!(without("/usr/lib/own.so"), None);
        assert_eq!(without("own.so"), None);
        assert_eq!(
            without("/a/first.so own.so:/b/last.so"),
            Some("/a/first.so:/b/last.so".into())
        );
        assert_eq!(
            without(" /a/own.so.1 /x/own.so"),
            Some("/a/own.so.1".into())
        );
    }
}
