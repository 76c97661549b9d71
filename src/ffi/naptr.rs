//! Transports and NAPTR records: which can be used, and in which order.
#![allow(unsafe_code, reason = "exported symbols, structs of C")]

use std::ffi::{c_char, c_int, c_uint};
use std::ptr::null_mut;

use super::guard::guard;
use super::ptr;
#[cfg(feature = "use_dns_cache")]
use super::types::dns_rr;
use super::types::{_str, dns_srv_proto, naptr_rdata, rdata};
use crate::rr::RecordType;
use crate::select::naptr::{self, Candidates, NaptrRow};
use crate::select::{Transport, protocols};

/// Bits of a `naptr_bmp_t`: records that one iteration can tell apart.
const MAX_NAPTR_RRS: usize = 32;
/// Elements that a caller of `create_srv_pref_list()` has room for: one per transport.
const MAX_LIST: usize = 8;
/// `naptr_get_sip_proto()`: the record leads to no transport. All bits set: -1, and 255 where `char` has no sign.
const NO_PROTO: c_char = !0;

fn transport(proto: c_char) -> Option<Transport> {
    u8::try_from(proto).ok().and_then(Transport::from_number)
}

/// The fields of a C record by which it is chosen.
///
/// # Safety
/// `n` is NULL or a record as `get_record()` or the cache make them; it lives as long as the result is used.
unsafe fn row<'a>(n: *const naptr_rdata) -> NaptrRow<'a> {
    // SAFETY: the contract is the caller's.
    let Some(n) = (unsafe { n.as_ref() }) else {
        return (b"", b"", b"", 0, 0);
    };
    // SAFETY: the lengths belong to the texts.
    let flags = unsafe { ptr::octets(n.flags.cast(), n.flags_len.into()) };
    // SAFETY: as above.
    let services = unsafe { ptr::octets(n.services.cast(), n.services_len.into()) };
    // SAFETY: as above.
    let regexp = unsafe { ptr::octets(n.regexp.cast(), n.regexp_len.into()) };
    (flags, services, regexp, n.order, n.pref)
}

/// 1 when the record `n` goes before the one chosen so far; the choice is changed then.
///
/// # Safety
/// `crt` and `crt_proto` are NULL or writable; the records are readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn naptr_choose(
    crt: *mut *mut naptr_rdata,
    crt_proto: *mut c_char,
    n: *mut naptr_rdata,
    n_proto: c_char,
) -> c_int {
    guard!(0, {
        if crt.is_null() || crt_proto.is_null() || n.is_null() {
            return 0;
        }
        // SAFETY: readable by contract.
        let chosen = unsafe { crt.read() };
        // SAFETY: readable by contract.
        let chosen_proto = unsafe { crt_proto.read() };
        // SAFETY: NULL or readable by contract.
        let chosen = unsafe { chosen.as_ref() };
        // SAFETY: as above.
        let first = match (chosen, unsafe { n.as_ref() }) {
            (Some(chosen), Some(n)) => {
                let place = |record: &naptr_rdata, proto| {
                    naptr::place(transport(proto), record.order, record.pref)
                };
                place(n, n_proto) < place(chosen, chosen_proto)
            }
            _ => true,
        };
        if first {
            // SAFETY: writable by contract.
            unsafe { *crt = n };
            // SAFETY: writable by contract.
            unsafe { *crt_proto = n_proto };
            return 1;
        }
        0
    })
}

fn preference(proto: c_char) -> i32 {
    transport(proto).map_or(i32::MIN, protocols::preference)
}

/// Transport number that a NAPTR record leads to (RFC 3263 section 4.1), -1 when it is of no use here.
///
/// # Safety
/// `n` is NULL or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn naptr_get_sip_proto(n: *mut naptr_rdata) -> c_char {
    guard!(NO_PROTO, {
        // SAFETY: the contract is the caller's.
        let (flags, services, regexp, ..) = unsafe { row(n) };
        naptr::transport_of(flags, services, regexp).map_or(NO_PROTO, |t| t as u8 as c_char)
    })
}

/// 1 when the first transport is preferred over the second.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn naptr_proto_preferred(new_proto: c_char, old_proto: c_char) -> c_int {
    guard!(0, {
        c_int::from(preference(new_proto) > preference(old_proto))
    })
}

/// 1 when a transport is enabled and its preference is not negative.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn naptr_proto_supported(proto: c_char) -> c_int {
    guard!(0, {
        c_int::from(transport(proto).is_some_and(protocols::supported))
    })
}

/// The best record that `tried` does not name; its position is added to `tried`.
///
/// # Safety
/// The records are readable.
unsafe fn best(records: &[*mut naptr_rdata], tried: &mut c_uint) -> Option<(usize, c_char)> {
    let records = records.iter().take(MAX_NAPTR_RRS);
    // SAFETY: the contract is the caller's.
    let rows = records.map(|&record| unsafe { row(record) });
    let candidates = Candidates::new(rows, None);
    let mut in_order = (0..candidates.len()).filter_map(|position| candidates.get(position));
    let found = in_order.find(|candidate| *tried & 1 << candidate.index == 0)?;
    *tried |= 1 << found.index;
    Some((found.index.into(), found.transport as u8 as c_char))
}

/// Hands a chosen record's replacement and transport to the caller.
///
/// # Safety
/// `record` is readable; the places are NULL or writable.
unsafe fn hand_out(
    record: *mut naptr_rdata,
    proto: c_char,
    srv_name: *mut _str,
    proto_place: *mut c_char,
) {
    // SAFETY: readable by contract.
    if let Some(record) = unsafe { record.as_ref() } {
        let name = _str {
            s: record.repl,
            len: record.repl_len.into(),
        };
        // SAFETY: NULL or writable by contract.
        unsafe { ptr::put(srv_name, name) };
        // SAFETY: NULL or writable by contract.
        unsafe { ptr::put(proto_place, proto) };
    }
}

/// Next usable NAPTR record of a list of `get_record()`, best first; NULL at the end. `tried` starts at
/// 0 (`naptr_iterate_init()`); `srv_name` then points into the record.
///
/// # Safety
/// `naptr_head` is NULL or such a list, `tried` is NULL or writable, the others too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn naptr_sip_iterate(
    naptr_head: *mut rdata,
    tried: *mut c_uint,
    srv_name: *mut _str,
    proto: *mut c_char,
) -> *mut rdata {
    guard!(null_mut(), {
        let mut nodes = Vec::new();
        let mut records = Vec::new();
        let mut place = naptr_head;
        // SAFETY: a list by contract, NULL at its end.
        while let Some(node) = unsafe { place.as_ref() } {
            if node.r#type == RecordType::NAPTR.0 && !node.rdata.is_null() {
                nodes.push(place);
                records.push(node.rdata.cast::<naptr_rdata>());
            }
            place = node.next;
        }
        // SAFETY: records of that list.
        let Some(index) = (unsafe { iterate(&records, tried, srv_name, proto) }) else {
            return null_mut();
        };
        nodes.get(index).copied().unwrap_or(null_mut())
    })
}

/// Next usable NAPTR record of a cache entry, best first; NULL at the end. As `naptr_sip_iterate()`.
///
/// # Safety
/// `naptr_head` is NULL or the record list of an entry that the caller holds, the others are NULL or
/// writable.
#[cfg(feature = "use_dns_cache")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_naptr_sip_iterate(
    naptr_head: *mut dns_rr,
    tried: *mut c_uint,
    srv_name: *mut _str,
    proto: *mut c_char,
) -> *mut naptr_rdata {
    guard!(null_mut(), {
        let mut records = Vec::new();
        let mut place = naptr_head;
        // SAFETY: a list by contract, NULL at its end.
        while let Some(record) = unsafe { place.as_ref() } {
            if !record.rdata.is_null() {
                records.push(record.rdata.cast::<naptr_rdata>());
            }
            place = record.next;
        }
        // SAFETY: records of that entry.
        let index = unsafe { iterate(&records, tried, srv_name, proto) };
        index
            .and_then(|index| records.get(index).copied())
            .unwrap_or(null_mut())
    })
}

/// # Safety
/// The records are readable, the places NULL or writable.
unsafe fn iterate(
    records: &[*mut naptr_rdata],
    tried: *mut c_uint,
    srv_name: *mut _str,
    proto: *mut c_char,
) -> Option<usize> {
    // SAFETY: NULL or readable by contract.
    let mut bits = unsafe { ptr::get(tried) }?;
    // SAFETY: the contract is the caller's.
    let (index, found) = unsafe { best(records, &mut bits) }?;
    // SAFETY: the contract is the caller's.
    unsafe { ptr::put(tried, bits) };
    // SAFETY: the contract is the caller's.
    unsafe { hand_out(*records.get(index)?, found, srv_name, proto) };
    Some(index)
}

/// Transports to try, best first: only `*proto` when it is given and not 0, otherwise all that are
/// enabled. Returns their number; `list` has to have room for eight.
///
/// # Safety
/// `proto` is NULL or readable, `list` is NULL or has eight writable elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn create_srv_pref_list(
    proto: *mut c_char,
    list: *mut dns_srv_proto,
) -> usize {
    guard!(0, {
        // SAFETY: the contract is the caller's.
        let given = unsafe { ptr::get(proto.cast::<u8>()) }.filter(|&p| p != 0);
        if list.is_null() {
            return 0;
        }
        let wanted = match given {
            Some(number) => vec![number],
            None => protocols::list().iter().map(|t| *t as u8).collect(),
        };
        for (index, number) in wanted.iter().take(MAX_LIST).enumerate() {
            let element = dns_srv_proto {
                proto: *number as c_char,
                proto_pref: preference(*number as c_char),
            };
            // SAFETY: fewer than eight elements, for which the caller has room by contract.
            let place = unsafe { list.add(index) };
            // SAFETY: as above.
            unsafe { ptr::put(place, element) };
        }
        wanted.len().min(MAX_LIST)
    })
}

/// Writes the SRV name of a host for a transport, NUL-terminated, into `srv` (256 octets). Transports
/// without SRV records and names that do not fit leave `srv` untouched.
///
/// # Safety
/// `name` is NULL or readable, `srv` is NULL or has 256 writable octets.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn create_srv_name(proto: c_char, name: *mut _str, srv: *mut c_char) {
    guard!((), {
        // SAFETY: the contract is the caller's.
        let name = unsafe { ptr::name(name) };
        let (Some(name), Some(transport), false) = (name, transport(proto), srv.is_null()) else {
            return;
        };
        let Some(text) = protocols::srv_name(transport, name).filter(|t| t.len() < 256) else {
            return;
        };
        // SAFETY: 256 writable octets by contract, and the text with its NUL fits.
        let buffer = unsafe { std::slice::from_raw_parts_mut(srv, text.len() + 1) };
        ptr::fill(buffer, &text);
    })
}
