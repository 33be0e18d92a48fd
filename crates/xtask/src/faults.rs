//! `cargo xtask faults`: plays the fault matrix with Preopen and with the brokers' own clients, and writes
//! `docs/fault-matrix.md`.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::report::Report;
use crate::test::{Clients, Provision};
use crate::workspace::Workspace;
use crate::{children, process};

const PAGE: &str = "docs/fault-matrix.md";

/// The whole table, on a machine that is slower than most.
const LIMIT: Duration = Duration::from_hours(2);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Arguments of the driver, which then only prints (`--only "a truncated body"`, `--peer smartapi-python`,
    /// `--details`).
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    children::end_with_us()?;
    let provision = Provision::new(&workspace);
    let clients =
        Clients::provide(&provision, &mut Report::default()).context("not everything could be built")?;
    let mut driver = clients.fault_table()?;
    if args.rest.is_empty() {
        driver.args(["--out", PAGE]);
    }
    process::run_within(LIMIT, driver.args(&args.rest))?;
    Ok(ExitCode::SUCCESS)
}
