//! The Rust tests: units, integration tests and documentation examples of every crate but the bindings.

use crate::counts::{self, Counts};
use crate::process;
use crate::report::Report;
use crate::workspace::{BINDINGS, Workspace};

pub(super) fn run(workspace: &Workspace, report: &mut Report) {
    report.suite("rust", || {
        let mut cargo = workspace.cargo();
        cargo.args(["test", "--workspace", "--no-fail-fast"]);
        for name in BINDINGS {
            if workspace.require_package(name).is_ok() {
                cargo.args(["--exclude", name]);
            }
        }
        let mut counts = Counts::default();
        let status = process::tee(&mut cargo, |line| {
            if let Some(more) = counts::libtest(line) {
                counts.add(more);
            }
        })?;
        // Not every failure is a failed test: code may not compile, or a test program may crash.
        if !status.success() && counts.failed == 0 {
            println!("cargo test failed ({status}) without a failed test; it counts as one");
            counts.failed = 1;
        }
        Ok(counts)
    });
}
