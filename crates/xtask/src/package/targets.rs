//! The platforms of a release, as `tools/targets.json` lists them.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;

const LIST: &str = include_str!("../../../../tools/targets.json");

/// One platform.
pub(crate) struct Target {
    pub(crate) triple: String,
    /// The part of npm package names: `@preopen/<npm>`.
    pub(super) npm: String,
    pub(super) os: String,
    pub(super) cpu: String,
    /// `glibc` or `musl`, on Linux.
    pub(super) libc: Option<String>,
    /// The oldest glibc that it runs with.
    glibc: Option<String>,
    /// The platform tag of its wheels.
    wheel: String,
}

impl Target {
    pub(super) fn all() -> Result<Vec<Self>> {
        let list: Value = serde_json::from_str(LIST)?;
        let targets = list["targets"].as_array().context("no targets")?;
        targets.iter().map(Self::parse).collect()
    }

    fn parse(value: &Value) -> Result<Self> {
        let optional = |key: &str| value[key].as_str().map(str::to_owned);
        let text = |key: &str| optional(key).with_context(|| format!("a target has no `{key}`"));
        Ok(Self {
            triple: text("triple")?,
            npm: text("npm")?,
            os: text("os")?,
            cpu: text("cpu")?,
            libc: optional("libc"),
            glibc: optional("glibc"),
            wheel: text("wheel")?,
        })
    }

    pub(super) fn find(triple: &str) -> Result<Self> {
        let all = Self::all()?;
        let known: Vec<String> = all.iter().map(|target| target.triple.clone()).collect();
        all.into_iter()
            .find(|target| target.triple == triple)
            .with_context(|| format!("no release is built for `{triple}`; for {}", known.join(", ")))
    }

    /// The platform that this machine builds for by itself.
    pub(crate) fn host() -> Result<Self> {
        let said = process::capture(std::process::Command::new("rustc").arg("-vV"))?;
        let host = said.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.context("rustc does not tell its host")?;
        Ok(Self::find(host).unwrap_or_else(|_| Self::unlisted(host)))
    }

    /// A machine that no release is built for can still build for itself.
    fn unlisted(triple: &str) -> Self {
        let os = match std::env::consts::OS {
            "windows" => "win32",
            "macos" => "darwin",
            other => other,
        };
        Self {
            triple: triple.to_owned(),
            npm: triple.to_owned(),
            os: os.to_owned(),
            cpu: std::env::consts::ARCH.to_owned(),
            libc: None,
            glibc: None,
            wheel: String::new(),
        }
    }

    /// What cargo-zigbuild links for: the triple, with the oldest glibc.
    pub(super) fn zig(&self) -> String {
        let floor = self.glibc.as_ref().map(|version| format!(".{version}"));
        format!("{}{}", self.triple, floor.unwrap_or_default())
    }

    /// What maturin is asked to hold a wheel to: the policy without the machine.
    pub(super) fn policy(&self) -> Option<&str> {
        let machine = self.triple.split('-').next()?;
        self.libc.as_ref()?;
        self.wheel.strip_suffix(machine)?.strip_suffix('_')
    }

    pub(super) fn is_linux(&self) -> bool {
        self.os == "linux"
    }

    /// The file that cargo makes of a library.
    pub(super) fn library(&self, name: &str) -> String {
        match self.os.as_str() {
            "win32" => format!("{name}.dll"),
            "darwin" => format!("lib{name}.dylib"),
            _ => format!("lib{name}.so"),
        }
    }

    /// The file that cargo makes of a program.
    pub(super) fn program(&self, name: &str) -> String {
        let suffix = if self.os == "win32" { ".exe" } else { "" };
        format!("{name}{suffix}")
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn every_target_says_what_its_builds_need() {
        let all = Target::all().unwrap();
        assert_eq!(all.len(), 7);
        for target in &all {
            assert_eq!(target.is_linux(), target.libc.is_some(), "{}", target.triple);
            assert_eq!(target.is_linux(), target.policy().is_some(), "{}", target.triple);
        }
        let gnu = Target::find("aarch64-unknown-linux-gnu").unwrap();
        assert_eq!(gnu.zig(), "aarch64-unknown-linux-gnu.2.28");
        assert_eq!(gnu.policy(), Some("manylinux_2_28"));
        let musl = Target::find("x86_64-unknown-linux-musl").unwrap();
        assert_eq!(musl.zig(), "x86_64-unknown-linux-musl");
        assert_eq!(musl.policy(), Some("musllinux_1_2"));
        let windows = Target::find("x86_64-pc-windows-msvc").unwrap();
        assert_eq!(windows.program("preopen"), "preopen.exe");
        assert!(Target::find("riscv64gc-unknown-linux-gnu").is_err());
    }
}
