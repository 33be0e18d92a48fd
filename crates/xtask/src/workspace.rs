//! Where things are: the repository, cargo's target folder, and the workspace's packages with their edges.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process;

/// The packages that only build as modules of other languages and have no Rust tests of their own.
pub(crate) const BINDINGS: [&str; 3] = ["preopen-python", "preopen-node", "preopen-uniffi"];

/// One member of the workspace.
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its folder, relative to the repository.
    pub(crate) folder: PathBuf,
    /// Whether it is more than a program; cargo refuses `--lib` when no chosen package has a library.
    pub(crate) library: bool,
    /// Names of every dependency, of any kind.
    pub(crate) dependencies: Vec<String>,
    /// Whether another member needs it.
    pub(crate) dependents: bool,
    /// Whether it may go to a registry.
    pub(crate) published: bool,
}

/// The repository as cargo sees it.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

impl Workspace {
    /// Writes a page that a command makes, or only compares it; false when it is not up to date.
    pub(crate) fn write_or_compare(&self, page: &str, text: &str, only_compare: bool) -> Result<bool> {
        let path = self.root.join(page);
        if only_compare {
            // A checkout may have other line ends.
            let committed = fs::read_to_string(&path).unwrap_or_default();
            return Ok(committed.replace("\r\n", "\n") == text);
        }
        fs::write(&path, text).with_context(|| format!("cannot write {page}"))?;
        println!("wrote {page}");
        Ok(true)
    }

    pub(crate) fn load() -> Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
        let mut command = process::cargo();
        command
            .args([
                "metadata",
                "--no-deps",
                "--format-version",
                "1",
                "--manifest-path",
            ])
            .arg(&manifest);
        let text = process::capture(&mut command)?;
        Self::parse(&text).context("cannot read the output of cargo metadata")
    }

    fn parse(text: &str) -> Result<Self> {
        let metadata: Value = serde_json::from_str(text)?;
        let root = PathBuf::from(text_at(&metadata, "workspace_root")?);
        let target = PathBuf::from(text_at(&metadata, "target_directory")?);
        let members = metadata["packages"].as_array().context("no packages")?;
        let mut packages = Vec::new();
        for member in members {
            let manifest = Path::new(text_at(member, "manifest_path")?);
            let folder = manifest.parent().unwrap_or(manifest);
            let dependencies = member["dependencies"].as_array().context("no dependencies")?;
            let kinds = member["targets"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|target| target["kind"].as_array());
            packages.push(Package {
                library: kinds.flatten().any(|kind| kind == "lib"),
                name: text_at(member, "name")?.to_owned(),
                dependents: false,
                published: member["publish"].is_null(),
                folder: folder.strip_prefix(&root).unwrap_or(folder).to_owned(),
                dependencies: dependencies
                    .iter()
                    .filter_map(|dependency| dependency["name"].as_str().map(str::to_owned))
                    .collect(),
            });
        }
        let needed: BTreeSet<String> = packages
            .iter()
            .flat_map(|package| package.dependencies.clone())
            .collect();
        for package in &mut packages {
            package.dependents = needed.contains(&package.name);
        }
        Ok(Self {
            root,
            target,
            packages,
        })
    }

    /// One without packages, whose target folder is made for a test.
    #[cfg(test)]
    pub(crate) fn for_test(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        Self {
            target: root.join("target"),
            root,
            packages: Vec::new(),
        }
    }

    /// The folder for downloaded tools and virtual environments.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// Fails with a clear line when the workspace has no such package.
    pub(crate) fn require_package(&self, name: &str) -> Result<()> {
        ensure!(
            self.packages.iter().any(|package| package.name == name),
            "the workspace has no package `{name}`"
        );
        Ok(())
    }

    /// Fails with a clear line when the repository has no such file or folder.
    pub(crate) fn require(&self, relative: impl AsRef<Path>) -> Result<PathBuf> {
        let relative = relative.as_ref();
        let path = self.root.join(relative);
        ensure!(path.exists(), "the repository has no `{}`", relative.display());
        Ok(path)
    }

    /// A cargo command that runs in the repository.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = process::cargo();
        command.current_dir(&self.root);
        command
    }

    /// `<target>/<profile>/<name>` with the platform's suffix for programs.
    pub(crate) fn program(&self, profile: &str, name: &str) -> PathBuf {
        self.target
            .join(profile)
            .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }
}

fn text_at<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value[key].as_str().with_context(|| format!("no `{key}`"))
}

#[cfg(test)]
mod tests {
    use super::Workspace;
    use std::path::Path;

    #[test]
    fn packages_know_their_folder_and_their_edges() {
        let text = r#"{
            "workspace_root": "/repo", "target_directory": "/repo/target",
            "packages": [{
                "name": "preopen-http", "manifest_path": "/repo/crates/http/Cargo.toml",
                "targets": [{"kind": ["lib"]}, {"kind": ["test"]}],
                "dependencies": [{"name": "preopen-core"}, {"name": "reqwest"}]
            }]
        }"#;
        let workspace = Workspace::parse(text).unwrap();
        assert!(workspace.packages[0].library);
        assert_eq!(workspace.packages[0].folder, Path::new("crates/http"));
        assert_eq!(workspace.packages[0].dependencies, ["preopen-core", "reqwest"]);
        assert!(workspace.require_package("preopen-http").is_ok());
        assert!(workspace.require_package("preopen-store").is_err());
    }
}
