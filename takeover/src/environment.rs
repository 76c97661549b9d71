//! The environment that programs get which Kamailio starts: without this file.
#![allow(unsafe_code, reason = "changes the environment")]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// The variable that has the loader load this file.
const PRELOAD: &str = "LD_PRELOAD";
/// `off` has Kamailio left alone; `trap` is for tests, see [`crate::jumps::write`].
const SWITCH: &str = "KAMAILIO_DNS_TAKEOVER";

/// What the operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// As usual.
    Takeover,
    /// Nothing at all.
    Nothing,
    /// As usual, and replaced code ends the process when it runs.
    Traps,
}

/// What the environment asks for.
#[must_use]
pub(crate) fn wish() -> Wish {
    match std::env::var_os(SWITCH) {
        Some(value) if value == "off" => Wish::Nothing,
        Some(value) if value == "trap" => Wish::Traps,
        _ => Wish::Takeover,
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
