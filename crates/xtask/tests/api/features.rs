//! The features that the documentation lists are those of the manifest.

use super::read;

#[test]
fn the_feature_table_is_that_of_the_manifest() {
    let manifest = read("crates/preopen/Cargo.toml");
    let (_, section) = manifest
        .split_once("[features]\n")
        .expect("a section of features");
    let section = section.split("\n[").next().unwrap_or_default();
    let names = |line: &str| {
        let (name, _) = line.split_once(" = ")?;
        (!line.starts_with('#')).then(|| name.trim().to_owned())
    };
    let features: Vec<String> = section
        .lines()
        .filter_map(names)
        .filter(|name| name != "default")
        .collect();
    assert!(features.len() >= 3, "{features:?}");
    for page in ["crates/preopen/src/lib.rs", "docs/rust.md"] {
        let text = read(page);
        let rows: Vec<String> = text
            .lines()
            .map(|line| line.trim_start_matches("//! ").trim_start())
            .filter_map(|line| {
                line.strip_prefix("| `")?
                    .split_once("` |")
                    .map(|(name, _)| name.to_owned())
            })
            .collect();
        let mut listed = rows.clone();
        listed.retain(|row| features.contains(row));
        let (mut listed_sorted, mut known) = (listed, features.clone());
        listed_sorted.sort();
        known.sort();
        assert_eq!(listed_sorted, known, "the features in {page}");
    }
}
