//! Blocks of memory that processes share are mapped at start, before there are several: a block that a child maps serves
//! that child alone.

#![cfg(feature = "use_dns_cache")]
#![allow(clippy::unwrap_used, reason = "test code; a failure ends the test")]
#![allow(unsafe_code, reason = "calls exported functions")]

use std::path::{Path, PathBuf};

use kamailio_dns::ffi::init::init_dns_cache;
use kamailio_dns::host::mapped_for_tests;

/// All sources below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The blocks that a source declares outside its tests, each with the source's name.
fn blocks(source: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(source).unwrap();
    let lines = text
        .lines()
        .take_while(|line| !line.starts_with("mod tests"));
    let is_block = |line: &&str| {
        line.starts_with("static ") && (line.contains(": Shared<") || line.contains(": Board<"))
    };
    let name = |line: &str| format!("{}: {line}", source.display());
    lines.filter(is_block).map(name).collect()
}

#[test]
fn all_blocks_are_mapped_at_start() {
    let mut files = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    let declared: Vec<_> = files.iter().flat_map(|file| blocks(file)).collect();
    assert!(declared.len() > 10, "{declared:#?}");
    assert_eq!(mapped_for_tests(), 0);
    // SAFETY: no other thread uses the library.
    assert_eq!(unsafe { init_dns_cache() }, 0);
    assert_eq!(
        mapped_for_tests() as usize,
        declared.len(),
        "a block of these has no part in `prepare`: {declared:#?}"
    );
}
