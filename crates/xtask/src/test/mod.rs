//! `cargo xtask test`: provides what is missing, runs the tests of every language and counts them on one line.

mod browser;
pub(crate) mod checks;
mod docs;
mod frameworks;
mod free_threaded;
mod herd;
mod node;
mod official;
mod package;
mod provision;
mod pyright;
mod python;
mod rust;
mod schedule;
mod uniffi;

use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;

use crate::children;
use crate::instructions;
use crate::workspace::Workspace;
pub(crate) use browser::screenshots;
pub(crate) use herd::Herd;
pub(crate) use official::Clients;
pub(crate) use package::Packages;
use provision::Need::{Natives, RustTests, Wheel};
pub(crate) use provision::Provision;
use schedule::Job;
use schedule::Work::{Building, Testing};

/// Which tests to run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only these suites.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Suite>,
}

/// One part of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Unit, integration and documentation tests of the Rust crates.
    Rust,
    /// Format, lints and types of every language; each counts as one.
    Checks,
    /// The Python package, on the oldest supported Python and on the newest one here.
    Python,
    /// The Node package, on the oldest supported Node and on the newest one.
    Node,
    /// The pages of the embedded broker in Chromium.
    Browser,
    /// The documentation's site: built strictly, its links and anchors followed.
    Docs,
    /// Programs of all languages that share one session.
    Herd,
    /// The brokers' own clients against the embedded broker.
    Official,
    /// Every package of a release, from a quick build: their contents, installed and used; and the workflows.
    Package,
    /// The Python that UniFFI generates, on the shared vectors and scenarios.
    Uniffi,
    /// Instructions of the hot paths, beside their budgets.
    Instructions,
}

/// What there is to do. Builds go on one after another in this order; tests begin, in this order, as soon as what
/// they need is built and the machine has room for them. See [`schedule`].
const JOBS: &[Job] = &[
    Job::new(
        Suite::Checks,
        "checks",
        &[Wheel],
        Testing { places: 1 },
        checks::of_others,
    ),
    Job::new(
        Suite::Python,
        "python: oldest",
        &[Natives, Wheel],
        Testing { places: 2 },
        python::floor,
    ),
    Job::new(
        Suite::Python,
        "python: newest",
        &[Natives, Wheel],
        Testing { places: 2 },
        python::newest,
    ),
    Job::new(
        Suite::Python,
        "python: frameworks",
        &[Natives, Wheel],
        Testing { places: 2 },
        frameworks::run,
    ),
    Job::new(
        Suite::Checks,
        "pyright",
        &[Wheel],
        Testing { places: 1 },
        pyright::run,
    ),
    Job::new(
        Suite::Browser,
        "browser",
        &[Natives],
        Testing { places: 2 },
        browser::run,
    ),
    Job::new(
        Suite::Node,
        "node: oldest",
        &[Natives],
        Testing { places: 2 },
        node::floor,
    ),
    Job::new(
        Suite::Node,
        "node: newest",
        &[Natives],
        Testing { places: 2 },
        node::newest,
    ),
    Job::new(
        Suite::Herd,
        "herd",
        &[Natives, Wheel],
        Testing { places: 1 },
        herd::run,
    ),
    Job::new(
        Suite::Official,
        "official",
        &[Natives, Wheel],
        Testing { places: 2 },
        official::run,
    ),
    Job::new(
        Suite::Rust,
        "rust",
        &[RustTests],
        Testing { places: 4 },
        rust::run,
    ),
    Job::new(Suite::Rust, "rust: examples", &[], Building, rust::examples),
    Job::new(
        Suite::Python,
        "python: source",
        &[Wheel],
        Building,
        python::source,
    ),
    Job::new(Suite::Checks, "clippy", &[], Building, checks::of_rust),
    Job::new(Suite::Checks, "free-threaded", &[], Building, free_threaded::run),
    Job::new(Suite::Uniffi, "uniffi", &[Natives, Wheel], Building, uniffi::run),
    Job::new(Suite::Docs, "docs", &[], Building, docs::run),
    Job::new(
        Suite::Instructions,
        "instructions",
        &[Natives],
        Building,
        instructions::suite,
    ),
    Job::new(
        Suite::Package,
        "package",
        &[Natives, Wheel],
        Building,
        package::run,
    ),
];

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    children::end_with_us()?;
    let wanted = |job: &&Job| args.only.is_empty() || args.only.contains(&job.suite);
    let jobs: Vec<&Job> = JOBS.iter().filter(wanted).collect();
    let report = schedule::run(&jobs, &Provision::new(&workspace));
    Ok(if report.finish() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
