//! Every package of this platform, built as a release builds it: for old systems, small, installed and used.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Outcome, Soak};
use crate::report::Report;
use crate::test::{Packages, Provision};

pub(super) fn run(soak: &Soak<'_>) -> Result<Outcome> {
    let mut report = Report::default();
    let provision = Provision::new(soak.workspace);
    let packages =
        Packages::provide(&provision, &mut report, true).context("not everything could be built")?;
    let counts = packages.run()?;
    Ok(Outcome::new(
        counts.failed == 0 && counts.passed > 0,
        "cargo xtask package ... --target; pytest tests/package".to_owned(),
        format!("{} tests; {}", counts.passed, sizes(&packages.dist)?),
    ))
}

/// What somebody downloads.
fn sizes(dist: &Path) -> Result<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dist)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kilobytes = entry.metadata()?.len().div_ceil(1000);
        if [".whl", ".tgz"].iter().any(|suffix| name.ends_with(suffix)) {
            all.push(format!("{name} {kilobytes} kB"));
        }
    }
    all.sort();
    Ok(all.join(", "))
}
