//! The walls of the house: which crate may depend on which, and where a foreign crate may be named at all.
//!
//! Only normal and build dependencies count; a test may use whatever it likes.
#![allow(
    clippy::expect_used,
    reason = "a test file: what cannot be read ends the test"
)]

mod common;

use common::metadata;
use serde_json::Value;

/// Every member of the workspace with the members it may depend on. Arrows never turn back.
const LAYERS: [(&str, &[&str]); 14] = [
    ("preopen-core", &[]),
    ("preopen-http", &["preopen-core"]),
    ("preopen-store", &["preopen-core"]),
    ("preopen", &["preopen-core", "preopen-http", "preopen-store"]),
    ("preopen-ffi", &["preopen", "preopen-core", "preopen-http"]),
    ("preopen-sandbox", &["preopen-core"]),
    ("preopen-cli", &["preopen", "preopen-sandbox", "preopen-core"]),
    ("preopen-python", &["preopen-ffi", "preopen"]),
    ("preopen-node", &["preopen-ffi", "preopen"]),
    ("preopen-uniffi", &["preopen-ffi", "preopen"]),
    ("preopen-bench", &["preopen"]),
    ("preopen-pages", &["preopen"]),
    ("preopen-instructions", &["preopen", "preopen-core"]),
    // It writes a page from the core's tables.
    ("xtask", &["preopen-core"]),
];

/// Foreign crates, by the start of their name, with the members that may name them.
const FOREIGN: [(&str, &[&str]); 13] = [
    // The benchmarks measure it beside a session, and a bare connection beside both.
    ("reqwest", &["preopen-http", "preopen-bench"]),
    // The embedded broker serves TLS, so it needs the server half; the store speaks TLS to Redis.
    (
        "rustls",
        &[
            "preopen-http",
            "preopen-sandbox",
            "preopen-store",
            "preopen-bench",
        ],
    ),
    (
        "tokio-rustls",
        &[
            "preopen-http",
            "preopen-sandbox",
            "preopen-store",
            "preopen-bench",
        ],
    ),
    ("pyo3", &["preopen-python"]),
    ("napi", &["preopen-node"]),
    ("uniffi", &["preopen-uniffi"]),
    ("redis", &["preopen-store"]),
    // The core reads Linux' clocks; the audit file is opened without following a link; the command puts terminals back and passes signals on; who runs the
    // tests ends what it started.
    (
        "rustix",
        &["preopen-core", "preopen", "preopen-store", "preopen-cli", "xtask"],
    ),
    ("keyring", &["preopen-store"]),
    // Who did it is said on the host that did it.
    ("gethostname", &["preopen"]),
    // What is logged is said where it happens, and handed to another language in one place.
    ("tracing", &["preopen", "preopen-ffi"]),
    ("opentelemetry", &["preopen"]),
    // The data file of the embedded broker.
    ("rusqlite", &["preopen-sandbox"]),
];

/// The parts of tokio that start threads, timers or sockets. The core may use none of them.
const RUNTIME: [&str; 8] = [
    "full",
    "rt",
    "rt-multi-thread",
    "net",
    "time",
    "fs",
    "process",
    "signal",
];

#[test]
fn members_depend_only_on_the_layers_below() {
    let mut wrong = Vec::new();
    for member in members() {
        let name = text(&member, "name");
        let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| *layer == name) else {
            wrong.push(format!("{name} has no place in the table of layers"));
            continue;
        };
        for dependency in dependencies(&member) {
            let other = text(dependency, "name");
            // Only members have a path.
            if dependency["path"].is_string() && !allowed.contains(&other) {
                wrong.push(format!("{name} may not depend on {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn foreign_crates_stay_behind_their_wall() {
    let mut wrong = Vec::new();
    for member in members() {
        let name = text(&member, "name");
        for dependency in dependencies(&member) {
            let other = text(dependency, "name");
            for (start, allowed) in FOREIGN {
                if other.starts_with(start) && !allowed.contains(&name) {
                    wrong.push(format!("{name} may not name {other}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_core_has_no_runtime() {
    let members = members();
    let core = members
        .iter()
        .find(|member| member["name"] == "preopen-core")
        .expect("the core is a member");
    for dependency in dependencies(core).filter(|dependency| dependency["name"] == "tokio") {
        let features = dependency["features"].as_array().expect("a list of features");
        let used: Vec<&Value> = features
            .iter()
            .filter(|feature| RUNTIME.iter().any(|runtime| *feature == runtime))
            .collect();
        assert!(used.is_empty(), "the core uses tokio's {used:?}");
    }
}

fn members() -> Vec<Value> {
    let metadata = metadata("--no-deps");
    metadata["packages"]
        .as_array()
        .expect("a list of packages")
        .clone()
}

fn dependencies(member: &Value) -> impl Iterator<Item = &Value> {
    let all = member["dependencies"].as_array().expect("a list of dependencies");
    all.iter().filter(|dependency| dependency["kind"] != "dev")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect("a text")
}
