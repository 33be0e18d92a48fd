//! The Python tests: one wheel, installed for the oldest supported interpreter and for the newest one here.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::counts::{self, Counts};
use crate::process;
use crate::report::Report;
use crate::tools::python::{self, Python, Venv};
use crate::workspace::Workspace;

use super::provision::Provision;

/// So many processes share the tests of one version.
const WORKERS: &str = "3";

pub(super) fn floor(provision: &Provision<'_>, report: &mut Report) {
    let Some(all) = provision.pythons(report) else {
        return report.missing("python: oldest", "an interpreter");
    };
    // On a machine with a single Python it is the newest one too, and tested as such.
    if let [oldest, _] = &python::floor_and_newest(&all)[..] {
        run(provision, report, oldest);
    }
}

pub(super) fn newest(provision: &Provision<'_>, report: &mut Report) {
    match provision.newest_python(report) {
        Some(newest) => run(provision, report, &newest),
        None => report.missing("python: newest", "an interpreter"),
    }
}

pub(super) fn source(provision: &Provision<'_>, report: &mut Report) {
    let suite = "python from source";
    match (provision.pythons(report), provision.dev(report)) {
        (Some(all), Some(_)) => report.suite(suite, || from_source(provision.workspace, &all)),
        _ => report.missing(suite, "an interpreter and the Python tools"),
    }
}

fn run(provision: &Provision<'_>, report: &mut Report, python: &Python) {
    let workspace = provision.workspace;
    let suite = format!("python {}", python.name());
    let Some(wheel) = provision.wheel(report) else {
        return report.missing(&suite, "the wheel");
    };
    let Some(command) = provision.command(report) else {
        return report.missing(&suite, "the command");
    };
    let name = format!("py{}", python.tag());
    let venv = report.setup(&format!("{suite}: environment"), || {
        let venv = Venv::provide(workspace, &name, python, "tests/python/requirements.txt")?;
        venv.install_wheel(&wheel)?;
        Ok(venv)
    });
    match venv {
        Some(venv) => report.suite(&suite, || {
            pytest_with(workspace, &venv, "tests/python", &name, &command, |pytest| {
                // Tests wait more than they work: several at once, each with brokers of its own.
                pytest.args(["-n", WORKERS, "--dist", "worksteal"]);
            })
        }),
        None => report.missing(&suite, "its environment"),
    }
}

/// What `pip install` does for someone who has only the source archive: unpack, build, install, import.
fn from_source(workspace: &Workspace, all: &[Python]) -> Result<Counts> {
    let newest = all.last().context("no Python")?;
    let dev = Venv::provide(workspace, "dev", newest, "tools/requirements-dev.txt")?;
    let folder = workspace.target.join("from-source");
    let _ = fs::remove_dir_all(&folder);
    let mut sdist = dev.run("maturin");
    sdist.current_dir(&workspace.root).args(["sdist", "--out"]);
    process::run(sdist.arg(&folder))?;
    let archives = fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
    let archive = archives.last().context("maturin left no archive")?;

    let venv = Venv::bare(newest, &folder.join("venv"))?;
    let mut install = venv.pip();
    install
        .arg(&archive)
        .env("MATURIN_PEP517_ARGS", "--profile dev")
        .env("CARGO_TARGET_DIR", &workspace.target);
    process::run(install.current_dir(&folder))?;
    let script = "import preopen; print(preopen.Session(preopen.Samco(api_key='k', api_secret='s')))";
    let mut import = Command::new(venv.python());
    let shown = process::capture(import.args(["-c", script]).current_dir(&folder))?;
    ensure!(shown.contains("samco"), "the installed package printed {shown:?}");
    Ok(Counts::one(true))
}

/// Runs pytest on a folder and reads its report.
pub(super) fn pytest(
    workspace: &Workspace,
    venv: &Venv,
    folder: &str,
    name: &str,
    command: &Path,
) -> Result<Counts> {
    pytest_with(workspace, venv, folder, name, command, |_| ())
}

/// The same, with further settings.
pub(super) fn pytest_with(
    workspace: &Workspace,
    venv: &Venv,
    folder: &str,
    name: &str,
    command: &Path,
    settings: impl FnOnce(&mut Command),
) -> Result<Counts> {
    workspace.require(folder)?;
    let file = report_file(workspace, &format!("pytest-{name}.xml"))?;
    let mut pytest = venv.run("pytest");
    pytest
        .args([folder, "--quiet", "-p", "no:cacheprovider", "--junitxml"])
        .arg(&file);
    pytest.current_dir(&workspace.root).env("PREOPEN_BIN", command);
    settings(&mut pytest);
    let status = process::status(&mut pytest)?;
    let text = fs::read_to_string(&file).with_context(|| format!("pytest left no report ({status})"))?;
    let counts = counts::pytest(&text).context("cannot read pytest's report")?;
    ensure!(
        status.success() || counts.failed > 0 || counts.total() == 0,
        "pytest failed ({status})"
    );
    Ok(counts)
}

/// An empty place for a report, so that an old one is never taken for a new one.
pub(super) fn report_file(workspace: &Workspace, name: &str) -> Result<std::path::PathBuf> {
    let folder = workspace.target.join("test-reports");
    fs::create_dir_all(&folder)?;
    let file = folder.join(name);
    let _ = fs::remove_file(&file);
    Ok(file)
}
