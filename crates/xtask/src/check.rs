//! `cargo xtask check`: format, lints, types, and the unit tests of the crates that changed and their dependents.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::counts::{self, Counts};
use crate::process;
use crate::report::Report;
use crate::test::checks;
use crate::tools::node;
use crate::tools::python::{self, Venv};
use crate::workspace::{BINDINGS, Package, Workspace};

/// Files that concern every crate.
const SHARED: [&str; 4] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    ".cargo/config.toml",
];

pub(crate) fn run() -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let mut report = Report::default();
    checks::run_all(checks::rust(&workspace), &mut report);
    let dev = report.setup("Python tools", || {
        let newest = python::discover()?.pop();
        let newest = newest.ok_or_else(|| anyhow::anyhow!("no Python"))?;
        Venv::provide(&workspace, "dev", &newest, "tools/requirements-dev.txt")
    });
    if let Some(dev) = dev {
        checks::run_all(checks::python(&workspace, &dev), &mut report);
    }
    let chosen = report.setup("npm packages", || {
        let chosen = node::for_builds(&workspace)?;
        node::install(&workspace, &chosen, "")?;
        Ok(chosen)
    });
    if let Some(chosen) = chosen {
        checks::run_all(checks::node(&workspace, &chosen), &mut report);
    }
    unit_tests(&workspace, &mut report);
    Ok(if report.finish() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn unit_tests(workspace: &Workspace, report: &mut Report) {
    let Some(names) = report.setup("what changed", || {
        let names = affected(&workspace.packages, &changed_files(&workspace.root)?);
        let list = names.iter().copied().collect::<Vec<_>>().join(", ");
        println!("{}", if list.is_empty() { "no crate" } else { &list });
        Ok(names)
    }) else {
        return;
    };
    if names.is_empty() {
        return;
    }
    report.suite("unit tests", || {
        let mut cargo = workspace.cargo();
        cargo.args(["test", "--quiet", "--bins"]);
        if workspace
            .packages
            .iter()
            .any(|package| package.library && names.contains(package.name.as_str()))
        {
            cargo.arg("--lib");
        }
        for name in &names {
            cargo.args(["--package", name]);
        }
        let mut sum = Counts::default();
        let status = process::tee(&mut cargo, |line| {
            sum.add(counts::libtest(line).unwrap_or_default());
        })?;
        anyhow::ensure!(status.success() || sum.failed > 0, "cargo test failed ({status})");
        // Crates without unit tests are no failure here: the full run counts every suite.
        sum.passed += u64::from(sum.total() == 0);
        Ok(sum)
    });
}

/// Files that differ from where this branch left `main`, committed or not.
fn changed_files(root: &Path) -> Result<Vec<String>> {
    let git = |args: &[&str]| process::capture(Command::new("git").current_dir(root).args(args));
    let base = git(&["merge-base", "HEAD", "main"]).unwrap_or_else(|_| "HEAD".to_owned());
    let mut files = git(&["diff", "--name-only", base.trim()])?;
    files.push_str(&git(&["ls-files", "--others", "--exclude-standard"])?);
    Ok(files.lines().map(str::to_owned).collect())
}

/// The crates that own a changed file, and every crate above them.
fn affected<'a>(packages: &'a [Package], files: &[String]) -> BTreeSet<&'a str> {
    let everything = files.iter().any(|file| SHARED.contains(&file.as_str()));
    let touched = |package: &Package| {
        files
            .iter()
            .any(|file| Path::new(file).starts_with(&package.folder))
    };
    let mut names: BTreeSet<&str> = BTreeSet::new();
    loop {
        let before = names.len();
        for package in packages {
            let above = package
                .dependencies
                .iter()
                .any(|name| names.contains(name.as_str()));
            if everything || above || touched(package) {
                names.insert(&package.name);
            }
        }
        if names.len() == before {
            break;
        }
    }
    names.retain(|name| !BINDINGS.contains(name));
    names
}

#[cfg(test)]
mod tests {
    use super::affected;
    use crate::workspace::Package;

    fn packages() -> Vec<Package> {
        let package = |name: &str, folder: &str, dependencies: &[&str]| Package {
            name: name.to_owned(),
            folder: folder.into(),
            library: true,
            dependencies: dependencies.iter().map(|&name| name.to_owned()).collect(),
            dependents: false,
            published: false,
        };
        vec![
            package("preopen", "crates/preopen", &["preopen-core", "preopen-http"]),
            package("preopen-http", "crates/http", &["preopen-core", "reqwest"]),
            package("preopen-core", "crates/core", &["serde"]),
            package("preopen-store", "crates/store", &["preopen-core"]),
            package("preopen-python", "bindings/python", &["preopen"]),
        ]
    }

    fn names(files: &[&str]) -> Vec<String> {
        let files: Vec<String> = files.iter().map(|&file| file.to_owned()).collect();
        affected(&packages(), &files)
            .into_iter()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn a_change_reaches_the_crates_above_it_and_no_others() {
        assert_eq!(names(&["crates/http/src/lib.rs"]), ["preopen", "preopen-http"]);
        assert_eq!(names(&["crates/preopen/README.md"]), ["preopen"]);
    }

    #[test]
    fn a_change_of_the_core_or_of_a_shared_file_reaches_all_but_the_bindings() {
        let all = ["preopen", "preopen-core", "preopen-http", "preopen-store"];
        assert_eq!(names(&["crates/core/src/totp.rs"]), all);
        assert_eq!(names(&["Cargo.lock"]), all);
    }

    #[test]
    fn a_change_outside_every_crate_needs_no_unit_test() {
        assert!(
            names(&[
                "docs/index.md",
                "python/preopen/__init__.py",
                "bindings/python/src/lib.rs"
            ])
            .is_empty()
        );
    }
}
