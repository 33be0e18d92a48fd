//! The npm packages: one `preopen` for every platform, one small package for each platform's addon, and the same for the command.
//!
//! Each is laid out below the target folder and packed there, so that packing never touches what tests are using.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::sbom;
use super::targets::Target;
use crate::process;
use crate::tools::node::{self, Node};
use crate::version;
use crate::workspace::Workspace;

/// The repository that a published package names; npm compares it with the one whose workflow publishes.
const REPOSITORY: &str = "PREOPEN_REPOSITORY";
const LICENCES: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];
/// The package's own manifest and its parts, relative to `node`.
const OWN: [&str; 2] = ["dist", "README.md"];

/// `preopen` with this machine's addon inside: for installing from the file.
pub(super) fn whole(workspace: &Workspace, addon: &Path, out: &Path) -> Result<PathBuf> {
    let package = Package::library(workspace)?;
    package.add(addon, "native/preopen.node")?;
    let sbom = sbom::of(workspace, "preopen-node", &Target::host()?.triple)?;
    package.write(sbom::FILE, &sbom)?;
    package.pack(out)
}

/// `preopen` and `preopen-cli` as they are published: what runs natively comes from the packages of the platforms.
pub(super) fn published(workspace: &Workspace, out: &Path) -> Result<Vec<PathBuf>> {
    let mut library = Package::library(workspace)?;
    library.platforms("")?;
    let mut command = Package::new(workspace, "preopen-cli", manifest(workspace, "crates/cli/npm")?)?;
    for name in ["bin.js", "index.js", "index.d.ts"] {
        command.add(&workspace.root.join("crates/cli/npm").join(name), name)?;
    }
    command.add(&workspace.root.join("crates/cli/README.md"), "README.md")?;
    command.platforms("cli-")?;
    Ok(vec![library.pack(out)?, command.pack(out)?])
}

/// `@preopen/<platform>`.
pub(super) fn addon(workspace: &Workspace, target: &Target, file: &Path, out: &Path) -> Result<PathBuf> {
    let about = "The addon of the package preopen";
    native(
        workspace,
        target,
        "",
        about,
        file,
        "preopen.node",
        "preopen-node",
        out,
    )
}

/// `@preopen/cli-<platform>`.
pub(super) fn command(workspace: &Workspace, target: &Target, file: &Path, out: &Path) -> Result<PathBuf> {
    let about = "The program of the package preopen-cli";
    let name = target.program("preopen");
    native(workspace, target, "cli-", about, file, &name, "preopen-cli", out)
}

#[expect(
    clippy::too_many_arguments,
    reason = "the one template of all packages with native code"
)]
fn native(
    workspace: &Workspace,
    target: &Target,
    prefix: &str,
    about: &str,
    file: &Path,
    name: &str,
    krate: &str,
    out: &Path,
) -> Result<PathBuf> {
    let full = format!("@preopen/{prefix}{}", target.npm);
    let about = format!(
        "{about} for {}. It comes along with that; nobody installs it alone.",
        target.npm
    );
    let mut manifest = json!({
        "name": full,
        "version": version::checked(workspace)?,
        "description": about,
        "license": "MIT OR Apache-2.0",
        "engines": { "node": ">=22.12" },
        "os": [target.os],
        "cpu": [target.cpu],
        "main": name,
        "files": [name, sbom::FILE, "LICENSE-*"],
    });
    if let Some(libc) = &target.libc {
        manifest["libc"] = json!([libc]);
    }
    if prefix == "cli-" {
        // A program is no module: it is found by its path.
        manifest.as_object_mut().context("no object")?.remove("main");
    }
    let package = Package::new(workspace, &format!("{prefix}{}", target.npm), manifest)?;
    package.add(file, name)?;
    package.write("README.md", &format!("# {full}\n\n{about}\n"))?;
    package.write(sbom::FILE, &sbom::of(workspace, krate, &target.triple)?)?;
    package.pack(out)
}

/// A package that is being laid out.
struct Package<'a> {
    workspace: &'a Workspace,
    node: Node,
    folder: PathBuf,
    manifest: Value,
}

impl<'a> Package<'a> {
    fn new(workspace: &'a Workspace, name: &str, manifest: Value) -> Result<Self> {
        let folder = workspace.target.join("npm").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        let package = Self {
            workspace,
            node: node::for_builds(workspace)?,
            folder,
            manifest,
        };
        for name in LICENCES {
            package.add(&workspace.root.join(name), name)?;
        }
        Ok(package)
    }

    /// The package `preopen` without any addon.
    fn library(workspace: &'a Workspace) -> Result<Self> {
        let chosen = node::for_builds(workspace)?;
        node::install(workspace, &chosen, "")?;
        node::script(workspace, &chosen, "build")?;
        let package = Self::new(workspace, "preopen", manifest(workspace, "node")?)?;
        for name in OWN {
            package.add(&workspace.root.join("node").join(name), name)?;
        }
        Ok(package)
    }

    /// Lets npm choose the package of the platform that it installs for.
    fn platforms(&mut self, prefix: &str) -> Result<()> {
        let version = version::checked(self.workspace)?;
        let mut all = Map::new();
        for target in Target::all()? {
            all.insert(format!("@preopen/{prefix}{}", target.npm), json!(version));
        }
        self.manifest["optionalDependencies"] = Value::Object(all);
        Ok(())
    }

    fn add(&self, from: &Path, name: &str) -> Result<()> {
        let place = self.folder.join(name);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        copy(from, &place).with_context(|| format!("cannot copy {}", from.display()))
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        Ok(fs::write(self.folder.join(name), text)?)
    }

    fn pack(mut self, out: &Path) -> Result<PathBuf> {
        let manifest = self.manifest.as_object_mut().context("a manifest is an object")?;
        // They belong to the repository; npm would run some of them here.
        manifest.remove("scripts");
        if let Ok(address) = std::env::var(REPOSITORY) {
            manifest.insert(
                "repository".to_owned(),
                json!({ "type": "git", "url": format!("git+{address}.git") }),
            );
        }
        if let Some(files) = manifest.get_mut("files").and_then(Value::as_array_mut) {
            files.push(json!(sbom::FILE));
        }
        self.write("package.json", &format!("{:#}\n", self.manifest))?;
        let mut npm = node::npm_command(&self.node);
        npm.args(["pack", "--silent", "--pack-destination"])
            .arg(out)
            .current_dir(&self.folder);
        let name = process::capture(&mut npm)?;
        Ok(out.join(name.trim()))
    }
}

fn manifest(workspace: &Workspace, folder: &str) -> Result<Value> {
    let text = fs::read_to_string(workspace.root.join(folder).join("package.json"))?;
    serde_json::from_str(&text).with_context(|| format!("cannot read {folder}/package.json"))
}

/// A file, or a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        fs::copy(from, to)?;
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
