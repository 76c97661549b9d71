//! The layers: a module uses only those below it. ARCHITECTURE.md draws the table that stands here;
//! `make drawing` writes the drawing anew.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test is the point"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Layer and what it may use. `rr` and `error` are values that all may name.
const ALLOWED: [(&str, &[&str]); 9] = [
    (
        "ffi",
        &[
            "select", "lookup", "cache", "resolver", "host", "rr", "error",
        ],
    ),
    ("select", &["lookup", "cache", "host", "rr", "error"]),
    ("lookup", &["cache", "resolver", "host", "rr", "error"]),
    ("cache", &["shm", "host", "rr"]),
    ("resolver", &["host", "rr", "error"]),
    ("shm", &["host"]),
    ("host", &["rr"]),
    ("rr", &[]),
    ("error", &[]),
];

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut list = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            list.push(path);
        }
    }
    list
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The layer that a source file belongs to.
fn layer(file: &Path) -> String {
    let inside = file.strip_prefix(source()).unwrap();
    let first = inside.components().next().unwrap();
    first
        .as_os_str()
        .to_string_lossy()
        .trim_end_matches(".rs")
        .to_owned()
}

/// Code without its comments, and without unit tests (which may use anything).
fn code(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Names that follow `crate::` in code, grouped imports (`crate::{a, b}`) included.
fn used(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for rest in code.split("crate::").skip(1) {
        if let Some(group) = rest.strip_prefix('{') {
            let group = group.split("};").next().unwrap_or_default();
            let mut depth = 0;
            let mut name = String::new();
            for letter in group.chars().chain([',']) {
                match letter {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        names.push(first_word(name.trim()));
                        name.clear();
                        continue;
                    }
                    _ => {}
                }
                name.push(letter);
            }
        } else {
            names.push(first_word(rest));
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn first_word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

#[test]
fn no_module_reaches_up() {
    let mut arrows = BTreeSet::new();
    for file in files(&source()) {
        let layer = layer(&file);
        if ["lib", "layers"].contains(&layer.as_str()) {
            continue;
        }
        let (_, allowed) = ALLOWED
            .iter()
            .find(|(name, _)| *name == layer)
            .unwrap_or_else(|| panic!("{}: `{layer}` is no layer", file.display()));
        for name in used(&code(&file)) {
            // Macros at the root of the crate (`crate::log!`) belong to no layer.
            let macros = ["log", "resolve_dbg", "naptr_dbg", "cache_dbg"];
            let fine = name == layer
                || macros.contains(&name.as_str())
                || allowed.contains(&name.as_str());
            assert!(fine, "{}: `{layer}` may not use `{name}`", file.display());
            arrows.insert((layer.clone(), name));
        }
    }
    // Nor is there an arrow that nobody needs.
    for (layer, allowed) in ALLOWED {
        for name in allowed {
            let arrow = (layer.to_owned(), (*name).to_owned());
            assert!(arrows.contains(&arrow), "`{layer}` does not use `{name}`");
        }
    }
}

/// The table as ARCHITECTURE.md has it.
fn drawing() -> String {
    let names = ALLOWED.map(|(name, _)| name);
    let width = names.map(str::len).into_iter().max().unwrap();
    let line = |layer: &str, arrow: &str, cells: &[String]| {
        let line = format!("{layer:width$} {arrow}  {}", cells.join("  "));
        format!("{}\n", line.trim_end())
    };
    let mut lines = line("", "   ", &names.map(str::to_owned));
    for (layer, allowed) in ALLOWED {
        let cell = |name: &str| {
            let dot = if allowed.contains(&name) { "●" } else { "" };
            format!("{dot:^width$}", width = name.len())
        };
        let arrow = if allowed.is_empty() { "" } else { "──►" };
        lines += &line(layer, arrow, &names.map(cell));
    }
    lines
}

#[test]
fn the_architecture_is_drawn_from_the_table() {
    const FENCE: &str = "```\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(FENCE).expect("a drawing");
    let (drawn, after) = rest.split_once(FENCE).expect("its end");
    if std::env::var_os("UPDATE_DRAWING").is_some() {
        let page = [before, FENCE, &drawing(), FENCE, after].concat();
        std::fs::write(&path, page).unwrap();
    } else {
        assert_eq!(drawn, drawing(), "`make drawing` writes it anew");
    }
}

#[test]
fn crates_stay_in_their_files() {
    let homes = [
        ("hickory_proto", "resolver/message.rs"),
        ("rand", "host/random.rs"),
    ];
    for file in files(&source()) {
        let code = code(&file);
        for (name, home) in homes {
            let named = code.contains(&format!("use {name}::"))
                || code.contains(&format!("{name}::")) && !code.contains(&format!("_{name}::"));
            assert!(
                !named || file.ends_with(home),
                "{}: {name} belongs into {home}",
                file.display()
            );
        }
    }
}

#[test]
fn unsafe_code_is_only_where_memory_is_shared_or_foreign() {
    for file in files(&source()) {
        if code(&file).contains("allow(unsafe_code") {
            let layer = layer(&file);
            // Swapped-in resolver functions are C.
            let calls_c = file.ends_with("resolver/hook.rs");
            assert!(
                calls_c || ["ffi", "host", "shm", "cache"].contains(&layer.as_str()),
                "{}: unsafe code in `{layer}`",
                file.display()
            );
        }
    }
}

#[test]
fn the_reader_sees_grouped_imports() {
    let code =
        "use crate::{cache::{Cache, EntryRef}, host::clock, rr};\nfn f() { crate::shm::x() }";
    assert_eq!(used(code), ["cache", "host", "rr", "shm"]);
}
