//! Work in a process of its own, and what it found.
#![allow(unsafe_code, reason = "a pipe")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};

use super::case::{Mismatch, Report};
use crate::support::children;

/// Ends a part of a report on its way.
const PART: char = '\u{1}';
/// Ends an entry of a report on its way.
const ENTRY: char = '\u{2}';

/// Does `work` in a child process.
pub fn process(work: impl FnOnce() -> Report) -> Report {
    let (reader, writer) = pipe();
    let child = children::spawn(|| {
        let report = work();
        let mut text = report.seeded.unwrap_or_default();
        text.push(ENTRY);
        for Mismatch {
            way,
            expected,
            seen,
        } in report.mismatches
        {
            text += &format!("{way}{PART}{expected}{PART}{seen}{ENTRY}");
        }
        let mut writer = writer.try_clone().expect("a descriptor");
        writer.write_all(text.as_bytes()).expect("a reader");
    });
    drop(writer);
    let mut text = String::new();
    let mut reader = reader;
    reader.read_to_string(&mut text).expect("text");
    assert_eq!(children::wait(child), 0, "the child failed");
    let mut entries = text.split_terminator(ENTRY);
    let seeded = entries.next().filter(|text| !text.is_empty());
    let mismatch = |entry: &str| {
        let mut parts = entry.split(PART).map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        Mismatch {
            way: part(),
            expected: part(),
            seen: part(),
        }
    };
    Report {
        seeded: seeded.map(str::to_owned),
        mismatches: entries.map(mismatch).collect(),
    }
}

fn pipe() -> (File, File) {
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors.
    let rc = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    assert_eq!(rc, 0, "a pipe");
    // SAFETY: descriptors of this function.
    ends.map(|end| File::from(unsafe { OwnedFd::from_raw_fd(end) }))
        .into()
}
