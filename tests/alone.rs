//! The project is complete in its own folder: no file of it names a folder beside it, or one of somebody's machine.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]

use std::path::{Path, PathBuf};

/// Folders that hold nothing of the project's own.
const NOT_OURS: [&str; 6] = [
    ".git",
    "target",
    "build",
    "vendor",
    ".ruff_cache",
    "__pycache__",
];

/// Put together here, so that this file does not have them.
fn forbidden() -> [String; 4] {
    let relative = format!("../{}", "shared");
    let [work, home, root] = ["work", "home", "root"].map(|folder| format!("/{folder}/"));
    [relative, work, home, root]
}

/// A path begins at `at`: what is before it is no part of a path.
fn begins(line: &str, at: usize) -> bool {
    let before = line[..at].chars().next_back();
    before.is_none_or(|c| !c.is_alphanumeric() && !"_}.-*".contains(c))
}

fn found(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for needle in forbidden() {
            if line
                .match_indices(&needle)
                .any(|(at, _)| needle.starts_with('.') || begins(line, at))
            {
                found.push((number + 1, needle));
            }
        }
    }
    found
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the project") {
        let entry = entry.unwrap();
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        let name = entry.file_name();
        if kind.is_dir() && !NOT_OURS.iter().any(|folder| name == *folder) {
            files(&path, into);
        } else if kind.is_file() && name != ".git" {
            into.push(path);
        }
    }
}

#[test]
fn no_file_names_a_folder_outside() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    files(root, &mut all);
    assert!(all.len() > 200, "{} files", all.len());
    let mut wrong = Vec::new();
    for path in all {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        let name = path.strip_prefix(root).unwrap().display();
        for (line, needle) in found(&text) {
            wrong.push(format!("{name}:{line}: {needle}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_forbidden_is_found() {
    let [relative, work, home, root] = forbidden();
    for line in [
        format!("cd {relative}"),
        format!("$root/{relative}/x"),
        format!("\"{work}x\""),
        format!("{home}me"),
        format!("PATH={root}.cargo/bin"),
    ] {
        assert_eq!(found(&line).len(), 1, "{line}");
    }
    for line in [format!("$scratch{root}usr"), format!("a{work}b")] {
        assert!(found(&line).is_empty(), "{line}");
    }
}
