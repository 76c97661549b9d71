//! `struct hostent` results.
//!
//! A result stays valid until the same thread has asked for [`RING`] more: the C original has one
//! static area per producer, and callers exist that keep a result while they look up another name
//! (B49). Destructors of the thread's keys and handlers of `atexit()` may still read it. Each result has at least one
//! address, all of one family, `h_length` agrees with it, and both pointer lists end with NULL.
use std::cell::{Cell, RefCell};
use std::ffi::c_char;
use std::ptr::null_mut;

use crate::host::own_thread::{OfThread as _, OwnThread};
use crate::host::system_hosts::Host;

/// Results of one thread that are valid at the same time.
pub(super) const RING: usize = 16;

/// A `struct hostent` of nothing.
pub(super) const EMPTY: libc::hostent = libc::hostent {
    h_name: null_mut(),
    h_aliases: null_mut(),
    h_addrtype: 0,
    h_length: 0,
    h_addr_list: null_mut(),
};

/// A `struct hostent` of its parts: both lists end with NULL.
#[inline(always)]
pub(super) fn linked(
    name: *mut u8,
    aliases: &mut [*mut c_char],
    addresses: &mut [*mut c_char],
    ipv6: bool,
) -> libc::hostent {
    libc::hostent {
        h_name: name.cast(),
        h_aliases: aliases.as_mut_ptr(),
        h_addrtype: if ipv6 { libc::AF_INET6 } else { libc::AF_INET },
        h_length: if ipv6 { 16 } else { 4 },
        h_addr_list: addresses.as_mut_ptr(),
    }
}

/// The memory behind one `struct hostent`.
struct Slot {
    hostent: libc::hostent,
    /// Name and aliases, each NUL-terminated.
    text: Vec<u8>,
    aliases: Vec<*mut c_char>,
    octets: Vec<[u8; 16]>,
    addresses: Vec<*mut c_char>,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            hostent: EMPTY,
            text: Vec::new(),
            aliases: Vec::new(),
            octets: Vec::new(),
            addresses: Vec::new(),
        }
    }
}

impl Slot {
    /// Fills the slot and links its parts; they do not move until the next fill.
    fn fill(&mut self, host: &Host) -> Option<*mut libc::hostent> {
        let first = host.addresses.first()?;
        let ipv6 = first.is_ipv6();
        self.fill_text(&host.name, &host.aliases);
        self.octets.clear();
        for address in host.addresses.iter().filter(|a| a.is_ipv6() == ipv6) {
            self.octets.push(super::ptr::to_ip_addr(*address).u);
        }
        self.addresses.clear();
        for octets in &mut self.octets {
            self.addresses.push(octets.as_mut_ptr().cast());
        }
        self.addresses.push(null_mut());
        let name = self.text.as_mut_ptr();
        self.hostent = linked(name, &mut self.aliases, &mut self.addresses, ipv6);
        Some(&raw mut self.hostent)
    }

    fn fill_text(&mut self, name: &[u8], aliases: &[Vec<u8>]) {
        self.text.clear();
        push_text(&mut self.text, name);
        let mut starts = Vec::new();
        for alias in aliases {
            starts.push(self.text.len());
            push_text(&mut self.text, alias);
        }
        self.aliases.clear();
        for start in starts {
            let rest = self.text.get_mut(start..).unwrap_or_default();
            self.aliases.push(rest.as_mut_ptr().cast());
        }
        self.aliases.push(null_mut());
    }
}

/// Adds text and its NUL; a NUL inside would end the text early, so it is cut there.
fn push_text(text: &mut Vec<u8>, part: &[u8]) {
    text.extend(part.iter().copied().take_while(|&octet| octet != 0));
    text.push(0);
}

thread_local! {
    static SLOTS: OwnThread<[RefCell<Box<Slot>>; RING]> = const { OwnThread::lent() };
    /// The place in the ring of the next result, whichever memory it has: that of this module, or that of
    /// `copied_host`, which needs no allocation.
    pub(super) static NEXT: Cell<usize> = const { Cell::new(0) };
}

/// Puts a host into the next slot of this thread; NULL when it has no address.
pub(crate) fn publish(host: &Host) -> *mut libc::hostent {
    let index = NEXT.get() % RING;
    NEXT.set(index + 1);
    SLOTS.with_borrow(|slots| {
        let filled = slots
            .get(index)
            .and_then(|slot| slot.borrow_mut().fill(host));
        filled.unwrap_or(null_mut())
    })
}

/// As [`publish`], NULL for nothing.
pub(crate) fn publish_option(host: Option<Host>) -> *mut libc::hostent {
    host.map_or(null_mut(), |host| publish(&host))
}

#[cfg(test)]
#[allow(unsafe_code, reason = "reads what C would read")]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::host::system_hosts::copy_foreign;

    fn host(name: &[u8], addresses: &[&str]) -> Host {
        let mut host = Host {
            name: name.to_vec(),
            ..Host::default()
        };
        host.addresses = addresses.iter().map(|a| a.parse().unwrap()).collect();
        host
    }

    #[test]
    fn what_is_published_reads_back() {
        let mut original = host(b"a.example", &["192.0.2.1", "192.0.2.2"]);
        original.aliases = vec![b"b.example".to_vec(), b"c".to_vec()];
        // SAFETY: a hostent of this module.
        let copy = unsafe { copy_foreign(publish(&original)) };
        assert_eq!(copy, Some(original));
    }

    #[test]
    fn one_family_only() {
        let mixed = host(b"m", &["2001:db8::1", "192.0.2.1", "2001:db8::2"]);
        // SAFETY: a hostent of this module.
        let copy = unsafe { copy_foreign(publish(&mixed)) }.unwrap();
        assert_eq!(copy.addresses.len(), 2);
        assert!(copy.addresses.iter().all(IpAddr::is_ipv6));
        assert!(publish(&host(b"none", &[])).is_null());
    }

    #[test]
    fn earlier_results_stay_valid() {
        let first = publish(&host(b"first", &["192.0.2.1"]));
        for index in 1..RING {
            let other = publish(&host(format!("h{index}").as_bytes(), &["192.0.2.9"]));
            assert_ne!(first, other);
        }
        // SAFETY: a hostent of this module.
        let copy = unsafe { copy_foreign(first) }.unwrap();
        assert_eq!(copy.name, b"first");
    }
}
