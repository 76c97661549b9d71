//! The library's own descriptors by their numbers, and what tells each from another that has its number later.
//!
//! A program may close descriptors that it does not know, with `closefrom()` or when it becomes a daemon, and what it
//! opens next gets the same numbers. So no number is used, or closed, before it is known to be still the library's. The
//! inode of a socket is its alone as long as the socket lives. Event queues and event counters have one inode for all of
//! their kind; they get a mark.
#![allow(unsafe_code, reason = "fstat, fcntl, close")]

use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use super::sync::system;

/// What tells a descriptor from others. 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity(u64);

/// Set in the identity of what has a mark; the rest is a number of its own then, else made of device and inode.
const HAS_MARK: u64 = 1;
/// The mark: the signal that a file would send, which no file does that was not told to. Others have 0, and nobody is
/// known to set this one.
const MARK: libc::c_int = libc::SIGPWR;

/// Identities are kept in chunks, made where there are descriptors.
const CHUNK: usize = 64;
type Chunk = [AtomicU64; CHUNK];
/// Descriptors from this times [`CHUNK`] on are not closed in a child. Copies of them stay open there, and nobody uses
/// them.
const CHUNKS: usize = 1024;
static NOTED: [AtomicPtr<Chunk>; CHUNKS] = [const { AtomicPtr::new(null_mut()) }; CHUNKS];
static LAST_NUMBER: AtomicU64 = AtomicU64::new(0);

/// Device and inode of what is open under a number; `None` where nothing is.
fn inode(descriptor: RawFd) -> Option<Identity> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: writes to our variable; async-signal-safe.
    if unsafe { libc::fstat(descriptor, status.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the call has succeeded, so it has written all of it.
    let status = unsafe { status.assume_init() };
    #[allow(clippy::unnecessary_cast, reason = "the widths differ among machines")]
    let (device, inode) = (status.st_dev as u64, status.st_ino as u64);
    Some(Identity((inode ^ device.rotate_right(16)) << 1))
}

fn has_mark(descriptor: RawFd) -> bool {
    // SAFETY: takes numbers only; async-signal-safe.
    unsafe { libc::fcntl(descriptor, F_GETSIG) == MARK }
}

fn set_mark(descriptor: RawFd) -> bool {
    // SAFETY: takes numbers only.
    unsafe { libc::fcntl(descriptor, F_SETSIG, MARK) == 0 }
}

// As in fcntl.h of Linux; the crate libc does not have them.
const F_SETSIG: libc::c_int = 10;
const F_GETSIG: libc::c_int = 11;

/// Notes a descriptor of the library's, which has an inode of its own.
pub(super) fn note(descriptor: RawFd) -> Identity {
    let identity = inode(descriptor).unwrap_or(Identity(0));
    enter(descriptor, identity);
    identity
}

/// Notes a descriptor of the library's, whose inode is that of others, too.
pub(super) fn note_marked(descriptor: RawFd) -> Identity {
    if !set_mark(descriptor) {
        return note(descriptor);
    }
    let number = LAST_NUMBER.fetch_add(1, Ordering::Relaxed) + 1;
    let identity = Identity((number << 1) | HAS_MARK);
    enter(descriptor, identity);
    identity
}

fn enter(descriptor: RawFd, identity: Identity) {
    if let Some(place) = place(descriptor, true) {
        place.store(identity.0, Ordering::Relaxed);
    }
}

/// A descriptor is about to be closed, or is not the library's any more.
pub(super) fn forget(descriptor: RawFd, identity: Identity) {
    if let Some(place) = place(descriptor, false) {
        // The number may be that of another of ours by now.
        let _other = place.compare_exchange(identity.0, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// True when the number is still that of the library's descriptor.
pub(super) fn is_still(descriptor: RawFd, identity: Identity) -> bool {
    if identity.0 & HAS_MARK == 0 {
        return inode(descriptor) == Some(identity);
    }
    // Another of ours has a mark, too.
    let is_noted = |place: &AtomicU64| place.load(Ordering::Relaxed) == identity.0;
    place(descriptor, false).is_none_or(is_noted) && has_mark(descriptor)
}

/// Closes what a child has of its parent's descriptors, before any of them can be somebody else's. Async-signal-safe.
pub(super) fn close_copies() {
    for (chunk_number, chunk) in NOTED.iter().enumerate() {
        // SAFETY: NULL, or a chunk that is never freed.
        let Some(chunk) = (unsafe { chunk.load(Ordering::Acquire).as_ref() }) else {
            continue;
        };
        for (index, place) in chunk.iter().enumerate() {
            let identity = place.load(Ordering::Relaxed);
            let descriptor = (chunk_number * CHUNK + index) as RawFd;
            if identity != 0 && is_still(descriptor, Identity(identity)) {
                system::close(descriptor);
            }
            place.store(0, Ordering::Relaxed);
        }
    }
}

/// Where the identity of a descriptor stands; `makes`: the place is made where there is none.
fn place(descriptor: RawFd, makes: bool) -> Option<&'static AtomicU64> {
    let number = usize::try_from(descriptor).ok()?;
    let chunk = NOTED.get(number / CHUNK)?;
    // SAFETY: NULL, or a chunk that is never freed.
    let known = unsafe { chunk.load(Ordering::Acquire).as_ref() };
    let chunk = match known {
        Some(known) => known,
        None if makes => make(chunk),
        None => return None,
    };
    chunk.get(number % CHUNK)
}

#[cold]
fn make(place: &AtomicPtr<Chunk>) -> &'static Chunk {
    let fresh = Box::into_raw(Box::new([const { AtomicU64::new(0) }; CHUNK]));
    match place.compare_exchange(null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: made just now, and never freed from here on.
        Ok(_) => unsafe { &*fresh },
        Err(first) => {
            // SAFETY: made just now, and nobody else knows it.
            drop(unsafe { Box::from_raw(fresh) });
            // SAFETY: not NULL, and never freed.
            unsafe { &*first }
        }
    }
}
