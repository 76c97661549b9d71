//! How the library came into the program: linked, or by a takeover, which leaves a text.
#![allow(unsafe_code, reason = "reads a variable of the takeover")]

use std::ffi::CStr;

/// The variable of the takeover's file: a text that says what it did, NUL-terminated; empty when it changed nothing.
const SYMBOL: &CStr = c"kamailio_dns_takeover";
/// Octets of the variable, the NUL included.
const ROOM: usize = 512;

/// The takeover's text about itself; `None` in a program that was linked with the library.
#[must_use]
pub(crate) fn takeover() -> Option<String> {
    let text = super::symbol(SYMBOL)?;
    // SAFETY: an array of so many octets that is written before `main()`, and never afterwards.
    let octets = unsafe { std::slice::from_raw_parts(text.cast_const().cast::<u8>(), ROOM) };
    text_of(octets)
}

/// The text up to the NUL; none where that is missing.
fn text_of(octets: &[u8]) -> Option<String> {
    let text = CStr::from_bytes_until_nul(octets).ok()?;
    let text = text.to_string_lossy().into_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_ends_at_its_nul() {
        assert_eq!(text_of(b"took over\0rest").as_deref(), Some("took over"));
        assert_eq!(text_of(b"\0took over"), None);
        assert_eq!(text_of(b"no end"), None);
        assert_eq!(text_of(b""), None);
    }

    #[test]
    fn this_program_was_linked() {
        assert_eq!(takeover(), None);
    }
}
