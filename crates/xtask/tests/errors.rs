//! `docs/errors.md` is what the kinds of error and the fault tables say.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::Command;

#[test]
fn the_page_is_up_to_date() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["errors", "--check"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "run `cargo xtask errors`:\n{said}");
}
