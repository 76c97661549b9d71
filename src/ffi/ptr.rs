//! Checked access to what C callers pass: text, out-parameters, flags.
//!
//! Every function here takes NULL. The lifetimes are bounded by the caller: a slice is used during
//! the call it was made in and never kept.
#![allow(unsafe_code, reason = "reads and writes through pointers given by C")]

use std::ffi::{CStr, c_char, c_ushort};

use super::types::{_str, ip_addr};
use std::net::IpAddr;

use crate::rr::PlainIp;

/// No text of this interface is longer; a `len` beyond it is a mistake of the caller.
const MAX_TEXT_OCTETS: usize = 65_535;

/// The octets of a counted string; `None` for NULL, a negative or an absurd length.
///
/// # Safety
/// `text` is NULL or points to a `str` whose `s` has `len` readable octets during `'a`.
#[cfg(any(feature = "use_dns_cache", test))]
pub(crate) unsafe fn text<'a>(text: *const _str) -> Option<&'a [u8]> {
    if text.is_null() {
        return None;
    }
    // SAFETY: non-NULL, and by contract a readable `str`.
    let _str { s, len } = unsafe { text.read() };
    let len = usize::try_from(len).ok()?;
    if len == 0 {
        return Some(&[]);
    }
    if s.is_null() || len > MAX_TEXT_OCTETS {
        return None;
    }
    // SAFETY: by contract `s` has `len` readable octets.
    Some(unsafe { std::slice::from_raw_parts(s.cast::<u8>(), len) })
}

/// The octets of a counted string that must not be empty.
///
/// # Safety
/// As [`text`].
#[inline(always)]
pub(crate) unsafe fn name<'a>(name: *const _str) -> Option<&'a [u8]> {
    if name.is_null() {
        return None;
    }
    // SAFETY: non-NULL, and by contract a readable `str`.
    let _str { s, len } = unsafe { name.read() };
    let len = len as u32 as usize;
    // A negative length is a large one here.
    if s.is_null() || len.wrapping_sub(1) >= MAX_TEXT_OCTETS {
        return None;
    }
    // SAFETY: by contract `s` has `len` readable octets.
    Some(unsafe { std::slice::from_raw_parts(s.cast::<u8>(), len) })
}

/// The octets of a NUL-terminated string, without the NUL; `None` for NULL.
///
/// # Safety
/// `text` is NULL or NUL-terminated and readable during `'a`.
pub(crate) unsafe fn c_text<'a>(text: *const c_char) -> Option<&'a [u8]> {
    if text.is_null() {
        return None;
    }
    // SAFETY: non-NULL and by contract NUL-terminated.
    Some(unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// A slice of `len` octets; empty for NULL or a length that is not positive.
///
/// # Safety
/// `start` is NULL or has `len` readable octets during `'a`.
pub(crate) unsafe fn octets<'a>(start: *const u8, len: usize) -> &'a [u8] {
    if start.is_null() || len == 0 {
        return &[];
    }
    // SAFETY: non-NULL and by contract `len` octets long.
    unsafe { std::slice::from_raw_parts(start, len) }
}

/// A copy of `*place`; `None` for NULL.
///
/// # Safety
/// `place` is NULL or points to a readable, initialised `T`.
pub(crate) unsafe fn get<T: Copy>(place: *const T) -> Option<T> {
    if place.is_null() {
        return None;
    }
    // SAFETY: non-NULL and readable; unaligned, because callers cast addresses of other types.
    Some(unsafe { place.read_unaligned() })
}

/// Stores a value; nothing happens for NULL.
///
/// # Safety
/// `place` is NULL or points to a writable `T`.
pub(crate) unsafe fn put<T: Copy>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: non-NULL and writable; unaligned, because callers cast addresses of other types.
        unsafe { place.write_unaligned(value) };
    }
}

/// The caller's variables for port and transport, in and out. Each may be NULL; the transport is one octet, whatever the
/// variable is.
#[derive(Clone, Copy)]
pub(crate) struct PortAndProto {
    pub(crate) port: *mut c_ushort,
    pub(crate) proto: *mut c_char,
}

impl PortAndProto {
    /// The values of the variables; `None` for a NULL pointer.
    ///
    /// # Safety
    /// Each is NULL or readable.
    #[inline(always)]
    pub(crate) unsafe fn get(self) -> (Option<u16>, Option<u8>) {
        // SAFETY: the contract is the caller's.
        let port = unsafe { get(self.port) };
        // SAFETY: the contract is the caller's.
        (port, unsafe { get(self.proto.cast::<u8>()) })
    }

    /// Stores values; nothing happens where there is no variable.
    ///
    /// # Safety
    /// Each is NULL or writable.
    #[inline(always)]
    pub(crate) unsafe fn put(self, port: u16, proto: u8) {
        // SAFETY: the contract is the caller's.
        unsafe { put(self.port, port) };
        // SAFETY: the contract is the caller's.
        unsafe { put(self.proto.cast::<u8>(), proto) };
    }
}

/// Copies text into a C buffer, cut to fit and NUL-terminated; false when it was cut.
pub(crate) fn fill(buffer: &mut [c_char], text: &[u8]) -> bool {
    let room = buffer.len().saturating_sub(1);
    let used = text.len().min(room);
    for (cell, octet) in buffer.iter_mut().zip(text.iter().take(used)) {
        *cell = *octet as c_char;
    }
    if let Some(cell) = buffer.get_mut(used) {
        *cell = 0;
    }
    used == text.len()
}

/// An address as C sees it.
#[must_use]
#[inline(always)]
pub(crate) fn plain_to_ip_addr(address: PlainIp) -> ip_addr {
    let (af, len) = if address.ipv6 {
        (libc::AF_INET6, 16)
    } else {
        (libc::AF_INET, 4)
    };
    ip_addr::new(af as u32, len, address.octets())
}

/// An IPv4 address, four octets in network order, as C sees it.
#[cfg(feature = "use_dns_cache")]
#[must_use]
#[inline(always)]
pub(crate) fn ipv4_to_ip_addr(address: u32) -> ip_addr {
    plain_to_ip_addr(PlainIp::v4(address))
}

/// An address as C sees it.
#[must_use]
pub(crate) fn to_ip_addr(address: IpAddr) -> ip_addr {
    plain_to_ip_addr(address.into())
}

#[cfg(test)]
#[allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "tests read what they made"
)]
mod tests {
    use super::*;

    #[test]
    fn bad_text_is_refused() {
        let mut octets = *b"abc";
        let s = octets.as_mut_ptr().cast::<c_char>();
        let good = _str { s, len: 3 };
        let negative = _str { s, len: -1 };
        let empty = _str { s, len: 0 };
        let null = _str {
            s: std::ptr::null_mut(),
            len: 3,
        };
        // SAFETY: every `str` above is readable, and `s` has three octets.
        let check = |t: *const _str| unsafe { (text(t).map(<[u8]>::to_vec), name(t).is_some()) };
        assert_eq!(check(&raw const good), (Some(b"abc".to_vec()), true));
        assert_eq!(check(&raw const negative), (None, false));
        assert_eq!(check(&raw const empty), (Some(Vec::new()), false));
        assert_eq!(check(&raw const null), (None, false));
        assert_eq!(check(std::ptr::null()), (None, false));
    }

    #[test]
    fn text_is_cut_to_the_buffer() {
        let mut buffer = [1 as c_char; 4];
        assert!(fill(&mut buffer, b"abc"));
        assert_eq!(buffer.map(|c| c as u8), *b"abc\0");
        assert!(!fill(&mut buffer, b"wxyz"));
        assert_eq!(buffer.map(|c| c as u8), *b"wxy\0");
        assert!(!fill(&mut [], b"a"));
    }
}
