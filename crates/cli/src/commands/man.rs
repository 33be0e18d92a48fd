//! `preopen man`: the manual, a page for the command and one for each of its commands, or the same as Markdown.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, Args, Command};
use clap_mangen::Man;
use roff::{Roff, bold, roman};

use crate::output::{Failure, Output, line, text};
use crate::reference::{EXAMPLES, EXIT_CODES, FILES, GROUPS, VARIABLES};
use crate::session::SHARED;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Write every page into this folder (preopen.1, preopen-login.1, ...), in place of the first one to standard
    /// output. It is made if it is not there.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Print all commands as one Markdown document.
    #[arg(long, conflicts_with = "dir")]
    markdown: bool,
}

pub(crate) fn run(arguments: &Arguments, output: Output) -> Result<ExitCode, Failure> {
    let mut command = crate::command();
    command.build();
    if arguments.markdown {
        text(markdown(&command).as_bytes())?;
    } else if let Some(folder) = &arguments.dir {
        let count = write_all(&command, folder)
            .map_err(|error| Failure::Other(format!("{} cannot be written to: {error}", folder.display())))?;
        if !output.is_json() {
            line(&format!("{count} pages in {}", folder.display()));
        }
    } else {
        text(&page(&command, true).map_err(|error| Failure::Other(error.to_string()))?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write_all(command: &Command, folder: &Path) -> std::io::Result<usize> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("preopen.1"), page(command, true)?)?;
    Ok(1 + write_below(command, "preopen", folder)?)
}

/// The pages of the commands below this one, which `name` names.
fn write_below(command: &Command, name: &str, folder: &Path) -> std::io::Result<usize> {
    let mut count = 0;
    for one in described(command) {
        let name = format!("{name}-{}", one.get_name());
        let own = one.clone().display_name(name.clone());
        fs::write(folder.join(format!("{name}.1")), page(&own, false)?)?;
        count += 1 + write_below(one, &name, folder)?;
    }
    Ok(count)
}

/// The commands that have a page: all but `help`.
fn described(command: &Command) -> impl Iterator<Item = &Command> {
    let seen = |one: &&Command| one.get_name() != "help" && !one.is_hide_set();
    command.get_subcommands().filter(seen)
}

/// One manual page; the first has what holds for all.
fn page(command: &Command, first: bool) -> std::io::Result<Vec<u8>> {
    let version = env!("CARGO_PKG_VERSION");
    // The text below the help is in sections of its own here.
    let own = if first {
        command.clone().after_help("").after_long_help("")
    } else {
        command.clone()
    };
    let man = Man::new(own)
        .manual("Preopen")
        .source(format!("preopen {version}"));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if described(command).next().is_some() {
        man.render_subcommands_section(&mut page)?;
    } else if command.get_after_help().is_some() {
        man.render_extra_section(&mut page)?;
    }
    let mut more = Roff::default();
    if first {
        table(&mut more, "EXIT STATUS", EXIT_CODES);
        table(&mut more, "ENVIRONMENT", VARIABLES);
        table(&mut more, "FILES", FILES);
        table(&mut more, "EXAMPLES", EXAMPLES);
    } else {
        more.control("SH", ["SEE ALSO"]);
        more.text([bold("preopen"), roman("(1) for exit status, variables and files")]);
    }
    more.to_writer(&mut page)?;
    Ok(page)
}

fn table(page: &mut Roff, heading: &str, rows: &[(&str, &str)]) {
    page.control("SH", [heading]);
    for (name, what) in rows {
        page.control("TP", []);
        page.text([bold(*name)]);
        page.text([roman(*what)]);
    }
}

/// Every command in one document; the options that all sessions share stand in it once.
fn markdown(command: &Command) -> String {
    let mut page = String::new();
    let mut shared: Vec<&Arg> = Vec::new();
    for (group, names) in GROUPS {
        let _ = writeln!(page, "## {group}\n");
        for name in *names {
            let Some(one) = described(command).find(|one| one.get_name() == *name) else {
                continue;
            };
            describe(&mut page, one, 3);
            let common = one
                .get_arguments()
                .filter(|arg| is_shared(arg))
                .collect::<Vec<_>>();
            if shared.len() < common.len() {
                shared = common;
            }
        }
    }
    let _ = writeln!(page, "## {SHARED}\n");
    page.push_str("Every command that has a session takes them.\n\n");
    options(&mut page, &shared);
    page.push_str("Every command takes these:\n\n");
    let global = command.get_arguments().filter(|arg| arg.is_global_set());
    options(&mut page, &global.collect::<Vec<_>>());
    for (heading, rows) in [
        ("Exit codes", EXIT_CODES),
        ("Environment", VARIABLES),
        ("Files", FILES),
    ] {
        let _ = writeln!(page, "## {heading}\n\n| | |\n| --- | --- |");
        for (name, what) in rows {
            let _ = writeln!(page, "| `{name}` | {what} |");
        }
        page.push('\n');
    }
    page.trim_end().to_owned() + "\n"
}

fn describe(page: &mut String, command: &Command, depth: usize) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let about = command.get_long_about().or(command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(
        page,
        "{} `{name}`\n\n{}.\n",
        "#".repeat(depth),
        about.trim_end_matches('.')
    );
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let _ = writeln!(page, "```text\n{usage}\n```\n");
    let own = command.get_arguments().filter(|arg| {
        !is_shared(arg) && !arg.is_global_set() && !["help", "version"].contains(&arg.get_id().as_str())
    });
    options(page, &own.collect::<Vec<_>>());
    for one in described(command) {
        describe(page, one, depth + 1);
    }
}

fn is_shared(arg: &Arg) -> bool {
    arg.get_help_heading() == Some(SHARED)
}

fn options(page: &mut String, all: &[&Arg]) {
    for arg in all.iter().filter(|arg| !arg.is_hide_set()) {
        let help = arg.get_long_help().or(arg.get_help());
        let help = help
            .map(ToString::to_string)
            .unwrap_or_default()
            .replace('\n', " ");
        let mut notes = String::new();
        let values: Vec<String> = arg
            .get_possible_values()
            .iter()
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        if !values.is_empty() && arg.get_action().takes_values() {
            let _ = write!(notes, " One of {}.", values.join(", "));
        }
        let default: Vec<_> = arg
            .get_default_values()
            .iter()
            .map(|one| one.to_string_lossy())
            .collect();
        if !default.is_empty() && arg.get_action().takes_values() {
            let _ = write!(notes, " Default: `{}`.", default.join(" "));
        }
        let _ = writeln!(page, "- `{}`: {}.{notes}", shown(arg), help.trim_end_matches('.'));
    }
    if !all.is_empty() {
        page.push('\n');
    }
}

/// An option as it is written: `--store <ADDRESS>`, `[BROKER]`.
fn shown(arg: &Arg) -> String {
    let text = arg.to_string();
    match (arg.is_positional(), text.starts_with(['<', '['])) {
        (true, false) => format!("<{text}>"),
        _ => text,
    }
}
