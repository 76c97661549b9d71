//! COMPAT.md names every exported symbol, and no others.

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_export_is_in_compat_md() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let exports = std::fs::read_to_string(root.join("symbols/exports.txt")).unwrap();
    let exports: BTreeSet<&str> = exports
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let compat = std::fs::read_to_string(root.join("COMPAT.md")).unwrap();
    let (_, table) = compat.split_once("## Symbols").unwrap();
    // The last cell of each row has the names, each between backquotes.
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let cells = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    let names: Vec<&str> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    let listed: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(names.len(), listed.len(), "a symbol stands twice");
    assert!(exports.len() > 80);
    assert_eq!(exports, listed);
}
