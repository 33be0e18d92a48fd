//! `cargo xtask`: the one entry point for the demo, the quick check, the tests of every language, the benchmarks and the
//! long runs.
//!
//! Only the command line lives here; each subcommand has a file or folder of its own.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool for people: printing is its interface"
)]

mod api;
mod bench;
mod bindings;
mod capabilities;
mod check;
mod children;
mod console;
mod counts;
mod demo;
mod docs;
mod errors_page;
mod faults;
mod instructions;
mod package;
mod process;
mod report;
mod rustdoc;
mod soak;
mod test;
mod tools;
mod version;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Build, check, test and show the project.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the `preopen` command and run its demo; further arguments go to it (`--json`, ...).
    Demo(demo::Args),
    /// The quick look before a commit: format, lints, types, and the unit tests of what changed.
    Check,
    /// Provide what is missing and run the tests of every language; the last line counts them.
    Test(test::Args),
    /// Build for release, provide pinned peers and run the benchmarks; further arguments go to them.
    Bench(bench::Args),
    /// Play the fault matrix with Preopen and with the brokers' own clients, and write `docs/fault-matrix.md`; further
    /// arguments go to the driver.
    Faults(faults::Args),
    /// Count the instructions of the hot paths beside their budgets, or write the budgets anew.
    Instructions(instructions::Args),
    /// Run what is too long for every change, and record it in `docs/soak.md`.
    Soak(soak::Args),
    /// Take the pictures of the dashboard in `docs/dashboard` anew, with Chromium.
    Screenshots,
    /// Write `docs/capabilities.md`: every endpoint and refusal, and what proves it.
    Capabilities(capabilities::Args),
    /// Write `docs/errors.md`: every kind of error, what to do about it, and which refusals become it.
    Errors(errors_page::Args),
    /// Build the documentation's site into `target/site`, and check it.
    Docs,
    /// Compare what users of the Rust crate can name with `docs/api`, or write it anew.
    Api(api::Args),
    /// Build the library for Kotlin, Swift and further languages of UniFFI, and write their bindings into `dist/uniffi`.
    Bindings,
    /// Build the wheel and the npm tarball of this platform into `dist/`.
    Package(package::Args),
    /// Compare every place that repeats the version, or write a new one.
    Version(version::Args),
}

fn main() -> ExitCode {
    if let Some(rustdoc) = std::env::var_os(rustdoc::REAL) {
        return finish(rustdoc::run(rustdoc));
    }
    finish(match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Check => check::run(),
        Command::Test(args) => test::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Faults(args) => faults::run(&args),
        Command::Instructions(args) => instructions::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Screenshots => test::screenshots(),
        Command::Capabilities(args) => capabilities::run(&args),
        Command::Errors(args) => errors_page::run(&args),
        Command::Docs => docs::run(),
        Command::Api(args) => api::run(&args),
        Command::Bindings => bindings::run(),
        Command::Package(args) => package::run(&args),
        Command::Version(args) => version::run(&args),
    })
}

fn finish(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
