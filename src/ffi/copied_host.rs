//! `struct hostent` results that are copied straight out of the cache.
//!
//! Such results take places in the ring of [`super::hostent`], and stay valid as long as the ring's. Their memory is
//! plain words without a constructor: no allocation, nothing to drop at the end of a thread.
#![allow(unsafe_code, reason = "memory that C reads")]

use std::cell::UnsafeCell;
use std::ffi::c_char;
use std::ptr::null_mut;

use super::hostent::{EMPTY, NEXT, RING, linked};
use crate::cache::HostCopy;
use crate::lookup::{self, Peeked};
use crate::select::sip_host;

/// The memory behind one `struct hostent`.
struct Slot {
    hostent: libc::hostent,
    copy: HostCopy,
    aliases: [*mut c_char; 1],
    addresses: [*mut c_char; HostCopy::CAPACITY + 1],
}

impl Slot {
    const NEW: Self = Self {
        hostent: EMPTY,
        copy: HostCopy::EMPTY,
        aliases: [null_mut()],
        addresses: [null_mut(); HostCopy::CAPACITY + 1],
    };

    /// Links the parts of a slot that holds a host.
    fn link(&mut self) -> *mut libc::hostent {
        let ipv6 = self.copy.is_ipv6();
        let octets = self.copy.addresses();
        let count = octets.len();
        for (place, address) in self.addresses.iter_mut().zip(octets) {
            *place = address.as_mut_ptr().cast();
        }
        if let Some(end) = self.addresses.get_mut(count) {
            *end = null_mut();
        }
        let name = self.copy.name_with_nul().as_mut_ptr();
        self.hostent = linked(name, &mut self.aliases, &mut self.addresses, ipv6);
        &raw mut self.hostent
    }
}

thread_local! {
    static SLOTS: UnsafeCell<[Slot; RING]> = const { UnsafeCell::new([const { Slot::NEW }; RING]) };
}

/// Offers the slot that is due to `fill`; it is used up when `is_used` says so of the result.
#[inline(always)]
fn with_slot<R>(fill: impl FnOnce(&mut Slot) -> R, is_used: impl FnOnce(&R) -> bool) -> R {
    let index = NEXT.get() % RING;
    SLOTS.with(|slots| {
        let first = slots.get().cast::<Slot>();
        // SAFETY: the index is below RING, so the place is inside the array.
        let place = unsafe { first.add(index) };
        // SAFETY: the array belongs to this thread, and `fill` does not come back here; what C still
        // reads through pointers are other slots.
        let result = fill(unsafe { &mut *place });
        if is_used(&result) {
            NEXT.set(index + 1);
        }
        result
    })
}

/// A host's addresses if the cache knows them, NULL if it knows that there are none, `None` if the name
/// has to be looked up.
pub(crate) fn host(name: &[u8], flags: u32) -> Option<*mut libc::hostent> {
    with_slot(
        |slot| match lookup::copy_host(name, flags, &mut slot.copy) {
            Peeked::Found(()) => Some(slot.link()),
            Peeked::Absent => Some(null_mut()),
            Peeked::Look => None,
        },
        |found| found.is_some_and(|hostent| !hostent.is_null()),
    )
}

/// The addresses of the SRV target that comes first, and its port, if the cache knows them.
pub(crate) fn srv_host(name: &[u8], flags: u32) -> Option<(*mut libc::hostent, u16)> {
    with_slot(
        |slot| {
            let port = sip_host::copy_srv_host(name, flags, &mut slot.copy)?;
            Some((slot.link(), port))
        },
        Option::is_some,
    )
}

/// A SIP destination that needs one SRV lookup at most, if the cache knows all of it: addresses, port and
/// transport. `port` and `proto` are what the caller gave.
pub(crate) fn sip_host(
    name: &[u8],
    port: Option<u16>,
    proto: Option<u8>,
    flags: u32,
) -> Option<(*mut libc::hostent, u16, u8)> {
    with_slot(
        |slot| {
            let (port, transport) = sip_host::copy_host(name, port, proto, flags, &mut slot.copy)?;
            Some((slot.link(), port, transport))
        },
        Option::is_some,
    )
}
