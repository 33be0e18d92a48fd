//! `cargo xtask test`: provides what is missing, runs the tests of every language and counts them on one line.

mod browser;
pub(crate) mod checks;
mod herd;
mod node;
mod official;
mod provision;
mod python;
mod rust;
mod uniffi;

use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;

use crate::report::Report;
use crate::workspace::Workspace;
pub(crate) use browser::screenshots;
pub(crate) use herd::Herd;
pub(crate) use provision::Provision;

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
    /// Programs of all languages that share one session.
    Herd,
    /// The brokers' own clients against the embedded broker.
    Official,
    /// The Python that UniFFI generates, on the shared vectors and scenarios.
    Uniffi,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let mut report = Report::default();
    let mut provision = Provision::new(&workspace);
    let suites = if args.only.is_empty() {
        Suite::value_variants()
    } else {
        &args.only
    };
    for suite in suites {
        match suite {
            Suite::Rust => rust::run(&workspace, &mut report),
            Suite::Checks => checks::run(&mut provision, &mut report),
            Suite::Python => python::run(&mut provision, &mut report),
            Suite::Node => node::run(&mut provision, &mut report),
            Suite::Browser => browser::run(&mut provision, &mut report),
            Suite::Herd => herd::run(&mut provision, &mut report),
            Suite::Official => official::run(&mut provision, &mut report),
            Suite::Uniffi => uniffi::run(&mut provision, &mut report),
        }
    }
    Ok(if report.finish() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
