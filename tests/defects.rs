//! The register of the original's defects (docs/defects.md) names tests that exist, and leaves no defect out.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]

use std::path::Path;

/// The defects are numbered from 1 to this.
const DEFECTS: usize = 60;

/// One test that the register names: the file, the function.
type Named = (String, String);

fn read(path: &str) -> Result<String, String> {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(whole).map_err(|error| format!("{path}: {error}"))
}

/// The tests of one entry: texts in backquotes, a file before the functions in it.
fn tests_of(cell: &str) -> Vec<Named> {
    let mut file = "";
    let mut named = Vec::new();
    for quoted in cell.split('`').skip(1).step_by(2) {
        if quoted.contains('/') {
            file = quoted;
        } else if quoted
            .bytes()
            .all(|b| b == b'_' || b.is_ascii_alphanumeric())
        {
            named.push((file.to_owned(), quoted.to_owned()));
        }
    }
    named
}

/// Number, what is wrong, tests.
fn entries(register: &str) -> Vec<(String, String, String)> {
    let rows = register.lines().filter(|line| line.starts_with("| B"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 3, "{row}");
        (cells[0].into(), cells[1].into(), cells[2].into())
    })
    .collect()
}

/// Says what is wrong with a test that the register names.
fn fault((file, function): &Named) -> Result<(), String> {
    let text = read(file)?;
    let is_c = Path::new(file).extension().is_some_and(|e| e == "c");
    let head = if is_c { "static void" } else { "fn" };
    let start = format!("{head} {function}(");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let at = lines.iter().position(|line| line.starts_with(&start));
    let at = at.ok_or_else(|| format!("{file} has no {function}"))?;
    let runs = if is_c {
        lines.contains(&format!("{function}();").as_str())
    } else {
        let above = lines[..at].iter().rev();
        let mut attributes = above.take_while(|line| line.starts_with("#["));
        let found: Vec<&&str> = attributes.by_ref().collect();
        found.contains(&&"#[test]") && !found.iter().any(|a| a.starts_with("#[ignore"))
    };
    if runs {
        Ok(())
    } else {
        Err(format!("{file}: {function} is not run as a test"))
    }
}

#[test]
fn every_entry_of_the_register_names_tests_that_exist() {
    let entries = entries(&read("docs/defects.md").expect("the register"));
    let numbers: Vec<&str> = entries.iter().map(|e| e.0.as_str()).collect();
    let all: Vec<String> = (1..=DEFECTS).map(|n| format!("B{n:02}")).collect();
    assert_eq!(numbers, all);
    let mut wrong = Vec::new();
    for (number, what, cell) in &entries {
        assert!(!what.is_empty(), "{number}");
        let tests = tests_of(cell);
        if tests.is_empty() && !cell.starts_with("None: ") {
            wrong.push(format!("{number} names no test"));
        }
        let faults = tests.iter().filter_map(|test| fault(test).err());
        wrong.extend(faults.map(|fault| format!("{number}: {fault}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_wrong_entry_is_found() {
    let named =
        tests_of("`tests/a.rs`: `one`, `two_x`; `src/b.rs`: `three`. Callers say `dns_func()`");
    let shown: Vec<String> = named.iter().map(|(f, t)| format!("{f} {t}")).collect();
    assert_eq!(
        shown,
        ["tests/a.rs one", "tests/a.rs two_x", "src/b.rs three"]
    );
    for (file, function, expected) in [
        ("tests/defects.rs", "a_wrong_entry_is_found", true),
        ("tests/defects.rs", "fault", false),
        ("tests/defects.rs", "missing", false),
        ("tests/missing.rs", "fault", false),
        ("c_tests/rpc.c", "viewing", true),
        ("c_tests/rpc.c", "missing", false),
        // Tests that are run by another one, or on request.
        (
            "tests/cache_entries.rs",
            "child_that_releases_entries",
            false,
        ),
    ] {
        let outcome = fault(&(file.to_owned(), function.to_owned()));
        assert_eq!(outcome.is_ok(), expected, "{file} {function}: {outcome:?}");
    }
}
