//! `docs/properties.md` names a test for every property of the lifecycle, and every test that it names exists.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

/// The properties of this part of the plan, with how many each letter has.
const PROPERTIES: [(&str, u32); 6] = [("T", 6), ("S", 10), ("F", 9), ("P", 10), ("H", 8), ("X", 7)];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The code spans of a line that name a file of this repository, with the test in it if one is named.
fn references(line: &str) -> Vec<(&str, Option<&str>)> {
    let spans = line.split('`').skip(1).step_by(2);
    let named = spans.map(|span| match span.split_once("::") {
        Some((file, test)) => (file, Some(test)),
        None => (span, None),
    });
    named
        .filter(|(file, test)| test.is_some() || file.starts_with("tests/") || file.starts_with("crates/"))
        .collect()
}

#[test]
fn every_test_that_is_named_exists() {
    let page = std::fs::read_to_string(root().join("docs/properties.md")).unwrap();
    let mut missing = Vec::new();
    for (file, test) in page.lines().flat_map(references) {
        let text = std::fs::read_to_string(root().join(file));
        if !text.is_ok_and(|text| test.is_none_or(|test| text.contains(test))) {
            missing.push(format!("{file} {}", test.unwrap_or_default()));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_property_has_a_row_with_a_test() {
    let page = std::fs::read_to_string(root().join("docs/properties.md")).unwrap();
    for (letter, count) in PROPERTIES {
        for number in 1..=count {
            let start = format!("| {letter}{number} |");
            let row = page.lines().find(|line| line.starts_with(&start));
            assert!(
                row.is_some_and(|row| !references(row).is_empty()),
                "{letter}{number} has no row with a test"
            );
        }
    }
}
