//! What documents name is there: files, folders, targets of make.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Folders whose files documents name by their path from the project's folder.
const FOLDERS: [&str; 18] = [
    ".ci",
    ".github",
    "benches",
    "c_tests",
    "ci",
    "docs",
    "examples",
    "forwarders",
    "fuzz",
    "include",
    "kamailio",
    "module",
    "packaging",
    "src",
    "symbols",
    "takeover",
    "tests",
    "NOTICES",
];
/// What lies in Kamailio's tree, or is made.
const ELSEWHERE: [&str; 6] = [
    "fuzz/corpus",
    "fuzz/target",
    "src/GNUmakefile",
    "src/Makefile",
    "src/core",
    "src/kamailio",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents() -> Vec<PathBuf> {
    let folders = [
        "",
        "docs",
        "examples",
        "forwarders",
        "c_tests/twin",
        "kamailio/e2e",
        "kamailio/failures",
        "kamailio/soak",
    ];
    let mut found = Vec::new();
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(root().join(folder)) else {
            continue;
        };
        let paths = entries.map(|entry| entry.unwrap().path());
        found.extend(paths.filter(|path| path.extension().is_some_and(|e| e == "md")));
    }
    found
}

/// Words of a text: what stands between blanks, quotes and brackets, without the punctuation behind it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_edge = |c: char| c.is_whitespace() || "`()[]|\"',;<>".contains(c);
    text.split(is_edge)
        .map(|word| word.trim_end_matches(['.', ':', '?', '!']))
}

fn exists(path: &str) -> bool {
    match path.split_once('*') {
        None => root().join(path).exists(),
        // The folder, and the beginning of a name in it.
        Some((before, _)) => {
            let (folder, name) = before.rsplit_once('/').unwrap_or(("", before));
            let Ok(entries) = std::fs::read_dir(root().join(folder)) else {
                return false;
            };
            entries
                .flatten()
                .any(|entry| entry.file_name().to_string_lossy().starts_with(name))
        }
    }
}

#[test]
fn files_that_documents_name_are_there() {
    let mut seen = 0;
    let mut missing = Vec::new();
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for word in words(&text) {
            let path = word.split("::").next().unwrap();
            let Some((folder, rest)) = path.split_once('/') else {
                continue;
            };
            if !FOLDERS.contains(&folder)
                || rest.is_empty()
                || path.contains(['$', '#', '=', '\u{2026}'])
            {
                continue;
            }
            // A module may be written as the folder or file that it is in.
            let is_there = exists(path)
                || exists(&format!("{path}.rs"))
                || ELSEWHERE.iter().any(|other| path.starts_with(other));
            seen += 1;
            if !is_there {
                missing.push(format!(
                    "{}: {path}",
                    document.strip_prefix(root()).unwrap().display()
                ));
            }
        }
    }
    assert!(seen > 150, "{seen} paths");
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Targets of the Makefile.
fn targets() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let heads = text
        .lines()
        .filter(|line| !line.starts_with(['\t', '#', ' ', '.']));
    heads
        .filter_map(|line| line.split_once(':'))
        .flat_map(|(names, _)| names.split_whitespace().map(str::to_owned))
        .collect()
}

#[test]
fn targets_that_documents_name_are_there() {
    let known = targets();
    assert!(known.len() > 30, "{known:?}");
    let mut seen = BTreeSet::new();
    let mut missing = Vec::new();
    for document in documents() {
        // Kamailio's own make is another one.
        if document.ends_with("drop-in.md") {
            continue;
        }
        let text = std::fs::read_to_string(&document).unwrap();
        let code = text.match_indices("`make ").map(|(at, _)| &text[at + 6..]);
        for command in code.filter_map(|rest| rest.split('`').next()) {
            let word = command
                .split_whitespace()
                .find(|word| !word.contains('=') && !word.starts_with('-'));
            let Some(target) =
                word.filter(|word| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
            else {
                continue;
            };
            seen.insert(target.to_owned());
            if !known.contains(target) {
                missing.push(format!(
                    "{}: make {target}",
                    document.strip_prefix(root()).unwrap().display()
                ));
            }
        }
    }
    assert!(seen.len() > 20, "{seen:?}");
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The columns "stock" and "ours" of each row of docs/behaviour-under-failure.md that begins so.
fn measured(beginning: &str) -> Vec<(String, String)> {
    let path = root().join("docs/behaviour-under-failure.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text
        .lines()
        .filter(|line| line.starts_with(&format!("| {beginning}")));
    rows.map(|row| {
        let cells: Vec<&str> = row.split(" | ").collect();
        (cells[2].to_owned(), cells[3].to_owned())
    })
    .collect()
}

/// The first number behind some words.
fn number_behind(text: &str, words: &str) -> f64 {
    let (_, rest) = text.split_once(words).expect(words);
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
    rest[..end.unwrap_or(rest.len())].parse().expect(words)
}

#[test]
fn the_figures_on_the_first_page_were_measured() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let outage = measured("All nameservers silent for 300 s, 50 calls/s");
    let silent = measured("The first of two nameservers is silent");
    assert_eq!((outage.len(), silent.len()), (2, 2), "two versions");
    assert!(readme.contains("| more than 14,000 of 15,000 calls fail | no call fails |"));
    for (stock, ours) in outage {
        assert!(number_behind(&stock, "") > 14_000.0, "{stock}");
        assert!(stock.contains("of 15000 calls failed"), "{stock}");
        assert!(ours.starts_with("0 of 15000 calls failed"), "{ours}");
    }
    assert!(readme.contains("| each new name waits 5 s for it | the first name waits half a second, the others do not wait |"));
    for (stock, ours) in silent {
        let (first, later) = stock.split_once(", later").unwrap();
        for text in [first, later] {
            assert!(text.trim_end().contains(" s"), "{stock}");
            assert!((number_behind(text, "+") - 5.0).abs() < 0.1, "{stock}");
        }
        let (first, later) = ours.split_once(", later").unwrap();
        assert!(
            first.ends_with(" ms") && number_behind(first, "+") < 550.0,
            "{ours}"
        );
        assert!(
            later.contains(" ms;") && number_behind(later, "+") < 50.0,
            "{ours}"
        );
    }
}
