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
const ALLOWED: [(&str, &[&str]); 10] = [
    (
        "ffi",
        &[
            "client", "select", "lookup", "cache", "resolver", "host", "rr", "error",
        ],
    ),
    ("client", &["select", "lookup", "cache", "host", "rr"]),
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
        let code: String = code(&file).split_whitespace().collect();
        if code.contains("allow(unsafe_code") {
            let layer = layer(&file);
            // Swapped-in resolver functions are C; std lacks some calls for sockets.
            let calls_c = ["hook", "sockets"]
                .iter()
                .any(|name| file.ends_with(format!("resolver/{name}.rs")));
            assert!(
                calls_c || ["ffi", "host", "shm", "cache"].contains(&layer.as_str()),
                "{}: unsafe code in `{layer}`",
                file.display()
            );
        }
    }
}

/// The thread-locals of a source: their names, and their types up to the value.
fn thread_locals(code: &str) -> Vec<(String, String)> {
    let blocks = code.split("thread_local! {").skip(1);
    let declarations = blocks.flat_map(|rest| {
        let block = rest.split("\n}").next().unwrap_or_default();
        let block = block.split("\n    }").next().unwrap_or_default();
        block.split("static ").skip(1)
    });
    declarations
        .filter_map(|declared| {
            let (name, rest) = declared.split_once(": ")?;
            let of_type: String = rest.split(" =").next()?.split_whitespace().collect();
            Some((name.to_owned(), of_type))
        })
        .collect()
}

/// Thread-locals that need no care: plain words, and the list of the others, which is never dropped.
const PLAIN: [(&str, &str); 4] = [
    ("ffi/copied_host.rs", "SLOTS"),
    ("ffi/literal.rs", "RESULTS"),
    ("host/random.rs", "POOL"),
    ("host/own_thread.rs", "MADE"),
];

#[test]
fn a_thread_that_ends_reaches_its_thread_locals() {
    let mut seen = 0;
    for file in files(&source()) {
        // Models, in which no thread ends before its calls.
        let name = file.strip_prefix(source()).unwrap().to_string_lossy();
        if name.contains("loom") || name.starts_with("host/sync") {
            continue;
        }
        for (local, of_type) in thread_locals(&code(&file)) {
            seen += 1;
            let owns = ["Box<", "Vec<", "Arc<", "Rc<", "String"];
            let is_word = of_type.starts_with("Cell<") && !owns.iter().any(|o| of_type.contains(o));
            let is_plain = PLAIN.contains(&(&*name, &*local));
            assert!(
                is_word || is_plain || of_type.starts_with("OwnThread<"),
                "{name}: `{local}` may have a destructor, and is out of reach after it: `OwnThread` has none"
            );
        }
    }
    assert!(seen > 20, "{seen} thread-locals");
}

/// Circles between files of one folder that stay, each with its reason. Neither file of a pair is understood without the
/// other, whichever way the line between them is drawn.
const CIRCLES: [(&str, &str, &str); 7] = [
    (
        "ffi/handle",
        "ffi/layout_choice",
        "the choice names the functions that it chooses among, and these ask which layout was chosen",
    ),
    (
        "lookup/additional",
        "lookup/store",
        "records of the additional section are stored as those of an answer, which begins with them",
    ),
    (
        "resolver/exchange",
        "resolver/session",
        "a session runs exchanges, and these send through it",
    ),
    (
        "host/counters",
        "host/kamailio",
        "inside Kamailio a counter is Kamailio's, and it is named by the counters' own values",
    ),
    (
        "host/kamailio",
        "host/log",
        "inside Kamailio a line goes to Kamailio's log, with the level and the place that the log has for it",
    ),
    (
        "host/kamailio",
        "host/options",
        "inside Kamailio an option of the core is Kamailio's, and it is found by the table of options",
    ),
    (
        "host/options",
        "host/standalone",
        "outside Kamailio options are on a page, whose layout is the table of options",
    ),
];

/// The modules that code names by a path of `super::`.
fn named(code: &str) -> BTreeSet<String> {
    code.split("super::")
        .skip(1)
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(group) => {
                let group = group.split(';').next().unwrap();
                group
                    .split([',', '{', '}', '\n'])
                    .map(str::trim)
                    .map(first_word)
                    .collect()
            }
            None => vec![first_word(rest)],
        })
        .collect()
}

/// What a module of a folder names in that folder. A module that is a folder itself is as one file: those beside its
/// `mod.rs` stand a level lower, and name the folder's by one `super` more, or from the crate's root.
fn names_of(module: &Path, folder: &Path) -> BTreeSet<String> {
    if module.is_file() {
        return named(&code(module).replace("super::super::", ""));
    }
    let layer = folder.file_name().unwrap().to_string_lossy();
    let root = format!("crate::{layer}::");
    let mut found = BTreeSet::new();
    for file in files(module) {
        if is_test(&file) {
            continue;
        }
        let code = code(&file);
        let code = if file.ends_with("mod.rs") {
            code.replace("super::super::", "")
        } else {
            let lifted = code.replace("super::super::", "\u{1}");
            lifted.replace("super::", "").replace('\u{1}', "super::")
        };
        found.extend(named(&code.replace(&root, "super::")));
    }
    found
}

/// Tests are at the end of the arrows.
fn is_test(path: &Path) -> bool {
    let name = path.file_stem().unwrap().to_string_lossy();
    name.ends_with("tests") || name.starts_with("loom_")
}

/// The modules of a folder, each with those of the same folder that its code names.
fn neighbours(folder: &Path) -> Vec<(String, Vec<String>)> {
    let mut modules = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if name != "mod" && !is_test(&path) {
            modules.push((name, path));
        }
    }
    let used = |own: &str, path: &Path| {
        let words = names_of(path, folder);
        let others = modules.iter().map(|(name, _)| name.clone());
        // What a folder has of its own may be called as a module beside it is.
        others
            .filter(|name| name != own && words.contains(name))
            .collect()
    };
    modules
        .iter()
        .map(|(name, path)| (name.clone(), used(name, path)))
        .collect()
}

/// Whether a way leads from one file to another that does not go over a pair of `CIRCLES`.
fn reaches(arrows: &[(String, Vec<String>)], folder: &str, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(file) = open.pop() {
        let next = arrows.iter().find(|(name, _)| *name == file);
        for other in next.map_or(&[][..], |(_, used)| used) {
            let is = |a: &str, b: &str| {
                let named = |file: &str| format!("{folder}/{file}");
                a == named(&file) && b == named(other)
            };
            if *other == file || CIRCLES.iter().any(|(a, b, _)| is(a, b) || is(b, a)) {
                continue;
            }
            if other == to {
                return true;
            }
            if seen.insert(other.clone()) {
                open.push(other.clone());
            }
        }
    }
    false
}

#[test]
fn files_of_one_folder_make_no_circle() {
    let folders = [
        "ffi", "client", "select", "lookup", "cache", "resolver", "shm", "host", "rr",
    ];
    let mut mutual = BTreeSet::new();
    let mut seen = 0;
    for folder in folders {
        let arrows = neighbours(&source().join(folder));
        for (file, used) in &arrows {
            seen += used.len();
            assert!(
                !reaches(&arrows, folder, file, file),
                "{folder}/{file}.rs is in a circle"
            );
            for other in used.iter().filter(|other| *other != file) {
                let back = arrows.iter().any(|(a, b)| a == other && b.contains(file));
                if back && file < other {
                    mutual.insert((format!("{folder}/{file}"), format!("{folder}/{other}")));
                }
            }
        }
    }
    assert!(seen > 200, "{seen} arrows");
    // Nor is there an exception that nobody needs.
    for (a, b, _) in CIRCLES {
        let pair = (a.to_owned(), b.to_owned());
        assert!(mutual.contains(&pair), "{a} and {b} make no circle");
    }
}

#[test]
fn the_reader_sees_grouped_imports() {
    let code =
        "use crate::{cache::{Cache, EntryRef}, host::clock, rr};\nfn f() { crate::shm::x() }";
    assert_eq!(used(code), ["cache", "host", "rr", "shm"]);
}
