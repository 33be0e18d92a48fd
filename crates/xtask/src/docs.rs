//! `cargo xtask docs`: builds the documentation's site into `target/site`: mkdocs over `docs/`, the Python reference from the
//! package's source, the TypeScript reference by typedoc, rustdoc's pages below `api/rust`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::process;
use crate::report::Report;
use crate::test::Provision;
use crate::tools::node::{self, Node};
use crate::tools::python::Venv;
use crate::workspace::Workspace;

/// Where typedoc is: its TypeScript is older than the workspace's.
const TYPEDOC: &str = "tools/typedoc";

pub(crate) fn run() -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let mut report = Report::default();
    let provision = Provision::new(&workspace);
    let Some(site) = Site::provide(&provision, &mut report) else {
        return Ok(ExitCode::FAILURE);
    };
    site.build()?;
    site.check()?;
    println!("{}", site.folder().join("index.html").display());
    Ok(ExitCode::SUCCESS)
}

/// What builds the site.
pub(crate) struct Site<'a> {
    workspace: &'a Workspace,
    mkdocs: Venv,
    node: Node,
}

impl<'a> Site<'a> {
    /// Installs what is needed; what failed is in the report.
    pub(crate) fn provide(provision: &Provision<'a>, report: &mut Report) -> Option<Self> {
        let workspace = provision.workspace;
        let python = provision.newest_python(report)?;
        let node = provision.packages(report)?;
        let mkdocs = report.setup("mkdocs", || {
            Venv::provide(workspace, "docs", &python, "tools/requirements-docs.txt")
        })?;
        report.setup("typedoc", || node::install(workspace, &node, TYPEDOC))?;
        Some(Self {
            workspace,
            mkdocs,
            node,
        })
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.workspace.target.join("site")
    }

    /// Builds every page; a warning of mkdocs is an error.
    pub(crate) fn build(&self) -> Result<()> {
        let typescript = self.typescript()?;
        let mut mkdocs = self.mkdocs.run("mkdocs");
        mkdocs
            .current_dir(&self.workspace.root)
            .args(["build", "--strict", "--quiet", "--site-dir"])
            .arg(self.folder())
            .env("PREOPEN_TYPESCRIPT_PAGES", &typescript)
            // A notice of the theme about mkdocs itself, on every run.
            .env("NO_MKDOCS_2_WARNING", "1");
        process::run(&mut mkdocs)?;
        self.rust()
    }

    /// Follows every link and anchor, over no network, and lists what a page would load from elsewhere.
    pub(crate) fn check(&self) -> Result<()> {
        let mut check = std::process::Command::new(self.mkdocs.python());
        check
            .current_dir(&self.workspace.root)
            .arg("tools/site/check.py")
            .arg(self.folder());
        process::run(&mut check)
    }

    /// The pages of the TypeScript reference, as Markdown.
    fn typescript(&self) -> Result<PathBuf> {
        let pages = self.workspace.target.join("typescript-pages");
        let _ = fs::remove_dir_all(&pages);
        let mut typedoc = self.node.command(&self.node.program);
        typedoc
            .current_dir(&self.workspace.root)
            .arg(format!("{TYPEDOC}/node_modules/typedoc/bin/typedoc"))
            .args(["--options", &format!("{TYPEDOC}/typedoc.json"), "--out"])
            .arg(&pages);
        process::run(&mut typedoc)?;
        Ok(pages)
    }

    /// What docs.rs would show of the crate for users.
    fn rust(&self) -> Result<()> {
        let mut doc = self.workspace.cargo();
        process::run(doc.args([
            "doc",
            "--quiet",
            "--no-deps",
            "--package",
            "preopen",
            "--features",
            "redis",
        ]))?;
        let site = self.folder().join("api/rust");
        copy(&self.workspace.target.join("doc"), &site).context("cannot copy rustdoc's pages")
    }
}

/// Copies a folder with everything in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
