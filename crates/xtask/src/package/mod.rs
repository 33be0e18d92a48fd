//! `cargo xtask package`: release builds of everything that goes to a registry, in `dist/`.
//!
//! Here is the command line only; what a wheel, an npm package or a bill of materials is made of has a file of its own.

mod build;
mod crates;
mod npm;
mod paths;
mod sbom;
mod targets;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;

use crate::workspace::Workspace;
use build::Builder;
pub(crate) use targets::Target;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to package; by default what this machine can use: the wheel and the npm package `preopen`.
    #[arg(value_enum)]
    kinds: Vec<Kind>,
    /// The platform, one of tools/targets.json; on Linux it is built with zig for the oldest C library that is supported.
    #[arg(long)]
    target: Option<String>,
    /// The Python that a wheel is for, if it is a free-threaded one; otherwise one wheel serves all.
    #[arg(long)]
    interpreter: Option<PathBuf>,
    /// Where to put them.
    #[arg(long, default_value = "dist")]
    out: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// The wheel `preopen`.
    Python,
    /// The npm package `preopen` with the addon of this platform in it, to be installed from the file.
    Node,
    /// The `preopen` command: the wheel `preopen-cli` and the npm package `@preopen/cli-<platform>`.
    Command,
    /// The npm package `@preopen/<platform>`.
    Addon,
    /// The npm packages `preopen` and `preopen-cli` as they are published: the same for every platform.
    Npm,
    /// The bills of materials of what is native, as files of their own.
    Sbom,
    /// The source archive for Python.
    Sdist,
    /// The crates, as `cargo publish` uploads them.
    Crates,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let kinds: &[Kind] = if args.kinds.is_empty() {
        &[Kind::Python, Kind::Node]
    } else {
        &args.kinds
    };
    let out = workspace.root.join(&args.out);
    let plan = args.target.as_deref().map_or(Plan::Here, Plan::For);
    let made = make(&workspace, kinds, plan, args.interpreter.as_deref(), &out)?;
    for file in made {
        println!(
            "{}",
            file.strip_prefix(&workspace.root).unwrap_or(&file).display()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// How what is native is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan<'a> {
    /// For release, with what this machine has.
    Here,
    /// For release and for other machines of a platform, too.
    For(&'a str),
    /// As tests build it, from what they have built.
    Tests,
}

/// Makes the packages and tells the files.
pub(crate) fn make(
    workspace: &Workspace,
    kinds: &[Kind],
    plan: Plan<'_>,
    interpreter: Option<&Path>,
    out: &Path,
) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(out)?;
    let builder = Builder::new(workspace, plan, out)?;
    let mut made = Vec::new();
    for kind in kinds {
        match kind {
            Kind::Python => made.push(builder.wheel(interpreter)?),
            Kind::Node => made.push(npm::whole(workspace, &builder.addon()?, out)?),
            Kind::Command => {
                made.push(builder.command_wheel()?);
                made.push(npm::command(workspace, &builder.target, &builder.command(), out)?);
            }
            Kind::Addon => made.push(npm::addon(workspace, &builder.target, &builder.addon()?, out)?),
            Kind::Npm => made.extend(npm::published(workspace, out)?),
            Kind::Sbom => made.extend(sbom::write(workspace, &builder.target.triple, out)?),
            Kind::Sdist => made.push(builder.sdist()?),
            Kind::Crates => made.extend(crates::pack(workspace, out)?),
        }
    }
    Ok(made)
}
