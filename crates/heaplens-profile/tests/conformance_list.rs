//! `docs/conformance.md` names tests that are there.

use std::fs;
use std::path::Path;

/// `[name](path)` of a line, for paths of Rust files.
fn links(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.split('[').filter_map(|part| {
        let (name, rest) = part.split_once("](")?;
        let (path, _) = rest.split_once(')')?;
        let is_rust = Path::new(path).extension().is_some_and(|of| of == "rs");
        is_rust.then_some((name, path))
    })
}

#[test]
fn every_test_that_is_named_exists() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let text = fs::read_to_string(docs.join("conformance.md")).expect("the list");
    let mut seen = 0;
    for (name, path) in text.lines().flat_map(links) {
        let source = fs::read_to_string(docs.join(path));
        let source = source.unwrap_or_else(|error| panic!("{path}: {error}"));
        if !name.contains([' ', '`']) {
            assert!(
                source.contains(&format!("fn {name}(")),
                "{path} has no test {name}"
            );
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen} tests are named");
}

#[test]
fn every_row_has_a_proof_or_a_reason() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let text = fs::read_to_string(docs.join("conformance.md")).expect("the list");
    let (proved, rest) = text
        .split_once("## What does not apply")
        .expect("a section");
    for row in proved.lines().filter(|line| line.starts_with("| ")) {
        let is_head = row.starts_with("| What is relied on");
        let has_script = row.contains("`scripts/");
        assert!(
            is_head || has_script || links(row).next().is_some(),
            "{row}"
        );
    }
    for row in rest.lines().filter(|line| line.starts_with("| ")) {
        let cells = row.split('|').filter(|cell| !cell.trim().is_empty());
        assert_eq!(cells.count(), 2, "{row}");
    }
}
