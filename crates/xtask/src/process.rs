//! Running other programs: errors that name the command, output that is shown and read at once, a time limit.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::{children, console};

/// No single program may hold up the tests for longer than this; a soak gives its own limit.
const LIMIT: Duration = Duration::from_mins(20);

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Takes away the variables that `cargo run` adds for this program: another program would take them for its
/// own, and build scripts of other packages would look changed.
pub(crate) fn forget_this_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let ours = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        let set_for_it = command.get_envs().any(|(given, _)| given == name);
        if !set_for_it
            && name
                .to_str()
                .is_some_and(|text| ours.iter().any(|prefix| text.starts_with(prefix)))
        {
            command.env_remove(&name);
        }
    }
}

/// Runs a program with our own output; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    run_within(LIMIT, command)
}

/// The same for a program that may take longer than a test.
pub(crate) fn run_within(limit: Duration, command: &mut Command) -> Result<()> {
    let status = status_within(limit, command)?;
    ensure!(status.success(), "`{}` failed ({status})", shown(command));
    Ok(())
}

/// Runs a program with our own output and returns how it ended.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    status_within(LIMIT, command)
}

fn status_within(limit: Duration, command: &mut Command) -> Result<ExitStatus> {
    console::connect(command)?;
    let child = spawn(command.stdin(Stdio::null()));
    // The command keeps its ends of the file.
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    wait(child?, command, limit, Instant::now() + limit)
}

/// Runs a program that writes to a file of its own, and returns how it ended.
pub(crate) fn status_into(path: &Path, command: &mut Command) -> Result<(ExitStatus, String)> {
    let (status, text) = console::keep(path, || status(command))?;
    Ok((status?, text))
}

/// Runs a program and returns its standard output; anything but success is an error with its complaint.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    forget_this_package(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`{}` failed ({})\n{}",
            shown(command),
            output.status,
            complaint.trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program, prints each line of its standard output as it comes, and hands the line to `read`.
pub(crate) fn tee(command: &mut Command, read: impl FnMut(&str)) -> Result<ExitStatus> {
    tee_within(LIMIT, command, read)
}

/// Runs a program and hands each line of its standard output to `read`, which alone decides what is printed.
pub(crate) fn lines(command: &mut Command, read: impl FnMut(&str)) -> Result<ExitStatus> {
    console::connect(command)?;
    let mut child = spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let output = child.stdout.take().context("no standard output")?;
    follow(child, output, LIMIT, command, read)
}

/// The same, for a program that may take as long as `limit`.
pub(crate) fn tee_within(
    limit: Duration,
    command: &mut Command,
    mut read: impl FnMut(&str),
) -> Result<ExitStatus> {
    console::connect(command)?;
    let mut child = spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let output = child.stdout.take().context("no standard output")?;
    follow(child, output, limit, command, |line| {
        console::say(line);
        read(line);
    })
}

/// The same, for a program that tells its results on standard error.
pub(crate) fn tee_both_within(
    limit: Duration,
    command: &mut Command,
    mut read: impl FnMut(&str),
) -> Result<ExitStatus> {
    let (output, input) = std::io::pipe()?;
    command
        .stdin(Stdio::null())
        .stdout(input.try_clone()?)
        .stderr(input);
    let child = spawn(command)?;
    // The command keeps its ends of the pipe, and the output would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    follow(child, output, limit, command, |line| {
        console::say(line);
        read(line);
    })
}

fn follow(
    mut child: Child,
    output: impl Read + Send + 'static,
    limit: Duration,
    command: &Command,
    mut read: impl FnMut(&str),
) -> Result<ExitStatus> {
    let registered = children::register(&child);
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let deadline = Instant::now() + limit;
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => read(&line),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                drop(registered);
                return wait(child, command, limit, deadline);
            }
            Err(mpsc::RecvTimeoutError::Timeout) => return Err(give_up(&mut child, command, limit)),
        }
    }
}

/// Puts a folder in front of the program search path of a command.
pub(crate) fn prefix_path(command: &mut Command, folder: &Path) {
    let old = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&old));
    if let Ok(joined) = std::env::join_paths(all) {
        command.env("PATH", joined);
    }
}

fn spawn(command: &mut Command) -> Result<Child> {
    forget_this_package(command);
    children::may_start()?;
    command
        .spawn()
        .with_context(|| format!("cannot start `{}`", shown(command)))
}

fn wait(mut child: Child, command: &Command, limit: Duration, deadline: Instant) -> Result<ExitStatus> {
    let _registered = children::register(&child);
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            return Err(give_up(&mut child, command, limit));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

fn give_up(child: &mut Child, command: &Command, limit: Duration) -> anyhow::Error {
    let _ = child.kill();
    let _ = child.wait();
    anyhow::anyhow!(
        "`{}` was stopped after {} minutes",
        shown(command),
        limit.as_secs() / 60
    )
}

/// Copies a program or module to a new file: writing into one that runs or is loaded would crash whoever uses it.
pub(crate) fn copy_anew(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let _ = std::fs::remove_file(to);
    std::fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// The command as a person would type it, with the program's name instead of its path.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{shown, tee};
    use std::process::Command;

    #[test]
    fn a_command_is_shown_without_the_path_of_its_program() {
        let mut command = Command::new("/somewhere/bin/python");
        command.args(["-m", "pytest"]);
        assert_eq!(shown(&command), "python -m pytest");
    }

    #[test]
    fn tee_hands_over_every_line_and_the_status() {
        let mut lines = Vec::new();
        let status = tee(Command::new("cargo").arg("--version"), |line| {
            lines.push(line.to_owned());
        })
        .unwrap();
        assert!(status.success());
        assert!(lines[0].starts_with("cargo "));
    }
}
