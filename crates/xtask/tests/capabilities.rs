//! `docs/capabilities.md` is what the tables, vectors and scenarios say, and nothing of the tables lacks a vector.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::Command;

#[test]
fn the_page_is_up_to_date_and_nothing_is_missing() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["capabilities", "--check"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "run `cargo xtask capabilities`:\n{said}");
}
