//! What cargo says of this workspace.
#![allow(clippy::expect_used, reason = "a test")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// `cargo metadata` with this option.
pub(crate) fn metadata(option: &str) -> Value {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", option, "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}
