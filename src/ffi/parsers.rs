//! Decoders for the data of single records, on a whole DNS message in memory.
//!
//! The core decodes messages elsewhere; these exist because the C interface has them. A result is a
//! block of its own, to be freed with `free()`; NULL when the data is not well-formed.
#![allow(unsafe_code, reason = "exported symbols, messages of C")]

use std::ffi::{c_char, c_int, c_uchar};
use std::ptr::null_mut;

use super::guard::guard;
use super::ptr;
use super::records::payload_block;
use super::types::{a_rdata, aaaa_rdata, cname_rdata, naptr_rdata, ptr_rdata, srv_rdata};
use crate::host::libc_state::__res_state;
use crate::rr::{Name, Naptr, RData, Srv, eq_ignore_case};

#[link(name = "resolv")]
unsafe extern "C" {
    fn dn_expand(
        message: *const c_uchar,
        end: *const c_uchar,
        source: *const c_uchar,
        text: *mut c_char,
        size: c_int,
    ) -> c_int;
}

/// Room for the text of a name: 255 octets and the NUL.
const NAME_BUFFER: usize = 256;

/// A DNS message and a place in it, as four C pointers give it.
#[derive(Clone, Copy)]
struct Place<'a> {
    message: &'a [u8],
    offset: usize,
    /// Offset of the first octet behind the record's data.
    end: usize,
}

impl<'a> Place<'a> {
    /// `None` unless message <= place <= end of data <= end of message.
    ///
    /// # Safety
    /// When the order holds, all octets from `message` to `end` are readable.
    unsafe fn new(
        message: *const c_uchar,
        end: *const c_uchar,
        data: *const c_uchar,
        data_end: *const c_uchar,
    ) -> Option<Self> {
        let (start, stop) = (message as usize, end as usize);
        let (from, to) = (data as usize, data_end as usize);
        if start == 0 || start > from || from > to || to > stop || stop - start > 65_535 {
            return None;
        }
        Some(Self {
            // SAFETY: the contract is the caller's.
            message: unsafe { ptr::octets(message, stop - start) },
            offset: from - start,
            end: to - start,
        })
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let stop = self.offset.checked_add(count).filter(|&s| s <= self.end)?;
        let octets = self.message.get(self.offset..stop)?;
        self.offset = stop;
        Some(octets)
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// A text with its length in front.
    fn text(&mut self) -> Option<Box<[u8]>> {
        let length = *self.take(1)?.first()?;
        Some(self.take(length.into())?.into())
    }

    /// A name that begins here and lies inside the data, its compressed tail apart.
    fn name(&mut self) -> Option<Name> {
        let range = self.message.as_ptr_range();
        let source = self.message.get(self.offset..)?.as_ptr();
        let mut text = [0 as c_char; NAME_BUFFER];
        let size = NAME_BUFFER as c_int;
        // SAFETY: `source` lies inside the message, which ends at `range.end`; the buffer has `size`.
        let used = unsafe { dn_expand(range.start, range.end, source, text.as_mut_ptr(), size) };
        self.take(usize::try_from(used).ok()?)?;
        // SAFETY: dn_expand() has written a NUL-terminated text.
        let text = unsafe { ptr::c_text(text.as_ptr()) }?;
        Name::from_text(text)
    }
}

/// The data in the form that C gets.
fn block_of<T>(data: Option<RData>) -> *mut T {
    data.map_or(null_mut(), |data| payload_block(&data).cast())
}

/// The data of an A record.
///
/// # Safety
/// The octets from `rdata` to `eor` are readable. Holds for all decoders: message, its end, data.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_a_parser(rdata: *mut c_uchar, eor: *mut c_uchar) -> *mut a_rdata {
    guard!(null_mut(), {
        // SAFETY: the contract is the caller's.
        let octets = unsafe { Place::new(rdata, eor, rdata, eor) }.and_then(|mut p| p.take(4));
        let octets: Option<[u8; 4]> = octets.and_then(|o| o.try_into().ok());
        block_of(octets.map(|octets| RData::A(octets.into())))
    })
}

/// The data of an AAAA record.
///
/// # Safety
/// As `dns_a_parser()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_aaaa_parser(
    rdata: *mut c_uchar,
    eor: *mut c_uchar,
) -> *mut aaaa_rdata {
    guard!(null_mut(), {
        // SAFETY: the contract is the caller's.
        let octets = unsafe { Place::new(rdata, eor, rdata, eor) }.and_then(|mut p| p.take(16));
        let octets: Option<[u8; 16]> = octets.and_then(|o| o.try_into().ok());
        block_of(octets.map(|octets| RData::Aaaa(octets.into())))
    })
}

/// The data of a CNAME record.
///
/// # Safety
/// As `dns_a_parser()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cname_parser(
    msg: *mut c_uchar,
    end: *mut c_uchar,
    rdata: *mut c_uchar,
) -> *mut cname_rdata {
    guard!(null_mut(), {
        // SAFETY: the contract is the caller's.
        let name = unsafe { Place::new(msg, end, rdata, end) }.and_then(|mut p| p.name());
        block_of(name.map(RData::Cname))
    })
}

/// The data of a PTR record.
///
/// # Safety
/// As `dns_a_parser()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_ptr_parser(
    msg: *mut c_uchar,
    end: *mut c_uchar,
    rdata: *mut c_uchar,
) -> *mut ptr_rdata {
    guard!(null_mut(), {
        // SAFETY: the contract is the caller's.
        let name = unsafe { Place::new(msg, end, rdata, end) }.and_then(|mut p| p.name());
        block_of(name.map(RData::Ptr))
    })
}

fn read_srv(mut place: Place<'_>) -> Option<RData> {
    Some(RData::Srv(Srv {
        priority: place.number()?,
        weight: place.number()?,
        port: place.number()?,
        target: place.name()?,
    }))
}

/// The data of an SRV record; `eor` is the end of the data.
///
/// # Safety
/// As `dns_a_parser()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_srv_parser(
    msg: *mut c_uchar,
    end: *mut c_uchar,
    eor: *mut c_uchar,
    rdata: *mut c_uchar,
) -> *mut srv_rdata {
    guard!(null_mut(), {
        // SAFETY: the contract is the caller's.
        block_of(unsafe { Place::new(msg, end, rdata, eor) }.and_then(read_srv))
    })
}

fn read_naptr(mut place: Place<'_>) -> Option<RData> {
    Some(RData::Naptr(Naptr {
        order: place.number()?,
        preference: place.number()?,
        flags: place.text()?,
        services: place.text()?,
        regexp: place.text()?,
        replacement: place.name()?,
    }))
}

/// The data of a NAPTR record; `eor` is the end of the data.
///
/// # Safety
/// As `dns_a_parser()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_naptr_parser(
    msg: *mut c_uchar,
    end: *mut c_uchar,
    eor: *mut c_uchar,
    rdata: *mut c_uchar,
) -> *mut naptr_rdata {
    guard!(null_mut(), {
        // SAFETY: the contract is the caller's.
        block_of(unsafe { Place::new(msg, end, rdata, eor) }.and_then(read_naptr))
    })
}

/// Octets of the name at the start of a text in wire form; `None` when it runs over the end.
fn wire_name_length(octets: &[u8]) -> Option<usize> {
    let mut offset = 0_usize;
    loop {
        let length = *octets.get(offset)?;
        let next = match length & 0xC0 {
            0xC0 => return (offset + 2 <= octets.len()).then_some(offset + 2),
            0 => offset + 1 + usize::from(length),
            _ => return None,
        };
        if length == 0 {
            return Some(next);
        }
        offset = next;
    }
}

/// First octet behind the name at `p`; NULL when it does not end before `end`.
///
/// # Safety
/// The octets from `p` to `end` are readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_skipname(p: *mut c_uchar, end: *mut c_uchar) -> *mut c_uchar {
    guard!(null_mut(), {
        // SAFETY: the contract is the caller's.
        let Some(place) = (unsafe { Place::new(p, end, p, end) }) else {
            return null_mut();
        };
        match wire_name_length(place.message) {
            // SAFETY: the length is at most that of the readable octets.
            Some(length) => unsafe { p.add(length) },
            None => null_mut(),
        }
    })
}

/// 1 when `name` is one of the search domains of `res`, letter case ignored; else 0.
///
/// # Safety
/// `res` is NULL or libc's resolver state, `name` is NULL or NUL-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn match_search_list(res: *const __res_state, name: *mut c_char) -> c_int {
    guard!(0, {
        // SAFETY: the contract is the caller's.
        let (Some(state), Some(name)) = (unsafe { res.as_ref() }, unsafe { ptr::c_text(name) })
        else {
            return 0;
        };
        let mut domains = state.dnsrch.iter().take_while(|domain| !domain.is_null());
        let found = domains.any(|domain| {
            // SAFETY: elements before the NULL are NUL-terminated texts.
            unsafe { ptr::c_text(*domain) }.is_some_and(|text| eq_ignore_case(text, name))
        });
        c_int::from(found)
    })
}

#[cfg(test)]
#[allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "tests read what they made"
)]
mod tests {
    use super::*;

    #[test]
    fn wire_names() {
        assert_eq!(wire_name_length(b"\x01a\x02bc\x00rest"), Some(6));
        assert_eq!(wire_name_length(b"\x01a\xC0\x0C"), Some(4));
        assert_eq!(wire_name_length(b"\x01a\xC0"), None);
        assert_eq!(wire_name_length(b"\x05ab"), None);
        assert_eq!(wire_name_length(b"\x41a\x00"), None);
        assert_eq!(wire_name_length(b""), None);
    }

    #[test]
    fn an_srv_record_decodes() {
        let mut message = *b"\x00\x01\x00\x02\x13\xC4\x03sip\x01x\x00";
        let range = message.as_mut_ptr_range();
        let (start, end) = (range.start, range.end);
        // SAFETY: the four pointers lie in one array, in order.
        unsafe {
            let srv = dns_srv_parser(start, end, end, start);
            assert_eq!(((*srv).priority, (*srv).weight, (*srv).port), (1, 2, 5060));
            assert_eq!((*srv).name_len, 5);
            libc::free(srv.cast());
            assert!(dns_srv_parser(start, end, end.sub(1), start).is_null());
            assert!(dns_srv_parser(end, start, end, start).is_null());
        }
    }
}
