//! The core's unit tests under LLVM's address sanitizer, where there is a nightly toolchain.

use std::time::Duration;

use anyhow::Result;

use super::{Outcome, Soak, nightly};

const LIMIT: Duration = Duration::from_hours(1);

pub(super) fn run(soak: &Soak<'_>) -> Result<Outcome> {
    if let Some(reason) = nightly::missing(soak) {
        return Ok(Outcome::not_available(reason));
    }
    let host = nightly::host(soak)?;
    if !has_sanitizer(&host) {
        return Ok(Outcome::not_available(format!("no AddressSanitizer for {host}")));
    }
    let mut tests = nightly::command(soak, "cargo");
    tests
        .args(["test", "--package", "preopen-core", "--lib"])
        // A target of its own keeps the flag away from build scripts and procedural macros.
        .args(["--target", &host])
        .env("RUSTFLAGS", "-Zsanitizer=address")
        .env("CARGO_TARGET_DIR", soak.folder("asan"));
    let mut outcome = Soak::tests(LIMIT, &mut tests)?;
    outcome.ran =
        format!("RUSTFLAGS=-Zsanitizer=address cargo +nightly test -p preopen-core --lib --target {host}");
    Ok(outcome)
}

/// Where Rust's nightly ships the sanitizer's runtime.
fn has_sanitizer(host: &str) -> bool {
    ["-linux-gnu", "-apple-darwin"]
        .iter()
        .any(|end| host.ends_with(end))
}
