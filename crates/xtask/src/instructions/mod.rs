//! `cargo xtask instructions`: how many instructions the hot paths take, counted by callgrind, beside committed budgets.
//!
//! Timings of a busy machine decide nothing; instructions hardly depend on what else runs. Each path is gone so often in
//! one process and twice as often in another: the difference is the path's alone, without start and end, in every language.
//! gungraun, Rust's library for this, keeps no budgets in a file, finds a path by the symbols of a Rust program (Python and
//! Node need the difference anyway), and its runner is built from more than a hundred crates.

mod broker;
mod budgets;
mod counter;
mod paths;
mod programs;

use std::process::ExitCode;

use anyhow::Result;

use crate::children;
use crate::console;
use crate::counts::Counts;
use crate::report::Report;
use crate::test::Provision;
use crate::workspace::Workspace;
use budgets::{Budgets, Counted};
use counter::Counter;
use paths::{PATHS, Path, RATIOS};
use programs::Programs;

const SUITE: &str = "instructions";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write what is counted into `tests/instructions/budgets.json`, after a change that was meant.
    #[arg(long)]
    bless: bool,
    /// Only the paths whose name has this in it, for example `python` or `token`.
    #[arg(long, default_value = "")]
    only: String,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    children::end_with_us()?;
    let mut report = Report::default();
    count(args, &Provision::new(&workspace), &mut report);
    Ok(if report.finish() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The suite of `cargo xtask test`.
pub(crate) fn suite(provision: &Provision<'_>, report: &mut Report) {
    let all = Args {
        bless: false,
        only: String::new(),
    };
    count(&all, provision, report);
}

fn count(args: &Args, provision: &Provision<'_>, report: &mut Report) {
    let paths: Vec<&Path> = PATHS
        .iter()
        .filter(|path| path.name.contains(&args.only))
        .collect();
    if paths.is_empty() {
        let names = PATHS.map(|path| path.name).join(", ");
        return report.missing(
            SUITE,
            &format!("a path with {:?} in its name, of {names}", args.only),
        );
    }
    let counter = match Counter::find(provision.workspace) {
        Ok(counter) => counter,
        Err(why) => return report.not_applicable(SUITE, why),
    };
    let ready = (
        provision.command(report),
        report.setup("instructions: budgets", || Budgets::load(provision.workspace)),
    );
    let (Some(command), Some(mut budgets)) = ready else {
        return report.missing(SUITE, "the command or its budgets");
    };
    let Some(programs) = Programs::provide(&paths, &budgets, args.bless, &counter, provision, report) else {
        return report.missing(SUITE, "what it counts");
    };
    report.suite(SUITE, || {
        let mut counts = Counts::default();
        let mut taken = Counted::default();
        for path in paths {
            // Said before: this machine has no such interpreter.
            let Some(program) = programs.of(path.language) else {
                continue;
            };
            match counter.count(path, program, &command) {
                Ok(instructions) => taken.push(path.name, instructions),
                Err(error) => {
                    console::say(format_args!("{}: not counted: {error:#}", path.name));
                    counts.add(Counts::one(false));
                }
            }
        }
        if args.bless {
            budgets.take(&taken, programs.versions.clone());
            budgets.write(provision.workspace)?;
        }
        for (path, instructions) in taken.of_paths() {
            let verdict = budgets.verdict(path, instructions);
            console::say(verdict.told(path, instructions, &counter.profile(path)));
            counts.add(Counts::one(verdict.holds()));
        }
        for ratio in &RATIOS {
            if let Some((holds, told)) = ratio.told(&taken) {
                console::say(told);
                counts.add(Counts::one(holds));
            }
        }
        Ok(counts)
    });
}
