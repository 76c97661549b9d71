//! `struct dns_srv_handle` in each of its layouts, at the end of memory that may be written.
#![allow(unsafe_code, reason = "calls the C interface, maps memory")]

use std::ffi::{c_char, c_int};
use std::net::IpAddr;

use kamailio_dns::ffi::handle::{
    dns_sip_resolve, dns_srv_handle_cpy, dns_srv_handle_init, dns_srv_handle_next,
    dns_srv_handle_put, dns_srv_handle_seed,
};
use kamailio_dns::ffi::layout_choice::set_layout;
use kamailio_dns::ffi::types::{_str, dns_srv_handle, ip_addr};
use kamailio_dns::select::cursor::{LAYOUTS, Layout};

use super::walks::{Target, c_str};

/// Handles of a test have a layout for as long as this exists; afterwards that of a program without Kamailio.
pub struct LayoutGuard(());

impl LayoutGuard {
    pub fn new(layout: &'static Layout) -> Self {
        set_layout(layout);
        Self(())
    }
}

impl Drop for LayoutGuard {
    fn drop(&mut self) {
        set_layout(&LAYOUTS[0]);
    }
}

/// An address of no family.
pub fn no_address() -> ip_addr {
    ip_addr {
        af: 0,
        len: 0,
        u: [0; 16],
    }
}

/// A C handle, zeroed, with room for both layouts.
pub struct Handle([u64; 8]);

impl Handle {
    pub fn new() -> Self {
        Self([0; 8])
    }

    pub fn as_ptr(&mut self) -> *mut dns_srv_handle {
        self.0.as_mut_ptr().cast()
    }

    /// `dns_sip_resolve()` without port and transport.
    pub fn resolve(&mut self, name: &str, request_flags: u32) -> Result<Target, c_int> {
        let mut name = c_str(name);
        let mut ip = no_address();
        let (mut port, mut proto) = (0_u16, [0 as c_char; 4]);
        // SAFETY: an initialised handle and variables of this function.
        let result = unsafe {
            dns_sip_resolve(
                self.as_ptr(),
                &raw mut name,
                &raw mut ip,
                &raw mut port,
                proto.as_mut_ptr(),
                request_flags as c_int,
            )
        };
        if result < 0 {
            return Err(result);
        }
        assert_eq!(ip.len, 4);
        let [a, b, c, d, ..] = ip.u;
        Ok((format!("{a}.{b}.{c}.{d}"), port, proto[0] as u8))
    }

    pub fn next(&mut self) -> bool {
        // SAFETY: an initialised handle.
        unsafe { dns_srv_handle_next(self.as_ptr(), 0) != 0 }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: an initialised handle.
        unsafe { dns_srv_handle_put(self.as_ptr()) };
    }
}

/// Which end of a page of memory a handle lies at. What is beyond ends the test program.
#[derive(Clone, Copy, Debug)]
pub enum Fence {
    Before,
    Behind,
}

/// A handle as C programs have it.
pub struct CHandle {
    map: *mut libc::c_void,
    page: usize,
    place: *mut u8,
    layout: &'static Layout,
}

impl CHandle {
    /// An empty handle. Its memory was in use before.
    pub fn new(layout: &'static Layout, fence: Fence) -> Self {
        // SAFETY: asks for a number.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let (none, private) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: new memory.
        let map = unsafe { libc::mmap(std::ptr::null_mut(), 3 * page, none, private, -1, 0) };
        assert_ne!(map, libc::MAP_FAILED);
        // SAFETY: the middle of it.
        let middle = unsafe { map.byte_add(page) };
        // SAFETY: memory of this function.
        let rc = unsafe { libc::mprotect(middle, page, libc::PROT_READ | libc::PROT_WRITE) };
        assert_eq!(rc, 0);
        // SAFETY: memory of this function.
        unsafe { middle.cast::<u8>().write_bytes(0x55, page) };
        let offset = match fence {
            Fence::Before => 0,
            Fence::Behind => page - usize::from(layout.size),
        };
        // SAFETY: inside the page in the middle.
        let place = unsafe { middle.byte_add(offset) }.cast::<u8>();
        let mut handle = Self {
            map,
            page,
            place,
            layout,
        };
        // SAFETY: a handle of this function.
        unsafe { dns_srv_handle_init(handle.raw()) };
        handle
    }

    pub fn raw(&mut self) -> *mut dns_srv_handle {
        self.place.cast()
    }

    /// One step: address, port, transport, or the negative code.
    pub fn resolve(
        &mut self,
        name: &str,
        (mut port, mut proto): (u16, u8),
        flags: u32,
    ) -> Result<(IpAddr, u16, u8), i32> {
        let mut text = _str {
            s: name.as_ptr().cast_mut().cast(),
            len: name.len() as i32,
        };
        let mut ip = no_address();
        // SAFETY: variables of this function.
        let code = unsafe {
            dns_sip_resolve(
                self.raw(),
                &raw mut text,
                &raw mut ip,
                &raw mut port,
                (&raw mut proto).cast(),
                flags as i32,
            )
        };
        if code != 0 {
            assert_eq!((ip.af, ip.len), (0, 0));
            return Err(code);
        }
        let address = match ip.len {
            4 => IpAddr::from([ip.u[0], ip.u[1], ip.u[2], ip.u[3]]),
            _ => IpAddr::from(ip.u),
        };
        Ok((address, port, proto))
    }

    pub fn next(&mut self) -> bool {
        // SAFETY: a handle of this function.
        unsafe { dns_srv_handle_next(self.raw(), 0) != 0 }
    }

    pub fn seed(&mut self, seed: u32) {
        // SAFETY: a handle of this function.
        assert_eq!(unsafe { dns_srv_handle_seed(self.raw(), seed) }, 0);
    }

    /// A copy, which holds what this one holds.
    pub fn copy(&mut self, fence: Fence) -> Self {
        let mut copy = Self::new(self.layout, fence);
        // SAFETY: two handles.
        unsafe { dns_srv_handle_cpy(copy.raw(), self.raw()) };
        copy
    }

    /// A member by its name in C, as a number; `None` when this layout lacks it.
    pub fn member(&self, name: &str) -> Option<u64> {
        let mut members = self.layout.members();
        let (_, offset) = members.find(|(member, _)| *member == name)?;
        let octets = match name {
            "port" => 2,
            "srv_no" | "ip_no" | "proto" => 1,
            _ => 8,
        };
        let mut value = [0; 8];
        // SAFETY: a member of the handle.
        let member = unsafe { self.place.add(offset) };
        // SAFETY: as above.
        unsafe { std::ptr::copy_nonoverlapping(member, value.as_mut_ptr(), octets) };
        Some(u64::from_le_bytes(value))
    }

    /// Writes to the handle as a caller can: octets from a place on, as many as the handle has there.
    pub fn scribble(&mut self, offset: usize, octets: &[u8]) {
        let size = usize::from(self.layout.size);
        // SAFETY: a handle of this value.
        let handle = unsafe { std::slice::from_raw_parts_mut(self.place, size) };
        let places = handle.iter_mut().skip(offset);
        places
            .zip(octets)
            .for_each(|(place, octet)| *place = *octet);
    }

    /// The handle, octet by octet.
    pub fn octets(&self) -> Vec<u8> {
        // SAFETY: a handle of this value.
        unsafe { std::slice::from_raw_parts(self.place, usize::from(self.layout.size)) }.to_vec()
    }
}

impl Drop for CHandle {
    fn drop(&mut self) {
        // SAFETY: a handle of this value.
        unsafe { dns_srv_handle_put(self.raw()) };
        // SAFETY: memory of this value.
        unsafe { libc::munmap(self.map, 3 * self.page) };
    }
}
