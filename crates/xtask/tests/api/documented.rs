//! Rustdoc's JSON of the crates that users name, made once, with warnings as errors.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use super::root;

/// The crates whose items `preopen` shows, with itself first.
const CRATES: [&str; 4] = ["preopen", "preopen_core", "preopen_http", "preopen_store"];

/// What docs.rs builds them with.
const FEATURES: &str =
    "preopen/keyring,preopen/opentelemetry,preopen/redis,preopen-store/keyring,preopen-store/redis";

/// The version of the JSON that `public-api` reads here.
const FORMAT: u64 = 57;

/// One documented crate.
pub(crate) struct Documented {
    pub(crate) name: &'static str,
    pub(crate) file: PathBuf,
    json: Value,
}

impl Documented {
    /// The item of an id, if it is this crate's.
    pub(crate) fn item(&self, id: &Value) -> Option<&Value> {
        self.json["index"].get(id.to_string())
    }

    pub(crate) fn root(&self) -> &Value {
        &self.json["root"]
    }

    /// Where an item is defined, also of another crate.
    pub(crate) fn path(&self, id: &Value) -> Option<String> {
        let path = self.json["paths"].get(id.to_string())?["path"].as_array()?;
        let words: Vec<&str> = path.iter().filter_map(Value::as_str).collect();
        Some(words.join("::"))
    }

    /// This crate's own items by the path where they are defined.
    pub(crate) fn own(&self) -> BTreeMap<String, Value> {
        let paths = self.json["paths"].as_object().expect("paths");
        let own = paths.iter().filter(|(_, summary)| summary["crate_id"] == 0);
        own.filter_map(|(id, _)| {
            let id: Value = serde_json::from_str(id).ok()?;
            Some((self.path(&id)?, id))
        })
        .collect()
    }
}

/// The crates, in the order of `CRATES`.
pub(crate) fn crates() -> &'static [Documented] {
    static MADE: OnceLock<Vec<Documented>> = OnceLock::new();
    MADE.get_or_init(make)
}

pub(crate) fn of(name: &str) -> &'static Documented {
    crates()
        .iter()
        .find(|one| one.name == name)
        .expect("a documented crate")
}

fn make() -> Vec<Documented> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(root())
        .args(["doc", "--quiet", "--no-deps", "--lib"])
        .args(["--features", FEATURES]);
    for name in CRATES {
        cargo.args(["--package", &name.replace('_', "-")]);
    }
    let real = std::env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into());
    cargo
        .env("RUSTDOC", env!("CARGO_BIN_EXE_xtask"))
        .env("XTASK_RUSTDOC", real)
        .env(
            "RUSTDOCFLAGS",
            "-Z unstable-options --output-format json --deny warnings --cfg docsrs",
        );
    for (variable, _) in std::env::vars_os() {
        let text = variable.to_string_lossy();
        // What cargo tells this test about its own package is none of a build script's business.
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&variable);
        }
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "the documentation has errors or warnings");
    CRATES.iter().map(|name| load(name)).collect()
}

fn load(name: &'static str) -> Documented {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let file = target.join("doc").join(format!("{name}.json"));
    let text = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let json: Value = serde_json::from_slice(&text).expect("rustdoc writes JSON");
    assert_eq!(
        json["format_version"],
        FORMAT,
        "this Rust's rustdoc writes another version of its JSON: raise `public-api` in crates/xtask/Cargo.toml and FORMAT in {}, or \
         run this test with the Rust that they were made for, 1.95",
        file!()
    );
    Documented { name, file, json }
}
