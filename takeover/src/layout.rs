//! The layout of the host's handles, as the probe learnt it, under the name and in the form of
//! kamailio/kamailio_dns_layout.c. So the library reads it as it reads a core that is linked with it, and needs to know
//! nothing of a takeover.
#![allow(unsafe_code, reason = "an exported variable")]
#![allow(non_upper_case_globals, reason = "names fixed by the C interface")]

use std::ffi::{c_char, c_uint};
use std::ptr::null;

/// Where a handle has what the library uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle {
    /// Octets before `srv` and `a`.
    pub pointers: u32,
    /// Octets before `srv_tried_rrs`.
    pub numbers: u32,
}

impl Handle {
    /// Octets of the whole: `srv_tried_rrs`, `port`, `srv_no`, `ip_no`, `proto` and the padding end it.
    #[must_use]
    pub fn size(self) -> u32 {
        self.numbers + 16
    }
}

/// `struct kamailio_dns_item`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Item {
    name: *const c_char,
    offset: c_uint,
    size: c_uint,
}

/// `struct kamailio_dns_layout`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Description {
    magic: [u8; 16],
    format: c_uint,
    count: c_uint,
    item_size: c_uint,
    items: *const Item,
}

/// Empty until something was learnt; the library takes that for no description.
#[unsafe(no_mangle)]
pub static mut kamailio_dns_layout: Description = Description {
    magic: [0; 16],
    format: 0,
    count: 0,
    item_size: 0,
    items: null(),
};

/// Tells the library which handle the host has. Before the library is asked for the first time.
pub fn describe(handle: Handle) {
    let item = |name: &'static std::ffi::CStr, offset, size| Item {
        name: name.as_ptr(),
        offset,
        size,
    };
    let (pointers, numbers) = (handle.pointers, handle.numbers);
    let items = vec![
        item(c"dns_srv_handle", 0, handle.size()),
        item(c"dns_srv_handle.srv", pointers, 8),
        item(c"dns_srv_handle.a", pointers + 8, 8),
        item(c"dns_srv_handle.srv_tried_rrs", numbers, 8),
        item(c"dns_srv_handle.port", numbers + 8, 2),
        item(c"dns_srv_handle.srv_no", numbers + 10, 1),
        item(c"dns_srv_handle.ip_no", numbers + 11, 1),
        item(c"dns_srv_handle.proto", numbers + 12, 1),
    ];
    let description = Description {
        magic: *b"kamailio-dns\0\0\0\0",
        format: 1,
        count: items.len() as c_uint,
        item_size: size_of::<Item>() as c_uint,
        items: Vec::leak(items).as_ptr(),
    };
    let place = &raw mut kamailio_dns_layout;
    // SAFETY: there is one thread, and nobody has read the variable.
    unsafe { place.write(description) };
}
