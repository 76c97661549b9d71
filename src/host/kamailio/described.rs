//! The host's description of its own structures: the object kamailio/kamailio_dns_layout.c, which was compiled with the
//! host's headers and is part of its executable.
#![allow(unsafe_code, reason = "reads data of the host")]

use std::ffi::{CStr, c_char, c_uint};

/// Name of the description in the executable.
const SYMBOL: &CStr = c"kamailio_dns_layout";
const MAGIC: &[u8; 16] = b"kamailio-dns\0\0\0\0";
/// The form of the description; another one has other structures than the two here.
const FORMAT: c_uint = 1;
/// More items than any version has.
const MAX_ITEMS: usize = 2000;

/// `struct kamailio_dns_item`.
#[repr(C)]
#[derive(Clone, Copy)]
struct CItem {
    name: *const c_char,
    offset: c_uint,
    size: c_uint,
}

/// `struct kamailio_dns_layout`.
#[repr(C)]
#[derive(Clone, Copy)]
struct CDescription {
    head: CHead,
    count: c_uint,
    item_size: c_uint,
    items: *const CItem,
}

/// The beginning of all forms of the description.
#[repr(C)]
#[derive(Clone, Copy)]
struct CHead {
    magic: [u8; 16],
    format: c_uint,
}

/// A structure, or a member of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item<'a> {
    /// `structure` or `structure.member`.
    pub name: &'a str,
    /// Octets from the beginning of the structure.
    pub offset: usize,
    /// Octets.
    pub size: usize,
}

/// Why there is no description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotDescribed {
    /// The executable was linked without the object.
    Missing,
    /// The object is one of another version of this library.
    Format(u32),
}

/// The items that the host describes.
///
/// # Errors
/// When there are none that can be read.
pub(crate) fn items() -> Result<Vec<Item<'static>>, NotDescribed> {
    let description = super::symbol(SYMBOL).ok_or(NotDescribed::Missing)?;
    // SAFETY: data of the executable, which lives as long as the process; nothing else has that name.
    unsafe { read(description.cast()) }
}

/// # Safety
/// `description` points to a `struct kamailio_dns_layout` that lives for ever; what its magic and format do not
/// vouch for is not read.
unsafe fn read(description: *const CDescription) -> Result<Vec<Item<'static>>, NotDescribed> {
    // SAFETY: all forms begin so, by contract.
    let head = unsafe { description.cast::<CHead>().read() };
    if head.magic != *MAGIC {
        return Err(NotDescribed::Format(0));
    }
    if head.format != FORMAT {
        return Err(NotDescribed::Format(head.format));
    }
    // SAFETY: this format.
    let description = unsafe { description.read() };
    let count = description.count as usize;
    if description.item_size as usize != size_of::<CItem>() || count > MAX_ITEMS {
        return Err(NotDescribed::Format(FORMAT));
    }
    // SAFETY: an array of so many items of this size.
    let items = unsafe { std::slice::from_raw_parts(description.items, count) };
    let item = |item: &CItem| {
        // SAFETY: names are static NUL-terminated texts.
        let name = unsafe { CStr::from_ptr::<'static>(item.name) };
        Item {
            name: name.to_str().unwrap_or_default(),
            offset: item.offset as usize,
            size: item.size as usize,
        }
    };
    Ok(items.iter().map(item).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_of(change: impl FnOnce(&mut CDescription)) -> Result<Vec<Item<'static>>, NotDescribed> {
        let items = Box::leak(Box::new([
            CItem {
                name: c"rdata".as_ptr(),
                offset: 0,
                size: 32,
            },
            CItem {
                name: c"rdata.ttl".as_ptr(),
                offset: 4,
                size: 4,
            },
        ]));
        let mut description = CDescription {
            head: CHead {
                magic: *MAGIC,
                format: FORMAT,
            },
            count: 2,
            item_size: size_of::<CItem>() as u32,
            items: items.as_ptr(),
        };
        change(&mut description);
        // SAFETY: a description; its items live for ever.
        unsafe { read(&raw const description) }
    }

    #[test]
    fn items_are_read() {
        let (name, offset, size) = ("rdata.ttl", 4, 4);
        assert_eq!(
            read_of(|_| ()).unwrap().get(1),
            Some(&Item { name, offset, size })
        );
    }

    #[test]
    fn other_forms_are_not_read() {
        let nothing = std::ptr::null();
        let later = read_of(|d| (d.head.format, d.items) = (2, nothing));
        assert_eq!(later, Err(NotDescribed::Format(2)));
        let foreign = read_of(|d| (d.head.magic[0], d.items) = (b'K', nothing));
        assert_eq!(foreign, Err(NotDescribed::Format(0)));
        let wide = read_of(|d| (d.item_size, d.items) = (24, nothing));
        assert_eq!(wide, Err(NotDescribed::Format(1)));
    }

    #[test]
    fn a_program_that_is_not_kamailio_describes_nothing() {
        assert_eq!(items(), Err(NotDescribed::Missing));
    }
}
