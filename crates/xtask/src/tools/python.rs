//! Finding Python interpreters that really run, and virtual environments with pinned packages.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::once;
use crate::workspace::Workspace;
use crate::{console, process};

/// The oldest Python that the package supports.
pub(crate) const FLOOR: Version = (3, 8);

pub(crate) type Version = (u32, u32);

/// Says what an interpreter is: one line of words, so that no JSON is needed on either side.
const PROBE: &str = "import sys, platform, sysconfig\n\
    try:\n    import ensurepip, venv; makes = 'venv'\n\
    except ImportError: makes = 'none'\n\
    free = bool(sysconfig.get_config_var('Py_GIL_DISABLED'))\n\
    print(platform.python_implementation(), sys.version_info[0], sys.version_info[1], sys.version_info[2], \
    sys.version_info[3], 'free' if free else 'gil', makes, sys.executable)";

/// An interpreter that was run and said what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Python {
    pub(crate) version: Version,
    patch: u32,
    makes_environments: bool,
    pub(crate) program: PathBuf,
}

impl Python {
    fn probe(program: &Path) -> Option<Self> {
        let answer = process::capture(Command::new(program).args(["-c", PROBE])).ok()?;
        Self::parse(answer.trim())
    }

    /// None for what the package is not tested on: other implementations, unfinished releases, no GIL (a
    /// wheel for the stable ABI does not load there).
    fn parse(answer: &str) -> Option<Self> {
        let words: Vec<&str> = answer.splitn(8, ' ').collect();
        let [name, major, minor, patch, level, gil, makes, program] = words[..] else {
            return None;
        };
        let version = (major.parse().ok()?, minor.parse().ok()?);
        let usable = name == "CPython" && level == "final" && gil == "gil" && version >= FLOOR;
        usable.then(|| Self {
            version,
            patch: patch.parse().unwrap_or(0),
            makes_environments: makes == "venv",
            program: program.into(),
        })
    }

    /// `3.8`, for people.
    pub(crate) fn name(&self) -> String {
        format!("{}.{}", self.version.0, self.version.1)
    }

    /// `38`, for folder names.
    pub(crate) fn tag(&self) -> String {
        format!("{}{}", self.version.0, self.version.1)
    }
}

/// Every usable interpreter of this machine, one for each minor version, oldest first.
pub(crate) fn discover() -> Result<Vec<Python>> {
    let mut found: BTreeMap<Version, Python> = BTreeMap::new();
    for program in candidates() {
        let Some(python) = Python::probe(&program) else {
            continue;
        };
        let better = found.get(&python.version).is_none_or(|other| {
            (python.makes_environments, python.patch) > (other.makes_environments, other.patch)
        });
        if better {
            found.insert(python.version, python);
        }
    }
    ensure!(
        !found.is_empty(),
        "no CPython of at least {}.{} runs on this machine",
        FLOOR.0,
        FLOOR.1
    );
    let usable: Vec<Python> = found
        .into_values()
        .filter(|python| python.makes_environments)
        .collect();
    ensure!(
        !usable.is_empty(),
        "no Python here can make virtual environments; install the venv module (Debian: apt-get install python3-venv)"
    );
    Ok(usable)
}

fn candidates() -> Vec<PathBuf> {
    let mut names = vec!["python3".to_owned(), "python".to_owned()];
    names.extend((FLOOR.1..FLOOR.1 + 20).map(|minor| format!("python3.{minor}")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut programs = Vec::new();
    for folder in std::env::split_paths(&path) {
        for name in &names {
            let program = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
            if program.is_file() {
                programs.push(program);
            }
        }
    }
    if let Some(versions) = pyenv_versions() {
        let entries = fs::read_dir(versions).into_iter().flatten().flatten();
        programs.extend(
            entries
                .map(|entry| entry.path().join("bin/python"))
                .filter(|path| path.is_file()),
        );
    }
    programs
}

fn pyenv_versions() -> Option<PathBuf> {
    let asked = process::capture(Command::new("pyenv").arg("root")).ok();
    let root = asked
        .map(|text| PathBuf::from(text.trim()))
        .or_else(|| std::env::var_os("PYENV_ROOT").map(PathBuf::from))
        .or_else(|| std::env::home_dir().map(|home| home.join(".pyenv")))?;
    Some(root.join("versions"))
}

/// The interpreters that tests run on: the floor (else the oldest found) and the newest.
pub(crate) fn floor_and_newest(all: &[Python]) -> Vec<Python> {
    let Some((oldest, newest)) = all.first().zip(all.last()) else {
        return Vec::new();
    };
    if oldest.version != FLOOR {
        console::say(format_args!(
            "Python {}.{}, the oldest supported one, is not on this machine; the oldest here is {}",
            FLOOR.0,
            FLOOR.1,
            oldest.name()
        ));
    }
    let mut chosen = vec![oldest.clone()];
    if newest.version != oldest.version {
        chosen.push(newest.clone());
    }
    chosen
}

/// A virtual environment under the tools folder.
pub(crate) struct Venv {
    pub(crate) folder: PathBuf,
}

impl Venv {
    /// Provides the environment; it is made anew when the interpreter or the requirements changed.
    pub(crate) fn provide(
        workspace: &Workspace,
        name: &str,
        python: &Python,
        requirements: &str,
    ) -> Result<Self> {
        let list = workspace.require(requirements)?;
        let venv = Self {
            folder: workspace.tools().join(name),
        };
        let wanted = format!(
            "{} {}.{}\n{}",
            python.program.display(),
            python.name(),
            python.patch,
            fs::read_to_string(&list)?
        );
        let stamp = venv.folder.join("provided");
        // A virtual environment does not survive a moved folder or a removed interpreter.
        if Python::probe(&venv.python()).is_none() {
            let _ = fs::remove_file(&stamp);
        }
        once(&stamp, &wanted, || venv.make(python, &list))?;
        Ok(venv)
    }

    fn make(&self, python: &Python, requirements: &Path) -> Result<()> {
        console::say(format_args!(
            "making a Python {} environment, {}",
            python.name(),
            folder_name(&self.folder)
        ));
        Self::bare(python, &self.folder)?;
        process::run(self.pip().arg("--requirement").arg(requirements))
    }

    /// Makes an environment with nothing in it.
    pub(crate) fn bare(python: &Python, folder: &Path) -> Result<Self> {
        let mut venv = Command::new(&python.program);
        process::run(venv.args(["-m", "venv", "--clear"]).arg(folder))
            .context("cannot make a virtual environment (Debian: apt-get install python3-venv)")?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Installs a wheel, replacing any earlier build of the same version.
    pub(crate) fn install_wheel(&self, wheel: &Path) -> Result<()> {
        process::run(self.pip().args(["--force-reinstall", "--no-deps"]).arg(wheel))
    }

    pub(crate) fn pip(&self) -> Command {
        let mut pip = self.run("pip");
        pip.args(["--disable-pip-version-check", "install", "--quiet"]);
        pip
    }

    /// `python -m <module>` in this environment.
    pub(crate) fn run(&self, module: &str) -> Command {
        let mut command = Command::new(self.python());
        command.args(["-m", module]);
        // An active environment of the user's must not leak in.
        command.env_remove("PYTHONPATH").env_remove("PYTHONHOME");
        self.activate(&mut command);
        command
    }

    /// Has a command find this environment as an activated one.
    pub(crate) fn activate(&self, command: &mut Command) {
        command.env("VIRTUAL_ENV", &self.folder);
        process::prefix_path(command, &self.programs());
    }

    pub(crate) fn python(&self) -> PathBuf {
        self.program("python")
    }

    /// A program that a package brought.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs()
            .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    pub(crate) fn programs(&self) -> PathBuf {
        self.folder.join(if cfg!(windows) { "Scripts" } else { "bin" })
    }
}

/// Builds one wheel with the environment's maturin and returns where it is.
pub(crate) fn build_wheel(workspace: &Workspace, dev: &Venv, profile: &str, folder: &str) -> Result<PathBuf> {
    workspace.require("pyproject.toml")?;
    workspace.require_package("preopen-python")?;
    let out = workspace.target.join(folder);
    let _ = fs::remove_dir_all(&out);
    let mut maturin = dev.run("maturin");
    maturin.current_dir(&workspace.root);
    maturin
        .args(["build", "--profile", profile, "--interpreter"])
        .arg(dev.python());
    maturin
        .arg("--out")
        .arg(&out)
        .arg("--target-dir")
        .arg(&workspace.target);
    process::run(&mut maturin)?;
    let wheels = fs::read_dir(&out)?.flatten().map(|entry| entry.path());
    let mut wheels = wheels.filter(|path| path.extension().is_some_and(|suffix| suffix == "whl"));
    match (wheels.next(), wheels.next()) {
        (Some(wheel), None) => Ok(wheel),
        (None, _) => bail!("maturin left no wheel"),
        (Some(_), Some(_)) => bail!("maturin left more than one wheel"),
    }
}

fn folder_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Python, floor_and_newest};

    fn python(minor: u32) -> Python {
        Python::parse(&format!(
            "CPython 3 {minor} 1 final gil venv /opt/python {minor}/bin/python"
        ))
        .unwrap()
    }

    #[test]
    fn an_interpreter_says_what_it_is_even_with_a_space_in_its_path() {
        let found = python(12);
        assert_eq!(found.version, (3, 12));
        assert_eq!(found.program.to_str(), Some("/opt/python 12/bin/python"));
        assert_eq!((found.name(), found.tag()), ("3.12".to_owned(), "312".to_owned()));
    }

    #[test]
    fn interpreters_that_the_package_is_not_tested_on_are_passed_over() {
        for answer in [
            "PyPy 3 10 0 final gil venv /p",
            "CPython 3 7 16 final gil venv /p",
            "CPython 3 15 0 beta gil venv /p",
            "CPython 3 13 0 final free venv /p",
            "pyenv: python3.8: command not found",
            "",
        ] {
            assert_eq!(Python::parse(answer), None, "{answer}");
        }
    }

    #[test]
    fn tests_run_on_the_oldest_and_on_the_newest() {
        let versions = |all: &[Python]| floor_and_newest(all).iter().map(Python::name).collect::<Vec<_>>();
        assert_eq!(versions(&[python(8), python(11), python(13)]), ["3.8", "3.13"]);
        assert_eq!(versions(&[python(11)]), ["3.11"]);
        assert_eq!(versions(&[]), Vec::<String>::new());
    }
}
