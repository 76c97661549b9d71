//! The exported symbols: what the sources define, what the list says, and what the shared object has.
//!
//! `symbols/exports.txt` holds a name a line, sorted, with the flags that it needs behind it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test is the point"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Names of the list, each with the features it needs.
fn listed() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(root().join("symbols/exports.txt")).unwrap();
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let mut words = line.split_whitespace().map(str::to_lowercase);
            let name = line.split_whitespace().next().unwrap().to_owned();
            words.next();
            (name, words.collect())
        })
        .collect()
}

/// True when the build under test has the feature of a flag.
fn has_feature(flag: &str) -> bool {
    match flag {
        "use_dns_cache" => cfg!(feature = "use_dns_cache"),
        "use_naptr" => cfg!(feature = "use_naptr"),
        "use_dns_cache_stats" => cfg!(feature = "use_dns_cache_stats"),
        "dns_watchdog_support" => cfg!(feature = "dns_watchdog_support"),
        other => panic!("symbols/exports.txt names an unknown flag: {other}"),
    }
}

fn expected() -> BTreeSet<String> {
    listed()
        .into_iter()
        .filter(|(_, flags)| flags.iter().all(|flag| has_feature(flag)))
        .map(|(name, _)| name)
        .collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}

/// The word in front of a bracket or colon behind a marker.
fn name_behind<'a>(line: &'a str, marker: &str) -> Option<&'a str> {
    let rest = &line[line.find(marker)? + marker.len()..];
    rest.split(['(', ':', '<']).next().map(str::trim)
}

/// Every `no_mangle` item with the source text up to the next one.
fn defined() -> Vec<(String, String)> {
    let mut items = Vec::new();
    for file in rust_files(&root().join("src")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut parts = text.split("#[unsafe(no_mangle)]");
        let mut before = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let line = part.trim_start().lines().next().unwrap_or_default();
            let name = name_behind(line, "extern \"C\" fn ")
                .or_else(|| name_behind(line, "static mut "))
                .or_else(|| name_behind(line, "static "))
                .unwrap_or_else(|| panic!("{}: no name in `{line}`", file.display()));
            items.push((name.to_owned(), format!("{before}\0{part}")));
            before = part.to_owned();
        }
    }
    items
}

#[test]
fn sources_and_list_agree() {
    let defined: BTreeSet<String> = defined().into_iter().map(|(name, _)| name).collect();
    let listed: BTreeSet<String> = listed().into_keys().collect();
    let missing: Vec<_> = listed.difference(&defined).collect();
    let extra: Vec<_> = defined.difference(&listed).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "listed but not defined: {missing:?}; defined but not listed: {extra:?}"
    );
}

#[test]
fn every_function_is_guarded_and_says_what_is_safe() {
    for (name, text) in defined() {
        let (before, body) = text.split_once('\0').unwrap();
        if !body
            .lines()
            .take(3)
            .any(|line| line.contains("extern \"C\" fn"))
        {
            continue;
        }
        // The doc comment stands right above: behind the end of the item before.
        let doc = before.rsplit("\n}").next().unwrap_or_default();
        assert!(doc.contains("# Safety"), "{name} has no safety chapter");
        let body = body.split("\n}").next().unwrap_or_default();
        assert!(body.contains("guard!("), "{name} has no panic guard");
    }
}

/// The shared object that belongs to this test binary, if cargo has built it.
fn shared_object() -> Option<PathBuf> {
    let deps = std::env::current_exe().ok()?;
    let profile = deps.parent()?.parent()?;
    let candidates = [
        profile.join("libkamailio_dns.so"),
        profile.join("deps/libkamailio_dns.so"),
    ];
    candidates.into_iter().find(|path| path.exists())
}

#[test]
fn shared_object_exports_the_list_and_nothing_else() {
    let library = shared_object().expect("cargo builds the cdylib along with the tests");
    let output = Command::new("nm")
        .args(["-D", "--defined-only", "--format=posix"])
        .arg(&library)
        .output()
        .expect("nm (binutils) is needed");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let exported: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(|name| name.split('@').next().unwrap_or(name).to_owned())
        .collect();
    let expected = expected();
    let missing: Vec<_> = expected.difference(&exported).collect();
    let extra: Vec<_> = exported.difference(&expected).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "{}: not exported: {missing:?}; exported but not listed: {extra:?}",
        library.display()
    );
}

#[test]
fn shared_object_has_its_soname() {
    let library = shared_object().expect("cargo builds the cdylib along with the tests");
    let output = Command::new("readelf")
        .arg("-d")
        .arg(&library)
        .output()
        .expect("readelf (binutils) is needed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("soname: [libkamailio_dns.so.0]"), "{text}");
}
