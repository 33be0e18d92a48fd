//! What can be named is that of `docs/api/preopen.txt`: a change of it is seen in review, and never made by chance.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use public_api::Builder;
use serde_json::Value;

use super::documented::{Documented, crates, of};
use super::{read, root};

const PAGE: &str = "docs/api/preopen.txt";

#[test]
fn the_public_api_is_that_of_the_snapshot() {
    let found = api();
    if std::env::var_os("PREOPEN_BLESS").is_some() {
        std::fs::write(root().join(PAGE), &found).expect("the page can be written");
    }
    let known = read(PAGE);
    let (old, new): (BTreeSet<&str>, BTreeSet<&str>) = (known.lines().collect(), found.lines().collect());
    let mut changes = String::new();
    for line in old.difference(&new) {
        let _ = writeln!(changes, "- {line}");
    }
    for line in new.difference(&old) {
        let _ = writeln!(changes, "+ {line}");
    }
    assert!(
        changes.is_empty(),
        "the public API is not that of {PAGE}; if that is meant: `cargo xtask api --bless`\n{changes}"
    );
}

#[test]
fn the_snapshot_has_what_users_name_first() {
    let api = api();
    for line in [
        "pub async fn preopen::Session::token(&self) -> preopen_core::error::Result<preopen::Token>",
        "pub enum preopen_core::error::ErrorKind",
        "pub struct preopen_store::RedisStore",
    ] {
        assert!(api.lines().any(|known| known.ends_with(line)), "{line}");
    }
}

/// Everything of `preopen`, and of the crates behind it what it shows under its own name.
fn api() -> String {
    let shown = shown();
    let mut text = "# Everything that users of the Rust crate `preopen` can name: `cargo xtask api --bless` writes it.\n".to_owned();
    for one in crates() {
        let built = Builder::from_rustdoc_json(&one.file)
            .omit_blanket_impls(true)
            .omit_auto_trait_impls(true)
            .omit_auto_derived_impls(true)
            .build()
            .expect("public-api reads rustdoc's JSON");
        let lines: BTreeSet<String> = built.items().map(ToString::to_string).collect();
        let _ = writeln!(text, "\n# {}", one.name);
        let kept = lines
            .iter()
            .filter(|line| one.name == "preopen" || is_shown(line, one.name, &shown));
        for line in kept {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// Whether the item that a line is about is, or belongs to, one that `preopen` shows.
fn is_shown(line: &str, name: &str, shown: &BTreeSet<String>) -> bool {
    let start = match line.split_once(" for ") {
        Some((_, target)) if line.starts_with("impl") => target,
        _ => line.find(name).map_or("", |at| &line[at..]),
    };
    let end = start.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    let path = &start[..end.unwrap_or(start.len())];
    shown.iter().any(|one| {
        path.strip_prefix(one.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    })
}

/// Paths of other crates that `preopen` re-exports, outside of its module `core`.
fn shown() -> BTreeSet<String> {
    let preopen = of("preopen");
    let mut paths = BTreeSet::new();
    gather(preopen, preopen.root(), &mut paths);
    paths
}

fn gather(preopen: &Documented, module: &Value, paths: &mut BTreeSet<String>) {
    let Some(item) = preopen.item(module) else { return };
    for id in item["inner"]["module"]["items"].as_array().into_iter().flatten() {
        let Some(item) = preopen.item(id) else { continue };
        if item["inner"].get("module").is_some() {
            // What is in `core` is for adapters, and promised to nobody.
            if item["name"] != "core" {
                gather(preopen, id, paths);
            }
        } else if let Some(used) = item["inner"].get("use") {
            let source = used["source"].as_str().unwrap_or_default();
            let path = preopen.path(&used["id"]).unwrap_or_else(|| source.to_owned());
            paths.insert(path);
        }
    }
}
