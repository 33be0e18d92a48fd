//! Finding or fetching Node, and installing npm packages exactly as locked.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::once;
use crate::workspace::Workspace;
use crate::{console, process};

/// The oldest major version that the package supports.
const FLOOR: u32 = 22;
/// The newest one that is fetched when the machine has no newer.
const NEWEST: u32 = 24;

/// A Node that runs.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) major: u32,
    pub(crate) program: PathBuf,
}

impl Node {
    fn probe(program: &Path) -> Option<Self> {
        let script = "console.log(process.versions.node, process.execPath)";
        let answer = process::capture(Command::new(program).args(["-e", script])).ok()?;
        let (version, path) = answer.trim().split_once(' ')?;
        let major = version.split('.').next()?.parse().ok()?;
        Some(Self {
            major,
            program: path.into(),
        })
    }

    /// A command with this Node first on the search path, so that npm and every script use it.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        if let Some(folder) = self.program.parent() {
            process::prefix_path(&mut command, folder);
        }
        command
    }
}

/// The Node for builds and type checks: the machine's when it is new enough.
pub(crate) fn for_builds(workspace: &Workspace) -> Result<Node> {
    match machine()? {
        node if node.major >= FLOOR => Ok(node),
        _ => fetch(workspace, FLOOR),
    }
}

/// The Nodes that tests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// The oldest one that the package supports.
    Floor,
    /// The newest one.
    Newest,
}

impl Version {
    pub(crate) fn major(self) -> u32 {
        match self {
            Self::Floor => FLOOR,
            Self::Newest => NEWEST,
        }
    }

    /// The machine's, or one that is fetched.
    pub(crate) fn provide(self, workspace: &Workspace) -> Result<Node> {
        let machine = machine()?;
        let good = match self {
            Self::Floor => machine.major == FLOOR,
            Self::Newest => machine.major >= NEWEST,
        };
        if good {
            Ok(machine)
        } else {
            fetch(workspace, self.major())
        }
    }
}

fn machine() -> Result<Node> {
    Node::probe(Path::new("node"))
        .context("Node is not installed; any version with npm will do, the right ones are fetched with it")
}

fn fetch(workspace: &Workspace, major: u32) -> Result<Node> {
    let folder = workspace.tools().join(format!("node{major}"));
    let program = folder
        .join("node_modules/node/bin")
        .join(format!("node{}", std::env::consts::EXE_SUFFIX));
    if let Some(node) = Node::probe(&program).filter(|node| node.major == major) {
        return Ok(node);
    }
    console::say(format_args!("fetching Node {major}"));
    fs::create_dir_all(&folder)?;
    let mut npm = npm_command(&machine()?);
    npm.args(["install", "--no-audit", "--no-fund", "--no-save", "--prefix"])
        .arg(&folder);
    process::run(npm.arg(format!("node@{major}")))?;
    Node::probe(&program).with_context(|| format!("the Node {major} that npm brought does not run"))
}

pub(crate) fn npm_command(node: &Node) -> Command {
    node.command(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

/// Installs a folder's packages as its lock file says, unless that was done before.
pub(crate) fn install(workspace: &Workspace, node: &Node, folder: &str) -> Result<()> {
    let lock = workspace.require(Path::new(folder).join("package-lock.json"))?;
    let folder = workspace.root.join(folder);
    let locked = fs::read_to_string(lock)?;
    let wanted = format!("node {}\n{locked}", node.major);
    once(&folder.join("node_modules/.provided"), &wanted, || {
        let mut npm = npm_command(node);
        process::run(npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder))
    })
}

/// Installs a folder's packages as its lock file says into a tool's folder, away from those of the project.
pub(crate) fn install_apart(workspace: &Workspace, node: &Node, folder: &str, tool: &str) -> Result<PathBuf> {
    let place = workspace.tools().join(tool);
    fs::create_dir_all(&place)?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(workspace.require(Path::new(folder).join(name))?, place.join(name))?;
    }
    let locked = fs::read_to_string(place.join("package-lock.json"))?;
    let wanted = format!("node {}\n{locked}", node.major);
    once(&place.join("node_modules/.provided"), &wanted, || {
        let mut npm = npm_command(node);
        // What measures needs no program of a package to have run.
        process::run(
            npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
                .current_dir(&place),
        )
    })?;
    Ok(place)
}

/// `npm run <script> --workspace node`.
pub(crate) fn script(workspace: &Workspace, node: &Node, name: &str) -> Result<()> {
    let mut npm = npm_command(node);
    process::run(
        npm.args(["run", name, "--workspace", "node"])
            .current_dir(&workspace.root),
    )
}

/// Builds the addon and puts it where the package looks for it.
pub(crate) fn build_addon(workspace: &Workspace, profile: &str) -> Result<PathBuf> {
    workspace.require_package("preopen-node")?;
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--package", "preopen-node", "--profile", profile]);
    process::run(&mut cargo)?;
    place_addon(workspace, profile)
}

/// Puts the addon that cargo built where the package looks for it.
pub(crate) fn place_addon(workspace: &Workspace, profile: &str) -> Result<PathBuf> {
    workspace.require("node")?;
    let folder = if profile == "dev" { "debug" } else { profile };
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let built = workspace
        .target
        .join(folder)
        .join(format!("{prefix}preopen_node{suffix}"));
    let place = workspace.root.join("node/native/preopen.node");
    process::copy_anew(&built, &place).context("the addon was not built where cargo says")?;
    Ok(place)
}

/// The `*.test.mjs` files directly in a folder, sorted; none is an error.
pub(crate) fn test_files(workspace: &Workspace, folder: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(workspace.require(folder)?)?
        .flatten()
        .map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    files.sort();
    ensure!(!files.is_empty(), "`{folder}` has no test files");
    Ok(files)
}
