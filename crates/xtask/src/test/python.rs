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

pub(super) fn run(provision: &mut Provision<'_>, report: &mut Report) {
    let workspace = provision.workspace;
    let Some(all) = provision.pythons(report) else {
        return report.missing("python", "an interpreter");
    };
    let Some(wheel) = provision.wheel(report) else {
        return report.missing("python", "the wheel");
    };
    let Some(command) = provision.command(report) else {
        return report.missing("python", "the command");
    };
    report.suite("python from source", || from_source(workspace, &all));
    for python in python::floor_and_newest(&all) {
        let suite = format!("python {}", python.name());
        let name = format!("py{}", python.tag());
        let venv = report.setup(&format!("{suite}: environment"), || {
            let venv = Venv::provide(workspace, &name, &python, "tests/python/requirements.txt")?;
            venv.install_wheel(&wheel)?;
            Ok(venv)
        });
        match venv {
            Some(venv) => report.suite(&suite, || {
                pytest(workspace, &venv, "tests/python", &name, &command)
            }),
            None => report.missing(&suite, "its environment"),
        }
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
