//! The program around us, as it is mapped.
#![allow(unsafe_code, reason = "reads what the loader mapped")]

use std::ffi::{CStr, c_int, c_void};
use std::fs::File;
use std::io::Read as _;
use std::ops::Range;

use crate::elf::Segment;

/// The main program: where it is, and its file.
#[derive(Debug)]
pub struct Program {
    /// Where the program was loaded: added to the file's addresses.
    pub base: usize,
    /// The program's file, open.
    pub file: File,
    /// The content of the file.
    pub bytes: Vec<u8>,
}

/// A line of `/proc/self/maps`.
#[derive(Debug, PartialEq, Eq)]
pub struct Mapping<'a> {
    /// The addresses of the mapping.
    pub range: Range<usize>,
    /// The file, or another name, or nothing.
    pub path: &'a str,
}

/// Reads `/proc/self/maps`.
#[must_use]
pub fn mappings(text: &str) -> Vec<Mapping<'_>> {
    let line = |line: &'_ str| -> Option<Range<usize>> {
        let (start, end) = line.split(' ').next()?.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        Some(number(start)?..number(end)?)
    };
    text.lines()
        .filter_map(|text| {
            // Address, rights, offset, device, inode, then blanks and a name that may hold blanks itself.
            let name = text.splitn(6, ' ').nth(5).unwrap_or_default().trim_start();
            Some(Mapping {
                range: line(text)?,
                path: name,
            })
        })
        .collect()
}

/// The address that the main program was loaded at.
fn base() -> Option<usize> {
    unsafe extern "C" fn first(
        info: *mut libc::dl_phdr_info,
        _size: usize,
        place: *mut c_void,
    ) -> c_int {
        // SAFETY: the loader passes a valid structure.
        let base = unsafe { (*info).dlpi_addr };
        // SAFETY: the place is the variable below.
        unsafe { place.cast::<Option<usize>>().write(Some(base as usize)) };
        1
    }
    let mut base: Option<usize> = None;
    // SAFETY: the function above writes one Option<usize>; the main program comes first.
    unsafe { libc::dl_iterate_phdr(Some(first), (&raw mut base).cast()) };
    base
}

/// Finds the main program by the mapping that has `inside`, and reads its file. `/proc/self/exe` may be a loader.
///
/// # Errors
/// When it cannot be found.
pub fn program(inside: *const c_void) -> Result<Program, String> {
    let maps = std::fs::read_to_string("/proc/self/maps");
    let maps = maps.map_err(|error| format!("/proc/self/maps: {error}"))?;
    let list = mappings(&maps);
    let found = list.iter().find(|m| m.range.contains(&(inside as usize)));
    let path = found.map(|m| m.path).filter(|path| path.starts_with('/'));
    let path = path.ok_or("the executable's file is not known")?;
    let wrong = |error| format!("{path}: {error}");
    let mut file = File::open(path).map_err(wrong)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(wrong)?;
    let base = base().ok_or("the loader does not say where the executable is")?;
    Ok(Program { base, file, bytes })
}

impl Program {
    /// Where an address of the file is in memory.
    #[must_use]
    pub fn address(&self, address: u64) -> usize {
        self.base.wrapping_add(address as usize)
    }

    /// True when the code in memory is that of the file: nobody changed it, and it is this file.
    #[must_use]
    pub fn is_unchanged(&self, code: Segment) -> bool {
        let start = code.offset as usize;
        let Some(expected) = self.bytes.get(start..start + code.file_size as usize) else {
            return false;
        };
        let memory = self.address(code.address) as *const u8;
        let mut maps = String::new();
        let read = File::open("/proc/self/maps").and_then(|mut f| f.read_to_string(&mut maps));
        if read.is_err() || !is_mapped(&mappings(&maps), memory as usize, expected.len()) {
            return false;
        }
        // SAFETY: mapped, as was just seen; code is readable, and nobody unmaps it while there is one thread.
        let memory = unsafe { std::slice::from_raw_parts(memory, expected.len()) };
        memory == expected
    }
}

/// True when all of a range is mapped from one file.
fn is_mapped(mappings: &[Mapping<'_>], start: usize, length: usize) -> bool {
    let mut next = start;
    let end = start.saturating_add(length);
    let mut path = None;
    while next < end {
        let Some(found) = mappings.iter().find(|m| m.range.contains(&next)) else {
            return false;
        };
        if !found.path.starts_with('/') || *path.get_or_insert(found.path) != found.path {
            return false;
        }
        next = found.range.end;
    }
    true
}

/// Number of threads; 0 when it cannot be known.
#[must_use]
pub fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// Number of threads as the C library counts: without those of an emulator, which run nothing of the program. 2 stands
/// for any number above 1, 0 for a C library that does not say.
#[must_use]
pub fn threads_of_the_program() -> usize {
    let Some(place) = symbol(c"__libc_single_threaded") else {
        return 0;
    };
    // SAFETY: the C library's variable of that name, a char.
    let is_single = unsafe { place.cast::<u8>().read() } != 0;
    if is_single { 1 } else { 2 }
}

/// A symbol of the main program and of what was loaded with it.
#[must_use]
pub fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: dlsym only reads the NUL-terminated name.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_maps_are_read() {
        let text =
            "55e0-55f0 r-xp 00001000 fe:00 12   /usr/sbin/a b\n7f00-7f10 rw-p 00000000 00:00 0 \n";
        let list = mappings(text);
        assert_eq!(list.len(), 2);
        assert_eq!(list[0].range, 0x55e0..0x55f0);
        assert_eq!(list[0].path, "/usr/sbin/a b");
        assert_eq!(list[1].path, "");
    }

    #[test]
    fn a_range_is_mapped_from_one_file() {
        let text = "1000-2000 r-xp 0 fe:00 12 /a\n2000-3000 r-xp 0 fe:00 12 /a\n3000-4000 r-xp 0 fe:00 13 /b\n";
        let list = mappings(text);
        assert!(is_mapped(&list, 0x1800, 0x1800));
        assert!(!is_mapped(&list, 0x1800, 0x1801));
        assert!(!is_mapped(&list, 0x800, 0x1000));
    }

    #[test]
    fn a_test_program_finds_itself() {
        let inside = program as *const c_void;
        let program = program(inside).unwrap();
        let image = crate::elf::Image::parse(&program.bytes).unwrap();
        let code = image.code().unwrap();
        assert!(program.is_unchanged(code));
        assert!(threads() >= 1);
    }
}
