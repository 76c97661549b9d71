//! Which of the two layouts `struct dns_srv_handle` has in this process.
//!
//! Up to Kamailio 6.1 the struct has 32 bytes, from 6.2 on a pointer was put in front of it. Callers
//! keep the struct in their own memory, so the library has to use what they were built with. Programs
//! other than Kamailio use the short one, as the header declares it.
#![allow(unsafe_code, reason = "looks at symbols of the host")]

use std::ffi::{CStr, c_char};

use once_cell::sync::OnceCell;

use crate::host::kamailio;

/// Longest version text that is looked at.
const MAX_VERSION_OCTETS: usize = 32;

fn find(name: &CStr) -> Option<*const c_char> {
    // SAFETY: dlsym only reads the NUL-terminated name.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!symbol.is_null()).then_some(symbol.cast_const().cast())
}

/// True when handles begin with a `naptr` pointer.
pub(crate) fn has_naptr_slot() -> bool {
    static FOUND: OnceCell<bool> = OnceCell::new();
    *FOUND.get_or_init(|| kamailio::is_host() && host_is_6_2())
}

fn host_is_6_2() -> bool {
    match find(c"ver_version").and_then(read_version) {
        Some(version) => version >= (6, 2),
        // No readable version: this counter variable came with the release that changed the handle.
        None => find(c"_cnts_threaded").is_some(),
    }
}

/// Reads the host's `const char ver_version[]`.
fn read_version(text: *const c_char) -> Option<(u32, u32)> {
    let mut octets = Vec::new();
    for offset in 0..MAX_VERSION_OCTETS {
        // SAFETY: no octet before this one was the terminating NUL, so the text goes on to here.
        let place = unsafe { text.add(offset) };
        // SAFETY: as above.
        let octet = unsafe { place.read() } as u8;
        if !octet.is_ascii_graphic() {
            break;
        }
        octets.push(octet);
    }
    parse_version(&octets)
}

/// Major and minor number of a version such as `6.2.0-dev1`.
fn parse_version(text: &[u8]) -> Option<(u32, u32)> {
    let text = std::str::from_utf8(text).ok()?;
    let mut parts = text.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    parts.next()?;
    Some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(parse_version(b"5.6.3"), Some((5, 6)));
        assert_eq!(parse_version(b"6.2.0-dev1"), Some((6, 2)));
        assert_eq!(parse_version(b"\x10\x20"), None);
        assert_eq!(parse_version(b""), None);
        assert_eq!(read_version(c"6.0.1".as_ptr()), Some((6, 0)));
    }

    #[test]
    fn a_test_binary_is_not_kamailio() {
        assert!(!has_naptr_slot());
    }
}
