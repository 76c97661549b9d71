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
    let listed: BTreeSet<&str> = table
        .lines()
        .filter_map(|line| {
            line.strip_prefix("| `")?
                .split_once('`')
                .map(|(name, _)| name)
        })
        .collect();
    assert!(exports.len() > 80);
    assert_eq!(exports, listed);
}
