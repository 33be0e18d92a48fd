//! What the parts that need the nightly toolchain share.

use std::process::Command;

use anyhow::{Context, Result};

use super::Soak;
use crate::process;

/// A command of the nightly toolchain that runs in the repository.
pub(super) fn command(soak: &Soak<'_>, program: &str) -> Command {
    let mut command = Command::new("rustup");
    command
        .args(["run", "nightly", program])
        .current_dir(&soak.workspace.root);
    // They name the toolchain that built this program.
    for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    command
}

/// Why there is no nightly toolchain here; nothing when there is one.
pub(super) fn missing(soak: &Soak<'_>) -> Option<String> {
    let asked = process::capture(command(soak, "cargo").arg("--version"));
    asked
        .err()
        .map(|error| format!("no nightly toolchain: {}", last_line(&error)))
}

/// What a program said last before it failed: its reason, where the rest is how it got there.
pub(super) fn last_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    text.lines().last().unwrap_or_default().trim().to_owned()
}

/// The target triple that nightly builds for by default.
pub(super) fn host(soak: &Soak<'_>) -> Result<String> {
    let text = process::capture(command(soak, "rustc").arg("-vV"))?;
    let host = host_line(&text).context("rustc does not name its host")?;
    Ok(host.to_owned())
}

fn host_line(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("host: "))
}

#[cfg(test)]
mod tests {
    use super::{host_line, last_line};

    #[test]
    fn the_host_is_read_from_what_rustc_says() {
        let text = "rustc 1.97.0-nightly (abc 2026-05-15)\nbinary: rustc\nhost: aarch64-apple-darwin\nrelease: 1.97.0-nightly\n";
        assert_eq!(host_line(text), Some("aarch64-apple-darwin"));
        assert_eq!(host_line("rustc 1.97.0"), None);
    }

    #[test]
    fn the_reason_is_the_last_line() {
        let error = anyhow::anyhow!(
            "`rustup run nightly cargo` failed\nerror: toolchain 'nightly' is not installed\n"
        );
        assert_eq!(last_line(&error), "error: toolchain 'nightly' is not installed");
    }
}
