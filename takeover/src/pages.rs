//! Changes of code: made in a copy, which then takes the place of the original by one system call.
//!
//! So the system refuses what it may refuse while nothing is changed yet, and the host's code is never half old and
//! half new, and can be run at every moment. A copy is a private mapping of the same file, written and then made
//! executable, so the host's memory map looks to debuggers as before. Where the system lets no written memory be run
//! (MemoryDenyWriteExecute, SELinux without execmod), the copy is a file in memory with the same content.
#![allow(unsafe_code, reason = "maps memory")]

use std::ffi::c_void;
use std::fs::File;
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::fd::{AsRawFd as _, FromRawFd as _};

use crate::coherence;

const READ_WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;
/// For code that is run.
pub const READ_RUN: i32 = libc::PROT_READ | libc::PROT_EXEC;
/// Octets that are compared at a time: a block that is right already is not written, so it stays shared with the file.
const BLOCK: usize = 4096;

/// Octets of a page.
#[must_use]
pub fn page() -> usize {
    // SAFETY: asks for a number.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size)
        .ok()
        .filter(|size| size.is_power_of_two())
        .unwrap_or(BLOCK)
}

/// The rights of code in the place of code with [`READ_RUN`]: where calls through pointers had to end at marks, they
/// still have to.
#[must_use]
pub fn rights(is_guarded: bool) -> i32 {
    /// `PROT_BTI` and `HWCAP2_BTI` of Linux on arm64.
    const MARKS_ONLY: i32 = 0x10;
    const CAN_MARKS: u64 = 1 << 17;
    // SAFETY: asks for a number.
    let can = cfg!(target_arch = "aarch64")
        && unsafe { libc::getauxval(libc::AT_HWCAP2) } & CAN_MARKS != 0;
    if is_guarded && can {
        READ_RUN | MARKS_ONLY
    } else {
        READ_RUN
    }
}

/// Memory that can be run and that nobody uses yet; given back unless it is moved or kept.
#[derive(Debug)]
pub struct Copy {
    address: usize,
    length: usize,
}

impl Drop for Copy {
    fn drop(&mut self) {
        if self.length > 0 {
            // SAFETY: a mapping of our own that nothing refers to.
            unsafe { libc::munmap(self.address as *mut c_void, self.length) };
        }
    }
}

/// A private mapping, at an address that is free, or anywhere (0).
fn map(
    at: usize,
    length: usize,
    rights: i32,
    kind: i32,
    file: i32,
    offset: usize,
) -> io::Result<Copy> {
    let place = if at == 0 {
        0
    } else {
        libc::MAP_FIXED_NOREPLACE
    };
    let flags = libc::MAP_PRIVATE | kind | place;
    let offset = offset as libc::off_t;
    let hint = at as *mut c_void;
    // SAFETY: without MAP_FIXED the kernel takes addresses that are free.
    let found = unsafe { libc::mmap(hint, length, rights, flags, file, offset) };
    if found == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let copy = Copy {
        address: found as usize,
        length,
    };
    // Older kernels take the address for a wish.
    if at != 0 && copy.address != at {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    Ok(copy)
}

/// A file in memory that holds `content`.
fn memory_file(content: &[u8]) -> io::Result<File> {
    // SAFETY: a NUL-terminated name.
    let file = unsafe { libc::memfd_create(c"kamailio-dns-takeover".as_ptr(), libc::MFD_CLOEXEC) };
    if file < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that nobody else has.
    let mut file = unsafe { File::from_raw_fd(file) };
    file.write_all(content)?;
    Ok(file)
}

impl Copy {
    /// First address.
    #[must_use]
    pub fn address(&self) -> usize {
        self.address
    }

    /// Memory with `content`, at an address of choice that is free, or anywhere (0). With `source` it is a private
    /// mapping of that file, from there on, if it can be. `rights` are those it is to have.
    ///
    /// # Errors
    /// When the system lets none be run, or the address is taken.
    pub fn new(
        at: usize,
        content: &[u8],
        source: Option<(&File, usize)>,
        rights: i32,
    ) -> io::Result<Self> {
        let copy = Self::readable(at, content, source, rights)?;
        // SAFETY: memory of our own, of that length, that can be read.
        unsafe { coherence::publish(copy.address, copy.length) };
        Ok(copy)
    }

    fn readable(
        at: usize,
        content: &[u8],
        source: Option<(&File, usize)>,
        rights: i32,
    ) -> io::Result<Self> {
        let first = Self::written(at, content, source, rights);
        let Err(error) = first else {
            return first;
        };
        if error.kind() == io::ErrorKind::AddrInUse {
            return Err(error);
        }
        let file = memory_file(content)?;
        map(at, content.len(), rights, 0, file.as_raw_fd(), 0)
    }

    /// Memory that is written first and then made executable.
    fn written(
        at: usize,
        content: &[u8],
        source: Option<(&File, usize)>,
        rights: i32,
    ) -> io::Result<Self> {
        let kind = if source.is_some() {
            0
        } else {
            libc::MAP_ANONYMOUS
        };
        let (file, offset) = source.map_or((-1, 0), |(file, offset)| (file.as_raw_fd(), offset));
        let copy = map(at, content.len(), READ_WRITE, kind, file, offset)?;
        // SAFETY: memory of our own, of that length; the file is at least that long, as its content was read.
        let memory =
            unsafe { std::slice::from_raw_parts_mut(copy.address as *mut u8, content.len()) };
        // Pages whose content is that of the file stay shared with it.
        for (page, wanted) in memory.chunks_mut(BLOCK).zip(content.chunks(BLOCK)) {
            if page != wanted {
                page.copy_from_slice(wanted);
            }
        }
        // SAFETY: memory of our own.
        if unsafe { libc::mprotect(copy.address as *mut c_void, copy.length, rights) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(copy)
    }

    /// Keeps the memory for as long as the process lives.
    pub fn keep(mut self) {
        self.length = 0;
    }

    /// Puts the memory in the place of the mapping at an address.
    ///
    /// # Safety
    /// The place is mapped over this length, with code that does what this does, and no other thread is there.
    ///
    /// # Errors
    /// When the system refuses; the place may then be empty.
    pub unsafe fn take_place(mut self, at: usize) -> io::Result<()> {
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        let from = self.address as *mut c_void;
        // SAFETY: memory of our own moves; what it replaces, the caller vouches for.
        let found =
            unsafe { libc::mremap(from, self.length, self.length, flags, at as *mut c_void) };
        if found == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: what was moved is there, with its length, and can be read.
        unsafe { coherence::publish(at, self.length) };
        self.length = 0;
        Ok(())
    }
}

/// Addresses for `length` octets, of whole pages, that a jump reaches from all of `code`: the nearest gap below, then
/// above.
#[must_use]
pub fn near(
    mapped: &[Range<usize>],
    code: &Range<usize>,
    reach: usize,
    length: usize,
) -> Vec<usize> {
    /// Below this the system lets nobody map anything.
    const LOWEST: usize = 1 << 16;
    let lowest = code.end.saturating_sub(reach).max(LOWEST);
    let highest = code.start.saturating_add(reach);
    let mut gaps = Vec::new();
    let mut end = 0;
    for range in mapped {
        if range.start >= end + 2 * length {
            gaps.push(end..range.start);
        }
        end = end.max(range.end);
    }
    let below = gaps.iter().rev().filter(|gap| gap.end <= code.start);
    let below = below
        .map(|gap| gap.end - length)
        .filter(|place| *place >= lowest);
    // The heap grows upwards from behind the program: the far end of what can be reached is where it comes last.
    let above = gaps.iter().filter(|gap| gap.start >= code.end);
    let above = above.filter_map(|gap| {
        gap.end
            .min(highest)
            .checked_sub(length)
            .filter(|place| *place >= gap.start + length)
    });
    below.chain(above).take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 4096;

    #[test]
    fn a_page_is_near_or_there_is_none() {
        let near = |mapped: &[Range<usize>], code: &Range<usize>| near(mapped, code, 1 << 31, PAGE);
        let code = 0x5000_0000_0000..0x5000_0010_0000;
        let around = [0x4fff_0000_0000..0x4fff_ffff_0000, code.clone()];
        assert_eq!(near(&around, &code), [0x5000_0000_0000 - PAGE]);
        // All around it is full.
        let full = [
            0x4000_0000_0000..0x5000_0000_0000,
            0x5000_0000_0000..0x6000_0000_0000,
        ];
        assert!(near(&full, &code).is_empty());
        // Only above, and not too far.
        let above = [
            0x1000..0x5000_0010_0000,
            0x5000_4000_0000..0x5000_4000_1000,
            0x5fff_0000_0000..0x6000_0000_0000,
        ];
        assert_eq!(
            near(&above, &code),
            [0x5000_4000_0000 - PAGE, 0x5000_8000_0000 - PAGE]
        );
    }

    #[test]
    fn a_short_reach_is_kept() {
        let code = 0x5000_0000_0000..0x5000_0010_0000;
        let mapped = [
            0x4fff_0000_0000..0x4fff_f000_0000,
            code.clone(),
            0x5000_0100_0000..0x5000_0200_0000,
        ];
        let reach = 1 << 27;
        let places = near(&mapped[1..], &code, reach, PAGE);
        assert_eq!(places, [0x5000_0000_0000 - PAGE, 0x5000_0100_0000 - PAGE]);
        // Every octet of the code reaches every octet of the place.
        for place in near(&mapped, &code, reach, 16 * PAGE) {
            assert!(place + 16 * PAGE - code.start <= reach || place < code.start);
            assert!(
                place > code.start || code.end - place <= reach,
                "{place:#x}"
            );
        }
        // The gap below ends too far away.
        let far = [
            0x4000_0000_0000..0x4fff_0000_0000,
            0x4fff_f700_0000..code.start,
        ];
        assert!(near(&far, &code, reach, PAGE).is_empty());
    }

    #[test]
    fn copies_hold_what_they_are_given() {
        let read = |copy: &Copy| {
            // SAFETY: memory of that length that lives.
            let memory =
                unsafe { std::slice::from_raw_parts(copy.address as *const u8, copy.length) };
            memory.to_vec()
        };
        let content = vec![0xc3; PAGE];
        let copy = Copy::new(0, &content, None, READ_RUN).unwrap();
        assert_eq!(read(&copy), content);
        let file = memory_file(&[0x90; 2 * PAGE]).unwrap();
        let copy = Copy::new(0, &content, Some((&file, PAGE)), READ_RUN).unwrap();
        assert_eq!(read(&copy), content);
        // Nothing that is mapped is ever replaced by one.
        assert!(Copy::new(copy.address(), &content, None, READ_RUN).is_err());
        assert_eq!(read(&copy), content);
    }

    #[test]
    fn a_copy_takes_a_place() {
        let old = Copy::new(0, &[0x90; 2 * PAGE], None, READ_RUN).unwrap();
        let at = old.address() + PAGE;
        let new = Copy::new(0, &[0xc3; PAGE], None, READ_RUN).unwrap();
        // SAFETY: the place is mapped and nobody runs it.
        unsafe { new.take_place(at) }.unwrap();
        // SAFETY: mapped.
        let memory = unsafe { std::slice::from_raw_parts(old.address() as *const u8, 2 * PAGE) };
        assert!(memory[..PAGE].iter().all(|&octet| octet == 0x90));
        assert!(memory[PAGE..].iter().all(|&octet| octet == 0xc3));
    }
}
