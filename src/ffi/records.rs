//! `get_record()` and its list.
//!
//! A node is one block of malloc: struct, owner name, data. Callers may write to the data and may
//! link the nodes in another order, so freeing follows `next` as it is found.
#![allow(unsafe_code, reason = "exported symbols, memory given to C")]

use std::ffi::{c_char, c_int, c_uchar, c_ushort, c_void};
use std::mem::offset_of;
use std::ptr::null_mut;

use super::guard::guard;
use super::ptr;
use super::types::{dns_cstr, ebl_rdata, naptr_rdata, ptr_rdata, rdata, srv_rdata, txt_rdata};
use crate::lookup::uncached;
use crate::rr::{Naptr, RData, Record, RecordType, Srv};

/// `get_record()`: only records of the type asked.
const RES_ONLY_TYPE: c_int = 1;
/// `get_record()`: records of the additional section, too.
const RES_AR: c_int = 2;
/// Alignment of each part of a block.
const ALIGN: usize = 8;

/// A zeroed block of malloc that is filled from the front.
struct Block {
    start: *mut u8,
    used: usize,
    size: usize,
}

impl Block {
    fn new(size: usize) -> Option<Self> {
        // SAFETY: calloc may be called with any sizes.
        let start = unsafe { libc::calloc(1, size) }.cast::<u8>();
        (!start.is_null()).then_some(Self {
            start,
            used: 0,
            size,
        })
    }

    /// Reserves room for a struct at the next aligned place.
    fn reserve(&mut self, length: usize) -> Option<*mut u8> {
        let begin = self.used.next_multiple_of(ALIGN);
        let end = begin.checked_add(length).filter(|&end| end <= self.size)?;
        self.used = end;
        // SAFETY: `begin` is at most `size`, so the place is inside the block or at its end.
        Some(unsafe { self.start.add(begin) })
    }

    /// Appends text without alignment; its place.
    fn text(&mut self, text: &[u8]) -> Option<*mut c_char> {
        let end = self.used.checked_add(text.len());
        let end = end.filter(|&end| end <= self.size)?;
        // SAFETY: `used` is at most `size`.
        let place = unsafe { self.start.add(self.used) };
        // SAFETY: the block has room for the text, and is not part of it.
        unsafe { place.copy_from_nonoverlapping(text.as_ptr(), text.len()) };
        self.used = end;
        Some(place.cast())
    }

    /// Goes on right behind the fixed part of the struct that was reserved last at `place`.
    fn rewind_to(&mut self, place: *mut u8, offset: usize) {
        self.used = (place as usize - self.start as usize + offset).min(self.size);
    }
}

/// A length in one octet; texts are at most 255 octets long.
fn length(text: &[u8]) -> c_uchar {
    text.len().min(255) as c_uchar
}

/// Octets of the C form of the data, 0 when there is none.
fn payload_size(data: &RData) -> usize {
    let text =
        |fixed: usize, texts: &[&[u8]]| fixed + texts.iter().map(|t| t.len() + 1).sum::<usize>();
    match data {
        RData::A(_) => 4,
        RData::Aaaa(_) => 16,
        RData::Cname(name) | RData::Ptr(name) => {
            text(offset_of!(ptr_rdata, ptrdname), &[name.as_bytes()])
        }
        RData::Srv(srv) => size_of::<srv_rdata>() + text(0, &[srv.target.as_bytes()]),
        RData::Naptr(n) => {
            size_of::<naptr_rdata>()
                + text(
                    0,
                    &[&n.flags, &n.services, &n.regexp, n.replacement.as_bytes()],
                )
        }
        RData::Txt(texts) => {
            size_of::<txt_rdata>()
                + texts.len() * size_of::<dns_cstr>()
                + texts.iter().map(|t| t.len() + 1).sum::<usize>()
        }
        RData::Ebl {
            separator, apex, ..
        } => size_of::<ebl_rdata>() + text(0, &[separator, apex.as_bytes()]),
        RData::Other => 0,
    }
}

/// Writes the C form of the data into a block.
fn write_payload(block: &mut Block, data: &RData) -> Option<*mut u8> {
    match data {
        RData::A(address) => write_octets(block, &address.octets()),
        RData::Aaaa(address) => write_octets(block, &address.octets()),
        RData::Cname(name) | RData::Ptr(name) => write_name(block, name.as_bytes()),
        RData::Srv(srv) => write_srv(block, srv),
        RData::Naptr(naptr) => write_naptr(block, naptr),
        RData::Txt(texts) => write_txt(block, texts),
        RData::Ebl {
            position,
            separator,
            apex,
        } => write_ebl(block, *position, separator, apex.as_bytes()),
        RData::Other => None,
    }
}

fn write_octets(block: &mut Block, octets: &[u8]) -> Option<*mut u8> {
    let place = block.reserve(0)?;
    block.text(octets)?;
    Some(place)
}

/// CNAME and PTR: a length octet, the name, a NUL.
fn write_name(block: &mut Block, name: &[u8]) -> Option<*mut u8> {
    let place = write_octets(block, &[length(name)])?;
    block.text(name)?;
    block.text(&[0])?;
    Some(place)
}

fn write_srv(block: &mut Block, srv: &Srv) -> Option<*mut u8> {
    let place = block.reserve(size_of::<srv_rdata>())?;
    let target = srv.target.as_bytes();
    let head = srv_rdata {
        priority: srv.priority,
        weight: srv.weight,
        port: srv.port,
        name_len: length(target),
        name: [0],
    };
    // SAFETY: an aligned place of that size inside the block.
    unsafe { place.cast::<srv_rdata>().write(head) };
    block.rewind_to(place, offset_of!(srv_rdata, name));
    block.text(target)?;
    block.text(&[0])?;
    Some(place)
}

fn write_naptr(block: &mut Block, naptr: &Naptr) -> Option<*mut u8> {
    let place = block.reserve(size_of::<naptr_rdata>())?;
    block.rewind_to(place, offset_of!(naptr_rdata, str_table));
    let replacement = naptr.replacement.as_bytes();
    let head = naptr_rdata {
        flags: block.text(&naptr.flags)?,
        services: block.text(&naptr.services)?,
        regexp: block.text(&naptr.regexp)?,
        repl: block.text(replacement)?,
        order: naptr.order,
        pref: naptr.preference,
        flags_len: length(&naptr.flags),
        services_len: length(&naptr.services),
        regexp_len: length(&naptr.regexp),
        repl_len: length(replacement),
        skip_record: 0,
        str_table: [0],
    };
    block.text(&[0])?;
    // Only the part before the texts, which begin inside the padding of the struct.
    // SAFETY: `head` is readable and `place` has room for the fixed part; they do not overlap.
    unsafe {
        place.copy_from_nonoverlapping(
            (&raw const head).cast::<u8>(),
            offset_of!(naptr_rdata, str_table),
        );
    };
    Some(place)
}

fn write_txt(block: &mut Block, texts: &[Box<[u8]>]) -> Option<*mut u8> {
    let table = offset_of!(txt_rdata, txt);
    let place = block.reserve(table + texts.len().max(1) * size_of::<dns_cstr>())?;
    let mut total = 0_usize;
    for (index, text) in texts.iter().enumerate() {
        let cstr = block.text(text)?;
        block.text(&[0])?;
        total += text.len() + 1;
        let element = dns_cstr {
            cstr,
            cstr_len: length(text),
        };
        // SAFETY: the reserved place has room for an element per text.
        let slot = unsafe { place.add(table + index * size_of::<dns_cstr>()) };
        // SAFETY: aligned, because table and element size are multiples of 8.
        unsafe { slot.cast::<dns_cstr>().write(element) };
    }
    // SAFETY: the two counts lie at the start of the reserved place.
    unsafe {
        place
            .cast::<[c_ushort; 2]>()
            .write([texts.len() as c_ushort, total as c_ushort])
    };
    Some(place)
}

fn write_ebl(block: &mut Block, position: u8, separator: &[u8], apex: &[u8]) -> Option<*mut u8> {
    let place = block.reserve(size_of::<ebl_rdata>())?;
    let separator_place = block.text(separator)?;
    block.text(&[0])?;
    let head = ebl_rdata {
        separator: separator_place,
        apex: block.text(apex)?,
        separator_len: length(separator),
        apex_len: length(apex),
        position,
        str_table: [0],
    };
    block.text(&[0])?;
    // SAFETY: an aligned place of that size inside the block.
    unsafe { place.cast::<ebl_rdata>().write(head) };
    Some(place)
}

/// The C form of record data as a block of its own, to be freed with `free()`; NULL without memory.
pub(crate) fn payload_block(data: &RData) -> *mut c_void {
    let Some(mut block) = Block::new(payload_size(data) + ALIGN) else {
        return null_mut();
    };
    // A block always starts with the data.
    match write_payload(&mut block, data) {
        Some(place) => place.cast(),
        None => {
            // SAFETY: from calloc, and nothing points to it.
            unsafe { libc::free(block.start.cast()) };
            null_mut()
        }
    }
}

/// A record as a list node.
fn node(record: &Record) -> Option<*mut rdata> {
    let owner = record.owner.as_bytes();
    let size = size_of::<rdata>() + owner.len() + 1 + payload_size(&record.rdata) + 2 * ALIGN;
    let mut block = Block::new(size)?;
    let place = block.reserve(size_of::<rdata>())?;
    block.rewind_to(place, offset_of!(rdata, name));
    block.text(owner)?;
    block.text(&[0])?;
    let payload = write_payload(&mut block, &record.rdata);
    let head = rdata {
        r#type: record.rtype.0,
        pclass: record.class,
        ttl: record.ttl,
        rdata: payload.map_or(null_mut(), |p| p.cast()),
        next: null_mut(),
        name_len: length(owner),
        name: [0],
    };
    // SAFETY: `head` is readable and the block has room for the fixed part; they do not overlap.
    unsafe {
        place.copy_from_nonoverlapping((&raw const head).cast::<u8>(), offset_of!(rdata, name));
    };
    Some(place.cast())
}

/// Records as a C list in the same order; NULL for none. Without memory the list is shorter.
pub(crate) fn list(records: &[Record]) -> *mut rdata {
    let mut head = null_mut();
    for place in records.iter().rev().filter_map(node) {
        // SAFETY: `place` is a node made just now, owned by this function.
        unsafe { (*place).next = head };
        head = place;
    }
    head
}

/// Asks for the records of a name, past the cache.
///
/// `flags`: `RES_ONLY_TYPE` (only records of that type), `RES_AR` (additional section, too). SRV
/// records come by priority, heavier first; all others as they arrived. NULL when there are none or the
/// query failed. The list is freed with `free_rdata_list()`.
///
/// # Safety
/// `name` is NULL or NUL-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn get_record(name: *mut c_char, r#type: c_int, flags: c_int) -> *mut rdata {
    guard!(null_mut(), {
        // Records in a form that the caller does not have would do more harm than none.
        if !super::host_layout::is_known() {
            return null_mut();
        }
        super::settings::sync();
        // SAFETY: NULL or NUL-terminated by contract.
        let name = unsafe { ptr::c_text(name) };
        let (Some(name), Ok(rtype)) = (name, u16::try_from(r#type)) else {
            return null_mut();
        };
        let only = flags & RES_ONLY_TYPE != 0;
        let additional = flags & RES_AR != 0;
        uncached::record_list(name, RecordType(rtype), only, additional)
            .map_or(null_mut(), |records| list(&records))
    })
}

/// Frees a list of `get_record()`; NULL is fine.
///
/// # Safety
/// `head` is NULL or the first node of a list whose nodes all came from `get_record()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free_rdata_list(head: *mut rdata) {
    guard!((), {
        let mut node = head;
        while !node.is_null() {
            // SAFETY: a node of the list by contract.
            let next = unsafe { (*node).next };
            // SAFETY: each node is one block of malloc and is visited once.
            unsafe { libc::free(node.cast()) };
            node = next;
        }
    })
}

#[cfg(test)]
#[allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "tests read what they made"
)]
mod tests {
    use super::*;
    use crate::rr::Name;
    use std::ffi::CStr;

    fn record(rtype: RecordType, rdata: RData) -> Record {
        Record {
            owner: Name::from_text(b"owner.example").unwrap(),
            rtype,
            class: 1,
            ttl: 77,
            rdata,
        }
    }

    #[test]
    fn a_list_reads_back_and_is_writable() {
        let naptr = Naptr {
            order: 1,
            preference: 2,
            flags: b"u"[..].into(),
            services: b"E2U+sip"[..].into(),
            regexp: b"!^.*$!sip:a@b!"[..].into(),
            replacement: Name::from_text(b"").unwrap(),
        };
        let srv = Srv {
            priority: 3,
            weight: 4,
            port: 5070,
            target: Name::from_text(b"sip.example").unwrap(),
        };
        let txt = vec![b"one"[..].into(), b""[..].into()];
        let head = list(&[
            record(RecordType::NAPTR, RData::Naptr(naptr)),
            record(RecordType::SRV, RData::Srv(srv)),
            record(RecordType::TXT, RData::Txt(txt)),
            record(RecordType(99), RData::Other),
        ]);
        // SAFETY: the list was made above, with these types in this order.
        unsafe {
            let node = &*head;
            assert_eq!((node.r#type, node.ttl, node.name_len), (35, 77, 13));
            let owner = head.cast::<c_char>().add(offset_of!(rdata, name));
            assert_eq!(CStr::from_ptr(owner), c"owner.example");
            let naptr = &*node.rdata.cast::<naptr_rdata>();
            assert_eq!(naptr.regexp_len, 14);
            naptr.regexp.add(1).write(0);
            assert_eq!(CStr::from_ptr(naptr.regexp), c"!");
            assert_eq!(CStr::from_ptr(naptr.repl), c"");
            let node = &*node.next;
            let srv = &*node.rdata.cast::<srv_rdata>();
            assert_eq!(
                (srv.priority, srv.weight, srv.port, srv.name_len),
                (3, 4, 5070, 11)
            );
            let target = node.rdata.cast::<c_char>().add(offset_of!(srv_rdata, name));
            assert_eq!(CStr::from_ptr(target), c"sip.example");
            let node = &*node.next;
            let txt = &*node.rdata.cast::<txt_rdata>();
            assert_eq!((txt.cstr_no, txt.tslen), (2, 5));
            assert_eq!(CStr::from_ptr(txt.txt[0].cstr), c"one");
            let node = &*node.next;
            assert!(node.rdata.is_null() && node.next.is_null());
            free_rdata_list(head);
        }
    }
}
