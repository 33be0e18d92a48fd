//! The core's unit tests in Miri, where the nightly toolchain has it.

use std::time::Duration;

use anyhow::Result;

use super::{Outcome, Soak, nightly};
use crate::process;

const LIMIT: Duration = Duration::from_hours(2);

/// Miri is hundreds of times slower than the machine: the properties' many cases are the part `model`.
const CASES: &str = "8";

const FLAGS: &str = "-Zmiri-disable-isolation";

pub(super) fn run(soak: &Soak<'_>) -> Result<Outcome> {
    if let Some(reason) = nightly::missing(soak) {
        return Ok(Outcome::not_available(reason));
    }
    let cargo = || nightly::command(soak, "cargo");
    // Builds the standard library for Miri, from the component `rust-src`.
    for args in [["miri", "--version"], ["miri", "setup"]] {
        if let Err(error) = process::capture(cargo().args(args)) {
            let reason = nightly::last_line(&error);
            return Ok(Outcome::not_available(format!(
                "`cargo miri {}`: {reason} (needs `rustup component add miri rust-src --toolchain nightly`)",
                args[1]
            )));
        }
    }
    let cases = if soak.args.quick { "1" } else { CASES };
    let mut tests = cargo();
    tests
        .args(["miri", "test", "--package", "preopen-core", "--lib"])
        .env("PROPTEST_CASES", cases)
        // A test reads the vectors, and proptest looks for cases that failed before.
        .env("MIRIFLAGS", FLAGS);
    let mut outcome = Soak::tests(LIMIT, &mut tests)?;
    outcome.ran =
        format!("MIRIFLAGS={FLAGS} PROPTEST_CASES={cases} cargo +nightly miri test -p preopen-core --lib");
    Ok(outcome)
}
