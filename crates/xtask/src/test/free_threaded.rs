//! The Python module for an interpreter without the global lock: compiled, since none is needed for that. Workflows that
//! have such an interpreter build its wheel and use it.

use std::fs;

use crate::counts::Counts;
use crate::process;
use crate::report::Report;

use super::provision::Provision;

/// What the build would ask the interpreter.
const INTERPRETER: &str = "implementation=CPython\n\
    version=3.14\n\
    target_abi=CPython-free_threaded-3.14\n\
    shared=true\n\
    suppress_build_script_link_lines=true\n";

pub(super) fn run(provision: &Provision<'_>, report: &mut Report) {
    let workspace = provision.workspace;
    report.suite("check: free-threaded Python", || {
        // A folder of its own: what is compiled for another interpreter would be thrown away by the next build.
        let folder = workspace.target.join("free-threaded");
        fs::create_dir_all(&folder)?;
        let interpreter = folder.join("interpreter.txt");
        fs::write(&interpreter, INTERPRETER)?;
        let mut check = workspace.cargo();
        check
            .args(["check", "--package", "preopen-python", "--target-dir"])
            .arg(&folder)
            .env("PYO3_CONFIG_FILE", &interpreter)
            .env("CARGO_PROFILE_DEV_DEBUG", "0");
        Ok(Counts::one(process::status(&mut check)?.success()))
    });
}
